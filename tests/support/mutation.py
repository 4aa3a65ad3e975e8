"""The report of `make mutation`: how many mutants of each module a test noticed, and those that none did."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import ndiff
from pathlib import Path
from typing import Any

SCORE_MIN = 95.0
#: Exit statuses of a test run: a test or pytest itself failed; or the run took too long.
KILLED, TIMED_OUT = (1, 3), (24, -24, 36, 152, 255, -9)
WORK = Path("mutants")


@dataclass(frozen=True)
class Module:
    """The mutants of one module: exit statuses by name."""

    path: Path
    statuses: dict[str, int | None]

    def count(self, *statuses: int) -> int:
        return sum(status in statuses for status in self.statuses.values())

    @property
    def noticed(self) -> int:
        """How many mutants a test noticed, by failing or by never ending."""
        return self.count(*KILLED, *TIMED_OUT)

    @property
    def survivors(self) -> Iterator[str]:
        for name, status in self.statuses.items():
            if status not in (*KILLED, *TIMED_OUT):
                place, change = _difference(self.path, name.rpartition(".")[2])
                yield f"{self.path}:{place}  {change}" + ("" if status == 0 else f"  [no verdict: {status}]")


def modules() -> list[Module]:
    """The modules with mutants, as mutmut left them in its working folder."""
    found = []
    for meta in sorted(WORK.glob("billing/**/*.meta")):
        results: dict[str, Any] = json.loads(meta.read_text(encoding="utf-8"))
        if results["exit_code_by_key"]:
            path = meta.relative_to(WORK).with_suffix("")
            found.append(Module(path, results["exit_code_by_key"]))
    return found


def table(found: list[Module]) -> str:
    """The score of each module and of all, as Markdown."""
    lines = ["| module | mutants | noticed | of these by time | score |", "|---|--:|--:|--:|--:|"]
    for module in found:
        lines.append(
            f"| {module.path.relative_to('billing').with_suffix('')} | {len(module.statuses):,} | {module.noticed:,} "
            f"| {module.count(*TIMED_OUT)} | {score([module]):.1f} % |"
        )
    mutants, timed_out = sum(len(m.statuses) for m in found), sum(m.count(*TIMED_OUT) for m in found)
    noticed = sum(m.noticed for m in found)
    lines.append(f"| all | {mutants:,} | {noticed:,} | {timed_out} | {score(found):.1f} % |")
    return "\n".join(lines)


def score(found: list[Module]) -> float:
    """The percentage of mutants that a test noticed."""
    return 100 * sum(m.noticed for m in found) / max(1, sum(len(m.statuses) for m in found))


def _difference(path: Path, mutant: str) -> tuple[int, str]:
    """The line of the source that a mutant changed, and the change."""
    written = (WORK / path).read_text(encoding="utf-8").splitlines()
    spans = json.loads((WORK / f"{path}.spans").read_text(encoding="utf-8"))["spans"]
    name = mutant.rpartition("__mutmut_")[0]
    names = f"{name}__mutmut_orig", mutant
    before, after = (
        [text.replace(own, "") for text in written[slice(spans[own][0] - 1, spans[own][1])]] for own in names
    )
    changes = [line for line in ndiff(before, after) if line[0] in "+-"]
    removed, added = ([line[2:].strip() for line in changes if line[0] == sign] for sign in "-+")
    source = path.read_text(encoding="utf-8")
    start = _start(ast.parse(source), name)
    lines = enumerate(source.splitlines()[start - 1 :], start=start)
    place = next((number for number, line in lines if removed and line.strip() == removed[0]), start)
    return place, _shortened(" ".join(removed), " ".join(added))


def _shortened(before: str, after: str, around: int = 30) -> str:
    """A change with no more than a little of the text around it."""
    same = _alike(before, after)
    tail = _alike(before[same:][::-1], after[same:][::-1])
    return "  ->  ".join(text[max(0, same - around) : len(text) - max(0, tail - around)] for text in (before, after))


def _alike(one: str, other: str) -> int:
    """The length of the common beginning of two texts."""
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _start(module: ast.Module, mangled: str) -> int:
    """The line where a function begins, from the name that mutmut gives it."""
    *classes, function = mangled.removeprefix("x").strip("ǁ").split("ǁ")
    name = function if classes else function.removeprefix("_")
    scopes: list[ast.ClassDef | ast.Module] = [
        node for node in module.body if isinstance(node, ast.ClassDef) and node.name in classes
    ]
    functions = (node for node in (*scopes, module)[0].body if isinstance(node, ast.FunctionDef) and node.name == name)
    return next(functions).lineno


def main() -> int:
    """Print the mutants that no test noticed, and the score; 1 if it is too low."""
    found = modules()
    for module in found:
        for survivor in module.survivors:
            print(survivor)
    print(f"\n{table(found)}")
    return score(found) < SCORE_MIN


if __name__ == "__main__":
    sys.exit(main())
