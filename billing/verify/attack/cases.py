"""Random test cases for billers: a few events around the bounds of cycles, where mistakes show."""

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

#: Where calendar cycles start: at the turn of a year, in spring, in a leap year.
MONTHS: Final = ("2026-01", "2025-12", "2026-03", "2024-02")
#: When clocks change: that day has not 24 hours, and windows count hours.
CHANGES: Final = {
    "America/New_York": ("2025-11-02T06:00:00Z", "2026-03-08T07:00:00Z"),
    "Europe/Berlin": ("2025-10-26T01:00:00Z", "2026-03-29T01:00:00Z"),
}
#: How many cases are put into one run of a biller: few at first, since most mistakes show soon,
#: then many, since a command takes time to start.
FIRST: Final = (1, 4, 20, 100)
AT_ONCE: Final = sum(FIRST)


@dataclass(frozen=True)
class Case:
    """One test case: events in their order of arrival, and the cycles to bill."""

    events: tuple[Event, ...]
    cycles: tuple[Cycle, ...]


@st.composite
def cases(
    draw: DrawFn, *, terms: SearchStrategy[Terms], anchored: bool, types: tuple[str, ...], conflicts: bool
) -> Case:
    """Cases of one or two accounts with the same terms: a cycle that events fall around, and the two beside it."""
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
    drawn = draw(
        ledgers(
            around=around,
            windows=expected.windows_of(own.policy),
            accounts=draw(st.integers(1, len(ACCOUNTS))),
            types=types,
            conflicts=conflicts,
        )
    )
    # All events get an id, so that no answer depends on events without one.
    named = tuple(replace(e, event_id=e.event_id or f"n{row}") for row, e in enumerate(drawn))
    accounts = sorted({e.account_id for e in named})
    return Case(named, tuple(Cycle(account, *span, own) for account in accounts for span in spans))


def in_turn(drawn: SearchStrategy[Case], count: int, first_seed: int) -> Iterator[list[Case]]:
    """Draw `count` cases, in batches that grow, with the most ordinary terms first; the same for the same seed."""
    for number in range(-(-count // AT_ONCE)):
        some = sorted(_draw(drawn, min(AT_ONCE, count - number * AT_ONCE), first_seed + number), key=_unusual)
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


def _unusual(case: Case) -> tuple[bool, ...]:
    """Which terms differ from the defaults: a mistake that shows without them is easier to understand."""
    terms, usual = case.cycles[0].terms, Terms()
    return terms.policy != usual.policy, terms.cycles != usual.cycles, terms.discount != usual.discount


def merge(some: Sequence[Case]) -> Case:
    """Several cases merged into one, each with accounts of its own."""
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
