"""What-if verbs: compare, and plan compare."""

from __future__ import annotations

import json
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
    query_of,
    read_options,
    terms_of,
)
from .output import finish, print_tables, write


def compare(
    source: Source,
    others: Annotated[
        list[str],
        typer.Option(
            "--with", help='Other terms: a terms or plan file, or settings such as "reconnect=restarts,discount=5%".'
        ),
    ],
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
    bills: Annotated[
        bool, typer.Option("--bills", help="Each bill too, and which change of its peak changes it.")
    ] = False,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """What the same history would have cost under other terms, and who gains and who pays."""
    from .. import engine
    from ..comparison import run
    from ..config.overrides import change_of
    from ..outputs.tables import comparison
    from ..outputs.tables.text import to_csv

    changes = [change_of(other) for other in others]
    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, position=position) as options,
    ):
        now = terms_of(opened, options, terms, plan, anchor, timezone, months, reconnect)
        query = query_of(now, cycle, first, last, account, as_of)
        compared = run.compare_terms(opened, query, changes, options)
    if format is Format.table:
        from .tables import comparison as tables

        print_tables(output, lambda to: tables.comparison_tables(compared.under, compared.comparisons, bills))
    elif format is Format.json:
        document = comparison.document(compared.under, compared.comparisons)
        write(output, json.dumps(document, ensure_ascii=False) + "\n")
    elif bills:
        write(output, to_csv(comparison.bills(compared.under)))
    else:
        write(output, to_csv(comparison.accounts(compared.comparisons)))
    finish(compared.found, rejections)


def compare_plans(
    plans: Annotated[list[str], typer.Argument(metavar="PLAN PLAN...", help="Plan files, two or more.")],
    format: As = Format.table,
    output: Output = None,
) -> None:
    """Which plan is the cheapest for how many identities, and where they break even; credits come on top."""
    from ..comparison.break_even import break_even
    from ..config.terms import load_plan
    from ..core.errors import BillingError
    from ..outputs.tables import comparison
    from ..outputs.tables.text import to_csv

    if len(set(plans)) < 2:
        raise BillingError("usage", detail="plan compare takes two plans or more")
    loaded = {path: load_plan(path) for path in plans}
    by_id = {plan.id: plan for plan in loaded.values()}
    # Plans go by their ids, as on invoices; where two have the same, by their files.
    of = break_even(by_id if len(by_id) == len(loaded) else loaded)
    if format is Format.table:
        from .tables import comparison as tables

        print_tables(output, lambda to: tables.break_even_tables(of))
    elif format is Format.json:
        write(output, json.dumps(comparison.break_even(of), ensure_ascii=False) + "\n")
    else:
        write(output, to_csv(comparison.plan_ranges(of)))
