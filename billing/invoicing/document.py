"""The format of what is issued: invoices and notes as JSON."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from ..config.terms import duration
from ..core.activity import ActivityPolicy
from ..core.cycle import micros, text_of
from ..core.invoice import Basis, Invoice, Line
from .restatement import Restatement


def invoice_content(drafted: Invoice) -> dict[str, Any]:
    """An invoice as programs read it; all money as text."""
    return {
        "account_id": drafted.account_id,
        "cycle_start": text_of(micros(drafted.cycle.start)),
        "cycle_end": text_of(micros(drafted.cycle.end)),
        "peak": drafted.peak,
        "peak_at": None if drafted.peak_at is None else text_of(micros(drafted.peak_at)),
        "plan_id": drafted.plan_id,
        "currency": drafted.currency,
        "lines": [_line(line) for line in drafted.lines],
        "total": f"{drafted.total.amount:f}",
        "status": drafted.status,
        "number": drafted.number,
        "policy": policy_content(drafted.policy),
        "basis": _basis(drafted.basis),
    }


def _basis(of: Basis) -> dict[str, Any]:
    basis = {"events": of.events, "position": of.position, "digest": of.digest, "tzdata": of.tzdata}
    return basis if of.terms_version is None else basis | {"terms_version": of.terms_version}


def note_content(of: Restatement) -> dict[str, Any]:
    """A note that is not issued yet: the invoice it would be, and why."""
    drafted = replace(of.fresh, lines=of.lines, total=of.difference)
    return invoice_content(drafted) | {"kind": of.kind, "cycle": of.billed.cycle.name} | restatement_content(of)


def restatement_content(of: Restatement) -> dict[str, Any]:
    """Why a note was issued, down to the events, as programs read it."""
    document = {
        "restates": list(of.billed.numbers),
        "billed": f"{of.billed.total.amount:f}",
        "peak_before": of.billed.peak,
        "now_active": list(of.now_active),
        "no_longer_active": list(of.no_longer_active),
    }
    if of.billed.credits is not None:
        document |= {"credits_before": _text(of.billed.credits), "credits_changed": list(of.credits_changed)}
    return document | {
        "late_events": [
            {
                "position": late.position,
                "event_id": late.event_id,
                "identity_id": late.identity_id,
                "type": late.type,
                "occurred_at": text_of(late.occurred_at),
                "recorded_at": text_of(late.recorded_at),
                "voids": late.voids,
            }
            for late in of.events
        ],
    }


def policy_content(of: ActivityPolicy) -> dict[str, str]:
    """An activity policy, its windows as ISO 8601 durations."""
    return {
        "action_window": duration(of.action_window),
        "connect_window": duration(of.connect_window),
        "reconnect": of.reconnect,
    }


def _line(line: Line) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": line.kind,
        "description": line.description,
        # Credits may be fractions, so they are text, as money is.
        "quantity": _text(line.quantity) if isinstance(line.quantity, Decimal) else line.quantity,
        "unit_price": _text(line.unit_price),
        "amount": _text(line.amount),
    }
    if line.parts:
        document["parts"] = [
            {
                "up_to": part.tier.up_to,
                "units": _text(part.units),
                "unit_price": _text(part.tier.unit_price),
                "flat_price": _text(part.tier.flat_price),
                "amount": _text(part.amount),
            }
            for part in line.parts
        ]
    return document


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"
