"""Reckoning: from the events of a source to activity, peaks and drafts.

Whatever the events come from, a file, a stream or a ledger, they are reckoned here, in this order:
walks of the state machine, intervals, the sweep, prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from .core.activity import ActivityPolicy, Intervals, Walk
from .core.cycle import Calendar, Cycle, CycleRule, moment, month_of, zone_rules_version
from .core.errors import BadCycle, BadTerms, Rejection, UnknownAccount, hint
from .core.event import INSTANT_MAX, INSTANT_MIN, Columns, Events, Int32, Int64, Names, Tally
from .core.invoice import Basis, Invoice, lines
from .core.kernel import SMALL
from .core.sweep import Peak, Spans, sweep
from .core.terms import AllTerms, Terms, TermsHistory, TermsVersion
from .formats.source import Stream

#: How many slices the curve of a cycle has.
CURVE_SLICES: Final = 24


@dataclass(frozen=True, slots=True)
class Activity:
    """Who was active when, and what the source said besides.

    `intervals` are those of counted identities; `accounts` are their account codes. `accepted`
    counts the accepted events of each account.
    """

    names: Names
    intervals: Intervals
    accounts: Int32
    accepted: Int64
    tally: Tally
    rejections: tuple[Rejection, ...]
    digest: str | None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Which bills are asked for, and under which terms.

    `first` and `last` are months (`2026-01`), `accounts` limits to these, `as_of` (microseconds)
    leaves out what occurred then or later, `policy` overrides that of the terms, `ids` asks for
    those of the events. In place of months, `open_at` (microseconds) asks for the cycle that is open
    then, and `before` for so many before it.
    """

    terms: AllTerms | TermsHistory = field(default_factory=AllTerms)
    first: str | None = None
    last: str | None = None
    accounts: tuple[str, ...] = ()
    as_of: int | None = None
    policy: ActivityPolicy | None = None
    ids: bool = False
    open_at: int | None = None
    before: int = 0

    def __post_init__(self) -> None:
        months = [
            month_of(name, field=which) for which in ("first", "last") if (name := getattr(self, which)) is not None
        ]
        if len(months) == 2 and months[0] > months[1]:
            raise BadCycle("cycle_empty", start=self.first, end=self.last)

    def policy_of(self, account_id: str) -> ActivityPolicy:
        """The activity policy that an account is billed by."""
        return self.policy or self.all_terms.of(account_id).policy

    @property
    def all_terms(self) -> AllTerms:
        """The terms of all accounts, where there is but one version of them."""
        assert isinstance(self.terms, AllTerms), "of several versions, one is taken at a time"
        return self.terms


def run(found: Events | Stream, parts: Iterable[Columns], question: Question) -> Activity:
    """The state machine run over the columns of a source, part by part, in order of time."""
    walks = _Walks(question)
    for columns in parts:
        walks.feed(columns, found.names)
    names = found.names
    intervals = walks.intervals(names)
    counted = intervals.at(~names.standard[intervals.identities])
    return Activity(
        names=names,
        intervals=counted,
        accounts=names.account_of[counted.identities],
        accepted=found.accepted,
        tally=found.tally,
        rejections=found.rejections,
        digest=found.digest if isinstance(found, Events) else None,
        position=found.position if isinstance(found, Events) else None,
    )


class _Walks:
    """A walk for each policy that some account has; almost always one."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._walks: list[tuple[ActivityPolicy, Walk]] = []
        self._walk_of = np.empty(0, np.int64)  # per account
        self._waiting: list[Columns] = []

    def feed(self, columns: Columns, names: Names) -> None:
        """Take the next events; `names` are those known by now."""
        if self._question.as_of is not None:
            columns = columns.where(columns.instants < self._question.as_of)
        self._waiting.append(columns)
        # Few steps of many events cost less than many steps of few.
        if sum(map(len, self._waiting)) >= SMALL:
            self._step(names)

    def intervals(self, names: Names) -> Intervals:
        """The intervals of all events fed."""
        if self._waiting:
            self._step(names)
        return Intervals.joined([walk.intervals() for _, walk in self._walks] or [Walk(ActivityPolicy()).intervals()])

    def _step(self, names: Names) -> None:
        columns = self._waiting[0] if len(self._waiting) == 1 else Columns.joined(self._waiting)
        self._waiting = []
        fresh = names.accounts[len(self._walk_of) :].to_pylist()
        self._walk_of = np.append(self._walk_of, np.array([self._index(a) for a in fresh], np.int64))
        if len(self._walks) == 1:
            self._walks[0][1].feed(columns, len(names.account_of))
            return
        walk_of_event = self._walk_of[names.account_of[columns.identities]]
        for k, (_, walk) in enumerate(self._walks):
            walk.feed(columns.where(walk_of_event == k), len(names.account_of))

    def _index(self, account: str) -> int:
        policy = self._question.policy_of(account)
        for k, (known, _) in enumerate(self._walks):
            if known == policy:
                return k
        self._walks.append((policy, Walk(policy)))
        return len(self._walks) - 1


def peaks(found: Activity, question: Question, *, curves: bool = False) -> list[Peak]:
    """The peak of every account and cycle asked for, by account and cycle.

    Without `first` and `last`, the cycles of an account are those from its first active one to its
    last. Raises `UnknownAccount`.
    """
    rows = list(_peaks(found, question))
    return _with_curves(found, rows) if curves else rows


def _peaks(found: Activity, question: Question) -> Iterator[Peak]:
    names = found.names.accounts.to_pylist()
    codes = billed(found, names, question)
    asked = _Asked(found, question)
    return swept(found, names, codes, [asked.of(names[code], code) for code in codes])


def swept(
    found: Activity, names: list[str], codes: list[int], spans: list[tuple[list[int], list[Cycle]]]
) -> Iterator[Peak]:
    """The peaks of the cycles of each account, given their bounds and one bound before the first."""
    place = _places(codes, len(names))
    peaks = sweep(found.intervals, place[found.accounts], Spans.of([*(bounds for bounds, _ in spans), []]))
    counts, instants = peaks.counts.tolist(), peaks.instants.tolist()
    at = 0
    for code, (bounds, cycles) in zip(codes, spans, strict=True):
        for k, cycle in enumerate(cycles, start=1):
            peak = counts[at + k]
            peak_at = instants[at + k] if peak else None
            yield Peak(names[code], cycle, bounds[k], bounds[k + 1], peak, peak_at, counts[at + k - 1])
        at += max(len(bounds), 1)


def _places(codes: list[int], accounts: int) -> Int32:
    """Where each account stands among `codes`; the others share the place behind the last."""
    place = np.full(accounts, len(codes), np.int32)
    place[codes] = np.arange(len(codes), dtype=np.int32)
    return place


def _with_curves(found: Activity, rows: list[Peak]) -> list[Peak]:
    """The rows with the highest count in each slice of their cycles: peaks of finer spans."""
    code_of = {name: code for code, name in enumerate(found.names.accounts.to_pylist())}
    slices: dict[int, list[int]] = {}
    for row in rows:
        # Cycles of an account adjoin, so the end of one slice is the start of the next.
        bounds = slices.setdefault(code_of[row.account_id], [row.start])
        length = row.end - row.start
        bounds += [row.start + k * length // CURVE_SLICES for k in range(1, CURVE_SLICES + 1)]
    place = _places(list(slices), len(code_of))
    spans = Spans.of([*slices.values(), []])
    counts = sweep(found.intervals, place[found.accounts], spans).counts.tolist()
    at = {code: int(spans.first[k]) for k, code in enumerate(slices)}
    curved = []
    for row in rows:
        code = code_of[row.account_id]
        curved.append(row._replace(curve=tuple(counts[at[code] : at[code] + CURVE_SLICES])))
        at[code] += CURVE_SLICES
    return curved


def draft(found: Activity, question: Question, version: TermsVersion | None = None) -> Iterator[Invoice]:
    """The invoices for what was asked for, as drafts. Raises `BadTerms`, `NotPriced`."""
    return priced(_peaks(found, question), found, question, version)


def priced(
    rows: Iterable[Peak], found: Activity, question: Question, version: TermsVersion | None
) -> Iterator[Invoice]:
    """Peaks, priced by the terms of their accounts. Raises `BadTerms` for an account without a plan."""
    known: dict[tuple[int, int], tuple[Any, Any]] = {}
    accepted = dict(zip(found.names.accounts.to_pylist(), found.accepted.tolist(), strict=True))
    tzdata = zone_rules_version()
    account_id, basis, terms, policy = None, Basis(0, None, None, ""), Terms(), ActivityPolicy()
    for row in rows:
        if row.account_id != account_id:
            account_id = row.account_id
            terms, policy = question.all_terms.of(account_id), question.policy_of(account_id)
            number = None if version is None else version.number
            basis = Basis(accepted[account_id], found.position, found.digest, tzdata, number)
        if terms.plan is None:
            raise BadTerms("plan_missing", got=row.account_id)
        key = (id(terms), row.peak)
        if key not in known:
            known[key] = lines(terms.plan.price(row.peak), terms.plan, terms.discount)
        drafted, total = known[key]
        yield Invoice(
            account_id=row.account_id,
            cycle=row.cycle,
            peak=row.peak,
            peak_at=None if row.peak_at is None else moment(row.peak_at),
            plan_id=terms.plan.id,
            lines=drafted,
            total=total,
            policy=policy,
            basis=basis,
        )


def billed(found: Activity, names: list[str], question: Question) -> list[int]:
    """The codes of the accounts asked for, in order of their names."""
    present = {name: code for code, name in enumerate(names) if found.accepted[code]}
    for name in question.accounts:
        if name not in present:
            raise UnknownAccount("account_unknown", got=name, hint=hint(name, list(present)))
    return [present[name] for name in sorted(question.accounts or present)]


class _Asked:
    """Which cycles of an account are asked for."""

    def __init__(self, found: Activity, question: Question) -> None:
        self._question = question
        self._calendars: dict[CycleRule, Calendar] = {}
        count = len(found.accepted)
        self._since = np.full(count, np.iinfo(np.int64).max)
        self._until = np.full(count, np.iinfo(np.int64).min)
        np.minimum.at(self._since, found.accounts, found.intervals.starts)
        np.maximum.at(self._until, found.accounts, found.intervals.ends)

    def of(self, account_id: str, code: int) -> tuple[list[int], list[Cycle]]:
        """The cycles of an account, and their bounds from the start of the cycle before the first."""
        rule = self._question.all_terms.of(account_id).cycles
        calendar = self._calendars.setdefault(rule, Calendar(rule))
        q = self._question
        first, last = _bounds_asked(q, rule)
        if first is None or last is None:
            if self._until[code] < self._since[code]:
                return [], []  # never active: no cycles of its own
            first = calendar.index_at(int(self._since[code])) if first is None else first
            last = calendar.index_at(int(self._until[code]) - 1) if last is None else last
        if q.as_of is not None and q.open_at is None:
            last = min(last, calendar.index_at(q.as_of - 1))
        if last < first:
            return [], []
        return calendar.bounds(first - 1, last), calendar.cycles(first, last)


def _bounds_asked(question: Question, rule: CycleRule) -> tuple[int | None, int | None]:
    """The numbers of the first and the last cycle that are asked for, as far as the question says."""
    if question.open_at is not None:
        last = rule.index_at(question.open_at)
        return last - question.before, last
    first = None if question.first is None else rule.index_from(question.first)
    return first, None if question.last is None else rule.index_until(question.last)


class Wanted:
    """Which instants of an account can matter to the cycles asked for: those from a window before the first."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._spans: dict[tuple[CycleRule, ActivityPolicy], tuple[int, int]] = {}

    def __call__(self, account_id: str) -> tuple[int, int] | None:
        """Those of one account, `[start, end)` in microseconds; none if it is not asked for."""
        q = self._question
        if q.accounts and account_id not in q.accounts:
            return None
        key = q.all_terms.of(account_id).cycles, q.policy_of(account_id)
        if key not in self._spans:
            rule, policy = key
            first, last = _bounds_asked(q, rule)
            # What shows who was active since when goes back further than the count.
            if first is None or last is None or q.ids:
                return INSTANT_MIN, INSTANT_MAX
            start, end = rule.bound(first) - policy.longest_window, rule.bound(last + 1)
            self._spans[key] = start, end if last >= first else start
        return self._spans[key]
