"""Arrow in: pandas, polars, DuckDB, pyarrow and whatever else speaks the Arrow C stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from ..core.errors import BadSource
from .rows import COLUMNS, OTHER, ReadOptions, Rows, check_columns, text

#: What pandas calls the index of a table that was filtered or sorted: a column that nobody wrote.
_INDEX: Final = re.compile(r"__index_level_\d+__")


def read(table: Any, *, name: str, options: ReadOptions) -> Iterator[Rows]:
    """The rows of anything with `__arrow_c_stream__`, batch by batch. Raises `BadSource`."""
    try:
        stream = pa.RecordBatchReader.from_stream(table)
    except UnicodeError as error:
        raise BadSource("encoding", name, after="") from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise BadSource("file_rejected", name, detail=str(error).splitlines()[0].rstrip(".")) from error
    names = [name for name in stream.schema.names if not _INDEX.fullmatch(name)]
    check_columns(names, where=name, options=options)
    wanted = [c for c in names if c in COLUMNS]
    first = 1
    for batch in stream:
        if batch.num_rows:
            columns = {c: _column(batch.column(c), field=c, where=name) for c in wanted}
            yield Rows(name, columns, batch.num_rows, first.__add__)
            first += batch.num_rows


def _column(array: pa.Array, *, field: str, where: str) -> pa.Array:
    return array if field in OTHER else text(array, field=field, where=where)
