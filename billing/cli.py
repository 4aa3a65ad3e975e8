"""The command line: one short function for each verb, which parses, calls the engine and prints."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    Account,
    Anchor,
    As,
    AsOf,
    Cycle,
    First,
    Format,
    IgnoreExtra,
    KnownAt,
    Last,
    Months,
    Output,
    PlanFile,
    Reconnect,
    Rejections,
    Source,
    Strict,
    TermsFile,
    Timezone,
    question_of,
    reading_of,
    terms_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from .core.errors import Rejection
    from .engine import Activity

app = typer.Typer(
    name="billing",
    help="Bills by the peak: the most identities active at the same moment of a billing cycle.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
plans = typer.Typer(help="Look at a plan before anybody is billed by it.", no_args_is_help=True)
app.add_typer(plans, name="plan")

#: Exit statuses: 0 is fine, 1 rows were rejected, 2 the call or its input cannot be used.
REJECTED = 1
UNUSABLE = 2
REJECTIONS_SHOWN = 10


@app.command()
def peaks(
    source: Source,
    cycle: Cycle = None,
    first: First = None,
    last: Last = None,
    account: Account = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """The most identities active at the same moment, for each account and billing cycle."""
    from . import engine
    from .formats import documents

    given = terms_of(terms, plan, anchor, timezone, months, reconnect)
    question = question_of(given, cycle, first, last, account, as_of)
    with reading_of(source, strict, ignore_extra, known_at) as reading:
        found = engine.activity(source, question, reading)
    rows = engine.peaks(found, question, curves=format is Format.table)
    if format is Format.table:
        drafted = list(engine.draft(found, question)) if all(given.of(r.account_id).plan for r in rows) else []
        plans_of = [given.of(row.account_id).plan for row in rows]
        _print_tables(output, lambda to: [_terminal().peaks_table(rows, plans_of, drafted, to)])
    elif format is Format.json:
        _write(output, documents.to_json(map(documents.peak, rows)) + "\n")
    else:
        _write(output, documents.to_csv(list(map(documents.peak, rows)), documents.PEAK_COLUMNS))
    _finish(found, rejections)


@app.command()
def invoice(
    source: Source,
    cycle: Cycle = None,
    first: First = None,
    last: Last = None,
    account: Account = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
    digest: Annotated[bool, typer.Option("--digest", help="State the SHA-256 of the events in each invoice.")] = False,
) -> None:
    """The invoice of each account and billing cycle, as a draft."""
    from . import engine
    from .core.errors import sentence
    from .formats import documents

    question = question_of(
        terms_of(terms, plan, anchor, timezone, months, reconnect), cycle, first, last, account, as_of
    )
    with reading_of(source, strict, ignore_extra, known_at, digest) as reading:
        found = engine.activity(source, question, reading)
    drafted = list(engine.draft(found, question))
    if format is Format.table:
        _print_tables(output, lambda to: _terminal().invoice_tables(drafted))
    elif format is Format.json:
        _write(output, documents.to_json(map(documents.invoice, drafted)) + "\n")
    else:
        rows = [row for one in drafted for row in documents.invoice_lines(one)]
        _write(output, documents.to_csv(rows, documents.LINE_COLUMNS))
    for row in engine.peaks(found, question):
        if not row.peak and row.before:
            said = sentence("suspicious_zero", account=row.account_id, cycle=row.cycle.name, before=row.before)
            _say(f"suspicious_zero: {said}")
    _finish(found, rejections)


@app.command()
def explain(
    source: Source,
    account: Annotated[str | None, typer.Option(help="The account; needed unless the source has only one.")] = None,
    cycle: Annotated[str | None, typer.Option(help="The cycle, 2026-01; else that of the highest peak.")] = None,
    plan: PlanFile = None,
    terms: TermsFile = None,
    anchor: Anchor = None,
    timezone: Timezone = None,
    months: Months = None,
    reconnect: Reconnect = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    format: As = Format.table,
    output: Output = None,
    strict: Strict = False,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """Why a peak is what it is: who was active, through which event. As json, the certificate."""
    import json

    from . import engine
    from .formats import documents

    given = terms_of(terms, plan, anchor, timezone, months, reconnect)
    with reading_of(source, strict, ignore_extra, known_at) as reading:
        events = engine.read(source, reading)
    question = question_of(given, cycle, None, None, [account] if account else None, as_of)
    of, found = engine.explain(events, question)
    if format is Format.json:
        _write(output, json.dumps(documents.certificate(of), ensure_ascii=False) + "\n")
    elif format is Format.csv:
        rows = documents.certificate(of)["identities"]
        _write(output, documents.to_csv(rows, documents.WITNESS_COLUMNS))
    else:
        terminal = _terminal()
        told = terminal.story(of, given.of(of.account_id))
        _print_tables(output, lambda to: [*told, terminal.evidence_table(of)])
    _finish(found, rejections)


@app.command()
def price(
    plan: Annotated[str, typer.Argument(help="Plan file.")],
    quantity: Annotated[list[str], typer.Argument(help="Quantities to price.")],
    format: As = Format.table,
    output: Output = None,
) -> None:
    """What quantities cost under a plan, and how."""
    from .core.errors import NotPriced
    from .formats import documents
    from .formats.terms import load_plan

    by = load_plan(plan)
    prices = []
    for text in quantity:
        try:
            prices.append(by.price(Decimal(text)))
        except InvalidOperation:
            raise NotPriced("quantity_range", field="quantity", got=text) from None
    if format is Format.table:
        _print_tables(output, lambda to: [_terminal().prices_table(prices, by)])
    elif format is Format.json:
        _write(output, documents.to_json(documents.price(p, by) for p in prices) + "\n")
    else:
        _write(output, documents.to_csv([documents.price(p, by) for p in prices], documents.PRICE_COLUMNS))


@plans.command("check")
def check(plan: Annotated[str, typer.Argument(help="Plan file.")], format: As = Format.table) -> None:
    """Refuse what is wrong with a plan; point out where totals fall and where prices end."""
    from .formats import documents
    from .formats.terms import load_plan

    by = load_plan(plan)
    warnings = by.warnings()
    if format is Format.json:
        _write(None, documents.to_json({"code": w.code, "message": str(w)} for w in warnings) + "\n")
        return
    for warning in warnings:
        print(f"{plan}: {warning.code}: {warning}")
    ending = "" if not warnings else f", {len(warnings)} {'thing' if len(warnings) == 1 else 'things'} to know"
    print(f"{plan}: plan {by.id} prices every quantity in one way{ending}.")


def main() -> None:
    """Run the command line; what cannot be done ends with status 2 and a sentence that says why."""
    from .core.errors import BillingError

    sys.meta_path.insert(0, _WithoutPandas())
    try:
        app()
    except BillingError as error:
        _say(f"{error.code}: {error}")
        sys.exit(UNUSABLE)
    except PermissionError as error:
        _say(str(BillingError("file_unwritable", str(error.filename), detail=str(error.strerror))))
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


def _finish(found: Activity, kept: Path | None) -> None:
    """Say what became of the rows, keep the rejections, and end with the status that tells."""
    import json

    from .core.errors import sentence

    again = int(found.intervals.after_deletion.sum())
    if again:
        total = len(found.intervals)
        _say(f"active_after_deletion: {sentence('active_after_deletion', count=f'{again:,}', total=f'{total:,}')}")
    rejected: Iterable[Rejection] = found.rejections
    if kept is not None:
        kept.write_text("".join(json.dumps(r.as_json(), ensure_ascii=False) + "\n" for r in rejected), encoding="utf-8")
    for rejection in found.rejections[:REJECTIONS_SHOWN]:
        _say(f"{rejection.code}: {rejection}")
    if len(found.rejections) > REJECTIONS_SHOWN:
        more = len(found.rejections) - REJECTIONS_SHOWN
        _say(f"... and {more:,} more; --rejections FILE keeps all of them.")
    _say(str(found.tally))
    if found.rejections:
        raise typer.Exit(REJECTED)


def _terminal() -> Any:
    from .formats import terminal

    return terminal


def _print_tables(output: Path | None, draw: Any) -> None:
    """Draw for the terminal, or as plain text into a file."""
    if output is None:
        _draw(_terminal().console(), draw)
        return
    with output.open("w", encoding="utf-8") as file:
        _draw(_terminal().console(file=file), draw)


def _draw(to: Console, draw: Any) -> None:
    for part in draw(to):
        to.print(part)


def _write(output: Path | None, text: str) -> None:
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    else:
        output.write_bytes(text.encode())


def _say(text: str) -> None:
    """Tell people, on standard error, which programs do not read."""
    sys.stdout.flush()  # the result comes first, also where both go to one place
    print(text, file=sys.stderr)
