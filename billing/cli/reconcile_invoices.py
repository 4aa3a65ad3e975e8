"""Invoices of somebody else held against ours: what `billing reconcile` does without --events."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from .options import Format, query_of, read_options, terms_of
from .output import FOUND, counting, finish, print_tables, say, write

if TYPE_CHECKING:
    from ..core.plan import Plan


def reconcile_invoices(
    source: str,
    foreign: str,
    *,
    agreed: tuple[str | None, str | None, str | None, str | None, int | None, str | None],
    asked: tuple[str | None, str | None, str | None, list[str] | None],
    known: tuple[str | None, int | None],
    mapping: str | None,
    earlier_plans: list[str] | None,
    within: str,
    drafts: bool,
    identities: bool,
    accepted: Path | None,
    accept: str | None,
    format: Format,
    output: Path | None,
    read_as: tuple[bool, bool],
    rejections: Path | None,
) -> None:
    """Hold our invoices against theirs, say why they differ, and end with status 1 if something is open."""
    import json

    from .. import engine
    from ..core.errors import BillingError
    from ..outputs.tables import reconciliation
    from ..outputs.tables.text import to_csv
    from ..reconciliation import invoices
    from ..reconciliation.accepted import keep_accepted, key_of, load_accepted
    from ..reconciliation.foreign import load_mapping, read_foreign

    if accept is not None and accepted is None:
        raise BillingError("usage", detail="--accept needs --accepted FILE, where reasons are kept")
    tolerance = _amount(within)
    plans = [_plan(path) for path in earlier_plans or ()]
    theirs = read_foreign(foreign, None if mapping is None else load_mapping(mapping))
    settled = {} if accepted is None else load_accepted(str(accepted))
    strict, ignore_extra = read_as
    known_at, position = known
    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, position=position) as options,
        counting("trying", "readings") as tried,
    ):
        query = query_of(terms_of(opened, options, *agreed), *asked, None)
        found, result = invoices.reconcile(
            opened, theirs.claims, query, options, earlier=plans, tolerance=tolerance, drafts=drafts,
            identities=identities, progress=tried,
        )  # fmt: skip
    if accept is not None and accepted is not None:
        new = [m for m, _ in found.differing if key_of(m) not in settled]
        keep_accepted(str(accepted), new, accept)
        settled |= {key_of(m): accept for m in new}
        say(f"{len(new):,} discrepancies accepted: {accept}")
    if format is Format.json:
        write(output, json.dumps(reconciliation.document(found, settled), ensure_ascii=False) + "\n")
    elif format is Format.csv:
        write(output, to_csv(reconciliation.compared(found, settled)))
    else:
        from .tables import reconciliation as tables

        print_tables(output, lambda to: tables.reconciliation_tables(found, settled))
    for rejection in theirs.rejections:
        say(f"{rejection.code}: {rejection}")
    say(f"{foreign}: {theirs.received:,} rows = {theirs.used:,} used + {len(theirs.rejections):,} rejected"
        + (f"; {found.left_out:,} invoices are beyond what was asked for" if found.left_out else ""))  # fmt: skip
    left = any(key_of(m) not in settled for m, _ in found.differing)
    finish(result.found, rejections, status=FOUND if left or theirs.rejections else 0)


def _amount(text: str) -> Decimal:
    from ..core.errors import BillingError

    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise BillingError("price_format", field="--within", got=text)
    return amount


def _plan(path: str) -> Plan:
    from ..config.terms import load_plan

    return load_plan(path)
