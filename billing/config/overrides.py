"""Other terms for a comparison: a terms file, a plan file, or a few settings in one line.

`reconnect=restarts,months=3` changes these settings for every account and leaves the others as they
are; so do those of a plan, such as `mode=graduated`. `none` takes a setting away that may be left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..core.errors import BadTerms, BillingError, hint
from ..core.plan import Plan
from ..core.terms import AllTerms, Terms
from .terms import Settings, load_either, load_plan, overridden

#: Settings that make sense for every plan; tiers and currency do not.
_OF_PLANS: Final = ("charge_flat_at_zero", "credit_price", "included", "maximum", "minimum", "mode", "package_size")
_WHOLE: Final = ("included", "months", "package_size")
_OPTIONAL: Final = ("anchor", "credit_price", "maximum", "minimum", "package_size")
_KNOWN: Final = tuple(sorted({*Settings.model_fields, *_OF_PLANS}))


@dataclass(frozen=True, slots=True)
class Change:
    """Other terms, and their name in the comparison."""

    name: str
    apply: Callable[[AllTerms], AllTerms]


def change_of(given: str | os.PathLike[str] | AllTerms | Terms | Plan, *, where: str = "settings") -> Change:
    """Other terms from an argument: a file of terms or of a plan, settings in a line, or any of these as a value.

    Of a plan, only the plan changes. `where` names settings in a line in errors. Raises `BadTerms`, `BadPlan`.
    """
    if isinstance(given, AllTerms):
        return Change("other terms", lambda _: given)
    if isinstance(given, Terms):
        return Change("other terms", lambda _: AllTerms(given))
    if isinstance(given, Plan):
        return Change(given.id, lambda now: overridden(now, Settings(), plan=given))
    name = os.fspath(given)
    if "=" in name and not Path(name).is_file():
        return Change(name, _settings(name, where))
    return Change(name, change_of(load_either(name)).apply)


def _settings(text: str, where: str) -> Callable[[AllTerms], AllTerms]:
    settings: dict[str, Any] = {}
    for part in text.split(","):
        key, _, value = (word.strip() for word in part.partition("="))
        if key not in _KNOWN:
            raise BadTerms("key_unknown", where, field=key, hint=hint(key, list(_KNOWN)), known=", ".join(_KNOWN))
        if key in settings:
            raise BillingError("usage", detail=f"{where} {text} says {key} twice")
        settings[key] = _value(key, value, where)
    return _changing(settings, where)


def _value(key: str, value: str, where: str) -> Any:
    if value == "none" and key in _OPTIONAL:
        return None
    if key in _WHOLE:
        if not value.isascii() or not value.isdecimal() or len(value) > 13:
            raise BadTerms("value", where, field=key, got=value, wanted="a whole number")
        return int(value)
    if key == "charge_flat_at_zero":
        if value not in ("true", "false"):
            raise BadTerms("value", where, field=key, got=value, wanted="true or false")
        return value == "true"
    return value


def _changing(settings: Mapping[str, Any], where: str) -> Callable[[AllTerms], AllTerms]:
    """The same terms for every account, except for these settings of terms and of plans."""
    of_plan = {key: value for key, value in settings.items() if key in _OF_PLANS}
    of_terms = Settings(**{key: value for key, value in settings.items() if key not in (*_OF_PLANS, "plan")})
    plan = load_plan(settings["plan"]) if "plan" in settings else None
    changed: dict[int, Plan] = {}

    def over(old: Terms) -> Terms:
        cycles = replace(old.cycles, anchor=None) if settings.get("anchor", "") is None else old.cycles
        if old.plan is None or not of_plan:
            return replace(old, cycles=cycles)
        if id(old.plan) not in changed:
            changed[id(old.plan)] = Plan(**{**dict(old.plan), **of_plan})
        return replace(old, cycles=cycles, plan=changed[id(old.plan)])

    def apply(now: AllTerms) -> AllTerms:
        try:
            given = overridden(now, of_terms, plan=plan)
            return AllTerms(over(given.default), {account: over(own) for account, own in given.accounts.items()})
        except BillingError as error:
            raise error if error.where else BadTerms(error.code, where, **error.details) from None

    return apply
