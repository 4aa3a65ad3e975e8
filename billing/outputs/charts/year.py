"""The chart of a year: the peak of each cycle as a bar, and below it, on the same axis, its amount.

There is a panel of amounts for each currency. An open cycle is drawn in outline and labelled as open.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from .figure import Bar, Heading, Year
from .style import FONT, INK, LINE, QUIET, chart_config, heading_properties, rows

#: The width of a digit and of a month, and the narrowest slot for rotated figures; in pixels.
_DIGIT, _MONTH, _ROTATED = 6.6, 34, 14
#: The greatest width of a bar in pixels, and the fraction of its slot that it takes.
_BAR_MAX, _BAR_FRACTION = 64, 0.7
#: The height of a panel of amounts, as a fraction of that of peaks.
_AMOUNTS: Final = 0.55


class _Value(NamedTuple):
    """One bar as data: its position, its height and its label. The fields are those of the specification."""

    place: int
    height: float
    words: str
    is_open: bool


def spec(year: Year, *, width: int, height: int, font: str = FONT, heading: Heading | None = None) -> dict[str, Any]:
    """The Vega-Lite specification of a year's chart, its peaks `width` by `height` pixels.

    Needs Altair, the extra `documents`.
    """
    import altair as alt

    panels = [("Peak", height, [_Value(k, bar.peak, bar.label, bar.is_open) for k, bar in enumerate(year.bars)])]
    for currency in sorted({bar.amount.currency for bar in year.bars if bar.amount is not None}):
        amounts = [
            _Value(k, float(bar.amount.exact), bar.amount.label, bar.is_open)
            for k, bar in enumerate(year.bars)
            if bar.amount is not None and bar.amount.currency == currency
        ]
        panels.append((f"Amount, {currency}", int(height * _AMOUNTS), amounts))
    charts = [
        _panel(values, title, year.bars, width=width, height=panel_height, labels=k == len(panels) - 1)
        for k, (title, panel_height, values) in enumerate(panels)
    ]
    chart: Any = charts[0] if len(charts) == 1 else alt.vconcat(*charts)
    made: dict[str, Any] = (
        chart.properties(**heading_properties(heading, width)).configure(**chart_config(font)).to_dict()
    )
    return made


def _panel(values: Sequence[_Value], title: str, bars: Sequence[Bar], *, width: int, height: int, labels: bool) -> Any:
    """Bars with their figures: rotated where they would overlap; where even that is too close, only the highest."""
    import altair as alt

    slot = width / max(len(bars), 1)
    widest = max([_DIGIT * len(value.words) for value in values], default=0)
    rotated = _ROTATED <= slot < widest + 4
    above = (widest if rotated else 14) + 6
    highest = max([value.height for value in values if value.height] or [1])
    x = alt.X(
        "place:O",
        scale=alt.Scale(domain=[*range(len(bars))]),
        axis=alt.Axis(
            title=None, labelAngle=0, labelExpr=_label_expression(bars, slot), labels=labels, ticks=False, grid=False
        ),
    )
    y = alt.Y(
        "height:Q",
        scale=alt.Scale(domain=[0, highest / (1 - above / height)], nice=False),
        axis=None,  # the bars have figures instead
    )
    layers: list[Any] = []
    styles: tuple[tuple[bool, dict[str, Any]], ...] = (
        (False, {"color": LINE}),
        (True, {"color": "white", "stroke": LINE, "strokeWidth": 1.6, "strokeDash": [5, 3]}),
    )
    for is_open, bar_style in styles:
        if matching := [value for value in values if value.is_open == is_open]:
            base = alt.Chart(rows([value._asdict() for value in matching]))
            layers.append(base.mark_bar(width=min(slot * _BAR_FRACTION, _BAR_MAX), **bar_style).encode(x=x, y=y))
    labelled = values if slot >= min(_ROTATED, widest) else [max(values, key=lambda value: value.height)]
    text_style: dict[str, Any] = {"align": "center", "baseline": "bottom", "dy": -4}
    if rotated:
        text_style = {"align": "left", "baseline": "middle", "angle": 270, "dx": 5}
    base = alt.Chart(rows([value._asdict() for value in labelled]))
    layers.append(base.mark_text(**text_style, fontSize=12, color=INK).encode(x=x, y=y, text="words:N"))
    panel_title = alt.TitleParams(
        text=title, anchor="start", frame="group", fontSize=12, fontWeight="normal", color=QUIET, offset=2
    )
    return alt.layer(*layers).properties(width=width, height=height, title=panel_title)


def _label_expression(bars: Sequence[Bar], slot: float) -> str:
    """A Vega expression that labels as many bars as fit, with the year wherever it changes."""
    labels: dict[int, list[str]] = {}
    year = ""
    every = max(1, -(-_MONTH // max(int(slot), 1)))
    first_open = next((k for k, bar in enumerate(bars) if bar.is_open), len(bars) + every)
    for k, bar in enumerate(bars):
        if k == first_open or (k % every == 0 and abs(k - first_open) >= every):
            labels[k] = [bar.month, *([bar.year] if bar.year != year else []), *(["open"] if k == first_open else [])]
            year = bar.year
    return f"{json.dumps(labels, ensure_ascii=False)}[datum.value] || ''"
