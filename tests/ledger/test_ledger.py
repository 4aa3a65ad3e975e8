"""What every ledger promises, checked on SQLite in a file, SQLite in memory, and PostgreSQL.

One class says it all, and each kind of database is a subclass that only makes ledgers. `database.rows`
and `database.insert` are used to look behind the ledger's back, and to let it fail in the middle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import count, repeat
from pathlib import Path
from typing import Any
from uuid import uuid4

import apsw
import psycopg
import pyarrow as pa
import pytest

import billing
from billing import engine
from billing.core.cycle import micros
from billing.core.event import CONTENT
from billing.core.terms import TermsHistory
from billing.engine import load
from billing.inputs.rows import COLUMNS, ReadOptions
from billing.ledger import ledger as module
from billing.ledger.database import COLUMNS as TABLES
from billing.ledger.database import MOMENT, Span
from billing.ledger.entry import Document, Entry, Head, Kind, Receipt, UnissuedDocument
from billing.ledger.ledger import SKEW_MAX, Ledger
from tests.support.postgres import Elsewhere, Server

Row = dict[str, Any]
Make = Callable[[], Ledger]

NOTHING = "0" * 64
MICROSECOND = timedelta(microseconds=1)
#: What each database says of what a ledger never does.
REFUSALS = (apsw.ConstraintError, psycopg.IntegrityError, psycopg.errors.RaiseException)
#: Ids that some program on the way would take for something else.
NASTY = (
    "=cmd|' /C calc'!A0", "x'); DROP TABLE entry;--", "'", '"', '""', "a,b", " before", "after ", "\u00e9",
    "\u1e9b\u0323", "\U0001f9d1\u200d\U0001f680", "\ufeffx", "NULL", "null", "NaN", "None", "\\N", "\\", "true", "007",
    "1e5", "-", "+1", "@x", "%s", "%", "?", "$1", "{}", "{a,b}", "#", "x" * 128, "\u00e9" * 64, '"' * 128, "\\" * 128,
)  # fmt: skip


# Events, as they are written here. What is not said of one: it is of account acme.


def called(event_id: str | None, identity_id: str, on: str = "2026-01-05", **said: Any) -> Row:
    return _event(event_id, identity_id, "action.called", on, said)


def connected(event_id: str | None, identity_id: str, on: str = "2026-01-05", **said: Any) -> Row:
    return _event(event_id, identity_id, "integration.connected", on, said)


def deleted(event_id: str | None, identity_id: str, on: str = "2026-01-05", **said: Any) -> Row:
    return _event(event_id, identity_id, "identity.deleted", on, said)


def created(event_id: str | None, identity_id: str, identity_type: str, on: str = "2026-01-05", **said: Any) -> Row:
    return _event(event_id, identity_id, "identity.created", on, {"identity_type": identity_type, **said})


def void(event_id: str | None, voids: str, on: str = "2026-01-05", **said: Any) -> Row:
    return _event(event_id, "ada", "event.voided", on, {"voids": voids, **said})


def _event(event_id: str | None, identity_id: str, event_type: str, on: str, said: Row) -> Row:
    what = {"event_id": event_id, "identity_id": identity_id, "type": event_type, "occurred_at": on}
    return {"account_id": "acme", **what, **said}


def source(*rows: Row) -> pa.Table:
    """Events as a table with the columns that some of them have."""
    names = [name for name in COLUMNS if any(name in row for row in rows)] or list(COLUMNS)
    kinds = {name: pa.int64() if name == "results" else pa.string() for name in names}
    return pa.table({n: pa.array([_written(n, row.get(n)) for row in rows], kind) for n, kind in kinds.items()})


def _written(name: str, value: Any) -> Any:
    return f"{value}T00:00:00Z" if name.endswith("_at") and value and "T" not in value else value


def utc(text: str) -> datetime:
    """A day, or an instant of it, in UTC."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def at(text: str) -> int:
    """The same in microseconds."""
    return micros(utc(text))


# What is done with a ledger.


def send(ledger: Ledger, *rows: Row, now: str = "2026-02-01") -> Receipt:
    """Append events in one step."""
    return billing.append(ledger, source(*rows), now=utc(now))


def issue(ledger: Ledger, *papers: UnissuedDocument, now: str = "2026-02-02") -> list[Document]:
    """Issue documents, having seen all that came before."""
    return ledger.issue(papers, after=ledger.head().documents_digest, now=at(now))


def paper(kind: Kind, account_id: str | None = "acme", month: str = "2026-01", **content: Any) -> UnissuedDocument:
    return UnissuedDocument(kind, account_id, at(f"{month}-01"), content)


def entries(ledger: Ledger, **asked: Any) -> list[Entry]:
    return [entry for page in ledger.entries(**asked) for entry in page]


def ids(ledger: Ledger, **asked: Any) -> list[str]:
    """The event ids of all entries, in order of position."""
    return [entry.event_id for entry in entries(ledger, **asked)]


def happened(ledger: Ledger, position: int | None = None) -> list[str]:
    """The ids of the connects, actions and deletions that a bill is made of."""
    return named(ledger.read(position=position, ids=True))


def named(events: billing.Events) -> list[str]:
    """The ids of events that were read."""
    assert events.event_ids is not None
    return sorted(events.event_ids.to_pylist())


def never_counted(ledger: Ledger, position: int | None = None) -> list[str]:
    """The identities with activity that are standard ones."""
    names = ledger.read(position=position).names
    return [name for name, standard in zip(names.identities.to_pylist(), names.standard, strict=True) if standard]


def codes(receipt: Receipt) -> list[str]:
    return [rejection.code for rejection in receipt.rejections]


def everything(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    return {
        table: ledger.database.rows(f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1")
        for table, columns in TABLES.items()
    }


class Interrupted(BaseException):
    """The process was told to end."""


class LedgerContract:
    """What a ledger promises, whatever database keeps it. A subclass gives the `addresses` of new ledgers."""

    @pytest.fixture
    def addresses(self) -> Iterator[str]:
        raise NotImplementedError

    @pytest.fixture
    def make(self, addresses: Iterator[str]) -> Iterator[Make]:
        """Makes empty ledgers, and lets go of them in the end."""
        made: list[Ledger] = []

        def make() -> Ledger:
            made.append(billing.open_ledger(next(addresses)))
            return made[-1]

        yield make
        for ledger in made:
            ledger.close()

    @pytest.fixture
    def ledger(self, make: Make) -> Ledger:
        return make()

    # The same event again.

    def test_an_event_that_comes_again_is_a_duplicate_and_nothing_is_written(self, ledger: Ledger) -> None:
        """Whoever did not hear that it was kept sends it again."""
        send(ledger, called("e1", "ada"), created("e2", "bo", "standard"))
        before = everything(ledger)
        receipt = send(ledger, called("e1", "ada"), created("e2", "bo", "standard"), now="2026-02-03")
        assert (billing.Tally(2, 0, 2, 0), ()) == (receipt.tally, receipt.rejections)
        assert before == everything(ledger)

    def test_an_event_twice_in_one_batch_is_one_entry(self, ledger: Ledger) -> None:
        """A retry may stand beside what it repeats."""
        receipt = send(ledger, called("e1", "ada"), called("e1", "ada"), called("e2", "ada"))
        assert (billing.Tally(3, 2, 1, 0), ["e1", "e2"]) == (receipt.tally, ids(ledger))

    @pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
    def test_an_id_with_another_content_is_a_conflict_that_names_the_field(
        self, ledger: Ledger, together: bool
    ) -> None:
        """Two stories about one event: the first stays, and somebody has to know of the second, whatever differs."""
        first = called(
            "e1", "ada", identity_type="engagement", action="linkedin-like-post", results=3, mode="auto", voids="e9"
        )
        others = [
            ("identity_id", "bo"),
            ("type", "integration.connected"),
            ("occurred_at", "2026-01-05T00:00:00.000001Z"),
            ("identity_type", "standard"),
            ("identity_type", None),
            ("action", "linkedin-visit-profile"),
            ("action", None),
            ("results", 4),
            ("results", None),
            ("mode", "managed"),
            ("mode", None),
            ("voids", "e8"),
            ("voids", None),
        ]
        assert set(CONTENT) == {"account_id", "event_id", *(field for field, _ in others)}
        rows = [first, *({**first, field: other} for field, other in others)]
        receipts = [send(ledger, *rows)] if together else [send(ledger, row) for row in rows]
        rejections = [rejection for receipt in receipts for rejection in receipt.rejections]
        expected = [("id_conflict", field, "position 1") for field, _ in others]
        assert expected == [(r.code, r.details["differs"], r.details["first"]) for r in rejections]
        (entry,) = entries(ledger)
        kept = dict(zip(CONTENT, entry.content, strict=True))
        assert {**first, "occurred_at": at("2026-01-05")} == kept
        told = [json.loads(conflict.content) for conflict in ledger.documents("conflict")]
        assert [(field, 1) for field, _ in others] == [(said["differs"], said["position"]) for said in told]
        assert [[field] for field, _ in others] == [
            [f for f in CONTENT if said["event"][f] != kept[f]] for said in told
        ]

    def test_a_conflict_is_recorded_once_however_often_it_is_sent(self, ledger: Ledger) -> None:
        """A program that repeats its mistake every minute must not fill the ledger."""
        send(ledger, called("e1", "ada"), called("e1", "bo"), called("e1", "bo"), called("e1", "cy"))
        before = everything(ledger)
        assert ["id_conflict", "id_conflict"] == codes(send(ledger, called("e1", "cy"), called("e1", "bo")))
        assert before == everything(ledger)
        told = [json.loads(document.content)["event"]["identity_id"] for document in ledger.documents("conflict")]
        assert ["bo", "cy"] == told

    def test_what_comes_again_is_recognized_wherever_in_the_ledger_it_stands(self, ledger: Ledger) -> None:
        """At the beginning, at the end, among many others, and among new ones."""
        send(ledger, *(called(f"e{k}", f"id{k}") for k in range(300)))
        before = ledger.head()
        again = [called(f"e{k}", f"id{k}") for k in (299, 0, 1, 64, 66, 199)]
        receipt = send(ledger, *again, called("e130", "somebody"), called("e300", "id300"))
        assert (billing.Tally(8, 1, 6, 1), ["id_conflict"]) == (receipt.tally, codes(receipt))
        assert (301, ["e300"]) == (len(ids(ledger)), ids(ledger, after=before.position))

    def test_the_first_stays_untouched_by_a_conflict(self, ledger: Ledger) -> None:
        """What was billed by must not change because somebody tells it otherwise."""
        send(ledger, called("e1", "ada"))
        before = everything(ledger)
        send(ledger, called("e1", "ada", "2026-01-06"))
        after = everything(ledger)
        assert {**before, "document": after["document"]} == after
        assert ledger.head(position=1).digest == ledger.head().digest

    def test_when_an_event_was_recorded_is_no_part_of_what_it_says(self, ledger: Ledger) -> None:
        """The same event by two ways is the same event."""
        send(ledger, called("e1", "ada", recorded_at="2026-01-06"))
        receipt = send(ledger, called("e1", "ada", recorded_at="2026-01-07"))
        assert (1, at("2026-01-06")) == (receipt.tally.duplicates, entries(ledger)[0].recorded_at)

    def test_the_same_id_in_two_accounts_is_two_events(self, ledger: Ledger) -> None:
        """Accounts make ids without asking each other."""
        first, second = called("e1", "ada"), called("e1", "bo", account_id="bolt")
        assert 2 == send(ledger, first, second).tally.accepted
        assert 2 == send(ledger, second, first).tally.duplicates
        assert ["id_conflict"] == codes(send(ledger, called("e1", "ada", account_id="bolt")))

    def test_the_same_identity_in_two_accounts_is_two_identities(self, ledger: Ledger) -> None:
        """Who is active in one account is not billed to another."""
        send(ledger, called("e1", "ada"), created("e2", "ada", "standard", account_id="bolt"))
        send(ledger, called("e3", "ada", account_id="bolt"))
        names = ledger.read().names
        owners = [names.accounts[code].as_py() for code in names.account_of.tolist()]
        assert [("acme", "ada", False), ("bolt", "ada", True)] == list(
            zip(owners, names.identities.to_pylist(), names.standard.tolist(), strict=True)
        )

    def test_ids_are_not_glued_together(self, make: Make) -> None:
        """An account must not be able to take the ids of another by its name, nor seal the same."""
        pairs = [("a-b", "c"), ("a", "b-c"), ("ab", "c"), ("a", "bc"), ("a", "b c"), ("a b", "c")]
        rows = [called(event_id, "ada", account_id=account_id) for account_id, event_id in pairs]
        assert len(pairs) == send(make(), *rows).tally.accepted
        one, other = (send(make(), row).head.digest for row in rows[:2])
        assert one != other

    # Whole, or not at all.

    def test_a_batch_lands_whole_or_not_at_all(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        """After a failure nothing is there, and sending the same again makes what would have been."""
        first = called("e1", "ada", action="linkedin-like-post")
        batch = [
            called("e2", "bo", action="linkedin-visit-profile"),
            called("e1", "cy"),  # a conflict
            called("e3", "di", account_id="bolt"),
        ]
        whole, ledger = make(), make()
        for each in (whole, ledger):
            send(each, first)
        before = everything(ledger)
        for table in ("account", "identity", "action", "entry", "document"):
            with monkeypatch.context() as patched:
                patched.setattr(ledger.database, "insert", _interrupted_at(ledger, table))
                with pytest.raises(Interrupted):
                    send(ledger, *batch)
            assert (table, before) == (table, everything(ledger))
        for each in (whole, ledger):
            send(each, called("e4", "eve", account_id="cargo"))  # takes the codes that were handed out in vain
            assert billing.Tally(3, 2, 0, 1) == send(each, *batch).tally
        assert (everything(whole), billing.Tally(4, 0, 4, 0)) == (
            everything(ledger),
            billing.append(ledger, whole).tally,
        )

    def test_what_is_issued_lands_whole_or_not_at_all(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        """Half of a closing would bill some accounts, and leave a gap in the numbers of the others."""
        before = everything(ledger)
        with monkeypatch.context() as patched:
            patched.setattr(ledger.database, "insert", _interrupted_at(ledger, "document", time=2))
            with pytest.raises(Interrupted):
                issue(ledger, paper("invoice", "acme"), paper("invoice", "bolt"))
        assert before == everything(ledger)
        assert ["INV-000001"] == [document.number for document in issue(ledger, paper("invoice", "acme"))]

    def test_nothing_that_is_there_can_be_changed_or_taken_out(self, ledger: Ledger) -> None:
        """A ledger only grows, also for somebody who writes SQL."""
        send(ledger, called("e1", "ada", action="linkedin-like-post"))
        issue(ledger, paper("terms", None))
        before = everything(ledger)
        for table in TABLES:
            with pytest.raises(REFUSALS):
                ledger.database.rows(f"DELETE FROM {table}")
            with pytest.raises(REFUSALS):
                key = TABLES[table][0]
                ledger.database.rows(f"UPDATE {table} SET {key} = {key} + 1")
        assert before == everything(ledger)

    # The receipt.

    def test_the_receipt_adds_up_and_tells_what_was_rejected_and_where(self, ledger: Ledger) -> None:
        """What was sent is accepted, known already, or rejected; nothing is lost."""
        send(ledger, called("e1", "ada"))
        receipt = send(
            ledger,
            called("e1", "ada"),
            called("e2", "bo"),
            called("e1", "cy"),
            called(None, "di"),
            called("e3", "eve", "2026-01-32"),
            void("e4", "e4"),
        )
        assert billing.Tally(received=6, accepted=1, duplicates=1, rejected=4) == receipt.tally
        assert [
            ("table:5", "ts_not_a_time"),
            ("table:3", "id_conflict"),
            ("table:4", "event_id_missing"),
            ("table:6", "void_of_void"),
        ] == [(rejection.where, rejection.code) for rejection in receipt.rejections]
        assert ledger.head() == receipt.head

    def test_a_source_without_a_column_of_event_ids_is_refused(self, ledger: Ledger) -> None:
        """A ledger that cannot tell a retry from a new event would count both."""
        row = called(None, "ada")
        del row["event_id"]
        with pytest.raises(billing.BadSource) as refused:
            send(ledger, row)
        assert ("event_id_missing", 0) == (refused.value.code, ledger.head().position)

    def test_an_empty_source_adds_nothing(self, ledger: Ledger) -> None:
        """A program that has nothing to tell today is no mistake."""
        receipt = billing.append(ledger, source())
        assert (billing.Tally(0, 0, 0, 0), ledger.head()) == (receipt.tally, receipt.head)

    def test_a_strict_reading_adds_nothing_of_a_source_with_a_rejection(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whether the row is wrong in itself, or only beside another; nor is the conflict recorded."""
        monkeypatch.setattr(load, "APPEND_ROWS", 1)
        for bad in (called("e2", "ada", "2026-01-32"), called(None, "ada"), called("e1", "bo"), void("v1", "v1")):
            with pytest.raises(billing.Refused):
                billing.append(ledger, source(called("e1", "ada"), bad), strict=True)
            assert 0 == ledger.head().position
        assert 2 == billing.append(ledger, source(called("e1", "ada"), called("e2", "ada")), strict=True).tally.accepted

    # Voids.

    def test_a_voided_event_never_happened_and_at_the_position_before_it_had(self, ledger: Ledger) -> None:
        """A mistake that is found out changes what is known, not what was known."""
        send(ledger, called("e1", "ada"), called("e2", "ada"))
        send(ledger, void("v1", "e1"))
        assert (["e2"], ["e1", "e2"]) == (happened(ledger), happened(ledger, position=2))

    @pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
    def test_a_void_may_come_before_what_it_voids(self, ledger: Ledger, together: bool) -> None:
        """Messages overtake each other."""
        first, second = void("v1", "e1"), called("e1", "ada")
        receipts = [send(ledger, first, second)] if together else [send(ledger, first), send(ledger, second)]
        assert [()] * len(receipts) == [receipt.rejections for receipt in receipts]
        assert (["v1", "e1"], []) == (ids(ledger), happened(ledger))

    @pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
    def test_a_void_of_a_void_is_rejected(self, ledger: Ledger, together: bool) -> None:
        """A void is final: else nobody could say what a bill is made of without reading all of it."""
        rows = [called("e1", "ada"), void("v1", "e1"), void("v2", "v1")]
        receipts = [send(ledger, *rows)] if together else [send(ledger, row) for row in rows]
        assert ["void_of_void"] == codes(receipts[-1])
        assert (["e1", "v1"], []) == (ids(ledger), happened(ledger))

    def test_a_void_of_itself_is_rejected(self, ledger: Ledger) -> None:
        """An event cannot say that it never happened."""
        assert ["void_of_void"] == codes(send(ledger, void("v1", "v1")))
        assert 0 == ledger.head().position

    def test_a_void_that_came_before_a_void_has_no_effect_on_it(self, ledger: Ledger) -> None:
        """When it came nobody could know what it aims at, and the order of arrival decides nothing."""
        send(ledger, void("v2", "v1"))
        send(ledger, called("e1", "ada"), called("e2", "ada"), void("v1", "e1"))
        assert ["e2"] == happened(ledger)

    def test_a_void_of_an_unknown_event_changes_nothing(self, ledger: Ledger) -> None:
        """Perhaps it is still to come."""
        send(ledger, called("e1", "ada"))
        assert 1 == send(ledger, void("v1", "e9")).tally.accepted
        assert ["e1"] == happened(ledger)

    def test_a_void_reaches_no_other_account(self, ledger: Ledger) -> None:
        """Ids belong to their account, also those that are named."""
        send(ledger, called("e1", "ada"), called("e1", "ada", account_id="bolt"), void("v1", "e1"))
        read = ledger.read()
        assert [1] == read.names.account_of.tolist()
        assert ["acme", "bolt"] == read.names.accounts.to_pylist()

    def test_a_voided_deletion_did_not_end_anything(self, ledger: Ledger) -> None:
        """Whoever was deleted by mistake is alive."""
        send(ledger, called("e1", "ada", "2026-01-05"), deleted("e2", "ada", "2026-01-06"), void("v1", "e2"))
        assert [utc("2026-02-04")] == billing.intervals(ledger).end.tolist()

    # Types.

    @pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
    def test_a_type_that_is_told_again_otherwise_is_a_conflict(self, ledger: Ledger, together: bool) -> None:
        """A type never changes; the first stays, and the other is kept for somebody to look at."""
        rows = [called("e0", "ada"), created("e1", "ada", "engagement"), created("e2", "ada", "standard")]
        receipts = [send(ledger, *rows)] if together else [send(ledger, row) for row in rows]
        (rejection,) = receipts[-1].rejections
        assert ("identity_type_conflict", "position 2", '"ada"', "engagement") == (
            rejection.code, *(rejection.details[name] for name in ("first", "identity", "differs"))
        )  # fmt: skip
        assert (["e0", "e1"], []) == (ids(ledger), never_counted(ledger))
        before = everything(ledger)
        assert ["identity_type_conflict"] == codes(send(ledger, created("e2", "ada", "standard")))
        assert before == everything(ledger)
        (document,) = ledger.documents("conflict")
        said = json.loads(document.content)
        assert (2, "identity_type", "e2") == (said["position"], said["differs"], said["event"]["event_id"])

    def test_a_type_that_is_told_again_alike_is_an_event_of_its_own(self, ledger: Ledger) -> None:
        """It contradicts nothing."""
        receipt = send(ledger, created("e1", "ada", "standard"), created("e2", "ada", "standard"), called("e3", "ada"))
        assert (3, ["ada"]) == (receipt.tally.accepted, never_counted(ledger))

    @pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
    def test_a_type_that_was_voided_can_be_told_otherwise(self, ledger: Ledger, together: bool) -> None:
        """The way to mend a wrong type is to void it."""
        rows = [
            called("e0", "ada"),
            created("e1", "ada", "engagement"),
            void("v1", "e1"),
            created("e2", "ada", "standard"),
        ]
        receipts = [send(ledger, *rows)] if together else [send(ledger, row) for row in rows]
        assert [()] * len(receipts) == [receipt.rejections for receipt in receipts]
        assert (["ada"], []) == (never_counted(ledger), never_counted(ledger, position=3))

    @pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
    def test_a_type_that_was_voided_before_it_came_contradicts_nothing(self, ledger: Ledger, together: bool) -> None:
        """It never happened, wherever its void stands."""
        rows = [
            called("e0", "ada"),
            created("e1", "ada", "engagement"),
            void("v1", "e2"),
            created("e2", "ada", "standard"),
            created("e3", "ada", "engagement"),
        ]
        receipts = [send(ledger, *rows)] if together else [send(ledger, row) for row in rows]
        assert [()] * len(receipts) == [receipt.rejections for receipt in receipts]
        assert [] == never_counted(ledger)

    @pytest.mark.parametrize("first", ["type", "action"])
    def test_a_type_holds_for_all_that_an_identity_does(self, ledger: Ledger, first: str) -> None:
        """It may be told before its identity does anything, long after, and outside of what is read."""
        kind, done = created("e1", "ada", "standard", "2020-01-01"), called("e2", "ada", "2026-01-05")
        for row in (kind, done) if first == "type" else (done, kind):
            send(ledger, row)
        january = ledger.read(lambda account: (at("2026-01-01"), at("2026-02-01")))
        assert ([True], ["ada"]) == (january.names.standard.tolist(), january.names.identities.to_pylist())

    def test_an_identity_that_was_only_created_is_no_reason_to_read(self, ledger: Ledger) -> None:
        """Its account is known, and nothing else of it matters."""
        send(ledger, created("e1", "ada", "standard"))
        events = ledger.read()
        assert (["acme"], [1], 0, []) == (
            events.names.accounts.to_pylist(), events.accepted.tolist(), len(events.columns),
            events.names.identities.to_pylist(),
        )  # fmt: skip

    # When it was recorded.

    def test_an_event_keeps_its_recorded_at_and_without_one_gets_that_of_now(self, ledger: Ledger) -> None:
        """An import of what was known elsewhere is known since then."""
        send(ledger, called("e1", "ada", recorded_at="2026-01-06T09:00:00.000001Z"))
        send(ledger, called("e2", "ada"), now="2026-02-01")
        recorded = [entry.recorded_at for entry in entries(ledger)]
        assert [at("2026-01-06T09:00:00.000001"), at("2026-02-01")] == recorded

    def test_beside_events_with_a_recorded_at_those_without_are_recorded_now(self, ledger: Ledger) -> None:
        """Two exports in one folder, of which one says when and the other does not."""
        receipt = send(ledger, called("e1", "ada"), called("e2", "ada", recorded_at="2026-01-06"))
        assert () == receipt.rejections
        recorded = [(entry.event_id, entry.recorded_at) for entry in entries(ledger)]
        assert [("e2", at("2026-01-06")), ("e1", at("2026-02-01"))] == recorded

    def test_when_the_clock_goes_back_time_in_the_ledger_stands_still(self, ledger: Ledger) -> None:
        """What was known at a moment would otherwise change after that moment."""
        send(ledger, called("e1", "ada"), now="2026-02-02")
        send(ledger, called("e2", "ada"), now="2026-02-01")
        assert [at("2026-02-02")] * 2 == [entry.recorded_at for entry in entries(ledger)]

    @pytest.mark.parametrize("last", ["event", "document"])
    def test_what_says_that_it_was_recorded_before_the_last_thing_is_rejected(self, ledger: Ledger, last: str) -> None:
        """Somebody may have asked meanwhile what was known then."""
        if last == "event":
            send(ledger, called("e1", "ada", recorded_at="2026-01-20"))
        else:
            issue(ledger, paper("terms", None), now="2026-01-20")
        receipt = send(
            ledger,
            called("e2", "ada", recorded_at="2026-01-19T23:59:59.999999Z"),
            called("e3", "ada", recorded_at="2026-01-20"),
        )
        (rejection,) = receipt.rejections
        assert ("recorded_at_backwards", "2026-01-19T23:59:59.999999Z", "2026-01-20T00:00:00Z") == (
            rejection.code, rejection.details["got"], rejection.details["last"]
        )  # fmt: skip
        assert ["e3"] == ids(ledger, after=1)

    def test_what_says_that_it_is_recorded_in_the_future_is_rejected(self, ledger: Ledger) -> None:
        """One wrong clock would stop all others, since nothing can be recorded before it."""
        skew = timedelta(microseconds=SKEW_MAX)
        latest = utc("2026-02-01") + skew
        receipt = send(
            ledger,
            called("e1", "ada", recorded_at=(latest + MICROSECOND).isoformat()),
            called("e2", "ada", recorded_at=latest.isoformat()),
        )
        assert (timedelta(minutes=5), ["recorded_at_future"]) == (skew, codes(receipt))
        send(ledger, called("e3", "ada"))
        recorded = [(entry.event_id, entry.recorded_at) for entry in entries(ledger)]
        assert [("e2", micros(latest)), ("e3", micros(latest))] == recorded

    def test_a_duplicate_is_one_whatever_its_recorded_at(self, ledger: Ledger) -> None:
        """To send a file again must always be safe."""
        send(ledger, called("e1", "ada", recorded_at="2026-01-10"), called("e2", "bo", recorded_at="2026-01-20"))
        again = [called("e1", "ada", recorded_at=when) for when in ("2026-01-01", "2026-01-20", "2126-01-01")]
        receipt = send(ledger, *again)
        assert (3, ()) == (receipt.tally.duplicates, receipt.rejections)

    def test_a_conflict_is_told_whatever_its_recorded_at(self, ledger: Ledger) -> None:
        """It is recorded when it comes, since the time that it claims is worth nothing."""
        send(ledger, called("e1", "ada", recorded_at="2026-01-10"), called("e2", "bo", recorded_at="2026-01-20"))
        assert ["id_conflict"] == codes(send(ledger, called("e1", "bo", recorded_at="2026-01-11")))
        assert [at("2026-01-20")] == [document.recorded_at for document in ledger.documents("conflict")]

    def test_a_source_in_disorder_goes_in_by_recorded_at(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        """Files are often sorted by something else; of what was recorded together the first comes first."""
        monkeypatch.setattr(load, "APPEND_ROWS", 3)
        receipt = send(
            ledger,
            called("e4", "ada", recorded_at="2026-01-09"),
            called("e2", "ada", recorded_at="2026-01-07"),
            called("e3", "ada", recorded_at="2026-01-07"),
            called("e1", "ada", recorded_at="2026-01-06"),
        )
        assert (billing.Tally(4, 4, 0, 0), ["e1", "e2", "e3", "e4"]) == (receipt.tally, ids(ledger))

    # Positions, and what was known.

    def test_an_empty_ledger_has_a_head_of_nothing(self, ledger: Ledger) -> None:
        """Something that can be noted before the first event."""
        assert Head(0, NOTHING, NOTHING, None) == ledger.head() == ledger.head(position=0)
        assert (0, 0) == (ledger.head(known_at=at("2026-01-01")).position, len(ledger.read()))

    def test_positions_are_shared_and_have_no_gaps(self, ledger: Ledger) -> None:
        """A gap is something taken out; and a draft at a position knows the terms that were known there."""
        send(ledger, called("e1", "ada"), called("e1", "bo"), called("e2", "ada"))
        issue(ledger, paper("terms", None), paper("invoice"))
        send(ledger, called("e3", "ada"))
        at_entries = [entry.position for entry in entries(ledger)]
        at_documents = [document.position for document in ledger.documents()]
        assert ([1, 3, 6], [2, 4, 5]) == (at_entries, at_documents)

    def test_the_head_at_a_position_is_what_it_was_then(self, ledger: Ledger) -> None:
        """A head that was noted elsewhere can always be compared."""
        noted = [ledger.head()]
        rows = [called("e1", "ada"), called("e2", "bo"), called("e1", "cy"), void("e3", "e1")]
        for k, row in enumerate(rows, start=1):
            noted.append(send(ledger, row, now=f"2026-02-0{k}").head)
        issue(ledger, paper("invoice"), now="2026-02-09")
        noted.append(ledger.head())
        send(ledger, called("e4", "ada"), now="2026-02-10")
        assert [0, 1, 2, 3, 4, 5] == [head.position for head in noted]
        assert noted == [ledger.head(position=head.position) for head in noted]
        assert noted == [ledger.head(known_at=head.recorded_at or 0) for head in noted]

    def test_the_digests_are_a_chain_over_what_is_said(self, ledger: Ledger) -> None:
        """Anybody can compute them again, in any language, from what was exported."""
        send(ledger, called("e1", "ada", results=3, action="linkedin-like-post"), called("e2", "bo", "2026-01-06"))
        (terms,) = issue(ledger, paper("terms", None))
        events = documents = bytes(32)
        for entry in entries(ledger):
            events = sha256(events + _sealed_by_hand([*entry.content, entry.recorded_at])).digest()
            assert events == entry.digest
        row = [3, terms.recorded_at, "terms", None, None, terms.cycle_start, terms.content]
        documents = sha256(documents + _sealed_by_hand(row)).digest()
        head = ledger.head()
        assert (events.hex(), documents.hex()) == (head.digest, head.documents_digest)

    def test_known_at_includes_its_instant_and_all_of_it(self, ledger: Ledger) -> None:
        """What was recorded together was known together."""
        send(ledger, called("e1", "ada"), called("e2", "ada"), now="2026-02-01")
        send(ledger, called("e3", "ada"), now="2026-02-02")
        issue(ledger, paper("terms", None), now="2026-02-03")

        def known(text: str, after: timedelta = timedelta(0)) -> int:
            return ledger.head(known_at=micros(utc(text) + after)).position

        assert (0, 2) == (known("2026-02-01", -MICROSECOND), known("2026-02-01"))
        assert (2, 3) == (known("2026-02-02", -MICROSECOND), known("2026-02-02"))
        assert (3, 4) == (known("2026-02-03", -MICROSECOND), known("2026-02-03"))
        assert 4 == known("2199-01-01")

    def test_what_is_read_at_a_position_is_what_was_read_there(self, ledger: Ledger) -> None:
        """Whatever comes later: voids, types, more events, other accounts."""
        steps = [
            [called("e1", "ada"), called("e2", "bo")],
            [void("v1", "e1")],
            [created("e3", "bo", "standard")],
            [called("e4", "cy", account_id="bolt"), void("v2", "e3")],
        ]
        noted = []
        for step in steps:
            position = send(ledger, *step).head.position
            noted.append((position, _read(ledger, None)))
        assert noted == [(position, _read(ledger, position)) for position, _ in noted]

    def test_a_position_that_is_not_there_yet_is_refused(self, ledger: Ledger) -> None:
        """The answer would change once it is there."""
        send(ledger, called("e1", "ada"))
        for position in (2, -1):
            with pytest.raises(billing.BadLedger) as refused:
                ledger.head(position=position)
            assert ("position_ahead", position, 1) == (
                refused.value.code, refused.value.details["got"], refused.value.details["last"]
            )  # fmt: skip
        with pytest.raises(billing.BadLedger):
            billing.peaks(ledger, position=2)

    def test_a_position_and_a_moment_together_leave_out_what_either_does(self, ledger: Ledger) -> None:
        """None of the two may be passed over in silence."""
        send(ledger, called("e1", "ada"), now="2026-02-01")
        send(ledger, called("e2", "bo"), now="2026-02-02")

        def peak(position: int, known_at: str) -> list[int]:
            rows = billing.peaks(ledger, first="2026-01", last="2026-01", position=position, known_at=utc(known_at))
            return [int(row) for row in rows.peak]

        assert ([2], [1], [1]) == (peak(2, "2026-02-02"), peak(2, "2026-02-01"), peak(1, "2026-02-02"))

    # Looking things up.

    def test_documents_are_found_by_kind_account_and_position(self, ledger: Ledger) -> None:
        """In the order in which they came."""
        send(ledger, called("e1", "ada"), called("e1", "bo"))
        issue(ledger, paper("terms", None), paper("invoice", "acme"), paper("invoice", "bolt"))
        issue(ledger, paper("credit_note", "bolt"), paper("supplementary_invoice", "acme"))

        def found(*kinds: Kind, **asked: Any) -> list[tuple[int, str, str | None]]:
            return [(d.position, d.kind, d.account_id) for d in ledger.documents(*kinds, **asked)]

        conflict, terms = (2, "conflict", "acme"), (3, "terms", None)
        acme, bolt = (4, "invoice", "acme"), (5, "invoice", "bolt")
        note, more = (6, "credit_note", "bolt"), (7, "supplementary_invoice", "acme")
        assert [conflict, terms, acme, bolt, note, more] == found()
        assert [acme, bolt] == found("invoice")
        assert [terms, note] == found("credit_note", "terms")
        assert [conflict, acme, more] == found(account_id="acme")
        assert [acme] == found("invoice", account_id="acme", position=6)
        assert [conflict, terms, acme] == found(position=4)
        assert [] == found("invoice", account_id="nobody")

    def test_entries_come_in_pages_and_none_is_missed(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        """A ledger is longer than memory; and accounts are mixed in it."""
        for k in range(1, 8):
            send(ledger, called(f"e{k}", "ada", account_id="acme" if k % 3 else "bolt"))
        for page, sizes in ((1, [1] * 7), (2, [2, 2, 2, 1]), (3, [3, 3, 1]), (7, [7]), (100, [7])):
            monkeypatch.setattr(module, "_PAGE", page)
            assert sizes == [len(each) for each in ledger.entries()]
            assert ["e1", "e2", "e3", "e4", "e5", "e6", "e7"] == ids(ledger)
            assert ["e3", "e6"] == ids(ledger, account_id="bolt")
            assert ["e4", "e5", "e7"] == ids(ledger, account_id="acme", after=3)
            assert ["e3", "e4", "e5"] == ids(ledger, after=2, until=5)
            assert ["e6"] == ids(ledger, account_id="bolt", after=3, until=6)
            assert [] == ids(ledger, account_id="nobody") == ids(ledger, after=7) == ids(ledger, until=0)

    def test_an_entry_says_all_that_was_said(self, ledger: Ledger) -> None:
        """Nothing of an event is lost, whether it matters to a peak or not."""
        details = {"identity_type": "standard", "action": "linkedin-like-post", "results": 0, "mode": "direct"}
        send(ledger, called("e1", "ada", "2026-01-05T09:00:00.000001Z", voids="e9", **details))
        (entry,) = entries(ledger)
        assert (1, at("2026-02-01"), "acme", "ada", "action.called", at("2026-01-05T09:00:00.000001"), "e1",
                "standard", "linkedin-like-post", 0, "direct", "e9") == entry[:12]  # fmt: skip
        assert entry == ledger.entry("acme", "e1")
        assert None is ledger.entry("bolt", "e1") is ledger.entry("acme", "e2")

    def test_an_account_began_with_the_first_event_that_happened(self, ledger: Ledger) -> None:
        """Not with the first that came, nor with a mistake, nor with a void; a type is an event as well."""
        send(ledger, called("e1", "ada", "2026-01-05"), called("e2", "ada", "2026-01-03"))
        send(ledger, void("v1", "e3", "2026-01-01"))
        send(ledger, called("e1", "ada", "2026-01-05", account_id="bolt"), called("e9", "ada", account_id="cargo"))
        send(ledger, created("e2", "ada", "engagement", "2026-01-02", account_id="bolt"))
        before = ledger.head().position
        send(ledger, void("v2", "e2"), void("v2", "e9", account_id="cargo"))
        asked = ["bolt", "acme", "cargo", "nobody"]
        assert {"acme": at("2026-01-05"), "bolt": at("2026-01-02")} == ledger.first_events(asked, position=before + 2)
        assert {"acme": at("2026-01-03"), "bolt": at("2026-01-02"), "cargo": at("2026-01-05")} == ledger.first_events(
            asked, position=before
        )
        assert {"acme": at("2026-01-05"), "bolt": at("2026-01-05")} == ledger.first_events(
            ["acme", "bolt"], position=4
        ) | {"acme": at("2026-01-05")}

    # What is issued.

    def test_numbers_have_no_gaps_in_each_of_two_series(self, ledger: Ledger) -> None:
        """Supplementary invoices share the series of invoices, credit notes have their own, the rest has none."""
        first = issue(ledger, paper("terms", None), paper("invoice", "acme"), paper("invoice", "bolt"))
        second = issue(
            ledger,
            paper("restatement", None),
            paper("credit_note", "acme"),
            paper("supplementary_invoice", "bolt"),
            paper("credit_note", "acme", "2026-02"),
            paper("invoice", "acme", "2026-02"),
        )
        assert [None, "INV-000001", "INV-000002"] == [document.number for document in first]
        assert [None, "CN-000001", "INV-000003", "CN-000002", "INV-000004"] == [document.number for document in second]
        assert [*first, *second] == ledger.documents()

    def test_a_document_is_kept_as_it_was_issued(self, ledger: Ledger) -> None:
        """Number and date are part of it; its keys keep their places, and its text its letters."""
        content = {"number": None, "issued_at": None, "total": "7.99", "note": "é\U0001f9d1 \"'%?", "lines": [{"n": 1}]}
        (document,) = issue(
            ledger, UnissuedDocument("invoice", "acme", at("2026-01-01"), content), now="2026-02-02T09:00:00.5"
        )
        assert (
            '{"number": "INV-000001", "issued_at": "2026-02-02T09:00:00.500000Z", "total": "7.99", '
            '"note": "é\U0001f9d1 \\"\'%?", "lines": [{"n": 1}]}'
        ) == document.content
        assert (at("2026-02-02T09:00:00.5"), at("2026-01-01")) == (document.recorded_at, document.cycle_start)

    def test_what_was_drafted_before_other_documents_came_is_not_issued(self, ledger: Ledger) -> None:
        """Else two who close at once would both bill."""
        seen = ledger.head().documents_digest
        issue(ledger, paper("invoice", "acme"))
        before = everything(ledger)
        with pytest.raises(billing.StaleLedger) as stale:
            ledger.issue([paper("invoice", "bolt")], after=seen, now=at("2026-02-03"))
        assert ("documents_stale", before) == (stale.value.code, everything(ledger))

    def test_events_that_came_meanwhile_do_not_make_a_draft_stale(self, ledger: Ledger) -> None:
        """They never stop coming; what they change is restated."""
        seen = ledger.head().documents_digest
        send(ledger, called("e1", "ada"))
        assert 1 == len(ledger.issue([paper("invoice")], after=seen, now=at("2026-02-03")))

    def test_documents_are_not_dated_before_what_is_there(self, ledger: Ledger) -> None:
        """They would have been known before they were; a clock that lags five minutes is forgiven."""
        send(ledger, called("e1", "ada"), now="2026-02-02")
        lag = timedelta(microseconds=SKEW_MAX)
        with pytest.raises(billing.BadLedger) as refused:
            ledger.issue([paper("invoice")], after=NOTHING, now=micros(utc("2026-02-02") - lag - MICROSECOND))
        assert ("issued_at_backwards", [], 1) == (refused.value.code, ledger.documents(), ledger.head().position)
        (document,) = ledger.issue([paper("invoice")], after=NOTHING, now=micros(utc("2026-02-02") - lag))
        assert at("2026-02-02") == document.recorded_at
        assert "2026-02-02T00:00:00Z" == json.loads(document.content)["issued_at"]

    def test_a_cycle_of_an_account_has_one_original(self, ledger: Ledger) -> None:
        """Whatever mistake a program makes, the database itself refuses to bill twice."""
        issue(ledger, paper("invoice", "acme"))
        before = everything(ledger)
        with pytest.raises(REFUSALS):
            issue(ledger, paper("invoice", "bolt"), paper("invoice", "acme"))
        assert before == everything(ledger)
        assert 3 == len(issue(ledger, paper("invoice", "bolt"), paper("credit_note"), paper("credit_note")))

    # Terms.

    def test_terms_are_kept_in_versions(self, ledger: Ledger) -> None:
        """What was agreed when can be read at any position."""
        one, two = _plan("one"), _plan("two")
        first = billing.add_terms(ledger, one, now=utc("2026-02-01"))
        between = ledger.head().position
        second = billing.add_terms(ledger, two, applies_from=utc("2026-03-01"), now=utc("2026-02-02"))
        again = billing.add_terms(ledger, two, now=utc("2026-02-03"))
        assert (1, None, 2, at("2026-03-01")) == (first.number, first.applies_from, second.number, second.applies_from)
        assert (second, 2) == (again, ledger.head().position)
        assert TermsHistory((first, second)) == engine.terms_in(ledger)
        assert TermsHistory((first,)) == engine.terms_in(ledger, ReadOptions(position=between))
        assert TermsHistory() == engine.terms_in(ledger, ReadOptions(position=0))

    def test_each_cycle_is_priced_by_the_version_in_force_at_its_start(self, ledger: Ledger) -> None:
        """A new price begins with a cycle, never within one."""
        send(ledger, called("e1", "ada", "2026-01-31"))
        billing.add_terms(ledger, _plan("old"), now=utc("2026-02-01"))
        billing.add_terms(ledger, _plan("new"), applies_from=utc("2026-01-02"), now=utc("2026-02-01"))
        drafts = billing.draft(ledger, first="2026-01", last="2026-02")
        assert [("old", 1), ("new", 2)] == [(drafted.plan_id, drafted.basis.terms_version) for drafted in drafts]

    # Out, and in again.

    def test_an_export_makes_the_same_ledger_again(self, make: Make, tmp_path: Path) -> None:
        """A backup that any program can read, exact to the byte, whatever ids look like."""
        _exported_and_again(make, tmp_path, "csv")

    def test_an_export_up_to_a_position_has_the_digest_of_then(self, make: Make, tmp_path: Path) -> None:
        """What was known then can be handed to somebody else."""
        ledger, again, file = make(), make(), str(tmp_path / "export.parquet")
        send(ledger, called("e1", "ada"), called("e2", "bo"), called("e3", "cy"))
        assert 2 == engine.export(ledger, file, position=2).position
        assert ledger.head(position=2) == billing.append(again, file).head

    def test_a_ledger_is_a_source_for_another(self, make: Make) -> None:
        """To move from a file to a server is one call."""
        ledger, again = make(), make()
        send(ledger, called("e1", "ada"), void("v1", "e1"), called("e2", "bo", account_id="bolt", results=0))
        assert ledger.head() == billing.append(again, ledger, now=utc("2026-03-01")).head
        assert billing.peaks(ledger).equals(billing.peaks(again))

    def test_ids_are_what_they_are(self, ledger: Ledger) -> None:
        """No id is taken for SQL, a number, nothing, or another spelling of a different one."""
        assert () == send(ledger, *_nasty()).rejections
        assert list(NASTY) == [e.event_id for e in entries(ledger) if e.type == "action.called"]
        assert list(NASTY) == [e.voids for e in entries(ledger) if e.type == "event.voided"]
        for k, name in enumerate(NASTY):
            found = ledger.entry(name, name)
            assert found is not None
            assert (2 * k + 1, name, name, name) == (found.position, found.account_id, found.identity_id, found.action)
            assert [found] == [e for e in entries(ledger, account_id=name) if e.type == "action.called"]
        assert [] == happened(ledger)
        assert sorted(NASTY) == billing.peaks(ledger, first="2026-01", last="2026-01").account_id.tolist()

    def test_a_conflict_of_the_longest_ids_is_kept_whole(self, ledger: Ledger) -> None:
        """Its content is unique, and what is unique is limited in some databases."""
        for name in ('"' * 128, "\\" * 128, "\u00e9" * 64):
            row = called(name, name, account_id=name, action=name, voids=name)
            assert ["id_conflict"] == codes(send(ledger, row, {**row, "mode": "auto"}))
        told = [json.loads(document.content)["event"] for document in ledger.documents("conflict")]
        assert ['"' * 128, "\\" * 128, "\u00e9" * 64] == [event["voids"] for event in told]

    # Reading.

    def test_what_calls_did_is_told_where_it_is_asked_for(self, ledger: Ledger) -> None:
        """Most bills do without, and what was voided, or came later, was not done."""
        send(ledger, called("e1", "ada", "2026-01-05", action="search", results=3, mode="managed"))
        send(ledger, connected("e2", "ada", "2026-01-04"), called("e3", "ada", "2026-01-01"))
        send(ledger, called("e4", "ada", "2026-01-06", action="search", results=9), void("e5", "e4"))
        send(ledger, called("e6", "bo", "2026-01-07", action="like", mode="auto", account_id="bolt"))
        assert ledger.read().details is None
        did = {"e1": ("search", 3, True), "e2": (None, -1, False), "e3": (None, -1, False), "e6": ("like", -1, False)}
        assert did == _did(ledger)
        january = at("2026-01-02"), at("2026-02-01")
        assert {key: did[key] for key in ("e1", "e2")} == _did(ledger, lambda name: january if name == "acme" else None)
        assert {"e1": did["e1"]} == _did(ledger, position=1)
        assert {} == _did(ledger, lambda name: None)
        assert "e4" in _did(ledger, position=4)

    def test_a_cycle_touches_the_events_of_a_window_before_it_and_no_others(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However long the history and however many the accounts, one cycle costs no more than one."""
        days = {
            "e1": "2025-12-01T23:59:59.999999Z",  # a microsecond more than thirty days before January
            "e2": "2025-12-02",
            "e3": "2026-01-15",
            "e4": "2026-01-31T23:59:59.999999Z",
            "e5": "2026-02-01",
        }
        old = [called(f"o{k}", "ada", f"{2023 + k // 12}-{k % 12 + 1:02}-01") for k in range(34)]
        rows = [*old, *(called(event_id, "ada", on) for event_id, on in days.items())]
        send(ledger, *rows, *({**row, "account_id": "bolt"} for row in rows))
        touched = _spy(ledger, monkeypatch)
        billing.peaks(ledger, first="2026-01", last="2026-01", accounts=["acme"])
        billing.peaks(ledger, first="2026-01", last="2026-01")
        acme, everybody = touched
        assert [at(days[event_id].removesuffix("Z")) for event_id in ("e2", "e3", "e4")] == sorted(acme)
        assert sorted([*acme, *acme]) == sorted(everybody)

    def test_what_is_read_of_a_span_is_what_lies_in_it(self, ledger: Ledger) -> None:
        """Accounts may have different spans, or none."""
        for account_id in ("acme", "bolt", "cargo"):
            send(ledger, *(called(f"e{day}", "ada", f"2026-01-0{day}", account_id=account_id) for day in range(1, 6)))
        spans = {"acme": (at("2026-01-02"), at("2026-01-04")), "bolt": (at("2026-01-05"), at("2026-01-05"))}
        events = ledger.read(lambda account: spans.get(account), ids=True)
        assert ["e2", "e3"] == named(events)
        assert ([5, 5, 5], 15, 3) == (events.accepted.tolist(), len(events), len(events.names.accounts))
        assert [] == named(ledger.read(lambda account: None, ids=True))

    def test_types_and_voids_of_many_accounts_are_all_read(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However many are asked about at a time."""
        accounts = [f"account{k}" for k in range(5)]
        for account_id in accounts:
            send(
                ledger,
                called("e1", "ada", account_id=account_id),
                called("e2", "bo", account_id=account_id),
                called("e3", "cy", account_id=account_id),
                void("v1", "e2", account_id=account_id),
                created("e4", "cy", "standard", account_id=account_id),
            )
        for many in (1, 2, 5, 64):
            monkeypatch.setattr(module, "_ACCOUNTS", many)
            rows = billing.peaks(ledger, first="2026-01", last="2026-01")
            assert [(account_id, 1) for account_id in accounts] == list(zip(rows.account_id, rows.peak, strict=True))

    def test_moments_are_whole_numbers_in_five_columns(self, ledger: Ledger) -> None:
        """What a database gives is what the walk takes, without names in between."""
        send(ledger, connected("e1", "ada", "2026-01-05"), created("e2", "ada", "standard"))
        send(ledger, deleted("e3", "bo", "2026-01-06"))
        expected = [[1, 1, 0, at("2026-01-05"), 1], [1, 2, 2, at("2026-01-06"), 3]]
        spans = [Span(1, at("2026-01-01"), at("2026-02-01")), Span(2, at("2026-01-01"), at("2026-02-01"))]
        for found in (ledger.database.moments(spans, 3), ledger.database.moments(None, 3)):
            assert ("int64", expected) == (str(found.dtype), found.tolist())
        assert (0, len(MOMENT)) == ledger.database.moments([], 3).shape == ledger.database.moments(spans[1:], 3).shape
        assert expected[:1] == ledger.database.moments(spans, 2).tolist()

    def test_codes_of_names_are_dense_and_in_order_of_appearance(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They index arrays; a code that was handed out in vain would be a hole in each."""
        send(ledger, called("e1", "ada", action="like"), called("e2", "bo", account_id="bolt", action="visit"))
        with monkeypatch.context() as patched:
            patched.setattr(ledger.database, "insert", _interrupted_at(ledger, "document"))
            with pytest.raises(Interrupted):
                send(ledger, called("e3", "cy", account_id="cargo", action="message"), called("e1", "eve"))
        send(ledger, called("e3", "di", account_id="delta", action="follow"), called("e1", "eve"))
        send(ledger, called("e4", "ada", account_id="bolt", action="like"), called("e4", "cy"))
        tables = everything(ledger)
        accounts = [(1, "acme", 1, 2), (2, "bolt", 2, 2), (3, "delta", 3, 1)]
        identities = [(1, 1, "ada"), (2, 2, "bo"), (3, 3, "di"), (4, 2, "ada"), (5, 1, "cy")]
        assert (accounts, identities) == (tables["account"], tables["identity"])
        assert [(1, "like"), (2, "visit"), (3, "follow")] == tables["action"]
        assert ["acme", "bolt", "delta"] == ledger.read().names.accounts.to_pylist()


class KeptLedgerContract(LedgerContract):
    """What a ledger promises besides that is there when it is opened again."""

    @pytest.fixture
    def again(self, ledger: Ledger) -> Iterator[Ledger]:
        """The same ledger, opened a second time."""
        raise NotImplementedError

    def test_who_has_it_open_sees_what_others_add(self, ledger: Ledger, again: Ledger) -> None:
        """Codes and positions that were looked up before hold, and new ones are found."""
        for k, each in enumerate([ledger, again, ledger, again], start=1):
            send(each, called(f"e{k}", f"id{k % 3}", account_id="acme" if k % 2 else f"bolt{k}"))
        assert ledger.head() == again.head()
        assert ["e1", "e2", "e3", "e4"] == happened(ledger) == happened(again)
        assert billing.Tally(4, 0, 4, 0) == billing.append(again, ledger).tally

    def test_numbers_go_on_where_others_stopped(self, ledger: Ledger, again: Ledger) -> None:
        """However many programs issue."""
        issued = [issue(each, paper("invoice", f"account{k}")) for k, each in enumerate([ledger, again, ledger])]
        assert ["INV-000001", "INV-000002", "INV-000003"] == [document.number for (document,) in issued]


class TestSqliteLedger(KeptLedgerContract):
    """SQLite in a file."""

    @pytest.fixture
    def addresses(self, tmp_path: Path) -> Iterator[str]:
        return (f"sqlite:///{tmp_path}/{k}.db" for k in count(1))

    @pytest.fixture
    def again(self, ledger: Ledger) -> Iterator[Ledger]:
        with closing(billing.open_ledger(f"sqlite:///{ledger.name}", create=False)) as opened:
            yield opened

    def test_a_backup_is_the_ledger_at_one_moment(self, ledger: Ledger, tmp_path: Path) -> None:
        """All of it: also documents, conflicts and terms, which an export leaves out."""
        send(ledger, called("e1", "ada"), called("e1", "bo"))
        issue(ledger, paper("terms", None), paper("invoice"))
        noted, held = ledger.head(), everything(ledger)
        assert noted == engine.backup(ledger, f"{tmp_path}/copy.db")
        send(ledger, called("e2", "ada"))
        with closing(billing.open_ledger(f"sqlite:///{tmp_path}/copy.db", create=False)) as copy:
            assert (noted, held) == (copy.head(), everything(copy))
            send(copy, called("e3", "ada"))  # it is a ledger of its own
        assert ["e1", "e2"] == ids(ledger)
        assert ["copy.db"] == [path.name for path in tmp_path.glob("copy.db*")]

    def test_a_backup_overwrites_nothing(self, ledger: Ledger, tmp_path: Path) -> None:
        """The file of that name may be the last good copy."""
        (tmp_path / "copy.db").write_text("precious")
        with pytest.raises(billing.BadLedger) as refused:
            engine.backup(ledger, f"{tmp_path}/copy.db")
        assert ("ledger_exists", "precious") == (refused.value.code, (tmp_path / "copy.db").read_text())


class TestMemoryLedger(LedgerContract):
    """SQLite in memory."""

    @pytest.fixture
    def addresses(self) -> Iterator[str]:
        return repeat("sqlite:///:memory:")

    @pytest.mark.parametrize("ending", ["csv.gz", "csv.zst", "jsonl", "jsonl.gz", "jsonl.zst", "parquet"])
    def test_every_kind_of_export_makes_the_same_ledger_again(self, make: Make, ending: str, tmp_path: Path) -> None:
        """What is written does not depend on the database, so each kind is tried with one."""
        _exported_and_again(make, tmp_path, ending)

    def test_two_of_them_have_nothing_to_do_with_each_other(self, make: Make) -> None:
        """They are kept nowhere, so not in one place either."""
        one, other = make(), make()
        send(one, called("e1", "ada"))
        assert (1, 0) == (one.head().position, other.head().position)


class TestPostgresLedger(KeptLedgerContract):
    """PostgreSQL, each ledger in a schema of its own."""

    @pytest.fixture
    def addresses(self, postgres: Server) -> Iterator[Iterator[str]]:
        schemas: list[str] = []

        def fresh() -> Iterator[str]:
            while True:
                schemas.append(f"ledger_{uuid4().hex}")
                yield postgres.url(schemas[-1])

        yield fresh()
        if isinstance(postgres, Elsewhere):  # our own is thrown away as a whole, which takes less time
            with closing(psycopg.connect(postgres.url(), autocommit=True)) as connection:
                for schema in schemas:
                    connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())

    @pytest.fixture
    def again(self, ledger: Ledger) -> Iterator[Ledger]:
        with closing(billing.open_ledger(ledger.name, create=False)) as opened:
            yield opened

    def test_it_is_backed_up_by_its_own_means(self, ledger: Ledger, tmp_path: Path) -> None:
        """A copy that we made would be of a moment that the server knows nothing of."""
        with pytest.raises(billing.BadLedger) as refused:
            engine.backup(ledger, f"{tmp_path}/copy.db")
        assert ("backup_elsewhere", []) == (refused.value.code, list(tmp_path.iterdir()))


def _exported_and_again(make: Make, folder: Path, ending: str) -> None:
    """Export a ledger of nasty ids and a conflict, and import it into an empty one."""
    ledger, again, file = make(), make(), str(folder / f"export.{ending}")
    assert () == send(ledger, *_nasty()).rejections
    send(ledger, called(NASTY[0], "another", account_id=NASTY[0]))  # a conflict, which takes a position
    send(ledger, called("e1", "ada", "2000-01-01", results=0, mode="auto", identity_type="standard"))
    send(ledger, called("e2", "ada", "2199-12-31T23:59:59.999999Z"), now="2026-02-01T09:00:00.000001")
    noted = ledger.head()
    assert noted == engine.export(ledger, file)
    receipt = billing.append(again, file, strict=True, now=utc("2026-03-01"))
    assert (noted.digest, len(_nasty()) + 2) == (receipt.head.digest, receipt.tally.accepted)
    assert [entry[1:] for entry in entries(ledger)] == [entry[1:] for entry in entries(again)]
    assert [f"export.{ending}"] == [path.name for path in folder.glob("export*")]


def _nasty() -> list[Row]:
    """Every nasty id as that of everything that has one, and named by a void."""
    rows = [
        (
            called(name, name, account_id=name, action=name),
            void(f"v{k}", name, account_id=name),
        )
        for k, name in enumerate(NASTY)
    ]
    return [row for pair in rows for row in pair]


def _plan(name: str) -> billing.Plan:
    return billing.Plan(id=name, currency="USD", mode="volume", tiers=(billing.Tier(unit_price=Decimal("7.99")),))


def _read(ledger: Ledger, position: int | None) -> tuple[Any, ...]:
    """All that is read at a position."""
    events = ledger.read(position=position, ids=True)
    return (
        events.names.accounts.to_pylist(),
        events.names.identities.to_pylist(),
        events.names.standard.tolist(),
        events.accepted.tolist(),
        named(events),
        events.columns.instants.tolist(),
        events.digest,
        events.position,
    )


def _did(
    ledger: Ledger, span_of: Callable[[str], tuple[int, int] | None] | None = None, position: int | None = None
) -> dict[str, tuple[str | None, int, bool]]:
    """What each event that a ledger reads did, by its id."""
    events = ledger.read(span_of, position=position, ids=True, details=True)
    did = events.details
    assert did is not None and events.event_ids is not None
    actions = [None if code < 0 else did.names[code].as_py() for code in did.actions.tolist()]
    told = zip(actions, did.results.tolist(), did.managed.tolist(), strict=True)
    return dict(zip(events.event_ids.to_pylist(), told, strict=True))


def _sealed_by_hand(values: list[Any]) -> bytes:
    """Values as README says that they are sealed: their kind, their length in 8 bytes, and themselves."""
    sealed = b""
    for value in values:
        text = str(value).encode()
        kind = b"i" if isinstance(value, int) else b"s"
        sealed += b"n" if value is None else kind + len(text).to_bytes(8, "big") + text
    return sealed


def _interrupted_at(ledger: Ledger, table: str, *, time: int = 1) -> Callable[[str, Any], None]:
    """The database's `insert`, interrupted once it has written to a table so many times."""
    really, times = ledger.database.insert, count(1)

    def insert(into: str, rows: Any) -> None:
        really(into, rows)
        if into == table and next(times) == time:
            raise Interrupted

    return insert


def _spy(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The instants of the moments that each reading gets from the database, while it goes on."""
    touched: list[list[int]] = []
    really = ledger.database.moments

    def moments(spans: Any, until: int) -> Any:
        found = really(spans, until)
        touched.append(found[:, MOMENT.index("occurred_at")].tolist())
        return found

    monkeypatch.setattr(ledger.database, "moments", moments)
    return touched
