"""The command line: one short function for each verb, which parses, calls the engine and prints."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

import typer

from . import billing, certificate, chart, compare, credits, documents, export, forecast, invoicing, reconcile
from .output import UNUSABLE, say
from .verify import verify

app = typer.Typer(
    name="billing",
    help="Bills by the peak: the most identities active at the same moment of a billing cycle.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
plans = typer.Typer(help="Look at a plan before anybody is billed by it.", no_args_is_help=True)
ledgers = typer.Typer(help="Look at a ledger: its head, terms and entries, and whether it holds.", no_args_is_help=True)

app.command()(billing.peaks)
app.command()(billing.invoice)
app.command()(billing.explain)
app.command()(billing.price)
app.command()(credits.credits)
app.command()(forecast.status)
app.command()(forecast.forecast)
app.command()(compare.compare)
app.command()(chart.chart)
app.command()(verify)
app.add_typer(plans, name="plan")
plans.command()(billing.check)
plans.command("compare")(compare.compare_plans)
app.command("import")(invoicing.import_)
app.command()(invoicing.close)
app.command()(invoicing.restate)
app.command()(invoicing.statement)
app.command()(reconcile.reconcile)
app.command()(documents.document)
app.add_typer(ledgers, name="ledger")
ledgers.command()(invoicing.head)
ledgers.command()(invoicing.verify)
ledgers.command()(invoicing.terms)
ledgers.command()(invoicing.export)
ledgers.command()(invoicing.backup)
app.add_typer(export.exports, name="export")
app.add_typer(certificate.certificates, name="certificate")


def main() -> None:
    """Run the command line; what cannot be done ends with status 2 and a sentence that says why."""
    from ..core.errors import BillingError

    sys.meta_path.insert(0, _WithoutPandas())
    try:
        app()
    except BillingError as error:
        say(f"{error.code}: {error}")
        sys.exit(UNUSABLE)
    except PermissionError as error:
        say(str(BillingError("file_unwritable", str(error.filename), detail=str(error.strerror))))
        sys.exit(UNUSABLE)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has seen enough
        sys.exit(0)


class _WithoutPandas(MetaPathFinder):
    """Keeps pandas out of this process.

    Nothing on the command line needs it, but Arrow imports it by itself where it can, as soon as
    numbers pass between the two; and that alone takes longer than a small invoice.
    """

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not needed here", name="pandas")
