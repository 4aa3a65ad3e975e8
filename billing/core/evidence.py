"""Evidence: who was active at the peak, and the event that kept each of them so.

Nobody is counted without an event that covers the moment. The list can be checked without us: the
instant of each event plus its window lies after the peak, and no deletion lies between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from .activity import ActivityPolicy, Intervals, microseconds
from .cycle import Cycle
from .event import CALLED, CONNECTED, DELETED, TYPES, Columns, Int64

_FAR: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Witness:
    """One identity that was active at the peak, and the event that shows it.

    Of the events that cover the peak it is the one whose cover ends last. All instants are
    microseconds; `active_since` and `active_until` are the whole interval, `covers_until` what this
    event alone accounts for.
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
        assert len(self.witnesses) == self.peak, "each identity counted has its witness, and nobody else"

    @property
    def flags(self) -> tuple[str, ...]:
        """What a reader should look at twice."""
        return ("active_after_deletion",) if any(w.active_after_deletion for w in self.witnesses) else ()


def evidence(
    events: Columns,
    intervals: Intervals,
    *,
    account_id: str,
    identities: pa.Array,
    event_ids: pa.Array | None,
    cycle: Cycle,
    span: tuple[int, int],
    peak: int,
    peak_at: int | None,
    policy: ActivityPolicy,
) -> Evidence:
    """The evidence for a peak of one account.

    `events` and `intervals` are those of its counted identities; `event_ids` belongs to the rows of
    `events`; `identities` are the names behind the codes; `span` is the cycle in microseconds.
    """
    start, end = span
    within = intervals.at((intervals.starts < end) & (intervals.ends > start))
    at_peak = within  # nobody, if the peak is 0
    if peak_at is not None:
        at_peak = within.at((within.starts <= peak_at) & (peak_at < within.ends))
    return Evidence(
        account_id=account_id,
        cycle=cycle,
        peak=peak,
        peak_at=peak_at,
        policy=policy,
        witnesses=tuple(sorted(_witnesses(events, at_peak, identities, event_ids, peak_at, policy), key=_by_name)),
        active_off_peak=tuple(sorted(_active_off_peak(within, at_peak, identities), key=_by_name)),
        counts=tuple(_counts(within, start, end)),
    )


def _by_name(found: Witness | ActiveOffPeak) -> tuple[str, int]:
    return found.identity_id, found.active_since


def _witnesses(
    events: Columns,
    at_peak: Intervals,
    identities: pa.Array,
    event_ids: pa.Array | None,
    peak_at: int | None,
    policy: ActivityPolicy,
) -> list[Witness]:
    if peak_at is None:
        return []
    cut = _cuts(events, len(identities), peak_at, policy)
    windows = microseconds(policy.action_window), microseconds(policy.connect_window)
    reach = events.instants + np.where(events.types == CALLED, *windows)
    rows = np.flatnonzero((events.types != DELETED) & (events.instants <= peak_at) & (reach > peak_at))
    rows = rows[np.isin(events.identities[rows], at_peak.identities)]
    rows = rows[events.instants[rows] >= cut.since[events.identities[rows]]]
    names = event_ids.take(pa.array(rows)).to_pylist() if event_ids is not None else [None] * len(rows)
    # For each identity the event that reaches furthest; then the later, then the smaller id, then the type.
    best: dict[int, tuple[int, int, str, int, int]] = {}
    for k, row in enumerate(rows.tolist()):
        identity = int(events.identities[row])
        rank = (-int(reach[row]), -int(events.instants[row]), names[k] or "", int(events.types[row]), k)
        best[identity] = min(best.get(identity, rank), rank)
    witnesses = []
    for at in range(len(at_peak)):
        identity = int(at_peak.identities[at])
        k = best[identity][-1]
        row = int(rows[k])
        witnesses.append(
            Witness(
                identity_id=identities[identity].as_py(),
                event_id=names[k],
                type=TYPES[events.types[row]],
                occurred_at=int(events.instants[row]),
                covers_until=int(min(reach[row], cut.until[identity])),
                active_since=int(at_peak.starts[at]),
                active_until=int(at_peak.ends[at]),
                active_after_deletion=bool(at_peak.after_deletion[at]),
            )
        )
    return witnesses


@dataclass(frozen=True, slots=True)
class _Cuts:
    """For each identity, from when on events still cover an instant, and what ends all its covers."""

    since: Int64
    until: Int64


def _cuts(events: Columns, identities: int, instant: int, policy: ActivityPolicy) -> _Cuts:
    since = np.zeros(identities, np.int64)
    until = np.full(identities, _FAR, np.int64)

    def cut(ending: np.ndarray, shift: int) -> None:
        before, after = ending & (events.instants <= instant), ending & (events.instants > instant)
        # A deletion ends even what begins with it; a connect only what began before it.
        np.maximum.at(since, events.identities[before], events.instants[before] + shift)
        np.minimum.at(until, events.identities[after], events.instants[after])

    cut(events.types == DELETED, 1)
    if policy.reconnect == "restarts":
        cut(events.types == CONNECTED, 0)
    return _Cuts(since, until)


def _active_off_peak(within: Intervals, at_peak: Intervals, identities: pa.Array) -> list[ActiveOffPeak]:
    others = within.at(~np.isin(within.identities, at_peak.identities))
    return [
        ActiveOffPeak(identities[int(i)].as_py(), int(start), int(end))
        for i, start, end in zip(others.identities, others.starts, others.ends, strict=True)
    ]


def _counts(within: Intervals, start: int, end: int) -> list[tuple[int, int]]:
    instants = np.concatenate([np.maximum(within.starts, start), within.ends])
    changes = np.repeat([1, -1], len(within))
    at, places = np.unique(np.append(instants, start), return_inverse=True)
    counts = np.cumsum(np.bincount(places, np.append(changes, 0))).astype(np.int64)
    inside = at < end
    steps = list(zip(at[inside].tolist(), counts[inside].tolist(), strict=True))
    return [step for k, step in enumerate(steps) if k == 0 or step[1] != steps[k - 1][1]]
