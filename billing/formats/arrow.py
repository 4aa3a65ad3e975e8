"""Arrow in: pandas, polars, DuckDB, pyarrow and whatever else speaks the Arrow C stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from ..core.errors import BadSource
from .rows import COLUMNS, Reading, Rows, check_columns, plain


def read(table: Any, *, name: str, reading: Reading) -> Iterator[Rows]:
    """The rows of anything with `__arrow_c_stream__`, batch by batch. Raises `BadSource`."""
    try:
        stream = pa.RecordBatchReader.from_stream(table)
    except (pa.ArrowException, TypeError) as error:
        raise BadSource("file_rejected", name, detail=str(error).splitlines()[0].rstrip(".")) from error
    names = list(stream.schema.names)
    check_columns(names, where=name, reading=reading)
    wanted = [c for c in names if c in COLUMNS]
    first = 1
    for batch in stream:
        if batch.num_rows:
            yield Rows(name, {c: plain(batch.column(c)) for c in wanted}, batch.num_rows, first.__add__)
            first += batch.num_rows
