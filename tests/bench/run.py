"""All figures, beside the peers on the same files in the same run: `make bench`.

    python -m tests.bench.run [--events 20e6] [--memory-events 200e6] [--quick] [--folder FOLDER]
        [--log FILE] [--only PART...]

Ends with status 1, and the differences, if an answer is not that of the peers. A run of everything
writes the table to `results.md` beside this file; a quick one, or one of some parts, only prints it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench import books
from tests.bench.figures import Figure, machine, table
from tests.bench.forecasting import calibrated, forecast
from tests.bench.measure import Differs, Files, disorder, evidence, first_run, job, kernel, memory, say, text
from tests.bench.reconciling import reconciled

RESULTS: Final = Path(__file__).with_name("results.md")
PARTS: Final = (
    "job",
    "kernel",
    "memory",
    "disorder",
    "text",
    "evidence",
    "reconciled",
    "forecast",
    "calibrated",
    "first_run",
    "embedded",
    "history",
    "billed",
    "server",
)
#: How much of it a quick run measures.
QUICK: Final = 0.05
_PREFACE: Final = """# Figures

Measured by `make bench`, the answers compared with those of DuckDB and Polars before any time was taken down.
Seconds are those of one machine and a warm cache; what counts are the ratios, which come from one run.
Ours and the reading of text are medians of five runs in turns, fresh processes of seven, a peer's the better of two.
"""


def main() -> int:
    """Measure, print and keep."""
    given = _arguments()
    parts = _parts(given)
    if busy := os.getloadavg()[0] > 0.5:
        say(f"this machine is busy (load {os.getloadavg()[0]:.1f}): times will be too long and ratios rough")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="billing-bench-") as temporary:
        files = Files(given.folder or Path(temporary))
        for name in given.only or parts:
            try:
                found = [figure if not given.quick else figure.without_target() for figure in parts[name](files)]
            except Differs as difference:
                print(difference, file=sys.stderr)
                return 1
            print(table(found), flush=True)
            figures += found
    print(f"\n{table(figures)}\n\n{machine()}")
    missed = [figure.what for figure in figures if figure.met not in ("", "yes")]
    if given.quick:
        print("A quick run says nothing about speed: what is fixed outweighs what grows with the events.")
    else:
        print(f"{len(missed)} targets missed." if missed else "Every target met.")
    if not given.quick and not given.only:
        note = "\nThe machine was busy with other work.\n" if busy else ""
        RESULTS.write_text(f"{_PREFACE}\n{table(figures)}\n\n{machine()}\n{note}", encoding="utf-8")
    return 0


def _parts(given: argparse.Namespace) -> dict[str, Callable[[Files], Iterator[Figure]]]:
    scale = QUICK if given.quick else 1
    events, most = int(given.events * scale), int(given.memory_events * scale)
    return {
        "job": partial(job, events=events),
        "kernel": partial(kernel, events=events),
        "memory": partial(memory, sizes=(events, most)),
        "disorder": partial(disorder, events=events, events_with_ids=events // 5),
        "text": partial(text, events=events // 10),
        "evidence": partial(evidence, accounts=int(2_000 * scale)),
        "reconciled": partial(reconciled, events=events),
        "forecast": partial(forecast, accounts=int(1_000 * scale)),
        "calibrated": partial(calibrated, log=given.log),
        "first_run": first_run,
        "embedded": partial(books.embedded, events=events // 20),
        "history": partial(books.history, events=events // 20),
        "billed": partial(books.billed, events=events // 2),
        "server": partial(books.server, events=events // 20),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description="Measure the engine.")
    parser.add_argument("--events", type=float, default=20e6, help="events of the large files")
    parser.add_argument("--memory-events", type=float, default=200e6, help="events of the file to measure memory with")
    parser.add_argument("--quick", action="store_true", help="a twentieth of it: whether it works, not how fast it is")
    parser.add_argument("--folder", type=Path, help="keep the files here, and use those that are there")
    parser.add_argument("--log", type=Path, help="look back on the forecasts of this source of events as well")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"some of {', '.join(PARTS)}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
