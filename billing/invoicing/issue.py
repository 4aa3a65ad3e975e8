"""Issuing: what was issued by now, and how more is added to it exactly once.

Who issues drafts first, from the ledger as it is, and the ledger takes the documents only if no
others have come meanwhile; else everything is drafted again. So no cycle gets two invoices, however
many close it at the same time.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final, Protocol, Self, TypeVar

from ..core.cycle import Cycle, instant_of, moment
from ..core.errors import StaleLedger
from ..core.money import Money
from ..ledger.entry import ISSUED, Document, Head, UnissuedDocument
from ..ledger.ledger import Ledger
from .restatement import Billed, StatementRow

#: How often to draft again when others issue documents at the same time.
_TRIES_MAX: Final = 100
_PAUSE_SECONDS: Final = 0.02


class Issuable(Protocol):
    """Something drafted that can be issued."""

    @property
    def head(self) -> Head:
        """The end of the ledger that it was drafted from."""

    @property
    def papers(self) -> list[UnissuedDocument]:
        """The documents to be issued."""

    def issued_as(self, documents: tuple[Document, ...]) -> Self:
        """The same, with the documents that came of it."""


Made = TypeVar("Made", bound=Issuable)
Done = TypeVar("Done")


def issued(ledger: Ledger, drafted: Made, again: Callable[[], Made], now: int) -> Made:
    """Issue what was drafted; drafted again where others issued something in between."""

    def attempt() -> Made:
        made = drafts.pop() if drafts else again()
        if not made.papers:
            return made
        return made.issued_as(tuple(ledger.issue(made.papers, after=made.head.documents_digest, now=now)))

    drafts = [drafted]
    return again_if_stale(attempt)


def again_if_stale(attempt: Callable[[], Done]) -> Done:
    """Try until nobody else issued documents in between; each time somebody else got on."""
    for tries in range(_TRIES_MAX):
        try:
            return attempt()
        except StaleLedger as stale:
            if stale.code != "documents_stale" or tries == _TRIES_MAX - 1:
                raise
            time.sleep(random.random() * _PAUSE_SECONDS * min(tries + 1, 10))
    raise AssertionError("the last try ends by itself")


def expected(ledger: Ledger, position: int | None) -> Head:
    """The head of a ledger. Raises `StaleLedger` (`position_stale`) if it is not at the position given."""
    head = ledger.head()
    if position is not None and position != head.position:
        raise StaleLedger("position_stale", ledger.name, got=position, last=head.position)
    return head


def billed_by(ledger: Ledger, *, since: int | None = None) -> list[Billed]:
    """What was issued for each account and cycle, by account and cycle; only cycles that start `since` then."""
    found: dict[tuple[str, int], Billed] = {}
    for document in ledger.documents(*ISSUED, since=since):
        assert document.number is not None and document.account_id is not None and document.cycle_start is not None
        said = json.loads(document.content)
        total = Money(Decimal(said["total"]), said["currency"])
        key = document.account_id, document.cycle_start
        earlier = found.get(key)
        found[key] = Billed(
            account_id=document.account_id,
            cycle=Cycle(moment(document.cycle_start), moment(instant_of(said["cycle_end"])), said["cycle"]),
            numbers=(*(() if earlier is None else earlier.numbers), document.number),
            peak=said["peak"],
            total=total if earlier is None else earlier.total + total,
            position=said["basis"]["position"],
            terms_version=said["basis"]["terms_version"],
            credits=next((Decimal(line["quantity"]) for line in said["lines"] if line["kind"] == "credits"), None),
        )
    return [found[key] for key in sorted(found)]


def statement(ledger: Ledger, *, account_id: str | None = None, position: int | None = None) -> list[StatementRow]:
    """The documents of each account, or of one, in the order in which they were issued."""
    rows: list[StatementRow] = []
    balances: dict[tuple[str, str], Money] = {}
    documents = ledger.documents(*ISSUED, account_id=account_id, position=position)
    for document in sorted(documents, key=lambda d: (d.account_id or "", d.position)):
        account, number = document.account_id or "", document.number or ""
        said = json.loads(document.content)
        total = Money(Decimal(said["total"]), said["currency"])
        key = account, total.currency
        balances[key] = balances[key] + total if key in balances else total
        cycle = Cycle(moment(instant_of(said["cycle_start"])), moment(instant_of(said["cycle_end"])), said["cycle"])
        rows.append(StatementRow(account, cycle, number, document.kind, document.recorded_at, total, balances[key]))
    return rows
