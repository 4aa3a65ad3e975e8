"""Invoices of somebody else: what Stripe exports, our own JSON and CSV, or any table with a mapping.

Lines of one invoice are added up: their amounts, and the quantities of those that charge something. A
row that cannot be read becomes a rejection, and nothing is guessed: what a figure or an instant could
mean besides is said in the mapping, or is refused.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..config.files import document_of, text_in
from ..core.cycle import micros, month_of, zone
from ..core.errors import BadForeign, BillingError, Rejection
from ..core.money import EXACT, minor_digits
from ..core.plan import QUANTITY_MAX, wanted_by
from ..inputs.timestamps import parse_instant
from .matching import Theirs

#: What can be read of an invoice, or a line of one.
FIELDS: Final = (
    "account_id",
    "cycle",
    "cycle_start",
    "cycle_end",
    "quantity",
    "amount",
    "currency",
    "invoice",
)
_AMOUNT: Final = re.compile(r"-?\d{1,15}(\.\d{1,12})?", re.ASCII)
_QUANTITY: Final = re.compile(r"\d{1,13}(\.0+)?", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
_SECONDS: Final = re.compile(r"\d{9,11}", re.ASCII)


class ForeignMapping(BaseModel):
    """What a mapping file may say: which of their columns is which, and what their figures mean."""

    model_config = ConfigDict(extra="forbid", strict=True)

    columns: dict[str, str] = Field(default_factory=dict, description="Ours -> theirs, such as account_id = 'Customer'")
    accounts: dict[str, str] = Field(default_factory=dict, description="Their name of an account -> ours")
    minor_units: bool = Field(False, description="Whether amounts are in cents, yen, fils: whole minor units")
    currency: str | None = Field(None, description="The currency, where no column has it")
    timezone: str = Field("UTC", description="The clock of dates and times without an offset")
    lines: bool = Field(True, description="Whether rows of one invoice are lines of it, to be added up")


@dataclass(frozen=True, slots=True)
class Foreign:
    """The claims of a file, in its order, and what could not be read.

    `received` counts rows; those of one invoice are one claim.
    """

    name: str
    claims: tuple[Theirs, ...]
    rejections: tuple[Rejection, ...]
    received: int

    @property
    def used(self) -> int:
        """How many rows went into the claims."""
        return self.received - len(self.rejections)


#: What a column may be called without a mapping, ours first.
_USUAL: Final = {
    "account_id": ("account_id", "customer_id", "customer", "account"),
    "cycle": ("cycle", "month"),
    "cycle_start": ("cycle_start", "period_start"),
    "cycle_end": ("cycle_end", "period_end"),
    "quantity": ("quantity", "peak"),
    "amount": ("amount", "invoice_line_item_amount", "total"),
    "currency": ("currency",),
    "invoice": ("invoice", "number", "invoice_id", "invoice_number"),
}
#: Whoever names columns like this exports invoice lines of Stripe, in minor units.
_STRIPE: Final = ("period_start", "period_end")


def load_mapping(path: str) -> ForeignMapping:
    """A mapping from a TOML or JSON file. Raises `BadForeign`."""
    try:
        mapping = ForeignMapping(**document_of(path, BadForeign))
        zone(mapping.timezone)
        if mapping.currency is not None:
            minor_digits(mapping.currency)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            known = ", ".join(sorted(ForeignMapping.model_fields))
            raise BadForeign("key_unknown", path, field=place, hint="", known=known) from None
        raise BadForeign("value", path, field=place, got=first["input"], wanted=wanted_by(first)) from None
    except BillingError as error:
        raise error if error.where else BadForeign(error.code, path, **error.details) from None
    for field in mapping.columns:
        if field not in FIELDS:
            raise BadForeign("key_unknown", path, field=f"columns.{field}", hint="", known=", ".join(FIELDS))
    return mapping


def read_foreign(path: str, mapping: ForeignMapping | None = None) -> Foreign:
    """The invoices of a CSV or JSON file. Raises `BadForeign` for a file that cannot be used.

    Without a mapping, it must have columns that are named as ours are, or as Stripe names those of
    its invoice lines.
    """
    text = text_in(path, BadForeign, encoding="utf-8-sig")
    rows = _json(text, path) if path.lower().endswith((".json", ".jsonl")) else _csv(text, path)
    if not rows:
        raise BadForeign("foreign_empty", path)
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    stripe = mapping is None and all(name in names for name in _STRIPE)
    given = mapping or ForeignMapping(minor_units=stripe)
    columns = _columns(names, given, path)
    claims, rejections = [], []
    for line, row in rows:
        try:
            told = {field: row.get(column) for field, column in columns.items()}
            if mapping is None and row.get("kind") == "credits":
                del told["quantity"]  # of a line of ours that counts no identities
            claims.append(_claim({k: v for k, v in told.items() if v not in (None, "")}, given, path, line))
        except BillingError as error:
            rejections.append(Rejection(error.code, path, line, error.details))
    own = [row.get("kind") for _, row in rows]
    return Foreign(path, tuple(_added_up(claims, given, own)), tuple(rejections), len(rows))


def _csv(text: str, path: str) -> list[tuple[int, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        rows = []
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise BadForeign("csv_ragged", f"{path}:{reader.line_num}", got=len(cells), expected=len(header))
            rows.append((reader.line_num, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise BadForeign("document_invalid", f"{path}:{reader.line_num}", detail=str(error)) from None
    return rows


def _json(text: str, path: str) -> list[tuple[int, dict[str, Any]]]:
    try:
        lines = text.splitlines() if path.lower().endswith(".jsonl") else [text]
        said = [json.loads(line, parse_float=Decimal) for line in lines if line.strip()]
    except ValueError as error:
        raise BadForeign("document_invalid", path, detail=str(error)) from None
    documents = said[0] if len(said) == 1 and isinstance(said[0], list) else said
    if not all(isinstance(document, dict) for document in documents):
        raise BadForeign("document_invalid", path, detail="it is not a list of invoices")
    return list(enumerate(documents, start=1))


def _columns(names: Sequence[str], mapping: ForeignMapping, path: str) -> dict[str, str]:
    """Which of their columns each field is."""
    columns = {}
    for field in FIELDS:
        usual = (mapping.columns[field],) if field in mapping.columns else () if mapping.columns else _USUAL[field]
        found = next((name for name in usual if name in names), None)
        if field in mapping.columns and found is None:
            known = ", ".join(names)
            raise BadForeign("foreign_column_missing", path, field=field, got=mapping.columns[field], known=known)
        if found is not None:
            columns[field] = found
    # An invoice of ours has lines with amounts of their own: as a whole it comes to its total.
    if not mapping.columns and "lines" in names and "total" in names:
        columns["amount"] = "total"
    complete = "account_id" in columns and {"cycle", "cycle_start"} & columns.keys()
    if not complete or not {"quantity", "amount"} & columns.keys():
        raise BadForeign("foreign_columns", path, got=", ".join(names))
    return columns


def _claim(told: Mapping[str, Any], mapping: ForeignMapping, path: str, line: int) -> Theirs:
    """One row as a claim. Raises `BillingError` with the field that cannot be used."""
    account = told.get("account_id")
    if account is None:
        raise BadForeign("id_missing", field="account_id")
    start, dates = _instant(told.get("cycle_start"), "cycle_start", mapping)
    end, _ = _instant(told.get("cycle_end"), "cycle_end", mapping)
    cycle = told.get("cycle")
    if cycle is not None:
        month_of(str(cycle))
    elif start is None:
        raise BadForeign("foreign_cycle_missing")
    if "quantity" not in told and "amount" not in told:
        raise BadForeign("foreign_figure_missing")
    currency = told.get("currency", mapping.currency)
    if currency is not None:
        currency = str(currency).upper()
        minor_digits(currency)
    return Theirs(
        where=f"{path}:{line}",
        account_id=mapping.accounts.get(str(account), str(account)),
        cycle=None if cycle is None else str(cycle),
        start=start,
        end=end,
        dates=dates,
        quantity=_quantity(told.get("quantity")),
        amount=_amount(told.get("amount"), currency, minor=mapping.minor_units),
        currency=currency,
        invoice=None if told.get("invoice") is None else str(told["invoice"]),
    )


def _instant(value: Any, field: str, mapping: ForeignMapping) -> tuple[int | None, bool]:
    """An instant in microseconds, and whether it was but a date."""
    if value is None:
        return None, False
    text = str(value)
    if _SECONDS.fullmatch(text) and not isinstance(value, bool):  # as Stripe writes instants
        return int(text) * 1_000_000, False
    if _DAY.fullmatch(text) or _CLOCK.fullmatch(text):
        try:
            local = datetime.fromisoformat(text)
        except ValueError:
            raise BadForeign("ts_not_a_time", field=field, got=text) from None
        return micros(local.replace(tzinfo=zone(mapping.timezone)).astimezone(UTC)), bool(_DAY.fullmatch(text))
    return parse_instant(text, field=field), False


def _quantity(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not _QUANTITY.fullmatch(str(value)) or Decimal(str(value)) > QUANTITY_MAX:
        raise BadForeign("foreign_quantity", field="quantity", got=value)
    return int(Decimal(str(value)))


def _amount(value: Any, currency: str | None, *, minor: bool) -> Decimal | None:
    if value is None:
        return None
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, bool) or not _AMOUNT.fullmatch(text) or (minor and currency is None):
        raise BadForeign("foreign_amount", field="amount", got=value)
    return Decimal(text).scaleb(-minor_digits(str(currency))) if minor else Decimal(text)


def _added_up(claims: Iterable[Theirs], mapping: ForeignMapping, kinds: Sequence[Any]) -> Iterator[Theirs]:
    """One claim for each invoice: what its lines come to, with the notes on it."""
    ours = any(kind in ("usage", "discount") for kind in kinds)
    notes = any(kind in ("credit_note", "supplementary_invoice") for kind in kinds)
    found: dict[tuple[Any, ...], Theirs] = {}
    for k, claim in enumerate(claims):
        invoice: Any = claim.invoice
        if notes:
            invoice = ""  # an invoice of ours and its notes have numbers of their own
        elif invoice is None and not ours:
            invoice = k
        key = claim.account_id, claim.cycle, claim.start, claim.end, claim.currency, invoice
        if not mapping.lines or key not in found:
            found[key if mapping.lines else (k,)] = claim
            continue
        found[key] = _with_line(found[key], claim, latest=notes)
    yield from found.values()


def _with_line(whole: Theirs, line: Theirs, *, latest: bool) -> Theirs:
    """An invoice with one more line, or note: a note says the quantity as it is since."""
    amounts = [amount for amount in (whole.amount, line.amount) if amount is not None]
    charges = line.amount is None or line.amount >= 0
    quantity = whole.quantity
    if line.quantity is not None and (latest or charges):
        quantity = line.quantity if latest or quantity is None else quantity + line.quantity
    return replace(whole, quantity=quantity, amount=_sum(amounts) if amounts else None)


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = amounts[0]
    for amount in amounts[1:]:
        total = EXACT.add(total, amount)
    return total
