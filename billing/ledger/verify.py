"""Verification: whether a ledger still has exactly what was appended to it, column by column.

Everything is computed again from the first entry on, with queries of its own, and whatever does not
match is a finding: a digest that differs, a missing position or number, names or counts that are not
those of the entries. No change to the rows can make it fail. A ledger alone cannot show that its end
was cut off, or that it was rewritten with new digests: for that, note its head elsewhere from time to
time, and compare with it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ..core.cycle import text_of
from ..core.digests import BEGINNING, chain_digests, encode, encode_rows
from ..core.errors import sentence
from ..core.event import TYPES, Bool, Int64
from .database import Database, Row
from .entry import SERIES, Head, number_of
from .ledger import Ledger

_START: Final = np.iinfo(np.int64).min
_END: Final = np.iinfo(np.int64).max
#: How many rows are checked together; documents can be large.
_PAGE: Final = 20_000
_DOCUMENTS_PAGE: Final = 100
#: The encoding of a row with a value that no row can have, such as text for a number.
_UNWRITABLE: Final = b""

_ENTRIES: Final = (
    "entry e LEFT JOIN account a ON a.code = e.account LEFT JOIN identity i ON i.code = e.identity "
    "LEFT JOIN action x ON x.code = e.action"
)
_ENTRY: Final = (
    "e.position", "e.recorded_at", "a.name", "i.name", "e.type", "e.occurred_at", "e.event_id", "e.identity_type",
    "x.name", "e.results", "e.mode", "e.voids", "e.digest", "e.account", "i.account", "e.identity", "e.action",
)  # fmt: skip
_DOCUMENT: Final = ("position", "recorded_at", "kind", "number", "account_id", "cycle_start", "content", "digest")

#: A kind of value in a digest: its possible types, and the type of its column.
_Kind = tuple[frozenset[type], Any]
_TEXT: Final[_Kind] = (frozenset({str}), pa.string())
_WHOLE: Final[_Kind] = (frozenset({int}), pa.int64())
_TEXT_OR_NONE: Final[_Kind] = (frozenset({str, type(None)}), pa.string())
_WHOLE_OR_NONE: Final[_Kind] = (frozenset({int, type(None)}), pa.int64())
#: The content of an entry, in the order of `event.CONTENT`, and when it was recorded.
_ENTRY_KINDS: Final = (
    *(_TEXT, _TEXT, _TEXT, _WHOLE, _TEXT),
    *(_TEXT_OR_NONE, _TEXT_OR_NONE, _WHOLE_OR_NONE, _TEXT_OR_NONE, _TEXT_OR_NONE),
    _WHOLE,
)
_DOCUMENT_KINDS: Final = (_WHOLE, _WHOLE, _TEXT, _TEXT_OR_NONE, _TEXT_OR_NONE, _WHOLE_OR_NONE, _TEXT)

#: The tables that repeat entries, how their rows `r` match entries `e`, and which entries they repeat.
_MIRRORS: Final = {
    "once": ("r.account = e.account AND r.event_id = e.event_id AND r.position = e.position", "true"),
    "moment": (
        "r.account = e.account AND r.occurred_at = e.occurred_at AND r.position = e.position "
        "AND r.identity = e.identity AND r.type = e.type",
        "e.type < 3",
    ),
}
#: The columns that make a name unique, in each table of names.
_NAMES: Final = {"account": "name", "identity": "account, name", "action": "name"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a ledger that is not as it was appended: which ledger, where in it, and what.

    `details` fill in the sentence of the code, and hold the `position` where there is one. `str()`
    is the whole message.
    """

    code: str
    where: str
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return sentence(self.code, self.where, **self.details)

    def as_json(self) -> dict[str, Any]:
        """`{code, where, details, message}` as JSON."""
        return {"code": self.code, "where": self.where, "details": self.details, "message": str(self)}


def verify(
    ledger: Ledger, *, noted: Head | None = None, progress: Callable[[int], None] | None = None
) -> list[Finding]:
    """What is wrong with a ledger, causes before their consequences; empty for a sound ledger.

    Of each kind of difference, the first is reported. `noted` is a head that was noted elsewhere: only
    with it can this find that the end of the ledger was cut off, or that the ledger was rewritten.
    `progress` receives how many more entries and documents were checked. Raises `BadLedger` only if the
    database itself cannot be read.
    """
    with ledger.database.reading():
        verification = _Verification(ledger, progress or (lambda count: None))
        if noted is None:
            verification.walk(_START, _END)
        else:
            middle = min(max(noted.position, _START), _END - 1)
            verification.walk(_START, middle)
            digests = verification.digests
            verification.walk(middle + 1, _END)
            verification.compare_head(noted, digests)
        verification.check_sizes()
        for table in _NAMES:
            verification.check_names(table)
        verification.check_counts()
        for table in _MIRRORS:
            verification.check_mirror(table)
    return verification.findings()


class _Verification:
    """The findings so far, and what the rows checked so far imply."""

    def __init__(self, ledger: Ledger, progress: Callable[[int], None]) -> None:
        self._db = ledger.database
        self._where = ledger.name
        self._progress = progress
        self._found: dict[tuple[str, str], tuple[int, Finding]] = {}
        self._digests = {"entry": BEGINNING, "document": BEGINNING}
        self._sizes = {"entry": 0, "document": 0}
        self._last = 0
        self._recorded_at = _START
        self._codes = dict.fromkeys(_NAMES, 0)  # how many codes of each table were used so far
        self._firsts: list[int] = []  # the position of each account's first entry
        self._counts = np.zeros(1, np.int64)  # entries by account code
        self._repeated = dict.fromkeys(_MIRRORS, 0)
        self._numbers = dict.fromkeys(SERIES.values(), 0)

    @property
    def digests(self) -> tuple[str, str]:
        """The digests of all entries and of all documents checked so far, as a head has them."""
        return self._digests["entry"].hex(), self._digests["document"].hex()

    def findings(self) -> list[Finding]:
        """All findings in order of position, those about the whole ledger at the end."""
        # A missing position explains why the next entry does not match, so it comes first.
        order = sorted(self._found.values(), key=lambda found: (found[0], found[1].code != "position_gap"))
        return [finding for _, finding in order]

    def walk(self, first: int, until: int) -> None:
        """Check all entries and documents from one position to another, both inclusive."""
        for start, end in _pages(self._db, ("entry", "document"), first, until, _PAGE):
            entries = _columns(_read(self._db, _ENTRY, _ENTRIES, "e.position", start, end), len(_ENTRY))
            documents = []
            for page in _pages(self._db, ("document",), start, end, _DOCUMENTS_PAGE):
                rows = _read(self._db, _DOCUMENT, "document", "position", *page)
                documents += [row[:2] for row in rows]
                self._check_documents(_columns(rows, len(_DOCUMENT)))
            self._check_entries(entries)
            self._sizes["entry"] += len(entries[0])
            self._sizes["document"] += len(documents)
            places = [(*a, *b) for a, b in zip(entries[:2], _columns(documents, 2), strict=True)]
            self._check_order(_integers(places[0]), _integers(places[1]))
            self._progress(len(places[0]))

    # Row by row

    def _check_entries(self, columns: Sequence[Row]) -> None:
        positions = _integers(columns[0])
        if not len(positions):
            return
        types = columns[4]
        self._repeated["once"] += len(positions)
        self._repeated["moment"] += int(np.count_nonzero(_integers(types) < 3))
        self._check_codes(positions, columns)
        known = tuple(TYPES[t] if type(t) is int and 0 <= t < len(TYPES) else None for t in types)
        contents = _encoded([*columns[2:4], known, *columns[5:12], columns[1]], _ENTRY_KINDS)
        self._check_seals("entry", columns[0], contents, columns[12])

    def _check_documents(self, columns: Sequence[Row]) -> None:
        positions, _, kinds, numbers, *_, digests = columns
        self._check_seals("document", positions, _encoded(columns[:7], _DOCUMENT_KINDS), digests)
        for position, kind, number in zip(positions, kinds, numbers, strict=True):
            if kind in SERIES:
                series = SERIES[kind]
                self._numbers[series] += 1
                expected = number_of(series, self._numbers[series])
                if number != expected:
                    self._find("number_gap", position, series, got=number, expected=expected)

    def _check_seals(self, what: str, positions: Row, contents: list[bytes], stored: Row) -> None:
        digests = chain_digests(self._digests[what], contents)
        if digests:
            self._digests[what] = digests[-1]
        if digests != list(stored) or _UNWRITABLE in contents:
            rows = zip(positions, digests, stored, contents, strict=True)
            differing = (p for p, ours, theirs, content in rows if ours != theirs or content == _UNWRITABLE)
            self._find("seal_broken", next(differing), what, what=what)

    def _check_order(self, positions: Int64, times: Int64) -> None:
        order = np.argsort(positions, kind="stable")
        positions, times = positions[order], times[order]
        before = np.concatenate(([self._last], positions[:-1]))
        if (k := _first(positions - before != 1)) is not None:
            here, last = int(positions[k]), int(before[k])
            if here < 1:
                self._find("position_gap", here, detail=f"something is at {here}")
            elif here == last:
                self._find("position_gap", here, detail=f"more than one thing is at {here}")
            else:
                self._find("position_gap", last + 1, detail=f"there is nothing at {last + 1}")
        since = np.concatenate(([self._recorded_at], times[:-1]))
        if (k := _first(times < since)) is not None:
            got, late = _instant(int(times[k])), _instant(int(since[k]))
            self._find("recorded_out_of_order", int(positions[k]), got=got, last=late)
        self._last, self._recorded_at = int(positions[-1]), int(times[-1])

    def _check_codes(self, positions: Int64, columns: Sequence[Row]) -> None:
        """Whether each code was the next new one at its first use, has its name, and belongs where it is used."""
        account_names, identity_names, action_names = columns[2], columns[3], columns[8]
        accounts, accounts_of_ids, identities, actions = columns[13:]
        acting = [k for k, code in enumerate(actions) if code is not None]
        fresh = self._use("account", positions, accounts, account_names)
        self._use("identity", positions, identities, identity_names)
        self._use(
            "action", positions[acting], tuple(actions[k] for k in acting), tuple(action_names[k] for k in acting)
        )
        k = _first(_integers(accounts_of_ids) != _integers(accounts))
        if k is not None and identity_names[k] is not None:
            position, other = int(positions[k]), accounts_of_ids[k]
            detail = f"the entry at position {position} is of account {accounts[k]}, and its identity of {other}"
            self._find("names_differ", position, "owner", table="identity", detail=detail)
        self._firsts += positions[fresh].tolist()
        codes = _integers(accounts)
        counted = np.bincount(codes[(codes > 0) & (codes <= self._codes["account"])], minlength=len(self._firsts) + 1)
        counted[: len(self._counts)] += self._counts
        self._counts = counted

    def _use(self, table: str, positions: Int64, used: Row, names: Row) -> Int64:
        """The rows that use a code of a table for the first time."""
        if (table, "names_differ") in self._found:
            return np.empty(0, np.intp)
        codes = _integers(used)
        before = np.maximum.accumulate(np.concatenate(([self._codes[table]], codes)))[:-1]
        fresh = codes > before
        wrong = _first((codes < 1) | (fresh & (codes - before != 1)))
        k, why = wrong, ""
        if wrong is not None:
            why = f"and {int(before[wrong]) + 1} is the next that is new"
        elif None in names:
            k, why = names.index(None), "which has no name"
        if k is not None:
            position = int(positions[k])
            detail = f"the entry at position {position} uses {table} {used[k]}, {why}"
            self._find("names_differ", position, table, table=table, detail=detail)
        first: Int64 = np.flatnonzero(fresh[:wrong])
        self._codes[table] += len(first)
        return first

    # The ledger as a whole

    def compare_head(self, noted: Head, digests: tuple[str, str]) -> None:
        """Compare with a head that was noted elsewhere; `digests` are those at its position."""
        if noted.position > self._last:
            self._find("end_missing", position=noted.position, last=self._last)
            return
        noted_digests = (noted.digest.lower(), noted.documents_digest.lower())
        for what, ours, theirs in zip(("entries", "documents"), digests, noted_digests, strict=True):
            if ours != theirs:
                self._find("head_differs", None, what, what=what, position=noted.position, digest=ours, noted=theirs)

    def check_sizes(self) -> None:
        """Whether there are entries or documents without a position, which can be if a key was dropped."""
        for table, seen in self._sizes.items():
            size = _value(self._db, f"SELECT count(*) FROM {table}")
            if size != seen:
                self._find("position_gap", None, table, detail=f"{size - seen} rows of table {table} have none")

    def check_names(self, table: str) -> None:
        """Whether a table of names has the codes that entries use and no others, each name once."""
        if (table, "names_differ") in self._found:
            return  # the codes that entries use are not known
        size, count = _value(self._db, f"SELECT count(*) FROM {table}"), self._codes[table]
        if size != count:  # each code in use has a name, as was checked before
            unused = _value(self._db, f"SELECT min(code) FROM {table} WHERE code < 1 OR code > ?", count)
            detail = f"entries use {count}, it has {size}" + (f"; {unused} is used by none" if unused else "")
            self._find("names_differ", None, table, table=table, detail=detail)
        each = f"SELECT max(code) AS code FROM {table} GROUP BY {_NAMES[table]} HAVING count(*) > 1"
        if (code := _value(self._db, f"SELECT max(code) FROM ({each}) AS twice")) is not None:
            self._find("names_differ", None, table, table=table, detail=f"{code} has the name of another")

    def check_counts(self) -> None:
        """Whether each account has the right first entry and number of entries."""
        rows = _read(self._db, ("code", "position", "events", "name"), "account", "code", 1, len(self._firsts))
        for code, position, events, name in rows:
            if type(code) is not int:
                continue  # the table has more codes than are used, which is another finding
            first, count = self._firsts[code - 1], int(self._counts[code])
            if (position, events) != (first, count):
                self._find("count_differs", got=name, said=events, said_first=position, count=count, first=first)

    def check_mirror(self, table: str) -> None:
        """Whether a table that repeats entries has their values, and no other rows."""
        same, condition = _MIRRORS[table]
        sql = "SELECT min({0}.position) FROM {1} LEFT JOIN {2} ON {3} WHERE {4}.position IS NULL"
        lacking = _value(self._db, sql.format("e", "entry e", f"{table} r", same, "r") + f" AND {condition}")
        if lacking is not None:
            detail = f"it lacks the entry at position {lacking}, or has it otherwise"
            self._find("index_differs", None, table, table=table, position=lacking, detail=detail)
            return
        size, count = _value(self._db, f"SELECT count(*) FROM {table}"), self._repeated[table]
        if size != count:
            extra = _value(self._db, sql.format("r", f"{table} r", "entry e", f"{same} AND {condition}", "e"))
            detail = f"it has {size} rows for {count} entries; no entry says what it has of position {extra}"
            self._find("index_differs", None, table, table=table, position=extra, detail=detail)

    def _find(self, code: str, at: int | None = None, about: str = "", **details: Any) -> None:
        """Keep the first finding of each code about something; `at` is its place in the order."""
        if (about, code) not in self._found:
            values = {name: v if isinstance(v, str | int | None) else str(v) for name, v in details.items()}
            place = {} if at is None else {"position": at}
            self._found[about, code] = (_END if at is None else at, Finding(code, self._where, place | values))


def _pages(db: Database, tables: Sequence[str], first: int, until: int, size: int) -> Iterator[tuple[int, int]]:
    """Spans of up to `size` positions, both ends inclusive, that have rows of some tables; none is empty."""
    while first <= until:
        sql = "SELECT min(position) FROM {} WHERE position BETWEEN ? AND ?"
        found = [_value(db, sql.format(table), first, until) for table in tables]
        some = [int(position) for position in found if position is not None]
        if not some:
            return
        start = min(some)
        last = min(start + size - 1, until)
        yield start, last
        first = last + 1


def _value(db: Database, sql: str, *values: Any) -> Any:
    """The single value of a statement; text that is not UTF-8 becomes empty bytes."""
    try:
        return db.rows(sql, *values)[0][0]
    except UnicodeDecodeError:
        return b""


def _read(db: Database, columns: Sequence[str], tables: str, key: str, first: int, last: int) -> list[Row]:
    """The rows with a key in a span; text that is not UTF-8, which SQLite can store, becomes empty bytes."""

    def found(what: str, low: int, high: int) -> list[Row]:
        return db.rows(f"SELECT {what} FROM {tables} WHERE {key} BETWEEN ? AND ? ORDER BY {key}", low, high)

    def cell(column: str) -> Any:
        try:
            return found(column, first, first)[0][0]
        except UnicodeDecodeError:
            return b""

    try:
        return found(", ".join(columns), first, last)
    except UnicodeDecodeError:
        if first == last:
            return [tuple(map(cell, columns))]
        middle = (first + last) // 2
        return [
            *_read(db, columns, tables, key, first, middle),
            *_read(db, columns, tables, key, middle + 1, last),
        ]


def _columns(rows: Sequence[Row], count: int) -> list[Row]:
    return list(zip(*rows, strict=True)) or [()] * count


def _encoded(columns: Sequence[Row], kinds: Sequence[_Kind]) -> list[bytes]:
    """The encoded rows; a row with a value that no row can have is `_UNWRITABLE`."""
    if all(set(map(type, column)) <= types for column, (types, _) in zip(columns, kinds, strict=True)):
        return encode_rows([pa.array(column, kind) for column, (_, kind) in zip(columns, kinds, strict=True)])
    return [
        encode(row) if all(type(v) in types for v, (types, _) in zip(row, kinds, strict=True)) else _UNWRITABLE
        for row in zip(*columns, strict=True)
    ]


def _integers(column: Row) -> Int64:
    """A column as integers, 0 for other values."""
    if set(map(type, column)) == {int}:
        return np.fromiter(column, np.int64, len(column))
    return np.array([value if type(value) is int else 0 for value in column], np.int64)


def _first(wrong: Bool) -> int | None:
    return int(wrong.argmax()) if wrong.any() else None


def _instant(value: int) -> str:
    try:
        return text_of(value)
    except (OverflowError, ValueError):
        return str(value)
