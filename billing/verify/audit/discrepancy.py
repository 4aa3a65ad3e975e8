"""What somebody bills for a cycle, and where the definition gives another figure."""

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
from .events import event_content


@dataclass(frozen=True, slots=True)
class StatedBill:
    """The peak and the total that somebody states for a cycle; `by` names who.

    `total` includes what was billed for the cycle before. It is none where nobody states or checks it.
    """

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
    """A figure on which a bill and the definition differ.

    Where the engine is wrong, `events` are the fewest events found on which it still is, and `shown`
    its figure and the right one on these alone. Where an invoice is wrong, `events` are those that
    keep identities active at the peak by the definition, and `shown` is none.
    """

    bill: StatedBill
    figure: str
    stated: Any
    right: Any
    events: tuple[Event, ...] = ()
    shown: tuple[Any, Any] | None = None

    code = "bill_differs"

    def __str__(self) -> str:
        """The message, and the story of the events that show it."""
        bill = self.bill
        message = sentence(
            self.code,
            bill.by,
            figure=self.figure,
            said=figure_text(self.stated),
            right=figure_text(self.right),
            account=bill.account_id,
            start=text_of(bill.start),
            end=text_of(bill.end),
        )
        if not self.events:
            return f"{self.code}: {message}"
        windows = expected.windows_of(bill.terms.policy)
        listed = [f"    {line}" for line in story.list_events(self.events)]
        if self.shown is None:
            return "\n".join([f"{self.code}: {message}", "  Active at the peak, by the definition:", *listed])
        summary = story.narrate(self.events, (bill.start, bill.end), windows=windows)
        return "\n".join(
            [
                f"{self.code}: {message}",
                f"  It takes no more than {_counted(len(self.events), 'event')} to see it:",
                f"  {summary}: expected {figure_text(self.shown[1])}, got {figure_text(self.shown[0])}.",
                *listed,
            ]
        )

    def as_json(self) -> dict[str, Any]:
        """What differs, as JSON."""
        bill = self.bill
        return {
            "code": self.code,
            "by": bill.by,
            "account_id": bill.account_id,
            "cycle": bill.terms.cycles.at(moment(bill.start)).name,
            "cycle_start": text_of(bill.start),
            "cycle_end": text_of(bill.end),
            "figure": self.figure,
            "said": figure_text(self.stated),
            "right": figure_text(self.right),
            "events": [event_content(e) for e in self.events],
            "message": str(self),
        }


def moment_text(instant: int | None) -> str:
    """An instant as text; `none` if there is none."""
    return "none" if instant is None else text_of(instant)


def span_text(start: int, end: int) -> str:
    """A span as text."""
    return f"{text_of(start)} to {text_of(end)}"


def figure_text(figure: Any) -> str:
    """A figure as text."""
    return f"{figure:f}" if isinstance(figure, Decimal) else str(figure)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
