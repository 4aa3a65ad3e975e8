"""A real history, billed month by month: events are imported as they were recorded, and cycles closed in time.

    python -m tests.support.history EVENTS --terms TERMS [--ledger URL]

At the end of each month everything recorded by then is imported, what came late is restated, and
the cycles that are over are closed. In the end every invoice with its notes must equal a new draft.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from dateutil.relativedelta import relativedelta

import billing
from billing import engine
from billing.core.cycle import micros, moment
from billing.core.terms import AllTerms
from billing.engine.query import Query
from billing.invoicing import close, issue, restate
from billing.ledger.ledger import Ledger


@dataclass
class Outcome:
    """How many events were imported, what was issued for them, and how many cycles differ from a new draft."""

    events: int = 0
    invoices: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    cycles: int = 0
    differing: int = 0

    def __str__(self) -> str:
        up, down = "supplementary_invoice", "credit_note"
        return (
            f"{self.events:,} events, {self.invoices:,} invoices; "
            f"{self.notes[up]:,} supplementary invoices over {self.amounts[up]:,}, "
            f"{self.notes[down]:,} credit notes over {self.amounts[down]:,}; "
            f"{self.differing:,} of {self.cycles:,} billed cycles differ from a fresh draft"
        )


def bill_history(ledger: Ledger, source: Any, terms: AllTerms) -> Outcome:
    """Bill a source whose events say when they were recorded, month by month."""
    outcome = Outcome()
    whole = engine.read_incoming(source)
    recorded = whole.batch.content["recorded_at"].to_numpy()
    began = moment(int(recorded[0]))
    close.add_terms(ledger, terms, now=int(recorded[0]))
    first = 0
    for end in _month_ends(began):
        now = micros(end)
        upto = int(np.searchsorted(recorded, now, side="right"))
        part = whole.batch.take(np.arange(first, upto))
        outcome.events += ledger.append(part, whole.names, now=now).tally.accepted
        restated = restate.restate(ledger, now=now, issue=True)
        for restatement in restated.restatements:
            outcome.notes[restatement.kind] += 1
            outcome.amounts[restatement.kind] += restatement.difference.amount
        for months in (2, 1):  # anniversary cycles end within the month after the one they are named for
            month = f"{end - relativedelta(months=months):%Y-%m}"
            closed = close.close(ledger, month, now=now, grace_period=timedelta(0), issue=True)
            outcome.invoices += len(closed.drafts)
        first = upto
        if first == len(recorded):
            break
    billed = issue.billed_cycles(ledger)
    names = sorted(b.cycle.name for b in billed)
    query = Query(terms=engine.terms_in(ledger), first=names[0], last=names[-1])
    fresh = {(d.account_id, d.cycle): d.total for d in engine.answer(ledger, query).drafts()}
    outcome.cycles = len(billed)
    outcome.differing = sum(fresh[b.account_id, b.cycle] != b.total for b in billed)
    return outcome


def _month_ends(since: datetime) -> Iterator[datetime]:
    month = datetime(since.year, since.month, 1, tzinfo=UTC)
    while True:
        month += relativedelta(months=1)
        yield month


def main() -> int:
    """Bill a history and print the outcome."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.history", description=__doc__)
    parser.add_argument("events")
    parser.add_argument("--terms", required=True)
    parser.add_argument("--ledger", default="sqlite:///:memory:")
    given = parser.parse_args()
    ledger = billing.open_ledger(given.ledger)
    outcome = bill_history(ledger, given.events, billing.load_terms(given.terms))
    print(outcome)
    return 1 if outcome.differing else 0


if __name__ == "__main__":
    sys.exit(main())
