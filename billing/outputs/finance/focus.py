"""Billed documents as FOCUS 1.4: Cost and Usage, Invoice Detail and Billing Period.

How documents become rows:

- **A draft or an invoice is one row of usage**, discount included: in FOCUS an agreed price shows as a
  lower ContractedCost, and a credit is only ever money granted. `ListCost` is before the discount,
  `ContractedCost`, `BilledCost` and `EffectiveCost` are after it.
- **A note is two rows of `ChargeClass` Correction**: one reverses what was billed before, the other bills
  the cycle as it is now. So quantities add up to the final peak, and on every row price times quantity is
  the cost, which would not hold for the difference of two tiers.
- `PricingQuantity` and `ConsumedQuantity` are the peak, in Identities. `ListUnitPrice` is that of the
  tier if a single price applies; else (graduated tiers, packages, included units, flat prices, minimum,
  maximum) it is the average price, to ten digits more than the quantity has. If a peak of 0 costs
  something, one Billing Cycle is priced.
- Where the plan prices credits, they have a separate row, in Credits and under an SKU of their own; a
  note reverses and restates that row as well.
- The billing period is the cycle of a document, even for a later note. It is Closed once all its
  documents in this export are issued.
- A draft has no invoice, so it has no `InvoiceId` and no Invoice Detail, and its period is Open.

The sum of `BilledCost` over an invoice's rows, and over its details, is its total. Columns that do
not apply are present and empty; so is `PaymentDueDate`, which is not known. Custom columns begin with
`x_`: `x_CorrectionOf` names the `x_ChargeKey` of the invoice's row, and `x_NetCharge` is the charge for
the identities of the cycle, or for its credits, as of this row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from ...core.catalogue import WIDE
from ...core.cycle import micros
from ...core.invoice import Invoice, Line
from ...core.money import EXACT, round_amount
from ...invoicing.issued import BilledDocument
from ..tables.schema import Column, Row, Schema, View, code, decimal, instant, integer, money, text

_NEAREST: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)

COST_AND_USAGE: Final = Schema(
    "cost and usage",
    (
        Column("AllocatedMethodDetails", text, null=True),
        Column("AllocatedMethodId", text, null=True),
        Column("AllocatedResourceId", text, null=True),
        Column("AllocatedResourceName", text, null=True),
        Column("AllocatedTags", text, null=True),
        Column("AvailabilityZone", text, null=True),
        Column("BilledCost", money),
        Column("BillingAccountId", text),
        Column("BillingAccountName", text, null=True),
        Column("BillingAccountType", code),
        Column("BillingCurrency", code),
        Column("BillingPeriodEnd", instant),
        Column("BillingPeriodStart", instant),
        Column("CapacityReservationId", text, null=True),
        Column("CapacityReservationStatus", text, null=True),
        Column("ChargeCategory", code),
        Column("ChargeClass", code, null=True),
        Column("ChargeDescription", text),
        Column("ChargeFrequency", code),
        Column("ChargePeriodEnd", instant),
        Column("ChargePeriodStart", instant),
        Column("CommitmentDiscountCategory", text, null=True),
        Column("CommitmentDiscountId", text, null=True),
        Column("CommitmentDiscountName", text, null=True),
        Column("CommitmentDiscountQuantity", text, null=True),
        Column("CommitmentDiscountStatus", text, null=True),
        Column("CommitmentDiscountType", text, null=True),
        Column("CommitmentDiscountUnit", text, null=True),
        Column("CommitmentProgramEligibilityDetails", text, null=True),
        Column("ConsumedQuantity", decimal),
        Column("ConsumedUnit", code),
        Column("ContractApplied", text, null=True),
        Column("ContractedCost", money),
        Column("ContractedUnitPrice", money),
        Column("EffectiveCost", money),
        Column("HostProviderName", text, null=True),
        Column("InvoiceDetailId", text, null=True),
        Column("InvoiceId", text, null=True),
        Column("InvoiceIssuerName", text),
        Column("ListCost", money),
        Column("ListUnitPrice", money),
        Column("PricingCategory", code),
        Column("PricingCurrency", code),
        Column("PricingCurrencyContractedUnitPrice", money),
        Column("PricingCurrencyEffectiveCost", money),
        Column("PricingCurrencyListUnitPrice", money),
        Column("PricingQuantity", decimal),
        Column("PricingUnit", code),
        Column("RegionId", text, null=True),
        Column("RegionName", text, null=True),
        Column("ResourceId", text, null=True),
        Column("ResourceName", text, null=True),
        Column("ResourceType", text, null=True),
        Column("ServiceCategory", code),
        Column("ServiceName", text),
        Column("ServiceProviderName", text),
        Column("ServiceSubcategory", code),
        Column("SkuId", text),
        Column("SkuMeter", text),
        Column("SkuPriceDetails", text, null=True),
        Column("SkuPriceId", text),
        Column("SubAccountId", text, null=True),
        Column("SubAccountName", text, null=True),
        Column("SubAccountType", text, null=True),
        Column("Tags", text, null=True),
        Column("x_ChargeKey", text, null=True),
        Column("x_CorrectionOf", text, null=True),
        Column("x_Cycle", code),
        Column("x_Digest", code, null=True),
        Column("x_Kind", code),
        Column("x_NetCharge", money),
        Column("x_PeakAt", instant, null=True),
        Column("x_Position", integer, null=True),
    ),
)
INVOICE_DETAIL: Final = Schema(
    "invoice detail",
    (
        Column("BilledCost", money),
        Column("BillingAccountId", text),
        Column("BillingCurrency", code),
        Column("BillingPeriodEnd", instant),
        Column("BillingPeriodStart", instant),
        Column("ChargeCategory", code),
        Column("InvoiceDetailCreated", instant),
        Column("InvoiceDetailDescription", text),
        Column("InvoiceDetailGrain", text, null=True),
        Column("InvoiceDetailId", text),
        Column("InvoiceDetailLastUpdated", instant),
        Column("InvoiceId", text),
        Column("InvoiceIssueDate", instant),
        Column("InvoiceIssueStatus", code),
        Column("InvoiceIssuerName", text),
        Column("PaymentCurrency", code),
        Column("PaymentCurrencyBilledCost", money),
        Column("PaymentCurrencyInvoiceDetailId", text),
        Column("PaymentDueDate", text, null=True),
        Column("PaymentTerms", text),
        Column("PurchaseOrderNumber", text, null=True),
        Column("ReferenceInvoiceId", text),
    ),
)
BILLING_PERIOD: Final = Schema(
    "billing period",
    (
        Column("BillingPeriodCreated", instant),
        Column("BillingPeriodEnd", instant),
        Column("BillingPeriodLastUpdated", instant),
        Column("BillingPeriodStart", instant),
        Column("BillingPeriodStatus", code),
        Column("InvoiceIssuerName", text),
    ),
)


@dataclass(frozen=True, slots=True)
class Parties:
    """The provider, the invoice issuer, the service and the payment terms that an export states."""

    provider: str
    issuer: str
    service: str
    payment_terms: str


@dataclass(frozen=True, slots=True)
class Focus:
    """The three datasets."""

    cost_and_usage: View
    invoice_detail: View
    billing_period: View


def focus(documents: Sequence[BilledDocument], parties: Parties) -> Focus:
    """Export documents, given in the order of issue, as FOCUS 1.4."""
    charges = [charge for document in documents for charge in _charges(document)]
    return Focus(
        View(COST_AND_USAGE, [_cost_and_usage(charge, parties) for charge in charges]),
        View(INVOICE_DETAIL, [_detail(charge, parties) for charge in charges if charge.number is not None]),
        View(BILLING_PERIOD, list(_periods(documents, parties))),
    )


@dataclass(frozen=True, slots=True)
class _Charge:
    """One row of a document: the charge for the identities of a cycle, or for the credits used in it.

    `source` is the document whose charge it is: the document itself, or with a negative sign the one before
    it, whose charge the row reverses.
    """

    document: BilledDocument
    source: BilledDocument
    row: int
    sign: int
    credits: Line | None = None

    @property
    def number(self) -> str | None:
        """The number of the document; None for a draft."""
        return self.document.invoice.number

    @property
    def key(self) -> str | None:
        """The identifier of the charge: the number of the document and the row within it."""
        return None if self.number is None else f"{self.number}-{self.row}"

    @property
    def billed_cost(self) -> Decimal:
        return EXACT.multiply(self.amount, self.sign)

    @property
    def amount(self) -> Decimal:
        return self.source.net if self.credits is None else self.credits.amount

    @property
    def original_row(self) -> int:
        """The row of the invoice that a correction is about."""
        return 1 if self.credits is None else 2

    @property
    def description(self) -> str:
        reason = (self.credits or self.source.usage).description
        if self.sign < 0:
            return f"Already billed by {self.source.invoice.number}: {reason}"
        return reason if self.credits or not self.source.discount else f"{reason}; {self.source.discount.description}"


def _charges(document: BilledDocument) -> Iterator[_Charge]:
    before = [] if document.before is None else [(document.before, -1)]
    row = 0
    for source, sign in (*before, (document, 1)):
        credits = source.invoice.credits
        for line in (None, credits) if credits else (None,):
            row += 1
            yield _Charge(document, source, row, sign, line)


@dataclass(frozen=True, slots=True)
class _Pricing:
    """The pricing columns of a charge: quantity, unit, prices, costs and SKU."""

    quantity: Decimal
    unit: str
    list_price: Decimal
    list_cost: Decimal
    contracted_price: Decimal
    contracted_cost: Decimal
    consumed: tuple[Decimal, str]
    sku: str
    meter: str


def _pricing(charge: _Charge) -> _Pricing:
    source, credits = charge.source, charge.credits
    if credits is not None:
        assert credits.quantity is not None and credits.unit_price is not None, "a line of credits has both"
        quantity, price = Decimal(credits.quantity), credits.unit_price
        cost = WIDE.multiply(quantity, price)
        used, sku = (quantity, "Credits"), f"{source.invoice.plan_id}:credits"
        return _Pricing(*used, price, cost, price, cost, used, sku, "Credits used by actions")
    quantity, unit, list_price, list_cost = _list_pricing(source)
    contracted = list_price, list_cost
    if source.discount is not None:
        contracted = _average(source.net, quantity), source.net
    peak, meter = (Decimal(source.invoice.peak), "Identities"), "Peak of identities active at the same moment"
    return _Pricing(quantity, unit, list_price, list_cost, *contracted, peak, source.invoice.plan_id, meter)


def _cost_and_usage(charge: _Charge, parties: Parties) -> Row:
    document, source = charge.document, charge.source.invoice
    invoice = document.invoice
    pricing = _pricing(charge)
    start, end = _span(invoice)
    billed_cost = _with_sign(charge.billed_cost, 1)
    values = {
        "BilledCost": billed_cost,
        "BillingAccountId": invoice.account_id,
        "BillingAccountType": "Account",
        "BillingCurrency": invoice.currency,
        "BillingPeriodEnd": end,
        "BillingPeriodStart": start,
        "ChargeCategory": "Usage",
        "ChargeClass": None if document.before is None else "Correction",
        "ChargeDescription": charge.description,
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": end,
        "ChargePeriodStart": start,
        "ConsumedQuantity": _with_sign(pricing.consumed[0], charge.sign),
        "ConsumedUnit": pricing.consumed[1],
        "ContractedCost": _with_sign(pricing.contracted_cost, charge.sign),
        "ContractedUnitPrice": pricing.contracted_price,
        "EffectiveCost": billed_cost,
        "InvoiceDetailId": charge.key,
        "InvoiceId": charge.number,
        "InvoiceIssuerName": parties.issuer,
        "ListCost": _with_sign(pricing.list_cost, charge.sign),
        "ListUnitPrice": pricing.list_price,
        "PricingCategory": "Standard",
        "PricingCurrency": invoice.currency,
        "PricingCurrencyContractedUnitPrice": pricing.contracted_price,
        "PricingCurrencyEffectiveCost": billed_cost,
        "PricingCurrencyListUnitPrice": pricing.list_price,
        "PricingQuantity": _with_sign(pricing.quantity, charge.sign),
        "PricingUnit": pricing.unit,
        "ServiceCategory": "Identity",
        "ServiceName": parties.service,
        "ServiceProviderName": parties.provider,
        "ServiceSubcategory": "Other (Identity)",
        "SkuId": pricing.sku,
        "SkuMeter": pricing.meter,
        "SkuPriceId": pricing.sku,
        "x_ChargeKey": charge.key,
        "x_CorrectionOf": None if document.before is None else f"{document.document.refers_to}-{charge.original_row}",
        "x_Cycle": invoice.cycle.name,
        "x_Digest": invoice.basis.digest,
        "x_Kind": document.kind,
        "x_NetCharge": charge.amount if charge.sign > 0 else Decimal(0),
        "x_PeakAt": None if charge.credits or source.peak_at is None else micros(source.peak_at),
        "x_Position": invoice.basis.position,
    }
    return dict.fromkeys(COST_AND_USAGE.names) | values


def _list_pricing(document: BilledDocument) -> tuple[Decimal, str, Decimal, Decimal]:
    """The quantity that is priced, its unit, the list price and the list cost."""
    peak, price, cost = Decimal(document.invoice.peak), document.usage.unit_price, document.usage.amount
    if price is not None:
        exact = EXACT.multiply(peak, price)
        if round_amount(exact, document.invoice.currency).amount == cost:
            return peak, "Identities", price, exact
    if not peak and cost:
        return Decimal(1), "Billing Cycles", cost, cost
    return peak, "Identities", _average(cost, peak), cost


def _average(cost: Decimal, quantity: Decimal) -> Decimal:
    """A unit price that reproduces the cost to within 1e-10 of the currency unit."""
    if not quantity:
        return Decimal(0)
    exact = _NEAREST.divide(cost, quantity)
    nearest = _NEAREST.quantize(exact, Decimal(1).scaleb(-10 - len(str(int(quantity)))))
    return nearest.normalize(_NEAREST)


def _with_sign(number: Decimal, sign: int) -> Decimal:
    """A number or its negative; 0 has no sign."""
    if not number:
        return number.copy_abs()
    return number.copy_negate() if sign < 0 else number


def _detail(charge: _Charge, parties: Parties) -> Row:
    document, invoice = charge.document.document, charge.document.invoice
    assert document.issued_at is not None, "a document with a number has a date of issue"
    issued_at, billed_cost = document.issued_at, _with_sign(charge.billed_cost, 1)
    start, end = _span(invoice)
    values = {
        "BilledCost": billed_cost,
        "BillingAccountId": invoice.account_id,
        "BillingCurrency": invoice.currency,
        "BillingPeriodEnd": end,
        "BillingPeriodStart": start,
        "ChargeCategory": "Usage",
        "InvoiceDetailCreated": issued_at,
        "InvoiceDetailDescription": charge.description,
        "InvoiceDetailId": charge.key,
        "InvoiceDetailLastUpdated": issued_at,
        "InvoiceId": charge.number,
        "InvoiceIssueDate": issued_at,
        "InvoiceIssueStatus": "Issued",
        "InvoiceIssuerName": parties.issuer,
        "PaymentCurrency": invoice.currency,
        "PaymentCurrencyBilledCost": billed_cost,
        "PaymentCurrencyInvoiceDetailId": charge.key,
        "PaymentTerms": parties.payment_terms,
        "ReferenceInvoiceId": document.refers_to or charge.number,
    }
    return dict.fromkeys(INVOICE_DETAIL.names) | values


def _periods(documents: Sequence[BilledDocument], parties: Parties) -> Iterator[Row]:
    """The billing period of each cycle with documents: created at its start, updated with each document."""
    by_period: dict[tuple[int, int], list[BilledDocument]] = {}
    for document in documents:
        by_period.setdefault(_span(document.invoice), []).append(document)
    for (start, end), in_period in sorted(by_period.items(), key=lambda item: item[0]):
        issued = [item.document.issued_at for item in in_period if item.document.issued_at is not None]
        yield {
            "BillingPeriodCreated": start,
            "BillingPeriodEnd": end,
            "BillingPeriodLastUpdated": max([start, *issued]),
            "BillingPeriodStart": start,
            "BillingPeriodStatus": "Closed" if len(issued) == len(in_period) else "Open",
            "InvoiceIssuerName": parties.issuer,
        }


def _span(invoice: Invoice) -> tuple[int, int]:
    """The cycle of an invoice, `[start, end)` in microseconds."""
    return micros(invoice.cycle.start), micros(invoice.cycle.end)
