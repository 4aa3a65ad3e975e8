"""The forecast: replays match the definition, and forecasts are calibrated and better than simpler models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import billing
from billing import engine
from billing.core.activity import ActivityPolicy
from billing.core.cycle import micros
from billing.core.event import DAY
from billing.core.terms import AllTerms, Terms
from billing.engine.query import Query
from billing.forecasting import run
from billing.forecasting.backtest import BASELINES, QUANTILES, Backtest, PastCycles, Predictions, backtest
from billing.forecasting.distribution import LEVELS, Distribution
from billing.forecasting.model import HISTORY_MIN, Forecaster
from billing.forecasting.replay import STEPS, Cutoffs, EventHistory, Replays
from billing.verify import definition, strategies
from billing.verify.audit.events import table
from billing.verify.definition import Event
from billing.verify.strategies import JANUARY
from tests.conftest import Cli
from tests.support.ledgers import examples
from tests.support.populations import KINDS, MONTH, START, population

AGENCY = ("fixtures/agency/events.csv", "--terms", "fixtures/agency/terms.toml")
OCTOBER = ("--as-of", "2025-10-20T00:00:00Z")


# Replays -------------------------------------------------------------------------------------------


def replayed(events: list[Event], bounds: list[int], phase: tuple[int, int], policy: ActivityPolicy) -> Replays:
    source = engine.read(table(events))
    found = engine.activity(source, Query(policy=policy))
    counted = source.columns.where(~source.names.standard[source.columns.identities])
    history = EventHistory(counted, found.intervals, source.names.account_of)
    return history.replay(Cutoffs.of([(0, bounds)], [phase]), policy)


@examples(100, 10_000)
@given(
    strategies.ledgers(conflicts=False),
    st.integers(2, 30 * DAY),
    st.sampled_from(["extends", "restarts"]),
    st.sampled_from([(1, 2), (0, 1), (29, 30), (1, 7)]),
)
def test_a_replay_counts_what_was_known_at_the_cutoff_and_what_happened_after_it(
    events: list[Event], length: int, reconnect: Any, phase: tuple[int, int]
) -> None:
    bounds = [JANUARY[0] + k * length for k in range(3)]
    found = replayed(events, bounds, phase, ActivityPolicy(reconnect=reconnect))
    timeless = ("identity.created", "event.voided")
    for row, (start, end) in enumerate(pairwise(bounds)):
        moment = max(start + (end - start) * phase[0] // phase[1], start + 1)
        seen = [e for e in events if e.occurred_at < moment or e.type in timeless]
        then = definition.active_at(seen, moment, reconnect=reconnect)
        covers = definition.covers(events, reconnect=reconnect)
        assert len(then) == found.active[row]
        assert definition.highest(covers, start, moment)[0] == found.peaks_so_far[row]
        assert definition.highest(covers, start, end)[0] == found.final_peaks[row]
        for k in range(STEPS):
            at = moment + (k + 1) * (end - moment) // STEPS - 1
            if at < moment:
                continue  # a step of no length
            still, real = (definition.active_at(known, at, reconnect=reconnect) for known in (seen, events))
            counts = [getattr(found, name)[row, k] for name in ("unexpired", "retained", "renewed", "arrived")]
            assert [len(still), len(still & real), len(then & real - still), len(real - then)] == counts


def test_nothing_to_replay_is_no_replay() -> None:
    events = [Event("acme", "ada", "action.called", JANUARY[0])]
    nothing = replayed(events, [], (1, 2), ActivityPolicy())
    assert 0 == len(nothing)
    assert [] == Forecaster(nothing).predict([])


def test_many_replays_are_worked_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are cut, the answer is one."""
    source = population("steady", accounts=3, months=8)
    query, now = Query(), START + int(7.5 * MONTH * DAY)
    whole, _ = run.forecast(source, query, now)
    monkeypatch.setattr("billing.forecasting.replay._ROWS", 50)
    monkeypatch.setattr("billing.forecasting.model._CELLS", 1000)
    parts, _ = run.forecast(source, query, now)
    assert [peaks_of(each) for each in whole] == [peaks_of(each) for each in parts]


# Distributions -------------------------------------------------------------------------------------------

DISTRIBUTIONS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 20)), min_size=1, max_size=8, unique_by=lambda v: v[0]
)


def distribution_of(drawn: list[tuple[int, int]]) -> Distribution:
    values, weights = zip(*sorted(drawn), strict=True)
    return Distribution(np.array(values), np.array(weights) / sum(weights))


@examples(300, 10_000)
@given(DISTRIBUTIONS)
def test_each_interval_has_its_probability_and_is_the_shortest_around_the_one_before(
    drawn: list[tuple[int, int]],
) -> None:
    distribution = distribution_of(drawn)
    inner = None
    for level, (low, high) in zip(LEVELS, distribution.intervals(), strict=True):
        assert distribution.between(low, high) >= level - 1e-6
        values = distribution.values.tolist()
        others = [*combinations(values, 2), *((v, v) for v in values)]
        around = [(a, b) for a, b in others if inner is None or (a <= inner[0] and inner[1] <= b)]
        enough = [b - a for a, b in around if distribution.between(a, b) >= level - 1e-9]
        assert high - low == min(enough)
        inner = low, high


@examples(300, 10_000)
@given(DISTRIBUTIONS, st.floats(0.01, 0.99))
def test_a_quantile_is_the_smallest_value_with_the_cumulative_probability(
    drawn: list[tuple[int, int]], level: float
) -> None:
    distribution = distribution_of(drawn)
    found = distribution.quantile(level)
    assert distribution.between(0, found) >= level - 1e-6
    assert distribution.between(0, found - 1) < level


def test_what_costs_the_same_is_one_amount() -> None:
    peaks = Distribution(np.array([8, 9, 12]), np.array([0.5, 0.25, 0.25]))
    distribution = peaks.mapped(lambda quantity: quantity // 10)
    assert ([0, 1], [0.75, 0.25]) == (distribution.values.tolist(), distribution.probabilities.tolist())


def test_the_distribution_of_a_fortune_is_exact() -> None:
    """Amounts in cents can be larger than what an integer of a processor holds."""
    distribution = Distribution(np.array([1, 2]), np.array([0.5, 0.5])).mapped(lambda quantity: quantity * 10**20)
    assert [(10**20, 10**20), (10**20, 2 * 10**20), (10**20, 2 * 10**20)] == [*distribution.intervals()]


# Forecasts -----------------------------------------------------------------------------------------


def peaks_of(of: billing.Forecast) -> Any:
    return of.peak and (of.peak.distribution.values.tolist(), of.peak.distribution.probabilities.tolist())


@pytest.fixture(scope="module")
def october() -> list[billing.Forecast]:
    return billing.forecast(AGENCY[0], terms=AGENCY[2], as_of=datetime(2025, 10, 20, tzinfo=UTC), fans=True)


def test_nothing_below_what_is_certain_is_possible(october: list[billing.Forecast]) -> None:
    for each in october:
        assert each.peak is not None
        assert each.amounts is not None
        assert each.status.owed is not None
        assert each.status.peak == min(each.peak.distribution.values)
        assert each.peak.distribution.probabilities.sum() == pytest.approx(1)
        assert all(low.amount >= each.status.owed.least.total.amount for low, _ in each.amounts.intervals)
        assert sum(tier.chance for tier in each.tiers) == pytest.approx(1, abs=0.002)


def test_the_fan_opens_and_ends_in_the_final_peak(october: list[billing.Forecast]) -> None:
    for each in october:
        assert each.peak is not None
        at, last = each.peak.fan[-1]
        assert (micros(each.status.cycle.end), peaks_of(each)[0]) == (at, last.values.tolist())
        medians = [distribution.median for _, distribution in each.peak.fan]
        assert sorted(medians) == medians
        assert medians[0] >= each.status.peak


def test_a_seed_gives_the_same_forecast_and_another_nearly_the_same() -> None:
    when = datetime(2025, 10, 20, tzinfo=UTC)
    first, again, other = (billing.forecast(AGENCY[0], terms=AGENCY[2], as_of=when, seed=seed) for seed in (1, 1, 2))
    assert [*map(peaks_of, first)] == [*map(peaks_of, again)]
    assert [*map(peaks_of, first)] != [*map(peaks_of, other)]
    for one, two in zip(first, other, strict=True):
        assert one.peak is not None
        assert two.peak is not None
        assert abs(one.peak.distribution.median - two.peak.distribution.median) <= 2


def test_who_is_asked_for_changes_no_forecast(october: list[billing.Forecast]) -> None:
    when = datetime(2025, 10, 20, tzinfo=UTC)
    (alone,) = billing.forecast(AGENCY[0], terms=AGENCY[2], as_of=when, accounts=["kontor-nord"], fans=True)
    assert alone.status == october[1].status
    assert peaks_of(alone) == peaks_of(october[1])
    with pytest.raises(billing.UnknownAccount):
        billing.forecast(AGENCY[0], terms=AGENCY[2], as_of=when, accounts=["nobody"])


def test_with_three_whole_cycles_an_account_is_forecast_and_with_two_it_is_not() -> None:
    """The cycle in which an account begins is no example for any other."""
    events = [Event("acme", f"u{k}", "action.called", START + k * 10 * DAY) for k in range(16)]
    april, may = (datetime(2022, month, 15, tzinfo=UTC) for month in (4, 5))
    (short,), (enough,) = (billing.forecast(table(events), as_of=when) for when in (april, may))
    assert short.peak is None
    assert enough.peak is not None
    assert (HISTORY_MIN, 0) == (enough.peak.cycles, enough.peak.peers)


def test_where_the_plan_has_no_price_for_what_is_likely_no_amount_is_forecast() -> None:
    events = [Event("acme", f"u{k}", "action.called", START + k * 10 * DAY) for k in range(16)]
    tiers = (billing.Tier(up_to=4, unit_price=Decimal("7.99")),)
    small = billing.Plan(id="small", currency="USD", mode="volume", tiers=tiers)
    (found,) = billing.forecast(table(events), terms=small, as_of=datetime(2022, 5, 15, tzinfo=UTC))
    assert found.amounts is None
    assert [1] == [tier.first or 1 for tier in found.tiers]
    assert found.tiers[0].chance < 1


def test_a_ledger_has_the_forecast_of_a_file(tmp_path: Any, cli: Cli) -> None:
    """Though of a ledger only as much is read as there is to learn from."""
    url = f"sqlite:///{tmp_path / 'billing.db'}"
    cli("import", AGENCY[0], "--ledger", url)
    cli("ledger", "terms", url, *AGENCY[1:])
    of_file = cli("forecast", *AGENCY, *OCTOBER, "--format", "json").out
    assert json.loads(of_file) == json.loads(cli("forecast", url, *OCTOBER, "--format", "json").out)


def test_a_long_history_is_learned_from_as_far_as_it_is_like_now() -> None:
    """Three years of an account: of a file and of a ledger alike, the last two are learned from."""
    source = population("steady", accounts=2, months=36)
    now = START + int(35.5 * MONTH * DAY)
    for each in run.forecast(source, Query(), now)[0]:
        assert each.peak is not None
        assert 24 == each.peak.cycles


def test_accounts_with_other_windows_are_forecast_by_their_own() -> None:
    source = population("steady", accounts=4, months=12)
    short = Terms(policy=ActivityPolicy(action_window=definition_days(7)))
    query = Query(terms=AllTerms(accounts={"steady-0001": short}))
    now = START + int(11.5 * MONTH * DAY)
    mixed = {each.status.account_id: each for each in run.forecast(source, query, now)[0]}
    plain = {each.status.account_id: each for each in run.forecast(source, Query(), now)[0]}
    assert mixed["steady-0001"].status.peak < plain["steady-0001"].status.peak
    assert mixed["steady-0002"].status == plain["steady-0002"].status


def definition_days(days: int) -> Any:
    return datetime(2022, 1, 1 + days) - datetime(2022, 1, 1)


# Backtests -----------------------------------------------------------------------------------------


def backtested(kind: str) -> list[Backtest]:
    """Two years of twelve accounts of a kind, looked back on."""
    if kind == "agency":
        query = Query(terms=billing.load_terms(AGENCY[2]))
        return run.backtests(AGENCY[0], query, micros(datetime(2026, 1, 1, tzinfo=UTC)))[0]
    source = population(kind, accounts=12, months=24)
    return run.backtests(source, Query(), START + int(24 * MONTH * DAY))[0]


@pytest.mark.parametrize("kind", ["agency", *KINDS])
def test_forecasts_are_calibrated_and_better_than_simpler_models(kind: str) -> None:
    found = backtested(kind)
    assert [0.1, 0.3, 0.5, 0.7, 0.9] == [of.phase for of in found]
    for of in found:
        ours, *others = of.scores
        assert "forecast" == ours.model
        assert 5 == len(others)
        assert ours.randomised_coverage is not None
        assert 0.75 <= ours.randomised_coverage <= 0.88
        assert ours.coverage[1] >= 0.75
        assert all(ours.pinball <= other.pinball for other in others)
    best, *rest = (sum(of.scores[k].interval_score for of in found) for k in range(6))
    assert all(best < other for other in rest)


def test_what_came_later_changes_no_past_forecast() -> None:
    """Of each cycle what was over by then is known, and nothing else."""
    source = engine.read(population("growing", accounts=4, months=16))
    early, late = (START + int(months * MONTH * DAY) for months in (12, 16))
    query = Query()
    scores = []
    for now in (early, late):
        result = engine.answer(source, Query(as_of=now))
        histories = run._histories(result.parts[0], now)
        replays = run._replay(run._event_history(result.parts[0]), [(h, h.bounds[:8], (1, 2)) for h in histories])
        scores.append(backtest(replays, 0.5))
    assert scores[0] == scores[1]
    assert run.backtests(source, query, early)[0] != run.backtests(source, query, late)[0]


class _Oracle:
    """A model that knows the answer."""

    name = "oracle"

    def predict(self, cycles: PastCycles) -> Predictions:
        peaks = cycles.final_peaks.astype(np.float64)
        return Predictions(
            np.repeat(peaks[:, None], len(QUANTILES), axis=1), np.broadcast_to(peaks[:, None, None], (len(peaks), 3, 2))
        )


def test_any_model_can_be_scored_beside_ours() -> None:
    source = engine.read(population("growing", accounts=4, months=16))
    now = START + int(16 * MONTH * DAY)
    result = engine.answer(source, Query(as_of=now))
    histories = run._histories(result.parts[0], now)
    replays = run._replay(run._event_history(result.parts[0]), [(h, h.ended, (1, 2)) for h in histories])
    ours, oracle, naive = backtest(replays, 0.5, models=(_Oracle(), BASELINES[0])).scores
    assert ("forecast", "oracle", "peak so far") == (ours.model, oracle.model, naive.model)
    assert (0, 0, 0, (1, 1, 1), None) == (
        oracle.pinball, oracle.absolute_error, oracle.interval_score, oracle.coverage, oracle.randomised_coverage
    )  # fmt: skip
    assert [ours, naive] == list(backtest(replays, 0.5).scores[:2])


def test_a_peak_of_no_probability_counts_by_its_rank() -> None:
    """A peak far above everything forecast lies above every interval."""
    calm = [Event("acme", "ada", "action.called", START + k * 20 * DAY) for k in range(14)]
    burst = [Event("acme", f"u{k}", "action.called", START + 265 * DAY) for k in range(200)]
    (of,), _ = run.backtests(table([*calm, *burst]), Query(), START + 300 * DAY, phases=(0.5,))
    ours = of.scores[0]
    assert ours.randomised_coverage is not None
    assert ours.coverage[2] < 1
    assert ours.randomised_coverage < 1


def test_an_account_without_history_has_no_backtest(cli: Cli, tmp_path: Any) -> None:
    path = tmp_path / "events.csv"
    path.write_text("account_id,identity_id,type,occurred_at\nacme,ada,action.called,2026-01-01T00:00:00Z\n")
    outcome = cli("forecast", str(path), "--backtest", "--phase", "0.5", "--as-of", "2026-01-20T00:00:00Z")
    assert "At 50% of the cycle: no account has enough history to look back on." in outcome.out


def test_cycles_of_a_year_are_looked_back_on_apart_from_those_of_a_month(cli: Cli, tmp_path: Any) -> None:
    rows = [Event(a, "ada", "action.called", START + k * 25 * DAY) for a in ("acme", "brio") for k in range(60)]
    query = Query(terms=AllTerms(accounts={"brio": Terms(cycles=billing.CycleRule(months=3))}))
    found, _ = run.backtests(table(rows), query, START + 1500 * DAY, phases=(0.5,))
    assert [1, 3] == [of.months for of in found]


def test_a_backtest_is_a_table_in_python_and_in_csv(cli: Cli) -> None:
    frame = billing.backtest(AGENCY[0], terms=AGENCY[2], phases=(0.5,), as_of=datetime(2026, 1, 1, tzinfo=UTC))
    lines = cli("forecast", *AGENCY, "--backtest", "--phase", "0.5", "--as-of", "2026-01-01T00:00:00Z",
                "--format", "csv").out.splitlines()  # fmt: skip
    assert [*frame.columns] == lines[0].split(",")
    assert len(frame) == len(lines) - 1 == 6
    assert "forecast" == frame["name"][0]
