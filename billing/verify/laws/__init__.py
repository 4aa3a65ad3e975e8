"""Laws: what must hold for every bill, and what sounds as true and does not hold.

`LAWS` hold; each is tried on random examples. `FALSE_LAWS` do not hold; each is refuted by an example,
which shows that the search finds such examples. Their numbers are those of the table of laws in
tests/README.md.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from . import activity, cycles, digests, files, invoices, ledgers, peaks, positions, prices
from .engines import DEFINITION, OURS, Engine
from .law import Law, NotRefuted
from .story import Story

__all__ = ["DEFINITION", "FALSE_LAWS", "LAWS", "OURS", "Engine", "Law", "NotRefuted", "Story"]


def _laws_of(*modules: ModuleType) -> tuple[Law, ...]:
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Law)]
    return tuple(sorted(found, key=lambda law: law.number))  # laws of one number stay in the order of the source


_ALL: Final = _laws_of(files, ledgers, positions, digests, activity, peaks, prices, cycles, invoices)
#: Every law that holds, in order of their numbers.
LAWS: Final = tuple(law for law in _ALL if law.holds)
#: Every law that sounds true and is not, in order of their numbers.
FALSE_LAWS: Final = tuple(law for law in _ALL if not law.holds)
