"""Reads CSV: comma-separated, with a header, in UTF-8.

A ragged row, a repeated header or an open quote shows that the file is damaged, so all of it is refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.csv import ConvertOptions, InvalidRow, ParseOptions, open_csv
from pyarrow.csv import ReadOptions as BlockOptions

from ..core.errors import BadSource, quoted
from ..core.event import Bool
from .rows import COLUMNS, REPEATING, RawRows, ReadOptions, check_header
from .text_stream import TextStream

_BLOCK: Final = 1 << 22
_DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())
_COLUMN_TYPES: Final = {c: _DICTIONARY if c in REPEATING else pa.string() for c in COLUMNS}
#: The beginning of a timestamp, cut where none could end.
_CUT_TIMESTAMP: Final = re.compile(r"\d{4}-\d?\d?(-\d?)?|\d{4}-\d\d-\d\dT(\d?\d?:?|\d\d:\d|\d\d:\d\d:\d?)", re.ASCII)


def read(text: TextStream, *, options: ReadOptions) -> Iterator[RawRows]:
    """The rows of a file, block by block. Raises `BadSource`."""
    number, header = _read_header(text, options=options)
    wanted = [c for c in header if c in COLUMNS]
    ragged: list[InvalidRow] = []

    def refuse_ragged(row: InvalidRow) -> str:
        ragged.append(row)
        return "error"

    first = number + 1  # blank lines count as rows
    try:
        reader = open_csv(
            pa.PythonFile(_Utf8(text, number), mode="r"),
            read_options=BlockOptions(use_threads=False, block_size=_BLOCK),
            parse_options=ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=refuse_ragged
            ),
            convert_options=ConvertOptions(
                column_types=_COLUMN_TYPES,
                include_columns=wanted,
                # An empty field is missing; a quoted empty one is empty text.
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        for batch in reader:
            columns, rows = dict(zip(wanted, batch.columns, strict=True)), batch.num_rows
            lines = text.find_lines(np.arange(first, first + rows))
            first += rows
            if text.blank_lines and (blank := np.isin(lines, list(text.blank_lines))).any():
                columns = {name: column.filter(pa.array(~blank)) for name, column in columns.items()}
                lines = lines[~blank]
            _refuse_repeated_header(text.name, columns, lines)
            if len(lines):
                _refuse_cut_off(text, columns[header[-1]] if header[-1] in wanted else None)
                yield RawRows(text.name, columns, len(lines), lines.item)
    except pa.ArrowInvalid as error:
        raise _explain(text, error, ragged, number - 1) from error
    if text.quotes % 2:
        raise BadSource("csv_quote", f"{text.name}:{text.last_quote_line}")


def _read_header(text: TextStream, *, options: ReadOptions) -> tuple[int, list[str]]:
    """The line number of the header, and its names."""
    number, line = text.first_line()
    if not line.strip():
        raise BadSource("file_empty", text.name)
    where = f"{text.name}:{number}"
    try:
        names = next(csv.reader([line.decode()]))
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadSource("encoding", where, after=" in its header") from error
    if len(names) == 1 and re.search(r"[;\t|]", names[0]):
        detail = f"has 1 column, {quoted(names[0])}; the separator must be a comma"
        raise BadSource("csv_header", where, detail=detail, known=", ".join(COLUMNS))
    check_header(names, where=where, options=options, missing_code="csv_header")
    return number, names


def _refuse_cut_off(text: TextStream, last_column: pa.Array | None) -> None:
    """Refuse a file that ends within a timestamp: its last row lost more than its line end."""
    if text.complete or last_column is None:
        return
    value = last_column[len(last_column) - 1].as_py()
    if value and _CUT_TIMESTAMP.fullmatch(value):
        raise BadSource("file_truncated", text.name, after=f" in line {text.lines + 1:,}")


class _Utf8(io.RawIOBase):
    """A text from some line on. Raises `BadSource` at its first byte that is not UTF-8.

    Arrow checks only the columns that are read, and fails on a ragged row that is not UTF-8.
    """

    def __init__(self, text: TextStream, line: int) -> None:
        super().__init__()
        self._text = text
        self._line = line
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._text.read(size)
        try:
            self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            # The rest of a character that began in the previous piece has no line end.
            line = self._line + error.object.count(b"\n", 0, error.start)
            raise BadSource("encoding", f"{self._text.name}:{line}", after="") from error
        self._line += data.count(b"\n")
        return data


def _refuse_repeated_header(name: str, columns: dict[str, pa.Array], lines: Any) -> None:
    """Refuse a file in which the header occurs again."""
    if "type" not in columns["type"].dictionary.to_pylist():
        return
    repeated: Bool = np.ones(len(lines), np.bool_)
    for field, column in columns.items():
        repeated &= pc.equal(column.cast(pa.string()), field).fill_null(False).to_numpy(zero_copy_only=False)
    if repeated.any():
        raise BadSource("csv_header_repeated", f"{name}:{lines[int(np.argmax(repeated))]}")


def _explain(text: TextStream, error: pa.ArrowInvalid, ragged: list[Any], before: int) -> BadSource:
    """The error for what Arrow could not parse."""
    if ragged:
        row = ragged[0]
        where = f"{text.name}:{text.find_lines(row.number + before)}" if row.number else text.name
        if row.text.count('"') % 2:
            return BadSource("csv_quote", where)
        return BadSource("csv_ragged", where, got=row.actual_columns, expected=row.expected_columns)
    message = str(error)
    if "Empty CSV" in message:
        return BadSource("file_empty", text.name)
    if "straddling" in message:
        return BadSource("csv_field_too_long", text.name, field="a field", got="…", bytes="over 4,194,304")
    return BadSource("file_corrupt", text.name, detail=message.splitlines()[0].rstrip("."))
