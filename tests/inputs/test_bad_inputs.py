"""What bad input gets: a verdict, a code and a place; never a traceback, a guess or a row that vanishes.

Cases are named as in the list of bad inputs (`B001` ...). Those that only a service or a ledger can
meet are not here.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import billing
from billing.core.event import Tally
from tests.conftest import Cli

Event = dict[str, Any]
Source = Any

HEADER = "event_id,account_id,identity_id,type,occurred_at\n"
FINE = "e1,acme,u1,action.called,2026-01-01T00:00:00Z\n"
ALSO_FINE = "e2,acme,u2,action.called,2026-01-02T00:00:00Z\n"
NO_TIME = "e9,acme,u9,action.called,noon\n"
#: One event, to be continued with what is to be wrong about it.
FINE_OBJECT = (
    '{"event_id": "e1", "account_id": "acme", "identity_id": "u1", "type": "action.called", '
    '"occurred_at": "2026-01-01T00:00:00Z"'
)
ALSO_FINE_OBJECT = FINE_OBJECT.replace("e1", "e2").replace("u1", "u2")
PLAN = 'id = "sample"\ncurrency = "USD"\nmode = "volume"\n'
OPEN_TIER = 'tiers = [{ unit_price = "7.99" }]\n'
INSTANTS_WANTED = "a timestamp with a zone (s, ms, us; ns that lose nothing), or RFC 3339 text"


def event(**differing: Any) -> Event:
    """An action of acme's u1, with some fields replaced."""
    fine = {
        "event_id": "e1",
        "account_id": "acme",
        "identity_id": "u1",
        "type": "action.called",
        "occurred_at": "2026-01-01T00:00:00Z",
    }
    return fine | differing


# The same events in every format. ----------------------------------------------------------------


def _as_csv(events: Sequence[Event], folder: Path) -> Source:
    """All fields quoted, so that an empty text is not a missing one."""
    columns = _columns(events)
    lines = [",".join(columns)] + [",".join(_quoted(e.get(column)) for column in columns) for e in events]
    return _written(folder / "events.csv", "\n".join(lines) + "\n")


def _as_jsonl(events: Sequence[Event], folder: Path) -> Source:
    return _written(folder / "events.jsonl", "".join(json.dumps(e) + "\n" for e in events))


def _as_parquet(events: Sequence[Event], folder: Path) -> Source:
    path = str(folder / "events.parquet")
    pq.write_table(_as_arrow(events, folder), path)
    return path


def _as_arrow(events: Sequence[Event], folder: Path) -> Source:
    return pa.table({column: pa.array([e.get(column) for e in events], pa.string()) for column in _columns(events)})


def _as_pandas(events: Sequence[Event], folder: Path) -> Source:
    return pd.DataFrame(list(events), columns=_columns(events))


Writer = Callable[[Sequence[Event], Path], Source]
#: How a format is written -> the number that messages give its first event.
WRITERS: dict[Writer, int] = {_as_csv: 2, _as_jsonl: 1, _as_parquet: 1, _as_arrow: 1, _as_pandas: 1}
every_format = pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__.removeprefix("_as_"))


def _columns(events: Sequence[Event]) -> list[str]:
    return list(dict.fromkeys(column for e in events for column in e))


def _quoted(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'


def _written(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def _rejections(events: billing.Events) -> list[tuple[str, int]]:
    """The code and the line of each rejection."""
    return [(rejection.code, rejection.line) for rejection in events.rejections]


def _tally(accepted: int = 0, duplicates: int = 0, rejected: int = 0) -> Tally:
    return Tally(accepted + duplicates + rejected, accepted, duplicates, rejected)


def _refusal(source: Source, **options: Any) -> tuple[str, str]:
    """The code for which a source is refused, and the place, without the folders before it."""
    with pytest.raises(billing.BillingError) as raised:
        billing.read(source, **options)
    return raised.value.code, Path(raised.value.where).name


# Rows: each of these is rejected by itself, in every format. ----------------------------------------

BAD_INSTANTS = {
    "B001": ("ts_not_a_time", "NaN", "nan"),
    "B002": ("ts_missing", None),
    "B003": ("ts_naive", "2026-01-01T00:00:00"),
    "B004": ("ts_numeric", "1700000000"),
    "B005": ("ts_naive", "2026-01-01"),
    "B006": ("ts_out_of_range", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+14:00", "2200-01-01T00:00:00Z"),
    "B007": ("ts_not_a_time", "infinity", "-infinity"),
    "B008": ("ts_zone_names_unsupported", "2024-03-10T02:30:00[America/New_York]", "2024-03-10 02:30:00 EST"),
    "B009": ("ts_naive", "2024-11-03 01:30", "2024-11-03T01:30:00"),
    "B010": ("ts_too_precise", "2026-01-01T00:00:00.1234567Z"),
    "B011": ("ts_leap_second", "2024-06-30T23:59:60Z"),
    "B012": ("ts_not_a_time", "2024-01-01T24:00:00Z"),
    "B013": (
        "ts_format",
        "2024-W01-1",
        "20240101T000000Z",
        "2024-01-01 00:00:00Z",
        "2024-01-01_00:00:00Z",
        "2024-01-01T00:00:00,5Z",
        "2024-01-01t00:00:00z",
        " 2024-01-01T00:00:00Z",
    ),
    "B014": ("ts_not_a_time", "2024-02-30T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01T00:00:00+25:00"),
    "B015": ("ts_format", "2024-01-01T00:00:00+23:59:59.999999", "2024-01-01T00:00:00-00:00"),
    "B016": (
        "ts_format",
        "\u0662\u0660\u0662\u0664-01-01T00:00:00Z",
        "\uff12024-01-01T00:00:00Z",
        "2024-01-01T00:00:00\u221205:00",
    ),
    "B100": ("ts_format", "1.23E+15", "44927.5", "01/02/2026", "####"),
}

BAD_IDS = {
    "B031": ("id_missing", None),
    "B032": ("id_empty", "", "   ", "\u00a0"),
    "B033": ("id_too_long", "u" * 129, "é" * 65),
    "B034": ("id_bad_char", "a\0b"),
    "B036": ("id_bad_char", "a\nb", "a\x1bb", "a\u202eb", "a\u2066b"),
    "B037": ("id_not_nfc", "Zoe\u0308", "\u212b"),
}

BAD_TYPES = {
    "B055": ("type_unknown", "integration.disconnected", "auth_expired"),
    "B064": ("type_unknown", "heartbeat"),
    "B065": ("type_invalid", " integration.connected", "CONNECT", "ACTION.CALLED", "", None),
}

GOOD_IDS = {
    "B039": ("U1", "u1", "u1 "),
    "B040": ("{0b5e7e5e-7f2c-4b58-9c2f-0d6f7d1d3c11}", "0B5E7E5E-7F2C-4B58-9C2F-0D6F7D1D3C11"),
    "B041": ("x'); DROP TABLE ev;--",),
    "B042": ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM"),
    "B043": ("<img src=x onerror=alert(1)>", "{{7*7}}", "javascript:alert(1)"),
    "B044": ("../../etc/passwd", "a/b", "%2e%2e", "con", "."),
    "B045": ("__proto__", "constructor", "toString"),
}


def _each(table: dict[str, tuple[Any, ...]]) -> list[Any]:
    """A parameter for each case and value: the code, and the value."""
    return [
        pytest.param(code, value, id=f"{case}-{k}")
        for case, (code, *values) in table.items()
        for k, value in enumerate(values, start=1)
    ]


@every_format
@pytest.mark.parametrize(("code", "value"), _each(BAD_INSTANTS))
def test_what_is_no_instant_is_rejected_and_the_rest_is_used(
    code: str, value: Any, write: Writer, tmp_path: Path
) -> None:
    """One wrong instant moves a bill, and one wrong row is no reason to lose the others."""
    read = billing.read(write([event(), event(event_id="e2", occurred_at=value)], tmp_path))
    assert [(code, WRITERS[write] + 1)] == _rejections(read)
    assert _tally(accepted=1, rejected=1) == read.tally


@every_format
@pytest.mark.parametrize(("code", "value"), _each(BAD_IDS))
def test_what_is_no_id_is_rejected_and_the_rest_is_used(code: str, value: Any, write: Writer, tmp_path: Path) -> None:
    """An id that looks like another, or like none, is one identity too many or too few."""
    read = billing.read(write([event(), event(event_id="e2", identity_id=value)], tmp_path))
    assert [(code, WRITERS[write] + 1)] == _rejections(read)
    assert _tally(accepted=1, rejected=1) == read.tally


@every_format
@pytest.mark.parametrize(("code", "value"), _each(BAD_TYPES))
def test_what_is_no_type_is_rejected_and_the_rest_is_used(code: str, value: Any, write: Writer, tmp_path: Path) -> None:
    """A type is never guessed, not even from one that differs only in case."""
    read = billing.read(write([event(), event(event_id="e2", type=value)], tmp_path))
    assert [(code, WRITERS[write] + 1)] == _rejections(read)
    assert _tally(accepted=1, rejected=1) == read.tally


@every_format
@pytest.mark.parametrize("ids", [pytest.param(ids, id=case) for case, ids in GOOD_IDS.items()])
def test_ids_are_opaque(ids: tuple[str, ...], write: Writer, tmp_path: Path) -> None:
    """Whatever an id could mean elsewhere, here it means only itself."""
    given = [event(event_id=one, account_id=one, identity_id=one) for one in ids]
    read = billing.read(write(given, tmp_path))
    assert (_tally(accepted=len(ids)), set(ids)) == (read.tally, set(read.names.identities.to_pylist()))


@dataclass(frozen=True)
class Story:
    """Some events, and what must become of them: rejections by the place of the event, counted from 0."""

    events: tuple[Event, ...]
    accepted: int
    duplicates: int = 0
    rejected: tuple[tuple[str, int], ...] = ()


CREATED = event(event_id="c1", type="identity.created", identity_type="engagement")
STORIES = {
    "B018-B021-mixed-offsets": Story(
        (
            event(occurred_at="2026-01-01T01:00:00+01:00"),
            event(event_id="e2"),
            event(event_id="e3", occurred_at="2025-12-31T16:00:00-08:00"),
        ),
        accepted=3,
    ),
    "B024": Story((event(), event(), event()), accepted=1, duplicates=2),
    "B025-occurred_at": Story((event(), event(occurred_at="2026-01-01T00:00:01Z")), 1, rejected=(("id_conflict", 1),)),
    "B025-type": Story((event(), event(type="identity.deleted")), 1, rejected=(("id_conflict", 1),)),
    "B025-identity_id": Story((event(), event(identity_id="u2")), 1, rejected=(("id_conflict", 1),)),
    "B025-action": Story((event(action="a"), event(action="b")), 1, rejected=(("id_conflict", 1),)),
    "B025-other-account-is-none": Story((event(), event(account_id="globex")), accepted=2),
    "B026": Story((event(), event(occurred_at="2026-01-01T01:00:00+01:00")), accepted=1, duplicates=1),
    "B027": Story((event(), event(account_id="globex")), accepted=2),
    "B028": Story((event(account_id="a-b", event_id="c"), event(account_id="a", event_id="b-c")), accepted=2),
    "B029": Story((event(), event(event_id="e2"), event()), accepted=2, duplicates=1),
    "B030": Story(
        (event(), event(identity_id="u2"), event(), event(identity_id="u3")),
        accepted=1,
        duplicates=1,
        rejected=(("id_conflict", 1), ("id_conflict", 3)),
    ),
    "B030-after-a-rejection": Story(
        (event(occurred_at="noon"), event(), event(identity_id="u2")),
        accepted=1,
        rejected=(("ts_format", 0), ("id_conflict", 2)),
    ),
    "B031-event-ids-are-optional": Story((event(event_id=None), event(event_id=None)), accepted=2),
    "B046": Story((event(), event(event_id="e2", type="integration.connected")), accepted=2),
    "B052": Story((CREATED,), accepted=1),
    "B053": Story(
        (
            event(type="integration.connected"),
            event(event_id="e2", type="integration.connected", occurred_at="2026-01-03T00:00:00Z"),
        ),
        accepted=2,
    ),
    "B057": Story(
        (CREATED, event(event_id="e2"), event(event_id="e3", type="identity.deleted")),
        accepted=3,
    ),
    "B062": Story((event(occurred_at="2026-01-02T00:00:00Z"), event(event_id="e2")), accepted=2),
    "B063": Story((event(), event(event_id="e2", account_id="globex")), accepted=2),
    "created-with-two-types": Story(
        (CREATED, CREATED | {"event_id": "c2", "identity_type": "standard"}),
        accepted=1,
        rejected=(("identity_type_conflict", 1),),
    ),
    "created-twice-alike": Story((CREATED, CREATED | {"event_id": "c2"}), accepted=2),
    "created-without-a-type": Story(
        (CREATED, CREATED | {"event_id": "c2", "identity_type": None}),
        accepted=1,
        rejected=(("identity_type_missing", 1),),
    ),
    "created-with-an-unknown-type": Story(
        (CREATED, CREATED | {"event_id": "c2", "identity_type": "Engagement"}),
        accepted=1,
        rejected=(("identity_type_unknown", 1),),
    ),
    "void": Story((event(), event(event_id="v1", type="event.voided", voids="e1")), accepted=2),
    "void-of-nothing": Story((event(), event(event_id="v1", type="event.voided")), 1, rejected=(("voids_missing", 1),)),
    "void-of-void": Story(
        (
            event(event_id="v2", type="event.voided", voids="v1"),
            event(),
            event(event_id="v1", type="event.voided", voids="e1"),
        ),
        accepted=2,
        rejected=(("void_of_void", 0),),
    ),
    "void-of-itself": Story(
        (event(), event(event_id="v1", type="event.voided", voids="v1")), 1, rejected=(("void_of_void", 1),)
    ),
    "mode": Story((event(mode="auto"), event(event_id="e2", mode="Auto")), 1, rejected=(("mode_unknown", 1),)),
}


@every_format
@pytest.mark.parametrize("story", [pytest.param(story, id=name) for name, story in STORIES.items()])
def test_events_are_compared_alike_in_every_format(story: Story, write: Writer, tmp_path: Path) -> None:
    """Repeats are harmless, contradictions keep the first, and no row vanishes."""
    read = billing.read(write(story.events, tmp_path))
    assert sorted((code, WRITERS[write] + place) for code, place in story.rejected) == sorted(_rejections(read))
    assert _tally(story.accepted, story.duplicates, len(story.rejected)) == read.tally


@pytest.mark.parametrize("field", ["identity_id", "type", "occurred_at", "action"])
def test_a_conflict_names_the_field_and_keeps_the_first(field: str, tmp_path: Path) -> None:
    """B025, B030: whoever has to find out which of the two is right needs to know where to look."""
    other = {
        "identity_id": "u2",
        "type": "identity.deleted",
        "occurred_at": "2026-01-01T00:00:01Z",
        "action": "linkedin-like-post",
    }
    first = event(action="linkedin-visit-profile")
    read = billing.read(_as_csv([first, first | {field: other[field]}], tmp_path))
    (conflict,) = read.rejections
    assert f"events.csv:2 has with another {field}. The first stays." in str(conflict)
    assert ["u1"] == [read.names.identities[int(code)].as_py() for code in read.columns.identities]


def test_a_type_that_changes_names_the_first_and_keeps_it(tmp_path: Path) -> None:
    """Whether somebody is billed must not depend on which of two rows was read last."""
    given = [CREATED, CREATED | {"event_id": "c2", "identity_type": "standard"}, event()]
    source = _as_csv(given, tmp_path)
    assert f'"standard", but {source}:2 created identity "u1" as engagement' in str(billing.read(source).rejections[0])
    assert [1] == billing.peaks(source)["peak"].tolist()


def test_deletion_wins_a_tie() -> None:
    """B057: created, called and deleted in one microsecond is never active."""
    given = [CREATED, event(event_id="e2"), event(event_id="e3", type="identity.deleted")]
    assert billing.intervals(pd.DataFrame(given)).empty


def test_one_identity_ending_as_another_starts_is_one() -> None:
    """B058: spans are half-open, so the two are never active at the same moment."""
    given = [
        event(),
        event(event_id="e2", type="identity.deleted", occurred_at="2026-01-02T00:00:00Z"),
        event(event_id="e3", identity_id="u2", occurred_at="2026-01-02T00:00:00Z"),
    ]
    assert 1 == billing.peaks(pd.DataFrame(given))["peak"].max()


@pytest.mark.parametrize(
    ("kind", "last_moment"),
    [("action.called", "2026-01-31T00:00:00"), ("integration.connected", "2026-01-06T00:00:00")],
)
def test_activity_continues_at_exactly_the_window(kind: str, last_moment: str) -> None:
    """B059: an event at the end of a window continues it, one microsecond later begins anew."""
    at, after = f"{last_moment}Z", f"{last_moment}.000001Z"
    spans = [
        len(billing.intervals(pd.DataFrame([event(type=kind), event(event_id="e2", type=kind, occurred_at=second)])))
        for second in (at, after)
    ]
    assert [1, 2] == spans


def test_a_window_is_as_long_in_spring_as_in_winter() -> None:
    """B060: thirty days are 720 hours, whatever clocks do in between."""
    span = billing.intervals(pd.DataFrame([event(occurred_at="2026-03-15T00:00:00-04:00")])).iloc[0]
    assert pd.Timedelta(hours=720) == span["end"] - span["start"]


@pytest.mark.parametrize("kind", ["action.called", "integration.connected"])
def test_life_after_deletion_is_counted_and_said(kind: str, tmp_path: Path, cli: Cli) -> None:
    """B048, B049: the engine bills what happened, and says that somebody should look."""
    given = [
        event(),
        event(event_id="e2", type="identity.deleted", occurred_at="2026-01-10T00:00:00Z"),
        event(event_id="e3", type=kind, occurred_at="2026-01-12T00:00:00Z"),
    ]
    outcome = cli("peaks", _as_csv(given, tmp_path), "--format", "json")
    assert (0, [1]) == (outcome.status, [row["peak"] for row in json.loads(outcome.out)][:1])
    assert (
        "active_after_deletion: of 2 intervals of activity, 1 began after the same identity had been deleted"
        in outcome.err
    )


def test_an_id_of_a_megabyte_is_rejected_without_being_shown(tmp_path: Path) -> None:
    """B033, B097: a message is for reading, so it shows no more than 64 characters of what was sent."""
    source = _written(tmp_path / "events.csv", HEADER + FINE + FINE.replace("u1", "u" * 1_000_000))
    read = billing.read(source)
    assert ([("csv_field_too_long", 3)], 1) == (_rejections(read), read.tally.accepted)
    assert len(str(read.rejections[0])) < 300 + len(source)


def test_no_text_takes_long_to_be_told_from_an_instant(tmp_path: Path) -> None:
    """B102: a field made to be slow must not stop a bill; a quadratic look at a long one took minutes."""
    source = _written(tmp_path / "events.csv", HEADER + FINE + FINE.replace("2026-01-01T00:00:00Z", "[" * 100_000))
    began = datetime.now(UTC)
    assert 1 == billing.read(source).tally.rejected
    assert (datetime.now(UTC) - began).total_seconds() < 2


def test_what_is_composed_already_is_not_advised(tmp_path: Path) -> None:
    """B037: an id that has the composed character too still needs a message that says which one to send."""
    (rejection,) = billing.read(_as_csv([event(identity_id="\u00e9e\u0301")], tmp_path)).rejections
    assert "Send it composed, as U+00E9," in str(rejection)


# JSON Lines ------------------------------------------------------------------------------------

BAD_LINES = {
    "B035": ("id_bad_char", FINE_OBJECT.replace('"u1"', '"\\ud800"') + "}"),
    "B066-other": ("json_duplicate_key", FINE_OBJECT + ', "event_id": "e2"}'),
    "B066-same": ("json_duplicate_key", FINE_OBJECT + ', "event_id": "e1"}'),
    "B067-typo": ("field_unknown", FINE_OBJECT + ', "timestmap": "2026-01-01T00:00:00Z"}'),
    "B067-null": ("field_unknown", FINE_OBJECT + ', "note": null}'),
    "B068-NaN": ("number_not_finite", FINE_OBJECT + ', "results": NaN}'),
    "B068-Infinity": ("number_not_finite", FINE_OBJECT + ', "results": -Infinity}'),
    "B068-1e400": ("number_not_finite", FINE_OBJECT + ', "results": 1e400}'),
    "B068-instant": ("ts_not_a_time", FINE_OBJECT.replace('"2026-01-01T00:00:00Z"', "NaN") + "}"),
    "B004-number": ("ts_numeric", FINE_OBJECT.replace('"2026-01-01T00:00:00Z"', "1700000000") + "}"),
    "B069-true": ("type", FINE_OBJECT + ', "results": true}'),
    "B069-text": ("type", FINE_OBJECT + ', "results": "12"}'),
    "B069-float": ("type", FINE_OBJECT + ', "results": 12.0}'),
    "B069-id": ("type", FINE_OBJECT.replace('"u1"', "1") + "}"),
    "B069-list": ("type", FINE_OBJECT.replace('"u1"', '["u1"]') + "}"),
    "B069-negative": ("results_invalid", FINE_OBJECT + ', "results": -1}'),
    "B070": ("json_invalid", FINE_OBJECT + ', "results": ' + "9" * 5_000 + "}"),
    "B071-9": ("json_too_deep", FINE_OBJECT + ', "x": ' + "[" * 8 + "]" * 8 + "}"),
    "B071-100000": ("json_too_deep", "[" * 100_000 + "]" * 100_000),
    "B071-never-closed": ("json_too_deep", '{"a":' * 100_000),
    "B074-list": ("json_invalid", "[]"),
    "B074-null": ("json_invalid", "null"),
    "B074-nothing": ("type_invalid", "{}"),
    "B074-wrapped": ("field_unknown", '{"events": []}'),
    "half-an-object": ("json_invalid", FINE_OBJECT),
    "two-on-a-line": ("json_invalid", FINE_OBJECT + "} " + FINE_OBJECT + "}"),
    "control-character": ("json_invalid", FINE_OBJECT.replace("u1", "u\x01") + "}"),
}


@pytest.mark.parametrize(
    ("code", "line"), [pytest.param(code, line, id=case) for case, (code, line) in BAD_LINES.items()]
)
def test_a_bad_line_is_rejected_and_the_rest_is_used(code: str, line: str, tmp_path: Path) -> None:
    """Half of a batch may be bad (B078): each line is an event of its own."""
    content = f"{FINE_OBJECT}}}\n{line}\n{ALSO_FINE_OBJECT}}}\n"
    read = billing.read(_written(tmp_path / "events.jsonl", content))
    assert ([(code, 2)], _tally(accepted=2, rejected=1)) == (_rejections(read), read.tally)


@pytest.mark.parametrize(
    ("code", "line"), [pytest.param(code, line, id=case) for case, (code, line) in BAD_LINES.items()]
)
def test_what_a_bad_line_gets_does_not_depend_on_other_lines(code: str, line: str, tmp_path: Path) -> None:
    """Lines are read many at a time and, where one is odd, one at a time; nobody may notice."""
    odd = FINE_OBJECT + ', "results": "odd"}'
    content = f"{FINE_OBJECT}}}\n{line}\n{odd}\n"
    read = billing.read(_written(tmp_path / "events.jsonl", content))
    assert [(code, 2), ("type", 3)] == _rejections(read)


@pytest.mark.parametrize("odd", ["", FINE_OBJECT + ', "results": "odd"}\n'], ids=["alone", "with-an-odd-line"])
@pytest.mark.parametrize("extra", ['"x": 1, "x": 2', '"x": ' + "[" * 9 + "]" * 9], ids=["twice", "deep"])
def test_what_is_passed_over_is_nobodys_business(extra: str, odd: str, tmp_path: Path) -> None:
    """Ignored fields must not cost an event, whatever other lines contain."""
    source = _written(tmp_path / "events.jsonl", f"{FINE_OBJECT}, {extra}}}\n{odd}")
    assert 1 == billing.read(source, ignore_extra=True).tally.accepted


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"{FINE_OBJECT}}}{ALSO_FINE_OBJECT}}}\n\n", id="two-on-a-line-and-a-blank-one"),
        pytest.param(
            (FINE_OBJECT + "}").replace(", ", ",\n", 1) + f"\n{FINE_OBJECT}}}{ALSO_FINE_OBJECT}}}\n",
            id="one-on-two-lines-and-two-on-one",
        ),
    ],
)
def test_a_line_is_one_event_however_many_there_are_in_all(content: str, tmp_path: Path) -> None:
    """As many objects as lines are not yet one object a line."""
    read = billing.read(_written(tmp_path / "events.jsonl", content))
    assert {"json_invalid"} == {rejection.code for rejection in read.rejections}
    assert 0 == read.tally.accepted


@pytest.mark.parametrize("field", ["event_id", "account_id", "identity_id", "type", "occurred_at", "action", "mode"])
def test_a_line_that_is_not_utf_8_refuses_the_file_and_says_where(field: str, tmp_path: Path) -> None:
    """B072, B073: bytes that are no text cannot be shown, so the place is all that helps."""
    bad = json.dumps(event(event_id="e2") | {field: "@"}).encode().replace(b"@", b"\xff")
    source = _written(tmp_path / "events.jsonl", f"{FINE_OBJECT}}}\n".encode() + bad + b"\n")
    assert ("encoding", "events.jsonl:2") == _refusal(source)


def test_a_file_of_a_folder_is_named_and_not_another(tmp_path: Path) -> None:
    """B073: whoever is sent to the wrong file finds nothing wrong in it."""
    _written(tmp_path / "a.jsonl", f"{FINE_OBJECT}}}\n")
    _written(tmp_path / "b.jsonl", f"{ALSO_FINE_OBJECT}}}\n".encode().replace(b"u2", b"\xff"))
    assert _refusal(str(tmp_path))[1].startswith("b.jsonl")


@pytest.mark.parametrize("end", [" ", "}", ""], ids=["in-an-object", "in-another", "in-a-text"])
@pytest.mark.parametrize(
    "rest",
    ["{", '{"event_id', '{"event_id":', '{"event_id": nu', '{"event_id": "e\\', '{"event_id": "\\u00', '{"results": -'],
)
def test_a_last_line_that_was_cut_refuses_the_file(rest: str, end: str, tmp_path: Path) -> None:
    """What came after the cut is not there to be billed, and nobody knows how much it was."""
    source = _written(tmp_path / "events.jsonl", f"{FINE_OBJECT}}}\n{rest}{end}".rstrip("} "))
    assert ("file_truncated", "events.jsonl") == _refusal(source)


# Files -----------------------------------------------------------------------------------------

REFUSED_FILES: dict[str, tuple[str, str, str, str | bytes]] = {
    # case -> code, place, name of the file, content
    "B086-empty": ("file_empty", "events.csv", "events.csv", ""),
    "B086-header-only": ("file_empty", "events.csv", "events.csv", HEADER),
    "B086-header-without-line-end": ("file_empty", "events.csv", "events.csv", HEADER.strip()),
    "B086-header-and-blank-lines": ("file_empty", "events.csv", "events.csv", HEADER + "\n\n"),
    "B086-empty-jsonl": ("file_empty", "events.jsonl", "events.jsonl", ""),
    "B086-blank-jsonl": ("file_empty", "events.jsonl", "events.jsonl", "\n\n"),
    "B086-empty-gz": ("file_empty", "events.csv.gz", "events.csv.gz", gzip.compress(b"")),
    "B091-empty-parquet": ("file_corrupt", "events.parquet", "events.parquet", ""),
    "B091-wrong-magic": ("file_corrupt", "events.parquet", "events.parquet", HEADER + FINE),
    "B072-utf-16": ("encoding", "events.csv", "events.csv", (HEADER + FINE).encode("utf-16")),
    "B072-utf-16-without-mark": ("encoding", "events.csv", "events.csv", (HEADER + FINE).encode("utf-16-le")),
    "B072-utf-16-jsonl": ("encoding", "events.jsonl", "events.jsonl", (FINE_OBJECT + "}\n").encode("utf-16-be")),
    "B072-latin-1": ("encoding", "events.csv:3", "events.csv", (HEADER + FINE + "é" + ALSO_FINE).encode("latin-1")),
    "B073": ("encoding", "events.csv:3", "events.csv", (HEADER + FINE).encode() + b"\xff" + ALSO_FINE.encode()),
    "B090": ("csv_header_repeated", "events.csv.gz:3", "events.csv.gz", gzip.compress((HEADER + FINE).encode()) * 2),
    "B090-in-one": ("csv_header_repeated", "events.csv:4", "events.csv", HEADER + FINE + "\n" + HEADER + ALSO_FINE),
    "B095-short": ("csv_ragged", "events.csv:3", "events.csv", HEADER + FINE + "e2,acme\n"),
    "B095-long": ("csv_ragged", "events.csv:3", "events.csv", HEADER + FINE + ALSO_FINE.strip() + ",1\n"),
    "B095-after-blank-lines": ("csv_ragged", "events.csv:5", "events.csv", HEADER + FINE + "\n\ne2,acme\n"),
    "B095-after-a-quoted-line-break": (
        "csv_ragged",
        "events.csv:4",
        "events.csv",
        HEADER + FINE.replace("u1", '"u\n1"') + "e2,acme\n",
    ),
    "B096": ("csv_quote", "events.csv:3", "events.csv", HEADER + FINE + '"' + ALSO_FINE),
    "B096-last-field": ("csv_quote", "events.csv:3", "events.csv", HEADER + FINE + 'e2,acme,u2,action.called,"2026\n'),
    "B098-twice": ("csv_header", "events.csv:1", "events.csv", "event_id," + HEADER + "e0," + FINE),
    "B098-missing": ("csv_header", "events.csv:1", "events.csv", HEADER.replace("occurred_at", "when") + FINE),
    "B098-language": ("csv_header", "events.csv:1", "events.csv", "Ereignis,Konto,Identität,Art,Zeit\n" + FINE),
    "B098-none": ("csv_header", "events.csv:1", "events.csv", FINE + ALSO_FINE),
    "B098-unknown": ("field_unknown", "events.csv:1", "events.csv", "timestmap," + HEADER + "x," + FINE),
    "B099-semicolon": ("csv_header", "events.csv:1", "events.csv", (HEADER + FINE).replace(",", ";")),
    "B099-tab": ("csv_header", "events.csv:1", "events.csv", (HEADER + FINE).replace(",", "\t")),
    "B103-zip": ("file_type", "events.zip", "events.zip", b"PK\x03\x04"),
    "B103-csv-zip": ("file_type", "events.csv.zip", "events.csv.zip", b"PK\x03\x04"),
    "B103-txt": ("file_type", "events.txt", "events.txt", HEADER + FINE),
    "not-compressed": ("file_corrupt", "events.csv.gz", "events.csv.gz", HEADER + FINE),
}


@pytest.mark.parametrize(
    ("code", "place", "name", "content"), [pytest.param(*given, id=case) for case, given in REFUSED_FILES.items()]
)
def test_a_file_that_is_not_what_it_seems_is_refused(
    code: str, place: str, name: str, content: str | bytes, tmp_path: Path
) -> None:
    """What cannot be read to its end, or not in one way, is not read at all."""
    assert (code, place) == _refusal(_written(tmp_path / name, content))


ODD_BUT_FINE: dict[str, tuple[int, str | bytes]] = {
    # case -> the line of the row without a time, the file
    "B087": (3, b"\xef\xbb\xbf" + (HEADER + FINE + NO_TIME).encode()),
    "B087-quoted-header": (3, b'\xef\xbb\xbf"event_id"' + (HEADER[8:] + FINE + NO_TIME).encode()),
    "B088-crlf": (4, (HEADER + FINE + ALSO_FINE + NO_TIME).replace("\n", "\r\n")),
    "B088-cr": (4, (HEADER + FINE + ALSO_FINE + NO_TIME).replace("\n", "\r")),
    "B088-mixed": (4, HEADER + FINE.replace("\n", "\r\n") + ALSO_FINE.replace("\n", "\r") + NO_TIME),
    "B088-no-final-line-end": (3, HEADER + FINE + NO_TIME.strip()),
    "blank-lines": (9, HEADER + "\n\n" + FINE + "\n\n" + ALSO_FINE + "\n" + NO_TIME + "\n\n"),
    "blank-lines-crlf": (5, (HEADER + "\n" + FINE + "\n" + NO_TIME).replace("\n", "\r\n")),
    "blank-lines-before-the-header": (5, "\n\n" + HEADER + FINE + NO_TIME),
    "line-break-in-a-rejected-id": (5, HEADER + FINE + ALSO_FINE.replace("u2", '"u\n2"') + NO_TIME),
    "blank-line-in-a-rejected-id": (6, HEADER + FINE + ALSO_FINE.replace("u2", '"u\n\n2"') + NO_TIME),
}


@pytest.mark.parametrize(("line", "content"), [pytest.param(*given, id=case) for case, given in ODD_BUT_FINE.items()])
def test_marks_line_ends_and_blank_lines_change_neither_rows_nor_lines(
    line: int, content: str | bytes, tmp_path: Path
) -> None:
    """A rejection sends people to a line of their file, as their editor counts."""
    read = billing.read(_written(tmp_path / "events.csv", content))
    assert ("ts_format", line) == _rejections(read)[-1]
    assert read.tally.accepted >= 1


def test_a_line_break_in_a_column_passed_over_counts(tmp_path: Path) -> None:
    """Notes with several lines are common in the very columns that are not read."""
    content = f'note,{HEADER}"two\nlines",{FINE}plain,{NO_TIME}'
    assert [("ts_format", 4)] == _rejections(
        billing.read(_written(tmp_path / "events.csv", content), ignore_extra=True)
    )


def test_blank_lines_of_json_lines_count(tmp_path: Path) -> None:
    """A mark, blank lines and either line end are no events, but they are lines."""
    content = b"\xef\xbb\xbf" + f"{FINE_OBJECT}}}\r\n\r\n  \r\n{FINE_OBJECT}, }}\r\n{ALSO_FINE_OBJECT}}}".encode()
    read = billing.read(_written(tmp_path / "events.jsonl", content))
    assert ([("json_invalid", 4)], _tally(accepted=2, rejected=1)) == (_rejections(read), read.tally)


def test_what_a_message_shows_of_a_header_is_cut_and_escaped(tmp_path: Path) -> None:
    """A header may hold anything, even what a terminal would obey."""
    for header in ("a\x1b[2J;" + "b" * 10_000, "x,\x1b[2Jaccount_id," + "b" * 10_000):
        with pytest.raises(billing.BadSource) as raised:
            billing.read(_written(tmp_path / "events.csv", f"{header}\n1\n"))
        assert raised.value.code == "csv_header"
        assert "\x1b" not in str(raised.value)
        assert len(str(raised.value)) < 500 + len(str(tmp_path))


def test_a_file_is_no_pipe(tmp_path: Path) -> None:
    """B102: waiting for what may never come is no answer; standard input is there for pipes."""
    os.mkfifo(tmp_path / "events.csv")
    outcome = _process("peaks", "events.csv", folder=tmp_path, seconds=3)
    assert (2, True) == (outcome.returncode, outcome.stderr.startswith(b"file_type: events.csv: "))


# Files that end early ---------------------------------------------------------------------------

MANY = 3_000


def _many_rows() -> bytes:
    rows = (f"e{k},acme,u{k % 97},action.called,2026-01-{k % 28 + 1:02}T{k % 24:02}:00:00Z\n" for k in range(MANY))
    return (HEADER + "".join(rows)).encode()


def _many_lines() -> bytes:
    return "".join(FINE_OBJECT.replace("e1", f"e{k}") + "}\n" for k in range(MANY)).encode()


def _many_as_parquet(folder: Path) -> bytes:
    table = pa.table({name: [value] * MANY for name, value in event().items()})
    pq.write_table(table, folder / "whole.parquet", row_group_size=500)
    return (folder / "whole.parquet").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "csv.zst", "jsonl", "jsonl.gz", "parquet"])
def test_a_file_cut_at_two_thirds_gives_an_error_and_no_result(kind: str, tmp_path: Path, cli: Cli) -> None:
    """B089, B091: a bill of two thirds of the events looks like any other bill."""
    made: dict[str, Callable[[], bytes]] = {
        "csv": _many_rows,
        "csv.gz": lambda: gzip.compress(_many_rows()),
        "csv.zst": lambda: bytes(pa.compress(_many_rows(), codec="zstd", asbytes=True)),
        "jsonl": _many_lines,
        "jsonl.gz": lambda: gzip.compress(_many_lines()),
        "parquet": lambda: _many_as_parquet(tmp_path),
    }
    whole = made[kind]()
    cut = whole[: len(whole) * 2 // 3]
    if kind == "csv":
        cut = cut[: cut.rindex(b",action")]  # in the middle of a row, where it shows
    outcome = cli("peaks", _written(tmp_path / f"cut.{kind}", cut), "--format", "json")
    assert (2, "") == (outcome.status, outcome.out)
    code = {"csv": "csv_ragged", "parquet": "file_corrupt"}.get(kind, "file_truncated")
    assert outcome.err.startswith(f"{code}: {tmp_path / 'cut'}.{kind}:")
    if kind in ("csv", "jsonl", "csv.gz", "jsonl.gz"):
        line = int("".join(c for c in outcome.err.rpartition("cut.")[2] if c.isdigit()) or 0)
        assert line > 0, "the error says where"


def test_a_csv_file_cut_within_an_instant_is_not_billed_as_if_it_were_whole(tmp_path: Path, cli: Cli) -> None:
    """Without a line end after it, a last row that cannot be accepted was cut, and more may be missing."""
    outcome = cli("peaks", _written(tmp_path / "events.csv", HEADER + FINE + ALSO_FINE[:-9]), "--format", "json")
    assert (2, "") == (outcome.status, outcome.out)


@pytest.mark.parametrize("last", [-4, -1])
def test_a_compressed_file_without_its_last_bytes_is_refused(last: int, tmp_path: Path) -> None:
    """The last bytes are a checksum, without which nobody knows whether the rest is right."""
    source = _written(tmp_path / "events.csv.gz", gzip.compress(_many_rows())[:last])
    assert ("file_truncated", "events.csv.gz") == _refusal(source)


def test_a_compressed_file_with_a_flipped_bit_is_damaged(tmp_path: Path) -> None:
    """Damaged is not cut: to fetch it again will help, to wait for the rest will not."""
    whole = bytearray(gzip.compress(_many_rows()))
    whole[-8] ^= 1  # in the checksum
    assert ("file_corrupt", "events.csv.gz") == _refusal(_written(tmp_path / "events.csv.gz", bytes(whole)))


# Columns of Parquet, Arrow and pandas ------------------------------------------------------------

SECOND = 1_767_225_600  # 2026-01-01T00:00:00Z


def _table(**columns: pa.Array) -> pa.Table:
    """Two events, with some columns as given."""
    first, second = event(), event(event_id="e2", identity_id="u2")
    fine = {name: pa.array([first[name], second[name]]) for name in first}
    return pa.table(fine | columns)


def _instants(values: Sequence[int | None], unit: str, zone: str | None = "UTC") -> pa.Array:
    return pa.array(values, pa.int64()).cast(pa.timestamp(unit, zone))


@pytest.mark.parametrize(
    "instants",
    [
        pytest.param(pa.array([SECOND, SECOND]), id="integer"),
        pytest.param(pa.array([float(SECOND), float("nan")]), id="float"),
        pytest.param(_instants([SECOND * 10**6] * 2, "us", None), id="naive"),
        pytest.param(pa.array([20_454, 20_454], pa.date32()), id="date"),
        pytest.param(pa.array([True, False]), id="bool"),
        pytest.param(pa.array([b"2026-01-01T00:00:00Z"] * 2), id="binary"),
        pytest.param(pa.array([["2026-01-01T00:00:00Z"]] * 2), id="list"),
    ],
)
def test_a_column_that_cannot_hold_instants_refuses_the_source(instants: pa.Array, tmp_path: Path) -> None:
    """B094: a wrong unit is wrong by a factor of a thousand, and in every row."""
    table = _table(occurred_at=instants)
    pq.write_table(table, tmp_path / "events.parquet")
    for source in (table, str(tmp_path / "events.parquet")):
        with pytest.raises(billing.BadSource) as raised:
            billing.read(source)
        assert raised.value.code == "column_type"
        assert str(raised.value).endswith(f"It must be {INSTANTS_WANTED}.")


def test_the_old_timestamps_of_parquet_refuse_the_source(tmp_path: Path) -> None:
    """B094: int96 has neither a unit nor a zone."""
    path = tmp_path / "events.parquet"
    pq.write_table(_table(occurred_at=_instants([SECOND] * 2, "s")), path, use_deprecated_int96_timestamps=True)
    assert ("column_type", "events.parquet") == _refusal(str(path))


@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_instants_of_every_unit_that_lose_nothing_are_the_same(unit: str, per_second: int) -> None:
    """A file says in which unit it counts, so there is nothing to guess."""
    read = billing.read(_table(occurred_at=_instants([SECOND * per_second] * 2, unit, "Asia/Tokyo")))
    assert [SECOND * 10**6] * 2 == read.columns.instants.tolist()


@pytest.mark.parametrize(
    ("code", "instants"),
    [
        pytest.param("ts_too_precise", _instants([SECOND * 10**9, SECOND * 10**9 + 1], "ns"), id="B010"),
        pytest.param("ts_missing", _instants([SECOND, None], "s"), id="B002"),
        pytest.param("ts_out_of_range", _instants([SECOND, 0], "s"), id="B006-1970"),
        pytest.param("ts_out_of_range", _instants([SECOND * 10**6, -(2**63)], "us"), id="B001-as-integer"),
        pytest.param("ts_out_of_range", _instants([SECOND, 2**63 - 1], "s"), id="B006-wraps"),
        pytest.param("ts_out_of_range", _instants([SECOND, 0], "s", "Nowhere/Land"), id="B006-unknown-zone"),
    ],
)
def test_an_instant_that_cannot_be_is_rejected_by_row(code: str, instants: pa.Array) -> None:
    """What has the right type can still be wrong, one row at a time."""
    read = billing.read(_table(occurred_at=instants))
    assert ([(code, 2)], _tally(accepted=1, rejected=1)) == (_rejections(read), read.tally)


def test_missing_instants_of_pandas_are_missing() -> None:
    """B002: NaT becomes the earliest instant there is wherever it is taken for a number."""
    frame = pd.DataFrame([event(), event(event_id="e2")])
    frame["occurred_at"] = pd.to_datetime(pd.Series(["2026-01-01T00:00:00Z", None]), utc=True)
    assert [("ts_missing", 2)] == _rejections(billing.read(frame))


@pytest.mark.parametrize("instants", [[float("nan")] * 2, [pd.NaT] * 2, [None] * 2], ids=["NaN", "NaT", "None"])
def test_a_pandas_column_of_nothing_gives_no_instants(instants: list[Any]) -> None:
    """B001, B002: a column that pandas made of nothing has a type of its own choosing."""
    frame = pd.DataFrame([event(), event(event_id="e2")])
    frame["occurred_at"] = instants
    try:
        assert 0 == billing.read(frame).tally.accepted
    except billing.BadSource as error:
        assert error.code == "column_type"


def test_rows_of_pandas_are_numbered_from_one_whatever_their_index() -> None:
    """A frame that was filtered keeps its labels, which are not columns."""
    frame = pd.DataFrame([event(), event(event_id="e2"), event(event_id="e3", occurred_at="noon")])[1:]
    assert [("ts_format", 2)] == _rejections(billing.read(frame))


TEXT_COLUMNS = ("event_id", "account_id", "identity_id", "type", "identity_type", "action", "mode", "voids")
VALUES = {"type": "action.called", "identity_type": "standard", "mode": "auto"}


@pytest.mark.parametrize("column", [c for c in TEXT_COLUMNS if c != "event_id"])
@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary", "dictionary of large"])
def test_text_is_text_however_arrow_stores_it(kind: str, column: str, tmp_path: Path) -> None:
    """Every library has its own way to store text, and none of them is an error."""
    value = VALUES.get(column, "x")
    array = {
        "string": pa.array([value] * 2, pa.string()),
        "large_string": pa.array([value] * 2, pa.large_string()),
        "string_view": pa.array([value] * 2, pa.string_view()),
        "dictionary": pa.array([value] * 2).dictionary_encode(),
        "dictionary of large": pa.array([value] * 2, pa.large_string()).dictionary_encode(),
    }[kind]
    table = _table(**{column: array})
    pq.write_table(table, tmp_path / "events.parquet")
    assert _tally(accepted=2) == billing.read(table).tally == billing.read(str(tmp_path / "events.parquet")).tally


@pytest.mark.parametrize("column", TEXT_COLUMNS)
@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array([1, 2]), id="integer"),
        pytest.param(pa.array([1.5, float("nan")]), id="float"),
        pytest.param(pa.array([True, None]), id="bool"),
        pytest.param(pa.array([b"x", b"y"]), id="binary"),
        pytest.param(pa.array([["x"], ["y"]]), id="list"),
        pytest.param(pa.array([{"x": "y"}] * 2), id="struct"),
        pytest.param(pa.array([1, 2]).dictionary_encode(), id="dictionary of integers"),
    ],
)
def test_a_column_of_text_that_holds_no_text_refuses_the_source(values: pa.Array, column: str, tmp_path: Path) -> None:
    """B069, B092: a number turned into an id (1, 1.0, nan) is a guess, and a list is no id at all."""
    table = _table(**{column: values})
    pq.write_table(table, tmp_path / "events.parquet")
    for source in (table, str(tmp_path / "events.parquet")):
        assert "column_type" == _refusal(source)[0]


@pytest.mark.parametrize("column", [*TEXT_COLUMNS, "occurred_at", "recorded_at", "results"])
def test_text_that_is_not_utf_8_refuses_the_source(column: str) -> None:
    """B073: Arrow takes any bytes for text until somebody looks."""
    assert "encoding" == _refusal(_table(**{column: pa.array([b"\xff", b"x"]).view(pa.string())}))[0]


@pytest.mark.parametrize("column", ["account_id", "identity_id", "type", "occurred_at"])
def test_a_needed_column_without_values_rejects_every_row(column: str) -> None:
    """An export that lost a column must not be taken for one without events."""
    read = billing.read(_table(**{column: pa.nulls(2)}))
    assert _tally(rejected=2) == read.tally


@pytest.mark.parametrize("column", ["event_id", "recorded_at", "identity_type", "action", "results", "mode", "voids"])
def test_an_optional_column_without_values_is_one_that_is_not_there(column: str) -> None:
    """Programs write all columns, whether they have anything to say in them or not."""
    assert _tally(accepted=2) == billing.read(_table(**{column: pa.nulls(2)})).tally


@pytest.mark.parametrize("column", ["account_id", "identity_id"])
def test_a_missing_value_hidden_in_a_dictionary_is_missing(column: str) -> None:
    """A dictionary can hold nothing as one of its values, and then no row seems to miss one."""
    hidden = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), pa.array(["x", None]))
    read = billing.read(_table(**{column: hidden}))
    assert ([("id_missing", 2)], 1) == (_rejections(read), read.tally.accepted)


@pytest.mark.parametrize(
    "results", [pa.array([1.0, 2.0]), pa.array([True, False]), pa.array([[1], [2]])], ids=["float", "bool", "list"]
)
def test_counts_that_are_no_whole_numbers_refuse_the_source(results: pa.Array) -> None:
    """B069: 12.0 is a number that some program has already been at."""
    assert "column_type" == _refusal(_table(results=results))[0]


@pytest.mark.parametrize(
    "results",
    [pa.array([1, -1]), pa.array([1, 2**64 - 1], pa.uint64()), pa.array(["1", "many"]), pa.array(["1", "1.5"])],
    ids=["negative", "too large", "word", "fraction"],
)
def test_a_count_that_cannot_be_is_rejected_by_row(results: pa.Array) -> None:
    """One wrong count is one wrong row."""
    assert [("results_invalid", 2)] == _rejections(billing.read(_table(results=results)))


def test_a_lone_surrogate_of_pandas_is_no_text() -> None:
    """B035: text that cannot be stored anywhere must not end in a traceback."""
    with pytest.raises(billing.BadSource):
        billing.read(pd.DataFrame([event(identity_id="\ud800")], dtype=object))


# Sources ---------------------------------------------------------------------------------------


def test_the_same_events_in_two_files_are_read_once(tmp_path: Path) -> None:
    """B101: renamed, re-sorted or in another format, a file that is there twice changes nothing."""
    (tmp_path / "deep").mkdir()
    _written(tmp_path / "a.csv", HEADER + FINE + ALSO_FINE)
    _written(tmp_path / "deep" / "b.csv", HEADER + ALSO_FINE + FINE)
    _written(tmp_path / "c.jsonl", f"{FINE_OBJECT}}}\n")
    _written(tmp_path / "notes.txt", "not a source")
    assert _tally(accepted=2, duplicates=3) == billing.read(str(tmp_path)).tally
    assert _tally(accepted=2) == billing.read(str(tmp_path / "*.csv")).tally


def test_a_folder_or_glob_of_nothing_is_refused(tmp_path: Path) -> None:
    """B086: nothing found is no bill of nothing."""
    assert "file_empty" == _refusal(str(tmp_path))[0]
    assert "file_missing" == _refusal(str(tmp_path / "*.csv"))[0]


def test_one_bad_file_refuses_the_folder(tmp_path: Path) -> None:
    """A folder is one source: without one of its files it is another."""
    _written(tmp_path / "a.csv", HEADER + FINE)
    _written(tmp_path / "b.csv", HEADER + ALSO_FINE + "e3,acme\n")
    assert ("csv_ragged", "b.csv:3") == _refusal(str(tmp_path))


def _process(
    *words: str, folder: Path, given: bytes | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[bytes]:
    """The command line as people run it."""
    command = [sys.executable, "-m", "billing", *words]
    path = os.pathsep.join([str(Path(billing.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        command,
        input=given,
        capture_output=True,
        cwd=folder,
        timeout=seconds,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "jsonl.zst", "parquet"])
def test_standard_input_tells_its_kind_by_itself(kind: str, tmp_path: Path) -> None:
    """A pipe has no name to tell by."""
    pq.write_table(_as_arrow([event()], tmp_path), tmp_path / "events.parquet")
    given = {
        "csv": (HEADER + FINE).encode(),
        "csv.gz": gzip.compress((HEADER + FINE).encode()),
        "jsonl": f"{FINE_OBJECT}}}\n".encode(),
        "jsonl.zst": pa.compress(f"{FINE_OBJECT}}}\n".encode(), codec="zstd", asbytes=True),
        "parquet": (tmp_path / "events.parquet").read_bytes(),
    }[kind]
    done = _process("peaks", "-", "--format", "json", folder=tmp_path, given=given)
    assert (0, b"1 received = 1 accepted + 0 duplicates + 0 rejected\n") == (done.returncode, done.stderr)
    assert [1] == [row["peak"] for row in json.loads(done.stdout)]


# The command line ------------------------------------------------------------------------------


def test_exit_statuses_are_0_1_and_2(tmp_path: Path) -> None:
    """Scripts see only these, so they are checked on a process of its own."""
    _written(tmp_path / "fine.csv", HEADER + FINE)
    _written(tmp_path / "bad.csv", HEADER + FINE + NO_TIME)
    statuses = [
        _process("peaks", *words, "--format", "json", folder=tmp_path).returncode
        for words in (["fine.csv"], ["bad.csv"], ["bad.csv", "--strict"])
    ]
    assert [0, 1, 2] == statuses


def test_rejected_rows_are_shown_and_the_rest_is_billed(tmp_path: Path, cli: Cli) -> None:
    """B078: what was used, what was not, and that they add up."""
    outcome = cli("peaks", _written(tmp_path / "events.csv", HEADER + FINE + NO_TIME), "--format", "json")
    assert (1, [1]) == (outcome.status, [row["peak"] for row in json.loads(outcome.out)])
    assert "events.csv:3: occurred_at is" in outcome.err
    assert outcome.err.endswith("2 received = 1 accepted + 0 duplicates + 1 rejected\n")


def test_strict_stops_at_the_first_rejection(tmp_path: Path, cli: Cli) -> None:
    """Whoever asks for all or nothing gets nothing, and the first reason."""
    source = _written(tmp_path / "events.csv", HEADER + FINE + NO_TIME + FINE.replace("u1", ""))
    outcome = cli("peaks", source, "--format", "json", "--strict")
    assert (2, "") == (outcome.status, outcome.out)
    assert outcome.err.startswith("ts_format: ")
    assert len(outcome.err.splitlines()) == 1


def test_rejections_are_kept_in_a_file(tmp_path: Path, cli: Cli) -> None:
    """Ten are enough to read; a program that mends them needs all."""
    source = _written(tmp_path / "events.csv", HEADER + FINE + NO_TIME * 12)
    outcome = cli("peaks", source, "--rejections", str(tmp_path / "rejected.jsonl"))
    kept = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [f"{source}:{line}" for line in range(3, 15)] == [rejection["where"] for rejection in kept]
    assert {"code": "ts_format", "got": '"noon"'}.items() <= kept[0].items()
    assert "... and 2 more; --rejections FILE keeps all of them." in outcome.err


BAD_CALLS = {
    "B047": ('account_unknown: there is no account "acmee" (did you mean acme?)', ["--account", "acmee"]),
    "B119": ("cycle_empty: ", ["--first", "2026-03", "--last", "2026-01"]),
    "cycle-name": ('cycle_name: first is "2026-13"', ["--first", "2026-13"]),
    "cycle-and-first": ("usage: ", ["--cycle", "2026-01", "--first", "2026-01"]),
    "cycle-empty-text": ("cycle_name: ", ["--cycle", ""]),
    "timezone": (
        'timezone_unknown: timezone is "Europe/Pariss", which is not a time zone (did you mean Europe/Paris?)',
        ["--timezone", "Europe/Pariss"],
    ),
    "timezone-path": ("timezone_unknown: ", ["--timezone", "../../etc/passwd"]),
    "timezone-empty-text": ("timezone_unknown: ", ["--timezone", ""]),
    "months": ("cycle_months: ", ["--months", "2"]),
    "reconnect": ("reconnect_unknown: ", ["--reconnect", "never"]),
    "anchor": ("ts_naive: anchor is ", ["--anchor", "2026-01-01"]),
    "as-of": ("ts_naive: --as-of is ", ["--as-of", "2026-01-01T00:00:00"]),
    "known-at": ("known_at_unavailable: ", ["--known-at", "2026-01-01T00:00:00Z"]),
    "no-plan-file": ("file_missing: ", ["--plan", "nowhere.toml"]),
}


@pytest.mark.parametrize(("message", "options"), [pytest.param(*given, id=case) for case, given in BAD_CALLS.items()])
def test_a_call_that_cannot_be_answered_says_why(message: str, options: list[str], tmp_path: Path, cli: Cli) -> None:
    """Nothing is answered in place of what was asked."""
    outcome = cli("peaks", _written(tmp_path / "events.csv", HEADER + FINE), "--format", "json", *options)
    assert (2, "") == (outcome.status, outcome.out)
    assert outcome.err.startswith(message)


def test_a_missing_file_is_not_guessed_but_suggested(tmp_path: Path, cli: Cli) -> None:
    """The wrong month's file is one letter away."""
    _written(tmp_path / "events.csv", HEADER + FINE)
    outcome = cli("peaks", str(tmp_path / "event.csv"))
    assert (2, "") == (outcome.status, outcome.out)
    assert outcome.err.endswith("there is no such file. Check the name (did you mean events.csv?).\n")


def test_an_explanation_of_nothing_is_no_traceback(tmp_path: Path, cli: Cli) -> None:
    """B130: a source whose every row was rejected has no account to explain."""
    outcome = cli("explain", _written(tmp_path / "events.csv", HEADER + NO_TIME))
    assert outcome.status in (1, 2)
    assert "nothing_accepted: " in outcome.err


@pytest.mark.parametrize("option", ["--output", "--rejections"])
def test_a_file_that_cannot_be_written_is_no_traceback(option: str, tmp_path: Path, cli: Cli) -> None:
    """A result that is lost after all the work must at least say where it could not go."""
    source = _written(tmp_path / "events.csv", HEADER + FINE + NO_TIME)
    outcome = cli("peaks", source, "--format", "json", option, str(tmp_path / "nowhere" / "file"))
    assert outcome.status == 2
    assert "nowhere" in outcome.err


def test_what_a_spreadsheet_would_run_is_neutralised_in_csv_only(tmp_path: Path, cli: Cli) -> None:
    """B042: programs get the id as it is, spreadsheets get text."""
    account, identity, event_id = "=cmd|' /C calc'!A0", "@SUM", "-1"
    source = _as_csv([event(account_id=account, identity_id=identity, event_id=event_id)], tmp_path)
    assert f"\n'{account}," in cli("peaks", source, "--format", "csv").out
    assert [account] == [row["account_id"] for row in json.loads(cli("peaks", source, "--format", "json").out)]
    assert f",'{identity},'{event_id}," in cli("explain", source, "--format", "csv").out
    (shown,) = json.loads(cli("explain", source, "--format", "json").out)["identities"]
    assert (identity, event_id) == (shown["identity_id"], shown["event_id"])


def test_a_bill_of_nothing_after_one_of_something_is_said(tmp_path: Path, cli: Cli) -> None:
    """B130: an account that fell silent may have a broken feed."""
    source = _written(tmp_path / "events.csv", HEADER + FINE)
    plan = _written(tmp_path / "plan.toml", PLAN + OPEN_TIER)
    outcome = cli("invoice", source, "--plan", plan, "--last", "2026-03", "--format", "json")
    assert (0, ["7.99", "0.00", "0.00"]) == (outcome.status, [row["total"] for row in json.loads(outcome.out)])
    assert "suspicious_zero: account acme is billed for 0 in cycle 2026-02; the peak before was 1." in outcome.err


# Plans, terms and cycles -----------------------------------------------------------------------


def _second_tier(price: str) -> str:
    return PLAN + f'tiers = [{{ up_to = 10, unit_price = "7.99" }}, {{ unit_price = {price} }}]\n'


BAD_PLANS = {
    "B104-unit": ("price_negative", "tiers[1].unit_price is", _second_tier('"-0.50"')),
    "B104-flat": (
        "price_negative",
        "tiers[0].flat_price is",
        PLAN + 'tiers = [{ unit_price = "1", flat_price = "-1" }]',
    ),
    "B105-float": ("price_not_string", "tiers[1].unit_price is", _second_tier("0.1")),
    "B105-long": ("price_not_string", "tiers[1].unit_price is", _second_tier("123456789012345678901234567890")),
    "B106-NaN": ("price_format", "tiers[1].unit_price is", _second_tier('"NaN"')),
    "B106-Infinity": ("price_format", "tiers[1].unit_price is", _second_tier('"Infinity"')),
    "B106-1e400": ("price_format", "tiers[1].unit_price is", _second_tier('"1e400"')),
    "B106-underscore": ("price_format", "tiers[1].unit_price is", _second_tier('"1_000"')),
    "B106-wide": ("price_format", "tiers[1].unit_price is", _second_tier('"\uff11\uff12"')),
    "B106-comma": ("price_format", "tiers[1].unit_price is", _second_tier('"1,50"')),
    "B107": ("price_scale", "tiers[1].unit_price is", _second_tier('"0.1234567890123"')),
    "B108-unsorted": (
        "tiers_order",
        "tiers[2].up_to is 50, not greater than 100",
        PLAN
        + 'tiers = [{ up_to = 10, unit_price = "3" }, { up_to = 100, unit_price = "2" }, '
        + '{ up_to = 50, unit_price = "1" }]',
    ),
    "B108-equal": (
        "tiers_order",
        "tiers[1].up_to is 10",
        PLAN + 'tiers = [{ up_to = 10, unit_price = "2" }, { up_to = 10, unit_price = "1" }]',
    ),
    "B108-open-first": (
        "tiers_order",
        "tiers[1].up_to is 10",
        PLAN + 'tiers = [{ unit_price = "2" }, { up_to = 10, unit_price = "1" }]',
    ),
    "B110-none": ("tiers_bounds", "tiers is []", PLAN + "tiers = []"),
    "B110-0": ("tiers_bounds", "tiers[0].up_to is 0", PLAN + 'tiers = [{ up_to = 0, unit_price = "1" }]'),
    "B110-1.5": ("tiers_bounds", "tiers[0].up_to is 1.5", PLAN + 'tiers = [{ up_to = 1.5, unit_price = "1" }]'),
    "B110-10^20": (
        "tiers_bounds",
        "tiers[0].up_to is 100000000000000000000",
        PLAN + 'tiers = [{ up_to = 100000000000000000000, unit_price = "1" }]',
    ),
    "B113-XXX": ("currency_unknown", 'currency is "XXX"', PLAN.replace("USD", "XXX") + OPEN_TIER),
    "B113-eur": ("currency_unknown", 'currency is "eur", which', PLAN.replace("USD", "eur") + OPEN_TIER),
    "maximum": ("maximum_below_minimum", "maximum is", PLAN + 'minimum = "5"\nmaximum = "4"\n' + OPEN_TIER),
    "misspelt": ("key_unknown", "minimun is not a setting (did you", PLAN + 'minimun = "5"\n' + OPEN_TIER),
    "misspelt-in-a-tier": (
        "key_unknown",
        "tiers[0].flatprice",
        PLAN + 'tiers = [{ unit_price = "1", flatprice = "1" }]',
    ),
    "missing": ("key_missing", "tiers is missing", PLAN),
    "no-toml": ("document_invalid", "it cannot be read", "id ="),
    "too-deep": ("document_invalid", "it cannot be read", "id = " + "[" * 100_000),
    "latin-1": ("encoding", "it is not UTF-8", "id = '\udce9'"),
}


@pytest.mark.parametrize(
    ("code", "message", "content"), [pytest.param(*given, id=case) for case, given in BAD_PLANS.items()]
)
def test_a_bad_plan_is_refused_with_a_pointer(code: str, message: str, content: str, tmp_path: Path, cli: Cli) -> None:
    """Whoever mends a price list needs to know which line of it is wrong."""
    path = _written(tmp_path / "plan.toml", content.encode(errors="surrogateescape"))
    outcome = cli("plan", "check", path)
    assert (2, "") == (outcome.status, outcome.out)
    assert outcome.err.startswith(f"{code}: {path}: {message}")


@pytest.mark.parametrize(
    ("code", "content"),
    [
        pytest.param("price_not_string", '"tiers": [{"unit_price": 0.1}]', id="B105"),
        pytest.param("document_invalid", '"tiers": [{"unit_price": "1"}], "id": "b"', id="B066"),
        pytest.param("document_invalid", '"tiers": ' + "[" * 100_000, id="B071"),
        pytest.param("document_invalid", '"tiers": [{"unit_price": ' + "9" * 5_000 + "}]", id="B070"),
    ],
)
def test_a_bad_plan_in_json_is_refused(code: str, content: str, tmp_path: Path) -> None:
    """JSON has its own ways to say two things at once, or too many."""
    path = _written(tmp_path / "plan.json", f'{{"id": "a", "currency": "USD", "mode": "volume", {content}}}')
    with pytest.raises(billing.BadPlan) as raised:
        billing.Plan.load(path)
    assert code == raised.value.code


@pytest.mark.parametrize(
    ("code", "content"),
    [
        pytest.param("tiers_bounded", PLAN + 'tiers = [{ up_to = 100, unit_price = "7.99" }]', id="B109"),
        pytest.param(
            "tiers_cliff",
            PLAN + 'tiers = [{ up_to = 36, unit_price = "12.29" }, { unit_price = "9.81" }]',
            id="B111",
        ),
    ],
)
def test_a_plan_that_may_surprise_is_accepted_and_pointed_at(code: str, content: str, tmp_path: Path, cli: Cli) -> None:
    """It is legal to make more cost less; it should not happen unseen."""
    outcome = cli("plan", "check", _written(tmp_path / "plan.toml", content))
    assert (0, True) == (outcome.status, f": {code}: tiers[0]" in outcome.out)


@pytest.mark.parametrize(("currency", "total"), [("JPY", "8"), ("KWD", "7.990"), ("USD", "7.99")])
def test_every_currency_has_its_own_minor_unit(currency: str, total: str, tmp_path: Path) -> None:
    """B113: cents are not everywhere."""
    plan = billing.Plan.load(_written(tmp_path / "plan.toml", PLAN.replace("USD", currency) + OPEN_TIER))
    assert f"{total} {currency}" == str(plan.price(1).total)


@pytest.mark.parametrize(
    ("price", "quantity", "total"),
    [
        pytest.param("0.125", 1, "0.13", id="B115-up"),
        pytest.param("2.675", 1, "2.68", id="B115-exact"),
        pytest.param("999999999999.999999999999", 10**12, "999999999999999999999999.00", id="B116"),
        pytest.param("7.99", 0, "0.00", id="B117"),
    ],
)
def test_amounts_are_exact(price: str, quantity: int, total: str) -> None:
    """B115 to B117: half a cent goes up, and nothing overflows."""
    plan = billing.Plan(id="sample", currency="USD", mode="volume", tiers=(billing.Tier(unit_price=Decimal(price)),))
    assert f"{total} USD" == str(plan.price(quantity).total)


@pytest.mark.parametrize("quantity", ["-1", "NaN", "sNaN", "Infinity", "1e13"])
def test_a_quantity_that_cannot_be_is_not_priced(quantity: str) -> None:
    """Something that is no number has no price, not even an error of arithmetic."""
    plan = billing.Plan(id="sample", currency="USD", mode="volume", tiers=(billing.Tier(unit_price=Decimal(1)),))
    with pytest.raises(billing.NotPriced) as raised:
        plan.price(Decimal(quantity))
    assert raised.value.code == "quantity_range"


BAD_TERMS = {
    "B118-above": ("percent_range", "default.discount", 'discount = "110%"'),
    "B118-negative": ("percent_range", "default.discount", 'discount = "-5%"'),
    "B118-bare": ("percent_range", "default.discount", 'discount = "10"'),
    "timezone": ("timezone_unknown", "default.timezone", 'timezone = "Mars"'),
    "timezone-empty": ("timezone_unknown", "default.timezone", 'timezone = ""'),
    "reconnect-empty": ("reconnect_unknown", "default.reconnect", 'reconnect = ""'),
    "anchor-date": ("ts_naive", "default.anchor", "anchor = 2026-01-01"),
    "anchor-naive": ("ts_naive", "default.anchor", "anchor = 2026-01-01T00:00:00"),
    "anchor-number": ("value", "default.anchor", "anchor = 5"),
    "anchor-year-1": ("ts_out_of_range", "default.anchor", "anchor = 0001-01-01T00:00:00+14:00"),
    "anchor-year-9999": ("ts_out_of_range", "default.anchor", "anchor = 9999-12-31T23:59:59-01:00"),
    "months": ("cycle_months", "default.months", "months = 2"),
    "window-zero": ("window_range", "default.action_window", 'action_window = "P0D"'),
    "window-century": ("window_range", "default.connect_window", 'connect_window = "P36500D"'),
    "window-month": ("value", "default.action_window", 'action_window = "P1M"'),
    "window-year": ("value", "default.action_window", 'action_window = "P1Y"'),
    "window-finer": ("value", "default.action_window", 'action_window = "PT0.0000015S"'),
    "misspelt": ("key_unknown", "default.time_zone", 'time_zone = "UTC"'),
    "account": ("cycle_months", "accounts.acme.months", "[accounts.acme]\nmonths = 2"),
}


@pytest.mark.parametrize(
    ("code", "pointer", "content"), [pytest.param(*given, id=case) for case, given in BAD_TERMS.items()]
)
def test_bad_terms_are_refused_with_a_pointer(code: str, pointer: str, content: str, tmp_path: Path) -> None:
    """Terms decide every bill of an account, so nothing in them is guessed."""
    path = _written(tmp_path / "terms.toml", "[default]\n" + content)
    with pytest.raises(billing.BillingError) as raised:
        billing.load_terms(path)
    assert (code, True) == (raised.value.code, str(raised.value).startswith(f"{path}: {pointer} is "))


def test_a_cycle_ends_after_it_starts() -> None:
    """B119: in a cycle of no length nobody was ever active."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for end in (start, datetime(2025, 12, 1, tzinfo=UTC)):
        with pytest.raises(billing.BadCycle) as raised:
            billing.Cycle(start, end)
        assert raised.value.code == "cycle_empty"


def test_the_31st_comes_back() -> None:
    """B121: a cycle is counted from its anchor, so that a short month shortens only itself."""
    rule = billing.CycleRule(anchor=datetime(2024, 1, 31, tzinfo=UTC))
    cycles = rule.between(datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 4, 30, tzinfo=UTC))
    assert ["01-31", "02-29", "03-31"] == [f"{cycle.start:%m-%d}" for cycle in cycles]


@pytest.mark.parametrize(
    ("timezone", "anchor", "end"),
    [
        # Midnight of 2022-09-11 did not exist in Santiago, nor did any moment of 2011-12-30 in Apia.
        ("America/Santiago", "2022-08-11T00:00:00-04:00", "2022-09-11T01:00:00-03:00"),
        ("Pacific/Apia", "2011-11-30T00:00:00-10:00", "2011-12-31T00:00:00+14:00"),
    ],
)
def test_a_boundary_that_does_not_exist_moves_by_the_gap(timezone: str, anchor: str, end: str) -> None:
    """B122: cycles tile time even where clocks do not."""
    rule = billing.CycleRule(anchor=datetime.fromisoformat(anchor), timezone=timezone)
    assert datetime.fromisoformat(end) == rule.at(datetime.fromisoformat(anchor)).end
