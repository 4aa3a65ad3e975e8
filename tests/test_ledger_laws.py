"""Laws of ledgers, searched for a story that breaks them; and a false one, refuted.

A ledger says what a file of the same events says, however they came; what it said it says for ever;
and restating looks away from nothing. The ledgers are SQLite in memory: what a database must do
for all of them to hold is in `test_ledger.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, example, find, given, settings
from hypothesis import strategies as st
from ledgers import JANUARY, Story, by_account, examples, policy_of, stories, table

import billing
from billing import engine, issuing, restating
from billing.core import seal
from billing.core.activity import ActivityPolicy
from billing.core.cycle import CycleRule, micros, moment
from billing.core.event import Batch
from billing.core.terms import AllTerms, Terms, TermsVersion
from billing.formats import documents, source
from billing.formats.rows import Reading
from billing.formats.terms import version_document, version_of
from billing.ledger.database import COLUMNS
from billing.ledger.entry import Head
from billing.ledger.ledger import Ledger
from billing.reckoning import Question
from billing.verify import definition
from billing.verify.definition import DAY, Event
from billing.verify.strategies import ACCOUNTS, IDENTITIES, Span, instants
from billing.verify.strategies import windows as lengths

#: When events come, and a ledger begins to be asked: after all that happens in a story of January.
BEGINNING = datetime(2026, 4, 2, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
MONTHS = ("2025-12", "2026-01", "2026-02", "2026-03")


def plan(name: str, *tiers: tuple[int | None, str]) -> billing.Plan:
    steps = [billing.Tier(up_to=up_to, unit_price=Decimal(price)) for up_to, price in tiers]
    return billing.Plan(id=name, currency="USD", mode="volume", tiers=tuple(steps))


#: Every peak has another price.
TEN = plan("ten", (None, "10.00"))
#: Two cost less than one.
FALLING = plan("falling", (1, "10.00"), (None, "4.00"))

in_january = stories(cycle=JANUARY, accounts=2, events_max=14)
#: In how many steps events come.
cuts = st.lists(st.integers(1, 4), max_size=8)


# A ledger says what its events say.


@examples(120, 5_000)
@given(stories(accounts=2, events_max=12, conflicts=False), cuts, st.data())
def test_a_ledger_answers_as_a_file_of_its_events(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """Byte for byte but for position and digest, in whatever order and batches they came, whatever is asked."""
    told = _without_voids_of_voids(_named(story.events))
    question = _question(story, told, data)
    with kept(data.draw(st.permutations(told)), sizes) as ledger:
        assert _answers(table(told), question) == _answers(ledger, question)


@examples(100, 3_000)
@given(stories(accounts=2, events_max=12, conflicts=False), cuts, st.data())
def test_a_ledger_explains_as_a_file_of_its_events(story: Story, sizes: list[int], data: st.DataObject) -> None:
    """The evidence names the same events, and in the same order."""
    told = _without_voids_of_voids(_named(story.events))
    question = _question(story, told, data)
    asked = [replace(question, accounts=(account,), last=None) for account in ACCOUNTS]
    with kept(data.draw(st.permutations(told)), sizes) as ledger:
        for each in asked:
            assert _explained(table(told), each) == _explained(ledger, each)


@given(stories(cycle=JANUARY, accounts=2, conflicts=False), cuts, st.data())
def test_what_was_known_at_a_moment_is_the_same_of_a_file_and_of_a_ledger(
    story: Story, sizes: list[int], data: st.DataObject
) -> None:
    """Who keeps the files of each month and who keeps a ledger see the same drafts."""
    told = _without_voids_of_voids(_named(story.events))
    days = sorted(data.draw(st.lists(st.integers(0, 5), min_size=len(told), max_size=len(told))))
    recorded = [micros(BEGINNING) + day * DAY for day in days]
    whole = _recorded(told, recorded)
    reading = Reading(
        known_at=micros(BEGINNING) + data.draw(st.integers(0, 5)) * DAY - data.draw(st.sampled_from((0, 1)))
    )
    question = Question(terms=_terms(story), first="2025-12", last="2026-02")
    with empty() as ledger:
        for first, end in _parts(len(told), sizes):
            billing.append(ledger, whole.slice(first, end - first), now=BEGINNING + 9 * ONE_DAY)
        assert len(set(told)) == len(_entries(ledger))
        assert _answers(whole, question, reading) == _answers(ledger, question, reading)


@examples(150, 10_000)
@given(stories(accounts=2, events_max=14), cuts)
def test_a_ledger_has_the_peaks_of_the_definition_on_its_own_entries(story: Story, sizes: list[int]) -> None:
    """Also with conflicts, of which the order of arrival decides what stays: by what stayed is billed."""
    rule = _rule(story.span)
    months = [rule.name(rule.index_at(story.span[0]) + k) for k in (-1, 1)]
    question = Question(terms=_terms(story, rule), first=months[0], last=months[1])
    with kept(_named(story.events), sizes) as ledger:
        own = _entries(ledger)
        rows = engine.answer(ledger, question).peaks()
    accounts = sorted({event.account_id for event in own})
    assert [account for account in accounts for _ in range(3)] == [row.account_id for row in rows]
    for row in rows:
        told = [event for event in own if event.account_id == row.account_id]
        reading = _reading(story, row.account_id)
        assert definition.peak(told, row.start, row.end, **reading) == (row.peak, row.peak_at)


def test_a_rejected_void_counts_for_no_account_in_whatever_order_it_came() -> None:
    """A void of a void is no event of the account, whichever of the two was first to arrive."""
    told = [
        Event("acme", "ada", "action.called", JANUARY[0], "e1"),
        Event("acme", "ada", "event.voided", JANUARY[0], "v1", voids="e1"),
        Event("acme", "ada", "event.voided", JANUARY[0], "v2", voids="v1"),
    ]
    question = Question(terms=AllTerms(Terms(plan=TEN)), first="2026-01", last="2026-01")
    with kept(told) as in_order, kept(told[::-1]) as reversed_:
        assert _answers(table(told), question) == _answers(in_order, question) == _answers(reversed_, question)


# What it said it says for ever.


@examples(60, 2_000)
@given(in_january, cuts, st.data())
def test_at_a_noted_position_and_moment_the_answer_stays_what_it_was(
    story: Story, sizes: list[int], data: st.DataObject
) -> None:
    """Whatever comes after it: events, voids, types, conflicts, other terms, invoices and notes."""
    told = _named(story.events)
    noted: list[tuple[Head, tuple[str, ...], str]] = []
    with empty() as ledger:
        billing.agree(ledger, _terms(story), now=BEGINNING)
        for day, (first, end) in enumerate(_parts(len(told), sizes), start=1):
            now = BEGINNING + day * ONE_DAY
            billing.append(ledger, table(told[first:end]), now=now)
            what = data.draw(st.sampled_from(("nothing", "agree", "close", "restate")))
            if what == "agree":
                terms = replace(_terms(story).default, plan=data.draw(st.sampled_from((TEN, FALLING))))
                billing.agree(ledger, terms, applies_from=data.draw(st.sampled_from(_STARTS)), now=now)
            elif what == "close":
                billing.close(ledger, data.draw(st.sampled_from(MONTHS[:3])), now=now, issue=True)
            elif what == "restate":
                billing.restate(ledger, now=now, issue=True)
            noted.append((ledger.head(), _said(ledger, Reading()), _statement(ledger, Reading())))
        for head, said, statement in noted:
            for reading in (Reading(position=head.position), Reading(known_at=head.recorded_at)):
                assert (said, statement) == (_said(ledger, reading), _statement(ledger, reading))
                assert head == ledger.head(position=reading.position, known_at=reading.known_at)


@given(in_january, cuts, cuts)
def test_how_events_were_cut_into_batches_does_not_show(story: Story, one: list[int], other: list[int]) -> None:
    """Not in an entry, a position, a code, a conflict or a digest."""
    told = _named(story.events)
    with kept(told, one) as ledger, kept(told, other) as again:
        assert (ledger.head(), _everything(ledger)) == (again.head(), _everything(again))


@given(in_january, cuts, st.data())
def test_nor_does_it_where_events_say_when_they_were_recorded(
    story: Story, sizes: list[int], data: st.DataObject
) -> None:
    """Whatever they say: in order, back, ahead of the clock, or nothing."""
    told = _named(story.events)
    when = st.sampled_from((0, 0, 1, 2, 3, 299, 300, 301)).map(lambda second: micros(BEGINNING) + second * 1_000_000)
    recorded = data.draw(st.lists(when, min_size=len(told), max_size=len(told)))
    coder, batches = source.read_batches(_recorded(told, recorded), Reading())
    batch = Batch.joined(batches)
    names = coder.names(np.zeros(coder.identity_count, np.bool_))
    with empty() as whole, empty() as ledger:
        at_once = whole.append(batch, names, now=micros(BEGINNING))
        rejected: list[billing.Rejection] = []
        for first, end in _parts(len(told), sizes):
            receipt = ledger.append(batch.take(np.arange(first, end)), names, now=micros(BEGINNING))
            rejected += receipt.rejections
        assert (at_once.head, _everything(whole)) == (ledger.head(), _everything(ledger))
        assert list(at_once.rejections) == rejected


@given(stories(cycle=JANUARY, accounts=2, events_max=14, conflicts=False), cuts)
def test_sending_everything_again_changes_nothing(story: Story, sizes: list[int]) -> None:
    """What was accepted is a duplicate now, what was rejected is rejected again, and nothing is written."""
    told = _named(story.events)
    with kept(told, sizes) as ledger:
        before = _everything(ledger)
        receipt = billing.append(ledger, table(told), now=BEGINNING + ONE_DAY)
        assert (0, before) == (receipt.tally.accepted, _everything(ledger))


# Restating.


@pytest.mark.parametrize("later", [None, 90], ids=["one policy", "longer windows in March"])
@examples(80, 5_000)
@given(in_january, cuts, st.data())
def test_restating_looks_away_from_nothing(
    later: int | None, story: Story, sizes: list[int], data: st.DataObject
) -> None:
    """Holding everything issued against itself finds no more than holding what late events can have touched."""
    early, late = _early_and_late(story, data)
    with closed(story, early, later=later) as ledger:
        for day, (first, end) in enumerate(_parts(len(late), sizes), start=2):
            now = BEGINNING + day * ONE_DAY
            billing.append(ledger, table(late[first:end]), now=now)
            with patch.object(restating, "_touched", lambda ledger, billed, since, head: list(billed)):
                whole = billing.restate(ledger, now=now)
            assert whole.restatements == billing.restate(ledger, now=now).restatements
            accounts = sorted({account for account, _ in _owed(ledger)})
            some = data.draw(st.sampled_from(((), (), *((account,) for account in accounts))))
            billing.restate(ledger, now=now, issue=data.draw(st.booleans()), accounts=some)
        billing.restate(ledger, now=BEGINNING + 90 * ONE_DAY, issue=True)
        assert _owed(ledger).items() <= _fresh(ledger).items()


@examples(150, 5_000)
@given(in_january, st.data())
def test_without_the_events_that_an_explanation_names_the_cycle_is_as_it_was_billed(
    story: Story, data: st.DataObject
) -> None:
    """So they make the whole of the difference; and each identity it names is one that they speak of."""
    early, late = _early_and_late(story, data)
    with closed(story, early) as ledger:
        if late:
            billing.append(ledger, table(late), now=BEGINNING + 2 * ONE_DAY)
        own = by_account(_entries(ledger))
        for restatement in billing.restate(ledger, now=BEGINNING + 3 * ONE_DAY).restatements:
            billed, named = restatement.billed, {event.event_id for event in restatement.events}
            told, reading = own[billed.account_id], _reading(story, billed.account_id)
            rest = [event for event in told if event.event_id not in named]
            assert restatement.fresh.peak == definition.peak(told, *billed.span, **reading)[0]
            assert billed.peak == definition.peak(rest, *billed.span, **reading)[0]
            undone = {event.voids for event in told if event.event_id in named}
            spoken_of = {event.identity_id for event in told if event.event_id in named | undone}
            assert {*restatement.now_active, *restatement.no_longer_active} <= spoken_of


def test_an_event_reaches_further_than_its_own_day() -> None:
    """If late events were taken to touch less than they do, the search above would see it."""

    def a_day(event_type: str, occurred_at: int, policy: ActivityPolicy) -> Span:
        return occurred_at, occurred_at + DAY

    def shows(story: Story) -> bool:
        told = _named(story.events)
        with closed(story, told[:1]) as ledger:
            billing.append(ledger, table(told[1:]), now=BEGINNING + 2 * ONE_DAY)
            whole = billing.restate(ledger, now=BEGINNING + 3 * ONE_DAY).restatements
            with patch.object(restating, "reach", a_day):
                return whole != billing.restate(ledger, now=BEGINNING + 3 * ONE_DAY).restatements

    search = settings(max_examples=1_000, phases=[Phase.generate], database=None, derandomize=False)
    find(stories(cycle=JANUARY, events_min=2), shows, settings=search, random=Random(0))


# Terms are kept as they are.

_anchors = st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))
_prices = st.integers(0, 12).flatmap(lambda places: st.decimals(0, 10, places=places))
_plans = st.builds(
    lambda mode, prices, included, minimum, package_size: billing.Plan(
        id="any", currency="USD", mode=mode, included=included, minimum=minimum, package_size=package_size,
        tiers=(
            *(billing.Tier(up_to=k, unit_price=a, flat_price=b) for k, (a, b) in enumerate(prices, start=1)),
            billing.Tier(unit_price=Decimal("0.01")),
        ),
    ),
    st.sampled_from(("volume", "graduated")),
    st.lists(st.tuples(_prices, _prices), max_size=2),
    st.integers(0, 9),
    st.none() | _prices,
    st.none() | st.integers(1, 9),
)  # fmt: skip
_terms_of_accounts = st.builds(
    lambda anchor, months, zone, windows, reconnect, discount, plan: Terms(
        plan, CycleRule(anchor, months, zone), policy_of(windows, reconnect), discount
    ),
    st.none() | _anchors,
    st.sampled_from((1, 3, 6, 12)),
    st.sampled_from(("UTC", "America/New_York", "Asia/Kathmandu")),
    lengths(),
    st.sampled_from(("extends", "restarts")),
    st.decimals(0, 100, places=12) | st.integers(0, 100).map(Decimal),
    st.none() | st.sampled_from((TEN, FALLING)) | _plans,
)


@given(
    st.integers(1, 99), st.none() | _anchors.map(micros), _terms_of_accounts,
    st.dictionaries(st.text(min_size=1), _terms_of_accounts, max_size=2),
)  # fmt: skip
def test_terms_are_read_as_they_were_kept(
    number: int, since: int | None, default: Terms, accounts: dict[str, Terms]
) -> None:
    """Else a cycle would be restated by other terms than it was billed by."""
    version = TermsVersion(number, since, AllTerms(default, accounts))
    assert version == version_of(version_document(version))


# Seals.

#: Values that could be taken for one another, or for the marks around them, if they were written carelessly.
_values = (
    st.none()
    | st.sampled_from(("", "-", "n", "i", "s", "0", "1", "12", "-1", "\0" * 8, "n\0", "None", "é"))
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
    | st.sampled_from((0, 1, 12, -1, 2**63 - 1, -(2**63)))
    | st.integers(-(2**63), 2**63 - 1)
)
_contents = st.lists(_values, max_size=5)
_texts = (
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3) | st.sampled_from(("", "-", "n", "12"))
)
_numbers = st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from((0, 12))


@examples(500, 50_000)
@given(_contents, _contents)
@example(["a", "b"], ["ab"])
@example(["a", None], ["a", "n"])
@example(["12"], [12])
@example([""], [None])
@example([None, ""], ["", None])
@example([], [""])
def test_no_two_contents_are_written_alike(one: list[seal.Value], other: list[seal.Value]) -> None:
    """A digest stands for one content only."""
    assert (one == other) == (seal.written(one) == seal.written(other))


@examples(300, 20_000)
@given(st.lists(_values, min_size=2, max_size=5), st.data())
def test_nor_are_two_that_are_nearly_alike(content: list[seal.Value], data: st.DataObject) -> None:
    """Two values joined, one split, two exchanged, a number told as text."""
    k = data.draw(st.integers(0, len(content) - 2))
    first, second = content[k : k + 2]
    near: list[list[seal.Value]] = [
        [f"{first}{second}"], [f"{first}", f"{second}"], [second, first], [first], [second], [first, second, None],
        [first, second, ""], [f"{first}{second}"[:1], f"{first}{second}"[1:]],
    ]  # fmt: skip
    other = [*content[:k], *data.draw(st.sampled_from(near)), *content[k + 2 :]]
    assert (content == other) == (seal.written(content) == seal.written(other))


@pytest.mark.parametrize("size", [1, 199, 200, 201, 777], ids=lambda size: f"{size} rows")
@examples(40, 2_000)
@given(st.lists(st.tuples(_texts, _numbers, _texts), min_size=1, max_size=20))
def test_rows_of_columns_are_written_as_single_contents_are(
    size: int, some: list[tuple[str | None, int | None, str | None]]
) -> None:
    """A ledger filled in bulk has the digest of one filled event by event."""
    rows = [some[k % len(some)] for k in range(size)]
    kinds = (pa.string(), pa.int64(), pa.string())
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    assert [seal.written(row) for row in rows] == seal.written_rows(columns)
    assert [seal.written(row) for row in rows[1:]] == seal.written_rows([column.slice(1) for column in columns])


@given(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=8), max_size=12), st.integers(0, 12))
def test_a_chain_is_the_same_in_whatever_parts_it_is_sealed(before: bytes, contents: list[bytes], middle: int) -> None:
    """The digest after each content depends on those before it, and on nothing else."""
    whole = seal.sealed(before, contents)
    first = seal.sealed(before, contents[:middle])
    assert whole == [*first, *seal.sealed(first[-1] if first else before, contents[middle:])]
    assert len(contents) == len(whole)


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=8), st.data())
def test_a_chain_shows_every_change(contents: list[bytes], data: st.DataObject) -> None:
    """A content changed, taken out, put in, or moved: every digest from there on is another."""
    k = data.draw(st.integers(0, len(contents) - 1))
    changed = [*contents[:k], *data.draw(st.lists(st.binary(max_size=3), max_size=2)), *contents[k + 1 :]]
    whole, other = seal.sealed(seal.BEGINNING, contents), seal.sealed(seal.BEGINNING, changed)
    assert (contents == changed) == (whole == other)
    pairs = zip(contents, changed, strict=False)
    alike = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(contents), len(changed)))
    assert whole[:alike] == other[:alike]
    assert set(whole[alike:]).isdisjoint(other[alike:])


# How


@contextmanager
def empty() -> Iterator[Ledger]:
    """A ledger that holds nothing."""
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        yield ledger


@contextmanager
def kept(told: Sequence[Event], sizes: Sequence[int] = ()) -> Iterator[Ledger]:
    """A ledger to which events came in batches of these sizes, and the rest in one."""
    with empty() as ledger:
        for first, end in _parts(len(told), sizes):
            billing.append(ledger, table(told[first:end]), now=BEGINNING)
        yield ledger


@contextmanager
def closed(story: Story, early: Sequence[Event], *, later: int | None = None) -> Iterator[Ledger]:
    """A ledger in which what came early is billed, for all months.

    With `later`, the cycles from March on are billed by windows that are so many days longer.
    """
    with kept(early) as ledger:
        terms = _terms(story)
        billing.agree(ledger, terms, now=BEGINNING)
        if later is not None:
            longer = _longer(terms, timedelta(later))
            billing.agree(ledger, longer, applies_from=datetime(2026, 3, 1, tzinfo=UTC), now=BEGINNING)
        for month in MONTHS:
            billing.close(ledger, month, now=BEGINNING + ONE_DAY, issue=True)
        yield ledger


def _early_and_late(story: Story, data: st.DataObject) -> tuple[list[Event], list[Event]]:
    """What comes before invoices are issued, and what after them; some of it then turns out to be a mistake."""
    told = _named(story.events)
    half = data.draw(st.integers(0, len(told)))
    mistakes = data.draw(st.lists(st.sampled_from(told), max_size=2)) if told else []
    voids = [
        replace(e, type="event.voided", event_id=f"v{k}", identity_type=None, voids=e.event_id,
                identity_id=data.draw(st.sampled_from((e.identity_id, *IDENTITIES))))
        for k, e in enumerate(mistakes)
    ]  # fmt: skip
    return told[:half], [*told[half:], *voids]


def _longer(terms: AllTerms, by: timedelta) -> AllTerms:
    def longer(own: Terms) -> Terms:
        policy = own.policy
        return replace(
            own,
            policy=replace(policy, action_window=policy.action_window + by, connect_window=policy.connect_window + by),
        )

    return AllTerms(longer(terms.default), {account: longer(own) for account, own in terms.accounts.items()})


def _named(told: Sequence[Event]) -> list[Event]:
    """The events, each of which has an id: a ledger takes no others."""
    return [e if e.event_id is not None else replace(e, event_id=f"n{k}") for k, e in enumerate(told)]


def _without_voids_of_voids(told: Sequence[Event]) -> list[Event]:
    """What is rejected in one order and has no effect in another is left out, to compare what it leaves."""
    voids = {(event.account_id, event.event_id) for event in told if event.type == "event.voided"}
    return [event for event in told if (event.account_id, event.voids) not in voids]


def _parts(count: int, sizes: Sequence[int]) -> list[Span]:
    """The bounds of parts of these sizes, and of the rest."""
    bounds = [0]
    for size in sizes:
        bounds.append(min(count, bounds[-1] + size))
    return [(first, end) for first, end in zip(bounds, [*bounds[1:], count], strict=True) if first < end]


def _rule(span: Span) -> CycleRule:
    """The rule whose cycle this is: calendar months, or those from an anchor."""
    start = moment(span[0])
    calendar = start == start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return CycleRule() if calendar else CycleRule(anchor=start)


def _terms(story: Story, rule: CycleRule | None = None) -> AllTerms:
    """Terms under which the second account is billed by the other reading."""
    terms = [
        Terms(TEN, rule or CycleRule(), policy_of(story.windows, _reading(story, account)["reconnect"]))
        for account in ACCOUNTS
    ]
    return AllTerms(terms[0], {ACCOUNTS[1]: terms[1]})


def _reading(story: Story, account_id: str) -> dict[str, Any]:
    """How the events of an account are read: those of the second one in the other way."""
    other = {"extends": "restarts", "restarts": "extends"}[story.reconnect]
    return {"windows": story.windows, "reconnect": other if account_id == ACCOUNTS[1] else story.reconnect}


def _question(story: Story, told: Sequence[Event], data: st.DataObject) -> Question:
    """Any question about any cycles near the story's."""
    rule = _rule(story.span)
    here = rule.index_at(story.span[0])
    first = data.draw(st.none() | st.integers(-2, 2))
    last = data.draw(st.none() | st.integers(-2 if first is None else first, 2))
    moments = instants(around=story.span, windows=story.windows)
    return Question(
        terms=_terms(story, rule),
        first=None if first is None else rule.name(here + first),
        last=None if last is None else rule.name(here + last),
        accounts=tuple(data.draw(st.sampled_from(((), (), (), ACCOUNTS[:1], ACCOUNTS[1:])))),
        as_of=data.draw(st.none() | st.none() | moments),
    )


def _answers(asked_of: Any, question: Question, reading: Reading | None = None) -> tuple[str, ...]:
    """Peaks, drafts and suspicious zeros, as programs read them, without position and digest; or what is wrong."""
    try:
        answered = engine.answer(asked_of, question, reading)
        drafted = [documents.invoice(each) for each in answered.drafts()]
        idle = [documents.peak(row) | {"before": n} for row, n in engine.idle(answered, asked_of, question, reading)]
    except billing.BillingError as error:
        return (error.code,)
    for each in drafted:
        each["basis"] |= {"position": None, "digest": None}
    peaks = [documents.peak(row) for row in answered.peaks()]
    return documents.to_json(peaks), documents.to_json(drafted), documents.to_json(idle)


def _explained(asked_of: Any, question: Question) -> str:
    """The evidence, as programs read it; or what is wrong."""
    try:
        return documents.to_json([documents.evidence(engine.explain(asked_of, question)[0])])
    except billing.BillingError as error:
        return error.code


def _said(ledger: Ledger, reading: Reading) -> tuple[str, ...]:
    """Peaks and drafts under the ledger's own terms, with position and digest."""
    question = Question(terms=engine.terms_in(ledger, reading), first=MONTHS[0], last=MONTHS[-1])
    answered = engine.answer(ledger, question, reading)
    return (
        documents.to_json(documents.peak(row) for row in answered.peaks()),
        documents.to_json(documents.invoice(each) for each in answered.drafts()),
    )


def _statement(ledger: Ledger, reading: Reading) -> str:
    rows = issuing.statement(ledger, position=engine.position_of(ledger, reading))
    return documents.to_json(map(documents.statement_row, rows))


def _entries(ledger: Ledger) -> list[Event]:
    """What a ledger holds, as the definition takes it."""
    return [
        Event(e.account_id, e.identity_id, e.type, e.occurred_at, e.event_id, e.identity_type, e.voids)
        for page in ledger.entries()
        for e in page
    ]


def _everything(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {
        name: ledger.database.rows(f"SELECT {', '.join(columns)} FROM {name} ORDER BY 1")
        for name, columns in COLUMNS.items()
    }


def _recorded(told: Sequence[Event], recorded: Sequence[int]) -> pa.Table:
    """Events with when each was recorded."""
    return table(told).append_column("recorded_at", pa.array(recorded, pa.int64()).cast(pa.timestamp("us", "UTC")))


def _owed(ledger: Ledger) -> dict[tuple[str, str], Decimal]:
    """What all documents on a cycle come to, by account and cycle."""
    return {(b.account_id, b.cycle.name): b.total.amount for b in issuing.billed_by(ledger)}


def _fresh(ledger: Ledger) -> dict[tuple[str, str], Decimal]:
    """What each cycle would come to now."""
    drafts = billing.draft(ledger, first=MONTHS[0], last=MONTHS[-1])
    return {(drafted.account_id, drafted.cycle.name): drafted.total.amount for drafted in drafts}


#: Where cycles start.
_STARTS = [datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 15, tzinfo=UTC)]
