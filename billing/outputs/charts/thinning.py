"""What a chart leaves out to stay legible; never the peak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from .figure import Band, Mark

#: The time axis is cut into this many slices, as many as a page can show; each keeps its extremes.
SLICES: Final = 400
#: How far above the peak a tier may end and still be shown, as a fraction of the peak.
_HEADROOM: Final = 0.35
#: The least distance between two tiers, as a fraction of the height.
_TIER_GAP: Final = 0.1


class MarkGroup(NamedTuple):
    """Movements of one kind drawn as one mark, at the instant of the first (microseconds)."""

    at: int
    size: int


def thin_steps(
    counts: Sequence[tuple[int, int]], start: int, end: int, slices: int = SLICES
) -> Iterator[tuple[int, int]]:
    """The steps that a chart can show: of each slice the first, last, lowest and highest.

    The peak and its first moment are always among them.

    >>> list(thin_steps([(0, 1), (1, 5), (2, 3), (3, 9), (4, 0), (5, 2)], 0, 6, slices=1))
    [(0, 1), (3, 9), (4, 0), (5, 2)]
    """
    if len(counts) <= 4 * slices:
        yield from counts
        return
    by_slice: dict[int, list[tuple[int, int]]] = {}
    for at, count in counts:
        by_slice.setdefault((at - start) * slices // (end - start), []).append((at, count))
    for steps in by_slice.values():
        highest = max(steps, key=lambda step: step[1])  # the first of them
        lowest = min(steps, key=lambda step: step[1])
        yield from sorted({steps[0], highest, lowest, steps[-1]})


def tiers_in_range(tiers: Sequence[Mark], peak: int) -> list[Mark]:
    """The tiers that end near enough to the curve to be shown, and far enough apart to be read."""
    near = [tier for tier in tiers if tier.at <= max(peak * (1 + _HEADROOM), peak + 1)]
    apart: list[Mark] = []
    for tier in reversed(near):
        if not apart or apart[-1].at - tier.at >= _TIER_GAP * max(near[-1].at, peak):
            apart.append(tier)
    return apart[::-1]


def highest(peak: int, tiers: Sequence[Mark], fan: Sequence[Band]) -> float:
    """The highest value of a chart: of its curve, its tiers and its fan."""
    return max([peak, 1, *(tier.at for tier in tiers_in_range(tiers, peak)), *(band.upper_95 for band in fan)])


def levels(top: float) -> list[int]:
    """The ticks of a count axis: at most six round counts from 0 up to `top`.

    >>> levels(1), levels(8), levels(97.5)
    ([0, 1], [0, 2, 4, 6, 8], [0, 20, 40, 60, 80])
    """
    step = next(ten * k for ten in (10**n for n in range(20)) for k in (1, 2, 5) if top < 6 * ten * k)
    return [*range(0, int(top) + 1, step)]


def group_marks(instants: Sequence[int], *, min_gap: int, count_gap: int) -> list[MarkGroup]:
    """Group movements too close to be drawn apart, each group at the instant of its first.

    If all instants are at least `min_gap` apart, each is a mark of its own; otherwise groups are at least
    `count_gap` apart, which leaves room for a count beside each mark. Both are microseconds.

    >>> group_marks([1, 5], min_gap=2, count_gap=3)
    [MarkGroup(at=1, size=1), MarkGroup(at=5, size=1)]
    >>> group_marks([1, 2, 3, 4, 9], min_gap=2, count_gap=3)
    [MarkGroup(at=1, size=3), MarkGroup(at=4, size=1), MarkGroup(at=9, size=1)]
    """
    if all(later - earlier >= min_gap for earlier, later in pairwise(instants)):
        return [MarkGroup(at, 1) for at in instants]
    groups: list[MarkGroup] = []
    for at in instants:
        if groups and at - groups[-1].at < count_gap:
            groups[-1] = MarkGroup(groups[-1].at, groups[-1].size + 1)
        else:
            groups.append(MarkGroup(at, 1))
    return groups
