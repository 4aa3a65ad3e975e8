"""What the figures rest on: files that can be made again, and peers that know the definition."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from billing.verify import definition
from tests.bench import make_events, peers

JANUARY = datetime(2025, 1, 1, tzinfo=UTC)
MONTHS = [datetime(2025 + k // 12, k % 12 + 1, 1, tzinfo=UTC) for k in range(13)]
SMALL = make_events.Size(events=1_200_000, identities=500, accounts=7)


@pytest.mark.parametrize("peer", peers.PEERS)
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_peer_finds_the_peaks_of_the_definition(peer: str, kind: str, tmp_path: Path) -> None:
    """Events on a grid of days, so that windows end, deletions strike and months turn at the same instants."""
    dice = random.Random(2025)
    rows = [
        (
            f"account {dice.randrange(3)}",
            f"identity {dice.randrange(6)}",
            dice.choices(list(make_events.TYPES.to_pylist()), [3, 5, 2])[0],
            JANUARY + timedelta(days=dice.randrange(-40, 400), microseconds=dice.choice([0, 0, 0, 1])),
        )
        for _ in range(700)
    ]
    path = _written(rows, tmp_path / f"events.{kind}")
    by_account: dict[str, list[definition.Event]] = {}
    for account, identity, type_, at in rows:
        by_account.setdefault(account, []).append(definition.Event(account, identity, type_, _micros(at)))
    expected = {
        (account, f"{start:%Y-%m}"): definition.peak(events, _micros(start), _micros(end))[0]
        for account, events in by_account.items()
        for start, end in pairwise(MONTHS)
    }
    assert expected == peers.PEERS[peer](path)


def test_rows_shuffled_are_the_same_rows(tmp_path: Path) -> None:
    """Only then does the time for disorder say what disorder costs."""
    make_events.write(tmp_path / "sorted.parquet", SMALL, ids=True)
    make_events.write(tmp_path / "shuffled.parquet", SMALL, ids=True, shuffled=True)
    in_order, shuffled = pq.read_table(tmp_path / "sorted.parquet"), pq.read_table(tmp_path / "shuffled.parquet")
    instants = in_order["occurred_at"].to_numpy()
    assert (instants[:-1] <= instants[1:]).all()
    assert not in_order.equals(shuffled)
    assert in_order.equals(shuffled.sort_by("event_id"))


def test_a_seed_is_a_file(tmp_path: Path) -> None:
    """Figures of two runs are of the same events."""
    once, again, other = (tmp_path / name for name in ("once.parquet", "again.parquet", "other.parquet"))
    size = make_events.Size(events=1_000, identities=50, accounts=3)
    make_events.write(once, size)
    make_events.write(again, size)
    make_events.write(other, make_events.Size(events=1_000, identities=50, accounts=3, seed=2))
    assert once.read_bytes() == again.read_bytes() != other.read_bytes()


def _written(rows: list[tuple[str, str, str, datetime]], path: Path) -> Path:
    account, identity, kind, at = (list(column) for column in zip(*rows, strict=True))
    table = pa.table({"account_id": account, "identity_id": identity, "type": kind})
    if path.suffix == ".csv":
        pacsv.write_csv(table.append_column("occurred_at", [[_text(one) for one in at]]), path)
    else:
        pq.write_table(table.append_column("occurred_at", pa.array(at, pa.timestamp("us", "UTC"))), path)
    return path


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
