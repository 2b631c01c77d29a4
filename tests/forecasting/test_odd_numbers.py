"""Forecasts of numbers of any size and unit, with labels and weights that are a slip: the right value, or an error."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import demandsim as ds
from demandsim import distributions as dist
from demandsim import forecasting

VALUES = np.random.default_rng(1).normal(10, 1, size=(4, 64))
HALVES = xr.DataArray([0.5, 0.5], {"model": ["a", "b"]}, "model")


def draws(values, unit="1"):
    return xr.Dataset({"x": (("chain", "draw"), values, {"units": unit})})


def figures(values, dates=("2024-01-01", "2024-07-01"), **coords):
    labels = {"date": pd.DatetimeIndex(dates) if isinstance(dates, tuple) else dates}
    coords = {name: ("date", texts) for name, texts in coords.items()}
    return xr.DataArray(values, {**labels, **coords}, "date", name="tokens")


def test_models_in_other_units_are_mixed_in_that_of_the_first():
    mixed = forecasting.mixture(
        {"a": draws(VALUES, "Mtoken/day"), "b": draws(VALUES * 1e6, "token/day")}, HALVES, seed=1
    )
    assert mixed.x.attrs["units"] == "Mtoken/day"
    assert float(abs(mixed.x - 10).max()) < 6
    with pytest.raises(ds.DemandsimError, match="token/day"):
        forecasting.mixture({"a": draws(VALUES, "card"), "b": draws(VALUES, "token/day")}, HALVES, seed=1)


def test_weights_of_a_mixture_that_do_not_fit():
    both = {"a": draws(VALUES), "b": draws(VALUES)}
    with pytest.raises(ds.DemandsimError, match=r"'b' has a weight of 0\.5 and no draws"):
        forecasting.mixture({"a": draws(VALUES)}, HALVES)
    twice = xr.DataArray([0.5, 0.2, 0.3], {"model": ["a", "b", "b"]}, "model")
    with pytest.raises(ds.DemandsimError, match="'b' has 2 weights"):
        forecasting.mixture(both, twice)
    with pytest.raises(ds.DemandsimError, match="finite"):
        forecasting.mixture(both, HALVES * np.inf)
    assert forecasting.mixture(both, 4 * HALVES, seed=1).attrs["mixture"] == "a 0.500, b 0.500"


@pytest.mark.parametrize(("size", "dtype"), [(1, "f4"), (1e-30, "f4"), (1e30, "f4"), (1e-200, "f8"), (1e200, "f8")])
def test_shares_and_scores_of_numbers_of_any_size(size, dtype):
    parts = {"a": draws((VALUES * size).astype(dtype)), "b": draws(((VALUES + 3) * size).astype(dtype))}
    mixed = forecasting.mixture(parts, HALVES, seed=1)
    x = mixed.x.values.astype(float) / size
    of_a = mixed.model.values == "a"
    between = np.mean(of_a) * (x[of_a].mean() - x.mean()) ** 2 + np.mean(~of_a) * (x[~of_a].mean() - x.mean()) ** 2
    assert float(forecasting.model_share(mixed, "x")) == pytest.approx(between / x.var(), rel=1e-5)
    one, same = (forecasting.score(d, {"x": y}).x for d, y in ((parts["a"], 11 * size), (draws(VALUES), 11)))
    for name in ("crps", "interval", "mcse_crps"):
        assert float(one.sel(score=name)) == pytest.approx(float(same.sel(score=name)) * size, rel=1e-4)
    assert float(one.sel(score="log")) == pytest.approx(float(same.sel(score="log")) + np.log(size), rel=1e-4)
    paths = xr.DataArray(np.stack([VALUES, VALUES + 1], -1), {"year": [1, 2]}, ("chain", "draw", "year"), "x")
    came = xr.DataArray([11.0, 12.0], {"year": [1, 2]}, "year")
    found = [forecasting.energy_score(paths * s, came * s, "year").energy.item() / s for s in (1.0, size)]
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    assert 0 < found[0] < 2


def test_a_share_leaves_out_what_is_no_number():
    mixed = forecasting.mixture({"a": draws(VALUES), "b": draws(VALUES + 3)}, HALVES, seed=1)
    holes = mixed.x.where(mixed.x < 14)
    kept, of_a = holes.values[holes.notnull().values], mixed.model.values[holes.notnull().values] == "a"
    parts = kept[of_a], kept[~of_a]
    between = sum(part.size / kept.size * (part.mean() - kept.mean()) ** 2 for part in parts)
    found = float(forecasting.model_share(mixed.assign(x=holes), "x"))
    assert found == pytest.approx(between / kept.var(), rel=1e-9)


def test_chains_of_a_single_draw_have_no_error_of_their_own():
    found = forecasting.score(draws(VALUES[:, :1]), {"x": 10.0}).x
    assert np.isfinite(found.sel(score="crps"))
    assert np.isnan(found.sel(score="mcse_crps"))


def test_labels_of_draws_that_stand_twice():
    twice = xr.concat([draws(VALUES), draws(VALUES + 1)], "year").assign_coords(year=[2024, 2024])
    came = xr.DataArray([10.0], {"year": [2024]}, "year")
    with pytest.raises(ds.DemandsimError, match="a label of year twice"):
        forecasting.score(twice, {"x": came})


@pytest.mark.parametrize(
    ("series", "said"),
    [
        (figures([1.0, np.inf]), "positive and finite"),
        (figures([1.0, 2.0], [2024, 2025]), "2024 as a date"),
        (figures([1.0, 2.0], ["soon", "later"]), "'soon' as a date"),
        (figures([1.0, 2.0], np.array(["2024-01-01", "NaT"], "datetime64[ns]")), "NaT"),
        (figures([1.0, 2.0], pd.date_range("2024-01-01", periods=2, tz="Asia/Shanghai")), "time zone"),
        (figures([1.0, 2.0], period=["2024", "2024-13"]), "'2024-13' is no day"),
        (figures([1.0, 2.0], announced=["2024-03-01", "2024-02-30"]), "'2024-02-30' is no day"),
    ],
)
def test_figures_that_cannot_be_read(series, said):
    with pytest.raises(ds.DemandsimError, match=said):
        forecasting.figures_of(series)


@pytest.mark.parametrize("factor", [1.0, 0.5, -1.0, np.inf, np.nan])
def test_a_factor_that_is_no_error(factor):
    with pytest.raises(ds.DemandsimError, match="must be above 1"):
        forecasting.figures_of(figures([1.0, 2.0]), {"exact": factor})


def test_pools_of_what_cannot_be_pooled():
    unit = dist.normal(mean=0, sd=1)
    with pytest.raises(ds.DemandsimError, match="finite and 0 or more"):
        forecasting.pooled_distribution([unit, unit], [1, np.inf])
    with pytest.raises(ds.DemandsimError, match="over year"):
        forecasting.pooled_distribution([unit, dist.normal(mean=xr.DataArray([0.0, 9.0], {"year": [1, 2]}), sd=1)])
