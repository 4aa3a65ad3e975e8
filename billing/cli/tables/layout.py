"""The console, and how tables, sums, times and money look on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import IO, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...core.catalogue import WIDE
from ...core.cycle import Cycle, moment
from ...core.money import Money, by_currency

#: Wide enough for every table where there is no terminal to fit into.
_WIDTH_PIPED: Final = 200


def console(*, file: IO[str] | None = None) -> Console:
    """A console that fits a terminal, and writes whole lines where there is none."""
    made = Console(file=file, highlight=False)
    return made if made.is_terminal else Console(file=file, highlight=False, width=_WIDTH_PIPED)


def columns(*names: str) -> Table:
    """A table with these columns; a name that ends in > is a column of figures, set to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in names:
        table.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left", no_wrap=True)
    return table


def add_totals(
    table: Table, totals: Sequence[Money], *, blanks: int = 2, shown: Callable[[Money], str] | None = None
) -> None:
    """A last row for each currency, below `blanks` columns that have no sum; `shown` writes it, else plainly."""
    for total in by_currency(totals):
        table.add_section()
        table.add_row("Total", *[""] * blanks, Text((shown or money)(total), style="bold"))


def money(of: Money) -> str:
    """An amount and its currency."""
    return f"{of.amount:,f} {of.currency}"


def grouped(number: Decimal | int | None) -> str:
    """A number with all its digits and no needless zeros, its thousands apart."""
    return f"{Decimal(number or 0).normalize(WIDE):,f}"


def signed(of: Money) -> str:
    """A difference, with its sign, and its currency."""
    return f"{of.amount:+,f} {of.currency}" if of.amount else money(of)


def many(count: int, what: str) -> str:
    """So many of a thing: "1 cycle", "2 cycles"."""
    several = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {what if count == 1 else several}"


def spoken(code: str) -> str:
    """A code as words."""
    return code.replace("_", " ")


def span_of(cycle: Cycle) -> str:
    """A cycle's name and its days."""
    return f"{cycle.name}  {day(cycle.start)} – {day(cycle.end)}"


def span(window: timedelta) -> str:
    """A length of time, in days where it is whole days."""
    return f"{window.days:,} days" if window == timedelta(days=window.days) else str(window)


def day(instant: datetime) -> str:
    """The day of an instant."""
    return f"{instant:%Y-%m-%d}"


def when(instant: int) -> str:
    """An instant in microseconds, for people, in UTC."""
    return when_of(moment(instant))


def when_of(instant: datetime) -> str:
    """An instant, for people, to the second or finer where it is."""
    return f"{instant:%Y-%m-%d %H:%M:%S}" + (f".{instant.microsecond:06}" if instant.microsecond else "")
