"""Made-up ledgers for tests: as tables, through the engine, and by the definition."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st

from billing import engine, reckoning
from billing.core.activity import ActivityPolicy
from billing.core.sweep import Spans, sweep
from billing.verify.definition import WINDOWS, Event, billed, covers_of
from billing.verify.strategies import Span, cycles, ledgers
from billing.verify.strategies import windows as lengths

MOMENT = timedelta(microseconds=1)
JANUARY = (1_767_225_600_000_000, 1_769_904_000_000_000)  # of 2026
#: (account, identity) -> its maximal spans of activity.
Activity = dict[tuple[str, str], list[Span]]

_INSTANT = pa.timestamp("us", "UTC")
_SCHEMA = {
    "account_id": pa.string(),
    "identity_id": pa.string(),
    "type": pa.string(),
    "occurred_at": pa.int64(),
    "event_id": pa.string(),
    "identity_type": pa.string(),
    "voids": pa.string(),
}


@dataclass(frozen=True)
class Story:
    """Everything that happened, the cycle it is billed by, and how events are read."""

    events: list[Event]
    span: Span = JANUARY
    windows: Mapping[str, int] = field(default_factory=lambda: WINDOWS)
    reconnect: str = "extends"

    @property
    def reading(self) -> dict[str, Any]:
        """How events are read, as the definition takes it."""
        return {"windows": self.windows, "reconnect": self.reconnect}

    @property
    def policy(self) -> ActivityPolicy:
        """How events are read, as the engine takes it."""
        return policy_of(self.windows, self.reconnect)

    @property
    def longest_window(self) -> int:
        """How far an event can reach."""
        return max(self.windows.values())


#: Found by the search: the first type stays, though only the second has an event id.
TYPE_TOLD_TWICE = Story(
    [
        Event("acme", "ada", "action.called", JANUARY[0], "e0"),
        Event("acme", "ada", "identity.created", JANUARY[0], None, "standard"),
        Event("acme", "ada", "identity.created", JANUARY[0], "e1", "engagement"),
    ]
)


@st.composite
def stories(
    draw: st.DrawFn, /, *, cycle: Span | None = None, readings: Sequence[str] = ("extends", "restarts"), **bounds: Any
) -> Story:
    """Ledgers around a cycle, `cycle` or any, under any windows; `bounds` are those of `ledgers`."""
    span = cycle or draw(cycles())
    windows = draw(lengths())
    reconnect = draw(st.sampled_from(readings))
    return Story(draw(ledgers(around=span, windows=windows, **bounds)), span, windows, reconnect)


def examples(normal: int, long: int) -> settings:
    """How many examples a test tries: `normal` of them, and `long` under the profile of that name."""
    return settings(max_examples=long if os.environ.get("HYPOTHESIS_PROFILE") == "long" else normal)


def table(events: Iterable[Event], *, ids: bool = True) -> pa.Table:
    """Events as a table, in their order; without `ids`, without event ids."""
    rows = list(events)
    columns = {name: pa.array([getattr(e, name) for e in rows], kind) for name, kind in _SCHEMA.items()}
    columns["occurred_at"] = columns["occurred_at"].cast(_INSTANT)
    if not ids:
        del columns["event_id"]
    return pa.table(columns)


def policy_of(windows: Mapping[str, int] = WINDOWS, reconnect: str = "extends") -> ActivityPolicy:
    """The engine's name for what the definition takes."""
    return ActivityPolicy(
        action_window=windows["action.called"] * MOMENT,
        connect_window=windows["integration.connected"] * MOMENT,
        reconnect="extends" if reconnect == "extends" else "restarts",
    )


def found(events: Iterable[Event], policy: ActivityPolicy | None = None, *, ids: bool = True) -> reckoning.Activity:
    """What the engine makes of some events."""
    return engine.activity(table(events, ids=ids), reckoning.Question(policy=policy or ActivityPolicy()))


def activity(events: Iterable[Event], policy: ActivityPolicy | None = None, *, ids: bool = True) -> Activity:
    """When each identity was active, by the engine."""
    return spans_of(found(events, policy, ids=ids))


def spans_of(active: reckoning.Activity) -> Activity:
    """The intervals of each identity, in the engine's order."""
    intervals, names = active.intervals, active.names
    spans: Activity = defaultdict(list)
    for account, identity, start, end in zip(
        active.accounts, intervals.identities, intervals.starts, intervals.ends, strict=True
    ):
        key = names.accounts[int(account)].as_py(), names.identities[int(identity)].as_py()
        spans[key].append((int(start), int(end)))
    return dict(spans)


def peak(events: Iterable[Event], span: Span, policy: ActivityPolicy | None = None) -> tuple[int, int | None]:
    """The peak of all the events' identities in any span, and its first instant, by the engine."""
    active = found(events, policy)
    peaks = sweep(active.intervals, np.zeros(len(active.intervals), np.int32), Spans.of([span]))
    count = int(peaks.counts[0])
    return count, int(peaks.instants[0]) if count else None


def defined_activity(
    events: Iterable[Event], *, windows: Mapping[str, int] = WINDOWS, reconnect: str = "extends"
) -> Activity:
    """When each identity was active, by the definition: its covers, joined where they touch."""
    spans: Activity = {}
    for account, own in by_account(events).items():
        for identity, history in billed(own).items():
            covers = [(since, until) for _, since, until in covers_of(history, windows=windows, reconnect=reconnect)]
            if covers:
                spans[account, identity] = united(covers)
    return spans


def by_account(events: Iterable[Event]) -> dict[str, list[Event]]:
    """The events of each account, in their order."""
    own: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        own[event.account_id].append(event)
    return dict(own)


def united(spans: Iterable[Span]) -> list[Span]:
    """The same instants as maximal spans."""
    whole: list[Span] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(whole[-1][1], end))
        else:
            whole.append((start, end))
    return whole


def edges(*activities: Activity) -> list[int]:
    """Every instant at which anything changes, and the one before it: enough to compare step functions."""
    ends = {edge for active in activities for spans in active.values() for span in spans for edge in span}
    return sorted(ends | {edge - 1 for edge in ends})


def count(active: Activity, instant: int) -> int:
    """How many identities are active at an instant."""
    return sum(any(start <= instant < end for start, end in spans) for spans in active.values())


def cut(active: Activity, start: int, end: int) -> Activity:
    """What of the activity lies within `[start, end)`."""
    inside = {
        identity: [(max(a, start), min(b, end)) for a, b in spans if a < end and b > start]
        for identity, spans in active.items()
    }
    return {identity: spans for identity, spans in inside.items() if spans}


def anonymous(events: Iterable[Event]) -> list[Event]:
    """The same events without ids."""
    return [replace(event, event_id=None) for event in events]
