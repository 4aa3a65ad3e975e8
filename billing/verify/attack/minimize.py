"""The simplest case that still shows what is wrong with a biller: few events, at round instants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, TypeVar

from ...core.activity import ActivityPolicy
from ...core.cycle import CycleRule
from ...core.minimize import minimize
from ...core.plan import Plan
from ...core.terms import Terms
from ..audit import expected
from ..definition import DAY
from ..strategies import ACCOUNTS, IDENTITIES, JANUARY
from .cases import Case

Found = TypeVar("Found")

#: What is reset in the terms, if the mistake shows without it.
_LEFT_OUT: Final = ("discount", "policy", "plan")


def minimize_case(case: Case, found: Found, find: Callable[[Case], Found | None]) -> Found:
    """What `find` finds on the simplest case on which it still finds anything.

    `found` is what it finds on `case`; on a case that does not show the mistake it finds none.
    """
    best = case
    tried = {case}

    def better(other: Case) -> bool:
        nonlocal best, found
        if other in tried or not other.cycles:
            return False
        tried.add(other)
        if (again := find(other)) is None:
            return False
        best, found = other, again
        return True

    def fewer_events() -> None:
        minimize(best.events, lambda events: better(replace(best, events=tuple(events))))

    for cycle in case.cycles:
        if better(replace(best, cycles=(cycle,))):
            break
    fewer_events()
    any(better(_in_january(best, since)) for since in (best.cycles[0].start, min(_instants(best), default=0)))
    for name in _LEFT_OUT:
        better(_with(best, **{name: getattr(Terms(), name)}))
    if best.cycles[0].terms.policy != ActivityPolicy():
        usual = _with(best, policy=ActivityPolicy())  # events meet elsewhere under other windows
        any(better(_moved(usual, old, new)) for old in _instants(usual) for new in _round_instants(usual))
    for old in _instants(best):
        for new in _round_instants(best):
            if new == old or better(_moved(best, old, new)):
                break
    fewer_events()
    while any(better(_with(best, plan=plan)) for plan in _plainer(best.cycles[0].terms.plan)):
        pass
    better(_plainly_named(best))
    return found


def _with(case: Case, **terms: Any) -> Case:
    """The same with other terms, but never with other cycles, which stay as they were requested."""
    return replace(case, cycles=tuple(c._replace(terms=replace(c.terms, **terms)) for c in case.cycles))


def _plainer(plan: Plan | None) -> Iterator[Plan]:
    """Simpler plans: with a tier or a flat price less, in dollars, or by volume."""
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


def _round_instants(case: Case) -> list[int]:
    """Instants that are easy to describe, the easiest first."""
    start, end = case.cycles[0].start, case.cycles[0].end
    windows = sorted(expected.windows_of(case.cycles[0].terms.policy).values())
    away = (0, DAY, *(-window for window in windows), *windows)
    return [*(start + shift for shift in away), end, start + (end - start) // 2]


def _moved(case: Case, old: int, new: int) -> Case:
    """The same with all events of one instant moved to another, so that events that meet still do."""
    return replace(case, events=tuple(replace(e, occurred_at=new) if e.occurred_at == old else e for e in case.events))


def _plainly_named(case: Case) -> Case:
    """The same with our first names for accounts and identities, and events numbered from e1."""
    accounts = _named([e.account_id for e in case.events], ACCOUNTS)
    identities = _named([e.identity_id for e in case.events], IDENTITIES)
    pairs = [(e.account_id, e.event_id) for e in case.events] + [(e.account_id, e.voids) for e in case.events]
    ids = _named([one for _, one in pairs if one is not None], [f"e{k}" for k in range(1, 2 * len(pairs))])
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
