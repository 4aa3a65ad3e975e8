"""The table of each result, and all tables that there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...comparison.run import ComparisonResult
from ...core.evidence import Evidence
from ...core.invoice import Invoice
from ...forecasting.forecast import Forecast
from ...forecasting.status import Status
from ...invoicing.close import CloseResult
from ...invoicing.restate import RestateResult
from ...ledger.entry import Document
from ...reconciliation.diagnosis import Reconciliation
from ...reconciliation.effects import Alignment
from . import bills, comparison, credits, event_diff, evidence, forecast, intervals, invoicing, reconciliation
from .frame import to_pandas
from .schema import Schema, View

if TYPE_CHECKING:
    import pandas as pd

#: What has a table of its own.
Shown: TypeAlias = (
    Evidence
    | CloseResult
    | RestateResult
    | Reconciliation
    | ComparisonResult
    | Alignment
    | Sequence[Invoice]
    | Sequence[Status]
    | Sequence[Forecast]
)

#: Every table of results that can be written.
SCHEMAS: Final[tuple[Schema, ...]] = (
    intervals.INTERVALS,
    bills.PEAKS,
    bills.LINES,
    bills.PRICES,
    evidence.WITNESSES,
    invoicing.CLOSED,
    invoicing.RESTATED,
    invoicing.STATEMENT,
    invoicing.HEAD,
    credits.CREDITS,
    comparison.ACCOUNTS,
    comparison.BILLS,
    comparison.CYCLES,
    comparison.PLAN_RANGES,
    forecast.STATUSES,
    forecast.FORECASTS,
    forecast.BACKTESTS,
    reconciliation.COMPARED,
    event_diff.DIFFERENCES,
)


def table(of: Shown) -> pd.DataFrame:
    """A result as a table of pandas.

    `of` is what `explain`, `draft`, `close`, `restate`, `reconcile`, `compare`, `align`, `status` or
    `forecast` returned. The rows are: for evidence, the identities that were active at the peak; for
    invoices, their lines; for `close` and `restate`, one for each document, with its number once issued;
    for `reconcile`, every cycle compared; for `compare`, the accounts; for `align`, each event that
    moves a cycle; for statuses and forecasts, the open cycles. Text is str, instants are
    datetime64[us, UTC], amounts and quantities `Decimal`, counts int64, or Int64 where some may be
    missing, and several numbers or ids of one row are a list.
    """
    return to_pandas(view(of))


def view(of: Shown) -> View:
    """The table of a result, with the columns that are written as CSV."""
    match of:
        case Evidence():
            return evidence.witnesses(of)
        case CloseResult():
            return invoicing.closed(of.drafts, _numbers(of.documents))
        case RestateResult():
            return invoicing.restated(of.restatements, _numbers(of.documents))
        case Reconciliation():
            compared = reconciliation.compared(of, {})
            return View(compared.schema.without("accepted"), compared.rows)  # what was accepted is in a file
        case ComparisonResult():
            return comparison.accounts(of.comparisons)
        case Alignment():
            return event_diff.differences(of)
    rows: Any = of
    match rows:
        case [Status(), *_]:
            return forecast.statuses(rows)
        case [Forecast(), *_]:
            return forecast.forecasts(rows)
    return bills.invoice_lines(rows)


def _numbers(issued: Sequence[Document]) -> list[str]:
    return [document.number for document in issued if document.number]
