"""Truncation, mixtures and pools, and the traps that others fall into."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from demandsim import distributions as dist
from demandsim.distributions.frozen import ScipyLaw
from demandsim.distributions.mixture_law import MixtureLaw
from demandsim.errors import DistributionError

probs = st.floats(0.05, 0.995)
sizes = st.floats(1e-6, 1e6)
magnitudes = st.floats(-290, 290).map(lambda exponent: 10.0**exponent)


@given(lower=st.floats(-3, 3), width=st.floats(0.01, 4), u=st.lists(st.floats(2.0**-54, 1 - 2.0**-53), min_size=50))
def test_truncation_piles_nothing_on_the_bounds(lower, width, u):
    upper = lower + width
    made = dist.truncated(dist.normal(mean=0, sd=1), lower, upper)
    for x in (made.ppf(u), made.quantile_functions[0](np.array(u))):
        assert np.all((x >= lower) & (x <= upper))
    # A clipped normal has atoms at its bounds; here the probability next to a bound is next to nothing.
    law = made.laws[0]
    for bound, side in ((lower, 1), (upper, -1)):
        near = law.cdf(np.sort([bound, bound + side * 1e-6 * width]))
        assert 0 <= near[1] - near[0] < 1e-4


def test_no_draw_of_a_truncated_normal_is_the_bound():
    u = (np.arange(2**16) + 0.5) / 2**16
    x = dist.truncated(dist.normal(mean=0, sd=3), lower=0).quantile_functions[0](u)
    assert np.count_nonzero(x == 0) == 0
    assert x.min() > 0


def test_the_far_tail_keeps_its_median():
    # A million million normals lie between 8 sd and 8.085: through 1 - cdf a double sees about ten values there.
    above = dist.truncated(dist.normal(mean=0, sd=1), lower=8)
    exact = stats.norm.isf(stats.norm.sf(8) / 2)
    assert above.median() == pytest.approx(exact, rel=1e-13)
    assert above.median() == pytest.approx(8.085, abs=1e-3)
    assert np.unique(above.ppf(np.linspace(0.001, 0.999, 5000))).size == 5000
    below = dist.truncated(dist.normal(mean=0, sd=1), upper=-8)
    assert below.median() == pytest.approx(-exact, rel=1e-13)


def test_mixtures_of_independent_numbers_are_independent():
    rng = np.random.default_rng(0)
    made = dist.mixture([dist.normal(mean=0, sd=1), dist.normal(mean=10, sd=1)])
    one, other = made.quantile_functions[0](rng.random(20_000)), made.quantile_functions[0](rng.random(20_000))
    # Four standard errors.
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / math.sqrt(20_000)


@given(weight=st.floats(0.01, 0.99), u=st.lists(st.floats(1e-9, 1 - 1e-9), min_size=20))
def test_a_mixture_takes_each_part_as_often_as_its_weight(weight, u):
    made = dist.mixture([dist.uniform(0, 1), dist.uniform(10, 11)], weights=[weight, 1 - weight])
    x, u = made.ppf(u), np.array(u)
    np.testing.assert_array_equal((x > 5)[np.abs(u - weight) > 1e-9], (u > weight)[np.abs(u - weight) > 1e-9])
    assert not np.any((x > 1.0001) & (x < 9.9999))


def test_an_atom_is_met_exactly():
    made = dist.mixture([0, dist.lognormal(1, 10)], weights=[1, 3])
    u = np.linspace(0.001, 0.249, 500)
    assert not np.any(made.ppf(u))
    assert not np.any(made.quantile_functions[0](u))
    assert made.ppf(0.2501) > 0
    with pytest.raises(DistributionError, match="no density"):
        made.logpdf(1.0)


def test_weights_are_relative():
    parts = [dist.normal(0, 1), dist.normal(5, 6)]
    u = [0.1, 0.5, 0.9]
    np.testing.assert_allclose(
        dist.mixture(parts, weights=[1, 3]).ppf(u), dist.mixture(parts, weights=[0.25, 0.75]).ppf(u), rtol=1e-12
    )
    np.testing.assert_array_equal(dist.mixture(parts, weights=[0, 2]).ppf(u), dist.normal(5, 6).ppf(u))
    np.testing.assert_array_equal(
        dist.discrete([1, 2], weights=[1, 3]).ppf(u), dist.discrete([1, 2], weights=[0.25, 0.75]).ppf(u)
    )


@given(value=magnitudes, sign=st.sampled_from([-1, 1]))
def test_any_magnitude_works_or_is_refused(value, sign):
    calls = [
        lambda: dist.constant(sign * value),
        lambda: dist.normal(mean=sign * value, sd=value),
        lambda: dist.uniform(*sorted([sign * value, sign * value * 2])),
        lambda: dist.lognormal(value, value * 3),
        lambda: dist.lognormal(mean=value, sd=value),
        lambda: dist.loguniform(value, value * 100),
        lambda: dist.gamma(value, value * 3),
        lambda: dist.gamma(mean=value, sd=value),
        lambda: dist.student_t(mean=sign * value, sd=value),
        lambda: dist.triangular(0, value, 2 * value),
        lambda: dist.pert(0, value, 2 * value, prob=0.9),
        lambda: dist.metalog([0.1, 0.5, 0.9], [value, value * 2, value * 4], lower=0),
        lambda: dist.truncated(dist.normal(mean=0, sd=value), lower=value),
    ]
    u = np.array([0.05, 0.3, 0.5, 0.9])
    for call in calls:
        try:
            made = call()
        except DistributionError:
            continue
        for x in (made.ppf(u), made.quantile_functions[0](u)):
            assert np.all(np.isfinite(x)), made
            assert np.all(np.diff(x) > 0) or made.is_constant, made
        if not made.is_constant:
            np.testing.assert_allclose(made.cdf(made.ppf(u)), u, atol=1e-9, err_msg=str(made))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: dist.pooled([]), "at least one"),
        (lambda: dist.pooled("normal(1, 2)"), "must be a list"),
        (lambda: dist.pooled([dist.normal(1, 2)], [1, 2]), "as many weights"),
        (lambda: dist.pooled([dist.normal(1, 2)], kind="geometric"), "kind of pool"),
        (lambda: dist.pooled([dist.normal(1, 2), dist.gamma(1, 2)], kind="logarithmic"), "one family"),
        (lambda: dist.pooled([dist.uniform(1, 2), dist.uniform(3, 4)], kind="logarithmic"), "no value is possible"),
        (lambda: dist.pooled([dist.discrete([1]), dist.discrete([2])], kind="logarithmic"), "no value is possible"),
    ],
)
def test_pools_that_cannot_be(call, words):
    with pytest.raises(DistributionError, match=words):
        call()


def test_a_pool_is_read_as_text():
    text = 'pooled([normal(0, 1), normal(2, 3)], [2, 1], kind="logarithmic")'
    made = dist.pooled([dist.normal(0, 1), dist.normal(2, 3)], [2, 1], kind="logarithmic")
    assert dist.parse_distribution(text) == made
    assert dist.parse_distribution(str(made)) == made


@pytest.mark.parametrize(
    "made",
    [
        dist.normal(mean=dist.uniform(1, 2), sd=3),
        dist.lognormal(mean=dist.lognormal(2, 3), sd=dist.uniform(0.5, 1)),
        dist.gamma(mean=dist.uniform(1, 2), sd=1),
    ],
    ids=["normal", "lognormal", "gamma"],
)
def test_components_of_one_family_are_computed_at_once(made, monkeypatch):
    law = made.laws[0]
    one_by_one = MixtureLaw(law.components, law.shares)
    x = np.concatenate([law.ppf(np.array([1e-12, 0.01, 0.3, 0.5, 0.99])), [-1.0, 0.0, 1e3]])
    np.testing.assert_allclose(law.cdf(x), one_by_one.cdf(x), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(law.sf(x), one_by_one.sf(x), rtol=1e-12, atol=1e-300)
    for place in range(x.size):
        # The same bits whatever array it stands in.
        assert law.cdf(x[place : place + 1])[0] == law.cdf(x)[place]
    fast, far = made.quantile_functions[0], np.array([1e-9, 1 - 1e-9])
    expected = law.ppf(far)

    def asked(*_):
        raise AssertionError("a component by itself: three draws in 100,000 took longer than all others")

    monkeypatch.setattr(ScipyLaw, "cdf", asked)
    monkeypatch.setattr(ScipyLaw, "logpdf", asked)
    np.testing.assert_allclose(fast(far), expected, rtol=1e-9)
