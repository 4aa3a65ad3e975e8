"""Replays: cycles of an account looked at from a moment within each, and what became of them.

A forecast learns from them: who was active at the moment, how many of those would have stayed active
if nothing had happened, how many did, and how many others came. Each replay sees only the events
before its moment, by the very state machine that bills.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.activity import ActivityPolicy, Intervals, Walk
from ..core.event import Columns, Int32, Int64
from ..core.sweep import Spans, sweep

#: In how many slices the rest of a cycle is looked at, at the last instant of each.
SLICES: Final = 24
#: About how many events and identities are replayed at a time, which bounds the memory that it takes.
_ROWS: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments to look from: a row for each, consecutive cycles of one account together and in order.

    `accounts` are codes; a cycle is `[starts, ends)`, and the moment lies in it. All int64, instants in
    microseconds.
    """

    accounts: Int64
    starts: Int64
    moments: Int64
    ends: Int64

    @classmethod
    def of(cls, accounts: Sequence[tuple[int, Sequence[int]]], phases: Sequence[tuple[int, int]]) -> Moments:
        """The same phase of every cycle of each account, given the bounds of its cycles.

        A phase is what part of a cycle has passed, as two whole numbers: so many of so many microseconds.
        """
        rows = [
            (account, start, max(start + (end - start) * passed // length, start + 1), end)
            for (account, bounds), (passed, length) in zip(accounts, phases, strict=True)
            for start, end in pairwise(bounds)
        ]
        return cls(*np.array(rows, np.int64).reshape(-1, 4).T)

    def __len__(self) -> int:
        return len(self.accounts)

    def slices(self, row: int) -> list[int]:
        """The ends of the slices of the time that is left."""
        moment, left = int(self.moments[row]), int(self.ends[row] - self.moments[row])
        return [moment + k * left // SLICES for k in range(1, SLICES + 1)]

    def part(self, first: int, end: int) -> Moments:
        """Rows `first` to `end`, the latter not included."""
        return Moments(*(getattr(self, field.name)[first:end] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Replays:
    """What was seen from some moments, and what became of it: a row for each.

    `active` is the count at the moment, `floors` the peak of the cycle before it, `finals` that of the
    whole cycle. `stairs`, `kept`, `back` and `others` have a column for each slice of the time from the
    moment to the cycle's end and count at its last instant: how many of the active would still be so
    if nothing had happened, how many of those were, how many of the active were beyond that, and how
    many were active that had not been. All int64.
    """

    at: Moments
    active: Int64
    floors: Int64
    finals: Int64
    stairs: Int64
    kept: Int64
    back: Int64
    others: Int64

    def __len__(self) -> int:
        return len(self.active)

    @staticmethod
    def joined(parts: Sequence[Replays]) -> Replays:
        """Replays put one after the other."""
        at = Moments(*(np.concatenate([getattr(p.at, f.name) for p in parts]) for f in fields(Moments)))
        rest = [f.name for f in fields(Replays)][1:]
        return Replays(at, *(np.concatenate([getattr(p, name) for p in parts]) for name in rest))


class Past:
    """What happened to the counted identities of some accounts, to be looked at again."""

    def __init__(self, events: Columns, intervals: Intervals, owners: Int32) -> None:
        """`events` and `intervals` are those of counted identities, `owners` the account code of every identity."""
        count = int(owners.max(initial=-1)) + 1
        # Identities in order of their accounts, so that each has a number within its own.
        by_account = np.argsort(owners, kind="stable")
        self._sizes = np.bincount(owners, minlength=count)
        first = np.cumsum(self._sizes) - self._sizes
        self._numbers = np.empty(len(owners), np.int64)
        self._numbers[by_account] = np.arange(len(owners)) - np.repeat(first, self._sizes)
        codes = np.arange(count + 1)
        order = _by(owners[events.identities], events.instants)
        self._events = Columns(events.identities[order], events.types[order], events.instants[order])
        self._first_event = np.searchsorted(owners[self._events.identities], codes)
        self._intervals = intervals.at(_by(owners[intervals.identities], intervals.starts))
        self._first_interval = np.searchsorted(owners[self._intervals.identities], codes)

    def replays(self, at: Moments, policy: ActivityPolicy) -> Replays:
        """What was seen from each moment, and what became of it, under one policy."""
        sizes = self._sizes[at.accounts] + np.diff(self._first_event)[at.accounts]
        cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // _ROWS)) + 1
        parts = pairwise([0, *cuts.tolist(), len(at)])
        return Replays.joined([self._replayed(at.part(*part), policy) for part in parts])

    def _replayed(self, at: Moments, policy: ActivityPolicy) -> Replays:
        sizes = self._sizes[at.accounts]
        base = np.cumsum(sizes) - sizes  # each replay has numbers of its own for the identities
        row_of = np.repeat(np.arange(len(at)), sizes)
        until = self._seen(at, policy, base, row_of)
        active = np.bincount(row_of[until > 0], minlength=len(at)).astype(np.int64)
        ends = _slice(at, row_of, np.minimum(until, at.ends[row_of]))
        everyone = np.zeros_like(ends)
        stairs = _counts(len(at), row_of, everyone, ends)
        rows, places = self._during(at)
        found, numbers = self._intervals, base[rows] + self._numbers[self._intervals.identities[places]]
        starts = _slice(at, rows, np.maximum(found.starts[places], at.moments[rows]))
        stops = _slice(at, rows, np.minimum(found.ends[places], at.ends[rows]))
        known, stair = until[numbers] > 0, ends[numbers]
        floors, finals = self._peaks(at)
        return Replays(
            at=at,
            active=active,
            floors=floors,
            finals=finals,
            stairs=stairs,
            kept=_counts(len(at), rows[known], starts[known], np.minimum(stops, stair)[known]),
            back=_counts(len(at), rows[known], np.maximum(starts, stair)[known], stops[known]),
            others=_counts(len(at), rows[~known], starts[~known], stops[~known]),
        )

    def _seen(self, at: Moments, policy: ActivityPolicy, base: Int64, row_of: NDArray[np.intp]) -> Int64:
        """Until when each identity of each replay is active by the events before the moment; 0 for who is not."""
        # No event older than the longest window before a moment matters at it.
        reach = policy.longest_window
        low, high = self._places(self._events.instants, self._first_event, at, at.moments - reach, at.moments)
        rows, places = _ranges(low, high)
        # The replays are laid on one line of time, one behind the other.
        shift = np.arange(len(at)) * (reach + 1) - (at.moments - reach)
        seen, walk = self._events, Walk(policy)
        numbers = (base[rows] + self._numbers[seen.identities[places]]).astype(np.int32)
        walk.feed(Columns(numbers, seen.types[places], seen.instants[places] + shift[rows]), len(row_of))
        found = walk.intervals()
        row = row_of[found.identities]
        lasting = found.ends - shift[row] > at.moments[row]
        until = np.zeros(len(row_of), np.int64)
        until[found.identities[lasting]] = (found.ends - shift[row])[lasting]
        return until

    def _during(self, at: Moments) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The intervals that share an instant with the time from a moment to the cycle's end, for each of the rows."""
        starts, ends = self._intervals.starts, self._intervals.ends
        low, high = self._places(starts, self._first_interval, at, np.zeros_like(at.ends), at.ends)
        rows, places = _ranges(low, high)
        lasting = ends[places] > at.moments[rows]
        return rows[lasting], places[lasting]

    def _peaks(self, at: Moments) -> tuple[Int64, Int64]:
        """The peak of each cycle before the moment, and that of the whole cycle."""
        first = np.sort(np.unique(at.accounts, return_index=True)[1])
        bounds = [
            [*np.stack([part.starts, part.moments], 1).ravel().tolist(), int(part.ends[-1])]
            for part in (at.part(*span) for span in pairwise([*first.tolist(), len(at)]))
        ]
        place = np.full(len(self._sizes), len(bounds), np.int32)
        place[at.accounts[first]] = np.arange(len(first), dtype=np.int32)
        by_time = np.argsort(self._intervals.starts, kind="stable")
        owner = np.repeat(np.arange(len(self._sizes)), np.diff(self._first_interval))
        peaks = sweep(self._intervals.at(by_time), place[owner[by_time]], Spans.of([*bounds, []])).counts
        # An account has two spans for each cycle, and one bound more.
        two = 2 * np.arange(len(at)) + np.repeat(np.arange(len(first)), np.diff(np.append(first, len(at))))
        return peaks[two], np.maximum(peaks[two], peaks[two + 1])

    def _places(self, instants: Int64, first: Any, at: Moments, since: Int64, until: Int64) -> tuple[Int64, Int64]:
        """For each row where, among what its account has, the instants from `since` to `until` begin and end."""
        low, high = np.empty(len(at), np.int64), np.empty(len(at), np.int64)
        for account in np.unique(at.accounts).tolist():
            own = at.accounts == account
            a, b = first[account : account + 2]
            low[own] = a + np.searchsorted(instants[a:b], since[own])
            high[own] = a + np.searchsorted(instants[a:b], until[own])
        return low, high


def _by(owners: Int32, instants: Int64) -> NDArray[np.intp]:
    """The order by account, and of each by time."""
    order = np.argsort(instants, kind="stable")
    return order[np.argsort(owners[order], kind="stable")]


def _ranges(low: Int64, high: Int64) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All places from `low` to `high` of each row, with the row of each."""
    lengths = high - low
    rows = np.repeat(np.arange(len(low)), lengths)
    return rows, np.arange(int(lengths.sum())) + np.repeat(low - np.cumsum(lengths) + lengths, lengths)


def _slice(at: Moments, rows: NDArray[np.intp], instants: Int64) -> Int64:
    """How many slices end before or at each instant, so that something until then is there at their last instants.

    Slice `k` of `n` ends at `moment + k * (end - moment) // n`.
    """
    passed, left = np.maximum(instants - at.moments[rows], 0), (at.ends - at.moments)[rows]
    k: Int64 = passed * SLICES // left
    k += (k < SLICES) & ((k + 1) * left // SLICES <= passed)
    return k


def _counts(replays: int, rows: NDArray[np.intp], starts: Int64, stops: Int64) -> Int64:
    """How many things are there at the end of each slice, that begin after `starts` slices and stop after `stops`."""
    some = stops > starts
    width = SLICES + 1
    changes = np.bincount(rows[some] * width + starts[some], minlength=replays * width)
    changes = changes - np.bincount(rows[some] * width + stops[some], minlength=replays * width)
    found: Int64 = np.cumsum(changes.reshape(replays, width), axis=1)[:, :SLICES].astype(np.int64)
    return found
