"""Tables and documents as text: JSON, JSON Lines and CSV, exact to the byte."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from ...core.cycle import text_of
from .schema import Kind, Row, Schema, View

#: What a spreadsheet takes for the beginning of a formula: OWASP's list, and its characters in full
#: width, which Excel in Japanese and Chinese takes for the same.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_json(of: View | Iterable[Mapping[str, Any]]) -> str:
    """One array on one line: the rows of a table, or documents with their keys in the order they have."""
    return json.dumps(_documents(of), ensure_ascii=False)


def to_jsonl(of: View | Iterable[Mapping[str, Any]]) -> str:
    """A line for each row of a table, or for each document."""
    return "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in _documents(of))


def to_csv(view: View) -> str:
    """A header and a line for each row, with nothing that a spreadsheet would take for a formula."""
    columns = [(column.name, column.kind) for column in view.schema.columns]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(view.schema.names)
    writer.writerows([cell(row[name], kind) for name, kind in columns] for row in view.rows)
    return out.getvalue()


def json_rows(view: View) -> list[dict[str, Any]]:
    """The rows of a table as JSON has them."""
    return [json_row(view.schema, row) for row in view.rows]


def json_row(schema: Schema, row: Row) -> dict[str, Any]:
    """A row as JSON has it: a value for each column, in their order."""
    return {column.name: json_value(row[column.name], column.kind) for column in schema.columns}


def json_value(value: Any, kind: Kind) -> Any:
    """A value as JSON has it: exact numbers are text, and instants RFC 3339 in UTC.

    >>> json_value(Decimal("8.00"), Kind.MONEY), json_value(8, Kind.QUANTITY), json_value(0, Kind.INSTANT)
    ('8.00', 8, '1970-01-01T00:00:00Z')
    """
    if value is None:
        return None
    write = _WRITTEN.get(kind)
    return value if write is None else write(value)


def cell(value: Any, kind: Kind) -> Any:
    """A value as a cell of CSV: text that could be a formula begins with an apostrophe.

    An id is text whatever it looks like; a number is none, so a negative one stays as it is.

    >>> cell("=1+1", Kind.TEXT), cell("-1", Kind.TEXT), cell(Decimal("-8.00"), Kind.MONEY), cell("acme", Kind.TEXT)
    ("'=1+1", "'-1", '-8.00', 'acme')
    """
    if value is None or kind not in _GUARDED:
        return json_value(value, kind)
    shown = " ".join(value) if kind is Kind.TEXTS else value
    # Spaces before it are no protection: many an import takes them off.
    return f"'{shown}" if shown.startswith(_FORMULA) or shown.lstrip().startswith(_FORMULA) else shown


def _exact(number: Decimal) -> str:
    return f"{number:f}"


def _quantity(number: int | Decimal) -> int | str:
    return number if isinstance(number, int) else _exact(number)


_WRITTEN: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.TEXTS: list,
    Kind.QUANTITY: _quantity,
    Kind.MONEY: _exact,
    Kind.DECIMAL: _exact,
    Kind.PERCENT: _exact,
    Kind.INSTANT: text_of,
}
_GUARDED: Final = frozenset({Kind.TEXT, Kind.CODE, Kind.TEXTS})


def _documents(of: View | Iterable[Mapping[str, Any]]) -> list[Any]:
    return json_rows(of) if isinstance(of, View) else list(of)
