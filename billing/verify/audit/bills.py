"""The bills of one account, checked in full or by sample.

A small account is checked cycle by cycle and at every instant. Of a large one the count is taken at
the instant of each peak, where it must equal the peak, and at some others, where it must not exceed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from ...core.cycle import text_of
from ...core.event import CREATED, TYPES
from ...core.terms import TermsHistory
from ...ledger.ledger import Ledger
from .. import definition
from ..definition import Event
from . import expected
from .checker import Checker
from .discrepancy import Discrepancy, StatedBill
from .events import without_call
from .minimize import minimize_discrepancy

#: The types that begin or end activity.
ACTIVITY: Final = TYPES[:CREATED]
#: `StatedBill.by` of the bills that the engine computes now.
ENGINE: Final = "the engine"
#: How many steps the definition may take over accounts that are checked in full: about a minute.
STEPS_MAX: Final = 500_000_000
#: How many events are read for the sample of one account, and at how many instants beside each peak.
SAMPLE_EVENTS_MAX: Final = 2_000_000
INSTANTS: Final = 10


def small_accounts(accounts: dict[str, int]) -> set[str]:
    """The accounts to check in full, given how many events each has: the smallest, up to `STEPS_MAX`."""
    small, steps = set(), 0
    for account, count in sorted(accounts.items(), key=lambda item: item[1]):
        steps += 2 * count * count
        if steps > STEPS_MAX:
            break
        small.add(account)
    return small


def check_bills(checker: Checker, account: str, bills: Sequence[StatedBill], *, in_full: bool) -> None:
    """Compare the engine's bills of one account with the definition."""
    checker.audit.bills += len(bills)
    for bill in bills:
        checker.compare_cycle(bill)
    if not in_full:
        checker.audit.sampled[account] = sum(1 for _ in _check_sample(checker, bills))
        return
    checker.audit.full.append(account)
    events = checker.events.events(account, as_of=checker.query.as_of)
    for bill in bills:
        checker.compare(bill, events, seen=lambda: checker.seen_by_the_engine(account))
    _check_complete(checker, account, events, bills)
    if isinstance(checker.source, Ledger):
        _check_events(checker, account, events)


def _check_complete(checker: Checker, account: str, events: list[Event], bills: Sequence[StatedBill]) -> None:
    """If all cycles were requested, nobody may be active outside of those that were billed."""
    query = checker.query
    if (query.first, query.last, query.as_of) != (None, None, None) or isinstance(query.terms, TermsHistory):
        return
    terms = checker.terms_at(account, 0)
    for _, since, until in expected.covers(events, terms.policy):
        for instant in (since, until - 1):
            if not any(bill.start <= instant < bill.end for bill in bills):
                cycle = expected.cycle(terms.cycles, terms.cycles.index_at(instant))
                missing = StatedBill(ENGINE, account, *cycle, 0, None, None, terms)
                checker.add(Discrepancy(missing, "bill", "none", "one, since somebody is active"))
                return


def _check_events(checker: Checker, account: str, events: list[Event]) -> None:
    """Compare a ledger's entries with the index that bills are read from: both must hold the same events."""
    seen = [without_call(e) for e in checker.seen_by_the_engine(account)]
    counted = [without_call(e) for own in definition.billed(events).values() for e in own if e.type in ACTIVITY]
    odd = {e.event_id: e for e in {*seen} ^ {*counted}}
    already_found = any(one.bill.account_id == account for one in checker.audit.discrepancies)
    if not odd or already_found:
        return
    first = min(odd.values(), key=lambda e: (e.type not in definition.WINDOWS, e.occurred_at))
    terms = checker.terms_at(account, first.occurred_at)
    cycle = expected.cycle(terms.cycles, terms.cycles.index_at(first.occurred_at))
    bill = StatedBill(ENGINE, account, *cycle, 0, None, None, terms)
    found = Discrepancy(bill, "number of events that bills are read from", len(seen), len(counted))
    ids = {first.event_id}
    checker.add(
        minimize_discrepancy(found, [e for e in seen if e.event_id in ids], [e for e in counted if e.event_id in ids])
    )


def _check_sample(checker: Checker, bills: Sequence[StatedBill]) -> Iterator[int]:
    """Check the count at the instant of each peak and at some others; gives each instant that was checked."""
    left = SAMPLE_EVENTS_MAX
    for turn in range(INSTANTS + 1):
        for bill in bills:
            instant = _instant(checker, bill, turn)
            if instant is None or left < 0:
                continue
            policy = bill.terms.policy
            events = checker.events.between(bill.account_id, instant - policy.longest_window, instant)
            windows = expected.windows_of(policy)
            count = len(definition.active_at(events, instant, windows=windows, reconnect=policy.reconnect))
            left -= len(events)
            yield instant
            at_peak = turn == 0
            if count > bill.peak or (at_peak and count != bill.peak):
                figure = f"peak, held against the count at {text_of(instant)},"
                whole = checker.events.events(bill.account_id, as_of=checker.query.as_of)
                found = Discrepancy(bill, figure, bill.peak, count)
                checker.add(minimize_discrepancy(found, checker.seen_by_the_engine(bill.account_id), whole))
            if at_peak and bill.total is not None and bill.total != (right := _total(checker, bill)):
                checker.add(Discrepancy(bill, "total", bill.total, right))


def _total(checker: Checker, bill: StatedBill) -> Decimal | None:
    """What is owed for the peak that a bill states, and for the credits used in its cycle."""
    used = None
    if bill.terms.prices_credits:
        events = checker.events.between(bill.account_id, bill.start, bill.end - 1)
        as_of = checker.query.as_of
        events = [e for e in events if as_of is None or e.occurred_at < as_of or e.type not in ACTIVITY]
        used = expected.credits(events, bill.start, bill.end, bill.terms)
    return expected.total(bill.peak, bill.terms, used)


def _instant(checker: Checker, bill: StatedBill, turn: int) -> int | None:
    """The instant of a bill's peak in the first turn, then instants of events spread over its cycle."""
    if turn == 0:
        return bill.start if bill.peak_at is None else bill.peak_at
    as_of = checker.query.as_of
    end = bill.end if as_of is None else min(bill.end, as_of)
    moments = checker.events.instants(bill.account_id, bill.start, end)
    return int(moments[(turn - 1) * len(moments) // INSTANTS]) if len(moments) else None
