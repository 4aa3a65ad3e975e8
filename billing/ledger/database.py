"""What a ledger needs of a database: the little in which SQLite and PostgreSQL differ.

Everything else is SQL that both understand, with `?` for values, in `ledger.py`. Schemas are numbered
files under `sql/`, applied in order; the database stores the number of the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A value to look up in one table by a key of one or two columns."""

    table: str
    keys: tuple[tuple[str, str], ...]  # column and its type in PostgreSQL
    value: str

    @property
    def condition(self) -> str:
        """The keys as a condition with `?` for values."""
        return " AND ".join(f"{column} = ?" for column, _ in self.keys)


ACCOUNT_CODE: Final = Lookup("account", (("name", "text"),), "code")
IDENTITY_CODE: Final = Lookup("identity", (("account", "integer"), ("name", "text")), "code")
IDENTITY_NAME: Final = Lookup("identity", (("code", "integer"),), "name")
ACTION_CODE: Final = Lookup("action", (("name", "text"),), "code")
ACTION_NAME: Final = Lookup("action", (("code", "integer"),), "name")
EVENT_POSITION: Final = Lookup("once", (("account", "integer"), ("event_id", "text")), "position")
EVENT_ID: Final = Lookup("entry", (("position", "bigint"),), "event_id")
RECORDED_AT: Final = Lookup("entry", (("position", "bigint"),), "recorded_at")

#: The columns of each table, in order.
COLUMNS: Final = {
    "account": ("code", "name", "position", "events"),
    "identity": ("code", "account", "name"),
    "action": ("code", "name"),
    "entry": (
        "position",
        "recorded_at",
        "account",
        "identity",
        "type",
        "occurred_at",
        "event_id",
        "identity_type",
        "action",
        "results",
        "mode",
        "voids",
        "digest",
    ),
    "document": ("position", "recorded_at", "kind", "number", "account_id", "cycle_start", "content", "digest"),
}
#: What `moments` gives of each event, in order.
MOMENT: Final = ("account", "identity", "type", "occurred_at", "position")


@dataclass(frozen=True, slots=True)
class Span:
    """Which events of an account to read: those that occurred in `[start, end)`, in microseconds."""

    account: int
    start: int
    end: int


class Database(Protocol):
    """A database with one ledger. Its errors are raised as `BadLedger`."""

    #: The name in messages: its address, without a password.
    name: str

    def reading(self) -> AbstractContextManager[None]:
        """A transaction in which all reads see the ledger as of one moment."""

    def writing(self) -> AbstractContextManager[None]:
        """A transaction in which nobody else writes; at its end all of it is on disk, or none after an error."""

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """The rows of a statement."""

    def look_up(self, what: Lookup, keys: Sequence[Row]) -> list[Any]:
        """The value of each key, or none; cheap for many keys."""

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Add rows to a table, in the order of `COLUMNS`; cheap for many rows."""

    def count(self, entries: Sequence[tuple[int, int]]) -> None:
        """Add to the number of entries of some accounts, given as pairs of code and number."""

    def moments(self, spans: Sequence[Span] | None, until: int) -> NDArray[np.int64]:
        """Events that begin or end activity in some spans, or at any time, up to a position: rows as `MOMENT`."""

    def close(self) -> None:
        """Close the connection."""


def schemas(kind: str) -> list[str]:
    """The schema files of a kind of database, in order: the first makes version 1 of an empty database."""
    folder = files(__package__).joinpath("sql", kind)
    return [file.read_text(encoding="utf-8") for file in sorted(folder.iterdir(), key=lambda file: file.name)]
