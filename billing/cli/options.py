"""The options that verbs share, and what they mean: terms, a question, a way of reading."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..core.terms import AllTerms, TermsHistory
    from ..engine.query import Query
    from ..inputs.rows import ReadOptions


def target(path: Path | None) -> Path | None:
    """A file to write to, refused before any work is done if that cannot be."""
    from ..core.errors import BillingError

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


class PaperFormat(StrEnum):
    """How results are written that are also documents."""

    table = "table"
    json = "json"
    csv = "csv"
    html = "html"
    pdf = "pdf"


class DocumentFormat(StrEnum):
    """How issued documents are shown again."""

    json = "json"
    html = "html"
    pdf = "pdf"


Source = Annotated[
    str, typer.Argument(help="A .csv, .jsonl, .parquet, a folder or glob of them, - for stdin, or the URL of a ledger.")
]
Ledger = Annotated[str, typer.Option("--ledger", help="URL of the ledger: sqlite:///billing.db or postgresql://...")]
LedgerUrl = Annotated[str, typer.Argument(help="URL of the ledger: sqlite:///billing.db or postgresql://...")]
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
Position = Annotated[int | None, typer.Option(help="Leave out what came later into the ledger than this position.")]
IssuedAt = Annotated[str | None, typer.Option(help="Date of the documents; now, if left out.")]
Expected = Annotated[int | None, typer.Option("--position", help="Only if the ledger is still at this position.")]
Yes = Annotated[bool, typer.Option("--yes", help="Issue the documents; else they are only shown.")]
As = Annotated[Format, typer.Option("--format", help="table for people, json or csv for programs.")]
Output = Annotated[Path | None, typer.Option(help="Write the result to this file.", callback=target)]
AsPaper = Annotated[
    PaperFormat, typer.Option("--format", help="table for people, json or csv for programs, html or pdf as documents.")
]
AsDocument = Annotated[
    DocumentFormat, typer.Option("--format", help="json as it is kept, to the byte; html or pdf as documents.")
]
Locale = Annotated[
    str | None,
    typer.Option(help="How html and pdf write numbers, money and dates: de_DE; else en_US. Texts are English."),
]
NoEvidence = Annotated[
    bool, typer.Option("--no-evidence", help="Leave out of html and pdf who was active at the peak.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse the source at its first rejection.")]
IgnoreExtra = Annotated[bool, typer.Option("--ignore-extra", help="Pass over unknown columns.")]
Rejections = Annotated[
    Path | None, typer.Option(help="Keep what was rejected in this file, as JSON Lines.", callback=target)
]


def terms_of(
    source: Any,
    options: ReadOptions,
    terms: str | None,
    plan: str | None,
    anchor: str | None,
    timezone: str | None,
    months: int | None,
    reconnect: str | None,
) -> AllTerms | TermsHistory:
    """The terms file, or else a ledger's own terms, with what options say in their place."""
    from ..config.terms import load_terms
    from ..core.terms import AllTerms
    from ..engine.result import terms_in
    from ..ledger.ledger import Ledger

    change = _change(plan, anchor, timezone, months, reconnect)
    if terms is None and isinstance(source, Ledger) and (history := terms_in(source, options)).versions:
        return history.changed(change)
    return change(AllTerms() if terms is None else load_terms(terms))


def terms_given(
    terms: str | None,
    plan: str | None,
    anchor: str | None,
    timezone: str | None,
    months: int | None,
    reconnect: str | None,
) -> AllTerms | None:
    """The terms that options say; none where no option says anything."""
    from ..config.terms import load_terms
    from ..core.terms import AllTerms

    if all(option is None for option in (terms, plan, anchor, timezone, months, reconnect)):
        return None
    return _change(plan, anchor, timezone, months, reconnect)(AllTerms() if terms is None else load_terms(terms))


def _change(
    plan: str | None, anchor: str | None, timezone: str | None, months: int | None, reconnect: str | None
) -> Callable[[AllTerms], AllTerms]:
    """What options say in place of terms."""
    from ..config.terms import Settings, load_plan, overridden

    settings = Settings(anchor=anchor, timezone=timezone, months=months, reconnect=reconnect)
    priced = None if plan is None else load_plan(plan)
    return lambda given: overridden(given, settings, plan=priced)


def query_of(
    terms: AllTerms | TermsHistory,
    cycle: str | None,
    first: str | None,
    last: str | None,
    accounts: list[str] | None,
    as_of: str | None,
    *,
    ids: bool = False,
) -> Query:
    """Which bills are asked for; with `ids`, also what shows them."""
    from ..core.cycle import month_of
    from ..core.errors import BillingError
    from ..engine.query import Query
    from ..inputs.timestamps import instant

    if cycle is not None and (first is not None or last is not None):
        raise BillingError("usage", detail="--cycle goes without --first and --last")
    if cycle is not None:
        month_of(cycle, field="--cycle")
    return Query(
        terms=terms,
        first=first if cycle is None else cycle,
        last=last if cycle is None else cycle,
        accounts=tuple(accounts or ()),
        as_of=None if as_of is None else instant(as_of, field="--as-of"),
        ids=ids,
    )


@contextmanager
def read_options(
    source: Any,
    strict: bool,
    ignore_extra: bool,
    known_at: str | None,
    digest: bool = False,
    position: int | None = None,
) -> Iterator[ReadOptions]:
    """How to read, with a progress bar on standard error for what takes more than a second."""
    from ..inputs.readers import count_bytes
    from ..inputs.rows import ReadOptions
    from ..inputs.timestamps import instant

    known = None if known_at is None else instant(known_at, field="--known-at")
    options = ReadOptions(strict, ignore_extra, known, digest, position=position)
    if not sys.stderr.isatty() or not isinstance(source, str):
        yield options
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
            task = bar.add_task("", total=count_bytes(source), completed=read)

    try:
        yield replace(options, progress=progress)
    finally:
        if task is not None:
            bar.stop()


def instant_of(text: str | None, field: str) -> int | None:
    """An option that is an instant, in microseconds."""
    from ..inputs.timestamps import instant

    return None if text is None else instant(text, field=field)


def now_or(text: str | None, field: str = "--issued-at") -> int:
    """When something is said to happen, in microseconds: then, or now."""
    from datetime import UTC, datetime

    from ..core.cycle import micros

    given = instant_of(text, field)
    return micros(datetime.now(UTC)) if given is None else given
