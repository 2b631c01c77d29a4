"""Candidates: hard-coded numbers that outputs depend on, ranked by how far 10% up or down moves the outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demandsim.errors import WorkbookError
from demandsim.workbook.calc.book import Book, Key, book_of
from demandsim.workbook.calc.program import Program
from demandsim.workbook.calc.references import cell_named
from demandsim.workbook.calc.trace import traced
from demandsim.workbook.calc.values import Mixed, UnsupportedError
from demandsim.workbook.label import label_of, unit_hint
from demandsim.workbook.marks import COLUMNS, SHEET
from demandsim.workbook.package import put_rows, save_copy, with_sheet

__all__ = ["Candidate", "candidates", "likely_outputs", "mark_workbook"]

_STEP = 0.1
#: Candidates that are tried, and rows that are written.
_TRIED, _WRITTEN = 5000, 200
_OUTPUTS = 5
_INTRO = (
    "What demandsim reads of this workbook. Write 'assumption' for 'candidate' and a distribution as value, such as "
    "normal(0.08, 0.12), then run: demandsim run THIS_FILE.xlsx. Rows that stay candidates are not read. Further rows: "
    "correlation (cell, with another cell, rank correlation as value), scenario (cell, with its name, value)."
)


@dataclass(frozen=True)
class Candidate:
    """A number that is written in a cell, and what it does.

    Parameters
    ----------
    key : Key
    label : str or None
    value : float
    unit : str
        As its number format hints.
    moves : float
        Largest relative change of the first output, by 10% up or down.
    """

    key: Key
    label: str | None
    value: float
    unit: str
    moves: float


def likely_outputs(book: Book) -> list[Key]:
    """Formulas that no other formula takes, those first that depend on most cells."""
    program = traced(book, list(book.formulas), [])
    taken = {cell for key in program.order for area in program.areas[key] for cell in program.cells_of(area)}
    sizes: dict[Key, int] = {}
    for key in program.order:
        before = [cell for area in program.areas[key] for cell in program.cells_of(area) if cell in book.formulas]
        sizes[key] = 1 + max((sizes.get(cell, 0) for cell in before), default=0)
    # What comes to 0 checks something, such as that a balance sheet balances.
    ends = [key for key in program.order if key not in taken and type(v := program.base.get(key)) is float and v]
    return sorted(ends, key=lambda key: -sizes[key])[:_OUTPUTS]


def candidates(book: Book, outputs: Sequence[Key]) -> list[Candidate]:
    """Find the numbers behind outputs, and rank them by what they do to the first.

    Parameters
    ----------
    book : Book
    outputs : sequence of Key
    """
    program = traced(book, list(outputs), [])
    found = list(dict.fromkeys(_numbers_behind(program)))[:_TRIED]
    if not found:
        raise WorkbookError(f"{book.path}: the outputs depend on no number that is written in a cell")
    moves = _moves(book, outputs[0], found)
    made = [
        Candidate(key, label_of(book, key), book.constants[key], unit_hint(book.formats.get(key)), moved)
        for key, moved in zip(found, moves, strict=True)
    ]
    # Rounded, so that the last bits do not order what moves the output alike.
    return sorted(made, key=lambda one: -float(f"{one.moves:.6g}"))


def _numbers_behind(program: Program) -> Iterable[Key]:
    for key in program.order:
        for area in program.areas[key]:
            for cell in program.cells_of(area):
                value = program.book.constants.get(cell)
                # Years in heads are numbers that nobody is uncertain about.
                if type(value) is float and value != 0 and not (value == int(value) and 1900 <= value <= 2200):
                    yield cell


def _moves(book: Book, output: Key, found: Sequence[Key]) -> list[float]:
    program = traced(book, [output], list(found))
    values = np.array([book.constants[key] for key in found])
    count = len(found)
    try:
        # One draw for each number up, and one for each down; the others stay.
        given: dict[Key, Any] = {}
        for place, key in enumerate(found):
            column = np.full(2 * count, values[place])
            column[place], column[count + place] = values[place] * (1 + _STEP), values[place] * (1 - _STEP)
            given[key] = column
        ends = _numbers(program.run(given, whole=False).get(output), 2 * count)
    except UnsupportedError:
        # Some cells take sure numbers only: one after the other, each is.
        base = dict(zip(found, values.tolist(), strict=True))
        ends = np.array([_alone(program, base, key, way, output) for way in (1, -1) for key in found])
    middle = program.base.get(output)
    size = abs(middle) if type(middle) is float and middle else 1.0
    moved = np.abs(ends - (middle if type(middle) is float else 0.0)) / size
    return [float(np.nanmax([one, other, 0.0])) for one, other in zip(moved[:count], moved[count:], strict=True)]


def _alone(program: Program, base: dict[Key, float], key: Key, way: int, output: Key) -> float:
    try:
        value = program.run({**base, key: base[key] * (1 + way * _STEP)}, whole=False).get(output)
    except UnsupportedError:
        return float("nan")
    return value if type(value) is float else float("nan")


def _numbers(value: Any, size: int) -> Any:
    if type(value) is Mixed:
        return value.numbers
    return np.broadcast_to(np.asarray(value if type(value) is np.ndarray else np.nan, dtype=np.float64), (size,))


def mark_workbook(path: str | Path, out: str | Path | None = None, *, outputs: Sequence[str] = ()) -> Path:
    """Write a copy of a workbook with a sheet ``demandsim``, filled with outputs and candidates.

    Parameters
    ----------
    path : str or Path
    out : str or Path, optional
        ``model-marked.xlsx`` beside ``model.xlsx`` by default.
    outputs : sequence of str, optional
        Cells or names; the formulas at the end of the longest chains by default.

    Returns
    -------
    Path
        Of the copy.

    Raises
    ------
    WorkbookError
        If the workbook has such a sheet already, no outputs are found, or the copy would take its place.
    OutputError
        If the copy cannot be written.

    Examples
    --------
    >>> import tempfile, openpyxl, demandsim as ds
    >>> from demandsim.workbook import mark_workbook
    >>> book = openpyxl.Workbook()
    >>> for row in (["Cards", 1000], ["Price", 150_000], ["Capex", "=B1*B2"]):
    ...     book.active.append(row)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     book.save(Path(folder) / "capex.xlsx")
    ...     marked = mark_workbook(Path(folder) / "capex.xlsx")
    ...     rows = list(openpyxl.load_workbook(marked)["demandsim"].values)
    >>> marked.name, [row[:2] for row in rows[2:]]
    ('capex-marked.xlsx', [('output', 'Sheet!B3'), ('candidate', 'Sheet!B1'), ('candidate', 'Sheet!B2')])
    """
    book = book_of(path)
    if SHEET in book.sheets:
        raise WorkbookError(f"{book.path}: has a sheet '{SHEET}' already; edit it, or delete it to have another")
    wanted = [cell_named(book, said) for said in outputs] or likely_outputs(book)
    if not wanted:
        raise WorkbookError(f"{book.path}: no formula gives a number; name an output with --output")
    found = candidates(book, wanted)[:_WRITTEN]
    rows: list[list[Any]] = [[_INTRO], [*COLUMNS, "label", "now", "10% moves the first output by"]]
    for key in wanted:
        value, label = book.saved(key), label_of(book, key)
        unit = unit_hint(book.formats.get(key)) or None
        rows.append(["output", book.address(key), None, None, unit, None, label, value])
    for one in found:
        row = ["candidate", book.address(one.key), None, None, one.unit or None, None, one.label, one.value, one.moves]
        rows.append(row)
    file = Path(path)
    target = Path(out) if out is not None else file.with_name(f"{file.stem}-marked{file.suffix}")
    save_copy(file, target, with_sheet(book.data, SHEET, lambda sheet: _filled(sheet, rows)))
    return target


def _filled(sheet: Any, rows: Sequence[Sequence[Any]]) -> None:
    put_rows(sheet, rows)
    for letter, width in zip("ABCDEFGHI", (12, 22, 30, 18, 8, 30, 36, 14, 14), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A3"
