"""Restate: compare what was issued with the same cycles computed again.

Late events change the total of a cycle. Which cycles an event can have changed follows from when it
occurred. Only those are computed again, under the terms they were billed by, and a credit note or a
supplementary invoice settles each difference.
"""

from __future__ import annotations

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
from .document import note_document, restated_until, restatement_document
from .issue import billed_cycles, head_at, retry_if_stale
from .restatement import Billed, LateEvent, Restatement, activity_changes, affected_span, credit_changes


@dataclass(frozen=True, slots=True)
class RestateResult:
    """The restatements that late events make necessary, and the notes that settled them, once issued.

    `touched` is how many issued cycles late events can have changed; `complete` is true if all issued
    cycles were considered and there were any.
    """

    head: Head
    restatements: tuple[Restatement, ...]
    touched: int
    complete: bool
    documents: tuple[Document, ...] = ()

    @property
    def unissued(self) -> list[UnissuedDocument]:
        """The notes to be issued, by account and cycle; before them, if complete, a record of the position."""
        restated = len(self.restatements)
        record = [restatement_document(self.head.position, self.touched, restated)] if self.complete else []
        return record + [note_document(restatement) for restatement in self.restatements]


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
    """Compare each issued cycle that late events can have changed with itself, computed now.

    Each is computed under the terms it was billed by. With `issue`, a credit note or a supplementary
    invoice, dated `now`, settles each difference; there is none of 0. `first` and `last` (months) and
    `accounts` limit the cycles. Raises `StaleLedger` as `close` does, `BadCycle` and `UnknownAccount`.
    """
    Query(first=first, last=last)  # raises for what is no month, or the wrong way round

    def attempt() -> RestateResult:
        result = _draft(ledger, first, last, accounts, head_at(ledger, position))
        if not issue or not result.unissued:
            return result
        documents = ledger.issue(result.unissued, after=result.head.documents_digest, now=now)
        return replace(result, documents=tuple(documents))

    return retry_if_stale(attempt)


def _draft(ledger: Ledger, first: str | None, last: str | None, accounts: Sequence[str], head: Head) -> RestateResult:
    """What restating would issue, from the ledger as it is."""
    known = ledger.accounts() if accounts else []
    for account_id in accounts:
        if account_id not in known:
            raise UnknownAccount("account_unknown", got=account_id, hint=hint(account_id, known))
    billed = [
        b
        for b in billed_cycles(ledger)
        if (not accounts or b.account_id in accounts)
        and (first or b.cycle.name) <= b.cycle.name <= (last or b.cycle.name)
    ]
    records = ledger.documents("restatement")
    since = restated_until(ledger, records[-1]) if records else 0
    touched = _touched(ledger, billed, since, head)
    found = (_restated(ledger, b, fresh, head) for b, fresh in _fresh(ledger, touched, head))
    restatements = [restatement for restatement in found if restatement.difference.amount]
    restatements.sort(key=lambda restatement: (restatement.billed.account_id, restatement.billed.cycle))
    unlimited = first is None and last is None and not accounts
    return RestateResult(head, tuple(restatements), len(touched), unlimited and bool(touched))


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
    for entry, event in _late(ledger, max(since, min(b.position for b in billed)), head.position):
        own = cycles.get(entry.account_id, [])
        timeless = event.type == TYPES[CREATED]
        # An event changes nothing before itself, nor after the longest window of all policies.
        first = 0 if timeless or not own else bisect_right(ends[entry.account_id], event.occurred_at)
        for b in own[first:]:
            if not timeless and event.occurred_at + longest <= b.span[0]:
                break
            policy = _terms_of(history, b).of(b.account_id).policy
            if entry.position > b.position and _overlap(affected_span(event.type, event.occurred_at, policy), b.span):
                found[b.account_id, b.cycle] = b
    return [found[key] for key in sorted(found)]


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _late(ledger: Ledger, after: int, until: int, account_id: str | None = None) -> Iterator[tuple[Entry, Entry]]:
    """The entries that can change a count, each with its event: a void with the one that it takes back."""
    for entries in ledger.entries(after=after, until=until, account_id=account_id):
        for entry in entries:
            event: Entry | None = entry
            if entry.type == TYPES[VOIDED]:
                event = ledger.entry(entry.account_id, entry.voids or "")
            if event is not None and _counts(event):
                yield entry, event


def _counts(event: Entry) -> bool:
    """Whether an event can change a count: an identity without a type is an engagement identity anyway."""
    return event.type != TYPES[VOIDED] and (event.type != TYPES[CREATED] or event.identity_type == "standard")


def _fresh(ledger: Ledger, billed: Sequence[Billed], head: Head) -> Iterator[tuple[Billed, Invoice]]:
    """Each billed cycle with a draft of it as it would be now, under the terms it was billed by."""
    history = engine.terms_in(ledger)
    groups: dict[tuple[int | None, Cycle], list[Billed]] = {}
    for b in billed:
        groups.setdefault((b.terms_version, b.cycle), []).append(b)
    for (version, cycle), group in groups.items():
        accounts = [b.account_id for b in group]
        drafts = engine.draft_cycle(ledger, accounts, cycle, _terms_of(history, group[0]), head.position)
        for b, draft in zip(group, drafts, strict=True):  # both by account
            yield b, replace(draft, basis=replace(draft.basis, terms_version=version))


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
        span = start - fresh.policy.longest_window, end
        events = ledger.read(
            lambda account: span if account == billed.account_id else None,
            position=position,
            details=terms.prices_credits,
        )
        return engine.activity(events, Query(policy=fresh.policy)).intervals, events

    before, now = at(billed.position), at(head.position)
    grew, shrank = activity_changes(before, now, start, end)
    repriced: set[str] = set()
    if terms.prices_credits:
        repriced = credit_changes(before[1], now[1], billed.span, in_force(terms))
    late = (
        LateEvent(
            entry.position, entry.event_id, entry.identity_id, entry.type, entry.occurred_at, entry.recorded_at,
            entry.voids,
        )
        for entry, event in _late(ledger, billed.position, head.position, billed.account_id)
        if (
            event.identity_id in grew | shrank
            and _overlap(affected_span(event.type, event.occurred_at, fresh.policy), billed.span)
        )
        or (event.identity_id in repriced and _affects_credits(event, billed.span))
    )  # fmt: skip
    names = tuple(sorted(grew)), tuple(sorted(shrank))
    return Restatement(billed, fresh, *names, tuple(late), tuple(sorted(repriced)))


def _affects_credits(event: Entry, span: tuple[int, int]) -> bool:
    """Whether an event can change the credits of its identity in a cycle: a call in it, or the type."""
    return event.type == TYPES[CREATED] or (event.type == TYPES[CALLED] and span[0] <= event.occurred_at < span[1])
