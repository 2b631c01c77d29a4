"""Copy: a workbook with one sheet more, which holds what a simulation of its cells found, and how to make it again."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim.statistics.summarize import summarize
from demandsim.workbook.charts import Swings, swings_of, tornado_chart
from demandsim.workbook.package import put_rows, save_copy, with_sheet
from demandsim.workbook.xlsx import Opened, opened

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["TITLE", "write_results"]

TITLE = "demandsim results"
_BINS = 24
#: The cell at the end of a source, and the sheet and the place in it.
_CELL = re.compile(r"(('(?:[^']|'')+'|[^\s(),']+)!([A-Z]+\d+))\)?$")
#: Rows above the first quantity, columns of the values of one, and those of the tornado.
_HEAD, _VALUES, _ENDS = 4, "DEFGH", "BC"


def write_results(
    source: str | Path, path: str | Path, model: Model, draws: xr.Dataset, *, prob: float = 0.9, command: str = ""
) -> Path:
    """Write a copy of a workbook with one sheet more: percentiles with their errors, a tornado and a histogram.

    All other parts of the file stay as they are, byte for byte. Numbers are formatted as the cells that they are of:
    formats of its own would change the list of formats of the workbook.

    Parameters
    ----------
    source, path : str or Path
        The workbook that was read, and the copy.
    model : Model
        From `read_workbook`.
    draws : Dataset
        From its `simulate`.
    prob : float
        Of the intervals.
    command : str
        That makes the same again.

    Returns
    -------
    Path
        Of the copy.

    Raises
    ------
    WorkbookError
        If the copy would take the place of the workbook itself.
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile, warnings, openpyxl, demandsim as ds
    >>> from demandsim.workbook import write_results
    >>> book = openpyxl.Workbook()
    >>> for row in (["Cards", 1000], ["Price", 150_000], ["Capex", "=B1*B2"]):
    ...     book.active.append(row)
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # openpyxl saves no values to check against
    ...     file, copy = Path(folder) / "capex.xlsx", Path(folder) / "told.xlsx"
    ...     book.save(file)
    ...     model = ds.read_workbook(file, outputs=["Sheet!B3"], assume={"Sheet!B1": "normal(900, 1200)"})
    ...     _ = write_results(file, copy, model, model.simulate(draws=64, chains=2, seed=1))
    ...     openpyxl.load_workbook(copy).sheetnames
    ['Sheet', 'demandsim results']
    """
    target = Path(path)
    book = opened(source)
    rows = _summary_rows(model, draws, prob, command)
    first = next(name for name in model.equations if name in draws)
    swings = swings_of(model, first, prob)
    counts = _histogram_rows(draws[first])
    title = TITLE
    number = 1
    while title.casefold() in {name.casefold() for name in book.sheets}:
        number += 1
        title = f"{TITLE} {number}"
    styles = _styles(book, rows, len(swings.rows), len(counts))
    made = with_sheet(book.data, title, lambda sheet: _filled(sheet, rows, swings, counts), styles)
    save_copy(Path(source), target, made)
    return target


def _summary_rows(model: Model, draws: xr.Dataset, prob: float, command: str) -> list[list[Any]]:
    percent = [f"P{100 * (1 - prob) / 2:g}", "P50", f"P{100 * (1 + prob) / 2:g}"]
    summary, point = summarize(draws, prob=prob), model.point()
    total = int(draws.sizes["chain"] * draws.sizes["draw"])
    rows: list[list[Any]] = [
        [f"{model.notes.name}: {total:,} draws, seed {draws.attrs.get('seed')}, written {dt.date.today()}"],
        [f"Made by: {command}" if command else "Made by demandsim"],
        [],
        ["quantity", "label", "cell", "at the saved inputs", "mean", *percent, "error of mean", "error of P50"],
    ]
    for name in (*model.equations, *model.assumptions):
        if name not in summary:
            continue
        made = model.equations.get(name) or model.assumptions[name]
        at_cell = _CELL.search(made.source or "")
        where = at_cell[1] if at_cell else None
        for place, labels in _places(summary[name]):
            told = summary[name].sel(place)
            at = point[name].sel({dim: label for dim, label in place.items() if dim in point[name].dims})
            figures = [float(told.sel(statistic=key)) for key in ("mean", "lower", "median", "upper")]
            errors = [float(f"{float(told.sel(statistic=key)):.2g}") for key in ("mcse_mean", "mcse_median")]
            row = [name + labels, made.long_name, where, float(at), *figures, *errors]
            rows.append([value if not isinstance(value, float) or np.isfinite(value) else "none" for value in row])
    return rows


def _styles(book: Opened, rows: Sequence[Sequence[Any]], bars: int, columns: int) -> dict[str, int]:
    """Formats of the numbers of a quantity: that of its cell; tornado and histogram are of the first."""
    found: dict[str, int] = {}
    for place, row in enumerate(rows[_HEAD:], start=_HEAD + 1):
        cell = _CELL.fullmatch(row[2] or "")
        if cell is None:
            continue
        number = book.style(cell[2].strip("'").replace("''", "'"), cell[3])
        found |= {f"{letter}{place}": number for letter in _VALUES}
        if place == _HEAD + 1:
            top = len(rows) + 3
            found |= {f"{letter}{top + bar}": number for bar in range(bars) for letter in _ENDS}
            found |= {f"A{top + bars + 2 + column}": number for column in range(columns)}
    return {cell: number for cell, number in found.items() if number}


def _places(array: xr.DataArray) -> list[tuple[dict[str, Any], str]]:
    """Labels along the dims of a summary, such as scenarios, and how they are written."""
    dims = [str(dim) for dim in array.dims if dim != "statistic"]
    found = []
    for spot in np.ndindex(*(array.sizes[dim] for dim in dims)):
        place = {dim: array.coords[dim].values[i] for dim, i in zip(dims, spot, strict=True)}
        found.append((place, f" ({', '.join(map(str, place.values()))})" if place else ""))
    return found


def _histogram_rows(array: xr.DataArray) -> list[list[Any]]:
    values = np.ravel(array.values)
    counts, edges = np.histogram(values[np.isfinite(values)], bins=_BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    return [[float(f"{middle:.4g}"), int(count)] for middle, count in zip(middles, counts, strict=True)]


def _filled(sheet: Any, rows: Sequence[Sequence[Any]], swings: Swings, counts: Sequence[Sequence[Any]]) -> None:
    from openpyxl.chart import BarChart, Reference

    put_rows(sheet, rows)
    for letter, width in zip("ABCDEFGHIJ", (32, 36, 22, 16, 14, 14, 14, 14, 14, 14), strict=True):
        sheet.column_dimensions[letter].width = width
    top = len(rows) + 2
    put_rows(sheet, [[], ["tornado", "low", "high"], *swings.rows, [], ["histogram: middle", "draws"], *counts])
    title = "Range of the first output, one assumption at a time"
    bars = tornado_chart(sheet, title, (top, top + len(swings.rows)), (1, 2, 3), swings.base)
    start = top + len(swings.rows) + 2
    columns = BarChart()
    columns.title = "Draws of the first output"
    columns.gapWidth = 5
    columns.legend = None
    columns.add_data(Reference(sheet, min_col=2, min_row=start + 1, max_row=start + len(counts)))
    columns.set_categories(Reference(sheet, min_col=1, min_row=start + 1, max_row=start + len(counts)))
    columns.x_axis.delete = columns.y_axis.delete = False
    sheet.add_chart(bars, f"E{top}")
    sheet.add_chart(columns, f"E{top + 18}")
