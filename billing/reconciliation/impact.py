"""Weighing: which of the events that two sources differ on move a bill, and by how much.

A difference can change a peak only of the cycles that its event reaches, and of its own identity
only. So each cycle is swept once for each source, and a difference is weighed by what it changes
about one identity in it: alone, taken over into ours, and last, as the only one undone in theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.activity import ActivityPolicy, Walk, spans_of
from ..core.cycle import Calendar
from ..core.event import CREATED, IDENTITY_TYPES, VOIDED, Bool, Columns, Int64, Names
from ..core.invoice import lines
from ..core.minimize import smallest
from ..core.terms import Terms
from .effects import CycleTotal, Effect, JointEffect, PeakAndAmount
from .event_diff import APART, SAME, Aligned, Difference, Event, Side

#: The two sources, and what belongs to both.
OURS: Final = 0
THEIRS: Final = 1
BOTH: Final = 2

#: Which differences are taken over from the other source.
Taken = frozenset[int]
_NOTHING: Final[Taken] = frozenset()
_STANDARD: Final = IDENTITY_TYPES[1]


@dataclass(frozen=True, slots=True)
class Impact:
    """What differences do: each by itself, some only together, and all. By account and cycle."""

    effects: tuple[Effect, ...] = ()
    together: tuple[JointEffect, ...] = ()
    totals: tuple[CycleTotal, ...] = ()


@dataclass(frozen=True, slots=True)
class Billing:
    """How an account is billed, as far as is asked for.

    `terms_at` are the terms of the cycle that starts then (microseconds), `longest_window` is that
    of all of them. `first` and `last` are numbers of cycles, none where it goes on.
    """

    calendar: Calendar
    terms_at: Callable[[int], Terms]
    longest_window: int
    first: int | None = None
    last: int | None = None

    def reached(self, instant: int) -> Iterator[int]:
        """The numbers of the cycles that an event at this instant can change."""
        first = self.calendar.index_at(instant)
        last = self.calendar.index_at(instant + self.longest_window - 1)
        for k in range(first, last + 1):
            if (self.first is None or self.first <= k) and (self.last is None or k <= self.last):
                yield k


def weigh(
    ours: Side,
    theirs: Side,
    aligned: Aligned,
    names: Names,
    billing_of: Callable[[str], Billing],
    *,
    progress: Callable[[int], None] | None = None,
) -> Impact:
    """What each difference does to every cycle that it can touch. `progress` is told how many were weighed.

    Where those that move a cycle by themselves do not carry ours to theirs, the fewest others that
    do so with them are found. Raises `NotPriced`.
    """
    effects: list[Effect] = []
    together: list[JointEffect] = []
    totals: list[CycleTotal] = []
    for account in _accounts(ours, theirs, aligned, names):
        bills = account.bills(billing_of(account.name))
        for bill in bills:
            found, group, total = _weighed(bill, aligned.differences)
            effects += found
            together += group
            totals.append(total)
        if progress:
            progress(len(account.numbers))
    return Impact(tuple(effects), tuple(together), tuple(totals))


def _weighed(bill: _Bill, differences: Sequence[Difference]) -> tuple[list[Effect], list[JointEffect], CycleTotal]:
    """What the differences that reach a cycle do to it."""
    before, after = bill.peak(OURS), bill.peak(THEIRS)
    numbers = sorted(bill.numbers)
    assert bill.peak(OURS, frozenset(numbers)) == after, "all differences make theirs of ours"
    effects = []
    movers: set[int] = set()
    for k in numbers:
        alone, undone = bill.peak(OURS, frozenset([k])), bill.peak(THEIRS, frozenset([k]))
        if alone != before or undone != after:
            movers.add(k)
            figures = (bill.figure(peak) for peak in (before, alone, undone, after))
            effects.append(Effect(differences[k], bill.cycle, *figures))
    group = []
    reached = bill.peak(OURS, frozenset(movers))
    if reached != after:
        rest = [k for k in numbers if k not in movers]
        fewest = smallest(rest, lambda some: bill.peak(OURS, frozenset(movers.union(some))) == after)
        several = tuple(differences[k] for k in fewest)
        group.append(JointEffect(bill.account_id, several, bill.cycle, bill.figure(reached), bill.figure(after)))
    total = CycleTotal(bill.account_id, bill.cycle, bill.figure(before), bill.figure(after), len(numbers))
    return effects, group, total


# What may be there: an event, and the source that it depends on.


class _Of(NamedTuple):
    """A side that has something, and the number of the difference by which the other has not."""

    side: int
    number: int = SAME

    def there(self, base: int, taken: Taken) -> bool:
        """Whether it is in `base` with some differences taken over from the other source."""
        return self.side == BOTH or (self.side == base) != (self.number in taken)


_EVERYWHERE: Final = _Of(BOTH)


class _Atom(NamedTuple):
    """An event of an identity that may be there, and the voids of it that may be there."""

    instant: int
    type: int
    standard: bool
    of: _Of
    voids: tuple[_Of, ...]

    @property
    def numbers(self) -> Iterator[int]:
        """The differences that it depends on."""
        return (of.number for of in (self.of, *self.voids) if of.side != BOTH)

    def happened(self, base: int, taken: Taken) -> bool:
        """Whether it is there, and not voided."""
        return self.of.there(base, taken) and not any(void.there(base, taken) for void in self.voids)


@dataclass(frozen=True)
class _Account:
    """An account with differences: what happened to it by either source, and what may have."""

    name: str
    numbers: list[int]
    columns: tuple[Columns, Columns]  # in order of time
    counted: tuple[Bool, Bool]  # identities
    atoms: dict[int, list[_Atom]]  # of the identities that differ

    def bills(self, billing: Billing) -> list[_Bill]:
        """The cycles that differences can change, in order."""
        reached: dict[int, set[int]] = defaultdict(set)
        for atoms in self.atoms.values():
            timed = [atom for atom in atoms if atom.type < CREATED]
            # A type matters to all that its identity ever did.
            timeless = {k for a in atoms if a.type == CREATED for k in a.numbers} if _standard(atoms) else set()
            for atom in timed:
                numbers = timeless.union(atom.numbers)
                for cycle in billing.reached(atom.instant) if numbers else ():
                    reached[cycle] |= numbers
        return [_Bill(self, billing, k, frozenset(reached[k])) for k in sorted(reached)]


def _standard(atoms: Iterable[_Atom]) -> bool:
    return any(atom.standard for atom in atoms)


class _Bill:
    """A cycle of an account, with the differences that can change it."""

    def __init__(self, account: _Account, billing: Billing, k: int, numbers: Taken) -> None:
        self.account_id = account.name
        self.cycle = billing.calendar.cycles(k, k)[0]
        self.numbers = numbers
        start, end = billing.calendar.bounds(k, k)
        self._span = start, end
        self._terms = billing.terms_at(start)
        policy = self._terms.policy
        since = start - policy.longest_window
        self._policy = policy
        self._curves = tuple(
            _Curve.of(_between(columns, since, end), counted, policy, self._span)
            for columns, counted in zip(account.columns, account.counted, strict=True)
        )
        self._atoms = {
            identity: [atom for atom in atoms if atom.type == CREATED or since <= atom.instant < end]
            for identity, atoms in account.atoms.items()
        }
        self._depends: dict[int, Taken] = {}  # identity -> differences
        self._identities: dict[int, list[int]] = defaultdict(list)  # difference -> identities
        for identity, atoms in self._atoms.items():
            self._depends[identity] = numbers.intersection(k for atom in atoms for k in atom.numbers)
            for number in self._depends[identity]:
                self._identities[number].append(identity)
        self._spans: dict[tuple[int, int, Taken], list[tuple[int, int]]] = {}
        self._figures: dict[int, PeakAndAmount] = {}

    def figure(self, peak: int) -> PeakAndAmount:
        """A peak with what it costs."""
        if peak not in self._figures:
            plan, discount = self._terms.plan, self._terms.discount
            self._figures[peak] = PeakAndAmount(
                peak, None if plan is None else lines(plan.price(peak), plan, discount)[1]
            )
        return self._figures[peak]

    def peak(self, base: int, taken: Taken = _NOTHING) -> int:
        """The peak of one source, with some differences taken over from the other."""
        steps: dict[int, int] = defaultdict(int)
        for identity in {i for number in taken for i in self._identities[number]}:
            usual = self._active(identity, base, _NOTHING)
            changed = self._active(identity, base, taken & self._depends[identity])
            if changed != usual:
                for spans, change in ((usual, -1), (changed, 1)):
                    for start, end in spans:
                        steps[start] += change
                        steps[end] -= change
        return self._curves[base].highest(steps)

    def _active(self, identity: int, base: int, taken: Taken) -> list[tuple[int, int]]:
        """When an identity was active within the cycle."""
        key = identity, base, taken
        if key not in self._spans:
            atoms = [atom for atom in self._atoms[identity] if atom.happened(base, taken)]
            created = [atom for atom in atoms if atom.type == CREATED]
            # Of two types the first stays, and what a source has itself comes before what it takes over.
            created.sort(key=lambda atom: atom.of.side not in (base, BOTH))
            history = sorted((atom.instant, atom.type) for atom in atoms if atom.type < CREATED)
            spans = [] if _standard(created[:1]) else spans_of(history, self._policy)
            self._spans[key] = list(_clipped(spans, *self._span))
        return self._spans[key]


def _clipped(spans: Iterable[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    for since, until in spans:
        if since < end and start < until:
            yield max(since, start), min(until, end)


@dataclass(frozen=True, slots=True)
class _Curve:
    """How many are active: `counts[k]` from `at[k]` on; the last of `at` is the end of the cycle."""

    at: Int64
    counts: Int64

    @classmethod
    def of(cls, columns: Columns, counted: Bool, policy: ActivityPolicy, span: tuple[int, int]) -> _Curve:
        """The count over a cycle, from the events that can matter to it, in order of time."""
        start, end = span
        identities, codes = np.unique(columns.identities, return_inverse=True)
        walk = Walk(policy)
        walk.feed(Columns(codes.astype(np.int32), columns.types, columns.instants), len(identities))
        found = walk.intervals()
        inside = (found.starts < end) & (found.ends > start) & counted[identities][found.identities]
        starts, ends = np.maximum(found.starts[inside], start), np.minimum(found.ends[inside], end)
        at = np.unique(np.concatenate([starts, ends, [start, end]]))
        steps = np.zeros(len(at), np.int64)
        np.add.at(steps, np.searchsorted(at, starts), 1)
        np.add.at(steps, np.searchsorted(at, ends), -1)
        return cls(at, np.cumsum(steps)[:-1])

    def highest(self, steps: dict[int, int]) -> int:
        """The highest count, with some steps up and down added to it."""
        if not steps:
            return int(self.counts.max())
        highest = level = 0
        since = int(self.at[0])
        for until in sorted({*steps, int(self.at[-1])}):
            if since < until:
                first = np.searchsorted(self.at, since, "right") - 1
                highest = max(highest, level + int(self.counts[first : np.searchsorted(self.at, until)].max()))
            level += steps.get(until, 0)
            since = until
        return highest


def _between(columns: Columns, since: int, until: int) -> Columns:
    first, end = np.searchsorted(columns.instants, (since, until)).tolist()
    return columns.part(first, end)


# Gathering what belongs to each account that has differences.


def _accounts(ours: Side, theirs: Side, aligned: Aligned, names: Names) -> Iterator[_Account]:
    """The accounts that have differences, by name."""
    sides = _Rows(ours, aligned.ours_of), _Rows(theirs, aligned.theirs_of)
    numbers: dict[str, list[int]] = defaultdict(list)
    for k, difference in enumerate(aligned.differences):
        numbers[difference.event.account_id].append(k)
    codes = {name: names.code_of(name) for name in numbers}
    atoms_of: dict[int, dict[int, list[_Atom]]] = defaultdict(dict)
    for identity, found in _atoms(sides, aligned.differences, codes, len(names.account_of)).items():
        atoms_of[int(names.account_of[identity])][identity] = found
    columns = [rows.columns(sorted(codes.values())) for rows in sides]
    counted = [rows.counted(len(names.account_of)) for rows in sides]
    for name in sorted(codes):
        code = codes[name]
        both = columns[OURS][code], columns[THEIRS][code]
        yield _Account(name, numbers[name], both, (counted[OURS], counted[THEIRS]), atoms_of[code])


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one side, with the number of the difference that each belongs to."""

    side: Side
    numbers: Int64

    def columns(self, accounts: list[int]) -> dict[int, Columns]:
        """What happened to some accounts, given in order, in order of time."""
        batch = self.side.rows
        rows = np.flatnonzero(self.side.happened & (batch.types < CREATED) & np.isin(batch.accounts, accounts))
        rows = rows[np.lexsort((batch.instants[rows], batch.accounts[rows]))]
        everything = Columns(batch.identities[rows], batch.types[rows], batch.instants[rows])
        bounds = np.searchsorted(batch.accounts[rows], [*accounts, np.iinfo(np.int32).max]).tolist()
        return {code: everything.part(bounds[k], bounds[k + 1]) for k, code in enumerate(accounts)}

    def counted(self, identities: int) -> Bool:
        """Which identities are no standard ones."""
        batch = self.side.rows
        mask = np.ones(identities, np.bool_)
        mask[batch.identities[self.side.happened & (batch.types == CREATED) & (batch.standard == 1)]] = False
        return mask

    def some(self, mask: Bool) -> Iterator[_Row]:
        """These rows, one by one."""
        rows = np.flatnonzero(mask)
        batch = self.side.rows
        columns = (batch.accounts, batch.identities, batch.types, batch.instants, batch.standard, self.numbers)
        texts = (self.side.text(field).take(pa.array(rows)).to_pylist() for field in ("event_id", "voids"))
        yield from map(_Row, *(column[rows].tolist() for column in columns), *texts)

    def are(self, ids: Iterable[str | None]) -> Bool:
        """Which rows have one of these ids."""
        among = pc.is_in(self.side.text("event_id"), pa.array(list(ids), pa.large_string()))
        return np.asarray(among.to_numpy(zero_copy_only=False), np.bool_)


class _Row(NamedTuple):
    """A row that is looked at by itself."""

    account: int
    identity: int
    type: int
    instant: int
    standard: int
    number: int
    event_id: str | None
    voids: str | None


#: The voids of an event that may be there, by its account and id.
_Voids = dict[tuple[int, str | None], tuple[_Of, ...]]


def _atoms(
    sides: tuple[_Rows, _Rows], differences: Sequence[Difference], codes: dict[str, int], identities: int
) -> dict[int, list[_Atom]]:
    """For each identity whose activity may differ, all that may have happened to it."""
    voids, targets = _voids(sides, differences)
    inert = np.array([_inert(d, codes[d.event.account_id], voids) for d in differences], np.bool_)
    touched = np.zeros(identities, np.bool_)
    for rows in sides:
        batch, differing = rows.side.rows, rows.numbers >= 0
        differing[differing] = ~inert[rows.numbers[differing]]
        touched[batch.identities[differing & (batch.types != VOIDED)]] = True
        for row in rows.some(rows.are(id for _, id in targets)) if targets else ():
            if (row.account, row.event_id) in targets:
                touched[row.identity] = True
    atoms: dict[int, list[_Atom]] = defaultdict(list)
    for side, rows in enumerate(sides):
        known = rows.numbers != APART if side == OURS else rows.numbers >= 0  # what both have comes once
        for row in rows.some(known & touched[rows.side.rows.identities] & (rows.side.rows.types != VOIDED)):
            both = row.number == SAME or bool(inert[row.number])
            if not both or side == OURS:
                of = _EVERYWHERE if both else _Of(side, row.number)
                own = voids.get((row.account, row.event_id), ())
                atoms[row.identity].append(_Atom(row.instant, row.type, row.standard == 1, of, own))
    return atoms


def _voids(sides: tuple[_Rows, _Rows], differences: Sequence[Difference]) -> tuple[_Voids, set[tuple[int, str | None]]]:
    """The voids of each event, and the events of which voids differ."""
    found: _Voids = defaultdict(tuple)
    differing = set()
    for side, rows in enumerate(sides):
        known = rows.numbers != APART if side == OURS else rows.numbers >= 0
        for row in rows.some(known & (rows.side.rows.types == VOIDED)):
            target = row.account, row.voids
            both = row.number == SAME or _same_void(differences[row.number])
            if not both:
                differing.add(target)
            if not both or side == OURS:
                found[target] = (*found[target], _EVERYWHERE if both else _Of(side, row.number))
    return found, differing


def _same_void(difference: Difference) -> bool:
    """Whether both sources void the same event."""
    ours, theirs = difference.ours, difference.theirs
    return ours is not None and theirs is not None and ours.type == theirs.type and ours.voids == theirs.voids


def _inert(difference: Difference, account: int, voids: _Voids) -> bool:
    """Whether both sources tell the same of who was active: they differ in what does not matter to it."""
    ours, theirs = difference.ours, difference.theirs
    return (
        ours is not None
        and theirs is not None
        and _essence(ours) == _essence(theirs)
        and voids.get((account, ours.event_id), ()) == voids.get((account, theirs.event_id), ())
    )


def _essence(event: Event) -> tuple[Any, ...]:
    return event.identity_id, event.type, event.occurred_at, event.identity_type == _STANDARD
