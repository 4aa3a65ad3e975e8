"""What goes out to programs: peaks, invoices and evidence as JSON and CSV, exact to the byte."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter

from ..core.activity import ActivityPolicy
from ..core.cycle import micros
from ..core.evidence import Evidence
from ..core.invoice import Invoice, Line, arithmetic
from ..core.plan import Plan, Price
from ..core.sweep import Peak
from .instants import text_of

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def to_json(documents: Iterable[dict[str, Any]]) -> str:
    """One array on one line, keys in the order of the documents."""
    return json.dumps(list(documents), ensure_ascii=False)


def to_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """A header and a line for each row, with nothing that a spreadsheet would take for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column], column) for column in columns] for row in rows)
    return out.getvalue()


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


def invoice(drafted: Invoice) -> dict[str, Any]:
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
        "policy": policy(drafted.policy),
        "basis": {
            "events": drafted.basis.events,
            "position": drafted.basis.position,
            "digest": drafted.basis.digest,
            "tzdata": drafted.basis.tzdata,
        },
    }


def invoice_lines(drafted: Invoice) -> list[dict[str, Any]]:
    """An invoice as rows of a table, one for each line."""
    document = invoice(drafted)
    return [{**document, **line} for line in document["lines"]]


def policy(of: ActivityPolicy) -> dict[str, str]:
    """An activity policy, its windows as ISO 8601 durations."""
    return {
        "action_window": _duration(of.action_window),
        "connect_window": _duration(of.connect_window),
        "reconnect": of.reconnect,
    }


def certificate(of: Evidence) -> dict[str, Any]:
    """Evidence as programs read it: who was active at the peak, and the event that shows it.

    Whoever was counted is listed with an event that covers `peak_at`, so nobody was counted who was
    not active. That no higher moment exists does not follow from it.
    """
    return {
        "account_id": of.account_id,
        "cycle_start": text_of(micros(of.cycle.start)),
        "cycle_end": text_of(micros(of.cycle.end)),
        "peak": of.peak,
        "peak_at": None if of.peak_at is None else text_of(of.peak_at),
        "policy": policy(of.policy),
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
            for passerby in of.came_and_went
        ],
        "counts": [{"at": text_of(at), "active": count} for at, count in of.counts],
        "flags": list(of.flags),
    }


def _line(line: Line) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": line.kind,
        "description": line.description,
        "quantity": line.quantity,
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


def _duration(span: timedelta) -> str:
    return str(TypeAdapter(timedelta).dump_python(span, mode="json"))


def _cell(value: Any, column: str) -> Any:
    # Amounts may begin with a minus; only text that came from elsewhere can be a formula.
    foreign = column in ("account_id", "plan_id", "description", "identity_id", "event_id")
    return f"'{value}" if foreign and str(value).startswith(_FORMULA) else value
