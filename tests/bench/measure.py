"""What is measured: each kind of figure, beside the peers that answer the same question.

Every answer is compared with the peers' before a time is given. Every timed call begins with the
file and keeps nothing for the next. Calls that are compared take turns, so that both have the same
share of a machine's moods.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from billing import engine
from billing.core.activity import ActivityPolicy, Walk
from billing.core.invoice import AllTerms, Invoice, Terms
from billing.formats.terms import load_plan

from . import fresh, make_events, peers
from .figures import Figure, at_least, at_most
from .peers import Peaks

SCENARIO: Final = Path(__file__).parents[2] / "fixtures" / "scenarios" / "discount"
PLAN: Final = SCENARIO / "plan.toml"
QUESTION: Final = engine.Question(AllTerms(Terms(plan=load_plan(str(PLAN)))), first="2025-01", last="2025-12")
BILLING: Final = Path(sys.executable).with_name("billing")
COLUMNS: Final = ["account_id", "identity_id", "type", "occurred_at"]
ROUNDS: Final = 5
#: Room on the disk for a row, and to spare.
_ROW_BYTES: Final = 12
_SPARE_BYTES: Final = 2 << 30
#: One account in sixteen: those whose name ends so.
_SAMPLE: Final = "7"


class Differs(Exception):
    """Two answers to one question are not the same."""


class Files:
    """The files to measure with, made when they are needed, and the peers' answers to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._answers: dict[Path, Peaks] = {}

    def parquet(self, events: int, *, shuffled: bool = False, ids: bool = False) -> Path:
        """A Parquet file of so many events."""
        path = self.folder / f"{events}{'-shuffled' * shuffled}{'-ids' * ids}.parquet"
        if not path.exists():
            _progress(f"making {path.name}")
            unfinished = path.with_suffix(".part")
            make_events.write(unfinished, make_events.Size(events), shuffled=shuffled, ids=ids)
            unfinished.rename(path)
        return path

    def csv(self, events: int) -> Path:
        """The same as CSV, with instants in RFC 3339."""
        path = self.folder / f"{events}.csv"
        if not path.exists():
            table = pq.read_table(self.parquet(events))
            text = pc.strftime(table["occurred_at"], "%Y-%m-%dT%H:%M:%SZ")
            pacsv.write_csv(table.set_column(3, "occurred_at", text), path)
        return path

    def room(self, events: int) -> int:
        """How many events a file can hold, at most `events`."""
        free = shutil.disk_usage(self.folder).free - _SPARE_BYTES
        return min(events, max(free, 0) // _ROW_BYTES)

    def peer(self, name: str, path: Path, *, runs: int = 1) -> tuple[float, Peaks]:
        """The least seconds that a peer takes, and its answer."""
        _progress(f"{name} answers {path.name}")
        timed = [peers.timed(name, path) for _ in range(runs)]
        self._answers[path] = timed[0][1]
        return min(seconds for seconds, _ in timed), timed[0][1]

    def answer(self, path: Path) -> Peaks:
        """What a peer says the peaks are."""
        return self._answers[path] if path in self._answers else self.peer("duckdb", path)[1]


def job(files: Files, events: int) -> Iterable[Figure]:
    """From a Parquet file to twelve months of invoices."""
    path = files.parquet(events)
    others = {name: files.peer(name, path, runs=2) for name in peers.PEERS}
    for name, (_, answer) in others.items():
        _same(name, answer, _peaks(_invoices(path)))
    _progress("ours, and reading the columns as text")
    ours, text = _in_turns(lambda: _invoices(path), lambda: pq.read_table(path, columns=COLUMNS))
    yield Figure(f"Parquet, {_count(events)} events: 12 months of invoices", _seconds(ours))
    for name, (seconds, _) in others.items():
        ratio = seconds / ours
        yield Figure(
            f"... {_NAMES[name]}, the peaks alone",
            _seconds(seconds),
            f"ours is {ratio:.1f}x faster",
            "at least 15x",
            at_least(15, ratio),
        )
    yield Figure(
        "... pyarrow.parquet.read_table, the columns as text",
        _seconds(text),
        f"ours takes {ours / text:.2f} of it",
        "at most 0.75",
        at_most(0.75, ours / text),
    )


def kernel(files: Files, events: int) -> Iterable[Figure]:
    """The walk and the sweep alone, over columns in memory."""
    path = files.parquet(events)
    read = engine.read(str(path))
    columns, identities = read.columns, len(read.names.identities)

    def walk() -> Walk:
        walk = Walk(ActivityPolicy())
        walk.feed(columns, identities)
        return walk

    def whole() -> Any:
        intervals = walk().intervals()
        accounts = read.names.account_of[intervals.identities]
        found = engine.Activity(read.names, intervals, accounts, read.accepted, read.tally, (), None)
        return engine.peaks(found, QUESTION)

    _same("duckdb", files.answer(path), {(row.account_id, row.cycle.name): row.peak for row in whole()})
    _progress("the kernel")
    walked, all_of_it = (seconds * 1e9 / events for seconds in _in_turns(walk, whole))
    yield Figure("Kernel: the walk", f"{walked:.1f} ns an event", "", "at most 5 ns", at_most(5, walked))
    yield Figure(
        "... with intervals, sweep and peaks", f"{all_of_it:.1f} ns an event", "", "at most 9 ns", at_most(9, all_of_it)
    )


def memory(files: Files, *sizes: int) -> Iterable[Figure]:
    """The peak of memory of `billing invoice` in a fresh process."""
    for wanted in sizes:
        events = wanted if files.parquet(0, exists=wanted) else files.room(wanted)
        short = "" if events == wanted else f" ({_count(wanted)} do not fit on the disk)"
        path = files.parquet(events)
        output = files.folder / "invoices.json"
        _progress(f"billing invoice {path.name}")
        taken = fresh.run(BILLING, "invoice", path, *_options(), "--output", output)
        drafted = {(i["account_id"], i["cycle_start"][:7]): i["peak"] for i in json.loads(output.read_bytes())}
        yield Figure("", "")
