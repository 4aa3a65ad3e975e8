"""Forecasts measured: how long those of many accounts take, and how well calibrated they are on known populations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa

import billing
from billing.core.cycle import CycleRule, micros, moment
from billing.core.event import DAY
from billing.core.terms import AllTerms, Terms
from billing.engine.query import Query
from billing.forecasting import run
from tests.bench.figures import Figure, at_most
from tests.bench.measure import Files
from tests.support.populations import KINDS, MONTH, START, population

AGENCY = "fixtures/agency"
#: Of how many accounts, over how many months.
ACCOUNTS, MONTHS = 24, 36


def forecast(_: Files, *, accounts: int) -> Iterator[Figure]:
    """Every account with an anchor of its own, so that no two cycles are at quite the same phase."""
    parts = [population(kind, accounts=accounts // 2, months=24) for kind in ("steady", "growing")]
    events = pa.concat_tables(parts)
    names = events["account_id"].unique().to_pylist()
    anchors = [moment(START + k * 28 * DAY // len(names)) for k in range(len(names))]
    own = {name: Terms(cycles=CycleRule(anchor)) for name, anchor in zip(names, anchors, strict=True)}
    now = START + int(23.6 * MONTH * DAY)
    times = {}
    for what, query in (("of a month", Query()), ("of their own", Query(terms=AllTerms(accounts=own)))):
        began = perf_counter()
        found, _answered = run.forecast(events, query, now)
        times[what] = perf_counter() - began
        forecastable = sum(each.peak is not None for each in found)
    took = times["of their own"]
    yield Figure(
        f"{len(found):,} open accounts forecast from {events.num_rows / 1e6:.1f} M events of two years",
        f"{took:.1f} s",
        f"{times['of a month']:.1f} s where all cycles are those of the calendar; {forecastable:,} had history enough",
        "at most 30 s",
        at_most(30, took),
    )


def calibrated(_: Files, *, log: Path | None = None) -> Iterator[Figure]:
    """How well forecasts of known populations are calibrated, and their loss beside the best simpler model."""
    for kind in KINDS:
        events = population(kind, accounts=ACCOUNTS, months=MONTHS)
        yield _backtest(f"a {kind} population", events, Query(), START + int(MONTHS * MONTH * DAY))
    terms = billing.load_terms(f"{AGENCY}/terms.toml")
    year_end = micros(datetime(2026, 1, 1, tzinfo=UTC))
    yield _backtest("the agency", f"{AGENCY}/events.csv", Query(terms=terms), year_end)
    if log is not None:
        events = billing.read(str(log))
        yield _backtest(log.name, events, Query(), int(events.columns.instants.max()) + 1)


def _backtest(what: str, source: Any, query: Query, now: int) -> Figure:
    """One row for all phases, with a figure for each."""
    found, _ = run.backtests(source, query, now)
    ours = [of.scores[0] for of in found]
    randomised = [score.randomised_coverage or 0.0 for score in ours]
    covered = [score.coverage[1] for score in ours]
    losses = [of.scores[0].pinball / min(score.pinball for score in of.scores[1:]) for of in found]
    fine = all(0.75 <= each <= 0.88 for each in randomised) and all(loss < 1 for loss in losses)
    return Figure(
        f"{found[0].cycles:,} cycles of {what}, forecast at {_spaced(of.phase * 100 for of in found)} %",
        f"80 % interval covers {_spaced(each * 100 for each in covered)} %, "
        f"randomised {_spaced(each * 100 for each in randomised)} %",
        f"loss {' '.join(f'{loss:.2f}' for loss in losses)} of that of the best simpler model",
        "randomised 75 to 88 %, below 1",
        "yes" if fine else "**no**",
    )


def _spaced(figures: Iterable[float]) -> str:
    return " ".join(f"{figure:.0f}" for figure in figures)
