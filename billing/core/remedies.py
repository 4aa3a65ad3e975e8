"""What to do about an error, in the words of the Python interface: what `str(error)` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: code -> what to do, where Python has better words than `messages`.
REMEDIES: Final[Mapping[str, str]] = {
    "field_unknown": "Known fields: {known}. Or read with ignore_extra=True.",
    "nothing_accepted": "Read why with: billing.read(source).rejections.",
    "ledger_missing": "Check the name, or create one with: billing.open_ledger(url).",
    "number_unknown": "Numbers are listed by: billing.statement(ledger).",
    "terms_differ": (
        "Leave them out, or make them a new version: billing.add_terms(ledger, terms, applies_from=datetime)."
    ),
    "terms_from_missing": "Say from when the new ones apply: applies_from=datetime(2026, 3, 1, tzinfo=UTC).",
    "account_needed": "Say which with account_id: {known}.",
    "already_closed": "What came late is settled by: billing.restate(ledger).",
    "credits_not_weighed": "Compare the credits of both sources: billing.credits(source).",
}
