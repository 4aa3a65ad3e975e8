"""A real browser for tests: the Chromium of the system, which no package downloads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser, started when the first test asks for it."""
    from playwright.sync_api import sync_playwright  # no other test need wait for it

    with sync_playwright() as playwright:
        # As root, as in a container, its sandbox does not start.
        running = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        yield running
        running.close()


def program() -> str:
    """The program of the browser; without one, the test is skipped, which in CI is a failure."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("Chromium is not installed here. On Debian or Ubuntu: apt install chromium")
    return found
