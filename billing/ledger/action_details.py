"""What calls did, read from a ledger only where it matters: most bills do without."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa

from ..core.event import CALLED, MANAGED, UNSAID, Details, Int64
from .database import ACTION_NAME, Database, Row, Span

#: A row for each call that tells something: its position, the code of its action, its results, and whether
#: it was managed; integers, which cost less on their way than text.
_CALLS: Final = (
    f"SELECT e.position, coalesce(e.action, {UNSAID}), coalesce(e.results, {UNSAID}), "
    f"CASE WHEN e.mode = '{MANAGED}' THEN 1 ELSE 0 END FROM "
)
_TELLS: Final = "(e.action IS NOT NULL OR e.results IS NOT NULL OR e.mode IS NOT NULL)"
_EVERYTHING: Final = f"{_CALLS}entry e WHERE e.type = {CALLED} AND e.position <= ? AND {_TELLS}"
_SPAN: Final = (
    f"{_CALLS}moment m JOIN entry e ON e.position = m.position WHERE m.account = ? AND m.occurred_at >= ? "
    f"AND m.occurred_at < ? AND m.position <= ? AND m.type = {CALLED} AND {_TELLS}"
)
_COLUMNS: Final = 4


def details(database: Database, spans: Sequence[Span] | None, until: int, positions: Int64) -> Details:
    """What the entries at some positions say of actions; all of them within some spans, or anywhere."""
    told = _told(database, spans, until)
    columns = np.full((len(positions), _COLUMNS - 1), (UNSAID, UNSAID, 0), np.int64)
    order = np.argsort(positions)
    # What was voided was told, and is not among the positions.
    told = told[np.isin(told[:, 0], positions)]
    columns[order[np.searchsorted(positions, told[:, 0], sorter=order)]] = told[:, 1:]
    used, codes = np.unique(columns[:, 0], return_inverse=True)
    named = used[used != UNSAID]
    return Details(
        names=pa.array(database.look_up(ACTION_NAME, [(int(code),) for code in named]), pa.string()),
        # Codes begin at 1, so that what names no action is the first of those used.
        actions=(codes.reshape(-1) - (len(used) - len(named))).astype(np.int32),
        results=columns[:, 1].copy(),
        managed=columns[:, 2] == 1,
    )


def _told(database: Database, spans: Sequence[Span] | None, until: int) -> Int64:
    found: list[list[Row]]
    if spans is None:
        found = [database.rows(_EVERYTHING, until)]
    else:
        found = [database.rows(_SPAN, span.account, span.start, span.end, until) for span in spans]
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(found)), np.int64)
    return flat.reshape(-1, _COLUMNS)
