"""Instants at the doors: RFC 3339 text and timestamps with a zone, and nothing else.

Inside, an instant is a whole number of microseconds. Whatever could mean two instants is rejected,
never guessed.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.errors import BadSource, BadTerms
from ..core.event import INSTANT_MAX, INSTANT_MIN, SECOND, Bool, Int64
from .rows import is_text, mask_of
from .rows import text as text_column

_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d:\d\d"
_RFC_3339 = (
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?"
    r"(Z|\+([01]\d|2[0-3]):[0-5]\d|-(0[1-9]|1\d|2[0-3]):[0-5]\d|-00:(0[1-9]|[1-5]\d))$"
)
#: What text that is not RFC 3339 looks like -> the code that says so; the first that fits.
_LOOKS: Final = tuple(
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
#: Longer text is nothing like an instant, and not worth a closer look.
_TEXT_MAX: Final = 128
_TYPE_WANTED: Final = "a timestamp with a zone (s, ms, us; ns that lose nothing), or RFC 3339 text"

#: Message codes, one a row.
Codes = NDArray[np.object_]
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": SECOND, "ns": 1_000 * SECOND}
_MICROSECONDS = pa.timestamp("us", "UTC")


def parse(array: pa.Array, *, field: str, where: str) -> tuple[Int64, Codes | None]:
    """Instants of a column in microseconds (int64), and what is wrong with which rows.

    The second is `None` if nothing is, else an array of message codes, empty where a row is fine;
    the instant of a faulty row means nothing. Raises `BadSource` (`column_type`) for a column that
    could not hold instants at all.
    """
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return _from_timestamps(array)
    if is_text(kind):
        return _from_text(text_column(array, field=field, where=where).cast(pa.string()))
    raise BadSource("column_type", where, field=field, got=str(array.type), wanted=_TYPE_WANTED)


def instant(text: str, *, field: str) -> int:
    """One instant in microseconds, from RFC 3339 text. Raises `BadTerms` with the code of what is wrong."""
    instants, codes = parse(pa.array([text], pa.string()), field=field, where="")
    if codes is not None:
        raise BadTerms(codes[0], field=field, got=text)
    return int(instants[0])


def code_of(text: str) -> str:
    """Why a text is not an instant that we accept."""
    if len(text) > _TEXT_MAX:
        return "ts_format"
    return next((code for pattern, code in _LOOKS if pattern.fullmatch(text)), "ts_format")


def _from_timestamps(array: pa.Array) -> tuple[Int64, Codes | None]:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    values, per_second = _int64(array), _PER_SECOND[array.type.unit]
    nanoseconds = array.type.unit == "ns"
    # Compared in the unit they came in: turning wild values into microseconds would wrap around.
    low, high = INSTANT_MIN // SECOND * per_second, INSTANT_MAX // SECOND * per_second
    instants = values // 1_000 if nanoseconds else values if per_second == SECOND else values * (SECOND // per_second)
    fine = not nanoseconds or not (values % 1_000).any()
    if not array.null_count and fine and (not len(values) or (low <= values.min() and values.max() < high)):
        return instants, None
    outside = (values < low) | (values >= high)
    finer = values % 1_000 != 0 if nanoseconds else np.zeros(len(values), np.bool_)
    codes = np.full(len(array), "", object)
    codes[outside] = "ts_out_of_range"
    codes[finer & ~outside] = "ts_too_precise"
    codes[mask_of(array.is_null())] = "ts_missing"
    return instants, codes


def _from_text(text: pa.StringArray) -> tuple[Int64, Codes | None]:
    fits = pc.match_substring_regex(text, _RFC_3339).fill_null(False)
    shaped = text if pc.all(fits).as_py() else pc.if_else(fits, text, pa.scalar(None, pa.string()))
    try:
        parsed = shaped.cast(_MICROSECONDS)
    except pa.ArrowInvalid:  # the calendar has no such day somewhere
        shaped = _real_days(shaped)
        parsed = shaped.cast(_MICROSECONDS)
    instants = _int64(parsed)
    outside = _outside(instants)
    if parsed.null_count == 0 and not outside.any():
        return instants, None
    codes = np.full(len(text), "", object)
    codes[outside] = "ts_out_of_range"  # what follows says better why, where nothing was parsed
    for k in np.flatnonzero(mask_of(parsed.is_null())):
        value = text[int(k)].as_py()
        codes[k] = code_of(value) if value else "ts_missing"
    return instants, codes


def _real_days(text: pa.StringArray) -> pa.StringArray:
    days = pc.utf8_slice_codeunits(text, 0, 10).dictionary_encode()
    exist = pa.array([_exists(day) for day in days.dictionary.to_pylist()], pa.bool_())
    return pc.if_else(exist.take(days.indices), text, pa.scalar(None, pa.string()))


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def _outside(instants: Int64) -> Bool:
    return (instants < INSTANT_MIN) | (instants >= INSTANT_MAX)


def _int64(array: pa.Array) -> Int64:
    whole = array.cast(pa.int64())
    return np.asarray((whole.fill_null(0) if whole.null_count else whole).to_numpy(), np.int64)
