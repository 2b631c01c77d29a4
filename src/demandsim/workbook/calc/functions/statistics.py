"""Statistics: counts, means, spreads, order, regression and distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from demandsim.workbook.calc.draws import Declined, is_drawn
from demandsim.workbook.calc.functions.numbers import numbers, paired, stacked
from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.values import DIV0, NA, NUM, VALUE, CellError, Grid, UnsupportedError, plain

__all__: list[str] = []


def _column(args: Any) -> Any:
    """Values as rows, draws as columns."""
    found = stacked(args)
    if not found:
        raise Declined
    return np.stack(np.broadcast_arrays(*found))


def _reduced(*names: str, scalar: Callable[[Any], Any], vector: Callable[[Any], Any], least: int = 1) -> None:
    """Register a function of the numbers in its arguments that needs some of them."""

    def single(*args: Any) -> float:
        found = numbers(args)
        if len(found) < least:
            raise CellError(DIV0.code)
        return float(scalar(np.array(found)))

    def many(*args: Any) -> Any:
        column = _column(args)
        if len(column) < least:
            raise Declined
        return vector(column)

    function(*names, more="r", vector=many, least=1)(single)


def _average_draws(*args: Any) -> Any:
    found = stacked(args)
    if not found:
        raise Declined
    total = 0.0
    for value in found:
        total = total + value
    return total / len(found)


@function("AVERAGE", more="r", vector=_average_draws, least=1)
def _average(*args: Any) -> float:
    found = numbers(args)
    return sum(found) / len(found)


def _weighted(args: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    """Values with their weights, place by place of ranges that take turns."""
    if len(args) % 2:
        raise CellError(NA.code)
    pairs: list[tuple[Any, Any]] = []
    for one, other in zip(args[::2], args[1::2], strict=True):
        values, weights = (part.flat() if type(part) is Grid else [part] for part in (one, other))
        if len(values) != len(weights):
            raise CellError(VALUE.code)
        pairs += zip(values, weights, strict=True)
    for value in (value for pair in pairs for value in pair):
        if type(value) is CellError:
            raise value
        if isinstance(value, str):
            raise CellError(VALUE.code)
        if not (type(value) is float or is_drawn(value)):
            raise UnsupportedError("AVERAGE.WEIGHTED is not read where a value or a weight is blank or a truth")
    return pairs


def _weighted_draws(*args: Any) -> Any:
    total = weight = 0.0
    for value, share in _weighted(args):
        if any(type(part) is np.ndarray and part.dtype == bool for part in (value, share)):
            raise Declined
        if np.any(share < 0):
            raise Declined
        total, weight = total + value * share, weight + share
    if np.any(weight == 0):
        raise Declined
    return total / weight


@function("AVERAGE.WEIGHTED", takes="rr", more="rr", vector=_weighted_draws)
def _average_weighted(*args: Any) -> float:
    pairs = _weighted(args)
    if any(share < 0 for _, share in pairs):
        raise CellError(NUM.code)
    weight = sum(share for _, share in pairs)
    if weight == 0:
        raise CellError(DIV0.code)
    return float(sum(value * share for value, share in pairs) / weight)


def _extreme(name: str, scalar: Callable[..., float], vector: Callable[[Any, Any], Any]) -> None:
    def single(*args: Any) -> float:
        found = numbers(args)
        return scalar(found) if found else 0.0

    def many(*args: Any) -> Any:
        found = stacked(args)
        result = found[0]
        for value in found[1:]:
            result = vector(result, value)
        return result

    function(name, more="r", vector=many, least=1)(single)


_extreme("MAX", max, np.maximum)
_extreme("MIN", min, np.minimum)


def _counted(*args: Any) -> float:
    count = 0
    for value in args:
        if type(value) is Grid:
            count += sum(type(inner) is float for inner in value.flat())
        else:
            count += type(value) in (float, bool) or (type(value) is str and plain(value) is not None)
    return float(count)


def _counted_draws(*args: Any) -> Any:
    for value in args:
        for inner in value.flat() if type(value) is Grid else [value]:
            if type(inner) is np.ndarray and (inner.dtype == bool or np.isnan(inner).any()):
                raise Declined
    return _counted(*(Grid([[0.0 if is_drawn(v) else v for v in row] for row in a.rows]) if type(a) is Grid
                      else 0.0 if is_drawn(a) else a for a in args))  # fmt: skip


function("COUNT", more="r", vector=_counted_draws, least=1)(_counted)


def _filled(*args: Any) -> float:
    return float(sum(v is not None for a in args for v in (a.flat() if type(a) is Grid else [a])))


# What is there is there in every draw.
function("COUNTA", more="r", vector=_filled, least=1)(_filled)


@function("COUNTBLANK", takes="r")
def _countblank(cells: Any) -> float:
    if type(cells) is not Grid:
        return float(cells is None or cells == "")
    blank = sum(value is None or value == "" for value in cells.flat())
    return float(blank + cells.shape[0] * cells.shape[1] - sum(map(len, cells.rows)))


_reduced("MEDIAN", scalar=np.median, vector=lambda c: np.median(c, axis=0))
_reduced("STDEV", "STDEV.S", scalar=lambda x: np.std(x, ddof=1), vector=lambda c: np.std(c, axis=0, ddof=1), least=2)
_reduced("STDEVP", "STDEV.P", scalar=np.std, vector=lambda c: np.std(c, axis=0))
_reduced("VAR", "VAR.S", scalar=lambda x: np.var(x, ddof=1), vector=lambda c: np.var(c, axis=0, ddof=1), least=2)
_reduced("VARP", "VAR.P", scalar=np.var, vector=lambda c: np.var(c, axis=0))
_reduced("AVEDEV", scalar=lambda x: np.mean(np.abs(x - x.mean())), vector=lambda c: np.mean(np.abs(c - c.mean(0)), 0))
_reduced("DEVSQ", scalar=lambda x: np.sum((x - x.mean()) ** 2), vector=lambda c: np.sum((c - c.mean(0)) ** 2, 0))


@function("GEOMEAN", more="r", least=1)
def _geomean(*args: Any) -> float:
    found = numbers(args)
    if not found or min(found) <= 0:
        raise CellError(NUM.code)
    return math.exp(math.fsum(map(math.log, found)) / len(found))


@function("HARMEAN", more="r", least=1)
def _harmean(*args: Any) -> float:
    found = numbers(args)
    if not found or min(found) <= 0:
        raise CellError(NUM.code)
    return len(found) / math.fsum(1.0 / value for value in found)


# Order


def _inclusive(cells: Any, level: float) -> float:
    found = numbers([cells])
    if not found or not 0 <= level <= 1:
        raise CellError(NUM.code)
    return float(np.quantile(np.array(found), level))


def _inclusive_draws(cells: Any, level: Any) -> Any:
    if np.ndim(level) or not 0 <= level <= 1:
        raise Declined
    return np.quantile(_column([cells]), level, axis=0)


function("PERCENTILE", "PERCENTILE.INC", takes="rn", vector=_inclusive_draws)(_inclusive)
function("QUARTILE", "QUARTILE.INC", takes="rn", vector=lambda c, k: _inclusive_draws(c, np.trunc(k) / 4))(
    lambda cells, quarter: _inclusive(cells, math.trunc(quarter) / 4)
)


def _exclusive(cells: Any, level: float) -> float:
    found = sorted(numbers([cells]))
    place = level * (len(found) + 1)
    if not found or not 1 <= place <= len(found):
        raise CellError(NUM.code)
    low = math.floor(place)
    return found[low - 1] + (place - low) * (found[min(low, len(found) - 1)] - found[low - 1])


function("PERCENTILE.EXC", takes="rn")(_exclusive)
function("QUARTILE.EXC", takes="rn")(lambda cells, quarter: _exclusive(cells, math.trunc(quarter) / 4))


def _ordered(name: str, largest: bool) -> None:
    def single(cells: Any, place: float) -> float:
        found = sorted(numbers([cells]), reverse=largest)
        wanted = math.ceil(place)
        if not 1 <= wanted <= len(found):
            raise CellError(NUM.code)
        return found[wanted - 1]

    def many(cells: Any, place: Any) -> Any:
        column = _column([cells])
        if np.ndim(place) or not 1 <= math.ceil(place) <= len(column):
            raise Declined
        wanted = math.ceil(place)
        return np.sort(column, axis=0)[-wanted if largest else wanted - 1]

    function(name, takes="rn", vector=many)(single)


_ordered("LARGE", True)
_ordered("SMALL", False)


@function("RANK", "RANK.EQ", takes="nrn", least=2)
def _rank(value: float, cells: Any, ascending: float = 0.0) -> float:
    found = numbers([cells])
    if value not in found:
        raise CellError(NA.code)
    return 1.0 + sum(other < value if ascending else other > value for other in found)


# Two ranges


def _moments(ys: Any, xs: Any) -> tuple[float, float, float, float, float]:
    y, x = paired(ys, xs)
    if not x:
        raise CellError(DIV0.code)
    mean_y, mean_x = sum(y) / len(y), sum(x) / len(x)
    sxy = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    sxx, syy = math.fsum((a - mean_x) ** 2 for a in x), math.fsum((b - mean_y) ** 2 for b in y)
    return mean_y, mean_x, sxy, sxx, syy


@function("SLOPE", takes="rr")
def _slope(ys: Any, xs: Any) -> float:
    _, _, sxy, sxx, _ = _moments(ys, xs)
    return sxy / sxx


@function("INTERCEPT", takes="rr")
def _intercept(ys: Any, xs: Any) -> float:
    mean_y, mean_x, sxy, sxx, _ = _moments(ys, xs)
    return mean_y - sxy / sxx * mean_x


@function("FORECAST", "FORECAST.LINEAR", takes="nrr")
def _forecast(at: float, ys: Any, xs: Any) -> float:
    mean_y, mean_x, sxy, sxx, _ = _moments(ys, xs)
    return mean_y + sxy / sxx * (at - mean_x)


@function("COVARIANCE.P", "COVAR", takes="rr")
def _covariance(one: Any, other: Any) -> float:
    return float(_moments(one, other)[2] / len(paired(one, other)[0]))


@function("COVARIANCE.S", takes="rr")
def _sample_covariance(one: Any, other: Any) -> float:
    return float(_moments(one, other)[2] / (len(paired(one, other)[0]) - 1))


@function("CORREL", "PEARSON", takes="rr")
def _correl(one: Any, other: Any) -> float:
    _, _, sxy, sxx, syy = _moments(one, other)
    return sxy / math.sqrt(sxx * syy)


@function("RSQ", takes="rr")
def _rsq(ys: Any, xs: Any) -> float:
    return float(_correl(ys, xs) ** 2)


@function("LINEST", takes="rree", least=1)
def _linest(ys: Any, xs: Any = None, constant: Any = True, more: Any = False) -> Grid:
    if more not in (None, False, 0.0) or constant in (False, 0.0):
        raise UnsupportedError("LINEST with further arguments is not read")
    if xs is None:
        xs = Grid([[float(place)] for place in range(1, len(ys.flat()) + 1)])
    if len(xs.flat()) != len(ys.flat()):
        raise UnsupportedError("LINEST of several variables is not read")
    mean_y, mean_x, sxy, sxx, _ = _moments(ys, xs)
    return Grid([[sxy / sxx, mean_y - sxy / sxx * mean_x]])
