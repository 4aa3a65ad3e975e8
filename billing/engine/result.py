"""The verbs: read, intervals, peaks, draft, explain.

Every door calls these and adds only parsing and printing. A verb takes a source: events that were
read, a path, folder or glob, `-`, a table with `__arrow_c_stream__`, or a ledger. Parquet files
without event ids are answered as they are read, without keeping their events; of a ledger only what
can matter to the cycles asked for is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from ..config.terms import version_of
from ..core.activity import ActivityPolicy, OutOfOrder
from ..core.cycle import Cycle, micros, moment, zone_rules_version
from ..core.errors import BadCycle, BadLedger, BadSource, UnknownAccount, quoted
from ..core.event import Columns, Events
from ..core.evidence import Evidence, evidence
from ..core.invoice import Basis, Invoice
from ..core.sweep import Peak
from ..core.terms import AllTerms, Terms, TermsHistory, TermsVersion
from ..core.usage import Credits
from ..inputs import source as sources
from ..inputs.rows import HowToRead
from ..ledger.address import is_address, open_ledger
from ..ledger.ledger import Ledger
from .pipeline import Activity, Meter, billed, credits, draft, peaks, priced, run, swept
from .query import Question, Wanted

Bill = TypeVar("Bill", Peak, Invoice, Credits)


class OfCycle(Protocol):
    """Anything about one cycle of one account."""

    @property
    def account_id(self) -> str:
        """The account."""

    @property
    def cycle(self) -> Cycle:
        """The cycle."""


@contextmanager
def opened(source: Any) -> Iterator[Any]:
    """The source itself; where it is the address of a ledger, that ledger, for as long as it is needed."""
    if not is_address(source):
        yield source
        return
    ledger = open_ledger(source)
    try:
        yield ledger
    finally:
        ledger.close()


def read(source: Any, reading: HowToRead | None = None) -> Events:
    """All events of a source, settled: repeats, conflicts and voided ones taken out."""
    if isinstance(source, Ledger):
        reading = reading or HowToRead()
        return source.read(position=position_of(source, reading), ids=True, details=reading.details)
    if reading is not None and reading.position is not None:
        raise BadSource("position_needs_ledger", field="position")
    return source if isinstance(source, Events) else sources.read(source, reading)


def read_for(source: Any, questions: Sequence[Question], reading: HowToRead | None = None) -> Events:
    """The events of a source that can matter to some questions, read once for all of them."""
    reading = reading or HowToRead()
    details = any(question.details for question in questions)
    if not isinstance(source, Ledger):
        return read(source, replace(reading, details=details))
    wanted = [Wanted(plain) for question in questions for plain in _plain(question)]

    def span_of(account_id: str) -> tuple[int, int] | None:
        spans = [span for each in wanted if (span := each(account_id)) is not None]
        return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None

    return source.read(span_of, position=position_of(source, reading), details=details)


def _plain(question: Question) -> list[Question]:
    """The question under each version of its terms."""
    history = question.terms
    if isinstance(history, AllTerms):
        return [question]
    versions = [history.with_cycles_of_the_newest(version) for version in history.versions]
    return [replace(question, terms=terms) for terms in versions or [AllTerms()]]


def position_of(ledger: Ledger, reading: HowToRead) -> int:
    """The position of a ledger that is asked for: one that was given, that of an instant, or its end."""
    return ledger.head(position=reading.position, known_at=reading.known_at).position


def terms_in(ledger: Ledger, reading: HowToRead | None = None) -> TermsHistory:
    """The terms that a ledger holds, as they were known at the position asked for."""
    documents = ledger.documents("terms", position=position_of(ledger, reading or HowToRead()))
    versions = []
    for document in documents:
        try:
            versions.append(version_of(json.loads(document.content)))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):  # somebody changed it
            detail = f"the terms at position {document.position} cannot be read"
            raise BadLedger("ledger_damaged", ledger.name, detail=detail) from None
    return TermsHistory(tuple(versions))


@dataclass(frozen=True, slots=True)
class Part:
    """What was computed under one version of the terms, or under the only terms there are."""

    found: Activity
    question: Question
    events: Events | None
    version: TermsVersion | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source answers to a question.

    A ledger may hold several versions of the terms; each cycle is computed under the one that is in
    force at its start.
    """

    parts: tuple[Part, ...]
    history: TermsHistory | None = None

    @property
    def found(self) -> Activity:
        """What the source said, under the newest terms."""
        return self.parts[-1].found

    def peaks(self, *, curves: bool = False) -> list[Peak]:
        """The peak of every account and cycle asked for, by account and cycle."""
        return [row for row, _ in self._rows(lambda p: peaks(p.found, p.question, curves=curves))]

    def drafts(self) -> list[Invoice]:
        """The invoice of every account and cycle asked for, by account and cycle, as a draft."""
        return [drafted for drafted, _ in self._rows(lambda p: draft(p.found, p.question, p.version))]

    def credits(self) -> list[Credits]:
        """Calls and the credits they cost, by account, cycle and action; only where the question asked for `calls`."""
        return [row for row, _ in self._rows(lambda p: credits(p.found, p.question))]

    def evidence(self) -> list[Evidence]:
        """The evidence for every peak, as `drafts` has them; only where the question asked for `ids`."""
        return [_evidence(part, row) for row, part in self._rows(lambda p: peaks(p.found, p.question))]

    def part_of(self, row: OfCycle) -> Part:
        """What was computed under the terms that a cycle is billed by."""
        return next(part for part in self.parts if self._in_force(part, row))

    def terms_of(self, row: OfCycle) -> Terms:
        """The terms that a cycle is billed by."""
        return self.part_of(row).question.all_terms.of(row.account_id)

    def credits_used(self, rows: Iterable[Peak]) -> dict[tuple[str, int], Decimal]:
        """The credits used in some cycles, by account and start; without those of accounts that do not pay for them."""
        used: dict[tuple[str, int], Decimal] = {}
        rows = list(rows)
        for part in self.parts:
            if part.question.all_terms.prices_credits:
                own = [row for row in rows if self._in_force(part, row)]
                meter = Meter(part.found, part.question, own)
                used |= {(row.account_id, row.start): found for row in own if (found := meter.of(row)) is not None}
        return used

    def basis_of(self, row: OfCycle) -> Basis:
        """What a cycle was computed from, as its invoice names it."""
        part = self.part_of(row)
        found, version = part.found, part.version
        count = int(found.accepted[found.names.accounts.to_pylist().index(row.account_id)])
        number = None if version is None else version.number
        return Basis(count, found.position, found.digest, zone_rules_version(), number)

    def _rows(self, rows_of: Callable[[Part], Iterable[Bill]]) -> list[tuple[Bill, Part]]:
        found = [(row, part) for part in self.parts for row in rows_of(part) if self._in_force(part, row)]
        return sorted(found, key=lambda r: (r[0].account_id, r[0].cycle)) if len(self.parts) > 1 else found

    def _in_force(self, part: Part, row: OfCycle) -> bool:
        return self.history is None or self.history.in_force(micros(row.cycle.start)) is part.version


def answer(source: Any, question: Question, reading: HowToRead | None = None, *, known: Sequence[Part] = ()) -> Answer:
    """What a source answers to a question.

    `known` are parts of answers of the same events to the same question under other terms, whose
    activity may be the same.
    """
    history = question.terms if isinstance(question.terms, TermsHistory) else None
    # What one version needs to know is there for all, so that they can share what was computed.
    question = replace(question, calls=question.details)
    if history is None or not history.versions:
        plain = question if history is None else replace(question, terms=AllTerms())
        same = next((p for p in known if p.question.all_terms.same_activity(plain.all_terms)), None)
        found, events = (same.found, same.events) if same else _activity_of(source, plain, reading)
        return Answer((Part(found, plain, events),))
    parts: list[Part] = []
    for version in history.versions:
        terms = history.with_cycles_of_the_newest(version)
        same = next((p for p in (*known, *parts) if p.question.all_terms.same_activity(terms)), None)
        asked = replace(question, terms=terms)
        found, events = (same.found, same.events) if same else _activity_of(source, asked, reading)
        parts.append(Part(found, asked, events, version))
    return Answer(tuple(parts), history)


def activity(source: Any, question: Question, reading: HowToRead | None = None) -> Activity:
    """The state machine run over a source. Raises `BadSource` for one that cannot be used."""
    return _activity_of(source, question, reading)[0]


def _activity_of(source: Any, question: Question, reading: HowToRead | None) -> tuple[Activity, Events | None]:
    reading = reading or HowToRead()
    if isinstance(source, Ledger):
        position = position_of(source, reading)
        events = source.read(Wanted(question), position=position, ids=question.ids, details=question.details)
    elif _can_stream(source, question, reading):
        return _streamed(source, question, reading), None
    else:
        events = read(source, replace(reading, details=question.details))
    return run(events, [events.columns.in_order_of_time()], question), events


def _can_stream(source: Any, question: Question, reading: HowToRead) -> bool:
    kept = reading.digest or question.ids or question.details
    return not kept and not isinstance(source, Events) and sources.streams(source)


def _streamed(source: Any, question: Question, reading: HowToRead) -> Activity:
    if reading.position is not None:
        raise BadSource("position_needs_ledger", field="position")
    stream = sources.Stream(source, reading)
    if sources.may_be_in_order(source):
        try:
            return run(stream, stream, question)
        except OutOfOrder:
            stream = sources.Stream(source, reading)
    return run(stream, [Columns.joined(list(stream)).in_order_of_time()], question)


def draft_cycle(ledger: Ledger, accounts: Sequence[str], cycle: Cycle, terms: AllTerms, position: int) -> list[Invoice]:
    """The invoices of some accounts for one cycle, wherever its bounds lie, as known at a position."""
    start, end = micros(cycle.start), micros(cycle.end)
    question = Question(terms=terms, accounts=tuple(accounts))

    def wanted(account_id: str) -> tuple[int, int] | None:
        asked = account_id in question.accounts
        return (start - question.policy_of(account_id).longest_window, end) if asked else None

    events = ledger.read(wanted, position=position, details=question.details)
    found = run(events, [events.columns.in_order_of_time()], question)
    names = found.names.accounts.to_pylist()
    codes = billed(found, names, question)
    rows = swept(found, names, codes, [([start - 1, start, end], [cycle])] * len(codes))
    return list(priced(rows, found, question, None))


def idle(
    answered: Answer, source: Any, question: Question, reading: HowToRead | None = None
) -> Iterator[tuple[Peak, int]]:
    """The peaks of 0 that came after one that was not, with that one: perhaps events no longer arrive."""
    rows = answered.peaks()
    zeros = [row for row in rows if not row.peak]
    if not isinstance(source, Ledger):
        yield from ((row, row.before) for row in zeros if row.before)
        return
    # Of a ledger, what came before the cycles asked for was not read.
    before = {(row.account_id, row.end): row.peak for row in rows}
    unknown: dict[str, list[Peak]] = {}
    for row in zeros:
        if (row.account_id, row.start) not in before:
            rule = answered.part_of(row).question.all_terms.of(row.account_id).cycles
            unknown.setdefault(rule.at(moment(row.start - 1)).name, []).append(row)
    for month, some in unknown.items():
        accounts = tuple(row.account_id for row in some)
        earlier = answer(source, replace(question, first=month, last=month, accounts=accounts), reading)
        before |= {(row.account_id, row.end): row.peak for row in earlier.peaks()}
    yield from ((row, before[key]) for row in zeros if before.get(key := (row.account_id, row.start)))


def account_of(found: Activity, question: Question) -> str:
    """The account that is asked for, or the only one there is. Raises `BadSource`, `UnknownAccount`."""
    names = found.names.accounts.to_pylist()
    present = [name for code, name in enumerate(names) if found.accepted[code]]
    if not present:
        raise BadSource("nothing_accepted")
    if not question.accounts and len(present) > 1:
        raise UnknownAccount("account_needed", known=", ".join(sorted(present)[:5]) + (", ..." if present[5:] else ""))
    return (question.accounts or present)[0]


def explain(source: Any, question: Question, reading: HowToRead | None = None) -> tuple[Evidence, Answer]:
    """The evidence for the peak of one account in one cycle, and the answer that it is a part of.

    The account may be left out where there is only one, the cycle (`first`) for that of the highest
    peak. Raises `UnknownAccount`, and `BadCycle` where no cycle of the account starts in that month.
    """
    answered = answer(source, replace(question, last=question.first, ids=True), reading)
    account = account_of(answered.found, question)
    rows = answered.peaks()
    if not rows:
        raise BadCycle("cycle_none", got=question.first, account=quoted(account))
    row = max(rows, key=lambda r: r.peak)  # the first of the highest
    return _evidence(answered.part_of(row), row), answered


def explain_cycle(ledger: Ledger, account_id: str, cycle: Cycle, policy: ActivityPolicy, position: int) -> Evidence:
    """The evidence for one cycle of an account, wherever its bounds lie, as known at a position."""
    question = Question(accounts=(account_id,), policy=policy, ids=True)
    events = ledger.read(Wanted(question), position=position, ids=True)
    found = run(events, [events.columns.in_order_of_time()], question)
    names = found.names.accounts.to_pylist()
    start, end = micros(cycle.start), micros(cycle.end)
    rows = swept(found, names, billed(found, names, question), [([start - 1, start, end], [cycle])])
    return _evidence(Part(found, question, events), next(iter(rows)))


def _evidence(part: Part, row: Peak) -> Evidence:
    events, found = part.events, part.found
    assert events is not None, "evidence names events, so they were kept"
    own = events.names.account_of == events.names.accounts.to_pylist().index(row.account_id)
    mask = (own & ~events.names.standard)[events.columns.identities]
    if part.question.as_of is not None:
        mask &= events.columns.instants < part.question.as_of
    return evidence(
        events.columns.where(mask),
        found.intervals.at(own[found.intervals.identities]),
        account_id=row.account_id,
        identities=events.names.identities,
        event_ids=None if events.event_ids is None else events.event_ids.filter(mask),
        cycle=row.cycle,
        span=(row.start, row.end),
        peak=row.peak,
        peak_at=row.peak_at,
        policy=part.question.policy_of(row.account_id),
    )
