"""How hard the machines search: one profile for every day, one for a long night; and the command line, run here."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from typing import Protocol

import pytest
from hypothesis import settings

from billing import BillingError
from billing.cli import app
from billing.cli.remedies import line_of
from tests.support.browser import browser as browser
from tests.support.postgres import postgres as postgres

# In CI the same examples come every time, so that a build never fails by chance.
settings.register_profile("ci", derandomize=True, database=None, deadline=None, max_examples=100)
# Where all tests run again for every mutant, the examples are few.
settings.register_profile("mutation", derandomize=True, database=None, deadline=None, max_examples=20)
settings.register_profile("dev", deadline=None, max_examples=100)
settings.register_profile("long", deadline=None, max_examples=100 * int(os.environ.get("BILLING_EXAMPLES", "10")))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@dataclass(frozen=True)
class Outcome:
    """What a command left behind: its exit status, and what it wrote for programs and for people."""

    status: int
    out: str
    err: str


class Cli(Protocol):
    """Runs a command, given as the words that follow `billing`."""

    def __call__(self, *words: str) -> Outcome: ...


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line without a process of its own, which would take half a second each time."""

    def run(*words: str) -> Outcome:
        capsys.readouterr()
        try:
            status = app(list(words), standalone_mode=False) or 0
        except BillingError as error:  # what `main` does, which also ends the process
            print(line_of(error), file=sys.stderr)
            status = 2
        return Outcome(status, *capsys.readouterr())

    return run


if os.environ.get("HYPOTHESIS_PROFILE") == "mutation":
    # Many a mutant never ends; here it need not take long to see that. mutmut knows status 24 as that of a timeout.
    signal.signal(signal.SIGVTALRM, lambda *_: os._exit(24))

    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        """Let the laws, which take longest, come last: most mutants are noticed before."""
        items.sort(key=lambda item: item.path.name in ("test_close.py", "test_result.py", "test_laws.py"))

    def pytest_runtest_setup() -> None:
        """Give each test five seconds of computing."""
        signal.setitimer(signal.ITIMER_VIRTUAL, 5)

    def pytest_runtest_teardown() -> None:
        """It has ended."""
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that was skipped for a missing component has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
