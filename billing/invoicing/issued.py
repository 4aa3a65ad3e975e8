"""Exporting: what was issued, or would be, for the systems that finance works with.

From a ledger go the documents that were issued, as they were. From a file, which has none, go drafts,
and both formats show them as such.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .. import engine
from ..core.cycle import month_of
from ..core.errors import UnknownAccount, hint
from ..engine.query import Query
from ..inputs.rows import ReadOptions
from ..ledger.entry import ISSUED
from ..ledger.ledger import Ledger
from .billed_lines import Claim, claims
from .document import invoice_content


def issued(ledger: Ledger, query: Query, options: ReadOptions | None = None) -> list[Claim]:
    """What a ledger has issued for the cycles and accounts asked for, in the order of issue.

    Of the question only accounts and months count. Raises `UnknownAccount`, `BadCycle`, `BadLedger`.
    """
    position = engine.position_of(ledger, options or ReadOptions())
    present = ledger.accounts()
    for account_id in query.accounts:
        if account_id not in present:
            raise UnknownAccount("account_unknown", got=account_id, hint=hint(account_id, present))
    first, last = (None if month is None else month_of(month) for month in (query.first, query.last))

    def asked_for(said: dict[str, Any]) -> bool:
        month = month_of(said["cycle"])
        return (
            (not query.accounts or said["account_id"] in query.accounts)
            and (first is None or month >= first)
            and (last is None or month <= last)
        )

    found = (json.loads(document.content) for document in ledger.documents(*ISSUED, position=position))
    return claims(said for said in found if asked_for(said))


def drafted(result: engine.Result) -> list[Claim]:
    """What a source would be billed: drafts, without number and date. Raises `BadPlan`, `NotPriced`."""

    def told() -> Iterator[dict[str, Any]]:
        for draft in result.drafts():
            yield invoice_content(draft) | {"kind": "draft", "cycle": draft.cycle.name}

    return claims(told())
