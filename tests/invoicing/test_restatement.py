"""Which activity of a cycle grew or shrank, and how far a late event reaches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from billing import ActivityPolicy
from billing.core.activity import Intervals
from billing.core.event import Columns, Events, Names, Tally
from billing.invoicing.restatement import activity_changes, affected_span

#: (identity, start, end)
Row = tuple[str, int, int]


def known(*rows: Row) -> tuple[Intervals, Events]:
    """Spans of activity, and the names of whose they are."""
    identities = sorted({identity for identity, _, _ in rows}, reverse=True)
    codes = np.array([identities.index(identity) for identity, _, _ in rows], np.int32)
    starts, ends = (np.array([row[k] for row in rows], np.int64) for k in (1, 2))
    nobody = np.zeros(len(identities), np.bool_)
    names = Names(pa.array(["acme"]), pa.array(identities, pa.string()), np.zeros(len(identities), np.int32), nobody)
    none = np.empty(0, np.int64)
    events = Events(names, Columns(none.astype(np.int32), none.astype(np.int8), none), none, Tally(0, 0, 0, 0))
    return Intervals(codes, starts, ends, np.zeros(len(rows), np.bool_)), events


@pytest.mark.parametrize(
    ("before", "after", "grew", "shrank"),
    [
        ([("ada", 12, 15)], [("ada", 12, 15)], "", ""),
        ([], [("ada", 12, 15)], "ada", ""),
        ([("ada", 12, 15)], [], "", "ada"),
        ([("ada", 12, 15)], [("ada", 12, 16)], "ada", ""),
        ([("ada", 12, 15)], [("ada", 11, 15)], "ada", ""),
        ([("ada", 12, 15)], [("ada", 13, 16)], "ada", "ada"),
        ([("ada", 12, 13), ("ada", 14, 15)], [("ada", 12, 15)], "ada", ""),
        ([("ada", 12, 15)], [("ada", 12, 15), ("bo", 12, 15)], "bo", ""),
        ([("ada", 5, 15)], [("ada", 1, 15)], "", ""),
        ([("ada", 12, 25)], [("ada", 12, 29)], "", ""),
        ([], [("ada", 5, 10)], "", ""),
        ([], [("ada", 20, 25)], "", ""),
        ([], [("ada", 5, 11)], "ada", ""),
        ([], [("ada", 19, 25)], "ada", ""),
    ],
)
def test_activity_that_changed_within_a_cycle_is_told(
    before: list[Row], after: list[Row], grew: str, shrank: str
) -> None:
    """From 10 to 20, half-open; what changed only outside is no matter of this cycle."""
    expected = {grew} - {""}, {shrank} - {""}
    assert expected == activity_changes(known(*before), known(*after), 10, 20)


@pytest.mark.parametrize("timed", ["integration.connected", "action.called", "identity.deleted"])
def test_a_timed_event_reaches_one_longest_window(timed: str) -> None:
    """Whatever its own: it may join or cut what others made."""
    policy = ActivityPolicy()
    assert (7, 7 + policy.longest_window) == affected_span(timed, 7, policy)


@pytest.mark.parametrize("timeless", ["identity.created", "event.voided"])
def test_a_type_and_a_void_reach_everything(timeless: str) -> None:
    """They may speak of any time."""
    start, end = affected_span(timeless, 7, ActivityPolicy())
    assert start < 946_684_800_000_000 < 7_258_118_400_000_000 < end
