"""What closing and restating found, statements of account, and the state of a ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from ...core.event import Tally
from ...core.invoice import Invoice
from ...invoicing.document import note_content
from ...invoicing.restatement import Restatement, StatementRow
from ...ledger.entry import Head
from .bills import cycle_of
from .schema import Column, Schema, View, code, cycle_columns, instant, integer, money, text, texts
from .text import json_rows

Made = TypeVar("Made")

_CYCLE: Final = (Column("account_id", text), *cycle_columns())
CLOSED: Final = Schema(
    "closed cycles",
    (
        *_CYCLE,
        Column("peak", integer),
        Column("total", money),
        Column("currency", code),
        Column("number", text, null=True),
    ),
)
RESTATED: Final = Schema(
    "restated cycles",
    (
        *_CYCLE,
        Column("restates", texts),
        Column("peak_before", integer),
        Column("peak", integer),
        Column("billed", money),
        Column("total", money),
        Column("currency", code),
        Column("kind", code),
        Column("number", text, null=True),
        Column("late_events", texts),
    ),
)
STATEMENT: Final = Schema(
    "statement",
    (
        *_CYCLE,
        Column("number", text),
        Column("kind", code),
        Column("issued_at", instant),
        Column("total", money),
        Column("balance", money),
        Column("currency", code),
    ),
)
HEAD: Final = Schema(
    "ledger head",
    (
        Column("position", integer),
        Column("digest", code),
        Column("documents_digest", code),
        Column("recorded_at", instant, null=True),
    ),
)


def closed(drafts: Sequence[Invoice], numbers: Sequence[str] = ()) -> View:
    """The invoices that close a cycle, with their numbers once they are issued."""
    return View(
        CLOSED,
        [
            {
                "account_id": drafted.account_id,
                **cycle_of(drafted.cycle),
                "peak": drafted.peak,
                "total": drafted.total.amount,
                "currency": drafted.currency,
                "number": number,
            }
            for drafted, number in _numbered(drafts, numbers)
        ],
    )


def restated(found: Sequence[Restatement], numbers: Sequence[str] = ()) -> View:
    """What late events change about issued invoices, with the numbers of the notes once they are issued."""
    return View(
        RESTATED,
        [
            {
                "account_id": of.billed.account_id,
                **cycle_of(of.billed.cycle),
                "restates": of.billed.numbers,
                "peak_before": of.billed.peak,
                "peak": of.fresh.peak,
                "billed": of.billed.total.amount,
                "total": of.difference.amount,
                "currency": of.difference.currency,
                "kind": of.kind,
                "number": number,
                "late_events": [late.event_id for late in of.events],
            }
            for of, number in _numbered(found, numbers)
        ],
    )


def note(of: Restatement) -> dict[str, Any]:
    """A note that is not issued yet, as a document; like a draft, with `cycle` after `account_id`."""
    return {"account_id": of.billed.account_id, "cycle": of.billed.cycle.name} | note_content(of)


def statement(rows: Iterable[StatementRow]) -> View:
    """The documents of accounts, and what each account owes after each."""
    return View(
        STATEMENT,
        [
            {
                "account_id": row.account_id,
                **cycle_of(row.cycle),
                "number": row.number,
                "kind": row.kind,
                "issued_at": row.issued_at,
                "total": row.total.amount,
                "balance": row.balance.amount,
                "currency": row.total.currency,
            }
            for row in rows
        ],
    )


def head(of: Head) -> View:
    """A ledger at one position, and the digests of all that came before; one row."""
    return View(HEAD, [{column: getattr(of, column) for column in HEAD.names}])


def receipt(tally: Tally, at: Head) -> dict[str, Any]:
    """What became of events that were appended, and the head of the ledger after it, as a document."""
    counts = ("received", "accepted", "duplicates", "rejected")
    return {count: getattr(tally, count) for count in counts} | {"head": json_rows(head(at))[0]}


def _numbered(made: Sequence[Made], numbers: Sequence[str]) -> Iterable[tuple[Made, str | None]]:
    """Each document with its number; none of them has one before they are issued."""
    return zip(made, numbers, strict=True) if numbers else ((each, None) for each in made)
