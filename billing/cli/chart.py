"""Charts: a cycle or a year of an account as a picture, for files, pages and programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .documents import DEFAULT_LOCALE
from .option_groups import CycleOptions, KnownOptions, ReadingOptions, TermsOptions, open_query
from .options import First, Last, OneAccount, Source, writable
from .output import finish, say


def chart(
    source: Source,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write: .svg, .png, .html or .json.", callback=writable)
    ],
    *,
    account: OneAccount = None,
    cycle: Annotated[str | None, typer.Option(help="The cycle, 2026-01; else a year is drawn.")] = None,
    first: First = None,
    last: Last = None,
    terms: TermsOptions,
    known: KnownOptions,
    locale: Annotated[
        str | None, typer.Option(help="How numbers, money and dates are written: de_DE; else en_US. Texts are English.")
    ] = None,
    no_forecast: Annotated[
        bool, typer.Option("--no-forecast", help="Of an open cycle, leave out how high its peak may go.")
    ] = False,
    read: ReadingOptions,
) -> None:
    """Draw a cycle and what moved its count, or a year.

    Of a year, peaks and amounts are drawn: the last twelve cycles, or those from --first to --last.
    """
    from ..outputs.documents import chart as charting
    from ..outputs.documents import refuse_unless_installed
    from ..outputs.documents.locale import locale_of

    format = charting.format_of(str(output))
    refuse_unless_installed(format)
    written_for = locale_of(locale or DEFAULT_LOCALE, field="--locale")
    cycles = CycleOptions(cycle, first, last, [account] if account else None)
    with open_query(source, cycles, terms, known, read) as (opened, query, options):
        if cycle is None:
            made = charting.year(opened, query, written_for, options)
        else:
            made = charting.cycle(opened, query, written_for, options, forecast=not no_forecast)
    output.write_bytes(made.render(format))
    say(f"{made.title}, {made.account_id}: {output}")
    say(made.words.replace("\u00a0", " "))  # where a terminal breaks lines is its own affair
    finish(made.activity, read.rejections)
