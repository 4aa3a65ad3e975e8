"""Remedies in the words of each interface: of Python, of the command line, and neutral ones for all others."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import pytest

import billing
from billing.cli.remedies import REMEDIES as ON_THE_COMMAND_LINE
from billing.cli.remedies import line_of, rejection_json
from billing.core.errors import BillingError, sentence
from billing.core.messages import MESSAGES
from billing.core.remedies import REMEDIES as IN_PYTHON

PACKAGE = Path(__file__).parents[2] / "billing"
#: An option, a command or an installer: words of a terminal.
OF_THE_TERMINAL = re.compile(
    r"(?<![\w-])--[a-z]|\bpip\b|\bbilling (peaks|invoice|explain|price|credits|status|forecast|compare|chart|verify|"
    r"plan|import|close|restate|statement|reconcile|document|ledger|export|certificate)\b"
)


@pytest.mark.parametrize(
    ("error", "python", "command_line"),
    [
        (
            billing.BadLedger("ledger_missing", "sqlite:///b.db"),
            "sqlite:///b.db: there is no ledger. Check the name, or create one with: billing.open_ledger(url).",
            "ledger_missing: sqlite:///b.db: there is no ledger. "
            "Check the name, or make one with: billing import SOURCE --ledger URL.",
        ),
        (
            billing.BadTerms("plan_missing", got="acme"),
            'account "acme" has no plan. Give a plan, or terms that have one for the account.',
            'plan_missing: account "acme" has no plan. Give --plan, or a plan in the terms file.',
        ),
        (
            billing.BadTerms("terms_differ", version=2),
            "the terms given differ from version 2, the newest in the ledger. Leave them out, or make them a new "
            "version: billing.add_terms(ledger, terms, applies_from=datetime).",
            "terms_differ: the terms given differ from version 2, the newest in the ledger. Leave them out, or make "
            "them a new version: billing ledger terms LEDGER --terms FILE --from INSTANT.",
        ),
        (
            BillingError("extra_missing", detail="typst", extra="pdf"),
            "typst is not installed. Install peak-billing[pdf].",
            "extra_missing: typst is not installed. Install it with: pip install 'peak-billing[pdf]'.",
        ),
        (
            BillingError("account_needed", known="acme, globex"),
            "there are several accounts. Say which with account_id: acme, globex.",
            "account_needed: there are several accounts. Say which with --account: acme, globex.",
        ),
        (
            billing.BadSource("file_empty", "events.csv"),
            "events.csv: it has no events. Check the export that made it; an empty bill would hide a broken one.",
            "file_empty: events.csv: it has no events. "
            "Check the export that made it; an empty bill would hide a broken one.",
        ),
    ],
    ids=lambda value: value.code if isinstance(value, BillingError) else "",
)
def test_each_interface_says_what_to_do_in_its_own_words(error: BillingError, python: str, command_line: str) -> None:
    """The error is one, with its code and details; only the words differ."""
    assert (python, command_line) == (str(error), line_of(error))


def test_a_rejection_has_a_remedy_of_each_interface_too() -> None:
    """In Python a parameter is set; on the command line an option is given, also in the file of rejections."""
    rejected = billing.Rejection(
        "field_unknown", "events.csv", 1, {"got": "timestmap", "hint": "", "known": "type, mode"}
    )
    typed = rejection_json(rejected)

    assert (
        "Known fields: type, mode. Or read with ignore_extra=True."
        == rejected.expected
        == rejected.as_json()["expected"]
    )
    assert "Known fields: type, mode. Or read with --ignore-extra." == typed["expected"]
    assert f'events.csv:1: field "timestmap" is unknown. {rejected.expected}' == str(rejected)
    assert f'events.csv:1: field "timestmap" is unknown. {typed["expected"]}' == typed["message"]
    assert [*rejected.as_json()] == [*typed]


def test_an_interface_without_words_of_its_own_has_neutral_ones() -> None:
    """Whoever comes next, such as an HTTP interface, begins with an empty table."""
    assert "there is no ledger. Check the name, or create one by importing events." == sentence(
        "ledger_missing", remedies={}
    )


@pytest.mark.parametrize("table", [IN_PYTHON, ON_THE_COMMAND_LINE], ids=["Python", "command line"])
def test_remedies_are_those_of_codes_that_exist_and_fill_in_what_is_known(table: Mapping[str, str]) -> None:
    """A remedy for no code is never read, and one with a field of its own fails when it is needed."""
    assert table.keys() <= MESSAGES.keys()
    for code, remedy in table.items():
        assert remedy != MESSAGES[code][1], code
        assert remedy.endswith("."), code
        assert {*_fields(remedy)} <= {*_fields("".join(MESSAGES[code]))}, code


def test_nothing_below_the_command_line_says_words_of_a_terminal() -> None:
    """Core serves Python and HTTP as well, where nobody can type an option."""
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "cli" not in path.relative_to(PACKAGE).parts
        for line, text in _texts(path)
        if OF_THE_TERMINAL.search(text)
    ]

    assert [] == found


def _fields(text: str) -> Iterator[str]:
    return (name for _, name, _, _ in Formatter().parse(text) if name)


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
