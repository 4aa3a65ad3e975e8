"""Where the prices of two plans meet, as exact numbers that need not be whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise

from .plan import QUANTITY_MAX, Plan


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where the exact prices of two plans, before the rounding, become equal; `at` need not be whole."""

    plans: tuple[str, str]
    at: Fraction
    price: Fraction


def meetings(plans: Mapping[str, Plan]) -> list[Meeting]:
    """Where prices meet, of all pairs of plans that do not price in packages, by quantity.

    Prices that change places by a jump, over the bound of a tier, do not meet.
    """
    whole = {name: plan for name, plan in plans.items() if plan.package_size is None}
    found = [meeting for pair in combinations(whole.items(), 2) for meeting in _of(*pair)]
    return sorted(found, key=lambda meeting: meeting.at)


def _of(one: tuple[str, Plan], other: tuple[str, Plan]) -> Iterator[Meeting]:
    (a, plan_a), (b, plan_b) = one, other
    # A price is one straight line from a kink, without it, to the next, with it.
    for kink, end in pairwise(sorted({*_kinks(plan_a), *_kinks(plan_b)})):
        middle = (kink + end) / 2
        apart = [_apart(plan_a, plan_b, quantity) for quantity in (middle, end)]
        if apart[0] is None or apart[1] is None or apart[0] == apart[1]:
            continue
        at = middle + (end - middle) * apart[0] / (apart[0] - apart[1])
        if kink < at <= end:
            yield Meeting((a, b), at, price_at(plan_a, at) or Fraction(0))


def _apart(a: Plan, b: Plan, quantity: Fraction) -> Fraction | None:
    one, other = price_at(a, quantity), price_at(b, quantity)
    return None if one is None or other is None else one - other


def _kinks(plan: Plan) -> Iterator[Fraction]:
    """All quantities at which the price of a plan turns or jumps, the first and the last there are."""
    yield Fraction(0)
    yield Fraction(QUANTITY_MAX)
    ends = [QUANTITY_MAX if t.up_to is None else min(plan.included + t.up_to, QUANTITY_MAX) for t in plan.tiers]
    for below, end in pairwise(map(Fraction, [min(plan.included, QUANTITY_MAX), *ends])):
        yield below
        yield end
        if below == end:
            continue
        middle = (below + end) / 2
        at_middle, at_end = _by_tiers(plan, middle), _by_tiers(plan, end)
        for bound in (plan.minimum, plan.maximum):
            if bound is not None and at_middle is not None and at_end is not None and at_middle != at_end:
                kink = middle + (end - middle) * (Fraction(bound) - at_middle) / (at_end - at_middle)
                if below < kink < end:
                    yield kink


def price_at(plan: Plan, quantity: Fraction) -> Fraction | None:
    """The exact price of any quantity, whole or not, of a plan without packages; none beyond its end."""
    amount = _by_tiers(plan, quantity)
    if amount is not None and plan.minimum is not None:
        amount = max(amount, Fraction(plan.minimum))
    if amount is not None and plan.maximum is not None:
        amount = min(amount, Fraction(plan.maximum))
    return amount


def _by_tiers(plan: Plan, quantity: Fraction) -> Fraction | None:
    units = max(Fraction(0), quantity - plan.included)
    if not units:
        return Fraction(plan.tiers[0].flat_price) if plan.charge_flat_at_zero else Fraction(0)
    below, amount = Fraction(0), Fraction(0)
    for tier in plan.tiers:
        end = units if tier.up_to is None else min(units, Fraction(tier.up_to))
        if plan.mode == "graduated":
            amount += (end - below) * Fraction(tier.unit_price) + Fraction(tier.flat_price)
        elif end == units:
            amount = units * Fraction(tier.unit_price) + Fraction(tier.flat_price)
        if end == units:
            return amount
        below = end
    return None
