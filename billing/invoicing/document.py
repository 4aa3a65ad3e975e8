"""Invoices and notes as JSON documents: the one writer and the one reader.

The ledger keeps the JSON to the byte. Whatever needs to know what was issued reads it here, into the
invoice that the document was written from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from ..config.terms import duration, policy_of
from ..core.activity import ActivityPolicy
from ..core.cycle import Cycle, instant_of, micros, moment, text_of
from ..core.errors import BadLedger, BillingError
from ..core.invoice import Basis, Invoice, Line
from ..core.money import Money
from ..core.plan import Part, Tier
from ..ledger.entry import Document, Issued, UnissuedDocument
from ..ledger.ledger import Ledger
from .restatement import LateEvent, Restatement

Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Correction:
    """What a note says beyond an invoice: which documents it corrects, and why.

    `billed` and `peak_before` are the total and the peak of the cycle by the documents that it
    `restates`. `credits_before` is none where credits are not paid for.
    """

    restates: tuple[str, ...]
    billed: Decimal
    peak_before: int
    now_active: tuple[str, ...]
    no_longer_active: tuple[str, ...]
    late_events: tuple[LateEvent, ...]
    credits_before: Decimal | None = None
    credits_changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InvoiceDocument:
    """An invoice or a note, as it was issued or still as a draft.

    The lines and the total of `invoice` are those of the document: on a note, what it adds to the
    documents before it. `issued_at` (microseconds) and `refers_to`, the number of the invoice that a
    note is about, are none on a draft.
    """

    invoice: Invoice
    kind: Issued = "invoice"
    issued_at: int | None = None
    refers_to: str | None = None
    correction: Correction | None = None

    @property
    def cycle_total(self) -> Money:
        """The total of the cycle by this document and all documents before it."""
        billed = Decimal(0) if self.correction is None else self.correction.billed
        return self.invoice.total + Money(billed, self.invoice.currency)


# Writing


def invoice_document(draft: Invoice) -> UnissuedDocument:
    """An invoice that the ledger can issue."""
    return _unissued(InvoiceDocument(replace(draft, status="issued")))


def note_document(restatement: Restatement) -> UnissuedDocument:
    """The note that corrects what was billed for a cycle, for the ledger to issue."""
    note = replace(_note_of(restatement), status="issued")
    number, correction = restatement.billed.numbers[0], _correction_of(restatement)
    return _unissued(InvoiceDocument(note, restatement.kind, refers_to=number, correction=correction))


def _unissued(document: InvoiceDocument) -> UnissuedDocument:
    invoice = document.invoice
    content = invoice_content(invoice) | {
        "kind": document.kind,
        "cycle": invoice.cycle.name,
        "issued_at": None,  # the ledger fills in the number and the date
        "refers_to": document.refers_to,
    }
    if document.correction is not None:
        content |= _correction_content(document.correction)
    return UnissuedDocument(document.kind, invoice.account_id, micros(invoice.cycle.start), content)


def restatement_document(position: int, looked_at: int, restated: int) -> UnissuedDocument:
    """The record that all issued cycles were compared with what was known at a position."""
    return UnissuedDocument(
        "restatement", None, None, {"position": position, "looked_at": looked_at, "restated": restated}
    )


def note_content(restatement: Restatement) -> dict[str, Any]:
    """A note that is not issued yet as JSON: the invoice it would be, and why."""
    more = {"kind": restatement.kind, "cycle": restatement.billed.cycle.name}
    return invoice_content(_note_of(restatement)) | more | _correction_content(_correction_of(restatement))


def invoice_content(invoice: Invoice) -> dict[str, Any]:
    """An invoice as JSON; all money is text."""
    return {
        "account_id": invoice.account_id,
        "cycle_start": text_of(micros(invoice.cycle.start)),
        "cycle_end": text_of(micros(invoice.cycle.end)),
        "peak": invoice.peak,
        "peak_at": None if invoice.peak_at is None else text_of(micros(invoice.peak_at)),
        "plan_id": invoice.plan_id,
        "currency": invoice.currency,
        "lines": [_line_content(line) for line in invoice.lines],
        "total": f"{invoice.total.amount:f}",
        "status": invoice.status,
        "number": invoice.number,
        "policy": policy_content(invoice.policy),
        "basis": _basis_content(invoice.basis),
    }


def policy_content(policy: ActivityPolicy) -> dict[str, str]:
    """An activity policy as JSON, its windows as ISO 8601 durations."""
    return {
        "action_window": duration(policy.action_window),
        "connect_window": duration(policy.connect_window),
        "reconnect": policy.reconnect,
    }


def _note_of(restatement: Restatement) -> Invoice:
    return replace(restatement.fresh, lines=restatement.lines, total=restatement.difference)


def _correction_of(restatement: Restatement) -> Correction:
    billed = restatement.billed
    return Correction(
        restates=billed.numbers,
        billed=billed.total.amount,
        peak_before=billed.peak,
        now_active=restatement.now_active,
        no_longer_active=restatement.no_longer_active,
        late_events=restatement.events,
        credits_before=billed.credits,
        credits_changed=restatement.credits_changed,
    )


def _correction_content(correction: Correction) -> dict[str, Any]:
    content = {
        "restates": list(correction.restates),
        "billed": f"{correction.billed:f}",
        "peak_before": correction.peak_before,
        "now_active": list(correction.now_active),
        "no_longer_active": list(correction.no_longer_active),
    }
    if correction.credits_before is not None:
        content["credits_before"] = _written(correction.credits_before)
        content["credits_changed"] = list(correction.credits_changed)
    return content | {"late_events": [_late_event_content(late) for late in correction.late_events]}


def _late_event_content(late: LateEvent) -> dict[str, Any]:
    return {
        "position": late.position,
        "event_id": late.event_id,
        "identity_id": late.identity_id,
        "type": late.type,
        "occurred_at": text_of(late.occurred_at),
        "recorded_at": text_of(late.recorded_at),
        "voids": late.voids,
    }


def _basis_content(basis: Basis) -> dict[str, Any]:
    content = {"events": basis.events, "position": basis.position, "digest": basis.digest, "tzdata": basis.tzdata}
    return content if basis.terms_version is None else content | {"terms_version": basis.terms_version}


def _line_content(line: Line) -> dict[str, Any]:
    content: dict[str, Any] = {
        "kind": line.kind,
        "description": line.description,
        # Credits may be fractions, so they are text, as money is.
        "quantity": _written(line.quantity) if isinstance(line.quantity, Decimal) else line.quantity,
        "unit_price": _written(line.unit_price),
        "amount": _written(line.amount),
    }
    if line.parts:
        content["parts"] = [
            {
                "up_to": part.tier.up_to,
                "units": _written(part.units),
                "unit_price": _written(part.tier.unit_price),
                "flat_price": _written(part.tier.flat_price),
                "amount": _written(part.amount),
            }
            for part in line.parts
        ]
    return content


def _written(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"


# Reading


def read(ledger: Ledger, document: Document) -> InvoiceDocument:
    """What a ledger has issued. Raises `BadLedger` (`ledger_damaged`) where somebody made it unreadable."""
    try:
        found = parse(json.loads(document.content))
        basis = found.invoice.basis
        if None in (found.invoice.number, found.issued_at, basis.position, basis.terms_version):
            raise ValueError("it was not issued")
    except ValueError:
        detail = f"{document.number} cannot be read"
        raise BadLedger("ledger_damaged", ledger.name, detail=detail) from None
    return found


def restated_until(ledger: Ledger, record: Document) -> int:
    """The position of a record that `restatement_document` made. Raises `BadLedger` as `read` does."""
    try:
        return _whole(json.loads(record.content)["position"])
    except (ValueError, KeyError, TypeError):
        detail = f"the restatement at position {record.position} cannot be read"
        raise BadLedger("ledger_damaged", ledger.name, detail=detail) from None


def parse(content: Any) -> InvoiceDocument:
    """An invoice or a note from its JSON, issued or not. Raises `ValueError` with what is wrong with it."""
    try:
        return _document(content)
    except BillingError:
        raise
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is missing") from None
    except (TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(str(error)) from None


def _document(content: Any) -> InvoiceDocument:
    account_id, basis = _text(content["account_id"]), content["basis"]
    start, end = moment(instant_of(content["cycle_start"])), moment(instant_of(content["cycle_end"]))
    total = _decimal(content["total"])
    peak_at = None if content["peak_at"] is None else moment(instant_of(content["peak_at"]))
    number = _text_or_none(content["number"])
    # A draft need not say which kind it is, nor what its cycle is called.
    issued = content if number is not None else {"kind": "invoice", "cycle": "", "issued_at": None} | content
    invoice = Invoice(
        account_id=account_id,
        cycle=Cycle(start, end, _text(issued["cycle"])),
        peak=_whole(content["peak"]),
        peak_at=peak_at,
        plan_id=_text(content["plan_id"]),
        lines=tuple(map(_line, content["lines"])),
        total=Money(total, _text(content["currency"])),
        policy=_policy(**content["policy"]),
        basis=_basis(basis),
        status=_one_of(("draft", "issued"), content["status"]),
        number=number,
    )
    return InvoiceDocument(
        invoice,
        kind=_one_of(("invoice", "supplementary_invoice", "credit_note"), issued["kind"]),
        issued_at=None if issued["issued_at"] is None else instant_of(issued["issued_at"]),
        refers_to=_text_or_none(issued.get("refers_to")),
        correction=_correction(content) if "restates" in content else None,
    )


def _correction(content: dict[str, Any]) -> Correction:
    before = content.get("credits_before")
    return Correction(
        restates=tuple(map(_text, content["restates"])),
        billed=_decimal(content["billed"]),
        peak_before=_whole(content["peak_before"]),
        now_active=tuple(map(_text, content["now_active"])),
        no_longer_active=tuple(map(_text, content["no_longer_active"])),
        late_events=tuple(map(_late_event, content["late_events"])),
        credits_before=None if before is None else _decimal(before),
        credits_changed=tuple(map(_text, content.get("credits_changed", ()))),
    )


def _late_event(content: dict[str, Any]) -> LateEvent:
    return LateEvent(
        position=_whole(content["position"]),
        event_id=_text(content["event_id"]),
        identity_id=_text(content["identity_id"]),
        type=_text(content["type"]),
        occurred_at=instant_of(content["occurred_at"]),
        recorded_at=instant_of(content["recorded_at"]),
        voids=_text_or_none(content["voids"]),
    )


def _line(content: dict[str, Any]) -> Line:
    quantity, price = content["quantity"], content["unit_price"]
    return Line(
        kind=_one_of(("usage", "discount", "credits", "billed"), content["kind"]),
        description=_text(content["description"]),
        quantity=_decimal(quantity) if isinstance(quantity, str) else _whole_or_none(quantity),
        unit_price=None if price is None else _decimal(price),
        amount=_decimal(content["amount"]),
        parts=tuple(_part(k, part) for k, part in enumerate(content.get("parts", ()))),
    )


def _part(index: int, content: dict[str, Any]) -> Part:
    prices = {key: _decimal(content[key]) for key in ("unit_price", "flat_price")}
    tier = Tier(up_to=_whole_or_none(content["up_to"]), **prices)
    return Part(index, tier, _decimal(content["units"]), _decimal(content["amount"]))


def _basis(content: dict[str, Any]) -> Basis:
    return Basis(
        events=_whole(content["events"]),
        position=_whole_or_none(content["position"]),
        digest=_text_or_none(content["digest"]),
        tzdata=_text(content["tzdata"]),
        terms_version=_whole_or_none(content.get("terms_version")),
    )


@lru_cache(maxsize=64)
def _policy(**settings: str) -> ActivityPolicy:
    """Documents state few policies, many times over."""
    return policy_of(settings)


def _one_of(choices: tuple[Choice, ...], value: Any) -> Choice:
    for choice in choices:
        if choice == value:
            return choice
    raise ValueError(f"{value!r} is none of {', '.join(choices)}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _whole_or_none(value: Any) -> int | None:
    return None if value is None else _whole(value)


def _decimal(value: Any) -> Decimal:
    return Decimal(_text(value))
