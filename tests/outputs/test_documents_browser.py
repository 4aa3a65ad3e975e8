"""What a browser makes of documents: nothing is fetched, nobody is left out, everything fits a phone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.outputs.test_documents import AGENCY, ROOT, hostile, ledger, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

__all__ = ["hostile", "ledger", "written"]

KINDS = ("drafts", "hostile", "invoice", "note", "statement", "nothing")


@pytest.fixture(params=KINDS)
def page(
    request: pytest.FixtureRequest,
    browser: Browser,
    ledger: str,
    hostile: tuple[str, ...],
    written: Callable[..., bytes],
    tmp_path: Path,
) -> Iterator[Page]:
    """A document of each kind in a browser without a network; what it asks for is kept."""
    command = {
        "drafts": ("invoice", *AGENCY, "--cycle", "2025-06"),
        "hostile": hostile,
        "invoice": ("document", "INV-000003", "--ledger", ledger),
        "note": ("document", "INV-000005", "--ledger", ledger),
        "statement": ("statement", "--ledger", ledger),
        "nothing": ("statement", "--ledger", ledger, "--account", "nobody"),
    }[request.param]
    file = tmp_path / "page.html"
    file.write_bytes(written(*command, "--format", "html", "--locale", "de_DE"))
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 900})
    shown = context.new_page()
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.on("console", lambda message: asked.append(message.text))
    shown.on("pageerror", lambda error: asked.append(str(error)))
    shown.goto(file.as_uri())
    yield shown
    context.close()
    assert [file.as_uri()] == asked, "a document needs nothing but itself"


def test_nobody_is_left_out(page: Page) -> None:
    """Contrast, headings in order, named tables and pictures: whatever can be checked by a machine."""
    from axe_playwright_python.sync_playwright import Axe

    for width in (1000, 375):
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page)
        assert 0 == found.violations_count, found.generate_report()


def test_on_a_phone_nothing_runs_out_of_the_page(page: Page) -> None:
    """Who has to scroll sideways loses the row."""
    page.set_viewport_size({"width": 375, "height": 800})

    beyond = page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 375.5)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert [] == beyond
    assert 375 == page.evaluate("document.documentElement.scrollWidth")


def test_headings_go_down_by_one(page: Page) -> None:
    """They are the table of contents of whoever listens."""
    levels = [int(tag[1]) for tag in page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => e.tagName)")]

    assert 1 == levels[0]
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_printed_every_document_begins_a_page(page: Page) -> None:
    """Each goes to another customer."""
    from io import BytesIO

    from pypdf import PdfReader

    titles = page.evaluate("[...document.querySelectorAll('h1')].map(e => e.textContent)")
    printed = PdfReader(BytesIO(page.pdf(prefer_css_page_size=True)))

    # What stands in the margin is read first.
    begun = [
        text for sheet in printed.pages if titles[0][:9] in (text := sheet.extract_text())[:70].split("issued")[-1]
    ]
    assert len(titles) == len(begun)
    assert f"Page {len(printed.pages)} of {len(printed.pages)}" in printed.pages[-1].extract_text()


def test_the_template_has_no_address_of_anything() -> None:
    """A name space is no address, and the only one there is."""
    for name in ("page.html.jinja", "page.css"):
        assert "//" not in (ROOT / "billing/outputs/documents" / name).read_text(encoding="utf-8")
