"""Whether the strategies make things meet: where nothing did, every mistake would pass."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import Phase, given, settings

from billing.verify.definition import DAY, WINDOWS, Event
from billing.verify.laws.story import BEGINNING
from billing.verify.strategies import JANUARY, ledgers


def test_every_kind_of_collision_is_drawn() -> None:
    """Generators that stopped making things meet would let every mistake pass."""
    meetings: dict[str, Callable[[list[Event]], bool]] = {
        "a deletion at the instant of an action": lambda told: _meet(told, "identity.deleted", "action.called", 0),
        "a connect at the instant of an action": lambda told: _meet(told, "integration.connected", "action.called", 0),
        "an action at the end of a window": lambda told: _meet(told, "action.called", "action.called", 30 * DAY),
        "an event just after a window": lambda told: any(
            _meet(told, one, other, WINDOWS[other] + 1) for one in BEGINNING for other in BEGINNING
        ),
        "an action at the end of the cycle": lambda told: _at(told, "action.called", JANUARY[1]),
        "an action just before the cycle": lambda told: _at(told, "action.called", JANUARY[0] - 1),
        "an action a window before the cycle": lambda told: _at(told, "action.called", JANUARY[0] - 30 * DAY),
        "a repeat": lambda told: len(told) > len(set(told)),
        "one id with two contents": lambda told: len(ids := _ids(set(told))) > len(set(ids)),
        "a void of a void": lambda told: bool(_voids(told) & {e.event_id for e in told if e.type == "event.voided"}),
        "a void of nothing": lambda told: not _voids(told) <= {e.event_id for e in told},
        "an identity of two types": lambda told: len(kinds := _kinds(told)) > len({identity for identity, _ in kinds}),
        "a name in two accounts": lambda told: (
            len({(e.account_id, e.identity_id) for e in told}) > len({e.identity_id for e in told})
        ),
    }
    drawn: set[str] = set()

    @settings(max_examples=500, phases=[Phase.generate])
    @given(ledgers(around=JANUARY, accounts=2))
    def look(told: list[Event]) -> None:
        drawn.update(name for name, happens in meetings.items() if happens(told))

    look()
    assert meetings.keys() == drawn


def _meet(told: list[Event], one: str, other: str, apart: int) -> bool:
    return any(
        a.type == one
        and b.type == other
        and (a.account_id, a.identity_id) == (b.account_id, b.identity_id)
        and a.occurred_at - b.occurred_at == apart
        for a in told
        for b in told
    )


def _at(told: list[Event], event_type: str, instant: int) -> bool:
    return any(e.type == event_type and e.occurred_at == instant for e in told)


def _ids(told: set[Event]) -> list[tuple[str, str]]:
    return [(e.account_id, e.event_id) for e in told if e.event_id is not None]


def _voids(told: list[Event]) -> set[str | None]:
    return {e.voids for e in told if e.voids is not None}


def _kinds(told: list[Event]) -> set[tuple[tuple[str, str], str | None]]:
    return {((e.account_id, e.identity_id), e.identity_type) for e in told if e.type == "identity.created"}
