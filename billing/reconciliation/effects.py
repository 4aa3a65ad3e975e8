"""Effects: what the events on which two sources differ do to bills."""

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
    """What a cycle comes to: its peak, and the amount where there is a plan."""

    peak: int
    amount: Money | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What one difference does to a cycle.

    `ours` and `theirs` are the figures of the two sources; `alone` is ours with nothing but this
    difference taken over, `undone` theirs with nothing but this difference undone.
    """

    difference: Difference
    cycle: Cycle
    ours: PeakAndAmount
    alone: PeakAndAmount
    undone: PeakAndAmount
    theirs: PeakAndAmount

    @property
    def by(self) -> Literal["alone", "last"]:
        """How it moves the cycle: taken over alone, or else as the last that is taken over."""
        return "alone" if self.alone != self.ours else "last"

    @property
    def moves(self) -> tuple[PeakAndAmount, PeakAndAmount]:
        """What the cycle comes to without the difference and with it, in that way."""
        return (self.ours, self.alone) if self.by == "alone" else (self.undone, self.theirs)


@dataclass(frozen=True, slots=True)
class JointEffect:
    """The fewest differences that move a cycle only together, as none of them does by itself.

    `before` is ours with all those taken over that move the cycle by themselves; with these as
    well it comes to `after`, the figure of theirs.
    """

    account_id: str
    differences: tuple[Difference, ...]
    cycle: Cycle
    before: PeakAndAmount
    after: PeakAndAmount


@dataclass(frozen=True, slots=True)
class CycleTotal:
    """What a cycle that differences can reach comes to by each source; `differences` counts those."""

    account_id: str
    cycle: Cycle
    ours: PeakAndAmount
    theirs: PeakAndAmount
    differences: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What one of the two sources held: its tally and what was rejected; of a ledger, where it stands."""

    tally: Tally
    rejections: tuple[Rejection, ...] = ()
    position: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Alignment:
    """The events on which two sources differ, and what that does to the bills.

    `effects` are those of single differences, `together` those that some have only jointly, `totals`
    what each cycle comes to that a difference can reach. `by_content` are the accounts whose events
    could not be compared by their ids. Amounts are those of identities; `credits_left_out` tells that
    the terms price credits besides, whose differences are not weighed.
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
