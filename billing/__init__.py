"""Exact, explainable, fast billing by the most identities active at the same moment."""

from typing import Any

import lazy_loader

# The public names and where they live stand once, in `__init__.pyi`. They are imported when first
# used, so that `import billing` and `billing --help` cost nothing.
_public_name, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("peak-billing")
    return _public_name(name)
