"""Comparisons and break-even points as tables and documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from ...comparison.bills import AccountRow, BilledUnder, Comparison, CycleRow, Difference, Overall
from ...comparison.break_even import BreakEven, PlanRange
from ...core.money import Money
from ...core.plan import QUANTITY_MAX
from .bills import cycle_of
from .schema import Column, Row, Schema, View, boolean, code, cycle_columns, integer, money, percent, text, texts
from .text import json_row, json_rows, json_value

ACCOUNTS: Final = Schema(
    "compared accounts",
    (
        Column("terms", text),
        Column("account_id", text),
        Column("currency", code),
        Column("now", money, null=True),
        Column("other", money, null=True),
        Column("difference", money, null=True),
        Column("percent", percent, null=True),
        Column("cycles", integer),
        Column("other_cycles", integer),
    ),
)
BILLS: Final = Schema(
    "compared bills",
    (
        Column("terms", text),
        Column("account_id", text),
        *cycle_columns(),
        Column("peak", integer),
        Column("total", money),
        Column("currency", code),
        Column("lower_peak", integer, null=True),
        Column("lower_total", money, null=True),
        Column("higher_peak", integer, null=True),
        Column("higher_total", money, null=True),
        Column("cheaper_peak", integer, null=True),
        Column("cheaper_total", money, null=True),
    ),
)
CYCLES: Final = Schema(
    "compared cycles",
    (
        Column("account_id", text),
        *cycle_columns(),
        Column("peak", integer, null=True),
        Column("other_peak", integer, null=True),
        Column("now", money, null=True),
        Column("other", money, null=True),
        Column("difference", money, null=True),
    ),
)
PLAN_RANGES: Final = Schema(
    "plan ranges",
    (
        Column("first", integer),
        Column("last", integer, null=True),
        Column("cheapest", texts),
        Column("in_turn", boolean),
        Column("every", integer, null=True),
        Column("currency", code),
    ),
)


def document(under: Sequence[BilledUnder], comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Comparisons as one document, with each bill under each of the terms."""
    return {"comparisons": [_comparison(of) for of in comparisons], "bills": [_under(of) for of in under]}


def accounts(comparisons: Iterable[Comparison]) -> View:
    """What each account costs now and under other terms, in each currency; no difference where the currency changes."""
    return View(ACCOUNTS, [row for of in comparisons for row in _accounts(of)])


def bills(under: Iterable[BilledUnder]) -> View:
    """Each bill under each of the terms, and the nearest peaks that would change it."""
    return View(BILLS, [row for of in under for row in _bills(of)])


def plan_ranges(of: BreakEven) -> View:
    """Which plan is the cheapest for how many identities; the last range has no end."""
    return View(PLAN_RANGES, [_plan_range(each, of) for each in of.ranges])


def _comparison(of: Comparison) -> dict[str, Any]:
    return {
        "terms": of.name,
        "overall": [_overall(each) for each in of.overall],
        "accounts": json_rows(View(ACCOUNTS, _accounts(of))),
        "cycles": json_rows(View(CYCLES, [_cycle(row) for row in of.cycles])),
        "realigned": list(of.realigned),
    }


def _overall(of: Overall) -> dict[str, Any]:
    return {
        **json_row(_DIFFERENCE, _difference(of.difference)),
        "gain": of.gain,
        "pay": of.pay,
        "same": of.same,
        "most_gained": _most(of.most_gained),
        "most_paid": _most(of.most_paid),
    }


def _most(of: tuple[str, Money] | None) -> dict[str, Any] | None:
    return None if of is None else {"account_id": of[0], "difference": json_value(of[1].amount, money)}


#: A difference of two amounts, as each account has it.
_DIFFERENCE: Final = ACCOUNTS.without("terms", "account_id", "cycles", "other_cycles")


def _difference(of: Difference) -> dict[str, Any]:
    return {
        "currency": of.now.currency,
        "now": of.now.amount,
        "other": of.other.amount,
        "difference": of.amount.amount,
        "percent": of.percent,
    }


def _accounts(of: Comparison) -> list[Row]:
    return [
        {
            "terms": of.name,
            "account_id": account.account_id,
            **each,
            "cycles": account.cycles,
            "other_cycles": account.other_cycles,
        }
        for account in of.accounts
        for each in _by_currency(account)
    ]


def _by_currency(row: AccountRow) -> list[dict[str, Any]]:
    return [_difference(each) for each in row.differences] or [
        {"currency": c, "now": _of(row.now, c), "other": _of(row.other, c), "difference": None, "percent": None}
        for c in sorted({total.currency for total in (*row.now, *row.other)})
    ]


def _of(totals: Sequence[Money], currency: str) -> Decimal | None:
    return next((total.amount for total in totals if total.currency == currency), None)


def _cycle(row: CycleRow) -> Row:
    difference = row.difference
    return {
        "account_id": row.account_id,
        **cycle_of(row.cycle),
        "peak": None if row.now is None else row.now.peak,
        "other_peak": None if row.other is None else row.other.peak,
        "now": None if row.now is None else row.now.total.amount,
        "other": None if row.other is None else row.other.total.amount,
        "difference": None if difference is None else difference.amount.amount,
    }


def _under(of: BilledUnder) -> dict[str, Any]:
    totals = [{"currency": total.currency, "total": json_value(total.amount, money)} for total in of.totals]
    return {"terms": of.name, "totals": totals, "cycles": json_rows(View(BILLS, _bills(of)))}


def _bills(of: BilledUnder) -> list[Row]:
    rows: list[Row] = []
    for bill in of.bills:
        drafted, near = bill.draft, bill.near
        row = {
            "terms": of.name,
            "account_id": drafted.account_id,
            **cycle_of(drafted.cycle),
            "peak": drafted.peak,
            "total": drafted.total.amount,
            "currency": drafted.currency,
        }
        for which, at in (("lower", near.lower), ("higher", near.higher), ("cheaper", near.cheaper)):
            row[f"{which}_peak"] = None if at is None else at.quantity
            row[f"{which}_total"] = None if at is None else at.total.amount
        rows.append(row)
    return rows


def break_even(of: BreakEven) -> dict[str, Any]:
    """Break-even points as one document; the last stretch has no end."""
    return {
        "plans": list(of.plans),
        "currency": of.currency,
        "stretches": [_stretch(each, of) for each in of.ranges],
    }


def _stretch(of: PlanRange, within: BreakEven) -> dict[str, Any]:
    row = json_row(PLAN_RANGES, _plan_range(of, within))
    document: dict[str, Any] = {
        "first": row["first"],
        "last": row["last"],
        "cheapest": row["cheapest"],
        "totals": [None if total is None else json_value(total.amount, money) for total in of.totals],
        "in_turn": row["in_turn"],
        "every": row["every"],
    }
    return document | {"turns": [_stretch(turn, within) for turn in of.turns]} if of.turns else document


def _plan_range(of: PlanRange, within: BreakEven) -> Row:
    return {
        "first": of.first,
        "last": None if of.last == QUANTITY_MAX else of.last,
        "cheapest": of.cheapest,
        "in_turn": of.in_turn,
        "every": of.every,
        "currency": within.currency,
    }
