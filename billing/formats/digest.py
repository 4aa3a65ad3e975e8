"""Digests: one number that stands for a set of events, whatever their order.

Each event is written as typed, length-prefixed values, so that no two contents can be written
alike; the writings are sorted, repeats dropped, and hashed with SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

Value = str | int | None


def digest(events: Iterable[tuple[Value, ...]]) -> str:
    """The SHA-256 of a set of events, in hexadecimal.

    >>> digest([("a", 1), ("b", None)]) == digest([("b", None), ("a", 1), ("a", 1)])
    True
    >>> digest([("ab", "c")]) == digest([("a", "bc")])
    False
    """
    whole = hashlib.sha256()
    for written in sorted({b"".join(map(_written, event)) for event in events}):
        whole.update(len(written).to_bytes(8, "big") + written)
    return whole.hexdigest()


def _written(value: Value) -> bytes:
    if value is None:
        return b"n"
    kind, content = (b"i", str(value).encode()) if isinstance(value, int) else (b"s", value.encode())
    return kind + len(content).to_bytes(8, "big") + content
