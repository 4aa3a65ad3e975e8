"""Reconciliation: our invoices held against someone else's, cycle by cycle, to the cent.

Both are matched by account and cycle. What is on one side only, twice, of another cycle or of another
currency says so; of the rest, the figures agree or differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from ..core.cycle import Cycle, micros, moment
from ..core.event import DAY
from ..core.money import EXACT, Money

Status = Literal[
    "matched",
    "quantity_differs",
    "amount_differs",
    "missing_ours",
    "missing_theirs",
    "duplicate",
    "cycle_shifted",
    "currency_differs",
]
#: In the order in which they are told.
STATUSES: Final[tuple[Status, ...]] = (
    "matched",
    "quantity_differs",
    "amount_differs",
    "cycle_shifted",
    "currency_differs",
    "duplicate",
    "missing_ours",
    "missing_theirs",
)
#: How far a date may be from the instant that it stands for: an inclusive last day, and any time zone.
_DATE_SLACK: Final = DAY * 40 // 24


@dataclass(frozen=True, slots=True)
class Ours:
    """What we claim for an account's cycle: drafted, or issued under `numbers`.

    `total` is none where the account has no plan, so that only quantities can be compared.
    """

    account_id: str
    cycle: Cycle
    quantity: int
    total: Money | None
    numbers: tuple[str, ...] = ()

    @property
    def span(self) -> tuple[int, int]:
        """The cycle, `[start, end)` in microseconds."""
        return micros(self.cycle.start), micros(self.cycle.end)


@dataclass(frozen=True, slots=True)
class Theirs:
    """What somebody else claims for an account's cycle, as far as they say.

    `where` is the place in their file, such as `stripe.csv:7`. The cycle is given by its name, or by
    `start` and `end` in microseconds, to the day only if `dates`. `invoice` is their name for it.
    """

    where: str
    account_id: str
    cycle: str | None = None
    start: int | None = None
    end: int | None = None
    dates: bool = False
    quantity: int | None = None
    amount: Decimal | None = None
    currency: str | None = None
    invoice: str | None = None

    def of_cycle(self, name: str, start: int, end: int) -> bool:
        """Whether it says that it is for this cycle."""
        if self.start is None:
            return self.cycle == name
        slack = _DATE_SLACK if self.dates else 0
        ends = abs((end if self.end is None else self.end) - end) <= slack
        return ends and abs(self.start - start) <= slack


@dataclass(frozen=True, slots=True)
class Match:
    """Our claim and theirs for one cycle of one account, and how they stand to each other."""

    status: Status
    ours: Ours | None
    theirs: Theirs | None

    @property
    def account_id(self) -> str:
        """The account that both are about."""
        return self.ours.account_id if self.ours else self._theirs.account_id

    @property
    def cycle(self) -> str:
        """The name of the cycle that they are about: ours where there is one, else theirs or the month it starts in."""
        if self.ours:
            return self.ours.cycle.name
        theirs = self._theirs
        return theirs.cycle or ("" if theirs.start is None else f"{moment(theirs.start):%Y-%m}")

    @property
    def currency(self) -> str | None:
        """The currency of its amounts, theirs where the two differ; none where there is none."""
        theirs = self.theirs.currency if self.theirs else None
        return theirs or (self.ours.total.currency if self.ours and self.ours.total else None)

    @property
    def _theirs(self) -> Theirs:
        assert self.theirs is not None, "a match has one side at least"
        return self.theirs


def match(ours: Iterable[Ours], theirs: Iterable[Theirs], *, tolerance: Decimal = Decimal(0)) -> list[Match]:
    """Match two sets of claims by account and cycle; by account, then in order of time.

    Amounts may differ by `tolerance` and still match. Nothing is lost: each claim is in one match.
    """
    accounts: dict[str, tuple[list[Ours], list[Theirs]]] = {}
    for one in ours:
        accounts.setdefault(one.account_id, ([], []))[0].append(one)
    for other in theirs:
        accounts.setdefault(other.account_id, ([], []))[1].append(other)
    return [m for account in sorted(accounts) for m in _of_account(*accounts[account], tolerance)]


def _of_account(ours: list[Ours], theirs: list[Theirs], tolerance: Decimal) -> list[Match]:
    claims: dict[int, list[Theirs]] = {}
    strays = []
    spans = [(one.cycle.name, *one.span) for one in ours]
    place_of: dict[tuple[int | None, int | None], int] = {span[1:]: k for k, span in enumerate(spans)}
    for other in theirs:
        place = place_of.get((other.start, other.end))
        if place is None:
            place = next((k for k, span in enumerate(spans) if other.of_cycle(*span)), None)
        if place is None:
            strays.append(other)
        else:
            claims.setdefault(place, []).append(other)
    found = []
    for other in strays:
        near = _nearest(other, [(k, one) for k, one in enumerate(ours) if k not in claims])
        if near is None:
            found.append(Match("missing_ours", None, other))
        else:
            claims[near] = [other]
    for k, one in enumerate(ours):
        several = claims.get(k, [])
        if not several:
            found.append(Match("missing_theirs", one, None))
            continue
        # Of several for one cycle, the one that agrees is meant, and the others are too many.
        meant = next((other for other in several if _status(one, other, tolerance) == "matched"), several[0])
        found.append(Match(_status(one, meant, tolerance), one, meant))
        found += [Match("duplicate", None, other) for other in several if other is not meant]
    return sorted(found, key=lambda m: (m.cycle, STATUSES.index(m.status)))


def _nearest(other: Theirs, free: Sequence[tuple[int, Ours]]) -> int | None:
    """The cycle that theirs overlaps by most of it, among those that nothing was claimed for."""
    if other.start is None:
        return None
    for k, one in free:
        start, end = one.span
        if abs(other.start - start) <= (end - start) // 2:
            return k
    return None


def _status(ours: Ours, theirs: Theirs, tolerance: Decimal) -> Status:
    total = ours.total
    if theirs.currency is not None and total is not None and theirs.currency != total.currency:
        return "currency_differs"
    if not theirs.of_cycle(ours.cycle.name, *ours.span):
        return "cycle_shifted"
    if theirs.quantity is not None and theirs.quantity != ours.quantity:
        return "quantity_differs"
    if theirs.amount is not None and total is not None and abs(EXACT.subtract(theirs.amount, total.amount)) > tolerance:
        return "amount_differs"
    return "matched"


@dataclass(frozen=True, slots=True)
class Sum:
    """What some matches come to on both sides, in one currency; without one, where only quantities are known."""

    status: Status
    currency: str | None
    count: int
    ours: Decimal
    theirs: Decimal

    @property
    def difference(self) -> Decimal:
        """Theirs less ours."""
        return EXACT.subtract(self.theirs, self.ours)


def sums(matches: Iterable[Match]) -> list[Sum]:
    """What matches come to, by currency and status; they add up to all of ours and all of theirs.

    Where both sides name a currency of their own, each side is counted under its own.
    """
    found: dict[tuple[str, Status], Sum] = {}

    def add(status: Status, currency: str | None, ours: Decimal, theirs: Decimal, count: int) -> None:
        key = currency or "", status
        old = found.get(key, Sum(status, currency, 0, Decimal(0), Decimal(0)))
        found[key] = Sum(status, currency, old.count + count, EXACT.add(old.ours, ours), EXACT.add(old.theirs, theirs))

    for m in matches:
        ours = m.ours.total if m.ours else None
        theirs = (m.theirs.amount if m.theirs else None) or Decimal(0)
        if ours is not None and ours.currency != m.currency:
            add(m.status, ours.currency, ours.amount, Decimal(0), 0)
            add(m.status, m.currency, Decimal(0), theirs, 1)
        else:
            add(m.status, m.currency, ours.amount if ours else Decimal(0), theirs, 1)
    return [found[key] for key in sorted(found, key=lambda k: (k[0], STATUSES.index(k[1])))]
