"""The JSON of a certificate, read strictly, so that nothing in it can mean two things."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ...config.files import text_in
from ...core.errors import BillingError, hint, quoted
from ..definition import DAY

#: The version of the format that is supported.
FORMAT: Final = 1
KEYS: Final = (
    "certificate", "account_id", "cycle_start", "cycle_end", "peak", "peak_at", "policy", "basis", "identities",
)  # fmt: skip
POLICY_KEYS: Final = ("action_window", "connect_window", "reconnect")
BASIS_KEYS: Final = ("events", "position", "digest")
IDENTITY_KEYS: Final = ("identity_id", "event_id", "type", "occurred_at", "covers_until")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z", re.ASCII)
_DURATION: Final = re.compile(
    r"P(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})(?:\.(\d{1,6}))?S)?)?", re.ASCII
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_WINDOW_DAYS_MAX: Final = 3_650


@dataclass(frozen=True, slots=True)
class CertifiedIdentity:
    """One identity counted at a peak: the event that kept it active, and until when (microseconds)."""

    identity_id: str
    event_id: str | None
    type: str
    occurred_at: int
    covers_until: int

    @property
    def identity(self) -> str:
        """The identity, quoted for messages."""
        return quoted(self.identity_id)

    @property
    def event(self) -> str:
        """The event, described for messages."""
        return "its event without an id" if self.event_id is None else f"event {quoted(self.event_id)}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate; instants and windows are in microseconds.

    `windows` says how long each type of event keeps an identity active; other types do not begin
    activity. `events`, `position` and `digest` say what the certificate was made from.
    """

    account_id: str
    cycle_start: int
    cycle_end: int
    peak: int
    peak_at: int | None
    windows: dict[str, int]
    reconnect: str
    events: int
    position: int | None
    digest: str | None
    identities: tuple[CertifiedIdentity, ...]


class Invalid(ValueError):
    """Raised for a document that is not a certificate; the message says why."""


def load(path: str | os.PathLike[str]) -> Any:
    """The JSON in a file. Raises `BillingError` for a file that cannot be read."""
    name = os.fspath(path)
    text = text_in(name, BillingError)
    try:
        return json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_number)
    except RecursionError:
        raise BillingError("certificate_invalid", name, detail="it is nested too deeply") from None
    except Invalid as problem:
        raise BillingError("certificate_invalid", name, detail=str(problem)) from None
    except ValueError as problem:
        raise BillingError("certificate_invalid", name, detail=f"it is not JSON: {problem}") from None


def parse(document: Any, *, where: str = "certificate") -> Certificate:
    """A certificate from its JSON. Raises `BillingError` (`certificate_invalid`)."""
    try:
        return certificate_of(document)
    except Invalid as problem:
        raise BillingError("certificate_invalid", where, detail=str(problem)) from None


def text(instant: int) -> str:
    """An instant as certificates write it."""
    return (_EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")


def certificate_of(document: Any) -> Certificate:
    """A certificate from its JSON. Raises `Invalid`."""
    content = _object(document, "", KEYS, first="certificate")
    policy = _object(content["policy"], "policy", POLICY_KEYS)
    basis = _object(content["basis"], "basis", BASIS_KEYS)
    if not isinstance(content["identities"], list):
        raise Invalid("identities is not a list")
    if policy["reconnect"] not in ("extends", "restarts"):
        raise Invalid(f'policy.reconnect is {quoted(policy["reconnect"])}, which is neither "extends" nor "restarts"')
    peak = _whole(content["peak"], "peak")
    if (peak == 0) != (content["peak_at"] is None):
        raise Invalid(f"peak is {peak}, and peak_at {quoted(content['peak_at'])}")
    digest = basis["digest"]
    if digest is not None and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        raise Invalid(f"basis.digest is {quoted(digest)}, which is no SHA-256 in hexadecimal")
    return Certificate(
        account_id=_name(content["account_id"], "account_id"),
        cycle_start=_instant(content["cycle_start"], "cycle_start"),
        cycle_end=_instant(content["cycle_end"], "cycle_end"),
        peak=peak,
        peak_at=None if content["peak_at"] is None else _instant(content["peak_at"], "peak_at"),
        windows={
            "action.called": _window(policy["action_window"], "policy.action_window"),
            "integration.connected": _window(policy["connect_window"], "policy.connect_window"),
        },
        reconnect=policy["reconnect"],
        events=_whole(basis["events"], "basis.events"),
        position=None if basis["position"] is None else _whole(basis["position"], "basis.position"),
        digest=digest,
        identities=tuple(_certified_identity(one, f"identities[{k}]") for k, one in enumerate(content["identities"])),
    )


def _certified_identity(document: Any, place: str) -> CertifiedIdentity:
    content = _object(document, place, IDENTITY_KEYS)
    return CertifiedIdentity(
        identity_id=_name(content["identity_id"], f"{place}.identity_id"),
        event_id=None if content["event_id"] is None else _name(content["event_id"], f"{place}.event_id"),
        type=_name(content["type"], f"{place}.type"),
        occurred_at=_instant(content["occurred_at"], f"{place}.occurred_at"),
        covers_until=_instant(content["covers_until"], f"{place}.covers_until"),
    )


def _object(value: Any, place: str, keys: tuple[str, ...], first: str = "") -> dict[str, Any]:
    """An object with exactly these keys; `first`, if given, is the one that names the format."""
    if not isinstance(value, dict):
        raise Invalid(f"{place or 'it'} is not an object")
    prefix = f"{place}." if place else ""
    if first and (value.get(first) != FORMAT or isinstance(value.get(first), bool)):
        got = quoted(value[first]) if first in value else "missing"
        raise Invalid(f"{first} is {got}, and format {FORMAT} is understood here")
    if missing := next((key for key in keys if key not in value), None):
        raise Invalid(f"{prefix}{missing} is missing")
    if (unknown := next((key for key in value if key not in keys), None)) is not None:
        raise Invalid(f"{prefix}{unknown} is no key of it{hint(unknown, list(keys))}")
    return value


def _name(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value or any("\ud800" <= c <= "\udfff" for c in value):
        raise Invalid(f"{place} is {quoted(value)}, which is not text")
    return value


def _whole(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise Invalid(f"{place} is {quoted(value)}, which is not a whole number from 0")
    return value


def _instant(value: Any, place: str) -> int:
    try:
        # Beyond these years, the end of a cover could lie outside of the calendar.
        if isinstance(value, str) and _INSTANT.fullmatch(value) and "1900" <= value < "2300":
            return (datetime.fromisoformat(value) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:  # the calendar has no such day
        pass
    raise Invalid(f'{place} is {quoted(value)}, which is not an instant such as "2026-03-05T09:00:00Z"')


def _window(value: Any, place: str) -> int:
    fits = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if fits is not None:
        days, hours, minutes, seconds, fraction = fits.groups(default="")
        whole = int(days or 0) * 86_400 + int(hours or 0) * 3_600 + int(minutes or 0) * 60 + int(seconds or 0)
        window = whole * 1_000_000 + int((fraction or "0").ljust(6, "0"))
        if 0 < window <= _WINDOW_DAYS_MAX * DAY:
            return window
    raise Invalid(f'{place} is {quoted(value)}, which is not a window such as "P30D"')


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        double = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise Invalid(f"it has {double} twice")
    return document


def _no_number(value: str) -> None:
    raise Invalid(f"it has {value}, which is not a number")
