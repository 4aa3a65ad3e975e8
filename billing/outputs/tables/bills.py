"""What goes out to programs: peaks, invoices and evidence as JSON and CSV, exact to the byte."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ...core.cycle import micros, text_of
from ...core.event import Tally
from ...core.evidence import Evidence
from ...core.invoice import Basis, Invoice, arithmetic
from ...core.plan import Plan, Price
from ...core.sweep import Peak
from ...invoicing.document import invoice_content, policy_content
from ...invoicing.restatement import Restatement, StatementRow

PEAK_COLUMNS: Final = ("account_id", "cycle_start", "cycle_end", "peak", "peak_at")
LINE_COLUMNS: Final = (
    *PEAK_COLUMNS,
    "plan_id",
    "currency",
    "kind",
    "description",
    "quantity",
    "unit_price",
    "amount",
    "total",
    "status",
    "number",
)


WITNESS_COLUMNS: Final = (
    "identity_id",
    "event_id",
    "type",
    "occurred_at",
    "covers_until",
    "active_since",
    "active_until",
)
CLOSED_COLUMNS: Final = ("account_id", "cycle", "peak", "total", "currency", "number")
RESTATED_COLUMNS: Final = (
    "account_id",
    "cycle",
    "restates",
    "peak_before",
    "peak",
    "billed",
    "total",
    "currency",
    "kind",
    "number",
    "late_events",
)
STATEMENT_COLUMNS: Final = ("account_id", "cycle", "number", "kind", "issued_at", "total", "balance", "currency")
PRICE_COLUMNS: Final = ("quantity", "total", "currency", "description")


def price(of: Price, plan: Plan) -> dict[str, Any]:
    """A price as programs read it, with its arithmetic."""
    whole = of.quantity == int(of.quantity)
    return {
        "quantity": int(of.quantity) if whole else _text(Decimal(of.quantity)),
        "total": _text(of.total.amount),
        "currency": of.total.currency,
        "description": arithmetic(of, plan),
    }


def peak(found: Peak) -> dict[str, Any]:
    """A peak as programs read it."""
    return {
        "account_id": found.account_id,
        "cycle_start": text_of(found.start),
        "cycle_end": text_of(found.end),
        "peak": found.peak,
        "peak_at": None if found.peak_at is None else text_of(found.peak_at),
    }


def invoice_lines(drafted: Invoice) -> list[dict[str, Any]]:
    """An invoice as rows of a table, one for each line."""
    document = invoice_content(drafted)
    return [{**document, **line} for line in document["lines"]]


def closed(drafted: Invoice, number: str | None) -> dict[str, Any]:
    """An invoice that closes a cycle, as a row of a table."""
    return {
        "account_id": drafted.account_id,
        "cycle": drafted.cycle.name,
        "peak": drafted.peak,
        "total": f"{drafted.total.amount:f}",
        "currency": drafted.currency,
        "number": number,
    }


def restated(of: Restatement, number: str | None) -> dict[str, Any]:
    """A restatement as a row of a table."""
    return {
        "account_id": of.billed.account_id,
        "cycle": of.billed.cycle.name,
        "restates": " ".join(of.billed.numbers),
        "peak_before": of.billed.peak,
        "peak": of.fresh.peak,
        "billed": f"{of.billed.total.amount:f}",
        "total": f"{of.difference.amount:f}",
        "currency": of.difference.currency,
        "kind": of.kind,
        "number": number,
        "late_events": " ".join(late.event_id for late in of.events),
    }


def statement_row(row: StatementRow) -> dict[str, Any]:
    """A document of an account with what it owes, as programs read it."""
    return {
        "account_id": row.account_id,
        "cycle": row.cycle,
        "number": row.number,
        "kind": row.kind,
        "issued_at": text_of(row.issued_at),
        "total": f"{row.total.amount:f}",
        "balance": f"{row.balance.amount:f}",
        "currency": row.total.currency,
    }


def receipt(tally: Tally, head: dict[str, Any]) -> dict[str, Any]:
    """What became of events that were appended, as programs read it."""
    counts = ("received", "accepted", "duplicates", "rejected")
    return {count: getattr(tally, count) for count in counts} | {"head": head}


def evidence(of: Evidence) -> dict[str, Any]:
    """Evidence as programs read it: who was active at the peak and since when, and the curve of the cycle."""
    return {
        **_peak_of(of),
        "identities": [
            {
                "identity_id": witness.identity_id,
                "event_id": witness.event_id,
                "type": witness.type,
                "occurred_at": text_of(witness.occurred_at),
                "covers_until": text_of(witness.covers_until),
                "active_since": text_of(witness.active_since),
                "active_until": text_of(witness.active_until),
                "flags": ["active_after_deletion"] if witness.active_after_deletion else [],
            }
            for witness in of.witnesses
        ],
        "came_and_went": [
            {
                "identity_id": passerby.identity_id,
                "active_since": text_of(passerby.active_since),
                "active_until": text_of(passerby.active_until),
            }
            for passerby in of.active_off_peak
        ],
        "counts": [{"at": text_of(at), "active": count} for at, count in of.counts],
        "flags": list(of.flags),
    }


def _peak_of(of: Evidence) -> dict[str, Any]:
    """What evidence is about: the peak of a cycle, and by which policy."""
    return {
        "account_id": of.account_id,
        "cycle_start": text_of(micros(of.cycle.start)),
        "cycle_end": text_of(micros(of.cycle.end)),
        "peak": of.peak,
        "peak_at": None if of.peak_at is None else text_of(of.peak_at),
        "policy": policy_content(of.policy),
    }


#: The format that certificates are written in. Whoever changes what they say changes it.
CERTIFICATE_FORMAT: Final = 1


def certificate(of: Evidence, basis: Basis) -> dict[str, Any]:
    """A certificate: for each identity that was counted, the event that kept it active at the peak.

    Whoever was counted is listed with an event that covers `peak_at`, so nobody was counted who was
    not active. That no higher moment exists does not follow from it. Its format is told, for whoever
    writes a checker, in `fixtures/certificate/README.md`.
    """
    return {
        "certificate": CERTIFICATE_FORMAT,
        **_peak_of(of),
        "basis": {"events": basis.events, "position": basis.position, "digest": basis.digest},
        "identities": [
            {
                "identity_id": witness.identity_id,
                "event_id": witness.event_id,
                "type": witness.type,
                "occurred_at": text_of(witness.occurred_at),
                "covers_until": text_of(witness.covers_until),
            }
            for witness in of.witnesses
        ],
    }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"
