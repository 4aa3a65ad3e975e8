"""Render charts as SVG and PNG: the same bytes every time, and with a description of what they show."""

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

#: The size of a chart that stands alone, without its axes and its title.
_WIDTH, _HEIGHT = 720, 300
#: Pixels of a PNG per pixel of the chart.
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

    With a heading, it stands alone on a white background. Needs Altair, the extra `documents`.
    """
    if isinstance(figure, Curve):
        return cycle.spec(figure, width=width, height=height, font=font, heading=heading)
    return year.spec(figure, width=width, height=height, font=font, heading=heading)


def svg(specification: dict[str, Any]) -> str:
    """Draw a specification as SVG; the same bytes each time.

    Compiling Vega-Lite is half of the work. It is done once for all specifications that differ only in
    their data and parameters, which are filled in afterwards.
    """
    import vl_convert

    data = specification.get("datasets", {})
    values = {parameter["name"]: parameter["value"] for parameter in specification.get("params", ())}
    shared = {**specification, "datasets": {}, "params": [{"name": name} for name in values]}
    vega = json.loads(_compile(json.dumps(shared)))
    for dataset in vega["data"]:
        if dataset["name"] in data:
            dataset["values"] = data[dataset["name"]]
    for signal in vega.get("signals", ()):
        if signal["name"] in values:
            signal["value"] = values[signal["name"]]
    image: str = vl_convert.vega_to_svg(vega)
    return image


@lru_cache(maxsize=64)
def _compile(specification: str) -> str:
    """Compile Vega-Lite to Vega."""
    import vl_convert

    return json.dumps(vl_convert.vegalite_to_vega(specification))


def standalone_svg(specification: dict[str, Any], heading: Heading) -> str:
    """Draw a chart as an SVG file with a title and a description, which a screen reader takes as one image."""
    tag, inside = svg(specification).split(">", 1)
    title, description = escape(f"{heading.title}, {heading.account_id}"), escape(heading.description)
    return (
        f'{tag} role="img" aria-labelledby="title desc"><title id="title">{title}</title>'
        f'<desc id="desc">{description}</desc>{inside}\n'
    )


def standalone_png(specification: dict[str, Any], heading: Heading) -> bytes:
    """Draw a chart as a PNG file, with its title and description as metadata."""
    import vl_convert

    image: bytes = vl_convert.vegalite_to_png(specification, scale=SCALE)
    start = image.index(b"IDAT") - 4
    metadata = (("Title", f"{heading.title}, {heading.account_id}"), ("Description", heading.description))
    return image[:start] + b"".join(_text_chunk(*entry) for entry in metadata) + image[start:]


def _text_chunk(keyword: str, text: str) -> bytes:
    """An iTXt chunk of a PNG: international text, uncompressed, without a language."""
    data = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
