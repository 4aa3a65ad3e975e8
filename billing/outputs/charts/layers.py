"""The layers of a cycle's chart. They draw named data, along axes whose values are parameters.

Altair builds and validates the layers of each kind of data once. `cycle` fills in what differs from
one chart to the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from . import legend
from .style import BANDS, FILL, INK, LINE, QUIET, outline_text

#: The marker of each kind of movement.
_SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "arrived": {"shape": "triangle-up", "filled": True},
    "asleep": {"shape": "circle", "filled": False, "strokeWidth": 1.4},
    "deleted": {"shape": "cross", "filled": True, "angle": 45},
}
#: The size of small text.
SMALL: Final = 11
#: Where labels have a limit, Vega measures each of them again at every step; dates and counts are short.
_NO_LIMIT: Final = 0


def layers(names: Iterable[str], *, dated: bool, levelled: bool) -> list[dict[str, Any]]:
    """The layers that draw data of these names, from bottom to top.

    A name begins with the kind of data; what follows a hyphen only keeps names of one kind distinct. With `dated`
    the time axis has labels; with `levelled` the count axis has the ticks of the parameter `levels`, else Vega's own.
    Needs Altair, the extra `documents`.
    """
    return [
        layer | {"data": {"name": name}}
        for name in names
        for layer in json.loads(_layers(name.partition("-")[0], dated, levelled))
    ]


@cache
def _layers(kind: str, dated: bool, levelled: bool) -> str:
    """The layers as JSON, so that no caller can change those of another."""
    made = [layer.to_dict() for layer in _draw(kind, dated=dated, levelled=levelled)]
    return json.dumps([{"mark": layer["mark"], "encoding": layer["encoding"]} for layer in made])


def _draw(kind: str, *, dated: bool, levelled: bool) -> Iterator[Any]:
    import altair as alt

    def count(field: str) -> Any:
        return _count(field, levelled=levelled)

    empty = alt.Chart(alt.NamedData(kind))
    base = empty.encode(x=_time(dated=dated))
    at = base.encode(y=count("active"))
    placed = {place: alt.ExprRef(f"datum.{place}") for place in ("align", "baseline", "dx", "dy")}
    match kind:
        case "fan":
            for often, colour in BANDS.items():
                area = base.mark_area(color=colour, **legend.EDGE)
                yield area.encode(y=count(f"lower_{often}"), y2=f"upper_{often}:Q")
            yield base.mark_line(color=INK, **legend.MEDIAN).encode(y=count("median"))
        case "known":
            yield at.mark_area(interpolate="step-after", color=FILL)
            yield at.mark_line(interpolate="step-after", color=LINE, strokeWidth=1.6)
        case "falling":
            yield at.mark_line(interpolate="step-after", color=LINE, **legend.FALLING)
        case "now":
            yield base.mark_rule(color=INK, strokeWidth=1.2)
            yield from outline_text(base.encode(y=alt.value(0)), **placed, size=12)
        case "tier":
            yield empty.mark_rule(color=QUIET, strokeDash=[4, 3]).encode(y=count("active"))
            yield from outline_text(at, **placed, size=SMALL)
        case "peak":
            yield at.mark_rule(color=INK, strokeWidth=0.8, strokeDash=[1, 2]).encode(y2=alt.Y2Datum(0))
            yield at.mark_point(shape="diamond", size=70, filled=True, color=INK, opacity=1)
        case "peak_name":
            yield from outline_text(at, **placed, size=13, fontWeight="bold")
        case "counted":
            text = base.encode(y=_lane(), text=alt.Text("times:Q", format="d"))
            yield text.mark_text(align="left", baseline="middle", dx=6, fontSize=SMALL, color=INK)
        case _:
            yield base.encode(y=_lane()).mark_point(size=48, color=INK, opacity=1, **_SHAPES[kind])


def _time(*, dated: bool) -> Any:
    import altair as alt

    return alt.X(
        "at:Q",
        scale=alt.Scale(domain=[alt.ExprRef("start"), alt.ExprRef("end")], nice=False, zero=False),
        axis=alt.Axis(
            title=None, values=alt.ExprRef("dates"), labelExpr="date_words[format(datum.value, '.3f')]", grid=False,
            labelFlush=True, labelOverlap="parity", labelLimit=_NO_LIMIT, labels=dated, ticks=dated,
        ),
    )  # fmt: skip


def _count(field: str, *, levelled: bool) -> Any:
    import altair as alt

    named = {"values": alt.ExprRef("levels"), "labelExpr": "level_words[format(datum.value, '.3f')]"}
    return alt.Y(
        f"{field}:Q",
        scale=alt.Scale(domain=[0, alt.ExprRef("top")], nice=False),
        axis=alt.Axis(
            title=None, grid=True, domain=False, ticks=False, labelLimit=_NO_LIMIT,
            **(named if levelled else {"tickMinStep": 1}),
        ),
    )  # fmt: skip


def _lane() -> Any:
    import altair as alt

    return alt.Y(
        "lane:N",
        scale=alt.Scale(domain=[alt.ExprRef(f"lanes[{k}]") for k in range(len(_SHAPES))]),
        axis=alt.Axis(title=None, grid=True, domain=False, ticks=False, labelLimit=200, labelPadding=10),
    )
