"""Criteria: what SUMIF and its like count, add up and average."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from demandsim.workbook.calc.draws import Declined, is_drawn
from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.operators import COMPARISONS, compare, compared_draws
from demandsim.workbook.calc.values import DIV0, VALUE, CellError, Grid, UnsupportedError, plain

__all__ = ["wildcard"]

_SIGN = re.compile(r"(<=|>=|<>|<|>|=)?(.*)", re.DOTALL)


def wildcard(pattern: str) -> re.Pattern[str] | None:
    """A text with ``*`` and ``?`` as a pattern; None if it has none.

    Examples
    --------
    >>> bool(wildcard("c?pex*").fullmatch("Capex, net")), wildcard("capex")
    (True, None)
    """
    if not re.search(r"[*?~]", pattern):
        return None
    made, place = [""], 0
    while place < len(pattern):
        letter = pattern[place]
        if letter == "~" and place + 1 < len(pattern):
            place += 1
            made[-1] += re.escape(pattern[place])
        elif letter == "*":
            made.append("")
        else:
            made[-1] += "." if letter == "?" else re.escape(letter)
        place += 1
    first, *parts = made
    # What stands between two stars is taken where it comes first: to go back would let many stars try without end.
    between = "".join(f"(?>.*?{part})" for part in parts[:-1] if part)
    return re.compile(f"{first}{between}{''.join(f'.*{part}' for part in parts[-1:])}", re.IGNORECASE | re.DOTALL)


def _criterion(said: Any) -> tuple[str, Any]:
    if not isinstance(said, str):
        return "=", 0.0 if said is None else said
    sign, rest = _SIGN.fullmatch(said).groups()  # type: ignore[union-attr]
    value: Any = plain(rest)
    if value is None:
        value = {"TRUE": True, "FALSE": False}.get(rest.upper(), rest)
    return sign or "=", value


def _test(said: Any) -> Callable[[Any], bool]:
    """Whether a single value meets a criterion."""
    sign, wanted = _criterion(said)
    if wanted == "" and isinstance(wanted, str):
        bare = isinstance(said, str) and said == ""
        if sign == "=":
            return lambda value: value is None or (bare and value == "")
        if sign == "<>":
            return lambda value: value is not None
    pattern = wildcard(wanted) if isinstance(wanted, str) else None
    if sign == "=":
        return lambda value: _equal(value, wanted, pattern)
    if sign == "<>":
        return lambda value: not _equal(value, wanted, pattern)
    return lambda value: type(value) is type(wanted) and bool(COMPARISONS[sign](compare(value, wanted), 0))


def _equal(value: Any, wanted: Any, pattern: re.Pattern[str] | None) -> bool:
    if isinstance(value, CellError) or isinstance(wanted, CellError):
        return bool(value == wanted)
    if isinstance(wanted, str):
        if not isinstance(value, str):
            return False
        return bool(pattern.fullmatch(value)) if pattern else value.casefold() == wanted.casefold()
    if isinstance(value, str):
        value = plain(value) if isinstance(wanted, float) else None
    return type(value) is type(wanted) and compare(value, wanted) == 0


def _cells(cells: Any) -> list[Any]:
    return cells.flat() if type(cells) is Grid else [cells]


def _shape(cells: Any) -> tuple[int, int]:
    return cells.shape if type(cells) is Grid else (1, 1)


def _met(pairs: tuple[Any, ...]) -> list[bool]:
    """Which places meet all criteria."""
    shapes = {_shape(cells) for cells in pairs[::2]}
    if len(shapes) > 1:
        raise CellError(VALUE.code)
    tests = [(_cells(cells), _test(said)) for cells, said in zip(pairs[::2], pairs[1::2], strict=True)]
    count = min(len(cells) for cells, _ in tests)
    return [all(test(cells[place]) for cells, test in tests) for place in range(count)]


def _met_draws(pairs: tuple[Any, ...]) -> list[Any]:
    """The same, where places may meet criteria in some draws only."""
    if len({_shape(cells) for cells in pairs[::2]}) > 1:
        raise Declined
    result: list[Any] | None = None
    for cells, said in zip(pairs[::2], pairs[1::2], strict=True):
        if is_drawn(said):
            raise Declined
        (sign, wanted), test = _criterion(said), _test(said)
        part: list[Any] = []
        for value in _cells(cells):
            if is_drawn(value):
                if not isinstance(wanted, float) or np.isnan(value).any():
                    raise Declined
                part.append(compared_draws(sign, value, wanted))
            else:
                part.append(test(value))
        result = part if result is None else [_both(a, b) for a, b in zip(result, part, strict=True)]
    return result or []


def _both(one: Any, other: Any) -> Any:
    if isinstance(one, bool) and isinstance(other, bool):
        return one and other
    return np.logical_and(one, other)


def _aligned(values: Any, cells: Any) -> list[Any]:
    """Values beside the tested cells: of the same shape, whatever was named."""
    if _shape(values) == _shape(cells):
        return _cells(values)
    raise CellError(VALUE.code)


def _chosen(values: Any, pairs: tuple[Any, ...]) -> list[float]:
    kept = [v for v, met in zip(_aligned(values, pairs[0]), _met(pairs), strict=False) if met]
    for value in kept:
        if isinstance(value, CellError):
            raise value
    return [value for value in kept if type(value) is float]


def _sum_draws(values: Any, *pairs: Any) -> tuple[Any, Any]:
    total: Any = 0.0
    count: Any = 0.0
    for value, met in zip(_aligned(values, pairs[0]), _met_draws(pairs), strict=False):
        if type(met) is bool and not met:
            continue
        if type(value) is np.ndarray:
            if value.dtype == bool:
                raise Declined
        elif isinstance(value, CellError):
            raise Declined
        elif type(value) is not float:
            continue
        total = total + (value if met is True else np.where(met, value, 0.0))
        count = count + (1.0 if met is True else met.astype(np.float64))
    return total, count


@function("SUMIFS", takes="r", more="rv", vector=lambda *args: _sum_draws(*args)[0], least=3)
def _sumifs(values: Any, *pairs: Any) -> float:
    return sum(_chosen(values, pairs))


def _averaged_draws(values: Any, *pairs: Any) -> Any:
    total, count = _sum_draws(values, *pairs)
    return np.divide(total, count)


@function("AVERAGEIFS", takes="r", more="rv", vector=_averaged_draws, least=3)
def _averageifs(values: Any, *pairs: Any) -> float:
    found = _chosen(values, pairs)
    if not found:
        raise CellError(DIV0.code)
    return sum(found) / len(found)


def _resized(values: Any, cells: Any) -> Any:
    if values is None:
        return cells
    if _shape(values) != _shape(cells):
        raise UnsupportedError("ranges of different shapes in SUMIF and its like are not read")
    return values


@function("SUMIF", takes="rvr", vector=lambda c, s, v=None: _sum_draws(_resized(v, c), c, s)[0], least=2)
def _sumif(cells: Any, said: Any, values: Any = None) -> float:
    return float(_sumifs(_resized(values, cells), cells, said))


@function("AVERAGEIF", takes="rvr", vector=lambda c, s, v=None: _averaged_draws(_resized(v, c), c, s), least=2)
def _averageif(cells: Any, said: Any, values: Any = None) -> float:
    return float(_averageifs(_resized(values, cells), cells, said))


def _counted_draws(*pairs: Any) -> Any:
    total = 0.0
    for met in _met_draws(pairs):
        total = total + met
    return total


@function("COUNTIFS", more="rv", vector=_counted_draws, least=2)
def _countifs(*pairs: Any) -> float:
    return float(sum(_met(pairs)))


function("COUNTIF", takes="rv", vector=_counted_draws)(_countifs)


@function("MAXIFS", takes="r", more="rv", least=3)
def _maxifs(values: Any, *pairs: Any) -> float:
    return max(_chosen(values, pairs), default=0.0)


@function("MINIFS", takes="r", more="rv", least=3)
def _minifs(values: Any, *pairs: Any) -> float:
    return min(_chosen(values, pairs), default=0.0)
