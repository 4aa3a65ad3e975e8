"""Reconciling invoices: ours with those of somebody else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from . import remedies, tables
from .option_groups import CycleOptions, OutputOptions, ReadingOptions, RecordedOptions, TermsOptions, open_query
from .options import Source, writable
from .output import FOUND, counting, finish, say


class ReconcileCommand(TyperCommand):
    """Points whoever asks for events to the command that compares them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments, refused if --events is among them."""
        from ..core.errors import BillingError

        if "--events" in args:
            raise BillingError("usage", detail="Events are compared by: billing reconcile-events OURS THEIRS")
        return super().parse_args(ctx, args)


@dataclass(frozen=True, slots=True)
class AcceptOptions:
    """Which discrepancies are accepted."""

    accepted: Annotated[
        Path | None, typer.Option(help="File of accepted discrepancies, with their reasons.", callback=writable)
    ] = None
    accept: Annotated[
        str | None, typer.Option(help="Accept what is shown, for this reason; kept in --accepted FILE.")
    ] = None


def reconcile(
    source: Source,
    foreign: Annotated[str, typer.Argument(help="Invoices of somebody else, .csv or .json.")],
    *,
    cycles: CycleOptions,
    terms: TermsOptions,
    known: RecordedOptions,
    mapping: Annotated[str | None, typer.Option(help="TOML file that says which of their columns is which.")] = None,
    earlier_plan: Annotated[
        list[str] | None, typer.Option(help="An earlier version of the plan, the latest first; to explain by.")
    ] = None,
    within: Annotated[str, typer.Option(help="Amounts may differ by so much and still agree.")] = "0",
    drafts: Annotated[bool, typer.Option("--drafts", help="Of a ledger, drafts also where it has issued.")] = False,
    identities: Annotated[
        bool, typer.Option("--identities", help="Name the identities that only one side counts, and their events.")
    ] = False,
    accept: AcceptOptions,
    read: ReadingOptions,
    out: OutputOptions,
) -> None:
    """Compare our invoices with somebody else's.

    Shows why they differ, and ends with status 1 if a discrepancy is open.
    """
    from ..config.terms import load_plan
    from ..core.errors import BillingError
    from ..outputs.tables import reconciliation
    from ..reconciliation import invoices
    from ..reconciliation.accepted import keep_accepted, key_of, load_accepted
    from ..reconciliation.foreign import load_mapping, read_foreign

    if accept.accept is not None and accept.accepted is None:
        raise BillingError("usage", detail="--accept needs --accepted FILE, where reasons are kept")
    tolerance = _amount(within)
    plans = [load_plan(path) for path in earlier_plan or ()]
    theirs = read_foreign(foreign, None if mapping is None else load_mapping(mapping))
    accepted = {} if accept.accepted is None else load_accepted(str(accept.accepted))
    with (
        open_query(source, cycles, terms, known, read) as (opened, query, options),
        counting("trying", "causes") as tried,
    ):
        found, result = invoices.reconcile(
            opened, theirs.invoices, query, options, earlier=plans, tolerance=tolerance, drafts=drafts,
            identities=identities, progress=tried,
        )  # fmt: skip
    if accept.accept is not None and accept.accepted is not None:
        new = [m for m, _ in found.differing if key_of(m) not in accepted]
        keep_accepted(str(accept.accepted), new, accept.accept)
        accepted |= {key_of(m): accept.accept for m in new}
        say(f"{len(new):,} discrepancies accepted: {accept.accept}")
    out.write(
        table=lambda to: tables.reconciliation.reconciliation_tables(found, accepted),
        rows=lambda: reconciliation.compared(found, accepted),
        json=lambda: json.dumps(reconciliation.document(found, accepted), ensure_ascii=False),
    )
    for rejection in theirs.rejections:
        say(remedies.line_of(rejection))
    say(f"{foreign}: {theirs.received:,} rows = {theirs.used:,} used + {len(theirs.rejections):,} rejected"
        + (f"; {found.left_out:,} invoices are beyond what was asked for" if found.left_out else ""))  # fmt: skip
    left = any(key_of(m) not in accepted for m, _ in found.differing)
    finish(result.found, read.rejections, status=FOUND if left or theirs.rejections else 0)


def _amount(text: str) -> Decimal:
    from ..core.errors import BillingError

    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise BillingError("price_format", field="--within", got=text)
    return amount
