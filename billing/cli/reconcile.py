"""Reconciling: what we have held against what somebody else has."""

from __future__ import annotations

from typing import Annotated

import typer

from .alignment import reconcile_events
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
)


def reconcile(
    source: Source,
    foreign: Annotated[str, typer.Argument(help="What to hold it against; with --events, another such source.")],
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
    everything: Annotated[bool, typer.Option("--all", help="As json or csv, list the noise as well.")] = False,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """Which events two sources differ on, and which of those move a bill, and by how much."""
    from ..core.errors import BillingError

    if not events:
        raise BillingError("usage", detail="--events is missing, which says what is held against what")
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
