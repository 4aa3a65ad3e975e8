"""Matching: our invoices and those of somebody else, paired by account and cycle, and compared to the cent.

An invoice without a counterpart, a duplicate, one of a shifted cycle and one in another currency get a
status of their own; of the rest, the figures agree or differ.
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
#: In the order in which they are shown.
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
#: How far a date may be from the exact bound of a cycle: a last day that is included, and any time zone.
_DATE_SLACK: Final = DAY * 40 // 24


@dataclass(frozen=True, slots=True)
class Ours:
    """Our invoice for an account's cycle: a draft, or issued under `numbers`.

    `total` is none where the account has no plan; then only quantities can be compared.
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
    """The invoice of somebody else for an account's cycle, as far as they state it.

    `where` is the place in their file, such as `stripe.csv:7`. The cycle is given by its name, or by
    `start` and `end` in microseconds; these are accurate to the day only if `dates`. `invoice` is their
    number for it.
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

    def covers(self, name: str, start: int, end: int) -> bool:
        """True if it is for this cycle."""
        if self.start is None:
            return self.cycle == name
        slack = _DATE_SLACK if self.dates else 0
        ends = abs((end if self.end is None else self.end) - end) <= slack
        return ends and abs(self.start - start) <= slack


@dataclass(frozen=True, slots=True)
class Match:
    """Our invoice and theirs for one cycle of one account, and the result of comparing them."""

    status: Status
    ours: Ours | None
    theirs: Theirs | None

    @property
    def account_id(self) -> str:
        """The account of both."""
        return self.ours.account_id if self.ours else self._theirs.account_id

    @property
    def cycle(self) -> str:
        """The name of the cycle: ours where there is one, else theirs or the month in which it starts."""
        if self.ours:
            return self.ours.cycle.name
        theirs = self._theirs
        return theirs.cycle or ("" if theirs.start is None else f"{moment(theirs.start):%Y-%m}")

    @property
    def currency(self) -> str | None:
        """The currency of its amounts; theirs where the two differ."""
        theirs = self.theirs.currency if self.theirs else None
        return theirs or (self.ours.total.currency if self.ours and self.ours.total else None)

    @property
    def _theirs(self) -> Theirs:
        assert self.theirs is not None, "a match has one side at least"
        return self.theirs


def match(ours: Iterable[Ours], theirs: Iterable[Theirs], *, tolerance: Decimal = Decimal(0)) -> list[Match]:
    """Match two sets of invoices by account and cycle; in order of account, then of cycle.

    Amounts may differ by `tolerance` and still match. Every invoice is in exactly one match.
    """
    accounts: dict[str, tuple[list[Ours], list[Theirs]]] = {}
    for our in ours:
        accounts.setdefault(our.account_id, ([], []))[0].append(our)
    for their in theirs:
        accounts.setdefault(their.account_id, ([], []))[1].append(their)
    return [m for account in sorted(accounts) for m in _match_account(*accounts[account], tolerance)]


def _match_account(ours: list[Ours], theirs: list[Theirs], tolerance: Decimal) -> list[Match]:
    by_cycle: dict[int, list[Theirs]] = {}
    unmatched = []
    spans = [(our.cycle.name, *our.span) for our in ours]
    position_of: dict[tuple[int | None, int | None], int] = {span[1:]: k for k, span in enumerate(spans)}
    for their in theirs:
        position = position_of.get((their.start, their.end))
        if position is None:
            position = next((k for k, span in enumerate(spans) if their.covers(*span)), None)
        if position is None:
            unmatched.append(their)
        else:
            by_cycle.setdefault(position, []).append(their)
    matches = []
    for their in unmatched:
        nearest = _find_nearest(their, [(k, our) for k, our in enumerate(ours) if k not in by_cycle])
        if nearest is None:
            matches.append(Match("missing_ours", None, their))
        else:
            by_cycle[nearest] = [their]
    for k, our in enumerate(ours):
        candidates = by_cycle.get(k, [])
        if not candidates:
            matches.append(Match("missing_theirs", our, None))
            continue
        # Of several for one cycle, one that agrees is the counterpart, and the others are duplicates.
        chosen = next((their for their in candidates if _compare(our, their, tolerance) == "matched"), candidates[0])
        matches.append(Match(_compare(our, chosen, tolerance), our, chosen))
        matches += [Match("duplicate", None, their) for their in candidates if their is not chosen]
    return sorted(matches, key=lambda m: (m.cycle, STATUSES.index(m.status)))


def _find_nearest(their: Theirs, free: Sequence[tuple[int, Ours]]) -> int | None:
    """The position of the cycle that theirs overlaps by half or more, among those without a counterpart."""
    if their.start is None:
        return None
    for k, our in free:
        start, end = our.span
        if abs(their.start - start) <= (end - start) // 2:
            return k
    return None


def _compare(ours: Ours, theirs: Theirs, tolerance: Decimal) -> Status:
    total = ours.total
    if theirs.currency is not None and total is not None and theirs.currency != total.currency:
        return "currency_differs"
    if not theirs.covers(ours.cycle.name, *ours.span):
        return "cycle_shifted"
    if theirs.quantity is not None and theirs.quantity != ours.quantity:
        return "quantity_differs"
    if theirs.amount is not None and total is not None and abs(EXACT.subtract(theirs.amount, total.amount)) > tolerance:
        return "amount_differs"
    return "matched"


@dataclass(frozen=True, slots=True)
class StatusSum:
    """The sums of both sides over the matches of one status and currency; without one, only quantities are known."""

    status: Status
    currency: str | None
    count: int
    ours: Decimal
    theirs: Decimal

    @property
    def difference(self) -> Decimal:
        """Theirs less ours."""
        return EXACT.subtract(self.theirs, self.ours)


def sum_by_status(matches: Iterable[Match]) -> list[StatusSum]:
    """The sums of both sides by currency and status; together they are the totals of all invoices.

    Where the currencies of a match differ, each side is added under its own.
    """
    found: dict[tuple[str, Status], StatusSum] = {}

    def add(status: Status, currency: str | None, ours: Decimal, theirs: Decimal, count: int) -> None:
        key = currency or "", status
        old = found.get(key, StatusSum(status, currency, 0, Decimal(0), Decimal(0)))
        sums = EXACT.add(old.ours, ours), EXACT.add(old.theirs, theirs)
        found[key] = StatusSum(status, currency, old.count + count, *sums)

    for m in matches:
        ours = m.ours.total if m.ours else None
        theirs = (m.theirs.amount if m.theirs else None) or Decimal(0)
        if ours is not None and ours.currency != m.currency:
            add(m.status, ours.currency, ours.amount, Decimal(0), 0)
            add(m.status, m.currency, Decimal(0), theirs, 1)
        else:
            add(m.status, m.currency, ours.amount if ours else Decimal(0), theirs, 1)
    return [found[key] for key in sorted(found, key=lambda k: (k[0], STATUSES.index(k[1])))]
