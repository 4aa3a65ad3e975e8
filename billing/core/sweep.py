"""The sweep: from intervals and cycles to peaks.

Every interval counts +1 at its start and -1 at its end; the highest running count of an account within a
cycle is its peak. At one instant ends come before starts, so an identity ending
as another begins is never counted as two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .activity import Intervals
from .cycle import Cycle
from .event import Int32, Int64
from .kernel import SMALL, compile_kernel


@dataclass(frozen=True, slots=True)
class Spans:
    """Adjoining spans of time per account, such as its cycles, as one row of bounds.

    Account `a` has the spans `[bounds[j], bounds[j + 1])` for `first[a] <= j < last[a]`; all three
    are int64, `bounds` in microseconds and increasing within an account. An account without spans
    has `first[a] == last[a]`, and one bound that no start or end can pass.
    """

    bounds: Int64
    first: Int64
    last: Int64

    @classmethod
    def of(cls, bounds: Sequence[Sequence[int]]) -> Spans:
        """The spans between the given bounds, account by account."""
        rows = [own or [_FOREVER] for own in bounds]
        offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return cls(np.array([*chain.from_iterable(rows)], np.int64), offsets[:-1], offsets[1:] - 1)


@dataclass(frozen=True, slots=True)
class SpanPeaks:
    """The peak of every span: rows as in `Spans.bounds` (int64), the last of each account unused.

    `instants` holds the first instant of the peak, in microseconds; it means nothing where the
    peak is 0.
    """

    counts: Int64
    instants: Int64


class Peak(NamedTuple):
    """The peak of one account in one cycle.

    `start`, `end` and `peak_at` are microseconds; `peak_at` is none if the peak is 0. `before` is the
    peak of the previous cycle; `curve`, if requested, the highest count in each slice of the cycle.
    """

    account_id: str
    cycle: Cycle
    start: int
    end: int
    peak: int
    peak_at: int | None
    before: int
    curve: tuple[int, ...] = ()


_FOREVER = np.iinfo(np.int64).max


def sweep(intervals: Intervals, accounts: Int32, spans: Spans) -> SpanPeaks:
    """The highest number of intervals open at one instant of each span, and the first such instant.

    `accounts` gives the account code of each interval.
    """
    order: NDArray[np.intp] = np.argsort(intervals.ends)
    active = np.zeros_like(spans.first)
    peaks, instants = np.zeros_like(spans.bounds), np.zeros_like(spans.bounds)
    edges: list[Any] = [intervals.starts, accounts, intervals.ends[order], accounts[order]]
    state: list[Any] = [spans.bounds, spans.first, spans.last, active, spans.first.copy(), peaks, instants]
    if len(intervals) < SMALL:
        lists = [array.tolist() for array in (*edges, *state)]
        _sweep(*lists)
        return SpanPeaks(np.array(lists[-2], np.int64), np.array(lists[-1], np.int64))
    compile_kernel(_sweep)(*edges, *state)
    return SpanPeaks(peaks, instants)


def _sweep(
    starts: Any,
    start_accounts: Any,
    ends: Any,
    end_accounts: Any,
    bounds: Any,
    first: Any,
    last: Any,
    active: Any,
    upcoming: Any,
    peaks: Any,
    instants: Any,
) -> None:
    """Process all starts and ends in order of time, ends first.

    `active[a]` is the running count of account `a` and `upcoming[a]` the next of its bounds. A span
    begins with the count carried into it: the count at its bound, after every end up to and including the
    bound. So an end at t reaches only the bounds before t.
    """
    s = e = 0
    while e < len(ends):  # every start has its end after it, so the ends run out last
        if s == len(starts) or ends[e] <= starts[s]:
            a, reached, change = end_accounts[e], ends[e] - 1, -1
            e += 1
        else:
            a, reached, change = start_accounts[s], starts[s], 1
            s += 1
        while upcoming[a] <= last[a] and bounds[upcoming[a]] <= reached:
            peaks[upcoming[a]] = active[a]
            instants[upcoming[a]] = bounds[upcoming[a]]
            upcoming[a] += 1
        active[a] += change
        span = upcoming[a] - 1
        if span >= first[a] and active[a] > peaks[span]:
            peaks[span] = active[a]
            instants[span] = reached
