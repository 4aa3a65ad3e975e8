"""Ledgers in memory for laws: filled, closed, restated, and everything that can be read from them.

The clock starts after all events of a story of January.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa
from hypothesis import strategies as st

from ... import engine
from ...core.cycle import CycleRule, micros
from ...core.errors import BillingError
from ...core.plan import Plan, Tier
from ...core.terms import AllTerms, Terms
from ...engine.query import Query
from ...inputs.rows import ReadOptions
from ...invoicing import close, restate
from ...invoicing import issue as issuing
from ...invoicing.document import invoice_content
from ...ledger.address import open_ledger
from ...ledger.database import COLUMNS
from ...ledger.entry import Receipt
from ...ledger.ledger import Ledger
from ...outputs.tables import bills, evidence, invoicing
from ...outputs.tables.text import to_json
from ..audit.events import table
from ..definition import DAY, Event
from ..strategies import ACCOUNTS, IDENTITIES, JANUARY, Span
from .story import Story, moments, policy_of, rule_of, stories

#: When the first events are appended.
NOW: Final = micros(datetime(2026, 4, 2, tzinfo=UTC))
MONTHS: Final = ("2025-12", "2026-01", "2026-02", "2026-03")
#: The sizes of the batches that events come in.
CUTS: Final = st.lists(st.integers(1, 4), max_size=8)


def _plan(name: str, *tiers: tuple[int | None, str]) -> Plan:
    steps = tuple(Tier(up_to=up_to, unit_price=Decimal(price)) for up_to, price in tiers)
    return Plan(id=name, currency="USD", mode="volume", tiers=steps)


#: Under this plan every peak has another price.
TEN: Final = _plan("ten", (None, "10.00"))
#: Under this one two cost less than one.
FALLING: Final = _plan("falling", (1, "10.00"), (None, "4.00"))

# Events as a ledger takes them


def with_ids(events: Sequence[Event]) -> list[Event]:
    """The same events, each with an id, which a ledger requires."""
    return [e if e.event_id is not None else replace(e, event_id=f"n{k}") for k, e in enumerate(events)]


def without_voids_of_voids(events: Sequence[Event]) -> list[Event]:
    """The same events without voids of voids: in some orders they are rejected, in others they void nothing."""
    voids = {(event.account_id, event.event_id) for event in events if event.type == "event.voided"}
    return [event for event in events if (event.account_id, event.voids) not in voids]


def batch_bounds(count: int, sizes: Sequence[int]) -> list[Span]:
    """The bounds of batches of these sizes, and of the rest.

    >>> batch_bounds(5, [2, 1])
    [(0, 2), (2, 3), (3, 5)]
    """
    bounds = [0]
    for size in sizes:
        bounds.append(min(count, bounds[-1] + size))
    return [(first, end) for first, end in zip(bounds, [*bounds[1:], count], strict=True) if first < end]


def with_times(events: Sequence[Event], times: Sequence[int]) -> pa.Table:
    """A table of events with the time at which each was recorded."""
    return table(events).append_column("recorded_at", pa.array(times, pa.int64()).cast(pa.timestamp("us", "UTC")))


@dataclass(frozen=True)
class Deliveries:
    """A story of which some events arrive before invoices are issued, and the others late."""

    story: Story
    early: list[Event]
    late: list[Event]


@st.composite
def deliveries(draw: st.DrawFn, /, **bounds: Any) -> Deliveries:
    """Stories of January in early and late events; some late events are voids."""
    story = draw(stories(cycle=JANUARY, **{"accounts": 2, "events_max": 14, **bounds}))
    events = with_ids(story.events)
    half = draw(st.integers(0, len(events)))
    mistakes = draw(st.lists(st.sampled_from(events), max_size=2)) if events else []
    voids = [
        replace(e, type="event.voided", event_id=f"v{k}", identity_type=None, voids=e.event_id,
                identity_id=draw(st.sampled_from((e.identity_id, *IDENTITIES))))
        for k, e in enumerate(mistakes)
    ]  # fmt: skip
    return Deliveries(story, events[:half], [*events[half:], *voids])


# Ledgers


@contextmanager
def empty_ledger() -> Iterator[Ledger]:
    """A ledger without entries."""
    with contextlib.closing(open_ledger("sqlite:///:memory:", create=True)) as ledger:
        yield ledger


@contextmanager
def ledger_of(events: Sequence[Event], sizes: Sequence[int] = ()) -> Iterator[Ledger]:
    """A ledger with these events, appended in batches of these sizes and the rest in one."""
    with empty_ledger() as ledger:
        for first, end in batch_bounds(len(events), sizes):
            append(ledger, events[first:end])
        yield ledger


@contextmanager
def closed_ledger(
    story: Story, early: Sequence[Event], *, plan: Plan = TEN, later: int | None = None
) -> Iterator[Ledger]:
    """A ledger with early events in which all months are closed.

    With `later`, cycles from March on have windows that are that many days longer.
    """
    with ledger_of(early) as ledger:
        terms = terms_of(story, plan=plan)
        close.add_terms(ledger, terms, now=NOW)
        if later is not None:
            longer = _longer(terms, timedelta(later))
            close.add_terms(ledger, longer, applies_from=micros(datetime(2026, 3, 1, tzinfo=UTC)), now=NOW)
        close_all(ledger, now=NOW + DAY)
        yield ledger


def append(ledger: Ledger, events: Sequence[Event] | pa.Table, *, now: int = NOW) -> Receipt:
    """Append events, as every interface does."""
    source = events if isinstance(events, pa.Table) else table(events)
    return engine.append(ledger, engine.read_incoming(source), now=now)


def close_all(ledger: Ledger, *, now: int) -> None:
    """Issue the invoices of all months."""
    for month in MONTHS:
        close.close(ledger, month, now=now, issue=True)


def restate_all(ledger: Ledger, *, now: int, issue: bool = True) -> restate.RestateResult:
    """Restate all issued cycles."""
    return restate.restate(ledger, now=now, issue=issue)


# Terms and queries


def terms_of(story: Story, rule: CycleRule | None = None, *, plan: Plan = TEN) -> AllTerms:
    """Terms under which the second account has the other rule for reconnects."""
    terms = [
        Terms(plan, rule or CycleRule(), policy_of(story.windows, settings_for(story, account)["reconnect"]))
        for account in ACCOUNTS
    ]
    return AllTerms(terms[0], {ACCOUNTS[1]: terms[1]})


def settings_for(story: Story, account_id: str) -> dict[str, Any]:
    """The policy of an account for the definition: the second account has the other rule for reconnects."""
    other = {"extends": "restarts", "restarts": "extends"}[story.reconnect]
    return {"windows": story.windows, "reconnect": other if account_id == ACCOUNTS[1] else story.reconnect}


def query_of(story: Story, data: st.DataObject) -> Query:
    """Some query about cycles near that of a story."""
    rule = rule_of(story.span)
    here = rule.index_at(story.span[0])
    first = data.draw(st.none() | st.integers(-2, 2))
    last = data.draw(st.none() | st.integers(-2 if first is None else first, 2))
    return Query(
        terms=terms_of(story, rule),
        first=None if first is None else rule.name(here + first),
        last=None if last is None else rule.name(here + last),
        accounts=tuple(data.draw(st.sampled_from(((), (), (), ACCOUNTS[:1], ACCOUNTS[1:])))),
        as_of=data.draw(st.none() | st.none() | moments(story)),
    )


# What can be read


def answers(source: Any, query: Query, options: ReadOptions | None = None) -> tuple[str, ...]:
    """Peaks, drafts and unexpected zeros as JSON, without position and digest; or the code of the error."""
    try:
        result = engine.answer(source, query, options)
        drafted = [invoice_content(each) for each in result.drafts()]
        zeros = [*engine.unexpected_zero(result, source, query, options)]
    except BillingError as error:
        return (error.code,)
    for each in drafted:
        each["basis"] |= {"position": None, "digest": None}
    before = to_json({"before": count} for _, count in zeros)
    return to_json(bills.peaks(result.peaks())), to_json(drafted), to_json(bills.peaks(row for row, _ in zeros)), before


def explain(source: Any, query: Query) -> str:
    """The evidence as JSON; or the code of the error."""
    try:
        return to_json([evidence.evidence(engine.explain(source, query)[0])])
    except BillingError as error:
        return error.code


def snapshot(ledger: Ledger, options: ReadOptions | None = None) -> tuple[str, ...]:
    """Peaks and drafts under the ledger's own terms, with position and digest, and the statement, as JSON."""
    options = options or ReadOptions()
    query = Query(terms=engine.terms_in(ledger, options), first=MONTHS[0], last=MONTHS[-1])
    result = engine.answer(ledger, query, options)
    rows = issuing.statement(ledger, position=engine.position_of(ledger, options))
    return (
        to_json(bills.peaks(result.peaks())),
        to_json(invoice_content(each) for each in result.drafts()),
        to_json(invoicing.statement(rows)),
    )


def entries(ledger: Ledger) -> list[Event]:
    """The entries of a ledger as events of the definition."""
    return [
        Event(e.account_id, e.identity_id, e.type, e.occurred_at, e.event_id, e.identity_type, e.voids)
        for page in ledger.entries()
        for e in page
    ]


def all_rows(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {
        name: ledger.database.rows(f"SELECT {', '.join(columns)} FROM {name} ORDER BY 1")
        for name, columns in COLUMNS.items()
    }


def billed_totals(ledger: Ledger) -> dict[tuple[str, str], Decimal]:
    """The total of all documents on each cycle, by account and cycle."""
    return {(b.account_id, b.cycle.name): b.total.amount for b in issuing.billed_cycles(ledger)}


def draft_totals(ledger: Ledger) -> dict[tuple[str, str], Decimal]:
    """The total of each cycle drafted now, by account and cycle."""
    query = Query(terms=engine.terms_in(ledger), first=MONTHS[0], last=MONTHS[-1])
    drafts = engine.answer(ledger, query).drafts()
    return {(drafted.account_id, drafted.cycle.name): drafted.total.amount for drafted in drafts}


def _longer(terms: AllTerms, by: timedelta) -> AllTerms:
    def longer(own: Terms) -> Terms:
        policy = own.policy
        return replace(
            own,
            policy=replace(policy, action_window=policy.action_window + by, connect_window=policy.connect_window + by),
        )

    return AllTerms(longer(terms.default), {account: longer(own) for account, own in terms.accounts.items()})
