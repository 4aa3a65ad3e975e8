"""Verbs that answer from a source: peaks, invoice, explain; and those about plans: price, plan check."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from .documents import paper_of, write_paper
from .options import (
    Account,
    Anchor,
    As,
    AsOf,
    AsPaper,
    Cycle,
    First,
    Format,
    IgnoreExtra,
    KnownAt,
    Last,
    Locale,
    Months,
    NoEvidence,
    Output,
    PaperFormat,
    PlanFile,
    Position,
    Reconnect,
    Rejections,
    Source,
    Strict,
    TermsFile,
    Timezone,
    query_of,
    read_options,
    terms_of,
)
from .output import finish, print_tables, say_idle, write


def peaks(
    source: Source,
    cycle: Cycle = None,
    first: First = None,
    last: Last = None,
    account: Account = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    position: Position = None,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """The most identities active at the same moment, for each account and billing cycle."""
    from .. import engine
    from ..outputs.tables import bills
    from ..outputs.tables.text import to_csv, to_json

    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, position=position) as options,
    ):
        given = terms_of(opened, options, terms, plan, anchor, timezone, months, reconnect)
        result = engine.answer(opened, query_of(given, cycle, first, last, account, as_of), options)
    rows = result.peaks(curves=format is Format.table)
    if format is Format.table:
        plans_of = [result.terms_of(row).plan for row in rows]
        drafted = result.drafts() if all(plans_of) else []
        from .tables import bills as tables

        print_tables(output, lambda to: [tables.peaks_table(rows, plans_of, drafted, to)])
    elif format is Format.json:
        write(output, to_json(bills.peaks(rows)) + "\n")
    else:
        write(output, to_csv(bills.peaks(rows)))
    finish(result.found, rejections)


def invoice(
    source: Source,
    cycle: Cycle = None,
    first: First = None,
    last: Last = None,
    account: Account = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    position: Position = None,
    format: AsPaper = PaperFormat.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
    digest: Annotated[bool, typer.Option("--digest", help="State the SHA-256 of the events in each invoice.")] = False,
    locale: Locale = None,
    no_evidence: NoEvidence = False,
) -> None:
    """The invoice of each account and billing cycle, as a draft; as html or pdf, a document for people."""
    from .. import engine
    from ..outputs.tables import bills
    from ..outputs.tables.text import to_csv, to_json

    paper = paper_of(format, output, locale, no_evidence)
    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, digest, position) as options,
    ):
        given = terms_of(opened, options, terms, plan, anchor, timezone, months, reconnect)
        query = query_of(given, cycle, first, last, account, as_of, ids=paper is not None)
        result = engine.answer(opened, query, options)
        idle = list(engine.idle(result, opened, query, options))
    drafted = result.drafts()
    if paper is not None:
        from ..outputs.documents import build

        sheets = build.drafts(result, paper.locale, with_evidence=not no_evidence)
        write_paper(paper, sheets, "Draft invoices")
    elif format is PaperFormat.table:
        from .tables import bills as tables

        print_tables(output, lambda to: tables.invoice_tables(drafted))
    elif format is PaperFormat.json:
        write(output, to_json(map(bills.invoice, drafted)) + "\n")
    else:
        write(output, to_csv(bills.invoice_lines(drafted)))
    for row, before in idle:
        say_idle(row.account_id, row.cycle.name, before)
    finish(result.found, rejections)


def explain(
    source: Source,
    account: Annotated[str | None, typer.Option(help="The account; needed unless the source has only one.")] = None,
    cycle: Annotated[str | None, typer.Option(help="The cycle, 2026-01; else that of the highest peak.")] = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    position: Position = None,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="Write the certificate: who is billed, and the event that shows it.")
    ] = False,
) -> None:
    """Why a peak is what it is: who was active, through which event. As json, all the evidence."""
    import json

    from .. import engine
    from ..outputs.tables import evidence
    from ..outputs.tables.text import to_csv

    if certificate:
        _can_be_certified(source, format, as_of, known_at)
    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, position=position) as options,
    ):
        given = terms_of(opened, options, terms, plan, anchor, timezone, months, reconnect)
        query = query_of(given, cycle, None, None, [account] if account else None, as_of)
        of, result = engine.explain(opened, query, options)
    if certificate:
        write(output, json.dumps(evidence.certificate(of, result.basis_of(of)), ensure_ascii=False) + "\n")
    elif format is Format.json:
        write(output, json.dumps(evidence.evidence(of), ensure_ascii=False) + "\n")
    elif format is Format.csv:
        write(output, to_csv(evidence.witnesses(of)))
    else:
        from .tables import bills as tables

        (used,) = [row for row in result.peaks() if row.cycle == of.cycle]
        credits = result.credits_used([used]).get((of.account_id, used.start))
        told = tables.story(of, result.terms_of(of), credits)
        print_tables(output, lambda to: [*told, tables.evidence_table(of)])
    finish(result.found, rejections)


def _can_be_certified(source: str, format: Format, as_of: str | None, known_at: str | None) -> None:
    """Refuse what a certificate does not say of itself, and so could not be checked."""
    from ..core.errors import BillingError
    from ..ledger.address import is_address

    if format is Format.csv:
        raise BillingError("usage", detail="--certificate is written as json")
    if as_of is not None:
        raise BillingError("usage", detail="--certificate goes without --as-of, since what is billed is a whole cycle")
    if known_at is not None and not is_address(source):
        raise BillingError(
            "usage", detail="--certificate goes with --known-at only for a ledger, whose position it names"
        )


def price(
    plan: Annotated[str, typer.Argument(help="Plan file.")],
    quantity: Annotated[list[str], typer.Argument(help="Quantities to price.")],
    format: As = Format.table,
    output: Output = None,
) -> None:
    """What quantities of identities cost under a plan, and how; credits come on top."""
    from ..config.terms import load_plan
    from ..core.errors import NotPriced
    from ..outputs.tables import bills
    from ..outputs.tables.text import to_csv, to_json

    by = load_plan(plan)
    prices = []
    for text in quantity:
        try:
            prices.append(by.price(Decimal(text)))
        except InvalidOperation:
            raise NotPriced("quantity_range", field="quantity", got=text) from None
    if format is Format.table:
        from .tables import bills as tables

        print_tables(output, lambda to: [tables.prices_table(prices, by)])
    elif format is Format.json:
        write(output, to_json(bills.prices(prices, by)) + "\n")
    else:
        write(output, to_csv(bills.prices(prices, by)))


def check(plan: Annotated[str, typer.Argument(help="Plan file.")], format: As = Format.table) -> None:
    """Refuse what is wrong with a plan; point out where totals fall and where prices end."""
    from ..config.terms import load_plan
    from ..outputs.tables.text import to_json

    by = load_plan(plan)
    warnings = by.warnings()
    if format is Format.json:
        write(None, to_json({"code": w.code, "message": str(w)} for w in warnings) + "\n")
        return
    for warning in warnings:
        print(f"{plan}: {warning.code}: {warning}")
    ending = "" if not warnings else f", {len(warnings)} {'thing' if len(warnings) == 1 else 'things'} to know"
    print(f"{plan}: plan {by.id} prices every quantity in one way{ending}.")
