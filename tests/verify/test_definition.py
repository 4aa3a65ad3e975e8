"""The definition on stories short enough to work out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.verify.definition import DAY, Event, covers_of, peak
from billing.verify.laws.story import united

CYCLE = (0, 31 * DAY)
NEXT = (31 * DAY, 62 * DAY)


def connect(day: float, identity: str = "ada") -> Event:
    return Event("acme", identity, "integration.connected", round(day * DAY))


def action(day: float, identity: str = "ada") -> Event:
    return Event("acme", identity, "action.called", round(day * DAY))


def delete(day: float, identity: str = "ada") -> Event:
    return Event("acme", identity, "identity.deleted", round(day * DAY))


def created(identity: str = "ada", kind: str = "engagement") -> Event:
    return Event("acme", identity, "identity.created", 0, identity_type=kind)


def all_of(count: int, event: Event) -> list[Event]:
    return [replace(event, identity_id=f"id{k}") for k in range(count)]


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([created()], []),
        ([connect(0)], [(0, 5)]),
        ([connect(0), delete(1)], [(0, 1)]),
        ([connect(0), action(4)], [(0, 34)]),
        ([connect(0), action(6)], [(0, 5), (6, 36)]),
        ([action(0), action(29.9)], [(0, 59.9)]),
        ([action(0), action(30)], [(0, 60)]),
        ([action(0), delete(0)], []),
        ([action(0), delete(3), action(9)], [(0, 3), (9, 39)]),
        ([action(0), connect(3)], [(0, 30)]),
    ],
)
def test_an_identity_is_active_when_the_published_rule_says_so(
    history: list[Event], expected: list[tuple[float, float]]
) -> None:
    """The engine is compared with the definition, and the definition with these lines."""
    spans = united((since, until) for _, since, until in covers_of(history))
    assert [(round(start * DAY), round(end * DAY)) for start, end in expected] == spans


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([action(0), connect(3)], [(0, 3), (3, 8)]),
        ([action(0), connect(0)], [(0, 30), (0, 5)]),
        ([connect(0), connect(3), action(4)], [(0, 3), (3, 8), (4, 34)]),
    ],
)
def test_a_connect_that_restarts_ends_what_began_before_it(
    history: list[Event], expected: list[tuple[float, float]]
) -> None:
    """The other reading of the public rule cuts earlier covers, and none that begins with it."""
    covers = [(since, until) for _, since, until in covers_of(history, reconnect="restarts")]
    assert [(round(start * DAY), round(end * DAY)) for start, end in expected] == covers


def test_eight_are_billed_though_ten_were_active_at_some_point() -> None:
    """The published example: 5, three more, two fewer, two more, three fewer."""
    events = [
        *(action(0, f"a{k}") for k in range(5)),
        *(action(2, f"b{k}") for k in range(3)),
        *(delete(4, f"a{k}") for k in range(2)),
        *(action(6, f"c{k}") for k in range(2)),
        *(delete(8, f"b{k}") for k in range(3)),
    ]
    assert (8, 2 * DAY) == peak(events, *CYCLE)


@pytest.mark.parametrize(
    ("deleted", "recreated", "expected"),
    [(10, 0, (10, 0)), (10, 10, (10, 10)), (1, 0, (10, 9)), (1, 1, (10, 10))],
)
def test_deleting_lowers_the_next_cycle_and_recreating_raises_it_again(
    deleted: int, recreated: int, expected: tuple[int, int]
) -> None:
    """The published examples: whoever is deleted was still active in this cycle, and is not in the next."""
    events = [
        *all_of(10, action(20)),
        *all_of(deleted, delete(25)),
        *(action(26, f"new{k}") for k in range(recreated)),
    ]
    assert expected == (peak(events, *CYCLE)[0], peak(events, *NEXT)[0])


def test_one_who_ends_as_another_begins_is_never_counted_with_them() -> None:
    """Spans are half-open: handing over a seat does not cost two."""
    assert (1, 0) == peak([connect(0), connect(5, "bo")], *CYCLE)


def test_a_peak_carried_in_is_reached_when_the_cycle_starts() -> None:
    """Nothing happens in the cycle, and yet an identity is active in it."""
    assert (1, 31 * DAY) == peak([action(20)], *NEXT)


def test_only_engagement_identities_are_counted() -> None:
    """Whatever else an account has is not billed by its peak; the type may come after the fact."""
    assert (1, 0) == peak([action(0), action(0, "bo"), created("bo", "standard")], *CYCLE)


def test_what_was_voided_never_happened() -> None:
    """A void may stand before what it voids, repeats of it included."""
    mistake = replace(action(0), event_id="e1")
    void = Event("acme", "ada", "event.voided", 0, event_id="e2", voids="e1")
    assert (0, None) == peak([void, mistake, mistake], *CYCLE)


def test_a_void_cannot_be_voided() -> None:
    """Otherwise what happened would hang on a chain; the second void is rejected, the first stays."""
    mistake = replace(action(0), event_id="e1")
    void = Event("acme", "ada", "event.voided", 0, event_id="e2", voids="e1")
    again = Event("acme", "ada", "event.voided", 0, event_id="e3", voids="e2")
    assert (0, None) == peak([mistake, void, again], *CYCLE)


def test_of_two_contents_for_one_id_the_first_stays() -> None:
    """An id stands for one event, whatever is sent under it later."""
    first = replace(action(0), event_id="e1")
    assert (1, 0) == peak([first, replace(action(3, "bo"), event_id="e1")], *CYCLE)
