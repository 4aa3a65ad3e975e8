"""The raw events of a source, in its order: repeats, conflicts and voids included."""

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

#: The positions of the fields of the definition's events in `CONTENT`.
_POSITIONS = [CONTENT.index(field.name) for field in fields(Event)]
_INSTANT = pa.timestamp("us", "UTC")
_SCHEMA = {
    field.name: pa.int64() if field.name in ("occurred_at", "results") else pa.string() for field in fields(Event)
}
#: Fields that few events have: their columns are left out where none has.
_RARE = ("action", "results", "mode")


class SourceEvents:
    """All events of a source, by account. Raises `BadSource` for a source that cannot be used."""

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
        bounds = np.flatnonzero(np.diff(self._batch.accounts[order])) + 1
        names = self._names.account_names
        groups = np.split(order, bounds) if len(order) else []
        self._rows = {names[self._batch.accounts[rows[0]]]: rows for rows in groups}

    def __len__(self) -> int:
        return len(self._batch)

    @property
    def accounts(self) -> dict[str, int]:
        """How many events each account has."""
        return {account: len(rows) for account, rows in sorted(self._rows.items())}

    def events(self, account: str, *, as_of: int | None = None) -> list[Event]:
        """The events of an account. With `as_of`, connects, actions and deletions from then on are left out."""
        rows = self._rows[account]
        if as_of is not None:
            rows = rows[(self._batch.instants[rows] < as_of) | (self._batch.types[rows] >= CREATED)]
        return self._at(rows)

    def between(self, account: str, start: int, end: int) -> list[Event]:
        """The events of an account from `start` to `end`, and all its creations and voids.

        Of several events with one id only the first counts, so the others are left out even where the
        first lies outside of the span.
        """
        rows = self._firsts(account)
        instants = self._batch.instants[rows]
        return self._at(rows[((start <= instants) & (instants <= end)) | (self._batch.types[rows] >= CREATED)])

    def instants(self, account: str, start: int, end: int) -> Int64:
        """The instants of an account's events in `[start, end)`, sorted, each once (microseconds)."""
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
    """Events as a table, in their order; without `ids`, the column of event ids is left out."""
    rows = list(events)
    columns = {name: pa.array([getattr(e, name) for e in rows], kind) for name, kind in _SCHEMA.items()}
    columns["occurred_at"] = columns["occurred_at"].cast(_INSTANT)
    if not ids:
        del columns["event_id"]
    for name in _RARE:
        if columns[name].null_count == len(rows):
            del columns[name]
    return pa.table(columns)


def event_of(content: tuple[Any, ...]) -> Event:
    """The definition's event from an event's fields in the order of `CONTENT`."""
    return Event(*(content[k] for k in _POSITIONS))


def without_call(event: Event) -> Event:
    """An event without its action, results and mode, which do not matter to who is active."""
    return replace(event, action=None, results=None, mode=None)


def event_content(event: Event) -> dict[str, Any]:
    """An event as JSON; action, results and mode only where it has them."""
    return {
        name: text_of(value) if name == "occurred_at" else value
        for name, value in vars(event).items()
        if value is not None or name not in _RARE
    }
