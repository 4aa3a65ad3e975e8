"""Readers: which files a source has, and which reader each of them needs.

The files of a folder are read in the order of their paths. A file that changes while it is read is
refused.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ..core.errors import BadSource, hint
from . import arrow, csv, jsonl, parquet
from .rows import RawRows, ReadOptions
from .text_stream import TextStream

_COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd"}
_KINDS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_MAGIC: Final = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_TEXT_READERS: Final = {"csv": csv.read, "jsonl": jsonl.read}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a source: its path, its kind and its compression."""

    path: str
    kind: str
    compression: str | None = None


def read_raw(source: Any, options: ReadOptions) -> Iterator[RawRows]:
    """The rows of a source, part by part, as they are. Raises `BadSource`."""
    if hasattr(source, "__arrow_c_stream__"):
        yield from arrow.read(source, name="table", options=options)
    elif not isinstance(source, str | os.PathLike):
        raise BadSource("file_type", type(source).__name__)
    elif os.fspath(source) == "-":
        yield from _read_stdin(options)
    else:
        for file in find_files(os.fspath(source)):
            yield from _read_file(file, options)


def _read_file(file: SourceFile, options: ReadOptions) -> Iterator[RawRows]:
    before = _stat(file.path)
    try:
        if file.kind == "parquet":
            yield from _refuse_empty(parquet.read(file.path, name=file.path, options=options), file.path)
        else:
            with open(file.path, "rb", buffering=0) as raw:
                text = TextStream(raw, name=file.path, compression=file.compression, progress=options.progress)
                yield from _refuse_empty(_TEXT_READERS[file.kind](text, options=options), file.path)
    except (PermissionError, IsADirectoryError) as error:
        raise BadSource("file_unreadable", file.path, detail=error.strerror or "") from error
    if _stat(file.path) != before:
        raise BadSource("file_changed", file.path)


def _read_stdin(options: ReadOptions) -> Iterator[RawRows]:
    """Standard input has no name to go by: its first bytes show its kind."""
    raw: Any = sys.stdin.buffer
    name, head = "standard input", raw.peek(4)[:4]
    if head == b"PAR1":
        yield from _refuse_empty(parquet.read(pa.BufferReader(raw.read()), name=name, options=options), name)
        return
    compression = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    text = TextStream(raw, name=name, compression=compression, progress=options.progress)
    kind = "jsonl" if text.first_line()[1].lstrip().startswith((b"{", b"[")) else "csv"
    yield from _refuse_empty(_TEXT_READERS[kind](text, options=options), name)


def _refuse_empty(parts: Iterator[RawRows], name: str) -> Iterator[RawRows]:
    """The same parts. Raises `BadSource` if there is no row in any of them."""
    received = 0
    for rows in parts:
        received += rows.length + len(rows.rejections)
        yield rows
    if not received:
        raise BadSource("file_empty", name)


def _stat(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def find_files(path: str) -> list[SourceFile]:
    """The files of a path, folder or glob, in order of path. Raises `BadSource`."""
    if os.path.isdir(path):
        names = sorted(str(p) for p in Path(path).rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
        files = [file for name in names if (file := recognize_file(name)) is not None]
        if not files:
            raise BadSource("file_empty", path)
        return files
    if not os.path.exists(path) and glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))
        if not found:
            raise BadSource("file_missing", path, hint="")
        return [file for name in found for file in find_files(name)]
    if not os.path.exists(path):
        folder = os.path.dirname(path)
        near = hint(os.path.basename(path), sorted(os.listdir(folder or "."))) if os.path.isdir(folder or ".") else ""
        raise BadSource("file_missing", path, hint=near)
    file = recognize_file(path)
    # Anything but a regular file may never end, or block before its first byte.
    if file is None or not os.path.isfile(path):
        raise BadSource("file_type", path)
    return [file]


def recognize_file(path: str) -> SourceFile | None:
    """The kind and compression of a file, by its name; None for a name that is not known."""
    stem, suffix = os.path.splitext(path.lower())
    compression = _COMPRESSIONS.get(suffix)
    kind = _KINDS.get(os.path.splitext(stem)[1] if compression else suffix)
    return SourceFile(path, kind, compression) if kind and not (compression and kind == "parquet") else None


def count_bytes(source: Any) -> int | None:
    """How many bytes there are to read, where that is known."""
    if not isinstance(source, str | os.PathLike) or os.fspath(source) == "-":
        return None
    return sum(os.path.getsize(f.path) for f in find_files(os.fspath(source)))
