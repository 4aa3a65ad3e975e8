"""Issued documents: what is written is read back as it was, and nothing else is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import billing
from billing.core.cycle import text_of
from billing.core.plan import Plan, Tier
from billing.engine.query import Query
from billing.invoicing.document import invoice_content, note_content, note_document, parse, policy_content, read
from billing.invoicing.issue import billed_cycles, statement
from billing.invoicing.issued import read_issued
from billing.ledger.entry import ISSUED
from billing.ledger.ledger import Ledger
from billing.verify.audit.events import table
from billing.verify.definition import Event

#: Three lines: usage in tiers, a discount, and credits.
TERMS = billing.Terms(
    plan=Plan(
        id="sample",
        currency="USD",
        mode="graduated",
        tiers=(Tier(up_to=1, unit_price=Decimal("7.99")), Tier(unit_price=Decimal("6.99"), flat_price=Decimal(3))),
        credit_price=Decimal("0.0125"),
    ),
    discount=Decimal("12.5"),
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def called(event_id: str, identity_id: str, day: int) -> Event:
    at = int(datetime(2026, 1, day, tzinfo=UTC).timestamp()) * 1_000_000
    return Event("acme", identity_id, "action.called", at, event_id)


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A ledger with an invoice and a note."""
    ledger = billing.open_ledger("sqlite:///:memory:")
    billing.append(ledger, table([called("e1", "ada", 5)]), now=utc("2026-01-31"))
    billing.close(ledger, "2026-01", terms=TERMS, now=utc("2026-02-03"), issue=True)
    billing.append(ledger, table([called("e2", "bo", 6)]), now=utc("2026-02-04"))
    billing.restate(ledger, now=utc("2026-02-05"), issue=True)
    yield ledger
    ledger.close()


def spoil(ledger: Ledger, content: str, where: str) -> None:
    """Change a document behind the back of the ledger, which takes care that nobody does."""
    for (name,) in ledger.database.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        ledger.database.rows(f"DROP TRIGGER {name}")
    assert ledger.database.rows(f"UPDATE document SET content = ? WHERE {where} RETURNING 1", content)


def content_of(ledger: Ledger, kind: Any) -> dict[str, Any]:
    (document,) = ledger.documents(kind)
    content: dict[str, Any] = json.loads(document.content)
    return content


@pytest.mark.parametrize("kind", ["invoice", "supplementary_invoice"])
def test_what_is_written_is_read_back(ledger: Ledger, kind: Any) -> None:
    """The invoice within a document writes the same JSON again, and so do its number and date."""
    content = content_of(ledger, kind)
    found = parse(content)
    again = invoice_content(found.invoice)
    assert again == {key: content[key] for key in again}
    assert content["kind"] == found.kind
    assert content["cycle"] == found.invoice.cycle.name
    assert content["issued_at"] == text_of(found.issued_at or 0)
    assert content["refers_to"] == found.refers_to


def test_a_note_says_what_it_corrects(ledger: Ledger) -> None:
    """Ada was billed for; bo came late, and the note adds him."""
    found = parse(content_of(ledger, "supplementary_invoice"))
    correction = found.correction
    assert correction is not None
    assert (("INV-000001",), Decimal("6.99"), 1) == (correction.restates, correction.billed, correction.peak_before)
    assert (("bo",), (), ["e2"]) == (
        correction.now_active,
        correction.no_longer_active,
        [late.event_id for late in correction.late_events],
    )
    assert Decimal("15.73") == found.cycle_total.amount
    assert found.invoice.total.amount == found.cycle_total.amount - correction.billed


def test_a_draft_is_read_although_it_names_neither_kind_nor_cycle(ledger: Ledger) -> None:
    (draft,) = billing.draft(ledger, first="2026-01", last="2026-01")
    found = parse(json.loads(json.dumps(invoice_content(draft))))
    assert (None, None, "invoice", "") == (found.invoice.number, found.issued_at, found.kind, found.invoice.cycle.name)
    assert draft.lines == found.invoice.lines
    assert (draft.total, draft.policy, draft.basis) == (found.invoice.total, found.invoice.policy, found.invoice.basis)


def test_a_note_that_is_not_issued_is_read_too(ledger: Ledger) -> None:
    billing.append(ledger, table([called("e3", "cy", 7)]), now=utc("2026-02-06"))
    (restatement,) = billing.restate(ledger, now=utc("2026-02-07")).restatements
    shown = parse(note_content(restatement))
    unissued = parse(note_document(restatement).content | {"number": "INV-000003", "issued_at": "2026-02-07T00:00:00Z"})
    assert (shown.kind, shown.correction) == (unissued.kind, unissued.correction)
    assert (shown.invoice.number, unissued.refers_to) == (None, "INV-000001")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("basis"), "basis is missing"),
        (lambda c: c.pop("kind"), "kind is missing"),
        (lambda c: c.pop("cycle"), "cycle is missing"),
        (lambda c: c["lines"][0].pop("amount"), "amount is missing"),
        (lambda c: c["policy"].pop("reconnect"), "reconnect is missing"),
        (lambda c: c["late_events"][0].pop("voids"), "voids is missing"),
        (lambda c: c.update(kind="terms"), "'terms' is none of invoice, supplementary_invoice, credit_note"),
        (lambda c: c.update(account_id=7), "7 is no text"),
        (lambda c: c.update(peak="2"), "'2' is no whole number"),
        (lambda c: c.update(peak=True), "True is no whole number"),
        (lambda c: c.update(total=8.74), "8.74 is no text"),
        (lambda c: c.update(lines=None), "'NoneType' object is not iterable"),
        (lambda c: c["lines"][0].update(quantity=1.5), "1.5 is no whole number"),
        (lambda c: c["basis"].update(position=None, digest=5), "5 is no text"),
        (lambda c: c.update(cycle_end=c["cycle_start"]), "before they start"),
    ],
)
def test_what_is_no_document_is_not_read(ledger: Ledger, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    """An amount is text, a count a whole number; whoever changed a document finds no other way in."""
    content = content_of(ledger, "supplementary_invoice")
    change(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        parse(content)


@pytest.mark.parametrize("spoilt", ["{", "[]", "{}", "draft"])
def test_a_document_that_somebody_made_unreadable_stops_whatever_builds_on_it(ledger: Ledger, spoilt: str) -> None:
    """It is named, and nothing is billed beside it."""
    (document,) = ledger.documents("invoice")
    content = json.loads(document.content)
    draft = json.dumps(content | {"number": None, "issued_at": None})
    spoil(ledger, draft if spoilt == "draft" else spoilt, "number = 'INV-000001'")
    for reads in (
        lambda: billed_cycles(ledger),
        lambda: statement(ledger),
        lambda: read_issued(ledger, Query()),
        lambda: billing.restate(ledger),
        lambda: billing.close(ledger, "2026-01"),
    ):
        with pytest.raises(billing.BadLedger, match="INV-000001 cannot be read") as raised:
            reads()
        assert "ledger_damaged" == raised.value.code


def test_a_record_of_restating_that_somebody_made_unreadable_stops_the_next(ledger: Ledger) -> None:
    spoil(ledger, "{}", "kind = 'restatement'")
    with pytest.raises(billing.BadLedger, match=r"the restatement at position [0-9]+ cannot be read"):
        billing.restate(ledger)


def test_every_issued_document_of_a_ledger_can_be_read(ledger: Ledger) -> None:
    found = [read(ledger, document) for document in ledger.documents(*ISSUED)]
    assert ["INV-000001", "INV-000002"] == [each.invoice.number for each in found]
    assert {"action_window", "connect_window", "reconnect"} == policy_content(found[0].invoice.policy).keys()
