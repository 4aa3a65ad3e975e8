"""Verbs about cycles that are open: where they stand, and where they are heading."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .options import (
    Account,
    Anchor,
    As,
    Format,
    IgnoreExtra,
    KnownAt,
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
    now_or,
    query_of,
    read_options,
    terms_of,
)
from .output import counting, finish, print_tables, say, write

Now = Annotated[str | None, typer.Option("--as-of", help="The moment that is asked about; now, if left out.")]
Identities = Annotated[
    bool, typer.Option("--identities", help="Name who is active, and when each falls asleep if nothing happens.")
]


def status(
    source: Source,
    account: Account = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: Now = None,
    known_at: KnownAt = None,
    position: Position = None,
    identities: Identities = False,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """Who is active now, the peak so far, and what is certain of the bill of each open cycle."""
    from .. import engine
    from ..forecasting import run
    from ..outputs.tables import forecast as forecasts
    from ..outputs.tables.text import to_csv, to_json

    now = now_or(as_of, "--as-of")
    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, position=position) as options,
    ):
        given = terms_of(opened, options, terms, plan, anchor, timezone, months, reconnect)
        query = query_of(given, None, None, None, account, None)
        statuses, result = run.status(opened, query, now, options)
    if format is Format.table:
        from .tables import forecast as tables

        print_tables(output, lambda to: tables.status_tables(statuses, identities=identities))
    elif format is Format.json:
        write(output, to_json(forecasts.status(each, identities=identities) for each in statuses) + "\n")
    else:
        write(output, to_csv(forecasts.statuses(statuses)))
    _say_stale(result, as_of, now)
    _say_credits(result)
    finish(result.found, rejections)


def forecast(
    source: Source,
    account: Account = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: Now = None,
    known_at: KnownAt = None,
    position: Position = None,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Forecast past cycles instead, and show how that came out.")
    ] = False,
    phase: Annotated[
        list[float] | None,
        typer.Option(min=0.01, max=0.99, help="With --backtest: how much of a cycle has passed, such as 0.5."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Starts the dice; the same seed gives the same forecasts.")] = 0,
    identities: Identities = False,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """Where the peak and the bill of each open cycle are heading: what is certain, and what is likely."""
    from .. import engine
    from ..core.errors import BillingError
    from ..forecasting import run
    from ..outputs.tables import forecast as forecasts
    from ..outputs.tables.text import to_csv, to_json

    if phase and not backtest:
        raise BillingError("usage", detail="--phase goes with --backtest alone: an open cycle is where it is")
    now = now_or(as_of, "--as-of")
    with (
        engine.open_source(source) as opened,
        read_options(opened, strict, ignore_extra, known_at, position=position) as options,
        counting("forecasting", "phases" if backtest else "accounts") as progress,
    ):
        given = terms_of(opened, options, terms, plan, anchor, timezone, months, reconnect)
        query = query_of(given, None, None, None, account, None)
        if backtest:
            phases = tuple(phase or run.PHASES)
            tests, result = run.backtests(opened, query, now, options, phases=phases, seed=seed, progress=progress)
        else:
            found, result = run.forecast(opened, query, now, options, seed=seed, progress=progress)
    if format is Format.table:
        from .tables import forecast as tables

        print_tables(
            output,
            lambda to: (
                tables.backtest_tables(tests) if backtest else tables.forecast_tables(found, identities=identities)
            ),
        )
    elif backtest:
        write(
            output,
            to_json(map(forecasts.backtest, tests)) + "\n"
            if format is Format.json
            else to_csv(forecasts.backtests(tests)),
        )
    elif format is Format.json:
        write(output, to_json(forecasts.forecast(each, identities=identities) for each in found) + "\n")
    else:
        write(output, to_csv(forecasts.forecasts(found)))
    if not backtest:
        _say_stale(result, as_of, now)
        _say_credits(result)
    finish(result.found, rejections)


def _say_stale(result: Any, as_of: str | None, now: int) -> None:
    """Where the clock was asked about and nobody is active any more, the source may just be old."""
    ends = result.found.intervals.ends
    if as_of is None and len(ends) and int(ends.max()) <= now:
        from ..core.cycle import text_of

        say(f"Nobody is active now; the last was until {text_of(int(ends.max()))}. --as-of asks about another moment.")


def _say_credits(result: Any) -> None:
    """Where credits are paid for, an amount is certain only as far as they were used."""
    from ..core.errors import sentence

    if any(part.query.terms.prices_credits for part in result.parts):
        say(f"credits_so_far: {sentence('credits_so_far')}")
