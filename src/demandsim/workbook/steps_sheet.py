"""Steps sheet: cells of results that take more than one formula, in base units."""

from __future__ import annotations

from typing import Any

from demandsim.workbook.cells import NamedCells
from demandsim.workbook.formulas.terms import Term, named
from demandsim.workbook.page import Page

__all__ = ["StepsSheet"]


class StepsSheet:
    """A sheet that is made when a first step is written.

    Parameters
    ----------
    book : openpyxl Workbook
    names : NamedCells
    """

    def __init__(self, book: Any, names: NamedCells) -> None:
        self._book, self._names = book, names
        self.page: Page | None = None
        self._waiting: list[tuple[str, str, Term, str]] = []

    def add(self, quantity: str, scenario: str, term: Term) -> Term:
        """Put a term into a cell of its own, once `keep` is called."""
        row = (self.page.row if self.page else 3) + len(self._waiting)
        cell = self._names.give(quantity, ["step"], f"steps!$D${row}")
        self._waiting.append((quantity, scenario, term, cell))
        return named(cell, term.value)

    def keep(self) -> None:
        """Write the steps that wait."""
        if self._waiting and self.page is None:
            self.page = Page(
                self._book.create_sheet("steps"),
                "Steps of results that take more than one formula, in base units; 'results' refers to them by name.",
                ("quantity", "scenario", "name of the cell", "value"),
                ((16, 34), (10, 30), (20, 44), (16, 24)),
            )
        for quantity, scenario, term, cell in self._waiting:
            page = self.page
            assert page is not None
            page.text(page.row, 1, quantity, "name")
            page.text(page.row, 2, scenario)
            page.text(page.row, 3, cell)
            page.formula(page.row, 4, term.as_number().text, term.value, "base")
            page.row += 1
        self._waiting.clear()

    def drop(self) -> None:
        """Forget the steps that wait."""
        for *_, cell in self._waiting:
            del self._names.given[cell]
        self._waiting.clear()
