"""Comparing: the same history under other terms, read once and walked once for each activity policy."""

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
from .bills import BilledUnder, Comparison, compare, under


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """What was billed under the terms of now, under each of the others, and how they compare.

    `under` begins with the terms of now; `comparisons` hold each of the others against them.
    """

    under: tuple[BilledUnder, ...]
    comparisons: tuple[Comparison, ...]
    found: Activity

    @property
    def now(self) -> BilledUnder:
        """What is billed under the terms of now."""
        return self.under[0]


def compare_terms(
    source: Any, query: Query, others: Sequence[Change], options: ReadOptions | None = None
) -> ComparisonResult:
    """Hold each of the other terms against those of the question. Raises `BadTerms`, `NotPriced`.

    The terms of a question may be those of a ledger, in versions: then each is changed.
    """
    asked = [("now", query)]
    asked += [(other.name, replace(query, terms=_changed(query.terms, other.apply))) for other in others]
    details = any(each.details for _, each in asked)
    asked = [(name, replace(each, calls=details)) for name, each in asked]
    events = engine.read_for(source, [each for _, each in asked], options)
    answers: list[engine.Result] = []
    for _, each in asked:
        answers.append(engine.answer(events, each, known=[part for result in answers for part in result.parts]))
    names = [name for name, _ in asked]
    bills = [under(name, a.drafts(), a.terms_of) for name, a in zip(names, answers, strict=True)]
    rules = [_rules(result) for result in answers]

    def compared(k: int) -> Comparison:
        return compare(bills[0], bills[k], lambda account: rules[0](account) == rules[k](account))

    return ComparisonResult(tuple(bills), tuple(map(compared, range(1, len(bills)))), answers[0].found)


def _rules(result: engine.Result) -> Callable[[str], CycleRule]:
    """The cycle rule of each account, which is that of the newest terms."""
    terms = result.parts[-1].query.all_terms
    return lambda account: terms.of(account).cycles


def _changed(terms: AllTerms | TermsHistory, change: Callable[[AllTerms], AllTerms]) -> AllTerms | TermsHistory:
    if isinstance(terms, TermsHistory) and terms.versions:
        return terms.changed(change)
    return change(terms if isinstance(terms, AllTerms) else AllTerms())
