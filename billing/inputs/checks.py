"""Checks: what is wrong with which rows, found on whole columns.

A row is looked at by itself only once it is known to be wrong.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.errors import BadSource, Rejection
from ..core.event import TYPES, Bool, Int8, Int32, Int64
from .identifiers import NONE, Registry, encoded, fault, looked_up, suspects
from .rows import Rows, is_text, mask_of, text
from .timestamps import parse

#: No call has this many results.
RESULTS_END: Final = 10**15
_NOT_ACTIVITY: Final = "integration.disconnected"


class Faults:
    """What is wrong with which rows of a batch; the first complaint about a row is the one told."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._code: NDArray[np.object_] | None = None  # per row, the message code or ""
        self._field: NDArray[np.object_] | None = None

    def add(self, field: str, codes: NDArray[np.object_]) -> None:
        """Complain about `field` in the rows whose code is not empty."""
        if self._code is None or self._field is None:
            self._code, self._field = np.full(self._rows.length, "", object), np.full(self._rows.length, "", object)
        fresh = (codes != "") & (self._code == "")
        self._code[fresh], self._field[fresh] = codes[fresh], field

    def settle(self, known: Bool | None) -> tuple[NDArray[np.intp] | None, list[Rejection]]:
        """The rows to keep, none for all, and the rejections among those that were `known`."""
        if self._code is None:
            return (None if known is None or known.all() else np.flatnonzero(known)), []
        bad = self._code != ""
        seen = np.ones(len(bad), np.bool_) if known is None else known
        return np.flatnonzero(~bad & seen), [self._rejection(int(k)) for k in np.flatnonzero(bad & seen)]

    def _rejection(self, k: int) -> Rejection:
        assert self._code is not None and self._field is not None
        code, field = str(self._code[k]), str(self._field[k])
        got = _value(self._rows.columns[field], k) if field in self._rows.columns else None
        details: dict[str, Any] = {"field": field, "got": got}
        if code == "name":
            code, more = fault(got)
            details |= more
        if code in ("type_unknown", "type_invalid"):
            idle = " (it has no effect on activity: leave it out)" if got == _NOT_ACTIVITY else ""
            details |= {"known": ", ".join(sorted(TYPES)), "hint": idle}
        return Rejection(code, self._rows.source, self._rows.line_of(k), details)

    def types(self) -> Int8:
        """The codes of the types."""
        column = encoded(self._rows.columns["type"])
        words = column.dictionary.to_pylist()
        table = np.array([TYPES.index(w) if w in TYPES else NONE for w in words], np.int8)
        types = looked_up(column.indices, table, missing=NONE)
        if NONE in table or column.null_count:
            # Neither an unknown type nor a known one spelled otherwise is ever guessed.
            why = ["type_unknown" if w and w == w.strip().lower() else "type_invalid" for w in words]
            codes = np.array([*why, "type_invalid"], object)[column.indices.fill_null(len(words)).to_numpy()]
            self.add("type", np.where(types == NONE, codes, ""))
        return types

    def names(self, field: str, column: pa.DictionaryArray, places: Int32, registry: Registry) -> Int32:
        """The codes of a column of names, given the codes of its dictionary."""
        codes = looked_up(column.indices, places, missing=NONE)
        if registry.any_faulty or column.null_count:
            bad = np.append(registry.faulty, True)[codes]
            self.add(field, np.where(bad, "name", ""))
        return codes

    def instants(self, field: str) -> Int64:
        """Instants in microseconds."""
        instants, codes = parse(self._rows.columns[field], field=field, where=self._rows.source)
        if codes is not None:
            self.add(field, codes)
        return instants

    def text(self, field: str) -> pa.Array:
        """A column of ids that may be missing."""
        column = self._rows.columns[field]
        column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        column = column.cast(pa.string())
        bad = suspects(column) & ~mask_of(column.is_null())
        if bad.any():
            self.add(field, np.where(bad, "name", ""))
        return column

    def one_of(self, field: str, known: tuple[str, ...], code: str) -> pa.Array:
        """A column that holds one of a few words, or nothing."""
        column = encoded(self._rows.columns[field]).dictionary_decode().cast(pa.string())
        bad = ~mask_of(pc.is_in(column, pa.array(known))) & ~mask_of(column.is_null())
        if bad.any():
            self.add(field, np.where(bad, code, ""))
        return column

    def whole_numbers(self, field: str) -> pa.Array:
        """A column of whole numbers from 0, or nothing."""
        column = self._rows.columns[field]
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        present = ~mask_of(column.is_null())
        if is_text(column.type):
            column = text(column, field=field, where=self._rows.source)
            fits = pc.match_substring_regex(column, r"^\d{1,15}$").fill_null(False)
            bad = ~mask_of(fits) & present
            column = pc.if_else(fits, column, pa.scalar(None, column.type)).cast(pa.int64())
        elif pa.types.is_integer(column.type):
            column = column.cast(pa.int64(), safe=False)  # what is too large for it becomes negative
            bad = mask_of(pc.or_(pc.less(column, 0), pc.greater_equal(column, RESULTS_END)).fill_null(False))
        else:
            raise BadSource("column_type", self._rows.source, field=field, got=str(column.type), wanted="whole numbers")
        if bad.any():
            self.add(field, np.where(bad, "results_invalid", ""))
        return column

    def needs(self, rows: Bool, field: str, content: dict[str, pa.Array], code: str) -> None:
        """Complain about those of `rows` that have nothing in a column."""
        absent = rows & mask_of(content[field].is_null()) if field in content else rows
        if absent.any():
            self.add(field, np.where(absent, code, ""))


def _value(column: pa.Array, k: int) -> Any:
    """What stands in a row, as it can be shown."""
    try:
        return column[k].as_py()
    except (ValueError, OverflowError, pa.ArrowException):  # an instant outside of what Python can say
        return f"{column.cast(pa.int64())[k].as_py()} {column.type}"
