"""How hard the machines search: one profile for every day, one for a long night."""

from __future__ import annotations

import os

from hypothesis import settings

# In CI the same examples come every time, so that a build never fails by chance.
settings.register_profile("ci", derandomize=True, database=None, deadline=None, max_examples=100)
settings.register_profile("dev", deadline=None, max_examples=100)
settings.register_profile("long", deadline=None, max_examples=100 * int(os.environ.get("BILLING_EXAMPLES", "10")))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
