"""What was billed as a journal of double entry, in the syntax of beancount.

One transaction for each document, dated with the day of issue in UTC (a draft: the day its cycle
ends) and flagged `*`, or `!` for a draft. What an account owes is in `Assets:Receivable:ACCOUNT`,
against `Income:Identities`, `Income:Discounts` and, where the plan prices credits, `Income:Credits`; a
note books the difference of each figure. The invoice of a cycle and its notes share the link of the invoice's number.

An account's id is opaque text, which a name in a journal cannot be. Letters, digits and hyphens stay,
a first letter that is small becomes a capital, and every other character, with `Z` and a first
capital, becomes `Z`, its code point in hexadecimal, `z`: so two ids never become one name. The id as
it is stands in the metadata of the account.

At the end the balance of every account is asserted, exactly: that of the statement, where the
whole ledger is exported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from ...core.cycle import moment, text_of
from ...core.money import EXACT
from ...invoicing.billed_lines import Claim

_IDENTITIES: Final = "Income:Identities"
_DISCOUNTS: Final = "Income:Discounts"
_CREDITS: Final = "Income:Credits"
_KEPT: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXY0123456789-")
_KEPT_FIRST: Final = frozenset("0123456789")
_RAISED_FIRST: Final = frozenset("abcdefghijklmnopqrstuvwxy")


def journal(claims: Sequence[Claim]) -> str:
    """The journal of some claims, given in the order of issue; the same claims give the same bytes."""
    if not claims:
        return "; No documents.\n"
    ordered = sorted(claims, key=_day)  # a stable order: that of issue stays within a day
    parts = [_opening(ordered)]
    parts += ["\n".join(_transaction(claim)) for claim in ordered]
    parts.append("\n".join(_balances(ordered)))
    return "\n\n".join(parts) + "\n"


def account_of(account_id: str) -> str:
    """The name of the account that holds what somebody owes; no two ids have the same.

    >>> account_of("outreach-sg"), account_of("Outreach-sg"), account_of("a b")
    ('Assets:Receivable:Outreach-sg', 'Assets:Receivable:Z4fzutreach-sg', 'Assets:Receivable:AZ20zb')
    """
    first, rest = account_id[0], account_id[1:]
    if first in _RAISED_FIRST:
        name = first.upper()
    else:
        name = first if first in _KEPT_FIRST else _escaped(first)
    return "Assets:Receivable:" + name + "".join(c if c in _KEPT else _escaped(c) for c in rest)


def _escaped(character: str) -> str:
    return f"Z{ord(character):x}z"


def _opening(claims: Sequence[Claim]) -> str:
    """Which accounts there are, since when, and in which currencies."""
    currencies = sorted({claim.currency for claim in claims})
    lines = [f'option "operating_currency" "{currency}"' for currency in currencies]
    lines.append("")
    since = _day(claims[0])
    incomes = [_IDENTITIES, _DISCOUNTS, *([_CREDITS] if any(claim.credits for claim in claims) else [])]
    lines += [f"{since} open {name} {','.join(currencies)}" for name in incomes]
    owned: dict[str, list[Claim]] = {}
    for claim in claims:
        owned.setdefault(claim.account_id, []).append(claim)
    for account_id, own in sorted(owned.items()):
        used = ",".join(sorted({claim.currency for claim in own}))
        lines += [f"{_day(own[0])} open {account_of(account_id)} {used}", f"  account-id: {_quoted(account_id)}"]
    return "\n".join(lines)


def _transaction(claim: Claim) -> Iterator[str]:
    what = claim.kind.replace("_", " ")
    narration = f"Cycle {claim.cycle}: {what}" + (f" {claim.number}" if claim.number else "")
    links = "".join(f" ^{number}" for number in (claim.number, claim.refers_to) if number)
    flag = "!" if claim.number is None else "*"
    tag = claim.kind.replace("_", "-")
    yield f"{_day(claim)} {flag} {_quoted(claim.account_id)} {_quoted(narration)}{links} #{tag}"
    for key, value in _metadata(claim):
        yield f"  {key}: {value}"
    usage = _change(claim.usage, None if claim.before is None else claim.before.usage)
    discounts = [claim.discount, None if claim.before is None else claim.before.discount]
    yield f"  {account_of(claim.account_id)}  {claim.total:f} {claim.currency}"
    yield f"  {_IDENTITIES}  {usage:f} {claim.currency}"
    if any(discount is not None for discount in discounts):
        yield f"  {_DISCOUNTS}  {_change(discounts[0] or Decimal(0), discounts[1]):f} {claim.currency}"
    if claim.credits is not None:
        before = None if claim.before is None or claim.before.credits is None else claim.before.credits.amount
        yield f"  {_CREDITS}  {_change(claim.credits.amount, before):f} {claim.currency}"


def _metadata(claim: Claim) -> Iterator[tuple[str, str]]:
    if claim.issued_at is not None:
        yield "issued-at", _quoted(text_of(claim.issued_at))
    if claim.refers_to is not None:
        yield "restates", _quoted(claim.refers_to)
    yield "cycle-start", _quoted(text_of(claim.start))
    yield "cycle-end", _quoted(text_of(claim.end))
    yield "peak", str(claim.peak)
    if claim.peak_at is not None:
        yield "peak-at", _quoted(claim.peak_at)
    yield "plan", _quoted(claim.plan_id)
    yield "usage", _quoted(claim.usage_text)
    if claim.discount_text is not None:
        yield "discount", _quoted(claim.discount_text)
    if claim.credits is not None:
        yield "credits", _quoted(claim.credits.text)
    if claim.position is not None:
        yield "position", str(claim.position)
    if claim.digest is not None:
        yield "digest", _quoted(claim.digest)


def _balances(claims: Sequence[Claim]) -> Iterator[str]:
    """What is owed in the end; asserted on the morning after, since a balance holds as a day begins."""
    morning = _day(claims[-1]) + timedelta(days=1)
    owed: dict[tuple[str, str], Decimal] = {}
    for claim in claims:
        key = claim.account_id, claim.currency
        owed[key] = EXACT.add(owed.get(key, Decimal(0)), claim.total)
    for (account_id, currency), amount in sorted(owed.items()):
        # Without a tolerance of its own, beancount would let a minor unit pass.
        yield f"{morning} balance {account_of(account_id)}  {amount:f} ~ 0 {currency}"


def _change(now: Decimal, before: Decimal | None) -> Decimal:
    """What is booked as income, which beancount counts below zero."""
    return EXACT.subtract(before or Decimal(0), now)


def _day(claim: Claim) -> date:
    return moment(claim.end if claim.issued_at is None else claim.issued_at).date()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
