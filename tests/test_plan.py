"""What a quantity costs: the rules one by one; the laws that hold for every plan are in `billing.verify.laws`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing import BadPlan, NotPriced, Plan, Tier
from billing.core.cycle import CycleRule, moment
from billing.core.invoice import lines
from billing.core.plan import QUANTITY_MAX
from billing.core.terms import Terms
from billing.verify.laws.prices import dearer_from
from billing.verify.strategies import JANUARY

STEPS = ({"up_to": 10, "unit_price": "7.99"}, {"up_to": 20, "unit_price": "6.99"}, {"unit_price": "5.99"})
FLAT = ({"up_to": 10, "unit_price": "1", "flat_price": "5"}, {"unit_price": "2", "flat_price": "3"})


def plan(*tiers: dict[str, Any], **keys: Any) -> Plan:
    return Plan(**{"id": "sample", "currency": "USD", "mode": "volume", "tiers": tiers or STEPS, **keys})


def total(of: Plan, quantity: int | Decimal) -> str:
    return f"{of.price(quantity).total.amount:f}"


# The rules.


@pytest.mark.parametrize(
    ("quantity", "expected"), [(0, "0.00"), (1, "7.99"), (10, "79.90"), (11, "76.89"), (20, "139.80"), (21, "125.79")]
)
def test_volume_prices_all_units_by_the_tier_reached(quantity: int, expected: str) -> None:
    """A bound belongs to the tier it ends."""
    assert expected == total(plan(), quantity)


@pytest.mark.parametrize(("quantity", "expected"), [(10, "79.90"), (11, "86.89"), (21, "155.79")])
def test_graduated_prices_each_unit_by_its_own_tier(quantity: int, expected: str) -> None:
    """Ten at 7.99, ten at 6.99, the rest at 5.99."""
    assert expected == total(plan(mode="graduated"), quantity)


@pytest.mark.parametrize(("mode", "expected"), [("volume", "25.00"), ("graduated", "20.00")])
def test_a_flat_price_is_added_for_the_tier_reached_or_for_every_tier_entered(mode: str, expected: str) -> None:
    """Eleven units: 11 x 2 + 3, or 10 x 1 + 5 + 1 x 2 + 3."""
    assert expected == total(plan(*FLAT, mode=mode), 11)


@pytest.mark.parametrize(("charge", "expected"), [(False, "0.00"), (True, "5.00")])
@pytest.mark.parametrize("mode", ["volume", "graduated"])
def test_nothing_costs_nothing_or_the_first_flat_price(mode: str, charge: bool, expected: str) -> None:
    """What an idle account pays is a choice, and is made in the plan."""
    assert expected == total(plan(*FLAT, mode=mode, charge_flat_at_zero=charge), 0)


@pytest.mark.parametrize(("quantity", "expected"), [(0, "0.00"), (5, "0.00"), (6, "7.99"), (16, "76.89")])
def test_included_units_come_off_before_the_tiers(quantity: int, expected: str) -> None:
    """Sixteen with five included are eleven, in the second tier."""
    assert expected == total(plan(included=5), quantity)


@pytest.mark.parametrize(("quantity", "expected"), [(0, 0), (2, 0), (3, 1), (7, 1), (8, 2), (Decimal("7.5"), 2)])
def test_packages_are_counted_whole_after_what_is_included(quantity: int | Decimal, expected: int) -> None:
    """A package that is begun is paid for."""
    assert expected == plan(included=2, package_size=5).price(quantity).units


@pytest.mark.parametrize(("quantity", "expected"), [(0, "20.00"), (2, "20.00"), (3, "23.97"), (10, "70.00")])
def test_minimum_and_maximum_bound_the_price(quantity: int, expected: str) -> None:
    """The minimum is owed also for nothing."""
    assert expected == total(plan(minimum="20", maximum="70"), quantity)


def test_the_maximum_comes_after_the_minimum_and_before_the_one_rounding() -> None:
    """An exact amount is rounded once, half away from zero."""
    bounded = plan({"unit_price": "0.001"}, minimum="0.125", maximum="0.125")
    price = bounded.price(1)
    assert (Decimal("0.125"), "0.13") == (price.exact, f"{price.total.amount:f}")


@pytest.mark.parametrize(("currency", "expected"), [("USD", "3.70"), ("JPY", "4"), ("KWD", "3.702")])
def test_an_amount_has_the_decimals_of_its_currency(currency: str, expected: str) -> None:
    """By ISO 4217, whatever a display would show."""
    assert expected == total(plan({"unit_price": "1.234"}, currency=currency), 3)


def test_a_price_tells_the_tier_reached_and_its_parts() -> None:
    """An invoice says how an amount came about."""
    price = plan(mode="graduated").price(11)
    assert price.tier is not None
    assert [10, 1] == [int(part.units) for part in price.parts]
    assert price.tier.up_to == 20
    assert plan().price(0).tier is None


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        (-1, "quantity_range"),
        (QUANTITY_MAX + 1, "quantity_range"),
        (True, "quantity_range"),
        (1.5, "quantity_range"),
        (Decimal("Infinity"), "quantity_range"),
        (Decimal("NaN"), "quantity_range"),
        (21, "quantity_not_priced"),
        (Decimal("20.5"), "quantity_not_priced"),
    ],
)
def test_a_quantity_without_a_price_is_refused(quantity: Any, code: str) -> None:
    """Never is the last price taken for what lies beyond."""
    with pytest.raises(NotPriced) as refused:
        plan(*STEPS[:2]).price(quantity)
    assert code == refused.value.code


@pytest.mark.parametrize(("quantity", "expected"), [(0, 13), (12, 1), (13, 10), (22, 1), (23, None), (99, None)])
def test_how_many_more_reach_the_next_tier(quantity: int, expected: int | None) -> None:
    """Two are included, so the second tier begins at thirteen."""
    assert expected == plan(included=2).to_next_tier(quantity)


def test_a_bounded_plan_has_no_tier_after_its_last() -> None:
    """Neither inside the last tier nor beyond it."""
    assert [None, None] == [plan(*STEPS[:2]).to_next_tier(quantity) for quantity in (20, 21)]


def test_a_plan_warns_where_more_costs_less() -> None:
    """Legal, and a surprise to whoever did not expect it."""
    cliff = plan({"up_to": 20, "unit_price": "10"}, {"unit_price": "9"}).warnings()
    shown = {key: str(cliff[0].details[key]) for key in ("bound", "next", "high", "low", "dearer")}
    assert {
        "bound": "20",
        "next": "21",
        "high": "200.00 USD",
        "low": "189.00 USD",
        "dearer": "19 to 20 cost",
    } == shown
    assert str(cliff[0]).startswith("tiers[0] ends at 20: the total falls from 200.00 USD at 20 to 189.00 USD at 21")


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        (({"up_to": 2, "unit_price": "10"}, {"up_to": 3, "unit_price": "9"}, {"unit_price": "1"}), {3: 1}),
        (({"up_to": 2, "unit_price": "1", "flat_price": "9"}, {"unit_price": "1"}), {2: 1}),
        (({"up_to": 2, "unit_price": "0"}, {"up_to": 4, "unit_price": "9"}, {"unit_price": "1"}), {4: 3}),
    ],
)
def test_a_cliff_begins_where_it_gets_dearer(tiers: tuple[dict[str, Any], ...], expected: dict[int, int]) -> None:
    """It may reach back over several tiers, to the first unit or to the start of a tier."""
    found = [warning.details for warning in plan(*tiers).warnings()]
    assert expected == {details["bound"]: dearer_from(details) for details in found}


def test_a_plan_warns_where_its_prices_end() -> None:
    """A customer who grows past it could not be billed."""
    assert ["tiers_bounded"] == [warning.code for warning in plan(*STEPS[:1]).warnings()]
    assert [] == plan({"unit_price": "1"}).warnings() == plan(mode="graduated").warnings()


@pytest.mark.parametrize(
    ("keys", "code", "field"),
    [
        ({"tiers": []}, "tiers_bounds", "tiers"),
        ({"tiers": [STEPS[2], STEPS[0]]}, "tiers_order", "tiers[1].up_to"),
        ({"tiers": [STEPS[0], STEPS[0]]}, "tiers_order", "tiers[1].up_to"),
        ({"tiers": [{"up_to": 0, "unit_price": "1"}]}, "tiers_bounds", "tiers[0].up_to"),
        ({"tiers": [{"up_to": True, "unit_price": "1"}]}, "tiers_bounds", "tiers[0].up_to"),
        ({"tiers": [{"up_to": QUANTITY_MAX + 1, "unit_price": "1"}]}, "tiers_bounds", "tiers[0].up_to"),
        ({"tiers": [STEPS[0], {"unit_price": "-1"}]}, "price_negative", "tiers[1].unit_price"),
        ({"tiers": [{"unit_price": 7.99}]}, "price_not_string", "tiers[0].unit_price"),
        ({"tiers": [{"unit_price": True}]}, "price_not_string", "tiers[0].unit_price"),
        ({"tiers": [{"unit_price": 10**15}]}, "price_not_string", "tiers[0].unit_price"),
        ({"tiers": [{"unit_price": "1e3"}]}, "price_format", "tiers[0].unit_price"),
        ({"tiers": [{"unit_price": Decimal("NaN")}]}, "price_format", "tiers[0].unit_price"),
        ({"tiers": [{"unit_price": "0.0000000000001"}]}, "price_scale", "tiers[0].unit_price"),
        ({"tiers": [{"up_to": 5}]}, "key_missing", "tiers[0].unit_price"),
        ({"tiers": [{"unit_prise": "1", "unit_price": "1"}]}, "key_unknown", "tiers[0].unit_prise"),
        ({"tiers": "x"}, "value", "tiers"),
        ({"minimum": "5", "maximum": "4"}, "maximum_below_minimum", "maximum"),
        ({"currency": "usd"}, "currency_unknown", "currency"),
        ({"package_size": 0}, "value", "package_size"),
        ({"included": -1}, "value", "included"),
        ({"mode": "tiered"}, "value", "mode"),
        ({"curency": "USD"}, "key_unknown", "curency"),
    ],
)
def test_an_impossible_plan_is_refused_and_says_where(keys: dict[str, Any], code: str, field: str) -> None:
    """A plan with two prices for one quantity must never come to be."""
    with pytest.raises(BadPlan) as refused:
        plan(**keys)
    assert (code, field) == (refused.value.code, refused.value.details["field"])


def test_a_tier_alone_says_what_is_wrong_with_it() -> None:
    """It is built before the plan it is for."""
    with pytest.raises(BadPlan) as refused:
        Tier(unit_price="-1")  # type: ignore[arg-type]
    assert refused.value.details["field"] == "unit_price"


def test_a_discount_is_a_line_of_its_own() -> None:
    """A percentage of the rounded usage line, rounded alike: 12.5% of 7.99 is 0.99875."""
    usage, discount = lines(plan().price(1), plan(), Decimal("12.5"))[0]
    assert (Decimal("7.99"), Decimal("-1.00")) == (usage.amount, discount.amount)


@pytest.mark.parametrize(
    ("of", "quantity", "expected"),
    [
        (plan(), 0, "Peak of 0 engagement identities"),
        (plan(), 1, "Peak of 1 engagement identity: 1 x 7.99"),
        (plan(*FLAT, mode="graduated"), 11, "Peak of 11 engagement identities: 10 x 1 + 5 flat + 1 x 2 + 3 flat"),
        (plan(*FLAT, charge_flat_at_zero=True), 0, "Peak of 0 engagement identities: 5 flat"),
        (plan(included=5), 6, "Peak of 6 engagement identities, 5 included: 1 x 7.99"),
        (plan(package_size=5), 6, "Peak of 6 engagement identities, in packages of 5: 2 x 7.99"),
        (plan(minimum="20"), 1, "Peak of 1 engagement identity: 1 x 7.99, raised to the minimum of 20"),
        (plan(maximum="5"), 1, "Peak of 1 engagement identity: 1 x 7.99, lowered to the maximum of 5"),
    ],
)
def test_a_line_says_how_its_amount_came_about(of: Plan, quantity: int, expected: str) -> None:
    """So that it can be computed again by hand."""
    assert expected == lines(of.price(quantity), of, Decimal(0))[0][0].description


def test_terms_refuse_a_discount_that_is_no_percentage() -> None:
    """More than everything cannot be taken off, and less than nothing is a price."""
    for discount in (Decimal(-1), Decimal("100.01"), 10, Decimal("Infinity")):
        with pytest.raises(Exception, match="not a percentage"):
            Terms(discount=discount)  # type: ignore[arg-type]
    assert Terms(cycles=CycleRule(anchor=moment(JANUARY[0])), discount=Decimal(100)).discount == 100
