"""Sheets as a PDF: tagged for screen readers (PDF/UA-1), and the same bytes each time.

The content of a sheet goes into Typst as data and never as source, so nothing in it can act as markup.
Fonts are those embedded in Typst. Characters that they lack are taken from the fonts of the machine; one
that no font has is shown as its code in a box, which the document explains.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import fields
from importlib.resources import files
from typing import Any, Final

from ..charts.figure import Figure
from ..charts.render import spec, svg
from .sheet import Sheet

_FONT: Final = "Libertinus Serif"
#: Typst's message about a character that no font has.
_MISSING: Final = re.compile(r'the text `"(.+?)"` could not be displayed')
_NUMBER: Final = re.compile(r"\\u\{([0-9a-f]+)\}")


def pdf(sheets: Sequence[Sheet], *, title: str, letter: bool = False) -> bytes:
    """All sheets in one file; each starts a new page, and counts its own pages.

    The file is dated as the latest sheet. Needs Typst and Altair, the extra `pdf`.
    """
    import typst

    data = {"title": title, "paper": "us-letter" if letter else "a4", "font": _FONT, "sheets": sheets}
    text = json.dumps(data, ensure_ascii=False, default=_as_data)
    source = files(__package__).joinpath("sheet.typ").read_bytes()
    dated = max((sheet.dated for sheet in sheets), default=0) // 1_000_000
    only_own, missing = True, ""
    while True:
        try:
            return typst.compile(
                source,
                format="pdf",
                sys_inputs={"data": text, "missing": missing},
                ignore_system_fonts=only_own,
                pdf_standards=["ua-1"],
                timestamp=dated,
            )
        except typst.TypstError as error:
            more = _without_font(f"{error.message}\n{error.diagnostic}") - set(missing)
            if not more:
                raise
            if only_own:
                only_own = False
            else:
                missing = "".join(sorted({*missing, *more}))


def _without_font(diagnosis: str) -> set[str]:
    """The characters that no font has, by Typst's diagnosis, which names unprintable ones by number."""
    missing = "".join(_MISSING.findall(diagnosis))
    return {*_NUMBER.sub(lambda number: chr(int(number[1], 16)), missing)}


def _as_data(part: Any) -> Any:
    """A part of a sheet as data for Typst; a figure as SVG."""
    if isinstance(part, Figure):
        return svg(spec(part, width=640, height=200, font=_FONT))
    return {field.name: getattr(part, field.name) for field in fields(part)}
