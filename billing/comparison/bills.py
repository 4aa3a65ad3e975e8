"""Comparisons: what the same history costs under other terms, and who gains and who pays.

The totals of an account are those of all its cycles in the query, per currency. Where other terms give
an account other cycles, only the totals are compared, not the cycles. Amounts of several currencies
are never added, and a change of currency is shown, not subtracted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from ..core.cycle import Cycle
from ..core.invoice import Invoice
from ..core.money import Money, by_currency
from ..core.terms import Terms
from ..core.totals import PriceSteps, Totals


@dataclass(frozen=True, slots=True)
class Bill:
    """A draft under some terms, and the totals for a few identities fewer or more, with the same credits."""

    draft: Invoice
    terms: Terms
    near: PriceSteps


@dataclass(frozen=True, slots=True)
class BilledUnder:
    """All bills under the terms of that name, by account and cycle."""

    name: str
    bills: tuple[Bill, ...]

    @property
    def totals(self) -> tuple[Money, ...]:
        """The total of all bills, in each currency."""
        return by_currency(bill.draft.total for bill in self.bills)

    @property
    def cheaper(self) -> list[Bill]:
        """The bills that would have been lower with more identities."""
        return [bill for bill in self.bills if bill.near.cheaper is not None]


@dataclass(frozen=True, slots=True)
class Difference:
    """What something costs under the current terms, and under the others."""

    now: Money
    other: Money

    @property
    def amount(self) -> Money:
        """How much more it costs under the other terms; negative where it costs less."""
        return self.other + -self.now

    @property
    def percent(self) -> Decimal | None:
        """The difference in percent of what it costs now, to one decimal; none where that is 0."""
        return percent(self.amount.amount, self.now.amount)


@dataclass(frozen=True, slots=True)
class AccountRow:
    """What an account costs now and under other terms, in each currency.

    `differences` has one for each currency, and is empty where the currencies differ. `cycles` and
    `other_cycles` count the bills.
    """

    account_id: str
    now: tuple[Money, ...]
    other: tuple[Money, ...]
    differences: tuple[Difference, ...]
    cycles: int
    other_cycles: int


@dataclass(frozen=True, slots=True)
class CycleRow:
    """A cycle of an account that has the same cycles under both terms, with its draft under each, if there is one."""

    account_id: str
    cycle: Cycle
    now: Invoice | None
    other: Invoice | None

    @property
    def difference(self) -> Difference | None:
        """What the cycle costs now and under the other terms; none if the currencies differ."""
        either = self.now or self.other
        assert either is not None, "a row is made from a bill"
        now, other = (_zero(either.total) if draft is None else draft.total for draft in (self.now, self.other))
        return Difference(now, other) if now.currency == other.currency else None


@dataclass(frozen=True, slots=True)
class Overall:
    """All accounts together, in one currency: what they cost, and how many gain, pay more, or do neither."""

    difference: Difference
    gain: int
    pay: int
    same: int
    most_gained: tuple[str, Money] | None
    most_paid: tuple[str, Money] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Some other terms compared with the current ones.

    `overall` leaves out the accounts in `currency_changed`, whose currency is another. `realigned` are the
    accounts with other cycles, of which only the totals are compared.
    """

    name: str
    overall: tuple[Overall, ...]
    accounts: tuple[AccountRow, ...]
    cycles: tuple[CycleRow, ...]
    realigned: tuple[str, ...]

    @property
    def currency_changed(self) -> list[AccountRow]:
        """The accounts that would pay in another currency."""
        return [row for row in self.accounts if not row.differences]


def bills_under(name: str, drafts: Iterable[Invoice], terms_of: Callable[[Invoice], Terms]) -> BilledUnder:
    """The bills for drafts under some terms."""
    totals: dict[tuple[int, Decimal], Totals] = {}

    def bill(draft: Invoice) -> Bill:
        terms = terms_of(draft)
        assert terms.plan is not None, "a draft has a plan"
        credits = Decimal(0) if draft.credits is None else draft.credits.amount
        key = id(terms), credits
        if key not in totals:
            totals[key] = Totals(terms.plan, terms.discount, credits)
        return Bill(draft, terms, totals[key].near(draft.peak))

    return BilledUnder(name, tuple(map(bill, drafts)))


def compare(now: BilledUnder, other: BilledUnder, same_cycles: Callable[[str], bool]) -> Comparison:
    """Compare the bills under other terms with those under the current ones.

    `same_cycles` tells whether an account has the same cycles under both.
    """
    mine, theirs = _by_account(now.bills), _by_account(other.bills)
    names = sorted({*mine, *theirs})
    rows = tuple(_account_row(name, mine.get(name, []), theirs.get(name, [])) for name in names)
    aligned = {name: same_cycles(name) for name in names}
    cycles = tuple(
        row for name in names if aligned[name] for row in _cycle_rows(name, mine.get(name, []), theirs.get(name, []))
    )
    return Comparison(other.name, _overall(rows), rows, cycles, tuple(name for name in names if not aligned[name]))


def percent(part: Decimal, whole: Decimal) -> Decimal | None:
    """A part in percent of the whole, to one decimal, half of one and more away from zero.

    >>> percent(Decimal("-1"), Decimal("3")), percent(Decimal("0.05"), Decimal("100")), percent(Decimal(1), Decimal(0))
    (Decimal('-33.3'), Decimal('0.1'), None)
    """
    if not whole:
        return None
    tenths = Fraction(part) / Fraction(whole) * 1000
    nearest = (abs(tenths.numerator) * 2 + tenths.denominator) // (tenths.denominator * 2)
    return Decimal(nearest if tenths >= 0 else -nearest).scaleb(-1)


def _by_account(bills: Iterable[Bill]) -> dict[str, list[Bill]]:
    found: dict[str, list[Bill]] = {}
    for bill in bills:
        found.setdefault(bill.draft.account_id, []).append(bill)
    return found


def _account_row(name: str, mine: Sequence[Bill], theirs: Sequence[Bill]) -> AccountRow:
    now, other = (by_currency(bill.draft.total for bill in bills) for bills in (mine, theirs))
    if not now or not other:  # without a cycle nothing is owed, in any currency
        now, other = now or tuple(map(_zero, other)), other or tuple(map(_zero, now))
    alike = [total.currency for total in now] == [total.currency for total in other]
    differences = tuple(Difference(*pair) for pair in zip(now, other, strict=True)) if alike else ()
    return AccountRow(name, now, other, differences, len(mine), len(theirs))


def _cycle_rows(name: str, mine: Sequence[Bill], theirs: Sequence[Bill]) -> list[CycleRow]:
    now, other = ({bill.draft.cycle.start: bill.draft for bill in bills} for bills in (mine, theirs))
    starts: list[datetime] = sorted({*now, *other})
    return [
        CycleRow(name, (now.get(start) or other[start]).cycle, now.get(start), other.get(start)) for start in starts
    ]


def _overall(rows: Iterable[AccountRow]) -> tuple[Overall, ...]:
    found: dict[str, list[tuple[str, Difference]]] = {}
    for row in rows:
        for difference in row.differences:
            found.setdefault(difference.now.currency, []).append((row.account_id, difference))
    return tuple(_overall_of(found[currency]) for currency in sorted(found))


def _overall_of(differences: Sequence[tuple[str, Difference]]) -> Overall:
    amounts = [(name, difference.amount) for name, difference in differences]
    gain = [each for each in amounts if each[1].amount < 0]
    pay = [each for each in amounts if each[1].amount > 0]
    (now,), (other,) = (by_currency(totals) for totals in zip(*((d.now, d.other) for _, d in differences), strict=True))
    return Overall(
        difference=Difference(now, other),
        gain=len(gain),
        pay=len(pay),
        same=len(amounts) - len(gain) - len(pay),
        most_gained=min(gain, key=lambda each: each[1].amount, default=None),
        most_paid=max(pay, key=lambda each: each[1].amount, default=None),
    )


def _zero(like: Money) -> Money:
    return like + -like
