"""Reads Parquet: a few threads decode row groups in advance, repeating text as dictionaries."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ..core.errors import BadSource
from .rows import COLUMNS, OTHER, REPEATING, RawRows, ReadOptions, check_header, check_text, combine, is_text

#: Threads that decode, and row groups in progress: enough to keep two cores busy.
_THREADS: Final = 2
_PENDING_MAX: Final = 6
_ROWS_MAX: Final = 1_000_000_000


def read_column_names(path: str) -> list[str]:
    """The names of the columns of a file. Raises `BadSource` if it is not a complete Parquet file."""
    return list(_read_metadata(path).schema.to_arrow_schema().names)


def may_be_in_order(paths: Sequence[str]) -> bool:
    """False if the statistics of the files show that their events are not in order of time."""
    latest = None
    for path in paths:
        metadata = _read_metadata(path)
        place = metadata.schema.to_arrow_schema().names.index("occurred_at")
        for group in range(metadata.num_row_groups):
            known = metadata.row_group(group).column(place).statistics
            if known is None or not known.has_min_max:
                continue
            try:
                if latest is not None and known.min < latest:
                    return False
                latest = known.max
            except (OverflowError, ValueError, TypeError):  # outside Python's datetime, or a column of another type
                return False
    return True


def read(path: str | pa.BufferReader, *, name: str, options: ReadOptions) -> Iterator[RawRows]:
    """The rows of a file, row group by row group. Raises `BadSource`."""
    metadata = _read_metadata(path, name=name)
    schema = metadata.schema.to_arrow_schema()
    names = schema.names
    check_header(names, where=name, options=options)
    wanted = [c for c in names if c in COLUMNS]
    if metadata.num_rows > _ROWS_MAX:
        raise BadSource("file_too_large", name, got=metadata.num_rows)
    size = os.path.getsize(path) if isinstance(path, str) else path.size()
    for field in wanted:
        kind = schema.field(field).type
        if field not in OTHER and not is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
            raise BadSource("column_type", name, field=field, got=str(kind), wanted="text")
    repeating = [c for c in wanted if c in REPEATING and not pa.types.is_null(schema.field(c).type)]
    local = threading.local()

    def decode(group: int) -> pa.Table:
        if not hasattr(local, "file"):
            # A file object belongs to one thread.
            local.file = pq.ParquetFile(path, metadata=metadata, read_dictionary=repeating, pre_buffer=False)
        # One thread per row group: then all chunks of a column share one dictionary.
        return local.file.read_row_group(group, columns=wanted, use_threads=False)

    first = 1
    with ThreadPoolExecutor(_THREADS) as threads:
        groups = iter(range(metadata.num_row_groups))
        pending: deque[Future[pa.Table]] = deque()
        try:
            while True:
                while len(pending) < _PENDING_MAX and (group := next(groups, None)) is not None:
                    pending.append(threads.submit(decode, group))
                if not pending:
                    break
                table = _wait(pending.popleft(), name)
                columns = {c: combine(table.column(c)) for c in wanted}
                columns |= {c: check_text(columns[c], field=c, where=name) for c in wanted if c not in OTHER}
                yield RawRows(name, columns, table.num_rows, first.__add__)
                first += table.num_rows
                if options.progress:
                    options.progress(size // metadata.num_row_groups)
        finally:
            for future in pending:
                future.cancel()


def _read_metadata(path: Any, *, name: str | None = None) -> Any:
    try:
        return pq.read_metadata(path)
    except FileNotFoundError as error:
        raise BadSource("file_missing", name or str(path), hint="") from error
    except (pa.ArrowException, OSError) as error:
        raise BadSource("file_corrupt", name or str(path), detail=_summarize(error)) from error


def _wait(future: Future[pa.Table], name: str) -> pa.Table:
    try:
        return future.result()
    except (pa.ArrowException, OSError) as error:
        raise BadSource("file_corrupt", name, detail=_summarize(error)) from error


def _summarize(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
