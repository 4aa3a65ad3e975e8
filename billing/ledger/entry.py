"""What a ledger holds and what it says: entries, documents, its head, a receipt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from ..core.errors import Rejection
from ..core.event import Tally

#: What is issued: numbered, dated, sent. `invoice` is the original of its cycle.
Issued = Literal["invoice", "supplementary_invoice", "credit_note"]
Kind = Literal["terms", "conflict", "restatement", "invoice", "supplementary_invoice", "credit_note"]
ISSUED: Final[tuple[Issued, ...]] = ("invoice", "supplementary_invoice", "credit_note")
#: The series that numbers come from. Originals and supplementary invoices share one.
SERIES: Final = {"invoice": "INV", "supplementary_invoice": "INV", "credit_note": "CN"}


def number_of(series: str, place: int) -> str:
    """The number of the document at a place, from 1, in its series.

    >>> number_of("INV", 7)
    'INV-000007'
    """
    return f"{series}-{place:06}"


class Entry(NamedTuple):
    """An event as the ledger holds it, with its position and when it was recorded (microseconds).

    `digest` seals it and every entry before it.
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
        """What the event says, in the order of `event.CONTENT`."""
        return self[2:12]


@dataclass(frozen=True, slots=True)
class Document:
    """Something a ledger holds besides events: terms, a conflict, what was issued, or restated.

    `content` is its JSON, to the byte as it will always be. What was issued has a `number`, and
    belongs to the account's cycle that starts at `cycle_start` (microseconds).
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
    """A document before the ledger takes it: its content still lacks number and date."""

    kind: Kind
    account_id: str | None
    cycle_start: int | None
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a ledger, or of what it held at a position; note it elsewhere.

    `position` counts everything the ledger holds. `digest` seals all events up to it,
    `documents_digest` all terms, documents and conflicts, both SHA-256 in hexadecimal. Only a head
    that was noted elsewhere can show that the end of a ledger was cut off.
    """

    position: int
    digest: str
    documents_digest: str
    recorded_at: int | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of events that were appended: all of it is on disk, and stays.

    `duplicates` of the tally were in the ledger already, with the same content; `rejections` tell
    what could not be accepted and why. `head` is that of the ledger afterwards.
    """

    tally: Tally
    head: Head
    rejections: tuple[Rejection, ...] = field(default=())
