"""Page: a sheet on which numbers keep every bit, texts stay texts, and formulas carry their value."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from demandsim.errors import WorkbookError
from demandsim.statistics.table import FORMULA_SIGNS
from demandsim.workbook.style import WRAPPED, number_format, shown, styles, width

__all__ = ["FIRST_ROW", "HEADER_ROW", "Page", "readable_text", "storable_text"]

INTRO_ROW, HEADER_ROW, FIRST_ROW = 1, 2, 3
#: Most characters that Excel keeps in a cell.
_LONGEST = 32_767
#: What a text must not begin with, or Excel would take it for a formula when it is edited.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


def storable_text(text: str) -> str:
    r"""Write characters that XML does not have as Excel does: ``_x000D_``.

    Examples
    --------
    >>> storable_text("one\rtwo"), readable_text(storable_text("_x000D_"))
    ('one_x000D_two', '_x000D_')
    """
    spelled = _ESCAPED.sub(lambda found: f"_x005F{found[0]}", text)
    return _UNSTORABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", spelled)


def readable_text(text: str) -> str:
    """Read what `storable_text` has written."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


class Page:
    """A sheet that is being written, row by row.

    Parameters
    ----------
    sheet : openpyxl Worksheet
    intro : str
        What the sheet is for, in its first row.
    headers : sequence of str
    widths : sequence of (least, most)
        Width of each column, in characters.
    """

    def __init__(
        self, sheet: Any, intro: str, headers: Sequence[str], widths: Sequence[tuple[int, int]], frozen: str = "B"
    ) -> None:
        self.sheet = sheet
        self.name: str = sheet.title
        self.row = FIRST_ROW
        self.values: dict[str, float | str] = {}
        self._bounds = list(widths)
        #: Columns of numbers, whose headings stand above them.
        self._numeric: set[int] = set()
        self._widths = [min(width(header) + 2, 16) for header in headers]
        self._texts: list[tuple[int, int, str]] = [(HEADER_ROW, c, h) for c, h in enumerate(headers, start=1)]
        self.text(INTRO_ROW, 1, intro, "intro")
        sheet.row_dimensions[INTRO_ROW].height = 24
        for column, header in enumerate(headers, start=1):
            self.text(HEADER_ROW, column, header, "header")
        sheet.freeze_panes = f"{frozen}{FIRST_ROW}"

    def _styled(self, row: int, column: int, look: str, text: str) -> Any:
        cell = self.sheet.cell(row, column)
        for part, style in styles()[look].items():
            setattr(cell, part, style)
        if row > HEADER_ROW and look != "section" and column <= len(self._widths):
            self._widths[column - 1] = max(self._widths[column - 1], width(text) + 2)
            if look in WRAPPED:
                self._texts.append((row, column, text))
        return cell

    def text(self, row: int, column: int, text: str | None, look: str = "short") -> str:
        """Write a text, and return the name of its cell."""
        cell = self._styled(row, column, look, text or "")
        if text:
            stored = storable_text(text)
            if len(stored) > _LONGEST:
                raise WorkbookError(
                    f"sheet '{self.name}', cell {cell.coordinate}: '{text[:40]}...' has {len(text):,} characters, and "
                    f"a cell of a workbook holds {_LONGEST:,}; keep the model as a study file with to_toml"
                )
            # Past openpyxl's guessing: it would make a formula of "=..." and an error of "#N/A".
            cell._value, cell.data_type = stored, "s"
            if text.startswith(FORMULA_SIGNS):
                cell.quotePrefix = True
        return str(cell.coordinate)

    def number(
        self, row: int, column: int, number: float | None, look: str = "computed", shape: str | None = None
    ) -> str:
        """Write a number with every bit, and return the name of its cell."""
        cell = self._styled(row, column, look, "" if number is None else shown(number))
        if number is not None:
            # As text of a number: openpyxl would write 16 digits, and a double has 17.
            cell._value, cell.data_type = repr(number), "n"
            cell.number_format = shape or number_format(number)
            self._numeric.add(column)
        return str(cell.coordinate)

    def formula(self, row: int, column: int, text: str, value: float | str, look: str = "computed") -> str:
        """Write a formula with the value that it has now, and return the name of its cell."""
        cell = self._styled(row, column, look, value if isinstance(value, str) else shown(value))
        cell._value, cell.data_type = f"={text}", "f"
        if isinstance(value, str):
            self.values[cell.coordinate] = storable_text(value)
        elif math.isfinite(value):
            self.values[cell.coordinate] = value
            cell.number_format = number_format(value)
            self._numeric.add(column)
        return str(cell.coordinate)

    def put(self, row: int, column: int, content: str | float | None, look: str, shape: str = "General") -> str:
        """Write a text or a number, and return the name of its cell."""
        if content is None or isinstance(content, str):
            return self.text(row, column, content, look)
        return self.number(row, column, content, look, shape)

    def add(self, *cells: tuple[str | float | None, str] | tuple[float, str, str]) -> None:
        """Write texts and numbers with their looks (and formats) from the left, and go to the next row."""
        for column, cell in enumerate(cells, start=1):
            self.put(self.row, column, *cell)
        self.row += 1

    def section(self, title: str) -> None:
        """Write a line that stands above a group of rows."""
        for column in range(1, len(self._widths) + 1):
            self.text(self.row, column, title if column == 1 else None, "section")
        self.row += 1

    def finish(self) -> None:
        """Set the widths of columns and how the sheet is printed."""
        from openpyxl.utils import get_column_letter

        for column in self._numeric.intersection(range(1, len(self._widths) + 1)):
            self.sheet.cell(HEADER_ROW, column).alignment = styles()["header of numbers"]["alignment"]
        widths = [min(max(found, least), most) for found, (least, most) in zip(self._widths, self._bounds, strict=True)]
        for column, wide in enumerate(widths, start=1):
            self.sheet.column_dimensions[get_column_letter(column)].width = wide
        # Not every program makes rows as high as their text.
        lines: dict[int, int] = {}
        for row, column, text in self._texts:
            needed = sum(
                -(-max(width(line), 1) // int(widths[column - 1] * 1.05)) for line in text.splitlines() or [""]
            )
            lines[row] = max(lines.get(row, 1), needed)
        for row, count in lines.items():
            self.sheet.row_dimensions[row].height = min(15.0 * count + 1, 400)
        setup = self.sheet.page_setup
        # A4, or A3 for what is wide.
        setup.orientation, setup.paperSize = "landscape", 8 if sum(widths) > 180 else 9
        setup.fitToWidth, setup.fitToHeight = 1, 0
        self.sheet.sheet_properties.pageSetUpPr.fitToPage = True
        self.sheet.print_title_rows = f"{HEADER_ROW}:{HEADER_ROW}"
        self.sheet.oddFooter.left.text = "&F, &A"
        self.sheet.oddFooter.right.text = "&P / &N"
