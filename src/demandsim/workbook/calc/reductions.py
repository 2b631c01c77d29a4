"""Reductions: the sum, the smallest and the largest of one range, the most frequent functions, without detours."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from demandsim.workbook.calc.book import Book, Key
from demandsim.workbook.calc.references import Area
from demandsim.workbook.calc.state import Code, State

__all__ = ["REDUCED", "reduced"]

#: How each puts two numbers together.
REDUCED: dict[str, Any] = {"SUM": np.add, "MIN": np.minimum, "MAX": np.maximum}
#: Cells of larger ranges are found each time, rather than kept with each formula.
_KEPT = 256
_LEFT_OUT = (str, bool, type(None))


def reduced(book: Book, name: str, area: Area, definition: Code) -> Code:
    """Put the numbers of a range together, from its first cell on, as the definition does.

    What a range has in common with the last one that begins at the same cell is not put together again.

    Parameters
    ----------
    book : Book
    name : str
    area : Area
    definition : callable
        Speaks for what is not plainly numbers: errors, mixed draws, numbers that are too large.
    """
    used = area.clipped(book)
    start = name, *used.first
    book.starts[start] += 1
    keys = list(used.cells()) if used.shape[0] * used.shape[1] <= _KEPT else None
    together = REDUCED[name]

    def run(state: State) -> Any:
        if area in state.grids:
            return definition(state)
        total: Any = None
        cells: Iterable[Key] = keys or used.cells()
        if start in state.begun:
            # Running totals, and ranges that many formulas take, go on from where the last of them ended.
            before, so_far = state.begun[start]
            more = used.beyond(before)
            if more is not None:
                total, cells = so_far, more
        # The first array that is made here is filled again and again: it stays in the processor's cache.
        own = False
        value: Any
        for value in map(state.values.get, cells):
            kind = type(value)
            if kind is np.ndarray:
                if value.dtype != np.float64:
                    return definition(state)
            elif kind is not float:
                if kind in _LEFT_OUT:
                    continue
                return definition(state)
            if total is None:
                total = value
            elif own:
                together(total, value, out=total)
            else:
                total = together(total, value)
                own = type(total) is np.ndarray
        # A range of one array alone gives that array, which nobody changes.
        if type(total) is not np.ndarray or (name == "SUM" and not math.isfinite(total.dot(total))):
            return definition(state)
        if book.starts[start] > 1:
            state.begun[start] = used, total
        return total

    return run
