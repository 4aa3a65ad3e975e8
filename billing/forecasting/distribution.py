"""A discrete distribution: the probability of each of some values, its quantiles and its prediction intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: The levels of the prediction intervals that are shown.
LEVELS: Final = (0.5, 0.8, 0.95)
#: Sums of probabilities are not exact.
_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Distribution:
    """How likely each value is: `values`, whole numbers, increase; `probabilities` (float64) add up to 1."""

    values: NDArray[Any]
    probabilities: NDArray[np.float64]

    def quantile(self, level: float) -> int:
        """The smallest value at which the cumulative probability reaches `level`.

        >>> Distribution(np.array([8, 9, 12]), np.array([0.5, 0.3, 0.2])).quantile(0.8)
        9
        """
        position = int(np.searchsorted(np.cumsum(self.probabilities), level - _SLACK))
        return int(self.values[min(position, len(self.values) - 1)])

    @property
    def median(self) -> int:
        """The quantile at 0.5: the value is this or less at least half of the time."""
        return self.quantile(0.5)

    def between(self, first: int, last: int) -> float:
        """The probability of a value from `first` to `last`, both included."""
        return float(self.probabilities[(self.values >= first) & (self.values <= last)].sum())

    def intervals(self, levels: Sequence[float] = LEVELS) -> Iterator[tuple[int, int]]:
        """The prediction interval for each level, in increasing order: the shortest that contains the one before.

        Both ends belong to it. Where most of the probability is on the smallest value, intervals begin there.

        >>> [*Distribution(np.array([8, 9, 12]), np.array([0.6, 0.3, 0.1])).intervals()]
        [(8, 8), (8, 9), (8, 12)]
        """
        cumulative = np.append(0.0, np.cumsum(self.probabilities))
        low, high = len(self.values) - 1, 0
        for level in levels:
            firsts = np.arange(low + 1)
            lasts = np.searchsorted(cumulative, cumulative[firsts] + level - _SLACK) - 1
            enough = lasts < len(self.values)
            lasts = np.maximum(np.where(enough, lasts, len(self.values) - 1), high)
            lengths = self.values[lasts] - self.values[firsts]
            # From the smallest value on there is always enough probability.
            low = int(min(np.flatnonzero(enough | (firsts == 0)), key=lengths.__getitem__))
            high = int(lasts[low])
            yield int(self.values[low]), int(self.values[high])

    def mapped(self, function: Callable[[int], int]) -> Distribution:
        """The distribution of a function of the value; its results are whole numbers, however large."""
        sums: dict[int, float] = {}
        for value, probability in zip(self.values.tolist(), self.probabilities.tolist(), strict=True):
            result = function(value)
            sums[result] = sums.get(result, 0.0) + probability
        values = sorted(sums)
        return Distribution(np.array(values, object), np.array([sums[value] for value in values]))
