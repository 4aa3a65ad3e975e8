"""The state machine: from events to the intervals in which an identity is active.

An action keeps an identity active for 30 days, a connect for 5, a deletion ends it at once; days
are exactly 24 hours. Every span is half-open. `_walk` computes the definition in one pass over the
events in order of time, and keeps a few numbers per identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import BadPolicy
from .event import CONNECTED, DELETED, Bool, Columns, Int32, Int64
from .kernel import SMALL, compile_kernel

#: The instant of what never happened, earlier than any event; and the index of no interval.
NEVER: Final = -(1 << 62)
NONE: Final = -1
_NO_REACHES: Final[Int64] = np.empty(0, np.int64)
#: How many events are walked at a time.
_STEP: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ActivityPolicy:
    """How long an event keeps an identity active: 30 days for an action, 5 for a connect.

    `reconnect` says what a later connect does to windows already open: `"extends"` leaves them open
    (the default), `"restarts"` ends them, so that only the connect's own window counts from then on.
    Raises `BadPolicy` for a window that is not positive or longer than 3,650 days, or another `reconnect`.

    >>> ActivityPolicy().longest_window == 30 * 86_400_000_000
    True
    """

    action_window: timedelta = timedelta(days=30)
    connect_window: timedelta = timedelta(days=5)
    reconnect: Literal["extends", "restarts"] = "extends"

    def __post_init__(self) -> None:
        for name in ("action_window", "connect_window"):
            window = getattr(self, name)
            if not timedelta(0) < window <= timedelta(days=3650):
                raise BadPolicy("window_range", field=name, got=window)
        if self.reconnect not in ("extends", "restarts"):
            raise BadPolicy("reconnect_unknown", field="reconnect", got=self.reconnect)

    @property
    def longest_window(self) -> int:
        """How long an event can matter, in microseconds: nothing older matters to a cycle."""
        return max(microseconds(self.action_window), microseconds(self.connect_window))


def microseconds(span: timedelta) -> int:
    """A span as a whole number of microseconds."""
    return span // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Maximal spans of activity, `[start, end)`, in order of their starts.

    `identities` are int32 codes, `starts` and `ends` int64 microseconds; `after_deletion` marks the
    intervals of an identity that was deleted before and became active again.
    """

    identities: Int32
    starts: Int64
    ends: Int64
    after_deletion: Bool

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, rows: Bool | NDArray[np.intp]) -> Intervals:
        """The intervals at these rows: a mask, or indices."""
        return Intervals(self.identities[rows], self.starts[rows], self.ends[rows], self.after_deletion[rows])

    @staticmethod
    def concat(parts: list[Intervals]) -> Intervals:
        """Intervals of different identities, merged in order of their starts."""
        if len(parts) == 1:
            return parts[0]
        both = Intervals(
            np.concatenate([p.identities for p in parts]),
            np.concatenate([p.starts for p in parts]),
            np.concatenate([p.ends for p in parts]),
            np.concatenate([p.after_deletion for p in parts]),
        )
        return both.at(np.argsort(both.starts, kind="stable"))


class OutOfOrder(Exception):
    """An event is older than the one before it; sort the events and walk again."""


class Walk:
    """Intervals of activity under one policy, from events fed in order of time.

    Columns are fed in batches of any size; the sizes change nothing. It keeps a few numbers per identity
    and one row per interval, however many events there are.
    """

    def __init__(self, policy: ActivityPolicy) -> None:
        self._windows = (microseconds(policy.connect_window), microseconds(policy.action_window))
        self._restarts = policy.reconnect == "restarts"
        # Columns that grow. Per identity:
        self._until: Any = np.empty(0, np.int64)  # active up to here
        self._deleted: Any = self._until  # its latest deletion
        self._called: Any = self._until  # its latest action, if connects restart
        self._latest: Any = np.empty(0, np.int32)  # its latest interval
        # Per interval:
        self._identity_code: Any = np.empty(0, np.int32)
        self._starts: Any = np.empty(0, np.int64)
        self._ends: Any = self._starts
        self._revived: Any = np.empty(0, np.bool_)
        self._count = 0
        self._fed = 0
        self._now = NEVER

    def feed(self, events: Columns, identities: int, reaches: Int64 | None = None) -> None:
        """Take the next events; `identities` is how many identities are known so far. Raises `OutOfOrder`.

        `reaches` (microseconds) gives for each event until when it covers at most, in place of the
        windows of the policy.
        """
        # Each step makes room for as many intervals as it has events, so a step is limited.
        for first in range(0, len(events), _STEP):
            part = slice(first, first + _STEP)
            self._step(events.part(first, first + _STEP), identities, _NO_REACHES if reaches is None else reaches[part])

    def _step(self, events: Columns, identities: int, reaches: Int64) -> None:
        self._make_room(len(events), identities)
        self._fed += len(events)
        state: list[Any] = [
            self._until,
            self._deleted,
            self._called,
            self._latest,
            self._identity_code,
            self._starts,
            self._ends,
            self._revived,
        ]
        columns: list[Any] = [events.instants, events.types, events.identities, reaches]
        settings: list[Any] = [*self._windows, self._restarts, self._count, self._now]
        if self._fed < SMALL:
            # Element by element, Python is several times faster over lists than over arrays.
            lists = [array.tolist() for array in state]
            columns = [column.tolist() for column in columns]
            count = _walk(*columns, *settings, *lists)
            for array, values in zip(state, lists, strict=True):
                array[:] = values
        else:
            count = compile_kernel(_walk)(*columns, *settings, *state)
        if count == NONE:
            raise OutOfOrder
        self._count = count
        self._now = int(events.instants[-1])

    def intervals(self) -> Intervals:
        """The maximal intervals of all events fed so far."""
        n = self._count
        ends = self._ends[:n].copy()
        begun = self._latest != NONE
        ends[self._latest[begun]] = self._until[begun]
        found = Intervals(self._identity_code[:n], self._starts[:n], ends, self._revived[:n])
        # A deletion at the instant of an activation leaves an empty span, which is no interval.
        return found.at(found.ends > found.starts)

    def _make_room(self, events: int, identities: int) -> None:
        self._until = _grow(self._until, identities, NEVER)
        self._deleted = _grow(self._deleted, identities, NEVER)
        self._called = _grow(self._called, identities, NEVER)
        self._latest = _grow(self._latest, identities, NONE)
        intervals = self._count + events  # each event opens at most one
        self._identity_code = _grow(self._identity_code, intervals, NONE)
        self._starts = _grow(self._starts, intervals, NEVER)
        self._ends = _grow(self._ends, intervals, NEVER)
        self._revived = _grow(self._revived, intervals, False)


def spans_of(history: Sequence[tuple[int, int]], policy: ActivityPolicy) -> list[tuple[int, int]]:
    """The maximal spans `[start, end)` for which its events keep one identity active.

    `history` are the instant and the type of each event, in order of time.

    >>> spans_of([(0, 0), (1, 2), (7, 0)], ActivityPolicy(connect_window=timedelta(microseconds=5)))
    [(0, 1), (7, 12)]
    """
    n = len(history)
    until, starts, ends = [NEVER], [NEVER] * n, [NEVER] * n
    count = _walk(
        [instant for instant, _ in history],
        [kind for _, kind in history],
        [0] * n,
        [],
        microseconds(policy.connect_window),
        microseconds(policy.action_window),
        policy.reconnect == "restarts",
        0,
        NEVER,
        until,
        [NEVER],
        [NEVER],
        [NONE],
        [NONE] * n,
        starts,
        ends,
        [False] * n,
    )
    assert count != NONE, "in order of time"
    ends[count - 1 : count] = until * (count > 0)
    return [(start, end) for start, end in zip(starts[:count], ends, strict=False) if end > start]


def _grow(column: Any, size: int, filler: int) -> Any:
    """A column with room for `size`; when it has to grow, by at least half, so that it seldom has to."""
    known = len(column)
    if size <= known:
        return column
    return np.append(column, np.full(max(size, known * 3 // 2) - known, filler, column.dtype))


def _walk(
    instants: Any,
    types: Any,
    identities: Any,
    reaches: Any,
    connect_window: int,
    action_window: int,
    restarts: bool,
    count: int,
    now: int,
    until: Any,
    deleted: Any,
    called: Any,
    latest: Any,
    identity_code: Any,
    starts: Any,
    ends: Any,
    revived: Any,
) -> int:
    """Walk events in order of time; return the number of intervals, or `NONE` if an event goes back in time.

    Events at one instant may come in any order: a deletion cuts what began at its own instant, and
    an activation that comes after it at that instant is ignored.
    """
    own_reaches = len(reaches) > 0
    for k in range(len(instants)):
        t = instants[k]
        if t < now:
            return NONE
        now = t
        i = identities[k]
        if types[k] == DELETED:
            deleted[i] = t
            if until[i] > t:
                until[i] = t
            continue
        connects = types[k] == CONNECTED
        reach = reaches[k] if own_reaches else t + (connect_window if connects else action_window)
        if t >= until[i]:
            if deleted[i] == t:  # deletion wins a tie
                continue
            if t > until[i]:  # inactive: exactly at the end would still belong
                if latest[i] != NONE:
                    ends[latest[i]] = until[i]
                latest[i] = count
                identity_code[count] = i
                starts[count] = t
                revived[count] = deleted[i] != NEVER
                until[i] = NEVER
                count += 1
        if restarts:
            if not connects:
                called[i] = t
            elif called[i] == t:  # the cover of an action at this very instant goes on
                reach = max(reach, t + action_window)
                until[i] = t
            else:  # covers that began earlier end here
                until[i] = t
        if reach > until[i]:
            until[i] = reach
    return count
