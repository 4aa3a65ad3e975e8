"""The chart of a cycle: how many identities were active at each moment, and what moved the count.

The peak is marked, and so are the tiers near it. Below the curve are three lanes, for arrivals, expiries
and deletions, each with its own marker. In an open cycle the curve continues dashed from now to the end,
as it will if nothing more happens, below the forecast of the peak.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from . import legend
from .figure import Curve, Heading, Lane
from .layers import SMALL, layers
from .style import FONT, LETTER, chart_config, heading_properties, milliseconds
from .thinning import MarkGroup, group_marks, highest, thin_steps, tiers_in_range

#: The height of a lane; the width of a mark, of a mark with a one-digit count, and of each further digit; in pixels.
_LANE, _MARK, _COUNTED, _DIGIT = 20, 11, 24, 6
#: The space above the peak for its label, and above everything else; in pixels.
_ABOVE_PEAK, _ABOVE = 32, 20
#: The height of a line of small text, as a fraction of the height of the chart.
_LINE: Final = 0.06

#: The name of a dataset, and its rows.
Dataset = tuple[str, list[dict[str, Any]]]


def spec(curve: Curve, *, width: int, height: int, font: str = FONT, heading: Heading | None = None) -> dict[str, Any]:
    """The Vega-Lite specification of a cycle's chart, its curve `width` by `height` pixels.

    Needs Altair, the extra `documents`.
    """
    from altair import SCHEMA_URL

    others = highest(curve.peak.at, curve.tiers, curve.fan)
    top = max(curve.peak.at / (1 - _ABOVE_PEAK / height), others / (1 - _ABOVE / height))
    curves, lanes = dict(_curve_data(curve, width, top)), dict(_lane_data(curve, width))
    main = layers(curves, dated=not lanes, levelled=bool(curve.levels))
    panels: list[dict[str, Any]] = [{"layer": main, "width": width, "height": height}]
    data = curves | lanes
    if lanes:
        below = layers(lanes, dated=True, levelled=False)
        panels.append({"layer": below, "width": width, "height": _LANE * len(curve.lanes)})
    if curve.now is not None:
        key, key_data = legend.panel(width, bands=bool(curve.fan))
        panels.append(key)
        data |= key_data
    return {
        "$schema": SCHEMA_URL,
        "config": chart_config(font),
        **heading_properties(heading, width),
        "params": [{"name": name, "value": value} for name, value in _parameters(curve, top).items()],
        **(panels[0] if len(panels) == 1 else {"vconcat": panels}),
        "datasets": data,
    }


def _parameters(curve: Curve, top: float) -> dict[str, Any]:
    """The parameters of the axes."""
    dates = [(milliseconds(mark.at), mark.label) for mark in curve.dates]
    return {
        "start": milliseconds(curve.start),
        "end": milliseconds(curve.end),
        "dates": [at for at, _ in dates],
        "date_words": _tick_labels(dates),
        "top": top,
        "levels": [mark.at for mark in curve.levels],
        "level_words": _tick_labels(curve.levels),
        "lanes": [lane.label for lane in curve.lanes],
    }


def _tick_labels(marks: Sequence[tuple[float, str]]) -> dict[str, str]:
    """The label of each tick of an axis, already formatted for the reader."""
    return {f"{at:.3f}": label for at, label in marks}


def _curve_data(curve: Curve, width: int, top: float) -> Iterator[Dataset]:
    """The datasets of the main panel, from the bottom layer to the top."""
    pixels = width / (curve.end - curve.start)  # per microsecond
    if curve.fan:
        yield "fan", [band._asdict() | {"at": milliseconds(band.at)} for band in curve.fan]
    yield from _steps(curve)
    if curve.now is not None and curve.now.at > curve.start:
        side = _label_side(curve, curve.now.at, 5)
        yield "now", [_point(curve.now.at, 0) | side | {"words": curve.now.label, "baseline": "top", "dy": 1}]
    yield from _tiers(curve, pixels, top)
    yield from _peak(curve, pixels)


def _steps(curve: Curve) -> Iterator[Dataset]:
    """The curve up to now, and from then on as it falls if nothing more happens."""
    shown = [*thin_steps(curve.counts, curve.start, curve.end)]
    now = curve.end if curve.now is None else curve.now.at
    known = [step for step in shown if step[0] < now]
    ahead = [step for step in shown if step[0] >= now]
    if known:
        yield "known", [_point(*step) for step in (*known, (now, known[-1][1]))]
    if curve.now is not None:
        ahead = [*([(now, known[-1][1])] if known else []), *ahead]
        yield "falling", [_point(*step) for step in (*ahead, (curve.end, ahead[-1][1]))]


def _tiers(curve: Curve, pixels: float, top: float) -> Iterator[Dataset]:
    """Where a price ends, labelled where the least is in the way; there are `pixels` per microsecond."""
    for k, tier in enumerate(tiers_in_range(curve.tiers, curve.peak.at)):
        length, high = int(len(tier.label) * SMALL * LETTER / pixels), _LINE * top
        middle = (curve.start + curve.end) // 2
        ends = [(curve.start, "left", 0), (curve.end, "right", length), (middle, "center", length // 2)]
        candidates = [
            (_count_overlaps(curve, at - before, at - before + length, (low, low + high)), at, align, baseline)
            for low, baseline in ((tier.at, "bottom"), (tier.at - high, "top"))
            for at, align, before in ends
        ]
        _, at, align, baseline = min(candidates, key=lambda candidate: candidate[0])  # the first of the best
        text = {"words": tier.label, "align": align, "dx": {"left": 4, "right": -4, "center": 0}[align]}
        text |= {"baseline": baseline, "dy": -2 if baseline == "bottom" else 3}
        yield f"tier-{k}", [_point(at, tier.at) | text]


def _count_overlaps(curve: Curve, start: int, end: int, counts: tuple[float, float]) -> int:
    """How many things would run through a label placed from `start` to `end` at these counts."""
    low, high = counts
    until = [*(at for at, _ in curve.counts[1:]), curve.end]
    overlaps = sum(
        at < end and start < to and low <= count <= high for (at, count), to in zip(curve.counts, until, strict=True)
    )
    overlaps += sum(start <= band.at <= end and band.lower_95 <= high and low <= band.upper_95 for band in curve.fan)
    if curve.now is not None and start <= curve.now.at <= end:
        overlaps += 2
    if curve.peak_at is not None and start <= curve.peak_at <= end:
        overlaps += 1 if high < curve.peak.at else 3  # a dotted line below the peak, its label above it
    return overlaps


def _peak(curve: Curve, pixels: float) -> Iterator[Dataset]:
    if curve.peak_at is None:
        return
    yield "peak", [_point(curve.peak_at, curve.peak.at)]
    at, side = curve.peak_at, _label_side(curve, curve.peak_at, 8)
    high, length = curve.peak.at, len(curve.peak.label) * 13 * LETTER / pixels
    if curve.now is not None and side["align"] == "left" and 0 <= curve.now.at - at < length:
        at = curve.now.at  # where its line, or the fan, would run through the label
        high = max([high, *(math.ceil(band.upper_95) for band in curve.fan if band.at <= at + length)])
    yield "peak_name", [_point(at, high) | side | {"words": curve.peak.label, "baseline": "middle", "dy": -10}]


def _label_side(curve: Curve, at: int, distance: int) -> dict[str, Any]:
    """The side of an instant where its label has room, `distance` pixels from it."""
    late = at - curve.start > (curve.end - curve.start) * 3 // 4
    return {"align": "right", "dx": -distance} if late else {"align": "left", "dx": distance}


def _lane_data(curve: Curve, width: int) -> Iterator[Dataset]:
    """The marks of each lane, with a count on those that stand for several movements."""
    for lane in curve.lanes:
        groups = _group_lane(lane, curve, width)
        values = [{"at": milliseconds(group.at), "lane": lane.label, "times": group.size} for group in groups]
        yield lane.kind, values
        if several := [value for value, group in zip(values, groups, strict=True) if group.size > 1]:
            yield f"counted-{lane.kind}", several


def _group_lane(lane: Lane, curve: Curve, width: int) -> list[MarkGroup]:
    """The marks of a lane, far enough apart for their counts."""
    pixel = (curve.end - curve.start) // width
    room = _COUNTED
    while True:
        groups = group_marks(lane.instants, min_gap=_MARK * pixel, count_gap=room * pixel)
        needed = _COUNTED + _DIGIT * (len(str(max([group.size for group in groups], default=1))) - 1)
        if needed <= room:
            return groups
        room = needed


def _point(at: int, count: int) -> dict[str, Any]:
    return {"at": milliseconds(at), "active": count}
