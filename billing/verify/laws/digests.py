"""Laws of digests: no two contents have the same encoding, and a chain of digests shows every change."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import strategies as st

from ...core import digests
from .law import law

#: Values that a careless encoding could take for one another, or for the marks around them.
_VALUES = (
    st.none()
    | st.sampled_from(("", "-", "n", "i", "s", "0", "1", "12", "-1", "\0" * 8, "n\0", "None", "é"))
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
    | st.sampled_from((0, 1, 12, -1, 2**63 - 1, -(2**63)))
    | st.integers(-(2**63), 2**63 - 1)
)
_CONTENTS = st.lists(_VALUES, max_size=5)
_TEXTS = (
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3) | st.sampled_from(("", "-", "n", "12"))
)
_NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from((0, 12))

Content = list[digests.Value]


@law(
    "I11", _CONTENTS, _CONTENTS,
    always=(
        (["a", "b"], ["ab"]), (["a", None], ["a", "n"]), (["12"], [12]), ([""], [None]), ([None, ""], ["", None]),
        ([], [""]),
    ),
)  # fmt: skip
def no_two_contents_are_written_alike(one: Content, other: Content) -> None:
    """Two contents are encoded alike only if they are the same."""
    assert (one == other) == (digests.encode(one) == digests.encode(other))


@law("I11", st.lists(_VALUES, min_size=2, max_size=5), st.data())
def nor_are_two_that_are_nearly_alike(content: Content, data: st.DataObject) -> None:
    """Two values joined, one split, two exchanged, a number written as text: each is encoded otherwise."""
    k = data.draw(st.integers(0, len(content) - 2))
    first, second = content[k : k + 2]
    near: list[Content] = [
        [f"{first}{second}"], [f"{first}", f"{second}"], [second, first], [first], [second], [first, second, None],
        [first, second, ""], [f"{first}{second}"[:1], f"{first}{second}"[1:]],
    ]  # fmt: skip
    other = [*content[:k], *data.draw(st.sampled_from(near)), *content[k + 2 :]]
    assert (content == other) == (digests.encode(content) == digests.encode(other))


@law(
    "I11",
    st.lists(st.tuples(_TEXTS, _NUMBERS, _TEXTS), min_size=1, max_size=20),
    st.sampled_from((1, 199, 200, 201, 777)),
)
def rows_of_columns_are_written_as_single_contents_are(
    some: list[tuple[str | None, int | None, str | None]], size: int
) -> None:
    """A ledger filled in bulk has the digests of one filled event by event."""
    rows = [some[k % len(some)] for k in range(size)]
    kinds = (pa.string(), pa.int64(), pa.string())
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    assert [digests.encode(row) for row in rows] == digests.encode_rows(columns)
    assert [digests.encode(row) for row in rows[1:]] == digests.encode_rows([column.slice(1) for column in columns])


@law(
    "I10",
    st.binary(min_size=32, max_size=32),
    st.lists(st.binary(max_size=8), max_size=12),
    st.integers(0, 12),
)
def a_chain_is_the_same_in_whatever_parts_it_is_sealed(before: bytes, contents: list[bytes], middle: int) -> None:
    """The digest after each content depends on those before it, and on nothing else."""
    whole = digests.chain_digests(before, contents)
    first = digests.chain_digests(before, contents[:middle])
    assert whole == [*first, *digests.chain_digests(first[-1] if first else before, contents[middle:])]
    assert len(contents) == len(whole)


@law("I10", st.lists(st.binary(max_size=3), min_size=1, max_size=8), st.data())
def a_chain_shows_every_change(contents: list[bytes], data: st.DataObject) -> None:
    """A content changed, removed, inserted or moved changes every digest from there on."""
    k = data.draw(st.integers(0, len(contents) - 1))
    changed = [*contents[:k], *data.draw(st.lists(st.binary(max_size=3), max_size=2)), *contents[k + 1 :]]
    whole, other = digests.chain_digests(digests.BEGINNING, contents), digests.chain_digests(digests.BEGINNING, changed)
    assert (contents == changed) == (whole == other)
    pairs = zip(contents, changed, strict=False)
    alike = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(contents), len(changed)))
    assert whole[:alike] == other[:alike]
    assert set(whole[alike:]).isdisjoint(other[alike:])
