"""What keeping books takes: appending to a ledger, and billing from one.

A rate of appending is that of events that were read before, so that it is the ledger's own; that of
the whole import, with reading, stands beside it. Single appends are compared with what the disk
does: a page written and synced, again and again, in the same folder and in turns.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from billing import engine
from billing.core.invoice import Invoice
from billing.ledger.address import open_ledger
from billing.ledger.ledger import Ledger
from tests.bench import fresh
from tests.bench.figures import Figure, at_least, at_most
from tests.bench.make_events import Size
from tests.bench.measure import BILLING, PLAN, QUESTION, Differs, Files, in_turns, invoices, millions, say, seconds_text
from tests.support.postgres import Server, programs

#: When what is appended is said to be recorded: the first instant of 2026.
NOW: Final = 1_767_225_600_000_000
MONTH: Final = "2025-12"
ROUNDS: Final = 3
SINGLES: Final = 1_000
_PAGE: Final = b"x" * 4096
_YEAR: Final = pa.scalar(365 * 86_400_000_000, pa.duration("us"))


def embedded(files: Files, events: int) -> Iterator[Figure]:
    """Appending to the embedded ledger: in bulk, and event by event."""
    path = files.parquet(events, ids=True)
    arrived = engine.read_incoming(str(path))
    rates, imports = [], []
    for k in range(ROUNDS):
        say(f"a ledger of {millions(events)} events, {k + 1} of {ROUNDS}")
        rates.append(events / _append_seconds(files, arrived))
        began = time.perf_counter()
        _filled(files, engine.read_incoming(str(path))).close()
        imports.append(events / (time.perf_counter() - began))
    ledger = _filled(files, arrived)
    _same_drafts(f"ledger, {path.name}", _drafts(ledger), invoices(path))
    ledger.close()
    what = f"{millions(events)} events appended to the embedded ledger"
    yield Figure(what, _rate(median(rates)), "", "at least 80,000/s", at_least(80_000, median(rates)))
    yield Figure("... with reading them from Parquet", _rate(median(imports)))
    yield from _singles(files, arrived)


def history(files: Files, events: int) -> Iterator[Figure]:
    """One cycle out of 36 months of history, beside the same cycle out of 3 months."""
    whole = _three_years(files.parquet(events, ids=True))
    since = pa.scalar(np.datetime64("2025-10-01", "us"), pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    recent = whole.filter(pc.greater_equal(whole["occurred_at"], since))
    say(f"ledgers of {millions(len(whole))} and {millions(len(recent))} events")
    long, short = (
        _filled(files, engine.read_incoming(table), name) for table, name in ((whole, "long"), (recent, "short"))
    )
    drafted = {draft.account_id: draft for draft in _drafts(long, MONTH)}
    few = _drafts(short, MONTH)  # some accounts did nothing in 3 months
    _same_drafts("36 and 3 months", [drafted.pop(draft.account_id) for draft in few], few)
    assert not any(draft.peak for draft in drafted.values()), "who did nothing is billed for nothing"
    slow, quick = in_turns(partial(_drafts, long, MONTH), partial(_drafts, short, MONTH))
    long.close()
    short.close()
    yield Figure(
        f"one cycle from a ledger with 36 months of history ({millions(len(whole))} events)",
        seconds_text(slow),
        f"{slow / quick:.2f}x the same with 3 months ({seconds_text(quick)})",
        "at most 1.2x",
        at_most(1.2, slow / quick),
    )


def billed(files: Files, events: int, accounts: int = 1_000) -> Iterator[Figure]:
    """`billing invoice` for one cycle from a large ledger, in a fresh process."""
    path = files.made(f"{events}-{accounts}-ids.parquet", Size(events, accounts=accounts), ids=True)
    say(f"a ledger of {millions(events)} events")
    ledger = _filled(files, engine.read_incoming(str(path)), "large")
    drafted = _drafts(ledger, MONTH)
    ledger.close()
    _same_drafts(f"ledger, {path.name}", drafted, [i for i in invoices(path) if i.cycle.name == MONTH])
    command = ("invoice", _url(files, "large"), "--plan", PLAN, "--cycle", MONTH, "--format", "json")
    seconds = median(fresh.run(BILLING, *command).seconds for _ in range(ROUNDS))
    yield Figure(
        f"billing invoice for one cycle of {accounts:,} accounts, from a ledger of {millions(events)} events",
        seconds_text(seconds),
        "",
        "at most 5 s",
        at_most(5, seconds),
    )


def server(files: Files, events: int) -> Iterator[Figure]:
    """Appending to PostgreSQL in bulk."""
    path = files.parquet(events, ids=True)
    arrived = engine.read_incoming(str(path))
    with Server(programs()) as postgres:
        rates = []
        for k in range(ROUNDS):
            say(f"PostgreSQL, {millions(events)} events, {k + 1} of {ROUNDS}")
            ledger = open_ledger(postgres.url(f"bench_{k}"), create=True)
            began = time.perf_counter()
            engine.append(ledger, arrived, now=NOW)
            rates.append(events / (time.perf_counter() - began))
            if not k:
                _same_drafts(f"PostgreSQL, {path.name}", _drafts(ledger), invoices(path))
            ledger.close()
    what = f"{millions(events)} events appended to PostgreSQL"
    yield Figure(what, _rate(median(rates)), "", "at least 50,000/s", at_least(50_000, median(rates)))


def _singles(files: Files, arrived: engine.IncomingEvents) -> Iterator[Figure]:
    """Events appended one by one, each on disk before the next, beside pages written and synced."""
    say(f"{SINGLES:,} events one by one, {ROUNDS} times")
    ledger = open_ledger(_url(files, "single"), create=True)
    ours, disk = [], []
    for k in range(ROUNDS):
        parts = [arrived.batch.take(np.array([k * SINGLES + n])) for n in range(SINGLES)]
        began = time.perf_counter()
        for part in parts:
            ledger.append(part, arrived.names, now=NOW)
        ours.append(SINGLES / (time.perf_counter() - began))
        disk.append(_syncs_a_second(files.folder / "synced"))
    ledger.close()
    rate, most = median(ours), median(disk)
    yield Figure(
        "single events appended to the embedded ledger",
        _rate(rate),
        f"{rate / most:.0%} of a page written and synced ({_rate(most)})",
        "at least 80 %",
        at_least(0.8, rate / most),
    )


def _syncs_a_second(path: Path) -> float:
    with path.open("wb", buffering=0) as file:
        began = time.perf_counter()
        for _ in range(SINGLES):
            file.write(_PAGE)
            os.fsync(file.fileno())
        taken = time.perf_counter() - began
    path.unlink()
    return SINGLES / taken


def _three_years(path: Path) -> pa.Table:
    """The events of a year, and those of other identities in the two years before."""
    year = pq.read_table(path)
    years = [year]
    for k in (1, 2):
        before = year
        for name in ("event_id", "identity_id"):
            renamed = pc.binary_join_element_wise(year[name], pa.scalar(f"-{k}"), "")
            before = before.set_column(before.schema.get_field_index(name), name, renamed)
        earlier = pc.subtract(year["occurred_at"], pc.multiply(_YEAR, k))
        years.insert(0, before.set_column(before.schema.get_field_index("occurred_at"), "occurred_at", earlier))
    return pa.concat_tables(years)


def _append_seconds(files: Files, arrived: engine.IncomingEvents) -> float:
    """The seconds it takes to append events to a new ledger."""
    ledger = _empty(files, "bulk")
    began = time.perf_counter()
    engine.append(ledger, arrived, now=NOW)
    taken = time.perf_counter() - began
    ledger.close()
    return taken


def _filled(files: Files, arrived: engine.IncomingEvents, name: str = "bulk") -> Ledger:
    ledger = _empty(files, name)
    engine.append(ledger, arrived, now=NOW)
    return ledger


def _empty(files: Files, name: str) -> Ledger:
    for path in files.folder.glob(f"{name}.db*"):
        path.unlink()
    return open_ledger(_url(files, name), create=True)


def _url(files: Files, name: str) -> str:
    return f"sqlite:///{files.folder / name}.db"


def _drafts(ledger: Ledger, month: str | None = None) -> list[Invoice]:
    query = QUESTION if month is None else replace(QUESTION, first=month, last=month)
    return engine.answer(ledger, query).drafts()


def _same_drafts(who: str, ours: list[Invoice], others: list[Invoice]) -> None:
    """Refuse to time answers that differ in anything but where they come from."""
    for mine, theirs in zip(ours, others, strict=True):
        if (mine.account_id, mine.cycle, mine.peak_at, mine.lines) != (
            theirs.account_id,
            theirs.cycle,
            theirs.peak_at,
            theirs.lines,
        ):
            raise Differs(f"{who}: {mine.account_id}, {mine.cycle.name}: {mine.peak}, and {theirs.peak}")


def _rate(events: float) -> str:
    return f"{events:,.0f}/s"
