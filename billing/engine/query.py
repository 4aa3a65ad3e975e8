"""The query: which bills are requested, under which terms, and which events can matter to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..core.activity import ActivityPolicy
from ..core.cycle import CycleRule, month_of
from ..core.errors import BadCycle
from ..core.event import INSTANT_MAX, INSTANT_MIN
from ..core.terms import AllTerms, TermsHistory


@dataclass(frozen=True, slots=True)
class Query:
    """Which bills are requested, and under which terms.

    `first` and `last` are months (`2026-01`), both inclusive; `accounts` limits the query to these.
    `as_of` (microseconds) leaves out events that occurred then or later. `policy` overrides that of the
    terms. `ids` keeps the ids of events, and `calls` reads the details of calls even if no account pays
    for credits. In place of months, `open_at` (microseconds) requests the cycle that is open then, and
    `before` how many cycles before it.
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
        """Whether the result needs the details of calls; few bills do, and the others are not slowed down."""
        return self.calls or self.terms.prices_credits

    @property
    def all_terms(self) -> AllTerms:
        """The terms of all accounts, for a query with a single version of them."""
        assert isinstance(self.terms, AllTerms), "a query is answered for one version of the terms at a time"
        return self.terms


class RequiredSpans:
    """Which instants of an account can matter to the requested cycles: from one window before the first."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._spans: dict[tuple[CycleRule, ActivityPolicy], tuple[int, int]] = {}

    def __call__(self, account_id: str) -> tuple[int, int] | None:
        """The span of one account, `[start, end)` in microseconds; none if the account is not requested."""
        q = self._query
        if q.accounts and account_id not in q.accounts:
            return None
        key = q.all_terms.of(account_id).cycles, q.policy_of(account_id)
        if key not in self._spans:
            rule, policy = key
            first, last = requested_bounds(q, rule)
            # Evidence says since when an identity was active, which goes back further than the count.
            if first is None or last is None or q.ids:
                return INSTANT_MIN, INSTANT_MAX
            start, end = rule.bound(first) - policy.longest_window, rule.bound(last + 1)
            self._spans[key] = start, end if last >= first else start
        return self._spans[key]


def requested_bounds(query: Query, rule: CycleRule) -> tuple[int | None, int | None]:
    """The numbers of the first and the last requested cycle; none where the query leaves one open."""
    if query.open_at is not None:
        last = rule.index_at(query.open_at)
        return last - query.before, last
    first = None if query.first is None else rule.index_from(query.first)
    return first, None if query.last is None else rule.index_until(query.last)
