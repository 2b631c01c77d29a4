"""Results of equations: one array of real numbers with the labels of its inputs, or one clear error."""

import decimal
import math

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import EquationError

YEARS = [2025, 2026, 2027]
BY_YEAR = ds.Assumption(dist.normal(mean=xr.DataArray([2.0, 3.0, 4.0], dims="year", coords={"year": YEARS}), sd=0.5))
ONE = ds.Assumption(dist.normal(mean=2, sd=0.5))


def model_of(function, x):
    return ds.Model([ds.equation(function, unit="1", name="wrong")], {"x": x})


#: What an equation does, and words that the error has.
RESULTS = {
    "complex": (lambda x: np.sqrt(x - 1.5 + 0j), "complex numbers"),
    "complex with no imaginary part": (lambda x: x + 0j, "complex numbers"),
    "complex where negative": (lambda x: np.emath.sqrt(x.values - 2) + 0 * x, "complex numbers"),
    "None": (lambda x: None, "returns None; end it with return"),
    "text": (lambda x: "3", "returns a str"),
    "texts": (lambda x: x.astype(str), "returns text"),
    "list": (lambda x: [x, x], "returns a list"),
    "tuple": (lambda x: (x,), "returns a tuple"),
    "dict": (lambda x: {"x": x}, "returns a dict"),
    "set": (lambda x: {1.0}, "returns a set"),
    "generator": (lambda x: (part for part in x), "returns a generator"),
    "function": (lambda x: x.mean, "returns a method"),
    "masked": (lambda x: np.ma.masked_less(np.asarray(x), 3), "masked array, whose mask would be lost"),
    "pandas": (lambda x: x.isel(draw=0).expand_dims("row").to_pandas(), "returns a (Series|DataFrame)"),
    "Dataset": (lambda x: x.to_dataset(name="x"), "returns a Dataset"),
    "Variable": (lambda x: x.variable, "returns a Variable"),
    "decimal": (lambda x: decimal.Decimal(3), "returns objects of Python"),
    "objects": (lambda x: x.astype(object), "returns objects of Python"),
    "dates": (lambda x: (0 * x).astype("datetime64[s]"), "returns dates"),
    "whole numbers that overflow": (lambda x: (x * 1e19).astype(int), r"whole numbers beyond 2\*\*53"),
    "new dim": (lambda x: x.expand_dims(region=[1, 2]), "makes a new dim 'region'"),
}
MISTAKES = {
    "if": (lambda x: x if x > 1 else 1, r"xr\.where\(condition, a, b\)"),
    "and": (lambda x: (x > 1) and x, "& |&, "),
    "not": (lambda x: (not x) * 1.0, "~ for"),
    "max": (lambda x: max(x, 1), r"np\.maximum"),
    "min": (lambda x: min(x, 1), r"np\.minimum"),
    "between": (lambda x: 1.0 * (0 < x < 3), r"xr\.where"),
    "bool": (lambda x: bool(x) * 1.0, r"xr\.where"),
    "float": (lambda x: float(x), r"write np\.exp\(x\) for math\.exp"),
    "int": (lambda x: int(x), r"np\.floor\(x\) for int"),
    "math": (lambda x: math.exp(x), r"write np\.exp\(x\) for math\.exp"),
    "round": (lambda x: round(x), r"np\.round\(x\) for round"),
    "in place": (lambda x: x.__imul__(2), r"x = 2 \* x for x \*= 2"),
    "by place": (lambda x: (x.__setitem__(..., 5.0), x)[1], "writes into its input"),
    "out": (lambda x: np.multiply(x.values, 2, out=x.values), "writes into its input"),
    "values": (lambda x: (x.values.fill(1), x)[1], "writes into its input"),
    "random": (lambda x: x * np.random.default_rng().uniform(), "gives another result when it runs again"),
}


@pytest.mark.parametrize("x", [ONE, BY_YEAR], ids=["one", "by year"])
@pytest.mark.parametrize(("function", "words"), (RESULTS | MISTAKES).values(), ids=RESULTS | MISTAKES)
def test_what_is_no_array_of_numbers_is_one_error_that_names_the_equation(function, words, x):
    with pytest.raises(EquationError, match=f"equation 'wrong' .*({words})"):
        model_of(function, x)


def test_what_goes_wrong_in_some_draws_only_is_found_with_the_first_of_them():
    """As np.emath.sqrt, which returns complex numbers where a draw is negative, and real ones elsewhere."""
    model = model_of(lambda x: np.emath.sqrt(x), dist.normal(mean=4, sd=1))
    with pytest.raises(
        EquationError, match=r"'wrong' returns complex numbers.*at chain \d+, draw \d+, from x = -0\."
    ) as caught:
        model.simulate(draws=2**14, chains=8, seed=1, design="random")
    assert "raised" not in str(caught.value)


def test_spans_of_time_are_no_seconds():
    span = ds.equation(lambda x: (0 * x).astype("timedelta64[ns]"), unit="s", name="span")
    with pytest.raises(EquationError, match="'span' returns spans of time"):
        ds.Model([span], {"x": BY_YEAR})


def test_python_may_ask_what_is_sure():
    model = model_of(lambda x: 2 * x if x > 1 else 0 * x, ds.Assumption(3.0))
    assert model.point().wrong.item() == 6


def test_truths_and_whole_numbers_are_numbers():
    assert model_of(lambda x: x > 2, BY_YEAR).point().wrong.values.tolist() == [0, 1, 1]
    assert model_of(lambda x: (10 * x).astype(int), BY_YEAR).point().wrong.values.tolist() == [20, 30, 40]
    assert model_of(lambda x: 10**20, ONE).point().wrong.item() == 1e20


HELD = np.array([10**12, 3])
SMALL = np.array([100, 3], dtype=np.int8)
BY_LABEL = xr.DataArray(np.array([1, 2, 3]) * 10**12, dims="year", coords={"year": YEARS})
TOKENS = np.int64(10**12)
TABLE = {"tokens": 2.0, "parts": [10**12, 10**12]}


def squared(values):
    return values * values


def holding(held):
    return lambda x: x * np.prod(np.asarray(held) * np.asarray(held)) / 1e12


#: What wraps around in 64 bits, or in 8, and is a float again before anybody sees it.
WRAPS = {
    "a number": lambda x: TOKENS * 10**9 / 1e12 * x,
    "of a closure": holding(np.int64(10**12)),
    "a list of a closure": holding([10**12, 10**12]),
    "an array": lambda x: x * (HELD * HELD).sum() / 1e12,
    "a small array": lambda x: x * (SMALL * SMALL).sum() / 100,
    "by label": lambda x: BY_LABEL * BY_LABEL / 1e12 * x,
    "a function beside": lambda x: x * squared(HELD).sum() / 1e12,
    "in a table": lambda x: x * TABLE["tokens"] * 1e-12 * np.prod(TABLE["parts"]),
    "written": lambda x: x * np.prod([10**12, 10**12]) / 1e12,
    "labels": lambda x: x * (x.year * 10**17) / 1e17,
    "labels, by name": lambda x: x * (x["year"] ** 7) / 1e17,
    "bare labels": lambda x: x * (x.year.values * 10**17).mean() / 1e17,
    "draws": lambda x: x.astype(int) * 10**13 * 10**6 / 1e19,
}


@pytest.mark.parametrize("function", WRAPS.values(), ids=WRAPS)
def test_whole_numbers_that_wrap_around_inside_are_an_error(function):
    with pytest.raises(EquationError, match=r"'wrong' computes with whole numbers that overflow in silence.*1e12"):
        model_of(function, BY_YEAR)


#: Whole numbers that do no harm, and those that are places, counts or labels, for which no float would do.
WHOLE = {
    "amounts": (lambda x: x + HELD.sum() / 10**12 + 0 * TOKENS, 1 + 3e-12),
    "labels": (lambda x: x + (x.year - 2025) // 1, [0, 1, 2]),
    "places": (lambda x: x + HELD[SMALL[1:] - 2].sum(), 3),
    "sizes": (lambda x: x + np.ones(20_000).sum() + 0 * BY_LABEL, 20_000),
    "by label": (lambda x: x + x.year.isin([2026]) + (x.year == 2027) * 2, [0, 1, 2]),
}


@pytest.mark.parametrize(("function", "more"), WHOLE.values(), ids=WHOLE)
def test_whole_numbers_that_do_not_overflow_are_taken(function, more):
    model = model_of(function, BY_YEAR)
    np.testing.assert_allclose(model.point().wrong - model.point().x, np.broadcast_to(more, 3), rtol=1e-6)


def test_whole_numbers_come_to_an_equation_as_floats():
    sure = model_of(lambda x: x * 10**12 * 10**12, np.int64(10**9))
    assert sure.point().wrong.item() == pytest.approx(1e33)
    table = model_of(lambda x: x * 10**6, xr.DataArray([10**18, 2], dims="year", coords={"year": YEARS[:2]}))
    np.testing.assert_allclose(table.point().wrong, [1e24, 2e6])


def test_values_go_by_their_labels_and_not_by_their_places():
    model = model_of(lambda x: x.isel(year=slice(None, None, -1)), BY_YEAR)
    draws = model.simulate(draws=16, chains=1, seed=1)
    np.testing.assert_array_equal(draws.wrong, draws.x)
    by_value = model_of(lambda x: x.sortby("year", ascending=False) + x, BY_YEAR).simulate(draws=16, chains=1, seed=1)
    np.testing.assert_array_equal(by_value.wrong, 2 * by_value.x)


@pytest.mark.parametrize(
    "function",
    [lambda x: x.assign_coords(year=x.year + 1), lambda x: x.assign_coords(year=["a", "b", "c"])],
    ids=["next", "others"],
)
def test_values_for_other_labels_are_an_error(function):
    with pytest.raises(
        EquationError, match=r"'wrong' returns values for other labels along 'year'.*x\.shift\(year=1\)"
    ):
        model_of(function, BY_YEAR)
