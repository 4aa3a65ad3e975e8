"""No file crashes a reader: it returns a result, or a message of the catalogue says why not.

A few hundred files are tried in every run. With `BILLING_FUZZ_SECONDS` set, each reader gets other
files for that many seconds, and prints how many:

    BILLING_FUZZ_SECONDS=240 python -m pytest tests/inputs/test_fuzz.py -k makes_a_reader_stumble
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

import billing
from billing import BillingError, engine
from billing.config.terms import load_plan, load_terms
from billing.core.errors import Rejection
from billing.core.event import Tally
from billing.core.messages import MESSAGES
from billing.core.plan import QUANTITY_MAX
from billing.engine import pipeline
from billing.engine.query import Query
from billing.inputs import source
from billing.inputs.rows import ReadOptions
from billing.invoicing.document import invoice_content
from billing.outputs.tables import bills
from billing.outputs.tables.text import json_rows, to_json
from tests.support.spoiling import JANUARY, Given
from tests.support.spoilt_events import csvs, fine_events, jsonls, parquets
from tests.support.spoilt_settings import PLAN, plans, terms

SECONDS: Final = float(os.environ.get("BILLING_FUZZ_SECONDS", "0"))
#: No small file takes longer, on however slow a machine.
SECONDS_MAX: Final = 20
#: How many files are tried between two looks at the clock.
ROUND: Final = 500


def read_events(path: Path, given: Given) -> None:
    """Every row is accepted, a duplicate or rejected; and what was accepted can be billed."""
    read = source.read(str(path), given.options)
    _add_up(read.tally, read.rejections)
    query = Query()
    found = engine.activity(read, query)
    _can_be_written(json_rows(bills.peaks(pipeline.peaks(found, query))))
    if source.streams(str(path)):  # such a file is read in another way where its events are not kept
        streamed = engine.activity(str(path), query, given.options)
        _add_up(streamed.tally, streamed.rejections)
        assert (read.tally, len(found.intervals)) == (streamed.tally, len(streamed.intervals))


def read_plan(path: Path, given: Given) -> None:
    """A plan that was read prices every quantity, or refuses it."""
    plan = load_plan(path)
    assert all(map(str, plan.warnings()))
    for quantity in (0, 1, 11, QUANTITY_MAX):
        try:
            _can_be_written(json_rows(bills.prices([plan.price(quantity)], plan)))
        except billing.NotPriced as error:
            _is_in_the_catalogue(error)


def read_terms(path: Path, given: Given) -> None:
    """Terms that were read can be billed by."""
    (path.parent / "plan.toml").write_text(PLAN)
    known = load_terms(path)
    query = Query(terms=known)
    drafts = pipeline.draft(engine.activity(fine_events(), query), query)
    _can_be_written(invoice_content(drafted) for drafted in drafts)


def _can_be_written(rows: Iterable[dict[str, Any]]) -> None:
    assert to_json(rows).encode()


def _add_up(tally: Tally, rejections: tuple[Rejection, ...]) -> None:
    assert tally.received == tally.accepted + tally.duplicates + tally.rejected
    assert len(rejections) == tally.rejected
    for rejection in rejections:
        assert rejection.code in MESSAGES
        assert len(str(rejection)) < 2_000
        _can_be_written([rejection.as_json()])


def _is_in_the_catalogue(error: BillingError) -> None:
    assert error.code in MESSAGES
    assert str(error).encode()


@dataclass(frozen=True)
class Reader:
    """Something that reads files, and the files that it is to be tried with, `normal` in number."""

    files: Callable[[], SearchStrategy[Given]]
    read: Callable[[Path, Given], None]
    normal: int


READERS: Final = {
    "CSV": Reader(csvs, read_events, 300),
    "JSON Lines": Reader(jsonls, read_events, 300),
    "Parquet": Reader(parquets, read_events, 200),
    "plans": Reader(plans, read_plan, 300),
    "terms": Reader(terms, read_terms, 300),
}


def attempt(reader: Reader, folder: Path, file: Given) -> None:
    """Give one file to a reader; anything but an answer or a sentence of the catalogue is a mistake."""
    path = folder / file.name
    path.write_bytes(file.content)
    began = time.perf_counter()
    unseen: list[object] = []
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("error")
        patch.setattr(sys, "unraisablehook", unseen.append)  # what would end up on a customer's terminal
        try:
            reader.read(path, file)
        except BillingError as error:
            _is_in_the_catalogue(error)
    assert not unseen
    assert time.perf_counter() - began < SECONDS_MAX


def search(
    reader: Reader, folder: Path, files: int, first_seed: int, phases: Sequence[Phase] = (Phase.generate, Phase.shrink)
) -> int:
    """Give many files to a reader, and say how many; raises what it stumbled over, with the smallest such file."""
    tried = 0

    @seed(first_seed)
    @settings(
        max_examples=files,
        phases=phases,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(reader.files())
    def stumbles(file: Given) -> None:
        nonlocal tried
        tried += 1
        attempt(reader, folder, file)

    stumbles()
    return tried


@pytest.mark.parametrize("name", READERS)
def test_no_file_makes_a_reader_stumble(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback tells customers nothing, and a row that vanishes costs somebody money."""
    reader, began = READERS[name], time.monotonic()
    tried = search(reader, tmp_path, reader.normal, 0)
    while time.monotonic() - began < SECONDS:
        tried += search(reader, tmp_path, ROUND, time.time_ns())
    if SECONDS:
        with capsys.disabled():
            print(f"\n{name}: {tried:,} files in {time.monotonic() - began:.0f} s")


# What it found, kept small; each ended in a traceback once.

HEADER: Final = b"account_id,identity_id,type,occurred_at"
FOUND: Final = {
    "a ragged row that is no text": ("CSV", Given("events.csv", HEADER + b"\nacme,\xe9,action.called\n"), "encoding"),
    "no rows after two accounts with one name": (
        "JSON Lines",
        Given(
            "events.jsonl",
            b"".join(
                b'{"account_id":"%s","identity_id":"ada","type":"action.called","occurred_at":"2026-01-01T00:00:00Z"}\n'
                % account
                for account in (b"acme", b"bolt")
            )
            + b"null",
        ),
        "",
    ),
    "an instant larger than any number with a point": (
        "JSON Lines",
        Given(
            "events.jsonl",
            b'{"account_id":"a","identity_id":"a","type":"action.called","occurred_at":1%s}' % (b"0" * 309),
        ),
        "",
    ),
    "a plan with a key self": ("plans", Given("plan.toml", f"self = 1\n{PLAN}".encode()), "key_unknown"),
    "a tier with a key self": ("plans", Given("plan.toml", PLAN.replace("up_to", "self").encode()), "key_unknown"),
    "half a character in an anchor": (
        "terms",
        Given("terms.json", b'{"default": {"anchor": "\\ud800"}}'),
        "document_invalid",
    ),
    "half a character in the name of an account": (
        "terms",
        Given("terms.json", b'{"accounts": {"\\ud800": {}}}'),
        "document_invalid",
    ),
}


@pytest.mark.parametrize("story", FOUND)
def test_what_was_found_stays_mended(story: str, tmp_path: Path) -> None:
    """The files, by what is odd about them, and the code that they get; none, if they can be read."""
    name, file, code = FOUND[story]
    attempt(READERS[name], tmp_path, file)
    assert code == _code_of(READERS[name], tmp_path / file.name, file)


@pytest.mark.parametrize(
    ("second", "code"),
    [
        pytest.param(pa.array(["2026-01-02T00:00:00Z"]), "", id="text"),
        pytest.param(pa.array([2**62], pa.timestamp("us", "UTC")), "", id="far-away"),
        pytest.param(pa.array([0], pa.timestamp("us")), "column_type", id="without-a-zone"),
    ],
)
def test_parquet_files_of_a_folder_need_not_be_comparable(second: pa.Array, code: str, tmp_path: Path) -> None:
    """Whether they are in order is asked of their statistics, which may be of another kind, or beyond all calendars."""
    first = pa.array([JANUARY], pa.timestamp("us", "UTC"))
    for number, instants in enumerate((first, second)):
        event = {"account_id": ["acme"], "identity_id": ["ada"], "type": ["action.called"], "occurred_at": instants}
        pq.write_table(pa.table(event), tmp_path / f"{number}.parquet")
    assert code == _code_of(READERS["Parquet"], tmp_path, Given("", b""))


def test_files_recorded_later_are_left_out_though_accounts_share_names(tmp_path: Path) -> None:
    """All of the second file is cut by what was known, which leaves a part without rows."""
    for day, accounts in ((1, ("acme", "bolt")), (5, ("acme",))):
        rows = [
            f"{account},ada,action.called,2026-01-0{day}T00:00:00Z,2026-01-0{day}T00:00:00Z" for account in accounts
        ]
        (tmp_path / f"{day}.csv").write_text("\n".join([HEADER.decode() + ",recorded_at", *rows, ""]))
    assert Tally(2, 2, 0, 0) == source.read(str(tmp_path), ReadOptions(known_at=JANUARY)).tally


def _code_of(reader: Reader, path: Path, file: Given) -> str:
    try:
        reader.read(path, file)
    except BillingError as error:
        return error.code
    return ""


# Mistakes that the search must find, or it would find none.

#: reader -> a function that it relies on, and what that function forgets about.
MISTAKES: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "CSV": ("billing.inputs.timestamps.explain_bad_timestamp", lambda text: ":60" in text),
    "JSON Lines": ("billing.inputs.jsonl._describe_kind", lambda value: value is None),
    "Parquet": ("billing.inputs.checks.explain_bad_id", lambda name: not name),
    "plans": ("billing.core.plan.minor_digits", lambda currency: currency != "USD"),
    "terms": ("billing.config.terms.parse_instant", lambda text: "T" not in text),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_reader_that_stumbles_over_one_value_is_found_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a mistake put in: it forgets about one kind of value, which then ends in a KeyError."""
    place, forgets = MISTAKES[name]
    module, function = place.rsplit(".", 1)
    right = getattr(import_module(module), function)

    def wrong(given: Any, *rest: Any, **options: Any) -> Any:
        if forgets(given):
            raise KeyError("a mistake put in")
        return right(given, *rest, **options)

    monkeypatch.setattr(place, wrong)
    with pytest.raises(KeyError, match="a mistake put in"):
        search(READERS[name], tmp_path, 3_000, 0, phases=[Phase.generate])
