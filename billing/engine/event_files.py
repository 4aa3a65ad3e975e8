"""Files of events exported from a ledger, from which the ledger can be made again.

An export is for machines: values are exact to the byte and no formula is neutralised, so importing it
into an empty ledger gives the same digest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from ..core.errors import BadSource
from ..core.event import CONTENT
from ..inputs.readers import recognize_file
from ..inputs.rows import COLUMNS

_INSTANT: Final = pa.timestamp("us", "UTC")


def _kind(column: str) -> pa.DataType:
    return _INSTANT if column.endswith("_at") else pa.int64() if column == "results" else pa.string()


#: The columns of an export, in order.
SCHEMA: Final = pa.schema([(column, _kind(column)) for column in COLUMNS])


class RecordedEvent(Protocol):
    """An event and when it was recorded; `content` is in the order of `CONTENT`."""

    @property
    def recorded_at(self) -> int:
        """When it was recorded, in microseconds."""

    @property
    def content(self) -> tuple[Any, ...]:
        """The values of the event."""


def batch_of(entries: Sequence[RecordedEvent]) -> pa.RecordBatch:
    """Some entries as Arrow columns, in the order of `SCHEMA`."""
    columns = dict(zip(CONTENT, zip(*(entry.content for entry in entries), strict=True), strict=True))
    columns["recorded_at"] = tuple(entry.recorded_at for entry in entries)
    arrays = [
        pa.array(columns[field.name], pa.int64()).cast(field.type)
        if field.type == _INSTANT
        else pa.array(columns[field.name], field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def write(batches: Iterable[pa.RecordBatch], path: str) -> None:
    """Write batches into a new `.csv`, `.jsonl` (either also `.gz` or `.zst`) or `.parquet` file.

    The name appears only when the whole file is written. Raises `BadSource` (`file_type`).
    """
    file = recognize_file(path)
    if file is None:
        raise BadSource("file_type", path)
    unfinished = f"{path}.unfinished"
    try:
        if file.kind == "parquet":
            with pq.ParquetWriter(unfinished, SCHEMA, compression="zstd") as writer:
                for batch in batches:
                    writer.write_batch(batch)
        else:
            with pa.output_stream(unfinished, compression=file.compression) as out:
                _write_text(batches, out, file.kind)
        os.replace(unfinished, path)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)


def _write_text(batches: Iterable[pa.RecordBatch], out: Any, kind: str) -> None:
    if kind == "csv":
        out.write((",".join(COLUMNS) + "\n").encode())
    for batch in batches:
        texts = [_text(column) if column.type == _INSTANT else column for column in batch.columns]
        rows = pa.RecordBatch.from_arrays(texts, names=list(COLUMNS))
        if kind == "csv":
            pacsv.write_csv(rows, out, pacsv.WriteOptions(include_header=False, quoting_style="needed"))
        else:
            for row in rows.to_pylist():
                event = {name: value for name, value in row.items() if value is not None}
                out.write((json.dumps(event, ensure_ascii=False) + "\n").encode())


def _text(instants: pa.Array) -> pa.Array:
    """RFC 3339 with six digits of a second where they are not zero, and none where they are."""
    return pc.replace_substring(pc.strftime(instants, "%Y-%m-%dT%H:%M:%SZ"), ".000000Z", "Z")
