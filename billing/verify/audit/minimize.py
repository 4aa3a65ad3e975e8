"""The fewest events on which the engine and the definition still differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ... import engine
from ...core.cycle import Cycle, moment
from ...core.minimize import minimize
from ...core.terms import AllTerms
from ...engine import pipeline
from ...engine.query import Query
from ..definition import Event
from . import expected
from .discrepancy import Discrepancy, StatedBill, moment_text
from .events import table, without_call


def minimize_discrepancy(found: Discrepancy, seen: list[Event], events: list[Event]) -> Discrepancy:
    """A discrepancy with the fewest events on which the engine still differs.

    `seen` are the events that the engine answers from, `events` those of the source. The discrepancy
    comes back as it is if the engine is right on these events alone.
    """
    bill = found.bill
    seen, events = [without_call(event) for event in seen], [without_call(event) for event in events]
    last: tuple[Any, Any] | None = None

    def differs(some_seen: list[Event], some_events: list[Event]) -> bool:
        nonlocal last
        right = expected.invoice(some_events, bill.start, bill.end, bill.terms)[:2]
        stated = _by_the_engine(some_seen, bill)
        if stated == right:
            return False
        last = (stated[0], right[0]) if stated[0] != right[0] else (moment_text(stated[1]), moment_text(right[1]))
        return True

    def shows(keys: list[Any]) -> bool:
        some = set(keys)
        return differs([e for e in seen if _key(e) in some], [e for e in events if _key(e) in some])

    if not seen and not events:
        return found
    if not differs(events, events):  # the engine is right on the source's events, but answers from others
        keys = list(dict.fromkeys(map(_key, [*events, *seen])))
        if not shows(keys):
            return found
    else:
        seen, keys = events, list(dict.fromkeys(map(_key, events)))
    # Whole identities first: with thousands of events, that leaves few to try one by one.
    identities = {key: e.identity_id for e in [*events, *seen] for key in [_key(e)]}
    needed = minimize(
        sorted(set(identities.values())), lambda some: shows([key for key in keys if identities[key] in set(some)])
    )
    kept = minimize([key for key in keys if identities[key] in set(needed)], shows)
    shows(kept)
    # All events with these keys, in the order of the source: one id may have two contents.
    fewest = dict.fromkeys(e for e in [*events, *seen] if _key(e) in set(kept))
    return replace(found, events=tuple(fewest), shown=last)


def _key(event: Event) -> Any:
    """What identifies an event among those of its account: its id, or all its content."""
    return event if event.event_id is None else event.event_id


def _by_the_engine(events: list[Event], bill: StatedBill) -> tuple[int, int | None]:
    """The peak of a bill's cycle by the engine, on some events."""
    if not events:
        return 0, None
    query = Query(terms=AllTerms(bill.terms))
    active = engine.activity(table(events), query)
    cycle = Cycle(moment(bill.start), moment(bill.end))
    names = active.names
    codes = [names.code_of(bill.account_id)] if bill.account_id in names.account_names else []
    spans = [([bill.start - 1, bill.start, bill.end], [cycle])] * len(codes)
    rows = list(pipeline.sweep_cycles(active, codes, spans))
    return (rows[0].peak, rows[0].peak_at) if rows else (0, None)
