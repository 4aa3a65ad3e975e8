"""Verbs that turn events into documents: import, close, restate and statement."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from . import remedies, tables
from .documents import document_target, write_documents
from .option_groups import (
    IssueOptions,
    OutputOptions,
    ReadingOptions,
    RecordedOptions,
    ResultOrDocumentOptions,
    TermsOptions,
)
from .options import Account, As, First, Format, Last, Ledger, now_or
from .output import FOUND, counting, finish_rows, say, say_some, say_unexpected_zero, write

if TYPE_CHECKING:
    from ..core.invoice import Invoice
    from ..ledger.entry import Document, Head

GracePeriod = Annotated[str, typer.Option(help="How long to wait after a cycle's end, such as P1D or PT6H.")]


def import_(
    source: Annotated[str, typer.Argument(help="A .csv, .jsonl, .parquet, a folder or glob of them, or - for stdin.")],
    ledger: Ledger,
    read: ReadingOptions,
    format: As = Format.table,
) -> None:
    """Add events to a ledger; doing it again is safe.

    Importing the same events again changes nothing, and resumes an import that was interrupted.
    """
    from .. import engine
    from ..ledger.address import open_ledger
    from ..outputs.tables import invoicing

    with engine.open_source(source) as opened, read.options(source) as options:
        events = engine.read_incoming(opened, options)
    kept = open_ledger(ledger, create=True)
    try:
        with counting("importing") as counted:
            receipt = engine.append(kept, events, now=now_or(None), progress=counted)
    finally:
        kept.close()
    if format is Format.json:
        write(None, json.dumps(invoicing.receipt(receipt.tally, receipt.head)) + "\n")
    else:
        say(f"position {receipt.head.position:,}, digest {receipt.head.digest}")
    finish_rows(receipt.rejections, receipt.tally, read.rejections)


def close(
    ledger: Ledger,
    cycle: Annotated[str, typer.Option(help="The cycle, by the month it starts in: 2026-01.")],
    *,
    account: Account = None,
    terms: TermsOptions,
    grace_period: GracePeriod = "P1D",
    issue: IssueOptions,
    out: OutputOptions,
) -> None:
    """Issue the invoices of a cycle that is over.

    There is one invoice for each account. Without --yes, nothing is issued, and what would be is shown.
    """
    from .. import engine
    from ..config.terms import span
    from ..invoicing import close as closing
    from ..outputs.tables import bills, invoicing
    from ..outputs.tables.text import to_json

    given = terms.given()
    wait = span(grace_period, field="--grace-period")
    with engine.open_source(ledger) as opened:
        closed = closing.close(
            opened, cycle, now=issue.now, grace_period=wait, accounts=account or (), terms=given,
            position=issue.position, issue=issue.yes,
        )  # fmt: skip
    drafts = closed.drafts
    issued = [document for document in closed.documents if document.number]
    numbers = [document.number or "" for document in issued]
    out.write(
        table=lambda to: [tables.invoicing.closing_table(drafts, numbers)] if drafts else [],
        rows=lambda: invoicing.closed(drafts, numbers),
        json=lambda: _contents(issued) if issue.yes else to_json(map(bills.invoice, drafts)),
    )
    for drafted, before in closed.unexpected_zero:
        say_unexpected_zero(drafted.account_id, drafted.cycle.name, before)
    of = {"cycle": cycle, "grace_period": grace_period}
    say_some([remedies.line("not_settled", account=d.account_id, end=_end(d), **of) for d in closed.waiting])
    say_some([
        remedies.line("already_closed", account=b.account_id, number=b.numbers[0], **of) for b in closed.closed
    ])  # fmt: skip
    say(_done(len(drafts), "invoice", issue.yes, closed.head))
    if closed.waiting and not drafts:
        raise typer.Exit(FOUND)


def restate(
    ledger: Ledger,
    *,
    account: Account = None,
    first: First = None,
    last: Last = None,
    issue: IssueOptions,
    out: OutputOptions,
) -> None:
    """Issue notes for what late events change.

    Each note settles the difference to what was invoiced. Without --yes, nothing is issued: the differences and the
    events that make them are shown.
    """
    from .. import engine
    from ..invoicing import restate as restating
    from ..outputs.tables import invoicing
    from ..outputs.tables.text import to_json

    with engine.open_source(ledger) as opened:
        restated = restating.restate(
            opened, now=issue.now, first=first, last=last, accounts=account or (), position=issue.position,
            issue=issue.yes,
        )  # fmt: skip
    notes = restated.restatements
    issued = [document for document in restated.documents if document.number]
    numbers = [document.number or "" for document in issued]
    out.write(
        table=lambda to: tables.invoicing.restatement_tables(notes, numbers),
        rows=lambda: invoicing.restated(notes, numbers),
        json=lambda: _contents(issued) if issue.yes else to_json(map(invoicing.note, notes)),
    )
    cycles = "1 issued cycle" if restated.touched == 1 else f"{restated.touched:,} issued cycles"
    say(f"{cycles} could have been touched by late events.")
    say(_done(len(notes), "note", issue.yes, restated.head))
    if notes and not issue.yes:
        raise typer.Exit(FOUND)


def statement(
    ledger: Ledger,
    *,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    known: RecordedOptions,
    out: ResultOrDocumentOptions,
) -> None:
    """List the documents and the balance of each account."""
    from .. import engine
    from ..invoicing import issue
    from ..outputs.tables import invoicing

    target = document_target(out.format, out.output, out.locale)
    with engine.open_source(ledger) as opened, ReadingOptions().options(opened, known) as options:
        at = engine.position_of(opened, options)
        rows = issue.statement(opened, account_id=account, position=at)
        if target is not None:
            from ..outputs.documents import build

            sheets = build.statement(opened, rows, target.locale, position=at)
            write_documents(target, sheets, "Statements of account")
            return
    out.write(
        table=lambda to: [tables.invoicing.statement_table(rows)],
        rows=lambda: invoicing.statement(rows),
    )


def _end(drafted: Invoice) -> str:
    from ..core.cycle import micros, text_of

    return text_of(micros(drafted.cycle.end))


def _contents(issued: list[Document]) -> str:
    """Documents as they were issued, to the byte."""
    return "[" + ", ".join(document.content for document in issued) + "]"


def _done(count: int, what: str, yes: bool, drafted_at: Head) -> str:
    things = f"{count:,} {what}{'' if count == 1 else 's'}"
    if yes or not count:
        return f"{things} issued." if count else f"No {what} to issue."
    return f"{things} to issue, drafted at position {drafted_at.position:,}. Nothing was issued; --yes issues."
