"""Status: where an open cycle stands, and what is certain of it whatever happens next.

Nothing here is a guess. What has passed of the cycle cannot be taken back by what is yet to happen,
so the peak so far is the least that the peak can be; and who is active now falls asleep at known
instants, unless something happens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.cycle import Cycle, micros
from ..core.errors import NotPriced
from ..core.money import Money
from ..core.plan import Plan
from ..core.totals import PricePoint, Totals


@dataclass(frozen=True, slots=True)
class Expiry:
    """An identity that is active now, and the instant (microseconds) at which it falls asleep if nothing happens."""

    identity_id: str
    at: int


@dataclass(frozen=True, slots=True)
class AmountDue:
    """What an open cycle comes to as far as it has gone, and the least that it can come to.

    `least` is the smallest total of any quantity from the peak so far up: under volume tiers it can be
    that of a larger one. `one_more` is what one identity above the peak changes, none where the plan
    ends; `to_next_tier` how many above it reach the next tier; `cheaper` the nearest larger peak that
    costs less.
    """

    so_far: Money
    least: PricePoint
    one_more: Money | None
    to_next_tier: int | None
    cheaper: PricePoint | None

    @classmethod
    def of(cls, peak: int, plan: Plan, totals: Totals) -> AmountDue:
        """What a peak comes to. Raises `NotPriced`."""
        so_far = totals.of(peak)
        return cls(
            so_far=so_far,
            least=totals.least(peak),
            one_more=_more(peak, so_far, totals),
            to_next_tier=plan.to_next_tier(peak),
            cheaper=totals.near(peak).cheaper,
        )


def _more(peak: int, so_far: Money, totals: Totals) -> Money | None:
    try:
        return totals.of(peak + 1) + -so_far
    except NotPriced:
        return None


@dataclass(frozen=True, slots=True)
class Status:
    """Where an open cycle of one account stands at the instant `now` (microseconds), before which all is known.

    `peak` is the highest count so far and `peak_at` its first instant: the final peak is at least that,
    unless events before now come late, are voided, or tell that an identity is not counted. `active` are
    those active now, in the order in which they fall asleep. `owed` is none without a plan.
    """

    account_id: str
    cycle: Cycle
    now: int
    peak: int
    peak_at: int | None
    active: tuple[Expiry, ...]
    owed: AmountDue | None = None

    @property
    def staircase(self) -> list[tuple[int, int]]:
        """How many stay active until the end of the cycle if nothing happens: `(instant, count)`, the first of now.

        >>> from datetime import UTC, datetime
        >>> cycle = Cycle(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 2, 1, tzinfo=UTC))
        >>> Status("acme", cycle, 5, 2, 3, (Asleep("u1", 7), Asleep("u2", 7))).staircase
        [(5, 2), (7, 0)]
        """
        return [*_falling(self.now, [asleep.at for asleep in self.active], micros(self.cycle.end))]

    @property
    def carried(self) -> int:
        """How many are still active at the cycle's end if nothing happens, and so are carried into the next."""
        end = micros(self.cycle.end)
        return sum(asleep.at > end for asleep in self.active)

    @property
    def free(self) -> int:
        """How many more can be active at once before the peak rises."""
        return self.peak - len(self.active)


def _falling(now: int, ends: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    """The count at `now`, and after each instant before `end` at which some end."""
    yield now, len(ends)
    instants, counts = np.unique(np.array(ends, np.int64), return_counts=True)
    left = len(ends) - np.cumsum(counts)
    yield from ((at, n) for at, n in zip(instants.tolist(), left.tolist(), strict=True) if at < end)
