"""Tampering: whatever is done to the rows of a ledger behind the engine's back, its verification sees it.

Every case starts from one small ledger without its triggers, as somebody has it who can write to the
file, and changes it while the ledger has it open.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pyarrow as pa
import pytest

from billing.core.digests import BEGINNING, chain_digests, encode
from billing.core.event import TYPES
from billing.inputs.rows import ReadOptions
from billing.inputs.source import read_batches
from billing.ledger import verify as module
from billing.ledger.address import open_ledger
from billing.ledger.database import COLUMNS
from billing.ledger.entry import Head, UnissuedDocument
from billing.ledger.ledger import Ledger
from billing.ledger.verify import Finding, verify

Row = tuple[Any, ...]
#: A statement with its values, or several of them.
Attack = Sequence[tuple[str, Row]]

TABLES = {
    **COLUMNS,
    "once": ("account", "event_id", "position"),
    "moment": ("account", "occurred_at", "position", "identity", "type"),
}
#: By what a row of a table is found, which stays where contents are swapped.
KEYS = {"account": 1, "identity": 1, "action": 1, "entry": 1, "once": 2, "moment": 3, "document": 1}

BEFORE = """\
event_id,account_id,identity_id,type,occurred_at,recorded_at,identity_type,action,results,mode,voids
e1,acme,ada,identity.created,2026-01-01T09:00:00Z,2026-01-01T09:00:01Z,engagement,,,,
e2,acme,ada,integration.connected,2026-01-01T09:30:00Z,2026-01-01T09:30:01Z,,,,,
e3,acme,bot,identity.created,2026-01-02T09:00:00Z,2026-01-02T09:00:01Z,standard,,,,
e4,bmart,ada,integration.connected,2026-01-03T09:00:00Z,2026-01-03T09:00:01Z,,,,,
e5,acme,bot,action.called,2026-01-04T09:00:00Z,2026-01-04T09:00:01Z,,linkedin-visit-profile,3,managed,
e6,acme,cy,action.called,2026-01-05T09:00:00Z,2026-01-05T09:00:01Z,,linkedin-like-post,0,direct,
e7,acme,cy,action.called,2026-01-06T09:00:00Z,2026-01-06T09:00:01Z,,linkedin-like-post,,,
e2,acme,ada,integration.connected,2026-01-07T09:00:00Z,2026-01-07T09:00:01Z,,,,,
e8,acme,cy,event.voided,2026-01-06T09:00:00Z,2026-01-08T09:00:01Z,,,,,e7
e4,acme,dan,action.called,2026-01-09T09:00:00Z,2026-01-09T09:00:01Z,,linkedin-visit-profile,1,auto,
"""
AFTER = """\
event_id,account_id,identity_id,type,occurred_at,recorded_at,identity_type,action,results,mode,voids
e9,acme,ada,identity.deleted,2026-02-01T09:00:00Z,2026-02-02T09:00:01Z,,,,,
e10,acme,bot,identity.created,2026-02-02T09:00:00Z,2026-02-02T09:00:02Z,engagement,,,,
e11,bmart,eve,action.called,2026-01-20T09:00:00Z,2026-02-02T09:00:03Z,,linkedin-extract-messages,12,,
"""
JANUARY = 1_767_225_600_000_000
CLOSED = 1_769_990_400_000_000  # 2026-02-02T00:00:00Z
RESTATED = 1_770_076_800_000_000  # a day later
LATER = 1_800_000_000_000_000

every_table = pytest.mark.parametrize("table", TABLES)


# What is tampered with


@dataclass(frozen=True)
class Kept:
    """A ledger and what was in it; `open` is a copy in memory, without triggers."""

    path: Path
    open: apsw.Connection
    head: Head
    rows: dict[str, list[Row]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    path = tmp_path_factory.mktemp("kept") / "billing.db"
    made(path).close()
    with keeping(path) as kept:
        yield kept


@contextmanager
def keeping(path: Path) -> Iterator[Kept]:
    with closing(open_ledger(f"sqlite:///{path}")) as ledger:
        head = ledger.head()
        rows = {table: ledger.database.rows(f"SELECT * FROM {table}") for table in TABLES}
    with closing(copied(path)) as connection:
        for (name,) in run(connection, "SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
            run(connection, f"DROP TRIGGER {name}")
        yield Kept(path, connection, head, rows)


@dataclass(frozen=True)
class Thief:
    """Changes the file of a ledger through a connection of its own, while the ledger has it open."""

    kept: Kept
    path: Path
    connection: apsw.Connection
    ledger: Ledger

    def attack(self, *steps: tuple[str, Row], start: apsw.Connection | None = None) -> bool:
        """Whether what was kept, or another start, can be changed so: the schema itself refuses some values."""
        copy(start or self.kept.open, self.connection)
        try:
            with self.connection:
                for sql, values in steps:
                    run(self.connection, sql, *values)
        except (apsw.ConstraintError, apsw.MismatchError):
            return False
        return True

    def attack_by(self, change: Callable[[apsw.Connection], None]) -> None:
        """Change what was kept in ways that take more than statements."""
        copy(self.kept.open, self.connection)
        with self.connection:
            change(self.connection)

    def found(self, noted: Head | None = None) -> list[Finding]:
        """What the verification has to say about it."""
        return verify(self.ledger, noted=noted)

    def codes(self, noted: Head | None = None) -> list[str]:
        """The codes of that."""
        return [finding.code for finding in self.found(noted)]


@pytest.fixture
def thief(kept: Kept, tmp_path: Path) -> Iterator[Thief]:
    with stealing(kept, tmp_path) as thief:
        yield thief


@contextmanager
def stealing(kept: Kept, folder: Path) -> Iterator[Thief]:
    path = folder / "copy.db"
    path.write_bytes(kept.path.read_bytes())
    with closing(raw(path)) as connection, closing(open_ledger(f"sqlite:///{path}")) as ledger:
        copy(kept.open, connection)
        yield Thief(kept, path, connection, ledger)


def made(path: Path, *, batch_size: int = 100) -> Ledger:
    """A small ledger with everything that one can have."""
    ledger = open_ledger(f"sqlite:///{path}", create=True)
    append(ledger, BEFORE, batch_size)
    terms = {"plan": "outreach-sample", "discount": "10%"}
    invoice = {"total": "7.99", "currency": "USD", "lines": [{"kind": "usage", "quantity": 1}]}
    issue(
        ledger,
        CLOSED,
        UnissuedDocument("terms", None, None, terms),
        UnissuedDocument("terms", "acme", None, terms | {"discount": "0%"}),
        UnissuedDocument("invoice", "acme", JANUARY, invoice),
        UnissuedDocument("invoice", "bmart", JANUARY, invoice | {"total": "0.00"}),
    )
    append(ledger, AFTER, batch_size)
    issue(
        ledger,
        RESTATED,
        UnissuedDocument("credit_note", "acme", JANUARY, invoice | {"total": "-7.99"}),
        UnissuedDocument("supplementary_invoice", "bmart", JANUARY, invoice),
    )
    return ledger


def append(ledger: Ledger, text: str, batch_size: int) -> None:
    rows = list(csv.DictReader(io.StringIO(text)))
    table = pa.table({name: pa.array([row[name] or None for row in rows], pa.string()) for name in rows[0]})
    encoder, batches = read_batches(table, ReadOptions())
    names = encoder.names(np.zeros(0, np.bool_))
    for batch in batches:
        for first in range(0, len(batch), batch_size):
            some = batch.take(np.arange(first, min(len(batch), first + batch_size)))
            ledger.append(some, names, now=LATER)


def issue(ledger: Ledger, now: int, *papers: UnissuedDocument) -> None:
    ledger.issue(papers, after=ledger.head().documents_digest, now=now)


def raw(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    run(connection, "PRAGMA synchronous=OFF")
    return connection


def copy(source: apsw.Connection, target: apsw.Connection) -> None:
    with target.backup("main", source, "main") as backup:
        backup.step()


def copied(path: Path) -> apsw.Connection:
    memory = apsw.Connection(":memory:")
    with closing(raw(path)) as connection:
        copy(connection, memory)
    return memory


def run(connection: apsw.Connection, sql: str, *values: Any) -> list[Row]:
    return list(connection.execute(sql, values))


def matching(table: str, row: Row) -> tuple[str, Row]:
    """A condition that only this row meets."""
    return " AND ".join(f"{column} IS ?" for column in TABLES[table]), row


def edit(table: str, row: Row, column: str, value: Any) -> tuple[str, Row]:
    condition, values = matching(table, row)
    return f"UPDATE {table} SET {column} = ? WHERE {condition}", (value, *values)


def deletion(table: str, row: Row) -> tuple[str, Row]:
    condition, values = matching(table, row)
    return f"DELETE FROM {table} WHERE {condition}", values


def insertion(table: str, row: Row) -> tuple[str, Row]:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row


def replaced(table: str, old: Sequence[Row], new: Sequence[Row]) -> Attack:
    return [*(deletion(table, row) for row in old), *(insertion(table, row) for row in new)]


def other_values(rows: Sequence[Row], place: int, value: Any) -> list[Any]:
    """What a value could be changed to: nothing, what others of its column are, and what none is."""
    column = [row[place] for row in rows]
    known = [other for other in dict.fromkeys(column) if other is not None]
    kind = type(known[0])
    foreign: list[Any]
    if kind is int:
        foreign = [max(known) + 1, 0, -1, (value or 0) + 1, (value or 0) - 1]
    elif kind is bytes:
        foreign = [bytes(32), b"", known[0][:-1]]
    else:
        foreign = ["", "mallory", f"{value or known[0]} ", (value or known[0])[:-1], "{", "null"]
    return [other for other in dict.fromkeys([None, *foreign, *known]) if other != value]


# No false alarms


def test_an_untouched_ledger_holds_also_when_it_is_opened_again(tmp_path: Path) -> None:
    """A verification that cries wolf is switched off, and then it sees nothing."""
    path = tmp_path / "billing.db"
    with closing(made(path)) as ledger:
        head = ledger.head()
        assert [] == verify(ledger)
        assert [] == verify(ledger, noted=head)
    with closing(open_ledger(f"sqlite:///{path}")) as ledger:
        assert [] == verify(ledger, noted=head)


def test_a_ledger_that_has_nothing_holds() -> None:
    """The first verification may come before the first event."""
    with closing(open_ledger("sqlite:///:memory:", create=True)) as ledger:
        assert [] == verify(ledger, noted=ledger.head())


@pytest.mark.parametrize("batch_size", [1, 2])
def test_how_events_were_cut_into_batches_does_not_show(kept: Kept, tmp_path: Path, batch_size: int) -> None:
    """Codes, positions and digests follow the order of arrival and nothing else."""
    with closing(made(tmp_path / "billing.db", batch_size=batch_size)) as ledger:
        assert [] == verify(ledger, noted=kept.head)
        assert kept.rows == {table: ledger.database.rows(f"SELECT * FROM {table}") for table in TABLES}


@pytest.mark.parametrize("size", [1, 2, 3])
def test_where_pages_end_does_not_show(thief: Thief, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A large ledger is looked at in pages, and what is wrong may lie at the edge of one."""
    rows = thief.kept.rows["entry"]
    attacks = [deletion("entry", row) for row in rows] + [edit("entry", row, "recorded_at", 9) for row in rows]
    whole = [(thief.attack(attack), thief.found())[1] for attack in attacks]
    monkeypatch.setattr(module, "_PAGE", size)
    monkeypatch.setattr(module, "_DOCUMENTS_PAGE", size)
    thief.attack()
    assert [] == thief.found(thief.kept.head)
    assert whole == [(thief.attack(attack), thief.found())[1] for attack in attacks]


def test_any_head_of_the_past_can_be_held_against_a_ledger_that_grew(thief: Thief) -> None:
    """A note is of use for as long as the ledger exists."""
    noted = [thief.ledger.head(position=position) for position in range(thief.kept.head.position + 1)]
    assert [[]] * len(noted) == [thief.found(head) for head in noted]


def test_what_is_appended_while_a_ledger_is_verified_does_no_harm(thief: Thief) -> None:
    """A verification of a large ledger takes minutes, in which events go on coming."""
    late = AFTER.replace("e9", "e12").replace("e11", "e13").replace("2026-02-02", "2026-02-04")
    with closing(open_ledger(f"sqlite:///{thief.path}")) as other:
        assert [] == verify(thief.ledger, progress=lambda count: append(other, late, 100))
    assert thief.ledger.head().position > thief.kept.head.position
    assert [] == thief.found(thief.kept.head)


# Everything that one can do to a row


@every_table
def test_every_edit_is_found(thief: Thief, table: str) -> None:
    """Whoever can write to the file could otherwise change who is billed for what."""
    rows = thief.kept.rows[table]
    unnoticed, edited = [], set()
    for row, (place, column) in product(rows, enumerate(TABLES[table])):
        for value in other_values(rows, place, row[place]):
            if thief.attack(edit(table, row, column, value)):
                edited.add((row, column))
                if not thief.found():
                    unnoticed.append((row, column, value))
    assert [] == unnoticed
    # What is not issued has no number; the schema itself refuses any other value.
    fixed = {(row, "number") for row in rows if table == "document" and row[3] is None}
    assert set(product(rows, TABLES[table])) - fixed == edited


@every_table
def test_every_deletion_is_found(thief: Thief, table: str) -> None:
    """What is left out of a bill is as wrong as what is added to it."""
    rows = thief.kept.rows[table]
    last = rows[-1]
    unnoticed = [row for row in rows if thief.attack(deletion(table, row)) and not thief.found(thief.kept.head)]
    assert [] == unnoticed
    # The very last document can only be missed by who knows that it was there.
    alone = [row for row in rows if thief.attack(deletion(table, row)) and not thief.found()]
    assert ([last] if table == "document" else []) == alone


@every_table
def test_every_insertion_is_found(thief: Thief, table: str) -> None:
    """Also a name that no entry uses was put there by somebody."""
    rows = thief.kept.rows[table]
    end = thief.kept.head.position + 1
    made_up: dict[str, list[Row]] = {
        "account": [(3, "mallory", end, 0), (3, "mallory", 1, 1), (0, "mallory", end, 0), (-7, "", 0, 0)],
        "identity": [(7, 1, "mallory"), (7, 2, "bot"), (0, 1, "mallory"), (99, 99, "mallory")],
        "action": [(4, "mallory"), (0, "mallory"), (99, "")],
        "entry": [
            (place, RESTATED, 1, 1, 1, JANUARY, "e99", *[None] * 5, digest)
            for place, digest in product((end, end + 1, 0, -5, 10**15), (rows[-1][-1], bytes(32)))
        ],
        "once": [(1, "e99", end), (2, "e1", 1), (3, "e1", 1)],
        "moment": [(1, JANUARY, 1, 1, 1), (1, JANUARY, end, 1, 1), (2, JANUARY, 2, 1, 0), (9, 9, 9, 9, 9)],
        "document": [
            (place, RESTATED, kind, number, "acme", JANUARY, content, rows[-1][-1])
            for place, (kind, number), content in product(
                (end, end + 1, 0, -5, 10**15), (("terms", None), ("credit_note", "CN-000002")), ("{}", "{", "")
            )
        ],
    }
    allowed = [row for row in made_up[table] if thief.attack(insertion(table, row))]
    assert made_up[table] == allowed
    assert [] == [row for row in allowed if thief.attack(insertion(table, row)) and not thief.found()]


@every_table
def test_every_swap_of_what_two_rows_say_is_found(thief: Thief, table: str) -> None:
    """All values are genuine then, and all sums agree; only their places are wrong."""
    rows, columns = thief.kept.rows[table], range(len(TABLES[table]))
    contents = columns[KEYS[table] :]
    swaps = [[column] for column in columns] + [[*contents], [*contents[:-1]]]
    unnoticed, tried = [], 0
    for (one, other), places in product(pairwise(rows), swaps):
        new = [
            tuple(theirs[k] if k in places else ours[k] for k in columns)
            for ours, theirs in ((one, other), (other, one))
        ]
        if {one, other} != set(new) and thief.attack(*replaced(table, [one, other], new)):
            tried += 1
            if not thief.found():
                unnoticed.append(new)
    assert [] == unnoticed
    assert tried >= len(rows) - 1


def test_an_entry_and_a_document_cannot_change_places(thief: Thief) -> None:
    """What was known when an invoice was issued follows from their order; the thief keeps all else in order."""
    entries = [row[0] for row in thief.kept.rows["entry"]]
    documents = [row[0] for row in thief.kept.rows["document"]]
    for entry, document in product(entries, documents):
        steps: list[tuple[str, Row]] = [("UPDATE entry SET position = 1000 WHERE position = ?", (entry,))]
        steps.append(("UPDATE document SET position = ? WHERE position = ?", (entry, document)))
        steps.append(("UPDATE entry SET position = ? WHERE position = 1000", (document,)))
        for table in ("once", "moment", "account"):
            steps.append((f"UPDATE {table} SET position = ? WHERE position = ?", (document, entry)))
        assert thief.attack(*steps)
        assert thief.found(), (entry, document)


@pytest.mark.parametrize("table", ["account", "identity", "action"])
def test_codes_that_change_places_everywhere_are_found(thief: Thief, table: str) -> None:
    """Every row fits every other then, and yet it is not the ledger that was made."""
    users = {
        "account": [("account", "code"), *((t, "account") for t in ("identity", "entry", "once", "moment"))],
        "identity": [("identity", "code"), ("entry", "identity"), ("moment", "identity")],
        "action": [("action", "code"), ("entry", "action")],
    }[table]
    for one, other in pairwise(row[0] for row in thief.kept.rows[table]):
        away = [(f"UPDATE {user} SET {column} = 1000 WHERE {column} = ?", (one,)) for user, column in users]
        there = [(f"UPDATE {user} SET {column} = ? WHERE {column} = ?", (one, other)) for user, column in users]
        back = [(f"UPDATE {user} SET {column} = ? WHERE {column} = 1000", (other,)) for user, column in users]
        assert thief.attack(*away, *there, *back)
        assert "names_differ" in thief.codes(), (one, other)


def test_a_name_that_is_split_in_two_is_found(thief: Thief) -> None:
    """An identity under two codes would be counted twice, with no name or digest changed."""
    (last,) = (row for row in thief.kept.rows["entry"] if row[6] == "e9")
    entries = [row for row in thief.kept.rows["entry"] if row[0] < last[0]]
    assert last[3] in {row[3] for row in entries}

    def split(connection: apsw.Connection) -> None:
        rebuilt(connection, "identity")
        run(connection, "UPDATE identity SET code = 8 WHERE code = 6")  # first used after the entry that moves
        run(connection, "UPDATE entry SET identity = 8 WHERE identity = 6")
        run(connection, "UPDATE moment SET identity = 8 WHERE identity = 6")
        fresh = max(row[3] for row in entries) + 1
        run(connection, "INSERT INTO identity VALUES (?, ?, 'ada')", fresh, last[2])
        run(connection, "UPDATE entry SET identity = ? WHERE position = ?", fresh, last[0])
        run(connection, "UPDATE moment SET identity = ? WHERE position = ?", fresh, last[0])
        run(connection, "UPDATE identity SET code = ? WHERE code = 8", fresh + 1)
        run(connection, "UPDATE entry SET identity = ? WHERE identity = 8", fresh + 1)
        run(connection, "UPDATE moment SET identity = ? WHERE identity = 8", fresh + 1)

    thief.attack_by(split)
    assert ["names_differ"] == thief.codes()
    assert "has the name of another" in str(thief.found()[0])


def test_a_row_of_a_page_of_many_cannot_be_changed(tmp_path: Path) -> None:
    """Many rows are written as columns and not one by one, and must come to the same."""
    path = tmp_path / "billing.db"
    header, *lines = AFTER.splitlines()
    many = [lines[2].replace("e11", f"e{k}").replace("eve", f"eve{k % 7}") for k in range(100, 800)]
    with closing(made(path)) as ledger:
        append(ledger, "\n".join([header, *many]).replace("2026-02-02", "2026-02-04"), 1_000)
    with keeping(path) as kept, stealing(kept, tmp_path) as thief:
        assert [] == thief.found(kept.head)
        rows = kept.rows["entry"]
        assert len(rows) > len(many)
        row = rows[400]
        for place, column in enumerate(TABLES["entry"]):
            for value in other_values([*rows[:12], *rows[399:402]], place, row[place]):
                if thief.attack(edit("entry", row, column, value)):
                    assert thief.found(), (column, value)


# What no row can be, in a table made anew without its rules


STRANGE = (None, "text", 1.5, float("inf"), b"\xff", '{"cut', -(2**63), 2**63 - 1)


@every_table
def test_nothing_that_stands_in_a_row_can_stop_the_verification(thief: Thief, table: str) -> None:
    """A ledger that cannot be looked at to its end would hide what else was done to it."""
    unnoticed = []
    rows = thief.kept.rows[table]
    thief.attack_by(lambda connection: rebuilt(connection, table))
    assert [] == thief.found()
    with closing(copied(thief.path)) as lawless:
        for row, (place, column) in product([rows[0], rows[-1]], enumerate(TABLES[table])):
            changes = [edit(table, row, column, value) for value in STRANGE if value != row[place]]
            changes += [insertion(table, (*row[:place], value, *row[place + 1 :])) for value in STRANGE]
            condition, values = matching(table, row)
            changes.append((f"UPDATE {table} SET {column} = CAST(x'41ff' AS TEXT) WHERE {condition}", values))
            for change in changes:
                assert thief.attack(change, start=lawless)
                found = thief.found(thief.kept.head)
                json.dumps([finding.as_json() for finding in found])
                if not found:
                    unnoticed.append((row, change))
    assert [] == unnoticed


def test_what_cannot_be_written_cannot_be_sealed(thief: Thief) -> None:
    """Half a result would be written as nothing, and even a digest of nothing must not make it an entry."""
    *_, before, last = thief.kept.rows["entry"]

    def change(connection: apsw.Connection) -> None:
        rebuilt(connection, "entry")
        (digest,) = chain_digests(before[-1], [b""])
        run(connection, "UPDATE entry SET results = 0.5, digest = ? WHERE position = ?", digest, last[0])

    thief.attack_by(change)
    (finding,) = thief.found()
    assert ("seal_broken", {"position": last[0], "what": "entry"}) == (finding.code, finding.details)


def rebuilt(connection: apsw.Connection, table: str) -> None:
    """Make a table anew, with the same rows and without types, keys or conditions."""
    columns = ", ".join(TABLES[table])
    run(connection, f"CREATE TABLE lawless ({columns})")
    run(connection, f"INSERT INTO lawless SELECT {columns} FROM {table}")
    run(connection, f"DROP TABLE {table}")
    run(connection, f"ALTER TABLE lawless RENAME TO {table}")


@every_table
def test_a_table_that_was_emptied_is_found(thief: Thief, table: str) -> None:
    """Nothing is there to be wrong then."""
    assert thief.attack((f"DELETE FROM {table}", ()))
    assert thief.found(thief.kept.head)
    assert thief.found() or table == "document"


# What only a head that was noted elsewhere can show


def test_an_end_that_was_cut_off_is_found_only_with_a_noted_head(thief: Thief) -> None:
    """The beginning of a ledger is a ledger, so nothing in it can say that it once was longer."""
    for last in range(thief.kept.head.position):
        thief.attack_by(lambda connection, last=last: cut(connection, last))  # type: ignore[misc]
        assert [] == thief.found()
        assert ["end_missing"] == thief.codes(thief.kept.head)


def test_a_chain_made_anew_after_an_edit_is_found_only_with_a_noted_head(thief: Thief) -> None:
    """Whoever knows how digests are made can make them again, but not those in a note."""
    entries = thief.kept.rows["entry"]
    for position in [row[0] for row in entries]:

        def change(connection: apsw.Connection, position: int = position) -> None:
            for table in ("entry", "moment"):
                run(connection, f"UPDATE {table} SET occurred_at = occurred_at + 1 WHERE position = ?", position)
            resealed(connection)

        thief.attack_by(change)
        assert [] == thief.found()
        assert ["head_differs"] == thief.codes(thief.kept.head)
    for position in [row[0] for row in thief.kept.rows["document"]]:

        def mark(connection: apsw.Connection, position: int = position) -> None:
            run(connection, "UPDATE document SET content = content || ' ' WHERE position = ?", position)
            resealed(connection)

        thief.attack_by(mark)
        assert [] == thief.found()
        assert ["head_differs"] == thief.codes(thief.kept.head)


def test_a_noted_head_says_nothing_of_what_came_after_it(thief: Thief) -> None:
    """Hence it is noted again from time to time."""

    def change(connection: apsw.Connection) -> None:
        run(connection, "UPDATE entry SET results = 13 WHERE event_id = 'e11'")
        resealed(connection)

    early = thief.ledger.head(position=8)
    thief.attack_by(change)
    assert [] == thief.found(early)
    assert ["head_differs"] == thief.codes(thief.kept.head)


def test_an_end_cut_off_without_care_is_found_without_a_note(thief: Thief) -> None:
    """Few who cut rows off think of the counts, names and copies that speak of them."""
    position = thief.kept.head.position - 4
    assert thief.attack(*[(f"DELETE FROM {table} WHERE position > ?", (position,)) for table in ("entry", "document")])
    assert ["names_differ", "count_differs", "index_differs"] == list(dict.fromkeys(thief.codes()))
    assert "end_missing" == thief.codes(thief.kept.head)[0]


def cut(connection: apsw.Connection, last: int) -> None:
    """Take out everything after a position, and all that would tell of it."""
    for table in ("entry", "document", "once", "moment", "account"):
        run(connection, f"DELETE FROM {table} WHERE position > ?", last)
    for table in ("identity", "action"):
        run(connection, f"DELETE FROM {table} WHERE code NOT IN (SELECT {table} FROM entry WHERE {table} NOT NULL)")
    run(connection, "UPDATE account SET events = (SELECT count(*) FROM entry WHERE entry.account = account.code)")


def resealed(connection: apsw.Connection) -> None:
    """Make all digests anew."""
    entries = run(
        connection,
        "SELECT e.position, a.name, i.name, e.type, e.occurred_at, e.event_id, e.identity_type, x.name, e.results, "
        "e.mode, e.voids, e.recorded_at FROM entry e JOIN account a ON a.code = e.account "
        "JOIN identity i ON i.code = e.identity LEFT JOIN action x ON x.code = e.action ORDER BY e.position",
    )
    contents = [encode([*row[1:3], TYPES[row[3]], *row[4:]]) for row in entries]
    documents = run(connection, "SELECT * FROM document ORDER BY position")
    for table, rows, says in (
        ("entry", entries, contents),
        ("document", documents, [encode(row[:-1]) for row in documents]),
    ):
        for row, digest in zip(rows, chain_digests(BEGINNING, says), strict=True):
            run(connection, f"UPDATE {table} SET digest = ? WHERE position = ?", digest, row[0])


# What follows from the order of things, even where all digests are right


def test_what_the_thief_made_anew_must_still_follow_the_rules(thief: Thief) -> None:
    """Gaps and times that go back are seen even in a chain without a broken seal."""
    cases: dict[str, Attack] = {
        "number_gap": [("UPDATE document SET number = 'INV-000007' WHERE number = 'INV-000002'", ())],
        "recorded_out_of_order": [("UPDATE entry SET recorded_at = 9 WHERE position = 5", ())],
        "position_gap": [("UPDATE document SET position = position + 1 WHERE kind = 'supplementary_invoice'", ())],
    }
    for code, steps in cases.items():

        def change(connection: apsw.Connection, steps: Attack = steps) -> None:
            for sql, values in steps:
                run(connection, sql, *values)
            resealed(connection)

        thief.attack_by(change)
        assert [code] == thief.codes()


# What the findings say


def test_the_first_entry_and_the_first_document_that_differ_are_named(thief: Thief) -> None:
    """That is where to start looking; all that follows in the chain differs as well."""
    entries = [row[0] for row in thief.kept.rows["entry"]]
    documents = [row[0] for row in thief.kept.rows["document"]]
    for (entry, later), (document, last) in product(pairwise(entries), pairwise(documents)):
        assert thief.attack(
            ("UPDATE entry SET results = 77 WHERE position IN (?, ?)", (entry, later)),
            ("UPDATE document SET content = '{}' WHERE position IN (?, ?) AND kind <> 'conflict'", (document, last)),
            ("UPDATE document SET content = position WHERE position IN (?, ?) AND kind = 'conflict'", (document, last)),
        )
        found = [(f.details["what"], f.details["position"]) for f in thief.found() if f.code == "seal_broken"]
        assert {("entry", entry), ("document", document)} == set(found)


def test_causes_come_before_what_follows_from_them(thief: Thief) -> None:
    """Whoever reads only the first line should read the one that matters."""
    position = thief.kept.rows["entry"][3][0]
    assert thief.attack(("DELETE FROM entry WHERE position = ?", (position,)))
    found = thief.found(thief.kept.head)
    assert {"position": position, "detail": f"there is nothing at {position}"} == found[0].details
    assert {"position": position + 1, "what": "entry"} == found[1].details
    assert [
        "position_gap",
        "seal_broken",
        "names_differ",  # from the next new name on
        "head_differs",
        "count_differs",
        *["index_differs"] * 2,
    ] == [finding.code for finding in found]
    assert thief.attack(("UPDATE entry SET position = -3 WHERE position = ?", (position,)))
    assert "position_gap" == thief.codes()[0]


SAID: list[tuple[str, str]] = [
    (
        "DELETE FROM document WHERE position = 13",
        "positions run from 1 without gaps, and there is nothing at 13. "
        "Something was taken out, put in or moved there. Compare it with a backup.",
    ),
    (
        "UPDATE document SET content = '{}' WHERE position = 13",
        "the document at position 13 is not what its digest seals: it was changed, or one before it was changed, "
        "moved or taken out. Compare it with a backup, or with its source.",
    ),
    (
        "UPDATE document SET number = 'INV-000007' WHERE position = 13",
        'the document at position 13 has the number "INV-000007", and INV-000001 is the next of its series. '
        "A document was taken out, or its number changed. Compare it with a backup, or with what was sent.",
    ),
    (
        "UPDATE entry SET recorded_at = 1767225600000000 WHERE position = 5",
        'recorded_at is "2026-01-01T00:00:00Z" at position 5, and 2026-01-03T09:00:01Z just before it. '
        "Things are recorded one after the other; one of the two was changed or moved. Compare both with a backup.",
    ),
    (
        "UPDATE entry SET identity = 9 WHERE position = 5",
        "entries and table identity do not fit: the entry at position 5 uses identity 9, and 4 is the next that is "
        "new. Codes are handed out from 1 as entries first use them. Compare both with a backup.",
    ),
    (
        "UPDATE entry SET account = 2 WHERE position = 5",
        "entries and table identity do not fit: the entry at position 5 is of account 2, and its identity of 1. "
        "Codes are handed out from 1 as entries first use them. Compare both with a backup.",
    ),
    (
        "DELETE FROM action WHERE code = 2",
        "entries and table action do not fit: the entry at position 6 uses action 2, which has no name. "
        "Codes are handed out from 1 as entries first use them. Compare both with a backup.",
    ),
    (
        "INSERT INTO action VALUES (4, 'mallory')",
        "entries and table action do not fit: entries use 3, it has 4; 4 is used by none. "
        "Codes are handed out from 1 as entries first use them. Compare both with a backup.",
    ),
    (
        "UPDATE account SET events = 7 WHERE code = 2",
        'account "bmart" is said to have 7 entries, the first at position 4; it has 2, the first at 4. '
        "Its row in table account was changed, or its entries. Compare both with a backup.",
    ),
    (
        "DELETE FROM once WHERE position = 5",
        "table once does not repeat the entries as they are: it lacks the entry at position 5, or has it otherwise. "
        "Bills are read from it, so trust none. Restore a backup, and import again what came after it.",
    ),
    (
        "INSERT INTO moment VALUES (1, 2, 3, 1, 0)",
        "table moment does not repeat the entries as they are: it has 9 rows for 8 entries; no entry says what it has "
        "of position 3. Bills are read from it, so trust none. Restore a backup, and import again what came after it.",
    ),
]


@pytest.mark.parametrize(("sql", "message"), SAID)
def test_a_change_gets_exactly_this_message(thief: Thief, sql: str, message: str) -> None:
    """Somebody who never saw the inside of a ledger must be able to act on it."""
    assert thief.attack((sql, ()))
    assert f"{thief.path}: {message}" in list(map(str, thief.found()))


def test_a_noted_head_that_differs_gets_exactly_this_message(thief: Thief) -> None:
    """What was noted may itself be wrong, and the message must not deny it."""
    noted = thief.kept.head
    other = replace(noted, documents_digest="00" * 32)
    (differs,) = thief.found(other)
    assert (
        f"{thief.path}: the documents up to position 19 have the digest {noted.documents_digest}, and {'00' * 32} "
        "was noted. They were changed since, or the note is of another ledger. Compare them with a backup."
    ) == str(differs)
    (ends,) = thief.found(replace(noted, position=20))
    assert (
        f"{thief.path}: it ends at position 19, and position 20 was noted. Its end was cut off, or the note is of "
        "another ledger. Restore a backup, and import again what came after it."
    ) == str(ends)


def test_a_finding_for_programs_has_the_same_parts(thief: Thief) -> None:
    """Programs go by the code and the position; people read the message."""
    (row,) = (row for row in thief.kept.rows["entry"] if row[6] == "e5")
    assert thief.attack(edit("entry", row, "results", 4))
    (finding,) = thief.found()
    assert {
        "code": "seal_broken",
        "where": str(thief.path),
        "details": {"position": 5, "what": "entry"},
        "message": str(finding),
    } == finding.as_json()


def test_progress_adds_up_to_all_that_the_ledger_holds(thief: Thief) -> None:
    """A bar that ends early, or never, says nothing."""
    seen: list[int] = []
    verify(thief.ledger, progress=seen.append)
    assert thief.kept.head.position == sum(seen)


# Does each protection protect?


CONTROLS: list[tuple[str, Attack]] = [
    ("_check_seals", [("UPDATE entry SET results = 4 WHERE event_id = 'e5'", ())]),
    ("_check_seals", [("UPDATE document SET content = '{}' WHERE kind = 'invoice' AND account_id = 'acme'", ())]),
    ("_check_order", [("UPDATE entry SET recorded_at = 9 WHERE position = 5", ())]),
    ("_check_codes", [("UPDATE entry SET action = 99 WHERE event_id = 'e2'", ())]),
    ("check_names", [("INSERT INTO identity VALUES (7, 1, 'mallory')", ())]),
    ("check_counts", [("UPDATE account SET events = events + 1 WHERE code = 1", ())]),
    ("check_mirror", [("DELETE FROM once WHERE event_id = 'e5'", ())]),
    ("check_mirror", [("UPDATE moment SET type = 0 WHERE position = 5", ())]),
]


@pytest.mark.parametrize(("protection", "attack"), CONTROLS)
def test_without_its_protection_a_change_goes_unnoticed(
    thief: Thief, monkeypatch: pytest.MonkeyPatch, protection: str, attack: Attack
) -> None:
    """Were anything else to find it, the tests above would not show that the protection works."""
    assert thief.attack(*attack)
    assert thief.found()
    others = {"_check_order": ["_check_seals"], "_check_codes": ["check_names", "check_counts"]}
    for name in [protection, *others.get(protection, [])]:
        monkeypatch.setattr(module._Verification, name, lambda self, *values: None)
    assert [] == thief.found()


@every_table
def test_the_database_refuses_to_change_or_delete_anything(kept: Kept, table: str) -> None:
    """Verification shows what was done; the triggers keep honest programs from doing it."""
    row = kept.rows[table][-1]
    # How many events an account has is the one thing that changes.
    fixed = [(column, value) for column, value in zip(TABLES[table], row, strict=True) if column != "events"]
    with closing(copied(kept.path)) as connection:
        for sql, values in [deletion(table, row), *(edit(table, row, column, value) for column, value in fixed)]:
            with pytest.raises(apsw.ConstraintError, match="a ledger only grows"):
                run(connection, sql, *values)
        assert kept.rows[table] == run(connection, f"SELECT * FROM {table}")
