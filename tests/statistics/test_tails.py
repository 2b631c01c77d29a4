"""Tails: what is heavy is told, what is not is not."""

import warnings

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim.errors import HeavyTailWarning
from demandsim.statistics.sample import Sorted
from demandsim.statistics.sketch import sketch_of
from demandsim.statistics.tails import pareto_index, tail_index


def dataset(law, seed=1, draws=8192, dtype=float):
    values = law.rvs((8, draws), random_state=seed).astype(dtype)
    return xr.Dataset(
        {"x": (("chain", "draw"), values)}, coords={"chain": ("chain", np.arange(8), {"design": "random"})}
    )


@pytest.mark.parametrize("law", [stats.lognorm(2), stats.t(2.5), stats.pareto(1.5)], ids=["lognormal", "t", "pareto"])
@pytest.mark.parametrize("draws", [1024, 8192])
def test_an_sd_that_hangs_on_few_draws_is_told(law, draws):
    told = 0
    for seed in range(20):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = ds.summarize(dataset(law, seed, draws))
        told += "khat" in found.x.attrs
        assert [one.category for one in said] == [HeavyTailWarning] * ("khat" in found.x.attrs)
    # Of 8,192 draws in all a t law with 2.5 degrees of freedom cannot be told from lighter ones each time.
    assert told >= (16 if draws == 8192 else 8)


@pytest.mark.parametrize("law", [stats.norm(), stats.expon(), stats.lognorm(0.8), stats.uniform(), stats.t(6)])
def test_ordinary_tails_are_not_called_heavy(law):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(20):
            assert "khat" not in ds.summarize(dataset(law, seed)).x.attrs


@pytest.mark.parametrize("draws", [256, 1024, 8192])
def test_the_report_is_not_called_heavy(draws):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds.summarize(ds.load_study("guosen-2025-01").simulate(draws=draws, seed=1))


def test_the_warning_names_what_hangs_on_few_draws_and_what_does_not():
    with pytest.warns(HeavyTailWarning, match=r"sd of 'x', and the mean of 'x' hangs on a few.*use the median"):
        ds.summarize(dataset(stats.pareto(1.2)))


def test_streamed_draws_are_told_of_too():
    heavy = dataset(stats.lognorm(2.5))
    with pytest.warns(HeavyTailWarning):
        held = ds.summarize(heavy).x.attrs["khat"]
    with pytest.warns(HeavyTailWarning):
        streamed = ds.summarize(heavy.chunk({"chain": 1, "draw": 1000})).x.attrs["khat"]
    assert streamed == pytest.approx(held, abs=0.02)
    table = sketch_of(np.arange(1.0, 501.0)).table()
    for found, exact in zip(table.ends(20), Sorted(np.arange(1.0, 501.0)).ends(20), strict=True):
        np.testing.assert_allclose(found, exact, rtol=0.01)


@pytest.mark.parametrize("index", [-0.3, 0.0, 0.4, 0.9])
def test_the_index_is_that_of_the_law(index):
    found = [pareto_index(np.sort(stats.genpareto(index).rvs(2000, random_state=seed))) for seed in range(20)]
    assert np.mean(found) == pytest.approx(index, abs=0.02)


def test_where_too_many_draws_are_equal_nothing_is_told():
    coin = np.sort(np.repeat([0.0, 1.0], 500))
    assert np.isnan(tail_index(Sorted(coin)))
    assert np.isnan(tail_index(Sorted(np.arange(10.0))))
