"""Reading the invoices of somebody else: a Stripe export, our own JSON and CSV, or any table with a mapping.

The lines of an invoice are added up: their amounts, and the quantities of those that charge something. A
row that cannot be read becomes a rejection. Nothing is guessed: a figure or an instant that could mean two
things is settled by the mapping, or rejected.
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

#: The fields that can be read of an invoice, or of a line of one.
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
    """The content of a mapping file: which of their columns is which, and what their figures mean."""

    model_config = ConfigDict(extra="forbid", strict=True)

    columns: dict[str, str] = Field(default_factory=dict, description="Ours -> theirs, such as account_id = 'Customer'")
    accounts: dict[str, str] = Field(default_factory=dict, description="Their name of an account -> ours")
    minor_units: bool = Field(False, description="Whether amounts are in cents, yen, fils: whole minor units")
    currency: str | None = Field(None, description="The currency, where no column has it")
    timezone: str = Field("UTC", description="The clock of dates and times without an offset")
    lines: bool = Field(True, description="Whether rows of one invoice are lines of it, to be added up")


@dataclass(frozen=True, slots=True)
class ForeignInvoices:
    """The invoices of a file, in its order, and the rows that could not be read.

    `received` counts rows; the rows of one invoice are one of `invoices`.
    """

    name: str
    invoices: tuple[Theirs, ...]
    rejections: tuple[Rejection, ...]
    received: int

    @property
    def used(self) -> int:
        """How many rows the invoices were made from."""
        return self.received - len(self.rejections)


#: The names that a column may have without a mapping, ours first.
_COLUMN_NAMES: Final = {
    "account_id": ("account_id", "customer_id", "customer", "account"),
    "cycle": ("cycle", "month"),
    "cycle_start": ("cycle_start", "period_start"),
    "cycle_end": ("cycle_end", "period_end"),
    "quantity": ("quantity", "peak"),
    "amount": ("amount", "invoice_line_item_amount", "total"),
    "currency": ("currency",),
    "invoice": ("invoice", "number", "invoice_id", "invoice_number"),
}
#: Columns by which an export of Stripe's invoice lines is recognised; its amounts are in minor units.
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


def read_foreign(path: str, mapping: ForeignMapping | None = None) -> ForeignInvoices:
    """Read the invoices of a CSV or JSON file. Raises `BadForeign` for a file that cannot be used.

    Without a mapping, its columns must be named like ours, or like those of Stripe's invoice lines.
    """
    text = text_in(path, BadForeign, encoding="utf-8-sig")
    rows = _parse_json(text, path) if path.lower().endswith((".json", ".jsonl")) else _parse_csv(text, path)
    if not rows:
        raise BadForeign("foreign_empty", path)
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    stripe = mapping is None and all(name in names for name in _STRIPE)
    given = mapping or ForeignMapping(minor_units=stripe)
    columns = _find_columns(names, given, path)
    invoices, rejections = [], []
    for line, row in rows:
        try:
            values = {field: row.get(column) for field, column in columns.items()}
            if mapping is None and row.get("kind") == "credits":
                del values["quantity"]  # the quantity of credits is not one of identities
            invoices.append(_parse_row({k: v for k, v in values.items() if v not in (None, "")}, given, path, line))
        except BillingError as error:
            rejections.append(Rejection(error.code, path, line, error.details))
    kinds = [row.get("kind") for _, row in rows]
    return ForeignInvoices(path, tuple(_add_lines(invoices, given, kinds)), tuple(rejections), len(rows))


def _parse_csv(text: str, path: str) -> list[tuple[int, dict[str, Any]]]:
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


def _parse_json(text: str, path: str) -> list[tuple[int, dict[str, Any]]]:
    try:
        lines = text.splitlines() if path.lower().endswith(".jsonl") else [text]
        parsed = [json.loads(line, parse_float=Decimal) for line in lines if line.strip()]
    except ValueError as error:
        raise BadForeign("document_invalid", path, detail=str(error)) from None
    documents = parsed[0] if len(parsed) == 1 and isinstance(parsed[0], list) else parsed
    if not all(isinstance(document, dict) for document in documents):
        raise BadForeign("document_invalid", path, detail="it is not a list of invoices")
    return list(enumerate(documents, start=1))


def _find_columns(names: Sequence[str], mapping: ForeignMapping, path: str) -> dict[str, str]:
    """The name of the column of each field."""
    columns = {}
    for field in FIELDS:
        candidates = [mapping.columns[field]] if field in mapping.columns else []
        if not mapping.columns:
            candidates = [*_COLUMN_NAMES[field]]
        found = next((name for name in candidates if name in names), None)
        if field in mapping.columns and found is None:
            known = ", ".join(names)
            raise BadForeign("foreign_column_missing", path, field=field, got=mapping.columns[field], known=known)
        if found is not None:
            columns[field] = found
    # In an invoice of ours, `amount` belongs to its lines, and `total` to the invoice.
    if not mapping.columns and "lines" in names and "total" in names:
        columns["amount"] = "total"
    complete = "account_id" in columns and {"cycle", "cycle_start"} & columns.keys()
    if not complete or not {"quantity", "amount"} & columns.keys():
        raise BadForeign("foreign_columns", path, got=", ".join(names))
    return columns


def _parse_row(values: Mapping[str, Any], mapping: ForeignMapping, path: str, line: int) -> Theirs:
    """One row as an invoice. Raises `BillingError` with the field that cannot be used."""
    account = values.get("account_id")
    if account is None:
        raise BadForeign("id_missing", field="account_id")
    start, dates = _instant(values.get("cycle_start"), "cycle_start", mapping)
    end, _ = _instant(values.get("cycle_end"), "cycle_end", mapping)
    cycle = values.get("cycle")
    if cycle is not None:
        month_of(str(cycle))
    elif start is None:
        raise BadForeign("foreign_cycle_missing")
    if "quantity" not in values and "amount" not in values:
        raise BadForeign("foreign_figure_missing")
    currency = values.get("currency", mapping.currency)
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
        quantity=_quantity(values.get("quantity")),
        amount=_amount(values.get("amount"), currency, minor=mapping.minor_units),
        currency=currency,
        invoice=None if values.get("invoice") is None else str(values["invoice"]),
    )


def _instant(value: Any, field: str, mapping: ForeignMapping) -> tuple[int | None, bool]:
    """An instant in microseconds, and whether only a date was given."""
    if value is None:
        return None, False
    text = str(value)
    if _SECONDS.fullmatch(text) and not isinstance(value, bool):  # Stripe writes instants as seconds
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


def _add_lines(lines: Iterable[Theirs], mapping: ForeignMapping, kinds: Sequence[Any]) -> Iterator[Theirs]:
    """One entry for each invoice: the sum of its lines and of the notes on it."""
    ours = any(kind in ("usage", "discount") for kind in kinds)
    notes = any(kind in ("credit_note", "supplementary_invoice") for kind in kinds)
    found: dict[tuple[Any, ...], Theirs] = {}
    for k, line in enumerate(lines):
        invoice: Any = line.invoice
        if notes:
            invoice = ""  # the notes on an invoice of ours have other numbers than it
        elif invoice is None and not ours:
            invoice = k
        key = line.account_id, line.cycle, line.start, line.end, line.currency, invoice
        if not mapping.lines or key not in found:
            found[key if mapping.lines else (k,)] = line
            continue
        found[key] = _add_line(found[key], line, latest=notes)
    yield from found.values()


def _add_line(whole: Theirs, line: Theirs, *, latest: bool) -> Theirs:
    """An invoice with one more line, or note; the quantity of a note replaces that of the invoice."""
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
