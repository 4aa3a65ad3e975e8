"""Closing and restating: who gets which invoice, what never changes, and how late events are settled.

Prices are 10.00 an identity unless a test is about prices, so that an amount tells the peak. Cycles
are closed on the second of the month that follows, unless a test is about when.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import billing
from billing import engine
from billing.config.terms import version_document
from billing.core.cycle import micros, zone_rules_version
from billing.invoicing import close as module
from billing.invoicing import issue as issuing
from billing.invoicing.close import GRACE_PERIOD
from billing.invoicing.document import invoice_content
from billing.ledger.entry import Document, UnissuedDocument
from billing.ledger.ledger import Ledger
from billing.outputs.tables import invoicing
from billing.outputs.tables.text import json_rows, to_json
from billing.verify.audit.events import table
from billing.verify.definition import Event
from tests.conftest import Cli

MICROSECOND = timedelta(microseconds=1)


# Events, terms and instants, as they are written here. What is not said of an event: it is of account acme.


def called(event_id: str, identity_id: str, on: str, account_id: str = "acme") -> Event:
    return Event(account_id, identity_id, "action.called", at(on), event_id)


def deleted(event_id: str, identity_id: str, on: str, account_id: str = "acme") -> Event:
    return Event(account_id, identity_id, "identity.deleted", at(on), event_id)


def created(
    event_id: str, identity_id: str, on: str, account_id: str = "acme", identity_type: str = "standard"
) -> Event:
    return Event(account_id, identity_id, "identity.created", at(on), event_id, identity_type=identity_type)


def void(event_id: str, voids: str, identity_id: str, account_id: str = "acme") -> Event:
    return Event(account_id, identity_id, "event.voided", at("2026-01-01"), event_id, voids=voids)


def plan(name: str = "ten", *tiers: tuple[int | None, str], currency: str = "USD") -> billing.Plan:
    """A volume plan of steps (up to, price); 10.00 for each without any."""
    steps = [billing.Tier(up_to=up_to, unit_price=Decimal(price)) for up_to, price in tiers or [(None, "10.00")]]
    return billing.Plan(id=name, currency=currency, mode="volume", tiers=tuple(steps))


def utc(text: str) -> datetime:
    """A day, or an instant of it, in UTC."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def at(text: str) -> int:
    """The same in microseconds."""
    return micros(utc(text))


TEN = plan()
CHEAPER = plan("cheaper", (1, "10.00"), (None, "4.00"))
IN_NEW_YORK = billing.CycleRule(anchor=utc("2025-10-14T07:13:47"), timezone="America/New_York")


# What is done with a ledger.


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with closing(billing.open_ledger("sqlite:///:memory:")) as opened:
        yield opened


def send(ledger: Ledger, *events: Event, now: str = "2026-02-01") -> None:
    """Append events, all of which must be accepted."""
    receipt = billing.append(ledger, table(events), now=utc(now))
    assert () == receipt.rejections


def close(ledger: Ledger, month: str = "2026-01", now: str = "2026-02-02", **asked: Any) -> billing.CloseResult:
    return billing.close(ledger, month, now=utc(now), issue=True, **asked)


def restate(ledger: Ledger, now: str = "2026-03-02", **asked: Any) -> billing.RestateResult:
    return billing.restate(ledger, now=utc(now), issue=True, **asked)


def billed(issued: Sequence[Document]) -> list[tuple[str, str, str, str]]:
    """The number, account, cycle and total of what was issued."""
    said = [json.loads(document.content) for document in issued if document.number]
    return [(s["number"], s["account_id"], s["cycle"], s["total"]) for s in said]


def with_terms(ledger: Ledger, terms: Any = TEN, **asked: Any) -> Ledger:
    """The ledger, with terms in it."""
    billing.add_terms(ledger, terms, now=utc("2026-01-01"), **asked)
    return ledger


def january(ledger: Ledger, *events: Event, terms: Any = TEN) -> Ledger:
    """A ledger in which January is closed."""
    send(ledger, *events)
    close(ledger, terms=terms)
    return ledger


def drafts(ledger: Ledger, position: int | None = None, first: str = "2025-12", last: str = "2026-04") -> str:
    """The drafts of some months at a position, to the byte."""
    found = billing.draft(ledger, first=first, last=last, position=position)
    return to_json(map(invoice_content, found))


# Closing.


def test_each_account_with_an_event_before_the_end_gets_one_invoice_also_over_nothing(ledger: Ledger) -> None:
    """Whoever was there is billed, be it 0.00; who came later, or never was, is not."""
    send(
        ledger,
        called("e1", "ada", "2026-01-05"),
        called("e2", "bo", "2026-01-05"),
        called("e1", "ada", "2025-11-01", "asleep"),
        created("e1", "ada", "2026-01-31T23:59:59.999999", "created"),
        called("e1", "ada", "2026-02-01", "later"),
        created("e1", "ada", "2026-02-01", "created-later"),
        called("e1", "ada", "2026-01-05", "mistaken"),
        void("v1", "e1", "ada", "mistaken"),
        void("v1", "e9", "ada", "only-voids"),
    )
    assert [
        ("INV-000001", "acme", "2026-01", "20.00"),
        ("INV-000002", "asleep", "2026-01", "0.00"),
        ("INV-000003", "created", "2026-01", "0.00"),
    ] == billed(close(ledger, terms=TEN).documents)


def test_closing_again_does_nothing(ledger: Ledger) -> None:
    """A cycle that was closed says by which number, and that is all."""
    send(ledger, called("e1", "ada", "2026-01-05"))
    close(ledger, terms=TEN)
    head = ledger.head()
    again = close(ledger, now="2026-02-09")
    assert ((), (), ["INV-000001"]) == (again.documents, again.drafts, [b.numbers[0] for b in again.closed])
    assert (head, ["terms", "invoice"]) == (ledger.head(), [document.kind for document in ledger.documents()])


def test_without_issuing_nothing_is_written(ledger: Ledger) -> None:
    """People look before anything is sent; terms that were tried are not agreed either."""
    send(ledger, called("e1", "ada", "2026-01-05"))
    head = ledger.head()
    shown = billing.close(ledger, "2026-01", terms=TEN, now=utc("2026-02-02"))
    assert (["10.00 USD"], (), head) == ([str(d.total) for d in shown.drafts], shown.documents, ledger.head())


def test_what_is_issued_is_what_was_shown(ledger: Ledger) -> None:
    """To the byte, but for number, date and status."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-05"), called("e1", "bo", "2026-01-06", "bolt"))
    shown = [invoice_content(drafted) for drafted in billing.close(ledger, "2026-01", now=utc("2026-02-02")).drafts]
    issued = [json.loads(document.content) for document in close(ledger).documents]
    assert shown == [_as_drafted(said) for said in issued]


def test_a_cycle_is_closed_once_it_has_settled(ledger: Ledger) -> None:
    """Late events of a day cost nobody a note."""
    send(ledger, called("e1", "ada", "2026-01-05"))
    settled = utc("2026-02-01") + GRACE_PERIOD
    early = billing.close(ledger, "2026-01", terms=TEN, now=settled - MICROSECOND, issue=True)
    assert (timedelta(days=1), ["acme"], (), ()) == (
        GRACE_PERIOD, [waiting.account_id for waiting in early.waiting], early.drafts, early.documents
    )  # fmt: skip
    assert [] == ledger.documents()  # and its terms are not agreed by it
    in_time = billing.close(ledger, "2026-01", terms=TEN, now=settled, issue=True)
    assert ((), 1) == (in_time.waiting, len(in_time.drafts))


@pytest.mark.parametrize(("days", "due"), [(0, True), (1, True), (2, False)])
def test_how_long_a_cycle_settles_can_be_said(ledger: Ledger, days: int, due: bool) -> None:
    """Who knows that all has come need not wait, who knows better waits longer."""
    send(ledger, called("e1", "ada", "2026-01-05"))
    shown = billing.close(ledger, "2026-01", terms=TEN, grace_period=timedelta(days=days), now=utc("2026-02-02"))
    assert (due, not due) == (bool(shown.drafts), bool(shown.waiting))


def test_a_cycle_that_is_not_over_cannot_be_closed(ledger: Ledger) -> None:
    """Not even without any delay: its peak may still rise."""
    send(ledger, called("e1", "ada", "2026-01-05"))
    shown = billing.close(
        ledger, "2026-01", terms=TEN, grace_period=timedelta(0), now=utc("2026-02-01") - MICROSECOND, issue=True
    )
    assert ((), 1) == (shown.documents, len(shown.waiting))


def test_nobody_waits_for_an_account_in_which_nothing_happened(ledger: Ledger) -> None:
    """It will get no invoice, so none is announced."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-05"), void("v1", "e1", "ada"), now="2026-01-10")
    assert () == billing.close(ledger, "2026-01", now=utc("2026-01-20")).waiting


def test_accounts_can_be_closed_one_by_one(ledger: Ledger) -> None:
    """In whatever order: each has its own invoice, and numbers follow the order of issue."""
    with_terms(ledger)
    send(ledger, *(called("e1", "ada", "2026-01-05", account) for account in ("acme", "bolt", "cargo")))
    assert ["bolt"] == [b[1] for b in billed(close(ledger, accounts=["bolt"]).documents)]
    assert [("INV-000002", "acme"), ("INV-000003", "cargo")] == [b[:2] for b in billed(close(ledger).documents)]
    with pytest.raises(billing.UnknownAccount):
        close(ledger, accounts=["acmee"])


def test_numbers_follow_account_and_then_cycle(ledger: Ledger) -> None:
    """Within one issue the order is that of names; months are issued one after the other."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-20", "bolt"), called("e1", "ada", "2026-01-20"))
    issued = [*close(ledger).documents, *close(ledger, "2026-02", "2026-03-02").documents]
    assert [("INV-000001", "acme", "2026-01"), ("INV-000002", "bolt", "2026-01"), ("INV-000003", "acme", "2026-02"),
            ("INV-000004", "bolt", "2026-02")] == [b[:3] for b in billed(issued)]  # fmt: skip


def test_an_account_that_becomes_known_late_gets_its_invoice_late(ledger: Ledger) -> None:
    """It had none, so it is an invoice and no note."""
    january(ledger, called("e1", "ada", "2026-01-05"))
    send(ledger, called("e1", "ada", "2026-01-06", "bolt"), now="2026-02-05")
    assert () == restate(ledger).documents
    assert [("INV-000002", "bolt", "2026-01", "10.00")] == billed(close(ledger, now="2026-03-02").documents)


def test_an_invoice_says_what_it_was_computed_from(ledger: Ledger) -> None:
    """All that is needed to compute it again, in keys that never change their order."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-05T09:00:00"), called("e2", "ada", "2026-02-05"))
    (document,) = close(ledger).documents
    said = json.loads(document.content)
    assert {
        "account_id": "acme",
        "cycle_start": "2026-01-01T00:00:00Z",
        "cycle_end": "2026-02-01T00:00:00Z",
        "peak": 1,
        "peak_at": "2026-01-05T09:00:00Z",
        "plan_id": "ten",
        "currency": "USD",
        "lines": [
            {
                "kind": "usage",
                "description": "Peak of 1 engagement identity: 1 x 10.00",
                "quantity": 1,
                "unit_price": "10.00",
                "amount": "10.00",
            }
        ],
        "total": "10.00",
        "status": "issued",
        "number": "INV-000001",
        "policy": {"action_window": "P30D", "connect_window": "P5D", "reconnect": "extends"},
        "basis": {
            "events": 2,
            "position": 3,
            "digest": ledger.head(position=3).digest,
            "tzdata": zone_rules_version(),
            "terms_version": 1,
        },
        "kind": "invoice",
        "cycle": "2026-01",
        "issued_at": "2026-02-02T00:00:00Z",
        "refers_to": None,
    } == said
    assert ["account_id", "cycle_start", "cycle_end", "peak", "peak_at", "plan_id", "currency", "lines", "total",
            "status", "number", "policy", "basis", "kind", "cycle", "issued_at", "refers_to"] == list(said)  # fmt: skip


# What never changes.


def test_what_was_issued_never_changes(ledger: Ledger) -> None:
    """Whatever comes: late events, voids, other terms, notes, more closings."""
    january(ledger, called("e1", "ada", "2026-01-05"), called("e2", "bo", "2026-01-06"))
    issued = ledger.documents()
    send(ledger, called("e3", "cy", "2026-01-07"), void("v1", "e1", "ada"), now="2026-02-05")
    billing.add_terms(ledger, CHEAPER, applies_from=utc("2026-02-01"), now=utc("2026-02-06"))
    restate(ledger)
    send(ledger, deleted("e4", "bo", "2026-01-01"), now="2026-03-03")
    restate(ledger, "2026-03-04")
    close(ledger, "2026-02", "2026-03-05")
    assert issued == ledger.documents()[: len(issued)]


def test_drafts_at_a_noted_position_come_back_to_the_byte(ledger: Ledger) -> None:
    """What was on the table then can be put on the table again, whatever came since."""
    with_terms(ledger)
    noted: list[tuple[int, str]] = []

    def note() -> None:
        noted.append((ledger.head().position, drafts(ledger)))

    send(ledger, called("e1", "ada", "2026-01-05"), called("e2", "bo", "2026-01-06"))
    note()
    send(ledger, called("e3", "cy", "2026-01-07"), called("e1", "ada", "2025-12-30", "bolt"))
    note()
    close(ledger)
    note()
    send(ledger, void("v1", "e1", "ada"), created("e4", "bo", "2026-02-02"), now="2026-02-03")
    note()
    billing.add_terms(ledger, CHEAPER, applies_from=utc("2026-02-01"), now=utc("2026-02-04"))
    note()
    restate(ledger)
    note()
    assert len(noted) == len({text for _, text in noted})
    assert noted == [(position, drafts(ledger, position)) for position, _ in noted]


@pytest.mark.parametrize("when", ["before", "with the first invoices"])
def test_every_invoice_can_be_drafted_again_from_what_it_says(ledger: Ledger, when: str) -> None:
    """A bill is a function of the ledger up to its position, the cycle and the terms: nothing else is needed."""
    if when == "before":
        with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-05"), called("e1", "bo", "2026-01-06", "bolt"))
    issued = close(ledger, terms=TEN).documents
    send(ledger, called("e2", "cy", "2026-01-05"), now="2026-02-03")
    billing.add_terms(ledger, CHEAPER, applies_from=utc("2026-02-01"), now=utc("2026-02-04"))
    for said in (json.loads(document.content) for document in issued if document.number):
        (again,) = billing.draft(
            ledger, first=said["cycle"], last=said["cycle"], accounts=[said["account_id"]],
            position=said["basis"]["position"],
        )  # fmt: skip
        assert _as_drafted(said) == invoice_content(again)


def test_an_event_that_came_while_an_invoice_was_issued_is_late(ledger: Ledger) -> None:
    """It has a lower position than the invoice and was not part of it, so it must not be lost."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-05"))
    drafted = billing.close(ledger, "2026-01", now=utc("2026-02-02"))
    send(ledger, called("e2", "bo", "2026-01-06"), now="2026-02-02")
    (invoice,) = ledger.issue(drafted.unissued, after=drafted.head.documents_digest, now=at("2026-02-02"))
    entry = ledger.entry("acme", "e2")
    assert entry is not None
    assert entry.position < invoice.position
    (restatement,) = restate(ledger).restatements
    assert ["e2"] == [late.event_id for late in restatement.events]


def test_who_closes_at_the_same_time_drafts_again_and_bills_nobody_twice(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two, one issues, and the other finds nothing left to issue but what is new."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-05"), called("e1", "ada", "2026-01-05", "bolt"))
    really, others = ledger.issue, iter([["acme"]])

    def issue(papers: Sequence[UnissuedDocument], *, after: str, now: int) -> list[Document]:
        for accounts in others:  # somebody else was a little faster
            close(ledger, accounts=accounts)
        return really(papers, after=after, now=now)

    monkeypatch.setattr(ledger, "issue", issue)
    assert [("INV-000002", "bolt")] == [b[:2] for b in billed(close(ledger).documents)]
    assert ["INV-000001", "INV-000002"] == [document.number for document in ledger.documents("invoice")]


@pytest.mark.parametrize("verb", ["close", "restate"])
def test_nothing_is_issued_if_the_ledger_has_gone_on_since_it_was_looked_at(ledger: Ledger, verb: str) -> None:
    """Who approved these figures did not approve others."""
    january(ledger, called("e1", "ada", "2026-01-05"))
    send(ledger, called("e2", "bo", "2026-01-06"), called("e1", "ada", "2026-01-05", "bolt"), now="2026-02-03")
    seen = ledger.head().position
    send(ledger, called("e3", "cy", "2026-01-06"), now="2026-02-03")
    act = close if verb == "close" else restate
    with pytest.raises(billing.StaleLedger) as stale:
        act(ledger, now="2026-03-02", position=seen)
    assert ("position_stale", seen, seen + 1) == (
        stale.value.code, stale.value.details["got"], stale.value.details["last"]
    )  # fmt: skip
    assert seen + 1 == ledger.head().position
    assert 1 == len(billed(act(ledger, now="2026-03-02", position=seen + 1).documents))


def test_nothing_is_issued_if_it_goes_on_while_the_first_terms_are_kept(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a closing takes two steps, what is issued is what was looked at."""
    send(ledger, called("e1", "ada", "2026-01-05"))
    seen, really = ledger.head().position, module.add_terms

    def add_terms(*terms: Any, **asked: Any) -> billing.TermsVersion:
        version = really(*terms, **asked)
        send(ledger, called("e2", "bo", "2026-01-06"))  # somebody else was a little faster
        return version

    monkeypatch.setattr(module, "add_terms", add_terms)
    with pytest.raises(billing.StaleLedger):
        close(ledger, terms=TEN, position=seen)
    assert [] == ledger.documents("invoice")


def test_documents_are_not_dated_before_the_events_they_are_made_of(ledger: Ledger) -> None:
    """They would claim to be known before what they say was."""
    send(ledger, called("e1", "ada", "2026-01-05"), now="2026-02-20")
    with pytest.raises(billing.BadLedger) as refused:
        close(ledger, terms=TEN, now="2026-02-02")
    assert ("issued_at_backwards", []) == (refused.value.code, ledger.documents())


# Terms.


def test_a_ledger_without_terms_cannot_be_closed(ledger: Ledger) -> None:
    """Nobody can say what an identity costs."""
    send(ledger, called("e1", "ada", "2026-01-05"))
    with pytest.raises(billing.BadTerms) as refused:
        close(ledger)
    assert "terms_missing" == refused.value.code


def test_terms_given_to_a_closing_are_those_of_the_ledger_or_refused(ledger: Ledger) -> None:
    """A price that changes by an option nobody remembers could not be computed again."""
    january(ledger, called("e1", "ada", "2026-01-31"))
    assert 1 == len(close(ledger, "2026-02", "2026-03-02", terms=plan()).drafts)
    with pytest.raises(billing.BadTerms) as refused:
        close(ledger, "2026-03", "2026-04-02", terms=CHEAPER)
    assert ("terms_differ", 1) == (refused.value.code, refused.value.details["version"])


def test_an_account_without_a_plan_stops_the_closing(ledger: Ledger) -> None:
    """Nothing is issued for the others either, so that nobody thinks it is done."""
    send(ledger, called("e1", "ada", "2026-01-05"), called("e1", "ada", "2026-01-05", "bolt"))
    with pytest.raises(billing.BadTerms) as refused:
        close(ledger, terms=billing.AllTerms(billing.Terms(), {"acme": billing.Terms(plan=TEN)}))
    assert ("plan_missing", []) == (refused.value.code, ledger.documents())


def test_later_terms_need_a_date(ledger: Ledger) -> None:
    """Without one, what is not yet closed would be billed by prices that were never announced."""
    with_terms(ledger)
    with pytest.raises(billing.BadTerms) as refused:
        billing.add_terms(ledger, CHEAPER, now=utc("2026-02-02"))
    assert ("terms_from_missing", 1) == (refused.value.code, len(ledger.documents("terms")))


def test_the_first_terms_apply_to_all_cycles_whatever_date_is_given(ledger: Ledger) -> None:
    """A cycle without terms would quietly get no invoice, and its account vanish from every list."""
    with_terms(ledger, applies_from=utc("2026-02-01"))
    send(ledger, called("e1", "ada", "2026-01-05"))
    assert ["2026-01", "2026-02"] == [
        drafted.cycle.name for drafted in billing.draft(ledger, first="2026-01", last="2026-02")
    ]
    assert 1 == len(close(ledger).drafts)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2026-01-01", ["new", "new", "new"]),
        ("2026-01-01T00:00:00.000001", ["ten", "new", "new"]),
        ("2026-02-01", ["ten", "new", "new"]),
        ("2026-02-02", ["ten", "ten", "new"]),
    ],
)
def test_the_plan_in_force_at_a_cycles_start_applies_to_all_of_it(
    ledger: Ledger, since: str, expected: list[str]
) -> None:
    """A price that begins within a cycle begins with the next."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-05"))
    billing.add_terms(ledger, plan("new"), applies_from=utc(since), now=utc("2026-02-01"))
    months = [("2026-01", "2026-02-02"), ("2026-02", "2026-03-02"), ("2026-03", "2026-04-02")]
    issued = [document for month, now in months for document in close(ledger, month, now).documents]
    assert expected == [json.loads(document.content)["plan_id"] for document in issued]


def test_the_cycles_of_an_account_stay_as_they_are_after_its_first_invoice(ledger: Ledger) -> None:
    """Else some days would be billed twice, or never; other accounts are free."""
    january(ledger, called("e1", "ada", "2026-01-05"))
    send(ledger, called("e1", "ada", "2026-01-31T12:00:00", "bolt"), now="2026-02-02")
    quarters = billing.Terms(plan=TEN, cycles=billing.CycleRule(months=3))
    since = utc("2026-02-01")
    with pytest.raises(billing.BadTerms) as refused:
        billing.add_terms(ledger, quarters, applies_from=since, now=utc("2026-02-03"))
    assert ("cycle_rule_change", '"acme"', 1) == (
        refused.value.code, refused.value.details["account"], len(ledger.documents("terms"))
    )  # fmt: skip
    for_bolt = billing.AllTerms(billing.Terms(plan=TEN), {"bolt": quarters})
    billing.add_terms(ledger, for_bolt, applies_from=since, now=utc("2026-02-03"))
    frame = billing.peaks(ledger, first="2026-01", last="2026-01")
    assert [utc("2026-02-01"), utc("2026-04-01")] == frame.cycle_end.tolist()


def test_a_cycle_that_overlaps_one_that_was_billed_is_refused(ledger: Ledger) -> None:
    """However it came about, by other time zone rules or a program that goes round `add_terms`."""
    january(ledger, called("e1", "ada", "2026-01-05"))
    west = billing.TermsVersion(
        2,
        at("2026-02-01"),
        billing.AllTerms(billing.Terms(plan=TEN, cycles=billing.CycleRule(timezone="America/New_York"))),
    )
    paper = UnissuedDocument("terms", None, None, version_document(west))
    ledger.issue([paper], after=ledger.head().documents_digest, now=at("2026-02-03"))
    with pytest.raises(billing.BadLedger) as refused:
        close(ledger, "2026-01", "2026-02-09")  # from five hours later to five hours later
    assert ("cycles_overlap", "INV-000001") == (refused.value.code, refused.value.details["number"])
    assert 1 == len(ledger.documents("invoice"))


@pytest.mark.parametrize(
    "terms",
    [
        billing.Terms(plan=TEN, discount=Decimal(100) / 3),
        billing.Terms(plan=TEN, cycles=billing.CycleRule(anchor=utc("1999-12-31"))),
        billing.Terms(
            plan=TEN, cycles=billing.CycleRule(anchor=datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC), months=12)
        ),
        billing.Terms(plan=TEN, policy=billing.ActivityPolicy(action_window=MICROSECOND)),
        billing.Terms(plan=plan("cheap", (None, "0.0000001"))),
        billing.AllTerms(billing.Terms(plan=TEN), {'x"]\n': billing.Terms(plan=plan("other", currency="JPY"))}),
    ],
    ids=["a third off", "an old anchor", "an odd anchor", "an odd window", "a tiny price", "an odd account"],
)
def test_terms_that_are_kept_can_be_read_again(ledger: Ledger, terms: Any) -> None:
    """What cannot be read again must be refused before it is kept: a ledger that only grows could not be mended."""
    try:
        billing.add_terms(ledger, terms, now=utc("2026-01-01"))
    except billing.BillingError:
        assert [] == ledger.documents()
        return
    expected = terms if isinstance(terms, billing.AllTerms) else billing.AllTerms(terms)
    assert expected == engine.terms_in(ledger).versions[0].terms


def test_the_date_of_terms_that_are_kept_can_be_read_again(ledger: Ledger) -> None:
    """The same for when they apply from."""
    with_terms(ledger)
    try:
        billing.add_terms(ledger, CHEAPER, applies_from=utc("1999-12-31"), now=utc("2026-01-02"))
    except billing.BillingError:
        assert 1 == len(ledger.documents("terms"))
        return
    assert at("1999-12-31") == engine.terms_in(ledger).versions[-1].applies_from


# Restating.

#: Two identities in January: ada until the 10th of February, bo until the 11th.
TWO = (called("e1", "ada", "2026-01-11"), called("e2", "bo", "2026-01-12"))


@pytest.mark.parametrize(
    ("late", "expected", "peaks", "now_active", "no_longer_active"),
    [
        pytest.param(
            [called("e3", "cy", "2026-01-20")], ("INV-000002", "10.00"), (2, 3), ["cy"], [], id="an action"
        ),
        pytest.param(
            [deleted("e3", "bo", "2026-01-12")], ("CN-000001", "-10.00"), (2, 1), [], ["bo"], id="a deletion"
        ),
        pytest.param([void("v1", "e2", "bo")], ("CN-000001", "-10.00"), (2, 1), [], ["bo"], id="a void"),
        pytest.param(
            [created("e3", "bo", "2026-02-20")], ("CN-000001", "-10.00"), (2, 1), [], ["bo"], id="a type"
        ),
        pytest.param(
            [deleted("e3", "ada", "2026-01-11"), called("e4", "cy", "2026-01-20"), called("e5", "di", "2026-01-20")],
            ("INV-000002", "10.00"), (2, 3), ["cy", "di"], ["ada"], id="three events",
        ),
    ],
)  # fmt: skip
def test_a_late_event_is_settled_by_a_note_that_explains_itself(
    ledger: Ledger,
    late: list[Event],
    expected: tuple[str, str],
    peaks: tuple[int, int],
    now_active: list[str],
    no_longer_active: list[str],
) -> None:
    """What more is owed is a supplementary invoice, what less a credit note, over the negative amount."""
    january(ledger, *TWO)
    send(ledger, *late, now="2026-02-05")
    (restatement,) = restate(ledger).restatements
    (note,) = ledger.documents("supplementary_invoice", "credit_note")
    said = json.loads(note.content)
    assert (expected, "INV-000001", "10.00" == expected[1]) == (
        (said["number"], said["total"]), said["refers_to"], said["kind"] == "supplementary_invoice"
    )  # fmt: skip
    assert peaks == (said["peak_before"], said["peak"])
    assert (now_active, no_longer_active) == (said["now_active"], said["no_longer_active"])
    assert [e.event_id for e in late] == [event["event_id"] for event in said["late_events"]]
    assert [e.occurred_at for e in late] == [event.occurred_at for event in restatement.events]
    assert {at("2026-02-05")} == {event.recorded_at for event in restatement.events}
    position = restatement.fresh.basis.position
    fresh = drafts(ledger, position, first="2026-01", last="2026-01")
    assert fresh == to_json([invoice_content(restatement.fresh)])


def test_a_note_lists_the_cycle_as_it_is_now_less_what_was_billed(ledger: Ledger) -> None:
    """Its lines add up to its total, and nobody needs another paper to check that."""
    january(ledger, *TWO)
    send(ledger, called("e3", "cy", "2026-01-20"), now="2026-02-05")
    (note,) = [document for document in restate(ledger).documents if document.number]
    said = json.loads(note.content)
    assert [("usage", 3, "30.00"), ("billed", None, "-20.00")] == [
        (line["kind"], line["quantity"], line["amount"]) for line in said["lines"]
    ]
    assert ("Already billed by INV-000001", "20.00", ["INV-000001"]) == (
        said["lines"][1]["description"], said["billed"], said["restates"]
    )  # fmt: skip
    assert {"events": 3, "position": 5, "terms_version": 1} == {
        key: said["basis"][key] for key in ("events", "position", "terms_version")
    }
    assert (at("2026-01-01"), "acme", at("2026-03-02")) == (note.cycle_start, note.account_id, note.recorded_at)


def test_an_invoice_over_nothing_is_restated_like_any_other(ledger: Ledger) -> None:
    """There is a cycle, and now it comes to something; what was billed is 0.00 and not -0.00."""
    january(ledger, created("e1", "ada", "2026-01-05", identity_type="engagement"))
    send(ledger, called("e2", "ada", "2026-01-06"), now="2026-02-05")
    (note,) = [document for document in restate(ledger).documents if document.number]
    said = json.loads(note.content)
    assert ("10.00", "0.00", ["10.00", "0.00"]) == (
        said["total"], said["billed"], [line["amount"] for line in said["lines"]]
    )  # fmt: skip
    send(ledger, void("v1", "e2", "ada"), now="2026-03-03")
    assert [("CN-000001", "acme", "2026-01", "-10.00")] == billed(restate(ledger, "2026-03-04").documents)


def test_restating_without_issuing_writes_nothing(ledger: Ledger) -> None:
    """People look before anything is sent."""
    january(ledger, *TWO)
    send(ledger, called("e3", "cy", "2026-01-20"), now="2026-02-05")
    head = ledger.head()
    shown = billing.restate(ledger, now=utc("2026-03-02"))
    assert (["10.00 USD"], (), head) == (
        [str(r.difference) for r in shown.restatements],
        shown.documents,
        ledger.head(),
    )


def test_a_late_event_at_the_end_of_january_moves_three_cycles(ledger: Ledger) -> None:
    """Thirty days from noon on the 31st reach over all of February into March."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-01"))
    for month, now in (("2026-01", "2026-02-02"), ("2026-02", "2026-03-02"), ("2026-03", "2026-04-02")):
        close(ledger, month, now)
    send(ledger, called("e2", "bo", "2026-01-31T12:00:00"), now="2026-04-05")
    restated = restate(ledger, "2026-04-06")
    assert [
        ("INV-000004", "acme", "2026-02", "10.00"),
        ("INV-000005", "acme", "2026-03", "10.00"),
    ] == billed(restated.documents)  # ada had gone to sleep before: one at a time in January
    assert 3 == restated.touched
    send(ledger, called("e3", "cy", "2026-01-31T12:00:00"), now="2026-04-07")
    assert ["2026-01", "2026-02", "2026-03"] == [
        r.billed.cycle.name for r in restate(ledger, "2026-04-08").restatements
    ]


def test_a_late_event_that_reaches_a_cycle_by_a_microsecond_is_looked_at(ledger: Ledger) -> None:
    """Thirty days before its start is one microsecond too early, and then the cycle begins with one more."""
    january(ledger, called("e1", "ada", "2025-12-20"))
    send(ledger, called("e2", "bo", "2025-12-02"), now="2026-02-05")
    assert 0 == restate(ledger).touched
    send(ledger, called("e3", "bo", "2025-12-02T00:00:00.000001"), now="2026-03-03")
    (restatement,) = restate(ledger, "2026-03-04").restatements
    assert (["e3"], utc("2026-01-01")) == ([late.event_id for late in restatement.events], restatement.fresh.peak_at)


def test_a_late_event_that_changes_no_amount_makes_no_note(ledger: Ledger) -> None:
    """There is no note of 0; and what was looked at once is not looked at again."""
    january(ledger, *TWO)
    send(
        ledger,
        called("e3", "ada", "2026-01-13"),  # she is active then anyway
        deleted("e4", "bo", "2026-01-31"),  # after the peak
        created("e5", "ada", "2026-01-01", identity_type="engagement"),  # that is what she is
        called("e6", "cy", "2026-02-03"),  # another cycle
        void("v1", "e6", "cy"),
        now="2026-02-05",
    )
    first = restate(ledger)
    assert ((), [], 1) == (first.restatements, billed(first.documents), first.touched)
    again = restate(ledger, "2026-03-03")
    assert (0, ()) == (again.touched, again.documents)


def test_a_higher_peak_that_costs_less_is_settled_by_a_credit_note(ledger: Ledger) -> None:
    """One is 10.00, two are 8.00: prices by volume can go down."""
    january(ledger, called("e1", "ada", "2026-01-05"), terms=CHEAPER)
    send(ledger, called("e2", "bo", "2026-01-06"), now="2026-02-05")
    restated = restate(ledger)
    assert [("CN-000001", "acme", "2026-01", "-2.00")] == billed(restated.documents)
    assert (1, 2) == (restated.restatements[0].billed.peak, restated.restatements[0].fresh.peak)


def test_invoice_and_notes_together_are_a_fresh_draft(ledger: Ledger) -> None:
    """However often, and in whichever direction: each note restates all papers before it."""
    january(ledger, *TWO)
    steps = [
        (called("e3", "cy", "2026-01-20"), "INV-000002", "10.00"),
        (void("v1", "e1", "ada"), "CN-000001", "-10.00"),
        (void("v2", "e2", "bo"), "CN-000002", "-10.00"),
        (called("e4", "di", "2026-01-20"), "INV-000003", "10.00"),
    ]
    numbers, total = ["INV-000001"], Decimal("20.00")
    for day, (late, number, amount) in enumerate(steps, start=5):
        send(ledger, late, now=f"2026-02-0{day}")
        (note,) = [document for document in restate(ledger, f"2026-02-0{day}").documents if document.number]
        said = json.loads(note.content)
        assert (number, amount, numbers) == (said["number"], said["total"], said["restates"])
        assert [late.event_id] == [event["event_id"] for event in said["late_events"]]
        numbers.append(number)
        total += Decimal(amount)
        (fresh,) = billing.draft(ledger, first="2026-01", last="2026-01")
        assert fresh.total.amount == total
        assert () == restate(ledger, f"2026-02-0{day}").documents


def test_an_explanation_names_the_late_events_and_identities_that_made_the_difference_and_no_others(
    ledger: Ledger,
) -> None:
    """Whoever gets the note wants to know why, and not what else happened."""
    january(ledger, *TWO, called("e1", "ada", "2026-01-12", "bolt"))
    send(
        ledger,
        called("e3", "ada", "2026-01-14"),  # was active then
        called("e4", "cy", "2026-01-20"),
        called("e5", "di", "2025-12-01"),  # inactive before January
        called("e6", "di", "2026-02-01"),  # after it
        called("e7", "cy", "2026-01-21"),  # cy's as well, and it prolongs nothing within January
        deleted("e8", "cy", "2025-11-01"),  # long before
        created("e9", "eve", "2026-01-01"),  # a standard identity that never did anything
        called("e2", "cy", "2026-01-20", "bolt"),  # another account
        now="2026-02-05",
    )
    acme, bolt = restate(ledger).restatements
    assert (["e4", "e7"], ("cy",), ()) == ([e.event_id for e in acme.events], acme.now_active, acme.no_longer_active)
    assert (["e2"], ("cy",), ()) == ([e.event_id for e in bolt.events], bolt.now_active, bolt.no_longer_active)


def test_a_void_explains_a_difference_under_whatever_identity_it_was_told(ledger: Ledger) -> None:
    """What it takes away belongs to the identity of the event that it names."""
    january(ledger, *TWO)
    send(ledger, void("v1", "e2", "somebody"), now="2026-02-05")
    (restatement,) = restate(ledger).restatements
    assert (["v1"], ("bo",)) == ([late.event_id for late in restatement.events], restatement.no_longer_active)


def test_of_an_event_that_came_late_and_was_voided_nothing_is_left(ledger: Ledger) -> None:
    """Both came after the invoice: there is no difference to explain."""
    january(ledger, *TWO)
    send(ledger, called("e3", "cy", "2026-01-20"), void("v1", "e3", "cy"), now="2026-02-05")
    assert () == restate(ledger).restatements


def test_a_void_that_was_there_before_its_target_is_no_late_event(ledger: Ledger) -> None:
    """The target comes late, and never happened."""
    january(ledger, *TWO, void("v1", "e3", "cy"))
    send(ledger, called("e3", "cy", "2026-01-20"), now="2026-02-05")
    assert () == restate(ledger).restatements


def test_what_was_billed_is_restated_under_the_terms_of_then(ledger: Ledger) -> None:
    """Prices, policy and discount of the invoice, whatever was agreed since, also for its own time."""
    january(ledger, *TWO, terms=billing.Terms(plan=TEN, discount=Decimal(50)))
    short = billing.Terms(plan=plan("dear", (None, "99.00")), policy=billing.ActivityPolicy(action_window=timedelta(1)))
    billing.add_terms(ledger, short, applies_from=utc("2026-01-01"), now=utc("2026-02-03"))
    assert () == restate(ledger).restatements
    send(ledger, called("e3", "cy", "2026-01-31"), now="2026-03-03")
    (note,) = [document for document in restate(ledger, "2026-03-04").documents if document.number]
    said = json.loads(note.content)
    assert ("5.00", "ten", 1, "P30D") == (
        said["total"], said["plan_id"], said["basis"]["terms_version"], said["policy"]["action_window"]
    )  # fmt: skip


def test_a_cycle_billed_by_a_longer_window_than_those_before_is_not_passed_over(ledger: Ledger) -> None:
    """Each cycle is touched as far as the policy of its own terms reaches."""
    days = {
        10: billing.ActivityPolicy(action_window=timedelta(10)),
        90: billing.ActivityPolicy(action_window=timedelta(90)),
    }
    with_terms(ledger, billing.Terms(plan=TEN, policy=days[10]))
    long = billing.Terms(plan=TEN, policy=days[90])
    billing.add_terms(ledger, long, applies_from=utc("2026-03-01"), now=utc("2026-01-02"))
    send(ledger, called("e1", "ada", "2026-01-05"))
    for month, now in (("2026-01", "2026-02-02"), ("2026-02", "2026-03-02"), ("2026-03", "2026-04-02")):
        close(ledger, month, now)
    send(ledger, called("e2", "bo", "2026-01-06"), now="2026-04-03")
    assert ["2026-01", "2026-03"] == [r.billed.cycle.name for r in restate(ledger, "2026-04-04").restatements]


def test_restating_some_leaves_the_others_for_later(ledger: Ledger) -> None:
    """Only when everything was looked at need it not be looked at again."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-20"), called("e1", "ada", "2026-01-20", "bolt"))
    close(ledger)
    close(ledger, "2026-02", "2026-03-02")
    late = [called("e2", "bo", "2026-01-25", account) for account in ("acme", "bolt")]
    send(ledger, *late, now="2026-03-03")

    def notes(**asked: Any) -> list[tuple[str, str]]:
        return [b[1:3] for b in billed(restate(ledger, "2026-03-04", **asked).documents)]

    assert [("bolt", "2026-02")] == notes(accounts=["bolt"], first="2026-02")
    assert [("acme", "2026-01")] == notes(accounts=["acme"], last="2026-01")
    assert [("bolt", "2026-01")] == notes(first="2026-01", last="2026-01")
    assert [("acme", "2026-02")] == notes()
    assert [] == notes()


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"first": "2026-1"}, billing.BadCycle),
        ({"last": "January"}, billing.BadCycle),
        ({"first": "2026-02", "last": "2026-01"}, billing.BadCycle),
        ({"accounts": ["acmee"]}, billing.UnknownAccount),
    ],
)
def test_a_question_that_names_nothing_is_refused(
    ledger: Ledger, asked: dict[str, Any], error: type[billing.BillingError]
) -> None:
    """Nothing to restate because of a typing error looks like nothing to restate."""
    january(ledger, *TWO)
    send(ledger, called("e3", "cy", "2026-01-20"), now="2026-02-05")
    with pytest.raises(error):
        restate(ledger, **asked)


def test_a_peak_that_the_plan_refuses_is_told_and_nothing_is_issued(ledger: Ledger) -> None:
    """Some notes and not others would be worse."""
    terms = billing.AllTerms(billing.Terms(plan=TEN), {"bolt": billing.Terms(plan=plan("two", (2, "10.00")))})
    january(ledger, *TWO, *(replace(event, account_id="bolt") for event in TWO), terms=terms)
    send(ledger, called("e3", "cy", "2026-01-20"), called("e3", "cy", "2026-01-20", "bolt"), now="2026-02-05")
    head = ledger.head()
    with pytest.raises(billing.NotPriced):
        restate(ledger)
    assert head == ledger.head()


def test_an_event_is_late_only_for_what_was_billed_before_it(ledger: Ledger) -> None:
    """It may be late for January and in time for February."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-20"))
    close(ledger)
    send(ledger, called("e2", "bo", "2026-01-31"), now="2026-02-05")
    close(ledger, "2026-02", "2026-03-02")
    restated = restate(ledger, "2026-03-03")
    assert (1, [("INV-000003", "acme", "2026-01", "10.00")]) == (restated.touched, billed(restated.documents))
    assert 0 == billing.restate(ledger, now=utc("2026-03-04")).touched


def test_what_was_looked_at_is_kept_and_shows_that_it_was(ledger: Ledger) -> None:
    """The position up to which everything issued was compared with what was known."""
    january(ledger, *TWO)
    send(ledger, called("e3", "cy", "2026-01-20"), now="2026-02-05")
    restate(ledger)
    (record,) = ledger.documents("restatement")
    assert {"position": 5, "looked_at": 1, "restated": 1} == json.loads(record.content)


def test_pruning_looks_at_no_more_than_late_events_can_have_touched(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year of closed cycles is not computed again for an event of yesterday."""
    with_terms(ledger)
    send(ledger, *(called("e1", "ada", "2025-06-05", account) for account in ("acme", "bolt", "cargo")))
    for month in range(6, 13):
        now = "2026-02-02" if month == 12 else f"2026-02-01T0{month % 6}:00:00"
        close(ledger, f"2025-{month:02}", now)
    computed: list[str] = []
    really = engine.draft_cycle

    def draft_cycle(*asked: Any) -> list[billing.Invoice]:
        found = really(*asked)
        computed.extend(f"{drafted.account_id} {drafted.cycle.name}" for drafted in found)
        return found

    monkeypatch.setattr(engine, "draft_cycle", draft_cycle)
    send(ledger, called("e2", "bo", "2025-12-20", "bolt"), now="2026-02-03")
    assert 1 == restate(ledger, "2026-02-04").touched
    assert ["bolt 2025-12"] == computed


# Statements.


def test_a_statement_tells_the_balance_after_each_document_and_at_any_time(ledger: Ledger) -> None:
    """The sum of all totals of an account up to here."""
    january(ledger, *TWO, called("e1", "ada", "2026-01-05", "bolt"))
    closed_at = ledger.head().position
    send(ledger, called("e3", "cy", "2026-01-30"), void("v1", "e1", "ada", "bolt"), now="2026-02-05")
    restate(ledger, "2026-02-06")
    close(ledger, "2026-02", "2026-03-02")

    def rows(**asked: Any) -> list[tuple[Any, ...]]:
        frame = billing.statement(ledger, **asked)
        return [(r.account_id, r.cycle, r.number, str(r.total), str(r.balance)) for r in frame.itertuples()]

    acme = [
        ("acme", "2026-01", "INV-000001", "20.00", "20.00"),
        ("acme", "2026-01", "INV-000003", "10.00", "30.00"),
        ("acme", "2026-02", "INV-000004", "30.00", "60.00"),
    ]
    bolt = [
        ("bolt", "2026-01", "INV-000002", "10.00", "10.00"),
        ("bolt", "2026-01", "CN-000001", "-10.00", "0.00"),
    ]
    assert ([*acme, *bolt], bolt) == (rows(), rows(account_id="bolt"))
    assert [acme[0], bolt[0]] == rows(position=closed_at) == rows(known_at=utc("2026-02-06") - MICROSECOND)
    assert [*acme[:2], *bolt] == rows(known_at=utc("2026-02-06"))
    assert [] == rows(position=0)
    frame = billing.statement(ledger)
    assert ["invoice", "supplementary_invoice", "invoice", "invoice", "credit_note"] == frame.kind.tolist()
    assert [utc("2026-02-02"), utc("2026-02-06"), utc("2026-03-02")] == frame.issued_at.tolist()[:3]


def test_a_statement_has_the_same_columns_when_it_is_empty(ledger: Ledger) -> None:
    """Whoever joins it to other tables must not find others."""
    empty = billing.statement(ledger)
    full = billing.statement(january(ledger, *TWO))
    assert [
        *("account_id", "cycle", "cycle_start", "cycle_end", "number", "kind", "issued_at"),
        *("total", "balance", "currency"),
    ] == [*empty.columns]
    assert [*full.dtypes] == [*empty.dtypes]


def test_each_currency_has_a_balance_of_its_own(ledger: Ledger) -> None:
    """Sums are of one currency; an account may change its own, and its notes keep that of then."""
    yen = billing.Terms(plan=plan("yen", (None, "900"), currency="JPY"))
    with_terms(ledger, billing.AllTerms(billing.Terms(plan=TEN), {"bolt": yen}))
    send(ledger, called("e1", "ada", "2026-01-30"), called("e1", "ada", "2026-01-30", "bolt"))
    close(ledger)
    euros = plan("euros", (None, "9.50"), currency="EUR")
    billing.add_terms(ledger, euros, applies_from=utc("2026-02-01"), now=utc("2026-02-03"))
    close(ledger, "2026-02", "2026-03-02")
    send(ledger, called("e2", "bo", "2026-01-31"), called("e2", "bo", "2026-01-31", "bolt"), now="2026-03-03")
    restate(ledger, "2026-03-04")
    shown = ("account_id", "cycle", "total", "balance", "currency")
    assert [
        ("acme", "2026-01", "10.00", "10.00", "USD"),
        ("acme", "2026-02", "9.50", "9.50", "EUR"),
        ("acme", "2026-01", "10.00", "20.00", "USD"),
        ("acme", "2026-02", "9.50", "19.00", "EUR"),
        ("bolt", "2026-01", "900", "900", "JPY"),
        ("bolt", "2026-02", "9.50", "9.50", "EUR"),
        ("bolt", "2026-01", "900", "1800", "JPY"),
        ("bolt", "2026-02", "9.50", "19.00", "EUR"),
    ] == [tuple(row[key] for key in shown) for row in json_rows(invoicing.statement(issuing.statement(ledger)))]


def test_anniversary_cycles_in_new_york_are_closed_and_restated_with_their_discount(ledger: Ledger) -> None:
    """The cycle ends at 03:13:47 by the clock there, and a discount is rounded as often as it is billed."""
    terms = billing.Terms(plan=plan("list", (None, "7.99")), cycles=IN_NEW_YORK, discount=Decimal(10))
    with_terms(ledger, terms)
    send(
        ledger,
        called("e1", "ada", "2026-01-20"),
        called("e2", "bo", "2026-02-14T08:13:46.999999"),
        called("e3", "cy", "2026-02-14T08:13:47"),  # the next cycle
        now="2026-02-14T09:00:00",
    )
    (document,) = close(ledger, "2026-01", "2026-02-15T08:13:47").documents
    said = json.loads(document.content)
    assert ("2026-01-14T08:13:47Z", "2026-02-14T08:13:47Z", "14.38") == (
        said["cycle_start"], said["cycle_end"], said["total"]
    )  # fmt: skip
    assert ["15.98", "-1.60"] == [line["amount"] for line in said["lines"]]
    send(ledger, called("e4", "di", "2026-01-15T08:13:46.999999"), now="2026-02-16")  # inactive as bo came
    assert () == restate(ledger, "2026-02-17").restatements
    send(ledger, called("e5", "di", "2026-01-15T08:13:47"), now="2026-02-18")
    (note,) = [document for document in restate(ledger, "2026-02-19").documents if document.number]
    said = json.loads(note.content)
    assert ["23.97", "-2.40", "-14.38"] == [line["amount"] for line in said["lines"]]
    assert ("7.19", "2026-01", "2026-01-14T08:13:47Z") == (said["total"], said["cycle"], said["cycle_start"])


def test_cycles_of_one_month_that_end_at_different_times_are_closed_as_they_end(ledger: Ledger) -> None:
    """Who waits is told, and the others get their invoices."""
    terms = billing.AllTerms(billing.Terms(plan=TEN), {"bolt": billing.Terms(plan=TEN, cycles=IN_NEW_YORK)})
    with_terms(ledger, terms)
    send(ledger, called("e1", "ada", "2026-01-20"), called("e1", "ada", "2026-01-20", "bolt"))
    first = close(ledger, "2026-01", "2026-02-02")
    assert (["acme"], ["bolt"]) == ([b[1] for b in billed(first.documents)], [w.account_id for w in first.waiting])
    assert ["bolt"] == [b[1] for b in billed(close(ledger, "2026-01", "2026-02-16").documents)]


def test_a_zero_after_a_peak_is_pointed_out(ledger: Ledger) -> None:
    """Perhaps its events no longer arrive; who was never active is no surprise."""
    with_terms(ledger)
    send(ledger, called("e1", "ada", "2026-01-01"), created("e1", "ada", "2026-01-01", "bolt"))
    close(ledger)
    assert () == close(ledger, "2026-01", "2026-02-02").unexpected_zero
    shown = billing.close(ledger, "2026-02", now=utc("2026-03-02"))
    assert [("acme", "2026-02", 1)] == [
        (drafted.account_id, drafted.cycle.name, before) for drafted, before in shown.unexpected_zero
    ]
    close(ledger, "2026-02", "2026-03-02")
    assert () == billing.close(ledger, "2026-03", now=utc("2026-04-02")).unexpected_zero


# On the command line.

EVENTS = """\
event_id,account_id,identity_id,type,occurred_at,recorded_at
e1,acme,ada,action.called,2026-01-11T00:00:00Z,2026-01-11T00:00:01Z
e2,acme,bo,action.called,2026-01-12T00:00:00Z,2026-01-12T00:00:01Z
e1,bolt,ada,identity.created,2026-01-13T00:00:00Z,2026-01-13T00:00:01Z
"""
LATE = """\
event_id,account_id,identity_id,type,occurred_at,recorded_at
e3,acme,cy,action.called,2026-01-20T00:00:00Z,2026-02-05T00:00:00Z
"""
PLAN = """\
id = "ten"
currency = "USD"
mode = "volume"
tiers = [{ unit_price = "10.00" }]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with events and a plan."""
    types = EVENTS.replace("recorded_at\n", "recorded_at,identity_type\n").replace(":01Z\n", ":01Z,\n")
    (tmp_path / "events.csv").write_text(types.replace("13T00:00:01Z,", "13T00:00:01Z,standard"))
    (tmp_path / "late.csv").write_text(LATE)
    (tmp_path / "plan.toml").write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


BOOKS = ("--ledger", "sqlite:///billing.db")
URL = BOOKS[1]
ISSUED_AT = ("--issued-at", "2026-02-02T00:00:00Z")


def test_a_month_on_the_command_line(cli: Cli, folder: Path) -> None:
    """Import, look, close, hear of something late, look, settle, and see what is owed."""
    assert 0 == cli("import", "events.csv", *BOOKS).status
    looked = cli("close", *BOOKS, "--cycle", "2026-01", "--plan", "plan.toml", *ISSUED_AT)
    assert (0, True) == (looked.status, "Nothing was issued; --yes issues." in looked.err)
    shown = json.loads(
        cli("close", *BOOKS, "--cycle", "2026-01", "--plan", "plan.toml", *ISSUED_AT, "--format", "json").out
    )
    assert [("acme", "20.00", "draft"), ("bolt", "0.00", "draft")] == [
        (said["account_id"], said["total"], said["status"]) for said in shown
    ]
    closed = cli("close", *BOOKS, "--cycle", "2026-01", "--plan", "plan.toml", *ISSUED_AT, "--yes", "--format", "json")
    assert (0, "2 invoices issued.\n") == (closed.status, closed.err)
    with closing(billing.open_ledger(URL, create=False)) as ledger:
        kept = [document.content for document in ledger.documents("invoice")]
    assert f"[{', '.join(kept)}]\n" == closed.out

    assert 0 == cli("import", "late.csv", *BOOKS).status
    looked = cli("restate", *BOOKS, "--format", "csv")
    last = "1 note to issue, drafted at position 7. Nothing was issued; --yes issues."
    assert (1, last) == (looked.status, looked.err.splitlines()[-1])
    assert (
        "account_id,cycle,cycle_start,cycle_end,restates,peak_before,peak,billed,total,currency,kind,number,late_events\n"
        "acme,2026-01,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,INV-000001,2,3,20.00,10.00,USD,"
        "supplementary_invoice,,e3\n"
    ) == looked.out
    settled = cli("restate", *BOOKS, "--yes", "--issued-at", "2026-02-06T00:00:00Z", "--format", "csv")
    assert (0, looked.out.replace(",,e3", ",INV-000003,e3")) == (settled.status, settled.out)
    span = "2026-01,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z"
    assert (
        "account_id,cycle,cycle_start,cycle_end,number,kind,issued_at,total,balance,currency\n"
        f"acme,{span},INV-000001,invoice,2026-02-02T00:00:00Z,20.00,20.00,USD\n"
        f"acme,{span},INV-000003,supplementary_invoice,2026-02-06T00:00:00Z,10.00,30.00,USD\n"
        f"bolt,{span},INV-000002,invoice,2026-02-02T00:00:00Z,0.00,0.00,USD\n"
    ) == cli("statement", *BOOKS, "--format", "csv").out
    assert (0, "No note to issue.") == (
        (again := cli("restate", *BOOKS, "--yes")).status, again.err.splitlines()[-1]
    )  # fmt: skip
    assert 0 == cli("ledger", "verify", URL).status


def test_people_are_told_what_waits_and_what_is_closed(cli: Cli, folder: Path) -> None:
    """Nothing issued needs a reason, and a status that a program sees."""
    cli("import", "events.csv", *BOOKS)
    asked = ("close", *BOOKS, "--cycle", "2026-01", "--plan", "plan.toml", "--yes")
    early = cli(*asked, "--issued-at", "2026-02-01T23:59:59Z")
    assert (1, 2) == (early.status, early.err.count("not_settled: account "))
    assert 0 == cli(*asked, "--issued-at", "2026-02-01T06:00:00Z", "--grace-period", "PT6H").status
    again = cli(*asked, "--issued-at", "2026-02-03T00:00:00Z")
    assert (0, 2) == (again.status, again.err.count("already_closed: account "))
    assert "No invoice to issue." == again.err.splitlines()[-1]


def test_a_position_that_has_passed_and_terms_that_are_missing_end_with_status_2(cli: Cli, folder: Path) -> None:
    """The call cannot be done, and nothing was."""
    cli("import", "events.csv", *BOOKS)
    close_january = ("close", *BOOKS, "--cycle", "2026-01", *ISSUED_AT, "--yes")
    assert (2, "terms_missing") == _refused(cli(*close_january))
    assert (2, "position_stale") == _refused(cli(*close_january, "--plan", "plan.toml", "--position", "2"))
    assert 0 == cli(*close_january, "--plan", "plan.toml", "--position", "3").status
    (folder / "dear.toml").write_text(PLAN.replace("10.00", "11.00"))
    assert (2, "terms_differ") == _refused(cli(*close_january, "--plan", "dear.toml"))
    assert (2, "terms_from_missing") == _refused(cli("ledger", "terms", URL, "--plan", "dear.toml"))
    terms = cli("ledger", "terms", URL, "--plan", "dear.toml", "--from", "2026-02-01T00:00:00Z")
    assert [(1, None), (2, "2026-02-01T00:00:00Z")] == [
        (v["version"], v["applies_from"]) for v in json.loads(terms.out)
    ]
    change = ("ledger", "terms", URL, "--plan", "plan.toml", "--months", "3", "--from", "2026-03-01T00:00:00Z")
    assert (2, "cycle_rule_change") == _refused(cli(*change))
    assert (2, "position_ahead") == _refused(cli("peaks", URL, "--position", "99"))


def test_a_draft_at_a_noted_position_is_printed_again_to_the_byte(cli: Cli, folder: Path) -> None:
    """What was shown to a customer can be shown again."""
    cli("ledger", "terms", "sqlite:///other.db")  # a ledger that does not exist is not made by looking
    assert not (folder / "other.db").exists()
    cli("import", "events.csv", *BOOKS)
    cli("close", *BOOKS, "--cycle", "2026-01", "--plan", "plan.toml", *ISSUED_AT, "--yes")
    position = json.loads(cli("ledger", "head", URL, "--format", "json").out)["position"]
    asked = ("invoice", URL, "--first", "2025-12", "--last", "2026-03", "--format", "json")
    shown = cli(*asked).out
    cli("import", "late.csv", *BOOKS)
    cli("restate", *BOOKS, "--yes")
    assert shown != cli(*asked).out
    assert shown == cli(*asked, "--position", str(position)).out
    assert shown == cli(*asked, "--known-at", "2026-02-04T00:00:00Z").out


def test_a_zero_after_a_peak_is_said(cli: Cli, folder: Path) -> None:
    """On standard error, which people read."""
    cli("import", "events.csv", *BOOKS)
    for month, now in (("2026-01", "2026-02-02"), ("2026-02", "2026-03-02"), ("2026-03", "2026-04-02")):
        closed = cli(
            "close", *BOOKS, "--cycle", month, "--plan", "plan.toml", "--issued-at", f"{now}T00:00:00Z", "--yes"
        )
    assert (0, ["suspicious_zero: account acme is billed for 0 in cycle 2026-03; the peak before was 2. "
                "Check that its events still arrive."]) == (closed.status, closed.err.splitlines()[:1])  # fmt: skip


def _as_drafted(said: dict[str, Any]) -> dict[str, Any]:
    """An issued invoice as the draft that it was."""
    more = ("kind", "cycle", "issued_at", "refers_to")
    return {key: value for key, value in said.items() if key not in more} | {"status": "draft", "number": None}


def _refused(outcome: Any) -> tuple[int, str]:
    """The status and the code of a call that could not be done."""
    return outcome.status, outcome.err.partition(":")[0]
