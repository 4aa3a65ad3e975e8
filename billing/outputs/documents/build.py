"""Build sheets from drafts, issued documents and statements.

An issued document is shown as stored. Its evidence is computed from the ledger as it was at the position
of the document, by the policy that the document states; if the two disagree, nothing is shown.
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
    """A sheet for each draft of a result whose query asks for `ids`."""
    sheets = []
    for draft, evidence in zip(result.drafts(), result.evidence(), strict=True):
        terms = result.terms_of(draft)
        zone = terms.cycles.timezone
        as_of = result.part_of(draft).query.as_of
        explained = invoices.ExplainedInvoice(InvoiceDocument(draft), evidence, zone, terms.plan, as_of)
        sheets.append(invoices.sheet(explained, LocaleFormat(locale, zone), with_evidence=with_evidence))
    return sheets


def find(ledger: Ledger, numbers: Sequence[str]) -> list[Document]:
    """Issued documents by their numbers, in the order given. Raises `BadLedger` (`number_unknown`)."""
    issued = {document.number: document for document in ledger.documents(*ISSUED)}
    for number in numbers:
        if number not in issued:
            raise BadLedger("number_unknown", ledger.name, got=number)
    return [issued[number] for number in numbers]


def issued(ledger: Ledger, documents: Sequence[Document], locale: Locale, *, with_evidence: bool = True) -> list[Sheet]:
    """A sheet for each issued document. Raises `BadLedger` (`ledger_damaged`) if its entries contradict it."""
    history = engine.terms_in(ledger)
    sheets = []
    for document in documents:
        content = read(ledger, document)
        invoice = content.invoice
        assert invoice.basis.position is not None and invoice.basis.terms_version is not None, (
            "an issued document has both"
        )
        terms = history.numbered(invoice.basis.terms_version).terms.of(invoice.account_id)
        evidence = engine.explain_cycle(
            ledger, invoice.account_id, invoice.cycle, invoice.policy, invoice.basis.position
        )
        if evidence.peak != invoice.peak:
            detail = f"{invoice.number} says a peak of {invoice.peak:,}, its entries give {evidence.peak:,}"
            raise BadLedger("ledger_damaged", ledger.name, detail=detail)
        # The zone of an account's cycles does not change after its first invoice.
        zone = history.versions[-1].terms.of(invoice.account_id).cycles.timezone
        explained = invoices.ExplainedInvoice(content, evidence, zone, terms.plan)
        sheets.append(invoices.sheet(explained, LocaleFormat(locale, zone), with_evidence=with_evidence))
    return sheets


def statement(ledger: Ledger, rows: Sequence[StatementRow], locale: Locale, *, position: int) -> list[Sheet]:
    """A sheet for each account that has documents; `rows` are those of `issue.statement` at `position`."""
    terms = engine.terms_in(ledger).versions[-1].terms if rows else None
    digest = ledger.head(position=position).documents_digest
    sheets = []
    for account_id, own in groupby(rows, key=lambda row: row.account_id):
        assert terms is not None, "nothing is issued without terms"
        fmt = LocaleFormat(locale, terms.of(account_id).cycles.timezone)
        sheets.append(statements.sheet([*own], fmt, position=position, digest=digest))
    return sheets
