"""The toolkit that searches for an invoice that is wrong: the definition, read literally.

`check` holds any biller against it. What needs Hypothesis is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attack.differential import Wrong, check

__all__ = ["Wrong", "check"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'billing.verify' has no attribute {name!r}")
    from .attack import differential

    return getattr(differential, name)
