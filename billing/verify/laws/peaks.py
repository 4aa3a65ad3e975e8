"""Laws of peaks: how many identities are active at once, and how the peaks of parts relate to the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from ..definition import DAY, WINDOWS, Event
from ..strategies import ACCOUNTS, IDENTITIES, JANUARY, Span
from .activity import peaks_before_and_after
from .engines import DEFINITION, Engine
from .law import false_law, law
from .story import (
    BEGINNING,
    TIMED,
    Addition,
    Story,
    additions,
    anonymous,
    count,
    cut,
    edges,
    moments,
    part_of,
    stories,
    without_voids,
)

_IN_JANUARY = stories(cycle=JANUARY)


@law("I38", stories(), st.data())
def a_peak_is_the_highest_count_at_any_instant(story: Story, data: st.DataObject, *, engine: Engine) -> None:
    """In any span, not only in cycles, the peak is the most identities that are active at one instant."""
    start, end = span = part_of(story, data)
    active = engine.activity(story.events, story.policy)
    instants = [start, *(t for t in edges(active) if start <= t < end), end - 1]
    found = engine.peak(story.events, span, story.policy)
    assert max(count(active, t) for t in instants) == found[0]
    assert DEFINITION.peak(story.events, span, story.policy) == found


@law("I39", stories(), st.data())
def a_peak_is_at_least_what_was_carried_in(story: Story, data: st.DataObject, *, engine: Engine) -> None:
    """Whoever is active when a cycle starts counts without another event."""
    span = part_of(story, data)
    carried_in = count(engine.activity(story.events, story.policy), span[0])
    assert engine.peak(story.events, span, story.policy)[0] >= carried_in


@law("I40", stories())
def a_peak_is_at_most_the_identities_active_and_those_that_exist(story: Story, *, engine: Engine) -> None:
    """A peak is at most the number of identities active in the cycle, and that at most the number of all."""
    active = cut(engine.activity(story.events, story.policy), *story.span)
    existing = {event.identity_id for event in story.events}
    assert engine.peak(story.events, story.span, story.policy)[0] <= len(active) <= len(existing)


@law("I41", stories())
def a_peak_held_all_cycle_is_at_least_all_activity(story: Story, *, engine: Engine) -> None:
    """The peak times the length of the cycle is at least the total time for which identities were active."""
    start, end = story.span
    active = cut(engine.activity(story.events, story.policy), start, end)
    total = sum(b - a for spans in active.values() for a, b in spans)
    assert engine.peak(story.events, story.span, story.policy)[0] * (end - start) >= total


@law("I42", stories())
def a_peak_is_reached_at_the_start_or_where_an_interval_starts(story: Story, *, engine: Engine) -> None:
    """A peak is first reached when the cycle starts or an identity becomes active, and at no other instant."""
    active = engine.activity(story.events, story.policy)
    starts = [s for spans in active.values() for s, _ in spans if story.span[0] <= s < story.span[1]]
    candidates = {t: count(active, t) for t in sorted([story.span[0], *starts])}
    highest = max(candidates.values())
    first = min(t for t, active_then in candidates.items() if active_then == highest)
    assert (highest, first if highest else None) == engine.peak(story.events, story.span, story.policy)


@law("I43", st.sampled_from(BEGINNING), st.integers(2, 8), st.integers(-3, 25))
def ends_come_before_starts(event_type: str, heirs: int, day: int, *, engine: Engine) -> None:
    """A seat handed from one identity to the next at one instant is one seat, all month long."""
    window = WINDOWS[event_type]
    first = JANUARY[0] + day * DAY
    events = [Event("acme", f"id{k}", event_type, first + k * window) for k in range(heirs)]
    assert engine.peak(events, JANUARY, Story(events).policy)[0] == 1


@law("I44", stories(), st.data())
def a_peak_is_the_larger_of_those_of_its_halves(story: Story, data: st.DataObject, *, engine: Engine) -> None:
    """The peak of a cycle is the larger of those of its two parts, wherever it is cut; of equal ones, the first."""
    start, end = story.span
    middle = data.draw(moments(story).filter(lambda t: start < t < end) | st.just(end - 1))
    halves = [engine.peak(story.events, half, story.policy) for half in ((start, middle), (middle, end))]
    assert max(halves, key=lambda half: half[0]) == engine.peak(story.events, story.span, story.policy)


@law("I45", stories(), st.data())
def a_part_of_a_cycle_has_no_higher_peak(story: Story, data: st.DataObject, *, engine: Engine) -> None:
    """Looking at a part of a cycle never shows a higher peak."""
    part = engine.peak(story.events, part_of(story, data), story.policy)
    assert part[0] <= engine.peak(story.events, story.span, story.policy)[0]


@law("I46", stories(types=TIMED))
def what_comes_after_a_cycle_does_not_change_it(story: Story, *, engine: Engine) -> None:
    """A connect, an action or a deletion after the end of a cycle does not change its peak."""
    events = anonymous(story.events)
    so_far = [e for e in events if e.occurred_at < story.span[1] or e.type == "identity.created"]
    assert engine.peak(events, story.span, story.policy) == engine.peak(so_far, story.span, story.policy)


@law("I47", additions(*TIMED, conflicts=False))
def one_event_moves_a_peak_by_at_most_one(addition: Addition, *, engine: Engine) -> None:
    """One event more or less moves a peak by at most one."""
    before, after = peaks_before_and_after(addition, engine)
    assert abs(after - before) <= 1


@law("I47", stories(conflicts=False), st.data())
def a_batch_moves_a_peak_by_at_most_the_identities_it_touches(
    story: Story, data: st.DataObject, *, engine: Engine
) -> None:
    """A late delivery moves a peak by at most the number of identities in it."""
    events = anonymous(without_voids(story.events))
    kept = data.draw(st.lists(st.sampled_from(events), unique_by=id) if events else st.just([]))
    touched = {e.identity_id for e in events if not any(e is other for other in kept)}
    before, after = (engine.peak(part, story.span, story.policy)[0] for part in (kept, events))
    assert abs(after - before) <= len(touched)


@law("I48", stories(), st.sampled_from(IDENTITIES))
def removing_an_identity_lowers_a_peak_by_none_or_one(story: Story, gone: str, *, engine: Engine) -> None:
    """Without one identity a peak is the same, or lower by one."""
    events = anonymous(story.events)
    rest = [e for e in events if e.identity_id != gone]
    whole, less = (engine.peak(part, story.span, story.policy)[0] for part in (events, rest))
    assert whole - less in (0, 1)


@law("I49", stories())
def a_peak_lies_between_the_largest_and_the_sum_of_its_shards(story: Story, *, engine: Engine) -> None:
    """A peak is at least that of any group of its identities, and at most the sum of the groups' peaks."""
    events = anonymous(story.events)
    shards = [[e for e in events if (e.identity_id in IDENTITIES[:2]) is half] for half in (True, False)]
    peaks = [engine.peak(shard, story.span, story.policy)[0] for shard in shards]
    assert max(peaks) <= engine.peak(events, story.span, story.policy)[0] <= sum(peaks)


@false_law("I50", stories())
def peaks_of_shards_add_up(story: Story, *, engine: Engine) -> None:
    """The peaks of groups of identities add up to that of all. Each group has its peak at another moment."""
    events = anonymous(story.events)
    shards = [[e for e in events if e.identity_id == identity] for identity in IDENTITIES]
    peaks = [engine.peak(shard, story.span, story.policy)[0] for shard in shards]
    assert engine.peak(events, story.span, story.policy)[0] == sum(peaks)


@law("I51", stories())
def counts_of_shards_add_up_at_every_instant(story: Story, *, engine: Engine) -> None:
    """At every instant, the counts of groups of identities add up to that of all, so they can be counted apart."""
    events = anonymous(story.events)
    whole = engine.activity(events, story.policy)
    shards = [
        engine.activity([e for e in events if e.identity_id == identity], story.policy) for identity in IDENTITIES
    ]
    assert all(count(whole, t) == sum(count(shard, t) for shard in shards) for t in edges(whole))


@law("I52", stories())
def some_day_has_as_many_identities_as_the_peak(story: Story, *, engine: Engine) -> None:
    """On some day of the cycle at least as many identities were active as the peak."""
    assert _most_in_a_day(story, engine) >= engine.peak(story.events, story.span, story.policy)[0]


@false_law("I53", stories())
def no_day_has_more_identities_than_the_peak(story: Story, *, engine: Engine) -> None:
    """The peak is the most identities that were active on one day. They were not all active at one moment."""
    assert _most_in_a_day(story, engine) == engine.peak(story.events, story.span, story.policy)[0]


@law("I54", _IN_JANUARY, st.integers(-9_000 * DAY, 60_000 * DAY))
def moving_everything_in_time_changes_nothing(story: Story, shift: int, *, engine: Engine) -> None:
    """Moving all events and the cycle in time leaves the peak the same: no instant is special."""
    moved = [replace(e, occurred_at=e.occurred_at + shift) for e in story.events]
    highest, at = engine.peak(story.events, story.span, story.policy)
    later = (story.span[0] + shift, story.span[1] + shift)
    assert (highest, None if at is None else at + shift) == engine.peak(moved, later, story.policy)


@law("I55", _IN_JANUARY, st.integers(2, 5))
def stretching_time_and_windows_changes_nothing(story: Story, factor: int, *, engine: Engine) -> None:
    """Stretching time and windows by one factor leaves the peak the same: no length is special."""
    start, end = story.span
    stretched = Story(
        [replace(e, occurred_at=start + (e.occurred_at - start) * factor) for e in story.events],
        (start, start + (end - start) * factor),
        {event_type: length * factor for event_type, length in story.windows.items()},
        story.reconnect,
    )
    highest = engine.peak(story.events, story.span, story.policy)[0]
    assert highest == engine.peak(stretched.events, stretched.span, stretched.policy)[0]


@law("I56", stories(cycle=JANUARY, accounts=2), st.permutations(IDENTITIES), st.booleans())
def renaming_changes_only_names(story: Story, names: Sequence[str], swap: bool, *, engine: Engine) -> None:
    """Under other names of accounts, identities and events, only the names change."""
    identities = dict(zip(IDENTITIES, names, strict=True))
    accounts = dict(zip(ACCOUNTS, reversed(ACCOUNTS) if swap else ACCOUNTS, strict=True))
    renamed = [
        replace(
            e,
            account_id=accounts[e.account_id],
            identity_id=identities[e.identity_id],
            event_id=e.event_id and f"{e.event_id}é",
            voids=e.voids and f"{e.voids}é",
        )
        for e in story.events
    ]
    expected = {
        (accounts[account], identities[identity]): spans
        for (account, identity), spans in engine.activity(story.events, story.policy).items()
    }
    assert expected == engine.activity(renamed, story.policy)


@law("I58", stories(reconnects=["extends"], types=BEGINNING), st.data())
def more_use_never_lowers_a_peak(story: Story, data: st.DataObject, *, engine: Engine) -> None:
    """Where nobody is deleted, more events never make a peak lower."""
    events = anonymous(story.events)
    fewer = events[: data.draw(st.integers(0, len(events)))]
    peaks = [engine.peak(some, story.span, story.policy)[0] for some in (fewer, events)]
    assert peaks == sorted(peaks)


@law("I59", _IN_JANUARY)
def nobody_comes_alive_after_the_last_event(story: Story, *, engine: Engine) -> None:
    """Time alone only makes identities inactive: after the last event the count never rises."""
    last = max(e.occurred_at for e in story.events)
    active = engine.activity(story.events, story.policy)
    counts = [count(active, t) for t in [last, *edges(active)] if t >= last]
    assert counts == sorted(counts, reverse=True)


@false_law("I61", additions("identity.deleted"))
def a_peak_so_far_is_at_most_the_final_one_whatever_comes_late(addition: Addition, *, engine: Engine) -> None:
    """A peak so far is never higher than the final one, whatever comes late. A late deletion lowers it."""
    so_far, final = peaks_before_and_after(addition, engine)
    assert so_far <= final


def _most_in_a_day(story: Story, engine: Engine) -> int:
    """The most identities that were active on one day of the cycle, each day counted from its start."""
    start, end = story.span
    active = cut(engine.activity(story.events, story.policy), start, end)
    first_days = {start, *(start + (s - start) // DAY * DAY for spans in active.values() for s, _ in spans)}
    days: list[Span] = [(day, min(day + DAY, end)) for day in first_days]  # on no other day does anybody become active
    return max(len(cut(active, *day)) for day in days)
