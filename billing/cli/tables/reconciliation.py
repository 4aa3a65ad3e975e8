"""Why two sets of invoices differ, for people on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rich.table import Table
from rich.text import Text

from ...outputs.tables.reconciliation import difference_of
from ...reconciliation.accepted import Key, key_of
from ...reconciliation.diagnosis import Reconciliation
from .layout import columns, many, money, spoken, when

#: How many are shown of many.
_NAMES_SHOWN: Final = 5
_EVENTS_SHOWN: Final = 10
_DISCREPANCIES_SHOWN: Final = 40


def reconciliation_tables(of: Reconciliation, accepted: Mapping[Key, str]) -> Iterator[Table | Text]:
    """Why two sets of invoices differ: the causes, the cycles that differ, and the sums."""
    agreed = len(of.matches) - len(of.differing)
    yield Text(f"{many(len(of.matches), 'cycle')} compared: {agreed:,} agree, {len(of.differing):,} differ.")
    for cause in of.causes:
        yield Text(f"{cause.count:,} of {many(len(of.differing), 'discrepancy')}: they billed {cause.description}.")
    if of.unexplained:
        yield Text(f"{many(of.unexplained, 'discrepancy')} no cause explains, nor two together.")
    if of.differing:
        yield _discrepancies_table(of, accepted)
        yield from _open_questions(of)
        if any(of.disputed):
            yield _disputed_table(of)
    table = columns("Status", "Currency", "Cycles>", "Ours>", "Theirs>", "Theirs less ours>")
    for each in of.sums:
        figures = (each.ours, each.theirs, each.difference)
        table.add_row(spoken(each.status), each.currency or "–", f"{each.count:,}", *(f"{f:,f}" for f in figures))
    for currency in sorted({each.currency for each in of.sums if each.currency}):
        own = [each for each in of.sums if each.currency == currency]
        ours, theirs = sum(each.ours for each in own), sum(each.theirs for each in own)
        table.add_section()
        cells = (
            "Total",
            currency,
            f"{sum(s.count for s in own):,}",
            f"{ours:,f}",
            f"{theirs:,f}",
            f"{theirs - ours:,f}",
        )
        table.add_row(*(Text(cell, style="bold") for cell in cells))
    yield table
    if of.not_tried and of.differing:
        names = ", ".join(cause.name for cause in of.not_tried)
        yield Text(f"Not tried, since the source lacks the data for them: {names}.")


def _discrepancies_table(of: Reconciliation, accepted: Mapping[Key, str]) -> Table:
    table = columns("Account", "Cycle", "Differs", "Ours>", "Theirs>", "Ours>", "Theirs>", "Theirs less ours>", "Cause")
    for match, diagnosis in of.differing[:_DISCREPANCIES_SHOWN]:
        ours, theirs = match.ours, match.theirs
        less = difference_of(match)
        reason = accepted.get(key_of(match))
        cause = "–" if diagnosis is None else diagnosis.explanation.name + ("" if diagnosis.decided else " ?")
        table.add_row(
            match.account_id,
            match.cycle,
            spoken(match.status),
            "–" if ours is None else f"{ours.quantity:,}",
            "–" if theirs is None or theirs.quantity is None else f"{theirs.quantity:,}",
            "–" if ours is None or ours.total is None else money(ours.total),
            "–" if theirs is None or theirs.amount is None else f"{theirs.amount:,f} {theirs.currency or ''}".strip(),
            "–" if less is None else f"{less:+,f}",
            cause if reason is None else f"accepted: {reason}",
        )
    if len(of.differing) > _DISCREPANCIES_SHOWN:
        more = f"... and {len(of.differing) - _DISCREPANCIES_SHOWN:,} more"
        table.add_row(more, *[""] * 7, "--format csv has all of them")
    return table


def _open_questions(of: Reconciliation) -> Iterator[Text]:
    """Where several explanations fit alike, how many, and what would decide."""
    undecided = [(m, d) for m, d in of.differing if d is not None and not d.decided]
    for match, diagnosis in undecided[:_NAMES_SHOWN]:
        names = ", ".join(e.name for e in (diagnosis.explanation, *diagnosis.others)[:_NAMES_SHOWN])
        datum = diagnosis.datum or "more cycles of the account; on those compared here they give the same figures"
        count = len(diagnosis.others) + 1
        yield Text(
            f"{match.account_id}, {match.cycle}: {count:,} explanations fit: {names}. What would decide: {datum}."
        )
    if len(undecided) > _NAMES_SHOWN:
        yield Text(
            f"... and {len(undecided) - _NAMES_SHOWN:,} more with several explanations; --format json has all of them."
        )


def _disputed_table(of: Reconciliation) -> Table:
    table = columns("Account", "Cycle", "Only counted by", "Identity", "Counted at (UTC)", "Its last event until then")
    for match, who in zip(of.matches, of.disputed, strict=True):
        for each in who[:_EVENTS_SHOWN]:
            last_event = (
                "–" if each.type is None else f"{each.type} at {when(each.occurred_at or 0)}  {each.event_id or ''}"
            )
            moment = "the whole cycle" if each.moment is None else when(each.moment)
            table.add_row(match.account_id, match.cycle, each.counted_by, each.identity_id, moment, last_event)
        if len(who) > _EVENTS_SHOWN:
            table.add_row("", "", "", f"... and {len(who) - _EVENTS_SHOWN:,} more", "", "--format json has all of them")
    return table
