"""What else is searched for in made-up ledgers; their laws are in `billing.verify.laws`.

Whether an explanation names what made the difference, whether terms are kept as they are; and
mistakes planted in the engine, each of which a law must see.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from unittest.mock import patch

from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import billing
from billing.config.terms import version_document, version_of
from billing.core.activity import ActivityPolicy
from billing.core.cycle import CycleRule, micros
from billing.core.terms import AllTerms, Terms, TermsVersion
from billing.engine.query import Query
from billing.invoicing import restate
from billing.verify import definition
from billing.verify.audit.events import table
from billing.verify.definition import DAY, Event
from billing.verify.laws.sample_ledgers import (
    FALLING,
    NOW,
    TEN,
    Deliveries,
    answers,
    append,
    closed_ledger,
    deliveries,
    entries,
    ledger_of,
    restate_all,
    settings_for,
    with_ids,
)
from billing.verify.laws.story import Story, by_account, policy_of, stories
from billing.verify.strategies import JANUARY, Span, windows
from tests.support.ledgers import examples


def test_a_rejected_void_counts_for_no_account_in_whatever_order_it_came() -> None:
    """A void of a void is no event of the account, whichever of the two was first to arrive."""
    events = [
        Event("acme", "ada", "action.called", JANUARY[0], "e1"),
        Event("acme", "ada", "event.voided", JANUARY[0], "v1", voids="e1"),
        Event("acme", "ada", "event.voided", JANUARY[0], "v2", voids="v1"),
    ]
    query = Query(terms=AllTerms(Terms(plan=TEN)), first="2026-01", last="2026-01")
    with ledger_of(events) as in_order, ledger_of(events[::-1]) as reversed_:
        assert answers(table(events), query) == answers(in_order, query) == answers(reversed_, query)


@examples(150, 5_000)
@given(deliveries())
def test_without_the_events_that_an_explanation_names_the_cycle_is_as_it_was_billed(sent: Deliveries) -> None:
    """So they make the whole of the difference; and each identity it names is one that they speak of."""
    with closed_ledger(sent.story, sent.early) as ledger:
        if sent.late:
            append(ledger, sent.late, now=NOW + 2 * DAY)
        own = by_account(entries(ledger))
        for restatement in restate_all(ledger, now=NOW + 3 * DAY, issue=False).restatements:
            billed, late = restatement.billed, {event.event_id for event in restatement.events}
            whole, settings = own[billed.account_id], settings_for(sent.story, billed.account_id)
            rest = [event for event in whole if event.event_id not in late]
            assert restatement.fresh.peak == definition.peak(whole, *billed.span, **settings)[0]
            assert billed.peak == definition.peak(rest, *billed.span, **settings)[0]
            undone = {event.voids for event in whole if event.event_id in late}
            spoken_of = {event.identity_id for event in whole if event.event_id in late | undone}
            assert {*restatement.now_active, *restatement.no_longer_active} <= spoken_of


def test_an_event_reaches_further_than_its_own_day() -> None:
    """If late events were taken to touch less than they do, the law of restating would see it."""

    def a_day(event_type: str, occurred_at: int, policy: ActivityPolicy) -> Span:
        return occurred_at, occurred_at + DAY

    def shows(story: Story) -> bool:
        events = with_ids(story.events)
        with closed_ledger(story, events[:1]) as ledger:
            append(ledger, events[1:], now=NOW + 2 * DAY)
            whole = restate_all(ledger, now=NOW + 3 * DAY, issue=False).restatements
            with patch.object(restate, "affected_span", a_day):
                return whole != restate_all(ledger, now=NOW + 3 * DAY, issue=False).restatements

    search = settings(max_examples=1_000, phases=[Phase.generate], database=None, derandomize=False)
    find(stories(cycle=JANUARY, events_min=2), shows, settings=search, random=Random(0))


_anchors = st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))
_prices = st.integers(0, 12).flatmap(lambda places: st.decimals(0, 10, places=places))
_plans = st.builds(
    lambda mode, prices, included, minimum, package_size: billing.Plan(
        id="any", currency="USD", mode=mode, included=included, minimum=minimum, package_size=package_size,
        tiers=(
            *(billing.Tier(up_to=k, unit_price=a, flat_price=b) for k, (a, b) in enumerate(prices, start=1)),
            billing.Tier(unit_price=Decimal("0.01")),
        ),
    ),
    st.sampled_from(("volume", "graduated")),
    st.lists(st.tuples(_prices, _prices), max_size=2),
    st.integers(0, 9),
    st.none() | _prices,
    st.none() | st.integers(1, 9),
)  # fmt: skip
_terms_of_accounts = st.builds(
    lambda anchor, months, zone, windows, reconnect, discount, plan: Terms(
        plan, CycleRule(anchor, months, zone), policy_of(windows, reconnect), discount
    ),
    st.none() | _anchors,
    st.sampled_from((1, 3, 6, 12)),
    st.sampled_from(("UTC", "America/New_York", "Asia/Kathmandu")),
    windows(),
    st.sampled_from(("extends", "restarts")),
    st.decimals(0, 100, places=12) | st.integers(0, 100).map(Decimal),
    st.none() | st.sampled_from((TEN, FALLING)) | _plans,
)


@given(
    st.integers(1, 99), st.none() | _anchors.map(micros), _terms_of_accounts,
    st.dictionaries(st.text(min_size=1), _terms_of_accounts, max_size=2),
)  # fmt: skip
def test_terms_are_read_as_they_were_kept(
    number: int, since: int | None, default: Terms, accounts: dict[str, Terms]
) -> None:
    """Else a cycle would be restated by other terms than it was billed by."""
    version = TermsVersion(number, since, AllTerms(default, accounts))
    assert version == version_of(version_document(version))
