"""Any biller against the definition: what is right passes, what is wrong becomes a short story."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from billing import BillingError, Terms
from billing.core.event import TYPES
from billing.core.minimize import minimize
from billing.verify import Wrong, check, strategies
from billing.verify.attack import billers
from billing.verify.attack.billers import Answer, BillerFailed, Command, Cycle
from billing.verify.attack.story import narrate
from billing.verify.audit import expected
from billing.verify.definition import DAY, Event
from tests.conftest import Cli

FOLDER = Path(__file__).parents[2] / "fixtures" / "billers"
WRONG = run_path(str(FOLDER / "wrong.py"))
MISTAKES: dict[str, dict[str, str]] = WRONG["MISTAKES"]
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
START, END = strategies.JANUARY


class Script:
    """A biller's script, run in this process: to start Python for each question would take minutes."""

    def __init__(self, text: str) -> None:
        self._main: Any = {"__name__": "biller"}
        exec(compile(text, "biller.py", "exec"), self._main)

    def __call__(self, events: Sequence[Event], cycles: Sequence[Cycle]) -> list[Answer]:
        with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as out:
            files = billers.write(Path(folder), events, cycles)
            self._main["main"](*files.values())
        return billers.parse_answers(out.getvalue().encode(), cycles)


def by_the_definition(events: Sequence[Event], cycles: Sequence[Cycle]) -> list[Answer]:
    def answer(cycle: Cycle) -> Answer:
        own = [e for e in events if e.account_id == cycle.account_id]
        peak, _, total = expected.invoice(own, cycle.start, cycle.end, cycle.terms)
        return Answer(peak, total)

    return [answer(cycle) for cycle in cycles]


def deaf(events: Sequence[Event], cycles: Sequence[Cycle]) -> list[int]:
    return [0 for _ in cycles]


# What is right.


def test_a_biller_that_is_the_definition_passes() -> None:
    checked = check(by_the_definition, ledgers=200, terms=strategies.terms())
    assert (200, True, True) == (checked.ledgers, checked.peaks > 500, checked.totals == checked.peaks)


def test_the_biller_of_the_fixtures_is_right() -> None:
    check(Script((FOLDER / "biller.py").read_text()), ledgers=10_000 if LONG else 300, terms=strategies.terms())


def test_our_own_command_line_is_right(tmp_path: Path) -> None:
    """It needs no adapter: it takes the same files, and what it writes is what the search expects."""
    ours = Command(f"{sys.executable} -m billing invoice {{events}} --terms {{terms}} --format json")
    checked = check(ours, ledgers=1_000 if LONG else 25, terms=strategies.terms())
    assert checked.totals > 0


# What is wrong.


@pytest.mark.parametrize("name", MISTAKES)
def test_every_known_mistake_is_caught_by_five_events_at_most(name: str) -> None:
    """Each is one line of a right biller put wrongly, and has cost somebody money."""
    words = f"{sys.executable} {FOLDER}/wrong.py {name} {{events}} {{cycles}} {{terms}}"
    with pytest.raises(Wrong) as caught:
        check(Command(words) if LONG else Script(WRONG["mistaken"](name)), terms=strategies.terms(), ledgers=20_000)
    assert len(caught.value.difference.case.events) <= 5


def test_a_story_says_what_meets_and_what_was_expected() -> None:
    with pytest.raises(Wrong) as caught:
        check(Script(WRONG["mistaken"]("starts-before-ends")), terms=strategies.terms())
    first, context, *events = str(caught.value).splitlines()
    assert first.endswith(": expected 1, got 2.")
    assert "exactly when the" in first or "at the instant" in first
    assert context.startswith("  account acme, cycle 20")
    assert len(caught.value.difference.case.events) == len(events)


def test_a_biller_that_raises_is_told_with_what_made_it() -> None:
    def fragile(events: Sequence[Event], cycles: Sequence[Cycle]) -> list[int]:
        return [{"ada": 0}[e.identity_id] for e in events if e.identity_id != "ada"] or deaf(events, cycles)

    with pytest.raises(Wrong, match=r"and it raised KeyError: '(bo|cy|di)'"):
        check(fragile, types=["identity.deleted"])


def test_answers_that_do_not_fit_the_cycles_are_told() -> None:
    with pytest.raises(Wrong, match="it gave 0 answers for 1 cycles"):
        check(lambda events, cycles: [])


def test_other_seeds_bring_other_ledgers_and_the_same_seed_the_same() -> None:
    seen: list[tuple[Event, ...]] = []

    def watching(events: Sequence[Event], cycles: Sequence[Cycle]) -> list[Answer]:
        seen.append(tuple(events))
        return by_the_definition(events, cycles)

    for seed in (1, 1, 2):
        check(watching, ledgers=20, first_seed=seed)
    once, again, other = seen[:3], seen[3:6], seen[6:9]
    assert once == again != other


def test_only_the_types_asked_for_are_drawn() -> None:
    """A biller without voids gets none."""
    types: set[str] = set()

    def watching(events: Sequence[Event], cycles: Sequence[Cycle]) -> list[Answer]:
        types.update(e.type for e in events)
        return by_the_definition(events, cycles)

    check(watching, ledgers=50, types=["action.called", "identity.deleted"], conflicts=False)
    assert {"action.called", "identity.deleted"} == types


# Commands.


def test_a_command_gets_files_or_standard_input_and_answers_in_json(tmp_path: Path) -> None:
    script = tmp_path / "echo.py"
    script.write_text(
        "import csv, json, sys\n"
        "rows = list(csv.DictReader(open(sys.argv[1]) if len(sys.argv) > 1 else sys.stdin))\n"
        "print(json.dumps([{'account_id': r['account_id'], 'cycle_start': '2026-01-01T00:00:00Z', 'peak': 7,\n"
        "                   'total': '1.50'} for r in rows]))\n"
    )
    event = Event("acme", "ada", "action.called", START, "e1")
    cycle = Cycle("acme", START, END, Terms())
    for words in ("{events}", ""):
        assert [Answer(7, Decimal("1.50"))] == Command(f"{sys.executable} {script} {words}")([event], [cycle])


def test_a_row_that_is_not_there_says_nothing_is_active() -> None:
    cycle = Cycle("acme", START, END, Terms())
    assert [Answer(0)] == billers.parse_answers(b"[]", [cycle])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('no such plan')", "ended with status 1 and no answer: no such plan"),
        ("print('peak: 3')", "its answer is not an array of account_id, cycle_start and peak"),
        ("print('[{}]')", "its answer is not an array of account_id, cycle_start and peak"),
        ("import time; time.sleep(9)", "it gave no answer within 0.2 seconds"),
    ],
)
def test_a_command_without_an_answer_is_told_with_what_it_did(code: str, message: str) -> None:
    cycle = Cycle("acme", START, END, Terms())
    with pytest.raises(BillerFailed, match=message):
        Command(f'{sys.executable} -c "{code}"', seconds=0.2 if "sleep" in code else 30)([], [cycle])


@pytest.mark.parametrize("line", ["", "no-such-program {events}", "open 'quote"])
def test_a_command_that_cannot_be_run_is_no_difference(line: str) -> None:
    with pytest.raises(BillingError) as refused:
        Command(line)
    assert refused.value.code == "biller_unusable"


def test_the_command_line_tells_the_story_and_keeps_what_shows_it(cli: Cli, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    command = f"{sys.executable} {FOLDER}/wrong.py carry-over-dropped {{events}} {{cycles}} {{terms}}"
    found = cli("verify", "--against", command, "--keep", str(kept))
    assert (1, True) == (found.status, "expected 1, got 0" in found.out)
    assert ["cycles.csv", "events.csv", "expected.json", "story.txt", "terms.json"] == sorted(
        path.name for path in kept.iterdir() if not path.name.startswith("plan")
    )
    (expect,) = json.loads((kept / "expected.json").read_text())
    assert 1 == expect["peak"]

    right = Command(f"{sys.executable} {FOLDER}/biller.py {kept}/events.csv {kept}/cycles.csv {kept}/terms.json")
    assert right._run({}, b"").strip().startswith(b'[{"account_id": "acme"')


def test_the_command_line_says_how_much_was_compared(cli: Cli) -> None:
    command = f"{sys.executable} {FOLDER}/biller.py {{events}} {{cycles}} {{terms}}"
    found = cli("verify", "--against", command, "--ledgers", "5", "--format", "json")
    assert (0, 5) == (found.status, json.loads(found.out)["ledgers"])


def test_a_biller_that_fails_on_nothing_is_told_so() -> None:
    with pytest.raises(Wrong, match="nothing happens: expected 0, and it raised ZeroDivisionError"):
        check(lambda events, cycles: [1 // 0])


def test_without_hypothesis_the_command_line_says_how_to_get_it() -> None:
    code = "import sys; sys.modules['hypothesis'] = None; from billing.cli import main; main()"
    words = [sys.executable, "-c", code, "verify", "--against", sys.executable]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    message = "verify_missing: hypothesis is not installed. Install it with: pip install 'peak-billing[verify]'.\n"
    assert (2, message) == (done.returncode, done.stderr)


@pytest.mark.parametrize(
    "words", ["", "events.csv --against true", "--against true --type action", "--against true --format csv"]
)
def test_verify_takes_a_source_or_a_biller(words: str, cli: Cli) -> None:
    found = cli("verify", *words.split())
    assert (2, True) == (found.status, found.err.startswith("usage: "))


# Small things made small.


def test_the_smallest_part_is_found_also_where_two_things_belong_together() -> None:
    """A void and what it voids go together or not at all."""
    assert [3, 4, 8] == minimize(range(10), lambda some: 3 in some and (4 in some) is (8 in some) is True)
    assert [5] == minimize(range(10), lambda some: 5 in some and (1 in some) is (2 in some))


@pytest.mark.parametrize(
    ("events", "story"),
    [
        ([("ada", "action.called", 0), ("ada", "identity.deleted", 0)],
         "ada acts as the cycle starts; ada is deleted at the instant it acts"),
        ([("ada", "action.called", -30), ("bo", "integration.connected", 31)],
         "ada acts 30 days before the cycle; bo connects as the cycle ends"),
        ([("ada", "identity.created", 2), ("ada", "event.voided", 40)],
         "ada is created as engagement 2 days into the cycle; ada has e0 voided after the cycle"),
    ],
)  # fmt: skip
def test_events_are_told_by_what_they_meet(events: list[tuple[str, str, int]], story: str) -> None:
    happened = [
        Event("acme", identity, kind, START + day * DAY, f"e{k}", None, "e0" if kind == "event.voided" else None)
        for k, (identity, kind, day) in enumerate(events)
    ]
    assert story == narrate(happened, strategies.JANUARY)


def test_ids_that_are_told_twice_are_told_so() -> None:
    first = Event("acme", "ada", "action.called", START, "e1")
    again = Event("acme", "bo", "action.called", START, "e1")
    other = Event("bolt", "ada", "action.called", START, "e1")
    assert "ada acts, told again" in narrate([first, first], strategies.JANUARY)
    assert "bo acts, under the id of another event (e1)" in narrate([first, again], strategies.JANUARY)
    assert "ada of bolt acts, under an id that acme uses too (e1)" in narrate([first, other], strategies.JANUARY)


def test_every_type_has_its_verb() -> None:
    for kind in TYPES:
        assert "ada" in narrate([Event("acme", "ada", kind, START, "e1", "standard", "e2")], strategies.JANUARY)
