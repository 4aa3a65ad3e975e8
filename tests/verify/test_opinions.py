"""Four answers to one question: the engine, the definition, DuckDB and Polars agree to the byte.

Thousands of random ledgers are compared, hundreds at a time in one table; so that an event of
one ledger that touched another's bill would show as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeVar

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from billing import engine
from billing.core.cycle import CycleRule, moment, text_of
from billing.engine import pipeline
from billing.engine.query import Query
from billing.outputs.tables import bills
from billing.outputs.tables.schema import View
from billing.outputs.tables.text import to_json
from billing.verify import definition
from billing.verify.audit.events import table
from billing.verify.definition import DAY, WINDOWS, Event
from billing.verify.laws.story import Story, by_account, policy_of
from billing.verify.strategies import Span, cycles, ledgers
from billing.verify.strategies import windows as lengths
from tests.support.opinions import ENDS_FIRST, SQL, duckdb_peaks, polars_peaks

LONG: Final = os.environ.get("HYPOTHESIS_PROFILE") == "long"
LEDGERS: Final = 100_000 if LONG else 2_000
#: How many ledgers are drawn at a time; those with one reading of events share a table.
ROUND: Final = 500
PARTS: Final = 4


@dataclass(frozen=True)
class Ledgers:
    """Some ledgers, their accounts renamed, under one policy; each with its cycle and the two beside it."""

    stories: Sequence[Story]
    windows: Mapping[str, int]
    reconnect: str

    @property
    def policy(self) -> dict[str, Any]:
        """The activity policy, as keyword arguments."""
        return {"windows": self.windows, "reconnect": self.reconnect}

    @cached_property
    def renamed(self) -> list[list[Event]]:
        """The events of each ledger, its accounts named after it."""
        return [
            [replace(e, account_id=f"k{k}-{e.account_id}") for e in story.events]
            for k, story in enumerate(self.stories)
        ]

    @cached_property
    def events(self) -> list[Event]:
        """The events of all."""
        return [event for own in self.renamed for event in own]

    @cached_property
    def rules(self) -> dict[str, tuple[CycleRule, int]]:
        """The cycle rule of each account, and the number of its cycle."""
        return {
            account: _rule(story.span)
            for story, own in zip(self.stories, self.renamed, strict=True)
            for account in by_account(own)
        }

    @cached_property
    def cycles(self) -> dict[str, list[Span]]:
        """The cycles of each account, in the order of their names."""
        return {
            account: [(rule.bound(k), rule.bound(k + 1)) for k in (here - 1, here, here + 1)]
            for account, (rule, here) in sorted(self.rules.items())
        }


Drawn = TypeVar("Drawn")
Opinion = Callable[[Ledgers], str]


def by_engine(some: Ledgers) -> str:
    """What we would bill."""
    found = engine.activity(table(some.events), Query(policy=policy_of(some.windows, some.reconnect)))
    names = found.names.account_names
    codes = sorted(range(len(names)), key=names.__getitem__)
    spans = []
    for code in codes:
        rule, here = some.rules[names[code]]
        bounds = [rule.bound(k) for k in range(here - 2, here + 3)]
        spans.append((bounds, [rule.cycle(k) for k in (here - 1, here, here + 1)]))
    peaks = bills.peaks(pipeline.sweep_cycles(found, codes, spans))
    # The name of a cycle is no opinion: it follows from the rule that all of them are given.
    return to_json(View(peaks.schema.without("cycle"), peaks.rows))


def by_definition(some: Ledgers) -> str:
    """What the definition says, read literally."""
    own = by_account(some.events)
    return to_json(
        {
            "account_id": account,
            "cycle_start": text_of(start),
            "cycle_end": text_of(end),
            "peak": (highest := definition.peak(own[account], start, end, **some.policy))[0],
            "peak_at": None if highest[1] is None else text_of(highest[1]),
        }
        for account, spans in some.cycles.items()
        for start, end in spans
    )


def by_duckdb(some: Ledgers, sql: str = SQL) -> str:
    """What SQL says."""
    return duckdb_peaks(*_tables(some), **some.policy, sql=sql)


def by_polars(some: Ledgers, *, ends_count: bool = False) -> str:
    """What data frames say."""
    return polars_peaks(*_tables(some), **some.policy, ends_count=ends_count)


OPINIONS: Final[dict[str, Opinion]] = {
    "engine": by_engine,
    "definition": by_definition,
    "DuckDB": by_duckdb,
    "Polars": by_polars,
}


@pytest.mark.parametrize("part", range(PARTS))
def test_four_opinions_agree_to_the_byte(part: int) -> None:
    """Each was written from the definition alone, so a bill on which all agree says what it says."""
    compared = 0
    for some in _drawn(LEDGERS // PARTS, first_seed=1_000_000 * part):
        _agree(some, OPINIONS)
        compared += len(some.stories)
    assert compared == LEDGERS // PARTS


# Mistakes that the comparison must catch, or it would catch nothing.

WRONG: Final[dict[str, Opinion]] = {
    "SQL that counts starts before ends": lambda some: by_duckdb(some, _instead(ENDS_FIRST, f"{ENDS_FIRST} desc")),
    "SQL in which an action outlives a deletion at its instant": lambda some: by_duckdb(
        some, _instead("range between current row", "range between 1 following")
    ),
    "SQL in which accounts share ids": lambda some: by_duckdb(
        some, _instead("partition by account_id, event_id", "partition by event_id")
    ),
    "data frames that count who ends": lambda some: by_polars(some, ends_count=True),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_caught_within_a_hundred_ledgers(mistake: str) -> None:
    """Each is one that people make; the message shows the ledger it was found on, and every answer."""
    with pytest.raises(AssertionError, match=r"(?s)ledger of \d+ events?:.* definition +\d+ at.* wrong "):
        for some in _drawn(100, first_seed=0):
            _agree(some, {"definition": by_definition, "wrong": WRONG[mistake]})


def _agree(some: Ledgers, opinions: Mapping[str, Opinion]) -> None:
    """Compare what each says, and show the one ledger on which they differ."""
    if len({opinion(some) for opinion in opinions.values()}) == 1:
        return
    alone = [replace(some, stories=[story]) for story in some.stories]
    one = next((ledger for ledger in alone if _differing(ledger, opinions)), None)
    assert one is not None, "the ledgers agree one by one, and differ where they share a table"
    raise AssertionError(_shown(_minimized(one, opinions), opinions))


def _differing(some: Ledgers, opinions: Mapping[str, Opinion]) -> list[dict[str, dict[str, Any]]]:
    """The rows on which opinions differ, each by opinion."""
    answers = {name: json.loads(opinion(some)) for name, opinion in opinions.items()}
    rows = [dict(zip(answers, several, strict=True)) for several in zip(*answers.values(), strict=True)]
    return [row for row in rows if any(each != next(iter(row.values())) for each in row.values())]


def _minimized(some: Ledgers, opinions: Mapping[str, Opinion]) -> Ledgers:
    """The ledger without the events that the difference does not need."""
    (story,) = some.stories
    for event in story.events:
        fewer = replace(some, stories=[replace(story, events=[e for e in story.events if e is not event])])
        if fewer.events and _differing(fewer, opinions):
            return _minimized(fewer, opinions)
    return some


def _shown(some: Ledgers, opinions: Mapping[str, Opinion]) -> str:
    row = _differing(some, opinions)[0]
    account, start, end = (next(iter(row.values()))[key] for key in ("account_id", "cycle_start", "cycle_end"))
    lines = [f"{text_of(e.occurred_at)}  {e.account_id}  {e.identity_id}  {e.type}{_details(e)}" for e in some.events]
    windows = ", ".join(f"{event_type} {length / DAY:g} days" for event_type, length in some.windows.items())
    return "\n".join(
        [
            f"ledger of {len(lines)} event{'s' if len(lines) > 1 else ''}:",
            *(f"  {line}" for line in lines),
            f"policy: {some.reconnect}, {windows}",
            f"cycle of {account}: {start} to {end}",
            *(f"  {name:10} {answer['peak']} at {answer['peak_at']}" for name, answer in row.items()),
        ]
    )


def _details(event: Event) -> str:
    details = {"event_id": event.event_id, "identity_type": event.identity_type, "voids": event.voids}
    return "".join(f"  {name}={value}" for name, value in details.items() if value is not None)


def _instead(right: str, wrong: str) -> str:
    assert right in SQL
    return SQL.replace(right, wrong)


def _drawn(number: int, *, first_seed: int) -> Iterator[Ledgers]:
    """As many ledgers, the same ones every time: under default windows with both rules for reconnects, and others."""
    any_policy = st.tuples(lengths(), st.sampled_from(("extends", "restarts")))
    for done in range(0, number, ROUND):
        others = _collected(any_policy, 20, first_seed + done)[-3:]
        policies: list[tuple[Mapping[str, int], str]] = [(WINDOWS, "extends"), (WINDOWS, "restarts")]
        policies += [other for other in others if other not in policies]  # the usual ones come up there too
        stories = st.sampled_from(policies).flatmap(_stories)
        drawn = _collected(stories, min(ROUND, number - done), first_seed + done)
        for windows, reconnect in policies:
            alike = [story for story in drawn if (story.windows, story.reconnect) == (windows, reconnect)]
            if alike:
                yield Ledgers(alike, windows, reconnect)


@st.composite
def _stories(draw: st.DrawFn, policy: tuple[Mapping[str, int], str]) -> Story:
    span, windows = draw(cycles()), policy[0]
    drawn = draw(ledgers(around=span, windows=windows, accounts=2, events_min=2, events_max=12))
    return Story(drawn, span, *policy)


def _collected(strategy: st.SearchStrategy[Drawn], number: int, first_seed: int) -> list[Drawn]:
    """As many different values of a strategy."""
    values: dict[str, Drawn] = {}

    @settings(
        max_examples=number + number // 4,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Drawn) -> None:
        values[repr(value)] = value

    attempt = first_seed
    while len(values) < number:
        seed(attempt)(collect)()
        attempt += 1
    return list(values.values())[:number]


def _tables(some: Ledgers) -> tuple[pa.Table, pa.Table]:
    """The events, numbered, and the cycles."""
    events = table(some.events)
    rows = [(account, *span) for account, spans in some.cycles.items() for span in spans]
    accounts, opens, closes = zip(*rows, strict=True)
    return (
        events.append_column("position", pa.array(range(1, len(events) + 1), pa.int64())),
        pa.table({"account_id": pa.array(accounts), "opens": pa.array(opens), "closes": pa.array(closes)}),
    )


def _rule(span: Span) -> tuple[CycleRule, int]:
    """The rule that has this cycle, calendar months or from an anchor, and the cycle's number."""
    start = moment(span[0])
    if start == start.replace(day=1, hour=0, minute=0, second=0, microsecond=0):
        return CycleRule(), CycleRule().index_at(span[0])
    return CycleRule(anchor=start), 0
