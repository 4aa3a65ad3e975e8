"""Event types, and events as columns.

Names are text at the doors and integers in between: an account, an identity and a type are codes
into `Names` and `TYPES`, and an instant is microseconds since 1970-01-01T00:00:00Z. Codes are handed
out in order of appearance and mean nothing in themselves; results are ordered by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .errors import Rejection

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Int8 = NDArray[np.int8]
Bool = NDArray[np.bool_]

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND

CONNECTED: Final = 0
CALLED: Final = 1
DELETED: Final = 2
CREATED: Final = 3
VOIDED: Final = 4

#: The types of events, each at the index that is its code.
TYPES: Final = (
    "integration.connected",
    "action.called",
    "identity.deleted",
    "identity.created",
    "event.voided",
)
#: The types an identity can have. Only engagement identities are counted.
IDENTITY_TYPES: Final = ("engagement", "standard")

#: Enough for the types that make or end activity, which come first.
_TYPE_BITS: Final = 2
#: How many rows are worked on at a time where what comes between would be large.
_SLICE: Final = 1 << 20

#: Events occur in [2000, 2200): outside, a clock or a unit is wrong.
INSTANT_MIN: Final = 946_684_800 * SECOND
INSTANT_MAX: Final = 7_258_118_400 * SECOND


@dataclass(frozen=True, slots=True)
class Names:
    """Who the codes stand for.

    `accounts` and `identities` are Arrow string arrays; `account_of[i]` is the account code of
    identity `i` (int32), since an identity belongs to its account: the same text under two accounts
    is two identities. `standard[i]` is true for identities that are never counted.
    """

    accounts: pa.Array
    identities: pa.Array
    account_of: Int32
    standard: Bool


@dataclass(frozen=True, slots=True)
class Columns:
    """Connects, actions and deletions as three columns of one length.

    `identities` (int32 codes), `types` (int8 codes, below `CREATED`) and `instants` (int64,
    microseconds). The order of rows never changes an answer; order of time makes it faster.
    """

    identities: Int32
    types: Int8
    instants: Int64

    def __post_init__(self) -> None:
        assert len(self.identities) == len(self.types) == len(self.instants), "three columns, one length"

    def __len__(self) -> int:
        return len(self.instants)

    def where(self, mask: Bool) -> Columns:
        """The rows for which `mask` is true."""
        return Columns(self.identities[mask], self.types[mask], self.instants[mask])

    def part(self, first: int, end: int) -> Columns:
        """Rows `first` to `end`, the latter not included."""
        return Columns(self.identities[first:end], self.types[first:end], self.instants[first:end])

    def in_order_of_time(self) -> Columns:
        """The same events, sorted once by instant; ties in any order."""
        if np.all(self.instants[:-1] <= self.instants[1:]):
            return self
        # An event fits one integer, its instant first: sorting those takes a quarter of the time of
        # sorting an index by instant and fetching three columns through it. What does not fit of a
        # long span of time, its highest bits, sorts events into a few buckets before.
        first, last = int(self.instants.min()), int(self.instants.max())
        identity_bits = int(self.identities.max()).bit_length()
        low, high = np.uint64(identity_bits + _TYPE_BITS), np.uint64(64 - identity_bits - _TYPE_BITS)
        packed = np.empty(len(self), np.uint64)
        buckets = np.zeros(len(self), np.min_scalar_type((last - first) >> int(high)))
        for rows in self._slices():  # large intermediate arrays would cost more than the sums
            offsets = (self.instants[rows] - first).astype(np.uint64)
            tails = self.identities[rows].astype(np.uint64) << np.uint64(_TYPE_BITS)
            tails |= self.types[rows].astype(np.uint64)
            packed[rows] = (offsets << low) | tails
            buckets[rows] = offsets >> high
        if buckets.any():
            order = np.argsort(buckets, kind="stable")
            packed, buckets = packed[order], buckets[order]
        for bucket in np.split(packed, np.flatnonzero(buckets[1:] != buckets[:-1]) + 1):
            bucket.sort()
        # The instants take the place of what they are taken from.
        sorted_ = Columns(np.empty_like(self.identities), np.empty_like(self.types), packed.view(np.int64))
        for rows in self._slices():
            part = packed[rows]
            sorted_.types[rows] = part & np.uint64((1 << _TYPE_BITS) - 1)
            sorted_.identities[rows] = (part >> np.uint64(_TYPE_BITS)) & np.uint64((1 << identity_bits) - 1)
            offsets = (part >> low) | (buckets[rows].astype(np.uint64) << high)
            sorted_.instants[rows] = offsets.astype(np.int64) + first
        return sorted_

    def _slices(self) -> Iterator[slice]:
        for start in range(0, len(self), _SLICE):
            yield slice(start, start + _SLICE)

    @staticmethod
    def joined(parts: Sequence[Columns]) -> Columns:
        """Columns put one after the other."""
        return Columns(
            np.concatenate([p.identities for p in parts]),
            np.concatenate([p.types for p in parts]),
            np.concatenate([p.instants for p in parts]),
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the rows of a source: `received = accepted + duplicates + rejected`."""

    received: int
    accepted: int
    duplicates: int
    rejected: int

    def __post_init__(self) -> None:
        assert self.received == self.accepted + self.duplicates + self.rejected, f"a row was lost: {self}"

    def __str__(self) -> str:
        return (
            f"{self.received:,} received = {self.accepted:,} accepted + "
            f"{self.duplicates:,} duplicates + {self.rejected:,} rejected"
        )


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a source: what happened, and what could not be accepted.

    `columns` holds connects, actions and deletions in the order of the source, without repeats,
    conflicts and voided ones; `event_ids` (an Arrow string array or none) belongs to its rows.
    `accepted` counts the accepted events of each account, of every type (int64). `digest` is the
    SHA-256 over all accepted events, where it was asked for.
    """

    names: Names
    columns: Columns
    accepted: Int64
    tally: Tally
    rejections: tuple[Rejection, ...] = ()
    event_ids: pa.Array | None = None
    digest: str | None = None

    def __len__(self) -> int:
        return self.tally.accepted

    def __repr__(self) -> str:
        return f"Events({self.tally}, {np.count_nonzero(self.accepted)} accounts)"
