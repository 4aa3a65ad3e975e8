"""A year of the agencies, lived month by month."""

from __future__ import annotations

from pathlib import Path

import billing
from tests.support.history import lived

AGENCY = Path(__file__).parents[2] / "fixtures" / "agency"


def test_a_year_closed_and_restated_month_by_month_ends_where_fresh_drafts_do() -> None:
    """Whatever came late, what a customer was billed in all is what the cycle comes to."""
    ledger = billing.open_ledger("sqlite:///:memory:")
    told = lived(ledger, str(AGENCY / "events.csv"), billing.load_terms(AGENCY / "terms.toml"))
    ledger.close()

    assert (9_534, 37) == (told.events, told.invoices)
    assert 1 == sum(told.notes.values())
    assert 0 == told.differing
