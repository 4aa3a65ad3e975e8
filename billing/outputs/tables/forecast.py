"""Statuses, forecasts and backtests as JSON and CSV."""

from __future__ import annotations

from typing import Any, Final

from ...core.cycle import micros, text_of
from ...core.money import Money
from ...forecasting.backtest import Backtest, Score
from ...forecasting.distribution import LEVELS
from ...forecasting.forecast import Forecast
from ...forecasting.model import PeakForecast
from ...forecasting.status import AmountDue, Status

_OWED_COLUMNS: Final = ("so_far", "least", "least_at", "one_more", "to_next_tier", "cheaper_at", "currency")
STATUS_COLUMNS: Final = (
    "account_id",
    "cycle",
    "cycle_start",
    "cycle_end",
    "as_of",
    "active",
    "peak",
    "peak_at",
    "free",
    "carried",
    *_OWED_COLUMNS,
)
#: The levels of the intervals as they are named in columns, such as `80`.
_PERCENT: Final = tuple(f"{level * 100:.0f}" for level in LEVELS)
FORECAST_COLUMNS: Final = (
    "account_id",
    "cycle",
    "as_of",
    "peak_so_far",
    "median",
    *(f"{end}_{percent}" for percent in _PERCENT for end in ("low", "high")),
    "so_far",
    "least",
    "amount_median",
    *(f"amount_{end}_{percent}" for percent in _PERCENT for end in ("low", "high")),
    "currency",
    "cycles",
    "peers",
)
BACKTEST_COLUMNS: Final = (
    "months",
    "phase",
    "cycles",
    "accounts",
    "settled",
    "name",
    "pinball",
    "error",
    "interval",
    *(f"coverage_{percent}" for percent in _PERCENT),
    "evenly_80",
)


def status(of: Status, *, identities: bool = False) -> dict[str, Any]:
    """A status as JSON; with `identities`, who becomes inactive when, and how many remain active."""
    document = {
        "account_id": of.account_id,
        "cycle": of.cycle.name,
        "cycle_start": text_of(micros(of.cycle.start)),
        "cycle_end": text_of(micros(of.cycle.end)),
        "as_of": text_of(of.now),
        "active": len(of.active),
        "peak": of.peak,
        "peak_at": None if of.peak_at is None else text_of(of.peak_at),
        "free": of.free,
        "carried": of.carried,
        **_owed(of.owed),
    }
    if identities:
        document["asleep"] = [{"identity_id": each.identity_id, "at": text_of(each.at)} for each in of.active]
        document["staircase"] = [{"at": text_of(at), "active": count} for at, count in of.remaining]
    return document


def _owed(of: AmountDue | None) -> dict[str, Any]:
    if of is None:
        return dict.fromkeys(_OWED_COLUMNS)
    return {
        "so_far": _amount(of.so_far),
        "least": _amount(of.least.total),
        "least_at": of.least.quantity,
        "one_more": _amount(of.one_more),
        "to_next_tier": of.to_next_tier,
        "cheaper_at": None if of.cheaper is None else of.cheaper.quantity,
        "currency": of.so_far.currency,
    }


def forecast(of: Forecast, *, identities: bool = False) -> dict[str, Any]:
    """A forecast as JSON: what is certain, and what is likely, null where there is too little history."""
    return status(of.status, identities=identities) | {"guess": None if of.peak is None else _peak(of, of.peak)}


def _peak(of: Forecast, peak: PeakForecast) -> dict[str, Any]:
    amounts = of.amounts
    return {
        "median": peak.distribution.median,
        "bands": {
            percent: {"low": low, "high": high}
            for percent, (low, high) in zip(_PERCENT, peak.distribution.intervals(), strict=True)
        },
        "amount": None
        if amounts is None
        else {
            "median": _amount(amounts.median),
            "bands": {
                percent: {"low": _amount(low), "high": _amount(high)}
                for percent, (low, high) in zip(_PERCENT, amounts.intervals, strict=True)
            },
        },
        "tiers": [{"first": t.first, "last": t.last, "chance": round(t.chance, 4)} for t in of.tiers],
        "cycles": peak.cycles,
        "peers": peak.peers,
    }


def forecast_row(of: Forecast) -> dict[str, Any]:
    """A forecast as a row of a table."""
    certain, peak, amounts = of.status, of.peak, of.amounts
    row = {
        "account_id": certain.account_id,
        "cycle": certain.cycle.name,
        "as_of": text_of(certain.now),
        "peak_so_far": certain.peak,
        **dict.fromkeys(FORECAST_COLUMNS[4:]),
        **{column: value for column, value in _owed(certain.owed).items() if column in FORECAST_COLUMNS},
    }
    if peak is not None:
        row |= {"median": peak.distribution.median, "cycles": peak.cycles, "peers": peak.peers}
        for percent, (low, high) in zip(_PERCENT, peak.distribution.intervals(), strict=True):
            row |= {f"low_{percent}": low, f"high_{percent}": high}
    if amounts is not None:
        row["amount_median"] = _amount(amounts.median)
        for percent, (least, most) in zip(_PERCENT, amounts.intervals, strict=True):
            row |= {f"amount_low_{percent}": _amount(least), f"amount_high_{percent}": _amount(most)}
    return row


def backtest(of: Backtest) -> dict[str, Any]:
    """A backtest at one phase as JSON."""
    document = _of_phase(of)
    document["scores"] = [_score(score) for score in of.scores]
    return document


def backtest_rows(of: Backtest) -> list[dict[str, Any]]:
    """A backtest at one phase as rows of a table, one for each model."""
    return [_of_phase(of) | _score(score) for score in of.scores]


def _of_phase(of: Backtest) -> dict[str, Any]:
    return {
        "months": of.months,
        "phase": of.phase,
        "cycles": of.cycles,
        "accounts": of.accounts,
        "settled": of.peak_reached,
    }


def _score(of: Score) -> dict[str, Any]:
    return {
        "name": of.model,
        "pinball": round(of.pinball, 4),
        "error": round(of.absolute_error, 4),
        "interval": round(of.interval_score, 4),
        **{f"coverage_{percent}": round(each, 4) for percent, each in zip(_PERCENT, of.coverage, strict=True)},
        "evenly_80": None if of.randomised_coverage is None else round(of.randomised_coverage, 4),
    }


def _amount(of: Money | None) -> str | None:
    return None if of is None else f"{of.amount:f}"
