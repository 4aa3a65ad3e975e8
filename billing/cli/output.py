"""What the verbs print: results on standard output or into a file, and notes for people on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from . import remedies

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ..core.errors import Rejection
    from ..core.event import Tally
    from ..engine.pipeline import Activity
    from ..outputs.tables.schema import View

#: Draws a result for people: what to print, one after the other.
Draw = Callable[["Console"], Iterable["RenderableType"]]

#: Exit statuses: 0 is fine, 1 rows were rejected or differences found, 2 the call or its input cannot be used.
FOUND: Final = 1
UNUSABLE: Final = 2
_SHOWN: Final = 10


def write_result(
    format: str, output: Path | None, *, table: Draw, rows: Callable[[], View], json: Callable[[], str] | None = None
) -> None:
    """Write a result in the format asked for: a table for people, or rows; `json` where JSON says more."""
    if format == "table":
        print_tables(output, table)
        return
    from ..outputs.tables.text import to_csv, to_json

    if format == "csv":
        write(output, to_csv(rows()))
    else:
        write(output, (to_json(rows()) if json is None else json()) + "\n")


def finish(found: Activity, kept: Path | None, *, status: int = 0) -> None:
    """Report what the source contained, keep the rejections, and end with 1 if there are any, else with `status`."""
    again = int(found.intervals.after_deletion.sum())
    if again:
        total = len(found.intervals)
        say(remedies.line("active_after_deletion", count=f"{again:,}", total=f"{total:,}"))
    if found.position is None:
        finish_rows(found.rejections, found.tally, kept)
    else:
        say(f"position {found.position:,}, digest {found.digest}")
    if status:
        raise typer.Exit(status)


def finish_rows(rejections: Sequence[Rejection], tally: Tally, kept: Path | None) -> None:
    """Report what became of the rows, keep the rejections, and end with 1 if there are any."""
    keep(rejections, kept)
    say_some([*map(remedies.line_of, rejections)], "--rejections FILE keeps all of them")
    say(str(tally))
    if rejections:
        raise typer.Exit(FOUND)


def keep(rejections: Sequence[Rejection], kept: Path | None) -> None:
    """Write rejections into a file, if one was asked for."""
    import json

    if kept is not None:
        lines = (json.dumps(remedies.rejection_json(each), ensure_ascii=False) + "\n" for each in rejections)
        kept.write_text("".join(lines), encoding="utf-8")


def say_unexpected_zero(account_id: str, cycle: str, before: int) -> None:
    """Warn of an invoice of 0 that may be a mistake."""
    say(remedies.line("suspicious_zero", account=account_id, cycle=cycle, before=before))


def say_some(lines: Sequence[str], rest: str = "") -> None:
    """Print the first of the lines, and how many more there are."""
    for line in lines[:_SHOWN]:
        say(line)
    if len(lines) > _SHOWN:
        say(f"... and {len(lines) - _SHOWN:,} more{'; ' + rest if rest else ''}.")


def print_tables(output: Path | None, draw: Draw) -> None:
    """Draw on the terminal, or into a file as plain text. Nothing is printed before all of it is drawn."""
    from .tables.layout import console

    drawn = StringIO()
    to = console() if output is None else console(file=drawn)
    for part in list(draw(to)):
        to.print(part)
    if output is not None:
        write(output, drawn.getvalue())


def write(output: Path | None, text: str) -> None:
    """A result for programs, exact to the byte."""
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    else:
        output.write_bytes(text.encode())


def say(text: str) -> None:
    """Print a note for people, on standard error."""
    sys.stdout.flush()  # the result comes first, also where both go to one place
    print(text, file=sys.stderr)


@contextmanager
def counting(doing: str, what: str = "events") -> Iterator[Callable[[int], None] | None]:
    """A count on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn(doing), TextColumn(f"{{task.completed:,}} {what}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.advance(task, count)


@contextmanager
def reading(source: str) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error, once reading has taken more than a second."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from ..inputs.readers import count_bytes

    columns = TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
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
        yield progress
    finally:
        if task is not None:
            bar.stop()
