"""Published sheet: figures as the source prints them, beside what the model computes, written and read back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from demandsim.graph.metadata import Published
from demandsim.units.convert import base_factor, same_dimension
from demandsim.workbook.cells import Entry, SheetTable
from demandsim.workbook.formulas.terms import Term
from demandsim.workbook.page import FIRST_ROW, Page
from demandsim.workbook.results import ResultsSheet
from demandsim.workbook.sheets import INPUTS

if TYPE_CHECKING:
    from demandsim.model import Model

__all__ = ["published_of", "write_published"]

#: Header of printed values; a scenario stands behind it.
_PRINTED = "printed"
#: Column of the first printed value.
_FIRST = 6


def write_published(book: Any, model: Model, results: ResultsSheet) -> Page:
    """Write the rows that a source prints, with a check for each value."""
    plan = INPUTS["published"]
    keys = list(dict.fromkeys(key for row in model.notes.published for key in row.values))
    headers = [*plan.columns, "base units in one unit"]
    for key in keys:
        tail = f": {key}" if key else ""
        headers += [f"{_PRINTED}{tail}", f"computed{tail}", f"check{tail}"]
    widths = [(16, 34), (24, 50), (10, 24), (7, 7), (14, 16), *((14, 20), (14, 20), (9, 30)) * len(keys)]
    page = Page(book.create_sheet(plan.name), plan.intro, headers, widths, "C")
    for made in model.notes.published:
        page.text(page.row, 1, made.quantity, "name")
        page.text(page.row, 2, made.row, "input")
        unit = page.text(page.row, 3, made.unit, "input unit")
        digits = page.number(page.row, 4, made.digits, "input", "0")
        factor = page.formula(page.row, 5, results.units.looked_up(f"${unit}"), base_factor(made.unit), "base")
        for place, key in enumerate(keys):
            if key in made.values:
                _check(page, _FIRST + 3 * place, made, key, (factor, digits), results)
        page.row += 1
    _colour(page, keys)
    return page


def _check(page: Page, column: int, made: Published, key: str, beside: tuple[str, str], results: ResultsSheet) -> None:
    printed, row = made.values[key], page.row
    shape = "#,##0" + ("." + "0" * made.digits if made.digits else "")
    printed_cell = page.number(row, column, float(printed), "input", shape)
    cell, why = _computed_at(made, key, results)
    if cell is None:
        page.text(row, column + 2, why, "uncertain")
        return
    value = cell.value / base_factor(made.unit)
    computed = page.formula(row, column + 1, f"{cell.text}/${beside[0]}", value, "computed")
    page.sheet[computed].number_format = shape
    # Half a unit of the last digit, and the last bit of what half of it is.
    rule = f'IF(ABS({computed}-{printed_cell})<=0.5*10^-${beside[1]}+1E-9*ABS({printed_cell}),"ok","differs")'
    good = abs(value - printed) <= 0.5 * 10.0**-made.digits + 1e-9 * abs(printed)
    page.formula(row, column + 2, rule, "ok" if good else "differs", "short")


def _computed_at(made: Published, key: str, results: ResultsSheet) -> tuple[Term | None, str]:
    """The cell of a published value, or why there is none."""
    array = results.point[made.quantity]
    if not same_dimension(made.unit, str(array.attrs["units"])):
        return None, f"printed in {made.unit}, computed in {array.attrs['units']}"
    places: Mapping[str, Any] = {
        dim: next(label for label in labels if str(label) == key)
        for dim, labels in results.everything.items()
        if key in map(str, labels)
    }
    if key and not places:
        return None, f"nothing is called '{key}'"
    cell = results.base_cell(made.quantity, places)
    if cell is None:
        return None, "stands for several cells"
    return (cell, "") if not math.isnan(cell.value) else (None, "computed as #N/A")


def _colour(page: Page, keys: list[str]) -> None:
    """Colour the checks as they change."""
    from openpyxl.formatting.rule import CellIsRule
    from openpyxl.styles import PatternFill
    from openpyxl.utils import get_column_letter

    for place in range(len(keys)):
        letter = get_column_letter(_FIRST + 2 + 3 * place)
        cells = f"{letter}{FIRST_ROW}:{letter}{max(page.row - 1, FIRST_ROW)}"
        for word, colour in (("ok", "C6EFCE"), ("differs", "FFC7CE")):
            fill = PatternFill("solid", start_color=colour, end_color=colour)
            page.sheet.conditional_formatting.add(cells, CellIsRule(operator="equal", formula=[f'"{word}"'], fill=fill))


def published_of(table: SheetTable) -> Iterator[tuple[Entry, Published]]:
    """Read the rows that a source prints, each with where it stands."""
    columns = {
        header: header.removeprefix(_PRINTED).removeprefix(": ")
        for header in table.columns
        if header == _PRINTED or header.startswith(f"{_PRINTED}: ")
    }
    for row in table:
        quantity = row.needed("quantity")
        entry = row.about(quantity)
        digits = entry.number("digits")
        if digits is None or not digits.is_integer() or not 0 <= digits <= 12:
            raise entry.fail("digits", "write the number of decimals printed, from 0 to 12")
        values = {key: value for header, key in columns.items() if (value := entry.number(header)) is not None}
        yield entry, Published(quantity, entry.text("row") or "", entry.text("unit") or "1", int(digits), values)
