"""The command line: one short function for each verb, which parses, calls the engine and prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from . import (
    billing,
    certificate,
    chart,
    compare,
    credits,
    documents,
    export,
    forecast,
    invoicing,
    ledger,
    reconcile_events,
    reconcile_invoices,
    remedies,
    verify,
)
from .option_groups import spread
from .output import UNUSABLE, say

_BILLS = "Bills"
_OPEN_CYCLES = "Open cycles"
_LEDGER = "Ledger and invoices"
_COMPARE = "Check and compare"
_PLANS = "Plans"


class _Group(TyperGroup):
    """Lists commands under the headings of their panels, each with the whole first line of its help."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands of each panel."""
        commands = [self.commands[name] for name in self.list_commands(ctx)]
        width = max(len(command.name or "") for command in commands)
        panels: dict[str, list[tuple[str, str]]] = {}
        for command in commands:
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            summary = (command.help or "").partition("\n")[0]
            panels.setdefault(panel, []).append(((command.name or "").ljust(width), summary))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


def _group(text: str, **more: Any) -> typer.Typer:
    """A group of commands. rich is not used for help, since it takes longer to import than help takes to print."""
    return typer.Typer(cls=_Group, help=text, no_args_is_help=True, rich_markup_mode=None, **more)


def _add(
    group: typer.Typer, verb: Callable[..., None], name: str | None = None, *, panel: str | None = None,
    cls: type[TyperCommand] | None = None,
) -> None:  # fmt: skip
    group.command(name, cls=cls, rich_help_panel=panel)(spread(verb))


app = _group(
    "Bills by the peak: the most identities active at the same moment of a billing cycle.",
    name="billing",
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)
plans = _group("Check a plan, or compare several.")
ledgers = _group("Look at a ledger, verify it, export it.")
exports = _group("Write invoices for finance systems.")
certificates = _group("Check the certificate of a peak.")

_add(app, billing.peaks, panel=_BILLS)
_add(app, billing.invoice, panel=_BILLS)
_add(app, billing.explain, panel=_BILLS)
_add(app, credits.credits, panel=_BILLS)
_add(app, chart.chart, panel=_BILLS)
_add(app, forecast.status, panel=_OPEN_CYCLES)
_add(app, forecast.forecast, panel=_OPEN_CYCLES)
_add(app, invoicing.import_, "import", panel=_LEDGER)
_add(app, invoicing.close, panel=_LEDGER)
_add(app, invoicing.restate, panel=_LEDGER)
_add(app, invoicing.statement, panel=_LEDGER)
_add(app, documents.document, panel=_LEDGER)
app.add_typer(ledgers, name="ledger", rich_help_panel=_LEDGER)
_add(ledgers, ledger.head)
_add(ledgers, ledger.verify)
_add(ledgers, ledger.terms)
_add(ledgers, ledger.export)
_add(ledgers, ledger.backup)
app.add_typer(exports, name="export", rich_help_panel=_LEDGER)
_add(exports, export.focus)
_add(exports, export.journal)
_add(app, verify.verify, panel=_COMPARE)
app.add_typer(certificates, name="certificate", rich_help_panel=_COMPARE)
_add(certificates, certificate.check)
_add(app, reconcile_invoices.reconcile, panel=_COMPARE, cls=reconcile_invoices.ReconcileCommand)
_add(app, reconcile_events.reconcile_events, "reconcile-events", panel=_COMPARE)
_add(app, compare.compare, panel=_COMPARE)
_add(app, billing.price, panel=_PLANS)
app.add_typer(plans, name="plan", rich_help_panel=_PLANS)
_add(plans, billing.check)
_add(plans, compare.compare_plans, "compare")


@certificates.callback()
def _certificates() -> None:
    """Keep `check` a command of its own: Typer would make the only command of a group the group itself."""


def _show_version(given: bool) -> None:
    if given:
        from importlib.metadata import version

        print(f"billing {version('peak-billing')}")
        raise typer.Exit


@app.callback()
def _billing(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options that need no verb."""


def main() -> None:
    """Run the command line; what cannot be done ends with status 2 and a sentence that says why."""
    from ..core.errors import BillingError

    try:
        with _without_pandas():
            app()
    except BillingError as error:
        say(remedies.line_of(error))
        sys.exit(UNUSABLE)
    except PermissionError as error:
        say(remedies.message("file_unwritable", str(error.filename), detail=str(error.strerror)))
        sys.exit(UNUSABLE)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has seen enough
        sys.exit(0)


@contextmanager
def _without_pandas() -> Iterator[None]:
    """Keep pandas from being imported while a verb runs.

    Nothing on the command line needs it, but Arrow imports it by itself where it can, as soon as
    numbers pass between the two; and that alone takes longer than a small invoice.
    """
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not needed here", name="pandas")
