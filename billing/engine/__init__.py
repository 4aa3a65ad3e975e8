"""The engine: from events to peaks, drafts and evidence, and events into a ledger and out of it.

Every interface calls these verbs, and adds only parsing and printing.
"""

from .load import APPEND_ROWS, IncomingEvents, append, backup, export, read_incoming
from .result import (
    Part,
    Result,
    account_of,
    activity,
    answer,
    draft_cycle,
    explain,
    explain_cycle,
    open_source,
    position_of,
    read,
    read_for,
    terms_in,
)
from .unexpected_zero import drops_to_zero, unexpected_zero

__all__ = [
    "APPEND_ROWS",
    "IncomingEvents",
    "Part",
    "Result",
    "account_of",
    "activity",
    "answer",
    "append",
    "backup",
    "draft_cycle",
    "drops_to_zero",
    "explain",
    "explain_cycle",
    "export",
    "open_source",
    "position_of",
    "read",
    "read_for",
    "read_incoming",
    "terms_in",
    "unexpected_zero",
]
