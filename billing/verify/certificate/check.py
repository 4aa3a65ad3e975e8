"""Certificates, checked: whether everybody who was counted was active at the peak.

A certificate lists, for a peak of N at an instant, N identities, each with one event whose cover
holds that instant. To check it takes the document alone, if its events are believed; with an export
of the events, or the ledger itself, nothing is left to believe. Either way nobody was counted who
was not active. That no higher moment exists, no certificate shows: for that, count again.

Nothing here comes from the engine that wrote the certificate: what a document says is read, and held
against the definition, by this module alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ...core.errors import quoted
from ...ledger.verify import Finding
from ..definition import Event
from .document import Certificate, Claim, Invalid, certificate_of, text


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


def check(document: Any, held: Held | None = None, *, where: str = "certificate") -> list[Finding]:
    """What does not hold of a certificate; nothing, if nobody was counted who was not active.

    `document` is what its JSON says. Without `held`, that the events listed happened and that the
    identities were neither deleted nor standard is taken for granted; with it, it is looked up.
    """
    try:
        certificate = certificate_of(document)
    except Invalid as problem:
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
