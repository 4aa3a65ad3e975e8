"""What is issued is added to a ledger exactly once.

Whoever issues documents drafts them first, from the ledger as it is. The ledger takes them only if no
other documents came in between; else everything is drafted again. So no cycle gets two invoices,
however many close it at the same time.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Final, TypeVar

from ..core.cycle import Cycle
from ..core.errors import StaleLedger
from ..core.money import Money
from ..ledger.entry import ISSUED, Head
from ..ledger.ledger import Ledger
from .document import read
from .restatement import Billed, StatementRow

#: How often to try again when others issue documents at the same time.
_TRIES_MAX: Final = 100
_PAUSE_SECONDS: Final = 0.02

Result = TypeVar("Result")


def retry_if_stale(attempt: Callable[[], Result]) -> Result:
    """Try again whenever somebody else issued documents in between; each time one of those who try succeeds."""
    for tries in range(_TRIES_MAX):
        try:
            return attempt()
        except StaleLedger as stale:
            if stale.code != "documents_stale" or tries == _TRIES_MAX - 1:
                raise
            time.sleep(random.random() * _PAUSE_SECONDS * min(tries + 1, 10))
    raise AssertionError("the last try returns or raises")


def head_at(ledger: Ledger, position: int | None) -> Head:
    """The head of a ledger. Raises `StaleLedger` (`position_stale`) if a position is given and it is another."""
    head = ledger.head()
    if position is not None and position != head.position:
        raise StaleLedger("position_stale", ledger.name, got=position, last=head.position)
    return head


def billed_cycles(ledger: Ledger, *, since: int | None = None) -> list[Billed]:
    """What was issued for each cycle, by account and cycle; with `since`, only for cycles that start then or later."""
    found: dict[tuple[str, Cycle], Billed] = {}
    for document in ledger.documents(*ISSUED, since=since):
        invoice = read(ledger, document).invoice
        basis, credits = invoice.basis, invoice.credits
        assert invoice.number and basis.position is not None and basis.terms_version, "it was read as issued"
        key = invoice.account_id, invoice.cycle
        earlier = found.get(key)
        found[key] = Billed(
            account_id=invoice.account_id,
            cycle=invoice.cycle,
            numbers=(*(() if earlier is None else earlier.numbers), invoice.number),
            peak=invoice.peak,
            total=invoice.total if earlier is None else earlier.total + invoice.total,
            position=basis.position,
            terms_version=basis.terms_version,
            credits=None if credits is None or credits.quantity is None else Decimal(credits.quantity),
        )
    return [found[key] for key in sorted(found)]


def statement(ledger: Ledger, *, account_id: str | None = None, position: int | None = None) -> list[StatementRow]:
    """The documents of each account, or of one, in the order of issue, with the balance after each."""
    rows: list[StatementRow] = []
    balances: dict[tuple[str, str], Money] = {}
    documents = ledger.documents(*ISSUED, account_id=account_id, position=position)
    for document in sorted(documents, key=lambda d: (d.account_id or "", d.position)):
        invoice = read(ledger, document).invoice
        assert invoice.number, "it was read as issued"
        key = invoice.account_id, invoice.currency
        balances[key] = balances[key] + invoice.total if key in balances else invoice.total
        rows.append(
            StatementRow(
                account_id=invoice.account_id,
                cycle=invoice.cycle,
                number=invoice.number,
                kind=document.kind,
                issued_at=document.recorded_at,
                total=invoice.total,
                balance=balances[key],
            )
        )
    return rows
