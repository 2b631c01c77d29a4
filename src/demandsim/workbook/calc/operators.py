"""Operators of formulas: arithmetic that keeps 15 digits, comparisons by kind, and joined texts."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from demandsim.workbook.calc.draws import Declined, guarded, is_drawn, over_draws
from demandsim.workbook.calc.values import DIV0, NUM, CellError, Grid, bounded, number, same15, text

__all__ = [
    "COMPARISONS",
    "OPERATORS",
    "PRECEDENCE",
    "compare",
    "compared_draws",
    "minus",
    "numeric",
    "percent",
    "snapped",
]

#: How strongly operators bind; minus in front binds more strongly than all of them.
PRECEDENCE = {"=": 1, "<>": 1, "<": 1, ">": 1, "<=": 1, ">=": 1, "&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "^": 5}


def numeric(value: Any) -> Any:
    """A value as a number or an array of numbers, for vector forms."""
    if type(value) is np.ndarray:
        return value if value.dtype == np.float64 else value.astype(np.float64)
    if type(value) is Grid:
        raise Declined
    return number(value)


def _divided(one: float, other: float) -> float:
    if other == 0:
        raise CellError(DIV0.code)
    return one / other


def _raised(one: float, other: float) -> Any:
    if one == 0 and other == 0:
        raise CellError(NUM.code)
    if one == 0 and other < 0:
        raise CellError(DIV0.code)
    return one**other


def _raised_draws(one: Any, other: Any) -> Any:
    if np.ndim(one) and not (one == 0).any():
        return np.power(one, other)
    # 0 to the power of 0 is an error.
    return np.where((one == 0) & (other == 0), np.nan, np.power(one, other))


_ARITHMETIC: dict[str, tuple[Callable[[float, float], Any], Callable[[Any, Any], Any]]] = {
    "+": (operator.add, np.add),
    "-": (operator.sub, np.subtract),
    "*": (operator.mul, np.multiply),
    "/": (_divided, np.divide),
    "^": (_raised, _raised_draws),
}


def _arithmetic(sign: str) -> Callable[[Any, Any], Any]:
    single, many = _ARITHMETIC[sign]

    def scalar(one: Any, other: Any) -> Any:
        return single(number(one), number(other))

    def vector(one: Any, other: Any) -> Any:
        return many(numeric(one), numeric(other))

    def apply(one: Any, other: Any) -> Any:
        if _dense(one, other):
            found = many(one, other)
            if _finite(found):
                return found
        if is_drawn(one) or is_drawn(other):
            return over_draws(scalar, (one, other), vector)
        return guarded(scalar, (one, other))

    return apply


#: Numbers further apart than this, relative to them, have other digits among their first 15.
_CLOSE = 1e-14


def _near(apart: Any, left: Any) -> bool:
    """Whether any two numbers may be the same to 15 digits: found out cheaply, since hardly any are."""
    # The length of a vector is at least its largest element, and the fastest of all sums.
    size = abs(left) if type(left) is float else math.sqrt(left.dot(left))
    bound = _CLOSE * size
    if apart.min() > bound or apart.max() < -bound:
        return False
    return not np.abs(apart).min() > bound


def _dense(one: Any, other: Any) -> bool:
    """Whether two values are numbers, and one at least an array of them: nothing but arithmetic is needed."""
    left, right = type(one), type(other)
    if left is np.ndarray:
        return one.dtype == np.float64 and (right is float or (right is np.ndarray and other.dtype == np.float64))
    return left is float and right is np.ndarray and other.dtype == np.float64


def _finite(found: Any) -> bool:
    """Whether all elements are surely finite; very large ones are looked at again."""
    return math.isfinite(found.dot(found))


def snapped(sign: str) -> Callable[[Any, Any], Any]:
    """A sum or difference that is 0 where its terms are the same to 15 digits, as the last one of a formula is."""

    def scalar(one: Any, other: Any) -> float:
        left, right = number(one), number(other)
        right = right if sign == "-" else -right
        return 0.0 if same15(left, right) else left - right

    def vector(one: Any, other: Any) -> Any:
        left, right = numeric(one), numeric(other)
        right = right if sign == "-" else -right
        found = left - right
        if _near(found, left):
            # Each of the few that are close is decided by the definition.
            found = np.where((np.abs(found) <= _CLOSE * np.abs(left)) & (found != 0), np.nan, found)
        return found

    def apply(one: Any, other: Any) -> Any:
        if _dense(one, other):
            found = one - other if sign == "-" else one + other
            if _finite(found) and not _near(found, one):
                return found
        if is_drawn(one) or is_drawn(other):
            return over_draws(scalar, (one, other), vector)
        return guarded(scalar, (one, other))

    return apply


def _rank(value: Any) -> int:
    return 2 if isinstance(value, bool) else 1 if isinstance(value, str) else 0


def compare(one: Any, other: Any) -> int:
    """Order of two single values, -1, 0 or 1: numbers before texts before truths; blank is like its partner.

    Examples
    --------
    >>> compare(0.1 + 0.2, 0.3), compare("b", "A"), compare(10.0, "9"), compare(None, "")
    (0, 1, -1, 0)
    """
    for value in (one, other):
        if isinstance(value, CellError):
            raise value
    one, other = _like(one, other), _like(other, one)
    ranks = _rank(one), _rank(other)
    if ranks[0] != ranks[1]:
        return -1 if ranks[0] < ranks[1] else 1
    if isinstance(one, str):
        return _order(one.casefold(), other.casefold())
    return 0 if same15(float(one), float(other)) else _order(float(one), float(other))


def _order(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def _like(value: Any, partner: Any) -> Any:
    if value is None:
        return "" if isinstance(partner, str) else False if isinstance(partner, bool) else 0.0
    return value


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def compared_draws(sign: str, one: Any, other: Any) -> Any:
    """Compare numbers draw by draw."""
    for value in (one, other):
        if isinstance(value, (str, bool, CellError, Grid)) or (type(value) is np.ndarray and value.dtype == bool):
            raise Declined
    left, right = numeric(one), numeric(other)
    result = COMPARISONS[sign](left, right)
    if _near(left - right, left):
        near = (np.abs(left - right) <= _CLOSE * np.abs(left)) & (left != right)
        result = np.array(result)
        wide = np.broadcast_arrays(left, right)
        for place in np.flatnonzero(near):
            if same15(float(wide[0][place]), float(wide[1][place])):
                result[place] = sign in ("=", "<=", ">=")
    return result


def _comparison(sign: str) -> Callable[[Any, Any], Any]:
    test = COMPARISONS[sign]

    def scalar(one: Any, other: Any) -> bool:
        return bool(test(compare(one, other), 0))

    def vector(one: Any, other: Any) -> Any:
        return compared_draws(sign, one, other)

    def apply(one: Any, other: Any) -> Any:
        if _dense(one, other):
            return vector(one, other)
        if is_drawn(one) or is_drawn(other):
            return over_draws(scalar, (one, other), vector)
        return guarded(scalar, (one, other))

    return apply


def _joined(one: Any, other: Any) -> Any:
    def scalar(left: Any, right: Any) -> str:
        return bounded(text(left) + text(right))

    if is_drawn(one) or is_drawn(other):
        return over_draws(scalar, (one, other))
    return guarded(scalar, (one, other))


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    **{sign: _arithmetic(sign) for sign in _ARITHMETIC},
    **{sign: _comparison(sign) for sign in COMPARISONS},
    "&": _joined,
}


def minus(value: Any) -> Any:
    """Minus in front of a value."""
    if is_drawn(value):
        return over_draws(lambda one: -number(one), (value,), lambda one: -numeric(one))
    return guarded(lambda one: -number(one), (value,))


def percent(value: Any) -> Any:
    """A value in percent."""
    if is_drawn(value):
        return over_draws(lambda one: number(one) / 100.0, (value,), lambda one: numeric(one) / 100.0)
    return guarded(lambda one: number(one) / 100.0, (value,))
