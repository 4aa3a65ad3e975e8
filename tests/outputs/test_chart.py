"""The chart of a cycle: what it marks, and that no drawing of a long curve hides the peak."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.outputs.charts.figure import Band, Curve, Lane, Mark, Move
from billing.outputs.charts.render import spec, svg
from billing.outputs.charts.thinning import thin_steps, tiers_in_range
from tests.support.ledgers import examples

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
    kept = list(thin_steps(counts, 0, len(counts), slices))
    highest = max(counts, key=lambda step: step[1])

    assert highest == max(kept, key=lambda step: step[1])
    assert set(kept) <= set(counts)
    assert kept == sorted(kept)
    assert len(kept) <= 4 * slices


@st.composite
def curves(draw: st.DrawFn) -> Curve:
    """Curves of a day, closed and open, with all that they may be shown with."""
    end = 24 * HOUR
    instants = st.integers(1, end - 1)
    later = draw(st.lists(instants, max_size=6, unique=True).map(sorted))
    counts = tuple((at, draw(st.integers(0, 20))) for at in (0, *later))
    peak = max(count for _, count in counts)
    now = draw(st.none() | instants | st.just(0))
    kinds: tuple[Move, ...] = draw(st.sampled_from([(), ("arrived", "asleep", "deleted")]))
    guess = draw(st.sampled_from([0.0, 0.5, 30.0])) if now is not None else 0.0
    return Curve(
        start=0,
        end=end,
        counts=counts,
        peak=Mark(peak, f"Peak {peak}"),
        peak_at=next(at for at, count in counts if count == peak) if peak else None,
        dates=tuple(Mark(at, draw(st.sampled_from(["Jan 1", "1. Jän.", "\"&<'\\"]))) for at in draw(st.sets(instants))),
        levels=tuple(Mark(at, f"{at:,}") for at in draw(st.sets(st.integers(0, 20), max_size=3))),
        tiers=tuple(Mark(at, f"up to {at}") for at in sorted(draw(st.sets(st.integers(1, 20), max_size=3)))),
        lanes=tuple(Lane(kind, kind, tuple(draw(st.lists(instants, max_size=9).map(sorted)))) for kind in kinds),
        now=None if now is None else Mark(now, "Now"),
        fan=tuple(Band(at, peak, *[peak + guess] * 6) for at in (now, end)) if now is not None and guess else (),
    )


@given(curve=curves(), width=st.sampled_from([300, 680]))
@examples(normal=40, long=1_000)
def test_a_curve_filled_into_a_chart_made_before_is_drawn_as_if_it_were_the_first(curve: Curve, width: int) -> None:
    """Vega-Lite that is compiled as a whole says what is right."""
    import vl_convert

    made = spec(curve, width=width, height=220)

    assert vl_convert.vegalite_to_svg(made) == svg(made)


def test_charts_of_a_run_are_made_and_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invoices of a month differ in their figures only; to check and to compile takes longer than to draw."""
    import altair as alt
    import vl_convert

    width = 517  # of no other test
    compiled = []
    compiles = vl_convert.vegalite_to_vega

    def counted(made: str) -> Any:
        compiled.append(made)
        return compiles(made)

    monkeypatch.setattr(vl_convert, "vegalite_to_vega", counted)
    first = svg(spec(CURVE, width=width))
    monkeypatch.setattr(alt, "Chart", None)
    other = replace(CURVE, counts=((0, 3), (72 * HOUR, 9)), peak=Mark(9, "Peak 9"), peak_at=72 * HOUR)
    second = svg(spec(other, width=width))

    assert 1 == len(compiled)
    assert "Peak 8" in first and "Peak 8" not in second and "Peak 9" in second


def test_who_changes_a_specification_changes_no_other() -> None:
    """It belongs to whoever asked for it."""
    before = json.dumps(spec(CURVE))
    mine = spec(CURVE)
    mine["layer"][0]["mark"]["color"] = "red"
    mine["layer"][0]["encoding"]["y"]["axis"]["grid"] = False
    mine["config"]["axis"]["labelColor"] = "red"
    svg(mine)

    assert before == json.dumps(spec(CURVE))
    assert "red" not in svg(spec(CURVE))


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
