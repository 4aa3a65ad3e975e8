"""Aligning: the events of two sources held against each other, and which of the differences move a bill.

Both are read whole, a file as well as a ledger. What a source repeats or gets rejected is its own
business; what is compared is what it comes to.
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
from .effects import Alignment, Origin
from .event_diff import Side, align
from .impact import Billing, weigh

#: How far apart, without ids, two events of one identity and type may be and still be one that was shifted.
TOLERANCE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Told:
    """One of the two sources, read whole."""

    origin: Origin
    side: Side


def aligned(
    ours: Any,
    theirs: Any,
    query: Query,
    readings: tuple[ReadOptions, ReadOptions] | None = None,
    *,
    tolerance: timedelta = TOLERANCE,
) -> Alignment:
    """Hold the events of two sources against each other, and weigh every difference.

    Any source will do. The question says which accounts and cycles matter, and under which terms;
    without a plan only peaks are told. `tolerance` is how far apart two events without ids may be
    that are paired as one. Raises `BadSource`, `Refused`, `UnknownAccount`, `NotPriced`.
    """
    encoder = Encoder()
    own, other = readings or (ReadOptions(), ReadOptions())
    return held(told(ours, own, encoder), told(theirs, other, encoder), encoder, query, tolerance=tolerance)


def told(source: Any, options: ReadOptions, encoder: Encoder) -> Told:
    """Read a source whole; the same `encoder` reads the other one. Raises `BadSource`, `Refused`."""
    if isinstance(source, Ledger):
        head = source.head(position=engine.position_of(source, options))
        entries = source.entries(until=head.position)
        table = pa.Table.from_batches(map(event_files.batch_of, entries), event_files.SCHEMA)
        # What a ledger holds was accepted; that a later void takes away its reason is no rejection.
        events, rows, happened = sources.read_rows(table, ReadOptions(), encoder)
        return Told(Origin(events.tally, (), head.position, head.digest), Side(rows, happened))
    if options.position is not None:
        raise BadSource("position_needs_ledger", field="position")
    events, rows, happened = sources.read_rows(source, options, encoder)
    return Told(Origin(events.tally, events.rejections), Side(rows, happened))


def held(
    ours: Told,
    theirs: Told,
    encoder: Encoder,
    query: Query,
    *,
    tolerance: timedelta = TOLERANCE,
    progress: Callable[[int], None] | None = None,
) -> Alignment:
    """What `aligned` says of two sources that one coder has read. `progress` is told how many were weighed."""
    names = encoder.names(np.zeros(encoder.identity_count, np.bool_))
    known = names.account_names
    present = {known[code] for each in (ours, theirs) for code in np.unique(each.side.rows.accounts)}
    for account_id in query.accounts:
        if account_id not in present:
            raise UnknownAccount("account_unknown", got=account_id, hint=hint(account_id, sorted(present)))
    own, other = _asked(ours.side, known, query), _asked(theirs.side, known, query)
    found = align(own, other, names, tolerance=microseconds(tolerance))
    weighed = weigh(own, other, found, names, _billing(query), progress=progress)
    return Alignment(
        ours.origin,
        theirs.origin,
        found.differences,
        weighed.effects,
        weighed.together,
        weighed.totals,
        found.by_content,
        query.terms.prices_credits,
    )


def _asked(side: Side, known: list[str], query: Query) -> Side:
    """What is asked for of a source: some accounts, and what occurred before some instant."""
    mask = np.ones(len(side.rows), np.bool_)
    if query.accounts:
        mask &= np.isin(side.rows.accounts, [known.index(account_id) for account_id in query.accounts])
    if query.as_of is not None:
        mask &= (side.rows.instants < query.as_of) | (side.rows.types >= CREATED)
    return side if mask.all() else side.where(mask)


def _billing(query: Query) -> Callable[[str], Billing]:
    """How each account is billed: by its cycles, and for each by the terms that are in force at its start."""
    history = query.terms if isinstance(query.terms, TermsHistory) else None
    calendars: dict[CycleRule, Calendar] = {}

    def terms_at(account_id: str, start: int) -> Terms:
        version = None if history is None else history.in_force(start)
        all_terms = query.terms if isinstance(query.terms, AllTerms) else AllTerms()
        terms = (all_terms if version is None else version.terms).of(account_id)
        return terms if query.policy is None else replace(terms, policy=query.policy)

    def billing_of(account_id: str) -> Billing:
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
        return Billing(
            calendar,
            lambda start: terms_at(account_id, start),
            max(policy.longest_window for policy in policies),
            None if query.first is None else rule.index_from(query.first),
            last,
        )

    return billing_of
