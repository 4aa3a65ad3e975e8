"""What a law is: a statement that can be searched for something that breaks it.

A law is a function named for what it states. It is given whatever its strategies draw, and asserts.
A false law is one that sounds as true, and must be refuted: a search that could not would find
nothing else either.

    from billing.verify.laws import LAWS

    for law in LAWS:
        law.hold(examples=1_000)                # raises for the first that does not
        law.hold(examples=1_000, engine=mine)   # if it speaks of activity and peaks
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

#: What a law is given: one value of each of its strategies.
Drawn = tuple[Any, ...]


class NotRefuted(AssertionError):
    """No example was found on which a false law does not hold: the strategies are too blunt."""


@dataclass(frozen=True, eq=False)
class Law:
    """A statement about bills: its number, the function that asserts it, and what that is given.

    `check` takes one value of each of `strategies`, and the engine it judges as `engine` if it has
    that parameter. `always` are examples that are tried first. A law that `holds` has no
    counterexample; the others are false, and there to be refuted.
    """

    number: str
    check: Callable[..., None]
    strategies: tuple[SearchStrategy[Any], ...]
    holds: bool = True
    always: tuple[Drawn, ...] = ()

    @property
    def name(self) -> str:
        """The name of the function, which says what the law states."""
        return self.check.__name__

    @property
    def statement(self) -> str:
        """The law in one sentence, as a customer could read it."""
        text = " ".join((self.check.__doc__ or "").split())
        return re.split(r"(?<=\.)\s", text, maxsplit=1)[0]

    @property
    def judges_an_engine(self) -> bool:
        """Whether it speaks of activity and peaks, so that any engine can be given to it."""
        return "engine" in inspect.signature(self.check).parameters

    def __str__(self) -> str:
        return f"{self.number} {self.name}: {self.statement}"

    def hold(self, *, examples: int = 100, engine: Engine = OURS, seed: int | None = None, shrink: bool = True) -> None:
        """Search that many examples; raises what the law raises on the smallest that breaks it.

        The same examples come each time, unless `seed` is another. With `shrink` false, which takes
        less time, what is raised is that of the first example found.
        """
        try:
            self._search(examples, engine, seed, [], shrink=shrink)
        except Exception as error:
            error.add_note(f"This breaks {self}")
            raise

    def refute(
        self, *, examples: int = 1_000, engine: Engine = OURS, seed: int | None = None, shrink: bool = True
    ) -> Drawn:
        """An example that breaks the law. Raises `NotRefuted` if there is none among so many.

        It is the smallest that can be made of the first one found; with `shrink` false, the first itself.
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
    """Make a function the law of a number."""
    return lambda check: Law(number, check, strategies, always=always)


def false_law(number: str, *strategies: SearchStrategy[Any]) -> Callable[[Callable[..., None]], Law]:
    """Make a function a law that sounds true, and is not."""
    return lambda check: Law(number, check, strategies, holds=False)
