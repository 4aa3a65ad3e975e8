"""Peak billing misread on purpose, in plain Python over the definition and nothing of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from billing.verify import definition
from billing.verify.definition import DAY, WINDOWS, Event

Cover = tuple[str, int, int]
HOUR = DAY // 24


def misread(name: str, events: Sequence[Event], start: int, end: int, *, zone: str = "UTC") -> int:
    """How many identities somebody bills for `[start, end)` who misreads peak billing in the way that is named."""
    return MISREADINGS[name](list(events), start, end, zone)


def _highest(covers: list[Cover], start: int, end: int) -> int:
    return definition.highest(covers, start, end)[0]


def _covers(events: list[Event], **settings: Any) -> list[Cover]:
    return [c for c in definition.covers(events, **settings) if c[1] < c[2]]


def _at(covers: list[Cover], instant: int) -> int:
    return len({identity for identity, since, until in covers if since <= instant < until})


def _samples(events: list[Event], start: int, end: int, step: int) -> int:
    covers = _covers(events)
    return max((_at(covers, t) for t in range(-(-start // step) * step, end, step)), default=0)


def _without(events: list[Event], kind: str) -> list[Event]:
    return [e for e in definition.happened(events) if e.type != kind]


def _within(events: list[Event], start: int, end: int) -> list[Event]:
    moments = (*WINDOWS, "identity.deleted")
    return [e for e in definition.happened(events) if e.type not in moments or start <= e.occurred_at < end]


def _calendar(events: list[Event], zone: str) -> list[Cover]:
    """Covers that last to the end of a calendar day, by the account's clock."""
    covers = []
    for history in definition.billed(events).values():
        for event in history:
            if event.type in WINDOWS:
                local = datetime.fromtimestamp(event.occurred_at // 1_000_000, UTC).astimezone(ZoneInfo(zone))
                days = WINDOWS[event.type] // DAY
                midnight = datetime.combine(
                    local.date() + timedelta(days=days + 1), datetime.min.time(), ZoneInfo(zone)
                )
                deletions = [e.occurred_at for e in history if e.type == "identity.deleted"]
                ends = [int(midnight.timestamp()) * 1_000_000, *(d for d in deletions if d >= event.occurred_at)]
                covers.append((event.identity_id, event.occurred_at, min(ends)))
    return covers


def _twice(events: list[Event]) -> list[Event]:
    """The events with a second identity for each that was sent twice."""
    happened = definition.happened(events)
    ids = {e.event_id for e in happened if e.event_id is not None}
    seen: set[str] = set()
    again = []
    for event in events:
        if event.event_id in seen and event in happened:
            again.append(event)
        if event.event_id in ids and event.event_id is not None:
            seen.add(event.event_id)
    twins = {e.identity_id for e in again if e.type in WINDOWS or e.type == "identity.deleted"}
    standard = {e.identity_id for e in happened if e.type == "identity.created" and e.identity_type == "standard"}
    gone = [e for e in happened if e.type == "identity.deleted" and e.identity_id in twins]
    moments = [e for e in again if e.type in WINDOWS]
    second = [
        replace(e, identity_id=f"{e.identity_id} again", event_id=None)
        for e in (*moments, *gone)
        if e.identity_id not in standard
    ]
    return [*happened, *second]


MISREADINGS: dict[str, Callable[[list[Event], int, int, str], int]] = {
    "count_at_end": lambda es, s, e, z: _at(_covers(es), e - 1),
    "distinct": lambda es, s, e, z: len({i for i, since, until in _covers(es) if since < e and until > s}),
    "count_at_start": lambda es, s, e, z: _at(_covers(es), s),
    "daily_samples": lambda es, s, e, z: _samples(es, s, e, DAY),
    "hourly_samples": lambda es, s, e, z: _samples(es, s, e, HOUR),
    "ends_after_starts": lambda es, s, e, z: _highest([(i, a, b + 1) for i, a, b in _covers(es)], s, e),
    "carry_over_dropped": lambda es, s, e, z: _highest(_covers(_within(es, s, e)), s, e),
    "deletions_ignored": lambda es, s, e, z: _highest(_covers(_without(es, "identity.deleted")), s, e),
    "connect_window_ignored": lambda es, s, e, z: _highest(_covers(es, windows=dict.fromkeys(WINDOWS, 30 * DAY)), s, e),
    "connects_ignored": lambda es, s, e, z: _highest(_covers(_without(es, "integration.connected")), s, e),
    "action_window_ignored": lambda es, s, e, z: _highest(
        _covers(es, windows={**WINDOWS, "action.called": 3650 * DAY}), s, e
    ),
    "calendar_days": lambda es, s, e, z: _highest(_calendar(es, z), s, e),
    "reconnect_other": lambda es, s, e, z: _highest(_covers(es, reconnect="restarts"), s, e),
    "standard_counted": lambda es, s, e, z: _highest(_covers(_without(es, "identity.created")), s, e),
    "repeats_counted": lambda es, s, e, z: _highest(_covers(_twice(es)), s, e),
}
