"""The differences of each account, with everything that may have happened to the identities they touch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.event import CREATED, IDENTITY_TYPES, VOIDED, Bool, Columns, Int64, Names
from .event_diff import IN_BOTH, NOT_COMPARED, Difference, Event, EventDiff, SourceEvents

#: The two sources, and what both of them have.
OURS: Final = 0
THEIRS: Final = 1
BOTH: Final = 2

#: The numbers of the differences that are adopted from the other source.
Adopted = frozenset[int]
_STANDARD: Final = IDENTITY_TYPES[1]


class _Presence(NamedTuple):
    """Which side has something, and the number of the difference by which the other side has not."""

    side: int
    number: int = IN_BOTH

    def holds(self, base: int, adopted: Adopted) -> bool:
        """True if it is there in `base` after some differences are adopted from the other source."""
        return self.side == BOTH or (self.side == base) != (self.number in adopted)


_EVERYWHERE: Final = _Presence(BOTH)


class PossibleEvent(NamedTuple):
    """An event of an identity that one source has or both have, with the presence of each void of it."""

    instant: int
    type: int
    standard: bool
    presence: _Presence
    voids: tuple[_Presence, ...]

    @property
    def numbers(self) -> Iterator[int]:
        """The numbers of the differences that it depends on."""
        return (presence.number for presence in (self.presence, *self.voids) if presence.side != BOTH)

    def happened(self, base: int, adopted: Adopted) -> bool:
        """True if it is there, and not voided."""
        return self.presence.holds(base, adopted) and not any(void.holds(base, adopted) for void in self.voids)


@dataclass(frozen=True)
class AccountDiff:
    """An account with differences, and their numbers.

    `columns` are the events of either source, in order of time; `counted` says which identities count in
    either source; `events` are all possible events of the identities that the differences touch.
    """

    name: str
    numbers: list[int]
    columns: tuple[Columns, Columns]
    counted: tuple[Bool, Bool]
    events: dict[int, list[PossibleEvent]]


def account_diffs(ours: SourceEvents, theirs: SourceEvents, diff: EventDiff, names: Names) -> Iterator[AccountDiff]:
    """The accounts that have differences, by name."""
    sides = _NumberedRows(ours, diff.our_numbers), _NumberedRows(theirs, diff.their_numbers)
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, difference in enumerate(diff.differences):
        numbers[difference.event.account_id].append(number)
    codes = {name: names.code_of(name) for name in numbers}
    events_of: dict[int, dict[int, list[PossibleEvent]]] = defaultdict(dict)
    for identity, events in _find_possible_events(sides, diff.differences, codes, len(names.account_of)).items():
        events_of[int(names.account_of[identity])][identity] = events
    columns = [rows.columns(sorted(codes.values())) for rows in sides]
    counted = [rows.counted(len(names.account_of)) for rows in sides]
    for name in sorted(codes):
        code = codes[name]
        both = columns[OURS][code], columns[THEIRS][code]
        yield AccountDiff(name, numbers[name], both, (counted[OURS], counted[THEIRS]), events_of[code])


@dataclass(frozen=True, slots=True)
class _NumberedRows:
    """The rows of one side, with the number of the difference that each belongs to."""

    source: SourceEvents
    numbers: Int64

    def columns(self, accounts: list[int]) -> dict[int, Columns]:
        """The events that happened in some accounts, given in order, in order of time."""
        batch = self.source.rows
        rows = np.flatnonzero(self.source.happened & (batch.types < CREATED) & np.isin(batch.accounts, accounts))
        rows = rows[np.lexsort((batch.instants[rows], batch.accounts[rows]))]
        everything = Columns(batch.identities[rows], batch.types[rows], batch.instants[rows])
        bounds = np.searchsorted(batch.accounts[rows], [*accounts, np.iinfo(np.int32).max]).tolist()
        return {code: everything.part(bounds[k], bounds[k + 1]) for k, code in enumerate(accounts)}

    def counted(self, identities: int) -> Bool:
        """Which identities count, as they are not standard ones."""
        batch = self.source.rows
        mask = np.ones(identities, np.bool_)
        mask[batch.identities[self.source.happened & (batch.types == CREATED) & (batch.standard == 1)]] = False
        return mask

    def select(self, mask: Bool) -> Iterator[_NumberedRow]:
        """The rows for which a mask is true, one by one."""
        rows = np.flatnonzero(mask)
        batch = self.source.rows
        columns = (batch.accounts, batch.identities, batch.types, batch.instants, batch.standard, self.numbers)
        texts = (self.source.column(field).take(pa.array(rows)).to_pylist() for field in ("event_id", "voids"))
        yield from map(_NumberedRow, *(column[rows].tolist() for column in columns), *texts)

    def with_ids(self, ids: Iterable[str | None]) -> Bool:
        """Which rows have one of these ids."""
        among = pc.is_in(self.source.column("event_id"), pa.array(list(ids), pa.large_string()))
        return np.asarray(among.to_numpy(zero_copy_only=False), np.bool_)


class _NumberedRow(NamedTuple):
    """One row, with the number of the difference that it belongs to."""

    account: int
    identity: int
    type: int
    instant: int
    standard: int
    number: int
    event_id: str | None
    voids: str | None


#: The presence of each void of an event, by the account and id of the event.
_Voids = dict[tuple[int, str | None], tuple[_Presence, ...]]


def _find_possible_events(
    sides: tuple[_NumberedRows, _NumberedRows],
    differences: Sequence[Difference],
    codes: dict[str, int],
    identities: int,
) -> dict[int, list[PossibleEvent]]:
    """For each identity whose activity may differ, all its possible events."""
    voids, targets = _find_voids(sides, differences)
    inert = np.array([_is_inert(d, codes[d.event.account_id], voids) for d in differences], np.bool_)
    touched = np.zeros(identities, np.bool_)
    for rows in sides:
        batch, differing = rows.source.rows, rows.numbers >= 0
        differing[differing] = ~inert[rows.numbers[differing]]
        touched[batch.identities[differing & (batch.types != VOIDED)]] = True
        for row in rows.select(rows.with_ids(id for _, id in targets)) if targets else ():
            if (row.account, row.event_id) in targets:
                touched[row.identity] = True
    events: dict[int, list[PossibleEvent]] = defaultdict(list)
    for side, rows in enumerate(sides):
        known = rows.numbers != NOT_COMPARED if side == OURS else rows.numbers >= 0  # what both have comes once
        for row in rows.select(known & touched[rows.source.rows.identities] & (rows.source.rows.types != VOIDED)):
            both = row.number == IN_BOTH or bool(inert[row.number])
            if not both or side == OURS:
                presence = _EVERYWHERE if both else _Presence(side, row.number)
                own = voids.get((row.account, row.event_id), ())
                events[row.identity].append(PossibleEvent(row.instant, row.type, row.standard == 1, presence, own))
    return events


def _find_voids(
    sides: tuple[_NumberedRows, _NumberedRows], differences: Sequence[Difference]
) -> tuple[_Voids, set[tuple[int, str | None]]]:
    """The voids of each event, and the events whose voids differ."""
    voids: _Voids = defaultdict(tuple)
    differing = set()
    for side, rows in enumerate(sides):
        known = rows.numbers != NOT_COMPARED if side == OURS else rows.numbers >= 0
        for row in rows.select(known & (rows.source.rows.types == VOIDED)):
            target = row.account, row.voids
            both = row.number == IN_BOTH or _is_same_void(differences[row.number])
            if not both:
                differing.add(target)
            if not both or side == OURS:
                voids[target] = (*voids[target], _EVERYWHERE if both else _Presence(side, row.number))
    return voids, differing


def _is_same_void(difference: Difference) -> bool:
    """True if both sources void the same event."""
    ours, theirs = difference.ours, difference.theirs
    return ours is not None and theirs is not None and ours.type == theirs.type and ours.voids == theirs.voids


def _is_inert(difference: Difference, account: int, voids: _Voids) -> bool:
    """True if a difference cannot change activity, as it is in fields that activity does not depend on."""
    ours, theirs = difference.ours, difference.theirs
    return (
        ours is not None
        and theirs is not None
        and _activity_fields(ours) == _activity_fields(theirs)
        and voids.get((account, ours.event_id), ()) == voids.get((account, theirs.event_id), ())
    )


def _activity_fields(event: Event) -> tuple[Any, ...]:
    return event.identity_id, event.type, event.occurred_at, event.identity_type == _STANDARD
