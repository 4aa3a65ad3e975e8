"""Claims: what somebody says of a cycle, and where the definition says something else."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ...core.cycle import moment, text_of
from ...core.errors import sentence
from ...core.terms import Terms
from ..attack import story
from ..definition import Event
from . import expected
from .events import written


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody says of a cycle: `by` names who. `total` is all that is owed for it, or none."""

    by: str
    account_id: str
    start: int
    end: int
    peak: int
    peak_at: int | None
    total: Decimal | None
    terms: Terms


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A figure on which a claim and the definition differ.

    `events` are the fewest found that show it, by the engine against the definition, with `said` and
    `right` for these alone; or, where an invoice says what no events show, those from which the
    definition has its figure.
    """

    claim: Claim
    figure: str
    said: Any
    right: Any
    events: tuple[Event, ...] = ()
    shown: tuple[Any, Any] | None = None

    code = "bill_differs"

    def __str__(self) -> str:
        """The message, and the story of the events that show it."""
        claim = self.claim
        message = sentence(
            self.code,
            claim.by,
            figure=self.figure,
            said=figure_text(self.said),
            right=figure_text(self.right),
            account=claim.account_id,
            start=text_of(claim.start),
            end=text_of(claim.end),
        )
        if not self.events:
            return f"{self.code}: {message}"
        windows = expected.windows_of(claim.terms.policy)
        listed = [f"    {line}" for line in story.listed(self.events)]
        if self.shown is None:
            return "\n".join([f"{self.code}: {message}", "  Active at the peak, by the definition:", *listed])
        told = story.told(self.events, (claim.start, claim.end), windows=windows)
        return "\n".join(
            [
                f"{self.code}: {message}",
                f"  It takes no more than {_counted(len(self.events), 'event')} to see it:",
                f"  {told}: expected {figure_text(self.shown[1])}, got {figure_text(self.shown[0])}.",
                *listed,
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """What differs, as programs read it."""
        claim = self.claim
        return {
            "code": self.code,
            "by": claim.by,
            "account_id": claim.account_id,
            "cycle": claim.terms.cycles.at(moment(claim.start)).name,
            "cycle_start": text_of(claim.start),
            "cycle_end": text_of(claim.end),
            "figure": self.figure,
            "said": figure_text(self.said),
            "right": figure_text(self.right),
            "events": [written(e) for e in self.events],
            "message": str(self),
        }


def moment_text(instant: int | None) -> str:
    """An instant in words, also one that there is not."""
    return "none" if instant is None else text_of(instant)


def span_text(start: int, end: int) -> str:
    """A span in words."""
    return f"{text_of(start)} to {text_of(end)}"


def figure_text(figure: Any) -> str:
    """A figure in words."""
    return f"{figure:f}" if isinstance(figure, Decimal) else str(figure)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
