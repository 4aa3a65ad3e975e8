"""Verbs that bill a source: peaks, invoice and explain; and those about a plan alone: price and plan check."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from . import remedies, tables
from .documents import document_target, write_documents
from .option_groups import (
    CycleOptions,
    KnownOptions,
    OutputOptions,
    ReadingOptions,
    ResultOrDocumentOptions,
    TermsOptions,
    open_query,
)
from .options import As, Format, NoEvidence, OneAccount, Source
from .output import finish, say_unexpected_zero, write

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def peaks(
    source: Source,
    cycles: CycleOptions,
    terms: TermsOptions,
    known: KnownOptions,
    read: ReadingOptions,
    out: OutputOptions,
) -> None:
    """The most identities active at the same moment, by cycle.

    There is a row for each account and billing cycle.
    """
    from .. import engine
    from ..outputs.tables import bills

    with open_query(source, cycles, terms, known, read) as (opened, query, options):
        result = engine.answer(opened, query, options)
    rows = result.peaks(curves=out.format is Format.table)

    def table(to: Console) -> list[RenderableType]:
        plans = [result.terms_of(row).plan for row in rows]
        drafts = result.drafts() if all(plans) else []
        return [tables.bills.peaks_table(rows, plans, drafts, to)]

    out.write(
        table=table,
        rows=lambda: bills.peaks(rows),
    )
    finish(result.found, read.rejections)


def invoice(
    source: Source,
    cycles: CycleOptions,
    terms: TermsOptions,
    known: KnownOptions,
    read: ReadingOptions,
    out: ResultOrDocumentOptions,
    no_evidence: NoEvidence = False,
    digest: Annotated[bool, typer.Option("--digest", help="State the SHA-256 of the events in each invoice.")] = False,
) -> None:
    """Draft the invoice of each account and cycle.

    As html or pdf, each draft is a document for people.
    """
    from .. import engine
    from ..outputs.tables import bills
    from ..outputs.tables.text import to_json

    target = document_target(out.format, out.output, out.locale, no_evidence)
    with open_query(source, cycles, terms, known, read, ids=target is not None, digest=digest) as (
        opened,
        query,
        options,
    ):
        result = engine.answer(opened, query, options)
        zeros = list(engine.unexpected_zero(result, opened, query, options))
    drafts = result.drafts()
    if target is not None:
        from ..outputs.documents import build

        write_documents(target, build.drafts(result, target.locale, with_evidence=not no_evidence), "Draft invoices")
    else:
        out.write(
            table=lambda to: tables.bills.invoice_tables(drafts),
            rows=lambda: bills.invoice_lines(drafts),
            json=lambda: to_json(map(bills.invoice, drafts)),
        )
    for row, before in zeros:
        say_unexpected_zero(row.account_id, row.cycle.name, before)
    finish(result.found, read.rejections)


def explain(
    source: Source,
    *,
    account: OneAccount = None,
    cycle: Annotated[str | None, typer.Option(help="The cycle, 2026-01; else that of the highest peak.")] = None,
    terms: TermsOptions,
    known: KnownOptions,
    read: ReadingOptions,
    out: OutputOptions,
    certificate: Annotated[
        bool, typer.Option("--certificate", help="Write the certificate: who is billed, and the event that shows it.")
    ] = False,
) -> None:
    """Show who was active at a peak, and through which event.

    As json or csv, all the evidence; with --certificate, evidence that can be checked without the other events.
    """
    from .. import engine
    from ..outputs.tables import evidence

    if certificate:
        _refuse_uncertifiable(source, out.format, known)
    cycles = CycleOptions(cycle=cycle, account=[account] if account else None)
    with open_query(source, cycles, terms, known, read) as (opened, query, options):
        of, result = engine.explain(opened, query, options)

    def table(to: Console) -> list[RenderableType]:
        (used,) = [row for row in result.peaks() if row.cycle == of.cycle]
        credits = result.credits_used([used]).get((of.account_id, used.start))
        return [*tables.bills.story(of, result.terms_of(of), credits), tables.bills.evidence_table(of)]

    if certificate:
        write(out.output, json.dumps(evidence.certificate(of, result.basis_of(of)), ensure_ascii=False) + "\n")
    else:
        out.write(
            table=table,
            rows=lambda: evidence.witnesses(of),
            json=lambda: json.dumps(evidence.evidence(of), ensure_ascii=False),
        )
    finish(result.found, read.rejections)


def _refuse_uncertifiable(source: str, format: Format, known: KnownOptions) -> None:
    """Refuse what a certificate does not state, and so could not be checked."""
    from ..core.errors import BillingError
    from ..ledger.address import is_address

    if format is Format.csv:
        raise BillingError("usage", detail="--certificate is written as json")
    if known.as_of is not None:
        raise BillingError("usage", detail="--certificate goes without --as-of, since what is billed is a whole cycle")
    if known.known_at is not None and not is_address(source):
        raise BillingError(
            "usage", detail="--certificate goes with --known-at only for a ledger, whose position it names"
        )


def price(
    plan: Annotated[str, typer.Argument(help="Plan file.")],
    quantity: Annotated[list[str], typer.Argument(help="Quantities to price.")],
    out: OutputOptions,
) -> None:
    """Price quantities of identities under a plan.

    The table shows how each total is calculated. Credits are billed on top.
    """
    from ..config.terms import load_plan
    from ..core.errors import NotPriced
    from ..outputs.tables import bills

    by = load_plan(plan)
    prices = []
    for text in quantity:
        try:
            prices.append(by.price(Decimal(text)))
        except InvalidOperation:
            raise NotPriced("quantity_range", field="quantity", got=text) from None
    out.write(
        table=lambda to: [tables.bills.prices_table(prices, by)],
        rows=lambda: bills.prices(prices, by),
    )


def check(plan: Annotated[str, typer.Argument(help="Plan file.")], format: As = Format.table) -> None:
    """Check a plan before anybody is billed by it.

    Refuses a plan that is wrong. Warns where totals fall as the quantity rises, and where prices end.
    """
    from ..config.terms import load_plan
    from ..outputs.tables.text import to_json

    by = load_plan(plan)
    warnings = by.warnings()
    if format is Format.json:
        write(
            None, to_json({"code": w.code, "message": remedies.message(w.code, **w.details)} for w in warnings) + "\n"
        )
        return
    for warning in warnings:
        print(f"{plan}: {remedies.line(warning.code, **warning.details)}")
    ending = "" if not warnings else f", {len(warnings)} {'thing' if len(warnings) == 1 else 'things'} to know"
    print(f"{plan}: plan {by.id} prices every quantity in one way{ending}.")
