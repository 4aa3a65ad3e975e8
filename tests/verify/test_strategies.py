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
        "a deletion at the instant of an action": lambda own: _meet(own, "identity.deleted", "action.called", 0),
        "a connect at the instant of an action": lambda own: _meet(own, "integration.connected", "action.called", 0),
        "an action at the end of a window": lambda own: _meet(own, "action.called", "action.called", 30 * DAY),
        "an event just after a window": lambda own: any(
            _meet(own, one, other, WINDOWS[other] + 1) for one in BEGINNING for other in BEGINNING
        ),
        "an action at the end of the cycle": lambda own: _at(own, "action.called", JANUARY[1]),
        "an action just before the cycle": lambda own: _at(own, "action.called", JANUARY[0] - 1),
        "an action a window before the cycle": lambda own: _at(own, "action.called", JANUARY[0] - 30 * DAY),
        "a repeat": lambda own: len(own) > len(set(own)),
        "one id with two contents": lambda own: len(ids := _ids(set(own))) > len(set(ids)),
        "a void of a void": lambda own: bool(_voids(own) & {e.event_id for e in own if e.type == "event.voided"}),
        "a void of nothing": lambda own: not _voids(own) <= {e.event_id for e in own},
        "an identity of two types": lambda own: len(kinds := _kinds(own)) > len({identity for identity, _ in kinds}),
        "a name in two accounts": lambda own: (
            len({(e.account_id, e.identity_id) for e in own}) > len({e.identity_id for e in own})
        ),
    }
    drawn: set[str] = set()

    @settings(max_examples=500, phases=[Phase.generate])
    @given(ledgers(around=JANUARY, accounts=2))
    def look(events: list[Event]) -> None:
        drawn.update(name for name, happens in meetings.items() if happens(events))

    look()
    assert meetings.keys() == drawn


def _meet(events: list[Event], one: str, other: str, apart: int) -> bool:
    return any(
        a.type == one
        and b.type == other
        and (a.account_id, a.identity_id) == (b.account_id, b.identity_id)
        and a.occurred_at - b.occurred_at == apart
        for a in events
        for b in events
    )


def _at(events: list[Event], event_type: str, instant: int) -> bool:
    return any(e.type == event_type and e.occurred_at == instant for e in events)


def _ids(events: set[Event]) -> list[tuple[str, str]]:
    return [(e.account_id, e.event_id) for e in events if e.event_id is not None]


def _voids(events: list[Event]) -> set[str | None]:
    return {e.voids for e in events if e.voids is not None}


def _kinds(events: list[Event]) -> set[tuple[tuple[str, str], str | None]]:
    return {((e.account_id, e.identity_id), e.identity_type) for e in events if e.type == "identity.created"}
