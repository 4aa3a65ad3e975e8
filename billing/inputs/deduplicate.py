"""Settling: what a source says once all of it is known.

A source is a set of events: a repeat changes nothing, and of two events that cannot both be true
the first stays and the other is rejected. A void makes an event one that never happened, wherever
in the source it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.digests import Value, digest
from ..core.errors import Rejection, quoted
from ..core.event import (
    CREATED,
    DETAILS,
    IDENTITY_TYPES,
    INSTANT_MAX,
    MANAGED,
    UNSAID,
    VOIDED,
    Batch,
    Bool,
    Columns,
    Details,
    Events,
    History,
    Int8,
    Int32,
    Int64,
    Names,
    Places,
    Tally,
    joined,
)
from ..core.kernel import SMALL, compiled
from .encoder import Encoder
from .rows import ReadOptions, mask_of

Index = NDArray[np.intp]


def settle(batches: Sequence[Batch], encoder: Encoder, options: ReadOptions) -> Events:
    """The events of a whole source, without repeats, conflicts, mistakes and what they made up."""
    return _settle(_Rows(batches), encoder, options)[0]


def settled_rows(batches: Sequence[Batch], encoder: Encoder) -> tuple[Events, Batch, Bool]:
    """The events of a whole source, the rows of it that were accepted, and which of those happened.

    What never happened is a void, or was voided.
    """
    events, taken, happened = _settle(_Rows(batches), encoder, ReadOptions())
    kept = np.flatnonzero(taken)
    accepted = Batch.joined(batches).take(kept)
    return events, accepted, happened[kept] & (accepted.types != VOIDED)


def _settle(rows: _Rows, encoder: Encoder, options: ReadOptions) -> tuple[Events, Bool, Bool]:
    """The events of some rows, and which rows were accepted, and which happened."""
    taken = np.ones(len(rows), np.bool_)
    happened = taken.copy()
    rejections = []
    duplicates = 0
    again = None
    if rows.ids is not None:
        repeats, first = rows.repeats()
        differing = rows.differing_fields(repeats, first)
        taken[repeats] = False
        duplicates = int(np.count_nonzero(differing == ""))
        rejections += [
            rows.conflict(int(repeats[k]), int(first[k]), str(differing[k])) for k in np.flatnonzero(differing != "")
        ]
        happened, of_voids = rows.without_voided(taken)
        again = repeats[(differing == "") & happened[first]]  # what never happened did not happen twice
        taken[of_voids] = False
        rejections += [rows.rejection(int(k), "void_of_void", "voids") for k in of_voids]
    types = IdentityTypes()
    created = np.flatnonzero(happened & (rows.types == CREATED))
    for row, before in types.learn(rows.identities[created], rows.standard[created], created):
        taken[row] = False
        name = encoder.identity_name(int(rows.identities[row]))
        rejections.append(type_conflict(rows.places, row, before, name, int(rows.standard[row])))
    accepted = np.bincount(rows.accounts[taken], minlength=len(encoder.accounts)).astype(np.int64)
    active = happened & (rows.types < CREATED)
    names = encoder.names(types.standard(encoder.identity_count))
    events = Events(
        names=names,
        columns=rows.columns(active),
        accepted=accepted,
        tally=Tally(encoder.received, int(accepted.sum()), duplicates, len(encoder.rejections) + len(rejections)),
        rejections=(*encoder.rejections, *rejections),
        event_ids=None if rows.ids is None else rows.ids.filter(pa.array(active)),
        digest=digest(rows.contents(taken, names)) if options.digest else None,
        history=rows.history(taken, happened, again) if options.history else None,
        details=rows.details(active) if options.details else None,
    )
    return events, taken, happened


def type_conflict(places: Places, row: int, first: int, identity: str, standard: int) -> Rejection:
    """The rejection of an `identity.created` that contradicts the first one."""
    details = {
        "field": "identity_type",
        "got": IDENTITY_TYPES[standard],
        "first": "{}:{}".format(*places.of(first)),
        "identity": quoted(identity),
        "differs": IDENTITY_TYPES[1 - standard],
    }
    return Rejection("identity_type_conflict", *places.of(row), details)


class IdentityTypes:
    """Which identities are standard ones, from the first `identity.created` of each."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int]] = {}  # identity -> its type and the row that said so

    def learn(self, identities: Int32, standard: Int8, rows: Index) -> Iterator[tuple[int, int]]:
        """Take `identity.created` rows in order; yield those that contradict an earlier one, with it."""
        # The first row of each identity and type is enough to tell; the rest only repeat them.
        pairs = identities.astype(np.int64) << 1 | standard
        places = np.unique(pairs, return_index=True)[1]
        contradicted = {}
        for k in np.sort(places).tolist():
            identity, kind = int(identities[k]), int(standard[k])
            known = self._known.setdefault(identity, (kind, int(rows[k])))
            if known[0] != kind:
                contradicted[identity << 1 | kind] = known[1]
        if contradicted:
            for k in np.flatnonzero(np.isin(pairs, list(contradicted))).tolist():
                yield int(rows[k]), contradicted[int(pairs[k])]

    def standard(self, count: int) -> Bool:
        """For each of `count` identities, whether it is a standard one."""
        mask = np.zeros(count, np.bool_)
        mask[[identity for identity, (kind, _) in self._known.items() if kind]] = True
        return mask


class _Rows:
    """All accepted rows of a source, as columns."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.places = Places(batches)
        self.accounts = _joined([b.accounts for b in batches], np.int32)
        self.identities = _joined([b.identities for b in batches], np.int32)
        self.types = _joined([b.types for b in batches], np.int8)
        self.instants = _joined([b.instants for b in batches], np.int64)
        self.standard = _joined([b.standard for b in batches], np.int8)
        self._batches = batches
        self.ids = self._content("event_id")

    def __len__(self) -> int:
        return self.places.count

    def columns(self, rows: Bool) -> Columns:
        everything = Columns(self.identities, self.types, self.instants)
        return everything if rows.all() else everything.where(rows)

    def mask(self, rows: Index) -> Bool:
        mask = np.zeros(len(self), np.bool_)
        mask[rows] = True
        return mask

    def history(self, taken: Bool, happened: Bool, again: Index | None) -> History:
        """When what happened was recorded, what was taken back and when, and the rows that came again."""
        moments = self.types < CREATED
        column = self._content("recorded_at")
        recorded = None if column is None else column.fill_null(INSTANT_MAX).to_numpy()
        back = taken & ~happened & moments
        since = until = np.empty(0, np.int64)
        if recorded is not None and back.any():
            voids = np.flatnonzero(taken & (self.types == VOIDED))
            known: dict[tuple[int, str], int] = {}
            for row, target in zip(
                voids.tolist(), self._content("voids").take(pa.array(voids)).to_pylist(), strict=True
            ):
                key = int(self.accounts[row]), target
                known[key] = min(known.get(key, INSTANT_MAX), int(recorded[row]))
            ids = self.ids.filter(pa.array(back)).to_pylist()
            since = recorded[back]
            until = np.array([known[a, e] for a, e in zip(self.accounts[back].tolist(), ids, strict=True)], np.int64)
        return History(
            recorded=None if recorded is None else recorded[happened & moments],
            voided=self.columns(back if recorded is not None else self.mask(np.empty(0, np.intp))),
            voided_since=since,
            voided_until=until,
            repeats=None if again is None else self.columns(self.mask(again) & moments),
        )

    def details(self, rows: Bool) -> Details:
        """What these rows say of actions; columns that are not there take no room."""
        count = int(np.count_nonzero(rows))
        kept = pa.array(rows)
        names = pa.array([], pa.string())
        actions = np.broadcast_to(np.int32(UNSAID), count)
        results = np.broadcast_to(np.int64(UNSAID), count)
        managed: Bool = np.broadcast_to(np.bool_(False), count)
        if (column := self._content("action")) is not None:
            encoded = column.filter(kept).dictionary_encode()
            names, actions = encoded.dictionary, encoded.indices.fill_null(UNSAID).to_numpy()
        if (column := self._content("results")) is not None:
            results = column.filter(kept).fill_null(UNSAID).to_numpy()
        if (column := self._content("mode")) is not None:
            managed = mask_of(pc.equal(column.filter(kept), MANAGED).fill_null(False))
        return Details(names, actions, results, managed)

    def repeats(self) -> tuple[Index, Index]:
        """The rows whose account and event id occurred before, and the first row of each."""
        named = np.flatnonzero(~mask_of(self.ids.is_null()))
        ids = self.ids.drop_null() if self.ids.null_count else self.ids
        if len(named) >= SMALL:
            # Almost every source has few repeats. Equal ids have equal fingerprints, so only rows
            # whose fingerprint occurs twice need to be compared as text.
            suspects = _alike(_fingerprints(ids, self.accounts[named]))
            named, ids = named[suspects], ids.take(pa.array(suspects))
        keys = _pairs(self.accounts[named], ids.dictionary_encode().indices.to_numpy())
        order = np.argsort(keys, kind="stable")
        same = np.zeros(len(order), np.bool_)
        same[1:] = keys[order][1:] == keys[order][:-1]
        leader = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
        by_row = np.argsort(named[order][same], kind="stable")
        return named[order][same][by_row], named[order][leader[same]][by_row]

    def differing_fields(self, rows: Index, others: Index) -> NDArray[np.object_]:
        """For each pair of rows, the first field in which they differ, or ""."""
        differing = np.full(len(rows), "", object)
        for field, values in (("identity_id", self.identities), ("type", self.types), ("occurred_at", self.instants)):
            differing[(differing == "") & (values[rows] != values[others])] = field
        for field in DETAILS:
            if (column := self._content(field)) is not None and len(rows):
                ours, theirs = column.take(pa.array(rows)), column.take(pa.array(others))
                equal = pc.or_(pc.equal(ours, theirs).fill_null(False), pc.and_(ours.is_null(), theirs.is_null()))
                differing[(differing == "") & ~mask_of(equal)] = field
        return differing

    def without_voided(self, taken: Bool) -> tuple[Bool, Index]:
        """What happened of the rows `taken`, and the voids that are rejected for voiding a void."""
        voids = np.flatnonzero(taken & (self.types == VOIDED))
        if not len(voids):
            return taken, voids
        aims = self._content("voids").take(pa.array(voids))
        targets, own = pa.chunked_array([aims, self.ids]).dictionary_encode().chunks
        wanted = _pairs(self.accounts[voids], targets.indices.to_numpy())
        ids = _pairs(self.accounts, own.indices.fill_null(len(own.dictionary)).to_numpy())
        of_voids = np.isin(wanted, ids[voids])
        voided = np.isin(ids, wanted[~of_voids])
        return taken & ~voided & (self.types != VOIDED), voids[of_voids]

    def rejection(self, row: int, code: str, field: str) -> Rejection:
        column = self._content(field)
        assert column is not None, "only what was there is rejected"
        return Rejection(code, *self.places.of(row), {"field": field, "got": column[row].as_py()})

    def conflict(self, row: int, first: int, field: str) -> Rejection:
        place = "{}:{}".format(*self.places.of(first))
        details = {"field": "event_id", "got": self.ids[row].as_py(), "first": place, "differs": field}
        return Rejection("id_conflict", *self.places.of(row), details)

    def contents(self, taken: Bool, names: Names) -> Iterator[tuple[Value, ...]]:
        """The contents of the rows `taken`, as what a digest is made of."""
        first = 0
        for batch in self._batches:
            kept = np.flatnonzero(taken[first : first + len(batch)])
            first += len(batch)
            yield from zip(*(c.to_pylist() for c in batch.take(kept).contents(names)), strict=True)

    def _content(self, field: str) -> Any:
        parts = [b.content.get(field) for b in self._batches]
        kind = next((p.type for p in parts if p is not None), None)
        if kind is None:
            return None
        return joined([pa.nulls(len(b), kind) if p is None else p for p, b in zip(parts, self._batches, strict=True)])


def _joined(arrays: list[Any], kind: type) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(0, kind)


def _pairs(accounts: Int32, codes: NDArray[Any]) -> Int64:
    return np.asarray(accounts.astype(np.int64) << 32 | codes)


def _alike(fingerprints: NDArray[np.uint64]) -> Index:
    """The rows whose fingerprint occurs more than once."""
    ordered = np.sort(fingerprints)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(fingerprints, twice)) if len(twice) else np.empty(0, np.intp)


def _fingerprints(text: pa.StringArray, accounts: Int32) -> NDArray[np.uint64]:
    """64 bits for each account and text; equal ones have equal bits."""
    _, offsets, data = text.buffers()
    width = np.int64 if pa.types.is_large_string(text.type) else np.int32
    ends = np.frombuffer(offsets, width)[text.offset : text.offset + len(text) + 1]
    out = np.empty(len(text), np.uint64)
    compiled(_fingerprint)(np.frombuffer(data, np.uint8), ends, accounts, out)
    return out


def _fingerprint(data: Any, offsets: Any, accounts: Any, out: Any) -> None:
    """FNV-1a over the account and the bytes of each text."""
    for k in range(len(out)):
        bits = (np.uint64(14695981039346656037) ^ np.uint64(accounts[k])) * np.uint64(1099511628211)
        for b in range(offsets[k], offsets[k + 1]):
            bits = (bits ^ np.uint64(data[b])) * np.uint64(1099511628211)
        out[k] = bits
