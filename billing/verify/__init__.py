"""Tools to find an invoice that is wrong, by the definition of a bill written as plain Python.

`check` compares any biller with the definition on random ledgers.
"""

import lazy_loader

# Most of this needs Hypothesis, an optional dependency, so that names are imported when first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
