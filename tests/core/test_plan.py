"""What a quantity costs: the rules one by one; the laws that hold for every plan are in `billing.verify.laws`."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from billing import BadPlan, NotPriced, Plan, Tier
from billing.core.cycle import CycleRule, moment
from billing.core.invoice import Line, arithmetic, lines
from billing.core.plan import QUANTITY_MAX, Part, wanted_by
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
    assert [0, 1] == [part.index for part in price.parts]
    assert [1] == [part.index for part in plan().price(11).parts]
    idle = plan(*FLAT, charge_flat_at_zero=True)
    assert (Part(0, idle.tiers[0], Decimal(0), Decimal(5)),) == idle.price(0).parts


def test_the_highest_price_for_the_most_units_is_exact() -> None:
    """Thirty-nine digits, of which none may go; and of nothing, exactly nothing."""
    price = plan({"unit_price": "999999999999999.999999999999"}).price(QUANTITY_MAX - 1)
    assert Fraction("999999999999999.999999999999") * (QUANTITY_MAX - 1) == Fraction(price.exact)
    assert "Decimal('0')" == repr(plan().price(0).exact)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (200, "200"),
        (10**15 - 1, "999999999999999"),
        (Decimal("1E+2"), "100"),
        ("0.000000000001", "0.000000000001"),
        ("1.5000000000000000", "1.5"),
        (".5", "0.5"),
    ],
)
def test_a_price_is_taken_as_it_was_written(written: Any, expected: str) -> None:
    """Text, decimals and whole numbers, to the twelfth decimal."""
    assert Decimal(expected) == Tier(unit_price=written).unit_price


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
    assert (code, f"{quantity}") == (refused.value.code, f"{refused.value.details['got']}")
    assert "quantity" == refused.value.details.get("field", "quantity")


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
        (({"up_to": 1, "unit_price": "1"}, {"up_to": 2, "unit_price": "9"}, {"unit_price": "1"}), {2: 2}),
        (({"up_to": 2, "unit_price": "0"}, {"up_to": 4, "unit_price": "4"}, {"unit_price": "2.5"}), {4: 4}),
        (({"up_to": 2, "unit_price": "10"}, {"up_to": 5, "unit_price": "1"}, {"unit_price": "1"}), {2: 1}),
        (({"up_to": 3, "unit_price": "3"}, {"unit_price": "1.5"}), {3: 3}),
    ],
)
def test_a_cliff_begins_where_it_gets_dearer(tiers: tuple[dict[str, Any], ...], expected: dict[int, int]) -> None:
    """It may reach back over several tiers, to the first unit or to the start of a tier."""
    found = [warning.details for warning in plan(*tiers).warnings()]
    assert expected == {details["bound"]: dearer_from(details) for details in found}


def test_a_cliff_may_begin_at_nothing() -> None:
    """Where the first flat price is charged to the idle, too: 9, 10 and 11 are more than 3."""
    tiers = {"up_to": 2, "unit_price": "1", "flat_price": "9"}, {"unit_price": "1"}
    cliff = plan(*tiers, charge_flat_at_zero=True).warnings()
    assert ["0 to 2 cost"] == [warning.details["dearer"] for warning in cliff]


def test_a_cliff_of_one_quantity_is_told_in_the_singular() -> None:
    """Only twenty costs more than twenty-one, or nineteen does not."""
    cliff = plan({"up_to": 20, "unit_price": "1", "flat_price": "1.50"}, {"unit_price": "1"}).warnings()
    assert ["20 costs"] == [warning.details["dearer"] for warning in cliff]


@pytest.mark.parametrize(("bound", "expected"), [(QUANTITY_MAX - 1, 1), (QUANTITY_MAX, 0)])
@pytest.mark.parametrize("package_size", [1, 10])
def test_a_step_beyond_the_largest_quantity_is_no_cliff(bound: int, package_size: int, expected: int) -> None:
    """A plan may go on where nobody can, and is checked all the same."""
    checked = plan({"up_to": bound, "unit_price": "2"}, {"unit_price": "1"}, package_size=package_size)
    assert (expected if package_size == 1 else 0) == len(checked.warnings())


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


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"id": 7}, "text"),
        ({"id": ""}, "text of 1 to 128 characters"),
        ({"id": "x" * 129}, "text of 1 to 128 characters"),
        ({"package_size": "5"}, "a whole number"),
        ({"package_size": 0}, "a whole number from 1"),
        ({"included": QUANTITY_MAX + 1}, f"a whole number up to {QUANTITY_MAX}"),
        ({"charge_flat_at_zero": "yes"}, "true or false"),
        ({"tiers": "x"}, "a list"),
        ({"tiers": [7]}, "a table"),
        ({"mode": "tiered"}, '"volume" or "graduated"'),
    ],
)
def test_a_wrong_value_is_answered_with_what_is_wanted(keys: dict[str, Any], wanted: str) -> None:
    """In words that need no knowledge of what reads the plan."""
    with pytest.raises(BadPlan) as refused:
        plan(**keys)
    assert ("value", wanted) == (refused.value.code, refused.value.details["wanted"])
    assert "a table" == wanted_by({"type": "dict_type", "msg": "Input should be a valid dictionary"})


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("curency", " (did you mean currency?)"),
        ("tierss", " (did you mean tiers?)"),
        ("Xmode", " (did you mean mode?)"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_of_its_table(key: str, near: str) -> None:
    """A plan's keys for a plan, a tier's for a tier, and the key as it was written."""
    with pytest.raises(BadPlan) as refused:
        plan(**{key: "x"})
    assert (key, near) == (refused.value.details["field"], refused.value.details["hint"])
    with pytest.raises(BadPlan) as refused:
        plan({"unit_prise": "1", "unit_price": "1"})
    assert (" (did you mean unit_price?)", "flat_price, unit_price, up_to") == (
        refused.value.details["hint"],
        refused.value.details["known"],
    )


def test_a_missing_key_is_answered_with_all_that_are_needed() -> None:
    """Those of the table in which it is missing."""
    with pytest.raises(BadPlan) as refused:
        plan({"up_to": 5})
    assert "A tier needs a unit_price." == refused.value.details["wanted"]
    with pytest.raises(BadPlan) as refused:
        Plan(id="sample", mode="volume", tiers=())  # type: ignore[call-arg]
    assert ("currency", "A plan needs id, currency, mode and tiers.") == (
        refused.value.details["field"],
        refused.value.details["wanted"],
    )


def test_a_tier_alone_says_what_is_wrong_with_it() -> None:
    """It is built before the plan it is for."""
    with pytest.raises(BadPlan) as refused:
        Tier(unit_price="-1")  # type: ignore[arg-type]
    assert refused.value.details["field"] == "unit_price"


def test_a_discount_is_a_line_of_its_own() -> None:
    """A percentage of the rounded usage line, rounded alike: 12.5% of 7.99 is 0.99875."""
    (usage, discount), owed = lines(plan().price(1), plan(), Decimal("12.50"))
    assert (Decimal("7.99"), "6.99 USD") == (usage.amount, str(owed))
    assert Line("discount", "Discount of 12.5% on 7.99 USD", None, None, Decimal("-1.00")) == discount


def test_a_large_discount_is_as_exact_as_a_small_one() -> None:
    """Twenty-nine digits: more than Python's decimals hold unasked."""
    dear = plan({"unit_price": f"{10**15 - 1}"})
    usage, discount = lines(dear.price(QUANTITY_MAX), dear, Decimal("33.333333333333"))[0]
    assert "999999999999999000000000000.00" == f"{usage.amount}"
    assert "-333333333333329666666666666.67" == f"{discount.amount}"


@pytest.mark.parametrize(
    ("of", "quantity", "unit_price", "parts"),
    [
        (plan(), 11, "6.99", []),
        (plan(), 0, None, []),
        (plan(*FLAT, charge_flat_at_zero=True), 0, None, []),
        (plan(mode="graduated"), 11, None, ["79.90", "6.99"]),
        (plan(mode="graduated"), 1, None, ["7.99"]),
    ],
)
def test_a_usage_line_has_one_price_or_the_parts_of_several(
    of: Plan, quantity: int, unit_price: str | None, parts: list[str]
) -> None:
    """What is charged without a unit has no price per unit."""
    (usage,), owed = lines(of.price(quantity), of, Decimal(0))
    assert ("usage", quantity, unit_price, parts, owed.amount) == (
        usage.kind,
        usage.quantity,
        None if usage.unit_price is None else f"{usage.unit_price}",
        [f"{part.amount}" for part in usage.parts],
        usage.amount,
    )


def test_a_line_writes_thousands_apart_and_no_needless_zeros() -> None:
    """For whoever reads it."""
    of = plan({"unit_price": "0.10"}, included=1_500, package_size=1_000)
    assert "Peak of 12,000 engagement identities, 1,500 included, in packages of 1,000: 11 x 0.10" == arithmetic(
        of.price(12_000), of
    )


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
