"""Exact amounts."""

from __future__ import annotations

from decimal import Decimal, Inexact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import BadPlan, Money
from billing.core.money import EXACT, minor_digits, round_amount

amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=12)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("2.675", "USD", "2.68"),
        ("-2.675", "USD", "-2.68"),
        ("2.674999999999", "USD", "2.67"),
        ("0.5", "JPY", "1"),
        ("0.0005", "KWD", "0.001"),
        ("-0.004", "USD", "0.00"),
        ("7", "USD", "7.00"),
        (f"{10**15 - 1}{'0' * 12}.005", "USD", f"{10**15 - 1}{'0' * 12}.01"),  # the highest price for the most units
    ],
)
def test_half_a_minor_unit_goes_away_from_zero(amount: str, currency: str, expected: str) -> None:
    """One rule for charges and credits, with the decimals of the currency and no minus before nothing."""
    assert expected == f"{round_amount(Decimal(amount), currency).amount:f}"


@given(amounts, st.sampled_from(("USD", "JPY", "KWD")))
def test_rounding_moves_an_amount_by_at_most_half_a_minor_unit(amount: Decimal, currency: str) -> None:
    """And rounding again moves nothing."""
    owed = round_amount(amount, currency)
    assert abs(owed.amount - amount) * 2 <= Decimal(1).scaleb(-minor_digits(currency))
    assert owed == round_amount(owed.amount, currency)


@given(amounts, amounts)
def test_sums_are_exact(one: Decimal, other: Decimal) -> None:
    """What is added and taken away again was never there."""
    usd, more = Money(one, "USD"), Money(other, "USD")
    assert usd == usd + more + -more


def test_currencies_are_never_mixed() -> None:
    """One dollar and one euro are two of nothing."""
    with pytest.raises(AssertionError, match=r"^sums are of one currency"):
        Money(Decimal(1), "USD") + Money(Decimal(1), "EUR")


def test_a_binary_number_is_no_amount() -> None:
    """0.1 is not a tenth."""
    with pytest.raises(AssertionError, match=r"^money is never a binary number"):
        Money(0.1, "USD")  # type: ignore[arg-type]


def test_an_amount_is_written_with_its_currency() -> None:
    """Never in the notation of engineers."""
    assert str(Money(Decimal("1E+3"), "USD")) == "1000 USD"


@pytest.mark.parametrize("currency", ["usd", "XAU", "XXX", "ABC", ""])
def test_only_currencies_in_which_money_is_owed_are_known(currency: str) -> None:
    """Gold and test codes have no minor unit to round to."""
    with pytest.raises(BadPlan) as refused:
        minor_digits(currency)
    assert ("currency_unknown", "currency") == (refused.value.code, refused.value.details["field"])


def test_losing_a_digit_is_an_error() -> None:
    """Nothing is rounded but once, on purpose."""
    with pytest.raises(Inexact):
        EXACT.divide(Decimal(1), Decimal(3))
