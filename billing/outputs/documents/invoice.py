"""Sheets of invoices and notes: what was billed, how it came about, and the evidence for it.

A sheet is made of the content of a document as programs read it, so the two never differ. The
description of a line is part of that content, and is shown as it was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from ...config.terms import span
from ...core.catalogue import WIDE
from ...core.cycle import instant_of, micros
from ...core.event import TYPES
from ...core.evidence import Evidence
from ...core.invoice import Invoice
from ...core.money import EXACT
from ...core.plan import Plan
from ...invoicing.document import invoice_content
from .cycle_curve import CURVE_TITLE, curve, days_of, midnight, plainly, words
from .locale import Display
from .sheet import Cell, Drawing, Fact, Section, Sheet, Table

#: How documents are called, by their kind.
TITLES: Final = {"invoice": "Invoice", "supplementary_invoice": "Supplementary invoice", "credit_note": "Credit note"}
_DRAFT: Final = "This is a draft. It was not issued, has no number, and nothing is owed because of it."
_KEPT_BY: Final = {TYPES[0]: "a connect", TYPES[1]: "an action"}
_AGAIN: Final = "active again after a deletion"


@dataclass(frozen=True, slots=True)
class Written:
    """A document to be shown: its content as programs read it, and what the content leaves out.

    `timezone` is that of the account's cycles, `plan` what its lines were priced by, where that is
    known. `as_of` (microseconds) cuts off what a draft counts.
    """

    content: Mapping[str, Any]
    evidence: Evidence
    timezone: str
    plan: Plan | None = None
    as_of: int | None = None


def drafted(invoice: Invoice) -> dict[str, Any]:
    """The content of a draft, with what else an issued invoice says."""
    more = {"kind": "invoice", "cycle": invoice.cycle.name, "issued_at": None}
    return invoice_content(invoice) | more


def sheet(of: Written, display: Display, *, with_evidence: bool = True) -> Sheet:
    """What an invoice or a note shows; without evidence, no list of who was active."""
    content, show = of.content, display
    title = TITLES[content["kind"]]
    number = content["number"]
    is_note = "restates" in content
    label = "To be credited" if content["kind"] == "credit_note" else "Still to be paid" if is_note else "Total"
    sections = [_lines(content, show)]
    if is_note:
        sections.append(_restated(content, show))
    sections += [_curve(of, show), _basis(content, show)]
    if with_evidence and of.evidence.witnesses:
        sections.append(_evidence(of.evidence, show))
    sections.append(_days(of.evidence, show))
    return Sheet(
        title=f"{title} {number}" if number else f"Draft {title.lower()}",
        draft=number is None,
        account_id=content["account_id"],
        total=(Fact(f"{label} ({content['currency']})", show.money(content["total"], content["currency"])),),
        notice="" if number else _DRAFT,
        facts=tuple(_facts(of, show)),
        sections=tuple(sections),
        dated=instant_of(content["issued_at"] or content["cycle_end"]),
    )


def _facts(of: Written, show: Display) -> Iterator[Fact]:
    """What is said first, two beside each other."""
    content = of.content
    cycle = Fact("Billing cycle", Cell(content["cycle"], beside=of.timezone))
    yield Fact("Account", Cell(content["account_id"], "name"))
    if content["number"]:
        yield Fact("Number", Cell(content["number"]))
        yield Fact("Issued", show.instant(content["issued_at"]))
    yield cycle
    yield Fact("From", show.instant(content["cycle_start"]))
    yield Fact("Until, exclusive", show.instant(content["cycle_end"]))
    yield Fact("Peak", show.number(content["peak"]))
    yield Fact("First reached", show.instant(content["peak_at"]))
    if "restates" in content:
        yield Fact("Restates", Cell(", ".join(content["restates"])))
    if of.as_of is not None:
        yield Fact("Counted until, exclusive", show.instant(of.as_of))


def _lines(content: Mapping[str, Any], show: Display) -> Section:
    rows: list[tuple[Cell, ...]] = []
    indented = []
    for line in content["lines"]:
        quantity, price = show.number(line["quantity"]), show.number(line["unit_price"])
        rows.append((Cell(line["description"], "name"), quantity, price, show.number(line["amount"])))
        lower = 0
        for part in line.get("parts", ()):
            indented.append(len(rows))
            flat = f", {show.number(part['flat_price']).text} flat" if Decimal(part["flat_price"]) else ""
            reach = f"above {lower:,}" if part["up_to"] is None else f"up to {part['up_to']:,}"
            words = Cell(f"of which tier {reach}{flat}")
            rows.append((words, *(show.number(part[key]) for key in ("units", "unit_price", "amount"))))
            lower = part["up_to"] or lower
    total = Cell("Difference" if "restates" in content else "Total"), Cell(""), Cell(""), show.number(content["total"])
    return Section(
        "Lines",
        tables=(
            Table(
                caption=f"What makes up the total, in {content['currency']}",
                columns=("Description", "Quantity", "Unit price", "Amount"),
                rows=tuple(rows),
                numeric=(1, 2, 3),
                indented=tuple(indented),
                foot=(total,),
            ),
        ),
    )


def _restated(content: Mapping[str, Any], show: Display) -> Section:
    now = EXACT.add(Decimal(content["billed"]), Decimal(content["total"]))
    invoice, *notes = content["restates"]
    earlier = f" and {', '.join(notes)}" if notes else ""
    moved = Table(
        caption=f"Before and now, amounts in {content['currency']}",
        columns=("", "Peak", "Amount"),
        rows=(
            (Cell(f"Billed before, by {invoice}{earlier}"), show.number(content["peak_before"]),
             show.number(content["billed"])),
            (Cell("The same cycle, computed now"), show.number(content["peak"]), show.number(now)),
        ),
        numeric=(1, 2),
        foot=((Cell("Difference, settled by this document"), show.number(content["peak"] - content["peak_before"]),
               show.number(content["total"])),),
    )  # fmt: skip
    tables = [moved]
    if "credits_before" in content:
        tables.append(_credits_moved(content, show))
    changed = [(name, "active longer than was known") for name in content["now_active"]]
    changed += [(name, "active less than was known") for name in content["no_longer_active"]]
    changed += [(name, "used other credits than was known") for name in content.get("credits_changed", ())]
    if changed:
        caption = f"Identities whose activity {'or credits ' if content.get('credits_changed') else ''}changed"
        rows = tuple((Cell(name, "name"), Cell(words)) for name, words in sorted(changed))
        tables.append(Table(caption, ("Identity", "Change"), rows, narrow=True))
    if content["late_events"]:
        tables.append(_late_events(content["late_events"], show))
    return Section(
        "What changed",
        words=(f"Events that came after {invoice} was drafted change what its cycle comes to. Issued documents never "
               f"change; this one settles the difference.",),
        tables=tuple(tables),
    )  # fmt: skip


def _credits_moved(content: Mapping[str, Any], show: Display) -> Table:
    before = Decimal(content["credits_before"])
    now = next(Decimal(line["quantity"]) for line in content["lines"] if line["kind"] == "credits")
    rows = ((Cell("Before"), show.number(before)), (Cell("Computed now"), show.number(now)))
    foot = ((Cell("Difference"), show.number(WIDE.subtract(now, before))),)
    return Table("Credits used by actions", ("", "Credits"), rows, numeric=(1,), foot=foot, narrow=True)


def _late_events(events: Sequence[Mapping[str, Any]], show: Display) -> Table:
    rows = tuple(
        (
            Cell(event["event_id"], "name"),
            Cell(event["identity_id"], "name"),
            Cell(event["type"], beside=f"of {event['voids']}" if event["voids"] else ""),
            show.instant(event["occurred_at"]),
            show.instant(event["recorded_at"]),
        )
        for event in events
    )
    return Table("Events that came late", ("Event", "Identity", "What", "Occurred", "Recorded"), rows)


def _curve(of: Written, show: Display) -> Section:
    cycle = of.evidence.cycle
    now = of.as_of if of.as_of is not None and of.as_of < micros(cycle.end) else None
    drawn = curve(of.evidence, show, plan=of.plan, now=now)
    return Section("The cycle", drawing=Drawing(CURVE_TITLE, words(of.evidence, show, now=now), drawn))


def _basis(content: Mapping[str, Any], show: Display) -> Section:
    policy, basis = content["policy"], content["basis"]
    action, connect = (_span(policy[key], key) for key in ("action_window", "connect_window"))
    active = f"{action} after an action, {connect} after a connect, reconnect {policy['reconnect']}"
    facts = [
        Fact("Plan", Cell(content["plan_id"], "name")),
        Fact("Activity", Cell(active)),
        Fact("Events of the account", show.number(basis["events"])),
    ]  # fmt: skip
    if basis["position"] is not None:
        facts.append(Fact("Ledger position", show.number(basis["position"])))
    if basis.get("terms_version") is not None:
        facts.append(Fact("Version of the terms", show.number(basis["terms_version"])))
    facts.append(Fact("Time zone rules", Cell(f"tzdata {basis['tzdata']}")))
    digest = Cell(basis["digest"], "code") if basis["digest"] else Cell("not asked for")
    facts.append(Fact("Digest of the events", digest))
    return Section(
        "How it was computed",
        words=("An engagement identity is active for a time after each action and each connect, until it is deleted. "
               "The peak is the highest number that were active at the same moment of the cycle.",),
        facts=tuple(facts),
    )  # fmt: skip


def _span(duration: str, field: str) -> str:
    window = span(duration, field=field)
    return f"{window.days:,} days" if window == timedelta(days=window.days) else duration


def _evidence(of: Evidence, show: Display) -> Section:
    rows = tuple(
        (
            Cell(witness.identity_id, "name"),
            Cell(_KEPT_BY[witness.type], beside=_AGAIN if witness.active_after_deletion else ""),
            Cell(witness.event_id or "–", "name"),
            show.instant(witness.occurred_at),
            show.instant(witness.covers_until),
        )
        for witness in of.witnesses
    )
    assert of.peak_at is not None, "witnesses are of a peak"
    count = show.number(of.peak).text
    return Section(
        "Appendix: evidence",
        words=(f"Active at the peak, {plainly(show.instant(of.peak_at))}: {count} engagement "
               f"{'identity' if of.peak == 1 else 'identities'}, each with the event that kept it active and "
               f"until when that event does.",),
        tables=(Table("Identities active at the peak",
                      ("Identity", "Kept active by", "Event", "Which occurred", "And covers until"), rows),),
        appendix=True,
    )  # fmt: skip


def _days(of: Evidence, show: Display) -> Section:
    """The curve as a table: the most that were active at the same moment of each day."""
    start, end = micros(of.cycle.start), micros(of.cycle.end)
    rows = []
    k = 0
    for day in days_of(start, end, show):
        since, until = max(midnight(day, show), start), min(midnight(day + timedelta(days=1), show), end)
        while k + 1 < len(of.counts) and of.counts[k + 1][0] <= since:
            k += 1
        within = [of.counts[k][1]]
        while k + 1 < len(of.counts) and of.counts[k + 1][0] < until:
            k += 1
            within.append(of.counts[k][1])
        rows.append((show.day(day), show.number(max(within)), show.number(within[-1])))
    return Section(
        "Appendix: the cycle by day",
        words=(f"Days are those of {show.timezone}; the first and the last may be cut off by the cycle.",),
        tables=(Table("Active engagement identities on each day", ("Day", "Most at the same moment", "At its end"),
                      tuple(rows), numeric=(1, 2), narrow=True),),
        appendix=True,
    )  # fmt: skip
