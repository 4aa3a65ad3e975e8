"""The peak of one cycle by either source, with any of the differences adopted from the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..core.activity import ActivityPolicy, Walk, spans_of
from ..core.cycle import Calendar
from ..core.event import CREATED, Bool, Columns, Int64
from ..core.invoice import lines
from ..core.terms import Terms
from .account_diff import BOTH, AccountDiff, Adopted, PossibleEvent
from .effects import PeakAndAmount

_NOTHING: Final[Adopted] = frozenset()


@dataclass(frozen=True, slots=True)
class AccountBilling:
    """How an account is billed, as far as it was requested.

    `terms_at` gives the terms of the cycle that starts at an instant (microseconds), `longest_window` is
    that of all of them. `first` and `last` are numbers of cycles, none where there is no limit.
    """

    calendar: Calendar
    terms_at: Callable[[int], Terms]
    longest_window: int
    first: int | None = None
    last: int | None = None

    def cycles_reached(self, instant: int) -> Iterator[int]:
        """The numbers of the cycles that an event at this instant can change."""
        first = self.calendar.index_at(instant)
        last = self.calendar.index_at(instant + self.longest_window - 1)
        for index in range(first, last + 1):
            if (self.first is None or self.first <= index) and (self.last is None or index <= self.last):
                yield index


class CycleImpact:
    """A cycle of an account, with the differences that can change it."""

    def __init__(self, account: AccountDiff, billing: AccountBilling, index: int, numbers: Adopted) -> None:
        self.account_id = account.name
        self.cycle = billing.calendar.cycles(index, index)[0]
        self.numbers = numbers
        start, end = billing.calendar.bounds(index, index)
        self._span = start, end
        self._terms = billing.terms_at(start)
        policy = self._terms.policy
        since = start - policy.longest_window
        self._policy = policy
        self._curves = tuple(
            _ActiveCurve.of(_between(columns, since, end), counted, policy, self._span)
            for columns, counted in zip(account.columns, account.counted, strict=True)
        )
        self._events = {
            identity: [event for event in events if event.type == CREATED or since <= event.instant < end]
            for identity, events in account.events.items()
        }
        self._numbers_of: dict[int, Adopted] = {}  # identity -> differences
        self._identities: dict[int, list[int]] = defaultdict(list)  # difference -> identities
        for identity, events in self._events.items():
            self._numbers_of[identity] = numbers.intersection(k for event in events for k in event.numbers)
            for number in self._numbers_of[identity]:
                self._identities[number].append(identity)
        self._spans: dict[tuple[int, int, Adopted], list[tuple[int, int]]] = {}
        self._prices: dict[int, PeakAndAmount] = {}

    @classmethod
    def of_account(cls, account: AccountDiff, billing: AccountBilling) -> list[CycleImpact]:
        """The cycles of an account that its differences can change, in order."""
        reached: dict[int, set[int]] = defaultdict(set)
        for events in account.events.values():
            # The type of an identity affects everything that it ever did.
            timeless = {k for e in events if e.type == CREATED for k in e.numbers} if _any_standard(events) else set()
            for event in events:
                if event.type < CREATED and (numbers := timeless.union(event.numbers)):
                    for index in billing.cycles_reached(event.instant):
                        reached[index] |= numbers
        return [cls(account, billing, index, frozenset(reached[index])) for index in sorted(reached)]

    def price(self, peak: int) -> PeakAndAmount:
        """A peak with the amount that it costs. Raises `NotPriced`."""
        if peak not in self._prices:
            plan, discount = self._terms.plan, self._terms.discount
            amount = None if plan is None else lines(plan.price(peak), plan, discount)[1]
            self._prices[peak] = PeakAndAmount(peak, amount)
        return self._prices[peak]

    def peak(self, base: int, adopted: Adopted = _NOTHING) -> int:
        """The peak by one source, with some differences adopted from the other."""
        steps: dict[int, int] = defaultdict(int)
        for identity in {identity for number in adopted for identity in self._identities[number]}:
            before = self._active_spans(identity, base, _NOTHING)
            after = self._active_spans(identity, base, adopted & self._numbers_of[identity])
            if after != before:
                for spans, change in ((before, -1), (after, 1)):
                    for start, end in spans:
                        steps[start] += change
                        steps[end] -= change
        return self._curves[base].highest(steps)

    def _active_spans(self, identity: int, base: int, adopted: Adopted) -> list[tuple[int, int]]:
        """When an identity is active within the cycle."""
        key = identity, base, adopted
        if key not in self._spans:
            events = [event for event in self._events[identity] if event.happened(base, adopted)]
            created = [event for event in events if event.type == CREATED]
            # Of two types the first counts, and what a source has itself comes before what it adopts.
            created.sort(key=lambda event: event.presence.side not in (base, BOTH))
            history = sorted((event.instant, event.type) for event in events if event.type < CREATED)
            spans = [] if _any_standard(created[:1]) else spans_of(history, self._policy)
            self._spans[key] = list(_clip(spans, *self._span))
        return self._spans[key]


def _any_standard(events: Iterable[PossibleEvent]) -> bool:
    return any(event.standard for event in events)


def _clip(spans: Iterable[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    for since, until in spans:
        if since < end and start < until:
            yield max(since, start), min(until, end)


def _between(columns: Columns, since: int, until: int) -> Columns:
    first, end = np.searchsorted(columns.instants, (since, until)).tolist()
    return columns.part(first, end)


@dataclass(frozen=True, slots=True)
class _ActiveCurve:
    """How many identities are active: `counts[k]` from `at[k]` on; the last of `at` is the end of the cycle."""

    at: Int64
    counts: Int64

    @classmethod
    def of(cls, columns: Columns, counted: Bool, policy: ActivityPolicy, span: tuple[int, int]) -> _ActiveCurve:
        """The curve of a cycle, from the events that can matter to it, in order of time."""
        start, end = span
        identities, codes = np.unique(columns.identities, return_inverse=True)
        walk = Walk(policy)
        walk.feed(Columns(codes.astype(np.int32), columns.types, columns.instants), len(identities))
        found = walk.intervals()
        inside = (found.starts < end) & (found.ends > start) & counted[identities][found.identities]
        starts, ends = np.maximum(found.starts[inside], start), np.minimum(found.ends[inside], end)
        at = np.unique(np.concatenate([starts, ends, [start, end]]))
        steps = np.zeros(len(at), np.int64)
        np.add.at(steps, np.searchsorted(at, starts), 1)
        np.add.at(steps, np.searchsorted(at, ends), -1)
        return cls(at, np.cumsum(steps)[:-1])

    def highest(self, steps: dict[int, int]) -> int:
        """The highest count after some steps up and down, by instant, are added to the curve."""
        if not steps:
            return int(self.counts.max())
        highest = level = 0
        since = int(self.at[0])
        for until in sorted({*steps, int(self.at[-1])}):
            if since < until:
                first = np.searchsorted(self.at, since, "right") - 1
                highest = max(highest, level + int(self.counts[first : np.searchsorted(self.at, until)].max()))
            level += steps.get(until, 0)
            since = until
        return highest
