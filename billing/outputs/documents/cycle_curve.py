"""The curve of a cycle, and its description in sentences, formatted for a locale."""

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

#: The title of a curve.
CURVE_TITLE: Final = "Active engagement identities over the cycle"
#: The most dates that the time axis names.
_DATES_MAX: Final = 7
#: In a longer cycle, the time axis names the first days of months only.
_DAYS_MAX: Final = 62


def curve(
    evidence: Evidence,
    fmt: LocaleFormat,
    *,
    plan: Plan | None = None,
    now: int | None = None,
    movements: Movements | None = None,
    fan: Sequence[Band] = (),
) -> Curve:
    """The figure of a cycle; `now` (microseconds) is set for an open cycle."""
    start, end = micros(evidence.cycle.start), micros(evidence.cycle.end)
    peak = fmt.number(evidence.peak).text
    tiers = tuple(_tiers(plan, fmt))
    return Curve(
        start=start,
        end=end,
        counts=evidence.counts,
        peak=Mark(evidence.peak, f"Peak {peak}" if now is None else f"Peak so far {peak}"),
        peak_at=evidence.peak_at,
        dates=tuple(_dates(start, end, fmt)),
        levels=tuple(Mark(at, fmt.number(at).text) for at in levels(highest(evidence.peak, tiers, fan))),
        tiers=tiers,
        lanes=() if movements is None else tuple(_lanes(movements, fmt)),
        now=None if now is None else Mark(now, f"Now {fmt.number(count_at(evidence, now)).text}"),
        fan=tuple(fan),
    )


def describe_curve(evidence: Evidence, fmt: LocaleFormat, *, now: int | None = None, last: int | None = None) -> str:
    """Describe the curve in a sentence or two; `last` is the last event, if the cycle counts as open because of it."""
    first, final = (fmt.number(count).text for count in (evidence.counts[0][1], evidence.counts[-1][1]))
    reached = "" if evidence.peak_at is None else f", first reached at {instant_text(fmt.instant(evidence.peak_at))}"
    peak = fmt.number(evidence.peak).text
    if now is None:
        return (
            f"{first} active when the cycle began, {final} when it ended. "
            f"The most at the same moment were {peak}{reached}; that is the peak."
        )
    if now <= micros(evidence.cycle.start):
        return (
            f"The cycle has not begun. If nothing more happens, active when it begins: {first}; "
            f"when it ends: {final}; and the peak is {peak}."
        )
    since = (
        f"at {instant_text(fmt.instant(now))}"
        if last is None
        else f"after the last event, {instant_text(fmt.instant(last))}"
    )
    return (
        f"{fmt.number(count_at(evidence, now)).text} active {since}. The peak so far is "
        f"{peak}{reached}. If nothing more happens, still active when the cycle ends: {final}."
    )


def describe_movements(movements: Movements, fmt: LocaleFormat, *, now: int | None = None) -> str:
    """Describe how the count moved, in a sentence."""
    when = "Within it" if now is None else "So far"
    instants = (movements.arrivals, movements.expiries, movements.deletions)
    arrived, expired, deleted = (fmt.number(len(at)).text for at in instants)
    return f"{when} {arrived} became active, {expired} became inactive, and {deleted} were deleted."


def describe_forecast(fan: Sequence[Band], fmt: LocaleFormat) -> str:
    """Describe the forecast of the final peak, in a sentence; an empty string without a forecast."""
    if not fan:
        return ""
    end = fan[-1]
    bounds = ((50, end.lower_50, end.upper_50), (80, end.lower_80, end.upper_80), (95, end.lower_95, end.upper_95))
    intervals = ", ".join(f"{often} % {_whole(low, fmt)} to {_whole(high, fmt)}" for often, low, high in bounds)
    return f"Forecast of the peak when the cycle ends: median {_whole(end.median, fmt)}; {intervals}."


def count_at(evidence: Evidence, instant: int) -> int:
    """How many are active at an instant of the cycle; before the cycle, the count that it begins with."""
    return next((count for at, count in reversed(evidence.counts) if at <= instant), evidence.counts[0][1])


def days_of(start: int, end: int, fmt: LocaleFormat) -> Iterator[date]:
    """The days that overlap `[start, end)`, in the time zone of the format."""
    day = fmt.local(start).date()
    while midnight(day, fmt) < end:
        yield day
        day += timedelta(days=1)


def midnight(day: date, fmt: LocaleFormat) -> int:
    """The start of a day in the time zone of the format, in microseconds."""
    return micros(datetime.combine(day, time(), fmt.local(0).tzinfo))


def instant_text(instant: Cell) -> str:
    """An instant as written within a sentence."""
    return f"{instant.text} ({instant.beside})" if instant.beside else instant.text


def _whole(number: float, fmt: LocaleFormat) -> str:
    return fmt.number(round(number)).text


def _lanes(movements: Movements, fmt: LocaleFormat) -> Iterator[Lane]:
    kinds: tuple[tuple[Move, str], ...] = (("arrived", "arrived"), ("asleep", "inactive"), ("deleted", "deleted"))
    for (kind, label), at in zip(kinds, (movements.arrivals, movements.expiries, movements.deletions), strict=True):
        yield Lane(kind, f"{fmt.number(len(at)).text} {label}", tuple(at.tolist()))


def _tiers(plan: Plan | None, fmt: LocaleFormat) -> Iterator[Mark]:
    """The quantities at which the tiers of a plan end."""
    if plan is None:
        return
    for tier in plan.tiers:
        if tier.up_to is not None:
            at = plan.quantity_of(tier.up_to)
            yield Mark(at, f"up to {fmt.number(at).text}: {fmt.number(tier.unit_price).text} each")


def _dates(start: int, end: int, fmt: LocaleFormat) -> Iterator[Mark]:
    """The midnights that the time axis names; in a long cycle, those that begin a month."""
    days = [*days_of(start, end, fmt)]
    if len(days) > _DAYS_MAX:
        days = [day for day in days if day.day == 1]
    every = -(-len(days) // _DATES_MAX)
    for day in days[::every]:
        at = midnight(day, fmt)
        yield Mark(max(at, start), fmt.short_day(day))
