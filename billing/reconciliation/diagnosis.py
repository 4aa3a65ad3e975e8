"""The diagnosis: which cause explains the figures of the other side.

A cause is named only if it reproduces their figure exactly: quantity and amount, as far as they state
them. One cause is simpler than two, so pairs are tried only where no single cause fits. Where several
fit, the account's other cycles decide, then the rest of the file; what remains open is reported as open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from ..core.plan import Plan
from ..core.terms import Terms
from .causes import (
    CAUSES,
    Cause,
    CountingRule,
    apply_causes,
    compatible_pairs,
    compute_amount,
    price_settings,
    without_pricing,
)
from .matching import Match, StatusSum, sum_by_status
from .recount import Recount
from .time_line import CycleRef

#: The discrepancies that a cause can explain; the other statuses need no explanation.
EXPLAINED: Final = ("quantity_differs", "amount_differs", "cycle_shifted")

Causes = tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class ComparedCycle:
    """A cycle for which both sides have a figure, or only ours has, with all that causes depend on.

    `earlier` are the versions of the account's plan before the one in force, the latest first;
    `credits` is the amount due for credits in the cycle.
    """

    match: Match
    cycle: CycleRef
    terms: Terms
    earlier: tuple[Plan, ...] = ()
    credits: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class _CauseSet:
    """Causes that apply together: one, or two."""

    causes: Causes

    @property
    def name(self) -> str:
        """The names of its causes."""
        return " + ".join(cause.name for cause in self.causes)

    @property
    def description(self) -> str:
        """A phrase that completes "they billed ..."."""
        return ", and ".join(cause.description for cause in self.causes)


@dataclass(frozen=True, slots=True)
class Explanation(_CauseSet):
    """Causes that together reproduce a figure, and the quantity and amount that they give."""

    quantity: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a figure differs: the likeliest explanation, and the others that fit with as few causes.

    `cycles` is how many discrepancies of the account the explanation reproduces, `against` how many of the
    account's matched cycles contradict it. It is `decided` if no other does as well on both; otherwise
    `datum` names a figure that would decide, if there is one in this source.
    """

    explanation: Explanation
    others: tuple[Explanation, ...]
    cycles: int
    against: int
    decided: bool
    datum: str | None = None


@dataclass(frozen=True, slots=True)
class CauseCount(_CauseSet):
    """Causes, and how many discrepancies of a file they are named for."""

    count: int


@dataclass(frozen=True, slots=True)
class Disputed:
    """An identity that only one side counts, and its last event up to the moment of the count.

    `moment` and `occurred_at` are microseconds; the moment is none where the whole cycle was counted.
    """

    identity_id: str
    counted_by: Literal["ours", "theirs"]
    moment: int | None
    event_id: str | None
    type: str | None
    occurred_at: int | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Our invoices and theirs, cycle by cycle, and why figures differ.

    `diagnoses` has one entry for each of `matches`, and so has `disputed` where it was requested.
    `left_out` counts invoices of theirs outside the requested accounts and cycles; `not_tried` are the
    causes that the source lacks the data for.
    """

    matches: tuple[Match, ...]
    diagnoses: tuple[Diagnosis | None, ...]
    left_out: int = 0
    not_tried: tuple[Cause, ...] = ()
    disputed: tuple[tuple[Disputed, ...], ...] = ()

    @property
    def differing(self) -> list[tuple[Match, Diagnosis | None]]:
        """The discrepancies, each with its diagnosis if there is one."""
        return [(m, d) for m, d in zip(self.matches, self.diagnoses, strict=True) if m.status != "matched"]

    @property
    def sums(self) -> list[StatusSum]:
        """The sums of both sides, by currency and status."""
        return sum_by_status(self.matches)

    @property
    def causes(self) -> list[CauseCount]:
        """The causes that were named, those that explain most first."""
        named = Counter(d.explanation.causes for d in self.diagnoses if d is not None)
        return [CauseCount(causes, count) for causes, count in named.most_common()]

    @property
    def unexplained(self) -> int:
        """How many discrepancies of figures no cause explains."""
        return sum(m.status in EXPLAINED and d is None for m, d in self.differing)


@dataclass(slots=True)
class _Figures:
    """The figures of cycles under causes, each computed once; a cycle is given by its position."""

    recount: Recount
    cycles: Sequence[ComparedCycle]
    _counts: dict[tuple[CountingRule, int], int] = field(default_factory=dict)
    _amounts: dict[tuple[Any, ...], Decimal | None] = field(default_factory=dict)

    def count(self, causes: Causes, positions: Iterable[int]) -> None:
        """Count some cycles together, which is faster than one by one."""
        rule = without_pricing(apply_causes(causes))
        missing = [k for k in positions if (rule, k) not in self._counts]
        if missing:
            found = self.recount.count([self.cycles[k].cycle for k in missing], rule)
            self._counts.update({(rule, k): n for k, n in zip(missing, found.tolist(), strict=True)})

    def explain(self, causes: Causes, k: int) -> Explanation:
        """The figures of one cycle under some causes."""
        rule, compared = apply_causes(causes), self.cycles[k]
        counted = without_pricing(rule), k
        if counted not in self._counts:
            self.count(causes, [k])
        quantity = self._counts[counted]
        key = (id(compared.terms), id(compared.earlier), price_settings(rule), quantity, compared.credits)
        if key not in self._amounts:
            self._amounts[key] = compute_amount(rule, quantity, compared.terms, compared.earlier, compared.credits)
        return Explanation(causes, quantity, self._amounts[key])

    def reproduces(self, causes: Causes, k: int) -> bool:
        """True if some causes give all the figures that the other side has for a cycle."""
        compared = self.cycles[k]
        theirs, ours = compared.match.theirs, compared.match.ours
        assert theirs is not None and ours is not None, "a figure is explained where both sides have one"
        found = self.explain(causes, k)
        if theirs.quantity is not None and found.quantity != theirs.quantity:
            return False
        if theirs.amount is not None and compared.terms.plan is not None and found.amount != theirs.amount:
            return False
        # If their cycle is a shifted one, the causes must lead to that very cycle.
        shifted = compared.match.status == "cycle_shifted"
        return not shifted or theirs.covers("", *compared.cycle.span(apply_causes(causes)))


def diagnose(
    cycles: Sequence[ComparedCycle],
    recount: Recount,
    *,
    causes: Sequence[Cause] = CAUSES,
    progress: Callable[[int], None] | None = None,
) -> list[Diagnosis | None]:
    """Why each discrepancy differs; none where no cause fits, and where nothing differs.

    `cycles` are all cycles of the accounts concerned: the matched ones speak for or against a cause.
    `progress` receives how many more causes, and pairs of causes, were tried.
    """
    figures = _Figures(recount, cycles)
    tried = [cause for cause in causes if recount.supports(apply_causes((cause,)))]
    unexplained = [k for k, compared in enumerate(cycles) if compared.match.status in EXPLAINED]
    singles: list[Causes] = [(cause,) for cause in tried]
    fitting = _find_fitting(figures, singles, unexplained, progress)
    unexplained = [k for k in unexplained if not fitting[k]]
    if unexplained:
        pairs = compatible_pairs([cause for cause in tried if cause.change])
        fitting |= _find_fitting(figures, pairs, unexplained, progress)
    return _choose(figures, fitting, {cause.name: k for k, cause in enumerate(causes)})


def _find_fitting(
    figures: _Figures, candidates: Sequence[Causes], positions: Sequence[int], progress: Callable[[int], None] | None
) -> dict[int, list[Causes]]:
    """For each discrepancy the candidates that reproduce their figures."""
    fitting: dict[int, list[Causes]] = {k: [] for k in positions}
    for candidate in candidates:
        figures.count(candidate, positions)
        for k in positions:
            if figures.reproduces(candidate, k):
                fitting[k].append(candidate)
        if progress:
            progress(1)
    return fitting


def _choose(figures: _Figures, fitting: dict[int, list[Causes]], rank: dict[str, int]) -> list[Diagnosis | None]:
    """For each discrepancy the likeliest of the candidates that fit."""
    cycles = figures.cycles
    in_account = Counter((cycles[k].cycle.account, c) for k, candidates in fitting.items() for c in candidates)
    in_file = Counter(c for candidates in fitting.values() for c in candidates)
    # Matched cycles matter only where there is more than one candidate to choose from.
    rivals: dict[Causes, set[int]] = {}
    for k, candidates in fitting.items():
        account = cycles[k].cycle.account
        most = max((in_account[account, c] for c in candidates), default=0)
        if sum(in_account[account, c] == most for c in candidates) > 1:
            for c in candidates:
                rivals.setdefault(c, set()).add(account)
    against = _count_contradictions(figures, rivals)

    def merit(account: int, c: Causes) -> tuple[int, int]:
        return in_account[account, c], -against[account, c]

    diagnoses: list[Diagnosis | None] = [None] * len(cycles)
    for k, candidates in fitting.items():
        if not candidates:
            continue
        account = cycles[k].cycle.account
        best, *others = sorted(
            candidates, key=lambda c: (*(-m for m in merit(account, c)), -in_file[c], [rank[cause.name] for cause in c])
        )
        equal = [c for c in others if merit(account, c) == merit(account, best)]
        diagnoses[k] = Diagnosis(
            explanation=figures.explain(best, k),
            others=tuple(figures.explain(c, k) for c in others),
            cycles=in_account[account, best],
            against=against[account, best],
            decided=not equal,
            datum=_find_deciding_datum(figures, k, [best, *equal]) if equal else None,
        )
    return diagnoses


def _count_contradictions(figures: _Figures, rivals: dict[Causes, set[int]]) -> Counter[tuple[int, Causes]]:
    """How many matched cycles contradict each candidate, by account."""
    matched: dict[int, list[int]] = {}
    for k, compared in enumerate(figures.cycles):
        if compared.match.status == "matched":
            matched.setdefault(compared.cycle.account, []).append(k)
    against: Counter[tuple[int, Causes]] = Counter()
    for candidate, accounts in rivals.items():
        positions = [k for account in sorted(accounts) for k in matched.get(account, [])]
        figures.count(candidate, positions)
        for k in positions:
            if not figures.reproduces(candidate, k):
                against[figures.cycles[k].cycle.account, candidate] += 1
    return against


def _find_deciding_datum(figures: _Figures, k: int, candidates: Sequence[Causes]) -> str | None:
    """Another figure that would tell the candidates apart, if there is one in this source."""
    compared = figures.cycles[k]
    theirs = compared.match.theirs
    here = [figures.explain(c, k) for c in candidates]
    if theirs is not None and theirs.quantity is None and len({e.quantity for e in here}) > 1:
        return f"the quantity billed: {_list_figures(here, [str(e.quantity) for e in here])}"
    for other, missing in enumerate(figures.cycles):
        if missing.cycle.account == compared.cycle.account and missing.match.status == "missing_theirs":
            there = [figures.explain(c, other) for c in candidates]
            if len({e.quantity for e in there}) > 1:
                return f"the quantity of {missing.match.cycle}: {_list_figures(here, [str(e.quantity) for e in there])}"
            if len({e.amount for e in there}) > 1:
                amounts = [f"{e.amount:f}" for e in there]
                return f"the amount of {missing.match.cycle}: {_list_figures(here, amounts)}"
    return None


def _list_figures(explanations: Sequence[Explanation], figures: Sequence[str]) -> str:
    return ", ".join(f"{figure} by {e.name}" for e, figure in zip(explanations, figures, strict=True))
