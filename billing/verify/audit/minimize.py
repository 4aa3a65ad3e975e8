"""The fewest events that show a discrepancy, between the engine and the definition or of an invoice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ... import engine
from ...core.cycle import Cycle, moment
from ...core.minimize import smallest
from ...core.terms import AllTerms
from ...engine import pipeline
from ...engine.query import Query
from .. import definition
from ..definition import Event
from . import expected
from .claims import Claim, Discrepancy, moment_text
from .events import bare, table


def shrunk(found: Discrepancy, seen: list[Event], told: list[Event]) -> Discrepancy:
    """The same with the fewest events on which the engine still differs; as it is, if it takes all the source."""
    claim = found.claim
    seen, told = [bare(event) for event in seen], [bare(event) for event in told]
    last: tuple[Any, Any] | None = None

    def differs(some_seen: list[Event], some_told: list[Event]) -> bool:
        nonlocal last
        right = expected.bill(some_told, claim.start, claim.end, claim.terms)[:2]
        said = _by_the_engine(some_seen, claim)
        if said == right:
            return False
        last = (said[0], right[0]) if said[0] != right[0] else (moment_text(said[1]), moment_text(right[1]))
        return True

    def shows(keys: list[Any]) -> bool:
        some = set(keys)
        return differs([e for e in seen if _key(e) in some], [e for e in told if _key(e) in some])

    if not seen and not told:
        return found
    if not differs(told, told):  # the engine is right on what was told, but answers from something else
        keys = list(dict.fromkeys(map(_key, [*told, *seen])))
        if not shows(keys):
            return found
    else:
        seen, keys = told, list(dict.fromkeys(map(_key, told)))
    identities = {key: e.identity_id for e in [*told, *seen] for key in [_key(e)]}
    whose = smallest(
        sorted(set(identities.values())), lambda some: shows([key for key in keys if identities[key] in set(some)])
    )
    kept = smallest([key for key in keys if identities[key] in set(whose)], shows)
    shows(kept)
    # All that is known by these keys, in the order told: one id may have two contents.
    events = dict.fromkeys(e for e in [*told, *seen] if _key(e) in set(kept))
    return replace(found, events=tuple(events), shown=last)


def _key(event: Event) -> Any:
    """What an event is known by, among those of its account: its id, or all it says."""
    return event if event.event_id is None else event.event_id


def _by_the_engine(events: list[Event], claim: Claim) -> tuple[int, int | None]:
    """The peak of a cycle, by the engine, on some events."""
    if not events:
        return 0, None
    query = Query(terms=AllTerms(claim.terms))
    active = engine.activity(table(events), query)
    cycle = Cycle(moment(claim.start), moment(claim.end))
    names = active.names
    codes = [names.code_of(claim.account_id)] if claim.account_id in names.account_names else []
    spans = [([claim.start - 1, claim.start, claim.end], [cycle])] * len(codes)
    rows = list(pipeline.sweep_cycles(active, codes, spans))
    return (rows[0].peak, rows[0].peak_at) if rows else (0, None)


def evidence(events: list[Event], claim: Claim, instant: int | None) -> tuple[Event, ...]:
    """One event for each identity that is active at an instant: the first that covers it."""
    if instant is None:
        return ()
    policy = claim.terms.policy
    windows = expected.windows_of(policy)
    found: dict[str, Event] = {}
    for identity, history in definition.billed(events).items():
        for event in history:
            others = [e for e in history if e.type not in windows or e.type == "integration.connected"]
            spans = definition.covers_of([event, *others], windows=windows, reconnect=policy.reconnect)
            if spans and spans[0][1] == event.occurred_at and spans[0][1] <= instant < spans[0][2]:
                found.setdefault(identity, event)
    return tuple(found.values())
