"""Laws of invoices: what was issued never changes, and an invoice with its notes equals the cycle computed afresh."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from unittest.mock import patch

from hypothesis import strategies as st

from ... import engine
from ...core.cycle import text_of
from ...core.plan import Plan
from ...core.terms import AllTerms, TermsHistory
from ...engine.query import Query
from ...inputs.rows import ReadOptions
from ...invoicing import close, issue, restate
from ...invoicing.document import invoice_document, read
from ...ledger.entry import ISSUED, SERIES, number_of
from ...ledger.ledger import Ledger
from ...ledger.records import json_of
from ..definition import DAY
from .law import false_law, law
from .sample_ledgers import (
    CUTS,
    FALLING,
    MONTHS,
    NOW,
    TEN,
    Deliveries,
    append,
    batch_bounds,
    billed_totals,
    close_all,
    closed_ledger,
    deliveries,
    draft_totals,
    restate_all,
    terms_of,
)

#: Whether to restate after each batch.
_RESTATED = st.lists(st.booleans(), max_size=9)
_PLANS = st.sampled_from((TEN, FALLING))
_LATER = st.sampled_from((None, 90))


@law("I75", deliveries(), CUTS, _PLANS)
def what_was_issued_never_changes(sent: Deliveries, sizes: list[int], plan: Plan) -> None:
    """No byte of an issued document changes, whatever comes: late events, other terms, notes, more closings."""
    with closed_ledger(sent.story, sent.early, plan=plan) as ledger:
        for day, (first, end) in enumerate(batch_bounds(len(sent.late), sizes), start=2):
            before = ledger.documents()
            append(ledger, sent.late[first:end], now=NOW + day * DAY)
            other = replace(terms_of(sent.story).default, plan=FALLING if day % 2 else TEN)
            rules = terms_of(sent.story).accounts
            close.add_terms(ledger, AllTerms(other, rules), applies_from=NOW, now=NOW + day * DAY)
            restate_all(ledger, now=NOW + day * DAY)
            close_all(ledger, now=NOW + day * DAY)
            assert before == ledger.documents()[: len(before)]


@law("I76", deliveries(), CUTS, _PLANS)
def every_invoice_can_be_drafted_again_from_what_it_says(sent: Deliveries, sizes: list[int], plan: Plan) -> None:
    """The position and the terms that an invoice names are enough to compute it again, to the byte."""
    with _restated_ledger(sent, sizes, [True], plan=plan) as ledger:
        close_all(ledger, now=NOW + 90 * DAY)
        history = engine.terms_in(ledger)
        for document in ledger.documents("invoice"):
            issued = read(ledger, document).invoice
            assert issued.basis.terms_version is not None
            terms = TermsHistory((history.numbered(issued.basis.terms_version),))
            month = issued.cycle.name
            query = Query(terms, first=month, last=month, accounts=(issued.account_id,))
            (again,) = engine.answer(ledger, query, ReadOptions(position=issued.basis.position)).drafts()
            dated = {"number": document.number, "issued_at": text_of(document.recorded_at)}
            assert json_of(invoice_document(again).content | dated) == document.content


@law("I77", deliveries(), CUTS, _LATER, st.data())
def invoice_and_notes_are_what_the_cycle_comes_to_now(
    sent: Deliveries, sizes: list[int], later: int | None, data: st.DataObject
) -> None:
    """An invoice and its notes together equal the cycle computed afresh, and restating misses no late event.

    Comparing every issued cycle finds no more than comparing those that late events can have touched.
    """
    with closed_ledger(sent.story, sent.early, later=later) as ledger:
        for day, (first, end) in enumerate(batch_bounds(len(sent.late), sizes), start=2):
            now = NOW + day * DAY
            append(ledger, sent.late[first:end], now=now)
            with patch.object(restate, "_touched", lambda ledger, billed, since, head: list(billed)):
                whole = restate_all(ledger, now=now, issue=False)
            assert whole.restatements == restate_all(ledger, now=now, issue=False).restatements
            accounts = sorted({account for account, _ in billed_totals(ledger)})
            some = data.draw(st.sampled_from(((), (), *((account,) for account in accounts))))
            restate.restate(ledger, now=now, issue=data.draw(st.booleans()), accounts=some)
        restate_all(ledger, now=NOW + 90 * DAY)
        assert billed_totals(ledger).items() <= draft_totals(ledger).items()


@law("I78", deliveries(conflicts=False), CUTS, CUTS, _RESTATED, st.data())
def what_is_owed_in_the_end_does_not_depend_on_the_way(
    sent: Deliveries, one: list[int], other: list[int], restated: list[bool], data: st.DataObject
) -> None:
    """In whatever order late events arrive, and however often cycles are restated, the same is owed in the end."""
    void_ids = {(e.account_id, e.event_id) for e in [*sent.early, *sent.late] if e.type == "event.voided"}
    late = [e for e in sent.late if (e.account_id, e.voids) not in void_ids]
    shuffled = replace(sent, late=data.draw(st.permutations(late)))
    sent = replace(sent, late=late)
    with _restated_ledger(sent, one, restated) as ledger, _restated_ledger(shuffled, other, [True]) as again:
        assert billed_totals(ledger) == billed_totals(again)


@law("I79", deliveries(), CUTS, _PLANS)
def restating_again_does_nothing_and_no_note_is_over_nothing(sent: Deliveries, sizes: list[int], plan: Plan) -> None:
    """Restating when nothing is new issues nothing, and there is no note of 0.00."""
    with _restated_ledger(sent, sizes, [True], plan=plan) as ledger:
        before = ledger.head()
        again = restate_all(ledger, now=NOW + 91 * DAY)
        assert ((), (), before) == (again.restatements, again.documents, ledger.head())
        notes = ledger.documents("credit_note", "supplementary_invoice")
        assert all(read(ledger, note).invoice.total.amount for note in notes)


@law("I80", deliveries(), CUTS, _PLANS)
def no_cycle_ever_comes_to_less_than_nothing(sent: Deliveries, sizes: list[int], plan: Plan) -> None:
    """After each document, what was billed for a cycle is 0 or more: no credit exceeds what was billed."""
    with _restated_ledger(sent, sizes, [True], plan=plan) as ledger:
        sums: dict[tuple[str | None, int | None], Decimal] = defaultdict(Decimal)
        for document in ledger.documents(*ISSUED):
            cycle = document.account_id, document.cycle_start
            sums[cycle] += read(ledger, document).invoice.total.amount
            assert sums[cycle] >= 0


@false_law("I81", deliveries())
def a_higher_peak_is_never_settled_by_a_credit_note(sent: Deliveries) -> None:
    """A restatement to a higher peak never gives money back. Where more costs less, it does."""
    with closed_ledger(sent.story, sent.early, plan=FALLING) as ledger:
        if sent.late:
            append(ledger, sent.late, now=NOW + 2 * DAY)
        for restatement in restate_all(ledger, now=NOW + 3 * DAY, issue=False).restatements:
            if restatement.fresh.peak > restatement.billed.peak:
                assert restatement.difference.amount >= 0


@law("I82", deliveries(), CUTS)
def a_cycle_has_at_most_one_invoice(sent: Deliveries, sizes: list[int]) -> None:
    """However often a cycle is closed, each account has one invoice for it, and the rest are notes."""
    with _restated_ledger(sent, sizes, [True, False]) as ledger:
        close_all(ledger, now=NOW + 90 * DAY)
        close_all(ledger, now=NOW + 91 * DAY)
        invoices = [(document.account_id, document.cycle_start) for document in ledger.documents("invoice")]
        assert len(set(invoices)) == len(invoices)
        assert len(invoices) <= len(MONTHS) * len({account for account, _ in invoices})


@law("I83", deliveries(), CUTS, _PLANS)
def numbers_have_no_gaps(sent: Deliveries, sizes: list[int], plan: Plan) -> None:
    """Invoices and credit notes are numbered from 1, each series without a gap, in the order of issue."""
    with _restated_ledger(sent, sizes, [True], plan=plan) as ledger:
        close_all(ledger, now=NOW + 90 * DAY)
        numbers: dict[str, list[str | None]] = defaultdict(list)
        for document in ledger.documents(*ISSUED):
            numbers[SERIES[document.kind]].append(document.number)
        for series, found in numbers.items():
            assert [number_of(series, place) for place in range(1, len(found) + 1)] == found


@law("I84", deliveries(), _PLANS)
def a_restatement_moves_a_peak_by_at_most_the_identities_it_touches(sent: Deliveries, plan: Plan) -> None:
    """A restatement moves a peak by at most the number of identities in the late events."""
    with closed_ledger(sent.story, sent.early, plan=plan) as ledger:
        issued = {(b.account_id, b.cycle): b for b in issue.billed_cycles(ledger)}
        if sent.late:
            append(ledger, sent.late, now=NOW + 2 * DAY)
        for restatement in restate_all(ledger, now=NOW + 3 * DAY, issue=False).restatements:
            billed = restatement.billed
            position = issued[billed.account_id, billed.cycle].position
            late = [e for page in ledger.entries(after=position, account_id=billed.account_id) for e in page]
            targets = [ledger.entry(billed.account_id, e.voids) for e in late if e.voids]
            touched = {e.identity_id for e in [*late, *targets] if e is not None}
            assert abs(restatement.fresh.peak - billed.peak) <= len(touched)


@contextmanager
def _restated_ledger(sent: Deliveries, sizes: list[int], restated: list[bool], *, plan: Plan = TEN) -> Iterator[Ledger]:
    """A ledger in which early events are billed and late ones restated: at times at once, in the end all of them."""
    with closed_ledger(sent.story, sent.early, plan=plan) as ledger:
        for day, (first, end) in enumerate(batch_bounds(len(sent.late), sizes), start=2):
            append(ledger, sent.late[first:end], now=NOW + day * DAY)
            if (restated or [False])[day % len(restated or [False])]:
                restate_all(ledger, now=NOW + day * DAY)
        restate_all(ledger, now=NOW + 90 * DAY)
        yield ledger
