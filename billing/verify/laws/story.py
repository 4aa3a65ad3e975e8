"""Stories: everything that happened to some accounts, the cycle it is billed by, and how it is read.

Beside them, what laws need to speak of activity: spans united, cut, counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from ...core.activity import ActivityPolicy, microseconds
from ...core.cycle import CycleRule, moment
from ..definition import WINDOWS, Event
from ..strategies import ACTIVITY, IDENTITIES, JANUARY, Span, cycles, events, instants, ledgers
from ..strategies import windows as lengths

#: (account, identity) -> its maximal spans of activity.
Activity = dict[tuple[str, str], list[Span]]

#: The types that begin activity.
BEGINNING: Final = ("action.called", "integration.connected")
#: Whatever has a moment, and types; only voids are left out.
TIMED: Final = (*ACTIVITY, *ACTIVITY, "identity.created")
FOREVER: Final = 1 << 62
_MOMENT: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Story:
    """Everything that happened, the cycle it is billed by, and how events are read."""

    events: list[Event]
    span: Span = JANUARY
    windows: Mapping[str, int] = field(default_factory=lambda: WINDOWS)
    reconnect: str = "extends"

    @property
    def settings(self) -> dict[str, Any]:
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


@st.composite
def stories(
    draw: st.DrawFn, /, *, cycle: Span | None = None, readings: Sequence[str] = ("extends", "restarts"), **bounds: Any
) -> Story:
    """Ledgers around a cycle, `cycle` or any, under any windows; `bounds` are those of `ledgers`."""
    span = cycle or draw(cycles())
    windows = draw(lengths())
    reconnect = draw(st.sampled_from(readings))
    return Story(draw(ledgers(around=span, windows=windows, **bounds)), span, windows, reconnect)


class Addition(NamedTuple):
    """A story, and one event more."""

    story: Story
    added: Event

    @property
    def events(self) -> list[Event]:
        """All of them."""
        return [*self.story.events, self.added]


@st.composite
def additions(draw: st.DrawFn, /, *types: str, **bounds: Any) -> Addition:
    """Stories of January, and one event more of any of these types that meets one of them."""
    story = draw(stories(cycle=JANUARY, **bounds))
    met = draw(st.sampled_from(story.events))
    instant = st.sampled_from((0, 0, 1, -1, *story.windows.values())).map(met.occurred_at.__add__)
    added = replace(
        draw(events(types=types)),
        identity_id=draw(st.sampled_from((met.identity_id, met.identity_id, *IDENTITIES))),
        occurred_at=draw(instant | instants(windows=story.windows)),
    )
    return Addition(story, added)


def moments(story: Story) -> st.SearchStrategy[int]:
    """Instants that matter to the cycle of a story."""
    return instants(around=story.span, windows=story.windows)


def part_of(story: Story, data: st.DataObject) -> Span:
    """Some span within the cycle of a story, with bounds that events fall on."""
    start, end = story.span
    bounds = [start, end, *(e.occurred_at for e in story.events), *(e.occurred_at + 1 for e in story.events)]
    inside = sorted({bound for bound in bounds if start <= bound <= end})
    first = data.draw(st.sampled_from(inside[:-1]))
    return first, data.draw(st.sampled_from([bound for bound in inside if bound > first]))


def rule_of(span: Span) -> CycleRule:
    """The rule that a span is a cycle of: calendar months, or those from an anchor."""
    start = moment(span[0])
    calendar = start == start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return CycleRule() if calendar else CycleRule(anchor=start)


def policy_of(windows: Mapping[str, int] = WINDOWS, reconnect: str = "extends") -> ActivityPolicy:
    """The engine's name for what the definition takes."""
    return ActivityPolicy(
        action_window=windows["action.called"] * _MOMENT,
        connect_window=windows["integration.connected"] * _MOMENT,
        reconnect="extends" if reconnect == "extends" else "restarts",
    )


def policy_settings(policy: ActivityPolicy) -> dict[str, Any]:
    """The definition's name for what the engine takes."""
    windows = {
        "action.called": microseconds(policy.action_window),
        "integration.connected": microseconds(policy.connect_window),
    }
    return {"windows": windows, "reconnect": policy.reconnect}


def by_account(events: Iterable[Event]) -> dict[str, list[Event]]:
    """The events of each account, in their order."""
    own: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        own[event.account_id].append(event)
    return dict(own)


def anonymous(events: Iterable[Event]) -> list[Event]:
    """The same events without ids."""
    return [replace(event, event_id=None) for event in events]


def without_voids(events: Iterable[Event]) -> list[Event]:
    """The same events without those that take others back."""
    return [event for event in events if event.type != "event.voided"]


def united(spans: Iterable[Span]) -> list[Span]:
    """The same instants as maximal spans.

    >>> united([(5, 7), (0, 3), (3, 4)])
    [(0, 4), (5, 7)]
    """
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


def within(smaller: Activity, larger: Activity) -> bool:
    """Whether whoever is active in the one is active in the other, at every instant."""
    return all(
        any(a <= start and end <= b for a, b in larger.get(identity, []))
        for identity, spans in smaller.items()
        for start, end in spans
    )
