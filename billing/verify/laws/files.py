"""Laws of bills from files: the engine gives what the definition says, however the events are written.

These try our engine the way every interface uses it: from columns to peaks and drafts, to the byte.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

from ... import engine
from ...core.cycle import moment
from ...core.plan import Plan, Tier
from ...core.sweep import Peak
from ...core.terms import AllTerms, Terms
from ...engine import pipeline
from ...engine.query import Query
from ...invoicing.document import invoice_content
from ...outputs.tables import bills
from ...outputs.tables.text import to_json
from .. import definition
from ..audit.events import table
from ..definition import Event
from ..strategies import JANUARY, plans
from .engines import OURS, Engine
from .law import law
from .story import Activity, Story, anonymous, by_account, moments, rule_of, stories

_PLAN = Plan(id="sample", currency="USD", mode="volume", tiers=(Tier(unit_price=Decimal("7.99")),))
#: Found by the search: the first type stays, though only the second has an event id.
TYPE_TOLD_TWICE = Story(
    [
        Event("acme", "ada", "action.called", JANUARY[0], "e0"),
        Event("acme", "ada", "identity.created", JANUARY[0], None, "standard"),
        Event("acme", "ada", "identity.created", JANUARY[0], "e1", "engagement"),
    ]
)


@law("I85", stories(accounts=2), st.booleans(), always=((TYPE_TOLD_TWICE, True),))
def the_engine_gives_the_peaks_of_the_definition(story: Story, ids: bool) -> None:
    """For every account, the peaks of a cycle and of those around it, and their instants, are as defined."""
    events = story.events if ids else anonymous(story.events)
    rule = rule_of(story.span)
    here = 0 if rule.anchor is not None else rule.index_at(story.span[0])
    query = Query(
        terms=AllTerms(Terms(cycles=rule, policy=story.policy)), first=rule.name(here - 1), last=rule.name(here + 1)
    )
    rows = pipeline.peaks(engine.activity(table(events, ids=ids), query), query)
    own = by_account(events)
    billed = {row.account_id for row in rows}
    assert [a for a in sorted(billed) for _ in range(3)] == [row.account_id for row in rows]
    assert all(definition.peak(own[a], *story.span, **story.settings) == (0, None) for a in own.keys() - billed)
    for row in rows:
        expected = definition.peak(own[row.account_id], row.start, row.end, **story.settings)
        assert expected == (row.peak, row.peak_at)


@law("I01", stories(accounts=2, conflicts=False), st.data())
def the_order_of_arrival_changes_nothing(story: Story, data: st.DataObject) -> None:
    """In whatever order events arrive, peaks and invoices are the same, to the byte."""
    shuffled = data.draw(st.permutations(story.events))
    assert _bytes(story.events, story) == _bytes(shuffled, story)


@law("I02", stories(accounts=2), st.data())
def repeats_change_nothing(story: Story, data: st.DataObject, *, engine: Engine) -> None:
    """An event that is sent twice is one event."""
    copies = data.draw(st.lists(st.sampled_from(story.events), max_size=5))
    once, again = (engine.activity(events, story.policy) for events in (story.events, [*story.events, *copies]))
    assert once == again


@law("I57", stories(cycle=JANUARY), st.lists(st.integers(-23 * 60, 23 * 60), min_size=1))
def another_offset_from_utc_changes_nothing(story: Story, minutes: list[int]) -> None:
    """An instant written with another offset from UTC is the same instant."""
    texts = [_written(e.occurred_at, minutes[k % len(minutes)]) for k, e in enumerate(story.events)]
    written = table(story.events)
    written = written.set_column(written.schema.get_field_index("occurred_at"), "occurred_at", pa.array(texts))
    query = Query(policy=story.policy)
    assert pipeline.peaks(engine.activity(table(story.events), query), query) == pipeline.peaks(
        engine.activity(written, query), query
    )


@law("I60", stories(cycle=JANUARY, accounts=2), st.data())
def a_peak_so_far_is_at_most_the_final_one(story: Story, data: st.DataObject) -> None:
    """The peak so far may rise until the cycle ends, and never falls if nothing comes late."""
    as_of = data.draw(moments(story)) + 1
    so_far = Query(policy=story.policy, first="2026-01", last="2026-01", as_of=as_of)
    final = {row.account_id: row.peak for row in _peaks(story.events, replace(so_far, as_of=None))}
    assert all(row.peak <= final[row.account_id] for row in _peaks(story.events, so_far))


@law(
    "I62",
    stories(cycle=JANUARY, accounts=2, types=("identity.created", "identity.deleted", "event.voided")),
    plans(settings=True),
)
def without_activity_the_peak_is_none_and_the_charge_is_that_of_none(story: Story, plan: Plan) -> None:
    """An account in which nobody was active is billed the price of a quantity of 0."""
    terms = AllTerms(Terms(plan=plan, policy=story.policy))
    query = Query(terms=terms, first="2026-01", last="2026-01")
    for invoice in pipeline.draft(engine.activity(table(story.events), query), query):
        assert (0, None, plan.price(0).total) == (invoice.peak, invoice.peak_at, invoice.total)


def _peaks(events: list[Event], query: Query) -> list[Peak]:
    return pipeline.peaks(engine.activity(table(events), query), query)


def _bytes(events: list[Event], story: Story) -> tuple[str, str, Activity]:
    """All output for a file: peaks, invoices, intervals."""
    query = Query(terms=AllTerms(Terms(plan=_PLAN, policy=story.policy)))
    found = engine.activity(table(events), query)
    peaks = to_json(bills.peaks(pipeline.peaks(found, query)))
    invoices = to_json(invoice_content(drafted) for drafted in pipeline.draft(found, query))
    return peaks, invoices, OURS.activity(events, story.policy)


def _written(instant: int, minutes: int) -> str:
    return moment(instant).astimezone(timezone(timedelta(minutes=minutes))).isoformat()
