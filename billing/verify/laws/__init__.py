"""Laws: what must hold of every bill, and what sounds as true and is not.

`LAWS` hold, whatever happens; each is searched for an example that breaks it. `FALSE_LAWS` do not, and
each is refuted by an example, which shows that the search would find one. Their numbers are those of
the list of laws in tests/README.md.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from . import activity, cycles, files, invoices, ledgers, peaks, prices, seals
from .engines import DEFINITION, OURS, Engine
from .law import Law, NotRefuted
from .story import Story

__all__ = ["DEFINITION", "FALSE_LAWS", "LAWS", "OURS", "Engine", "Law", "NotRefuted", "Story"]


def _laws_of(*modules: ModuleType) -> tuple[Law, ...]:
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Law)]
    return tuple(sorted(found, key=lambda law: law.number))  # those of one number as they are written


_ALL: Final = _laws_of(files, ledgers, seals, activity, peaks, prices, cycles, invoices)
#: Every law that holds, in order of their numbers.
LAWS: Final = tuple(law for law in _ALL if law.holds)
#: Every law that sounds true and is not, in order of their numbers.
FALSE_LAWS: Final = tuple(law for law in _ALL if not law.holds)
