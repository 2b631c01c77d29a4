"""Methods that DataArrays have, as formulas over the terms of an expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demandsim.workbook.formulas.expressions import Expression, combined
from demandsim.workbook.formulas.functions import JOINS, known_functions
from demandsim.workbook.formulas.terms import UNKNOWN, UntranslatableError, numeral

__all__ = ["as_expression", "method", "plain_number"]


def plain_number(value: Any) -> bool:
    """Tell a number of Python from true, false, and everything else."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_expression(value: Any) -> Expression:
    """Make an expression of a number; one that is an expression stays as it is."""
    if isinstance(value, Expression):
        return value
    if plain_number(value):
        return Expression.single(numeral(float(value)))
    raise UntranslatableError(f"takes {value!r:.40} for a number")


def _dims(value: Any) -> tuple[str, ...]:
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else ()
    if not found or not all(isinstance(dim, str) for dim in found):
        raise UntranslatableError("reduces all dims at once; it should name one")
    return found


def method(own: Expression, name: str, positional: list[Any], keywords: dict[str, Any]) -> Expression:
    """Write the call of a method.

    Raises
    ------
    UntranslatableError
        If it has no formula, or is called in a way that has none.
    """
    keywords.pop("skipna", None)
    keywords.pop("keep_attrs", None)
    drop = keywords.pop("drop", None)
    if name in ("shift", "isel") and positional and isinstance(positional[0], dict):
        keywords |= positional.pop(0)
    if name in JOINS or name in ("cumsum", "cumprod"):
        dims = _dims(keywords.pop("dim", None) or (positional.pop(0) if positional else None))
        _check_empty(name, positional, keywords)
        for dim in dims:
            own = own.running(dim, JOINS[name[3:]]) if name.startswith("cum") else own.reduced(dim, JOINS[name])
        return own
    if name == "clip":
        low, high = ([*positional, None, None])[:2]
        low, high = keywords.pop("min", low), keywords.pop("max", high)
        _check_empty(name, positional[2:], keywords)
        if low is not None:
            own = combined([own, as_expression(low)], lambda a, b: JOINS["max"]([a, b]))
        return own if high is None else combined([own, as_expression(high)], lambda a, b: JOINS["min"]([a, b]))
    if name == "shift":
        fill = keywords.pop("fill_value", None)
        _check_empty(name, positional, {})
        for dim, steps in keywords.items():
            own = own.shifted(dim, _whole(steps), UNKNOWN if fill is None else as_expression(fill).terms[0])
        return own
    if name == "isel" and drop in (None, True):
        _check_empty(name, positional, {})
        for dim, index in keywords.items():
            own = own.taken(dim, _whole(index))
        return own
    if name == "fillna" and len(positional) == 1 and not keywords:
        # What is unknown for certain is what a shift has left open.
        return combined([own, as_expression(positional[0])], lambda a, b: b if a is UNKNOWN else a)
    if name == "where" and positional:
        other = positional[1] if len(positional) > 1 else keywords.pop("other", float("nan"))
        _check_empty(name, positional[2:], keywords)
        import numpy as np

        return combined([as_expression(positional[0]), own, as_expression(other)], known_functions()[np.where])
    raise UntranslatableError(f"the method '{name}' has no formula")


def _check_empty(name: str, positional: list[Any], keywords: Mapping[str, Any]) -> None:
    if positional or keywords:
        raise UntranslatableError(f"the method '{name}' is called in a way that has no formula")


def _whole(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise UntranslatableError(f"{value!r:.40} is not a plain whole number")
