"""Movement of a count: by arrivals, expiries and deletions, and by nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from billing.core.activity import ActivityPolicy, Walk
from billing.core.event import CALLED, CONNECTED, DAY, DELETED, TYPES, Columns
from billing.outputs.charts.movement import Movements, movements
from billing.verify.definition import Event, active_at

#: (identity, type, day)
Row = tuple[int, int, int]


def moved(rows: list[Row]) -> Movements:
    """The movements of some events, whose instants are days."""
    rows = sorted(rows, key=lambda row: row[2])
    events = Columns(
        np.array([identity for identity, _, _ in rows], np.int32),
        np.array([kind for _, kind, _ in rows], np.int8),
        np.array([day * DAY for _, _, day in rows], np.int64),
    )
    walk = Walk(ActivityPolicy())
    walk.feed(events, 3)
    return movements(events, walk.intervals())


def days(of: Movements) -> tuple[list[int], ...]:
    """Arrivals, expiries and deletions, in days."""
    return tuple((at // DAY).tolist() for at in (of.arrivals, of.expiries, of.deletions))


def test_a_deletion_while_active_is_no_expiry() -> None:
    """A customer asks for the one or the other."""
    assert ([0], [], [3]) == days(moved([(0, CONNECTED, 0), (0, DELETED, 3)]))
    assert ([0], [5], []) == days(moved([(0, CONNECTED, 0)]))


def test_deleting_an_inactive_identity_is_no_movement() -> None:
    """The count was lower before."""
    assert ([0], [5], []) == days(moved([(0, CONNECTED, 0), (0, DELETED, 8)]))


def test_the_deletion_of_another_at_the_moment_of_an_expiry_makes_it_no_deletion() -> None:
    """Two things at one instant are told apart by whose they are."""
    assert ([0, 0], [5], [5]) == days(moved([(0, CONNECTED, 0), (1, CALLED, 0), (1, DELETED, 5)]))


def test_an_identity_active_again_after_deletion_arrives_twice() -> None:
    """Each time is an interval of its own."""
    assert ([0, 4], [9], [2]) == days(moved([(0, CONNECTED, 0), (0, DELETED, 2), (0, CONNECTED, 4)]))


def test_what_holds_when_a_cycle_begins_was_carried_in() -> None:
    """Its first count has it already, and its end is another cycle's."""
    inside = moved([(0, CONNECTED, 0), (1, CONNECTED, 1), (2, CONNECTED, 5)]).within(0, 10 * DAY)

    assert ([1, 5], [5, 6], []) == days(inside)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from((CONNECTED, CALLED, DELETED)), st.integers(0, 45)), max_size=12
    )
)
def test_the_count_is_what_arrived_less_what_left(rows: list[Row]) -> None:
    """At every instant, as the definition counts it."""
    movement = moved(rows)
    events = [Event("acme", str(identity), TYPES[kind], day * DAY) for identity, kind, day in rows]

    for day in range(80):
        arrived, asleep, deleted = (
            int((at <= day * DAY).sum()) for at in (movement.arrivals, movement.expiries, movement.deletions)
        )
        assert len(active_at(events, day * DAY)) == arrived - asleep - deleted
