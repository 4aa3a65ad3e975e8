"""The backtest: forecasts of past cycles compared with their final peaks, beside simpler models.

Before you rely on a forecast, see how such forecasts would have done on your own data. Each past cycle
is forecast from a cutoff within it, at the same phase for all, using only what was known at the cutoff.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ..core.event import Int64
from .distribution import LEVELS, Distribution
from .model import Float, Forecaster
from .replay import Replays

#: The levels of the quantiles that are scored: the median, and the ends of the central 50, 80 and 95 %.
QUANTILES: Final = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
#: Where the ends of the central interval of each of `LEVELS` are in `QUANTILES`.
_ENDS: Final = [[QUANTILES.index(round((1 + sign * level) / 2, 3)) for sign in (-1, 1)] for level in LEVELS]
#: The level whose interval score and randomised coverage are reported.
_MAIN_LEVEL: Final = 0.8
#: How many past cycles the simpler models average over.
_MEAN_CYCLES: Final = 12


@dataclass(frozen=True, slots=True)
class PastCycles:
    """The past cycles of a backtest, each forecast from its cutoff.

    `rows` are the rows of `replays` to forecast, each with enough history; `history` is how many earlier
    rows belong to the same account, and `season` how many cycles make a year. A model may look at the
    whole of an earlier row of the account, but of its own row only at what precedes the cutoff.
    """

    replays: Replays
    rows: NDArray[np.intp]
    history: Int64
    season: int

    @property
    def peaks_so_far(self) -> Int64:
        """The peak of each cycle up to its cutoff."""
        return self.replays.peaks_so_far[self.rows]

    @property
    def final_peaks(self) -> Int64:
        """The peak that each cycle had in the end."""
        return self.replays.final_peaks[self.rows]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a model predicts: a row for each cycle.

    `quantiles` has a column for each of `QUANTILES`, `intervals` (rows, levels, 2) the ends of the
    prediction interval for each of `LEVELS`. `distributions` are none where a model has only quantiles.
    """

    quantiles: Float
    intervals: Float
    distributions: Sequence[Distribution] | None = None


class Model(Protocol):
    """What a backtest can score: anything with a name that predicts the final peaks of past cycles."""

    @property
    def name(self) -> str:
        """What the model is called in the results."""

    def predict(self, cycles: PastCycles) -> Predictions:
        """Predict the final peak of each cycle."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A model that needs only past peaks: one number for each cycle, or one for each of `QUANTILES`.

    A prediction below the peak so far is raised to it.
    """

    name: str
    estimate: Callable[[PastCycles], Any]

    def predict(self, cycles: PastCycles) -> Predictions:
        """The estimates as quantiles; of a single number, all quantiles are that number."""
        shape = len(cycles.rows), len(QUANTILES)
        quantiles = np.broadcast_to(np.maximum(self.estimate(cycles), cycles.peaks_so_far[:, None]), shape)
        return Predictions(quantiles, quantiles[:, _ENDS])


def _last_peak(cycles: PastCycles) -> Any:
    return cycles.replays.final_peaks[cycles.rows - 1][:, None]


def _mean_of_year(cycles: PastCycles) -> Any:
    return np.array([[cycles.replays.final_peaks[earlier].mean()] for earlier in _recent(cycles)])


def _seasonal_mean(cycles: PastCycles) -> Any:
    """The mean of the same cycle of past years; the cycle before, in the first year."""
    seasons = [
        [row - lag for lag in range(cycles.season, int(cycles.history[row]) + 1, cycles.season)]
        for row in cycles.rows.tolist()
    ]
    pairs = zip(cycles.rows, seasons, strict=True)
    return np.array([[cycles.replays.final_peaks[same or [row - 1]].mean()] for row, same in pairs])


def _past_growth(cycles: PastCycles) -> Any:
    """The peak so far plus the quantiles of how much past peaks rose after the cutoff."""
    growth = cycles.replays.final_peaks - cycles.replays.peaks_so_far
    return cycles.peaks_so_far[:, None] + np.array([np.quantile(growth[rows], QUANTILES) for rows in _recent(cycles)])


def _recent(cycles: PastCycles) -> list[NDArray[np.intp]]:
    """For each cycle the rows of those before it, a year of them at most."""
    return [np.arange(row - min(int(cycles.history[row]), _MEAN_CYCLES), row) for row in cycles.rows.tolist()]


#: The simpler models that a forecast has to beat.
BASELINES: Final[tuple[Model, ...]] = (
    Baseline("peak so far", lambda cycles: cycles.peaks_so_far[:, None]),
    Baseline("last cycle's peak", _last_peak),
    Baseline("mean of a year", _mean_of_year),
    Baseline("same cycle of past years", _seasonal_mean),
    Baseline("peak so far and usual growth", _past_growth),
)


@dataclass(frozen=True, slots=True)
class _Forecast:
    """Our own forecast, as a model to score."""

    forecaster: Forecaster
    name: str = "forecast"

    def predict(self, cycles: PastCycles) -> Predictions:
        """Distributions, with their quantiles and their shortest intervals."""
        found = [each.distribution for each in self.forecaster.predict(cycles.rows.tolist())]
        quantiles = np.array([[each.quantile(level) for level in QUANTILES] for each in found])
        return Predictions(quantiles, np.array([[*each.intervals()] for each in found]), found)


@dataclass(frozen=True, slots=True)
class Score:
    """How good one model was at one phase.

    `pinball` is the quantile (pinball) loss, the mean over `QUANTILES`; `absolute_error` that of the
    median, and `interval_score` that of the interval at 80 %: means over the cycles, in identities, less
    is better. `coverage` is the share of final peaks inside the interval, for each of `LEVELS`; the
    intervals of a model that gives one number have no width.

    `randomised_coverage`, of models with distributions, is that of the central 80 % by the randomised
    probability integral transform, in expectation: a final peak counts with the part of its probability
    that lies inside. An interval of whole numbers that starts at the peak so far covers more than its
    level; this does not.
    """

    model: str
    pinball: float
    absolute_error: float
    interval_score: float
    coverage: tuple[float, ...]
    randomised_coverage: float | None = None


@dataclass(frozen=True, slots=True)
class Backtest:
    """How the models did at one phase: our forecast first, then the others.

    All cycles are of so many `months`. `cycles` is how many were forecast, of `accounts` accounts; in
    `peak_reached` of them the final peak was reached before the cutoff, so that nothing was left to forecast.
    """

    months: int
    phase: float
    cycles: int
    accounts: int
    peak_reached: int
    scores: tuple[Score, ...]


def backtest(
    replays: Replays, phase: float, *, months: int = 1, seed: int = 0, models: Sequence[Model] = BASELINES
) -> Backtest:
    """Score our forecast and some `models` on all cycles with enough history.

    `replays` are cycles of so many months, cut off at one phase of each.
    """
    forecaster = Forecaster(replays, seed=seed)
    cycles = PastCycles(replays, np.flatnonzero(forecaster.has_history), forecaster.history, 12 // months)
    if not len(cycles.rows):
        return Backtest(months, phase, 0, 0, 0, ())
    ours: Model = _Forecast(forecaster)
    scores = tuple(_score(model.name, model.predict(cycles), cycles.final_peaks) for model in (ours, *models))
    accounts = len(np.unique(replays.cutoffs.accounts[cycles.rows]))
    peak_reached = int((cycles.peaks_so_far == cycles.final_peaks).sum())
    return Backtest(months, phase, len(cycles.rows), accounts, peak_reached, scores)


def _score(model: str, predicted: Predictions, final_peaks: Int64) -> Score:
    levels, errors = np.array(QUANTILES), final_peaks[:, None] - predicted.quantiles
    low, high, actual = predicted.intervals[:, :, 0], predicted.intervals[:, :, 1], final_peaks[:, None]
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    interval_scores = high - low + outside / ((1 - np.array(LEVELS)) / 2)
    distributions = predicted.distributions
    return Score(
        model,
        pinball=float(np.maximum(levels * errors, (levels - 1) * errors).mean()),
        absolute_error=float(np.abs(errors[:, QUANTILES.index(0.5)]).mean()),
        interval_score=float(interval_scores[:, LEVELS.index(_MAIN_LEVEL)].mean()),
        coverage=tuple((outside == 0).mean(0).tolist()),
        randomised_coverage=None if distributions is None else _randomised_coverage(distributions, final_peaks),
    )


def _randomised_coverage(distributions: Sequence[Distribution], final_peaks: Int64) -> float:
    """The expected share of final peaks whose randomised PIT is in the central 80 %.

    The PIT of a peak is uniform from the probability below it to that up to and including it.
    """
    pairs = [*zip(distributions, final_peaks.tolist(), strict=True)]
    below = np.array([each.probabilities[each.values < peak].sum() for each, peak in pairs])
    width = np.array([each.probabilities[each.values == peak].sum() for each, peak in pairs])
    first, last = (1 - _MAIN_LEVEL) / 2, (1 + _MAIN_LEVEL) / 2
    within = np.minimum(below + width, last) - np.maximum(below, first)
    impossible = width == 0  # a peak of no probability has one PIT, and no range of them
    shares = np.where(impossible, (first <= below) & (below <= last), within / np.where(impossible, 1.0, width))
    return float(np.clip(shares, 0.0, 1.0).mean())
