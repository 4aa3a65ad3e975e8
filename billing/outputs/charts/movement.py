"""Movement: when identities became active, and whether each of them expired or was deleted.

A count goes up by an arrival, and down by an expiry or a deletion; there is no other way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.activity import Intervals
from ...core.event import DELETED, Bool, Columns, Int64


@dataclass(frozen=True, slots=True)
class Movements:
    """When identities became active, became inactive, and were deleted while active.

    Each is an int64 array of microseconds in order of time, with one instant for each identity that moved.
    """

    arrivals: Int64
    expiries: Int64
    deletions: Int64

    def within(self, start: int, end: int) -> Movements:
        """The movements within `[start, end)`; one at `start` is part of the first count already.

        >>> all_time = Movements(np.array([1, 5]), np.array([5, 9]), np.array([7]))
        >>> all_time.within(1, 9)
        Movements(arrivals=array([5]), expiries=array([5]), deletions=array([7]))
        """
        return Movements(*(at[(at > start) & (at < end)] for at in (self.arrivals, self.expiries, self.deletions)))


def movements(events: Columns, intervals: Intervals) -> Movements:
    """How the count of active identities moved: every start of an interval, and every end by its cause.

    `events` and `intervals` belong to the same identities. An interval ends by deletion if its identity
    was deleted at that very instant.

    >>> events = Columns(np.array([0, 1], np.int32), np.array([DELETED, DELETED], np.int8), np.array([7, 8]))
    >>> who, start, end = np.array([0, 1], np.int32), np.array([1, 2]), np.array([7, 7])
    >>> movements(events, Intervals(who, start, end, np.zeros(2, np.bool_)))
    Movements(arrivals=array([1, 2]), expiries=array([7]), deletions=array([7]))
    """
    deletions = events.where(events.types == DELETED)
    deleted_at = {*zip(deletions.identities.tolist(), deletions.instants.tolist(), strict=True)}
    ends = zip(intervals.identities.tolist(), intervals.ends.tolist(), strict=True)
    deleted: Bool = np.array([end in deleted_at for end in ends], np.bool_)
    return Movements(np.sort(intervals.starts), np.sort(intervals.ends[~deleted]), np.sort(intervals.ends[deleted]))
