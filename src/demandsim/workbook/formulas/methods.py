"""Methods that DataArrays have, as formulas over the terms of an expression."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

from demandsim.workbook.formulas.expressions import Expression, as_expression, combined
from demandsim.workbook.formulas.functions import JOINS, known_functions
from demandsim.workbook.formulas.terms import UNKNOWN, UntranslatableError

__all__ = ["method"]


def method(own: Expression, name: str, positional: list[Any], keywords: dict[str, Any]) -> Expression:
    """Write the call of a method.

    Raises
    ------
    UntranslatableError
        If it has no formula, or is called in a way that has none.
    """
    if (write := _METHODS.get(name)) is None:
        raise UntranslatableError(f"the method '{name}' has no formula")
    said = {key: value for key, value in keywords.items() if key not in ("skipna", "keep_attrs")}
    try:
        bound = inspect.signature(write).bind(own, *positional, **said)
    except TypeError:
        raise UntranslatableError(f"the method '{name}' is called in a way that has no formula") from None
    return write(*bound.args, **bound.kwargs)


def _joined(name: str, own: Expression, dim: Any = None) -> Expression:
    for one in _dims(dim):
        own = own.running(one, JOINS[name[3:]]) if name.startswith("cum") else own.reduced(one, JOINS[name])
    return own


def _clip(own: Expression, min: Any = None, max: Any = None) -> Expression:
    for join, bound in (("max", min), ("min", max)):
        if bound is not None:
            own = combined([own, as_expression(bound)], lambda *terms, join=join: JOINS[join](terms))
    return own


def _shift(own: Expression, shifts: Any = None, fill_value: Any = None, **more: Any) -> Expression:
    fill = UNKNOWN if fill_value is None else as_expression(fill_value).terms[0]
    for dim, steps in {**(shifts or {}), **more}.items():
        own = own.shifted(dim, _whole(steps), fill)
    return own


def _isel(own: Expression, indexers: Any = None, drop: Any = None, **more: Any) -> Expression:
    if drop not in (None, True):
        raise UntranslatableError("the method 'isel' is called in a way that has no formula")
    for dim, index in {**(indexers or {}), **more}.items():
        own = own.taken(dim, _whole(index))
    return own


def _fillna(own: Expression, value: Any) -> Expression:
    # What is unknown for certain is what a shift has left open.
    return combined([own, as_expression(value)], lambda a, b: b if a is UNKNOWN else a)


def _where(own: Expression, cond: Any, other: Any = math.nan) -> Expression:
    import numpy as np

    return combined([as_expression(cond), own, as_expression(other)], known_functions()[np.where])


_METHODS: dict[str, Callable[..., Expression]] = {
    **{name: functools.partial(_joined, name) for name in (*JOINS, "cumsum", "cumprod")},
    "clip": _clip,
    "shift": _shift,
    "isel": _isel,
    "fillna": _fillna,
    "where": _where,
}


def _dims(value: Any) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if not found or not all(isinstance(dim, str) for dim in found):
        raise UntranslatableError("reduces all dims at once; it should name one")
    return found


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise UntranslatableError(f"{value!r:.40} is not a plain whole number")
