"""Simulation sheets: percentiles with their errors beside the live points, and what moves the first result; charted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from demandsim.statistics.summarize import summarize
from demandsim.statistics.table import Row, rows
from demandsim.units.convert import base_factor
from demandsim.workbook.charts import Ranges, range_chart, swings_of, tornado_chart
from demandsim.workbook.page import Page
from demandsim.workbook.results import ResultsSheet
from demandsim.workbook.sheets import AT

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["write_simulation"]

#: Charts beside the table: more are not read, and each makes the file slower to open.
_CHARTED, _CHARTS = 4, 8
#: Rows of 15 points between the tops of two charts.
_APART = 18
_STATISTICS = ("lower", "median", "upper", "mcse_lower", "mcse_median", "mcse_upper", "mean", "mcse_mean")
_SAME = "points and distributions are as simulated"
_EDITED = "EDITED SINCE: save, then run demandsim run THIS_FILE.xlsx; what is below is of the old inputs"


def write_simulation(book: Any, model: Model, draws: xr.Dataset, prob: float, results: ResultsSheet) -> list[Page]:
    """Write what was simulated, and a tornado if anything is uncertain.

    Parameters
    ----------
    book : openpyxl Workbook
    model : Model
    draws : Dataset
        From its `simulate`.
    prob : float
        Of the intervals.
    results : ResultsSheet
        Where the live points stand.

    Returns
    -------
    list of Page
    """
    low, high = (f"P{100 * share:g}" for share in ((1 - prob) / 2, (1 + prob) / 2))
    pages = [_SimulationSheet(book, model, draws, prob, (low, high), results).page]
    explained = [name for name in model.presentation.explained if name in model.equations]
    transforms = model.program.transforms
    for name in explained[:1]:
        behind = [one for one in model.graph.ancestors([name]) if one in model.assumptions]
        if any(transforms[one].varying.random for one in behind):
            pages.append(_tornado(book, model, name, prob, (low, high)))
    return pages


class _SimulationSheet:
    def __init__(
        self, book: Any, model: Model, draws: xr.Dataset, prob: float, ends: tuple[str, str], results: ResultsSheet
    ) -> None:
        self._model, self._results = model, results
        self._dims = list(results.everything)
        heads = ["quantity", *(f"{AT}{dim}" for dim in self._dims), "label", "unit", "point (live)"]
        self._first = len(heads) + 1
        told = [ends[0], "P50", ends[1]]
        heads += [*told, *(f"error of {one}" for one in told), "mean", "error of mean"]
        widths = [(16, 34), *((8, 14) for _ in self._dims), (20, 34), (8, 24), *((12, 20) for _ in range(9))]
        total, seed = draws.sizes["chain"] * draws.sizes["draw"], draws.attrs.get("seed")
        intro = (
            f"Simulated: {total:,} draws, seed {seed}; error is the Monte Carlo error (one standard error). Only the "
            "point is live. Simulated numbers do not follow when inputs are edited: run demandsim again."
        )
        self.page = Page(book.create_sheet("simulation"), intro, heads, widths)
        self._state()
        self._fill(model, draws, prob)

    def _fill(self, model: Model, draws: xr.Dataset, prob: float) -> None:
        """Write a row per result and label, the first results on top and in charts."""
        names = [name for name in model.presentation.results if name in draws and name in model.equations]
        blocks: list[list[Ranges]] = []
        ordered = [*names, *(name for name in model.equations if name in draws and name not in names)]
        summary, point = summarize(draws[ordered], prob=prob), model.point()
        time = model.presentation.time
        for name in ordered:
            array = summary[name]
            inner = [dim for dim in array.dims if dim in time]
            array = array.transpose(*(dim for dim in array.dims if dim not in inner), *inner)
            table = list(rows(array.to_dataset(name=name), point))
            start = self.page.row
            for row in table:
                self._row(row)
            blocks += [self._blocks(table, start)] if name in names[:_CHARTED] else []
        # Every result in the first scenario, then in the next.
        charted = [block for turn in itertools.zip_longest(*blocks) for block in turn if block is not None]
        self._chart(charted[:_CHARTS])

    def _state(self) -> None:
        """Say, live, whether the inputs are still those that were simulated."""
        from openpyxl.formatting.rule import FormulaRule
        from openpyxl.styles import Font, PatternFill

        page = self.page
        page.section("")
        row = page.row - 1
        page.formula(row, 1, f'IF({self._results.inputs.edited()}=0,"{_SAME}","{_EDITED}")', _SAME, "section")
        red, font = PatternFill("solid", start_color="FFC7CE", end_color="FFC7CE"), Font(color="9C0006")
        rule = FormulaRule(formula=[f'LEFT($A${row},6)="EDITED"'], fill=red, font=font)
        page.sheet.conditional_formatting.add(f"A{row}:H{row}", rule)

    def _row(self, row: Row) -> None:
        page, at = self.page, self.page.row
        page.text(at, 1, row.quantity, "name")
        for column, dim in enumerate(self._dims, start=2):
            page.put(at, column, row.labels.get(dim), "short")
        page.text(at, self._first - 3, row.long_name, "short")
        page.text(at, self._first - 2, row.unit, "unit")
        cell = self._results.base_cell(row.quantity, row.labels)
        if cell is not None:
            value = cell.value / base_factor(row.unit)
            text = f"{cell.text}/{self._results.units.factor(row.unit)}"
            page.formula(at, self._first - 1, text, value, "link")
        for column, key in enumerate(_STATISTICS, start=self._first):
            value = row.statistics[key]
            if math.isfinite(value):
                page.number(at, column, value, "base" if key.startswith("mcse") else "computed")
            else:
                page.text(at, column, "none", "short")
        page.row += 1

    def _blocks(self, table: Sequence[Row], start: int) -> list[Ranges]:
        """Rows by what one chart shows: those that differ in their last label only, which is that of time if any."""
        dims = list(table[0].labels)
        found, at = [], start
        for outer, group in itertools.groupby(table, lambda row: list(row.labels.values())[:-1]):
            own = list(group)
            title = ", ".join([own[0].long_name, *map(str, outer)])
            category = 2 + self._dims.index(dims[-1]) if dims else 1
            over_time = bool(dims) and dims[-1] in self._model.presentation.time and len(own) > 1
            spread = (at, at + len(own) - 1), (category, self._first)
            found.append(Ranges(title, own[0].unit, *spread, own[0].statistics["upper"], over_time))
            at += len(own)
        return found

    def _chart(self, blocks: Sequence[Ranges]) -> None:
        from openpyxl.utils import get_column_letter

        beside = get_column_letter(self._first + len(_STATISTICS) + 1)
        for place, block in enumerate(blocks):
            chart = range_chart(self.page.sheet, block)
            self.page.sheet.add_chart(chart, f"{beside}{3 + _APART * place}")


def _tornado(book: Any, model: Model, name: str, prob: float, ends: tuple[str, str]) -> Page:
    """The sheet of the tornado: a row each assumption, and the chart."""
    made, found = model.equations[name], swings_of(model, name, prob)
    told = ", ".join(part for part in (made.long_name or name, found.at) if part)
    intro = (
        f"{told}: each assumption at its {ends[0]} and its {ends[1]}, the others at their points. Values, which do not "
        "follow when inputs are edited."
    )
    heads = ["assumption", "unit of the result", f"at {ends[0]}", f"at {ends[1]}", "at the points", "swing"]
    page = Page(book.create_sheet("tornado"), intro, heads, [(24, 44), (12, 24), *((14, 22) for _ in range(4))])
    first = page.row
    for label, low, high in found.rows:
        page.text(page.row, 1, label, "name")
        page.text(page.row, 2, made.unit, "unit")
        for column, value in enumerate((low, high, found.base, abs(high - low)), start=3):
            if math.isfinite(value):
                page.number(page.row, column, value)
            else:
                page.text(page.row, column, "none")
        page.row += 1
    chart = tornado_chart(page.sheet, told, (first - 1, page.row - 1), (1, 3, 4), found.base, made.unit)
    page.sheet.add_chart(chart, f"H{first}")
    return page
