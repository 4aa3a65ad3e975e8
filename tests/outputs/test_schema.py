"""Every declared table, written in every format: the same values, by the kind of a column and by nothing else."""

from __future__ import annotations

import csv
import importlib
import io
import json
import pkgutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import billing.outputs
from billing.core.cycle import instant_of, text_of
from billing.core.errors import BillingError
from billing.outputs.charts import data
from billing.outputs.finance import focus
from billing.outputs.tables.frame import arrow_schema, to_arrow, to_pandas, to_parquet
from billing.outputs.tables.schema import Column, Kind, Schema, View, cycle_columns
from billing.outputs.tables.text import to_csv, to_json, to_jsonl
from billing.outputs.tables.views import SCHEMAS

ALL: Final = (*SCHEMAS, data.STEPS, data.CYCLES, focus.COST_AND_USAGE, focus.INVOICE_DETAIL, focus.BILLING_PERIOD)
EXACT: Final = (Kind.MONEY, Kind.DECIMAL, Kind.PERCENT)
TEXT: Final = (Kind.TEXT, Kind.CODE, Kind.TEXTS)
FORMULA: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
#: Each table is drawn a quarter as often as a test of its own would be: all of them share the same kinds.
FEW: Final = settings(max_examples=settings().max_examples // 4)
#: Ids and free text as people and programs write them, formulas and numbers among them.
WORDS: Final = st.sampled_from(
    ["acme", "=1+1", "-1", "+49 30", "@ada", " =x", "1.50", "ünï 日本", "a,b", '"q"']
) | st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
DECIMALS: Final = st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=4)
VALUES: Final[dict[Kind, st.SearchStrategy[Any]]] = {
    Kind.TEXT: WORDS,
    Kind.CODE: WORDS,
    Kind.TEXTS: st.lists(WORDS, min_size=1, max_size=3),
    Kind.INTEGER: st.integers(-(2**53), 2**53),
    Kind.QUANTITY: st.integers(0, 10**12) | DECIMALS,
    Kind.MONEY: DECIMALS,
    Kind.DECIMAL: DECIMALS,
    Kind.PERCENT: DECIMALS,
    Kind.FLOAT: st.floats(-1e9, 1e9),
    Kind.INSTANT: st.integers(instant_of("2000-01-01T00:00:00Z"), instant_of("2199-12-31T23:59:59Z")),
    Kind.BOOLEAN: st.booleans(),
}


#: A few values of each kind, from which the rows of a table are made.
POOLS: Final = st.fixed_dictionaries(
    {kind: st.lists(values, min_size=1, max_size=4) for kind, values in VALUES.items()}
)


def view_of(schema: Schema, pools: dict[Kind, list[Any]], count: int) -> View:
    """A table of `count` rows, in which a column that may have no value has none in every third."""

    def value(column: Column, at: int) -> Any:
        pool = pools[column.kind]
        return None if column.null and at % 3 == 2 else pool[at % len(pool)]

    return View(schema, [{c.name: value(c, r + k) for k, c in enumerate(schema.columns)} for r in range(count)])


def value_of(shown: Any, kind: Kind) -> Any:
    """A value of any format as a row has it."""
    if kind is Kind.TEXTS:
        return shown if shown is None else list(shown)
    if shown is None or shown is pd.NA or shown is pd.NaT or (isinstance(shown, float) and shown != shown):
        return None
    if kind is Kind.INSTANT:
        instant = datetime.fromisoformat(shown) if isinstance(shown, str) else shown
        return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if kind in EXACT or kind is Kind.QUANTITY:
        assert not isinstance(shown, float), "no exact number becomes a binary one"
        return Decimal(shown)
    return shown


def rows_of(rows: Sequence[Mapping[Any, Any]], schema: Schema) -> list[dict[str, Any]]:
    return [{c.name: value_of(row[c.name], c.kind) for c in schema.columns} for row in rows]


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.name)
@FEW
@given(pools=POOLS, count=st.integers(0, 3))
def test_every_format_of_a_table_has_the_same_values(schema: Schema, pools: dict[Kind, list[Any]], count: int) -> None:
    """Whoever joins a file of one format to one of another must not lose a digit or a microsecond."""
    view = view_of(schema, pools, count)
    expected = [
        {
            c.name: Decimal(v) if (v := row[c.name]) is not None and c.kind is Kind.QUANTITY else v
            for c in schema.columns
        }
        for row in view.rows
    ]

    assert expected == rows_of(json.loads(to_json(view)), schema)
    assert expected == rows_of([json.loads(line) for line in to_jsonl(view).split("\n")[:-1]], schema)
    assert expected == rows_of(to_arrow(view).to_pylist(), schema)
    assert expected == rows_of(to_pandas(view).to_dict("records"), schema)


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.name)
@FEW
@given(pools=POOLS, count=st.integers(1, 3))
def test_text_that_could_be_a_formula_is_guarded_in_csv_and_no_number_is(
    schema: Schema, pools: dict[Kind, list[Any]], count: int
) -> None:
    """By the kind of its column: an id that looks like a number is text, and -8.00 is an amount."""
    view = view_of(schema, pools, count)
    found = list(csv.DictReader(io.StringIO(to_csv(view), newline="")))

    assert len(found) == len(view.rows)
    for row, shown in zip(view.rows, found, strict=True):
        for column in schema.columns:
            value, cell = row[column.name], shown[column.name]
            if value is None:
                assert "" == cell
            elif column.kind in TEXT:
                text = " ".join(value) if column.kind is Kind.TEXTS else value
                guarded = text.lstrip().startswith(FORMULA)
                assert (f"'{text}" if guarded else text) == cell
            elif column.kind is Kind.INSTANT:
                assert text_of(value) == cell
            elif column.kind is Kind.BOOLEAN:
                assert str(value) == cell
            else:
                assert value == type(value)(cell)


def test_parquet_is_what_arrow_is() -> None:
    columns = tuple(Column(kind.value, kind, null=True) for kind in Kind)
    row = {
        "text": "acme",
        "code": "draft",
        "texts": ["a", "b"],
        "integer": 7,
        "quantity": Decimal("141.525"),
        "money": Decimal("-8.00"),
        "decimal": Decimal("0.05"),
        "percent": Decimal("12.5"),
        "float": 0.25,
        "instant": 1,
        "boolean": True,
    }
    view = View(Schema("all kinds", columns), [row, dict.fromkeys(row)])

    assert to_arrow(view).equals(pq.read_table(io.BytesIO(to_parquet(view))))


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.name)
def test_the_types_of_a_table_do_not_depend_on_its_rows(schema: Schema) -> None:
    """A month in which nothing happened must not break what was written for the others."""
    empty = View(schema, [])

    assert arrow_schema(schema) == to_arrow(empty).schema
    assert [*schema.names] == [*to_pandas(empty).columns] == to_csv(empty).strip().split(",")
    assert {"datetime64[us, UTC]"} >= {
        str(to_pandas(empty)[column.name].dtype) for column in schema.columns if column.kind is Kind.INSTANT
    }


def test_every_table_that_is_declared_is_among_them() -> None:
    """What is left out of the list would be left out of these tests, and of the reference."""
    declared = {
        id(value): value
        for module in pkgutil.walk_packages(billing.outputs.__path__, "billing.outputs.")
        for name, value in vars(importlib.import_module(module.name)).items()
        if isinstance(value, Schema) and not name.startswith("_")
    }

    assert {*declared} == {id(schema) for schema in ALL}
    assert len(ALL) == len({schema.name for schema in ALL})


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_a_row_about_a_cycle_says_which_from_when_until_when(schema: Schema) -> None:
    """Next to each other after the account, so that any two tables join by the same columns."""
    names = [*schema.names]
    cycle = [column.name for column in cycle_columns()]
    if not {*cycle} & {*names}:
        return
    start = names.index("account_id") + 1

    assert cycle == names[start : start + 3]


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Kind.MONEY, Decimal("0.0000000000001")), (Kind.DECIMAL, Decimal(10) ** 26), (Kind.INTEGER, 2**63)],
)
def test_a_number_that_a_type_cannot_hold_is_refused_and_never_rounded(kind: Kind, value: Any) -> None:
    """Text formats have every digit, and so has pandas."""
    view = View(Schema("one", (Column("n", kind),)), [{"n": value}])

    with pytest.raises(BillingError, match="n has a number with more digits"):
        to_arrow(view)
    assert [value] == to_pandas(view)["n"].tolist()
    assert [value] == [type(value)(row["n"]) for row in json.loads(to_json(view))]


def test_a_column_without_null_has_a_value_in_every_row() -> None:
    with pytest.raises(AssertionError, match="peaks of nobody: n has a value in every row"):
        View(Schema("peaks of nobody", (Column("n", Kind.INTEGER),)), [{"n": None}])
