"""Usage: the calls of a source by cycle, action and type of identity, and the credits they cost.

Calls are counted as columns and priced in groups: all calls with the same price are one multiplication.
So a million calls take about as long as sorting a million numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from .catalogue import RESULTS_UNSAID, WIDE, Catalogue
from .cycle import Cycle
from .event import CALLED, IDENTITY_TYPES, UNSAID, Bool, Events, Int32, Int64

#: Results are summed in two halves, so that no sum overflows 64 bits.
_HALF: Final = 31


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a source as columns of one length, in any order.

    `group_codes` (int32) are the codes of what calls are counted by, accounts or identities. `actions` are
    codes into `names`, and `results` how many results a call had, both `UNSAID` where the event does not
    say; `standard` marks calls on standard identities.
    """

    names: pa.Array
    group_codes: Int32
    instants: Int64
    standard: Bool
    actions: Int32
    results: Int64
    managed: Bool

    @classmethod
    def of(cls, events: Events, *, as_of: int | None = None, by_identity: bool = False) -> Calls:
        """The calls among events that were read with `details`; with `as_of`, only those before it."""
        columns, details = events.columns, events.details
        assert details is not None, "the details of calls were read, since they matter"
        mask = columns.types == CALLED
        if as_of is not None:
            mask &= columns.instants < as_of
        identities = columns.identities[mask]
        return cls(
            names=details.names,
            group_codes=identities if by_identity else events.names.account_of[identities],
            instants=columns.instants[mask],
            standard=events.names.standard[identities],
            actions=details.actions[mask],
            results=details.results[mask],
            managed=details.managed[mask],
        )

    def spans(self, count: int) -> tuple[Int64, Int64]:
        """The first and the last call of each of `count` groups; without any, the first is after the last."""
        first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
        np.minimum.at(first, self.group_codes, self.instants)
        np.maximum.at(last, self.group_codes, self.instants)
        return first, last


class Usage(NamedTuple):
    """The calls of one action, on identities of one type, in one cycle of a group, and what they cost.

    `position` is that of the cycle among all requested ones. `action` is none for calls without one.
    `on_standard` is what the same calls would cost on standard identities.
    """

    position: int
    action: str | None
    standard: bool
    calls: int
    results: int
    credits: Decimal
    on_standard: Decimal


def count_usage(calls: Calls, cycles: Sequence[tuple[int, Sequence[int]]], catalogue: Catalogue) -> list[Usage]:
    """What was used in some cycles, by position, action and type.

    `cycles` gives for each group its code and the bounds of its cycles, which adjoin; positions count
    all cycles, one group after the other.
    """
    positions = _positions(calls, cycles)
    rows = np.flatnonzero(positions != UNSAID)
    versions = np.searchsorted(np.array(catalogue.dates, np.int64), calls.instants[rows], side="right")
    parts = (
        (positions[rows], sum(len(bounds) - 1 for _, bounds in cycles)),
        (calls.actions[rows] - UNSAID, len(calls.names) + 1),
        (calls.standard[rows], 2),
        (calls.managed[rows], 2),
        (versions, len(catalogue.versions)),
    )
    keys = np.zeros(len(rows), np.int64)
    for column, size in parts:
        keys = keys * size + column
    groups, group_of, counts = np.unique(keys, return_inverse=True, return_counts=True)
    stated = calls.results[rows]
    sums = _sums(np.where(stated == UNSAID, RESULTS_UNSAID, stated), group_of.reshape(-1), len(groups))
    found: dict[tuple[int, str | None, bool], Usage] = {}
    for key, count, results in zip(groups.tolist(), counts.tolist(), sums, strict=True):
        digits = []
        for _, size in reversed(parts):
            key, digit = divmod(key, size)
            digits.append(digit)
        number, managed, standard, code, position = digits
        action = None if code == 0 else calls.names[code - 1].as_py()
        version = catalogue.versions[number]
        own, other = (
            version.cost(action, results, standard=on, managed=bool(managed)) for on in (bool(standard), True)
        )
        at = position, action, bool(standard)
        before = found.get(at, Usage(*at, 0, 0, Decimal(0), Decimal(0)))
        found[at] = before._replace(
            calls=before.calls + count,
            results=before.results + results,
            credits=WIDE.add(before.credits, own),
            on_standard=WIDE.add(before.on_standard, other),
        )
    return sorted(found.values(), key=lambda u: (u.position, u.action is None, u.action or "", u.standard))


def price_usage(
    calls: Calls, bounds: Mapping[int, Sequence[int]], catalogues: Mapping[int, Catalogue]
) -> Iterator[tuple[int, int, Usage]]:
    """What was used in some cycles: the code of the group, the start of the cycle, and the usage.

    `bounds` are those of the cycles of each group, which adjoin, `catalogues` what its actions cost.
    """
    several: dict[Catalogue, list[int]] = {}  # almost always one for all
    for code in bounds:
        several.setdefault(catalogues[code], []).append(code)
    for catalogue, codes in several.items():
        positions = [(code, start) for code in codes for start in bounds[code][:-1]]
        for usage in count_usage(calls, [(code, bounds[code]) for code in codes], catalogue):
            yield (*positions[usage.position], usage)


def credits_of(calls: Calls, cycles: Sequence[tuple[int, Sequence[int]]], catalogue: Catalogue) -> dict[int, Decimal]:
    """The credits used in each cycle in which there was a call, by its position."""
    found: dict[int, Decimal] = {}
    for usage in count_usage(calls, cycles, catalogue):
        found[usage.position] = WIDE.add(found.get(usage.position, Decimal(0)), usage.credits)
    return found


def _positions(calls: Calls, cycles: Sequence[tuple[int, Sequence[int]]]) -> Int64:
    """The position of the cycle that each call falls in; `UNSAID` outside of all."""
    positions = np.full(len(calls.group_codes), UNSAID, np.int64)
    order = np.argsort(calls.group_codes, kind="stable")
    group_codes = calls.group_codes[order]
    codes = np.array([code for code, _ in cycles], np.int64)
    firsts, ends = np.searchsorted(group_codes, codes), np.searchsorted(group_codes, codes, side="right")
    before = 0
    for (_, bounds), first, end in zip(cycles, firsts.tolist(), ends.tolist(), strict=True):
        if first < end:
            rows = order[first:end]
            k = np.searchsorted(np.asarray(bounds, np.int64), calls.instants[rows], side="right") - 1
            inside = (k >= 0) & (k < len(bounds) - 1)
            positions[rows[inside]] = before + k[inside]
        before += len(bounds) - 1
    return positions


def _sums(numbers: Int64, group_of: Int64, groups: int) -> list[int]:
    """The sum of the numbers of each group, exactly."""
    halves = []
    for half in (numbers >> _HALF, numbers & ((1 << _HALF) - 1)):
        sums = np.zeros(groups, np.int64)
        np.add.at(sums, group_of, half)
        halves.append(sums.tolist())
    return [(high << _HALF) + low for high, low in zip(*halves, strict=True)]


@dataclass(frozen=True, slots=True)
class Credits:
    """The calls of one action on identities of one type, in a cycle of an account, and what they cost.

    `on_standard` is what the same calls would cost on standard identities. `action` is none for calls
    without one, which cost nothing.
    """

    account_id: str
    cycle: Cycle
    action: str | None
    identity_type: str
    calls: int
    results: int
    credits: Decimal
    on_standard: Decimal

    @property
    def saved(self) -> Decimal:
        """What engagement identities saved."""
        return WIDE.subtract(self.on_standard, self.credits)

    @classmethod
    def of(cls, account_id: str, cycle: Cycle, usage: Usage) -> Credits:
        """Usage with the names of its account and cycle."""
        return cls(account_id, cycle, usage.action, IDENTITY_TYPES[usage.standard], *usage[3:])


@dataclass(frozen=True, slots=True)
class CreditsTotal:
    """All calls of an account, or of all accounts, and what they cost; `unnamed` of them have no action."""

    account_id: str | None
    calls: int
    unnamed: int
    results: int
    credits: Decimal
    on_standard: Decimal

    @property
    def saved(self) -> Decimal:
        """What engagement identities saved."""
        return WIDE.subtract(self.on_standard, self.credits)

    @classmethod
    def of(cls, rows: Iterable[Credits], account_id: str | None = None) -> CreditsTotal:
        """The sum of some rows."""
        total = cls(account_id, 0, 0, 0, Decimal(0), Decimal(0))
        for row in rows:
            total = cls(
                account_id,
                total.calls + row.calls,
                total.unnamed + (row.calls if row.action is None else 0),
                total.results + row.results,
                WIDE.add(total.credits, row.credits),
                WIDE.add(total.on_standard, row.on_standard),
            )
        return total
