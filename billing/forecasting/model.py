"""The forecast: where the peak of an open cycle is heading, as chances.

What is certain is in `status`; this is the guess. Only three things are left to chance: who is active
now is used again before falling asleep, or is deleted; who is asleep returns; and new ones come.
Paths to the cycle's end are drawn by letting these three go as they went in one past cycle at the same
phase: most often a recent one of the account itself, sometimes one of its peers, and that the more
often the shorter its own history is. What was drawn is then corrected by how forecasts of past cycles
came out, in the way of split-conformal prediction: if one in five of them came out above what was to
be exceeded by one in ten, what is said now lies so much higher.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..core.event import Int64
from .distribution import Distribution
from .replay import SLICES, Replays

Float = NDArray[np.float64]

#: An account is forecast from so many past cycles of its own, at least, and at most.
HISTORY_MIN: Final = 3
HISTORY_MAX: Final = 24

# What follows was chosen by backtests, and changes little if it is changed a little.

#: How many paths are drawn: for a forecast, and for one of a past cycle that only corrects.
_PATHS: Final = 1000
_PATHS_BEFORE: Final = 200
#: After so many cycles a past one counts half.
_HALF_LIFE: Final = 6.0
#: What peers weigh beside own cycles: in which cycle is drawn, in how many come, in who is used again, in who is kept.
_PEERS_DRAWN: Final = 1.0
_PEERS_COME: Final = 2.0
_PEERS_BACK: Final = 4.0
_PEERS_KEPT: Final = 20.0
#: How far one cycle is taken as it was, and not as those of the account are on average.
_MEAN_KEPT: Final = 10.0
_MEAN_COME: Final = 0.7
#: Of all paths so many are set aside for what has never been seen, and how high those reach, in parts of the peak.
_UNSEEN: Final = 0.04
_UNSEEN_REACH: Final = 0.25
#: A correction starts from so many past forecasts that came out as they said, and counts at most so many of peers.
_TRUST: Final = 12.0
_PEERS_CORRECT: Final = 40.0
_RANKS: Final = np.linspace(0.0, 1.0, 201)
#: About how many numbers are worked on at a time: few enough to stay close to the processor.
_CELLS: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class PeakForecast:
    """What the final peak of a cycle may be.

    `fan`, where it was asked for, holds the chances of the peak up to some instants (microseconds) before
    the cycle's end, and at it. `cycles` is how many past cycles of the account it was learned from,
    `peers` how many of other accounts.
    """

    peak: Distribution
    fan: tuple[tuple[int, Distribution], ...]
    cycles: int
    peers: int


class Forecaster:
    """Forecasts from replays, in which the cycles of each account stand together and in order.

    A forecast for a row is learned from what was over at its moment: so those of past cycles are true
    forecasts too, and how they came out corrects the others. `seed` starts the dice.
    """

    def __init__(self, replays: Replays, *, seed: int = 0) -> None:
        self._seen = replays
        accounts = replays.at.accounts
        first = np.flatnonzero(np.append(True, accounts[1:] != accounts[:-1])) if len(replays) else np.empty(0, np.intp)
        self.cycles: Int64 = np.arange(len(replays)) - np.repeat(first, np.diff(np.append(first, len(replays))))
        # How large an account is: what is seen of it now, or most of what it was in the cycle before.
        before = np.where(self.cycles > 0, np.roll(replays.finals, 1), 0)
        self._sizes = np.maximum(np.maximum(replays.active, replays.floors), 0.6 * before) + 0.5
        self._over = np.argsort(replays.at.ends, kind="stable")
        self.known: Int64 = np.searchsorted(replays.at.ends[self._over], replays.at.moments, "right")
        self._seed = seed
        self._usual = self._learned()
        self._corrections = self._corrected()

    @property
    def able(self) -> NDArray[np.bool_]:
        """For which rows there is enough history."""
        return self.cycles >= HISTORY_MIN

    def guesses(self, rows: Sequence[int], *, fans: bool = False) -> list[PeakForecast]:
        """The chances of the final peak for rows with enough history; with `fans`, also of the peak until then."""
        found = []
        for part in _parts(rows, _PATHS):
            paths = self._paths(part, _PATHS)
            slices = range(SLICES) if fans else [SLICES - 1]
            peaks = [self._peaks(part, paths[:, :, k]) for k in slices]
            for k, row in enumerate(part):
                chances = [self._chances(row, of_slice[k]) for of_slice in peaks]
                fan = tuple(zip(self._seen.at.slices(row), chances, strict=True)) if fans else ()
                cycles = int(self.cycles[row])
                found.append(PeakForecast(chances[-1], fan, cycles, int(self.known[row]) - cycles))
        return found

    def _learned(self) -> _Usual:
        """How it usually went in the cycles of an account before each row, and a little in those of its peers."""
        seen = self._seen
        asleep = seen.active[:, None] - seen.stairs
        sums = [np.zeros(seen.stairs.shape) for _ in range(5)]
        weights = np.zeros(len(seen))
        for lag in range(1, HISTORY_MAX + 1):
            rows = np.flatnonzero(self.cycles >= lag)
            then, weight = rows - lag, 0.5 ** (lag / _HALF_LIFE)
            weights[rows] += weight
            shrunk = self._shrunk(rows, then)[:, None]
            columns = (asleep[then], seen.back[then], seen.stairs[then], seen.kept[then], seen.others[then] * shrunk)
            for total, column in zip(sums, columns, strict=True):
                total[rows] += weight * column
        slept, back, stood, kept, come = sums
        of_peers = [self._of_peers(c) for c in (asleep, seen.back, seen.stairs, seen.kept, seen.others)]
        size = self._of_peers(self._sizes[:, None])
        # Before anybody has a past: one in four is used again in time, nobody is lost, and hardly anyone comes.
        peers_back = (of_peers[1] + 0.5) / (of_peers[0] + 2.0)
        peers_kept = (of_peers[3] + 4.0) / (of_peers[2] + 4.0)
        peers_come = (of_peers[4] + 0.1) / (size + 1.0) * self._sizes[:, None]
        return _Usual(
            weights=weights,
            back=(back + _PEERS_BACK * peers_back) / (slept + _PEERS_BACK),
            kept=(kept + _PEERS_KEPT * peers_kept) / (stood + _PEERS_KEPT),
            come=(come + _PEERS_COME * peers_come) / (weights[:, None] + _PEERS_COME),
        )

    def _of_peers(self, column: Any) -> Float:
        """What a column comes to in all cycles of other accounts that were over at the moment of each row."""
        over = np.zeros((len(column) + 1, column.shape[1]))
        np.cumsum(column[self._over], axis=0, out=over[1:])
        before = np.cumsum(column, axis=0) - column
        own = before - before[np.arange(len(column)) - self.cycles]
        found: Float = np.maximum(over[self.known] - own, 0.0)
        return found

    def _shrunk(self, rows: Any, then: Any) -> Any:
        """Fewer come to an account that has become smaller; not more to one that has grown."""
        return np.minimum(1.0, self._sizes[rows] / self._sizes[then])

    def _paths(self, rows: Sequence[int], count: int) -> Float:
        """How the count may go on: the highest up to the end of each slice, for each row and each of `count` paths."""
        seen, usual, t = self._seen, self._usual, np.asarray(rows)
        dice = np.random.default_rng(self._seed)
        # The same dice for all, each spread evenly: so accounts alike have forecasts alike.
        even = (np.arange(count) + 0.5) / count
        whose, which, round_up = (dice.permutation(even) for _ in range(3))
        common = dice.standard_normal(count)
        donors = self._donors(t, whose, which)
        own = seen.at.accounts[donors] == seen.at.accounts[t][:, None]
        ratio = self._sizes[t][:, None] / self._sizes[donors]
        scale = np.where(own, np.minimum(1.0, ratio), np.sqrt(np.clip(ratio, 0.2, 5.0)))[:, :, None]
        stairs, active = seen.stairs[t][:, None, :], seen.active[t][:, None, None]
        slept = seen.active[donors][:, :, None] - seen.stairs[donors]
        back = (seen.back[donors] + _PEERS_BACK * usual.back[t][:, None]) / (slept + _PEERS_BACK)
        kept = (seen.kept[donors] + _MEAN_KEPT * usual.kept[t][:, None]) / (seen.stairs[donors] + _MEAN_KEPT)
        come = (seen.others[donors] * scale + _MEAN_COME * usual.come[t][:, None]) / (1.0 + _MEAN_COME)
        mean = stairs * kept + (active - stairs) * back + come
        spread = stairs * kept * (1.0 - kept) + (active - stairs) * back * (1.0 - back) + come
        drawn = mean + common[None, :, None] * np.sqrt(np.maximum(spread, 0.0))
        found: Float = np.floor(np.maximum.accumulate(drawn, axis=2) + round_up[None, :, None])
        return found

    def _donors(self, rows: Any, whose: Float, which: Float) -> Any:
        """For each row and path the past cycle that it follows."""
        keeps, cycles = 0.5 ** (1.0 / _HALF_LIFE), np.minimum(self.cycles[rows], HISTORY_MAX)[:, None]
        # Of the account's own, the one before most often, and each before that less, down to the oldest.
        lag = np.ceil(np.log1p(-which * (1.0 - keeps**cycles)) / np.log(keeps)).astype(np.int64)
        own = rows[:, None] - np.clip(lag, 1, np.maximum(cycles, 1))
        peers = self._over[(which * np.maximum(self.known[rows], 1)[:, None]).astype(np.int64)]
        of_peers = _PEERS_DRAWN / (_PEERS_DRAWN + self._usual.weights[rows])
        return np.where(whose < of_peers[:, None], peers, own)

    def _peaks(self, rows: Sequence[int], highest: Float) -> Int64:
        """Final peaks: not below the peak so far, with some for what has never been seen; sorted for each row."""
        floors = self._seen.floors[np.asarray(rows)][:, None]
        unseen = max(int(highest.shape[1] * _UNSEEN), 1)
        even = (np.arange(unseen) + 0.5) / unseen
        reach = np.maximum(1.0, _UNSEEN_REACH * np.maximum(highest.mean(1), floors[:, 0]) + 0.5)
        wild = floors + reach[:, None] * -np.log1p(-even)
        return np.sort(np.maximum(floors, np.append(highest, wild, axis=1)).astype(np.int64), axis=1)

    def _corrected(self) -> Float:
        """For each row, which rank what lies at each rank of `_RANKS` should have, by past forecasts."""
        seen = self._seen
        low, high = np.zeros(len(seen)), np.ones(len(seen))
        told = self.cycles > 0
        for part in _parts(np.flatnonzero(told).tolist(), _PATHS_BEFORE):
            peaks = self._peaks(part, self._paths(part, _PATHS_BEFORE)[:, :, -1])
            finals = seen.finals[part][:, None]
            low[part], high[part] = (peaks < finals).mean(1), (peaks <= finals).mean(1)
        # What came out, as the rank that it had: a part of each, where many paths have one value.
        width = np.maximum(high - low, 1e-12)[:, None]
        ranks = np.clip((_RANKS - low[:, None]) / width, 0.0, 1.0) * told[:, None]
        ranks[:, -1] = told
        peers, own = self._of_peers(ranks), np.cumsum(ranks, axis=0) - ranks
        own = own - own[np.arange(len(seen)) - self.cycles]
        weight = np.minimum(1.0, _PEERS_CORRECT / np.maximum(peers[:, -1:], 1.0))
        total = _TRUST * _RANKS + own + weight * peers
        found: Float = total / total[:, -1:]
        return found

    def _chances(self, row: int, peaks: Int64) -> Distribution:
        """The chances that sorted peaks stand for, corrected."""
        values, counts = np.unique(peaks, return_counts=True)
        ranks = np.interp(np.cumsum(counts) / len(peaks), _RANKS, self._corrections[row])
        ranks[-1] = 1.0
        probabilities = np.diff(ranks, prepend=0.0)
        some = probabilities > 0
        return Distribution(values[some], probabilities[some])


@dataclass(frozen=True, slots=True)
class _Usual:
    """How it usually goes, before each row: what own cycles weigh together, and for each slice the share of those
    who would sleep that is active, the share of those who would not that is, and how many come."""

    weights: Float
    back: Float
    kept: Float
    come: Float


def _parts(rows: Sequence[int], paths: int) -> Iterator[list[int]]:
    """Rows, as many at a time as there is room for."""
    step = max(_CELLS // (paths * SLICES), 1)
    for first in range(0, len(rows), step):
        yield list(rows[first : first + step])
