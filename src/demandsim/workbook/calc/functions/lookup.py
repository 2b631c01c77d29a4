"""Lookups: places found by key, exactly or by binary search, and values picked from ranges, draw by draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from demandsim.workbook.calc.draws import Declined, broadcast, guarded, is_drawn, over_draws
from demandsim.workbook.calc.functions.criteria import wildcard
from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.operators import compare
from demandsim.workbook.calc.values import NA, REF, VALUE, CellError, Grid, UnsupportedError, number, truth

__all__: list[str] = []


def _flat(cells: Any) -> list[Any]:
    return cells.flat() if type(cells) is Grid else [cells]


def _alike(key: Any, value: Any) -> bool:
    return type(key) is type(value)


def _exact(key: Any, keys: Sequence[Any], wild: bool) -> float:
    pattern = wildcard(key) if wild and isinstance(key, str) else None
    for place, value in enumerate(keys):
        if _alike(key, value) and (pattern.fullmatch(value) if pattern else compare(key, value) == 0):
            return place + 1.0
    raise CellError(NA.code)


def _searched(key: Any, keys: Sequence[Any], descending: bool) -> float:
    """Binary search, as if the keys were sorted: values of another kind are passed over."""
    low, high = 0, len(keys) - 1
    while low <= high:
        middle = (low + high) // 2
        probe = middle
        while probe <= high and not _alike(key, keys[probe]):
            probe += 1
        if probe > high:
            high = middle - 1
            continue
        order = compare(keys[probe], key)
        if (order >= 0 if descending else order <= 0) and not (descending and order == 0):
            low = probe + 1
        elif descending and order == 0:
            return probe + 1.0
        else:
            high = middle - 1
    while high >= 0 and not _alike(key, keys[high]):
        high -= 1
    if high < 0:
        raise CellError(NA.code)
    return high + 1.0


def _place(key: Any, cells: Any, kind: float) -> float:
    """Place of a key, counted from 1."""
    if isinstance(key, CellError):
        raise key
    key = 0.0 if key is None else key
    keys = _flat(cells)
    if kind == 0:
        return _exact(key, keys, wild=True)
    return _searched(key, keys, descending=kind < 0)


def _place_draws(key: Any, cells: Any, kind: Any) -> Any:
    keys = _flat(cells)
    if is_drawn(kind) or (type(key) is np.ndarray and key.dtype == bool):
        raise Declined
    if not is_drawn(key):
        return _place_among_draws(key, keys, kind)
    if any(type(value) is not float for value in keys):
        raise Declined
    table = np.array(keys)
    if kind == 0:
        order = np.argsort(table, kind="stable")
        spot = np.clip(np.searchsorted(table[order], key), 0, len(table) - 1)
        found = order[spot]
        # What is nearly a key is decided by the definition.
        return np.where(table[found] == key, found + 1.0, np.nan)
    if kind < 0 or (np.diff(table) < 0).any():
        raise Declined
    spot = np.searchsorted(table, key, side="right").astype(np.float64)
    near = np.abs(table[np.clip(spot.astype(int), 0, len(table) - 1)] - key) <= 1e-14 * np.abs(key)
    return np.where((spot == 0) | near, np.nan, spot)


def _place_among_draws(key: Any, keys: list[Any], kind: Any) -> Any:
    """A sure key among uncertain ones: the first that is the same, draw by draw."""
    if kind != 0 or type(key) is not float:
        raise Declined
    size = next(len(v) for v in keys if type(v) is np.ndarray)
    result = np.full(size, np.nan)
    for place in range(len(keys) - 1, -1, -1):
        value = keys[place]
        if type(value) is np.ndarray:
            if value.dtype == bool:
                raise Declined
            result[value == key] = place + 1.0
        elif type(value) is float and compare(value, key) == 0:
            result[:] = place + 1.0
    return result


def _found(key: Any, cells: Any, kind: Any) -> Any:
    if type(key) is Grid:
        return broadcast(lambda one: _found(one, cells, kind), (key,))
    if is_drawn(key) or is_drawn(cells) or is_drawn(kind):
        if not is_drawn(key) and not is_drawn(kind) and _told_apart(key, _flat(cells), kind):
            # The keys that could be it are sure.
            return guarded(_place, (key, Grid([[None if is_drawn(v) else v for v in _flat(cells)]]), kind))
        return over_draws(_place, (key, cells, kind), _place_draws)
    return guarded(_place, (key, cells, kind))


def _told_apart(key: Any, keys: list[Any], kind: Any) -> bool:
    return kind == 0 and isinstance(key, str) and all(type(v) is np.ndarray for v in keys if is_drawn(v))


@function("MATCH", takes="vrn", structural=True, least=2)
def _match(key: Any, cells: Any, kind: Any = 1.0) -> Any:
    if type(cells) is Grid and len(cells.rows) > 1 and len(cells.rows[0]) > 1:
        return NA
    return _found(key, cells, kind if is_drawn(kind) else number(kind))


# Picking


def _picked(values: list[Any], place: Any) -> Any:
    """Value at a place counted from 1, which may depend on the draw."""
    if not is_drawn(place):
        spot = int(number(place))
        return values[spot - 1] if 1 <= spot <= len(values) else REF

    def scalar(spot: Any, cells: Grid) -> Any:
        row = cells.rows[0]
        which = int(number(spot))
        if not 1 <= which <= len(row):
            raise CellError(REF.code)
        return 0.0 if row[which - 1] is None else row[which - 1]

    def vector(spot: Any, cells: Grid) -> Any:
        row = [0.0 if v is None else v for v in cells.rows[0]]
        if any(type(v) is not float and not (type(v) is np.ndarray and v.dtype == np.float64) for v in row):
            raise Declined
        wrong = ~((spot >= 1) & (spot < len(row) + 1))
        index = np.where(wrong, 1, spot).astype(int) - 1
        if all(type(v) is float for v in row):
            found = np.array(row)[index]
        else:
            found = np.choose(index, row) if len(row) <= 32 else np.stack(np.broadcast_arrays(*row))[
                index, np.arange(len(index))
            ]  # fmt: skip
        return np.where(wrong, np.nan, found)

    return over_draws(scalar, (place, Grid([values])), vector)


@function("INDEX", takes="rnnn", structural=True, least=2)
def _index(cells: Any, row: Any = 0.0, column: Any = None, area: Any = 1.0) -> Any:
    if not is_drawn(area) and number(area) != 1:
        raise UnsupportedError("INDEX with several areas is not read")
    grid = cells if type(cells) is Grid else Grid([[cells]])
    for given in (row, column):
        if isinstance(given, CellError):
            raise given
    height, width = grid.shape
    if column is None:
        # One number counts along a single row or column.
        row, column = (1.0, row) if height == 1 and width > 1 else (row, 1.0 if width == 1 else 0.0)
    if type(row) is Grid or type(column) is Grid:
        return broadcast(lambda i, j: _index(grid, i, j), (row, column))
    row, column = (value if is_drawn(value) else float(int(number(value))) for value in (row, column))
    if not is_drawn(row) and not is_drawn(column):
        return _part(grid, int(row), int(column))
    return _part_by_draw(grid, row, column)


def _part_by_draw(grid: Grid, row: Any, column: Any) -> Any:
    """A cell of a range whose row or column depends on the draw."""
    if not is_drawn(column):
        if column == 0:
            raise UnsupportedError("INDEX of a whole row that depends on the draw is not read")
        return _picked([grid.cell(i, int(column) - 1) for i in range(len(grid.rows))], row)
    if not is_drawn(row):
        if row == 0 and len(grid.rows) > 1:
            raise UnsupportedError("INDEX of a whole column that depends on the draw is not read")
        return _picked([grid.cell(max(int(row), 1) - 1, j) for j in range(len(grid.rows[0]))], column)
    return _picked([_picked(list(line), column) for line in grid.rows], row)


def _part(grid: Grid, row: int, column: int) -> Any:
    height, width = grid.shape
    if not (0 <= row <= height and 0 <= column <= width):
        return REF
    sheet, top, left = grid.at or ("", 0, 0)
    if row and column:
        return grid.cell(row - 1, column - 1)
    if row:
        at = (sheet, top + row - 1, left) if grid.at else None
        return Grid([[grid.cell(row - 1, j) for j in range(width)]], at)
    if column:
        at = (sheet, top, left + column - 1) if grid.at else None
        return Grid([[grid.cell(i, column - 1)] for i in range(len(grid.rows))], at, (height, 1))
    return grid


@function("CHOOSE", takes="n", more="r", structural=True, least=2)
def _choose(place: Any, *values: Any) -> Any:
    if type(place) is Grid:
        return broadcast(_choose, (place, *values))
    if isinstance(place, CellError):
        raise place
    if not is_drawn(place):
        spot = int(number(place))
        return values[spot - 1] if 1 <= spot <= len(values) else VALUE
    if any(type(value) is Grid for value in values):
        return broadcast(lambda *one: _choose(place, *one), values)
    return _picked(list(values), place)


def _approximate(flag: Any) -> float:
    return 1.0 if truth(flag) else 0.0


@function("VLOOKUP", takes="vrne", structural=True, least=3)
def _vlookup(key: Any, table: Any, column: Any, approximate: Any = True) -> Any:
    grid = table if type(table) is Grid else Grid([[table]])
    place = _found(key, Grid([[row[0]] for row in grid.rows]), _approximate(approximate))
    if is_drawn(column):
        return _index(grid, place, column)
    wanted = int(number(column))
    if wanted < 1:
        return VALUE
    if wanted > grid.shape[1]:
        return REF
    return place if isinstance(place, CellError) else _at(place, [row[wanted - 1] for row in grid.rows])


@function("HLOOKUP", takes="vrne", structural=True, least=3)
def _hlookup(key: Any, table: Any, row: Any, approximate: Any = True) -> Any:
    grid = table if type(table) is Grid else Grid([[table]])
    place = _found(key, Grid([list(grid.rows[0])]), _approximate(approximate))
    if is_drawn(row):
        return _index(grid, row, place)
    wanted = int(number(row))
    if wanted < 1:
        return VALUE
    if wanted > len(grid.rows):
        return REF
    return place if isinstance(place, CellError) else _at(place, list(grid.rows[wanted - 1]))


def _at(place: Any, values: list[Any]) -> Any:
    if type(place) is Grid:
        return broadcast(lambda one: one if isinstance(one, CellError) else _picked(values, one), (place,))
    return _picked(values, place)


@function("LOOKUP", takes="vaa", structural=True, least=2)
def _lookup(key: Any, cells: Any, values: Any = None) -> Any:
    grid = cells if type(cells) is Grid else Grid([[cells]])
    if values is None:
        wide = grid.shape[1] > grid.shape[0]
        keys = list(grid.rows[0]) if wide else [row[0] for row in grid.rows]
        results = list(grid.rows[-1]) if wide else [row[-1] for row in grid.rows]
    else:
        keys, results = grid.flat(), _flat(values)
    place = _found(key, Grid([keys]), 1.0)
    return place if isinstance(place, CellError) else _at(place, results)


def _nearest(key: Any, cells: Any, mode: float, backwards: float) -> float:
    """Place of a key for XLOOKUP: exact, or the next smaller or larger, with or without wildcards."""
    if isinstance(key, CellError):
        raise key
    keys = _flat(cells)
    order = range(len(keys) - 1, -1, -1) if backwards == -1 else range(len(keys))
    if key is None:
        for place in order:
            if keys[place] is None or keys[place] == "":
                return place + 1.0
        raise CellError(NA.code)
    pattern = wildcard(key) if mode == 2 and isinstance(key, str) else None
    best: int | None = None
    for place in order:
        value = keys[place]
        if not _alike(key, value):
            continue
        if pattern.fullmatch(value) if pattern else compare(value, key) == 0:
            return place + 1.0
        if mode in (-1, 1):
            side = compare(value, key)
            if side == mode and (best is None or compare(value, keys[best]) == -mode):
                best = place
    if best is None:
        raise CellError(NA.code)
    return best + 1.0


@function("XMATCH", takes="vrnn", structural=True, least=2)
def _xmatch(key: Any, cells: Any, mode: Any = 0.0, search: Any = 1.0) -> Any:
    if type(key) is Grid:
        return broadcast(lambda one: _xmatch(one, cells, mode, search), (key,))
    if any(is_drawn(value) for value in (mode, search)):
        raise UnsupportedError("XMATCH and XLOOKUP with uncertain modes are not read")
    mode, search = number(mode), number(search)
    if search not in (1.0, -1.0):
        raise UnsupportedError("XMATCH and XLOOKUP by binary search are not read")
    args = key, cells, mode, search
    if is_drawn(key) or is_drawn(cells):
        plain = search == 1.0 and mode == 0.0
        return over_draws(_nearest, args, (lambda k, c, *_: _place_draws(k, c, 0.0)) if plain else None)
    return guarded(_nearest, args)


@function("XLOOKUP", takes="vrrrnn", structural=True, least=3)
def _xlookup(key: Any, cells: Any, values: Any, missing: Any = NA, mode: Any = 0.0, search: Any = 1.0) -> Any:
    place = _xmatch(key, cells, mode, search)
    keys = cells if type(cells) is Grid else Grid([[cells]])
    results = values if type(values) is Grid else Grid([[values]])
    down = len(keys.rows) > 1 or (len(keys.rows) == len(results.rows) and len(keys.rows[0]) == 1)

    def one(spot: Any) -> Any:
        if isinstance(spot, CellError):
            return missing if spot == NA else spot
        lines = results.rows if down else [list(column) for column in zip(*results.rows, strict=True)]
        if is_drawn(spot):
            found = [_picked([line[j] for line in lines], spot) for j in range(len(lines[0]))]
            if missing is not NA:
                found = [_instead(value, missing) for value in found]
        else:
            found = list(lines[int(spot) - 1])
        if len(found) == 1:
            return found[0]
        return Grid([found]) if down else Grid([[value] for value in found])

    return broadcast(one, (place,)) if type(place) is Grid else one(place)


def _instead(value: Any, missing: Any) -> Any:
    if type(value) is np.ndarray:
        return value
    return over_draws(lambda v, m: m if v == NA else v, (value, missing), lambda v, _: v)
