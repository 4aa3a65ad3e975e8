"""The help of the command line: every command on one line, and the short options that people expect."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from billing.cli import app
from tests.conftest import Cli


def _commands(group: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, *words, name)
        else:
            yield (*words, name), command


COMMANDS = dict(_commands(get_command(app)))
GROUPS = ((), ("ledger",), ("plan",), ("export",), ("certificate",))


@pytest.mark.parametrize("group", GROUPS, ids=" ".join)
def test_every_command_is_summed_up_on_one_line_of_80_columns(
    group: tuple[str, ...], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A summary that is cut off says nothing."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = cli(*group, "--help").out
    listed: Any = get_command(app)
    for name in group:
        listed = listed.commands[name]

    assert listed.commands
    for name, command in listed.commands.items():
        (line,) = [line for line in shown.splitlines() if line.startswith(f"  {name} ")]
        assert line.endswith(command.help.partition("\n")[0])
        assert len(line) <= 80
        assert line.endswith("."), "a whole sentence, with its end"


def test_commands_stand_in_panels(cli: Cli) -> None:
    """Twenty-one names in a row are no overview."""
    shown = cli("--help").out.splitlines()
    panels = ["Bills:", "Open cycles:", "Ledger and invoices:", "Check and compare:", "Plans:"]

    assert panels == [line for line in shown if line in panels]
    assert "Commands:" not in shown


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_the_short_options_that_people_expect(words: tuple[str, ...], cli: Cli) -> None:
    """-h asks for help, and -o says where to write."""
    short, long = cli(*words, "-h"), cli(*words, "--help")
    names = [parameter.opts for parameter in COMMANDS[words].params if "--output" in parameter.opts]

    assert (0, long.out) == (short.status, short.out)
    assert names in ([], [["--output", "-o"]])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_verb_takes_more_than_fourteen_parameters(words: tuple[str, ...]) -> None:
    """Options that belong together come as a group."""
    verb = inspect.unwrap(COMMANDS[words].callback)

    assert len(inspect.signature(verb, follow_wrapped=False).parameters) <= 14


def test_the_version_is_shown(cli: Cli) -> None:
    """What a report of a bug begins with."""
    import billing

    assert (0, f"billing {billing.__version__}\n") == (cli("--version").status, cli("--version").out)


def test_reconcile_points_to_the_command_that_compares_events(cli: Cli) -> None:
    """The option that did it is now a verb; also where options of that verb are given."""
    said = "usage: Events are compared by: billing reconcile-events OURS THEIRS. See billing --help.\n"

    for words in (("--events", "a.csv", "b.csv"), ("a.csv", "b.csv", "--events", "--tolerance", "PT1H")):
        outcome = cli("reconcile", *words)
        assert (2, "", said) == (outcome.status, outcome.out, outcome.err)


def test_an_option_that_a_verb_has_no_use_for_is_refused(cli: Cli) -> None:
    """What is billed is a whole cycle, so invoices cannot be compared as of a moment."""
    with pytest.raises(Exception, match="--as-of") as raised:
        cli("reconcile", "a.csv", "b.csv", "--as-of", "2026-01-01T00:00:00Z")

    assert 2 == getattr(raised.value, "exit_code", None)
