"""Event types, and events as columns.

Names are text at the interfaces and integers inside: an account, an identity and a type are codes into
`Names` and `TYPES`, and an instant is microseconds since 1970-01-01T00:00:00Z. Codes are assigned in
order of appearance and have no meaning of their own; results are ordered by name.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
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

#: The mode of a call that is not run by one of the account's own identities.
MANAGED: Final = "managed"

#: The optional fields of an event: its details.
DETAILS: Final = ("identity_type", "action", "results", "mode", "voids")
#: The content of an event, in the order in which a digest takes it. When it was recorded is not part of it.
CONTENT: Final = ("account_id", "identity_id", "type", "occurred_at", "event_id", *DETAILS)

#: Enough bits for the types that begin or end activity, which come first.
_TYPE_BITS: Final = 2
#: How many rows are worked on at a time where intermediate arrays would be large.
_SLICE: Final = 1 << 20

_TEXT: Final = pa.string()
#: In place of an action or a number of results that an event does not give.
UNSAID: Final = -1
#: Text columns hold at most so many bytes.
_OFFSET_MAX: Final = 2**31 - 1

#: A source, and a line in it.
Place = tuple[str, int]

#: Events occur in [2000, 2200); outside of it a clock or a unit is wrong.
INSTANT_MIN: Final = 946_684_800 * SECOND
INSTANT_MAX: Final = 7_258_118_400 * SECOND


@dataclass(frozen=True)  # without slots, so that the two look-ups can be kept
class Names:
    """The names behind the codes of accounts and identities.

    `accounts` and `identities` are Arrow string arrays; `account_of[i]` is the account code of
    identity `i` (int32), since an identity belongs to its account: the same text under two accounts
    is two identities. `standard[i]` is true for identities that are never counted.
    """

    accounts: pa.Array
    identities: pa.Array
    account_of: Int32
    standard: Bool

    @cached_property
    def account_names(self) -> list[str]:
        """The name of each account, by its code."""
        names: list[str] = self.accounts.to_pylist()
        return names

    def code_of(self, account_id: str) -> int:
        """The code of an account. Raises `KeyError` for a name that is not among `account_names`."""
        return self._codes[account_id]

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.account_names)}


@dataclass(frozen=True, slots=True)
class Columns:
    """Connects, actions and deletions as three columns of one length.

    `identities` (int32 codes), `types` (int8 codes, below `CREATED`) and `instants` (int64,
    microseconds). The order of rows never changes an answer; ordered by time they are answered faster.
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

    def take(self, rows: NDArray[np.intp]) -> Columns:
        """These rows, in this order."""
        return Columns(self.identities[rows], self.types[rows], self.instants[rows])

    def part(self, first: int, end: int) -> Columns:
        """Rows `first` to `end`, without `end`."""
        return Columns(self.identities[first:end], self.types[first:end], self.instants[first:end])

    def in_order_of_time(self) -> Columns:
        """The same events, sorted once by instant; ties in any order."""
        if np.all(self.instants[:-1] <= self.instants[1:]):
            return self
        # An event is packed into one integer, its instant first: sorting these takes a quarter of the time
        # of sorting an index by instant and fetching three columns through it. Of a long span of time the
        # highest bits do not fit; they first sort the events into a few buckets.
        first, last = int(self.instants.min()), int(self.instants.max())
        identity_bits = int(self.identities.max()).bit_length()
        low, high = np.uint64(identity_bits + _TYPE_BITS), np.uint64(64 - identity_bits - _TYPE_BITS)
        packed = np.empty(len(self), np.uint64)
        buckets = np.zeros(len(self), np.min_scalar_type((last - first) >> int(high)))
        for rows in self._slices():  # large intermediate arrays would cost more than the arithmetic
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
        # The instants overwrite the integers that they are unpacked from.
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
    def concat(parts: Sequence[Columns]) -> Columns:
        """The rows of several columns, one after the other."""
        return Columns(
            np.concatenate([p.identities for p in parts]),
            np.concatenate([p.types for p in parts]),
            np.concatenate([p.instants for p in parts]),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a source that can be accepted, as columns, in its order.

    `accounts` and `identities` (int32) and `types` (int8) are codes, `instants` int64 microseconds.
    `standard` is, for `identity.created`, the identity type (int8: 0 engagement, 1 standard).
    `content` has the other columns, as Arrow arrays of the same length, `recorded_at` as int64;
    `place_of(k)` gives the source of row `k` and the line in it.
    """

    accounts: Int32
    identities: Int32
    types: Int8
    instants: Int64
    standard: Int8
    content: dict[str, pa.Array]
    place_of: Callable[[int], Place]

    def __len__(self) -> int:
        return len(self.instants)

    def take(self, rows: NDArray[np.intp]) -> Batch:
        """These rows, in this order."""
        where = pa.array(rows)
        place_of = self.place_of  # a closure over these rows only, so that the others can be freed
        return Batch(
            self.accounts[rows],
            self.identities[rows],
            self.types[rows],
            self.instants[rows],
            self.standard[rows],
            {field: array.take(where) for field, array in self.content.items()},
            lambda k: place_of(int(rows[k])),
        )

    def contents(self, names: Names) -> list[pa.Array]:
        """The content of the rows, a column for each of `CONTENT`: text, and `occurred_at` and `results` as int64."""
        known = {
            "account_id": names.accounts.take(pa.array(self.accounts)),
            "identity_id": names.identities.take(pa.array(self.identities)),
            "type": pa.array(TYPES).take(pa.array(self.types)),
            "occurred_at": pa.array(self.instants),
            **self.content,
        }
        return [known[field] if field in known else pa.nulls(len(self), _TEXT) for field in CONTENT]

    @staticmethod
    def concat(parts: Sequence[Batch]) -> Batch:
        """The rows of several batches, one after the other; a column that a batch lacks is null in its rows."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            codes, types, instants = np.empty(0, np.int32), np.empty(0, np.int8), np.empty(0, np.int64)
            return Batch(codes, codes, types, instants, types, {}, Places().of)
        kinds = {field: array.type for part in parts for field, array in part.content.items()}
        places = Places(parts)
        return Batch(
            np.concatenate([p.accounts for p in parts]),
            np.concatenate([p.identities for p in parts]),
            np.concatenate([p.types for p in parts]),
            np.concatenate([p.instants for p in parts]),
            np.concatenate([p.standard for p in parts]),
            {
                field: concat_arrays([p.content.get(field, pa.nulls(len(p), kind)) for p in parts])
                for field, kind in kinds.items()
            },
            places.of,
        )


class Places:
    """The source and line of each row, for messages."""

    def __init__(self, batches: Iterable[Batch] = ()) -> None:
        self._starts: list[int] = []
        self._batches: list[Callable[[int], Place]] = []
        self.count = 0
        for batch in batches:
            self.add(batch)

    def add(self, batch: Batch) -> int:
        """Add the next batch, and return the number of its first row."""
        self._starts.append(self.count)
        self._batches.append(batch.place_of)
        self.count += len(batch)
        return self._starts[-1]

    def of(self, row: int) -> Place:
        """The source and the line of a row."""
        part = bisect_right(self._starts, row) - 1
        return self._batches[part](row - self._starts[part])


def concat_arrays(arrays: Sequence[pa.Array]) -> pa.Array:
    """Arrow arrays of one type as one array."""
    kind = arrays[0].type
    if pa.types.is_string(kind) and sum(array.nbytes for array in arrays) > _OFFSET_MAX:
        arrays = [array.cast(pa.large_string()) for array in arrays]
    return pa.concat_arrays(arrays)


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
class History:
    """What was known when, as far as a source says.

    `recorded` is when each row of `Events.columns` was recorded (int64 microseconds; for rows that do not
    say, the latest of all). `voided` are connects, actions and deletions that were voided: known from
    `voided_since` until `voided_until`. `repeats` are those that were sent again.
    """

    recorded: Int64 | None
    voided: Columns
    voided_since: Int64
    voided_until: Int64
    repeats: Columns | None


@dataclass(frozen=True, slots=True)
class Details:
    """The details of calls, a row for each of `Events.columns`.

    `actions` (int32) are codes into `names`, an Arrow string array, and `results` (int64) how many
    results a call had; both are `UNSAID` where the event does not say. `managed` is true for calls in
    managed mode. Rows that are not calls have no meaning.
    """

    names: pa.Array
    actions: Int32
    results: Int64
    managed: Bool


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a source: what happened, and what could not be accepted.

    `columns` holds connects, actions and deletions in the order of the source, without repeats,
    conflicts and voided ones; `event_ids` (an Arrow string array or none) belongs to its rows.
    `accepted` counts the accepted events of each account, of every type (int64). `digest` is the
    SHA-256 over all accepted events, if requested; for events of a ledger, `position` and `digest` are
    those of the ledger. `history` and `details` are there if requested.
    """

    names: Names
    columns: Columns
    accepted: Int64
    tally: Tally
    rejections: tuple[Rejection, ...] = ()
    event_ids: pa.Array | None = None
    digest: str | None = None
    position: int | None = None
    history: History | None = None
    details: Details | None = None

    def __len__(self) -> int:
        return self.tally.accepted

    def __repr__(self) -> str:
        return f"Events({self.tally}, {np.count_nonzero(self.accepted)} accounts)"
