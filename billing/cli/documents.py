"""Documents for people: issued ones shown again, and what all verbs do that write html or pdf."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import AsDocument, DocumentFormat, Ledger, Locale, NoEvidence, Output, PaperFormat
from .output import write

if TYPE_CHECKING:
    from babel import Locale as BabelLocale

    from ..outputs.documents.sheet import Sheet

#: How figures are written where nobody says.
DEFAULT_LOCALE = "en_US"


@dataclass(frozen=True, slots=True)
class Paper:
    """How documents are to be written, and where."""

    format: str
    locale: BabelLocale
    output: Path | None


def document(
    number: Annotated[list[str], typer.Argument(help="Numbers of documents, such as INV-000001.")],
    ledger: Ledger,
    format: AsDocument = DocumentFormat.json,
    output: Output = None,
    locale: Locale = None,
    no_evidence: NoEvidence = False,
) -> None:
    """Show issued documents again: as they are kept, or for people, with the evidence of then."""
    from .. import engine
    from ..outputs.documents import build

    paper = paper_of(format, output, locale, no_evidence)
    with engine.open_source(ledger) as opened:
        found = build.find(opened, number)
        if paper is None:
            write(output, "[" + ", ".join(one.content for one in found) + "]\n")
            return
        sheets = build.issued(opened, found, paper.locale, with_evidence=not no_evidence)
    write_paper(paper, sheets, "Documents")


def paper_of(
    format: PaperFormat | DocumentFormat, output: Path | None, locale: str | None, no_evidence: bool = False
) -> Paper | None:
    """How documents are to be written; none for other formats. Refuses, before any work is done, what cannot be."""
    from ..core.errors import BillingError

    if format not in ("html", "pdf"):
        for option, given in (("--locale", locale is not None), ("--no-evidence", no_evidence)):
            if given:
                raise BillingError("usage", detail=f"{option} goes with --format html or pdf")
        return None
    if format == "pdf" and output is None and sys.stdout.isatty():
        raise BillingError("usage", detail="--format pdf goes into a file: --output FILE")
    from ..outputs.documents import refuse_unless_installed
    from ..outputs.documents.locale import locale_of

    refuse_unless_installed(format)
    return Paper(str(format), locale_of(locale or DEFAULT_LOCALE), output)


def write_paper(paper: Paper, sheets: Sequence[Sheet], plural: str) -> None:
    """Write documents; a single one names the file, and several `plural`."""
    from ..outputs.documents.locale import is_letter

    title = f"{sheets[0].title}, {sheets[0].account_id}" if len(sheets) == 1 else plural
    if paper.format == "html":
        from ..outputs.documents.html import page

        write(paper.output, page(sheets, title=title, letter=is_letter(paper.locale)))
        return
    from ..outputs.documents.pdf import pdf

    made = pdf(sheets, title=title, letter=is_letter(paper.locale))
    if paper.output is None:
        sys.stdout.buffer.write(made)
    else:
        paper.output.write_bytes(made)
