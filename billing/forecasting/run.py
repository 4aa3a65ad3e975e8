"""The verbs of forecasting: the status of open cycles, their forecasts, and backtests of past forecasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa

from .. import engine
from ..core.activity import ActivityPolicy
from ..core.cycle import Calendar, CycleRule, micros
from ..core.event import INSTANT_MAX, INSTANT_MIN
from ..core.invoice import credits_line
from ..core.sweep import Peak
from ..core.terms import Terms
from ..core.totals import Totals
from ..engine import Part, Result
from ..engine.pipeline import accounts_in_scope
from ..engine.query import Query
from ..inputs.rows import ReadOptions
from ..ledger.ledger import Ledger
from .backtest import Backtest, backtest
from .forecast import Forecast
from .model import HISTORY_MAX, Forecaster, PeakForecast
from .replay import Cutoffs, EventHistory, Replays
from .status import AmountDue, Expiry, Status

#: The phases of a cycle at which a backtest forecasts, unless others are given.
PHASES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
#: Accounts whose open cycles are at a similar phase are forecast together, in so many groups of phases.
_GROUPS: Final = 20
#: How many other accounts, at most, a group learns from.
_PEERS: Final = 60

Progress = Callable[[int], None] | None


def status(source: Any, query: Query, now: int, options: ReadOptions | None = None) -> tuple[list[Status], Result]:
    """The status of each account's cycle that is open at `now` (microseconds), by account.

    Events at `now` or later are left out. Raises `BadSource`, `BadLedger`, `UnknownAccount`, `NotPriced`.
    """
    result = engine.answer(source, replace(query, as_of=now, open_at=now), options)
    return [*_statuses(result, now, _TotalsOf(result, now))], result


def forecast(
    source: Any,
    query: Query,
    now: int,
    options: ReadOptions | None = None,
    *,
    fans: bool = False,
    seed: int = 0,
    progress: Progress = None,
) -> tuple[list[Forecast], Result]:
    """The forecast of each account's cycle that is open at `now`, by account.

    Forecasts learn from all accounts of the source, whichever are requested. With `fans`, they include the
    distribution of the peak up to instants before the end. The same `seed` gives the same forecasts.
    `progress` receives how many more accounts are done. Raises as `status`.
    """
    result = _answer_for_all(source, query, options, as_of=now, open_at=now, before=HISTORY_MAX)
    totals = _TotalsOf(result, now)
    requested = {*query.accounts}
    statuses = [each for each in _statuses(result, now, totals) if not requested or each.account_id in requested]
    peaks: dict[str, PeakForecast] = {}
    for part in result.parts:
        own = [each for each in statuses if result.part_of(each) is part]
        peaks |= _forecast_peaks(part, [each.account_id for each in own], now, fans, seed, progress)
    found = []
    for each in statuses:
        terms = result.terms_of(each)
        found.append(Forecast.of(each, peaks.get(each.account_id), terms.plan, totals.of(terms, each)))
    return found, result


def backtests(
    source: Any,
    query: Query,
    now: int,
    options: ReadOptions | None = None,
    *,
    phases: Sequence[float] = PHASES,
    seed: int = 0,
    progress: Progress = None,
) -> tuple[list[Backtest], Result]:
    """Backtest forecasts of the cycles that had ended by `now`, at each of some phases.

    `progress` receives how many more phases are done. Raises as `status`.
    """
    result = _answer_for_all(source, query, options, as_of=now)
    part = result.parts[-1]
    requested = {*query.accounts}
    histories = [each for each in _histories(part, now) if not requested or each.account_id in requested]
    months = sorted({each.rule.months for each in histories}) or [1]
    events = _event_history(part)
    found = []
    for phase in phases:
        for length in months:
            own = [each for each in histories if each.rule.months == length]
            replays = _replay(events, [(each, each.ended, _ratio(phase)) for each in own])
            found.append(backtest(replays, phase, months=length, seed=seed))
        if progress:
            progress(1)
    return found, result


def _ratio(phase: float) -> tuple[int, int]:
    return round(phase * 1_000_000), 1_000_000


def _answer_for_all(source: Any, query: Query, options: ReadOptions | None, **changes: Any) -> Result:
    """The answer for all accounts of a source. Raises `UnknownAccount` if a requested one is not there."""
    if not isinstance(source, Ledger):
        source = engine.read(source, replace(options or ReadOptions(), details=query.details))
    result = engine.answer(source, replace(query, accounts=(), **changes), options)
    accounts_in_scope(result.found, query)
    return result


class _TotalsOf:
    """What quantities cost under the terms of accounts, each worked out once.

    Credits used so far are included, as that amount can only grow. Future credits are not forecast.
    """

    def __init__(self, result: Result, now: int) -> None:
        self._known: dict[tuple[int, Any, Any], Totals] = {}
        self._used: dict[tuple[str, int], Decimal] = {}
        if result.parts[-1].query.details:
            self._used = result.credits_used(row for row in result.peaks() if row.start <= now < row.end)

    def of(self, terms: Terms, row: Peak | Status) -> Totals | None:
        """The totals for a cycle under some terms; none without a plan."""
        if terms.plan is None:
            return None
        used = self._used.get((row.account_id, micros(row.cycle.start)))
        credits = Decimal(0) if used is None else credits_line(used, terms.plan).amount
        return self._known.setdefault(
            (id(terms.plan), terms.discount, credits), Totals(terms.plan, terms.discount, credits)
        )


def _statuses(result: Result, now: int, totals: _TotalsOf) -> Iterator[Status]:
    active: dict[int, dict[str, tuple[Expiry, ...]]] = {}
    for row in result.peaks():
        if not row.start <= now < row.end:
            continue
        part, terms = result.part_of(row), result.terms_of(row)
        if id(part) not in active:
            active[id(part)] = _expiries(part, now)
        # At the very start nothing of the cycle has passed, and what was carried over may end at that instant.
        peak, peak_at = (row.peak, row.peak_at) if now > row.start else (0, None)
        priced = totals.of(terms, row)
        yield Status(
            account_id=row.account_id,
            cycle=row.cycle,
            now=now,
            peak=peak,
            peak_at=peak_at,
            active=active[id(part)].get(row.account_id, ()),
            owed=None if terms.plan is None or priced is None else AmountDue.of(peak, terms.plan, priced),
        )


def _expiries(part: Part, now: int) -> dict[str, tuple[Expiry, ...]]:
    """The identities active now, by account, in the order in which they become inactive."""
    found = part.found
    lasting = found.intervals.ends > now
    names = found.names.identities.take(pa.array(found.intervals.identities[lasting])).to_pylist()
    accounts = found.names.accounts.take(pa.array(found.accounts[lasting])).to_pylist()
    active: dict[str, list[Expiry]] = {}
    for account, name, end in zip(accounts, names, found.intervals.ends[lasting].tolist(), strict=True):
        active.setdefault(account, []).append(Expiry(name, end))
    return {
        account: tuple(sorted(own, key=lambda each: (each.at, each.identity_id))) for account, own in active.items()
    }


@dataclass(frozen=True, slots=True)
class _History:
    """The `bounds` of the cycles of an account to learn from, and of its open one.

    The cycle in which it was first active is left out: it started from zero, as no other will.
    """

    account_id: str
    code: int
    rule: CycleRule
    policy: ActivityPolicy
    bounds: tuple[int, ...]

    @property
    def ended(self) -> tuple[int, ...]:
        """The bounds of the cycles that have ended."""
        return self.bounds[:-1]

    def phase(self, now: int) -> tuple[int, int]:
        """The part of the open cycle that has passed: `(passed, length)`."""
        start, end = self.bounds[-2:]
        return now - start, end - start


#: Some cycles of an account, by their bounds, and the phase of their cutoffs.
_RequestedCycles = tuple[_History, tuple[int, ...], tuple[int, int]]


def _histories(part: Part, now: int) -> list[_History]:
    """The histories of all accounts that were active before now and have a cycle to learn from, or the open one."""
    found, q = part.found, part.query
    names = found.names.account_names
    calendars: dict[CycleRule, Calendar] = {}
    rules = [q.all_terms.of(account).cycles for account in names]
    opens = [calendars.setdefault(rule, Calendar(rule)).index_at(now) for rule in rules]
    # A ledger is read only from here on; so that a file gives the same forecast, nothing before may count.
    since = np.full(len(names), INSTANT_MIN)
    if q.open_at is not None:
        since[:] = [
            calendars[rule].bounds(open_ - q.before, open_)[0] for rule, open_ in zip(rules, opens, strict=True)
        ]
    began = np.full(len(names), INSTANT_MAX)
    seen = found.intervals.ends > since[found.accounts]
    np.minimum.at(began, found.accounts[seen], found.intervals.starts[seen])
    histories = []
    for code in sorted(range(len(names)), key=names.__getitem__):
        rule, open_, first_active = rules[code], opens[code], int(began[code])
        calendar = calendars[rule]
        if q.open_at is not None and first_active <= since[code]:
            first = open_ - q.before
        else:
            first = calendar.index_at(first_active) + 1
        if first <= open_:
            bounds = tuple(calendar.bounds(first, open_))
            histories.append(_History(names[code], code, rule, q.policy_of(names[code]), bounds))
    return histories


def _event_history(part: Part) -> EventHistory:
    """The events of the identities that are counted."""
    names, events = part.found.names, part.events
    assert events is not None, "what is forecast was read whole"
    counted = events.columns.where(~names.standard[events.columns.identities])
    return EventHistory(counted, part.found.intervals, names.account_of)


def _replay(events: EventHistory, requested: Sequence[_RequestedCycles]) -> Replays:
    """Replay cycles of some accounts, each under its own policy."""
    found = []
    for policy in sorted({each.policy for each, _, _ in requested}, key=repr) or [ActivityPolicy()]:
        own = [each for each in requested if each[0].policy == policy]
        cutoffs = Cutoffs.of([(each.code, bounds) for each, bounds, _ in own], [phase for _, _, phase in own])
        found.append(events.replay(cutoffs, policy))
    return Replays.joined(found)


def _forecast_peaks(
    part: Part, accounts: Sequence[str], now: int, fans: bool, seed: int, progress: Progress
) -> dict[str, PeakForecast]:
    """The forecast of the final peak of each account that has enough history."""
    requested = {*accounts}
    histories = _histories(part, now)
    groups: dict[tuple[int, int], list[_History]] = {}
    for each in histories:
        if each.account_id in requested:
            passed, length = each.phase(now)
            groups.setdefault((each.rule.months, passed * _GROUPS // length), []).append(each)
    found: dict[str, PeakForecast] = {}
    events = _event_history(part)
    for (months, group), own in sorted(groups.items()):
        cycles: list[_RequestedCycles] = [(each, each.bounds, each.phase(now)) for each in own]
        members = {each.account_id for each in own}
        others = [each for each in histories if each.rule.months == months and each.account_id not in members]
        peers = others[:: -(-len(others) // _PEERS) or 1]
        cycles += [(each, each.ended, (2 * group + 1, 2 * _GROUPS)) for each in peers]
        replays = _replay(events, cycles)
        forecaster = Forecaster(replays, seed=seed)
        # The open cycle of an account is its last row.
        row_of = {account: row for row, account in enumerate(replays.cutoffs.accounts.tolist())}
        forecastable = [each for each in own if forecaster.has_history[row_of[each.code]]]
        peaks = forecaster.predict([row_of[each.code] for each in forecastable], fans=fans)
        found |= {each.account_id: peak for each, peak in zip(forecastable, peaks, strict=True)}
        if progress:
            progress(len(own))
    return found
