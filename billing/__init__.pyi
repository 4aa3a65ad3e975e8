from .api import (
    agree,
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
from .comparison.break_even import BreakEven, Stretch, break_even
from .comparison.run import Comparing
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
from .core.evidence import Evidence, Passerby, Witness
from .core.invoice import Basis, Invoice, Line
from .core.meeting import Meeting
from .core.money import Money
from .core.plan import Part, Plan, PlanWarning, Price, Tier
from .core.terms import AllTerms, Terms, TermsVersion
from .core.totals import At, Nearby
from .forecasting.distribution import Chances
from .forecasting.forecast import Amounts, Forecast, TierChance
from .forecasting.model import Guess
from .forecasting.status import Asleep, Owed, Status
from .invoicing.close import Closing
from .invoicing.restate import Restating
from .invoicing.restatement import Billed, LateEvent, Restatement
from .ledger.entry import Document, Entry, Head, Receipt
from .ledger.ledger import Ledger
from .outputs.documents.chart import Chart
from .outputs.tables.frame import table
from .reconciliation.diagnosis import Cause, Diagnosis, Disputed, Explanation, Reconciliation
from .reconciliation.effects import Alignment, CycleTotal, Effect, Figure, Origin, Together
from .reconciliation.event_diff import Difference, Event
from .reconciliation.matching import Match, Theirs

__version__: str

__all__ = [
    "AccountRow",
    "ActivityPolicy",
    "Alignment",
    "AllTerms",
    "Amounts",
    "Asleep",
    "At",
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
    "Chances",
    "Chart",
    "Closing",
    "Comparing",
    "Comparison",
    "Cycle",
    "CycleRow",
    "CycleRule",
    "CycleTotal",
    "Diagnosis",
    "Difference",
    "Disputed",
    "Document",
    "Effect",
    "Entry",
    "Event",
    "Events",
    "Evidence",
    "Explanation",
    "Figure",
    "Forecast",
    "Guess",
    "Head",
    "Invoice",
    "LateEvent",
    "Ledger",
    "Line",
    "Match",
    "Meeting",
    "Money",
    "Nearby",
    "NotPriced",
    "Origin",
    "Overall",
    "Owed",
    "Part",
    "Passerby",
    "Plan",
    "PlanWarning",
    "Price",
    "Receipt",
    "Reconciliation",
    "Refused",
    "Rejection",
    "Restatement",
    "Restating",
    "StaleLedger",
    "Status",
    "Stretch",
    "Tally",
    "Terms",
    "TermsVersion",
    "Theirs",
    "Tier",
    "TierChance",
    "Together",
    "UnknownAccount",
    "Witness",
    "agree",
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
