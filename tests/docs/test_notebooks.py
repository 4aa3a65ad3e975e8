"""The notebooks, run as somebody would who has just opened them, and compared with what they were committed with."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.notebook import FOLDER, SVG, drawn, shown, written

ROOT = FOLDER.parent
PATHS = sorted(FOLDER.glob("*.ipynb"))
NAMES = [path.stem for path in PATHS]
RUNNER = Path(__file__).parents[1] / "support" / "notebook.py"
COMMITS = ROOT / "fixtures" / "commits"


def committed(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_notebook_shows_what_it_was_committed_with(path: Path, tmp_path: Path) -> None:
    """It is read far more often than run, so what it shows must be what it does; and it leaves nothing behind."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    copy = tmp_path / "notebooks" / path.name
    copy.parent.mkdir()
    copy.write_text(committed(path), encoding="utf-8")

    run = subprocess.run([sys.executable, RUNNER, copy], capture_output=True, text=True, check=False)

    assert 0 == run.returncode, run.stderr
    assert [*shown(committed(path))] == [*shown(committed(copy))], "if that is right: make notebooks"
    assert [copy] == [*copy.parent.iterdir()]


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_notebook_was_run_once_from_the_first_cell_to_the_last_without_a_warning(path: Path) -> None:
    """Cells that were run in another order show what nobody else will see."""
    text = committed(path)
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]

    assert [*range(1, len(code) + 1)] == [cell["execution_count"] for cell in code]
    assert not {"stderr", "error"} & {kind for _, kind, _ in shown(text)}
    assert text == written(json.loads(text)), "only what `make notebooks` writes is committed: small differences"


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_a_notebook_has_a_picture_and_every_link_in_it_leads_somewhere(path: Path) -> None:
    """Each is for people who would rather look than read code."""
    text = committed(path)
    pictures = [marks for _, kind, marks in shown(text) if kind == SVG]
    prose = ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]

    assert pictures and all(pictures)
    assert all((path.parent / link).exists() for link in re.findall(r"\]\(([^)]+)\)", "".join(prose)))


def test_another_number_table_or_mark_is_another_notebook_but_not_another_font() -> None:
    """The comparison is no use if it sees nothing, or differences on each machine."""
    (first_bill,) = (committed(path) for path in PATHS if path.stem == "first_bill")

    def differs(before: str, after: str) -> bool:
        assert before in first_bill
        return [*shown(first_bill)] != [*shown(first_bill.replace(before, after))]

    assert differs("by the plan: 31.96", "by the plan: 31.97")
    assert differs("<td>cy</td>", "<td>di</td>")
    assert differs("identity_id: bo", "identity_id: ba")
    assert not differs("It sounds like work", "It looks like work")
    assert ["a", "M0.50,1.00h2.12"] == drawn(
        '<g aria-label="a" transform="translate(33,9)"><path d="M0.500,1.000h2.1234"/>'
    )


def test_the_events_of_the_commits_are_those_that_their_script_makes() -> None:
    """Whoever reads how they came about must be reading about these."""
    made: str = runpy.run_path(str(COMMITS / "make.py"))["text"]()

    assert made == committed(COMMITS / "events.csv")
