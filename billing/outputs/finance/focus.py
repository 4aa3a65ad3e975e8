"""What was billed in the columns of FOCUS 1.4: Cost and Usage, Invoice Detail and Billing Period.

How our documents become rows:

- **A draft or an invoice is one row of usage**, its discount in it: FOCUS wants a price that was agreed
  to show as a lower ContractedCost, and knows a credit only as money that was granted. `ListCost` is
  before the discount, `ContractedCost`, `BilledCost` and `EffectiveCost` are after it.
- **A note is two rows of `ChargeClass` Correction**: what was billed before, taken back, and the cycle
  as it is now. So quantities add up to the peak that is owed in the end, and a price times its quantity
  is a cost on every row, which the difference of two tiers would not be.
- `PricingQuantity` and `ConsumedQuantity` are the peak, in Identities. `ListUnitPrice` is that of the
  tier where one price applies; else (graduated tiers, packages, included units, flat prices, minimum,
  maximum) the average that makes the cost, to ten digits more than the quantity has. Where a peak of 0
  costs something, one Billing Cycle is priced.
- Where the plan prices credits, they are a row of their own beside that of the identities, in Credits,
  under an SKU of their own; a note takes back and restates that row as well.
- The billing period is the cycle that a document is about, also for a note that came later. It is
  Closed once all that this export has of it was issued.
- A draft has no invoice, so it has no `InvoiceId` and no Invoice Detail, and its period is Open.

The sum of `BilledCost` over an invoice's rows, and over its details, is its total. Columns that do
not concern us are there, and empty; `PaymentDueDate` too, since we do not know it. Ours begin with
`x_`: `x_CorrectionOf` names the `x_ChargeKey` of the invoice's row, and `x_NetCharge` is what the
identities of the cycle, or its credits, come to with this row.
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
class Names:
    """Who provides and who bills, as an export says it; the issuer is the provider unless another."""

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


def focus(documents: Sequence[BilledDocument], names: Names) -> Focus:
    """Documents, in the order of issue, as FOCUS 1.4."""
    charges = [charge for billed in documents for charge in _charges(billed)]
    return Focus(
        View(COST_AND_USAGE, [_cost_and_usage(charge, names) for charge in charges]),
        View(INVOICE_DETAIL, [_detail(charge, names) for charge in charges if charge.number is not None]),
        View(BILLING_PERIOD, list(_periods(documents, names))),
    )


@dataclass(frozen=True, slots=True)
class _Charge:
    """One row of a document: the charge for the identities `of` a cycle, or for the credits that it used.

    `of` is the document itself, or with a negative sign the one before it, which the row takes back.
    """

    document: BilledDocument
    of: BilledDocument
    place: int
    sign: int
    credits: Line | None = None

    @property
    def number(self) -> str | None:
        """The number of its document; none on a draft."""
        return self.document.invoice.number

    @property
    def key(self) -> str | None:
        """What names it: the number of its document, and its place there."""
        return None if self.number is None else f"{self.number}-{self.place}"

    @property
    def billed(self) -> Decimal:
        return EXACT.multiply(self.amount, self.sign)

    @property
    def amount(self) -> Decimal:
        return self.of.net if self.credits is None else self.credits.amount

    @property
    def original(self) -> int:
        """The place of the invoice's row that a correction is about."""
        return 1 if self.credits is None else 2

    @property
    def description(self) -> str:
        reason = (self.credits or self.of.usage).description
        if self.sign < 0:
            return f"Already billed by {self.of.invoice.number}: {reason}"
        return reason if self.credits or not self.of.discount else f"{reason}; {self.of.discount.description}"


def _charges(document: BilledDocument) -> Iterator[_Charge]:
    before = [] if document.before is None else [(document.before, -1)]
    place = 0
    for of, sign in (*before, (document, 1)):
        credits = of.invoice.credits
        for line in (None, credits) if credits else (None,):
            place += 1
            yield _Charge(document, of, place, sign, line)


@dataclass(frozen=True, slots=True)
class _Priced:
    """How many of what are priced, at which prices, and what for."""

    quantity: Decimal
    unit: str
    list_price: Decimal
    list_cost: Decimal
    contracted_price: Decimal
    contracted_cost: Decimal
    consumed: tuple[Decimal, str]
    sku: str
    meter: str


def _priced_as(charge: _Charge) -> _Priced:
    of, credits = charge.of, charge.credits
    if credits is not None:
        assert credits.quantity is not None and credits.unit_price is not None, "credits have a price each"
        quantity, price = Decimal(credits.quantity), credits.unit_price
        cost = WIDE.multiply(quantity, price)
        used, sku = (quantity, "Credits"), f"{of.invoice.plan_id}:credits"
        return _Priced(*used, price, cost, price, cost, used, sku, "Credits used by actions")
    quantity, unit, list_price, list_cost = _priced(of)
    contracted = list_price, list_cost
    if of.discount is not None:
        contracted = _average(of.net, quantity), of.net
    peak, meter = (Decimal(of.invoice.peak), "Identities"), "Peak of identities active at the same moment"
    return _Priced(quantity, unit, list_price, list_cost, *contracted, peak, of.invoice.plan_id, meter)


def _cost_and_usage(charge: _Charge, names: Names) -> Row:
    document, of = charge.document, charge.of.invoice
    invoice = document.invoice
    priced = _priced_as(charge)
    start, end = _span(invoice)
    billed = _signed(charge.billed, 1)
    filled = {
        "BilledCost": billed,
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
        "ConsumedQuantity": _signed(priced.consumed[0], charge.sign),
        "ConsumedUnit": priced.consumed[1],
        "ContractedCost": _signed(priced.contracted_cost, charge.sign),
        "ContractedUnitPrice": priced.contracted_price,
        "EffectiveCost": billed,
        "InvoiceDetailId": charge.key,
        "InvoiceId": charge.number,
        "InvoiceIssuerName": names.issuer,
        "ListCost": _signed(priced.list_cost, charge.sign),
        "ListUnitPrice": priced.list_price,
        "PricingCategory": "Standard",
        "PricingCurrency": invoice.currency,
        "PricingCurrencyContractedUnitPrice": priced.contracted_price,
        "PricingCurrencyEffectiveCost": billed,
        "PricingCurrencyListUnitPrice": priced.list_price,
        "PricingQuantity": _signed(priced.quantity, charge.sign),
        "PricingUnit": priced.unit,
        "ServiceCategory": "Identity",
        "ServiceName": names.service,
        "ServiceProviderName": names.provider,
        "ServiceSubcategory": "Other (Identity)",
        "SkuId": priced.sku,
        "SkuMeter": priced.meter,
        "SkuPriceId": priced.sku,
        "x_ChargeKey": charge.key,
        "x_CorrectionOf": None if document.before is None else f"{document.document.refers_to}-{charge.original}",
        "x_Cycle": invoice.cycle.name,
        "x_Digest": invoice.basis.digest,
        "x_Kind": document.kind,
        "x_NetCharge": charge.amount if charge.sign > 0 else Decimal(0),
        "x_PeakAt": None if charge.credits or of.peak_at is None else micros(of.peak_at),
        "x_Position": invoice.basis.position,
    }
    return dict.fromkeys(COST_AND_USAGE.names) | filled


def _priced(of: BilledDocument) -> tuple[Decimal, str, Decimal, Decimal]:
    """How many of what are priced, at which list price, and the list cost."""
    peak, price, cost = Decimal(of.invoice.peak), of.usage.unit_price, of.usage.amount
    if price is not None:
        exact = EXACT.multiply(peak, price)
        if round_amount(exact, of.invoice.currency).amount == cost:
            return peak, "Identities", price, exact
    if not peak and cost:
        return Decimal(1), "Billing Cycles", cost, cost
    return peak, "Identities", _average(cost, peak), cost


def _average(cost: Decimal, quantity: Decimal) -> Decimal:
    """A price that times the quantity is the cost, within a ten-thousand-millionth of the currency."""
    if not quantity:
        return Decimal(0)
    exact = _NEAREST.divide(cost, quantity)
    nearest = _NEAREST.quantize(exact, Decimal(1).scaleb(-10 - len(str(int(quantity)))))
    return nearest.normalize(_NEAREST)


def _signed(number: Decimal, sign: int) -> Decimal:
    """A number or its negative; 0 has no sign."""
    if not number:
        return number.copy_abs()
    return number.copy_negate() if sign < 0 else number


def _detail(charge: _Charge, names: Names) -> Row:
    document, invoice = charge.document.document, charge.document.invoice
    assert document.issued_at is not None, "what has a number has a date"
    issued_at, billed = document.issued_at, _signed(charge.billed, 1)
    start, end = _span(invoice)
    filled = {
        "BilledCost": billed,
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
        "InvoiceIssuerName": names.issuer,
        "PaymentCurrency": invoice.currency,
        "PaymentCurrencyBilledCost": billed,
        "PaymentCurrencyInvoiceDetailId": charge.key,
        "PaymentTerms": names.payment_terms,
        "ReferenceInvoiceId": document.refers_to or charge.number,
    }
    return dict.fromkeys(INVOICE_DETAIL.names) | filled


def _periods(documents: Sequence[BilledDocument], names: Names) -> Iterator[Row]:
    """The cycles that there are documents of; a period is known from its start, and changes with each document."""
    within: dict[tuple[int, int], list[BilledDocument]] = {}
    for billed in documents:
        within.setdefault(_span(billed.invoice), []).append(billed)
    for (start, end), some in sorted(within.items(), key=lambda item: item[0]):
        issued = [billed.document.issued_at for billed in some if billed.document.issued_at is not None]
        yield {
            "BillingPeriodCreated": start,
            "BillingPeriodEnd": end,
            "BillingPeriodLastUpdated": max([start, *issued]),
            "BillingPeriodStart": start,
            "BillingPeriodStatus": "Closed" if len(issued) == len(some) else "Open",
            "InvoiceIssuerName": names.issuer,
        }


def _span(invoice: Invoice) -> tuple[int, int]:
    """The cycle of an invoice, `[start, end)` in microseconds."""
    return micros(invoice.cycle.start), micros(invoice.cycle.end)
