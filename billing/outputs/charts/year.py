"""The chart of a year: the peak of each cycle as a bar, and below, on the same time, what it came to.

Amounts have a panel of their own, one for each currency. A cycle that is open is an outline, and
said to be open.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from .figure import Bar, Heading, Year
from .style import FONT, INK, LINE, QUIET, headed, rows, style

#: How wide a digit is, how wide a month, how narrow a slot may be for figures turned on their side; in pixels.
_DIGIT, _MONTH, _TURNED = 6.6, 34, 14
#: How wide a bar is at most, and how much of its slot it takes.
_WIDEST, _PART = 64, 0.7
#: How high the panel of amounts is, as a part of that of peaks.
_AMOUNTS: Final = 0.55


class _Value(NamedTuple):
    """What a bar stands for: its place among the bars, how high it is, and what is written on it."""

    place: int
    height: float
    words: str
    is_open: bool


def spec(year: Year, *, width: int, height: int, font: str = FONT, heading: Heading | None = None) -> dict[str, Any]:
    """The Vega-Lite specification of a year's chart, its peaks `width` by `height` pixels.

    Needs Altair, the extra `documents`.
    """
    import altair as alt

    panels = [("Peak", height, [_Value(k, bar.peak, bar.words, bar.is_open) for k, bar in enumerate(year.bars)])]
    for currency in sorted({bar.amount.currency for bar in year.bars if bar.amount is not None}):
        amounts = [
            _Value(k, float(bar.amount.exact), bar.amount.words, bar.is_open)
            for k, bar in enumerate(year.bars)
            if bar.amount is not None and bar.amount.currency == currency
        ]
        panels.append((f"Amount, {currency}", int(height * _AMOUNTS), amounts))
    drawn = [
        _panel(values, title, year.bars, width=width, height=high, labels=k == len(panels) - 1)
        for k, (title, high, values) in enumerate(panels)
    ]
    chart: Any = drawn[0] if len(drawn) == 1 else alt.vconcat(*drawn)
    made: dict[str, Any] = chart.properties(**headed(heading, width)).configure(**style(font)).to_dict()
    return made


def _panel(values: Sequence[_Value], title: str, bars: Sequence[Bar], *, width: int, height: int, labels: bool) -> Any:
    """Bars with their figures on them; turned where they are too close, and where that is too close, the highest."""
    import altair as alt

    slot = width / max(len(bars), 1)
    widest = max([_DIGIT * len(value.words) for value in values], default=0)
    turned = _TURNED <= slot < widest + 4
    above = (widest if turned else 14) + 6
    highest = max([value.height for value in values if value.height] or [1])
    x = alt.X(
        "place:O",
        scale=alt.Scale(domain=[*range(len(bars))]),
        axis=alt.Axis(title=None, labelAngle=0, labelExpr=_names(bars, slot), labels=labels, ticks=False, grid=False),
    )
    y = alt.Y(
        "height:Q",
        scale=alt.Scale(domain=[0, highest / (1 - above / height)], nice=False),
        axis=None,  # every bar has its figure
    )
    layers: list[Any] = []
    looks: tuple[tuple[bool, dict[str, Any]], ...] = (
        (False, {"color": LINE}),
        (True, {"color": "white", "stroke": LINE, "strokeWidth": 1.6, "strokeDash": [5, 3]}),
    )
    for is_open, look in looks:
        if some := [value for value in values if value.is_open == is_open]:
            base = alt.Chart(rows([value._asdict() for value in some]))
            layers.append(base.mark_bar(width=min(slot * _PART, _WIDEST), **look).encode(x=x, y=y))
    shown = values if slot >= min(_TURNED, widest) else [max(values, key=lambda value: value.height)]
    said: dict[str, Any] = {"align": "center", "baseline": "bottom", "dy": -4}
    if turned:
        said = {"align": "left", "baseline": "middle", "angle": 270, "dx": 5}
    base = alt.Chart(rows([value._asdict() for value in shown]))
    layers.append(base.mark_text(**said, fontSize=12, color=INK).encode(x=x, y=y, text="words:N"))
    name = alt.TitleParams(
        text=title, anchor="start", frame="group", fontSize=12, fontWeight="normal", color=QUIET, offset=2
    )
    return alt.layer(*layers).properties(width=width, height=height, title=name)


def _names(bars: Sequence[Bar], slot: float) -> str:
    """An expression that names the bars, as many as have room, each with its year where that is news."""
    shown: dict[int, list[str]] = {}
    year = ""
    every = max(1, -(-_MONTH // max(int(slot), 1)))
    is_open = next((k for k, bar in enumerate(bars) if bar.is_open), len(bars) + every)  # the first of them
    for k, bar in enumerate(bars):
        if k == is_open or (k % every == 0 and abs(k - is_open) >= every):
            shown[k] = [bar.month, *([bar.year] if bar.year != year else []), *(["open"] if k == is_open else [])]
            year = bar.year
    return f"{json.dumps(shown, ensure_ascii=False)}[datum.value] || ''"
