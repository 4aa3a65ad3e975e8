"""When a kernel is compiled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from billing.core import kernel


def test_a_kernel_is_compiled_from_so_many_rows_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """For fewer, loading the compiler would take longer than the work; who does not say how many has enough."""

    def plain() -> str:
        return "plain"

    def machine_code(of: Callable[..., object]) -> Callable[[], str]:
        return lambda: f"machine code of {of()}"

    monkeypatch.setattr(kernel, "_compile", machine_code)
    made = [kernel.compile_kernel(plain, rows) for rows in (0, kernel.SMALL - 1, kernel.SMALL)]
    assert ["plain", "plain", "machine code of plain"] == [run() for run in made]
    assert "machine code of plain" == kernel.compile_kernel(plain)()
