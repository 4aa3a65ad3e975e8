"""Spoils valid files: bytes changed, cut and inserted, another encoding, damaged compression."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import pyarrow as pa
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from billing.inputs.rows import COLUMNS, ReadOptions
from tests.support.nasty import ALL

JANUARY: Final = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z

#: Bytes that are not text, or that mark another format.
# fmt: off
_RAW: Final = (
    b"\x00", b"\xff", b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b"\xf4\x90\x80\x80", b"\x80",
    b"\r", b"\r\n", b"\n", b"\n\n", b",", b";", b"\t", b'"', b"{", b"}", b"[", b"]", b":", b"=", b"#", b"\x1a",
    b"\x1b[31m", b'"\\ud800"', b'"\\udc00\\ud800"', b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd",
    ",".join(COLUMNS).encode() + b"\n",
    b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\xff" * 9, b"\x00" * 16,
)
# fmt: on
_TOKENS: Final = (*(value.encode() for value in ALL), *_RAW)

OPTIONS: Final = (
    ReadOptions(),
    ReadOptions(),
    ReadOptions(digest=True),
    ReadOptions(ignore_extra=True),
    ReadOptions(strict=True),
    ReadOptions(known_at=JANUARY + 86_400_000_000),
)


@dataclass(frozen=True)
class Given:
    """A file, by name and bytes, and the options to read it with if it holds events."""

    name: str
    content: bytes
    options: ReadOptions = field(default_factory=ReadOptions)


# Valid documents, spoiled.

#: One change: its kind, where it starts, how far it goes, and the bytes it inserts.
_Change = tuple[str, int, int, bytes]
_CHANGES: Final = st.tuples(
    st.sampled_from(
        ("flip", "put", "put", "instead", "instead", "cell", "cell", "cell", "cut", "twice", "end", "line", "lines")
    ),
    st.integers(0, 1 << 16),
    st.integers(0, 64),
    st.sampled_from(_TOKENS) | st.binary(max_size=6),
)
_DELIMITERS: Final = b",\n\"'={}[]:"


def apply_changes(content: bytes, changes: Sequence[_Change]) -> bytes:
    """The bytes after these changes."""
    for what, where, far, token in changes:
        at = where % (len(content) + 1)
        content = _CHANGED[what](content, at, far, token)[:400_000]
    return content


def _flip(content: bytes, at: int, far: int, token: bytes) -> bytes:
    return content[:at] + bytes(b ^ (1 << far % 8) for b in content[at : at + 1]) + content[at + 1 :]


def _cell(content: bytes, at: int, far: int, token: bytes) -> bytes:
    """Replace what is between two delimiters."""
    start, end = at, at
    while start and content[start - 1] not in _DELIMITERS:
        start -= 1
    while end < len(content) and content[end] not in _DELIMITERS:
        end += 1
    return content[:start] + token + content[end:]


def _line(content: bytes, at: int, far: int, token: bytes) -> bytes:
    """Replace or delete a line."""
    lines = content.splitlines(keepends=True) or [b""]
    lines[at % len(lines)] = token + b"\n" if far % 2 else b""
    return b"".join(lines)


def _lines(content: bytes, at: int, far: int, token: bytes) -> bytes:
    """Repeat a line elsewhere."""
    lines = content.splitlines(keepends=True) or [b""]
    lines.insert(far % (len(lines) + 1), lines[at % len(lines)])
    return b"".join(lines)


_CHANGED: Final[dict[str, Callable[[bytes, int, int, bytes], bytes]]] = {
    "flip": _flip,
    "put": lambda content, at, far, token: content[:at] + token + content[at:],
    "instead": lambda content, at, far, token: content[:at] + token + content[at + far % 12 :],
    "cell": _cell,
    "cut": lambda content, at, far, token: content[:at] + content[at + far :],
    "twice": lambda content, at, far, token: content[: at + far] + content[at:],
    "end": lambda content, at, far, token: content[:at],
    "line": _line,
    "lines": _lines,
}


@cache
def spoil(documents: tuple[bytes, ...], *, changes_max: int = 5) -> SearchStrategy[bytes]:
    """One of some documents, after a few changes."""
    return st.builds(apply_changes, st.sampled_from(documents), st.lists(_CHANGES, min_size=1, max_size=changes_max))


def vary_encoding(name: str, content: SearchStrategy[bytes]) -> SearchStrategy[Given]:
    """Mostly plain text; sometimes in another encoding, or compressed, intact or damaged."""
    plain = st.builds(Given, st.just(name), content, st.sampled_from(OPTIONS))
    ways = st.sampled_from((".gz", ".zst", "utf-16", "utf-8-sig", "latin-1"))
    odd = st.builds(_pack, plain, ways, st.lists(_CHANGES, max_size=1))
    return st.integers(0, 4).flatmap(lambda k: odd if k == 4 else plain)


def _pack(given: Given, way: str, changes: Sequence[_Change]) -> Given:
    if way.startswith("."):
        packing = (
            gzip.compress(given.content, 1, mtime=0)
            if way == ".gz"
            else pa.compress(given.content, "zstd", asbytes=True)
        )
        return Given(given.name + way, apply_changes(packing, changes), given.options)
    return Given(given.name, given.content.decode("utf-8", "replace").encode(way, "replace"), given.options)
