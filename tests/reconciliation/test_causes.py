"""Causes: each one counts what somebody counts who bills in that very way."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import billing
from billing import engine
from billing.core.activity import ActivityPolicy
from billing.core.cycle import CycleRule
from billing.core.event import Events
from billing.core.terms import Terms
from billing.inputs.rows import ReadOptions
from billing.reconciliation.causes import CAUSES, CountingRule, apply_causes, compatible_pairs, compute_amount
from billing.reconciliation.recount import Recount
from billing.reconciliation.time_line import CycleRef
from billing.verify import definition, strategies
from billing.verify.audit.events import table
from billing.verify.definition import DAY, Event
from billing.verify.strategies import JANUARY
from tests.support.ledgers import examples
from tests.support.misread import MISREADINGS, misread

BY_NAME = {cause.name: cause for cause in CAUSES}
LEDGERS = strategies.ledgers(conflicts=False)


def read(events: list[Event]) -> Events:
    return engine.read(table(events), ReadOptions(history=True))


def count(name: str, events: Events, cycle_rule: CycleRule | None = None) -> int:
    cycle_rule = cycle_rule or CycleRule()
    cycle = CycleRef(0, cycle_rule, cycle_rule.index_at(JANUARY[0] + 15 * DAY), ActivityPolicy())
    rule = apply_causes((BY_NAME[name],)) if name else CountingRule()
    return int(Recount(events, [0]).count([cycle], rule)[0])


@pytest.mark.parametrize("name", MISREADINGS)
def test_a_cause_counts_what_whoever_bills_so_counts(name: str) -> None:
    @examples(60, 3_000)
    @given(LEDGERS)
    def holds(events: list[Event]) -> None:
        if events:
            assert misread(name, events, *JANUARY) == count(name, read(events))

    holds()


@examples(100, 5_000)
@given(LEDGERS)
def test_without_a_cause_the_recount_has_the_peak_of_the_definition(events: list[Event]) -> None:
    if events:
        assert definition.peak(events, *JANUARY)[0] == count("", read(events))


@examples(60, 2_000)
@given(LEDGERS, st.sampled_from(["America/New_York", "Asia/Kolkata", "Pacific/Auckland"]))
def test_calendar_days_are_those_of_the_accounts_clock(events: list[Event], zone: str) -> None:
    rule = CycleRule(timezone=zone)
    k = rule.index_at(JANUARY[0] + 15 * DAY)
    if events:
        expected = misread("calendar_days", events, rule.bound(k), rule.bound(k + 1), zone=zone)
        assert expected == count("calendar_days", read(events), rule)


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("previous_cycle", ("2025-05-14T11:13:47Z", "2025-06-14T11:13:47Z")),
        ("next_cycle", ("2025-07-14T11:13:47Z", "2025-08-14T11:13:47Z")),
        ("calendar_months", ("2025-06-01T04:00:00Z", "2025-07-01T04:00:00Z")),
        ("cycle_in_utc", ("2025-06-14T12:13:47Z", "2025-07-14T12:13:47Z")),
    ],
)
def test_a_cause_about_the_cycle_takes_another_one(name: str, span: tuple[str, str]) -> None:
    from billing.core.cycle import instant_of, moment

    rule = CycleRule(anchor=moment(instant_of("2025-01-14T12:13:47Z")), timezone="America/New_York")
    cycle = CycleRef(0, rule, rule.index_at(instant_of("2025-06-20T00:00:00Z")), ActivityPolicy())
    assert tuple(map(instant_of, span)) == cycle.span(apply_causes((BY_NAME[name],)))


def recorded(rows: list[tuple[str, str, str, str, str, str | None]]) -> Events:
    """Events of acme from id, identity, type, day of January, day of recording, and what is voided."""
    columns = list(zip(*rows, strict=True))

    def instants(days: tuple[str, ...]) -> pa.Array:
        return pa.array([f"2026-{day}T00:00:00Z" for day in days])

    return engine.read(
        pa.table(
            {
                "event_id": columns[0],
                "account_id": ["acme"] * len(rows),
                "identity_id": columns[1],
                "type": columns[2],
                "occurred_at": instants(columns[3]),
                "recorded_at": instants(columns[4]),
                "voids": pa.array(columns[5], pa.string()),
            }
        ),
        ReadOptions(history=True),
    )


def test_what_was_known_at_the_cycles_end_lacks_late_events_and_late_voids() -> None:
    events = recorded(
        [
            ("e1", "ada", "action.called", "01-10", "01-10", None),
            ("e2", "bob", "action.called", "01-11", "02-05", None),  # learned of after the cycle
            ("e3", "cy", "action.called", "01-12", "01-12", None),
            ("e4", "cy", "event.voided", "01-12", "02-06", "e3"),  # taken back after the cycle
            ("e5", "dan", "action.called", "01-13", "01-13", None),
            ("e6", "dan", "event.voided", "01-13", "01-14", "e5"),  # taken back in time
        ]
    )
    assert (2, 2) == (count("", events), count("late_events_missing", events))
    cycle = CycleRef(0, CycleRule(), CycleRule().index_at(JANUARY[0]), ActivityPolicy())
    who = Recount(events, [0]).identities(cycle, apply_causes((BY_NAME["late_events_missing"],)))
    assert {"ada", "cy"} == {events.names.identities[code].as_py() for code in who.identities}


def test_a_source_without_times_of_recording_and_ids_lacks_the_data_for_two_causes() -> None:
    plain = engine.read(table([Event("acme", "ada", "action.called", JANUARY[0])], ids=False))
    recount = Recount(plain, [0])
    unknown = [r.name for r in CAUSES if not recount.supports(apply_causes((r,)))]
    assert ["repeats_counted", "late_events_missing"] == unknown


def tier(unit_price: str, up_to: int | None = None, flat_price: str = "0") -> billing.Tier:
    return billing.Tier(up_to=up_to, unit_price=Decimal(unit_price), flat_price=Decimal(flat_price))


def plan(*tiers: billing.Tier) -> billing.Plan:
    return billing.Plan(id="sample", currency="USD", mode="volume", tiers=tiers)


PLAN = plan(tier("7.995", up_to=10), tier("6.50", flat_price="1.005"))
EARLIER = plan(tier("5"))
TERMS = Terms(plan=PLAN, discount=Decimal(10))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "71.11"),  # 12 x 6.50 + 1.005 = 79.005, rounded 79.01, less 7.90 (7.901) = 71.11
        ("discount_left_out", "79.01"),
        ("other_mode", "84.56"),  # 10 x 7.995 + 2 x 6.50 + 1.005 = 93.955, 93.96 - 9.40
        ("earlier_plan", "54.00"),  # 60.00 - 6.00
        ("second_earlier_plan", None),
        ("rounded_per_unit", "71.10"),  # 12 x 5.85 + 0.90
        ("tax_19", "84.62"),  # 71.11 x 1.19 = 84.6209
    ],
)
def test_a_cause_about_the_price_gives_its_amount(name: str, expected: str | None) -> None:
    rule = apply_causes((BY_NAME[name],)) if name else CountingRule()
    assert (None if expected is None else Decimal(expected)) == compute_amount(rule, 12, TERMS, (EARLIER,))


def test_a_minimum_is_no_units_amount() -> None:
    least = PLAN.model_copy(update={"minimum": Decimal("100.005")})
    rule = apply_causes((BY_NAME["rounded_per_unit"],))
    assert Decimal("100.01") == compute_amount(rule, 1, Terms(plan=least))


def test_what_has_no_price_and_no_plan_has_no_amount() -> None:
    bounded = plan(tier("1", up_to=1))
    assert compute_amount(CountingRule(), 2, Terms(plan=bounded)) is None
    assert compute_amount(CountingRule(), 2, Terms()) is None


def test_pairs_change_two_things_and_never_one_twice() -> None:
    found = {(a.name, b.name) for a, b in compatible_pairs(CAUSES)}
    assert ("count_at_end", "discount_left_out") in found
    assert ("count_at_end", "distinct") not in found
