"""The complete data of a chart as rows of a table; nothing is left out."""

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
    """How many are active from an instant (microseconds) on, and how many arrived and left at it.

    A step that is not `known` lies ahead, and holds if nothing more happens.
    """

    at: int
    active: int
    arrived: int
    asleep: int
    deleted: int
    known: bool


class CycleRow(NamedTuple):
    """The peak of one cycle, and its total where there is a plan. Instants are microseconds."""

    cycle: str
    start: int
    end: int
    peak: int
    peak_at: int | None
    total: Money | None
    is_open: bool


def steps_of(counts: Sequence[tuple[int, int]], movements: Movements, now: int | None) -> tuple[Step, ...]:
    """Every instant at which an identity arrived or left, even where the count did not change.

    Each of `counts` holds until the next; `movements` are all movements after the first of them.
    """
    arrived, asleep, deleted = (
        Counter(at.tolist()) for at in (movements.arrivals, movements.expiries, movements.deletions)
    )
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


def _step(step: Step) -> Row:
    return step._asdict()


def _cycle(row: CycleRow) -> Row:
    return {
        "cycle": row.cycle,
        "cycle_start": row.start,
        "cycle_end": row.end,
        "peak": row.peak,
        "peak_at": row.peak_at,
        "amount": None if row.total is None else row.total.amount,
        "currency": None if row.total is None else row.total.currency,
        "open": row.is_open,
    }
