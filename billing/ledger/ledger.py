"""The ledger: append-only storage of events, and of what was issued for them.

It loses nothing it has acknowledged, accepts the same event any number of times, and keeps what was
known when: reading at a position always gives the same. Five methods do the work (`append`, `read`,
`head`, `issue`, `documents`); the rows are stored by a `Database`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..core.cycle import text_of
from ..core.digests import BEGINNING, chain_digests, encode, encode_rows
from ..core.errors import BadLedger, Refused, StaleLedger
from ..core.event import CONTENT, DAY, Batch, Columns, Events, History, Int64, Names, Tally
from . import action_details
from .admission import Conflict, Content, Decision, accept_all, decide
from .database import (
    ACCOUNT_CODE,
    ACTION_CODE,
    EVENT_ID,
    EVENT_POSITION,
    IDENTITY_CODE,
    IDENTITY_NAME,
    RECORDED_AT,
    Database,
    Row,
    Span,
)
from .entry import SERIES, Document, Entry, Head, Kind, Receipt, UnissuedDocument, number_of
from .known_entries import KnownEntries
from .name_codes import NameCodes
from .records import DOCUMENT, ENTRY, document_of, entry_of, json_of

#: How far another clock may be ahead: five minutes.
SKEW_MAX: Final = DAY // 288
#: How many entries are read at a time.
_PAGE: Final = 20_000
#: How many accounts are looked up in one statement.
_ACCOUNTS: Final = 64
_FOREVER: Final = np.iinfo(np.int64).max

_ACCOUNT: Final = CONTENT.index("account_id")
_IDENTITY: Final = CONTENT.index("identity_id")
_TYPE: Final = CONTENT.index("type")
_EVENT_ID: Final = CONTENT.index("event_id")
_ACTION: Final = CONTENT.index("action")


class Ledger:
    """A ledger in a database. Raises `BadLedger` for what the database cannot do, or should not."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._codes = NameCodes(database)

    @property
    def name(self) -> str:
        """The name in messages."""
        return self._db.name

    @property
    def database(self) -> Database:
        """The database that stores the rows."""
        return self._db

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # Writing

    def append(self, batch: Batch, names: Names, *, now: int, strict: bool = False) -> Receipt:
        """Append events in one transaction: after an error either all are in the ledger or none.

        Events with a `recorded_at` keep it; the others are recorded `now` (microseconds), or when the last
        entry was, if the clock went back. Appending the same events again is safe, and adds nothing.
        With `strict`, raises `Refused` at the first rejection, and adds nothing.
        """
        columns = batch.contents(names)
        contents: list[Content] = list(zip(*(column.to_pylist() for column in columns), strict=True))
        try:
            with self._db.writing():
                head = self._head(None)
                recorded_at = head.recorded_at or 0
                times = _times(batch, max(now, recorded_at))
                future = max(now + SKEW_MAX, recorded_at)
                stored = self._stored(contents)
                decision = accept_all(contents, batch.types, times, stored, head.position, recorded_at, future)
                if decision is None:
                    known = KnownEntries(self._db, self._codes, contents, stored)
                    decision = decide(
                        contents, times.to_pylist(), stored, batch.place_of, known,
                        position=head.position, recorded_at=recorded_at, future=future,
                    )  # fmt: skip
                if strict and decision.rejections:
                    raise Refused(decision.rejections[0])
                head = self._add_entries(decision, batch, columns, times, head)
                for conflict in decision.conflicts:
                    head = self._add_document(head, conflict.position, conflict.recorded_at, _document_of(conflict))
        except BaseException:
            self._codes.forget()
            raise
        rejected = len(decision.rejections)
        tally = Tally(len(batch), len(decision.accepted), decision.duplicates, rejected)
        return Receipt(tally, head, tuple(decision.rejections))

    def issue(self, documents: Sequence[UnissuedDocument], *, after: str, now: int) -> list[Document]:
        """Add documents in one transaction, and number those that are issued, in order.

        `after` is the `documents_digest` they are based on: raises `StaleLedger` if documents were added
        since, so that nothing is issued twice. They are dated `now` (microseconds), or when the last entry
        was recorded if the clock is a little behind; raises `BadLedger` (`issued_at_backwards`) if `now` is
        well before it.
        """
        with self._db.writing():
            before = head = self._head(None)
            if head.documents_digest != after:
                raise StaleLedger("documents_stale", self.name)
            last = head.recorded_at or 0
            if now < last - SKEW_MAX:
                raise BadLedger("issued_at_backwards", self.name, got=text_of(now), last=text_of(last))
            issued_at = max(now, last)
            numbers = {series: self._issued(series) for series in set(SERIES.values())}
            for document in documents:
                number = None
                if document.kind in SERIES:
                    series = SERIES[document.kind]
                    numbers[series] += 1
                    number = number_of(series, numbers[series])
                    dated = {"number": number, "issued_at": text_of(issued_at)}
                    document = document._replace(content=document.content | dated)
                head = self._add_document(head, head.position + 1, issued_at, document, number)
            return self._documents("WHERE position > ? ORDER BY position", before.position)

    # Reading

    def head(self, *, position: int | None = None, known_at: int | None = None) -> Head:
        """The head of the ledger, or the head as of a position or an instant (both inclusive).

        With both, the earlier of the two. Raises `BadLedger` (`position_ahead`) for a position after the last.
        """
        with self._db.reading():
            last = self._last()
            if position is not None and not 0 <= position <= last:
                raise BadLedger("position_ahead", self.name, got=position, last=last)
            if known_at is not None:
                position = min(self._known_at(known_at), last if position is None else position)
            return self._head(position)

    def read(
        self,
        span_of: Callable[[str], tuple[int, int] | None] | None = None,
        *,
        position: int | None = None,
        ids: bool = False,
        history: bool = False,
        details: bool = False,
    ) -> Events:
        """Connects, actions and deletions as known at a position, without those that were voided.

        `span_of` gives the instants to read of an account, `[start, end)` in microseconds, or none;
        without it all events are read. Nothing else is read, except the types and voids of these accounts,
        which are few. `names.accounts` are all accounts that had an entry by then, and `accepted` how many
        each has. `ids` reads the ids of events, `history` also what was voided and when everything was
        recorded, and `details` the details of calls.
        """
        with self._db.reading():
            until = self._last() if position is None else position
            accounts, accepted = self._accounts(until)
            required = None
            if span_of is not None:
                spans = ((code, span_of(name)) for code, name in enumerate(accounts, start=1))
                required = [Span(code, *span) for code, span in spans if span is not None]
            found = self._db.moments(required, until)
            voided, voided_at, idle = self._voided(required, until)
            np.subtract.at(accepted, idle - 1, 1)
            back = np.isin(found[:, 4], voided)
            taken_back = found[back] if history else found[:0]
            if len(voided):
                found = found[~back]
            everything = np.concatenate([found, taken_back])
            identities, positions = np.unique(everything[:, 1], return_inverse=True)
            account_of = np.zeros(len(identities), np.int32)
            account_of[positions] = everything[:, 0] - 1
            names = Names(
                accounts=pa.array(accounts, pa.string()),
                identities=pa.array(self._db.look_up(IDENTITY_NAME, [(int(i),) for i in identities]), pa.string()),
                account_of=account_of,
                standard=np.isin(identities, self._standard(required, until, voided)),
            )
            event_ids = self._db.look_up(EVENT_ID, [(int(p),) for p in found[:, 4]]) if ids else None
            columns = _columns(positions, everything)
            past = None
            if history:
                order = np.argsort(voided)
                past = History(
                    recorded=self._recorded(found),
                    voided=columns.part(len(found), len(everything)),
                    voided_since=self._recorded(taken_back),
                    voided_until=voided_at[order][np.searchsorted(voided[order], taken_back[:, 4])],
                    repeats=None,
                )
            of_calls = action_details.details(self._db, required, until, found[:, 4]) if details else None
            digest = self._end_of("entry", until)[2].hex()
        count = int(accepted.sum())
        return Events(
            names=names,
            columns=columns.part(0, len(found)),
            accepted=accepted,
            tally=Tally(count, count, 0, 0),
            event_ids=None if event_ids is None else pa.array(event_ids, pa.string()),
            digest=digest,
            position=until,
            history=past,
            details=of_calls,
        )

    def documents(
        self, *kinds: Kind, account_id: str | None = None, position: int | None = None, since: int | None = None
    ) -> list[Document]:
        """Documents in order of position: of these kinds, or of all; of one account; up to a position.

        With `since` (microseconds), only those of cycles that start then or later.
        """
        conditions: dict[str, list[Any]] = {"position <= ?": [_FOREVER if position is None else position]}
        if kinds:
            conditions[f"kind IN ({', '.join('?' * len(kinds))})"] = [*kinds]
        if account_id is not None:
            conditions["account_id = ?"] = [account_id]
        if since is not None:
            conditions["cycle_start >= ?"] = [since]
        values = [value for some in conditions.values() for value in some]
        with self._db.reading():
            return self._documents(f"WHERE {' AND '.join(conditions)} ORDER BY position", *values)

    def entries(
        self, *, after: int = 0, until: int | None = None, account_id: str | None = None
    ) -> Iterator[list[Entry]]:
        """Entries in order of position, in pages: after one position, up to another, of one account."""
        end = self.head().position if until is None else until
        condition, values = ("", []) if account_id is None else ("AND a.name = ? ", [account_id])
        while after < end:
            with self._db.reading():
                rows = self._db.rows(
                    f"{ENTRY}WHERE e.position > ? AND e.position <= ? {condition}ORDER BY e.position LIMIT {_PAGE}",
                    after, end, *values,
                )  # fmt: skip
            if not rows:
                return
            yield [entry_of(row) for row in rows]
            after = rows[-1][0]

    def entry(self, account_id: str, event_id: str) -> Entry | None:
        """The entry of an account with this event id, if there is one."""
        rows = self._db.rows(
            f"{ENTRY}WHERE e.position = (SELECT o.position FROM once o JOIN account b ON b.code = o.account "
            "WHERE b.name = ? AND o.event_id = ?)",
            account_id, event_id,
        )  # fmt: skip
        return entry_of(rows[0]) if rows else None

    def accounts(self) -> list[str]:
        """The accounts that have an entry, in order of their first one."""
        return [name for (name,) in self._db.rows("SELECT name FROM account ORDER BY code")]

    def first_events(self, account_ids: Sequence[str], *, position: int) -> dict[str, int]:
        """When the first event of each account occurred (microseconds), as known at a position.

        A voided event never happened, so an account that has only voided events is left out.
        """
        with self._db.reading():
            codes = self._codes.of(ACCOUNT_CODE, [(account_id,) for account_id in account_ids])
            known = {account_id: codes[account_id,] for account_id in account_ids if (account_id,) in codes}
            voided = self._voided([Span(code, 0, 0) for code in known.values()], position)[0].tolist()
            firsts = {account_id: self._first(code, position, voided) for account_id, code in known.items()}
        return {account_id: first for account_id, first in firsts.items() if first is not None}

    # Helpers

    def _first(self, account: int, position: int, voided: Sequence[int]) -> int | None:
        moments = self._db.rows(
            "SELECT occurred_at, position FROM moment WHERE account = ? AND position <= ? "
            f"ORDER BY occurred_at, position LIMIT {len(voided) + 1}",
            account, position,
        )  # fmt: skip
        creations = self._db.rows(
            "SELECT occurred_at, position FROM entry WHERE type = 3 AND account = ? AND position <= ?",
            account, position,
        )  # fmt: skip
        return min((at for at, place in [*moments, *creations] if place not in voided), default=None)

    def _last(self) -> int:
        found = self._db.rows(
            "SELECT (SELECT coalesce(max(position), 0) FROM entry), (SELECT coalesce(max(position), 0) FROM document)"
        )
        return int(max(found[0]))

    def _head(self, position: int | None) -> Head:
        until = _FOREVER if position is None else position
        found = [self._end_of(table, until) for table in ("entry", "document")]
        (at, recorded, digest), (document_at, document_recorded, documents_digest) = found
        return Head(
            position=max(at, document_at) if position is None else position,
            digest=digest.hex(),
            documents_digest=documents_digest.hex(),
            recorded_at=max(recorded, document_recorded) or None,
        )

    def _end_of(self, table: str, until: int) -> tuple[int, int, bytes]:
        rows = self._db.rows(
            f"SELECT position, recorded_at, digest FROM {table} WHERE position <= ? ORDER BY position DESC LIMIT 1",
            until,
        )
        if rows and rows[0][2] is None:
            raise BadLedger("ledger_damaged", self.name, detail=f"the last row of {table} has no digest")
        return (rows[0][0], rows[0][1], bytes(rows[0][2])) if rows else (0, 0, BEGINNING)

    def _known_at(self, instant: int) -> int:
        """The last position that was recorded by an instant, by bisection, since times never go back."""
        low, high = 0, self._last()
        while low < high:
            middle = (low + high + 1) // 2
            recorded = max(self._end_of(table, middle)[1] for table in ("entry", "document"))
            low, high = (middle, high) if recorded <= instant else (low, middle - 1)
        return low

    def _accounts(self, until: int) -> tuple[list[str], Int64]:
        """The accounts known at a position, in order of code, and how many entries each had."""
        rows = self._db.rows("SELECT name, events FROM account WHERE position <= ? ORDER BY code", until)
        events = np.array([events for _, events in rows], np.int64)
        since = self._db.rows("SELECT account, count(*) FROM entry WHERE position > ? GROUP BY account", until)
        for code, count in since:
            if code <= len(events):
                events[code - 1] -= count
        return [name for name, _ in rows], events

    def _voided(self, spans: Sequence[Span] | None, until: int) -> tuple[Int64, Int64, Int64]:
        """The positions of voided entries, since when each is voided, and the accounts of voids without effect."""
        sql = "SELECT account, event_id, voids, recorded_at FROM entry WHERE type = 4 AND position <= ?"
        voids = self._of_accounts(sql, spans, until)
        own = {(account, event_id) for account, event_id, _, _ in voids}
        # A void that aims at another void is rejected, or has no effect where that came after it.
        idle = [account for account, _, target, _ in voids if (account, target) in own]
        first: dict[tuple[int, str], int] = {}
        for account, _, target, recorded_at in voids:
            first[account, target] = min(first.get((account, target), recorded_at), recorded_at)
        targets = sorted(first.keys() - own)
        positions = self._db.look_up(EVENT_POSITION, targets)
        voided = [(p, first[key]) for p, key in zip(positions, targets, strict=True) if p is not None and p <= until]
        found = np.array(voided, np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1], np.array(idle, np.int64)

    def _recorded(self, moments: Int64) -> Int64:
        return np.array(self._db.look_up(RECORDED_AT, [(int(p),) for p in moments[:, 4]]), np.int64)

    def _standard(self, spans: Sequence[Span] | None, until: int, voided: Int64) -> Int64:
        """The codes of identities that are never counted."""
        sql = "SELECT identity, position FROM entry WHERE type = 3 AND identity_type = 'standard' AND position <= ?"
        rows = np.array(self._of_accounts(sql, spans, until), np.int64).reshape(-1, 2)
        return np.unique(rows[~np.isin(rows[:, 1], voided), 0])

    def _of_accounts(self, sql: str, spans: Sequence[Span] | None, until: int) -> list[Row]:
        if spans is None:
            return self._db.rows(sql, until)
        accounts = sorted({span.account for span in spans})
        found: list[Row] = []
        for first in range(0, len(accounts), _ACCOUNTS):
            some = accounts[first : first + _ACCOUNTS]
            found += self._db.rows(f"{sql} AND account IN ({', '.join('?' * len(some))})", until, *some)
        return found

    def _stored(self, contents: Sequence[Content]) -> list[int | None]:
        """For each event, the position of the entry that has its id."""
        codes = self._codes.of(ACCOUNT_CODE, [(content[_ACCOUNT],) for content in contents])
        keys = [(codes.get((content[_ACCOUNT],), 0), content[_EVENT_ID]) for content in contents]
        positions: list[int | None] = self._db.look_up(EVENT_POSITION, keys)
        return positions

    def _add_entries(
        self, decision: Decision, batch: Batch, columns: Sequence[pa.Array], times: pa.Array, head: Head
    ) -> Head:
        """Insert the accepted entries, and the names that are new with them. Returns the new head."""
        if not decision.accepted:
            return head
        if len(decision.accepted) < len(batch):
            kept = np.array(decision.accepted, np.intp)
            batch, times = batch.take(kept), times.take(pa.array(kept))
            columns = [column.take(pa.array(kept)) for column in columns]
        digests = chain_digests(bytes.fromhex(head.digest), encode_rows([*columns, times]))
        accounts = self._add_accounts(batch, columns[_ACCOUNT], decision.positions)
        identities, fresh = self._codes.assign(
            IDENTITY_CODE, batch.identities, lambda k: (int(accounts[k]), columns[_IDENTITY][k].as_py())
        )
        self._db.insert("identity", [(code, *key) for code, key, _ in fresh])
        columns = [*columns]
        columns[_ACCOUNT], columns[_IDENTITY] = accounts, identities
        columns[_TYPE] = batch.types
        columns[_ACTION] = self._add_actions(columns[_ACTION])
        values = [column.tolist() for column in columns]
        recorded = times.to_pylist()
        self._db.insert("entry", list(zip(decision.positions, recorded, *values, digests, strict=True)))
        position, last = decision.positions[-1], max(recorded[-1], head.recorded_at or 0)
        return replace(head, position=position, digest=digests[-1].hex(), recorded_at=last)

    def _add_accounts(self, batch: Batch, names: pa.Array, positions: Sequence[int]) -> Int64:
        """The account code of each entry. Inserts new accounts, and counts the entries of all."""
        codes, fresh = self._codes.assign(ACCOUNT_CODE, batch.accounts, lambda k: (names[k].as_py(),))
        self._db.insert("account", [(code, *key, positions[row], 0) for code, key, row in fresh])
        self._db.count(list(zip(*(each.tolist() for each in np.unique(codes, return_counts=True)), strict=True)))
        return codes

    def _add_actions(self, names: pa.Array) -> pa.Array:
        """The code of each action; null where there is none."""
        encoded = names.dictionary_encode()
        used = np.flatnonzero(encoded.is_valid().to_numpy(zero_copy_only=False))
        groups = encoded.indices.fill_null(0).to_numpy()[used]
        codes, fresh = self._codes.assign(ACTION_CODE, groups, lambda k: (names[int(used[k])].as_py(),))
        self._db.insert("action", [(code, *key) for code, key, _ in fresh])
        table = np.zeros(len(names), np.int64)
        table[used] = codes
        return pa.array(table, mask=table == 0)

    def _add_document(
        self, head: Head, position: int, recorded_at: int, document: UnissuedDocument, number: str | None = None
    ) -> Head:
        """Insert a document. Returns the new head."""
        row = (
            position, recorded_at, document.kind, number, document.account_id, document.cycle_start,
            json_of(document.content),
        )  # fmt: skip
        (digest,) = chain_digests(bytes.fromhex(head.documents_digest), [encode(row)])
        self._db.insert("document", [(*row, digest)])
        return replace(
            head,
            position=max(head.position, position),
            documents_digest=digest.hex(),
            recorded_at=max(recorded_at, head.recorded_at or 0),
        )

    def _documents(self, condition: str, *values: Any) -> list[Document]:
        return [document_of(row) for row in self._db.rows(DOCUMENT + condition, *values)]

    def _issued(self, series: str) -> int:
        """How many documents have a number of a series."""
        kinds = [kind for kind, of in SERIES.items() if of == series]
        marks = ", ".join("?" * len(kinds))
        return int(self._db.rows(f"SELECT count(*) FROM document WHERE kind IN ({marks})", *kinds)[0][0])


def _columns(identities: NDArray[np.intp], moments: Int64) -> Columns:
    return Columns(identities.astype(np.int32), moments[:, 2].astype(np.int8), np.ascontiguousarray(moments[:, 3]))


def _times(batch: Batch, now: int) -> pa.Array:
    """When each event was recorded: its `recorded_at`, or `now`."""
    given = batch.content.get("recorded_at")
    return pa.array(np.full(len(batch), now)) if given is None else given.fill_null(now)


def _document_of(conflict: Conflict) -> UnissuedDocument:
    return UnissuedDocument("conflict", conflict.account_id, None, conflict.content)
