"""The look of charts: colours that stay distinct in greyscale, sizes, and outlined text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .figure import Heading

INK: Final = "#1c2733"
QUIET: Final = "#5b6672"
FILL: Final = "#dde5ee"
LINE: Final = "#1f4e79"
GRID: Final = "#e3e7eb"
#: Colours of the 95, 80 and 50 % intervals, each darker than the one around it.
BANDS: Final = {95: "#f3e3c3", 80: "#e3c48a", 50: "#c79a4b"}
#: Fonts of similar widths; most machines have one of them.
FONT: Final = "Helvetica, Arial, Liberation Sans, sans-serif"
#: Average width of a letter as a fraction of the font size, rounded up.
LETTER: Final = 0.5


def milliseconds(instant: int) -> float:
    """An instant in milliseconds, the unit of browsers."""
    return instant / 1000


def rows(values: Sequence[Mapping[str, Any]]) -> Any:
    """The data of a layer, inline in the specification."""
    import altair as alt

    return alt.InlineData(values=[dict(value) for value in values])


def outline_text(base: Any, *, size: int, **mark: Any) -> list[Any]:
    """Text of the field `words` with a pale outline, legible where a curve runs through it."""
    base = base.encode(text="words:N")
    pale = base.mark_text(**mark, fontSize=size, stroke="white", strokeWidth=4, strokeOpacity=0.9, strokeJoin="round")
    return [pale, base.mark_text(**mark, fontSize=size, color=INK)]


def chart_config(font: str) -> dict[str, Any]:
    """The Vega-Lite configuration that all charts share."""
    return {
        "aria": False,  # whoever embeds the chart describes it as a whole
        "axis": {
            "domainColor": QUIET, "gridColor": GRID, "labelColor": INK, "labelFontSize": 12, "labelPadding": 5,
            "tickColor": QUIET,
        },
        "concat": {"spacing": 6},
        "font": font,
        "view": {"stroke": None},
    }  # fmt: skip


def heading_properties(heading: Heading | None, width: int) -> dict[str, Any]:
    """The properties of a chart within a page, or with a heading, of one that stands alone."""
    if heading is None:
        return {"background": "transparent", "padding": 5}
    description = f"{heading.title}. {heading.description}"
    return {"background": "white", "padding": 14, "title": _title(heading, width), "description": description}


def _title(heading: Heading, width: int) -> dict[str, Any]:
    """The title of a chart, with its account and description below."""
    import altair as alt

    line_length = int(width / (12 * LETTER))
    title: dict[str, Any] = alt.TitleParams(
        text=heading.title, anchor="start",
        subtitle=[heading.account_id, *textwrap.wrap(heading.description, line_length)],
        frame="bounds", limit=width, offset=14, fontSize=17, fontWeight="bold", color=INK, subtitleFontSize=12,
        subtitleColor=QUIET, subtitleLineHeight=16, subtitlePadding=5,
    ).to_dict()  # fmt: skip
    return title
