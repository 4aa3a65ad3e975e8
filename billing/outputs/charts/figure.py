"""What a chart shows: the count over a cycle, or the cycles of a year.

All labels are already formatted for the reader's locale.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

#: A movement of the count: an identity became active, became inactive (`asleep` in files), or was deleted while active.
Move = Literal["arrived", "asleep", "deleted"]


class Mark(NamedTuple):
    """A position on an axis, in the unit of the axis, with its label."""

    at: int
    label: str


class Band(NamedTuple):
    """Forecast of the peak by an instant (microseconds): the median, and intervals at 50, 80 and 95 %."""

    at: int
    median: float
    lower_50: float
    upper_50: float
    lower_80: float
    upper_80: float
    lower_95: float
    upper_95: float


class Lane(NamedTuple):
    """The instants of all movements of one kind, in microseconds and in order."""

    kind: Move
    label: str
    instants: tuple[int, ...]


class Heading(NamedTuple):
    """The heading of a chart that stands alone: its title, its account and a description."""

    title: str
    account_id: str
    description: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The count over a cycle, `[start, end)` in microseconds.

    `counts` are `(instant, count)` pairs, each count holding until the next. `peak` marks the highest
    of them at `peak_at`; `dates` and `levels` are the ticks of the axes, `tiers` the counts at which a
    price ends, `lanes` how the count moved. In an open cycle, counts from `now` on assume that nothing more
    happens, and `fan` is the forecast of the peak.
    """

    start: int
    end: int
    counts: tuple[tuple[int, int], ...]
    peak: Mark
    peak_at: int | None
    dates: tuple[Mark, ...] = ()
    levels: tuple[Mark, ...] = ()
    tiers: tuple[Mark, ...] = ()
    lanes: tuple[Lane, ...] = ()
    now: Mark | None = None
    fan: tuple[Band, ...] = ()


@dataclass(frozen=True, slots=True)
class Amount:
    """The total of a cycle, exact and as formatted for the reader."""

    exact: Decimal
    label: str
    currency: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One cycle of several: the month it starts in, its peak, and its amount where it is priced."""

    month: str
    year: str
    peak: int
    label: str
    amount: Amount | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Year:
    """The cycles of a year, or of any other period, in order."""

    bars: tuple[Bar, ...]


#: Anything that a chart can show.
Figure = Curve | Year
