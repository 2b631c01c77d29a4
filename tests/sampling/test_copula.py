"""Rank correlations: what is asked for is what the draws have, and nothing else changes."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import CorrelationError, UnknownNameError
from demandsim.sampling.copula import gaussian_copula, nearest_correlation

IMPOSSIBLE = {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9}


@ds.equation(unit="1")
def total(a, b, c):
    return a + b + c


@pytest.fixture
def model():
    """Marginals as unlike each other, and as unlike the normal, as the menu has them."""
    assumptions = {
        "a": dist.lognormal(1, 100),
        "b": dist.beta(mean=0.1, sd=0.08),
        "c": dist.mixture([dist.normal(mean=-5, sd=1), dist.gamma(mean=9, sd=4)]),
    }
    return ds.Model([total], assumptions)


@pytest.mark.parametrize("design", ["random", "latin_hypercube", "sobol"])
@pytest.mark.parametrize(
    "asked",
    [
        {("a", "b"): 0.5},
        {("a", "b"): -0.9, ("b", "c"): 0.3},
        {("c", "a"): 0.8, ("a", "b"): 0.6, ("c", "b"): 0.2},
    ],
)
def test_draws_have_the_rank_correlations_that_were_asked_for(model, design, asked):
    draws = model.correlate(asked).simulate(draws=65_536, chains=1, seed=3, design=design)
    for one, other in itertools.combinations("abc", 2):
        wanted = asked.get((one, other), asked.get((other, one)))
        if wanted is not None:
            achieved = stats.spearmanr(draws[one].values.ravel(), draws[other].values.ravel()).statistic
            assert achieved == pytest.approx(wanted, abs=0.01)


@pytest.mark.parametrize("design", ["random", "latin_hypercube", "sobol"])
def test_marginals_stay_as_they_are(model, design):
    draws = model.correlate({("a", "b"): 0.7, ("b", "c"): -0.4}).simulate(draws=16_384, chains=1, seed=5, design=design)
    for name in "abc":
        u = model.assumptions[name].distribution.cdf(draws[name].values.ravel())
        assert stats.kstest(u, "uniform").statistic < 1.95 / math.sqrt(16_384)


def test_the_first_of_a_group_keeps_its_draws(model):
    before = model.simulate(draws=512, seed=1, design="random")
    after = model.correlate({("a", "b"): 0.7}).simulate(draws=512, seed=1, design="random")
    # Through the normal distribution and back: equal to the bound of the tables, 1e-10 in probability.
    np.testing.assert_allclose(after.a, before.a, rtol=1e-8)
    np.testing.assert_array_equal(after.c, before.c)
    assert not np.array_equal(after.b, before.b)


def test_indexed_assumptions_are_correlated_label_by_label():
    import xarray as xr

    years = xr.DataArray([1.0, 2.0, 3.0], dims="year", coords={"year": [2024, 2025, 2026]})

    @ds.equation(unit="1")
    def revenue(volume, price):
        return volume * price

    model = ds.Model(
        [revenue],
        {"volume": dist.normal(mean=years, sd=1), "price": dist.lognormal(median=years, factor=2)},
        correlations={("volume", "price"): -0.6},
    )
    draws = model.simulate(draws=16_384, chains=1, seed=1).isel(chain=0)
    ranks = np.vstack([draws.volume.values.T, draws.price.values.T])
    achieved = stats.spearmanr(ranks, axis=1).statistic[:3, 3:]
    np.testing.assert_allclose(achieved, -0.6 * np.eye(3), atol=0.03)


def test_highams_example_is_the_published_one():
    # Higham, IMA J. Numer. Anal. 22 (2002), section 1: the distance is 0.5278 in the Frobenius norm.
    given_matrix = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
    found = nearest_correlation(given_matrix, smallest=0.0)
    np.testing.assert_allclose(found, [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]], atol=5e-5)
    assert np.linalg.norm(found - given_matrix) == pytest.approx(0.5278, abs=5e-5)


@given(
    size=st.integers(2, 6),
    entries=st.lists(st.floats(-0.999, 0.999), min_size=15, max_size=15),
)
def test_the_nearest_correlation_is_one_and_moves_no_possible_one(size, entries):
    matrix = np.eye(size)
    matrix[np.triu_indices(size, 1)] = entries[: size * (size - 1) // 2]
    matrix = np.triu(matrix) + np.triu(matrix, 1).T
    found = nearest_correlation(matrix)
    np.testing.assert_allclose(np.diag(found), 1, rtol=1e-12)
    np.testing.assert_array_equal(found, found.T)
    assert np.linalg.eigvalsh(found)[0] > 1e-7
    if np.linalg.eigvalsh(matrix)[0] > 1e-5:
        np.testing.assert_allclose(found, matrix, atol=1e-8)


def test_impossible_correlations_raise_and_name_the_nearest(model):
    with pytest.raises(CorrelationError, match="not positive definite") as caught:
        model.correlate(IMPOSSIBLE)
    message = str(caught.value)
    assert "('a', 'b'): 0.9" in message
    assert "nearest=True" in message
    # By symmetry the nearest has the three of equal size: the largest that is possible is 1/2 as a linear one.
    limit = 6 / math.pi * math.asin(0.25)
    asked = {("a", "b"): limit, ("a", "c"): -limit, ("b", "c"): limit}
    assert caught.value.nearest == pytest.approx(asked, abs=1e-5)


def test_a_pair_that_nobody_named_counts_as_zero_and_is_named_where_it_must_move(model):
    # -0.95 and 0.3 need (a, c) to be about -0.3: 0.95**2 + 0.3**2 is nearly 1, and as linear correlations above it.
    with pytest.raises(CorrelationError, match=r"not named are 0.*\('a', 'c'\): -0\.0"):
        model.correlate({("a", "b"): -0.95, ("b", "c"): 0.3})
    mended = model.correlate({("a", "b"): -0.95, ("b", "c"): 0.3}, nearest=True)
    asked_of_it = ds.receipt(mended.simulate(draws=1024, seed=1))["rank_correlations"]
    assert set(asked_of_it) == {"a, b", "a, c", "b, c"}


def test_the_nearest_correlations_are_used_on_request_only(model):
    draws = model.correlate(IMPOSSIBLE, nearest=True).simulate(draws=65_536, chains=1, seed=3)
    limit = 6 / math.pi * math.asin(0.25)
    for one, other in itertools.combinations("abc", 2):
        achieved = stats.spearmanr(draws[one].values.ravel(), draws[other].values.ravel()).statistic
        assert achieved == pytest.approx(math.copysign(limit, IMPOSSIBLE[one, other]), abs=0.01)
    receipt = ds.receipt(draws)["rank_correlations"]["a, b"]
    assert receipt["requested"] == pytest.approx(limit, abs=1e-4)
    assert receipt["achieved"] == pytest.approx(limit, abs=0.01)


def test_separate_groups_do_not_touch_each_other():
    alone, _ = gaussian_copula("abcd", {(0, 2): 0.5})
    both, _ = gaussian_copula("abcd", {(0, 2): 0.5, (1, 3): -0.2})
    assert [members for members, _ in both.groups] == [(0, 2), (1, 3)]
    np.testing.assert_array_equal(alone.groups[0][1], both.groups[0][1])
    assert alone.group_of(1) is None


@pytest.mark.parametrize(
    ("pairs", "error", "says"),
    [
        ({("a", "a"): 0.5}, CorrelationError, "itself"),
        ({("a", "b"): 1.0}, CorrelationError, "between -1 and 1"),
        ({("a", "b"): math.nan}, CorrelationError, "between -1 and 1"),
        ({("a", "b"): 0.5, ("b", "a"): 0.4}, CorrelationError, "twice"),
        ({("a", "cc"): 0.5}, UnknownNameError, "'cc'"),
        ({("a", "total"): 0.5}, UnknownNameError, "'total'"),
        ({"ab": 0.5}, CorrelationError, "given by pairs"),
    ],
)
def test_correlations_that_make_no_sense_say_why(model, pairs, error, says):
    with pytest.raises(error, match=says):
        model.correlate(pairs)
