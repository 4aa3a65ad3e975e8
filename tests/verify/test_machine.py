"""The machine on every kind of ledger; and on code with known mistakes, each of which it must find."""

from __future__ import annotations

import inspect
import os
import random
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from billing import engine
from billing.invoicing import restate
from billing.invoicing.restatement import Restatement
from billing.ledger import admission
from billing.ledger.address import open_ledger
from billing.ledger.ledger import Ledger
from billing.ledger.sqlite import SqliteDatabase
from billing.verify.stateful.machine import machine, search
from tests.support.postgres import Server

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
IN_MEMORY, IN_A_FILE, ON_A_SERVER = (8_000, 1_000, 1_000) if LONG else (60, 20, 10)


def test_a_ledger_in_memory_holds_what_the_model_says() -> None:
    search(machine(in_memory), histories=IN_MEMORY, first_seed=first_seed())


def test_a_ledger_in_a_file_holds_what_the_model_says(tmp_path: Path) -> None:
    def new() -> Ledger:
        for old in tmp_path.iterdir():
            old.unlink()
        return open_ledger(f"sqlite:///{tmp_path}/billing.db", create=True)

    def again(ledger: Ledger) -> Ledger:
        ledger.close()
        return open_ledger(f"sqlite:///{ledger.name}")

    search(machine(new, again), histories=IN_A_FILE, first_seed=first_seed())


def test_a_ledger_on_a_server_holds_what_the_model_says(postgres: Server) -> None:
    psycopg = pytest.importorskip("psycopg")
    url = postgres.url("machine")

    def new() -> Ledger:
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS machine CASCADE")
        return open_ledger(url, create=True)

    def again(ledger: Ledger) -> Ledger:
        ledger.close()
        return open_ledger(url)

    search(machine(new, again), histories=ON_A_SERVER, first_seed=first_seed())


def in_memory() -> Ledger:
    return open_ledger("sqlite:///:memory:", create=True)


def first_seed() -> int:
    """In CI the same histories come every time."""
    return 0 if settings().derandomize else random.randrange(1 << 40)


# Known mistakes: each is code of ours in which a piece of text is another.


def caught(monkeypatch: pytest.MonkeyPatch, *mistakes: tuple[Any, str, str, str], histories: int = 60) -> None:
    """The machine fails within the usual number of histories."""
    for owner, name, right, wrong in mistakes:
        monkeypatch.setattr(owner, name, mistaken(owner, name, right, wrong))
    with pytest.raises(AssertionError):
        search(machine(in_memory), histories=histories, phases=[Phase.generate], database=None)


def mistaken(owner: Any, name: str, right: str, wrong: str) -> Any:
    """A function, method or property of a module or class with what is `right` in its text made `wrong`."""
    original = inspect.getattr_static(owner, name)
    function: Any = original.fget if isinstance(original, property) else original
    text = textwrap.dedent(inspect.getsource(function))
    assert text.count(right) == 1, f"{name} does not say {right!r} once: put the mistake into other words"
    made: dict[str, Any] = {}
    code = "from __future__ import annotations\n" + text.replace(right, wrong)
    exec(compile(code, name, "exec"), function.__globals__, made)
    return made[name]


def test_notes_of_0_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(monkeypatch, (restate, "_draft", " if restatement.difference.amount]", "]"))


def test_only_the_first_of_several_cycles_restated_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(monkeypatch, (restate, "_draft", "tuple(restatements)", "tuple(restatements[:1])"))


def test_the_terms_of_today_for_a_cycle_of_then_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(monkeypatch, (restate, "_terms_of", "history.numbered(billed.terms_version)", "history.versions[-1]"))


def test_late_voids_ignored_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(monkeypatch, (restate, "_late", 'ledger.entry(entry.account_id, entry.voids or "")', "None"))


def test_the_last_of_a_conflict_kept_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = "place = self._note_conflict("
    caught(monkeypatch, (admission._Admission, "_repeated", noted, f"self._contents[row or 0] = content; {noted}"))


def test_event_ids_without_their_account_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    by_id = "self._db.rows('SELECT position FROM entry WHERE event_id = ?', key[1])"
    looked_up, alone = (
        "self._db.look_up(EVENT_POSITION, keys)",
        f"[dict(enumerate({by_id})).get(0, [None])[0] for key in keys]",
    )
    caught(monkeypatch, (Ledger, "_stored", looked_up, alone))


def test_duplicates_seen_only_within_a_batch_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(
        monkeypatch,
        (Ledger, "_stored", "return positions", "return [None] * len(contents)"),
        (SqliteDatabase, "insert", "INSERT INTO once", "INSERT OR IGNORE INTO once"),
    )


def test_terms_of_any_time_for_a_position_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(monkeypatch, (engine, "terms_in", "position=position_of(ledger, options or ReadOptions())", "position=None"))


def test_a_reach_of_only_its_own_cycle_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(monkeypatch, (restate, "affected_span", "occurred_at + policy.longest_window", "occurred_at + 1"))


def test_notes_of_the_wrong_sign_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = "self.fresh.total + -self.billed.total", "self.billed.total + -self.fresh.total"
    caught(monkeypatch, (Restatement, "difference", right, wrong))


def test_notes_of_rounded_amounts_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = "self.fresh.total + -self.billed.total"
    wrong = f"Money(({right}).amount.quantize(1), self.billed.total.currency)"
    caught(monkeypatch, (Restatement, "difference", right, wrong))


def test_some_restated_taken_for_all_restated_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(monkeypatch, (restate, "_draft", "first is None and last is None and not accounts", "True"), histories=200)


def test_a_reach_of_the_shortest_window_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(monkeypatch, (restate, "_touched", "longest = max(", "longest = min("), histories=200)
