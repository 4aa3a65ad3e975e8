"""The impact: which of the events that two sources differ on move a bill, and by how much.

A difference can change the peak only of the cycles that its event can reach, and only through its own
identity. So each cycle is swept once for each source, and the impact of a difference is computed from what
it changes about one identity: adopted alone into ours, and undone alone in theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..core.event import Names
from ..core.minimize import minimize
from .account_diff import OURS, THEIRS, account_diffs
from .cycle_impact import AccountBilling, CycleImpact
from .effects import CycleTotal, Effect, JointEffect
from .event_diff import Difference, EventDiff, SourceEvents


@dataclass(frozen=True, slots=True)
class Impact:
    """What differences do: each by itself, some only together, and all. By account and cycle."""

    effects: tuple[Effect, ...] = ()
    together: tuple[JointEffect, ...] = ()
    totals: tuple[CycleTotal, ...] = ()


def measure_impact(
    ours: SourceEvents,
    theirs: SourceEvents,
    diff: EventDiff,
    names: Names,
    billing_of: Callable[[str], AccountBilling],
    *,
    progress: Callable[[int], None] | None = None,
) -> Impact:
    """What each difference does to every cycle that it can reach.

    Where adopting all differences that move a cycle by themselves does not turn ours into theirs, the
    fewest others that do so together with them are found. `progress` receives how many more differences
    are done. Raises `NotPriced`.
    """
    effects: list[Effect] = []
    together: list[JointEffect] = []
    totals: list[CycleTotal] = []
    for account in account_diffs(ours, theirs, diff, names):
        for cycle in CycleImpact.of_account(account, billing_of(account.name)):
            single, joint, total = _measure_cycle(cycle, diff.differences)
            effects += single
            together += joint
            totals.append(total)
        if progress:
            progress(len(account.numbers))
    return Impact(tuple(effects), tuple(together), tuple(totals))


def _measure_cycle(
    cycle: CycleImpact, differences: Sequence[Difference]
) -> tuple[list[Effect], list[JointEffect], CycleTotal]:
    """What the differences that can reach a cycle do to it."""
    before, after = cycle.peak(OURS), cycle.peak(THEIRS)
    numbers = sorted(cycle.numbers)
    assert cycle.peak(OURS, frozenset(numbers)) == after, "all differences turn ours into theirs"
    effects = []
    movers: set[int] = set()
    for number in numbers:
        alone, undone = cycle.peak(OURS, frozenset([number])), cycle.peak(THEIRS, frozenset([number]))
        if alone != before or undone != after:
            movers.add(number)
            figures = (cycle.price(peak) for peak in (before, alone, undone, after))
            effects.append(Effect(differences[number], cycle.cycle, *figures))
    joint = []
    reached = cycle.peak(OURS, frozenset(movers))
    if reached != after:
        rest = [number for number in numbers if number not in movers]
        fewest = minimize(rest, lambda some: cycle.peak(OURS, frozenset(movers.union(some))) == after)
        several = tuple(differences[number] for number in fewest)
        joint.append(JointEffect(cycle.account_id, several, cycle.cycle, cycle.price(reached), cycle.price(after)))
    total = CycleTotal(cycle.account_id, cycle.cycle, cycle.price(before), cycle.price(after), len(numbers))
    return effects, joint, total
