"""The forecast model: the distribution of the final peak of an open cycle.

`status` says what is certain; this says what is likely. Between the cutoff and the end of the cycle three
things are uncertain: whether an identity active now is renewed before it becomes inactive, or is deleted;
whether an inactive one returns; and how many new ones arrive.

1. Paths to the end of the cycle are simulated. Each follows a past cycle, its donor, from the same phase
   on: most often a recent cycle of the account itself, sometimes one of a peer, more often the shorter the
   account's own history is. Its rates are shrunk towards those of the account's past cycles, and those
   towards the peers' (the prior).
2. A small share of the paths is replaced by an exponential tail, for peaks never seen before.
3. The distribution of the simulated peaks is recalibrated: past cycles are forecast in the same way, and
   the empirical CDF of their probability integral transforms is applied to the forecast. If one in five of
   the past peaks exceeded the quantile at 90 %, the new quantile at 90 % lies that much higher. This is in
   the way of split-conformal prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.event import Int64
from .distribution import Distribution
from .replay import STEPS, Replays

Float = NDArray[np.float64]

#: An account is forecast from so many past cycles of its own, at least, and at most.
HISTORY_MIN: Final = 3
HISTORY_MAX: Final = 24

# The following constants were chosen by backtests; results change little when one of them changes a little.

#: How many paths are simulated: for a forecast, and for that of a past cycle, which only recalibrates.
_PATHS: Final = 1000
_CALIBRATION_PATHS: Final = 200
#: The weight of a past cycle halves with every so many cycles.
_HALF_LIFE: Final = 6.0
#: The weight of peers, in cycles of the account: in choosing a donor, and in the rates of the prior.
_PEER_DONORS: Final = 1.0
_PEER_ARRIVALS: Final = 2.0
_PEER_RENEWALS: Final = 4.0
_PEER_RETENTION: Final = 20.0
#: How strongly the rates of a donor are shrunk towards the prior of the account.
_SHRINK_RETENTION: Final = 10.0
_SHRINK_ARRIVALS: Final = 0.7
#: The share of paths that is replaced by the tail, and the scale of the tail, relative to the mean peak.
_TAIL_SHARE: Final = 0.04
_TAIL_SCALE: Final = 0.25
#: Recalibration starts as if so many past forecasts had been perfectly calibrated, and weighs peers as so many at most.
_CALIBRATED_BEFORE: Final = 12.0
_CALIBRATION_PEERS: Final = 40.0
#: The probabilities at which the recalibrated CDF is stored.
_PROBABILITIES: Final = np.linspace(0.0, 1.0, 201)
#: How many numbers to work on at a time: few enough to fit the processor's cache.
_CELLS: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class PeakForecast:
    """How likely each final peak of a cycle is.

    `fan`, where it was requested, holds the distributions of the peak up to some instants (microseconds)
    before the end of the cycle, and at the end. `cycles` is how many past cycles of the account were
    learned from, `peers` how many of other accounts.
    """

    distribution: Distribution
    fan: tuple[tuple[int, Distribution], ...]
    cycles: int
    peers: int


class Forecaster:
    """Forecasts final peaks from replays, in which the rows of an account stand together and in order.

    The forecast of a row uses only cycles that had ended by its cutoff. So the forecasts of past cycles are
    genuine, and their errors can recalibrate later ones. The same `seed` gives the same forecasts.
    """

    def __init__(self, replays: Replays, *, seed: int = 0) -> None:
        self._replays = replays
        accounts = replays.cutoffs.accounts
        first = np.flatnonzero(np.append(True, accounts[1:] != accounts[:-1])) if len(replays) else np.empty(0, np.intp)
        #: How many earlier rows belong to the same account.
        self.history: Int64 = np.arange(len(replays)) - np.repeat(first, np.diff(np.append(first, len(replays))))
        # The size of an account: what is seen of it at the cutoff, or most of what it was in the cycle before.
        previous = np.where(self.history > 0, np.roll(replays.final_peaks, 1), 0)
        self._sizes = np.maximum(np.maximum(replays.active, replays.peaks_so_far), 0.6 * previous) + 0.5
        self._by_end = np.argsort(replays.cutoffs.ends, kind="stable")
        #: How many cycles, of all accounts, had ended by the cutoff of each row.
        self.ended: Int64 = np.searchsorted(replays.cutoffs.ends[self._by_end], replays.cutoffs.instants, "right")
        self._seed = seed
        self._prior = self._fit_prior()
        self._recalibrated_cdf = self._fit_recalibration()

    @property
    def has_history(self) -> NDArray[np.bool_]:
        """Which rows have enough history to be forecast."""
        return self.history >= HISTORY_MIN

    def predict(self, rows: Sequence[int], *, fans: bool = False) -> list[PeakForecast]:
        """Forecast rows that have enough history; with `fans`, also the peak up to each step of the horizon."""
        found = []
        for batch in _batches(rows, _PATHS):
            paths = self._simulate_paths(batch, _PATHS)
            steps = range(STEPS) if fans else [STEPS - 1]
            peaks = [self._simulated_peaks(batch, paths[:, :, step]) for step in steps]
            for k, row in enumerate(batch):
                distributions = [self._distribution(row, at_step[k]) for at_step in peaks]
                fan = tuple(zip(self._replays.cutoffs.step_ends(row), distributions, strict=True)) if fans else ()
                cycles = int(self.history[row])
                found.append(PeakForecast(distributions[-1], fan, cycles, int(self.ended[row]) - cycles))
        return found

    def _fit_prior(self) -> _Prior:
        """The rates of each row's account in its earlier cycles, shrunk towards those of its peers."""
        replays = self._replays
        expired = replays.active[:, None] - replays.unexpired
        sums = [np.zeros(replays.unexpired.shape) for _ in range(5)]
        weights = np.zeros(len(replays))
        for lag in range(1, HISTORY_MAX + 1):
            rows = np.flatnonzero(self.history >= lag)
            earlier, weight = rows - lag, 0.5 ** (lag / _HALF_LIFE)
            weights[rows] += weight
            # Fewer arrive at an account that has become smaller; not more at one that has grown.
            shrinkage = np.minimum(1.0, self._sizes[rows] / self._sizes[earlier])[:, None]
            columns = (
                expired[earlier],
                replays.renewed[earlier],
                replays.unexpired[earlier],
                replays.retained[earlier],
                replays.arrived[earlier] * shrinkage,
            )
            for total, column in zip(sums, columns, strict=True):
                total[rows] += weight * column
        own_expired, own_renewed, own_unexpired, own_retained, own_arrived = sums
        peer_expired, peer_renewed, peer_unexpired, peer_retained, peer_arrived = (
            self._sum_over_peers(column)
            for column in (expired, replays.renewed, replays.unexpired, replays.retained, replays.arrived)
        )
        peer_size = self._sum_over_peers(self._sizes[:, None])
        # Before there is any data: one in four is renewed, all are retained, and hardly anyone arrives.
        renewal = (peer_renewed + 0.5) / (peer_expired + 2.0)
        retention = (peer_retained + 4.0) / (peer_unexpired + 4.0)
        arrivals = (peer_arrived + 0.1) / (peer_size + 1.0) * self._sizes[:, None]
        return _Prior(
            weights=weights,
            renewal=(own_renewed + _PEER_RENEWALS * renewal) / (own_expired + _PEER_RENEWALS),
            retention=(own_retained + _PEER_RETENTION * retention) / (own_unexpired + _PEER_RETENTION),
            arrivals=(own_arrived + _PEER_ARRIVALS * arrivals) / (weights[:, None] + _PEER_ARRIVALS),
        )

    def _sum_over_peers(self, column: Any) -> Float:
        """For each row the sum of a column over the cycles of other accounts that had ended by its cutoff."""
        by_end = np.zeros((len(column) + 1, column.shape[1]))
        np.cumsum(column[self._by_end], axis=0, out=by_end[1:])
        before = np.cumsum(column, axis=0) - column
        own = before - before[np.arange(len(column)) - self.history]
        found: Float = np.maximum(by_end[self.ended] - own, 0.0)
        return found

    def _simulate_paths(self, rows: Sequence[int], count: int) -> Float:
        """The highest count up to the end of each step, for each row and each of `count` paths."""
        replays, prior, target = self._replays, self._prior, np.asarray(rows)
        rng = np.random.default_rng(self._seed)
        # All rows share the same random numbers, each stratified: so similar accounts have similar forecasts.
        midpoints = (np.arange(count) + 0.5) / count
        peer_draw, cycle_draw, rounding_draw = (rng.permutation(midpoints) for _ in range(3))
        noise = rng.standard_normal(count)
        donors = self._choose_donors(target, peer_draw, cycle_draw)
        own = replays.cutoffs.accounts[donors] == replays.cutoffs.accounts[target][:, None]
        ratio = self._sizes[target][:, None] / self._sizes[donors]
        scale = np.where(own, np.minimum(1.0, ratio), np.sqrt(np.clip(ratio, 0.2, 5.0)))[:, :, None]
        unexpired, active = replays.unexpired[target][:, None, :], replays.active[target][:, None, None]
        expired = replays.active[donors][:, :, None] - replays.unexpired[donors]
        renewal = replays.renewed[donors] + _PEER_RENEWALS * prior.renewal[target][:, None]
        renewal /= expired + _PEER_RENEWALS
        retention = replays.retained[donors] + _SHRINK_RETENTION * prior.retention[target][:, None]
        retention /= replays.unexpired[donors] + _SHRINK_RETENTION
        arrivals = replays.arrived[donors] * scale + _SHRINK_ARRIVALS * prior.arrivals[target][:, None]
        arrivals /= 1.0 + _SHRINK_ARRIVALS
        mean = unexpired * retention + (active - unexpired) * renewal + arrivals
        # Renewals and retentions are binomial, arrivals Poisson.
        variance = (
            unexpired * retention * (1.0 - retention) + (active - unexpired) * renewal * (1.0 - renewal) + arrivals
        )
        counts = mean + noise[None, :, None] * np.sqrt(np.maximum(variance, 0.0))
        found: Float = np.floor(np.maximum.accumulate(counts, axis=2) + rounding_draw[None, :, None])
        return found

    def _choose_donors(self, rows: Any, peer_draw: Float, cycle_draw: Float) -> Any:
        """For each row and path the past cycle that it follows."""
        decay, cycles = 0.5 ** (1.0 / _HALF_LIFE), np.minimum(self.history[rows], HISTORY_MAX)[:, None]
        # Lags of the account's own cycles are geometric, truncated at the oldest.
        lag = np.ceil(np.log1p(-cycle_draw * (1.0 - decay**cycles)) / np.log(decay)).astype(np.int64)
        own = rows[:, None] - np.clip(lag, 1, np.maximum(cycles, 1))
        peers = self._by_end[(cycle_draw * np.maximum(self.ended[rows], 1)[:, None]).astype(np.int64)]
        peer_share = _PEER_DONORS / (_PEER_DONORS + self._prior.weights[rows])
        return np.where(peer_draw < peer_share[:, None], peers, own)

    def _simulated_peaks(self, rows: Sequence[int], highest: Float) -> Int64:
        """Final peaks, sorted for each row: those of the paths, none below the peak so far, and those of the tail."""
        peaks_so_far = self._replays.peaks_so_far[np.asarray(rows)][:, None]
        size = max(int(highest.shape[1] * _TAIL_SHARE), 1)
        midpoints = (np.arange(size) + 0.5) / size
        scale = np.maximum(1.0, _TAIL_SCALE * np.maximum(highest.mean(1), peaks_so_far[:, 0]) + 0.5)
        tail = peaks_so_far + scale[:, None] * -np.log1p(-midpoints)
        return np.sort(np.maximum(peaks_so_far, np.append(highest, tail, axis=1)).astype(np.int64), axis=1)

    def _fit_recalibration(self) -> Float:
        """For each row the recalibrated CDF: which probability to report in place of each of `_PROBABILITIES`."""
        replays = self._replays
        below, up_to = np.zeros(len(replays)), np.ones(len(replays))
        forecastable = self.history > 0
        for batch in _batches(np.flatnonzero(forecastable).tolist(), _CALIBRATION_PATHS):
            peaks = self._simulated_peaks(batch, self._simulate_paths(batch, _CALIBRATION_PATHS)[:, :, -1])
            final_peaks = replays.final_peaks[batch][:, None]
            below[batch], up_to[batch] = (peaks < final_peaks).mean(1), (peaks <= final_peaks).mean(1)
        # The CDF of the PIT of each past peak, spread evenly over the probability of that peak.
        width = np.maximum(up_to - below, 1e-12)[:, None]
        pits = np.clip((_PROBABILITIES - below[:, None]) / width, 0.0, 1.0) * forecastable[:, None]
        pits[:, -1] = forecastable
        peers, own = self._sum_over_peers(pits), np.cumsum(pits, axis=0) - pits
        own = own - own[np.arange(len(replays)) - self.history]
        peer_weight = np.minimum(1.0, _CALIBRATION_PEERS / np.maximum(peers[:, -1:], 1.0))
        total = _CALIBRATED_BEFORE * _PROBABILITIES + own + peer_weight * peers
        found: Float = total / total[:, -1:]
        return found

    def _distribution(self, row: int, peaks: Int64) -> Distribution:
        """The distribution of sorted simulated peaks, recalibrated."""
        values, counts = np.unique(peaks, return_counts=True)
        cdf = np.interp(np.cumsum(counts) / len(peaks), _PROBABILITIES, self._recalibrated_cdf[row])
        cdf[-1] = 1.0
        probabilities = np.diff(cdf, prepend=0.0)
        possible = probabilities > 0
        return Distribution(values[possible], probabilities[possible])


@dataclass(frozen=True, slots=True)
class _Prior:
    """What to expect of the cycle of each row, from earlier cycles of its account and its peers.

    `weights` is the total weight of the account's own cycles. For each step of the horizon, `renewal` is the
    probability that an identity whose window ends by then is active, `retention` that one whose window does
    not end is, and `arrivals` how many others to expect.
    """

    weights: Float
    renewal: Float
    retention: Float
    arrivals: Float


def _batches(rows: Sequence[int], paths: int) -> Iterator[list[int]]:
    """Rows in batches small enough to be simulated at once."""
    size = max(_CELLS // (paths * STEPS), 1)
    for first in range(0, len(rows), size):
        yield list(rows[first : first + size])
