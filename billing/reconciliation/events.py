"""The verb of the event diff: the events of two sources compared, and which differences move a bill.

Both are read whole, a file as well as a ledger. What is compared are the accepted events: duplicates and
rejections within a source are no differences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from .. import engine
from ..core.activity import microseconds
from ..core.cycle import Calendar, CycleRule
from ..core.errors import BadSource, UnknownAccount, hint
from ..core.event import CREATED
from ..core.terms import AllTerms, Terms, TermsHistory
from ..engine import event_files
from ..engine.query import Query
from ..inputs import source as sources
from ..inputs.encoder import Encoder
from ..inputs.rows import ReadOptions
from ..ledger.ledger import Ledger
from .cycle_impact import AccountBilling
from .effects import Alignment, Origin
from .event_diff import SourceEvents, diff_events
from .impact import measure_impact

#: How far apart two events of one identity and type, without ids, may be to count as one that was shifted.
TOLERANCE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LoadedSource:
    """One of the two sources, read whole."""

    origin: Origin
    events: SourceEvents


def align(
    ours: Any,
    theirs: Any,
    query: Query,
    options: tuple[ReadOptions, ReadOptions] | None = None,
    *,
    tolerance: timedelta = TOLERANCE,
) -> Alignment:
    """Compare the events of two sources, and measure the impact of every difference.

    The query says which accounts and cycles to compare, and under which terms; without a plan there are
    peaks but no amounts. `tolerance` is how far apart two events without ids may be to be paired as one.
    Raises `BadSource`, `Refused`, `UnknownAccount`, `NotPriced`.
    """
    encoder = Encoder()
    own, other = options or (ReadOptions(), ReadOptions())
    loaded = load_source(ours, own, encoder), load_source(theirs, other, encoder)
    return compare_sources(*loaded, encoder, query, tolerance=tolerance)


def load_source(source: Any, options: ReadOptions, encoder: Encoder) -> LoadedSource:
    """Read a source whole; both must use the same `encoder`. Raises `BadSource`, `Refused`."""
    if isinstance(source, Ledger):
        head = source.head(position=engine.position_of(source, options))
        entries = source.entries(until=head.position)
        table = pa.Table.from_batches(map(event_files.batch_of, entries), event_files.SCHEMA)
        # What a ledger holds was accepted, even where a later void removes what an entry depended on.
        events, rows, happened = sources.read_rows(table, ReadOptions(), encoder)
        return LoadedSource(Origin(events.tally, (), head.position, head.digest), SourceEvents(rows, happened))
    if options.position is not None:
        raise BadSource("position_needs_ledger", field="position")
    events, rows, happened = sources.read_rows(source, options, encoder)
    return LoadedSource(Origin(events.tally, events.rejections), SourceEvents(rows, happened))


def compare_sources(
    ours: LoadedSource,
    theirs: LoadedSource,
    encoder: Encoder,
    query: Query,
    *,
    tolerance: timedelta = TOLERANCE,
    progress: Callable[[int], None] | None = None,
) -> Alignment:
    """Do what `align` does, with two sources that one encoder has read.

    `progress` receives how many more differences are done.
    """
    names = encoder.names(np.zeros(encoder.identity_count, np.bool_))
    known = names.account_names
    present = {known[code] for each in (ours, theirs) for code in np.unique(each.events.rows.accounts)}
    for account_id in query.accounts:
        if account_id not in present:
            raise UnknownAccount("account_unknown", got=account_id, hint=hint(account_id, sorted(present)))
    own, other = (_select_requested(each.events, known, query) for each in (ours, theirs))
    diff = diff_events(own, other, names, tolerance=microseconds(tolerance))
    impact = measure_impact(own, other, diff, names, _billing(query), progress=progress)
    return Alignment(
        ours.origin,
        theirs.origin,
        diff.differences,
        impact.effects,
        impact.together,
        impact.totals,
        diff.by_content,
        query.terms.prices_credits,
    )


def _select_requested(events: SourceEvents, known: list[str], query: Query) -> SourceEvents:
    """The events of the requested accounts, before the instant of the query."""
    mask = np.ones(len(events.rows), np.bool_)
    if query.accounts:
        mask &= np.isin(events.rows.accounts, [known.index(account_id) for account_id in query.accounts])
    if query.as_of is not None:
        mask &= (events.rows.instants < query.as_of) | (events.rows.types >= CREATED)
    return events if mask.all() else events.select(mask)


def _billing(query: Query) -> Callable[[str], AccountBilling]:
    """How each account is billed: each of its cycles under the terms in force at its start."""
    history = query.terms if isinstance(query.terms, TermsHistory) else None
    calendars: dict[CycleRule, Calendar] = {}

    def terms_at(account_id: str, start: int) -> Terms:
        version = None if history is None else history.in_force(start)
        all_terms = query.terms if isinstance(query.terms, AllTerms) else AllTerms()
        terms = (all_terms if version is None else version.terms).of(account_id)
        return terms if query.policy is None else replace(terms, policy=query.policy)

    def billing_of(account_id: str) -> AccountBilling:
        versions = [query.terms] if isinstance(query.terms, AllTerms) else []
        if history is not None:
            versions = [version.terms for version in history.versions] or [AllTerms()]
        rule = versions[-1].of(account_id).cycles
        calendar = calendars.setdefault(rule, Calendar(rule))
        policies = [query.policy or terms.of(account_id).policy for terms in versions]
        last = None if query.last is None else rule.index_until(query.last)
        if query.as_of is not None:
            begun = calendar.index_at(query.as_of - 1)
            last = begun if last is None else min(last, begun)
        return AccountBilling(
            calendar,
            lambda start: terms_at(account_id, start),
            max(policy.longest_window for policy in policies),
            None if query.first is None else rule.index_from(query.first),
            last,
        )

    return billing_of
