"""Every message, to the character: the folders of fixtures/messages, and what cannot be a folder."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import billing
from billing import engine
from billing.core.messages import MESSAGES
from billing.inputs.rows import ReadOptions
from tests.conftest import Cli

TESTS = Path(__file__).parents[1]
MESSAGE_FOLDERS = sorted(path.parent for path in TESTS.parent.glob("fixtures/messages/*/expected.txt"))

#: Codes without a folder -> the test that shows the message, since its input is no small text; in this
#: module, or as module:test.
SHOWN_BY_TEST = {
    "verify_missing": "test_differential:test_without_hypothesis_the_command_line_says_how_to_get_it",
    "file_corrupt": "test_a_parquet_file_without_its_end_is_damaged",
    "file_changed": "test_a_file_that_grows_while_it_is_read_is_refused",
    "file_too_large": "test_a_file_that_claims_more_rows_than_there_can_be_is_refused",
    "file_rejected": "test_a_table_that_is_none_is_refused",
    "csv_field_too_long": "test_a_field_longer_than_any_field_says_so",
    "column_missing": "test_a_table_without_a_column_says_which",
    "column_type": "test_a_column_of_the_wrong_type_says_what_it_must_be",
    "ledger_newer": "test_ledger_messages:test_a_ledger_of_a_later_version_is_left_as_it_is",
    "ledger_unsafe": "test_ledger_messages:test_a_database_that_cannot_be_made_durable_is_refused",
    "ledger_locked": "test_ledger_messages:test_a_ledger_that_somebody_else_writes_to_for_long_says_so",
    "ledger_damaged": "test_ledger_messages:test_a_damaged_ledger_says_so",
    "ledger_full": "test_durability:test_a_full_disk_keeps_nothing_of_a_batch_and_takes_it_once_there_is_room",
    "ledger_needs_extra": "test_ledger_messages:test_a_missing_extra_is_named",
    "extra_missing": "test_documents:test_a_missing_extra_is_named_with_the_command_that_installs_it",
    "ledger_unreachable": "test_ledger_messages:test_a_server_that_does_not_answer_says_so",
    "documents_stale": "test_ledger_messages:test_documents_drafted_before_others_came_are_not_issued",
    "cycles_overlap": "test_close:test_a_cycle_that_overlaps_one_that_was_billed_is_refused",
    "backup_elsewhere": "test_ledger_messages:test_a_ledger_on_a_server_is_backed_up_by_the_servers_own_means",
    **dict.fromkeys(
        [
            "position_gap",
            "seal_broken",
            "number_gap",
            "recorded_out_of_order",
            "names_differ",
            "count_differs",
            "index_differs",
        ],
        "test_tamper:test_a_change_gets_exactly_this_message",
    ),
    **dict.fromkeys(
        ["head_differs", "end_missing"], "test_tamper:test_a_noted_head_that_differs_gets_exactly_this_message"
    ),
}
EVENT = "acme,u1,action.called,2026-01-01T00:00:00Z\n"
HEADER = "account_id,identity_id,type,occurred_at\n"


@pytest.mark.parametrize("folder", MESSAGE_FOLDERS, ids=lambda folder: folder.name)
def test_a_bad_input_gets_exactly_this_message(
    folder: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message is part of the product: people act on its words, programs on its code."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True, copy_function=shutil.copy)
    monkeypatch.chdir(tmp_path)
    for command in (folder / "command.txt").read_text(encoding="utf-8").splitlines():
        outcome = cli(*command.split()[1:])
    expected = (folder / "expected.txt").read_text(encoding="utf-8").removesuffix("\n")
    mark = f"{folder.name}: "
    said = [line.partition(mark)[2] for line in (outcome.out + outcome.err).splitlines() if mark in line]
    assert [expected] == said


def test_every_code_has_a_folder_or_a_reason() -> None:
    """A message that no input of ours causes may be wrong without anybody seeing it."""
    covered = [folder.name for folder in MESSAGE_FOLDERS] + [*SHOWN_BY_TEST]
    assert sorted(MESSAGES) == sorted(covered)


def test_the_tests_named_for_codes_exist() -> None:
    """A table of reasons must not outlive the tests it names."""
    for shown_by in SHOWN_BY_TEST.values():
        module, _, test = shown_by.rpartition(":")
        (path,) = TESTS.rglob(f"{module or 'test_messages'}.py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, shown_by


def test_a_parquet_file_without_its_end_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a Parquet file says what is in it, so a copy that was cut off is of no use."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(_table(), "events.parquet")
    whole = Path("events.parquet").read_bytes()
    Path("events.parquet").write_bytes(whole[: len(whole) * 2 // 3])
    error = _refused("events.parquet")
    assert error.code == "file_corrupt"
    # What Arrow says in the middle is its own and changes with its version.
    assert str(error).startswith("events.parquet: it is damaged: Parquet magic bytes not found in footer.")
    assert str(error).endswith("; nothing was used. Fetch or export it again.")


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of what an export was about to write would be billed as if it were all."""
    monkeypatch.chdir(tmp_path)
    Path("events.csv").write_text(HEADER + EVENT, encoding="utf-8")

    def grow(size: int) -> None:
        if size:  # nothing is read at the end, or there would never be one
            with Path("events.csv").open("a", encoding="utf-8") as file:
                file.write(EVENT if Path("events.csv").stat().st_size < 200 else "")

    with pytest.raises(billing.BadSource) as raised:
        engine.read("events.csv", ReadOptions(progress=grow))
    expected = "events.csv: it changed while it was being read; nothing was used. Read it when it is complete."
    assert expected == str(raised.value)


def test_a_file_that_claims_more_rows_than_there_can_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few bytes can claim any number of rows, and room would be made for all of them."""
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table({name: [value] * 9_999 for name, value in _event().items()}), "events.parquet")
    Path("events.parquet").write_bytes(
        _with_footer_replaced(Path("events.parquet").read_bytes(), b"\x16" + _varint(9_999), b"\x16" + _varint(10**12))
    )
    expected = (
        "events.parquet: it claims 1000000000000 rows; the limit is 1,000,000,000. Split it, or check what made it."
    )
    assert expected == str(_refused("events.parquet"))


def test_a_table_that_is_none_is_refused() -> None:
    """Two types in one column of pandas are not a column of anything."""
    frame = pd.DataFrame([_event(), _event() | {"account_id": 1}])
    error = _refused(frame)
    assert error.code == "file_rejected"
    # What Arrow says in the middle is its own and changes with its version.
    assert str(error).startswith("table: ")
    assert str(error).endswith("; nothing was used. Write plain columns of text and timestamps.")


def test_a_field_longer_than_any_field_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a field is a file in a field, or a quote in the wrong place."""
    monkeypatch.chdir(tmp_path)
    Path("events.csv").write_text(HEADER + EVENT.replace("u1", "u" * 131_073), encoding="utf-8")
    expected = f'events.csv:2: identity_id is "{"u" * 63}…", 131073 bytes long. No field is longer than 131,072 bytes.'
    assert [expected] == [str(rejection) for rejection in billing.read("events.csv").rejections]


def test_a_table_without_a_column_says_which() -> None:
    """Guessing which other column is meant would bill whatever is in it."""
    expected = "table: there is no column occurred_at. Columns needed: account_id, identity_id, type, occurred_at."
    assert expected == str(_refused(_table().drop_columns(["occurred_at"])))


def test_a_column_of_the_wrong_type_says_what_it_must_be() -> None:
    """A whole number could be seconds, milliseconds or days since anything."""
    numbers = _table().set_column(3, "occurred_at", pa.array([1_767_225_600]))
    expected = (
        'table: column occurred_at is "int64". It must be a timestamp with a zone '
        "(s, ms, us; ns that lose nothing), or RFC 3339 text."
    )
    assert expected == str(_refused(numbers))


def _event() -> dict[str, object]:
    return dict(zip(HEADER.strip().split(","), EVENT.strip().split(","), strict=True))


def _table() -> pa.Table:
    return pa.table({name: [value] for name, value in _event().items()})


def _refused(source: object) -> billing.BadSource:
    with pytest.raises(billing.BadSource) as raised:
        billing.read(source)
    return raised.value


def _varint(number: int) -> bytes:
    """A whole number as the footer of a Parquet file has it: zigzag, seven bits a byte."""
    number *= 2
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


def _with_footer_replaced(parquet: bytes, old: bytes, new: bytes) -> bytes:
    """The file with one value of its footer exchanged, and the length of the footer set right."""
    length = int.from_bytes(parquet[-8:-4], "little")
    body, footer = parquet[: -8 - length], parquet[-8 - length : -8]
    footer = footer.replace(old, new, 1)
    return body + footer + len(footer).to_bytes(4, "little") + b"PAR1"
