"""Statuses, forecasts and backtests as tables and documents."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from ...core.cycle import text_of
from ...core.money import Money
from ...forecasting.backtest import Backtest, Score
from ...forecasting.distribution import LEVELS
from ...forecasting.forecast import Forecast
from ...forecasting.model import PeakForecast
from ...forecasting.status import AmountDue, Status
from .bills import cycle_of
from .schema import Column, Row, Schema, View, code, cycle_columns, floating, instant, integer, money, text
from .text import json_row, json_rows, json_value

#: The names of intervals, such as `80`, and of the columns that hold their ends.
_PERCENT: Final = tuple(f"{level * 100:.0f}" for level in LEVELS)
_CYCLE: Final = (Column("account_id", text), *cycle_columns(), Column("as_of", instant))
_SO_FAR: Final = (Column("so_far", money, null=True), Column("least", money, null=True))
_CURRENCY: Final = Column("currency", code, null=True)
STATUSES: Final = Schema(
    "statuses",
    (
        *_CYCLE,
        Column("active", integer),
        Column("peak", integer),
        Column("peak_at", instant, null=True),
        Column("free", integer),
        Column("carried", integer),
        *_SO_FAR,
        Column("least_at", integer, null=True),
        Column("one_more", money, null=True),
        Column("to_next_tier", integer, null=True),
        Column("cheaper_at", integer, null=True),
        _CURRENCY,
    ),
)
FORECASTS: Final = Schema(
    "forecasts",
    (
        *_CYCLE,
        Column("peak_so_far", integer),
        Column("median", integer, null=True),
        *(Column(f"{end}_{level}", integer, null=True) for level in _PERCENT for end in ("low", "high")),
        *_SO_FAR,
        Column("amount_median", money, null=True),
        *(Column(f"amount_{end}_{level}", money, null=True) for level in _PERCENT for end in ("low", "high")),
        _CURRENCY,
        Column("cycles", integer, null=True),
        Column("peers", integer, null=True),
    ),
)
_PHASE: Final = (
    Column("months", integer),
    Column("phase", floating),
    Column("cycles", integer),
    Column("accounts", integer),
    Column("settled", integer),
)
_SCORE: Final = (
    Column("name", code),
    Column("pinball", floating),
    Column("error", floating),
    Column("interval", floating),
    *(Column(f"coverage_{level}", floating) for level in _PERCENT),
    Column("evenly_80", floating, null=True),
)
BACKTESTS: Final = Schema("backtests", (*_PHASE, *_SCORE))


def statuses(found: Iterable[Status]) -> View:
    """Where the open cycle of each account stands, and what is certain of it."""
    return View(STATUSES, [_status(of) for of in found])


def status(of: Status, *, identities: bool = False) -> dict[str, Any]:
    """A status as a document; with `identities`, who becomes inactive when, and the count as it falls."""
    document = json_row(STATUSES, _status(of))
    if identities:
        document["asleep"] = [{"identity_id": each.identity_id, "at": text_of(each.at)} for each in of.active]
        document["staircase"] = [{"at": text_of(at), "active": count} for at, count in of.remaining]
    return document


def forecasts(found: Iterable[Forecast]) -> View:
    """Where the open cycle of each account is heading; without a forecast where there is too little history."""
    return View(FORECASTS, [_forecast(of) for of in found])


def forecast(of: Forecast, *, identities: bool = False) -> dict[str, Any]:
    """A forecast as a document: what is certain, and what is likely, null where there is too little history."""
    return status(of.status, identities=identities) | {"guess": None if of.peak is None else _likely(of, of.peak)}


def backtests(found: Iterable[Backtest]) -> View:
    """How forecasts of past cycles came out: a row for each phase and method."""
    return View(BACKTESTS, [_phase(of) | _score(score) for of in found for score in of.scores])


def backtest(of: Backtest) -> dict[str, Any]:
    """A backtest at one phase as a document."""
    scores = View(Schema("scores", _SCORE), [_score(score) for score in of.scores])
    return {**json_row(Schema("phase", _PHASE), _phase(of)), "scores": json_rows(scores)}


def _status(of: Status) -> Row:
    return {
        "account_id": of.account_id,
        **cycle_of(of.cycle),
        "as_of": of.now,
        "active": len(of.active),
        "peak": of.peak,
        "peak_at": of.peak_at,
        "free": of.free,
        "carried": of.carried,
        **_due(of.owed),
    }


def _due(of: AmountDue | None) -> dict[str, Any]:
    return {
        "so_far": None if of is None else of.so_far.amount,
        "least": None if of is None else of.least.total.amount,
        "least_at": None if of is None else of.least.quantity,
        "one_more": None if of is None else _amount(of.one_more),
        "to_next_tier": None if of is None else of.to_next_tier,
        "cheaper_at": None if of is None or of.cheaper is None else of.cheaper.quantity,
        "currency": None if of is None else of.so_far.currency,
    }


def _forecast(of: Forecast) -> Row:
    certain, peak, amounts = of.status, of.peak, of.amounts
    row = {
        **dict.fromkeys(FORECASTS.names),
        "account_id": certain.account_id,
        **cycle_of(certain.cycle),
        "as_of": certain.now,
        "peak_so_far": certain.peak,
        **_due(certain.owed),
    }
    if peak is not None:
        row |= {"median": peak.distribution.median, "cycles": peak.cycles, "peers": peak.peers}
        for level, (low, high) in zip(_PERCENT, peak.distribution.intervals(), strict=True):
            row |= {f"low_{level}": low, f"high_{level}": high}
    if amounts is not None:
        row["amount_median"] = amounts.median.amount
        for level, (least, most) in zip(_PERCENT, amounts.intervals, strict=True):
            row |= {f"amount_low_{level}": least.amount, f"amount_high_{level}": most.amount}
    return row


def _likely(of: Forecast, peak: PeakForecast) -> dict[str, Any]:
    amounts = of.amounts
    return {
        "median": peak.distribution.median,
        "bands": {
            level: {"low": low, "high": high}
            for level, (low, high) in zip(_PERCENT, peak.distribution.intervals(), strict=True)
        },
        "amount": None
        if amounts is None
        else {
            "median": _exact(amounts.median),
            "bands": {
                level: {"low": _exact(low), "high": _exact(high)}
                for level, (low, high) in zip(_PERCENT, amounts.intervals, strict=True)
            },
        },
        "tiers": [{"first": t.first, "last": t.last, "chance": round(t.chance, 4)} for t in of.tiers],
        "cycles": peak.cycles,
        "peers": peak.peers,
    }


def _phase(of: Backtest) -> dict[str, Any]:
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
        **{f"coverage_{level}": round(each, 4) for level, each in zip(_PERCENT, of.coverage, strict=True)},
        "evenly_80": None if of.randomised_coverage is None else round(of.randomised_coverage, 4),
    }


def _amount(of: Money | None) -> Decimal | None:
    return None if of is None else of.amount


def _exact(of: Money) -> Any:
    return json_value(of.amount, money)
