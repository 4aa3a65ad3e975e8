"""The same history under other terms: what it comes to, who gains and who pays, and how changes are written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import billing
from billing.comparison import run
from billing.comparison.bills import Comparison, percent
from billing.core.money import Money
from billing.core.terms import AllTerms, Terms
from billing.engine import pipeline
from billing.inputs import source
from billing.verify.audit.events import table
from billing.verify.definition import DAY, Event
from billing.verify.strategies import JANUARY, ledgers, terms
from tests.conftest import Cli

AGENCY = Path(__file__).parents[2] / "fixtures" / "agency"
TEN = billing.Plan(id="ten", currency="USD", mode="volume", tiers=(billing.Tier(unit_price=Decimal(10)),))
STEPS = billing.Plan(
    id="steps", currency="USD", mode="volume",
    tiers=(billing.Tier(up_to=2, unit_price=Decimal(10)), billing.Tier(unit_price=Decimal(6))),
)  # fmt: skip


def at(day: int) -> int:
    """The start of a day of January 2026."""
    return JANUARY[0] + (day - 1) * DAY


#: acme has three identities from 2 to 30 January. bolt's dan acts on the 1st and is connected again on the 20th; eve
#: acts on the 26th, which keeps her active until 25 February.
HISTORY = [
    Event("acme", "ada", "action.called", at(1), "e1"),
    Event("acme", "bo", "action.called", at(1), "e2"),
    Event("acme", "cy", "action.called", at(2), "e3"),
    Event("bolt", "dan", "action.called", at(1), "e4"),
    Event("bolt", "dan", "integration.connected", at(20), "e5"),
    Event("bolt", "eve", "action.called", at(26), "e6"),
]


def compared(*others: Any, now: Any = TEN, **asked: Any) -> run.ComparisonResult:
    return billing.compare(table(HISTORY), terms=now, others=others, **asked)


def shown(of: Comparison) -> list[tuple[str, str, str, str | None]]:
    """Account, now, then, percent."""
    return [
        (row.account_id, f"{d.now.amount:f}", f"{d.other.amount:f}", None if d.percent is None else str(d.percent))
        for row in of.accounts
        for d in row.differences
    ]


# By hand.


def test_a_reconnect_that_restarts_ends_what_went_before() -> None:
    """Then dan is inactive from the 25th on, and January of bolt has one at a time: 10.00 for 20.00."""
    (of,) = compared("reconnect=restarts").comparisons
    assert [("acme", "30.00", "30.00", "0.0"), ("bolt", "30.00", "20.00", "-33.3")] == shown(of)
    (overall,) = of.overall
    assert ("60.00 USD", "50.00 USD", "-10.00 USD") == tuple(
        map(str, (overall.difference.now, overall.difference.other, overall.difference.amount))
    )
    assert (Decimal("-16.7"), 1, 0, 1) == (overall.difference.percent, overall.gain, overall.pay, overall.same)
    assert (("bolt", Money(Decimal("-10.00"), "USD")), None) == (overall.most_gained, overall.most_paid)
    january = next(row for row in of.cycles if row.account_id == "bolt")
    assert january.now is not None and january.other is not None and january.difference is not None
    assert (2, 1, "-10.00 USD") == (january.now.peak, january.other.peak, str(january.difference.amount))


@pytest.mark.parametrize(
    ("change", "acme", "bolt"),
    [
        ("action_window=P14D", "30.00", "20.00"),  # dan sleeps from the 15th to the 20th, and from the 25th
        ("connect_window=P2D", "30.00", "30.00"),  # his action keeps him active anyway
        ("discount=5%", "28.50", "28.50"),
        ("minimum=25", "30.00", "50.00"),  # January and February, 25.00 each
        ("maximum=15", "15.00", "25.00"),
        ("included=1", "20.00", "10.00"),
        ("package_size=2,mode=graduated", "20.00", "20.00"),  # two packages; one and one
        ("months=3", "30.00", "20.00"),  # one cycle to the end of March
        ("anchor=2025-12-20T00:00:00Z", "60.00", "40.00"),  # from 20 December, January, February: 3, 3, 0 and 1, 2, 1
        ("discount=10%, minimum=25", "27.00", "45.00"),
    ],
)
def test_a_setting_in_a_line_changes_only_that(change: str, acme: str, bolt: str) -> None:
    """Whoever asks what if need not write a file."""
    (of,) = compared(change).comparisons
    assert [("acme", acme), ("bolt", bolt)] == [(account, then) for account, _, then, _ in shown(of)]


def test_settings_can_be_taken_away() -> None:
    """A plan may have no minimum, and cycles no anchor."""
    anchored = Terms(
        billing.Plan(**{**dict(TEN), "minimum": "25"}),
        billing.CycleRule(anchor=datetime(2025, 12, 20, tzinfo=UTC)),
    )
    (of,) = compared("minimum=none,anchor=none", now=anchored).comparisons
    assert [("acme", "30.00"), ("bolt", "30.00")] == [(account, then) for account, _, then, _ in shown(of)]
    assert ("acme", "bolt") == of.realigned


def test_of_a_plan_only_the_plan_changes() -> None:
    """The discount stays."""
    now = Terms(TEN, discount=Decimal(10))
    (by_plan, by_terms) = compared(STEPS, Terms(STEPS), now=now).comparisons
    assert [("acme", "27.00", "16.20", "-40.0"), ("bolt", "27.00", "27.00", "0.0")] == shown(by_plan)
    assert [("acme", "27.00", "18.00", "-33.3"), ("bolt", "27.00", "30.00", "11.1")] == shown(by_terms)


def test_cycles_are_held_against_each_other_only_where_they_are_the_same() -> None:
    """January to March is no month."""
    (same, other) = compared("included=1", "months=3").comparisons
    assert [("acme", "2026-01"), ("bolt", "2026-01"), ("bolt", "2026-02")] == [
        (row.account_id, row.cycle.name) for row in same.cycles
    ]
    assert ((), ()) == (same.realigned, other.cycles)
    assert [("acme", 1, 1), ("bolt", 2, 1)] == [(r.account_id, r.cycles, r.other_cycles) for r in other.accounts]
    assert ("acme", "bolt") == other.realigned


def test_who_has_no_cycle_under_other_terms_owes_nothing_there() -> None:
    """No cycle of a year begins in February, and who owed nothing has no percentage."""
    (of,) = compared("months=12", first="2026-02", last="2026-02").comparisons
    assert [("acme", "0.00", "0.00", None), ("bolt", "10.00", "0.00", "-100.0")] == shown(of)
    assert ("acme", "bolt") == of.realigned
    assert [(1, 0), (1, 0)] == [(row.cycles, row.other_cycles) for row in of.accounts]


def test_a_cycle_that_only_one_has_is_shown_beside_nothing() -> None:
    """With a window of 3 days eve is inactive in February."""
    (of,) = compared("action_window=P3D").comparisons
    february = of.cycles[-1]
    assert february.other is None and february.difference is not None
    assert ("bolt", "2026-02", "-10.00 USD") == (
        february.account_id, february.cycle.name, str(february.difference.amount),
    )  # fmt: skip


def test_a_change_of_currency_is_shown_and_not_subtracted() -> None:
    """Neither for an account, nor overall, nor for a cycle."""
    euro = billing.Plan(**{**dict(TEN), "id": "euro", "currency": "EUR"})
    (of,) = compared(AllTerms(Terms(TEN), {"bolt": Terms(euro)})).comparisons
    assert [("acme", "30.00", "30.00", "0.0")] == shown(of)
    (bolt,) = of.currency_changed
    assert (["30.00 USD"], ["30.00 EUR"]) == ([*map(str, bolt.now)], [*map(str, bolt.other)])
    assert ["30.00 USD"] == [str(overall.difference.now) for overall in of.overall]
    assert [False, True, True] == [row.difference is None for row in of.cycles]


def test_bills_that_a_higher_peak_makes_smaller_are_listed_under_each_terms() -> None:
    """Two at 10.00 are 20.00, three at 6.00 are 18.00; and one can be more than three only for one who has two."""
    under = compared(STEPS).billed_under
    assert [("now", []), ("steps", [("bolt", 2, 3, "18.00 USD")])] == [
        (
            of.name,
            [
                (bill.draft.account_id, bill.draft.peak, bill.near.cheaper.quantity, str(bill.near.cheaper.total))
                for bill in of.cheaper
                if bill.near.cheaper
            ],
        )
        for of in under
    ]


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [("1", "3", "33.3"), ("2", "3", "66.7"), ("-0.25", "500", "-0.1"), ("0.0005", "1", "0.1"), ("-1", "0", None)],
)
def test_a_percentage_has_one_decimal_and_half_of_it_goes_away_from_zero(
    part: str, whole: str, expected: str | None
) -> None:
    """-0.05 is -0.1 as 0.05 is 0.1."""
    found = percent(Decimal(part), Decimal(whole))
    assert expected == (None if found is None else str(found))


# Whatever the history and the terms.

ALL_TERMS = st.builds(AllTerms, terms(), st.dictionaries(st.sampled_from(["a1", "a2"]), terms(), max_size=1))


@given(ledgers(accounts=2), ALL_TERMS)
def test_terms_held_against_themselves_differ_in_nothing(events: list[Event], now: AllTerms) -> None:
    """What does not change costs the same."""
    (of,) = billing.compare(table(events), terms=now, others=[now]).comparisons
    assert all(d.now == d.other and not d.amount.amount for row in of.accounts for d in row.differences)
    assert not of.currency_changed
    assert not of.realigned
    assert all(row.now == row.other for row in of.cycles)
    assert all(overall.gain == overall.pay == 0 for overall in of.overall)


@given(ledgers(accounts=2), ALL_TERMS, ALL_TERMS)
def test_totals_are_those_of_the_drafts_under_each_terms(events: list[Event], now: AllTerms, then: AllTerms) -> None:
    """Sharing what was read and walked changes no bill."""
    told = table(events)
    found = billing.compare(told, terms=now, others=[then])
    drafts = [billing.draft(told, terms=each) for each in (now, then)]
    assert drafts == [[bill.draft for bill in of.bills] for of in found.billed_under]
    (of,) = found.comparisons
    for row in of.accounts:
        for side, totals in zip(drafts, (row.now, row.other), strict=True):
            mine = [each.total for each in side if each.account_id == row.account_id]
            for total in totals:
                assert total.amount == sum((m.amount for m in mine if m.currency == total.currency), Decimal(0))
    for overall in of.overall:
        rows = [d for row in of.accounts for d in row.differences if d.now.currency == overall.difference.now.currency]
        assert overall.difference.amount.amount == sum(d.amount.amount for d in rows)
        assert overall.gain + overall.pay + overall.same == len(rows)


# How it is computed.


def test_a_history_is_read_once_and_walked_once_for_each_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question about prices costs hardly more than a bill."""
    counts: Counter[str] = Counter()

    def counted(name: str, verb: Callable[..., Any]) -> None:
        def count(*given: Any) -> Any:
            counts[name] += 1
            return verb(*given)

        monkeypatch.setattr(name, count)

    counted("billing.inputs.source.read", source.read)
    counted("billing.engine.result.run", pipeline.run)
    compared(STEPS, "reconnect=restarts", "months=3", "reconnect=restarts,discount=5%")
    assert {"billing.inputs.source.read": 1, "billing.engine.result.run": 2} == counts


def test_a_ledger_is_compared_with_each_version_of_its_terms_changed() -> None:
    """January is billed at 10.00, February by steps; without the reconnect's first cover, 10.00 less."""
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        billing.append(ledger, table(HISTORY))
        billing.add_terms(ledger, TEN)
        billing.add_terms(ledger, Terms(STEPS, discount=Decimal(10)), applies_from=datetime(2026, 2, 1, tzinfo=UTC))
        found = billing.compare(
            ledger, others=["reconnect=restarts", "discount=50%", TEN], first="2026-01", last="2026-02"
        )
        assert [bill.draft for bill in found.billed_under[0].bills] == billing.draft(
            ledger, first="2026-01", last="2026-02"
        )
    restarts, half, ten = found.comparisons
    assert [("acme", "30.00", "30.00", "0.0"), ("bolt", "29.00", "19.00", "-34.5")] == shown(restarts)
    assert [("acme", "30.00", "15.00", "-50.0"), ("bolt", "29.00", "15.00", "-48.3")] == shown(half)
    assert [("acme", "30.00", "30.00", "0.0"), ("bolt", "29.00", "29.00", "0.0")] == shown(ten)


def test_a_ledger_without_terms_has_those_that_are_given() -> None:
    """As a file has; and other accounts can be left out, as of an instant, at a position."""
    with closing(billing.open_ledger("sqlite:///:memory:")) as ledger:
        billing.append(ledger, table(HISTORY))
        (of,) = billing.compare(ledger, terms=TEN, others=["included=1"], position=5).comparisons
        (one,) = billing.compare(ledger, terms=TEN, others=["included=1"], accounts=["acme"]).comparisons
        with pytest.raises(billing.BadTerms):
            billing.compare(ledger, others=["included=1"])
    assert [("acme", "30.00", "20.00", "-33.3"), ("bolt", "10.00", "0.00", "-100.0")] == shown(of)
    assert ["acme"] == [row.account_id for row in one.accounts]
    (early,) = compared("included=1", as_of=datetime(2026, 1, 2, tzinfo=UTC)).comparisons
    assert [("acme", "20.00", "10.00", "-50.0"), ("bolt", "10.00", "0.00", "-100.0")] == shown(early)


# The agency.


def test_the_agencies_would_pay_what_their_invoices_under_other_terms_say() -> None:
    """Each figure is that of `billing invoice` with terms files that say so."""
    now = billing.load_terms(AGENCY / "terms.toml")
    graduated = billing.Plan(**{**dict(now.default.plan or TEN), "mode": "graduated"})
    restarts = billing.ActivityPolicy(reconnect="restarts")

    def each(change: Any) -> AllTerms:
        return AllTerms(change(now.default), {name: change(own) for name, own in now.accounts.items()})

    by_hand = {
        "mode=graduated": each(lambda old: replace(old, plan=graduated)),
        "reconnect=restarts": each(lambda old: replace(old, policy=restarts)),
        "action_window=P14D": each(lambda old: replace(old, policy=billing.ActivityPolicy(timedelta(days=14)))),
        "timezone=UTC": each(lambda old: replace(old, cycles=replace(old.cycles, timezone="UTC"))),
    }
    events = AGENCY / "events.csv"
    found = billing.compare(str(events), terms=now, others=list(by_hand))
    assert [billing.draft(str(events), terms=then) for then in by_hand.values()] == [
        [bill.draft for bill in of.bills] for of in found.billed_under[1:]
    ]
    assert ["9646.97", "8758.29"] == [f"{of.overall[0].difference.other.amount}" for of in found.comparisons[:2]]
    assert {"8982.72"} == {f"{of.overall[0].difference.now.amount}" for of in found.comparisons}


# The command line.

TERMS = ("--terms", str(AGENCY / "terms.toml"))
EVENTS = str(AGENCY / "events.csv")


def test_the_command_line_compares_with_files_and_settings(cli: Cli, tmp_path: Path) -> None:
    """A file is of terms or of a plan, as its keys say."""
    (tmp_path / "plan.toml").write_text(
        'id = "seven"\ncurrency = "USD"\nmode = "volume"\ntiers = [{ unit_price = "7" }]\n', encoding="utf-8"
    )
    (tmp_path / "terms.toml").write_text('[default]\nplan = "plan.toml"\n', encoding="utf-8")
    files = [str(tmp_path / "plan.toml"), str(tmp_path / "terms.toml")]
    options = [word for other in (*files, f"plan={files[0]},discount=0%") for word in ("--with", other)]
    asked = ("--cycle", "2025-06", "--account", "outreach-sg")
    outcome = cli("compare", EVENTS, *TERMS, *asked, *options, "--format", "csv")
    assert outcome.status == 0
    # 22 at 7.00 are 154.00, less 10 %: only the plan changes. The terms file has no discount.
    assert [
        "terms,account_id,currency,now,other,difference,percent,cycles,other_cycles",
        f"{files[0]},outreach-sg,USD,148.30,138.60,-9.70,-6.5,1,1",
        f"{files[1]},outreach-sg,USD,148.30,154.00,5.70,3.8,1,1",
        f'"plan={files[0]},discount=0%",outreach-sg,USD,148.30,154.00,5.70,3.8,1,1',
    ] == outcome.out.splitlines()


def test_the_table_says_who_gains_and_what_would_have_cost_less(cli: Cli) -> None:
    """In sentences, and the smallest change of each peak on demand."""
    outcome = cli("compare", EVENTS, *TERMS, "--cycle", "2025-02", "--with", "mode=graduated", "--bills")
    assert outcome.status == 0
    assert "mode=graduated: brightline pays most, 5.00 USD more." in outcome.out
    rows = [" ".join(line.split()) for line in outcome.out.splitlines()]
    # Of 25, ten cost 7.99 and fifteen 7.49: 192.25. By volume all cost 7.49, and the 26th makes all cost 6.99.
    assert "brightline 2025-02 2025-02-14 – 2025-03-14 now 25 187.25 USD -1: 179.76 USD +1: 181.74 USD" in rows
    assert "mode=graduated 25 192.25 USD -1: 184.76 USD +1: 199.24 USD" in rows
    assert "brightline 2025-02 2025-02-14 – 2025-03-14 now 25 187.25 USD +1: 181.74 USD 5.51 USD" in rows


def test_the_table_tells_of_other_cycles_and_other_currencies(cli: Cli, tmp_path: Path) -> None:
    """What cannot be compared is said."""
    (tmp_path / "euro.toml").write_text(
        'id = "euro"\ncurrency = "EUR"\nmode = "volume"\ntiers = [{ unit_price = "7" }]\n', encoding="utf-8"
    )
    options = ("--with", str(tmp_path / "euro.toml"), "--with", "months=3", "--with", "connect_window=P5D")
    outcome = cli("compare", EVENTS, *TERMS, "--cycle", "2025-06", *options)
    assert "3 accounts would be billed in another currency" in outcome.out
    assert "months=3: 3 accounts have other cycles" in outcome.out
    assert "connect_window=P5D: nobody's total changes." in outcome.out


def test_json_has_all_of_it(cli: Cli) -> None:
    """One object, money as text."""
    outcome = cli("compare", EVENTS, *TERMS, "--cycle", "2025-02", "--with", "discount=10%", "--format", "json")
    document = json.loads(outcome.out)
    (of,) = document["comparisons"]
    assert {"gain": 2, "pay": 0, "same": 1, "most_gained": {"account_id": "brightline", "difference": "-18.73"}} == {
        key: of["overall"][0][key] for key in ("gain", "pay", "same", "most_gained")
    }
    assert ["now", "discount=10%"] == [under["terms"] for under in document["bills"]]
    brightline = document["bills"][0]["cycles"][0]
    assert (25, "187.25", 26, "181.74") == tuple(
        brightline[key] for key in ("peak", "total", "cheaper_peak", "cheaper_total")
    )
    rows = cli("compare", EVENTS, *TERMS, "--cycle", "2025-02", "--with", "discount=10%", "--format", "csv", "--bills")
    assert len(document["bills"]) * 3 + 1 == len(rows.out.splitlines())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("reconect=restarts", "key_unknown: --with: reconect is not a setting (did you mean reconnect?). Known here: "),
        ("months=three", 'value: --with: months is "three", which is not a whole number. '),
        ("months=2", "cycle_months: --with: months is 2"),
        ("reconnect=maybe", 'reconnect_unknown: --with: reconnect is "maybe"'),
        ("mode=stairs", "value: --with: mode is "),
        ("charge_flat_at_zero=yes", 'value: --with: charge_flat_at_zero is "yes", which is not true or false. '),
        ("discount=5", 'percent_range: --with: discount is "5"'),
        ("months=3,months=6", "usage: --with months=3,months=6 says months twice. "),
        ("nothing.toml", "file_missing: nothing.toml: "),
    ],
)
def test_a_change_that_cannot_be_is_refused(cli: Cli, change: str, message: str) -> None:
    """With the setting, and what to write."""
    outcome = cli("compare", EVENTS, *TERMS, "--with", change)
    assert 2 == outcome.status
    assert outcome.err.startswith(message), outcome.err


def test_plans_are_compared_as_table_json_and_csv(cli: Cli, tmp_path: Path) -> None:
    """20.00 and 7.00 each is 8.00 each at 20."""
    for name, tier in (("fee", 'unit_price = "7", flat_price = "20"'), ("each", 'unit_price = "8"')):
        text = f'id = "{name}"\ncurrency = "USD"\nmode = "volume"\ntiers = [{{ {tier} }}]\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    files = [str(tmp_path / f"{name}.toml") for name in ("fee", "each")]
    rows = [" ".join(line.split()) for line in cli("plan", "compare", *files).out.splitlines()]
    assert "1 to 19 each 27.00 USD 8.00 USD" in rows
    assert "20 fee = each 160.00 USD 160.00 USD" in rows
    assert "21 or more fee 167.00 USD 168.00 USD" in rows
    document = json.loads(cli("plan", "compare", *files, "--format", "json").out)
    assert {"first": 21, "last": None, "cheapest": ["fee"], "totals": ["167.00", "168.00"]}.items() <= document[
        "stretches"
    ][-1].items()
    csv = cli("plan", "compare", *files, "--format", "csv").out.splitlines()
    assert ["first,last,cheapest,in_turn,every,currency", "0,0,fee each,False,,USD"] == csv[:2]
    assert "usage: plan compare takes two plans or more." in cli("plan", "compare", files[0]).err


def test_plans_of_one_id_go_by_their_files(cli: Cli, tmp_path: Path) -> None:
    """A draft of new prices is often a copy of the old."""
    for name, unit in (("old", "8"), ("new", "7")):
        text = f'id = "plan"\ncurrency = "USD"\nmode = "volume"\ntiers = [{{ unit_price = "{unit}" }}]\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    files = [str(tmp_path / f"{name}.toml") for name in ("old", "new")]
    document = json.loads(cli("plan", "compare", *files, "--format", "json").out)
    assert [files, [files[1]]] == [s["cheapest"] for s in document["stretches"]]


def test_plans_that_take_turns_say_so(cli: Cli, tmp_path: Path) -> None:
    """Packages of ten and single units are alike at 10, 20, 30, and so on for ever."""
    for name, keys in (("packs", "package_size = 10\n"), ("each", "")):
        unit = "10" if keys else "1"
        text = f'id = "{name}"\ncurrency = "USD"\nmode = "volume"\n{keys}tiers = [{{ unit_price = "{unit}" }}]\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    outcome = cli("plan", "compare", str(tmp_path / "packs.toml"), str(tmp_path / "each.toml"))
    assert "packs or each, in turn, again every 10" in outcome.out
