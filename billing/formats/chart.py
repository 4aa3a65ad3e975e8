"""The chart of a cycle: how many identities were active at each moment, with the peak marked.

Data goes in and a Vega-Lite specification comes out, which notebooks, pages and paper draw alike.
It says nothing by colour alone, and no text in it comes from events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

#: More steps than this are not told apart on a page; of each such slice its extremes are kept.
SLICES: Final = 400
#: How far above the peak, as a part of it, a tier may end and still be shown.
_HEADROOM: Final = 0.35
#: How far apart two tiers are shown at least, as a part of the height.
_APART: Final = 0.1
_INK: Final = "#1c2733"
_QUIET: Final = "#5b6672"
_FILL: Final = "#dde5ee"
_LINE: Final = "#1f4e79"


class Mark(NamedTuple):
    """A place on an axis, in the axis's own unit, with the words beside it."""

    at: int
    words: str


@dataclass(frozen=True, slots=True)
class Curve:
    """What a chart shows: the count over a cycle, `[start, end)` in microseconds.

    `counts` are `(instant, count)` pairs, each count holding until the next. `peak` marks the highest
    of them at `peak_at`; `dates` are the instants that the time axis names, `tiers` the counts at
    which a price ends.
    """

    start: int
    end: int
    counts: tuple[tuple[int, int], ...]
    peak: Mark
    peak_at: int | None
    dates: tuple[Mark, ...] = ()
    tiers: tuple[Mark, ...] = ()


def steps(counts: Sequence[tuple[int, int]], start: int, end: int, slices: int = SLICES) -> Iterator[tuple[int, int]]:
    """The steps that can be told apart in so many slices: of each slice its first, last, lowest and highest.

    So whatever is left out, the peak and its first moment stay.

    >>> list(steps([(0, 1), (1, 5), (2, 3), (3, 9), (4, 0), (5, 2)], 0, 6, slices=1))
    [(0, 1), (3, 9), (4, 0), (5, 2)]
    """
    if len(counts) <= 4 * slices:
        yield from counts
        return
    parts: dict[int, list[tuple[int, int]]] = {}
    for at, count in counts:
        parts.setdefault((at - start) * slices // (end - start), []).append((at, count))
    for part in parts.values():
        highest = max(part, key=lambda step: step[1])  # the first of them
        lowest = min(part, key=lambda step: step[1])
        yield from sorted({part[0], highest, lowest, part[-1]})


def tiers_in_range(tiers: Sequence[Mark], peak: int) -> list[Mark]:
    """Those tiers whose end is near enough to the curve to be shown with it, and far enough apart to be read."""
    near = [tier for tier in tiers if tier.at <= max(peak * (1 + _HEADROOM), peak + 1)]
    apart: list[Mark] = []
    for tier in reversed(near):
        if not apart or apart[-1].at - tier.at >= _APART * max(near[-1].at, peak):
            apart.append(tier)
    return apart[::-1]


def spec(curve: Curve, *, width: int = 680, height: int = 220, font: str = "sans-serif") -> dict[str, Any]:
    """The Vega-Lite specification of a chart, `width` by `height` pixels without its axes.

    Needs Altair: `pip install 'peak-billing[documents]'`.
    """
    import altair as alt

    tiers = tiers_in_range(curve.tiers, curve.peak.at)
    top = max([curve.peak.at, 1, *(tier.at for tier in tiers)])
    time = alt.X(
        "at:Q",
        scale=alt.Scale(domain=[_ms(curve.start), _ms(curve.end)], nice=False, zero=False),
        axis=alt.Axis(
            title=None, values=[_ms(mark.at) for mark in curve.dates], labelExpr=_words(curve.dates), grid=False,
            labelFlush=True, labelOverlap="greedy",
        ),
    )  # fmt: skip
    count = alt.Y(
        "active:Q",
        scale=alt.Scale(domain=[0, top * 1.16], nice=False),
        axis=alt.Axis(title=None, format="d", tickMinStep=1, tickCount=5, grid=True, domain=False, ticks=False),
    )
    shown = [*steps(curve.counts, curve.start, curve.end)]
    shown.append((curve.end, shown[-1][1] if shown else 0))  # the last count holds to the end
    base = alt.Chart(_rows(shown)).encode(x=time, y=count)
    layers: list[Any] = [
        base.mark_area(interpolate="step-after", color=_FILL),
        base.mark_line(interpolate="step-after", color=_LINE, strokeWidth=1.6),
    ]
    for tier in tiers:
        row = alt.Chart(_rows([(curve.start, tier.at)]))
        layers.append(row.mark_rule(color=_QUIET, strokeDash=[4, 3]).encode(y=count))
        said: dict[str, Any] = {"text": tier.words, "align": "left", "baseline": "bottom", "dx": 4, "dy": -2}
        looks: tuple[dict[str, Any], ...] = (
            {"stroke": "white", "strokeWidth": 3, "strokeOpacity": 0.85},
            {"color": _INK},
        )
        for look in looks:  # first as a pale edge: the curve may run through the words
            layers.append(row.mark_text(**said, **look, fontSize=11, font=font).encode(x=time, y=count))
    if curve.peak_at is not None:
        point = alt.Chart(_rows([(curve.peak_at, curve.peak.at)])).encode(x=time, y=count)
        late = curve.peak_at - curve.start > (curve.end - curve.start) * 3 // 4
        layers.append(point.mark_rule(color=_INK, strokeWidth=0.8, strokeDash=[1, 2]).encode(y2=alt.Y2Datum(0)))
        layers.append(point.mark_point(shape="diamond", size=70, filled=True, color=_INK, opacity=1))
        layers.append(
            point.mark_text(
                text=curve.peak.words, align="right" if late else "left", dx=-8 if late else 8, dy=-10, color=_INK,
                fontSize=13, fontWeight="bold", font=font,
            )
        )  # fmt: skip
    chart = alt.layer(*layers).properties(width=width, height=height, background="transparent")
    made: dict[str, Any] = (
        chart.configure(font=font, aria=False)  # who draws it says what it shows, in one sentence
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=_INK, labelFontSize=12, domainColor=_QUIET, tickColor=_QUIET, gridColor="#e3e7eb", labelPadding=5
        )
        .to_dict()
    )
    return made


def svg(made: dict[str, Any]) -> str:
    """A specification drawn, as SVG; the same bytes each time."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(made)
    return drawn


def _rows(points: Sequence[tuple[int, int]]) -> Any:
    import altair as alt

    return alt.InlineData(values=[{"at": _ms(at), "active": count} for at, count in points])


def _ms(instant: int) -> float:
    """Milliseconds, as browsers count time."""
    return instant / 1000


def _words(marks: Sequence[Mark]) -> str:
    """An expression that gives the words of each mark, already written in the reader's language."""
    return f"{json.dumps({f'{_ms(mark.at):.3f}': mark.words for mark in marks})}[format(datum.value, '.3f')]"
