"""Rows of several parts put together: nothing of them may depend on how a source was cut."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from billing.core import event
from billing.core.event import Batch, Names


def batch(name: str, count: int, **content: pa.Array) -> Batch:
    """A few actions of one account, each told by its place."""
    codes = np.zeros(count, np.int32)
    types = np.ones(count, np.int8)
    instants = np.arange(count, dtype=np.int64)
    return Batch(codes, codes, types, instants, types, content, lambda k: (name, k + 1))


def test_what_one_part_lacks_is_missing_in_its_rows_only() -> None:
    """Two exports in one folder need not have the same columns."""
    parts = [batch("a.csv", 1), batch("b.csv", 2, action=pa.array(["x", "y"]))]
    whole = Batch.joined(parts)
    names = Names(pa.array(["acme"]), pa.array(["ada"]), np.zeros(1, np.int32), np.zeros(1, np.bool_))
    action = whole.contents(names)[event.CONTENT.index("action")]
    assert [None, "x", "y"] == action.to_pylist()
    assert [("a.csv", 1), ("b.csv", 1), ("b.csv", 2)] == [whole.place_of(k) for k in range(3)]


def test_of_no_parts_there_is_a_whole_without_rows() -> None:
    """A program that has nothing to tell today is no mistake."""
    assert 0 == len(Batch.joined([]))


def test_more_text_than_one_column_holds_is_put_into_a_larger_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of text ends at two thousand million bytes, and a year of ids may not."""
    monkeypatch.setattr(event, "_OFFSET_MAX", 8)
    together = event.joined([pa.array(["a" * 9]), pa.array(["b" * 9])])
    assert (pa.large_string(), ["a" * 9, "b" * 9]) == (together.type, together.to_pylist())
