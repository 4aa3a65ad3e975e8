"""Certificates: what ours says holds, what was tampered with does not, by our checker and by one of forty lines."""

from __future__ import annotations

import copy
import csv
import io
import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import billing
from billing import engine
from billing.config.terms import load_terms
from billing.core.cycle import CycleRule, moment
from billing.core.event import Events
from billing.core.terms import AllTerms, Terms
from billing.engine import event_files
from billing.engine.query import Query
from billing.ledger.ledger import Ledger
from billing.outputs.tables import bills
from billing.outputs.tables import evidence as certificates
from billing.outputs.tables.text import json_rows
from billing.verify import definition
from billing.verify.audit.events import table
from billing.verify.certificate import check
from billing.verify.certificate import document as certified
from billing.verify.certificate.source import read_source
from billing.verify.definition import Event
from billing.verify.laws.story import Story, stories
from tests.conftest import Cli
from tests.support.ledgers import examples

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
STORIES = [*sorted(path.parent for path in FIXTURES.glob("scenarios/*/events.csv")), FIXTURES / "agency"]
STORY = FIXTURES / "scenarios/peak-not-distinct"
#: The checker that we give to customers: what is wrong with a certificate, checked against rows of a CSV file.
problems: Callable[..., Any] = runpy.run_path(str(FIXTURES / "certificate/check.py"))["problems"]

#: Three are active on 5 March at 9. Cy was deleted before, what dee did was a mistake, and eli is a standard identity.
EVENTS = """\
event_id,account_id,identity_id,type,occurred_at,identity_type,voids,recorded_at
e1,acme,ada,action.called,2026-03-03T09:00:00Z,,,2026-03-03T09:00:01Z
e2,acme,bo,integration.connected,2026-03-04T09:00:00Z,,,2026-03-04T09:00:01Z
e3,acme,cy,action.called,2026-03-02T09:00:00Z,,,2026-03-04T09:00:01Z
e4,acme,cy,identity.deleted,2026-03-04T08:00:00Z,,,2026-03-04T10:00:01Z
e5,acme,dee,action.called,2026-03-04T09:00:00Z,,,2026-03-04T10:00:01Z
e6,acme,dee,event.voided,2026-03-04T11:00:00Z,,e5,2026-03-04T11:00:01Z
e7,acme,eli,identity.created,2026-03-04T09:00:00Z,standard,,2026-03-04T11:00:01Z
e8,acme,eli,action.called,2026-03-04T09:00:00Z,,,2026-03-04T11:00:01Z
e9,acme,fay,action.called,2026-03-05T09:00:00Z,,,2026-03-05T09:00:01Z
e10,bolt,ada,action.called,2026-03-05T09:00:00Z,,,2026-03-05T09:00:01Z
e11,acme,fay,identity.deleted,2026-03-20T09:00:00Z,,,2026-03-20T09:00:01Z
"""
#: Sent later, so that nobody knew of it when the certificate was made: ada was deleted before the peak.
LATER = "e12,acme,ada,identity.deleted,2026-03-04T09:00:00Z,,,2026-04-10T09:00:00Z\n"

Change = Callable[[dict[str, Any]], None]


def written(source: Any, account_id: str, cycle: str | None, terms: AllTerms | None = None) -> dict[str, Any]:
    """The certificate for a cycle of an account, as it is written and read again."""
    query = Query(terms=terms or AllTerms(), first=cycle, accounts=(account_id,))
    evidence, result = engine.explain(source, query)
    return read_again(certificates.certificate(evidence, result.basis_of(evidence)))


def read_again(document: dict[str, Any]) -> dict[str, Any]:
    again: dict[str, Any] = json.loads(json.dumps(document, ensure_ascii=False))
    return again


def codes(document: Any, source: Any = None) -> list[str]:
    """What our checker finds, with a source if there is one."""
    against = None if source is None else read_source(source, certified.parse(document))
    return [finding.code for finding in check.check(document, against)]


def refused(document: Any, rows: list[dict[str, str]] | None = None) -> bool:
    """Whether the checker of forty lines refuses it; what it cannot even read it refuses too."""
    return bool(list(problems(document, rows)))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A file of the events above."""
    path = tmp_path / "events.csv"
    path.write_text(EVENTS, encoding="utf-8")
    return str(path)


@pytest.fixture
def ledger(source: str) -> Ledger:
    """A ledger of the events above."""
    ledger = billing.open_ledger("sqlite:///:memory:")
    billing.append(ledger, source)
    return ledger


# What ours says


def test_the_fixture_is_what_the_command_writes(cli: Cli, tmp_path: Path) -> None:
    """Whoever writes a checker tries it on the fixture, and meets the same bytes afterwards."""
    written = tmp_path / "certificate.json"
    ended = cli("explain", str(STORY / "events.csv"), "--cycle", "2026-03", "--certificate", "--output", str(written))
    assert (0, "") == (ended.status, ended.out)
    assert (FIXTURES / "certificate/certificate.json").read_bytes() == written.read_bytes()


def test_a_certificate_has_exactly_the_keys_of_its_format(source: str) -> None:
    """A checker reads it strictly, and its page tells every key."""
    document = written(source, "acme", "2026-03")
    readme = (FIXTURES / "certificate/README.md").read_text(encoding="utf-8")
    assert [*certified.KEYS] == list(document)
    assert [*certified.POLICY_KEYS] == list(document["policy"])
    assert [*certified.BASIS_KEYS] == list(document["basis"])
    assert [[*certified.IDENTITY_KEYS]] * 3 == [list(claim) for claim in document["identities"]]
    keys = [key for key in document if key not in ("policy", "basis")]
    keys += [f"{table}.{key}" for table in ("policy", "basis") for key in document[table]]
    keys += [f".{key}" for key in certified.IDENTITY_KEYS]
    assert [] == [key for key in keys if f"`{key}`" not in readme]


def test_the_checker_for_customers_has_forty_lines_and_no_dependencies() -> None:
    """It must be read before it is trusted."""
    lines = (FIXTURES / "certificate/check.py").read_text(encoding="utf-8").splitlines()
    imported = [line for line in lines if line.startswith(("import", "from"))]
    assert len(lines) <= 40
    assert ["import csv, json, re, sys  # noqa: E401, I001", "from datetime import datetime, timedelta"] == imported


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_certificate_of_every_peak_of_every_story_holds(story: Path) -> None:
    """Both checkers, with and without the events: a certificate that fails is of no use."""
    terms, events = load_terms(story / "terms.toml"), billing.read(story / "events.csv")
    rows = rows_of((story / "events.csv").read_text(encoding="utf-8"))
    expected = json.loads((story / "expected.json").read_text(encoding="utf-8"))
    query = Query(terms=terms, first=expected.get("first"), last=expected.get("last"))
    against: dict[str, check.CertificateSource] = {}
    for peak in engine.answer(events, query).peaks():
        document = written(events, peak.account_id, peak.cycle.name, terms)
        (row,) = json_rows(bills.peaks([peak]))
        assert row == {"cycle": peak.cycle.name} | {key: document[key] for key in row if key != "cycle"}
        if peak.account_id not in against:
            against[peak.account_id] = read_source(str(story / "events.csv"), certified.parse(document))
        assert [] == check.check(document)
        assert [] == check.check(document, against[peak.account_id])
        assert not refused(document)
        assert not refused(document, rows)


def test_the_checker_for_customers_runs_by_itself(source: str, tmp_path: Path) -> None:
    """It is run as it stands, where nothing of ours is installed."""
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(written(source, "acme", "2026-03")), encoding="utf-8")
    assert (0, "") == _run_alone(file)
    assert (0, "") == _run_alone(file, source)
    file.write_text(json.dumps(written(source, "acme", "2026-03") | {"peak": 4}), encoding="utf-8")
    assert (
        1,
        "it is of another format, or lists not as many different identities as the peak says\n",
    ) == _run_alone(file, source)


def _run_alone(*arguments: object) -> tuple[int, str]:
    command = [sys.executable, "-I", str(FIXTURES / "certificate/check.py"), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def test_a_certificate_can_be_checked_without_the_machines_that_search() -> None:
    """Whoever checks a bill has installed no more than what bills."""
    code = "import sys; sys.modules['hypothesis'] = None; from billing.verify.certificate import check, source"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "") == (ended.returncode, ended.stderr)


# What was tampered with


def _ada(**values: Any) -> Change:
    return lambda document: document["identities"][0].update(values)


def _instead_of_fay(identity_id: str, event_id: str, occurred_at: str, covers_until: str) -> Change:
    event = {"identity_id": identity_id, "event_id": event_id, "type": "action.called"}
    listed = event | {"occurred_at": occurred_at, "covers_until": covers_until}
    return lambda document: document["identities"].__setitem__(2, listed)


def _twice(document: dict[str, Any]) -> None:
    document["identities"][1] = document["identities"][0]


def _shared(document: dict[str, Any]) -> None:
    document["identities"][1] = document["identities"][0] | {"identity_id": "bo"}


#: What was done -> the change, what our checker finds by the document alone, and what with the events.
TAMPERED: dict[str, tuple[Change, list[str], list[str]]] = {
    "an identity listed twice": (_twice, ["certificate_count"], ["certificate_count"]),
    "an event listed for two": (_shared, ["certificate_count"], ["certificate_count", "certificate_event_differs"]),
    "the peak raised": (lambda d: d.update(peak=4), ["certificate_count"], ["certificate_count"]),
    "the peak lowered": (lambda d: d.update(peak=2), ["certificate_count"], ["certificate_count"]),
    "the peak moved to when bo was inactive": (
        lambda d: d.update(peak_at="2026-03-09T09:00:00Z"),
        ["certificate_not_covering"],
        ["certificate_not_covering"],
    ),
    "the cycle moved": (
        lambda d: d.update(cycle_start="2026-04-01T00:00:00Z", cycle_end="2026-05-01T00:00:00Z"),
        ["certificate_outside"],
        ["certificate_outside"],
    ),
    "the cycle ended as the peak began": (
        lambda d: d.update(cycle_end="2026-03-05T09:00:00Z"),
        ["certificate_outside"],
        ["certificate_outside"],
    ),
    "the cycle turned round": (
        lambda d: d.update(cycle_start="2026-04-01T00:00:00Z", cycle_end="2026-03-01T00:00:00Z"),
        ["certificate_outside"],
        ["certificate_outside"],
    ),
    "an event moved a day": (
        _ada(occurred_at="2026-03-04T09:00:00Z", covers_until="2026-04-03T09:00:00Z"),
        [],
        ["certificate_event_differs"],
    ),
    "an event moved behind the peak": (
        _ada(occurred_at="2026-03-05T09:00:00.000001Z"),
        ["certificate_not_covering"],
        ["certificate_not_covering", "certificate_event_differs"],
    ),
    "a window stretched": (
        lambda d: d["policy"].update(action_window="P60D"),
        [],
        ["certificate_covers_until"],
    ),
    "a window shortened": (
        lambda d: d["policy"].update(connect_window="PT12H"),
        ["certificate_not_covering"],
        ["certificate_not_covering"],
    ),
    "the event of an identity that had been deleted": (
        _instead_of_fay("cy", "e3", "2026-03-02T09:00:00Z", "2026-04-01T09:00:00Z"),
        [],
        ["certificate_ended"],
    ),
    "an event that was voided": (
        _instead_of_fay("dee", "e5", "2026-03-04T09:00:00Z", "2026-04-03T09:00:00Z"),
        [],
        ["certificate_event_voided"],
    ),
    "a standard identity": (
        _instead_of_fay("eli", "e8", "2026-03-04T09:00:00Z", "2026-04-03T09:00:00Z"),
        [],
        ["certificate_standard"],
    ),
    "an event that is nowhere": (_ada(event_id="e99"), [], ["certificate_event_missing"]),
    "an event of another account": (_ada(event_id="e10"), [], ["certificate_event_missing"]),
    "an event of another identity": (
        _ada(event_id="e9"),
        ["certificate_count"],
        ["certificate_count", "certificate_event_differs"],
    ),
    "an identity that is not there": (_ada(identity_id="zoe"), [], ["certificate_event_differs"]),
    "another account": (lambda d: d.update(account_id="zoo"), [], ["certificate_event_missing"] * 3),
    "a type that begins nothing": (
        _ada(type="identity.created"),
        ["certificate_not_covering"],
        ["certificate_not_covering", "certificate_event_differs"],
    ),
    "a type with a shorter window": (
        _ada(type="integration.connected"),
        ["certificate_covers_until"],
        ["certificate_event_differs"],
    ),
    "an end after the window's": (
        _ada(covers_until="2026-04-02T09:00:00.000001Z"),
        ["certificate_covers_until"],
        ["certificate_covers_until"],
    ),
    "an end at the peak": (
        _ada(covers_until="2026-03-05T09:00:00Z"),
        ["certificate_covers_until"],
        ["certificate_covers_until"],
    ),
    "an end before the window's": (_ada(covers_until="2026-03-20T09:00:00Z"), [], ["certificate_covers_until"]),
}
#: What the checker of forty lines lets pass without the events: one event for two identities.
LET_PASS = {"an event listed for two", "an event of another identity"}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_tampered_with_does_not_hold(what: str, source: str) -> None:
    """Each change is found, and named by the code that says what it is."""
    change, alone, against = TAMPERED[what]
    document = written(source, "acme", "2026-03")
    change(document)
    assert alone == codes(document)
    assert against == codes(document, source)
    assert (bool(alone) and what not in LET_PASS) == refused(document)
    assert refused(document, rows_of(EVENTS))


def test_under_restarts_a_connect_before_the_peak_ends_what_is_listed(tmp_path: Path) -> None:
    """Only the connect's own five days count from there, and they are over."""
    text = "event_id,account_id,identity_id,type,occurred_at\n" + "".join(
        f"e{k},acme,ada,{kind},2026-03-{day:02}T09:00:00Z\n"
        for k, (kind, day) in enumerate([("action.called", 1), ("integration.connected", 2), ("action.called", 10)])
    )
    path = tmp_path / "events.csv"
    path.write_text(text, encoding="utf-8")
    terms = AllTerms(Terms(policy=billing.ActivityPolicy(reconnect="restarts")))
    document = written(str(path), "acme", "2026-03", terms)
    assert [] == codes(document, str(path))
    assert not refused(document, rows_of(text))
    document["peak_at"] = "2026-03-09T09:00:00Z"
    assert ["certificate_ended"] == codes(document, str(path))
    assert refused(document, rows_of(text))
    document["policy"]["reconnect"] = "extends"
    document["identities"][0]["covers_until"] = "2026-03-31T09:00:00Z"
    assert [] == codes(document, str(path))
    assert not refused(document, rows_of(text))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(certificate=2), "certificate is 2, and format 1 is understood here"),
        (lambda d: d.update(certificate=True), "certificate is true, and format 1 is understood here"),
        (lambda d: d.pop("certificate"), "certificate is missing, and format 1 is understood here"),
        (lambda d: d.pop("basis"), "basis is missing"),
        (lambda d: d.update(policies=1), "policies is no key of it (did you mean policy?)"),
        (lambda d: d.update(policy=[]), "policy is not an object"),
        (lambda d: d.update(identities={}), "identities is not a list"),
        (lambda d: d.update(peak="3"), 'peak is "3", which is not a whole number from 0'),
        (lambda d: d.update(peak=3.0), "peak is 3.0, which is not a whole number from 0"),
        (lambda d: d.update(peak=0), 'peak is 0, and peak_at "2026-03-05T09:00:00Z"'),
        (lambda d: d.update(peak_at=None), "peak is 3, and peak_at null"),
        (lambda d: d.update(account_id=""), 'account_id is "", which is not text'),
        (lambda d: d.update(account_id="\ud800"), r'account_id is "\ud800", which is not text'),
        (
            lambda d: d.update(cycle_end="9999-12-31T23:59:59Z"),
            'cycle_end is "9999-12-31T23:59:59Z", which is not an instant such as "2026-03-05T09:00:00Z"',
        ),
        (
            lambda d: d["policy"].update(reconnect="maybe"),
            'policy.reconnect is "maybe", which is neither "extends" nor "restarts"',
        ),
        (
            lambda d: d["policy"].update(action_window="P3651D"),
            'policy.action_window is "P3651D", which is not a window such as "P30D"',
        ),
        (
            lambda d: d["policy"].update(connect_window="P"),
            'policy.connect_window is "P", which is not a window such as "P30D"',
        ),
        (lambda d: d["basis"].update(digest="DIGEST"), 'basis.digest is "DIGEST", which is no SHA-256 in hexadecimal'),
        (
            lambda d: d["identities"][1].update(occurred_at="2026-02-30T09:00:00Z"),
            'identities[1].occurred_at is "2026-02-30T09:00:00Z", '
            'which is not an instant such as "2026-03-05T09:00:00Z"',
        ),
        (lambda d: d["identities"][1].update(flags=[]), "identities[1].flags is no key of it"),
    ],
)
def test_what_is_no_certificate_says_where_and_why(change: Change, message: str, source: str) -> None:
    """Whoever writes certificates with a program of their own must find what is wrong with it."""
    document = written(source, "acme", "2026-03")
    change(document)
    (finding,) = check.check(document, where="certificate.json")
    with pytest.raises(billing.BillingError) as raised:
        certified.parse(document, where="certificate.json")
    assert "certificate_invalid" == finding.code == raised.value.code
    assert str(raised.value) == str(finding)
    assert str(finding).startswith(f"certificate.json: it is not a certificate: {message}. Ask for the certificate")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"peak": 1, "peak": 2}', "it has peak twice"),
        ('{"peak": NaN}', "it has NaN, which is not a number"),
        ("[" * 100_000, "it is nested too deeply"),
        ("[]", "it is not an object"),
    ],
)
def test_a_file_that_is_no_certificate_ends_with_status_2(text: str, message: str, cli: Cli, tmp_path: Path) -> None:
    """Nothing can be said about it, not even that it is wrong."""
    file = tmp_path / "certificate.json"
    file.write_text(text, encoding="utf-8")
    ended = cli("certificate", "check", str(file))
    assert (2, "") == (ended.status, ended.out)
    assert ended.err.startswith(f"certificate_invalid: {file}: it is not a certificate: {message}. ")


def test_an_event_without_an_id_is_shown_by_any_that_says_the_same(tmp_path: Path) -> None:
    """Files need no event ids, and their peaks are billed too."""
    path = tmp_path / "events.csv"
    text = "account_id,identity_id,type,occurred_at\nacme,ada,action.called,2026-03-03T09:00:00Z\n"
    path.write_text(text, encoding="utf-8")
    document = written(str(path), "acme", "2026-03")
    assert None is document["identities"][0]["event_id"]
    assert [] == codes(document, str(path))
    assert not refused(document, rows_of(text))
    document["identities"][0] |= {"occurred_at": "2026-03-02T09:00:00Z", "covers_until": "2026-04-01T09:00:00Z"}
    assert ["certificate_event_missing"] == codes(document, str(path))
    assert refused(document, rows_of(text))


# What else happened

PEAK_AT = 1_772_701_200_000_000  # 5 March at 9
DAY = definition.DAY


def _of_ada(
    kind: str, days: int, event_id: str | None, identity_type: str | None = None, voids: str | None = None
) -> Event:
    return Event("acme", "ada", kind, PEAK_AT + days * DAY, event_id, identity_type, voids)


ACTION = _of_ada("action.called", -1, "e1")
DELETED_BEFORE = _of_ada("identity.deleted", -2, "e2")
DELETED_WITH_IT = _of_ada("identity.deleted", -1, "e2")
DELETED_AT_THE_PEAK = _of_ada("identity.deleted", 0, "e2")
STANDARD = _of_ada("identity.created", -3, "e3", identity_type="standard")
ENGAGEMENT = _of_ada("identity.created", -3, "e4", identity_type="engagement")
VOID_OF_IT = _of_ada("event.voided", 1, "v1", voids="e1")
VOID_OF_DELETION = _of_ada("event.voided", 1, "v2", voids="e2")
VOID_OF_STANDARD = _of_ada("event.voided", 1, "v3", voids="e3")
VOID_OF_VOID = _of_ada("event.voided", 1, "v4", voids="v1")


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([ACTION], []),
        ([DELETED_BEFORE, ACTION], []),
        ([ACTION, DELETED_WITH_IT], ["certificate_ended"]),
        ([ACTION, DELETED_AT_THE_PEAK], ["certificate_ended"]),
        ([ACTION, DELETED_AT_THE_PEAK, VOID_OF_DELETION], []),
        ([VOID_OF_DELETION, DELETED_AT_THE_PEAK, ACTION], []),
        ([ACTION, STANDARD, ENGAGEMENT], ["certificate_standard"]),
        ([ACTION, ENGAGEMENT, STANDARD], []),
        ([ACTION, STANDARD, VOID_OF_STANDARD, ENGAGEMENT], []),
        ([ACTION, VOID_OF_IT], ["certificate_event_voided"]),
        ([ACTION, VOID_OF_IT, VOID_OF_VOID], ["certificate_event_voided"]),
        ([ACTION, ACTION], []),
        ([ACTION, replace(DELETED_AT_THE_PEAK, event_id="e1")], []),
        ([ACTION, replace(DELETED_AT_THE_PEAK, event_id="e4"), STANDARD, replace(ENGAGEMENT, event_id="e3")],
         ["certificate_standard", "certificate_ended"]),
        ([ACTION, replace(DELETED_AT_THE_PEAK, identity_id="bo")], []),
    ],
)  # fmt: skip
def test_what_else_happened_is_read_as_the_definition_has_it(events: list[Event], found: list[str]) -> None:
    """A checker that took a void, a repeat or a tie otherwise would call a right bill wrong, or a wrong one right."""
    document = {
        "certificate": 1,
        "account_id": "acme",
        "cycle_start": "2026-03-01T00:00:00Z",
        "cycle_end": "2026-04-01T00:00:00Z",
        "peak": 1,
        "peak_at": certified.text(PEAK_AT),
        "policy": {"action_window": "P30D", "connect_window": "P5D", "reconnect": "extends"},
        "basis": {"events": len(events), "position": None, "digest": None},
        "identities": [
            {
                "identity_id": "ada",
                "event_id": "e1",
                "type": "action.called",
                "occurred_at": certified.text(PEAK_AT - DAY),
                "covers_until": certified.text(PEAK_AT + 29 * DAY),
            }
        ],
    }
    assert found == [finding.code for finding in check.check(document, check.CertificateSource(tuple(events)))]
    assert bool(found) == refused(document, _rows(events))
    assert (not found) == _is_true(document, events)


def test_a_void_that_came_before_the_void_it_names_is_no_event_of_the_basis() -> None:
    """It has no effect, and the invoice does not count it."""
    ledger = billing.open_ledger("sqlite:///:memory:")
    billing.append(ledger, table([ACTION, VOID_OF_VOID, replace(VOID_OF_IT, voids="e9")]))
    document = written(ledger, "acme", "2026-03")
    assert 2 == document["basis"]["events"]
    assert [] == codes(document, ledger)


# The digest of a ledger


def test_a_certificate_of_a_ledger_names_position_and_digest_of_then(ledger: Ledger, tmp_path: Path) -> None:
    """What came later was not known: it is left out, of the ledger and of its export."""
    document = written(ledger, "acme", "2026-03")
    head = ledger.head()
    assert {"events": 10, "position": 11, "digest": head.digest} == document["basis"]
    late = tmp_path / "late.csv"
    late.write_text(EVENTS.partition("\n")[0] + "\n" + LATER, encoding="utf-8")
    billing.append(ledger, late)
    export = str(tmp_path / "export.parquet")
    engine.export(ledger, export)
    for source in (ledger, export):
        assert [] == codes(document, source)
        assert read_source(source, certified.parse(document)).digest_matches
    document["basis"] |= {"position": None, "digest": None}
    for source in (ledger, export):
        assert ["certificate_ended"] == codes(document, source)


def test_a_digest_or_a_number_of_events_that_was_changed_is_found(ledger: Ledger, tmp_path: Path) -> None:
    """Who changes what it was made from could not show it in the ledger."""
    document = written(ledger, "acme", "2026-03")
    export = str(tmp_path / "export.jsonl")
    engine.export(ledger, export)
    changes: list[dict[str, Any]] = [{"digest": "0" * 64}, {"digest": document["basis"]["digest"][::-1]}, {"events": 9}]
    for change in changes:
        changed = copy.deepcopy(document)
        changed["basis"] |= change
        for source in (ledger, export):
            assert ["certificate_basis"] == codes(changed, source), change
    for position in (10, 12):
        document["basis"]["position"] = position
        assert "certificate_basis" in codes(document, ledger)
    document["basis"]["position"] = 10
    assert ["certificate_basis"] == codes(document, export), "eleven events, and ten positions"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda lines: [line for line in lines if ",bolt," not in line], "has those of one"),
        (lambda lines: [lines[0], *lines[1:3], *lines[1:]], "each once"),
        (lambda lines: [lines[0], *lines[:0:-1]], "each once"),
        (lambda lines: [line.rpartition(",")[0] for line in lines], "with an event_id and a recorded_at"),
    ],
)
def test_where_a_digest_cannot_be_computed_it_says_so(
    rows: Callable[[list[str]], list[str]], message: str, ledger: Ledger, tmp_path: Path
) -> None:
    """What a customer is given of a ledger is the own account, and that must not look like a forgery."""
    document = written(ledger, "acme", "2026-03")
    path = tmp_path / "some.csv"
    path.write_text("\n".join(rows(EVENTS.splitlines())) + "\n", encoding="utf-8")
    found = read_source(str(path), certified.parse(document))
    assert None is found.digest_matches
    assert found.digest_note.startswith("The digest that it names was not checked: ")
    assert message in found.digest_note
    assert [] == check.check(document, found)


# The command


def test_the_command_says_what_is_proved_and_what_is_not(cli: Cli, source: str, tmp_path: Path) -> None:
    """A proof is worth what people understand of it."""
    file = tmp_path / "certificate.json"
    assert 0 == cli("explain", source, "--account", "acme", "--certificate", "--output", str(file)).status
    alone, against = cli("certificate", "check", str(file)), cli("certificate", "check", str(file), "--export", source)
    assert (0, "") == (alone.status, alone.err)
    assert (0, "") == (against.status, against.err)
    assert (
        "Proved: 3 identities of acme were active at 2026-03-05 09:00:00 UTC, "
        "in the cycle from 2026-03-01 00:00:00 to 2026-04-01 00:00:00 UTC. Nobody was counted who was not active.\n"
        "Policy: active for 30 days after an action, 5 days after a connect, reconnect extends.\n"
        "Assumed: that the 3 events listed happened and none of them was voided, "
        "and that none of these identities was deleted between its event and the peak, or is standard.\n"
        "Not proved: that there was no moment of the cycle at which more were active. "
        "To count again from the events: billing verify SOURCE.\n"
    ) == alone.out
    assert f"Assumed: nothing but that {source} holds what happened.\n" in against.out


def test_the_command_answers_programs_in_json(cli: Cli, source: str, tmp_path: Path) -> None:
    """A pipeline stops at a certificate that does not hold, and can say why."""
    file = tmp_path / "certificate.json"
    document = written(source, "acme", "2026-03")
    file.write_text(json.dumps(document), encoding="utf-8")
    fine = json.loads(cli("certificate", "check", str(file), "--format", "json").out)
    assert {"holds": True, "findings": [], "export": None, "digest_holds": None} == {
        key: fine[key] for key in ("holds", "findings", "export", "digest_holds")
    }
    file.write_text(json.dumps(document | {"peak": 4}), encoding="utf-8")
    ended = cli("certificate", "check", str(file), "--export", source, "--format", "json")
    printed = json.loads(ended.out)
    assert 1 == ended.status
    assert {"holds": False, "proved": None, "assumed": None, "not_proved": None, "export": source} == {
        key: printed[key] for key in ("holds", "proved", "assumed", "not_proved", "export")
    }
    assert [("certificate_count", str(file))] == [(found["code"], found["where"]) for found in printed["findings"]]


def test_an_export_that_cannot_be_read_whole_proves_nothing(cli: Cli, source: str, tmp_path: Path) -> None:
    """The row that was left out could be the deletion."""
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(written(source, "acme", "2026-03")), encoding="utf-8")
    Path(source).write_text(EVENTS.replace("2026-03-20T09:00:00Z", "2026-03-20 09:00"), encoding="utf-8")
    ended = cli("certificate", "check", str(file), "--export", source)
    assert (2, "") == (ended.status, ended.out)
    assert ended.err.startswith(f"ts_naive: {source}:12: ")


def test_a_peak_of_nobody_has_a_certificate_too(cli: Cli, source: str, tmp_path: Path) -> None:
    """An invoice of 0 is an invoice."""
    file = tmp_path / "certificate.json"
    cli("explain", source, "--account", "acme", "--cycle", "2027-01", "--certificate", "--output", str(file))
    ended = cli("certificate", "check", str(file))
    assert 0 == ended.status
    assert "Proved: nobody of acme was counted in the cycle from 2027-01-01 00:00:00 to 2027-02-01" in ended.out
    assert not refused(json.loads(file.read_text()))
    file.write_text(file.read_text().replace('"identities": []', '"identities": [{}]'))
    assert 2 == cli("certificate", "check", str(file)).status


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "csv"), "--certificate is written as json"),
        (("--as-of", "2026-03-10T00:00:00Z"), "--certificate goes without --as-of"),
        (("--known-at", "2026-03-10T00:00:00Z"), "--certificate goes with --known-at only for a ledger"),
    ],
)
def test_what_a_certificate_could_not_say_of_itself_is_refused(
    options: tuple[str, ...], message: str, cli: Cli, source: str
) -> None:
    """Checked against all events, it would look like a forgery."""
    ended = cli("explain", source, "--account", "acme", "--certificate", *options)
    assert (2, "") == (ended.status, ended.out)
    assert ended.err.startswith(f"usage: {message}")


# All ledgers

_NUMBERS = (
    "peak",
    "peak_at",
    "cycle_start",
    "cycle_end",
    "action_window",
    "connect_window",
    "occurred_at",
    "covers_until",
)


@examples(200, 5_000)
@given(stories(accounts=2, events_min=6, events_max=14), st.data())
def test_every_certificate_holds_and_none_with_another_number_unless_it_is_true(
    story: Story, data: st.DataObject
) -> None:
    """A change that no checker finds is one that leaves what it says true, by the definition."""
    document = _certified(story)
    if document is None:
        return
    rows, source = _rows(story.events), table(story.events)
    assert [] == codes(document) == codes(document, source)
    assert not refused(document)
    assert not refused(document, rows)
    changed = _with_another_number(document, data)
    if changed is None:
        return
    true = _is_true(changed, story.events)
    assert true == (not codes(changed, source))
    assert true == (not refused(changed, rows))
    assert not true or not (codes(changed) or refused(changed)), "what is true holds by itself"


@examples(60, 2_000)
@given(stories(accounts=2, events_min=6, events_max=14), st.integers(1, 6))
def test_every_certificate_of_a_ledger_holds_against_it_and_its_export(story: Story, later: int) -> None:
    """Conflicts take positions that an export does not show, and what comes later changes nothing."""
    named = [replace(event, event_id=event.event_id or f"n{k}") for k, event in enumerate(story.events)]
    ledger = billing.open_ledger("sqlite:///:memory:")
    billing.append(ledger, table(named[:-later] or named))
    document = _certified(story, ledger)
    billing.append(ledger, table(named))
    export = pa.Table.from_batches(map(event_files.batch_of, ledger.entries()), event_files.SCHEMA)
    if document is None:
        return
    for source in (ledger, export):
        assert [] == codes(document, source)
        assert read_source(source, certified.parse(document)).digest_matches


def _certified(story: Story, source: Ledger | None = None) -> dict[str, Any] | None:
    """The certificate of the first account that has any event, for the cycle of the story."""
    events: Events = engine.read(table(story.events) if source is None else source)
    names = [name for name, n in zip(events.names.account_names, events.accepted, strict=False) if n]
    if not names:
        return None
    rule = CycleRule(anchor=moment(story.span[0]))
    cycle = rule.at(moment(story.span[0])).name
    terms = AllTerms(Terms(cycles=rule, policy=story.policy))
    return written(events if source is None else source, min(names), cycle, terms)


def _with_another_number(document: dict[str, Any], data: st.DataObject) -> dict[str, Any] | None:
    """The certificate with one number changed: one more or less, a day, or a month."""
    changed = copy.deepcopy(document)
    name = data.draw(st.sampled_from(_NUMBERS))
    shift = data.draw(
        st.sampled_from((1, -1, definition.DAY, -definition.DAY, 30 * definition.DAY, -30 * definition.DAY))
    )
    holder = changed
    if name.endswith("_window"):
        holder = changed["policy"]
    elif name in ("occurred_at", "covers_until") and changed["identities"]:
        holder = data.draw(st.sampled_from(changed["identities"]))
    if holder.get(name) is None:
        return None
    if name == "peak":
        holder["peak"] += 1 if shift > 0 or holder["peak"] == 0 else -1
    elif name.endswith("_window"):
        parsed = certified.parse(document)
        kind = "action.called" if name == "action_window" else "integration.connected"
        length = parsed.windows[kind] + shift
        if not 0 < length <= 3_650 * definition.DAY:
            return None
        holder[name] = f"PT{length // 10**6}.{length % 10**6:06}S"
    else:
        instant = (datetime.fromisoformat(holder[name]) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        holder[name] = certified.text(instant + shift)
    return None if (changed["peak"] == 0) != (changed["peak_at"] is None) else changed


def _is_true(document: dict[str, Any], events: list[Event]) -> bool:
    """Whether all that a certificate says is so, by the definition."""
    of = certified.parse(document)
    if len({claim.identity_id for claim in of.identities}) != of.peak or len(of.identities) != of.peak:
        return False
    if of.peak_at is None:
        return True
    histories = definition.billed(event for event in events if event.account_id == of.account_id)
    return of.cycle_start <= of.peak_at < of.cycle_end and all(
        claim.type in of.windows
        and claim.occurred_at <= of.peak_at < claim.covers_until
        and _covers(claim, histories.get(claim.identity_id, []), of)
        for claim in of.identities
    )


def _covers(claim: certified.CertifiedIdentity, history: list[Event], of: certified.Certificate) -> bool:
    """Whether the event listed is there, and covers what the certificate says."""
    listed = (claim.event_id, claim.type, claim.occurred_at)
    windows = {claim.type: of.windows[claim.type]}  # an event of the other type may begin at the same instant
    covers = definition.covers_of(history, windows=windows, reconnect=of.reconnect)
    return (claim.identity_id, claim.occurred_at, claim.covers_until) in covers and any(
        listed == (claim.event_id and event.event_id, event.type, event.occurred_at) for event in history
    )


def _rows(events: list[Event]) -> list[dict[str, str]]:
    """Events as rows of a CSV file."""
    names = ("event_id", "account_id", "identity_id", "type", "identity_type", "voids")
    return [
        {name: getattr(event, name) or "" for name in names} | {"occurred_at": certified.text(event.occurred_at)}
        for event in events
    ]
