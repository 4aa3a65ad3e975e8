"""Bills computed again by the definition: the engine's, those that a ledger has issued, and any invoice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ... import engine
from ...core.cycle import micros
from ...core.invoice import Invoice
from ...core.sweep import Peak
from ...core.terms import Terms
from ...engine.query import Query
from ...inputs.rows import ReadOptions
from ...ledger.ledger import Ledger
from ...ledger.verify import verify as verify_ledger
from .bills import ENGINE, check_bills, small_accounts
from .checker import Audit, Checker
from .discrepancy import StatedBill
from .invoices import UNREADABLE, check_given, check_issued, unreadable

__all__ = ["UNREADABLE", "Audit", "audit", "audit_invoices", "unreadable"]


def audit(
    source: Any,
    query: Query,
    options: ReadOptions | None = None,
    *,
    everything: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Audit:
    """Compute again all bills that a query gives on a source and, for a ledger, all documents it has issued.

    With `everything`, large accounts are checked in full too, which takes time quadratic in the number
    of their events. `progress` is called with the number of events of each account that was checked.
    Raises what reading the source raises.
    """
    options = options or ReadOptions()
    checker = Checker(source, query, options)
    accounts = checker.events.accounts
    in_full = set(accounts) if everything else small_accounts(accounts)
    result = engine.answer(source, query, options)
    checker.audit.found = result.found
    rows: Sequence[Peak | Invoice] = result.peaks()
    if all(result.terms_of(row).plan for row in rows):
        rows = result.drafts()
    by_account: dict[str, list[StatedBill]] = {account: [] for account in accounts}
    for row in rows:
        bill = _bill_of(row, checker.with_policy(result.terms_of(row)))
        by_account.setdefault(bill.account_id, []).append(bill)
    for account, bills in by_account.items():
        if query.accounts and account not in query.accounts:
            continue
        check_bills(checker, account, bills, in_full=account in in_full)
        if progress:
            progress(accounts.get(account, 0))
    if isinstance(source, Ledger):
        check_issued(checker, source)
        checker.audit.findings += verify_ledger(source)
    return checker.audit


def audit_invoices(source: Any, invoices: Sequence[Any], query: Query, options: ReadOptions) -> Audit:
    """Compute invoices again, given as JSON, from a source and under the terms of a query.

    If the source is a ledger, each is compared with what the ledger held at the position it names.
    Without a plan in the terms, policy and cycle are taken from the invoice, and its prices are not
    checked. Raises one of `UNREADABLE` for what is not an invoice.
    """
    checker = Checker(source, query, options)
    check_given(checker, invoices)
    return checker.audit


def _bill_of(row: Peak | Invoice, terms: Terms) -> StatedBill:
    if isinstance(row, Peak):
        return StatedBill(ENGINE, row.account_id, row.start, row.end, row.peak, row.peak_at, None, terms)
    start, end = micros(row.cycle.start), micros(row.cycle.end)
    peak_at = None if row.peak_at is None else micros(row.peak_at)
    return StatedBill(ENGINE, row.account_id, start, end, row.peak, peak_at, row.total.amount, terms)
