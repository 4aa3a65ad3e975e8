"""How charts look: inks that stay apart in grey, sizes, and words with a pale edge."""

from __future__ import annotations

import json
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


def words_of(marks: Sequence[tuple[float, str]]) -> str:
    """An expression that gives the words of each place of an axis, already in the reader's language."""
    return f"{json.dumps({f'{at:.3f}': words for at, words in marks})}[format(datum.value, '.3f')]"


def edged(base: Any, *, size: int = 11, **said: Any) -> list[Any]:
    """Words with a pale edge: a curve may run through them."""
    pale = base.mark_text(**said, fontSize=size, stroke="white", strokeWidth=4, strokeOpacity=0.9, strokeJoin="round")
    return [pale, base.mark_text(**said, fontSize=size, color=INK)]


def titled(heading: Heading, width: int) -> Any:
    """The title of a chart: what it is, whose, and in a sentence or two what it shows."""
    import altair as alt

    letters = int(width / (12 * LETTER))
    return alt.TitleParams(
        text=heading.title, subtitle=[heading.account_id, *textwrap.wrap(heading.words, letters)], anchor="start",
        frame="bounds", limit=width, offset=14, fontSize=17, fontWeight="bold", color=INK, subtitleFontSize=12,
        subtitleColor=QUIET, subtitleLineHeight=16, subtitlePadding=5,
    )  # fmt: skip


def finished(chart: Any, *, font: str, heading: Heading | None, width: int) -> dict[str, Any]:
    """The specification of a chart, with what all have in common."""
    if heading is not None:
        chart = chart.properties(title=titled(heading, width), description=f"{heading.title}. {heading.words}")
    made: dict[str, Any] = (
        chart.properties(background="white" if heading else "transparent", padding=14 if heading else 5)
        .configure(font=font, aria=False)  # who draws it says what it shows, in one sentence
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK, labelFontSize=12, domainColor=QUIET, tickColor=QUIET, gridColor=GRID, labelPadding=5
        )
        .configure_concat(spacing=6)
        .to_dict()
    )
    return made
