"""Showing: drafts, issued documents and statements as sheets, for whatever they are written on.

What was issued is shown as it is kept. Its evidence is computed from the ledger as it was at the
position of the document, by the policy that the document states; if the two do not agree, nothing is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ... import engine
from ...core.errors import BadLedger
from ...invoicing.document import InvoiceDocument, read
from ...invoicing.restatement import StatementRow
from ...ledger.entry import ISSUED, Document
from ...ledger.ledger import Ledger
from . import invoice as invoices
from . import statement as statements
from .locale import LocaleFormat
from .sheet import Sheet

if TYPE_CHECKING:
    from babel import Locale


def drafts(result: engine.Result, locale: Locale, *, with_evidence: bool = True) -> list[Sheet]:
    """A sheet for each draft of an answer whose question asked for `ids`."""
    sheets = []
    for draft, evidence in zip(result.drafts(), result.evidence(), strict=True):
        terms = result.terms_of(draft)
        zone = terms.cycles.timezone
        as_of = result.part_of(draft).query.as_of
        shown = invoices.Shown(InvoiceDocument(draft), evidence, zone, terms.plan, as_of)
        sheets.append(invoices.sheet(shown, LocaleFormat(locale, zone), with_evidence=with_evidence))
    return sheets


def find(ledger: Ledger, numbers: Sequence[str]) -> list[Document]:
    """Issued documents by their numbers, in the order asked for. Raises `BadLedger` (`number_unknown`)."""
    issued = {document.number: document for document in ledger.documents(*ISSUED)}
    for number in numbers:
        if number not in issued:
            raise BadLedger("number_unknown", ledger.name, got=number)
    return [issued[number] for number in numbers]


def issued(ledger: Ledger, documents: Sequence[Document], locale: Locale, *, with_evidence: bool = True) -> list[Sheet]:
    """A sheet for each issued document. Raises `BadLedger` (`ledger_damaged`) where the entries say otherwise."""
    history = engine.terms_in(ledger)
    sheets = []
    for document in documents:
        found = read(ledger, document)
        invoice = found.invoice
        assert invoice.basis.position is not None and invoice.basis.terms_version is not None, "it was read as issued"
        terms = history.numbered(invoice.basis.terms_version).terms.of(invoice.account_id)
        evidence = engine.explain_cycle(
            ledger, invoice.account_id, invoice.cycle, invoice.policy, invoice.basis.position
        )
        if evidence.peak != invoice.peak:
            detail = f"{invoice.number} says a peak of {invoice.peak:,}, its entries come to {evidence.peak:,}"
            raise BadLedger("ledger_damaged", ledger.name, detail=detail)
        # The zone of an account's cycles does not change after its first invoice.
        zone = history.versions[-1].terms.of(invoice.account_id).cycles.timezone
        shown = invoices.Shown(found, evidence, zone, terms.plan)
        sheets.append(invoices.sheet(shown, LocaleFormat(locale, zone), with_evidence=with_evidence))
    return sheets


def statement(ledger: Ledger, rows: Sequence[StatementRow], locale: Locale, *, position: int) -> list[Sheet]:
    """A sheet for each account that has documents; `rows` as `issuing.statement` gives them at the position."""
    terms = engine.terms_in(ledger).versions[-1].terms if rows else None
    digest = ledger.head(position=position).documents_digest
    sheets = []
    for account_id, own in groupby(rows, key=lambda row: row.account_id):
        assert terms is not None, "nothing is issued without terms"
        display = LocaleFormat(locale, terms.of(account_id).cycles.timezone)
        sheets.append(statements.sheet([*own], display, position=position, digest=digest))
    return sheets
