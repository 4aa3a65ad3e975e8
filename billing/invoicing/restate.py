"""Restating: what was issued, held against the same cycles computed again.

Late events move what a cycle comes to. Which cycles an event can have touched follows from when it
occurred; only those are computed again, under the terms of then, and each difference is settled by
a credit note or a supplementary invoice.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .. import engine
from ..config.catalogue import in_force
from ..core.activity import Intervals
from ..core.cycle import Cycle
from ..core.errors import UnknownAccount, hint
from ..core.event import CALLED, CREATED, TYPES, VOIDED, Events
from ..core.invoice import Invoice
from ..core.terms import AllTerms, TermsHistory
from ..engine.query import Query
from ..ledger.entry import Document, Entry, Head, UnissuedDocument
from ..ledger.ledger import Ledger
from .document import invoice_content, restatement_content
from .issue import billed_by, expected, issued
from .restatement import Billed, LateEvent, Restatement, changed, credits_changed, reach


@dataclass(frozen=True, slots=True)
class RestateResult:
    """The restatements that late events make necessary, and the notes that settled them, once issued.

    `looked_at` is how many issued cycles late events can have touched; `everything` tells that none
    was left out.
    """

    head: Head
    restatements: tuple[Restatement, ...]
    looked_at: int
    everything: bool
    documents: tuple[Document, ...] = ()

    @property
    def papers(self) -> list[UnissuedDocument]:
        """The notes to be issued, by account and cycle, after a record of how far was looked."""
        seen = {"position": self.head.position, "looked_at": self.looked_at, "restated": len(self.restatements)}
        record = [UnissuedDocument("restatement", None, None, seen)] if self.everything else []
        return record + [_note_paper(restatement) for restatement in self.restatements]

    def issued_as(self, documents: tuple[Document, ...]) -> RestateResult:
        """The same, with the documents that came of it."""
        return replace(self, documents=documents)


def restate(
    ledger: Ledger,
    *,
    now: int,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    position: int | None = None,
    issue: bool = False,
) -> RestateResult:
    """Hold each issued cycle that late events can have touched against itself, computed now.

    The terms are those of then. With `issue`, each difference is settled by a credit note or a
    supplementary invoice, dated `now`; there is none of 0. `first` and `last` (months) and
    `accounts` limit what is looked at. Raises `StaleLedger` as `close`
    does, `BadCycle` and `UnknownAccount`.
    """

    Query(first=first, last=last)  # refuses months that are none, or the wrong way round

    def attempt() -> RestateResult:
        head = expected(ledger, position)
        everything = first is None and last is None and not accounts
        for account_id in accounts:
            if account_id not in (known := ledger.accounts()):
                raise UnknownAccount("account_unknown", got=account_id, hint=hint(account_id, known))
        billed = [
            b
            for b in billed_by(ledger)
            if (not accounts or b.account_id in accounts)
            and (first or b.cycle.name) <= b.cycle.name <= (last or b.cycle.name)
        ]
        since = _restated_until(ledger)
        touched = _touched(ledger, billed, since, head)
        found = (_restated(ledger, b, fresh, head) for b, fresh in _fresh(ledger, touched, head))
        restatements = tuple(r for r in found if r.difference.amount)
        ordered = sorted(restatements, key=lambda r: (r.billed.account_id, r.billed.cycle))
        return RestateResult(head, tuple(ordered), len(touched), everything and bool(touched))

    drafted = attempt()
    return issued(ledger, drafted, attempt, now) if issue else drafted


def _restated_until(ledger: Ledger) -> int:
    """The position up to which everything issued was held against what was known."""
    records = ledger.documents("restatement")
    return int(json.loads(records[-1].content)["position"]) if records else 0


def _touched(ledger: Ledger, billed: Sequence[Billed], since: int, head: Head) -> list[Billed]:
    """The billed cycles that can have been changed by what came after their latest document, and after `since`."""
    if not billed:
        return []
    history = engine.terms_in(ledger)
    longest = max(policy.longest_window for version in history.versions for policy in version.terms.policies())
    cycles: dict[str, list[Billed]] = {}
    for b in billed:  # by account and cycle
        cycles.setdefault(b.account_id, []).append(b)
    ends = {account: [b.span[1] for b in own] for account, own in cycles.items()}
    found: dict[tuple[str, Cycle], Billed] = {}
    for entry, told in _late(ledger, max(since, min(b.position for b in billed)), head.position):
        own = cycles.get(entry.account_id, [])
        timeless = told.type == TYPES[CREATED]
        # An event changes nothing before itself, nor after the longest window of all policies.
        first = 0 if timeless or not own else bisect_right(ends[entry.account_id], told.occurred_at)
        for b in own[first:]:
            if not timeless and told.occurred_at + longest <= b.span[0]:
                break
            policy = _terms_of(history, b).of(b.account_id).policy
            if entry.position > b.position and _overlap(reach(told.type, told.occurred_at, policy), b.span):
                found[b.account_id, b.cycle] = b
    return [found[key] for key in sorted(found)]


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _late(ledger: Ledger, after: int, until: int, account_id: str | None = None) -> Iterator[tuple[Entry, Entry]]:
    """The entries that can change a count, each with the event that it tells of, or takes away."""
    for entries in ledger.entries(after=after, until=until, account_id=account_id):
        for entry in entries:
            told: Entry | None = entry
            if entry.type == TYPES[VOIDED]:
                told = ledger.entry(entry.account_id, entry.voids or "")
            if told is not None and _counts(told):
                yield entry, told


def _counts(entry: Entry) -> bool:
    """Whether an event can change a count: an identity is an engagement identity also without being told."""
    return entry.type != TYPES[VOIDED] and (entry.type != TYPES[CREATED] or entry.identity_type == "standard")


def _fresh(ledger: Ledger, billed: Sequence[Billed], head: Head) -> Iterator[tuple[Billed, Invoice]]:
    """Each billed cycle as it would be drafted now, under the terms of then."""
    history = engine.terms_in(ledger)
    groups: dict[tuple[int | None, Cycle], list[Billed]] = {}
    for b in billed:
        groups.setdefault((b.terms_version, b.cycle), []).append(b)
    for (version, cycle), some in groups.items():
        accounts = [b.account_id for b in some]
        drafts = engine.draft_cycle(ledger, accounts, cycle, _terms_of(history, some[0]), head.position)
        for b, drafted in zip(some, drafts, strict=True):  # both by account
            yield b, replace(drafted, basis=replace(drafted.basis, terms_version=version))


def _terms_of(history: TermsHistory, billed: Billed) -> AllTerms:
    return history.numbered(billed.terms_version).terms


def _restated(ledger: Ledger, billed: Billed, fresh: Invoice, head: Head) -> Restatement:
    """A restatement with the late events that explain it."""
    restatement = Restatement(billed, fresh)
    if not restatement.difference.amount:
        return restatement
    start, end = billed.span

    terms = _terms_of(engine.terms_in(ledger), billed).of(billed.account_id)

    def at(position: int) -> tuple[Intervals, Events]:
        wanted = start - fresh.policy.longest_window, end
        events = ledger.read(
            lambda account: wanted if account == billed.account_id else None,
            position=position,
            details=terms.prices_credits,
        )
        return engine.activity(events, Query(policy=fresh.policy)).intervals, events

    then, now = at(billed.position), at(head.position)
    grew, shrank = changed(then, now, start, end)
    cost: set[str] = set()
    if terms.prices_credits:
        cost = credits_changed(then[1], now[1], billed.span, in_force(terms))
    late = (
        LateEvent(
            entry.position, entry.event_id, entry.identity_id, entry.type, entry.occurred_at, entry.recorded_at,
            entry.voids,
        )
        for entry, told in _late(ledger, billed.position, head.position, billed.account_id)
        if (
            told.identity_id in grew | shrank
            and _overlap(reach(told.type, told.occurred_at, fresh.policy), billed.span)
        )
        or (told.identity_id in cost and _costs(told, billed.span))
    )  # fmt: skip
    return Restatement(billed, fresh, tuple(sorted(grew)), tuple(sorted(shrank)), tuple(late), tuple(sorted(cost)))


def _costs(told: Entry, span: tuple[int, int]) -> bool:
    """Whether an event can change what calls of its identity in a cycle cost: a call in it, or the type."""
    return told.type == TYPES[CREATED] or (told.type == TYPES[CALLED] and span[0] <= told.occurred_at < span[1])


def _note_paper(restatement: Restatement) -> UnissuedDocument:
    billed, fresh = restatement.billed, restatement.fresh
    note = replace(fresh, lines=restatement.lines, total=restatement.difference)
    content = invoice_content(note) | {"status": "issued"}
    more = {
        "kind": restatement.kind,
        "cycle": billed.cycle.name,
        "issued_at": None,
        "refers_to": billed.numbers[0],
        **restatement_content(restatement),
    }
    return UnissuedDocument(restatement.kind, billed.account_id, billed.span[0], content | more)
