"""Laws of cycles: they cover all time without overlap, and are counted from the anchor."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import strategies as st

from ...core.cycle import CycleRule, micros, zone
from .. import definition
from ..definition import DAY
from ..strategies import moments, rules
from .law import law

_MOMENT = timedelta(microseconds=1)


@law("I74", rules(), moments())
def every_instant_lies_in_exactly_one_cycle(rule: CycleRule, instant: datetime) -> None:
    """Every instant is in exactly one cycle of an account, so that nothing is billed twice or never."""
    cycle = rule.at(instant)
    assert cycle.start <= instant < cycle.end
    assert (cycle.start, cycle.end) == (rule.at(cycle.start - _MOMENT).end, rule.at(cycle.end).start)


@law("I74", rules(), st.integers(-240, 1_000))
def every_cycle_starts_where_the_definition_says(rule: CycleRule, k: int) -> None:
    """Each cycle is counted from the anchor, by the account's own clock, and never from the cycle before."""
    k = k // rule.months  # within the years that calendars have
    anchor = None if rule.anchor is None else micros(rule.anchor)
    start, end = definition.cycle(k, anchor=anchor, months=rule.months, zone=zone(rule.timezone))
    assert (start, end) == (rule.bound(k), rule.bound(k + 1))


@law("I27", rules(months=(1,)), moments())
def thirty_days_touch_at_most_three_monthly_cycles(rule: CycleRule, instant: datetime) -> None:
    """A late event can change at most three monthly cycles, with the usual windows."""
    since = micros(instant)
    assert rule.index_at(since + 30 * DAY - 1) - rule.index_at(since) <= 2
