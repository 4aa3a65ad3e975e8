"""Sources: what a path, a folder, a glob, `-` or a table of another library holds.

Files of a folder are taken in the order of their paths. What is read is what was there: a file
that changes meanwhile is refused.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ..core.errors import BadSource, Refused, Rejection, hint
from ..core.event import CREATED, Batch, Bool, Columns, Events, Int64, Names, Places, Tally
from . import arrow, csv, jsonl, parquet
from .deduplicate import IdentityTypes, settle, settled_rows, type_conflict
from .encoder import Encoder
from .prefetch import ahead
from .rows import ReadOptions, Rows
from .text_stream import TextStream

_COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd"}
_KINDS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
#: How many parts of a source are coded together at least, and how many rows.
_PARTS_TOGETHER: Final = 4
_ROWS_TOGETHER: Final = 500_000
_MAGIC: Final = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))


@dataclass(frozen=True, slots=True)
class File:
    """One file of a source: its path, what kind it is and how it is compressed."""

    path: str
    kind: str
    compression: str | None = None


def read(source: Any, options: ReadOptions | None = None) -> Events:
    """All events of a source, settled. Raises `BadSource`, or `Refused` where reading is strict."""
    options = options or ReadOptions()
    encoder, batches = read_batches(source, options)
    events = settle(batches, encoder, options)
    _refuse(events.rejections, options)
    return events


def read_batches(source: Any, options: ReadOptions) -> tuple[Encoder, list[Batch]]:
    """All rows of a source that can be accepted, and whoever coded them. Raises as `read` does."""
    encoder = Encoder(known_at=options.known_at)
    return encoder, list(_batches(source, encoder, options))


def read_rows(source: Any, options: ReadOptions, encoder: Encoder) -> tuple[Events, Batch, Bool]:
    """All events of a source, its accepted rows, and which of those happened; in codes that other sources share.

    Raises as `read` does.
    """
    encoder.begin(known_at=options.known_at)
    events, rows, happened = settled_rows(list(_batches(source, encoder, options)), encoder)
    _refuse(events.rejections, options)
    return events, rows, happened


def streams(source: Any) -> bool:
    """Whether a source can be answered without settling it first: Parquet files without event ids."""
    if not isinstance(source, str | os.PathLike) or os.fspath(source) == "-":
        return False
    files = files_of(os.fspath(source))
    return all(f.kind == "parquet" and _streamable(parquet.columns_of(f.path)) for f in files)


def may_be_in_order(source: str) -> bool:
    """Whether a source that `streams` may be in order of time, as far as its statistics tell."""
    return parquet.may_be_in_order([f.path for f in files_of(os.fspath(source))])


def _streamable(columns: list[str]) -> bool:
    return "event_id" not in columns and "occurred_at" in columns


class Stream:
    """The events of a source as they go by, batch by batch, none of them kept.

    Only for what `streams`; iterate once, then ask for `names`, `accepted`, `tally`, `rejections`.
    """

    def __init__(self, source: Any, options: ReadOptions) -> None:
        self._encoder = Encoder(known_at=options.known_at)
        self._source = source
        self._options = options
        self._types = IdentityTypes()
        self._conflicts: list[Rejection] = []
        self._refused: list[int] = []  # their accounts; the coder's own counts belong to its thread

    def __iter__(self) -> Iterator[Columns]:
        """Connects, actions and deletions, as they are read."""
        places = Places()
        for batch in ahead(_batches(self._source, self._encoder, self._options)):
            first = places.add(batch)
            columns = Columns(batch.identities, batch.types, batch.instants)
            timeless = batch.types >= CREATED
            if timeless.any():
                columns = columns.where(~timeless)
                created = (batch.types == CREATED).nonzero()[0]
                for row, before in self._types.learn(
                    batch.identities[created], batch.standard[created], created + first
                ):
                    k = row - first
                    self._refused.append(int(batch.accounts[k]))
                    name = self._encoder.identity_name(int(batch.identities[k]))
                    self._conflicts.append(type_conflict(places, row, before, name, int(batch.standard[k])))
            yield columns
        _refuse(self.rejections, self._options)

    @property
    def names(self) -> Names:
        """Who the codes stand for, as far as is known by now."""
        return self._encoder.names(self._types.standard(self._encoder.identity_count))

    @property
    def accepted(self) -> Int64:
        """How many rows of each account were accepted."""
        counts = self._encoder.accepted
        return counts - np.bincount(np.array(self._refused, np.int64), minlength=len(counts))

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """What could not be accepted."""
        return (*self._encoder.rejections, *self._conflicts)

    @property
    def tally(self) -> Tally:
        """What became of the rows."""
        return Tally(self._encoder.received, int(self.accepted.sum()), 0, len(self.rejections))


def files_of(path: str) -> list[File]:
    """The files that a path, folder or glob stands for, in order of path. Raises `BadSource`."""
    if os.path.isdir(path):
        names = sorted(str(p) for p in Path(path).rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
        files = [file for name in names if (file := file_of(name)) is not None]
        if not files:
            raise BadSource("file_empty", path)
        return files
    if not os.path.exists(path) and glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))
        if not found:
            raise BadSource("file_missing", path, hint="")
        return [file for name in found for file in files_of(name)]
    if not os.path.exists(path):
        folder = os.path.dirname(path)
        near = hint(os.path.basename(path), sorted(os.listdir(folder or "."))) if os.path.isdir(folder or ".") else ""
        raise BadSource("file_missing", path, hint=near)
    file = file_of(path)
    # What is no regular file may never end, or wait for ever to begin.
    if file is None or not os.path.isfile(path):
        raise BadSource("file_type", path)
    return [file]


def size_of(source: Any) -> int | None:
    """How many bytes there are to read, where that is known."""
    if not isinstance(source, str | os.PathLike) or os.fspath(source) == "-":
        return None
    return sum(os.path.getsize(f.path) for f in files_of(os.fspath(source)))


def _batches(source: Any, encoder: Encoder, options: ReadOptions) -> Iterator[Batch]:
    for several in _together(_rows(source, options)):
        for batch in encoder.batches(several):
            _refuse(encoder.rejections, options)
            yield batch


def _together(rows: Iterator[Rows]) -> Iterator[list[Rows]]:
    """Parts of a source that are coded together: some, and more of them where they are small."""
    several: list[Rows] = []
    waiting = 0
    for part in rows:
        several.append(part)
        waiting += part.length
        if len(several) >= _PARTS_TOGETHER and waiting >= _ROWS_TOGETHER:
            yield several
            several, waiting = [], 0
    yield several


def _rows(source: Any, options: ReadOptions) -> Iterator[Rows]:
    if hasattr(source, "__arrow_c_stream__"):
        yield from arrow.read(source, name="table", options=options)
    elif not isinstance(source, str | os.PathLike):
        raise BadSource("file_type", type(source).__name__)
    elif os.fspath(source) == "-":
        yield from _rows_of_stdin(options)
    else:
        for file in files_of(os.fspath(source)):
            yield from _rows_of_file(file, options)


def _rows_of_file(file: File, options: ReadOptions) -> Iterator[Rows]:
    before = _state(file.path)
    try:
        if file.kind == "parquet":
            yield from _some(parquet.read(file.path, name=file.path, options=options), file.path)
        else:
            with open(file.path, "rb", buffering=0) as raw:
                text = TextStream(raw, name=file.path, compression=file.compression, progress=options.progress)
                yield from _some(_text(text, file.kind, options), file.path)
    except (PermissionError, IsADirectoryError) as error:
        raise BadSource("file_unreadable", file.path, detail=error.strerror or "") from error
    if _state(file.path) != before:
        raise BadSource("file_changed", file.path)


def _rows_of_stdin(options: ReadOptions) -> Iterator[Rows]:
    """Standard input, whose kind its first bytes tell."""
    raw: Any = sys.stdin.buffer
    name, head = "standard input", raw.peek(4)[:4]
    if head == b"PAR1":
        yield from _some(parquet.read(pa.BufferReader(raw.read()), name=name, options=options), name)
        return
    compression = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    text = TextStream(raw, name=name, compression=compression, progress=options.progress)
    kind = "jsonl" if text.first_line()[1].lstrip().startswith((b"{", b"[")) else "csv"
    yield from _some(_text(text, kind, options), name)


def _some(parts: Iterator[Rows], name: str) -> Iterator[Rows]:
    """The rows of a file, which must have some."""
    received = 0
    for rows in parts:
        received += rows.length + len(rows.rejections)
        yield rows
    if not received:
        raise BadSource("file_empty", name)


def _text(text: TextStream, kind: str, options: ReadOptions) -> Iterator[Rows]:
    reader = csv.read if kind == "csv" else jsonl.read
    return reader(text, options=options)


def file_of(path: str) -> File | None:
    """What kind of file a name stands for; none for one that we do not know."""
    stem, suffix = os.path.splitext(path.lower())
    compression = _COMPRESSIONS.get(suffix)
    kind = _KINDS.get(os.path.splitext(stem)[1] if compression else suffix)
    return File(path, kind, compression) if kind and not (compression and kind == "parquet") else None


def _state(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _refuse(rejections: Any, options: ReadOptions) -> None:
    if options.strict and rejections:
        raise Refused(rejections[0])
