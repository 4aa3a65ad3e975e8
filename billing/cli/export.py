"""Verbs that write for finance systems: FOCUS, and a journal of double entry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    Account,
    Anchor,
    Cycle,
    First,
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
from .output import finish, say, write

if TYPE_CHECKING:
    from ..engine.pipeline import Activity
    from ..invoicing.billed_lines import Claim

exports = typer.Typer(help="Write what was issued for finance systems; from a file, drafts.", no_args_is_help=True)


def _folder(path: Path) -> Path:
    """A folder to write into, which may have to be made."""
    from ..core.errors import BillingError

    if path.exists() and not path.is_dir():
        raise BillingError("file_unwritable", str(path), detail="it is no folder")
    if not path.parent.is_dir():
        raise BillingError("file_unwritable", str(path), detail="there is no such folder")
    return path


Folder = Annotated[Path, typer.Option(help="Write the files into this folder.", callback=_folder)]


@exports.command()
def focus(
    source: Source,
    output: Folder,
    cycle: Cycle = None,
    first: First = None,
    last: Last = None,
    account: Account = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    known_at: KnownAt = None,
    position: Position = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
    provider: Annotated[str, typer.Option(help="Who provides the service.")] = "Identity provider",
    issuer: Annotated[str | None, typer.Option(help="Who issues the invoices, if not the provider.")] = None,
    service: Annotated[str, typer.Option(help="What the service is called.")] = "Engagement identities",
    payment_terms: Annotated[str, typer.Option(help="When invoices are to be paid, in words.")] = "As agreed",
) -> None:
    """Cost and Usage, Invoice Detail and Billing Period of FOCUS 1.4, as CSV."""
    from ..outputs.finance.focus import Names
    from ..outputs.finance.focus import focus as in_focus
    from ..outputs.tables.text import to_csv

    claims, found = _claims(
        source, cycle, first, last, account, plan, terms, anchor, timezone, months, reconnect, known_at, position,
        strict, ignore_extra,
    )  # fmt: skip
    told = in_focus(claims, Names(provider, issuer or provider, service, payment_terms))
    output.mkdir(exist_ok=True)
    for name in ("cost_and_usage", "invoice_detail", "billing_period"):
        file, view = output / f"{name}.csv", getattr(told, name)
        write(file, to_csv(view))
        say(f"{file}: {len(view.rows):,} {'row' if len(view.rows) == 1 else 'rows'}")
    _finish(found, rejections)


@exports.command()
def journal(
    source: Source,
    cycle: Cycle = None,
    first: First = None,
    last: Last = None,
    account: Account = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    known_at: KnownAt = None,
    position: Position = None,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """A journal of double entry in the syntax of beancount: a transaction for each document."""
    from ..outputs.finance.journal import journal as as_journal

    claims, found = _claims(
        source, cycle, first, last, account, plan, terms, anchor, timezone, months, reconnect, known_at, position,
        strict, ignore_extra,
    )  # fmt: skip
    write(output, as_journal(claims))
    _finish(found, rejections)


def _claims(
    source: str,
    cycle: str | None,
    first: str | None,
    last: str | None,
    account: list[str] | None,
    plan: str | None,
    terms: str | None,
    anchor: str | None,
    timezone: str | None,
    months: int | None,
    reconnect: str | None,
    known_at: str | None,
    position: int | None,
    strict: bool,
    ignore_extra: bool,
) -> tuple[list[Claim], Activity | None]:
    """What a ledger has issued, as it was; of any other source drafts, and what the source held."""
    from .. import engine
    from ..core.errors import BillingError
    from ..core.terms import AllTerms
    from ..invoicing import issued
    from ..ledger.address import is_address

    changes = (plan, terms, anchor, timezone, months, reconnect)
    if is_address(source) and any(change is not None for change in changes):
        raise BillingError(
            "usage", detail="A ledger is exported as it was issued, so it goes without --plan, --terms and the like"
        )
    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, position=position) as options,
    ):
        if is_address(source):
            return issued.issued(opened, query_of(AllTerms(), cycle, first, last, account, None), options), None
        given = terms_of(opened, options, terms, plan, anchor, timezone, months, reconnect)
        result = engine.answer(opened, query_of(given, cycle, first, last, account, None), options)
        return issued.drafted(result), result.found


def _finish(found: Activity | None, rejections: Path | None) -> None:
    if found is not None:
        finish(found, rejections)
