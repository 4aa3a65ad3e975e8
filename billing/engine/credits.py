"""Credits: what the calls of actions cost, and what engagement identities saved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from ..core.catalogue import Catalogue
from ..core.terms import AllTerms, TermsHistory
from ..core.usage import Credits, CreditsTotal
from ..inputs.rows import ReadOptions
from .pipeline import Activity, accounts_in_scope
from .query import Query
from .result import answer


@dataclass(frozen=True, slots=True)
class CreditsResult:
    """The credits of all requested accounts.

    `rows` are by account, cycle, action and type of identity; `accounts` has the sum of each account,
    with or without calls, and `total` the sum of all.
    """

    rows: tuple[Credits, ...]
    accounts: tuple[CreditsTotal, ...]
    total: CreditsTotal
    found: Activity


def credits(
    source: Any, query: Query, options: ReadOptions | None = None, *, catalogue: Catalogue | None = None
) -> CreditsResult:
    """The calls in the requested cycles, and what they cost.

    A `catalogue` overrides that of the terms. Raises what reading raises, `BadCycle`,
    `UnknownAccount`.
    """
    terms = query.terms if catalogue is None else _with(query.terms, catalogue)
    result = answer(source, replace(query, terms=terms, calls=True), options)
    rows = result.credits()
    names = result.found.names.account_names
    of = {account_id: [*own] for account_id, own in groupby(rows, key=lambda row: row.account_id)}
    accounts = [names[code] for code in accounts_in_scope(result.found, query)]
    sums = [CreditsTotal.of(of.get(account_id, ()), account_id) for account_id in accounts]
    return CreditsResult(tuple(rows), tuple(sums), CreditsTotal.of(rows), result.found)


def _with(terms: AllTerms | TermsHistory, catalogue: Catalogue) -> AllTerms | TermsHistory:
    def change(given: AllTerms) -> AllTerms:
        accounts = {account: replace(own, catalogue=catalogue) for account, own in given.accounts.items()}
        return AllTerms(replace(given.default, catalogue=catalogue), accounts)

    if isinstance(terms, TermsHistory) and terms.versions:
        return terms.changed(change)
    return change(terms if isinstance(terms, AllTerms) else AllTerms())
