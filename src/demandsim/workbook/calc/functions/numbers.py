"""Numbers in ranges: what functions such as SUM take from their arguments, for single values and for draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from demandsim.workbook.calc.draws import Declined
from demandsim.workbook.calc.values import CellError, Grid, number

__all__ = ["numbers", "paired", "stacked"]


def numbers(args: Sequence[Any]) -> list[float]:
    """Numbers of arguments: texts, truths and blanks of ranges are left out, those given directly are converted.

    Raises
    ------
    CellError
        The first error among them.
    """
    found: list[float] = []
    for value in args:
        if type(value) is Grid:
            for row in value.rows:
                for inner in row:
                    if type(inner) is float:
                        found.append(inner)
                    elif type(inner) is CellError:
                        raise inner
        else:
            found.append(number(value))
    return found


def stacked(args: Sequence[Any]) -> list[Any]:
    """The same where some are arrays of draws."""
    found: list[Any] = []
    for value in args:
        if type(value) is Grid:
            for row in value.rows:
                for inner in row:
                    kind = type(inner)
                    if kind is float:
                        found.append(inner)
                    elif kind is np.ndarray:
                        if inner.dtype == bool:
                            raise Declined
                        found.append(inner)
                    elif kind is CellError:
                        raise inner
        elif type(value) is np.ndarray:
            found.append(value.astype(np.float64) if value.dtype == bool else value)
        else:
            found.append(number(value))
    return found


def paired(one: Any, other: Any) -> tuple[list[float], list[float]]:
    """Numbers of two ranges, of those places where both have one."""
    left, right = (value.flat() if type(value) is Grid else [value] for value in (one, other))
    if len(left) != len(right):
        raise CellError("#N/A")
    for value in (*left, *right):
        if type(value) is CellError:
            raise value
    kept = [(a, b) for a, b in zip(left, right, strict=True) if type(a) is float and type(b) is float]
    return [a for a, _ in kept], [b for _, b in kept]
