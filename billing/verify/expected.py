"""What the definition makes of a cycle, under terms as the engine has them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from ..core.activity import ActivityPolicy, microseconds
from ..core.cycle import CycleRule, micros, zone
from ..core.money import minor_digits
from ..core.terms import Terms
from ..formats.terms import plan_document
from . import definition
from .definition import Event


class Bill(NamedTuple):
    """A peak, the first instant at which it was reached (microseconds), and what is owed for it.

    `peak_at` is none where the peak is 0, `total` where there is no plan.
    """

    peak: int
    peak_at: int | None
    total: Decimal | None


def bill(events: Iterable[Event], start: int, end: int, terms: Terms) -> Bill:
    """What one account owes for `[start, end)`, in microseconds."""
    return bill_of(covers(events, terms.policy), start, end, terms)


def bill_of(covers: list[tuple[str, int, int]], start: int, end: int, terms: Terms) -> Bill:
    """The same, once the covers of the account are known."""
    peak, peak_at = definition.highest(covers, start, end)
    return Bill(peak, peak_at, total(peak, terms))


def covers(events: Iterable[Event], policy: ActivityPolicy) -> list[tuple[str, int, int]]:
    """The spans for which events of one account keep its identities active."""
    return definition.covers(events, windows=windows_of(policy), reconnect=policy.reconnect)


def total(peak: int, terms: Terms) -> Decimal | None:
    """What is owed for a peak; none without a plan."""
    if terms.plan is None:
        return None
    digits = minor_digits(terms.plan.currency)
    return definition.total(plan_document(terms.plan), peak, discount=f"{terms.discount:f}", digits=digits)


def cycle(rule: CycleRule, k: int) -> tuple[int, int]:
    """Cycle `k` of an account as `[start, end)`, in microseconds."""
    anchor = None if rule.anchor is None else micros(rule.anchor)
    return definition.cycle(k, anchor=anchor, months=rule.months, zone=zone(rule.timezone))


def windows_of(policy: ActivityPolicy) -> dict[str, int]:
    """How long events keep an identity active, as the definition takes it."""
    return {
        "action.called": microseconds(policy.action_window),
        "integration.connected": microseconds(policy.connect_window),
    }
