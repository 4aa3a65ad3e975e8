"""What actions cost: credits."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .options import (
    Account,
    Anchor,
    As,
    AsOf,
    Cycle,
    First,
    Format,
    IgnoreExtra,
    KnownAt,
    Last,
    Months,
    Output,
    PlanFile,
    Position,
    Reconnect,
    Rejections,
    Source,
    Strict,
    TermsFile,
    Timezone,
    query_of,
    read_options,
    terms_of,
)
from .output import finish, print_tables, say, write


def credits(
    source: Source,
    cycle: Cycle = None,
    first: First = None,
    last: Last = None,
    account: Account = None,
    catalogue: Annotated[
        str | None, typer.Option(help="Catalogue of actions in place of the published one, or that of the terms.")
    ] = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    position: Position = None,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """What calls of actions cost in credits, and what engagement identities saved."""
    from .. import engine
    from ..config.catalogue import load_catalogue
    from ..core.errors import sentence
    from ..engine import credits as crediting
    from ..outputs.tables import credits as written
    from ..outputs.tables.text import to_csv

    by = None if catalogue is None else load_catalogue(catalogue)
    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, position=position) as options,
    ):
        given = terms_of(opened, options, terms, plan, anchor, timezone, months, reconnect)
        query = query_of(given, cycle, first, last, account, as_of)
        told = crediting.credits(opened, query, options, catalogue=by)
    if format is Format.table:
        from .tables import credits as tables

        print_tables(output, lambda to: [tables.credits_table(told.rows, told.accounts, told.total)])
    elif format is Format.json:
        document = written.document(told.rows, told.accounts, told.total)
        write(output, json.dumps(document, ensure_ascii=False) + "\n")
    else:
        write(output, to_csv(written.credits(told.rows)))
    if told.total.unnamed:
        counts = {"count": f"{told.total.unnamed:,}", "total": f"{told.total.calls:,}"}
        say(f"calls_unnamed: {sentence('calls_unnamed', **counts)}")
    finish(told.found, rejections)
