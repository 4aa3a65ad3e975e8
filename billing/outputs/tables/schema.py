"""What a table consists of: named columns, each of a kind, and rows.

A row holds values as the rest of the code has them: instants are microseconds, amounts are `Decimal`.
How a value is written is decided by the kind of its column and by nothing else, in `text` for JSON and
CSV and in `frame` for Arrow, Parquet and pandas. A new column is declared here and there is no second
place to change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, TypeAlias


class Kind(Enum):
    """What the values of a column are."""

    #: Ids and free text, which may come from outside.
    TEXT = "text"
    #: One of a few words of ours, such as a status, a currency or the name of a cycle.
    CODE = "code"
    #: Several texts in order. CSV has them in one cell, with spaces between them.
    TEXTS = "texts"
    #: A whole number. Python has no largest one; Arrow has int64.
    INTEGER = "integer"
    #: A count that may be a fraction where credits are counted: `int` or `Decimal`.
    QUANTITY = "quantity"
    #: An amount or a price, `Decimal`, in the currency that the row names.
    MONEY = "money"
    #: Any other exact number, `Decimal`.
    DECIMAL = "decimal"
    #: A percentage, `Decimal`: 12.5 is 12.5 %.
    PERCENT = "percent"
    #: A measurement that was rounded, `float`, such as the loss of a forecast.
    FLOAT = "float"
    #: Microseconds since 1970-01-01T00:00:00Z.
    INSTANT = "instant"
    BOOLEAN = "boolean"


# So that a declaration reads as a sentence: `Column("total", money)`.
text: Final = Kind.TEXT
code: Final = Kind.CODE
texts: Final = Kind.TEXTS
integer: Final = Kind.INTEGER
quantity: Final = Kind.QUANTITY
money: Final = Kind.MONEY
decimal: Final = Kind.DECIMAL
percent: Final = Kind.PERCENT
floating: Final = Kind.FLOAT
instant: Final = Kind.INSTANT
boolean: Final = Kind.BOOLEAN

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; with `null`, some rows may have no value."""

    name: str
    kind: Kind
    null: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns of a table, in order, and what the table is called."""

    name: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        assert len({*self.names}) == len(self.columns), "no two columns have the same name"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def without(self, *names: str) -> Schema:
        """The same table without some of its columns."""
        return replace(self, columns=tuple(column for column in self.columns if column.name not in names))


@dataclass(frozen=True, slots=True)
class View:
    """A table: its columns, and rows with a value for each. Rows may hold more, which is not shown."""

    schema: Schema
    rows: Sequence[Row]

    def __post_init__(self) -> None:
        for column in self.schema.columns:
            if not column.null:
                found = all(row[column.name] is not None for row in self.rows)
                assert found, f"{self.schema.name}: {column.name} has a value in every row"

    def values(self, column: Column) -> list[Any]:
        """The values of a column, row by row."""
        return [row[column.name] for row in self.rows]


def cycle_columns(*, null: bool = False) -> tuple[Column, ...]:
    """The columns that say which cycle a row is about, the same in every table, so that tables join."""
    return Column("cycle", code, null), Column("cycle_start", instant, null), Column("cycle_end", instant, null)
