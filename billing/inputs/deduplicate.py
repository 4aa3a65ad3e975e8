"""Deduplication: from the accepted rows of a source to its events.

A source is a set of events. A repeat changes nothing; of two events that contradict each other the first
stays and the other is rejected. A void removes its event, wherever in the source it stands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.digests import digest
from ..core.errors import Rejection
from ..core.event import CREATED, DETAILS, VOIDED, Batch, Bool, Events, Tally
from .encoder import Encoder
from .identity_types import IdentityTypes, reject_type
from .repeats import Index, find_repeats, pair_with_accounts
from .rows import ReadOptions, to_mask
from .source_rows import SourceRows


def deduplicate(batches: Sequence[Batch], encoder: Encoder, options: ReadOptions) -> Events:
    """The events of a whole source, without repeats, conflicts and voided ones."""
    return _deduplicate(SourceRows(batches), encoder, options)[0]


def deduplicate_rows(batches: Sequence[Batch], encoder: Encoder) -> tuple[Events, Batch, Bool]:
    """The events of a whole source, its accepted rows, and which of these happened.

    Voids and the events they void did not happen.
    """
    events, accepted, happened = _deduplicate(SourceRows(batches), encoder, ReadOptions())
    kept = np.flatnonzero(accepted)
    rows = Batch.concat(batches).take(kept)
    return events, rows, happened[kept] & (rows.types != VOIDED)


def _deduplicate(rows: SourceRows, encoder: Encoder, options: ReadOptions) -> tuple[Events, Bool, Bool]:
    """The events of some rows, which rows were accepted, and which happened."""
    accepted = np.ones(len(rows), np.bool_)
    happened = accepted.copy()
    rejections = []
    duplicates = 0
    repeated = None
    if rows.ids is not None:
        repeats, first = find_repeats(rows.ids, rows.accounts)
        differing = _find_differing_fields(rows, repeats, first)
        accepted[repeats] = False
        duplicates = int(np.count_nonzero(differing == ""))
        for k in np.flatnonzero(differing != ""):
            rejections.append(_reject_conflict(rows, int(repeats[k]), int(first[k]), str(differing[k])))
        happened, voids_of_voids = _apply_voids(rows, accepted)
        repeated = repeats[(differing == "") & happened[first]]  # what never happened did not happen twice
        accepted[voids_of_voids] = False
        rejections += [_reject_void_of_void(rows, int(k)) for k in voids_of_voids]
    types = IdentityTypes()
    created = np.flatnonzero(happened & (rows.types == CREATED))
    for row, before in types.learn(rows.identities[created], rows.standard[created], created):
        accepted[row] = False
        name = encoder.identity_name(int(rows.identities[row]))
        rejections.append(reject_type(rows.places, row, before, name, int(rows.standard[row])))
    per_account = np.bincount(rows.accounts[accepted], minlength=len(encoder.accounts)).astype(np.int64)
    active = happened & (rows.types < CREATED)
    names = encoder.names(types.find_standard(encoder.identity_count))
    events = Events(
        names=names,
        columns=rows.columns(active),
        accepted=per_account,
        tally=Tally(encoder.received, int(per_account.sum()), duplicates, len(encoder.rejections) + len(rejections)),
        rejections=(*encoder.rejections, *rejections),
        event_ids=None if rows.ids is None else rows.ids.filter(pa.array(active)),
        digest=digest(rows.digest_values(accepted, names)) if options.digest else None,
        history=rows.history(accepted, happened, repeated) if options.history else None,
        details=rows.details(active) if options.details else None,
    )
    return events, accepted, happened


def _find_differing_fields(rows: SourceRows, repeats: Index, first: Index) -> NDArray[np.object_]:
    """For each repeat, the first field in which it differs from its first row, or ""."""
    differing = np.full(len(repeats), "", object)
    for field, values in (("identity_id", rows.identities), ("type", rows.types), ("occurred_at", rows.instants)):
        differing[(differing == "") & (values[repeats] != values[first])] = field
    for field in DETAILS:
        if (column := rows.content(field)) is not None and len(repeats):
            ours, theirs = column.take(pa.array(repeats)), column.take(pa.array(first))
            equal = pc.or_(pc.equal(ours, theirs).fill_null(False), pc.and_(ours.is_null(), theirs.is_null()))
            differing[(differing == "") & ~to_mask(equal)] = field
    return differing


def _apply_voids(rows: SourceRows, accepted: Bool) -> tuple[Bool, Index]:
    """Which accepted rows happened, and the voids that are rejected because they void a void."""
    voids = np.flatnonzero(accepted & (rows.types == VOIDED))
    if not len(voids):
        return accepted, voids
    aims = rows.content("voids").take(pa.array(voids))
    targets, own = pa.chunked_array([aims, rows.ids]).dictionary_encode().chunks
    wanted = pair_with_accounts(rows.accounts[voids], targets.indices.to_numpy())
    ids = pair_with_accounts(rows.accounts, own.indices.fill_null(len(own.dictionary)).to_numpy())
    of_voids = np.isin(wanted, ids[voids])
    voided = np.isin(ids, wanted[~of_voids])
    return accepted & ~voided & (rows.types != VOIDED), voids[of_voids]


def _reject_void_of_void(rows: SourceRows, row: int) -> Rejection:
    target = rows.content("voids")[row].as_py()
    return Rejection("void_of_void", *rows.places.of(row), {"field": "voids", "got": target})


def _reject_conflict(rows: SourceRows, row: int, first: int, field: str) -> Rejection:
    place = "{}:{}".format(*rows.places.of(first))
    details = {"field": "event_id", "got": rows.ids[row].as_py(), "first": place, "differs": field}
    return Rejection("id_conflict", *rows.places.of(row), details)
