"""Alignment: the events of two sources held against each other, and what differs.

Events that have ids are the same event where account and id are the same. Where an account has
events without ids in one of the sources, what happened to it is compared as a set of contents:
identity, type and instant.
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

#: In place of the number of a difference: both sources have the event; it is not compared.
SAME: Final = -1
APART: Final = -2
#: The key of what is not compared.
_UNCOMPARED: Final = -1


@dataclass(frozen=True, slots=True)
class Event:
    """An event as a source tells it.

    `occurred_at` is microseconds. `event_id`, and what only some events carry, is none where the
    source does not say it.
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
        assert both == (self.kind not in ("missing", "extra")), "only what both have differs in something else"

    @property
    def event(self) -> Event:
        """The event as ours has it; as theirs has it, where ours has not."""
        event = self.ours or self.theirs
        assert event is not None, "one of the two has it"
        return event

    @property
    def shift(self) -> int:
        """How much later it occurred by theirs than by ours, in microseconds."""
        return self.theirs.occurred_at - self.ours.occurred_at if self.ours and self.theirs else 0


@dataclass(frozen=True, slots=True)
class Side:
    """One of two sources: its accepted events, and which of them happened.

    Both sources of an alignment share the codes of their names. What never happened is a void, or
    was voided.
    """

    rows: Batch
    happened: Bool

    def __post_init__(self) -> None:
        assert len(self.rows) == len(self.happened), "one for each row"

    def text(self, field: str) -> pa.Array:
        """A column of what events carry besides, none where the source has no such column."""
        column = self.rows.content.get(field)
        if column is None:
            return pa.nulls(len(self.rows), pa.int64() if field == "results" else pa.large_string())
        return column if field == "results" else column.cast(pa.large_string())

    def where(self, mask: Bool) -> Side:
        """The rows for which `mask` is true."""
        return Side(self.rows.take(np.flatnonzero(mask)), self.happened[mask])

    def events(self, rows: Sequence[int] | Index, names: Names) -> list[Event]:
        """What these rows say."""
        columns = self.rows.take(np.asarray(rows, np.intp)).contents(names)
        return [Event(*values) for values in zip(*(column.to_pylist() for column in columns), strict=True)]


@dataclass(frozen=True, slots=True)
class Aligned:
    """Two sources held against each other: what differs, and to which difference each row belongs.

    `differences` go by account, then by instant. `ours_of` and `theirs_of` (int64, one for each row
    of a side) are numbers of differences, `SAME` for what both have, `APART` for what is not
    compared. `by_content` are the accounts of which some events have no id.
    """

    differences: tuple[Difference, ...]
    ours_of: Int64
    theirs_of: Int64
    by_content: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A difference in the making: the keys of its rows, none where a source has none."""

    difference: Difference
    ours: int | None
    theirs: int | None


def align(ours: Side, theirs: Side, names: Names, *, tolerance: int = DAY) -> Aligned:
    """Hold the events of two sources against each other.

    Without ids, a missing and an extra event of one identity and type are one that was shifted if
    they are at most `tolerance` (microseconds) apart; those nearest to each other are paired first.
    """
    by_id = ~(_nameless(ours, len(names.accounts)) | _nameless(theirs, len(names.accounts)))
    keys = _keys(ours, theirs, by_id)
    (own, own_rows), (other, other_rows) = (_firsts(each) for each in keys)
    common, at_own, at_other = np.intersect1d(own, other, assume_unique=True, return_indices=True)
    named = common >= 0  # without ids, the same key is the same content
    pairs = _changed(ours, own_rows[at_own][named], theirs, other_rows[at_other][named], names, common[named])
    missing = _without(own, own_rows, at_own, ours, names)
    extra = _without(other, other_rows, at_other, theirs, names)
    pairs += _renamed(missing, extra)
    pairs += _shifted(missing, extra, tolerance)
    pairs += [_Pair(Difference("missing", event, None), key, None) for key, event in missing.items()]
    pairs += [_Pair(Difference("extra", None, event), None, key) for key, event in extra.items()]
    pairs.sort(key=lambda pair: _order(pair.difference))
    return Aligned(
        tuple(pair.difference for pair in pairs),
        _numbers(keys[0], {pair.ours: k for k, pair in enumerate(pairs) if pair.ours is not None}),
        _numbers(keys[1], {pair.theirs: k for k, pair in enumerate(pairs) if pair.theirs is not None}),
        tuple(sorted(name for name, whole in zip(names.account_names, by_id, strict=True) if not whole)),
    )


def _order(of: Difference) -> tuple[Any, ...]:
    event = of.event
    return event.account_id, event.occurred_at, event.identity_id, event.event_id or "", event.type, of.kind


def _nameless(side: Side, accounts: int) -> Bool:
    """The accounts of which some event has no id."""
    unnamed = side.text("event_id").is_null().to_numpy(zero_copy_only=False)
    return np.bincount(side.rows.accounts[unnamed], minlength=accounts) > 0


def _keys(ours: Side, theirs: Side, by_id: Bool) -> tuple[Int64, Int64]:
    """An integer for each row of both sides, equal for what is the same event.

    It stands for account and id, and is not negative; or for the content, and is below `_UNCOMPARED`.
    """
    accounts, identities, types, instants, standard = (
        np.concatenate([getattr(side.rows, column) for side in (ours, theirs)])
        for column in ("accounts", "identities", "types", "instants", "standard")
    )
    named = by_id[accounts]
    keys = np.full(len(accounts), _UNCOMPARED, np.int64)
    ids = pa.concat_arrays([ours.text("event_id"), theirs.text("event_id")])
    codes = ids.dictionary_encode().indices.fill_null(0).to_numpy()
    keys[named] = accounts[named].astype(np.int64) << 32 | codes[named]
    told = np.flatnonzero(~named & np.concatenate([ours.happened, theirs.happened]))
    what = identities[told].astype(np.int64) << 4 | types[told].astype(np.int64) << 1 | standard[told]
    order = np.lexsort((instants[told], what))
    fresh = np.ones(len(told), np.int64)
    fresh[1:] = (np.diff(what[order]) != 0) | (np.diff(instants[told][order]) != 0)
    keys[told[order]] = _UNCOMPARED - np.cumsum(fresh)
    return keys[: len(ours.rows)], keys[len(ours.rows) :]


def _firsts(keys: Int64) -> tuple[Int64, Index]:
    """Each key once, with the first row that has it."""
    unique, rows = np.unique(keys, return_index=True)
    compared = unique != _UNCOMPARED
    return unique[compared], rows[compared]


def _without(keys: Int64, rows: Index, common: Index, side: Side, names: Names) -> dict[int, Event]:
    """The events of a side without those of its keys that are `common`, by their keys."""
    alone = np.ones(len(keys), np.bool_)
    alone[common] = False
    return dict(zip(keys[alone].tolist(), side.events(rows[alone], names), strict=True))


def _numbers(keys: Int64, number_of: dict[int, int]) -> Int64:
    """The number of the difference that each row belongs to, given those of some keys."""
    wanted = np.array([*sorted(number_of), np.iinfo(np.int64).max])
    places = np.searchsorted(wanted, keys)
    numbers = np.array([number_of[key] for key in wanted[:-1].tolist()] + [SAME])
    return np.where(keys == _UNCOMPARED, APART, np.where(wanted[places] == keys, numbers[places], SAME))


def _changed(ours: Side, own: Index, theirs: Side, other: Index, names: Names, keys: Int64) -> list[_Pair]:
    """The events with one id and two contents."""
    first = np.full(len(own), "", object)
    many = np.zeros(len(own), np.bool_)
    for field in CONTENT:
        if field not in ("account_id", "event_id"):
            differs = _differing(field, ours, own, theirs, other)
            many |= differs & (first != "")
            first[differs & (first == "")] = field
    changed = np.flatnonzero(first != "")
    events = zip(ours.events(own[changed], names), theirs.events(other[changed], names), strict=True)
    pairs = []
    for k, (mine, foreign) in zip(changed.tolist(), events, strict=True):
        moved = first[k] == "occurred_at" and not many[k]
        difference = (
            Difference("shifted", mine, foreign) if moved else Difference("conflicting", mine, foreign, str(first[k]))
        )
        pairs.append(_Pair(difference, int(keys[k]), int(keys[k])))
    return pairs


def _differing(field: str, ours: Side, own: Index, theirs: Side, other: Index) -> Bool:
    columns = {"identity_id": "identities", "type": "types", "occurred_at": "instants"}
    if field in columns:
        mine, foreign = (getattr(side.rows, columns[field]) for side in (ours, theirs))
        return np.asarray(mine[own] != foreign[other])
    assert field in DETAILS, "everything that an event says is compared"
    a, b = ours.text(field).take(pa.array(own)), theirs.text(field).take(pa.array(other))
    same = pc.or_(pc.equal(a, b).fill_null(False), pc.and_(a.is_null(), b.is_null()))
    return ~np.asarray(same.to_numpy(zero_copy_only=False), np.bool_)


def _renamed(missing: dict[int, Event], extra: dict[int, Event]) -> list[_Pair]:
    """Pairs of those with ids that say the same under another id; they are taken out of both."""
    alike: dict[Event, list[int]] = defaultdict(list)
    for key in sorted((key for key in missing if key >= 0), key=lambda key: missing[key].event_id or "", reverse=True):
        alike[replace(missing[key], event_id=None)].append(key)
    pairs = []
    for theirs in sorted((key for key in extra if key >= 0), key=lambda key: extra[key].event_id or ""):
        if keys := alike.get(replace(extra[theirs], event_id=None)):
            ours = keys.pop()
            pairs.append(_Pair(Difference("renamed", missing.pop(ours), extra.pop(theirs)), ours, theirs))
    return pairs


def _shifted(missing: dict[int, Event], extra: dict[int, Event], tolerance: int) -> list[_Pair]:
    """Pairs of those without ids that differ in the instant alone; they are taken out of both."""
    groups: dict[tuple[Any, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, events in enumerate((missing, extra)):
        for key, event in events.items():
            if key < 0:
                what = event.account_id, event.identity_id, event.type, event.identity_type
                groups[what][side].append(key)
    pairs = []
    for own, other in groups.values():
        instants = [missing[key].occurred_at for key in own], [extra[key].occurred_at for key in other]
        for k, j in nearest(*instants, tolerance=tolerance):
            ours, theirs = own[k], other[j]
            pairs.append(_Pair(Difference("shifted", missing.pop(ours), extra.pop(theirs)), ours, theirs))
    return pairs


def nearest(ours: Sequence[int], theirs: Sequence[int], *, tolerance: int) -> list[tuple[int, int]]:
    """Pairs of instants, one of each side, at most `tolerance` apart; those nearest to each other first.

    >>> nearest([0, 20], [21, 90], tolerance=30)
    [(1, 0)]
    """
    line = sorted([(at, 0, k) for k, at in enumerate(ours)] + [(at, 1, k) for k, at in enumerate(theirs)])
    # The two that are nearest always stand beside each other; once they are gone, others do.
    before, after = list(range(-1, len(line))), list(range(1, len(line) + 2))
    waiting: list[tuple[int, int, int]] = []

    def beside(left: int, right: int) -> None:
        if left >= 0 and right < len(line) and line[left][1] != line[right][1]:
            gap = line[right][0] - line[left][0]
            if gap <= tolerance:
                heapq.heappush(waiting, (gap, left, right))

    for k in range(len(line) - 1):
        beside(k, k + 1)
    gone: set[int] = set()
    pairs = []
    while waiting:
        _, left, right = heapq.heappop(waiting)
        if left in gone or right in gone:
            continue
        gone |= {left, right}
        one, other = sorted((line[left][1:], line[right][1:]))
        pairs.append((one[1], other[1]))
        outer_left, outer_right = before[left], after[right]
        if outer_left >= 0:
            after[outer_left] = outer_right
        before[outer_right] = outer_left
        beside(outer_left, outer_right)
    return pairs
