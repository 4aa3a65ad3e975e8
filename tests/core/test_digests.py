"""What is sealed, byte by byte."""

from __future__ import annotations

from hashlib import sha256

import pyarrow as pa
import pytest

from billing.core import digests

#: Rows of two columns, with nothing in either, and with text longer than it looks.
ROWS: list[tuple[str | None, int | None]] = [("ab", 7), ("", -1), (None, 0), ("é", None), ("x" * 300, 2**62)]
WRITTEN = [
    b"s\0\0\0\0\0\0\0\2abi\0\0\0\0\0\0\0\0017",
    b"s\0\0\0\0\0\0\0\0i\0\0\0\0\0\0\0\2-1",
    b"ni\0\0\0\0\0\0\0\0010",
    b"s\0\0\0\0\0\0\0\2\xc3\xa9n",
    b"s\0\0\0\0\0\0\1\x2c" + b"x" * 300 + b"i\0\0\0\0\0\0\0\x134611686018427387904",
]


@pytest.mark.parametrize("many", [1, len(ROWS), len(ROWS) + 1])
def test_rows_are_written_alike_value_by_value_and_by_whole_columns(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a digest stands for must not depend on how much was sealed at once."""
    monkeypatch.setattr(digests, "_MANY", many)
    columns = [pa.array([text for text, _ in ROWS]), pa.array([number for _, number in ROWS])]
    assert WRITTEN == [digests.encode(row) for row in ROWS] == digests.encode_rows(columns)


def test_the_digest_of_a_set_is_over_its_sorted_contents_each_with_its_length() -> None:
    """Eight bytes of length before each, and each but once."""
    expected = sha256(b"\0\0\0\0\0\0\0\1n\0\0\0\0\0\0\0\x0as\0\0\0\0\0\0\0\1b").hexdigest()
    assert expected == digests.digest([["b"], [None], ["b"]])


def test_a_sequence_is_sealed_from_the_seal_before() -> None:
    """Thirty-two zeros before the first."""
    first = sha256(bytes(32) + b"one").digest()
    assert [first, sha256(first + b"two").digest()] == digests.chain_digests(digests.BEGINNING, [b"one", b"two"])
