"""Verbs that keep books: import, close, restate, statement, and those about a ledger itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .documents import paper_of, write_paper
from .options import (
    Account,
    Anchor,
    As,
    AsPaper,
    Expected,
    First,
    Format,
    IgnoreExtra,
    IssuedAt,
    KnownAt,
    Last,
    Ledger,
    LedgerUrl,
    Locale,
    Months,
    Output,
    PaperFormat,
    PlanFile,
    Position,
    Reconnect,
    Rejections,
    Strict,
    TermsFile,
    Timezone,
    Yes,
    instant_of,
    now_or,
    read_options,
    terms_given,
)
from .output import FOUND, counting, finish_rows, print_tables, say, say_idle, say_some, write

if TYPE_CHECKING:
    from ..core.invoice import Invoice
    from ..ledger.entry import Document, Head

Settle = Annotated[str, typer.Option(help="How long to wait after a cycle's end, such as P1D or PT6H.")]


def import_(
    source: Annotated[str, typer.Argument(help="A .csv, .jsonl, .parquet, a folder or glob of them, or - for stdin.")],
    ledger: Ledger,
    format: As = Format.table,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """Add the events of a source to a ledger; doing it again is safe, and resumes what was interrupted."""
    from .. import engine
    from ..ledger.address import open_ledger
    from ..outputs.tables import invoicing

    with engine.open_source(source) as opened, read_options(source, strict, ignore_extra, None) as options:
        events = engine.arrivals(opened, options)
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
    finish_rows(receipt.rejections, receipt.tally, rejections)


def close(
    ledger: Ledger,
    cycle: Annotated[str, typer.Option(help="The cycle, by the month it starts in: 2026-01.")],
    account: Account = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    settle: Settle = "P1D",
    issued_at: IssuedAt = None,
    position: Expected = None,
    yes: Yes = False,
    format: As = Format.table,
    output: Output = None,
) -> None:
    """Issue one invoice for each account whose cycle is over; without --yes, show what would be issued."""
    from .. import engine
    from ..config.terms import span
    from ..invoicing import close as closing
    from ..outputs.tables import bills, invoicing
    from ..outputs.tables.text import to_csv, to_json

    given = terms_given(terms, plan, anchor, timezone, months, reconnect)
    wait = span(settle, field="--settle")
    with engine.open_source(ledger) as opened:
        closed = closing.close(
            opened, cycle, now=now_or(issued_at), settle=wait, accounts=account or (), terms=given,
            position=position, issue=yes,
        )  # fmt: skip
    issued = [document for document in closed.documents if document.number]
    numbers = [document.number or "" for document in issued]
    if format is Format.json:
        drafts = to_json(map(bills.invoice, closed.drafts))
        write(output, (_contents(issued) if yes else drafts) + "\n")
    elif format is Format.csv:
        write(output, to_csv(invoicing.closed(closed.drafts, numbers)))
    else:
        from .tables import invoicing as tables

        print_tables(output, lambda to: [tables.closing_table(closed.drafts, numbers)] if closed.drafts else [])
    for drafted, before in closed.idle:
        say_idle(drafted.account_id, drafted.cycle.name, before)
    said = {"cycle": cycle, "settle": settle}
    say_some([_sentence("not_settled", account=d.account_id, end=_end(d), **said) for d in closed.waiting])
    say_some([_sentence("already_closed", account=b.account_id, number=b.numbers[0], **said) for b in closed.closed])
    say(_done(len(closed.drafts), "invoice", yes, closed.head))
    if closed.waiting and not closed.drafts:
        raise typer.Exit(FOUND)


def restate(
    ledger: Ledger,
    account: Account = None,
    first: First = None,
    last: Last = None,
    issued_at: IssuedAt = None,
    position: Expected = None,
    yes: Yes = False,
    format: As = Format.table,
    output: Output = None,
) -> None:
    """Settle what late events change about issued invoices; without --yes, show and explain it."""
    from .. import engine
    from ..invoicing import restate as restating
    from ..outputs.tables import invoicing
    from ..outputs.tables.text import to_csv, to_json

    with engine.open_source(ledger) as opened:
        restated = restating.restate(
            opened, now=now_or(issued_at), first=first, last=last, accounts=account or (), position=position, issue=yes
        )
    issued = [document for document in restated.documents if document.number]
    numbers = [document.number or "" for document in issued]
    if format is Format.json:
        shown = to_json(map(invoicing.note, restated.restatements))
        write(output, (_contents(issued) if yes else shown) + "\n")
    elif format is Format.csv:
        write(output, to_csv(invoicing.restated(restated.restatements, numbers)))
    else:
        from .tables import invoicing as tables

        print_tables(output, lambda to: tables.restatement_tables(restated.restatements, numbers))
    cycles = "1 issued cycle" if restated.looked_at == 1 else f"{restated.looked_at:,} issued cycles"
    say(f"{cycles} could have been touched by late events.")
    say(_done(len(restated.restatements), "note", yes, restated.head))
    if restated.restatements and not yes:
        raise typer.Exit(FOUND)


def statement(
    ledger: Ledger,
    account: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    known_at: KnownAt = None,
    position: Position = None,
    format: AsPaper = PaperFormat.table,
    output: Output = None,
    locale: Locale = None,
) -> None:
    """The documents of each account, and what it owes after each."""
    from .. import engine
    from ..inputs.rows import ReadOptions
    from ..invoicing import issue
    from ..outputs.tables import invoicing
    from ..outputs.tables.text import to_csv, to_json

    paper = paper_of(format, output, locale)
    with engine.open_source(ledger) as opened:
        at = engine.position_of(opened, ReadOptions(known_at=instant_of(known_at, "--known-at"), position=position))
        rows = issue.statement(opened, account_id=account, position=at)
        if paper is not None:
            from ..outputs.documents import build

            write_paper(paper, build.statement(opened, rows, paper.locale, position=at), "Statements of account")
            return
    if format is PaperFormat.table:
        from .tables import invoicing as tables

        print_tables(output, lambda to: [tables.statement_table(rows)])
        return
    shown = invoicing.statement(rows)
    write(output, to_json(shown) + "\n" if format is PaperFormat.json else to_csv(shown))


def head(url: LedgerUrl, known_at: KnownAt = None, position: Position = None, format: As = Format.table) -> None:
    """The end of a ledger and the digests that seal it. Note it elsewhere: it shows if the end is cut off."""
    from .. import engine
    from ..outputs.tables import invoicing
    from ..outputs.tables.text import json_rows, to_csv

    with engine.open_source(_address(url)) as opened:
        shown = invoicing.head(opened.head(position=position, known_at=instant_of(known_at, "--known-at")))
    (found,) = json_rows(shown)
    if format is Format.json:
        write(None, json.dumps(found) + "\n")
    elif format is Format.csv:
        write(None, to_csv(shown))
    else:
        for name, value in found.items():
            print(f"{name:<16}  {value}")


def verify(
    url: LedgerUrl,
    noted: Annotated[
        Path | None, typer.Option(help="A head that was noted elsewhere, as json: shows if the end was cut off.")
    ] = None,
    format: As = Format.table,
) -> None:
    """Compute all digests again, and name the first entry that differs."""
    from .. import engine
    from ..ledger.verify import verify as verified
    from ..outputs.tables.text import to_json

    expected = None if noted is None else _noted(noted)
    with engine.open_source(_address(url)) as opened, counting("verifying") as counted:
        findings = verified(opened, noted=expected, progress=counted)
        end = opened.head()
    if format is Format.json:
        write(None, to_json(finding.as_json() for finding in findings) + "\n")
    for finding in findings:
        say(f"{finding.code}: {finding}")
    if findings:
        raise typer.Exit(FOUND)
    say(f"{end.position:,} positions hold; digest {end.digest}, documents {end.documents_digest}.")
    if noted is None:
        say("That nothing was cut off at the end shows only against a head noted elsewhere: --noted FILE.")


def terms(
    url: LedgerUrl,
    terms: TermsFile = None,
    plan: PlanFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    since: Annotated[str | None, typer.Option("--from", help="They apply to cycles that start then or later.")] = None,
) -> None:
    """Show the versions of the terms in a ledger; with --terms or --plan, add one."""
    from .. import engine
    from ..config.terms import version_document
    from ..invoicing import close as closing

    given = terms_given(terms, plan, anchor, timezone, months, reconnect)
    with engine.open_source(_address(url)) as opened:
        if given is not None:
            closing.add_terms(opened, given, now=now_or(None), applies_from=instant_of(since, "--from"))
        history = engine.terms_in(opened)
    write(None, "[" + ", ".join(json.dumps(version_document(v), ensure_ascii=False) for v in history.versions) + "]\n")


def export(
    url: LedgerUrl,
    file: Annotated[str, typer.Argument(help="A new .csv, .jsonl (also .gz or .zst) or .parquet file.")],
    position: Position = None,
) -> None:
    """Write all entries into a file; imported into an empty ledger, they have the same digest."""
    from .. import engine

    with engine.open_source(_address(url)) as opened, counting("exporting") as counted:
        end = engine.export(opened, file, position=position, progress=counted)
    say(f"position {end.position:,}, digest {end.digest}")


def backup(url: LedgerUrl, file: Annotated[str, typer.Argument(help="A file that does not exist yet.")]) -> None:
    """Copy an embedded ledger as it is at one moment, while others go on writing to it."""
    from .. import engine

    with engine.open_source(_address(url)) as opened:
        end = engine.backup(opened, file)
    say(f"position {end.position:,}, digest {end.digest}")


def _address(url: str) -> str:
    """The address of a ledger, and of nothing else."""
    from ..core.errors import BadLedger
    from ..ledger.address import is_address

    if not is_address(url):
        raise BadLedger("ledger_url", got=url)
    return url


def _sentence(code: str, **details: Any) -> str:
    """A message with its code before it."""
    from ..core.errors import sentence

    return f"{code}: {sentence(code, **details)}"


def _end(drafted: Invoice) -> str:
    from ..core.cycle import micros, text_of

    return text_of(micros(drafted.cycle.end))


def _contents(issued: list[Document]) -> str:
    """Documents as they are kept, to the byte."""
    return "[" + ", ".join(document.content for document in issued) + "]"


def _done(count: int, what: str, yes: bool, drafted_at: Head) -> str:
    things = f"{count:,} {what}{'' if count == 1 else 's'}"
    if yes or not count:
        return f"{things} issued." if count else f"No {what} to issue."
    return f"{things} to issue, drafted at position {drafted_at.position:,}. Nothing was issued; --yes issues."


def _noted(file: Path) -> Head:
    """A head that was written down with `billing ledger head --format json`."""
    from ..core.errors import BadLedger
    from ..inputs.timestamps import instant
    from ..ledger.entry import Head

    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        recorded = said["recorded_at"]
        at = None if recorded is None else instant(recorded, field="recorded_at")
        return Head(int(said["position"]), str(said["digest"]), str(said["documents_digest"]), at)
    except FileNotFoundError:
        raise BadLedger("file_missing", str(file), hint="") from None
    except (ValueError, KeyError, TypeError):
        raise BadLedger("head_unreadable", str(file)) from None
