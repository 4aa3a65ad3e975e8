"""The accepted rows of a whole source, as columns, and what events take from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.digests import Value
from ..core.event import (
    CREATED,
    INSTANT_MAX,
    MANAGED,
    UNSAID,
    VOIDED,
    Batch,
    Bool,
    Columns,
    Details,
    History,
    Names,
    Places,
    concat_arrays,
)
from .rows import to_mask

Index = NDArray[np.intp]


class SourceRows:
    """All accepted rows of a source, in its order, duplicates included; `ids` are their event ids, if any."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.places = Places(batches)
        self.accounts = _concatenate([b.accounts for b in batches], np.int32)
        self.identities = _concatenate([b.identities for b in batches], np.int32)
        self.types = _concatenate([b.types for b in batches], np.int8)
        self.instants = _concatenate([b.instants for b in batches], np.int64)
        self.standard = _concatenate([b.standard for b in batches], np.int8)
        self._batches = batches
        self.ids = self.content("event_id")

    def __len__(self) -> int:
        return self.places.count

    def content(self, field: str) -> Any:
        """An optional column, or None if no part of the source has it."""
        parts = [b.content.get(field) for b in self._batches]
        kind = next((p.type for p in parts if p is not None), None)
        if kind is None:
            return None
        return concat_arrays(
            [pa.nulls(len(b), kind) if p is None else p for p, b in zip(parts, self._batches, strict=True)]
        )

    def columns(self, rows: Bool) -> Columns:
        """Identities, types and instants of these rows."""
        everything = Columns(self.identities, self.types, self.instants)
        return everything if rows.all() else everything.where(rows)

    def history(self, accepted: Bool, happened: Bool, repeated: Index | None) -> History:
        """When events were recorded, which were voided and when, and the rows that repeat one that happened."""
        moments = self.types < CREATED
        column = self.content("recorded_at")
        recorded = None if column is None else column.fill_null(INSTANT_MAX).to_numpy()
        voided = accepted & ~happened & moments
        since = until = np.empty(0, np.int64)
        if recorded is not None and voided.any():
            voids = np.flatnonzero(accepted & (self.types == VOIDED))
            voided_at: dict[tuple[int, str], int] = {}
            for row, target in zip(
                voids.tolist(), self.content("voids").take(pa.array(voids)).to_pylist(), strict=True
            ):
                key = int(self.accounts[row]), target
                voided_at[key] = min(voided_at.get(key, INSTANT_MAX), int(recorded[row]))
            ids = self.ids.filter(pa.array(voided)).to_pylist()
            keys = zip(self.accounts[voided].tolist(), ids, strict=True)
            since = recorded[voided]
            until = np.array([voided_at[key] for key in keys], np.int64)
        return History(
            recorded=None if recorded is None else recorded[happened & moments],
            voided=self.columns(voided if recorded is not None else self._to_mask(np.empty(0, np.intp))),
            voided_since=since,
            voided_until=until,
            repeats=None if repeated is None else self.columns(self._to_mask(repeated) & moments),
        )

    def _to_mask(self, rows: Index) -> Bool:
        mask = np.zeros(len(self), np.bool_)
        mask[rows] = True
        return mask

    def details(self, rows: Bool) -> Details:
        """The action, results and mode of these rows; a column that the source lacks takes no memory."""
        count = int(np.count_nonzero(rows))
        kept = pa.array(rows)
        names = pa.array([], pa.string())
        actions = np.broadcast_to(np.int32(UNSAID), count)
        results = np.broadcast_to(np.int64(UNSAID), count)
        managed: Bool = np.broadcast_to(np.bool_(False), count)
        if (column := self.content("action")) is not None:
            encoded = column.filter(kept).dictionary_encode()
            names, actions = encoded.dictionary, encoded.indices.fill_null(UNSAID).to_numpy()
        if (column := self.content("results")) is not None:
            results = column.filter(kept).fill_null(UNSAID).to_numpy()
        if (column := self.content("mode")) is not None:
            managed = to_mask(pc.equal(column.filter(kept), MANAGED).fill_null(False))
        return Details(names, actions, results, managed)

    def digest_values(self, rows: Bool, names: Names) -> Iterator[tuple[Value, ...]]:
        """The content of these rows, as a digest takes it."""
        first = 0
        for batch in self._batches:
            kept = np.flatnonzero(rows[first : first + len(batch)])
            first += len(batch)
            yield from zip(*(c.to_pylist() for c in batch.take(kept).contents(names)), strict=True)


def _concatenate(arrays: list[Any], kind: type) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(0, kind)
