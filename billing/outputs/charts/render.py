"""Charts drawn: as SVG and as PNG, each the same bytes every time, and each with words for what it shows."""

from __future__ import annotations

import json
import struct
import zlib
from functools import lru_cache
from html import escape
from typing import Any, Final

from . import cycle, year
from .figure import Curve, Figure, Heading
from .style import FONT

#: How wide and high a chart of its own is drawn, without its axes and its title.
_WIDTH, _HEIGHT = 720, 300
#: How many pixels of a PNG there are for each of the chart.
SCALE: Final = 2


def spec(
    figure: Figure,
    *,
    width: int = _WIDTH,
    height: int = _HEIGHT,
    font: str = FONT,
    heading: Heading | None = None,
) -> dict[str, Any]:
    """The Vega-Lite specification of a chart, `width` by `height` pixels without its axes.

    With a heading it stands alone, on white. Needs Altair, the extra `documents`.
    """
    if isinstance(figure, Curve):
        return cycle.spec(figure, width=width, height=height, font=font, heading=heading)
    return year.spec(figure, width=width, height=height, font=font, heading=heading)


def svg(made: dict[str, Any]) -> str:
    """A specification drawn, as SVG; the same bytes each time.

    Half of the work is to compile Vega-Lite. That is done once for all that differ in their data and
    parameters only, which are filled in afterwards.
    """
    import vl_convert

    data = made.get("datasets", {})
    values = {parameter["name"]: parameter["value"] for parameter in made.get("params", ())}
    vega = json.loads(_compiled(json.dumps({**made, "datasets": {}, "params": [{"name": name} for name in values]})))
    for each in vega["data"]:
        if each["name"] in data:
            each["values"] = data[each["name"]]
    for each in vega.get("signals", ()):
        if each["name"] in values:
            each["value"] = values[each["name"]]
    drawn: str = vl_convert.vega_to_svg(vega)
    return drawn


@lru_cache(maxsize=64)
def _compiled(made: str) -> str:
    """A specification as Vega, which is what is drawn."""
    import vl_convert

    return json.dumps(vl_convert.vegalite_to_vega(made))


def svg_alone(made: dict[str, Any], heading: Heading) -> str:
    """The same as a file of its own: a picture with a title and a description, read aloud as one."""
    tag, inside = svg(made).split(">", 1)
    title, words = escape(f"{heading.title}, {heading.account_id}"), escape(heading.words)
    return (
        f'{tag} role="img" aria-labelledby="title desc"><title id="title">{title}</title>'
        f'<desc id="desc">{words}</desc>{inside}\n'
    )


def png_alone(made: dict[str, Any], heading: Heading) -> bytes:
    """A specification drawn as PNG, with its title and a description in it, for programs that read those."""
    import vl_convert

    drawn: bytes = vl_convert.vegalite_to_png(made, scale=SCALE)
    begun = drawn.index(b"IDAT") - 4
    said = (("Title", f"{heading.title}, {heading.account_id}"), ("Description", heading.words))
    return drawn[:begun] + b"".join(_text(*each) for each in said) + drawn[begun:]


def _text(keyword: str, text: str) -> bytes:
    """International text as a chunk of a PNG (iTXt), not compressed, of no stated language."""
    data = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
