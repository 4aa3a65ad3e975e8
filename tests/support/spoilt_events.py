"""Files of events that no reader may crash on: CSV, JSON Lines and Parquet.

Each is a Hypothesis strategy of `Given`: half of its files are small valid ones, spoiled; the other half
mix valid and nasty values.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from billing.inputs.rows import COLUMNS
from tests.support.nasty import ALL, nasty, values
from tests.support.spoiling import JANUARY, OPTIONS, Given, spoil, vary_encoding

_FIRST: Final = ("e1", "acme", "ada", "action.called", "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z")
EVENTS: Final = (
    (*_FIRST, "", "visit", "3", "auto", ""),
    ("e2", "acme", "bo", "integration.connected", "2026-01-02T00:00:00.5+01:00", "2026-01-03T00:00:00Z", *[""] * 5),
    ("e3", "acme", "cy", "identity.created", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "standard", *[""] * 4),
    ("e4", "bolt", "ada", "identity.deleted", "2199-12-31T23:59:59.999999Z", "2026-01-03T00:00:00Z", *[""] * 5),
    ("e5", "acme", "ada", "event.voided", "2026-01-04T00:00:00Z", "2026-01-04T00:00:00Z", *[""] * 4, "e2"),
    (*_FIRST, "", "visit", "3", "auto", ""),
)


def csvs() -> SearchStrategy[Given]:
    """CSV: spoiled, or with nasty cells; sometimes in another encoding, or compressed."""
    tables = st.builds(_csv_of, _rows(), st.sampled_from((",", ",", ";", "\t")), st.sampled_from(("\n", "\r\n")))
    return vary_encoding("events.csv", spoil((_csv_of(_EVENT_ROWS), _csv_of(_FEW_COLUMNS))) | tables)


def jsonls() -> SearchStrategy[Given]:
    """JSON Lines: spoiled, or with nasty values; sometimes in another encoding, or compressed."""
    lines = st.lists(_objects() | st.builds(json.dumps, values()), max_size=5).map("\n".join)
    texts = lines.map(lambda text: text.encode("utf-8", "surrogatepass"))
    return vary_encoding("events.jsonl", spoil((_jsonl_of(_EVENT_ROWS), _jsonl_of(_FEW_COLUMNS))) | texts)


def parquets() -> SearchStrategy[Given]:
    """Parquet: spoiled bytes, or columns of any type and of nasty values."""
    plain = _parquet_of(_table_of(_EVENT_ROWS), "NONE", 2, True)
    instants = _parquet_of(_with_instants(_table_of(_FEW_COLUMNS)), "SNAPPY", 100, False)
    tables = st.builds(
        _parquet_of, _tables(), st.sampled_from(("NONE", "SNAPPY", "ZSTD")), st.integers(1, 4), st.booleans()
    )
    content = spoil((plain, instants), changes_max=2) | tables | tables
    return st.builds(Given, st.just("events.parquet"), content, st.sampled_from(OPTIONS))


def fine_events() -> pa.Table:
    """Valid events."""
    return _table_of(_EVENT_ROWS)


_Rows = tuple[Sequence[str], Sequence[Sequence[Any]]]
_EVENT_ROWS: Final[_Rows] = (COLUMNS, EVENTS)
_FEW_COLUMNS: Final[_Rows] = (COLUMNS[1:5], [row[1:5] for row in EVENTS])


@st.composite
def _rows(draw: st.DrawFn) -> _Rows:
    """Events with some nasty cells, in columns that are mostly valid."""
    names = list(draw(st.sampled_from((COLUMNS, COLUMNS, COLUMNS[1:5], COLUMNS[:7], COLUMNS[4::-1]))))
    if draw(st.integers(0, 5)) == 5:
        names[draw(st.integers(0, len(names) - 1))] = draw(st.sampled_from(ALL))
    rows = draw(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=5))
    known = [[row[COLUMNS.index(name)] if name in COLUMNS else "" for name in names] for row in rows]
    for _ in range(draw(st.integers(0, 4))):
        row, k = draw(st.sampled_from(known)), draw(st.integers(0, len(names) - 1))
        row[k] = draw(nasty(names[k]))
    return names, known


def _csv_of(rows: _Rows, delimiter: str = ",", line_end: str = "\n") -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end)
    writer.writerow(rows[0])
    writer.writerows(rows[1])
    return out.getvalue().encode("utf-8", "surrogatepass")


@st.composite
def _objects(draw: st.DrawFn) -> str:
    """One line: an event with some nasty values."""
    row = draw(st.sampled_from(EVENTS))
    event: dict[str, Any] = {name: cell for name, cell in zip(COLUMNS, row, strict=True) if cell}
    event.pop("results", None)
    for name in draw(st.lists(st.sampled_from(COLUMNS) | st.sampled_from(COLUMNS) | nasty(), max_size=3)):
        event[name] = draw(values(name))
    text = json.dumps(event, ensure_ascii=draw(st.booleans()))
    again = draw(st.sampled_from(("", "", "", '{"account_id": "acme", ', '{"x": 1, "x": 2, ')))
    return text if not again else again + text[1:]


def _jsonl_of(rows: _Rows) -> bytes:
    events = [{name: cell for name, cell in zip(rows[0], row, strict=True) if cell} for row in rows[1]]
    lines = [json.dumps(e | ({"results": int(e["results"])} if "results" in e else {})) for e in events]
    return "".join(f"{line}\n" for line in lines).encode()


def _table_of(rows: _Rows) -> pa.Table:
    return pa.table(
        {name: pa.array([row[k] or None for row in rows[1]], pa.string()) for k, name in enumerate(rows[0])}
    )


def _with_instants(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("occurred_at")
    instants = pa.array([JANUARY + k for k in range(len(table))], pa.timestamp("us", "UTC"))
    return table.set_column(place, "occurred_at", instants)


_TEXTS: Final = (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()))
_INSTANTS: Final = tuple(
    pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in ("UTC", "Asia/Kathmandu", None)
)
_NUMBERS: Final = (pa.int64(), pa.int32(), pa.uint64())
_OTHERS: Final = (pa.null(), pa.bool_(), pa.float64(), pa.date32(), pa.duration("us"), pa.list_(pa.string()))
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@st.composite
def _columns(draw: st.DrawFn, name: str, length: int) -> pa.Array:
    """A column of text, instants or numbers, mostly of the right type."""
    likely = _INSTANTS if name.endswith("_at") else _TEXTS if name != "results" else _NUMBERS
    all_kinds = (*_TEXTS, pa.binary(), *_INSTANTS, *_NUMBERS, *_OTHERS)
    kind = draw(st.sampled_from(likely if draw(st.integers(0, 9)) else all_kinds))
    if pa.types.is_timestamp(kind):
        values: SearchStrategy[Any] = _instants(_PER_SECOND[kind.unit])
    elif kind in _NUMBERS:
        values = st.sampled_from((0, 1, 3, 10**15, 2**31 - 1, 2**63 - 1) if kind != pa.int32() else (0, -1, 2**31 - 1))
    elif kind in _OTHERS:
        values = st.none()
    else:
        fine = st.sampled_from([row[COLUMNS.index(name)] for row in EVENTS])
        values = (fine | fine | nasty(name)).map(lambda text: text.encode("utf-8", "replace").decode())
    several = draw(st.lists(values | values | values | st.none(), min_size=length, max_size=length))
    if kind == pa.binary() and draw(st.booleans()):  # bytes that are not UTF-8
        return pa.array([value and value.encode() + b"\xff" for value in several], kind).view(pa.string())
    return pa.array(several, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(several, kind)


def _instants(per_second: int) -> SearchStrategy[int]:
    near = st.integers(0, 90).map(lambda day: (JANUARY // 10**6 + day * 86_400) * per_second)
    most = 2**63 - 1 if per_second > 1 else 2**52  # seconds are written as milliseconds
    return near | near.map(lambda instant: instant + 1) | near | st.integers(-most, most)


@st.composite
def _tables(draw: st.DrawFn) -> pa.Table:
    length = draw(st.integers(0, 5))
    names = draw(st.sampled_from((COLUMNS, COLUMNS[1:5], COLUMNS[1:5], COLUMNS[:6])))
    columns = [draw(_columns(name, length)) for name in names]
    renamed = [draw(st.sampled_from(("x", *COLUMNS))) if draw(st.integers(0, 30)) == 30 else name for name in names]
    return pa.table(columns, names=renamed)


def _parquet_of(table: pa.Table, compression: str, rows: int, dictionary: bool) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression=compression, row_group_size=rows, use_dictionary=dictionary)
    return out.getvalue()
