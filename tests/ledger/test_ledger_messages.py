"""What a ledger says when it cannot be used, where no small input can cause it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import apsw
import pytest

import billing
from billing import engine
from billing.ledger import sqlite
from billing.ledger.database import Database
from billing.ledger.ledger import Ledger
from billing.ledger.sqlite import SqliteDatabase

EVENT = "event_id,account_id,identity_id,type,occurred_at\ne1,acme,ada,action.called,2026-01-10T09:00:00Z\n"
ADDRESS = "sqlite:///billing.db"


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A ledger of one event, `billing.db` in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("events.csv").write_text(EVENT, encoding="utf-8")
    made = billing.open_ledger(ADDRESS)
    billing.append(made, "events.csv")
    made.close()
    yield


def refused(address: str = ADDRESS) -> str:
    """What is said when the ledger is opened."""
    with pytest.raises(billing.BadLedger) as raised:
        billing.open_ledger(address, create=False).close()
    return str(raised.value)


def test_a_ledger_of_a_later_version_is_left_as_it_is() -> None:
    """A program that does not know all of a schema would break what it does not know."""
    behind = apsw.Connection("billing.db")
    behind.execute("PRAGMA user_version=99")
    behind.close()
    expected = (
        "billing.db: it was made by a later version of this program: its schema is 99, and up to 1 is known here. "
        "Upgrade this program; the ledger was left as it is."
    )
    assert expected == refused()


def test_a_version_of_sqlite_that_can_damage_a_ledger_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two connections and a checkpoint at the wrong moment are enough to lose a year."""
    monkeypatch.setattr(sqlite, "VERSION_MIN", (9, 0, 0))
    expected = (
        f"billing.db: acknowledged events could be lost in it: SQLite {apsw.sqlite_lib_version()} can damage it. "
        "Install a newer apsw."
    )
    assert expected == refused()


def test_a_database_that_cannot_be_made_durable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have no shared memory, and SQLite then falls back to a weaker mode without a word."""
    pragma = SqliteDatabase._pragma

    def weak(self: SqliteDatabase, text: str) -> object:
        return "delete" if text.startswith("journal_mode") else pragma(self, text)

    monkeypatch.setattr(SqliteDatabase, "_pragma", weak)
    expected = (
        "billing.db: acknowledged events could be lost in it: journal_mode is delete and synchronous is 2. "
        "Keep it on a local disk."
    )
    assert expected == refused()


def test_a_ledger_that_somebody_else_writes_to_for_long_says_so() -> None:
    """Who waits for ever cannot tell a busy ledger from a broken one."""
    busy = apsw.Connection("billing.db")
    busy.execute("BEGIN IMMEDIATE")
    waiting = billing.open_ledger(f"{ADDRESS}?timeout=0.1")
    with pytest.raises(billing.BadLedger) as raised:
        billing.append(waiting, "events.csv")
    busy.close()
    waiting.close()
    expected = (
        "billing.db: another process has been writing to it for 0.1 seconds. "
        "Wait for it to end and send the same events again, with the same ids."
    )
    assert expected == str(raised.value)


def test_a_damaged_ledger_says_so() -> None:
    """What a failing disk leaves must never be billed."""
    whole = Path("billing.db").read_bytes()
    Path("billing.db").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(billing.BadLedger) as raised:
        opened = billing.open_ledger(ADDRESS, create=False)
        try:
            billing.peaks(opened)
        finally:
            opened.close()
    assert "ledger_damaged" == raised.value.code
    # What SQLite says in the middle is its own and changes with its version.
    assert str(raised.value).startswith("billing.db: it is damaged: ")
    assert str(raised.value).endswith(". Restore a backup, and import again what came after it.")


def test_documents_drafted_before_others_came_are_not_issued() -> None:
    """Two who close the same cycle at once would each issue an invoice for it."""
    opened = billing.open_ledger(ADDRESS)
    with pytest.raises(billing.StaleLedger) as raised:
        opened.issue([], after="00", now=0)
    opened.close()
    expected = (
        "billing.db: other documents came while these were drafted; nothing was issued. "
        "Draft again, with what is there now."
    )
    assert expected == str(raised.value)


def test_a_ledger_on_a_server_is_backed_up_by_the_servers_own_means() -> None:
    """A copy that we made would be of a moment that the server knows nothing of."""
    remote = Ledger(cast(Database, SimpleNamespace(name="postgresql://db/billing")))
    with pytest.raises(billing.BadLedger) as raised:
        engine.backup(remote, "copy.db")
    expected = (
        "postgresql://db/billing: a ledger on a server is backed up by the server's own means. "
        "Use pg_dump for its schema, and note its head beside the copy."
    )
    assert expected == str(raised.value)


def test_an_export_leaves_a_file_that_is_there_as_it_is() -> None:
    """A name typed wrong must not cost the export of last month, or the events themselves."""
    opened = billing.open_ledger(ADDRESS)
    with pytest.raises(billing.BadLedger) as raised:
        engine.export(opened, "events.csv")
    opened.close()
    expected = "events.csv: there is such a file already. Give the name of a file that does not exist yet."
    assert (expected, EVENT) == (str(raised.value), Path("events.csv").read_text(encoding="utf-8"))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most users need no server, so its driver is not installed for them."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    expected = "psycopg is not installed. Install peak-billing[postgres]."
    assert expected == refused("postgresql://127.0.0.1/billing")


def test_a_server_that_does_not_answer_says_so() -> None:
    """A wrong host must not look like an empty ledger."""
    said = refused("postgresql://127.0.0.1:1/billing?connect_timeout=1")
    assert said.startswith("postgresql://127.0.0.1:1/billing: the database does not answer: ") or "127.0.0.1" in said
    assert said.endswith(
        ". See that it runs, then send the same events again with the same ids; what is stored already stays once."
    )
