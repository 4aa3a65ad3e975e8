"""Sheets of charts: a drawing of a cycle or a year, its description, and its complete data as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from ...core.money import by_currency
from ..charts.data import CycleRow, Step
from ..charts.figure import Amount, Band, Bar, Curve, Year
from ..charts.thinning import tiers_in_range
from .cycle_curve import CURVE_TITLE, instant_text
from .locale import LocaleFormat
from .sheet import Cell, Drawing, Fact, Section, Sheet, Table


def cycle_sheet(
    account_id: str,
    name: str,
    figure: Curve,
    description: str,
    rows: Sequence[Step],
    fmt: LocaleFormat,
    last: int | None,
) -> Sheet:
    """The sheet of a cycle's chart; `last` is the last event, if the cycle counts as open because of it."""
    is_open = figure.now is not None
    title = f"Active engagement identities, cycle {name}"
    facts = [
        Fact("Billing cycle", Cell(name, beside=fmt.timezone)),
        Fact("First reached", fmt.instant(figure.peak_at)),
        Fact("From", fmt.instant(figure.start)),
        Fact("Until, exclusive", fmt.instant(figure.end)),
    ]
    if last is not None:
        facts.append(Fact("Last event", fmt.instant(last)))
    elif figure.now is not None:
        facts.append(Fact("Counted until, exclusive", fmt.instant(figure.now.at)))
    tables = [_steps(rows, is_open, fmt)]
    if figure.tiers:
        tables.append(_tiers(figure, fmt))
    if figure.fan:
        tables.append(_fan(figure.fan, fmt))
    return Sheet(
        title=title,
        draft=False,
        account_id=account_id,
        total=(Fact("Peak so far" if is_open else "Peak", fmt.number(figure.peak.at)),),
        notice="",
        facts=tuple(facts),
        sections=(Section("The cycle", drawing=Drawing(CURVE_TITLE, description, figure), tables=tuple(tables)),),
        dated=figure.end,
    )


def _steps(rows: Sequence[Step], is_open: bool, fmt: LocaleFormat) -> Table:
    columns = ("From", "Active", "Arrived", "Became inactive", "Deleted")
    known = {True: Cell("known"), False: Cell("if nothing more happens")}
    return Table(
        f"All {len(rows):,} steps of the curve",
        (*columns, "How it is known") if is_open else columns,
        tuple(
            (
                fmt.instant(row.at),
                *(fmt.number(count) for count in (row.active, row.arrived, row.asleep, row.deleted)),
                *([known[row.known]] if is_open else []),
            )
            for row in rows
        ),
        numeric=(1, 2, 3, 4),
        folded=True,
    )


def _tiers(figure: Curve, fmt: LocaleFormat) -> Table:
    """All tiers, including those too far from the curve to be drawn."""
    drawn = tiers_in_range(figure.tiers, figure.peak.at)
    rows = tuple(
        (fmt.number(tier.at), Cell(tier.label), Cell("yes" if tier in drawn else "no")) for tier in figure.tiers
    )
    return Table("Where prices end", ("Identities", "Tier", "Drawn"), rows, folded=True)


def _fan(fan: Sequence[Band], fmt: LocaleFormat) -> Table:
    columns = ("By", "Median", "50 % from", "to", "80 % from", "to", "95 % from", "to")
    rows = tuple((fmt.instant(band.at), *(fmt.number(round(bound)) for bound in band[1:])) for band in fan)
    return Table("What the peak may reach", columns, rows, numeric=(1, 2, 3, 4, 5, 6, 7), folded=True)


def year_figure(rows: Sequence[CycleRow], fmt: LocaleFormat) -> Year:
    """The figure of several cycles."""
    return Year(tuple(_bars(rows, fmt)))


def _bars(rows: Sequence[CycleRow], fmt: LocaleFormat) -> Iterator[Bar]:
    for row in rows:
        amount = None
        if row.total is not None:
            exact, currency = row.total.amount, row.total.currency
            amount = Amount(exact, fmt.money(exact, currency).text, currency)
        month = date.fromisoformat(f"{row.cycle}-01")
        yield Bar(fmt.month(month), row.cycle[:4], row.peak, fmt.number(row.peak).text, amount, row.is_open)


def describe_year(rows: Sequence[CycleRow], fmt: LocaleFormat) -> str:
    """Describe the chart of several cycles, in a sentence or two."""
    highest = max(rows, key=lambda row: row.peak)  # the first of them
    reached = "" if highest.peak_at is None else f", first reached at {instant_text(fmt.instant(highest.peak_at))}"
    description = (
        f"The peak of each cycle from {rows[0].cycle} to {rows[-1].cycle}; the highest was "
        f"{fmt.number(highest.peak).text}, in {highest.cycle}{reached}."
    )
    if totals := by_currency(row.total for row in rows if row.total is not None):
        amounts = " and ".join(fmt.money(total.amount, total.currency).text for total in totals)
        description += f" Together they total {amounts}{' so far' if rows[-1].is_open else ''}."
    if is_open := [row.cycle for row in rows if row.is_open]:
        which = f"{is_open[0]} is" if len(is_open) == 1 else f"Those from {is_open[0]} on are"
        description += f" {which} not over, and drawn in outline."
    return description


def year_sheet(account_id: str, figure: Year, description: str, rows: Sequence[CycleRow], fmt: LocaleFormat) -> Sheet:
    """The sheet of a year's chart."""
    first, last = rows[0].cycle, rows[-1].cycle
    title = f"Peaks and amounts, {first} to {last}" if rows[0].total else f"Peaks, {first} to {last}"
    highest = max(rows, key=lambda row: row.peak)
    return Sheet(
        title=title,
        draft=False,
        account_id=account_id,
        total=(Fact("Highest peak", fmt.number(highest.peak)),),
        notice="",
        facts=(Fact("Billing cycles", fmt.number(len(rows))), Fact("Time zone", Cell(fmt.timezone))),
        sections=(Section("The cycles", drawing=Drawing(title, description, figure), tables=(_cycles(rows, fmt),)),),
        dated=rows[-1].end,
    )


def _cycles(rows: Sequence[CycleRow], fmt: LocaleFormat) -> Table:
    def amount(row: CycleRow) -> Cell:
        return Cell("–") if row.total is None else fmt.money(row.total.amount, row.total.currency)

    return Table(
        f"All {len(rows):,} cycles",
        ("Cycle", "From", "Peak", "First reached", "Amount", ""),
        tuple(
            (Cell(row.cycle), fmt.instant(row.start), fmt.number(row.peak), fmt.instant(row.peak_at), amount(row),
             Cell("open" if row.is_open else "over"))
            for row in rows
        ),
        numeric=(2, 4),
        folded=True,
    )  # fmt: skip
