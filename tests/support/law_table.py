"""The table of laws in `tests/README.md`: run this to print it anew.

python -m tests.support.law_table
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from billing.core.plan import Plan, Tier
from billing.verify.definition import DAY, Event
from billing.verify.laws import FALSE_LAWS, LAWS, Law, Story
from billing.verify.laws.sample_ledgers import Deliveries
from billing.verify.laws.story import Addition
from billing.verify.strategies import JANUARY

#: How many examples `make verify-long` tries a law on, unless `MORE_OFTEN` says otherwise.
LONG: Final = 1_000
#: How many examples the normal run tries on the definition as well.
ON_THE_DEFINITION: Final = 20
#: How many in the normal run, by the module that a law is in: more where an example takes less time.
NORMAL: Final = {"prices": 100, "cycles": 100, "digests": 100, "activity": 40, "peaks": 30, "files": 40}
NORMAL_OF_LEDGERS: Final = 15
#: Laws that are tried on more examples: in the normal run, and by `make verify-long`.
MORE_OFTEN: Final = {
    "the_engine_gives_the_peaks_of_the_definition": (500, 20_000),
    "active_is_the_union_of_covers": (200, 10_000),
    "a_ledger_answers_as_a_file_of_its_events": (30, 5_000),
    "a_ledger_explains_as_a_file_of_its_events": (30, 3_000),
    "a_ledger_has_the_peaks_of_the_definition_on_its_own_entries": (30, 10_000),
    "at_a_noted_position_and_moment_the_answer_stays_what_it_was": (20, 2_000),
    "invoice_and_notes_are_what_the_cycle_comes_to_now": (30, 10_000),
    "no_two_contents_are_written_alike": (200, 50_000),
    "nor_are_two_that_are_nearly_alike": (200, 20_000),
    "rows_of_columns_are_written_as_single_contents_are": (100, 10_000),
}

#: The numbers without a law here: where they are tested, or why not yet.
ELSEWHERE: Final = {
    "I09": "what others see while many write needs a server: "
    "test_postgres.py::test_who_follows_a_ledger_that_many_write_to_misses_nothing",
    "I13": "one contract for every kind of ledger: test_ledger.py, class LedgerContract; the machine on each: "
    "test_machine.py::test_a_ledger_on_a_server_holds_what_the_model_says",
    "I72": "no allocation exists yet: nothing splits a total",
    "I86": "Spark comes later",
    "I87": "a matter of processes: test_determinism.py; in one process, "
    "test_activity.py::test_machine_code_gives_the_answers_of_what_it_was_made_from",
    "I88": "no earlier version has issued anything; within one version it is I76",
}
#: Tests of the same statements under crashes, tampering and concurrency.
BESIDES: Final = {
    "I04": "test_durability.py::test_an_import_that_was_killed_anywhere_is_finished_by_doing_it_again",
    "I10": "test_tamper.py::test_every_edit_is_found",
    "I82": "test_durability.py::test_many_closes_at_once_issue_one_invoice_for_each_account",
    "I83": "test_durability.py::test_many_closes_of_different_accounts_leave_no_number_out",
    "I85": "test_opinions.py, with DuckDB and Polars",
}


def _of_january(event_type: str, day: float, identity: str = "ada", name: str | None = None) -> Event:
    return Event("acme", identity, event_type, JANUARY[0] + round(day * DAY), name)


def _action(day: float, identity: str = "ada", name: str | None = None) -> Event:
    return _of_january("action.called", day, identity, name)


def _plan(*tiers: tuple[int | None, str]) -> Plan:
    steps = tuple(Tier(up_to=bound, unit_price=Decimal(price)) for bound, price in tiers)
    return Plan(id="sample", currency="USD", mode="volume", tiers=steps)


_DELETED: Final = _of_january("identity.deleted", 1)
_TWO: Final = [_action(0, name="e0"), _action(0, "bo", "e1")]
#: The smallest example that refutes each false law, in words and as it is given. Days count from 1 January.
COUNTEREXAMPLES: Final[dict[str, tuple[str, tuple[Any, ...]]]] = {
    "I20": ("an action on day 0, deleted on day 1", (Story([_action(0), _DELETED]),)),
    "I32": (
        "an action on day 0, a connect on day 1: active to day 6, and not to day 30",
        (Addition(Story([_action(0)], reconnect="restarts"), _of_january("integration.connected", 1)),),
    ),
    "I33": (
        "an action on day -1, then a deletion at the start of the cycle: 1 becomes 0",
        (Addition(Story([_action(-1)]), _of_january("identity.deleted", 0)),),
    ),
    "I35": ("an action on day -6: 1, and not 0", (Story([_action(-6)]),)),
    "I36": ("an action on day -1: 1, and not 0", (Story([_action(-1)]),)),
    "I50": (
        "ada calls on day 0 and is deleted on day 1, when bo calls: 1 at most at once, 2 added up",
        (Story([_action(0), _DELETED, _action(1, "bo")]),),
    ),
    "I53": (
        "ada calls on day 0 and is deleted at noon, when bo calls: 1 at once, 2 in a day",
        (Story([_action(0), _of_january("identity.deleted", 0.5), _action(0.5, "bo")]),),
    ),
    "I61": (
        "an action on day 0, then a deletion at the same instant comes late: 1 becomes 0",
        (Addition(Story([_action(0)]), _of_january("identity.deleted", 0)),),
    ),
    "I64": ("1 costs 10.00, 2 cost 8.00 at 4.00 each", (_plan((1, "10.00"), (None, "4.00")), 1)),
    "I71": ("0.05 less 50%: 0.05 - 0.03 = 0.02, and not 0.03", (_plan((None, "0.05")), 1, Decimal(50))),
    "I81": (
        "1 costs 10.00 and was billed; a second action comes late, and 2 cost 8.00",
        (Deliveries(Story(_TWO), _TWO[:1], _TWO[1:]),),
    ),
}


def module_of(law: Law) -> str:
    """The module of the toolkit that a law is in."""
    return law.check.__module__.rpartition(".")[2]


def examples_of(law: Law) -> tuple[int, int]:
    """How many examples a law is tried on: in the normal run, and in the long one."""
    return MORE_OFTEN.get(law.name, (NORMAL.get(module_of(law), NORMAL_OF_LEDGERS), LONG))


def table() -> str:
    """The table, a row for each law, and for each number that is no law."""
    rows = [(law.number, _row(law)) for law in [*LAWS, *FALSE_LAWS]]
    rows += [(number, f"| {number} | | {_linked(reason)} | | elsewhere |") for number, reason in ELSEWHERE.items()]
    head = ["| number | law | where | examples: normal / long | verdict |", "|---|---|---|---|---|"]
    return "\n".join(head + [row for _, row in sorted(rows, key=lambda row: row[0])]) + "\n"


def _row(law: Law) -> str:
    where = f"`{module_of(law)}`: {law.name.replace('_', ' ')}"
    if law.number in BESIDES and law is next(each for each in LAWS if each.number == law.number):
        where += f"; besides: {_linked(BESIDES[law.number])}"
    if not law.holds:
        return f"| {law.number} | {law.statement} | {where} | 1,000 | **refuted**: {COUNTEREXAMPLES[law.number][0]} |"
    normal, long = examples_of(law)
    both = f"{normal:,} / {long:,}"
    if law.judges_an_engine:
        both += f", on the definition {ON_THE_DEFINITION} / {LONG:,}"
    return f"| {law.number} | {law.statement} | {where} | {both} | holds |"


def _linked(reason: str) -> str:
    """The text with names of files and tests set as code."""
    return re.sub(r"test_\w+\.py(::\w+)?", lambda found: f"`{found[0]}`", reason)


if __name__ == "__main__":
    print(table(), end="")
