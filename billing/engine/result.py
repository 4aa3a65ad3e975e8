"""The verbs that answer a query: read, activity, answer, explain.

Every interface calls these and adds only parsing and printing. A verb takes a source: events that were
read, a path, folder or glob, `-`, a table with `__arrow_c_stream__`, or a ledger. Parquet files
without event ids are streamed, and their events are not kept; of a ledger, only events that can matter
to the requested cycles are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol, TypeVar

from ..config.terms import version_of
from ..core.activity import ActivityPolicy, OutOfOrder
from ..core.cycle import Cycle, micros, zone_rules_version
from ..core.errors import BadCycle, BadLedger, BadSource, UnknownAccount, quoted
from ..core.event import Columns, Events
from ..core.evidence import Evidence, evidence
from ..core.invoice import Basis, Invoice
from ..core.sweep import Peak
from ..core.terms import AllTerms, Terms, TermsHistory, TermsVersion
from ..core.usage import Credits
from ..inputs import source as sources
from ..inputs.rows import ReadOptions
from ..ledger.address import is_address, open_ledger
from ..ledger.ledger import Ledger
from .garbage_collection import without_collecting
from .pipeline import Activity, Meter, accounts_in_scope, credits, draft, peaks, price_cycles, run, sweep_cycles
from .query import Query, RequiredSpans

Bill = TypeVar("Bill", Peak, Invoice, Credits)


class OfCycle(Protocol):
    """Anything about one cycle of one account."""

    @property
    def account_id(self) -> str:
        """The account."""

    @property
    def cycle(self) -> Cycle:
        """The cycle."""


@contextmanager
def open_source(source: Any) -> Iterator[Any]:
    """The source itself or, where it is the address of a ledger, that ledger, closed at the end."""
    if not is_address(source):
        yield source
        return
    ledger = open_ledger(source)
    try:
        yield ledger
    finally:
        ledger.close()


def read(source: Any, options: ReadOptions | None = None) -> Events:
    """All events of a source, without repeats, conflicts and voided ones."""
    if isinstance(source, Ledger):
        options = options or ReadOptions()
        return source.read(position=position_of(source, options), ids=True, details=options.details)
    if options is not None and options.position is not None:
        raise BadSource("position_needs_ledger", field="position")
    return source if isinstance(source, Events) else sources.read(source, options)


def read_for(source: Any, queries: Sequence[Query], options: ReadOptions | None = None) -> Events:
    """The events of a source that can matter to any of the queries, read once for all of them."""
    options = options or ReadOptions()
    details = any(query.details for query in queries)
    if not isinstance(source, Ledger):
        return read(source, replace(options, details=details))
    required = [RequiredSpans(plain) for query in queries for plain in _plain(query)]

    def span_of(account_id: str) -> tuple[int, int] | None:
        spans = [span for each in required if (span := each(account_id)) is not None]
        return (min(start for start, _ in spans), max(end for _, end in spans)) if spans else None

    return source.read(span_of, position=position_of(source, options), details=details)


def _plain(query: Query) -> list[Query]:
    """The query under each version of its terms."""
    history = query.terms
    if isinstance(history, AllTerms):
        return [query]
    versions = [history.with_cycles_of_the_newest(version) for version in history.versions]
    return [replace(query, terms=terms) for terms in versions or [AllTerms()]]


def position_of(ledger: Ledger, options: ReadOptions) -> int:
    """The ledger position to read at: `position`, else the last one known at `known_at`, else the head."""
    return ledger.head(position=options.position, known_at=options.known_at).position


def terms_in(ledger: Ledger, options: ReadOptions | None = None) -> TermsHistory:
    """All versions of the terms in a ledger, as known at the position to read at."""
    documents = ledger.documents("terms", position=position_of(ledger, options or ReadOptions()))
    versions = []
    for document in documents:
        try:
            versions.append(version_of(json.loads(document.content)))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError):  # somebody changed it
            detail = f"the terms at position {document.position} cannot be read"
            raise BadLedger("ledger_damaged", ledger.name, detail=detail) from None
    return TermsHistory(tuple(versions))


@dataclass(frozen=True, slots=True)
class Part:
    """What was computed under one version of the terms, or under the only terms there are."""

    found: Activity
    query: Query
    events: Events | None
    version: TermsVersion | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a query.

    A ledger may hold several versions of the terms; each cycle is computed under the one in force at
    its start. `parts` has what was computed under each.
    """

    parts: tuple[Part, ...]
    history: TermsHistory | None = None

    @property
    def found(self) -> Activity:
        """The activity under the newest terms."""
        return self.parts[-1].found

    def peaks(self, *, curves: bool = False) -> list[Peak]:
        """The peak of every requested account and cycle, by account and cycle."""
        return [row for row, _ in self._rows(lambda p: peaks(p.found, p.query, curves=curves))]

    def drafts(self) -> list[Invoice]:
        """The draft invoice of every requested account and cycle, by account and cycle."""
        return [drafted for drafted, _ in self._rows(lambda p: draft(p.found, p.query, p.version))]

    def credits(self) -> list[Credits]:
        """Calls and the credits they cost, by account, cycle and action; only for a query with `calls`."""
        return [row for row, _ in self._rows(lambda p: credits(p.found, p.query))]

    def evidence(self) -> list[Evidence]:
        """The evidence for every peak, in the order of `drafts`; only for a query with `ids`."""
        rows = self._rows(lambda p: peaks(p.found, p.query))
        # A part passes its events once for all its rows.
        of_part = {id(part): iter(_evidence(part, [row for row, own in rows if own is part])) for part in self.parts}
        return [next(of_part[id(part)]) for _, part in rows]

    def part_of(self, row: OfCycle) -> Part:
        """What was computed under the terms that a cycle is billed by."""
        version = self._version_of(row)
        return next(part for part in self.parts if part.version is version)

    def terms_of(self, row: OfCycle) -> Terms:
        """The terms that a cycle is billed by."""
        return self.part_of(row).query.all_terms.of(row.account_id)

    def credits_used(self, rows: Iterable[Peak]) -> dict[tuple[str, int], Decimal]:
        """The credits used in some cycles, by account and start of cycle; only of accounts that pay for credits."""
        used: dict[tuple[str, int], Decimal] = {}
        rows = list(rows)
        for part in self.parts:
            if part.query.all_terms.prices_credits:
                own = [row for row in rows if self._version_of(row) is part.version]
                meter = Meter(part.found, part.query, own)
                used |= {(row.account_id, row.start): found for row in own if (found := meter.of(row)) is not None}
        return used

    def basis_of(self, row: OfCycle) -> Basis:
        """What a cycle was computed from, as its invoice states it."""
        part = self.part_of(row)
        found, version = part.found, part.version
        number = None if version is None else version.number
        return Basis(found.accepted_of(row.account_id), found.position, found.digest, zone_rules_version(), number)

    def _rows(self, rows_of: Callable[[Part], Iterable[Bill]]) -> list[tuple[Bill, Part]]:
        found = [(row, part) for part in self.parts for row in rows_of(part) if self._version_of(row) is part.version]
        return sorted(found, key=lambda r: (r[0].account_id, r[0].cycle)) if len(self.parts) > 1 else found

    def _version_of(self, row: OfCycle) -> TermsVersion | None:
        return None if self.history is None else self.history.in_force(micros(row.cycle.start))


def answer(source: Any, query: Query, options: ReadOptions | None = None, *, known: Sequence[Part] = ()) -> Result:
    """The result of a query on a source.

    `known` are parts of results of the same query on the same events under other terms; their activity is
    used where the terms have the same policies.
    """
    history = query.terms if isinstance(query.terms, TermsHistory) else None
    # If one version needs details of calls, all read them, so that versions can share what was computed.
    query = replace(query, calls=query.details)
    if history is None or not history.versions:
        plain = query if history is None else replace(query, terms=AllTerms())
        same = next((p for p in known if p.query.all_terms.same_activity(plain.all_terms)), None)
        found, events = (same.found, same.events) if same else _activity_of(source, plain, options)
        return Result((Part(found, plain, events),))
    parts: list[Part] = []
    for version in history.versions:
        terms = history.with_cycles_of_the_newest(version)
        same = next((p for p in (*known, *parts) if p.query.all_terms.same_activity(terms)), None)
        own = replace(query, terms=terms)
        found, events = (same.found, same.events) if same else _activity_of(source, own, options)
        parts.append(Part(found, own, events, version))
    return Result(tuple(parts), history)


def activity(source: Any, query: Query, options: ReadOptions | None = None) -> Activity:
    """When each identity of a source was active. Raises `BadSource` for one that cannot be used."""
    return _activity_of(source, query, options)[0]


def _activity_of(source: Any, query: Query, options: ReadOptions | None) -> tuple[Activity, Events | None]:
    options = options or ReadOptions()
    if isinstance(source, Ledger):
        position = position_of(source, options)
        events = source.read(RequiredSpans(query), position=position, ids=query.ids, details=query.details)
    elif _can_stream(source, query, options):
        return _streamed(source, query, options), None
    else:
        events = read(source, replace(options, details=query.details))
    return run(events, [events.columns.in_order_of_time()], query), events


def _can_stream(source: Any, query: Query, options: ReadOptions) -> bool:
    kept = options.digest or query.ids or query.details
    return not kept and not isinstance(source, Events) and sources.streams(source)


def _streamed(source: Any, query: Query, options: ReadOptions) -> Activity:
    if options.position is not None:
        raise BadSource("position_needs_ledger", field="position")
    stream = sources.Stream(source, options)
    if sources.may_be_in_order(source):
        try:
            return run(stream, stream, query)
        except OutOfOrder:
            stream = sources.Stream(source, options)
    return run(stream, [Columns.concat(list(stream)).in_order_of_time()], query)


def draft_cycle(ledger: Ledger, accounts: Sequence[str], cycle: Cycle, terms: AllTerms, position: int) -> list[Invoice]:
    """The invoices of some accounts for one cycle, wherever its bounds lie, as known at a position."""
    start, end = micros(cycle.start), micros(cycle.end)
    query = Query(terms=terms, accounts=tuple(accounts))

    def span_of(account_id: str) -> tuple[int, int] | None:
        requested = account_id in query.accounts
        return (start - query.policy_of(account_id).longest_window, end) if requested else None

    events = ledger.read(span_of, position=position, details=query.details)
    found = run(events, [events.columns.in_order_of_time()], query)
    codes = accounts_in_scope(found, query)
    rows = sweep_cycles(found, codes, [([start - 1, start, end], [cycle])] * len(codes))
    return list(price_cycles(rows, found, query, None))


def account_of(found: Activity, query: Query) -> str:
    """The requested account, or the only one there is. Raises `BadSource`, `UnknownAccount`."""
    present = [name for code, name in enumerate(found.names.account_names) if found.accepted[code]]
    if not present:
        raise BadSource("nothing_accepted")
    if not query.accounts and len(present) > 1:
        raise UnknownAccount("account_needed", known=", ".join(sorted(present)[:5]) + (", ..." if present[5:] else ""))
    return (query.accounts or present)[0]


def explain(source: Any, query: Query, options: ReadOptions | None = None) -> tuple[Evidence, Result]:
    """The evidence for the peak of one account in one cycle, and the whole result.

    The account may be left out where there is only one; without a cycle (`first`), it is the one with the
    highest peak. Raises `UnknownAccount`, and `BadCycle` where no cycle of the account starts in that month.
    """
    result = answer(source, replace(query, last=query.first, ids=True), options)
    account = account_of(result.found, query)
    rows = result.peaks()
    if not rows:
        raise BadCycle("cycle_none", got=query.first, account=quoted(account))
    row = max(rows, key=lambda r: r.peak)  # the first of the highest
    return _evidence(result.part_of(row), [row])[0], result


def explain_cycle(ledger: Ledger, account_id: str, cycle: Cycle, policy: ActivityPolicy, position: int) -> Evidence:
    """The evidence for one cycle of an account, wherever its bounds lie, as known at a position."""
    query = Query(accounts=(account_id,), policy=policy, ids=True)
    events = ledger.read(RequiredSpans(query), position=position, ids=True)
    found = run(events, [events.columns.in_order_of_time()], query)
    start, end = micros(cycle.start), micros(cycle.end)
    rows = sweep_cycles(found, accounts_in_scope(found, query), [([start - 1, start, end], [cycle])])
    return _evidence(Part(found, query, events), list(rows))[0]


def _evidence(part: Part, rows: list[Peak]) -> list[Evidence]:
    events, found = part.events, part.found
    assert events is not None, "evidence names events, so they were kept"
    policies = [part.query.policy_of(row.account_id) for row in rows]
    with without_collecting():
        return evidence(events, found.intervals, found.accounts, rows, policies, as_of=part.query.as_of)
