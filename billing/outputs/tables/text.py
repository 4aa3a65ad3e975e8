"""Rows as text for programs: JSON and CSV, exact to the byte."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

#: What a spreadsheet takes for the beginning of a formula: OWASP's list, and its characters as
#: full-width ones, which Excel in Japanese and Chinese reads alike.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: The columns that hold amounts, differences of them and quantities, which may be negative.
_AMOUNTS: Final = re.compile(
    r"^(?!.*id$).*(amount|total|billed|balance|difference|percent|price|cost|charge|quantity|one_more)"
    r"|^(now|other|so_far|least)$",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def to_json(documents: Iterable[dict[str, Any]]) -> str:
    """One array on one line, keys in the order of the documents."""
    return json.dumps(list(documents), ensure_ascii=False)


def to_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """A header and a line for each row, with nothing that a spreadsheet would take for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(row[column], column) for column in columns] for row in rows)
    return out.getvalue()


def cell(value: Any, column: str) -> Any:
    """A value as a cell of a table for people: text that could be a formula begins with an apostrophe.

    It holds for every text in whatever column, so that no column can be forgotten; only where a column
    speaks of amounts, a negative number stays one. An id is none, whatever it looks like.

    >>> cell("=1+1", "account_id"), cell("-1", "event_id"), cell("-8.00", "amount"), cell("acme", "account_id")
    ("'=1+1", "'-1", '-8.00', 'acme')
    """
    if not isinstance(value, str) or (_AMOUNTS.search(column) and _NUMBER.fullmatch(value)):
        return value
    # Spaces before it are no protection: many an import takes them off.
    return f"'{value}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else value
