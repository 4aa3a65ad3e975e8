"""The pipeline: from the events of a source to activity, peaks and drafts.

Events from a file, a stream or a ledger all take the same way: the walk of the state machine makes
intervals, the sweep makes peaks, and the plan makes drafts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np

from ..config.catalogue import in_force
from ..core.activity import ActivityPolicy, Intervals, Walk
from ..core.catalogue import WIDE
from ..core.cycle import Calendar, Cycle, CycleRule, micros, moment, zone_rules_version
from ..core.errors import BadTerms, Rejection, UnknownAccount, hint
from ..core.event import Columns, Events, Int32, Int64, Names, Tally
from ..core.invoice import Basis, Invoice, lines
from ..core.kernel import SMALL
from ..core.sweep import Peak, Spans, sweep
from ..core.terms import Terms, TermsVersion
from ..core.usage import Calls, Credits, price_usage
from ..inputs.source import Stream
from .query import Query, requested_bounds

#: How many slices the curve of a cycle has.
CURVE_SLICES: Final = 24


@dataclass(frozen=True, slots=True)
class Activity:
    """When each identity was active, and what else a result needs to know of the source.

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
    calls: Calls | None = None

    def accepted_of(self, account_id: str) -> int:
        """How many events of an account were accepted."""
        return int(self.accepted[self.names.code_of(account_id)])


def run(found: Events | Stream, parts: Iterable[Columns], query: Query) -> Activity:
    """The state machine run over the columns of a source, part by part, in order of time."""
    walks = _Walks(query)
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
        calls=_calls(found, query),
    )


def _calls(found: Events | Stream, query: Query) -> Calls | None:
    if not isinstance(found, Events) or found.details is None:
        assert not query.details, "the details of calls were read, since they matter"
        return None
    return Calls.of(found, as_of=query.as_of) if query.details else None


class _Walks:
    """A walk for each policy that some account has; almost always one."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._walks: list[tuple[ActivityPolicy, Walk]] = []
        self._walk_of = np.empty(0, np.int64)  # per account
        self._waiting: list[Columns] = []

    def feed(self, columns: Columns, names: Names) -> None:
        """Take the next events; `names` are those known by now."""
        if self._query.as_of is not None:
            columns = columns.where(columns.instants < self._query.as_of)
        self._waiting.append(columns)
        # Few steps of many events cost less than many steps of few.
        if sum(map(len, self._waiting)) >= SMALL:
            self._step(names)

    def intervals(self, names: Names) -> Intervals:
        """The intervals of all events fed so far."""
        if self._waiting:
            self._step(names)
        return Intervals.concat([walk.intervals() for _, walk in self._walks] or [Walk(ActivityPolicy()).intervals()])

    def _step(self, names: Names) -> None:
        columns = self._waiting[0] if len(self._waiting) == 1 else Columns.concat(self._waiting)
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
        policy = self._query.policy_of(account)
        for k, (known, _) in enumerate(self._walks):
            if known == policy:
                return k
        self._walks.append((policy, Walk(policy)))
        return len(self._walks) - 1


def peaks(found: Activity, query: Query, *, curves: bool = False) -> list[Peak]:
    """The peak of every requested account and cycle, by account and cycle.

    Without `first` and `last`, the cycles of an account are those from its first active one to its
    last; where it pays for credits, also those before and after in which it called an action. Raises
    `UnknownAccount`.
    """
    rows = list(_peaks(found, query))
    return _with_curves(found, rows) if curves else rows


def _peaks(found: Activity, query: Query) -> Iterator[Peak]:
    codes = accounts_in_scope(found, query)
    requested = _RequestedCycles(found, query)
    return sweep_cycles(found, codes, [requested.of(code) for code in codes])


def sweep_cycles(found: Activity, codes: list[int], spans: list[tuple[list[int], list[Cycle]]]) -> Iterator[Peak]:
    """The peaks of the cycles of each account, given their bounds and one bound before the first."""
    names = found.names.account_names
    position = _positions(codes, len(names))
    peaks = sweep(found.intervals, position[found.accounts], Spans.of([*(bounds for bounds, _ in spans), []]))
    counts, instants = peaks.counts.tolist(), peaks.instants.tolist()
    at = 0
    for code, (bounds, cycles) in zip(codes, spans, strict=True):
        for k, cycle in enumerate(cycles, start=1):
            peak = counts[at + k]
            peak_at = instants[at + k] if peak else None
            yield Peak(names[code], cycle, bounds[k], bounds[k + 1], peak, peak_at, counts[at + k - 1])
        at += max(len(bounds), 1)


def _positions(codes: list[int], accounts: int) -> Int32:
    """Where each account stands among `codes`; the others share the position behind the last."""
    position = np.full(accounts, len(codes), np.int32)
    position[codes] = np.arange(len(codes), dtype=np.int32)
    return position


def _with_curves(found: Activity, rows: list[Peak]) -> list[Peak]:
    """The rows with the highest count in each slice of their cycles: peaks of finer spans."""
    names = found.names
    slices: dict[int, list[int]] = {}
    for row in rows:
        # Cycles of an account adjoin, so the end of one slice is the start of the next.
        bounds = slices.setdefault(names.code_of(row.account_id), [row.start])
        length = row.end - row.start
        bounds += [row.start + k * length // CURVE_SLICES for k in range(1, CURVE_SLICES + 1)]
    position = _positions(list(slices), len(names.accounts))
    spans = Spans.of([*slices.values(), []])
    counts = sweep(found.intervals, position[found.accounts], spans).counts.tolist()
    at = {code: int(spans.first[k]) for k, code in enumerate(slices)}
    curved = []
    for row in rows:
        code = names.code_of(row.account_id)
        curved.append(row._replace(curve=tuple(counts[at[code] : at[code] + CURVE_SLICES])))
        at[code] += CURVE_SLICES
    return curved


def draft(found: Activity, query: Query, version: TermsVersion | None = None) -> Iterator[Invoice]:
    """The draft invoices of the requested accounts and cycles. Raises `BadTerms`, `NotPriced`."""
    return price_cycles(_peaks(found, query), found, query, version)


def price_cycles(
    rows: Iterable[Peak], found: Activity, query: Query, version: TermsVersion | None
) -> Iterator[Invoice]:
    """The draft invoices for some peaks. Raises `BadTerms` for an account without a plan."""
    if query.all_terms.prices_credits:
        rows = list(rows)
    credits = Meter(found, query, rows) if query.all_terms.prices_credits else None
    known: dict[tuple[int, int, Decimal | None], tuple[Any, Any]] = {}
    tzdata = zone_rules_version()
    account_id, basis, terms, policy = None, Basis(0, None, None, ""), Terms(), ActivityPolicy()
    for row in rows:
        if row.account_id != account_id:
            account_id = row.account_id
            terms, policy = query.all_terms.of(account_id), query.policy_of(account_id)
            number = None if version is None else version.number
            basis = Basis(found.accepted_of(account_id), found.position, found.digest, tzdata, number)
        if terms.plan is None:
            raise BadTerms("plan_missing", got=row.account_id)
        used = None if credits is None else credits.of(row)
        key = (id(terms), row.peak, used)
        if key not in known:
            known[key] = lines(terms.plan.price(row.peak), terms.plan, terms.discount, used)
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


class Meter:
    """The credits used in the cycles of accounts that pay for them, all counted at once."""

    def __init__(self, found: Activity, query: Query, rows: Iterable[Peak]) -> None:
        names = found.names
        cycles: dict[int, list[Peak]] = {}  # by the code of the account
        for row in rows:
            if query.all_terms.of(row.account_id).prices_credits:
                cycles.setdefault(names.code_of(row.account_id), []).append(row)
        bounds = {code: [own[0].start, *(row.end for row in own)] for code, own in cycles.items()}
        catalogues = {code: in_force(query.all_terms.of(names.account_names[code])) for code in cycles}
        self._used = {(row.account_id, row.start): Decimal(0) for own in cycles.values() for row in own}
        assert found.calls is not None, "the details of calls were read, since they matter"
        for code, start, usage in price_usage(found.calls, bounds, catalogues):
            key = names.account_names[code], start
            self._used[key] = WIDE.add(self._used[key], usage.credits)

    def of(self, row: Peak) -> Decimal | None:
        """The credits used in a cycle; none if the account does not pay for credits."""
        return self._used.get((row.account_id, row.start))


def credits(found: Activity, query: Query) -> Iterator[Credits]:
    """The calls of every requested account and cycle, by account, cycle, action and type of identity.

    Without `first` and `last`, all cycles in which an action was called. Raises `UnknownAccount`.
    """
    names = found.names.account_names
    requested = _RequestedCycles(found, query, calls=True)
    spans = {code: requested.of(code) for code in accounts_in_scope(found, query)}
    # The first bound is that of the cycle before the first requested one.
    bounds = {code: bounds[1:] for code, (bounds, _) in spans.items() if bounds}
    cycle_of = {(code, micros(cycle.start)): cycle for code, (_, cycles) in spans.items() for cycle in cycles}
    catalogues = {code: in_force(query.all_terms.of(names[code])) for code in bounds}
    assert found.calls is not None, "the details of calls were read, since they were requested"
    usage = price_usage(found.calls, bounds, catalogues)
    rows = [Credits.of(names[code], cycle_of[code, start], each) for code, start, each in usage]
    yield from sorted(rows, key=lambda row: (row.account_id, row.cycle))


def accounts_in_scope(found: Activity, query: Query) -> list[int]:
    """The codes of the requested accounts, in order of their names. Raises `UnknownAccount`."""
    present = {name: code for code, name in enumerate(found.names.account_names) if found.accepted[code]}
    for name in query.accounts:
        if name not in present:
            raise UnknownAccount("account_unknown", got=name, hint=hint(name, list(present)))
    return [present[name] for name in sorted(query.accounts or present)]


class _RequestedCycles:
    """The requested cycles of each account; with `calls`, those in which it called an action, active or not."""

    def __init__(self, found: Activity, query: Query, *, calls: bool = False) -> None:
        self._query = query
        self._names = found.names.account_names
        self._calendars: dict[CycleRule, Calendar] = {}
        count = len(found.accepted)
        self._since = np.full(count, np.iinfo(np.int64).max)
        self._until = np.full(count, np.iinfo(np.int64).min)
        if not calls:
            np.minimum.at(self._since, found.accounts, found.intervals.starts)
            np.maximum.at(self._until, found.accounts, found.intervals.ends)
        if found.calls is not None:
            paying = np.array([calls or query.all_terms.of(name).prices_credits for name in self._names], np.bool_)
            first, last = found.calls.spans(count)
            self._since[paying] = np.minimum(self._since, first)[paying]
            self._until[paying] = np.maximum(self._until, last + (last >= first))[paying]

    def of(self, code: int) -> tuple[list[int], list[Cycle]]:
        """The cycles of an account, and their bounds from the start of the cycle before the first."""
        rule = self._query.all_terms.of(self._names[code]).cycles
        calendar = self._calendars.setdefault(rule, Calendar(rule))
        q = self._query
        first, last = requested_bounds(q, rule)
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
