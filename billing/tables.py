"""The results of verbs as tables of pandas: the rows and columns that `--format csv` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .closing import Closing
from .comparing import Comparing
from .core.diagnosis import Reconciliation
from .core.effect import Alignment
from .core.evidence import Evidence
from .core.invoice import Invoice
from .formats import alignments, comparisons, documents, reconciliations
from .ledger.entry import Document
from .restating import Restating

if TYPE_CHECKING:
    import pandas as pd

#: What has a table of its own.
Shown: TypeAlias = Evidence | Closing | Restating | Reconciliation | Comparing | Alignment | Sequence[Invoice]

#: What the columns hold that hold no text.
_INSTANTS: Final = (
    *("cycle_start", "cycle_end", "peak_at", "occurred_at", "theirs_occurred_at"),
    *("covers_until", "active_since", "active_until"),
)
_AMOUNTS: Final = (
    *("unit_price", "amount", "total", "billed", "now", "other", "difference", "percent"),
    *("amount_ours", "amount_theirs", "amount_from", "amount_to"),
)
_COUNTS: Final = ("peak", "peak_before", "peak_from", "peak_to", "cycles", "other_cycles")
#: Counts that somebody may not have told.
_OPEN_COUNTS: Final = ("quantity", "quantity_ours", "quantity_theirs")


def table(of: Shown) -> pd.DataFrame:
    """What a verb found, as a table.

    `of` is what `explain`, `draft`, `close`, `restate`, `reconcile`, `compare` or `align` gave. The rows
    are: of evidence, the identities that were active at the peak; of invoices, their lines; of a closing
    and a restating, one for each document, with its number once issued; of a reconciliation, every cycle
    compared; of a comparing, the accounts; of an alignment, each event that moves a cycle. Text is str,
    instants are datetime64[us, UTC], amounts `Decimal`, and counts int64, or Int64 where some are not told.
    """
    found = _frame(*_rows(of))
    # The differences of an alignment are counted; elsewhere a number is that of a document.
    return found.astype({"number": "int64"}) if isinstance(of, Alignment) else found


def _rows(of: Shown) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
    match of:
        case Evidence():
            return documents.evidence(of)["identities"], documents.WITNESS_COLUMNS
        case Closing():
            numbered = zip(of.drafts, _numbers(of.documents, len(of.drafts)), strict=True)
            return [documents.closed(*each) for each in numbered], documents.CLOSED_COLUMNS
        case Restating():
            notes = zip(of.restatements, _numbers(of.documents, len(of.restatements)), strict=True)
            return [documents.restated(*each) for each in notes], documents.RESTATED_COLUMNS
        case Reconciliation():
            columns = [name for name in reconciliations.COLUMNS if name != "accepted"]  # that is in a file
            return reconciliations.rows(of, {}), columns
        case Comparing():
            accounts = [(one.name, row) for one in of.comparisons for row in one.accounts]
            found = [row for name, account in accounts for row in comparisons.account_rows(name, account)]
            return found, comparisons.ACCOUNT_COLUMNS
        case Alignment():
            return list(alignments.rows(of)), alignments.COLUMNS
    return [line for drafted in of for line in documents.invoice_lines(drafted)], documents.LINE_COLUMNS


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
        if name in _AMOUNTS:
            return pd.Series([None if value is None else Decimal(value) for value in values], dtype="object")
        dtype = "int64" if name in _COUNTS else "Int64" if name in _OPEN_COUNTS else "str"
        return pd.Series(values, dtype=dtype)

    return pd.DataFrame({name: column(name) for name in columns})
