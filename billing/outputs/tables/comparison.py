"""What goes out to programs about comparisons and break-even points, exact to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...comparison.bills import AccountRow, Bill, BilledUnder, Comparison, CycleRow, Difference, Overall
from ...comparison.break_even import BreakEven, PlanRange
from ...core.cycle import micros, text_of
from ...core.money import Money
from ...core.plan import QUANTITY_MAX
from ...core.totals import PricePoint

ACCOUNT_COLUMNS: Final = (
    "terms",
    "account_id",
    "currency",
    "now",
    "other",
    "difference",
    "percent",
    "cycles",
    "other_cycles",
)
BILL_COLUMNS: Final = (
    "terms",
    "account_id",
    "cycle_start",
    "cycle_end",
    "peak",
    "total",
    "currency",
    "lower_peak",
    "lower_total",
    "higher_peak",
    "higher_total",
    "cheaper_peak",
    "cheaper_total",
)
STRETCH_COLUMNS: Final = ("first", "last", "cheapest", "in_turn", "every", "currency")


def comparing(under: Sequence[BilledUnder], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Comparisons as programs read them, with each bill under each terms."""
    return {"comparisons": [_comparison(of) for of in comparisons], "bills": [_under(of) for of in under]}


def _comparison(of: Comparison) -> dict[str, Any]:
    return {
        "terms": of.name,
        "overall": [_overall(each) for each in of.overall],
        "accounts": [row for account in of.accounts for row in account_rows(of.name, account)],
        "cycles": [_cycle(row) for row in of.cycles],
        "realigned": list(of.realigned),
    }


def _overall(of: Overall) -> dict[str, Any]:
    return {
        **_difference(of.difference),
        "gain": of.gain,
        "pay": of.pay,
        "same": of.same,
        "most_gained": _most(of.most_gained),
        "most_paid": _most(of.most_paid),
    }


def _most(of: tuple[str, Money] | None) -> dict[str, Any] | None:
    return None if of is None else {"account_id": of[0], "difference": _text(of[1])}


def _difference(of: Difference) -> dict[str, Any]:
    return {
        "currency": of.now.currency,
        "now": _text(of.now),
        "other": _text(of.other),
        "difference": _text(of.amount),
        "percent": None if of.percent is None else f"{of.percent:f}",
    }


def account_rows(name: str, row: AccountRow) -> list[dict[str, Any]]:
    """What an account costs, as rows of a table: one for each currency; without a difference where it changes."""
    shown = [_difference(each) for each in row.differences] or [
        {"currency": c, "now": _of(row.now, c), "other": _of(row.other, c), "difference": None, "percent": None}
        for c in sorted({total.currency for total in (*row.now, *row.other)})
    ]
    counts = {"cycles": row.cycles, "other_cycles": row.other_cycles}
    return [{"terms": name, "account_id": row.account_id, **each, **counts} for each in shown]


def _of(totals: Sequence[Money], currency: str) -> str | None:
    return next((_text(total) for total in totals if total.currency == currency), None)


def _cycle(row: CycleRow) -> dict[str, Any]:
    difference = row.difference
    return {
        "account_id": row.account_id,
        "cycle_start": text_of(micros(row.cycle.start)),
        "cycle_end": text_of(micros(row.cycle.end)),
        "peak": None if row.now is None else row.now.peak,
        "other_peak": None if row.other is None else row.other.peak,
        "now": None if row.now is None else _text(row.now.total),
        "other": None if row.other is None else _text(row.other.total),
        "difference": None if difference is None else _text(difference.amount),
    }


def _under(of: BilledUnder) -> dict[str, Any]:
    totals = [{"currency": total.currency, "total": _text(total)} for total in of.totals]
    return {"terms": of.name, "totals": totals, "cycles": [bill_row(of.name, bill) for bill in of.bills]}


def bill_row(name: str, bill: Bill) -> dict[str, Any]:
    """A bill under some terms, and the nearest peaks that would change it, as a row of a table."""
    drafted, near = bill.draft, bill.near
    beside: dict[str, Any] = {}
    for which, at in (("lower", near.lower), ("higher", near.higher), ("cheaper", near.cheaper)):
        beside |= {f"{which}_peak": _peak(at), f"{which}_total": None if at is None else _text(at.total)}
    return {
        "terms": name,
        "account_id": drafted.account_id,
        "cycle_start": text_of(micros(drafted.cycle.start)),
        "cycle_end": text_of(micros(drafted.cycle.end)),
        "peak": drafted.peak,
        "total": _text(drafted.total),
        "currency": drafted.currency,
        **beside,
    }


def _peak(at: PricePoint | None) -> int | None:
    return None if at is None else at.quantity


def break_even(of: BreakEven) -> dict[str, Any]:
    """Break-even points as programs read them; the last stretch has no end."""
    return {
        "plans": list(of.plans),
        "currency": of.currency,
        "stretches": [_stretch(each, of) for each in of.ranges],
    }


def _stretch(of: PlanRange, within: BreakEven) -> dict[str, Any]:
    document: dict[str, Any] = {
        "first": of.first,
        "last": None if of.last == QUANTITY_MAX else of.last,
        "cheapest": list(of.cheapest),
        "totals": [None if total is None else _text(total) for total in of.totals],
        "in_turn": of.in_turn,
        "every": of.every,
    }
    return document | {"turns": [_stretch(turn, within) for turn in of.turns]} if of.turns else document


def stretch_row(of: PlanRange, within: BreakEven) -> dict[str, Any]:
    """A stretch as a row of a table."""
    return _stretch(of, within) | {"cheapest": " ".join(of.cheapest), "currency": within.currency}


def _text(of: Money) -> str:
    return f"{of.amount:f}"
