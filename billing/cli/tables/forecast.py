"""Statuses, forecasts and backtests for people on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from ...core.money import Money
from ...forecasting.backtest import Backtest, Score
from ...forecasting.distribution import LEVELS
from ...forecasting.forecast import Forecast
from ...forecasting.model import HISTORY_MIN
from ...forecasting.status import Status
from .layout import columns, many, money, signed, span_of, when

#: How many are shown of many.
_SHOWN: Final = 10
_PERCENT: Final = tuple(f"{level * 100:.0f} %" for level in LEVELS)
#: A tier less likely than this gets no line.
_WORTH_SHOWING: Final = 0.01


def status_tables(statuses: Sequence[Status], *, identities: bool = False) -> Iterator[Table | Text]:
    """Where open cycles stand: a row for each, and with `identities` who becomes inactive when."""
    if not statuses:
        yield Text("No cycle is open: the source has no account.")
        return
    now = when(statuses[0].now)
    yield Text(f"Certain as of {now} UTC, whatever happens next; only what is learned late can change it", style="bold")
    priced = any(each.owed for each in statuses)
    amounts = ("So far>", "At least>", "One more>", "To the next tier>") if priced else ()
    table = columns("Account", "Cycle", "Active>", "Peak>", "Reached (UTC)", "Free>", "Carried>", *amounts)
    for each in statuses:
        cells = [
            each.account_id,
            span_of(each.cycle),
            f"{len(each.active):,}",
            f"{each.peak:,}",
            "–" if each.peak_at is None else when(each.peak_at),
            f"{each.free:,}" if each.free >= 0 else "–",
            f"{each.carried:,}",
        ]
        if priced:
            owed = each.owed
            cells += (
                ["–"] * len(amounts)
                if owed is None
                else [
                    money(owed.so_far),
                    money(owed.least.total),
                    "–" if owed.one_more is None else signed(owed.one_more),
                    "–" if owed.to_next_tier is None else f"+{owed.to_next_tier:,}",
                ]
            )
        table.add_row(*cells)
    yield table
    yield from map(Text, _cheaper(statuses))
    if identities:
        for each in statuses:
            yield from _expiries(each)


def _cheaper(statuses: Sequence[Status]) -> Iterator[str]:
    """Where more identities would cost less, which volume tiers allow."""
    for each in statuses:
        if each.owed is not None and (cheaper := each.owed.cheaper) is not None:
            yield (
                f"{each.account_id}: a peak of {cheaper.quantity:,} would cost {money(cheaper.total)}, "
                f"less than {each.peak:,}."
            )


def _expiries(of: Status) -> Iterator[Table | Text]:
    """Who becomes inactive when, if nothing happens."""
    if not of.active:
        yield Text(f"{of.account_id}: nobody is active.")
        return
    table = columns(f"{of.account_id}: if nothing happens", "Becomes inactive (UTC)", "Then active>")
    left = len(of.active)
    for each in of.active[:_SHOWN]:
        left -= 1
        table.add_row(each.identity_id, when(each.at), f"{left:,}")
    if len(of.active) > _SHOWN:
        table.add_row(f"... and {len(of.active) - _SHOWN:,} more", "--format json has all", "")
    yield table


def forecast_tables(forecasts: Sequence[Forecast], *, identities: bool = False) -> Iterator[Table | Text]:
    """What is certain of open cycles, and where they are heading."""
    yield from status_tables([each.status for each in forecasts], identities=identities)
    if likely := [each for each in forecasts if each.peak is not None]:
        yield Text("Likely, by what became of past cycles from the same phase on", style="bold")
        yield _peaks_table(likely)
        if any(each.amounts for each in likely):
            yield _amounts_table(likely)
        yield from map(Text, _tiers(likely))
    if short := [each.status.account_id for each in forecasts if each.peak is None]:
        more = f" and {len(short) - _SHOWN:,} more" if len(short) > _SHOWN else ""
        yield Text(
            f"Too little history to forecast: {', '.join(short[:_SHOWN])}{more}. It takes {HISTORY_MIN} whole cycles "
            "after the one in which an account was first active; only what is certain is shown."
        )


def _peaks_table(forecasts: Sequence[Forecast]) -> Table:
    table = columns("Account", "Peak so far>", "Median>", *(f"{percent}>" for percent in _PERCENT), "Learned from")
    for each in forecasts:
        peak = each.peak
        assert peak is not None, "those without are listed apart"
        intervals = [f"{low:,} – {high:,}" if low < high else f"{low:,}" for low, high in peak.distribution.intervals()]
        peers = f", {peak.peers:,} of peers" if peak.peers else ""
        learned = f"{many(peak.cycles, 'cycle')}{peers}"
        so_far, median = f"{each.status.peak:,}", f"{peak.distribution.median:,}"
        table.add_row(each.status.account_id, so_far, median, *intervals, learned)
    return table


def _amounts_table(forecasts: Sequence[Forecast]) -> Table:
    table = columns("Account", "So far>", "Median>", *(f"{percent}>" for percent in _PERCENT))
    medians = []
    for each in forecasts:
        if each.amounts is None or each.status.owed is None:
            table.add_row(each.status.account_id, *["–"] * (2 + len(_PERCENT)))
            continue
        intervals = [_interval(*interval) for interval in each.amounts.intervals]
        medians.append(each.amounts.median)
        table.add_row(each.status.account_id, money(each.status.owed.so_far), money(each.amounts.median), *intervals)
    return table


def _interval(low: Money, high: Money) -> str:
    return f"{low.amount:,f} – {money(high)}" if low != high else money(low)


def _tiers(forecasts: Sequence[Forecast]) -> Iterator[str]:
    """Where the peak may well come into another tier than it is in so far."""
    for each in forecasts:
        others = [t for t in each.tiers if t.first > each.status.peak and t.chance >= _WORTH_SHOWING]
        for tier in others:
            yield f"{each.status.account_id}: the tier from {tier.first:,} on has a chance of {tier.chance:.0%}."


#: What the columns of a backtest mean.
_LEGEND: Final = (
    "Pinball, error and interval are losses, in identities: less is better. An interval of 80 % should cover the final "
    "peak in 80 of 100 cycles; that of a model that gives one number has no width. It covers more where the peak had "
    'been reached before, since no interval is shorter than one number. "Randomised" counts a final peak at the edge '
    "of the interval in part, and should be near 80 % everywhere."
)


def backtest_tables(backtests: Sequence[Backtest]) -> Iterator[Table | Text]:
    """How forecasts of past cycles did at each phase, beside simpler models."""
    for of in backtests:
        if not of.cycles:
            yield Text(f"At {of.phase:.0%} of the cycle: no account has enough history to look back on.")
            continue
        cycles = f"{many(of.cycles, 'cycle')} of {many(of.accounts, 'account')}"
        length = "" if of.months == 1 else f" of {of.months} months"
        yield Text(
            f"At {of.phase:.0%} of the cycle{length}: {cycles}, the peak reached before in {of.peak_reached:,}",
            style="bold",
        )
        table = columns("Model", "Pinball>", "Error>", "Interval>", *(f"{p} covers>" for p in _PERCENT), "Randomised>")
        for score in of.scores:
            table.add_row(score.model, f"{score.pinball:.3f}", f"{score.absolute_error:.2f}", *_coverage(score))
        yield table
    if any(of.cycles for of in backtests):
        yield Text(_LEGEND)


def _coverage(of: Score) -> list[str]:
    randomised = "–" if of.randomised_coverage is None else f"{of.randomised_coverage:.0%}"
    return [f"{of.interval_score:.1f}", *(f"{each:.0%}" for each in of.coverage), randomised]
