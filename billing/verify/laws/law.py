"""What a law is: a statement about bills, and the search for an example that breaks it.

A law is a function named for what it states, which asserts it on values drawn from strategies. A false
law sounds as true and must be refuted: a search that finds no counterexample to it would find no
mistake either.

    from billing.verify.laws import LAWS

    for law in LAWS:
        law.hold(examples=1_000)                # raises for the first that does not
        law.hold(examples=1_000, engine=mine)   # if law.judges_an_engine
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from .engines import OURS, Engine

#: The arguments of a law: one value from each of its strategies.
Drawn = tuple[Any, ...]


class NotRefuted(AssertionError):
    """Raised if no example refutes a false law: the strategies draw too few examples that matter."""


@dataclass(frozen=True, eq=False)
class Law:
    """A statement about bills: its number, the function that asserts it, and its strategies.

    `check` takes one value from each of `strategies`, and the engine to try as `engine` if it has that
    parameter. `always` are examples that are tried first. `holds` is false for a law that sounds true
    and is there to be refuted.
    """

    number: str
    check: Callable[..., None]
    strategies: tuple[SearchStrategy[Any], ...]
    holds: bool = True
    always: tuple[Drawn, ...] = ()

    @property
    def name(self) -> str:
        """The name of the function, which states the law in short."""
        return self.check.__name__

    @property
    def statement(self) -> str:
        """The law in one sentence that a customer could read."""
        text = " ".join((self.check.__doc__ or "").split())
        return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]

    @property
    def judges_an_engine(self) -> bool:
        """True if the law is about activity and peaks, so that it can be tried on any engine."""
        return "engine" in inspect.signature(self.check).parameters

    def __str__(self) -> str:
        return f"{self.number} {self.name}: {self.statement}"

    def hold(self, *, examples: int = 100, engine: Engine = OURS, seed: int | None = None, shrink: bool = True) -> None:
        """Try the law on that many examples. Raises what it raises on the smallest example that breaks it.

        The examples are the same each time, unless `seed` is given. Without `shrink`, which saves time,
        it raises for the first example found.
        """
        try:
            self._search(examples, engine, seed, [], shrink=shrink)
        except Exception as error:
            error.add_note(f"This breaks {self}")
            raise

    def refute(
        self, *, examples: int = 1_000, engine: Engine = OURS, seed: int | None = None, shrink: bool = True
    ) -> Drawn:
        """An example that breaks the law. Raises `NotRefuted` if none of that many does.

        It is minimized from the first one found; without `shrink`, it is that one.
        """
        tried: list[Drawn] = []
        try:
            self._search(examples, engine, seed, tried, shrink=shrink)
        except AssertionError:
            return tried[-1]
        raise NotRefuted(f"{examples:,} examples do not refute {self}")

    def try_on(self, drawn: Drawn, *, engine: Engine = OURS) -> None:
        """Assert the law on one example."""
        self.check(*drawn, **({"engine": engine} if self.judges_an_engine else {}))

    def _search(self, examples: int, engine: Engine, seed: int | None, tried: list[Drawn], *, shrink: bool) -> None:
        if not __debug__:
            raise RuntimeError("laws are assertions, and python -O takes them out")
        for drawn in self.always:
            tried.append(drawn)
            self.try_on(drawn, engine=engine)

        @hypothesis.seed(Random(self.number + self.name).getrandbits(32) if seed is None else seed)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(st.tuples(*self.strategies))
        def search(drawn: Drawn) -> None:
            tried[:] = [drawn]
            self.try_on(drawn, engine=engine)

        search()


def law(
    number: str, *strategies: SearchStrategy[Any], always: tuple[Drawn, ...] = ()
) -> Callable[[Callable[..., None]], Law]:
    """Make a function a law."""
    return lambda check: Law(number, check, strategies, always=always)


def false_law(number: str, *strategies: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Law]:
    """Make a function a law that sounds true and is not."""
    return lambda check: Law(number, check, strategies, holds=False)
