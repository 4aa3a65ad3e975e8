"""Certificates, checked: whether everybody who was counted was active at the peak.

A certificate lists, for a peak of N at an instant, N identities, each with one event whose cover
holds that instant. To check it takes the document alone, if its events are believed; with an export
of the events, or the ledger itself, nothing is left to believe. Either way nobody was counted who
was not active. That no higher moment exists, no certificate shows: for that, count again.

Nothing here comes from the engine that wrote the certificate: what a document says is read, and held
against the definition, by this module alone.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ..core.errors import BillingError, hint, quoted
from ..ledger.verify import Finding
from .definition import DAY, Event

#: The format that is understood here.
FORMAT: Final = 1
KEYS: Final = (
    "certificate", "account_id", "cycle_start", "cycle_end", "peak", "peak_at", "policy", "basis", "identities",
)  # fmt: skip
POLICY_KEYS: Final = ("action_window", "connect_window", "reconnect")
BASIS_KEYS: Final = ("events", "position", "digest")
CLAIM_KEYS: Final = ("identity_id", "event_id", "type", "occurred_at", "covers_until")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z", re.ASCII)
_DURATION: Final = re.compile(
    r"P(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9})(?:\.(\d{1,6}))?S)?)?", re.ASCII
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_WINDOW_DAYS_MAX: Final = 3_650


@dataclass(frozen=True, slots=True)
class Claim:
    """What a certificate says of one identity: this event kept it active until then (microseconds)."""

    identity_id: str
    event_id: str | None
    type: str
    occurred_at: int
    covers_until: int

    @property
    def identity(self) -> str:
        """The identity as messages name it."""
        return quoted(self.identity_id)

    @property
    def event(self) -> str:
        """The event as messages name it."""
        return "its event without an id" if self.event_id is None else f"event {quoted(self.event_id)}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as it was read; instants and windows are microseconds.

    `windows` says how long each type of event keeps an identity active; types that are not in it
    begin nothing. `events`, `position` and `digest` are what it says it was made from.
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
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """What a source holds of a certificate's account, to check the certificate against.

    `events` are in the order in which they came. `seal` says whether the digest that the certificate
    names is that of the source at the position it names; none where that cannot be told, or where it
    names none. `told` says so in words.
    """

    events: tuple[Event, ...]
    seal: bool | None = None
    told: str = ""


class _Invalid(ValueError):
    """Why a document is no certificate."""


def load(path: str | os.PathLike[str]) -> Any:
    """The document in a file. Raises `BillingError` for a file that cannot be read as one."""
    name = os.fspath(path)
    try:
        return json.loads(
            Path(name).read_text(encoding="utf-8"), object_pairs_hook=_without_repeats, parse_constant=_no_number
        )
    except FileNotFoundError:
        raise BillingError("file_missing", name, hint="") from None
    except UnicodeDecodeError:
        raise BillingError("encoding", name, after="") from None
    except OSError as problem:
        raise BillingError("file_unreadable", name, detail=problem.strerror or "") from None
    except RecursionError:
        raise BillingError("certificate_invalid", name, detail="it is nested too deeply") from None
    except _Invalid as problem:
        raise BillingError("certificate_invalid", name, detail=str(problem)) from None
    except ValueError as problem:
        raise BillingError("certificate_invalid", name, detail=f"it is not JSON: {problem}") from None


def parse(document: Any, *, where: str = "certificate") -> Certificate:
    """What a document says, if it is a certificate. Raises `BillingError` (`certificate_invalid`)."""
    try:
        return _certificate(document)
    except _Invalid as problem:
        raise BillingError("certificate_invalid", where, detail=str(problem)) from None


def check(document: Any, held: Held | None = None, *, where: str = "certificate") -> list[Finding]:
    """What does not hold of a certificate; nothing, if nobody was counted who was not active.

    `document` is what its JSON says. Without `held`, that the events listed happened and that the
    identities were neither deleted nor standard is taken for granted; with it, it is looked up.
    """
    try:
        certificate = _certificate(document)
    except _Invalid as problem:
        return [Finding("certificate_invalid", where, {"detail": str(problem)})]
    return [Finding(code, where, details) for code, details in _findings(certificate, held)]


Found = Iterator[tuple[str, dict[str, Any]]]


def _findings(of: Certificate, held: Held | None) -> Found:
    yield from _counted(of)
    if of.peak_at is None:
        return
    if not of.cycle_start <= of.peak_at < of.cycle_end:
        yield "certificate_outside", {"got": text(of.peak_at), "start": text(of.cycle_start), "end": text(of.cycle_end)}
    history = None if held is None else _History(held.events)
    for claim in of.claims:
        uncovered = list(_covering(of, of.peak_at, claim))
        yield from uncovered
        if history is not None:
            yield from _held(of, of.peak_at, claim, history, covering=not uncovered)
        elif not uncovered:
            yield from _ending_in_time(of, of.peak_at, claim)
    if held is not None and history is not None:
        yield from _sealed(of, held, history)


def _counted(of: Certificate) -> Found:
    """Whether there are as many identities as the peak says, each once, and each by an event of its own."""
    if len(of.claims) != of.peak:
        listed = f"{len(of.claims)} {'identity is' if len(of.claims) == 1 else 'identities are'} listed"
        yield "certificate_count", {"peak": of.peak, "detail": listed}
    for identity, times in Counter(claim.identity_id for claim in of.claims).items():
        if times > 1:
            yield (
                "certificate_count",
                {"peak": of.peak, "detail": f"identity {quoted(identity)} is listed {times} times"},
            )
    owners = defaultdict(set)
    for claim in of.claims:
        owners[claim.event_id].add(claim.identity_id)
    for event_id, several in owners.items():
        if event_id is not None and len(several) > 1:
            names = " and ".join(map(quoted, sorted(several)[:2]))
            yield "certificate_count", {"peak": of.peak, "detail": f"event {quoted(event_id)} is listed for {names}"}


def _covering(of: Certificate, peak_at: int, claim: Claim) -> Found:
    """Whether the event alone can have kept the identity active at the peak."""
    if claim.type not in of.windows:
        why = f"is {quoted(claim.type)}, which begins no activity"
    elif claim.occurred_at > peak_at:
        why = f"occurred at {text(claim.occurred_at)}, after it"
    elif (reach := claim.occurred_at + of.windows[claim.type]) <= peak_at:
        why = f"covers nothing from {text(reach)} on"
    else:
        return
    yield (
        "certificate_not_covering",
        {"identity": claim.identity, "peak_at": text(peak_at), "detail": f"{claim.event} {why}"},
    )


def _ending_in_time(of: Certificate, peak_at: int, claim: Claim) -> Found:
    """Whether the end it gives can be true, for all that one event tells: something may have ended it before."""
    reach = claim.occurred_at + of.windows[claim.type]
    if not peak_at < claim.covers_until <= reach:
        detail = f"which is not after the peak at {text(peak_at)} and at most {text(reach)}, the end of its window"
        yield "certificate_covers_until", _until(claim, detail)


class _History:
    """What happened to one account, by the definition: repeats, mistakes and what they made up taken out."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.by_id: dict[str, Event] = {}
        kept = []
        for event in events:  # of two with one id the first stays
            if event.event_id is None or self.by_id.setdefault(event.event_id, event) is event:
                kept.append(event)
        voids = [event for event in kept if event.type == "event.voided"]
        own = {void.event_id for void in voids}
        #: What was recorded by mistake, and the void that says so.
        self.voided = {void.voids: void.event_id for void in voids}
        #: How many events count: a void of a void is rejected, and voids nothing.
        self.accepted = len(kept) - sum(void.voids in own for void in voids)
        self.of: dict[str, list[Event]] = defaultdict(list)
        self._types: dict[str, str | None] = {}
        for event in kept:
            if event.type == "event.voided" or (event.event_id is not None and event.event_id in self.voided):
                continue
            self.of[event.identity_id].append(event)
            if event.type == "identity.created":
                self._types.setdefault(event.identity_id, event.identity_type)

    def standard(self, identity_id: str) -> bool:
        """Whether an identity is one that is never counted."""
        return self._types.get(identity_id) == "standard"

    def ending(self, claim: Claim, reconnect: str) -> list[tuple[int, str]]:
        """What ends a cover that begins with the event of a claim: instants and types, in order."""
        since = claim.occurred_at
        return sorted(
            (event.occurred_at, event.type)
            for event in self.of.get(claim.identity_id, ())
            if (event.type == "identity.deleted" and event.occurred_at >= since)
            or (reconnect == "restarts" and event.type == "integration.connected" and event.occurred_at > since)
        )


def _held(of: Certificate, peak_at: int, claim: Claim, history: _History, *, covering: bool) -> Found:
    """Whether the events of the account say what the certificate says of one identity."""
    named = {"identity": claim.identity, "event": claim.event}
    if history.standard(claim.identity_id):
        yield "certificate_standard", named
    if claim.event_id is None:
        # Without an id, any event that says the same will do; what was voided had one.
        same = (claim.type, claim.occurred_at)
        if all(same != (event.type, event.occurred_at) for event in history.of.get(claim.identity_id, ())):
            yield "certificate_event_missing", named
            return
    elif (event := history.by_id.get(claim.event_id)) is None:
        yield "certificate_event_missing", named
        return
    elif (differing := _differing(claim, event)) is not None:
        field, ours, theirs = differing
        yield "certificate_event_differs", {**named, "field": field, "got": ours, "held": quoted(theirs)}
        return
    elif claim.event_id in history.voided:
        yield "certificate_event_voided", {**named, "void": quoted(history.voided[claim.event_id])}
    if not covering:
        return
    ending = history.ending(claim, of.reconnect)
    if ending and ending[0][0] <= peak_at:
        at, what = ending[0]
        yield "certificate_ended", {**named, "type": what, "at": text(at), "peak_at": text(peak_at)}
        return
    until = min(claim.occurred_at + of.windows[claim.type], *(at for at, _ in ending[:1]), 1 << 62)
    if claim.covers_until != until:
        yield "certificate_covers_until", _until(claim, f"and by the events it is {text(until)}")


def _differing(claim: Claim, event: Event) -> tuple[str, str, str] | None:
    """The first thing that a certificate says otherwise of an event: what, as it says, as it is."""
    if claim.identity_id != event.identity_id:
        return "identity_id", claim.identity_id, event.identity_id
    if claim.type != event.type:
        return "type", claim.type, event.type
    if claim.occurred_at != event.occurred_at:
        return "occurred_at", text(claim.occurred_at), text(event.occurred_at)
    return None


def _sealed(of: Certificate, held: Held, history: _History) -> Found:
    """Whether it was made from what the ledger held, where that can be told."""
    if held.seal is False:
        yield "certificate_basis", {"field": "digest", "got": of.digest, "detail": held.told}
    elif held.seal and of.events != history.accepted:
        detail = f"the account had {history.accepted:,} by then"
        yield "certificate_basis", {"field": "events", "got": of.events, "detail": detail}


def _until(claim: Claim, detail: str) -> dict[str, Any]:
    return {"identity": claim.identity, "got": text(claim.covers_until), "detail": detail}


# What a document says


def text(instant: int) -> str:
    """An instant as it stands in a certificate."""
    return (_EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")


def _certificate(document: Any) -> Certificate:
    said = _table(document, "", KEYS, first="certificate")
    policy = _table(said["policy"], "policy", POLICY_KEYS)
    basis = _table(said["basis"], "basis", BASIS_KEYS)
    if not isinstance(said["identities"], list):
        raise _Invalid("identities is not a list")
    if policy["reconnect"] not in ("extends", "restarts"):
        raise _Invalid(f'policy.reconnect is {quoted(policy["reconnect"])}, which is neither "extends" nor "restarts"')
    peak = _whole(said["peak"], "peak")
    if (peak == 0) != (said["peak_at"] is None):
        raise _Invalid(f"peak is {peak}, and peak_at {quoted(said['peak_at'])}")
    digest = basis["digest"]
    if digest is not None and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        raise _Invalid(f"basis.digest is {quoted(digest)}, which is no SHA-256 in hexadecimal")
    return Certificate(
        account_id=_name(said["account_id"], "account_id"),
        cycle_start=_instant(said["cycle_start"], "cycle_start"),
        cycle_end=_instant(said["cycle_end"], "cycle_end"),
        peak=peak,
        peak_at=None if said["peak_at"] is None else _instant(said["peak_at"], "peak_at"),
        windows={
            "action.called": _window(policy["action_window"], "policy.action_window"),
            "integration.connected": _window(policy["connect_window"], "policy.connect_window"),
        },
        reconnect=policy["reconnect"],
        events=_whole(basis["events"], "basis.events"),
        position=None if basis["position"] is None else _whole(basis["position"], "basis.position"),
        digest=digest,
        claims=tuple(_claim(claim, f"identities[{k}]") for k, claim in enumerate(said["identities"])),
    )


def _claim(document: Any, place: str) -> Claim:
    said = _table(document, place, CLAIM_KEYS)
    return Claim(
        identity_id=_name(said["identity_id"], f"{place}.identity_id"),
        event_id=None if said["event_id"] is None else _name(said["event_id"], f"{place}.event_id"),
        type=_name(said["type"], f"{place}.type"),
        occurred_at=_instant(said["occurred_at"], f"{place}.occurred_at"),
        covers_until=_instant(said["covers_until"], f"{place}.covers_until"),
    )


def _table(value: Any, place: str, keys: tuple[str, ...], first: str = "") -> dict[str, Any]:
    """An object with exactly these keys, of the format that is understood if it names one."""
    if not isinstance(value, dict):
        raise _Invalid(f"{place or 'it'} is not an object")
    prefix = f"{place}." if place else ""
    if first and (value.get(first) != FORMAT or isinstance(value.get(first), bool)):
        got = quoted(value[first]) if first in value else "missing"
        raise _Invalid(f"{first} is {got}, and format {FORMAT} is understood here")
    if missing := next((key for key in keys if key not in value), None):
        raise _Invalid(f"{prefix}{missing} is missing")
    if (unknown := next((key for key in value if key not in keys), None)) is not None:
        raise _Invalid(f"{prefix}{unknown} is no key of it{hint(unknown, list(keys))}")
    return value


def _name(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value:
        raise _Invalid(f"{place} is {quoted(value)}, which is not text")
    return value


def _whole(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise _Invalid(f"{place} is {quoted(value)}, which is not a whole number from 0")
    return value


def _instant(value: Any, place: str) -> int:
    try:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            return (datetime.fromisoformat(value) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:  # the calendar has no such day
        pass
    raise _Invalid(f'{place} is {quoted(value)}, which is not an instant such as "2026-03-05T09:00:00Z"')


def _window(value: Any, place: str) -> int:
    fits = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if fits is not None:
        days, hours, minutes, seconds, fraction = fits.groups(default="")
        whole = int(days or 0) * 86_400 + int(hours or 0) * 3_600 + int(minutes or 0) * 60 + int(seconds or 0)
        window = whole * 1_000_000 + int((fraction or "0").ljust(6, "0"))
        if 0 < window <= _WINDOW_DAYS_MAX * DAY:
            return window
    raise _Invalid(f'{place} is {quoted(value)}, which is not a window such as "P30D"')


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        double = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise _Invalid(f"it has {double} twice")
    return document


def _no_number(value: str) -> None:
    raise _Invalid(f"it has {value}, which is not a number")
