"""Which events of two sources move a bill, for people on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from rich.table import Table
from rich.text import Text

from ...core.cycle import Cycle
from ...reconciliation.effects import Alignment, CycleTotal, PeakAndAmount
from ...reconciliation.event_diff import Difference
from .layout import add_totals, columns, signed, span_of, when


def alignment_tables(of: Alignment) -> Iterator[Table | Text]:
    """The events that move a bill, those that do so only together, and the figures of the cycles."""
    if of.effects:
        yield Text("Events that move a bill", style="bold")
        table = _moves_table(priced := any(effect.ours.amount for effect in of.effects), "Way")
        for effect in of.effects:
            table.add_row(*_move(effect.difference, effect.cycle, effect.moves, priced), effect.adopted)
        yield table
    for group in of.together:
        yield Text("Events that move a bill only together", style="bold")
        table = _moves_table(priced := group.before.amount is not None)
        for difference in group.differences:
            table.add_row(*_move(difference, group.cycle, (group.before, group.after), priced))
        yield table
    if moved := [each for each in of.totals if each.ours != each.theirs]:
        yield Text("Figures of the cycles", style="bold")
        yield _totals_table(moved)


def _moves_table(priced: bool, *more: str) -> Table:
    amount = ("Amount>", "Change>") if priced else ()
    return columns("Account", "Event", "Identity", "What", "How it differs", "Occurred (UTC)", "Cycle", "Peak>",
                  *amount, *more)  # fmt: skip


def _move(of: Difference, cycle: Cycle, moves: tuple[PeakAndAmount, PeakAndAmount], priced: bool) -> list[str]:
    event, (before, after) = of.event, moves
    cells = [
        event.account_id,
        event.event_id or "–",
        event.identity_id,
        event.type,
        _how(of),
        when(event.occurred_at),
        cycle.name,
        f"{before.peak:,} → {after.peak:,}",
    ]
    return cells + _amounts(before, after) if priced else cells


def _how(of: Difference) -> str:
    """How an event differs, with the value of theirs."""
    if of.kind == "shifted":
        return f"shifted by {_shift(of.shift)}"
    if of.kind == "renamed" and of.theirs is not None:
        return f"renamed {of.theirs.event_id}"
    if of.kind == "conflicting" and of.field is not None:
        theirs = getattr(of.theirs, of.field)
        return f"conflicting: {of.field} {when(theirs) if of.field == 'occurred_at' else theirs}"
    return of.kind


def _amounts(before: PeakAndAmount, after: PeakAndAmount) -> list[str]:
    """Both amounts, and the difference of the two; nothing for an account that has no plan."""
    if before.amount is None or after.amount is None:
        return ["–", "–"]
    change = after.amount + -before.amount
    return [f"{before.amount.amount:,f} → {after.amount.amount:,f}", signed(change)]


def _totals_table(totals: Sequence[CycleTotal]) -> Table:
    priced = any(each.ours.amount for each in totals)
    table = columns("Account", "Cycle", "Peak>", *(("Amount>", "Change>") if priced else ()))
    previous = None
    changes = []
    for each in totals:
        if previous is not None and each.account_id != previous:
            table.add_section()
        cells = ["" if each.account_id == previous else each.account_id, span_of(each.cycle)]
        cells.append(f"{each.ours.peak:,} → {each.theirs.peak:,}")
        table.add_row(*cells, *(_amounts(each.ours, each.theirs) if priced else ()))
        if each.ours.amount is not None and each.theirs.amount is not None:
            changes.append(each.theirs.amount + -each.ours.amount)
        previous = each.account_id
    add_totals(table, changes, blanks=3, shown=signed)
    return table


def _shift(microseconds: int) -> str:
    """How much later, as +1:30:00; earlier with a minus."""
    return f"{'-' if microseconds < 0 else '+'}{timedelta(microseconds=abs(microseconds))}"
