"""Identifiers: which names are proper ids, and why the others are not.

An id is 1 to 128 bytes of UTF-8 in normalization form C, without control or bidirectional characters.
Otherwise it is opaque and case-sensitive.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ..core.event import Bool
from .rows import to_mask

NAME_BYTES_MAX: Final = 128
FIELD_BYTES_MAX: Final = 131_072
#: Control characters, and those that turn the direction of text; the same for Arrow and for Python.
_FORBIDDEN: Final = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
_BLANK: Final = r"^[\s\p{Z}]*$"


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
