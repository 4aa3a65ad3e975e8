"""Restatements: an issued invoice compared with the same cycle computed again.

What was issued never changes. If late events change the amount of a cycle, one more document, a credit
note or a supplementary invoice, settles the difference, so that the invoice and its notes together
always equal a fresh draft under the terms that the cycle was billed by.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import numpy as np

from ..core.activity import ActivityPolicy, Intervals
from ..core.catalogue import Catalogue
from ..core.cycle import Cycle, micros
from ..core.event import CALLED, CONNECTED, DELETED, TYPES, Events
from ..core.invoice import Invoice, Line
from ..core.money import Money
from ..core.usage import Calls, credits_of

_EVER = (-(1 << 62), 1 << 62)


@dataclass(frozen=True, slots=True)
class Billed:
    """What has been issued for an account's cycle: its invoice, and the notes on it.

    `numbers` begin with that of the invoice. `total` is the sum of all documents; `peak`, `position`,
    `terms_version` and `credits` (none where credits are not paid for) are those of the latest.
    """

    account_id: str
    cycle: Cycle
    numbers: tuple[str, ...]
    peak: int
    total: Money
    position: int
    terms_version: int
    credits: Decimal | None = None

    @property
    def span(self) -> tuple[int, int]:
        """The cycle, `[start, end)` in microseconds."""
        return micros(self.cycle.start), micros(self.cycle.end)


@dataclass(frozen=True, slots=True)
class LateEvent:
    """An event that came after a document was drafted and changes what it states.

    `voids` names the event that an `event.voided` takes back; instants are microseconds.
    """

    position: int
    event_id: str
    identity_id: str
    type: str
    occurred_at: int
    recorded_at: int
    voids: str | None = None


@dataclass(frozen=True, slots=True)
class Restatement:
    """What was billed for a cycle, a `fresh` draft of it as it would be now, and the late events between.

    `now_active` and `no_longer_active` name the identities whose activity within the cycle grew or
    shrank, `credits_changed` those whose calls cost other credits than before, where credits are paid
    for; `events` are the late events about any of them.
    """

    billed: Billed
    fresh: Invoice
    now_active: tuple[str, ...] = ()
    no_longer_active: tuple[str, ...] = ()
    events: tuple[LateEvent, ...] = ()
    credits_changed: tuple[str, ...] = ()

    @property
    def difference(self) -> Money:
        """What is still to be paid, or given back."""
        return self.fresh.total + -self.billed.total

    @property
    def kind(self) -> Literal["supplementary_invoice", "credit_note"]:
        """The document that settles the difference."""
        return "supplementary_invoice" if self.difference.amount > 0 else "credit_note"

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of the cycle as it is now, less what was billed already; they add up to the difference."""
        already = f"Already billed by {', '.join(self.billed.numbers)}"
        return (*self.fresh.lines, Line("billed", already, None, None, (-self.billed.total).amount))


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A document of an account, and the account's balance after it: the sum of all documents so far.

    `issued_at` is microseconds.
    """

    account_id: str
    cycle: Cycle
    number: str
    kind: str
    issued_at: int
    total: Money
    balance: Money


def affected_span(event_type: str, occurred_at: int, policy: ActivityPolicy) -> tuple[int, int]:
    """The span `[start, end)` within which an event can change who is active, however late it comes.

    A connect, an action and a deletion at t change nothing outside `[t, t + L)`, L being the longest
    window. A type can change everything its identity ever did.
    """
    if event_type in (TYPES[CONNECTED], TYPES[CALLED], TYPES[DELETED]):
        return occurred_at, occurred_at + policy.longest_window
    return _EVER


def activity_changes(
    before: tuple[Intervals, Events], after: tuple[Intervals, Events], start: int, end: int
) -> tuple[set[str], set[str]]:
    """The identities whose activity within `[start, end)` grew, and those whose activity shrank.

    Both pairs are of one account; an identity whose activity only moved is in both.
    """
    old, new = (_within(*each, start, end) for each in (before, after))
    grew = {identity for identity, spans in new.items() if not _covered(spans, old.get(identity, []))}
    shrank = {identity for identity, spans in old.items() if not _covered(spans, new.get(identity, []))}
    return grew, shrank


def credit_changes(before: Events, after: Events, span: tuple[int, int], catalogue: Catalogue) -> set[str]:
    """The identities whose calls in a cycle, `[start, end)`, cost other credits than before.

    Both are events of one account, read with the details of calls.
    """
    old, new = (_credits(events, span, catalogue) for events in (before, after))
    return {identity for identity in {*old, *new} if old.get(identity, 0) != new.get(identity, 0)}


def _credits(events: Events, span: tuple[int, int], catalogue: Catalogue) -> dict[str, Decimal]:
    calls = Calls.of(events, by_identity=True)
    codes = np.unique(calls.group_codes).tolist()
    found = credits_of(calls, [(code, span) for code in codes], catalogue)
    return {events.names.identities[codes[place]].as_py(): cost for place, cost in found.items()}


def _within(intervals: Intervals, events: Events, start: int, end: int) -> dict[str, list[tuple[int, int]]]:
    inside = intervals.at((intervals.starts < end) & (intervals.ends > start))
    spans: dict[str, list[tuple[int, int]]] = {}
    for code, since, until in zip(inside.identities, inside.starts, inside.ends, strict=True):
        name = events.names.identities[int(code)].as_py()
        spans.setdefault(name, []).append((max(int(since), start), min(int(until), end)))
    return spans


def _covered(spans: list[tuple[int, int]], by: list[tuple[int, int]]) -> bool:
    """Whether maximal spans lie within others."""
    return all(any(start <= since and until <= end for start, end in by) for since, until in spans)
