"""Compiling the two kernels, when there is enough to do that it pays.

A kernel is a plain Python function over columns of integers. It is compiled by handing it to
`compile_kernel`, so the same text can be read, stepped through, covered and mutated uncompiled
(`NUMBA_DISABLE_JIT=1`). What is compiled is kept on disk between runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar, cast

Kernel = TypeVar("Kernel", bound=Callable[..., object])

#: Below this many rows a kernel runs uncompiled over lists, which spares loading the compiler.
SMALL: Final = 100_000


@cache
def _compile(kernel: Callable[..., object]) -> Callable[..., object]:
    from numba import njit

    return cast(Callable[..., object], njit(cache=True, nogil=True)(kernel))


def compile_kernel(kernel: Kernel, rows: int = SMALL) -> Kernel:
    """The kernel as machine code, with the answers of the uncompiled one; as it is for few `rows`."""
    return cast(Kernel, _compile(kernel)) if rows >= SMALL else kernel
