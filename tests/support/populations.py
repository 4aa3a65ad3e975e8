"""Populations of known behaviour to test forecasts on: some accounts over some years, drawn from a seed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from billing.core.cycle import micros
from billing.core.event import CALLED, CONNECTED, DAY, DELETED, TYPES

START: Final = micros(datetime(2022, 1, 1, tzinfo=UTC))
#: Days of a month, on average.
MONTH: Final = 30.44
KINDS: Final = ("steady", "growing", "seasonal", "bursty", "dying")


def population(kind: str, *, accounts: int, months: int, seed: int = 1) -> pa.Table:
    """The events of some accounts: `steady`, `growing`, `seasonal` over the year, `bursty` or `dying`."""
    rng = np.random.default_rng(seed)
    names: list[str] = []
    parts = []
    for number in range(accounts):
        identities, instants, types = _account(kind, months, rng)
        names += [f"{kind}-{number:04d}"] * len(instants)
        parts.append((identities, instants, types))
    identities, instants, types = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = pa.array(np.argsort(instants, kind="stable"))
    texts = pa.array([f"i{k}" for k in range(int(identities.max()) + 1)])
    columns = {
        "account_id": pa.array(names),
        "identity_id": texts.take(pa.array(identities)),
        "type": pa.array(TYPES).take(pa.array(types)),
        "occurred_at": pa.array(instants, pa.timestamp("us", "UTC")),
    }
    return pa.table({name: column.take(order) for name, column in columns.items()})


def _account(kind: str, months: int, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """The identities of one account with what happened to each: numbers, instants and types."""
    days = int(months * MONTH)
    size, life, pause = rng.lognormal(3.0, 0.7), rng.uniform(60, 300), rng.lognormal(np.log(8), 0.5)
    births = _births(kind, days, size, life, rng)
    identities, instants, types = [], [], []
    for number, born in enumerate(births):
        gone = born + rng.exponential(life / 2 if kind == "bursty" else life)
        own = pause * rng.lognormal(0, 0.7)
        gaps = rng.exponential(own, int((gone - born) / own * 1.6) + 3)
        breaks = rng.random(len(gaps)) < 0.04
        gaps[breaks] += rng.uniform(30, 80, int(breaks.sum()))
        called = born + np.cumsum(gaps)
        called = called[called < gone]
        if kind == "seasonal":  # half of what would be called in the low season is not
            low = np.sin(2 * np.pi * called / 365.25) < -0.6
            called = called[~(low & (rng.random(len(called)) < 0.5))]
        deleted = [gone] if rng.random() < 0.3 else []
        when = np.concatenate([[born], called, deleted])
        what = np.array([CONNECTED, *[CALLED] * len(called), *[DELETED] * len(deleted)])
        seen = when < days
        identities.append(np.full(int(seen.sum()), number))
        instants.append(START + (when[seen] * DAY).astype(np.int64))
        types.append(what[seen])
    return np.concatenate(identities), np.concatenate(instants), np.concatenate(types)


def _births(kind: str, days: int, size: float, life: float, rng: np.random.Generator) -> Any:
    """On which day each identity is first connected."""
    day, base_rate = np.arange(days), size / life
    if kind == "growing":
        rate = base_rate * 0.35 * (1 + rng.uniform(0.02, 0.07)) ** (day / MONTH)
    elif kind == "seasonal":
        rate = base_rate * (1 + 0.8 * np.sin(2 * np.pi * day / 365.25 + rng.uniform(0, 0.6)))
    elif kind == "dying":
        rate = base_rate * 1.5 * np.exp(-day / rng.uniform(120, 400))
    else:
        rate = base_rate * np.full(days, 0.4 if kind == "bursty" else 1.0)
    at_first = rng.uniform(0, 20, int(size * 0.35 if kind == "growing" else size) + 1)
    later = np.repeat(day, rng.poisson(rate))
    births = [at_first, later + rng.uniform(0, 1, len(later))]
    if kind == "bursty":  # whole campaigns begin within half a day
        births += [
            start + rng.uniform(0, 0.5, rng.poisson(size / 2))
            for start in rng.integers(0, days, rng.poisson(months_of(days) / 2))
        ]
    return np.concatenate(births)


def months_of(days: int) -> float:
    """How many months so many days are."""
    return days / MONTH
