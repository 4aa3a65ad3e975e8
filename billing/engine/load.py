"""Events into a ledger and out of it: append, export, backup."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ..core.errors import BadLedger, BadSource, Rejection
from ..core.event import INSTANT_MAX, Batch, Names, Tally
from ..inputs import source as sources
from ..inputs.rows import ReadOptions
from ..ledger.entry import Head, Receipt
from ..ledger.ledger import Ledger
from . import event_files
from .garbage_collection import without_collecting

#: How many events are appended in one transaction.
APPEND_ROWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class IncomingEvents:
    """All events of a source, ready to be appended to a ledger, in this order.

    Events with a `recorded_at` are ordered by it. `received` counts all rows, also those rejected while
    reading.
    """

    batch: Batch
    names: Names
    received: int
    rejections: tuple[Rejection, ...]
    strict: bool = False


def read_incoming(source: Any, options: ReadOptions | None = None) -> IncomingEvents:
    """Read all events of a source, to append them to a ledger. Raises `BadSource`, or `Refused` where strict."""
    options = options or ReadOptions()
    if isinstance(source, Ledger):
        source = pa.Table.from_batches(map(event_files.batch_of, source.entries()), event_files.SCHEMA)
    encoder, batches = sources.read_batches(source, options)
    whole = Batch.concat(batches)
    if len(whole) and "event_id" not in whole.content:
        raise BadSource("event_id_missing", whole.place_of(0)[0], field="event_id")
    if (recorded := whole.content.get("recorded_at")) is not None:
        # Events without a `recorded_at` are recorded now, after all that have one.
        whole = whole.take(np.argsort(recorded.fill_null(INSTANT_MAX).to_numpy(), kind="stable"))
    names = encoder.names(np.zeros(encoder.identity_count, np.bool_))
    return IncomingEvents(whole, names, encoder.received, tuple(encoder.rejections), options.strict)


def append(
    ledger: Ledger, events: IncomingEvents, *, now: int, progress: Callable[[int], None] | None = None
) -> Receipt:
    """Append events to a ledger; events that are in it already change nothing.

    Events without a `recorded_at` are recorded `now` (microseconds). They are added in parts of
    `APPEND_ROWS`, each in one transaction; after an interruption, appending the same source again adds the
    rest. If reading was strict, all are added in one transaction, or none. `progress` receives the
    number of events of each part. Raises `BadLedger`, `Refused`.
    """
    total = len(events.batch)
    step = max(total, 1) if events.strict else APPEND_ROWS
    receipts = []
    with without_collecting():
        for first in range(0, total, step):
            part = events.batch.take(np.arange(first, min(first + step, total)))
            receipts.append(ledger.append(part, events.names, now=now, strict=events.strict))
            if progress:
                progress(len(part))
    rejections = [*events.rejections, *(rejection for receipt in receipts for rejection in receipt.rejections)]
    tally = Tally(
        received=events.received,
        accepted=sum(receipt.tally.accepted for receipt in receipts),
        duplicates=sum(receipt.tally.duplicates for receipt in receipts),
        rejected=len(rejections),
    )
    return Receipt(tally, ledger.head(), tuple(rejections))


def export(
    ledger: Ledger, path: str, *, position: int | None = None, progress: Callable[[int], None] | None = None
) -> Head:
    """Write all entries of a ledger, up to a position, to a new file. Returns the head at that position.

    Raises `BadSource` (`file_type`), and `BadLedger` (`ledger_exists`) where there is such a file already.
    """
    if os.path.exists(path):
        raise BadLedger("ledger_exists", path)
    head = ledger.head(position=position)

    def batches() -> Iterator[pa.RecordBatch]:
        for entries in ledger.entries(until=head.position):
            yield event_files.batch_of(entries)
            if progress:
                progress(len(entries))

    event_files.write(batches(), path)
    return head


def backup(ledger: Ledger, path: str) -> Head:
    """Copy an embedded ledger to a new file, as of one moment. Returns the head of the copy."""
    from ..ledger.sqlite import SqliteDatabase  # loads SQLite, which files do not need

    database = ledger.database
    if not isinstance(database, SqliteDatabase):
        raise BadLedger("backup_elsewhere", ledger.name)
    database.backup(path)
    copy = Ledger(SqliteDatabase(path))
    try:
        return copy.head()
    finally:
        copy.close()
