"""The walk from events to intervals, where the laws do not look: columns, batches, machine code."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations_with_replacement, pairwise, permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing import ActivityPolicy, BadPolicy
from billing.core import activity
from billing.core.activity import Intervals, OutOfOrder, Walk
from billing.core.event import CALLED, CONNECTED, DELETED, INSTANT_MAX, INSTANT_MIN, Columns

DAY = 86_400_000_000
#: (instant, identity, type), in days where nothing else is said.
Row = tuple[int, int, int]
POLICIES = (ActivityPolicy(), ActivityPolicy(reconnect="restarts"))

policies = st.sampled_from(POLICIES)
rows = st.lists(
    st.tuples(
        st.builds(int.__add__, st.sampled_from([0, DAY, 5 * DAY, 30 * DAY, 35 * DAY]), st.sampled_from([0, -1, 1])),
        st.integers(0, 3),
        st.sampled_from([CALLED, CONNECTED, DELETED]),
    ),
    max_size=20,
)


def columns(told: list[Row]) -> Columns:
    instants, identities, types = zip(*told, strict=True) if told else ((), (), ())
    return Columns(np.array(identities, np.int32), np.array(types, np.int8), np.array(instants, np.int64))


def walked(told: list[Row], policy: ActivityPolicy = POLICIES[0], cuts: list[int] | None = None) -> list[Any]:
    """Intervals of events fed in pieces, cut at some rows."""
    walk = Walk(policy)
    bounds = [0, *sorted(min(cut, len(told)) for cut in cuts or []), len(told)]
    for first, last in pairwise(bounds):
        walk.feed(columns(told[first:last]), 1 + max((i for _, i, _ in told[:last]), default=-1))
    return listed(walk.intervals())


def listed(found: Intervals) -> list[Any]:
    return [found.identities.tolist(), found.starts.tolist(), found.ends.tolist(), found.after_deletion.tolist()]


@given(rows.map(sorted), policies, st.lists(st.integers(0, 20)))
def test_how_events_are_cut_into_batches_changes_nothing(
    told: list[Row], policy: ActivityPolicy, cuts: list[int]
) -> None:
    """A file of a thousand row groups says the same as one of one."""
    assert walked(told, policy) == walked(told, policy, cuts)


@given(rows.map(sorted), policies, st.lists(st.integers(0, 20)))
def test_machine_code_gives_the_answers_of_what_it_was_made_from(
    told: list[Row], policy: ActivityPolicy, cuts: list[int]
) -> None:
    """Few events are walked uncompiled, many compiled, and nobody may see where the change is."""
    expected = walked(told, policy, cuts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(activity, "SMALL", 0)  # nothing is small
        assert expected == walked(told, policy, cuts)


@given(rows, policies, st.randoms(use_true_random=False))
def test_the_order_of_events_at_one_instant_changes_nothing(told: list[Row], policy: ActivityPolicy, dice: Any) -> None:
    """Ties are no accident: a deletion wins them whichever comes first."""
    shuffled = sorted(dice.sample(told, len(told)), key=lambda row: row[0])
    assert _spans(walked(sorted(told), policy)) == _spans(walked(shuffled, policy))


@pytest.mark.parametrize("policy", POLICIES, ids=["extends", "restarts"])
def test_every_order_of_three_events_at_one_instant_is_the_same(policy: ActivityPolicy) -> None:
    """All of them, also where a connect that restarts comes after the action that it must not end."""
    for kinds in combinations_with_replacement((CONNECTED, CALLED, DELETED), 3):
        orders = [
            walked([(0, 0, CONNECTED), *((DAY, 0, kind) for kind in order)], policy) for order in permutations(kinds)
        ]
        assert [orders[0]] * len(orders) == orders


@given(
    st.lists(
        st.tuples(
            st.sampled_from([INSTANT_MIN, INSTANT_MAX - 1]) | st.integers(INSTANT_MIN, INSTANT_MAX - 1),
            st.sampled_from([0, 1, 2**20, 2**31 - 1]),
            st.sampled_from([CONNECTED, CALLED, DELETED]),
        ),
        min_size=2,
    )
)
@example([(INSTANT_MAX - 1, 2**31 - 1, CALLED), (INSTANT_MIN, 2**31 - 1, DELETED)])
def test_events_are_put_in_order_of_time(told: list[Row]) -> None:
    """Two centuries and two thousand million identities do not fit one integer, and are halved until they do."""
    ordered = columns(told).in_order_of_time()
    got = list(zip(ordered.instants.tolist(), ordered.identities.tolist(), ordered.types.tolist(), strict=True))
    assert [row[0] for row in sorted(told)] == [row[0] for row in got]
    assert sorted(told) == sorted(got)


def test_many_events_are_walked_by_machine_code_however_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fed before counts, too: the first two are few, with the next two they are many."""
    used: list[str] = []

    def noted(kernel: Any) -> Any:
        used.append("machine code")
        return kernel

    monkeypatch.setattr(activity, "SMALL", 4)
    monkeypatch.setattr(activity, "compile_kernel", noted)
    told = [(0, 0, CALLED), (1, 1, CALLED), (2, 0, DELETED), (3, 1, DELETED)]
    assert [[0, 1], [0, 1], [2, 3], [False] * 2] == walked(told, cuts=[2])
    assert ["machine code"] == used


def test_an_event_older_than_the_one_before_stops_the_walk() -> None:
    """Better sorted once than answered wrongly, within a batch or between two."""
    for cuts in ([], [1]):
        with pytest.raises(OutOfOrder):
            walked([(DAY, 0, CALLED), (0, 0, CALLED)], cuts=cuts)


def test_activity_after_a_deletion_is_marked() -> None:
    """An id that comes alive again may be a person, or a mistake worth a look."""
    assert [[0, 0], [0, 2 * DAY], [DAY, 32 * DAY], [False, True]] == walked(
        [(0, 0, CALLED), (DAY, 0, DELETED), (2 * DAY, 0, CALLED)]
    )


def test_an_activation_deleted_at_its_instant_never_was() -> None:
    """Neither order leaves a span of no length."""
    for told in ([(0, 0, CALLED), (0, 0, DELETED)], [(0, 0, DELETED), (0, 0, CALLED)]):
        assert [[], [], [], []] == walked(told)


def test_many_identities_come_one_batch_after_another() -> None:
    """Room is made as they appear, without forgetting those before."""
    told = [(k, k, CONNECTED) for k in range(50)]
    assert [list(range(50)), list(range(50)), [k + 5 * DAY for k in range(50)], [False] * 50] == walked(
        told, cuts=list(range(50))
    )


def test_a_column_grows_to_what_is_needed_and_by_half_at_least() -> None:
    """A million identities that come one by one are not copied a million times."""
    column = np.array([1, 2, 3, 4], np.int8)
    grown = [activity._grow(column, size, 7) for size in (3, 4, 5, 6, 9)]
    assert [4, 4, 6, 6, 9] == [len(longer) for longer in grown]
    assert ([1, 2, 3, 4, 7, 7], np.dtype(np.int8)) == (grown[2].tolist(), grown[2].dtype)
    assert column is grown[1]


def test_intervals_of_several_walks_are_joined_in_order_of_their_starts() -> None:
    """Accounts with different policies are walked apart and swept together."""
    early, late = (Walk(policy) for policy in POLICIES)
    early.feed(columns([(0, 0, CONNECTED), (9 * DAY, 0, CONNECTED)]), 1)
    late.feed(columns([(DAY, 1, CONNECTED)]), 2)
    together = Intervals.concat([early.intervals(), late.intervals()])
    assert [[0, 1, 0], [0, DAY, 9 * DAY], [5 * DAY, 6 * DAY, 14 * DAY], [False] * 3] == listed(together)


def test_intervals_that_start_together_stay_in_the_order_of_their_walks() -> None:
    """A hundred in each, all from one instant, the last of each walk alive again."""
    told = [*((0, k, CONNECTED) for k in range(99)), (0, 99, DELETED), (1, 99, CONNECTED)]
    walks = [Walk(policy) for policy in POLICIES]
    for walk in walks:
        walk.feed(columns(told), 100)
    together = Intervals.concat([walk.intervals() for walk in walks])
    assert [[*range(99), *range(99), 99, 99], [0] * 198 + [1] * 2] == listed(together)[:2]
    assert [False] * 198 + [True] * 2 == listed(together)[3]


@pytest.mark.parametrize("small", [0, 1_000])
@pytest.mark.parametrize("step", [1, 2, 1_000])
def test_events_are_walked_alike_however_many_at_a_time(small: int, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what comes of them has the types that columns have."""
    monkeypatch.setattr(activity, "SMALL", small)
    monkeypatch.setattr(activity, "_STEP", step)
    walk = Walk(POLICIES[1])
    walk.feed(columns([(0, 0, CALLED), (1, 1, CONNECTED), (2, 1, DELETED), (3, 1, CALLED), (4, 0, CONNECTED)]), 2)
    found = walk.intervals()
    assert [[0, 1, 1], [0, 1, 3], [4 + 5 * DAY, 2, 3 + 30 * DAY], [False, False, True]] == listed(found)
    kinds = [column.dtype for column in (found.identities, found.starts, found.ends, found.after_deletion)]
    assert [np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.int64), np.dtype(np.bool_)] == kinds


def test_a_policy_says_how_far_an_event_can_reach() -> None:
    """Nothing older matters to a cycle."""
    assert [30 * DAY, 40 * DAY] == [
        policy.longest_window for policy in (POLICIES[0], ActivityPolicy(connect_window=timedelta(days=40)))
    ]
    assert "2592000000000" == repr(POLICIES[0].longest_window)


@pytest.mark.parametrize(
    ("settings", "code", "field"),
    [
        ({"action_window": timedelta(0)}, "window_range", "action_window"),
        ({"connect_window": timedelta(days=-5)}, "window_range", "connect_window"),
        ({"action_window": timedelta(days=3650, microseconds=1)}, "window_range", "action_window"),
        ({"reconnect": "extend"}, "reconnect_unknown", "reconnect"),
    ],
)
def test_an_impossible_policy_is_refused(settings: dict[str, Any], code: str, field: str) -> None:
    """A window of nothing would bill nobody."""
    with pytest.raises(BadPolicy) as refused:
        ActivityPolicy(**settings)
    assert (code, field) == (refused.value.code, refused.value.details["field"])
    assert settings[field] == refused.value.details["got"]


def test_a_window_may_be_as_long_as_ten_years() -> None:
    """To the microsecond, and as short as one."""
    policy = ActivityPolicy(action_window=timedelta(days=3650), connect_window=timedelta(microseconds=1))
    assert 3650 * DAY == policy.longest_window


def _spans(found: list[Any]) -> list[Any]:
    return sorted(zip(*found, strict=True))
