"""Credits: the catalogue of actions, and what a call of one costs.

An action on an engagement identity that is in the catalogue's list costs nothing. Any other action,
and every action on a standard identity, costs its ratio for each result, 1.5 times in managed mode.
The catalogue is dated: the version that applies to a call is the one in force when it was made.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, DivisionByZero, FloatOperation, Inexact, InvalidOperation, Overflow
from itertools import pairwise
from typing import Final

from .errors import BadTerms

#: Enough digits for the results of all calls there can be, times a ratio, a factor and a price.
WIDE: Final = Context(prec=120, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, FloatOperation])
#: The most decimals of a ratio or factor, and the largest one.
RATIO_DECIMALS_MAX: Final = 12
RATIO_MAX: Final = 1_000_000
#: The number of results of a call that does not give one.
RESULTS_UNSAID: Final = 1


@dataclass(frozen=True, slots=True)
class CatalogueVersion:
    """What actions cost from an instant on (microseconds); without one, from the beginning.

    `included` actions are free on engagement identities. A result of an action costs its ratio, or
    `ratio` where `ratios` does not name it, times `managed` in managed mode. Raises `BadTerms`
    (`ratio_range`) for a ratio or factor below 0, too large, or with more than 12 decimals.

    >>> version = CatalogueVersion(included=frozenset({"like"}), ratios={"skills": Decimal("0.05")})
    >>> version.cost("skills", 20, standard=False), version.cost("search", 3, standard=False, managed=True)
    (Decimal('1.00'), Decimal('4.5'))
    >>> version.cost("like", 7, standard=False), version.cost("like", 7, standard=True)
    (Decimal('0'), Decimal('7'))
    """

    applies_from: int | None = None
    included: frozenset[str] = frozenset()
    ratios: Mapping[str, Decimal] = field(default_factory=dict, hash=False)
    ratio: Decimal = Decimal(1)
    managed: Decimal = Decimal("1.5")

    def __post_init__(self) -> None:
        named = {f"ratios.{name}": ratio for name, ratio in self.ratios.items()}
        for name, ratio in (*named.items(), ("ratio", self.ratio), ("managed", self.managed)):
            if not _is_ratio(ratio):
                raise BadTerms("ratio_range", field=name, got=f"{ratio}")

    def cost(self, action: str | None, results: int | None = None, *, standard: bool, managed: bool = False) -> Decimal:
        """How many credits calls of one action cost that have `results` results together, by default 1.

        Calls without an `action` cost nothing: no ratio applies to them.
        """
        if action is None or (action in self.included and not standard):
            return Decimal(0)
        count = RESULTS_UNSAID if results is None else results
        cost = WIDE.multiply(self.ratios.get(action, self.ratio), Decimal(count))
        return WIDE.multiply(cost, self.managed) if managed else cost


def _is_ratio(ratio: object) -> bool:
    if not isinstance(ratio, Decimal) or not ratio.is_finite() or not 0 <= ratio <= RATIO_MAX:
        return False
    return -int(ratio.normalize().as_tuple().exponent) <= RATIO_DECIMALS_MAX


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All versions of the catalogue, in order of date; the first applies from the beginning.

    Raises `BadTerms` (`catalogue_order`) for versions in any other order: then two could apply to
    one call, or none.
    """

    versions: tuple[CatalogueVersion, ...]

    def __post_init__(self) -> None:
        dates = [version.applies_from for version in self.versions]
        later = [date for date in dates[1:] if date is not None]
        ordered = all(before < date for before, date in pairwise(later))
        if not dates or dates[0] is not None or len(later) < len(dates) - 1 or not ordered:
            raise BadTerms("catalogue_order", field="versions")

    @property
    def dates(self) -> list[int]:
        """When each version but the first began to apply, in microseconds."""
        return [version.applies_from for version in self.versions if version.applies_from is not None]

    def in_force(self, instant: int) -> CatalogueVersion:
        """The version that applies to a call made at an instant, in microseconds."""
        return self.versions[bisect_right(self.dates, instant)]
