"""The details of calls (action, results, mode), read from a ledger only where they matter: most bills need none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa

from ..core.event import CALLED, MANAGED, UNSAID, Details, Int64
from .database import ACTION_NAME, Database, Row, Span

#: A row for each call with details: its position, the code of its action, its results, and whether it was
#: managed. All are integers, which are cheaper to fetch than text.
_CALLS: Final = (
    f"SELECT e.position, coalesce(e.action, {UNSAID}), coalesce(e.results, {UNSAID}), "
    f"CASE WHEN e.mode = '{MANAGED}' THEN 1 ELSE 0 END FROM "
)
_HAS_DETAILS: Final = "(e.action IS NOT NULL OR e.results IS NOT NULL OR e.mode IS NOT NULL)"
_EVERYTHING: Final = f"{_CALLS}entry e WHERE e.type = {CALLED} AND e.position <= ? AND {_HAS_DETAILS}"
_SPAN: Final = (
    f"{_CALLS}moment m JOIN entry e ON e.position = m.position WHERE m.account = ? AND m.occurred_at >= ? "
    f"AND m.occurred_at < ? AND m.position <= ? AND m.type = {CALLED} AND {_HAS_DETAILS}"
)
_COLUMNS: Final = 4


def details(database: Database, spans: Sequence[Span] | None, until: int, positions: Int64) -> Details:
    """The details of the entries at some positions, which all lie within the spans, or anywhere without spans."""
    calls = _calls(database, spans, until)
    columns = np.full((len(positions), _COLUMNS - 1), (UNSAID, UNSAID, 0), np.int64)
    order = np.argsort(positions)
    # Calls that were voided have details too, but are not among the positions.
    calls = calls[np.isin(calls[:, 0], positions)]
    columns[order[np.searchsorted(positions, calls[:, 0], sorter=order)]] = calls[:, 1:]
    used, codes = np.unique(columns[:, 0], return_inverse=True)
    named = used[used != UNSAID]
    return Details(
        names=pa.array(database.look_up(ACTION_NAME, [(int(code),) for code in named]), pa.string()),
        # Codes begin at 1, so the one for no action comes first among those used.
        actions=(codes.reshape(-1) - (len(used) - len(named))).astype(np.int32),
        results=columns[:, 1].copy(),
        managed=columns[:, 2] == 1,
    )


def _calls(database: Database, spans: Sequence[Span] | None, until: int) -> Int64:
    found: list[list[Row]]
    if spans is None:
        found = [database.rows(_EVERYTHING, until)]
    else:
        found = [database.rows(_SPAN, span.account, span.start, span.end, until) for span in spans]
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(found)), np.int64)
    return flat.reshape(-1, _COLUMNS)
