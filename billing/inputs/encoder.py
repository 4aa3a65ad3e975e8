"""Coding: rows of text become columns of integers, and what cannot be accepted becomes rejections.

All checks are made on whole columns; a row is looked at by itself only once it is known to be
wrong. Nothing is lost: every row received ends as accepted, duplicate or rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.errors import BadSource, Rejection
from ..core.event import CREATED, IDENTITY_TYPES, MANAGED, VOIDED, Batch, Bool, Int8, Int32, Names, Place
from ..core.kernel import compiled
from .checks import Faults
from .identifiers import NONE, Registry, encoded
from .rows import Rows, mask_of
from .timestamps import parse

#: What may run an action; see the action catalogue.
MODES: Final = ("direct", "auto", MANAGED)
#: Columns that hold one of a few words, and the code for any other.
_CHOICES: Final = (
    ("identity_type", IDENTITY_TYPES, "identity_type_unknown"),
    ("mode", MODES, "mode_unknown"),
)


class Encoder:
    """Turns the rows of one source into batches, handing out the codes of names."""

    def __init__(self, *, known_at: int | None = None) -> None:
        self.accounts = Registry()
        self.rejections: list[Rejection] = []
        self.received = 0
        self.accepted = np.empty(0, np.int64)  # rows per account
        self._known_at = known_at
        self._names = Registry()
        self._account_of = np.empty(0, np.int32)  # per identity
        self._pairs: pa.Array | None = None  # of account and name, once two accounts share a name

    def begin(self, *, known_at: int | None = None) -> None:
        """Turn to another source, whose names get the codes that they have already."""
        self.rejections, self.received, self._known_at = [], 0, known_at

    @property
    def identity_count(self) -> int:
        """How many identities are known by now."""
        return len(self._account_of)

    def names(self, standard: Bool) -> Names:
        """Who the codes stand for; `standard` marks the identities that are never counted."""
        # Another thread may be adding names: what refers is read before what it refers to.
        pairs, account_of = self._pairs, self._account_of
        identities = self._names.known
        if pairs is not None:
            identities = identities.take(pa.array(pairs.to_numpy() & 0xFFFF_FFFF))
        # Names not seen in an accepted row belong to nobody: any account will do for them.
        return Names(self.accounts.known, identities, np.maximum(account_of, 0), standard)

    def identity_name(self, identity: int) -> str:
        """The name of one identity."""
        name = identity if self._pairs is None else self._pairs[int(identity)].as_py() & 0xFFFF_FFFF
        return str(self._names.known[int(name)].as_py())

    def batches(self, several: Sequence[Rows]) -> Iterator[Batch]:
        """The accepted rows as columns; the others are added to `rejections`. Raises `BadSource`.

        Names are looked up for all of `several` together, which costs less than for one by one.
        """
        if not several:
            return
        accounts = [encoded(rows.columns["account_id"]) for rows in several]
        names = [encoded(rows.columns["identity_id"]) for rows in several]
        places_of_accounts = self.accounts.places_of([c.dictionary for c in accounts])
        places_of_names = self._names.places_of([c.dictionary for c in names])
        for k, rows in enumerate(several):
            faults = Faults(rows)
            yield self._batch(
                rows,
                faults,
                faults.types(),
                faults.names("account_id", accounts[k], places_of_accounts[k], self.accounts),
                faults.names("identity_id", names[k], places_of_names[k], self._names),
            )

    def _batch(self, rows: Rows, faults: Faults, types: Int8, accounts: Int32, names: Int32) -> Batch:
        columns = rows.columns
        instants = faults.instants("occurred_at")
        content: dict[str, pa.Array] = {}
        for field in ("event_id", "voids", "action"):
            if field in columns:
                content[field] = faults.text(field)
        for field, words, code in _CHOICES:
            if field in columns:
                content[field] = faults.one_of(field, words, code)
        if "results" in columns:
            content["results"] = faults.whole_numbers("results")
        standard = np.zeros(rows.length, np.int8)
        if (types == CREATED).any():
            faults.needs(types == CREATED, "identity_type", content, "identity_type_missing")
            if "identity_type" in content:
                standard = mask_of(pc.equal(content["identity_type"], "standard").fill_null(False)).astype(np.int8)
        if (types == VOIDED).any():
            faults.needs(types == VOIDED, "voids", content, "voids_missing")
        known = self._known(rows, faults, content)
        kept, rejected = faults.settle(known)
        self.rejections += sorted([*rows.rejections, *rejected], key=lambda r: r.line)
        self.received += (rows.length if known is None else int(known.sum())) + len(rows.rejections)
        place_of: Callable[[int], Place] = rows.place_of
        if kept is not None:
            accounts, names, types = accounts[kept], names[kept], types[kept]
            instants, standard = instants[kept], standard[kept]
            content = {field: array.take(pa.array(kept)) for field, array in content.items()}
            place_of = _among(kept, rows.place_of)
        identities = self._identities(accounts, names)
        return Batch(accounts, identities, types, instants, standard, content, place_of)

    def _known(self, rows: Rows, faults: Faults, content: dict[str, pa.Array]) -> Bool | None:
        """Which rows were known at the moment asked for; none means all."""
        if "recorded_at" not in rows.columns:
            if self._known_at is not None and rows.length:
                raise BadSource("known_at_unavailable", rows.source)
            return None
        recorded, codes = parse(rows.columns["recorded_at"], field="recorded_at", where=rows.source)
        absent = codes == "ts_missing" if codes is not None else np.zeros(rows.length, np.bool_)
        if codes is not None:
            needed = "recorded_at_missing" if self._known_at is not None else ""
            faults.add("recorded_at", np.where(absent, needed, codes))
        content["recorded_at"] = pa.array(recorded, mask=absent)
        return None if self._known_at is None else (recorded <= self._known_at) | absent

    def _identities(self, accounts: Int32, names: Int32) -> Int32:
        """Identity codes: that of the name, as long as each name belongs to one account."""
        self.accepted = np.append(self.accepted, np.zeros(len(self.accounts) - len(self.accepted), np.int64))
        claimed = 0
        if self._pairs is None:
            fresh = len(self._names) - len(self._account_of)
            self._account_of = np.append(self._account_of, np.full(fresh, NONE, np.int32))
            claimed = compiled(_claim, len(names))(accounts, names, self._account_of, self.accepted)
            if claimed == len(names):
                return names
            # Names not seen in an accepted row belong to nobody yet: any account will do for them.
            self._pairs = _pair(np.maximum(self._account_of, 0), np.arange(len(self._account_of)))
        if not len(names):  # Arrow would leave out the chunk of these, and give back the one before
            return names
        self.accepted += np.bincount(accounts[claimed:], minlength=len(self.accepted))
        together = pa.chunked_array([self._pairs, _pair(accounts, names)]).dictionary_encode()
        found = together.chunk(together.num_chunks - 1)
        self._pairs = found.dictionary
        self._account_of = (self._pairs.to_numpy() >> 32).astype(np.int32)
        return np.asarray(found.indices.to_numpy(), np.int32)


def _claim(accounts: Any, names: Any, account_of: Any, accepted: Any) -> int:
    """Claim each name for its account, counting rows, up to one that belongs to another account."""
    for k in range(len(names)):
        owner = account_of[names[k]]
        if owner == NONE:
            account_of[names[k]] = accounts[k]
        elif owner != accounts[k]:
            return k
        accepted[accounts[k]] += 1
    return len(names)


def _pair(accounts: NDArray[Any], names: NDArray[Any]) -> pa.Array:
    return pa.array(accounts.astype(np.int64) << 32 | names)


def _among(kept: NDArray[np.intp], place_of: Callable[[int], Place]) -> Callable[[int], Place]:
    """Where the rows that were kept stand."""
    return lambda k: place_of(int(kept[k]))
