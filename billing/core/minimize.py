"""The fewest of some items that still show what is wrong with all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Final, TypeVar

T = TypeVar("T")

#: Up to how many things are also left out two at a time, such as an event and the one that voids it.
_PAIRS_MAX: Final = 12


def minimize(items: Sequence[T], shows: Callable[[list[T]], bool]) -> list[T]:
    """The fewest of some items, in their order, that still show it; the whole must.

    Delta debugging: halves are left out, then ever smaller parts, then single items. None of those
    that stay can be left out alone, and of a few no two together.

    >>> minimize(range(100), lambda some: 7 in some and 42 in some)
    [7, 42]
    """
    kept = list(items)
    size = max(1, len(kept) // 2)
    while True:
        before = len(kept)
        first = 0
        while first < len(kept):
            fewer = kept[:first] + kept[first + size :]
            if shows(fewer):
                kept = fewer
            else:
                first += size
        if size == 1 and len(kept) == before:
            break
        size = max(1, size // 2)
    if len(kept) <= _PAIRS_MAX:
        for pair in combinations(range(len(kept)), 2):
            fewer = [item for k, item in enumerate(kept) if k not in pair]
            if shows(fewer):
                return minimize(fewer, shows)
    return kept
