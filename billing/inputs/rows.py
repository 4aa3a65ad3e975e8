"""Rows as a source gives them: Arrow columns by name, and where each row stands.

Every kind of source ends here, so that what follows does not know where rows came from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from ..core.errors import BadSource, Rejection, hint
from ..core.event import Bool, Place

#: Columns that every source has.
REQUIRED: Final = ("account_id", "identity_id", "type", "occurred_at")
#: Columns that are not text, or need not be.
OTHER: Final = ("occurred_at", "recorded_at", "results")
#: Columns that a source may have, in any order.
COLUMNS: Final = (
    "event_id",
    *REQUIRED,
    "recorded_at",
    "identity_type",
    "action",
    "results",
    "mode",
    "voids",
)


#: Called with the number of bytes read since the last call.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a source is to be read.

    `strict` refuses the source at the first rejection, `ignore_extra` passes over unknown columns,
    `known_at` (microseconds) leaves out what was recorded later, `position` what came later into a
    ledger, `digest` asks for that of the events, `history` keeps what it told besides, `details` what calls
    did; `progress` is told of bytes read, from whatever thread reads them.
    """

    strict: bool = False
    ignore_extra: bool = False
    known_at: int | None = None
    digest: bool = False
    progress: Progress | None = None
    position: int | None = None
    history: bool = False
    details: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a source, in its order.

    `columns` maps a name of `COLUMNS` to an Arrow array; all have `length` values. `source` is the
    name that messages give it and `line_of(k)` where row `k` stands in it: the line of a text file,
    the row (from 1) of columns. `rejections` are those of lines that did not become rows.
    """

    source: str
    columns: dict[str, pa.Array]
    length: int
    line_of: Callable[[int], int]
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def place_of(self) -> Callable[[int], Place]:
        """Says the source, and where in it a row stands; it outlives the rows, so it does not hold on to them."""
        source, line_of = self.source, self.line_of
        return lambda k: (source, line_of(k))


def check_columns(
    names: Sequence[str], *, where: str, options: ReadOptions, missing_code: str = "column_missing"
) -> None:
    """Refuse columns that are missing, double or unknown. Raises `BadSource`."""
    known = ", ".join(COLUMNS)
    for name in names:
        if names.count(name) > 1:
            raise BadSource("csv_header", where, detail=f"has {name} twice", known=known)
    for name in REQUIRED:
        if name not in names:
            near = hint(name, [n for n in names if n not in COLUMNS], wording=", but has {}")
            raise BadSource(missing_code, where, field=name, detail=f"has no {name}{near}", known=known)
    for name in names:
        if name not in COLUMNS and not options.ignore_extra:
            near = hint(name, [c for c in COLUMNS if c not in names])
            raise BadSource("field_unknown", where, got=name, hint=near, known=known)


def text(array: pa.Array, *, field: str, where: str) -> pa.Array:
    """A column of text, or of codes into a dictionary of text. Raises `BadSource` for any other."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if not is_text(kind):
        raise BadSource("column_type", where, field=field, got=str(array.type), wanted="text")
    if pa.types.is_dictionary(array.type) and array.dictionary.null_count:
        array = array.dictionary_decode()
    if pa.types.is_null(kind) or pa.types.is_string_view(kind):
        array = array.cast(pa.string())
    try:
        (array.dictionary if pa.types.is_dictionary(array.type) else array).validate(full=True)
    except pa.ArrowInvalid as error:
        raise BadSource("encoding", where, after=f" in column {field}") from error
    return array


def is_text(kind: pa.DataType) -> bool:
    """Whether a type of Arrow holds text, or nothing at all."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(fits(kind) for fits in tests)


def plain(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array out of chunks, with a single dictionary if it has one."""
    if isinstance(array, pa.ChunkedArray):
        if array.num_chunks == 1:
            return array.chunk(0)
        if pa.types.is_dictionary(array.type):
            # Without unifying, the dictionaries of the chunks would be written out one by one.
            array = array.unify_dictionaries()
        combined = array.combine_chunks()
        return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
    return array


def mask_of(array: pa.BooleanArray) -> Bool:
    """Truth values as a numpy array."""
    return np.asarray(array.to_numpy(zero_copy_only=False), np.bool_)
