"""The parts of the reference pages that are made from the code: commands, options, messages, columns and names."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import billing
from billing.cli import remedies as in_commands
from billing.cli.main import app
from billing.core import remedies as in_python
from billing.core.messages import MESSAGES
from billing.outputs.finance import focus
from billing.outputs.tables.views import SCHEMAS
from billing.reconciliation.causes import CAUSES, TAX_RATES

from .pages import ROOT

#: A bar within a cell of a Markdown table.
BAR: Final = "\\|"


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, in the order of the help."""
    from typer.main import get_command

    def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield name, command
            return
        for each, below in command.commands.items():
            yield from walk(below, f"{name} {each}")

    yield from walk(get_command(app), "billing")


def _options(command: Any) -> list[Any]:
    return [each for each in command.params if each.param_type_name == "option" and not getattr(each, "hidden", False)]


def _command_list() -> str:
    parts = []
    for name, command in commands():
        summary, _, more = inspect.cleandoc(command.help or "").partition("\n")
        usage = [name, *(_argument(each) for each in command.params if each.param_type_name == "argument")]
        parts.append(f"### {name}\n\n{summary}")
        if more.strip():
            parts.append(_one_paragraph(more))
        options = ", ".join(f"`{max(each.opts, key=len)}`" for each in _options(command))
        parts.append(f"`{' '.join(usage)}`" + (f" with {options}" if options else ""))
    return "\n\n".join(parts)


def _argument(parameter: Any) -> str:
    return str(parameter.name).upper() + ("..." if parameter.nargs == -1 else "")


def _text(default: Any) -> str:
    return str(getattr(default, "value", default))


def _one_paragraph(text: str) -> str:
    return " ".join(text.split())


def _option_table() -> str:
    rows: dict[tuple[str, str], list[str]] = {}
    for name, command in commands():
        for option in _options(command):
            spelled = ", ".join(f"`{each}`" for each in sorted(option.opts, key=len, reverse=True))
            default = f" Without it: {_text(option.default)}." if option.default else ""
            rows.setdefault((spelled, (option.help or "") + default), []).append(name.removeprefix("billing "))
    return _table(
        ("option", "does", "of"),
        [(spelled, does, ", ".join(names)) for (spelled, does), names in sorted(rows.items())],
    )


def _message_table() -> str:
    return _table(
        ("code", "message", "what to do"),
        [
            (f"`{code}`", f"{wrong}.", in_commands.REMEDIES.get(code, remedy))
            for code, (wrong, remedy) in sorted(MESSAGES.items())
        ],
    )


def _python_remedy_table() -> str:
    return _table(
        ("code", "what to do, in Python"), [(f"`{code}`", do) for code, do in sorted(in_python.REMEDIES.items())]
    )


def _column_tables() -> str:
    parts = []
    for schema in SCHEMAS:
        columns = [f"`{each.name}` {each.kind.value}{' or none' if each.null else ''}" for each in schema.columns]
        parts.append(f"### {schema.name}\n\n{', '.join(columns)}")
    return "\n\n".join(parts)


def _focus_tables() -> str:
    parts = []
    for schema in (focus.COST_AND_USAGE, focus.INVOICE_DETAIL, focus.BILLING_PERIOD):
        parts.append(f"**{schema.name}**: {', '.join(f'`{name}`' for name in schema.names)}")
    return "\n\n".join(parts)


def _causes() -> str:
    rows = [(f"`{cause.name}`", cause.description) for cause in CAUSES if not cause.name.startswith("tax_")]
    rates = ", ".join(f"{rate.normalize():f}" for rate in TAX_RATES)
    return _table(("cause", "they billed ..."), [*rows, ("`tax_RATE`", f"tax of RATE % included; tried are {rates}")])


def _public_names() -> Iterator[tuple[str, Any]]:
    stub = ast.parse((ROOT / "billing" / "__init__.pyi").read_text(encoding="utf-8"))
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield alias.name, getattr(billing, alias.name)


def _first_sentence(of: Any) -> str:
    text = _one_paragraph((inspect.getdoc(of) or "").partition("\n\n")[0])
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", text)[0]


def _functions() -> str:
    parts = []
    for name, each in _public_names():
        if inspect.isfunction(each):
            parameters = [str(parameter.name) for parameter in inspect.signature(each).parameters.values()]
            parts.append((f"`billing.{name}({', '.join(parameters)})`", _first_sentence(each)))
    return _table(("function", "does"), sorted(parts))


def _classes() -> str:
    rows = [
        (f"`{name}`", _first_sentence(each))
        for name, each in _public_names()
        if inspect.isclass(each) and not issubclass(each, Exception)
    ]
    return _table(("class", "is"), sorted(rows))


def _errors() -> str:
    rows = [
        (f"`{name}`", f"`{each.__mro__[1].__name__}`", _first_sentence(each))
        for name, each in _public_names()
        if inspect.isclass(each) and issubclass(each, Exception)
    ]
    return _table(("error", "is a", "raised for"), sorted(rows))


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(_one_paragraph(cell).replace('|', BAR) for cell in row)} |" for row in lines)


#: The name of a part -> what writes it.
PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "commands": _command_list,
    "options": _option_table,
    "messages": _message_table,
    "messages-python": _python_remedy_table,
    "columns": _column_tables,
    "focus": _focus_tables,
    "causes": _causes,
    "functions": _functions,
    "classes": _classes,
    "errors": _errors,
}
