"""The engine: from events to peaks, drafts and evidence, and events into a ledger and out of it.

Every interface calls these verbs, and adds only parsing and printing.
"""

from .load import APPEND_ROWS, Arrivals, append, arrivals, backup, export
from .result import (
    Part,
    Result,
    account_of,
    activity,
    answer,
    draft_cycle,
    explain,
    explain_cycle,
    idle,
    open_source,
    position_of,
    read,
    read_for,
    terms_in,
)

__all__ = [
    "APPEND_ROWS",
    "Arrivals",
    "Part",
    "Result",
    "account_of",
    "activity",
    "answer",
    "append",
    "arrivals",
    "backup",
    "draft_cycle",
    "explain",
    "explain_cycle",
    "export",
    "idle",
    "open_source",
    "position_of",
    "read",
    "read_for",
    "terms_in",
]
