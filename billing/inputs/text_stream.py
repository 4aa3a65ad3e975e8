"""Text files as bytes: decompressed, checked for damage, with lines counted for messages."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ..core.errors import BadSource

_BOM: Final = b"\xef\xbb\xbf"
_BLOCK: Final = 1 << 22
_PIECE: Final = 1 << 16
_MAGIC: Final = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_BLANK: Final = re.compile(rb"\n(?=\n)")


class TextStream(io.RawIOBase):
    """A text file as bytes with `\\n` as line end.

    It counts lines and quotes, and remembers blank lines and the line of the last quote. Raises
    `BadSource` for a compressed file that is truncated or damaged.
    """

    def __init__(self, raw: Any, *, name: str, compression: str | None, progress: Callable[[int], None] | None) -> None:
        super().__init__()
        self.name = name
        self._raw = _CountedFile(raw, progress)
        # Arrow reads files of several compressed members.
        source = pa.PythonFile(self._raw, mode="r")
        self._stream = pa.CompressedInputStream(source, compression) if compression else source
        self._compression = compression
        self._rest = b""
        self._carriage = False  # a carriage return that may be half a line end
        self._last = b"\n"
        self.lines = 0
        self.blank_lines: set[int] = set()
        self.quotes = 0
        self.last_quote_line = 0
        self._inside: list[int] = []  # lines whose end is inside quotes
        head = self._next_piece()
        if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:4]:
            raise BadSource("encoding", name, after=" but UTF-16")
        self._rest = head.removeprefix(_BOM)

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        data = self._rest or self._next_piece()
        if size < 0 or len(data) <= size:
            self._rest = b""
            return data
        self._rest = data[size:]
        return data[:size]

    @property
    def complete(self) -> bool:
        """Whether what was read so far ends with the end of a line."""
        return self._last == b"\n"

    def first_line(self) -> tuple[int, bytes]:
        """The number and bytes of the first line that is not blank; it is read again, blank lines before it are not."""
        number = 1
        while True:
            while b"\n" not in self._rest and (more := self._next_piece()):
                self._rest += more
            line, newline, rest = self._rest.partition(b"\n")
            if line.strip() or not newline:
                return number, line
            self._rest = rest
            number += 1

    def find_lines(self, rows: Any) -> Any:
        """The lines on which rows begin; rows are counted from 1, and quoted values may contain line ends."""
        inside = np.array(self._inside, np.int64)
        # Each line end inside quotes before a row moves the row one line down.
        return rows + np.searchsorted(inside - np.arange(len(inside)), rows)

    def blocks(self) -> Iterator[bytes]:
        """The whole text, in blocks of whole lines."""
        rest = b""
        while data := self.read():
            lines, newline, tail = data.rpartition(b"\n")
            if newline:
                yield rest + lines + newline
                rest = tail
            else:
                rest += data
        if rest:
            yield rest

    def _next_piece(self) -> bytes:
        """The next block, with line ends normalized and counted."""
        while True:
            data = self._read_block()
            if not data:
                if self._carriage:
                    self._carriage = False
                    return self._count(b"\n")
                return b""
            if self._carriage or b"\r" in data:
                data = (b"\r" if self._carriage else b"") + data
                self._carriage = data.endswith(b"\r")
                data = data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            if data:
                return self._count(data)

    def _read_block(self) -> bytes:
        """The next block of bytes. Raises `BadSource`, naming the last line that could be read."""
        pieces: list[bytes] = []
        size = 0
        try:
            while size < _BLOCK and (piece := bytes(self._stream.read(min(_PIECE, _BLOCK - size)))):
                pieces.append(piece)
                size += len(piece)
        except (OSError, pa.ArrowException) as error:
            lines = self.lines + sum(piece.count(b"\n") for piece in pieces)
            has_magic = self._raw.head.startswith(_MAGIC.get(self._compression or "", b""))
            if has_magic and "runcated" in str(error):
                raise BadSource("file_truncated", self.name, after=f" after line {lines:,}" if lines else "") from error
            detail = f"it does not decompress after line {lines:,}" if lines else "it does not decompress"
            raise BadSource("file_corrupt", self.name, detail=detail) from error
        return b"".join(pieces)

    def _note_quoted_line_ends(self, data: bytes) -> None:
        """Note the lines whose end is inside quotes, so that their row goes on."""
        view = np.frombuffer(data, np.uint8)
        ends, quotes = np.flatnonzero(view == ord("\n")), np.flatnonzero(view == ord('"'))
        inside = (np.searchsorted(quotes, ends) + self.quotes) % 2 == 1
        self._inside += (np.flatnonzero(inside) + self.lines + 1).tolist()

    def _count(self, data: bytes) -> bytes:
        if b"\n\n" in data or (data.startswith(b"\n") and self._last == b"\n"):
            joined = self._last + data  # so that a blank first line shows
            # The first byte is a line end already counted, so a match counts from the line after it.
            at = 0
            line = self.lines
            for match in _BLANK.finditer(joined):
                line += joined.count(b"\n", max(at, 1), match.end())
                at = match.end()
                self.blank_lines.add(line + 1)
        if self.quotes % 2 or b'"' in data:
            self._note_quoted_line_ends(data)
        if found := data.count(b'"'):
            self.quotes += found
            self.last_quote_line = self.lines + data.count(b"\n", 0, data.rfind(b'"')) + 1
        self.lines += data.count(b"\n")
        self._last = data[-1:]
        return data


class _CountedFile(io.RawIOBase):
    """A raw file that reports how many bytes were read."""

    def __init__(self, raw: Any, progress: Callable[[int], None] | None) -> None:
        super().__init__()
        self.head = b""
        self._raw = raw
        self._progress = progress

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._raw.read(size)
        self.head = self.head or data[:4]
        if self._progress:
            self._progress(len(data))
        return data
