"""Book: what a workbook holds: constants, formulas, the values that were cached with them, names and tables."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from demandsim.errors import WorkbookError
from demandsim.workbook.calc.values import ERRORS, CellError
from demandsim.workbook.xlsx import opened

__all__ = ["Book", "Formula", "Key", "Loops", "Sheet", "Table", "address", "book_of", "column_letters"]

#: Sheet in small letters, row and column.
Key = tuple[str, int, int]

_MOST_CELLS = 2_000_000
_TEXT = r'"(?:[^"]|"")*"'
#: How Google Sheets exports a formula that Excel does not know: as a text, long ones in parts, with the value it had.
_OF_GOOGLE = re.compile(
    rf"=\s*IFERROR\(\s*__xludf\.DUMMYFUNCTION\(({_TEXT}(?:\s*&\s*{_TEXT})*)\)\s*,.*\)\s*", re.DOTALL | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula of a cell.

    Parameters
    ----------
    text : str
        With its ``=``.
    array : bool
        Whether it is an array formula.
    frozen : str
        Why its cached value stands for it, if it does.
    spill : (key, row, column), optional
        The cell of whose array formula this cell shows a part, and which part.
    """

    text: str
    array: bool = False
    frozen: str = ""
    spill: tuple[Key, int, int] | None = None


@dataclass(frozen=True)
class Table:
    """A table of a sheet: where it stands, and the names of its columns."""

    sheet: str
    box: tuple[int, int, int, int]
    columns: tuple[str, ...]
    header: int
    totals: int


@dataclass(frozen=True)
class Loops:
    """Whether and how the file allows circular references."""

    allowed: bool
    count: int
    delta: float


@dataclass
class Sheet:
    """A sheet: its title and how far its used cells reach."""

    title: str
    rows: int = 0
    columns: int = 0


@dataclass
class Book:
    """A workbook as it was saved.

    Parameters
    ----------
    path : str
    data : bytes
    sheets : dict of key to Sheet
        In their order.
    constants, cached : dict of Key to value
    formulas : dict of Key to Formula
    formats : dict of Key to str
        Number formats of constants.
    names : dict of (sheet key or None, name) to str
    tables : dict of name to Table
    spills : dict of Key to (rows, columns)
        How far array formulas reach.
    loops : Loops
    """

    path: str
    data: bytes
    loops: Loops
    sheets: dict[str, Sheet] = field(default_factory=dict)
    constants: dict[Key, Any] = field(default_factory=dict)
    cached: dict[Key, Any] = field(default_factory=dict)
    formulas: dict[Key, Formula] = field(default_factory=dict)
    formats: dict[Key, str] = field(default_factory=dict)
    names: dict[tuple[str | None, str], str] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    spills: dict[Key, tuple[int, int]] = field(default_factory=dict)
    #: What references stand for, once they have been read.
    known: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    #: How many formulas put together a range that begins at a cell: by function and cell.
    starts: Counter[tuple[Any, ...]] = field(default_factory=Counter, repr=False)

    def address(self, key: Key) -> str:
        """Write where a cell stands, as a formula would."""
        return address(self.sheets[key[0]].title if key[0] in self.sheets else key[0], key[1], key[2])

    def saved(self, key: Key) -> Any:
        """Value of a cell as the file holds it."""
        return self.cached.get(key) if key in self.formulas else self.constants.get(key)


def column_letters(column: int) -> str:
    """Letters of a column.

    Examples
    --------
    >>> column_letters(1), column_letters(28), column_letters(16384)
    ('A', 'AB', 'XFD')
    """
    letters = ""
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return letters


def address(sheet: str, row: int, column: int) -> str:
    """Write where a cell stands.

    Examples
    --------
    >>> address("Cash Flow", 7, 4), address("DCF", 29, 4)
    ("'Cash Flow'!D7", 'DCF!D29')
    """
    plain = sheet.replace("_", "").replace(".", "").isalnum() and not sheet[:1].isdigit()
    shown = sheet if plain else "'" + sheet.replace("'", "''") + "'"
    return f"{shown}!{column_letters(column)}{row}"


def book_of(path: str | Path) -> Book:
    """Read all cells of a workbook, within bounds; nothing is run, and no link is followed.

    Raises
    ------
    UnknownNameError
        If there is no such file.
    WorkbookError
        If it is no workbook, is damaged, or is too large.
    """
    file = opened(path)
    try:
        with warnings.catch_warnings():
            # openpyxl warns of what it leaves out: pictures, validations, extensions.
            warnings.simplefilter("ignore")
            return _read(file.path, file.data)
    except WorkbookError:
        raise
    except Exception as error:
        # A damaged file makes it raise nearly anything.
        raise WorkbookError(
            f"{file.path}: cannot be read as a workbook ({type(error).__name__}: {str(error)[:80]}); "
            "open it in Excel or LibreOffice and save it again as .xlsx"
        ) from None


def _read(path: str, data: bytes) -> Book:
    said, values = _opened(data, False), _opened(data, True)
    if said.epoch.year == 1904:
        raise WorkbookError(
            f"{path}: counts days from 1904, which is not read; turn that off in Excel's options and save"
        )
    settings = said.calculation
    loops = Loops(
        bool(settings and settings.iterate),
        int((settings.iterateCount if settings else None) or 100),
        float((settings.iterateDelta if settings else None) or 0.001),
    )
    book = Book(path, data, loops)
    for sheet in said.worksheets:
        key = sheet.title.casefold()
        book.sheets[key] = Sheet(sheet.title)
        _read_cells(book, key, sheet, values[sheet.title])
        for name, defined in sheet.defined_names.items():
            book.names[key, name.casefold()] = defined.attr_text or ""
        for table in sheet.tables.values():
            book.tables[table.displayName.casefold()] = _table(key, table)
    if not book.sheets:
        raise WorkbookError(f"{path}: cannot be read as a workbook: it has no sheets with cells")
    for name, defined in said.defined_names.items():
        book.names[None, name.casefold()] = defined.attr_text or ""
    return book


def _opened(data: bytes, data_only: bool) -> Any:
    """All cells as numbers: days stay numbers too, since times of Python are cut to thousandths of a second."""
    from openpyxl.reader.excel import ExcelReader

    class Reader(ExcelReader):  # type: ignore[misc]
        def read_worksheets(self) -> None:
            self.wb._date_formats, self.wb._timedelta_formats = set(), set()
            super().read_worksheets()

    reader = Reader(BytesIO(data), keep_vba=False, data_only=data_only, keep_links=False)
    reader.read()
    return reader.wb


def _read_cells(book: Book, key: str, sheet: Any, values: Any) -> None:
    from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula

    size, arrays = book.sheets[key], []
    cached = values._cells
    for (row, column), cell in sheet._cells.items():
        value = cell.value
        if value is None:
            continue
        size.rows, size.columns = max(size.rows, row), max(size.columns, column)
        place = key, row, column
        if cell.data_type == "f":
            found = cached.get((row, column))
            book.cached[place] = None if found is None else _saved(found.value, found.data_type)
            if isinstance(value, ArrayFormula):
                book.formulas[place] = Formula(value.text or "=", array=True)
                arrays.append((place, value.ref, ""))
            elif isinstance(value, DataTableFormula):
                book.formulas[place] = Formula("=TABLE()", frozen="data table")
                arrays.append((place, value.ref, "data table"))
            else:
                book.formulas[place] = _formula(str(value))
        else:
            book.constants[place] = _value(value, cell.data_type)
        # Formats tell what a number is.
        if (cell.has_style and type(value) in (int, float)) or (cell.has_style and place in book.formulas):
            book.formats[place] = cell.number_format
    if len(book.constants) + len(book.formulas) > _MOST_CELLS:
        raise WorkbookError(f"{book.path}: has more than {_MOST_CELLS:,} cells that are not empty")
    for place, ref, why in arrays:
        for inner, row, column in _within(place, ref):
            book.spills[place] = row + 1, column + 1
            if inner == place:
                continue
            # Parts that are computed at each change are saved as formulas without text.
            book.cached[inner] = book.constants.pop(inner, book.cached.get(inner))
            part = None if why else (place, row, column)
            book.formulas[inner] = Formula(book.formulas[place].text, array=True, frozen=why, spill=part)
            size.rows, size.columns = max(size.rows, inner[1]), max(size.columns, inner[2])


def _within(place: Key, ref: str) -> Iterator[tuple[Key, int, int]]:
    from openpyxl.utils import range_boundaries

    left, top, right, bottom = range_boundaries(ref)
    if (right - left + 1) * (bottom - top + 1) > 100_000:
        raise WorkbookError(f"an array formula or data table has the range {ref}, which is too large to be read")
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            yield (place[0], row, column), row - top, column - left


def _formula(said: str) -> Formula:
    """A formula as it was before it was exported: what it depends on stands in it, and not in the text around it."""
    found = _OF_GOOGLE.fullmatch(said)
    if found is None:
        return Formula(said)
    inner = "".join(part[1:-1] for part in re.findall(_TEXT, found[1])).replace('""', '"')
    if inner == '"COMPUTED_VALUE"':
        return Formula(said, frozen="shows a part of what another formula of Google Sheets gives")
    return Formula("=" + inner, array=True)


def _saved(value: Any, kind: str) -> Any:
    """What a formula came to; Google Sheets saves errors as texts."""
    found = _value(value, kind)
    return ERRORS.get(found, found) if isinstance(found, str) else found


def _value(value: Any, kind: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str):
        if kind == "e":
            return ERRORS.get(value, CellError(value))
        return value
    from openpyxl.utils.datetime import to_excel

    try:
        return float(to_excel(value))
    except (TypeError, ValueError):
        return str(value)


def _table(sheet: str, table: Any) -> Table:
    from openpyxl.utils import range_boundaries

    left, top, right, bottom = range_boundaries(table.ref)
    header = 1 if table.headerRowCount is None else int(table.headerRowCount)
    columns = tuple(column.name.casefold() for column in table.tableColumns)
    return Table(sheet, (top, left, bottom, right), columns, header, int(table.totalsRowCount or 0))
