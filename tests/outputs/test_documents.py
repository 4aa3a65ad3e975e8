"""Documents for people: that they say what the JSON says, in every script, and nothing else.

Pages and PDF are made of the same sheet. What a browser makes of the pages is in `test_documents_browser.py`.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

import billing
from billing import engine
from billing.core.cycle import micros
from billing.outputs.documents.locale import LocaleFormat, is_letter, locale_of
from tests.conftest import Cli

ROOT = Path(__file__).parents[2]
AGENCY = ("fixtures/agency/events.csv", "--terms", "fixtures/agency/terms.toml")
#: Ids as somebody might choose them who wishes us ill, or who writes another script.
HOSTILE = {
    "markup": "<script>alert(1)</script>",
    "a template": "{{ 7 * 7 }}{% raw %}",
    "typst": '#read("events.csv") *b* $x$ @ref <l>',
    "an end of style": "</style><img src=x onerror=alert(1)>",
    "quotes": "\" onload='x' `",
    "Hebrew": "חשבון-שלום",
    "Arabic": "حساب المستخدم",
    "long": "a" * 128,
    "backslashes": "\\u{41} \\n",
}


class Page(HTMLParser):
    """What a page says: its text, its elements, and the exact values of its numbers."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self.style = False

    def handle_data(self, data: str) -> None:
        if not self.style:
            self.text += data

    def values(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes.get(attribute) for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """June of the agency: three invoices, then two late events, and two supplementary invoices."""
    url = f"sqlite:///{tmp_path_factory.mktemp('books')}/billing.db"
    kept = billing.open_ledger(url)
    billing.append(kept, str(ROOT / AGENCY[0]))
    at = micros(billing_day("2026-01-02"))
    from billing.config.terms import load_terms
    from billing.invoicing import close, restate

    close.close(kept, "2025-06", now=at, terms=load_terms(ROOT / AGENCY[2]), issue=True)
    billing.append(kept, str(ROOT / "fixtures/agency/late.csv"))
    restate.restate(kept, now=micros(billing_day("2026-01-06")), issue=True)
    kept.close()
    return url


def billing_day(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(f"{text}T09:00:00+00:00")


@pytest.fixture
def written(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bytes]:
    """The file that a command writes."""
    monkeypatch.chdir(ROOT)

    def run(*words: str) -> bytes:
        outcome = cli(*words, "--output", str(tmp_path / "written"))
        assert 0 == outcome.status, outcome.err
        return (tmp_path / "written").read_bytes()

    return run


def text_of(pdf: bytes) -> str:
    """What a PDF says, without the places where a long word may be broken, and without its lines."""
    pages = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    return re.sub(r"\s+", " ", pages.replace("\u200b", ""))


def test_a_page_has_every_figure_of_the_json(written: Callable[..., bytes]) -> None:
    """Finance books what the page says, and programs what the JSON says."""
    invoices = json.loads(written("invoice", *AGENCY, "--cycle", "2025-06", "--format", "json"))
    page = Page(written("invoice", *AGENCY, "--cycle", "2025-06", "--format", "html").decode())

    numbers, instants = page.values("data", "value"), page.values("time", "datetime")
    for invoice in invoices:
        assert invoice["total"] in numbers
        assert str(invoice["peak"]) in numbers
        assert str(invoice["basis"]["events"]) in numbers
        assert {invoice["cycle_start"], invoice["cycle_end"], invoice["peak_at"]} <= set(instants)
        for line in invoice["lines"]:
            assert {line["amount"]} <= set(numbers)
            assert line["description"] in page.text
        assert invoice["account_id"] in page.text
        assert invoice["plan_id"] in page.text


def test_a_pdf_says_what_the_page_says(ledger: str, written: Callable[..., bytes]) -> None:
    """Two forms of one document must not be two documents."""
    numbers = ["INV-000003", "INV-000004", "INV-000005"]
    page = Page(written("document", *numbers, "--ledger", ledger, "--format", "html").decode())
    said = text_of(written("document", *numbers, "--ledger", ledger, "--format", "pdf"))

    for kind in ("data", "time"):
        shown = re.findall(rf"<{kind} [^>]*>([^<]*)</{kind}>",
                           written("document", *numbers, "--ledger", ledger, "--format", "html").decode())  # fmt: skip
        assert shown
        assert [] == [text for text in shown if re.sub(r"\s+", " ", text) not in said]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_an_issued_document_is_shown_as_it_is_kept_to_the_byte(ledger: str, written: Callable[..., bytes]) -> None:
    """Whoever received it as JSON receives the same again."""
    kept = billing.open_ledger(ledger)
    contents = {document.number: document.content for document in kept.documents("invoice", "supplementary_invoice")}
    kept.close()

    shown = written("document", "INV-000003", "INV-000001", "--ledger", ledger).decode()

    assert f"[{contents['INV-000003']}, {contents['INV-000001']}]\n" == shown


def test_an_invoice_shows_the_evidence_at_issue_and_its_note_that_of_later(
    ledger: str, written: Callable[..., bytes]
) -> None:
    """An invoice that names 22 identities beside a peak of 22, and not the 23 that are known by now."""
    before = Page(written("document", "INV-000003", "--ledger", ledger, "--format", "html").decode())
    after = Page(written("document", "INV-000005", "--ledger", ledger, "--format", "html").decode())

    assert "late-1" not in before.text
    assert "late-1" in after.text
    assert before.text.count("an action") + before.text.count("a connect") == 2 * 1 + 22
    assert "Already billed by INV-000003" in after.text


def test_a_note_says_what_it_restates_what_was_billed_and_the_total_now(
    ledger: str, written: Callable[..., bytes]
) -> None:
    """The difference alone would ask for trust."""
    said = text_of(written("document", "INV-000005", "--ledger", ledger, "--format", "pdf", "--no-evidence"))

    for words in (
        "Supplementary invoice INV-000005",
        "Billed before, by INV-000003 22 148.30",
        "The same cycle, computed now 23 155.04",
        "Difference, settled by this document 1 6.74",
        "late-1",
        "marina-bay",
    ):
        assert words in said


def test_a_document_whose_entries_say_another_peak_is_not_shown(
    ledger: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence for another figure than the one above it would be no evidence."""
    of_then: Callable[..., Any] = engine.explain_cycle
    monkeypatch.setattr(engine, "explain_cycle", lambda kept, *rest: of_then(kept, *rest[:-1], 9_541))

    outcome = cli("document", "INV-000003", "--ledger", ledger, "--format", "html")

    assert 2 == outcome.status
    assert "INV-000003 says a peak of 22, its entries give 23" in outcome.err


def test_a_statement_shows_each_balance(ledger: str, written: Callable[..., bytes]) -> None:
    """One file for all accounts, each with what it owes."""
    rows = json.loads(written("statement", "--ledger", ledger, "--format", "json"))
    page = Page(written("statement", "--ledger", ledger, "--format", "html").decode())
    said = text_of(written("statement", "--ledger", ledger, "--format", "pdf"))

    assert 3 == page.text.count("Statement of account\n")
    for row in rows:
        assert {row["total"], row["balance"]} <= set(page.values("data", "value"))
        assert row["number"] in said
        assert f"${Decimal(row['balance']):,}" in said


def test_a_draft_says_that_it_is_one(written: Callable[..., bytes]) -> None:
    """Nobody shall pay a draft."""
    asked = ("invoice", *AGENCY, "--cycle", "2025-06", "--account", "outreach-sg")
    page = Page(written(*asked, "--format", "html").decode())
    reader = PdfReader(io.BytesIO(written(*asked, "--format", "pdf")))

    assert "nothing is owed because of it" in page.text
    assert all("Draft invoice, not issued" in sheet.extract_text() for sheet in reader.pages)


def test_without_evidence_the_list_is_left_out(written: Callable[..., bytes]) -> None:
    """An account of thousands need not print them all."""
    asked = ("invoice", *AGENCY, "--cycle", "2025-06", "--format", "html")

    assert "Identities active at the peak" in written(*asked).decode()
    assert "Identities active at the peak" not in written(*asked, "--no-evidence").decode()


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[str, ...]:
    """A source whose account and identities have such ids."""
    rows = [json.dumps({"event_id": f"e{k}", "account_id": HOSTILE["markup"], "identity_id": name,
                        "type": "action.called", "occurred_at": "2026-01-02T00:00:00.000001Z"}, ensure_ascii=False)
            for k, name in enumerate(HOSTILE.values())]  # fmt: skip
    (tmp_path / "events.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "plan.toml").write_text(
        'id = "<b>x</b>"\ncurrency = "KWD"\nmode = "graduated"\n'
        'tiers = [{ up_to = 2, unit_price = "7.990", flat_price = "1.5" }, { unit_price = "0.0123456789" }]\n'
    )
    return "invoice", str(tmp_path / "events.jsonl"), "--plan", str(tmp_path / "plan.toml"), "--cycle", "2026-01"


@pytest.mark.parametrize("name", HOSTILE)
def test_on_a_page_an_id_is_text_whatever_it_says(
    name: str, hostile: tuple[str, ...], written: Callable[..., bytes]
) -> None:
    """Whoever may choose an id must not choose what finance sees."""
    page = Page(written(*hostile, "--format", "html").decode())

    assert HOSTILE[name] in page.text
    assert "<b>x</b>" in page.text
    assert not {"script", "img", "b", "link", "iframe"} & {tag for tag, _ in page.elements}
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("Hebrew", "Arabic")])
def test_in_a_pdf_an_id_is_text_whatever_it_says(
    name: str, hostile: tuple[str, ...], written: Callable[..., bytes]
) -> None:
    """Nothing of it is ever source, so no file is read and nothing is left out."""
    said = text_of(written(*hostile, "--format", "pdf"))

    assert HOSTILE[name].replace(" ", "") in said.replace(" ", "")


def test_graduated_parts_are_shown_with_every_digit(hostile: tuple[str, ...], written: Callable[..., bytes]) -> None:
    """The parts are not rounded; their sum is."""
    page = Page(written(*hostile, "--format", "html").decode())

    parts = {"7.990", "17.480", "0.0123456789", "0.0864197523", "17.566"}
    assert parts <= set(page.values("data", "value"))


def test_a_character_that_no_font_has_is_given_by_its_number(tmp_path: Path, written: Callable[..., bytes]) -> None:
    """An empty box would make every such id look like any other. No font has a character that is not assigned."""
    unassigned = "\U0003fffd"
    (tmp_path / "events.csv").write_text(
        f"account_id,identity_id,type,occurred_at\nacme,u{unassigned},action.called,2026-01-02T00:00:00Z\n",
        encoding="utf-8",
    )
    plan = "fixtures/scenarios/peak-not-distinct/plan.toml"
    said = text_of(written("invoice", str(tmp_path / "events.csv"), "--plan", plan, "--format", "pdf"))

    assert "U+3FFFD" in said
    assert "Characters that no font at hand can show are given by their Unicode numbers" in said


def test_a_pdf_is_the_same_bytes_each_time(ledger: str, written: Callable[..., bytes]) -> None:
    """A document that was sent can be made again and compared."""
    asked = ("document", "INV-000003", "--ledger", ledger, "--format")

    assert written(*asked, "pdf") == written(*asked, "pdf")
    assert written(*asked, "html") == written(*asked, "html")


def test_a_pdf_can_be_read_aloud(ledger: str, written: Callable[..., bytes]) -> None:
    """Tagged, in a language, with a title, and with words for the curve."""
    made = written("document", "INV-000003", "INV-000005", "--ledger", ledger, "--format", "pdf")
    reader = PdfReader(io.BytesIO(made))
    root: Any = reader.trailer["/Root"]

    assert ("en", True) == (root["/Lang"], bool(root["/MarkInfo"]["/Marked"]))
    assert reader.metadata is not None
    assert "Documents" == reader.metadata.title
    assert b"pdfuaid" in root["/Metadata"].get_data()
    alternatives = [str(element) for element in alt_texts(root["/StructTreeRoot"])]
    assert 2 == len(alternatives)
    assert all("The most at the same moment were" in text for text in alternatives)


def alt_texts(element: Any, depth: int = 0) -> list[Any]:
    """The alternatives of all pictures below an element."""
    element = element.get_object()
    if not hasattr(element, "get"):
        return [text for child in element for text in alt_texts(child)] if isinstance(element, list) else []
    own = [element["/Alt"]] if "/Alt" in element else []
    return own + (alt_texts(element["/K"]) if "/K" in element and not isinstance(element["/K"], int) else [])


def test_every_document_of_a_pdf_counts_its_own_pages(ledger: str, written: Callable[..., bytes]) -> None:
    """Documents are taken apart and filed one by one."""
    reader = PdfReader(
        io.BytesIO(written("document", "INV-000003", "INV-000002", "--ledger", ledger, "--format", "pdf"))
    )

    feet = [re.findall(r"Page (\d+) of (\d+)", page.extract_text())[-1] for page in reader.pages]
    first = int(feet[0][1])
    expected = [(str(k + 1), str(first)) for k in range(first)]
    rest = len(feet) - first
    assert [*expected, *((str(k + 1), str(rest)) for k in range(rest))] == feet


def test_a_long_list_of_evidence_repeats_its_header_on_every_page(
    tmp_path: Path, written: Callable[..., bytes]
) -> None:
    """Five hundred rows are read on many pages, each by itself."""
    rows = "".join(f"acme,u{k:03},action.called,2026-01-02T00:00:00Z\n" for k in range(500))
    (tmp_path / "events.csv").write_text(f"account_id,identity_id,type,occurred_at\n{rows}")
    plan = "fixtures/scenarios/peak-not-distinct/plan.toml"
    asked = ("invoice", str(tmp_path / "events.csv"), "--plan", plan, "--cycle", "2026-01", "--format", "pdf")
    reader = PdfReader(io.BytesIO(written(*asked)))

    with_rows = [text for page in reader.pages if re.search(r"\bu\d{3}\b", text := page.extract_text())]
    assert 10 < len(with_rows)
    assert all("And covers until" in text for text in with_rows)
    assert "u000" in with_rows[0]
    assert "u499" in with_rows[-1]


@pytest.mark.parametrize(
    ("exact", "currency", "locale", "shown"),
    [
        ("1234567.50", "USD", "en_US", "$1,234,567.50"),
        ("1234567.50", "USD", "de_DE", "1.234.567,50 $"),
        ("1200", "JPY", "de_DE", "1.200 ¥"),
        ("1.230", "KWD", "en_US", "KWD 1.230"),
        ("12.500", "IQD", "en_US", "IQD 12.500"),
        ("-0.13", "EUR", "fr_FR", "-0,13 €"),
    ],
)
def test_an_amount_keeps_all_its_digits_in_every_locale(exact: str, currency: str, locale: str, shown: str) -> None:
    """How many decimals a dinar has is a matter of ISO 4217; Babel has none for some that have three."""
    cell = LocaleFormat(locale_of(locale), "UTC").money(exact, currency)

    assert (exact, shown) == (
        cell.exact,
        cell.text.replace("\u00a0", " ").replace("KWD1", "KWD 1").replace("D12", "D 12"),
    )


def test_numbers_that_are_equal_keep_the_decimals_that_each_was_given() -> None:
    """1.5 and 1.50 are one number, and on an invoice two prices."""
    show = LocaleFormat(locale_of("de_DE"), "UTC")

    assert ["1", "1,0", "1,00", "1", "–"] == [
        show.number(number).text for number in (1, Decimal("1.0"), Decimal("1.00"), Decimal(1), None)
    ]
    assert ["1", "1.0"] == [show.number(number).exact for number in (Decimal(1), Decimal("1.0"))]


def test_an_instant_is_shown_in_the_time_zone_with_utc_beside() -> None:
    """The customer's clock, and the one everybody agrees on."""
    show = LocaleFormat(locale_of("de_DE"), "Asia/Singapore")

    summer = show.instant("2025-06-26T07:34:08Z")
    assert ("26.06.2025, 15:34:08", "2025-06-26 07:34:08 UTC") == (summer.text, summer.beside)
    exactly = show.instant("2025-06-26T07:34:08.000001Z")
    assert ("26.06.2025, 15:34:08.000001", "2025-06-26 07:34:08.000001 UTC") == (exactly.text, exactly.beside)
    utc = LocaleFormat(locale_of("de_DE"), "UTC").instant("2025-06-26T07:34:08Z")
    assert ("26.06.2025, 07:34:08 UTC", "") == (utc.text, utc.beside)


def test_paper_is_that_of_the_place() -> None:
    """A page that does not fit the paper is cut off."""
    assert (True, False, False) == tuple(is_letter(locale_of(name)) for name in ("en_US", "de-DE", "en"))


@pytest.mark.parametrize(("format", "module", "name", "extra"), [
    ("html", "jinja2", "Jinja2", "documents"), ("pdf", "typst", "typst", "pdf"),
])  # fmt: skip
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    format: str, module: str, name: str, extra: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most users need no PDF, so what makes one is not installed for them."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(sys.modules, module, None)

    outcome = cli("invoice", *AGENCY, "--cycle", "2025-06", "--format", format)

    expected = f"extra_missing: {name} is not installed. Install it with: pip install 'peak-billing[{extra}]'.\n"
    assert (2, expected) == (outcome.status, outcome.err)


def test_options_of_documents_are_refused_where_there_is_no_document(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that does nothing would be believed to do something."""
    monkeypatch.chdir(ROOT)

    for option in (("--locale", "de_DE"), ("--no-evidence",)):
        outcome = cli("invoice", *AGENCY, "--cycle", "2025-06", *option)
        assert (2, f"usage: {option[0]} goes with --format html or pdf. See billing --help.\n") == (
            outcome.status,
            outcome.err,
        )


def test_a_pdf_is_not_written_to_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Terminals act on what they are sent."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    outcome = cli("invoice", *AGENCY, "--cycle", "2025-06", "--format", "pdf")

    assert (2, "usage: --format pdf goes into a file: --output FILE. See billing --help.\n") == (
        outcome.status,
        outcome.err,
    )


def test_templates_are_part_of_the_package(tmp_path: Path) -> None:
    """What works from a checkout must work once it is installed."""
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")

    names = zipfile.ZipFile(wheel).namelist()
    for name in ("page.html.jinja", "page.css", "sheet.typ"):
        assert f"billing/outputs/documents/{name}" in names
