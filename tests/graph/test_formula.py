"""Formulas: arithmetic as text means what it says, and nothing else is read."""

import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import demandsim as ds
from demandsim.errors import EquationError
from demandsim.graph.formula import Formula
from demandsim.graph.plain_function import as_formula

RATE = 0.07
YEARS = [2025, 2026, 2028]


@st.composite
def expressions(draw, depth=3):
    """A text, and what it comes to by functions of numpy, put together beside it."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        if draw(st.booleans()):
            name = draw(st.sampled_from("abc"))
            return name, lambda env: env[name]
        number = draw(st.integers(0, 20)) / 4
        return f"{number:g}", lambda env: np.float64(number)
    kind = draw(st.sampled_from(["+", "-", "*", "/", "neg", "min", "max", "exp", "abs", "where"]))
    (left, one), (right, other) = draw(expressions(depth=depth - 1)), draw(expressions(depth=depth - 1))
    match kind:
        case "neg":
            return f"-({left})", lambda env: -one(env)
        case "exp":
            return f"exp(-abs({left}))", lambda env: np.exp(-np.abs(one(env)))
        case "abs":
            return f"abs({left})", lambda env: np.abs(one(env))
        case "min":
            return f"min({left}, {right})", lambda env: np.minimum(one(env), other(env))
        case "max":
            return f"max({left}, {right}, a)", lambda env: np.maximum(np.maximum(one(env), other(env)), env["a"])
        case "where":
            text = f"where(({left}) > b and not ({right}) <= 2 or c == 3, {left}, {right})"
            return text, lambda env: np.where(
                (one(env) > env["b"]) & ~(other(env) <= 2) | (env["c"] == 3), one(env), other(env)
            )
    ways = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}
    return f"({left}) {kind} ({right})", lambda env: ways[kind](one(env), other(env))


@given(made=expressions(), seed=st.integers(0, 99))
def test_a_formula_computes_what_numpy_does_to_the_last_bit(made, seed):
    text, expected = made
    rng = np.random.default_rng(seed)
    env = {name: rng.choice([0.5, 1.0, 2.0, 3.0, 7.0], size=8) for name in "abc"}
    formula = Formula(text, "q")
    with np.errstate(all="ignore"):
        try:
            found = formula(**{name: env[name] for name in formula.inputs})
        except EquationError as error:
            # Of two numbers that stand in the text.
            assert "division by zero" in str(error)  # noqa: PT017
            return
        np.testing.assert_array_equal(found, expected(env))
        labelled = formula(**{name: xr.DataArray(env[name], dims="draw") for name in formula.inputs})
        np.testing.assert_array_equal(labelled, found)
    again = pickle.loads(pickle.dumps(formula))
    assert (again.text, again.inputs) == (formula.text, formula.inputs)
    assert Formula(formula.text, "q").text == formula.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(x, 'year')", 7.0),
        ("mean(x, 'year')", 7 / 3),
        ("prod(x, 'year')", 8.0),
        ("min(x, 'year') + max(x, 'year')", 5.0),
        ("cumsum(x, 'year')", [1.0, 3.0, 7.0]),
        ("cumprod(x, 'year')", [1.0, 2.0, 8.0]),
        ("shift(x, 'year', 1, 0)", [0.0, 1.0, 2.0]),
        ("shift(x, 'year', -1, -9)", [2.0, 4.0, -9.0]),
        ("2 ** 3 ** 2 - -x", [513.0, 514.0, 516.0]),
        ("where(1 < x <= 2, floor(2.7), ceil(0.2))", [1.0, 2.0, 1.0]),
        ("sqrt(x) ** 2 / log(exp(x))", [1.0, 1.0, 1.0]),
    ],
)
def test_along_a_dim(text, expected):
    x = xr.DataArray([1.0, 2.0, 4.0], dims="year", coords={"year": YEARS})
    np.testing.assert_allclose(Formula(text, "q")(x=x), expected, rtol=1e-15)


def test_a_value_that_is_none_makes_the_sum_none():
    x = xr.DataArray([1.0, np.nan], dims="year")
    assert np.isnan(Formula("sum(x, 'year')", "q")(x=x))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("open('x')", "unknown function 'open'"),
        ("expp(a)", "did you mean 'exp'"),
        ("a.b", "'a.b' is no part of a formula"),
        ("a[0]", "no part of a formula"),
        ("lambda: 0", "no part of a formula"),
        ("__import__('os').getcwd()", "no part of a formula"),
        ("[x for x in a]", "no part of a formula"),
        ("f'{a}'", "no part of a formula"),
        ("True", "no part of a formula"),
        ("1j", "no part of a formula"),
        ("(x := 1)", "no part of a formula"),
        ("exp(*a)", "no part of a formula"),
        ("exp(x=a)", "no part of a formula"),
        ("a if b else c", r"write where\(condition, a, b\)"),
        ("a // b", r"write floor\(a / b\)"),
        ("(a > 0) & (b > 0)", "write and, or, not"),
        ("a ^ 2", r"write \*\* for \^"),
        ("a × b", r"write \* for ×"),
        ("45% * a", "write / 100 for %"),
        ("a > 0", r"is a condition; write where\(condition, 1, 0\)"),
        ("(a > 0) * b", "takes a number for 'a > 0'"),
        ("where(a, b, c)", "takes a condition, such as x > 0, for 'a'"),
        ("where(a > 0, b)", r"where is written where\(condition, a, b\)"),
        ("sum(a)", "it says along which dim"),
        ("sum('year', a)", "names of dims stand last"),
        ("max(a)", r"max is written max\(a, b\)"),
        ("exp(a, b)", r"exp is written exp\(x\)"),
        ("exp(a, 'year')", "takes no dim"),
        ("shift(a, 'year')", "shift is written shift"),
        ("shift(a, 'year', 1.5, 0)", "shift is written shift"),
        ("a +", "cannot read 'a \\+'"),
        ("a b", "cannot read"),
        ("a; b", "cannot read"),
        ("a\0b", "cannot read"),
        ("", "is empty"),
        ("a # b", "write nothing for #"),
        ("1e999", "too large"),
        ("9" * 5000, "cannot read"),
        ("(" * 300 + "a" + ")" * 300, "cannot read"),
        ("-" * 5000 + "a", "(cannot read|is nested)"),
        ("+".join(["a"] * 150), "nested more than 100 deep"),
        ("a + " * 4000 + "a", "16,001 characters long"),
    ],
)
def test_what_is_no_arithmetic_is_refused_with_what_to_write(text, says):
    with pytest.raises(EquationError, match=f"formula of 'q': .*{says}"):
        Formula(text, "q")


def test_a_tower_of_powers_takes_no_time():
    with pytest.raises(EquationError, match="numbers in it come to none"):
        Formula("10 ** 10 ** 10 * a", "q")(a=1.0)


def test_units_are_checked():
    assumptions = {"cards": ds.Assumption(5, "card"), "price": ds.Assumption(2, "CNY/card")}
    wrong = ds.equation(Formula("cards / price", "cost"), unit="CNY")
    with pytest.raises(ds.DemandsimError, match="equation 'cost' declares unit 'CNY' but returns"):
        ds.Model([wrong], assumptions)
    mixed = ds.equation(Formula("cards + price", "cost"), unit="CNY")
    with pytest.raises(ds.DemandsimError, match="equation 'cost' combines card with CNY/card"):
        ds.Model([mixed], assumptions)


def test_a_sum_along_a_dim_that_is_not_there_names_it():
    made = ds.equation(Formula("sum(x, 'year')", "total"), unit="1")
    with pytest.raises(EquationError, match=r"sum\(\.\.\., 'year'\) is of what has no dim 'year'"):
        ds.Model([made], {"x": 1.0})


# Plain functions of Python as formulas


def by_names(a, b):
    """It is named in steps."""
    import numpy as np

    whole = a + b
    half = whole / 2
    return np.where((half > 1) & ~(a < b), whole * (1 + RATE), np.maximum(half, 0))


def by_methods(a, x):
    paid = x.sum("year") * a.clip(0, 5)
    return paid + x.shift(year=1, fill_value=0).where(a > 1, 3).cumsum(dim="year")


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            by_names,
            "where((a + b) / 2 > 1 and (not a < b), (a + b) * (1 + 0.07), max((a + b) / 2, 0))",
        ),
        (
            by_methods,
            "sum(x, 'year') * min(max(a, 0), 5) + cumsum(where(a > 1, shift(x, 'year', 1, 0), 3), 'year')",
        ),
    ],
)
def test_a_simple_function_is_written_as_a_formula_of_the_same_bits(function, text):
    made = as_formula(ds.equation(function, unit="1"))
    assert made.text == text
    rng = np.random.default_rng(1)
    given_values = {
        "a": xr.DataArray(rng.normal(2, 1, 64), dims="draw"),
        "b": xr.DataArray(rng.normal(1, 1, 64), dims="draw"),
        "x": xr.DataArray(rng.normal(1, 1, (3, 64)), dims=("year", "draw"), coords={"year": YEARS}),
    }
    given_values = {name: given_values[name] for name in made.inputs}
    np.testing.assert_array_equal(made(**given_values), function(**given_values))


def looping(a):
    for _ in range(3):
        a = 2 * a
    return a


def calling(a):
    return by_names(a, a)


def rolling(x):
    return x.rolling(year=2).mean()


def without_fill(x):
    return x.shift(year=1)


def of_all_dims(x):
    return x.sum()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (looping, "it has 'for _ in range"),
        (calling, "it calls 'by_names'"),
        (rolling, r"it has 'x.rolling\(year=2\).mean\(\)'"),
        (without_fill, "it has 'x.shift"),
        (of_all_dims, "it has 'x.sum"),
    ],
)
def test_what_formulas_cannot_say_is_said(function, says):
    with pytest.raises(EquationError, match=says):
        as_formula(ds.equation(function, unit="1"))
