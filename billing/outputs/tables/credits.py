"""What goes out to programs about credits, exact to the byte."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from ...core.catalogue import WIDE
from ...core.cycle import micros, text_of
from ...core.usage import Credits, CreditsTotal

CREDITS_COLUMNS: Final = (
    "account_id",
    "cycle_start",
    "cycle_end",
    "action",
    "identity_type",
    "calls",
    "results",
    "credits",
    "on_standard",
    "saved",
)


def crediting(rows: Iterable[Credits], accounts: Iterable[CreditsTotal], total: CreditsTotal) -> dict[str, Any]:
    """All credits as programs read them: by cycle and action, by account, and in all."""
    return {
        "cycles": [row(each) for each in rows],
        "accounts": [{"account_id": each.account_id, **_sum(each)} for each in accounts],
        "total": _sum(total),
    }


def row(of: Credits) -> dict[str, Any]:
    """The calls of an action as a row of a table; credits are text, since they may be fractions."""
    return {
        "account_id": of.account_id,
        "cycle_start": text_of(micros(of.cycle.start)),
        "cycle_end": text_of(micros(of.cycle.end)),
        "action": of.action,
        "identity_type": of.identity_type,
        "calls": of.calls,
        "results": of.results,
        **_credits(of),
    }


def _sum(of: CreditsTotal) -> dict[str, Any]:
    return {"calls": of.calls, "unnamed": of.unnamed, "results": of.results, **_credits(of)}


def _credits(of: Credits | CreditsTotal) -> dict[str, str]:
    return {"credits": plain(of.credits), "on_standard": plain(of.on_standard), "saved": plain(of.saved)}


def plain(number: Decimal) -> str:
    """A decimal without needless zeros.

    >>> plain(Decimal("150.00")), plain(Decimal("0.050"))
    ('150', '0.05')
    """
    return f"{number.normalize(WIDE):f}"
