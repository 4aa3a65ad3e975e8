"""Second opinions on peaks: one in SQL, for DuckDB, and one in data frames, for Polars.

Both answer from a table of events and a table of cycles alone. They share nothing with the engine,
with the definition or with each other, not even how an instant is written:

- DuckDB looks ahead with window frames for what ends a cover, keeps of each cover the part that no
  earlier one has covered, and counts up and down along the edges.
- Polars looks ahead with as-of joins, and at each instant at which anything starts counts who is
  active, one by one.

Many ledgers go into one table, as long as their accounts have different names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import duckdb
import polars as pl
import pyarrow as pa

_KEYS: Final = ("account_id", "cycle_start", "cycle_end", "peak", "peak_at")

#: The order in which the edges of one instant are counted.
ENDS_FIRST: Final = "order by instant, change"

#: Takes tables `events` and `cycles`, and parameters `$action`, `$connect` and `$restarts`.
SQL: Final = f"""
with known as (
    -- of two events with one id the first stays
    select *, epoch_us(occurred_at) as instant
    from events
    qualify event_id is null or row_number() over (partition by account_id, event_id order by position) = 1
),
mistakes as (
    select distinct account_id, voids as event_id from known where type = 'event.voided'
),
happened as (
    -- voids go last, so that a void of a void is none
    select * from known anti join mistakes using (account_id, event_id) where type <> 'event.voided'
),
uncounted as (
    select account_id, identity_id
    from happened
    where type = 'identity.created'
    group by account_id, identity_id
    having arg_min(coalesce(identity_type, 'engagement'), position) <> 'engagement'
),
covers as (
    select
        account_id,
        identity_id,
        instant as since,
        least(
            instant + case type when 'action.called' then $action else $connect end,
            min(instant) filter (where type = 'identity.deleted') over from_now_on,
            case when $restarts then min(instant) filter (where type = 'integration.connected') over later end
        ) as until
    from happened anti join uncounted using (account_id, identity_id)
    window
        from_now_on as (
            partition by account_id, identity_id order by instant
            range between current row and unbounded following
        ),
        later as (
            partition by account_id, identity_id order by instant
            range between 1 following and unbounded following
        )
    qualify type in ('action.called', 'integration.connected')
),
parts as (
    -- what of each cover no earlier one has covered: nobody is counted twice
    select account_id, greatest(since, max(until) over earlier) as since, until
    from covers
    window earlier as (
        partition by account_id, identity_id order by since, until
        rows between unbounded preceding and 1 preceding
    )
),
inside as (
    select account_id, opens, greatest(since, opens) as since, least(until, closes) as until
    from parts join cycles using (account_id)
    where greatest(since, opens) < least(until, closes)
),
edges as (
    select account_id, opens, since as instant, 1 as change from inside
    union all
    select account_id, opens, until as instant, -1 as change from inside
),
counts as (
    select account_id, opens, instant, sum(change) over so_far as alive
    from edges
    window so_far as (partition by account_id, opens {ENDS_FIRST} rows unbounded preceding)
),
highest as (
    select *
    from counts
    qualify row_number() over (partition by account_id, opens order by alive desc, instant) = 1
),
answer as (
    select account_id, opens, closes, coalesce(alive, 0)::bigint as peak, instant
    from cycles left join highest using (account_id, opens)
)
select
    account_id,
    replace(strftime(make_timestamp(opens), '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000', ''),
    replace(strftime(make_timestamp(closes), '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000', ''),
    peak,
    replace(strftime(make_timestamp(instant), '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000', '')
from answer
order by account_id, opens
"""


def duckdb_peaks(
    events: pa.Table, cycles: pa.Table, *, windows: Mapping[str, int], reconnect: str, sql: str = SQL
) -> str:
    """The peak of every cycle, as JSON, by one statement of SQL.

    `events` has a column `position` besides those that every event has; `cycles` has `account_id`
    and the bounds `opens` and `closes`, in microseconds.
    """
    with duckdb.connect(config={"threads": 1}) as database:
        database.register("events", events)
        database.register("cycles", cycles)
        settings = {
            "action": windows["action.called"],
            "connect": windows["integration.connected"],
            "restarts": reconnect == "restarts",
        }
        return _json(database.execute(sql, settings).fetchall())


def polars_peaks(
    events: pa.Table, cycles: pa.Table, *, windows: Mapping[str, int], reconnect: str, ends_count: bool = False
) -> str:
    """The peak of every cycle, as JSON, by joins of data frames; the arguments are those of `duckdb_peaks`.

    With `ends_count`, an identity is still active at the instant at which it ends, which is wrong.
    """
    known = _frame(events).with_columns(pl.col("occurred_at").dt.epoch("us")).sort("position")
    requested = _frame(cycles)
    covers = _covers(_counted(_happened(known)), windows, restarts=reconnect == "restarts")
    closing = pl.col("until") >= pl.col("at") if ends_count else pl.col("until") > pl.col("at")
    starts = requested.join(covers, on="account_id").filter(
        pl.col("since").is_between("opens", "closes", closed="left")
    )
    moments = pl.concat(
        [
            requested.select("account_id", "opens", at="opens"),  # when those who were carried in are counted
            starts.select("account_id", "opens", at="since"),
        ]
    ).unique()
    peaks = (
        moments.join(covers, on="account_id")
        .filter(pl.col("since") <= pl.col("at"), closing)
        .group_by("account_id", "opens", "at")
        .agg(peak=pl.col("identity_id").n_unique().cast(pl.Int64))
        .sort("peak", "at", descending=[True, False])
        .group_by("account_id", "opens", maintain_order=True)
        .first()
    )
    answer = (
        requested.join(peaks, on=["account_id", "opens"], how="left")
        .sort("account_id", "opens")
        .select("account_id", _written("opens"), _written("closes"), pl.col("peak").fill_null(0), _written("at"))
    )
    return _json(answer.iter_rows())


def _happened(known: pl.DataFrame) -> pl.DataFrame:
    """Without repeats, conflicts, voids and what they void."""
    named = pl.col("event_id").is_not_null()
    once = pl.concat(
        [
            known.filter(named).unique(["account_id", "event_id"], keep="first", maintain_order=True),
            known.filter(~named),
        ]
    )
    voids = once.filter(pl.col("type") == "event.voided").select("account_id", "event_id", "voids")
    final = voids.join(
        voids.filter(named), left_on=["account_id", "voids"], right_on=["account_id", "event_id"], how="anti"
    )
    rest = once.filter(pl.col("type") != "event.voided")
    return rest.join(final, left_on=["account_id", "event_id"], right_on=["account_id", "voids"], how="anti")


def _counted(happened: pl.DataFrame) -> pl.DataFrame:
    """Without the identities whose first type is not that of those who are counted."""
    types = (
        happened.filter(pl.col("type") == "identity.created")
        .sort("position")
        .unique(["account_id", "identity_id"], keep="first")
        .select("account_id", "identity_id", kind=pl.col("identity_type").fill_null("engagement"))
    )
    kinds = happened.join(types, on=["account_id", "identity_id"], how="left")
    return kinds.filter(pl.col("kind").fill_null("engagement") == "engagement")


def _covers(counted: pl.DataFrame, windows: Mapping[str, int], *, restarts: bool) -> pl.DataFrame:
    """The spans that events cover, overlapping as they come."""
    identity = ["account_id", "identity_id"]
    covers = (
        counted.filter(pl.col("type").is_in(list(windows)))
        .select(*identity, since="occurred_at", until=pl.col("occurred_at") + _window(windows))
        .sort("since")
    )
    deletions = _instants(counted, "identity.deleted")
    covers = covers.join_asof(
        deletions, left_on="since", right_on="instant", by=identity, strategy="forward", check_sortedness=False
    ).with_columns(until=pl.min_horizontal("until", "instant"))
    if restarts:
        covers = (
            covers.drop("instant")
            .join_asof(
                _instants(counted, "integration.connected"),
                left_on="since",
                right_on="instant",
                by=identity,
                strategy="forward",
                allow_exact_matches=False,
                check_sortedness=False,
            )
            .with_columns(until=pl.min_horizontal("until", "instant"))
        )
    return covers.filter(pl.col("until") > pl.col("since")).drop("instant")


def _instants(counted: pl.DataFrame, event_type: str) -> pl.DataFrame:
    chosen = counted.filter(pl.col("type") == event_type)
    return chosen.select("account_id", "identity_id", instant="occurred_at").sort("instant")


def _window(windows: Mapping[str, int]) -> pl.Expr:
    return pl.col("type").replace_strict(dict(windows), return_dtype=pl.Int64)


def _written(instant: str) -> pl.Expr:
    text = pl.from_epoch(instant, time_unit="us").dt.to_string("%Y-%m-%dT%H:%M:%S%.6fZ")
    return text.str.replace(".000000", "", literal=True)


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _json(rows: Iterable[tuple[Any, ...]]) -> str:
    return json.dumps([dict(zip(_KEYS, row, strict=True)) for row in rows], ensure_ascii=False)
