"""Laws of appending to ledgers: a ledger answers as a file of its events would, however they arrived.

The ledgers are SQLite in memory. What each database must guarantee for this, also when a process is
killed or the power fails, is tested elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from ...core.errors import Rejection
from ...core.event import Batch
from ...engine.query import Query
from ...inputs import source
from ...inputs.rows import ReadOptions
from ..audit.events import table
from ..definition import DAY
from ..strategies import ACCOUNTS, JANUARY
from .law import law
from .sample_ledgers import (
    CUTS,
    MONTHS,
    NOW,
    all_rows,
    answers,
    append,
    batch_bounds,
    empty_ledger,
    entries,
    explain,
    ledger_of,
    query_of,
    terms_of,
    with_ids,
    with_times,
    without_voids_of_voids,
)
from .story import Story, stories

_ANYWHERE = stories(accounts=2, events_max=12, conflicts=False)
_CONFLICTING = stories(cycle=JANUARY, accounts=2, events_max=14)
_AGREEING = stories(cycle=JANUARY, accounts=2, events_max=14, conflicts=False)


@law("I01", _ANYWHERE, CUTS, st.data())
def a_ledger_answers_as_a_file_of_its_events(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """In whatever order and batches events arrive, a ledger gives the peaks and invoices of a file of them."""
    events = without_voids_of_voids(with_ids(story.events))
    query = query_of(story, data)
    with ledger_of(data.draw(st.permutations(events)), sizes) as ledger:
        assert answers(table(events), query) == answers(ledger, query)


@law("I01", _ANYWHERE, CUTS, st.data())
def a_ledger_explains_as_a_file_of_its_events(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """In whatever order and batches events arrive, a certificate names the same events in the same order."""
    events = without_voids_of_voids(with_ids(story.events))
    query = query_of(story, data)
    queries = [replace(query, accounts=(account,), last=None) for account in ACCOUNTS]
    with ledger_of(data.draw(st.permutations(events)), sizes) as ledger:
        for each in queries:
            assert explain(table(events), each) == explain(ledger, each)


@law("I02", _AGREEING, CUTS)
def sending_everything_again_changes_nothing(story: Story, sizes: list[int]) -> None:
    """Events sent to a ledger again are duplicates, or rejected again, and nothing is written."""
    events = with_ids(story.events)
    with ledger_of(events, sizes) as ledger:
        before = all_rows(ledger)
        receipt = append(ledger, events, now=NOW + DAY)
        assert (0, before) == (receipt.tally.accepted, all_rows(ledger))


@law("I03", _CONFLICTING, CUTS, CUTS)
def how_events_were_cut_into_batches_does_not_show(story: Story, one: list[int], other: list[int]) -> None:
    """The size of batches affects no entry, position, code, conflict or digest of a ledger."""
    events = with_ids(story.events)
    with ledger_of(events, one) as ledger, ledger_of(events, other) as again:
        assert (ledger.head(), all_rows(ledger)) == (again.head(), all_rows(again))


@law("I03", _CONFLICTING, CUTS, st.data())
def nor_does_it_where_events_say_when_they_were_recorded(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """The size of batches affects nothing, whatever times of recording events carry: in order, back, or ahead."""
    events = with_ids(story.events)
    when = st.sampled_from((0, 0, 1, 2, 3, 299, 300, 301)).map(lambda second: NOW + second * 1_000_000)
    times = data.draw(st.lists(when, min_size=len(events), max_size=len(events)))
    encoder, batches = source.read_batches(with_times(events, times), ReadOptions())
    batch = Batch.concat(batches)
    names = encoder.names(np.zeros(encoder.identity_count, np.bool_))
    with empty_ledger() as whole, empty_ledger() as ledger:
        at_once = whole.append(batch, names, now=NOW)
        rejected: list[Rejection] = []
        for first, end in batch_bounds(len(events), sizes):
            receipt = ledger.append(batch.take(np.arange(first, end)), names, now=NOW)
            rejected += receipt.rejections
        assert (at_once.head, all_rows(whole)) == (ledger.head(), all_rows(ledger))
        assert list(at_once.rejections) == rejected


@law("I04", _AGREEING, st.integers(0, 14))
def what_broke_off_is_finished_by_sending_it_again(story: Story, stored: int) -> None:
    """If only a part of what was sent was stored, sending all of it again gives the ledger of one success."""
    events = without_voids_of_voids(with_ids(story.events))
    with ledger_of(events) as whole, ledger_of(events[:stored]) as ledger:
        receipt = append(ledger, events)
        assert (whole.head(), all_rows(whole)) == (ledger.head(), all_rows(ledger))
        assert receipt.tally.accepted == len(entries(whole)) - len(set(events[:stored]))


@law("I05", _AGREEING, st.data())
def an_id_with_another_content_changes_nothing_and_is_recorded_once(story: Story, data: st.DataObject) -> None:
    """An event id that comes again with another content changes nothing but for one record of the conflict."""
    events = without_voids_of_voids(with_ids(story.events))
    if not events:
        return
    first = data.draw(st.sampled_from(events))
    others = [replace(first, occurred_at=first.occurred_at + 1), replace(first, identity_id="eve")]
    other = data.draw(st.sampled_from(others))
    query = Query(terms=terms_of(story), first=MONTHS[0], last=MONTHS[-1])
    with ledger_of(events) as ledger:
        before = entries(ledger), answers(ledger, query)
        for _ in range(2):
            receipt = append(ledger, [other], now=NOW + DAY)
            assert [rejection.code for rejection in receipt.rejections] == ["id_conflict"]
            assert before == (entries(ledger), answers(ledger, query))
            assert len(ledger.documents("conflict")) == 1


@law("I06", _CONFLICTING, CUTS)
def every_event_that_was_sent_is_accounted_for(story: Story, sizes: list[int]) -> None:
    """For every batch, and for all: received = accepted + duplicates + rejected, and what was accepted is there."""
    events = with_ids(story.events)
    with empty_ledger() as ledger:
        tallies = []
        for first, end in batch_bounds(len(events), sizes):
            receipt = append(ledger, events[first:end])
            tally = receipt.tally
            assert end - first == tally.received == tally.accepted + tally.duplicates + tally.rejected
            assert len(receipt.rejections) == tally.rejected
            tallies.append(tally)
        assert len(events) == sum(tally.received for tally in tallies)
        assert len(entries(ledger)) == sum(tally.accepted for tally in tallies)
        for account in ACCOUNTS:
            own = [event for event in events if event.account_id == account]
            with ledger_of(own) as alone:
                assert entries(alone) == [event for event in entries(ledger) if event.account_id == account]


@law("I14", _CONFLICTING, CUTS, st.data())
def what_others_send_changes_no_answer_of_an_account(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """Whatever other accounts send, an account's peaks, drafts and certificates are the same, to the byte."""
    events = with_ids(story.events)
    own = [event for event in events if event.account_id == ACCOUNTS[0]]
    query = replace(query_of(story, data), accounts=ACCOUNTS[:1])
    with ledger_of(events, sizes) as ledger, ledger_of(own) as alone:
        if not entries(alone):
            return  # an account that is not there has no answers
        assert answers(ledger, query) == answers(alone, query)
        single = replace(query, last=None)
        assert explain(ledger, single) == explain(alone, single)
        assert answers(table(events), query) == answers(table(own), query)
