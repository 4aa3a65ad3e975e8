"""The legend of the chart of an open cycle: what is known, what comes if nothing more happens, what is forecast."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from .style import BANDS, INK, LETTER, LINE, rows

#: The style of lines and edges, in the chart and in its legend.
FALLING: Final[dict[str, Any]] = {"strokeWidth": 1.6, "strokeDash": [5, 3]}
MEDIAN: Final[dict[str, Any]] = {"strokeWidth": 1.6}
EDGE: Final[dict[str, Any]] = {"stroke": INK, "strokeWidth": 0.5, "strokeOpacity": 0.6}
#: The size of the text, the width of a sample, the gap between items and the height of a row; in pixels.
_SIZE, _SAMPLE, _GAP, _ROW = 11, 22, 6, 18


def panel(width: int, *, bands: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """A sample of each kind of line and band with its name, in as many rows as needed; and the data for it."""
    made = json.loads(_panel(width, bands))
    return {part: made[part] for part in ("layer", "width", "height")}, made["datasets"]


@cache
def _panel(width: int, bands: bool) -> str:
    import altair as alt

    items: list[tuple[str, str]] = [("falling", "if nothing more happens")]
    if bands:
        items += [("median", "forecast of the peak, median"), *((f"{often}", f"{often} %") for often in BANDS)]
    placed: list[dict[str, Any]] = []
    left, row = 0.0, 0
    for kind, words in items:
        length = _SAMPLE + _GAP + len(words) * _SIZE * LETTER
        if left and left + length > width:
            left, row = 0.0, row + 1
        placed.append(
            {"kind": kind, "words": words, "left": left, "right": left + _SAMPLE, "row": row * _ROW + _ROW / 2}
        )
        left += length + 2 * _GAP
    height = (row + 1) * _ROW
    x = alt.X("left:Q", scale=alt.Scale(domain=[0, width], nice=False), axis=None)
    y = alt.Y("row:Q", scale=alt.Scale(domain=[height, 0], nice=False, zero=False), axis=None)
    styles: dict[str, dict[str, Any]] = {"falling": {"color": LINE, **FALLING}, "median": {"color": INK, **MEDIAN}}
    layers: list[Any] = []
    for item in placed:
        base = alt.Chart(rows([item])).encode(x=x, y=y)
        if item["kind"] in styles:
            layers.append(base.mark_rule(**styles[item["kind"]]).encode(x2="right:Q"))
        else:
            layers.append(base.mark_bar(color=BANDS[int(item["kind"])], size=11, **EDGE).encode(x2="right:Q"))
    labels = alt.Chart(rows(placed)).encode(
        x=alt.X("right:Q", scale=alt.Scale(domain=[0, width], nice=False), axis=None), y=y, text="words:N"
    )
    layers.append(labels.mark_text(align="left", baseline="middle", dx=_GAP, fontSize=_SIZE, color=INK))
    made: str = alt.layer(*layers).properties(width=width, height=height).to_json(indent=None)
    return made
