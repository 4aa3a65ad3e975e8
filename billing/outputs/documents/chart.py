"""Charts of a cycle or a year of an account, each with a description and its complete data.

A cycle is open if it ends after `as_of`, or without `as_of`, if no event of any account in the source
occurred after its end.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ... import engine
from ...core.cycle import micros
from ...core.errors import BadCycle, BillingError, quoted
from ...core.event import INSTANT_MAX, INSTANT_MIN, Events
from ...core.evidence import Evidence
from ...core.money import Money
from ...engine.pipeline import Activity
from ...engine.query import Query
from ...forecasting import run
from ...inputs.rows import ReadOptions
from ...ledger.ledger import Ledger
from ..charts.data import CycleRow, Step, steps_of, view
from ..charts.figure import Band, Figure, Heading
from ..charts.movement import Movements, movements
from ..charts.render import spec, standalone_png, standalone_svg
from ..tables.frame import to_pandas
from ..tables.text import json_rows
from . import chart_sheet, refuse_unless_installed
from . import cycle_curve as curves
from .locale import LocaleFormat, is_letter
from .sheet import Sheet

if TYPE_CHECKING:
    import pandas as pd
    from babel import Locale

#: The formats of charts, which are also the suffixes of their files.
FORMATS: Final = ("svg", "png", "html", "json")
#: How many cycles a year has when none are given.
_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of a cycle or of a year. A notebook displays it as the last value of a cell.

    `title` and `words` describe it, `spec` is its Vega-Lite specification, `table` its complete data.
    `save` writes it as svg, png, html or json.
    """

    figure: Figure
    sheet: Sheet
    rows: tuple[Step, ...] | tuple[CycleRow, ...]
    locale: Locale = field(compare=False)
    activity: Activity = field(compare=False)

    @property
    def title(self) -> str:
        """The title."""
        return self.sheet.title

    @property
    def account_id(self) -> str:
        """The account that it is about."""
        return self.sheet.account_id

    @property
    def words(self) -> str:
        """A description in a sentence or two."""
        drawing = self.sheet.sections[0].drawing
        assert drawing is not None, "the sheet of a chart has a drawing"
        return drawing.words

    @property
    def spec(self) -> dict[str, Any]:
        """The Vega-Lite specification with its data, for Altair (`alt.Chart.from_dict`) and for web pages."""
        refuse_unless_installed("json")
        return spec(self.figure, heading=self._heading)

    @property
    def table(self) -> pd.DataFrame:
        """The complete data: the steps of a cycle, or the cycles of a year.

        For a cycle: `at` (datetime64[us, UTC]), `active`, `arrived`, `asleep`, `deleted` (int64) and
        `known` (bool), false for steps ahead, if nothing more happens. For a year: `cycle` (str),
        `cycle_start`, `cycle_end`, `peak` (int64), `peak_at`, `amount` (Decimal), `currency` and `open` (bool).
        """
        return to_pandas(view(self.rows))

    def render(self, format: str) -> bytes:
        """The content of a file in the given format: svg, png, html or json."""
        refuse_unless_installed(format)
        if format == "html":
            from .html import page

            title = f"{self.title}, {self.account_id}"
            return page([self.sheet], title=title, letter=is_letter(self.locale)).encode()
        specification = self.spec
        if format == "json":
            # The drawing of a long curve leaves out steps too close to be seen; the table has them all.
            metadata = {"account_id": self.account_id, "table": json_rows(view(self.rows))}
            return (json.dumps({**specification, "usermeta": metadata}, ensure_ascii=False) + "\n").encode()
        if format == "png":
            return standalone_png(specification, self._heading)
        return standalone_svg(specification, self._heading).encode()

    def save(self, path: str | PathLike[str]) -> None:
        """Write the chart to a file, in the format of its suffix. Raises `BillingError` (`chart_type`)."""
        format = format_of(fspath(path))
        Path(path).write_bytes(self.render(format))

    @property
    def _heading(self) -> Heading:
        return Heading(self.title, self.account_id, self.words)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        refuse_unless_installed("svg")
        specification = self.spec
        return {
            "application/vnd.vegalite.v6+json": specification,
            "image/svg+xml": standalone_svg(specification, self._heading),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        return f"Chart({self.title}, {self.account_id}. {self.words})"


def format_of(path: str) -> str:
    """The format that the suffix of a path stands for. Raises `BillingError` (`chart_type`)."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise BillingError("chart_type", path)
    return suffix


def cycle(
    source: Any,
    query: Query,
    locale: Locale,
    options: ReadOptions | None = None,
    *,
    forecast: bool = True,
) -> Chart:
    """The chart of one cycle (`first`) of one account. Raises `UnknownAccount`, `BadCycle`, `BadSource`.

    The chart of an open cycle includes the forecast of its peak, if the account has enough history and
    `forecast` is true.
    """
    query = replace(query, last=query.first)
    events = engine.read_for(source, [query], options)
    evidence, result = engine.explain(events, query)
    terms = result.terms_of(evidence)
    fmt = LocaleFormat(locale, terms.cycles.timezone)
    start, end = micros(evidence.cycle.start), micros(evidence.cycle.end)
    known = known_until(source, events, query, options, end)
    now = None if known is None else max(known, start)
    last = known - 1 if known is not None and query.as_of is None else None
    moved = _account_movements(evidence, result).within(start, end)
    so_far = moved.within(start, end if now is None else now)
    fan = (
        _forecast_fan(source if isinstance(source, Ledger) else events, query, evidence, now, options)
        if forecast
        else ()
    )
    outlook = curves.describe_forecast(fan, fmt)
    summary = curves.describe_curve(evidence, fmt, now=now, last=last)
    moves = curves.describe_movements(so_far, fmt, now=now)
    description = f"{summary} {moves} {outlook}".rstrip()
    figure = curves.curve(evidence, fmt, plan=terms.plan, now=now, movements=so_far, fan=fan)
    rows = steps_of(evidence.counts, moved, now)
    sheet = chart_sheet.cycle_sheet(evidence.account_id, evidence.cycle.name, figure, description, rows, fmt, last)
    return Chart(figure, sheet, rows, locale, result.found)


def year(source: Any, query: Query, locale: Locale, options: ReadOptions | None = None) -> Chart:
    """The chart of several cycles of one account: `first` to `last`, or else the last twelve that have begun.

    Amounts are shown if every cycle has a plan. Raises `UnknownAccount`, `BadCycle`, `BadSource`, `NotPriced`.
    """
    events = engine.read_for(source, [query], options)
    result = engine.answer(events, query)
    account_id = engine.account_of(result.found, query)
    peaks = result.peaks()
    now = known_until(source, events, query, options, max((row.end for row in peaks), default=0))
    totals: list[Money | None] = [None] * len(peaks)
    if all(result.terms_of(row).plan for row in peaks):
        totals = [draft.total for draft in result.drafts()]
    rows = tuple(
        CycleRow(row.cycle.name, row.start, row.end, row.peak, row.peak_at, total, now is not None and now < row.end)
        for row, total in zip(peaks, totals, strict=True)
    )
    if query.first is None and query.last is None:
        rows = tuple(row for row in rows if now is None or row.start < now)[-_YEAR:]
    if not rows:
        requested = query.first or query.last
        raise BadCycle("cycle_none", got=requested, account=quoted(account_id))
    fmt = LocaleFormat(locale, result.terms_of(peaks[0]).cycles.timezone)
    figure = chart_sheet.year_figure(rows, fmt)
    sheet = chart_sheet.year_sheet(account_id, figure, chart_sheet.describe_year(rows, fmt), rows, fmt)
    return Chart(figure, sheet, rows, locale, result.found)


def known_until(source: Any, events: Events, query: Query, options: ReadOptions | None, end: int) -> int | None:
    """The instant up to which the source knows what happened, in microseconds; none if that is `end` or later."""
    if query.as_of is not None:
        return query.as_of if query.as_of < end else None
    last = int(events.columns.instants.max(initial=INSTANT_MIN))
    if isinstance(source, Ledger) and last < end:
        # Only the events of the account were read; those of others may be later.
        position = engine.position_of(source, options or ReadOptions())
        later = source.read(lambda _: (last, INSTANT_MAX), position=position)
        last = int(later.columns.instants.max(initial=last))
    return last + 1 if INSTANT_MIN < last < end else None


def _forecast_fan(
    source: Ledger | Events, query: Query, evidence: Evidence, now: int | None, options: ReadOptions | None
) -> tuple[Band, ...]:
    """The forecast of the peak of an open cycle, from now to its end; empty without a forecast."""
    if now is None:
        return ()
    account_query = replace(query, accounts=(evidence.account_id,), first=None, last=None, ids=False)
    forecast = run.forecast(source, account_query, now, options, fans=True)[0][0]
    if forecast.peak is None or forecast.status.cycle != evidence.cycle:
        return ()
    so_far = forecast.status.peak
    bands = [Band(now, so_far, *[so_far] * 6)]
    for at, distribution in forecast.peak.fan:
        bounds = [bound for interval in distribution.intervals() for bound in interval]
        bands.append(Band(at, distribution.median, *bounds))
    return tuple(bands)


def _account_movements(evidence: Evidence, result: engine.Result) -> Movements:
    """All movements of the account's count, in all cycles."""
    part = result.part_of(evidence)
    activity, events = part.found, part.events
    assert events is not None, "the chart has read them already"
    own = activity.names.account_of == activity.names.code_of(evidence.account_id)
    mask = own[events.columns.identities]
    if part.query.as_of is not None:
        mask &= events.columns.instants < part.query.as_of
    return movements(events.columns.where(mask), activity.intervals.at(own[activity.intervals.identities]))
