"""The ledger in PostgreSQL: what it does otherwise than in SQLite, or what only a server can do to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import count
from random import Random
from unittest.mock import patch
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from psycopg import sql

import billing
from billing import BadLedger, Ledger, Receipt
from billing.core.cycle import micros
from billing.ledger import postgres as module
from billing.ledger.database import ACCOUNT_CODE, MOMENT, Span
from billing.ledger.entry import UnissuedDocument
from billing.ledger.postgres import PostgresDatabase
from billing.ledger.verify import verify
from billing.verify.audit.events import table
from billing.verify.definition import DAY, Event
from billing.verify.strategies import JANUARY
from tests.support.postgres import SETTINGS, Server, programs

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
KILLS = 50 if LONG else 8
BATCH = 500
WRITERS = 16
WRITTEN = 200_000 if LONG else 16_000
PATIENCE = 120  # seconds: far more than anything here takes
NOW = datetime(2026, 2, 1, tzinfo=UTC)
TABLES = ("account", "action", "document", "entry", "identity", "ledger_version")


@pytest.fixture(scope="module", autouse=True)
def _quick_recovery() -> Iterator[None]:
    """After a crash a server syncs its files one by one, which takes seconds; Linux can sync them together."""
    with patch.dict(SETTINGS, {"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}):
        yield


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    """The address of a ledger that does not exist yet, in a schema of its own."""
    schema = f"test_{uuid4().hex}"
    yield postgres.url(schema)
    run(postgres, sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    with closing(billing.open_ledger(url)) as ledger:
        yield ledger


@pytest.fixture
def database(url: str) -> Iterator[PostgresDatabase]:
    """The database of an empty ledger."""
    with closing(PostgresDatabase(url, create=True)) as database:
        yield database


def run(server: Server, *statements: sql.Composed | sql.SQL) -> None:
    """Run statements as somebody who has nothing to do with ledgers."""
    with closing(psycopg.connect(server.url(), autocommit=True)) as connection:
        for statement in statements:
            connection.execute(statement)


def schema_of(url: str) -> str:
    return url.rpartition("schema=")[2]


def events(batch: str, size: int) -> list[Event]:
    """Actions of a few new identities of three accounts, with the ids `batch.0`, `batch.1` and so on."""
    return [
        Event(f"account {k % 3}", f"{batch} {k % 50}", "action.called", JANUARY[0] + k * DAY // size, f"{batch}.{k}")
        for k in range(size)
    ]


def append(ledger: Ledger, batch: str, size: int = 3) -> Receipt:
    return billing.append(ledger, table(events(batch, size)), now=NOW)


def refusal(url: str, *, create: bool = False) -> BadLedger:
    """Why a ledger cannot be opened."""
    with pytest.raises(BadLedger) as refused:
        billing.open_ledger(url, create=create)
    return refused.value


# What was acknowledged


def test_a_batch_is_whole_or_not_there_and_stays_once_acknowledged_however_often_the_server_dies(
    postgres: Server, url: str
) -> None:
    """A server may die at any moment; then everything is sent again, and nothing may be missing or there twice."""
    tried = 0
    acknowledged: set[int] = set()
    codes: set[str] = set()
    stop = threading.Event()

    def write() -> None:
        nonlocal tried
        with closing(billing.open_ledger(url)) as ledger:
            for tried in count(1):
                if stop.is_set():
                    return
                try:
                    append(ledger, f"{tried}", BATCH)
                    acknowledged.add(tried)
                except BadLedger as error:
                    codes.add(error.code)
                    time.sleep(0.01)

    random = Random(1)
    with ThreadPoolExecutor() as pool:
        writer = pool.submit(write)
        try:
            for _ in range(KILLS):
                wait_for_more(acknowledged)
                time.sleep(random.uniform(0, 0.1))
                postgres.kill()
                postgres.start()
        finally:
            stop.set()
        writer.result(PATIENCE)

    with closing(billing.open_ledger(url, create=False)) as ledger:
        found = {int(batch): size for batch, size in ledger.database.rows(
            "SELECT split_part(event_id, '.', 1), count(*) FROM entry GROUP BY 1"
        )}  # fmt: skip
        assert {BATCH} == set(found.values())
        assert acknowledged <= found.keys()
        assert {"ledger_unreachable"} == codes
        assert [] == verify(ledger)  # names and counts are of whole batches too
        again = [append(ledger, f"{batch}", BATCH).tally for batch in range(1, tried)]
        assert [BATCH if batch in found else 0 for batch in range(1, tried)] == [tally.duplicates for tally in again]
        positions = [entry.position for page in ledger.entries() for entry in page]
        assert list(range(1, (tried - 1) * BATCH + 1)) == positions
        assert [] == verify(ledger)


def wait_for_more(done: set[int]) -> None:
    before, deadline = len(done), time.monotonic() + PATIENCE
    while len(done) == before:
        assert time.monotonic() < deadline, "nothing is done any more"
        time.sleep(0.001)


def test_after_the_server_came_back_the_same_events_are_sent_again_over_the_same_ledger(
    postgres: Server, ledger: Ledger
) -> None:
    """A program that runs for months must not have to be started again because the database was."""
    append(ledger, "first")
    postgres.kill()
    with pytest.raises(BadLedger):
        append(ledger, "second")
    postgres.start()
    assert 3 == append(ledger, "second").tally.accepted
    assert 3 == append(ledger, "second").tally.duplicates


def test_what_is_left_of_a_transaction_whose_connection_broke_is_not_written_without_it(
    postgres: Server, database: PostgresDatabase
) -> None:
    """Made again in the middle, a connection would keep the second half of a batch and lose the first."""
    with pytest.raises(BadLedger), database.writing():
        database.insert("action", [(1, "lost")])
        broken(postgres, database)
        for code in (2, 3):
            with pytest.raises(BadLedger) as refused:
                database.insert("action", [(code, "late")])
            assert "ledger_unreachable" == refused.value.code
    assert [] == database.rows("SELECT * FROM action")


def broken(server: Server, database: PostgresDatabase) -> None:
    """Break the connection of a database, as an administrator does."""
    ((process,),) = database.rows("SELECT pg_backend_pid()")
    run(server, sql.SQL("SELECT pg_terminate_backend({})").format(process))


def test_an_answer_that_breaks_off_is_an_error_and_never_a_short_answer(
    postgres: Server, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a bill that half the moments are missing from nobody would know."""
    sequence = "SELECT n, n, n, n, {} FROM generate_series(1, {{until}}::bigint) n"
    monkeypatch.setattr(module, "_EVERYTHING", sequence.format("n"))
    assert [[n] * len(MOMENT) for n in range(1, 50_001)] == database.moments(None, 50_000).tolist()
    with ThreadPoolExecutor() as pool:
        endless = pool.submit(database.moments, None, 10**12)
        time.sleep(0.2)
        run(postgres, sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'"))
        with pytest.raises(BadLedger) as refused:
            endless.result(PATIENCE)
    assert "ledger_unreachable" == refused.value.code
    monkeypatch.setattr(module, "_EVERYTHING", sequence.format("1 / (40000 - n)"))
    with pytest.raises(psycopg.errors.DivisionByZero):
        database.moments(None, 50_000)
    assert [(1,)] == database.rows("SELECT 1")


def test_an_error_that_was_passed_over_is_not_taken_for_a_commit(database: PostgresDatabase) -> None:
    """After an error PostgreSQL answers COMMIT by undoing everything, and calls that no error."""
    with pytest.raises(AssertionError), database.writing():
        database.insert("action", [(1, "lost")])
        with pytest.raises(psycopg.errors.UniqueViolation):
            database.insert("action", [(1, "twice")])
    assert [] == database.rows("SELECT * FROM action")


# Several at a time


def test_who_follows_a_ledger_that_many_write_to_misses_nothing(url: str) -> None:
    """An export that goes on from the last position it has seen must be complete without ever looking back."""
    size = 100
    with closing(billing.open_ledger(url)) as ledger:
        after = 0

        def read() -> list[int]:
            nonlocal after
            found = [entry.position for page in ledger.entries(after=after) for entry in page]
            after = found[-1] if found else after
            return found

        def write(writer: int) -> None:
            with closing(billing.open_ledger(url)) as own:
                for k in range(WRITTEN // WRITERS // size):
                    append(own, f"{writer}.{k}", size)

        assert list(range(1, WRITTEN + 1)) == followed(read, write)


def test_who_follows_a_sequence_that_many_write_to_misses_some(postgres: Server) -> None:
    """The control: what keeps the ledger complete is its lock, and not luck."""
    name = sql.Identifier(f"plain_{uuid4().hex}")
    run(
        postgres, sql.SQL("CREATE TABLE {} (position bigserial PRIMARY KEY, at timestamptz DEFAULT now())").format(name)
    )
    rounds = 20
    with closing(psycopg.connect(postgres.url(), autocommit=True)) as reader:
        after = 0

        def read() -> list[int]:
            nonlocal after
            query = sql.SQL("SELECT position FROM {} WHERE position > {} ORDER BY position").format(name, after)
            found = [position for (position,) in reader.execute(query)]
            after = found[-1] if found else after
            return found

        def write(writer: int) -> None:
            random = Random(writer)
            with closing(psycopg.connect(postgres.url())) as own:
                for _ in range(rounds):
                    own.execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(name))
                    time.sleep(random.uniform(0, 0.01))
                    own.commit()

        assert len(followed(read, write)) < WRITERS * rounds
    run(postgres, sql.SQL("DROP TABLE {}").format(name))


def followed(read: Callable[[], Sequence[int]], write: Callable[[int], None]) -> list[int]:
    """What is read, time and again, while many write and once more after."""
    found: list[int] = []
    with ThreadPoolExecutor(WRITERS) as pool:
        writers: list[Future[None]] = [pool.submit(write, writer) for writer in range(WRITERS)]
        while not all(writer.done() for writer in writers):
            found += read()
        for writer in writers:
            writer.result()
    return [*found, *read()]


def test_many_who_make_the_same_ledger_at_once_make_one(url: str) -> None:
    """Processes of one service start together, on the first day too."""
    with ThreadPoolExecutor(WRITERS) as pool:
        ledgers = list(pool.map(lambda _: billing.open_ledger(url), range(WRITERS)))
    try:
        assert [WRITERS * [(1,)]] == [[row for each in ledgers for row in each.database.rows("TABLE ledger_version")]]
    finally:
        for each in ledgers:
            each.close()


def test_who_waits_too_long_for_another_writer_is_told_so_and_loses_nothing(
    url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that hangs must not make all others hang with it."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    with closing(billing.open_ledger(url)) as other:
        with ledger.database.writing(), pytest.raises(BadLedger) as refused:
            append(other, "first")
        assert (
            f"{other.name}: another process has been writing to it for 0.2 seconds. "
            "Wait for it to end and send the same events again, with the same ids."
        ) == str(refused.value)
        assert 3 == append(other, "first").tally.accepted


def test_what_is_read_together_is_of_one_moment(url: str, ledger: Ledger) -> None:
    """A bill drafted while events arrive must be the bill of some position."""
    append(ledger, "first")
    with closing(billing.open_ledger(url)) as other, ledger.database.reading():
        before = ledger.database.rows("SELECT count(*) FROM entry")
        append(other, "second")
        assert before == ledger.database.rows("SELECT count(*) FROM entry")
        assert 3 == len(ledger.database.moments(None, 100))


# What is refused


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_could_lose_what_it_has_acknowledged_is_refused(postgres: Server, url: str, setting: str) -> None:
    """It would be faster, and nobody would notice until the power fails."""
    with restarted(postgres, **{setting: "off"}):
        assert (
            f"{url}: acknowledged events could be lost in it: {setting} is off. Set {setting} = on in postgresql.conf."
        ) == str(refusal(url, create=True))


@contextmanager
def restarted(server: Server, **settings: str) -> Iterator[None]:
    """The server with other settings, for a while."""
    try:
        server.kill()
        with patch.dict(SETTINGS, settings):
            server.start()
        yield
        server.kill()
    finally:
        server.start()


@pytest.mark.parametrize(
    ("said", "is_"),
    [("off", "on"), ("local", "on"), ("remote_write", "remote_write"), ("remote_apply", "remote_apply")],
)
def test_a_commit_waits_for_the_disk_whatever_was_set_for_the_user(url: str, said: str, is_: str) -> None:
    """Unlike fsync this can be set for each connection, so it is; what waits for more is left."""
    with closing(billing.open_ledger(f"{url}&options=-csynchronous_commit%3D{said}")) as ledger:
        assert [(is_,)] == ledger.database.rows("SHOW synchronous_commit")


def test_a_commit_that_cannot_be_made_to_wait_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for is not yet what is: a pooler in between can drop it."""
    monkeypatch.setattr(module, "_SESSION", "")
    refused = refusal(f"{url}&options=-csynchronous_commit%3Doff", create=True)
    assert "acknowledged events could be lost in it: synchronous_commit is off." in str(refused)


def test_a_server_that_is_too_old_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On an older one the views would show everything to everybody."""
    monkeypatch.setattr(psycopg.ConnectionInfo, "server_version", 140_012)
    assert str(refusal(url, create=True)).endswith(
        "this program is not made for PostgreSQL 14. Use PostgreSQL 15 or newer."
    )


def test_a_database_that_cannot_hold_every_name_is_refused(postgres: Server) -> None:
    """Better on the first day than with the first customer who has an umlaut."""
    with another_database(postgres, "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'") as url:
        assert "server_encoding is SQL_ASCII. Make the database with ENCODING 'UTF8'." in str(refusal(url, create=True))


@contextmanager
def another_database(server: Server, how: str = "") -> Iterator[str]:
    """The URL of an empty database, for a while."""
    name = f"other_{uuid4().hex}"
    run(server, sql.SQL(f"CREATE DATABASE {name} TEMPLATE template0 {how}"))
    try:
        yield server.url().replace("/postgres?", f"/{name}?", 1)
    finally:
        run(server, sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_a_schema_of_something_else_is_left_as_it_is(postgres: Server, url: str) -> None:
    """A wrong name must not put a ledger among the tables of others."""
    schema = sql.Identifier(schema_of(url))
    run(postgres, *(sql.SQL(s).format(schema) for s in ("CREATE SCHEMA {}", "CREATE TABLE {}.customers (name text)")))
    assert f"{url}: it is something else than a ledger. Check the name; it was left as it is." == str(
        refusal(url, create=True)
    )
    with closing(psycopg.connect(postgres.url())) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
        assert [("customers",)] == connection.execute(query, [schema_of(url)]).fetchall()


def test_an_empty_schema_that_was_made_beforehand_becomes_a_ledger(postgres: Server, url: str) -> None:
    """Where programs may not make schemas, an administrator makes it."""
    run(postgres, sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema_of(url))))
    assert "ledger_missing" == refusal(url).code
    billing.open_ledger(url).close()
    billing.open_ledger(url, create=False).close()


def test_a_ledger_of_a_later_version_is_left_as_it_is(url: str, ledger: Ledger) -> None:
    """What a later version added an earlier one would not keep right."""
    ledger.database.rows("INSERT INTO ledger_version VALUES (7)")
    assert (
        f"{url}: it was made by a later version of this program: its schema is 7, and up to 1 is known here. "
        "Upgrade this program; the ledger was left as it is."
    ) == str(refusal(url, create=True))


@pytest.mark.parametrize("schema", ["", "Billing", "a b", "1a", "a;b", "pg_toast", "x" * 64, "a&schema=b", 'a"b'])
def test_a_schema_has_a_plain_name(postgres: Server, schema: str) -> None:
    """A name that must be quoted will be quoted wrong by somebody."""
    assert "ledger_url" == refusal(postgres.url(schema or "%20"), create=True).code


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql://ada:secret@127.0.0.1:1/x?schema=y",
            "postgresql://ada@127.0.0.1:1/x?schema=y: the database does not answer: connection failed: connection to "
            'server at "127.0.0.1", port 1 failed: Connection refused. See that it runs, then send the same events '
            "again with the same ids; what is stored already stays once.",
        ),
        (
            "postgresql:///x?password=secret&host=/nowhere&sslpassword=secret",
            "postgresql:///x?host=/nowhere: the database does not answer: connection is bad: connection to server on "
            'socket "/nowhere/.s.PGSQL.5432" failed: No such file or directory. See that it runs, then send the same '
            "events again with the same ids; what is stored already stays once.",
        ),
        (
            "postgresql://ada:sec@secret@127.0.0.1:1/x",
            '"postgresql://127.0.0.1:1/x" is not the address of a ledger. Write sqlite:///billing.db or '
            "postgresql://HOST/DATABASE.",
        ),
        (
            "postgresql://ada:sec/secret@127.0.0.1:1/x",
            '"postgresql://127.0.0.1:1/x" is not the address of a ledger. Write sqlite:///billing.db or '
            "postgresql://HOST/DATABASE.",
        ),
        (
            "postgresql://ada:secret@127.0.0.1:1/x?colour=blue",
            '"postgresql://ada@127.0.0.1:1/x?colour=blue" is not the address of a ledger. Write sqlite:///billing.db '
            "or postgresql://HOST/DATABASE.",
        ),
    ],
)
def test_a_server_that_is_not_there_is_told_in_one_sentence_without_the_password(url: str, said: str) -> None:
    """Messages end in logs, and a password in a log is everybody's."""
    assert said == str(refusal(url))


def test_the_extra_that_it_needs_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most people need no PostgreSQL, so its driver is not installed with the rest."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "psycopg is not installed. Install peak-billing[postgres]." == str(refusal(url))


# What others may do to it


@pytest.mark.parametrize("table", [*TABLES, "once", "moment"])
def test_nothing_that_is_there_is_changed_or_taken_out_of(ledger: Ledger, table: str) -> None:
    """The database itself says no, whoever asks: also to somebody who has its password and good intentions."""
    append(ledger, "first")
    rows = ledger.database.rows
    columns = [column for (column,) in rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0", table
    )]  # fmt: skip
    changes = [
        f"UPDATE {table} SET {column} = {column}" for column in columns if (table, column) != ("account", "events")
    ]
    for statement in (*changes, f"DELETE FROM {table}"):
        with pytest.raises(psycopg.errors.RaiseException, match="a ledger only grows"):
            rows(statement)
    with pytest.raises((psycopg.errors.RaiseException, psycopg.errors.WrongObjectType)):  # a view has none
        rows(f"TRUNCATE {table}")


def test_every_table_is_guarded(ledger: Ledger) -> None:
    """A table that comes later must be in the test above."""
    names = ledger.database.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema ORDER BY 1")
    assert TABLES == tuple(name for (name,) in names)


def test_a_user_who_may_only_read_reads_and_is_told_that_he_may_not_write(postgres: Server, url: str) -> None:
    """Dashboards and auditors need no right to write, and get none."""
    with closing(billing.open_ledger(url)) as ledger:
        append(ledger, "first")
    with role(postgres, url, "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}") as user:
        with closing(billing.open_ledger(f"{url}&options=-crole%3D{user}", create=False)) as ledger:
            assert 3 == len(ledger.read())
            with pytest.raises(BadLedger) as refused:
                append(ledger, "second")
        assert "ledger_unwritable" == refused.value.code
        assert "permission denied for table" in str(refused.value)


def test_a_user_without_any_right_is_told_so(postgres: Server, url: str) -> None:
    """Not that there is no ledger, which would send him off to make one."""
    billing.open_ledger(url).close()
    with role(postgres, url) as user:
        run(postgres, sql.SQL("REVOKE ALL ON SCHEMA {} FROM {}").format(*map(sql.Identifier, (schema_of(url), user))))
        assert "permission denied for schema" in str(refusal(f"{url}&options=-crole%3D{user}", create=True))


def test_a_writer_needs_few_rights_and_rows_may_have_policies(postgres: Server, url: str) -> None:
    """The service itself may not change what is there, and COPY, which policies refuse, is not what it needs."""
    billing.open_ledger(url).close()
    rights = (
        "GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "GRANT UPDATE (events) ON {schema}.account TO {role}",
        *(f"ALTER TABLE {{schema}}.{name} ENABLE ROW LEVEL SECURITY" for name in TABLES),
        *(f"CREATE POLICY everything ON {{schema}}.{name} TO {{role}} USING (true)" for name in TABLES),
    )
    with role(postgres, url, *rights) as user, closing(billing.open_ledger(f"{url}&options=-crole%3D{user}")) as ledger:
        assert 200 == append(ledger, "first", 200).tally.accepted
        assert 200 == len(ledger.read())


@contextmanager
def role(server: Server, url: str, *rights: str) -> Iterator[str]:
    """A user of the schema with some rights, for a while."""
    name = f"user_{uuid4().hex}"
    names = {"schema": sql.Identifier(schema_of(url)), "role": sql.Identifier(name)}
    before = ("CREATE ROLE {role}", "GRANT USAGE ON SCHEMA {schema} TO {role}", *rights)
    run(server, *(sql.SQL(statement).format(**names) for statement in before))
    try:
        yield name
    finally:
        run(server, *(sql.SQL(s).format(**names) for s in ("DROP OWNED BY {role}", "DROP ROLE {role}")))


def test_a_restored_backup_is_the_same_ledger(postgres: Server, url: str, ledger: Ledger) -> None:
    """The usual tools must do: what was dumped and restored has the same head, and goes on."""
    append(ledger, "first", 200)
    after = ledger.head().documents_digest
    ledger.issue([UnissuedDocument("terms", None, None, {"plan": "sample"})], after=after, now=micros(NOW))
    with another_database(postgres) as other:
        dump, restore = (str(programs() / program) for program in ("pg_dump", "psql"))
        dumped = subprocess.run([dump, "-n", schema_of(url), postgres.url()], check=True, capture_output=True).stdout
        subprocess.run(
            [restore, "-qX", "-v", "ON_ERROR_STOP=1", other], input=dumped, check=True, stdout=subprocess.PIPE
        )
        with closing(billing.open_ledger(f"{other}&schema={schema_of(url)}", create=False)) as restored:
            assert ledger.head() == restored.head()
            assert list(ledger.entries()) == list(restored.entries())
            assert (append(ledger, "second").head, 200) == (
                append(restored, "second").head,
                append(restored, "first", 200).tally.duplicates,
            )
            with pytest.raises(psycopg.errors.RaiseException):
                restored.database.rows("DELETE FROM entry")


# How it is read


def test_moments_of_many_spans_are_those_that_lie_in_them(database: PostgresDatabase) -> None:
    """All spans are asked for at once, and each is a range of its own: the ends are where mistakes are made."""
    random = np.random.default_rng(1)
    size, accounts = 2_000, 20
    drawn = random.integers([accounts, 9, 5, 100], size=(size, 4)).tolist()  # account, identity, type, instant
    nothing = [None] * 5
    rows = [(k, 0, *moment, f"{k}", *nothing, b"") for k, moment in enumerate(drawn, start=1)]
    with database.writing():
        database.insert("entry", rows)
    spans = [Span(account, start, start + 10) for account in range(accounts) for start in range(0, 100, 7)]
    expected = [
        (*moment, position)
        for span in spans
        for position, moment in enumerate(drawn[:1_500], start=1)
        if moment[0] == span.account and moment[2] < 3 and span.start <= moment[3] < span.end
    ]
    assert sorted(expected) == sorted(map(tuple, database.moments(spans, 1_500).tolist()))
    assert (0, len(MOMENT)) == database.moments([], size).shape


def test_names_are_looked_up_in_order_whatever_they_are_made_of(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys go to the server as one text, in which none may pass for the end of another."""
    names = ['"', "\\", '\\"', "{", "}", ",", '","', "NULL", "null", " ", "'", "%s", "?", "ä"]
    with database.writing():
        database.insert("account", [(code, name, 1, 0) for code, name in enumerate(names)])
    monkeypatch.setattr(module, "_KEYS", 5)
    asked: list[str | None] = [*reversed(names), "unknown", None, "\0", "\1", "a\0b", names[0]]
    known = {name: code for code, name in enumerate(names)}
    assert [known.get(name or "") for name in asked] == database.look_up(ACCOUNT_CODE, [(name,) for name in asked])
    assert [] == database.look_up(ACCOUNT_CODE, [])
