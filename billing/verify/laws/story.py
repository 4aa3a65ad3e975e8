"""Stories: events of some accounts, a cycle to bill, and an activity policy. And operations on spans of activity."""

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
#: All types but voids.
TIMED: Final = (*ACTIVITY, *ACTIVITY, "identity.created")
FOREVER: Final = 1 << 62
_MOMENT: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Story:
    """Events, a cycle to bill, and the activity policy: windows, and what a reconnect does."""

    events: list[Event]
    span: Span = JANUARY
    windows: Mapping[str, int] = field(default_factory=lambda: WINDOWS)
    reconnect: str = "extends"

    @property
    def settings(self) -> dict[str, Any]:
        """The activity policy as keyword arguments of the definition."""
        return {"windows": self.windows, "reconnect": self.reconnect}

    @property
    def policy(self) -> ActivityPolicy:
        """The activity policy of the engine."""
        return policy_of(self.windows, self.reconnect)

    @property
    def longest_window(self) -> int:
        """How long an event can keep an identity active."""
        return max(self.windows.values())


@st.composite
def stories(
    draw: st.DrawFn, /, *, cycle: Span | None = None, reconnects: Sequence[str] = ("extends", "restarts"), **bounds: Any
) -> Story:
    """Ledgers around a cycle, `cycle` or any, under any windows; `bounds` are those of `ledgers`."""
    span = cycle or draw(cycles())
    windows = draw(lengths())
    reconnect = draw(st.sampled_from(reconnects))
    return Story(draw(ledgers(around=span, windows=windows, **bounds)), span, windows, reconnect)


class Addition(NamedTuple):
    """A story and one more event."""

    story: Story
    added: Event

    @property
    def events(self) -> list[Event]:
        """All events, the added one last."""
        return [*self.story.events, self.added]


@st.composite
def additions(draw: st.DrawFn, /, *types: str, **bounds: Any) -> Addition:
    """Stories of January, and one more event of one of these types, which often meets one of theirs."""
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
    """Some span within the cycle of a story, with bounds at or just after its events."""
    start, end = story.span
    bounds = [start, end, *(e.occurred_at for e in story.events), *(e.occurred_at + 1 for e in story.events)]
    inside = sorted({bound for bound in bounds if start <= bound <= end})
    first = data.draw(st.sampled_from(inside[:-1]))
    return first, data.draw(st.sampled_from([bound for bound in inside if bound > first]))


def rule_of(span: Span) -> CycleRule:
    """The cycle rule that a span is a cycle of: calendar months, or months from an anchor."""
    start = moment(span[0])
    calendar = start == start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return CycleRule() if calendar else CycleRule(anchor=start)


def policy_of(windows: Mapping[str, int] = WINDOWS, reconnect: str = "extends") -> ActivityPolicy:
    """The engine's policy for these windows and this reconnect."""
    return ActivityPolicy(
        action_window=windows["action.called"] * _MOMENT,
        connect_window=windows["integration.connected"] * _MOMENT,
        reconnect="extends" if reconnect == "extends" else "restarts",
    )


def policy_settings(policy: ActivityPolicy) -> dict[str, Any]:
    """An activity policy as keyword arguments of the definition."""
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
    """The same events without voids."""
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
    """Every instant at which activity changes, and the one before it: enough to compare step functions."""
    ends = {edge for active in activities for spans in active.values() for span in spans for edge in span}
    return sorted(ends | {edge - 1 for edge in ends})


def count(active: Activity, instant: int) -> int:
    """How many identities are active at an instant."""
    return sum(any(start <= instant < end for start, end in spans) for spans in active.values())


def cut(active: Activity, start: int, end: int) -> Activity:
    """The activity within `[start, end)`."""
    inside = {
        identity: [(max(a, start), min(b, end)) for a, b in spans if a < end and b > start]
        for identity, spans in active.items()
    }
    return {identity: spans for identity, spans in inside.items() if spans}


def within(smaller: Activity, larger: Activity) -> bool:
    """True if whoever is active in `smaller` is active in `larger`, at every instant."""
    return all(
        any(a <= start and end <= b for a, b in larger.get(identity, []))
        for identity, spans in smaller.items()
        for start, end in spans
    )
