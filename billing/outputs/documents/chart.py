"""An account's cycle, or its year, as a picture with words and with all of its data.

A cycle is open if it ends after `as_of`, or without that, if no event of the source, of whatever account,
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
from ..charts.render import png_alone, spec, svg_alone
from ..tables.frame import to_pandas
from ..tables.text import json_rows
from . import chart_sheet, refuse_unless_installed
from . import cycle_curve as curves
from .locale import LocaleFormat, is_letter
from .sheet import Sheet

if TYPE_CHECKING:
    import pandas as pd
    from babel import Locale

#: How charts are written: the ending of a file says which.
FORMATS: Final = ("svg", "png", "html", "json")
#: How many cycles a year has where nobody says which.
_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of a cycle or of a year; a notebook shows it where it is the last value of a cell.

    `title` and `words` say what it shows, `spec` is its Vega-Lite specification, `table` all of its
    data. `save` writes it as svg, png, html or json.
    """

    figure: Figure
    sheet: Sheet
    rows: tuple[Step, ...] | tuple[CycleRow, ...]
    locale: Locale = field(compare=False)
    found: Activity = field(compare=False)

    @property
    def title(self) -> str:
        """What it is."""
        return self.sheet.title

    @property
    def account_id(self) -> str:
        """Whose it is."""
        return self.sheet.account_id

    @property
    def words(self) -> str:
        """What it shows, in a sentence or two."""
        drawing = self.sheet.sections[0].drawing
        assert drawing is not None, "the sheet of a chart has one"
        return drawing.words

    @property
    def spec(self) -> dict[str, Any]:
        """Its Vega-Lite specification with the data in it, for Altair (`alt.Chart.from_dict`) and for pages."""
        refuse_unless_installed("json")
        return spec(self.figure, heading=self._heading)

    @property
    def table(self) -> pd.DataFrame:
        """All of its data, nothing left out: the steps of a cycle, or the cycles of a year.

        Of a cycle: `at` (datetime64[us, UTC]), `active`, `arrived`, `asleep`, `deleted` (int64) and
        `known` (bool), false for what comes if nothing more happens. Of a year: `cycle` (str),
        `cycle_start`, `cycle_end`, `peak` (int64), `peak_at`, `amount` (Decimal), `currency` and `open` (bool).
        """
        return to_pandas(view(self.rows))

    def written(self, format: str) -> bytes:
        """The chart as a file of that format: svg, png, html or json."""
        refuse_unless_installed(format)
        if format == "html":
            from .html import page

            title = f"{self.title}, {self.account_id}"
            return page([self.sheet], title=title, letter=is_letter(self.locale)).encode()
        made = self.spec
        if format == "json":
            # Of a long curve the picture leaves out what cannot be seen; the table does not.
            said = {"account_id": self.account_id, "table": json_rows(view(self.rows))}
            return (json.dumps({**made, "usermeta": said}, ensure_ascii=False) + "\n").encode()
        return png_alone(made, self._heading) if format == "png" else svg_alone(made, self._heading).encode()

    def save(self, path: str | PathLike[str]) -> None:
        """Write it into a file whose ending says how. Raises `BillingError` (`chart_type`)."""
        format = format_of(fspath(path))
        Path(path).write_bytes(self.written(format))

    @property
    def _heading(self) -> Heading:
        return Heading(self.title, self.account_id, self.words)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        refuse_unless_installed("svg")
        made = self.spec
        return {
            "application/vnd.vegalite.v6+json": made,
            "image/svg+xml": svg_alone(made, self._heading),
            "text/plain": repr(self),
        }

    def __repr__(self) -> str:
        return f"Chart({self.title}, {self.account_id}. {self.words})"


def format_of(path: str) -> str:
    """How a chart is to be written, by the ending of its file. Raises `BillingError` (`chart_type`)."""
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise BillingError("chart_type", path)
    return ending


def cycle(
    source: Any,
    query: Query,
    locale: Locale,
    options: ReadOptions | None = None,
    *,
    forecast: bool = True,
) -> Chart:
    """The chart of one cycle (`first`) of one account. Raises `UnknownAccount`, `BadCycle`, `BadSource`.

    Where the cycle is open and the account has history enough, what its peak may come to is shown too,
    unless `forecast` is false.
    """
    query = replace(query, last=query.first)
    events = engine.read_for(source, [query], options)
    of, result = engine.explain(events, query)
    terms = result.terms_of(of)
    show = LocaleFormat(locale, terms.cycles.timezone)
    start, end = micros(of.cycle.start), micros(of.cycle.end)
    known = known_until(source, events, query, options, end)
    now = None if known is None else max(known, start)
    last = known - 1 if known is not None and query.as_of is None else None
    moved = _moved(of, result).within(start, end)
    before = moved.within(start, end if now is None else now)
    fan = _fan(source if isinstance(source, Ledger) else events, query, of, now, options) if forecast else ()
    outlook = curves.forecast_words(fan, show)
    said = f"{curves.words(of, show, now=now, last=last)} {curves.moves(before, show, now=now)} {outlook}".rstrip()
    figure = curves.curve(of, show, plan=terms.plan, now=now, moved=before, fan=fan)
    rows = steps_of(of.counts, moved, now)
    sheet = chart_sheet.cycle_sheet(of.account_id, of.cycle.name, figure, said, rows, show, last)
    return Chart(figure, sheet, rows, locale, result.found)


def year(source: Any, query: Query, locale: Locale, options: ReadOptions | None = None) -> Chart:
    """The chart of some cycles of one account: those asked for, or else its last twelve that have begun.

    Amounts are shown where every cycle has a plan. Raises `UnknownAccount`, `BadCycle`, `BadSource`, `NotPriced`.
    """
    events = engine.read_for(source, [query], options)
    result = engine.answer(events, query)
    account_id = engine.account_of(result.found, query)
    peaks = result.peaks()
    now = known_until(source, events, query, options, max((row.end for row in peaks), default=0))
    totals: list[Money | None] = [None] * len(peaks)
    if all(result.terms_of(row).plan for row in peaks):
        totals = [drafted.total for drafted in result.drafts()]
    rows = tuple(
        CycleRow(row.cycle.name, row.start, row.end, row.peak, row.peak_at, total, now is not None and now < row.end)
        for row, total in zip(peaks, totals, strict=True)
    )
    if query.first is None and query.last is None:
        rows = tuple(row for row in rows if now is None or row.start < now)[-_YEAR:]
    if not rows:
        asked = query.first or query.last
        raise BadCycle("cycle_none", got=asked, account=quoted(account_id))
    show = LocaleFormat(locale, result.terms_of(peaks[0]).cycles.timezone)
    figure = chart_sheet.year(rows, show)
    sheet = chart_sheet.year_sheet(account_id, figure, chart_sheet.year_words(rows, show), rows, show)
    return Chart(figure, sheet, rows, locale, result.found)


def known_until(source: Any, events: Events, query: Query, options: ReadOptions | None, end: int) -> int | None:
    """Until when the source knows what happened, in microseconds; none where it goes beyond `end`."""
    if query.as_of is not None:
        return query.as_of if query.as_of < end else None
    last = int(events.columns.instants.max(initial=INSTANT_MIN))
    if isinstance(source, Ledger) and last < end:
        # Only what matters to the account was read; whether time went on, others may know.
        position = engine.position_of(source, options or ReadOptions())
        later = source.read(lambda _: (last, INSTANT_MAX), position=position)
        last = int(later.columns.instants.max(initial=last))
    return last + 1 if INSTANT_MIN < last < end else None


def _fan(
    source: Ledger | Events, query: Query, of: Evidence, now: int | None, options: ReadOptions | None
) -> tuple[Band, ...]:
    """What the peak of a cycle that is open may come to, from now to its end; nothing without a forecast."""
    if now is None:
        return ()
    asked = replace(query, accounts=(of.account_id,), first=None, last=None, ids=False)
    found = run.forecast(source, asked, now, options, fans=True)[0][0]
    if found.peak is None or found.status.cycle != of.cycle:
        return ()
    so_far = found.status.peak
    bands = [Band(now, so_far, *[so_far] * 6)]
    for at, distribution in found.peak.fan:
        ends = [bound for interval in distribution.intervals() for bound in interval]
        bands.append(Band(at, distribution.median, *ends))
    return tuple(bands)


def _moved(of: Evidence, result: engine.Result) -> Movements:
    """How the count of the account moved, at any time."""
    part = result.part_of(of)
    found, events = part.found, part.events
    assert events is not None, "they were read before"
    own = found.names.account_of == found.names.code_of(of.account_id)
    mask = own[events.columns.identities]
    if part.query.as_of is not None:
        mask &= events.columns.instants < part.query.as_of
    return movements(events.columns.where(mask), found.intervals.at(own[found.intervals.identities]))
