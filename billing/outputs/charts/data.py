"""The data of a chart as rows of a table: nothing is left out of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from ...core.money import Money
from ..tables.schema import Column, Row, Schema, View, boolean, code, cycle_columns, instant, integer, money
from .movement import Movements

STEPS: Final = Schema(
    "steps of a cycle",
    (
        Column("at", instant),
        Column("active", integer),
        Column("arrived", integer),
        Column("asleep", integer),
        Column("deleted", integer),
        Column("known", boolean),
    ),
)
CYCLES: Final = Schema(
    "cycles of a chart",
    (
        *cycle_columns(),
        Column("peak", integer),
        Column("peak_at", instant, null=True),
        Column("amount", money, null=True),
        Column("currency", code, null=True),
        Column("open", boolean),
    ),
)


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


class CycleRow(NamedTuple):
    """The peak of one cycle, and what it came to where there is a plan. Instants are microseconds."""

    cycle: str
    start: int
    end: int
    peak: int
    peak_at: int | None
    total: Money | None
    is_open: bool


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


def view(rows: Sequence[Step] | Sequence[CycleRow]) -> View:
    """The table of a chart: the steps of a cycle, or the cycles of a year."""
    schema = STEPS if isinstance(rows[0], Step) else CYCLES
    return View(schema, [_step(row) if isinstance(row, Step) else _cycle(row) for row in rows])


def _step(of: Step) -> Row:
    return of._asdict()


def _cycle(of: CycleRow) -> Row:
    return {
        "cycle": of.cycle,
        "cycle_start": of.start,
        "cycle_end": of.end,
        "peak": of.peak,
        "peak_at": of.peak_at,
        "amount": None if of.total is None else of.total.amount,
        "currency": None if of.total is None else of.total.currency,
        "open": of.is_open,
    }
