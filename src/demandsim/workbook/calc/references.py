"""References: what ``Inputs!$C$21``, ``A:A``, a name or ``Table1[Price]`` stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from demandsim.errors import UnknownNameError, did_you_mean
from demandsim.workbook.calc.book import Book, Key, Table
from demandsim.workbook.calc.values import NAME, REF, CellError, UnsupportedError

__all__ = ["Area", "ExternalLinkError", "cell_named", "resolved"]

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
#: More cells than these are not taken from one range.
_MOST = 4_000_000

_CELL = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_COLUMN = re.compile(r"\$?([A-Za-z]{1,3})")
_ROW = re.compile(r"\$?(\d{1,7})")


class ExternalLinkError(UnsupportedError):
    """A link to another workbook, which is never followed."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of cells: sheet, first and last row and column."""

    sheet: str
    top: int
    left: int
    bottom: int
    right: int

    @property
    def single(self) -> bool:
        """Whether it is one cell."""
        return self.top == self.bottom and self.left == self.right

    @property
    def first(self) -> Key:
        """Its first cell."""
        return self.sheet, self.top, self.left

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top + 1, self.right - self.left + 1

    def clipped(self, book: Book) -> Area:
        """The part of it that can hold anything; one cell at least."""
        size = book.sheets[self.sheet]
        bottom = max(self.top, min(self.bottom, size.rows))
        right = max(self.left, min(self.right, size.columns))
        found = Area(self.sheet, self.top, self.left, bottom, right)
        if found.shape[0] * found.shape[1] > _MOST:
            raise UnsupportedError(f"takes a range of more than {_MOST:,} cells")
        return found

    def cells(self) -> Iterator[Key]:
        """All its cells."""
        for row in range(self.top, self.bottom + 1):
            for column in range(self.left, self.right + 1):
                yield self.sheet, row, column

    def beyond(self, other: Area) -> Iterator[Key] | None:
        """Its cells after those of another that begins at the same one, in order; None unless these come first."""
        if self.right == other.right and self.bottom >= other.bottom:
            return Area(self.sheet, other.bottom + 1, self.left, self.bottom, self.right).cells()
        if self.top == self.bottom == other.bottom and self.right >= other.right:
            return Area(self.sheet, self.top, other.right + 1, self.bottom, self.right).cells()
        return None

    def at(self, row: int, column: int) -> Key | None:
        """The cell of a single row or column that stands beside a cell; None if there is none."""
        i = self.top if self.top == self.bottom else row if self.top <= row <= self.bottom else None
        j = self.left if self.left == self.right else column if self.left <= column <= self.right else None
        return None if i is None or j is None else (self.sheet, i, j)

    def shared(self, other: Area) -> Area | None:
        """What it shares with another; None if that is nothing."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        if self.sheet != other.sheet or top > bottom or left > right:
            return None
        return Area(self.sheet, top, left, bottom, right)


def _number_of(letters: str) -> int:
    found = 0
    for letter in letters.upper():
        found = found * 26 + ord(letter) - 64
    return found


def _sheet_and_rest(said: str, home: str) -> tuple[str, str]:
    if said.startswith("'"):
        end = 1
        while (end := said.find("'", end)) >= 0 and said[end + 1 : end + 2] == "'":
            end += 2
        if end < 0 or said[end + 1 : end + 2] != "!":
            raise UnsupportedError(f"the reference {said[:60]} is not read")
        return said[1:end].replace("''", "'"), said[end + 2 :]
    sheet, mark, rest = said.rpartition("!")
    return (sheet, rest) if mark else (home, said)


def _corner(said: str) -> tuple[int | None, int | None] | None:
    """Row and column of a part of a reference; None of what is left open."""
    if found := _CELL.fullmatch(said):
        return int(found[2]), _number_of(found[1])
    if found := _COLUMN.fullmatch(said):
        return None, _number_of(found[1])
    if found := _ROW.fullmatch(said):
        return int(found[1]), None
    return None


def _rectangle(sheet: str, said: str) -> Area | None:
    """A reference in letters and numbers; None if it is a name."""
    first, colon, last = said.partition(":")
    one = _corner(first)
    if one is None:
        return None
    other = _corner(last.rpartition("!")[2]) if colon else one
    if other is None or (not colon and None in one):
        return None
    if (one[0] is None) != (other[0] is None) or (one[1] is None) != (other[1] is None):
        return None
    rows = sorted((one[0] or 1, other[0] or LAST_ROW))
    columns = sorted((one[1] or 1, other[1] or LAST_COLUMN))
    if rows[0] < 1 or rows[1] > LAST_ROW or columns[1] > LAST_COLUMN:
        return None
    return Area(sheet, rows[0], columns[0], rows[1], columns[1])


def resolved(book: Book, said: str, home: Key) -> Area | tuple[Area, ...] | str:
    """Say what a reference stands for.

    Parameters
    ----------
    book : Book
    said : str
    home : Key
        Where it is written.

    Returns
    -------
    Area, several of them over sheets, or str
        A text is the formula behind a name.

    Raises
    ------
    CellError
        If it stands for nothing.
    ExternalLinkError
        If it is in another workbook.
    """
    said = said.lstrip("@")
    if "#REF!" in said.upper():
        raise REF
    if re.match(r"'?[^'!\[\]]*\[[^\]]+\][^!\[\]]*'?!", said) or said.startswith("["):
        raise ExternalLinkError(f"links to another workbook ({said[:60]})")
    if "[" in said:
        return _table_part(book, said, home)
    sheet, rest = _sheet_and_rest(said, home[0])
    keys = list(book.sheets)
    if ":" in sheet and sheet.casefold() not in book.sheets:
        first, _, last = (part.strip("'").casefold() for part in sheet.partition(":"))
        if first not in book.sheets or last not in book.sheets:
            raise REF
        ends = sorted((keys.index(first), keys.index(last)))
        areas = [_rectangle(key, rest) for key in keys[ends[0] : ends[1] + 1]]
        if any(area is None for area in areas):
            raise NAME
        return tuple(area for area in areas if area is not None)
    key = sheet.casefold()
    area = _rectangle(key, rest)
    if area is not None:
        if key not in book.sheets:
            raise REF
        return area
    name = rest.casefold()
    found = book.names.get((key, name), book.names.get((None, name)))
    if found is None:
        if name in book.tables:
            return _body(book.tables[name])
        raise CellError(NAME.code)
    return found if found.startswith("=") else f"={found}"


def _body(table: Table) -> Area:
    top, left, bottom, right = table.box
    return Area(table.sheet, top + table.header, left, bottom - table.totals, right)


def _written_parts(inner: str) -> list[str]:
    """Columns and ``#`` words between the brackets of a table reference."""
    parts = [part.strip().casefold() for part in re.findall(r"\[([^\[\]]*)\]", "[" + inner) if part.strip()]
    whole = inner[:-1].strip().casefold()
    if whole.startswith("@["):
        return ["#this row", *parts]
    if whole.startswith("@"):
        return ["#this row", whole[1:].strip("[]")] if len(whole) > 1 else ["#this row"]
    return parts or ([whole] if whole else [])


def _table_part(book: Book, said: str, home: Key) -> Area:
    name, _, inner = said.partition("[")
    table = book.tables.get(name.casefold()) if name else _table_at(book, home)
    if table is None:
        raise UnsupportedError(f"the table of {said[:60]} is not known")
    parts = _written_parts(inner)
    top, left, bottom, right = table.box
    body = _body(table)
    rows = body.top, body.bottom
    columns = []
    for written in parts:
        part = written if written in table.columns else written.replace("'", "")
        if part == "#this row":
            if home[0] != table.sheet or not body.top <= home[1] <= body.bottom:
                raise CellError("#VALUE!")
            rows = home[1], home[1]
        elif part in ("#data", "#all", "#headers", "#totals"):
            rows = {
                "#data": rows,
                "#all": (top, bottom),
                "#headers": (top, top + table.header - 1),
                "#totals": (bottom - table.totals + 1, bottom),
            }[part]
        elif part in table.columns:
            columns.append(table.columns.index(part))
        else:
            raise CellError(REF.code)
    first, last = (min(columns), max(columns)) if columns else (0, right - left)
    if len(columns) > 2 or (len(columns) == 2 and "]:[" not in said):
        raise UnsupportedError(f"the table reference {said[:60]} is not read")
    return Area(table.sheet, rows[0], left + first, rows[1], left + last)


def _table_at(book: Book, home: Key) -> Table | None:
    for table in book.tables.values():
        top, left, bottom, right = table.box
        if table.sheet == home[0] and top <= home[1] <= bottom and left <= home[2] <= right:
            return table
    return None


def cell_named(book: Book, said: str) -> Key:
    """Find the one cell that a user names, by address or by defined name.

    Raises
    ------
    UnknownNameError
        If there is no such sheet or name.
    """
    stripped = said.strip().lstrip("=").replace("！", "!")
    sheet, rest = _sheet_and_rest(stripped, "")
    if sheet and sheet.casefold() not in book.sheets:
        titles = [one.title for one in book.sheets.values()]
        raise UnknownNameError(f"'{said}': there is no sheet '{sheet}'{did_you_mean(sheet, titles)}")
    if not sheet and _rectangle("", rest) is not None:
        if len(book.sheets) > 1:
            listed = ", ".join(one.title for one in book.sheets.values())
            raise UnknownNameError(f"'{said}': say on which sheet, as in 'Sheet!{rest}'; there are {listed}")
        sheet = next(iter(book.sheets))
    found: Area | tuple[Area, ...] | str = stripped
    home = (sheet.casefold() or next(iter(book.sheets)), 1, 1)
    try:
        for _ in range(8):
            if not isinstance(found, str):
                break
            found = resolved(book, found.lstrip("="), home)
    except CellError:
        names = sorted({name for _, name in book.names})
        raise UnknownNameError(f"'{said}' is no cell or name of the workbook{did_you_mean(rest, names)}") from None
    if not isinstance(found, Area) or not found.single:
        raise UnknownNameError(f"'{said}' is no single cell; name one, such as 'Sheet!C21'")
    return found.first
