"""The definition of a bill as plain Python: the result that every faster way must give.

It imports nothing of ours, keeps no running count and is as slow as it looks. The two window lengths
are repeated here on purpose, so that a wrong constant elsewhere shows.

    cover(e)  = [t_e, min(t_e + window(type_e), first deletion of that identity at or after t_e))
    active(i) = union of cover(e) over the activating events e of identity i
    peak      = max over t in [cycle start, cycle end) of the number of identities active at t
    cycle k   = [anchor + k months, anchor + (k + 1) months), by the clock of the account's zone
    price     = the tiers of the peak, then minimum, then maximum, then one rounding, half away from 0
    credits   = for each call in the cycle: nothing if the action is included and the identity an engagement
                identity, else ratio x results, and 1.5 times that if managed
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any

DAY = 86_400_000_000  # microseconds; always exactly 24 hours
WINDOWS = {"integration.connected": 5 * DAY, "action.called": 30 * DAY}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """One event of an identity of an account, at an instant in microseconds."""

    account_id: str
    identity_id: str
    type: str
    occurred_at: int
    event_id: str | None = None
    identity_type: str | None = None
    voids: str | None = None
    action: str | None = None
    results: int | None = None
    mode: str | None = None


def peak(
    events: Iterable[Event],
    start: int,
    end: int,
    *,
    windows: Mapping[str, int] = WINDOWS,
    reconnect: str = "extends",
) -> tuple[int, int | None]:
    """The most identities of one account active at one instant of `[start, end)`, and the first such instant.

    >>> peak([Event("acme", "ada", "action.called", 0), Event("acme", "bo", "action.called", 7)], 0, DAY)
    (2, 7)
    >>> peak([], 0, DAY)
    (0, None)
    """
    return highest(covers(events, windows=windows, reconnect=reconnect), start, end)


def highest(covers: list[tuple[str, int, int]], start: int, end: int) -> tuple[int, int | None]:
    """The most identities whose covers share an instant of `[start, end)`, and the first such instant."""
    # The count changes where a cover starts or ends, and nowhere else.
    instants = {start} | {edge for _, *span in covers for edge in span if start <= edge < end}
    best, first = 0, None
    for instant in sorted(instants):
        active = {identity for identity, since, until in covers if since <= instant < until}
        if len(active) > best:
            best, first = len(active), instant
    return best, first


def active_at(
    events: Iterable[Event], instant: int, *, windows: Mapping[str, int] = WINDOWS, reconnect: str = "extends"
) -> set[str]:
    """The identities of one account that are active at one instant: those with a cover that includes it.

    >>> active_at([Event("acme", "ada", "action.called", 0)], 30 * DAY - 1)
    {'ada'}
    """
    active = set()
    for identity, history in billed(events).items():
        before = [e for e in history if e.occurred_at <= instant]
        deleted = max((e.occurred_at for e in before if e.type == "identity.deleted"), default=-1)
        connected = max((e.occurred_at for e in before if e.type == "integration.connected"), default=-1)
        for e in before:
            not_ended = e.occurred_at > deleted and (reconnect == "extends" or e.occurred_at >= connected)
            if e.type in windows and not_ended and instant < e.occurred_at + windows[e.type]:
                active.add(identity)
    return active


def covers(
    events: Iterable[Event], *, windows: Mapping[str, int] = WINDOWS, reconnect: str = "extends"
) -> list[tuple[str, int, int]]:
    """The spans for which events of one account keep its identities active."""
    return [
        cover
        for history in billed(events).values()
        for cover in covers_of(history, windows=windows, reconnect=reconnect)
    ]


def covers_of(
    history: list[Event], *, windows: Mapping[str, int] = WINDOWS, reconnect: str = "extends"
) -> list[tuple[str, int, int]]:
    """The spans for which each event of one identity keeps it active: `(identity_id, since, until)`."""
    covers = []
    for event in history:
        if event.type not in windows:
            continue
        since = event.occurred_at
        ends = [since + windows[event.type]]
        ends += [e.occurred_at for e in history if e.type == "identity.deleted" and e.occurred_at >= since]
        if reconnect == "restarts":
            ends += [e.occurred_at for e in history if e.type == "integration.connected" and e.occurred_at > since]
        if min(ends) > since:
            covers.append((event.identity_id, since, min(ends)))
    return covers


def billed(events: Iterable[Event]) -> dict[str, list[Event]]:
    """The events that count, by identity: without voided events and standard identities."""
    events = happened(events)
    types = types_of(events)
    histories: dict[str, list[Event]] = {}
    for event in events:
        if types.get(event.identity_id, "engagement") == "engagement":
            histories.setdefault(event.identity_id, []).append(event)
    return histories


def types_of(events: Iterable[Event]) -> dict[str, str]:
    """The type of each identity that was created, of several the first; the others are engagement identities."""
    types: dict[str, str] = {}
    for event in events:
        if event.type == "identity.created":
            types.setdefault(event.identity_id, event.identity_type or "engagement")
    return types


def happened(events: Iterable[Event]) -> list[Event]:
    """One account's events without repeats, conflicts, voids and what they void."""
    kept: list[Event] = []
    ids: set[str] = set()
    for event in events:  # of two with one id the first stays
        if event.event_id is None or event.event_id not in ids:
            kept.append(event)
        ids.update([event.event_id] if event.event_id else [])
    voids = [e for e in kept if e.type == "event.voided"]
    void_ids = {e.event_id for e in voids}
    voided = {e.voids for e in voids if e.voids not in void_ids}  # voiding a void is rejected
    return [e for e in kept if e.type != "event.voided" and e.event_id not in voided]


def cycle(k: int, *, anchor: int | None = None, months: int = 1, zone: tzinfo = UTC) -> tuple[int, int]:
    """Billing cycle `k` as `[start, end)` in microseconds; without an anchor, months of the calendar.

    >>> cycle(0, anchor=0) == (0, 31 * DAY)
    True
    """
    return bound(k, anchor=anchor, months=months, zone=zone), bound(k + 1, anchor=anchor, months=months, zone=zone)


def bound(k: int, *, anchor: int | None = None, months: int = 1, zone: tzinfo = UTC) -> int:
    """The start of cycle `k`, counted from the anchor and never from the cycle before."""
    if k == 0 and anchor is not None:
        return anchor
    local = datetime(2000, 1, 1)
    if anchor is not None:
        local = (EPOCH + timedelta(microseconds=anchor)).astimezone(zone).replace(tzinfo=None)
    year, month = divmod(local.year * 12 + local.month - 1 + k * months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])  # the 31st is the 28th in February, and the 31st again after
    # A time that exists twice is the first; one that does not exist moves by the gap.
    start = local.replace(year=year, month=month + 1, day=day, tzinfo=zone, fold=0)
    return (start.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def credits(events: Iterable[Event], start: int, end: int, catalogue: Sequence[Mapping[str, Any]]) -> Fraction:
    """The credits that the calls of one account cost that were made in `[start, end)`.

    `catalogue` has its versions as in its file, but with `applies_from` in microseconds; the first has
    none. A call that names no action costs nothing; one without results counts as one result.

    >>> skills = {"ratio": "1", "managed": "1.5", "included": ["like"], "ratios": {"skills": "0.05"}}
    >>> call = Event("acme", "ada", "action.called", 0, action="skills", results=10, mode="managed")
    >>> credits([call, Event("acme", "ada", "action.called", 0, action="like")], 0, DAY, [skills])
    Fraction(3, 4)
    """
    events = happened(events)
    types = types_of(events)
    spent = Fraction(0)
    for event in events:
        if event.type != "action.called" or event.action is None or not start <= event.occurred_at < end:
            continue
        version = catalogue[0]
        for later in catalogue[1:]:
            if later["applies_from"] <= event.occurred_at:
                version = later
        if event.action in version["included"] and types.get(event.identity_id, "engagement") == "engagement":
            continue
        results = 1 if event.results is None else event.results
        cost = Fraction(version["ratios"].get(event.action, version["ratio"])) * results
        spent += cost * Fraction(version["managed"]) if event.mode == "managed" else cost
    return spent


def total(
    plan: Mapping[str, Any], quantity: int, *, discount: str = "0", digits: int = 2, credits: Fraction | None = None
) -> Decimal:
    """What is owed for a quantity: its price less the discount in percent, each rounded; and for credits.

    `plan` is a plan as in its file; `digits` are those of the currency's minor unit.

    >>> total({"mode": "volume", "tiers": [{"unit_price": "7.99"}]}, 8, discount="12.5")
    Decimal('55.93')
    """
    usage = rounded(price(plan, quantity), digits)
    owed = usage - rounded(Fraction(usage) * Fraction(discount) / 100, digits)
    return owed if credits is None else owed + rounded(credits * Fraction(plan["credit_price"]), digits)


def price(plan: Mapping[str, Any], quantity: int) -> Fraction:
    """What a quantity costs before rounding. Raises `ValueError` beyond the last tier."""
    units = max(0, quantity - plan.get("included", 0))
    if plan.get("package_size"):
        units = -(-units // plan["package_size"])  # a package that is begun is paid for

    def tier_of(unit: int) -> int:
        for number, tier in enumerate(plan["tiers"]):
            if tier.get("up_to") is None or unit <= tier["up_to"]:
                return number
        raise ValueError(f"no tier reaches {unit}")

    if not units:
        priced, entered = [], [0] if plan.get("charge_flat_at_zero") else []
    elif plan["mode"] == "volume":
        priced, entered = [tier_of(units)] * units, [tier_of(units)]
    else:
        priced = [tier_of(unit) for unit in range(1, units + 1)]
        entered = sorted(set(priced))
    each = [Fraction(tier["unit_price"]) for tier in plan["tiers"]]
    flat = [Fraction(tier.get("flat_price", 0)) for tier in plan["tiers"]]
    amount = sum((priced.count(k) * each[k] for k in set(priced)), sum((flat[k] for k in entered), Fraction(0)))
    if plan.get("minimum") is not None:
        amount = max(amount, Fraction(plan["minimum"]))
    if plan.get("maximum") is not None:
        amount = min(amount, Fraction(plan["maximum"]))
    return amount


def rounded(amount: Fraction, digits: int) -> Decimal:
    """An amount that is not negative, rounded half away from zero.

    >>> rounded(Fraction("2.675"), 2)
    Decimal('2.68')
    """
    units = (amount * 10**digits + Fraction(1, 2)).__floor__()
    return Decimal(units).scaleb(-digits)
