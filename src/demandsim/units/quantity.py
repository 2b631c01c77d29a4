"""Quantities: arrays that carry the exponents of their dimensions, for checks of units in a hundredth of pint's time.

What they cannot do they refuse, and whoever asked asks pint. So they know few rules, and none that pint has not.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["Dimension", "Quantity", "UnknownRuleError"]

#: Exponents by name of the base dimension, in order of name, without zeros.
Dimension = tuple[tuple[str, float], ...]

_SAME = {np.add, np.subtract, np.maximum, np.minimum, np.fmax, np.fmin}
_COMPARED = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal}
_KEPT = {np.absolute, np.negative, np.positive, np.floor, np.ceil, np.rint, np.trunc}
_PURE = {np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p, np.tanh}
_TOLD = {np.isfinite, np.isnan, np.isinf}
_RATIOS = {np.multiply: 1.0, np.true_divide: -1.0}
_POWERS = {np.sqrt: 0.5, np.square: 2.0, np.reciprocal: -1.0}
#: Functions of one array whose results are measured as it is.
_REDUCED: set[Callable[..., Any]] = {
    np.sum,
    np.nansum,
    np.cumsum,
    np.nancumsum,
    np.max,
    np.min,
    np.nanmax,
    np.nanmin,
    np.mean,
    np.nanmean,
    np.diff,
}
_SHAPED: set[Callable[..., Any]] = {
    np.broadcast_to,
    np.transpose,
    np.reshape,
    np.expand_dims,
    np.squeeze,
    np.moveaxis,
    np.flip,
    np.copy,
}
#: Settings of these functions that measure nothing.
_SETTINGS = {"axis", "axes", "keepdims", "shape", "source", "destination"}


class UnknownRuleError(TypeError):
    """A question that pint has to answer."""


@functools.lru_cache(maxsize=65_536)
def _times(one: Dimension, other: Dimension, power: float) -> Dimension:
    """Exponents of a product with a power."""
    found = dict(one)
    for name, exponent in other:
        found[name] = found.get(name, 0.0) + power * exponent
    return tuple(sorted((name, exponent) for name, exponent in found.items() if exponent))


class Quantity(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of numbers in base units.

    Parameters
    ----------
    value : array_like
    dimension : Dimension
    """

    __slots__ = ("dimension", "value")

    def __init__(self, value: Any, dimension: Dimension) -> None:
        self.value = np.asarray(value, dtype=np.float64)
        self.dimension = dimension

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the numbers."""
        return tuple(self.value.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """How many numbers."""
        return self.value.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Double precision."""
        return np.dtype(np.float64)

    def __len__(self) -> int:
        return len(self.value)

    def transpose(self, *axes: Any) -> Quantity:
        """The same with its axes in another order."""
        return Quantity(self.value.transpose(*axes), self.dimension)

    def reshape(self, *shape: Any) -> Quantity:
        """The same numbers with other axes."""
        return Quantity(self.value.reshape(*shape), self.dimension)

    def __getitem__(self, key: Any) -> Quantity:
        return Quantity(self.value[key], self.dimension)

    def astype(self, dtype: Any, **settings: Any) -> Quantity:
        """The same, as doubles; nothing else is known."""
        if np.dtype(dtype) != np.float64:
            raise UnknownRuleError("only doubles")
        return self

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise UnknownRuleError("an array without its unit would pass for a number")

    def __bool__(self) -> bool:
        raise UnknownRuleError("the truth of a quantity")

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Any:
        """Apply a function element by element, if its rule is known."""
        if not all(isinstance(given, Quantity | np.ndarray | np.generic | int | float) for given in inputs):
            return NotImplemented
        if method != "__call__" or settings:
            raise UnknownRuleError(f"{function.__name__} with settings")
        dimension = _dimension_after(function, inputs)
        result = function(*map(_value_of, inputs))
        return result if dimension is None else Quantity(result, dimension)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        """Apply one of numpy's other functions, if its rule is known."""
        rule = _RULES.get(function)
        if rule is None:
            raise UnknownRuleError(getattr(function, "__name__", "a function"))
        return rule(function, *args, **kwargs)


def _value_of(given: Any) -> Any:
    return given.value if isinstance(given, Quantity) else given


def _dimension_of(given: Any) -> Dimension:
    return given.dimension if isinstance(given, Quantity) else ()


def _measured_in(given: Any, dimension: Dimension) -> bool:
    """Whether something is measured in a dimension; zero is in any, as it is to pint."""
    if isinstance(given, Quantity):
        return given.dimension == dimension
    return not dimension or (type(given) in (int, float) and given == 0)


def _shared(*given: Any) -> Dimension:
    """The dimension in which all are measured."""
    own = next(each.dimension for each in given if isinstance(each, Quantity))
    if not all(_measured_in(each, own) for each in given):
        raise UnknownRuleError("different dimensions")
    return own


def _dimension_after(function: np.ufunc, inputs: Sequence[Any]) -> Dimension | None:
    """Dimension of the result; None of a bare array of truths."""
    if function in _SAME:
        return _shared(*inputs)
    if function in _COMPARED or function in _TOLD:
        _shared(*inputs)
        return None
    if function in _RATIOS:
        return _times(*map(_dimension_of, inputs), _RATIOS[function])
    if function is np.power and isinstance(inputs[1], int | float):
        return _times((), _dimension_of(inputs[0]), float(inputs[1]))
    own = _dimension_of(inputs[0])
    if function in _POWERS:
        return _times((), own, _POWERS[function])
    if function in _KEPT or (function in _PURE and not own):
        return own
    raise UnknownRuleError(function.__name__)


def _kept(function: Callable[..., Any], given: Any, *more: Any, **settings: Any) -> Quantity:
    """A function of one array whose result is measured as it is."""
    if not isinstance(given, Quantity) or any(isinstance(each, Quantity) for each in more):
        raise UnknownRuleError("a quantity that is no array")
    if not settings.keys() <= _SETTINGS:
        raise UnknownRuleError("settings")
    return Quantity(function(given.value, *more, **settings), given.dimension)


def _joined(function: Callable[..., Any], given: Sequence[Any], *more: Any, **settings: Any) -> Quantity:
    if not all(isinstance(each, Quantity) for each in given):
        raise UnknownRuleError("quantities and numbers")
    return Quantity(function([each.value for each in given], *more, **settings), _shared(*given))


def _chosen(function: Callable[..., Any], condition: Any, *given: Any) -> Quantity:
    if isinstance(condition, Quantity):
        raise UnknownRuleError("the truth of a quantity")
    return Quantity(function(condition, *map(_value_of, given)), _shared(*given))


def _padded(function: Callable[..., Any], given: Any, widths: Any, mode: Any, *, constant_values: Any) -> Quantity:
    """What is padded with no number, or with 0, which has any dimension."""
    nothing = type(constant_values) in (int, float) and (constant_values == 0 or math.isnan(constant_values))
    if mode != "constant" or not nothing:
        raise UnknownRuleError("a number without dimension")
    return Quantity(function(given.value, widths, mode, constant_values=constant_values), given.dimension)


def _type(function: Callable[..., Any], *given: Any) -> Any:
    return function(*map(_value_of, given))


_RULES: dict[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys(_REDUCED | _SHAPED, _kept),
    np.concatenate: _joined,
    np.stack: _joined,
    np.where: _chosen,
    np.pad: _padded,
    np.result_type: _type,
}
