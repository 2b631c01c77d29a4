"""Mathematics: sums and products, rounding, roots, powers and logarithms."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from demandsim.workbook.calc.draws import Declined
from demandsim.workbook.calc.functions.numbers import numbers, stacked
from demandsim.workbook.calc.functions.row import function
from demandsim.workbook.calc.values import DIV0, NUM, VALUE, CellError, Grid, digits15

__all__ = ["rounded"]


def _sum_draws(*args: Any) -> Any:
    total: Any = 0.0
    for value in stacked(args):
        # One array is filled again and again, which stays in the processor's cache.
        total = np.add(total, value, out=total) if type(total) is np.ndarray else total + value
    return total


@function("SUM", more="r", vector=_sum_draws, least=1)
def _sum(*args: Any) -> float:
    total = 0.0
    for value in numbers(args):
        total += value
    return total


def _product_draws(*args: Any) -> Any:
    return functools.reduce(np.multiply, stacked(args), 1.0)


@function("PRODUCT", more="r", vector=_product_draws, least=1)
def _product(*args: Any) -> float:
    found = numbers(args)
    return math.prod(found) if found else 0.0


@function("SUMSQ", more="r", vector=lambda *args: sum(value * value for value in stacked(args)), least=1)
def _sumsq(*args: Any) -> float:
    return sum(value * value for value in numbers(args))


def _columns(args: tuple[Any, ...]) -> list[list[Any]]:
    flat = [value.flat() if type(value) is Grid else [value] for value in args]
    shapes = {(len(value.rows), len(value.rows[0])) if type(value) is Grid else (1, 1) for value in args}
    if len(shapes) > 1:
        raise CellError(VALUE.code)
    return flat


def _sumproduct_draws(*args: Any) -> Any:
    total = 0.0
    for parts in zip(*_columns(args), strict=True):
        product: Any = 1.0
        for value in parts:
            if type(value) is np.ndarray:
                if value.dtype == bool:
                    raise Declined
                product = product * value
            elif type(value) is CellError:
                raise value
            else:
                product = product * (value if type(value) is float else 0.0)
        total = total + product
    return total


@function("SUMPRODUCT", more="a", vector=_sumproduct_draws, least=1)
def _sumproduct(*args: Any) -> float:
    total = 0.0
    for parts in zip(*_columns(args), strict=True):
        for value in parts:
            if type(value) is CellError:
                raise value
        total += math.prod(value if type(value) is float else 0.0 for value in parts)
    return total


# Rounding: half away from zero, of the 15 digits that are shown


def _scaled(value: float, digits: float) -> tuple[float, float]:
    power = 10.0 ** abs(int(digits))
    return digits15(abs(value) * power if digits >= 0 else abs(value) / power), power


def _rounded(how: Callable[[float], float]) -> Callable[[float, float], float]:
    def scalar(value: float, digits: float = 0.0) -> float:
        if abs(digits) > 300:
            return value if digits > 0 else 0.0
        scaled, power = _scaled(value, digits)
        if not math.isfinite(scaled) or scaled >= 1e15:
            return value
        whole = float(how(scaled))
        return math.copysign(whole / power if digits >= 0 else whole * power, value) if whole else 0.0

    return scalar


def _rounded_draws(how: Callable[[Any], Any]) -> Callable[..., Any]:
    def vector(value: Any, digits: Any = 0.0) -> Any:
        if np.ndim(digits) or abs(digits) > 300:
            raise Declined
        places = int(digits)
        power = 10.0 ** abs(places)
        scaled = np.abs(value) * power if places >= 0 else np.abs(value) / power
        whole = how(scaled)
        # Where the last digits may decide, the definition does.
        risky = (np.abs(scaled * 2 - np.round(scaled * 2)) <= 1e-12 * scaled + 1e-300) & (scaled != whole)
        found = np.copysign(whole / power if places >= 0 else whole * power, value)
        return np.where(risky | (scaled >= 1e15), np.nan, found + 0.0)

    return vector


for _name, _how, _many in (
    ("ROUND", lambda x: math.floor(x + 0.5), lambda x: np.floor(x + 0.5)),
    ("ROUNDUP", math.ceil, np.ceil),
    ("ROUNDDOWN", math.floor, np.floor),
    ("TRUNC", math.floor, np.floor),
):
    function(_name, takes="nn", vector=_rounded_draws(_many), least=1 if _name == "TRUNC" else 2)(_rounded(_how))


def _int_draws(value: Any) -> Any:
    found = np.floor(value)
    return np.where(np.abs(value - np.round(value)) <= 1e-12 * np.abs(value), np.nan, found)


@function("INT", takes="n", vector=_int_draws)
def _int(value: float) -> float:
    return float(math.floor(digits15(value)))


def _multiple(up: bool) -> Callable[[float, float], float]:
    def scalar(value: float, step: float = 1.0) -> float:
        if step == 0:
            if value != 0 and not up:
                raise CellError(DIV0.code)
            return 0.0
        if value > 0 > step:
            raise CellError(NUM.code)
        return float((math.ceil if up else math.floor)(digits15(value / step)) * step)

    return scalar


function("CEILING", takes="nn")(_multiple(True))
function("FLOOR", takes="nn")(_multiple(False))


def _multiple_math(up: bool) -> Callable[..., float]:
    def scalar(value: float, step: float = 1.0, mode: float = 0.0) -> float:
        step = abs(step)
        if step == 0:
            return 0.0
        away = up if value >= 0 or mode == 0 else not up
        return float((math.ceil if away else math.floor)(digits15(value / step)) * step)

    return scalar


function("CEILING.MATH", takes="nnn", least=1)(_multiple_math(True))
function("FLOOR.MATH", takes="nnn", least=1)(_multiple_math(False))


@function("MROUND", takes="nn")
def _mround(value: float, step: float) -> float:
    if step == 0:
        return 0.0
    if value * step < 0:
        raise CellError(NUM.code)
    return math.floor(digits15(value / step) + 0.5) * step


def _parity(odd: bool) -> Callable[[float], float]:
    def scalar(value: float) -> float:
        size = math.ceil(digits15(abs(value)))
        size += (size % 2 == 0) if odd else (size % 2)
        return math.copysign(float(size), value) if size else 0.0

    return scalar


function("EVEN", takes="n")(_parity(False))
function("ODD", takes="n")(_parity(True))


@function("MOD", takes="nn")
def _mod(value: float, divisor: float) -> float:
    if divisor == 0:
        raise CellError(DIV0.code)
    found = value - divisor * math.floor(digits15(value / divisor))
    return 0.0 if abs(found) < 1e-15 * abs(value) else found


@function("QUOTIENT", takes="nn")
def _quotient(value: float, divisor: float) -> float:
    return float(math.trunc(value / divisor))


rounded = _rounded(lambda value: math.floor(value + 0.5))


# Of one number


def _checked(name: str, scalar: Callable[[float], float], vector: Callable[[Any], Any]) -> None:
    function(name, takes="n", vector=vector)(scalar)


for _name, _scalar, _vector in (
    ("ABS", abs, np.abs),
    ("EXP", math.exp, np.exp),
    ("SIN", math.sin, np.sin),
    ("COS", math.cos, np.cos),
    ("TAN", math.tan, np.tan),
    ("ATAN", math.atan, np.arctan),
    ("ASIN", math.asin, np.arcsin),
    ("ACOS", math.acos, np.arccos),
    ("SINH", math.sinh, np.sinh),
    ("COSH", math.cosh, np.cosh),
    ("TANH", math.tanh, np.tanh),
    ("SQRT", math.sqrt, np.sqrt),
    ("LN", math.log, np.log),
    ("LOG10", math.log10, np.log10),
    ("DEGREES", math.degrees, np.degrees),
    ("RADIANS", math.radians, np.radians),
    ("SIGN", lambda x: float((x > 0) - (x < 0)), np.sign),
):
    _checked(_name, _scalar, _vector)


@function("LOG", takes="nn", vector=lambda x, base=10.0: np.log(x) / np.log(base), least=1)
def _log(value: float, base: float = 10.0) -> float:
    if value <= 0 or base <= 0:
        raise CellError(NUM.code)
    return math.log10(value) if base == 10.0 else math.log(value) / math.log(base)


def _power_draws(value: Any, exponent: Any) -> Any:
    return np.where((value == 0) & (exponent == 0), np.nan, np.power(value, exponent))


@function("POWER", takes="nn", vector=_power_draws)
def _power(value: float, exponent: float) -> Any:
    if value == 0 and exponent == 0:
        raise CellError(NUM.code)
    return value**exponent


@function("PI")
def _pi() -> float:
    return math.pi


@function("FACT", takes="n")
def _fact(value: float) -> float:
    if value < 0 or value > 170:
        raise CellError(NUM.code)
    return float(math.factorial(int(value)))


@function("COMBIN", takes="nn")
def _combin(count: float, chosen: float) -> float:
    if chosen < 0 or count < chosen:
        raise CellError(NUM.code)
    # From 515 of 1,030 on none is below the largest double: to count them takes time without end.
    if min(chosen, count - chosen) >= 515:
        raise CellError(NUM.code)
    ways = math.comb(int(count), int(chosen))
    if ways > sys.float_info.max:
        raise CellError(NUM.code)
    return float(ways)


def _matrix(value: Any) -> Any:
    if type(value) is not Grid:
        value = Grid([[value]])
    if not all(type(v) is float for v in value.flat()):
        raise CellError(VALUE.code)
    return np.array(value.rows, dtype=np.float64)


@function("MMULT", takes="aa")
def _mmult(one: Any, other: Any) -> Grid:
    left, right = _matrix(one), _matrix(other)
    if left.shape[1] != right.shape[0]:
        raise CellError(VALUE.code)
    return Grid((left @ right).tolist())
