"""Any biller compared with the definition, on random ledgers.

    from billing.verify import check
    check(my_biller)

Ledgers are drawn a few at first and then a hundred at a time, each with accounts of its own. The first
answer that differs is minimized, one event and one setting at a time, and shown as a story.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ...config.terms import duration
from ...core.cycle import text_of
from ...core.plan import Tier
from ...core.terms import Terms
from ..audit import expected
from ..audit.events import event_content
from ..strategies import TYPES
from . import billers, story
from .billers import Answer, Biller, BillerFailed, Cycle
from .cases import Case, cases, in_turn, merge
from .minimize import minimize_case


@dataclass(frozen=True)
class Checked:
    """How much was compared without a difference."""

    ledgers: int
    events: int
    peaks: int
    totals: int

    def __str__(self) -> str:
        return (
            f"{self.ledgers:,} ledgers, {self.events:,} events: "
            f"{self.peaks:,} peaks and {self.totals:,} totals are as the definition has them."
        )


@dataclass(frozen=True)
class Difference:
    """A cycle for which a biller gives another answer than the definition, or fails."""

    case: Case
    cycle: Cycle
    expected: Answer
    got: Answer | None
    failure: str = ""

    def __str__(self) -> str:
        """The story: what happens, what is expected, what was got; then every event."""
        policy = self.cycle.terms.policy
        windows = expected.windows_of(policy)
        span = self.cycle.start, self.cycle.end
        head = f"{story.narrate(self.case.events, span, windows=windows)}: {self._verdict()}."
        lines = [f"  {line}" for line in story.list_events(self.case.events)]
        context = (
            f"account {self.cycle.account_id}, cycle {text_of(span[0])} to {text_of(span[1])}; active for "
            f"{duration(policy.action_window)} after an action, {duration(policy.connect_window)} after a connect, "
            f"reconnect {policy.reconnect}"
        )
        return "\n".join([head, f"  {context}", *lines])

    def _verdict(self) -> str:
        plan = self.cycle.terms.plan
        if self.got is None:
            return f"expected {self.expected.peak}, and {self.failure}"
        if self.got.peak != self.expected.peak:
            return f"expected {self.expected.peak}, got {self.got.peak}"
        assert plan is not None, "without a plan there is no total to differ on"
        off = f" less {self.cycle.terms.discount:f}%" if self.cycle.terms.discount else ""
        return (
            f"a peak of {self.got.peak} at {plan.mode} tiers of {', '.join(map(_tier, plan.tiers))}{off}: "
            f"expected {self.expected.total:f} {plan.currency}, got {self.got.total:f}"
        )

    def as_json(self) -> dict[str, Any]:
        """What differs, as JSON."""
        return {
            "account_id": self.cycle.account_id,
            "cycle_start": text_of(self.cycle.start),
            "cycle_end": text_of(self.cycle.end),
            "expected": _answer_content(self.expected),
            "got": None if self.got is None else _answer_content(self.got),
            "failure": self.failure,
            "events": [event_content(e) for e in self.case.events],
            "message": str(self),
        }

    def write(self, folder: Path) -> None:
        """Write everything needed to reproduce it into a folder, as the biller got it."""
        folder.mkdir(parents=True, exist_ok=True)
        billers.write(folder, self.case.events, self.case.cycles)
        answers = [
            {"account_id": cycle.account_id, "cycle_start": text_of(cycle.start), **_answer_content(answer)}
            for cycle, answer in zip(self.case.cycles, _expected(self.case), strict=True)
        ]
        (folder / "expected.json").write_text(json.dumps(answers, indent=2) + "\n", encoding="utf-8")
        (folder / "story.txt").write_text(f"{self}\n", encoding="utf-8")


class Wrong(AssertionError):
    """Raised for a biller that is wrong, with the smallest ledger found on which it is."""

    def __init__(self, difference: Difference) -> None:
        self.difference = difference
        super().__init__(str(difference))


def check(
    biller: Biller,
    *,
    ledgers: int = 2_000,
    terms: SearchStrategy[Terms] | None = None,
    anchored: bool = True,
    types: Sequence[str] = TYPES,
    conflicts: bool = True,
    first_seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Checked:
    """Compare a biller with the definition on random ledgers. Raises `Wrong` with the smallest that shows a mistake.

    `biller(events, cycles)` gets `definition.Event`s in their order of arrival and `Cycle`s, and
    returns for each cycle its peak, or an `Answer` with a total. `terms` are those that accounts may
    have, by default the usual windows and no plan; `anchored` cycles start at any instant, others with
    a calendar month; `types` and `conflicts` are as in `strategies.ledgers`. The ledgers are the same
    each time, unless `first_seed` differs; `progress` is called with the number of ledgers tried.

    >>> def always_zero(events, cycles):
    ...     return [0 for cycle in cycles]
    >>> try:
    ...     check(always_zero)
    ... except Wrong as wrong:
    ...     print(str(wrong).splitlines()[0].rpartition(": ")[2])
    expected 1, got 0.
    """
    drawn = cases(
        terms=st.just(Terms()) if terms is None else terms, anchored=anchored, types=tuple(types), conflicts=conflicts
    )
    events = peaks = totals = 0
    for some in in_turn(drawn, ledgers, first_seed):
        whole = merge(some)
        found, answers = _difference(biller, whole)
        if found is not None:
            raise Wrong(_minimized(biller, found, some))
        events += len(whole.events)
        peaks += len(answers)
        totals += sum(answer.total is not None for answer in answers)
        if progress:
            progress(len(some))
    return Checked(ledgers, events, peaks, totals)


def _difference(biller: Biller, case: Case) -> tuple[Difference | None, list[Answer]]:
    """The first cycle on which a biller differs, if there is one; and what it answers."""
    right = _expected(case)
    try:
        got = [answer if isinstance(answer, Answer) else Answer(answer) for answer in biller(case.events, case.cycles)]
    except BillerFailed as error:
        return Difference(case, case.cycles[0], right[0], None, str(error)), []
    except Exception as error:  # any exception of somebody else's code is a failure of the biller
        return Difference(case, case.cycles[0], right[0], None, f"it raised {type(error).__name__}: {error}"), []
    if len(got) != len(right):
        detail = f"it gave {len(got)} answers for {len(right)} cycles"
        return Difference(case, case.cycles[0], right[0], None, detail), []
    for cycle, answer, expect in zip(case.cycles, got, right, strict=True):
        if answer.peak != expect.peak or (answer.total is not None and answer.total != expect.total):
            return Difference(case, cycle, expect, answer), got
    return None, got


def _expected(case: Case) -> list[Answer]:
    own: dict[str, list[tuple[str, int, int]]] = {}
    answers = []
    for account, start, end, terms in case.cycles:
        if account not in own:
            own[account] = expected.covers([e for e in case.events if e.account_id == account], terms.policy)
        peak, _, total = expected.invoice_of_covers(own[account], start, end, terms)
        answers.append(Answer(peak, total))
    return answers


def _minimized(biller: Biller, found: Difference, some: Sequence[Case]) -> Difference:
    """A difference of the same biller on the simplest case found that shows one."""

    def find(case: Case) -> Difference | None:
        difference, _ = _difference(biller, case)
        # A wrong answer must not turn into a failure while it is minimized, nor a failure into a wrong answer.
        return difference if difference is not None and (difference.got is None) == (found.got is None) else None

    alone = (find(case) for case in some if len(some) > 1)  # mostly one of the ledgers shows it alone
    first = next((difference for difference in alone if difference is not None), found)
    return minimize_case(first.case, first, find)


def _tier(tier: Tier) -> str:
    """A tier in words, such as `up to 10 7.99 + 1 flat`."""
    bound = "" if tier.up_to is None else f"up to {tier.up_to} "
    return f"{bound}{tier.unit_price:f}{f' + {tier.flat_price:f} flat' if tier.flat_price else ''}"


def _answer_content(answer: Answer) -> dict[str, Any]:
    return {"peak": answer.peak, "total": None if answer.total is None else f"{answer.total:f}"}
