"""Ledgers in memory for laws: filled, closed, restated, and all that can be read of them.

The clock begins after all that happens in a story of January, and goes on by days.
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

#: When events come, and a ledger begins to be asked.
NOW: Final = micros(datetime(2026, 4, 2, tzinfo=UTC))
MONTHS: Final = ("2025-12", "2026-01", "2026-02", "2026-03")
#: In how many steps events come.
CUTS: Final = st.lists(st.integers(1, 4), max_size=8)


def _plan(name: str, *tiers: tuple[int | None, str]) -> Plan:
    steps = tuple(Tier(up_to=up_to, unit_price=Decimal(price)) for up_to, price in tiers)
    return Plan(id=name, currency="USD", mode="volume", tiers=steps)


#: Every peak has another price.
TEN: Final = _plan("ten", (None, "10.00"))
#: Two cost less than one.
FALLING: Final = _plan("falling", (1, "10.00"), (None, "4.00"))

# Events as a ledger takes them


def named(told: Sequence[Event]) -> list[Event]:
    """The events, each of which has an id: a ledger takes no others."""
    return [e if e.event_id is not None else replace(e, event_id=f"n{k}") for k, e in enumerate(told)]


def without_voids_of_voids(told: Sequence[Event]) -> list[Event]:
    """What is rejected in one order and has no effect in another is left out, to compare what it leaves."""
    voids = {(event.account_id, event.event_id) for event in told if event.type == "event.voided"}
    return [event for event in told if (event.account_id, event.voids) not in voids]


def parts(count: int, sizes: Sequence[int]) -> list[Span]:
    """The bounds of parts of these sizes, and of the rest.

    >>> parts(5, [2, 1])
    [(0, 2), (2, 3), (3, 5)]
    """
    bounds = [0]
    for size in sizes:
        bounds.append(min(count, bounds[-1] + size))
    return [(first, end) for first, end in zip(bounds, [*bounds[1:], count], strict=True) if first < end]


def recorded(told: Sequence[Event], times: Sequence[int]) -> pa.Table:
    """Events with when each was recorded."""
    return table(told).append_column("recorded_at", pa.array(times, pa.int64()).cast(pa.timestamp("us", "UTC")))


@dataclass(frozen=True)
class Deliveries:
    """A story of which some came before invoices were issued, and the rest late."""

    story: Story
    early: list[Event]
    late: list[Event]


@st.composite
def deliveries(draw: st.DrawFn, /, **bounds: Any) -> Deliveries:
    """Stories of January that come early and late; some of it then turns out to be a mistake."""
    story = draw(stories(cycle=JANUARY, **{"accounts": 2, "events_max": 14, **bounds}))
    told = named(story.events)
    half = draw(st.integers(0, len(told)))
    mistakes = draw(st.lists(st.sampled_from(told), max_size=2)) if told else []
    voids = [
        replace(e, type="event.voided", event_id=f"v{k}", identity_type=None, voids=e.event_id,
                identity_id=draw(st.sampled_from((e.identity_id, *IDENTITIES))))
        for k, e in enumerate(mistakes)
    ]  # fmt: skip
    return Deliveries(story, told[:half], [*told[half:], *voids])


# Ledgers


@contextmanager
def empty() -> Iterator[Ledger]:
    """A ledger that holds nothing."""
    with contextlib.closing(open_ledger("sqlite:///:memory:", create=True)) as ledger:
        yield ledger


@contextmanager
def kept(told: Sequence[Event], sizes: Sequence[int] = ()) -> Iterator[Ledger]:
    """A ledger to which events came in batches of these sizes, and the rest in one."""
    with empty() as ledger:
        for first, end in parts(len(told), sizes):
            append(ledger, told[first:end])
        yield ledger


@contextmanager
def closed(story: Story, early: Sequence[Event], *, plan: Plan = TEN, later: int | None = None) -> Iterator[Ledger]:
    """A ledger in which what came early is billed, for all months.

    With `later`, the cycles from March on are billed by windows that are so many days longer.
    """
    with kept(early) as ledger:
        terms = terms_of(story, plan=plan)
        close.add_terms(ledger, terms, now=NOW)
        if later is not None:
            longer = _longer(terms, timedelta(later))
            close.add_terms(ledger, longer, applies_from=micros(datetime(2026, 3, 1, tzinfo=UTC)), now=NOW)
        close_all(ledger, now=NOW + DAY)
        yield ledger


def append(ledger: Ledger, events: Sequence[Event] | pa.Table, *, now: int = NOW) -> Receipt:
    """Tell a ledger of some events, as any door does."""
    source = events if isinstance(events, pa.Table) else table(events)
    return engine.append(ledger, engine.read_incoming(source), now=now)


def close_all(ledger: Ledger, *, now: int) -> None:
    """Issue the invoices of all months."""
    for month in MONTHS:
        close.close(ledger, month, now=now, issue=True)


def restate_all(ledger: Ledger, *, now: int, issue: bool = True) -> restate.RestateResult:
    """Restate whatever was issued."""
    return restate.restate(ledger, now=now, issue=issue)


# Terms and questions


def terms_of(story: Story, rule: CycleRule | None = None, *, plan: Plan = TEN) -> AllTerms:
    """Terms under which the second account is billed by the other reading."""
    terms = [
        Terms(plan, rule or CycleRule(), policy_of(story.windows, reading_for(story, account)["reconnect"]))
        for account in ACCOUNTS
    ]
    return AllTerms(terms[0], {ACCOUNTS[1]: terms[1]})


def reading_for(story: Story, account_id: str) -> dict[str, Any]:
    """How the events of an account are read: those of the second one in the other way."""
    other = {"extends": "restarts", "restarts": "extends"}[story.reconnect]
    return {"windows": story.windows, "reconnect": other if account_id == ACCOUNTS[1] else story.reconnect}


def query_of(story: Story, data: st.DataObject) -> Query:
    """Any question about any cycles near the story's."""
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


def answers(asked_of: Any, query: Query, options: ReadOptions | None = None) -> tuple[str, ...]:
    """Peaks, drafts and suspicious zeros, as programs read them, without position and digest; or what is wrong."""
    try:
        result = engine.answer(asked_of, query, options)
        drafted = [invoice_content(each) for each in result.drafts()]
        zeros = [*engine.unexpected_zero(result, asked_of, query, options)]
    except BillingError as error:
        return (error.code,)
    for each in drafted:
        each["basis"] |= {"position": None, "digest": None}
    before = to_json({"before": count} for _, count in zeros)
    return to_json(bills.peaks(result.peaks())), to_json(drafted), to_json(bills.peaks(row for row, _ in zeros)), before


def explained(asked_of: Any, query: Query) -> str:
    """The evidence, as programs read it; or what is wrong."""
    try:
        return to_json([evidence.evidence(engine.explain(asked_of, query)[0])])
    except BillingError as error:
        return error.code


def said(ledger: Ledger, options: ReadOptions | None = None) -> tuple[str, ...]:
    """Peaks and drafts under the ledger's own terms, with position and digest; and the statement."""
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
    """What a ledger holds, as the definition takes it."""
    return [
        Event(e.account_id, e.identity_id, e.type, e.occurred_at, e.event_id, e.identity_type, e.voids)
        for page in ledger.entries()
        for e in page
    ]


def everything(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {
        name: ledger.database.rows(f"SELECT {', '.join(columns)} FROM {name} ORDER BY 1")
        for name, columns in COLUMNS.items()
    }


def owed(ledger: Ledger) -> dict[tuple[str, str], Decimal]:
    """What all documents on a cycle come to, by account and cycle."""
    return {(b.account_id, b.cycle.name): b.total.amount for b in issuing.billed_cycles(ledger)}


def fresh(ledger: Ledger) -> dict[tuple[str, str], Decimal]:
    """What each cycle would come to now."""
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
