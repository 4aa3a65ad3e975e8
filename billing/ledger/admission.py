"""Admission: what becomes of each event that is appended to a ledger, in order.

An event whose id is new in its account becomes an entry. With an id that is known and the same
content it is a duplicate, with other content a conflict. Whether events come one by one or in
batches of any size makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..core.cycle import text_of
from ..core.errors import Rejection, quoted
from ..core.event import CONTENT, CREATED

Content = tuple[Any, ...]
Place = tuple[str, int]

_ACCOUNT = CONTENT.index("account_id")
_IDENTITY = CONTENT.index("identity_id")
_TYPE = CONTENT.index("type")
_EVENT_ID = CONTENT.index("event_id")
_IDENTITY_TYPE = CONTENT.index("identity_type")
_VOIDS = CONTENT.index("voids")


class EntryLookup(Protocol):
    """Look-ups in the entries that the ledger has already."""

    def position(self, account_id: str, event_id: str) -> int | None:
        """The position of the entry with this id, if there is one."""

    def content(self, position: int) -> Content:
        """What the entry at a position says."""

    def creations(self, account_id: str, identity_id: str) -> list[tuple[int, str, str]]:
        """The position, event id and identity type of each `identity.created` of an identity."""

    def voided(self, account_id: str, event_id: str) -> bool:
        """Whether an `event.voided` names this event."""

    def conflict(self, content: dict[str, Any]) -> bool:
        """Whether this conflict is in the ledger already."""


class Conflict(NamedTuple):
    """A conflict to be recorded: the event, and what it contradicts."""

    position: int
    recorded_at: int
    account_id: str
    content: dict[str, Any]


@dataclass(slots=True)
class Decision:
    """What becomes of some events: the rows that become entries, with their positions, and the others.

    The positions of `conflicts` lie among those of the entries.
    """

    accepted: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    duplicates: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


def accept_all(
    contents: Sequence[Content],
    types: NDArray[np.int8],
    times: pa.Array,
    stored: Sequence[int | None],
    position: int,
    recorded_at: int,
    future: int,
) -> Decision | None:
    """The decision where all events are accepted, which is the usual case; the same as `decide` would make.

    None where some event has an id that is known or missing, is a creation or a void, or has a
    `recorded_at` that goes back or lies ahead.
    """
    ordinary = (
        stored.count(None) == len(stored)
        and not (types >= CREATED).any()
        and not times.null_count
        and len({(content[_ACCOUNT], content[_EVENT_ID]) for content in contents}) == len(contents)
        and all(content[_EVENT_ID] is not None for content in contents)
    )
    if not ordinary:
        return None
    when = times.to_numpy()
    if len(when) and (when[0] < recorded_at or when.max() > future or (when[1:] < when[:-1]).any()):
        return None
    return Decision(list(range(len(contents))), list(range(position + 1, position + 1 + len(contents))))


def decide(
    contents: Sequence[Content],
    recorded: Sequence[int | None],
    stored: Sequence[int | None],
    place_of: Callable[[int], Place],
    known: EntryLookup,
    *,
    position: int,
    recorded_at: int,
    future: int,
) -> Decision:
    """What becomes of each event, after the position and the time of the last thing in the ledger.

    `contents` are tuples as `event.CONTENT`, `recorded` is when each was recorded (microseconds), `stored`
    the position of the entry that has its id, and `place_of(k)` where event `k` stands in its source. An
    event recorded later than `future` comes from a wrong clock, and would make all later ones go back.
    """
    admission = _Admission(contents, known, position, recorded_at, future)
    decision = Decision()
    for k, content in enumerate(contents):
        verdict = admission.judge(k, content, recorded[k], stored[k])
        if verdict is None:
            decision.accepted.append(k)
            decision.positions.append(admission.position)
        elif verdict == DUPLICATE:
            decision.duplicates += 1
        else:
            code, details = verdict
            decision.rejections.append(Rejection(code, *place_of(k), details))
    decision.conflicts = admission.conflicts
    return decision


Verdict = tuple[str, dict[str, Any]]
DUPLICATE: Final[Verdict] = ("duplicate", {})


class _Admission:
    """The events of one batch that were accepted so far, beside the entries of the ledger."""

    def __init__(
        self, contents: Sequence[Content], known: EntryLookup, position: int, recorded_at: int, future: int
    ) -> None:
        self.position = position
        self.conflicts: list[Conflict] = []
        self._contents = contents
        self._known = known
        self._recorded_at = recorded_at
        self._future = future
        self._rows: dict[tuple[str, str], tuple[int, int]] = {}  # account and event id -> row and position
        self._created: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
        self._voided: set[tuple[str, str]] = set()

    def judge(self, k: int, content: Content, when: int | None, stored: int | None) -> Verdict | None:
        """Why the event does not become an entry; none if it does, at the next position."""
        key = content[_ACCOUNT], content[_EVENT_ID]
        if key[1] is None:
            return "event_id_missing", {"field": "event_id"}
        if stored is not None or key in self._rows:
            return self._repeated(content, when, stored)
        if (fault := self._check_time(when)) is not None:
            return fault
        if content[_TYPE] == "event.voided":
            if self._aims_at_void(key, content[_VOIDS]):
                return "void_of_void", {"field": "voids", "got": content[_VOIDS]}
            self._voided.add((key[0], content[_VOIDS]))
        elif content[_TYPE] == "identity.created":
            if (standing := self._standing_type(content)) is not None:
                return self._retyped(content, when, *standing)
            created = self._created.setdefault((key[0], content[_IDENTITY]), [])
            created.append((self.position + 1, key[1], content[_IDENTITY_TYPE]))
        self.position += 1
        self._recorded_at = when or 0
        self._rows[key] = k, self.position
        return None

    def _repeated(self, content: Content, when: int | None, stored: int | None) -> Verdict:
        row, first = (None, stored) if stored is not None else self._rows[content[_ACCOUNT], content[_EVENT_ID]]
        other = self._known.content(stored or 0) if row is None else self._contents[row]
        if other == content:
            return DUPLICATE
        differs = next(name for name, ours, theirs in zip(CONTENT, content, other, strict=True) if ours != theirs)
        place = self._note_conflict(content, when, differs, first or 0)
        return "id_conflict", {"field": "event_id", "got": content[_EVENT_ID], "first": place, "differs": differs}

    def _retyped(self, content: Content, when: int | None, first: int, identity_type: str) -> Verdict:
        return "identity_type_conflict", {
            "field": "identity_type",
            "got": content[_IDENTITY_TYPE],
            "first": self._note_conflict(content, when, "identity_type", first),
            "identity": quoted(content[_IDENTITY]),
            "differs": identity_type,
        }

    def _note_conflict(self, content: Content, when: int | None, differs: str, first: int) -> str:
        """Record a conflict, once however often it is sent, and say where the first of the two stands."""
        conflict = {"event": dict(zip(CONTENT, content, strict=True)), "differs": differs, "position": first}
        if not self._known.conflict(conflict) and all(conflict != other.content for other in self.conflicts):
            self.position += 1
            if self._check_time(when) is None:
                self._recorded_at = when or 0
            self.conflicts.append(Conflict(self.position, self._recorded_at, content[_ACCOUNT], conflict))
        return f"position {first:,}"

    def _check_time(self, when: int | None) -> Verdict | None:
        if when is None:
            return "recorded_at_missing", {"field": "recorded_at"}
        if self._recorded_at <= when <= self._future:
            return None
        got = {"field": "recorded_at", "got": text_of(when)}
        if when > self._future:
            return "recorded_at_future", got
        return "recorded_at_backwards", got | {"last": text_of(self._recorded_at)}

    def _aims_at_void(self, key: tuple[str, str], target: str) -> bool:
        if target == key[1]:
            return True
        if (row := self._rows.get((key[0], target))) is not None:
            return bool(self._contents[row[0]][_TYPE] == "event.voided")
        at = self._known.position(key[0], target)
        return at is not None and self._known.content(at)[_TYPE] == "event.voided"

    def _standing_type(self, content: Content) -> tuple[int, str] | None:
        """The position of the standing `identity.created` with another type, and that type."""
        account, identity = content[_ACCOUNT], content[_IDENTITY]
        if self._is_voided(account, content[_EVENT_ID]):  # it never happened, so it contradicts nothing
            return None
        creations = [*self._known.creations(account, identity), *self._created.get((account, identity), [])]
        for position, event_id, identity_type in creations:
            if identity_type != content[_IDENTITY_TYPE] and not self._is_voided(account, event_id):
                return position, identity_type
        return None

    def _is_voided(self, account: str, event_id: str) -> bool:
        return (account, event_id) in self._voided or self._known.voided(account, event_id)
