"""Encodes rows: names become integer codes, accepted rows become batches, the others rejections.

No row is lost: each one received is accepted, a duplicate or rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.errors import Rejection
from ..core.event import CREATED, TYPES, Batch, Bool, Int8, Int32, Names
from ..core.kernel import compile_kernel
from .checks import Complaint, check_details, check_recorded, collect_rejections
from .registry import NONE, Encoded, Registry, encode_dictionary, look_up
from .rows import Bad, RawRows, to_mask
from .timestamps import parse_timestamps


class Encoder:
    """Turns raw rows into batches; owns the codes of the names, which several sources can share."""

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
        """Start with another source; names keep the codes they have."""
        self.rejections, self.received, self._known_at = [], 0, known_at

    @property
    def identity_count(self) -> int:
        """How many identities are known so far."""
        return len(self._account_of)

    def names(self, standard: Bool) -> Names:
        """The names behind the codes; `standard` marks the identities that are never counted."""
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

    def encode(self, parts: Sequence[RawRows]) -> Iterator[Batch]:
        """The accepted rows of each part; the others are added to `rejections`. Raises `BadSource`.

        Names are looked up for all parts together, which costs less than part by part.
        """
        if not parts:
            return
        accounts = self.accounts.encode([rows.columns["account_id"] for rows in parts])
        names = self._names.encode([rows.columns["identity_id"] for rows in parts])
        yield from map(self._encode_part, parts, accounts, names)

    def _encode_part(self, rows: RawRows, accounts: Encoded, names: Encoded) -> Batch:
        account_codes, bad_accounts = accounts
        name_codes, bad_names = names
        types, bad_types = _encode_types(rows.columns["type"])
        instants, bad_instants = parse_timestamps(rows.columns["occurred_at"], field="occurred_at", where=rows.source)
        content, bad_details = check_details(rows, types)
        recorded, bad_recorded, known = check_recorded(rows, self._known_at)
        if recorded is not None:
            content["recorded_at"] = recorded
        complaints: list[Complaint] = [
            ("type", bad_types),
            ("account_id", bad_accounts),
            ("identity_id", bad_names),
            ("occurred_at", bad_instants),
            *bad_details,
            ("recorded_at", bad_recorded),
        ]
        kept, rejected = collect_rejections(rows, complaints, known)
        self.rejections += sorted([*rows.rejections, *rejected], key=lambda r: r.line)
        self.received += (rows.length if known is None else int(known.sum())) + len(rows.rejections)
        standard = _find_standard(types, content.get("identity_type"))
        batch = Batch(account_codes, name_codes, types, instants, standard, content, rows.place_of)
        if kept is not None:
            batch = batch.take(kept)
        return replace(batch, identities=self._identify(batch.accounts, batch.identities))

    def _identify(self, accounts: Int32, names: Int32) -> Int32:
        """Identity codes: those of the names, as long as each name belongs to one account."""
        self.accepted = np.append(self.accepted, np.zeros(len(self.accounts) - len(self.accepted), np.int64))
        claimed = 0
        if self._pairs is None:
            fresh = len(self._names) - len(self._account_of)
            self._account_of = np.append(self._account_of, np.full(fresh, NONE, np.int32))
            claimed = compile_kernel(_claim, len(names))(accounts, names, self._account_of, self.accepted)
            if claimed == len(names):
                return names
            # Names not seen in an accepted row belong to nobody yet: any account will do for them.
            self._pairs = _pair(np.maximum(self._account_of, 0), np.arange(len(self._account_of)))
        if not len(names):  # Arrow would leave out this empty chunk and return the one before
            return names
        self.accepted += np.bincount(accounts[claimed:], minlength=len(self.accepted))
        together = pa.chunked_array([self._pairs, _pair(accounts, names)]).dictionary_encode()
        found = together.chunk(together.num_chunks - 1)
        self._pairs = found.dictionary
        self._account_of = (self._pairs.to_numpy() >> 32).astype(np.int32)
        return np.asarray(found.indices.to_numpy(), np.int32)


def _encode_types(column: pa.Array) -> tuple[Int8, Bad | None]:
    """The codes of event types. An unknown type, or a known one in another spelling, is never guessed."""
    encoded = encode_dictionary(column)
    words = encoded.dictionary.to_pylist()
    table = np.array([TYPES.index(w) if w in TYPES else NONE for w in words], np.int8)
    types = look_up(encoded.indices, table, missing=NONE)
    if NONE not in table and not encoded.null_count:
        return types, None
    wrong = types == NONE
    if not wrong.any():
        return types, None
    why = ["type_unknown" if w and w == w.strip().lower() else "type_invalid" for w in words]
    codes = np.array([*why, "type_invalid"], object)[encoded.indices.fill_null(len(words)).to_numpy()]
    return types, np.where(wrong, codes, "")


def _find_standard(types: Int8, identity_types: pa.Array | None) -> Int8:
    """For each `identity.created`, 1 if the identity is a standard one."""
    if identity_types is None or not (types == CREATED).any():
        return np.zeros(len(types), np.int8)
    return to_mask(pc.equal(identity_types, "standard").fill_null(False)).astype(np.int8)


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
