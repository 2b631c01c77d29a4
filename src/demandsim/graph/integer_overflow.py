"""Integer overflow: whole numbers inside an equation that wrap around in silence, found by its twin in floats.

Draws and constants come to an equation as floats. Whole numbers of numpy that it holds from where it was made, that it
reads off labels or makes of its draws do not: beyond 64 bits they wrap around, without a word where there are several.
"""

from __future__ import annotations

import builtins
import dataclasses
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from demandsim.graph.equation import Equation

__all__ = ["in_floats", "mentions"]

#: From here on a whole number that is written in an equation is taken for an amount: not for an axis, a place, a size.
_AMOUNT = 10_000
#: Beyond it a whole number of Python has no float.
_LARGEST = sys.float_info.max


def in_floats(made: Equation) -> Equation | None:
    """Return the same equation with floats for all whole numbers that it holds; None if it holds none.

    Examples
    --------
    >>> import demandsim as ds
    >>> held = np.array([10**12, 3])
    >>> made = ds.equation(lambda x: x * (held * held).max(), unit="1", name="y")
    >>> float(made.function(1.0)) < 1e24, float(in_floats(made).function(1.0))
    (True, 1e+24)
    """
    twin = _function(made.function, {})
    return None if twin is made.function else dataclasses.replace(made, function=twin)


def mentions(function: Callable[..., Any], name: str) -> bool:
    """Whether a function reads an attribute or a text of this name: its own words, not what it calls."""
    code = getattr(function, "__code__", None)
    return code is not None and _mentions(code, name)


def _mentions(code: types.CodeType, name: str) -> bool:
    inner = (one for one in code.co_consts if isinstance(one, types.CodeType))
    return name in code.co_names or name in code.co_consts or any(_mentions(one, name) for one in inner)


def _function(function: Any, known: dict[int, Any]) -> Any:
    """A function with floats for what it, and the functions that it calls beside it, hold."""
    if not isinstance(function, types.FunctionType):
        return function
    if id(function) in known:
        return known[id(function)]
    # One that calls itself goes on as it is.
    known[id(function)] = function
    code = _code(function.__code__)
    cells, names = function.__closure__ or (), _names(code)
    held = [_cell(cell) for cell in cells]
    floats = [_value(value, function, known) for value in held]
    globals_ = {name: function.__globals__[name] for name in names if name in function.__globals__}
    changed = {name: _value(value, function, known) for name, value in globals_.items()}
    same = all(new is old for new, old in zip(floats, held, strict=True))
    if code is function.__code__ and same and all(changed[name] is globals_[name] for name in changed):
        return function
    closure = tuple(
        cell if new is old else types.CellType(new) for cell, new, old in zip(cells, floats, held, strict=True)
    )
    around = {**function.__globals__, **changed, "__builtins__": function.__globals__.get("__builtins__", builtins)}
    twin = types.FunctionType(code, around, function.__name__, function.__defaults__, closure)
    twin.__kwdefaults__ = function.__kwdefaults__
    known[id(function)] = twin
    return twin


def _cell(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        # Of a name that is not bound yet.
        return None


def _names(code: types.CodeType) -> set[str]:
    inner = (_names(one) for one in code.co_consts if isinstance(one, types.CodeType))
    return set(code.co_names).union(*inner)


def _code(code: types.CodeType) -> types.CodeType:
    """Code with floats for the amounts that are written in it."""
    found = tuple(_written(one) for one in code.co_consts)
    same = all(new is old for new, old in zip(found, code.co_consts, strict=True))
    return code if same else code.replace(co_consts=found)


def _written(value: Any) -> Any:
    if isinstance(value, types.CodeType):
        return _code(value)
    if isinstance(value, tuple):
        found = tuple(_written(one) for one in value)
        return value if all(new is old for new, old in zip(found, value, strict=True)) else found
    if type(value) is int and _AMOUNT <= abs(value) <= _LARGEST:
        return float(value)
    return value


def _value(value: Any, user: types.FunctionType, known: dict[int, Any]) -> Any:
    """What a function holds, in floats where it is a whole number or has some."""
    if isinstance(value, types.FunctionType):
        return _function(value, known) if value.__module__ == user.__module__ else value
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind in ("i", "u") and hasattr(value, "astype"):
        return value.astype(np.float64)
    if type(value) in (list, tuple):
        found = [_value(one, user, known) for one in value]
        return value if all(new is old for new, old in zip(found, value, strict=True)) else type(value)(found)
    if isinstance(value, Mapping) and type(value) is dict:
        table = {key: _value(one, user, known) for key, one in value.items()}
        return value if all(table[key] is value[key] for key in value) else table
    return _written(value)
