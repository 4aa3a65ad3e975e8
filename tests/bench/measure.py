"""What is measured, each figure beside the peers that answer the same question.

Every answer is compared with the peers' before a time is given. Every timed call begins with the
file and keeps nothing for the next. Calls that are compared take turns, so that both have their
share of what else the machine does.
"""

from __future__ import annotations

import json
import pickle
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from billing import engine
from billing.config.terms import load_plan
from billing.core.activity import ActivityPolicy, Walk
from billing.core.evidence import Evidence
from billing.core.invoice import Invoice
from billing.core.terms import AllTerms, Terms
from billing.engine import pipeline
from billing.engine.query import Query
from tests.bench import fresh, make_events, peers
from tests.bench.figures import Figure, at_least, at_most
from tests.bench.peers import Peaks

SCENARIO: Final = Path(__file__).parents[2] / "fixtures" / "scenarios" / "discount"
PLAN: Final = SCENARIO / "plan.toml"
QUESTION: Final = Query(AllTerms(Terms(plan=load_plan(str(PLAN)))), first="2025-01", last="2025-12")
#: The command, as it is installed beside the interpreter.
BILLING: Final = Path(sys.executable).with_name("billing")
COLUMNS: Final = ("account_id", "identity_id", "type", "occurred_at")
PEERS: Final = {"duckdb": "DuckDB SQL", "polars": "Polars"}
#: One account in sixteen, by the last digit of its name.
SAMPLE: Final = "7"

ROUNDS: Final = 5
FRESH_ROUNDS: Final = 7
#: Disk that an event takes, amply, and what stays free.
_EVENT_BYTES: Final = 12
_SPARE_BYTES: Final = 2 << 30


class Differs(Exception):
    """Two answers to one question are not the same."""


class Files:
    """The files to measure with, made when first asked for, and what a peer answers to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._answers: dict[Path, bytes] = {}

    def parquet(self, events: int, *, shuffled: bool = False, ids: bool = False) -> Path:
        """A Parquet file of so many events."""
        name = f"{events}{'-shuffled' * shuffled}{'-ids' * ids}.parquet"
        return self.made(name, make_events.Size(events), shuffled=shuffled, ids=ids)

    def made(self, name: str, size: make_events.Size, *, shuffled: bool = False, ids: bool = False) -> Path:
        """A Parquet file of so much, made if it is not there."""
        path = self.folder / name
        if not path.exists():
            say(f"making {path.name}")
            unfinished = path.with_suffix(".unfinished")
            make_events.write(unfinished, size, shuffled=shuffled, ids=ids)
            unfinished.rename(path)
        return path

    def csv(self, events: int) -> Path:
        """The same events as CSV, with instants in RFC 3339."""
        path = self.folder / f"{events}.csv"
        if not path.exists():
            table = pq.read_table(self.parquet(events))
            text = pc.strftime(table["occurred_at"], "%Y-%m-%dT%H:%M:%SZ")
            pacsv.write_csv(table.set_column(3, "occurred_at", text), path)
        return path

    def largest(self, events: int) -> Path:
        """A Parquet file of so many events, or of as many as the disk has room for."""
        made = self.folder / f"{events}.parquet"
        room = (shutil.disk_usage(self.folder).free - _SPARE_BYTES) // _EVENT_BYTES
        return made if made.exists() else self.parquet(min(events, room))

    def asked(self, peer: str, path: Path, *, runs: int = 1) -> tuple[float, Peaks]:
        """The seconds of a peer's fastest run, and its answer."""
        say(f"{PEERS[peer]} answers {path.name}")
        timed = [peers.timed(peer, path) for _ in range(runs)]
        # Kept as bytes: objects would be looked through by each collection of garbage in what is timed.
        self._answers[path] = pickle.dumps(timed[0][1])
        return min(seconds for seconds, _ in timed), timed[0][1]

    def answer(self, path: Path) -> Peaks:
        """The peaks of a file, by a peer."""
        if path not in self._answers:
            self.asked("duckdb", path)
        answer: Peaks = pickle.loads(self._answers[path])
        return answer


def job(files: Files, events: int) -> Iterator[Figure]:
    """From a Parquet file to twelve months of invoices."""
    path = files.parquet(events)
    ours, plain = yield from _beside_peers(
        files,
        path,
        f"{millions(events)} events in Parquet to 12 months of invoices",
        reading=lambda: pq.read_table(path, columns=list(COLUMNS)),
        least_ratio=15,
    )
    yield Figure(
        "... pyarrow.parquet.read_table of the four columns as text",
        seconds_text(plain),
        f"ours takes {ours / plain:.2f} of it",
        "at most 0.75",
        at_most(0.75, ours / plain),
    )


def kernel(files: Files, events: int) -> Iterator[Figure]:
    """The walk and the sweep alone, over columns in memory."""
    path = files.parquet(events)
    read = engine.read(str(path))

    def walk() -> Walk:
        walk = Walk(ActivityPolicy())
        walk.feed(read.columns, len(read.names.identities))
        return walk

    def whole() -> Any:
        intervals = walk().intervals()
        accounts = read.names.account_of[intervals.identities]
        found = pipeline.Activity(read.names, intervals, accounts, read.accepted, read.tally, (), None)
        return pipeline.peaks(found, QUESTION)

    _same(f"kernel, {path.name}", files.answer(path), {(p.account_id, p.cycle.name): p.peak for p in whole()})
    say("the kernel")
    walked, wholly = (seconds * 1e9 / events for seconds in in_turns(walk, whole))
    what = f"kernel, {millions(events)} events in memory: the walk"
    yield Figure(what, _nanos(walked), "", "at most 5 ns", at_most(5, walked))
    yield Figure("... with intervals, sweep and peaks", _nanos(wholly), "", "at most 9 ns", at_most(9, wholly))


def memory(files: Files, sizes: Sequence[int]) -> Iterator[Figure]:
    """The most memory that `billing invoice` holds in a fresh process; of the answer, a sample is compared."""
    for wanted in sizes:
        path = files.largest(wanted)
        events = pq.read_metadata(path).num_rows
        output = path.with_suffix(".json")
        say(f"billing invoice {path.name}")
        months = ("--first", "2025-01", "--last", "2025-12")
        taken = fresh.run(BILLING, "invoice", path, "--plan", PLAN, *months, "--format", "json", "--output", output)
        drafted = {(i["account_id"], i["cycle_start"][:7]): i["peak"] for i in json.loads(output.read_bytes())}
        say(f"DuckDB answers a sixteenth of {path.name}")
        _, sample = peers.timed("duckdb", path, f"%{SAMPLE}")
        _same(f"billing invoice {path.name}", sample, {k: v for k, v in drafted.items() if k[0].endswith(SAMPLE)})
        yield Figure(
            f"billing invoice in a fresh process, {millions(events)} events: memory",
            f"{taken.memory / 1e9:.2f} GB",
            f"in {seconds_text(taken.seconds)}" + (f"; no room for {millions(wanted)}" if events < wanted else ""),
            "at most 0.8 GB",
            at_most(0.8e9, taken.memory),
        )


def disorder(files: Files, events: int, events_with_ids: int) -> Iterator[Figure]:
    """Rows out of order, and rows with ids, beside the same rows in order and without."""
    for what, path, plain, limit in (
        ("out of order", files.parquet(events, shuffled=True), files.parquet(events), 4),
        ("with event ids", files.parquet(events_with_ids, ids=True), files.parquet(events_with_ids), 6),
    ):
        for each in (path, plain):
            _same(each.name, files.answer(plain), _peaks(invoices(each)))
        say(f"{path.name}, and {plain.name}")
        odd, even = in_turns(partial(invoices, path), partial(invoices, plain))
        yield Figure(
            f"{millions(pq.read_metadata(path).num_rows)} events {what}",
            seconds_text(odd),
            f"{odd / even:.1f}x the same in order, without ids ({seconds_text(even)})",
            f"at most {limit}x",
            at_most(limit, odd / even),
        )


def evidence(files: Files, accounts: int) -> Iterator[Figure]:
    """The evidence for every peak of many accounts, beside their drafts: both from the same events in memory."""
    path = files.made(
        f"{accounts}-accounts.parquet", make_events.Size(100 * accounts, 5 * accounts, accounts), ids=True
    )
    read = engine.read(str(path))
    query = replace(QUESTION, ids=True)

    def drafts() -> list[Invoice]:
        return engine.answer(read, query).drafts()

    def shown() -> list[Evidence]:
        return engine.answer(read, query).evidence()

    _same(
        f"evidence, {path.name}", files.answer(path), {(e.account_id, e.cycle.name): len(e.witnesses) for e in shown()}
    )
    _same(f"drafts, {path.name}", files.answer(path), _peaks(drafts()))
    say(f"evidence and drafts, {path.name}")
    ours, plain = in_turns(shown, drafts)
    yield Figure(
        f"{accounts:,} accounts, 12 months: the evidence for every peak",
        seconds_text(ours),
        f"{ours / plain:.1f}x the drafts alone ({seconds_text(plain)})",
        "at most 3x",
        at_most(3, ours / plain),
    )


def text(files: Files, events: int) -> Iterator[Figure]:
    """From a CSV file to twelve months of invoices."""
    path = files.csv(events)
    what = f"{millions(events)} events in CSV to 12 months of invoices"
    ours, plain = yield from _beside_peers(files, path, what, reading=lambda: pacsv.read_csv(path))
    yield Figure("... pyarrow.csv.read_csv", seconds_text(plain), f"ours takes {ours / plain:.1f}x that")


def first_run(_: Files) -> Iterator[Figure]:
    """What a person waits for at the command line, where the command was used before."""
    expected = json.loads((SCENARIO / "expected.json").read_bytes())["totals"]
    bill = ("invoice", SCENARIO / "events.csv", "--terms", SCENARIO / "terms.toml", "--format", "json")
    for what, command, limit in (("billing --help", ("--help",), 0.3), ("billing invoice, five events", bill, 1.0)):
        say(what)
        if command == bill:
            totals = [invoice["total"] for invoice in json.loads(fresh.run(BILLING, *command).said)]
            _same(what, dict.fromkeys(expected), dict.fromkeys(totals))
        fresh.run(BILLING, *command)
        seconds = median(fresh.run(BILLING, *command).seconds for _ in range(FRESH_ROUNDS))
        yield Figure(
            f"{what}: a fresh process", seconds_text(seconds), "", f"at most {limit} s", at_most(limit, seconds)
        )


def say(text: str) -> None:
    """Tell what is going on, on standard error."""
    print(f"... {text}", file=sys.stderr, flush=True)


def _beside_peers(
    files: Files, path: Path, what: str, *, reading: Callable[[], object], least_ratio: float | None = None
) -> Generator[Figure, None, tuple[float, float]]:
    """Ours, and each peer for the peaks alone; return the seconds of ours, and of just `reading` the file."""
    theirs = {}
    for peer in PEERS:
        theirs[peer], answer = files.asked(peer, path, runs=2)
        _same(f"{PEERS[peer]}, {path.name}", answer, _peaks(invoices(path)))
    del answer
    say(f"ours, and just reading {path.name}")
    ours, plain = in_turns(partial(invoices, path), reading)
    yield Figure(what, seconds_text(ours))
    for peer, seconds in theirs.items():
        ratio = seconds / ours
        target = ("", "") if least_ratio is None else (f"at least {least_ratio:g}x", at_least(least_ratio, ratio))
        yield Figure(
            f"... {PEERS[peer]}, the peaks alone", seconds_text(seconds), f"{ratio:.1f}x the time of ours", *target
        )
    return ours, plain


def invoices(path: Path) -> list[Invoice]:
    return list(pipeline.draft(engine.activity(str(path), QUESTION), QUESTION))


def _peaks(drafted: list[Invoice]) -> Peaks:
    return {(invoice.account_id, invoice.cycle.name): invoice.peak for invoice in drafted}


def in_turns(*calls: Callable[[], object]) -> list[float]:
    """The median of the seconds of each call, made in turns after one that does not count."""
    seconds: list[list[float]] = [[] for _ in calls]
    for turn in range(ROUNDS + 1):
        for times, call in zip(seconds, calls, strict=True):
            began = time.perf_counter()
            call()
            times.extend([time.perf_counter() - began] if turn else [])
    return [median(times) for times in seconds]


def _same(what: str, theirs: dict[Any, Any], ours: dict[Any, Any]) -> None:
    """Raise `Differs`, with the first differences, unless two answers are equal."""
    if theirs == ours:
        return
    differing = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
    shown = "\n".join(f"  {key}: theirs {theirs.get(key)}, ours {ours.get(key)}" for key in differing[:10])
    raise Differs(f"{what}: {len(differing):,} of {len(theirs):,} answers differ, among them\n{shown}")


def seconds_text(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _nanos(nanoseconds: float) -> str:
    return f"{nanoseconds:.1f} ns an event"


def millions(count: int) -> str:
    return f"{count / 1e6:g} M"
