"""Tables as columns: Arrow, Parquet and pandas."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ...core.errors import BillingError
from .schema import Column, Kind, Schema, View

if TYPE_CHECKING:
    import pandas as pd

#: A price has at most 12 decimals and an amount at most 4, and 26 digits before the point are more than
#: 10^12 identities at the highest price cost. One type for all currencies lets files of several of them be
#: read together; 38 digits are what most programs that read Parquet can take.
EXACT_NUMBER: Final = pa.decimal128(38, 12)
_INSTANT: Final = pa.timestamp("us", "UTC")
_TYPES: Final = {
    Kind.TEXT: pa.string(),
    Kind.CODE: pa.string(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.INTEGER: pa.int64(),
    Kind.QUANTITY: EXACT_NUMBER,
    Kind.MONEY: EXACT_NUMBER,
    Kind.DECIMAL: EXACT_NUMBER,
    Kind.PERCENT: EXACT_NUMBER,
    Kind.FLOAT: pa.float64(),
    Kind.INSTANT: _INSTANT,
    Kind.BOOLEAN: pa.bool_(),
}
#: Types of pandas without and with missing values. What is not named here has Python's objects.
_DTYPES: Final = {
    Kind.TEXT: ("str", "str"),
    Kind.CODE: ("str", "str"),
    Kind.INTEGER: ("int64", "Int64"),
    Kind.FLOAT: ("float64", "float64"),
    Kind.BOOLEAN: ("bool", "boolean"),
}


def arrow_schema(schema: Schema) -> pa.Schema:
    """The columns of a table as Arrow declares them."""
    return pa.schema([pa.field(c.name, _TYPES[c.kind], nullable=c.null) for c in schema.columns])


def to_arrow(view: View) -> pa.Table:
    """A table of Arrow. Raises `BillingError` (`usage`) for a number that its type cannot hold exactly."""
    arrays = [_array(view.values(column), column) for column in view.schema.columns]
    return pa.table(arrays, schema=arrow_schema(view.schema))


def to_parquet(view: View) -> bytes:
    """A Parquet file. Raises as `to_arrow` does."""
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(to_arrow(view), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def to_pandas(view: View) -> pd.DataFrame:
    """A table of pandas: text is str, instants are datetime64[us, UTC], exact numbers are `Decimal`.

    Counts are int64, or Int64 where some may be missing; the type depends on the column alone, also
    where there are no rows. Only a count beyond int64 makes its column one of Python's numbers.
    """
    import pandas as pd

    return pd.DataFrame({column.name: _series(view.values(column), column) for column in view.schema.columns})


def _array(values: list[Any], column: Column) -> pa.Array:
    kind = _TYPES[column.kind]
    try:
        if column.kind is Kind.INSTANT:
            return pa.array(values, pa.int64()).cast(kind)
        if column.kind is Kind.QUANTITY:
            values = [None if value is None else Decimal(value) for value in values]
        return pa.array(values, kind)
    except (pa.ArrowInvalid, OverflowError):
        detail = f"{column.name} has a number with more digits than {kind} holds; csv and json write every digit"
        raise BillingError("usage", detail=detail) from None


def _series(values: list[Any], column: Column) -> pd.Series[Any]:
    import pandas as pd

    if column.kind is Kind.INSTANT:
        series: pd.Series[Any] = _array(values, column).to_pandas()
        return series
    if column.kind is Kind.QUANTITY:
        values = [None if value is None else Decimal(value) for value in values]
    if column.kind not in _DTYPES:
        # As they are: Arrow would give every decimal as many digits as the longest needs.
        return pd.Series(values, dtype="object")
    try:
        return pd.Series(values, dtype=_DTYPES[column.kind][column.null])
    except OverflowError:
        return pd.Series(values, dtype="object")
