"""Bytes of text files: decompressed, watched for damage, counted for progress and for messages."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa

from ..core.errors import BadSource

_BOM: Final = b"\xef\xbb\xbf"
_BLOCK: Final = 1 << 22
_BLANK: Final = re.compile(rb"\n(?=\n)")


class TextBytes(io.RawIOBase):
    """A text file as bytes with `\\n` at the ends of lines, and notes on what went by.

    It remembers which lines were blank, how many quotes there were and where the last one stood.
    Raises `BadSource` for a compressed file that is cut or damaged.
    """

    def __init__(self, raw: Any, *, name: str, compression: str | None, progress: Callable[[int], None] | None) -> None:
        super().__init__()
        self.name = name
        self._raw = _Counted(raw, progress)
        # Arrow knows more than one member, and the formats that compress.
        source = pa.PythonFile(self._raw, mode="r")
        self._stream = pa.CompressedInputStream(source, compression) if compression else source
        self._rest = b""
        self._carriage = False
        self._last = b"\n"
        self.lines = 0
        self.blank_lines: set[int] = set()
        self.quotes = 0
        self.last_quote_line = 0
        head = self._next()
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise BadSource("encoding", name, after=" but UTF-16")
        self._rest = head.removeprefix(_BOM)

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        data = self._rest or self._next()
        if size < 0 or len(data) <= size:
            self._rest = b""
            return data
        self._rest = data[size:]
        return data[:size]

    def first_line(self) -> bytes:
        """The first line, which stays to be read."""
        while b"\n" not in self._rest and (more := self._next()):
            self._rest += more
        return self._rest.split(b"\n", 1)[0]

    def blocks(self) -> Iterator[bytes]:
        """All of it, in blocks of whole lines."""
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

    def _next(self) -> bytes:
        """The next block, with line ends made alike and counted."""
        while True:
            try:
                data = bytes(self._stream.read(_BLOCK))
            except (OSError, pa.ArrowException) as error:
                after = f" after line {self.lines:,}" if self.lines else ""
                raise BadSource("file_truncated", self.name, after=after) from error
            if not data:
                if self._carriage:
                    self._carriage = False
                    return self._counted(b"\n")
                return b""
            if self._carriage or b"\r" in data:
                data = (b"\r" if self._carriage else b"") + data
                self._carriage = data.endswith(b"\r")
                data = data.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            if data:
                return self._counted(data)

    def _counted(self, data: bytes) -> bytes:
        if b"\n\n" in data or (data.startswith(b"\n") and self._last == b"\n"):
            joined = self._last + data  # the line end before makes the first line's blankness visible
            # The first byte is a line end already counted, so a match counts from the line after it.
            at = 0
            line = self.lines
            for match in _BLANK.finditer(joined):
                line += joined.count(b"\n", max(at, 1), match.end())
                at = match.end()
                self.blank_lines.add(line + 1)
        if found := data.count(b'"'):
            self.quotes += found
            self.last_quote_line = self.lines + data.count(b"\n", 0, data.rfind(b'"')) + 1
        self.lines += data.count(b"\n")
        self._last = data[-1:]
        return data


class _Counted(io.RawIOBase):
    """A raw file that tells how many bytes were read."""

    def __init__(self, raw: Any, progress: Callable[[int], None] | None) -> None:
        super().__init__()
        self._raw = raw
        self._progress = progress

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._raw.read(size)
        if self._progress:
            self._progress(len(data))
        return data
