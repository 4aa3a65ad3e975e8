"""Sheets as one self-contained HTML page, for screens, paper and screen readers.

The template escapes all text. The only markup that it inserts as is are charts, and no text in those
comes from events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from ..charts.figure import Figure
from ..charts.render import spec, svg
from .sheet import Sheet

if TYPE_CHECKING:
    from markupsafe import Markup

#: The size of a chart: for paper and screens, and for phones.
_SIZES: Final = {"wide": (680, 220), "narrow": (300, 220)}
_SVG: Final = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>(.*)</svg>', re.DOTALL)
#: To a screen reader a chart is one image with one description, so its parts have no roles of their own.
_ROLES: Final = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart for the template: the kind of screen, the view box, and the markup within the `svg` element."""

    screen: str
    box: str
    inside: Markup


def page(sheets: Sequence[Sheet], *, title: str, letter: bool = False) -> str:
    """All sheets as one HTML document; in print, each starts a new page.

    Needs Jinja2 and Altair, the extra `documents`.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    resources = files(__package__)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals["pictures"] = lambda figure: list(_pictures(figure))
    template = environment.from_string(resources.joinpath("page.html.jinja").read_text(encoding="utf-8"))
    style = Markup(resources.joinpath("page.css").read_text(encoding="utf-8"))
    return template.render(sheets=sheets, title=title, style=style, paper="letter" if letter else "A4")


def _pictures(figure: Figure) -> Iterator[Picture]:
    from markupsafe import Markup

    for screen, (width, height) in _SIZES.items():
        match = _SVG.fullmatch(svg(spec(figure, width=width, height=height)))
        assert match is not None, "a chart is one svg element with a view box"
        yield Picture(screen, match[1], Markup(_ROLES.sub("", match[2])))
