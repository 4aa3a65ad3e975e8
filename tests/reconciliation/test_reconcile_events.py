"""A year of the agencies with 1,000 events that differ, of which seven matter because they were made to."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from billing.verify import definition
from billing.verify.definition import DAY, Event
from billing.verify.laws.story import united
from tests.conftest import Cli

AGENCY = Path(__file__).parents[2] / "fixtures" / "agency"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, str]

#: What matters, as (event, how it differs, what the other source says, how each peak moves).
SEVEN: list[tuple[str, str, Row, dict[str, tuple[int, int]]]] = [
    ("e00570", "missing", {}, {"kontor-nord 2025-02": (10, 9)}),
    ("e08257", "missing", {}, {"outreach-sg 2025-12": (16, 17)}),
    ("x-late", "extra", {"account_id": "brightline", "identity_id": "harbor-new", "type": "action.called",
     "occurred_at": "2025-08-17T17:30:31Z"}, {"brightline 2025-08": (83, 84)}),
    ("x-void", "extra", {"account_id": "outreach-sg", "identity_id": "katong-bo", "type": "event.voided",
     "occurred_at": "2025-07-01T00:00:00Z", "voids": "e02371"},
     {"outreach-sg 2025-06": (22, 21), "outreach-sg 2025-07": (21, 20)}),
    ("e07405", "conflicting", {"type": "integration.connected"}, {"brightline 2025-10": (71, 70)}),
    ("tom", "conflicting", {"identity_type": "standard"},
     {"kontor-nord 2025-09": (35, 34), "kontor-nord 2025-10": (37, 36)}),
    ("e00151", "shifted", {"occurred_at": "2025-02-14T13:03:56Z"}, {"brightline 2025-01": (16, 15)}),
]  # fmt: skip


def read() -> list[Row]:
    with (AGENCY / "events.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def micros(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def text(instant: int) -> str:
    return (EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")


def quiet(rows: list[Row]) -> Iterator[tuple[Row, int, int]]:
    """Actions that are no matter, with the instants between which they are none.

    The action before it still covers the one after it, which covers longer than it. Of each identity
    every other such action at most, so that those before and after stay.
    """
    taken = {"quarry-lou", "orbit-eli", "lumen-dee", "deich-ada", "marina-fay", "katong-bo", "alster-tom", "harbor-fox"}
    own: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        own[row["identity_id"]].append(row)
    for identity, history in sorted(own.items()):
        if identity in taken:
            continue
        history.sort(key=lambda row: row["occurred_at"])
        k = 1
        while k < len(history) - 1:
            three = history[k - 1 : k + 2]
            before, at, after = (micros(row["occurred_at"]) for row in three)
            if {row["type"] for row in three} == {"action.called"} and before < at < after < before + 30 * DAY:
                yield three[1], before, after
                k += 1
            k += 1


def other_source() -> tuple[list[Row], list[tuple[Row | None, Row | None]]]:
    """The events that the other source has, and all differences as pairs: ours, theirs."""
    rows = list({row["event_id"]: row for row in read()}.values())
    rng = random.Random(7)
    spots = list(quiet(rows))
    rng.shuffle(spots)
    pairs: list[tuple[Row | None, Row | None]] = []
    for k, (row, before, after) in enumerate(spots[:993]):
        between = text(rng.randrange(before + 1, after) // 1_000_000 * 1_000_000)
        if k < 298:
            pairs.append((row, None))
        elif k < 596:
            pairs.append((None, row | {"event_id": f"x{k}", "occurred_at": between, "mode": "managed"}))
        elif k < 795:
            pairs.append((row, row | {"mode": "managed"}))
        else:
            moved = between if between != row["occurred_at"] else text(after - 1)
            pairs.append((row, row | {"occurred_at": moved}))
    by_id = {row["event_id"]: row for row in rows}
    by_id["tom"] = next(r for r in rows if (r["identity_id"], r["type"]) == ("alster-tom", "identity.created"))
    for event_id, kind, said, _ in SEVEN:
        mine = by_id.get(event_id)
        blank = dict.fromkeys(rows[0], "") | {"event_id": event_id, "recorded_at": "2026-01-05T08:00:00Z"}
        pairs.append((mine, None if kind == "missing" else (mine or blank) | said))
    gone = {row["event_id"] for row, _ in pairs if row is not None}
    return [row for row in rows if row["event_id"] not in gone] + [row for _, row in pairs if row is not None], pairs


def event_of(row: Row) -> Event:
    return Event(
        row["account_id"],
        row["identity_id"],
        row["type"],
        micros(row["occurred_at"]),
        row["event_id"],
        row["identity_type"] or None,
        row["voids"] or None,
    )


def active(events: list[Event], identity: str) -> list[tuple[int, int]]:
    """When an identity is active, by the definition; voids name the identity of what they void here."""
    own = definition.covers([e for e in events if e.identity_id == identity])
    return united((start, end) for _, start, end in own)


def peaks(events: list[Event]) -> dict[str, int]:
    """The peak of every cycle of expected.json, by the definition, of these events."""
    own: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        own[event.account_id].append(event)
    own = {account: definition.happened(history) for account, history in own.items()}
    found = {}
    for row in json.loads((AGENCY / "expected.json").read_text())["peaks"]:
        start, end = micros(row["cycle_start"]), micros(row["cycle_end"])
        near = [
            e for e in own[row["account_id"]] if e.type == "identity.created" or start - 30 * DAY <= e.occurred_at < end
        ]
        found[f"{row['account_id']} {row['cycle_start']}"] = definition.peak(near, start, end)[0]
    return found


def test_of_a_thousand_events_that_differ_the_seven_that_matter_are_named(cli: Cli, tmp_path: Path) -> None:
    """The definition says that they are seven, and what they do; all else is counted as noise."""
    rows, _ = other_source()
    other = tmp_path / "other.csv"
    with other.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    words = ("reconcile-events", str(AGENCY / "events.csv"), str(other), "--terms", str(AGENCY / "terms.toml"))
    outcome = cli(*words, "--format", "json")
    found: dict[str, Any] = json.loads(outcome.out)

    assert (1, 1000, 7, 993) == (outcome.status, found["differing"]["events"], found["matter"], found["noise"])
    assert {"missing": 300, "extra": 300, "conflicting": 201, "shifted": 199, "renamed": 0} == {
        kind: found["differing"][kind] for kind in ("missing", "extra", "conflicting", "shifted", "renamed")
    }
    moves = {
        (event["ours"] or event["theirs"])["event_id"]: {
            f"{event['account_id']} {e['cycle']}": (e["peaks"]["ours"], e["peaks"]["alone"]) for e in event["effects"]
        }
        for event in found["events"]
    }
    tom = next(e["ours"]["event_id"] for e in found["events"] if e["field"] == "identity_type")
    assert moves == {tom if name == "tom" else name: effect for name, _, _, effect in SEVEN}
    assert [] == found["together"]
    assert outcome.err.splitlines()[0].endswith("9,546 received = 9,534 accepted + 12 duplicates + 0 rejected")


def test_of_the_thousand_the_definition_says_that_seven_matter() -> None:
    """Whoever is active as before is counted as before; of the seven, each moves a peak alone, and is missed alone."""
    theirs_rows, pairs = other_source()
    ours = [event_of(row) for row in {row["event_id"]: row for row in read()}.values()]
    theirs = [event_of(row) for row in theirs_rows]
    own: dict[tuple[str, str], list[Event]] = defaultdict(list)
    other: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for events, of in ((ours, own), (theirs, other)):
        for e in events:
            of[e.account_id, e.identity_id].append(e)
    for pair in pairs[:-7]:
        one, foreign = (None if row is None else event_of(row) for row in pair)
        who = one or foreign
        assert who is not None
        for base, out, into in ((own, one, foreign), (other, foreign, one)):
            before = base[who.account_id, who.identity_id]
            after = [e for e in before if out is None or e.event_id != out.event_id] + ([into] if into else [])
            assert active(before, who.identity_id) == active(after, who.identity_id)
    as_ours, as_theirs = peaks(ours), peaks(theirs)
    for (ours_row, theirs_row), (_, _, _, effect) in zip(pairs[-7:], SEVEN, strict=True):
        ways = (ours, ours_row, theirs_row, as_ours), (theirs, theirs_row, ours_row, as_theirs)
        for events, without, put, figures in ways:
            kept = [e for e in events if without is None or e.event_id != without["event_id"]]
            changed = peaks([*kept, event_of(put)] if put else kept)
            assert len(effect) == sum(figures[cycle] != changed[cycle] for cycle in figures)
