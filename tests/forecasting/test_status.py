"""Status: what is certain of an open cycle is what the definition says if nothing more happens."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import billing
from billing.core.cycle import CycleRule, micros
from billing.core.terms import AllTerms, Terms
from billing.core.totals import Totals
from billing.engine.query import Query
from billing.forecasting import run
from billing.forecasting.status import AmountDue, Status
from billing.verify import definition, strategies
from billing.verify.audit.events import table
from billing.verify.definition import DAY, Event
from billing.verify.strategies import JANUARY
from tests.conftest import Cli
from tests.support.ledgers import examples

MICROSECOND = datetime.resolution
TIMELESS = ("identity.created", "event.voided")
#: Moments of January, and those at which something may just happen.
MOMENTS = st.integers(JANUARY[0], JANUARY[1] - 1) | st.sampled_from(
    [JANUARY[0], JANUARY[0] + 1, JANUARY[1] - 1, *(JANUARY[0] + k * DAY + d for k in (5, 30) for d in (-1, 0, 1))]
)


def plan(*tiers: tuple[int | None, str]) -> billing.Plan:
    steps = tuple(billing.Tier(up_to=up_to, unit_price=Decimal(price)) for up_to, price in tiers)
    return billing.Plan(id="steps", currency="USD", mode="volume", tiers=steps)


def status_of(events: list[Event], now: int, terms: Terms | None = None) -> Status:
    (found,), _ = run.status(table(events), Query(terms=AllTerms(terms or Terms())), now)
    return found


def before(events: list[Event], now: int) -> list[Event]:
    return [e for e in events if e.occurred_at < now or e.type in TIMELESS]


def continued(events: list[Event], now: int, terms: Terms) -> dict[str, Any]:
    """The cycle that is open at `now` by the definition, if nothing more happens."""
    policy = terms.policy
    windows = {
        "integration.connected": policy.connect_window // MICROSECOND,
        "action.called": policy.action_window // MICROSECOND,
    }
    covers = definition.covers(before(events, now), windows=windows, reconnect=policy.reconnect)
    cycle = terms.cycles.at(datetime.fromtimestamp(0, UTC) + now * MICROSECOND)
    start, end = micros(cycle.start), micros(cycle.end)
    expiries: dict[str, int] = {}
    for identity, _, until in covers:
        if until > now:
            expiries[identity] = max(until, expiries.get(identity, 0))
    instants = sorted({now, *(at for at in expiries.values() if at < end)})
    return {
        "peak": definition.highest(covers, start, now) if now > start else (0, None),
        "expiries": sorted((at, identity) for identity, at in expiries.items()),
        "remaining": [(t, sum(since <= t < until for _, since, until in merged(covers))) for t in instants],
        "carried": len({identity for identity, since, until in covers if since <= end < until}),
        "final": definition.highest(covers, start, end)[0],
    }


def merged(covers: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Covers of one identity put together where they touch, so that nobody is counted twice."""
    whole: list[tuple[str, int, int]] = []
    for identity, since, until in sorted(covers):
        if whole and whole[-1][0] == identity and since <= whole[-1][2]:
            whole[-1] = identity, whole[-1][1], max(until, whole[-1][2])
        else:
            whole.append((identity, since, until))
    return whole


@examples(2_000, 50_000)
@given(strategies.ledgers(conflicts=False), MOMENTS, strategies.terms())
@example([Event("acme", "ada", "action.called", JANUARY[0] - 1)], JANUARY[0], Terms())
def test_what_is_certain_is_the_definition_continued_without_events(
    events: list[Event], now: int, terms: Terms
) -> None:
    assume(any(e.type != "event.voided" for e in events))  # where nothing happened there is no account
    found = status_of(events, now, terms)
    expected = continued(events, now, terms)
    assert expected["peak"] == (found.peak, found.peak_at)
    assert expected["expiries"] == [(each.at, each.identity_id) for each in found.active]
    assert expected["remaining"] == found.remaining
    assert expected["carried"] == found.carried
    # Nobody comes by himself: what follows is never above what is now, or was.
    assert expected["final"] == max(found.peak, len(found.active))


@examples(150, 20_000)
@given(
    strategies.ledgers(conflicts=False),
    st.lists(strategies.events(types=("integration.connected", "action.called", "identity.deleted")), max_size=5),
    MOMENTS,
    strategies.plans(bound_max=4, settings=True),
)
def test_no_future_takes_back_what_is_certain(
    events: list[Event], more: list[Event], now: int, priced: billing.Plan
) -> None:
    terms = Terms(plan=priced, discount=Decimal(10))
    known = [*before(events, now), *(e for e in more if e.occurred_at >= now)]
    assume(any(e.type != "event.voided" for e in known))
    certain = status_of(known, now, terms)
    (end,) = billing.draft(table(known), terms=terms, first="2026-01", last="2026-01")
    assert certain.peak <= end.peak
    assert certain.owed is not None
    assert certain.owed.least.total.amount <= end.total.amount


@examples(100, 5_000)
@given(strategies.plans(bound_max=6, settings=True), st.integers(0, 9))
def test_the_least_is_the_smallest_total_of_any_peak_from_here_up(priced: billing.Plan, peak: int) -> None:
    owed = AmountDue.of(peak, priced, Totals(priced))
    totals = [priced.price(quantity).total.amount for quantity in range(peak, peak + 60)]
    assert min(totals) == owed.least.total.amount
    assert peak + totals.index(min(totals)) == owed.least.quantity
    assert owed.one_more is not None
    assert totals[1] - totals[0] == owed.one_more.amount


def test_under_volume_tiers_less_than_so_far_can_be_the_end_of_it() -> None:
    """Two cost 20.00, three 18.00: whoever has two owes 20.00 today, and 18.00 if a third comes."""
    steps = plan((2, "10"), (4, "6"), (None, "5"))
    owed = AmountDue.of(2, steps, Totals(steps))
    assert ("20.00 USD", "18.00 USD", 3) == (str(owed.so_far), str(owed.least.total), owed.least.quantity)
    assert ("-2.00 USD", 1, 3) == (str(owed.one_more), owed.to_next_tier, owed.cheaper and owed.cheaper.quantity)


def test_where_the_plan_ends_nothing_is_said_of_one_more() -> None:
    small = plan((2, "10"))
    assert AmountDue.of(2, small, Totals(small)).one_more is None


def test_at_the_very_start_of_a_cycle_no_peak_is_certain() -> None:
    """Who was carried in is active, but may be deleted at this very instant, and then never was in the cycle."""
    ada = Event("acme", "ada", "action.called", JANUARY[0] - DAY)
    gone = Event("acme", "ada", "identity.deleted", JANUARY[0])
    assert (0, 1) == ((found := status_of([ada, gone], JANUARY[0])).peak, len(found.active))
    assert (1, 1) == ((found := status_of([ada], JANUARY[0] + 1)).peak, len(found.active))


def test_each_account_has_the_cycle_that_is_open_by_its_own_rule() -> None:
    events = [Event(account, "ada", "action.called", JANUARY[0]) for account in ("acme", "brio")]
    own = Terms(cycles=CycleRule(datetime(2025, 12, 20, tzinfo=UTC)))
    query = Query(terms=AllTerms(accounts={"brio": own}))
    found, _ = run.status(table(events), query, JANUARY[0] + 21 * DAY)
    assert [("acme", "2026-01", 1), ("brio", "2026-01", 1)] == [(f.account_id, f.cycle.name, f.peak) for f in found]
    assert [1, 20] == [f.cycle.start.day for f in found]


def test_an_inactive_account_has_a_status_too() -> None:
    found = status_of([Event("acme", "ada", "action.called", JANUARY[0] - 90 * DAY)], JANUARY[0] + DAY)
    assert (0, None, (), 0) == (found.peak, found.peak_at, found.active, found.carried)


AGENCY = ("fixtures/agency/events.csv", "--terms", "fixtures/agency/terms.toml")
OCTOBER = ("--as-of", "2025-10-20T00:00:00Z")


def test_a_ledger_has_the_status_of_a_file(tmp_path: Any, cli: Cli) -> None:
    url = f"sqlite:///{tmp_path / 'billing.db'}"
    cli("import", AGENCY[0], "--ledger", url)
    cli("ledger", "terms", url, *AGENCY[1:])
    of_file = cli("status", *AGENCY, *OCTOBER, "--format", "json", "--identities").out
    of_ledger = cli("status", url, *OCTOBER, "--format", "json", "--identities").out
    assert json.loads(of_file) == json.loads(of_ledger)


def test_the_status_says_what_is_certain_and_who_becomes_inactive_when(cli: Cli) -> None:
    outcome = cli("status", *AGENCY, *OCTOBER, "--account", "outreach-sg", "--format", "json", "--identities")
    (found,) = json.loads(outcome.out)
    assert ("2025-10", 28, 28, 24, "176.15", "176.15", 28) == tuple(
        found[key] for key in ("cycle", "active", "peak", "carried", "so_far", "least", "least_at")
    )
    assert {"identity_id": "changi-eli", "at": "2025-10-21T09:51:03Z"} == found["asleep"][0]
    assert {"at": "2025-10-20T00:00:00Z", "active": 28} == found["staircase"][0]
    assert [28 - k for k in range(len(found["staircase"]))] == [step["active"] for step in found["staircase"]]


@pytest.mark.parametrize("verb", ["status", "forecast"])
def test_a_source_whose_activity_is_over_is_said_to_be(verb: str, cli: Cli) -> None:
    """Who asks about now of a file from last year should not take zeros for an answer."""
    outcome = cli(verb, *AGENCY)
    assert "Nobody is active now; the last was until 2026-01-30T21:46:28Z. --as-of asks" in outcome.err


def test_statuses_are_a_table_in_python() -> None:
    found = billing.status(AGENCY[0], terms=AGENCY[2], as_of=datetime(2025, 10, 20, tzinfo=UTC))
    assert [("brightline", 67, 69), ("kontor-nord", 30, 32), ("outreach-sg", 28, 28)] == [
        (s.account_id, len(s.active), s.peak) for s in found
    ]
