"""Workbooks of our own making for tests: cells as a dict, in memory or in a file with values beside its formulas."""

import math
import re
import zipfile
from io import BytesIO

import openpyxl
import pytest

from demandsim.workbook.calc.book import Book, Formula, Loops, Sheet, book_of
from demandsim.workbook.calc.trace import traced
from demandsim.workbook.calc.values import CellError
from demandsim.workbook.xlsx import with_computed_values

#: Cells of one sheet that formulas in tests take.
DATA = {
    "A1": 3.0,
    "A2": 1.5,
    "A3": -2.0,
    "A4": 8.25,
    "A5": 4.0,
    "A6": "text",
    "A8": True,
    "B1": 10.0,
    "B2": 20.0,
    "B3": 30.0,
    "B4": 40.0,
    "B5": 50.0,
    "C1": "north",
    "C2": "south",
    "C3": "north",
    "C4": "east",
    "C5": "North",
    "D1": -1000.0,
    "D2": 300.0,
    "D3": 420.0,
    "D4": 680.0,
    "E1": 45292.0,
    "E2": 45474.0,
    "E3": 45657.0,
    "E4": 46023.0,
    "F1": 1.0,
    "F2": 2.0,
    "F3": 3.0,
    "F4": 4.0,
    "F5": 5.0,
    "G1": "5",
    "G2": "12%",
    "G3": "",
    "H1": 0.1,
    "H2": 0.25,
}
_CELL = re.compile(r"(?:(.+)!)?([A-Z]+)(\d+)")


def key_of(cell):
    """Key of a cell such as ``Inputs!C21``; on sheet ``S`` if none is named."""
    sheet, letters, row = _CELL.fullmatch(cell).groups()
    return (sheet or "S").casefold(), int(row), openpyxl.utils.column_index_from_string(letters)


def book_with(cells, *, loops=None):
    """A book whose cells are given: what begins with ``=`` is a formula."""
    book = Book("made.xlsx", b"", loops or Loops(False, 100, 0.001))
    for cell, value in cells.items():
        key = key_of(cell)
        size = book.sheets.setdefault(key[0], Sheet(cell.rpartition("!")[0] or "S"))
        size.rows, size.columns = max(size.rows, key[1]), max(size.columns, key[2])
        if isinstance(value, str) and value.startswith("="):
            book.formulas[key] = Formula(value)
        else:
            book.constants[key] = float(value) if type(value) is int else value
    return book


def value_of(cells, cell):
    """What a cell comes to."""
    book = book_with(cells)
    return traced(book, [key_of(cell)], []).base[key_of(cell)]


def draws_of(cells, cell, given):
    """What a cell comes to where some cells are arrays of draws."""
    book = book_with(cells)
    program = traced(book, [key_of(cell)], [key_of(one) for one in given])
    return program.run({key_of(one): value for one, value in given.items()})[key_of(cell)]


def saved(path, sheets, *, names=None, iterate=False):
    """Write a workbook with the values that its formulas come to, as Excel saves them; ours, so only for plumbing."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, cells in sheets.items():
        sheet = made.create_sheet(title)
        for cell, value in cells.items():
            sheet[cell] = value
    for name, target in (names or {}).items():
        made.defined_names[name] = openpyxl.workbook.defined_name.DefinedName(name, attr_text=target)
    made.calculation.iterate = iterate or None
    made.save(path)
    book = book_of(path)
    program = traced(book, list(book.formulas), [])
    values = {title: {} for title in sheets}
    for key in program.order:
        title = book.sheets[key[0]].title
        found = program.base[key]
        cell = openpyxl.utils.get_column_letter(key[2]) + str(key[1])
        if type(found) in (float, str):
            values[title][cell] = found
    with_computed_values(path, values)
    return path


def repacked(path, change):
    """Change parts of a workbook: `change` takes name and bytes, and gives bytes."""
    held = BytesIO(path.read_bytes())
    with zipfile.ZipFile(held) as before, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, change(name, before.read(name)))
    return path


def same(ours, theirs):
    """Whether two values are the same, numbers to ten digits."""
    if isinstance(ours, CellError):
        return ours.code == theirs or ours == theirs
    if type(ours) is float and type(theirs) is float:
        return math.isclose(ours, theirs, rel_tol=1e-10, abs_tol=1e-300)
    return type(ours) is type(theirs) and ours == theirs


def by_formualizer(rows):
    """What an engine by others makes of formulas beside `DATA`, where that is not what is expected."""
    formualizer = pytest.importorskip("formualizer")
    book = formualizer.Workbook()
    book.add_sheet("S")
    for cell, value in DATA.items():
        book.set_value("S", *key_of(cell)[1:], value)
    wrong = {}
    for formula, expected in rows:
        book.set_formula("S", 101, 10, formula.replace("_xlpm.", ""))
        theirs = book.evaluate_cell("S", 101, 10)
        theirs = float(theirs) if type(theirs) is int else theirs
        if not same(theirs, expected):
            wrong[formula] = theirs, expected
    return wrong
