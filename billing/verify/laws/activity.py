"""Laws of activity: when an identity is active, and what one more event can change."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import strategies as st

from .. import definition
from ..definition import WINDOWS, Event
from ..strategies import ACTIVITY, IDENTITIES, JANUARY, instants
from .engines import DEFINITION, Engine
from .law import false_law, law
from .story import (
    BEGINNING,
    FOREVER,
    TIMED,
    Activity,
    Addition,
    Story,
    additions,
    anonymous,
    count,
    cut,
    edges,
    stories,
    united,
    within,
    without_voids,
)

_IN_JANUARY = stories(cycle=JANUARY)


@law("I15", _IN_JANUARY)
def intervals_are_sorted_and_apart(story: Story, *, engine: Engine) -> None:
    """The spans in which an identity is active neither overlap nor touch, so that nobody is counted twice."""
    for spans in engine.activity(story.events, story.policy).values():
        bounds = [bound for span in spans for bound in span]
        assert all(before < after for before, after in pairwise(bounds))


@law("I16", stories(accounts=2), st.booleans())
def active_is_the_union_of_covers(story: Story, ids: bool, *, engine: Engine) -> None:
    """An identity is active exactly while one of its events covers it: for its window, or until it is deleted."""
    events = story.events if ids else anonymous(story.events)
    assert DEFINITION.activity(events, story.policy) == engine.activity(events, story.policy)


@law("I17", _IN_JANUARY)
def every_interval_starts_at_a_connect_or_an_action(story: Story, *, engine: Engine) -> None:
    """Only a connect or an action makes an identity active; its creation does not."""
    begun = {(e.identity_id, e.occurred_at) for e in story.events if e.type in BEGINNING}
    spans = engine.activity(story.events, story.policy)
    assert {(identity, start) for (_, identity), own in spans.items() for start, _ in own} <= begun


@law("I18", _IN_JANUARY)
def every_interval_ends_a_window_after_an_event_or_at_a_deletion(story: Story, *, engine: Engine) -> None:
    """An identity becomes inactive a window after one of its events, or when it is deleted, and at no other instant."""
    ended = {
        (e.identity_id, e.occurred_at + story.windows.get(e.type, 0))
        for e in story.events
        if e.type in (*BEGINNING, "identity.deleted")
    }
    spans = engine.activity(story.events, story.policy)
    assert {(identity, end) for (_, identity), own in spans.items() for _, end in own} <= ended


@law("I19", stories(cycle=JANUARY, types=BEGINNING))
def without_deletions_every_interval_lasts_at_least_a_window(story: Story, *, engine: Engine) -> None:
    """An identity that is not deleted stays active for at least the shortest window."""
    shortest = min(story.windows.values())
    spans = engine.activity(story.events, story.policy)
    assert all(end - start >= shortest for own in spans.values() for start, end in own)


@false_law("I20", _IN_JANUARY)
def every_interval_lasts_at_least_a_window(story: Story, *, engine: Engine) -> None:
    """Whoever becomes active stays active for at least the shortest window. A deletion cuts it short."""
    shortest = min(story.windows.values())
    spans = engine.activity(story.events, story.policy)
    assert all(end - start >= shortest for own in spans.values() for start, end in own)


@law("I21", st.sampled_from(BEGINNING), st.sampled_from(BEGINNING), instants(), st.sampled_from((-1, 0, 1)))
def an_event_at_the_end_of_a_window_continues_it(
    first: str, second: str, start: int, beside: int, *, engine: Engine
) -> None:
    """An event exactly at the end of a window continues it, and one a microsecond later begins another.

    In the first case there is no gap in which the count could dip.
    """
    end = start + WINDOWS[first]
    again = end + beside
    events = [Event("acme", "ada", first, start), Event("acme", "ada", second, again)]
    until = again + WINDOWS[second]
    expected = [(start, end), (again, until)] if again > end else [(start, max(end, until))]
    assert {("acme", "ada"): expected} == engine.activity(events, Story(events).policy)


@law("I22", stories(cycle=JANUARY, reconnects=["extends"], types=TIMED))
def an_action_within_other_covers_can_be_left_out(story: Story, *, engine: Engine) -> None:
    """Leaving out an action that keeps nobody active longer than other events do changes nothing."""
    events = anonymous(story.events)
    whole = engine.activity(events, story.policy)
    for k, event in enumerate(events):
        others = events[:k] + events[k + 1 :]
        if event.type == "action.called" and _needless(event, others, story):
            assert whole == engine.activity(others, story.policy)


@law("I23", additions(*TIMED))
def an_event_changes_no_other_identity(addition: Addition, *, engine: Engine) -> None:
    """What one identity does never changes when another identity is active."""
    before, after = _before_and_after(addition, engine)
    both = before.keys() | after.keys()
    assert {key for key in both if before.get(key) != after.get(key)} <= {
        (addition.added.account_id, addition.added.identity_id)
    }


@law("I24", additions(*ACTIVITY))
def an_event_changes_nothing_before_it(addition: Addition, *, engine: Engine) -> None:
    """An event changes nothing before it."""
    before, after = _before_and_after(addition, engine)
    assert cut(before, -FOREVER, addition.added.occurred_at) == cut(after, -FOREVER, addition.added.occurred_at)


@law("I25", additions(*ACTIVITY))
def an_event_changes_nothing_a_window_later(addition: Addition, *, engine: Engine) -> None:
    """An event changes nothing later than the longest window after it, so a late event can affect few cycles."""
    before, after = _before_and_after(addition, engine)
    reach = addition.added.occurred_at + addition.story.longest_window
    assert cut(before, reach, FOREVER) == cut(after, reach, FOREVER)


@law("I28", additions(*BEGINNING, reconnects=["extends"]))
def a_connect_or_an_action_never_removes_activity(addition: Addition, *, engine: Engine) -> None:
    """Using an identity never makes it inactive, where a connect only extends."""
    before, after = _before_and_after(addition, engine)
    assert within(before, after)


@law("I30", additions("identity.deleted"))
def a_deletion_never_adds_activity(addition: Addition, *, engine: Engine) -> None:
    """Deleting an identity never makes it active."""
    before, after = _before_and_after(addition, engine)
    assert within(after, before)


@law("I31", additions("identity.created"))
def creating_an_engagement_identity_changes_nothing(addition: Addition, *, engine: Engine) -> None:
    """Creating an identity as an engagement identity changes nothing, since that is the default."""
    addition = addition._replace(added=replace(addition.added, identity_type="engagement"))
    before, after = _before_and_after(addition, engine)
    assert before == after


@false_law("I32", additions("integration.connected", reconnects=["restarts"]))
def a_connect_that_restarts_never_removes_activity(addition: Addition, *, engine: Engine) -> None:
    """Using an identity never makes it inactive, also where a connect restarts. It ends 30 days and begins 5."""
    before, after = _before_and_after(addition, engine)
    assert within(before, after)


@false_law("I33", additions(*TIMED))
def an_event_never_lowers_a_peak(addition: Addition, *, engine: Engine) -> None:
    """One event more never lowers a peak. A deletion does."""
    before, after = peaks_before_and_after(addition, engine)
    assert before <= after


@law("I34", stories(conflicts=False))
def a_cycle_needs_only_the_events_of_a_window_before_it(story: Story, *, engine: Engine) -> None:
    """A cycle is the same without the events that are older than its start by the longest window.

    Types and voids are needed however old they are; and of two events with one id, which are a
    conflict, the older must be known.
    """
    since = story.span[0] - story.longest_window
    timeless = ("identity.created", "event.voided")
    recent = [e for e in story.events if e.occurred_at >= since or e.type in timeless]
    assert engine.peak(story.events, story.span, story.policy) == engine.peak(recent, story.span, story.policy)
    events = without_voids(anonymous(story.events))
    recent = [e for e in events if e.occurred_at >= since]
    assert engine.peak(events, story.span, story.policy) == engine.peak(recent, story.span, story.policy)


@false_law("I35", stories(conflicts=False))
def a_cycle_needs_only_the_events_of_the_shorter_window_before_it(story: Story, *, engine: Engine) -> None:
    """A cycle is the same without the events that are older than its start by the shorter window.

    Whoever called before that may still be active, and would be missed.
    """
    since = story.span[0] - min(story.windows.values())
    recent = [e for e in story.events if e.occurred_at >= since or e.type in ("identity.created", "event.voided")]
    assert engine.peak(story.events, story.span, story.policy) == engine.peak(recent, story.span, story.policy)


@false_law("I36", stories(conflicts=False))
def the_events_inside_a_cycle_suffice(story: Story, *, engine: Engine) -> None:
    """A cycle is the same without the events before it. Whoever is active as it starts would be missed."""
    inside = [e for e in story.events if story.span[0] <= e.occurred_at < story.span[1]]
    assert engine.peak(story.events, story.span, story.policy) == engine.peak(inside, story.span, story.policy)


@law("I37", _IN_JANUARY, st.sampled_from(IDENTITIES))
def removing_an_identity_takes_off_exactly_its_own_activity(story: Story, gone: str, *, engine: Engine) -> None:
    """Without an identity, the count is lower by one while that was active, and otherwise the same."""
    events = anonymous(story.events)
    whole = engine.activity(events, story.policy)
    rest = engine.activity([e for e in events if e.identity_id != gone], story.policy)
    own = {key: spans for key, spans in whole.items() if key[1] == gone}
    assert all(count(whole, t) - count(rest, t) == count(own, t) for t in edges(whole, rest))


def peaks_before_and_after(addition: Addition, engine: Engine) -> tuple[int, int]:
    """The peak without the event that was added, and with it."""
    story = addition.story
    before, after = (engine.peak(events, story.span, story.policy)[0] for events in (story.events, addition.events))
    return before, after


def _before_and_after(addition: Addition, engine: Engine) -> tuple[Activity, Activity]:
    policy = addition.story.policy
    return engine.activity(addition.story.events, policy), engine.activity(addition.events, policy)


def _needless(event: Event, others: list[Event], story: Story) -> bool:
    """True if other events of its identity cover all that this one covers."""
    own = [e for e in others if e.identity_id == event.identity_id]
    deletions = [e for e in own if e.type == "identity.deleted"]
    rest = united((a, b) for _, a, b in definition.covers_of(own, **story.settings))
    covers = definition.covers_of([event, *deletions], **story.settings)
    return all(any(a <= since and until <= b for a, b in rest) for _, since, until in covers)
