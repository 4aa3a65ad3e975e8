"""Verbs about cycles that are open: where they stand, and where they are heading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import remedies, tables
from .option_groups import CycleOptions, OutputOptions, ReadingOptions, RecordedOptions, TermsOptions, open_query
from .options import Account, Now, Source, now_or
from .output import counting, finish, say

if TYPE_CHECKING:
    from ..engine import Result

Identities = Annotated[
    bool, typer.Option("--identities", help="Name who is active, and when each becomes inactive if nothing happens.")
]


def status(
    source: Source,
    *,
    account: Account = None,
    terms: TermsOptions,
    as_of: Now = None,
    known: RecordedOptions,
    identities: Identities = False,
    read: ReadingOptions,
    out: OutputOptions,
) -> None:
    """Show who is active now, and the peak so far.

    For each open cycle, also what is certain of its bill.
    """
    from ..forecasting import run
    from ..outputs.tables import forecast as forecasts
    from ..outputs.tables.text import to_json

    now = now_or(as_of, "--as-of")
    with open_query(source, CycleOptions(account=account), terms, known, read) as (opened, query, options):
        statuses, result = run.status(opened, query, now, options)
    out.write(
        table=lambda to: tables.forecast.status_tables(statuses, identities=identities),
        rows=lambda: forecasts.statuses(statuses),
        json=lambda: to_json(forecasts.status(each, identities=identities) for each in statuses),
    )
    _say_limits(result, as_of, now)
    finish(result.found, read.rejections)


def forecast(
    source: Source,
    *,
    account: Account = None,
    terms: TermsOptions,
    as_of: Now = None,
    known: RecordedOptions,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Forecast past cycles instead, and score those forecasts.")
    ] = False,
    phase: Annotated[
        list[float] | None,
        typer.Option(min=0.01, max=0.99, help="With --backtest: how much of a cycle has passed, such as 0.5."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the random numbers; the same gives the same forecasts.")
    ] = 0,
    identities: Identities = False,
    read: ReadingOptions,
    out: OutputOptions,
) -> None:
    """Forecast the peak and the bill of each open cycle.

    What is certain is shown beside what is likely.
    """
    from ..core.errors import BillingError
    from ..forecasting import run
    from ..outputs.tables import forecast as forecasts
    from ..outputs.tables.text import to_json

    if phase and not backtest:
        raise BillingError("usage", detail="--phase goes with --backtest alone: an open cycle is where it is")
    now = now_or(as_of, "--as-of")
    cycles = CycleOptions(account=account)
    with (
        open_query(source, cycles, terms, known, read) as (opened, query, options),
        counting("forecasting", "phases" if backtest else "accounts") as progress,
    ):
        if backtest:
            phases = tuple(phase or run.PHASES)
            tests, result = run.backtests(opened, query, now, options, phases=phases, seed=seed, progress=progress)
        else:
            found, result = run.forecast(opened, query, now, options, seed=seed, progress=progress)
    if backtest:
        out.write(
            table=lambda to: tables.forecast.backtest_tables(tests),
            rows=lambda: forecasts.backtests(tests),
            json=lambda: to_json(map(forecasts.backtest, tests)),
        )
    else:
        out.write(
            table=lambda to: tables.forecast.forecast_tables(found, identities=identities),
            rows=lambda: forecasts.forecasts(found),
            json=lambda: to_json(forecasts.forecast(each, identities=identities) for each in found),
        )
        _say_limits(result, as_of, now)
    finish(result.found, read.rejections)


def _say_limits(result: Result, as_of: str | None, now: int) -> None:
    """Point out a source that may just be old, and amounts in which credits to come are missing."""
    ends = result.found.intervals.ends
    if as_of is None and len(ends) and int(ends.max()) <= now:
        from ..core.cycle import text_of

        say(f"Nobody is active now; the last was until {text_of(int(ends.max()))}. --as-of asks about another moment.")
    if any(part.query.terms.prices_credits for part in result.parts):
        say(remedies.line("credits_so_far"))
