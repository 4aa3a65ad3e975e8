"""What to do about an error, in the words of the command line: options, commands and packages to install."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from ..core.errors import Rejection
    from ..ledger.verify import Finding

#: code -> what to do, where the command line has better words than `core.messages`.
REMEDIES: Final[Mapping[str, str]] = {
    "field_unknown": "Known fields: {known}. Or read with --ignore-extra.",
    "nothing_accepted": "Read why with: billing peaks SOURCE --rejections FILE.",
    "ledger_missing": "Check the name, or make one with: billing import SOURCE --ledger URL.",
    "ledger_needs_extra": "Install it with: pip install 'peak-billing[{extra}]'.",
    "number_unknown": "Numbers are listed by: billing statement --ledger URL.",
    "head_unreadable": "Write one down with: billing ledger head LEDGER --format json > head.json.",
    "terms_missing": "Give --terms or --plan; they are kept with the first invoices.",
    "terms_differ": (
        "Leave them out, or make them a new version: billing ledger terms LEDGER --terms FILE --from INSTANT."
    ),
    "terms_from_missing": "Say from when the new ones apply: --from 2026-03-01T00:00:00Z.",
    "not_settled": "Close it then, or give a shorter --grace-period.",
    "already_closed": "What came late is settled by: billing restate --ledger URL.",
    "invoice_unreadable": "Write it with: billing invoice SOURCE --format json.",
    "verify_missing": "Install it with: pip install 'peak-billing[verify]'.",
    "certificate_invalid": "Write one with: billing explain SOURCE --certificate, and keep it as it is.",
    "plan_missing": "Give --plan, or a plan in the terms file.",
    "account_needed": "Say which with --account: {known}.",
    "credits_not_weighed": "Compare: billing credits, for each of the sources.",
    "foreign_columns": (
        "Say which is which in a file, and give it with --mapping: account_id, cycle or cycle_start, "
        "quantity or amount."
    ),
    "accepted_invalid": "Each line is written by billing reconcile --accept.",
    "usage": "See billing --help.",
    "extra_missing": "Install it with: pip install 'peak-billing[{extra}]'.",
}


class Problem(Protocol):
    """An error, a rejection or a finding."""

    @property
    def code(self) -> str:
        """Which message it is."""

    @property
    def where(self) -> str:
        """The file, line or setting it is about."""

    @property
    def details(self) -> dict[str, Any]:
        """What fills in the message."""


def message(code: str, where: str = "", **details: Any) -> str:
    """The message of a code, as the command line words it."""
    from ..core.errors import sentence

    return sentence(code, where, remedies=REMEDIES, **details)


def line(code: str, where: str = "", **details: Any) -> str:
    """A message as it is printed, with its code in front."""
    return f"{code}: {message(code, where, **details)}"


def line_of(problem: Problem) -> str:
    """The line that reports a problem."""
    return line(problem.code, problem.where, **problem.details)


def rejection_json(rejection: Rejection) -> dict[str, Any]:
    """A rejection as JSON, in the words of the command line."""
    from ..core.errors import remedy

    expected = remedy(rejection.code, rejection.details, REMEDIES)
    return {**rejection.as_json(), "expected": expected, "message": _message_of(rejection)}


def finding_json(finding: Finding) -> dict[str, Any]:
    """A finding as JSON, in the words of the command line."""
    return {**finding.as_json(), "message": _message_of(finding)}


def _message_of(problem: Problem) -> str:
    return message(problem.code, problem.where, **problem.details)
