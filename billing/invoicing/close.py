"""Close a cycle: one invoice for each account whose cycle is over, and the terms it is billed by.

What would be issued is drafted and shown first. The terms are kept in the ledger in versions, so
that whatever was billed can be computed again as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from .. import engine
from ..config.terms import version_document
from ..core.activity import microseconds
from ..core.cycle import CYCLE_MAX, micros
from ..core.errors import BadLedger, BadTerms, quoted
from ..core.event import INSTANT_MAX
from ..core.invoice import Invoice
from ..core.terms import AllTerms, TermsHistory, TermsVersion
from ..engine.query import Query
from ..inputs.rows import ReadOptions
from ..ledger.entry import Document, Head, UnissuedDocument
from ..ledger.ledger import Ledger
from .document import invoice_document
from .issue import billed_cycles, head_at, retry_if_stale
from .restatement import Billed

#: How long after a cycle's end to wait for late events before it is closed.
GRACE_PERIOD: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CloseResult:
    """The invoices that closing a cycle would issue, or has issued.

    `waiting` are the drafts of accounts whose cycle, or the grace period after it, is not over;
    `closed` are the cycles that have their invoice already. `unexpected_zero` are drafts with a peak
    of 0 right after a cycle that was billed for more, each with the peak of that cycle. `new_terms`
    are terms that the ledger does not have yet. `documents` is empty until they are issued.
    """

    head: Head
    drafts: tuple[Invoice, ...]
    waiting: tuple[Invoice, ...]
    closed: tuple[Billed, ...]
    unexpected_zero: tuple[tuple[Invoice, int], ...]
    new_terms: TermsVersion | None
    documents: tuple[Document, ...] = ()

    @property
    def unissued(self) -> list[UnissuedDocument]:
        """The invoices to be issued, by account and cycle."""
        return list(map(invoice_document, self.drafts))


def close(
    ledger: Ledger,
    month: str,
    *,
    now: int,
    grace_period: timedelta = GRACE_PERIOD,
    accounts: Sequence[str] = (),
    terms: AllTerms | None = None,
    position: int | None = None,
    issue: bool = False,
) -> CloseResult:
    """Draft, and with `issue` issue, the invoice of each account whose cycle of that month is over.

    `grace_period` is how long to wait after a cycle's end; `terms` are kept as the ledger's own if it
    has none yet. With `position`, raises `StaleLedger` if the ledger has gone on since. Documents are
    dated `now`. Raises `BadTerms`, `BadLedger`, `UnknownAccount`.
    """
    expected = position

    def attempt() -> CloseResult:
        nonlocal expected
        result = _draft(ledger, month, now, grace_period, accounts, terms, expected)
        if not issue or not result.drafts:
            return result
        if result.new_terms is not None:
            # The terms come first, so that whoever drafts at the position of an invoice finds them there.
            # Before that, issue nothing, which raises if the ledger does not take the date.
            ledger.issue([], after=result.head.documents_digest, now=now)
            add_terms(ledger, result.new_terms.terms, now=now)
            expected = None if expected is None else expected + 1
            result = _draft(ledger, month, now, grace_period, accounts, terms, expected)
        documents = ledger.issue(result.unissued, after=result.head.documents_digest, now=now)
        return replace(result, documents=tuple(documents))

    return retry_if_stale(attempt)


def _draft(
    ledger: Ledger,
    month: str,
    now: int,
    grace_period: timedelta,
    accounts: Sequence[str],
    terms: AllTerms | None,
    position: int | None,
) -> CloseResult:
    """What closing would issue, from the ledger as it is."""
    head = head_at(ledger, position)
    history = engine.terms_in(ledger)
    new_terms = _first_terms(history, terms)
    history = history if new_terms is None else TermsHistory((new_terms,))
    query = Query(terms=history, first=month, last=month, accounts=tuple(accounts))
    drafts = engine.answer(ledger, query, ReadOptions(position=head.position)).drafts()
    began = ledger.first_events([draft.account_id for draft in drafts if not draft.peak], position=head.position)
    earliest = min((micros(draft.cycle.start) for draft in drafts), default=now)
    billed = {(b.account_id, b.cycle.start): b for b in billed_cycles(ledger, since=earliest - CYCLE_MAX)}
    due, waiting, closed = [], [], []
    for draft in drafts:
        invoiced = billed.get((draft.account_id, draft.cycle.start))
        if invoiced is not None:
            closed.append(invoiced)
        elif not draft.peak and began.get(draft.account_id, INSTANT_MAX) >= micros(draft.cycle.end):
            continue  # nothing had happened by then
        elif micros(draft.cycle.end) + microseconds(grace_period) > now:
            waiting.append(draft)
        else:
            due.append(draft)
    _refuse_overlap(due, billed.values())
    peaks = {(b.account_id, b.cycle.end): b.peak for b in billed.values()}
    zeros = engine.drops_to_zero(due, lambda draft: peaks.get((draft.account_id, draft.cycle.start)))
    return CloseResult(
        head=head,
        drafts=tuple(due),
        waiting=tuple(waiting),
        closed=tuple(closed),
        unexpected_zero=tuple(zeros),
        new_terms=new_terms,
    )


def add_terms(ledger: Ledger, terms: AllTerms, *, now: int, applies_from: int | None = None) -> TermsVersion:
    """Keep terms in the ledger: its first apply to all cycles, a new version applies from a date on.

    Terms equal to the newest version are not added again. Raises `BadTerms` where a date is needed, and
    `cycle_rule_change` where an account with an invoice would get other cycles.
    """

    def attempt() -> TermsVersion:
        head = ledger.head()
        history = engine.terms_in(ledger)
        newest = history.versions[-1] if history.versions else None
        if newest is not None and newest.terms == terms:
            return newest
        if newest is not None:
            if applies_from is None:
                raise BadTerms("terms_from_missing", version=newest.number)
            for account_id in sorted({b.account_id for b in billed_cycles(ledger)}):
                if newest.terms.of(account_id).cycles != terms.of(account_id).cycles:
                    raise BadTerms("cycle_rule_change", account=quoted(account_id))
        version = TermsVersion(len(history.versions) + 1, applies_from if newest else None, terms)
        ledger.issue([_terms_document(version)], after=head.documents_digest, now=max(now, head.recorded_at or 0))
        return version

    return retry_if_stale(attempt)


def _first_terms(history: TermsHistory, terms: AllTerms | None) -> TermsVersion | None:
    """The terms given, as the first version of a ledger without terms; none if the ledger has its own."""
    if not history.versions:
        if terms is None:
            raise BadTerms("terms_missing")
        return TermsVersion(1, None, terms)
    if terms is not None and terms != history.versions[-1].terms:
        raise BadTerms("terms_differ", version=history.versions[-1].number)
    return None


def _refuse_overlap(due: Iterable[Invoice], billed: Iterable[Billed]) -> None:
    """The cycles of an account follow one another: none may overlap one that was billed."""
    by_account: dict[str, list[Billed]] = {}
    for b in billed:
        by_account.setdefault(b.account_id, []).append(b)
    for draft in due:
        for b in by_account.get(draft.account_id, ()):
            if b.cycle.start < draft.cycle.end and draft.cycle.start < b.cycle.end:
                account, cycle = quoted(draft.account_id), draft.cycle.name
                raise BadLedger("cycles_overlap", account=account, cycle=cycle, number=b.numbers[0])


def _terms_document(version: TermsVersion) -> UnissuedDocument:
    return UnissuedDocument("terms", None, None, version_document(version))
