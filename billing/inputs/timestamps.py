"""Timestamps: RFC 3339 text and Arrow timestamps with a zone, and nothing else.

They become instants, whole numbers of microseconds. Text that could mean two instants is rejected, never
guessed.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import BadSource, BadTerms
from ..core.event import INSTANT_MAX, INSTANT_MIN, SECOND, Bool, Int64
from .rows import Bad, check_text, is_text, to_mask

_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d:\d\d"
_RFC_3339 = (
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?"
    r"(Z|\+([01]\d|2[0-3]):[0-5]\d|-(0[1-9]|1\d|2[0-3]):[0-5]\d|-00:(0[1-9]|[1-5]\d))$"
)
#: Patterns of text that is not RFC 3339, each with its message code; the first that matches counts.
_BAD_PATTERNS: Final = tuple(
    (re.compile(pattern, re.ASCII), code)
    for pattern, code in (
        (r"(?i:nan|nat|[+-]?inf(inity)?)", "ts_not_a_time"),
        (r"[+-]?\d{5,}", "ts_numeric"),
        (r".*\[.*\]|.*\d [A-Z][A-Za-z_]+(/[A-Za-z_/]+)?", "ts_zone_names_unsupported"),
        (rf"{_DATE}([Tt _]\d\d:\d\d(:\d\d([.,]\d+)?)?)?", "ts_naive"),
        (rf"{_DATE}T{_CLOCK}\.\d{{7,}}(Z|[+-]\d\d:\d\d)", "ts_too_precise"),
        (rf"{_DATE}T\d\d:\d\d:60(\.\d{{1,6}})?(Z|[+-]\d\d:\d\d)", "ts_leap_second"),
        (rf"{_DATE}T{_CLOCK}(\.\d{{1,6}})?-00:00", "ts_format"),
        (rf"{_DATE}T{_CLOCK}(\.\d{{1,6}})?(Z|[+-]\d\d:\d\d)", "ts_not_a_time"),
    )
)
#: Longer text does not resemble a timestamp; no pattern is tried on it.
_TEXT_MAX: Final = 128
_TYPE_WANTED: Final = "a timestamp with a zone (s, ms, us; ns that lose nothing), or RFC 3339 text"

_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": SECOND, "ns": 1_000 * SECOND}
_MICROSECONDS = pa.timestamp("us", "UTC")


def parse_timestamps(array: pa.Array, *, field: str, where: str) -> tuple[Int64, Bad | None]:
    """The instants of a column in microseconds, and the message code of each row, or None if none is wrong.

    The instant of a wrong row means nothing. Raises `BadSource` (`column_type`) for a column that cannot
    hold instants.
    """
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return _from_timestamps(array)
    if is_text(kind):
        return _from_text(check_text(array, field=field, where=where).cast(pa.string()))
    raise BadSource("column_type", where, field=field, got=str(array.type), wanted=_TYPE_WANTED)


def parse_instant(text: str, *, field: str) -> int:
    """RFC 3339 text as an instant in microseconds. Raises `BadTerms` with the code of what is wrong."""
    instants, bad = parse_timestamps(pa.array([text], pa.string()), field=field, where="")
    if bad is not None:
        raise BadTerms(bad[0], field=field, got=text)
    return int(instants[0])


def explain_bad_timestamp(text: str) -> str:
    """The message code for text that is not an accepted timestamp."""
    if len(text) > _TEXT_MAX:
        return "ts_format"
    return next((code for pattern, code in _BAD_PATTERNS if pattern.fullmatch(text)), "ts_format")


def _from_timestamps(array: pa.Array) -> tuple[Int64, Bad | None]:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    values, per_second = _to_int64(array), _PER_SECOND[array.type.unit]
    nanoseconds = array.type.unit == "ns"
    # Compared in their own unit: extreme values would overflow as microseconds.
    low, high = INSTANT_MIN // SECOND * per_second, INSTANT_MAX // SECOND * per_second
    instants = values // 1_000 if nanoseconds else values if per_second == SECOND else values * (SECOND // per_second)
    fine = not nanoseconds or not (values % 1_000).any()
    if not array.null_count and fine and (not len(values) or (low <= values.min() and values.max() < high)):
        return instants, None
    outside = (values < low) | (values >= high)
    finer = values % 1_000 != 0 if nanoseconds else np.zeros(len(values), np.bool_)
    bad = np.full(len(array), "", object)
    bad[outside] = "ts_out_of_range"
    bad[finer & ~outside] = "ts_too_precise"
    bad[to_mask(array.is_null())] = "ts_missing"
    return instants, bad


def _from_text(text: pa.StringArray) -> tuple[Int64, Bad | None]:
    fits = pc.match_substring_regex(text, _RFC_3339).fill_null(False)
    shaped = text if pc.all(fits).as_py() else pc.if_else(fits, text, pa.scalar(None, pa.string()))
    try:
        parsed = shaped.cast(_MICROSECONDS)
    except pa.ArrowInvalid:  # some day does not exist
        shaped = _drop_impossible_days(shaped)
        parsed = shaped.cast(_MICROSECONDS)
    instants = _to_int64(parsed)
    outside = _find_outside(instants)
    if parsed.null_count == 0 and not outside.any():
        return instants, None
    bad = np.full(len(text), "", object)
    bad[outside] = "ts_out_of_range"  # where nothing was parsed, a better reason follows
    for k in np.flatnonzero(to_mask(parsed.is_null())):
        value = text[int(k)].as_py()
        bad[k] = explain_bad_timestamp(value) if value else "ts_missing"
    return instants, bad


def _drop_impossible_days(text: pa.StringArray) -> pa.StringArray:
    days = pc.utf8_slice_codeunits(text, 0, 10).dictionary_encode()
    exist = pa.array([_day_exists(day) for day in days.dictionary.to_pylist()], pa.bool_())
    return pc.if_else(exist.take(days.indices), text, pa.scalar(None, pa.string()))


def _day_exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def _find_outside(instants: Int64) -> Bool:
    return (instants < INSTANT_MIN) | (instants >= INSTANT_MAX)


def _to_int64(array: pa.Array) -> Int64:
    whole = array.cast(pa.int64())
    return np.asarray((whole.fill_null(0) if whole.null_count else whole).to_numpy(), np.int64)
