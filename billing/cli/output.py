"""What the verbs print: results for programs and people, and on standard error what people should know."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..core.errors import Rejection
    from ..core.event import Tally
    from ..engine.pipeline import Activity

#: Exit statuses: 0 is fine, 1 rows were rejected or differences found, 2 the call or its input cannot be used.
FOUND: Final = 1
UNUSABLE: Final = 2
_SHOWN: Final = 10


def finish(found: Activity, kept: Path | None, *, status: int = 0) -> None:
    """Say what the source held, keep the rejections, and end with the status that tells, or at least `status`."""
    from ..core.errors import sentence

    again = int(found.intervals.after_deletion.sum())
    if again:
        total = len(found.intervals)
        say(f"active_after_deletion: {sentence('active_after_deletion', count=f'{again:,}', total=f'{total:,}')}")
    if found.position is None:
        finish_rows(found.rejections, found.tally, kept)
    else:
        say(f"position {found.position:,}, digest {found.digest}")
    if status:
        raise typer.Exit(status)


def finish_rows(rejections: Sequence[Rejection], tally: Tally, kept: Path | None) -> None:
    """Say what became of rows, keep the rejections, and end with the status that tells."""
    keep(rejections, kept)
    say_some([f"{r.code}: {r}" for r in rejections], "--rejections FILE keeps all of them")
    say(str(tally))
    if rejections:
        raise typer.Exit(FOUND)


def keep(rejections: Sequence[Rejection], kept: Path | None) -> None:
    """Write rejections into a file, if one was asked for."""
    import json

    if kept is not None:
        lines = (json.dumps(r.as_json(), ensure_ascii=False) + "\n" for r in rejections)
        kept.write_text("".join(lines), encoding="utf-8")


def say_unexpected_zero(account_id: str, cycle: str, before: int) -> None:
    """Tell of an invoice over 0 that may be a mistake."""
    from ..core.errors import sentence

    say(f"suspicious_zero: {sentence('suspicious_zero', account=account_id, cycle=cycle, before=before)}")


def say_some(lines: Sequence[str], rest: str = "") -> None:
    """Tell the first of some things, and how many more there are."""
    for line in lines[:_SHOWN]:
        say(line)
    if len(lines) > _SHOWN:
        say(f"... and {len(lines) - _SHOWN:,} more{'; ' + rest if rest else ''}.")


def print_tables(output: Path | None, draw: Any) -> None:
    """Draw for the terminal, or as plain text into a file."""
    from .tables.layout import console

    if output is None:
        _draw(console(), draw)
        return
    with output.open("w", encoding="utf-8") as file:
        _draw(console(file=file), draw)


def _draw(to: Console, draw: Any) -> None:
    for part in draw(to):
        to.print(part)


def write(output: Path | None, text: str) -> None:
    """A result for programs, exact to the byte."""
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    else:
        output.write_bytes(text.encode())


def say(text: str) -> None:
    """Tell people, on standard error, which programs do not read."""
    sys.stdout.flush()  # the result comes first, also where both go to one place
    print(text, file=sys.stderr)


@contextmanager
def counting(doing: str, what: str = "events") -> Iterator[Callable[[int], None] | None]:
    """A count on standard error, for people, of what takes more than a second."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn(doing), TextColumn(f"{{task.completed:,}} {what}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda count: bar.advance(task, count)
