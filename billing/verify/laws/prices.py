"""Laws of prices: what a quantity costs, to the last digit, under every plan."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from ...core.errors import NotPriced
from ...core.invoice import lines
from ...core.money import minor_digits, round_amount
from ...core.plan import QUANTITY_MAX, Plan, Tier
from .. import definition
from ..strategies import plans
from .law import false_law, law

_QUANTITIES = st.integers(0, 60)
_PERCENTS = st.integers(0, 100).map(Decimal) | st.sampled_from(("12.5", "33.3", "0.005")).map(Decimal)
_CURRENCIES = ("USD", "JPY", "KWD")


@law("I63", plans(modes=("graduated",), settings=True), _QUANTITIES)
def graduated_totals_never_fall(plan: Plan, quantity: int) -> None:
    """One identity more never costs less where each has its own price."""
    assert plan.price(quantity).exact <= plan.price(quantity + 1).exact


@false_law("I64", plans(modes=("volume",), bound_max=9), st.integers(0, 10))
def volume_totals_never_fall(plan: Plan, quantity: int) -> None:
    """One identity more never costs less where all have the price of the tier reached. Such plans are legal."""
    assert plan.price(quantity).exact <= plan.price(quantity + 1).exact


@law("I65", plans(modes=("volume",), flat=False))
def volume_totals_fall_only_over_a_bound_that_warns(plan: Plan) -> None:
    """A volume total falls exactly where a bound times its price is more than one more at the next price."""
    steps = pairwise(plan.tiers)
    falls = any((b.up_to or 0) * b.unit_price > ((b.up_to or 0) + 1) * a.unit_price for b, a in steps)
    totals = [plan.price(quantity).exact for quantity in range(60)]
    assert falls is (totals != sorted(totals))


@law("I65", plans(modes=("volume",)))
def every_fall_of_what_is_owed_is_warned_of(plan: Plan) -> None:
    """The plan check reports every step at which more costs less, and all quantities that cost more than after it."""
    totals = [plan.price(quantity).total.amount for quantity in range(60)]
    falls = {q: totals[q] for q in range(59) if totals[q] > totals[q + 1] and q}
    warned = {w.details["bound"]: w.details["high"].amount for w in plan.warnings()}
    assert falls == warned
    for warning in plan.warnings():
        low, first, bound = warning.details["low"].amount, dearer_from(warning.details), warning.details["bound"]
        assert all(total > low for total in totals[first : bound + 1])
        assert first == 0 or totals[first - 1] <= low


@law("I66", plans(modes=("volume",), flat=False, falling=True), _QUANTITIES)
def volume_is_never_dearer_than_graduated(plan: Plan, quantity: int) -> None:
    """With falling prices volume costs at most what graduated does, and the same inside the first tier."""
    graduated = plan.model_copy(update={"mode": "graduated"})
    assert plan.price(quantity).exact <= graduated.price(quantity).exact
    if quantity <= (plan.tiers[0].up_to or quantity):
        assert plan.price(quantity).exact == graduated.price(quantity).exact


@law("I67", plans(flat=False), st.integers(1, 60), _QUANTITIES)
def splitting_a_tier_in_two_alike_changes_no_charge(plan: Plan, bound: int, quantity: int) -> None:
    """Writing one tier as two with the same price changes no charge."""
    tiers = sorted([*plan.tiers, *_split(plan, bound)], key=lambda tier: tier.up_to or QUANTITY_MAX)
    assert plan.price(quantity).exact == plan.model_copy(update={"tiers": tuple(tiers)}).price(quantity).exact


@law("I68", plans(modes=("volume",)), st.integers(1, QUANTITY_MAX), st.sampled_from((-1, 0, 1)))
def every_quantity_is_in_exactly_one_tier(plan: Plan, quantity: int, beside: int) -> None:
    """Each quantity is in exactly one tier: bounds belong to the tier they end, and the last is open."""
    for q in [quantity, *(tier.up_to + beside for tier in plan.tiers if tier.up_to and tier.up_to + beside > 0)]:
        below = [0, *(tier.up_to for tier in plan.tiers[:-1])]
        holding = [t for t, low in zip(plan.tiers, below, strict=True) if (low or 0) < q <= (t.up_to or QUANTITY_MAX)]
        assert [plan.price(q).tier] == holding


@law("I69", plans(), _QUANTITIES)
def a_charge_is_exact(plan: Plan, quantity: int) -> None:
    """A charge equals the same sum in exact fractions: no binary floating point is involved."""
    expected, below = Fraction(0), 0
    for tier in plan.tiers:
        if quantity > below and (plan.mode == "graduated" or quantity <= (tier.up_to or QUANTITY_MAX)):
            units = min(quantity, tier.up_to or quantity) - below if plan.mode == "graduated" else quantity
            expected += units * Fraction(tier.unit_price) + Fraction(tier.flat_price)
        below = tier.up_to or QUANTITY_MAX
    assert expected == Fraction(plan.price(quantity).exact) == Fraction(plan.price(Decimal(quantity)).exact)


@law("I69", plans(settings=True, open_ended=False, currencies=_CURRENCIES), _QUANTITIES, _PERCENTS)
def the_engine_charges_what_the_definition_says(plan: Plan, quantity: int, percent: Decimal) -> None:
    """The price of every quantity under every plan, and what is owed after a discount, are as defined."""
    written, digits = plan.model_dump(), minor_digits(plan.currency)
    try:
        expected = definition.price(written, quantity)
    except ValueError:
        assert _refuses(plan, quantity)
        return
    price = plan.price(quantity)
    assert expected == Fraction(price.exact)
    owed = lines(price, plan, percent)[1].amount
    assert definition.total(written, quantity, discount=str(percent), digits=digits) == owed


@law("I70", plans(settings=True, currencies=_CURRENCIES), _QUANTITIES, _PERCENTS)
def a_total_is_the_sum_of_its_rounded_lines(plan: Plan, quantity: int, percent: Decimal) -> None:
    """A total is the sum of its lines, and differs from the exact amount by at most half a cent a line."""
    price = plan.price(quantity)
    drawn, owed = lines(price, plan, percent)
    exact = Fraction(price.exact) * (1 - Fraction(percent) / 100)
    assert owed.amount == sum(line.amount for line in drawn)
    assert abs(Fraction(owed.amount) - exact) <= len(drawn) * Fraction(1, 2 * 10 ** minor_digits(plan.currency))


@false_law("I71", plans(), _QUANTITIES, _PERCENTS)
def a_total_is_the_exact_amount_rounded(plan: Plan, quantity: int, percent: Decimal) -> None:
    """A total is the exact amount, rounded once. Each line is rounded, so that the lines add up to the total."""
    price = plan.price(quantity)
    exact = price.exact * (1 - percent / 100)
    assert lines(price, plan, percent)[1] == round_amount(exact, plan.currency)


@law("I73", plans(), _QUANTITIES, st.integers(1, 9))
def multiplying_prices_multiplies_the_charge(plan: Plan, quantity: int, factor: int) -> None:
    """Ten times the tariff is ten times the charge, before rounding."""
    tiers = tuple(
        tier.model_copy(update={"unit_price": tier.unit_price * factor, "flat_price": tier.flat_price * factor})
        for tier in plan.tiers
    )
    assert plan.price(quantity).exact * factor == plan.model_copy(update={"tiers": tiers}).price(quantity).exact


def _refuses(plan: Plan, quantity: int) -> bool:
    try:
        plan.price(quantity)
    except NotPriced:
        return True
    return False


def dearer_from(details: dict[str, Any]) -> int:
    """The smallest quantity that costs more than the one after a step."""
    return int(details["dearer"].split()[0])


def _split(plan: Plan, bound: int) -> list[Tier]:
    """The lower part of the tier that a bound lies in, as a tier of its own."""
    bounds = [tier.up_to for tier in plan.tiers]
    if bound in bounds:
        return []
    holder = next(tier for tier in plan.tiers if tier.up_to is None or bound < tier.up_to)
    return [holder.model_copy(update={"up_to": bound})]
