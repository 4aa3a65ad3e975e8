"""Repeats: rows of a source whose account and event id occurred before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..core.event import Int32, Int64
from ..core.kernel import SMALL, compile_kernel
from .rows import to_mask

Index = NDArray[np.intp]


def find_repeats(ids: pa.Array, accounts: Int32) -> tuple[Index, Index]:
    """The rows whose account and event id occurred before, and the first row of each."""
    named = np.flatnonzero(~to_mask(ids.is_null()))
    ids = ids.drop_null() if ids.null_count else ids
    if len(named) >= SMALL:
        # Almost every source has few repeats. Equal ids have equal fingerprints, so only rows
        # whose fingerprint occurs twice need to be compared as text.
        suspects = _find_equal(_fingerprint_all(ids, accounts[named]))
        named, ids = named[suspects], ids.take(pa.array(suspects))
    keys = pair_with_accounts(accounts[named], ids.dictionary_encode().indices.to_numpy())
    order = np.argsort(keys, kind="stable")
    same = np.zeros(len(order), np.bool_)
    same[1:] = keys[order][1:] == keys[order][:-1]
    leader = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    by_row = np.argsort(named[order][same], kind="stable")
    return named[order][same][by_row], named[order][leader[same]][by_row]


def pair_with_accounts(accounts: Int32, codes: NDArray[Any]) -> Int64:
    """One integer for each account and code."""
    return np.asarray(accounts.astype(np.int64) << 32 | codes)


def _find_equal(fingerprints: NDArray[np.uint64]) -> Index:
    """The rows whose fingerprint occurs more than once."""
    ordered = np.sort(fingerprints)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    return np.flatnonzero(np.isin(fingerprints, twice)) if len(twice) else np.empty(0, np.intp)


def _fingerprint_all(text: pa.StringArray, accounts: Int32) -> NDArray[np.uint64]:
    """64 bits for each account and text; equal ones have equal bits."""
    _, offsets, data = text.buffers()
    width = np.int64 if pa.types.is_large_string(text.type) else np.int32
    ends = np.frombuffer(offsets, width)[text.offset : text.offset + len(text) + 1]
    out = np.empty(len(text), np.uint64)
    compile_kernel(_fingerprint)(np.frombuffer(data, np.uint8), ends, accounts, out)
    return out


def _fingerprint(data: Any, offsets: Any, accounts: Any, out: Any) -> None:
    """FNV-1a over the account and the bytes of each text."""
    for k in range(len(out)):
        bits = (np.uint64(14695981039346656037) ^ np.uint64(accounts[k])) * np.uint64(1099511628211)
        for b in range(offsets[k], offsets[k + 1]):
            bits = (bits ^ np.uint64(data[b])) * np.uint64(1099511628211)
        out[k] = bits
