"""The PostgreSQL that tests run against: it starts, and what was committed survives its death."""

from __future__ import annotations

from contextlib import closing
from uuid import uuid4

import psycopg
import pytest

from tests.support.postgres import Server


def test_it_is_new_enough_and_loses_nothing_that_was_committed(postgres: Server) -> None:
    with psycopg.connect(postgres.url()) as connection:
        assert connection.info.server_version >= 150_000
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert ("on",) == connection.execute("SELECT current_setting(%s)", [setting]).fetchone()


def test_what_was_committed_survives_and_what_was_not_is_gone(postgres: Server) -> None:
    postgres.kill()  # idle
    postgres.start()
    table = f"survivors_{uuid4().hex}"
    with closing(psycopg.connect(postgres.url())) as connection:
        connection.execute(f"CREATE TABLE {table} (number int)")
        connection.execute(f"INSERT INTO {table} VALUES (1)")
        connection.commit()
        connection.execute(f"INSERT INTO {table} VALUES (2)")
        postgres.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres.url())
    postgres.start()
    with psycopg.connect(postgres.url()) as connection:
        assert [(1,)] == connection.execute(f"SELECT number FROM {table}").fetchall()
        connection.execute(f"DROP TABLE {table}")


def test_a_schema_is_added_to_the_url(postgres: Server) -> None:
    before, _, after = postgres.url("ledger_1").rpartition("schema=")
    assert (postgres.url(), "ledger_1") == (before[:-1], after)
    assert before[-1] in "?&"
