"""Plans and terms that no reader may crash on, in TOML and in JSON.

Each is a Hypothesis strategy of `Given`: half of its files are valid ones, spoiled; the other half
mix valid and nasty values.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.nasty import nasty, values
from tests.support.spoiling import Given, spoil

PLAN: Final = """\
id = "sample"
currency = "USD"
mode = "volume"
included = 1
package_size = 2
minimum = "5"
maximum = "100.5"
charge_flat_at_zero = true
tiers = [
  { up_to = 10, unit_price = "7.99", flat_price = "1" },
  { unit_price = "6.99" },
]
"""
TERMS: Final = """\
[default]
plan = "plan.toml"
months = 3

[accounts.acme]
anchor = 2025-01-31T08:30:00Z
timezone = "Europe/Berlin"
discount = "10%"
reconnect = "restarts"
action_window = "P30D"
connect_window = "P5DT1H"
"""


def plans() -> SearchStrategy[Given]:
    """Plans in TOML and in JSON."""
    return _settings("plan", PLAN)


def terms() -> SearchStrategy[Given]:
    """Terms in TOML and in JSON."""
    return _settings("terms", TERMS)


def _settings(name: str, fine: str) -> SearchStrategy[Given]:
    document = tomllib.loads(fine)
    as_json = json.dumps(document, default=str, indent=1)
    return st.one_of(
        st.builds(Given, st.just(f"{name}.toml"), spoil((fine.encode(),))),
        st.builds(Given, st.just(f"{name}.json"), spoil((as_json.encode(),))),
        st.builds(Given, st.just(f"{name}.toml"), _changed(document).map(_toml_of)),
        st.builds(Given, st.just(f"{name}.json"), _changed(document).map(_json_of)),
    )


#: Keys that mean something to Python, or elsewhere in a document.
_KEYS: Final = ("self", "data", "cls", "__init__", "model_config", "load", "price", "default", "tiers", "plan", "up_to")


@st.composite
def _changed(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """A document in which some values or keys are nasty, or missing."""
    changed = deepcopy(document)
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(changed))
        if not places:
            break
        table, key = places[draw(st.integers(0, len(places) - 1))]
        what = draw(st.sampled_from(("value", "value", "value", "key", "another key", "gone")))
        if what == "value" or isinstance(table, list):
            table[key] = draw(values(str(key)))
        elif what == "gone":
            del table[key]
        else:
            kept = table[key] if what == "another key" else table.pop(key)
            table[draw(st.sampled_from(_KEYS) | nasty())] = deepcopy(kept)
    return changed


def _places(table: Any) -> Iterator[tuple[Any, Any]]:
    """Every table and list of a document, with every key of it."""
    items = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    for key, value in items:
        yield table, key
        yield from _places(value)


def _toml_of(document: dict[str, Any]) -> bytes:
    lines = [f"{json.dumps(key)} = {_toml(value)}" for key, value in document.items()]
    return "\n".join(lines).encode()


def _json_of(document: dict[str, Any]) -> bytes:
    return json.dumps(document, default=str).encode()


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, float) and abs(value) < 1e300:
        return repr(value)
    return str(value).lower().replace(" ", "T")
