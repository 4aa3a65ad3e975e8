"""Identifiers: each name is checked once, and becomes an integer code once.

An id is 1 to 128 bytes of UTF-8 in normalization form C, without control or bidirectional characters.
Otherwise it is opaque and case-sensitive.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.event import Bool, Int32
from ..core.kernel import SMALL, compiled
from .rows import Bad, mark, to_mask

NAME_BYTES_MAX: Final = 128
FIELD_BYTES_MAX: Final = 131_072
#: The code of a row that has no name, or none that is known.
NONE: Final = -1
#: The message code of a name that is not a proper id; `explain_bad_id` replaces it with the reason.
BAD_ID: Final = "name"
#: Control characters, and those that turn the direction of text; the same for Arrow and for Python.
_FORBIDDEN: Final = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_BLANK: Final = r"^[\s\p{Z}]*$"


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

    def encode(self, columns: list[pa.Array]) -> Iterator[tuple[Int32, Bad | None]]:
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

    def _look_up(self, indices: pa.Array, codes_of_entries: Int32) -> tuple[Int32, Bad | None]:
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
    compiled(_gather)(where, table, out)  # numpy would first widen the indices
    return out


def _gather(indices: Any, table: Any, out: Any) -> None:
    for k in range(len(indices)):
        out[k] = table[indices[k]]


def _to_codes(indices: pa.Array) -> Int32:
    return np.asarray(indices.fill_null(NONE).to_numpy(), np.int32)


def find_bad_ids(names: pa.Array) -> Bool:
    """Which names are not proper ids; nulls are not judged."""
    sizes = pc.binary_length(names)
    bad = pc.or_(pc.greater(sizes, NAME_BYTES_MAX), pc.equal(sizes, 0))
    bad = pc.or_(bad, pc.match_substring_regex(names, f"{_FORBIDDEN}|{_BLANK}"))
    if not pc.all(pc.string_is_ascii(names)).as_py():
        bad = pc.or_(bad, pc.not_equal(pc.utf8_normalize(names, "NFC"), names))
    return to_mask(bad.fill_null(False))


def explain_bad_id(name: str | None) -> tuple[str, dict[str, Any]]:
    """The message code for a name that is not a proper id, and the details of the message.

    >>> explain_bad_id("x" * 200)[0], explain_bad_id("  ")[0], explain_bad_id("a\\x00b")
    ('id_too_long', 'id_empty', ('id_bad_char', {'char': 'U+0000'}))
    """
    if name is None:
        return "id_missing", {}
    if not name.strip():
        return "id_empty", {}
    size = len(name.encode("utf-8", "surrogatepass"))
    if size > NAME_BYTES_MAX:
        return ("csv_field_too_long" if size > FIELD_BYTES_MAX else "id_too_long"), {"bytes": size}
    if bad := re.search(_FORBIDDEN + "|[\ud800-\udfff]", name):
        return "id_bad_char", {"char": f"U+{ord(bad[0]):04X}"}
    composed = unicodedata.normalize("NFC", name)
    differing = next((a for a, b in zip(composed, name, strict=False) if a != b), composed[-1])
    return "id_not_nfc", {"nfc": f"U+{ord(differing):04X}"}
