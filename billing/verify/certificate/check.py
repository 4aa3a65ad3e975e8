"""Checks whether everybody whom a certificate counts was active at the peak.

A certificate lists, for a peak of N at an instant, N identities, each with one event whose cover
includes that instant. The document alone is enough to check it if one trusts the events that it
lists; with an export of the events, or with the ledger, they are checked too. Either way nobody was
counted who was not active. No certificate shows that there was no higher peak: for that, all events
have to be counted again.

Nothing here comes from the engine that wrote the certificate.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...core.errors import quoted
from ...ledger.verify import Finding
from ..definition import Event
from .document import Certificate, CertifiedIdentity, Invalid, certificate_of, text


@dataclass(frozen=True, slots=True)
class CertificateSource:
    """The events of a certificate's account in a ledger or an export, to check the certificate with.

    `events` are in their order of arrival. `digest_matches` says whether the source has the digest of
    the certificate at the position of the certificate; it is none if that was not checked or the
    certificate names no digest. `digest_note` says the same in words.
    """

    events: tuple[Event, ...]
    digest_matches: bool | None = None
    digest_note: str = ""


def check(document: Any, source: CertificateSource | None = None, *, where: str = "certificate") -> list[Finding]:
    """What is wrong with a certificate. If nothing is, nobody was counted who was not active.

    `document` is its JSON. Without `source`, the check assumes that the events listed happened, and
    that the identities were neither deleted nor standard; with it, that is checked too.
    """
    try:
        certificate = certificate_of(document)
    except Invalid as problem:
        return [Finding("certificate_invalid", where, {"detail": str(problem)})]
    return [Finding(code, where, details) for code, details in _findings(certificate, source)]


Found = Iterator[tuple[str, dict[str, Any]]]


def _findings(of: Certificate, source: CertificateSource | None) -> Found:
    yield from _check_count(of)
    if of.peak_at is None:
        return
    if not of.cycle_start <= of.peak_at < of.cycle_end:
        yield "certificate_outside", {"got": text(of.peak_at), "start": text(of.cycle_start), "end": text(of.cycle_end)}
    history = None if source is None else _History(source.events)
    for one in of.identities:
        uncovered = list(_check_cover(of, of.peak_at, one))
        yield from uncovered
        if history is not None:
            yield from _check_events(of, of.peak_at, one, history, covering=not uncovered)
        elif not uncovered:
            yield from _check_end(of, of.peak_at, one)
    if source is not None and history is not None:
        yield from _check_basis(of, source, history)


def _check_count(of: Certificate) -> Found:
    """There must be as many identities as the peak says, each listed once and with an event of its own."""
    if len(of.identities) != of.peak:
        listed = f"{len(of.identities)} {'identity is' if len(of.identities) == 1 else 'identities are'} listed"
        yield "certificate_count", {"peak": of.peak, "detail": listed}
    for identity, times in Counter(one.identity_id for one in of.identities).items():
        if times > 1:
            yield (
                "certificate_count",
                {"peak": of.peak, "detail": f"identity {quoted(identity)} is listed {times} times"},
            )
    identities_of = defaultdict(set)
    for one in of.identities:
        identities_of[one.event_id].add(one.identity_id)
    for event_id, several in identities_of.items():
        if event_id is not None and len(several) > 1:
            names = " and ".join(map(quoted, sorted(several)[:2]))
            yield "certificate_count", {"peak": of.peak, "detail": f"event {quoted(event_id)} is listed for {names}"}


def _check_cover(of: Certificate, peak_at: int, one: CertifiedIdentity) -> Found:
    """The event by itself must keep the identity active at the peak."""
    if one.type not in of.windows:
        why = f"is {quoted(one.type)}, which begins no activity"
    elif one.occurred_at > peak_at:
        why = f"occurred at {text(one.occurred_at)}, after it"
    elif (reach := one.occurred_at + of.windows[one.type]) <= peak_at:
        why = f"covers nothing from {text(reach)} on"
    else:
        return
    yield (
        "certificate_not_covering",
        {"identity": one.identity, "peak_at": text(peak_at), "detail": f"{one.event} {why}"},
    )


def _check_end(of: Certificate, peak_at: int, one: CertifiedIdentity) -> Found:
    """Without other events, the end of the cover can only be bounded: it may have been cut short."""
    reach = one.occurred_at + of.windows[one.type]
    if not peak_at < one.covers_until <= reach:
        detail = f"which is not after the peak at {text(peak_at)} and at most {text(reach)}, the end of its window"
        yield "certificate_covers_until", _until(one, detail)


class _History:
    """The events of one account as the definition counts them: without repeats, voids and voided events."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.by_id: dict[str, Event] = {}
        kept = []
        for event in events:  # of two with one id the first stays
            if event.event_id is None or self.by_id.setdefault(event.event_id, event) is event:
                kept.append(event)
        voids = [event for event in kept if event.type == "event.voided"]
        own = {void.event_id for void in voids}
        #: Ids of voided events, and the ids of their voids.
        self.voided = {void.voids: void.event_id for void in voids}
        #: How many events the ledger accepted: a void of a void is rejected.
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
        """True if an identity is a standard one, which is never counted."""
        return self._types.get(identity_id) == "standard"

    def ending(self, one: CertifiedIdentity, reconnect: str) -> list[tuple[int, str]]:
        """What ends the cover of a listed event: instants and types, in order of time."""
        since = one.occurred_at
        return sorted(
            (event.occurred_at, event.type)
            for event in self.of.get(one.identity_id, ())
            if (event.type == "identity.deleted" and event.occurred_at >= since)
            or (reconnect == "restarts" and event.type == "integration.connected" and event.occurred_at > since)
        )


def _check_events(of: Certificate, peak_at: int, one: CertifiedIdentity, history: _History, *, covering: bool) -> Found:
    """The events of the account must agree with what the certificate says of one identity."""
    named = {"identity": one.identity, "event": one.event}
    if history.standard(one.identity_id):
        yield "certificate_standard", named
    if one.event_id is None:
        # Without an id, any event with the same content will do; a voided event has an id.
        same = (one.type, one.occurred_at)
        if all(same != (event.type, event.occurred_at) for event in history.of.get(one.identity_id, ())):
            yield "certificate_event_missing", named
            return
    elif (event := history.by_id.get(one.event_id)) is None:
        yield "certificate_event_missing", named
        return
    elif (differing := _differing(one, event)) is not None:
        field, ours, theirs = differing
        yield "certificate_event_differs", {**named, "field": field, "got": ours, "held": quoted(theirs)}
        return
    elif one.event_id in history.voided:
        yield "certificate_event_voided", {**named, "void": quoted(history.voided[one.event_id])}
    if not covering:
        return
    ending = history.ending(one, of.reconnect)
    if ending and ending[0][0] <= peak_at:
        at, what = ending[0]
        yield "certificate_ended", {**named, "type": what, "at": text(at), "peak_at": text(peak_at)}
        return
    until = min(one.occurred_at + of.windows[one.type], *(at for at, _ in ending[:1]), 1 << 62)
    if one.covers_until != until:
        yield "certificate_covers_until", _until(one, f"and by the events it is {text(until)}")


def _differing(one: CertifiedIdentity, event: Event) -> tuple[str, str, str] | None:
    """The first field in which a listed event differs from the event: its name, and the values of both."""
    if one.identity_id != event.identity_id:
        return "identity_id", one.identity_id, event.identity_id
    if one.type != event.type:
        return "type", one.type, event.type
    if one.occurred_at != event.occurred_at:
        return "occurred_at", text(one.occurred_at), text(event.occurred_at)
    return None


def _check_basis(of: Certificate, source: CertificateSource, history: _History) -> Found:
    """The certificate must be made from what the ledger held at its position, if that can be checked."""
    if source.digest_matches is False:
        yield "certificate_basis", {"field": "digest", "got": of.digest, "detail": source.digest_note}
    elif source.digest_matches and of.events != history.accepted:
        detail = f"the account had {history.accepted:,} by then"
        yield "certificate_basis", {"field": "events", "got": of.events, "detail": detail}


def _until(one: CertifiedIdentity, detail: str) -> dict[str, Any]:
    return {"identity": one.identity, "got": text(one.covers_until), "detail": detail}
