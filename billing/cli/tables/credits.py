"""Credits for people on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from rich.table import Table
from rich.text import Text

from ...core.usage import Credits, CreditsTotal
from .layout import columns, grouped, span_of

_UNNAMED: Final = "(not named)"


def credits_table(rows: Sequence[Credits], accounts: Sequence[CreditsTotal], total: CreditsTotal) -> Table:
    """A row for each action and type of identity, the sum of each account, and that of all."""
    table = columns(
        "Account", "Cycle", "Action", "Identities", "Calls>", "Results>", "Credits>", "On standard ones>", "Saved>"
    )
    of = {account_id: [*own] for account_id, own in groupby(rows, key=lambda row: row.account_id)}
    for account in accounts:
        name, cycle = account.account_id or "", None
        for row in of.get(name, ()):
            table.add_row(
                name,
                "" if row.cycle == cycle else span_of(row.cycle),
                row.action or _UNNAMED,
                row.identity_type,
                *_figures(row),
            )
            name, cycle = "", row.cycle
        if len(accounts) > 1:
            table.add_row(name, Text("all", style="italic"), "", "", *_figures(account))
            table.add_section()
    table.add_section()
    table.add_row("Total", "", "", "", *(Text(figure, style="bold") for figure in _figures(total)))
    return table


def _figures(of: Credits | CreditsTotal) -> list[str]:
    counts = [f"{of.calls:,}", f"{of.results:,}"]
    return counts + [grouped(number) for number in (of.credits, of.on_standard, of.saved)]
