"""Sheets as one page of HTML that needs nothing else: read, printed, or read aloud.

Every text is escaped by the template. The only markup that it takes as it is are charts, in which no
text comes from events.
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

#: How wide and high a chart is drawn: for paper and screens, and for phones.
_SIZES: Final = {"wide": (680, 220), "narrow": (300, 220)}
_DRAWN: Final = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>(.*)</svg>', re.DOTALL)
#: A chart is one picture with one description; its parts are not read aloud one by one.
_ROLES: Final = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart as the template needs it: for which kind of screen, its view box, and what is inside."""

    screen: str
    box: str
    inside: Markup


def page(sheets: Sequence[Sheet], *, title: str, letter: bool = False) -> str:
    """All sheets in one file, each beginning a new page in print.

    Needs Jinja2 and Altair, the extra `documents`.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    own = files(__package__)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals["pictures"] = lambda figure: list(_pictures(figure))
    template = environment.from_string(own.joinpath("page.html.jinja").read_text(encoding="utf-8"))
    style = Markup(own.joinpath("page.css").read_text(encoding="utf-8"))
    return template.render(sheets=sheets, title=title, style=style, paper="letter" if letter else "A4")


def _pictures(figure: Figure) -> Iterator[Picture]:
    from markupsafe import Markup

    for screen, (width, height) in _SIZES.items():
        drawn = _DRAWN.fullmatch(svg(spec(figure, width=width, height=height)))
        assert drawn is not None, "a drawing is one svg with a view box"
        yield Picture(screen, drawn[1], Markup(_ROLES.sub("", drawn[2])))
