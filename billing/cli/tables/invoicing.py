"""Closes, restatements and statements for people on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from ...core.invoice import Invoice
from ...invoicing.restatement import Restatement, StatementRow
from .layout import add_totals, columns, grouped, money, span_of, when

#: How many are shown of many.
_NAMES_SHOWN: Final = 5
_EVENTS_SHOWN: Final = 10


def closing_table(invoices: Sequence[Invoice], numbers: Sequence[str]) -> Table:
    """A row for each invoice that closes a cycle; `numbers` are those it was issued under, if it was."""
    table = columns("Account", "Cycle", "Peak>", "Total>", "Number")
    for k, drafted in enumerate(invoices):
        number = numbers[k] if numbers else "–"
        table.add_row(drafted.account_id, span_of(drafted.cycle), f"{drafted.peak:,}", money(drafted.total), number)
    add_totals(table, [drafted.total for drafted in invoices])
    return table


def restatement_tables(restatements: Sequence[Restatement], numbers: Sequence[str]) -> Iterator[Table | Text]:
    """Each difference that late events made, with its lines, its total and the events."""
    for k, found in enumerate(restatements):
        billed, fresh = found.billed, found.fresh
        yield Text(f"{billed.account_id}, cycle {span_of(billed.cycle)}", style="bold")
        moved = f"peak {billed.peak:,} before, {fresh.peak:,} now"
        if billed.credits is not None and fresh.credits is not None:
            moved += f"; credits {grouped(billed.credits)} before, {grouped(fresh.credits.quantity)} now"
        document = f"{'invoice' if found.kind == 'supplementary_invoice' else 'credit note'}"
        yield Text(f"{moved}; settled by {'a supplementary ' if document == 'invoice' else 'a '}{document}"
                   f"{' ' + numbers[k] if numbers else ', not issued yet'}")  # fmt: skip
        table = columns("Line", "Amount>")
        for line in found.lines:
            table.add_row(line.description, f"{line.amount:,f}")
        table.add_section()
        table.add_row(Text("Difference", style="bold"), Text(money(found.difference), style="bold"))
        yield table
        for words, names in (
            ("Active longer than was known", found.now_active),
            ("Active less than was known", found.no_longer_active),
            ("Used other credits than was known", found.credits_changed),
        ):
            if names:
                more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
                yield Text(f"{words}: {', '.join(names[:_NAMES_SHOWN])}{more}.")
        events = columns("Late event", "Identity", "What", "Occurred (UTC)", "Recorded (UTC)")
        for late in found.events[:_EVENTS_SHOWN]:
            what = late.type if late.voids is None else f"{late.type} of {late.voids}"
            events.add_row(late.event_id, late.identity_id, what, when(late.occurred_at), when(late.recorded_at))
        if found.events:
            yield events
        if len(found.events) > _EVENTS_SHOWN:
            yield Text(
                f"... and {len(found.events) - _EVENTS_SHOWN:,} more late events; --format json has all of them."
            )


def statement_table(rows: Sequence[StatementRow]) -> Table:
    """A row for each document, with what the account owes after it."""
    table = columns("Account", "Issued (UTC)", "Number", "What", "Cycle", "Total>", "Balance>")
    previous = None
    for row in rows:
        if previous is not None and row.account_id != previous:
            table.add_section()
        table.add_row(
            "" if row.account_id == previous else row.account_id,
            when(row.issued_at),
            row.number,
            row.kind.replace("_", " "),
            row.cycle.name,
            money(row.total),
            money(row.balance),
        )
        previous = row.account_id
    return table
