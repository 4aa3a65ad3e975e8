"""Exact amounts: decimal, with a currency, rounded once.

Amounts are `Decimal` everywhere, and arithmetic that would lose a digit is an error, so anybody can
recompute an invoice by hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
)
from functools import cache
from typing import Final

from .errors import BadPlan, hint

#: Enough digits for a price of 12 + 12 digits times 10^12 units; losing a digit is an error.
EXACT: Final = Context(prec=60, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, FloatOperation])
#: The only rounding: half a minor unit and more goes away from zero.
_NEAREST: Final = Context(prec=60, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow, FloatOperation])


def minor_digits(currency: str, *, field: str = "currency") -> int:
    """How many decimals a currency has, by ISO 4217: 2 for USD, 0 for JPY, 3 for KWD.

    Raises `BadPlan` (`currency_unknown`) for a code that is not a currency with minor units.
    """
    known = _currencies()
    if currency not in known:
        near = hint(str(currency).upper(), sorted(known))
        raise BadPlan("currency_unknown", field=field, got=currency, hint=near)
    return known[currency]


@cache
def _currencies() -> dict[str, int]:
    from iso4217 import Currency  # reads the whole table of ISO 4217

    return {c.code: c.exponent for c in Currency if c.exponent is not None}


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of a currency.

    >>> str(Money(Decimal("63.92"), "USD"))
    '63.92 USD'
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        assert isinstance(self.amount, Decimal), "money is never a binary number"

    def __add__(self, other: Money) -> Money:
        assert self.currency == other.currency, "sums are of one currency"
        return Money(EXACT.add(self.amount, other.amount), self.currency)

    def __neg__(self) -> Money:
        return Money(EXACT.subtract(Decimal(0), self.amount), self.currency)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


def round_amount(amount: Decimal, currency: str) -> Money:
    """An amount rounded to the minor unit of its currency, halves away from zero.

    >>> str(round_amount(Decimal("2.675"), "USD")), str(round_amount(Decimal("-0.125"), "USD"))
    ('2.68 USD', '-0.13 USD')
    """
    nearest = _NEAREST.quantize(amount, Decimal(1).scaleb(-minor_digits(currency)))
    return Money(nearest if nearest else abs(nearest), currency)


def by_currency(amounts: Iterable[Money]) -> tuple[Money, ...]:
    """The sum in each currency, by currency.

    >>> [str(each) for each in by_currency(Money(Decimal(n), code) for n, code in ((1, "USD"), (2, "EUR"), (3, "USD")))]
    ['2 EUR', '4 USD']
    """
    found: dict[str, Money] = {}
    for amount in amounts:
        found[amount.currency] = found[amount.currency] + amount if amount.currency in found else amount
    return tuple(found[currency] for currency in sorted(found))
