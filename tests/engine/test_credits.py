"""Credits: what calls cost by the catalogue of their day, and how that comes onto invoices and off them again.

The account of fixtures/credits is worked out by hand in the README beside it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from beancount import loader
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

import billing
from billing import engine
from billing.comparison.run import compare_terms
from billing.config.catalogue import catalogue_document, catalogue_of, load_catalogue, published
from billing.config.overrides import change_of
from billing.config.terms import load_terms, version_document, version_of
from billing.core.catalogue import Catalogue, CatalogueVersion
from billing.core.cycle import micros
from billing.core.event import Events
from billing.core.terms import AllTerms, Terms
from billing.core.usage import CreditsTotal
from billing.engine import credits as crediting
from billing.engine.query import Query
from billing.inputs.rows import ReadOptions
from billing.invoicing.document import invoice_content
from billing.ledger.ledger import Ledger
from billing.reconciliation import invoices
from billing.reconciliation.matching import Theirs
from billing.verify import definition
from billing.verify.audit import expected
from billing.verify.audit.audit import audit, audit_invoices
from billing.verify.audit.events import table
from billing.verify.definition import Event
from billing.verify.strategies import JANUARY, ledgers
from tests.conftest import Cli

FIXTURES = Path(__file__).parents[2] / "fixtures"
EVENTS = FIXTURES / "credits" / "events.csv"
TERMS = FIXTURES / "credits" / "terms.toml"
CATALOGUE = FIXTURES / "credits" / "catalogue.toml"
MICROSECOND = timedelta(microseconds=1)

LIKE, SEARCH, SKILLS = "linkedin-like-post", "linkedin-search-people", "linkedin-extract-people-skills"
TEN = billing.Plan(
    id="ten", currency="USD", mode="volume", tiers=(billing.Tier(unit_price=Decimal(10)),), credit_price=Decimal("0.5")
)
FREE = TEN.model_copy(update={"credit_price": None})


def utc(text: str) -> datetime:
    """A day, or an instant of it, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def called(
    event_id: str, identity_id: str, on: str | datetime, action: str | None = SEARCH, results: int | None = None,
    mode: str | None = None,
) -> Event:  # fmt: skip
    """A call of account acme."""
    at = micros(utc(on) if isinstance(on, str) else on)
    return Event("acme", identity_id, "action.called", at, event_id, action=action, results=results, mode=mode)


def standard(event_id: str, identity_id: str) -> Event:
    return Event("acme", identity_id, "identity.created", micros(utc("2026-06-01")), event_id, identity_type="standard")


def void(event_id: str, voids: str) -> Event:
    return Event("acme", "ada", "event.voided", micros(utc("2026-01-01")), event_id, voids=voids)


def used(events: Sequence[Event], catalogue: Catalogue | None = None, **query: Any) -> list[tuple[Any, ...]]:
    """The cycle, action, type, calls, results and credits of each row."""
    found = crediting.credits(table(events), Query(**query), catalogue=catalogue)
    return [
        (r.cycle.name, r.action, r.identity_type, r.calls, r.results, f"{r.credits.normalize():f}") for r in found.rows
    ]


# What calls cost.


def test_the_account_worked_out_by_hand_uses_what_it_says_there() -> None:
    found = crediting.credits(str(EVENTS), Query(first="2026-03", last="2026-03"))
    assert [
        ("linkedin-extract-conversations", "engagement", 1, 50, Decimal(0), Decimal("2.5")),
        ("linkedin-extract-conversations", "standard", 1, 50, Decimal("2.5"), Decimal("2.5")),
        (SKILLS, "engagement", 1, 30, Decimal("1.5"), Decimal("1.5")),
        (SKILLS, "standard", 1, 7, Decimal("0.525"), Decimal("0.525")),
        (LIKE, "engagement", 1, 1, Decimal(0), Decimal(1)),
        (LIKE, "standard", 1, 1, Decimal(1), Decimal(1)),
        (SEARCH, "engagement", 4, 131, Decimal(136), Decimal(136)),
        (None, "engagement", 1, 1, Decimal(0), Decimal(0)),
    ] == [(r.action, r.identity_type, r.calls, r.results, r.credits, r.on_standard) for r in found.rows]
    assert CreditsTotal(None, 11, 1, 271, Decimal("141.525"), Decimal("145.025")) == found.total
    assert Decimal("3.5") == found.total.saved == sum(row.saved for row in found.rows)


def test_another_catalogue_costs_what_it_says_and_a_terms_file_may_name_it(tmp_path: Path) -> None:
    found = crediting.credits(str(EVENTS), Query(), catalogue=load_catalogue(CATALOGUE))
    assert Decimal(243) == found.total.credits
    terms = tmp_path / "terms.toml"
    terms.write_text(f'[default]\ncatalogue = "{CATALOGUE}"\n', encoding="utf-8")
    assert Decimal(243) == crediting.credits(str(EVENTS), Query(load_terms(terms))).total.credits
    assert Decimal(243) == billing.credits(EVENTS, terms=terms)["credits"].sum()


def test_the_version_of_a_catalogue_is_that_of_the_instant_of_the_call() -> None:
    change = utc("2026-03-10")
    catalogue = Catalogue(
        (
            CatalogueVersion(included=frozenset({LIKE})),
            CatalogueVersion(micros(change), ratio=Decimal(2)),
            CatalogueVersion(micros(change) + 1, ratio=Decimal(3)),
        )
    )
    events = [
        called("e1", "ada", change - MICROSECOND, LIKE),
        called("e2", "ada", change - MICROSECOND, SEARCH),
        called("e3", "ada", change, LIKE),
        called("e4", "ada", change, SEARCH),
        called("e5", "ada", change + MICROSECOND, SEARCH),
    ]
    assert [
        ("2026-03", LIKE, "engagement", 2, 2, "2"),
        ("2026-03", SEARCH, "engagement", 3, 3, "6"),
    ] == used(events, catalogue)


def test_what_is_published_are_21_actions_and_two_ratios() -> None:
    (version,) = published().versions
    assert (21, Decimal(1), Decimal("1.5")) == (len(version.included), version.ratio, version.managed)
    assert {SKILLS, "linkedin-extract-conversations"} == set(version.ratios)
    assert published() == catalogue_of(catalogue_document(published()))


@pytest.mark.parametrize("last", ["2026-02", None])
def test_a_call_belongs_to_the_cycle_of_its_instant_and_cycles_without_calls_have_no_row(last: str | None) -> None:
    events = [called("e1", "ada", "2026-01-31T23:59:59.999999"), called("e2", "ada", "2026-02-01", results=5)]
    events += [called("e3", "bot", "2026-02-28"), standard("e4", "bot"), called("e5", "bot", "2026-07-01")]
    rows = [
        ("2026-01", SEARCH, "engagement", 1, 1, "1"),
        ("2026-02", SEARCH, "engagement", 1, 5, "5"),
        ("2026-02", SEARCH, "standard", 1, 1, "1"),
        ("2026-07", SEARCH, "standard", 1, 1, "1"),
    ]
    assert rows[: None if last is None else 3] == used(events, first="2026-01" if last else None, last=last)
    assert rows[:2] == used(events, as_of=micros(utc("2026-02-28")))


def test_an_account_without_calls_is_told_with_nothing() -> None:
    events = [called("e1", "ada", "2026-01-05"), Event("zeta", "zoe", "integration.connected", 10**15, "e2")]
    found = crediting.credits(table(events), Query())
    assert [("acme", 1), ("zeta", 0)] == [(total.account_id, total.calls) for total in found.accounts]
    with pytest.raises(billing.UnknownAccount):
        crediting.credits(table(events), Query(accounts=("nobody",)))


def test_accounts_with_catalogues_of_their_own_are_charged_by_them() -> None:
    events = [called("e1", "ada", "2026-01-05"), replace(called("e2", "bo", "2026-01-05"), account_id="bolt")]
    events += [replace(event, account_id="cray", event_id="e3") for event in events[:1]]
    double, again = (Catalogue((CatalogueVersion(ratio=Decimal(2)),)) for _ in range(2))
    terms = AllTerms(accounts={"bolt": Terms(TEN, catalogue=double), "cray": Terms(TEN, catalogue=again)})
    rows = crediting.credits(table(events), Query(terms)).rows
    assert [("acme", "1"), ("bolt", "2"), ("cray", "2")] == [(row.account_id, str(row.credits)) for row in rows]


def test_results_are_summed_beyond_what_a_machine_counts_to() -> None:
    count = 10_000
    source = pa.table(
        {
            "account_id": ["acme"] * count,
            "identity_id": ["ada"] * count,
            "type": ["action.called"] * count,
            "occurred_at": pa.array([micros(utc("2026-01-01"))] * count).cast(pa.timestamp("us", "UTC")),
            "action": [SEARCH] * count,
            "results": [10**15 - 1] * count,
        }
    )
    (row,) = crediting.credits(source, Query()).rows
    assert count * (10**15 - 1) == row.results == row.credits


def test_a_ratio_is_a_number_that_can_be_and_versions_have_an_order() -> None:
    for ratio in ("-1", "NaN", "1000001", "0.0000000000001"):
        with pytest.raises(billing.BadTerms, match="is no ratio"):
            CatalogueVersion(ratios={SEARCH: Decimal(ratio)})
    with pytest.raises(billing.BadTerms, match="is no ratio"):
        CatalogueVersion(managed=1.5)  # type: ignore[arg-type]
    first, later = CatalogueVersion(), CatalogueVersion(7)
    for versions in ((), (later,), (first, first), (first, later, later)):
        with pytest.raises(billing.BadTerms, match="not in order of date"):
            Catalogue(versions)
    assert [first, first, later] == [Catalogue((first, later)).in_force(at) for at in (0, 6, 7)]


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("versions = 3", "value", "versions"),
        ("", "key_missing", "versions"),
        ("[[versions]]\nincludes = []", "key_unknown", "versions[0].includes"),
        ("[[versions]]\nratio = 1.5", "value", "versions[0].ratio"),
        ("[[versions]]\n[[versions]]\napplies_from = 7", "value", "versions[1].applies_from"),
        ("[[versions]]\n[[versions]]\napplies_from = 2026-01-01T00:00:00", "ts_naive", "versions[1].applies_from"),
        ("version = 1\n[[versions]]", "key_unknown", "version"),
    ],
)
def test_a_catalogue_that_says_something_impossible_is_refused(
    text: str, code: str, field: str, tmp_path: Path
) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(billing.BadTerms) as raised:
        load_catalogue(path)
    assert (code, field, str(path)) == (raised.value.code, raised.value.details["field"], raised.value.where)


# The same as the definition has it, from whatever it is read.

_ACTIONS = st.sampled_from((LIKE, SEARCH, SKILLS, None))
_RESULTS = st.sampled_from((None, 0, 1, 20, 10**15 - 1))
_MODES = st.sampled_from((None, "direct", "auto", "managed"))
_DATED = Catalogue(
    (
        CatalogueVersion(included=frozenset({LIKE}), ratios={SKILLS: Decimal("0.05")}),
        CatalogueVersion((JANUARY[0] + JANUARY[1]) // 2, frozenset({SEARCH}), {SKILLS: Decimal("0.3")}, Decimal("0.7")),
    )
)


@st.composite
def busy(draw: DrawFn, *, named: bool) -> list[Event]:
    """A ledger whose calls say what they called, some of it; some of those with an id are sent again."""
    told = []
    for place, event in enumerate(dict.fromkeys(draw(ledgers(accounts=2, conflicts=False)))):
        event = replace(event, event_id=event.event_id or (f"n{place}" if named else None))
        if event.type == "action.called":
            event = replace(event, action=draw(_ACTIONS), results=draw(_RESULTS), mode=draw(_MODES))
        told.append(event)
    return told + [event for event in told if event.event_id and draw(st.booleans())]


@given(events=busy(named=False), on_half=st.booleans())
def test_credits_are_those_of_the_definition(events: list[Event], on_half: bool) -> None:
    if on_half:
        events = [replace(e, occurred_at=_DATED.dates[0] - k % 2) for k, e in enumerate(events)]
    terms = Terms(TEN, catalogue=_DATED)
    query = Query(AllTerms(terms), first="2025-11", last="2026-03")
    found = crediting.credits(table(events), query)
    drafts = engine.answer(table(events), query).drafts()
    assert drafts
    for draft in drafts:
        own = [e for e in events if e.account_id == draft.account_id]
        start, end = micros(draft.cycle.start), micros(draft.cycle.end)
        right = definition.credits(own, start, end, expected.catalogue_of(terms))
        rows = [r for r in found.rows if (r.account_id, r.cycle) == (draft.account_id, draft.cycle)]
        assert right == Fraction(CreditsTotal.of(rows).credits)
        assert expected.invoice(own, start, end, terms).total == draft.total.amount
        assert draft.credits is not None and right == Fraction(draft.credits.quantity or 0)


@given(events=busy(named=True))
def test_a_file_a_ledger_and_a_read_source_are_billed_the_same(events: list[Event]) -> None:
    query = Query(AllTerms(Terms(TEN, catalogue=_DATED)), first="2025-11", last="2026-03")
    drafts = [
        engine.answer(source, query).drafts()
        for source in (table(events), billing.read(table(events)), table(events[::-1]))
    ]
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        rejected = billing.append(ledger, table(events)).tally.rejected
        drafts.append(engine.answer(ledger, query).drafts())
        drafts.append(engine.answer(billing.read(ledger), query).drafts())
        rows = [crediting.credits(source, query).rows for source in (table(events), ledger)]
    bills = [[(d.account_id, d.cycle, d.lines, d.total) for d in some] for some in drafts]
    if not rejected:  # what a ledger refuses for coming late is no matter of credits
        assert bills[0] == bills[1] == bills[2] == bills[3] == bills[4]
        assert rows[0] == rows[1]


def test_of_two_calls_with_one_id_the_first_stays_also_where_only_its_results_differ() -> None:
    events = table([called("e1", "ada", "2026-01-05", results=3), called("e1", "ada", "2026-01-05", results=4)])
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        billing.append(ledger, events)
        for source in (events, ledger):
            assert ["3"] == [f"{credits}" for credits in billing.credits(source)["credits"]]


def test_parquet_without_ids_is_read_whole_where_credits_are_paid_for_and_streamed_where_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "events.parquet")
    events = [called("", "ada", "2026-01-05", results=3), called("", "ada", "2026-01-06", LIKE)]
    pq.write_table(table(events, ids=False), path)
    query = Query(AllTerms(Terms(TEN)), first="2026-01", last="2026-01")
    (drafted,) = engine.answer(path, query).drafts()
    assert "11.50 USD" == str(drafted.total)

    def refuse(*_: Any, **__: Any) -> Events:
        raise AssertionError("what nobody asked for was kept")

    monkeypatch.setattr("billing.engine.result.read", refuse)
    (drafted,) = engine.answer(path, replace(query, terms=AllTerms(Terms(FREE)))).drafts()
    assert "10.00 USD" == str(drafted.total)


def test_sources_without_details_have_calls_without_names() -> None:
    (row,) = crediting.credits(table([called("e1", "ada", "2026-01-05", action=None)]), Query()).rows
    assert (None, 1, 1, Decimal(0)) == (row.action, row.calls, row.results, row.credits)
    events = engine.read(table([called("e1", "ada", "2026-01-05", action=None)]), ReadOptions(details=True))
    assert events.details is not None and 0 == events.details.results.strides[0]  # takes no room


# Invoices.


def test_the_draft_of_the_account_worked_out_by_hand_has_its_credits_after_the_discount() -> None:
    draft = billing.draft(EVENTS, terms=TERMS)[0]
    assert [("usage", "7.99"), ("discount", "-0.80"), ("credits", "2.83")] == [
        (line.kind, str(line.amount)) for line in draft.lines
    ]
    assert "141.525 credits for actions: 141.525 x 0.02" == draft.lines[2].description
    assert "10.02 USD" == str(draft.total)


def test_without_a_price_there_is_no_line_and_without_credits_one_of_nothing() -> None:
    events = table([called("e1", "ada", "2026-01-05", LIKE)])
    (free,) = billing.draft(events, terms=FREE, first="2026-01", last="2026-01")
    (paid,) = billing.draft(events, terms=TEN, first="2026-01", last="2026-01")
    assert (["usage"], None) == ([line.kind for line in free.lines], free.credits)
    assert paid.credits is not None
    assert ("0 credits for actions: 0 x 0.5", "0.00") == (paid.credits.description, str(paid.credits.amount))


def test_who_pays_for_credits_has_a_bill_for_a_cycle_in_which_only_standard_identities_were_used() -> None:
    events = [standard("e1", "bot"), called("e2", "bot", "2026-01-05", results=3), called("e3", "ada", "2026-04-05")]
    drafts = billing.draft(table(events), terms=TEN)
    assert [("2026-01", 0, "1.50"), ("2026-02", 0, "0.00"), ("2026-03", 0, "0.00"), ("2026-04", 1, "10.50")] == [
        (d.cycle.name, d.peak, str(d.total.amount)) for d in drafts if d.cycle.name < "2026-05"
    ]
    assert ["2026-04", "2026-05"] == [d.cycle.name for d in billing.draft(table(events), terms=FREE)]


def test_terms_of_each_cycle_say_whether_credits_are_paid_for() -> None:
    events = [called(f"e{month}", "ada", f"2026-0{month}-05", results=4) for month in (1, 2, 3)]
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        billing.append(ledger, table(events))
        billing.add_terms(ledger, FREE)
        billing.add_terms(ledger, TEN, applies_from=utc("2026-02-01"))
        dear = Terms(TEN, catalogue=Catalogue((CatalogueVersion(ratio=Decimal(3)),)))
        billing.add_terms(ledger, dear, applies_from=utc("2026-03-01"))
        drafts = billing.draft(ledger, first="2026-01", last="2026-03")
        assert ["10.00", "12.00", "16.00"] == [str(draft.total.amount) for draft in drafts]
        assert ["4", "4", "12"] == [str(credits) for credits in billing.credits(ledger)["credits"]]
        assert audit(ledger, Query(engine.terms_in(ledger))).holds


def test_a_catalogue_is_kept_with_the_terms_whether_it_is_published_or_not() -> None:
    for terms in (Terms(TEN), Terms(TEN, catalogue=_DATED), Terms(FREE, catalogue=_DATED), Terms(FREE)):
        with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
            kept = billing.add_terms(ledger, terms)
            again = billing.add_terms(ledger, terms)  # which is the same, so that nothing is added
            (document,) = ledger.documents("terms")
        assert (1, 1) == (kept.number, again.number)
        assert terms == version_of(json.loads(document.content)).terms.default
        written = version_document(kept)["default"]
        assert (terms == Terms(FREE)) is ("catalogue" not in written)


def test_a_published_catalogue_that_changes_later_changes_no_kept_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        billing.append(ledger, table([called("e1", "ada", "2026-01-05", results=4)]))
        billing.add_terms(ledger, TEN)
        monkeypatch.setattr("billing.config.catalogue.published", lambda: Catalogue((CatalogueVersion(),)))
        (draft, *_) = billing.draft(ledger)
        assert "12.00 USD" == str(draft.total)
        assert engine.terms_in(ledger).versions[0].terms != AllTerms(Terms(TEN))


# What comes late.


def close_january(ledger: Ledger, events: Sequence[Event], terms: Any = TEN) -> None:
    """January is issued on the second of February, from events recorded on the first."""
    billing.append(ledger, table(events), now=utc("2026-02-01"))
    billing.close(ledger, "2026-01", terms=terms, issue=True, now=utc("2026-02-02T09:00:00"))


def settle(ledger: Ledger, late: Sequence[Event]) -> list[billing.Restatement]:
    """What late events make necessary, once issued; then an invoice and its notes come to a fresh draft."""
    billing.append(ledger, table(late), now=utc("2026-02-10"))
    found = billing.restate(ledger, issue=True, now=utc("2026-02-11"))
    (draft,) = billing.draft(ledger, first="2026-01", last="2026-01")
    assert draft.total.amount == billing.statement(ledger)["balance"].iloc[-1]
    assert audit(ledger, Query(engine.terms_in(ledger))).holds
    assert [] == list(billing.restate(ledger, issue=True, now=utc("2026-02-12")).restatements)
    return list(found.restatements)


EARLY = [called("e1", "ada", "2026-01-05", results=10), called("e2", "ada", "2026-01-20", LIKE), standard("e3", "bot")]


@pytest.mark.parametrize(
    ("late", "difference", "changed"),
    [
        ([called("l1", "ada", "2026-01-10", results=7)], "3.50", ("ada",)),  # its activity does not change
        ([called("l1", "bot", "2026-01-10", LIKE)], "0.50", ("bot",)),  # of an identity that is not counted
        ([void("l1", "e1"), called("l2", "ada", "2026-01-05", LIKE)], "-5.00", ("ada",)),
        ([Event("acme", "ada", "identity.created", 10**15, "l1", identity_type="standard")], "-9.50", ("ada",)),
        ([called("l1", "eve", "2026-01-10", LIKE)], "10.00", ()),
        ([called("l1", "eve", "2026-01-10", results=2)], "11.00", ("eve",)),
        ([void("l1", "e3")], None, ()),  # a type without a call changes nothing
        ([called("l1", "ada", "2026-01-10", LIKE), called("l2", "ada", "2026-02-01")], None, ()),
        ([called("l1", "ada", "2026-01-10", None, 99), called("l2", "ada", "2026-01-11", SEARCH, 0)], None, ()),
    ],
)
def test_a_late_event_that_changes_credits_is_settled_and_told(
    late: list[Event], difference: str | None, changed: tuple[str, ...]
) -> None:
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        close_january(ledger, EARLY)
        found = settle(ledger, late)
    assert [difference] * (difference is not None) == [str(r.difference.amount) for r in found]
    for restatement in found:
        assert changed == restatement.credits_changed
        assert [e.event_id for e in late] == [e.event_id for e in restatement.events]


def test_a_late_call_is_told_only_where_it_was_made() -> None:
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        close_january(ledger, EARLY)
        late = [called("l1", "ada", "2025-12-31T23:59:59"), called("l2", "ada", "2026-01-10")]
        (restatement,) = settle(ledger, late)
    assert ["l1", "l2"] == [e.event_id for e in restatement.events]  # the first made ada active in January sooner
    assert (("ada",), ("ada",)) == (restatement.now_active, restatement.credits_changed)


def test_what_was_issued_keeps_its_catalogue_when_a_later_version_of_the_terms_has_another() -> None:
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        close_january(ledger, EARLY)
        dear = Terms(TEN, catalogue=Catalogue((CatalogueVersion(ratio=Decimal(9)),)))
        billing.add_terms(ledger, dear, applies_from=utc("2026-02-01"), now=utc("2026-02-03"))
        (restatement,) = settle(ledger, [called("l1", "ada", "2026-01-10", results=2)])
    assert "1.00 USD" == str(restatement.difference)


def test_a_note_says_on_every_medium_what_credits_were_and_are(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/billing.db"
    with closing(billing.open_ledger(url)) as ledger:
        close_january(ledger, EARLY)
        settle(ledger, [called("l1", "ada", "2026-01-10", results=7)])
    told = cli("document", "INV-000002", "--ledger", url, "--format", "json").out
    (note,) = json.loads(f"[{told}]") if told.startswith("{") else json.loads(told)
    assert ("10", ["ada"]) == (note["credits_before"], note["credits_changed"])
    assert ["usage", "credits", "billed"] == [line["kind"] for line in note["lines"]]
    page = tmp_path / "note.html"
    cli("document", "INV-000002", "--ledger", url, "--format", "html", "--output", str(page))
    html = page.read_text(encoding="utf-8")
    assert "17 credits for actions: 17 x 0.5" in html and "Credits used by actions" in html
    assert "used other credits than was known" in html
    with closing(billing.open_ledger(url)) as ledger:
        billing.append(ledger, table([called("l2", "ada", "2026-01-11", results=3)]), now=utc("2026-02-20"))
    out = cli("restate", "--ledger", url).out
    assert "peak 1 before, 1 now; credits 17 before, 20 now" in out
    assert "Used other credits than was known: ada." in out


# Everything else that speaks of invoices.


def test_exports_have_the_credits_beside_the_identities(cli: Cli, tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path}/billing.db", tmp_path / "focus"
    with closing(billing.open_ledger(url)) as ledger:
        close_january(ledger, EARLY, Terms(TEN, discount=Decimal(10)))
        settle(ledger, [called("l1", "ada", "2026-01-10", results=7), called("l2", "eve", "2026-01-10", LIKE)])
        owed = billing.statement(ledger)["total"].tolist()
    cli("export", "focus", url, "--output", str(folder))
    with (folder / "cost_and_usage.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for number, total in zip(("INV-000001", "INV-000002"), owed, strict=True):
        assert total == sum(Decimal(row["BilledCost"]) for row in rows if row["InvoiceId"] == number)
    assert [
        ("INV-000001-1", "", "Identities", "1", "9.00"),
        ("INV-000001-2", "", "Credits", "10", "5.00"),
        ("INV-000002-1", "INV-000001-1", "Identities", "-1", "-9.00"),
        ("INV-000002-2", "INV-000001-2", "Credits", "-10", "-5.00"),
        ("INV-000002-3", "INV-000001-1", "Identities", "2", "18.00"),
        ("INV-000002-4", "INV-000001-2", "Credits", "17", "8.50"),
    ] == [
        (row["x_ChargeKey"], row["x_CorrectionOf"], row["PricingUnit"], row["PricingQuantity"], row["BilledCost"])
        for row in rows
    ]
    journal = cli("export", "journal", url).out
    assert [] == loader.load_string(journal)[1]
    assert "Income:Credits  -5.00 USD" in journal and "Income:Credits  -3.50 USD" in journal


def test_a_wrong_amount_for_credits_is_found() -> None:
    terms, query = load_terms(TERMS), Query(load_terms(TERMS), first="2026-03", last="2026-03")
    assert audit(str(EVENTS), query).holds
    said = json.loads(json.dumps([invoice_content(d) for d in billing.draft(EVENTS, terms=terms)]))[0]
    assert audit_invoices(str(EVENTS), [said], query, ReadOptions()).holds
    said["lines"][2]["amount"], said["total"] = "2.84", "10.03"
    (found,) = audit_invoices(str(EVENTS), [said], query, ReadOptions()).discrepancies
    assert ("total", Decimal("10.03"), Decimal("10.02")) == (found.figure, found.stated, found.right)


@pytest.mark.parametrize("as_of", [None, micros(utc("2026-03-04"))])
def test_large_accounts_are_sampled_with_their_credits(as_of: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.verify.audit.bills.STEPS_MAX", 0)
    query = Query(load_terms(TERMS), as_of=as_of)
    found = audit(str(EVENTS), query)
    assert found.holds and found.sampled
    monkeypatch.setattr("billing.verify.audit.expected.credits", lambda *_: Fraction(0))
    assert "total" in [one.figure for one in audit(str(EVENTS), query).discrepancies]


def test_a_comparison_counts_credits_and_shifts_what_is_near() -> None:
    events = table([called("e1", "ada", "2026-01-05", results=10)])
    query = Query(AllTerms(Terms(FREE)), first="2026-01", last="2026-01")
    for now, other, change in ((FREE, TEN, "5.00"), (TEN, FREE, "-5.00")):
        compared = compare_terms(events, replace(query, terms=AllTerms(Terms(now))), [change_of(other)])
        assert [change] == [str(each.difference.amount.amount) for each in compared.comparisons[0].overall]
        for under, plan in zip(compared.billed_under, (now, other), strict=True):
            (bill,) = under.bills
            assert bill.near.at.total == bill.draft.total
            assert bill.near.higher is not None and bill.near.lower is not None and bill.near.cheaper is None
            extra = Decimal(0 if plan is FREE else 5)
            assert (20 + extra, extra) == (bill.near.higher.total.amount, bill.near.lower.total.amount)
    compared = compare_terms(events, query, [change_of("credit_price=2")])
    assert ["20.00"] == [str(each.difference.amount.amount) for each in compared.comparisons[0].overall]


def test_setting_a_catalogue_is_a_change_of_terms() -> None:
    query = Query(load_terms(TERMS), first="2026-03", last="2026-03")
    compared = compare_terms(str(EVENTS), query, [change_of(f"catalogue={CATALOGUE}")])
    assert ["2.03"] == [str(each.difference.amount.amount) for each in compared.comparisons[0].overall]


def test_a_misread_invoice_is_explained_with_its_credits() -> None:
    events = table([called("e1", "ada", "2026-01-05", results=10), called("e2", "eve", "2026-01-20", LIKE)])
    query = Query(AllTerms(Terms(TEN, discount=Decimal(10))), first="2026-01", last="2026-01")
    for amount, name in (
        ("23.00", None),
        ("25.00", "discount_left_out"),
        ("18.00", "credits_left_out"),
        ("27.60", "tax_20"),
        ("21.60", "credits_left_out + tax_20"),
    ):
        theirs = Theirs("t.csv:2", "acme", cycle="2026-01", quantity=2, amount=Decimal(amount), currency="USD")
        found, _ = invoices.reconcile(events, [theirs], query)
        assert [name] == [d and d.explanation.name for d in found.diagnoses]
        assert [name is None] == [m.status == "matched" for m in found.matches]


def test_what_we_export_with_credits_agrees_with_ourselves(cli: Cli, tmp_path: Path) -> None:
    for format in ("json", "csv"):
        ours = tmp_path / f"ours.{format}"
        words = [str(EVENTS), "--terms", str(TERMS)]
        cli("invoice", *words, "--format", format, "--output", str(ours))
        outcome = cli("reconcile", str(EVENTS), str(ours), "--terms", str(TERMS))
        assert 0 == outcome.status, outcome.out


def test_events_that_differ_in_results_are_not_said_to_be_noise_for_the_bill(cli: Cli) -> None:
    folder = FIXTURES / "messages" / "credits_not_weighed"
    words = ("reconcile-events", str(folder / "ours.csv"), str(folder / "theirs.csv"))
    outcome = cli(*words, "--plan", str(folder / "plan.toml"))
    assert "0 of them move the bill of identities" in outcome.out
    told = json.loads(cli(*words, "--plan", str(folder / "plan.toml"), "--format", "json").out)
    assert told["credits_left_out"]
    assert "credits_left_out" not in json.loads(cli(*words, "--format", "json").out)


def test_an_explanation_says_what_credits_cost_also_where_nobody_was_active(cli: Cli, tmp_path: Path) -> None:
    out = cli("explain", str(EVENTS), "--terms", str(TERMS), "--cycle", "2026-03").out
    assert "141.525 credits for actions: 141.525 x 0.02 = 2.83 USD.\nTotal 10.02 USD." in out
    path = tmp_path / "events.csv"
    path.write_text(
        "account_id,identity_id,type,occurred_at,identity_type,action\n"
        "acme,bot,identity.created,2026-01-01T00:00:00Z,standard,\n"
        f"acme,bot,action.called,2026-01-01T00:00:00Z,,{SEARCH}\n",
        encoding="utf-8",
    )
    out = cli("explain", str(path), "--terms", str(TERMS)).out
    assert "so the peak is 0.\n" in out and "1 credit for actions: 1 x 0.02 = 0.02 USD." in out


def test_where_a_cycle_is_open_credits_used_so_far_are_certain_and_more_may_come(tmp_path: Path) -> None:
    events = [called("e1", "ada", "2026-01-05", results=10), called("e2", "ada", "2026-01-20", results=4)]
    events += [standard("e3", "bot"), called("e4", "bot", "2026-01-06", results=2)]
    path = tmp_path / "events.parquet"
    pq.write_table(table(events, ids=False), path)
    for source in (table(events), billing.read(table(events)), str(path)):
        for day, owed in (("2026-01-05T00:00:00.000001", "15.00"), ("2026-01-10", "16.00"), ("2026-01-21", "18.00")):
            for found in (
                billing.status(source, terms=TEN, as_of=utc(day)),
                [each.status for each in billing.forecast(source, terms=TEN, as_of=utc(day))],
            ):
                (status,) = found
                assert status.owed is not None
                assert (owed, owed) == (str(status.owed.so_far.amount), str(status.owed.least.total.amount))
                assert "10.00 USD" == str(status.owed.one_more)
    (free,) = billing.status(table(events), terms=FREE, as_of=utc("2026-01-21"))
    assert free.owed is not None and "10.00 USD" == str(free.owed.so_far)


# The interfaces.


def test_the_command_line_tells_each_format_the_same(cli: Cli) -> None:
    words = ("credits", str(EVENTS), "--cycle", "2026-03")
    outcome = cli(*words, "--format", "json")
    told = json.loads(outcome.out)
    assert {
        "calls": 11,
        "unnamed": 1,
        "results": 271,
        "credits": "141.525",
        "on_standard": "145.025",
        "saved": "3.5",
    } == (told["total"])
    assert [{"account_id": "acme", **told["total"]}] == told["accounts"]
    rows = list(csv.DictReader(cli(*words, "--format", "csv").out.splitlines()))
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in told["cycles"]] == rows
    assert "calls_unnamed: 1 of 11 calls name no action" in outcome.err
    text = cli(*words).out
    assert "(not named)" in text and "141.525            145.025     3.5" in text
    assert 0 == outcome.status
    several = cli("credits", str(FIXTURES / "agency" / "events.csv"), "--cycle", "2025-06").out
    assert 3 == sum(" all " in line for line in several.splitlines())


def test_python_has_the_rows_as_a_table() -> None:
    frame = billing.credits(EVENTS, first="2026-03", last="2026-03", catalogue=CATALOGUE)
    assert Decimal("243.0") == frame["credits"].sum()
    assert np.dtype("int64") == frame["calls"].dtype == frame["results"].dtype
    assert billing.credits(EVENTS, catalogue=load_catalogue(CATALOGUE)).equals(frame)
    empty = billing.credits(EVENTS, first="2026-04", last="2026-04")
    assert (0, list(frame.columns)) == (len(empty), list(empty.columns))
    assert np.dtype("int64") == empty["results"].dtype


def test_lines_for_credits_stand_in_a_table_of_invoices() -> None:
    lines = billing.table(billing.draft(EVENTS, terms=TERMS, first="2026-03", last="2026-03"))
    assert [Decimal(1), None, Decimal("141.525")] == lines["quantity"].tolist()


def test_a_ledger_answers_as_it_was_known_then(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/billing.db"
    with closing(billing.open_ledger(url)) as ledger:
        billing.append(ledger, table([called("e1", "ada", "2026-01-05", results=4)]), now=utc("2026-02-01"))
        billing.append(ledger, table([void("e2", "e1"), called("e3", "ada", "2026-01-06")]), now=utc("2026-02-02"))
    for words, credits in (((), "1"), (("--position", "1"), "4"), (("--known-at", "2026-02-01T00:00:00Z"), "4")):
        assert credits == json.loads(cli("credits", url, *words, "--format", "json").out)["total"]["credits"]
