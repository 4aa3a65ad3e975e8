"""What documents claim, as finance systems want to be told: each with what was claimed before it.

A note says what its cycle comes to now, less what was billed already. Finance systems want the
difference of each figure, so a claim knows the one that it takes the place of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..core.cycle import instant_of
from ..core.money import EXACT


@dataclass(frozen=True, slots=True)
class Claim:
    """A draft, an invoice or a note, read from its JSON.

    `kind` is `draft`, or that of the document; a draft has no `number`. `usage`, `discount` and
    `credits` are what the cycle comes to in all, by this document; `total` is what it adds to what was
    `before`. Instants are microseconds; the texts tell how the amounts come about.
    """

    kind: str
    number: str | None
    refers_to: str | None
    issued_at: int | None
    account_id: str
    cycle: str
    start: int
    end: int
    peak: int
    peak_at: str | None
    plan_id: str
    currency: str
    unit_price: Decimal | None
    usage: Decimal
    discount: Decimal | None
    total: Decimal
    usage_text: str
    discount_text: str | None
    position: int | None
    digest: str | None
    terms_version: int | None
    before: Claim | None = None
    credits: CreditsUsed | None = None

    @property
    def net(self) -> Decimal:
        """What the identities of the cycle come to."""
        return EXACT.add(self.usage, self.discount or Decimal(0))

    @property
    def owed(self) -> Decimal:
        """What the cycle comes to in all."""
        return EXACT.add(self.net, self.credits.amount) if self.credits else self.net


@dataclass(frozen=True, slots=True)
class CreditsUsed:
    """The line for credits of a document whose plan prices them."""

    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    text: str


def claims(documents: Iterable[dict[str, Any]]) -> list[Claim]:
    """The claims of documents, given as programs read them and in the order in which they were issued."""
    found: list[Claim] = []
    latest: dict[tuple[str, int], Claim] = {}
    for said in documents:
        key = said["account_id"], instant_of(said["cycle_start"])
        claim = _claim(said, latest.get(key))
        found.append(claim)
        latest[key] = claim
    return found


def _claim(said: dict[str, Any], before: Claim | None) -> Claim:
    lines = {line["kind"]: line for line in said["lines"]}
    usage, discount = lines["usage"], lines.get("discount")
    basis = said["basis"]
    claim = Claim(
        kind=said["kind"],
        number=said["number"],
        refers_to=said.get("refers_to"),
        issued_at=None if said.get("issued_at") is None else instant_of(said["issued_at"]),
        account_id=said["account_id"],
        cycle=said["cycle"],
        start=instant_of(said["cycle_start"]),
        end=instant_of(said["cycle_end"]),
        peak=said["peak"],
        peak_at=said["peak_at"],
        plan_id=said["plan_id"],
        currency=said["currency"],
        unit_price=None if usage["unit_price"] is None else Decimal(usage["unit_price"]),
        usage=Decimal(usage["amount"]),
        discount=None if discount is None else Decimal(discount["amount"]),
        total=Decimal(said["total"]),
        usage_text=usage["description"],
        discount_text=None if discount is None else discount["description"],
        position=basis["position"],
        digest=basis["digest"],
        terms_version=basis.get("terms_version"),
        before=before,
        credits=None if "credits" not in lines else _credits(lines["credits"]),
    )
    already = Decimal(0) if before is None else before.owed
    assert claim.total == EXACT.subtract(claim.owed, already), "a cycle's documents add up to what it comes to"
    return claim


def _credits(line: dict[str, Any]) -> CreditsUsed:
    quantity, price, amount = (Decimal(line[key]) for key in ("quantity", "unit_price", "amount"))
    return CreditsUsed(quantity, price, amount, line["description"])
