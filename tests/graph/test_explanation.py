"""Explanations: a hand calculator confirms every line."""

import ast
import itertools
import math
import operator
import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import demandsim as ds
from demandsim import testing

YEARS = {"year": [2026, 2027, 2028, 2029]}
FUNCTIONS = {
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "log1p": math.log1p,
    "log2": math.log2,
    "log10": math.log10,
    "sqrt": math.sqrt,
    "floor": math.floor,
    "ceil": math.ceil,
    "abs": abs,
    "max": max,
    "min": min,
}
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}
NUMBER = r"-?[\d,]*\.?\d+(?:e[-+]?\d+)?"


def calculated(text):
    """Value of an arithmetic text: numbers in brackets lose their units."""
    plain = re.sub(rf"\[({NUMBER})[^\]]*\]", r"(\1)", text)
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)

    def value(node):
        if isinstance(node, ast.Expression):
            return value(node.body)
        if isinstance(node, ast.Constant):
            return float(node.value)
        if isinstance(node, ast.UnaryOp):
            return OPERATORS[type(node.op)](value(node.operand))
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        assert isinstance(node, ast.Call), text
        return FUNCTIONS[node.func.id](*map(value, node.args))

    return value(ast.parse(plain.strip(), mode="eval"))


def steps(explanation):
    """Arithmetic and printed result of every step and label that is worked out."""
    lines = str(explanation).splitlines()
    for line, after in itertools.pairwise(lines):
        found = re.fullmatch(r" {7}(?:\S.*?: )?= (.*)", line)
        result = re.match(rf" +=\s({NUMBER})", after)
        if found and result:
            yield found[1], result[1]


def check(explanation):
    number = 0
    for text, printed in steps(explanation):
        number += 1
        digits = printed.partition("e")[0].partition(".")[2]
        exponent = int(printed.partition("e")[2] or 0)
        shown = float(printed.replace(",", ""))
        # Half a unit of the last digit printed, of a number that is rounded to twelve digits first.
        allowed = 0.5 * 10.0 ** (exponent - len(digits)) + 0.5e-11 * abs(shown)
        assert abs(calculated(text) - shown) <= allowed * (1 + 1e-6), (text, printed)
    return number


@pytest.mark.parametrize("study", ds.list_studies())
def test_every_line_of_a_study_is_confirmed(study):
    model = ds.load_study(study)
    roots = [name for name in model.graph.order if not any(name in e.inputs for e in model.equations.values())]
    assert sum(check(model.explain(name)) for name in roots) >= len(roots)


@given(testing.models(correlated=st.just(False)))
@settings(max_examples=12)
def test_every_line_of_any_model_is_confirmed(model):
    for name in model.equations:
        check(model.explain(name, labels="all"))


GROWTH = xr.DataArray([0.35, 0.3, 0.2, 0.1], dims="year", coords=YEARS)
HARDWARE = {"hardware": ["H800", "H20"]}
BY_BOTH = xr.DataArray(np.arange(8.0).reshape(2, 4) + 1, dims=("hardware", "year"), coords=HARDWARE | YEARS)
#: An equation of base, growth and weights, and the arithmetic of its second year (and first hardware).
SHAPES = {
    "cumulated product": (
        lambda b, g, w: b * (1 + g).cumprod("year"),
        "[69.28] * ((1 + [0.35]) * (1 + [0.3]))",
    ),
    "cumulated sum": (lambda b, g, w: np.exp(g.cumsum("year")), "exp([0.35] + [0.3])"),
    "shift": (lambda b, g, w: g - g.shift(year=1, fill_value=0), "[0.3] - [0.35]"),
    "rolling": (lambda b, g, w: g.rolling(year=2, min_periods=1).sum(), "[0.35] + [0.3]"),
    "where": (lambda b, g, w: xr.where(g > 0.3, b, b / g), "[69.28] / [0.3]"),
    "selection": (lambda b, g, w: g - g.sel(year=2029), "[0.3] - [0.1]"),
    "sum": (lambda b, g, w: b * g / w.sum("hardware"), "[69.28] * [0.3] / ([2] + [6])"),
    "mean": (lambda b, g, w: g / g.mean("year"), "[0.3] / (([0.35] + [0.3] + [0.2] + [0.1]) / 4)"),
    "product": (lambda b, g, w: g * w.prod("hardware"), "[0.3] * ([2] * [6])"),
    "dot": (lambda b, g, w: g * xr.dot(w, w, dim="hardware"), "[0.3] * (0 + [2] * [2] + [6] * [6])"),
    "larger": (lambda b, g, w: np.maximum(g, 0.32), "max([0.3], 0.32)"),
    "clipped": (lambda b, g, w: b * g.clip(0.1, 0.25), "[69.28] * 0.25"),
    "power": (lambda b, g, w: b ** (g - 1), "[69.28] ** ([0.3] - 1)"),
    "negative": (lambda b, g, w: -(g - b) / -b, "-([0.3] - [69.28]) / -[69.28]"),
    "loop": (lambda b, g, w: sum(b * g**k for k in (1, 2)), "0 + [69.28] * [0.3] ** 1 + [69.28] * [0.3] ** 2"),
}


@pytest.mark.parametrize(("function", "text"), SHAPES.values(), ids=SHAPES)
def test_what_goes_along_a_dim_is_worked_out_label_by_label(function, text):
    made = ds.equation(function, unit="1", name="made")
    model = ds.Model([made], {"b": 69.28, "g": ds.Assumption(GROWTH), "w": ds.Assumption(BY_BOTH)})
    explanation = model.explain("made", labels="all")
    assert f"2027: = {text}\n" in str(explanation)
    assert check(explanation) >= 4


def test_units_are_converted_by_a_last_factor():
    @ds.equation(unit="CNY/year")
    def revenue(tokens, price):
        return tokens * price

    @ds.equation(unit="CNY/year")
    def margin(revenue, fixed):
        return revenue - fixed

    model = ds.Model(
        [revenue, margin],
        {
            "tokens": ds.Assumption(2, unit="Mtoken/day"),
            "price": ds.Assumption(3, unit="CNY/Mtoken"),
            "fixed": ds.Assumption(1, unit="CNY/day"),
        },
    )
    text = str(model.explain("margin"))
    assert "= [2 Mtoken/day] * [3 CNY/Mtoken] * 365\n       = 2,190 CNY/year" in text
    # Two units in one sum: base units, and the factor behind all of it.
    assert "CNY/s]) * 31,536,000\n       = 1,825 CNY/year" in text
    assert check(model.explain("margin")) == 2


def test_what_cannot_be_followed_has_a_result_and_no_arithmetic():
    import scipy.special

    made = ds.equation(lambda x: xr.apply_ufunc(scipy.special.erf, x), unit="1", name="made")
    lines = ds.Model([made], {"x": 0.5}).explain("made").lines
    assert [line for line in lines if line.startswith("       =")] == ["       = 0.5205"]


def test_few_labels_are_worked_out_unless_all_are_asked_for():
    made = ds.equation(lambda growth: 2 * growth, unit="1", name="made")
    model = ds.Model([made], {"growth": ds.Assumption(GROWTH)})
    assert "2029: =" not in str(model.explain("made"))
    assert "... 4 values over year" in str(model.explain("made"))
    assert "2029: = 2 * [0.1]" in str(model.explain("made", labels="all"))
    with pytest.raises(ds.DemandsimError, match="labels must be a whole number of at least 1"):
        model.explain("made", labels=0)
