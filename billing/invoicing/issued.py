"""What was issued, or would be, as finance systems want it: each document with the one before it.

From a ledger come the documents that were issued, as they were; from any other source, drafts. A note
states its cycle as it is now, less what was billed already. Finance systems want the difference of
each figure, so every document knows the one that it follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from .. import engine
from ..core.cycle import Cycle, month_of
from ..core.errors import UnknownAccount, hint
from ..core.invoice import Invoice, Line
from ..core.money import EXACT
from ..engine.query import Query
from ..inputs.rows import ReadOptions
from ..ledger.entry import ISSUED
from ..ledger.ledger import Ledger
from .document import InvoiceDocument, read


@dataclass(frozen=True, slots=True)
class BilledDocument:
    """A draft, an invoice or a note, with the document on the same cycle that came `before` it.

    `kind` is `draft`, or that of the document. `usage`, `discount` and `credits` are the lines of the
    whole cycle by this document, while the total of its invoice is what it adds to those before.
    """

    document: InvoiceDocument
    usage: Line
    discount: Line | None
    before: BilledDocument | None

    @property
    def invoice(self) -> Invoice:
        """The invoice that the document states."""
        return self.document.invoice

    @property
    def kind(self) -> str:
        """What it is called."""
        return "draft" if self.invoice.number is None else self.document.kind

    @property
    def net(self) -> Decimal:
        """The amount for the identities of the whole cycle, after the discount."""
        return self.usage.amount if self.discount is None else EXACT.add(self.usage.amount, self.discount.amount)

    @property
    def cycle_total(self) -> Decimal:
        """The total of the whole cycle."""
        credits = self.invoice.credits
        return self.net if credits is None else EXACT.add(self.net, credits.amount)


def read_issued(ledger: Ledger, query: Query, options: ReadOptions | None = None) -> list[BilledDocument]:
    """What a ledger has issued for the cycles and accounts of a query, in the order of issue.

    Of the query only accounts and months count. Raises `UnknownAccount`, `BadCycle`, `BadLedger`.
    """
    position = engine.position_of(ledger, options or ReadOptions())
    present = ledger.accounts()
    for account_id in query.accounts:
        if account_id not in present:
            raise UnknownAccount("account_unknown", got=account_id, hint=hint(account_id, present))
    first, last = (None if month is None else month_of(month) for month in (query.first, query.last))

    def requested(invoice: Invoice) -> bool:
        month = month_of(invoice.cycle.name)
        return (
            (not query.accounts or invoice.account_id in query.accounts)
            and (first is None or month >= first)
            and (last is None or month <= last)
        )

    found = (read(ledger, document) for document in ledger.documents(*ISSUED, position=position))
    return _in_sequence(document for document in found if requested(document.invoice))


def as_drafts(result: engine.Result) -> list[BilledDocument]:
    """What a source would be billed: drafts, without number and date. Raises `BadPlan`, `NotPriced`."""
    return _in_sequence(map(InvoiceDocument, result.drafts()))


def _in_sequence(documents: Iterable[InvoiceDocument]) -> list[BilledDocument]:
    """Documents in the order of issue, each with the one before it on the same cycle."""
    found: list[BilledDocument] = []
    latest: dict[tuple[str, Cycle], BilledDocument] = {}
    for document in documents:
        invoice = document.invoice
        key = invoice.account_id, invoice.cycle
        billed = _billed(document, latest.get(key))
        found.append(billed)
        latest[key] = billed
    return found


def _billed(document: InvoiceDocument, before: BilledDocument | None) -> BilledDocument:
    lines = {line.kind: line for line in document.invoice.lines}
    billed = BilledDocument(document, lines["usage"], lines.get("discount"), before)
    earlier = Decimal(0) if before is None else before.cycle_total
    added = EXACT.subtract(billed.cycle_total, earlier)
    assert document.invoice.total.amount == added, "the documents of a cycle add up to its total"
    return billed
