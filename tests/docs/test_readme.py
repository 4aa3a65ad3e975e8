"""The README's commands and code, run as they stand."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOOLKIT = (ROOT / "billing" / "verify" / "README.md").read_text(encoding="utf-8")


def blocks(language: str, readme: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)


def commands(readme: str) -> list[tuple[str, str]]:
    """Each command of the console blocks, with what it is said to print."""
    found = []
    for block in blocks("console", readme):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def lines_of(text: str) -> list[str]:
    """Lines without the blanks at their ends, which editors take off."""
    return [line.rstrip() for line in text.strip().splitlines()]


def verdict_of(text: str) -> list[str]:
    """How a story ends, and what is said last: another version of Hypothesis may tell the same by other events."""
    first, *_, last = [
        re.sub(r"[\d,]+ (?=ledgers|events|peaks|totals)", "", line) for line in (text + text).splitlines()
    ]
    return [first.rpartition(": ")[2], last]


def run(arguments: list[str], folder: Path = ROOT) -> str:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout


@pytest.mark.parametrize("readme", [README, TOOLKIT], ids=["of the project", "of the toolkit"])
def test_every_command_prints_what_the_readme_says(readme: str, tmp_path: Path) -> None:
    """A new user types what the README shows, one after the other, and trusts us by what comes back."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    for command, output in commands(readme):
        name, *arguments = shlex.split(command)

        assert "billing" == name
        printed = run(["-m", "billing", *arguments], tmp_path)
        told = verdict_of if "--against" in arguments else lines_of
        assert told(output) == told(printed), command


def test_the_python_example_prints_what_the_readme_says() -> None:
    """The first lines somebody writes with this library are those."""
    (code,) = blocks("python")
    (output,) = blocks("text")

    assert lines_of(output) == lines_of(run(["-c", code]))


def test_the_first_biller_that_somebody_checks_is_told_what_is_wrong_with_it() -> None:
    """It forgets who was carried in, as first billers do."""
    code, mine = blocks("python", TOOLKIT)
    (output,) = blocks("text", TOOLKIT)
    told = run(["-c", code]).partition("billing.verify.attack.differential.")[2]
    assert output.startswith("Wrong: ada") and told.startswith("Wrong: ")
    assert len(lines_of(told)) >= 3 and ": expected " in lines_of(told)[0]
    assert "" == run(["-c", f"{mine}\ntest_nobody_is_active_before_anything_happened()"])


def test_the_plan_and_the_terms_of_the_readme_can_be_loaded(tmp_path: Path) -> None:
    """Files are written by changing an example."""
    plan, terms = blocks("toml")
    (tmp_path / "plan.toml").write_text(plan)
    (tmp_path / "terms.toml").write_text(terms)
    (tmp_path / "events.csv").write_text(
        "account_id,identity_id,type,occurred_at\nacme,ada,action.called,2025-10-15T00:00:00Z\n"
    )

    printed = run(
        [
            "-m",
            "billing",
            "invoice",
            str(tmp_path / "events.csv"),
            "--terms",
            str(tmp_path / "terms.toml"),
            "--format=csv",
        ]
    )

    cycle = "2025-10,2025-10-14T07:13:47Z,2025-11-14T08:13:47Z"
    assert f"acme,{cycle},1,2025-10-15T00:00:00Z,outreach-sample,USD,usage" in printed


def cells(table: str) -> list[tuple[str, ...]]:
    """The rows of a Markdown table below its header."""
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in row) for row in rows[2:]]


def test_the_figures_of_the_readme_are_those_that_were_measured() -> None:
    """A speed that nobody measured is a promise nobody keeps, and so is a forecast that nobody looked back on."""
    measured = cells((ROOT / "tests/bench/results.md").read_text(encoding="utf-8"))
    speed, forecasts = (
        cells(README.partition(f"## {name}")[2].partition("\n## ")[0]) for name in ("Speed", "What will")
    )

    assert speed
    assert all(row in measured for row in speed)
    assert ["steady", "growing", "seasonal", "bursty", "dying"] == [kind for kind, *_ in forecasts]
    for kind, covered, randomised, losses in forecasts:
        (row,) = [row for row in measured if f"of a {kind} population" in row[0]]
        assert f"80 % interval covers {covered}, randomised {randomised}" == row[1]
        assert f"loss {losses} of that of the best simpler model" == row[2]
