"""Exact, explainable, fast billing by the most identities active at the same moment."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from .charting import Chart
    from .closing import Closing
    from .comparing import Comparing
    from .core.activity import ActivityPolicy
    from .core.alignment import Difference, Event
    from .core.breakeven import BreakEven, Stretch, break_even
    from .core.chances import Chances
    from .core.comparison import AccountRow, Comparison, CycleRow, Overall
    from .core.credits import Catalogue, CatalogueVersion
    from .core.cycle import Cycle, CycleRule
    from .core.diagnosis import Cause, Diagnosis, Disputed, Explanation, Reconciliation
    from .core.effect import Alignment, CycleTotal, Effect, Figure, Origin, Together
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
    from .core.forecast import Amounts, Forecast, TierChance
    from .core.forecaster import Guess
    from .core.invoice import Basis, Invoice, Line
    from .core.meeting import Meeting
    from .core.money import Money
    from .core.nearby import At, Nearby
    from .core.plan import Part, Plan, PlanWarning, Price, Tier
    from .core.reconcile import Match, Theirs
    from .core.restatement import Billed, LateEvent, Restatement
    from .core.status import Asleep, Owed, Status
    from .core.terms import AllTerms, Terms, TermsVersion
    from .formats.catalogues import load_catalogue
    from .formats.terms import load_terms
    from .ledger.entry import Document, Entry, Head, Receipt
    from .ledger.ledger import Ledger
    from .restating import Restating
    from .tables import table

# Where each public name lives. They are imported when first used, so that `import billing` and
# `billing --help` cost nothing.
_HOMES = {
    "api": (
        "agree",
        "align",
        "append",
        "backtest",
        "chart",
        "close",
        "compare",
        "credits",
        "draft",
        "explain",
        "forecast",
        "intervals",
        "open_ledger",
        "peaks",
        "read",
        "reconcile",
        "restate",
        "statement",
        "status",
    ),
    "charting": ("Chart",),
    "closing": ("Closing",),
    "comparing": ("Comparing",),
    "core.breakeven": ("BreakEven", "Stretch", "break_even"),
    "core.comparison": ("AccountRow", "Comparison", "CycleRow", "Overall"),
    "core.meeting": ("Meeting",),
    "core.nearby": ("At", "Nearby"),
    "core.chances": ("Chances",),
    "core.forecast": ("Amounts", "Forecast", "TierChance"),
    "core.forecaster": ("Guess",),
    "core.status": ("Asleep", "Owed", "Status"),
    "core.activity": ("ActivityPolicy",),
    "core.alignment": ("Difference", "Event"),
    "core.effect": ("Alignment", "CycleTotal", "Effect", "Figure", "Origin", "Together"),
    "core.credits": ("Catalogue", "CatalogueVersion"),
    "core.cycle": ("Cycle", "CycleRule"),
    "core.errors": (
        "BadCycle",
        "BadForeign",
        "BadLedger",
        "BadPlan",
        "BadPolicy",
        "BadSource",
        "BadTerms",
        "BillingError",
        "NotPriced",
        "Refused",
        "Rejection",
        "StaleLedger",
        "UnknownAccount",
    ),
    "core.event": ("Events", "Tally"),
    "core.diagnosis": ("Cause", "Diagnosis", "Disputed", "Explanation", "Reconciliation"),
    "core.reconcile": ("Match", "Theirs"),
    "core.evidence": ("Evidence", "Passerby", "Witness"),
    "core.invoice": ("Basis", "Invoice", "Line"),
    "core.terms": ("AllTerms", "Terms", "TermsVersion"),
    "ledger.entry": ("Document", "Entry", "Head", "Receipt"),
    "ledger.ledger": ("Ledger",),
    "restating": ("Restating",),
    "tables": ("table",),
    "core.money": ("Money",),
    "core.restatement": ("Billed", "LateEvent", "Restatement"),
    # Plans come by way of the module that can load them from files.
    "formats.catalogues": ("load_catalogue",),
    "formats.terms": ("Plan", "load_terms"),
    "core.plan": ("Part", "PlanWarning", "Price", "Tier"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("peak-billing")
    if name not in _HOME:
        raise AttributeError(f"module 'billing' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
