"""The backtest: forecasts of past cycles held against what came, and against simpler ways to guess.

Whoever is to believe a forecast should see first how such forecasts came out on their own data. Each
past cycle is forecast at a phase of it from what was over by then, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from ..core.event import Int64
from .distribution import LEVELS, Distribution
from .model import Forecaster
from .replay import Replays

#: The levels at which forecasts are scored: the median, and the ends of bands of 50, 80 and 95 %.
QUANTILES: Final = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
#: Where the ends of each band of `LEVELS` stand among them.
_ENDS: Final = [[QUANTILES.index(round((1 + sign * level) / 2, 3)) for sign in (-1, 1)] for level in LEVELS]
#: The band that is scored most closely.
_MAIN: Final = 0.8
#: So many past cycles make a mean, and the usual growth.
_MEAN: Final = 12


@dataclass(frozen=True, slots=True)
class Score:
    """How good one way to guess was at one phase.

    `pinball` is the mean pinball loss over `QUANTILES`, `error` the mean absolute error of the median, and
    `interval` the interval score of the band of 80 %: all in identities, and the less the better.
    `coverage` says how often each of the bands of `LEVELS` held what came; the bands of a single figure
    have no width. `evenly`, of ours alone, is how often the band of 80 % did where chance decides whether a
    value at its edge belongs to it: a band of whole numbers that begins at the peak so far has to hold more.
    """

    name: str
    pinball: float
    error: float
    interval: float
    coverage: tuple[float, ...]
    evenly: float | None = None


@dataclass(frozen=True, slots=True)
class Backtest:
    """How forecasts at one phase came out: that of ours first, then simpler ways.

    All cycles are of so many `months`. `cycles` is how many were forecast, of `accounts` accounts; in
    `settled` of them the peak was reached before the moment, so that there was nothing left to guess.
    """

    months: int
    phase: float
    cycles: int
    accounts: int
    settled: int
    scores: tuple[Score, ...]


def backtest(replays: Replays, phase: float, *, months: int = 1, seed: int = 0) -> Backtest:
    """Score the forecasts of all cycles with enough history, from replays at one phase of cycles of so many months."""
    forecaster = Forecaster(replays, seed=seed)
    rows = np.flatnonzero(forecaster.able)
    floors, finals = replays.floors[rows], replays.finals[rows]
    if not len(rows):
        return Backtest(months, phase, 0, 0, 0, ())
    peaks = [guess.peak for guess in forecaster.guesses(rows.tolist())]
    quantiles = np.array([[each.quantile(level) for level in QUANTILES] for each in peaks])
    bands = np.array([[*each.bands()] for each in peaks])
    scores = [replace(_score("forecast", quantiles, bands, finals), evenly=_evenly(peaks, finals))]
    for name, points in _simpler(replays, rows, forecaster.cycles, 12 // months):
        quantiles = np.broadcast_to(np.maximum(points, floors[:, None]), (len(rows), len(QUANTILES)))
        scores.append(_score(name, quantiles, quantiles[:, _ENDS], finals))
    accounts = len(np.unique(replays.at.accounts[rows]))
    return Backtest(months, phase, len(rows), accounts, int((floors == finals).sum()), tuple(scores))


def _score(name: str, quantiles: Any, bands: Any, finals: Int64) -> Score:
    """The score of what was guessed: a row for each cycle, with a column for each quantile, or band and end of it."""
    levels, missed = np.array(QUANTILES), finals[:, None] - quantiles
    low, high, came = bands[:, :, 0], bands[:, :, 1], finals[:, None]
    outside = np.maximum(low - came, 0) + np.maximum(came - high, 0)
    intervals = high - low + outside / ((1 - np.array(LEVELS)) / 2)
    return Score(
        name,
        pinball=float(np.maximum(levels * missed, (levels - 1) * missed).mean()),
        error=float(np.abs(missed[:, QUANTILES.index(0.5)]).mean()),
        interval=float(intervals[:, LEVELS.index(_MAIN)].mean()),
        coverage=tuple((outside == 0).mean(0).tolist()),
    )


def _evenly(peaks: Sequence[Distribution], finals: Int64) -> float:
    """How much of what came has a rank in the middle 80 % of the chance, counted in parts of its own chance."""
    pairs = [*zip(peaks, finals.tolist(), strict=True)]
    low = np.array([each.probabilities[each.values < came].sum() for each, came in pairs])
    width = np.array([each.probabilities[each.values == came].sum() for each, came in pairs])
    first, last = (1 - _MAIN) / 2, (1 + _MAIN) / 2
    within = np.minimum(low + width, last) - np.maximum(low, first)
    never = width == 0  # what was given no chance has a rank, and no part
    parts = np.where(never, (first <= low) & (low <= last), within / np.where(never, 1.0, width))
    return float(np.clip(parts, 0.0, 1.0).mean())


def _simpler(replays: Replays, rows: Any, cycles: Int64, season: int) -> Iterator[tuple[str, Any]]:
    """Ways that need no more than past peaks: for each a column, or one for each of `QUANTILES`."""
    finals, floors = replays.finals, replays.floors
    yield "peak so far", floors[rows][:, None]
    yield "last cycle's peak", finals[rows - 1][:, None]
    before = [np.arange(row - min(int(cycles[row]), _MEAN), row) for row in rows.tolist()]
    yield "mean of a year", np.array([[finals[own].mean()] for own in before])
    same = [[row - lag for lag in range(season, int(cycles[row]) + 1, season)] for row in rows.tolist()]
    yield (
        "same cycle of past years",
        np.array([[finals[own or [row - 1]].mean()] for row, own in zip(rows, same, strict=True)]),
    )
    grown = [np.quantile((finals - floors)[own], QUANTILES) for own in before]
    yield "peak so far and usual growth", floors[rows][:, None] + np.array(grown)
