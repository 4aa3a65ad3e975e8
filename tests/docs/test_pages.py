"""The README and the pages of docs, run as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import (
    ELIDED,
    ROOT,
    Shown,
    agrees,
    anchors,
    blocks,
    lines_of,
    links,
    pages,
    run_page,
    updated,
    with_generated_parts,
)
from tests.support.reference import PARTS, commands

TOOLKIT = ROOT / "billing" / "verify" / "README.md"
PAGES = pages()
STALE = "it is stale: run `make docs` and look at the difference"


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_everything_on_a_page_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """A new user types what a page shows, one after the other, and trusts us by what comes back."""
    shown, _ = run_page(page, tmp_path)

    for each in shown:
        assert "Traceback" not in each.printed, each.printed
        assert agrees(each.stated, each.printed), f"{STALE}\n$ {each.code}\n{each.printed}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_generated_parts_of_a_page_are_those_of_the_code(page: Path) -> None:
    """A reference that is copied by hand is out of date the day after."""
    assert text_of(page) == with_generated_parts(text_of(page)), STALE


def test_every_generated_part_is_on_a_page() -> None:
    on_pages = {name for page in PAGES for name in re.findall(r"<!-- `make docs` writes: (\S+) -->", text_of(page))}
    assert on_pages == {*PARTS}


@pytest.mark.parametrize("page", [*PAGES, TOOLKIT], ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    """Whoever reads about a module opens it next."""
    for name in re.findall(r"`((?:billing|tests|fixtures|docs)/[\w./-]+)`", text_of(page)):
        assert (ROOT / name).exists(), name


def test_every_page_is_reached_from_the_readme() -> None:
    """A page that nothing links to is not read."""
    reached: set[Path] = set()
    open_pages = [ROOT / "README.md"]
    while open_pages:
        page = open_pages.pop().resolve()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            open_pages += [target for target, _ in links(page)]
    assert {*PAGES} <= reached


def test_the_readme_is_short_and_no_page_is_long() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= 120
    assert [] == [name_of(page) for page in PAGES if len(text_of(page).splitlines()) > 320]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_that_are_not_run_exist(page: Path) -> None:
    """What needs a server or installs something is at least spelled right."""
    project: dict[str, Any] = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    targets = re.findall(r"^([\w-]+):", text_of(ROOT / "Makefile"), re.MULTILINE)
    known = {name: options_of(command) for name, command in commands()}
    for line in "".join(blocks(text_of(page), "sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert {*words[1:]} <= {*targets}, line
        for extras in re.findall(r"\[([a-z,]+)\]", line) if "pip" in words else ():
            assert {*extras.split(",")} <= {*project["optional-dependencies"]}, line
        if words[:1] == ["billing"]:
            (name,) = [" ".join(words[:size]) for size in (2, 3) if " ".join(words[:size]) in known]
            assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known[name], line


def options_of(command: Any) -> set[str]:
    return {"--help", "-h"} | {spelled for each in command.params for spelled in each.opts}


def test_an_elided_output_is_still_compared() -> None:
    """The comparison is no use if it sees nothing."""
    stated = f"one\n{ELIDED}\nfour\n"

    assert agrees(stated, "one\ntwo\nthree\nfour\n")
    assert not agrees(stated, "one\ntwo\nfive\n")
    assert not agrees("one\n", "one\ntwo\n")
    assert updated(stated, "two\nthree\nfour\nfive\n") == f"two\n{ELIDED}\nfive\n"


def test_a_page_runs_its_blocks_in_order(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```csv events.csv\na\n```\n```console\n$ cat events.csv\nb\n```\n"
        "```python\nx = 1\n```\n```python\nprint(x + 1)\n```\n```text\n3\n```\n",
        encoding="utf-8",
    )
    (tmp_path / "run").mkdir()

    shown, text = run_page(page, tmp_path / "run")

    assert [
        Shown("cat events.csv", "b\n", "a\n"), Shown("x = 1\n", "", ""), Shown("print(x + 1)\n", "3\n", "2\n")
    ] == shown  # fmt: skip
    assert "$ cat events.csv\na\n" in text
    assert "```text\n2\n```" in text


def verdict_of(text: str) -> list[str]:
    """How a story ends, and what is said last: another version of Hypothesis may tell the same by other events."""
    first, *_, last = [
        re.sub(r"[\d,]+ (?=ledgers|events|peaks|totals)", "", line) for line in (text + text).splitlines()
    ]
    return [first.rpartition(": ")[2], last]


def test_every_command_of_the_toolkit_prints_what_its_readme_says(tmp_path: Path) -> None:
    copy = tmp_path / "page.md"
    copy.write_text("".join(f"```console\n{each}```\n" for each in blocks(text_of(TOOLKIT), "console")))
    (tmp_path / "run").mkdir()
    shown, _ = run_page(copy, tmp_path / "run")

    assert shown
    for each in shown:
        part = verdict_of if "--against" in each.code else lines_of
        assert part(each.stated) == part(each.printed), each.code


def test_the_first_biller_that_somebody_checks_is_told_what_is_wrong_with_it() -> None:
    """It forgets who was carried in, as first billers do."""
    code, mine = blocks(text_of(TOOLKIT), "python")
    (output,) = blocks(text_of(TOOLKIT), "text")
    printed = _python(code).partition("billing.verify.attack.differential.")[2]
    assert output.startswith("Wrong: ada") and printed.startswith("Wrong: ")
    assert len(lines_of(printed)) >= 3 and ": expected " in lines_of(printed)[0]
    assert "" == _python(f"{mine}\ntest_nobody_is_active_before_anything_happened()")


def _python(code: str) -> str:
    arguments = [sys.executable, "-c", code]
    return subprocess.run(
        arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    ).stdout


def cells(table: str) -> list[tuple[str, ...]]:
    """The rows of a Markdown table below its header."""
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in row) for row in rows[2:]]


def test_the_figures_of_the_pages_are_those_that_were_measured() -> None:
    """A speed that nobody measured is a promise nobody keeps, and so is a forecast that nobody looked back on."""
    measured = cells(text_of(ROOT / "tests/bench/results.md"))
    speed = cells(text_of(ROOT / "docs/explanation/performance.md"))
    forecasts = cells(text_of(ROOT / "docs/explanation/forecasting.md"))

    assert speed
    assert all(row in measured for row in speed)
    assert ["steady", "growing", "seasonal", "bursty", "dying"] == [kind for kind, *_ in forecasts]
    for kind, covered, randomised, losses in forecasts:
        (row,) = [row for row in measured if f"of a {kind} population" in row[0]]
        assert f"80 % interval covers {covered}, randomised {randomised}" == row[1]
        assert f"loss {losses} of that of the best simpler model" == row[2]
