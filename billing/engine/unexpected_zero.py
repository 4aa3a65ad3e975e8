"""Unexpected zeros: a cycle with a peak of 0 after one with activity, perhaps because events no longer arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from ..core.cycle import moment
from ..core.invoice import Invoice
from ..core.sweep import Peak
from ..inputs.rows import ReadOptions
from ..ledger.ledger import Ledger
from .query import Query
from .result import Result, answer

OfCycle = TypeVar("OfCycle", Peak, Invoice)


def drops_to_zero(rows: Iterable[OfCycle], peak_before: Callable[[OfCycle], int | None]) -> list[tuple[OfCycle, int]]:
    """The rows with a peak of 0 whose cycle before had a higher one, each with that peak."""
    return [(row, before) for row in rows if not row.peak and (before := peak_before(row))]


def unexpected_zero(
    result: Result, source: Any, query: Query, options: ReadOptions | None = None
) -> Iterator[tuple[Peak, int]]:
    """The peaks of a result that drop to 0, each with the peak of the cycle before."""
    rows = result.peaks()
    if not isinstance(source, Ledger):
        yield from drops_to_zero(rows, lambda row: row.before)
        return
    # Of a ledger, only the cycles of the query were read, not those before them.
    peaks = {(row.account_id, row.end): row.peak for row in rows}
    unread: dict[str, list[str]] = {}
    for row in rows:
        if not row.peak and (row.account_id, row.start) not in peaks:
            rule = result.part_of(row).query.all_terms.of(row.account_id).cycles
            unread.setdefault(rule.at(moment(row.start - 1)).name, []).append(row.account_id)
    for month, accounts in unread.items():
        earlier = answer(source, replace(query, first=month, last=month, accounts=tuple(accounts)), options)
        peaks |= {(row.account_id, row.end): row.peak for row in earlier.peaks()}
    yield from drops_to_zero(rows, lambda row: peaks.get((row.account_id, row.start)))
