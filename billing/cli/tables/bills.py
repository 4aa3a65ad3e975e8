"""Peaks, invoices, prices and the evidence for a peak, for people on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...core.evidence import Evidence, Witness
from ...core.invoice import Invoice, arithmetic, lines
from ...core.plan import Plan, Price
from ...core.sweep import Peak
from ...core.terms import Terms
from .layout import add_totals, columns, money, span, span_of, when, when_of

_BLOCKS: Final = (" ▁▂▃▄▅▆▇█", "▲")
_ASCII: Final = (" .:-=+*%#", "^")


def peaks_table(peaks: Sequence[Peak], plans: Sequence[Plan | None], invoices: Sequence[Invoice], to: Console) -> Table:
    """A row for each peak: when, the curve of the cycle, and what it costs where there is a plan."""
    priced = bool(invoices)
    table = columns("Account", "Cycle", "Peak>", "When (UTC)", "Active over the cycle")
    if priced:
        table.add_column("Amount", justify="right")
        table.add_column("To the next tier", justify="right")
    previous = None
    for k, found in enumerate(peaks):
        cells: list[str | Text] = [
            "" if found.account_id == previous else found.account_id,
            span_of(found.cycle),
            f"{found.peak:,}",
            "–" if found.peak_at is None else when(found.peak_at),
            _curve(found, to),
        ]
        if priced:
            total, plan = invoices[k].total, plans[k]
            more = plan.to_next_tier(found.peak) if plan else None
            cells += [money(total), "–" if more is None else f"+{more:,}"]
        if previous is not None and found.account_id != previous:
            table.add_section()
        table.add_row(*cells)
        previous = found.account_id
    add_totals(table, [drafted.total for drafted in invoices], blanks=4)
    return table


def _curve(found: Peak, to: Console) -> Text:
    blocks, mark = _ASCII if to.encoding.lower() not in ("utf-8", "utf8") else _BLOCKS
    text = Text()
    marked = -1
    if found.peak_at is not None:
        step = (found.end - found.start) / max(len(found.curve), 1)
        marked = min(int((found.peak_at - found.start) / step), len(found.curve) - 1)
    for k, count in enumerate(found.curve):
        if k == marked:
            text.append(mark, style="bold yellow")
        else:
            text.append(blocks[-(-count * (len(blocks) - 1) // found.peak) if found.peak else 0], style="cyan")
    return text


def invoice_tables(invoices: Sequence[Invoice]) -> Iterator[Table | Text]:
    """Each invoice with its lines."""
    for drafted in invoices:
        cycle, policy = drafted.cycle, drafted.policy
        yield Text(f"{drafted.account_id}, cycle {cycle.name}", style="bold")
        yield Text(f"{when_of(cycle.start)} to {when_of(cycle.end)} UTC, plan {drafted.plan_id}, {drafted.status}")
        reached = "no identity was active" if drafted.peak_at is None else f"peak at {when_of(drafted.peak_at)} UTC"
        yield Text(
            f"{reached}; active for {span(policy.action_window)} after an action, {span(policy.connect_window)} "
            f"after a connect, reconnect {policy.reconnect}; {drafted.basis.events:,} events"
        )
        table = columns("Line", "Amount>")
        for line in drafted.lines:
            table.add_row(line.description, f"{line.amount:,f}")
        table.add_section()
        table.add_row(Text("Total", style="bold"), Text(f"{drafted.total.amount:,f} {drafted.currency}", style="bold"))
        yield table


def prices_table(prices: Sequence[Price], plan: Plan) -> Table:
    """A row for each quantity: what it costs, what one more costs, and the arithmetic."""
    table = columns("Quantity>", "Total>", "To the next tier>", "How")
    for price in prices:
        whole = price.quantity == int(price.quantity)
        more = plan.to_next_tier(int(price.quantity)) if whole else None
        table.add_row(
            f"{price.quantity:,}",
            f"{price.total.amount:,f} {price.total.currency}",
            "–" if more is None else f"+{more:,}",
            arithmetic(price, plan),
        )
    return table


def story(of: Evidence, terms: Terms, credits: Decimal | None = None) -> Iterator[str]:
    """Why the peak is what it is, in sentences that a customer could read.

    `credits` are those used in the cycle, where they are paid for.
    """
    start, end = of.cycle.start, of.cycle.end
    yield f"{of.account_id}, cycle {of.cycle.name}: {when_of(start)} to {when_of(end)} UTC."
    if of.peak_at is None:
        yield "No engagement identity was active at any moment of this cycle, so the peak is 0."
        if credits is not None:
            yield from _priced(of, terms, credits)
        return
    carried = of.counts[0][1]
    passers = {p.identity_id for p in of.active_off_peak}
    yield (
        f"The peak is {of.peak:,}, first reached at {when(of.peak_at)} UTC. At no moment of the cycle were more "
        f"engagement identities active."
    )
    yield (
        f"The cycle began with {carried:,} active. {of.peak + len(passers):,} were active at some moment of it; "
        + (
            f"{len(passers):,} of those came or went without being active at the peak, and are not billed."
            if passers
            else "all of those were active at the peak."
        )
    )
    if "active_after_deletion" in of.flags:
        again = [w.identity_id for w in of.witnesses if w.active_after_deletion]
        yield (
            f"Active again after a deletion (active_after_deletion): {', '.join(again[:5])}"
            + (f" and {len(again) - 5:,} more" if len(again) > 5 else "")
            + ". If the id was not reused on purpose, check who sent those events."
        )
    yield from _priced(of, terms, credits)


def _priced(of: Evidence, terms: Terms, credits: Decimal | None) -> Iterator[str]:
    if terms.plan is not None:
        made, total = lines(terms.plan.price(of.peak), terms.plan, terms.discount, credits)
        for line in made:
            yield f"{line.description} = {line.amount:,f} {total.currency}."
        if len(made) > 1:
            yield f"Total {total}."


def evidence_table(of: Evidence) -> Table:
    """The identities active at the peak, and the event that kept each of them so."""
    table = columns("Active at the peak", "Active since (UTC)", "Kept active by", "which covers until", "Event")
    for witness in of.witnesses:
        table.add_row(
            witness.identity_id,
            when(witness.active_since),
            f"{witness.type} at {when(witness.occurred_at)}",
            when(witness.covers_until),
            _event(witness),
        )
    return table


def _event(witness: Witness) -> str:
    again = " (active after deletion)" if witness.active_after_deletion else ""
    return f"{witness.event_id or '–'}{again}"
