"""Parameters with dims make one law a label, and labels that do not fit are refused."""

import copy

import numpy as np
import preliz as pz
import pytest
import xarray as xr
from scipy import stats

from demandsim import distributions as dist
from demandsim.errors import DistributionError

YEARS = [2025, 2026, 2027]
by_year = xr.DataArray([1.0, 2.0, 4.0], dims="year", coords={"year": YEARS})
by_card = xr.DataArray([10.0, 30.0], dims="card", coords={"card": ["A", "B"]})


def test_a_parameter_by_year_makes_one_law_a_year():
    made = dist.lognormal(by_year, by_year * 3)
    assert made.dims == ("year",)
    assert made.shape == (3,)
    assert len(made.quantile_functions) == 3
    u = np.array([0.1, 0.7])
    for place, year in enumerate(YEARS):
        alone = dist.lognormal(float(by_year[place]), float(by_year[place] * 3))
        assert made.median().sel(year=year) == alone.median()
        assert made.mean().sel(year=year) == alone.mean()
        assert made.sd().sel(year=year) == alone.sd()
        np.testing.assert_array_equal(made.quantile_functions[place](u), alone.quantile_functions[0](u))


def test_parameters_of_different_dims_spread_over_both():
    made = dist.normal(mean=by_year, sd=by_card)
    assert set(made.dims) == {"year", "card"}
    assert made.mean().sel(year=2027, card="A") == 4
    assert made.sd().sel(year=2027, card="A") == pytest.approx(10)
    assert made.sd().sel(year=2025, card="B") == pytest.approx(30)
    order = [(float(m), float(s)) for m in made.mean().values.ravel()[:1] for s in made.sd().values.ravel()[:1]]
    assert order == [(law.mean(), law.std()) for law in made.laws[:1]]


def test_a_number_joins_any_dim():
    made = dist.normal(0, by_year)
    np.testing.assert_allclose(made.median().sel(year=YEARS), by_year / 2)


def test_a_labelled_constant_keeps_its_labels():
    made = dist.constant(by_year)
    assert made.is_constant
    xr.testing.assert_equal(made.median(), by_year)
    xr.testing.assert_equal(dist.as_distribution(by_year).median(), by_year)


def test_mixtures_and_truncations_of_what_has_dims():
    made = dist.truncated(dist.normal(mean=by_year, sd=1), lower=by_year)
    np.testing.assert_allclose(made.median() - by_year, stats.halfnorm.median(), rtol=1e-9)
    made = dist.mixture([dist.uniform(by_year, by_year + 1), 0], weights=[1, 1])
    np.testing.assert_allclose(made.mean(), (by_year + 0.5) / 2)


def test_written_by_index_it_is_read_with_its_coordinates():
    made = dist.lognormal(by_year, 9)
    text = str(made)
    assert text == 'lognormal(by("year", [1, 2, 4]), 9, prob=0.9)'
    assert dist.parse_distribution(text, {"year": YEARS}) == made
    assert dist.parse_distribution(text, {"year": [1, 2, 3]}) != made
    both = dist.normal(mean=by_year, sd=by_card)
    again = dist.parse_distribution(str(both), {"year": YEARS, "card": ["A", "B"]})
    assert again == both
    xr.testing.assert_equal(again.ppf(0.1), both.ppf(0.1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dist.normal(by_year, by_year.assign_coords(year=[1, 2, 3]) + 9), "year"),
        (lambda: dist.normal(by_year, by_year.isel(year=[0, 1]) + 9), "year"),
        (lambda: dist.normal(by_year.drop_vars("year"), 9), "dim 'year' has no coordinate"),
        (lambda: dist.normal(np.array([1.0, 2.0]), 9), "low is a bare array.*DataArray"),
        (lambda: dist.normal(by_year, 2), "low must be below high"),
        (lambda: dist.normal(by_year.where(by_year < 3), 9), "low must be a finite number"),
        (lambda: dist.normal(mean=by_year, sd=by_year - 2), "sd must be positive"),
        (lambda: dist.constant(by_year / 0 * 0), "finite"),
    ],
)
def test_labels_and_numbers_that_do_not_fit_are_refused(call, message):
    with pytest.raises(DistributionError, match=message), np.errstate(all="ignore"):
        call()


def test_constructors_change_no_argument():
    values, weights, data = [3.0, 1.0, 2.0], [1.0, 2.0, 3.0], np.array([3.0, 1.0, 2.0])
    parts = [dist.normal(0, 1), 5.0, "uniform(0, 1)"]
    frozen, low = stats.gamma(2, scale=3), by_year.copy()
    preliz = pz.Normal(0, 1)
    before = copy.deepcopy((values, weights, data, frozen.args, frozen.kwds, preliz.params))
    dist.discrete(values, weights)
    dist.empirical(data)
    dist.metalog([0.1, 0.5, 0.9], [1, 2, 4])
    dist.mixture(parts, weights=weights).ppf(0.5)
    dist.truncated(frozen, upper=9).ppf(0.5)
    dist.as_distribution(preliz).ppf(0.5)
    dist.lognormal(low, low + 1).ppf(0.5)
    assert (values, weights, frozen.args, frozen.kwds, preliz.params) == (*before[:2], *before[3:])
    np.testing.assert_array_equal(data, before[2])
    assert parts[1:] == [5.0, "uniform(0, 1)"]
    xr.testing.assert_identical(low, by_year)


def test_no_argument_changes_a_distribution_later():
    data, low = np.array([1.0, 2.0, 3.0]), by_year.copy(deep=True)
    empirical, indexed = dist.empirical(data), dist.normal(low, 9)
    said = str(empirical), str(indexed)
    data[:] = 0
    low[:] = 5
    assert (str(empirical), str(indexed)) == said
    assert empirical.median() == 2


def test_equality_is_of_words_and_labels():
    assert dist.normal(1, 2) == dist.normal(1.0, 2.0)
    assert dist.normal(1, 2) == dist.normal(1, 2, prob=0.9)
    assert dist.normal(1, 2) != dist.normal(1, 2, prob=0.8)
    assert dist.normal(1, 2) != dist.lognormal(1, 2)
    assert dist.normal(1, 2) != "normal(1, 2)"
    assert len({dist.normal(1, 2), dist.normal(1, 2), dist.constant(1)}) == 2
    assert dist.constant(by_year) != dist.constant(by_year.assign_coords(year=[1, 2, 3]))
    assert dist.as_distribution(dist.normal(1, 2)) == dist.normal(1, 2)


def test_shapes_in_are_shapes_out():
    made = dist.gamma(mean=4, sd=2)
    assert made.ppf(0.5).shape == ()
    assert made.ppf([[0.1, 0.2], [0.3, 0.4]]).shape == (2, 2)
    assert made.cdf([]).shape == (0,)
    assert made.logpdf(np.ones((2, 1, 3))).shape == (2, 1, 3)
    assert dist.normal(by_year, 9).ppf([0.1, 0.9]).shape == (3, 2)
