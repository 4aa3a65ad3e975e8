"""Which plan is the cheapest for how many, and which change of a peak changes a bill."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import BadPlan, Plan, break_even
from billing.comparison import break_even as breakeven
from billing.comparison.break_even import BreakEven, PlanRange
from billing.core.errors import NotPriced
from billing.core.invoice import lines
from billing.core.plan import QUANTITY_MAX
from billing.core.totals import PriceSteps, Totals
from billing.verify.strategies import plans

END = QUANTITY_MAX
PLANS = plans(bound_max=20, settings=True, open_ended=False)
DISCOUNTS = st.sampled_from(("0", "0", "10", "12.5", "50", "100")).map(Decimal)


def plan(*tiers: dict[str, Any], **keys: Any) -> Plan:
    return Plan(**{"id": "sample", "currency": "USD", "mode": "volume", "tiers": tiers, **keys})


def ranges(*of: Plan) -> list[tuple[int, int, str]]:
    """Who is the cheapest from where to where; plans go by letters."""
    return [(s.first, s.last, " ".join(s.cheapest)) for s in break_even(dict(zip("abcd", of, strict=False))).ranges]


# Break-even by hand.


def test_a_basic_fee_pays_from_the_break_even_on() -> None:
    """20.00 and 7.00 each is 8.00 each at 20: 20 + 140 = 160."""
    with_fee = plan({"unit_price": "7", "flat_price": "20"})
    without = plan({"unit_price": "8"})
    assert [(0, 0, "a b"), (1, 19, "b"), (20, 20, "a b"), (21, END, "a")] == ranges(with_fee, without)


def test_a_break_even_need_not_be_a_whole_number() -> None:
    """25.00 / (9.50 - 7.50) is 12.5; and 100 / 3 is a third more than 33."""
    assert [(0, 0, "a b"), (1, 12, "b"), (13, END, "a")] == ranges(
        plan({"unit_price": "7.50", "flat_price": "25"}), plan({"unit_price": "9.50"})
    )
    assert [(0, 0, "a b"), (1, 33, "b"), (34, END, "a")] == ranges(
        plan({"unit_price": "5", "flat_price": "100"}), plan({"unit_price": "8"})
    )


def test_totals_may_change_places_over_the_bound_of_a_tier() -> None:
    """10 at 8.00 are 80.00, and 11 at 6.00 are 66.00: there is no quantity at which 7.00 each is the same."""
    steps = plan({"up_to": 10, "unit_price": "8"}, {"unit_price": "6"})
    assert [(0, 0, "a b"), (1, 10, "b"), (11, END, "a")] == ranges(steps, plan({"unit_price": "7"}))


def test_of_three_plans_one_may_be_the_cheapest_nowhere() -> None:
    """a: 10 each; b: 20 and 8 each; c: 60 and 6 each. a meets b at 10, b meets c at 20."""
    a, b, c = (plan({"unit_price": u, "flat_price": f}) for u, f in (("10", "0"), ("8", "20"), ("6", "60")))
    cheapest = [(0, 0, "a b c"), (1, 9, "a"), (10, 10, "a b"), (11, 19, "b"), (20, 20, "b c"), (21, END, "c")]
    assert cheapest == ranges(a, b, c)
    dearer = plan({"unit_price": "8", "flat_price": "21"})
    assert all("d" not in names.split() or first == 0 for first, _, names in ranges(a, b, c, dearer))


def test_rounded_totals_are_alike_where_exact_prices_are_not() -> None:
    """One is 0.00 at 0.001 and at 0.004; two are 0.00 and 0.01; five are 0.01 and 0.02."""
    found = ranges(plan({"unit_price": "0.001"}), plan({"unit_price": "0.004"}))
    assert [(0, 1, "a b"), (2, END, "a")] == found


def test_a_minimum_and_a_maximum_bend_a_price() -> None:
    """At least 20.00 and at most 50.00, against 8.00 each: 2.5 cost 20.00 there, and 6.25 cost 50.00."""
    bounded = plan({"unit_price": "8"}, minimum="20", maximum="50")
    assert [(0, 2, "b"), (3, 6, "a b"), (7, END, "a")] == ranges(bounded, plan({"unit_price": "8"}))
    # A flat 30.00 is passed on the way up: 3.75 x 8.00.
    assert [(0, 0, "b"), (1, 3, "a"), (4, END, "b")] == ranges(bounded, plan({"unit_price": "0", "flat_price": "30"}))


def test_packages_take_turns_with_single_units_again_and_again() -> None:
    """Ten for 10.00, or 1.00 each: alike at 10, 20, 30 and so on to the end, and dearer in between."""
    found = break_even({"packages": plan({"unit_price": "10"}, package_size=10), "each": plan({"unit_price": "1"})})
    first, turns = found.ranges
    assert (0, 0, ("packages", "each")) == (first.first, first.last, first.cheapest)
    assert (1, END, True, 10) == (turns.first, turns.last, turns.in_turn, turns.every)
    assert [(1, 9, ("each",)), (10, 10, ("packages", "each"))] == [(t.first, t.last, t.cheapest) for t in turns.turns]


def test_prices_that_differ_by_less_than_is_ever_owed_are_the_same_to_the_end() -> None:
    """A flat tenth of a cent or two: neither is ever seen."""
    one, other = (plan({"unit_price": "0.01", "flat_price": mills}) for mills in ("0.001", "0.002"))
    assert [(0, END, "a b")] == ranges(one, other)


def test_a_plan_that_includes_everything_costs_nothing() -> None:
    """Its tiers begin beyond the largest quantity."""
    everything = plan({"up_to": 5, "unit_price": "1"}, {"unit_price": "2"}, included=END)
    assert [(0, 0, "a b"), (1, END, "a")] == ranges(everything, plan({"unit_price": "1"}))


def test_a_plan_that_ends_is_the_cheapest_no_further() -> None:
    """Up to 5 at 1.00, against 2.00 each; and beyond the end of both there is no price."""
    short = plan({"up_to": 5, "unit_price": "1"})
    assert [(0, 0, "a b"), (1, 5, "a"), (6, END, "b")] == ranges(short, plan({"unit_price": "2"}))
    assert [(0, 0, "a b"), (1, 5, "a"), (6, 7, "b"), (8, END, "")] == ranges(
        short, plan({"up_to": 7, "unit_price": "2"})
    )


def test_differences_of_a_trillionth_are_found_however_far_they_take() -> None:
    """Of 10^12 units, 10^-12 each makes 1.00: from half a cent on, the totals may differ, from a cent on they must."""
    found = break_even({"a": plan({"unit_price": "1"}), "b": plan({"unit_price": "1.000000000001"})})
    alike, unsure, sure = found.ranges
    assert (0, ("a", "b")) == (alike.first, alike.cheapest)
    assert sure.cheapest == ("a",)
    assert not sure.in_turn
    assert plan({"unit_price": "1.000000000001"}).price(sure.first).total.amount > sure.first
    assert unsure.last + 1 == sure.first


def test_plans_of_two_currencies_are_not_compared() -> None:
    """7.99 USD is neither more nor less than 7.99 EUR."""
    with pytest.raises(BadPlan) as raised:
        break_even({"a": plan({"unit_price": "1"}), "b": plan({"unit_price": "1"}, currency="EUR")})
    assert raised.value.code == "currencies_differ"


# Break-even by trying every quantity.


@pytest.mark.parametrize("looked_at", [3, 40, breakeven.TRIED_MAX])
@given(plans=st.lists(PLANS, min_size=2, max_size=3), far=st.lists(st.integers(0, 10**6) | st.integers(0, END)))
def test_no_quantity_has_a_cheaper_plan(plans: list[Plan], far: list[int], looked_at: int) -> None:
    """Also where few are looked at one by one, so that most follows from lines."""
    named = dict(zip("abc", plans, strict=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(breakeven, "TRIED_MAX", looked_at)
        found = break_even(named)
    bounds = [(s.first, s.last) for s in found.ranges]
    assert [0, *(last + 1 for _, last in bounds)] == [*(first for first, _ in bounds), END + 1]
    for quantity in [*range(150), *far, *(b for bound in bounds for b in bound)]:
        stretch = stretch_at(found, quantity)
        right = cheapest(named, quantity)
        if stretch.in_turn:
            assert set(right) <= set(stretch.cheapest)
        else:
            assert right == stretch.cheapest


def stretch_at(of: BreakEven, quantity: int) -> PlanRange:
    stretch = next(s for s in of.ranges if s.first <= quantity <= s.last)
    if not stretch.turns or stretch.every is None:
        return stretch
    turn = stretch.first + (quantity - stretch.first) % stretch.every
    return next(t for t in stretch.turns if t.first <= turn <= t.last)


def cheapest(of: dict[str, Plan], quantity: int) -> tuple[str, ...]:
    totals = {}
    for name, each in of.items():
        try:
            totals[name] = each.price(quantity).total.amount
        except NotPriced:
            continue
    return tuple(name for name in totals if totals[name] == min(totals.values()))


# The smallest change of a peak.


def beside(near: PriceSteps) -> list[tuple[int, str] | None]:
    return [
        None if at is None else (at.quantity, f"{at.total.amount:f}") for at in (near.lower, near.higher, near.cheaper)
    ]


def test_included_identities_and_packages_leave_a_bill_as_it_is() -> None:
    """Three free, then packages of five at 10.00: 4 to 8 cost 10.00, 9 to 13 cost 20.00."""
    totals = Totals(plan({"unit_price": "10"}, included=3, package_size=5))
    assert [None, (4, "10.00"), None] == beside(totals.near(1))
    assert [(3, "0.00"), (9, "20.00"), None] == beside(totals.near(6))
    assert 3 == totals.near(6).change  # upwards, of two as near
    assert -1 == totals.near(4).change
    assert Totals(plan({"unit_price": "0"})).near(4).change is None


def test_a_bill_at_its_maximum_changes_only_downwards() -> None:
    """At 8.00 each, at least 20.00, at most 50.00: two are the last at the minimum, seven the first at the maximum."""
    totals = Totals(plan({"unit_price": "8"}, minimum="20", maximum="50"))
    assert [None, (3, "24.00"), None] == beside(totals.near(0))
    assert [(6, "48.00"), None, None] == beside(totals.near(10**11))


def test_one_identity_more_may_cost_less() -> None:
    """25 at 7.49 are 187.25, 26 at 6.99 are 181.74; by 24 (179.76) it is not cheaper to have two more."""
    totals = Totals(plan({"up_to": 25, "unit_price": "7.49"}, {"unit_price": "6.99"}))
    assert [(24, "179.76"), (26, "181.74"), (26, "181.74")] == beside(totals.near(25))
    assert totals.near(24).cheaper is None


def test_a_discount_may_round_a_change_away() -> None:
    """Half of 0.01 is rounded to 0.01 and taken off, so one identity is free, and two cost 0.01."""
    assert [None, (2, "0.01"), None] == beside(Totals(plan({"unit_price": "0.01"}), Decimal(50)).near(0))


@given(PLANS, DISCOUNTS, st.integers(0, 60))
def test_the_nearest_other_bills_are_those_found_by_trying(plan: Plan, discount: Decimal, quantity: int) -> None:
    """Up to where all tiers have begun; beyond, and up to the largest quantity, what was found is really so."""

    def total(of: int) -> Decimal | None:
        try:
            return lines(plan.price(of), plan, discount)[1].amount
        except NotPriced:
            return None

    here = total(quantity)
    if here is None:
        return
    near = Totals(plan, discount).near(quantity)
    lower = next((q for q in range(quantity - 1, -1, -1) if total(q) != here), None)
    beyond = [(q, t) for q in range(quantity + 1, 400) if (t := total(q)) is not None]
    higher = next((q for q, t in beyond if t != here), None)
    cheaper = next((q for q, t in beyond if t < here), None)
    assert lower == (near.lower and near.lower.quantity)
    assert cheaper == (near.cheaper and near.cheaper.quantity)
    if higher is not None or near.higher is None:
        assert higher == (near.higher and near.higher.quantity)
    else:
        found = near.higher.quantity
        assert total(found) != here == total(found - 1)
    for at in (near.lower, near.higher, near.cheaper):
        assert at is None or at.total.amount == total(at.quantity)
