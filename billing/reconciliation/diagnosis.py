"""The diagnosis: which reading of peak billing makes the figures that somebody else has.

A reading is named only if it makes their figure exactly, quantity and amount as far as they say. One
reading is simpler than two, so pairs are tried only on what no single reading explains. Where several
fit, the account's other cycles decide, then the rest of the file; what stays open is said to be open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from ..core.plan import Plan
from ..core.terms import Terms
from .causes import READINGS, Reading, Way, amount, counting, pairs, pricing, way_of
from .matching import Match, Sum, sums
from .recount import Bill, Census

#: The discrepancies that a reading can explain; the others say themselves what is wrong.
EXPLAINED: Final = ("quantity_differs", "amount_differs", "cycle_shifted")

Readings = tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """A cycle on which both sides have a figure, or only we, with all that readings need to know of it.

    `earlier` are the versions of the account's plan before the one in force, the latest first;
    `credits` is what is owed for credits in the cycle.
    """

    match: Match
    bill: Bill
    terms: Terms
    earlier: tuple[Plan, ...] = ()
    credits: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Named:
    """Readings that were made at once: one, or two."""

    readings: Readings

    @property
    def name(self) -> str:
        """The names of its readings."""
        return " + ".join(reading.name for reading in self.readings)

    @property
    def says(self) -> str:
        """What they billed."""
        return ", and ".join(reading.says for reading in self.readings)


@dataclass(frozen=True, slots=True)
class Explanation(_Named):
    """Readings that together make a figure, and the figure that they make."""

    quantity: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a figure differs: the explanation that is likeliest, and the others that fit as simply.

    `cycles` is how many discrepancies of the account the explanation makes, `against` how many of its
    cycles on which both sides agree it would change. It is `decided` if none of the others does as
    well on both; else `datum` says what would decide, if anything in this source would.
    """

    explanation: Explanation
    others: tuple[Explanation, ...]
    cycles: int
    against: int
    decided: bool
    datum: str | None = None


@dataclass(frozen=True, slots=True)
class Cause(_Named):
    """Readings, and how many discrepancies of a file they are named for."""

    count: int


@dataclass(frozen=True, slots=True)
class Disputed:
    """An identity that only one side counts, and its last event up to the moment at which it was counted.

    `moment` and `occurred_at` are microseconds; the moment is none where the whole cycle was counted.
    """

    identity_id: str
    by: Literal["ours", "theirs"]
    moment: int | None
    event_id: str | None
    type: str | None
    occurred_at: int | None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Our claims and theirs, cycle by cycle, and why figures differ.

    `diagnoses` has one place for each of `matches`, and so has `disputed` where it was asked for.
    `left_out` counts claims of theirs beyond the accounts and cycles that were asked for; `not_tried`
    are readings that the source cannot tell.
    """

    matches: tuple[Match, ...]
    diagnoses: tuple[Diagnosis | None, ...]
    left_out: int = 0
    not_tried: tuple[Reading, ...] = ()
    disputed: tuple[tuple[Disputed, ...], ...] = ()

    @property
    def differing(self) -> list[tuple[Match, Diagnosis | None]]:
        """The discrepancies, each with its diagnosis if there is one."""
        return [(m, d) for m, d in zip(self.matches, self.diagnoses, strict=True) if m.status != "matched"]

    @property
    def sums(self) -> list[Sum]:
        """What both sides come to, by currency and status."""
        return sums(self.matches)

    @property
    def causes(self) -> list[Cause]:
        """The explanations that were named, those that explain most first."""
        named = Counter(d.explanation.readings for d in self.diagnoses if d is not None)
        return [Cause(readings, count) for readings, count in named.most_common()]

    @property
    def unexplained(self) -> int:
        """How many discrepancies of figures no reading explains."""
        return sum(m.status in EXPLAINED and d is None for m, d in self.differing)


@dataclass(slots=True)
class _Figures:
    """The figures of cycles by ways of reading, each computed once."""

    census: Census
    subjects: Sequence[Subject]
    _counts: dict[tuple[Way, int], int] = field(default_factory=dict)
    _amounts: dict[tuple[Any, ...], Decimal | None] = field(default_factory=dict)

    def count(self, readings: Readings, places: Iterable[int]) -> None:
        """Count some cycles, together."""
        way = counting(way_of(readings))
        missing = [k for k in places if (way, k) not in self._counts]
        if missing:
            found = self.census.counts([self.subjects[k].bill for k in missing], way)
            self._counts.update({(way, k): n for k, n in zip(missing, found.tolist(), strict=True)})

    def of(self, readings: Readings, k: int) -> Explanation:
        """The figures of one cycle."""
        way, subject = way_of(readings), self.subjects[k]
        counted = counting(way), k
        if counted not in self._counts:
            self.count(readings, [k])
        quantity = self._counts[counted]
        key = (id(subject.terms), id(subject.earlier), pricing(way), quantity, subject.credits)
        if key not in self._amounts:
            self._amounts[key] = amount(way, quantity, subject.terms, subject.earlier, subject.credits)
        return Explanation(readings, quantity, self._amounts[key])

    def make(self, readings: Readings, k: int) -> bool:
        """Whether readings make the figures that the other side has for a cycle, all that it has."""
        subject = self.subjects[k]
        theirs, ours = subject.match.theirs, subject.match.ours
        assert theirs is not None and ours is not None, "a figure is explained where both sides have one"
        found = self.of(readings, k)
        if theirs.quantity is not None and found.quantity != theirs.quantity:
            return False
        if theirs.amount is not None and subject.terms.plan is not None and found.amount != theirs.amount:
            return False
        # Whoever says that it is another cycle must have taken that cycle.
        shifted = subject.match.status == "cycle_shifted"
        return not shifted or theirs.of_cycle("", *subject.bill.span(way_of(readings)))


def diagnose(
    subjects: Sequence[Subject],
    census: Census,
    *,
    readings: Sequence[Reading] = READINGS,
    progress: Callable[[int], None] | None = None,
) -> list[Diagnosis | None]:
    """Why each discrepancy differs; none for what no reading explains, and for what does not differ.

    `subjects` are all cycles of the accounts concerned: those that agree tell for or against a
    reading. `progress` is told how many readings, and pairs of them, were tried.
    """
    figures = _Figures(census, subjects)
    tried = [reading for reading in readings if census.knows(way_of((reading,)))]
    open_ = [k for k, subject in enumerate(subjects) if subject.match.status in EXPLAINED]
    singles: list[Readings] = [(reading,) for reading in tried]
    fitting = _fitting(figures, singles, open_, progress)
    open_ = [k for k in open_ if not fitting[k]]
    if open_:
        fitting |= _fitting(figures, pairs([r for r in tried if r.change]), open_, progress)
    return _chosen(figures, fitting, {reading.name: k for k, reading in enumerate(readings)})


def _fitting(
    figures: _Figures, candidates: Sequence[Readings], places: Sequence[int], progress: Callable[[int], None] | None
) -> dict[int, list[Readings]]:
    """For each discrepancy the candidates that make its figures."""
    found: dict[int, list[Readings]] = {k: [] for k in places}
    for candidate in candidates:
        figures.count(candidate, places)
        for k in places:
            if figures.make(candidate, k):
                found[k].append(candidate)
        if progress:
            progress(1)
    return found


def _chosen(figures: _Figures, fitting: dict[int, list[Readings]], rank: dict[str, int]) -> list[Diagnosis | None]:
    """Of the candidates that fit each discrepancy, the likeliest."""
    subjects = figures.subjects
    in_account = Counter((subjects[k].bill.account, c) for k, some in fitting.items() for c in some)
    in_file = Counter(c for some in fitting.values() for c in some)
    # The cycles on which both sides agree speak only where there is more than one to choose from.
    rivals: dict[Readings, set[int]] = {}
    for k, some in fitting.items():
        account = subjects[k].bill.account
        most = max((in_account[account, c] for c in some), default=0)
        if sum(in_account[account, c] == most for c in some) > 1:
            for c in some:
                rivals.setdefault(c, set()).add(account)
    against = _against(figures, rivals)

    def merit(account: int, c: Readings) -> tuple[int, int]:
        return in_account[account, c], -against[account, c]

    found: list[Diagnosis | None] = [None] * len(subjects)
    for k, some in fitting.items():
        if not some:
            continue
        account = subjects[k].bill.account
        ordered = sorted(some, key=lambda c: (*(-m for m in merit(account, c)), -in_file[c], [rank[r.name] for r in c]))
        best, *others = ordered
        equal = [c for c in others if merit(account, c) == merit(account, best)]
        found[k] = Diagnosis(
            explanation=figures.of(best, k),
            others=tuple(figures.of(c, k) for c in others),
            cycles=in_account[account, best],
            against=against[account, best],
            decided=not equal,
            datum=_datum(figures, k, [best, *equal]) if equal else None,
        )
    return found


def _against(figures: _Figures, rivals: dict[Readings, set[int]]) -> Counter[tuple[int, Readings]]:
    """How many cycles on which both sides agree each candidate would change, by account."""
    agreed: dict[int, list[int]] = {}
    for k, subject in enumerate(figures.subjects):
        if subject.match.status == "matched":
            agreed.setdefault(subject.bill.account, []).append(k)
    found: Counter[tuple[int, Readings]] = Counter()
    for candidate, accounts in rivals.items():
        places = [k for account in sorted(accounts) for k in agreed.get(account, [])]
        figures.count(candidate, places)
        for k in places:
            if not figures.make(candidate, k):
                found[figures.subjects[k].bill.account, candidate] += 1
    return found


def _datum(figures: _Figures, k: int, candidates: Sequence[Readings]) -> str | None:
    """What else would have to be known to tell candidates apart, if anything in this source would."""
    subject = figures.subjects[k]
    theirs = subject.match.theirs
    made = [figures.of(c, k) for c in candidates]
    if theirs is not None and theirs.quantity is None and len({e.quantity for e in made}) > 1:
        return f"the quantity billed: {_each(made, [str(e.quantity) for e in made])}"
    for other, missing in enumerate(figures.subjects):
        if missing.bill.account == subject.bill.account and missing.match.status == "missing_theirs":
            there = [figures.of(c, other) for c in candidates]
            if len({e.quantity for e in there}) > 1:
                return f"the quantity of {missing.match.cycle}: {_each(made, [str(e.quantity) for e in there])}"
            if len({e.amount for e in there}) > 1:
                return f"the amount of {missing.match.cycle}: {_each(made, [f'{e.amount:f}' for e in there])}"
    return None


def _each(made: Sequence[Explanation], figures: Sequence[str]) -> str:
    return ", ".join(f"{figure} by {e.name}" for e, figure in zip(made, figures, strict=True))
