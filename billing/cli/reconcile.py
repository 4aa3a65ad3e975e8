"""Reconciling: what we have held against what somebody else has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import (
    Account,
    Anchor,
    As,
    AsOf,
    Cycle,
    First,
    Format,
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
    target,
)
from .reconcile_events import reconcile_events
from .reconcile_invoices import reconcile_invoices


def reconcile(
    source: Source,
    foreign: Annotated[str, typer.Argument(help="Invoices of somebody else; with --events, another source.")],
    events: Annotated[
        bool, typer.Option("--events", help="Hold the events of both against each other, and weigh what differs.")
    ] = False,
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
    as_of: AsOf = None,
    known_at: KnownAt = None,
    position: Position = None,
    tolerance: Annotated[
        str, typer.Option(help="Without ids: how far apart two events may be and still be one that was shifted.")
    ] = "P1D",
    mapping: Annotated[str | None, typer.Option(help="TOML file that says which of their columns is which.")] = None,
    earlier_plan: Annotated[
        list[str] | None, typer.Option(help="An earlier version of the plan, the latest first; to explain by.")
    ] = None,
    within: Annotated[str, typer.Option(help="Amounts may differ by so much and still agree.")] = "0",
    drafts: Annotated[bool, typer.Option("--drafts", help="Of a ledger, drafts also where it has issued.")] = False,
    identities: Annotated[
        bool, typer.Option("--identities", help="Name the identities that only one side counts, and their events.")
    ] = False,
    accepted: Annotated[
        Path | None, typer.Option(help="File of accepted discrepancies, with their reasons.", callback=target)
    ] = None,
    accept: Annotated[
        str | None, typer.Option(help="Accept what is shown, for this reason; kept in --accepted FILE.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="As json or csv, list the noise as well.")] = False,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """Our invoices against somebody else's, and why they differ; with --events, one source against another."""
    from ..core.errors import BillingError

    if not events:
        if as_of is not None:
            raise BillingError("usage", detail="--as-of goes with --events alone: what is billed is a whole cycle")
        reconcile_invoices(
            source,
            foreign,
            agreed=(terms, plan, anchor, timezone, months, reconnect),
            asked=(cycle, first, last, account),
            known=(known_at, position),
            mapping=mapping,
            earlier_plans=earlier_plan,
            within=within,
            drafts=drafts,
            identities=identities,
            accepted=accepted,
            accept=accept,
            format=format,
            output=output,
            read_as=(strict, ignore_extra),
            rejections=rejections,
        )
        return
    reconcile_events(
        source,
        foreign,
        agreed=(terms, plan, anchor, timezone, months, reconnect),
        asked=(cycle, first, last, account, as_of),
        known=(known_at, position),
        tolerance=tolerance,
        everything=everything,
        format=format,
        output=output,
        read_as=(strict, ignore_extra),
        rejections=rejections,
    )
