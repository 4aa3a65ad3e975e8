"""Billing cycles: which span of time an invoice covers.

Cycle k runs from `anchor + k months` to `anchor + (k + 1) months`, always counted from the anchor
itself, so that after February the cycle starts on the 31st again. The anchor's wall-clock time in the account's
time zone is kept, and converted to UTC once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import tzdata
from dateutil.relativedelta import relativedelta

from .errors import BadCycle, hint

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)
_FIRST_CALENDAR_MONTH = datetime(2000, 1, 1)
#: The longest a cycle can be, in microseconds: a leap year, and a change of the clocks.
CYCLE_MAX = 368 * 86_400_000_000


def micros(instant: datetime) -> int:
    """An aware datetime as microseconds since 1970-01-01T00:00:00Z."""
    assert instant.tzinfo is not None, "an instant has an offset"
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _micros(instant: datetime, *, field: str = "instant") -> int:
    """A datetime given by a caller as microseconds. Raises `BadCycle` (`ts_naive`)."""
    if instant.tzinfo is None:
        raise BadCycle("ts_naive", field=field, got=instant.isoformat())
    return micros(instant)


def moment(instant: int) -> datetime:
    """Microseconds since 1970-01-01T00:00:00Z as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


def text_of(instant: int) -> str:
    """RFC 3339 in UTC, with six digits of a second where they are not zero, and none where they are.

    >>> text_of(1_768_899_600_000_000), text_of(1)
    ('2026-01-20T09:00:00Z', '1970-01-01T00:00:00.000001Z')
    """
    return moment(instant).isoformat().replace("+00:00", "Z")


def instant_of(text: str) -> int:
    """The microseconds of an instant in the format of `text_of`.

    >>> instant_of(text_of(1_768_899_600_000_001))
    1768899600000001
    """
    return micros(datetime.fromisoformat(text))


@dataclass(frozen=True, slots=True, order=True)
class Cycle:
    """The span one invoice covers, `[start, end)`, in UTC.

    `name` is the month the cycle starts in, in the account's time zone. Raises `BadCycle`
    (`cycle_empty`) unless it ends after it starts.
    """

    start: datetime
    end: datetime
    name: str = ""

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise BadCycle("cycle_empty", start=self.start.isoformat(), end=self.end.isoformat())


@dataclass(frozen=True, slots=True)
class CycleRule:
    """When an account's billing cycles begin and end.

    `anchor` is an aware datetime, the start of cycle 0; without one, cycles are calendar months of
    `timezone`. `months` is 1, 3, 6 or 12. A local time that does not exist moves forward by the
    length of the gap; one that exists twice is the first of the two. Raises `BadCycle` for anything
    else.

    >>> rule = CycleRule(anchor=datetime(2025, 10, 14, 7, 13, 47, tzinfo=UTC))
    >>> rule.at(datetime(2025, 10, 20, tzinfo=UTC)).end.isoformat()
    '2025-11-14T07:13:47+00:00'
    """

    anchor: datetime | None = None
    months: int = 1
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.months not in (1, 3, 6, 12) or isinstance(self.months, bool):
            raise BadCycle("cycle_months", field="months", got=self.months)
        zone(self.timezone)
        if self.anchor is not None:
            _micros(self.anchor, field="anchor")

    def at(self, instant: datetime) -> Cycle:
        """The cycle that `instant` (aware) falls in."""
        return self.cycle(self.index_at(_micros(instant)))

    def between(self, start: datetime, end: datetime) -> list[Cycle]:
        """The cycles that overlap `[start, end)`, in order; together they cover it."""
        if _micros(end) <= _micros(start):
            return []
        return [self.cycle(k) for k in range(self.index_at(_micros(start)), self.index_at(_micros(end) - 1) + 1)]

    def cycle(self, k: int) -> Cycle:
        """Cycle `k`, counted from the anchor; `k` may be negative."""
        return Cycle(moment(self.bound(k)), moment(self.bound(k + 1)), self.name(k))

    def bound(self, k: int) -> int:
        """The start of cycle `k`, in microseconds."""
        if k == 0 and self.anchor is not None:
            return micros(self.anchor)
        return micros(self._wall_clock(k).replace(tzinfo=zone(self.timezone), fold=0))

    def index_at(self, instant: int) -> int:
        """The number of the cycle that an instant in microseconds falls in."""
        anchor, given = self._local_anchor, moment(instant)
        k = ((given.year - anchor.year) * 12 + given.month - anchor.month) // self.months  # or one beside it
        while self.bound(k) > instant:
            k -= 1
        while self.bound(k + 1) <= instant:
            k += 1
        return k

    def name(self, k: int) -> str:
        """The month in which cycle `k` starts by its local clock, such as `2026-01`."""
        start = self._wall_clock(k)
        return f"{start.year:04}-{start.month:02}"

    def index_from(self, name: str) -> int:
        """The number of the first cycle that starts in the month `name` or later."""
        return -(-self._months_to(name) // self.months)

    def index_until(self, name: str) -> int:
        """The number of the last cycle that starts in the month `name` or earlier."""
        return self._months_to(name) // self.months

    def _months_to(self, name: str) -> int:
        year, month = month_of(name)
        return (year - self._local_anchor.year) * 12 + month - self._local_anchor.month

    def _wall_clock(self, k: int) -> datetime:
        return self._local_anchor + relativedelta(months=k * self.months)

    @property
    def _local_anchor(self) -> datetime:
        if self.anchor is None:
            return _FIRST_CALENDAR_MONTH
        return self.anchor.astimezone(zone(self.timezone)).replace(tzinfo=None)


class Calendar:
    """The cycles of a rule, each computed once."""

    def __init__(self, rule: CycleRule) -> None:
        self._rule = rule
        self._first = 0
        self._bounds: list[int] = []
        self._cycles: dict[int, Cycle] = {}

    def index_at(self, instant: int) -> int:
        """The number of the cycle that an instant in microseconds falls in."""
        if not self._bounds:
            self._extend(self._rule.index_at(instant))
        while instant < self._bounds[0]:
            self._extend(self._first - 1)
        while instant >= self._bounds[-1]:
            self._extend(self._first + len(self._bounds))
        return self._first + bisect_right(self._bounds, instant) - 1

    def bounds(self, first: int, last: int) -> list[int]:
        """The starts of cycles `first` to `last` and the end of the last, in microseconds."""
        self._extend(first)
        self._extend(last + 1)
        return self._bounds[first - self._first : last + 2 - self._first]

    def cycles(self, first: int, last: int) -> list[Cycle]:
        """Cycles `first` to `last`."""
        for k in range(first, last + 1):
            if k not in self._cycles:
                self._cycles[k] = self._rule.cycle(k)
        return [self._cycles[k] for k in range(first, last + 1)]

    def _extend(self, k: int) -> None:
        """Extend the known bounds to cycle `k`, without gaps."""
        if not self._bounds:
            self._first, self._bounds = k, [self._rule.bound(k)]
        while k < self._first:
            self._first -= 1
            self._bounds.insert(0, self._rule.bound(self._first))
        while k >= self._first + len(self._bounds):
            self._bounds.append(self._rule.bound(self._first + len(self._bounds)))


def month_of(name: str, *, field: str = "cycle") -> tuple[int, int]:
    """The year and month of a cycle's name. Raises `BadCycle` (`cycle_name`).

    >>> month_of("2026-01")
    (2026, 1)
    """
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if not match or not 1999 <= int(match[1]) <= 2200:
        raise BadCycle("cycle_name", field=field, got=name)
    return int(match[1]), int(match[2])


@cache
def zone(name: str) -> ZoneInfo:
    """The rules of a time zone, from the tzdata package and never from the machine.

    Two machines with the same package agree to the microsecond on where a cycle ends. Raises
    `BadCycle` (`timezone_unknown`).
    """
    if name not in _zones():
        near = hint(str(name), sorted(_zones()))
        raise BadCycle("timezone_unknown", field="timezone", got=name, hint=near)
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def zone_rules_version() -> str:
    """The version of the time zone rules, such as `2026a`."""
    return str(tzdata.IANA_VERSION)


@cache
def _zones() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())
