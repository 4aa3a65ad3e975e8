"""Readings: the ways in which people misread peak billing, as named data.

A `Way` says how usage is read and turned into money; as it stands it is the definition's. A
`Reading` changes one thing about it, such as counting at the cycle's end instead of at the peak. To
add a reading, add a line to `READINGS`; what it changes is carried out in `census` and `amount`.
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
class Way:
    """One way to read usage and to turn it into money; the defaults are those of the definition."""

    # Which events are looked at.
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
    # Over which cycle, and what of it is counted.
    cycle: Literal["own", "UTC", "calendar months", "previous", "next"] = "own"
    count: Literal["peak", "distinct", "start", "end", "daily", "hourly", "ends last"] = "peak"
    # What the quantity costs.
    plan: int = 0  # 0 is the one in force, 1 the version before, ...
    mode: Literal["plan", "other"] = "plan"
    discount: bool = True
    credits: bool = True
    rounding: Literal["line", "unit"] = "line"
    tax: Decimal = Decimal(0)


#: The fields of a way that have to do with money alone: they change no quantity.
PRICE_FIELDS: Final = ("plan", "mode", "discount", "credits", "rounding", "tax")


@dataclass(frozen=True, slots=True)
class Reading:
    """One way in which peak billing is misread.

    `name` is stable, `says` a phrase that completes "they billed ...". `change` is what it changes
    about a way, as pairs of field and value.
    """

    name: str
    says: str
    change: tuple[tuple[str, Any], ...]


#: Rates of VAT and GST that are common enough to be tried, in percent.
TAX_RATES: Final = tuple(
    Decimal(tenths).scaleb(-1)
    for tenths in (
        *(50, 60, 70, 77, 80, 81, 90, 100, 110, 120, 130, 135, 140),
        *(150, 160, 170, 180, 190, 200, 210, 220, 230, 240, 250, 255, 270),
    )
)

#: Every reading, the more usual first: where several fit equally, the first is named.
READINGS: Final = (
    Reading("computed_now", "the cycle as it is computed now: ours was issued before late events came", ()),
    Reading("count_at_end", "the count at the cycle's end", (("count", "end"),)),
    Reading("distinct", "every identity that was active at any time of the cycle", (("count", "distinct"),)),
    Reading("count_at_start", "the count at the cycle's start", (("count", "start"),)),
    Reading("daily_samples", "the highest of counts taken daily, at 00:00 UTC", (("count", "daily"),)),
    Reading("hourly_samples", "the highest of counts taken hourly", (("count", "hourly"),)),
    Reading(
        "ends_after_starts",
        "ends after starts, so that one that ends as another begins is a second one",
        (("count", "ends last"),),
    ),
    Reading("carry_over_dropped", "only what happened within the cycle, nothing carried in", (("carried", False),)),
    Reading("deletions_ignored", "deleted identities until their windows ran out", (("deletions", False),)),
    Reading(
        "connect_window_ignored",
        "connects with the window of an action: the 5-day rule ignored",
        (("connect_window", "action"),),
    ),
    Reading("connects_ignored", "actions alone, connects ignored", (("connects", False),)),
    Reading(
        "action_window_ignored",
        "identities until they were deleted once they had acted: the 30-day rule ignored",
        (("action_window", "for ever"),),
    ),
    Reading("calendar_days", "windows up to the end of the account's calendar day", (("days", "calendar"),)),
    Reading("reconnect_other", "the other reading of reconnect", (("reconnect", "other"),)),
    Reading("cycle_in_utc", "the cycle by the clock of UTC instead of the account's", (("cycle", "UTC"),)),
    Reading("calendar_months", "calendar months instead of the account's own cycles", (("cycle", "calendar months"),)),
    Reading("previous_cycle", "the cycle before", (("cycle", "previous"),)),
    Reading("next_cycle", "the cycle after", (("cycle", "next"),)),
    Reading("standard_counted", "standard identities as well", (("standard", True),)),
    Reading("repeats_counted", "what was sent twice as one identity more", (("repeats", True),)),
    Reading("late_events_missing", "what was known at the cycle's end", (("known", "at the cycle's end"),)),
    Reading("earlier_plan", "the plan version before", (("plan", 1),)),
    Reading("second_earlier_plan", "the plan version before the last", (("plan", 2),)),
    Reading("other_mode", "graduated prices instead of volume prices, or the other way round", (("mode", "other"),)),
    Reading("discount_left_out", "without the discount", (("discount", False),)),
    Reading("credits_left_out", "identities alone, without the credits", (("credits", False),)),
    Reading("rounded_per_unit", "each unit rounded by itself", (("rounding", "unit"),)),
    *(
        Reading(f"tax_{rate.normalize():f}", f"tax of {rate.normalize():f}% included", (("tax", rate),))
        for rate in TAX_RATES
    ),
)


@cache
def way_of(readings: tuple[Reading, ...]) -> Way:
    """The way that readings make of the definition's."""
    return replace(Way(), **{field: value for reading in readings for field, value in reading.change})


def pairs(readings: Sequence[Reading]) -> list[tuple[Reading, Reading]]:
    """All pairs of readings that do not change the same thing."""
    changed = {reading.name: {field for field, _ in reading.change} for reading in readings}
    return [(a, b) for a, b in combinations(readings, 2) if not changed[a.name] & changed[b.name]]


@cache
def counting(way: Way) -> Way:
    """The same way without what has to do with money: ways that share it count alike."""
    plain = Way()
    return replace(way, **{field: getattr(plain, field) for field in PRICE_FIELDS})


@cache
def pricing(way: Way) -> tuple[Any, ...]:
    """What a way has to do with money: ways that share it price alike."""
    return tuple(getattr(way, field.name) for field in fields(way) if field.name in PRICE_FIELDS)


def amount(
    way: Way, quantity: int, terms: Terms, earlier: Sequence[Plan] = (), credits: Decimal = Decimal(0)
) -> Decimal | None:
    """What a quantity costs by a way; none where it has no price, or there is no such plan.

    `earlier` are the versions of the plan before the one in force, the latest first. `credits` is the
    amount owed for credits, which tax is on too.
    """
    plans = [terms.plan, *earlier]
    plan = plans[way.plan] if way.plan < len(plans) else None
    if plan is None:
        return None
    if way.mode == "other":
        plan = plan.model_copy(update={"mode": "graduated" if plan.mode == "volume" else "volume"})
    discount = terms.discount if way.discount else Decimal(0)
    try:
        price = plan.price(quantity)
    except NotPriced:
        return None
    total = lines(price, plan, discount)[1] if way.rounding == "line" else None
    with localcontext(EXACT):
        owed = _by_unit(price, plan, discount) if total is None else total.amount
        owed += credits if way.credits else Decimal(0)
        return round_amount(owed * (100 + way.tax) / 100, plan.currency).amount


def _by_unit(price: Price, plan: Plan, discount: Decimal) -> Decimal:
    """The amount where each unit, and each flat price, is discounted and rounded by itself."""

    def net(amount: Decimal) -> Decimal:
        return round_amount(amount * (100 - discount) / 100, plan.currency).amount

    if price.exact != sum(part.amount for part in price.parts):
        return net(price.exact)  # a minimum or maximum is an amount of its own, and no unit's
    each = (part.units * net(part.tier.unit_price) + net(part.tier.flat_price) for part in price.parts)
    return sum(each, Decimal(0))
