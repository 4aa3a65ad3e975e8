"""Charts: a cycle or a year of an account as a picture, for files, pages and programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .documents import DEFAULT_LOCALE
from .options import (
    Anchor,
    AsOf,
    First,
    IgnoreExtra,
    KnownAt,
    Last,
    Months,
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
    target,
    terms_of,
)
from .output import finish, say


def chart(
    source: Source,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write: .svg, .png, .html or .json.", callback=target)
    ],
    account: Annotated[str | None, typer.Option(help="The account; needed unless the source has only one.")] = None,
    cycle: Annotated[str | None, typer.Option(help="The cycle, 2026-01; else a year is drawn.")] = None,
    first: First = None,
    last: Last = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    position: Position = None,
    locale: Annotated[
        str | None, typer.Option(help="How numbers, money and dates are written: de_DE; else en_US. Texts are English.")
    ] = None,
    no_forecast: Annotated[
        bool, typer.Option("--no-forecast", help="Of an open cycle, leave out what its peak may come to.")
    ] = False,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """Draw a cycle and what moved its count, or peaks and amounts of a year: the last twelve cycles, or those said."""
    from .. import engine
    from ..outputs.documents import chart as charting
    from ..outputs.documents import refuse_unless_installed
    from ..outputs.documents.locale import locale_of

    format = charting.format_of(str(output))
    refuse_unless_installed(format)
    written_for = locale_of(locale or DEFAULT_LOCALE)
    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, position=position) as options,
    ):
        given = terms_of(opened, options, terms, plan, anchor, timezone, months, reconnect)
        query = query_of(given, cycle, first, last, [account] if account else None, as_of)
        if cycle is None:
            made = charting.year(opened, query, written_for, options)
        else:
            made = charting.cycle(opened, query, written_for, options, forecast=not no_forecast)
    output.write_bytes(made.written(format))
    say(f"{made.title}, {made.account_id}: {output}")
    say(made.words.replace("\u00a0", " "))  # where a terminal breaks lines is its own affair
    finish(made.found, rejections)
