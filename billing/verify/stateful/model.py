"""The model that the machine compares a ledger with: plain lists, and every result computed from all events.

It follows the definition word by word, keeps no index, prunes nothing and caches no result. It shares
with the engine only what has nothing to do with ledgers: the calendar of cycles and the types of terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from ...core.terms import AllTerms
from .. import definition
from ..audit import expected
from ..definition import DAY, Event
from ..strategies import Span

#: How far the clock of a source may be ahead of the ledger's.
SKEW = 5 * 60 * 1_000_000
#: The grace period: how long after its end a cycle is closed.
GRACE_PERIOD = DAY


class CycleBill(NamedTuple):
    """What an account owes for a cycle, under a version of the terms."""

    account_id: str
    month: str
    span: Span
    version: int
    peak: int
    peak_at: int | None
    total: Decimal
    currency: str


class Issued(NamedTuple):
    """A numbered document: its own total, and the whole bill of the cycle when it was issued."""

    number: str
    kind: str
    refers_to: str | None
    bill: CycleBill
    total: Decimal


@dataclass
class Model:
    """What a ledger must hold. Each method does what the ledger is asked to do, and returns the expected result."""

    entries: list[Event] = field(default_factory=list)
    conflicts: set[tuple[Event, Event]] = field(default_factory=set)
    versions: list[tuple[int | None, AllTerms]] = field(default_factory=list)
    issued: list[Issued] = field(default_factory=list)
    recorded_at: int = 0

    def append(self, event: Event, now: int, recorded_at: int | None) -> str:
        """`accepted`, `duplicate`, or the code with which the event is rejected."""
        when = max(now, self.recorded_at) if recorded_at is None else recorded_at
        own = self.own(event.account_id)
        known = [e for e in own if e.event_id == event.event_id]
        if known:
            return "duplicate" if known == [event] else self._conflict("id_conflict", event, known[0], now, when)
        if when < self.recorded_at:
            return "recorded_at_backwards"
        if not self._plausible_time(now, when):
            return "recorded_at_future"
        voids = {e.event_id for e in own if e.type == "event.voided"}
        if event.type == "event.voided" and event.voids in {*voids, event.event_id}:
            return "void_of_void"
        mistakes = {e.voids for e in own if e.type == "event.voided"}
        if event.type == "identity.created" and event.event_id not in mistakes:
            creations = [e for e in own if (e.type, e.identity_id) == (event.type, event.identity_id)]
            others = [e for e in creations if e.event_id not in mistakes and e.identity_type != event.identity_type]
            if others:
                return self._conflict("identity_type_conflict", event, others[0], now, when)
        self.entries.append(event)
        self.recorded_at = when
        return "accepted"

    def add_terms(self, terms: AllTerms, since: int | None, now: int) -> str | None:
        """The code with which terms are refused; none if they are the newest now."""
        if self.versions and terms == self.newest:
            return None
        billed = {i.bill.account_id for i in self.issued}
        if any(terms.of(account).cycles != self.newest.of(account).cycles for account in billed):
            return "cycle_rule_change"
        self.versions.append((since, terms))
        self.recorded_at = max(now, self.recorded_at)
        return None

    def close(self, month: str, now: int) -> list[Issued]:
        """The invoices of a month's cycles that are over, of accounts that had an event before the end."""
        closed = {(i.bill.account_id, i.bill.span) for i in self.issued}
        return [
            self._issue("invoice", None, bill, bill.total)
            for bill in self.drafts(month)
            if bill.span[1] + GRACE_PERIOD <= now
            and (bill.account_id, bill.span) not in closed
            and any(e.occurred_at < bill.span[1] for e in definition.happened(self.own(bill.account_id)))
        ]

    def restate(self, accounts: Sequence[str] = (), month: str | None = None) -> list[Issued]:
        """The notes after which each issued cycle totals what a draft under its version of the terms does."""
        notes = []
        originals = [i for i in self.issued if i.kind == "invoice"]
        for number, _, _, before, _ in sorted(originals, key=lambda i: (i.bill.account_id, i.bill.span)):
            if (accounts and before.account_id not in accounts) or month not in (None, before.month):
                continue
            bill = self.bill(before.account_id, before.month, before.span, before.version)
            difference = bill.total - sum(i.total for i in self.issued if i.bill[:3] == bill[:3])
            if difference:
                kind = "supplementary_invoice" if difference > 0 else "credit_note"
                notes.append(self._issue(kind, number, bill, difference))
        return notes

    def drafts(self, *months: str) -> list[CycleBill]:
        """The bills of some months' cycles, for each account that has an entry."""
        return [
            self.bill(account, month, self.cycle(account, month))
            for account in sorted({e.account_id for e in self.entries})
            for month in months
        ]

    def bill(self, account_id: str, month: str, span: Span, version: int | None = None) -> CycleBill:
        """What an account owes for a cycle, under `version` of the terms or the one in force at its start."""
        number = self._in_force(span[0]) if version is None else version
        terms = self.versions[number - 1][1].of(account_id)
        peak, peak_at, total = expected.invoice(self.own(account_id), *span, terms)
        assert terms.plan is not None and total is not None, "only terms with a plan can be billed"
        return CycleBill(account_id, month, span, number, peak, peak_at, total, terms.plan.currency)

    def balances(self) -> dict[tuple[str, str], Decimal]:
        """The sum of the totals of all documents, by account and currency."""
        owed: dict[tuple[str, str], Decimal] = {}
        for *_, bill, total in self.issued:
            key = bill.account_id, bill.currency
            owed[key] = owed.get(key, Decimal(0)) + total
        return owed

    def own(self, account_id: str) -> list[Event]:
        """The events of an account."""
        return [e for e in self.entries if e.account_id == account_id]

    def cycle(self, account_id: str, month: str) -> Span:
        """The cycle of an account that starts in a month."""
        rule = self.newest.of(account_id).cycles
        k = rule.index_from(month)
        return rule.bound(k), rule.bound(k + 1)

    @property
    def newest(self) -> AllTerms:
        """The terms added last."""
        return self.versions[-1][1]

    def _in_force(self, start: int) -> int:
        started = [(since or 0, number) for number, (since, _) in enumerate(self.versions, 1) if (since or 0) <= start]
        return max(started)[1]

    def _plausible_time(self, now: int, when: int) -> bool:
        return self.recorded_at <= when <= max(now + SKEW, self.recorded_at)

    def _conflict(self, code: str, event: Event, first: Event, now: int, when: int) -> str:
        """A conflict is recorded once, with its time if that is plausible."""
        if (event, first) not in self.conflicts and self._plausible_time(now, when):
            self.recorded_at = when
        self.conflicts.add((event, first))
        return code

    def _issue(self, kind: str, refers_to: str | None, bill: CycleBill, total: Decimal) -> Issued:
        series = "CN" if kind == "credit_note" else "INV"
        count = sum(i.number.startswith(series) for i in self.issued)
        self.issued.append(Issued(f"{series}-{count + 1:06}", kind, refers_to, bill, total))
        return self.issued[-1]
