"""Sheets of invoices and notes: what was billed, how it was computed, and the evidence for it.

The descriptions of the lines are part of the document, and are shown unchanged.
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
from .cycle_curve import CURVE_TITLE, curve, days_of, describe_curve, instant_text, midnight
from .locale import LocaleFormat
from .sheet import Cell, Drawing, Fact, Section, Sheet, Table

#: The title of each kind of document.
TITLES: Final = {"invoice": "Invoice", "supplementary_invoice": "Supplementary invoice", "credit_note": "Credit note"}
_DRAFT: Final = "This is a draft. It was not issued, has no number, and nothing is owed because of it."
_KEPT_BY: Final = {TYPES[0]: "a connect", TYPES[1]: "an action"}
_AGAIN: Final = "active again after a deletion"


@dataclass(frozen=True, slots=True)
class ExplainedInvoice:
    """A document with what its sheet needs besides: the evidence, the time zone and the plan.

    `timezone` is that of the account's cycles, `plan` the one that priced the lines, where it is known.
    A draft counts nothing from `as_of` (microseconds) on.
    """

    document: InvoiceDocument
    evidence: Evidence
    timezone: str
    plan: Plan | None = None
    as_of: int | None = None


def sheet(explained: ExplainedInvoice, fmt: LocaleFormat, *, with_evidence: bool = True) -> Sheet:
    """The sheet of an invoice or a note; without evidence, it does not list the active identities."""
    document, invoice = explained.document, explained.document.invoice
    title = TITLES[document.kind]
    number, correction = invoice.number, document.correction
    label = "To be credited" if document.kind == "credit_note" else "Still to be paid" if correction else "Total"
    sections = [_lines(document, fmt)]
    if correction is not None:
        sections.append(_correction(invoice, correction, fmt))
    sections += [_curve(explained, fmt), _basis(invoice, fmt)]
    if with_evidence and explained.evidence.witnesses:
        sections.append(_evidence(explained.evidence, fmt))
    sections.append(_days(explained.evidence, fmt))
    return Sheet(
        title=f"{title} {number}" if number else f"Draft {title.lower()}",
        draft=number is None,
        account_id=invoice.account_id,
        total=(Fact(f"{label} ({invoice.currency})", fmt.money(invoice.total.amount, invoice.currency)),),
        notice="" if number else _DRAFT,
        facts=tuple(_facts(explained, fmt)),
        sections=tuple(sections),
        dated=micros(invoice.cycle.end) if document.issued_at is None else document.issued_at,
    )


def _facts(explained: ExplainedInvoice, fmt: LocaleFormat) -> Iterator[Fact]:
    """The facts at the top, in two columns."""
    document, invoice = explained.document, explained.document.invoice
    yield Fact("Account", Cell(invoice.account_id, "name"))
    if invoice.number:
        yield Fact("Number", Cell(invoice.number))
        yield Fact("Issued", fmt.instant(document.issued_at))
    yield Fact("Billing cycle", Cell(invoice.cycle.name, beside=explained.timezone))
    yield Fact("From", fmt.instant(micros(invoice.cycle.start)))
    yield Fact("Until, exclusive", fmt.instant(micros(invoice.cycle.end)))
    yield Fact("Peak", fmt.number(invoice.peak))
    yield Fact("First reached", fmt.instant(None if invoice.peak_at is None else micros(invoice.peak_at)))
    if document.correction is not None:
        yield Fact("Restates", Cell(", ".join(document.correction.restates)))
    if explained.as_of is not None:
        yield Fact("Counted until, exclusive", fmt.instant(explained.as_of))


def _lines(document: InvoiceDocument, fmt: LocaleFormat) -> Section:
    invoice = document.invoice
    rows: list[tuple[Cell, ...]] = []
    indented = []
    for line in invoice.lines:
        quantity, price = fmt.number(line.quantity), fmt.number(line.unit_price)
        rows.append((Cell(line.description, "name"), quantity, price, fmt.number(line.amount)))
        lower = 0
        for part in line.parts:
            tier = part.tier
            indented.append(len(rows))
            flat = f", {fmt.number(tier.flat_price).text} flat" if tier.flat_price else ""
            reach = f"above {lower:,}" if tier.up_to is None else f"up to {tier.up_to:,}"
            label = Cell(f"of which tier {reach}{flat}")
            rows.append((label, *map(fmt.number, (part.units, tier.unit_price, part.amount))))
            lower = tier.up_to or lower
    total_label = "Total" if document.correction is None else "Difference"
    total = Cell(total_label), Cell(""), Cell(""), fmt.number(invoice.total.amount)
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


def _correction(invoice: Invoice, correction: Correction, fmt: LocaleFormat) -> Section:
    original, *notes = correction.restates
    earlier = f" and {', '.join(notes)}" if notes else ""
    difference = invoice.total.amount
    difference_table = Table(
        caption=f"Before and now, amounts in {invoice.currency}",
        columns=("", "Peak", "Amount"),
        rows=(
            (Cell(f"Billed before, by {original}{earlier}"), fmt.number(correction.peak_before),
             fmt.number(correction.billed)),
            (Cell("The same cycle, computed now"), fmt.number(invoice.peak),
             fmt.number(EXACT.add(correction.billed, difference))),
        ),
        numeric=(1, 2),
        foot=((Cell("Difference, settled by this document"), fmt.number(invoice.peak - correction.peak_before),
               fmt.number(difference)),),
    )  # fmt: skip
    tables = [difference_table]
    if correction.credits_before is not None and invoice.credits is not None:
        now = Decimal(invoice.credits.quantity or 0)
        tables.append(_credits_difference(correction.credits_before, now, fmt))
    changed = [(name, "active longer than was known") for name in correction.now_active]
    changed += [(name, "active less than was known") for name in correction.no_longer_active]
    changed += [(name, "used other credits than was known") for name in correction.credits_changed]
    if changed:
        caption = f"Identities whose activity {'or credits ' if correction.credits_changed else ''}changed"
        rows = tuple((Cell(name, "name"), Cell(words)) for name, words in sorted(changed))
        tables.append(Table(caption, ("Identity", "Change"), rows, narrow=True))
    if correction.late_events:
        tables.append(_late_events(correction.late_events, fmt))
    return Section(
        "What changed",
        words=(f"Events that came after {original} was drafted change the total of its cycle. Issued documents never "
               f"change; this one settles the difference.",),
        tables=tuple(tables),
    )  # fmt: skip


def _credits_difference(before: Decimal, now: Decimal, fmt: LocaleFormat) -> Table:
    rows = ((Cell("Before"), fmt.number(before)), (Cell("Computed now"), fmt.number(now)))
    foot = ((Cell("Difference"), fmt.number(WIDE.subtract(now, before))),)
    return Table("Credits used by actions", ("", "Credits"), rows, numeric=(1,), foot=foot, narrow=True)


def _late_events(events: Sequence[LateEvent], fmt: LocaleFormat) -> Table:
    rows = tuple(
        (
            Cell(event.event_id, "name"),
            Cell(event.identity_id, "name"),
            Cell(event.type, beside=f"of {event.voids}" if event.voids else ""),
            fmt.instant(event.occurred_at),
            fmt.instant(event.recorded_at),
        )
        for event in events
    )
    return Table("Events that came late", ("Event", "Identity", "What", "Occurred", "Recorded"), rows)


def _curve(explained: ExplainedInvoice, fmt: LocaleFormat) -> Section:
    evidence, as_of = explained.evidence, explained.as_of
    now = as_of if as_of is not None and as_of < micros(evidence.cycle.end) else None
    figure = curve(evidence, fmt, plan=explained.plan, now=now)
    return Section("The cycle", drawing=Drawing(CURVE_TITLE, describe_curve(evidence, fmt, now=now), figure))


def _basis(invoice: Invoice, fmt: LocaleFormat) -> Section:
    policy, basis = invoice.policy, invoice.basis
    action, connect = map(_window, (policy.action_window, policy.connect_window))
    active = f"{action} after an action, {connect} after a connect, reconnect {policy.reconnect}"
    facts = [
        Fact("Plan", Cell(invoice.plan_id, "name")),
        Fact("Activity", Cell(active)),
        Fact("Events of the account", fmt.number(basis.events)),
    ]  # fmt: skip
    if basis.position is not None:
        facts.append(Fact("Ledger position", fmt.number(basis.position)))
    if basis.terms_version is not None:
        facts.append(Fact("Version of the terms", fmt.number(basis.terms_version)))
    facts.append(Fact("Time zone rules", Cell(f"tzdata {basis.tzdata}")))
    digest = Cell(basis.digest, "code") if basis.digest else Cell("not asked for")
    facts.append(Fact("Digest of the events", digest))
    return Section(
        "How it was computed",
        words=("An engagement identity is active for a time after each action and each connect, until it is deleted. "
               "The peak is the highest number that were active at the same moment of the cycle.",),
        facts=tuple(facts),
    )  # fmt: skip


def _window(length: timedelta) -> str:
    return f"{length.days:,} days" if length == timedelta(days=length.days) else duration(length)


def _evidence(evidence: Evidence, fmt: LocaleFormat) -> Section:
    rows = tuple(
        (
            Cell(witness.identity_id, "name"),
            Cell(_KEPT_BY[witness.type], beside=_AGAIN if witness.active_after_deletion else ""),
            Cell(witness.event_id or "–", "name"),
            fmt.instant(witness.occurred_at),
            fmt.instant(witness.covers_until),
        )
        for witness in evidence.witnesses
    )
    assert evidence.peak_at is not None, "a peak with witnesses has an instant"
    count = fmt.number(evidence.peak).text
    return Section(
        "Appendix: evidence",
        words=(f"Active at the peak, {instant_text(fmt.instant(evidence.peak_at))}: {count} engagement "
               f"{'identity' if evidence.peak == 1 else 'identities'}, each with the event that kept it active and "
               f"until when that event does.",),
        tables=(Table("Identities active at the peak",
                      ("Identity", "Kept active by", "Event", "Which occurred", "And covers until"), rows),),
        appendix=True,
    )  # fmt: skip


def _days(evidence: Evidence, fmt: LocaleFormat) -> Section:
    """The curve as a table: the highest count of each day, and the count at its end."""
    start, end = micros(evidence.cycle.start), micros(evidence.cycle.end)
    rows = []
    k = 0
    for day in days_of(start, end, fmt):
        day_start, day_end = max(midnight(day, fmt), start), min(midnight(day + timedelta(days=1), fmt), end)
        while k + 1 < len(evidence.counts) and evidence.counts[k + 1][0] <= day_start:
            k += 1
        in_day = [evidence.counts[k][1]]
        while k + 1 < len(evidence.counts) and evidence.counts[k + 1][0] < day_end:
            k += 1
            in_day.append(evidence.counts[k][1])
        rows.append((fmt.day(day), fmt.number(max(in_day)), fmt.number(in_day[-1])))
    return Section(
        "Appendix: the cycle by day",
        words=(f"Days are those of {fmt.timezone}; the first and the last may be cut off by the cycle.",),
        tables=(Table("Active engagement identities on each day", ("Day", "Most at the same moment", "At its end"),
                      tuple(rows), numeric=(1, 2), narrow=True),),
        appendix=True,
    )  # fmt: skip
