"""How hard tests search made-up ledgers; the ledgers themselves are in `billing.verify`."""

from __future__ import annotations

import os

from hypothesis import settings

#: Whether there is a whole night to search.
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
#: Whether thousands of mutants wait for each test, which few examples tell apart.
_MANY_TIMES = os.environ.get("HYPOTHESIS_PROFILE") == "mutation"


def examples(normal: int, long: int) -> settings:
    """How many examples a test tries: `normal` of them, and `long` under the profile of that name."""
    return settings(max_examples=long if LONG else min(normal, 300) if _MANY_TIMES else normal)
