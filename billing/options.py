"""The options that verbs share, and what they mean: terms, a question, a way of reading."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from .core.invoice import AllTerms
    from .engine import Question
    from .formats.rows import Reading


def _target(path: Path | None) -> Path | None:
    """A file to write to, refused before any work is done if that cannot be."""
    from .core.errors import BillingError

    if path is not None and path.is_dir():
        raise BillingError("file_unwritable", str(path), detail="it is a folder")
    if path is not None and not path.parent.is_dir():
        raise BillingError("file_unwritable", str(path), detail="there is no such folder")
    return path


class Format(StrEnum):
    """How results are written."""

    table = "table"
    json = "json"
    csv = "csv"


Source = Annotated[str, typer.Argument(help="A .csv, .jsonl, .parquet, a folder or glob of them, or - for stdin.")]
Cycle = Annotated[str | None, typer.Option(help="One cycle, by the month it starts in: 2026-01.")]
First = Annotated[str | None, typer.Option(help="First cycle, such as 2026-01.")]
Last = Annotated[str | None, typer.Option(help="Last cycle, inclusive.")]
Account = Annotated[list[str] | None, typer.Option(help="Only this account; may be given several times.")]
PlanFile = Annotated[str | None, typer.Option("--plan", help="Plan file for every account.")]
TermsFile = Annotated[str | None, typer.Option("--terms", help="Terms file: plans, cycles, discounts of accounts.")]
Anchor = Annotated[str | None, typer.Option(help="Start of cycle 0 of every account, with a UTC offset.")]
Timezone = Annotated[str | None, typer.Option(help="Zone whose clock the cycles keep, such as Europe/Paris.")]
Months = Annotated[int | None, typer.Option(help="Length of a cycle: 1, 3, 6 or 12.")]
Reconnect = Annotated[str | None, typer.Option(help="extends or restarts.")]
AsOf = Annotated[str | None, typer.Option(help="Leave out what occurred at this instant or later.")]
KnownAt = Annotated[str | None, typer.Option(help="Leave out what was recorded after this instant.")]
As = Annotated[Format, typer.Option("--format", help="table for people, json or csv for programs.")]
Output = Annotated[Path | None, typer.Option(help="Write the result to this file.", callback=_target)]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse the source at its first rejection.")]
IgnoreExtra = Annotated[bool, typer.Option("--ignore-extra", help="Pass over unknown columns.")]
Rejections = Annotated[
    Path | None, typer.Option(help="Keep what was rejected in this file, as JSON Lines.", callback=_target)
]


def terms_of(
    terms: str | None,
    plan: str | None,
    anchor: str | None,
    timezone: str | None,
    months: int | None,
    reconnect: str | None,
) -> AllTerms:
    """The terms file, with what options say in its place."""
    from .core.invoice import AllTerms
    from .formats.terms import Settings, load_plan, load_terms, overridden

    settings = Settings(anchor=anchor, timezone=timezone, months=months, reconnect=reconnect)
    given = AllTerms() if terms is None else load_terms(terms)
    return overridden(given, settings, plan=None if plan is None else load_plan(plan))


def question_of(
    terms: AllTerms,
    cycle: str | None,
    first: str | None,
    last: str | None,
    accounts: list[str] | None,
    as_of: str | None,
) -> Question:
    """Which bills are asked for."""
    from .core.cycle import month_of
    from .core.errors import BillingError
    from .engine import Question
    from .formats.instants import instant

    if cycle is not None and (first is not None or last is not None):
        raise BillingError("usage", detail="--cycle goes without --first and --last")
    if cycle is not None:
        month_of(cycle, field="--cycle")
    return Question(
        terms=terms,
        first=first if cycle is None else cycle,
        last=last if cycle is None else cycle,
        accounts=tuple(accounts or ()),
        as_of=None if as_of is None else instant(as_of, field="--as-of"),
    )


@contextmanager
def reading_of(
    source: str, strict: bool, ignore_extra: bool, known_at: str | None, digest: bool = False
) -> Iterator[Reading]:
    """How to read, with a progress bar on standard error for what takes more than a second."""
    from .formats.instants import instant
    from .formats.rows import Reading
    from .formats.source import size_of

    known = None if known_at is None else instant(known_at, field="--known-at")
    if not sys.stderr.isatty():
        yield Reading(strict, ignore_extra, known, digest)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    began = time.monotonic()
    read = 0
    task: Any = None

    def progress(size: int) -> None:
        nonlocal read, task
        read += size
        if task is not None:
            bar.update(task, completed=read)
        elif time.monotonic() - began > 1:
            bar.start()
            task = bar.add_task("", total=size_of(source), completed=read)

    try:
        yield Reading(strict, ignore_extra, known, digest, progress)
    finally:
        if task is not None:
            bar.stop()
