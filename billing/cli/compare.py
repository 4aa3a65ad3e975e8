"""What-if verbs: compare, and plan compare."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from . import tables
from .option_groups import CycleOptions, KnownOptions, OutputOptions, ReadingOptions, TermsOptions, open_query
from .options import Source
from .output import finish


def compare(
    source: Source,
    others: Annotated[
        list[str],
        typer.Option(
            "--with", help='Other terms: a terms or plan file, or settings such as "reconnect=restarts,discount=5%".'
        ),
    ],
    *,
    cycles: CycleOptions,
    terms: TermsOptions,
    known: KnownOptions,
    bills: Annotated[
        bool, typer.Option("--bills", help="Each bill too, and which change of its peak changes it.")
    ] = False,
    read: ReadingOptions,
    out: OutputOptions,
) -> None:
    """Bill the same history under other terms as well.

    Shows what it would have cost, which accounts gain, and which pay more.
    """
    from ..comparison import run
    from ..config.overrides import change_of
    from ..outputs.tables import comparison

    changes = [change_of(other, where="--with") for other in others]
    with open_query(source, cycles, terms, known, read) as (opened, query, options):
        compared = run.compare_terms(opened, query, changes, options)

    out.write(
        table=lambda to: tables.comparison.comparison_tables(compared.billed_under, compared.comparisons, bills),
        rows=lambda: comparison.bills(compared.billed_under) if bills else comparison.accounts(compared.comparisons),
        json=lambda: json.dumps(comparison.document(compared.billed_under, compared.comparisons), ensure_ascii=False),
    )
    finish(compared.found, read.rejections)


def compare_plans(
    plans: Annotated[list[str], typer.Argument(metavar="PLAN PLAN...", help="Plan files, two or more.")],
    out: OutputOptions,
) -> None:
    """Find the cheapest of several plans for each quantity.

    Shows where plans break even. Credits are billed on top.
    """
    from ..comparison.break_even import break_even
    from ..config.terms import load_plan
    from ..core.errors import BillingError
    from ..outputs.tables import comparison

    if len(set(plans)) < 2:
        raise BillingError("usage", detail="plan compare takes two plans or more")
    loaded = {path: load_plan(path) for path in plans}
    by_id = {plan.id: plan for plan in loaded.values()}
    # Plans go by their ids, as on invoices; where two have the same, by their files.
    of = break_even(by_id if len(by_id) == len(loaded) else loaded)
    out.write(
        table=lambda to: tables.comparison.break_even_tables(of),
        rows=lambda: comparison.plan_ranges(of),
        json=lambda: json.dumps(comparison.break_even(of), ensure_ascii=False),
    )
