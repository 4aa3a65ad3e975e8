"""What the definition bills for a cycle, under terms of the engine's types."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from ...config.catalogue import catalogue_document, in_force
from ...config.terms import plan_document
from ...core.activity import ActivityPolicy, microseconds
from ...core.cycle import CycleRule, micros, zone
from ...core.money import minor_digits
from ...core.terms import Terms
from .. import definition
from ..definition import Event


class ExpectedInvoice(NamedTuple):
    """A peak, the first instant at which it is reached (microseconds), and the total owed for it.

    `peak_at` is none if the peak is 0, `total` if there is no plan.
    """

    peak: int
    peak_at: int | None
    total: Decimal | None


def invoice(events: Iterable[Event], start: int, end: int, terms: Terms) -> ExpectedInvoice:
    """What one account owes for `[start, end)`, in microseconds."""
    events = list(events)
    return invoice_of_covers(covers(events, terms.policy), start, end, terms, credits(events, start, end, terms))


def invoice_of_covers(
    covers: list[tuple[str, int, int]], start: int, end: int, terms: Terms, used: Fraction | None = None
) -> ExpectedInvoice:
    """The same, from the covers of the account's events and the credits that it used, if it pays for them."""
    peak, peak_at = definition.highest(covers, start, end)
    return ExpectedInvoice(peak, peak_at, total(peak, terms, used))


def credits(events: Iterable[Event], start: int, end: int, terms: Terms) -> Fraction | None:
    """The credits that one account used in `[start, end)`; none if it does not pay for them."""
    return definition.credits(events, start, end, catalogue_of(terms)) if terms.prices_credits else None


def covers(events: Iterable[Event], policy: ActivityPolicy) -> list[tuple[str, int, int]]:
    """The spans for which events of one account keep its identities active."""
    return definition.covers(events, windows=windows_of(policy), reconnect=policy.reconnect)


def total(peak: int, terms: Terms, used: Fraction | None = None) -> Decimal | None:
    """What is owed for a peak, and for credits if they are paid for; none without a plan."""
    if terms.plan is None:
        return None
    digits = minor_digits(terms.plan.currency)
    discount = f"{terms.discount:f}"
    return definition.total(plan_document(terms.plan), peak, discount=discount, digits=digits, credits=used)


def cycle(rule: CycleRule, k: int) -> tuple[int, int]:
    """Cycle `k` of an account as `[start, end)`, in microseconds."""
    anchor = None if rule.anchor is None else micros(rule.anchor)
    return definition.cycle(k, anchor=anchor, months=rule.months, zone=zone(rule.timezone))


def catalogue_of(terms: Terms) -> list[dict[str, Any]]:
    """The versions of an account's catalogue, in the form that the definition takes."""
    catalogue = in_force(terms)
    return [
        {**document, "applies_from": version.applies_from}
        for document, version in zip(catalogue_document(catalogue), catalogue.versions, strict=True)
    ]


def windows_of(policy: ActivityPolicy) -> dict[str, int]:
    """How long each type of event keeps an identity active, in microseconds."""
    return {
        "action.called": microseconds(policy.action_window),
        "integration.connected": microseconds(policy.connect_window),
    }
