"""The chart of a cycle: what it marks, and that no drawing of a long curve hides the peak."""

from __future__ import annotations

import json
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from billing.outputs.charts.figure import Curve, Mark
from billing.outputs.charts.render import spec, svg
from billing.outputs.charts.thinning import steps, tiers_in_range

HOUR = 3_600_000_000
CURVE = Curve(
    start=0,
    end=30 * 24 * HOUR,
    counts=((0, 5), (24 * HOUR, 8), (48 * HOUR, 6)),
    peak=Mark(8, "Peak 8"),
    peak_at=24 * HOUR,
    dates=(Mark(0, "1. Jan."), Mark(240 * HOUR, "11. Jan.")),
    tiers=(Mark(10, "up to 10: 7,99 each"), Mark(100, "up to 100: 1,99 each")),
)


def test_a_chart_says_where_the_peak_is_and_names_dates_and_tiers_as_they_were_given() -> None:
    """Who sees no colours, or reads another language, must get all of it."""
    drawn = svg(spec(CURVE))

    for words in ("Peak 8", "1. Jan.", "11. Jan.", "up to 10: 7,99 each"):
        assert f">{words}</text>" in drawn
    assert "up to 100" not in drawn, "a tier far above would flatten the curve"


def test_a_chart_is_the_same_bytes_each_time() -> None:
    """A document that differs from itself cannot be compared."""
    assert svg(spec(CURVE)) == svg(spec(CURVE))


def test_a_chart_holds_the_last_count_to_the_end_of_the_cycle() -> None:
    """A curve that stops at its last change would look like a cycle cut off."""
    values = spec(CURVE)["layer"][0]["data"]

    data = spec(CURVE)["datasets"][values["name"]] if "name" in values else values["values"]
    assert {"at": 30 * 24 * 3_600_000.0, "active": 6} == data[-1]


def test_a_cycle_in_which_nobody_was_active_has_a_chart_too() -> None:
    """Zeros are billed, and so shown."""
    empty = Curve(start=0, end=HOUR, counts=((0, 0),), peak=Mark(0, "Peak 0"), peak_at=None)

    assert "Peak 0" not in svg(spec(empty))


def test_tiers_too_close_to_be_read_are_left_out_from_the_highest_down() -> None:
    """Words on words say nothing."""
    assert [Mark(50, ""), Mark(100, "")] == tiers_in_range([Mark(50, ""), Mark(95, ""), Mark(100, "")], 90)


@given(
    counts=st.lists(st.integers(0, 1_000), min_size=1, max_size=3_000).map(lambda c: tuple(enumerate(c))),
    slices=st.integers(1, 50),
)
def test_whatever_is_left_out_of_a_long_curve_its_peak_stays_with_its_first_moment(
    counts: tuple[tuple[int, int], ...], slices: int
) -> None:
    """The peak is what is billed; a drawing without it would be another bill."""
    kept = list(steps(counts, 0, len(counts), slices))
    highest = max(counts, key=lambda step: step[1])

    assert highest == max(kept, key=lambda step: step[1])
    assert set(kept) <= set(counts)
    assert kept == sorted(kept)
    assert len(kept) <= 4 * slices


def test_a_chart_needs_no_pandas() -> None:
    """On the command line there is none."""
    script = (
        "import sys, json; sys.modules['pandas'] = None\n"
        "from billing.outputs.charts.render import spec\n"
        "from billing.outputs.charts.figure import Curve, Mark\n"
        "print(json.dumps(spec(Curve(0, 10, ((0, 1),), Mark(1, 'Peak 1'), 0))))"
    )
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "layer" in json.loads(made)
