"""Billed documents as a double-entry journal in the syntax of beancount.

Each document is a transaction, dated with the day of issue in UTC (a draft: the day its cycle ends) and
flagged `*`, or `!` for a draft. What an account owes is in `Assets:Receivable:ACCOUNT`, against
`Income:Identities`, `Income:Discounts` and, where the plan prices credits, `Income:Credits`; a note
books the difference of each figure. The invoice of a cycle and its notes share the link of the invoice's
number.

An account id is arbitrary text, and the name of a journal account is not. Letters, digits and hyphens
stay, a lower-case first letter is capitalised, and every other character, with `Z` and an upper-case
first letter, becomes `Z`, its code point in hexadecimal, and `z`: so no two ids share a name. The id
itself is in the metadata of the account.

The journal ends with an exact balance assertion for every account; if the whole ledger is exported, it
is the balance of the statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from ...core.cycle import micros, moment, text_of
from ...core.invoice import Line
from ...core.money import EXACT
from ...invoicing.issued import BilledDocument

_IDENTITIES: Final = "Income:Identities"
_DISCOUNTS: Final = "Income:Discounts"
_CREDITS: Final = "Income:Credits"
_KEPT: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY0123456789-")
_KEPT_FIRST: Final = frozenset("0123456789")
_RAISED_FIRST: Final = frozenset("abcdefghijklmnopqrstuvwxy")


def journal(documents: Sequence[BilledDocument]) -> str:
    """Export documents, given in the order of issue; the same documents give the same bytes."""
    if not documents:
        return "; No documents.\n"
    ordered = sorted(documents, key=_day)  # stable: within a day, the order of issue stays
    parts = [_opening(ordered)]
    parts += ["\n".join(_transaction(billed)) for billed in ordered]
    parts.append("\n".join(_balances(ordered)))
    return "\n\n".join(parts) + "\n"


def account_of(account_id: str) -> str:
    """The name of the journal account that holds what an account owes, unique for each id.

    >>> account_of("outreach-sg"), account_of("Outreach-sg"), account_of("a b")
    ('Assets:Receivable:Outreach-sg', 'Assets:Receivable:Z4fzutreach-sg', 'Assets:Receivable:AZ20zb')
    """
    first, rest = account_id[0], account_id[1:]
    if first in _RAISED_FIRST:
        name = first.upper()
    else:
        name = first if first in _KEPT_FIRST else _escape(first)
    return "Assets:Receivable:" + name + "".join(c if c in _KEPT else _escape(c) for c in rest)


def _escape(character: str) -> str:
    return f"Z{ord(character):x}z"


def _opening(documents: Sequence[BilledDocument]) -> str:
    """Open every account on the day of its first document, with its currencies."""
    currencies = sorted({billed.invoice.currency for billed in documents})
    lines = [f'option "operating_currency" "{currency}"' for currency in currencies]
    lines.append("")
    since = _day(documents[0])
    incomes = [_IDENTITIES, _DISCOUNTS, *([_CREDITS] if any(billed.invoice.credits for billed in documents) else [])]
    lines += [f"{since} open {name} {','.join(currencies)}" for name in incomes]
    by_account: dict[str, list[BilledDocument]] = {}
    for billed in documents:
        by_account.setdefault(billed.invoice.account_id, []).append(billed)
    for account_id, own in sorted(by_account.items()):
        used = ",".join(sorted({billed.invoice.currency for billed in own}))
        lines += [f"{_day(own[0])} open {account_of(account_id)} {used}", f"  account-id: {_quote(account_id)}"]
    return "\n".join(lines)


def _transaction(billed: BilledDocument) -> Iterator[str]:
    invoice, before = billed.invoice, billed.before
    number, refers_to = invoice.number, billed.document.refers_to
    kind = billed.kind.replace("_", " ")
    narration = f"Cycle {invoice.cycle.name}: {kind}" + (f" {number}" if number else "")
    links = "".join(f" ^{link}" for link in (number, refers_to) if link)
    flag = "!" if number is None else "*"
    tag = billed.kind.replace("_", "-")
    yield f"{_day(billed)} {flag} {_quote(invoice.account_id)} {_quote(narration)}{links} #{tag}"
    for key, value in _metadata(billed):
        yield f"  {key}: {value}"
    currency = invoice.currency
    yield f"  {account_of(invoice.account_id)}  {invoice.total.amount:f} {currency}"
    usage_before = None if before is None else before.usage
    yield f"  {_IDENTITIES}  {_change(billed.usage, usage_before):f} {currency}"
    discount, discount_before = billed.discount, None if before is None else before.discount
    if discount is not None or discount_before is not None:
        yield f"  {_DISCOUNTS}  {_change(discount, discount_before):f} {currency}"
    if invoice.credits is not None:
        credits_before = None if before is None else before.invoice.credits
        yield f"  {_CREDITS}  {_change(invoice.credits, credits_before):f} {currency}"


def _metadata(billed: BilledDocument) -> Iterator[tuple[str, str]]:
    document, invoice = billed.document, billed.invoice
    if document.issued_at is not None:
        yield "issued-at", _quote(text_of(document.issued_at))
    if document.refers_to is not None:
        yield "restates", _quote(document.refers_to)
    yield "cycle-start", _quote(text_of(micros(invoice.cycle.start)))
    yield "cycle-end", _quote(text_of(micros(invoice.cycle.end)))
    yield "peak", str(invoice.peak)
    if invoice.peak_at is not None:
        yield "peak-at", _quote(text_of(micros(invoice.peak_at)))
    yield "plan", _quote(invoice.plan_id)
    yield "usage", _quote(billed.usage.description)
    if billed.discount is not None:
        yield "discount", _quote(billed.discount.description)
    if invoice.credits is not None:
        yield "credits", _quote(invoice.credits.description)
    if invoice.basis.position is not None:
        yield "position", str(invoice.basis.position)
    if invoice.basis.digest is not None:
        yield "digest", _quote(invoice.basis.digest)


def _balances(documents: Sequence[BilledDocument]) -> Iterator[str]:
    """Assert the final balances on the next day, since a balance assertion applies at the start of its day."""
    next_day = _day(documents[-1]) + timedelta(days=1)
    balances: dict[tuple[str, str], Decimal] = {}
    for billed in documents:
        key = billed.invoice.account_id, billed.invoice.currency
        balances[key] = EXACT.add(balances.get(key, Decimal(0)), billed.invoice.total.amount)
    for (account_id, currency), amount in sorted(balances.items()):
        # With its default tolerance, beancount would accept a difference of a minor unit.
        yield f"{next_day} balance {account_of(account_id)}  {amount:f} ~ 0 {currency}"


def _change(now: Line | None, before: Line | None) -> Decimal:
    """The change to an income account, where beancount expects negative amounts."""
    earlier = Decimal(0) if before is None else before.amount
    # A zero discount on a peak of 0 has a sign and decimals; it is booked as a plain 0.
    added = Decimal(0) if now is None or (now.kind == "discount" and not now.amount) else now.amount
    return EXACT.subtract(earlier or Decimal(0), added)


def _day(billed: BilledDocument) -> date:
    issued_at = billed.document.issued_at
    return (billed.invoice.cycle.end if issued_at is None else moment(issued_at)).date()


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
