"""The embedded ledger: SQLite, set so that what was acknowledged survives a power cut.

In WAL mode with `synchronous=FULL` a commit returns once it is on disk; with any weaker setting
acknowledged events are lost (a simulated power cut shows it, see the tests), so a database that
cannot be set so is refused. SQLite comes with APSW, since the one that Python brings may be of a
version that can damage a database with several connections.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadLedger
from .database import COLUMNS, MOMENT, Lookup, Row, Span, schemas

#: Marks the file as a ledger: "peak" in ASCII.
APPLICATION_ID: Final = 0x7065616B
#: Before this version a checkpoint could damage a database that two connections write to.
VERSION_MIN: Final = (3, 51, 3)
#: How long to wait for another process that writes.
PATIENCE_SECONDS: Final = 60.0
_CACHE_KIB: Final = 262_144
_CHECKPOINT_PAGES: Final = 10_000
_FULL: Final = 2
_EVERYTHING: Final = "SELECT {} FROM moment WHERE position <= ?".format(", ".join(MOMENT))
_SPAN: Final = "SELECT {} FROM moment WHERE account = ? AND occurred_at >= ? AND occurred_at < ? AND position <= ?"


class SqliteDatabase:
    """A ledger in one file. `path` may be `:memory:`, which is not stored."""

    def __init__(
        self,
        path: str,
        *,
        create: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
        vfs: str | None = None,
        exclusive: bool = False,
    ) -> None:
        self.name = path
        self._patience_seconds = patience_seconds
        self._in_memory = path == ":memory:"
        if not create and vfs is None and not os.path.exists(path):
            raise BadLedger("ledger_missing", path)
        if tuple(map(int, apsw.sqlite_lib_version().split("."))) < VERSION_MIN:
            detail = f"SQLite {apsw.sqlite_lib_version()} can damage it"
            raise BadLedger("ledger_unsafe", path, detail=detail, remedy="Install a newer apsw")
        with self._errors():
            flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
            self._db = apsw.Connection(path, flags=flags, vfs=vfs)
            self._db.set_busy_timeout(int(patience_seconds * 1000))
            if exclusive:
                self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._migrate(create)
            self._make_durable()

    def reading(self) -> Any:
        """A transaction in which all reads see the ledger as of one moment."""
        return self._transaction("BEGIN")

    def writing(self) -> Any:
        """A transaction in which nobody else writes."""
        # A plain BEGIN would fail at its first write, at once, if another process writes.
        return self._transaction("BEGIN IMMEDIATE")

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """The rows of a statement."""
        with self._errors():
            return list(self._db.execute(sql, values))

    def look_up(self, what: Lookup, keys: Sequence[Row]) -> list[Any]:
        """The value of each key, or none."""
        sql = f"SELECT {what.value} FROM {what.table} WHERE {what.condition}"
        with self._errors():
            find = self._db.cursor().execute
            return [next((value for (value,) in find(sql, key)), None) for key in keys]

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Add rows to a table."""
        places = ", ".join("?" * len(COLUMNS[table]))
        with self._errors():
            self._db.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
            if table == "entry" and rows:
                first = rows[0][0]
                self._db.execute(
                    "INSERT INTO once SELECT account, event_id, position FROM entry WHERE position >= ? "
                    "ORDER BY account, event_id",
                    (first,),
                )
                self._db.execute(
                    "INSERT INTO moment SELECT account, occurred_at, position, identity, type FROM entry "
                    "WHERE position >= ? AND type < 3 ORDER BY account, occurred_at, position",
                    (first,),
                )

    def count(self, entries: Sequence[tuple[int, int]]) -> None:
        """Add to the number of entries of some accounts."""
        with self._errors():
            self._db.executemany("UPDATE account SET events = events + ?2 WHERE code = ?1", entries)

    def moments(self, spans: Sequence[Span] | None, until: int) -> NDArray[np.int64]:
        """Events that begin or end activity in some spans, or at any time, up to a position."""
        with self._errors():
            execute = self._db.cursor().execute
            if spans is None:
                return _integers(execute(_EVERYTHING, (until,)))
            sql = _SPAN.format(", ".join(MOMENT))
            found = [_integers(execute(sql, (s.account, s.start, s.end, until))) for s in spans]
        return np.concatenate(found) if found else _integers([])

    def backup(self, path: str) -> None:
        """Copy the ledger as it is at one moment into a new file, while others go on writing."""
        if os.path.exists(path):
            raise BadLedger("ledger_exists", path)
        copy = None
        try:
            copy = apsw.Connection(path)
            copy.execute("PRAGMA synchronous=FULL")
            with copy.backup("main", self._db, "main") as backup:
                backup.step()
            copy.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            copy.close()
        except apsw.Error as error:
            if copy is not None:
                copy.close(True)
            for ending in ("", "-wal", "-shm", "-journal"):
                if os.path.exists(path + ending):
                    os.remove(path + ending)
            raise BadLedger("file_unwritable", path, detail=str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        with self._errors():
            self._db.close()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._errors():
            self._db.execute(begin)
        try:
            yield
            with self._errors():
                self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _migrate(self, create: bool) -> None:
        """Migrate the schema to the newest version. Refuse a file that is not a ledger, or of a newer version."""
        known = schemas("sqlite")
        if self._pragma("application_id") == APPLICATION_ID and self._pragma("user_version") == len(known):
            return
        if self._db.readonly("main"):
            raise BadLedger("ledger_unwritable", self.name, detail="it may only be read")
        with self.writing():  # several processes may come upon a new file at once
            version = self._pragma("user_version")
            empty = not self.rows("SELECT 1 FROM sqlite_schema LIMIT 1")
            if self._pragma("application_id") != APPLICATION_ID and not (empty and create):
                raise BadLedger("ledger_foreign", self.name)
            if version > len(known):
                raise BadLedger("ledger_newer", self.name, got=version, known=len(known))
            for schema in known[version:]:
                self._db.execute(schema)
            self._db.execute(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={len(known)}")

    def _make_durable(self) -> None:
        """Set what makes a commit survive a power cut, and check that it is set."""
        # The mode changes only without other connections, and SQLite does not wait for them to close.
        began = time.monotonic()
        while not self._in_memory:
            try:
                mode = self._pragma("journal_mode=WAL")
                break
            except apsw.BusyError:
                if time.monotonic() - began > self._patience_seconds:
                    raise
                time.sleep(0.01)
        else:
            mode = "wal"
        self._db.execute(
            f"PRAGMA synchronous=FULL; PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1; "
            f"PRAGMA cache_size=-{_CACHE_KIB}; PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}; PRAGMA temp_store=MEMORY"
        )
        if mode != "wal" or self._pragma("synchronous") != _FULL:
            detail = f"journal_mode is {mode} and synchronous is {self._pragma('synchronous')}"
            raise BadLedger("ledger_unsafe", self.name, detail=detail, remedy="Keep it on a local disk")

    def _pragma(self, text: str) -> Any:
        return next(iter(self._db.execute(f"PRAGMA {text}")))[0]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise errors of SQLite as `BadLedger`."""
        try:
            yield
        except apsw.FullError as error:
            raise BadLedger("ledger_full", self.name) from error
        except (apsw.BusyError, apsw.LockedError) as error:
            raise BadLedger("ledger_locked", self.name, seconds=f"{self._patience_seconds:g}") from error
        except apsw.NotADBError as error:
            raise BadLedger("ledger_foreign", self.name) from error
        except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
            raise BadLedger("ledger_unwritable", self.name, detail=str(error)) from error
        except apsw.CorruptError as error:
            raise BadLedger("ledger_damaged", self.name, detail=str(error)) from error
        except apsw.IOError as error:
            # Where there is no room for what connections share, that too is a full disk.
            if getattr(error, "extendedresult", None) == apsw.SQLITE_IOERR_SHMSIZE:
                raise BadLedger("ledger_full", self.name) from error
            raise BadLedger("ledger_unreachable", self.name, detail=str(error)) from error


def _integers(rows: Any) -> NDArray[np.int64]:
    flat = np.fromiter(chain.from_iterable(rows), np.int64)
    return flat.reshape(-1, len(MOMENT))
