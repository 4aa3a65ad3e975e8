"""The public names of `billing.verify`: those that its README mentions, and those that it lists itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

import billing.verify
from billing.verify import strategies

README = (Path(billing.verify.__file__).parent / "README.md").read_text(encoding="utf-8")


def mentioned() -> list[str]:
    """Every dotted name of the toolkit in its README, and every name that an example there imports."""
    names = set(re.findall(r"\bbilling\.verify(?:\.\w+)+", README))
    for module, imported in re.findall(r"^from (billing\.verify[\w.]*) import (.+)$", README, re.MULTILINE):
        names |= {f"{module}.{name.strip()}" for name in imported.split(",")}
    return sorted(names)


@pytest.mark.parametrize("name", mentioned())
def test_every_name_that_the_readme_mentions_can_be_imported(name: str) -> None:
    resolve_name(name)


def test_the_readme_mentions_the_names_that_somebody_needs_first() -> None:
    """Else the search for names would find none, and the test above would try none."""
    assert {"billing.verify.check", "billing.verify.Wrong", "billing.verify.Answer"} <= {*mentioned()}


def test_every_strategy_of_the_readme_is_there() -> None:
    (row,) = re.findall(r"Hypothesis strategies: (.+) \|", README)
    assert [] == [name for name in re.findall(r"`(\w+)`", row) if not callable(getattr(strategies, name, None))]


@pytest.mark.parametrize("name", billing.verify.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(billing.verify, name) is resolve_name(f"billing.verify.{name}")


def test_the_toolkit_can_be_imported_without_hypothesis() -> None:
    """Only what draws random examples needs it, when it is used."""
    code = """
import sys
sys.modules["hypothesis"] = None
import billing.verify
billing.verify.definition
print("check" in dir(billing.verify))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "True\n" == done.stdout
