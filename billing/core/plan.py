"""Plans: tiers, and what a quantity costs.

`volume` prices every unit by the tier that the quantity falls in; `graduated` prices each unit by
its own tier. The order is fixed: included units off, packages counted, tiers, minimum, maximum, one
rounding. Everything before the rounding is exact.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from importlib import import_module
from itertools import pairwise
from os import PathLike
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from .errors import BadPlan, NotPriced, hint, sentence
from .money import EXACT, Money, minor_digits, round_amount

QUANTITY_MAX: Final = 10**12
PRICE_DECIMALS_MAX: Final = 12
_PRICE = re.compile(r"-?(\d{1,15}(\.\d+)?|\.\d+)", re.ASCII)


def _price(value: object) -> Decimal:
    """A price as exact decimal, from text or a number that is exact already."""
    if isinstance(value, float | bool) or (isinstance(value, int) and abs(value) >= 10**15):
        raise BadPlan("price_not_string", field="", got=value)
    text = f"{value:f}" if isinstance(value, Decimal) and value.is_finite() else str(value)
    if not _PRICE.fullmatch(text):
        raise BadPlan("price_format", field="", got=value)
    price = Decimal(text)
    if price < 0:
        raise BadPlan("price_negative", field="", got=value)
    decimals = -int(price.normalize().as_tuple().exponent)
    if decimals > PRICE_DECIMALS_MAX:
        raise BadPlan("price_scale", field="", got=value, decimals=decimals)
    return price


def _bound(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= QUANTITY_MAX:
        raise BadPlan("tiers_bounds", field="", got=value)
    return value


def _currency(value: object) -> str:
    minor_digits(str(value), field="")
    return str(value)


# In JSON Schema a price is text, so that no editor writes it as a binary number.
Price12 = Annotated[
    Decimal,
    BeforeValidator(_price, json_schema_input_type=str),
]


class _Document(BaseModel):
    """A frozen value read from a document. Raises `BadPlan` for the first thing wrong with it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def __init__(self, /, **data: Any) -> None:  # a document may have a key `self`
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise _bad_plan(error, type(self)) from None


class Tier(_Document):
    """One step of a plan: the price per unit up to and including a quantity.

    `up_to` counts units (packages, if the plan has a package size); the last tier leaves it out.
    `flat_price` is added once for the tier reached (volume) or for every tier entered (graduated).
    Prices are given as text or `Decimal`, at most 12 decimals.
    """

    up_to: Annotated[int | None, BeforeValidator(_bound)] = None
    unit_price: Price12
    flat_price: Price12 = Decimal(0)


class Plan(_Document):
    """What a number of identities costs, and a credit, where credits are paid for.

    All but `credit_price` prices identities only. Raises `BadPlan` for anything that would give a quantity
    two prices, or leave a price ambiguous; the message points at the tier.

    >>> plan = Plan(id="sample", currency="USD", mode="volume",
    ...             tiers=[Tier(up_to=10, unit_price="7.99"), Tier(unit_price="6.99")])
    >>> str(plan.price(8).total), str(plan.price(11).total)
    ('63.92 USD', '76.89 USD')
    """

    id: Annotated[str, Field(min_length=1, max_length=128)]
    currency: Annotated[str, BeforeValidator(_currency)]
    mode: Literal["volume", "graduated"]
    tiers: tuple[Tier, ...]
    package_size: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] | None = None
    included: Annotated[int, Field(ge=0, le=QUANTITY_MAX)] = 0
    minimum: Price12 | None = None
    maximum: Price12 | None = None
    charge_flat_at_zero: bool = False
    credit_price: Price12 | None = None

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Plan:
        """Read a plan from a TOML or JSON file. Raises `BadPlan`, which names the file and the tier."""
        # Core opens no files and imports no other package of ours, so the reader is looked up when called.
        plan: Plan = import_module("billing.config.terms").load_plan(path)
        return plan

    @model_validator(mode="before")
    @classmethod
    def _list_of_tiers(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("tiers"), list):
            return {**data, "tiers": tuple(data["tiers"])}
        return data

    @model_validator(mode="after")
    def _has_one_price_for_each_quantity(self) -> Self:
        if not self.tiers:
            raise BadPlan("tiers_bounds", field="tiers", got=[])
        for k, (before, tier) in enumerate(zip(self.tiers, self.tiers[1:], strict=False), start=1):
            if before.up_to is None or (tier.up_to is not None and tier.up_to <= before.up_to):
                bound = "the open end" if before.up_to is None else before.up_to
                raise BadPlan("tiers_order", field=f"tiers[{k}].up_to", got=tier.up_to, before=bound)
        if self.minimum is not None and self.maximum is not None and self.maximum < self.minimum:
            raise BadPlan("maximum_below_minimum", field="maximum", got=self.maximum, minimum=self.minimum)
        return self

    def price(self, quantity: int | Decimal) -> Price:
        """What `quantity` identities cost, and how.

        Raises `NotPriced` for a quantity that is negative, not a number, or beyond the last tier.
        """
        count = _quantity(quantity)
        with localcontext(EXACT):
            units = self.units(count)
            parts = tuple(self._parts(units, count))
            exact = sum((part.amount for part in parts), Decimal(0))
            if self.minimum is not None:
                exact = max(exact, self.minimum)
            if self.maximum is not None:
                exact = min(exact, self.maximum)
            return Price(quantity, units, parts, exact, round_amount(exact, self.currency))

    def units(self, quantity: Decimal) -> Decimal:
        """What the tiers count: `quantity` minus the included units, in whole packages if it has a size."""
        beyond = max(Decimal(0), quantity - self.included)
        if self.package_size is None:
            return beyond
        packages, rest = divmod(beyond, self.package_size)
        return packages + (rest > 0)

    def quantity_of(self, units: int) -> int:
        """The largest quantity that has this many units."""
        return self.included + units * (self.package_size or 1)

    def spans(self) -> list[tuple[int, int]]:
        """The first and last quantity of each tier, up to `QUANTITY_MAX`; the first tier begins at 0.

        Within a tier the total never falls.
        """
        ends = [QUANTITY_MAX if t.up_to is None else min(self.quantity_of(t.up_to), QUANTITY_MAX) for t in self.tiers]
        return [(before + 1, end) for before, end in pairwise([-1, *ends]) if before < end]

    def to_next_tier(self, quantity: int) -> int | None:
        """How many more identities reach the next tier; none in the last tier."""
        units = self.units(Decimal(quantity))
        bound = next((t.up_to for t in self.tiers if t.up_to is None or units <= t.up_to), None)
        if bound is None or bound == self.tiers[-1].up_to:
            return None
        return self.quantity_of(bound) + 1 - quantity

    def warnings(self) -> list[PlanWarning]:
        """What is valid but may surprise: totals that fall as the quantity rises, and quantities without a price."""
        found = list(self._cliffs())
        if (bound := self.tiers[-1].up_to) is not None:
            details = {"field": f"tiers[{len(self.tiers) - 1}].up_to", "got": bound}
            found.append(PlanWarning("tiers_bounded", details))
        return found

    def _parts(self, units: Decimal, quantity: Decimal) -> Iterator[Part]:
        if units == 0:
            if self.charge_flat_at_zero:
                yield Part(0, self.tiers[0], Decimal(0), self.tiers[0].flat_price)
            return
        below = Decimal(0)
        for k, tier in enumerate(self.tiers):
            end = units if tier.up_to is None else min(units, Decimal(tier.up_to))
            if self.mode == "graduated" or end == units:
                inside = end - below if self.mode == "graduated" else units
                yield Part(k, tier, inside, inside * tier.unit_price + tier.flat_price)
            if end == units:
                return
            below = end
        raise NotPriced("quantity_not_priced", got=_shown(quantity), plan=self.id, bound=self.quantity_of(int(below)))

    def _cliffs(self) -> Iterator[PlanWarning]:
        # Within a tier the total never falls, so it can only fall over a bound, if both its sides have a price.
        ends = [self.quantity_of(tier.up_to) for tier in self.tiers[:-1] if tier.up_to is not None]
        spans = list(pairwise([-1, *(end for end in ends if end < QUANTITY_MAX)]))
        for k, (_, last) in enumerate(spans):
            high, low = self.price(last).total, self.price(last + 1).total
            if high.amount > low.amount:
                dearer = self._dearer_from(spans[: k + 1], low.amount)
                details = {
                    "field": f"tiers[{k}]",
                    "bound": last,
                    "next": last + 1,
                    "high": high,
                    "low": low,
                    "dearer": f"{last} costs" if dearer == last else f"{dearer} to {last} cost",
                }
                yield PlanWarning("tiers_cliff", details)

    def _dearer_from(self, spans: list[tuple[int, int]], amount: Decimal) -> int:
        """The smallest quantity such that it and all others up to the end of the last tier cost more than `amount`.

        Each tier is given by the quantity before its first and by its last.
        """

        def dearer(quantity: int) -> bool:
            return self.price(quantity).total.amount > amount

        for before, last in reversed(spans):
            first = before + 1 + bisect_left(range(before + 1, last + 1), True, key=dearer)
            if first > before + 1:
                break
        return first


@dataclass(frozen=True, slots=True)
class Part:
    """What one tier adds to a price: `units` in it, at its price; `amount` is not rounded."""

    index: int
    tier: Tier
    units: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """What a quantity costs, and how: the parts, the exact amount, and the one rounding.

    `units` is what the tiers counted; `exact` is after minimum and maximum, before the rounding.
    """

    quantity: int | Decimal
    units: Decimal
    parts: tuple[Part, ...]
    exact: Decimal
    total: Money

    @property
    def tier(self) -> Tier | None:
        """The tier reached; none if there were no units to price."""
        return self.parts[-1].tier if self.parts else None


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """Something valid that may surprise; `str()` is the message."""

    code: str
    details: dict[str, Any]

    def __str__(self) -> str:
        return sentence(self.code, **self.details)


def _quantity(quantity: int | Decimal) -> Decimal:
    whole = isinstance(quantity, int) and not isinstance(quantity, bool)
    number = whole or (isinstance(quantity, Decimal) and quantity.is_finite())
    if not number or not 0 <= quantity <= QUANTITY_MAX:
        raise NotPriced("quantity_range", field="quantity", got=quantity)
    return Decimal(quantity)


def _shown(quantity: Decimal) -> int | Decimal:
    return int(quantity) if quantity == quantity.to_integral_value() else quantity


def _bad_plan(error: ValidationError, model: type[BaseModel]) -> BadPlan:
    """Pydantic's first error as a `BadPlan`, with a pointer such as `tiers[2].unit_price`."""
    first = error.errors()[0]
    place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"]).removeprefix(".")
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, BadPlan):
        pointed = ".".join(p for p in (place, str(inner.details["field"])) if p)
        return BadPlan(inner.code, **{**inner.details, "field": pointed})
    if first["type"] == "missing":
        needed = "A tier needs a unit_price." if model is Tier else "A plan needs id, currency, mode and tiers."
        return BadPlan("key_missing", field=place, wanted=needed)
    if first["type"] == "extra_forbidden":
        known = sorted(model.model_fields)
        return BadPlan("key_unknown", field=place, hint=hint(place, known), known=", ".join(known))
    return BadPlan("value", field=place, got=first["input"], wanted=wanted_by(first))


def wanted_by(complaint: Mapping[str, Any]) -> str:
    """What Pydantic would have accepted, as our messages put it."""
    message = str(complaint["msg"]).removeprefix("Input should be ").replace("'", '"')
    limits = complaint.get("ctx", {})
    return {
        "string_type": "text",
        "int_type": "a whole number",
        "bool_type": "true or false",
        "tuple_type": "a list",
        "dict_type": "a table",
        "model_type": "a table",
        "string_too_short": "text of 1 to 128 characters",
        "string_too_long": "text of 1 to 128 characters",
        "greater_than_equal": f"a whole number from {limits.get('ge')}",
        "less_than_equal": f"a whole number up to {limits.get('le')}",
    }.get(str(complaint["type"]), message)
