"""Invoices and notes as JSON, issued by a ledger or given by somebody, compared with the definition.

What a ledger stores must be a whole document, as billing writes it. An invoice that somebody gives
may leave out what is not checked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from ...config.terms import policy_of
from ...core.activity import ActivityPolicy
from ...core.cycle import instant_of, zone_rules_version
from ...core.terms import Terms, TermsHistory
from ...invoicing.document import parse, policy_content
from ...ledger.entry import ISSUED
from ...ledger.ledger import Ledger
from ...ledger.verify import Finding
from ..definition import Event
from .checker import Checker
from .discrepancy import Discrepancy, StatedBill
from .events import event_of

#: What is raised for a document that is not an invoice.
UNREADABLE: Final = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError)


def unreadable(error: Exception) -> str:
    """Why a document could not be read, in words."""
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")


class GivenInvoice:
    """An invoice or a note as its JSON states it. Raises one of `UNREADABLE` for what is none.

    Plan, number of events and version of the time zone rules are read only when they are compared, so
    that an invoice without them can be checked where nobody looks at them.
    """

    def __init__(self, content: Any) -> None:
        self._content = content
        self.account_id = content["account_id"]
        self._basis = content["basis"]
        self.start, self.end = instant_of(content["cycle_start"]), instant_of(content["cycle_end"])
        #: The total of the cycle by this document and all documents before it.
        self.cycle_total = Decimal(content["total"]) + Decimal(content.get("billed", 0))
        #: The number of the version of the terms that it was priced by, if it names one.
        self.terms_version = self._basis.get("terms_version")
        self.peak_at = None if content["peak_at"] is None else instant_of(content["peak_at"])
        self.number = content["number"]
        self.peak = content["peak"]
        self.sum_of_lines = sum((Decimal(line["amount"]) for line in content["lines"]), Decimal(0))
        self.total = content["total"]
        self.policy = policy_of(content["policy"])

    @property
    def plan_id(self) -> Any:
        """The plan that it was priced by."""
        return self._content["plan_id"]

    @property
    def tzdata(self) -> Any:
        """The version of the time zone rules that its cycle was computed by."""
        return self._basis["tzdata"]

    @property
    def position(self) -> Any:
        """The ledger position that it was drafted at, or none."""
        return self._basis["position"]

    @property
    def events(self) -> Any:
        """The number of events that it was drafted from."""
        return self._basis["events"]


def check_issued(checker: Checker, ledger: Ledger) -> None:
    """Compare every document that a ledger has issued with its entries up to the position it names."""
    for document in ledger.documents(*ISSUED):
        if checker.query.accounts and document.account_id not in checker.query.accounts:
            continue
        try:
            content = json.loads(document.content)
            checker.audit.documents += 1
            parse(content)
            _check(checker, GivenInvoice(content))
        except UNREADABLE as error:  # somebody changed it
            where, detail = f"{ledger.name}: {document.number}", unreadable(error)
            checker.audit.findings.append(Finding("invoice_unreadable", where, {"detail": detail}))


def check_given(checker: Checker, invoices: Sequence[Any]) -> None:
    """Compare invoices that somebody gives as JSON with the source."""
    for content in invoices:
        checker.audit.documents += 1
        _check(checker, GivenInvoice(content))


def _check(checker: Checker, given: GivenInvoice) -> None:
    """Compare one document, invoice or note, with what it was drafted from."""
    terms = _terms_of(checker, given)
    bill = StatedBill(
        given.number or "the draft", given.account_id, given.start, given.end, given.peak, given.peak_at,
        given.cycle_total, terms,
    )  # fmt: skip
    if given.sum_of_lines != Decimal(given.total):
        checker.add(Discrepancy(bill, "sum of lines", given.total, given.sum_of_lines))
    if terms.plan is None:  # the agreed terms are unknown, so its own policy is used and no price is checked
        checker.audit.unpriced += 1
        bill = replace(bill, total=None, terms=replace(terms, policy=given.policy))
    elif given.plan_id != terms.plan.id:
        checker.add(Discrepancy(bill, "plan", given.plan_id, terms.plan.id))
    elif given.policy != terms.policy:
        checker.add(Discrepancy(bill, "policy", _policy_text(given.policy), _policy_text(terms.policy)))
    if terms.plan is not None and given.tzdata == zone_rules_version():
        checker.compare_cycle(bill)
    events = _events_of(checker, given)
    if isinstance(checker.source, Ledger):
        voids = {e.event_id for e in events if e.type == "event.voided"}
        accepted = len(events) - sum(e.voids in voids for e in events)  # a void of a void is rejected
        if given.events != accepted:
            checker.add(Discrepancy(bill, "number of events it was drafted from", given.events, accepted))
    checker.compare(bill, events, seen=None)


def _terms_of(checker: Checker, given: GivenInvoice) -> Terms:
    """The terms of a document: the version it names, or those in force at its cycle's start."""
    history = checker.query.terms
    if isinstance(history, TermsHistory) and given.terms_version:
        version = history.numbered(given.terms_version)
        return history.with_cycles_of_the_newest(version).of(given.account_id)
    return checker.terms_at(given.account_id, given.start)


def _events_of(checker: Checker, given: GivenInvoice) -> list[Event]:
    """The events that a document was drafted from: of a ledger, those up to the position it names."""
    position = given.position
    if not isinstance(checker.source, Ledger) or position is None:
        known = given.account_id in checker.events.accounts
        return checker.events.events(given.account_id, as_of=checker.query.as_of) if known else []
    pages = checker.source.entries(until=position, account_id=given.account_id)
    return [event_of(entry.content) for page in pages for entry in page]


def _policy_text(policy: ActivityPolicy) -> str:
    return ", ".join(policy_content(policy).values())
