"""The total for a few identities fewer or more: where a bill changes, and where more costs less.

Within a tier the total never falls, so a change is found by bisection, however large the tier is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from .invoice import discount_on
from .money import Money
from .plan import Plan


@dataclass(frozen=True, slots=True)
class PricePoint:
    """A quantity and its total."""

    quantity: int
    total: Money


@dataclass(frozen=True, slots=True)
class PriceSteps:
    """The total for a quantity, and the nearest ones that differ.

    `lower` and `higher` are the nearest quantities with another total, `cheaper` the nearest higher
    one with a smaller total; each is none if there is no such quantity.
    """

    at: PricePoint
    lower: PricePoint | None
    higher: PricePoint | None
    cheaper: PricePoint | None

    @property
    def change(self) -> int | None:
        """The smallest change of the quantity that changes the total; of two equal ones, upwards."""
        changes = [point.quantity - self.at.quantity for point in (self.higher, self.lower) if point is not None]
        return min(changes, key=abs, default=None)


class Totals:
    """The total of an invoice for each quantity, by a plan and a discount (a percentage).

    `besides` is added whatever the quantity is, such as the amount for credits.
    """

    def __init__(self, plan: Plan, discount: Decimal = Decimal(0), besides: Decimal = Decimal(0)) -> None:
        self._plan = plan
        self._besides = Money(besides, plan.currency)
        self._discount = discount
        self._spans = plan.spans()
        self._known: dict[int, PriceSteps] = {}

    def of(self, quantity: int) -> Money:
        """The total for a quantity. Raises `NotPriced`."""
        usage = self._plan.price(quantity).total
        owed = usage + discount_on(self._discount, usage) if self._discount else usage
        return owed + self._besides if self._besides.amount else owed

    def near(self, quantity: int) -> PriceSteps:
        """The total for a quantity, and where it changes. Raises `NotPriced`."""
        if quantity not in self._known:
            here = PricePoint(quantity, self.of(quantity))
            self._known[quantity] = PriceSteps(here, self._lower(here), self._higher(here), self._cheaper(here))
        return self._known[quantity]

    def least(self, quantity: int) -> PricePoint:
        """The smallest total of a quantity and all higher ones, at the first that has it. Raises `NotPriced`."""
        here = PricePoint(quantity, self.of(quantity))
        return min([here, *(self._at(first) for first, _ in self._after(quantity))], key=lambda at: at.total.amount)

    def _higher(self, here: PricePoint) -> PricePoint | None:
        for first, last in self._after(here.quantity):
            if self._amount(first) != here.total.amount:
                return self._at(first)
            if self._amount(last) > here.total.amount:
                return self._at(self._first(first, last, lambda amount: amount > here.total.amount))
        return None

    def _lower(self, here: PricePoint) -> PricePoint | None:
        for first, last in reversed(self._spans):
            last = min(last, here.quantity - 1)
            if last < first:
                continue
            if self._amount(last) != here.total.amount:
                return self._at(last)
            if self._amount(first) < here.total.amount:
                return self._at(self._first(first, last, lambda amount: amount >= here.total.amount) - 1)
        return None

    def _cheaper(self, here: PricePoint) -> PricePoint | None:
        starts = (first for first, _ in self._after(here.quantity))
        return next((self._at(first) for first in starts if self._amount(first) < here.total.amount), None)

    def _after(self, quantity: int) -> Iterator[tuple[int, int]]:
        return ((max(first, quantity + 1), last) for first, last in self._spans if last > quantity)

    def _first(self, first: int, last: int, holds: Callable[[Decimal], bool]) -> int:
        """The first quantity of a part of a tier whose amount `holds`; so must those of all after it."""
        return first + bisect_left(range(first, last + 1), True, key=lambda quantity: holds(self._amount(quantity)))

    def _amount(self, quantity: int) -> Decimal:
        return self.of(quantity).amount

    def _at(self, quantity: int) -> PricePoint:
        return PricePoint(quantity, self.of(quantity))
