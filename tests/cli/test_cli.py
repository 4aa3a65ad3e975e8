"""The command line: what people see, what programs read, and how it ends."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
AGENCY = "fixtures/agency/events.csv"
TERMS = "fixtures/agency/terms.toml"
STORY = "fixtures/scenarios/peak-not-distinct/events.csv"


def billing(*arguments: str, **options: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **options}
    return subprocess.run(
        [sys.executable, "-m", "billing", *arguments], cwd=ROOT, capture_output=True, env=environment, check=False
    )


def on_a_terminal(*arguments: str) -> str:
    """What a person sees on a terminal of 140 columns."""
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "140", "NO_COLOR": ""}
    environment.pop("NO_COLOR")
    process = subprocess.Popen(
        [sys.executable, "-m", "billing", *arguments], cwd=ROOT, stdout=child, stderr=child, env=environment
    )
    os.close(child)
    shown = b""
    try:
        while chunk := os.read(parent, 65_536):
            shown += chunk
    except OSError:
        pass  # the other end was closed: the process has ended
    process.wait()
    os.close(parent)
    return shown.decode()


def test_peaks_as_json_are_one_line_with_the_keys_in_order() -> None:
    """Programs compare these bytes."""
    printed = billing("peaks", STORY, "--cycle", "2026-03", "--format", "json").stdout.decode()

    assert (
        '[{"account_id": "acme", "cycle": "2026-03", "cycle_start": "2026-03-01T00:00:00Z", '
        '"cycle_end": "2026-04-01T00:00:00Z", "peak": 8, "peak_at": "2026-03-05T09:00:00Z"}]\n'
    ) == printed


def test_an_invoice_as_json_has_exactly_the_keys_of_the_contract() -> None:
    """A key more or less breaks whoever reads it strictly."""
    (invoice,) = json.loads(
        billing(
            "invoice", AGENCY, "--terms", TERMS, "--account", "outreach-sg", "--cycle", "2025-06", "--format=json"
        ).stdout
    )

    assert [
        "account_id", "cycle", "cycle_start", "cycle_end", "peak", "peak_at", "plan_id", "currency", "lines",
        "total", "status", "number", "policy", "basis",
    ] == list(invoice)  # fmt: skip
    assert ["kind", "description", "quantity", "unit_price", "amount"] == list(invoice["lines"][0])
    assert ["events", "position", "digest", "tzdata"] == list(invoice["basis"])
    assert {"status": "draft", "number": None, "total": "148.30"} == {
        key: invoice[key] for key in ("status", "number", "total")
    }


def test_csv_has_a_header_and_a_row_for_each_peak() -> None:
    """What goes into a spreadsheet must be what the JSON says."""
    printed = billing("peaks", AGENCY, "--terms", TERMS, "--cycle", "2025-06", "--format", "csv").stdout.decode()

    assert "account_id,cycle,cycle_start,cycle_end,peak,peak_at" == printed.splitlines()[0]
    assert 4 == len(printed.splitlines())


def test_a_terminal_gets_colour_and_a_pipe_plain_text() -> None:
    """Escape codes in a file help nobody."""
    assert "\x1b[" in on_a_terminal("peaks", STORY, "--cycle", "2026-03")
    assert b"\x1b[" not in billing("peaks", STORY, "--cycle", "2026-03").stdout


def test_the_peak_is_marked_in_the_curve() -> None:
    """A person looks for the highest point first."""
    assert "▲" in billing("peaks", STORY, "--cycle", "2026-03", PYTHONIOENCODING="utf-8").stdout.decode()


def test_the_curve_survives_a_terminal_without_unicode() -> None:
    """A traceback instead of a bill, because of a block character, would be absurd."""
    ended = billing("peaks", STORY, "--cycle", "2026-03", PYTHONIOENCODING="ascii:replace")

    assert 0 == ended.returncode
    assert b"^" in ended.stdout


def test_the_first_line_that_is_not_wanted_any_more_ends_it_quietly() -> None:
    """`billing peaks ... | head -1` is an ordinary thing to do."""
    ended = subprocess.run(
        f"{sys.executable} -m billing peaks {AGENCY} --terms {TERMS} --format csv | head -1",
        shell=True, cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip

    assert b"Traceback" not in ended.stderr


def test_explain_tells_the_story_of_the_highest_peak_when_no_cycle_is_named() -> None:
    """What people ask first is why there were so many."""
    printed = billing("explain", AGENCY, "--terms", TERMS, "--account", "kontor-nord").stdout.decode()

    assert "kontor-nord, cycle 2025-06" in printed
    assert "The peak is 38, first reached at 2025-07-14 12:06:58 UTC." in printed


def test_explain_asks_which_account_when_there_are_several() -> None:
    """It must not choose whose bill to show."""
    ended = billing("explain", AGENCY, "--terms", TERMS)

    assert (2, b"") == (ended.returncode, ended.stdout)
    assert b"account_needed: there are several accounts. Say which with --account" in ended.stderr


def test_a_zero_after_a_peak_is_pointed_out() -> None:
    """An invoice of 0 hides a broken feed."""
    ended = billing("invoice", STORY, "--plan", "fixtures/agency/plan.toml", "--cycle", "2026-06")
    told = ended.stderr.decode()

    assert 0 == ended.returncode
    assert "suspicious_zero" not in told, "the cycle before was 0 already"
    assert "suspicious_zero: account acme is billed for 0 in cycle 2026-05; the peak before was" in (
        billing("invoice", STORY, "--plan", "fixtures/agency/plan.toml", "--cycle", "2026-05").stderr.decode()
    )


def test_output_goes_to_a_file_when_asked(tmp_path: Path) -> None:
    """Redirection is not available everywhere."""
    target = tmp_path / "peaks.json"
    ended = billing("peaks", STORY, "--cycle", "2026-03", "--format", "json", "--output", str(target))

    assert b"" == ended.stdout
    assert 8 == json.loads(target.read_text())[0]["peak"]


def test_options_override_the_terms_file() -> None:
    """What is typed now is meant more than what was written then."""
    printed = billing("peaks", AGENCY, "--terms", TERMS, "--timezone", "UTC", "--anchor", "2025-01-01T00:00:00Z",
                      "--account", "brightline", "--cycle", "2025-06", "--format", "json").stdout  # fmt: skip

    assert "2025-06-01T00:00:00Z" == json.loads(printed)[0]["cycle_start"]


def test_help_does_not_load_what_it_does_not_need() -> None:
    """Help must come at once."""
    code = "import sys, billing.cli; print([m for m in ('numpy', 'pandas', 'pyarrow', 'numba') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "[]" == printed.strip()


def test_no_answer_depends_on_hash_seed_time_zone_or_language() -> None:
    """The same bill on every machine, to the byte."""
    asked = ["invoice", AGENCY, "--terms", TERMS, "--format", "json", "--digest"]
    one = billing(*asked, PYTHONHASHSEED="1", TZ="UTC", LANG="C").stdout
    other = billing(*asked, PYTHONHASHSEED="2", TZ="Asia/Tokyo", LANG="de_DE.UTF-8").stdout

    assert one
    assert one == other
