"""The sweep from intervals to peaks, over spans and accounts of any shape."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.core import sweep as sweeping
from billing.core.activity import Intervals
from billing.core.sweep import Spans, sweep

#: (account, start, end)
Row = tuple[int, int, int]

intervals = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(1, 6)).map(lambda r: (r[0], r[1], r[1] + r[2])),
    max_size=12,
)
#: Bounds of the spans of accounts 0 to 2; an account may have none.
bounds = st.lists(
    st.lists(st.integers(0, 20), min_size=2, max_size=5, unique=True).map(sorted) | st.just([]), min_size=3, max_size=3
)


def swept(rows: list[Row], spans: list[list[int]]) -> list[list[tuple[int, int]]]:
    """The (peak, first instant) of each span of each account."""
    ordered = sorted(rows, key=lambda row: row[1])
    found = Intervals(
        np.arange(len(rows), dtype=np.int32),
        np.array([start for _, start, _ in ordered], np.int64),
        np.array([end for _, _, end in ordered], np.int64),
        np.zeros(len(rows), np.bool_),
    )
    places = Spans.of(spans)
    peaks = sweep(found, np.array([account for account, _, _ in ordered], np.int32), places)
    answers = list(zip(peaks.counts.tolist(), peaks.instants.tolist(), strict=True))
    return [answers[first:last] for first, last in zip(places.first, places.last, strict=True)]


def counted(rows: list[Row], spans: list[list[int]]) -> list[list[tuple[int, int]]]:
    """The same, by looking at every instant."""
    return [
        [_highest([row for row in rows if row[0] == account], *span) for span in pairwise(own)]
        for account, own in enumerate(spans)
    ]


@given(intervals, bounds)
def test_the_sweep_finds_the_highest_count_of_every_span(rows: list[Row], spans: list[list[int]]) -> None:
    """Whatever the accounts, the spans, and what begins or ends exactly at a bound."""
    assert counted(rows, spans) == _shown(swept(rows, spans))


@given(intervals, bounds)
def test_machine_code_sweeps_alike(rows: list[Row], spans: list[list[int]]) -> None:
    """Few intervals are swept uncompiled, many compiled."""
    expected = swept(rows, spans)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping, "SMALL", 0)  # nothing is small
        assert expected == swept(rows, spans)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], (0, 0)),
        ([(0, 2, 10)], (0, 0)),
        ([(0, 2, 9)], (0, 0)),
        ([(0, 2, 11)], (1, 10)),
        ([(0, 20, 25)], (0, 0)),
        ([(0, 19, 25)], (1, 19)),
        ([(0, 5, 15), (0, 15, 25)], (1, 10)),
        ([(0, 5, 16), (0, 15, 25)], (2, 15)),
        ([(0, 5, 12), (0, 13, 14)], (1, 10)),
    ],
)
def test_a_span_is_half_open(rows: list[Row], expected: tuple[int, int]) -> None:
    """What ends at its start is over, what begins at its end has not begun, and the first of equals counts."""
    assert [[expected]] == _shown(swept(rows, [[10, 20]]))


@pytest.mark.parametrize("small", [0, 1_000])
def test_a_sweep_gives_whole_numbers_for_each_bound(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are bounds, one for an account that has none."""
    monkeypatch.setattr(sweeping, "SMALL", small)
    places = Spans.of([[], [10, 20, 30]])
    assert ([0, 1], [0, 3]) == (places.first.tolist(), places.last.tolist())
    one = np.array([12], np.int64)
    peaks = sweep(Intervals(one.astype(np.int32), one, one + 9, one < 0), np.ones(1, np.int32), places)
    assert ([0, 1, 1, 0], [12, 20]) == (peaks.counts.tolist(), peaks.instants[1:3].tolist())
    whole = np.dtype(np.int64)
    assert [whole] * 5 == [a.dtype for a in (places.bounds, places.first, places.last, peaks.counts, peaks.instants)]


def test_no_accounts_have_no_peaks() -> None:
    """An empty source is no error here."""
    assert [] == swept([], [])
    none = np.empty(0, np.int64)
    peaks = sweep(Intervals(none.astype(np.int32), none, none, none < 0), none.astype(np.int32), Spans.of([]))
    assert [none.dtype] * 3 == [column.dtype for column in (Spans.of([]).bounds, peaks.counts, peaks.instants)]


def test_many_intervals_are_swept_by_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """From a number on, and not below it."""
    used: list[str] = []

    def noted(kernel: Any) -> Any:
        used.append("machine code")
        return kernel

    monkeypatch.setattr(sweeping, "SMALL", 2)
    monkeypatch.setattr(sweeping, "compile_kernel", noted)
    assert [[(1, 1)]] == swept([(0, 1, 2)], [[0, 9]])
    assert [] == used
    assert [[(2, 1)]] == swept([(0, 1, 2), (0, 1, 3)], [[0, 9]])
    assert ["machine code"] == used


def _highest(rows: list[Row], start: int, end: int) -> tuple[int, int]:
    counts = {t: sum(a <= t < b for _, a, b in rows) for t in range(start, end)}
    highest = max(counts.values())
    return highest, min(t for t, count in counts.items() if count == highest) if highest else 0


def _shown(found: list[list[tuple[int, int]]]) -> list[list[tuple[int, int]]]:
    """Without the instant of a peak of none, which means nothing."""
    return [[(peak, at if peak else 0) for peak, at in own] for own in found]
