"""A machine that puts a ledger through random histories, and holds all it does against a model.

Each history is a few dozen steps: events come, late, again, contradicting each other or taken back;
terms change, cycles are closed and restated, a position is noted, the ledger is opened again, time
passes. Events fall on the bounds of a few cycles, a window away from them, or a microsecond beside,
where bills go wrong. What fails shrinks to a short story. To search a ledger of your own:

    search(machine(lambda: my_ledger_that_holds_nothing()), histories=1_000)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from json import loads
from typing import Any, Final, Literal

import pyarrow as pa
from hypothesis import HealthCheck, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from ... import engine
from ...core.activity import ActivityPolicy
from ...core.cycle import CycleRule, micros, moment, text_of
from ...core.errors import BadTerms
from ...core.event import Tally
from ...core.plan import Plan, Tier
from ...core.terms import AllTerms, Terms
from ...engine.event_files import SCHEMA
from ...engine.query import Query
from ...inputs.rows import ReadOptions
from ...inputs.timestamps import parse_instant
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
from ..strategies import ACCOUNTS, ACTIVITY, IDENTITIES, events
from .model import SETTLE, Bill, Issued, Model

#: What is closed, and what else is drafted.
MONTHS: Final = ("2026-01", "2026-02", "2026-03")
DRAFTED: Final = ("2025-12", *MONTHS, "2026-04")
#: How the cycles of each account follow one another: calendar months, and those of an anchor in New York.
RULES: Final = (
    CycleRule(),
    CycleRule(moment(parse_instant("2025-10-14T07:13:47Z", field="anchor")), timezone="America/New_York"),
)
BOUNDS: Final = tuple(tuple(rule.bound(rule.index_from(month)) for month in (*MONTHS, DRAFTED[-1])) for rule in RULES)
#: When January is just settled, so that its cycle can be closed.
BEGINNING: Final = BOUNDS[0][1] + SETTLE
MINUTE: Final = 60 * 1_000_000
#: How many steps a history has.
STEPS: Final = 25


def _plan(mode: Literal["volume", "graduated"], *tiers: tuple[int | None, str, str], **more: Any) -> Plan:
    steps = [Tier(up_to=bound, unit_price=Decimal(unit), flat_price=Decimal(flat)) for bound, unit, flat in tiers]
    return Plan(id=f"{mode}-{len(steps)}", mode=mode, tiers=tuple(steps), **{"currency": "USD", **more})


def _terms(plan: Plan, **more: Any) -> AllTerms:
    first, second = (Terms(plan, rule, **more) for rule in RULES)
    return AllTerms(first, {ACCOUNTS[1]: second})


_FALLING: Final = _plan("volume", (1, "9.99", "0"), (None, "4.50", "0"))
_GRADUATED: Final = _plan("graduated", (2, "7.99", "1"), (None, "5.005", "0"))
#: What is agreed in turn, with windows of 5 and 30 days, shorter and longer. On `falling` two cost less than one.
TERMS: Final = {
    "falling": _terms(_FALLING),
    "graduated, longer": _terms(_GRADUATED, policy=ActivityPolicy(timedelta(70), timedelta(12))),
    "discounted, restarting": _terms(
        _GRADUATED, discount=Decimal("12.5"), policy=ActivityPolicy(timedelta(10), timedelta(5), "restarts")
    ),
    "in yen, at least 5, longer for connects": _terms(
        _plan("volume", (None, "2.5", "0"), currency="JPY", minimum="5"),
        policy=ActivityPolicy(timedelta(5), timedelta(75)),
    ),
    "other cycles": AllTerms(Terms(_FALLING, RULES[1])),
}

_TERMS: Final = st.sampled_from(list(TERMS))
_SINCE: Final = st.sampled_from(sorted(bound for bounds in BOUNDS for bound in bounds[:-1]))
#: Instants that matter to the cycles of an account: at their bounds, a window before, in between, or just beside.
_INSTANTS: Final = [
    st.builds(
        lambda bound, days, beside: bound + days * DAY + beside,
        st.sampled_from(bounds[:-1]),
        st.sampled_from((0, -5, -30, 10)),
        st.sampled_from((0, 0, -1, 1)),
    )
    for bounds in BOUNDS
]
_EVENTS: Final = [
    events(
        accounts=[account],
        identities=IDENTITIES,
        types=(*ACTIVITY, *ACTIVITY[:2], "identity.created", "event.voided"),
        instants=instants,
        voids=st.integers(0, 9).map("e{}".format),
    )
    for account, instants in zip(ACCOUNTS, _INSTANTS, strict=True)
]
#: An event, and by how many it is named: 0 for a name of its own, 1 for that of the last, 2 for the one before.
_NEW: Final = st.tuples(st.one_of(_EVENTS), st.sampled_from((0, 0, 0, 0, 0, 0, 1, 2)))
#: Few come at a time: where many do, a cycle that is not restated for one of them is restated for another.
_FEW: Final = st.lists(_NEW, min_size=1, max_size=2)
_EARLIER: Final = st.lists(st.integers(0, 20), max_size=2)


class LedgerMachine(RuleBasedStateMachine):
    """Drives a ledger that `new_ledger` gives, and a model beside it. Hypothesis runs it: see `machine`.

    The clock is ours: it starts when the first cycle can be closed, at times stands still, and may
    go back a little. In the end everything is restated, and all that was ever noted is looked up again.
    """

    def new_ledger(self) -> Ledger:
        """A ledger that holds nothing, for one history."""
        raise NotImplementedError("a machine drives some ledger: override new_ledger, or call machine(new_ledger)")

    def reopened(self, ledger: Ledger) -> Ledger:
        """The ledger, closed and opened again; itself, where it lives no longer than it is open."""
        return ledger

    def __init__(self) -> None:
        super().__init__()
        self.ledger = self.new_ledger()
        self.model = Model()
        self.now = self.latest = BEGINNING
        self.told: list[Event] = []
        self.documents: list[Document] = []
        self.noted: list[tuple[Head, str]] = []

    # What happens

    @initialize(
        first=_TERMS, then=_TERMS, since=_SINCE, new=st.lists(_NEW, max_size=8), closed=st.sampled_from((0, 1, 2, 3, 3))
    )
    def begin(self, first: str, then: str, since: int, new: list[tuple[Event, int]], closed: int) -> None:
        """Agree on terms, and perhaps on others for later cycles; some events come, some cycles are closed."""
        self._agree(first, None)
        self._agree(then, since)
        self._tell(new, [], None)
        for month, end in zip(MONTHS[:closed], BOUNDS[0][1:], strict=False):
            self.now = self.latest = end + SETTLE
            self.close(month)

    @rule(new=_FEW, again=_EARLIER)
    def append(self, new: list[tuple[Event, int]], again: list[int]) -> None:
        """Tell the ledger of new events, and again of earlier ones, the last being 0, in one batch."""
        self._tell(new, again, None)

    @rule(new=_FEW, again=_EARLIER, ahead=st.sampled_from((0, 0, -MINUTE, MINUTE, 6 * MINUTE)))
    def append_recorded(self, new: list[tuple[Event, int]], again: list[int], ahead: int) -> None:
        """The same, of events recorded elsewhere, by a clock that is ahead of ours or behind."""
        self._tell(new, again, self.now + ahead)

    @precondition(lambda self: self.told)
    @rule(back=st.integers(0, 20))
    def void(self, back: int) -> None:
        """Take an earlier event back, the last being 0: it may be one that was rejected, or a void."""
        mistake = self._told(back)
        self._tell([(replace(mistake, type="event.voided", identity_type=None, voids=mistake.event_id), 0)], [], None)

    def _tell(self, new: Sequence[tuple[Event, int]], again: Sequence[int], recorded_at: int | None) -> None:
        before = len(self.told)
        for event, back in new:
            count = sum(e.account_id == event.account_id for e in self.told)
            self.told.append(replace(event, event_id=f"e{max(0, count - back)}"))
        batch = self.told[before:] + [self._told(back) for back in again if self.told]
        verdicts = [self.model.take(event, self.now, recorded_at) for event in batch]
        for event, verdict in zip(batch, verdicts, strict=True):
            note(f"{text_of(self.now)} {verdict}: {_said(event)}")
        receipt = engine.append(self.ledger, engine.read_incoming(_table(batch, recorded_at)), now=self.now)
        rejected = {row: code for row, code in enumerate(verdicts, 1) if code not in ("accepted", "duplicate")}
        _same("rejections by row", {r.line: r.code for r in receipt.rejections}, rejected)
        counts = verdicts.count("accepted"), verdicts.count("duplicate"), len(rejected)
        _same("tally", receipt.tally, Tally(len(batch), *counts))
        _same("head", receipt.head, self.ledger.head())

    def _told(self, back: int) -> Event:
        return self.told[-1 - back % len(self.told)]

    @rule(name=_TERMS, since=_SINCE)
    def add_terms(self, name: str, since: int) -> None:
        """Agree on other terms for the cycles that start at an instant or later."""
        self._agree(name, since)

    def _agree(self, name: str, since: int | None) -> None:
        refused = self.model.add_terms(TERMS[name], since, self.now)
        note(f"{text_of(self.now)} {refused or 'agreed'}: {name}{'' if since is None else ' from ' + text_of(since)}")
        found = None
        try:
            closing.add_terms(self.ledger, TERMS[name], now=self.now, applies_from=since)
        except BadTerms as error:
            found = error.code
        _same("refusal", found, refused)

    @precondition(lambda self: self.model.entries)
    @rule(month=st.sampled_from(MONTHS))
    def close(self, month: str) -> None:
        """Issue the invoices of a month."""
        expected = self.model.close(month, self.now)
        self._took(closing.close(self.ledger, month, now=self.now, issue=True).documents, expected)

    @precondition(lambda self: self.model.issued)
    @rule()
    def restate(self) -> None:
        """Issue the notes on all that was issued."""
        expected = self.model.restate()
        self._took(restating.restate(self.ledger, now=self.now, issue=True).documents, expected)

    @precondition(lambda self: self.model.issued)
    @rule(account=st.sampled_from(ACCOUNTS), month=st.sampled_from((None, *MONTHS)))
    def restate_some(self, account: str, month: str | None) -> None:
        """Issue the notes on what was issued to one account, for all months or one."""
        if not self.model.own(account):
            return  # the ledger does not know it
        expected = self.model.restate([account], month)
        done = restating.restate(self.ledger, now=self.now, accounts=[account], first=month, last=month, issue=True)
        self._took(done.documents, expected)

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
        """Restate everything, and look at all of it once more, unless a step has failed already."""
        try:
            if sys.exc_info()[0] is None:
                self.restate()
                self.hold()
        finally:
            self.ledger.close()

    def hold(self) -> None:
        """Whether the ledger holds what it was told, says what it said, and owes what was issued."""
        entries = [entry for page in self.ledger.entries() for entry in page]
        held = self.ledger.documents()
        said = [event_of(entry.content) for entry in entries]
        _same("entries", said, self.model.entries)
        _same("documents", [document for document in held if document.number], self.documents)
        _same("conflicts", sum(document.kind == "conflict" for document in held), len(self.model.conflicts))
        times = [*((e.position, e.recorded_at) for e in entries), *((d.position, d.recorded_at) for d in held)]
        recorded = dict(sorted(times))
        _same("positions", list(recorded), list(range(1, len(times) + 1)))
        _same("times", list(recorded.values()), sorted(recorded.values()))
        rows = issue.statement(self.ledger)
        balances = {(row.account_id, row.total.currency): row.balance.amount for row in rows}
        _same("balances", balances, self.model.balances())
        _same("findings", verify(self.ledger), [])
        self._drafts(ReadOptions())
        for head, drafts in self.noted:
            _same("findings", verify(self.ledger, noted=head), [])
            _same("drafts at a position", self._drafts(ReadOptions(position=head.position)), drafts)
            if recorded.get(head.position + 1) != head.recorded_at:
                _same("drafts as known then", self._drafts(ReadOptions(known_at=head.recorded_at)), drafts)

    def _drafts(self, options: ReadOptions) -> str:
        """All drafts as they go out; those of now are what the definition makes of the entries."""
        history = engine.terms_in(self.ledger, options)
        query = Query(history, first=DRAFTED[0], last=DRAFTED[-1])
        drafts = engine.answer(self.ledger, query, options).drafts()
        if options == ReadOptions():
            found = [_bill(InvoiceDocument(draft)) for draft in drafts]
            _same("drafts", found, self.model.drafts(*DRAFTED))
        return to_json(map(invoice_content, drafts))

    def _took(self, issued: Sequence[Document], expected: list[Issued]) -> None:
        """What was issued is what should be, and is kept as it is."""
        numbered = [document for document in issued if document.number]
        found = [_issued(document) for document in numbered]
        for number, kind, _, bill, total in found:
            note(f"{text_of(self.now)} {kind} {number} of {total}: {bill.account_id} {bill.month}, peak {bill.peak}")
        _same("documents", found, expected)
        if issued:
            self.model.recorded_at = max(self.now, self.model.recorded_at)
        _same("dates", {document.recorded_at for document in issued} - {self.model.recorded_at}, set())
        self.documents += numbered


def machine(open_ledger: Callable[[], Ledger], reopen: Callable[[Ledger], Ledger] | None = None) -> type[LedgerMachine]:
    """The machine for one kind of ledger.

    `open_ledger` gives, each time, another ledger that holds nothing; `reopen` closes one and opens
    it again. The `TestCase` of the result is a test of 100 histories, `search` one of any number.
    """
    members: dict[str, Any] = {"new_ledger": lambda self: open_ledger()}
    if reopen is not None:
        members["reopened"] = lambda self, ledger: reopen(ledger)
    return type("Machine", (LedgerMachine,), members)


def search(of: type[LedgerMachine], *, histories: int, first_seed: int = 0, **more: Any) -> None:
    """Try some histories, rounded up to tens; raises for the first on which something does not hold.

    The same come each time, unless `first_seed` is another; `more` are settings of Hypothesis.
    """
    given = {"stateful_step_count": STEPS, "deadline": None, "suppress_health_check": list(HealthCheck)} | more
    # After the first ten, Hypothesis would mostly try variations of those that it has tried.
    for number in range(first_seed, first_seed + -(-histories // 10)):
        try:
            run_state_machine_as_test(seed(number)(of), settings=settings(max_examples=10, **given))
        except BaseException as error:
            error.add_note(f"It comes again with first_seed={number}.")
            raise


def _same(what: str, found: object, expected: object) -> None:
    assert found == expected, f"{what}: {found}, and not {expected}"


def _table(batch: Sequence[Event], recorded_at: int | None) -> pa.Table:
    table = pa.Table.from_pylist([{**vars(event), "recorded_at": recorded_at} for event in batch], SCHEMA)
    return table.drop_columns("recorded_at") if recorded_at is None else table


def _issued(document: Document) -> Issued:
    found = parse(loads(document.content))
    invoice = found.invoice
    assert invoice.number is not None
    _same("number", invoice.number, document.number)
    return Issued(invoice.number, document.kind, found.refers_to, _bill(found), invoice.total.amount)


def _bill(document: InvoiceDocument) -> Bill:
    """What a document says that a cycle comes to, what was billed before included."""
    invoice, cycle = document.invoice, document.invoice.cycle
    assert invoice.basis.terms_version is not None, "a ledger is billed by its terms"
    _same("total", invoice.total.amount, sum(line.amount for line in invoice.lines))
    return Bill(
        invoice.account_id,
        cycle.name,
        (micros(cycle.start), micros(cycle.end)),
        invoice.basis.terms_version,
        invoice.peak,
        None if invoice.peak_at is None else micros(invoice.peak_at),
        document.cycle_total.amount,
        invoice.currency,
    )


def _said(event: Event) -> str:
    more = event.identity_type or event.voids or ""
    return f"{event.account_id} {event.event_id} {event.identity_id} {event.type} {more} {text_of(event.occurred_at)}"
