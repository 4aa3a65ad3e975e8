"""The ledger: append-only storage of events, and of what was issued for them.

It loses nothing it has acknowledged, takes the same event any number of times, and keeps who knew
what when: whatever is read at a position is what was read there at any time before. Five methods do
the work (`append`, `read`, `head`, `issue`, `documents`); where the rows live is the database's
business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ..core.cycle import text_of
from ..core.errors import BadLedger, StaleLedger
from ..core.event import CONTENT, CREATED, DAY, TYPES, Batch, Columns, Events, Int64, Names, Tally
from ..core.seal import BEGINNING, sealed, written, written_rows
from .arrival import Content, Decision, decide
from .database import (
    ACCOUNT_CODE,
    ACTION_CODE,
    EVENT_ID,
    EVENT_POSITION,
    IDENTITY_CODE,
    IDENTITY_NAME,
    Database,
    Lookup,
    Row,
    Span,
)
from .entry import SERIES, Document, Entry, Head, Kind, Paper, Receipt

#: A clock may be this far ahead of ours: five minutes.
SKEW_MAX: Final = DAY // 288
#: How many entries are read at a time.
_PAGE: Final = 20_000
#: Entries this near each other are read together.
_NEAR: Final = 64
_FOREVER: Final = np.iinfo(np.int64).max

_ENTRY: Final = (
    "SELECT e.position, e.recorded_at, a.name, i.name, e.type, e.occurred_at, e.event_id, e.identity_type, "
    "x.name, e.results, e.mode, e.voids, e.digest FROM entry e LEFT JOIN account a ON a.code = e.account "
    "LEFT JOIN identity i ON i.code = e.identity LEFT JOIN action x ON x.code = e.action "
)
_DOCUMENT: Final = "SELECT position, recorded_at, kind, number, account_id, cycle_start, content, digest FROM document "

_ACCOUNT: Final = CONTENT.index("account_id")
_IDENTITY: Final = CONTENT.index("identity_id")
_TYPE: Final = CONTENT.index("type")
_EVENT_ID: Final = CONTENT.index("event_id")


class Ledger:
    """A ledger in a database. Raises `BadLedger` for what the database cannot do, or should not."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._codes: dict[Lookup, dict[Row, int]] = {what: {} for what in (ACCOUNT_CODE, IDENTITY_CODE, ACTION_CODE)}

    @property
    def name(self) -> str:
        """How messages name it."""
        return self._db.name

    @property
    def database(self) -> Database:
        """Where its rows live."""
        return self._db

    def close(self) -> None:
        """Let go of it."""
        self._db.close()

    # What is put in

    def append(self, batch: Batch, names: Names, *, now: int) -> Receipt:
        """Add events, all of them in one step: after an error none is there, or it may be that all are.

        Events with a `recorded_at` keep it, the others are recorded `now` (microseconds), or with the
        last entry if the clock went back. Appending the same events again is safe, and adds nothing.
        """
        columns = batch.contents(names)
        contents: list[Content] = list(zip(*(column.to_pylist() for column in columns), strict=True))
        try:
            with self._db.writing():
                head, digests = self._head(None), self._digests(None)
                times = self._recorded(batch, max(now, head.recorded_at or 0))
                stored = self._stored(contents)
                decision = decide(
                    contents,
                    times,
                    stored,
                    batch.place_of,
                    _Known(self, contents, stored),
                    position=head.position,
                    recorded_at=head.recorded_at or 0,
                    future=max(now + SKEW_MAX, head.recorded_at or 0),
                )
                self._add_entries(decision, batch, columns, contents, times, digests[0])
                before = digests[1]
                for conflict in decision.conflicts:
                    before = self._add_document(
                        before, conflict.position, conflict.recorded_at, "conflict", None, conflict.account_id, None,
                        json_of(conflict.content),
                    )  # fmt: skip
                after = self._head(None)
        except BaseException:
            self._forget()
            raise
        rejected = len(decision.rejections)
        tally = Tally(len(batch), len(decision.accepted), decision.duplicates, rejected)
        return Receipt(tally, after, tuple(decision.rejections))

    def issue(self, papers: Sequence[Paper], *, after: str, now: int) -> list[Document]:
        """Add documents, all of them in one step, and number those that are issued, in their order.

        `after` is the `documents_digest` that they were made by: raises `StaleLedger` if documents
        have come since, so that nothing is issued twice. They are dated `now` (microseconds), or like
        the last entry if the clock lags a little; raises `BadLedger` (`issued_at_backwards`) if `now`
        lies well before it.
        """
        with self._db.writing():
            head, before = self._head(None), self._digests(None)[1]
            if head.documents_digest != after:
                raise StaleLedger("documents_stale", self.name)
            last = head.recorded_at or 0
            if now < last - SKEW_MAX:
                raise BadLedger("issued_at_backwards", self.name, got=text_of(now), last=text_of(last))
            now = max(now, last)
            numbers = {series: self._issued(series) for series in set(SERIES.values())}
            position = head.position
            for paper in papers:
                position += 1
                number = None
                content = paper.content
                if paper.kind in SERIES:
                    series = SERIES[paper.kind]
                    numbers[series] += 1
                    number = f"{series}-{numbers[series]:06}"
                    content = content | {"number": number, "issued_at": text_of(now)}
                before = self._add_document(
                    before, position, now, paper.kind, number, paper.account_id, paper.cycle_start, json_of(content)
                )
            return self._documents("WHERE position > ? ORDER BY position", head.position)

    # What is there

    def head(self, *, position: int | None = None, known_at: int | None = None) -> Head:
        """The end of the ledger, or of what it held at a position, or knew at an instant (both inclusive).

        Raises `BadLedger` (`position_ahead`) for a position that is not there yet.
        """
        with self._db.reading():
            if known_at is not None:
                position = self._known_at(known_at)
            elif position is not None and not 0 <= position <= (last := self._last()):
                raise BadLedger("position_ahead", self.name, got=position, last=last)
            return self._head(position)

    def read(
        self,
        span_of: Callable[[str], tuple[int, int] | None] | None = None,
        *,
        position: int | None = None,
        ids: bool = False,
    ) -> Events:
        """Connects, actions and deletions as they were known at a position, mistakes taken out.

        `span_of` says for an account which instants are wanted, `[start, end)` in microseconds, or
        none; without it all of all accounts are. Only these are touched, beside the types and voids
        of the accounts, which are few. `names.accounts` are all accounts that had an entry by then,
        `accepted` how many each; with `ids`, `event_ids` names each event.
        """
        with self._db.reading():
            until = self._last() if position is None else position
            accounts, accepted = self._accounts(until)
            wanted = None
            if span_of is not None:
                spans = ((code, span_of(name)) for code, name in enumerate(accounts, start=1))
                wanted = [Span(code, *span) for code, span in spans if span is not None]
            found = self._db.moments(wanted, until)
            voided = self._voided(wanted, until)
            if len(voided):
                found = found[~np.isin(found[:, 4], voided)]
            identities, places = np.unique(found[:, 1], return_inverse=True)
            owners = np.zeros(len(identities), np.int32)
            owners[places] = found[:, 0] - 1
            names = Names(
                accounts=pa.array(accounts, pa.string()),
                identities=pa.array(self._db.look_up(IDENTITY_NAME, [(int(i),) for i in identities]), pa.string()),
                account_of=owners,
                standard=np.isin(identities, self._standard(wanted, until, voided)),
            )
            event_ids = self._db.look_up(EVENT_ID, [(int(p),) for p in found[:, 4]]) if ids else None
            digest = self._digests(until)[0].hex()
        count = int(accepted.sum())
        return Events(
            names=names,
            columns=Columns(places.astype(np.int32), found[:, 2].astype(np.int8), np.ascontiguousarray(found[:, 3])),
            accepted=accepted,
            tally=Tally(count, count, 0, 0),
            event_ids=None if event_ids is None else pa.array(event_ids, pa.string()),
            digest=digest,
            position=until,
        )

    def documents(self, *kinds: Kind, account_id: str | None = None, position: int | None = None) -> list[Document]:
        """Documents in order of position: of these kinds, or all; of an account; up to a position."""
        conditions, values = ["position <= ?"], [_FOREVER if position is None else position]
        if kinds:
            conditions.append(f"kind IN ({', '.join('?' * len(kinds))})")
            values += kinds  # type: ignore[arg-type]
        if account_id is not None:
            conditions.append("account_id = ?")
            values.append(account_id)  # type: ignore[arg-type]
        with self._db.reading():
            return self._documents(f"WHERE {' AND '.join(conditions)} ORDER BY position", *values)

    def entries(
        self, *, after: int = 0, until: int | None = None, account_id: str | None = None
    ) -> Iterator[list[Entry]]:
        """Entries in order of position, some at a time: those after a position, of an account, up to a position."""
        end = self.head().position if until is None else until
        whose, values = ("", []) if account_id is None else ("AND a.name = ? ", [account_id])
        while after < end:
            with self._db.reading():
                rows = self._db.rows(
                    f"{_ENTRY}WHERE e.position > ? AND e.position <= ? {whose}ORDER BY e.position LIMIT {_PAGE}",
                    after, end, *values,
                )  # fmt: skip
            if not rows:
                return
            yield [_entry(row) for row in rows]
            after = rows[-1][0]

    def entry(self, account_id: str, event_id: str) -> Entry | None:
        """The entry of an account with this event id, if there is one."""
        rows = self._db.rows(
            f"{_ENTRY}WHERE e.position = (SELECT o.position FROM once o JOIN account b ON b.code = o.account "
            "WHERE b.name = ? AND o.event_id = ?)",
            account_id, event_id,
        )  # fmt: skip
        return _entry(rows[0]) if rows else None

    def began(self, account_ids: Sequence[str], *, position: int) -> dict[str, int]:
        """When the first event of each account occurred (microseconds), as known at a position.

        An event that was recorded by mistake never happened, and an account of which there are only
        such is left out.
        """
        with self._db.reading():
            codes = self.known_codes(ACCOUNT_CODE, [(account_id,) for account_id in account_ids])
            known = {account_id: codes[account_id,] for account_id in account_ids if (account_id,) in codes}
            voided = self._voided([Span(code, 0, 0) for code in known.values()], position).tolist()
            firsts = {account_id: self._first(code, position, voided) for account_id, code in known.items()}
        return {account_id: first for account_id, first in firsts.items() if first is not None}

    # How

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

    def _digests(self, position: int | None) -> tuple[bytes, bytes]:
        until = _FOREVER if position is None else position
        return self._end_of("entry", until)[2], self._end_of("document", until)[2]

    def _end_of(self, table: str, until: int) -> tuple[int, int, bytes]:
        rows = self._db.rows(
            f"SELECT position, recorded_at, digest FROM {table} WHERE position <= ? ORDER BY position DESC LIMIT 1",
            until,
        )
        return (rows[0][0], rows[0][1], bytes(rows[0][2])) if rows else (0, 0, BEGINNING)

    def _known_at(self, instant: int) -> int:
        """The last position that was recorded by an instant; times never go back, so halving finds it."""
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

    def _voided(self, spans: Sequence[Span] | None, until: int) -> Int64:
        """The positions of the entries that never happened."""
        sql = "SELECT account, event_id, voids FROM entry WHERE type = 4 AND position <= ?"
        voids = self._of_accounts(sql, spans, until)
        own = {(account, event_id) for account, event_id, _ in voids}
        # A void that aims at another void has no effect.
        targets = sorted({(account, target) for account, _, target in voids} - own)
        positions = self._db.look_up(EVENT_POSITION, targets)
        return np.array([p for p in positions if p is not None and p <= until], np.int64)

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
        for first in range(0, len(accounts), _NEAR):
            some = accounts[first : first + _NEAR]
            found += self._db.rows(f"{sql} AND account IN ({', '.join('?' * len(some))})", until, *some)
        return found

    def _stored(self, contents: Sequence[Content]) -> list[int | None]:
        """For each event, the position of the entry that has its id."""
        codes = self.known_codes(ACCOUNT_CODE, [(content[_ACCOUNT],) for content in contents])
        keys = [(codes.get((content[_ACCOUNT],), 0), content[_EVENT_ID]) for content in contents]
        positions: list[int | None] = self._db.look_up(EVENT_POSITION, keys)
        return positions

    def known_codes(self, what: Lookup, keys: Sequence[Row]) -> dict[Row, int]:
        """The codes of those names that have one. A code never changes, so it is asked for once."""
        known = self._codes[what]
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            for key, code in zip(unknown, self._db.look_up(what, unknown), strict=True):
                if code is not None:
                    known[key] = code
        return known

    def _new_codes(self, what: Lookup, keys: Sequence[Row]) -> tuple[dict[Row, int], list[tuple[int, Row]]]:
        """The codes of all names, and those that are new, numbered in order of appearance."""
        known = self.known_codes(what, keys)
        fresh = [key for key in dict.fromkeys(keys) if key not in known]
        last = self._db.rows(f"SELECT coalesce(max(code), 0) FROM {what.table}")[0][0] if fresh else 0
        numbered = list(enumerate(fresh, start=last + 1))
        known.update({key: code for code, key in numbered})
        return known, numbered

    def _forget(self) -> None:
        """Codes that were handed out in what was undone are nobody's."""
        for known in self._codes.values():
            known.clear()

    def _add_entries(
        self,
        decision: Decision,
        batch: Batch,
        columns: Sequence[pa.Array],
        contents: Sequence[Content],
        times: Sequence[int | None],
        before: bytes,
    ) -> None:
        rows = decision.accepted
        if not rows:
            return
        kept = np.array(rows, np.intp)
        recorded = [times[k] for k in rows]
        said = [contents[k] for k in rows]
        taken = [column.take(pa.array(kept)) for column in columns] if len(rows) < len(contents) else columns
        digests = sealed(before, written_rows([*taken, pa.array(recorded, pa.int64())]))
        accounts = self._account_codes(decision, said)
        pairs = [(account, content[1]) for account, content in zip(accounts, said, strict=True)]
        identities, fresh = self._new_codes(IDENTITY_CODE, pairs)
        self._db.insert("identity", [(code, *key) for code, key in fresh])
        actions, fresh = self._new_codes(ACTION_CODE, [(c[6],) for c in said if c[6] is not None])
        self._db.insert("action", [(code, *key) for code, key in fresh])
        self._db.insert(
            "entry",
            [
                (position, when, account, identities[pair], kind, c[3], c[4], c[5],
                 None if c[6] is None else actions[c[6],], c[7], c[8], c[9], digest)
                for position, when, account, pair, kind, c, digest in zip(
                    decision.positions, recorded, accounts, pairs, batch.types[kept].tolist(), said, digests,
                    strict=True,
                )
            ],
        )  # fmt: skip

    def _account_codes(self, decision: Decision, said: Sequence[Content]) -> list[int]:
        """The account code of each entry to be, with new accounts added and all of them counted."""
        first: dict[Row, int] = {}
        counts: dict[Row, int] = {}
        keys = [(content[0],) for content in said]
        for key, position in zip(keys, decision.positions, strict=True):
            first.setdefault(key, position)
            counts[key] = counts.get(key, 0) + 1
        codes, fresh = self._new_codes(ACCOUNT_CODE, keys)
        self._db.insert("account", [(code, *key, first[key], 0) for code, key in fresh])
        for key, count in counts.items():
            self._db.rows("UPDATE account SET events = events + ? WHERE code = ?", count, codes[key])
        return [codes[key] for key in keys]

    def _recorded(self, batch: Batch, now: int) -> list[int | None]:
        given = batch.content.get("recorded_at")
        return [now] * len(batch) if given is None else given.to_pylist()

    def contents_at(self, positions: Sequence[int]) -> dict[int, Content]:
        """What the entries at some positions say; those that are near each other are read together."""
        places = sorted(set(positions))
        if not places:
            return {}
        starts = [0, *(k for k, (a, b) in enumerate(pairwise(places), start=1) if b - a > _NEAR), len(places)]
        found = {}
        for first, end in pairwise(starts):
            sql = f"{_ENTRY}WHERE e.position BETWEEN ? AND ?"
            for row in self._db.rows(sql, places[first], places[end - 1]):
                found[row[0]] = _entry(row).content
        return found

    def _add_document(
        self, before: bytes, position: int, recorded_at: int, kind: Kind, number: str | None,
        account_id: str | None, cycle_start: int | None, content: str,
    ) -> bytes:  # fmt: skip
        row = (position, recorded_at, kind, number, account_id, cycle_start, content)
        (digest,) = sealed(before, [written(row)])
        self._db.insert("document", [(*row, digest)])
        return digest

    def _documents(self, condition: str, *values: Any) -> list[Document]:
        return [_document(row) for row in self._db.rows(_DOCUMENT + condition, *values)]

    def _issued(self, series: str) -> int:
        """How many documents have a number of a series."""
        kinds = [kind for kind, of in SERIES.items() if of == series]
        marks = ", ".join("?" * len(kinds))
        return int(self._db.rows(f"SELECT count(*) FROM document WHERE kind IN ({marks})", *kinds)[0][0])


class _Known:
    """What arriving events are held against, asked for within the transaction that adds them."""

    def __init__(self, ledger: Ledger, contents: Sequence[Content], stored: Sequence[int | None]) -> None:
        self._ledger = ledger
        self._db = ledger.database
        self._contents = ledger.contents_at([position for position in stored if position is not None])
        created = [content for content in contents if content[_TYPE] == TYPES[CREATED]]
        self._accounts = ledger.known_codes(ACCOUNT_CODE, [(content[_ACCOUNT],) for content in created])
        pairs = [(self._account(content[_ACCOUNT]), content[_IDENTITY]) for content in created]
        self._identities = ledger.known_codes(IDENTITY_CODE, pairs)
        self._voids: dict[str, set[str]] = {}

    def position(self, account_id: str, event_id: str) -> int | None:
        """Where the entry with this id is, if there is one."""
        (position,) = self._db.look_up(EVENT_POSITION, [(self._account(account_id), event_id)])
        return None if position is None else int(position)

    def content(self, position: int) -> Content:
        """What the entry at a position says."""
        if position not in self._contents:
            self._contents |= self._ledger.contents_at([position])
        return self._contents[position]

    def creations(self, account_id: str, identity_id: str) -> list[tuple[int, str, str]]:
        """The position, event id and identity type of each `identity.created` of an identity."""
        account = self._account(account_id)
        identity = self._identities.get((account, identity_id))
        if identity is None:
            return []
        return self._db.rows(
            "SELECT position, event_id, identity_type FROM entry WHERE type = 3 AND account = ? "
            "AND identity_type IN ('engagement', 'standard') AND identity = ? ORDER BY position",
            account, identity,
        )  # fmt: skip

    def voided(self, account_id: str, event_id: str) -> bool:
        """Whether an `event.voided` names this event."""
        if account_id not in self._voids:
            found = self._db.rows("SELECT voids FROM entry WHERE type = 4 AND account = ?", self._account(account_id))
            self._voids[account_id] = {voids for (voids,) in found}
        return event_id in self._voids[account_id]

    def conflict(self, content: dict[str, Any]) -> bool:
        """Whether this conflict is in the ledger already."""
        return bool(self._db.rows("SELECT 1 FROM document WHERE kind = 'conflict' AND content = ?", json_of(content)))

    def _account(self, name: str) -> int:
        """The code of an account; 0, which no account has, where it is new."""
        return self._ledger.known_codes(ACCOUNT_CODE, [(name,)]).get((name,), 0)


def json_of(content: dict[str, Any]) -> str:
    """A document as it is kept: one line, keys in their order."""
    return json.dumps(content, ensure_ascii=False)


def _entry(row: Row) -> Entry:
    return Entry._make((*row[:4], TYPES[row[4]], *row[5:12], bytes(row[12])))


def _document(row: Row) -> Document:
    position, recorded_at, kind, number, account_id, cycle_start, content, digest = row
    return Document(position, recorded_at, kind, number, account_id, cycle_start, content, bytes(digest))
