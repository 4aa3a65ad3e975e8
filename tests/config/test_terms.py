"""Terms of accounts, and how they change over time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing import ActivityPolicy, AllTerms, BadTerms, CycleRule, Plan, Terms, Tier
from billing.core.terms import TermsHistory, TermsVersion

PLAN = Plan(id="sample", currency="USD", mode="volume", tiers=(Tier(unit_price=Decimal("7.99")),))
RESTARTS = Terms(policy=ActivityPolicy(reconnect="restarts"))


def test_a_discount_that_is_no_percentage_is_shown_as_one() -> None:
    """So that whoever wrote it finds it again."""
    with pytest.raises(BadTerms) as refused:
        Terms(discount=Decimal(101))
    assert {"field": "discount", "got": "101%"} == refused.value.details


def test_activity_is_the_same_where_every_account_has_the_same_policy() -> None:
    """However the terms are written down: what an account has of its own may be what all have."""
    none, own, default = AllTerms(), AllTerms(accounts={"acme": Terms(plan=PLAN)}), AllTerms(Terms(discount=Decimal(5)))
    assert all(one.same_activity(other) for one in (none, own, default) for other in (none, own, default))


def test_activity_is_another_where_one_account_or_all_others_have_another_policy() -> None:
    """Also where it is only on one side that the account is named."""
    none, one, all_others = AllTerms(), AllTerms(accounts={"acme": RESTARTS}), AllTerms(RESTARTS, {"acme": Terms()})
    alike = [
        [this.same_activity(that) for that in (none, one, all_others, AllTerms(RESTARTS))]
        for this in (none, one, all_others, AllTerms(RESTARTS))
    ]
    assert [[row == column for column in range(4)] for row in range(4)] == alike


def test_of_versions_that_apply_the_one_that_began_last_is_in_force_and_of_equals_the_newest() -> None:
    """What is written later may apply from earlier."""
    versions = [TermsVersion(k, start, AllTerms()) for k, start in [(1, None), (2, 200), (3, 100), (4, 100), (5, -7)]]
    history = TermsHistory(tuple(versions))
    found = [history.in_force(start) for start in (-8, -7, 99, 100, 199, 200)]
    assert [1, 5, 5, 4, 4, 2] == [version.number for version in found if version]
    assert versions == [history.numbered(number) for number in (1, 2, 3, 4, 5)]
    assert TermsHistory(tuple(versions[1:4])).in_force(99) is None


def test_changing_all_versions_changes_their_terms_and_nothing_else() -> None:
    """A policy for one question is asked of every version."""
    history = TermsHistory((TermsVersion(1, None, AllTerms()), TermsVersion(2, 100, AllTerms())))
    changed = history.changed(lambda terms: replace(terms, default=RESTARTS))
    assert [(1, None, RESTARTS), (2, 100, RESTARTS)] == [
        (version.number, version.applies_from, version.terms.default) for version in changed.versions
    ]


def test_an_old_version_is_read_with_the_cycles_of_the_newest() -> None:
    """How cycles follow one another is no matter of date, for whoever is named on either side."""
    rule, other = (CycleRule(anchor=datetime(2026, 1, day, tzinfo=UTC)) for day in (5, 9))
    old = TermsVersion(1, None, AllTerms(Terms(plan=PLAN), {"acme": Terms(discount=Decimal(5))}))
    new = TermsVersion(2, None, AllTerms(Terms(cycles=rule), {"bolt": Terms(cycles=other, discount=Decimal(9))}))
    read = TermsHistory((old, new)).with_cycles_of_the_newest(old)
    assert Terms(plan=PLAN, cycles=rule) == read.default
    assert {
        "acme": Terms(discount=Decimal(5), cycles=rule),
        "bolt": Terms(plan=PLAN, cycles=other),
    } == read.accounts
