"""How charts look: inks that stay apart in grey, sizes, and words with a pale edge."""

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
#: Bands that hold in 95, 80 and 50 of 100 cases, each darker than the one around it.
BANDS: Final = {95: "#f3e3c3", 80: "#e3c48a", 50: "#c79a4b"}
#: Fonts that most machines have one of, of much the same widths.
FONT: Final = "Helvetica, Arial, Liberation Sans, sans-serif"
#: How wide a letter is on average, as a part of its size; a little more than it is.
LETTER: Final = 0.5


def milliseconds(instant: int) -> float:
    """An instant as browsers count time."""
    return instant / 1000


def rows(values: Sequence[Mapping[str, Any]]) -> Any:
    """Data of a layer, in the specification itself."""
    import altair as alt

    return alt.InlineData(values=[dict(value) for value in values])


def edged(base: Any, *, size: int, **said: Any) -> list[Any]:
    """The words of data with a pale edge: a curve may run through them."""
    base = base.encode(text="words:N")
    pale = base.mark_text(**said, fontSize=size, stroke="white", strokeWidth=4, strokeOpacity=0.9, strokeJoin="round")
    return [pale, base.mark_text(**said, fontSize=size, color=INK)]


def style(font: str) -> dict[str, Any]:
    """What all charts have in common, as the configuration of a specification."""
    return {
        "aria": False,  # who draws it says what it shows, in one sentence
        "axis": {
            "domainColor": QUIET, "gridColor": GRID, "labelColor": INK, "labelFontSize": 12, "labelPadding": 5,
            "tickColor": QUIET,
        },
        "concat": {"spacing": 6},
        "font": font,
        "view": {"stroke": None},
    }  # fmt: skip


def headed(heading: Heading | None, width: int) -> dict[str, Any]:
    """What makes a specification part of a page, or under its heading a picture of its own."""
    if heading is None:
        return {"background": "transparent", "padding": 5}
    words = f"{heading.title}. {heading.words}"
    return {"background": "white", "padding": 14, "title": _titled(heading, width), "description": words}


def _titled(heading: Heading, width: int) -> dict[str, Any]:
    """The title of a chart: what it is, whose, and in a sentence or two what it shows."""
    import altair as alt

    letters = int(width / (12 * LETTER))
    title: dict[str, Any] = alt.TitleParams(
        text=heading.title, subtitle=[heading.account_id, *textwrap.wrap(heading.words, letters)], anchor="start",
        frame="bounds", limit=width, offset=14, fontSize=17, fontWeight="bold", color=INK, subtitleFontSize=12,
        subtitleColor=QUIET, subtitleLineHeight=16, subtitlePadding=5,
    ).to_dict()  # fmt: skip
    return title
