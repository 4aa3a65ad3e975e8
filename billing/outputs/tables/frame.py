"""The results of verbs as tables of pandas: the rows and columns that `--format csv` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
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
from . import bills, comparison, event_diff, forecast, reconciliation

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

#: What the columns hold that hold no text.
_INSTANTS: Final = (
    *("cycle_start", "cycle_end", "peak_at", "occurred_at", "theirs_occurred_at"),
    *("covers_until", "active_since", "active_until", "as_of"),
)
_AMOUNTS: Final = (
    *("unit_price", "amount", "total", "billed", "now", "other", "difference", "percent"),
    *("amount_ours", "amount_theirs", "amount_from", "amount_to"),
    *("so_far", "least", "one_more"),
    *(column for column in forecast.FORECAST_COLUMNS if column.startswith("amount_")),
)
_COUNTS: Final = (
    *("peak", "peak_before", "peak_from", "peak_to", "cycles", "other_cycles"),
    *("active", "free", "carried", "peak_so_far"),
)
#: Counts that somebody may not have told.
_OPEN_COUNTS: Final = (
    *("quantity", "quantity_ours", "quantity_theirs", "least_at", "to_next_tier", "cheaper_at", "median", "peers"),
    *(column for column in forecast.FORECAST_COLUMNS if column.startswith(("low_", "high_"))),
)


def table(of: Shown) -> pd.DataFrame:
    """What a verb found, as a table.

    `of` is what `explain`, `draft`, `close`, `restate`, `reconcile`, `compare`, `align`, `status` or
    `forecast` gave. The rows are: of evidence, the identities that were active at the peak; of invoices,
    their lines; of a closing and a restating, one for each document, with its number once issued; of a
    reconciliation, every cycle compared; of a comparing, the accounts; of an alignment, each event that
    moves a cycle; of statuses and forecasts, the open cycles. Text is str, instants are
    datetime64[us, UTC], amounts `Decimal`, and counts int64, or Int64 where some are not told; quantities
    are `Decimal` where credits are among them, which may be fractions.
    """
    found = _frame(*_rows(of))
    # The differences of an alignment are counted; elsewhere a number is that of a document.
    return found.astype({"number": "int64"}) if isinstance(of, Alignment) else found


def _rows(of: Any) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
    match of:
        case Evidence():
            return bills.evidence(of)["identities"], bills.WITNESS_COLUMNS
        case CloseResult():
            numbered = zip(of.drafts, _numbers(of.documents, len(of.drafts)), strict=True)
            return [bills.closed(*each) for each in numbered], bills.CLOSED_COLUMNS
        case RestateResult():
            notes = zip(of.restatements, _numbers(of.documents, len(of.restatements)), strict=True)
            return [bills.restated(*each) for each in notes], bills.RESTATED_COLUMNS
        case Reconciliation():
            columns = [name for name in reconciliation.COLUMNS if name != "accepted"]  # that is in a file
            return reconciliation.rows(of, {}), columns
        case ComparisonResult():
            accounts = [(one.name, row) for one in of.comparisons for row in one.accounts]
            found = [row for name, account in accounts for row in comparison.account_rows(name, account)]
            return found, comparison.ACCOUNT_COLUMNS
        case Alignment():
            return list(event_diff.rows(of)), event_diff.COLUMNS
        case [Status(), *_]:
            return [*map(forecast.status, of)], forecast.STATUS_COLUMNS
        case [Forecast(), *_]:
            return [*map(forecast.forecast_row, of)], forecast.FORECAST_COLUMNS
    return [line for drafted in of for line in bills.invoice_lines(drafted)], bills.LINE_COLUMNS


def _numbers(issued: Sequence[Document], count: int) -> list[str | None]:
    numbers = [document.number for document in issued if document.number]
    return [*numbers] if numbers else [None] * count


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    def column(name: str) -> pd.Series[Any]:
        values = [row[name] for row in rows]
        if name in _INSTANTS:
            instants = pd.to_datetime(pd.Series(values, dtype="str"), utc=True, format="ISO8601")
            return instants.astype("datetime64[us, UTC]")
        # Credits are among the quantities where they are text.
        if name in _AMOUNTS or (name in _OPEN_COUNTS and any(isinstance(value, str) for value in values)):
            return pd.Series([None if value is None else Decimal(value) for value in values], dtype="object")
        dtype = "int64" if name in _COUNTS else "Int64" if name in _OPEN_COUNTS else "str"
        return pd.Series(values, dtype=dtype)

    return pd.DataFrame({name: column(name) for name in columns})
