"""What a chart shows: the count over a cycle, or the cycles of a year.

Everything that is read as words is text already, as its reader expects it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

#: How the count moved: an identity became active, expired, or was deleted while active; `asleep` is the key in files.
Move = Literal["arrived", "asleep", "deleted"]


class Mark(NamedTuple):
    """A place on an axis, in the axis's own unit, with the words beside it."""

    at: int
    words: str


class Band(NamedTuple):
    """What the peak may have come to by an instant (microseconds): the median, and bounds that hold so often."""

    at: int
    median: float
    lower_50: float
    upper_50: float
    lower_80: float
    upper_80: float
    lower_95: float
    upper_95: float


class Lane(NamedTuple):
    """All movements of one kind, each at its instant in microseconds, in order of time."""

    kind: Move
    words: str
    instants: tuple[int, ...]


class Heading(NamedTuple):
    """What stands above a chart that is a file of its own: what it is, whose, and what it shows."""

    title: str
    account_id: str
    words: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The count over a cycle, `[start, end)` in microseconds.

    `counts` are `(instant, count)` pairs, each count holding until the next. `peak` marks the highest
    of them at `peak_at`; `dates` are the instants and `levels` the counts that the axes name, `tiers` the
    counts at which a price ends, `lanes` how the count moved. Where the cycle is open, counts from `now` on are
    those if nothing more happens, and `fan` is what the peak may still come to.
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
    """What a cycle comes to, and how that is written."""

    exact: Decimal
    words: str
    currency: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One cycle among others: when it starts, its peak, and its amount where it is priced."""

    month: str
    year: str
    peak: int
    words: str
    amount: Amount | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Year:
    """The cycles of a year, or of any other time, in order."""

    bars: tuple[Bar, ...]


#: Whatever a chart can show.
Figure = Curve | Year
