"""Sheets of statements: the documents of an account, and the balance after each."""

from __future__ import annotations

from collections.abc import Sequence

from ...invoicing.restatement import StatementRow
from .invoice import TITLES
from .locale import LocaleFormat
from .sheet import Cell, Fact, Section, Sheet, Table


def sheet(rows: Sequence[StatementRow], fmt: LocaleFormat, *, position: int, digest: str) -> Sheet:
    """The sheet of one account's statement; `rows` are all its documents, at least one.

    `position` is that of the ledger, `digest` that of the documents in it.
    """
    balances = {row.total.currency: row.balance for row in rows}  # the last of each currency
    totals = tuple(Fact(f"Balance ({code})", fmt.money(balances[code].amount, code)) for code in sorted(balances))
    last = rows[-1].issued_at
    table = Table(
        caption="Documents in the order in which they were issued",
        columns=("Number", "What", "Cycle", "Issued", "Total", "Balance"),
        rows=tuple(
            (
                Cell(row.number),
                Cell(TITLES[row.kind]),
                Cell(row.cycle.name),
                fmt.instant(row.issued_at),
                fmt.money(row.total.amount, row.total.currency),
                fmt.money(row.balance.amount, row.balance.currency),
            )
            for row in rows
        ),
        numeric=(4, 5),
        foot=tuple(
            (Cell(f"Balance ({code})"), *[Cell("")] * 4, fmt.money(balances[code].amount, code))
            for code in sorted(balances)
        ),
    )
    facts = (
        Fact("Account", Cell(rows[0].account_id, "name")),
        Fact("Documents", fmt.number(len(rows))),
        Fact("Last issued", fmt.instant(last)),
        Fact("Time zone", Cell(fmt.timezone)),
    )
    ledger_facts = (
        Fact("Ledger position", fmt.number(position)),
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
                    "Payments are not kept here.",), facts=ledger_facts),
        ),
        dated=last,
    )  # fmt: skip
