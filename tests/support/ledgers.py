"""How many random examples a test tries; the strategies are in `billing.verify`."""

from __future__ import annotations

import os

from hypothesis import settings

#: True in `make verify-long`, which has a whole night to search.
LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
#: True in `make mutation`, which runs each test thousands of times; few examples are enough to notice mutants.
_MANY_TIMES = os.environ.get("HYPOTHESIS_PROFILE") == "mutation"


def examples(normal: int, long: int) -> settings:
    """How many examples a test tries: `normal` of them, and `long` under the profile of that name."""
    return settings(max_examples=long if LONG else min(normal, 300) if _MANY_TIMES else normal)
