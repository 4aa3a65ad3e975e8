"""The peaks of 2025, found by DuckDB and by Polars.

Each answers from the file alone, in the way an analyst would write it, and shares nothing with the
engine: windows of 5 and 30 days, cut short by the identity's next deletion; covers that meet are one
span; spans are cut at the months (UTC); and the highest running count of each account and month is
its peak. Both return the peak of every account in every month, zeros included.

    python -m tests.bench.peers duckdb|polars FILE
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

#: The peak of an account (its name) in a month (such as `2025-01`).
Peaks = dict[tuple[str, str], int]

_DAY: Final = 86_400_000_000

_SQL: Final = """
with events as (
    select
        account_id,
        identity_id,
        epoch_us(occurred_at) as instant,
        type = 'identity.deleted' as deletes,
        case type
            when 'action.called' then epoch_us(occurred_at) + {action}
            when 'integration.connected' then epoch_us(occurred_at) + {connect}
        end as expires
    from {source}
    where account_id like '{accounts}'
),
covers as (
    select
        account_id,
        identity_id,
        instant as "start",
        least(expires, min(instant) filter (where deletes) over later) as "end"
    from events
    window later as (
        partition by account_id, identity_id order by instant, deletes
        rows between current row and unbounded following
    )
    qualify not deletes and "end" > "start"
),
marked as (
    select *, coalesce("start" > max("end") over before, true) as begins
    from covers
    window before as (
        partition by account_id, identity_id order by "start", "end"
        rows between unbounded preceding and 1 preceding
    )
),
numbered as (
    select *, sum(begins::int) over before as span
    from marked
    window before as (partition by account_id, identity_id order by "start", "end" rows unbounded preceding)
),
spans as (
    select account_id, min("start") as "start", max("end") as "end"
    from numbered
    group by account_id, identity_id, span
),
months as (
    select
        strftime(first, '%Y-%m') as month,
        epoch_us(first) as opens,
        epoch_us(first + interval 1 month) as closes
    from generate_series(timestamp '2025-01-01', timestamp '2025-12-01', interval 1 month) as calendar (first)
),
pieces as (
    select account_id, month, greatest("start", opens) as "start", least("end", closes) as "end"
    from spans join months on "start" < closes and "end" > opens
),
edges as (
    select account_id, month, "start" as instant, 1 as change from pieces
    union all
    select account_id, month, "end" as instant, -1 as change from pieces
),
counts as (
    select account_id, month, sum(change) over before as alive
    from edges
    window before as (partition by account_id, month order by instant, change rows unbounded preceding)
),
peaks as (
    select account_id, month, max(alive) as peak from counts group by all
)
select account_id, month, coalesce(peak, 0)::int as peak
from (select distinct account_id from events) cross join months left join peaks using (account_id, month)
"""


def duckdb_peaks(path: Path, accounts: str = "%") -> Peaks:
    """By one statement of SQL; `accounts` is a pattern of LIKE."""
    import duckdb

    source = f"read_parquet('{path}')"
    if path.suffix == ".csv":
        source = f"read_csv('{path}', types = {{'occurred_at': 'TIMESTAMPTZ'}})"
    query = _SQL.format(source=source, accounts=accounts, action=30 * _DAY, connect=5 * _DAY)
    rows: Any = duckdb.sql(query)
    return {(account, month): peak for account, month, peak in rows.fetchall()}


def polars_peaks(path: Path) -> Peaks:
    """By one lazy query of data frames."""
    import polars as pl

    if path.suffix == ".csv":
        events = pl.scan_csv(path, try_parse_dates=True)
    else:
        events = pl.scan_parquet(path)
    who = ["account_id", "identity_id"]
    at, deletes = pl.col("occurred_at").dt.epoch("us"), pl.col("type") == "identity.deleted"
    window = pl.when(pl.col("type") == "action.called").then(30 * _DAY).otherwise(5 * _DAY)
    covers = (
        events.select(*(pl.col(name).cast(pl.Categorical) for name in who), start=at, deletes=deletes, window=window)
        .sort(*(pl.col(name).to_physical() for name in who), "start", "deletes")
        .with_columns(deleted=pl.when("deletes").then("start").backward_fill().over(who))
        .filter(~pl.col("deletes"))
        .with_columns(end=pl.min_horizontal(pl.col("start") + pl.col("window"), "deleted"))
        .filter(pl.col("end") > pl.col("start"))
    )
    begins = (pl.col("start") > pl.col("end").cum_max().shift().over(who)).fill_null(True)
    spans = (
        covers.with_columns(span=begins.cast(pl.Int32).cum_sum())
        .group_by("span")
        .agg(pl.col("account_id").first(), pl.col("start").min(), pl.col("end").max())
    )
    first = pl.datetime_range(pl.datetime(2025, 1, 1), pl.datetime(2025, 12, 1), "1mo", eager=True)
    months = pl.LazyFrame(
        {
            "month": first.dt.strftime("%Y-%m"),
            "opens": first.dt.epoch("us"),
            "closes": first.dt.offset_by("1mo").dt.epoch("us"),
        }
    )
    pieces = spans.join_where(months, pl.col("start") < pl.col("closes"), pl.col("end") > pl.col("opens")).select(
        "account_id",
        "month",
        start=pl.max_horizontal("start", "opens"),
        end=pl.min_horizontal("end", "closes"),
    )
    edges = pl.concat(
        [
            pieces.select("account_id", "month", at="start", change=pl.lit(1)),
            pieces.select("account_id", "month", at="end", change=pl.lit(-1)),
        ]
    )
    peaks = (
        edges.sort("at", "change")
        .with_columns(alive=pl.col("change").cum_sum().over("account_id", "month"))
        .group_by("account_id", "month")
        .agg(peak=pl.col("alive").max())
    )
    everyone = events.select(pl.col("account_id").cast(pl.Categorical)).unique()
    answer = (
        everyone.join(months.select("month"), how="cross")
        .join(peaks, on=["account_id", "month"], how="left")
        .select(pl.col("account_id").cast(pl.String), "month", pl.col("peak").fill_null(0))
        .collect()
    )
    return {(account, month): peak for account, month, peak in answer.iter_rows()}


PEERS: Final[dict[str, Callable[..., Peaks]]] = {"duckdb": duckdb_peaks, "polars": polars_peaks}


def timed(peer: str, path: Path, *options: Any) -> tuple[float, Peaks]:
    """The seconds that a peer takes in a process of its own, without those to load it, and its answer."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_timed, peer, path, *options).result()


def _timed(peer: str, path: Path, *options: Any) -> tuple[float, Peaks]:
    __import__(peer)
    began = time.perf_counter()
    peaks = PEERS[peer](path, *options)
    return time.perf_counter() - began, peaks


if __name__ == "__main__":
    seconds, answer = _timed(sys.argv[1], Path(sys.argv[2]))
    print(f"{len(answer):,} peaks that add up to {sum(answer.values()):,} in {seconds:.2f} s")
