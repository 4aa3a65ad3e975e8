"""Verbs that write for finance systems: FOCUS, and a journal of double entry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .option_groups import CycleOptions, ReadingOptions, RecordedOptions, TermsOptions, open_query
from .options import Output, Source
from .output import finish, say, write

if TYPE_CHECKING:
    from ..engine.pipeline import Activity
    from ..invoicing.issued import BilledDocument


def _folder(path: Path) -> Path:
    """A folder to write into; it need not exist yet."""
    from ..core.errors import BillingError

    if path.exists() and not path.is_dir():
        raise BillingError("file_unwritable", str(path), detail="it is no folder")
    if not path.parent.is_dir():
        raise BillingError("file_unwritable", str(path), detail="there is no such folder")
    return path


Folder = Annotated[Path, typer.Option("--output", "-o", help="Write the files into this folder.", callback=_folder)]


@dataclass(frozen=True, slots=True)
class NameOptions:
    """What FOCUS calls those who take part."""

    provider: Annotated[str, typer.Option(help="Who provides the service.")] = "Identity provider"
    issuer: Annotated[str | None, typer.Option(help="Who issues the invoices, if not the provider.")] = None
    service: Annotated[str, typer.Option(help="What the service is called.")] = "Engagement identities"
    payment_terms: Annotated[str, typer.Option(help="When invoices are to be paid, in words.")] = "As agreed"


def focus(
    source: Source,
    output: Folder,
    cycles: CycleOptions,
    terms: TermsOptions,
    known: RecordedOptions,
    read: ReadingOptions,
    names: NameOptions,
) -> None:
    """Write Cost and Usage and two more tables of FOCUS 1.4.

    The other two are Invoice Detail and Billing Period; all are CSV files. A ledger is exported as it was issued, any
    other source as drafts.
    """
    from ..outputs.finance.focus import Parties
    from ..outputs.finance.focus import focus as in_focus
    from ..outputs.tables.text import to_csv

    documents, found = _documents(source, cycles, terms, known, read)
    parties = Parties(names.provider, names.issuer or names.provider, names.service, names.payment_terms)
    written = in_focus(documents, parties)
    output.mkdir(exist_ok=True)
    for name in ("cost_and_usage", "invoice_detail", "billing_period"):
        file, view = output / f"{name}.csv", getattr(written, name)
        write(file, to_csv(view))
        say(f"{file}: {len(view.rows):,} {'row' if len(view.rows) == 1 else 'rows'}")
    if found is not None:
        finish(found, read.rejections)


def journal(
    source: Source,
    cycles: CycleOptions,
    terms: TermsOptions,
    known: RecordedOptions,
    read: ReadingOptions,
    output: Output = None,
) -> None:
    """Write a double-entry journal in beancount's syntax.

    There is a transaction for each document. A ledger is exported as it was issued, any other source as drafts.
    """
    from ..outputs.finance.journal import journal as as_journal

    documents, found = _documents(source, cycles, terms, known, read)
    write(output, as_journal(documents))
    if found is not None:
        finish(found, read.rejections)


def _documents(
    source: str, cycles: CycleOptions, terms: TermsOptions, known: RecordedOptions, read: ReadingOptions
) -> tuple[list[BilledDocument], Activity | None]:
    """What a ledger issued, as it was; of any other source drafts, and what the source contained."""
    from .. import engine
    from ..core.errors import BillingError
    from ..core.terms import AllTerms
    from ..invoicing import issued
    from ..ledger.address import is_address

    if is_address(source):
        if terms.is_given:
            raise BillingError(
                "usage",
                detail="A ledger is exported as it was issued, so it goes without --plan, --terms and the like",
            )
        with engine.open_source(source) as ledger, read.options(ledger, known) as options:
            return issued.read_issued(ledger, cycles.query(AllTerms()), options), None
    with open_query(source, cycles, terms, known, read) as (opened, query, options):
        result = engine.answer(opened, query, options)
        return issued.as_drafts(result), result.found
