"""Engines that laws can be tried on: whatever computes when identities were active, and how many at once.

There are two, ours and the definition, so that a mistake in the definition itself would show. Another
one can be given to `Law.hold`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from ... import engine
from ...core.activity import ActivityPolicy
from ...core.sweep import Spans, sweep
from ...engine import pipeline
from ...engine.query import Query
from .. import definition
from ..audit.events import table
from ..definition import Event
from ..strategies import Span
from .story import Activity, by_account, policy_settings, united


class Engine(Protocol):
    """Computes when identities were active, and how many at once. Events come in any order."""

    def activity(self, events: Sequence[Event], policy: ActivityPolicy) -> Activity:
        """The maximal spans in which each identity was active, in order; identities without any left out."""

    def peak(self, events: Sequence[Event], span: Span, policy: ActivityPolicy) -> tuple[int, int | None]:
        """The most identities of one account active at one instant of a span, and the first such instant."""


class Ours:
    """The engine that makes invoices."""

    def activity(self, events: Sequence[Event], policy: ActivityPolicy) -> Activity:
        """The intervals of the state machine."""
        active = _found(events, policy)
        intervals, names = active.intervals, active.names
        spans: Activity = defaultdict(list)
        for account, identity, start, end in zip(
            active.accounts, intervals.identities, intervals.starts, intervals.ends, strict=True
        ):
            key = names.accounts[int(account)].as_py(), names.identities[int(identity)].as_py()
            spans[key].append((int(start), int(end)))
        return dict(spans)

    def peak(self, events: Sequence[Event], span: Span, policy: ActivityPolicy) -> tuple[int, int | None]:
        """What the sweep finds, in any span."""
        active = _found(events, policy)
        peaks = sweep(active.intervals, np.zeros(len(active.intervals), np.int32), Spans.of([span]))
        count = int(peaks.counts[0])
        return count, int(peaks.instants[0]) if count else None


class Definition:
    """The definition, read literally."""

    def activity(self, events: Sequence[Event], policy: ActivityPolicy) -> Activity:
        """The covers of each identity, joined where they touch."""
        spans: Activity = {}
        for account, own in by_account(events).items():
            for identity, history in definition.billed(own).items():
                covers = definition.covers_of(history, **policy_settings(policy))
                if covers:
                    spans[account, identity] = united((since, until) for _, since, until in covers)
        return spans

    def peak(self, events: Sequence[Event], span: Span, policy: ActivityPolicy) -> tuple[int, int | None]:
        """The highest count at any instant at which it changes."""
        return definition.peak(events, *span, **policy_settings(policy))


OURS: Final = Ours()
DEFINITION: Final = Definition()


def _found(events: Sequence[Event], policy: ActivityPolicy) -> pipeline.Activity:
    # Without the column of ids, the engine skips the search for repeats: that way is tried too.
    ids = any(event.event_id is not None for event in events)
    return engine.activity(table(events, ids=ids), Query(policy=policy))
