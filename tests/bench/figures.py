"""Figures: what was measured, what it is compared with, and whether that was met; as a table."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from importlib.metadata import version
from pathlib import Path

_HEADER = ("what", "measured", "compared", "target", "met")
_LIBRARIES = ("numpy", "numba", "pyarrow", "duckdb", "polars")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: `compared` says how it stands to something else, `met` is empty where there is no target."""

    what: str
    measured: str
    compared: str = ""
    target: str = ""
    met: str = ""

    def without_target(self) -> Figure:
        """The same, without a target."""
        return replace(self, target="", met="")


def at_most(limit: float, value: float) -> str:
    """Whether a value is within its target."""
    return "yes" if value <= limit else "**no**"


def at_least(limit: float, value: float) -> str:
    """Whether a value reaches its target."""
    return "yes" if value >= limit else "**no**"


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table, in columns that also a terminal shows well."""
    rows = [_HEADER, *(astuple(figure) for figure in figures)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEADER))]
    lines = [f"| {' | '.join(map(str.ljust, row, widths))} |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def machine() -> str:
    """The machine and the versions, in a sentence."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return f"{os.cpu_count()} cores, {_processor()}; Python {platform.python_version()}, {libraries}."


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    for line in facts.read_text().splitlines() if facts.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
