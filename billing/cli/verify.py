"""The verb that searches for mistakes: in a source, in invoices, or of somebody else's biller."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import remedies
from .option_groups import CycleOptions, KnownOptions, ReadingOptions, TermsOptions, open_query
from .options import As, Format, IgnoreExtra, Rejections
from .output import FOUND, counting, finish, say, write

if TYPE_CHECKING:
    from ..verify.audit.audit import Audit
    from ..verify.audit.discrepancy import Discrepancy

Keep = Annotated[Path, typer.Option("--keep", help="Folder for the events that show a difference.")]


@dataclass(frozen=True, slots=True)
class BillerOptions:
    """What to try somebody else's biller on."""

    ledgers: Annotated[int, typer.Option(help="How many random ledgers to try a biller on.")] = 2_000
    seed: Annotated[int, typer.Option(help="Other ledgers for another number.")] = 0
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type; may be given several times.")
    ] = None
    conflicts: Annotated[bool, typer.Option(help="Also one id with two contents, one identity with two types.")] = True


def verify(
    source: Annotated[
        str | None, typer.Argument(help="Events, as for the other verbs, or the URL of a ledger.")
    ] = None,
    *,
    against: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help="A biller to compare with the definition, as you would type it."),
    ] = None,
    invoice: Annotated[Path | None, typer.Option(help="Invoices in JSON, to compute again from the source.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Check large accounts in full too.")] = False,
    biller: BillerOptions,
    keep: Keep = Path("counterexample"),
    cycles: CycleOptions,
    terms: TermsOptions,
    known: KnownOptions,
    format: As = Format.table,
    ignore_extra: IgnoreExtra = False,
    rejections: Rejections = None,
) -> None:
    """Compute bills again by the definition.

    With --against, search for a ledger on which a biller is wrong.
    """
    from ..core.errors import BillingError

    if (source is None) == (against is None):
        raise BillingError("usage", detail="verify takes either a source or --against COMMAND")
    if format is Format.csv:
        raise BillingError("usage", detail="verify answers as table or json")
    if source is None:
        assert against is not None, "one of the two was given"
        _against(against, biller, keep, format)
        return
    read = ReadingOptions(ignore_extra=ignore_extra)
    with open_query(source, cycles, terms, known, read) as (opened, query, options):
        if invoice is None:
            from ..verify.audit.audit import audit

            with counting("verifying") as counted:
                found = audit(opened, query, options, everything=everything, progress=counted)
        else:
            found = _invoices(opened, invoice, query, options)
    _report(found, keep, format, rejections)


def _invoices(source: Any, file: Path, query: Any, options: Any) -> Audit:
    from ..core.errors import BillingError
    from ..verify.audit.audit import UNREADABLE, audit_invoices, unreadable

    try:
        documents = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BillingError("file_missing", str(file), hint="") from None
    except OSError as error:
        raise BillingError("file_unreadable", str(file), detail=error.strerror or "") from None
    except (ValueError, RecursionError) as error:
        raise BillingError("invoice_unreadable", str(file), detail=str(error).rstrip(".")) from None
    try:
        return audit_invoices(source, documents if isinstance(documents, list) else [documents], query, options)
    except BillingError:
        raise
    except UNREADABLE as error:
        raise BillingError("invoice_unreadable", str(file), detail=unreadable(error)) from None


def _report(found: Audit, keep: Path, format: Format, rejections: Path | None) -> None:
    """Print what was checked and what differs, and keep the events that show it."""
    kept = [_kept(one, keep / str(number)) for number, one in enumerate(found.discrepancies, 1)]
    if format is Format.json:
        write(
            None,
            json.dumps(
                {
                    "bills": found.bills,
                    "documents": found.documents,
                    "in_full": found.full,
                    "sampled": found.sampled,
                    "discrepancies": [one.as_json() for one in found.discrepancies],
                    "findings": [*map(remedies.finding_json, found.findings)],
                },
                ensure_ascii=False,
            )
            + "\n",
        )
    else:
        for line in _looked_at(found):
            print(line)
        for finding in found.findings:
            print(remedies.line_of(finding))
        for one, files in zip(found.discrepancies, kept, strict=True):
            print(one)
            if files:
                print(f"  {files}")
        print(_result(found))
    if found.found is not None:
        finish(found.found, rejections, status=0 if found.holds else FOUND)
    elif not found.holds:
        raise typer.Exit(FOUND)


def _looked_at(found: Audit) -> Iterator[str]:
    """What was checked in full, and what by sample."""
    if found.full:
        yield f"In full: {_some(found.full)}."
    for account, instants in found.sampled.items():
        yield f"By sample: {account}, the count at {instants:,} instants, that of each peak among them (--all for all)."
    if found.unpriced:
        yield "Prices were not looked up: give --plan or --terms for that."


def _result(found: Audit) -> str:
    """Whether all of it is right, in one sentence."""
    figures = [_counted(found.bills, "bill")] if found.bills else []
    figures += [_counted(found.documents, "document")] if found.documents else []
    text = f"{' and '.join(figures) or 'no bills'}: "
    differ = len(found.discrepancies)
    text += f"{_counted(differ, 'figure')} not as the definition has it" if differ else "all as the definition has them"
    return text + (f"; {_counted(len(found.findings), 'finding')} about the ledger itself." if found.findings else ".")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more accounts" if names[5:] else "")


def _kept(one: Discrepancy, folder: Path) -> str:
    """Write the events that show a discrepancy, with the terms and the story; returns a sentence about it."""
    if not one.events:
        return ""
    from ..verify.attack import billers

    cycle = billers.Cycle(one.bill.account_id, one.bill.start, one.bill.end, one.bill.terms)
    folder.mkdir(parents=True, exist_ok=True)
    billers.write(folder, one.events, [cycle])
    (folder / "story.txt").write_text(f"{one}\n", encoding="utf-8")
    return f"Kept in {folder}: events.csv, cycles.csv and terms.json."


def _against(command: str, options: BillerOptions, keep: Path, format: Format) -> None:
    """Search for a ledger on which a biller is wrong, and keep it."""
    from ..core.errors import BillingError
    from ..core.event import TYPES
    from ..verify.attack.billers import Command

    biller = Command(command)
    unknown = [name for name in options.types or [] if name not in TYPES]
    if unknown:
        raise BillingError("usage", detail=f"--type is {unknown[0]}; known are {', '.join(TYPES)}")
    try:
        from ..verify import strategies
        from ..verify.attack.differential import Wrong, check
    except ModuleNotFoundError as error:
        raise BillingError("verify_missing", detail=error.name) from None
    try:
        with counting("trying", "ledgers") as counted:
            checked = check(
                biller,
                ledgers=options.ledgers,
                terms=strategies.terms() if biller.takes_terms else None,
                anchored=biller.takes_cycles,
                types=tuple(options.types) if options.types else strategies.TYPES,
                conflicts=options.conflicts,
                first_seed=options.seed,
                progress=counted,
            )
    except Wrong as wrong:
        wrong.difference.write(keep)
        if format is Format.json:
            write(None, json.dumps(wrong.difference.as_json(), ensure_ascii=False) + "\n")
        else:
            print(wrong)
            say(f"Kept in {keep}: the question, as it was put, and what is right.")
        raise typer.Exit(FOUND) from None
    if format is Format.json:
        write(None, json.dumps(vars(checked)) + "\n")
    else:
        print(checked)
