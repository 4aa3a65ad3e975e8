"""The power cuts themselves: what is promised survives every one, and what is not promised does get lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from random import Random

import apsw
import pytest

from tests.support.powercut import SECTOR, Disk, PowerCut, Verdict, cuts, prepare

BATCHES = 12
ROWS = 5


def connect(disk: Disk, journal: str = "wal", synchronous: str = "full") -> apsw.Connection:
    connection = apsw.Connection(disk.path, vfs=disk.vfs)
    if journal == "wal":
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    assert connection.pragma("journal_mode", journal) == journal
    connection.pragma("synchronous", synchronous)
    connection.pragma("wal_autocheckpoint", 8)  # pages: every few batches
    return connection


def set_up(journal: str) -> Callable[[Disk], None]:
    def setup(disk: Disk) -> None:
        with closing(connect(disk, journal)) as connection:
            connection.execute("CREATE TABLE batches (id INTEGER PRIMARY KEY, total INTEGER NOT NULL)")
            connection.execute("CREATE TABLE rows (batch INTEGER NOT NULL, value INTEGER NOT NULL, padding BLOB)")
            connection.execute("CREATE INDEX rows_by_batch ON rows (batch)")

    return setup


def store(connection: apsw.Connection, batch: int) -> None:
    values = [batch * ROWS + row for row in range(ROWS)]
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO batches VALUES (?, ?)", (batch, sum(values)))
    connection.executemany("INSERT INTO rows VALUES (?, ?, zeroblob(300))", [(batch, value) for value in values])
    connection.execute("COMMIT")


def storing(journal: str, synchronous: str) -> Callable[[Disk, Callable[[int], None]], None]:
    def workload(disk: Disk, acknowledge: Callable[[int], None]) -> None:
        connection = connect(disk, journal, synchronous)  # never closed, so that a server at rest is cut as well
        for batch in range(BATCHES):
            store(connection, batch)
            acknowledge(batch)

    return workload


def check(disk: Disk, acknowledged: Sequence[int]) -> Verdict:
    with closing(apsw.Connection(disk.path, vfs=disk.vfs)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        damaged = connection.pragma("integrity_check") != "ok"
        totals = dict(connection.execute("SELECT id, total FROM batches"))
        rows = {
            batch: (count, total)
            for batch, count, total in connection.execute("SELECT batch, count(*), sum(value) FROM rows GROUP BY batch")
        }
    whole = {batch for batch, total in totals.items() if rows.get(batch) == (ROWS, total)}
    partial = (totals.keys() | rows.keys()) - whole
    return Verdict(lost=len(set(acknowledged) - whole), partial=len(partial), corrupt=damaged)


def test_an_acknowledged_batch_survives_every_cut() -> None:
    """FULL promises no less; if the harness broke it, no loss that it finds would mean anything."""
    report = cuts(storing("wal", "full"), check, start=prepare(set_up("wal")), count=300, seed=1)
    assert (report.lost, report.partial, report.corrupt) == (0, 0, 0), report
    assert report.moments > 100, report


def test_a_cut_while_recovering_from_a_cut_loses_nothing_either() -> None:
    """Power that goes once often goes twice, and recovery writes to the database too."""
    report = cuts(storing("wal", "full"), check, start=prepare(set_up("wal")), count=100, seed=2, again=True)
    assert (report.cuts, report.lost, report.partial, report.corrupt) == (200, 0, 0, 0), report


def test_without_a_sync_at_each_commit_acknowledged_batches_are_lost_yet_never_torn() -> None:
    """The control for the first test: the harness sees losses, and sees no more than NORMAL is known to do."""
    report = cuts(storing("wal", "normal"), check, start=prepare(set_up("wal")), count=300, seed=1)
    assert report.lost > 0, report
    assert (report.partial, report.corrupt) == (0, 0), report


def test_without_any_sync_databases_are_damaged() -> None:
    """The control for damage: what is not synced is torn and reordered, not just cut off at the end."""
    report = cuts(storing("wal", "off"), check, start=prepare(set_up("wal")), count=100, seed=1)
    assert report.lost > 0, report
    assert report.corrupt > 0, report


@pytest.mark.parametrize(("synchronous", "loses"), [("full", True), ("extra", False)])
def test_a_commit_by_deletion_is_lost_unless_the_directory_is_synced(synchronous: str, loses: bool) -> None:
    """The control for names: FULL deletes the rollback journal and lets it come back, EXTRA syncs the directory."""
    report = cuts(storing("delete", synchronous), check, start=prepare(set_up("delete")), count=150, seed=1)
    assert (report.lost > 0, report.partial, report.corrupt) == (loses, 0, 0), report


def test_the_same_seed_tells_the_same_story() -> None:
    """A loss that cannot be repeated cannot be mended; any run is repeated alone by its number."""
    start = prepare(set_up("wal"))
    report, repeated = (cuts(storing("wal", "normal"), check, start=start, count=50, seed=3) for _ in range(2))
    assert report == repeated
    alone = cuts(storing("wal", "normal"), check, start=start, count=1, seed=3, first=report.bad[-1])
    assert alone.bad == report.bad[-1:]


def test_a_workload_that_fails_its_check_without_a_cut_is_refused() -> None:
    """Else a mistake in a test, such as a forgotten exclusive lock, would pass for damage done by power cuts."""

    def acknowledge_too_much(disk: Disk, acknowledge: Callable[[int], None]) -> None:
        acknowledge(BATCHES)

    with pytest.raises(AssertionError, match=r"lost=1.*never cut"):
        cuts(acknowledge_too_much, check, start=prepare(set_up("wal")), count=1, seed=1)


def test_checkpoints_happen_inside_the_workload() -> None:
    """The moment that matters most is when the database itself is overwritten: cuts must be able to fall there."""
    start = prepare(set_up("wal"))
    with Disk(start) as disk:
        storing("wal", "full")(disk, lambda batch: None)
        assert disk.contents()[disk.path] != start[disk.path]


def test_a_server_at_rest_is_cut_as_well() -> None:
    """Most machines lose their power while idle: here nothing but the silence after the commit can lose it."""

    def store_one(disk: Disk, acknowledge: Callable[[int], None]) -> None:
        store(connect(disk, synchronous="normal"), 0)
        acknowledge(0)

    report = cuts(store_one, check, start=prepare(set_up("wal")), count=100, seed=1)
    assert report.lost > 0, report


def test_a_cut_falls_inside_a_transaction_and_the_old_connection_changes_nothing_after_it() -> None:
    """What a dying program still does, such as to roll back or to retry, must not reach the disk."""
    with Disk(prepare(set_up("wal")), cut_at=3) as disk:
        connection = connect(disk)
        with pytest.raises(PowerCut):
            store(connection, 0)
        left = disk.cut(Random(1))
        store(connection, 1)
        connection.close()
        assert disk.cut(Random(1)) == left
    with Disk(left) as disk:
        assert check(disk, []) == Verdict()


def test_a_program_that_swallows_the_cut_acknowledges_nothing_more() -> None:
    """To catch everything and go on is no way to keep a promise that was made after the power had gone."""
    promised = []

    def stubborn(disk: Disk, acknowledge: Callable[[int], None]) -> None:
        connection = connect(disk)
        for batch in range(BATCHES):
            try:
                store(connection, batch)
            except PowerCut:
                store(connection, batch)
            acknowledge(batch)
            promised.append((disk.on, batch))

    report = cuts(stubborn, check, start=prepare(set_up("wal")), count=50, seed=1)
    assert (report.lost, report.corrupt) == (0, 0), report
    assert all(on for on, _ in promised)


def test_a_second_connection_is_refused() -> None:
    """Without shared memory two connections would overwrite each other, which would look like a power cut's work."""
    with Disk(prepare(set_up("wal"))) as disk:
        connect(disk)
        with pytest.raises(apsw.BusyError):
            connect(disk)


def opened(disk: Disk, kind: int = apsw.SQLITE_OPEN_MAIN_DB, name: str = "/disk/file") -> apsw.VFSFile:
    return apsw.VFSFile(disk.vfs, name, [apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_READWRITE | kind, 0])


def outcomes(use: Callable[[Disk], None]) -> set[bytes | None]:
    """All that many cuts leave of the file, which was there at first with two sectors of a."""
    left = set()
    for seed in range(200):
        with Disk({"/disk/file": b"a" * 2 * SECTOR}) as disk:
            use(disk)
            left.add(disk.cut(Random(seed)).get("/disk/file"))
    return left


A, B, C = (letter * SECTOR for letter in (b"a", b"b", b"c"))


def test_a_write_that_was_not_synced_is_kept_dropped_or_torn_between_sectors() -> None:
    """Each sector is one or the other, never a mixture: SQLite counts on that much."""
    assert outcomes(lambda disk: opened(disk).xWrite(B + B, 0)) == {A + A, B + B, A + B, B + A}


def test_writes_that_were_not_synced_survive_in_any_order() -> None:
    """Disks and page caches write back as they like: a later write may be there without an earlier one."""

    def use(disk: Disk) -> None:
        file = opened(disk)
        file.xWrite(B, 0)
        file.xWrite(C, SECTOR)

    assert outcomes(use) == {A + A, B + A, A + C, B + C}


def test_a_write_past_the_end_leaves_zeros_where_nothing_was_written() -> None:
    """A file may have grown to its new size with nothing in between."""
    assert outcomes(lambda disk: opened(disk).xWrite(B, 3 * SECTOR)) == {A + A, A + A + bytes(SECTOR) + B}


def test_a_truncation_that_was_not_synced_may_not_have_happened() -> None:
    """A file may be as long as before, with what was in it."""
    assert outcomes(lambda disk: opened(disk).xTruncate(SECTOR)) == {A + A, A}


def test_what_was_synced_is_always_there() -> None:
    """A sync is the one promise that a disk makes."""

    def use(disk: Disk) -> None:
        file = opened(disk)
        file.xWrite(B + B, 0)
        file.xSync(apsw.SQLITE_SYNC_NORMAL)

    assert outcomes(use) == {B + B}


def test_a_sync_that_was_interrupted_promises_nothing() -> None:
    """The power may go before the sync has returned: some of what it was to write is there, and some is not."""
    left = set()
    for seed in range(200):
        with Disk({"/disk/file": A + A}, cut_at=2) as disk:
            file = opened(disk)
            file.xWrite(B + B, 0)
            with pytest.raises(PowerCut):
                file.xSync(apsw.SQLITE_SYNC_NORMAL)
            left.add(disk.cut(Random(seed))["/disk/file"])
    assert left == {A + A, B + B, A + B, B + A}


@pytest.mark.parametrize(("syncs", "left"), [(False, {None, A + A}), (True, {None})])
def test_a_deleted_file_may_come_back_unless_the_directory_was_synced(syncs: bool, left: set[bytes | None]) -> None:
    """A rollback journal that comes back undoes what was acknowledged."""
    assert outcomes(lambda disk: disk.xDelete("/disk/file", syncs)) == left


@pytest.mark.parametrize(
    ("kind", "left"), [(apsw.SQLITE_OPEN_MAIN_DB, {None, A}), (apsw.SQLITE_OPEN_WAL, {A})], ids=["database", "wal"]
)
def test_a_new_file_may_vanish_unless_the_directory_was_synced(kind: int, left: set[bytes | None]) -> None:
    """The contents of a file are safe and yet nobody finds it: SQLite syncs the directory for journals alone."""

    def use(disk: Disk) -> None:
        disk.xDelete("/disk/file", True)
        file = opened(disk, kind)
        file.xWrite(A, 0)
        file.xSync(apsw.SQLITE_SYNC_NORMAL)

    assert outcomes(use) == left
