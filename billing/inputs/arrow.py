"""Reads tables of pandas, polars, DuckDB, pyarrow and any other library with the Arrow C stream interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from ..core.errors import BadSource
from .rows import COLUMNS, OTHER, RawRows, ReadOptions, check_header, check_text

#: The column that pandas makes of the index of a table that was filtered or sorted.
_INDEX: Final = re.compile(r"__index_level_\d+__")


def read(table: Any, *, name: str, options: ReadOptions) -> Iterator[RawRows]:
    """The rows of anything with `__arrow_c_stream__`, batch by batch. Raises `BadSource`."""
    try:
        stream = pa.RecordBatchReader.from_stream(table)
    except UnicodeError as error:
        raise BadSource("encoding", name, after="") from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise BadSource("file_rejected", name, detail=str(error).splitlines()[0].rstrip(".")) from error
    names = [name for name in stream.schema.names if not _INDEX.fullmatch(name)]
    check_header(names, where=name, options=options)
    wanted = [c for c in names if c in COLUMNS]
    first = 1
    for batch in stream:
        if batch.num_rows:
            columns = {c: _check_column(batch.column(c), field=c, where=name) for c in wanted}
            yield RawRows(name, columns, batch.num_rows, first.__add__)
            first += batch.num_rows


def _check_column(array: pa.Array, *, field: str, where: str) -> pa.Array:
    return array if field in OTHER else check_text(array, field=field, where=where)
