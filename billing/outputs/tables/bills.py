"""Peaks, draft invoices and prices as tables and documents."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from ...core.cycle import Cycle, micros
from ...core.invoice import Invoice, arithmetic
from ...core.plan import Plan, Price
from ...core.sweep import Peak
from ...invoicing.document import invoice_content
from .schema import Column, Schema, View, code, cycle_columns, instant, integer, money, quantity, text

_PEAK: Final = (
    Column("account_id", text),
    *cycle_columns(),
    Column("peak", integer),
    Column("peak_at", instant, null=True),
)
PEAKS: Final = Schema("peaks", _PEAK)
LINES: Final = Schema(
    "invoice lines",
    (
        *_PEAK,
        Column("plan_id", text),
        Column("currency", code),
        Column("kind", code),
        Column("description", text),
        Column("quantity", quantity, null=True),
        Column("unit_price", money, null=True),
        Column("amount", money),
        Column("total", money),
        Column("status", code),
        Column("number", text, null=True),
    ),
)
PRICES: Final = Schema(
    "prices",
    (
        Column("quantity", quantity),
        Column("total", money),
        Column("currency", code),
        Column("description", text),
    ),
)


def peaks(found: Iterable[Peak]) -> View:
    """The peak of each account and cycle."""
    return View(
        PEAKS,
        [
            {
                "account_id": row.account_id,
                "cycle": row.cycle.name,
                "cycle_start": row.start,
                "cycle_end": row.end,
                "peak": row.peak,
                "peak_at": row.peak_at,
            }
            for row in found
        ],
    )


def invoice(drafted: Invoice) -> dict[str, Any]:
    """A draft as a document.

    What is issued has no key `cycle` after `account_id`, and never will have: issued documents are
    kept as they are, and sealed. A draft is only shown, so it has the keys of every other table.
    """
    return {"account_id": drafted.account_id, "cycle": drafted.cycle.name} | invoice_content(drafted)


def invoice_lines(drafts: Iterable[Invoice]) -> View:
    """Draft invoices, a row for each line."""
    return View(
        LINES,
        [
            {
                "account_id": drafted.account_id,
                **cycle_of(drafted.cycle),
                "peak": drafted.peak,
                "peak_at": None if drafted.peak_at is None else micros(drafted.peak_at),
                "plan_id": drafted.plan_id,
                "currency": drafted.currency,
                "kind": line.kind,
                "description": line.description,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "amount": line.amount,
                "total": drafted.total.amount,
                "status": drafted.status,
                "number": drafted.number,
            }
            for drafted in drafts
            for line in drafted.lines
        ],
    )


def prices(found: Iterable[Price], plan: Plan) -> View:
    """What quantities cost, and how the amount comes about."""
    return View(
        PRICES,
        [
            {
                "quantity": _whole(price.quantity),
                "total": price.total.amount,
                "currency": price.total.currency,
                "description": arithmetic(price, plan),
            }
            for price in found
        ],
    )


def cycle_of(cycle: Cycle) -> dict[str, Any]:
    """A cycle as every row that speaks of one has it: the values of `cycle_columns`."""
    return {"cycle": cycle.name, "cycle_start": micros(cycle.start), "cycle_end": micros(cycle.end)}


def _whole(number: int | Decimal) -> int | Decimal:
    return int(number) if number == int(number) else Decimal(number)
