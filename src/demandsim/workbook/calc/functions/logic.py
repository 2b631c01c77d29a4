"""Logic: choices between values, draw by draw, and tests of what a value is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from demandsim.workbook.calc.draws import Declined, broadcast, guarded, is_drawn, over_draws
from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.operators import OPERATORS
from demandsim.workbook.calc.values import NA, VALUE, CellError, Grid, number, truth

__all__ = ["chosen"]


def _flag(value: Any) -> Any:
    """Whether, for an array of draws."""
    return value if value.dtype == bool else value != 0


def _pick(condition: Any, yes: Any, no: Any) -> Any:
    return yes if truth(condition) else no


def _pick_draws(condition: Any, yes: Any, no: Any) -> Any:
    if type(condition) is not np.ndarray:
        raise Declined
    kinds = {_kind(yes), _kind(no)}
    if len(kinds) > 1 or None in kinds:
        raise Declined
    return np.where(_flag(condition), yes, no)


def _kind(value: Any) -> type | None:
    if type(value) is np.ndarray:
        return bool if value.dtype == bool else float
    return type(value) if type(value) in (bool, float) else None


def chosen(condition: Any, yes: Any, no: Any) -> Any:
    """One of two values by a third; for every draw, if it depends on the draw."""
    if not is_drawn(condition):
        return guarded(_pick, (condition, yes, no))
    if type(condition) is np.ndarray and condition.dtype == bool and _kind(yes) is _kind(no) is float:
        return np.where(condition, yes, no)
    if type(yes) is Grid or type(no) is Grid:
        return broadcast(chosen, (condition, yes, no))
    # Blank is 0 where a choice between values ends.
    yes, no = (0.0 if value is None else value for value in (yes, no))
    return over_draws(_pick, (condition, yes, no), _pick_draws)


@function("IF", takes="vrr", structural=True, least=2)
def _if(condition: Any, yes: Any = None, no: Any = False) -> Any:
    if type(condition) is Grid:
        return broadcast(chosen, (condition, yes, no))
    return chosen(condition, yes, no)


@function("IFS", more="vr", structural=True, least=2)
def _ifs(*args: Any) -> Any:
    result: Any = CellError(NA.code)
    for condition, value in reversed(list(zip(args[::2], args[1::2], strict=False))):
        result = _if(condition, value, result)
    return result


@function("SWITCH", takes="v", more="vr", structural=True, least=3)
def _switch(value: Any, *args: Any) -> Any:
    if type(value) is Grid:
        return broadcast(_switch, (value, *args))
    pairs = list(zip(args[::2], args[1::2], strict=False))
    result: Any = args[-1] if len(args) % 2 else CellError(NA.code)
    for case, then in reversed(pairs):
        result = _if(OPERATORS["="](value, case), then, result)
    return result


def _otherwise(wrong: Callable[[Any], bool]) -> Callable[[Any, Any], Any]:
    def one(value: Any, instead: Any) -> Any:
        found = instead if wrong(value) else value
        return 0.0 if found is None else found

    def apply(value: Any, instead: Any) -> Any:
        if type(value) is Grid:
            return broadcast(apply, (value, instead))
        if not is_drawn(value):
            return instead if wrong(value) else value
        if type(value) is np.ndarray:
            return value
        return over_draws(one, (value, instead), lambda known, _: known)

    return apply


function("IFERROR", takes="er", structural=True)(_otherwise(lambda value: type(value) is CellError))
function("IFNA", takes="er", structural=True)(_otherwise(lambda value: value == NA))


def _flags(args: tuple[Any, ...]) -> list[bool]:
    found = []
    for value in args:
        if type(value) is Grid:
            for inner in value.flat():
                if type(inner) is CellError:
                    raise inner
                if type(inner) in (bool, float):
                    found.append(bool(inner))
        else:
            found.append(truth(value))
    if not found:
        raise CellError(VALUE.code)
    return found


def _joined(*names: str, scalar: Callable[[list[bool]], bool], vector: Any) -> None:
    def many(*args: Any) -> Any:
        result = None
        for value in args:
            for inner in value.flat() if type(value) is Grid else [value]:
                if type(inner) is np.ndarray:
                    if inner.dtype != bool and np.isnan(inner).any():
                        raise Declined
                    part: Any = _flag(inner)
                elif type(value) is Grid and type(inner) not in (bool, float):
                    if type(inner) is CellError:
                        raise inner
                    continue
                else:
                    part = truth(inner)
                result = part if result is None else vector(result, part)
        return result

    function(*names, more="r", vector=many, least=1)(lambda *args: scalar(_flags(args)))


_joined("AND", scalar=all, vector=np.logical_and)
_joined("OR", scalar=any, vector=np.logical_or)
_joined("XOR", scalar=lambda flags: sum(flags) % 2 == 1, vector=np.logical_xor)


def _not_draws(value: Any) -> Any:
    if type(value) is not np.ndarray or np.isnan(value).any():
        raise Declined
    return ~_flag(value)


@function("NOT", takes="v", vector=_not_draws)
def _not(value: Any) -> bool:
    return not truth(value)


@function("TRUE")
def _true() -> bool:
    return True


@function("FALSE")
def _false() -> bool:
    return False


@function("NA")
def _na() -> CellError:
    return NA


# What a value is


def _is(name: str, test: Callable[[Any], bool], of_numbers: bool) -> None:
    def many(value: Any) -> Any:
        if value.dtype == bool or np.isnan(value).any():
            raise Declined
        return np.full(value.shape, of_numbers)

    function(name, takes="e", vector=many)(test)


_is("ISERROR", lambda value: type(value) is CellError, False)
_is("ISERR", lambda value: type(value) is CellError and value != NA, False)
_is("ISNA", lambda value: value == NA, False)
_is("ISNUMBER", lambda value: type(value) is float, True)
_is("ISTEXT", lambda value: type(value) is str, False)
_is("ISNONTEXT", lambda value: type(value) is not str, True)
_is("ISLOGICAL", lambda value: type(value) is bool, False)
_is("ISBLANK", lambda value: value is None, False)


@function("ISEVEN", takes="n")
def _iseven(value: float) -> bool:
    return int(value) % 2 == 0


@function("ISODD", takes="n")
def _isodd(value: float) -> bool:
    return int(value) % 2 == 1


@function("N", takes="v")
def _n(value: Any) -> float:
    return number(value) if type(value) in (float, bool) else 0.0
