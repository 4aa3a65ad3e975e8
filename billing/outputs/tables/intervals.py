"""The intervals in which identities were active, as a table of Arrow: there are too many for rows of Python."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from ...engine.pipeline import Activity
from .frame import arrow_schema
from .schema import Column, Schema, instant, text

INTERVALS: Final = Schema(
    "intervals",
    (Column("account_id", text), Column("identity_id", text), Column("start", instant), Column("end", instant)),
)


def intervals(found: Activity) -> pa.Table:
    """When each identity was active, by account, identity and start."""
    schema = arrow_schema(INTERVALS)
    columns = [
        found.names.accounts.take(pa.array(found.accounts)),
        found.names.identities.take(pa.array(found.intervals.identities)),
        pa.array(found.intervals.starts, pa.int64()),
        pa.array(found.intervals.ends, pa.int64()),
    ]
    table = pa.table([column.cast(field.type) for column, field in zip(columns, schema, strict=True)], schema=schema)
    return table.sort_by([(name, "ascending") for name in ("account_id", "identity_id", "start")])
