"""Exact, explainable, fast billing by the most identities active at the same moment."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import draft, explain, intervals, peaks, read
    from .core.activity import ActivityPolicy
    from .core.cycle import Cycle, CycleRule
    from .core.errors import (
        BadCycle,
        BadPlan,
        BadPolicy,
        BadSource,
        BadTerms,
        BillingError,
        NotPriced,
        Refused,
        Rejection,
        UnknownAccount,
    )
    from .core.event import Events, Tally
    from .core.evidence import Evidence, Passerby, Witness
    from .core.invoice import AllTerms, Basis, Invoice, Line, Terms
    from .core.money import Money
    from .core.plan import Part, Plan, PlanWarning, Price, Tier
    from .formats.terms import load_terms

# Where each public name lives. They are imported when first used, so that `import billing` and
# `billing --help` cost nothing.
_HOMES = {
    "api": ("draft", "explain", "intervals", "peaks", "read"),
    "core.activity": ("ActivityPolicy",),
    "core.cycle": ("Cycle", "CycleRule"),
    "core.errors": (
        "BadCycle",
        "BadPlan",
        "BadPolicy",
        "BadSource",
        "BadTerms",
        "BillingError",
        "NotPriced",
        "Refused",
        "Rejection",
        "UnknownAccount",
    ),
    "core.event": ("Events", "Tally"),
    "core.evidence": ("Evidence", "Passerby", "Witness"),
    "core.invoice": ("AllTerms", "Basis", "Invoice", "Line", "Terms"),
    "core.money": ("Money",),
    # Plans come by way of the module that can load them from files.
    "formats.terms": ("Plan", "load_terms"),
    "core.plan": ("Part", "PlanWarning", "Price", "Tier"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ActivityPolicy",
    "AllTerms",
    "BadCycle",
    "BadPlan",
    "BadPolicy",
    "BadSource",
    "BadTerms",
    "Basis",
    "BillingError",
    "Cycle",
    "CycleRule",
    "Events",
    "Evidence",
    "Invoice",
    "Line",
    "Money",
    "NotPriced",
    "Part",
    "Passerby",
    "Plan",
    "PlanWarning",
    "Price",
    "Refused",
    "Rejection",
    "Tally",
    "Terms",
    "Tier",
    "UnknownAccount",
    "Witness",
    "draft",
    "explain",
    "intervals",
    "load_terms",
    "peaks",
    "read",
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
