"""The event diff: the events of two sources compared, and how they differ.

Events with ids are the same event if account and id are the same. If an account has events without ids
in one of the sources, its events are compared by content: identity, type and instant.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.event import CONTENT, DAY, DETAILS, Batch, Bool, Int64, Names

Index = NDArray[np.intp]

#: `missing`: only ours has it; `extra`: only theirs has it; `conflicting`: one id, two contents;
#: `shifted`: the same but for the instant; `renamed`: the same but for the id.
Kind = Literal["missing", "extra", "conflicting", "shifted", "renamed"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

#: In place of the number of a difference: both sources have the event; or it is not compared.
IN_BOTH: Final = -1
NOT_COMPARED: Final = -2
#: The key of a row that is not compared.
_NO_KEY: Final = -1


@dataclass(frozen=True, slots=True)
class Event:
    """An event as a source has it.

    `occurred_at` is microseconds. Fields that the source does not have for an event are none.
    """

    account_id: str
    identity_id: str
    type: str
    occurred_at: int
    event_id: str | None = None
    identity_type: str | None = None
    action: str | None = None
    results: int | None = None
    mode: str | None = None
    voids: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """An event on which two sources differ: as ours has it, and as theirs has it.

    `field` names the first field in which a `conflicting` one differs.
    """

    kind: Kind
    ours: Event | None
    theirs: Event | None
    field: str | None = None

    def __post_init__(self) -> None:
        both = self.ours is not None and self.theirs is not None
        assert both == (self.kind not in ("missing", "extra")), "an event of one source alone is missing or extra"

    @property
    def event(self) -> Event:
        """The event as ours has it, or as theirs has it if ours does not."""
        event = self.ours or self.theirs
        assert event is not None, "one of the two sources has it"
        return event

    @property
    def shift(self) -> int:
        """How much later it occurred in theirs than in ours, in microseconds."""
        return self.theirs.occurred_at - self.ours.occurred_at if self.ours and self.theirs else 0


@dataclass(frozen=True, slots=True)
class SourceEvents:
    """One of two sources: its accepted events, and which of them happened.

    Both sources share the codes of their names. An event that did not happen is a void, or was voided.
    """

    rows: Batch
    happened: Bool

    def __post_init__(self) -> None:
        assert len(self.rows) == len(self.happened), "`happened` has an entry for each row"

    def column(self, field: str) -> pa.Array:
        """The column of an optional field; all null where the source has no such column."""
        column = self.rows.content.get(field)
        if column is None:
            return pa.nulls(len(self.rows), pa.int64() if field == "results" else pa.large_string())
        return column if field == "results" else column.cast(pa.large_string())

    def select(self, mask: Bool) -> SourceEvents:
        """The rows for which `mask` is true."""
        return SourceEvents(self.rows.take(np.flatnonzero(mask)), self.happened[mask])

    def events(self, rows: Sequence[int] | Index, names: Names) -> list[Event]:
        """The events of some rows."""
        columns = self.rows.take(np.asarray(rows, np.intp)).contents(names)
        return [Event(*values) for values in zip(*(column.to_pylist() for column in columns), strict=True)]


@dataclass(frozen=True, slots=True)
class EventDiff:
    """The differences between the events of two sources, and the difference that each row belongs to.

    `differences` are in order of account, then of instant. `our_numbers` and `their_numbers` (int64, one
    for each row of a source) are positions of differences, `IN_BOTH` for an event that both have,
    `NOT_COMPARED` for one that is not compared. `by_content` are the accounts that have events without id.
    """

    differences: tuple[Difference, ...]
    our_numbers: Int64
    their_numbers: Int64
    by_content: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A difference with the keys of its rows; none where a source does not have it."""

    difference: Difference
    ours: int | None
    theirs: int | None


def diff_events(ours: SourceEvents, theirs: SourceEvents, names: Names, *, tolerance: int = DAY) -> EventDiff:
    """Compare the events of two sources.

    Without ids, a missing and an extra event of one identity and type count as one shifted event if they
    are at most `tolerance` (microseconds) apart; the nearest are paired first.
    """
    by_id = ~(_accounts_without_ids(ours, len(names.accounts)) | _accounts_without_ids(theirs, len(names.accounts)))
    keys = _compute_keys(ours, theirs, by_id)
    (own, own_rows), (other, other_rows) = (_first_rows(each) for each in keys)
    common, at_own, at_other = np.intersect1d(own, other, assume_unique=True, return_indices=True)
    named = common >= 0  # without ids, the same key is the same content
    pairs = _find_changed(ours, own_rows[at_own][named], theirs, other_rows[at_other][named], names, common[named])
    missing = _events_of_one_side(own, own_rows, at_own, ours, names)
    extra = _events_of_one_side(other, other_rows, at_other, theirs, names)
    pairs += _pair_renamed(missing, extra)
    pairs += _pair_shifted(missing, extra, tolerance)
    pairs += [_Pair(Difference("missing", event, None), key, None) for key, event in missing.items()]
    pairs += [_Pair(Difference("extra", None, event), None, key) for key, event in extra.items()]
    pairs.sort(key=lambda pair: _sort_key(pair.difference))
    return EventDiff(
        tuple(pair.difference for pair in pairs),
        _number_rows(keys[0], {pair.ours: k for k, pair in enumerate(pairs) if pair.ours is not None}),
        _number_rows(keys[1], {pair.theirs: k for k, pair in enumerate(pairs) if pair.theirs is not None}),
        tuple(sorted(name for name, whole in zip(names.account_names, by_id, strict=True) if not whole)),
    )


def _sort_key(difference: Difference) -> tuple[Any, ...]:
    event = difference.event
    return event.account_id, event.occurred_at, event.identity_id, event.event_id or "", event.type, difference.kind


def _accounts_without_ids(source: SourceEvents, accounts: int) -> Bool:
    """The accounts that have an event without id."""
    unnamed = source.column("event_id").is_null().to_numpy(zero_copy_only=False)
    return np.bincount(source.rows.accounts[unnamed], minlength=accounts) > 0


def _compute_keys(ours: SourceEvents, theirs: SourceEvents, by_id: Bool) -> tuple[Int64, Int64]:
    """An integer for each row of both sources, equal for the same event.

    One that stands for account and id is not negative; one that stands for the content is below `_NO_KEY`.
    """
    accounts, identities, types, instants, standard = (
        np.concatenate([getattr(side.rows, column) for side in (ours, theirs)])
        for column in ("accounts", "identities", "types", "instants", "standard")
    )
    named = by_id[accounts]
    keys = np.full(len(accounts), _NO_KEY, np.int64)
    ids = pa.concat_arrays([ours.column("event_id"), theirs.column("event_id")])
    codes = ids.dictionary_encode().indices.fill_null(0).to_numpy()
    keys[named] = accounts[named].astype(np.int64) << 32 | codes[named]
    rows = np.flatnonzero(~named & np.concatenate([ours.happened, theirs.happened]))
    content = identities[rows].astype(np.int64) << 4 | types[rows].astype(np.int64) << 1 | standard[rows]
    order = np.lexsort((instants[rows], content))
    changes = np.ones(len(rows), np.int64)
    changes[1:] = (np.diff(content[order]) != 0) | (np.diff(instants[rows][order]) != 0)
    keys[rows[order]] = _NO_KEY - np.cumsum(changes)
    return keys[: len(ours.rows)], keys[len(ours.rows) :]


def _first_rows(keys: Int64) -> tuple[Int64, Index]:
    """Each key once, with its first row."""
    unique, rows = np.unique(keys, return_index=True)
    compared = unique != _NO_KEY
    return unique[compared], rows[compared]


def _events_of_one_side(
    keys: Int64, rows: Index, common: Index, source: SourceEvents, names: Names
) -> dict[int, Event]:
    """The events of a source by key, without those at the positions `common`, which both sources have."""
    alone = np.ones(len(keys), np.bool_)
    alone[common] = False
    return dict(zip(keys[alone].tolist(), source.events(rows[alone], names), strict=True))


def _number_rows(keys: Int64, number_of: dict[int, int]) -> Int64:
    """The number of the difference that each row belongs to, given the number of each differing key."""
    differing = np.array([*sorted(number_of), np.iinfo(np.int64).max])
    positions = np.searchsorted(differing, keys)
    numbers = np.array([number_of[key] for key in differing[:-1].tolist()] + [IN_BOTH])
    return np.where(keys == _NO_KEY, NOT_COMPARED, np.where(differing[positions] == keys, numbers[positions], IN_BOTH))


def _find_changed(
    ours: SourceEvents, own: Index, theirs: SourceEvents, other: Index, names: Names, keys: Int64
) -> list[_Pair]:
    """The events that have the same id and different contents."""
    first = np.full(len(own), "", object)
    several = np.zeros(len(own), np.bool_)
    for field in CONTENT:
        if field not in ("account_id", "event_id"):
            differs = _compare_field(field, ours, own, theirs, other)
            several |= differs & (first != "")
            first[differs & (first == "")] = field
    changed = np.flatnonzero(first != "")
    events = zip(ours.events(own[changed], names), theirs.events(other[changed], names), strict=True)
    pairs = []
    for k, (mine, foreign) in zip(changed.tolist(), events, strict=True):
        shifted = first[k] == "occurred_at" and not several[k]
        difference = (
            Difference("shifted", mine, foreign) if shifted else Difference("conflicting", mine, foreign, str(first[k]))
        )
        pairs.append(_Pair(difference, int(keys[k]), int(keys[k])))
    return pairs


def _compare_field(field: str, ours: SourceEvents, own: Index, theirs: SourceEvents, other: Index) -> Bool:
    columns = {"identity_id": "identities", "type": "types", "occurred_at": "instants"}
    if field in columns:
        mine, foreign = (getattr(side.rows, columns[field]) for side in (ours, theirs))
        return np.asarray(mine[own] != foreign[other])
    assert field in DETAILS, "every field of an event is compared"
    a, b = ours.column(field).take(pa.array(own)), theirs.column(field).take(pa.array(other))
    same = pc.or_(pc.equal(a, b).fill_null(False), pc.and_(a.is_null(), b.is_null()))
    return ~np.asarray(same.to_numpy(zero_copy_only=False), np.bool_)


def _pair_renamed(missing: dict[int, Event], extra: dict[int, Event]) -> list[_Pair]:
    """Pair events that have the same content under different ids, and remove them from both."""
    alike: dict[Event, list[int]] = defaultdict(list)
    for key in sorted((key for key in missing if key >= 0), key=lambda key: missing[key].event_id or "", reverse=True):
        alike[replace(missing[key], event_id=None)].append(key)
    pairs = []
    for theirs in sorted((key for key in extra if key >= 0), key=lambda key: extra[key].event_id or ""):
        if keys := alike.get(replace(extra[theirs], event_id=None)):
            ours = keys.pop()
            pairs.append(_Pair(Difference("renamed", missing.pop(ours), extra.pop(theirs)), ours, theirs))
    return pairs


def _pair_shifted(missing: dict[int, Event], extra: dict[int, Event], tolerance: int) -> list[_Pair]:
    """Pair events without ids that differ only in the instant, and remove them from both."""
    groups: dict[tuple[Any, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, events in enumerate((missing, extra)):
        for key, event in events.items():
            if key < 0:
                what = event.account_id, event.identity_id, event.type, event.identity_type
                groups[what][side].append(key)
    pairs = []
    for own, other in groups.values():
        instants = [missing[key].occurred_at for key in own], [extra[key].occurred_at for key in other]
        for k, j in pair_nearest(*instants, tolerance=tolerance):
            ours, theirs = own[k], other[j]
            pairs.append(_Pair(Difference("shifted", missing.pop(ours), extra.pop(theirs)), ours, theirs))
    return pairs


def pair_nearest(ours: Sequence[int], theirs: Sequence[int], *, tolerance: int) -> list[tuple[int, int]]:
    """Pair instants of two sources that are at most `tolerance` apart, the nearest first; by position.

    >>> pair_nearest([0, 20], [21, 90], tolerance=30)
    [(1, 0)]
    """
    line = sorted([(at, 0, k) for k, at in enumerate(ours)] + [(at, 1, k) for k, at in enumerate(theirs)])
    # The nearest two are always neighbours; once they are removed, others become neighbours.
    before, after = list(range(-1, len(line))), list(range(1, len(line) + 2))
    candidates: list[tuple[int, int, int]] = []

    def add_neighbours(left: int, right: int) -> None:
        if left >= 0 and right < len(line) and line[left][1] != line[right][1]:
            gap = line[right][0] - line[left][0]
            if gap <= tolerance:
                heapq.heappush(candidates, (gap, left, right))

    for k in range(len(line) - 1):
        add_neighbours(k, k + 1)
    paired: set[int] = set()
    pairs = []
    while candidates:
        _, left, right = heapq.heappop(candidates)
        if left in paired or right in paired:
            continue
        paired |= {left, right}
        one, other = sorted((line[left][1:], line[right][1:]))
        pairs.append((one[1], other[1]))
        outer_left, outer_right = before[left], after[right]
        if outer_left >= 0:
            after[outer_left] = outer_right
        before[outer_right] = outer_left
        add_neighbours(outer_left, outer_right)
    return pairs
