"""The definition of a peak, read literally: the answer that every faster path is judged by.

It imports nothing of ours, sorts nothing it need not, keeps no running count and is as slow as it
looks. The two window lengths are repeated here on purpose: a wrong constant elsewhere must show.

    cover(e)  = [t_e, min(t_e + window(type_e), first deletion of that identity at or after t_e))
    active(i) = union of cover(e) over the activating events e of identity i
    peak      = max over t in [cycle start, cycle end) of the number of identities active at t
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

DAY = 86_400_000_000  # microseconds; always exactly 24 hours
WINDOWS = {"integration.connected": 5 * DAY, "action.called": 30 * DAY}


@dataclass(frozen=True)
class Event:
    """Something that happened to an identity of an account, at an instant in microseconds."""

    account_id: str
    identity_id: str
    type: str
    occurred_at: int
    event_id: str | None = None
    identity_type: str | None = None
    voids: str | None = None


def peak(
    events: Iterable[Event],
    start: int,
    end: int,
    *,
    windows: Mapping[str, int] = WINDOWS,
    reconnect: str = "extends",
) -> tuple[int, int | None]:
    """The most identities of one account active at one instant of `[start, end)`, and the first such instant.

    >>> peak([Event("acme", "ada", "action.called", 0), Event("acme", "bo", "action.called", 7)], 0, DAY)
    (2, 7)
    >>> peak([], 0, DAY)
    (0, None)
    """
    covers = [
        cover
        for history in billed(events).values()
        for cover in covers_of(history, windows=windows, reconnect=reconnect)
    ]
    # The count changes where a cover starts or ends, and nowhere else.
    instants = {start} | {edge for _, *span in covers for edge in span if start <= edge < end}
    best, first = 0, None
    for instant in sorted(instants):
        active = {identity for identity, since, until in covers if since <= instant < until}
        if len(active) > best:
            best, first = len(active), instant
    return best, first


def covers_of(
    history: list[Event], *, windows: Mapping[str, int] = WINDOWS, reconnect: str = "extends"
) -> list[tuple[str, int, int]]:
    """The spans for which each event of one identity keeps it active: `(identity_id, since, until)`."""
    covers = []
    for event in history:
        if event.type not in windows:
            continue
        since = event.occurred_at
        ends = [since + windows[event.type]]
        ends += [e.occurred_at for e in history if e.type == "identity.deleted" and e.occurred_at >= since]
        if reconnect == "restarts":
            ends += [e.occurred_at for e in history if e.type == "integration.connected" and e.occurred_at > since]
        if min(ends) > since:
            covers.append((event.identity_id, since, min(ends)))
    return covers


def billed(events: Iterable[Event]) -> dict[str, list[Event]]:
    """What happened to each identity that is counted: engagement identities, mistakes taken out."""
    events = happened(events)
    types: dict[str, str] = {}
    for event in events:
        if event.type == "identity.created":
            types.setdefault(event.identity_id, event.identity_type or "engagement")
    histories: dict[str, list[Event]] = {}
    for event in events:
        if types.get(event.identity_id, "engagement") == "engagement":
            histories.setdefault(event.identity_id, []).append(event)
    return histories


def happened(events: Iterable[Event]) -> list[Event]:
    """One account's events without repeats, conflicts, voids and what they void."""
    kept: list[Event] = []
    for event in events:  # of two with one id the first stays
        if event.event_id is None or all(event.event_id != e.event_id for e in kept):
            kept.append(event)
    voids = [e for e in kept if e.type == "event.voided"]
    void_ids = {e.event_id for e in voids}
    voided = {e.voids for e in voids if e.voids not in void_ids}  # voiding a void is rejected
    return [e for e in kept if e.type != "event.voided" and e.event_id not in voided]
