"""Sources of events: a path, a folder, a glob, `-` for standard input, or a table of another library."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from ..core.errors import Refused, Rejection
from ..core.event import CREATED, Batch, Bool, Columns, Events, Int64, Names, Places, Tally
from . import parquet
from .deduplicate import deduplicate, deduplicate_rows
from .encoder import Encoder
from .identity_types import IdentityTypes, reject_type
from .prefetch import prefetch
from .readers import find_files, read_raw
from .rows import RawRows, ReadOptions

#: At least so many parts of a source, and so many rows, are encoded together.
_PARTS_TOGETHER: Final = 4
_ROWS_TOGETHER: Final = 500_000


def read(source: Any, options: ReadOptions | None = None) -> Events:
    """The events of a source, without duplicates. Raises `BadSource`, or `Refused` if strict."""
    options = options or ReadOptions()
    encoder, batches = read_batches(source, options)
    events = deduplicate(batches, encoder, options)
    _refuse_if_strict(events.rejections, options)
    return events


def read_batches(source: Any, options: ReadOptions) -> tuple[Encoder, list[Batch]]:
    """The rows of a source that can be accepted, duplicates included, and their encoder. Raises as `read` does."""
    encoder = Encoder(known_at=options.known_at)
    return encoder, list(_encode(source, encoder, options))


def read_rows(source: Any, options: ReadOptions, encoder: Encoder) -> tuple[Events, Batch, Bool]:
    """The events of a source, its accepted rows, and which of these happened, in codes shared by several sources.

    Raises as `read` does.
    """
    encoder.begin(known_at=options.known_at)
    events, rows, happened = deduplicate_rows(list(_encode(source, encoder, options)), encoder)
    _refuse_if_strict(events.rejections, options)
    return events, rows, happened


def _encode(source: Any, encoder: Encoder, options: ReadOptions) -> Iterator[Batch]:
    for parts in _group(read_raw(source, options)):
        for batch in encoder.encode(parts):
            _refuse_if_strict(encoder.rejections, options)
            yield batch


def _group(rows: Iterator[RawRows]) -> Iterator[list[RawRows]]:
    """Parts to encode together: a few, and more of them where they are small."""
    parts: list[RawRows] = []
    waiting = 0
    for part in rows:
        parts.append(part)
        waiting += part.length
        if len(parts) >= _PARTS_TOGETHER and waiting >= _ROWS_TOGETHER:
            yield parts
            parts, waiting = [], 0
    yield parts


def _refuse_if_strict(rejections: Sequence[Rejection], options: ReadOptions) -> None:
    if options.strict and rejections:
        raise Refused(rejections[0])


def streams(source: Any) -> bool:
    """True for Parquet files without event ids: nothing to deduplicate, so batches can be used as they are read."""
    if not isinstance(source, str | os.PathLike) or os.fspath(source) == "-":
        return False
    files = find_files(os.fspath(source))
    return all(f.kind == "parquet" and _can_stream(parquet.read_column_names(f.path)) for f in files)


def _can_stream(columns: list[str]) -> bool:
    return "event_id" not in columns and "occurred_at" in columns


def may_be_in_order(source: str) -> bool:
    """False if the statistics of a source that `streams` show that it is not in order of time."""
    return parquet.may_be_in_order([f.path for f in find_files(os.fspath(source))])


class Stream:
    """The events of a source, batch by batch; none are kept.

    Only for a source that `streams`. Iterate once; then `names`, `accepted`, `tally` and `rejections` are
    those of the whole source.
    """

    def __init__(self, source: Any, options: ReadOptions) -> None:
        self._encoder = Encoder(known_at=options.known_at)
        self._source = source
        self._options = options
        self._types = IdentityTypes()
        self._conflicts: list[Rejection] = []
        self._refused: list[int] = []  # their accounts; the encoder's own counts belong to its thread

    def __iter__(self) -> Iterator[Columns]:
        """Connects, actions and deletions, as they are read."""
        places = Places()
        for batch in prefetch(_encode(self._source, self._encoder, self._options)):
            first = places.add(batch)
            columns = Columns(batch.identities, batch.types, batch.instants)
            timeless = batch.types >= CREATED
            if timeless.any():
                columns = columns.where(~timeless)
                created = (batch.types == CREATED).nonzero()[0]
                for row, before in self._types.learn(
                    batch.identities[created], batch.standard[created], created + first
                ):
                    k = row - first
                    self._refused.append(int(batch.accounts[k]))
                    name = self._encoder.identity_name(int(batch.identities[k]))
                    self._conflicts.append(reject_type(places, row, before, name, int(batch.standard[k])))
            yield columns
        _refuse_if_strict(self.rejections, self._options)

    @property
    def names(self) -> Names:
        """The names behind the codes known so far."""
        return self._encoder.names(self._types.find_standard(self._encoder.identity_count))

    @property
    def accepted(self) -> Int64:
        """How many rows of each account were accepted."""
        counts = self._encoder.accepted
        return counts - np.bincount(np.array(self._refused, np.int64), minlength=len(counts))

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """The rows that could not be accepted."""
        return (*self._encoder.rejections, *self._conflicts)

    @property
    def tally(self) -> Tally:
        """How many rows were received, accepted and rejected."""
        return Tally(self._encoder.received, int(self.accepted.sum()), 0, len(self.rejections))
