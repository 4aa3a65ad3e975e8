"""Billing cycles where calendars and clocks are odd."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import BadCycle, Cycle, CycleRule
from billing.core.cycle import Calendar, micros, moment, month_of, zone, zone_rules_version
from billing.verify.strategies import moments, rules

MOMENT = timedelta(microseconds=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def starts(rule: CycleRule, first: int, last: int) -> list[str]:
    """The starts of some cycles by the account's own clock."""
    local = zone(rule.timezone)
    return [rule.cycle(k).start.astimezone(local).isoformat(timespec="minutes") for k in range(first, last + 1)]


@given(rules(), st.lists(moments(), min_size=1, max_size=3))
def test_a_calendar_answers_as_its_rule_does(rule: CycleRule, instants: list[datetime]) -> None:
    """Boundaries computed once must be those computed each time."""
    calendar = Calendar(rule)
    for instant in [t.replace(year=2020 + t.year % 20, day=min(t.day, 28)) for t in instants]:
        k = rule.index_at(micros(instant))
        assert k == calendar.index_at(micros(instant))
        assert [rule.bound(k - 1), rule.bound(k), rule.bound(k + 1)] == calendar.bounds(k - 1, k)
        assert [rule.cycle(k - 1), rule.cycle(k)] == calendar.cycles(k - 1, k)


def test_the_31st_comes_back_after_short_months() -> None:
    """Counted from the anchor, never from the cycle before."""
    rule = CycleRule(anchor=utc("2024-01-31T00:00:00Z"))
    assert [
        "2023-12-31T00:00+00:00",
        "2024-01-31T00:00+00:00",
        "2024-02-29T00:00+00:00",
        "2024-03-31T00:00+00:00",
        "2024-04-30T00:00+00:00",
    ] == starts(rule, -1, 3)


def test_a_leap_day_comes_back_every_four_years() -> None:
    """A yearly cycle from 29 February ends on the 28th in between."""
    rule = CycleRule(anchor=utc("2024-02-29T12:00:00Z"), months=12)
    assert [28, 28, 28, 29] == [rule.cycle(k).start.day for k in range(1, 5)]


@pytest.mark.parametrize(("months", "expected"), [(3, "2026-04"), (6, "2026-07"), (12, "2027-01")])
def test_longer_cycles_keep_their_anchor(months: int, expected: str) -> None:
    """A cycle is named by the month in which it starts."""
    rule = CycleRule(anchor=utc("2026-01-15T00:00:00Z"), months=months)
    assert ["2026-01", expected] == [rule.name(k) for k in (0, 1)]


def test_the_local_clock_is_kept_across_a_change_of_offset() -> None:
    """The published anchor, in New York: an hour later in UTC once summer time is over."""
    rule = CycleRule(anchor=utc("2025-10-14T07:13:47Z"), timezone="America/New_York")
    assert utc("2025-11-14T08:13:47Z") == rule.at(utc("2025-10-14T07:13:47Z")).end


def test_a_local_time_that_does_not_exist_moves_forward_by_the_gap() -> None:
    """Half past two on the night when clocks skip from two to three is half past three."""
    rule = CycleRule(anchor=utc("2026-01-08T02:30:00-05:00"), timezone="America/New_York")
    assert ["2026-02-08T02:30-05:00", "2026-03-08T03:30-04:00", "2026-04-08T02:30-04:00"] == starts(rule, 1, 3)


def test_a_local_time_that_exists_twice_is_the_first() -> None:
    """Half past one on the night when clocks go back, before they do."""
    rule = CycleRule(anchor=utc("2026-10-01T01:30:00-04:00"), timezone="America/New_York")
    assert ["2026-11-01T01:30-04:00"] == starts(rule, 1, 1)


def test_a_month_that_has_begun_does_not_end_again_when_clocks_go_back_over_midnight() -> None:
    """In Newfoundland a minute of November 2009 was followed by another hour of October by the clock."""
    rule = CycleRule(timezone="America/St_Johns")
    begun = utc("2009-11-01T00:00:00-02:30")
    assert begun == rule.at(begun).start == rule.at(utc("2009-10-31T23:30:00-03:30")).start


def test_the_anchor_itself_is_never_moved() -> None:
    """An anchor in the second of two equal hours stays there; only the cycles counted from it are computed."""
    anchor = utc("2026-11-01T01:30:00-05:00")
    rule = CycleRule(anchor=anchor, timezone="America/New_York")
    assert anchor == rule.cycle(0).start == rule.cycle(-1).end


def test_a_day_that_apia_never_had_is_the_day_after() -> None:
    """On 30 December 2011 Samoa crossed the date line: the gap is a whole day."""
    rule = CycleRule(anchor=utc("2011-11-30T10:00:00-10:00"), timezone="Pacific/Apia")
    assert ["2011-11-30T10:00-10:00", "2011-12-31T10:00+14:00", "2012-01-30T10:00+14:00"] == starts(rule, 0, 2)


def test_without_an_anchor_cycles_are_calendar_months_of_the_zone() -> None:
    """In Paris a month starts an hour or two before it does in UTC."""
    cycle = CycleRule(timezone="Europe/Paris").at(utc("2026-03-31T22:00:00Z"))
    assert Cycle(utc("2026-03-31T22:00:00Z"), utc("2026-04-30T22:00:00Z"), "2026-04") == cycle


def test_between_gives_the_cycles_that_share_an_instant() -> None:
    """An end exactly on a boundary asks for nothing beyond it; nothing is shared with no time at all."""
    rule, start = CycleRule(), utc("2026-01-31T23:59:59.999999Z")
    assert ["2026-01"] == [c.name for c in rule.between(start, start + MOMENT)]
    assert ["2026-01", "2026-02"] == [c.name for c in rule.between(start, start + 2 * MOMENT)]
    assert [] == rule.between(start, start)


@pytest.mark.parametrize(("name", "first", "last"), [("2026-01", 0, 0), ("2026-02", 1, 0), ("2025-12", 0, -1)])
def test_a_month_names_the_cycles_that_start_in_it_or_around_it(name: str, first: int, last: int) -> None:
    """Of quarterly cycles, most months start none."""
    rule = CycleRule(anchor=utc("2026-01-15T00:00:00Z"), months=3)
    assert (first, last) == (rule.index_from(name), rule.index_until(name))


@pytest.mark.parametrize(
    ("settings", "code", "field"),
    [
        ({"months": 2}, "cycle_months", "months"),
        ({"months": True}, "cycle_months", "months"),
        ({"timezone": "Europe/Pariss"}, "timezone_unknown", "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone_unknown", "timezone"),
        ({"anchor": datetime(2026, 1, 1)}, "ts_naive", "anchor"),
    ],
)
def test_an_impossible_rule_is_refused_and_says_where(settings: dict[str, Any], code: str, field: str) -> None:
    """What would be guessed otherwise is a boundary, and with it a bill."""
    with pytest.raises(BadCycle) as refused:
        CycleRule(**settings)
    assert (code, field) == (refused.value.code, refused.value.details["field"])
    assert str(settings[field]).replace(" ", "T") == str(refused.value.details["got"])


@pytest.mark.parametrize("name", ["2026-13", "2026-1", "1998-01", "2201-01", "٢٠٢٦-01", "2026-01\n", ""])
def test_only_months_name_cycles(name: str) -> None:
    """A name that is read generously today is read otherwise tomorrow."""
    with pytest.raises(BadCycle) as refused:
        month_of(name)
    assert ("cycle_name", "cycle", name) == (refused.value.code, *(refused.value.details[k] for k in ("field", "got")))


def test_months_from_1999_to_2200_name_cycles() -> None:
    """A month more on either side than events have, for who was in another time zone then."""
    assert [(1999, 1), (2200, 12)] == [month_of(name) for name in ("1999-01", "2200-12")]
    with pytest.raises(BadCycle):
        month_of(202601)  # type: ignore[arg-type]


def test_a_cycle_ends_after_it_starts() -> None:
    """An empty cycle would have no peak to bill."""
    start = utc("2026-01-01T00:00:00Z")
    with pytest.raises(BadCycle) as refused:
        Cycle(start, start)
    same = "2026-01-01T00:00:00+00:00"
    assert ("cycle_empty", {"start": same, "end": same}) == (refused.value.code, refused.value.details)


def test_an_instant_has_an_offset() -> None:
    """Without one it would be another on each machine."""
    naive = datetime(2026, 1, 1)
    with pytest.raises(BadCycle) as refused:
        CycleRule().at(naive)
    assert ("ts_naive", {"field": "instant", "got": "2026-01-01T00:00:00"}) == (
        refused.value.code,
        refused.value.details,
    )
    with pytest.raises(AssertionError, match=r"^an instant has an offset"):
        micros(naive)


def test_an_instant_is_a_whole_number_of_microseconds() -> None:
    """Also before 1970, where rounding toward zero would lose one."""
    for instant in (utc("1969-12-31T23:59:59.999999Z"), utc("2026-01-01T00:00:00Z")):
        assert instant == moment(micros(instant))


def test_the_rules_of_time_zones_have_a_version() -> None:
    """It is printed on every invoice, since boundaries follow from it."""
    assert zone_rules_version()[:2] == "20"
