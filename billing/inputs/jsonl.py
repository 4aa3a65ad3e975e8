"""Reads JSON Lines: one event per line, each a flat object.

Arrow parses blocks of lines. A block that it cannot parse is parsed again line by line, so that each bad
line gets its own rejection and the others are kept.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
from pyarrow.json import ParseOptions, read_json
from pyarrow.json import ReadOptions as BlockOptions

from ..core.errors import BadSource, Rejection, hint
from .rows import COLUMNS, REQUIRED, RawRows, ReadOptions
from .text_stream import TextStream

_TYPES: Final = {name: pa.int64() if name == "results" else pa.string() for name in COLUMNS}
_SCHEMA: Final = pa.schema(_TYPES)
_DEPTH_MAX: Final = 8


def read(text: TextStream, *, options: ReadOptions) -> Iterator[RawRows]:
    """The rows of a file, block by block. Raises `BadSource`."""
    first = 1
    empty = True
    for block in text.blocks():
        lines = block.count(b"\n") + (not block.endswith(b"\n"))
        rows = _parse_block(text, block, first, lines, options=options)
        if rows is None:
            rows = _parse_lines(text, block, first, options=options)
        first += lines
        if rows.length or rows.rejections:
            empty = False
            yield rows
    if empty:
        raise BadSource("file_empty", text.name)


def _parse_block(text: TextStream, block: bytes, first: int, lines: int, *, options: ReadOptions) -> RawRows | None:
    """A block parsed by Arrow; None unless every line is an event."""
    if not _has_object_per_line(block):
        return None
    try:
        block.decode()
        table = read_json(
            io.BytesIO(block),
            read_options=BlockOptions(use_threads=True, block_size=max(len(block) // 2, 1 << 20)),
            parse_options=ParseOptions(
                explicit_schema=_SCHEMA, unexpected_field_behavior="ignore" if options.ignore_extra else "error"
            ),
        )
    # What Arrow cannot parse, or has not implemented, is parsed line by line, which finds what is wrong and where.
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        return None
    table = table.combine_chunks()
    columns = {c: _to_array(table.column(c)) for c in COLUMNS}
    if table.num_rows != lines or any(columns[c].null_count for c in REQUIRED):
        return None
    return RawRows(text.name, _drop_empty(columns), table.num_rows, first.__add__)


def _has_object_per_line(block: bytes) -> bool:
    """Whether every line begins and ends like an object; to Arrow, line ends are only whitespace."""
    whole = block.startswith(b"{") and block.removesuffix(b"\n").endswith(b"}")
    return whole and block.count(b"}\n{") == block.removesuffix(b"\n").count(b"\n")


def _parse_lines(text: TextStream, block: bytes, first: int, *, options: ReadOptions) -> RawRows:
    """A block parsed line by line."""
    values: list[dict[str, Any]] = []
    lines: list[int] = []
    rejections: list[Rejection] = []
    pieces = block.split(b"\n")
    for number, piece in enumerate(pieces, start=first):
        if not piece.strip():
            continue
        last = number == first + len(pieces) - 1
        found = _parse_event(text.name, number, piece, last=last, options=options)
        if isinstance(found, Rejection):
            rejections.append(found)
        else:
            values.append(found)
            lines.append(number)
    columns = {c: pa.array([v.get(c) for v in values], _TYPES[c]) for c in COLUMNS}
    return RawRows(text.name, _drop_empty(columns), len(values), lines.__getitem__, rejections)


def _parse_event(name: str, line: int, piece: bytes, *, last: bool, options: ReadOptions) -> dict[str, Any] | Rejection:
    """The values of one event, or the rejection of its line; `last` if no line end follows."""

    def rejected(code: str, **details: Any) -> Rejection:
        return Rejection(code, name, line, details)

    try:
        decoded = piece.decode()
    except UnicodeDecodeError as error:
        if last and error.reason == "unexpected end of data":
            raise BadSource("file_truncated", name, after=f" in line {line:,}") from error
        raise BadSource("encoding", f"{name}:{line}", after=f" at byte {error.start + 1}") from error
    objects: list[list[tuple[str, Any]]] = []

    def keep_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        objects.append(pairs)  # the outermost comes last
        return dict(pairs)

    try:
        parsed = json.loads(decoded, object_pairs_hook=keep_pairs)
    except RecursionError:
        return rejected("json_too_deep")
    except json.JSONDecodeError as error:
        if last and not decoded.rstrip().endswith("}"):
            raise BadSource("file_truncated", name, after=f" in line {line:,}") from error
        return rejected("json_invalid", detail=f"{error.msg.removesuffix(' at')} at character {error.colno}")
    except ValueError:
        return rejected("json_invalid", detail="a number is too long")
    if not isinstance(parsed, dict):
        return rejected("json_invalid", detail=f"it is {_describe_kind(parsed)}")
    if options.ignore_extra:  # skipped fields may hold anything
        parsed = {key: value for key, value in parsed.items() if key in COLUMNS}
    if _measure_depth(parsed) > _DEPTH_MAX:
        return rejected("json_too_deep")
    keys = [key for key, _ in objects[-1] if key in parsed]
    if double := next((k for k in keys if keys.count(k) > 1), None):
        return rejected("json_duplicate_key", got=double)
    if unknown := next((k for k in parsed if k not in COLUMNS), None):
        near = hint(unknown, [c for c in COLUMNS if c not in parsed])
        return rejected("field_unknown", got=unknown, hint=near, known=", ".join(COLUMNS))
    event = {c: parsed[c] for c in COLUMNS if parsed.get(c) is not None}
    for field, value in event.items():
        if (problem := _find_problem(field, value)) is not None:
            code, details = problem
            return rejected(code, field=field, got=value, **details)
    return event


def _find_problem(field: str, value: Any) -> tuple[str, dict[str, Any]] | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if field == "results":
        if isinstance(value, float) and not math.isfinite(value):
            return "number_not_finite", {}
        whole = isinstance(value, int) and number and abs(value) < 2**63
        return None if whole else ("type", {"wanted": "a whole number"})
    if isinstance(value, str):
        # A lone surrogate cannot be encoded as UTF-8.
        lone = next((c for c in value if "\ud800" <= c <= "\udfff"), None)
        return ("id_bad_char", {"char": f"U+{ord(lone):04X}"}) if lone else None
    if field in ("occurred_at", "recorded_at") and number:
        return ("ts_numeric" if isinstance(value, int) or math.isfinite(value) else "ts_not_a_time"), {}
    return "type", {"wanted": "text"}


def _drop_empty(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """The columns that have values, and those that every event needs."""
    return {c: a for c, a in columns.items() if c in REQUIRED or a.null_count < len(a)}


def _to_array(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _describe_kind(value: Any) -> str:
    return {list: "an array", str: "text", bool: "true or false", type(None): "null"}.get(type(value), "a number")


def _measure_depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max((_measure_depth(v) for v in inner), default=0)
