"""The stories in fixtures/scenarios and the agencies of fixtures/agency, by the definition and by the engine."""

from __future__ import annotations

import csv
import json
import runpy
import tomllib
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import billing
from billing.verify import definition

FIXTURES = Path(__file__).parents[2] / "fixtures"
STORIES = sorted(path.parent for path in FIXTURES.glob("scenarios/*/events.csv"))
AGENCY = FIXTURES / "agency"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

every_story = pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)


@every_story
def test_peaks_are_those_of_the_definition(story: Path) -> None:
    """What the engine is compared with must itself be right, and the definition imports nothing of the engine."""
    events = _events_by_account(story / "events.csv")
    for expected in _expected(story)["peaks"]:
        account_id = expected["account_id"]
        start, end = _micros(expected["cycle_start"]), _micros(expected["cycle_end"])
        peak, peak_at = definition.peak(events[account_id], start, end, **_policy(story, account_id))
        assert (expected["peak"], expected["peak_at"]) == (peak, None if peak_at is None else _text(_moment(peak_at)))


@every_story
def test_intervals_are_those_of_the_definition(story: Path) -> None:
    """An interval is a maximal run of covers that touch or overlap, so that its form is unique."""
    intervals = []
    for account_id, events in sorted(_events_by_account(story / "events.csv").items()):
        for identity_id, history in sorted(definition.billed(events).items()):
            covers = definition.covers_of(history, **_policy(story, account_id))
            for start, end in _united([(since, until) for _, since, until in covers]):
                span = {"start": _text(_moment(start)), "end": _text(_moment(end))}
                intervals.append({"account_id": account_id, "identity_id": identity_id, **span})
    assert _expected(story)["intervals"] == intervals


@every_story
def test_the_engine_finds_the_peaks_of_the_story(story: Path) -> None:
    """The compiled walk and sweep must give the peaks, their instants and the cycles of the story."""
    peaks = billing.peaks(story / "events.csv", terms=story / "terms.toml", **_months(story))
    expected = _expected(story)["peaks"]
    # The stories give a cycle by its bounds, for engines that have no names for cycles.
    assert expected == _rows(peaks.drop(columns="cycle")) and all(peaks["cycle"].str.fullmatch(r"20\d\d-\d\d"))


@every_story
def test_the_engine_finds_the_intervals_of_the_story(story: Path) -> None:
    """Intervals are what people check a peak by, so they must be maximal and in order."""
    intervals = billing.intervals(story / "events.csv", terms=story / "terms.toml")
    assert _expected(story)["intervals"] == _rows(intervals)


@every_story
def test_the_engine_drafts_the_totals_of_the_story(story: Path) -> None:
    """The stories end with an amount worked out by hand, to the cent."""
    drafts = billing.draft(story / "events.csv", terms=story / "terms.toml", **_months(story))
    expected = _expected(story)
    assert [Decimal(total) for total in expected["totals"]] == [invoice.total.amount for invoice in drafts]
    assert [peak["account_id"] for peak in expected["peaks"]] == [invoice.account_id for invoice in drafts]


def test_the_agencies_are_made_by_their_script() -> None:
    """Whoever doubts the example can read how it was made, and make it again."""
    made: str = runpy.run_path(str(AGENCY / "make.py"))["text"]()
    # Not asserted as two texts: their difference would fill pages.
    same = (AGENCY / "events.csv").read_bytes() == made.encode()
    assert same, "events.csv is not what make.py writes"


def test_the_agencies_have_the_peaks_of_the_definition() -> None:
    """Peaks of thousands of events cannot be worked out by hand, so the definition worked them out."""
    assert _expected(AGENCY)["peaks"] == list(runpy.run_path(str(AGENCY / "expect.py"))["peaks"]())


def test_the_engine_finds_the_peaks_of_the_agencies() -> None:
    """Late rows, repeats, a void, a reused identity and three time zones must come together."""
    peaks = billing.peaks(AGENCY / "events.csv", terms=AGENCY / "terms.toml")
    assert _expected(AGENCY)["peaks"] == _rows(peaks.drop(columns="cycle"))


def test_every_row_of_the_agencies_is_acceptable() -> None:
    """The example is for showing bills; what bad input gets is shown elsewhere."""
    tally = billing.read(AGENCY / "events.csv", strict=True).tally
    expected = {"duplicates": 12, "rejected": 0}
    assert expected == {"duplicates": tally.duplicates, "rejected": tally.rejected}


@pytest.mark.parametrize("folder", [*STORIES, AGENCY], ids=lambda folder: folder.name)
def test_every_sample_plan_says_that_it_is_one(folder: Path) -> None:
    """Only the entry price is published, and no fixture may pass for a price list."""
    plan = (folder / "plan.toml").read_text(encoding="utf-8")
    assert plan.startswith("# A sample. Only the entry price, 7.99 USD per identity and month, is published")


def _expected(story: Path) -> dict[str, Any]:
    expected: dict[str, Any] = json.loads((story / "expected.json").read_text(encoding="utf-8"))
    return expected


def _months(story: Path) -> dict[str, Any]:
    """The months the story asks for; without any, the cycles are those in which there was activity."""
    expected = _expected(story)
    return {"first": expected.get("first"), "last": expected.get("last")}


def _events_by_account(path: Path) -> dict[str, list[definition.Event]]:
    events = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            event = definition.Event(
                account_id=row["account_id"],
                identity_id=row["identity_id"],
                type=row["type"],
                occurred_at=_micros(row["occurred_at"]),
                event_id=row["event_id"],
                identity_type=row.get("identity_type") or None,
                voids=row.get("voids") or None,
            )
            events[event.account_id].append(event)
    return events


def _policy(story: Path, account_id: str) -> dict[str, Any]:
    """What the terms say of windows and reconnects, as the definition takes it."""
    terms = tomllib.loads((story / "terms.toml").read_text(encoding="utf-8"))
    settings = terms["default"] | terms.get("accounts", {}).get(account_id, {})
    windows = dict(definition.WINDOWS)
    for event_type, name in (("action.called", "action_window"), ("integration.connected", "connect_window")):
        if name in settings:
            windows[event_type] = int(settings[name].removeprefix("P").removesuffix("D")) * definition.DAY
    return {"windows": windows, "reconnect": settings.get("reconnect", "extends")}


def _united(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))
    return united


def _rows(table: pd.DataFrame) -> list[dict[Any, Any]]:
    """A table as the fixtures write it: instants as text, none where there is none."""
    return [{name: _shown(value) for name, value in row.items()} for row in table.to_dict("records")]


def _shown(value: Any) -> Any:
    if value is pd.NaT:
        return None
    return _text(value) if isinstance(value, pd.Timestamp) else value


def _micros(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def _moment(instant: int) -> datetime:
    return EPOCH + timedelta(microseconds=instant)


def _text(instant: datetime) -> str:
    """RFC 3339 in UTC, with six digits of a second where they are not zero."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
