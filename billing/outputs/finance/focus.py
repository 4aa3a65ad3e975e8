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
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from ...core.catalogue import WIDE
from ...core.cycle import micros, text_of
from ...core.invoice import Invoice, Line
from ...core.money import EXACT, rounded
from ...invoicing.issued import BilledDocument

_NEAREST: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)

COST_AND_USAGE: Final = (
    "AllocatedMethodDetails",
    "AllocatedMethodId",
    "AllocatedResourceId",
    "AllocatedResourceName",
    "AllocatedTags",
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingAccountType",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "CommitmentProgramEligibilityDetails",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractApplied",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "HostProviderName",
    "InvoiceDetailId",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceProviderName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "SubAccountType",
    "Tags",
    "x_ChargeKey",
    "x_CorrectionOf",
    "x_Cycle",
    "x_Digest",
    "x_Kind",
    "x_NetCharge",
    "x_PeakAt",
    "x_Position",
)
INVOICE_DETAIL: Final = (
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "InvoiceDetailCreated",
    "InvoiceDetailDescription",
    "InvoiceDetailGrain",
    "InvoiceDetailId",
    "InvoiceDetailLastUpdated",
    "InvoiceId",
    "InvoiceIssueDate",
    "InvoiceIssueStatus",
    "InvoiceIssuerName",
    "PaymentCurrency",
    "PaymentCurrencyBilledCost",
    "PaymentCurrencyInvoiceDetailId",
    "PaymentDueDate",
    "PaymentTerms",
    "PurchaseOrderNumber",
    "ReferenceInvoiceId",
)
BILLING_PERIOD: Final = (
    "BillingPeriodCreated",
    "BillingPeriodEnd",
    "BillingPeriodLastUpdated",
    "BillingPeriodStart",
    "BillingPeriodStatus",
    "InvoiceIssuerName",
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
    """The three datasets, each as rows that have all its columns."""

    cost_and_usage: list[dict[str, Any]]
    invoice_detail: list[dict[str, Any]]
    billing_period: list[dict[str, Any]]


def focus(documents: Sequence[BilledDocument], names: Names) -> Focus:
    """Documents, in the order of issue, as FOCUS 1.4."""
    charges = [charge for billed in documents for charge in _charges(billed)]
    return Focus(
        [_cost_and_usage(charge, names) for charge in charges],
        [_detail(charge, names) for charge in charges if charge.number is not None],
        list(_periods(documents, names)),
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
        text = (self.credits or self.of.usage).description
        if self.sign < 0:
            return f"Already billed by {self.of.invoice.number}: {text}"
        return text if self.credits or not self.of.discount else f"{text}; {self.of.discount.description}"


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


def _cost_and_usage(charge: _Charge, names: Names) -> dict[str, Any]:
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
        "ContractedUnitPrice": f"{priced.contracted_price:f}",
        "EffectiveCost": billed,
        "InvoiceDetailId": charge.key,
        "InvoiceId": charge.number,
        "InvoiceIssuerName": names.issuer,
        "ListCost": _signed(priced.list_cost, charge.sign),
        "ListUnitPrice": f"{priced.list_price:f}",
        "PricingCategory": "Standard",
        "PricingCurrency": invoice.currency,
        "PricingCurrencyContractedUnitPrice": f"{priced.contracted_price:f}",
        "PricingCurrencyEffectiveCost": billed,
        "PricingCurrencyListUnitPrice": f"{priced.list_price:f}",
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
        "x_NetCharge": f"{charge.amount if charge.sign > 0 else Decimal(0):f}",
        "x_PeakAt": None if charge.credits or of.peak_at is None else text_of(micros(of.peak_at)),
        "x_Position": invoice.basis.position,
    }
    return {column: filled.get(column) for column in COST_AND_USAGE}


def _priced(of: BilledDocument) -> tuple[Decimal, str, Decimal, Decimal]:
    """How many of what are priced, at which list price, and the list cost."""
    peak, price, cost = Decimal(of.invoice.peak), of.usage.unit_price, of.usage.amount
    if price is not None:
        exact = EXACT.multiply(peak, price)
        if rounded(exact, of.invoice.currency).amount == cost:
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


def _signed(number: Decimal, sign: int) -> str:
    """A number or its negative as text, and nothing as 0 without a sign."""
    return f"{number.copy_negate() if number and sign < 0 else number if number else number.copy_abs():f}"


def _detail(charge: _Charge, names: Names) -> dict[str, Any]:
    document, invoice = charge.document.document, charge.document.invoice
    assert document.issued_at is not None, "what has a number has a date"
    issued_at, billed = text_of(document.issued_at), _signed(charge.billed, 1)
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
    return {column: filled.get(column) for column in INVOICE_DETAIL}


def _periods(documents: Sequence[BilledDocument], names: Names) -> Iterator[dict[str, Any]]:
    """The cycles that there are documents of; a period is known from its start, and changes with each document."""
    within: dict[tuple[datetime, datetime], list[BilledDocument]] = {}
    for billed in documents:
        within.setdefault((billed.invoice.cycle.start, billed.invoice.cycle.end), []).append(billed)
    for _, some in sorted(within.items(), key=lambda item: item[0]):
        start, end = _span(some[0].invoice)
        issued = [billed.document.issued_at for billed in some if billed.document.issued_at is not None]
        yield {
            "BillingPeriodCreated": start,
            "BillingPeriodEnd": end,
            "BillingPeriodLastUpdated": text_of(max([micros(some[0].invoice.cycle.start), *issued])),
            "BillingPeriodStart": start,
            "BillingPeriodStatus": "Closed" if len(issued) == len(some) else "Open",
            "InvoiceIssuerName": names.issuer,
        }


def _span(invoice: Invoice) -> tuple[str, str]:
    """The start and the end of a cycle, as text."""
    return text_of(micros(invoice.cycle.start)), text_of(micros(invoice.cycle.end))
