"""What is left out of a chart so that it can be read; never the peak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from .figure import Band, Mark

#: More steps than this cannot be told apart on a page; of each such slice its extremes are kept.
SLICES: Final = 400
#: How far above the peak, as a part of it, a tier may end and still be shown.
_HEADROOM: Final = 0.35
#: How far apart two tiers are shown at least, as a part of the height.
_APART: Final = 0.1


class Few(NamedTuple):
    """So many movements of one kind at one place, an instant in microseconds."""

    at: int
    times: int


def steps(counts: Sequence[tuple[int, int]], start: int, end: int, slices: int = SLICES) -> Iterator[tuple[int, int]]:
    """The steps that can be told apart in so many slices: of each slice its first, last, lowest and highest.

    So whatever is left out, the peak and its first moment stay.

    >>> list(steps([(0, 1), (1, 5), (2, 3), (3, 9), (4, 0), (5, 2)], 0, 6, slices=1))
    [(0, 1), (3, 9), (4, 0), (5, 2)]
    """
    if len(counts) <= 4 * slices:
        yield from counts
        return
    parts: dict[int, list[tuple[int, int]]] = {}
    for at, count in counts:
        parts.setdefault((at - start) * slices // (end - start), []).append((at, count))
    for part in parts.values():
        highest = max(part, key=lambda step: step[1])  # the first of them
        lowest = min(part, key=lambda step: step[1])
        yield from sorted({part[0], highest, lowest, part[-1]})


def tiers_in_range(tiers: Sequence[Mark], peak: int) -> list[Mark]:
    """Those tiers whose end is near enough to the curve to be shown with it, and far enough apart to be read."""
    near = [tier for tier in tiers if tier.at <= max(peak * (1 + _HEADROOM), peak + 1)]
    apart: list[Mark] = []
    for tier in reversed(near):
        if not apart or apart[-1].at - tier.at >= _APART * max(near[-1].at, peak):
            apart.append(tier)
    return apart[::-1]


def highest(peak: int, tiers: Sequence[Mark], fan: Sequence[Band]) -> float:
    """The highest thing that a curve is shown with."""
    return max([peak, 1, *(tier.at for tier in tiers_in_range(tiers, peak)), *(band.upper_95 for band in fan)])


def levels(top: float) -> list[int]:
    """Round counts from 0 up to `top`, as an axis names them: at most six.

    >>> levels(1), levels(8), levels(97.5)
    ([0, 1], [0, 2, 4, 6, 8], [0, 20, 40, 60, 80])
    """
    step = next(ten * k for ten in (10**n for n in range(20)) for k in (1, 2, 5) if top < 6 * ten * k)
    return [*range(0, int(top) + 1, step)]


def gathered(instants: Sequence[int], *, apart: int, counted: int) -> list[Few]:
    """Movements where they happened; where they are too close to be told apart, with their count, where the first was.

    `apart` is how far marks are from each other at least, and `counted` such with a count beside them,
    both in microseconds.

    >>> gathered([1, 5], apart=2, counted=3)
    [Few(at=1, times=1), Few(at=5, times=1)]
    >>> gathered([1, 2, 3, 4, 9], apart=2, counted=3)
    [Few(at=1, times=3), Few(at=4, times=1), Few(at=9, times=1)]
    """
    if all(later - earlier >= apart for earlier, later in pairwise(instants)):
        return [Few(at, 1) for at in instants]
    few: list[Few] = []
    for at in instants:
        if few and at - few[-1].at < counted:
            few[-1] = Few(few[-1].at, few[-1].times + 1)
        else:
            few.append(Few(at, 1))
    return few
