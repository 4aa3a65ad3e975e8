"""What goes out to people on a terminal: tables with a curve, and the story of a peak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..core.alignment import Difference
from ..core.cycle import Cycle, moment
from ..core.diagnosis import Reconciliation
from ..core.effect import Alignment, CycleTotal, Figure
from ..core.evidence import Evidence, Witness
from ..core.invoice import Invoice, arithmetic, lines
from ..core.money import Money
from ..core.plan import Plan, Price
from ..core.restatement import Restatement, StatementRow
from ..core.sweep import Peak
from ..core.terms import Terms
from .acceptance import Key, key_of
from .reconciliations import difference_of

_BLOCKS: Final = (" ▁▂▃▄▅▆▇█", "▲")
_ASCII: Final = (" .:-=+*%#", "^")
#: How many names and events are shown of many.
_NAMES_SHOWN: Final = 5
_EVENTS_SHOWN: Final = 10
_DISCREPANCIES_SHOWN: Final = 40
#: Wide enough for every table where there is no terminal to fit into.
_WIDTH_PIPED: Final = 200


def console(*, file: object = None) -> Console:
    """A console that fits a terminal, and writes whole lines where there is none."""
    made = Console(file=file, highlight=False)  # type: ignore[arg-type]
    return made if made.is_terminal else Console(file=file, highlight=False, width=_WIDTH_PIPED)  # type: ignore[arg-type]


def peaks_table(peaks: Sequence[Peak], plans: Sequence[Plan | None], invoices: Sequence[Invoice], to: Console) -> Table:
    """A row for each peak: when, the curve of the cycle, and what it costs where there is a plan."""
    priced = bool(invoices)
    table = _table("Account", "Cycle", "Peak>", "When (UTC)", "Active over the cycle")
    if priced:
        table.add_column("Amount", justify="right")
        table.add_column("To the next tier", justify="right")
    previous = None
    for k, found in enumerate(peaks):
        cells: list[str | Text] = [
            "" if found.account_id == previous else found.account_id,
            _span_of(found.cycle),
            f"{found.peak:,}",
            "–" if found.peak_at is None else _when(found.peak_at),
            _curve(found, to),
        ]
        if priced:
            total, plan = invoices[k].total, plans[k]
            more = plan.to_next_tier(found.peak) if plan else None
            cells += [_money(total), "–" if more is None else f"+{more:,}"]
        if previous is not None and found.account_id != previous:
            table.add_section()
        table.add_row(*cells)
        previous = found.account_id
    _add_totals(table, [drafted.total for drafted in invoices], blanks=4)
    return table


def invoice_tables(invoices: Sequence[Invoice]) -> Iterator[Table | Text]:
    """Each invoice with its lines."""
    for drafted in invoices:
        cycle, policy = drafted.cycle, drafted.policy
        yield Text(f"{drafted.account_id}, cycle {cycle.name}", style="bold")
        yield Text(f"{_when_of(cycle.start)} to {_when_of(cycle.end)} UTC, plan {drafted.plan_id}, {drafted.status}")
        reached = "no identity was active" if drafted.peak_at is None else f"peak at {_when_of(drafted.peak_at)} UTC"
        yield Text(
            f"{reached}; active for {_span(policy.action_window)} after an action, {_span(policy.connect_window)} "
            f"after a connect, reconnect {policy.reconnect}; {drafted.basis.events:,} events"
        )
        table = _table("Line", "Amount>")
        for line in drafted.lines:
            table.add_row(line.description, f"{line.amount:,f}")
        table.add_section()
        table.add_row(Text("Total", style="bold"), Text(f"{drafted.total.amount:,f} {drafted.currency}", style="bold"))
        yield table


def closing_table(invoices: Sequence[Invoice], numbers: Sequence[str]) -> Table:
    """A row for each invoice that closes a cycle; `numbers` are those it was issued under, if it was."""
    table = _table("Account", "Cycle", "Peak>", "Total>", "Number")
    for k, drafted in enumerate(invoices):
        number = numbers[k] if numbers else "–"
        table.add_row(drafted.account_id, _span_of(drafted.cycle), f"{drafted.peak:,}", _money(drafted.total), number)
    _add_totals(table, [drafted.total for drafted in invoices])
    return table


def restatement_tables(restatements: Sequence[Restatement], numbers: Sequence[str]) -> Iterator[Table | Text]:
    """Each difference that late events made, with what is billed, what it comes to, and the events."""
    for k, found in enumerate(restatements):
        billed, fresh = found.billed, found.fresh
        yield Text(f"{billed.account_id}, cycle {_span_of(billed.cycle)}", style="bold")
        moved = f"peak {billed.peak:,} before, {fresh.peak:,} now"
        document = f"{'invoice' if found.kind == 'supplementary_invoice' else 'credit note'}"
        yield Text(f"{moved}; settled by {'a supplementary ' if document == 'invoice' else 'a '}{document}"
                   f"{' ' + numbers[k] if numbers else ', not issued yet'}")  # fmt: skip
        table = _table("Line", "Amount>")
        for line in found.lines:
            table.add_row(line.description, f"{line.amount:,f}")
        table.add_section()
        table.add_row(Text("Difference", style="bold"), Text(_money(found.difference), style="bold"))
        yield table
        for word, names in (("Active longer", found.now_active), ("Active less", found.no_longer_active)):
            if names:
                more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
                yield Text(f"{word} than was known: {', '.join(names[:_NAMES_SHOWN])}{more}.")
        events = _table("Late event", "Identity", "What", "Occurred (UTC)", "Recorded (UTC)")
        for late in found.events[:_EVENTS_SHOWN]:
            what = late.type if late.voids is None else f"{late.type} of {late.voids}"
            events.add_row(late.event_id, late.identity_id, what, _when(late.occurred_at), _when(late.recorded_at))
        if found.events:
            yield events
        if len(found.events) > _EVENTS_SHOWN:
            yield Text(
                f"... and {len(found.events) - _EVENTS_SHOWN:,} more late events; --format json has all of them."
            )


def statement_table(rows: Sequence[StatementRow]) -> Table:
    """A row for each document, with what the account owes after it."""
    table = _table("Account", "Issued (UTC)", "Number", "What", "Cycle", "Total>", "Balance>")
    previous = None
    for row in rows:
        if previous is not None and row.account_id != previous:
            table.add_section()
        table.add_row(
            "" if row.account_id == previous else row.account_id,
            _when(row.issued_at),
            row.number,
            row.kind.replace("_", " "),
            row.cycle,
            _money(row.total),
            _money(row.balance),
        )
        previous = row.account_id
    return table


def reconciliation_tables(of: Reconciliation, accepted: Mapping[Key, str]) -> Iterator[Table | Text]:
    """Why two sets of invoices differ: the causes, the cycles on which they do, and what it comes to."""
    agreed = len(of.matches) - len(of.differing)
    yield Text(f"{_many(len(of.matches), 'cycle')} compared: {agreed:,} agree, {len(of.differing):,} differ.")
    for cause in of.causes:
        yield Text(f"{cause.count:,} of {_many(len(of.differing), 'discrepancy')}: they billed {cause.says}.")
    if of.unexplained:
        yield Text(f"{_many(of.unexplained, 'discrepancy')} no reading explains, nor two together.")
    if of.differing:
        yield _discrepancies_table(of, accepted)
        yield from _open_questions(of)
        if any(of.disputed):
            yield _disputed_table(of)
    table = _table("Status", "Currency", "Cycles>", "Ours>", "Theirs>", "Theirs less ours>")
    for each in of.sums:
        figures = (each.ours, each.theirs, each.difference)
        table.add_row(_spoken(each.status), each.currency or "–", f"{each.count:,}", *(f"{f:,f}" for f in figures))
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
        names = ", ".join(reading.name for reading in of.not_tried)
        yield Text(f"Not tried, since the source does not tell what they need: {names}.")


def _discrepancies_table(of: Reconciliation, accepted: Mapping[Key, str]) -> Table:
    table = _table("Account", "Cycle", "Differs", "Ours>", "Theirs>", "Ours>", "Theirs>", "Theirs less ours>", "Cause")
    for match, diagnosis in of.differing[:_DISCREPANCIES_SHOWN]:
        ours, theirs = match.ours, match.theirs
        less = difference_of(match)
        reason = accepted.get(key_of(match))
        cause = "–" if diagnosis is None else diagnosis.explanation.name + ("" if diagnosis.decided else " ?")
        table.add_row(
            match.account_id,
            match.cycle,
            _spoken(match.status),
            "–" if ours is None else f"{ours.quantity:,}",
            "–" if theirs is None or theirs.quantity is None else f"{theirs.quantity:,}",
            "–" if ours is None or ours.total is None else _money(ours.total),
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
    asked = [(m, d) for m, d in of.differing if d is not None and not d.decided]
    for match, diagnosis in asked[:_NAMES_SHOWN]:
        names = ", ".join(e.name for e in (diagnosis.explanation, *diagnosis.others)[:_NAMES_SHOWN])
        datum = diagnosis.datum or "more cycles of the account; on those compared here they come to the same"
        count = len(diagnosis.others) + 1
        yield Text(
            f"{match.account_id}, {match.cycle}: {count:,} explanations fit: {names}. What would decide: {datum}."
        )
    if len(asked) > _NAMES_SHOWN:
        yield Text(
            f"... and {len(asked) - _NAMES_SHOWN:,} more with several explanations; --format json has all of them."
        )


def _disputed_table(of: Reconciliation) -> Table:
    table = _table("Account", "Cycle", "Only counted by", "Identity", "Counted at (UTC)", "Its last event until then")
    for match, who in zip(of.matches, of.disputed, strict=True):
        for each in who[:_EVENTS_SHOWN]:
            told = "–" if each.type is None else f"{each.type} at {_when(each.occurred_at or 0)}  {each.event_id or ''}"
            moment = "the whole cycle" if each.moment is None else _when(each.moment)
            table.add_row(match.account_id, match.cycle, each.by, each.identity_id, moment, told)
        if len(who) > _EVENTS_SHOWN:
            table.add_row("", "", "", f"... and {len(who) - _EVENTS_SHOWN:,} more", "", "--format json has all of them")
    return table


def _spoken(code: str) -> str:
    return code.replace("_", " ")


def _many(count: int, what: str) -> str:
    several = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{count:,} {what if count == 1 else several}"


def alignment_tables(of: Alignment) -> Iterator[Table | Text]:
    """The events that move a bill, those that do so only together, and what the cycles come to."""
    if of.effects:
        yield Text("Events that move a bill", style="bold")
        table = _moves_table(priced := any(effect.ours.amount for effect in of.effects), "Way")
        for effect in of.effects:
            table.add_row(*_move(effect.difference, effect.cycle, effect.moves, priced), effect.by)
        yield table
    for group in of.together:
        yield Text("Events that move a bill only together", style="bold")
        table = _moves_table(priced := group.before.amount is not None)
        for difference in group.differences:
            table.add_row(*_move(difference, group.cycle, (group.before, group.after), priced))
        yield table
    if moved := [each for each in of.totals if each.ours != each.theirs]:
        yield Text("What the cycles come to", style="bold")
        yield _totals_table(moved)


def _moves_table(priced: bool, *more: str) -> Table:
    amount = ("Amount>", "Change>") if priced else ()
    return _table("Account", "Event", "Identity", "What", "How it differs", "Occurred (UTC)", "Cycle", "Peak>",
                  *amount, *more)  # fmt: skip


def _move(of: Difference, cycle: Cycle, moves: tuple[Figure, Figure], priced: bool) -> list[str]:
    event, (before, after) = of.event, moves
    cells = [
        event.account_id,
        event.event_id or "–",
        event.identity_id,
        event.type,
        _how(of),
        _when(event.occurred_at),
        cycle.name,
        f"{before.peak:,} → {after.peak:,}",
    ]
    return cells + _amounts(before, after) if priced else cells


def _how(of: Difference) -> str:
    """How an event differs, with what theirs says of it."""
    if of.kind == "shifted":
        return f"shifted by {_shift(of.shift)}"
    if of.kind == "renamed" and of.theirs is not None:
        return f"renamed {of.theirs.event_id}"
    if of.kind == "conflicting" and of.field is not None:
        theirs = getattr(of.theirs, of.field)
        return f"conflicting: {of.field} {_when(theirs) if of.field == 'occurred_at' else theirs}"
    return of.kind


def _amounts(before: Figure, after: Figure) -> list[str]:
    """Both amounts, and the difference of the two; nothing for an account that has no plan."""
    if before.amount is None or after.amount is None:
        return ["–", "–"]
    change = after.amount + -before.amount
    return [f"{before.amount.amount:,f} → {after.amount.amount:,f}", f"{change.amount:+,f} {change.currency}"]


def _totals_table(totals: Sequence[CycleTotal]) -> Table:
    priced = any(each.ours.amount for each in totals)
    table = _table("Account", "Cycle", "Peak>", *(("Amount>", "Change>") if priced else ()))
    previous = None
    changes = []
    for each in totals:
        if previous is not None and each.account_id != previous:
            table.add_section()
        cells = ["" if each.account_id == previous else each.account_id, _span_of(each.cycle)]
        cells.append(f"{each.ours.peak:,} → {each.theirs.peak:,}")
        table.add_row(*cells, *(_amounts(each.ours, each.theirs) if priced else ()))
        if each.ours.amount is not None and each.theirs.amount is not None:
            changes.append(each.theirs.amount + -each.ours.amount)
        previous = each.account_id
    _add_totals(table, changes, blanks=3)
    return table


def _shift(microseconds: int) -> str:
    """How much later, as +1:30:00; earlier with a minus."""
    return f"{'-' if microseconds < 0 else '+'}{timedelta(microseconds=abs(microseconds))}"


def prices_table(prices: Sequence[Price], plan: Plan) -> Table:
    """A row for each quantity: what it costs, what one more costs, and the arithmetic."""
    table = _table("Quantity>", "Total>", "To the next tier>", "How")
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


def story(of: Evidence, terms: Terms) -> Iterator[str]:
    """Why the peak is what it is, in sentences that a customer could read."""
    start, end = of.cycle.start, of.cycle.end
    yield f"{of.account_id}, cycle {of.cycle.name}: {_when_of(start)} to {_when_of(end)} UTC."
    if of.peak_at is None:
        yield "No engagement identity was active at any moment of this cycle, so the peak is 0."
        return
    carried = of.counts[0][1]
    passers = {p.identity_id for p in of.came_and_went}
    yield (
        f"The peak is {of.peak:,}, first reached at {_when(of.peak_at)} UTC. At no moment of the cycle were more "
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
    if terms.plan is not None:
        made, total = lines(terms.plan.price(of.peak), terms.plan, terms.discount)
        for line in made:
            yield f"{line.description} = {line.amount:,f} {total.currency}."
        if len(made) > 1:
            yield f"Total {total}."


def evidence_table(of: Evidence) -> Table:
    """The identities active at the peak, and the event that kept each of them so."""
    table = _table("Active at the peak", "Active since (UTC)", "Kept active by", "which covers until", "Event")
    for witness in of.witnesses:
        table.add_row(
            witness.identity_id,
            _when(witness.active_since),
            f"{witness.type} at {_when(witness.occurred_at)}",
            _when(witness.covers_until),
            _event(witness),
        )
    return table


def _event(witness: Witness) -> str:
    again = " (active after deletion)" if witness.active_after_deletion else ""
    return f"{witness.event_id or '–'}{again}"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left", no_wrap=True)
    return table


def _add_totals(table: Table, totals: Sequence[Money], *, blanks: int = 2) -> None:
    """A last row for each currency, below `blanks` columns that have no sum."""
    sums: dict[str, Money] = {}
    for total in totals:
        sums[total.currency] = sums[total.currency] + total if total.currency in sums else total
    for currency in sorted(sums):
        table.add_section()
        table.add_row("Total", *[""] * blanks, Text(_money(sums[currency]), style="bold"))


def _money(of: Money) -> str:
    return f"{of.amount:,f} {of.currency}"


def _span_of(cycle: Cycle) -> str:
    return f"{cycle.name}  {_day(cycle.start)} – {_day(cycle.end)}"


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


def _span(window: timedelta) -> str:
    return f"{window.days:,} days" if window == timedelta(days=window.days) else str(window)


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"


def _when(instant: int) -> str:
    return _when_of(moment(instant))


def _when_of(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}" + (f".{instant.microsecond:06}" if instant.microsecond else "")
