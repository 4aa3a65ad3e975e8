"""A few events in words, with the instants at which they meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ...core.cycle import text_of
from ..definition import DAY, WINDOWS, Event

_VERBS: Final = {
    "integration.connected": "connects",
    "action.called": "acts",
    "identity.deleted": "is deleted",
    "identity.created": "is created",
    "event.voided": "is corrected",
}
#: What to write of an event this near to the end of a window, in microseconds.
_BESIDE: Final = {-1: "a microsecond before", 0: "exactly when", 1: "a microsecond after"}
_WINDOWED: Final = {"integration.connected": "connect", "action.called": "action"}


def narrate(events: Sequence[Event], span: tuple[int, int], *, windows: Mapping[str, int] = WINDOWS) -> str:
    """What happened, in order of time, and how each event stands to the cycle and to the events before it.

    >>> from billing.verify.definition import DAY, Event
    >>> ada, bo = (Event("acme", name, "integration.connected", day * DAY) for name, day in (("ada", 0), ("bo", 5)))
    >>> narrate([ada, bo], (0, 31 * DAY))
    "ada connects as the cycle starts; bo connects exactly when the 5 days of ada's connect end"
    """
    if not events:
        return "nothing happens"
    order = sorted(range(len(events)), key=lambda k: events[k].occurred_at)  # ties in the order of arrival
    ordered = [events[k] for k in order]
    accounts = len({e.account_id for e in events}) > 1
    return "; ".join(
        f"{_name(events[k], accounts)} {_verb(events[k])}"
        f"{_again(events[k], events[:k]) or _meeting(events[k], ordered[:turn], span, windows)}"
        for turn, k in enumerate(order)
    )


def list_events(events: Sequence[Event]) -> list[str]:
    """The events as lines of a table, in their order of arrival."""
    rows = [
        (
            text_of(e.occurred_at),
            e.account_id,
            e.identity_id,
            e.type,
            e.event_id or "",
            e.identity_type or e.voids or "",
        )
        for e in events
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]  # none, where there are no rows
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _name(event: Event, accounts: bool) -> str:
    return f"{event.identity_id} of {event.account_id}" if accounts else event.identity_id


def _verb(event: Event) -> str:
    if event.type == "identity.created":
        return f"is created as {event.identity_type or 'engagement'}"
    return f"has {event.voids} voided" if event.type == "event.voided" else _VERBS[event.type]


def _again(event: Event, earlier: Sequence[Event]) -> str:
    """What to write of an event whose id has come before: with the same content, or with another."""
    for other in earlier:
        if event.event_id is not None and event.event_id == other.event_id:
            if event.account_id != other.account_id:
                return f", under an id that {other.account_id} uses too ({event.event_id})"
            return ", told again" if event == other else f", under the id of another event ({event.event_id})"
    return ""


def _meeting(event: Event, before: Sequence[Event], span: tuple[int, int], windows: Mapping[str, int]) -> str:
    """What an event meets: another event, else the end of a window, else a bound of the cycle."""
    for other in reversed(before):
        if event.occurred_at == other.occurred_at and event.type not in ("identity.created", "event.voided"):
            return f" at the instant {'it' if _same(event, other) else other.identity_id} {_verb(other)}"
        if other.type in windows:
            near = _BESIDE.get(event.occurred_at - other.occurred_at - windows[other.type])
            if near:
                return f" {near} {_ending(event, other, windows[other.type])}"
    return _in_cycle(event.occurred_at, span)


def _ending(event: Event, other: Event, window: int) -> str:
    possessive = "its" if _same(event, other) else f"{other.identity_id}'s"
    what = "the window of" if window % DAY else f"the {_length(window)} of"
    return f"{what} {possessive} {_WINDOWED[other.type]} {'ends' if window % DAY else 'end'}"


def _in_cycle(instant: int, span: tuple[int, int]) -> str:
    start, end = span
    at = {start: "as the cycle starts", end: "as the cycle ends", start - 1: "a microsecond before the cycle",
          end - 1: "in the last microsecond of the cycle"}  # fmt: skip
    if instant in at:
        return f" {at[instant]}"
    if start < instant < end:
        return f" {_length(instant - start)} into the cycle"
    return f" {_length(start - instant)} before the cycle" if instant < start else " after the cycle"


def _length(span: int) -> str:
    days, rest = divmod(span, DAY)
    if not days:
        return "less than a day"
    return f"{'more than ' if rest else ''}{days} {'day' if days == 1 else 'days'}"


def _same(event: Event, other: Event) -> bool:
    return (event.account_id, event.identity_id) == (other.account_id, other.identity_id)
