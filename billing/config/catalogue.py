"""Catalogues of actions from TOML or JSON files, and the published one.

A catalogue is a list of versions, the first without a date and each later one with the date from
which it applies. The published one comes with this package, in `catalogue.toml`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from ..core.catalogue import Catalogue, CatalogueVersion
from ..core.cycle import instant_of, text_of
from ..core.errors import BadTerms, BillingError, hint
from ..core.plan import wanted_by
from ..core.terms import Terms
from ..inputs.timestamps import parse_instant
from .files import document_of

_RATIO: Final = re.compile(r"\d{1,7}(\.\d{1,12})?", re.ASCII)
_Moment = Annotated[Any, WithJsonSchema({"type": "string", "format": "date-time"})]


class VersionDocument(BaseModel):
    """One version of a catalogue in a file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    applies_from: _Moment | None = Field(None, description="When it begins to apply; the first version has none.")
    included: list[str] = Field(default_factory=list, description="Actions that are free on engagement identities.")
    ratio: str = Field("1", description="Credits for a result of every action that ratios does not name.")
    managed: str = Field("1.5", description="How many times as much an action costs in managed mode.")
    ratios: dict[str, str] = Field(default_factory=dict, description='Credits for a result, such as "0.05", by action.')


class CatalogueDocument(BaseModel):
    """A catalogue file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    versions: list[VersionDocument] = Field(description="All versions, in order of date.")


@cache
def published() -> Catalogue:
    """The published catalogue: the 21 included actions, and the known ratios."""
    text = files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")
    return _catalogue(CatalogueDocument(**tomllib.loads(text)), "catalogue.toml")


def in_force(terms: Terms) -> Catalogue:
    """The catalogue of an account: its own, or the published one."""
    return published() if terms.catalogue is None else terms.catalogue


def own(catalogue: Catalogue) -> Catalogue | None:
    """A catalogue as terms have it: none for the published one."""
    return None if catalogue == published() else catalogue


def load_catalogue(path: str | os.PathLike[str]) -> Catalogue:
    """A catalogue from a TOML or JSON file. Raises `BadTerms`, which names the file and the version."""
    name = os.fspath(path)
    try:
        document = CatalogueDocument(**document_of(name, BadTerms))
    except ValidationError as error:
        raise _bad_catalogue(error, name) from None
    return _catalogue(document, name)


def _catalogue(document: CatalogueDocument, name: str) -> Catalogue:
    versions = []
    try:
        for place, each in enumerate(document.versions):
            versions.append(_version(each, f"versions[{place}]"))
        return Catalogue(tuple(versions))
    except BadTerms as error:
        raise BadTerms(error.code, name, **error.details) from None


def _version(document: VersionDocument, place: str) -> CatalogueVersion:
    try:
        return CatalogueVersion(
            applies_from=_moment(document.applies_from),
            included=frozenset(document.included),
            ratios={action: _ratio(text, f"ratios.{action}") for action, text in document.ratios.items()},
            ratio=_ratio(document.ratio, "ratio"),
            managed=_ratio(document.managed, "managed"),
        )
    except BillingError as error:
        raise BadTerms(error.code, **{**error.details, "field": f"{place}.{error.details['field']}"}) from None


def _ratio(text: str, field: str) -> Decimal:
    if not _RATIO.fullmatch(text):
        raise BadTerms("ratio_range", field=field, got=text)
    return Decimal(text)


def _moment(value: object) -> int | None:
    if isinstance(value, date):
        value = value.isoformat()
    if value is not None and not isinstance(value, str):
        raise BadTerms("value", field="applies_from", got=value, wanted="an instant such as 2026-01-14T09:00:00Z")
    return None if value is None else parse_instant(value, field="applies_from")


def catalogue_document(catalogue: Catalogue) -> list[dict[str, Any]]:
    """The versions of a catalogue as JSON for a ledger, always in the same order."""
    return [
        {
            "applies_from": None if version.applies_from is None else text_of(version.applies_from),
            "included": sorted(version.included),
            "ratio": f"{version.ratio:f}",
            "managed": f"{version.managed:f}",
            "ratios": {action: f"{ratio:f}" for action, ratio in sorted(version.ratios.items())},
        }
        for version in catalogue.versions
    ]


def catalogue_of(documents: Sequence[Mapping[str, Any]]) -> Catalogue:
    """A catalogue from its JSON in a ledger."""
    return Catalogue(
        tuple(
            CatalogueVersion(
                applies_from=None if version["applies_from"] is None else instant_of(version["applies_from"]),
                included=frozenset(version["included"]),
                ratios={action: Decimal(ratio) for action, ratio in version["ratios"].items()},
                ratio=Decimal(version["ratio"]),
                managed=Decimal(version["managed"]),
            )
            for version in documents
        )
    )


def _bad_catalogue(error: ValidationError, name: str) -> BadTerms:
    first = error.errors()[0]
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"]).removeprefix(".")
    if first["type"] == "missing":
        return BadTerms("key_missing", name, field=place, wanted="A catalogue has a list of versions.")
    if first["type"] == "extra_forbidden":
        known = sorted(CatalogueDocument.model_fields if len(first["loc"]) == 1 else VersionDocument.model_fields)
        near = hint(str(first["loc"][-1]), known)
        return BadTerms("key_unknown", name, field=place, hint=near, known=", ".join(known))
    return BadTerms("value", name, field=place, got=first["input"], wanted=wanted_by(first))
