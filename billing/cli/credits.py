"""What actions cost: credits."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from . import remedies, tables
from .option_groups import CycleOptions, KnownOptions, OutputOptions, ReadingOptions, TermsOptions, open_query
from .options import Source
from .output import finish, say


def credits(
    source: Source,
    *,
    cycles: CycleOptions,
    catalogue: Annotated[
        str | None, typer.Option(help="Catalogue of actions, in place of the published one or that of the terms.")
    ] = None,
    terms: TermsOptions,
    known: KnownOptions,
    read: ReadingOptions,
    out: OutputOptions,
) -> None:
    """Count the credits that calls of actions cost.

    Shows what engagement identities saved, too.
    """
    from ..config.catalogue import load_catalogue
    from ..engine import credits as crediting
    from ..outputs.tables import credits as written

    by = None if catalogue is None else load_catalogue(catalogue)
    with open_query(source, cycles, terms, known, read) as (opened, query, options):
        result = crediting.credits(opened, query, options, catalogue=by)
    rows, accounts, total = result.rows, result.accounts, result.total
    out.write(
        table=lambda to: [tables.credits.credits_table(rows, accounts, total)],
        rows=lambda: written.credits(rows),
        json=lambda: json.dumps(written.document(rows, accounts, total), ensure_ascii=False),
    )
    if total.unnamed:
        say(remedies.line("calls_unnamed", count=f"{total.unnamed:,}", total=f"{total.calls:,}"))
    finish(result.found, read.rejections)
