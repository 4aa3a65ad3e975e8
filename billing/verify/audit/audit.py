"""Bills computed again by the definition: those of the engine, those a ledger has issued, and any invoice.

Small accounts are looked at in full, cycle by cycle and at every instant; of large ones the count is
taken at the instant of each peak, where it must be just that, and at some others, where it must not be
higher. Whatever differs is shown with the smallest part of the events that still shows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

import numpy as np

from ... import engine
from ...core.activity import ActivityPolicy
from ...core.cycle import micros, text_of, zone_rules_version
from ...core.event import CREATED, TYPES, Events
from ...core.invoice import Invoice
from ...core.sweep import Peak
from ...core.terms import AllTerms, Terms, TermsHistory
from ...engine.pipeline import Activity
from ...engine.query import Query
from ...inputs.rows import ReadOptions
from ...invoicing.document import parse, policy_content
from ...ledger.entry import ISSUED
from ...ledger.ledger import Ledger
from ...ledger.verify import Finding
from ...ledger.verify import verify as verify_ledger
from .. import definition
from ..definition import Event
from . import expected
from .claims import Claim, Discrepancy, moment_text, span_text
from .events import Told, bare, event_of
from .minimize import evidence, shrunk

#: The types that make or end activity.
ACTIVITY: Final = TYPES[:CREATED]
#: Whose bills are those that are computed now.
ENGINE: Final = "the engine"
#: How many steps the definition may take over accounts that are looked at in full: about a minute.
STEPS_MAX: Final = 500_000_000
#: How many events are looked at for the sample of one account, and at how many instants beside each peak.
SAMPLE_EVENTS_MAX: Final = 2_000_000
INSTANTS: Final = 10


@dataclass(slots=True)
class Audit:
    """What was looked at, and what differs: `discrepancies` of bills, `findings` of a ledger itself.

    `found` is what the engine made of the source, where it was asked.
    """

    full: list[str] = field(default_factory=list)
    sampled: dict[str, int] = field(default_factory=dict)
    bills: int = 0
    documents: int = 0
    unpriced: int = 0
    discrepancies: list[Discrepancy] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    found: Activity | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not self.discrepancies and not self.findings


def audit(
    source: Any,
    query: Query,
    options: ReadOptions | None = None,
    *,
    everything: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Audit:
    """Compute again all bills that a source answers a question with, and all that a ledger has issued.

    With `everything`, large accounts are looked at in full too, which takes time with the square of
    their events. `progress` is told how many events were looked at. Raises what reading raises.
    """
    options = options or ReadOptions()
    auditing = _Auditing(source, query, options, everything)
    result = engine.answer(source, query, options)
    auditing.result.found = result.found
    rows: Sequence[Peak | Invoice] = result.peaks()
    if all(result.terms_of(row).plan for row in rows):
        rows = result.drafts()
    by_account: dict[str, list[Claim]] = {account: [] for account in auditing.told.accounts}
    for row in rows:
        claim = _claim(row, _policed(result.terms_of(row), query))
        by_account.setdefault(claim.account_id, []).append(claim)
    for account, claims in by_account.items():
        if query.accounts and account not in query.accounts:
            continue
        auditing.bills_of(account, claims)
        if progress:
            progress(auditing.told.accounts.get(account, 0))
    if isinstance(source, Ledger):
        auditing.documents_of(source)
        auditing.result.findings += verify_ledger(source)
    return auditing.result


def audit_invoices(source: Any, invoices: Sequence[dict[str, Any]], query: Query, options: ReadOptions) -> Audit:
    """Compute invoices again, given as they are written in JSON, from a source and under given terms.

    Where the source is a ledger, each is held against what the ledger held at the position it names.
    Without a plan in the terms, an invoice is taken at its word for policy and cycle, and its prices are
    not looked up. Raises one of `UNREADABLE` for what is no invoice.
    """
    auditing = _Auditing(source, query, options, everything=True)
    for content in invoices:
        auditing.document(content)
    return auditing.result


#: What is raised by a document that is none.
UNREADABLE: Final = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError)


def unreadable(error: Exception) -> str:
    """Why a document could not be read, in words."""
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")


class _Auditing:
    """One audit under way."""

    def __init__(self, source: Any, query: Query, options: ReadOptions, everything: bool) -> None:
        self.told = Told(source, options)
        self.result = Audit()
        self._source = source
        self._query = query
        self._options = options
        self._in_full = set(self.told.accounts) if everything else _small(self.told.accounts)
        self._covers: dict[tuple[Any, ...], list[tuple[str, int, int]]] = {}

    def bills_of(self, account: str, claims: Sequence[Claim]) -> None:
        """Hold the engine's bills of one account against the definition."""
        self.result.bills += len(claims)
        for claim in claims:
            self._compare_cycle(claim)
        if account in self._in_full:
            self.result.full.append(account)
            events = self.told.events(account, as_of=self._query.as_of)
            for claim in claims:
                self._compare(claim, events, seen=lambda: self._seen(account))
            self._complete(account, events, claims)
            if isinstance(self._source, Ledger):
                self._compare_events(account, events)
        else:
            self.result.sampled[account] = sum(1 for _ in self._sample(claims))

    def documents_of(self, ledger: Ledger) -> None:
        """Hold every document that a ledger has issued against its entries up to the position it names."""
        for document in ledger.documents(*ISSUED):
            if self._query.accounts and document.account_id not in self._query.accounts:
                continue
            try:
                self.document(json.loads(document.content))
            except UNREADABLE as error:  # somebody changed it
                where, detail = f"{ledger.name}: {document.number}", unreadable(error)
                self.result.findings.append(Finding("invoice_unreadable", where, {"detail": detail}))

    def document(self, content: Any) -> None:
        """Compare one document, invoice or note, with what it was drafted from."""
        self.result.documents += 1
        document = parse(content)
        invoice, total = document.invoice, document.invoice.total.amount
        basis = invoice.basis
        start, end = micros(invoice.cycle.start), micros(invoice.cycle.end)
        terms = self._terms_of(invoice, start)
        peak_at = None if invoice.peak_at is None else micros(invoice.peak_at)
        claim = Claim(
            invoice.number or "the draft", invoice.account_id, start, end, invoice.peak, peak_at,
            document.cycle_total.amount, terms,
        )  # fmt: skip
        lines = sum((line.amount for line in invoice.lines), Decimal(0))
        if lines != total:
            self._add(Discrepancy(claim, "sum of lines", total, lines))
        if terms.plan is None:  # nobody says what was agreed: then it says so itself
            self.result.unpriced += 1
            claim = replace(claim, total=None, terms=replace(terms, policy=invoice.policy))
        elif invoice.plan_id != terms.plan.id:
            self._add(Discrepancy(claim, "plan", invoice.plan_id, terms.plan.id))
        elif invoice.policy != terms.policy:
            self._add(Discrepancy(claim, "policy", _policy_text(invoice.policy), _policy_text(terms.policy)))
        if terms.plan is not None and basis.tzdata == zone_rules_version():
            self._compare_cycle(claim)
        events = self._entries(invoice.account_id, basis.position)
        if isinstance(self._source, Ledger):
            voids = {e.event_id for e in events if e.type == "event.voided"}
            accepted = len(events) - sum(e.voids in voids for e in events)  # a void of a void is none
            if basis.events != accepted:
                self._add(Discrepancy(claim, "number of events it was drafted from", basis.events, accepted))
        self._compare(claim, events, seen=None)

    def _terms_of(self, invoice: Invoice, start: int) -> Terms:
        """The terms of a document: the version it names, or those in force at its cycle's start."""
        terms, number = self._query.terms, invoice.basis.terms_version
        if isinstance(terms, TermsHistory) and number:
            terms = terms.with_cycles_of_the_newest(terms.numbered(number))
            return terms.of(invoice.account_id)
        return self._terms_at(invoice.account_id, start)

    def _terms_at(self, account: str, instant: int) -> Terms:
        """The terms of an account that are in force at an instant."""
        terms = self._query.terms
        if isinstance(terms, TermsHistory):
            version = terms.in_force(instant)
            terms = AllTerms() if version is None else terms.with_cycles_of_the_newest(version)
        return _policed(terms.of(account), self._query)

    def _entries(self, account: str, position: int | None) -> list[Event]:
        if not isinstance(self._source, Ledger) or position is None:
            return self.told.events(account, as_of=self._query.as_of) if account in self.told.accounts else []
        pages = self._source.entries(until=position, account_id=account)
        return [event_of(entry.content) for page in pages for entry in page]

    def _compare(self, claim: Claim, events: list[Event], *, seen: Callable[[], list[Event]] | None) -> None:
        """Hold a claim against the definition on some events; `seen` gives those that the engine answers from."""
        key = (claim.account_id, len(events), claim.terms.policy)
        if key not in self._covers:
            self._covers = {key: expected.covers(events, claim.terms.policy)}  # of the account that is looked at
        used = expected.credits(events, claim.start, claim.end, claim.terms)
        right = expected.bill_of(self._covers[key], claim.start, claim.end, claim.terms, used)
        if claim.peak == right.peak and claim.total is not None and claim.total != right.total:
            self._add(Discrepancy(claim, "total", claim.total, right.total))
        if (claim.peak, claim.peak_at) == (right.peak, right.peak_at):
            return
        found = Discrepancy(claim, "peak", claim.peak, right.peak)
        if claim.peak == right.peak:
            said = moment_text(claim.peak_at), moment_text(right.peak_at)
            found = Discrepancy(claim, "instant of the peak", *said)
        if seen is not None:
            self._add(shrunk(found, seen(), events))
        else:
            self._add(replace(found, events=evidence(events, claim, right.peak_at)))

    def _compare_cycle(self, claim: Claim) -> None:
        rule = claim.terms.cycles
        bounds = expected.cycle(rule, rule.index_at(claim.start))
        if bounds != (claim.start, claim.end):
            self._add(Discrepancy(claim, "cycle", span_text(claim.start, claim.end), span_text(*bounds)))

    def _complete(self, account: str, events: list[Event], claims: Sequence[Claim]) -> None:
        """Where all cycles were asked for, nobody is active outside of those that were billed."""
        q = self._query
        if (q.first, q.last, q.as_of) != (None, None, None) or isinstance(q.terms, TermsHistory):
            return
        terms = self._terms_at(account, 0)
        for _, since, until in expected.covers(events, terms.policy):
            for instant in (since, until - 1):
                if not any(claim.start <= instant < claim.end for claim in claims):
                    span = expected.cycle(terms.cycles, terms.cycles.index_at(instant))
                    none = Claim(ENGINE, account, *span, 0, None, None, terms)
                    self._add(Discrepancy(none, "bill", "none", "one, since somebody is active"))
                    return

    def _compare_events(self, account: str, events: list[Event]) -> None:
        """A ledger's bills are read from what repeats its entries: the two must speak of the same events."""
        seen = [bare(e) for e in self._seen(account)]
        counted = [bare(e) for own in definition.billed(events).values() for e in own if e.type in ACTIVITY]
        odd = {e.event_id: e for e in {*seen} ^ {*counted}}
        differs = any(one.claim.account_id == account for one in self.result.discrepancies)
        if not odd or differs:
            return
        first = min(odd.values(), key=lambda e: (e.type not in definition.WINDOWS, e.occurred_at))
        terms = self._terms_at(account, first.occurred_at)
        cycle = expected.cycle(terms.cycles, terms.cycles.index_at(first.occurred_at))
        claim = Claim(ENGINE, account, *cycle, 0, None, None, terms)
        found = Discrepancy(claim, "number of events that bills are read from", len(seen), len(counted))
        ids = {first.event_id}
        self._add(shrunk(found, [e for e in seen if e.event_id in ids], [e for e in counted if e.event_id in ids]))

    def _sample(self, claims: Sequence[Claim]) -> Iterator[int]:
        """Look at the instant of each peak and at some others; gives each that was looked at."""
        left = SAMPLE_EVENTS_MAX
        for place in range(INSTANTS + 1):
            for claim in claims:
                instant = self._instant(claim, place)
                if instant is None or left < 0:
                    continue
                policy = claim.terms.policy
                events = self.told.between(claim.account_id, instant - policy.longest_window, instant)
                windows = expected.windows_of(policy)
                count = len(definition.active_at(events, instant, windows=windows, reconnect=policy.reconnect))
                left -= len(events)
                yield instant
                at_peak = place == 0
                if count > claim.peak or (at_peak and count != claim.peak):
                    found = Discrepancy(
                        claim, f"peak, held against the count at {text_of(instant)},", claim.peak, count
                    )
                    told = self.told.events(claim.account_id, as_of=self._query.as_of)
                    self._add(shrunk(found, self._seen(claim.account_id), told))
                if at_peak and claim.total is not None and claim.total != (right := self._total(claim)):
                    self._add(Discrepancy(claim, "total", claim.total, right))

    def _total(self, claim: Claim) -> Decimal | None:
        """What is owed for the peak that a claim states, and for the credits used in its cycle."""
        used = None
        if claim.terms.prices_credits:
            told = self.told.between(claim.account_id, claim.start, claim.end - 1)
            as_of = self._query.as_of
            told = [e for e in told if as_of is None or e.occurred_at < as_of or e.type not in ACTIVITY]
            used = expected.credits(told, claim.start, claim.end, claim.terms)
        return expected.total(claim.peak, claim.terms, used)

    def _instant(self, claim: Claim, place: int) -> int | None:
        """The instant of a peak, or one of those at which something happened in its cycle."""
        if place == 0:
            return claim.start if claim.peak_at is None else claim.peak_at
        as_of = self._query.as_of
        end = claim.end if as_of is None else min(claim.end, as_of)
        moments = self.told.instants(claim.account_id, claim.start, end)
        return int(moments[(place - 1) * len(moments) // INSTANTS]) if len(moments) else None

    def _seen(self, account: str) -> list[Event]:
        """The events that the engine answers from: those told, or those that a ledger's index names."""
        if not isinstance(self._source, Ledger):
            return self.told.events(account, as_of=self._query.as_of)
        position = engine.position_of(self._source, self._options)
        found = self._source.read(lambda name: _ALWAYS if name == account else None, position=position, ids=True)
        return _as_events(found, self._query.as_of)

    def _add(self, found: Discrepancy) -> None:
        self.result.discrepancies.append(found)


#: Every instant.
_ALWAYS: Final = (-(1 << 62), 1 << 62)


def _small(accounts: dict[str, int]) -> set[str]:
    """The accounts that are looked at in full: the smallest, as long as that does not take too many steps."""
    small, steps = set(), 0
    for account, count in sorted(accounts.items(), key=lambda item: item[1]):
        steps += 2 * count * count
        if steps > STEPS_MAX:
            break
        small.add(account)
    return small


def _as_events(found: Events, as_of: int | None) -> list[Event]:
    """The connects, actions and deletions of counted identities that a ledger answers from."""
    names, columns, ids = found.names, found.columns, found.event_ids
    assert ids is not None, "they were asked for"
    accounts, identities = names.account_names, names.identities.to_pylist()
    counted = ~names.standard[columns.identities]
    if as_of is not None:
        counted &= columns.instants < as_of
    return [
        Event(
            accounts[int(names.account_of[columns.identities[k]])],
            identities[int(columns.identities[k])],
            TYPES[columns.types[k]],
            int(columns.instants[k]),
            ids[int(k)].as_py(),
        )
        for k in np.flatnonzero(counted)
    ]


def _claim(row: Peak | Invoice, terms: Terms) -> Claim:
    if isinstance(row, Peak):
        return Claim(ENGINE, row.account_id, row.start, row.end, row.peak, row.peak_at, None, terms)
    start, end = micros(row.cycle.start), micros(row.cycle.end)
    peak_at = None if row.peak_at is None else micros(row.peak_at)
    return Claim(ENGINE, row.account_id, start, end, row.peak, peak_at, row.total.amount, terms)


def _policed(terms: Terms, query: Query) -> Terms:
    """Terms with the policy that a question overrides them with."""
    return terms if query.policy is None else replace(terms, policy=query.policy)


def _policy_text(policy: ActivityPolicy) -> str:
    return ", ".join(policy_content(policy).values())
