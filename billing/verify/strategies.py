"""Hypothesis strategies for small ledgers in which events meet: where bills go wrong.

Bills go wrong where instants meet: a deletion at the instant of an action, an event exactly at the
end of a window, a microsecond before a cycle starts. Events drawn at random almost never meet, so
these are drawn around a few pivots: the bounds of a cycle, and a window away from them.

Strategies are plural nouns with keyword arguments for their bounds: `events` and `ledgers` of
`definition.Event`, `cycles` as spans, `histories` as ledgers in batches, and `rules`, `plans` and
`terms` of the engine's types. A failing example shrinks to a few events in January 2026.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final, Literal

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ..core.activity import ActivityPolicy
from ..core.cycle import CycleRule
from ..core.plan import Plan, Tier
from ..core.terms import Terms
from .definition import DAY, WINDOWS, Event

#: A billing cycle, `[start, end)` in microseconds.
Span = tuple[int, int]
#: The cycle that events fall around by default: January 2026.
JANUARY: Final = (1_767_225_600_000_000, 1_769_904_000_000_000)

ACCOUNTS: Final = ("acme", "bolt")
IDENTITIES: Final = ("ada", "bo", "cy", "di")
#: The types that begin or end activity; for the others, the instant does not matter.
ACTIVITY: Final = ("action.called", "integration.connected", "identity.deleted")
#: All types, to draw from: those that begin activity are in it more often.
TYPES: Final = ("action.called", "integration.connected", *ACTIVITY, *ACTIVITY, "identity.created", "event.voided")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Starts of cycles: calendar months, short and long, and anchors at odd times and ends of months.
_CALENDAR: Final = (
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 2, 1, tzinfo=UTC),
    datetime(2024, 2, 1, tzinfo=UTC),
)
_ANCHORS: Final = (
    datetime(2025, 1, 31, tzinfo=UTC),
    datetime(2025, 10, 14, 7, 13, 47, tzinfo=UTC),
    datetime(2023, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)
#: Cycle rules of accounts: anchors on the 31st, and time zones whose clocks change.
_RULES: Final = (
    CycleRule(),
    CycleRule(timezone="America/New_York"),
    CycleRule(datetime(2025, 1, 31, tzinfo=UTC)),
    CycleRule(datetime(2025, 10, 14, 7, 13, 47, tzinfo=UTC), timezone="America/New_York"),
    CycleRule(datetime(2025, 8, 30, 22, tzinfo=UTC), timezone="Europe/Berlin"),
    CycleRule(timezone="America/New_York", months=3),
    CycleRule(datetime(2023, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), months=12),
)
#: Prices whose halves of a cent a float loses or rounds the wrong way, and any others.
_PRICES: Final = st.sampled_from(("7.99", "1.005", "2.675", "0.125", "10")).map(Decimal) | st.integers(0, 20_000).map(
    lambda mills: Decimal(mills).scaleb(-3)
)
#: What a plan may have besides tiers.
_SETTINGS: Final[SearchStrategy[dict[str, Any]]] = st.fixed_dictionaries(
    {},
    optional={
        "included": st.integers(0, 12),
        "package_size": st.integers(1, 7),
        "charge_flat_at_zero": st.booleans(),
        "minimum": _PRICES,
        "maximum": _PRICES.map(lambda price: 20 + price),  # no smaller than any minimum
    },
)
#: Zones whose clocks change by an hour, by half of one, by a day, or never.
_ZONES: Final = ("UTC", "America/New_York", "Europe/Paris", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")
#: Which id an event gets: its own, none, or (a number from 0) that of event number n.
_OWN: Final = -1
_ANONYMOUS: Final = -2
#: The numbers of events that come again.
_REPEATS: Final = st.lists(st.integers(0, 9), max_size=2)


@cache
def cycles(*, anchored: bool = True) -> SearchStrategy[Span]:
    """Billing cycles of one month, `[start, end)` in microseconds.

    They start with a calendar month or, if `anchored`, at any instant from 2002 to 2189; the start
    is then the anchor, and the end the same time of day a month later.
    """
    starts = st.sampled_from(_CALENDAR)
    if anchored:
        anywhere = st.datetimes(datetime(2002, 1, 1), datetime(2189, 12, 31)).map(lambda t: t.replace(tzinfo=UTC))
        starts = starts | st.sampled_from(_ANCHORS) | anywhere
    return starts.map(lambda start: (_micros(start), _micros(_month_later(start))))


@cache
def windows(*, days_max: int = 45) -> SearchStrategy[Mapping[str, int]]:
    """How long events keep an identity active: 5 and 30 days, or any other lengths."""
    length = st.sampled_from((5 * DAY, 30 * DAY, 1)) | st.integers(1, days_max * DAY)
    return st.just(WINDOWS) | st.fixed_dictionaries(dict.fromkeys(WINDOWS, length))


def moments() -> SearchStrategy[datetime]:
    """Any instant that an event can have, as aware datetimes in UTC."""
    return st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))


@cache
def rules(*, months: Sequence[int] = (1, 3, 6, 12)) -> SearchStrategy[CycleRule]:
    """Rules of cycles of so many months, by the calendar or from any anchor of this century, in any time zone."""
    anchors = st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
    odd = st.sampled_from(_ANCHORS)
    return st.builds(CycleRule, st.none() | odd | anchors, st.sampled_from(months), st.sampled_from(_ZONES))


def instants(*, around: Span = JANUARY, windows: Mapping[str, int] = WINDOWS) -> SearchStrategy[int]:
    """Instants that matter to a cycle: at its bounds, a window away from them, or a microsecond before or after."""
    lengths = sorted(windows.values())
    away = [0, *lengths, *(-length for length in lengths)]
    pivots = [bound + shift for bound in around for shift in away]
    near = st.builds(int.__add__, st.sampled_from(pivots), st.sampled_from((0, -1, 1)))
    return near | st.integers(around[0] - 2 * lengths[-1], around[1] + lengths[-1])


def events(
    *,
    instants: SearchStrategy[int] | None = None,
    accounts: Sequence[str] = ACCOUNTS[:1],
    identities: Sequence[str] = IDENTITIES,
    types: Sequence[str] = TYPES,
    voids: SearchStrategy[str] | None = None,
) -> SearchStrategy[Event]:
    """Single events without an id, at `instants` or around January; `voids` draws the ids that voids name."""
    instants = _IN_JANUARY if instants is None else instants
    types = types if voids is not None else [t for t in types if t != "event.voided"]
    return st.builds(
        _event,
        st.sampled_from(accounts),
        st.sampled_from(identities),
        st.sampled_from(types),
        instants,
        st.sampled_from(("engagement", "engagement", "standard")),
        st.none() if voids is None else voids,
    )


@st.composite
def ledgers(
    draw: DrawFn,
    *,
    around: Span = JANUARY,
    windows: Mapping[str, int] = WINDOWS,
    accounts: int = 1,
    identities: int = len(IDENTITIES),
    events_min: int = 1,
    events_max: int = 10,
    types: Sequence[str] = TYPES,
    conflicts: bool = True,
) -> list[Event]:
    """The events of some accounts, in no order, around a cycle.

    Events meet: they fall on a few instants, a window after one another, or a microsecond before or
    after. Most have an id of their own; some are repeated. Accounts share names of identities and ids
    of events. With `conflicts`, some ids have two contents and some identities two types. Voids name
    events before and after them, other voids, and events that do not exist.
    """
    pool = draw(st.lists(instants(around=around, windows=windows), min_size=1, max_size=3, unique=True))
    lengths = sorted(windows.values())
    beside = draw(st.sampled_from((0, -1, 1)))  # only one of them, or events would seldom meet
    shifts = (0, 0, beside, *lengths, *(length + beside for length in lengths))
    # With few identities, each has many events.
    few = draw(st.integers(1, identities))
    drafts = draw(_drafts(accounts, few, tuple(types), conflicts, events_min, events_max))
    named: list[Event] = []
    for row, (event, naming, follows) in enumerate(drafts):
        same, since = (named[-1], [named[-1].occurred_at]) if follows and named else (event, pool)
        meeting = [instant + shift for shift in shifts for instant in since]
        named.append(
            replace(
                event,
                account_id=same.account_id,
                identity_id=same.identity_id,
                occurred_at=meeting[event.occurred_at % len(meeting)],
                event_id=_id(naming, row),
            )
        )
    if named:
        named += [named[row % len(named)] for row in draw(_REPEATS)]
    return named if conflicts else without_conflicts(named)


@st.composite
def histories(
    draw: DrawFn,
    *,
    around: Span = JANUARY,
    windows: Mapping[str, int] = WINDOWS,
    batches_max: int = 4,
    events_max: int = 10,
) -> list[list[Event]]:
    """A ledger in batches, as its events arrive; each event has an id.

    Some events come again, in the same batch or in a later one; there are no conflicts.
    """
    drawn = draw(ledgers(around=around, windows=windows, events_max=events_max, conflicts=False))
    named = [replace(e, event_id=e.event_id or f"n{row}") for row, e in enumerate(drawn)]
    cuts = sorted(draw(st.lists(st.integers(0, len(named)), max_size=batches_max - 1)))
    return [named[first:end] for first, end in zip([0, *cuts], [*cuts, len(named)], strict=True)]


@st.composite
def plans(
    draw: DrawFn,
    *,
    modes: Sequence[Literal["volume", "graduated"]] = ("volume", "graduated"),
    bound_max: int = 50,
    flat: bool = True,
    falling: bool = False,
    settings: bool = False,
    open_ended: bool = True,
    currencies: Sequence[str] = ("USD",),
) -> Plan:
    """Plans of up to four tiers, the last one open, with bounds up to `bound_max`, small enough to be crossed.

    `flat` allows flat prices; with `falling`, no tier's price is higher than that of the tier before.
    `settings` allows included units, packages, a minimum, a maximum, and a flat price for a quantity
    of 0. Without `open_ended`, the last tier may have a bound too.
    """
    bounds = sorted(draw(st.sets(st.integers(1, bound_max), max_size=3)))
    units = draw(st.lists(_PRICES, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    tiers = [
        Tier(up_to=bound, unit_price=unit, flat_price=draw(_PRICES) if flat else Decimal(0))
        for bound, unit in zip([*bounds, None], sorted(units, reverse=True) if falling else units, strict=True)
    ]
    if not open_ended and draw(st.booleans()):
        tiers[-1] = tiers[-1].model_copy(update={"up_to": (bounds or [0])[-1] + draw(st.integers(1, bound_max))})
    return Plan(
        id="sample",
        currency=draw(st.sampled_from(currencies)),
        mode=draw(st.sampled_from(modes)),
        tiers=tuple(tiers),
        **(draw(_SETTINGS) if settings else {}),
    )


@st.composite
def terms(
    draw: DrawFn, *, bound_max: int = 3, reconnects: Sequence[Literal["extends", "restarts"]] = ("extends", "restarts")
) -> Terms:
    """Terms of accounts: a plan with small bounds, cycles, windows, and a discount."""
    lengths = draw(st.just(WINDOWS) | windows())  # mostly the defaults
    return Terms(
        plan=draw(plans(bound_max=bound_max, currencies=("USD", "JPY", "KWD"))),
        cycles=draw(st.sampled_from(_RULES)),
        policy=ActivityPolicy(
            action_window=timedelta(microseconds=lengths["action.called"]),
            connect_window=timedelta(microseconds=lengths["integration.connected"]),
            reconnect=draw(st.sampled_from(reconnects)),
        ),
        discount=draw(st.sampled_from(("0", "0", "10", "12.5", "33.3")).map(Decimal)),
    )


def without_conflicts(events: Iterable[Event]) -> list[Event]:
    """The events that conflict with none before them: one content for an id, one type for an identity."""
    kept: list[Event] = []
    contents: dict[tuple[str, str | None], Event] = {}
    kinds: dict[tuple[str, str], str | None] = {}
    for event in events:
        first = contents.setdefault((event.account_id, event.event_id), event)
        if event.event_id is not None and first != event:
            continue
        if event.type == "identity.created":
            kind = kinds.setdefault((event.account_id, event.identity_id), event.identity_type)
            if kind != event.identity_type:
                continue
        kept.append(event)
    return kept


@cache  # cached, since making strategies takes longer than drawing from them
def _drafts(
    accounts: int, identities: int, types: tuple[str, ...], conflicts: bool, events_min: int, events_max: int
) -> SearchStrategy[list[tuple[Event, int, bool]]]:
    """Events with the number of an instant in place of it; which id each gets; whether it is of the same identity."""
    numbers = range(events_max + 1)  # one more than there are events
    event = events(
        instants=st.integers(0, 29),
        accounts=ACCOUNTS[:accounts],
        identities=IDENTITIES[:identities],
        types=types,
        voids=st.sampled_from(numbers).map(_name),
    )
    namings = [_OWN, _OWN, _OWN, _ANONYMOUS] * len(numbers)
    if conflicts:
        namings += numbers
    drafts = st.tuples(event, st.sampled_from(namings), st.booleans())
    return st.lists(drafts, min_size=events_min, max_size=events_max)


def _event(account: str, identity: str, event_type: str, instant: int, identity_type: str, voids: str | None) -> Event:
    return Event(
        account_id=account,
        identity_id=identity,
        type=event_type,
        occurred_at=instant,
        identity_type=identity_type if event_type == "identity.created" else None,
        voids=voids if event_type == "event.voided" else None,
    )


def _id(naming: int, row: int) -> str | None:
    return None if naming == _ANONYMOUS else _name(row if naming == _OWN else naming)


def _name(number: int) -> str:
    return f"e{number}"


def _month_later(start: datetime) -> datetime:
    year, month = start.year + start.month // 12, start.month % 12 + 1
    return start.replace(year=year, month=month, day=min(start.day, monthrange(year, month)[1]))


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


_IN_JANUARY: Final = instants()
