"""Sheets of statements: the documents of an account, and what it owes after each."""

from __future__ import annotations

from collections.abc import Sequence

from ...invoicing.restatement import StatementRow
from .invoice import TITLES
from .locale import LocaleFormat
from .sheet import Cell, Fact, Section, Sheet, Table


def sheet(rows: Sequence[StatementRow], display: LocaleFormat, *, position: int, digest: str) -> Sheet:
    """What the statement of one account shows; `rows` are all its documents, at least one.

    `position` and `digest` are those of the ledger, the digest that of its documents.
    """
    show = display
    owed = {row.total.currency: row.balance for row in rows}  # the last of each currency
    totals = tuple(Fact(f"Balance ({code})", show.money(owed[code].amount, code)) for code in sorted(owed))
    last = rows[-1].issued_at
    table = Table(
        caption="Documents in the order in which they were issued",
        columns=("Number", "What", "Cycle", "Issued", "Total", "Balance"),
        rows=tuple(
            (
                Cell(row.number),
                Cell(TITLES[row.kind]),
                Cell(row.cycle.name),
                show.instant(row.issued_at),
                show.money(row.total.amount, row.total.currency),
                show.money(row.balance.amount, row.balance.currency),
            )
            for row in rows
        ),
        numeric=(4, 5),
        foot=tuple(
            (Cell(f"Balance ({code})"), *[Cell("")] * 4, show.money(owed[code].amount, code)) for code in sorted(owed)
        ),
    )
    facts = (
        Fact("Account", Cell(rows[0].account_id, "name")),
        Fact("Documents", show.number(len(rows))),
        Fact("Last issued", show.instant(last)),
        Fact("Time zone", Cell(show.timezone)),
    )
    seal = (
        Fact("Ledger position", show.number(position)),
        Fact("Digest of the documents", Cell(digest, "code")),
    )
    return Sheet(
        title="Statement of account",
        draft=False,
        account_id=rows[0].account_id,
        total=totals,
        notice="",
        facts=facts,
        sections=(
            Section("Documents", tables=(table,)),
            Section("Where it comes from", words=("The balance is the sum of the totals of all documents issued. "
                    "Payments are not kept here.",), facts=seal),
        ),
        dated=last,
    )  # fmt: skip
