"""Charts of a workbook, and the swings that a tornado shows: native ones, which Excel draws from cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demandsim.sensitivity.tornado import tornado
from demandsim.workbook.page import HEADER_ROW
from demandsim.workbook.style import number_format

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["Ranges", "Swings", "range_chart", "swings_of", "tornado_chart"]

_LOW, _MIDDLE, _HIGH = "9DC3E6", "1F3864", "2E75B6"


@dataclass(frozen=True)
class Swings:
    """What a tornado shows.

    Parameters
    ----------
    of : str
        The result.
    at : str
        Scenario and labels at which it is told, such as ``100T, 2026``; empty if there are none.
    base : float
        The result with every assumption at its point, in its unit.
    rows : tuple of (label, low, high)
        The result with an assumption at its low and its high end; the largest swing first.
    """

    of: str
    at: str
    base: float
    rows: tuple[tuple[str, float, float], ...]


def swings_of(model: Model, of: str, prob: float) -> Swings:
    """Move one assumption at a time between the ends of its central interval.

    Examples
    --------
    >>> import demandsim as ds
    >>> found = swings_of(ds.load_study("guosen-2025-01"), "cards", 0.9)
    >>> found.at, round(found.base), found.rows[0][0]
    ('100T', 857772, 'Activated parameters of the general model')
    """
    first = {dim: labels[0] for dim, labels in model.scenarios.coords.items()}
    found = tornado(model.select(**first) if first else model, of=of, prob=prob)
    times = model.presentation.time
    places = {
        dim: found.coords[dim].values.tolist()[-1 if dim in times else 0]
        for dim in map(str, found[of].dims)
        if dim not in ("assumption", "end")
    }
    table = found[of].sel(places).transpose("assumption", "end").values.tolist()
    names = found.long_name.values.tolist()
    rows = tuple((str(name), low, high) for name, (low, _, high) in zip(names, table, strict=True))
    return Swings(of, ", ".join(map(str, {**first, **places}.values())), table[0][1], rows)


@dataclass(frozen=True)
class Ranges:
    """Percentiles of a result in rows of a sheet.

    Parameters
    ----------
    title : str
    unit : str
    rows : (first, last)
        Without the header.
    columns : (label, low)
        The middle and the high percentile stand to the right of the low one.
    size : float
        Of a value, for the numbers of the axis.
    over_time : bool
        Whether the labels are moments.
    """

    title: str
    unit: str
    rows: tuple[int, int]
    columns: tuple[int, int]
    size: float
    over_time: bool


def range_chart(sheet: Any, shown: Ranges) -> Any:
    """Draw the low, middle and high percentile of a result: lines over time, else columns side by side."""
    from openpyxl.chart import BarChart, LineChart, Reference, Series

    chart: Any = LineChart() if shown.over_time else BarChart()
    for place, colour in enumerate((_LOW, _MIDDLE, _HIGH)):
        values = Reference(sheet, min_col=shown.columns[1] + place, min_row=shown.rows[0], max_row=shown.rows[1])
        series: Any = Series(values, title=None)
        series.tx = _header(sheet, shown.columns[1] + place)
        if shown.over_time:
            series.graphicalProperties.line.solidFill = colour
            series.graphicalProperties.line.width = 31750 if place == 1 else 19050
            series.smooth = False
        else:
            series.graphicalProperties.solidFill = colour
        chart.series.append(series)
    chart.set_categories(Reference(sheet, min_col=shown.columns[0], min_row=shown.rows[0], max_row=shown.rows[1]))
    return _dressed(chart, shown.title, shown.unit, shown.size)


def tornado_chart(
    sheet: Any,
    title: str,
    rows: tuple[int, int],
    columns: tuple[int, int, int],
    base: float,
    unit: str | None = None,
) -> Any:
    """Draw bars from the base to the low and the high end of each assumption, the largest on top.

    Parameters
    ----------
    sheet : openpyxl Worksheet
    title : str
    rows : (header, last)
    columns : (label, low, high)
    base : float
        Where the bars begin.
    unit : str, optional
    """
    from openpyxl.chart import BarChart, Reference

    bars: Any = BarChart()
    bars.type, bars.grouping, bars.overlap, bars.gapWidth = "bar", "clustered", 100, 40
    for column in columns[1:]:
        bars.add_data(Reference(sheet, min_col=column, min_row=rows[0], max_row=rows[1]), titles_from_data=True)
    for series, colour in zip(bars.series, (_LOW, _HIGH), strict=True):
        series.graphicalProperties.solidFill = colour
        series.invertIfNegative = False
    bars.set_categories(Reference(sheet, min_col=columns[0], min_row=rows[0] + 1, max_row=rows[1]))
    _dressed(bars, title, unit, base)
    # The largest stands on top, as tornados are read.
    bars.x_axis.scaling.orientation = "maxMin"
    bars.y_axis.crosses, bars.x_axis.crosses = "max", None
    bars.x_axis.crossesAt = base
    bars.height = max(7.5, 3.0 + 0.7 * (rows[1] - rows[0]))
    return bars


def _dressed(chart: Any, title: str, unit: str | None, size: float) -> Any:
    chart.title, chart.y_axis.title = title, unit
    chart.legend.position = "b"
    # openpyxl leaves axes out unless it is told not to.
    chart.x_axis.delete = chart.y_axis.delete = False
    # Years and scenarios stand below, also where values are negative.
    chart.x_axis.tickLblPos = "low"
    chart.y_axis.number_format = _axis_format(abs(size))
    chart.width, chart.height = 18, 8.5
    return chart


def _axis_format(size: float) -> str:
    """A format for the numbers of an axis, in thousand millions or millions where they are that large."""
    for least, commas, word in ((1e9, ",,,", "bn"), (1e6, ",,", "M")):
        if least <= size < 1e15:
            return f'#,##0{".0" if size < 10 * least else ""}{commas}" {word}"'
    return "#,##0" if 100 <= size < 1e6 else number_format(size)


def _header(sheet: Any, column: int) -> Any:
    """The name of a series, from the cell that heads its column."""
    from openpyxl.chart.series import SeriesLabel, StrRef
    from openpyxl.utils import get_column_letter, quote_sheetname

    return SeriesLabel(strRef=StrRef(f"{quote_sheetname(sheet.title)}!${get_column_letter(column)}${HEADER_ROW}"))
