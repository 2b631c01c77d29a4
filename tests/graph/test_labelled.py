"""Equations on labelled and on bare arrays: the same bits, and errors that name the equation."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import EquationError

BOUGHT = ds.constant(12, "card")


@ds.equation(unit="card")
def cards(peak_compute, card_flops, utilization):
    return peak_compute / (card_flops * utilization)


ASSUMED = {
    "peak_compute": ds.Assumption(dist.lognormal(500, 1200), unit="EFLOP/s"),
    "card_flops": ds.Assumption(1979, unit="TFLOP/s/card"),
    "utilization": ds.Assumption(dist.beta(mean=0.45, sd=0.1)),
}


def by_year(values, years=(2025, 2026, 2027)):
    return xr.DataArray(np.asarray(values, dtype=float), dims="year", coords={"year": list(years)})


PRICES = ds.Assumption(dist.lognormal(by_year([1, 2, 3]), by_year([4, 5, 6])), unit="CNY")


def simulated(*equations, **assumed):
    model = ds.Model(equations, assumed)
    return model, model.simulate(draws=256, chains=2, seed=4)


def test_labelled_operations_run_over_their_dim():
    @ds.equation(unit="CNY")
    def spent(price):
        return price.cumsum("year")

    @ds.equation(unit="CNY")
    def before(price):
        return price.shift(year=1, fill_value=0)

    @ds.equation(unit="CNY")
    def overall(price):
        return price.sum("year")

    @ds.equation(unit="1")
    def share(price, overall):
        return price / overall

    _, draws = simulated(spent, before, overall, share, price=PRICES)
    xr.testing.assert_allclose(draws.spent, draws.price.cumsum("year"))
    xr.testing.assert_allclose(draws.before, draws.price.shift(year=1, fill_value=0.0))
    xr.testing.assert_allclose(draws.overall, draws.price.sum("year"))
    assert draws.overall.dims == ("chain", "draw")
    assert draws.share.dims == ("chain", "draw", "year")
    np.testing.assert_allclose(draws.share.sum("year"), 1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: x.sum("year"),
        lambda x, w: (x * w).mean("year"),
        lambda x, w: x.std("year"),
        lambda x, w: xr.dot(x, w, dim="year"),
        lambda x, w: (x / x.sum("year")).cumsum("year"),
        lambda x, w: np.exp(-x) ** 1.3 / np.log1p(w),
    ],
)
def test_sums_over_many_years_have_the_same_bits_in_blocks_of_any_size(function):
    # Numpy adds eight numbers and more in another order when it sees a single draw, as the last block may be.
    years = range(2024, 2041)
    level = by_year(np.linspace(1, 3, len(years)), years)
    made = ds.equation(function, unit="1", name="made")
    model = ds.Model([made], {"x": dist.lognormal(median=level, factor=2), "w": dist.uniform(level, level + 1)})
    whole = model.simulate(draws=33, chains=2, seed=1, design="random", block=1024).made
    for block in (1, 2, 3, 8, 65):
        parts = model.simulate(draws=33, chains=2, seed=1, design="random", block=block).made
        np.testing.assert_array_equal(parts, whole)


def test_a_shift_leaves_gaps_that_are_said():
    @ds.equation(unit="CNY")
    def before(price):
        return price.shift(year=1)

    model = ds.Model([before], {"price": PRICES})
    with pytest.raises(ds.DemandsimError, match="equation 'before' made NaN"):
        model.simulate(draws=16, seed=1)


def test_bare_and_labelled_runs_give_the_same_bits():
    def formula(price, growth, floor):
        return np.maximum(price * np.exp(growth) ** 1.5, floor) - np.sqrt(price * floor) / (1 + growth)

    bare = ds.equation(formula, unit="CNY", name="bare")

    @ds.equation(unit="CNY")
    def labelled(price, growth, floor):
        # Adding and removing a label-only step forces the labelled run of the same arithmetic.
        return formula(price.isel(year=slice(None)), growth, floor)

    model, draws = simulated(
        bare,
        labelled,
        price=PRICES,
        growth=dist.normal(mean=0, sd=0.1),
        floor=ds.Assumption(2.5, unit="CNY"),
    )
    assert {step.equation.name: step.elementwise for step in model.program.steps} == {"bare": True, "labelled": False}
    np.testing.assert_array_equal(draws.bare, draws.labelled)


def test_where_of_numpy_and_of_xarray_agree():
    @ds.equation(unit="1")
    def by_numpy(x, y):
        return np.where(x > y, x, y)

    @ds.equation(unit="1")
    def by_xarray(x, y):
        return xr.where(x > y, x, y)

    _, draws = simulated(by_numpy, by_xarray, x=dist.normal(mean=by_year([1, 2, 3]), sd=1), y=dist.normal(mean=2, sd=1))
    np.testing.assert_array_equal(draws.by_numpy, draws.by_xarray)
    np.testing.assert_array_equal(draws.by_xarray, np.maximum(draws.x, draws.y))
    assert draws.by_numpy.dims == ("chain", "draw", "year")


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x - x.mean(),
        lambda x: x / x.max(),
        lambda x: x.cumsum("draw"),
        lambda x: x.quantile(0.5, "draw", skipna=False).drop_vars("quantile") + 0 * x,
        lambda x: x.shift(draw=1, fill_value=0.0),
        lambda x: np.sort(x),
        lambda x: x[..., ::-1],
        lambda x: 0 * x + x.sizes["draw"],
        lambda x: np.sum(x),
        lambda x: x.isel(draw=0),
    ],
    ids=["mean", "max", "cumsum", "quantile", "shift", "sort", "reversed", "size", "sum", "first"],
)
def test_an_equation_that_mixes_draws_is_an_error_that_names_it(function):
    made = ds.equation(function, unit="1", name="leaky")
    with pytest.raises(EquationError, match="'leaky' mixes draws"):
        ds.Model([made], {"x": dist.normal(mean=0, sd=1)})


def test_an_equation_that_writes_into_its_input_cannot_spoil_the_others():
    @ds.equation(unit="1")
    def careless(x):
        x *= 2
        return x

    @ds.equation(unit="1")
    def later(careless, x):
        return x - careless

    with pytest.raises(ValueError, match="read-only"):
        ds.Model([careless, later], {"x": dist.normal(mean=0, sd=1)}).simulate(draws=16, seed=1)


def test_an_equation_may_return_an_input_as_it_is():
    @ds.equation(unit="1")
    def same(x):
        return x

    @ds.equation(unit="1")
    def shifted(same):
        return same + 1

    _, draws = simulated(same, shifted, x=dist.normal(mean=0, sd=1))
    np.testing.assert_array_equal(draws.same, draws.x)
    np.testing.assert_array_equal(draws.shifted, draws.x + 1)


def test_a_new_dim_is_an_error_that_says_where_dims_come_from():
    @ds.equation(unit="1")
    def spread(x):
        return x * xr.DataArray([1.0, 2.0], dims="region")

    with pytest.raises(EquationError, match="'spread' makes a new dim 'region'"):
        ds.Model([spread], {"x": dist.normal(mean=0, sd=1)})


def test_an_equation_that_drops_years_is_an_error():
    @ds.equation(unit="CNY")
    def later(price):
        return price.isel(year=slice(1, None))

    with pytest.raises(EquationError, match="'later' returns 2 values along 'year', which has 3"):
        ds.Model([later], {"price": PRICES})


def test_an_equation_that_fails_is_named_in_the_traceback():
    @ds.equation(unit="1")
    def broken(x):
        return x.nothing

    with pytest.raises(AttributeError) as caught:
        ds.Model([broken], {"x": dist.normal(mean=0, sd=1)})
    assert "in equation 'broken'" in getattr(caught.value, "__notes__", [])


def test_an_equation_without_inputs_is_a_sure_quantity():
    @ds.equation(unit="card")
    def stock(bought=BOUGHT):
        return bought

    seen = ds.equation(lambda x: x, unit="1", name="seen")
    _, draws = simulated(stock, seen, x=dist.normal(mean=0, sd=1))
    np.testing.assert_array_equal(draws.stock, np.full((2, 256), 12.0))


def test_a_model_needs_neither_equations_nor_randomness():
    _, draws = simulated(x=dist.normal(mean=0, sd=1))
    assert list(draws.data_vars) == ["x"]
    _, draws = simulated(cards, **{name: ds.Assumption(a.point, a.unit) for name, a in ASSUMED.items()})
    assert np.unique(draws.cards).size == 1


def test_a_ratio_to_an_uncertain_power_passes_the_unit_check():
    @ds.equation(unit="token/day")
    def sold(base, price, reference, elasticity):
        return base * (price / reference) ** elasticity

    assumed = {
        "base": ds.Assumption(1e12, unit="token/day"),
        "price": ds.Assumption(2.0, unit="CNY/Mtoken"),
        "reference": ds.Assumption(1.0, unit="CNY/Mtoken"),
        "elasticity": ds.Assumption(dist.normal(mean=-1, sd=0.1)),
    }
    assert ds.Model([sold], assumed).point().sold.item() == pytest.approx(0.5e12)
    wrong = ds.equation(sold.function, unit="card")
    with pytest.raises(ds.DemandsimError, match="declares unit 'card' but returns 'token/s'"):
        ds.Model([wrong], assumed)


def test_an_equation_whose_file_has_changed_since_still_works(tmp_path):
    path = tmp_path / "changing.py"
    text = "def doubled(price):\n    return 2 * price\n"
    path.write_text(text, encoding="utf-8")
    namespace = {}
    exec(compile(text, path, "exec"), namespace)
    # An editor that is open on the file: what stands there now is half of a string.
    path.write_text('def doubled(price):\n    return "2 * price\n', encoding="utf-8")
    made = ds.equation(namespace["doubled"], unit="CNY")
    assert made.formula == "doubled(price)"
    assert made.fingerprint
    assert made(3) == 6
