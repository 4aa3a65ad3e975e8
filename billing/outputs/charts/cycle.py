"""The chart of a cycle: how many identities were active at each moment, and what moved the count.

The curve has its peak marked, and the tiers near it. Below it are three lanes, for arrivals,
expiries and deletions, each with a shape of its own. Where the cycle is open, the curve goes on
dashed from now to the end, as it will if nothing more happens, below what the peak may still come to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from . import legend
from .figure import Curve, Heading, Lane, Move
from .style import BANDS, FILL, FONT, INK, LETTER, LINE, QUIET, edged, finished, milliseconds, rows, words_of
from .thinning import Few, gathered, highest, steps, tiers_in_range

#: How each kind of movement looks.
_SHAPES: Final[dict[Move, dict[str, Any]]] = {
    "arrived": {"shape": "triangle-up", "filled": True},
    "asleep": {"shape": "circle", "filled": False, "strokeWidth": 1.4},
    "deleted": {"shape": "cross", "filled": True, "angle": 45},
}
#: How high a lane is, how wide a mark alone, a mark with a count of one digit, and each digit more; in pixels.
_LANE, _MARK, _COUNTED, _DIGIT = 20, 11, 24, 6
#: How much is free above the peak for its name, and above all else; in pixels.
_ABOVE_PEAK, _ABOVE = 32, 20
#: The size of small words, and how high a line of them is, as a part of the height.
_SMALL, _LINE = 11, 0.06


def spec(curve: Curve, *, width: int, height: int, font: str = FONT, heading: Heading | None = None) -> dict[str, Any]:
    """The Vega-Lite specification of a cycle's chart, its curve `width` by `height` pixels.

    Needs Altair, the extra `documents`.
    """
    import altair as alt

    others = highest(curve.peak.at, curve.tiers, curve.fan)
    top = max(curve.peak.at / (1 - _ABOVE_PEAK / height), others / (1 - _ABOVE / height))
    x, y = _time(curve, labels=not curve.lanes), _count(curve, "active", top)
    pixels = width / (curve.end - curve.start)
    layers = [*_fan(curve, x, top), *_steps(curve, x, y), *_now(curve, x), *_tiers(curve, x, y, pixels, top)]
    layers += _peak(curve, x, y, pixels)
    panels: list[Any] = [alt.layer(*layers).properties(width=width, height=height)]
    if curve.lanes:
        panels.append(_lanes(curve, width))
    if curve.now is not None:
        panels.append(legend.panel(width, bands=bool(curve.fan)))
    chart = panels[0] if len(panels) == 1 else alt.vconcat(*panels)
    return finished(chart, font=font, heading=heading, width=width)


def _time(curve: Curve, *, labels: bool) -> Any:
    import altair as alt

    dates = [(milliseconds(mark.at), mark.words) for mark in curve.dates]
    return alt.X(
        "at:Q",
        scale=alt.Scale(domain=[milliseconds(curve.start), milliseconds(curve.end)], nice=False, zero=False),
        axis=alt.Axis(
            title=None, values=[at for at, _ in dates], labelExpr=words_of(dates), grid=False, labelFlush=True,
            labelOverlap="parity", labels=labels, ticks=labels,
        ),
    )  # fmt: skip


def _count(curve: Curve, field: str, top: float) -> Any:
    import altair as alt

    levels = [(mark.at, mark.words) for mark in curve.levels]
    named = {"values": [at for at, _ in levels], "labelExpr": words_of(levels)} if levels else {"tickMinStep": 1}
    return alt.Y(
        f"{field}:Q",
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(title=None, grid=True, domain=False, ticks=False, **named),
    )


def _steps(curve: Curve, x: Any, y: Any) -> Iterator[Any]:
    """The curve up to now; from then on, dashed, what it comes to if nothing more happens."""
    import altair as alt

    shown = [*steps(curve.counts, curve.start, curve.end)]
    now = curve.end if curve.now is None else curve.now.at
    past = [step for step in shown if step[0] < now]
    coming = [step for step in shown if step[0] >= now]
    if past:
        known = alt.Chart(_points([*past, (now, past[-1][1])])).encode(x=x, y=y)
        yield known.mark_area(interpolate="step-after", color=FILL)
        yield known.mark_line(interpolate="step-after", color=LINE, strokeWidth=1.6)
    if curve.now is not None:
        coming = [*([(now, past[-1][1])] if past else []), *coming]
        falling = alt.Chart(_points([*coming, (curve.end, coming[-1][1])])).encode(x=x, y=y)
        yield falling.mark_line(interpolate="step-after", color=LINE, **legend.FALLING)


def _fan(curve: Curve, x: Any, top: float) -> Iterator[Any]:
    """What the peak may come to: bands within bands, and the median."""
    import altair as alt

    if not curve.fan:
        return
    base = alt.Chart(rows([band._asdict() | {"at": milliseconds(band.at)} for band in curve.fan])).encode(x=x)
    for often, colour in BANDS.items():
        area = base.mark_area(color=colour, **legend.EDGE)
        yield area.encode(y=_count(curve, f"lower_{often}", top), y2=f"upper_{often}:Q")
    yield base.mark_line(color=INK, **legend.MEDIAN).encode(y=_count(curve, "median", top))


def _tiers(curve: Curve, x: Any, y: Any, pixels: float, top: float) -> Iterator[Any]:
    """Where a price ends, named where least is in the way; there are `pixels` in a microsecond."""
    import altair as alt

    for tier in tiers_in_range(curve.tiers, curve.peak.at):
        length, high = int(len(tier.words) * _SMALL * LETTER / pixels), _LINE * top
        middle = (curve.start + curve.end) // 2
        ends = [(curve.start, "left", 0), (curve.end, "right", length), (middle, "center", length // 2)]
        places = [
            (_crowd(curve, at - before, at - before + length, (low, low + high)), at, align, baseline)
            for low, baseline in ((tier.at, "bottom"), (tier.at - high, "top"))
            for at, align, before in ends
        ]
        _, at, align, baseline = min(places, key=lambda place: place[0])  # the first of the best
        row = alt.Chart(_points([(at, tier.at)]))
        yield row.mark_rule(color=QUIET, strokeDash=[4, 3]).encode(y=y)
        said = {"text": tier.words, "align": align, "dx": {"left": 4, "right": -4, "center": 0}[align]}
        said |= {"baseline": baseline, "dy": -2 if baseline == "bottom" else 3}
        yield from edged(row.encode(x=x, y=y), **said, size=_SMALL)


def _crowd(curve: Curve, start: int, end: int, counts: tuple[float, float]) -> int:
    """How many things would run through words that stand from `start` to `end` at these counts."""
    low, high = counts
    until = [*(at for at, _ in curve.counts[1:]), curve.end]
    crowd = sum(
        at < end and start < to and low <= count <= high for (at, count), to in zip(curve.counts, until, strict=True)
    )
    crowd += sum(start <= band.at <= end and band.lower_95 <= high and low <= band.upper_95 for band in curve.fan)
    if curve.now is not None and start <= curve.now.at <= end:
        crowd += 2
    if curve.peak_at is not None and start <= curve.peak_at <= end:
        crowd += 1 if high < curve.peak.at else 3  # a dotted line below it, its name above it
    return crowd


def _now(curve: Curve, x: Any) -> Iterator[Any]:
    import altair as alt

    if curve.now is None or curve.now.at <= curve.start:
        return
    base = alt.Chart(_points([(curve.now.at, 0)])).encode(x=x)
    yield base.mark_rule(color=INK, strokeWidth=1.2)
    late = curve.now.at - curve.start > (curve.end - curve.start) * 3 // 4
    said = {"text": curve.now.words, "align": "right" if late else "left", "dx": -5 if late else 5}
    yield from edged(base.encode(y=alt.value(0)), **said, baseline="top", dy=1, size=12)


def _peak(curve: Curve, x: Any, y: Any, pixels: float) -> Iterator[Any]:
    import altair as alt

    if curve.peak_at is None:
        return
    point = alt.Chart(_points([(curve.peak_at, curve.peak.at)])).encode(x=x, y=y)
    yield point.mark_rule(color=INK, strokeWidth=0.8, strokeDash=[1, 2]).encode(y2=alt.Y2Datum(0))
    yield point.mark_point(shape="diamond", size=70, filled=True, color=INK, opacity=1)
    at, late = curve.peak_at, curve.peak_at - curve.start > (curve.end - curve.start) * 3 // 4
    high, length = curve.peak.at, len(curve.peak.words) * 13 * LETTER / pixels
    if curve.now is not None and not late and 0 <= curve.now.at - at < length:
        at = curve.now.at  # its line would run through the words, and there so would the fan
        high = max([high, *(math.ceil(band.upper_95) for band in curve.fan if band.at <= at + length)])
    named = alt.Chart(_points([(at, high)])).encode(x=x, y=y)
    said = {"text": curve.peak.words, "align": "right" if late else "left", "dx": -8 if late else 8, "dy": -10}
    yield from edged(named, **said, size=13, fontWeight="bold")


def _lanes(curve: Curve, width: int) -> Any:
    """A lane for each kind of movement; where marks are too close for that, counted in slices."""
    import altair as alt

    names = [lane.words for lane in curve.lanes]
    y = alt.Y(
        "lane:N",
        scale=alt.Scale(domain=names),
        axis=alt.Axis(title=None, grid=True, domain=False, ticks=False, labelLimit=200, labelPadding=10),
    )
    x = _time(curve, labels=True)
    layers = []
    for lane in curve.lanes:
        few = _few(lane, curve, width)
        values = [{"at": milliseconds(each.at), "lane": lane.words, "times": each.times} for each in few]
        base = alt.Chart(rows(values)).encode(x=x, y=y)
        layers.append(base.mark_point(size=48, color=INK, opacity=1, **_SHAPES[lane.kind]))
        several = [value for value, each in zip(values, few, strict=True) if each.times > 1]
        if several:
            counted = alt.Chart(rows(several)).encode(x=x, y=y, text=alt.Text("times:Q", format="d"))
            layers.append(counted.mark_text(align="left", baseline="middle", dx=6, fontSize=_SMALL, color=INK))
    return alt.layer(*layers).properties(width=width, height=_LANE * len(curve.lanes))


def _few(lane: Lane, curve: Curve, width: int) -> list[Few]:
    """The marks of a lane, far enough apart for their counts."""
    pixel = (curve.end - curve.start) // width
    room = _COUNTED
    while True:
        few = gathered(lane.instants, apart=_MARK * pixel, counted=room * pixel)
        wanted = _COUNTED + _DIGIT * (len(str(max([each.times for each in few], default=1))) - 1)
        if wanted <= room:
            return few
        room = wanted


def _points(of: list[tuple[int, int]]) -> Any:
    return rows([{"at": milliseconds(at), "active": count} for at, count in of])
