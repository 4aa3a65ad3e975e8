"""The ledger on a server: PostgreSQL, each ledger in a schema of its own.

A commit returns once it is on disk; a server that is set to lose what it has acknowledged is
refused. Nothing here counts on staying connected: after a connection broke, the next use makes
another one, and to send the same events again with the same ids is safe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadLedger
from .database import COLUMNS, MOMENT, Lookup, Row, Span, schemas

if TYPE_CHECKING:
    import psycopg

#: The first version whose views show no more than whoever asks may see.
VERSION_MIN: Final = 15
#: How long to wait for another process that writes.
PATIENCE_SECONDS: Final = 60.0
#: What a server must say of itself, or it could lose what it has acknowledged; and else what to do.
SAFE: Final = {
    "fsync": (("on",), "Set fsync = on in postgresql.conf"),
    "full_page_writes": (("on",), "Set full_page_writes = on in postgresql.conf"),
    "synchronous_commit": (("on", "remote_write", "remote_apply"), "Connect without a pooler that drops settings"),
    "server_encoding": (("UTF8",), "Make the database with ENCODING 'UTF8'"),
}
#: How to connect, unless the URL says otherwise.
_CONNECTION: Final = (
    "client_encoding=UTF8 connect_timeout=10 keepalives_idle=60 keepalives_interval=10 keepalives_count=6 "
    "fallback_application_name=peak-billing"
)
#: What to set then. The server is to notice within two minutes that the machine of a writer is gone, and
#: let others write. Queries are planned for tables as they are and not as they were, and not compiled,
#: which takes longer than to run them.
_SESSION: Final = """
SET search_path = "{schema}", pg_temp; SET lock_timeout = '{patience}ms';
SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6;
SET plan_cache_mode = force_custom_plan; SET jit = off; SET work_mem = '64MB';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local');
"""
#: What errors mean, by SQLSTATE; others speak of the connection, or are our mistake.
_MEANINGS: Final = {
    "53100": "ledger_full",
    "55P03": "ledger_locked",
    "42501": "ledger_unwritable",
    "25006": "ledger_unwritable",
    "XX001": "ledger_damaged",
    "XX002": "ledger_damaged",
}
#: So many rows, or more, are added as one statement.
_MANY: Final = 20
#: In the order of its indexes a table is filled in four fifths of the time, and what a bill reads lies together.
_ORDER: Final = {"entry": "ORDER BY account, occurred_at"}
#: How many keys are looked up at a time.
_KEYS: Final = 50_000
_SCHEMA: Final = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
#: As libpq takes it apart: user, password, hosts and database, options.
_URL: Final = re.compile(r"(\w+://)(?:([^:@/]*)(?::[^@/]*)?@)?([^?@]*)(?:\?(.*))?")
_VALUES: Final = ", ".join(f"m.{name}::bigint" for name in MOMENT)
_EVERYTHING: Final = f"SELECT {_VALUES} FROM moment m WHERE m.position <= {{until}}"
# OFFSET 0 keeps the two apart: a range of the index for each span, never a walk through the whole table.
_SPANS: Final = f"""
SELECT {_VALUES} FROM unnest('{{accounts}}'::integer[], '{{starts}}'::bigint[], '{{ends}}'::bigint[])
AS span (account, first, last) CROSS JOIN LATERAL (SELECT * FROM moment WHERE account = span.account
AND occurred_at >= span.first AND occurred_at < span.last AND position <= {{until}} OFFSET 0) AS m
"""
#: COPY in its binary form: a header, then rows, each with the number of its values and the length of each.
_HEADER_BYTES: Final = 19
_COPIED: Final = np.dtype([("count", ">i2"), ("moment", [("length", ">i4"), ("value", ">i8")], len(MOMENT))])
#: How much of it is turned into integers at a time.
_BLOCK_BYTES: Final = 1 << 16


class PostgresDatabase:
    """A ledger in one schema of a database: that of `?schema=NAME` in the URL, or `billing`."""

    def __init__(self, url: str, *, create: bool = False) -> None:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict, make_conninfo
        except ImportError as error:
            raise BadLedger("ledger_needs_extra", detail="psycopg", extra="postgres") from error
        self.name, self._schema, url = _parsed(url)
        try:
            self._conninfo = make_conninfo("", **{**conninfo_to_dict(_CONNECTION), **conninfo_to_dict(url)})
        except psycopg.ProgrammingError as error:
            raise BadLedger("ledger_url", got=self.name) from error
        self._db: psycopg.Connection[Row] | None = None
        self._in_transaction = False
        try:
            self._migrate(create)
        except BaseException:
            self.close()
            raise

    def reading(self) -> Any:
        """A transaction in which all reads see the ledger as of one moment."""
        return self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def writing(self) -> Any:
        """A transaction in which nobody else writes."""
        # Positions must be committed in their order, and those of a sequence are not: one writer takes
        # 1, another takes 2 and commits, somebody who follows the ledger reads up to 2, then 1 is
        # committed, and that reader misses it for ever. So writers come one by one, and none looks
        # at the last position before it has the lock, which the transaction keeps to its end. It is
        # READ COMMITTED, where each statement sees what was committed while the lock was waited for.
        key = f"hashtextextended('peak-billing {self._schema}', 0)"
        return self._transaction(f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({key})")

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """The rows of a statement."""
        with self._errors():
            found = self._connected().execute(sql.replace("%", "%%").replace("?", "%s").encode(), values, binary=True)
            return found.fetchall() if found.description else []

    def look_up(self, what: Lookup, keys: Sequence[Row]) -> list[Any]:
        """The value of each key, or none."""
        columns = ", ".join(column for column, _ in what.keys)
        arrays = ", ".join(f"%s::{kind}[]" for _, kind in what.keys)
        condition = " AND ".join(f"t.{column} = k.{column}" for column, _ in what.keys)
        # A subquery goes down the index for each key, where a join might read the whole table; what is
        # not found, as most event ids are not, is not sent.
        sql = (
            f"SELECT place, value FROM (SELECT place, (SELECT {what.value} FROM {what.table} t WHERE {condition}) "
            f"AS value FROM unnest({arrays}) WITH ORDINALITY AS k ({columns}, place) OFFSET 0) AS found "
            "WHERE value IS NOT NULL"
        ).encode()
        values: list[Any] = [None] * len(keys)
        with self._errors():
            for first in range(0, len(keys), _KEYS):
                some = [_array(column) for column in zip(*keys[first : first + _KEYS], strict=True)]
                for place, value in self._connected().execute(sql, some, binary=True).fetchall():
                    values[first + place - 1] = value
        return values

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Add rows to a table."""
        columns = ", ".join(COLUMNS[table])
        places = ", ".join(["%s"] * len(COLUMNS[table]))
        if not rows:
            return
        with self._errors():
            cursor = self._connected().cursor()
            if len(rows) < _MANY:
                cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})".encode(), rows)
                return
            # Not at once into the table: COPY is refused where policies guard its rows.
            cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS arriving_{table} (LIKE {table})".encode())
            with cursor.copy(f"COPY arriving_{table} ({columns}) FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
            select = f"SELECT {columns} FROM arriving_{table} {_ORDER.get(table, '')}"
            cursor.execute(f"INSERT INTO {table} ({columns}) {select}".encode())
            cursor.execute(f"TRUNCATE arriving_{table}".encode())

    def count(self, entries: Sequence[tuple[int, int]]) -> None:
        """Add to the number of entries of some accounts."""
        codes, counts = (_array([entry[k] for entry in entries]) for k in (0, 1))
        self.rows(
            "UPDATE account SET events = events + more "
            "FROM unnest(?::integer[], ?::bigint[]) AS counted (account, more) WHERE code = account",
            codes, counts,
        )  # fmt: skip

    def moments(self, spans: Sequence[Span] | None, until: int) -> NDArray[np.int64]:
        """Events that begin or end activity in some spans, or at any time, up to a position."""
        if spans is None:
            query = _EVERYTHING.format(until=int(until))
        else:
            accounts = _array([span.account for span in spans])
            starts, ends = _array([span.start for span in spans]), _array([span.end for span in spans])
            query = _SPANS.format(until=int(until), accounts=accounts, starts=starts, ends=ends)
        with self._errors():
            return _integers(self._connected().pgconn, query)

    def close(self) -> None:
        """Close the connection."""
        if self._db is not None:
            self._db.close()
            self._db = None

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        import psycopg

        with self._errors():
            db = self._connected()
        self._in_transaction = True
        try:
            with self._errors():
                db.execute(begin.encode())
            yield
            with self._errors():
                ended = db.execute("COMMIT").statusmessage
            assert ended == "COMMIT", "after an error that was passed over nothing is committed"
        except BaseException:
            try:
                db.rollback()
            except psycopg.Error:
                db.close()  # which undoes it as well
            raise
        finally:
            self._in_transaction = False

    def _migrate(self, create: bool) -> None:
        """Migrate the schema to the newest version. Refuse a file that is not a ledger, or of a newer version."""
        known = schemas("postgres")
        if self._version() == len(known):
            return
        with self.writing():  # several processes may come upon a new database at once
            version = self._version()
            if version is None:
                if not create:
                    raise BadLedger("ledger_missing", self.name)
                if not self.rows("SELECT 1 FROM pg_namespace WHERE nspname = ?", self._schema):
                    self.rows(f'CREATE SCHEMA "{self._schema}"')
                version = 0
            if version > len(known):
                raise BadLedger("ledger_newer", self.name, got=version, known=len(known))
            for number, schema in enumerate(known[version:], start=version + 1):
                with self._errors():
                    self._connected().execute(schema.encode())
                self.rows("INSERT INTO ledger_version VALUES (?)", number)

    def _version(self) -> int | None:
        """The number of the schema; none where nothing is."""
        # Not by to_regclass, which may not yet know what others have made since it was asked before.
        there = "SELECT relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = ?)"
        names = {name for (name,) in self.rows(there, self._schema)}
        if names and "ledger_version" not in names:
            raise BadLedger("ledger_foreign", self.name)
        if not names:
            return None
        return int(self.rows(f'SELECT coalesce(max(version), 0) FROM "{self._schema}".ledger_version')[0][0])

    def _connected(self) -> psycopg.Connection[Row]:
        """The connection: another one if it broke, though not within a transaction, of which half would be lost."""
        import psycopg

        idle = psycopg.pq.TransactionStatus.IDLE  # what was interrupted is not
        if not self._in_transaction and (self._db is None or self._db.info.transaction_status != idle):
            self.close()
            self._db = psycopg.connect(self._conninfo, autocommit=True)
            try:
                self._make_durable(self._db)
            except BaseException:
                self.close()
                raise
        assert self._db is not None, "a transaction has a connection"
        return self._db

    def _make_durable(self, db: psycopg.Connection[Row]) -> None:
        """Set what makes a commit survive a crash, and see that the server is set so."""
        version = db.info.server_version // 10_000
        if version < VERSION_MIN:
            detail = f"this program is not made for PostgreSQL {version}"
            raise BadLedger("ledger_unsafe", self.name, detail=detail, remedy=f"Use PostgreSQL {VERSION_MIN} or newer")
        db.execute(_SESSION.format(schema=self._schema, patience=int(PATIENCE_SECONDS * 1000)).encode())
        for setting, (safe, remedy) in SAFE.items():
            found = db.execute("SELECT current_setting(%s)", (setting,)).fetchall()[0][0]
            if found not in safe:
                raise BadLedger("ledger_unsafe", self.name, detail=f"{setting} is {found}", remedy=remedy)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """What PostgreSQL says is wrong, as our own messages."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            # An error without a class is libpq's own, and says that the server is gone.
            gone = isinstance(error, psycopg.OperationalError) or type(error) is psycopg.DatabaseError
            code = _MEANINGS.get(error.sqlstate or "", "ledger_unreachable" if gone else "")
            if not code:
                raise
            detail = str(error).partition("\n")[0].rstrip(".")
            raise BadLedger(code, self.name, detail=detail, seconds=f"{PATIENCE_SECONDS:g}") from error


def _parsed(url: str) -> tuple[str, str, str]:
    """A URL as messages show it, without passwords; the schema that it names; and the URL that libpq is to see."""
    found = _URL.fullmatch(url)
    if found is None:  # a password with an @ or a slash of its own would end in the host
        raise BadLedger("ledger_url", got=re.sub("://.*@", "://", url))
    scheme, user, place, query = found.groups(default="")
    options = [option for option in query.split("&") if option]
    shown = "&".join(option for option in options if not re.match("(ssl)?password=", option))
    name = f"{scheme}{user}{'@' if user else ''}{place}{'?' if shown else ''}{shown}"
    schema, *more = [unquote(option[7:]) for option in options if option.startswith("schema=")] or ["billing"]
    if more or not _SCHEMA.fullmatch(schema):
        raise BadLedger("ledger_url", got=name)
    rest = "&".join(option for option in options if not option.startswith("schema="))
    return name, schema, f"{url[: found.end(3)]}?{rest}"


def _integers(server: psycopg.pq.abc.PGconn, query: str) -> NDArray[np.int64]:
    """The rows of a query for as many integers as `MOMENT` has."""
    from psycopg import errors, pq

    # A loop over libpq itself takes half the time of psycopg's `copy`, and an array that grows half the
    # memory of parts that are joined.
    found = np.empty((0, len(MOMENT)), np.int64)
    answer: pq.abc.PGresult | None = server.exec_(f"COPY ({query}) TO STDOUT (FORMAT BINARY)".encode())
    start, buffer = _HEADER_BYTES, bytearray()
    while answer is not None and answer.status == pq.ExecStatus.COPY_OUT:
        length, part = server.get_copy_data(0)
        buffer += part
        if length < 0:
            answer = server.get_result()
        if len(buffer) > (start if length < 0 else _BLOCK_BYTES):
            count = (len(buffer) - start) // _COPIED.itemsize
            found.resize((len(found) + count, len(MOMENT)), refcheck=False)
            found[len(found) - count :] = np.frombuffer(buffer, _COPIED, count, start)["moment"]["value"]
            start, buffer = 0, bytearray()
    while answer is not None:
        if answer.status != pq.ExecStatus.COMMAND_OK:
            raise errors.error_from_result(answer)
        answer = server.get_result()
    return found


def _array(values: Sequence[Any]) -> str:
    """Values as PostgreSQL writes an array: all of them quoted at once, since they are many."""
    if not values:
        return "{}"
    # No text of a ledger has control characters, so one that has them is not found, as it should be.
    joined = "\0".join(["\1" if value is None else str(value).replace("\0", "\1") for value in values])
    quoted = joined.replace("\\", r"\\").replace('"', r"\"").replace("\0", '","')
    return f'{{"{quoted}"}}'.replace('"\1"', "NULL")
