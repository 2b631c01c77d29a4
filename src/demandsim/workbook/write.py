"""Writing: a Model becomes a workbook of inputs to edit and of formulas that follow them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import written_whole
from demandsim.errors import OutputError, WorkbookError, WorkbookWarning
from demandsim.workbook.cells import NamedCells
from demandsim.workbook.evidence import write_evidence
from demandsim.workbook.inputs import InputSheets
from demandsim.workbook.page import Page
from demandsim.workbook.published import write_published
from demandsim.workbook.results import ResultsSheet
from demandsim.workbook.sheets import ORDER, UnitsSheet
from demandsim.workbook.simulation import write_simulation
from demandsim.workbook.xlsx import with_computed_values

if TYPE_CHECKING:
    import xarray as xr

    from demandsim.model import Model

__all__ = ["write_workbook"]


def write_workbook(
    model: Model, path: str | Path, *, draws: xr.Dataset | None = None, prob: float = 0.9
) -> dict[str, str]:
    """Write a model as an Excel workbook: assumptions to edit, and results as live formulas.

    Parameters
    ----------
    model : Model
    path : str or Path
        File to write, ending in ``.xlsx``; it is written whole or not at all.
    draws : Dataset, optional
        From the model's `simulate`: their percentiles and errors stand beside the points on a sheet
        ``simulation`` with charts, and what moves the first result on a sheet ``tornado``.
    prob : float, default 0.9
        Of the intervals on these two sheets: 0.9 goes from P5 to P95.

    Returns
    -------
    dict of str to str
        Quantities that stand in the workbook as values rather than formulas, each with why: their
        equation does something that has no formula here. Empty for the shipped chain of the report.

    Raises
    ------
    WorkbookError
        If a distribution cannot be written as text, or is too long for a cell.
    OutputError
        If the file cannot be written.

    Warns
    -----
    WorkbookWarning
        If the result is not empty: those values do not follow when assumptions are edited.

    Notes
    -----
    The sheet ``results`` computes the points of the model: each assumption in its unit, times the factor
    to base units (sheet ``units``), then one formula per quantity and scenario over named cells, then
    back to the declared unit. Every formula is checked against ``model.point()`` while it is written.

    Examples
    --------
    >>> import tempfile, demandsim as ds
    >>> from pathlib import Path
    >>> from demandsim.workbook import read_workbook, write_workbook
    >>> model = ds.load_study("guosen-2025-01")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     not_live = write_workbook(model, Path(folder) / "model.xlsx")
    ...     again = read_workbook(Path(folder) / "model.xlsx")
    >>> not_live, again == model
    ({}, True)
    """
    from openpyxl import Workbook
    from openpyxl.workbook.defined_name import DefinedName

    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise WorkbookError(f"a workbook is written to a file that ends in .xlsx, not to '{target}'")
    for dim, labels in model.program.layout.coords.items():
        if any(isinstance(label, np.datetime64) for label in labels):
            raise WorkbookError(
                f"dim '{dim}' has dates as labels, which a workbook would show as numbers of days; label it by texts, "
                "such as '2025-01', or by years"
            )
    book: Any = Workbook()
    book.remove(book.active)
    names = NamedCells()
    inputs = InputSheets(book, model)
    results = ResultsSheet(book, model, inputs, UnitsSheet(book, model), names)
    pages = [*inputs.pages, results.page, results.units.page]
    pages += [results.steps.page] if results.steps.page else []
    pages += write_simulation(book, model, draws, prob, results) if draws is not None else []
    pages += [write_evidence(book, model)] if model.evidence else []
    pages += [write_published(book, model, results)] if model.notes.published else []
    inputs.write_equations({name: results.status(name) for name in model.equations})
    inputs.write_notes(results.frozen)
    for name, cell in names.given.items():
        book.defined_names[name] = DefinedName(name, attr_text=cell)
    book.properties.title = model.notes.title or model.notes.name or None
    _save(book, pages, target)
    if results.frozen:
        listed = "; ".join(f"'{name}': {why}" for name, why in results.frozen.items())
        warnings.warn(
            f"{target}: {len(results.frozen)} of {len(model.equations)} results are values, not formulas, and do not "
            f"follow when assumptions are edited: {listed}",
            WorkbookWarning,
            stacklevel=2,
        )
    return dict(results.frozen)


def _save(book: Any, pages: Sequence[Page], target: Path) -> None:
    for page in pages:
        page.finish()
    book._sheets.sort(key=lambda sheet: ORDER.index(sheet.title))
    book.calculation.fullCalcOnLoad = True
    book.properties.creator = "demandsim"
    try:
        with written_whole(target) as unfinished:
            book.save(unfinished)
            with_computed_values(unfinished, {page.name: page.values for page in pages})
    except OSError as error:
        raise OutputError(f"cannot write '{target}': {error.strerror or error}") from None
