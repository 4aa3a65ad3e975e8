"""What the machine draws: cycles, the terms that are added, and events around the bounds of the cycles."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from hypothesis import strategies as st

from ...core.activity import ActivityPolicy
from ...core.cycle import CycleRule, moment
from ...core.plan import Plan, Tier
from ...core.terms import AllTerms, Terms
from ...inputs.timestamps import parse_instant
from ..definition import DAY
from ..strategies import ACCOUNTS, ACTIVITY, IDENTITIES, events
from .model import GRACE_PERIOD

#: The months that are closed, and those that are drafted.
MONTHS: Final = ("2026-01", "2026-02", "2026-03")
DRAFTED: Final = ("2025-12", *MONTHS, "2026-04")
#: How the cycles of each account follow one another: calendar months, and those of an anchor in New York.
RULES: Final = (
    CycleRule(),
    CycleRule(moment(parse_instant("2025-10-14T07:13:47Z", field="anchor")), timezone="America/New_York"),
)
BOUNDS: Final = tuple(tuple(rule.bound(rule.index_from(month)) for month in (*MONTHS, DRAFTED[-1])) for rule in RULES)
#: When the grace period of January is over, so that its cycle can be closed.
BEGINNING: Final = BOUNDS[0][1] + GRACE_PERIOD
MINUTE: Final = 60 * 1_000_000


def _plan(mode: Literal["volume", "graduated"], *tiers: tuple[int | None, str, str], **more: Any) -> Plan:
    steps = [Tier(up_to=bound, unit_price=Decimal(unit), flat_price=Decimal(flat)) for bound, unit, flat in tiers]
    return Plan(id=f"{mode}-{len(steps)}", mode=mode, tiers=tuple(steps), **{"currency": "USD", **more})


def _terms(plan: Plan, **more: Any) -> AllTerms:
    first, second = (Terms(plan, rule, **more) for rule in RULES)
    return AllTerms(first, {ACCOUNTS[1]: second})


_FALLING: Final = _plan("volume", (1, "9.99", "0"), (None, "4.50", "0"))
_GRADUATED: Final = _plan("graduated", (2, "7.99", "1"), (None, "5.005", "0"))
#: The terms that are added, with windows of 5 and 30 days, shorter and longer. On `falling` two cost less than one.
TERMS: Final = {
    "falling": _terms(_FALLING),
    "graduated, longer": _terms(_GRADUATED, policy=ActivityPolicy(timedelta(70), timedelta(12))),
    "discounted, restarting": _terms(
        _GRADUATED, discount=Decimal("12.5"), policy=ActivityPolicy(timedelta(10), timedelta(5), "restarts")
    ),
    "in yen, at least 5, longer for connects": _terms(
        _plan("volume", (None, "2.5", "0"), currency="JPY", minimum="5"),
        policy=ActivityPolicy(timedelta(5), timedelta(75)),
    ),
    "other cycles": AllTerms(Terms(_FALLING, RULES[1])),
}

TERM_NAMES: Final = st.sampled_from(list(TERMS))
STARTS: Final = st.sampled_from(sorted(bound for bounds in BOUNDS for bound in bounds[:-1]))
#: Instants that matter to the cycles of an account: at their bounds, a window before, in between, or just beside.
_INSTANTS: Final = [
    st.builds(
        lambda bound, days, beside: bound + days * DAY + beside,
        st.sampled_from(bounds[:-1]),
        st.sampled_from((0, -5, -30, 10)),
        st.sampled_from((0, 0, -1, 1)),
    )
    for bounds in BOUNDS
]
_EVENTS: Final = [
    events(
        accounts=[account],
        identities=IDENTITIES,
        types=(*ACTIVITY, *ACTIVITY[:2], "identity.created", "event.voided"),
        instants=instants,
        voids=st.integers(0, 9).map("e{}".format),
    )
    for account, instants in zip(ACCOUNTS, _INSTANTS, strict=True)
]
#: An event, and whose id it gets: 0 for its own, 1 for that of the event before it, 2 for the one before that.
NEW: Final = st.tuples(st.one_of(_EVENTS), st.sampled_from((0, 0, 0, 0, 0, 0, 1, 2)))
#: Few come at a time: of many, another one would hide that a cycle was not restated for one of them.
FEW: Final = st.lists(NEW, min_size=1, max_size=2)
EARLIER: Final = st.lists(st.integers(0, 20), max_size=2)
