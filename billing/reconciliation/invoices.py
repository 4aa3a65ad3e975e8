"""The verb of reconciliation: our drafts or issued documents compared with the invoices of somebody else."""

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
from .causes import CAUSES, Cause, CountingRule, apply_causes
from .diagnosis import EXPLAINED, ComparedCycle, Diagnosis, Disputed, Reconciliation, diagnose
from .matching import Match, Ours, Theirs, match
from .recount import CountedIdentities, Recount
from .time_line import CycleRef


def reconcile(
    source: Any,
    theirs: Sequence[Theirs],
    query: Query,
    options: ReadOptions | None = None,
    *,
    earlier: Sequence[Plan] = (),
    tolerance: Decimal = Decimal(0),
    drafts: bool = False,
    causes: Sequence[Cause] = CAUSES,
    identities: bool = False,
    progress: Callable[[int], None] | None = None,
) -> tuple[Reconciliation, Result]:
    """Compare our invoices for the requested cycles with theirs, and find out why they differ.

    Ours is the document that a ledger has issued, if it has, and a draft otherwise; with `drafts`, always a
    draft. `earlier` are versions of the plan before the terms, the latest first, in addition to those that a
    ledger keeps. With `identities`, the identities that only one side counts are named. `progress` receives
    how many more causes were tried.
    """
    options = options or ReadOptions()
    if not isinstance(source, Ledger | Events) and not sources.streams(source):
        # Read once, with everything that causes depend on.
        source = engine.read(source, replace(options, history=True, details=query.details))
    result = engine.answer(source, query, options)
    invoices = _OurInvoices(result, {} if drafts else _issued_invoices(source))
    known = set(result.found.names.account_names)
    requested = [their for their in theirs if _is_requested(their, query)]
    ours = invoices.of(result)
    matches = match(ours, requested, tolerance=tolerance)
    if unlisted := _find_unlisted(matches, known, query):
        listed = {(our.account_id, our.cycle) for our in ours}
        for month, accounts in unlisted.items():
            more = engine.answer(source, replace(query, first=month, last=month, accounts=accounts), options)
            ours += [our for our in invoices.of(more) if (our.account_id, our.cycle) not in listed]
        matches = match(ours, requested, tolerance=tolerance)
    left_out = len(theirs) - len(requested)
    differing_accounts = sorted({m.account_id for m in matches if m.status in EXPLAINED})
    if not differing_accounts:
        return Reconciliation(tuple(matches), (None,) * len(matches), left_out), result
    events = _read_history(source, differing_accounts, options, ids=identities)
    codes = {account: events.names.code_of(account) for account in differing_accounts}
    recount = Recount(events, list(codes.values()))
    positions = [k for k, m in enumerate(matches) if m.ours is not None and m.account_id in set(differing_accounts)]
    cycles = [invoices.compared_cycle(matches[k], codes, result, tuple(earlier)) for k in positions]
    diagnoses: list[Diagnosis | None] = [None] * len(matches)
    for k, diagnosis in zip(positions, diagnose(cycles, recount, causes=causes, progress=progress), strict=True):
        diagnoses[k] = diagnosis
    not_tried = tuple(cause for cause in causes if not recount.supports(apply_causes((cause,))))
    disputed: list[tuple[Disputed, ...]] = [()] * len(matches)
    if identities:
        for k, compared in zip(positions, cycles, strict=True):
            if (diagnosis := diagnoses[k]) is not None:
                disputed[k] = tuple(_find_disputed(events, recount, compared, diagnosis))
    return Reconciliation(tuple(matches), tuple(diagnoses), left_out, not_tried, tuple(disputed)), result


def _is_requested(theirs: Theirs, query: Query) -> bool:
    """True if an invoice is for the requested accounts and cycles."""
    month = _month_of(theirs, query)
    return (not query.accounts or theirs.account_id in query.accounts) and (
        (query.first or month) <= month <= (query.last or month)
    )


def _find_unlisted(matches: Iterable[Match], known: set[str], query: Query) -> dict[str, tuple[str, ...]]:
    """The accounts that they bill for a cycle we do not list as nobody was active in it, by month."""
    months: dict[str, set[str]] = {}
    for m in matches:
        if m.status == "missing_ours" and m.theirs is not None and m.account_id in known:
            months.setdefault(_month_of(m.theirs, query), set()).add(m.account_id)
    return {month: tuple(sorted(accounts)) for month, accounts in sorted(months.items())}


def _month_of(theirs: Theirs, query: Query) -> str:
    """The name of the account's cycle that an invoice is for, or for most of it."""
    if theirs.cycle is not None or theirs.start is None:
        return theirs.cycle or ""
    middle = theirs.start if theirs.end is None else (theirs.start + theirs.end) // 2
    return _latest_terms(query).of(theirs.account_id).cycles.at(moment(middle)).name


def _latest_terms(query: Query) -> AllTerms:
    terms = query.terms
    if isinstance(terms, AllTerms):
        return terms
    return terms.versions[-1].terms if terms.versions else AllTerms()


def _issued_invoices(source: Any) -> dict[tuple[str, int], Billed]:
    if not isinstance(source, Ledger):
        return {}
    return {(billed.account_id, billed.span[0]): billed for billed in billed_cycles(source)}


def _find_disputed(
    events: Events, recount: Recount, compared: ComparedCycle, diagnosis: Diagnosis
) -> Iterator[Disputed]:
    """The identities that only one side counts in a cycle, by name."""
    our_rule, their_rule = CountingRule(), apply_causes(diagnosis.explanation.causes)
    cycle = compared.cycle
    ours, theirs = recount.identities(cycle, our_rule), recount.identities(cycle, their_rule)
    ends = {"ours": cycle.span(our_rule)[1], "theirs": cycle.span(their_rule)[1]}
    found = []
    sides: tuple[tuple[Literal["ours", "theirs"], CountedIdentities, CountedIdentities], ...] = (
        ("theirs", theirs, ours), ("ours", ours, theirs)
    )  # fmt: skip
    for side, counted, other in sides:
        until = ends[side] if counted.moment is None else counted.moment + 1
        for identity in counted.identities - other.identities:
            rows = np.flatnonzero((events.columns.identities == identity) & (events.columns.instants < until))
            last = None if not len(rows) else int(rows[np.argmax(events.columns.instants[rows])])
            found.append(
                Disputed(
                    identity_id=events.names.identities[identity].as_py(),
                    counted_by=side,
                    moment=counted.moment,
                    event_id=None if last is None or events.event_ids is None else events.event_ids[last].as_py(),
                    type=None if last is None else TYPES[events.columns.types[last]],
                    occurred_at=None if last is None else int(events.columns.instants[last]),
                )
            )
    yield from sorted(found, key=lambda d: (d.counted_by != "theirs", d.identity_id))


def _read_history(source: Any, accounts: Sequence[str], options: ReadOptions, *, ids: bool) -> Events:
    """The events of some accounts, with everything that causes depend on."""
    if isinstance(source, Ledger):
        requested = set(accounts)
        everything = INSTANT_MIN, INSTANT_MAX
        position = engine.position_of(source, options)
        return source.read(
            lambda account: everything if account in requested else None, position=position, ids=ids, history=True
        )
    return engine.read(source, replace(options, history=True))


@dataclass(frozen=True, slots=True)
class _OurInvoices:
    """Our invoices as they were issued, or else as drafts; `credits` are the amounts due for credits in the drafts."""

    result: Result
    issued: dict[tuple[str, int], Billed]
    credits: dict[tuple[str, int], Decimal] = field(default_factory=dict)

    def of(self, result: Result) -> list[Ours]:
        """Our invoices for the cycles of a result."""
        rows = result.peaks()
        priced = all(result.terms_of(row).plan for row in rows)
        bills: Sequence[Peak | Invoice] = result.drafts() if priced else rows
        for bill in bills:
            if isinstance(bill, Invoice) and (line := bill.credits) is not None:
                self.credits[bill.account_id, micros(bill.cycle.start)] = line.amount
        return [self._invoice(bill) for bill in bills]

    def _invoice(self, bill: Peak | Invoice) -> Ours:
        billed = self.issued.get((bill.account_id, micros(bill.cycle.start)))
        if billed is not None:
            return Ours(billed.account_id, billed.cycle, billed.peak, billed.total, billed.numbers)
        total = bill.total if isinstance(bill, Invoice) else None
        return Ours(bill.account_id, bill.cycle, bill.peak, total)

    def compared_cycle(
        self, match: Match, codes: dict[str, int], result: Result, earlier: tuple[Plan, ...]
    ) -> ComparedCycle:
        """A cycle with the terms under which it is billed, and the plans before them."""
        assert match.ours is not None, "only cycles of ours are recounted"
        account_id, start = match.account_id, match.ours.span[0]
        part, terms_before = _find_terms(result, start)
        terms = part.query.all_terms.of(account_id)
        rule = terms.cycles
        cycle = CycleRef(codes[account_id], rule, rule.index_at(start), part.query.policy_of(account_id))
        plans = [old.plan for old in terms_before(account_id) if old.plan is not None and old.plan != terms.plan]
        credits = self.credits.get((account_id, start), Decimal(0))
        return ComparedCycle(match, cycle, terms, (*plans, *earlier), credits)


def _find_terms(result: Result, start: int) -> tuple[Part, Callable[[str], list[Terms]]]:
    """The part of a result for a cycle, and a function for an account's terms before it, the latest first."""
    history: TermsHistory | None = result.history
    if history is None:
        return result.parts[0], lambda _: []
    version = history.in_force(start)
    part = next(part for part in result.parts if part.version is version)
    older = [v for v in reversed(history.versions) if version is not None and v.number < version.number]
    return part, lambda account: [v.terms.of(account) for v in older]
