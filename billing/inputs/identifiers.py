"""Names: text that becomes integer codes once, and is checked once.

A name is an id of 1 to 128 bytes of UTF-8 in normalization form C, without control or
bidirectional characters; otherwise it is opaque and case-sensitive.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..core.event import Bool, Int32
from ..core.kernel import SMALL, compiled

NAME_BYTES_MAX: Final = 128
FIELD_BYTES_MAX: Final = 131_072
NONE: Final = -1
#: Control characters, and those that turn the direction of text; the same for Arrow and for Python.
_FORBIDDEN: Final = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_BLANK: Final = r"^[\s\p{Z}]*$"


class Registry:
    """Codes for names, handed out in order of appearance.

    `known` holds the names as an Arrow string array, each at its code; `faulty` is true for those
    that are no proper ids.
    """

    def __init__(self) -> None:
        self.known: pa.Array = pa.array([], pa.string())
        self.faulty: Bool = np.empty(0, np.bool_)
        self.any_faulty = False

    def __len__(self) -> int:
        return len(self.known)

    def places_of(self, dictionaries: list[pa.Array]) -> list[Int32]:
        """The codes of the entries of some dictionaries, cheaper together than one by one."""
        before = len(self.known)
        # Encoded together, the names known keep their places and new ones are added behind.
        chunks = [self.known, *(d.cast(pa.string()) for d in dictionaries)]
        together = pa.chunked_array([c for c in chunks if len(c)], pa.string()).dictionary_encode()
        places = iter(together.chunks[1:] if before else together.chunks)
        if together.num_chunks:
            self.known = together.chunk(0).dictionary
        if len(self.known) > before:
            fresh = self.known.slice(before)
            suspect = suspects(fresh)
            self.faulty = np.append(self.faulty, suspect)
            self.any_faulty = self.any_faulty or bool(suspect.any())
        return [_int32(next(places).indices) if len(d) else np.empty(0, np.int32) for d in dictionaries]


def _int32(indices: pa.Array) -> Int32:
    return np.asarray(indices.fill_null(NONE).to_numpy(), np.int32)


def looked_up(indices: pa.Array, table: NDArray[Any], *, missing: int) -> NDArray[Any]:
    """`table` at each of the indices of a dictionary column, `missing` where there is none."""
    if indices.null_count:
        table = np.append(table, table.dtype.type(missing))
        indices = indices.fill_null(len(table) - 1)
    where = indices.to_numpy()
    if len(where) < SMALL:
        return np.asarray(table[where])
    out = np.empty(len(where), table.dtype)
    compiled(_look_up)(where, table, out)  # numpy would turn the indices into wider ones first
    return out


def _look_up(indices: Any, table: Any, out: Any) -> None:
    for k in range(len(indices)):
        out[k] = table[indices[k]]


def suspects(names: pa.Array) -> Bool:
    """Which names are not proper ids; `fault` tells why."""
    sizes = pc.binary_length(names)
    bad = pc.or_(pc.greater(sizes, NAME_BYTES_MAX), pc.equal(sizes, 0))
    bad = pc.or_(bad, pc.match_substring_regex(names, f"{_FORBIDDEN}|{_BLANK}"))
    if not pc.all(pc.string_is_ascii(names)).as_py():
        bad = pc.or_(bad, pc.not_equal(pc.utf8_normalize(names, "NFC"), names))
    return np.asarray(bad.fill_null(True).to_numpy(zero_copy_only=False), np.bool_)


def fault(name: str | None) -> tuple[str, dict[str, Any]]:
    """The message code for a name that is no proper id, and what it says besides.

    >>> fault("x" * 200)[0], fault("  ")[0], fault("a\\x00b")
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


def encoded(array: pa.Array) -> pa.DictionaryArray:
    """A column of text as codes into a dictionary, whatever way it came."""
    if pa.types.is_dictionary(array.type):
        return array
    if pa.types.is_null(array.type):
        array = array.cast(pa.string())
    return array.dictionary_encode()
