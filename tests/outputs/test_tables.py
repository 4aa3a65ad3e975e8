"""Results as tables: the rows that the command line writes as CSV, with types that can be computed with."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import billing
from tests.conftest import Cli

AGENCY = Path(__file__).parents[2] / "fixtures" / "agency"
EVENTS, LATE, TERMS = (str(AGENCY / name) for name in ("events.csv", "late.csv", "terms.toml"))
THEIRS = str(AGENCY.parent / "foreign" / "stripe.csv")
MAY = ("--first", "2025-05", "--last", "2025-05")
OCTOBER, THEN = datetime(2025, 10, 20, tzinfo=UTC), ("--as-of", "2025-10-20T00:00:00Z")
IN_MAY: dict[str, Any] = {"first": "2025-05", "last": "2025-05", "terms": TERMS}
ASKED: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "invoices": (lambda: billing.draft(EVENTS, **IN_MAY), ("invoice", EVENTS, *MAY)),
    "evidence": (
        lambda: billing.explain(EVENTS, account_id="outreach-sg", cycle="2025-05", terms=TERMS),
        ("explain", EVENTS, "--account", "outreach-sg", "--cycle", "2025-05"),
    ),
    "comparing": (
        lambda: billing.compare(EVENTS, others=["mode=graduated"], **IN_MAY),
        ("compare", EVENTS, "--with", "mode=graduated", *MAY),
    ),
    "statuses": (lambda: billing.status(EVENTS, terms=TERMS, as_of=OCTOBER), ("status", EVENTS, *THEN)),
    "forecasts": (lambda: billing.forecast(EVENTS, terms=TERMS, as_of=OCTOBER), ("forecast", EVENTS, *THEN)),
    "reconciliation": (lambda: billing.reconcile(EVENTS, THEIRS, **IN_MAY), ("reconcile", EVENTS, THEIRS, *MAY)),
}


def told(table: pd.DataFrame) -> list[dict[str, str]]:
    """The rows of a table as CSV has them."""

    def text(value: Any) -> str:
        if isinstance(value, pd.Timestamp):
            return value.isoformat().replace("+00:00", "Z")
        return "" if pd.isna(value) else str(value)

    return [{str(name): text(value) for name, value in row.items()} for row in table.to_dict("records")]


@pytest.mark.parametrize(("ask", "words"), ASKED.values(), ids=[*ASKED])
def test_a_table_has_the_rows_that_the_command_line_writes(
    ask: Callable[[], Any], words: tuple[str, ...], cli: Cli
) -> None:
    """One answer, whichever interface somebody uses."""
    out = cli(*words, "--terms", TERMS, "--format", "csv").out
    written = [{k: v for k, v in row.items() if k != "accepted"} for row in csv.DictReader(io.StringIO(out))]

    assert written and written == told(billing.table(ask()))


def test_amounts_are_decimals_counts_are_numbers_and_instants_are_instants() -> None:
    """A table of texts cannot be summed, and one of binary numbers must not be."""
    table = billing.table(billing.draft(EVENTS, **IN_MAY))

    assert Decimal("-11.98") == table.query("kind == 'discount'")["amount"].sum()
    assert "int64" == str(table["peak"].dtype) and Decimal(68) in [*table["quantity"]]
    assert {"datetime64[us, UTC]"} == {str(table[name].dtype) for name in ("cycle_start", "cycle_end", "peak_at")}


def test_a_table_without_rows_has_the_types_of_one_with_rows() -> None:
    """A month in which nothing happened must not break what was written for the others."""
    full = billing.table(billing.draft(EVENTS, **IN_MAY))

    assert [*full.dtypes.items()] == [*billing.table([]).dtypes.items()]


def test_documents_have_their_numbers_once_they_are_issued() -> None:
    """Until then there is none to show."""
    ledger = billing.open_ledger("sqlite:///:memory:")
    billing.append(ledger, EVENTS)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    looked, closed = (
        billing.table(billing.close(ledger, "2025-06", terms=TERMS, issue=issue, now=now)) for issue in (False, True)
    )
    billing.append(ledger, LATE)
    before, notes = (billing.table(billing.restate(ledger, issue=issue)) for issue in (False, True))

    assert looked["number"].isna().all() and before["number"].isna().all()
    assert ["INV-000001", "INV-000002", "INV-000003"] == [*closed["number"]]
    assert [("INV-000004", ["late-2"], Decimal("6.49")), ("INV-000005", ["late-1"], Decimal("6.74"))] == [
        *notes[["number", "late_events", "total"]].itertuples(index=False, name=None)
    ]
    ledger.close()


def test_events_that_two_sources_differ_on_are_numbered_as_numbers(tmp_path: Path) -> None:
    """In other tables a number is that of a document, and text."""
    both = tmp_path / "both.csv"
    events = pd.concat([pd.read_csv(EVENTS), pd.read_csv(LATE)])
    events["results"] = events["results"].astype("Int64")
    events.to_csv(both, index=False)
    table = billing.table(billing.align(EVENTS, str(both), terms=TERMS))

    assert [1, 2, 2] == [*table["number"]]
    assert [Decimal("486.75"), Decimal("155.04"), Decimal("148.30")] == [*table["amount_to"]]


def test_a_table_that_was_filtered_or_sorted_can_be_given_as_it_is() -> None:
    """Its index comes along as a column, and nobody who filters a table thinks of that."""
    events = pd.DataFrame(
        [
            ("acme", "ada", "action.called", "2026-03-02T00:00:00Z"),
            ("acme", "bo", "action.called", "2026-03-01T00:00:00Z"),
            ("acme", "cy", "action.called", "2026-03-03T00:00:00Z"),
        ],
        columns=["account_id", "identity_id", "type", "occurred_at"],
    )
    without_bo = events[events["identity_id"] != "bo"].sort_values("occurred_at", ascending=False)

    assert ["ada", "cy"] == [*billing.intervals(without_bo)["identity_id"]]
