"""Questions for billers, made to break them: a few events around a cycle, and what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ...core.cycle import CycleRule, instant_of, moment
from ...core.terms import Terms
from ..audit import expected
from ..definition import DAY, Event
from ..strategies import ACCOUNTS, cycles, ledgers
from .billers import Cycle

#: Where cycles start that are looked at: at the turn of a year, in spring, in a leap year.
MONTHS: Final = ("2026-01", "2025-12", "2026-03", "2024-02")
#: When clocks change, for those that do: a day is no longer 24 hours there, and a window still is.
CHANGES: Final = {
    "America/New_York": ("2025-11-02T06:00:00Z", "2026-03-08T07:00:00Z"),
    "Europe/Berlin": ("2025-10-26T01:00:00Z", "2026-03-29T01:00:00Z"),
}
#: How many questions are put at once, at first and then: most mistakes show soon, and a command takes time to start.
FIRST: Final = (1, 4, 20, 100)
AT_ONCE: Final = sum(FIRST)


@dataclass(frozen=True)
class Case:
    """One question: events as they were told, and the cycles that are asked for."""

    events: tuple[Event, ...]
    cycles: tuple[Cycle, ...]


@st.composite
def cases(
    draw: DrawFn, *, terms: SearchStrategy[Terms], anchored: bool, types: tuple[str, ...], conflicts: bool
) -> Case:
    """Questions about one or two accounts with the same terms: a cycle that events fall around, and those beside."""
    own = draw(terms)
    if anchored and own.cycles == CycleRule():
        own = replace(own, cycles=CycleRule(moment(draw(cycles())[0])))
    rule, change = own.cycles, None
    if rule.timezone in CHANGES:
        change = instant_of(draw(st.sampled_from(CHANGES[rule.timezone])))
        k = rule.index_at(change)
    elif rule.anchor is None:
        k = rule.index_from(draw(st.sampled_from(MONTHS)))
    else:
        k = draw(st.integers(0, 3))
    spans = [expected.cycle(rule, k + beside) for beside in (-1, 0, 1)]
    around = spans[1]
    if change is not None and draw(st.booleans()):
        around = change - 10 * DAY, change + 10 * DAY
    told = draw(
        ledgers(
            around=around,
            windows=expected.windows_of(own.policy),
            accounts=draw(st.integers(1, len(ACCOUNTS))),
            types=types,
            conflicts=conflicts,
        )
    )
    # Whoever sends events names them, so that an answer never hangs on what has no name.
    named = tuple(replace(e, event_id=e.event_id or f"n{place}") for place, e in enumerate(told))
    accounts = sorted({e.account_id for e in named})
    return Case(named, tuple(Cycle(account, *span, own) for account in accounts for span in spans))


def in_turn(drawn: SearchStrategy[Case], count: int, first_seed: int) -> Iterator[list[Case]]:
    """So many cases, the same with the same code: one, then a few, then many at once, the plainest of them first."""
    for number in range(-(-count // AT_ONCE)):
        some = sorted(_draw(drawn, min(AT_ONCE, count - number * AT_ONCE), first_seed + number), key=_oddity)
        for size in FIRST if number == 0 else (AT_ONCE,):
            if some:
                yield some[:size]
            some = some[size:]


def _draw(drawn: SearchStrategy[Case], count: int, number: int) -> list[Case]:
    found: list[Case] = []

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn)
    def keep(case: Case) -> None:
        found.append(case)

    keep()
    return found[:count]


def _oddity(case: Case) -> tuple[bool, ...]:
    """What of the terms is not as usual: a mistake that shows without it is better told without."""
    terms, usual = case.cycles[0].terms, Terms()
    return terms.policy != usual.policy, terms.cycles != usual.cycles, terms.discount != usual.discount


def together(some: Sequence[Case]) -> Case:
    """Several cases as one, each with accounts of its own."""
    if len(some) == 1:
        return some[0]
    renamed = [_renamed(case, f"-{k}") for k, case in enumerate(some, 1)]
    return Case(
        tuple(event for case in renamed for event in case.events),
        tuple(cycle for case in renamed for cycle in case.cycles),
    )


def _renamed(case: Case, suffix: str) -> Case:
    return Case(
        tuple(replace(event, account_id=event.account_id + suffix) for event in case.events),
        tuple(cycle._replace(account_id=cycle.account_id + suffix) for cycle in case.cycles),
    )
