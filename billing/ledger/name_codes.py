"""The integer codes that names are stored under in a ledger, assigned in order of first appearance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.event import Int64
from .database import ACCOUNT_CODE, ACTION_CODE, IDENTITY_CODE, Database, Lookup, Row


class NameCodes:
    """The codes of accounts, identities and actions; each is looked up once, since it never changes."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._known: dict[Lookup, dict[Row, int]] = {what: {} for what in (ACCOUNT_CODE, IDENTITY_CODE, ACTION_CODE)}

    def of(self, what: Lookup, keys: Sequence[Row]) -> dict[Row, int]:
        """The codes known so far, among them those of all `keys` that have one."""
        known = self._known[what]
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        if unknown:
            found = zip(unknown, self._db.look_up(what, unknown), strict=True)
            known.update({key: code for key, code in found if code is not None})
        return known

    def assign(
        self, what: Lookup, groups: NDArray[np.integer], key_of: Callable[[int], Row]
    ) -> tuple[Int64, list[tuple[int, Row, int]]]:
        """The code of each row, and the codes that are new, each with its key and the first row that has it.

        Rows of one name have one number in `groups`; `key_of` gives the name of a row.
        """
        unique, first, positions = np.unique(groups, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rows = first[order].tolist()
        keys = [key_of(row) for row in rows]
        known = self.of(what, keys)
        fresh = [(key, row) for key, row in zip(keys, rows, strict=True) if key not in known]
        last = self._db.rows(f"SELECT coalesce(max(code), 0) FROM {what.table}")[0][0] if fresh else 0
        new = [(code, key, row) for code, (key, row) in enumerate(fresh, start=last + 1)]
        known.update({key: code for code, key, _ in new})
        table = np.empty(len(unique), np.int64)
        table[order] = [known[key] for key in keys]
        return table[positions], new

    def forget(self) -> None:
        """Forget all codes, since those handed out in a transaction that was undone are not in the ledger."""
        for known in self._known.values():
            known.clear()
