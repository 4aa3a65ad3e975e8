"""The forecast of an open cycle: what is certain of it, and what its peak and amount may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ..core.errors import NotPriced
from ..core.money import Money, minor_digits
from ..core.plan import Plan
from ..core.totals import Totals
from .distribution import LEVELS, Distribution
from .model import PeakForecast
from .status import Status

#: Below this a tier is not worth a word.
_NEGLIGIBLE: Final = 0.0005


@dataclass(frozen=True, slots=True)
class Amounts:
    """What an open cycle may come to: the median, and a band of amounts for each of `LEVELS`."""

    median: Money
    bands: tuple[tuple[Money, Money], ...]

    @classmethod
    def of(cls, peak: Distribution, totals: Totals, currency: str) -> Amounts:
        """The chances of peaks, as those of what they cost. Raises `NotPriced`."""
        digits = minor_digits(currency)

        def money(minor: int) -> Money:
            return Money(Decimal(minor).scaleb(-digits), currency)

        amounts = peak.mapped(lambda quantity: int(totals.of(quantity).amount.scaleb(digits)))
        return cls(money(amounts.median), tuple((money(low), money(high)) for low, high in amounts.bands(LEVELS)))


@dataclass(frozen=True, slots=True)
class TierChance:
    """How likely the final peak falls into a tier of the plan, which holds the quantities `first` to `last`."""

    first: int
    last: int
    chance: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where an open cycle is heading.

    `status` is certain. `guess` is none where the account's history is too short to learn from (fewer than
    three whole cycles after the one in which it began), `amounts` where there is no plan, or where it has
    no price for some of the peaks that are likely.
    """

    status: Status
    guess: PeakForecast | None
    amounts: Amounts | None = None
    tiers: tuple[TierChance, ...] = ()

    @classmethod
    def of(cls, status: Status, guess: PeakForecast | None, plan: Plan | None, totals: Totals | None) -> Forecast:
        """A guess, with what it means under a plan."""
        if guess is None or plan is None or totals is None:
            return cls(status, guess)
        try:
            amounts = Amounts.of(guess.peak, totals, plan.currency)
        except NotPriced:
            amounts = None
        return cls(status, guess, amounts, tuple(_tiers(guess.peak, plan)))


def _tiers(peak: Distribution, plan: Plan) -> Iterator[TierChance]:
    for first, last in plan.spans():
        chance = peak.between(first, last)
        if chance >= _NEGLIGIBLE:
            yield TierChance(first, last, chance)
