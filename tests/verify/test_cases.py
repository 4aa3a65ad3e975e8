"""Figures that other billing systems publish, priced and timed by ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import billing

CASES = Path(__file__).parents[2] / "fixtures" / "cases"
MOMENT = timedelta(microseconds=1)
MONTHS = {"month": 1, "quarter": 3, "year": 12}

Case = dict[str, Any]


def _cases(name: str, *kinds: str) -> list[Any]:
    cases = json.loads((CASES / name).read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if not kinds or case["kind"] in kinds]


@pytest.mark.parametrize("case", _cases("pricing.json"))
def test_a_quantity_costs_what_others_say_it_costs(case: Case) -> None:
    """Tiers, packages, minimum and maximum mean the same everywhere, so the totals must be equal."""
    plan = _plan(case)
    quantities, totals = case["quantity"], case["expected_total"]
    if case["mode"] != "rerate":
        quantities, totals = [quantities], [totals]
    assert [Decimal(total) for total in totals] == [plan.price(Decimal(q)).total.amount for q in quantities]


@pytest.mark.parametrize("case", _cases("cycles.json", "period"))
def test_a_cycle_begins_and_ends_where_others_say_it_does(case: Case) -> None:
    """Anchors at the end of a month and in other time zones are where billing systems go wrong."""
    rule = billing.CycleRule(
        anchor=datetime.fromisoformat(case["anchor"]), months=MONTHS[case["interval"]], timezone=case["tz"]
    )
    cycle = rule.at(datetime.fromisoformat(case["as_of"]))
    if case.get("which") == "last_completed":
        cycle = rule.at(cycle.start - MOMENT)
    for expected, actual in ((case["expected_start"], cycle.start), (case["expected_end"], cycle.end)):
        if expected is not None:  # null: the source does not say
            assert datetime.fromisoformat(expected) == actual


@pytest.mark.parametrize("case", _cases("cycles.json", "first_cycle_day"))
def test_the_first_boundary_is_the_first_cycle_day_from_the_start(case: Case) -> None:
    """A day that the month does not have is its last day."""
    start = _midnight(case["start"])
    assert _midnight(case["expected"]) == _day_rule(case["anchor_day"]).at(start - MOMENT).end


@pytest.mark.parametrize("case", _cases("cycles.json", "next_cycle_day"))
def test_the_next_boundary_comes_after_the_start(case: Case) -> None:
    """A start on the cycle day itself begins a whole cycle."""
    assert _midnight(case["expected"]) == _day_rule(case["anchor_day"]).at(_midnight(case["start"])).end


@pytest.mark.parametrize("case", _cases("cycles.json", "next_date"))
def test_a_boundary_some_cycles_on_is_counted_from_the_anchor(case: Case) -> None:
    """From 31 January it is 31 March after February, and 29 February comes back after four years."""
    zone = ZoneInfo(case["tz"])
    start, expected = (datetime.fromisoformat(case[key]).replace(tzinfo=zone) for key in ("start", "expected"))
    rule = billing.CycleRule(anchor=start, months=MONTHS[case["interval"]], timezone=case["tz"])
    boundary = start
    for _ in range(case["units"]):
        boundary = rule.at(boundary).end
    assert expected == boundary


@pytest.mark.parametrize("case", _cases("cycles.json", "sequence"))
def test_boundaries_follow_one_another_on_the_cycle_day(case: Case) -> None:
    """Cycles tile time, each beginning where the one before it ends."""
    # The first date of a sequence is the subscription's start, from which a short first period runs.
    # A cycle rule has no short periods, so that date cannot be asked for; the boundaries after it can.
    start, *expected = (_midnight(date) for date in case["expected"])
    assert _midnight(case["start"]) == start
    rule = _day_rule(case["anchor_day"])
    assert expected[0] == rule.at(start).end
    assert expected == [cycle.start for cycle in rule.between(expected[0], expected[-1] + MOMENT)]


def _plan(case: Case) -> billing.Plan:
    """The plan of a pricing case; one price per unit or package is a single open tier."""
    mode = case.get("base_mode", case["mode"])
    whole = case.get("currency") == "minor units" or case.get("scale") == 0
    tiers: list[Case]
    settings: Case = {
        "id": case["id"],
        "currency": "JPY" if whole else "USD",  # a currency without minor units stands for counting in them
        "mode": mode if mode in ("volume", "graduated") else "volume",
        "included": int(case.get("free_units") or case.get("usage_discount") or 0),
        "minimum": case.get("min_total"),
        "maximum": case.get("max_total"),
        "charge_flat_at_zero": case.get("zero_flat") == "charge",
    }
    if mode == "package":
        settings["package_size"] = int(case["package_size"])
        tiers = [{"unit_price": case["package_price"]}]
    elif mode == "unit":
        tiers = [{"unit_price": case["unit_price"]}]
    else:
        tiers = [{**tier, "up_to": tier["up_to"] and int(tier["up_to"])} for tier in case["tiers"]]
    return billing.Plan(**settings, tiers=tuple(billing.Tier(**tier) for tier in tiers))


def _day_rule(day: int) -> billing.CycleRule:
    """Monthly cycles on a day of the month; January has all 31."""
    return billing.CycleRule(anchor=datetime(2000, 1, day, tzinfo=UTC))


def _midnight(date: str) -> datetime:
    return datetime.fromisoformat(date).replace(tzinfo=UTC)
