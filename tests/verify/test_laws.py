"""Every law of `billing.verify.laws`, searched for what breaks it; every false one refuted; and engines that are wrong.

The laws are judged on our engine and on the definition, so that a mistake in the definition itself
would show. `tests/README.md` lists them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from billing.core.activity import ActivityPolicy
from billing.verify.definition import Event
from billing.verify.laws import DEFINITION, FALSE_LAWS, LAWS, OURS, Engine, Law, NotRefuted
from billing.verify.laws.law import false_law, law
from billing.verify.laws.story import Activity, Story, stories
from billing.verify.strategies import Span
from tests.support import law_table
from tests.support.ledgers import LONG

TESTS = Path(__file__).parents[1]
#: Every number of the list, the gaps of which are statements that were taken back.
NUMBERS = {f"I{k:02}" for k in range(1, 89)} - {"I26", "I29"}

ON_OURS = [pytest.param(law, id=f"{law.number}-{law.name}") for law in LAWS]
ON_THE_DEFINITION = [pytest.param(law, id=f"{law.number}-{law.name}") for law in LAWS if law.judges_an_engine]
FALSE = [pytest.param(law, id=f"{law.number}-{law.name}") for law in FALSE_LAWS]


@pytest.mark.parametrize("law", ON_OURS)
def test_no_example_breaks_a_law(law: Law) -> None:
    """Nor one of thousands, in the long run."""
    law.hold(examples=law_table.examples_of(law)[LONG])


@pytest.mark.parametrize("law", ON_THE_DEFINITION)
def test_no_example_breaks_a_law_on_the_definition(law: Law) -> None:
    """By which all else is judged, so that a mistake in it must show by itself."""
    law.hold(examples=law_table.LONG if LONG else law_table.ON_THE_DEFINITION, engine=DEFINITION)


@pytest.mark.parametrize("law", FALSE)
def test_a_false_law_is_refuted(law: Law) -> None:
    """Generators that could not refute it would find nothing else either."""
    drawn = law.refute(examples=1_000, shrink=False)
    with pytest.raises(AssertionError):
        law.try_on(drawn)


@pytest.mark.parametrize("law", FALSE)
def test_the_counterexample_of_the_table_is_one(law: Law) -> None:
    """It is small enough to be worked out by hand, and the definition says the same."""
    for engine in (OURS, DEFINITION):
        with pytest.raises(AssertionError):
            law.try_on(law_table.COUNTEREXAMPLES[law.number][1], engine=engine)


# An engine that is wrong.


class StartsFirst:
    """Counts one who ends and one who begins at the same instant as two."""

    def activity(self, events: Sequence[Event], policy: ActivityPolicy) -> Activity:
        return OURS.activity(events, policy)

    def peak(self, events: Sequence[Event], span: Span, policy: ActivityPolicy) -> tuple[int, int | None]:
        longer = [(start, end + 1) for spans in self.activity(events, policy).values() for start, end in spans]
        return _highest(longer, span)


class ForgetsWhoWasCarriedIn:
    """Counts only those who become active within the cycle."""

    def activity(self, events: Sequence[Event], policy: ActivityPolicy) -> Activity:
        return OURS.activity(events, policy)

    def peak(self, events: Sequence[Event], span: Span, policy: ActivityPolicy) -> tuple[int, int | None]:
        return OURS.peak([e for e in events if e.occurred_at >= span[0]], span, policy)


class OneDayMore:
    """Takes 30 days for 31."""

    def activity(self, events: Sequence[Event], policy: ActivityPolicy) -> Activity:
        return OURS.activity(events, _longer(policy))

    def peak(self, events: Sequence[Event], span: Span, policy: ActivityPolicy) -> tuple[int, int | None]:
        return OURS.peak(events, span, _longer(policy))


class DeletionLosesATie:
    """Keeps an activation at the very instant of a deletion."""

    def activity(self, events: Sequence[Event], policy: ActivityPolicy) -> Activity:
        return DEFINITION.activity(_earlier(events), policy)

    def peak(self, events: Sequence[Event], span: Span, policy: ActivityPolicy) -> tuple[int, int | None]:
        return DEFINITION.peak(_earlier(events), span, policy)


class AddsShardsUp:
    """Adds up the peaks of identities, each at its own moment."""

    def activity(self, events: Sequence[Event], policy: ActivityPolicy) -> Activity:
        return OURS.activity(events, policy)

    def peak(self, events: Sequence[Event], span: Span, policy: ActivityPolicy) -> tuple[int, int | None]:
        whole = OURS.peak(events, span, policy)
        inside = [own for own in self.activity(events, policy).values() if _highest(own, span)[0]]
        return len(inside), whole[1]


class CountsTheLastMoment:
    """Takes the end of a cycle for a part of it."""

    def activity(self, events: Sequence[Event], policy: ActivityPolicy) -> Activity:
        return OURS.activity(events, policy)

    def peak(self, events: Sequence[Event], span: Span, policy: ActivityPolicy) -> tuple[int, int | None]:
        return OURS.peak(events, (span[0], span[1] + 1), policy)


@pytest.mark.parametrize(
    ("engine", "broken"),
    [
        (StartsFirst(), ["I38", "I42", "I43"]),
        (ForgetsWhoWasCarriedIn(), ["I38", "I39", "I42"]),
        (OneDayMore(), ["I16", "I18", "I38"]),
        (DeletionLosesATie(), ["I16"]),
        (AddsShardsUp(), ["I38", "I42"]),
        (CountsTheLastMoment(), ["I38", "I46"]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
def test_a_mistake_in_an_engine_breaks_laws(engine: Engine, broken: list[str]) -> None:
    """Each of these has been made by some billing system."""
    for each in LAWS:
        if each.number in broken and each.judges_an_engine:
            with pytest.raises(AssertionError) as found:
                each.hold(examples=2_000, engine=engine, shrink=False)
            assert f"This breaks {each}" in found.value.__notes__


# What a law is.


def test_an_example_that_breaks_a_law_comes_small_and_each_time_the_same() -> None:
    """Whoever hears of one can look at it."""

    @law("I00", stories())
    def nothing_ever_happens(story: Story) -> None:
        """Nothing ever happens. Something does."""
        tried.append(story)
        assert not story.events

    found = []
    for _ in range(2):
        tried: list[Story] = []
        with pytest.raises(AssertionError, match="assert not"):
            nothing_ever_happens.hold(examples=10)
        found.append(tried)
    assert found[0] == found[1]
    assert len(tried[-1].events) == 1
    assert "I00 nothing_ever_happens: Nothing ever happens." == str(nothing_ever_happens)


def test_a_false_law_that_no_example_refutes_is_reported() -> None:
    """The search was too blunt, or the law is true."""

    @false_law("I00", stories())
    def something_always_happens(story: Story) -> None:
        """Something always happens."""
        assert story.events

    with pytest.raises(NotRefuted, match="10 examples do not refute I00 something_always_happens"):
        something_always_happens.refute(examples=10)


# The list of laws.


def test_every_statement_of_the_list_is_a_law_or_is_tried_elsewhere() -> None:
    """None is left out without a reason."""
    laws = {law.number for law in [*LAWS, *FALSE_LAWS]}
    assert NUMBERS == laws | law_table.ELSEWHERE.keys()
    assert {law.number for law in LAWS}.isdisjoint(law.number for law in FALSE_LAWS)
    assert law_table.COUNTEREXAMPLES.keys() == {law.number for law in FALSE_LAWS}


def test_every_test_that_is_named_elsewhere_exists() -> None:
    """A law that is tried by a test that was renamed is tried by none."""
    for reason in law_table.ELSEWHERE.values():
        for file, name in re.findall(r"(test_\w+\.py)::(test_\w+)", reason):
            (path,) = TESTS.rglob(file)
            assert f"def {name}(" in path.read_text(encoding="utf-8")


def test_the_table_of_laws_is_that_of_the_readme() -> None:
    """It is printed by `python -m tests.support.law_table`."""
    assert law_table.table() in (TESTS / "README.md").read_text(encoding="utf-8")


def test_every_law_is_named_for_what_it_states() -> None:
    """Names are unique, and the first sentence can be read by a customer."""
    names = [law.name for law in [*LAWS, *FALSE_LAWS]]
    assert len(set(names)) == len(names)
    for each in [*LAWS, *FALSE_LAWS]:
        assert re.fullmatch(r"[A-Z][^_`]{20,160}\.", each.statement), each
        assert inspect.signature(each.check).return_annotation in (None, "None")


def _highest(spans: Sequence[Span], span: Span) -> tuple[int, int | None]:
    candidates = sorted({span[0], *(start for start, _ in spans if span[0] <= start < span[1])})
    counts = {t: sum(start <= t < end for start, end in spans) for t in candidates}
    best = max(counts.values())
    return best, next(t for t, count in counts.items() if count == best) if best else None


def _longer(policy: ActivityPolicy) -> ActivityPolicy:
    return replace(policy, action_window=policy.action_window + timedelta(days=1))


def _earlier(events: Sequence[Event]) -> list[Event]:
    """The same, with each deletion a microsecond earlier: what happens at its instant comes after it."""
    return [replace(e, occurred_at=e.occurred_at - 1) if e.type == "identity.deleted" else e for e in events]
