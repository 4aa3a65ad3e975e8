"""Reconciling events: those of two sources held against each other, and which differences move a bill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .options import Format, query_of, read_options, terms_of
from .output import FOUND, counting, keep, print_tables, say, say_some, write

if TYPE_CHECKING:
    from ..reconciliation.effects import Alignment, Origin


def reconcile_events(
    source: str,
    foreign: str,
    *,
    agreed: tuple[str | None, str | None, str | None, str | None, int | None, str | None],
    asked: tuple[str | None, str | None, str | None, list[str] | None, str | None],
    known: tuple[str | None, int | None],
    read_as: tuple[bool, bool],
    tolerance: str,
    everything: bool,
    format: Format,
    output: Path | None,
    rejections: Path | None,
) -> None:
    """Hold the events of two sources against each other, and print what differs.

    `agreed` is what the options say of terms, `asked` of cycles and accounts, `known` of what was
    known when, `read_as` of reading strictly and of unknown columns; each as the options that share it take it.
    """
    from .. import engine
    from ..config.terms import span
    from ..inputs.encoder import Encoder
    from ..ledger.ledger import Ledger
    from ..outputs.tables import event_diff
    from ..outputs.tables.text import to_csv
    from ..reconciliation import events

    apart = span(tolerance, field="--tolerance")
    encoder = Encoder()
    with engine.open_source(source) as ours, engine.open_source(foreign) as theirs:
        sides = []
        for side, other in ((ours, theirs), (theirs, ours)):
            elsewhere = isinstance(other, Ledger) and not isinstance(side, Ledger)
            with read_options(side, *read_as, known[0], position=None if elsewhere else known[1]) as options:
                sides.append((events.told(side, options, encoder), options))
        # A ledger has its own terms, whichever of the two it is.
        whose = 1 if isinstance(theirs, Ledger) and not isinstance(ours, Ledger) else 0
        terms = terms_of((ours, theirs)[whose], sides[whose][1], *agreed)
        named = [str(side.name if isinstance(side, Ledger) else side) for side in (ours, theirs)]
    query = query_of(terms, *asked)
    with counting("weighing", "differences") as counted:
        found = events.held(sides[0][0], sides[1][0], encoder, query, tolerance=apart, progress=counted)
    if format is Format.json:
        told = event_diff.document(found, *named, everything=everything)
        write(output, json.dumps(told, ensure_ascii=False) + "\n")
    elif format is Format.csv:
        write(output, to_csv(event_diff.differences(found, everything=everything)))
    else:
        from .tables import event_diff as tables

        print_tables(output, lambda to: [event_diff.summary(found, *named), *tables.alignment_tables(found)])
    _finish(found, named, rejections)


def _finish(found: Alignment, named: list[str], kept: Path | None) -> None:
    """Say what the sources held, keep the rejections of both, and end with the status that tells."""
    from ..core.errors import sentence

    rejections = [*found.ours.rejections, *found.theirs.rejections]
    keep(rejections, kept)
    say_some([f"{r.code}: {r}" for r in rejections], "--rejections FILE keeps all of them")
    if found.credits_left_out:
        say(f"credits_not_weighed: {sentence('credits_not_weighed')}")
    for name, origin in zip(named, (found.ours, found.theirs), strict=True):
        say(f"{name}: {_held(origin)}")
    if found.differences or rejections:
        raise typer.Exit(FOUND)


def _held(origin: Origin) -> str:
    if origin.position is None:
        return str(origin.tally)
    return f"position {origin.position:,}, digest {origin.digest}"
