"""The forecast of an open cycle: what is certain, and how likely each final peak and amount is."""

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

#: A tier less likely than this is left out.
_NEGLIGIBLE: Final = 0.0005


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much an open cycle may cost: the median, and a prediction interval for each of `LEVELS`."""

    median: Money
    intervals: tuple[tuple[Money, Money], ...]

    @classmethod
    def of(cls, peak: Distribution, totals: Totals, currency: str) -> Amounts:
        """The distribution of the amount, from that of the peak. Raises `NotPriced`."""
        digits = minor_digits(currency)

        def money(minor: int) -> Money:
            return Money(Decimal(minor).scaleb(-digits), currency)

        amounts = peak.mapped(lambda quantity: int(totals.of(quantity).amount.scaleb(digits)))
        return cls(money(amounts.median), tuple((money(low), money(high)) for low, high in amounts.intervals(LEVELS)))


@dataclass(frozen=True, slots=True)
class TierChance:
    """How likely the final peak is in a tier of the plan, of the quantities `first` to `last`."""

    first: int
    last: int
    chance: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where an open cycle is heading.

    `status` is certain, the rest is likely. `peak` is none where the account's history is too short (fewer
    than three whole cycles after the one in which it was first active), `amounts` where there is no plan,
    or where the plan has no price for some of the possible peaks.
    """

    status: Status
    peak: PeakForecast | None
    amounts: Amounts | None = None
    tiers: tuple[TierChance, ...] = ()

    @classmethod
    def of(cls, status: Status, peak: PeakForecast | None, plan: Plan | None, totals: Totals | None) -> Forecast:
        """A forecast of the peak, with the amounts and tiers it means under a plan."""
        if peak is None or plan is None or totals is None:
            return cls(status, peak)
        try:
            amounts = Amounts.of(peak.distribution, totals, plan.currency)
        except NotPriced:
            amounts = None
        return cls(status, peak, amounts, tuple(_tier_chances(peak.distribution, plan)))


def _tier_chances(peak: Distribution, plan: Plan) -> Iterator[TierChance]:
    for first, last in plan.spans():
        chance = peak.between(first, last)
        if chance >= _NEGLIGIBLE:
            yield TierChance(first, last, chance)
