"""Rows of several parts put together: nothing of them may depend on how a source was cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from billing.core import event
from billing.core.event import Batch, Columns, Names, Tally


def batch(name: str, count: int, **content: pa.Array) -> Batch:
    """A few actions of one account, each told by its place."""
    codes = np.zeros(count, np.int32)
    types = np.ones(count, np.int8)
    instants = np.arange(count, dtype=np.int64)
    return Batch(codes, codes, types, instants, types, content, lambda k: (name, k + 1))


def test_accounts_are_looked_up_by_code_and_by_name() -> None:
    """Both ways are worked out once, however many rows ask."""
    names = Names(pa.array(["bolt", "acme"]), pa.array(["ada"]), np.zeros(1, np.int32), np.zeros(1, np.bool_))
    assert ["bolt", "acme"] == names.account_names
    assert names.account_names is names.account_names
    assert [0, 1] == [names.code_of("bolt"), names.code_of("acme")]
    with pytest.raises(KeyError):
        names.code_of("ada")  # an identity is no account


def test_what_one_part_lacks_is_missing_in_its_rows_only() -> None:
    """Two exports in one folder need not have the same columns."""
    parts = [batch("a.csv", 1), batch("b.csv", 2, action=pa.array(["x", "y"]))]
    whole = Batch.concat(parts)
    assert ([0, 0, 1], [1, 1, 1], [1, 1, 1]) == (whole.instants.tolist(), whole.types.tolist(), whole.standard.tolist())
    assert parts[0] is Batch.concat(parts[:1])
    names = Names(pa.array(["acme"]), pa.array(["ada"]), np.zeros(1, np.int32), np.zeros(1, np.bool_))
    action = whole.contents(names)[event.CONTENT.index("action")]
    assert [None, "x", "y"] == action.to_pylist()
    assert [("a.csv", 1), ("b.csv", 1), ("b.csv", 2)] == [whole.place_of(k) for k in range(3)]


def test_of_no_parts_there_is_a_whole_without_rows() -> None:
    """A program that has nothing to tell today is no mistake."""
    whole = Batch.concat([])
    codes, types = np.dtype(np.int32), np.dtype(np.int8)
    assert [(0, codes), (0, codes), (0, types), (0, np.dtype(np.int64)), (0, types)] == [
        (len(column), column.dtype)
        for column in (whole.accounts, whole.identities, whole.types, whole.instants, whole.standard)
    ]
    assert {} == whole.content


def test_a_row_says_what_is_sealed_of_it() -> None:
    """Names for codes, and text or nothing for what its source does not have."""
    names = Names(pa.array(["bolt", "acme"]), pa.array(["ada", "bo"]), np.zeros(2, np.int32), np.zeros(2, np.bool_))
    told = replace(batch("a.csv", 2, event_id=pa.array(["e1", None])), identities=np.array([1, 0], np.int32))
    contents = told.contents(names)
    assert [pa.string()] * 3 + [pa.int64()] + [pa.string()] * 6 == [column.type for column in contents]
    assert [
        ("bolt", "bo", "action.called", 0, "e1", None, None, None, None, None),
        ("bolt", "ada", "action.called", 1, None, None, None, None, None, None),
    ] == list(zip(*(column.to_pylist() for column in contents), strict=True))


def test_rows_are_taken_with_all_that_belongs_to_them() -> None:
    """In the order asked for, also what they say and where they stand."""
    told = replace(batch("a.csv", 3, mode=pa.array(["x", "y", "z"])), types=np.array([0, 1, 2], np.int8))
    told = replace(told, standard=np.array([0, 0, 1], np.int8))
    some = told.take(np.array([2, 0]))
    assert [1, 0] == some.standard.tolist()
    assert ([2, 0], [2, 0], ["z", "x"]) == (
        some.types.tolist(),
        some.instants.tolist(),
        some.content["mode"].to_pylist(),
    )
    assert [("a.csv", 3), ("a.csv", 1)] == [some.place_of(k) for k in range(2)]


def test_columns_have_one_length() -> None:
    """An event without an instant is none."""
    with pytest.raises(AssertionError, match=r"^three columns, one length"):
        Columns(np.zeros(1, np.int32), np.zeros(1, np.int8), np.zeros(2, np.int64))


def test_no_row_is_lost() -> None:
    """What was received was accepted, was a duplicate, or was rejected."""
    with pytest.raises(
        AssertionError, match=r"^a row was lost: 1,004 received = 1,000 accepted \+ 2 duplicates \+ 1 rejected"
    ):
        Tally(1_004, 1_000, 2, 1)


def test_what_is_in_order_of_time_stays_as_it_is() -> None:
    """Also events at one instant: sorting costs more than looking."""
    told = Columns(np.array([1, 0, 0], np.int32), np.array([2, 1, 0], np.int8), np.array([7, 7, 8], np.int64))
    assert told is told.in_order_of_time()


@pytest.mark.parametrize("rows", [1, 2, 1 << 20])
@pytest.mark.parametrize("far", [5, 2**52])
def test_events_are_sorted_alike_whatever_is_worked_on_at_a_time(
    rows: int, far: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where instants lie so far apart that they do not fit one integer with whose they are."""
    monkeypatch.setattr(event, "_SLICE", rows)
    codes, kinds = np.array([7, 5, 2**20, 3], np.int32), np.array([2, 0, 1, 0], np.int8)
    told = Columns(codes, kinds, np.array([far + 9, far + 8, 9, 4], np.int64)).in_order_of_time()
    assert ([3, 2**20, 5, 7], [0, 1, 0, 2], [4, 9, far + 8, far + 9]) == (
        told.identities.tolist(),
        told.types.tolist(),
        told.instants.tolist(),
    )
    kinds_of = [column.dtype for column in (told.identities, told.types, told.instants)]
    assert [np.dtype(np.int32), np.dtype(np.int8), np.dtype(np.int64)] == kinds_of


def test_more_text_than_one_column_holds_is_put_into_a_larger_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column of text ends at two thousand million bytes, and a year of ids may not."""
    monkeypatch.setattr(event, "_OFFSET_MAX", 8)
    together = event.concat_arrays([pa.array(["a" * 9]), pa.array(["b" * 9])])
    assert (pa.large_string(), ["a" * 9, "b" * 9]) == (together.type, together.to_pylist())


def test_what_fits_one_column_keeps_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text up to the last byte, and numbers however many."""
    text, numbers = [pa.array(["a"]), pa.array(["b"])], [pa.array([1, 2]), pa.array([3])]
    monkeypatch.setattr(event, "_OFFSET_MAX", sum(array.nbytes for array in text))
    assert pa.string() == event.concat_arrays(text).type
    monkeypatch.setattr(event, "_OFFSET_MAX", 1)
    assert pa.array([1, 2, 3]) == event.concat_arrays(numbers)
