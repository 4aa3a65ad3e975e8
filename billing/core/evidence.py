"""Evidence: who was active at the peak, and the event that kept each of them active.

No identity is counted without an event that covers the peak. The list can be checked without us: the
instant of each event plus its window lies after the peak, and no deletion lies between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from .activity import ActivityPolicy, Intervals
from .covers import CycleWindows, GroupedActivity, Rows, covers, keys_of, positions_in, ranges
from .cycle import Cycle
from .event import Events, Int32, Int64
from .sweep import Peak

#: How many events and intervals are looked at together, so that memory does not grow with the number of peaks.
_STEP: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Witness:
    """One identity that was active at the peak, and the event that shows it.

    Of the events that cover the peak it is the one whose cover ends last. All instants are
    microseconds; `active_since` and `active_until` bound the whole interval, `covers_until` is how
    far this event alone reaches.
    """

    identity_id: str
    event_id: str | None
    type: str
    occurred_at: int
    covers_until: int
    active_since: int
    active_until: int
    active_after_deletion: bool


@dataclass(frozen=True, slots=True)
class ActiveOffPeak:
    """An identity that was active in the cycle but not at its peak, so that it was not billed."""

    identity_id: str
    active_since: int
    active_until: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a cycle's peak is what it is.

    `counts` is the step curve of active identities over the cycle as `(instant, count)` pairs, each
    count holding until the next instant; instants are microseconds.
    """

    account_id: str
    cycle: Cycle
    peak: int
    peak_at: int | None
    policy: ActivityPolicy
    witnesses: tuple[Witness, ...]
    active_off_peak: tuple[ActiveOffPeak, ...]
    counts: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        assert len(self.witnesses) == self.peak, "each identity counted has its witness, and no other has one"

    @property
    def flags(self) -> tuple[str, ...]:
        """What a reader should look at twice."""
        return ("active_after_deletion",) if any(w.active_after_deletion for w in self.witnesses) else ()


def evidence(
    events: Events,
    intervals: Intervals,
    accounts: Int32,
    peaks: Sequence[Peak],
    policies: Sequence[ActivityPolicy],
    *,
    as_of: int | None = None,
) -> list[Evidence]:
    """The evidence for some peaks, in their order, each by the policy it was computed with.

    `intervals` are those of counted identities, and `accounts` gives the account code of each. With
    `as_of` (microseconds), only events before it. All events are passed once, however many peaks there are.
    """
    account_codes = [events.names.code_of(peak.account_id) for peak in peaks]
    activity = GroupedActivity.of(events, intervals, accounts, sorted(set(account_codes)), as_of)
    cycles = CycleWindows.of(peaks, policies, activity, account_codes)
    found: list[Evidence] = []
    for part in _steps(cycles.sizes):
        found += _evidence(peaks[part], policies[part], cycles.part(part), activity)
    return found


def _steps(sizes: Int64) -> Iterator[slice]:
    """Slices of rows whose sizes make about `_STEP` together."""
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // _STEP, prepend=0)).tolist()
    return (slice(first, end) for first, end in pairwise([0, *cuts, len(sizes)]) if first < end)


def _evidence(
    peaks: Sequence[Peak], policies: Sequence[ActivityPolicy], cycles: CycleWindows, activity: GroupedActivity
) -> Iterator[Evidence]:
    identities = activity.source.names.identities
    intervals = activity.intervals
    cycle, rows = ranges(cycles.lasting, cycles.begun)
    inside = intervals.ends[rows] > cycles.start[cycle]
    cycle, within = cycle[inside], intervals.at(rows[inside])
    keys = keys_of(cycle, within.identities, len(identities))
    peak_at = cycles.peak_at[cycle]
    at_peak = np.flatnonzero((within.starts <= peak_at) & (peak_at < within.ends))
    at_peak = at_peak[np.argsort(keys[at_peak])]  # a key is there once: intervals of an identity share no instant
    counted = keys[at_peak]

    own = within.at(at_peak)
    names = identities.take(pa.array(own.identities)).to_pylist()
    columns = own.starts.tolist(), own.ends.tolist(), own.after_deletion.tolist()
    witnesses = map(Witness, names, *covers(activity, cycles, counted), *columns)
    at_each = np.bincount(cycle[at_peak], minlength=len(peaks)).tolist()

    off_peak = np.flatnonzero(~positions_in(counted, keys)[1])
    own = within.at(off_peak)
    names = identities.take(pa.array(own.identities)).to_pylist()
    others = map(ActiveOffPeak, names, own.starts.tolist(), own.ends.tolist())
    off_each = np.bincount(cycle[off_peak], minlength=len(peaks)).tolist()

    counts = _counts(cycles, cycle, within)
    for peak, policy, at, off, steps in zip(peaks, policies, at_each, off_each, counts, strict=True):
        yield Evidence(
            account_id=peak.account_id,
            cycle=peak.cycle,
            peak=peak.peak,
            peak_at=peak.peak_at,
            policy=policy,
            witnesses=tuple(sorted(islice(witnesses, at), key=_by_name)),
            active_off_peak=tuple(sorted(islice(others, off), key=_by_name)),
            counts=steps,
        )


def _by_name(row: Witness | ActiveOffPeak) -> tuple[str, int]:
    return row.identity_id, row.active_since


def _counts(cycles: CycleWindows, cycle: Rows, within: Intervals) -> Iterator[tuple[tuple[int, int], ...]]:
    """The step curve of each cycle: a step at its start, and wherever the count changes."""
    count = len(cycles.start)
    ending = within.ends < cycles.end[cycle]
    each = np.concatenate([np.arange(count), cycle, cycle[ending]])
    instants = np.concatenate([cycles.start, np.maximum(within.starts, cycles.start[cycle]), within.ends[ending]])
    changes = np.repeat([0, 1, -1], [count, len(cycle), int(np.count_nonzero(ending))])
    order = np.lexsort((instants, each))
    each, instants = each[order], instants[order]
    last = np.append((each[1:] != each[:-1]) | (instants[1:] != instants[:-1]), True)  # of all at one instant
    total = np.cumsum(changes[order])[last]  # through all cycles
    each, instants = each[last], instants[last]
    first = np.append(True, each[1:] != each[:-1])
    before = np.append(0, total[:-1])
    counts = total - before[first][each]
    stepping = first | (total != before)
    steps = zip(instants[stepping].tolist(), counts[stepping].tolist(), strict=True)
    for size in np.bincount(each[stepping]).tolist():
        yield tuple(islice(steps, size))
