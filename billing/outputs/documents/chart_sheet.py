"""Sheets of charts: a picture of a cycle or of a year, what it shows in words, and all of its data as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from ...core.money import by_currency
from ..charts.data import CycleRow, Step
from ..charts.figure import Amount, Band, Bar, Curve, Year
from ..charts.thinning import tiers_in_range
from .cycle_curve import CURVE_TITLE, plainly
from .locale import LocaleFormat
from .sheet import Cell, Drawing, Fact, Section, Sheet, Table


def cycle_sheet(
    account_id: str, name: str, figure: Curve, words: str, rows: Sequence[Step], show: LocaleFormat, last: int | None
) -> Sheet:
    """What the page of a cycle's chart shows; `last` is the last event, where that makes the cycle an open one."""
    is_open = figure.now is not None
    title = f"Active engagement identities, cycle {name}"
    facts = [
        Fact("Billing cycle", Cell(name, beside=show.timezone)),
        Fact("First reached", show.instant(figure.peak_at)),
        Fact("From", show.instant(figure.start)),
        Fact("Until, exclusive", show.instant(figure.end)),
    ]
    if last is not None:
        facts.append(Fact("Last event", show.instant(last)))
    elif figure.now is not None:
        facts.append(Fact("Counted until, exclusive", show.instant(figure.now.at)))
    tables = [_steps(rows, is_open, show)]
    if figure.tiers:
        tables.append(_tiers(figure, show))
    if figure.fan:
        tables.append(_fan(figure.fan, show))
    return Sheet(
        title=title,
        draft=False,
        account_id=account_id,
        total=(Fact("Peak so far" if is_open else "Peak", show.number(figure.peak.at)),),
        notice="",
        facts=tuple(facts),
        sections=(Section("The cycle", drawing=Drawing(CURVE_TITLE, words, figure), tables=tuple(tables)),),
        dated=figure.end,
    )


def _steps(rows: Sequence[Step], is_open: bool, show: LocaleFormat) -> Table:
    columns = ("From", "Active", "Arrived", "Became inactive", "Deleted")
    known = {True: Cell("known"), False: Cell("if nothing more happens")}
    return Table(
        f"All {len(rows):,} steps of the curve",
        (*columns, "How it is known") if is_open else columns,
        tuple(
            (
                show.instant(row.at),
                *(show.number(count) for count in (row.active, row.arrived, row.asleep, row.deleted)),
                *([known[row.known]] if is_open else []),
            )
            for row in rows
        ),
        numeric=(1, 2, 3, 4),
        folded=True,
    )


def _tiers(figure: Curve, show: LocaleFormat) -> Table:
    """All tiers, since those far from the curve are not drawn."""
    drawn = tiers_in_range(figure.tiers, figure.peak.at)
    rows = tuple(
        (show.number(tier.at), Cell(tier.words), Cell("yes" if tier in drawn else "no")) for tier in figure.tiers
    )
    return Table("Where prices end", ("Identities", "Tier", "Drawn"), rows, folded=True)


def _fan(fan: Sequence[Band], show: LocaleFormat) -> Table:
    columns = ("By", "Median", "50 % from", "to", "80 % from", "to", "95 % from", "to")
    rows = tuple((show.instant(band.at), *(show.number(round(bound)) for bound in band[1:])) for band in fan)
    return Table("What the peak may come to", columns, rows, numeric=(1, 2, 3, 4, 5, 6, 7), folded=True)


def year(rows: Sequence[CycleRow], show: LocaleFormat) -> Year:
    """What a chart shows of some cycles."""
    return Year(tuple(_bars(rows, show)))


def _bars(rows: Sequence[CycleRow], show: LocaleFormat) -> Iterator[Bar]:
    for row in rows:
        amount = None
        if row.total is not None:
            exact, currency = row.total.amount, row.total.currency
            amount = Amount(exact, show.money(exact, currency).text, currency)
        month = date.fromisoformat(f"{row.cycle}-01")
        yield Bar(show.month(month), row.cycle[:4], row.peak, show.number(row.peak).text, amount, row.is_open)


def year_words(rows: Sequence[CycleRow], show: LocaleFormat) -> str:
    """What a chart of some cycles shows, in a sentence or two."""
    highest = max(rows, key=lambda row: row.peak)  # the first of them
    reached = "" if highest.peak_at is None else f", first reached at {plainly(show.instant(highest.peak_at))}"
    words = (
        f"The peak of each cycle from {rows[0].cycle} to {rows[-1].cycle}; the highest was "
        f"{show.number(highest.peak).text}, in {highest.cycle}{reached}."
    )
    if totals := by_currency(row.total for row in rows if row.total is not None):
        said = " and ".join(show.money(total.amount, total.currency).text for total in totals)
        words += f" Together they come to {said}{' so far' if rows[-1].is_open else ''}."
    if is_open := [row.cycle for row in rows if row.is_open]:
        which = f"{is_open[0]} is" if len(is_open) == 1 else f"Those from {is_open[0]} on are"
        words += f" {which} not over, and drawn in outline."
    return words


def year_sheet(account_id: str, figure: Year, words: str, rows: Sequence[CycleRow], show: LocaleFormat) -> Sheet:
    """What the page of a year's chart shows."""
    first, last = rows[0].cycle, rows[-1].cycle
    title = f"Peaks and amounts, {first} to {last}" if rows[0].total else f"Peaks, {first} to {last}"
    highest = max(rows, key=lambda row: row.peak)
    return Sheet(
        title=title,
        draft=False,
        account_id=account_id,
        total=(Fact("Highest peak", show.number(highest.peak)),),
        notice="",
        facts=(Fact("Billing cycles", show.number(len(rows))), Fact("Time zone", Cell(show.timezone))),
        sections=(Section("The cycles", drawing=Drawing(title, words, figure), tables=(_cycles(rows, show),)),),
        dated=rows[-1].end,
    )


def _cycles(rows: Sequence[CycleRow], show: LocaleFormat) -> Table:
    def amount(row: CycleRow) -> Cell:
        return Cell("–") if row.total is None else show.money(row.total.amount, row.total.currency)

    return Table(
        f"All {len(rows):,} cycles",
        ("Cycle", "From", "Peak", "First reached", "Amount", ""),
        tuple(
            (Cell(row.cycle), show.instant(row.start), show.number(row.peak), show.instant(row.peak_at), amount(row),
             Cell("open" if row.is_open else "over"))
            for row in rows
        ),
        numeric=(2, 4),
        folded=True,
    )  # fmt: skip
