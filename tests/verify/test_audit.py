"""billing verify: bills, issued documents and invoices computed again, and what differs shown by few events."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import billing
from billing import engine
from billing.config.terms import load_terms
from billing.core import sweep
from billing.core.activity import Walk
from billing.core.terms import AllTerms, Terms
from billing.engine import pipeline
from billing.engine.query import Query
from billing.inputs.rows import ReadOptions
from billing.invoicing import close, restate
from billing.ledger.address import open_ledger
from billing.verify import definition, strategies
from billing.verify.audit import bills
from billing.verify.audit.audit import Audit, audit
from billing.verify.audit.events import SourceEvents, table
from billing.verify.definition import Event
from tests.conftest import Cli
from tests.verify.test_machine import mistaken

AGENCY = Path(__file__).parents[2] / "fixtures" / "agency"
EVENTS, TERMS = str(AGENCY / "events.csv"), str(AGENCY / "terms.toml")
JUNE = "2025-06"


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agency's ledger with June closed, two late events, and the notes for them."""
    path = tmp_path_factory.mktemp("books") / "billing.db"
    ledger = open_ledger(f"sqlite:///{path}", create=True)
    engine.append(ledger, engine.read_incoming(EVENTS), now=micros("2026-01-01T00:00:00+00:00"))
    now = micros("2026-01-02T09:00:00+00:00")
    close.close(ledger, JUNE, terms=load_terms(TERMS), now=now, issue=True)
    engine.append(ledger, engine.read_incoming(str(AGENCY / "late.csv")), now=micros("2026-01-06T09:00:00+00:00"))
    restate.restate(ledger, now=micros("2026-01-07T09:00:00+00:00"), issue=True)
    ledger.close()
    return path


def without(books: Path, copy: Path, event_id: str, *tables: str) -> str:
    """A copy of the ledger with one event deleted from some tables, behind its back; its address."""
    shutil.copy(books, copy)
    database = apsw.Connection(str(copy))
    for (trigger,) in list(database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")):
        database.execute(f"DROP TRIGGER {trigger}")
    sql = "SELECT position FROM entry WHERE event_id = ? AND account = (SELECT code FROM account WHERE name = ?)"
    ((position,),) = database.execute(sql, (event_id, "outreach-sg"))
    for name in tables:
        database.execute(f"DELETE FROM {name} WHERE position = ?", (position,))
    database.close()
    return f"sqlite:///{copy}"


# What is right.


def test_a_file_and_its_bills_are_as_the_definition_has_them(cli: Cli) -> None:
    found = cli("verify", EVENTS, "--terms", TERMS)
    assert (0, "38 bills: all as the definition has them.") == (found.status, found.out.splitlines()[-1])
    assert "In full: brightline, kontor-nord, outreach-sg." in found.out


def test_a_ledger_and_all_that_it_issued_is_as_the_definition_has_it(cli: Cli, books: Path) -> None:
    found = json.loads(cli("verify", f"sqlite:///{books}", "--format", "json").out)
    assert (38, 5, [], []) == tuple(found[key] for key in ("bills", "documents", "discrepancies", "findings"))


@pytest.mark.parametrize("words", [["--cycle", JUNE], ["--as-of", "2025-06-20T00:00:00Z"], ["--reconnect", "restarts"]])
def test_any_question_can_be_asked_again(cli: Cli, words: list[str]) -> None:
    assert 0 == cli("verify", EVENTS, "--terms", TERMS, *words).status


@given(strategies.ledgers(accounts=2), strategies.terms())
def test_whatever_happened_the_engine_and_the_definition_agree(events: list[Event], terms: Terms) -> None:
    """The audit itself must not cry wolf, whatever the terms."""
    assert audit(table(events), Query(terms=AllTerms(terms))).holds


@given(strategies.ledgers(conflicts=False), strategies.terms())
def test_a_sample_holds_where_all_of_it_holds(events: list[Event], terms: Terms) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bills, "STEPS_MAX", 0)
        found = audit(table(events), Query(terms=AllTerms(terms)))
    assert (True, []) == (found.holds, found.full)
    assert all(count >= 1 for count in found.sampled.values()) or not found.bills


@given(strategies.ledgers(conflicts=False), st.sampled_from(("extends", "restarts")), strategies.instants())
def test_active_at_an_instant_is_who_has_a_cover_there(events: list[Event], reconnect: str, instant: int) -> None:
    covers = definition.covers(events, reconnect=reconnect)
    active = {identity for identity, since, until in covers if since <= instant < until}
    assert active == definition.active_at(events, instant, reconnect=reconnect)


def test_events_near_an_instant_keep_the_first_of_an_id_wherever_it_stands() -> None:
    start = strategies.JANUARY[0]
    first = Event("acme", "ada", "action.called", start, "e1")
    later = replace(first, occurred_at=start + definition.DAY)
    void = Event("acme", "ada", "event.voided", start, "e2", voids="e9")
    events = SourceEvents(table([first, later, void]), ReadOptions())
    assert [void] == events.between("acme", start + 1, start + 2 * definition.DAY)
    assert [first, void] == events.between("acme", start, start)


# What is wrong: mistakes put into the engine.


def wrong_engine(patch: pytest.MonkeyPatch) -> None:
    """An engine in which one who ends is still counted as another starts."""
    original = sweep.sweep

    def generous(intervals: Any, accounts: Any, spans: Any) -> Any:
        return original(replace(intervals, ends=intervals.ends + np.int64(1)), accounts, spans)

    patch.setattr("billing.engine.pipeline.sweep", generous)


def test_a_mistake_of_the_engine_is_shown_by_two_events_of_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_engine(monkeypatch)
    start = strategies.JANUARY[0]
    events = [Event("acme", f"id{k % 50}", "action.called", start + k * 7_919_000_000, f"e{k}") for k in range(200)]
    events += [
        Event("acme", "zoe", "identity.deleted", start + definition.DAY * 10, "d"),
        Event("acme", "zoe", "action.called", start + definition.DAY * 9, "z"),
        *(Event("acme", f"new{k}", "action.called", start + definition.DAY * 10, f"n{k}") for k in range(60)),
    ]
    found = audit(table(events), Query(first="2026-01", last="2026-01"))
    (one,) = [d for d in found.discrepancies if d.figure == "peak"]
    assert one.shown is not None
    assert (len(one.events), one.shown[0] - one.shown[1]) == (3, 1)
    assert "It takes no more than 3 events to see it" in str(one)


def test_a_mistake_in_the_walk_is_found_in_a_file_and_kept(
    monkeypatch: pytest.MonkeyPatch, cli: Cli, tmp_path: Path
) -> None:
    walked = Walk.intervals
    monkeypatch.setattr(Walk, "intervals", lambda walk: replace(found := walked(walk), ends=found.ends + 10**12))
    found = cli("verify", EVENTS, "--terms", TERMS, "--cycle", JUNE, "--keep", str(tmp_path))
    assert 1 == found.status
    assert "bill_differs: the engine: the peak is said to be" in found.out
    assert {"events.csv", "terms.json", "story.txt"} <= {path.name for path in (tmp_path / "1").iterdir()}

    again = cli("verify", f"{tmp_path}/1/events.csv", "--terms", f"{tmp_path}/1/terms.json")
    assert (1, True) == (again.status, "bill_differs" in again.out)


def test_a_wrong_price_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = mistaken(billing.Plan, "_parts", "inside * tier.unit_price", "2 * inside * tier.unit_price")
    monkeypatch.setattr(billing.Plan, "_parts", wrong)
    tiers = billing.Tier(up_to=1, unit_price=Decimal("7.99")), billing.Tier(unit_price=Decimal("5.00"))
    plan = billing.Plan(id="two", currency="USD", mode="volume", tiers=tiers)
    events = [Event("acme", "ada", "action.called", strategies.JANUARY[0], "e1")]
    found = audit(table(events), Query(terms=AllTerms(Terms(plan)), first="2026-01", last="2026-01"))
    assert [("total", "15.98", "7.99")] == [(d.figure, str(d.stated), str(d.right)) for d in found.discrepancies]


def test_a_bill_left_out_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = pipeline.peaks
    monkeypatch.setattr("billing.engine.result.peaks", lambda *words, **more: original(*words, **more)[:-1])
    events = [Event("acme", "ada", "action.called", strategies.JANUARY[0] + 15 * definition.DAY, "e1")]
    (one,) = audit(table(events), Query()).discrepancies
    assert ("bill", "none", micros("2026-02-01T00:00:00+00:00")) == (one.figure, one.stated, one.bill.start)


# What is wrong: a ledger changed behind its back.


def test_an_event_deleted_behind_its_back_is_found_shrunk_and_told(cli: Cli, books: Path, tmp_path: Path) -> None:
    """What bills are read from still has it, and that alone is enough to see."""
    copy = without(books, tmp_path / "copy.db", "e02123", "entry")
    found = cli("verify", copy, "--keep", str(tmp_path / "kept"))
    assert 1 == found.status
    for message in (
        "position_gap: ",
        "seal_broken: ",
        "bill_differs: the engine: the peak is said to be 23 for account outreach-sg",
        "It takes no more than 1 event to see it:",
        "katong-eli acts more than 2 days before the cycle: expected 0, got 1.",
        "bill_differs: INV-000003: the peak is said to be 22",
        "findings about the ledger itself.",
    ):
        assert message in found.out, message
    assert "katong-eli" in (tmp_path / "kept" / "1" / "events.csv").read_text()


def test_an_event_deleted_everywhere_is_missed_by_what_was_issued(books: Path, tmp_path: Path) -> None:
    """Nobody reads it any more, but the invoice was drafted from it, and says so."""
    ledger = open_ledger(without(books, tmp_path / "copy.db", "e02123", "entry", "moment", "once"))
    found = audit(ledger, Query(terms=engine.terms_in(ledger)))
    figures = {(d.bill.by, d.figure, str(d.stated), str(d.right)) for d in found.discrepancies}
    assert ("INV-000003", "peak", "22", "21") in figures
    assert ("INV-000003", "number of events it was drafted from", "1793", "1792") in figures
    (peak,) = [d for d in found.discrepancies if (d.bill.by, d.figure) == ("INV-000003", "peak")]
    assert 21 == len(peak.events) == len({e.identity_id for e in peak.events})


def test_an_event_that_changes_no_peak_is_missed_too(books: Path, tmp_path: Path) -> None:
    """Here another event keeps the identity active: it is the events that differ, not the bill."""
    ledger = open_ledger(without(books, tmp_path / "copy.db", "e02286", "entry"))
    found = audit(ledger, Query(terms=engine.terms_in(ledger), first="2025-09", last="2025-09"))
    assert ["number of events that bills are read from"] == [
        d.figure for d in found.discrepancies if d.bill.by == "the engine"
    ]


def test_a_document_that_somebody_made_unreadable_is_a_finding(books: Path, tmp_path: Path) -> None:
    """Whatever was done to a ledger, it is reported, and nothing crashes."""
    address = without(books, tmp_path / "copy.db", "e02123", "once")
    database = apsw.Connection(str(tmp_path / "copy.db"))
    for number, content in (("INV-000001", "{"), ("INV-000002", "[]"), ("INV-000003", '{"account_id": "outreach-sg"}')):
        database.execute("UPDATE document SET content = ? WHERE number = ?", (content, number))
    database.close()
    ledger = open_ledger(address)
    found = audit(ledger, Query(terms=engine.terms_in(ledger)))
    unreadable = [str(finding) for finding in found.findings if finding.code == "invoice_unreadable"]
    assert 3 == len(unreadable)
    assert "copy.db: INV-000003: it holds no invoice as billing writes them: basis is missing." in unreadable[2]


def test_terms_that_somebody_made_unreadable_are_told(cli: Cli, books: Path, tmp_path: Path) -> None:
    """Without terms there is nothing to bill by; what else is wrong, `billing ledger verify` says."""
    address = without(books, tmp_path / "copy.db", "e02123")
    database = apsw.Connection(str(tmp_path / "copy.db"))
    database.execute("UPDATE document SET content = '{}' WHERE kind = 'terms'")
    database.close()
    found = cli("verify", address)
    assert (2, True) == (found.status, found.err.startswith("ledger_damaged: "))
    assert "the terms at position 9535 cannot be read" in found.err


# What is wrong: an invoice.


def invoices(cli: Cli, *words: str) -> list[dict[str, Any]]:
    drafted: list[dict[str, Any]] = json.loads(cli("invoice", EVENTS, *words, "--format", "json").out)
    return drafted


def against(cli: Cli, tmp_path: Path, documents: Any, *words: str) -> tuple[int, str]:
    (tmp_path / "invoice.json").write_text(json.dumps(documents))
    found = cli("verify", EVENTS, "--invoice", str(tmp_path / "invoice.json"), "--keep", str(tmp_path), *words)
    return found.status, found.out + found.err


def test_invoices_hold_with_their_terms_and_without(cli: Cli, tmp_path: Path) -> None:
    drafted = invoices(cli, "--terms", TERMS, "--cycle", JUNE)
    assert (0, True) == (
        (found := against(cli, tmp_path, drafted, "--terms", TERMS))[0],
        "3 documents: all" in found[1],
    )
    assert (0, True) == ((found := against(cli, tmp_path, drafted[0]))[0], "Prices were not looked up" in found[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: i.update(peak=i["peak"] + 1), "the peak is said to be 75"),
        (lambda i: i.update(peak_at="2025-07-01T20:49:18Z"), "the instant of the peak is said to be"),
        (lambda i: i.update(total="480.27"), "the sum of lines is said to be 480.27"),
        (lambda i: (i.update(total="0.01"), i.update(lines=[{"amount": "0.01"}])), "the total is said to be 0.01"),
        (lambda i: i.update(plan_id="another"), "the plan is said to be another"),
        (lambda i: i["policy"].update(action_window="P31D"), "the policy is said to be P31D, P5D, extends"),
        (lambda i: i.update(cycle_end="2025-07-15T11:13:47Z"), "the cycle is said to be"),
        (lambda i: i.update(account_id="brightlime"), "the peak is said to be 74 for account brightlime"),
    ],
)
def test_whatever_is_changed_in_an_invoice_is_found(
    change: Callable[[dict[str, Any]], None], message: str, cli: Cli, tmp_path: Path
) -> None:
    document = invoices(cli, "--terms", TERMS, "--cycle", JUNE, "--account", "brightline")[0]
    change(document)
    status, printed = against(cli, tmp_path, document, "--terms", TERMS)
    assert (1, True) == (status, message in printed), printed


def test_an_issued_invoice_is_held_against_what_the_ledger_held_then(cli: Cli, books: Path, tmp_path: Path) -> None:
    """Late events came since; the invoice was right when it was issued, and a note settles the rest."""
    ledger = open_ledger(f"sqlite:///{books}")
    (issued,) = [d for d in ledger.documents("invoice") if d.number == "INV-000003"]
    (tmp_path / "invoice.json").write_text(issued.content)
    words = ["verify", f"sqlite:///{books}", "--invoice", str(tmp_path / "invoice.json")]
    assert 0 == cli(*words).status
    again = cli("verify", str(AGENCY), "--terms", TERMS, "--invoice", str(tmp_path / "invoice.json"), "--ignore-extra")
    assert again.status in (1, 2)  # by all events of today, a higher peak; or files of another kind beside them


def cut_down(document: dict[str, Any], *more: str) -> dict[str, Any]:
    """An invoice with what is compared without terms and without a ledger, and nothing else."""
    keys = ("account_id", "cycle_start", "cycle_end", "peak", "peak_at", "total", "number", "policy", *more)
    less = {key: document[key] for key in keys}
    return less | {"lines": [{"amount": line["amount"]} for line in document["lines"]], "basis": {"position": None}}


def test_an_invoice_may_leave_out_what_is_not_compared(cli: Cli, tmp_path: Path) -> None:
    """Whoever was sent an invoice may have written down no more than its figures."""
    (document,) = invoices(cli, "--terms", TERMS, "--cycle", JUNE, "--account", "brightline")
    status, printed = against(cli, tmp_path, cut_down(document))
    assert (0, True) == (status, "1 document: all as the definition has them" in printed), printed
    status, printed = against(cli, tmp_path, cut_down(document) | {"peak": 75})
    assert (1, True) == (status, "the peak is said to be 75" in printed), printed


def test_what_is_compared_must_be_there(cli: Cli, tmp_path: Path) -> None:
    """Under terms, the plan is compared, and the cycle by the rules of time zones that it was computed by."""
    (document,) = invoices(cli, "--terms", TERMS, "--cycle", JUNE, "--account", "brightline")
    for short, missing in ((cut_down(document), "plan_id"), (cut_down(document, "plan_id"), "tzdata")):
        status, printed = against(cli, tmp_path, short, "--terms", TERMS)
        assert (2, True) == (status, f"{missing} is missing" in printed), printed
    short = cut_down(document, "plan_id")
    short["basis"]["tzdata"] = document["basis"]["tzdata"]
    assert 0 == against(cli, tmp_path, short, "--terms", TERMS)[0]


def test_a_document_of_a_ledger_must_be_whole(books: Path, tmp_path: Path) -> None:
    """In a ledger, a document with less than billing writes is one that somebody changed."""
    address = without(books, tmp_path / "copy.db", "e02123")
    database = apsw.Connection(str(tmp_path / "copy.db"))
    database.execute("UPDATE document SET content = json_remove(content, '$.currency') WHERE number = 'INV-000001'")
    database.close()
    ledger = open_ledger(address)
    found = audit(ledger, Query(terms=engine.terms_in(ledger)))
    (unreadable,) = [str(finding) for finding in found.findings if finding.code == "invoice_unreadable"]
    assert "INV-000001: it holds no invoice as billing writes them: currency is missing." in unreadable


@pytest.mark.parametrize("content", ["", "[1]", "[[]]", "{}", '{"account_id": "acme"}'])
def test_what_is_no_invoice_is_refused(content: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "invoice.json").write_text(content)
    found = cli("verify", EVENTS, "--invoice", str(tmp_path / "invoice.json"))
    assert (2, True) == (found.status, found.err.startswith("invoice_unreadable: ")), found.err


# How it is shown.


def test_a_large_account_is_looked_at_by_a_sample_that_is_stated(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "STEPS_MAX", 2 * 2000**2)
    found = cli("verify", EVENTS, "--terms", TERMS, "--cycle", JUNE)
    assert 0 == found.status
    assert "In full: outreach-sg." in found.out
    assert (
        "By sample: kontor-nord, the count at 11 instants, that of each peak among them (--all for all)." in found.out
    )
    assert "By sample" not in cli("verify", EVENTS, "--terms", TERMS, "--cycle", JUNE, "--all").out


def test_a_sample_finds_a_peak_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "STEPS_MAX", 0)
    walked = Walk.intervals
    monkeypatch.setattr(Walk, "intervals", lambda walk: replace(found := walked(walk), ends=found.ends + 10**12))
    query = Query(terms=load_terms(TERMS), first=JUNE, last=JUNE, accounts=("brightline",))
    found: Audit = audit(EVENTS, query)
    assert found.discrepancies
    assert found.discrepancies[0].shown is not None
    assert len(found.discrepancies[0].events) <= 2


def test_progress_is_told_by_events() -> None:
    counts: list[int] = []
    audit(EVENTS, Query(terms=load_terms(TERMS), first=JUNE, last=JUNE), progress=counts.append)
    assert len(SourceEvents(EVENTS, ReadOptions())) == sum(counts) == 9_546
