"""What a browser makes of the pages of charts: nothing is fetched, nobody is left out, everything fits a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import billing
from tests.outputs.test_chart_pages import EVENTS, FIVE, HOSTILE, LATER, OCTOBER, TERMS, events, january

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_AGENCY = {"account_id": "brightline", "terms": TERMS}
CHARTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "a cycle": (EVENTS, {**_AGENCY, "cycle": "2025-08"}),
    "a year": (EVENTS, _AGENCY),
    "a forecast": (EVENTS, {**OCTOBER, "terms": TERMS}),
    "nobody": (events(*FIVE, LATER), {"account_id": "acme", "cycle": "2025-12"}),
    "markup": (events((HOSTILE[1], "u", "action.called", january(3))), {"cycle": "2026-01"}),
    "a long id": (events(("a" * 128, "u", "action.called", january(3))), {"first": "2026-01", "last": "2026-01"}),
}


@pytest.fixture(params=CHARTS)
def page(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page of a chart in a browser without a network, its tables unfolded; what it asks for is kept."""
    source, asked = CHARTS[request.param]
    file = tmp_path / "chart.html"
    billing.chart(source, **asked).save(file)
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 900})
    shown = context.new_page()
    asked_for: list[str] = []
    shown.on("request", lambda request: asked_for.append(request.url))
    shown.on("console", lambda message: asked_for.append(message.text))
    shown.on("pageerror", lambda error: asked_for.append(str(error)))
    shown.goto(file.as_uri())
    yield shown
    context.close()
    assert [file.as_uri()] == asked_for, "a page needs nothing but itself"


def test_nobody_is_left_out(page: Page) -> None:
    """Contrast, names of tables and of pictures: whatever can be checked by a machine, folded and unfolded."""
    from axe_playwright_python.sync_playwright import Axe

    for width in (1000, 375):
        page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(page)
        assert 0 == found.violations_count, found.generate_report()
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        found = Axe().run(page)
        assert 0 == found.violations_count, found.generate_report()


def test_on_a_phone_nothing_runs_out_of_the_page(page: Page) -> None:
    """Who has to scroll sideways loses the row."""
    page.set_viewport_size({"width": 375, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")

    assert 375 == page.evaluate("document.documentElement.scrollWidth")


def test_a_picture_is_named_by_what_it_shows_and_its_table_is_folded(page: Page) -> None:
    """Who does not see the picture hears the sentence, and can open the table."""
    named = page.evaluate("[...document.querySelectorAll('svg[role=img]')].map(e => e.getAttribute('aria-label'))")
    words = page.evaluate("document.querySelector('figcaption').textContent")

    assert 2 == len(named), "one for paper and screens, one for phones"
    assert all(label.endswith(words) for label in named)
    assert page.evaluate("document.querySelectorAll('details:not([open]) > table').length")
    assert 0 == page.evaluate("document.querySelectorAll('script, link, img, iframe, object').length")


def test_printed_it_is_one_page_and_what_was_unfolded_is_printed_too(page: Page) -> None:
    """Nobody wants thousands of steps on paper who did not ask for them."""
    from io import BytesIO

    from pypdf import PdfReader

    folded = PdfReader(BytesIO(page.pdf(prefer_css_page_size=True)))
    page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    unfolded = PdfReader(BytesIO(page.pdf(prefer_css_page_size=True)))

    assert 1 == len(folded.pages)
    assert "From" in folded.pages[0].extract_text() or "Billing cycles" in folded.pages[0].extract_text()
    said = "".join(sheet.extract_text() for sheet in unfolded.pages)
    assert len(said) > len(folded.pages[0].extract_text())
