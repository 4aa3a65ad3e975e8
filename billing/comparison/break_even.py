"""Break-even: which of several plans is the cheapest, for every quantity there is.

Between the bounds of tiers, the end of a minimum and the start of a maximum, prices are straight lines,
except for packages and rounding, which move a price off its line by no more than a known amount. Where
two lines are further apart than that, the order of the totals is certain. Quantities in between are
tried one by one, priced by the plans themselves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations, pairwise
from math import ceil, floor, gcd, lcm
from typing import Final

from ..core.errors import BadPlan, NotPriced
from ..core.money import EXACT, Money, minor_digits
from ..core.plan import PRICE_DECIMALS_MAX, QUANTITY_MAX, Plan

#: How many quantities in a row are tried one by one.
TRIED_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class PlanRange:
    """The quantities `first` to `last`, and the plans that are the cheapest for each of them.

    `totals` are the totals of all plans at `first`, in their order; none for a plan without a price
    for it. Where plans take turns too often to list them, `in_turn` is true and `cheapest` are those
    that can be the cheapest; if the turns repeat, `turns` are those of the first `every` quantities.
    """

    first: int
    last: int
    cheapest: tuple[str, ...]
    totals: tuple[Money | None, ...]
    in_turn: bool = False
    every: int | None = None
    turns: tuple[PlanRange, ...] = ()


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Which plan is the cheapest for how many identities: `ranges` from 0 to the largest quantity, without gaps."""

    plans: tuple[str, ...]
    currency: str
    ranges: tuple[PlanRange, ...]


def break_even(plans: Mapping[str, Plan]) -> BreakEven:
    """Which of some plans is the cheapest, for every quantity. Raises `BadPlan` for several currencies.

    >>> from billing.core.plan import Tier
    >>> a = Plan(id="a", currency="USD", mode="volume", tiers=[Tier(unit_price="7", flat_price="20")])
    >>> b = Plan(id="b", currency="USD", mode="volume", tiers=[Tier(unit_price="8")])
    >>> for each in break_even({"a": a, "b": b}).ranges: print(each.first, each.cheapest)
    0 ('a', 'b')
    1 ('b',)
    20 ('a', 'b')
    21 ('a',)
    """
    (first, one), *others = plans.items()
    for name, plan in others:
        if plan.currency != one.currency:
            details = {"currency": one.currency, "plan": name, "got": plan.currency}
            raise BadPlan("currencies_differ", field="currency", first=first, **details)
    found = [
        each
        for start, end in _pieces(list(plans.values()))
        for each in _ranges(plans, _lines(plans, start, end), start, end)
    ]
    return BreakEven(tuple(plans), one.currency, tuple(_joined(found)))


@dataclass(frozen=True, slots=True)
class _Line:
    """The prices of a plan over some quantities: at least `base + slope * quantity`, at most `slack` more.

    Totals are no further than `half` from prices. Two plans alike in all of these have the same
    totals. After `period` quantities, totals repeat, `slope` times as many higher.
    """

    base: Fraction
    slope: Fraction
    slack: Fraction
    half: Fraction
    package: tuple[int, int]
    period: int


def _pieces(plans: Sequence[Plan]) -> list[tuple[int, int]]:
    """All quantities, cut wherever a price can leave its line."""
    starts = {0, *(start for plan in plans for start in _starts(plan))}
    return [(start, end - 1) for start, end in pairwise([*sorted(starts), QUANTITY_MAX + 1])]


def _starts(plan: Plan) -> Iterator[int]:
    if plan.included < QUANTITY_MAX:
        yield plan.included + 1
    for first, last in plan.spans():
        yield first
        for bound in (plan.minimum, plan.maximum):
            if bound is not None:
                # Where it is reached nowhere, one cut more does no harm.
                place = bisect_left(range(first, last + 1), bound, key=lambda quantity: _by_tiers(plan, quantity))
                yield min(first + place, last)
        if last < QUANTITY_MAX:
            yield last + 1


def _by_tiers(plan: Plan, quantity: int) -> Decimal:
    """The price of a quantity before minimum and maximum."""
    with localcontext(EXACT):
        return sum((part.amount for part in plan.price(quantity).parts), Decimal(0))


def _lines(plans: Mapping[str, Plan], start: int, end: int) -> dict[str, _Line]:
    """The line of each plan that has prices there."""
    return {name: _line(plan, start, end) for name, plan in plans.items() if plan.spans()[-1][1] >= start}


def _line(plan: Plan, start: int, end: int) -> _Line:
    at_start, at_end = plan.price(start), plan.price(end)
    if at_start.exact == at_end.exact:  # a price within a tier never falls, so it is the same all the way
        return _Line(Fraction(at_start.total.amount), Fraction(0), Fraction(0), Fraction(0), (0, 1), 1)
    unit, size = Fraction(at_start.parts[-1].tier.unit_price), plan.package_size or 1
    slope = unit / size
    base = Fraction(at_start.exact) - unit * Fraction(at_start.units) - slope * plan.included
    minor = Fraction(1, 10 ** minor_digits(plan.currency))
    whole = unit % minor == 0 and Fraction(at_start.exact) % minor == 0
    scale = 10**PRICE_DECIMALS_MAX
    steps = int(minor * scale) // gcd(int(minor * scale), int(unit * scale))
    half = Fraction(0) if whole else minor / 2
    package = (plan.included % size, size)
    return _Line(base, slope, slope * (size - 1), half, package, size * steps)


def _ranges(plans: Mapping[str, Plan], lines: Mapping[str, _Line], start: int, end: int) -> Iterator[PlanRange]:
    """The cheapest plans between two cuts."""
    cuts = {start, end + 1}
    for a, b in combinations(lines.values(), 2):
        for one, other in ((a, b), (b, a)):
            if (certain := _certain(one, other, start, end)) is not None:
                cuts |= {certain[0], certain[1] + 1}
    for first, after in pairwise(sorted(cuts)):
        yield from _between(plans, _not_dearer(lines, first), first, after - 1)


def _certain(a: _Line, b: _Line, start: int, end: int) -> tuple[int, int] | None:
    """The quantities for which the total of `a` is certainly below that of `b`, of a piece; none if for none."""
    gap = (b.base - b.half) - (a.base + a.slack + a.half)  # to be kept above `rise` times the quantity
    rise = a.slope - b.slope
    if rise > 0:
        end = min(end, ceil(gap / rise) - 1)
    elif rise < 0:
        start = max(start, floor(gap / rise) + 1)
    elif gap <= 0:
        return None
    return (start, end) if start <= end else None


def _not_dearer(lines: Mapping[str, _Line], at: int) -> dict[str, _Line]:
    """The plans of which none is certainly dearer than another."""
    return {
        name: line
        for name, line in lines.items()
        if not any(_certain(other, line, at, at) for other in lines.values() if other is not line)
    }


def _between(plans: Mapping[str, Plan], lines: Mapping[str, _Line], first: int, last: int) -> Iterator[PlanRange]:
    """The cheapest of plans of which none is certainly dearer than another."""
    if len(set(lines.values())) <= 1:
        yield _range(plans, tuple(lines), first, last)
        return
    if last - first < TRIED_MAX:
        yield from _one_by_one(plans, tuple(lines), first, last)
        return
    every = lcm(*(line.period for line in lines.values()))
    if len({line.slope for line in lines.values()}) > 1 or every > TRIED_MAX:
        yield replace(_range(plans, tuple(lines), first, last), in_turn=True)
        return
    turns = tuple(_joined(_one_by_one(plans, tuple(lines), first, first + every - 1)))
    if len(turns) == 1:
        yield replace(turns[0], last=last)
        return
    cheapest = tuple(name for name in lines if any(name in turn.cheapest for turn in turns))
    yield replace(_range(plans, cheapest, first, last), in_turn=True, every=every, turns=turns)


def _one_by_one(plans: Mapping[str, Plan], names: tuple[str, ...], first: int, last: int) -> Iterator[PlanRange]:
    since, before = first, None
    for quantity in range(first, last + 1):
        totals = {name: plans[name].price(quantity).total.amount for name in names}
        least = min(totals.values())
        cheapest = tuple(name for name in names if totals[name] == least)
        if before is not None and cheapest != before:
            yield _range(plans, before, since, quantity - 1)
            since = quantity
        before = cheapest
    assert before is not None, "there is a quantity"
    yield _range(plans, before, since, last)


def _range(plans: Mapping[str, Plan], cheapest: tuple[str, ...], first: int, last: int) -> PlanRange:
    return PlanRange(first, last, cheapest, tuple(_total(plan, first) for plan in plans.values()))


def _total(plan: Plan, quantity: int) -> Money | None:
    try:
        return plan.price(quantity).total
    except NotPriced:
        return None


def _joined(ranges: Sequence[PlanRange] | Iterator[PlanRange]) -> list[PlanRange]:
    """The same, with neighbours in one that have the same plans for the cheapest."""
    joined: list[PlanRange] = []
    for each in ranges:
        before = joined[-1] if joined else None
        if before and before.cheapest == each.cheapest and not before.in_turn and not each.in_turn:
            joined[-1] = replace(before, last=each.last)
        else:
            joined.append(each)
    return joined
