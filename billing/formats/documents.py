"""What goes out to programs: peaks, invoices and evidence as JSON and CSV, exact to the byte."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from ..core.activity import ActivityPolicy
from ..core.cycle import micros, text_of
from ..core.event import Tally
from ..core.evidence import Evidence
from ..core.invoice import Basis, Invoice, Line, arithmetic
from ..core.plan import Plan, Price
from ..core.restatement import Restatement, StatementRow
from ..core.sweep import Peak
from .terms import duration

#: What a spreadsheet takes for the beginning of a formula: OWASP's list, and its characters as
#: full-width ones, which Excel in Japanese and Chinese reads alike.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: The columns that hold amounts, differences of them and quantities, which may be negative.
_AMOUNTS: Final = re.compile(
    r"^(?!.*id$).*(amount|total|billed|balance|difference|percent|price|cost|charge|quantity|one_more)"
    r"|^(now|other|so_far|least)$",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def to_json(documents: Iterable[dict[str, Any]]) -> str:
    """One array on one line, keys in the order of the documents."""
    return json.dumps(list(documents), ensure_ascii=False)


def to_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """A header and a line for each row, with nothing that a spreadsheet would take for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(row[column], column) for column in columns] for row in rows)
    return out.getvalue()


def cell(value: Any, column: str) -> Any:
    """A value as a cell of a table for people: text that could be a formula begins with an apostrophe.

    It holds for every text in whatever column, so that no column can be forgotten; only where a column
    speaks of amounts, a negative number stays one. An id is none, whatever it looks like.

    >>> cell("=1+1", "account_id"), cell("-1", "event_id"), cell("-8.00", "amount"), cell("acme", "account_id")
    ("'=1+1", "'-1", '-8.00', 'acme')
    """
    if not isinstance(value, str) or (_AMOUNTS.search(column) and _NUMBER.fullmatch(value)):
        return value
    # Spaces before it are no protection: many an import takes them off.
    return f"'{value}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else value


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
        "basis": _basis(drafted.basis),
    }


def _basis(of: Basis) -> dict[str, Any]:
    basis = {"events": of.events, "position": of.position, "digest": of.digest, "tzdata": of.tzdata}
    return basis if of.terms_version is None else basis | {"terms_version": of.terms_version}


def invoice_lines(drafted: Invoice) -> list[dict[str, Any]]:
    """An invoice as rows of a table, one for each line."""
    document = invoice(drafted)
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


def note(of: Restatement) -> dict[str, Any]:
    """A note that is not issued yet: the invoice it would be, and why."""
    drafted = replace(of.fresh, lines=of.lines, total=of.difference)
    return invoice(drafted) | {"kind": of.kind, "cycle": of.billed.cycle.name} | restatement(of)


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


def restatement(of: Restatement) -> dict[str, Any]:
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


def policy(of: ActivityPolicy) -> dict[str, str]:
    """An activity policy, its windows as ISO 8601 durations."""
    return {
        "action_window": duration(of.action_window),
        "connect_window": duration(of.connect_window),
        "reconnect": of.reconnect,
    }


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
            for passerby in of.came_and_went
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
        "policy": policy(of.policy),
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
