"""A machine that puts a ledger through random histories, and compares all it does with a model.

Each history is a few dozen steps: events come, late, again, contradicting each other or taken back;
terms change, cycles are closed and restated, a position is noted, the ledger is opened again, time
passes. Events fall on the bounds of a few cycles, a window away from them, or a microsecond beside,
where bills go wrong. A failing history shrinks to a short one. To search a ledger of your own:

    search(machine(lambda: my_empty_ledger()), histories=1_000)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from json import loads
from typing import Any, Final

import pyarrow as pa
from hypothesis import HealthCheck, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from ... import engine
from ...core.cycle import micros, text_of
from ...core.errors import BadTerms
from ...core.event import Tally
from ...engine.event_files import SCHEMA
from ...engine.query import Query
from ...inputs.rows import ReadOptions
from ...invoicing import close as closing
from ...invoicing import issue
from ...invoicing import restate as restating
from ...invoicing.document import InvoiceDocument, invoice_content, parse
from ...ledger.entry import Document, Head
from ...ledger.ledger import Ledger
from ...ledger.verify import verify
from ...outputs.tables.text import to_json
from ..audit.events import event_of
from ..definition import DAY, Event
from ..strategies import ACCOUNTS
from .model import GRACE_PERIOD, CycleBill, Issued, Model
from .strategies import BEGINNING, BOUNDS, DRAFTED, EARLIER, FEW, MINUTE, MONTHS, NEW, STARTS, TERM_NAMES, TERMS

#: How many steps a history has.
STEPS: Final = 25


class LedgerMachine(RuleBasedStateMachine):
    """Drives a ledger from `new_ledger`, and a model beside it. Hypothesis runs it: see `machine`.

    The machine sets the clock: it starts when the first cycle can be closed, at times stands still, and
    may go back a little. In the end everything is restated, and every noted position is read again.
    """

    def new_ledger(self) -> Ledger:
        """An empty ledger, for one history."""
        raise NotImplementedError("a machine drives some ledger: override new_ledger, or call machine(new_ledger)")

    def reopened(self, ledger: Ledger) -> Ledger:
        """The ledger, closed and opened again. A ledger that exists only while it is open is returned as it is."""
        return ledger

    def __init__(self) -> None:
        super().__init__()
        self.ledger = self.new_ledger()
        self.model = Model()
        self.now = self.latest = BEGINNING
        self.sent: list[Event] = []
        self.documents: list[Document] = []
        self.noted: list[tuple[Head, str]] = []

    # What happens

    @initialize(
        first=TERM_NAMES,
        then=TERM_NAMES,
        since=STARTS,
        new=st.lists(NEW, max_size=8),
        closed=st.sampled_from((0, 1, 2, 3, 3)),
    )
    def begin(self, first: str, then: str, since: int, new: list[tuple[Event, int]], closed: int) -> None:
        """Add terms, and perhaps others for later cycles; send some events, and close some cycles."""
        self._add_terms(first, None)
        self._add_terms(then, since)
        self._send(new, [], None)
        for month, end in zip(MONTHS[:closed], BOUNDS[0][1:], strict=False):
            self.now = self.latest = end + GRACE_PERIOD
            self.close(month)

    @rule(new=FEW, again=EARLIER)
    def append(self, new: list[tuple[Event, int]], again: list[int]) -> None:
        """Append new events in one batch with earlier ones, counted back from the last, which is 0."""
        self._send(new, again, None)

    @rule(new=FEW, again=EARLIER, ahead=st.sampled_from((0, 0, -MINUTE, MINUTE, 6 * MINUTE)))
    def append_recorded(self, new: list[tuple[Event, int]], again: list[int], ahead: int) -> None:
        """The same, with events recorded elsewhere, by a clock that is ahead of ours or behind."""
        self._send(new, again, self.now + ahead)

    @precondition(lambda self: self.sent)
    @rule(back=st.integers(0, 20))
    def void(self, back: int) -> None:
        """Void an earlier event, counted back from the last: it may be one that was rejected, or a void."""
        mistake = self._earlier(back)
        self._send([(replace(mistake, type="event.voided", identity_type=None, voids=mistake.event_id), 0)], [], None)

    def _send(self, new: Sequence[tuple[Event, int]], again: Sequence[int], recorded_at: int | None) -> None:
        before = len(self.sent)
        for event, back in new:
            count = sum(e.account_id == event.account_id for e in self.sent)
            self.sent.append(replace(event, event_id=f"e{max(0, count - back)}"))
        batch = self.sent[before:] + [self._earlier(back) for back in again if self.sent]
        verdicts = [self.model.append(event, self.now, recorded_at) for event in batch]
        for event, verdict in zip(batch, verdicts, strict=True):
            note(f"{text_of(self.now)} {verdict}: {_event_text(event)}")
        receipt = engine.append(self.ledger, engine.read_incoming(_table(batch, recorded_at)), now=self.now)
        rejected = {row: code for row, code in enumerate(verdicts, 1) if code not in ("accepted", "duplicate")}
        _assert_same("rejections by row", {r.line: r.code for r in receipt.rejections}, rejected)
        counts = verdicts.count("accepted"), verdicts.count("duplicate"), len(rejected)
        _assert_same("tally", receipt.tally, Tally(len(batch), *counts))
        _assert_same("head", receipt.head, self.ledger.head())

    def _earlier(self, back: int) -> Event:
        return self.sent[-1 - back % len(self.sent)]

    @rule(name=TERM_NAMES, since=STARTS)
    def add_terms(self, name: str, since: int) -> None:
        """Add other terms for the cycles that start at an instant or later."""
        self._add_terms(name, since)

    def _add_terms(self, name: str, since: int | None) -> None:
        refused = self.model.add_terms(TERMS[name], since, self.now)
        note(f"{text_of(self.now)} {refused or 'agreed'}: {name}{'' if since is None else ' from ' + text_of(since)}")
        found = None
        try:
            closing.add_terms(self.ledger, TERMS[name], now=self.now, applies_from=since)
        except BadTerms as error:
            found = error.code
        _assert_same("refusal", found, refused)

    @precondition(lambda self: self.model.entries)
    @rule(month=st.sampled_from(MONTHS))
    def close(self, month: str) -> None:
        """Issue the invoices of a month."""
        expected = self.model.close(month, self.now)
        self._check_issued(closing.close(self.ledger, month, now=self.now, issue=True).documents, expected)

    @precondition(lambda self: self.model.issued)
    @rule()
    def restate(self) -> None:
        """Issue the notes on all that was issued."""
        expected = self.model.restate()
        self._check_issued(restating.restate(self.ledger, now=self.now, issue=True).documents, expected)

    @precondition(lambda self: self.model.issued)
    @rule(account=st.sampled_from(ACCOUNTS), month=st.sampled_from((None, *MONTHS)))
    def restate_some(self, account: str, month: str | None) -> None:
        """Issue the notes on what was issued to one account, for all months or one."""
        if not self.model.own(account):
            return  # the ledger does not know it
        expected = self.model.restate([account], month)
        done = restating.restate(self.ledger, now=self.now, accounts=[account], first=month, last=month, issue=True)
        self._check_issued(done.documents, expected)

    @precondition(lambda self: not self.noted or self.noted[-1][0] != self.ledger.head())
    @rule()
    def note_position(self) -> None:
        """Note the head of the ledger, and all drafts to the byte."""
        head = self.ledger.head()
        self.noted.append((head, self._drafts(ReadOptions())))
        note(f"{text_of(self.now)} noted position {head.position}")

    @precondition(lambda self: type(self).reopened is not LedgerMachine.reopened)
    @rule()
    def reopen(self) -> None:
        """Close the ledger and open it again."""
        self.ledger = self.reopened(self.ledger)

    @rule(step=st.sampled_from((31 * DAY, 28 * DAY, DAY, 1, 0, -1, -MINUTE)))
    def wait(self, step: int) -> None:
        """Let time pass, or set the clock back."""
        self.now = max(self.now + step, self.latest - MINUTE)
        self.latest = max(self.now, self.latest)

    # What must be true

    def teardown(self) -> None:
        """Restate everything and check it once more, unless a step has failed already."""
        try:
            if sys.exc_info()[0] is None:
                self.restate()
                self.check()
        finally:
            self.ledger.close()

    def check(self) -> None:
        """Compare entries, documents, balances, drafts and noted positions of the ledger with the model."""
        entries = [entry for page in self.ledger.entries() for entry in page]
        documents = self.ledger.documents()
        _assert_same("entries", [event_of(entry.content) for entry in entries], self.model.entries)
        _assert_same("documents", [document for document in documents if document.number], self.documents)
        _assert_same("conflicts", sum(document.kind == "conflict" for document in documents), len(self.model.conflicts))
        times = [*((e.position, e.recorded_at) for e in entries), *((d.position, d.recorded_at) for d in documents)]
        recorded = dict(sorted(times))
        _assert_same("positions", list(recorded), list(range(1, len(times) + 1)))
        _assert_same("times", list(recorded.values()), sorted(recorded.values()))
        rows = issue.statement(self.ledger)
        balances = {(row.account_id, row.total.currency): row.balance.amount for row in rows}
        _assert_same("balances", balances, self.model.balances())
        _assert_same("findings", verify(self.ledger), [])
        self._drafts(ReadOptions())
        for head, drafts in self.noted:
            _assert_same("findings", verify(self.ledger, noted=head), [])
            _assert_same("drafts at a position", self._drafts(ReadOptions(position=head.position)), drafts)
            if recorded.get(head.position + 1) != head.recorded_at:
                _assert_same("drafts as known then", self._drafts(ReadOptions(known_at=head.recorded_at)), drafts)

    def _drafts(self, options: ReadOptions) -> str:
        """All drafts as JSON; those of now must be what the definition computes from the entries."""
        history = engine.terms_in(self.ledger, options)
        query = Query(history, first=DRAFTED[0], last=DRAFTED[-1])
        drafts = engine.answer(self.ledger, query, options).drafts()
        if options == ReadOptions():
            found = [_bill_of(InvoiceDocument(draft)) for draft in drafts]
            _assert_same("drafts", found, self.model.drafts(*DRAFTED))
        return to_json(map(invoice_content, drafts))

    def _check_issued(self, issued: Sequence[Document], expected: list[Issued]) -> None:
        """Compare what was issued with what the model expects, and keep it to compare later."""
        numbered = [document for document in issued if document.number]
        found = [_issued_of(document) for document in numbered]
        for number, kind, _, bill, total in found:
            note(f"{text_of(self.now)} {kind} {number} of {total}: {bill.account_id} {bill.month}, peak {bill.peak}")
        _assert_same("documents", found, expected)
        if issued:
            self.model.recorded_at = max(self.now, self.model.recorded_at)
        _assert_same("dates", {document.recorded_at for document in issued} - {self.model.recorded_at}, set())
        self.documents += numbered


def machine(open_ledger: Callable[[], Ledger], reopen: Callable[[Ledger], Ledger] | None = None) -> type[LedgerMachine]:
    """The machine for one kind of ledger.

    `open_ledger` returns a new, empty ledger each time; `reopen` closes a ledger and opens it again. The
    `TestCase` of the result is a test of 100 histories; `search` tries any number.
    """
    members: dict[str, Any] = {"new_ledger": lambda self: open_ledger()}
    if reopen is not None:
        members["reopened"] = lambda self, ledger: reopen(ledger)
    return type("Machine", (LedgerMachine,), members)


def search(of: type[LedgerMachine], *, histories: int, first_seed: int = 0, **more: Any) -> None:
    """Try random histories, rounded up to tens. Raises for the first on which the ledger and the model differ.

    The histories are the same each time, unless `first_seed` differs; `more` are settings of Hypothesis.
    """
    given = {"stateful_step_count": STEPS, "deadline": None, "suppress_health_check": list(HealthCheck)} | more
    # After the first ten, Hypothesis would mostly try variations of those that it has tried.
    for number in range(first_seed, first_seed + -(-histories // 10)):
        try:
            run_state_machine_as_test(seed(number)(of), settings=settings(max_examples=10, **given))
        except BaseException as error:
            error.add_note(f"It comes again with first_seed={number}.")
            raise


def _assert_same(what: str, found: object, expected: object) -> None:
    assert found == expected, f"{what}: {found}, and not {expected}"


def _table(batch: Sequence[Event], recorded_at: int | None) -> pa.Table:
    table = pa.Table.from_pylist([{**vars(event), "recorded_at": recorded_at} for event in batch], SCHEMA)
    return table.drop_columns("recorded_at") if recorded_at is None else table


def _issued_of(document: Document) -> Issued:
    found = parse(loads(document.content))
    invoice = found.invoice
    assert invoice.number is not None
    _assert_same("number", invoice.number, document.number)
    return Issued(invoice.number, document.kind, found.refers_to, _bill_of(found), invoice.total.amount)


def _bill_of(document: InvoiceDocument) -> CycleBill:
    """The whole bill of a cycle by a document, including what was billed before."""
    invoice, cycle = document.invoice, document.invoice.cycle
    assert invoice.basis.terms_version is not None, "a ledger is billed by its terms"
    _assert_same("total", invoice.total.amount, sum(line.amount for line in invoice.lines))
    return CycleBill(
        invoice.account_id,
        cycle.name,
        (micros(cycle.start), micros(cycle.end)),
        invoice.basis.terms_version,
        invoice.peak,
        None if invoice.peak_at is None else micros(invoice.peak_at),
        document.cycle_total.amount,
        invoice.currency,
    )


def _event_text(event: Event) -> str:
    more = event.identity_type or event.voids or ""
    return f"{event.account_id} {event.event_id} {event.identity_id} {event.type} {more} {text_of(event.occurred_at)}"
