"""Stated bills compared with the definition, one cycle at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from ... import engine
from ...core.event import TYPES, Events
from ...core.terms import AllTerms, Terms, TermsHistory
from ...engine.pipeline import Activity
from ...engine.query import Query
from ...inputs.rows import ReadOptions
from ...ledger.ledger import Ledger
from ...ledger.verify import Finding
from .. import definition
from ..definition import Event
from . import expected
from .discrepancy import Discrepancy, StatedBill, moment_text, span_text
from .events import SourceEvents
from .minimize import minimize_discrepancy

#: Every instant.
_ALWAYS: Final = (-(1 << 62), 1 << 62)


@dataclass(slots=True)
class Audit:
    """What was checked, and what differs: `discrepancies` of bills, `findings` about a ledger itself.

    `full` and `sampled` are the accounts checked in full and by sample, the latter with how many
    instants were looked at. `unpriced` counts invoices whose prices were not checked. `found` is the
    activity that the engine computed, or none if only invoices were checked.
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
        """True if nothing differs."""
        return not self.discrepancies and not self.findings


class Checker:
    """Compares bills with the definition on the events of one source, and notes in `audit` what differs."""

    def __init__(self, source: Any, query: Query, options: ReadOptions) -> None:
        self.source = source
        self.query = query
        self.events = SourceEvents(source, options)
        self.audit = Audit()
        self._options = options
        self._covers: dict[tuple[Any, ...], list[tuple[str, int, int]]] = {}

    def add(self, found: Discrepancy) -> None:
        """Note that something differs."""
        self.audit.discrepancies.append(found)

    def terms_at(self, account: str, instant: int) -> Terms:
        """The terms of an account that are in force at an instant."""
        terms = self.query.terms
        if isinstance(terms, TermsHistory):
            version = terms.in_force(instant)
            terms = AllTerms() if version is None else terms.with_cycles_of_the_newest(version)
        return self.with_policy(terms.of(account))

    def with_policy(self, terms: Terms) -> Terms:
        """Terms with the policy of the query, if it overrides theirs."""
        return terms if self.query.policy is None else replace(terms, policy=self.query.policy)

    def compare(self, bill: StatedBill, events: list[Event], *, seen: Callable[[], list[Event]] | None) -> None:
        """Compare a bill with the definition on some events; `seen` gives those that the engine answers from."""
        key = (bill.account_id, len(events), bill.terms.policy)
        if key not in self._covers:
            self._covers = {key: expected.covers(events, bill.terms.policy)}  # only those of the last account
        used = expected.credits(events, bill.start, bill.end, bill.terms)
        right = expected.invoice_of_covers(self._covers[key], bill.start, bill.end, bill.terms, used)
        if bill.peak == right.peak and bill.total is not None and bill.total != right.total:
            self.add(Discrepancy(bill, "total", bill.total, right.total))
        if (bill.peak, bill.peak_at) == (right.peak, right.peak_at):
            return
        found = Discrepancy(bill, "peak", bill.peak, right.peak)
        if bill.peak == right.peak:
            instants = moment_text(bill.peak_at), moment_text(right.peak_at)
            found = Discrepancy(bill, "instant of the peak", *instants)
        if seen is not None:
            self.add(minimize_discrepancy(found, seen(), events))
        else:
            self.add(replace(found, events=_covering_events(events, bill, right.peak_at)))

    def compare_cycle(self, bill: StatedBill) -> None:
        """Compare the bounds of a bill's cycle with those that its terms give."""
        rule = bill.terms.cycles
        bounds = expected.cycle(rule, rule.index_at(bill.start))
        if bounds != (bill.start, bill.end):
            self.add(Discrepancy(bill, "cycle", span_text(bill.start, bill.end), span_text(*bounds)))

    def seen_by_the_engine(self, account: str) -> list[Event]:
        """The events that the engine answers from: those of a file, or those that a ledger's index names."""
        if not isinstance(self.source, Ledger):
            return self.events.events(account, as_of=self.query.as_of)
        position = engine.position_of(self.source, self._options)
        found = self.source.read(lambda name: _ALWAYS if name == account else None, position=position, ids=True)
        return _as_events(found, self.query.as_of)


def _covering_events(events: list[Event], bill: StatedBill, instant: int | None) -> tuple[Event, ...]:
    """One event for each identity that is active at an instant: the first that covers it."""
    if instant is None:
        return ()
    policy = bill.terms.policy
    windows = expected.windows_of(policy)
    found: dict[str, Event] = {}
    for identity, history in definition.billed(events).items():
        for event in history:
            others = [e for e in history if e.type not in windows or e.type == "integration.connected"]
            spans = definition.covers_of([event, *others], windows=windows, reconnect=policy.reconnect)
            if spans and spans[0][1] == event.occurred_at and spans[0][1] <= instant < spans[0][2]:
                found.setdefault(identity, event)
    return tuple(found.values())


def _as_events(found: Events, as_of: int | None) -> list[Event]:
    """The connects, actions and deletions of counted identities that a ledger answers from."""
    names, columns, ids = found.names, found.columns, found.event_ids
    assert ids is not None, "they were requested"
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
