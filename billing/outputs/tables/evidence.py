"""The evidence for a peak as a table of identities and as a document, and the certificate of a peak."""

from __future__ import annotations

from typing import Any, Final

from ...core.cycle import micros, text_of
from ...core.evidence import Evidence
from ...core.invoice import Basis
from ...invoicing.document import policy_content
from .bills import cycle_of
from .schema import Column, Schema, View, code, cycle_columns, instant, text
from .text import json_rows

_IDENTITY: Final = (
    Column("identity_id", text),
    Column("event_id", text, null=True),
    Column("type", code),
    Column("occurred_at", instant),
    Column("covers_until", instant),
    Column("active_since", instant),
    Column("active_until", instant),
)
WITNESSES: Final = Schema("witnesses", (Column("account_id", text), *cycle_columns(), *_IDENTITY))
#: The format that certificates are written in. Whoever changes what they contain changes it.
CERTIFICATE_FORMAT: Final = 1


def witnesses(of: Evidence) -> View:
    """Who was active at the peak, through which event, and from when until when."""
    return View(
        WITNESSES,
        [
            {
                "account_id": of.account_id,
                **cycle_of(of.cycle),
                **{column.name: getattr(witness, column.name) for column in _IDENTITY},
            }
            for witness in of.witnesses
        ],
    )


def evidence(of: Evidence) -> dict[str, Any]:
    """Who was active at the peak and since when, and the curve of the cycle, as a document."""
    shown = witnesses(of)
    identities = json_rows(View(shown.schema.without("account_id", *_CYCLE), shown.rows))
    return {
        "account_id": of.account_id,
        "cycle": of.cycle.name,
        **_peak(of),
        "identities": [
            {**identity, "flags": ["active_after_deletion"] if witness.active_after_deletion else []}
            for identity, witness in zip(identities, of.witnesses, strict=True)
        ],
        "came_and_went": [
            {
                "identity_id": identity.identity_id,
                "active_since": text_of(identity.active_since),
                "active_until": text_of(identity.active_until),
            }
            for identity in of.active_off_peak
        ],
        "counts": [{"at": text_of(at), "active": count} for at, count in of.counts],
        "flags": list(of.flags),
    }


def certificate(of: Evidence, basis: Basis) -> dict[str, Any]:
    """A certificate: for each identity that was counted, the event that kept it active at the peak.

    Every identity counted is listed with an event that covers `peak_at`, so none was counted that was
    not active. That the count was never higher does not follow from it. The format is described, for
    whoever writes a checker, in `fixtures/certificate/README.md`.
    """
    shown = View(Schema("certified identities", _IDENTITY[:5]), witnesses(of).rows)
    return {
        "certificate": CERTIFICATE_FORMAT,
        "account_id": of.account_id,
        **_peak(of),
        "basis": {"events": basis.events, "position": basis.position, "digest": basis.digest},
        "identities": json_rows(shown),
    }


_CYCLE: Final = tuple(column.name for column in cycle_columns())


def _peak(of: Evidence) -> dict[str, Any]:
    """The peak of a cycle, and the policy it was computed by."""
    return {
        "cycle_start": text_of(micros(of.cycle.start)),
        "cycle_end": text_of(micros(of.cycle.end)),
        "peak": of.peak,
        "peak_at": None if of.peak_at is None else text_of(of.peak_at),
        "policy": policy_content(of.policy),
    }
