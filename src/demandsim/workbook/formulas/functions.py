"""Functions of numpy, xarray and math that Excel has as well, term by term."""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from demandsim.workbook.formulas.terms import Term, UntranslatableError, choice, function, numeral

__all__ = ["JOINS", "known_functions"]

#: Most arguments that a function of Excel takes is 255.
_MOST_ARGUMENTS = 200


def _joined(name: str, compute: Callable[[Sequence[float]], float], *, truth: bool = False) -> Callable[..., Term]:
    """Return a function that joins any number of terms into one, nested where Excel would not take so many."""

    def join(terms: Sequence[Term]) -> Term:
        if len(terms) == 1:
            return terms[0]
        if len(terms) > _MOST_ARGUMENTS:
            pieces = [terms[i : i + _MOST_ARGUMENTS] for i in range(0, len(terms), _MOST_ARGUMENTS)]
            return join([join(piece) for piece in pieces])
        return function(name, terms, lambda *values: compute(values), truth=truth)

    return join


_sum = _joined("SUM", math.fsum)
_product = _joined("PRODUCT", math.prod)
_least = _joined("MIN", min)
_most = _joined("MAX", max)
_all = _joined("AND", lambda values: float(all(values)), truth=True)
_any = _joined("OR", lambda values: float(any(values)), truth=True)


def _mean(terms: Sequence[Term]) -> Term:
    return _sum(terms) / numeral(len(terms))


#: Methods that join what stands along a dim.
JOINS: dict[str, Callable[[Sequence[Term]], Term]] = {
    "sum": _sum,
    "prod": _product,
    "mean": _mean,
    "min": _least,
    "max": _most,
    "all": _all,
    "any": _any,
}


def _one(name: str, compute: Callable[[float], float]) -> Callable[[Term], Term]:
    return lambda x: function(name, [x], compute)


def _not(x: Term) -> Term:
    if not x.truth:
        raise UntranslatableError("negates a number as if it were true or false")
    return function("NOT", [x], lambda value: float(not value), truth=True)


def _finite(x: Term) -> Term:
    # ISNUMBER takes an error and says no, so that its value is never unknown.
    return Term(f"ISNUMBER({x.as_number().text})", float(not math.isnan(x.value)), truth=True)


def _sign(x: float) -> float:
    return float((x > 0) - (x < 0))


def _heaviside(x: Term, middle: Term) -> Term:
    zero = numeral(0)
    return choice(x.compared("<", zero), zero, choice(x.compared("=", zero), middle, numeral(1)))


def _x_log_y(x: Term, y: Term) -> Term:
    zero = numeral(0)
    return choice(x.compared("=", zero), zero, x * function("LN", [y], math.log))


def _clip(x: Term, low: Term | None = None, high: Term | None = None) -> Term:
    bounded = x if low is None else _most([x, low])
    return bounded if high is None else _least([bounded, high])


@functools.cache
def known_functions() -> dict[Any, Callable[..., Term]]:
    """Return the functions that can be written as formulas, each with what writes it."""
    import numpy as np
    import xarray as xr
    from scipy import special

    one = numeral(1)
    known: dict[Any, Callable[..., Term]] = {special.xlogy: _x_log_y}
    rows: dict[tuple[str, ...], Callable[..., Term]] = {
        ("exp",): _one("EXP", math.exp),
        ("log",): _one("LN", math.log),
        ("log10",): _one("LOG10", math.log10),
        ("log2",): lambda x: function("LOG", [x, numeral(2)], math.log),
        ("sqrt",): _one("SQRT", math.sqrt),
        ("log1p",): lambda x: function("LN", [one + x], math.log),
        ("expm1",): lambda x: function("EXP", [x], math.exp) - one,
        ("tanh",): _one("TANH", math.tanh),
        ("floor",): _one("INT", math.floor),
        ("ceil",): lambda x: -function("INT", [-x], math.floor),
        ("abs", "absolute", "fabs"): _one("ABS", abs),
        ("sign",): _one("SIGN", _sign),
        ("square",): lambda x: x ** numeral(2),
        ("negative",): lambda x: -x,
        ("minimum", "fmin"): lambda a, b: _least([a, b]),
        ("maximum", "fmax"): lambda a, b: _most([a, b]),
        ("add",): lambda a, b: a + b,
        ("subtract",): lambda a, b: a - b,
        ("multiply",): lambda a, b: a * b,
        ("divide", "true_divide"): lambda a, b: a / b,
        ("power", "float_power", "pow"): lambda a, b: a**b,
        ("logical_and",): lambda a, b: _all([a, b]),
        ("logical_or",): lambda a, b: _any([a, b]),
        ("logical_not",): _not,
        ("isfinite",): _finite,
        ("heaviside",): _heaviside,
        ("clip",): _clip,
        ("where",): choice,
    }
    for names, writes in rows.items():
        for name in names:
            for module in (np, xr, math, builtins):
                if callable(found := getattr(module, name, None)):
                    known[found] = writes
    return known
