"""Never: an equation may declare that NaN is a result; the rest of the run stays strict."""

import numpy as np
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import EquationError, InvalidDrawsError
from demandsim.studies.loading import model_from_toml


@ds.equation(unit="year", bounds=(0, None), invalid="keep")
def payback(saving, cost):
    """Years until it has paid for itself; never, where it saves nothing."""
    return xr.where(saving > 0, cost / saving, np.nan)


@ds.equation(unit="year")
def twice(payback):
    return 2 * payback


@ds.equation(unit="1")
def pays(payback, horizon):
    return xr.where(payback <= horizon, 1.0, 0.0)


def model(*more):
    years = xr.DataArray([1.0, 2.0], dims="site", coords={"site": ["east", "west"]})
    return ds.Model(
        [payback, twice, pays, *more],
        {
            "saving": ds.Assumption(dist.normal(mean=years, sd=1), "CNY/year"),
            "cost": ds.Assumption(dist.uniform(1, 2), "CNY"),
            "horizon": ds.Assumption(5, "year"),
        },
    )


def test_never_is_kept_and_its_share_is_said():
    draws = model().simulate(draws=512, chains=4, seed=1)
    never = draws.saving <= 0
    np.testing.assert_array_equal(draws.payback.isnull(), never)
    np.testing.assert_array_equal(draws.twice.isnull(), never)
    assert not draws.pays.isnull().any()
    found = ds.summarize(draws)
    np.testing.assert_array_equal(found.payback.sel(statistic="n_invalid"), never.sum(["chain", "draw"]))
    valid = draws.payback.where(~never)
    np.testing.assert_allclose(found.payback.sel(statistic="mean"), valid.mean(["chain", "draw"]), rtol=1e-12)


def test_the_rest_stays_strict():
    @ds.equation(unit="1")
    def root(cost):
        return np.log(cost / cost - 1.0)

    with pytest.raises(InvalidDrawsError, match="equation 'root' made NaN or infinity in 2,048 values"):
        model(root).simulate(draws=512, chains=4, seed=1)

    @ds.equation(unit="year")
    def other(payback, pays):
        return payback * xr.where(pays > 0, np.nan, 1.0)

    with pytest.raises(InvalidDrawsError, match="equation 'other'"):
        model(other).simulate(draws=512, chains=4, seed=1)


def test_infinity_and_results_outside_the_bounds_are_no_never():
    @ds.equation(unit="year", bounds=(0, None), invalid="keep")
    def unguarded(cost, saving):
        return cost / saving

    with pytest.raises(InvalidDrawsError, match="equation 'unguarded' made results outside its bounds"):
        model(unguarded).simulate(draws=512, chains=4, seed=1)
    with pytest.raises(EquationError, match="invalid is 'raise' or 'keep', not 'allow'"):
        ds.equation(unguarded.function, unit="year", invalid="allow")


def test_chunks_and_files_keep_it(tmp_path):
    made = model()
    whole = made.simulate(draws=256, chains=2, seed=1)
    lazy = made.simulate(draws=256, chains=2, seed=1, chunks=64)
    np.testing.assert_array_equal(lazy.compute().payback, whole.payback)
    one, other = (ds.summarize(draws).payback.sel(statistic="n_invalid") for draws in (whole, lazy))
    np.testing.assert_array_equal(one, other)
    text = (
        'schema = 1\n[formulas.x]\nformula = "log(a)"\nunit = "1"\ninvalid = "keep"\n'
        '[assumptions.a]\ndistribution = "normal(mean=1, sd=1)"\n'
    )
    read = model_from_toml(text)
    assert read.simulate(draws=256, chains=2, seed=1).x.isnull().any()
    assert model_from_toml(read.to_toml()).equations["x"].invalid == "keep"
