"""Events that differ between two sources and their effect on bills: a table, a document and a paragraph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from ...core.cycle import Cycle, text_of
from ...core.event import DETAILS
from ...reconciliation.effects import Alignment, CycleTotal, Effect, Origin, PeakAndAmount
from ...reconciliation.event_diff import Difference, Event
from .bills import cycle_of
from .schema import Column, Row, Schema, View, code, cycle_columns, instant, integer, money, text
from .text import json_row, json_value

DIFFERENCES: Final = Schema(
    "event differences",
    (
        Column("number", integer),
        Column("kind", code),
        Column("field", code, null=True),
        Column("account_id", text),
        *cycle_columns(null=True),
        Column("event_id", text, null=True),
        Column("identity_id", text),
        Column("type", code),
        Column("occurred_at", instant, null=True),
        Column("theirs_occurred_at", instant, null=True),
        Column("by", code, null=True),
        Column("peak_from", integer, null=True),
        Column("peak_to", integer, null=True),
        Column("amount_from", money, null=True),
        Column("amount_to", money, null=True),
        Column("currency", code, null=True),
    ),
)
_CYCLE: Final = Schema("cycle", cycle_columns())


def document(of: Alignment, ours: str, theirs: str, *, everything: bool = False) -> dict[str, Any]:
    """An alignment as one object; with `everything`, the differences that move nothing as well.

    Of each cycle it gives the figures of both sources, of ours with one difference adopted
    (`alone`), and of theirs with it undone (`undone`); money as text.
    """
    numbers = numbered(of)
    effects: dict[int, list[Effect]] = defaultdict(list)
    for effect in of.effects:
        effects[numbers[id(effect.difference)]].append(effect)
    shown = of.differences if everything else of.matters
    return {
        "ours": _origin(of.ours, ours),
        "theirs": _origin(of.theirs, theirs),
        "differing": {"events": len(of.differences), **of.counts},
        "matter": len(of.matters),
        "noise": of.noise,
        "compared_by_content": list(of.by_content),
        **({"credits_left_out": True} if of.credits_left_out else {}),
        "events": [_difference(d, numbers[id(d)], effects[numbers[id(d)]]) for d in shown],
        "together": [
            {
                "account_id": group.account_id,
                **_cycle(group.cycle),
                "numbers": [numbers[id(difference)] for difference in group.differences],
                **_figures(before=group.before, after=group.after),
            }
            for group in of.together
        ],
        "cycles": [total(each) for each in of.totals],
    }


def summary(of: Alignment, ours: str, theirs: str) -> str:
    """What came of it, as a paragraph for people."""
    if not of.differences:
        return f"No event differs between {ours} and {theirs}."
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in of.counts.items() if count)
    count, matter, noise = len(of.differences), len(of.matters), of.noise
    sentences = [f"{count:,} {'event differs' if count == 1 else 'events differ'}: {kinds}."]
    moved = "the bill of identities" if of.credits_left_out else "a bill"
    moving = f"{matter:,} of them {'moves' if matter == 1 else 'move'} {moved}"
    beside = " as far as that goes" if of.credits_left_out else ""
    rest = f"; the other {noise:,} {'is' if noise == 1 else 'are'} noise{beside}" if noise else ""
    sentences.append(f"{moving}{rest}.")
    if of.totals:
        sentences.append(
            f"Taken over together, they turn the figures of {ours} into those of {theirs} in "
            + ("the 1 cycle" if len(of.totals) == 1 else f"each of the {len(of.totals):,} cycles")
            + " that they can reach."
        )
    if any(effect.adopted == "last" for effect in of.effects):
        sentences.append(
            "Alone is what an event does when only it is taken over; last is what it does when all others have been."
        )
    if of.by_content:
        several = f"{len(of.by_content):,} accounts have" if len(of.by_content) > 1 else "1 account has"
        sentences.append(
            f"{several} events without ids in one of the sources, and what happened was compared by content."
        )
    return " ".join(sentences)


def numbered(of: Alignment) -> dict[int, int]:
    """The number of each difference, from 1, by its `id()`: equal differences have numbers of their own."""
    return {id(difference): k for k, difference in enumerate(of.differences, 1)}


def differences(of: Alignment, *, everything: bool = False) -> View:
    """An alignment as a table: a row for each difference and cycle that it moves.

    `by` says how it does: `alone`, adopted into ours; `last`, adopted after all others; or `together`
    with others, whose rows follow one another. With `everything`, one more for each of the others.
    """
    return View(DIFFERENCES, [*_rows(of, everything)])


def _rows(of: Alignment, everything: bool) -> Iterator[Row]:
    numbers = numbered(of)
    for effect in of.effects:
        yield _row(effect.difference, numbers, effect.cycle, effect.adopted, effect.moves)
    for group in of.together:
        for difference in group.differences:
            yield _row(difference, numbers, group.cycle, "together", (group.before, group.after))
    if everything:
        moving = {id(difference) for difference in of.matters}
        for difference in of.differences:
            if id(difference) not in moving:
                yield _row(difference, numbers)


def total(of: CycleTotal) -> dict[str, Any]:
    """The peak and the amount of a cycle by each source."""
    figures = _figures(ours=of.ours, theirs=of.theirs)
    return {"account_id": of.account_id, **_cycle(of.cycle), "differences": of.differences, **figures}


def _row(
    of: Difference,
    numbers: dict[int, int],
    cycle: Cycle | None = None,
    by: str | None = None,
    moves: tuple[PeakAndAmount, PeakAndAmount] | None = None,
) -> Row:
    before, after = moves or (None, None)
    return {
        "number": numbers[id(of)],
        "kind": of.kind,
        "field": of.field,
        "account_id": of.event.account_id,
        **(dict.fromkeys(_CYCLE.names) if cycle is None else cycle_of(cycle)),
        **{name: getattr(of.event, name) for name in ("event_id", "identity_id", "type")},
        "occurred_at": None if of.ours is None else of.ours.occurred_at,
        "theirs_occurred_at": None if of.theirs is None else of.theirs.occurred_at,
        "by": by,
        "peak_from": None if before is None else before.peak,
        "peak_to": None if after is None else after.peak,
        "amount_from": _amount(before),
        "amount_to": _amount(after),
        "currency": None if before is None or before.amount is None else before.amount.currency,
    }


def _origin(of: Origin, name: str) -> dict[str, Any]:
    tally = of.tally
    counts = {what: getattr(tally, what) for what in ("received", "accepted", "duplicates", "rejected")}
    return {"source": name, **counts, "position": of.position, "digest": of.digest}


def _difference(of: Difference, number: int, effects: list[Effect]) -> dict[str, Any]:
    return {
        "number": number,
        "kind": of.kind,
        "field": of.field,
        "account_id": of.event.account_id,
        "ours": None if of.ours is None else _event(of.ours),
        "theirs": None if of.theirs is None else _event(of.theirs),
        "effects": [
            {**_cycle(e.cycle), **_figures(ours=e.ours, alone=e.alone, undone=e.undone, theirs=e.theirs)}
            for e in effects
        ],
    }


def _event(of: Event) -> dict[str, Any]:
    """The fields of an event without its account, which the difference has."""
    plain = {name: getattr(of, name) for name in ("event_id", "identity_id", "type")}
    details = {name: value for name in DETAILS if (value := getattr(of, name)) is not None}
    return {**plain, "occurred_at": text_of(of.occurred_at), **details}


def _cycle(of: Cycle) -> dict[str, Any]:
    return json_row(_CYCLE, cycle_of(of))


def _figures(**figures: PeakAndAmount) -> dict[str, Any]:
    currency = next((f.amount.currency for f in figures.values() if f.amount is not None), None)
    return {
        "peaks": {name: figure.peak for name, figure in figures.items()},
        "amounts": {name: json_value(_amount(figure), money) for name, figure in figures.items()},
        "currency": currency,
    }


def _amount(of: PeakAndAmount | None) -> Decimal | None:
    return None if of is None or of.amount is None else of.amount.amount
