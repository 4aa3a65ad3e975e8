"""Reconciling: our drafts or issued documents held against invoices of somebody else, and why they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from .. import engine
from ..core.cycle import micros, moment
from ..core.event import INSTANT_MAX, INSTANT_MIN, TYPES, Events
from ..core.invoice import Invoice
from ..core.plan import Plan
from ..core.sweep import Peak
from ..core.terms import AllTerms, Terms, TermsHistory
from ..engine import Part, Result
from ..engine.query import Query
from ..inputs import source as sources
from ..inputs.rows import ReadOptions
from ..invoicing.issue import billed_cycles
from ..invoicing.restatement import Billed
from ..ledger.ledger import Ledger
from .causes import READINGS, Reading, Way, way_of
from .diagnosis import EXPLAINED, Diagnosis, Disputed, Reconciliation, Subject, diagnose
from .matching import Match, Ours, Theirs, match
from .recount import Bill, Census, Counted


def reconcile(
    source: Any,
    theirs: Sequence[Theirs],
    query: Query,
    options: ReadOptions | None = None,
    *,
    earlier: Sequence[Plan] = (),
    tolerance: Decimal = Decimal(0),
    drafts: bool = False,
    readings: Sequence[Reading] = READINGS,
    identities: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[Reconciliation, Result]:
    """Hold our claims for the cycles asked for against theirs, and say why they differ.

    Ours is what a ledger has issued where it has, and a draft elsewhere; with `drafts`, always a draft.
    `earlier` are versions of the plan before the terms, the latest first, beside those that a ledger
    keeps. With `identities`, those that only one side counts are named. `progress` is told how many
    readings were tried.
    """
    options = options or ReadOptions()
    if not isinstance(source, Ledger | Events) and not sources.streams(source):
        # Once, with all that readings need.
        source = engine.read(source, replace(options, history=True, details=query.details))
    result = engine.answer(source, query, options)
    claims = _Claims(result, {} if drafts else _issued(source))
    known = set(result.found.names.account_names)
    asked = [t for t in theirs if _asked(t, query)]
    ours = claims.of(result)
    matches = match(ours, asked, tolerance=tolerance)
    if idle := _idle(matches, known, query):
        have = {(one.account_id, one.cycle) for one in ours}
        for month, accounts in idle.items():
            more = engine.answer(source, replace(query, first=month, last=month, accounts=accounts), options)
            ours += [one for one in claims.of(more) if (one.account_id, one.cycle) not in have]
        matches = match(ours, asked, tolerance=tolerance)
    left_out = len(theirs) - len(asked)
    accounts_at_odds = sorted({m.account_id for m in matches if m.status in EXPLAINED})
    if not accounts_at_odds:
        return Reconciliation(tuple(matches), (None,) * len(matches), left_out), result
    events = _history(source, accounts_at_odds, options, ids=identities)
    codes = {account: events.names.code_of(account) for account in accounts_at_odds}
    census = Census(events, list(codes.values()))
    places = [k for k, m in enumerate(matches) if m.ours is not None and m.account_id in set(accounts_at_odds)]
    subjects = [claims.subject(matches[k], codes, result, tuple(earlier)) for k in places]
    found: list[Diagnosis | None] = [None] * len(matches)
    for k, diagnosis in zip(places, diagnose(subjects, census, readings=readings, progress=progress), strict=True):
        found[k] = diagnosis
    not_tried = tuple(r for r in readings if not census.knows(way_of((r,))))
    disputed: list[tuple[Disputed, ...]] = [()] * len(matches)
    if identities:
        for k, subject in zip(places, subjects, strict=True):
            if (named := found[k]) is not None:
                disputed[k] = tuple(_disputed(events, census, subject, named))
    return Reconciliation(tuple(matches), tuple(found), left_out, not_tried, tuple(disputed)), result


def _asked(theirs: Theirs, query: Query) -> bool:
    """Whether a claim is about the accounts and cycles asked for."""
    month = _month(theirs, query)
    return (not query.accounts or theirs.account_id in query.accounts) and (
        (query.first or month) <= month <= (query.last or month)
    )


def _idle(matches: Iterable[Match], known: set[str], query: Query) -> dict[str, tuple[str, ...]]:
    """The cycles that they bill and we would not list by ourselves, by month: those in which nobody was active."""
    months: dict[str, set[str]] = {}
    for m in matches:
        if m.status == "missing_ours" and m.theirs is not None and m.account_id in known:
            months.setdefault(_month(m.theirs, query), set()).add(m.account_id)
    return {month: tuple(sorted(accounts)) for month, accounts in sorted(months.items())}


def _month(theirs: Theirs, query: Query) -> str:
    """The name of the account's own cycle that a claim is about, or most of it."""
    if theirs.cycle is not None or theirs.start is None:
        return theirs.cycle or ""
    middle = theirs.start if theirs.end is None else (theirs.start + theirs.end) // 2
    return _terms_now(query).of(theirs.account_id).cycles.at(moment(middle)).name


def _terms_now(query: Query) -> AllTerms:
    terms = query.terms
    if isinstance(terms, AllTerms):
        return terms
    return terms.versions[-1].terms if terms.versions else AllTerms()


def _issued(source: Any) -> dict[tuple[str, int], Billed]:
    if not isinstance(source, Ledger):
        return {}
    return {(billed.account_id, billed.span[0]): billed for billed in billed_cycles(source)}


def _disputed(events: Events, census: Census, subject: Subject, diagnosis: Diagnosis) -> Iterator[Disputed]:
    """The identities that only one side counts in a cycle, by name."""
    way = way_of(diagnosis.explanation.readings)
    ours, theirs = census.who(subject.bill, Way()), census.who(subject.bill, way)
    ends = {"ours": subject.bill.span(Way())[1], "theirs": subject.bill.span(way)[1]}
    found = []
    sides: tuple[tuple[Literal["ours", "theirs"], Counted, Counted], ...] = (
        ("theirs", theirs, ours), ("ours", ours, theirs)
    )  # fmt: skip
    for by, one, other in sides:
        until = ends[by] if one.moment is None else one.moment + 1
        for identity in one.identities - other.identities:
            rows = np.flatnonzero((events.columns.identities == identity) & (events.columns.instants < until))
            last = None if not len(rows) else int(rows[np.argmax(events.columns.instants[rows])])
            found.append(
                Disputed(
                    identity_id=events.names.identities[identity].as_py(),
                    by=by,
                    moment=one.moment,
                    event_id=None if last is None or events.event_ids is None else events.event_ids[last].as_py(),
                    type=None if last is None else TYPES[events.columns.types[last]],
                    occurred_at=None if last is None else int(events.columns.instants[last]),
                )
            )
    yield from sorted(found, key=lambda d: (d.by != "theirs", d.identity_id))


def _history(source: Any, accounts: Sequence[str], options: ReadOptions, *, ids: bool) -> Events:
    """The events of some accounts, with all that readings need to know of them."""
    if isinstance(source, Ledger):
        wanted = set(accounts)
        everything = INSTANT_MIN, INSTANT_MAX
        at = engine.position_of(source, options)
        return source.read(
            lambda account: everything if account in wanted else None, position=at, ids=ids, history=True
        )
    return engine.read(source, replace(options, history=True))


@dataclass(frozen=True, slots=True)
class _Claims:
    """Our claims as an answer has them, or as they were issued."""

    result: Result
    issued: dict[tuple[str, int], Billed]
    credits: dict[tuple[str, int], Decimal] = field(default_factory=dict)  # what is owed for them, as far as asked for

    def of(self, result: Result) -> list[Ours]:
        """Our claims for the cycles that were asked for."""
        rows = result.peaks()
        priced = all(result.terms_of(row).plan for row in rows)
        bills: Sequence[Peak | Invoice] = result.drafts() if priced else rows
        for bill in bills:
            if isinstance(bill, Invoice) and (line := bill.credits) is not None:
                self.credits[bill.account_id, micros(bill.cycle.start)] = line.amount
        return [self._claim(bill) for bill in bills]

    def _claim(self, bill: Peak | Invoice) -> Ours:
        billed = self.issued.get((bill.account_id, micros(bill.cycle.start)))
        if billed is not None:
            return Ours(billed.account_id, billed.cycle, billed.peak, billed.total, billed.numbers)
        total = bill.total if isinstance(bill, Invoice) else None
        return Ours(bill.account_id, bill.cycle, bill.peak, total)

    def subject(self, of: Match, codes: dict[str, int], result: Result, earlier: tuple[Plan, ...]) -> Subject:
        """A cycle with the terms that it is billed by, and those before them."""
        assert of.ours is not None, "subjects are cycles of ours"
        start = of.ours.span[0]
        part, before = _in_force(result, start)
        terms = part.query.all_terms.of(of.account_id)
        rule = terms.cycles
        bill = Bill(codes[of.account_id], rule, rule.index_at(start), part.query.policy_of(of.account_id))
        plans = [old.plan for old in before(of.account_id) if old.plan is not None and old.plan != terms.plan]
        return Subject(of, bill, terms, (*plans, *earlier), self.credits.get((of.account_id, start), Decimal(0)))


def _in_force(result: Result, start: int) -> tuple[Part, Callable[[str], list[Terms]]]:
    """What a cycle was computed under, and the terms of an account in the versions before, the latest first."""
    history: TermsHistory | None = result.history
    if history is None:
        return result.parts[0], lambda _: []
    version = history.in_force(start)
    part = next(part for part in result.parts if part.version is version)
    older = [v for v in reversed(history.versions) if version is not None and v.number < version.number]
    return part, lambda account: [v.terms.of(account) for v in older]
