"""Power cuts for SQLite: a disk in memory that forgets at random what was not synced.

Killing a process says nothing about durability, since the page cache outlives it. Here the disk goes too. A `Disk` is a
VFS of APSW; when its power is cut, at any operation inside any transaction, what it still holds is drawn at random:

* of a file: its contents at its last sync, and of the writes and truncates since then any subset, where a write may
  also be torn, with some of its sectors there and others not;
* of a name: that of the last sync of the directory, or any file it has stood for since, or none. A directory is synced
  when SQLite on Unix does so: at the first sync of a journal or WAL, and by a deletion that asks for it.

There is no shared memory: WAL needs `PRAGMA locking_mode=EXCLUSIVE` before anything else, and one connection at a time.
"""

# ruff: noqa: N802 - the methods that start with an x are named by SQLite

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count as counter
from itertools import pairwise
from random import Random
from typing import Self, TypeVar

import apsw

Item = TypeVar("Item")
#: What a disk holds while it is off: the contents of each file by its path.
Image = Mapping[str, bytes]
#: A write of some bytes at an offset, or without bytes a truncation to that size.
Change = tuple[int, bytes | None]

SECTOR = 512  # bytes: the smallest there is, so that writes are torn in the most ways
_JOURNALS = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL
_serial = counter()


class PowerCut(BaseException):
    """The power is gone. It is no `Exception`, since no handler of errors runs on a machine without power."""


@dataclass(frozen=True)
class Verdict:
    """What a check found wrong with what a cut left behind."""

    #: How many of the acknowledged items are missing.
    lost: int = 0
    #: How many batches are there, but not whole.
    partial: int = 0
    corrupt: bool = False


@dataclass(frozen=True)
class Report:
    """What many cuts did, all together."""

    cuts: int
    #: At how many different moments the power was cut, of how many that the workload has.
    moments: int
    of_moments: int
    lost: int
    cuts_with_loss: int
    partial: int
    #: Images that are damaged or cannot be read at all; what these have lost is only counted if the check can tell.
    corrupt: int
    #: The numbers of the first runs that went wrong: `first=` and `count=1` repeat one of them.
    bad: tuple[int, ...]


class Disk(apsw.VFS):
    """A disk in memory that starts from an image, and counts the operations that change it.

    The power is cut at the operation numbered `cut_at`, counting from 1, and that operation raises `PowerCut`. What
    the old connection does afterwards is ignored, so that it can be closed in peace and changes nothing.
    """

    def __init__(self, image: Image | None = None, *, cut_at: int | None = None) -> None:
        self.vfs = f"powercut-{next(_serial)}"
        #: Where to keep a database; other paths do as well.
        self.path = "/disk/ledger.db"
        self.on = True
        self.operations = 0
        self._cut_at = cut_at
        # What each name has stood for since the directory was synced, the newest last.
        self._names: dict[str, list[_File | None]] = {name: [_File(held)] for name, held in (image or {}).items()}
        # Kept, since a connection that is let go closes itself, and a power cut does not wait for that.
        self._connections: list[apsw.Connection] = []
        super().__init__(self.vfs, base="")  # the clock, sleep and dice stay those of the machine
        apsw.connection_hooks.append(self._opened)

    def contents(self) -> Image:
        """What programs read now, which is also what the disk holds after a clean shutdown."""
        return {name: bytes(states[-1].live) for name, states in self._names.items() if states[-1]}

    def cut(self, rng: Random) -> Image:
        """What the disk holds after the power was cut, which is now unless it was before."""
        self.on = False
        chosen = ((name, rng.choice(states)) for name, states in self._names.items())
        return {name: file.after_a_cut(rng) for name, file in chosen if file}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is still open on this disk, of which nothing is written back, and take the VFS away."""
        self.on = False
        apsw.connection_hooks.remove(self._opened)
        while self._connections:
            self._connections.pop().close()
        self.unregister()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        """A file by its name, made if need be; without a name, a temporary one."""
        flags[1] = flags[0]
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        file = self._file(path)
        if file is None:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(f"there is no {path}")
            file = _File()
            if path is not None and self.on:
                self._names.setdefault(path, [None]).append(file)
        # SQLite on Unix syncs the directory even if the journal was there before: it asks to create it each time.
        return _Handle(self, file, syncs_directory=bool(flags[0] & _JOURNALS and flags[0] & apsw.SQLITE_OPEN_CREATE))

    def xDelete(self, filename: str, syncdir: bool) -> None:
        """Take a name away; it may come back unless the directory is synced."""
        if self._file(filename) is None:
            missing = apsw.IOError(f"there is no {filename}")
            missing.extendedresult = apsw.SQLITE_IOERR_DELETE_NOENT  # type: ignore[attr-defined]  # the stubs lack it
            raise missing
        if self.on:
            self._names[filename].append(None)
            self._happens()
            if syncdir:
                self._sync_directory()

    def xAccess(self, pathname: str, flags: int) -> bool:
        """Whether there is such a file; as on Unix, an empty one does not count."""
        file = self._file(pathname)
        return file is not None and bool(file.live)

    def xFullPathname(self, name: str) -> str:
        """The name as it came: there are no folders to search."""
        return name

    def _file(self, path: str | None) -> _File | None:
        return self._names[path][-1] if path in self._names else None

    def _opened(self, connection: apsw.Connection) -> None:
        if connection.open_vfs == self.vfs:  # which tells what `vfs=` asked for, and nothing of the `vfs` of a URI
            self._connections.append(connection)

    def _happens(self) -> None:
        """Count an operation, in whose midst the power may go."""
        self.operations += 1
        if self.operations == self._cut_at:
            self.on = False
            raise PowerCut

    def _sync_directory(self) -> None:
        """Make durable which names there are, and what they stand for."""
        for states in self._names.values():
            del states[:-1]


class _File:
    """The contents of a file, and how they came to be: what it held at first, and each change since."""

    def __init__(self, first: bytes = b"") -> None:
        self.first = first
        self.live = bytearray(first)
        self.changes: list[Change] = []
        self.synced = 0  # how many of the changes are durable
        self.locked_by: _Handle | None = None

    def change(self, change: Change) -> None:
        _apply(change, self.live)
        self.changes.append(change)

    def after_a_cut(self, rng: Random) -> bytes:
        held = bytearray(self.first)
        for change in self.changes[: self.synced]:
            _apply(change, held)
        # The odds are drawn too: with fixed ones, hardly ever would all of many writes stay, or none of them.
        whole, torn = sorted((rng.random(), rng.random()))
        for change in self.changes[self.synced :]:
            fate = rng.random()
            if fate < whole:
                _apply(change, held)
            elif fate < torn:
                for sector in _sectors(change):
                    if rng.random() < 0.5:
                        _apply(sector, held)
        return bytes(held)


def _apply(change: Change, contents: bytearray) -> None:
    offset, data = change
    if data is None:
        del contents[offset:]
    else:
        contents.extend(bytes(max(0, offset - len(contents))))  # a hole reads as zeros
        contents[offset : offset + len(data)] = data


def _sectors(change: Change) -> Iterator[Change]:
    """The parts of a change that are kept or dropped each on its own; a truncation is one."""
    offset, data = change
    if data is None:
        yield change
        return
    end = offset + len(data)
    for start, stop in pairwise([offset, *range(offset - offset % SECTOR + SECTOR, end, SECTOR), end]):
        yield start, data[start - offset : stop - offset]


class _Handle(apsw.VFSFile):
    """An open file. It inherits from no other VFS, so that the constructor of APSW is not called."""

    def __init__(self, disk: Disk, file: _File, *, syncs_directory: bool) -> None:
        self._disk = disk
        self._file = file
        self._syncs_directory = syncs_directory

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._file.live[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._change((offset, data))

    def xTruncate(self, newsize: int) -> None:
        self._change((newsize, None))

    def _change(self, change: Change) -> None:
        if self._disk.on:
            self._file.change(change)
            self._disk._happens()

    def xSync(self, flags: int) -> None:
        if self._disk.on:
            self._disk._happens()  # first: a sync that was interrupted promises nothing
            self._file.synced = len(self._file.changes)
            if self._syncs_directory:
                self._disk._sync_directory()
                self._syncs_directory = False

    def xFileSize(self) -> int:
        return len(self._file.live)

    def xLock(self, level: int) -> None:
        # Stricter than SQLite, where readers share: what is open in exclusive mode has no second reader anyway.
        if self._file.locked_by not in (None, self):
            raise apsw.BusyError("a disk of this kind serves one connection at a time")
        self._file.locked_by = self

    def xUnlock(self, level: int) -> None:
        if level == apsw.SQLITE_LOCK_NONE and self._file.locked_by is self:
            self._file.locked_by = None

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, ptr: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return 4096  # this and the next as on Linux, so that SQLite pads and writes as it does there

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xClose(self) -> None:
        self.xUnlock(apsw.SQLITE_LOCK_NONE)


#: Works on a disk, and calls the second argument with each item that has been acknowledged to somebody.
Workload = Callable[[Disk, Callable[[Item], None]], None]
#: Opens what a cut has left behind, and compares it with what had been acknowledged before.
Check = Callable[[Disk, Sequence[Item]], Verdict]


def prepare(setup: Callable[[Disk], None]) -> Image:
    """What a disk holds after a setup that nothing disturbed, all of it synced: a place to start from."""
    with Disk() as disk:
        setup(disk)
        return disk.contents()


def cuts(
    workload: Workload[Item],
    check: Check[Item],
    *,
    start: Image,
    count: int,
    seed: int,
    first: int = 0,
    again: bool = False,
) -> Report:
    """Run a workload from the same image many times, cut its power each time, and check what is left.

    The moments are drawn evenly from all operations of an undisturbed run, and the silence after the last of them.
    With `again`, the power is cut a second time while the check recovers from the first: these cuts count as well.
    """
    moments = _undisturbed(workload, check, start) + 1
    drawn: set[int] = set()
    verdicts: list[tuple[int, Verdict]] = []
    for number in range(first, first + count):
        rng = Random(f"{seed} {number}")  # of its own, so that a run can be repeated without those before it
        moment = rng.randint(1, moments)
        drawn.add(moment)
        verdicts += [(number, found) for found in _run(workload, check, start, moment, rng, again)]
    return Report(
        cuts=len(verdicts),
        moments=len(drawn),
        of_moments=moments,
        lost=sum(found.lost for _, found in verdicts),
        cuts_with_loss=sum(found.lost > 0 for _, found in verdicts),
        partial=sum(found.partial for _, found in verdicts),
        corrupt=sum(found.corrupt for _, found in verdicts),
        bad=tuple(dict.fromkeys(number for number, found in verdicts if found != Verdict()))[:10],
    )


def _undisturbed(workload: Workload[Item], check: Check[Item], start: Image) -> int:
    """How many operations a run has that nothing disturbs; what it leaves must pass the check, or no cut means much."""
    acknowledged: list[Item] = []
    with Disk(start) as disk:
        workload(disk, _acknowledging(disk, acknowledged))
        operations, left = disk.operations, disk.contents()
    found, _ = _checked(check, left, acknowledged)
    if found != Verdict():
        raise AssertionError(f"{found}, though the power was never cut")
    return operations


def _run(
    workload: Workload[Item], check: Check[Item], start: Image, moment: int, rng: Random, again: bool
) -> Iterator[Verdict]:
    acknowledged: list[Item] = []
    image = _cut(lambda disk: workload(disk, _acknowledging(disk, acknowledged)), start, moment, rng)
    found, operations = _checked(check, image, acknowledged)
    yield found
    if again:
        moment = rng.randint(1, operations + 1)
        image = _cut(lambda disk: _judge(check, disk, acknowledged), image, moment, rng)
        yield _checked(check, image, acknowledged)[0]


def _cut(use: Callable[[Disk], object], image: Image, moment: int, rng: Random) -> Image:
    with Disk(image, cut_at=moment) as disk:
        try:
            use(disk)
        except (PowerCut, Exception):
            if disk.on:  # what a program says without power does not matter, such as that it could not roll back
                raise
        return disk.cut(rng)


def _checked(check: Check[Item], image: Image, acknowledged: Sequence[Item]) -> tuple[Verdict, int]:
    """The verdict on an image, and how many operations it took to recover."""
    with Disk(image) as disk:
        return _judge(check, disk, acknowledged), disk.operations


def _judge(check: Check[Item], disk: Disk, acknowledged: Sequence[Item]) -> Verdict:
    try:
        return check(disk, acknowledged)
    except apsw.Error:  # it cannot be opened or read
        return Verdict(corrupt=True)


def _acknowledging(disk: Disk, acknowledged: list[Item]) -> Callable[[Item], None]:
    """Takes note of items, and does not let a program that swallowed the cut go on as if nothing had been."""

    def acknowledge(item: Item) -> None:
        if not disk.on:
            raise PowerCut
        acknowledged.append(item)

    return acknowledge
