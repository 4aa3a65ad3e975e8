"""What a ledger stores and returns: entries, documents, its head, a receipt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from ..core.errors import Rejection
from ..core.event import Tally

#: Documents that are issued: numbered and dated. `invoice` is the original of its cycle.
Issued = Literal["invoice", "supplementary_invoice", "credit_note"]
Kind = Literal["terms", "conflict", "restatement", "invoice", "supplementary_invoice", "credit_note"]
ISSUED: Final[tuple[Issued, ...]] = ("invoice", "supplementary_invoice", "credit_note")
#: The series that each kind is numbered in. Originals and supplementary invoices share one.
SERIES: Final = {"invoice": "INV", "supplementary_invoice": "INV", "credit_note": "CN"}


def number_of(series: str, position: int) -> str:
    """The number of the document at a position, from 1, in its series.

    >>> number_of("INV", 7)
    'INV-000007'
    """
    return f"{series}-{position:06}"


class Entry(NamedTuple):
    """An event in the ledger, with its position and when it was recorded (microseconds).

    `digest` is over it and every entry before it.
    """

    position: int
    recorded_at: int
    account_id: str
    identity_id: str
    type: str
    occurred_at: int
    event_id: str
    identity_type: str | None
    action: str | None
    results: int | None
    mode: str | None
    voids: str | None
    digest: bytes

    @property
    def content(self) -> tuple[Any, ...]:
        """The content of the event, in the order of `event.CONTENT`."""
        return self[2:12]


@dataclass(frozen=True, slots=True)
class Document:
    """A document in a ledger: terms, a conflict, an issued document, or a restatement.

    `content` is its JSON, of which no byte ever changes. An issued document has a `number`, and belongs to
    the account's cycle that starts at `cycle_start` (microseconds).
    """

    position: int
    recorded_at: int
    kind: Kind
    number: str | None
    account_id: str | None
    cycle_start: int | None
    content: str
    digest: bytes


class UnissuedDocument(NamedTuple):
    """A document that is not in the ledger yet: its content has no number and no date."""

    kind: Kind
    account_id: str | None
    cycle_start: int | None
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a ledger, or of its part up to a position; note it elsewhere.

    `position` counts everything in the ledger. `digest` is over all events up to it and
    `documents_digest` over all terms, documents and conflicts, both SHA-256 in hexadecimal. Only a head
    that was noted elsewhere can show that the end of a ledger was cut off.
    """

    position: int
    digest: str
    documents_digest: str
    recorded_at: int | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of events that were appended; the accepted ones are on disk.

    `duplicates` of the tally were in the ledger already, with the same content; `rejections` say what
    was not accepted and why. `head` is the head of the ledger afterwards.
    """

    tally: Tally
    head: Head
    rejections: tuple[Rejection, ...] = field(default=())
