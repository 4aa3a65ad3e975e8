"""Causes: the ways in which the other side may have billed, as named data.

A `CountingRule` says how usage is counted and priced; by default, as the definition does. A `Cause`
changes one setting of it, such as counting at the end of the cycle instead of at the peak. To add a
cause, add a line to `CAUSES`; the settings are carried out in `recount` and in `compute_amount`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal, localcontext
from functools import cache
from itertools import combinations
from typing import Any, Final, Literal

from ..core.errors import NotPriced
from ..core.invoice import lines
from ..core.money import EXACT, round_amount
from ..core.plan import Plan, Price
from ..core.terms import Terms


@dataclass(frozen=True, slots=True)
class CountingRule:
    """A way to count usage and to price it; the defaults are those of the definition."""

    # Which events count.
    deletions: bool = True
    connects: bool = True
    standard: bool = False
    repeats: bool = False
    known: Literal["now", "at the cycle's end"] = "now"
    carried: bool = True
    # How long they keep an identity active.
    action_window: Literal["policy", "for ever"] = "policy"
    connect_window: Literal["policy", "action"] = "policy"
    days: Literal["exact", "calendar"] = "exact"
    reconnect: Literal["policy", "other"] = "policy"
    # Over which cycle, and how identities are counted in it.
    cycle: Literal["own", "UTC", "calendar months", "previous", "next"] = "own"
    count: Literal["peak", "distinct", "start", "end", "daily", "hourly", "ends last"] = "peak"
    # What the quantity costs.
    plan: int = 0  # 0 is the one in force, 1 the version before, ...
    mode: Literal["plan", "other"] = "plan"
    discount: bool = True
    credits: bool = True
    rounding: Literal["line", "unit"] = "line"
    tax: Decimal = Decimal(0)


#: The settings that affect only the price: they change no quantity.
PRICE_FIELDS: Final = ("plan", "mode", "discount", "credits", "rounding", "tax")


@dataclass(frozen=True, slots=True)
class Cause:
    """A way in which the other side may have billed, and why their figure differs from ours.

    `name` is stable; `description` is a phrase that completes "they billed ...". `change` is what is
    changed of the counting rule, as pairs of field and value.
    """

    name: str
    description: str
    change: tuple[tuple[str, Any], ...]


#: Rates of VAT and GST that are common enough to be tried, in percent.
TAX_RATES: Final = tuple(
    Decimal(tenths).scaleb(-1)
    for tenths in (
        *(50, 60, 70, 77, 80, 81, 90, 100, 110, 120, 130, 135, 140),
        *(150, 160, 170, 180, 190, 200, 210, 220, 230, 240, 250, 255, 270),
    )
)

#: Every cause, the more common first: where several fit equally well, the first is named.
CAUSES: Final = (
    Cause("computed_now", "the cycle as it is computed now: ours was issued before late events came", ()),
    Cause("count_at_end", "the count at the cycle's end", (("count", "end"),)),
    Cause("distinct", "every identity that was active at any time of the cycle", (("count", "distinct"),)),
    Cause("count_at_start", "the count at the cycle's start", (("count", "start"),)),
    Cause("daily_samples", "the highest of counts taken daily, at 00:00 UTC", (("count", "daily"),)),
    Cause("hourly_samples", "the highest of counts taken hourly", (("count", "hourly"),)),
    Cause(
        "ends_after_starts",
        "ends after starts, so that one that ends as another begins is a second one",
        (("count", "ends last"),),
    ),
    Cause("carry_over_dropped", "only what happened within the cycle, nothing carried in", (("carried", False),)),
    Cause("deletions_ignored", "deleted identities until their windows ran out", (("deletions", False),)),
    Cause(
        "connect_window_ignored",
        "connects with the window of an action: the 5-day rule ignored",
        (("connect_window", "action"),),
    ),
    Cause("connects_ignored", "actions alone, connects ignored", (("connects", False),)),
    Cause(
        "action_window_ignored",
        "identities until they were deleted once they had acted: the 30-day rule ignored",
        (("action_window", "for ever"),),
    ),
    Cause("calendar_days", "windows up to the end of the account's calendar day", (("days", "calendar"),)),
    Cause("reconnect_other", "the other reading of reconnect", (("reconnect", "other"),)),
    Cause("cycle_in_utc", "the cycle by the clock of UTC instead of the account's", (("cycle", "UTC"),)),
    Cause("calendar_months", "calendar months instead of the account's own cycles", (("cycle", "calendar months"),)),
    Cause("previous_cycle", "the cycle before", (("cycle", "previous"),)),
    Cause("next_cycle", "the cycle after", (("cycle", "next"),)),
    Cause("standard_counted", "standard identities as well", (("standard", True),)),
    Cause("repeats_counted", "what was sent twice as one identity more", (("repeats", True),)),
    Cause("late_events_missing", "what was known at the cycle's end", (("known", "at the cycle's end"),)),
    Cause("earlier_plan", "the plan version before", (("plan", 1),)),
    Cause("second_earlier_plan", "the plan version before the last", (("plan", 2),)),
    Cause("other_mode", "graduated prices instead of volume prices, or the other way round", (("mode", "other"),)),
    Cause("discount_left_out", "without the discount", (("discount", False),)),
    Cause("credits_left_out", "identities alone, without the credits", (("credits", False),)),
    Cause("rounded_per_unit", "each unit rounded by itself", (("rounding", "unit"),)),
    *(
        Cause(f"tax_{rate.normalize():f}", f"tax of {rate.normalize():f}% included", (("tax", rate),))
        for rate in TAX_RATES
    ),
)


@cache
def apply_causes(causes: tuple[Cause, ...]) -> CountingRule:
    """The counting rule of the definition, changed by some causes."""
    return replace(CountingRule(), **{field: value for cause in causes for field, value in cause.change})


def compatible_pairs(causes: Sequence[Cause]) -> list[tuple[Cause, Cause]]:
    """All pairs of causes that do not change the same setting."""
    changed = {cause.name: {field for field, _ in cause.change} for cause in causes}
    return [(a, b) for a, b in combinations(causes, 2) if not changed[a.name] & changed[b.name]]


@cache
def without_pricing(rule: CountingRule) -> CountingRule:
    """The same rule with the definition's price settings: rules that share it count the same."""
    default = CountingRule()
    return replace(rule, **{field: getattr(default, field) for field in PRICE_FIELDS})


@cache
def price_settings(rule: CountingRule) -> tuple[Any, ...]:
    """The settings that affect only the price: rules that share them price the same."""
    return tuple(getattr(rule, field.name) for field in fields(rule) if field.name in PRICE_FIELDS)


def compute_amount(
    rule: CountingRule, quantity: int, terms: Terms, earlier: Sequence[Plan] = (), credits: Decimal = Decimal(0)
) -> Decimal | None:
    """What a quantity costs by a rule; none where it has no price, or there is no such plan.

    `earlier` are the versions of the plan before the one in force, the latest first. `credits` is the
    amount due for credits, which is taxed as well.
    """
    plans = [terms.plan, *earlier]
    plan = plans[rule.plan] if rule.plan < len(plans) else None
    if plan is None:
        return None
    if rule.mode == "other":
        plan = plan.model_copy(update={"mode": "graduated" if plan.mode == "volume" else "volume"})
    discount = terms.discount if rule.discount else Decimal(0)
    try:
        price = plan.price(quantity)
    except NotPriced:
        return None
    total = lines(price, plan, discount)[1] if rule.rounding == "line" else None
    with localcontext(EXACT):
        amount = _round_by_unit(price, plan, discount) if total is None else total.amount
        amount += credits if rule.credits else Decimal(0)
        return round_amount(amount * (100 + rule.tax) / 100, plan.currency).amount


def _round_by_unit(price: Price, plan: Plan, discount: Decimal) -> Decimal:
    """The amount if each unit, and each flat price, is discounted and rounded by itself."""

    def net(amount: Decimal) -> Decimal:
        return round_amount(amount * (100 - discount) / 100, plan.currency).amount

    if price.exact != sum(part.amount for part in price.parts):
        return net(price.exact)  # a minimum or maximum is not the price of units
    each = (part.units * net(part.tier.unit_price) + net(part.tier.flat_price) for part in price.parts)
    return sum(each, Decimal(0))
