"""Digests of events and documents, so that any change to them shows.

A content is encoded as typed, length-prefixed values, so no two contents have the same encoding. The
digest of a set of contents does not depend on their order. A sequence is a hash chain: the digest after
each content is made of the digest before it and the content, however the sequence is cut into batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Value = str | int | None

#: The digest of an empty sequence.
BEGINNING: Final = bytes(32)
#: From this many rows on, encoding whole columns is faster than encoding value by value.
_MANY: Final = 200
_NOTHING: Final = pa.scalar(b"")


def digest(contents: Iterable[Sequence[Value]]) -> str:
    """The SHA-256 of a set of contents, in hexadecimal.

    >>> digest([("a", 1), ("b", None)]) == digest([("b", None), ("a", 1), ("a", 1)])
    True
    >>> digest([("ab", "c")]) == digest([("a", "bc")])
    False
    """
    whole = hashlib.sha256()
    for content in sorted({encode(content) for content in contents}):
        whole.update(len(content).to_bytes(8) + content)
    return whole.hexdigest()


def chain_digests(before: bytes, contents: Iterable[bytes]) -> list[bytes]:
    """The digest after each of some encoded contents, given the digest before the first.

    Each is the SHA-256 of the digest before it (32 bytes, zeros for an empty sequence) and the content.
    """
    digests = []
    for content in contents:
        before = hashlib.sha256(before + content).digest()
        digests.append(before)
    return digests


def encode(content: Iterable[Value]) -> bytes:
    """A content as bytes: `n` for nothing; else `s` (UTF-8) or `i` (decimal), 8 bytes of length, and the value.

    >>> encode(["ab", 7, None])
    b's\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02abi\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x017n'
    """
    return b"".join(map(_encode_value, content))


def encode_rows(columns: Sequence[pa.Array]) -> list[bytes]:
    """The rows of columns of text and whole numbers, each encoded as by `encode`."""
    if len(columns[0]) < _MANY:
        return [encode(row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]
    rows: list[bytes] = pc.binary_join_element_wise(*map(_encode_column, columns), _NOTHING).to_pylist()
    return rows


def _encode_value(value: Value) -> bytes:
    if value is None:
        return b"n"
    kind, content = (b"i", str(value).encode()) if isinstance(value, int) else (b"s", value.encode())
    return kind + len(content).to_bytes(8) + content


def _encode_column(column: pa.Array) -> Any:
    kind = b"i" if pa.types.is_integer(column.type) else b"s"
    text = column.cast(pa.string()).cast(pa.binary())
    sizes = pc.binary_length(text).fill_null(0).to_numpy().astype(">u8")
    prefixes = pa.FixedSizeBinaryArray.from_buffers(pa.binary(8), len(column), [None, pa.py_buffer(sizes.tobytes())])
    joined = pc.binary_join_element_wise(pa.scalar(kind), prefixes.cast(pa.binary()), text, _NOTHING)
    return pc.fill_null(joined, np.bytes_(b"n"))
