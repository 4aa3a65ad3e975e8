"""Entries and documents from rows of the tables."""

from __future__ import annotations

import json
from typing import Any, Final

from ..core.event import TYPES
from .database import Row
from .entry import Document, Entry

#: Selects entries with their names; a condition follows.
ENTRY: Final = (
    "SELECT e.position, e.recorded_at, a.name, i.name, e.type, e.occurred_at, e.event_id, e.identity_type, "
    "x.name, e.results, e.mode, e.voids, e.digest FROM entry e LEFT JOIN account a ON a.code = e.account "
    "LEFT JOIN identity i ON i.code = e.identity LEFT JOIN action x ON x.code = e.action "
)
#: Selects documents; a condition follows.
DOCUMENT: Final = "SELECT position, recorded_at, kind, number, account_id, cycle_start, content, digest FROM document "


def entry_of(row: Row) -> Entry:
    """An entry from a row of `ENTRY`."""
    return Entry._make((*row[:4], TYPES[row[4]], *row[5:12], bytes(row[12])))


def document_of(row: Row) -> Document:
    """A document from a row of `DOCUMENT`."""
    position, recorded_at, kind, number, account_id, cycle_start, content, digest = row
    return Document(position, recorded_at, kind, number, account_id, cycle_start, content, bytes(digest))


def json_of(content: dict[str, Any]) -> str:
    """The JSON of a document as it is stored: one line, keys in their order."""
    return json.dumps(content, ensure_ascii=False)
