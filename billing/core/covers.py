"""Covers: for each identity counted at a peak, the event that keeps it active furthest beyond the peak.

The events and intervals of all accounts are put in order of account and time once, and then all peaks
are looked at together, as columns. So the work grows with what there is to show, and not with the
number of peaks times that of events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .activity import NEVER, ActivityPolicy, Intervals, microseconds
from .event import CALLED, CONNECTED, DELETED, TYPES, Bool, Columns, Events, Int8, Int32, Int64
from .sweep import Peak

_EARLIEST: Final = np.iinfo(np.int64).min
_LATEST: Final = np.iinfo(np.int64).max

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class GroupedActivity:
    """The counted events of some accounts and their intervals, both in order of account and time.

    `rows` are the rows of the events in their source. `spans` and `interval_spans` say for each account
    code where its events and its intervals begin and end.
    """

    source: Events
    events: Columns
    rows: Rows
    intervals: Intervals
    spans: dict[int, tuple[int, int]]
    interval_spans: dict[int, tuple[int, int]]

    @classmethod
    def of(
        cls, source: Events, intervals: Intervals, accounts: Int32, codes: Sequence[int], as_of: int | None
    ) -> GroupedActivity:
        """The activity of some accounts, by their codes; with `as_of` (microseconds), only events before it."""
        names, columns = source.names, source.columns
        wanted = np.zeros(len(names.accounts), np.bool_)
        wanted[codes] = True
        mask = (wanted[names.account_of] & ~names.standard)[columns.identities]
        if as_of is not None:
            mask &= columns.instants < as_of
        rows = np.flatnonzero(mask)
        instants = columns.instants[rows]
        if not np.all(instants[:-1] <= instants[1:]):
            rows = rows[np.argsort(instants, kind="stable")]
        order, spans = _grouped(names.account_of[columns.identities[rows]], codes)
        rows = rows[order]
        kept = np.flatnonzero(wanted[accounts])
        order, interval_spans = _grouped(accounts[kept], codes)
        return cls(source, columns.take(rows), rows, intervals.at(kept[order]), spans, interval_spans)

    def event_ids(self, rows: Rows) -> list[str | None]:
        """The ids of events, none of them where the source has none."""
        ids = self.source.event_ids
        if ids is None:
            return [None] * len(rows)
        found: list[str | None] = ids.take(pa.array(self.rows[rows])).to_pylist()
        return found


@dataclass(frozen=True, slots=True)
class CycleWindows:
    """The cycles of some peaks as columns, and which events and intervals matter to each.

    `peak_at` is `NEVER` for a peak of 0. Events from row `first` to row `now` can cover the peak, those
    from `now` to `last` can end a cover. Intervals from row `lasting` to row `begun` are all that share
    an instant with the cycle, and some others.
    """

    start: Int64
    end: Int64
    peak_at: Int64
    action_window: Int64
    connect_window: Int64
    restarts: Bool
    first: Int64
    now: Int64
    last: Int64
    lasting: Int64
    begun: Int64

    @classmethod
    def of(
        cls, peaks: Sequence[Peak], policies: Sequence[ActivityPolicy], activity: GroupedActivity, codes: Sequence[int]
    ) -> CycleWindows:
        """The windows of some peaks, each with its policy and the code of its account."""
        start = np.array([peak.start for peak in peaks], np.int64)
        end = np.array([peak.end for peak in peaks], np.int64)
        peak_at = np.array([NEVER if peak.peak_at is None else peak.peak_at for peak in peaks], np.int64)
        settings = {
            policy: (
                microseconds(policy.action_window),
                microseconds(policy.connect_window),
                policy.reconnect == "restarts",
            )
            for policy in set(policies)
        }
        action, connect, restarts = np.array([settings[policy] for policy in policies], np.int64).reshape(-1, 3).T
        # No event reaches further than the longest window, so none beyond it matters, on either side of the peak.
        longest = np.maximum(action, connect)
        bounds = np.stack([peak_at - longest, peak_at, peak_at + longest], axis=1)
        events, lasting, begun = np.empty_like(bounds), np.empty_like(start), np.empty_like(end)
        at = 0
        for code, own in groupby(codes):
            rows = slice(at, at := at + sum(1 for _ in own))
            span = slice(*activity.spans[code])
            events[rows] = span.start + activity.events.instants[span].searchsorted(bounds[rows], "right")
            span = slice(*activity.interval_spans[code])
            ends = np.maximum.accumulate(activity.intervals.ends[span])
            lasting[rows] = span.start + ends.searchsorted(start[rows], "right")
            begun[rows] = span.start + activity.intervals.starts[span].searchsorted(end[rows])
        begun = np.maximum(begun, lasting)
        first, now, last = events.T
        return cls(start, end, peak_at, action, connect, restarts == 1, first, now, last, lasting, begun)

    @property
    def sizes(self) -> Int64:
        """How many events and intervals matter to each."""
        return self.last - self.first + self.begun - self.lasting

    def part(self, rows: slice) -> CycleWindows:
        """Some of them."""
        return CycleWindows(
            self.start[rows],
            self.end[rows],
            self.peak_at[rows],
            self.action_window[rows],
            self.connect_window[rows],
            self.restarts[rows],
            self.first[rows],
            self.now[rows],
            self.last[rows],
            self.lasting[rows],
            self.begun[rows],
        )


class Covers(NamedTuple):
    """For each identity counted at a peak, the event that covers the peak, and until when it does."""

    event_ids: list[str | None]
    types: list[str]
    instants: list[int]
    until: list[int]


def covers(activity: GroupedActivity, cycles: CycleWindows, counted: Int64) -> Covers:
    """For each identity counted at a peak, by its key, the event that reaches furthest beyond it."""
    before = _CountedEvents.of(activity, counted, cycles.first, cycles.now)
    after = _CountedEvents.of(activity, counted, cycles.now, cycles.last)
    # From when on events still cover the peak, and what ends their cover. A deletion ends even what
    # begins with it; a connect that restarts, only what began before it.
    since, until = np.full(len(counted), _EARLIEST), np.full(len(counted), _LATEST)
    for moves, at, ufunc in ((before, since, np.maximum), (after, until, np.minimum)):
        deleted = moves.types == DELETED
        ufunc.at(at, moves.identity[deleted], moves.instants[deleted] + (moves is before))
        restarted = cycles.restarts[moves.cycle] & (moves.types == CONNECTED)
        ufunc.at(at, moves.identity[restarted], moves.instants[restarted])
    windows = np.where(before.types == CALLED, cycles.action_window[before.cycle], cycles.connect_window[before.cycle])
    reach = before.instants + windows
    covering = (before.types != DELETED) & (reach > cycles.peak_at[before.cycle])
    covering &= before.instants >= since[before.identity]
    furthest = np.full(len(counted), _EARLIEST)
    np.maximum.at(furthest, before.identity[covering], reach[covering])
    found = covering & (reach == furthest[before.identity])
    # Of events that reach equally far the later, then the smaller id, then the type.
    latest = np.full(len(counted), _EARLIEST)
    np.maximum.at(latest, before.identity[found], before.instants[found])
    rows = np.flatnonzero(found & (before.instants == latest[before.identity]))
    rows = rows[np.argsort(before.identity[rows], kind="stable")]
    names = activity.event_ids(before.rows[rows])
    kinds = before.types[rows].tolist()
    if len(rows) > len(counted):
        identity = before.identity[rows].tolist()
        order = sorted(range(len(rows)), key=lambda k: (identity[k], names[k] or "", kinds[k]))
        best = {identity[k]: k for k in reversed(order)}
        names, kinds = ([column[best[k]] for k in range(len(counted))] for column in (names, kinds))
    return Covers(names, [TYPES[kind] for kind in kinds], latest.tolist(), np.minimum(furthest, until).tolist())


@dataclass(frozen=True, slots=True)
class _CountedEvents:
    """Events of identities that are counted at a peak, as columns.

    `cycle` is the place of the cycle among all, `identity` that of the identity among all counted ones.
    """

    cycle: Rows
    identity: Rows
    rows: Rows
    types: Int8
    instants: Int64

    @classmethod
    def of(cls, activity: GroupedActivity, counted: Int64, first: Int64, end: Int64) -> _CountedEvents:
        """Of the events from row `first` to row `end` of each cycle, those of identities counted in it."""
        cycle, rows = ranges(first, end)
        keys = keys_of(cycle, activity.events.identities[rows], len(activity.source.names.identities))
        identity, known = positions_in(counted, keys)
        cycle, identity, rows = cycle[known], identity[known], rows[known]
        return cls(cycle, identity, rows, activity.events.types[rows], activity.events.instants[rows])


def _grouped(accounts: Int32, codes: Sequence[int]) -> tuple[Rows, dict[int, tuple[int, int]]]:
    """The order that puts the rows of each account together, and where those of each begin and end in it."""
    keys = accounts.astype(np.min_scalar_type(max(codes, default=0)))  # small numbers are sorted without comparing
    order: Rows = np.argsort(keys, kind="stable")
    keys, each = keys[order], np.array(codes, keys.dtype)
    spans = zip(np.searchsorted(keys, each).tolist(), np.searchsorted(keys, each, side="right").tolist(), strict=True)
    return order, dict(zip(codes, spans, strict=True))


def keys_of(cycle: Rows, identities: Int32, count: int) -> Int64:
    """A number for each pair of a cycle and an identity."""
    return cycle.astype(np.int64) * count + identities


def positions_in(counted: Int64, keys: Int64) -> tuple[Rows, Bool]:
    """The position of each key among those that are counted, which are in order, and whether it is there."""
    positions = np.searchsorted(counted, keys)
    return positions, np.append(counted, NEVER)[positions] == keys


def ranges(first: Int64, end: Int64) -> tuple[Rows, Rows]:
    """The rows of all ranges, one after the other, and for each row the range that it is in."""
    sizes = end - first
    place = np.repeat(np.arange(len(sizes)), sizes)
    return place, np.arange(len(place)) + np.repeat(first - (np.cumsum(sizes) - sizes), sizes)
