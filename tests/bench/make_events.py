"""Large, plausible files of events, for measuring.

A few accounts have most of the identities. An identity is used for a part of 2025, some a thousand
times as often as others; of its events one in twenty is a connect, one in two hundred a deletion,
the rest are actions. A file is made a row group at a time, so memory does not grow with it, and the
same seed gives the same rows: in order of time, shuffled, with ids and without.

    python -m tests.bench.make_events FILE.parquet --events 20e6 [--shuffled] [--ids]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

TYPES: Final = pa.array(["integration.connected", "action.called", "identity.deleted"])
SHARES: Final = (0.05, 0.945, 0.005)
#: Rows of a row group.
GROUP: Final = 1 << 20

_JANUARY: Final = 1_735_689_600_000_000
_YEAR: Final = 365 * 86_400_000_000
_INSTANT = pa.timestamp("us", "UTC")
_ROW = np.dtype([("place", np.int64), ("identity", np.int32), ("type", np.int8), ("instant", np.int64)])

Rows = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is of what, and the seed that says which."""

    events: int
    identities: int = 200_000
    accounts: int = 2_000
    seed: int = 1

    @property
    def groups(self) -> int:
        """How many row groups the events fill."""
        return -(-self.events // GROUP)


class Population:
    """The identities: whose each is, from when to when it is used (as parts of the year), how often."""

    def __init__(self, size: Size) -> None:
        dice = np.random.default_rng(size.seed)
        weight = np.arange(1, size.accounts + 1) ** -0.8
        self.account_of = dice.choice(size.accounts, size.identities, p=weight / weight.sum()).astype(np.int32)
        self.busy = dice.gamma(0.5, 1.0, size.identities)
        self.born = dice.uniform(0, 0.8, size.identities)
        self.gone = np.minimum(self.born + dice.uniform(0.02, 0.42, size.identities), 1)

    def during(self, start: float, end: float) -> NDArray[np.float64]:
        """How often each identity is used in a part of the year, added up identity by identity."""
        weight = self.busy * ((self.born < end) & (self.gone > start))
        return np.cumsum(weight if weight.any() else self.busy)


def write(path: Path, size: Size, *, shuffled: bool = False, ids: bool = False) -> None:
    """Write a Parquet file of events with the columns account_id, identity_id, type and occurred_at.

    `ids` adds event_id. `shuffled` mixes the rows over the whole file.
    """
    population = Population(size)
    accounts = pa.array([f"acct_{k:07x}" for k in range(size.accounts)])
    identities = pa.array([f"id_{k:09x}" for k in range(size.identities)])
    fields = [pa.field(name, pa.string()) for name in ("account_id", "identity_id", "type")]
    fields.append(pa.field("occurred_at", _INSTANT))
    schema = pa.schema([pa.field("event_id", pa.string()), *fields] if ids else fields)
    groups = _in_order_of_time(population, size)
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch, pq.ParquetWriter(path, schema) as out:
        for rows in _mixed(groups, size, Path(scratch)) if shuffled else groups:
            columns = [
                _text(population.account_of[rows["identity"]], accounts),
                _text(rows["identity"], identities),
                _text(rows["type"], TYPES),
                pa.array(rows["instant"], _INSTANT),
            ]
            if ids:
                columns.insert(0, pa.array([f"ev_{place:012x}" for place in rows["place"].tolist()]))
            out.write_table(pa.table(columns, schema=schema), row_group_size=len(rows))


def _in_order_of_time(population: Population, size: Size) -> Iterator[Rows]:
    """The events, a row group at a time, each group with dice of its own."""
    for group in range(size.groups):
        dice = np.random.default_rng((size.seed, group))
        start, end = group / size.groups, (group + 1) / size.groups
        rows = np.empty(min(GROUP, size.events - group * GROUP), _ROW)
        weight = population.during(start, end)
        rows["place"] = group * GROUP + np.arange(len(rows))
        rows["identity"] = np.searchsorted(weight, dice.uniform(0, weight[-1], len(rows)), side="right")
        rows["type"] = np.searchsorted(np.cumsum(SHARES[:-1]), dice.uniform(0, 1, len(rows)), side="right")
        rows["instant"] = _JANUARY + (np.sort(dice.uniform(start, end, len(rows))) * _YEAR).astype(np.int64)
        yield rows


def _mixed(groups: Iterator[Rows], size: Size, scratch: Path) -> Iterator[Rows]:
    """The same rows, each group of them drawn from all groups.

    Every group is shuffled and dealt out like cards, one hand for each group to be written. The
    hands lie on the disk until all are dealt.
    """
    hands = [scratch / f"{k}.rows" for k in range(size.groups)]
    dice = np.random.default_rng((size.seed, size.groups))
    for rows in groups:
        dice.shuffle(rows)
        for hand, path in enumerate(hands):
            with path.open("ab") as file:
                rows[hand :: len(hands)].tofile(file)
    for path in hands:
        rows = np.fromfile(path, _ROW)
        dice.shuffle(rows)
        yield rows


def _text(codes: NDArray[np.int32], names: pa.Array) -> pa.Array:
    return names.take(pa.array(codes))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="make_events", description="Make a large Parquet file of events.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--events", type=float, default=20e6)
    parser.add_argument("--identities", type=float, default=200e3)
    parser.add_argument("--accounts", type=float, default=2e3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shuffled", action="store_true", help="mix the rows over the whole file")
    parser.add_argument("--ids", action="store_true", help="give every event an event_id")
    given = parser.parse_args()
    size = Size(int(given.events), int(given.identities), int(given.accounts), given.seed)
    write(given.file, size, shuffled=given.shuffled, ids=given.ids)


if __name__ == "__main__":
    main()
