"""Draws: what is defined for one value is computed for arrays of draws, with the same meaning in every draw.

The definition for single values is the reference. A vector form speaks for those draws in which all that goes in is a
number and what comes out is finite; every other draw goes through the reference, so that errors and texts travel
exactly as they do for single values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from demandsim.workbook.calc.values import DIV0, NUM, CellError, Grid, Mixed, UnsupportedError

__all__ = ["Declined", "broadcast", "gathered", "guarded", "is_drawn", "over_draws", "single_draws"]


#: More cells than these are not computed by one array formula.
_MOST = 250_000


class Declined(Exception):  # noqa: N818  no error, but an answer
    """A vector form does not speak for such values."""


def is_drawn(value: Any) -> bool:
    """Whether a value depends on the draw."""
    kind = type(value)
    return kind is np.ndarray or kind is Mixed or (kind is Grid and value.drawn)


def guarded(scalar: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Compute a single value, where an error is a value too."""
    try:
        found = scalar(*args)
    except CellError as error:
        return CellError(error.code)
    except UnsupportedError:
        # Refused, whatever else it is an error of.
        raise
    except ZeroDivisionError:
        return DIV0
    except (OverflowError, ValueError):
        return NUM
    return settled_value(found)


def settled_value(found: Any) -> Any:
    """A result as a value of a cell: no integers, no bare numbers of numpy, and nothing infinite."""
    kind = type(found)
    if kind is float:
        return found if math.isfinite(found) else NUM
    if kind is int:
        return float(found)
    if kind is complex:
        return NUM
    if isinstance(found, np.generic):
        return settled_value(found.item())
    if kind is CellError:
        return CellError(found.code)
    return found


def single_draws(value: Any, places: Sequence[int] | None = None) -> list[Any]:
    """Value of each of some draws, of all by default."""
    kind = type(value)
    if kind is np.ndarray or kind is Mixed:
        everything = value.tolist()
        return everything if places is None else [everything[place] for place in places]
    if kind is Grid:
        assert places is not None
        columns = [[single_draws(v, places) if is_drawn(v) else None for v in row] for row in value.rows]
        return [
            Grid(
                [
                    [kept if column is None else column[i] for kept, column in zip(row, drawn, strict=True)]
                    for row, drawn in zip(value.rows, columns, strict=True)
                ],
                value.at,
                value.shape,
            )
            for i in range(len(places))
        ]
    raise TypeError(value)


def gathered(items: Sequence[Any]) -> Any:
    """Values of all draws as one array, mixed if they are not all numbers or all truths."""
    if any(type(item) is Grid for item in items):
        return _gathered_grids(items)
    if all(type(item) is float for item in items):
        return np.array(items, dtype=np.float64)
    if all(type(item) is bool for item in items):
        return np.array(items, dtype=bool)
    return _mixed(np.full(len(items), np.nan), range(len(items)), items)


def _gathered_grids(items: Sequence[Any]) -> Any:
    grids = [item if type(item) is Grid else None for item in items]
    shapes = {(len(g.rows), len(g.rows[0])) for g in grids if g is not None}
    if len(shapes) > 1:
        raise UnsupportedError("a range whose size depends on the draw is not read")
    height, width = shapes.pop()
    return Grid(
        [
            [
                gathered([item if g is None else g.rows[i][j] for g, item in zip(grids, items, strict=True)])
                for j in range(width)
            ]
            for i in range(height)
        ]
    )


def _mixed(numbers: Any, places: Iterable[int], items: Sequence[Any]) -> Any:
    """Put values of some draws into an array of numbers; it stays one if they are numbers too."""
    kept = np.array(numbers, dtype=np.float64)
    odd = np.zeros(len(kept), dtype=bool)
    things = None
    for place, item in zip(places, items, strict=True):
        if type(item) is float:
            kept[place] = item
        else:
            if things is None:
                things = np.empty(len(kept), dtype=object)
            kept[place], odd[place], things[place] = np.nan, True, item
    return kept if things is None else Mixed(kept, odd, things)


def _dense(value: Any) -> Any:
    kind = type(value)
    if kind is Mixed:
        return value.numbers
    if kind is Grid and value.drawn:
        return Grid([[v.numbers if type(v) is Mixed else v for v in row] for row in value.rows], value.at, value.shape)
    return value


def _parts(args: Sequence[Any]) -> list[Any]:
    """All arrays of draws within some values."""
    found = []
    for value in args:
        kind = type(value)
        if kind is np.ndarray or kind is Mixed:
            found.append(value)
        elif kind is Grid and value.drawn:
            found += [v for row in value.rows for v in row if type(v) is np.ndarray or type(v) is Mixed]
    return found


def over_draws(scalar: Callable[..., Any], args: Sequence[Any], vector: Callable[..., Any] | None = None) -> Any:
    """Compute for every draw.

    Parameters
    ----------
    scalar : callable
        The definition, for single values and rectangles of them.
    args : sequence of values
        Of which one at least depends on the draw.
    vector : callable, optional
        The same for arrays; where it declines, or gives nothing finite, the definition is used.
    """
    parts = _parts(args)
    size = len(parts[0].numbers if type(parts[0]) is Mixed else parts[0])
    odd = None
    for part in parts:
        if type(part) is Mixed:
            odd = part.odd if odd is None else odd | part.odd
    result = None
    if vector is not None:
        try:
            result = vector(*map(_dense, args)) if odd is not None else vector(*args)
        except (Declined, CellError):
            result = None
    if result is None or (odd is not None and odd.all()):
        return gathered(_one_by_one(scalar, args, range(size)))
    if type(result) is not np.ndarray or result.shape != (size,):
        result = np.broadcast_to(np.asarray(result), (size,))
    if result.dtype == bool:
        if odd is None:
            return result
        items = _one_by_one(scalar, args, range(size))
        return gathered(items)
    bad = odd
    if not math.isfinite(result.sum()):
        strange = ~np.isfinite(result)
        bad = strange if bad is None else bad | strange
    if bad is None:
        return result
    places = np.flatnonzero(bad).tolist()
    return _mixed(result, places, _one_by_one(scalar, args, places))


def _one_by_one(scalar: Callable[..., Any], args: Sequence[Any], places: Sequence[int]) -> list[Any]:
    chosen = list(places)
    columns = [single_draws(value, chosen) if is_drawn(value) else [value] * len(chosen) for value in args]
    return [guarded(scalar, row) for row in zip(*columns, strict=True)]


def broadcast(call: Callable[..., Any], args: Sequence[Any]) -> Any:
    """Apply a function of single values to rectangles, element by element, as array formulas do."""
    grids = [value for value in args if type(value) is Grid]
    if not grids:
        return call(*args)
    height, width = max(len(g.rows) for g in grids), max(len(g.rows[0]) if g.rows else 0 for g in grids)
    if height * width > _MOST:
        raise UnsupportedError(f"computes an array of more than {_MOST:,} cells in one formula")

    def at(value: Any, row: int, column: int) -> Any:
        if type(value) is not Grid:
            return value
        i = 0 if len(value.rows) == 1 else row
        j = 0 if len(value.rows[0]) == 1 else column
        return value.rows[i][j] if i < len(value.rows) and j < len(value.rows[0]) else CellError("#N/A")

    rows = [[call(*(at(value, i, j) for value in args)) for j in range(width)] for i in range(height)]
    return Grid(rows, next((g.at for g in grids if g.at), None))
