"""Plans and terms from TOML or JSON files: what accounts have agreed to.

A terms file has a `[default]` table and one `[accounts.NAME]` table for each account that differs;
an account takes from the default what its own table leaves out. Plans are named by their path,
from the folder of the terms file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WithJsonSchema

from ..core.activity import ActivityPolicy
from ..core.catalogue import Catalogue
from ..core.cycle import CycleRule, instant_of, micros, moment, text_of
from ..core.errors import BadPlan, BadTerms, BillingError, hint
from ..core.plan import Plan, wanted_by
from ..core.terms import AllTerms, Terms, TermsVersion
from ..inputs.timestamps import parse_instant
from .catalogue import catalogue_document, catalogue_of, in_force, load_catalogue, own
from .files import document_of

_PERCENT: Final = re.compile(r"\d{1,3}(\.\d{1,12})?%", re.ASCII)
#: Weeks to seconds; months and years have no fixed length.
_DURATION: Final = re.compile(r"P(\d{1,4}W)?(\d{1,5}D)?(T(\d{1,6}H)?(\d{1,6}M)?(\d{1,9}(\.\d{1,6})?S)?)?", re.ASCII)
_Moment = Annotated[Any, WithJsonSchema({"type": "string", "format": "date-time"})]
_Span = Annotated[str, WithJsonSchema({"type": "string", "format": "duration"})]


class Settings(BaseModel):
    """One table of a terms file; every key is optional."""

    model_config = ConfigDict(extra="forbid", strict=True)

    plan: str | None = Field(None, description="Path of the plan file, from the folder of this file.")
    anchor: _Moment | None = Field(None, description="Start of cycle 0, with a UTC offset.")
    timezone: str | None = Field(None, description="IANA name of the zone whose clock cycles keep.")
    months: int | None = Field(None, description="Length of a cycle: 1, 3, 6 or 12.")
    discount: str | None = Field(None, description='Percentage off the usage line, such as "10%".')
    reconnect: str | None = Field(None, description='"extends" or "restarts".')
    action_window: _Span | None = Field(None, description='How long an action keeps active, such as "P30D".')
    connect_window: _Span | None = Field(None, description='How long a connect keeps active, such as "P5D".')
    catalogue: str | None = Field(None, description="Path of a catalogue of actions, from the folder of this file.")


class TermsDocument(BaseModel):
    """A terms file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    default: Settings = Field(default_factory=Settings)
    accounts: dict[str, Settings] = Field(default_factory=dict)


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """A plan from a TOML or JSON file. Raises `BadPlan`, which names the file and the tier."""
    name = os.fspath(path)
    return _plan_of(document_of(name, BadPlan), name)


def _plan_of(document: dict[str, Any], name: str) -> Plan:
    try:
        return Plan(**document)
    except BadPlan as error:
        raise error if error.where else BadPlan(error.code, name, **error.details) from None


def load_terms(path: str | os.PathLike[str]) -> AllTerms:
    """The terms of all accounts from a TOML or JSON file. Raises `BadTerms` or `BadPlan`."""
    name = os.fspath(path)
    return _terms_in(document_of(name, BadTerms), name)


def load_either(path: str | os.PathLike[str]) -> AllTerms | Plan:
    """Terms or a plan, whichever a TOML or JSON file has. Raises `BadTerms` or `BadPlan`."""
    name = os.fspath(path)
    document = document_of(name, BadTerms)
    only_a_plan = document.keys() & Plan.model_fields.keys() and not document.keys() & TermsDocument.model_fields.keys()
    return _plan_of(document, name) if only_a_plan else _terms_in(document, name)


def _terms_in(content: dict[str, Any], name: str) -> AllTerms:
    try:
        document = TermsDocument(**content)
    except ValidationError as error:
        raise _bad_terms(error, name) from None
    plans: dict[str, Plan] = {}
    catalogues: dict[str, Catalogue | None] = {}

    def terms(settings: Settings, place: str) -> Terms:
        if settings.plan is not None and settings.plan not in plans:
            plans[settings.plan] = load_plan(Path(name).parent / settings.plan)
        if settings.catalogue is not None and settings.catalogue not in catalogues:
            catalogues[settings.catalogue] = own(load_catalogue(Path(name).parent / settings.catalogue))
        try:
            made = terms_of(settings, plan=plans.get(settings.plan or ""))
            return replace(made, catalogue=catalogues.get(settings.catalogue or ""))
        except BillingError as error:
            field = f"{place}.{error.details.get('field', '')}".rstrip(".")
            raise BadTerms(error.code, error.where or name, **{**error.details, "field": field}) from None

    accounts = {
        account: terms(_over(document.default, settings), f"accounts.{account}")
        for account, settings in document.accounts.items()
    }
    return AllTerms(terms(document.default, "default"), accounts)


def terms_of(settings: Settings, *, plan: Plan | None = None) -> Terms:
    """Terms from settings that have been read. Raises `BillingError` with the field that is wrong."""
    given: dict[str, Any] = {
        field: span(value, field)
        for field in ("action_window", "connect_window")
        if (value := getattr(settings, field)) is not None
    }
    if settings.reconnect is not None:
        given["reconnect"] = settings.reconnect
    return Terms(
        plan=plan,
        cycles=CycleRule(
            anchor=_anchor(settings.anchor),
            months=1 if settings.months is None else settings.months,
            timezone="UTC" if settings.timezone is None else settings.timezone,
        ),
        policy=ActivityPolicy(**given),
        discount=_percent(settings.discount),
    )


def version_document(version: TermsVersion) -> dict[str, Any]:
    """A version of the terms as JSON for a ledger, with its plans in full."""
    terms = version.terms
    return {
        "version": version.number,
        "applies_from": None if version.applies_from is None else text_of(version.applies_from),
        "default": _written(terms.default),
        "accounts": {account: _written(own) for account, own in sorted(terms.accounts.items())},
    }


def version_of(document: Mapping[str, Any]) -> TermsVersion:
    """A version of the terms from its JSON in a ledger."""
    since = document["applies_from"]
    return TermsVersion(
        number=document["version"],
        applies_from=None if since is None else instant_of(since),
        terms=AllTerms(
            _read(document["default"]), {account: _read(own) for account, own in document["accounts"].items()}
        ),
    )


def _written(terms: Terms) -> dict[str, Any]:
    anchor, policy = terms.cycles.anchor, terms.policy
    written = {
        "plan": None if terms.plan is None else plan_document(terms.plan),
        "anchor": None if anchor is None else text_of(micros(anchor)),
        "timezone": terms.cycles.timezone,
        "months": terms.cycles.months,
        "discount": f"{terms.discount:f}%",
        "reconnect": policy.reconnect,
        "action_window": duration(policy.action_window),
        "connect_window": duration(policy.connect_window),
    }
    if not terms.prices_credits and terms.catalogue is None:
        return written
    # The published catalogue too: what was billed by it must not change with a later release.
    return written | {"catalogue": catalogue_document(in_force(terms))}


def plan_document(plan: Plan) -> dict[str, Any]:
    """A plan as JSON, in the format of a plan file."""
    document: dict[str, Any] = _plain(plan.model_dump(exclude_defaults=True))
    return document


def _plain(value: Any) -> Any:
    """A value for JSON, with prices as text in digits."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return f"{value:f}" if isinstance(value, Decimal) else value


def _read(settings: Mapping[str, Any]) -> Terms:
    """Terms from JSON that was checked before it was stored."""
    plan, anchor = settings["plan"], settings["anchor"]
    catalogue = settings.get("catalogue")
    return Terms(
        plan=None if plan is None else Plan(**plan),
        cycles=CycleRule(
            anchor=None if anchor is None else moment(instant_of(anchor)),
            months=settings["months"],
            timezone=settings["timezone"],
        ),
        policy=policy_of(settings),
        discount=Decimal(settings["discount"].removesuffix("%")),
        catalogue=None if catalogue is None else own(catalogue_of(catalogue)),
    )


def policy_of(settings: Mapping[str, Any]) -> ActivityPolicy:
    """The activity policy that a document states. Raises `BadTerms` or `BadPolicy`."""
    return ActivityPolicy(
        action_window=span(settings["action_window"], field="action_window"),
        connect_window=span(settings["connect_window"], field="connect_window"),
        reconnect=settings["reconnect"],
    )


def duration(span: timedelta) -> str:
    """A span as an ISO 8601 duration in days and less, since months and years have no fixed length.

    >>> duration(timedelta(days=400)), duration(timedelta(hours=25)), duration(timedelta(microseconds=1))
    ('P400D', 'P1DT1H', 'PT0.000001S')
    """
    hours, rest = divmod(span.seconds, 3600)
    seconds = Decimal(rest % 60) + Decimal(span.microseconds).scaleb(-6).normalize()
    parts = [
        f"{part:f}{unit}" for part, unit in ((Decimal(hours), "H"), (Decimal(rest // 60), "M"), (seconds, "S")) if part
    ]
    return f"P{f'{span.days}D' if span.days else ''}{'T' if parts else ''}{''.join(parts)}"


def overridden(terms: AllTerms, settings: Settings, *, plan: Plan | None = None) -> AllTerms:
    """The same terms for every account, except for `settings` and `plan`.

    A catalogue is named by its path from here. Raises `BillingError` for settings that are impossible.
    """
    given = terms_of(settings)

    def values_of(of: CycleRule | ActivityPolicy, *fields: str) -> dict[str, Any]:
        return {field: getattr(of, field) for field in fields if getattr(settings, field) is not None}

    cycle = values_of(given.cycles, "anchor", "months", "timezone")
    policy = values_of(given.policy, "reconnect", "action_window", "connect_window")
    catalogue = None if settings.catalogue is None else own(load_catalogue(settings.catalogue))

    def over(old: Terms) -> Terms:
        return replace(
            old,
            plan=plan or old.plan,
            cycles=replace(old.cycles, **cycle),
            policy=replace(old.policy, **policy),
            discount=old.discount if settings.discount is None else given.discount,
            catalogue=old.catalogue if settings.catalogue is None else catalogue,
        )

    return AllTerms(over(terms.default), {account: over(own) for account, own in terms.accounts.items()})


def _over(default: Settings, own: Settings) -> Settings:
    return Settings(**{**default.model_dump(exclude_none=True), **own.model_dump(exclude_none=True)})


def _anchor(value: object) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, date):
        value = value.isoformat()
    if not isinstance(value, str):
        raise BadTerms("value", field="anchor", got=value, wanted="an instant such as 2026-01-14T09:00:00Z")
    return moment(parse_instant(value, field="anchor"))


def _percent(text: str | None) -> Decimal:
    if text is None:
        return Decimal(0)
    if not _PERCENT.fullmatch(text):
        raise BadTerms("percent_range", field="discount", got=text)
    return Decimal(text.removesuffix("%"))


def span(text: str, field: str) -> timedelta:
    """A span from an ISO 8601 duration in weeks, days and less. Raises `BadTerms` (`value`)."""
    if not _DURATION.fullmatch(text) or text.endswith(("P", "T")):
        raise BadTerms("value", field=field, got=text, wanted='a duration such as "P30D"')
    return TypeAdapter(timedelta).validate_python(text)


def _bad_terms(error: ValidationError, name: str) -> BadTerms:
    first = error.errors()[0]
    place = ".".join(str(p) for p in first["loc"])
    if first["type"] == "extra_forbidden":
        known = sorted(TermsDocument.model_fields if len(first["loc"]) == 1 else Settings.model_fields)
        near = hint(str(first["loc"][-1]), known)
        return BadTerms("key_unknown", name, field=place, hint=near, known=", ".join(known))
    return BadTerms("value", name, field=place, got=first["input"], wanted=wanted_by(first))
