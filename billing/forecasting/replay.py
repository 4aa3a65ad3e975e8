"""Replays: what was known of past cycles at a cutoff within each, and what happened until they ended.

Forecasts learn from them: who was active at the cutoff, how many of those would have stayed active
if nothing had happened, how many did, and how many others arrived. What was known at the cutoff comes
from the events before it alone, by the same state machine that bills.
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

#: The horizon, from the cutoff to the end of the cycle, is divided into so many steps.
STEPS: Final = 24
#: About how many events and identities to replay at a time, which bounds memory.
_ROWS: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Cycles, each with its cutoff, the instant from which it is forecast; a row for each.

    Consecutive cycles of an account stand together and in order. `accounts` are codes; a cycle is
    `[starts, ends)`, and its cutoff, one of `instants`, is in it. All int64, instants in microseconds.
    """

    accounts: Int64
    starts: Int64
    instants: Int64
    ends: Int64

    @classmethod
    def of(cls, accounts: Sequence[tuple[int, Sequence[int]]], phases: Sequence[tuple[int, int]]) -> Cutoffs:
        """The cutoffs at one phase of every cycle of each account, given the bounds of its cycles.

        A phase is the part of a cycle that has passed, as two whole numbers: `(passed, length)`.
        """
        rows = [
            (account, start, max(start + (end - start) * passed // length, start + 1), end)
            for (account, bounds), (passed, length) in zip(accounts, phases, strict=True)
            for start, end in pairwise(bounds)
        ]
        return cls(*np.array(rows, np.int64).reshape(-1, 4).T)

    def __len__(self) -> int:
        return len(self.accounts)

    def step_ends(self, row: int) -> list[int]:
        """The end of each step of the horizon."""
        cutoff, horizon = int(self.instants[row]), int(self.ends[row] - self.instants[row])
        return [cutoff + k * horizon // STEPS for k in range(1, STEPS + 1)]

    def part(self, first: int, end: int) -> Cutoffs:
        """Rows `first` to `end`, the latter not included."""
        return Cutoffs(*(getattr(self, field.name)[first:end] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Replays:
    """What was known at each cutoff, and what happened after it: a row for each.

    `active` is the count at the cutoff, `peaks_so_far` the peak of the cycle before it, `final_peaks` that
    of the whole cycle. The others have a column for each step of the horizon, and count at its last instant:
    `unexpired` is how many of those active at the cutoff would still be active if nothing had happened,
    `retained` how many of these were, `renewed` how many of the rest were; `arrived` is how many were active
    that were not at the cutoff. All int64.
    """

    cutoffs: Cutoffs
    active: Int64
    peaks_so_far: Int64
    final_peaks: Int64
    unexpired: Int64
    retained: Int64
    renewed: Int64
    arrived: Int64

    def __len__(self) -> int:
        return len(self.active)

    @staticmethod
    def joined(parts: Sequence[Replays]) -> Replays:
        """Replays, one after the other."""
        cutoffs = Cutoffs(*(np.concatenate([getattr(p.cutoffs, f.name) for p in parts]) for f in fields(Cutoffs)))
        rest = [f.name for f in fields(Replays)][1:]
        return Replays(cutoffs, *(np.concatenate([getattr(p, name) for p in parts]) for name in rest))


class EventHistory:
    """The events and intervals of the counted identities, arranged to be replayed."""

    def __init__(self, events: Columns, intervals: Intervals, account_of: Int32) -> None:
        """`events` and `intervals` are those of counted identities, `account_of` the account code of every identity."""
        count = int(account_of.max(initial=-1)) + 1
        # Identities in order of account, so that each has a number within its own.
        by_account = np.argsort(account_of, kind="stable")
        self._sizes = np.bincount(account_of, minlength=count)
        first = np.cumsum(self._sizes) - self._sizes
        self._numbers = np.empty(len(account_of), np.int64)
        self._numbers[by_account] = np.arange(len(account_of)) - np.repeat(first, self._sizes)
        codes = np.arange(count + 1)
        order = _account_order(account_of[events.identities], events.instants)
        self._events = Columns(events.identities[order], events.types[order], events.instants[order])
        self._first_event = np.searchsorted(account_of[self._events.identities], codes)
        self._intervals = intervals.at(_account_order(account_of[intervals.identities], intervals.starts))
        self._first_interval = np.searchsorted(account_of[self._intervals.identities], codes)

    def replay(self, cutoffs: Cutoffs, policy: ActivityPolicy) -> Replays:
        """Replay cycles under one policy, a bounded number of events at a time."""
        sizes = self._sizes[cutoffs.accounts] + np.diff(self._first_event)[cutoffs.accounts]
        cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // _ROWS)) + 1
        parts = pairwise([0, *cuts.tolist(), len(cutoffs)])
        return Replays.joined([self._replay(cutoffs.part(*part), policy) for part in parts])

    def _replay(self, cutoffs: Cutoffs, policy: ActivityPolicy) -> Replays:
        sizes = self._sizes[cutoffs.accounts]
        base = np.cumsum(sizes) - sizes  # each replay has numbers of its own for the identities
        row_of = np.repeat(np.arange(len(cutoffs)), sizes)
        until = self._active_until(cutoffs, policy, base, row_of)
        active = np.bincount(row_of[until > 0], minlength=len(cutoffs)).astype(np.int64)
        expiries = _step_of(cutoffs, row_of, np.minimum(until, cutoffs.ends[row_of]))
        rows, positions = self._intervals_after(cutoffs)
        found, numbers = self._intervals, base[rows] + self._numbers[self._intervals.identities[positions]]
        starts = _step_of(cutoffs, rows, np.maximum(found.starts[positions], cutoffs.instants[rows]))
        stops = _step_of(cutoffs, rows, np.minimum(found.ends[positions], cutoffs.ends[rows]))
        known, expiry = until[numbers] > 0, expiries[numbers]
        peaks_so_far, final_peaks = self._peaks(cutoffs)
        return Replays(
            cutoffs=cutoffs,
            active=active,
            peaks_so_far=peaks_so_far,
            final_peaks=final_peaks,
            unexpired=_count_by_step(len(cutoffs), row_of, np.zeros_like(expiries), expiries),
            retained=_count_by_step(len(cutoffs), rows[known], starts[known], np.minimum(stops, expiry)[known]),
            renewed=_count_by_step(len(cutoffs), rows[known], np.maximum(starts, expiry)[known], stops[known]),
            arrived=_count_by_step(len(cutoffs), rows[~known], starts[~known], stops[~known]),
        )

    def _active_until(self, cutoffs: Cutoffs, policy: ActivityPolicy, base: Int64, row_of: NDArray[np.intp]) -> Int64:
        """Until when each identity of each replay is active by the events before the cutoff; 0 if it is inactive."""
        # No event older than the longest window before a cutoff matters at it.
        reach = policy.longest_window
        since = cutoffs.instants - reach
        low, high = self._find_ranges(self._events.instants, self._first_event, cutoffs, since, cutoffs.instants)
        rows, positions = _expand_ranges(low, high)
        # The replays are put on one time line, one after the other.
        shift = np.arange(len(cutoffs)) * (reach + 1) - since
        events, walk = self._events, Walk(policy)
        numbers = (base[rows] + self._numbers[events.identities[positions]]).astype(np.int32)
        walk.feed(Columns(numbers, events.types[positions], events.instants[positions] + shift[rows]), len(row_of))
        found = walk.intervals()
        row = row_of[found.identities]
        lasting = found.ends - shift[row] > cutoffs.instants[row]
        until = np.zeros(len(row_of), np.int64)
        until[found.identities[lasting]] = (found.ends - shift[row])[lasting]
        return until

    def _intervals_after(self, cutoffs: Cutoffs) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The intervals that overlap the horizon of each row, as rows and positions."""
        starts, ends = self._intervals.starts, self._intervals.ends
        low, high = self._find_ranges(starts, self._first_interval, cutoffs, np.zeros_like(cutoffs.ends), cutoffs.ends)
        rows, positions = _expand_ranges(low, high)
        lasting = ends[positions] > cutoffs.instants[rows]
        return rows[lasting], positions[lasting]

    def _peaks(self, cutoffs: Cutoffs) -> tuple[Int64, Int64]:
        """The peak of each cycle before its cutoff, and that of the whole cycle."""
        first = np.sort(np.unique(cutoffs.accounts, return_index=True)[1])
        bounds = [
            [*np.stack([part.starts, part.instants], 1).ravel().tolist(), int(part.ends[-1])]
            for part in (cutoffs.part(*span) for span in pairwise([*first.tolist(), len(cutoffs)]))
        ]
        position = np.full(len(self._sizes), len(bounds), np.int32)
        position[cutoffs.accounts[first]] = np.arange(len(first), dtype=np.int32)
        by_time = np.argsort(self._intervals.starts, kind="stable")
        account = np.repeat(np.arange(len(self._sizes)), np.diff(self._first_interval))
        peaks = sweep(self._intervals.at(by_time), position[account[by_time]], Spans.of([*bounds, []])).counts
        # Each cycle has two spans, before and after the cutoff; each account has one bound more.
        accounts_before = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(cutoffs))))
        before = 2 * np.arange(len(cutoffs)) + accounts_before
        return peaks[before], np.maximum(peaks[before], peaks[before + 1])

    def _find_ranges(
        self, instants: Int64, first: Any, cutoffs: Cutoffs, since: Int64, until: Int64
    ) -> tuple[Int64, Int64]:
        """For each row the range of its account's `instants`, sorted, that are in `[since, until)`."""
        low, high = np.empty(len(cutoffs), np.int64), np.empty(len(cutoffs), np.int64)
        for account in np.unique(cutoffs.accounts).tolist():
            own = cutoffs.accounts == account
            a, b = first[account : account + 2]
            low[own] = a + np.searchsorted(instants[a:b], since[own])
            high[own] = a + np.searchsorted(instants[a:b], until[own])
        return low, high


def _account_order(accounts: Int32, instants: Int64) -> NDArray[np.intp]:
    """The order by account, then by time."""
    order = np.argsort(instants, kind="stable")
    return order[np.argsort(accounts[order], kind="stable")]


def _expand_ranges(low: Int64, high: Int64) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every position from `low` to `high` of each row, and the row of each position."""
    lengths = high - low
    rows = np.repeat(np.arange(len(low)), lengths)
    return rows, np.arange(int(lengths.sum())) + np.repeat(low - np.cumsum(lengths) + lengths, lengths)


def _step_of(cutoffs: Cutoffs, rows: NDArray[np.intp], instants: Int64) -> Int64:
    """How many steps end at or before each instant: what ends then is counted at the end of so many steps.

    Step `k` of `n` ends at `cutoff + k * (end - cutoff) // n`.
    """
    passed, horizon = np.maximum(instants - cutoffs.instants[rows], 0), (cutoffs.ends - cutoffs.instants)[rows]
    k: Int64 = passed * STEPS // horizon
    k += (k < STEPS) & ((k + 1) * horizon // STEPS <= passed)
    return k


def _count_by_step(replays: int, rows: NDArray[np.intp], starts: Int64, stops: Int64) -> Int64:
    """For each row and step, how many things start at that step or before (`starts`) and stop later (`stops`)."""
    lasting = stops > starts
    width = STEPS + 1
    changes = np.bincount(rows[lasting] * width + starts[lasting], minlength=replays * width)
    changes = changes - np.bincount(rows[lasting] * width + stops[lasting], minlength=replays * width)
    found: Int64 = np.cumsum(changes.reshape(replays, width), axis=1)[:, :STEPS].astype(np.int64)
    return found
