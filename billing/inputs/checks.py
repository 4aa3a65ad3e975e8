"""Checks: what is wrong with which rows, found on whole columns.

Each check takes a column and returns its values with the message code of each row, or with None where
no row is wrong. The values of a wrong row mean nothing. A row is looked at by itself only when it is
rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.errors import BadSource, Rejection
from ..core.event import CREATED, IDENTITY_TYPES, MANAGED, TYPES, VOIDED, Bool, Int8
from .identifiers import explain_bad_id, find_bad_ids
from .rows import Bad, RawRows, check_text, is_text, to_mask
from .timestamps import parse_timestamps

#: No call has this many results.
RESULTS_END: Final = 10**15
#: What may run an action; see the action catalogue.
MODES: Final = ("direct", "auto", MANAGED)
#: The message code of a name that is not a proper id, until its rejection says why.
BAD_ID: Final = "name"
_NOT_ACTIVITY: Final = "integration.disconnected"

#: A field, and what is wrong with it in which rows.
Complaint = tuple[str, Bad | None]


def check_details(rows: RawRows, types: Int8) -> tuple[dict[str, pa.Array], list[Complaint]]:
    """The optional columns of events that are there, and what is wrong with them. Raises `BadSource`."""
    content: dict[str, pa.Array] = {}
    complaints: list[Complaint] = []
    for field, check in _DETAIL_CHECKS:
        if field in rows.columns:
            content[field], bad = check(rows.columns[field], rows.source)
            complaints.append((field, bad))
    for kind, field, code in _REQUIRED_BY_TYPE:
        complaints.append((field, find_missing(types == kind, content.get(field), code)))
    return content, complaints


def check_ids(column: pa.Array, source: str) -> tuple[pa.Array, Bad | None]:
    """A column of ids, which may be missing."""
    column = _decode(column).cast(pa.string())
    return column, mark(find_bad_ids(column), BAD_ID)


def check_identity_types(column: pa.Array, source: str) -> tuple[pa.Array, Bad | None]:
    """A column of identity types, which may be missing."""
    return _check_choices(column, IDENTITY_TYPES, "identity_type_unknown")


def check_modes(column: pa.Array, source: str) -> tuple[pa.Array, Bad | None]:
    """A column of what ran an action, which may be missing."""
    return _check_choices(column, MODES, "mode_unknown")


def _check_choices(column: pa.Array, choices: Sequence[str], code: str) -> tuple[pa.Array, Bad | None]:
    column = _decode(column).cast(pa.string())
    return column, mark(~to_mask(pc.is_in(column, pa.array([*choices, None]))), code)


def check_results(column: pa.Array, source: str) -> tuple[pa.Array, Bad | None]:
    """A column of whole numbers from 0, which may be missing. Raises `BadSource` for any other type."""
    column = _decode(column)
    if is_text(column.type):
        column = check_text(column, field="results", where=source)
        fits = pc.match_substring_regex(column, r"^\d{1,15}$")
        bad = pc.invert(fits)
        column = pc.if_else(fits, column, pa.scalar(None, column.type)).cast(pa.int64())
    elif pa.types.is_integer(column.type):
        column = column.cast(pa.int64(), safe=False)  # what is too large for it becomes negative
        bad = pc.or_(pc.less(column, 0), pc.greater_equal(column, RESULTS_END))
    else:
        raise BadSource("column_type", source, field="results", got=str(column.type), wanted="whole numbers")
    return column, mark(to_mask(bad.fill_null(False)), "results_invalid")


def find_missing(required: Bool, column: pa.Array | None, code: str) -> Bad | None:
    """Which of the required values are missing, if the column is there at all."""
    if column is not None and required.any():
        required = required & to_mask(column.is_null())
    return mark(required, code)


def _decode(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def mark(rows: Bool, code: str) -> Bad | None:
    """A message code for some of the rows; None for none of them."""
    if not rows.any():
        return None
    bad = np.full(len(rows), "", object)
    bad[rows] = code
    return bad


_DETAIL_CHECKS: Final = (
    ("event_id", check_ids),
    ("voids", check_ids),
    ("action", check_ids),
    ("identity_type", check_identity_types),
    ("mode", check_modes),
    ("results", check_results),
)
#: What an event of some type must have besides, and the message code where it does not.
_REQUIRED_BY_TYPE: Final = ((CREATED, "identity_type", "identity_type_missing"), (VOIDED, "voids", "voids_missing"))


def check_recorded(rows: RawRows, known_at: int | None) -> tuple[pa.Array | None, Bad | None, Bool | None]:
    """`recorded_at` in microseconds, what is wrong with it, and which rows were known at `known_at` (None for all).

    Raises `BadSource` where `known_at` asks for a column that the source does not have.
    """
    if "recorded_at" not in rows.columns:
        if known_at is not None and rows.length:
            raise BadSource("known_at_unavailable", rows.source)
        return None, None, None
    recorded, bad = parse_timestamps(rows.columns["recorded_at"], field="recorded_at", where=rows.source)
    absent = np.zeros(rows.length, np.bool_)
    if bad is not None:
        absent = bad == "ts_missing"
        # A missing `recorded_at` is wrong only where it decides what was known.
        bad[absent] = "recorded_at_missing" if known_at is not None else ""
        bad = bad if (bad != "").any() else None
    known = None if known_at is None else (recorded <= known_at) | absent
    return pa.array(recorded, mask=absent), bad, known


def collect_rejections(
    rows: RawRows, complaints: Sequence[Complaint], known: Bool | None
) -> tuple[NDArray[np.intp] | None, list[Rejection]]:
    """The rows to keep, None for all, and a rejection for each wrong row, by the first complaint about it.

    Rows outside `known` are neither kept nor rejected; None means that all rows are known.
    """
    found = [(field, bad) for field, bad in complaints if bad is not None]
    if not found:
        return (None if known is None or known.all() else np.flatnonzero(known)), []
    code: Bad = np.full(rows.length, "", object)
    field_of: Bad = np.full(rows.length, "", object)
    for field, bad in found:
        fresh = (bad != "") & (code == "")
        code[fresh], field_of[fresh] = bad[fresh], field
    wrong = code != ""
    seen = np.ones(rows.length, np.bool_) if known is None else known
    rejections = [_reject(rows, int(k), field_of[k], code[k]) for k in np.flatnonzero(wrong & seen)]
    return np.flatnonzero(~wrong & seen), rejections


def _reject(rows: RawRows, k: int, field: str, code: str) -> Rejection:
    got = _show_value(rows.columns[field], k) if field in rows.columns else None
    details: dict[str, Any] = {"field": field, "got": got}
    if code == BAD_ID:
        code, more = explain_bad_id(got)
        details |= more
    if code in ("type_unknown", "type_invalid"):
        no_activity = " (it has no effect on activity: leave it out)" if got == _NOT_ACTIVITY else ""
        details |= {"known": ", ".join(sorted(TYPES)), "hint": no_activity}
    return Rejection(code, rows.source, rows.line_of(k), details)


def _show_value(column: pa.Array, k: int) -> Any:
    try:
        return column[k].as_py()
    except (ValueError, OverflowError, pa.ArrowException):  # an instant that Python's datetime cannot hold
        return f"{column.cast(pa.int64())[k].as_py()} {column.type}"
