"""Many cycles, one after the other on one time line, so that a single walk and a single sweep count them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.activity import ActivityPolicy, Intervals, Walk, microseconds
from ..core.cycle import CycleRule, micros, zone
from ..core.event import CONNECTED, DAY, DELETED, Bool, Columns, Int32, Int64
from ..core.sweep import Spans, sweep
from .account_events import AccountEvents
from .causes import CountingRule

#: About how many events to count at a time, which bounds memory.
_EVENTS: Final = 1 << 22
_HOUR: Final = DAY // 24


@dataclass(frozen=True, slots=True)
class CycleRef:
    """One cycle of one account: number `index` by its cycle rule, under a policy. `account` is a code."""

    account: int
    cycle_rule: CycleRule
    index: int
    policy: ActivityPolicy

    def span(self, rule: CountingRule) -> tuple[int, int]:
        """The cycle that a rule takes for this one, `[start, end)` in microseconds."""
        return _span(self.cycle_rule, self.index, rule.cycle)


@lru_cache(maxsize=1 << 16)
def _span(rule: CycleRule, k: int, cycle: str) -> tuple[int, int]:
    own = rule
    if cycle == "UTC":
        rule = replace(own, timezone="UTC")
    elif cycle == "calendar months":
        rule = CycleRule(months=own.months, timezone=own.timezone)
        k = rule.index_until(own.name(k))
    elif cycle != "own":
        k += 1 if cycle == "next" else -1
    return rule.bound(k), rule.bound(k + 1)


def lay_out(
    events: AccountEvents,
    cycles: Sequence[CycleRef],
    positions: NDArray[np.intp],
    rule: CountingRule,
    policy: ActivityPolicy,
) -> Iterator[TimeLine]:
    """The cycles at some positions with the events that can matter to them, some at a time."""
    spans = np.array([cycles[k].span(rule) for k in positions], np.int64).reshape(-1, 2)
    accounts = np.array([cycles[k].account for k in positions], np.int64)
    # A calendar day can end a day later than an exact one, and an hour or two where clocks change.
    reach = policy.longest_window + (2 * DAY if rule.days == "calendar" else 0) if rule.carried else 0
    low, high = np.empty(len(positions), np.int64), np.empty(len(positions), np.int64)
    for k, a in enumerate(accounts.tolist()):
        own = events.instants[events.first[a] : events.first[a + 1]]
        low[k], high[k] = events.first[a] + np.searchsorted(own, [spans[k, 0] - reach, spans[k, 1]])
    # Events, identities and the length of the time line are all bounded.
    part = np.cumsum(np.maximum(high - low + events.sizes[accounts], _EVENTS >> 12)) // _EVENTS
    for group in np.split(np.arange(len(positions)), np.flatnonzero(np.diff(part)) + 1):
        lengths = high[group] - low[group]
        starts, ends = spans[group].T
        # The part of a cycle begins before its first event and before the cycle.
        begins = starts.copy()
        some = lengths > 0
        begins[some] = np.minimum(begins[some], events.instants[low[group][some]])
        begins -= 1
        durations = ends - begins
        offsets = np.cumsum(durations) - durations
        bounds = np.empty(2 * len(group) + 1, np.int64)
        bounds[0::2] = np.append(offsets, offsets[-1] + durations[-1])
        bounds[1::2] = offsets + starts - begins
        cycle_of_rows = np.repeat(np.arange(len(group)), lengths)
        rows = np.arange(int(lengths.sum())) + np.repeat(low[group] - np.cumsum(lengths) + lengths, lengths)
        sizes = events.sizes[accounts[group]]
        yield TimeLine(events, positions[group], sizes, rows, cycle_of_rows, bounds, offsets - begins)


@dataclass(frozen=True, slots=True)
class TimeLine:
    """Some cycles with the events that can matter to them, one after the other on one time line.

    Cycle `k` has the part `[bounds[2k], bounds[2k + 2])` of it and starts at `bounds[2k + 1]`; its instants
    are shifted there by `shift[k]`. `rows` are rows of `events`, `cycles` which cycle each is for;
    `positions` are those of the cycles among the requested ones, `sizes` how many identities the account
    of each has.
    """

    events: AccountEvents
    positions: NDArray[np.intp]
    sizes: Int64
    rows: NDArray[np.intp]
    cycles: NDArray[np.intp]
    bounds: Int64
    shift: Int64

    def activity(self, rule: CountingRule, policy: ActivityPolicy, timezone: str) -> CycleActivity:
        """When identities are active, by the events and the windows of a rule."""
        events, ends = self.events, self.bounds[2::2]
        rows, cycles = self.rows, self.cycles
        if not rule.standard and events.standard.any():
            rows, cycles = _select(~events.standard[rows], rows, cycles)
        if rule.known != "now":
            assert events.since is not None and events.until is not None, "requested only where it is known"
            known_at = (ends - self.shift)[cycles]
            rows, cycles = _select((events.since[rows] <= known_at) & (events.until[rows] > known_at), rows, cycles)
        types = events.types[rows]
        for counted, kind in ((rule.deletions, DELETED), (rule.connects, CONNECTED)):
            if not counted:
                rows, cycles, types = _select(types != kind, rows, cycles, types)
        base = np.cumsum(self.sizes) - self.sizes
        instants, shift = events.instants[rows], self.shift[cycles]
        reaches = _calendar_reaches(instants, types, policy, timezone) + shift if rule.days == "calendar" else None
        columns = Columns((base[cycles] + events.local[rows]).astype(np.int32), types, instants + shift)
        walk = Walk(policy)
        walk.feed(columns, int(self.sizes.sum()), reaches)
        found = walk.intervals()
        cycle_of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        interval_cycles = cycle_of[found.identities]
        clipped = replace(found, ends=np.minimum(found.ends, ends[interval_cycles]))
        return CycleActivity(self.positions, clipped, interval_cycles, cycle_of, self.bounds, self.shift)


@dataclass(frozen=True, slots=True)
class CycleActivity:
    """When identities are active in some cycles, on their time line.

    `interval_cycles` is the cycle of each interval, `cycle_of` that of each identity.
    """

    positions: NDArray[np.intp]
    intervals: Intervals
    interval_cycles: NDArray[np.intp]
    cycle_of: NDArray[np.intp]
    bounds: Int64
    shift: Int64

    def count(self, count: str) -> Int64:
        """How many identities each cycle has, by what a rule counts."""
        if count == "distinct":
            return np.bincount(self.cycle_of[np.unique(self._within())], minlength=len(self.shift))
        return self._highest(count)[0]

    def identities(self, count: str) -> tuple[int | None, Int32]:
        """Of a single cycle, the moment of the count and the numbers of the counted identities."""
        if count == "distinct":
            return None, np.unique(self._within())
        found, at = self.intervals, int(self._highest(count)[1][0])
        extra = 1 if count == "ends last" else 0
        active = found.identities[(found.starts <= at) & (at < found.ends + extra)]
        return at - int(self.shift[0]) if len(active) else None, active

    def _within(self) -> Int32:
        """The identities that are active at any time in their cycle."""
        return self.intervals.identities[self.intervals.ends > self.bounds[1::2][self.interval_cycles]]

    def _highest(self, count: str) -> tuple[Int64, Int64]:
        """The highest count of each cycle at the moments that a rule looks at, and the first such moment."""
        found, starts, ends = self.intervals, self.bounds[1::2], self.bounds[2::2]
        if count in ("peak", "ends last"):
            if count == "ends last":
                found = replace(found, ends=found.ends + 1)
            bounds = Spans(self.bounds, np.zeros(1, np.int64), np.array([len(self.bounds) - 1]))
            peaks = sweep(found, np.zeros(len(found), np.int32), bounds)
            return peaks.counts[1::2], peaks.instants[1::2]
        if count in ("start", "end"):
            moments, offsets = starts if count == "start" else ends - 1, np.arange(len(starts))
        else:
            step = DAY if count == "daily" else _HOUR
            first = starts + (self.shift - starts) % step  # whole days and hours are those of the unshifted time
            samples = (ends - first + step - 1) // step
            offsets = np.cumsum(samples) - samples
            number = np.arange(int(samples.sum())) - np.repeat(offsets, samples)
            moments = np.repeat(first, samples) + number * step
        active = np.searchsorted(found.starts, moments, "right")
        active -= np.searchsorted(np.sort(found.ends), moments, "right")
        highest = np.maximum.reduceat(active, offsets)
        cycle = np.repeat(np.arange(len(offsets)), np.diff(np.append(offsets, len(moments))))
        reached = np.flatnonzero(active == highest[cycle])
        return highest, moments[reached[np.searchsorted(cycle[reached], np.arange(len(offsets)))]]


def _select(mask: Bool, *columns: Any) -> Any:
    """The rows of some columns for which a mask is true."""
    return tuple(column[mask] for column in columns)


def _calendar_reaches(instants: Int64, types: Any, policy: ActivityPolicy, timezone: str) -> Int64:
    """Until when events cover if windows end with a calendar day: 30 days from 1 May end as 1 June begins."""
    if not len(instants):
        return instants
    connect, action = (-(-microseconds(window) // DAY) + 1 for window in (policy.connect_window, policy.action_window))
    first, last = int(instants.min()) // DAY - 1, int(instants.max()) // DAY + max(connect, action) + 2
    midnights = _midnights(timezone, first, last)
    day = np.searchsorted(midnights, instants, "right") - 1
    return midnights[day + np.where(types == CONNECTED, connect, action)]


@lru_cache(maxsize=64)
def _midnights(timezone: str, first: int, last: int) -> Int64:
    """When the days from `first` to `last`, counted from 1970, begin in a time zone, in microseconds."""
    rules, epoch = zone(timezone), date(1970, 1, 1)
    days = (epoch + timedelta(days=n) for n in range(first, last + 1))
    return np.array([micros(datetime(d.year, d.month, d.day, tzinfo=rules)) for d in days], np.int64)
