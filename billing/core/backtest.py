"""The backtest: forecasts of past cycles held against what came, and against simpler ways to guess.

Whoever is to believe a forecast should see first how such forecasts came out on their own data. Each
past cycle is forecast at a phase of it from what was over by then, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .chances import LEVELS, Chances
from .event import Int64
from .forecaster import Forecaster
from .replay import Replays

#: The levels at which forecasts are scored: the median, and the ends of bands of 50, 80 and 95 %.
QUANTILES: Final = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
#: So many past cycles make a mean, and the usual growth.
_MEAN: Final = 12

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """How good one way to guess was at one phase.

    `pinball` is the mean pinball loss over `QUANTILES`, and `error` the mean absolute error of the
    median, both in identities and less the better. `interval` is the interval score of the band of
    80 %, `coverage` how often each of the bands of `LEVELS` held what came, and `evenly` how often the
    one of 80 % did where chance decides whether a value at its edge belongs to it: a band of whole
    numbers that begins at the peak so far often has to hold more. None where a way has no bands.
    """

    name: str
    pinball: float
    error: float
    interval: float | None = None
    coverage: tuple[float, ...] | None = None
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
    ours = _score("forecast", _quantiles(peaks), finals)
    scores = [_with_bands(ours, peaks, finals)]
    for name, points in _simpler(replays, rows, forecaster.cycles, 12 // months):
        guessed = np.maximum(points, floors[:, None]).astype(np.float64)
        scores.append(_score(name, np.broadcast_to(guessed, (len(rows), len(QUANTILES))), finals))
    accounts = len(np.unique(replays.at.accounts[rows]))
    return Backtest(months, phase, len(rows), accounts, int((floors == finals).sum()), tuple(scores))


def _quantiles(peaks: Sequence[Chances]) -> Float:
    return np.array([[each.quantile(level) for level in QUANTILES] for each in peaks], np.float64)


def _score(name: str, quantiles: Any, finals: Int64) -> Score:
    levels, missed = np.array(QUANTILES), finals[:, None] - quantiles
    pinball = np.maximum(levels * missed, (levels - 1) * missed).mean()
    return Score(name, float(pinball), float(np.abs(missed[:, QUANTILES.index(0.5)]).mean()))


def _with_bands(score: Score, peaks: Sequence[Chances], finals: Int64) -> Score:
    bands = np.array([[*each.bands()] for each in peaks])
    low, high = bands[:, :, 0], bands[:, :, 1]
    came = finals[:, None]
    held = ((low <= came) & (came <= high)).mean(0)
    at = LEVELS.index(0.8)
    outside = np.maximum(low[:, at] - finals, 0) + np.maximum(finals - high[:, at], 0)
    interval = (high[:, at] - low[:, at] + outside / ((1 - LEVELS[at]) / 2)).mean()
    return Score(
        score.name,
        score.pinball,
        score.error,
        float(interval),
        tuple(held.tolist()),
        _evenly(peaks, finals, LEVELS[at]),
    )


def _evenly(peaks: Sequence[Chances], finals: Int64, level: float) -> float:
    """How much of what came has a rank in the middle of so much of the chance, counted in parts of its own chance."""
    pairs = [*zip(peaks, finals.tolist(), strict=True)]
    low = np.array([each.masses[each.values < came].sum() for each, came in pairs])
    width = np.array([each.masses[each.values == came].sum() for each, came in pairs])
    first, last = (1 - level) / 2, (1 + level) / 2
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
