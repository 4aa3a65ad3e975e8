"""Sheets of invoices and notes: what was billed, how it came about, and the evidence for it.

The descriptions of the lines are part of the document, and are shown as they were written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from ...config.terms import duration
from ...core.catalogue import WIDE
from ...core.cycle import micros
from ...core.event import TYPES
from ...core.evidence import Evidence
from ...core.invoice import Invoice
from ...core.money import EXACT
from ...core.plan import Plan
from ...invoicing.document import Correction, InvoiceDocument
from ...invoicing.restatement import LateEvent
from .cycle_curve import CURVE_TITLE, curve, days_of, midnight, plainly, words
from .locale import LocaleFormat
from .sheet import Cell, Drawing, Fact, Section, Sheet, Table

#: How documents are called, by their kind.
TITLES: Final = {"invoice": "Invoice", "supplementary_invoice": "Supplementary invoice", "credit_note": "Credit note"}
_DRAFT: Final = "This is a draft. It was not issued, has no number, and nothing is owed because of it."
_KEPT_BY: Final = {TYPES[0]: "a connect", TYPES[1]: "an action"}
_AGAIN: Final = "active again after a deletion"


@dataclass(frozen=True, slots=True)
class Shown:
    """A document to be shown, and what it leaves out.

    `timezone` is that of the account's cycles, `plan` what its lines were priced by, where that is
    known. `as_of` (microseconds) cuts off what a draft counts.
    """

    document: InvoiceDocument
    evidence: Evidence
    timezone: str
    plan: Plan | None = None
    as_of: int | None = None


def sheet(of: Shown, display: LocaleFormat, *, with_evidence: bool = True) -> Sheet:
    """What an invoice or a note shows; without evidence, no list of who was active."""
    document, invoice, show = of.document, of.document.invoice, display
    title = TITLES[document.kind]
    number, correction = invoice.number, document.correction
    label = "To be credited" if document.kind == "credit_note" else "Still to be paid" if correction else "Total"
    sections = [_lines(document, show)]
    if correction is not None:
        sections.append(_correction(invoice, correction, show))
    sections += [_curve(of, show), _basis(invoice, show)]
    if with_evidence and of.evidence.witnesses:
        sections.append(_evidence(of.evidence, show))
    sections.append(_days(of.evidence, show))
    return Sheet(
        title=f"{title} {number}" if number else f"Draft {title.lower()}",
        draft=number is None,
        account_id=invoice.account_id,
        total=(Fact(f"{label} ({invoice.currency})", show.money(invoice.total.amount, invoice.currency)),),
        notice="" if number else _DRAFT,
        facts=tuple(_facts(of, show)),
        sections=tuple(sections),
        dated=micros(invoice.cycle.end) if document.issued_at is None else document.issued_at,
    )


def _facts(of: Shown, show: LocaleFormat) -> Iterator[Fact]:
    """The facts at the top, two beside each other."""
    document, invoice = of.document, of.document.invoice
    yield Fact("Account", Cell(invoice.account_id, "name"))
    if invoice.number:
        yield Fact("Number", Cell(invoice.number))
        yield Fact("Issued", show.instant(document.issued_at))
    yield Fact("Billing cycle", Cell(invoice.cycle.name, beside=of.timezone))
    yield Fact("From", show.instant(micros(invoice.cycle.start)))
    yield Fact("Until, exclusive", show.instant(micros(invoice.cycle.end)))
    yield Fact("Peak", show.number(invoice.peak))
    yield Fact("First reached", show.instant(None if invoice.peak_at is None else micros(invoice.peak_at)))
    if document.correction is not None:
        yield Fact("Restates", Cell(", ".join(document.correction.restates)))
    if of.as_of is not None:
        yield Fact("Counted until, exclusive", show.instant(of.as_of))


def _lines(document: InvoiceDocument, show: LocaleFormat) -> Section:
    invoice = document.invoice
    rows: list[tuple[Cell, ...]] = []
    indented = []
    for line in invoice.lines:
        quantity, price = show.number(line.quantity), show.number(line.unit_price)
        rows.append((Cell(line.description, "name"), quantity, price, show.number(line.amount)))
        lower = 0
        for part in line.parts:
            tier = part.tier
            indented.append(len(rows))
            flat = f", {show.number(tier.flat_price).text} flat" if tier.flat_price else ""
            reach = f"above {lower:,}" if tier.up_to is None else f"up to {tier.up_to:,}"
            words = Cell(f"of which tier {reach}{flat}")
            rows.append((words, *map(show.number, (part.units, tier.unit_price, part.amount))))
            lower = tier.up_to or lower
    label = "Total" if document.correction is None else "Difference"
    total = Cell(label), Cell(""), Cell(""), show.number(invoice.total.amount)
    return Section(
        "Lines",
        tables=(
            Table(
                caption=f"What makes up the total, in {invoice.currency}",
                columns=("Description", "Quantity", "Unit price", "Amount"),
                rows=tuple(rows),
                numeric=(1, 2, 3),
                indented=tuple(indented),
                foot=(total,),
            ),
        ),
    )


def _correction(invoice: Invoice, correction: Correction, show: LocaleFormat) -> Section:
    original, *notes = correction.restates
    earlier = f" and {', '.join(notes)}" if notes else ""
    difference = invoice.total.amount
    moved = Table(
        caption=f"Before and now, amounts in {invoice.currency}",
        columns=("", "Peak", "Amount"),
        rows=(
            (Cell(f"Billed before, by {original}{earlier}"), show.number(correction.peak_before),
             show.number(correction.billed)),
            (Cell("The same cycle, computed now"), show.number(invoice.peak),
             show.number(EXACT.add(correction.billed, difference))),
        ),
        numeric=(1, 2),
        foot=((Cell("Difference, settled by this document"), show.number(invoice.peak - correction.peak_before),
               show.number(difference)),),
    )  # fmt: skip
    tables = [moved]
    if correction.credits_before is not None and invoice.credits is not None:
        now = Decimal(invoice.credits.quantity or 0)
        tables.append(_credits_moved(correction.credits_before, now, show))
    changed = [(name, "active longer than was known") for name in correction.now_active]
    changed += [(name, "active less than was known") for name in correction.no_longer_active]
    changed += [(name, "used other credits than was known") for name in correction.credits_changed]
    if changed:
        caption = f"Identities whose activity {'or credits ' if correction.credits_changed else ''}changed"
        rows = tuple((Cell(name, "name"), Cell(words)) for name, words in sorted(changed))
        tables.append(Table(caption, ("Identity", "Change"), rows, narrow=True))
    if correction.late_events:
        tables.append(_late_events(correction.late_events, show))
    return Section(
        "What changed",
        words=(f"Events that came after {original} was drafted change what its cycle comes to. Issued documents never "
               f"change; this one settles the difference.",),
        tables=tuple(tables),
    )  # fmt: skip


def _credits_moved(before: Decimal, now: Decimal, show: LocaleFormat) -> Table:
    rows = ((Cell("Before"), show.number(before)), (Cell("Computed now"), show.number(now)))
    foot = ((Cell("Difference"), show.number(WIDE.subtract(now, before))),)
    return Table("Credits used by actions", ("", "Credits"), rows, numeric=(1,), foot=foot, narrow=True)


def _late_events(events: Sequence[LateEvent], show: LocaleFormat) -> Table:
    rows = tuple(
        (
            Cell(event.event_id, "name"),
            Cell(event.identity_id, "name"),
            Cell(event.type, beside=f"of {event.voids}" if event.voids else ""),
            show.instant(event.occurred_at),
            show.instant(event.recorded_at),
        )
        for event in events
    )
    return Table("Events that came late", ("Event", "Identity", "What", "Occurred", "Recorded"), rows)


def _curve(of: Shown, show: LocaleFormat) -> Section:
    cycle = of.evidence.cycle
    now = of.as_of if of.as_of is not None and of.as_of < micros(cycle.end) else None
    drawn = curve(of.evidence, show, plan=of.plan, now=now)
    return Section("The cycle", drawing=Drawing(CURVE_TITLE, words(of.evidence, show, now=now), drawn))


def _basis(invoice: Invoice, show: LocaleFormat) -> Section:
    policy, basis = invoice.policy, invoice.basis
    action, connect = map(_window, (policy.action_window, policy.connect_window))
    active = f"{action} after an action, {connect} after a connect, reconnect {policy.reconnect}"
    facts = [
        Fact("Plan", Cell(invoice.plan_id, "name")),
        Fact("Activity", Cell(active)),
        Fact("Events of the account", show.number(basis.events)),
    ]  # fmt: skip
    if basis.position is not None:
        facts.append(Fact("Ledger position", show.number(basis.position)))
    if basis.terms_version is not None:
        facts.append(Fact("Version of the terms", show.number(basis.terms_version)))
    facts.append(Fact("Time zone rules", Cell(f"tzdata {basis.tzdata}")))
    digest = Cell(basis.digest, "code") if basis.digest else Cell("not asked for")
    facts.append(Fact("Digest of the events", digest))
    return Section(
        "How it was computed",
        words=("An engagement identity is active for a time after each action and each connect, until it is deleted. "
               "The peak is the highest number that were active at the same moment of the cycle.",),
        facts=tuple(facts),
    )  # fmt: skip


def _window(of: timedelta) -> str:
    return f"{of.days:,} days" if of == timedelta(days=of.days) else duration(of)


def _evidence(of: Evidence, show: LocaleFormat) -> Section:
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


def _days(of: Evidence, show: LocaleFormat) -> Section:
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
