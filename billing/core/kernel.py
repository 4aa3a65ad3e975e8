"""Compiling kernels, where there are enough rows for it to pay.

A kernel is a plain Python function over columns of integers, compiled by `compile_kernel`. The same
source can be debugged, covered and mutated uncompiled (`NUMBA_DISABLE_JIT=1`). Machine code is cached on
disk between runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar, cast

Kernel = TypeVar("Kernel", bound=Callable[..., object])

#: Below this many rows a kernel runs uncompiled over lists, so that the compiler need not be loaded.
SMALL: Final = 100_000


@cache
def _compile(kernel: Callable[..., object]) -> Callable[..., object]:
    from numba import njit

    return cast(Callable[..., object], njit(cache=True, nogil=True)(kernel))


def compile_kernel(kernel: Kernel, rows: int = SMALL) -> Kernel:
    """The kernel as machine code, with the same results; for few `rows`, the kernel itself."""
    return cast(Kernel, _compile(kernel)) if rows >= SMALL else kernel
