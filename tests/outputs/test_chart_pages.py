"""Charts of cycles and years: that they show what the definition says, in every form, and hide nothing."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import billing
from billing.core.cycle import micros, moment
from billing.outputs.charts.thinning import SLICES
from billing.verify.definition import DAY, Event, active_at, covers
from billing.verify.strategies import JANUARY, ledgers
from tests.conftest import Cli
from tests.support.ledgers import examples

ROOT = Path(__file__).parents[2]
AGENCY = ("fixtures/agency/events.csv", "--terms", "fixtures/agency/terms.toml")
EVENTS, TERMS = str(ROOT / AGENCY[0]), str(ROOT / AGENCY[2])
AUGUST = (*AGENCY, "--account", "brightline", "--cycle", "2025-08")
#: Ids as somebody might choose them who wishes us ill.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a & b <c> 'd'",
    "]]> --> {{ 7 * 7 }}",
    "datum.value",
)


def events(*rows: tuple[str, str, str, datetime]) -> pa.Table:
    """A source of such rows: account, identity, type, instant."""
    accounts, identities, types, instants = zip(*rows, strict=True)
    return pa.table(
        {
            "account_id": accounts,
            "identity_id": identities,
            "type": types,
            "occurred_at": pa.array(instants, pa.timestamp("us", "UTC")),
        }
    )


def january(day: float) -> datetime:
    """A moment of January 2026."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)


#: Five come, one of them is deleted; another account shows that time went on.
FIVE = [("acme", f"u{k}", "action.called", january(k)) for k in range(5)]
DELETED = ("acme", "u0", "identity.deleted", january(10))
LATER = ("other", "u", "action.called", january(100))


@pytest.fixture
def written(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bytes]:
    """The file that a command writes, given its ending."""
    monkeypatch.chdir(ROOT)

    def run(ending: str, *words: str) -> bytes:
        file = tmp_path / f"chart.{ending}"
        outcome = cli("chart", *words, "-o", str(file))
        assert 0 == outcome.status, outcome.err
        return file.read_bytes()

    return run


def texts(svg: str) -> list[str]:
    """What is written in a drawing, line by line."""
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


def data(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    """The data that a layer draws."""
    drawn: list[dict[str, Any]] = spec["datasets"][layer["data"]["name"]]
    return drawn


@given(
    happened=ledgers(conflicts=False, events_max=12),
    since=st.integers(JANUARY[0] + 1, JANUARY[1] - 1),
    is_open=st.booleans(),
)
@examples(normal=60, long=2_000)
def test_a_chart_counts_as_the_definition_does_also_what_comes_if_nothing_more_happens(
    happened: list[Event], since: int, is_open: bool
) -> None:
    """The staircase is certain, and so is every step before it."""
    source = pa.table(
        {
            "event_id": pa.array([e.event_id for e in happened], pa.string()),
            "account_id": [e.account_id for e in happened],
            "identity_id": [e.identity_id for e in happened],
            "type": [e.type for e in happened],
            "occurred_at": pa.array([e.occurred_at for e in happened], pa.timestamp("us", "UTC")),
            "identity_type": pa.array([e.identity_type for e in happened], pa.string()),
            "voids": pa.array([e.voids for e in happened], pa.string()),
        }
    )
    start, end = JANUARY
    name = f"{moment(start):%Y-%m}"
    now = since if is_open else end + 400 * DAY
    read = billing.read(source)
    assume(len(read))  # of voids that void themselves nothing is left
    table = billing.chart(read, cycle=name, as_of=moment(now)).table
    # Types and voids are read whatever the time is.
    known = [e for e in happened if e.occurred_at < now or e.type in ("identity.created", "event.voided")]

    steps = {micros(at.to_pydatetime()): count for at, count in zip(table["at"], table["active"], strict=True)}
    edges = {start} | {edge for _, *span in covers(known) for edge in span if start <= edge < end}
    assert {at: len(active_at(known, at)) for at in steps} == steps
    assert [at for at in sorted(edges - set(steps)) if len(active_at(known, at)) != len(active_at(known, at - 1))] == []
    assert list(table["known"]) == [at < now for at in steps]
    moved = table["arrived"] - table["asleep"] - table["deleted"]
    assert list(table["active"].diff().fillna(0).astype(int))[1:] == list(moved)[1:]
    assert not table["arrived"][~table["known"]].any()
    assert not table["deleted"][~table["known"]].any()


def test_a_cycle_is_open_as_long_as_nothing_occurred_after_its_end_in_whatever_account() -> None:
    """An account that went quiet long ago is not open; one without anybody else may be."""
    alone = billing.chart(events(*FIVE), cycle="2026-01")
    among = billing.chart(events(*FIVE, LATER), account_id="acme", cycle="2026-01")

    assert "5 active after the last event, Jan 5, 2026, 12:00:00\u00a0AM UTC" in alone.words
    assert "If nothing more happens, still active when the cycle ends: 4" in alone.words
    assert not alone.table["known"].all()
    assert "4 when it ended" in among.words
    assert among.table["known"].all()


def test_a_ledger_answers_as_a_file_of_its_events_does(tmp_path: Path) -> None:
    """Also about whether a cycle is open, although of the others it need read nothing."""
    for rows in ([*FIVE, DELETED], [*FIVE, DELETED, LATER]):
        named = events(*rows).append_column("event_id", pa.array([f"e{k}" for k in range(len(rows))]))
        url = f"sqlite:///{tmp_path}/{len(rows)}.db"
        ledger = billing.open_ledger(url)
        billing.append(ledger, named)
        ledger.close()

        asks: tuple[dict[str, Any], ...] = ({"cycle": "2026-01"}, {"first": "2026-01", "last": "2026-02"})
        for asked in asks:
            of_file, of_ledger = (billing.chart(source, account_id="acme", **asked) for source in (named, url))
            assert of_file.words == of_ledger.words
            assert of_file.spec == of_ledger.spec


def test_a_cycle_that_has_not_begun_is_all_guesswork_about_nothing() -> None:
    """Who is active already is still so when it begins, and the chart says that it knows no more."""
    chart = billing.chart(events(("acme", "u", "action.called", january(20))), cycle="2026-02")

    assert chart.words.startswith(
        "The cycle has not begun. If nothing more happens, active when it begins: 1; when it ends: 0"
    )
    assert not chart.table["known"].any()


def test_a_chart_that_as_of_has_not_begun_is_refused() -> None:
    """So it is with its invoice."""
    with pytest.raises(billing.BadCycle) as raised:
        billing.chart(events(*FIVE), cycle="2026-02", as_of=january(10))

    assert "cycle_none" == raised.value.code


def test_of_several_accounts_one_must_be_named(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture is of one."""
    monkeypatch.chdir(ROOT)

    for asked in ((), ("--cycle", "2025-08")):
        outcome = cli("chart", *AGENCY, *asked, "--output", str(tmp_path / "chart.svg"))
        assert (2, "account_needed") == (outcome.status, outcome.err.partition(":")[0])
        assert not (tmp_path / "chart.svg").exists()


def test_python_says_that_a_cycle_goes_without_others() -> None:
    """One of them would be ignored."""
    with pytest.raises(TypeError, match="cycle goes without first and last"):
        billing.chart(events(*FIVE), cycle="2026-01", last="2026-02")


def test_a_cycle_says_its_peak_who_came_and_went_and_its_tiers(written: Callable[..., bytes]) -> None:
    """Hand-counted in fixtures/agency: 17 of a client were deleted on 29 August."""
    svg = written("svg", *AUGUST).decode()

    for words in ("Peak 83", "12 arrived", "11 inactive", "17 deleted", "up to 100: 6.49 each", "Aug 14", "brightline"):
        assert words in texts(svg)
    assert "Now" not in svg


def test_an_open_cycle_marks_now_and_falls_in_dashes(written: Callable[..., bytes]) -> None:
    """What has happened, and what is only sure to happen, must look different without colour."""
    svg = written("svg", *AUGUST, "--as-of", "2025-08-28T00:00:00Z", "--no-forecast").decode()

    for words in ("Now 80", "Peak so far 83", "3 arrived", "4 inactive", "0 deleted", "if nothing more happens"):
        assert words in texts(svg)
    assert 'stroke-dasharray="5,3"' in svg
    assert "median" not in svg, "nothing is guessed that was not to be"


OCTOBER: dict[str, Any] = {"account_id": "brightline", "cycle": "2025-10", "as_of": datetime(2025, 10, 20, tzinfo=UTC)}


def test_a_forecast_is_bands_within_bands_above_the_staircase() -> None:
    """Its figures, which `billing forecast` has too, stand in words and in a table, for whoever sees no bands."""
    chart = billing.chart(EVENTS, terms=TERMS, **OCTOBER)
    svg, page = (chart.render(format).decode() for format in ("svg", "html"))

    assert "median 71; 50 % 69 to 71, 80 % 69 to 78, 95 % 69 to 83." in chart.words
    for words in ("50 %", "80 %", "95 %", "forecast of the peak, median", "if nothing more happens"):
        assert words in texts(svg)
    assert "What the peak may reach" in page
    shown = [value for layer in chart.spec["vconcat"][0]["layer"] for value in data(chart.spec, layer)]
    bands = [value for value in shown if "lower_95" in value]
    assert 4 * 25 == len(bands), "three bands and a median, of now and the ends of 24 slices"
    assert all(value["lower_95"] >= 69 for value in bands), "nothing below what is certain"


def test_a_ledger_has_the_chart_of_a_file(tmp_path: Path) -> None:
    """Of a ledger only the account is read for the curve, and all accounts are for the forecast."""
    ledger = billing.open_ledger(f"sqlite:///{tmp_path / 'billing.db'}")
    billing.append(ledger, EVENTS)
    of_file, of_ledger = (billing.chart(source, terms=TERMS, **OCTOBER) for source in (EVENTS, ledger))

    assert of_file.words == of_ledger.words
    assert of_file.render("json") == of_ledger.render("json")


def test_a_cycle_that_is_over_has_no_forecast_nor_has_an_account_that_began_just_now() -> None:
    """There is nothing left to guess, or nothing to guess from."""
    over = billing.chart(EVENTS, account_id="brightline", cycle="2025-08", terms=TERMS)
    new = billing.chart(events(*FIVE), account_id="acme", cycle="2026-01", as_of=january(8))

    for chart in (over, new):
        assert "Forecast" not in chart.words
        assert "lower_95" not in json.dumps(chart.spec)


def test_a_peak_of_one_microsecond_among_thousands_of_steps_is_drawn(tmp_path: Path) -> None:
    """It is billed; what leaves it out shows another bill."""
    rows = [("acme", f"u{k}", "integration.connected", january(k * 29 / 2_000)) for k in range(2_000)]
    spike = january(20.123)
    for k in range(700):
        rows.append(("acme", f"s{k}", "integration.connected", spike))
        rows.append(("acme", f"s{k}", "identity.deleted", spike + timedelta(microseconds=1)))
    chart = billing.chart(events(*rows, LATER), account_id="acme", cycle="2026-01")
    peak = chart.table["active"].max()

    line = data(chart.spec, chart.spec["vconcat"][0]["layer"][1])
    assert 3_500 < len(chart.table)
    assert len(line) <= 1_601
    assert {"at": micros(spike) / 1000, "active": peak} in line
    after = line[[row["active"] for row in line].index(peak) + 1]
    assert after["at"] - micros(spike) / 1000 < 31 * 86_400_000 / SLICES, "it is drawn no wider than can be seen"
    assert f"Peak {peak:,}" in texts(chart.render("svg").decode())


def test_movements_too_close_to_draw_apart_are_counted_and_none_is_lost() -> None:
    """Marks upon marks would look like one."""
    rows = [("acme", f"u{k}", "integration.connected", january(1 + k / 100)) for k in range(2_000)]
    chart = billing.chart(events(*rows, LATER), account_id="acme", cycle="2026-01")
    lanes = chart.spec["vconcat"][1]["layer"]
    marks = [value for layer in lanes if layer["mark"]["type"] == "point" for value in data(chart.spec, layer)]

    for lane in ("2,000 arrived", "2,000 inactive"):
        own = [mark for mark in marks if mark["lane"] == lane]
        assert 2_000 == sum(mark["times"] for mark in own)
        assert len(own) < 60


def test_a_year_shows_every_peak_and_amount_and_what_is_not_over(written: Callable[..., bytes]) -> None:
    """The figures are those of the invoices."""
    asked = (*AGENCY, "--account", "outreach-sg", "--first", "2025-04", "--last", "2025-10")
    svg = written("svg", *asked, "--as-of", "2025-10-20T00:00:00Z").decode()

    for words in ("22", "28", "$148.30", "$176.15", "Peak", "Amount, USD", "Peaks and amounts, 2025-04 to 2025-10"):
        assert words in texts(svg)
    assert 2 == svg.count('stroke-dasharray="5,3"'), "one bar in each panel is an outline"
    assert "open" in texts(svg)
    assert "2025-10 is not over, and drawn in outline." in svg


def test_without_cycles_a_year_is_the_last_twelve_that_have_begun() -> None:
    """Events of December reach into January, which has not begun."""
    chart = billing.chart(str(ROOT / AGENCY[0]), account_id="brightline", terms=str(ROOT / AGENCY[2]))

    assert [f"2025-{month:02}" for month in range(1, 13)] == list(chart.table["cycle"])
    assert [False] * 11 + [True] == list(chart.table["open"])


def test_a_year_without_a_plan_has_no_amounts_and_with_two_currencies_a_panel_of_each(tmp_path: Path) -> None:
    """Dollars and euros have no common scale."""
    of = events(*FIVE, LATER)
    without = billing.chart(of, account_id="acme", first="2026-01", last="2026-02")
    plans = [
        billing.Plan(id="p", currency=code, mode="volume", tiers=(billing.Tier(unit_price=Decimal(2)),))
        for code in ("USD", "EUR")
    ]
    ledger = billing.open_ledger("sqlite:///:memory:")
    billing.append(ledger, of.append_column("event_id", pa.array([f"e{k}" for k in range(len(of))])))
    billing.add_terms(ledger, plans[0])
    billing.add_terms(ledger, plans[1], applies_from=datetime(2026, 2, 1, tzinfo=UTC))
    both = billing.chart(ledger, account_id="acme", first="2026-01", last="2026-02")

    assert "Peaks, 2026-01 to 2026-02" == without.title
    assert "Amount" not in json.dumps(without.spec)
    assert ["Peak", "Amount, EUR", "Amount, USD"] == [panel["title"]["text"] for panel in both.spec["vconcat"]]
    assert "Together they total €6.00 and $10.00" in both.words


@pytest.mark.parametrize("cycles", [1, 12, 36, 120])
def test_a_year_of_any_length_names_its_highest_peak(cycles: int) -> None:
    """With a hundred bars there is no room for all figures; there is for this one."""
    rows = [
        ("acme", f"u{k}", "integration.connected", january(1 + 31 * m)) for m in range(cycles) for k in range(3 + m % 7)
    ]
    last = january(1 + 31 * (cycles - 1))
    chart = billing.chart(events(*rows), first="2026-01", last=f"{last:%Y-%m}")
    highest = chart.table["peak"].max()
    svg = chart.render("svg").decode()

    assert {str(highest), "2026", "open"} <= {*texts(svg)}


@pytest.mark.parametrize(
    ("asked", "words"),
    [(("--cycle", "2025-12"), ("14. Dez.", "up to 50: 6,99 each")), ((), ("Dez", "538,67\u00a0$"))],
    ids=["cycle", "year"],
)
def test_numbers_money_and_dates_are_written_as_people_of_the_place_do(
    asked: tuple[str, ...], words: tuple[str, ...], written: Callable[..., bytes]
) -> None:
    """A German reads 538,67 $."""
    svg = written("svg", *AGENCY, "--account", "brightline", *asked, "--locale", "de_DE").decode()

    assert {*words} <= {*texts(svg)}


@pytest.mark.parametrize("account", HOSTILE)
@pytest.mark.parametrize(
    "asked", [{"cycle": "2026-01"}, {"first": "2026-01", "last": "2026-01"}], ids=["cycle", "year"]
)
def test_an_id_is_text_in_every_form_whatever_it_says(account: str, asked: dict[str, Any]) -> None:
    """Whoever may choose an id must not choose what others see, or run."""
    chart = billing.chart(events((account, "<b>u</b>", "action.called", january(3))), **asked)
    svg, page = (chart.render(format).decode() for format in ("svg", "html"))
    tree = ElementTree.fromstring(svg)
    names = {element.tag.partition("}")[2] for element in tree.iter()}

    assert {"svg", "title", "desc", "g", "rect", "path", "text", "line", "defs", "clipPath", "tspan"} >= names
    assert account in "".join(text for text in tree.itertext())
    assert "<script" not in page and "<img" not in page and "onerror" not in page.replace("onerror=alert(1)&gt;", "")
    assert account == json.loads(chart.render("json"))["usermeta"]["account_id"]
    for expression in expressions(chart.spec):
        assert account not in expression or account == "datum.value"


def expressions(of: Any) -> list[str]:
    """Whatever in a specification is run."""
    if isinstance(of, list):
        return [found for one in of for found in expressions(one)]
    if not isinstance(of, dict):
        return []
    own = [value for key, value in of.items() if key in ("labelExpr", "expr", "signal", "calculate", "filter")]
    return [str(value) for value in own] + [found for value in of.values() for found in expressions(value)]


def test_an_svg_is_read_aloud_by_its_title_and_its_sentence(written: Callable[..., bytes]) -> None:
    """A picture without words is none for who does not see it."""
    tree = ElementTree.fromstring(written("svg", *AUGUST).decode())
    title, desc = (tree.find(f"{{http://www.w3.org/2000/svg}}{name}") for name in ("title", "desc"))

    assert title is not None and desc is not None
    assert ("img", "title desc") == (tree.get("role"), tree.get("aria-labelledby"))
    assert "Active engagement identities, cycle 2025-08, brightline" == title.text
    assert desc.text is not None and "The most at the same moment were 83" in desc.text


def test_a_png_is_drawn_at_twice_the_size_and_has_its_words_in_it(written: Callable[..., bytes]) -> None:
    """Fine on paper and on a phone; programs find in it what it shows."""
    png, svg = written("png", *AUGUST), written("svg", *AUGUST).decode()
    width, height = struct.unpack(">II", png[16:24])
    drawn = ElementTree.fromstring(svg)

    assert b"\x89PNG" == png[:4]
    assert (2 * int(drawn.get("width", "")), 2 * int(drawn.get("height", ""))) == (width, height)
    assert b"Active engagement identities, cycle 2025-08, brightline" in png
    assert b"The most at the same moment were 83" in png
    assert png == written("png", *AUGUST)


def test_json_is_the_specification_with_every_step(written: Callable[..., bytes]) -> None:
    """Pages draw it, and programs read the table, exact to the microsecond."""
    made = json.loads(written("json", *AUGUST))
    table = made["usermeta"]["table"]

    assert "vega-lite/v6" in made["$schema"]
    assert made["description"].startswith("Active engagement identities, cycle 2025-08. 81 active when the cycle began")
    expected = {"at": "2025-08-14T11:13:47Z", "active": 81, "arrived": 0, "asleep": 0, "deleted": 0, "known": True}
    assert expected == table[0]
    assert 65 == table[-1]["active"] == 81 + sum(row["arrived"] - row["asleep"] - row["deleted"] for row in table)


@pytest.mark.parametrize("ending", ["svg", "json", "html", "png"])
def test_a_chart_is_the_same_bytes_each_time(ending: str, tmp_path: Path, written: Callable[..., bytes]) -> None:
    """Also in another process with other seeds; a report that is made again can be compared."""
    command = [sys.executable, "-m", "billing", "chart", *AUGUST, "-o", str(tmp_path / f"again.{ending}")]
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)

    assert written(ending, *AUGUST) == (tmp_path / f"again.{ending}").read_bytes()


def test_the_ending_of_a_file_may_be_in_capitals(written: Callable[..., bytes]) -> None:
    """Some systems write them so."""
    assert written("SVG", *AUGUST).startswith(b"<svg")


def test_a_notebook_shows_a_chart_without_fetching_anything(tmp_path: Path) -> None:
    """As Vega-Lite where that is understood, else as SVG; and words for who sees neither."""
    chart = billing.chart(events(*FIVE, LATER), account_id="acme", cycle="2026-01")
    bundle = chart._repr_mimebundle_()
    chart.save(tmp_path / "chart.json")

    assert chart.spec == bundle["application/vnd.vegalite.v6+json"]
    assert bundle["image/svg+xml"].encode() == chart.render("svg")
    assert bundle["text/plain"] == repr(chart)
    assert repr(chart).startswith("Chart(Active engagement identities, cycle 2026-01, acme. 1 active when")
    assert json.loads((tmp_path / "chart.json").read_bytes())["title"]["text"] == chart.title


def test_a_specification_is_understood_by_altair() -> None:
    """Whoever wants another colour goes on from it."""
    import altair as alt

    chart = billing.chart(events(*FIVE, LATER), account_id="acme", cycle="2026-01")

    assert chart.spec["vconcat"] == alt.Chart.from_dict(chart.spec).to_dict()["vconcat"]


@pytest.mark.parametrize(
    ("ending", "module", "name"),
    [("svg", "vl_convert", "vl-convert-python"), ("json", "altair", "Altair"), ("html", "jinja2", "Jinja2")],
)
def test_a_missing_extra_is_named_before_any_work_is_done(
    ending: str, module: str, name: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for minutes and then has to install something waits twice."""
    monkeypatch.setitem(sys.modules, module, None)

    outcome = cli("chart", "no-such-file.csv", "-o", str(tmp_path / f"chart.{ending}"))

    expected = f"extra_missing: {name} is not installed. Install it with: pip install 'peak-billing[documents]'.\n"
    assert (2, expected) == (outcome.status, outcome.err)


def test_a_draft_of_an_open_cycle_falls_in_dashes_too(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One specification serves documents as well."""
    monkeypatch.chdir(ROOT)
    file = tmp_path / "draft.html"
    asked = ("invoice", *AUGUST, "--as-of", "2025-08-28T00:00:00Z", "--format", "html", "--output", str(file))

    assert 0 == cli(*asked).status
    page = file.read_text(encoding="utf-8")
    assert "If nothing more happens, still active when the cycle ends: 61." in page
    assert ">Now 80</text>" in page
