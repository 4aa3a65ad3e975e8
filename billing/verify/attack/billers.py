"""Billers: functions or commands that compute the peaks of some cycles.

A function takes events and cycles and returns, for each cycle in turn, its peak, or an `Answer` that
has the total as well. A command gets them as files and answers in JSON; the README of this package
describes the protocol.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from ...config.terms import plan_document, version_document
from ...core.cycle import instant_of, text_of
from ...core.errors import BillingError, quoted
from ...core.terms import AllTerms, Terms, TermsVersion
from ..definition import Event

EVENT_COLUMNS: Final = ("event_id", "account_id", "identity_id", "type", "occurred_at", "identity_type", "voids")
CYCLE_COLUMNS: Final = ("account_id", "cycle_start", "cycle_end")
#: How long a command may take for one question.
SECONDS: Final = 60.0


class Cycle(NamedTuple):
    """A cycle to bill, `[start, end)` in microseconds, and the terms of its account."""

    account_id: str
    start: int
    end: int
    terms: Terms


class Answer(NamedTuple):
    """A biller's answer for one cycle: its peak, and its total unless the biller knows no prices."""

    peak: int
    total: Decimal | None = None


#: Events are in their order of arrival, which is not that of time; answers are in the order of the cycles.
Biller = Callable[[Sequence[Event], Sequence[Cycle]], Iterable[Answer | int]]


class BillerFailed(Exception):
    """Raised by a biller that gave no answer; the message says what happened instead."""


class Command:
    """A command as a biller, written as one would type it.

    `{events}`, `{cycles}` and `{terms}` in it are replaced by the paths of files; without `{events}`
    the events come on standard input. Raises `BillingError` (`biller_unusable`) if there is no such
    program.
    """

    def __init__(self, line: str, *, seconds: float = SECONDS) -> None:
        self._line = line
        self._seconds = seconds
        try:
            self._words = shlex.split(line)
        except ValueError as error:
            raise BillingError("biller_unusable", got=line, detail=str(error).lower()) from None
        if not self._words:
            raise BillingError("biller_unusable", got=line, detail="it is empty")
        if shutil.which(self._words[0]) is None:
            raise BillingError("biller_unusable", got=line, detail=f"there is no program {quoted(self._words[0])}")

    @property
    def takes_cycles(self) -> bool:
        """True if the command takes `{cycles}` or `{terms}`. Without them, cycles are calendar months of UTC."""
        return "{cycles}" in self._line or self.takes_terms

    @property
    def takes_terms(self) -> bool:
        """True if the command takes `{terms}`. Without it, default windows apply and nothing is priced."""
        return "{terms}" in self._line

    def __call__(self, events: Sequence[Event], cycles: Sequence[Cycle]) -> list[Answer]:
        """Run the command once, and read its answers. Raises `BillerFailed`."""
        with TemporaryDirectory(prefix="billing-verify-") as folder:
            files = write(Path(folder), events, cycles)
            return parse_answers(self._run(files, files["events"].read_bytes()), cycles)

    def _run(self, files: dict[str, Path], events: bytes) -> bytes:
        words = self._words
        for name, path in files.items():
            words = [word.replace(f"{{{name}}}", str(path)) for word in words]
        try:
            done = subprocess.run(words, input=events, capture_output=True, timeout=self._seconds, check=False)
        except OSError as error:
            raise BillerFailed(f"it cannot be run: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise BillerFailed(f"it gave no answer within {self._seconds:g} seconds") from None
        if not done.stdout.strip():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise BillerFailed(
                f"it ended with status {done.returncode} and no answer{': ' if last else ''}{''.join(last)}"
            )
        return done.stdout


def write(folder: Path, events: Sequence[Event], cycles: Sequence[Cycle]) -> dict[str, Path]:
    """Write what a command gets: `events` and `cycles` in CSV, and `terms` as a terms file in JSON."""
    files = {"events": folder / "events.csv", "cycles": folder / "cycles.csv", "terms": folder / "terms.json"}
    rows = ({**vars(event), "occurred_at": text_of(event.occurred_at)} for event in events)
    files["events"].write_text(_csv(EVENT_COLUMNS, rows), encoding="utf-8")
    requested = (
        {"account_id": account, "cycle_start": text_of(start), "cycle_end": text_of(end)}
        for account, start, end, _ in cycles
    )
    files["cycles"].write_text(_csv(CYCLE_COLUMNS, requested), encoding="utf-8")
    _write_terms(files["terms"], {cycle.account_id: cycle.terms for cycle in cycles})
    return files


def _write_terms(path: Path, terms: dict[str, Terms]) -> None:
    """Write the terms of each account, and each of their plans to a file of its own."""
    accounts = version_document(TermsVersion(1, None, AllTerms(accounts=terms)))["accounts"]
    plans: list[Any] = []
    for account, own in terms.items():
        accounts[account] = {key: value for key, value in accounts[account].items() if value is not None}
        accounts[account].pop("catalogue", None)  # billers price peaks only
        if own.plan is None:
            continue
        if own.plan not in plans:
            plans.append(own.plan)
        accounts[account]["plan"] = f"plan-{plans.index(own.plan) + 1}.json"
    for number, plan in enumerate(plans, 1):
        path.with_name(f"plan-{number}.json").write_text(json.dumps(plan_document(plan)) + "\n", encoding="utf-8")
    path.write_text(json.dumps({"accounts": accounts}, indent=2) + "\n", encoding="utf-8")


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def parse_answers(text: bytes, cycles: Sequence[Cycle]) -> list[Answer]:
    """The answer for each cycle, from JSON. A cycle that is not in it has a peak of 0 and no total."""
    try:
        rows = {(row["account_id"], instant_of(row["cycle_start"])): row for row in json.loads(text)}
        found = []
        for cycle in cycles:
            row = rows.get((cycle.account_id, cycle.start), {"peak": 0})
            total = row.get("total")
            found.append(Answer(int(row["peak"]), None if total is None else Decimal(str(total))))
    except (ValueError, TypeError, KeyError, AttributeError, InvalidOperation, AssertionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise BillerFailed(f"its answer is not an array of account_id, cycle_start and peak ({why})") from None
    return found
