"""Documents for people: issued ones shown again, and what every verb that writes html or pdf needs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import AsDocument, DocumentFormat, Ledger, Locale, NoEvidence, Output, ResultOrDocumentFormat
from .output import write

if TYPE_CHECKING:
    from babel import Locale as BabelLocale

    from ..outputs.documents.sheet import Sheet

#: How figures are written by default.
DEFAULT_LOCALE = "en_US"


@dataclass(frozen=True, slots=True)
class DocumentTarget:
    """How to write documents, and where."""

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
    """Show issued documents again.

    As json, to the byte as they were issued; as html or pdf for people, with the evidence known when it was issued.
    """
    from .. import engine
    from ..outputs.documents import build

    target = document_target(format, output, locale, no_evidence)
    with engine.open_source(ledger) as opened:
        found = build.find(opened, number)
        if target is None:
            write(output, "[" + ", ".join(one.content for one in found) + "]\n")
            return
        sheets = build.issued(opened, found, target.locale, with_evidence=not no_evidence)
    write_documents(target, sheets, "Documents")


def document_target(
    format: ResultOrDocumentFormat | DocumentFormat, output: Path | None, locale: str | None, no_evidence: bool = False
) -> DocumentTarget | None:
    """How to write documents; none for other formats. What cannot be written is refused before any work is done."""
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
    return DocumentTarget(str(format), locale_of(locale or DEFAULT_LOCALE, field="--locale"), output)


def write_documents(target: DocumentTarget, sheets: Sequence[Sheet], plural: str) -> None:
    """Write documents; the title of the file is that of a single one, or else `plural`."""
    from ..outputs.documents.locale import is_letter

    title = f"{sheets[0].title}, {sheets[0].account_id}" if len(sheets) == 1 else plural
    if target.format == "html":
        from ..outputs.documents.html import page

        write(target.output, page(sheets, title=title, letter=is_letter(target.locale)))
        return
    from ..outputs.documents.pdf import pdf

    made = pdf(sheets, title=title, letter=is_letter(target.locale))
    if target.output is None:
        sys.stdout.buffer.write(made)
    else:
        target.output.write_bytes(made)
