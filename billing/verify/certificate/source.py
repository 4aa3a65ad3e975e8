"""What a source holds of the account of a certificate: its events, and whether a digest is theirs.

The source may be a ledger, an export of one, or any file of events. Of a ledger, and of an export in
which the digest is found again, what came after the position that the certificate names is left out:
nobody knew of it then.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from ...core.digests import BEGINNING, chain_digests, encode_rows
from ...core.event import Batch, Names
from ...inputs import source as sources
from ...inputs.rows import ReadOptions
from ...ledger.ledger import Ledger
from ..audit.events import event_of
from .check import Held
from .document import Certificate

#: How many rows are sealed at a time.
_PART: Final = 100_000
#: In place of the code of an account that has no event.
_UNKNOWN: Final = -1


def held(source: Any, certificate: Certificate, options: ReadOptions | None = None) -> Held:
    """What a path, a table or an open ledger holds of the account of a certificate.

    Raises `BadSource` for a source that cannot be used, and `Refused` where reading is strict.
    """
    if isinstance(source, Ledger):
        return _in_ledger(source, certificate)
    encoder, batches = sources.read_batches(source, options or ReadOptions())
    rows = Batch.concat(batches)
    names = encoder.names(np.zeros(encoder.identity_count, np.bool_))
    count, seal, told = _found(rows, names, certificate)
    known = certificate.account_id in names.account_names
    code = names.code_of(certificate.account_id) if known else _UNKNOWN
    own = rows.take(np.flatnonzero(rows.accounts[:count] == code))
    contents = zip(*(column.to_pylist() for column in own.contents(names)), strict=True)
    return Held(tuple(map(event_of, contents)), seal, told)


def _in_ledger(ledger: Ledger, certificate: Certificate) -> Held:
    position, last = certificate.position, ledger.head().position
    seal, told = None, "It names no digest."
    if position is not None and position > last:
        position, seal, told = None, False, f"the ledger ends at position {last:,}"
    elif position is not None and certificate.digest is not None:
        digest = ledger.head(position=position).digest
        seal = digest == certificate.digest
        told = f"the digest of the ledger at position {position:,} is {digest}"
        if seal:
            told = f"The digest that it names is that of the ledger at position {position:,}."
    pages = ledger.entries(until=position, account_id=certificate.account_id)
    return Held(tuple(event_of(entry.content) for page in pages for entry in page), seal, told)


def _found(rows: Batch, names: Names, certificate: Certificate) -> tuple[int, bool | None, str]:
    """How many rows the ledger held at the position of a certificate, whether it did, and that in words."""
    if certificate.digest is None or certificate.position is None:
        return len(rows), None, "It names no digest."
    unchecked = "The digest that it names was not checked: "
    known = [rows.content.get(name) for name in ("event_id", "recorded_at")]
    if any(column is None or column.null_count for column in known):
        return len(rows), None, f"{unchecked}it is over events with an event_id and a recorded_at, as exports have."
    if (count := _sealing(rows, names, certificate.digest)) is not None:
        if count <= certificate.position:
            told = f"The digest that it names is that of the first {count:,} events of the export."
            return count, True, told
        return count, False, f"it seals {count:,} events, more than there are positions up to {certificate.position:,}"
    if len(np.unique(rows.accounts)) < 2 and len(rows) != certificate.position:
        return len(rows), None, f"{unchecked}it is over the events of all accounts, and the export has those of one."
    if not _as_exported(rows):
        return len(rows), None, f"{unchecked}it is over events in the order of the ledger, each once."
    return len(rows), False, "no beginning of the export has it"


def _sealing(rows: Batch, names: Names, digest: str) -> int | None:
    """How many rows, from the first on, have a digest; none if it is that of no beginning."""
    wanted, before = bytes.fromhex(digest), BEGINNING
    for first in range(0, len(rows), _PART):
        part = rows.take(np.arange(first, min(first + _PART, len(rows))))
        digests = chain_digests(before, encode_rows([*part.contents(names), part.content["recorded_at"]]))
        if wanted in digests:
            return first + digests.index(wanted) + 1
        before = digests[-1]
    return None


def _as_exported(rows: Batch) -> bool:
    """Whether each event is there once, and none after one that was recorded later."""
    recorded = rows.content["recorded_at"].to_numpy()
    ids = rows.content["event_id"].dictionary_encode().indices.to_numpy()
    keys = rows.accounts.astype(np.int64) << 32 | ids
    return bool((recorded[1:] >= recorded[:-1]).all()) and len(np.unique(keys)) == len(rows)
