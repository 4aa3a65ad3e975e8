"""The question: which bills are asked for, under which terms, and which events can matter to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.activity import ActivityPolicy
from ..core.cycle import CycleRule, month_of
from ..core.errors import BadCycle
from ..core.event import INSTANT_MAX, INSTANT_MIN
from ..core.terms import AllTerms, TermsHistory


@dataclass(frozen=True, slots=True)
class Query:
    """Which bills are asked for, and under which terms.

    `first` and `last` are months (`2026-01`), `accounts` limits to these, `as_of` (microseconds)
    leaves out what occurred then or later, `policy` overrides that of the terms, `ids` asks for
    those of the events, `calls` for what calls did also where nobody pays for credits. In place of months,
    `open_at` (microseconds) asks for the cycle that is open then, and `before` for so many before it.
    """

    terms: AllTerms | TermsHistory = field(default_factory=AllTerms)
    first: str | None = None
    last: str | None = None
    accounts: tuple[str, ...] = ()
    as_of: int | None = None
    policy: ActivityPolicy | None = None
    ids: bool = False
    open_at: int | None = None
    before: int = 0
    calls: bool = False

    def __post_init__(self) -> None:
        months = [
            month_of(name, field=which) for which in ("first", "last") if (name := getattr(self, which)) is not None
        ]
        if len(months) == 2 and months[0] > months[1]:
            raise BadCycle("cycle_empty", start=self.first, end=self.last)

    def policy_of(self, account_id: str) -> ActivityPolicy:
        """The activity policy that an account is billed by."""
        return self.policy or self.all_terms.of(account_id).policy

    @property
    def details(self) -> bool:
        """Whether what calls did matters to the answer; few bills need it, and the others are not slowed by it."""
        return self.calls or self.terms.prices_credits

    @property
    def all_terms(self) -> AllTerms:
        """The terms of all accounts, where there is but one version of them."""
        assert isinstance(self.terms, AllTerms), "of several versions, one is taken at a time"
        return self.terms


class RequiredSpans:
    """Which instants of an account can matter to the cycles asked for: those from a window before the first."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._spans: dict[tuple[CycleRule, ActivityPolicy], tuple[int, int]] = {}

    def __call__(self, account_id: str) -> tuple[int, int] | None:
        """Those of one account, `[start, end)` in microseconds; none if it is not asked for."""
        q = self._query
        if q.accounts and account_id not in q.accounts:
            return None
        key = q.all_terms.of(account_id).cycles, q.policy_of(account_id)
        if key not in self._spans:
            rule, policy = key
            first, last = requested_bounds(q, rule)
            # What shows who was active since when goes back further than the count.
            if first is None or last is None or q.ids:
                return INSTANT_MIN, INSTANT_MAX
            start, end = rule.bound(first) - policy.longest_window, rule.bound(last + 1)
            self._spans[key] = start, end if last >= first else start
        return self._spans[key]


def requested_bounds(query: Query, rule: CycleRule) -> tuple[int | None, int | None]:
    """The numbers of the first and the last cycle that are asked for, as far as the question says."""
    if query.open_at is not None:
        last = rule.index_at(query.open_at)
        return last - query.before, last
    first = None if query.first is None else rule.index_from(query.first)
    return first, None if query.last is None else rule.index_until(query.last)
