"""Groups of options: spread for the command line, taken whole by a verb."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from billing.cli.main import _without_pandas
from billing.cli.option_groups import spread


@dataclass(frozen=True, slots=True)
class Base:
    """A group to begin with."""

    tall: Annotated[bool, typer.Option("--tall", help="Tall ones.")] = False


@dataclass(frozen=True, slots=True)
class More(Base):
    """A group with one more."""

    name: Annotated[list[str] | None, typer.Option(help="By name.")] = None


def verb(source: Annotated[str, typer.Argument()], *, count: int = 1, group: More) -> None:
    """Show what arrived."""
    print(source, count, group)


def test_a_verb_gets_its_groups_whole_and_typer_sees_single_options() -> None:
    """Each option is declared once, and reaches the verb in its group."""
    app = typer.Typer(rich_markup_mode=None)
    app.command()(spread(verb))
    ended = CliRunner().invoke(app, ["x.csv", "--tall", "--name", "a", "--name", "b", "--count", "3"])
    shown = CliRunner().invoke(app, ["--help"]).output

    assert "x.csv 3 More(tall=True, name=['a', 'b'])\n" == ended.output
    assert ["source", "count", "tall", "name"] == [*inspect.signature(spread(verb)).parameters]
    assert ("Show what arrived." in shown, "Tall ones." in shown) == (True, True)


def test_options_that_are_left_out_have_the_defaults_of_their_group() -> None:
    """A default stands where the option does."""
    app = typer.Typer()
    app.command()(spread(verb))

    assert "x.csv 1 More(tall=False, name=None)\n" == CliRunner().invoke(app, ["x.csv"]).output


def test_pandas_can_be_imported_again_after_a_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line keeps pandas out of its own way, not out of the process it was called in."""
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    before = [*sys.meta_path]
    with pytest.raises(ModuleNotFoundError), _without_pandas():
        import_module("pandas")

    assert before == sys.meta_path
    with pytest.raises(SystemExit), _without_pandas():
        raise SystemExit(2)
    assert before == sys.meta_path
