"""Closing: one invoice for each account whose cycle is over, and the terms it is billed by.

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
from .document import invoice_content
from .issue import again_if_stale, billed_by, expected, issued
from .restatement import Billed

#: How long after a cycle's end to wait for late events before it is closed.
SETTLE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CloseResult:
    """The invoices that closing a cycle would issue, or has issued.

    `waiting` are accounts whose cycle is not over, or has not settled; `closed` those that have
    their invoice already; `idle` are invoices over 0 after one that was not, with that one's peak.
    `agreed` are terms that the ledger does not hold yet. `documents` is empty until they are issued.
    """

    head: Head
    drafts: tuple[Invoice, ...]
    waiting: tuple[Invoice, ...]
    closed: tuple[Billed, ...]
    idle: tuple[tuple[Invoice, int], ...]
    agreed: TermsVersion | None
    documents: tuple[Document, ...] = ()

    @property
    def papers(self) -> list[UnissuedDocument]:
        """The invoices to be issued, by account and cycle."""
        return [_invoice_paper(drafted) for drafted in self.drafts]

    def issued_as(self, documents: tuple[Document, ...]) -> CloseResult:
        """The same, with the documents that came of it."""
        return replace(self, documents=documents)


def close(
    ledger: Ledger,
    month: str,
    *,
    now: int,
    settle: timedelta = SETTLE,
    accounts: Sequence[str] = (),
    terms: AllTerms | None = None,
    position: int | None = None,
    issue: bool = False,
) -> CloseResult:
    """Draft, and with `issue` issue, the invoice of each account whose cycle of that month is over.

    `settle` is how long to wait after a cycle's end; `terms` are kept as the ledger's own if it has
    none yet. With `position`, raises `StaleLedger` if the ledger has gone on since. Documents are
    dated `now`. Raises `BadTerms`, `BadLedger`, `UnknownAccount`.
    """

    def attempt() -> CloseResult:
        head = expected(ledger, position)
        history = engine.terms_in(ledger)
        agreed = _first_terms(history, terms)
        history = history if agreed is None else TermsHistory((agreed,))
        query = Query(terms=history, first=month, last=month, accounts=tuple(accounts))
        drafts = engine.answer(ledger, query, ReadOptions(position=head.position)).drafts()
        began = ledger.first_events(
            [drafted.account_id for drafted in drafts if not drafted.peak], position=head.position
        )
        earliest = min((micros(drafted.cycle.start) for drafted in drafts), default=now)
        billed = {(b.account_id, b.cycle.start): b for b in billed_by(ledger, since=earliest - CYCLE_MAX)}
        due, waiting, closed = [], [], []
        for drafted in drafts:
            its_own = billed.get((drafted.account_id, drafted.cycle.start))
            if its_own is not None:
                closed.append(its_own)
            elif not drafted.peak and began.get(drafted.account_id, INSTANT_MAX) >= micros(drafted.cycle.end):
                continue  # nothing had happened by then
            elif micros(drafted.cycle.end) + microseconds(settle) > now:
                waiting.append(drafted)
            else:
                due.append(drafted)
        _refuse_overlap(due, billed.values())
        peak_before = {(b.account_id, b.cycle.end): b.peak for b in billed.values()}
        idle = [(d, peak_before.get((d.account_id, d.cycle.start), 0)) for d in due if not d.peak]
        return CloseResult(
            head=head,
            drafts=tuple(due),
            waiting=tuple(waiting),
            closed=tuple(closed),
            idle=tuple((drafted, before) for drafted, before in idle if before),
            agreed=agreed,
        )

    drafted = attempt()
    if issue and drafted.drafts and drafted.agreed is not None:
        # First of all the terms, so that whoever drafts at the position of an invoice finds them there.
        # Before that, that the date can be one.
        again_if_stale(lambda: ledger.issue([], after=ledger.head().documents_digest, now=now))
        add_terms(ledger, drafted.agreed.terms, now=now)
        position = None if position is None else position + 1
        drafted = attempt()
    return issued(ledger, drafted, attempt, now) if issue else drafted


def add_terms(ledger: Ledger, terms: AllTerms, *, now: int, applies_from: int | None = None) -> TermsVersion:
    """Keep terms in the ledger: as its first, for all cycles, or as a new version from a date on.

    Terms that are the newest already are left as they are. Raises `BadTerms` where a date is needed,
    and `cycle_rule_change` where an account with an invoice would get other cycles.
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
            for account_id in sorted({b.account_id for b in billed_by(ledger)}):
                if newest.terms.of(account_id).cycles != terms.of(account_id).cycles:
                    raise BadTerms("cycle_rule_change", account=quoted(account_id))
        version = TermsVersion(len(history.versions) + 1, applies_from if newest else None, terms)
        ledger.issue([_terms_paper(version)], after=head.documents_digest, now=max(now, head.recorded_at or 0))
        return version

    return again_if_stale(attempt)


def _first_terms(history: TermsHistory, terms: AllTerms | None) -> TermsVersion | None:
    """The terms given, as the first of the ledger; none where it has its own."""
    if not history.versions:
        if terms is None:
            raise BadTerms("terms_missing")
        return TermsVersion(1, None, terms)
    if terms is not None and terms != history.versions[-1].terms:
        raise BadTerms("terms_differ", version=history.versions[-1].number)
    return None


def _refuse_overlap(due: Iterable[Invoice], billed: Iterable[Billed]) -> None:
    """Cycles of an account tile time: none may overlap what was billed."""
    spans: dict[str, list[Billed]] = {}
    for b in billed:
        spans.setdefault(b.account_id, []).append(b)
    for drafted in due:
        for b in spans.get(drafted.account_id, ()):
            if b.cycle.start < drafted.cycle.end and drafted.cycle.start < b.cycle.end:
                raise BadLedger(
                    "cycles_overlap", account=quoted(drafted.account_id), cycle=drafted.cycle.name, number=b.numbers[0]
                )


def _terms_paper(version: TermsVersion) -> UnissuedDocument:
    return UnissuedDocument("terms", None, None, version_document(version))


def _invoice_paper(drafted: Invoice) -> UnissuedDocument:
    content = invoice_content(drafted) | {"status": "issued"}
    more = {"kind": "invoice", "cycle": drafted.cycle.name, "issued_at": None, "refers_to": None}
    return UnissuedDocument("invoice", drafted.account_id, micros(drafted.cycle.start), content | more)
