"""The Python interface: one function for each verb, with tables as pandas data frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from . import engine
from .comparison import run as comparing
from .comparison.run import ComparisonResult
from .config.catalogue import load_catalogue
from .config.overrides import change_of
from .config.terms import load_terms
from .core.activity import ActivityPolicy
from .core.catalogue import Catalogue
from .core.cycle import micros
from .core.errors import BadCycle
from .core.event import Events
from .core.evidence import Evidence
from .core.invoice import Invoice
from .core.plan import Plan
from .core.terms import AllTerms, Terms, TermsVersion
from .engine import credits as crediting
from .engine.query import Query
from .forecasting import run as forecasting
from .forecasting.forecast import Forecast
from .forecasting.status import Status
from .inputs.rows import ReadOptions
from .invoicing import close as closing
from .invoicing import issue as issuing
from .invoicing import restate as restating
from .invoicing.close import GRACE_PERIOD, CloseResult
from .invoicing.restate import RestateResult
from .ledger import address as addresses
from .ledger.entry import Receipt
from .ledger.ledger import Ledger
from .outputs.tables import bills
from .outputs.tables import credits as credit_tables
from .outputs.tables import forecast as forecast_tables
from .outputs.tables import intervals as interval_tables
from .outputs.tables import invoicing as invoicing_tables
from .outputs.tables.frame import to_pandas
from .reconciliation import events as event_sources
from .reconciliation import invoices
from .reconciliation.diagnosis import Reconciliation
from .reconciliation.effects import Alignment
from .reconciliation.events import TOLERANCE
from .reconciliation.foreign import load_mapping, read_foreign
from .reconciliation.matching import Theirs

if TYPE_CHECKING:
    import pandas as pd

    from .outputs.documents.chart import Chart

#: Terms as an argument: the path of a file, terms per account, the same terms for all accounts, or just a plan.
GivenTerms = str | PathLike[str] | AllTerms | Terms | Plan | None


def read(source: Any, *, strict: bool = False, ignore_extra: bool = False, known_at: datetime | None = None) -> Events:
    """Read all events of a source, and the rows that were rejected.

    `source` is the path of a `.csv`, `.jsonl` (either also `.gz` or `.zst`) or `.parquet` file, a
    folder or glob of them, `-` for standard input, a table with `__arrow_c_stream__`, or a ledger: its
    address, or the result of `open_ledger`. Rejected rows are in `.rejections`; `strict` raises `Refused`
    at the first. `known_at` (aware) leaves out events recorded later. Raises `BadSource` for a source that
    cannot be used.
    """
    with engine.open_source(source) as opened:
        # The details of calls are read too: the caller may want credits later.
        options = _options(strict=strict, ignore_extra=ignore_extra, known_at=known_at)
        return engine.read(opened, replace(options, details=True))


def intervals(source: Any, *, terms: GivenTerms = None, policy: ActivityPolicy | None = None) -> pd.DataFrame:
    """When each engagement identity was active, as maximal spans `[start, end)`.

    Columns `account_id`, `identity_id` (str), `start`, `end` (datetime64[us, UTC]), ordered by
    account, identity and start. `policy` overrides the policy of the terms.
    """
    with engine.open_source(source) as opened:
        found = engine.answer(opened, _query(opened, ReadOptions(), terms=terms, policy=policy)).found
    frame: pd.DataFrame = interval_tables.intervals(found).to_pandas()
    return frame


def peaks(
    source: Any,
    *,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    position: int | None = None,
) -> pd.DataFrame:
    """The most identities active at the same moment, for every account and billing cycle.

    Columns `account_id`, `cycle` (str), `cycle_start`, `cycle_end` (datetime64[us, UTC]), `peak` (int64) and
    `peak_at`, the first instant of the peak (NaT if it is 0), ordered by account and cycle. `first`
    and `last` are months such as `"2026-01"`; without them each account has the cycles from its
    first active one to its last. `as_of` (aware) leaves out events that occurred then or later, `known_at`
    (aware) events recorded later, `position` entries appended to the ledger later. Without `terms`,
    those of a ledger apply. Raises `BadSource`, `BadLedger`, `BadCycle`, `UnknownAccount`.
    """
    options = _options(known_at=known_at, position=position)
    with engine.open_source(source) as opened:
        query = _query(opened, options, terms, policy, first, last, accounts, as_of)
        rows = engine.answer(opened, query, options).peaks()
    return to_pandas(bills.peaks(rows))


def draft(
    source: Any,
    *,
    terms: GivenTerms = None,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    policy: ActivityPolicy | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    position: int | None = None,
) -> list[Invoice]:
    """Draft the invoice of every account and billing cycle, ordered by account and cycle.

    Takes the arguments of `peaks`; the terms, or those of the ledger, name a plan for each account. Raises
    `BadTerms` (`plan_missing`) for an account without one, `NotPriced` for a peak beyond the last tier.
    """
    options = _options(known_at=known_at, position=position)
    with engine.open_source(source) as opened:
        query = _query(opened, options, terms, policy, first, last, accounts, as_of)
        return engine.answer(opened, query, options).drafts()


def compare(
    source: Any,
    *,
    others: Sequence[str | PathLike[str] | AllTerms | Terms | Plan],
    terms: GivenTerms = None,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    policy: ActivityPolicy | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    position: int | None = None,
) -> ComparisonResult:
    """Compare what the same history costs under other terms: who would pay more, and who less.

    Takes the arguments of `draft`, and `others`: for each, a terms file or value, a plan (then only the
    plan changes), or settings such as `"reconnect=restarts,discount=5%"`. `.comparisons` has one
    `Comparison` for each, with `.overall` per currency, `.accounts` and `.cycles`; `.billed_under` has
    the bills under each of the terms, the current ones first, and where a few identities more or fewer
    would have changed them. Raises as `draft`, and `BadTerms` for a change that cannot be applied.
    """
    changes = [change_of(other) for other in others]
    options = _options(known_at=known_at, position=position)
    with engine.open_source(source) as opened:
        query = _query(opened, options, terms, policy, first, last, accounts, as_of)
        return comparing.compare_terms(opened, query, changes, options)


def credits(
    source: Any,
    *,
    catalogue: str | PathLike[str] | Catalogue | None = None,
    terms: GivenTerms = None,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    position: int | None = None,
) -> pd.DataFrame:
    """The credits that actions cost, and the credits that engagement identities saved.

    A row for each account, billing cycle, action and type of identity. Columns `account_id`, `cycle` (str),
    `cycle_start`, `cycle_end` (datetime64[us, UTC]), `action` (str, none for calls that name none),
    `identity_type` (str), `calls` and `results` (int64), `credits`, `on_standard` (what the same calls
    cost on standard identities) and `saved` (Decimal), ordered by account, cycle, action and type.
    Takes the arguments of `peaks`; without `first` and `last`, all cycles in which an action was called.
    `catalogue` is a file or a value, and takes precedence over that of the terms. A call without results
    counts as one result, a call without a mode as direct; one without an action costs nothing. Raises as
    `peaks`, and `BadTerms` for a catalogue that cannot be used.
    """
    given = load_catalogue(catalogue) if isinstance(catalogue, str | PathLike) else catalogue
    options = _options(known_at=known_at, position=position)
    with engine.open_source(source) as opened:
        query = _query(opened, options, terms, None, first, last, accounts, as_of)
        rows = crediting.credits(opened, query, options, catalogue=given).rows
    return to_pandas(credit_tables.credits(rows))


def explain(
    source: Any,
    *,
    account_id: str,
    cycle: str,
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    position: int | None = None,
) -> Evidence:
    """Explain the peak of an account's cycle (a month such as `"2026-01"`).

    Lists each identity that was active at the peak, with the event that kept it active. Raises
    `UnknownAccount`, and `BadCycle` where no cycle of the account starts in that month.
    """
    options = _options(known_at=known_at, position=position)
    with engine.open_source(source) as opened:
        query = _query(opened, options, terms, policy, cycle, None, [account_id], as_of)
        return engine.explain(opened, query, options)[0]


def chart(
    source: Any,
    *,
    account_id: str | None = None,
    cycle: str | None = None,
    first: str | None = None,
    last: str | None = None,
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    position: int | None = None,
    locale: str = "en_US",
    forecast: bool = True,
) -> Chart:
    """Chart an account's cycle (a month such as `"2026-01"`), or without `cycle`, its year.

    The chart of a cycle shows the count with its peak, the tiers of the plan, and arrivals and departures. For
    a cycle still open at `as_of`, or at the last event of the source, it also shows how the count falls if
    nothing more happens, and unless `forecast` is false, a forecast of the peak. The chart of a year shows the
    peaks and amounts from `first` to `last`, or of the last twelve cycles. A notebook displays the chart;
    `.save` writes .svg, .png, .html and .json, `.spec` is its Vega-Lite specification and `.table` its data.
    Numbers, money and dates follow `locale`. Raises as `explain` and `draft`. Needs the extra `documents`.
    """
    from .outputs.documents import chart as charting  # imports Babel, which nothing else here needs
    from .outputs.documents.locale import locale_of

    if cycle is not None and (first is not None or last is not None):
        raise TypeError("cycle goes without first and last")
    options = _options(known_at=known_at, position=position)
    with engine.open_source(source) as opened:
        accounts = () if account_id is None else (account_id,)
        query = _query(opened, options, terms, policy, cycle or first, cycle or last, accounts, as_of)
        if cycle is None:
            return charting.year(opened, query, locale_of(locale), options)
        return charting.cycle(opened, query, locale_of(locale), options, forecast=forecast)


def align(
    ours: Any,
    theirs: Any,
    *,
    terms: GivenTerms = None,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    policy: ActivityPolicy | None = None,
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    tolerance: timedelta = TOLERANCE,
) -> Alignment:
    """Compare the events of two sources: how they differ, which differences change a bill, and by how much.

    Takes any two sources that `read` takes. `.differences` are all events that differ, `.matters`
    those that change a peak, `.effects` the effect of each on a cycle, `.together` those that change a
    peak only jointly, `.totals` the figures of the cycles by each source. There are amounts if `terms`, or
    those of a ledger, name a plan; they are for identities only, and `.credits_left_out` is true if credits
    are priced as well. Events without ids are compared by content; two events of one identity and type, at
    most `tolerance` apart, count as one that was shifted. Raises `BadSource`, `UnknownAccount`.
    """
    options = _options(known_at=known_at)
    with engine.open_source(ours) as own, engine.open_source(theirs) as other:
        ledger_or_own = other if isinstance(other, Ledger) and not isinstance(own, Ledger) else own
        query = _query(ledger_or_own, options, terms, policy, first, last, accounts, as_of)
        return event_sources.align(own, other, query, (options, options), tolerance=tolerance)


def reconcile(
    source: Any,
    foreign: str | PathLike[str] | Sequence[Theirs],
    *,
    terms: GivenTerms = None,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    mapping: str | None = None,
    earlier: Sequence[Plan] = (),
    tolerance: Decimal = Decimal(0),
    drafts: bool = False,
    identities: bool = False,
    known_at: datetime | None = None,
    position: int | None = None,
) -> Reconciliation:
    """Compare our invoices with those of another system, and find out why they differ.

    `foreign` is the path of a `.csv` or `.json` file, or a list of `Theirs`; the file `mapping` maps columns
    with other names. Each discrepancy has the cause that explains their figure, if there is one. `earlier`
    are plans in force before the terms, the latest first; amounts may differ by `tolerance`. A ledger is
    compared by its issued documents, or with `drafts`, by fresh drafts. Raises as `draft`, and `BadForeign`.
    """
    if isinstance(foreign, str | PathLike):
        read_as = None if mapping is None else load_mapping(mapping)
        foreign = read_foreign(fspath(foreign), read_as).invoices
    options = _options(known_at=known_at, position=position)
    with engine.open_source(source) as opened:
        query = _query(opened, options, terms, None, first, last, accounts)
        return invoices.reconcile(
            opened, foreign, query, options, earlier=earlier, tolerance=tolerance, drafts=drafts,
            identities=identities,
        )[0]  # fmt: skip


def open_ledger(url: str, *, create: bool = True) -> Ledger:
    """Open a ledger: a permanent store of events and of the documents issued for them.

    `url` is `sqlite:///billing.db` or `postgresql://HOST/DATABASE`; see `ledger.address`. With
    `create`, a missing ledger is created empty. Raises `BadLedger`.
    """
    return addresses.open_ledger(url, create=create)


def append(
    ledger: Ledger, source: Any, *, strict: bool = False, ignore_extra: bool = False, now: datetime | None = None
) -> Receipt:
    """Append the events of a source to a ledger, and report what became of each; repeating it is safe.

    Takes any source that `read` takes; each event needs an `event_id`. When this returns, the accepted
    events are on disk. After an error, append the same events again: those already stored change nothing.
    Events without `recorded_at` get `now` (aware; by default the current time). Raises
    `BadSource`, `Refused`, `BadLedger`.
    """
    with engine.open_source(source) as opened:
        events = engine.read_incoming(opened, _options(strict=strict, ignore_extra=ignore_extra))
    return engine.append(ledger, events, now=_now(now))


def close(
    ledger: Ledger,
    cycle: str,
    *,
    terms: GivenTerms = None,
    accounts: Sequence[str] = (),
    grace_period: timedelta = GRACE_PERIOD,
    position: int | None = None,
    issue: bool = False,
    now: datetime | None = None,
) -> CloseResult:
    """Draft the invoices of a finished cycle (a month such as `"2026-01"`); with `issue`, issue them.

    Each account with an event before the end of its cycle gets one invoice, even of 0.00, unless it
    has one already. `.drafts` are the invoices to issue, `.documents` those issued. A cycle
    closes `grace_period` after its end. `terms` become those of the ledger if it has none; add later
    versions with `add_terms`. With `position`, raises `StaleLedger` if the ledger has changed since.
    """
    given = None if terms is None else _all_terms(terms)
    return closing.close(
        ledger,
        cycle,
        now=_now(now),
        grace_period=grace_period,
        accounts=accounts,
        terms=given,
        position=position,
        issue=issue,
    )


def restate(
    ledger: Ledger,
    *,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    position: int | None = None,
    issue: bool = False,
    now: datetime | None = None,
) -> RestateResult:
    """Recompute issued cycles that late events may have changed; with `issue`, settle the differences.

    Each cycle is computed under the terms it was billed under. `.restatements` are the cycles whose total
    changed, each with the events that explain it; a credit note or a supplementary invoice settles each.
    An invoice and its notes together always equal a fresh draft; there is no note of 0.
    """
    return restating.restate(
        ledger, now=_now(now), first=first, last=last, accounts=accounts, position=position, issue=issue
    )


def add_terms(
    ledger: Ledger, terms: GivenTerms, *, applies_from: datetime | None = None, now: datetime | None = None
) -> TermsVersion:
    """Add a version of the terms to a ledger, for the cycles that start at `applies_from` or later.

    The first version applies to all cycles; issued documents keep the version they were billed under. Raises
    `BadTerms` if a date is missing, or if the cycles of an account with an invoice would change.
    """
    since = _micros(applies_from, "applies_from")
    return closing.add_terms(ledger, _all_terms(terms), now=_now(now), applies_from=since)


def statement(
    ledger: Ledger, *, account_id: str | None = None, known_at: datetime | None = None, position: int | None = None
) -> pd.DataFrame:
    """The documents of all accounts, or of one, with the balance after each.

    Columns `account_id`, `cycle` (str), `cycle_start`, `cycle_end` (datetime64[us, UTC]), `number`, `kind`
    (str), `issued_at` (datetime64[us, UTC]), `total`, `balance` (Decimal) and `currency` (str), ordered by
    account and issue.
    """
    at = engine.position_of(ledger, _options(known_at=known_at, position=position))
    rows = issuing.statement(ledger, account_id=account_id, position=at)
    return to_pandas(invoicing_tables.statement(rows))


def status(
    source: Any,
    *,
    as_of: datetime | None = None,
    accounts: Sequence[str] = (),
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    known_at: datetime | None = None,
    position: int | None = None,
) -> list[Status]:
    """Where the open cycle of each account stands, and what is certain about it whatever happens next.

    The cycle is the one open at `as_of` (aware; by default now); events that occurred then or later are left
    out. Each status has the peak so far, the active identities with the instant at which each becomes inactive,
    and with a plan, the amount so far and the least possible final amount. Raises `BadSource`, `BadLedger`,
    `UnknownAccount`, `NotPriced`.
    """
    options = _options(known_at=known_at, position=position)
    with engine.open_source(source) as opened:
        query = _query(opened, options, terms, policy, accounts=accounts)
        return forecasting.status(opened, query, _now(as_of, "as_of"), options)[0]


def forecast(
    source: Any,
    *,
    as_of: datetime | None = None,
    accounts: Sequence[str] = (),
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    known_at: datetime | None = None,
    position: int | None = None,
    fans: bool = False,
    seed: int = 0,
) -> list[Forecast]:
    """Forecast the peak and the amount of each account's open cycle.

    Each forecast has the `status`, which is certain, and the `peak`: the distribution of the final peak,
    learned from the account's past cycles at the same phase and from those of all others in the source. An
    account with fewer than three whole cycles after its first active one has no `peak`. With `fans`, there
    are also distributions of the peak up to instants before the end. The same `seed` gives the same
    forecasts. Raises as `status`.
    """
    options = _options(known_at=known_at, position=position)
    with engine.open_source(source) as opened:
        query = _query(opened, options, terms, policy, accounts=accounts)
        return forecasting.forecast(opened, query, _now(as_of, "as_of"), options, fans=fans, seed=seed)[0]


def backtest(
    source: Any,
    *,
    phases: Sequence[float] = forecasting.PHASES,
    as_of: datetime | None = None,
    accounts: Sequence[str] = (),
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """How accurate forecasts of past cycles would have been, compared with simpler models.

    A row for each phase (the fraction of a cycle that has passed) and model, ours first. Columns `months`, `phase`,
    `cycles`, `accounts`, `settled` (cycles whose peak was reached before the cutoff), `name`, then the losses
    in identities: `pinball`, `error` (absolute, of the median) and `interval` (interval score at 80 %), then
    the coverage of the 50, 80 and 95 % intervals, and `evenly_80`, the randomised coverage at 80 %. Raises
    as `status`.
    """
    with engine.open_source(source) as opened:
        query = _query(opened, ReadOptions(), terms, policy, accounts=accounts)
        found, _ = forecasting.backtests(opened, query, _now(as_of, "as_of"), phases=phases, seed=seed)
    return to_pandas(forecast_tables.backtests(found))


def _query(
    source: Any,
    options: ReadOptions,
    terms: GivenTerms = None,
    policy: ActivityPolicy | None = None,
    first: str | None = None,
    last: str | None = None,
    accounts: Sequence[str] = (),
    as_of: datetime | None = None,
) -> Query:
    own = terms is None and isinstance(source, Ledger)
    return Query(
        terms=engine.terms_in(source, options) if own else _all_terms(terms),
        first=first,
        last=last,
        accounts=tuple(accounts),
        as_of=_micros(as_of, "as_of"),
        policy=policy,
    )


def _options(
    *,
    strict: bool = False,
    ignore_extra: bool = False,
    known_at: datetime | None = None,
    position: int | None = None,
) -> ReadOptions:
    return ReadOptions(
        strict=strict, ignore_extra=ignore_extra, known_at=_micros(known_at, "known_at"), position=position
    )


def _now(given: datetime | None, field: str = "now") -> int:
    return micros(datetime.now(UTC)) if given is None else _micros(given, field) or 0


def _all_terms(terms: GivenTerms) -> AllTerms:
    if terms is None or isinstance(terms, AllTerms):
        return terms or AllTerms()
    if isinstance(terms, Plan):
        terms = Terms(plan=terms)
    return AllTerms(terms) if isinstance(terms, Terms) else load_terms(terms)


def _micros(instant: datetime | None, field: str) -> int | None:
    if instant is None:
        return None
    if instant.tzinfo is None:
        raise BadCycle("ts_naive", field=field, got=instant.isoformat())
    return micros(instant)
