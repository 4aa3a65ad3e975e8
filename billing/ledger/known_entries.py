"""The entries that a ledger has already, as far as new events are compared with them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from ..core.event import CONTENT, CREATED, TYPES
from .admission import Content
from .database import ACCOUNT_CODE, EVENT_POSITION, IDENTITY_CODE, Database
from .name_codes import NameCodes
from .records import ENTRY, entry_of, json_of

_ACCOUNT: Final = CONTENT.index("account_id")
_IDENTITY: Final = CONTENT.index("identity_id")
_TYPE: Final = CONTENT.index("type")
#: The code of an account that is not in the ledger.
_UNKNOWN: Final = 0
#: Entries this near each other are read together.
_NEAR: Final = 64


class KnownEntries:
    """Look-ups in the entries of a ledger, made within the transaction that adds new ones."""

    def __init__(
        self, database: Database, codes: NameCodes, contents: Sequence[Content], stored: Sequence[int | None]
    ) -> None:
        self._db = database
        self._contents = _contents_at(database, [position for position in stored if position is not None])
        # Looked up together, since most identities that are created are new.
        known = codes.of(ACCOUNT_CODE, [(content[_ACCOUNT],) for content in contents])
        self._accounts = {content[_ACCOUNT]: known.get((content[_ACCOUNT],), _UNKNOWN) for content in contents}
        created = [content for content in contents if content[_TYPE] == TYPES[CREATED]]
        pairs = [(self._accounts[content[_ACCOUNT]], content[_IDENTITY]) for content in created]
        self._identities = codes.of(IDENTITY_CODE, pairs)
        self._voids: dict[str, set[str]] = {}

    def position(self, account_id: str, event_id: str) -> int | None:
        """The position of the entry with this id, if there is one."""
        (position,) = self._db.look_up(EVENT_POSITION, [(self._accounts[account_id], event_id)])
        return None if position is None else int(position)

    def content(self, position: int) -> Content:
        """What the entry at a position says."""
        if position not in self._contents:
            self._contents |= _contents_at(self._db, [position])
        return self._contents[position]

    def creations(self, account_id: str, identity_id: str) -> list[tuple[int, str, str]]:
        """The position, event id and identity type of each `identity.created` of an identity."""
        account = self._accounts[account_id]
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
            account = self._accounts[account_id]
            sql = "SELECT voids FROM entry WHERE type = 4 AND account = ?"
            self._voids[account_id] = {voids for (voids,) in self._db.rows(sql, account)} if account else set()
        return event_id in self._voids[account_id]

    def conflict(self, content: dict[str, Any]) -> bool:
        """Whether this conflict is in the ledger already."""
        return bool(self._db.rows("SELECT 1 FROM document WHERE kind = 'conflict' AND content = ?", json_of(content)))


def _contents_at(database: Database, positions: Sequence[int]) -> dict[int, Content]:
    """What the entries at some positions say; those that are near each other are read together."""
    wanted = sorted(set(positions))
    if not wanted:
        return {}
    starts = [0, *(k for k, (a, b) in enumerate(pairwise(wanted), start=1) if b - a > _NEAR), len(wanted)]
    found = {}
    for first, end in pairwise(starts):
        sql = f"{ENTRY}WHERE e.position BETWEEN ? AND ?"
        for row in database.rows(sql, wanted[first], wanted[end - 1]):
            found[row[0]] = entry_of(row).content
    return found
