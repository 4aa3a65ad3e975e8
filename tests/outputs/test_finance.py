"""Exports for finance systems, checked by programs that know these formats: beancount and a FOCUS linter."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from beancount import loader
from beancount.core import data, realization

import billing
from billing.outputs.finance.journal import account_of
from billing.outputs.tables.schema import Kind
from billing.outputs.tables.text import cell
from tests.conftest import Cli

FIXTURES = Path(__file__).parents[2] / "fixtures"
AGENCY = FIXTURES / "agency" / "events.csv"
TERMS = ["--terms", str(FIXTURES / "agency" / "terms.toml")]


@pytest.fixture
def ledger(cli: Cli, tmp_path: Path) -> str:
    """A ledger with six invoices and two supplementary invoices."""
    url = f"sqlite:///{tmp_path}/billing.db"
    cli("import", str(AGENCY), "--ledger", url)
    for cycle in ("2025-05", "2025-06"):
        cli("close", "--ledger", url, "--cycle", cycle, *TERMS, "--yes", "--issued-at", "2026-01-02T00:00:00Z")
    cli("import", str(FIXTURES / "agency" / "late.csv"), "--ledger", url)
    cli("restate", "--ledger", url, "--yes", "--issued-at", "2026-01-06T00:00:00Z")
    return url


def load(text: str) -> list[Any]:
    entries, errors, _ = loader.load_string(text)
    assert [] == errors
    return list(entries)


def test_a_journal_balances_under_beancount_and_ends_with_the_statement(cli: Cli, ledger: str) -> None:
    entries = load(cli("export", "journal", ledger).out)
    assert 8 == sum(isinstance(entry, data.Transaction) for entry in entries)
    root = realization.realize(entries)  # type: ignore[no-untyped-call]
    statement = billing.statement(billing.open_ledger(ledger))
    for account_id, rows in statement.groupby("account_id"):
        found = realization.get(root, account_of(str(account_id)))  # type: ignore[no-untyped-call]
        balance = found.balance.get_currency_units("USD")
        assert rows["balance"].iloc[-1] == balance.number


def test_a_journal_that_does_not_balance_is_noticed(cli: Cli, ledger: str) -> None:
    text = cli("export", "journal", ledger).out
    broken = text.replace("Income:Identities  -441.32 USD", "Income:Identities  -441.33 USD")
    assert broken != text
    assert loader.load_string(broken)[1]


def test_drafts_are_flagged_in_a_journal(cli: Cli) -> None:
    entries = load(cli("export", "journal", str(AGENCY), *TERMS, "--cycle", "2025-06").out)
    assert ["!"] * 3 == [entry.flag for entry in entries if isinstance(entry, data.Transaction)]


@pytest.mark.parametrize("ids", [("a", "A", "Z41z", "ZZ41z", "a b", "é", "日本", '"q\\"', "-x", "0")])
def test_no_two_ids_become_one_account_and_beancount_takes_them_all(ids: tuple[str, ...]) -> None:
    names = [account_of(account_id) for account_id in ids]
    assert len(set(names)) == len(ids)
    load("".join(f"2026-01-01 open {name} USD\n" for name in names))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_focus_passes_an_independent_linter_and_adds_up_to_every_invoice(cli: Cli, ledger: str, tmp_path: Path) -> None:
    folder = tmp_path / "focus"
    cli("export", "focus", ledger, "--output", str(folder))
    for name in ("cost_and_usage", "invoice_detail", "billing_period"):
        asked = ["validate", str(folder / f"{name}.csv"), "--dataset", name.replace("_", "-")]
        linted = subprocess.run(
            [sys.executable, "-m", "focus_data_toolkit", *asked], capture_output=True, text=True, check=False
        )
        assert (0, True) == (linted.returncode, "SEMANTIC_VALID)" in linted.stdout), linted.stdout + linted.stderr
    totals = {number: Decimal(total) for number, total in zip(*_issued(ledger), strict=True)}
    for name in ("cost_and_usage", "invoice_detail"):
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in rows_of(folder / f"{name}.csv"):
            sums[row["InvoiceId"]] += Decimal(row["BilledCost"])
        assert totals == dict(sums)


def _issued(ledger: str) -> tuple[list[str], list[str]]:
    statement = billing.statement(billing.open_ledger(ledger))
    return statement["number"].tolist(), [str(total) for total in statement["total"]]


def test_drafts_in_focus_have_no_invoice_and_their_period_is_open(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "focus"
    cli("export", "focus", str(AGENCY), *TERMS, "--cycle", "2025-06", "--output", str(folder))
    assert {""} == {row["InvoiceId"] for row in rows_of(folder / "cost_and_usage.csv")}
    assert [] == rows_of(folder / "invoice_detail.csv")
    assert {"Open"} == {row["BillingPeriodStatus"] for row in rows_of(folder / "billing_period.csv")}


def test_a_ledger_is_exported_as_it_was_issued_and_takes_no_terms(cli: Cli, ledger: str) -> None:
    outcome = cli("export", "journal", ledger, *TERMS)
    assert (2, True) == (outcome.status, "goes without --plan, --terms" in outcome.err)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1"])
def test_a_formula_is_text_in_every_csv(text: str) -> None:
    assert [f"'{text}", f"'{text}", f"'{text} b"] == [
        cell(text, Kind.TEXT),
        cell(text, Kind.CODE),
        cell([text, "b"], Kind.TEXTS),
    ]


@pytest.mark.parametrize("kind", [Kind.MONEY, Kind.DECIMAL, Kind.PERCENT, Kind.QUANTITY])
def test_a_negative_number_stays_a_number(kind: Kind) -> None:
    assert "-8.00" == cell(Decimal("-8.00"), kind)


@pytest.mark.parametrize("text", ["acme", "2026-01-01T00:00:00Z", "8", ""])
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert text == cell(text, Kind.TEXT)


def test_an_id_that_is_a_formula_is_neutralised_by_every_verb(cli: Cli, tmp_path: Path) -> None:
    hostile = "=cmd|' /C calc'!A0"
    source = tmp_path / "events.csv"
    source.write_text(
        "event_id,account_id,identity_id,type,occurred_at\n"
        f"{hostile},{hostile},{hostile},action.called,2026-01-01T00:00:00Z\n",
        encoding="utf-8",
    )
    theirs = tmp_path / "theirs.csv"
    theirs.write_text(f"account_id,cycle,quantity\n{hostile},2026-01,2\n", encoding="utf-8")
    plan = ["--plan", str(FIXTURES / "agency" / "plan.toml")]
    for verb in (["peaks", str(source)], ["invoice", str(source), *plan], ["explain", str(source)],
                 ["reconcile", str(source), str(theirs)]):  # fmt: skip
        printed = cli(*verb, "--format", "csv").out
        assert hostile in printed
        assert f"'{hostile}" in printed
        assert not any(value.startswith("=") for row in csv.reader(printed.splitlines()) for value in row)
