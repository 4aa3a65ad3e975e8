"""Single options and arguments that several commands share; those that belong together are in `option_groups`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


def writable(path: Path | None) -> Path | None:
    """A file to write to; one that cannot be written is refused before any work is done."""
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


class ResultOrDocumentFormat(StrEnum):
    """How results are written that can also be documents."""

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
LedgerUrl = Annotated[str, typer.Argument(help="URL of the ledger: sqlite:///billing.db or postgresql://...")]
Ledger = Annotated[str, typer.Option("--ledger", help="URL of the ledger: sqlite:///billing.db or postgresql://...")]

Cycle = Annotated[str | None, typer.Option(help="One cycle, by the month it starts in: 2026-01.")]
First = Annotated[str | None, typer.Option(help="First cycle, such as 2026-01.")]
Last = Annotated[str | None, typer.Option(help="Last cycle, inclusive.")]
Account = Annotated[list[str] | None, typer.Option(help="Only this account; may be given several times.")]
OneAccount = Annotated[str | None, typer.Option(help="The account; needed unless the source has only one.")]

PlanFile = Annotated[str | None, typer.Option("--plan", help="Plan file for every account.")]
TermsFile = Annotated[str | None, typer.Option("--terms", help="Terms file: plans, cycles, discounts of accounts.")]
Anchor = Annotated[str | None, typer.Option(help="Start of cycle 0 of every account, with a UTC offset.")]
Timezone = Annotated[str | None, typer.Option(help="Time zone of the cycles, such as Europe/Paris.")]
Months = Annotated[int | None, typer.Option(help="Length of a cycle: 1, 3, 6 or 12.")]
Reconnect = Annotated[str | None, typer.Option(help="extends or restarts.")]

AsOf = Annotated[str | None, typer.Option(help="Leave out what occurred at this instant or later.")]
Now = Annotated[str | None, typer.Option("--as-of", help="The moment to look at; now, if left out.")]
KnownAt = Annotated[str | None, typer.Option(help="Leave out what was recorded after this instant.")]
Position = Annotated[int | None, typer.Option(help="Leave out what the ledger received after this position.")]

IssuedAt = Annotated[str | None, typer.Option(help="Date of the documents; now, if left out.")]
Expected = Annotated[int | None, typer.Option("--position", help="Only if the ledger is still at this position.")]
Yes = Annotated[bool, typer.Option("--yes", help="Issue the documents; without it, they are only shown.")]

As = Annotated[Format, typer.Option("--format", help="table for people, json or csv for programs.")]
AsResultOrDocument = Annotated[
    ResultOrDocumentFormat,
    typer.Option("--format", help="table for people, json or csv for programs, html or pdf as documents."),
]
AsDocument = Annotated[
    DocumentFormat, typer.Option("--format", help="json as it was issued, to the byte; html or pdf as documents.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the result to this file.", callback=writable)
]
Locale = Annotated[
    str | None,
    typer.Option(help="How html and pdf write numbers, money and dates: de_DE; else en_US. Texts are English."),
]
NoEvidence = Annotated[
    bool, typer.Option("--no-evidence", help="Leave out of html and pdf who was active at the peak.")
]

Strict = Annotated[bool, typer.Option("--strict", help="Refuse the source at its first rejection.")]
IgnoreExtra = Annotated[bool, typer.Option("--ignore-extra", help="Ignore unknown columns.")]
Rejections = Annotated[
    Path | None, typer.Option(help="Keep rejected rows in this file, as JSON Lines.", callback=writable)
]


def instant_of(text: str | None, field: str) -> int | None:
    """An option that is an instant, in microseconds."""
    from ..inputs.timestamps import parse_instant

    return None if text is None else parse_instant(text, field=field)


def now_or(text: str | None, field: str = "--issued-at") -> int:
    """An option that is an instant, in microseconds; now, if it was left out."""
    from datetime import UTC, datetime

    from ..core.cycle import micros

    given = instant_of(text, field)
    return micros(datetime.now(UTC)) if given is None else given
