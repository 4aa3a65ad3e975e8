"""Runs what the documentation shows: `python -m tests.support.pages` rewrites outputs and generated parts in place.

Each page runs in a folder of its own, beside a copy of `fixtures`, from its first block to its last:

- ``console``: commands after `$ `, each with what it prints;
- ``python``: code that shares its names with the blocks before it; a ``text`` block below has what it prints;
- ``toml FILE``, ``csv FILE``, ``json FILE``: a file that later blocks read;
- ``sh``: commands that are not run, since they install something or need a server: `test_pages` checks their words.

In an output, a line `...` stands for any lines.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ELIDED: Final = "..."
_BLOCK: Final = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_GENERATED: Final = re.compile(r"(<!-- `make docs` writes: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FILES: Final = ("toml", "csv", "json", "jsonl")
#: Reads blocks of code from standard input, one JSON text a line, and runs them in one namespace.
_SESSION: Final = """
import json, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    try:
        exec(compile(json.loads(line), "page", "exec"), names)
    except Exception:
        traceback.print_exc(file=sys.stdout)
    print(chr(0), flush=True)
"""


@dataclass(frozen=True)
class Shown:
    """Something that a page shows to be run, and the output it gives for it."""

    code: str
    stated: str
    printed: str


def pages() -> list[Path]:
    """The pages whose blocks are run."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(text: str, language: str) -> list[str]:
    """The contents of the blocks of a language."""
    return [match[3] for match in _BLOCK.finditer(text) if match[1] == language]


def run_page(path: Path, folder: Path) -> tuple[list[Shown], str]:
    """What a page shows and what that prints now, and the page with the outputs of now."""
    text = path.read_text(encoding="utf-8")
    if _BLOCK.search(text):
        shutil.copytree(ROOT / "fixtures", folder / "fixtures", ignore=shutil.ignore_patterns("__pycache__"))
    shell = _Shell(folder)
    found: list[Shown] = []
    parts: list[str] = []
    end = 0
    code: str | None = None
    try:
        for match in _BLOCK.finditer(text):
            language, name, content = match.groups()
            parts.append(text[end : match.start(3)])
            end = match.end(3)
            if language == "console":
                content = _console(content, shell, found)
            elif language == "python":
                code = content
                found.append(Shown(code, "", shell.python(code)))
            elif language == "text" and code is not None:
                printed = found.pop().printed
                found.append(Shown(code, content, printed))
                content = updated(content, printed)
                code = None
            elif language in _FILES and name is not None:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(content, encoding="utf-8")
            parts.append(content)
    finally:
        shell.close()
    return found, "".join([*parts, text[end:]])


def _console(content: str, shell: _Shell, found: list[Shown]) -> str:
    before, *commands = re.split(r"^\$ ", content, flags=re.MULTILINE)
    assert not before, f"a console block starts with a command: {before}"
    parts = []
    for each in commands:
        command, _, stated = each.partition("\n")
        printed = shell.run(command)
        found.append(Shown(command, stated, printed))
        parts.append(f"$ {command}\n{updated(stated, printed)}")
    return "".join(parts)


class _Shell:
    """Runs commands and code in a folder where `billing` is the program of this tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        programs = folder / ".bin"
        programs.mkdir()
        for name, program in {"billing": "-m billing", "python": ""}.items():
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {program} "$@"\n', encoding="utf-8")
            (programs / name).chmod(0o755)
        self._environment = os.environ | {
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "TZ": "UTC",
            "LC_ALL": "C.UTF-8",
        }
        self._session: subprocess.Popen[str] | None = None

    def run(self, command: str) -> str:
        """What a command prints, on both streams."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        ).stdout

    def python(self, code: str) -> str:
        """What a block of code prints, in the session of the page."""
        if self._session is None:
            self._session = subprocess.Popen(
                [sys.executable, "-c", _SESSION],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        assert self._session.stdin is not None
        assert self._session.stdout is not None
        self._session.stdin.write(json.dumps(code) + "\n")
        self._session.stdin.flush()
        lines = []
        for line in self._session.stdout:
            if line == "\0\n":
                break
            lines.append(line)
        return "".join(lines)

    def close(self) -> None:
        """End the session."""
        if self._session is not None:
            self._session.communicate()


def lines_of(text: str) -> list[str]:
    """Lines without blanks at their ends, which editors remove, and without empty ones around them."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n").splitlines()


def agrees(stated: str, printed: str) -> bool:
    """Whether an output is what the page states."""
    pattern = "\n".join(".*" if line == ELIDED else re.escape(line) for line in lines_of(stated))
    return re.fullmatch(pattern, "\n".join(lines_of(printed)), re.DOTALL) is not None


def updated(stated: str, printed: str) -> str:
    """The output to show: the stated one where it still agrees, else the new one, elided at the same place."""
    if agrees(stated, printed):
        return stated
    before, now = lines_of(stated), lines_of(printed)
    if ELIDED in before:
        head, tail = before.index(ELIDED), len(before) - 1 - before.index(ELIDED)
        if head + tail < len(now):
            now = [*now[:head], ELIDED, *now[len(now) - tail :]]
    return "".join(f"{line}\n" for line in now)


def with_generated_parts(text: str) -> str:
    """A page with its generated parts as they are now."""
    from tests.support.reference import PARTS

    return _GENERATED.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]().strip()}\n\n{match[3]}", text)


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """The files and anchors of this project that a page links to."""
    text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            name, _, anchor = target.partition("#")
            yield (path.parent / name if name else path), anchor


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def main() -> None:
    """Rewrite the pages that are named, or all; with `--generated`, only their generated parts, which is quick."""
    names = [name for name in sys.argv[1:] if name != "--generated"]
    for path in [Path(name).resolve() for name in names] or pages():
        before = text = path.read_text(encoding="utf-8")
        if len(names) == len(sys.argv) - 1:
            with TemporaryDirectory() as folder:
                _, text = run_page(path, Path(folder))
        text = with_generated_parts(text)
        if text != before:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} is rewritten; look at the difference.")


if __name__ == "__main__":
    main()
