"""Arithmetic: an equation traced on terms, numbers that remember what they were computed from, label by label.

A term holds a text such as ``[3 card] * (1 + [0.35])``, its value in base units, and what a calculator finds that is
given the numbers of the text. The function of the equation itself runs on arrays of terms, so that sums, cumulated
products, shifts and selections along a dim are traced like everything else; what cannot be traced has no text.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim.graph.equation import Equation

__all__ = ["ATOM", "SUM", "Leaf", "Term", "traced"]

#: Texts are not longer than this: nobody follows more, and those of nested loops grow without end.
_LONGEST = 400
SUM, _PRODUCT, _SIGN, _POWER, ATOM = range(5)

type Leaf = Callable[[str, float], Term]


@dataclass(frozen=True, eq=False)
class Term:
    """A number and how it was computed.

    Parameters
    ----------
    text : str
        Empty where it would be too long.
    rank : int
        How strongly the text binds, from a sum to a single number.
    value : float
        In base units.
    shown : float
        What a calculator finds for the text.
    scale : float
        Base units of one of `shown`.
    mixed : bool
        Whether numbers in different units were added, so that no one factor takes `shown` to `value`.
    """

    text: str
    rank: int
    value: float
    shown: float
    scale: float = 1.0
    mixed: bool = False

    def __add__(self, other: Any) -> Term:
        return _summed(self, _term(other), "+")

    def __radd__(self, other: Any) -> Term:
        return _summed(_term(other), self, "+")

    def __sub__(self, other: Any) -> Term:
        return _summed(self, _term(other), "-")

    def __rsub__(self, other: Any) -> Term:
        return _summed(_term(other), self, "-")

    def __mul__(self, other: Any) -> Term:
        return _multiplied(self, _term(other), "*")

    def __rmul__(self, other: Any) -> Term:
        return _multiplied(_term(other), self, "*")

    def __truediv__(self, other: Any) -> Term:
        return _multiplied(self, _term(other), "/")

    def __rtruediv__(self, other: Any) -> Term:
        return _multiplied(_term(other), self, "/")

    def __pow__(self, other: Any) -> Term:
        return _raised(self, _term(other))

    def __rpow__(self, other: Any) -> Term:
        return _raised(_term(other), self)

    def __neg__(self) -> Term:
        return Term(_text("-", self, _SIGN), _SIGN, -self.value, -self.shown, self.scale, self.mixed)

    def __pos__(self) -> Term:
        return self

    def __abs__(self) -> Term:
        return Term(_text("abs", self), ATOM, abs(self.value), abs(self.shown), self.scale, self.mixed)

    def __lt__(self, other: Any) -> bool:
        return self.value < _term(other).value

    def __le__(self, other: Any) -> bool:
        return self.value <= _term(other).value

    def __gt__(self, other: Any) -> bool:
        return self.value > _term(other).value

    def __ge__(self, other: Any) -> bool:
        return self.value >= _term(other).value

    def __eq__(self, other: object) -> bool:
        return self.value == _term(other).value

    def __ne__(self, other: object) -> bool:
        return self.value != _term(other).value

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return self.value != 0

    def __getattr__(self, name: str) -> Any:
        # Functions of numpy ask the elements of such an array for a method of their name.
        if name in _FUNCTIONS:
            return functools.partial(_applied, self, name)
        raise AttributeError(name)


_FUNCTIONS = ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "floor", "ceil", "tanh")


def _term(value: Any) -> Term:
    if isinstance(value, Term):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return _term(value.item())
    number = float(value)
    text = f"{number:.15g}"
    return Term(text if number >= 0 else f"({text})", ATOM, number, float(text))


def _text(before: str, term: Term, rank: int | None = None) -> str:
    if not term.text:
        return ""
    inner = f"({term.text})" if rank is None or term.rank <= rank else term.text
    return _bounded(before + inner)


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else ""


def _joined(one: Term, sign: str, other: Term, rank: int) -> str:
    if not (one.text and other.text):
        return ""
    # What stands behind minus, a division or a product is bracketed unless it binds more strongly.
    left = f"({one.text})" if one.rank < rank or (rank == _POWER and one.rank <= rank) else one.text
    right = f"({other.text})" if other.rank < rank or (other.rank <= rank and sign != "+") else other.text
    return _bounded(f"{left} {sign} {right}")


def _summed(one: Term, other: Term, sign: str) -> Term:
    way = 1.0 if sign == "+" else -1.0
    # A bare 0, as shifts put in, has any unit.
    scale = other.scale if one.text == "0" else one.scale
    free = "0" in (one.text, other.text)
    mixed = one.mixed or other.mixed or not (free or math.isclose(one.scale, other.scale, rel_tol=1e-12))
    value, shown = one.value + way * other.value, one.shown + way * other.shown
    return Term(_joined(one, sign, other, SUM), SUM, value, shown, scale, mixed)


def _multiplied(one: Term, other: Term, sign: str) -> Term:
    mixed = one.mixed or other.mixed
    text = _joined(one, sign, other, _PRODUCT)
    if sign == "*":
        return Term(text, _PRODUCT, one.value * other.value, one.shown * other.shown, one.scale * other.scale, mixed)
    value, shown = (np.float64(a) / np.float64(b) for a, b in ((one.value, other.value), (one.shown, other.shown)))
    return Term(text, _PRODUCT, float(value), float(shown), one.scale / other.scale, mixed)


def _raised(one: Term, other: Term) -> Term:
    value = np.float64(one.value) ** np.float64(other.value)
    shown = np.float64(one.shown) ** np.float64(other.shown)
    scale = float(np.float64(one.scale) ** np.float64(other.value))
    mixed = one.mixed or other.mixed or other.scale != 1.0
    return Term(_joined(one, "**", other, _POWER), _POWER, float(value), float(shown), scale, mixed)


def _applied(term: Term, name: str) -> Term:
    function = getattr(np, name)
    value, shown = float(function(term.value)), float(function(term.shown))
    if name == "sqrt":
        return Term(_text(name, term), ATOM, value, shown, math.sqrt(term.scale), term.mixed)
    return Term(_text(name, term), ATOM, value, shown, 1.0, term.mixed or term.scale != 1.0)


def _chosen(one: Any, other: Any, *, larger: bool) -> Term:
    one, other = _term(one), _term(other)
    text = _bounded(f"{'max' if larger else 'min'}({one.text}, {other.text})") if one.text and other.text else ""
    choose = max if larger else min
    free = "0" in (one.text, other.text)
    mixed = one.mixed or other.mixed or not (free or math.isclose(one.scale, other.scale, rel_tol=1e-12))
    scale = other.scale if one.text == "0" else one.scale
    return Term(text, ATOM, choose(one.value, other.value), choose(one.shown, other.shown), scale, mixed)


#: Functions of numpy that would pick one of two terms, and forget that there was another.
_PAIRS = {
    np.maximum: np.frompyfunc(functools.partial(_chosen, larger=True), 2, 1),
    np.minimum: np.frompyfunc(functools.partial(_chosen, larger=False), 2, 1),
}


@functools.cache
def _array_type() -> Any:
    """A DataArray whose functions work on terms."""
    import xarray as xr

    class Terms(xr.DataArray):  # type: ignore[no-untyped-call]  # xarray's own __init_subclass__ has no types
        __slots__ = ()

        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
            bare = [xr.DataArray(array) if isinstance(array, Terms) else array for array in inputs]
            if method == "__call__" and ufunc in _PAIRS:
                return Terms(xr.apply_ufunc(_PAIRS[ufunc], *bare))
            return Terms(getattr(ufunc, method)(*bare, **kwargs))

        def mean(self, dim: Any = None, **kwargs: Any) -> Any:
            # Without this, xarray takes the mean of objects as one of floats.
            return super().mean(dim, **({"skipna": False} | kwargs))

    return Terms


def traced(made: Equation, inputs: Mapping[str, Any], leaf: Leaf) -> Any:
    """Run an equation on terms.

    Parameters
    ----------
    made : Equation
    inputs : mapping of str to DataArray
        In base units, without draws.
    leaf : callable
        Makes the term of an input from its name and value.

    Returns
    -------
    DataArray of terms or None
        None if the equation does what terms cannot follow.
    """
    import xarray as xr

    def terms(name: str) -> Any:
        values = np.empty(inputs[name].shape, dtype=object)
        for place in np.ndindex(values.shape):
            values[place] = leaf(name, float(inputs[name].values[place]))
        # One draw, as equations have many: xarray takes arrays without a dim for bare objects.
        return _array_type()(inputs[name].copy(data=values)).expand_dims("draw", axis=-1)

    try:
        with np.errstate(all="ignore"):
            result = made.function(**{name: terms(name) for name in made.inputs})
    except Exception:
        return None
    result = result.isel(draw=0) if "draw" in getattr(result, "dims", ()) else result
    values = np.asarray(result.values if isinstance(result, xr.DataArray) else result, dtype=object)
    if not all(isinstance(term, Term | float | int | np.floating | np.integer | np.bool_) for term in values.ravel()):
        return None
    found = np.empty(values.shape, dtype=object)
    for place in np.ndindex(values.shape):
        found[place] = _term(values[place])
    return result.copy(data=found) if isinstance(result, xr.DataArray) else xr.DataArray(found)
