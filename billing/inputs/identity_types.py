"""Identity types: which identities are standard ones, and events that contradict an earlier type."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..core.errors import Rejection, quoted
from ..core.event import IDENTITY_TYPES, Bool, Int8, Int32, Places


class IdentityTypes:
    """The type of each identity, from its first `identity.created`."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int]] = {}  # identity -> its type and the row that set it

    def learn(self, identities: Int32, standard: Int8, rows: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
        """Take `identity.created` rows in order; yield each that contradicts an earlier one, and that earlier one."""
        # The first row of each identity and type decides; the others only repeat it.
        pairs = identities.astype(np.int64) << 1 | standard
        first = np.unique(pairs, return_index=True)[1]
        contradicted = {}
        for k in np.sort(first).tolist():
            identity, kind = int(identities[k]), int(standard[k])
            known = self._known.setdefault(identity, (kind, int(rows[k])))
            if known[0] != kind:
                contradicted[identity << 1 | kind] = known[1]
        if contradicted:
            for k in np.flatnonzero(np.isin(pairs, list(contradicted))).tolist():
                yield int(rows[k]), contradicted[int(pairs[k])]

    def find_standard(self, count: int) -> Bool:
        """For each of `count` identities, true if it is a standard one."""
        mask = np.zeros(count, np.bool_)
        mask[[identity for identity, (kind, _) in self._known.items() if kind]] = True
        return mask


def reject_type(places: Places, row: int, first: int, identity: str, standard: int) -> Rejection:
    """The rejection of an `identity.created` whose type contradicts that of row `first`."""
    details = {
        "field": "identity_type",
        "got": IDENTITY_TYPES[standard],
        "first": "{}:{}".format(*places.of(first)),
        "identity": quoted(identity),
        "differs": IDENTITY_TYPES[1 - standard],
    }
    return Rejection("identity_type_conflict", *places.of(row), details)
