"""A year of the agencies, billed month by month."""

from __future__ import annotations

from pathlib import Path

import billing
from tests.support.history import bill_history

AGENCY = Path(__file__).parents[2] / "fixtures" / "agency"


def test_a_year_closed_and_restated_month_by_month_ends_where_fresh_drafts_do() -> None:
    """Whatever came late, what a customer was billed in all is what the cycle comes to."""
    ledger = billing.open_ledger("sqlite:///:memory:")
    outcome = bill_history(ledger, str(AGENCY / "events.csv"), billing.load_terms(AGENCY / "terms.toml"))
    ledger.close()

    assert (9_534, 37) == (outcome.events, outcome.invoices)
    assert 1 == sum(outcome.notes.values())
    assert 0 == outcome.differing
