"""Events of two sources compared: how they differ, and which differences move a bill."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import billing
from billing import Alignment, AllTerms, Plan, Terms, Tier, UnknownAccount
from billing.core.activity import ActivityPolicy
from billing.core.cycle import micros
from billing.core.event import DAY
from billing.core.minimize import minimize
from billing.engine.query import Query
from billing.inputs.encoder import Encoder
from billing.inputs.rows import ReadOptions
from billing.reconciliation.event_diff import Difference, pair_nearest
from billing.reconciliation.event_diff import Event as DiffEvent
from billing.reconciliation.events import align, compare_sources, load_source
from billing.verify import definition, strategies
from billing.verify.audit.events import table
from billing.verify.definition import Event
from tests.conftest import Cli

TIERS = Tier(up_to=2, unit_price=Decimal(10)), Tier(unit_price=Decimal(9))
PLAN = Plan(id="sample", currency="USD", mode="volume", tiers=TIERS)
TYPES = {"calls": "action.called", "connects": "integration.connected", "deleted": "identity.deleted"}


def events(story: str) -> list[Event]:
    """Events of acme, one a line: id, identity, what, and the day of January 2026, or what it says besides."""
    return [_event(*line.split()) for line in story.strip().splitlines() if line.strip()]


def _event(event_id: str, identity: str, what: str, when: str) -> Event:
    named = None if event_id == "-" else event_id
    if what == "voids":
        return Event("acme", identity, "event.voided", _day("31"), named, voids=when)
    if what == "is":
        return Event("acme", identity, "identity.created", _day("1"), named, identity_type=when)
    return Event("acme", identity, TYPES[what], _day(when), named)


def _day(text: str) -> int:
    return micros(datetime(2026, 1, 1, tzinfo=UTC)) + round((float(text) - 1) * DAY)


def compare(ours: str | list[Event], theirs: str | list[Event], *, plan: Plan | None = PLAN, **asked: Any) -> Alignment:
    """The events of two stories compared, in January 2026 and all other months, or in those requested."""
    one, other = (table(events(side) if isinstance(side, str) else side) for side in (ours, theirs))
    return align(one, other, Query(terms=AllTerms(Terms(plan=plan)), **asked))


def moved(of: Alignment) -> list[tuple[str, str, str, int, int]]:
    """What moves a bill by itself: event, kind, cycle, and the peak without the difference and with it."""
    return [
        (e.difference.event.event_id or "-", e.difference.kind, e.cycle.name, e.moves[0].peak, e.moves[1].peak)
        for e in of.effects
    ]


# Which events differ.


def test_an_event_that_one_source_lacks_is_missing_or_extra() -> None:
    """Seen from ours."""
    found = compare("e1 ada calls 1 \n e2 bo calls 1", "e1 ada calls 1 \n e3 cy calls 1")
    assert [("e2", "missing"), ("e3", "extra")] == [(d.event.event_id, d.kind) for d in found.differences]


@pytest.mark.parametrize(
    ("theirs", "kind", "field"),
    [
        ("e1 bo calls 1", "conflicting", "identity_id"),
        ("e1 ada connects 1", "conflicting", "type"),
        ("e1 ada connects 2", "conflicting", "type"),
        ("e1 ada calls 2", "shifted", None),
    ],
)
def test_the_first_field_that_differs_is_named(theirs: str, kind: str, field: str | None) -> None:
    """What differs in nothing but its instant was shifted."""
    (difference,) = compare("e1 ada calls 1", theirs).differences
    assert (kind, field) == (difference.kind, difference.field)


@pytest.mark.parametrize("field", ["action", "results", "mode"])
def test_a_detail_that_differs_is_a_conflict_and_moves_nothing(field: str) -> None:
    """Who paid for what is no matter of who was active."""
    said = {"action": "linkedin-like-post", "results": 7, "mode": "auto"}
    plain = table(events("e1 ada calls 1"))
    found = align(plain.append_column(field, [[said[field]]]), plain, Query())
    assert [("conflicting", field)] == [(d.kind, d.field) for d in found.differences]
    assert (1, ()) == (found.noise, found.totals)


def test_what_was_recorded_when_is_no_difference() -> None:
    """It says when we learned of an event, not what happened."""
    plain = table(events("e1 ada calls 1"))
    assert () == align(plain, plain.append_column("recorded_at", plain["occurred_at"]), Query()).differences


def test_repeats_and_conflicts_within_a_source_are_its_own_business() -> None:
    """They are in its tally."""
    found = compare("e1 ada calls 1", "e1 ada calls 1 \n e1 ada calls 1 \n e1 bo calls 3")
    assert ((), 1, 1) == (found.differences, found.theirs.tally.duplicates, found.theirs.tally.rejected)


def test_the_same_under_another_id_is_renamed_and_moves_nothing() -> None:
    """A missing and an extra event of the same content would each look as if they moved a bill."""
    found = compare("e1 ada calls 1 \n e2 ada calls 1", "x1 ada calls 1 \n e2 ada calls 1")
    (difference,) = found.differences
    assert ("renamed", "e1", "x1") == (difference.kind, difference.ours and difference.ours.event_id, difference.theirs
        and difference.theirs.event_id)  # fmt: skip
    assert () == found.matters


def test_without_ids_events_are_the_same_if_they_say_the_same() -> None:
    """A set has nothing twice."""
    found = compare(
        "- ada calls 1 \n - ada calls 1 \n - bo calls 2", "e1 ada calls 1 \n e2 ada calls 1 \n e3 cy calls 2"
    )
    assert [("bo", "missing"), ("cy", "extra")] == [(d.event.identity_id, d.kind) for d in found.differences]
    assert ("acme",) == found.by_content


def test_without_ids_the_nearest_of_one_identity_and_type_are_one_that_was_shifted() -> None:
    """At most a day apart; the rest is missing or extra."""
    found = compare(
        "- ada calls 1 \n - ada calls 1.8 \n - bo calls 5", "- ada calls 1.9 \n - bo connects 5 \n - ada calls 3"
    )
    assert [("ada", "missing", 0), ("ada", "shifted", DAY // 10), ("ada", "extra", 0), ("bo", "extra", 0),
            ("bo", "missing", 0)] == [(d.event.identity_id, d.kind, d.shift)
                                      for d in sorted(found.differences, key=lambda d: (d.event.identity_id,
                                      d.event.occurred_at, d.kind))]  # fmt: skip


def test_without_ids_what_a_source_voids_did_not_happen_in_it() -> None:
    """What a void aims at is unknown where there are no ids, so what happened is compared."""
    found = compare("e1 ada calls 1 \n e2 ada voids e1 \n e3 bo calls 1", "- ada calls 1 \n - bo calls 1")
    assert [("ada", "extra")] == [(d.event.identity_id, d.kind) for d in found.differences]


@pytest.mark.parametrize(
    ("ours", "theirs", "pairs"),
    [
        ([], [], []),
        ([5], [5], [(0, 0)]),
        ([5], [9], [(0, 0)]),
        ([5], [10], []),
        ([0, 5], [6], [(1, 0)]),
        ([0, 5], [1, 6], [(0, 0), (1, 1)]),
        ([0, 2], [1, 4], [(0, 0), (1, 1)]),
        ([3, 4], [4, 7], [(1, 0), (0, 1)]),
        ([3], [1, 2, 6], [(0, 1)]),
        ([1, 2, 9], [3], [(1, 0)]),
    ],
)
def test_the_nearest_are_paired_first(ours: list[int], theirs: list[int], pairs: list[tuple[int, int]]) -> None:
    """One to one, at most 4 apart."""
    assert pairs == pair_nearest(ours, theirs, tolerance=4)


# Which of them move a bill.


def test_a_late_action_that_raises_a_peak_comes_with_what_it_costs() -> None:
    """Two at 10.00 become three at 9.00; February, which it reaches as well, goes from two to three too."""
    base = "e1 ada calls 20 \n e2 bo calls 20"
    found = compare(base, base + "\n e3 cy calls 21", first="2026-01", last="2026-01")
    (effect,) = found.effects
    assert [("e3", "extra", "2026-01", 2, 3)] == moved(found)
    assert ["20.00 USD", "27.00 USD"] == [str(figure.amount) for figure in effect.moves]
    assert [("2026-01", 2, 3)] == [(t.cycle.name, t.ours.peak, t.theirs.peak) for t in found.totals]


def test_without_a_plan_there_are_only_peaks() -> None:
    """What is not priced has no amount."""
    found = compare("e1 ada calls 20", "e1 ada calls 20 \n e2 bo calls 20", plan=None)
    assert {None} == {figure.amount for total in found.totals for figure in (total.ours, total.theirs)}


def test_a_deletion_that_is_missing_raises_the_peak() -> None:
    """Ada was gone before bo came."""
    kept = "e1 ada calls 5 \n e3 bo calls 10"
    found = compare(kept + "\n e2 ada deleted 8", kept)
    assert [("e2", "missing", "2026-01", 1, 2), ("e2", "missing", "2026-02", 1, 2)] == moved(found)


def test_an_event_shifted_over_the_bound_of_a_cycle_moves_both() -> None:
    """A connect of 31 January at noon counts in January and February; one of 1 February in February alone."""
    found = compare("e1 ada connects 31.5", "e1 ada connects 32")
    assert [("e1", "shifted", "2026-01", 1, 0)] == moved(found)
    peaks = [(t.cycle.name, t.ours.peak, t.theirs.peak) for t in found.totals]
    assert [("2026-01", 1, 0), ("2026-02", 1, 1), ("2026-03", 0, 0)] == peaks


def test_a_standard_type_in_one_source_takes_its_identity_out_of_all_cycles() -> None:
    """A type is timeless."""
    acts = "e1 ada calls 1 \n e2 ada calls 70 \n e3 bo calls 1"
    found = compare(acts, acts + "\n e4 ada is standard")
    assert [("e4", "extra", "2026-01", 2, 1), ("e4", "extra", "2026-03", 1, 0),
            ("e4", "extra", "2026-04", 1, 0)] == moved(found)  # fmt: skip


def test_an_engagement_type_in_one_source_moves_nothing() -> None:
    """An identity counts as one without it."""
    found = compare("e1 ada calls 1", "e1 ada calls 1 \n e4 ada is engagement")
    assert ((), (), 1) == (found.effects, found.totals, found.noise)


def test_of_two_types_that_of_the_source_stays() -> None:
    """Taken over alone, neither changes anything; theirs comes of ours only by both."""
    ours, theirs = "e1 ada calls 1 \n c1 ada is engagement", "e1 ada calls 1 \n c2 ada is standard"
    found = compare(ours, theirs)
    assert [("c2", "extra", "2026-01", 1, 0)] == moved(found)
    assert ["last"] == [effect.adopted for effect in found.effects]
    assert [["c1"]] == [[d.event.event_id for d in group.differences] for group in found.together]


def test_a_void_in_one_source_takes_away_what_it_voids() -> None:
    """In the cycles of the event that it names, whenever it was recorded."""
    acts = "e1 ada calls 1 \n e2 bo calls 1"
    found = compare(acts, acts + "\n e3 ada voids e1")
    assert [("e3", "extra", "2026-01", 2, 1)] == moved(found)


def test_a_void_of_what_only_one_source_has_moves_nothing() -> None:
    """Theirs took back what ours never had: each alone is noise, or would be undone."""
    acts = "e1 ada calls 1"
    found = compare(acts, acts + "\n e2 bo calls 1 \n e3 bo voids e2")
    assert [("e2", "extra", "2026-01", 1, 2), ("e3", "extra", "2026-01", 2, 1)] == moved(found)
    assert [(1, 1)] == [(t.ours.peak, t.theirs.peak) for t in found.totals]


def test_a_void_that_misses_what_was_renamed_is_seen() -> None:
    """By theirs the event has another id, so the void no longer takes it away."""
    found = compare("e1 ada calls 1 \n v1 ada voids e1", "x1 ada calls 1 \n v1 ada voids e1")
    assert [("e1", "renamed", "2026-01", 0, 1)] == moved(found)


def test_what_two_events_do_for_one_another_belongs_to_both() -> None:
    """Either of two actions keeps ada active while bo is: each is the last that can be put back."""
    ours = "e1 ada calls 1 \n e2 ada calls 2 \n e3 bo calls 3"
    found = compare(ours, "e3 bo calls 3", first="2026-01", last="2026-01")
    assert [("e1", "missing", "2026-01", 2, 1), ("e2", "missing", "2026-01", 2, 1)] == moved(found)
    assert {(2, 2)} == {(effect.ours.peak, effect.alone.peak) for effect in found.effects}


def test_two_events_that_matter_only_together_are_named_together() -> None:
    """One more on the 20th only makes two, as on the 1st; and of each of the two there is one event too many."""
    ours = "e1 ada connects 1 \n e2 bo connects 1 \n e3 cy connects 20"
    late = "\n x1 di calls 20 \n x2 di calls 20.1 \n x3 el calls 20 \n x4 el calls 20.1"
    found = compare(ours, ours + late, first="2026-01", last="2026-01")
    assert [] == moved(found)
    (group,) = found.together
    assert (["x2", "x4"], 2, 3) == ([d.event.event_id for d in group.differences], group.before.peak, group.after.peak)
    assert (2, 2) == (len(found.matters), found.noise)


# What is asked for.


def test_only_the_accounts_and_the_time_that_are_asked_for_are_compared() -> None:
    """As of a moment, what occurred then or later is left out of both, and cycles that have not begun."""
    bolt = replace(events("e1 bo calls 1")[0], account_id="bolt")
    theirs = [bolt, *events("e1 ada calls 1 \n e2 ada calls 40")]
    found = compare([bolt], theirs, accounts=("acme",), as_of=_day("20"))
    assert ["e1"] == [d.event.event_id for d in found.differences]
    assert [("e1", "extra", "2026-01", 0, 1)] == moved(found)
    assert 2 == len(compare([bolt], theirs).differences)
    with pytest.raises(UnknownAccount):
        compare([bolt], theirs, accounts=("acne",))


def test_a_void_concerns_its_own_account() -> None:
    """Ids belong to their account, and another may use the same."""
    acts = events("e1 ada calls 1")
    bolt = [replace(acts[0], account_id="bolt"), replace(acts[0], account_id="bolt", event_id="e2")]
    found = compare([*acts, *bolt], [*acts, *bolt, *events("e3 ada voids e1")])
    assert [("e3", "extra", "2026-01", 1, 0)] == moved(found)


def test_what_differs_in_no_matter_is_noise_beside_what_matters() -> None:
    """Of one identity, one action is renamed and its void too, and another is missing."""
    ours = "e1 ada calls 1 \n e2 ada calls 2 \n v1 ada voids e2 \n e3 ada calls 70"
    found = compare(ours, "x1 ada calls 1 \n e2 ada calls 2 \n v2 ada voids e2")
    assert [("e3", "missing", "2026-03", 1, 0), ("e3", "missing", "2026-04", 1, 0)] == moved(found)
    assert (["e1", "v1"], 2) == (
        [d.event.event_id for d in found.differences if d.kind == "renamed"], found.noise)  # fmt: skip


def test_progress_counts_the_differences_that_are_done() -> None:
    """For a bar that shows that something happens."""
    counts: list[int] = []
    encoder = Encoder()
    ours, theirs = (load_source(table(events(f"e{k} ada calls 1")), ReadOptions(), encoder) for k in (1, 2))
    compare_sources(ours, theirs, encoder, Query(), progress=counts.append)
    assert [1] == counts


def test_the_smallest_part_that_shows_it_has_no_pair_too_many() -> None:
    """An event and the one that voids it cannot be left out one at a time."""
    assert [1] == minimize([1, 2, 3], lambda some: 1 in some and (2 in some) == (3 in some))
    assert list(range(13)) == minimize(list(range(13)), lambda some: len(some) == 13)


# On the command line.


def test_the_command_line_names_what_matters_and_counts_the_rest(cli: Cli, tmp_path: Path) -> None:
    """The exit status is 1 where any event differs, and 0 where none does."""
    header = "event_id,account_id,identity_id,type,occurred_at,mode\n"
    one = header + "e1,acme,ada,action.called,2026-01-05T00:00:00Z,auto\n"
    (tmp_path / "a.csv").write_text(one, encoding="utf-8")
    (tmp_path / "b.csv").write_text(
        one.replace("auto", "direct") + "e2,acme,bo,integration.connected,2026-01-06T00:00:00Z,\n", encoding="utf-8"
    )
    words = "reconcile-events", str(tmp_path / "a.csv"), str(tmp_path / "b.csv")
    table_, json_, csv_ = (cli(*words, "--format", format) for format in ("table", "json", "csv"))
    assert (1, 1, 1) == (table_.status, json_.status, csv_.status)
    assert "2 events differ: 1 extra, 1 conflicting. 1 of them moves a bill; the other 1 is noise." in table_.out
    document = json.loads(json_.out)
    assert (["e2"], 1) == ([e["theirs"]["event_id"] for e in document["events"]], document["noise"])
    january = "2026-01,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z"
    row = f"2,extra,,acme,{january},e2,bo,integration.connected,,2026-01-06T00:00:00Z,alone,1,2,,,"
    assert row in csv_.out.splitlines()
    assert "1,conflicting,mode,acme,,,,e1," in cli(*words, "--all", "--format", "csv").out
    same = cli("reconcile-events", words[1], words[1])
    assert (0, True) == (same.status, same.out.startswith("No event differs between "))
    assert 2 == cli("reconcile", words[1], words[2]).status


def test_in_python_it_is_align() -> None:
    """The same, with everything as facts."""
    one, other = table(events("e1 ada calls 1")), table(events("e2 bo calls 1 \n e1 ada calls 1"))
    found = billing.align(one, other, terms=PLAN, first="2026-01", last="2026-01")
    assert (["e2"], {"extra": 1}) == (
        [d.event.event_id for d in found.matters], {kind: n for kind, n in found.counts.items() if n})  # fmt: skip


# All of it, by the definition.

Cycles = list[tuple[int, int]]
CYCLES: Cycles = [definition.cycle(k) for k in range(12 * 25 + 6, 12 * 26 + 8)]


def settled(events: Iterable[Event]) -> list[Event]:
    """The events of a source that are accepted: each id once, and no void of a void."""
    kept = list({e.event_id: e for e in reversed(list(events))}.values())[::-1]
    voids = {e.event_id for e in kept if e.type == "event.voided"}
    return [e for e in kept if e.voids not in voids or e.type != "event.voided"]


@st.composite
def two_sources(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """A small ledger in which much happens at once, and another that shares some of its events."""
    one, more = (
        [replace(e, event_id=e.event_id or f"n{k}") for k, e in enumerate(draw(strategies.ledgers(conflicts=False)))]
        for _ in range(2)
    )
    kept = [e for e in one if draw(st.sampled_from((True, True, False)))]
    added = [e for e in more if draw(st.booleans())]
    return one, strategies.without_conflicts(kept + added) or one


def with_taken_over(base: list[Event], differences: Iterable[Difference], *, back: bool = False) -> list[Event]:
    """One source with some differences taken over from the other, which come after all else."""
    changed = list(base)
    for difference in differences:
        out, into = (difference.theirs, difference.ours) if back else (difference.ours, difference.theirs)
        if out is not None:
            changed = [e for e in changed if not _same(e, out)]
        if into is not None:
            changed.append(_plain(into))
    return changed


def _plain(of: DiffEvent) -> Event:
    return Event(of.account_id, of.identity_id, of.type, of.occurred_at, of.event_id, of.identity_type, of.voids)


def _same(one: Event, other: DiffEvent) -> bool:
    if other.event_id is not None and one.event_id is not None:
        return one.event_id == other.event_id
    same = ("identity_id", "type", "occurred_at", "identity_type")
    return all(getattr(one, field) == getattr(other, field) for field in same)


@dataclass(frozen=True)
class Judge:
    """What the definition says of two sources, and of each with differences taken over."""

    ours: list[Event]
    theirs: list[Event]
    reconnect: str

    def figures(self, events: list[Event]) -> list[int]:
        return [definition.peak(events, *cycle, reconnect=self.reconnect)[0] for cycle in CYCLES]

    def agrees(self, found: Alignment) -> None:
        """Every effect is that of the definition, and nothing else has one."""
        ours, theirs = self.figures(self.ours), self.figures(self.theirs)
        assert theirs == self.figures(with_taken_over(self.ours, found.differences))
        assert ours == self.figures(with_taken_over(self.theirs, found.differences, back=True))
        expected = []
        for difference in found.differences:
            alone = self.figures(with_taken_over(self.ours, [difference]))
            undone = self.figures(with_taken_over(self.theirs, [difference], back=True))
            rows = zip(CYCLES, ours, alone, undone, theirs, strict=True)
            expected += [(difference, *row) for row in rows if row[1] != row[2] or row[3] != row[4]]
        measured = [
            (e.difference, (micros(e.cycle.start), micros(e.cycle.end)), e.ours.peak, e.alone.peak, e.undone.peak,
             e.theirs.peak)
            for e in found.effects
        ]  # fmt: skip
        assert sorted(expected, key=repr) == sorted(measured, key=repr)
        self._carried(found, ours, theirs)

    def _carried(self, found: Alignment, ours: list[int], theirs: list[int]) -> None:
        """What is named for a cycle carries ours to theirs, and of those named together each is needed."""
        totals = {(micros(t.cycle.start), micros(t.cycle.end)): (t.ours.peak, t.theirs.peak) for t in found.totals}
        for k, cycle in enumerate(CYCLES):
            assert totals.get(cycle, (ours[k], ours[k])) == (ours[k], theirs[k])
            alone = [e.difference for e in found.effects if micros(e.cycle.start) == cycle[0]]
            groups = [g.differences for g in found.together if micros(g.cycle.start) == cycle[0]]
            named = [*alone, *(difference for group in groups for difference in group)]
            assert theirs[k] == self._peak(named, cycle)
            for group in groups:
                for one in group:
                    assert theirs[k] != self._peak([d for d in named if d is not one], cycle)

    def _peak(self, taken: Sequence[Difference], cycle: tuple[int, int]) -> int:
        return definition.peak(with_taken_over(self.ours, taken), *cycle, reconnect=self.reconnect)[0]


@given(two_sources(), st.sampled_from(("extends", "restarts")))
def test_every_effect_is_that_of_the_definition(sides: tuple[list[Event], list[Event]], reconnect: Any) -> None:
    """Taken over alone, undone alone, all of them, and those that matter only together."""
    ours, theirs = sides
    found = align(table(ours), table(theirs), Query(policy=ActivityPolicy(reconnect=reconnect)))
    Judge(settled(ours), settled(theirs), reconnect).agrees(found)


@given(two_sources(), st.sampled_from(((True, False), (False, True), (False, False))))
def test_without_ids_every_effect_is_that_of_the_definition(
    sides: tuple[list[Event], list[Event]], ids: tuple[bool, bool]
) -> None:
    """Where one source has no ids, what happened is compared."""
    ours, theirs = (_happened(side, named) for side, named in zip(sides, ids, strict=True))
    found = align(table(sides[0], ids=ids[0]), table(sides[1], ids=ids[1]), Query())
    differences = tuple(_nameless(d) for d in found.differences)
    number = {id(d): k for k, d in enumerate(found.differences)}
    effects = tuple(replace(e, difference=differences[number[id(e.difference)]]) for e in found.effects)
    together = tuple(
        replace(g, differences=tuple(differences[number[id(d)]] for d in g.differences)) for g in found.together
    )
    Judge(ours, theirs, "extends").agrees(replace(found, differences=differences, effects=effects, together=together))


def _happened(events: list[Event], named: bool) -> list[Event]:
    own = definition.happened(events if named else [replace(e, event_id=None) for e in events])
    return [replace(e, event_id=None) for e in own]


def _nameless(of: Difference) -> Difference:
    ours, theirs = (None if event is None else replace(event, event_id=None) for event in (of.ours, of.theirs))
    return replace(of, ours=ours, theirs=theirs)
