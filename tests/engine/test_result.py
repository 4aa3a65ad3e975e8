"""The verbs, through the Python interface: results, options, and every kind of source."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import billing
from billing import engine
from billing.core import evidence
from billing.core.cycle import micros
from billing.engine import pipeline
from billing.engine.query import Query
from billing.inputs.rows import ReadOptions
from billing.outputs.tables import bills
from billing.outputs.tables.text import to_json
from billing.verify import definition
from billing.verify.audit.events import table
from billing.verify.definition import Event
from billing.verify.laws.files import TYPE_TOLD_TWICE
from billing.verify.laws.story import Story, by_account, stories
from billing.verify.strategies import JANUARY

AGENCY = Path(__file__).parents[2] / "fixtures" / "agency" / "events.csv"
DAY = definition.DAY
RESTARTS = billing.ActivityPolicy(reconnect="restarts")
ROWS_OF_A_GROUP = 100


def day(number: float) -> int:
    """An instant in January 2026: the first is day 1."""
    return JANUARY[0] + round((number - 1) * DAY)


def action(account: str, identity: str, at: float) -> Event:
    return Event(account, identity, "action.called", day(at))


def connect(account: str, identity: str, at: float) -> Event:
    return Event(account, identity, "integration.connected", day(at))


def delete(account: str, identity: str, at: float) -> Event:
    return Event(account, identity, "identity.deleted", day(at))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def told(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Account, month, peak."""
    months = frame["cycle_start"].dt.strftime("%Y-%m")
    return list(zip(frame["account_id"], months, frame["peak"], strict=True))


def peaks_json(source: Any, **asked: Any) -> str:
    """The peaks of a source, as programs read them."""
    query = Query(**asked)
    return to_json(bills.peaks(pipeline.peaks(engine.activity(source, query), query)))


STORY = [
    action("bolt", "ada", 3),
    action("acme", "ada", 5),
    connect("acme", "bo", 6),
    delete("acme", "bo", 8),
    Event("Zed", "cy", "identity.created", day(1), identity_type="engagement"),
]


# Results.


def test_peaks_are_a_table_of_exact_types() -> None:
    """Whoever joins it to other tables must not find objects, floats or local times."""
    frame = billing.peaks(table(STORY), first="2026-01", last="2026-03")
    assert {
        "account_id": "str",
        "cycle": "str",
        "cycle_start": "datetime64[us, UTC]",
        "cycle_end": "datetime64[us, UTC]",
        "peak": "int64",
        "peak_at": "datetime64[us, UTC]",
    } == {name: str(kind) for name, kind in frame.dtypes.items()}


def test_an_empty_result_has_the_same_types() -> None:
    """A month without accounts is no reason for other columns."""
    empty, full = billing.peaks(table([])), billing.peaks(table(STORY))
    assert [*full.dtypes] == [*empty.dtypes]
    assert [*billing.intervals(table(STORY)).dtypes] == [*billing.intervals(table([])).dtypes]


def test_peaks_are_ordered_by_code_points_and_cycle_with_zeros() -> None:
    """Capitals come first, in whatever language the machine speaks; who did nothing is listed."""
    frame = billing.peaks(table(STORY), first="2026-01", last="2026-03")
    assert [
        ("Zed", "2026-01", 0),
        ("Zed", "2026-02", 0),
        ("Zed", "2026-03", 0),
        ("acme", "2026-01", 2),
        ("acme", "2026-02", 1),
        ("acme", "2026-03", 0),
        ("bolt", "2026-01", 1),
        ("bolt", "2026-02", 1),
        ("bolt", "2026-03", 0),
    ] == told(frame)
    assert frame.peak_at.isna().tolist() == (frame.peak == 0).tolist()


def test_a_peak_names_its_first_instant() -> None:
    """A peak carried in is reached as the cycle starts."""
    frame = billing.peaks(table(STORY), accounts=["acme"])
    assert [utc("2026-01-06"), utc("2026-02-01")] == frame.peak_at.tolist()


def test_intervals_are_ordered_by_account_identity_and_start() -> None:
    """The spans in which each identity was active, to look at."""
    frame = billing.intervals(table(STORY))
    assert ["account_id", "identity_id", "start", "end"] == [*frame.columns]
    assert [
        ("acme", "ada", utc("2026-01-05"), utc("2026-02-04")),
        ("acme", "bo", utc("2026-01-06"), utc("2026-01-08")),
        ("bolt", "ada", utc("2026-01-03"), utc("2026-02-02")),
    ] == list(frame.itertuples(index=False, name=None))


# What is asked for.


def test_without_first_and_last_each_account_has_its_own_cycles() -> None:
    """From its first active one to its last; an account that was never active has none."""
    assert [
        ("acme", "2026-01", 2),
        ("acme", "2026-02", 1),
        ("bolt", "2026-01", 1),
        ("bolt", "2026-02", 1),
    ] == told(billing.peaks(table(STORY)))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"first": "2025-12"}, ["2025-12", "2026-01", "2026-02"]),
        ({"first": "2026-02"}, ["2026-02"]),
        ({"first": "2026-04"}, []),
        ({"last": "2026-03"}, ["2026-01", "2026-02", "2026-03"]),
        ({"last": "2026-01"}, ["2026-01"]),
        ({"last": "2025-11"}, []),
        ({"first": "2026-03", "last": "2026-03"}, ["2026-03"]),
    ],
)
def test_with_one_end_the_other_is_the_accounts_own(asked: dict[str, Any], expected: list[str]) -> None:
    """Open questions are answered as far as there was activity."""
    rows = told(billing.peaks(table(STORY), accounts=["acme"], **asked))
    assert expected == [month for _, month, _ in rows]


def test_the_last_month_does_not_come_before_the_first() -> None:
    """The question is turned around, and an empty answer would hide it."""
    with pytest.raises(billing.BadCycle):
        billing.peaks(table(STORY), first="2026-02", last="2026-01")


def test_accounts_can_be_chosen() -> None:
    """The answer comes in order of name, whatever the order asked in."""
    rows = told(billing.peaks(table(STORY), accounts=["bolt", "Zed"], first="2026-01", last="2026-01"))
    assert [("Zed", "2026-01", 0), ("bolt", "2026-01", 1)] == rows


def test_an_account_that_is_not_there_is_told_apart_from_a_zero() -> None:
    """A misspelled account must not look idle."""
    with pytest.raises(billing.UnknownAccount, match="did you mean acme"):
        billing.peaks(table(STORY), accounts=["acmee"])


def test_as_of_shows_the_cycle_so_far_and_none_that_has_not_begun() -> None:
    """On 6 January, before bo was connected, one was active, and February is not yet."""
    frame = billing.peaks(table(STORY), accounts=["acme"], first="2026-01", last="2026-03", as_of=utc("2026-01-06"))
    assert [("acme", "2026-01", 1)] == told(frame)


def test_a_cycle_has_begun_only_after_its_first_instant() -> None:
    """`as_of` is exclusive."""
    asked: dict[str, Any] = {"accounts": ["acme"], "first": "2026-01", "last": "2026-03"}
    at_start = billing.peaks(table(STORY), as_of=utc("2026-02-01"), **asked)
    after = billing.peaks(table(STORY), as_of=utc("2026-02-01") + timedelta(microseconds=1), **asked)
    assert (["2026-01"], ["2026-01", "2026-02"]) == tuple([m for _, m, _ in told(frame)] for frame in (at_start, after))


def test_types_and_voids_are_read_whatever_as_of_says() -> None:
    """They are timeless: a mistake found out later was never an event."""
    mistake = replace(action("acme", "ada", 2), event_id="e1")
    void = Event("acme", "ada", "event.voided", day(20), event_id="e2", voids="e1")
    standard = Event("acme", "bo", "identity.created", day(21), identity_type="standard")
    source = table([mistake, action("acme", "bo", 2), void, standard])
    frame = billing.peaks(source, first="2026-01", last="2026-01", as_of=utc("2026-01-10"))
    assert [("acme", "2026-01", 0)] == told(frame)


def test_known_at_leaves_out_what_was_recorded_later() -> None:
    """The bill as it was when it was drafted; the moment itself is included."""
    recorded = [day(10), day(20), day(20) + 1, day(30), day(30)]
    source = table(STORY).append_column("recorded_at", pa.array(recorded).cast(pa.timestamp("us", "UTC")))
    frame = billing.peaks(source, first="2026-01", last="2026-01", known_at=utc("2026-01-20"))
    assert [("acme", "2026-01", 1), ("bolt", "2026-01", 1)] == told(frame)


def test_known_at_needs_to_know_when() -> None:
    """Without a column that tells, the answer would be made up."""
    with pytest.raises(billing.BadSource) as refused:
        billing.peaks(table(STORY), known_at=utc("2026-01-20"))
    assert refused.value.code == "known_at_unavailable"


@pytest.mark.parametrize("option", ["as_of", "known_at"])
def test_a_moment_without_an_offset_is_refused(option: str) -> None:
    """It would mean another instant on another machine."""
    with pytest.raises(billing.BadCycle) as refused:
        billing.peaks(table(STORY), **{option: datetime(2026, 1, 20)})  # type: ignore[arg-type]
    assert refused.value.code == "ts_naive"


HANDOVER = [
    *(event for account in ("acme", "bolt") for event in (action(account, "ada", 1), connect(account, "ada", 2))),
    *(action(account, "bo", 10) for account in ("acme", "bolt")),
]
APART = billing.AllTerms(billing.Terms(), {"bolt": billing.Terms(policy=RESTARTS)})


def test_each_account_is_billed_by_its_own_policy() -> None:
    """Under `restarts` a connect ends the action's thirty days, so ada is gone when bo comes."""
    frame = billing.peaks(table(HANDOVER), terms=APART, first="2026-01", last="2026-01")
    assert [("acme", "2026-01", 2), ("bolt", "2026-01", 1)] == told(frame)


def test_a_policy_given_overrides_that_of_the_terms() -> None:
    """For all accounts, and only this once."""
    asked: dict[str, Any] = {"terms": APART, "first": "2026-01", "last": "2026-01"}
    assert [2, 2] == billing.peaks(table(HANDOVER), policy=billing.ActivityPolicy(), **asked).peak.tolist()
    assert [1, 1] == billing.peaks(table(HANDOVER), policy=RESTARTS, **asked).peak.tolist()


def test_accounts_with_cycles_of_their_own_are_asked_by_the_month_they_start_in() -> None:
    """A quarter starts in one month of three; in the others its account is left out."""
    quarters = billing.CycleRule(anchor=utc("2026-01-01"), months=3)
    terms = billing.AllTerms(billing.Terms(), {"bolt": billing.Terms(cycles=quarters)})
    frame = billing.peaks(table(HANDOVER), terms=terms, first="2026-02", last="2026-02")
    assert [("acme", "2026-02", 1)] == told(frame)


def test_a_draft_prices_every_peak() -> None:
    """Under a plan alone, under terms, or not at all without a plan."""
    plan = billing.Plan(id="sample", currency="USD", mode="volume", tiers=(billing.Tier(unit_price=Decimal("7.99")),))
    invoices = billing.draft(table(STORY), terms=plan, first="2026-01", last="2026-01")
    assert [("Zed", "0.00 USD"), ("acme", "15.98 USD"), ("bolt", "7.99 USD")] == [
        (invoice.account_id, str(invoice.total)) for invoice in invoices
    ]
    with pytest.raises(billing.BadTerms) as refused:
        billing.draft(table(STORY), terms=None)
    assert refused.value.code == "plan_missing"


# Every kind of source.


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "pandas", "polars", "duckdb", "pyarrow"])
def test_every_kind_of_source_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    """A bill does not depend on how its events came."""
    assert peaks_json(AGENCY) == peaks_json(_as(kind, tmp_path))


def test_a_folder_of_months_is_one_source(tmp_path: Path) -> None:
    """Files are parts, and where they are cut changes nothing."""
    whole = _agency()
    months = pc.strftime(whole["occurred_at"], "%Y-%m")
    for month in pc.unique(months).to_pylist():
        pq.write_table(whole.filter(pc.equal(months, month)), tmp_path / f"events-{month}.parquet")
    assert peaks_json(whole) == peaks_json(tmp_path) == peaks_json(tmp_path / "events-*.parquet")


@pytest.fixture(scope="module")
def busy() -> pa.Table:
    """Two accounts that share the names of their identities, in order of time, without event ids."""
    return table(_busy(), ids=False)


@pytest.mark.parametrize("terms", [billing.AllTerms(), APART], ids=["one policy", "two policies"])
@pytest.mark.parametrize("as_of", [None, JANUARY[1] - DAY], ids=["all of it", "so far"])
def test_streaming_gives_the_same_bytes_as_memory(
    busy: pa.Table, terms: billing.AllTerms, as_of: int | None, tmp_path: Path
) -> None:
    """In order and streamed, out of order and sorted once, or read as a table: one answer."""
    shuffled = busy.take(pa.array(Random(1).sample(range(len(busy)), len(busy))))
    pq.write_table(busy, tmp_path / "ordered.parquet", row_group_size=ROWS_OF_A_GROUP)
    pq.write_table(shuffled, tmp_path / "shuffled.parquet", row_group_size=ROWS_OF_A_GROUP)
    expected = peaks_json(busy, terms=terms, as_of=as_of)
    assert json.loads(expected)
    for name in ("ordered.parquet", "shuffled.parquet"):
        assert expected == peaks_json(tmp_path / name, terms=terms, as_of=as_of)


@given(stories(cycle=JANUARY, accounts=2, events_max=20), st.booleans())
def test_a_stream_gives_the_peaks_of_the_definition(story: Story, ordered: bool) -> None:
    """Also where a name belongs to a second account only later, and a type is told at the end."""
    nameless = [replace(event, event_id=None) for event in story.events]
    if ordered:
        nameless.sort(key=lambda event: event.occurred_at)
    # Types conflict by position: the first stays, and sorting changes which that is.
    query = Query(policy=story.policy, first="2026-01", last="2026-01")
    with TemporaryDirectory() as folder:
        pq.write_table(table(nameless, ids=False), Path(folder) / "events.parquet", row_group_size=3)
        rows = pipeline.peaks(engine.activity(Path(folder) / "events.parquet", query), query)
    own = by_account(nameless)
    assert {account: definition.peak(events, *JANUARY, **story.settings) for account, events in own.items()} == {
        row.account_id: (row.peak, row.peak_at) for row in rows
    }


def test_a_name_in_two_accounts_is_two_identities() -> None:
    """Each account pays for its own."""
    source = [action("acme", "ada", 1), action("bolt", "ada", 40), delete("acme", "ada", 2)]
    assert [
        ("acme", "ada", utc("2026-01-01"), utc("2026-01-02")),
        ("bolt", "ada", utc("2026-02-09"), utc("2026-03-11")),
    ] == list(billing.intervals(table(source)).itertuples(index=False, name=None))


def test_events_that_were_read_can_be_counted() -> None:
    """What was accepted, and of how many accounts, at a glance."""
    events = billing.read(table(STORY))
    assert len(events) == 5
    assert repr(events) == "Events(5 received = 5 accepted + 0 duplicates + 0 rejected, 3 accounts)"


def test_a_void_of_a_void_is_rejected_and_the_first_stands() -> None:
    """Both that it was refused and that it changed nothing must show."""
    events = [
        replace(action("acme", "ada", 2), event_id="e1"),
        Event("acme", "ada", "event.voided", day(3), event_id="e2", voids="e1"),
        Event("acme", "ada", "event.voided", day(4), event_id="e3", voids="e2"),
    ]
    read = billing.read(table(events))
    assert [("void_of_void", 3)] == [(rejection.code, rejection.line) for rejection in read.rejections]
    assert ("2 accepted", 0) == (f"{read.tally.accepted} accepted", len(read.columns))


# Digest.


def test_a_digest_stands_for_a_set_of_events() -> None:
    """Neither order nor repeats change it; any other content does."""
    events = [replace(event, event_id=f"e{k}") for k, event in enumerate(STORY)]
    alike = [events, events[::-1], [*events, events[2]]]
    digests = {engine.read(table(told), ReadOptions(digest=True)).digest for told in alike}
    later = replace(events[0], occurred_at=events[0].occurred_at + 1)
    other = engine.read(table([later, *events[1:]]), ReadOptions(digest=True))
    assert len(digests) == 1
    assert other.digest not in {*digests, None}


# Evidence.


@given(stories(cycle=JANUARY))
@example(TYPE_TOLD_TWICE)
@example(Story([action("acme", "ada", 2), delete("acme", "ada", 2), connect("acme", "ada", 3)]))  # two at one instant
def test_everyone_counted_has_an_event_that_covers_the_peak(story: Story) -> None:
    """A certificate can be checked with the ledger and the definition alone."""
    shown, cycle = _explained(story)
    highest, at = definition.peak(story.events, *cycle, **story.settings)
    assert (highest, at) == (shown.peak, shown.peak_at)
    histories = definition.billed(story.events)
    named = [witness.identity_id for witness in shown.witnesses]
    assert len(set(named)) == len(named) == highest
    for witness in shown.witnesses:
        covers = definition.covers_of(histories[witness.identity_id], **story.settings)
        active = [(since, until) for _, since, until in covers if at is not None and since <= at < until]
        assert (witness.occurred_at, witness.covers_until) in active
        assert witness.covers_until == max(until for _, until in active)
        event_ids = {
            e.event_id
            for e in histories[witness.identity_id]
            if (e.occurred_at, e.type) == (witness.occurred_at, witness.type)
        }
        assert witness.event_id in event_ids


@given(stories(cycle=JANUARY))
def test_the_curve_of_counts_is_that_of_the_definition(story: Story) -> None:
    """Its highest step is the peak, and every step is a change."""
    shown, cycle = _explained(story)
    covers = [
        cover
        for own in definition.billed(story.events).values()
        for cover in definition.covers_of(own, **story.settings)
    ]
    counts = [
        (at, len({identity for identity, since, until in covers if since <= at < until})) for at, _ in shown.counts
    ]
    assert counts == list(shown.counts)
    assert cycle[0] == counts[0][0]
    assert shown.peak == max(count for _, count in counts)
    assert all(before != after for (_, before), (_, after) in pairwise(counts))


@pytest.mark.parametrize("step", [1, evidence._STEP], ids=["cycle by cycle", "together"])
@given(told=stories(cycle=JANUARY, accounts=3, events_max=25))
def test_evidence_of_all_cycles_is_that_of_each(told: Story, step: int) -> None:
    """Accounts are looked at together, and nothing of one shows in another."""
    source = engine.read(table(told.events))
    query = Query(policy=told.policy, first="2025-11", last="2026-02", ids=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evidence, "_STEP", step)
        together = engine.answer(source, query).evidence()
    assert together == [
        engine.explain(source, replace(query, accounts=(each.account_id,), first=each.cycle.name))[0]
        for each in together
    ]
    assert len(together) == 4 * np.count_nonzero(source.accepted)


def test_evidence_names_who_came_and_went() -> None:
    """Active in the cycle and not at its peak: not billed, and shown so that nobody wonders."""
    shown = billing.explain(
        table([connect("acme", "di", -1), *STORY]), account_id="acme", cycle="2026-01", as_of=utc("2026-01-07")
    )
    assert ["ada", "bo"] == [witness.identity_id for witness in shown.witnesses]
    assert ["di"] == [passerby.identity_id for passerby in shown.active_off_peak]
    assert shown.flags == ()


def test_of_events_that_reach_equally_far_the_later_and_then_the_smaller_id_is_named() -> None:
    """A certificate is the same whatever the order of the source."""
    policy = billing.ActivityPolicy(action_window=timedelta(days=30), connect_window=timedelta(days=30))
    events = [
        replace(action("acme", "ada", 2), event_id="e3"),
        replace(connect("acme", "ada", 2), event_id="e1"),
        replace(action("acme", "ada", 2), event_id="e2"),
        replace(action("acme", "ada", 1), event_id="e0"),
        replace(action("acme", "bo", 3), event_id="e9"),
    ]
    for order in (events, events[::-1]):
        shown = billing.explain(table(order), account_id="acme", cycle="2026-01", policy=policy)
        assert ["e1", "e9"] == [witness.event_id for witness in shown.witnesses]


def test_of_events_that_reach_equally_far_the_later_is_named() -> None:
    """Thirty days from the 2nd end with five days from the 27th."""
    events = [action("acme", "ada", 2), connect("acme", "ada", 27), connect("acme", "bo", 28)]
    for order in (events, events[::-1]):
        shown = billing.explain(table(order), account_id="acme", cycle="2026-01")
        assert [("ada", day(27), day(2), day(32)), ("bo", day(28), day(28), day(33))] == [
            (witness.identity_id, witness.occurred_at, witness.active_since, witness.active_until)
            for witness in shown.witnesses
        ]


def test_a_curve_has_whole_numbers_and_ends_before_the_cycle_does() -> None:
    """What ends as the cycle ends is no step of it."""
    shown = billing.explain(table([connect("acme", "ada", 27)]), account_id="acme", cycle="2026-01")
    assert f"(({day(1)}, 0), ({day(27)}, 1))" == str(shown.counts)


def test_events_alike_but_for_their_type_are_told_apart_by_it() -> None:
    """Without ids, and where both windows are equally long, nothing else would."""
    policy = billing.ActivityPolicy(connect_window=timedelta(days=30))
    events = [action("acme", "ada", 2), connect("acme", "ada", 2)]
    for order in (events, events[::-1]):
        shown = billing.explain(table(order, ids=False), account_id="acme", cycle="2026-01", policy=policy)
        assert [(None, "integration.connected")] == [(w.event_id, w.type) for w in shown.witnesses]
        assert policy == shown.policy


def test_an_event_without_an_id_is_named_before_one_that_has_one() -> None:
    """Nothing is smaller than any id, in every order of the source."""
    policy = billing.ActivityPolicy(connect_window=timedelta(days=30))
    events = [action("acme", "ada", 2), replace(connect("acme", "ada", 2), event_id="A")]
    for order in (events, events[::-1]):
        shown = billing.explain(table(order), account_id="acme", cycle="2026-01", policy=policy)
        assert [(None, "action.called")] == [(w.event_id, w.type) for w in shown.witnesses]


def test_who_is_over_at_the_peak_does_not_witness_it() -> None:
    """Ada's five days end at the very moment two others begin."""
    shown = billing.explain(
        table([connect("acme", "ada", 1), connect("acme", "bo", 6), connect("acme", "cy", 6)]),
        account_id="acme",
        cycle="2026-01",
    )
    assert (["bo", "cy"], day(6)) == ([witness.identity_id for witness in shown.witnesses], shown.peak_at)
    assert ["ada"] == [passerby.identity_id for passerby in shown.active_off_peak]


def test_who_came_and_went_is_told_by_name_and_only_of_the_cycle() -> None:
    """Zoe and Abe were there between two moments of others; who ended as it began, or begins as it ends, was not."""
    events = [
        connect("acme", "gone", -4),
        connect("acme", "next", 32),
        connect("acme", "zoe", 1),
        connect("acme", "abe", 2),
        action("acme", "bo", 10),
    ]
    events += [action("acme", "cy", 10), action("acme", "di", 10)]
    shown = billing.explain(table(events), account_id="acme", cycle="2026-01")
    assert ["bo", "cy", "di"] == [witness.identity_id for witness in shown.witnesses]
    assert [("abe", day(2), day(7)), ("zoe", day(1), day(6))] == [
        (passerby.identity_id, passerby.active_since, passerby.active_until) for passerby in shown.active_off_peak
    ]


def test_a_connect_at_the_peak_that_restarts_is_what_covers_it() -> None:
    """The action's thirty days are over then, and witness nothing."""
    events = [action("acme", "ada", 1), connect("acme", "ada", 3), connect("acme", "bo", 3)]
    shown = billing.explain(table(events), account_id="acme", cycle="2026-01", policy=RESTARTS)
    assert [("ada", "integration.connected", day(8)), ("bo", "integration.connected", day(8))] == [
        (witness.identity_id, witness.type, witness.covers_until) for witness in shown.witnesses
    ]


def test_a_peak_without_a_witness_for_each_is_no_evidence() -> None:
    """A count that nobody stands for is our own mistake."""
    shown = billing.explain(table([action("acme", "ada", 2)]), account_id="acme", cycle="2026-01")
    with pytest.raises(AssertionError, match=r"^each identity counted has its witness, and no other has one"):
        replace(shown, peak=2)


def test_a_moment_after_a_deletion_an_event_covers_again() -> None:
    """One microsecond is enough."""
    events = [delete("acme", "ada", 2), replace(action("acme", "ada", 2), occurred_at=day(2) + 1)]
    shown = billing.explain(table(events), account_id="acme", cycle="2026-01")
    assert [("ada", day(2) + 1)] == [(witness.identity_id, witness.occurred_at) for witness in shown.witnesses]


def test_activity_after_a_deletion_is_flagged() -> None:
    """It is billed, and somebody should look."""
    events = [action("acme", "ada", 1), delete("acme", "ada", 2), action("acme", "ada", 3), action("acme", "bo", 3)]
    shown = billing.explain(table(events), account_id="acme", cycle="2026-01")
    assert ("active_after_deletion",) == shown.flags
    assert [True, False] == [witness.active_after_deletion for witness in shown.witnesses]


def test_a_peak_of_none_needs_no_evidence() -> None:
    """Nobody was active, and nobody is named."""
    shown = billing.explain(table(STORY), account_id="Zed", cycle="2026-01")
    assert (0, None, (), ((JANUARY[0], 0),)) == (shown.peak, shown.peak_at, shown.witnesses, shown.counts)


def test_a_month_in_which_no_cycle_starts_has_no_evidence() -> None:
    """The question is about a cycle that does not exist."""
    terms = billing.Terms(cycles=billing.CycleRule(anchor=utc("2026-01-01"), months=3))
    with pytest.raises(billing.BadCycle) as refused:
        billing.explain(table(STORY), account_id="acme", cycle="2026-02", terms=terms)
    assert refused.value.code == "cycle_none"


def test_of_several_accounts_one_must_be_named() -> None:
    """The highest peak of the only account may be meant, never that of some account."""
    with pytest.raises(billing.UnknownAccount) as refused:
        engine.explain(table(STORY), Query())
    assert refused.value.code == "account_needed"
    shown, _ = engine.explain(table([e for e in STORY if e.account_id == "acme"]), Query())
    assert ("acme", 2) == (shown.account_id, shown.peak)


def _explained(story: Story) -> tuple[billing.Evidence, tuple[int, int]]:
    """The evidence for January, or for an account that has no accepted event, for one more."""
    idle = Event("acme", "nobody", "identity.created", JANUARY[0], identity_type="engagement")
    source = table([*story.events, idle])
    shown = billing.explain(source, account_id="acme", cycle="2026-01", policy=story.policy)
    return shown, (micros(shown.cycle.start), micros(shown.cycle.end))


def _agency() -> pa.Table:
    frame = pd.read_csv(AGENCY, dtype="str")
    written = pa.Table.from_pandas(frame, preserve_index=False)
    columns = {name: written[name].cast(pa.string()) for name in written.column_names}
    for name in ("occurred_at", "recorded_at"):
        if name in columns:
            columns[name] = columns[name].cast(pa.timestamp("us", "UTC"))
    return pa.table(columns)


def _as(kind: str, folder: Path) -> Any:
    """The events of the agency as another kind of source."""
    events = _agency()
    if kind == "jsonl":
        rows = pd.read_csv(AGENCY, dtype="str").to_dict("records")
        lines = [json.dumps(_numbered(row)) for row in rows]
        (folder / "events.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return folder / "events.jsonl"
    if kind == "parquet":
        pq.write_table(events, folder / "events.parquet", row_group_size=ROWS_OF_A_GROUP)
        return folder / "events.parquet"
    if kind == "duckdb":
        return duckdb.from_arrow(events)
    return {"pandas": events.to_pandas(), "polars": pl.from_arrow(events), "pyarrow": events}[kind]


def _numbered(row: dict[Any, Any]) -> dict[Any, Any]:
    """A row as JSON has it: without what is missing, and with numbers for numbers."""
    present = {name: value for name, value in row.items() if pd.notna(value)}
    return present | ({"results": int(present["results"])} if "results" in present else {})


def _busy() -> list[Event]:
    dice = Random(0)
    kinds = ["integration.connected", "action.called", "action.called", "identity.deleted"]
    events = [
        Event(dice.choice(("acme", "bolt")), f"id{dice.randrange(40)}", dice.choice(kinds), day(1 + dice.random() * 90))
        for _ in range(2_000)
    ]
    events += [
        Event("acme", "id3", "identity.created", day(50), identity_type="standard"),
        Event("bolt", "id3", "identity.created", day(60), identity_type="engagement"),
        Event("acme", "id4", "identity.created", day(50), identity_type="engagement"),
    ]
    return sorted(events, key=lambda event: event.occurred_at)
