"""Registry: the integer codes of names, each name checked once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..core.event import Bool, Int32
from ..core.kernel import SMALL, compile_kernel
from .checks import BAD_ID, mark
from .identifiers import find_bad_ids
from .rows import Bad

#: The code of a missing or unknown name.
NONE: Final = -1

#: The codes of a column of names, and which rows have no proper id.
Encoded = tuple[Int32, Bad | None]


class Registry:
    """Codes of names, assigned in order of appearance.

    `known` holds the names as an Arrow string array, each at its code.
    """

    def __init__(self) -> None:
        self.known: pa.Array = pa.array([], pa.string())
        self._bad: Bool = np.empty(0, np.bool_)  # per code, whether the name is not a proper id
        self._any_bad = False

    def __len__(self) -> int:
        return len(self.known)

    def encode(self, columns: list[pa.Array]) -> Iterator[Encoded]:
        """The codes of each column of names, and which rows have no proper id.

        New names of all columns are added at once, which costs less than one column at a time.
        """
        encoded = [encode_dictionary(column) for column in columns]
        entries = self._add([column.dictionary for column in encoded])
        return (self._look_up(column.indices, codes) for column, codes in zip(encoded, entries, strict=True))

    def _add(self, dictionaries: list[pa.Array]) -> list[Int32]:
        """Add the names that are new, and return the codes of the entries of each dictionary."""
        before = len(self.known)
        # Encoded together, known names keep their codes and new ones follow.
        chunks = [self.known, *(d.cast(pa.string()) for d in dictionaries)]
        together = pa.chunked_array([c for c in chunks if len(c)], pa.string()).dictionary_encode()
        encoded = iter(together.chunks[1:] if before else together.chunks)
        if together.num_chunks:
            self.known = together.chunk(0).dictionary
        if len(self.known) > before:
            bad = find_bad_ids(self.known.slice(before))
            self._bad = np.append(self._bad, bad)
            self._any_bad = self._any_bad or bool(bad.any())
        return [_to_codes(next(encoded).indices) if len(d) else np.empty(0, np.int32) for d in dictionaries]

    def _look_up(self, indices: pa.Array, codes_of_entries: Int32) -> Encoded:
        codes = look_up(indices, codes_of_entries, missing=NONE)
        if not self._any_bad and not indices.null_count:
            return codes, None
        return codes, mark(np.append(self._bad, True)[codes], BAD_ID)


def encode_dictionary(column: pa.Array) -> pa.DictionaryArray:
    """A column of text as indices into a dictionary."""
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def look_up(indices: pa.Array, table: NDArray[Any], *, missing: int) -> NDArray[Any]:
    """`table` at each index of a dictionary column, `missing` where the index is null."""
    if indices.null_count:
        table = np.append(table, table.dtype.type(missing))
        indices = indices.fill_null(len(table) - 1)
    where = indices.to_numpy()
    if len(where) < SMALL:
        return np.asarray(table[where])
    out = np.empty(len(where), table.dtype)
    compile_kernel(_gather)(where, table, out)  # numpy would first widen the indices
    return out


def _gather(indices: Any, table: Any, out: Any) -> None:
    for k in range(len(indices)):
        out[k] = table[indices[k]]


def _to_codes(indices: pa.Array) -> Int32:
    return np.asarray(indices.fill_null(NONE).to_numpy(), np.int32)
