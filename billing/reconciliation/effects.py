"""Effects: what the differences between the events of two sources do to bills."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from ..core.cycle import Cycle
from ..core.errors import Rejection
from ..core.event import Tally
from ..core.money import Money
from .event_diff import KINDS, Difference


class PeakAndAmount(NamedTuple):
    """The peak of a cycle, and its amount where there is a plan."""

    peak: int
    amount: Money | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What one difference does to a cycle.

    `ours` and `theirs` are the figures of the two sources; `alone` is ours with only this difference
    adopted, `undone` theirs with only this difference undone.
    """

    difference: Difference
    cycle: Cycle
    ours: PeakAndAmount
    alone: PeakAndAmount
    undone: PeakAndAmount
    theirs: PeakAndAmount

    @property
    def adopted(self) -> Literal["alone", "last"]:
        """When it moves the cycle: if it is adopted alone, or else if it is adopted last, after all others."""
        return "alone" if self.alone != self.ours else "last"

    @property
    def moves(self) -> tuple[PeakAndAmount, PeakAndAmount]:
        """The figures of the cycle without the difference and with it, adopted alone or last."""
        return (self.ours, self.alone) if self.adopted == "alone" else (self.undone, self.theirs)


@dataclass(frozen=True, slots=True)
class JointEffect:
    """The fewest differences that move a cycle only together, as none of them does by itself.

    `before` is ours with all differences adopted that move the cycle by themselves; with these as well it
    becomes `after`, the figure of theirs.
    """

    account_id: str
    differences: tuple[Difference, ...]
    cycle: Cycle
    before: PeakAndAmount
    after: PeakAndAmount


@dataclass(frozen=True, slots=True)
class CycleTotal:
    """The figures of a cycle by each source, and how many `differences` can change it."""

    account_id: str
    cycle: Cycle
    ours: PeakAndAmount
    theirs: PeakAndAmount
    differences: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What was read from one of the two sources: its tally and rejections; of a ledger, its position and digest."""

    tally: Tally
    rejections: tuple[Rejection, ...] = ()
    position: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Alignment:
    """The events on which two sources differ, and what that does to the bills.

    `effects` are those of single differences, `together` those that some have only jointly, `totals` the
    figures of each cycle that a difference can reach. `by_content` are the accounts whose events could not
    be compared by id. Amounts are for identities; `credits_left_out` is true if the terms also price
    credits, whose impact is not measured.
    """

    ours: Origin
    theirs: Origin
    differences: tuple[Difference, ...]
    effects: tuple[Effect, ...]
    together: tuple[JointEffect, ...]
    totals: tuple[CycleTotal, ...]
    by_content: tuple[str, ...]
    credits_left_out: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """How many differences there are of each kind."""
        return {kind: sum(difference.kind == kind for difference in self.differences) for kind in KINDS}

    @cached_property
    def matters(self) -> tuple[Difference, ...]:
        """The differences that move a bill, by themselves or with others, in order."""
        moving = {id(effect.difference) for effect in self.effects}
        moving |= {id(difference) for group in self.together for difference in group.differences}
        return tuple(difference for difference in self.differences if id(difference) in moving)

    @property
    def noise(self) -> int:
        """How many differences move no bill."""
        return len(self.differences) - len(self.matters)
