"""The curve of a cycle, and in words what it shows, as people of a place read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final

from ...core.cycle import micros
from ...core.evidence import Evidence
from ...core.plan import Plan
from ..charts.figure import Band, Curve, Lane, Mark, Move
from ..charts.movement import Movements
from ..charts.thinning import highest, levels
from .locale import LocaleFormat
from .sheet import Cell

#: What a curve is called.
CURVE_TITLE: Final = "Active engagement identities over the cycle"
#: How many dates the time axis names at most.
_DATES_MAX: Final = 7
#: In how many days at most dates are not those of months.
_DAYS_MAX: Final = 62


def curve(
    of: Evidence,
    show: LocaleFormat,
    *,
    plan: Plan | None = None,
    now: int | None = None,
    moved: Movements | None = None,
    fan: Sequence[Band] = (),
) -> Curve:
    """What a chart shows of a cycle; `now` (microseconds) is given where the cycle is open."""
    start, end = micros(of.cycle.start), micros(of.cycle.end)
    peak = show.number(of.peak).text
    tiers = tuple(_tiers(plan, show))
    return Curve(
        start=start,
        end=end,
        counts=of.counts,
        peak=Mark(of.peak, f"Peak {peak}" if now is None else f"Peak so far {peak}"),
        peak_at=of.peak_at,
        dates=tuple(_dates(start, end, show)),
        levels=tuple(Mark(at, show.number(at).text) for at in levels(highest(of.peak, tiers, fan))),
        tiers=tiers,
        lanes=() if moved is None else tuple(_lanes(moved, show)),
        now=None if now is None else Mark(now, f"Now {show.number(count_at(of, now)).text}"),
        fan=tuple(fan),
    )


def words(of: Evidence, show: LocaleFormat, *, now: int | None = None, last: int | None = None) -> str:
    """What the curve shows, in a sentence or two; `last` is the last event, where that makes the cycle an open one."""
    first, final = (show.number(count).text for count in (of.counts[0][1], of.counts[-1][1]))
    reached = "" if of.peak_at is None else f", first reached at {plainly(show.instant(of.peak_at))}"
    peak = show.number(of.peak).text
    if now is None:
        return (
            f"{first} active when the cycle began, {final} when it ended. "
            f"The most at the same moment were {peak}{reached}; that is the peak."
        )
    if now <= micros(of.cycle.start):
        return (
            f"The cycle has not begun. If nothing more happens, active when it begins: {first}; "
            f"when it ends: {final}; and the peak is {peak}."
        )
    since = (
        f"at {plainly(show.instant(now))}" if last is None else f"after the last event, {plainly(show.instant(last))}"
    )
    return (
        f"{show.number(count_at(of, now)).text} active {since}. The peak so far is "
        f"{peak}{reached}. If nothing more happens, still active when the cycle ends: {final}."
    )


def moves(moved: Movements, show: LocaleFormat, *, now: int | None = None) -> str:
    """How the count moved, in a sentence."""
    when = "Within it" if now is None else "So far"
    arrived, expired, deleted = (show.number(len(at)).text for at in (moved.arrivals, moved.expiries, moved.deletions))
    return f"{when} {arrived} became active, {expired} became inactive, and {deleted} were deleted."


def forecast_words(fan: Sequence[Band], show: LocaleFormat) -> str:
    """What the peak may come to by the end, in a sentence; nothing where there is no forecast."""
    if not fan:
        return ""
    end = fan[-1]
    bounds = ((50, end.lower_50, end.upper_50), (80, end.lower_80, end.upper_80), (95, end.lower_95, end.upper_95))
    said = ", ".join(f"{often} % {_whole(low, show)} to {_whole(high, show)}" for often, low, high in bounds)
    return f"Forecast of the peak when the cycle ends: median {_whole(end.median, show)}; {said}."


def count_at(of: Evidence, instant: int) -> int:
    """How many were active at an instant of the cycle; before it, those it begins with."""
    return next((count for at, count in reversed(of.counts) if at <= instant), of.counts[0][1])


def days_of(start: int, end: int, show: LocaleFormat) -> Iterator[date]:
    """The days, by the clock of the zone, that share an instant with `[start, end)`."""
    day = show.local(start).date()
    while midnight(day, show) < end:
        yield day
        day += timedelta(days=1)


def midnight(day: date, show: LocaleFormat) -> int:
    """When a day begins by the clock of the zone, in microseconds."""
    return micros(datetime.combine(day, time(), show.local(0).tzinfo))


def plainly(instant: Cell) -> str:
    """An instant within a sentence."""
    return f"{instant.text} ({instant.beside})" if instant.beside else instant.text


def _whole(number: float, show: LocaleFormat) -> str:
    return show.number(round(number)).text


def _lanes(moved: Movements, show: LocaleFormat) -> Iterator[Lane]:
    kinds: tuple[tuple[Move, str], ...] = (("arrived", "arrived"), ("asleep", "inactive"), ("deleted", "deleted"))
    for (kind, words), at in zip(kinds, (moved.arrivals, moved.expiries, moved.deletions), strict=True):
        yield Lane(kind, f"{show.number(len(at)).text} {words}", tuple(at.tolist()))


def _tiers(plan: Plan | None, show: LocaleFormat) -> Iterator[Mark]:
    """The quantities at which the tiers of a plan end."""
    if plan is None:
        return
    for tier in plan.tiers:
        if tier.up_to is not None:
            at = plan.quantity_of(tier.up_to)
            yield Mark(at, f"up to {show.number(at).text}: {show.number(tier.unit_price).text} each")


def _dates(start: int, end: int, show: LocaleFormat) -> Iterator[Mark]:
    """Midnights within a cycle, few enough to be read; where it is long, those that begin a month."""
    days = [*days_of(start, end, show)]
    if len(days) > _DAYS_MAX:
        days = [day for day in days if day.day == 1]
    every = -(-len(days) // _DATES_MAX)
    for day in days[::every]:
        at = midnight(day, show)
        yield Mark(max(at, start), show.short_day(day))
