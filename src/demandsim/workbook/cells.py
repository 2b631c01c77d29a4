"""Cells: names that formulas call them by, and the rows of a sheet by their headers, with errors that name the cell."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from demandsim.errors import DemandsimError, WorkbookError, did_you_mean, shorten
from demandsim.units.convert import check_unit
from demandsim.workbook.page import readable_text
from demandsim.workbook.xlsx import Cell, Opened, Row

__all__ = ["Entry", "NamedCells", "SheetTable", "fixed", "table_of"]

#: What Excel takes for a cell (A1, R1C1) or a value rather than a name.
_TAKEN = re.compile(r"[a-z]{1,3}\d+|r\d*|c\d*|r\d*c\d*|true|false", re.IGNORECASE)
_LONGEST = 200
#: The header stands in one of the first rows, in case somebody has put a title above it.
_HEADER_WITHIN = 30

Result = TypeVar("Result")


def fixed(cell: str) -> str:
    """Write a cell so that it stays when a formula is copied.

    Examples
    --------
    >>> fixed("AB7")
    '$AB$7'
    """
    letters = cell.rstrip("0123456789")
    return f"${letters}${cell[len(letters) :]}"


class NamedCells:
    """Names that were given to cells: each is valid in Excel and given once.

    Examples
    --------
    >>> cells = NamedCells()
    >>> cells.give("cards", ["100T"], "'results'!$F$4"), cells.give("H20", [], "'results'!$F$5")
    ('cards_100T', 'H20_')
    >>> cells.give("cards", ["100T"], "'results'!$F$6")
    'cards_100T_2'
    """

    def __init__(self) -> None:
        self.given: dict[str, str] = {}
        self._used: set[str] = set()

    def give(self, quantity: str, labels: Sequence[str], cell: str) -> str:
        """Name a cell after its quantity and the labels at which it stands."""
        name = "_".join(re.sub(r"\W", "_", part) for part in (quantity, *labels))[:_LONGEST]
        if _TAKEN.fullmatch(name):
            name += "_"
        number, free = 1, name
        # Excel does not tell capital letters from small ones.
        while free.casefold() in self._used:
            number += 1
            free = f"{name}_{number}"
        self._used.add(free.casefold())
        self.given[free] = cell
        return free


@dataclass(frozen=True)
class Entry:
    """A row of a sheet.

    Parameters
    ----------
    book : Opened
    sheet : str
    cells : mapping of header to Cell
        Those that are not empty.
    columns : mapping of header to int
    row : int
    name : str
        What the row is about, for errors.
    """

    book: Opened
    sheet: str
    cells: Mapping[str, Cell]
    columns: Mapping[str, int]
    row: int
    name: str = ""

    def about(self, name: str) -> Entry:
        """Return the same row, known by a name."""
        return replace(self, name=name)

    def where(self, header: str) -> str:
        """Say where a cell of the row stands."""
        about = f" ({self.name})" if self.name else ""
        return f"{self.book.path}, sheet '{self.sheet}', cell {self.cell(header)}{about}"

    def cell(self, header: str) -> str:
        """Name of a cell of the row."""
        return Cell(None, "", self.columns[header], self.row).name

    def fail(self, header: str, what: str) -> WorkbookError:
        """Make the error of a cell."""
        return WorkbookError(f"{self.where(header)}: {what}")

    def read(self, header: str, reader: Callable[[], Result]) -> Result:
        """Read something from a cell, and name the cell if that fails."""
        try:
            return reader()
        except WorkbookError:
            raise
        except DemandsimError as error:
            raise self.fail(header, str(error)) from None

    def has(self, header: str) -> bool:
        """Whether there is anything in the cell."""
        return self.value(header) is not None

    def value(self, header: str) -> float | int | str | bool | None:
        """Value of a cell; what a formula came to, if it is one.

        Raises
        ------
        WorkbookError
            If the formula has never been computed, or the cell holds an error or a date.
        """
        cell = self.cells.get(header)
        if cell is None:
            return None
        if cell.kind == "formula":
            text = str(getattr(cell.value, "text", cell.value))
            computed = self.book.computed(self.sheet, cell.name)
            if computed is None:
                raise self.fail(
                    header,
                    f"the formula {shorten(text, 40)} has not been computed; save the workbook in Excel or "
                    "LibreOffice, or write its value",
                )
            cell = computed
        if cell.kind == "error":
            raise self.fail(header, f"holds the error {cell.value}; write a value")
        if cell.kind == "date" or not isinstance(cell.value, (int, float, str, bool)):
            raise self.fail(
                header,
                f"has been taken for a date ({cell.value}); format the cell as text or number and write it again",
            )
        if isinstance(cell.value, str):
            text = readable_text(cell.value)
            return text if text.strip() else None
        return cell.value

    def kept(self, header: str) -> float | int | str | bool | None:
        """Value of a cell that only demandsim writes; None if somebody has put something else there."""
        cell = self.cells.get(header)
        return self.value(header) if cell is not None and not cell.kind else None

    def text(self, header: str) -> str | None:
        """Text of a cell; a number is its digits."""
        value = self.value(header)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            raise self.fail(header, f"is {str(value).upper()}; write a text")
        return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else repr(value)

    def needed(self, header: str) -> str:
        """Text of a cell that must not be empty."""
        if (found := self.text(header)) is None:
            raise self.fail(header, f"is empty; write the {header}")
        return found.strip()

    def number(self, header: str) -> float | None:
        """Finite number in a cell."""
        value = self.value(header)
        if value is None:
            return None
        if isinstance(value, (str, bool)):
            shown = str(value).upper() if isinstance(value, bool) else f"the text '{shorten(value, 40)}'"
            raise self.fail(header, f"is {shown}, and a number is needed{_as_number(value)}")
        if not math.isfinite(value):
            raise self.fail(header, f"is {value!r}, and a finite number is needed")
        return float(value)

    def unit(self, default: str) -> str:
        """Unit of the row, of its column ``unit``."""
        return self.read("unit", lambda: check_unit((self.text("unit") or default).strip()))

    def yes(self, header: str) -> bool:
        """Yes or no in a cell; empty is no."""
        value = self.value(header)
        if value is None or isinstance(value, bool):
            return bool(value)
        known = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
        if (found := known.get(str(value).strip().lower())) is None:
            raise self.fail(header, f"is '{shorten(str(value), 40)}'; write yes or no")
        return found


def _as_number(value: Any) -> str:
    """Say what number a text may stand for, where there is one answer: 1,234 may be two."""
    text = re.sub(r"\s", "", str(value))
    if re.fullmatch(r"-?\d{1,3}(,\d{3}){2,}(\.\d+)?|-?\d{1,3}(,\d{3})+\.\d+", text):
        text = text.replace(",", "")
    elif re.fullmatch(r"-?(0,\d+|\d+,(\d{1,2}|\d{4,}))%?", text):
        text = text.replace(",", ".")
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return ""
    return f"; write {number:.10g}, and format the cell as a number"


@dataclass(frozen=True)
class SheetTable:
    """A sheet as a table."""

    book: Opened
    sheet: str
    columns: Mapping[str, int]
    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)


def table_of(book: Opened, sheet: str, needed: Sequence[str]) -> SheetTable:
    """Read a sheet by its headers.

    Raises
    ------
    WorkbookError
        If there is no such sheet, or a header is missing or stands there twice.
    """
    by_name = {name.casefold(): name for name in book.sheets}
    if (found := by_name.get(sheet.casefold())) is None:
        raise WorkbookError(
            f"{book.path}: there is no sheet '{sheet}'{did_you_mean(sheet, book.sheets)}; to have nothing on it, leave "
            "the sheet and delete its rows"
        )
    rows = book.rows(found)
    best, place = _header(f"{book.path}, sheet '{found}'", rows[:_HEADER_WITHIN], needed)
    missing = [header for header in needed if header not in best]
    if missing:
        near = did_you_mean(missing[0], (shorten(header, 30) for header in best)) if best else ""
        raise WorkbookError(
            f"{book.path}, sheet '{found}': there is no column '{missing[0]}'{near}; "
            f"the columns are {', '.join(needed)}"
        )
    by_column = {column: header for header, column in best.items()}
    entries = []
    for row in rows[place + 1 :]:
        cells = {by_column[cell.column]: cell for cell in row if cell.column in by_column}
        # A row of nothing but people's own columns says nothing to us.
        if any(header in cells for header in needed):
            entries.append(Entry(book, found, cells, best, row[0].row))
    return SheetTable(book, found, best, tuple(entries))


def _header(where: str, rows: Sequence[Row], needed: Sequence[str]) -> tuple[dict[str, int], int]:
    """Columns by their headers in the row that has most of those needed, and which row it is."""
    best: dict[str, int] = {}
    place = -1
    for index, row in enumerate(rows):
        headers: dict[str, int] = {}
        for cell in row:
            if not isinstance(cell.value, str) or cell.kind:
                continue
            header = readable_text(cell.value).strip()
            if header in headers and header in needed:
                raise WorkbookError(f"{where}, cell {cell.name}: a second column '{header}'")
            headers.setdefault(header, cell.column)
        if sum(header in headers for header in needed) > sum(header in best for header in needed):
            best, place = headers, index
    return best, place
