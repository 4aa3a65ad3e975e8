"""Reconciliation: what is matched with what, why figures differ, and what the command line says of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

import billing
from billing import engine
from billing.config.terms import load_terms
from billing.core.cycle import Cycle, micros
from billing.core.event import Events
from billing.core.invoice import Invoice
from billing.core.money import Money
from billing.core.terms import AllTerms, Terms
from billing.engine.query import Query
from billing.inputs.rows import ReadOptions
from billing.reconciliation.causes import CAUSES, Cause, apply_causes, compute_amount, without_pricing
from billing.reconciliation.foreign import read_foreign
from billing.reconciliation.invoices import reconcile
from billing.reconciliation.matching import Ours, Status, Theirs, match, sum_by_status
from billing.reconciliation.recount import Recount
from billing.reconciliation.time_line import CycleRef
from tests.conftest import Cli

FIXTURES = Path(__file__).parents[2] / "fixtures"
AGENCY = FIXTURES / "agency" / "events.csv"
TERMS = FIXTURES / "agency" / "terms.toml"
BY_NAME = {cause.name: cause for cause in CAUSES}

JANUARY = Cycle(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), "2026-01")
FEBRUARY = Cycle(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC), "2026-02")
OURS = Ours("acme", JANUARY, 8, Money(Decimal("63.92"), "USD"))
THEIRS = Theirs("t.csv:2", "acme", cycle="2026-01", quantity=8, amount=Decimal("63.92"), currency="USD")


@pytest.mark.parametrize(
    ("theirs", "status"),
    [
        (THEIRS, "matched"),
        (replace(THEIRS, quantity=None), "matched"),
        (replace(THEIRS, quantity=9), "quantity_differs"),
        (replace(THEIRS, amount=Decimal("63.93")), "amount_differs"),
        (replace(THEIRS, currency="EUR"), "currency_differs"),
        (replace(THEIRS, cycle=None, start=OURS.span[0], end=OURS.span[1]), "matched"),
        (replace(THEIRS, cycle=None, start=OURS.span[0] + 1, end=OURS.span[1]), "cycle_shifted"),
        (replace(THEIRS, cycle=None, start=OURS.span[0], end=OURS.span[1] - 86_400_000_000, dates=True), "matched"),
    ],
)
def test_two_invoices_of_a_cycle_have_one_status(theirs: Theirs, status: Status) -> None:
    (found,) = match([OURS], [theirs])
    assert (status, OURS, theirs) == (found.status, found.ours, found.theirs)


def test_what_is_on_one_side_only_or_twice_says_so_and_nothing_is_lost() -> None:
    ours = [OURS, replace(OURS, cycle=FEBRUARY)]
    theirs = [replace(THEIRS, quantity=9), THEIRS, replace(THEIRS, account_id="beta"), replace(THEIRS, cycle="2027-01")]
    found = match(ours, theirs)
    assert [
        ("acme", "2026-01", "matched"),  # of the two, the one that agrees is meant
        ("acme", "2026-01", "duplicate"),
        ("acme", "2026-02", "missing_theirs"),
        ("acme", "2027-01", "missing_ours"),
        ("beta", "2026-01", "missing_ours"),
    ] == [(m.account_id, m.cycle, m.status) for m in found]
    totals = sum_by_status(found)
    assert Decimal("127.84") == sum(s.ours for s in totals)
    assert Decimal("255.68") == sum(s.theirs for s in totals)
    assert sum(s.difference for s in totals) == sum(s.theirs for s in totals) - sum(s.ours for s in totals)


def test_amounts_of_two_currencies_are_never_added() -> None:
    totals = sum_by_status(match([OURS], [replace(THEIRS, currency="EUR", amount=Decimal(1))]))
    assert [("EUR", Decimal(0), Decimal(1)), ("USD", Decimal("63.92"), Decimal(0))] == [
        (s.currency, s.ours, s.theirs) for s in totals
    ]


def test_a_tolerance_is_only_what_was_asked_for() -> None:
    cent = replace(THEIRS, amount=Decimal("63.93"))
    assert ["matched"] == [m.status for m in match([OURS], [cent], tolerance=Decimal("0.01"))]


@cache
def agency() -> tuple[Events, AllTerms, list[Invoice]]:
    terms = load_terms(TERMS)
    events = engine.read(str(AGENCY), ReadOptions(history=True))
    return events, terms, engine.answer(events, Query(terms=terms)).drafts()


def misread(causes: Sequence[Sequence[Cause]], *, quantities: bool = True) -> list[Theirs]:
    """The agency's invoices as somebody makes them who misreads each by some causes."""
    events, terms, drafts = agency()
    recount = Recount(events, range(len(events.names.accounts)))
    made = []
    for drafted, chosen in zip(drafts, causes, strict=True):
        own, start = terms.of(drafted.account_id), micros(drafted.cycle.start)
        cycle = CycleRef(events.names.code_of(drafted.account_id), own.cycles, own.cycles.index_at(start), own.policy)
        rule = apply_causes(tuple(chosen))
        count = int(recount.count([cycle], without_pricing(rule))[0])
        made.append(
            Theirs(
                "theirs",
                drafted.account_id,
                start=start,
                end=micros(drafted.cycle.end),
                quantity=count if quantities else None,
                amount=compute_amount(rule, count, own, EARLIER),
                currency="USD",
            )
        )
    return made


def plan_at(unit_price: str) -> billing.Plan:
    return billing.Plan(
        id=unit_price, currency="USD", mode="volume", tiers=(billing.Tier(unit_price=Decimal(unit_price)),)
    )


EARLIER = (plan_at("7.77"), plan_at("7.11"))
#: What makes no difference in the agency, since nothing there happens at one instant or within an hour
#: of a peak, its clocks change no peak, and nobody pays for credits; these have their own ledgers in
#: `test_causes` and `test_credits`.
WITHOUT_EFFECT = {"computed_now", "hourly_samples", "ends_after_starts", "cycle_in_utc", "credits_left_out"}


@pytest.mark.parametrize("quantities", [True, False], ids=["with quantities", "amounts alone"])
@pytest.mark.parametrize("name", [r.name for r in CAUSES if r.name not in WITHOUT_EFFECT])
def test_a_file_made_by_one_misreading_is_diagnosed_as_exactly_that(name: str, quantities: bool) -> None:
    events, terms, drafts = agency()
    theirs = misread([[BY_NAME[name]]] * len(drafts), quantities=quantities)
    found, _ = reconcile(events, theirs, Query(terms=terms), earlier=EARLIER)
    assert found.differing
    assert [name] == [cause.name for cause in found.causes]
    assert not found.unexplained


def test_the_causes_left_out_above_make_no_difference_in_the_agency() -> None:
    events, terms, drafts = agency()
    for name in sorted(WITHOUT_EFFECT):
        theirs = misread([[BY_NAME[name]]] * len(drafts))
        assert not reconcile(events, theirs, Query(terms=terms))[0].differing


def test_two_misreadings_at_once_are_found_where_no_single_one_fits() -> None:
    events, terms, drafts = agency()
    theirs = misread([[BY_NAME["count_at_end"], BY_NAME["tax_19"]]] * len(drafts))
    found, _ = reconcile(events, theirs, Query(terms=terms))
    assert "count_at_end + tax_19" == found.causes[0].name
    assert not found.unexplained


def test_eight_causes_across_the_accounts_of_a_file_are_sorted_out(tmp_path: Path) -> None:
    """At least 95 % are named, and none that does not make the figure; accounts are copies of the agency's."""
    names = ["count_at_end", "standard_counted", "tax_20", "previous_cycle", "distinct", "other_mode",
             "connect_window_ignored", "action_window_ignored"]  # fmt: skip
    with AGENCY.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    copies = [{**row, "account_id": f"{row['account_id']} {n}"} for n in range(4) for row in rows]
    source = write(tmp_path / "events.csv", list(copies[0]), *(list(row.values()) for row in copies))
    _, terms, drafts = agency()
    alike = AllTerms(terms.default, {f"{a} {n}": own for n in range(4) for a, own in terms.accounts.items()})
    accounts = sorted(alike.accounts)
    theirs, cause_of = [], {}
    for k, account in enumerate(accounts):
        cause_of[account] = names[k % 8]
        for invoice in misread([[BY_NAME[names[k % 8]]]] * len(drafts)):
            if invoice.account_id == account.split()[0]:
                theirs.append(replace(invoice, account_id=account))
    found, _ = reconcile(source, theirs, Query(terms=alike))
    named = [(cause_of[m.account_id], d) for m, d in found.differing]
    assert {cause for cause, _ in named} == set(names)
    assert sum(d is not None and d.explanation.name == cause for cause, d in named) >= 0.95 * len(named)
    for m, d in found.differing:
        assert d is not None and m.theirs is not None
        assert (m.theirs.quantity, m.theirs.amount) == (d.explanation.quantity, d.explanation.amount)


def test_identities_that_only_one_side_counts_are_named_with_their_last_event() -> None:
    events, terms, drafts = agency()
    theirs = misread([[BY_NAME["late_events_missing"]]] * len(drafts))
    found, _ = reconcile(events, theirs, Query(terms=terms), identities=True)
    who = [(m.account_id, m.cycle, each.counted_by, each.identity_id) for m, some in
           zip(found.matches, found.disputed, strict=True) for each in some]  # fmt: skip
    assert ("brightline", "2025-06", "theirs", "maple-zoe") in who  # her only action was taken back later
    assert ("kontor-nord", "2025-09", "ours", "alster-tom") in who  # what she did was learned of later


def test_where_several_fit_it_is_said_and_what_would_decide() -> None:
    table = {
        "account_id": ["acme"] * 3,
        "identity_id": ["ada", "bob", "ada"],
        "type": ["action.called", "action.called", "identity.deleted"],
        "occurred_at": ["2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", "2026-01-25T00:00:00Z"],
    }
    query = Query(terms=AllTerms(Terms(plan=plan_at("1"))))
    theirs = [Theirs("t", "acme", cycle="2026-01", quantity=0, amount=Decimal(0))]
    found, _ = reconcile(pa.table(table), theirs, query)
    diagnosis = found.diagnoses[0]
    assert diagnosis is not None and not diagnosis.decided
    names = {diagnosis.explanation.name, *(other.name for other in diagnosis.others)}
    assert {"count_at_start", "previous_cycle"} <= names
    assert diagnosis.datum is not None and diagnosis.datum.startswith("the quantity of 2026-02: ")


def test_a_figure_that_no_cause_gives_is_not_explained() -> None:
    events, terms, drafts = agency()
    theirs = misread([[]] * len(drafts))
    theirs[3] = replace(theirs[3], quantity=999_999, amount=Decimal("0.01"))
    found, _ = reconcile(events, theirs, Query(terms=terms))
    assert (1, 1, []) == (len(found.differing), found.unexplained, found.causes)


def write(path: Path, *rows: Sequence[object]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def test_lines_of_stripe_are_added_up_in_minor_units(tmp_path: Path) -> None:
    path = write(
        tmp_path / "stripe.csv",
        ["invoice_line_item_id", "invoice_id", "customer", "price_id", "quantity", "amount", "currency",
         "period_start", "period_end", "proration"],
        ["il_1", "in_1", "acme", "price_1", 8, 6392, "usd", "2026-01-01 00:00:00", "2026-02-01 00:00:00", "false"],
        ["il_2", "in_1", "acme", "price_2", 1, -639, "usd", "2026-01-01 00:00:00", "2026-02-01 00:00:00", "false"],
    )  # fmt: skip
    (invoice,) = read_foreign(path).invoices
    assert (8, Decimal("57.53"), "USD", OURS.span) == (
        invoice.quantity, invoice.amount, invoice.currency, (invoice.start, invoice.end)
    )  # fmt: skip


@pytest.mark.parametrize("format", ["json", "csv"])
def test_what_we_export_agrees_with_ourselves(format: str, cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / f"ours.{format}"
    cli("invoice", str(AGENCY), "--terms", str(TERMS), "--format", format, "--output", str(path))
    outcome = cli("reconcile", str(AGENCY), str(path), "--terms", str(TERMS))
    assert 0 == outcome.status
    assert "38 cycles compared: 38 agree, 0 differ." in outcome.out


def test_a_mapping_names_their_columns_and_accounts(cli: Cli, tmp_path: Path) -> None:
    theirs = write(
        tmp_path / "theirs.csv", ["Customer", "Month", "Seats", "Cents"], ["Bright Line Ltd", "2025-06", 69, 44781]
    )
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        'minor_units = true\ncurrency = "USD"\n[columns]\naccount_id = "Customer"\ncycle = "Month"\n'
        'quantity = "Seats"\namount = "Cents"\n[accounts]\n"Bright Line Ltd" = "brightline"\n',
        encoding="utf-8",
    )
    asked = ["--terms", str(TERMS), "--account", "brightline", "--cycle", "2025-06", "--mapping", str(mapping)]
    outcome = cli("reconcile", str(AGENCY), theirs, *asked, "--format", "json")
    said = json.loads(outcome.out)
    assert (1, "count_at_end") == (outcome.status, said["matches"][0]["cause"])
    assert ("480.26", "447.81", "-32.45") == tuple(
        said["matches"][0][key] for key in ("amount_ours", "amount_theirs", "difference")
    )


def test_an_accepted_discrepancy_comes_back_when_its_figures_change(cli: Cli, tmp_path: Path) -> None:
    header = ["account_id", "cycle", "quantity"]
    theirs = write(tmp_path / "theirs.csv", header, ["brightline", "2025-06", 69])
    accepted = str(tmp_path / "accepted.jsonl")
    asked = [str(AGENCY), theirs, "--terms", str(TERMS), "--account", "brightline", "--cycle", "2025-06"]
    assert 1 == cli("reconcile", *asked, "--accepted", accepted).status
    assert 0 == cli("reconcile", *asked, "--accepted", accepted, "--accept", "agreed on 3 July").status
    again = cli("reconcile", *asked, "--accepted", accepted)
    assert (0, True) == (again.status, "accepted: agreed on 3 July" in again.out)
    write(tmp_path / "theirs.csv", header, ["brightline", "2025-06", 70])
    assert 1 == cli("reconcile", *asked, "--accepted", accepted).status


def test_what_a_ledger_issued_is_compared_with_theirs_and_late_events_explain(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/billing.db"
    cli("import", str(AGENCY), "--ledger", url)
    cli("close", "--ledger", url, "--cycle", "2025-06", "--terms", str(TERMS), "--yes",
        "--issued-at", "2026-01-02T00:00:00Z")  # fmt: skip
    cli("import", str(FIXTURES / "agency" / "late.csv"), "--ledger", url)
    theirs = write(
        tmp_path / "theirs.csv", ["account_id", "cycle", "quantity", "amount", "currency"],
        ["brightline", "2025-06", 75, "486.75", "USD"], ["kontor-nord", "2025-06", 38, "265.62", "USD"],
    )  # fmt: skip
    outcome = cli("reconcile", url, theirs, "--cycle", "2025-06", "--format", "json")
    rows = {row["account_id"]: row for row in json.loads(outcome.out)["matches"]}
    assert ("INV-000001", 74, "computed_now") == tuple(
        rows["brightline"][key] for key in ("number", "quantity_ours", "cause")
    )
    assert ("matched", "missing_theirs") == (rows["kontor-nord"]["status"], rows["outreach-sg"]["status"])


def test_a_month_asked_for_is_that_of_the_accounts_clock(cli: Cli) -> None:
    """In Singapore June began on 31 May in UTC; the invoice for it is not beyond what was asked for."""
    theirs = str(FIXTURES / "foreign" / "stripe.csv")
    outcome = cli("reconcile", str(AGENCY), theirs, "--terms", str(TERMS), "--cycle", "2025-06", "--format", "json")
    rows = {row["account_id"]: row for row in json.loads(outcome.out)["matches"]}
    assert ("count_at_end", None, "discount_left_out") == tuple(
        rows[account]["cause"] for account in ("brightline", "kontor-nord", "outreach-sg")
    )


def acme(*rows: tuple[str, str, str]) -> pa.Table:
    """Events of acme: identity, type and day."""
    types = {"acts": "action.called", "goes": "identity.deleted"}
    return pa.table(
        {
            "account_id": ["acme"] * len(rows),
            "identity_id": [name for name, _, _ in rows],
            "type": [types[what] for _, what, _ in rows],
            "occurred_at": [f"{day}T00:00:00Z" for _, _, day in rows],
        }
    )


def test_a_cycle_on_which_both_agree_decides_between_two_that_fit() -> None:
    ledger = acme(("ada", "acts", "2026-01-10"), ("bob", "acts", "2026-01-20"), ("ada", "goes", "2026-01-25"))
    theirs = [Theirs("t", "acme", cycle="2026-01", quantity=0), Theirs("t", "acme", cycle="2026-02", quantity=1)]
    tried: list[int] = []
    found, _ = reconcile(ledger, theirs, Query(), progress=tried.append)
    diagnosis = found.diagnoses[0]
    assert diagnosis is not None and diagnosis.decided
    assert ("count_at_start", ["previous_cycle"]) == (
        diagnosis.explanation.name, [other.name for other in diagnosis.others]
    )  # fmt: skip
    assert sum(tried) >= len(CAUSES) - len(found.not_tried)


def test_where_amounts_alone_do_not_tell_the_quantity_would() -> None:
    ledger = acme(("ada", "acts", "2025-12-20"), ("bob", "acts", "2025-12-20"), ("cy", "acts", "2026-01-05"),
                  ("ada", "goes", "2026-01-10"), ("bob", "goes", "2026-01-10"))  # fmt: skip
    plan = plan_at("1").model_copy(update={"package_size": 2})
    theirs = [Theirs("t", "acme", cycle="2026-01", amount=Decimal(1))]
    found, _ = reconcile(ledger, theirs, Query(terms=AllTerms(Terms(plan=plan)), first="2026-01", last="2026-01"))
    diagnosis = found.diagnoses[0]
    assert diagnosis is not None and not diagnosis.decided
    assert diagnosis.datum is not None
    assert diagnosis.datum.startswith("the quantity billed: 1 by count_at_end, 2 by count_at_start")


def test_where_quantities_do_not_tell_the_amount_of_another_cycle_would() -> None:
    ledger = acme(("ada", "acts", "2026-01-10"), ("bob", "acts", "2026-02-05"))
    lower = (billing.Tier(up_to=1, unit_price=Decimal(5)), billing.Tier(unit_price=Decimal(4)))
    older = billing.Plan(id="older", currency="USD", mode="volume", tiers=lower)
    query = Query(terms=AllTerms(Terms(plan=plan_at("7"))))
    theirs = [Theirs("t", "acme", cycle="2026-01", quantity=1, amount=Decimal(5))]
    found, _ = reconcile(ledger, theirs, query, earlier=(plan_at("5"), older))
    diagnosis = found.diagnoses[0]
    assert diagnosis is not None
    assert "the amount of 2026-02: 10.00 by earlier_plan, 8.00 by second_earlier_plan" == diagnosis.datum


def test_whoever_counts_over_the_whole_cycle_counts_at_no_moment() -> None:
    ledger = acme(("ada", "acts", "2026-01-01"), ("ada", "goes", "2026-01-03"), ("bob", "acts", "2026-01-05"))
    found, _ = reconcile(ledger, [Theirs("t", "acme", cycle="2026-01", quantity=2)], Query(), identities=True)
    assert "distinct" == found.causes[0].name
    (only,) = found.disputed[0]
    assert ("bob", "theirs", None, "action.called") == (only.identity_id, only.counted_by, only.moment, only.type)


def test_a_shifted_cycle_is_matched_with_the_one_that_it_is_most_of() -> None:
    ours = [OURS, replace(OURS, cycle=FEBRUARY)]
    start, end = FEBRUARY.start, FEBRUARY.end
    near = replace(THEIRS, cycle=None, start=micros(start) + 1, end=micros(end) + 1)
    far = replace(near, start=micros(end) + 10**13, end=micros(end) + 2 * 10**13)
    assert [("2026-01", "missing_theirs"), ("2026-02", "cycle_shifted"), ("2026-06", "missing_ours")] == [
        (m.cycle, m.status) for m in match(ours, [near, far])
    ]


def test_an_identity_of_rejected_rows_alone_is_in_nobodys_way(tmp_path: Path, cli: Cli) -> None:
    """It has a name and no account, and what was rejected stays rejected."""
    header = "event_id,account_id,identity_id,type,occurred_at\n"
    rows = "e1,acme,u1,action.called,2026-01-01T00:00:00Z\ne2,acme,u2,identity.created,2026-01-01T00:00:00Z\n"
    (tmp_path / "events.csv").write_text(header + rows)
    (tmp_path / "theirs.csv").write_text("account_id,cycle,quantity\nacme,2026-01,2\n")
    outcome = cli("reconcile", str(tmp_path / "events.csv"), str(tmp_path / "theirs.csv"))
    assert 1 == outcome.status
    assert "1 cycle compared: 0 agree, 1 differ." in outcome.out
