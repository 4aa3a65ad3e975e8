"""A reconciliation as a table and a document: every cycle compared, why figures differ, and the sums."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ...core.cycle import text_of
from ...reconciliation.accepted import Key, key_of
from ...reconciliation.diagnosis import Diagnosis, Disputed, Explanation, Reconciliation
from ...reconciliation.matching import Match, StatusSum
from .schema import Column, Row, Schema, View, code, cycle_columns, integer, money, text
from .text import json_row, json_value

COMPARED: Final = Schema(
    "compared invoices",
    (
        Column("account_id", text),
        # Their name for it where we have no such cycle, and then not when it starts and ends.
        Column("cycle", text),
        *cycle_columns(null=True)[1:],
        Column("status", code),
        Column("cause", code, null=True),
        Column("quantity_ours", integer, null=True),
        Column("quantity_theirs", integer, null=True),
        Column("amount_ours", money, null=True),
        Column("amount_theirs", money, null=True),
        Column("difference", money, null=True),
        Column("currency", text, null=True),
        Column("number", text, null=True),
        Column("invoice", text, null=True),
        Column("where", text, null=True),
        Column("accepted", text, null=True),
    ),
)


def document(of: Reconciliation, accepted: Mapping[Key, str]) -> dict[str, Any]:
    """Everything that a reconciliation found, as one document."""
    disputed = of.disputed or ((),) * len(of.matches)
    return {
        "sums": [_sum(each) for each in of.sums],
        "causes": [{"cause": c.name, "says": f"They billed {c.description}.", "count": c.count} for c in of.causes],
        "unexplained": of.unexplained,
        "not_tried": [cause.name for cause in of.not_tried],
        "left_out": of.left_out,
        "matches": [_match(m, d, who, accepted) for m, d, who in zip(of.matches, of.diagnoses, disputed, strict=True)],
    }


def compared(of: Reconciliation, accepted: Mapping[Key, str]) -> View:
    """Every cycle compared, and why figures differ."""
    return View(COMPARED, [_row(m, d, accepted) for m, d in zip(of.matches, of.diagnoses, strict=True)])


def _row(match: Match, diagnosis: Diagnosis | None, accepted: Mapping[Key, str]) -> Row:
    ours, theirs = match.ours, match.theirs
    start, end = ours.span if ours else (None, None)
    return {
        "account_id": match.account_id,
        "cycle": match.cycle,
        "cycle_start": start,
        "cycle_end": end,
        "status": match.status,
        "cause": None if diagnosis is None else diagnosis.explanation.name,
        "quantity_ours": ours.quantity if ours else None,
        "quantity_theirs": theirs.quantity if theirs else None,
        "amount_ours": ours.total.amount if ours and ours.total else None,
        "amount_theirs": theirs.amount if theirs else None,
        "difference": difference_of(match),
        "currency": match.currency,
        "number": " ".join(ours.numbers) if ours and ours.numbers else None,
        "invoice": theirs.invoice if theirs else None,
        "where": theirs.where if theirs else None,
        "accepted": accepted.get(key_of(match)),
    }


def difference_of(match: Match) -> Decimal | None:
    """Theirs less ours, where both are known and of one currency; what only one side claims counts whole."""
    ours, theirs = match.ours, match.theirs
    if match.status == "currency_differs":
        return None
    mine = ours.total.amount if ours and ours.total else None
    other = theirs.amount if theirs else None
    if ours and theirs and (mine is None or other is None):
        return None
    return None if mine is None and other is None else (other or Decimal(0)) - (mine or Decimal(0))


def _match(
    match: Match, diagnosis: Diagnosis | None, disputed: tuple[Disputed, ...], accepted: Mapping[Key, str]
) -> dict[str, Any]:
    document = json_row(COMPARED, _row(match, diagnosis, accepted))
    if match.theirs and match.theirs.start is not None:
        document["their_start"] = text_of(match.theirs.start)
        document["their_end"] = None if match.theirs.end is None else text_of(match.theirs.end)
    if diagnosis is not None:
        document["diagnosis"] = {
            **_explanation(diagnosis.explanation),
            "decided": diagnosis.decided,
            "cycles": diagnosis.cycles,
            "against": diagnosis.against,
            "others": [_explanation(other) for other in diagnosis.others],
            "datum": diagnosis.datum,
        }
    if disputed:
        document["disputed"] = [_disputed(each) for each in disputed]
    return document


def _explanation(of: Explanation) -> dict[str, Any]:
    return {
        "readings": [cause.name for cause in of.causes],
        "says": f"They billed {of.description}.",
        "quantity": of.quantity,
        "amount": _exact(of.amount),
    }


def _disputed(of: Disputed) -> dict[str, Any]:
    return {
        "identity_id": of.identity_id,
        "counted_by": of.counted_by,
        "at": None if of.moment is None else text_of(of.moment),
        "event_id": of.event_id,
        "type": of.type,
        "occurred_at": None if of.occurred_at is None else text_of(of.occurred_at),
    }


def _sum(of: StatusSum) -> dict[str, Any]:
    return {
        "status": of.status,
        "currency": of.currency,
        "count": of.count,
        "ours": _exact(of.ours),
        "theirs": _exact(of.theirs),
        "difference": _exact(of.difference),
    }


def _exact(number: Decimal | None) -> str | None:
    text: str | None = json_value(number, money)
    return text
