"""The chart of a cycle: how many identities were active at each moment, and what moved the count.

The curve has its peak marked, and the tiers near it. Below it are three lanes, for arrivals,
expiries and deletions, each with a shape of its own. Where the cycle is open, the curve goes on
dashed from now to the end, as it will if nothing more happens, below what the peak may still come to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from . import legend
from .figure import Curve, Heading, Lane
from .layers import SMALL, layers
from .style import FONT, LETTER, headed, milliseconds, style
from .thinning import Few, gathered, highest, steps, tiers_in_range

#: How high a lane is, how wide a mark alone, a mark with a count of one digit, and each digit more; in pixels.
_LANE, _MARK, _COUNTED, _DIGIT = 20, 11, 24, 6
#: How much is free above the peak for its name, and above all else; in pixels.
_ABOVE_PEAK, _ABOVE = 32, 20
#: How high a line of small words is, as a part of the height.
_LINE: Final = 0.06

#: A name of data, and its rows.
Data = tuple[str, list[dict[str, Any]]]


def spec(curve: Curve, *, width: int, height: int, font: str = FONT, heading: Heading | None = None) -> dict[str, Any]:
    """The Vega-Lite specification of a cycle's chart, its curve `width` by `height` pixels.

    Needs Altair, the extra `documents`.
    """
    from altair import SCHEMA_URL

    others = highest(curve.peak.at, curve.tiers, curve.fan)
    top = max(curve.peak.at / (1 - _ABOVE_PEAK / height), others / (1 - _ABOVE / height))
    curves, lanes = dict(_curves(curve, width, top)), dict(_lanes(curve, width))
    drawn = layers(curves, dated=not lanes, levelled=bool(curve.levels))
    panels: list[dict[str, Any]] = [{"layer": drawn, "width": width, "height": height}]
    data = curves | lanes
    if lanes:
        drawn = layers(lanes, dated=True, levelled=False)
        panels.append({"layer": drawn, "width": width, "height": _LANE * len(curve.lanes)})
    if curve.now is not None:
        named, words = legend.panel(width, bands=bool(curve.fan))
        panels.append(named)
        data |= words
    return {
        "$schema": SCHEMA_URL,
        "config": style(font),
        **headed(heading, width),
        "params": [{"name": name, "value": value} for name, value in _values(curve, top).items()],
        **(panels[0] if len(panels) == 1 else {"vconcat": panels}),
        "datasets": data,
    }


def _values(curve: Curve, top: float) -> dict[str, Any]:
    """What the axes go by."""
    dates = [(milliseconds(mark.at), mark.words) for mark in curve.dates]
    return {
        "start": milliseconds(curve.start),
        "end": milliseconds(curve.end),
        "dates": [at for at, _ in dates],
        "date_words": _words_at(dates),
        "top": top,
        "levels": [mark.at for mark in curve.levels],
        "level_words": _words_at(curve.levels),
        "lanes": [lane.words for lane in curve.lanes],
    }


def _words_at(marks: Sequence[tuple[float, str]]) -> dict[str, str]:
    """The words of each place of an axis, already in the reader's language."""
    return {f"{at:.3f}": words for at, words in marks}


def _curves(curve: Curve, width: int, top: float) -> Iterator[Data]:
    """What is drawn of counts, from what lies lowest to what lies on top."""
    pixels = width / (curve.end - curve.start)  # in a microsecond
    if curve.fan:
        yield "fan", [band._asdict() | {"at": milliseconds(band.at)} for band in curve.fan]
    yield from _steps(curve)
    if curve.now is not None and curve.now.at > curve.start:
        side = _beside(curve, curve.now.at, 5)
        yield "now", [_point(curve.now.at, 0) | side | {"words": curve.now.words, "baseline": "top", "dy": 1}]
    yield from _tiers(curve, pixels, top)
    yield from _peak(curve, pixels)


def _steps(curve: Curve) -> Iterator[Data]:
    """The curve up to now; from then on, what it comes to if nothing more happens."""
    shown = [*steps(curve.counts, curve.start, curve.end)]
    now = curve.end if curve.now is None else curve.now.at
    past = [step for step in shown if step[0] < now]
    coming = [step for step in shown if step[0] >= now]
    if past:
        yield "known", [_point(*step) for step in (*past, (now, past[-1][1]))]
    if curve.now is not None:
        coming = [*([(now, past[-1][1])] if past else []), *coming]
        yield "falling", [_point(*step) for step in (*coming, (curve.end, coming[-1][1]))]


def _tiers(curve: Curve, pixels: float, top: float) -> Iterator[Data]:
    """Where a price ends, named where least is in the way; there are `pixels` in a microsecond."""
    for k, tier in enumerate(tiers_in_range(curve.tiers, curve.peak.at)):
        length, high = int(len(tier.words) * SMALL * LETTER / pixels), _LINE * top
        middle = (curve.start + curve.end) // 2
        ends = [(curve.start, "left", 0), (curve.end, "right", length), (middle, "center", length // 2)]
        places = [
            (_crowd(curve, at - before, at - before + length, (low, low + high)), at, align, baseline)
            for low, baseline in ((tier.at, "bottom"), (tier.at - high, "top"))
            for at, align, before in ends
        ]
        _, at, align, baseline = min(places, key=lambda place: place[0])  # the first of the best
        said = {"words": tier.words, "align": align, "dx": {"left": 4, "right": -4, "center": 0}[align]}
        said |= {"baseline": baseline, "dy": -2 if baseline == "bottom" else 3}
        yield f"tier-{k}", [_point(at, tier.at) | said]


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


def _peak(curve: Curve, pixels: float) -> Iterator[Data]:
    if curve.peak_at is None:
        return
    yield "peak", [_point(curve.peak_at, curve.peak.at)]
    at, side = curve.peak_at, _beside(curve, curve.peak_at, 8)
    high, length = curve.peak.at, len(curve.peak.words) * 13 * LETTER / pixels
    if curve.now is not None and side["align"] == "left" and 0 <= curve.now.at - at < length:
        at = curve.now.at  # its line would run through the words, and there so would the fan
        high = max([high, *(math.ceil(band.upper_95) for band in curve.fan if band.at <= at + length)])
    yield "peak_name", [_point(at, high) | side | {"words": curve.peak.words, "baseline": "middle", "dy": -10}]


def _beside(curve: Curve, at: int, distance: int) -> dict[str, Any]:
    """On which side of an instant its words have room, so many pixels from it."""
    late = at - curve.start > (curve.end - curve.start) * 3 // 4
    return {"align": "right", "dx": -distance} if late else {"align": "left", "dx": distance}


def _lanes(curve: Curve, width: int) -> Iterator[Data]:
    """A lane for each kind of movement; where marks are too close for that, counted in slices."""
    for lane in curve.lanes:
        few = _few(lane, curve, width)
        values = [{"at": milliseconds(each.at), "lane": lane.words, "times": each.times} for each in few]
        yield lane.kind, values
        if several := [value for value, each in zip(values, few, strict=True) if each.times > 1]:
            yield f"counted-{lane.kind}", several


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


def _point(at: int, count: int) -> dict[str, Any]:
    return {"at": milliseconds(at), "active": count}
