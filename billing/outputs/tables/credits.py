"""Credits as a table and as a document."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from ...core.catalogue import WIDE
from ...core.usage import Credits, CreditsTotal
from .bills import cycle_of
from .schema import Column, Row, Schema, View, code, cycle_columns, decimal, integer, text
from .text import json_row, json_rows

_SUMS: Final = (Column("credits", decimal), Column("on_standard", decimal), Column("saved", decimal))
CREDITS: Final = Schema(
    "credits",
    (
        Column("account_id", text),
        *cycle_columns(),
        Column("action", text, null=True),
        Column("identity_type", code),
        Column("calls", integer),
        Column("results", integer),
        *_SUMS,
    ),
)
_TOTAL: Final = Schema(
    "credits in all", (Column("calls", integer), Column("unnamed", integer), Column("results", integer), *_SUMS)
)


def credits(rows: Iterable[Credits]) -> View:
    """The calls of each account, cycle, action and type of identity, and what they cost in credits."""
    return View(
        CREDITS,
        [
            {
                "account_id": of.account_id,
                **cycle_of(of.cycle),
                "action": of.action,
                "identity_type": of.identity_type,
                "calls": of.calls,
                "results": of.results,
                **_sums(of),
            }
            for of in rows
        ],
    )


def document(rows: Iterable[Credits], accounts: Iterable[CreditsTotal], total: CreditsTotal) -> dict[str, Any]:
    """All credits as one document: by cycle and action, by account, and in all."""
    return {
        "cycles": json_rows(credits(rows)),
        "accounts": [{"account_id": each.account_id, **json_row(_TOTAL, _total(each))} for each in accounts],
        "total": json_row(_TOTAL, _total(total)),
    }


def _total(of: CreditsTotal) -> Row:
    return {"calls": of.calls, "unnamed": of.unnamed, "results": of.results, **_sums(of)}


def _sums(of: Credits | CreditsTotal) -> dict[str, Decimal]:
    return {column.name: plain(getattr(of, column.name)) for column in _SUMS}


def plain(number: Decimal) -> Decimal:
    """A decimal without needless zeros, also before the point.

    >>> str(plain(Decimal("150.00"))), str(plain(Decimal("0.050")))
    ('150', '0.05')
    """
    return Decimal(f"{number.normalize(WIDE):f}")
