"""Format numbers, money and instants for a locale, with all their digits.

The decimals of an amount were fixed by ISO 4217 when it was computed. Those of Babel differ for some
currencies, and are never used.
"""

from __future__ import annotations

import copy
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_datetime_format, get_time_format

from ...core.cycle import instant_of, moment, text_of, zone
from ...core.errors import BillingError
from .sheet import Cell

#: Territories that print on US Letter; all others use A4.
_LETTER: Final = frozenset({"US", "CA", "MX", "PH", "CL", "CO", "VE", "CR", "GT", "PA", "PR"})


def locale_of(name: str, *, field: str = "locale") -> Locale:
    """A locale by its name, such as de_DE. Raises `BillingError` (`locale_unknown`) about `field`."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        raise BillingError("locale_unknown", field=field, got=name) from None


def is_letter(locale: Locale) -> bool:
    """True if the territory of the locale prints on US Letter."""
    return locale.territory in _LETTER


class LocaleFormat:
    """Formats values for a locale and a time zone."""

    def __init__(self, locale: Locale, timezone: str) -> None:
        self._locale = locale
        self._time = get_time_format("medium", locale).pattern
        self._date_and_time = str(get_datetime_format("medium", locale=locale)).replace("'", "")
        self._zone = zone(timezone)
        self.timezone: Final = timezone

    def number(self, exact: str | int | Decimal | None) -> Cell:
        """A number with all its digits; a dash for None."""
        return Cell("–") if exact is None else _format_number(str(exact), self._locale)

    def money(self, exact: str | Decimal, currency: str) -> Cell:
        """An amount with its currency."""
        return _format_number(str(exact), self._locale, currency)

    def instant(self, at: int | str | None) -> Cell:
        """An instant (microseconds, or text of `text_of`) in the time zone, with UTC beside it."""
        if at is None:
            return Cell("–")
        at = instant_of(at) if isinstance(at, str) else at
        utc = f"{moment(at):%Y-%m-%d %H:%M:%S}" + (f".{at % 1_000_000:06}" if at % 1_000_000 else "")
        local = moment(at).astimezone(self._zone)
        if self.timezone == "UTC":
            return Cell(f"{self._clock(local)} UTC", "instant", text_of(at))
        return Cell(self._clock(local), "instant", text_of(at), f"{utc} UTC")

    def day(self, day: date) -> Cell:
        """A calendar day."""
        return Cell(_format_day(day, self._locale), "instant", day.isoformat())

    def short_day(self, day: date) -> str:
        """A day without its year, for an axis."""
        return format_skeleton("MMMd", datetime(day.year, day.month, day.day), locale=self._locale)

    def month(self, day: date) -> str:
        """The month of a day without its year, for an axis."""
        return format_skeleton("MMM", datetime(day.year, day.month, day.day), locale=self._locale)

    def local(self, at: int) -> datetime:
        """An instant in the time zone."""
        return moment(at).astimezone(self._zone)

    def _clock(self, local: datetime) -> str:
        pattern = self._time.replace("ss", "ss.SSSSSS") if local.microsecond else self._time
        text = self._date_and_time.replace("{0}", format_time(local, pattern, tzinfo=self._zone, locale=self._locale))
        text = text.replace("{1}", _format_day(local.date(), self._locale))
        return text.replace("\u202f", "\u00a0")  # few fonts have the narrow space


# The documents of a run share most of their counts and days, and Babel is slow.


@lru_cache(maxsize=4096)
def _format_day(day: date, locale: Locale) -> str:
    return format_date(day, "medium", locale)


@lru_cache(maxsize=4096)
def _format_number(exact: str, locale: Locale, currency: str | None = None) -> Cell:
    """Format a number given as text, since equal numbers may differ in their decimals."""
    number = Decimal(exact)
    # Babel's patterns are shared, so a copy gets the decimals of the number.
    pattern = copy.copy(locale.decimal_formats[None] if currency is None else locale.currency_formats["standard"])
    digits = max(0, -int(number.as_tuple().exponent))
    pattern.frac_prec = (digits, digits)
    text = pattern.apply(number, locale, currency=currency, currency_digits=False, decimal_quantization=False)
    return Cell(text, "number", f"{number:f}")
