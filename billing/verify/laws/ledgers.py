"""Laws of ledgers: a ledger says what its events say, however they came, and says it for ever.

The ledgers are SQLite in memory. What a database must do for all of this to hold in every one, and
what becomes of it when power or a process is gone, is tried by tests of each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from ... import engine
from ...core.cycle import micros
from ...core.errors import Rejection
from ...core.event import Batch
from ...core.terms import AllTerms
from ...engine import event_files
from ...engine.query import Query
from ...inputs import source
from ...inputs.rows import ReadOptions
from ...invoicing import close, restate
from ...ledger.entry import Entry, Head
from ...ledger.ledger import Ledger
from .. import definition
from ..audit.events import table
from ..definition import DAY, Event
from ..strategies import ACCOUNTS, IDENTITIES, JANUARY
from .books import (
    CUTS,
    FALLING,
    MONTHS,
    NOW,
    TEN,
    answers,
    append,
    empty,
    entries,
    everything,
    explained,
    kept,
    named,
    parts,
    query_of,
    reading_for,
    recorded,
    said,
    terms_of,
    without_voids_of_voids,
)
from .law import law
from .story import Story, rule_of, stories

_ANYWHERE = stories(accounts=2, events_max=12, conflicts=False)
_CONFLICTING = stories(cycle=JANUARY, accounts=2, events_max=14)
_AGREEING = stories(cycle=JANUARY, accounts=2, events_max=14, conflicts=False)
#: Where cycles start.
_STARTS = tuple(micros(datetime(*day, tzinfo=UTC)) for day in ((2025, 12, 1), (2026, 1, 1), (2026, 1, 15)))
#: Names that files of text, and people who read them, take for something else.
_NAMES = ("ada", '"a, b"', "=1+1", "é", "0001", "null", "a\\nb", "'", "true", "-", "1e5", "日本")


@law("I01", _ANYWHERE, CUTS, st.data())
def a_ledger_answers_as_a_file_of_its_events(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """In whatever order and batches events come, a ledger gives the peaks and invoices of a file of them."""
    told = without_voids_of_voids(named(story.events))
    query = query_of(story, data)
    with kept(data.draw(st.permutations(told)), sizes) as ledger:
        assert answers(table(told), query) == answers(ledger, query)


@law("I01", _ANYWHERE, CUTS, st.data())
def a_ledger_explains_as_a_file_of_its_events(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """In whatever order and batches events come, a certificate names the same events in the same order."""
    told = without_voids_of_voids(named(story.events))
    query = query_of(story, data)
    asked = [replace(query, accounts=(account,), last=None) for account in ACCOUNTS]
    with kept(data.draw(st.permutations(told)), sizes) as ledger:
        for each in asked:
            assert explained(table(told), each) == explained(ledger, each)


@law("I02", _AGREEING, CUTS)
def sending_everything_again_changes_nothing(story: Story, sizes: list[int]) -> None:
    """Whatever is sent to a ledger again is a duplicate, or rejected again, and nothing is written."""
    told = named(story.events)
    with kept(told, sizes) as ledger:
        before = everything(ledger)
        receipt = append(ledger, told, now=NOW + DAY)
        assert (0, before) == (receipt.tally.accepted, everything(ledger))


@law("I03", _CONFLICTING, CUTS, CUTS)
def how_events_were_cut_into_batches_does_not_show(story: Story, one: list[int], other: list[int]) -> None:
    """The size of batches shows in no entry, position, code, conflict or digest of a ledger."""
    told = named(story.events)
    with kept(told, one) as ledger, kept(told, other) as again:
        assert (ledger.head(), everything(ledger)) == (again.head(), everything(again))


@law("I03", _CONFLICTING, CUTS, st.data())
def nor_does_it_where_events_say_when_they_were_recorded(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """The size of batches shows nowhere, whatever events say of when they were recorded: in order, back, or ahead."""
    told = named(story.events)
    when = st.sampled_from((0, 0, 1, 2, 3, 299, 300, 301)).map(lambda second: NOW + second * 1_000_000)
    times = data.draw(st.lists(when, min_size=len(told), max_size=len(told)))
    encoder, batches = source.read_batches(recorded(told, times), ReadOptions())
    batch = Batch.concat(batches)
    names = encoder.names(np.zeros(encoder.identity_count, np.bool_))
    with empty() as whole, empty() as ledger:
        at_once = whole.append(batch, names, now=NOW)
        rejected: list[Rejection] = []
        for first, end in parts(len(told), sizes):
            receipt = ledger.append(batch.take(np.arange(first, end)), names, now=NOW)
            rejected += receipt.rejections
        assert (at_once.head, everything(whole)) == (ledger.head(), everything(ledger))
        assert list(at_once.rejections) == rejected


@law("I04", _AGREEING, st.integers(0, 14))
def what_broke_off_is_finished_by_sending_it_again(story: Story, stored: int) -> None:
    """If only a part of what was sent was stored, sending all of it again leaves what one success would have left."""
    told = without_voids_of_voids(named(story.events))
    with kept(told) as whole, kept(told[:stored]) as ledger:
        receipt = append(ledger, told)
        assert (whole.head(), everything(whole)) == (ledger.head(), everything(ledger))
        assert receipt.tally.accepted == len(entries(whole)) - len(set(told[:stored]))


@law("I05", _AGREEING, st.data())
def an_id_with_another_content_changes_nothing_and_is_recorded_once(story: Story, data: st.DataObject) -> None:
    """An event id that comes with another content leaves all as it was, but for one record of the conflict."""
    told = without_voids_of_voids(named(story.events))
    if not told:
        return
    first = data.draw(st.sampled_from(told))
    others = [replace(first, occurred_at=first.occurred_at + 1), replace(first, identity_id="eve")]
    other = data.draw(st.sampled_from(others))
    query = Query(terms=terms_of(story), first=MONTHS[0], last=MONTHS[-1])
    with kept(told) as ledger:
        before = entries(ledger), answers(ledger, query)
        for _ in range(2):
            receipt = append(ledger, [other], now=NOW + DAY)
            assert [rejection.code for rejection in receipt.rejections] == ["id_conflict"]
            assert before == (entries(ledger), answers(ledger, query))
            assert len(ledger.documents("conflict")) == 1


@law("I06", _CONFLICTING, CUTS)
def every_event_that_was_sent_is_accounted_for(story: Story, sizes: list[int]) -> None:
    """Of every batch, and of all: received = accepted + duplicates + rejected, and what was accepted is there."""
    told = named(story.events)
    with empty() as ledger:
        tallies = []
        for first, end in parts(len(told), sizes):
            receipt = append(ledger, told[first:end])
            tally = receipt.tally
            assert end - first == tally.received == tally.accepted + tally.duplicates + tally.rejected
            assert len(receipt.rejections) == tally.rejected
            tallies.append(tally)
        assert len(told) == sum(tally.received for tally in tallies)
        assert len(entries(ledger)) == sum(tally.accepted for tally in tallies)
        for account in ACCOUNTS:
            own = [event for event in told if event.account_id == account]
            with kept(own) as alone:
                assert entries(alone) == [event for event in entries(ledger) if event.account_id == account]


@law("I07", stories(accounts=2, events_max=14), CUTS)
def a_ledger_has_the_peaks_of_the_definition_on_its_own_entries(story: Story, sizes: list[int]) -> None:
    """What a ledger keeps as events come is what its entries say, read from the first to the last.

    Also with conflicts, of which the order of arrival decides what stays: by what stayed is billed.
    """
    rule = rule_of(story.span)
    months = [rule.name(rule.index_at(story.span[0]) + k) for k in (-1, 1)]
    query = Query(terms=terms_of(story, rule), first=months[0], last=months[1])
    with kept(named(story.events), sizes) as ledger:
        own = entries(ledger)
        rows = engine.answer(ledger, query).peaks()
    accounts = sorted({event.account_id for event in own})
    assert [account for account in accounts for _ in range(3)] == [row.account_id for row in rows]
    for row in rows:
        told = [event for event in own if event.account_id == row.account_id]
        options = reading_for(story, row.account_id)
        assert definition.peak(told, row.start, row.end, **options) == (row.peak, row.peak_at)


@law("I07", _AGREEING, CUTS, st.integers(0, 14))
def what_was_there_and_what_came_after_is_all_there_is(story: Story, sizes: list[int], place: int) -> None:
    """A ledger up to a position, made again elsewhere and told of the rest, is the ledger, to the digest."""
    with kept(named(story.events), sizes) as ledger, empty() as again:
        position = min(place, ledger.head().position)
        pages = [list(ledger.entries(until=position)), list(ledger.entries(after=position))]
        for some in pages:
            append(again, pa.Table.from_batches(map(event_files.batch_of, some), event_files.SCHEMA), now=NOW)
            at = ledger.head(position=again.head().position)
            assert (at, at.digest) == (again.head(), again.head().digest)
        assert everything(ledger) == everything(again)


@law("I08", _CONFLICTING, CUTS, st.data())
def at_a_noted_position_and_moment_the_answer_stays_what_it_was(
    story: Story, sizes: list[int], data: st.DataObject
) -> None:
    """What a ledger said at a position it says for ever, whatever comes: events, terms, invoices, notes."""
    told = named(story.events)
    noted: list[tuple[Head, tuple[str, ...]]] = []
    with empty() as ledger:
        close.add_terms(ledger, terms_of(story), now=NOW)
        for day, (first, end) in enumerate(parts(len(told), sizes), start=1):
            now = NOW + day * DAY
            append(ledger, told[first:end], now=now)
            what = data.draw(st.sampled_from(("nothing", "agree", "close", "restate")))
            if what == "agree":
                terms = replace(terms_of(story).default, plan=data.draw(st.sampled_from((TEN, FALLING))))
                close.add_terms(ledger, AllTerms(terms), applies_from=data.draw(st.sampled_from(_STARTS)), now=now)
            elif what == "close":
                close.close(ledger, data.draw(st.sampled_from(MONTHS[:3])), now=now, issue=True)
            elif what == "restate":
                restate.restate(ledger, now=now, issue=True)
            noted.append((ledger.head(), said(ledger)))
        for head, then in noted:
            for options in (ReadOptions(position=head.position), ReadOptions(known_at=head.recorded_at)):
                assert then == said(ledger, options)
                assert head == ledger.head(position=options.position, known_at=options.known_at)


@law("I08", stories(cycle=JANUARY, accounts=2, conflicts=False), CUTS, st.data())
def what_was_known_at_a_moment_is_the_same_of_a_file_and_of_a_ledger(
    story: Story, sizes: list[int], data: st.DataObject
) -> None:
    """Who keeps the files of each month and who keeps a ledger see the same drafts of any moment."""
    told = without_voids_of_voids(named(story.events))
    days = sorted(data.draw(st.lists(st.integers(0, 5), min_size=len(told), max_size=len(told))))
    whole = recorded(told, [NOW + day * DAY for day in days])
    known_at = NOW + data.draw(st.integers(0, 5)) * DAY - data.draw(st.sampled_from((0, 1)))
    query = Query(terms=terms_of(story), first="2025-12", last="2026-02")
    with empty() as ledger:
        for first, end in parts(len(told), sizes):
            append(ledger, whole.slice(first, end - first), now=NOW + 9 * DAY)
        assert len(set(told)) == len(entries(ledger))
        options = ReadOptions(known_at=known_at)
        assert answers(whole, query, options) == answers(ledger, query, options)


@law("I10", _AGREEING, st.data())
def two_ledgers_have_one_digest_only_if_they_hold_the_same(story: Story, data: st.DataObject) -> None:
    """An entry changed, taken out, put in, moved or dated otherwise gives another digest from there on."""
    told = without_voids_of_voids(named(story.events))
    if not told:
        return
    days = sorted(data.draw(st.lists(st.integers(0, 3), min_size=len(told), max_size=len(told))))
    times = [NOW + day for day in days]
    k = data.draw(st.integers(0, len(told) - 1))
    changes: dict[str, Callable[[], tuple[list[Event], list[int]]]] = {
        "field": lambda: ([*told[:k], replace(told[k], occurred_at=told[k].occurred_at + 1), *told[k + 1 :]], times),
        "taken out": lambda: (told[:k] + told[k + 1 :], times[:k] + times[k + 1 :]),
        "put in": lambda: (
            [*told[:k], replace(told[k], event_id="x"), *told[k:]],
            [*times[:k], times[k], *times[k:]],
        ),
        "moved": lambda: ([*told[:k], *told[k + 1 :], told[k]], times),
        "dated": lambda: (told, [*times[:k], *(time + 1 for time in times[k:])]),
    }
    other, dated = changes[data.draw(st.sampled_from(sorted(changes)))]()
    with empty() as ledger, empty() as changed:
        append(ledger, recorded(told, times), now=NOW + DAY)
        append(changed, recorded(other, dated), now=NOW + DAY)
        ours, theirs = _rows(ledger), _rows(changed)
        assert (ours == theirs) == (ledger.head().digest == changed.head().digest)
        alike = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a[:-1] != b[:-1]), None)
        for n, (a, b) in enumerate(zip(ours, theirs, strict=False)):
            assert (a[-1] == b[-1]) == (alike is None or n < alike)


@law("I12", _AGREEING, st.permutations(_NAMES))
def what_is_exported_makes_the_same_ledger_again(story: Story, names: list[str]) -> None:
    """Exported as CSV, made again, exported as Parquet, as JSON Lines, as CSV again, a ledger keeps its digest."""
    other = dict(zip(IDENTITIES, names, strict=False))
    told = [replace(e, identity_id=other[e.identity_id]) for e in without_voids_of_voids(named(story.events))]
    with TemporaryDirectory() as folder, kept(told) as first:
        ledger, digest = first, first.head().digest
        for step, ending in enumerate(("csv", "parquet", "jsonl", "csv")):
            path = str(Path(folder) / f"{step}.{ending}")
            engine.export(ledger, path)
            with empty() as again:
                engine.append(again, engine.read_incoming(path), now=NOW + DAY)
                assert (digest, entries(first)) == (again.head().digest, entries(again))


@law("I14", _CONFLICTING, CUTS, st.data())
def what_others_send_changes_no_answer_of_an_account(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """Whatever other accounts send, an account's peaks, drafts and certificates are the same, to the byte."""
    told = named(story.events)
    own = [event for event in told if event.account_id == ACCOUNTS[0]]
    query = replace(query_of(story, data), accounts=ACCOUNTS[:1])
    with kept(told, sizes) as ledger, kept(own) as alone:
        if not entries(alone):
            return  # an account that is not there has no answers
        assert answers(ledger, query) == answers(alone, query)
        asked = replace(query, last=None)
        assert explained(ledger, asked) == explained(alone, asked)
        assert answers(table(told), query) == answers(table(own), query)


def _rows(ledger: Ledger) -> list[tuple[Any, ...]]:
    """What each entry says, when it was recorded, and the digest after it."""
    found: list[Entry] = [entry for page in ledger.entries() for entry in page]
    return [(*entry.content, entry.recorded_at, entry.digest) for entry in found]
