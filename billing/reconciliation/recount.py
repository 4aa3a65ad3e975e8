"""The census: how many identities a cycle has, by any way of reading.

Each cycle is computed from the events that can matter to it alone, and all cycles are laid on one
line of time, one behind the other: so one walk and one sweep, the very kernels of the definition,
count thousands of cycles by whatever way. Identities are numbered anew in every cycle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.activity import ActivityPolicy, Intervals, Walk, microseconds
from ..core.cycle import CycleRule, micros, zone
from ..core.event import CONNECTED, DAY, DELETED, INSTANT_MAX, INSTANT_MIN, Bool, Columns, Events, Int32, Int64
from ..core.sweep import Spans, sweep
from .causes import Way

#: About how many events are counted at a time, which bounds the memory that it takes.
_EVENTS: Final = 1 << 22
#: As long as a window can be.
_FOR_EVER: Final = timedelta(days=3650)
_HOUR: Final = DAY // 24


@dataclass(frozen=True, slots=True)
class Bill:
    """One cycle of one account: by which rule, the how many-th, and under which policy. `account` is a code."""

    account: int
    rule: CycleRule
    index: int
    policy: ActivityPolicy

    def span(self, way: Way) -> tuple[int, int]:
        """The cycle that a way of reading takes for this one, `[start, end)` in microseconds."""
        return _span(self.rule, self.index, way.cycle)


@dataclass(frozen=True, slots=True)
class Counted:
    """Who is counted in a cycle: codes of identities, each with how many times.

    `moment` (microseconds) is when they were counted; none where they were, over the whole cycle.
    """

    moment: int | None
    identities: Counter[int]


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


class Census:
    """Counts of the cycles of some accounts, by any way of reading."""

    def __init__(self, events: Events, accounts: Sequence[int]) -> None:
        """`accounts` are the codes of those whose cycles are to be counted."""
        self._events = events
        self._accounts = accounts
        self._told: dict[tuple[bool, bool], _Told] = {}
        # What differs only in what is counted follows from the same activity.
        self._last: tuple[list[Bill], Way] | None = None
        self._active: list[_Active] = []

    def knows(self, way: Way) -> bool:
        """Whether the source tells what a way asks for: what was sent twice, when it was recorded."""
        history = self._events.history
        repeats, recorded = (None, None) if history is None else (history.repeats, history.recorded)
        return not (way.repeats and repeats is None) and not (way.known != "now" and recorded is None)

    def counts(self, bills: Sequence[Bill], way: Way) -> Int64:
        """How many identities each cycle has by a way of reading."""
        asked = [*bills], replace(way, count="peak")
        if self._last != asked:
            self._active, self._last = list(self._activity(*asked)), asked
        found = np.zeros(len(bills), np.int64)
        for active in self._active:
            found[active.places] = active.counts(way.count)
        return found

    def who(self, bill: Bill, way: Way) -> Counted:
        """Who is counted in one cycle by a way of reading, and at which moment."""
        told = self._told_by(way)
        (active,) = self._activity([bill], replace(way, count="peak"))
        moment, numbers = active.who(way.count)
        own = told.identities[np.cumsum(told.sizes)[bill.account] - told.sizes[bill.account] :]
        return Counted(moment, Counter(own[numbers].tolist()))

    def _told_by(self, way: Way) -> _Told:
        """The events that a way of reading looks at, and more."""
        kind = way.repeats, way.known != "now"
        if kind not in self._told:
            self._told[kind] = _Told.of(self._events, self._accounts, repeats=way.repeats, voided=way.known != "now")
        return self._told[kind]

    def _activity(self, bills: Sequence[Bill], way: Way) -> Iterator[_Active]:
        """Who is active when in each cycle, some cycles at a time."""
        told = self._told_by(way)
        kinds: dict[tuple[ActivityPolicy, str], list[int]] = {}
        for k, bill in enumerate(bills):
            timezone = bill.rule.timezone if way.days == "calendar" else ""  # it matters to calendar days alone
            kinds.setdefault((_policy(bill.policy, way), timezone), []).append(k)
        for (policy, timezone), places in kinds.items():
            for laid in _laid(told, bills, np.array(places), way, policy):
                yield laid.active(way, policy, timezone)


def _policy(policy: ActivityPolicy, way: Way) -> ActivityPolicy:
    """The policy as a way of reading has it."""
    action = policy.action_window if way.action_window == "policy" else _FOR_EVER
    connect = policy.connect_window if way.connect_window == "policy" else action
    restarts = (policy.reconnect == "restarts") == (way.reconnect == "policy")
    return ActivityPolicy(action, connect, "restarts" if restarts else "extends")


@dataclass(frozen=True, slots=True)
class _Told:
    """The events of some accounts, account by account and each in order of time.

    `first[a]` is the first row of account `a`; `local` numbers the identities of an account from 0
    to `sizes[a]`, and `identities` are their codes in that order, account by account. An event was
    known from `since` until `until`, where the source tells.
    """

    instants: Int64
    types: Any
    local: Int32
    standard: Bool
    since: Int64 | None
    until: Int64 | None
    first: Int64
    sizes: Int64
    identities: NDArray[np.intp]

    @classmethod
    def of(cls, events: Events, accounts: Sequence[int], *, repeats: bool, voided: bool) -> _Told:
        names, columns, history = events.names, events.columns, events.history
        standard, owners = names.standard, names.account_of
        codes = np.arange(len(owners))
        since = until = None
        if voided:
            assert history is not None and history.recorded is not None, "asked for only where it is known"
            since = np.append(history.recorded, history.voided_since)
            until = np.append(np.full(len(columns), INSTANT_MAX + 1), history.voided_until)
            columns = Columns.concat([columns, history.voided])
        if repeats:
            # What came twice is a second identity, that is deleted when the first one is.
            assert history is not None and history.repeats is not None, "asked for only where it is known"
            twice = np.unique(history.repeats.identities)
            gone = columns.where((columns.types == DELETED) & np.isin(columns.identities, twice))
            more = Columns.concat([history.repeats, gone])
            numbers = (len(owners) + np.searchsorted(twice, more.identities)).astype(np.int32)
            columns = Columns.concat([columns, replace(more, identities=numbers)])
            codes = np.append(codes, twice)
            standard, owners = standard[codes], owners[codes]
            if since is not None and until is not None:  # when it came again is not told
                since = np.append(since, np.full(len(more), INSTANT_MIN))
                until = np.append(until, np.full(len(more), INSTANT_MAX + 1))
        wanted = np.zeros(len(names.accounts), np.bool_)
        wanted[list(accounts)] = True
        by = owners[columns.identities]
        rows = np.flatnonzero(wanted[by])
        if not np.all(columns.instants[:-1] <= columns.instants[1:]):
            rows = rows[np.argsort(columns.instants[rows], kind="stable")]
        by = by[rows].astype(np.min_scalar_type(len(wanted)))  # small numbers are sorted without comparing
        ordered = np.argsort(by, kind="stable")
        by, order = by[ordered], rows[ordered]
        identities = columns.identities[order]
        # Identities in order of their accounts, so that each has a number within its own.
        by_account = np.argsort(owners, kind="stable")
        rank = np.empty(len(owners), np.int64)
        rank[by_account] = np.arange(len(owners))
        sizes = np.bincount(owners, minlength=len(wanted))
        before = np.cumsum(sizes) - sizes
        return cls(
            instants=columns.instants[order],
            types=columns.types[order],
            local=(rank - before[owners]).astype(np.int32)[identities],
            standard=standard[identities],
            since=None if since is None else since[order],
            until=None if until is None else until[order],
            first=np.searchsorted(by, np.arange(len(wanted) + 1, dtype=by.dtype)),
            sizes=sizes,
            identities=codes[by_account],
        )


@dataclass(frozen=True, slots=True)
class _Laid:
    """Some cycles with the events that can matter to them, laid on one line of time.

    Cycle `k` has the part `[bounds[2k], bounds[2k + 2])` of it and begins at `bounds[2k + 1]`;
    `shift[k]` takes its instants there. `rows` are rows of `told`, `cycles` which cycle each is for;
    `places` says where each cycle stands among those asked for, `sizes` how many identities its
    account has.
    """

    told: _Told
    places: NDArray[np.intp]
    sizes: Int64
    rows: NDArray[np.intp]
    cycles: NDArray[np.intp]
    bounds: Int64
    shift: Int64

    def active(self, way: Way, policy: ActivityPolicy, timezone: str) -> _Active:
        """Who is active when, by the events that a way of reading looks at and the windows that it has."""
        told, ends = self.told, self.bounds[2::2]
        rows, cycles = self.rows, self.cycles
        if not way.standard and told.standard.any():
            rows, cycles = _where(~told.standard[rows], rows, cycles)
        if way.known != "now":
            assert told.since is not None and told.until is not None, "asked for only where it is known"
            known_at = (ends - self.shift)[cycles]
            rows, cycles = _where((told.since[rows] <= known_at) & (told.until[rows] > known_at), rows, cycles)
        types = told.types[rows]
        for wanted, kind in ((way.deletions, DELETED), (way.connects, CONNECTED)):
            if not wanted:
                rows, cycles, types = _where(types != kind, rows, cycles, types)
        base = np.cumsum(self.sizes) - self.sizes
        instants, shift = told.instants[rows], self.shift[cycles]
        reaches = _calendar_reaches(instants, types, policy, timezone) + shift if way.days == "calendar" else None
        columns = Columns((base[cycles] + told.local[rows]).astype(np.int32), types, instants + shift)
        walk = Walk(policy)
        walk.feed(columns, int(self.sizes.sum()), reaches)
        found = walk.intervals()
        cycle_of = np.repeat(np.arange(len(self.sizes)), self.sizes)
        of = cycle_of[found.identities]
        clipped = replace(found, ends=np.minimum(found.ends, ends[of]))
        return _Active(self.places, clipped, of, cycle_of, self.bounds, self.shift)


@dataclass(frozen=True, slots=True)
class _Active:
    """Who is active when in some cycles, on their line of time.

    `of` says in which cycle each interval is, `cycle_of` to which each identity belongs.
    """

    places: NDArray[np.intp]
    intervals: Intervals
    of: NDArray[np.intp]
    cycle_of: NDArray[np.intp]
    bounds: Int64
    shift: Int64

    def counts(self, count: str) -> Int64:
        """How many identities each cycle has, by what is counted."""
        if count == "distinct":
            return np.bincount(self.cycle_of[np.unique(self._within())], minlength=len(self.shift))
        return self._highest(count)[0]

    def who(self, count: str) -> tuple[int | None, Int32]:
        """Of the only cycle that there is, the moment at which it is counted, and the numbers of who is."""
        if count == "distinct":
            return None, np.unique(self._within())
        found, at = self.intervals, int(self._highest(count)[1][0])
        late = 1 if count == "ends last" else 0
        active = found.identities[(found.starts <= at) & (at < found.ends + late)]
        return at - int(self.shift[0]) if len(active) else None, active

    def _within(self) -> Int32:
        """The identities that are active at any time of their cycle."""
        return self.intervals.identities[self.intervals.ends > self.bounds[1::2][self.of]]

    def _highest(self, count: str) -> tuple[Int64, Int64]:
        """The highest count of each cycle among the moments that are looked at, and the first such moment."""
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
            first = starts + (self.shift - starts) % step  # whole days and hours are those before the shift
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


def _where(mask: Bool, *columns: Any) -> Any:
    """The rows of some columns for which a mask is true."""
    return tuple(column[mask] for column in columns)


def _laid(
    told: _Told, bills: Sequence[Bill], places: NDArray[np.intp], way: Way, policy: ActivityPolicy
) -> Iterator[_Laid]:
    """The cycles at some places with the events that can matter to them, some at a time."""
    spans = np.array([bills[k].span(way) for k in places], np.int64).reshape(-1, 2)
    accounts = np.array([bills[k].account for k in places], np.int64)
    # A calendar day can end a day later than an exact one, and an hour or two where clocks change.
    reach = policy.longest_window + (2 * DAY if way.days == "calendar" else 0) if way.carried else 0
    low, high = np.empty(len(places), np.int64), np.empty(len(places), np.int64)
    for k, a in enumerate(accounts.tolist()):
        own = told.instants[told.first[a] : told.first[a + 1]]
        low[k], high[k] = told.first[a] + np.searchsorted(own, [spans[k, 0] - reach, spans[k, 1]])
    # Neither events nor identities nor the line of time itself may grow without bound.
    part = np.cumsum(np.maximum(high - low + told.sizes[accounts], _EVENTS >> 12)) // _EVENTS
    for group in np.split(np.arange(len(places)), np.flatnonzero(np.diff(part)) + 1):
        lengths = high[group] - low[group]
        starts, ends = spans[group].T
        # The part of a cycle begins before its first event and before itself.
        begins = starts.copy()
        some = lengths > 0
        begins[some] = np.minimum(begins[some], told.instants[low[group][some]])
        begins -= 1
        lengths_of_time = ends - begins
        offsets = np.cumsum(lengths_of_time) - lengths_of_time
        bounds = np.empty(2 * len(group) + 1, np.int64)
        bounds[0::2] = np.append(offsets, offsets[-1] + lengths_of_time[-1])
        bounds[1::2] = offsets + starts - begins
        cycles = np.repeat(np.arange(len(group)), lengths)
        rows = np.arange(int(lengths.sum())) + np.repeat(low[group] - np.cumsum(lengths) + lengths, lengths)
        yield _Laid(told, places[group], told.sizes[accounts[group]], rows, cycles, bounds, offsets - begins)


def _calendar_reaches(instants: Int64, types: Any, policy: ActivityPolicy, timezone: str) -> Int64:
    """Until when events cover if windows end with a calendar day: 30 days from 1 May are over as 1 June begins."""
    if not len(instants):
        return instants
    connect, action = (-(-microseconds(window) // DAY) + 1 for window in (policy.connect_window, policy.action_window))
    first, last = int(instants.min()) // DAY - 1, int(instants.max()) // DAY + max(connect, action) + 2
    midnights = _midnights(timezone, first, last)
    day = np.searchsorted(midnights, instants, "right") - 1
    return midnights[day + np.where(types == CONNECTED, connect, action)]


@lru_cache(maxsize=64)
def _midnights(timezone: str, first: int, last: int) -> Int64:
    """When the days from `first` to `last`, counted from 1970, begin by the clock of a zone, in microseconds."""
    rules, epoch = zone(timezone), date(1970, 1, 1)
    days = (epoch + timedelta(days=n) for n in range(first, last + 1))
    return np.array([micros(datetime(d.year, d.month, d.day, tzinfo=rules)) for d in days], np.int64)
