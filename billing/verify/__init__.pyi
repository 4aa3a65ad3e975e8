from . import definition, laws, strategies
from .attack.billers import Answer, BillerFailed, Command, Cycle
from .attack.differential import Checked, Difference, Wrong, check
from .definition import Event
from .stateful.machine import LedgerMachine, machine, search

__all__ = [
    "Answer",
    "BillerFailed",
    "Checked",
    "Command",
    "Cycle",
    "Difference",
    "Event",
    "LedgerMachine",
    "Wrong",
    "check",
    "definition",
    "laws",
    "machine",
    "search",
    "strategies",
]
