"""The events of a source as they were told: nothing settled, nothing left out, in the order of the source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ... import engine
from ...core.cycle import text_of
from ...core.event import CONTENT, CREATED, Batch, Int64
from ...engine import event_files
from ...inputs import source as sources
from ...inputs.rows import ReadOptions
from ...ledger.ledger import Ledger
from ..definition import Event

#: Where the fields of the definition's events stand among all that an event says.
_READ = [CONTENT.index(field.name) for field in fields(Event)]
_INSTANT = pa.timestamp("us", "UTC")
_SCHEMA = {
    field.name: pa.int64() if field.name in ("occurred_at", "results") else pa.string() for field in fields(Event)
}
#: What few events tell: columns of it are there only where one does.
_SELDOM = ("action", "results", "mode")


class Told:
    """All events of a source by account. Raises `BadSource` for one that cannot be used."""

    def __init__(self, source: Any, options: ReadOptions) -> None:
        if isinstance(source, Ledger):
            entries = source.entries(until=engine.position_of(source, options))
            source, options = (
                pa.Table.from_batches(map(event_files.batch_of, entries), event_files.SCHEMA),
                ReadOptions(),
            )
        encoder, batches = sources.read_batches(source, options)
        self._batch = Batch.concat(batches)
        self._names = encoder.names(np.zeros(encoder.identity_count, np.bool_))
        order = np.argsort(self._batch.accounts, kind="stable")
        places = np.flatnonzero(np.diff(self._batch.accounts[order])) + 1
        names = self._names.account_names
        groups = np.split(order, places) if len(order) else []
        self._rows = {names[self._batch.accounts[rows[0]]]: rows for rows in groups}

    def __len__(self) -> int:
        return len(self._batch)

    @property
    def accounts(self) -> dict[str, int]:
        """Each account, and how many events it has."""
        return {account: len(rows) for account, rows in sorted(self._rows.items())}

    def events(self, account: str, *, as_of: int | None = None) -> list[Event]:
        """The events of an account; with `as_of`, of those that have a moment only those before it."""
        rows = self._rows[account]
        if as_of is not None:
            rows = rows[(self._batch.instants[rows] < as_of) | (self._batch.types[rows] >= CREATED)]
        return self._at(rows)

    def between(self, account: str, start: int, end: int) -> list[Event]:
        """The events of an account from `start` to `end`, and its types and voids, which are timeless.

        Of several with one id only the first is there: it may stand outside, and still is the one that stays.
        """
        rows = self._firsts(account)
        instants = self._batch.instants[rows]
        return self._at(rows[((start <= instants) & (instants <= end)) | (self._batch.types[rows] >= CREATED)])

    def instants(self, account: str, start: int, end: int) -> Int64:
        """When something happened to an account in `[start, end)`, in order (microseconds)."""
        instants = self._batch.instants[self._rows[account]]
        return np.unique(instants[(start <= instants) & (instants < end)])

    def _firsts(self, account: str) -> NDArray[np.intp]:
        rows = self._rows[account]
        if "event_id" not in self._batch.content:
            return rows
        codes = self._batch.content["event_id"].take(pa.array(rows)).dictionary_encode().indices
        unnamed = codes.is_null().to_numpy(zero_copy_only=False)
        first = np.zeros(len(rows), np.bool_)
        first[np.unique(codes.fill_null(-1).to_numpy(), return_index=True)[1]] = True
        kept: NDArray[np.intp] = rows[first | unnamed]
        return kept

    def _at(self, rows: NDArray[np.intp]) -> list[Event]:
        columns = self._batch.take(rows).contents(self._names)
        return list(map(event_of, zip(*(column.to_pylist() for column in columns), strict=True)))


def table(events: Iterable[Event], *, ids: bool = True) -> pa.Table:
    """Events as a table, in their order; without `ids`, without event ids."""
    rows = list(events)
    columns = {name: pa.array([getattr(e, name) for e in rows], kind) for name, kind in _SCHEMA.items()}
    columns["occurred_at"] = columns["occurred_at"].cast(_INSTANT)
    if not ids:
        del columns["event_id"]
    for name in _SELDOM:
        if columns[name].null_count == len(rows):
            del columns[name]
    return pa.table(columns)


def event_of(content: tuple[Any, ...]) -> Event:
    """An event as the definition reads it, out of all that it says, in the order of `CONTENT`."""
    return Event(*(content[k] for k in _READ))


def bare(event: Event) -> Event:
    """An event without what it called, which changes nothing about who is active."""
    return replace(event, action=None, results=None, mode=None)


def written(event: Event) -> dict[str, Any]:
    """An event as programs read it; what it called, where it tells."""
    return {
        name: text_of(value) if name == "occurred_at" else value
        for name, value in vars(event).items()
        if value is not None or name not in _SELDOM
    }
