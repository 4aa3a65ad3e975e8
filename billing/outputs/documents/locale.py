"""Numbers, money and instants as people of a place write them; every digit stays.

How many decimals an amount has was decided when it was computed, by ISO 4217. Babel's own digits are
others for some currencies, and are never used.
"""

from __future__ import annotations

import copy
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, get_datetime_format, get_time_format
from babel.numbers import NumberPattern

from ...core.cycle import instant_of, moment, text_of, zone
from ...core.errors import BillingError
from .sheet import Cell

#: Where people print on US Letter; everybody else uses A4.
_LETTER: Final = frozenset({"US", "CA", "MX", "PH", "CL", "CO", "VE", "CR", "GT", "PA", "PR"})


def locale_of(name: str, *, field: str = "locale") -> Locale:
    """A locale by its name, such as de_DE. Raises `BillingError` (`locale_unknown`), which names it `field`."""
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        raise BillingError("locale_unknown", field=field, got=name) from None


def is_letter(locale: Locale) -> bool:
    """Whether paper there is US Letter."""
    return locale.territory in _LETTER


class Display:
    """Writes for the people of a locale, by the clock of a time zone."""

    def __init__(self, locale: Locale, timezone: str) -> None:
        self._locale = locale
        self._zone = zone(timezone)
        self.timezone: Final = timezone

    def number(self, exact: str | int | Decimal | None) -> Cell:
        """A number with all its digits; a dash for none."""
        return self._written(exact, self._locale.decimal_formats[None], None)

    def money(self, exact: str | Decimal, currency: str) -> Cell:
        """An amount with its currency."""
        return self._written(exact, self._locale.currency_formats["standard"], currency)

    def instant(self, at: int | str | None) -> Cell:
        """An instant (microseconds, or as `text_of` wrote it) by the clock of the zone, with UTC beside."""
        if at is None:
            return Cell("–")
        at = instant_of(at) if isinstance(at, str) else at
        utc = f"{moment(at):%Y-%m-%d %H:%M:%S}" + (f".{at % 1_000_000:06}" if at % 1_000_000 else "")
        local = moment(at).astimezone(self._zone)
        if self.timezone == "UTC":
            return Cell(f"{self._clock(local)} UTC", "instant", text_of(at))
        return Cell(self._clock(local), "instant", text_of(at), f"{utc} UTC")

    def day(self, of: date) -> Cell:
        """A day of the calendar."""
        return Cell(format_date(of, "medium", self._locale), "instant", of.isoformat())

    def short_day(self, of: date) -> str:
        """A day without its year, as an axis names it."""
        return format_skeleton("MMMd", datetime(of.year, of.month, of.day), locale=self._locale)

    def month(self, of: date) -> str:
        """A month without its year, as an axis names it."""
        return format_skeleton("MMM", datetime(of.year, of.month, of.day), locale=self._locale)

    def local(self, at: int) -> datetime:
        """An instant by the clock of the zone."""
        return moment(at).astimezone(self._zone)

    def _clock(self, local: datetime) -> str:
        pattern = get_time_format("medium", self._locale).pattern
        pattern = pattern.replace("ss", "ss.SSSSSS") if local.microsecond else pattern
        written = (
            str(get_datetime_format("medium", locale=self._locale))
            .replace("'", "")
            .replace("{0}", format_time(local, pattern, tzinfo=self._zone, locale=self._locale))
            .replace("{1}", format_date(local, "medium", self._locale))
        )
        return written.replace("\u202f", "\u00a0")  # few fonts have the narrower space

    def _written(self, exact: str | int | Decimal | None, pattern: NumberPattern, currency: str | None) -> Cell:
        if exact is None:
            return Cell("–")
        number = Decimal(exact)
        # A pattern of its own, since Babel's are shared: it has as many decimals as the number.
        own = copy.copy(pattern)
        digits = max(0, -int(number.as_tuple().exponent))
        own.frac_prec = (digits, digits)
        written = own.apply(number, self._locale, currency=currency, currency_digits=False, decimal_quantization=False)
        return Cell(written, "number", f"{number:f}")
