"""Verbs about a ledger itself: its head, its terms, and whether it is as it was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import remedies
from .option_groups import RecordedOptions, TermsOptions
from .options import As, Format, LedgerUrl, Position, instant_of, now_or
from .output import FOUND, counting, say, write

if TYPE_CHECKING:
    from ..ledger.entry import Head


def head(url: LedgerUrl, known: RecordedOptions, format: As = Format.table) -> None:
    """Show where a ledger ends, and its digests.

    Note them elsewhere: they show whether the end was cut off later.
    """
    from .. import engine
    from ..outputs.tables import invoicing
    from ..outputs.tables.text import json_rows, to_csv

    with engine.open_source(_address(url)) as opened:
        at = instant_of(known.known_at, "--known-at")
        shown = invoicing.head(opened.head(position=known.position, known_at=at))
    (found,) = json_rows(shown)
    if format is Format.json:
        write(None, json.dumps(found) + "\n")
    elif format is Format.csv:
        write(None, to_csv(shown))
    else:
        for name, value in found.items():
            print(f"{name:<16}  {value}")


def verify(
    url: LedgerUrl,
    noted: Annotated[
        Path | None, typer.Option(help="A head that was noted elsewhere, as json: shows if the end was cut off.")
    ] = None,
    format: As = Format.table,
) -> None:
    """Check all digests, and name the first that differs."""
    from .. import engine
    from ..ledger.verify import verify as verified
    from ..outputs.tables.text import to_json

    expected = None if noted is None else _noted(noted)
    with engine.open_source(_address(url)) as opened, counting("verifying") as counted:
        findings = verified(opened, noted=expected, progress=counted)
        end = opened.head()
    if format is Format.json:
        write(None, to_json(map(remedies.finding_json, findings)) + "\n")
    for finding in findings:
        say(remedies.line_of(finding))
    if findings:
        raise typer.Exit(FOUND)
    say(f"{end.position:,} positions hold; digest {end.digest}, documents {end.documents_digest}.")
    if noted is None:
        say("That nothing was cut off at the end shows only against a head noted elsewhere: --noted FILE.")


def terms(
    url: LedgerUrl,
    terms: TermsOptions,
    since: Annotated[str | None, typer.Option("--from", help="They apply to cycles that start then or later.")] = None,
) -> None:
    """Show the versions of the terms, or add one.

    With --terms or --plan, these become a new version.
    """
    from .. import engine
    from ..config.terms import version_document
    from ..invoicing import close as closing

    given = terms.given()
    with engine.open_source(_address(url)) as opened:
        if given is not None:
            closing.add_terms(opened, given, now=now_or(None), applies_from=instant_of(since, "--from"))
        history = engine.terms_in(opened)
    write(None, "[" + ", ".join(json.dumps(version_document(v), ensure_ascii=False) for v in history.versions) + "]\n")


def export(
    url: LedgerUrl,
    file: Annotated[str, typer.Argument(help="A new .csv, .jsonl (also .gz or .zst) or .parquet file.")],
    position: Position = None,
) -> None:
    """Write all entries into a file.

    Imported into an empty ledger, they have the same digest.
    """
    from .. import engine

    with engine.open_source(_address(url)) as opened, counting("exporting") as counted:
        end = engine.export(opened, file, position=position, progress=counted)
    say(f"position {end.position:,}, digest {end.digest}")


def backup(url: LedgerUrl, file: Annotated[str, typer.Argument(help="A file that does not exist yet.")]) -> None:
    """Copy an embedded ledger while it is in use."""
    from .. import engine

    with engine.open_source(_address(url)) as opened:
        end = engine.backup(opened, file)
    say(f"position {end.position:,}, digest {end.digest}")


def _noted(file: Path) -> Head:
    """A head that was written down with `billing ledger head --format json`."""
    from ..core.errors import BadLedger
    from ..inputs.timestamps import parse_instant
    from ..ledger.entry import Head

    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        recorded = document["recorded_at"]
        at = None if recorded is None else parse_instant(recorded, field="recorded_at")
        return Head(int(document["position"]), str(document["digest"]), str(document["documents_digest"]), at)
    except FileNotFoundError:
        raise BadLedger("file_missing", str(file), hint="") from None
    except (ValueError, KeyError, TypeError):
        raise BadLedger("head_unreadable", str(file)) from None


def _address(url: str) -> str:
    """The address of a ledger; anything else is refused."""
    from ..core.errors import BadLedger
    from ..ledger.address import is_address

    if not is_address(url):
        raise BadLedger("ledger_url", got=url)
    return url
