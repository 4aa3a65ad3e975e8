"""Everything that can be wrong with what we are given, and what we say about it.

    BillingError              what was asked cannot be answered
    +-- BadSource             a file or stream of events that cannot be used as a whole
    +-- Refused               a strict reading met a rejection
    +-- BadForeign            invoices of somebody else, or a mapping of them, that cannot be read
    +-- BadPlan               a plan that could not price every invoice rightly
    +-- BadTerms              a terms file that says something impossible
    +-- BadPolicy             an activity policy that says something impossible
    +-- BadCycle              a cycle, anchor, month or time zone that cannot be
    +-- UnknownAccount        an account that the source does not have
    +-- NotPriced             a quantity that the plan refuses
    +-- BadLedger             a ledger that cannot be used, or cannot do what was asked
    |   +-- StaleLedger       what was to be issued was drafted before something else came

A row that cannot be accepted is not an exception but a value, a `Rejection`. Both have a stable code, and
say where, what, why and what to do. The sentences stand in `messages`, with remedies that fit every interface;
`remedies` has those in Python's words, which `str()` uses.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from .messages import MESSAGES
from .remedies import REMEDIES

GOT_CHARACTERS_MAX: Final = 64


def quoted(value: object) -> str:
    """A value as it is shown in a message: quoted, escaped where it could deceive, cut to 64 characters.

    >>> quoted("a\\u202eb"), quoted(None), quoted(12)
    ('"a\\\\u202eb"', 'null', '12')
    """
    if not isinstance(value, str):
        return json.dumps(value, default=str)
    cut = value if len(value) <= GOT_CHARACTERS_MAX else value[: GOT_CHARACTERS_MAX - 1] + "…"
    return escaped(json.dumps(cut, ensure_ascii=False))


def escaped(text: str) -> str:
    """Text in which nothing hides: what does not show itself is written as its number."""
    return "".join(c if printable(c) else f"\\u{ord(c):04x}" for c in text)


def printable(character: str) -> bool:
    """Whether a character shows itself as what it is: no control, format or surrogate character."""
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def hint(value: str, known: list[str], *, wording: str = " (did you mean {}?)") -> str:
    """The nearest known name, as something to add to a message, or nothing.

    >>> hint("timestmap", ["occurred_at", "timestamp"])
    ' (did you mean timestamp?)'
    """
    near = get_close_matches(value, known)
    return wording.format(near[0]) if near else ""


def remedy(code: str, details: Mapping[str, Any], remedies: Mapping[str, str] = REMEDIES) -> str:
    """What to do about it: as `remedies` word it for an interface, else in words that fit all of them."""
    return remedies.get(code, MESSAGES[code][1]).format(**details)


def sentence(code: str, where: str = "", *, remedies: Mapping[str, str] = REMEDIES, **details: Any) -> str:
    """The message of a code: where, what and why, what to do. `remedies` are those of an interface, else of Python."""
    shown = {name: escaped(value) if isinstance(value, str) else value for name, value in details.items()}
    if "got" in details:
        shown["got"] = quoted(details["got"])
    what, todo = MESSAGES[code][0].format(**shown), remedy(code, shown, remedies)
    return f"{escaped(where)}: {what}. {todo}" if where else f"{what}. {todo}"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Input that could not be accepted: where it stands, what was got, and what to send instead.

    `line` is that of a text file, or the row (from 1) of columns; `details` fill in the sentence of
    the code. `str()` is the whole message.
    """

    code: str
    source: str
    line: int
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The place, as `events.csv:41`."""
        return f"{self.source}:{self.line}"

    @property
    def got(self) -> str:
        """What was received, escaped and cut."""
        return quoted(self.details.get("got"))

    @property
    def expected(self) -> str:
        """What to send instead."""
        return remedy(self.code, self.details)

    def __str__(self) -> str:
        return sentence(self.code, self.where, **self.details)

    def as_json(self) -> dict[str, str]:
        """`{code, where, got, expected}` for programs, with the message for people."""
        return {
            "code": self.code,
            "where": self.where,
            "got": self.got,
            "expected": self.expected,
            "message": str(self),
        }


class BillingError(Exception):
    """What was asked cannot be answered; the message says where, what, why and what to do."""

    def __init__(self, code: str, where: str = "", **details: Any) -> None:
        self.code = code
        self.where = where
        self.details = details
        super().__init__(sentence(code, where, **details))


class BadSource(BillingError):
    """A file or stream of events that cannot be used as a whole; nothing of it was."""


class Refused(BillingError):
    """A strict reading met a rejection, and refused the source."""

    def __init__(self, rejection: Rejection) -> None:
        self.rejection = rejection
        super().__init__(rejection.code, rejection.where, **rejection.details)


class BadForeign(BillingError, ValueError):
    """Invoices of somebody else, or a mapping of their columns, that cannot be read."""


class BadPlan(BillingError, ValueError):
    """A plan that could not price every invoice rightly."""


class BadTerms(BillingError, ValueError):
    """A terms file that says something impossible."""


class BadPolicy(BillingError, ValueError):
    """An activity policy that says something impossible."""


class BadCycle(BillingError, ValueError):
    """A cycle, anchor, month or time zone that cannot be."""


class UnknownAccount(BillingError, LookupError):
    """An account that the source does not have."""


class NotPriced(BillingError, ValueError):
    """A quantity that the plan refuses."""


class BadLedger(BillingError):
    """A ledger that cannot be used, or cannot do what was asked; nothing was changed."""


class StaleLedger(BadLedger):
    """What was to be issued was drafted before something else came; nothing was issued."""
