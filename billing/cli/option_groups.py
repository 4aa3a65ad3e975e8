"""Options that belong together, declared once: a verb takes a group whole, and the command line shows its options."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any, get_type_hints

from .options import (
    Account,
    Anchor,
    As,
    AsOf,
    AsResultOrDocument,
    Cycle,
    Expected,
    First,
    Format,
    IgnoreExtra,
    IssuedAt,
    KnownAt,
    Last,
    Locale,
    Months,
    Output,
    PlanFile,
    Position,
    Reconnect,
    Rejections,
    ResultOrDocumentFormat,
    Strict,
    TermsFile,
    Timezone,
    Yes,
    instant_of,
    now_or,
)
from .output import Draw, write_result

if TYPE_CHECKING:
    from ..core.terms import AllTerms, TermsHistory
    from ..engine.query import Query
    from ..inputs.rows import ReadOptions
    from ..outputs.tables.schema import View


def spread(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb as Typer sees it: each group it takes is spread into the options of the group."""
    hints = get_type_hints(verb, include_extras=True)
    parameters: list[Parameter] = []
    groups: dict[str, Any] = {}
    for name, parameter in signature(verb).parameters.items():
        group = hints[name]
        if is_dataclass(group):
            groups[name] = group
            options = get_type_hints(group, include_extras=True)
            parameters += [_option(each.name, options[each.name], each.default) for each in fields(group)]
        else:
            parameters.append(_option(name, group, parameter.default))

    @wraps(verb)
    def called(**given: Any) -> None:
        whole = {name: group(**{each.name: given.pop(each.name) for each in fields(group)})
                 for name, group in groups.items()}  # fmt: skip
        verb(**given, **whole)

    # `inspect.signature`, by which Typer finds the options, honours this attribute; the type of a function lacks it.
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def _option(name: str, annotation: Any, default: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


@dataclass(frozen=True, slots=True)
class TermsOptions:
    """Under which terms to bill."""

    plan: PlanFile = None
    terms: TermsFile = None
    anchor: Anchor = None
    timezone: Timezone = None
    months: Months = None
    reconnect: Reconnect = None

    @property
    def is_given(self) -> bool:
        """True if one of the options was given."""
        return any(getattr(self, each.name) is not None for each in fields(self))

    def given(self) -> AllTerms | None:
        """The terms that the options state; none if no option was given."""
        from ..config.terms import load_terms
        from ..core.terms import AllTerms

        if not self.is_given:
            return None
        return self._change()(AllTerms() if self.terms is None else load_terms(self.terms))

    def applied_to(self, source: Any, options: ReadOptions) -> AllTerms | TermsHistory:
        """The terms file, or else a ledger's own terms, changed by the other options."""
        from ..config.terms import load_terms
        from ..core.terms import AllTerms
        from ..engine.result import terms_in
        from ..ledger.ledger import Ledger

        change = self._change()
        if self.terms is None and isinstance(source, Ledger) and (history := terms_in(source, options)).versions:
            return history.changed(change)
        return change(AllTerms() if self.terms is None else load_terms(self.terms))

    def _change(self) -> Callable[[AllTerms], AllTerms]:
        from ..config.terms import Settings, load_plan, overridden

        settings = Settings(anchor=self.anchor, timezone=self.timezone, months=self.months, reconnect=self.reconnect)
        plan = None if self.plan is None else load_plan(self.plan)
        return lambda terms: overridden(terms, settings, plan=plan)


@dataclass(frozen=True, slots=True)
class CycleOptions:
    """Which cycles of which accounts to bill."""

    cycle: Cycle = None
    first: First = None
    last: Last = None
    account: Account = None

    def query(self, terms: AllTerms | TermsHistory, *, as_of: str | None = None, ids: bool = False) -> Query:
        """The query for these cycles; with `ids`, also for the events that show a peak."""
        from ..core.cycle import month_of
        from ..core.errors import BillingError
        from ..engine.query import Query

        if self.cycle is not None and (self.first is not None or self.last is not None):
            raise BillingError("usage", detail="--cycle goes without --first and --last")
        if self.cycle is not None:
            month_of(self.cycle, field="--cycle")
        return Query(
            terms=terms,
            first=self.first if self.cycle is None else self.cycle,
            last=self.last if self.cycle is None else self.cycle,
            accounts=tuple(self.account or ()),
            as_of=instant_of(as_of, "--as-of"),
            ids=ids,
        )


@dataclass(frozen=True, slots=True)
class RecordedOptions:
    """What had been recorded when."""

    known_at: KnownAt = None
    position: Position = None

    @property
    def until(self) -> str | None:
        """The instant at which events stop; none if all of them count."""
        return None


@dataclass(frozen=True, slots=True)
class KnownOptions(RecordedOptions):
    """What had occurred and been recorded when."""

    as_of: AsOf = None

    @property
    def until(self) -> str | None:
        """The instant at which events stop; none if all of them count."""
        return self.as_of


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How to read a source."""

    strict: Strict = False
    ignore_extra: IgnoreExtra = False
    rejections: Rejections = None

    @contextmanager
    def options(
        self, source: Any, known: RecordedOptions | None = None, *, digest: bool = False
    ) -> Iterator[ReadOptions]:
        """How to read, with a progress bar on standard error for what takes more than a second."""
        from ..inputs.rows import ReadOptions
        from .output import reading

        known = known or RecordedOptions()
        options = ReadOptions(
            self.strict, self.ignore_extra, instant_of(known.known_at, "--known-at"), digest, position=known.position
        )
        if not sys.stderr.isatty() or not isinstance(source, str):
            yield options
            return
        with reading(source) as progress:
            yield replace(options, progress=progress)


@dataclass(frozen=True, slots=True)
class IssueOptions:
    """Whether to issue documents, and when."""

    issued_at: IssuedAt = None
    position: Expected = None
    yes: Yes = False

    @property
    def now(self) -> int:
        """The date of the documents, in microseconds."""
        return now_or(self.issued_at)


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How to write the result, and where."""

    format: As = Format.table
    output: Output = None

    def write(self, *, table: Draw, rows: Callable[[], View], json: Callable[[], str] | None = None) -> None:
        """Write the result in the format asked for: a table for people, or rows; `json` where JSON says more."""
        write_result(self.format, self.output, table=table, rows=rows, json=json)


@dataclass(frozen=True, slots=True)
class ResultOrDocumentOptions:
    """How to write a result that can also be a document, and where."""

    format: AsResultOrDocument = ResultOrDocumentFormat.table
    output: Output = None
    locale: Locale = None

    def write(self, *, table: Draw, rows: Callable[[], View], json: Callable[[], str] | None = None) -> None:
        """Write the result, unless it is asked for as a document, which `documents.write_documents` does."""
        write_result(self.format, self.output, table=table, rows=rows, json=json)


@contextmanager
def open_query(
    source: str, cycles: CycleOptions, terms: TermsOptions, known: RecordedOptions, read: ReadingOptions,
    *, ids: bool = False, digest: bool = False,
) -> Iterator[tuple[Any, Query, ReadOptions]]:  # fmt: skip
    """The source, opened, what to ask of it, and how to read it."""
    from .. import engine

    with engine.open_source(source) as opened, read.options(opened, known, digest=digest) as options:
        yield opened, cycles.query(terms.applied_to(opened, options), as_of=known.until, ids=ids), options
