"""Values that files should not contain, as spreadsheets, exports, other clocks and people write them."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from billing.inputs.rows import COLUMNS

# fmt: off
INSTANTS: Final = (
    "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T23:59:60Z", "2026-01-01T00:00:00", "0000-00-00",
    "2199-12-31T23:59:59.999999-23:59", "2000-01-01T00:00:00+23:59", "1999-12-31T23:59:59Z", "24:00", ":60", "now",
    "2026-01-01T00:00:00-00:00", "2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00Z[Europe/Paris]", "1767225600",
    "2000-01-01T00:00:00Z", "2199-12-31T23:59:59.999999Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
    "2026-01-01", "12:00:00", "２０２６-01-01",
)
NUMBERS: Final = (
    "NaN", "nan", "Infinity", "-Infinity", "1e400", "1e-400", "-0", "0x10", "1_000", "١٢", "３", "²", "½", ".5", "1.",
    "1,5", "+7", "007", "10", "-1", "9" * 25, "-" + "9" * 25, "9" * 5_000, "0." + "0" * 400 + "1", "999999999999999",
    "9223372036854775808", "1000000000001", "7.999999999999", "0.0000000000001", "100%", "101%", "-1%", "0.5%",
)
WORDS: Final = (
    "action.called", "Action.Called", "integration.connected", "integration.disconnected", "identity.deleted",
    "identity.created", "event.voided", "engagement", "standard", "auto", "managed", "volume", "graduated",
    "restarts", "extends", "true", "null", "None", "[]", "{}", "{0}", "{got}", "{0.__class__}", "%s", "%n", "$ref",
    "self", "__class__", "model_config", "plan.json", "USD", "XXX", "JPY", "CLF", "usd",
    "Europe/Paris", "../../etc/passwd", "Etc/GMT+12", "America/../UTC", "Asia/Kathmandu",
    "P0D", "P1Y", "PT", "P", "P3650D", "P3651D", "PT0.000001S", "PT0.0000001S", "P9999W", "P1W2DT3H4M5S",
)
TEXTS: Final = (
    "", " ", "\t", "a\0b", "\ufeffacme", "\u202eacme", "acme\u2066", "\u200b", "\u2028", "\x85", "\xa0", "\x1b[31m",
    "e\u0301", "\u0301", "\u1e9b\u0323", "\ufb01", "\U0001f9d1\u200d\U0001f4bb", "\U0010ffff", "\ufffe", "ｅ", "İ", "ß",
    "x" * 128, "x" * 129, "é" * 65, "x" * 140_000, "[" * 3_000, '{"a":' * 1_200, "[" * 800 + "]" * 800, "((" * 300,
    '"', '""', "'", "\'\'", '"a', "a,b", "a\nb", "a\r\nb", "a\rb", "=1+1", "@SUM(A1)", "\\", "\\u0000", "\\ud800",
    "acme", "ada", "e1", "e2", "e5", *COLUMNS,
)
# fmt: on
ALL: Final = (*INSTANTS, *NUMBERS, *WORDS, *TEXTS)

#: The nastiest values of a field; those of any other field are texts.
_FITTING: Final = {
    **dict.fromkeys(("occurred_at", "recorded_at", "anchor"), INSTANTS),
    **dict.fromkeys(("results", "up_to", "unit_price", "flat_price", "package_size", "included", "months"), NUMBERS),
    **dict.fromkeys(("minimum", "maximum", "discount"), NUMBERS),
    **dict.fromkeys(("type", "identity_type", "mode", "currency", "timezone", "reconnect"), WORDS),
    **dict.fromkeys(("action_window", "connect_window", "plan"), WORDS),
}


@cache
def nasty(field: str = "") -> SearchStrategy[str]:
    """A nasty value for a field: mostly one that resembles a valid one, sometimes anything."""
    fitting = _FITTING.get(field, TEXTS)
    return st.sampled_from((*fitting * 8, *ALL)) | st.sampled_from(fitting) | st.text(max_size=6)


@cache
def values(field: str = "") -> SearchStrategy[Any]:
    """JSON values of any type in place of a field's value, and some that JSON does not allow."""
    numbers = st.sampled_from((0, -1, 3, 10**15, 2**63, 10**400, 0.5, 1e300, float("nan"), float("inf"), True, False))
    nested = st.sampled_from(([], {}, [[]], {"a": {"b": [1]}}))
    return st.one_of(
        nasty(field), nasty(field), numbers, st.none(), nested.map(deepcopy), st.sampled_from(("\ud800", "a\udc00"))
    )
