"""Laws of what a ledger says: its index, positions, digests and exports all agree with its entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from ... import engine
from ...core.cycle import micros
from ...core.terms import AllTerms
from ...engine import event_files
from ...engine.query import Query
from ...inputs.rows import ReadOptions
from ...invoicing import close, restate
from ...ledger.entry import Entry, Head
from ...ledger.ledger import Ledger
from .. import definition
from ..definition import DAY, Event
from ..strategies import IDENTITIES, JANUARY
from .law import law
from .sample_ledgers import (
    CUTS,
    FALLING,
    MONTHS,
    NOW,
    TEN,
    all_rows,
    answers,
    append,
    batch_bounds,
    empty_ledger,
    entries,
    ledger_of,
    settings_for,
    snapshot,
    terms_of,
    with_ids,
    with_times,
    without_voids_of_voids,
)
from .story import Story, rule_of, stories

_CONFLICTING = stories(cycle=JANUARY, accounts=2, events_max=14)
_AGREEING = stories(cycle=JANUARY, accounts=2, events_max=14, conflicts=False)
#: When added terms apply from: some starts of cycles, and the middle of one.
_STARTS = tuple(micros(datetime(*day, tzinfo=UTC)) for day in ((2025, 12, 1), (2026, 1, 1), (2026, 1, 15)))
#: Names that text files or spreadsheets could take for something else.
_NAMES = ("ada", '"a, b"', "=1+1", "é", "0001", "null", "a\\nb", "'", "true", "-", "1e5", "日本")


@law("I07", stories(accounts=2, events_max=14), CUTS)
def a_ledger_has_the_peaks_of_the_definition_on_its_own_entries(story: Story, sizes: list[int]) -> None:
    """The index that a ledger keeps as events arrive gives the peaks of its entries.

    Also with conflicts, where the order of arrival decides which event stays.
    """
    rule = rule_of(story.span)
    months = [rule.name(rule.index_at(story.span[0]) + k) for k in (-1, 1)]
    query = Query(terms=terms_of(story, rule), first=months[0], last=months[1])
    with ledger_of(with_ids(story.events), sizes) as ledger:
        own = entries(ledger)
        rows = engine.answer(ledger, query).peaks()
    accounts = sorted({event.account_id for event in own})
    assert [account for account in accounts for _ in range(3)] == [row.account_id for row in rows]
    for row in rows:
        events = [event for event in own if event.account_id == row.account_id]
        options = settings_for(story, row.account_id)
        assert definition.peak(events, row.start, row.end, **options) == (row.peak, row.peak_at)


@law("I07", _AGREEING, CUTS, st.integers(0, 14))
def what_was_there_and_what_came_after_is_all_there_is(story: Story, sizes: list[int], place: int) -> None:
    """A ledger made again from its entries up to a position, and then the rest, is the same, to the digest."""
    with ledger_of(with_ids(story.events), sizes) as ledger, empty_ledger() as again:
        position = min(place, ledger.head().position)
        pages = [list(ledger.entries(until=position)), list(ledger.entries(after=position))]
        for some in pages:
            append(again, pa.Table.from_batches(map(event_files.batch_of, some), event_files.SCHEMA), now=NOW)
            at = ledger.head(position=again.head().position)
            assert (at, at.digest) == (again.head(), again.head().digest)
        assert all_rows(ledger) == all_rows(again)


@law("I08", _CONFLICTING, CUTS, st.data())
def at_a_noted_position_and_moment_the_answer_stays_what_it_was(
    story: Story, sizes: list[int], data: st.DataObject
) -> None:
    """What a ledger answers at a position never changes, whatever comes: events, terms, invoices, notes."""
    events = with_ids(story.events)
    noted: list[tuple[Head, tuple[str, ...]]] = []
    with empty_ledger() as ledger:
        close.add_terms(ledger, terms_of(story), now=NOW)
        for day, (first, end) in enumerate(batch_bounds(len(events), sizes), start=1):
            now = NOW + day * DAY
            append(ledger, events[first:end], now=now)
            what = data.draw(st.sampled_from(("nothing", "add terms", "close", "restate")))
            if what == "add terms":
                terms = replace(terms_of(story).default, plan=data.draw(st.sampled_from((TEN, FALLING))))
                close.add_terms(ledger, AllTerms(terms), applies_from=data.draw(st.sampled_from(_STARTS)), now=now)
            elif what == "close":
                close.close(ledger, data.draw(st.sampled_from(MONTHS[:3])), now=now, issue=True)
            elif what == "restate":
                restate.restate(ledger, now=now, issue=True)
            noted.append((ledger.head(), snapshot(ledger)))
        for head, then in noted:
            for options in (ReadOptions(position=head.position), ReadOptions(known_at=head.recorded_at)):
                assert then == snapshot(ledger, options)
                assert head == ledger.head(position=options.position, known_at=options.known_at)


@law("I08", stories(cycle=JANUARY, accounts=2, conflicts=False), CUTS, st.data())
def what_was_known_at_a_moment_is_the_same_of_a_file_and_of_a_ledger(
    story: Story, sizes: list[int], data: st.DataObject
) -> None:
    """Files of each month and a ledger of the same events give the same drafts as known at any moment."""
    events = without_voids_of_voids(with_ids(story.events))
    days = sorted(data.draw(st.lists(st.integers(0, 5), min_size=len(events), max_size=len(events))))
    whole = with_times(events, [NOW + day * DAY for day in days])
    known_at = NOW + data.draw(st.integers(0, 5)) * DAY - data.draw(st.sampled_from((0, 1)))
    query = Query(terms=terms_of(story), first="2025-12", last="2026-02")
    with empty_ledger() as ledger:
        for first, end in batch_bounds(len(events), sizes):
            append(ledger, whole.slice(first, end - first), now=NOW + 9 * DAY)
        assert len(set(events)) == len(entries(ledger))
        options = ReadOptions(known_at=known_at)
        assert answers(whole, query, options) == answers(ledger, query, options)


@law("I10", _AGREEING, st.data())
def two_ledgers_have_one_digest_only_if_they_hold_the_same(story: Story, data: st.DataObject) -> None:
    """An entry changed, removed, inserted, moved or dated otherwise gives another digest from there on."""
    events = without_voids_of_voids(with_ids(story.events))
    if not events:
        return
    days = sorted(data.draw(st.lists(st.integers(0, 3), min_size=len(events), max_size=len(events))))
    times = [NOW + day for day in days]
    k = data.draw(st.integers(0, len(events) - 1))
    changes: dict[str, Callable[[], tuple[list[Event], list[int]]]] = {
        "field": lambda: (
            [*events[:k], replace(events[k], occurred_at=events[k].occurred_at + 1), *events[k + 1 :]],
            times,
        ),
        "removed": lambda: (events[:k] + events[k + 1 :], times[:k] + times[k + 1 :]),
        "inserted": lambda: (
            [*events[:k], replace(events[k], event_id="x"), *events[k:]],
            [*times[:k], times[k], *times[k:]],
        ),
        "moved": lambda: ([*events[:k], *events[k + 1 :], events[k]], times),
        "dated": lambda: (events, [*times[:k], *(time + 1 for time in times[k:])]),
    }
    other, dated = changes[data.draw(st.sampled_from(sorted(changes)))]()
    with empty_ledger() as ledger, empty_ledger() as changed:
        append(ledger, with_times(events, times), now=NOW + DAY)
        append(changed, with_times(other, dated), now=NOW + DAY)
        ours, theirs = _rows(ledger), _rows(changed)
        assert (ours == theirs) == (ledger.head().digest == changed.head().digest)
        alike = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a[:-1] != b[:-1]), None)
        for n, (a, b) in enumerate(zip(ours, theirs, strict=False)):
            assert (a[-1] == b[-1]) == (alike is None or n < alike)


@law("I12", _AGREEING, st.permutations(_NAMES))
def what_is_exported_makes_the_same_ledger_again(story: Story, names: list[str]) -> None:
    """Exported as CSV, imported, exported as Parquet, as JSON Lines, as CSV again, a ledger keeps its digest."""
    other = dict(zip(IDENTITIES, names, strict=False))
    events = [replace(e, identity_id=other[e.identity_id]) for e in without_voids_of_voids(with_ids(story.events))]
    with TemporaryDirectory() as folder, ledger_of(events) as first:
        ledger, digest = first, first.head().digest
        for step, ending in enumerate(("csv", "parquet", "jsonl", "csv")):
            path = str(Path(folder) / f"{step}.{ending}")
            engine.export(ledger, path)
            with empty_ledger() as again:
                engine.append(again, engine.read_incoming(path), now=NOW + DAY)
                assert (digest, entries(first)) == (again.head().digest, entries(again))


def _rows(ledger: Ledger) -> list[tuple[Any, ...]]:
    """The content of each entry, when it was recorded, and the digest after it."""
    found: list[Entry] = [entry for page in ledger.entries() for entry in page]
    return [(*entry.content, entry.recorded_at, entry.digest) for entry in found]
