"""The events that a recount counts, arranged by account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.event import DELETED, INSTANT_MAX, INSTANT_MIN, Bool, Columns, Events, Int32, Int64


@dataclass(frozen=True, slots=True)
class AccountEvents:
    """The events of some accounts, by account and then by time.

    `first[a]` is the first row of account `a`; `local` numbers the identities of an account from 0
    to `sizes[a]`, and `identities` are their codes in that order, account by account. An event was
    known from `since` until `until`, where the source has the times of recording.
    """

    instants: Int64
    types: Any
    local: Int32
    standard: Bool
    since: Int64 | None
    until: Int64 | None
    first: Int64
    sizes: Int64
    identities: NDArray[np.intp]

    @classmethod
    def of(cls, events: Events, accounts: Sequence[int], *, repeats: bool, voided: bool) -> AccountEvents:
        """Arrange the events of some accounts; with `repeats` and `voided`, those that do not count as well."""
        names, columns, history = events.names, events.columns, events.history
        standard, account_of = names.standard, names.account_of
        codes = np.arange(len(account_of))
        since = until = None
        if voided:
            assert history is not None and history.recorded is not None, "requested only where it is known"
            since = np.append(history.recorded, history.voided_since)
            until = np.append(np.full(len(columns), INSTANT_MAX + 1), history.voided_until)
            columns = Columns.concat([columns, history.voided])
        if repeats:
            # What was sent twice counts as a second identity, deleted when the first one is.
            assert history is not None and history.repeats is not None, "requested only where it is known"
            twice = np.unique(history.repeats.identities)
            deletions = columns.where((columns.types == DELETED) & np.isin(columns.identities, twice))
            more = Columns.concat([history.repeats, deletions])
            numbers = (len(account_of) + np.searchsorted(twice, more.identities)).astype(np.int32)
            columns = Columns.concat([columns, replace(more, identities=numbers)])
            codes = np.append(codes, twice)
            standard, account_of = standard[codes], account_of[codes]
            if since is not None and until is not None:  # when it was sent again is not recorded
                since = np.append(since, np.full(len(more), INSTANT_MIN))
                until = np.append(until, np.full(len(more), INSTANT_MAX + 1))
        wanted = np.zeros(len(names.accounts), np.bool_)
        wanted[list(accounts)] = True
        accounts_of_rows = account_of[columns.identities]
        rows = np.flatnonzero(wanted[accounts_of_rows])
        if not np.all(columns.instants[:-1] <= columns.instants[1:]):
            rows = rows[np.argsort(columns.instants[rows], kind="stable")]
        sorted_accounts = accounts_of_rows[rows].astype(np.min_scalar_type(len(wanted)))  # small numbers sort faster
        by_account = np.argsort(sorted_accounts, kind="stable")
        sorted_accounts, order = sorted_accounts[by_account], rows[by_account]
        identities = columns.identities[order]
        # Identities in order of account, so that each has a number within its own.
        identity_order = np.argsort(account_of, kind="stable")
        rank = np.empty(len(account_of), np.int64)
        rank[identity_order] = np.arange(len(account_of))
        sizes = np.bincount(account_of, minlength=len(wanted))
        before = np.cumsum(sizes) - sizes
        return cls(
            instants=columns.instants[order],
            types=columns.types[order],
            local=(rank - before[account_of]).astype(np.int32)[identities],
            standard=standard[identities],
            since=None if since is None else since[order],
            until=None if until is None else until[order],
            first=np.searchsorted(sorted_accounts, np.arange(len(wanted) + 1, dtype=sorted_accounts.dtype)),
            sizes=sizes,
            identities=codes[identity_order],
        )
