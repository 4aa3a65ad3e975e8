"""The events to check a certificate with, and whether the digest that it names is theirs.

The source may be a ledger, an export of one, or any file of events. If it has the digest of the
certificate, or is a ledger, events after the position that the certificate names are left out: they
were not known then.
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
from .check import CertificateSource
from .document import Certificate

#: How many rows are hashed at a time.
_PART: Final = 100_000
#: The code of an account that has no event.
_UNKNOWN: Final = -1


def read_source(source: Any, certificate: Certificate, options: ReadOptions | None = None) -> CertificateSource:
    """The events of a certificate's account in a path, a table or an open ledger.

    Raises `BadSource` for a source that cannot be used, and `Refused` if reading is strict.
    """
    if isinstance(source, Ledger):
        return _read_ledger(source, certificate)
    encoder, batches = sources.read_batches(source, options or ReadOptions())
    rows = Batch.concat(batches)
    names = encoder.names(np.zeros(encoder.identity_count, np.bool_))
    count, matches, digest_note = _find_digest(rows, names, certificate)
    known = certificate.account_id in names.account_names
    code = names.code_of(certificate.account_id) if known else _UNKNOWN
    own = rows.take(np.flatnonzero(rows.accounts[:count] == code))
    contents = zip(*(column.to_pylist() for column in own.contents(names)), strict=True)
    return CertificateSource(tuple(map(event_of, contents)), matches, digest_note)


def _read_ledger(ledger: Ledger, certificate: Certificate) -> CertificateSource:
    position, last = certificate.position, ledger.head().position
    matches, digest_note = None, "It names no digest."
    if position is not None and position > last:
        position, matches, digest_note = None, False, f"the ledger ends at position {last:,}"
    elif position is not None and certificate.digest is not None:
        digest = ledger.head(position=position).digest
        matches = digest == certificate.digest
        digest_note = f"the digest of the ledger at position {position:,} is {digest}"
        if matches:
            digest_note = f"The digest that it names is that of the ledger at position {position:,}."
    pages = ledger.entries(until=position, account_id=certificate.account_id)
    events = tuple(event_of(entry.content) for page in pages for entry in page)
    return CertificateSource(events, matches, digest_note)


def _find_digest(rows: Batch, names: Names, certificate: Certificate) -> tuple[int, bool | None, str]:
    """How many rows the ledger had at a certificate's position, whether the digest is theirs, and that in words."""
    if certificate.digest is None or certificate.position is None:
        return len(rows), None, "It names no digest."
    unchecked = "The digest that it names was not checked: "
    known = [rows.content.get(name) for name in ("event_id", "recorded_at")]
    if any(column is None or column.null_count for column in known):
        return len(rows), None, f"{unchecked}it is over events with an event_id and a recorded_at, as exports have."
    if (count := _rows_with_digest(rows, names, certificate.digest)) is not None:
        if count <= certificate.position:
            return count, True, f"The digest that it names is that of the first {count:,} events of the export."
        return count, False, f"it seals {count:,} events, more than there are positions up to {certificate.position:,}"
    if len(np.unique(rows.accounts)) < 2 and len(rows) != certificate.position:
        return len(rows), None, f"{unchecked}it is over the events of all accounts, and the export has those of one."
    if not _in_ledger_order(rows):
        return len(rows), None, f"{unchecked}it is over events in the order of the ledger, each once."
    return len(rows), False, "no beginning of the export has it"


def _rows_with_digest(rows: Batch, names: Names, digest: str) -> int | None:
    """How many rows, from the first on, have this digest together; none if no number of rows has it."""
    wanted, before = bytes.fromhex(digest), BEGINNING
    for first in range(0, len(rows), _PART):
        part = rows.take(np.arange(first, min(first + _PART, len(rows))))
        digests = chain_digests(before, encode_rows([*part.contents(names), part.content["recorded_at"]]))
        if wanted in digests:
            return first + digests.index(wanted) + 1
        before = digests[-1]
    return None


def _in_ledger_order(rows: Batch) -> bool:
    """True if each event is there once, in the order in which they were recorded."""
    recorded = rows.content["recorded_at"].to_numpy()
    ids = rows.content["event_id"].dictionary_encode().indices.to_numpy()
    keys = rows.accounts.astype(np.int64) << 32 | ids
    return bool((recorded[1:] >= recorded[:-1]).all()) and len(np.unique(keys)) == len(rows)
