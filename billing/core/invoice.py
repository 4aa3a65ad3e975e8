"""Invoices: a priced peak, with the lines that add up to the total.

A draft is a pure function of a peak, a cycle and the terms. It is not stored and has no number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from typing import Literal

from .activity import ActivityPolicy
from .catalogue import WIDE
from .cycle import Cycle
from .money import EXACT, Money, round_amount
from .plan import Part, Plan, Price


@dataclass(frozen=True, slots=True)
class Line:
    """One amount on an invoice, and how it was computed.

    `kind` is `usage`, `discount`, `credits` where the plan prices a credit (then `quantity` may be a
    fraction), or `billed` for what earlier documents claimed. `unit_price` is none where several
    prices apply; then `parts` lists what each tier adds, before rounding.
    """

    kind: Literal["usage", "discount", "credits", "billed"]
    description: str
    quantity: int | Decimal | None
    unit_price: Decimal | None
    amount: Decimal
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Basis:
    """What an invoice was computed from.

    `events` is how many accepted events of the account the source has; `position` and `digest` are those of
    the ledger (for a file, only the digest, if requested); `tzdata` is the version of the time zone
    rules; `terms_version` is that of the terms in the ledger, if they were used.
    """

    events: int
    position: int | None
    digest: str | None
    tzdata: str
    terms_version: int | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    """What an account owes for a billing cycle, and why.

    `peak` identities were active at `peak_at` (aware, UTC; none if the peak is 0), and never more in
    the cycle. `total` is the sum of `lines`. A draft has no `number`.
    """

    account_id: str
    cycle: Cycle
    peak: int
    peak_at: datetime | None
    plan_id: str
    lines: tuple[Line, ...]
    total: Money
    policy: ActivityPolicy
    basis: Basis
    status: Literal["draft", "issued"] = "draft"
    number: str | None = None

    @property
    def currency(self) -> str:
        """The currency of every amount on it."""
        return self.total.currency

    @property
    def credits(self) -> Line | None:
        """The line for the credits used; none if the account does not pay for credits."""
        return next((line for line in self.lines if line.kind == "credits"), None)


def lines(
    price: Price, plan: Plan, discount: Decimal, credits: Decimal | None = None
) -> tuple[tuple[Line, ...], Money]:
    """The lines for a priced peak, and for the `credits` used if the account pays for them, and their sum.

    The discount is a percentage of the rounded usage line, and is rounded in the same way. Credits come
    after it, since it does not apply to them.
    """
    identity_lines, total = _for_identities(price, plan, discount)
    if credits is None:
        return identity_lines, total
    used = credits_line(credits, plan)
    return (*identity_lines, used), total + Money(used.amount, plan.currency)


def credits_line(credits: Decimal, plan: Plan) -> Line:
    """The line for the credits used in a cycle, even if there were none, by a plan that prices them."""
    assert plan.credit_price is not None, "credits are billed only if they have a price"
    text = f"{_grouped(credits)} {'credit' if credits == 1 else 'credits'} for actions"
    sums = f"{_short(credits)} x {plan.credit_price:f}"
    amount = round_amount(WIDE.multiply(credits, plan.credit_price), plan.currency).amount
    return Line("credits", f"{text}: {sums}", Decimal(_short(credits)), plan.credit_price, amount)


def _for_identities(price: Price, plan: Plan, discount: Decimal) -> tuple[tuple[Line, ...], Money]:
    graduated = plan.mode == "graduated"
    usage = Line(
        kind="usage",
        description=arithmetic(price, plan),
        quantity=int(price.quantity),
        unit_price=price.tier.unit_price if price.tier and price.units and not graduated else None,
        amount=price.total.amount,
        parts=price.parts if graduated else (),
    )
    if not discount:
        return (usage,), price.total
    reduction = discount_on(discount, price.total)
    less = Line("discount", f"Discount of {_short(discount)}% on {price.total}", None, None, reduction.amount)
    return (usage, less), price.total + reduction


def discount_on(discount: Decimal, usage: Money) -> Money:
    """The amount of a discount line, 0 or negative: a percentage of the usage line."""
    with localcontext(EXACT):
        return round_amount(-usage.amount * discount.scaleb(-2), usage.currency)


def arithmetic(price: Price, plan: Plan) -> str:
    """How the usage line was computed, so that a reader can recompute it by hand."""
    count = price.quantity
    text = f"Peak of {count:,} engagement {'identity' if count == 1 else 'identities'}"
    if plan.included:
        text += f", {plan.included:,} included"
    if plan.package_size:
        text += f", in packages of {plan.package_size:,}"
    sums = []
    for part in price.parts:
        if part.units:
            sums.append(f"{_short(part.units)} x {part.tier.unit_price:f}")
        if part.tier.flat_price:
            sums.append(f"{part.tier.flat_price:f} flat")
    if sums:
        text += f": {' + '.join(sums)}"
    tiers = sum(part.amount for part in price.parts)
    if price.exact > tiers:
        text += f", raised to the minimum of {plan.minimum:f}"
    elif price.exact < tiers:
        text += f", lowered to the maximum of {plan.maximum:f}"
    return text


def _short(number: Decimal) -> str:
    """A decimal without trailing zeros."""
    return f"{number.normalize(WIDE):f}"


def _grouped(number: Decimal) -> str:
    """A decimal without trailing zeros, with thousands separated."""
    return f"{number.normalize(WIDE):,f}"
