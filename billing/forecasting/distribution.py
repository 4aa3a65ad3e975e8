"""Chances: how likely each of some values is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: How likely the bands that are shown hold what they are about.
LEVELS: Final = (0.5, 0.8, 0.95)
#: Sums of chances are not exact.
_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Distribution:
    """How likely each value is: `values`, whole numbers, increase; `probabilities` (float64) add up to 1."""

    values: NDArray[Any]
    probabilities: NDArray[np.float64]

    def quantile(self, level: float) -> int:
        """The smallest value that is exceeded with no more than the rest of the chance.

        >>> Chances(np.array([8, 9, 12]), np.array([0.5, 0.3, 0.2])).quantile(0.8)
        9
        """
        place = int(np.searchsorted(np.cumsum(self.probabilities), level - _SLACK))
        return int(self.values[min(place, len(self.values) - 1)])

    @property
    def median(self) -> int:
        """The value that is as likely exceeded as not."""
        return self.quantile(0.5)

    def between(self, first: int, last: int) -> float:
        """The chance of a value from `first` to `last`, both included."""
        return float(self.probabilities[(self.values >= first) & (self.values <= last)].sum())

    def bands(self, levels: Sequence[float] = LEVELS) -> Iterator[tuple[int, int]]:
        """For each level, in increasing order, the shortest band that is as likely and holds the one before.

        Both ends belong to it. Where most of the chance is on the smallest value, bands begin there.

        >>> [*Chances(np.array([8, 9, 12]), np.array([0.6, 0.3, 0.1])).bands()]
        [(8, 8), (8, 9), (8, 12)]
        """
        total = np.append(0.0, np.cumsum(self.probabilities))
        low, high = len(self.values) - 1, 0
        for level in levels:
            firsts = np.arange(low + 1)
            lasts = np.searchsorted(total, total[firsts] + level - _SLACK) - 1
            enough = lasts < len(self.values)
            lasts = np.maximum(np.where(enough, lasts, len(self.values) - 1), high)
            lengths = self.values[lasts] - self.values[firsts]
            # The first of all always reaches far enough.
            low = int(min(np.flatnonzero(enough | (firsts == 0)), key=lengths.__getitem__))
            high = int(lasts[low])
            yield int(self.values[low]), int(self.values[high])

    def mapped(self, change: Callable[[int], int]) -> Distribution:
        """The chances of what each value is changed into; any whole numbers, however large."""
        sums: dict[int, float] = {}
        for value, mass in zip(self.values.tolist(), self.probabilities.tolist(), strict=True):
            changed = change(value)
            sums[changed] = sums.get(changed, 0.0) + mass
        values = sorted(sums)
        return Distribution(np.array(values, object), np.array([sums[value] for value in values]))
