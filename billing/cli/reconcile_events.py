"""Reconciling events: those of two sources, and which differences change a bill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import remedies, tables
from .option_groups import CycleOptions, KnownOptions, OutputOptions, ReadingOptions, RecordedOptions, TermsOptions
from .options import Source
from .output import FOUND, counting, keep, say, say_some

if TYPE_CHECKING:
    from ..reconciliation.effects import Alignment, Origin


def reconcile_events(
    source: Source,
    foreign: Annotated[str, typer.Argument(help="Another source, as somebody else has it.")],
    *,
    cycles: CycleOptions,
    terms: TermsOptions,
    known: KnownOptions,
    tolerance: Annotated[
        str, typer.Option(help="Without ids: how far apart two events may be and still be one that was shifted.")
    ] = "P1D",
    everything: Annotated[
        bool, typer.Option("--all", help="As json or csv, also list differences that change no bill.")
    ] = False,
    read: ReadingOptions,
    out: OutputOptions,
) -> None:
    """Compare the events of two sources.

    Shows which events differ, which of those change a bill and by how much, and ends with status 1 if any differ.
    """
    from .. import engine
    from ..config.terms import span
    from ..inputs.encoder import Encoder
    from ..ledger.ledger import Ledger
    from ..outputs.tables import event_diff
    from ..reconciliation import events

    apart = span(tolerance, field="--tolerance")
    encoder = Encoder()
    with engine.open_source(source) as ours, engine.open_source(foreign) as theirs:
        sides = []
        for side, other in ((ours, theirs), (theirs, ours)):
            elsewhere = isinstance(other, Ledger) and not isinstance(side, Ledger)
            own = RecordedOptions(known.known_at) if elsewhere else known
            with read.options(side, own) as options:
                sides.append((events.load_source(side, options, encoder), options))
        # A ledger has its own terms, whichever of the two it is.
        by = 1 if isinstance(theirs, Ledger) and not isinstance(ours, Ledger) else 0
        query = cycles.query(terms.applied_to((ours, theirs)[by], sides[by][1]), as_of=known.as_of)
        names = [str(side.name if isinstance(side, Ledger) else side) for side in (ours, theirs)]
    with counting("measuring", "differences") as counted:
        found = events.compare_sources(sides[0][0], sides[1][0], encoder, query, tolerance=apart, progress=counted)
    out.write(
        table=lambda to: [event_diff.summary(found, *names), *tables.event_diff.alignment_tables(found)],
        rows=lambda: event_diff.differences(found, everything=everything),
        json=lambda: json.dumps(event_diff.document(found, *names, everything=everything), ensure_ascii=False),
    )
    _finish(found, names, read.rejections)


def _finish(found: Alignment, names: list[str], kept: Path | None) -> None:
    """Report what the sources contained, keep the rejections of both, and end with 1 if anything differs."""
    rejections = [*found.ours.rejections, *found.theirs.rejections]
    keep(rejections, kept)
    say_some([*map(remedies.line_of, rejections)], "--rejections FILE keeps all of them")
    if found.credits_left_out:
        say(remedies.line("credits_not_weighed"))
    for name, origin in zip(names, (found.ours, found.theirs), strict=True):
        say(f"{name}: {_contents(origin)}")
    if found.differences or rejections:
        raise typer.Exit(FOUND)


def _contents(origin: Origin) -> str:
    if origin.position is None:
        return str(origin.tally)
    return f"position {origin.position:,}, digest {origin.digest}"
