"""Status: where an open cycle stands, and what is certain about it whatever happens next.

Nothing here is a forecast. Later events cannot lower what has already been counted, so the peak so far is
the lowest that the final peak can be; and each identity active now becomes inactive at a known instant,
unless something happens to it.
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
    """An identity active now, and the instant (microseconds) at which it becomes inactive if nothing happens."""

    identity_id: str
    at: int


@dataclass(frozen=True, slots=True)
class AmountDue:
    """What an open cycle costs so far, and the least it can cost in the end.

    `least` is the smallest total of the peak so far and all above it: under volume tiers, a larger peak can
    cost less. `one_more` is what one identity above the peak would add, none where the plan ends;
    `to_next_tier` how many identities above the peak the next tier begins; `cheaper` the nearest larger peak
    that costs less.
    """

    so_far: Money
    least: PricePoint
    one_more: Money | None
    to_next_tier: int | None
    cheaper: PricePoint | None

    @classmethod
    def of(cls, peak: int, plan: Plan, totals: Totals) -> AmountDue:
        """The amount due for a peak. Raises `NotPriced`."""
        so_far = totals.of(peak)
        return cls(
            so_far=so_far,
            least=totals.least(peak),
            one_more=_price_of_one_more(peak, so_far, totals),
            to_next_tier=plan.to_next_tier(peak),
            cheaper=totals.near(peak).cheaper,
        )


def _price_of_one_more(peak: int, so_far: Money, totals: Totals) -> Money | None:
    try:
        return totals.of(peak + 1) + -so_far
    except NotPriced:
        return None


@dataclass(frozen=True, slots=True)
class Status:
    """Where an account's open cycle stands at the instant `now` (microseconds).

    `peak` is the highest count so far and `peak_at` the instant at which it was first reached. The final
    peak is at least that, unless events from before now arrive late, are voided, or say that an identity is
    not counted. `active` are the identities active now, in the order in which they become inactive. `owed`
    is none without a plan.
    """

    account_id: str
    cycle: Cycle
    now: int
    peak: int
    peak_at: int | None
    active: tuple[Expiry, ...]
    owed: AmountDue | None = None

    @property
    def remaining(self) -> list[tuple[int, int]]:
        """How many stay active if nothing happens, up to the end of the cycle: `(instant, count)`, starting now.

        >>> from datetime import UTC, datetime
        >>> cycle = Cycle(datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 2, 1, tzinfo=UTC))
        >>> Status("acme", cycle, 5, 2, 3, (Expiry("u1", 7), Expiry("u2", 7))).remaining
        [(5, 2), (7, 0)]
        """
        return [*_count_remaining(self.now, [expiry.at for expiry in self.active], micros(self.cycle.end))]

    @property
    def carried(self) -> int:
        """How many are still active when the cycle ends if nothing happens, and are carried over into the next."""
        end = micros(self.cycle.end)
        return sum(expiry.at > end for expiry in self.active)

    @property
    def free(self) -> int:
        """How many more identities can be active at once before the peak rises."""
        return self.peak - len(self.active)


def _count_remaining(now: int, ends: Sequence[int], end: int) -> Iterator[tuple[int, int]]:
    """The count at `now`, and after each of the instants `ends` that is before `end`."""
    yield now, len(ends)
    instants, counts = np.unique(np.array(ends, np.int64), return_counts=True)
    left = len(ends) - np.cumsum(counts)
    yield from ((at, n) for at, n in zip(instants.tolist(), left.tolist(), strict=True) if at < end)
