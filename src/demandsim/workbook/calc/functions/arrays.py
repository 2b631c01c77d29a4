"""Arrays: rectangles that are made, turned, cut, put together, filtered and sorted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from demandsim.workbook.calc.draws import is_drawn
from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.operators import compare
from demandsim.workbook.calc.values import NA, VALUE, CellError, Grid, UnsupportedError, number, truth

__all__: list[str] = []

#: More cells than these are not made by one formula.
_MOST = 100_000


def _flat(cells: Any) -> list[Any]:
    return cells.flat() if type(cells) is Grid else [cells]


def _grid(cells: Any) -> Grid:
    return cells if type(cells) is Grid else Grid([[cells]])


def _count(name: str, value: Any) -> int:
    if is_drawn(value):
        raise UnsupportedError(f"{name} with an uncertain argument is not read")
    return int(number(value))


@function("TRANSPOSE", takes="a", structural=True)
def _transpose(cells: Any) -> Any:
    return Grid([list(column) for column in zip(*cells.rows, strict=True)]) if type(cells) is Grid else cells


@function("ROWS", takes="r", structural=True)
def _rows(cells: Any) -> float:
    return float(cells.shape[0]) if type(cells) is Grid else 1.0


@function("COLUMNS", takes="r", structural=True)
def _columns(cells: Any) -> float:
    return float(cells.shape[1]) if type(cells) is Grid else 1.0


def _kept(condition: Any) -> list[bool]:
    """Which rows or columns a condition keeps."""
    if is_drawn(condition) or (type(condition) is Grid and condition.drawn):
        raise UnsupportedError("FILTER with an uncertain condition is not read")
    found = _flat(condition)
    for value in found:
        if type(value) is CellError:
            raise value
    return [truth(value) for value in found]


@function("FILTER", takes="aa", more="a", structural=True)
def _filter(cells: Any, condition: Any, *others: Any) -> Any:
    grid = cells if type(cells) is Grid else Grid([[cells]])
    kept, missing = _kept(condition), CellError("#CALC!")
    across = type(condition) is Grid and condition.shape[0] == 1 and grid.shape[1] == condition.shape[1] > 1
    # Blank cells beyond the used ones are left out of both.
    if len(kept) not in ((grid.shape[1], len(grid.rows[0])) if across else (grid.shape[0], len(grid.rows))):
        raise CellError(VALUE.code)
    for other in others:
        if type(other) is not Grid:
            # The third argument of Excel stands where nothing is left.
            missing = other
        elif other.shape == condition.shape and all(type(value) is bool for value in other.flat()):
            # Google Sheets takes further conditions there.
            kept = [one and two for one, two in zip(kept, _kept(other), strict=True)]
        else:
            raise UnsupportedError("FILTER with a range for what stands where nothing is left is not read")
    if not any(kept):
        return missing
    return _left_over(grid, kept, across)


def _left_over(grid: Grid, kept: list[bool], across: bool) -> Grid:
    """Rows, or columns, that are kept."""
    places = [place for place, keep in enumerate(kept) if keep]
    if across:
        return Grid([[grid.cell(row, place) for place in places] for row in range(grid.shape[0])])
    return Grid([[grid.cell(place, column) for column in range(grid.shape[1])] for place in places])


@function("SEQUENCE", takes="nnnn", least=1)
def _sequence(rows: float, columns: float = 1.0, start: float = 1.0, step: float = 1.0) -> Grid:
    height, width = int(rows), int(columns)
    if height < 1 or width < 1:
        raise CellError(VALUE.code)
    if height * width > _MOST:
        raise UnsupportedError(f"SEQUENCE makes more than {_MOST:,} cells")
    return Grid([[start + step * (i * width + j) for j in range(width)] for i in range(height)])


def _cut(name: str, span: Callable[[int, int], slice]) -> None:
    def scalar(cells: Any, rows: Any = None, columns: Any = None) -> Any:
        grid, kept = _grid(cells), []
        for size, wanted in zip(grid.shape, (rows, columns), strict=True):
            kept.append(range(size) if wanted is None else range(size)[span(_count(name, wanted), size)])
        if not all(kept):
            return CellError("#CALC!")
        return Grid([[grid.cell(i, j) for j in kept[1]] for i in kept[0]])

    function(name, takes="aee", structural=True, least=2)(scalar)


_cut("TAKE", lambda count, size: slice(0, count) if count >= 0 else slice(max(size + count, 0), size))
_cut("DROP", lambda count, size: slice(count, size) if count >= 0 else slice(0, max(size + count, 0)))


def _chosen_lines(name: str, down: bool) -> None:
    def scalar(cells: Any, *wanted: Any) -> Any:
        grid = _grid(cells)
        size = grid.shape[0] if down else grid.shape[1]
        places = [_count(name, one) for several in wanted for one in _flat(several)]
        if any(place == 0 or abs(place) > size for place in places):
            return VALUE
        spots = [place - 1 if place > 0 else size + place for place in places]
        if down:
            return Grid([[grid.cell(i, j) for j in range(grid.shape[1])] for i in spots])
        return Grid([[grid.cell(i, j) for j in spots] for i in range(grid.shape[0])])

    function(name, takes="a", more="a", structural=True, least=2)(scalar)


_chosen_lines("CHOOSEROWS", True)
_chosen_lines("CHOOSECOLS", False)


@function("VSTACK", more="a", structural=True, least=1)
def _vstack(*args: Any) -> Grid:
    width = max(_grid(value).shape[1] for value in args)
    lines = []
    for grid in map(_grid, args):
        missing = [NA] * (width - grid.shape[1])
        lines += [[grid.cell(i, j) for j in range(grid.shape[1])] + missing for i in range(grid.shape[0])]
    return Grid(lines)


@function("HSTACK", more="a", structural=True, least=1)
def _hstack(*args: Any) -> Grid:
    height = max(_grid(value).shape[0] for value in args)
    grids = [_grid(value) for value in args]
    return Grid(
        [
            [grid.cell(i, j) if i < grid.shape[0] else NA for grid in grids for j in range(grid.shape[1])]
            for i in range(height)
        ]
    )


def _in_line(name: str, down: bool) -> None:
    def scalar(cells: Any, ignored: Any = None, by_column: Any = None) -> Any:
        grid = _grid(cells)
        leave = _count(name, ignored)
        lines = zip(*grid.rows, strict=True) if by_column is not None and truth(by_column) else grid.rows
        kept = [
            value
            for line in lines
            for value in line
            if not (leave in (1, 3) and value is None) and not (leave in (2, 3) and type(value) is CellError)
        ]
        return Grid([[value] for value in kept] if down else [kept]) if kept else CellError("#CALC!")

    function(name, takes="aee", structural=True, least=1)(scalar)


_in_line("TOCOL", True)
_in_line("TOROW", False)


def _ordered(lines: list[list[Any]], keys: Sequence[tuple[Sequence[Any], float]]) -> list[list[Any]]:
    """Lines by one key after the other; blanks come last, whichever way."""

    def before(one: int, other: int) -> int:
        for values, order in keys:
            left, right = values[one], values[other]
            if left is None or right is None:
                found = (left is None) - (right is None)
            else:
                found = int(order) * compare(left, right)
            if found:
                return found
        return 0

    return [lines[place] for place in sorted(range(len(lines)), key=functools.cmp_to_key(before))]


@function("SORT", takes="anne", least=1)
def _sort(cells: Any, which: float = 1.0, order: float = 1.0, by_column: Any = False) -> Any:
    if order not in (1.0, -1.0):
        raise CellError(VALUE.code)
    across = truth(by_column)
    grid = _grid(cells)
    lines = [list(line) for line in (zip(*grid.rows, strict=True) if across else grid.rows)]
    if not 1 <= which <= len(lines[0]):
        raise CellError(VALUE.code)
    found = _ordered(lines, [([line[int(which) - 1] for line in lines], order)])
    return Grid([list(line) for line in zip(*found, strict=True)] if across else found)


@function("SORTBY", takes="aa", more="ea", least=2)
def _sortby(cells: Any, by: Any, order: Any = 1.0, *others: Any) -> Any:
    told = [by, order, *others] if len(others) % 2 == 0 else [by, order, *others, 1.0]
    pairs = [(_flat(keys), number(way)) for keys, way in zip(told[::2], told[1::2], strict=True)]
    grid = _grid(cells)
    if any(len(keys) != len(grid.rows) or way not in (1.0, -1.0) for keys, way in pairs):
        raise CellError(VALUE.code)
    return Grid(_ordered([list(line) for line in grid.rows], pairs))


@function("UNIQUE", takes="aee", least=1)
def _unique(cells: Any, by_column: Any = False, once: Any = False) -> Any:
    across = truth(by_column)
    grid = _grid(cells)
    lines = [list(line) for line in (zip(*grid.rows, strict=True) if across else grid.rows)]
    known: dict[tuple[Any, ...], int] = {}
    named = [tuple(value.casefold() if isinstance(value, str) else value for value in line) for line in lines]
    for name in named:
        known[name] = known.get(name, 0) + 1
    first = {name: place for place, name in reversed(list(enumerate(named)))}
    kept = [lines[first[name]] for name, count in known.items() if not truth(once) or count == 1]
    if not kept:
        return CellError("#CALC!")
    return Grid([list(line) for line in zip(*kept, strict=True)] if across else kept)
