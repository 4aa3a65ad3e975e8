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
from ..engine.query import Question
from ..inputs import source as sources
from ..inputs.encoder import Coder
from ..inputs.rows import HowToRead
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
    question: Question,
    readings: tuple[HowToRead, HowToRead] | None = None,
    *,
    tolerance: timedelta = TOLERANCE,
) -> Alignment:
    """Hold the events of two sources against each other, and weigh every difference.

    Any source will do. The question says which accounts and cycles matter, and under which terms;
    without a plan only peaks are told. `tolerance` is how far apart two events without ids may be
    that are paired as one. Raises `BadSource`, `Refused`, `UnknownAccount`, `NotPriced`.
    """
    coder = Coder()
    own, other = readings or (HowToRead(), HowToRead())
    return held(told(ours, own, coder), told(theirs, other, coder), coder, question, tolerance=tolerance)


def told(source: Any, reading: HowToRead, coder: Coder) -> Told:
    """Read a source whole; the same `coder` reads the other one. Raises `BadSource`, `Refused`."""
    if isinstance(source, Ledger):
        head = source.head(position=engine.position_of(source, reading))
        entries = source.entries(until=head.position)
        table = pa.Table.from_batches(map(event_files.batch_of, entries), event_files.SCHEMA)
        # What a ledger holds was accepted; that a later void takes away its reason is no rejection.
        events, rows, happened = sources.read_rows(table, HowToRead(), coder)
        return Told(Origin(events.tally, (), head.position, head.digest), Side(rows, happened))
    if reading.position is not None:
        raise BadSource("position_needs_ledger", field="position")
    events, rows, happened = sources.read_rows(source, reading, coder)
    return Told(Origin(events.tally, events.rejections), Side(rows, happened))


def held(
    ours: Told,
    theirs: Told,
    coder: Coder,
    question: Question,
    *,
    tolerance: timedelta = TOLERANCE,
    progress: Callable[[int], None] | None = None,
) -> Alignment:
    """What `aligned` says of two sources that one coder has read. `progress` is told how many were weighed."""
    names = coder.names(np.zeros(coder.identity_count, np.bool_))
    known = names.accounts.to_pylist()
    present = {known[code] for each in (ours, theirs) for code in np.unique(each.side.rows.accounts)}
    for account_id in question.accounts:
        if account_id not in present:
            raise UnknownAccount("account_unknown", got=account_id, hint=hint(account_id, sorted(present)))
    own, other = _asked(ours.side, known, question), _asked(theirs.side, known, question)
    found = align(own, other, names, tolerance=microseconds(tolerance))
    weighed = weigh(own, other, found, names, _billing(question), progress=progress)
    return Alignment(
        ours.origin,
        theirs.origin,
        found.differences,
        weighed.effects,
        weighed.together,
        weighed.totals,
        found.by_content,
        question.terms.prices_credits,
    )


def _asked(side: Side, known: list[str], question: Question) -> Side:
    """What is asked for of a source: some accounts, and what occurred before some instant."""
    mask = np.ones(len(side.rows), np.bool_)
    if question.accounts:
        mask &= np.isin(side.rows.accounts, [known.index(account_id) for account_id in question.accounts])
    if question.as_of is not None:
        mask &= (side.rows.instants < question.as_of) | (side.rows.types >= CREATED)
    return side if mask.all() else side.where(mask)


def _billing(question: Question) -> Callable[[str], Billing]:
    """How each account is billed: by its cycles, and for each by the terms that are in force at its start."""
    history = question.terms if isinstance(question.terms, TermsHistory) else None
    calendars: dict[CycleRule, Calendar] = {}

    def terms_at(account_id: str, start: int) -> Terms:
        version = None if history is None else history.in_force(start)
        all_terms = question.terms if isinstance(question.terms, AllTerms) else AllTerms()
        terms = (all_terms if version is None else version.terms).of(account_id)
        return terms if question.policy is None else replace(terms, policy=question.policy)

    def billing_of(account_id: str) -> Billing:
        versions = [question.terms] if isinstance(question.terms, AllTerms) else []
        if history is not None:
            versions = [version.terms for version in history.versions] or [AllTerms()]
        rule = versions[-1].of(account_id).cycles
        calendar = calendars.setdefault(rule, Calendar(rule))
        policies = [question.policy or terms.of(account_id).policy for terms in versions]
        last = None if question.last is None else rule.index_until(question.last)
        if question.as_of is not None:
            begun = calendar.index_at(question.as_of - 1)
            last = begun if last is None else min(last, begun)
        return Billing(
            calendar,
            lambda start: terms_at(account_id, start),
            max(policy.longest_window for policy in policies),
            None if question.first is None else rule.index_from(question.first),
            last,
        )

    return billing_of
