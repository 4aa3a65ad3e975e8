"""Numbers, money and instants as people of a place write them; every digit stays.

How many decimals an amount has was decided when it was computed, by ISO 4217. Babel's own digits are
others for some currencies, and are never used.
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


class LocaleFormat:
    """Writes for the people of a locale, by the clock of a time zone."""

    def __init__(self, locale: Locale, timezone: str) -> None:
        self._locale = locale
        self._time = get_time_format("medium", locale).pattern
        self._both = str(get_datetime_format("medium", locale=locale)).replace("'", "")
        self._zone = zone(timezone)
        self.timezone: Final = timezone

    def number(self, exact: str | int | Decimal | None) -> Cell:
        """A number with all its digits; a dash for none."""
        return Cell("–") if exact is None else _number(str(exact), self._locale)

    def money(self, exact: str | Decimal, currency: str) -> Cell:
        """An amount with its currency."""
        return _number(str(exact), self._locale, currency)

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
        return Cell(_day(of, self._locale), "instant", of.isoformat())

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
        pattern = self._time.replace("ss", "ss.SSSSSS") if local.microsecond else self._time
        written = self._both.replace("{0}", format_time(local, pattern, tzinfo=self._zone, locale=self._locale))
        written = written.replace("{1}", _day(local.date(), self._locale))
        return written.replace("\u202f", "\u00a0")  # few fonts have the narrower space


# Documents of a run have most of their counts and days in common, and Babel takes its time for each.


@lru_cache(maxsize=4096)
def _day(of: date, locale: Locale) -> str:
    return format_date(of, "medium", locale)


@lru_cache(maxsize=4096)
def _number(exact: str, locale: Locale, currency: str | None = None) -> Cell:
    """A number as text, since numbers that are equal may differ in their decimals."""
    number = Decimal(exact)
    # A pattern of its own, since Babel's are shared: it has as many decimals as the number.
    own = copy.copy(locale.decimal_formats[None] if currency is None else locale.currency_formats["standard"])
    digits = max(0, -int(number.as_tuple().exponent))
    own.frac_prec = (digits, digits)
    written = own.apply(number, locale, currency=currency, currency_digits=False, decimal_quantization=False)
    return Cell(written, "number", f"{number:f}")
