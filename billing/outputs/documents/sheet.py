"""The content of a document, independent of its format: HTML and PDF show the same sheet.

All values are already formatted for the reader. Where that differs from the machine-readable form, a
cell has both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..charts.figure import Figure

#: `name` is text from outside, in any script; `code` is read character by character.
Kind = Literal["text", "number", "instant", "name", "code"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value. `exact` is its machine-readable form; `beside` is an addition, set less prominently."""

    text: str
    kind: Kind = "text"
    exact: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled value."""

    label: str
    value: Cell


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; the first cell of a row is its header. `numeric` are the indexes of numeric columns.

    `indented` are the indexes of rows that detail the row above them; `foot` are summary rows. On a
    screen, a `folded` table is collapsed at first.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[int, ...] = ()
    indented: tuple[int, ...] = ()
    foot: tuple[tuple[Cell, ...], ...] = ()
    narrow: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with a title and a description."""

    title: str
    words: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document under a heading. Appendices start on a new page."""

    heading: str
    words: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    drawing: Drawing | None = None
    tables: tuple[Table, ...] = ()
    appendix: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One document. `total` are the figures at its head; a draft is marked as such on every page.

    `dated` is its instant in microseconds: when it was issued, or else the end of the period that it covers.
    """

    title: str
    draft: bool
    account_id: str
    total: tuple[Fact, ...]
    notice: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    dated: int
