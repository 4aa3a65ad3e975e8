"""The simplest question that still shows what is wrong with a biller: few events, at round instants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from ...core.activity import ActivityPolicy
from ...core.cycle import CycleRule
from ...core.minimize import smallest
from ...core.plan import Plan
from ...core.terms import Terms
from ..audit import expected
from ..definition import DAY
from ..strategies import ACCOUNTS, IDENTITIES, JANUARY
from .cases import Case

#: What of the terms is left out, if the mistake shows without it.
_LEFT_OUT: Final = ("discount", "policy", "plan")


def simplest(case: Case, shows: Callable[[Case], bool]) -> None:
    """Try ever simpler questions on `shows`, which says of each whether it still shows the mistake.

    The last of which it does is the simplest that was found.
    """
    best = case
    tried = {case}

    def better(other: Case) -> bool:
        nonlocal best
        if other in tried or not other.cycles:
            return False
        tried.add(other)
        if shows(other):
            best = other
        return best is other

    def fewer_events() -> None:
        smallest(best.events, lambda events: better(replace(best, events=tuple(events))))

    for cycle in case.cycles:
        if better(replace(best, cycles=(cycle,))):
            break
    fewer_events()
    any(better(_in_january(best, since)) for since in (best.cycles[0].start, min(_instants(best), default=0)))
    for name in _LEFT_OUT:
        better(_with(best, **{name: getattr(Terms(), name)}))
    if best.cycles[0].terms.policy != ActivityPolicy():
        usual = _with(best, policy=ActivityPolicy())  # events meet elsewhere under other windows
        any(better(_moved(usual, old, new)) for old in _instants(usual) for new in _round(usual))
    for old in _instants(best):
        for new in _round(best):
            if new == old or better(_moved(best, old, new)):
                break
    fewer_events()
    while any(better(_with(best, plan=plan)) for plan in _plainer(best.cycles[0].terms.plan)):
        pass
    better(_plainly_named(best))


def _with(case: Case, **terms: Any) -> Case:
    """The same with other terms; never with other cycles, which are asked for as they are."""
    return replace(case, cycles=tuple(c._replace(terms=replace(c.terms, **terms)) for c in case.cycles))


def _plainer(plan: Plan | None) -> Iterator[Plan]:
    """The same plan with less to it: without one of its tiers but the last, or a flat price; in dollars."""
    if plan is None:
        return
    for k, tier in enumerate(plan.tiers):
        others = [*plan.tiers[:k], *plan.tiers[k + 1 :]]
        if others and others[-1].up_to is None:
            yield plan.model_copy(update={"tiers": tuple(others)})
        plain = tier.model_copy(update={"flat_price": Decimal(0)})
        yield plan.model_copy(update={"tiers": (*plan.tiers[:k], plain, *plan.tiers[k + 1 :])})
    yield plan.model_copy(update={"currency": "USD"})
    yield plan.model_copy(update={"mode": "volume"})


def _in_january(case: Case, since: int) -> Case:
    """The same, moved to January 2026 so that an instant becomes its start, in calendar months."""
    shift = JANUARY[0] - since
    moved = replace(case, events=tuple(replace(e, occurred_at=e.occurred_at + shift) for e in case.events))
    cycles = tuple(
        c._replace(start=JANUARY[0], end=JANUARY[1], terms=replace(c.terms, cycles=CycleRule())) for c in case.cycles
    )
    return replace(moved, cycles=cycles)


def _instants(case: Case) -> list[int]:
    return sorted({e.occurred_at for e in case.events})


def _round(case: Case) -> list[int]:
    """Instants that are easy to tell, the easiest first."""
    start, end = case.cycles[0].start, case.cycles[0].end
    windows = sorted(expected.windows_of(case.cycles[0].terms.policy).values())
    away = (0, DAY, *(-window for window in windows), *windows)
    return [*(start + shift for shift in away), end, start + (end - start) // 2]


def _moved(case: Case, old: int, new: int) -> Case:
    """The same with all that happened at one instant at another, so that what meets goes on meeting."""
    return replace(case, events=tuple(replace(e, occurred_at=new) if e.occurred_at == old else e for e in case.events))


def _plainly_named(case: Case) -> Case:
    """The same with the first of our names for accounts and identities, and events numbered from e1."""
    accounts = _named([e.account_id for e in case.events], ACCOUNTS)
    identities = _named([e.identity_id for e in case.events], IDENTITIES)
    told = [(e.account_id, e.event_id) for e in case.events] + [(e.account_id, e.voids) for e in case.events]
    ids = _named([one for _, one in told if one is not None], [f"e{k}" for k in range(1, 2 * len(told))])
    events = tuple(
        replace(
            e,
            account_id=accounts[e.account_id],
            identity_id=identities[e.identity_id],
            event_id=ids.get(e.event_id or ""),
            voids=ids.get(e.voids or ""),
        )
        for e in case.events
    )
    known = [c._replace(account_id=accounts.get(c.account_id, c.account_id)) for c in case.cycles]
    return Case(events, tuple(known))


def _named(old: Sequence[str], new: Sequence[str]) -> dict[str, str]:
    names = list(dict.fromkeys(old))
    return dict(zip(names, new, strict=False)) if len(names) <= len(new) else {name: name for name in names}
