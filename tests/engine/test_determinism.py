"""The same bytes whatever the machine: hash seed, time zone, language, threads, processors.

A bill that cannot be computed again to the byte cannot be proven. Commands run in processes of
their own, under settings chosen so that every two values of two settings meet in one of them.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import permutations, product
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT: Final = Path(__file__).parents[2]
AGENCY: Final = ("fixtures/agency/events.csv", "--terms", "fixtures/agency/terms.toml")
#: So many events that kernels are compiled and row groups are read by several threads.
EVENTS: Final = 120_000
YEAR_US: Final = 365 * 86_400_000_000
JANUARY_US: Final = 1_735_689_600_000_000  # of 2025
PROCESSORS: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

Setting = Mapping[str, str]
HASH_SEEDS: Final[tuple[Setting, ...]] = tuple({"PYTHONHASHSEED": str(number)} for number in range(4))
ZONES: Final[tuple[Setting, ...]] = tuple({"TZ": name} for name in ("UTC", "America/New_York", "Asia/Kathmandu"))
#: The first has no letters but those of ASCII; a language that is not installed is as good as any.
LANGUAGES: Final[tuple[Setting, ...]] = (
    {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"},
    {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
)
THREADS: Final[tuple[Setting, ...]] = tuple(
    {"OMP_NUM_THREADS": number, "ARROW_IO_THREADS": number, "NUMBA_NUM_THREADS": number} for number in ("1", "4")
)
CPUS: Final[tuple[Setting, ...]] = tuple({"PROCESSORS": number} for number in ("1", "2"))
SETTINGS: Final = (HASH_SEEDS, ZONES, LANGUAGES, THREADS, CPUS)
#: Which of each: twelve are the fewest in which all pairs can meet.
TOGETHER: Final = tuple(
    (seed, zone, (seed + zone) % 3, (seed + (zone > 0)) % 2, (seed // 2 + (zone > 1)) % 2)
    for seed, zone in product(range(4), range(3))
)
#: So few that every value comes once.
FEW: Final = [TOGETHER[0], TOGETHER[4], TOGETHER[8], TOGETHER[9]]
ENVIRONMENTS: Final[list[Setting]] = [
    {name: value for of, k in zip(SETTINGS, numbers, strict=True) for name, value in of[k].items()}
    for numbers in TOGETHER
]

#: What `python -m billing` does, for several commands one after the other.
COMMANDS: Final = """
import runpy, sys

for words in " ".join(sys.argv[1:]).split(" -- "):
    sys.argv = ["billing", *words.split()]
    try:
        runpy.run_module("billing", run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every kind of answer: from a small file, and from large ones, in order or not, with ids or without."""
    folder = tmp_path_factory.mktemp("large")
    in_order, shuffled = folder / "in-order.parquet", folder / "shuffled.parquet"
    events = _events()
    pq.write_table(events.drop_columns(["event_id"]).sort_by("occurred_at"), in_order, row_group_size=20_000)
    pq.write_table(events, shuffled, row_group_size=20_000)
    several = (
        ("invoice", *AGENCY, "--format", "json", "--digest"),
        ("peaks", *AGENCY, "--format", "csv"),
        ("explain", *AGENCY, "--account", "outreach-sg", "--cycle", "2025-06", "--format", "json"),
        ("peaks", str(in_order), "--format", "json"),
        ("peaks", str(shuffled), "--format", "json"),
    )
    return " -- ".join(" ".join(words) for words in several).split(" ")


@pytest.fixture(scope="module")
def usual(commands: list[str]) -> bytes:
    """What the commands say here."""
    return _said(COMMANDS, commands, {})


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: "-".join(environment.values()))
def test_the_bytes_are_the_same(environment: Setting, commands: list[str], usual: bytes) -> None:
    """Two people who compute one bill on two machines have one bill."""
    said = _said(COMMANDS, commands, environment)
    assert "Zürich-İzmir".encode() in said
    assert _digests(usual) == _digests(said)


def test_neither_order_nor_ids_change_a_peak(usual: bytes) -> None:
    """The same events, streamed in order without ids, or read whole from disorder with ids."""
    streamed, read_whole = usual.splitlines()[-2:]
    assert streamed == read_whole


def test_every_two_values_of_settings_meet() -> None:
    """A fault that needs two settings at once would not be seen otherwise."""
    for one, other in permutations(range(5), 2):
        assert {numbers[one] for numbers in FEW} == {numbers[one] for numbers in TOGETHER}
        met = {(numbers[one], numbers[other]) for numbers in TOGETHER}
        values = [{numbers[which] for numbers in TOGETHER} for which in (one, other)]
        assert met == set(product(*values))


@pytest.mark.parametrize(
    ("program", "answers"),
    [
        pytest.param("print([*map(str, {'acme', 'bolt', 'kontor', 'outreach'})])", 2, id="order-of-a-set"),
        pytest.param("import time; print(time.localtime(0)[:5])", 3, id="local-time"),
        pytest.param("import os; print(os.environ['LC_ALL'])", 3, id="language"),
        pytest.param("import pyarrow; print(pyarrow.cpu_count())", 2, id="threads"),
        pytest.param(
            "import os; print(len(os.sched_getaffinity(0)))",
            2,
            id="processors",
            marks=pytest.mark.skipif(len(PROCESSORS) < 2, reason="needs two processors, and Linux"),
        ),
    ],
)
def test_a_program_that_looks_at_its_environment_is_found_out(program: str, answers: int) -> None:
    """Settings that did not arrive would make everything look the same."""
    few = [environment for numbers, environment in zip(TOGETHER, ENVIRONMENTS, strict=True) if numbers in FEW]
    assert len({_said(program, [], environment) for environment in few}) >= answers


def _said(program: str, words: list[str], environment: Setting) -> bytes:
    """What a program writes, in a process with this environment."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    number = environment.get("PROCESSORS")
    # A process may use what its parent may, so that it is narrowed before it loads anything.
    narrowed = f"import os; os.sched_setaffinity(0, {PROCESSORS[: int(number)]})\n" if number and PROCESSORS else ""
    done = subprocess.run(
        [sys.executable, "-c", narrowed + program, *words],
        cwd=ROOT,
        env={**known, "PYTHONPATH": path, **environment},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def _digests(said: bytes) -> list[str]:
    """One for all, and one for each line, which tells what differs."""
    return [hashlib.sha256(part).hexdigest() for part in (said, *said.splitlines())]


def _events() -> pa.Table:
    """A year of events of 40 accounts, in no order."""
    dice = np.random.default_rng(2025)
    accounts = ["Zürich-İzmir", "ｗｉｄｅ", *(f"account-{k}" for k in range(38))]
    types = ["action.called"] * 6 + ["integration.connected"] * 3 + ["identity.deleted"]
    identity = dice.integers(0, 2_400, EVENTS)
    return pa.table(
        {
            "event_id": [f"e{k}" for k in range(EVENTS)],
            "account_id": pa.array(accounts).take(pa.array(identity % len(accounts))),
            "identity_id": pa.array([f"identity-{k}" for k in range(2_400)]).take(pa.array(identity)),
            "type": pa.array(types).take(pa.array(dice.integers(0, len(types), EVENTS))),
            "occurred_at": pa.array(JANUARY_US + dice.integers(0, YEAR_US, EVENTS), pa.timestamp("us", "UTC")),
        }
    )
