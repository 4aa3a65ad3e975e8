from .api import (
    add_terms,
    align,
    append,
    backtest,
    chart,
    close,
    compare,
    credits,
    draft,
    explain,
    forecast,
    intervals,
    open_ledger,
    peaks,
    read,
    reconcile,
    restate,
    statement,
    status,
)
from .comparison.bills import AccountRow, Comparison, CycleRow, Overall
from .comparison.break_even import BreakEven, PlanRange, break_even
from .comparison.run import ComparisonResult
from .config.catalogue import load_catalogue
from .config.terms import load_terms
from .core.activity import ActivityPolicy
from .core.catalogue import Catalogue, CatalogueVersion
from .core.cycle import Cycle, CycleRule
from .core.errors import (
    BadCycle,
    BadForeign,
    BadLedger,
    BadPlan,
    BadPolicy,
    BadSource,
    BadTerms,
    BillingError,
    NotPriced,
    Refused,
    Rejection,
    StaleLedger,
    UnknownAccount,
)
from .core.event import Events, Tally
from .core.evidence import ActiveOffPeak, Evidence, Witness
from .core.invoice import Basis, Invoice, Line
from .core.money import Money
from .core.plan import Part, Plan, PlanWarning, Price, Tier
from .core.terms import AllTerms, Terms, TermsVersion
from .core.totals import PricePoint, PriceSteps
from .forecasting.distribution import Distribution
from .forecasting.forecast import Amounts, Forecast, TierChance
from .forecasting.model import PeakForecast
from .forecasting.status import AmountDue, Expiry, Status
from .invoicing.close import CloseResult
from .invoicing.restate import RestateResult
from .invoicing.restatement import Billed, LateEvent, Restatement
from .ledger.entry import Document, Entry, Head, Receipt
from .ledger.ledger import Ledger
from .outputs.documents.chart import Chart
from .outputs.tables.views import table
from .reconciliation.causes import Cause
from .reconciliation.diagnosis import CauseCount, Diagnosis, Disputed, Explanation, Reconciliation
from .reconciliation.effects import Alignment, CycleTotal, Effect, JointEffect, Origin, PeakAndAmount
from .reconciliation.event_diff import Difference, Event
from .reconciliation.matching import Match, Theirs

__version__: str

__all__ = [
    "AccountRow",
    "ActiveOffPeak",
    "ActivityPolicy",
    "Alignment",
    "AllTerms",
    "AmountDue",
    "Amounts",
    "BadCycle",
    "BadForeign",
    "BadLedger",
    "BadPlan",
    "BadPolicy",
    "BadSource",
    "BadTerms",
    "Basis",
    "Billed",
    "BillingError",
    "BreakEven",
    "Catalogue",
    "CatalogueVersion",
    "Cause",
    "CauseCount",
    "Chart",
    "CloseResult",
    "Comparison",
    "ComparisonResult",
    "Cycle",
    "CycleRow",
    "CycleRule",
    "CycleTotal",
    "Diagnosis",
    "Difference",
    "Disputed",
    "Distribution",
    "Document",
    "Effect",
    "Entry",
    "Event",
    "Events",
    "Evidence",
    "Expiry",
    "Explanation",
    "Forecast",
    "Head",
    "Invoice",
    "JointEffect",
    "LateEvent",
    "Ledger",
    "Line",
    "Match",
    "Money",
    "NotPriced",
    "Origin",
    "Overall",
    "Part",
    "PeakAndAmount",
    "PeakForecast",
    "Plan",
    "PlanRange",
    "PlanWarning",
    "Price",
    "PricePoint",
    "PriceSteps",
    "Receipt",
    "Reconciliation",
    "Refused",
    "Rejection",
    "RestateResult",
    "Restatement",
    "StaleLedger",
    "Status",
    "Tally",
    "Terms",
    "TermsVersion",
    "Theirs",
    "Tier",
    "TierChance",
    "UnknownAccount",
    "Witness",
    "add_terms",
    "align",
    "append",
    "backtest",
    "break_even",
    "chart",
    "close",
    "compare",
    "credits",
    "draft",
    "explain",
    "forecast",
    "intervals",
    "load_catalogue",
    "load_terms",
    "open_ledger",
    "peaks",
    "read",
    "reconcile",
    "restate",
    "statement",
    "status",
    "table",
]
