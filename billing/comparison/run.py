"""Compare the bills of one history under several terms; it is read once, and swept once per activity policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import engine
from ..config.overrides import Change
from ..core.cycle import CycleRule
from ..core.terms import AllTerms, TermsHistory
from ..engine.pipeline import Activity
from ..engine.query import Query
from ..inputs.rows import ReadOptions
from .bills import BilledUnder, Comparison, bills_under, compare


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """The bills under the current terms and under each of the others, and how they compare.

    `billed_under` begins with the current terms; `comparisons` compare each of the others with them.
    """

    billed_under: tuple[BilledUnder, ...]
    comparisons: tuple[Comparison, ...]
    found: Activity

    @property
    def now(self) -> BilledUnder:
        """The bills under the current terms."""
        return self.billed_under[0]


def compare_terms(
    source: Any, query: Query, others: Sequence[Change], options: ReadOptions | None = None
) -> ComparisonResult:
    """Compare each of the other terms with those of the query. Raises `BadTerms`, `NotPriced`.

    The terms of a query may be those of a ledger, in versions; then each version is changed.
    """
    names = ["now", *(other.name for other in others)]
    queries = [query, *(replace(query, terms=_changed(query.terms, other.apply)) for other in others)]
    details = any(each.details for each in queries)
    queries = [replace(each, calls=details) for each in queries]
    events = engine.read_for(source, queries, options)
    results: list[engine.Result] = []
    for each in queries:
        results.append(engine.answer(events, each, known=[part for result in results for part in result.parts]))
    bills = [bills_under(name, result.drafts(), result.terms_of) for name, result in zip(names, results, strict=True)]
    rules = [_rules(result) for result in results]

    def comparison(k: int) -> Comparison:
        return compare(bills[0], bills[k], lambda account: rules[0](account) == rules[k](account))

    return ComparisonResult(tuple(bills), tuple(map(comparison, range(1, len(bills)))), results[0].found)


def _rules(result: engine.Result) -> Callable[[str], CycleRule]:
    """The cycle rule of each account, which is that of the newest terms."""
    terms = result.parts[-1].query.all_terms
    return lambda account: terms.of(account).cycles


def _changed(terms: AllTerms | TermsHistory, change: Callable[[AllTerms], AllTerms]) -> AllTerms | TermsHistory:
    if isinstance(terms, TermsHistory) and terms.versions:
        return terms.changed(change)
    return change(terms if isinstance(terms, AllTerms) else AllTerms())
