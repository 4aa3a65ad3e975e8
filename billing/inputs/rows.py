"""Raw rows: Arrow columns by name, as a reader found them, with the line of each row.

Every reader ends here, so nothing after it depends on the format of the source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

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
#: Text columns whose values repeat, so that a dictionary of them is small.
REPEATING: Final = ("account_id", "identity_id", "type", "identity_type", "action", "mode")

#: What a check found: the message code of each row, "" where the row is fine.
Bad = NDArray[np.object_]
#: Called with the number of bytes read since the last call.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a source is read.

    `strict` refuses the source at its first rejection; `ignore_extra` skips unknown columns. `known_at`
    (microseconds) leaves out events recorded later, `position` entries added to a ledger later. `digest`,
    `history` and `details` ask for the digest of the events, for what was known when, and for what calls
    did. `progress` is called with the number of bytes read, from whichever thread reads them.
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
class RawRows:
    """Some rows of a source, in its order, unchecked.

    `columns` maps names of `COLUMNS` to Arrow arrays of `length` values. `source` is the name of the
    source in messages, and `line_of(k)` the line of row `k` in a text file, or its number (from 1) in a
    table. `rejections` are those of lines that did not become rows.
    """

    source: str
    columns: dict[str, pa.Array]
    length: int
    line_of: Callable[[int], int]
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def place_of(self) -> Callable[[int], Place]:
        """The source and line of a row. It outlives these rows, so it keeps no reference to them."""
        source, line_of = self.source, self.line_of
        return lambda k: (source, line_of(k))


def check_header(
    names: Sequence[str], *, where: str, options: ReadOptions, missing_code: str = "column_missing"
) -> None:
    """Refuse a source whose columns are missing, repeated or unknown. Raises `BadSource`."""
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


def check_text(array: pa.Array, *, field: str, where: str) -> pa.Array:
    """A column of text, plain or as a dictionary. Raises `BadSource` for another type, or text that is not UTF-8."""
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
    """True for Arrow types that hold text, or only nulls."""
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(fits(kind) for fits in tests)


def combine(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array from several chunks; if they have dictionaries, with a single one."""
    if isinstance(array, pa.ChunkedArray):
        if array.num_chunks == 1:
            return array.chunk(0)
        if pa.types.is_dictionary(array.type):
            # Without unifying, the dictionaries of the chunks would be written out one by one.
            array = array.unify_dictionaries()
        combined = array.combine_chunks()
        return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined
    return array


def to_mask(array: pa.BooleanArray) -> Bool:
    """Arrow booleans as a numpy array."""
    return np.asarray(array.to_numpy(zero_copy_only=False), np.bool_)
