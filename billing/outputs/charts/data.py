"""The data of a chart as rows of a table: nothing is left out of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from ...core.cycle import text_of
from ...core.money import Money
from .movement import Movements


class Step(NamedTuple):
    """How many were active from an instant (microseconds) on, and who came and went at it.

    What is not `known` is what comes if nothing more happens.
    """

    at: int
    active: int
    arrived: int
    asleep: int
    deleted: int
    known: bool

    def as_json(self) -> dict[str, Any]:
        """The same as programs read it."""
        return self._asdict() | {"at": text_of(self.at)}


class CycleRow(NamedTuple):
    """The peak of one cycle, and what it came to where there is a plan. Instants are microseconds."""

    cycle: str
    start: int
    end: int
    peak: int
    peak_at: int | None
    total: Money | None
    is_open: bool

    def as_json(self) -> dict[str, Any]:
        """The same as programs read it."""
        return {
            "cycle": self.cycle,
            "cycle_start": text_of(self.start),
            "cycle_end": text_of(self.end),
            "peak": self.peak,
            "peak_at": None if self.peak_at is None else text_of(self.peak_at),
            "amount": None if self.total is None else f"{self.total.amount:f}",
            "currency": None if self.total is None else self.total.currency,
            "open": self.is_open,
        }


def steps_of(counts: Sequence[tuple[int, int]], moved: Movements, now: int | None) -> tuple[Step, ...]:
    """Every instant at which somebody came or went, also where the count stayed as it was.

    `counts` hold until the next; `moved` are all movements after the first of them.
    """
    arrived, asleep, deleted = (Counter(at.tolist()) for at in (moved.arrivals, moved.expiries, moved.deletions))
    active = dict(counts)
    rows: list[Step] = []
    for at in sorted({*active, *arrived, *asleep, *deleted}):
        count = active[at] if at in active else rows[-1].active
        rows.append(Step(at, count, arrived[at], asleep[at], deleted[at], now is None or at < now))
    return tuple(rows)


def table_of(rows: Sequence[Step] | Sequence[CycleRow]) -> pa.Table:
    """Rows as columns, as Python gives them to people."""
    names = rows[0]._fields
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    if "total" in columns:
        totals = columns.pop("total")
        columns["amount"] = [None if total is None else total.amount for total in totals]
        columns["currency"] = [None if total is None else total.currency for total in totals]
    arrays = {
        _NAMES.get(name, name): _instants(column) if name in _INSTANTS else pa.array(column)
        for name, column in columns.items()
    }
    return pa.table(arrays)


_INSTANTS = ("at", "start", "end", "peak_at")
_NAMES = {"start": "cycle_start", "end": "cycle_end", "is_open": "open"}


def _instants(values: Sequence[int | None]) -> pa.Array:
    return pa.array(values, pa.int64()).cast(pa.timestamp("us", "UTC"))
