"""Comparisons and break-even points for people on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.table import Table
from rich.text import Text

from ...comparison.bills import AccountRow, BilledUnder, Comparison, Overall
from ...comparison.break_even import BreakEven, PlanRange
from ...core.plan import QUANTITY_MAX
from ...core.totals import PricePoint, PriceSteps
from .layout import columns, money, signed, span_of

#: How many rows are shown of what may be many.
_SHOWN = 20


def comparison_tables(
    under: Sequence[BilledUnder], comparisons: Sequence[Comparison], bills: bool
) -> Iterator[Table | Text]:
    """The totals under each of the terms, who gains and who pays, and where more would have cost less."""
    yield _overall_table(comparisons)
    for of in comparisons:
        yield from map(Text, _sentences(of))
    yield _accounts_table(comparisons)
    if bills:
        yield _bills_table(under)
    yield from _cheaper(under)


def _overall_table(comparisons: Sequence[Comparison]) -> Table:
    table = columns("Under", "Now>", "Then>", "Difference>", "%>", "Gain>", "Pay more>", "Same>")
    for of in comparisons:
        for each in of.overall:
            d = each.difference
            counts = [f"{count:,}" for count in (each.gain, each.pay, each.same)]
            table.add_row(of.name, money(d.now), money(d.other), signed(d.amount), _percent(d.percent), *counts)
    return table


def _sentences(of: Comparison) -> Iterator[str]:
    for each in of.overall:
        yield f"{of.name}: {_gains(each)}"
    if of.currency_changed:
        some = "1 account" if len(of.currency_changed) == 1 else f"{len(of.currency_changed):,} accounts"
        yield f"{of.name}: {some} would be billed in another currency; what cannot be subtracted is in no sum above."
    if of.realigned:
        some = "1 account has" if len(of.realigned) == 1 else f"{len(of.realigned):,} accounts have"
        yield (
            f"{of.name}: {some} other cycles, so totals are compared, of all cycles that begin in the time "
            "asked for. Prices are per cycle, however long it is."
        )


def _gains(of: Overall) -> str:
    if of.most_gained is None and of.most_paid is None:
        return "nobody's total changes."
    parts = []
    if of.most_gained is not None:
        parts.append(f"{of.most_gained[0]} gains most, {money(-of.most_gained[1])}")
    if of.most_paid is not None:
        parts.append(f"{of.most_paid[0]} pays most, {money(of.most_paid[1])} more")
    return f"{'; '.join(parts)}."


def _accounts_table(comparisons: Sequence[Comparison]) -> Table:
    table = columns("Account", "Under", "Now>", "Then>", "Difference>", "%>", "Cycles>")
    rows = sorted(
        ((row.account_id, k, of.name, row) for k, of in enumerate(comparisons) for row in of.accounts),
        key=lambda each: each[:2],
    )
    previous = None
    for account_id, _, name, row in rows:
        if previous not in (None, account_id) and len(comparisons) > 1:
            table.add_section()
        cycles = f"{row.cycles:,}" if row.cycles == row.other_cycles else f"{row.cycles:,} > {row.other_cycles:,}"
        for cells in _amounts(row):
            table.add_row("" if previous == account_id else account_id, name, *cells, cycles)
        previous = account_id
    return table


def _amounts(row: AccountRow) -> Iterator[list[str]]:
    for d in row.differences:
        yield [money(d.now), money(d.other), signed(d.amount), _percent(d.percent)]
    if not row.differences:
        yield [" + ".join(map(money, row.now)), " + ".join(map(money, row.other)), "–", "–"]


def _bills_table(under: Sequence[BilledUnder]) -> Table:
    """Every bill, and the nearest peaks that change it."""
    table = columns("Account", "Cycle", "Under", "Peak>", "Total>", "With fewer", "With more")
    rows = sorted(
        ((bill.draft.account_id, bill.draft.cycle, k, bill) for k, of in enumerate(under) for bill in of.bills),
        key=lambda each: each[:3],
    )
    previous: object = None
    for account_id, cycle, k, bill in rows:
        named = ["", ""] if previous == (account_id, cycle) else [account_id, span_of(cycle)]
        near = bill.near
        cells = [f"{bill.draft.peak:,}", money(bill.draft.total), _at(near.lower, near), _at(near.higher, near)]
        table.add_row(*named, under[k].name, *cells)
        previous = (account_id, cycle)
    return table


def _at(at: PricePoint | None, near: PriceSteps) -> str:
    return "–" if at is None else f"{at.quantity - near.at.quantity:+,}: {money(at.total)}"


def _cheaper(under: Sequence[BilledUnder]) -> Iterator[Table | Text]:
    """The bills that a higher peak would have made smaller."""
    rows = [(of.name, bill) for of in under for bill in of.cheaper]
    if not rows:
        yield Text("Under none of the terms would a higher peak have cost less.")
        return
    table = columns("A higher peak costs less", "Cycle", "Under", "Peak>", "Total>", "With more>", "Saves>")
    for name, bill in rows[:_SHOWN]:
        drafted, near = bill.draft, bill.near
        assert near.cheaper is not None, "only such bills are listed"
        table.add_row(
            drafted.account_id, span_of(drafted.cycle), name, f"{drafted.peak:,}", money(drafted.total),
            _at(near.cheaper, near), money(drafted.total + -near.cheaper.total),
        )  # fmt: skip
    yield table
    if len(rows) > _SHOWN:
        yield Text(f"... and {len(rows) - _SHOWN:,} more such bills; --format json has all of them.")


def break_even_tables(of: BreakEven) -> Iterator[Table | Text]:
    """Which plan is the cheapest for how many, and what all of them cost from there on."""
    table = columns("Quantities", "Cheapest", *(f"{name}, from there>" for name in of.plans))
    for stretch in of.ranges[:_SHOWN]:
        totals = ["–" if total is None else money(total) for total in stretch.totals]
        table.add_row(_range(stretch), _cheapest(stretch), *totals)
    yield table
    if len(of.ranges) > _SHOWN:
        yield Text(f"... and {len(of.ranges) - _SHOWN:,} more ranges; --format json has all of them.")


def _range(of: PlanRange) -> str:
    if of.last == QUANTITY_MAX:
        return f"{of.first:,} or more"
    return f"{of.first:,}" if of.first == of.last else f"{of.first:,} to {of.last:,}"


def _cheapest(of: PlanRange) -> str:
    if not of.cheapest:
        return "none has a price"
    if not of.in_turn:
        return " = ".join(of.cheapest)
    turns = f"in turn, again every {of.every:,}" if of.every else "in turn"
    return f"{' or '.join(of.cheapest)}, {turns}"


def _percent(of: Decimal | None) -> str:
    return "–" if of is None else f"{of:+,f}" if of else f"{of:f}"
