"""Intervals: another central interval for a distribution of the same family, and what cannot have one."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from demandsim import distributions as dist
from demandsim.distributions.interval import central, scaled, shifted, why_fixed, with_interval
from demandsim.errors import DistributionError

YEARS = xr.DataArray([1.0, 2.0, 4.0], dims="year", coords={"year": [2025, 2026, 2027]})

MOVABLE = [
    dist.normal(8, 12),
    dist.normal(mean=0, sd=1),
    dist.lognormal(500, 1200),
    dist.lognormal(median=3, factor=1.5),
    dist.uniform(0, 10),
    dist.loguniform(1, 100),
    dist.beta(mean=0.45, sd=0.1),
    dist.gamma(1, 10),
    dist.student_t(8, 12, df=3),
    dist.triangular(0, 1, 4),
    dist.triangular(0, 0, 1),
    dist.pert(2, 5.5, 6.5),
    dist.pert(0, 0.1, 5, prob=0.8, shape=6),
    dist.metalog([0.1, 0.5, 0.9], [1, 2, 5]),
    dist.metalog([0.1, 0.5, 0.9, 0.99], [1.25, 1.6, 2.2, 3.3], lower=1),
    dist.metalog([0.1, 0.5, 0.9], [1, 2, 3], upper=9),
    dist.metalog([0.1, 0.5, 0.9], [0.2, 0.3, 0.6], lower=0, upper=1),
]


@pytest.mark.parametrize("law", MOVABLE, ids=str)
@settings(max_examples=8)
@given(left=st.floats(-0.2, 0.3), right=st.floats(-0.2, 0.3))
def test_the_asked_interval_is_the_interval_and_the_family_stays(law, left, right):
    low, high = central(law)
    low, high = low + left * (high - low), high + right * (high - low)
    bottom, top = law.laws[0].support()
    if law.family in ("beta", "metalog", "lognormal", "gamma", "loguniform"):
        floor = {"lognormal": 0, "gamma": 0, "loguniform": 0}.get(law.family, bottom)
        low, high = max(low, floor + 0.05 * (high - floor) if np.isfinite(floor) else low), min(high, top)
        high = high if high < top else low + 0.9 * (top - low)
    made = with_interval(law, low, high)
    assert made.family == law.family
    # PERT, triangular and metalog are written with eight digits of their mode or quantiles.
    np.testing.assert_allclose(central(made), (low, high), rtol=1e-6, atol=1e-7 * (high - low))
    assert dist.parse_distribution(str(made)) == made


def test_what_else_was_said_stays():
    assert "df=3" in str(with_interval(dist.student_t(8, 12, df=3), 1, 2))
    assert "shape=6" in str(with_interval(dist.pert(0, 1, 2, shape=6), 1, 2))
    moved = with_interval(MOVABLE[14], 1.1, 2.0)
    assert moved.laws[0].support()[0] == 1
    assert moved.laws[0].ppf(np.array([1e-9]))[0] >= 1


def test_a_moved_pert_is_the_old_one_on_another_scale():
    law = dist.pert(2, 5.5, 6.5)
    low, high = central(law)
    u = np.linspace(0.01, 0.99, 21)
    np.testing.assert_allclose(with_interval(law, 2 * low + 1, 2 * high + 1).ppf(u), 2 * law.ppf(u) + 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("law", "why", "words"),
    [
        (dist.constant(3), "sure", "a sure value"),
        (dist.discrete([0, 1], [0.5, 0.5]), "no_interval", "no interval"),
        (dist.empirical([1, 2, 4]), "no_interval", "no interval"),
        (dist.mixture([dist.normal(0, 1), dist.normal(3, 4)]), "no_interval", "no interval"),
        (dist.truncated(dist.normal(0, 1), 0, 2), "no_interval", "no interval"),
        (dist.as_distribution(stats.norm(0, 1)), "no_interval", "no interval"),
        (dist.metalog([0.1, 0.9], [1, 2], upper=YEARS + 2), "by_quantiles", "only its quantiles"),
    ],
)
def test_what_has_no_interval_is_fixed_and_says_why(law, why, words):
    assert why_fixed(law) == why
    with pytest.raises(DistributionError, match=words):
        with_interval(law, 1, 2)


@pytest.mark.parametrize(
    ("law", "low", "high", "words"),
    [
        (dist.normal(0, 1), 2, 2, "low end must be below"),
        (dist.beta(0.2, 0.6), 0.2, 1.2, "inside 0 and 1"),
        (dist.lognormal(1, 2), -1, 2, "low must be positive"),
        (MOVABLE[14], 0.9, 2, "between the bounds 1 and inf"),
    ],
)
def test_an_impossible_interval_raises(law, low, high, words):
    with pytest.raises(DistributionError, match=words):
        with_interval(law, low, high)


INDEXED = [
    dist.lognormal(YEARS, 3 * YEARS),
    dist.lognormal(median=YEARS, factor=YEARS + 1),
    dist.normal(YEARS, YEARS + 5),
    dist.uniform(YEARS, 2 * YEARS),
    dist.pert(YEARS, 2 * YEARS, 4 * YEARS),
    dist.gamma(YEARS, 3 * YEARS),
    dist.beta(mean=YEARS / 10, sd=YEARS / 100),
]


@pytest.mark.parametrize("law", INDEXED[:-1], ids=str)
@settings(max_examples=6)
@given(factor=st.floats(0.3, 3))
def test_one_factor_scales_all_labels(law, factor):
    for u in (0.05, 0.5, 0.95):
        np.testing.assert_allclose(scaled(law, factor).ppf(u), factor * law.ppf(u), rtol=1e-6)


def test_a_factor_of_moments_scales_both():
    made = scaled(INDEXED[-1], 1.5)
    np.testing.assert_allclose(made.mean(), 1.5 * YEARS / 10)
    np.testing.assert_allclose(made.sd(), 1.5 * YEARS / 100)
    with pytest.raises(DistributionError, match="mean must lie between 0 and 1"):
        scaled(INDEXED[-1], 3)


def test_one_shift_moves_all_labels():
    law = dist.normal(-YEARS, YEARS)
    np.testing.assert_allclose(shifted(law, 0.25).ppf(0.3), law.ppf(0.3) + 0.25)
