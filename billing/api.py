"""The Python door: the engine's verbs with tables of pandas for results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from . import engine
from .core.activity import ActivityPolicy
from .core.cycle import micros
from .core.errors import BadCycle
from .core.event import Events
from .core.evidence import Evidence
from .core.invoice import AllTerms, Invoice, Terms
from .core.plan import Plan
from .formats.rows import Reading
from .formats.terms import load_terms

if TYPE_CHECKING:
    import pandas as pd

#: What terms may be given as: a path, those of all accounts, those of each, or just a plan.
GivenTerms = str | PathLike[str] | AllTerms | Terms | Plan | None


def read(source: Any, *, strict: bool = False, ignore_extra: bool = False, known_at: datetime | None = None) -> Events:
    """All events of a source, with what could not be accepted.

    `source` is the path of a `.csv`, `.jsonl` (either also `.gz` or `.zst`) or `.parquet` file, a
    folder or glob of them, `-` for standard input, or a table with `__arrow_c_stream__`. Rows that
    cannot be accepted are in `.rejections`; `strict` raises `Refused` at the first. `known_at`
    (aware) leaves out what was recorded later. Raises `BadSource` for a source that cannot be used.
    """
    return engine.read(source, _reading(strict=strict, ignore_extra=ignore_extra, known_at=known_at))


def intervals(source: Any, *, terms: GivenTerms = None, policy: ActivityPolicy | None = None) -> pd.DataFrame:
    """When each engagement identity was active, as maximal spans `[start, end)`.

    Columns `account_id`, `identity_id` (str), `start`, `end` (datetime64[us, UTC]), ordered by
    account, identity and start. `policy` overrides that of the terms.
    """
    found = engine.activity(source, _question(terms=terms, policy=policy))
    codes = found.intervals.identities
    table = pa.table(
        {
            "account_id": found.names.accounts.take(pa.array(found.accounts)),
            "identity_id": found.names.identities.take(pa.array(codes)),
            "start": _instants(found.intervals.starts),
            "end": _instants(found.intervals.ends),
        }
    )
    return _frame(table.sort_by([("account_id", "ascending"), ("identity_id", "ascending"), ("start", "ascending")]))


def peaks(
    source: Any,
    *,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> pd.DataFrame:
    """The most identities active at the same moment, for every account and billing cycle.

    Columns `account_id` (str), `cycle_start`, `cycle_end` (datetime64[us, UTC]), `peak` (int64) and
    `peak_at`, the first instant of the peak (NaT if it is 0), ordered by account and cycle. `first`
    and `last` are months such as `"2026-01"`; without them each account has the cycles from its
    first active one to its last. `as_of` (aware) leaves out what occurred then or later. Raises
    `BadSource`, `BadCycle`, `UnknownAccount`.
    """
    question = _question(terms=terms, policy=policy, first=first, last=last, accounts=accounts, as_of=as_of)
    rows = engine.peaks(engine.activity(source, question, _reading(known_at=known_at)), question)
    return _frame(
        pa.table(
            {
                "account_id": pa.array([r.account_id for r in rows], pa.string()),
                "cycle_start": _instants([r.start for r in rows]),
                "cycle_end": _instants([r.end for r in rows]),
                "peak": pa.array([r.peak for r in rows], pa.int64()),
                "peak_at": _instants([r.peak_at for r in rows]),
            }
        )
    )


def draft(
    source: Any,
    *,
    terms: GivenTerms,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    policy: ActivityPolicy | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> list[Invoice]:
    """The invoice of every account and billing cycle, as a draft, by account and cycle.

    Takes what `peaks` takes; the terms name a plan for each account. Raises `BadTerms`
    (`plan_missing`) for an account without one, `NotPriced` for a peak beyond the last tier.
    """
    question = _question(terms=terms, policy=policy, first=first, last=last, accounts=accounts, as_of=as_of)
    return list(engine.draft(engine.activity(source, question, _reading(known_at=known_at)), question))


def explain(
    source: Any,
    *,
    account_id: str,
    cycle: str,
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> Evidence:
    """Why the peak of an account's cycle (a month such as `"2026-01"`) is what it is.

    Names each identity that was active at the peak, and the event that kept it so. Raises
    `UnknownAccount`, and `BadCycle` where no cycle of the account starts in that month.
    """
    question = _question(terms=terms, policy=policy, first=cycle, accounts=[account_id], as_of=as_of)
    return engine.explain(source, question, _reading(known_at=known_at))[0]


def _question(
    *,
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    as_of: datetime | None = None,
) -> engine.Question:
    return engine.Question(
        terms=_all_terms(terms),
        first=first,
        last=last,
        accounts=tuple(accounts),
        as_of=_micros(as_of, "as_of"),
        policy=policy,
    )


def _reading(*, strict: bool = False, ignore_extra: bool = False, known_at: datetime | None = None) -> Reading:
    return Reading(strict=strict, ignore_extra=ignore_extra, known_at=_micros(known_at, "known_at"))


def _all_terms(terms: GivenTerms) -> AllTerms:
    if terms is None or isinstance(terms, AllTerms):
        return terms or AllTerms()
    if isinstance(terms, Plan):
        terms = Terms(plan=terms)
    return AllTerms(terms) if isinstance(terms, Terms) else load_terms(terms)


def _micros(instant: datetime | None, field: str) -> int | None:
    if instant is None:
        return None
    if instant.tzinfo is None:
        raise BadCycle("ts_naive", field=field, got=instant.isoformat())
    return micros(instant)


def _instants(values: Any) -> pa.Array:
    return pa.array(values, pa.int64()).cast(pa.timestamp("us", "UTC"))


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame
