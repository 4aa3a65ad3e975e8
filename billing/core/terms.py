"""Terms: what an account has agreed to, and the versions of it over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from .activity import ActivityPolicy
from .catalogue import Catalogue
from .cycle import CycleRule
from .errors import BadTerms
from .plan import Plan


@dataclass(frozen=True, slots=True)
class Terms:
    """What an account has agreed to: its plan, billing cycles, activity policy, discount, and what actions cost.

    `discount` is a percentage, 0 to 100. Raises `BadTerms` (`percent_range`) for any other. Without a
    `catalogue`, the published one applies.
    """

    plan: Plan | None = None
    cycles: CycleRule = field(default_factory=CycleRule)
    policy: ActivityPolicy = field(default_factory=ActivityPolicy)
    discount: Decimal = Decimal(0)
    catalogue: Catalogue | None = None

    @property
    def prices_credits(self) -> bool:
        """Whether the plan prices credits, so that an invoice needs the details of calls."""
        return self.plan is not None and self.plan.credit_price is not None

    def __post_init__(self) -> None:
        if not isinstance(self.discount, Decimal) or not 0 <= self.discount <= 100:
            raise BadTerms("percent_range", field="discount", got=f"{self.discount}%")


@dataclass(frozen=True, slots=True)
class AllTerms:
    """The terms of every account: its own, or the default ones."""

    default: Terms = field(default_factory=Terms)
    accounts: Mapping[str, Terms] = field(default_factory=dict)

    def of(self, account_id: str) -> Terms:
        """The terms of one account."""
        return self.accounts.get(account_id, self.default)

    @property
    def prices_credits(self) -> bool:
        """Whether any account pays for credits."""
        return any(terms.prices_credits for terms in (self.default, *self.accounts.values()))

    def policies(self) -> list[ActivityPolicy]:
        """The policies that accounts have."""
        return [self.default.policy, *(own.policy for own in self.accounts.values())]

    def same_activity(self, other: AllTerms) -> bool:
        """Whether every account has the same policy under other terms, and so the same activity."""
        accounts = {**self.accounts, **other.accounts}
        return self.default.policy == other.default.policy and all(
            self.of(account).policy == other.of(account).policy for account in accounts
        )


@dataclass(frozen=True, slots=True)
class TermsVersion:
    """One version of the terms of all accounts in a ledger, numbered from 1.

    They apply to cycles that start at `applies_from` (microseconds) or later; without it, to all.
    """

    number: int
    applies_from: int | None
    terms: AllTerms


@dataclass(frozen=True, slots=True)
class TermsHistory:
    """All versions of the terms in a ledger, in the order in which they were recorded.

    The version in force at a cycle's start applies to the cycle: of those that apply by then, the one
    with the latest `applies_from`, and of several with the same the newest. Cycle rules are not dated:
    those of the newest version always apply.
    """

    versions: tuple[TermsVersion, ...] = ()

    def in_force(self, start: int) -> TermsVersion | None:
        """The version that applies to a cycle starting at `start` (microseconds); none before the first."""
        begun = [v for v in self.versions if v.applies_from is None or v.applies_from <= start]
        return max(begun, key=lambda v: (_ALWAYS if v.applies_from is None else v.applies_from, v.number), default=None)

    @property
    def prices_credits(self) -> bool:
        """Whether any account pays for credits under any version."""
        return any(version.terms.prices_credits for version in self.versions)

    def numbered(self, number: int) -> TermsVersion:
        """The version of that number."""
        return self.versions[number - 1]

    def changed(self, change: Callable[[AllTerms], AllTerms]) -> TermsHistory:
        """The same versions, each with its terms changed."""
        return TermsHistory(tuple(replace(version, terms=change(version.terms)) for version in self.versions))

    def with_cycles_of_the_newest(self, version: TermsVersion) -> AllTerms:
        """The terms of a version, with the cycle rules of the newest."""
        newest = self.versions[-1].terms
        return AllTerms(
            replace(version.terms.default, cycles=newest.default.cycles),
            {
                account: replace(version.terms.of(account), cycles=newest.of(account).cycles)
                for account in {**newest.accounts, **version.terms.accounts}
            },
        )


#: Before every instant.
_ALWAYS: Final = -(1 << 62)
