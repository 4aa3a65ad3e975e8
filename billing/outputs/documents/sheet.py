"""What a document shows, whatever it is written on: a page and a PDF of one sheet say the same.

Everything is text already, written as its reader expects it. Where that differs from how programs
write it, a cell has both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..charts.figure import Figure

#: `name` is text that came from elsewhere, in whatever script; `code` is read letter by letter.
Kind = Literal["text", "number", "instant", "name", "code"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing that is said. `exact` is what programs read; `beside` is said besides, more quietly."""

    text: str
    kind: Kind = "text"
    exact: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something said of the whole document, with what it is."""

    label: str
    value: Cell


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; the first cell of a row names it. `numeric` are the columns with numbers.

    `indented` are the places of rows that only detail the row above them; `foot` are rows that sum up.
    A `folded` one need not be seen, and on a screen is unfolded by who wants to.
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
    """A picture, and in words what it shows."""

    title: str
    words: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document under a heading. An appendix begins a page of its own."""

    heading: str
    words: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    drawing: Drawing | None = None
    tables: tuple[Table, ...] = ()
    appendix: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One document. `total` is what it is about; a draft says so, on every page.

    `dated` is the instant that it speaks of, in microseconds: when it was issued, or else the end of what it counts.
    """

    title: str
    draft: bool
    account_id: str
    total: tuple[Fact, ...]
    notice: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    dated: int
