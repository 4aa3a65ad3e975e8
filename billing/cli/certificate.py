"""The verb that checks what a certificate proves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import remedies
from .options import As, Format, IgnoreExtra
from .output import FOUND, say_some, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..ledger.verify import Finding
    from ..verify.certificate.check import CertificateSource
    from ..verify.certificate.document import Certificate


def check(
    file: Annotated[str, typer.Argument(help="A certificate, as billing explain --certificate writes it.")],
    export: Annotated[
        str | None, typer.Option(help="The events to check it with: an export or other source, or the ledger itself.")
    ] = None,
    ignore_extra: IgnoreExtra = False,
    format: As = Format.table,
) -> None:
    """Check that everybody who was counted was active.

    Says what that proves, what it assumes, and what it does not prove.
    """
    from ..core.errors import BillingError
    from ..verify.certificate import check as certificate
    from ..verify.certificate import document as certified

    if format is Format.csv:
        raise BillingError("usage", detail="certificate check answers as table or json")
    document = certified.load(file)
    of = certified.parse(document, where=file)
    source = None if export is None else _open_source(export, of, ignore_extra)
    findings = certificate.check(document, source, where=file)
    proof = {} if findings else _proof(of, source, export)
    if format is Format.json:
        write(None, json.dumps(_document(of, export, source, findings, proof), ensure_ascii=False) + "\n")
    else:
        for name, sentences in proof.items():
            print(f"{name}: {sentences}")
    say_some([*map(remedies.line_of, findings)])
    if findings:
        raise typer.Exit(FOUND)


def _open_source(export: str, of: Certificate, ignore_extra: bool) -> CertificateSource:
    """The account's events in the source. A source with rejections proves nothing, so reading is strict."""
    from .. import engine
    from ..inputs.rows import ReadOptions
    from ..verify.certificate.source import read_source

    with engine.open_source(export) as opened:
        return read_source(opened, of, ReadOptions(strict=True, ignore_extra=ignore_extra))


def _proof(of: Certificate, source: CertificateSource | None, export: str | None) -> dict[str, str]:
    """What a certificate that holds proves, what that rests on, and what it does not prove."""
    from ..core.errors import escaped

    cycle = f"the cycle from {_when(of.cycle_start)} to {_when(of.cycle_end)} UTC"
    if of.peak_at is None:
        proved = f"nobody of {of.account_id} was counted in {cycle}."
    else:
        were = "identity of {} was" if of.peak == 1 else "identities of {} were"
        proved = f"{of.peak:,} {were.format(of.account_id)} active at {_when(of.peak_at)} UTC, in {cycle}."
        proved += " Nobody was counted who was not active."
    proof = {"Proved": escaped(proved), "Policy": _policy(of), "Assumed": _assumed(of, export)}
    if source is not None and of.digest is not None:
        proof["Digest"] = source.digest_note
    proof["Not proved"] = (
        "that there was no moment of the cycle at which more were active. "
        "To count again from the events: billing verify SOURCE."
    )
    return proof


def _policy(of: Certificate) -> str:
    action, connect = (_days(of.windows[kind]) for kind in ("action.called", "integration.connected"))
    return f"active for {action} after an action, {connect} after a connect, reconnect {of.reconnect}."


def _assumed(of: Certificate, export: str | None) -> str:
    if export is not None:
        return f"nothing but that {export} holds what happened."
    if not of.peak:
        return "nothing."
    again = ", connected again" if of.reconnect == "restarts" else ""
    if of.peak == 1:
        return (
            "that the event listed happened and was not voided, and that the identity was not deleted"
            f"{again} between it and the peak, and is not standard."
        )
    return (
        f"that the {of.peak:,} events listed happened and none of them was voided, and that none of these identities "
        f"was deleted{again} between its event and the peak, or is standard."
    )


def _document(
    of: Certificate,
    export: str | None,
    source: CertificateSource | None,
    findings: Sequence[Finding],
    proof: dict[str, str],
) -> dict[str, Any]:
    """What was found, as JSON."""
    from ..verify.certificate.document import text

    return {
        "holds": not findings,
        "account_id": of.account_id,
        "cycle_start": text(of.cycle_start),
        "cycle_end": text(of.cycle_end),
        "peak": of.peak,
        "peak_at": None if of.peak_at is None else text(of.peak_at),
        "export": export,
        "digest_holds": None if source is None else source.digest_matches,
        "findings": [*map(remedies.finding_json, findings)],
        **{key: proof.get(key.replace("_", " ").capitalize()) for key in ("proved", "assumed", "not_proved")},
    }


def _when(instant: int) -> str:
    from ..verify.certificate.document import text

    return text(instant).replace("T", " ").removesuffix("Z")


def _days(window: int) -> str:
    from datetime import timedelta

    span = timedelta(microseconds=window)
    if span != timedelta(days=span.days):
        return str(span)
    return "1 day" if span.days == 1 else f"{span.days:,} days"
