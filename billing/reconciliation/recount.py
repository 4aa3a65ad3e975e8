"""The recount: how many identities a cycle has under any counting rule.

Each cycle is computed from only those events that can matter to it, and all cycles are put on one time
line, one after the other: so one walk and one sweep, the kernels that compute our own peaks, count
thousands of cycles under any rule. Identities are numbered anew in every cycle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np

from ..core.activity import ActivityPolicy
from ..core.event import Events, Int64
from .account_events import AccountEvents
from .causes import CountingRule
from .time_line import CycleActivity, CycleRef, lay_out

#: As long as a window can be.
_FOR_EVER: Final = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class CountedIdentities:
    """The identities counted in a cycle: their codes, and how many times each is counted.

    `moment` (microseconds) is when they were counted; none where the whole cycle was counted.
    """

    moment: int | None
    identities: Counter[int]


class Recount:
    """Counts cycles of some accounts under any counting rule."""

    def __init__(self, events: Events, accounts: Sequence[int]) -> None:
        """`accounts` are the codes of the accounts whose cycles can be counted."""
        self._events = events
        self._accounts = accounts
        self._account_events: dict[tuple[bool, bool], AccountEvents] = {}
        # Rules that differ only in what they count share the activity, so the last one is kept.
        self._last: tuple[list[CycleRef], CountingRule] | None = None
        self._activity: list[CycleActivity] = []

    def supports(self, rule: CountingRule) -> bool:
        """True if the source has the data for a rule: which events were sent twice, when each was recorded."""
        history = self._events.history
        repeats, recorded = (None, None) if history is None else (history.repeats, history.recorded)
        return not (rule.repeats and repeats is None) and not (rule.known != "now" and recorded is None)

    def count(self, cycles: Sequence[CycleRef], rule: CountingRule) -> Int64:
        """How many identities each cycle has under a rule."""
        key = [*cycles], replace(rule, count="peak")
        if self._last != key:
            self._activity, self._last = list(self._compute_activity(*key)), key
        counts = np.zeros(len(cycles), np.int64)
        for activity in self._activity:
            counts[activity.positions] = activity.count(rule.count)
        return counts

    def identities(self, cycle: CycleRef, rule: CountingRule) -> CountedIdentities:
        """The identities that a rule counts in one cycle, and the moment of the count."""
        events = self._events_for(rule)
        (activity,) = self._compute_activity([cycle], replace(rule, count="peak"))
        moment, numbers = activity.identities(rule.count)
        own = events.identities[np.cumsum(events.sizes)[cycle.account] - events.sizes[cycle.account] :]
        return CountedIdentities(moment, Counter(own[numbers].tolist()))

    def _events_for(self, rule: CountingRule) -> AccountEvents:
        """The events that a rule counts, and maybe more."""
        kind = rule.repeats, rule.known != "now"
        if kind not in self._account_events:
            self._account_events[kind] = AccountEvents.of(
                self._events, self._accounts, repeats=rule.repeats, voided=rule.known != "now"
            )
        return self._account_events[kind]

    def _compute_activity(self, cycles: Sequence[CycleRef], rule: CountingRule) -> Iterator[CycleActivity]:
        """When identities are active in each cycle, some cycles at a time."""
        events = self._events_for(rule)
        groups: dict[tuple[ActivityPolicy, str], list[int]] = {}
        for k, cycle in enumerate(cycles):
            timezone = cycle.cycle_rule.timezone if rule.days == "calendar" else ""  # only calendar days depend on it
            groups.setdefault((_change_policy(cycle.policy, rule), timezone), []).append(k)
        for (policy, timezone), positions in groups.items():
            for time_line in lay_out(events, cycles, np.array(positions), rule, policy):
                yield time_line.activity(rule, policy, timezone)


def _change_policy(policy: ActivityPolicy, rule: CountingRule) -> ActivityPolicy:
    """The policy as a rule changes it."""
    action = policy.action_window if rule.action_window == "policy" else _FOR_EVER
    connect = policy.connect_window if rule.connect_window == "policy" else action
    restarts = (policy.reconnect == "restarts") == (rule.reconnect == "policy")
    return ActivityPolicy(action, connect, "restarts" if restarts else "extends")
