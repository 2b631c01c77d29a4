"""What an expert says is what the distribution does, or it is refused."""

import copy
import math

import numpy as np
import preliz as pz
import pytest
import xarray as xr
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats

from demandsim import distributions as dist
from demandsim.errors import DistributionError

probs = st.floats(0.05, 0.995)
sizes = st.floats(1e-6, 1e6)
magnitudes = st.floats(-290, 290).map(lambda exponent: 10.0**exponent)


def holds(made, low, high, prob):
    """Check that exactly `prob` lies between, with as much probability on either side."""
    tail = (1 - prob) / 2
    # One part in 1e9 of the interval, in the units that the reader sees.
    np.testing.assert_allclose(made.ppf([tail, 1 - tail]), [low, high], rtol=1e-9, atol=1e-9 * (high - low))
    below, above = made.laws[0].cdf(np.array([low]))[0], made.laws[0].sf(np.array([high]))[0]
    # A narrow interval far from zero is only as sharp as the doubles around it.
    allowed = 1e-9 + 4 * np.spacing(max(abs(low), abs(high))) / (high - low)
    assert below == pytest.approx(tail, rel=1e-7, abs=allowed)
    assert above == pytest.approx(tail, rel=1e-7, abs=allowed)


@given(centre=st.floats(-1e6, 1e6), width=st.floats(1e-3, 1e6), prob=probs)
def test_normal_uniform_and_student_intervals_hold_exactly_prob(centre, width, prob):
    low, high = centre - width, centre + width
    for family in (dist.normal, dist.uniform, dist.student_t):
        holds(family(low, high, prob=prob), low, high, prob)


@given(low=sizes, factor=st.floats(1.01, 1e4), prob=probs)
def test_lognormal_and_loguniform_intervals_hold_exactly_prob(low, factor, prob):
    for family in (dist.lognormal, dist.loguniform):
        holds(family(low, low * factor, prob=prob), low, low * factor, prob)


@given(low=sizes, factor=st.floats(1.05, 300), prob=st.floats(0.3, 0.98))
def test_gamma_intervals_hold_exactly_prob(low, factor, prob):
    holds(dist.gamma(low, low * factor, prob=prob), low, low * factor, prob)


@given(low=st.floats(0.02, 0.9), width=st.floats(0.02, 0.96), prob=st.floats(0.3, 0.98))
def test_beta_intervals_hold_exactly_prob(low, width, prob):
    high = low + width
    assume(high < 0.98)
    holds(dist.beta(low, high, prob=prob), low, high, prob)


@given(low=st.floats(-1e3, 1e3), left=st.floats(0.5, 10), right=st.floats(0.5, 10), prob=st.floats(0.5, 0.98))
def test_triangular_and_pert_intervals_hold_exactly_prob(low, left, right, prob):
    # Within a factor of three of symmetry there is always a solution.
    assume(1 / 3 < left / right < 3)
    mode, high = low + left, low + left + right
    for family in (dist.triangular, dist.pert):
        holds(family(low, mode, high, prob=prob), low, high, prob)


def modal(made, low, high):
    x = np.linspace(low, high, 2001)
    return x[np.argmax(made.logpdf(x))]


@pytest.mark.parametrize("family", [dist.triangular, dist.pert])
@pytest.mark.parametrize("prob", [1.0, 0.8])
def test_the_mode_is_where_the_density_is_highest(family, prob):
    assert modal(family(1, 2, 5, prob=prob), 1, 5) == pytest.approx(2, abs=0.003)


@given(mean=sizes, share=st.floats(0.01, 1.5))
@example(mean=1.0, share=1.0)
def test_moments_are_as_asked(mean, share):
    sd = mean * share
    made = [
        dist.normal(mean=mean, sd=sd),
        dist.lognormal(mean=mean, sd=sd),
        dist.uniform(mean=mean, sd=sd),
        dist.gamma(mean=mean, sd=sd),
        dist.student_t(mean=mean, sd=sd, df=5),
        dist.loguniform(mean=mean, sd=sd),
    ]
    for distribution in made:
        assert distribution.mean() == pytest.approx(mean, rel=1e-9)
        assert distribution.sd() == pytest.approx(sd, rel=1e-7)


@given(mean=st.floats(0.001, 0.999), share=st.floats(0.01, 0.99))
def test_beta_moments_are_as_asked(mean, share):
    sd = share * math.sqrt(mean * (1 - mean))
    assert dist.beta(mean=mean, sd=sd).mean() == pytest.approx(mean, rel=1e-9)
    assert dist.beta(mean=mean, sd=sd).sd() == pytest.approx(sd, rel=1e-9)


@given(median=magnitudes.filter(lambda m: 1e-200 < m < 1e200), factor=st.floats(1.01, 100), prob=st.floats(0.3, 0.995))
def test_lognormal_within_a_factor(median, factor, prob):
    made = dist.lognormal(median=median, factor=factor, prob=prob)
    assert made.median() == pytest.approx(median, rel=1e-12)
    tail = (1 - prob) / 2
    np.testing.assert_allclose(made.ppf([tail, 1 - tail]), [median / factor, median * factor], rtol=1e-9)


def test_bounds_are_bounds_unless_prob_says_otherwise():
    for made in (
        dist.uniform(1, 5),
        dist.loguniform(1, 5),
        dist.triangular(1, 2, 5),
        dist.pert(1, 2, 5),
        dist.uniform(1, 5, prob=1),
    ):
        assert made.laws[0].support() == pytest.approx((1, 5), rel=1e-15)
        assert made.ppf([2.0**-54, 1 - 2.0**-53]) == pytest.approx([1, 5], abs=1e-3)
    for made in (dist.uniform(1, 5, prob=0.9), dist.triangular(1, 2, 5, prob=0.9), dist.pert(1, 2, 5, prob=0.9)):
        low, high = made.laws[0].support()
        assert low < 1
        assert high > 5


@given(shape=st.floats(0.1, 100), mode=st.floats(0, 1))
def test_pert_mean_weighs_the_mode_by_the_shape(shape, mode):
    assert dist.pert(0, mode, 1, shape=shape).mean() == pytest.approx((1 + shape * mode) / (shape + 2), rel=1e-12)


def test_a_normal_by_interval_is_the_normal_by_moments():
    z = stats.norm.ppf(0.95)
    one, other = dist.normal(8, 12), dist.normal(mean=10, sd=2 / z)
    np.testing.assert_allclose(one.ppf([0.01, 0.5, 0.99]), other.ppf([0.01, 0.5, 0.99]), rtol=1e-14)
    assert one != other


# -- indexed --------------------------------------------------------------------------------------------------------

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


# -- impossible requests --------------------------------------------------------------------------------------------

N = math.nan
INTERVALS = [dist.normal, dist.lognormal, dist.uniform, dist.loguniform, dist.gamma, dist.student_t, dist.beta]
each_interval = pytest.mark.parametrize("family", INTERVALS, ids=lambda family: family.__name__)


@each_interval
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"low": 0.2},
        {"high": 0.2},
        {"mean": 0.3},
        {"sd": 0.1},
        {"low": 0.2, "sd": 0.1},
        {"low": 0.2, "high": 0.4, "mean": 0.3, "sd": 0.1},
        {"low": 0.2, "high": 0.4, "mean": 0.3},
        {"low": 0.4, "high": 0.2},
        {"low": 0.3, "high": 0.3},
        {"low": N, "high": 0.3},
        {"low": 0.3, "high": N},
        {"low": 0.3, "high": math.inf},
        {"low": -math.inf, "high": 0.5},
        {"low": 0.2, "high": 0.4, "prob": 0},
        {"low": 0.2, "high": 0.4, "prob": -0.5},
        {"low": 0.2, "high": 0.4, "prob": 90},
        {"low": 0.2, "high": 0.4, "prob": N},
        {"mean": 0.3, "sd": 0},
        {"mean": 0.3, "sd": -0.1},
        {"mean": 0.3, "sd": N},
        {"mean": N, "sd": 0.1},
        {"mean": math.inf, "sd": 0.1},
        {"mean": 0.3, "sd": math.inf},
        {"low": "0.2", "high": 0.4},
        {"low": True, "high": 2},
        {"low": [0.1], "high": 0.4},
        {"low": 1 + 2j, "high": 0.4},
    ],
    ids=str,
)
def test_every_family_refuses_what_is_no_interval_and_no_moments(family, said):
    with pytest.raises(DistributionError, match=family.__name__) as raised:
        family(**said)
    assert 20 < len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dist.beta(0, 0.5), "strictly inside 0 and 1"),
        (lambda: dist.beta(0.5, 1), "strictly inside 0 and 1"),
        (lambda: dist.beta(-0.2, 0.5), "strictly inside 0 and 1"),
        (lambda: dist.beta(20, 60), "strictly inside 0 and 1"),
        (lambda: dist.beta(mean=0, sd=0.1), "mean must lie between 0 and 1"),
        (lambda: dist.beta(mean=45, sd=10), "mean must lie between 0 and 1"),
        (lambda: dist.beta(mean=0.5, sd=0.5), r"sd must be below sqrt\(mean \* \(1 - mean\)\) = 0.5"),
        (lambda: dist.normal(1, 2, prob=1), "prob must lie between 0 and 1"),
        (lambda: dist.lognormal(0, 1), "low must be positive"),
        (lambda: dist.lognormal(-1, 1), "low must be positive"),
        (lambda: dist.lognormal(mean=-1, sd=1), "mean must be positive"),
        (lambda: dist.lognormal(median=-1, factor=2), "median must be positive"),
        (lambda: dist.lognormal(median=1, factor=1), "factor"),
        (lambda: dist.lognormal(median=1, factor=0.5), "factor"),
        (lambda: dist.lognormal(median=1), "median and factor"),
        (lambda: dist.lognormal(median=1, factor=2, mean=1, sd=1), "median and factor"),
        (lambda: dist.lognormal(1, 2, median=1, factor=2), "median and factor"),
        (lambda: dist.loguniform(0, 1), "low must be positive"),
        (lambda: dist.loguniform(mean=1, sd=1e9), "loguniform"),
        (lambda: dist.gamma(0, 1), "low must be positive"),
        (lambda: dist.gamma(mean=0, sd=1), "mean must be positive"),
        (lambda: dist.gamma(1, 1 + 1e-15), "gamma"),
        (lambda: dist.student_t(1, 2, df=0), "df must be positive"),
        (lambda: dist.student_t(1, 2, df=N), "df must be a finite number"),
        (lambda: dist.student_t(mean=0, sd=1, df=2), "df must be above 2"),
        (lambda: dist.triangular(2, 1, 3), "mode must lie between low and high"),
        (lambda: dist.triangular(3, 2, 1), "low must be below high"),
        (lambda: dist.triangular(1, 1, 1), "low must be below high"),
        (lambda: dist.triangular(1, N, 2), "mode must be a finite number"),
        (lambda: dist.triangular(0, 1, 2, prob=1.5), "prob"),
        (lambda: dist.triangular(0, 0, 2, prob=0.9), "strictly between"),
        (lambda: dist.pert(2, 1, 3), "mode must lie between low and high"),
        (lambda: dist.pert(0, 1, 2, shape=0), "shape must be positive"),
        (lambda: dist.pert(0, 1, 2, shape=-1), "shape must be positive"),
        (lambda: dist.constant(N), "finite"),
        (lambda: dist.constant(math.inf), "finite"),
        (lambda: dist.constant("five"), "must be a number"),
        (lambda: dist.constant(10**400), "too large"),
        (lambda: dist.discrete([]), "at least one"),
        (lambda: dist.discrete([1, 2], weights=[1]), "2 values need as many weights"),
        (lambda: dist.discrete([1, 2], weights=[1, -1]), "negative"),
        (lambda: dist.discrete([1, 2], weights=[0, 0]), "one must be positive"),
        (lambda: dist.discrete([1, 2], weights=[1, N]), "weights must be finite"),
        (lambda: dist.discrete([1, N]), "values must be finite numbers; position 1"),
        (lambda: dist.discrete([1, math.inf]), "finite"),
        (lambda: dist.discrete("12"), "list of numbers"),
        (lambda: dist.discrete([[1, 2], [3, 4]]), "list"),
        (lambda: dist.discrete(5), "list"),
        (lambda: dist.empirical([]), "at least one"),
        (lambda: dist.empirical([1, N, 2]), "finite numbers; position 1"),
        (lambda: dist.empirical([1, 1], interpolate=True), "two different values"),
        (lambda: dist.metalog([0.1, 0.9], [1, 2, 3]), "as many values"),
        (lambda: dist.metalog([0.5], [1]), "two to ten"),
        (lambda: dist.metalog([0.9, 0.1], [1, 2]), "increase"),
        (lambda: dist.metalog([0.1, 0.9], [2, 1]), "increase"),
        (lambda: dist.metalog([0, 0.9], [1, 2]), "inside 0 and 1"),
        (lambda: dist.metalog([0.1, 1], [1, 2]), "inside 0 and 1"),
        (lambda: dist.metalog([0.1, 0.5, 0.9], [1, 1.01, 9]), "no metalog increases"),
        (lambda: dist.metalog([0.1, 0.5, 0.9], [1, 2, 3], lower=1), "strictly between lower and upper"),
        (lambda: dist.metalog([0.1, 0.5, 0.9], [1, 2, 3], upper=2.5), "strictly between lower and upper"),
        (lambda: dist.metalog([0.1, 0.9], [1, N]), "finite"),
        (lambda: dist.metalog([0.1, 0.9], [1, 2], lower=N), "metalog"),
        (lambda: dist.mixture([]), "at least one"),
        (lambda: dist.mixture([1, 2], weights=[1]), "2 components need as many weights"),
        (lambda: dist.mixture([1, 2], weights=[1, -1]), "negative"),
        (lambda: dist.mixture([1, 2], weights=[0, 0]), "positive"),
        (lambda: dist.mixture([1, "nonsense"]), "nonsense"),
        (lambda: dist.mixture([1, None]), "not a distribution"),
        (lambda: dist.truncated(dist.normal(0, 1)), "give lower, upper, or both"),
        (lambda: dist.truncated(dist.normal(0, 1), 2, 1), "lower must be below upper"),
        (lambda: dist.truncated(dist.normal(0, 1), 1, 1), "lower must be below upper"),
        (lambda: dist.truncated(dist.normal(0, 1), lower=N), "truncated"),
        (lambda: dist.truncated(dist.uniform(0, 1), lower=2), "between the bounds"),
        (lambda: dist.truncated(dist.normal(mean=0, sd=1), lower=40), "between the bounds"),
        (lambda: dist.truncated(dist.discrete([1, 2]), lower=3), "none of its values"),
        (lambda: dist.as_distribution(None), "not a distribution"),
        (lambda: dist.as_distribution(True), "neither a number nor a distribution"),
        (lambda: dist.as_distribution(N), "finite"),
        (lambda: dist.as_distribution(object()), "no quantile function"),
        (lambda: dist.as_distribution([1, 2]), "not a distribution"),
        (lambda: dist.as_distribution(stats.norm([0, 1], 1)), "array parameters"),
        (lambda: dist.as_distribution(stats.Normal(mu=[0.0, 1.0], sigma=1.0)), "array parameters"),
        (lambda: dist.as_distribution(stats.norm(0, -1)), "norm"),
        (lambda: dist.as_distribution(stats.gamma), "needs parameters"),
        (lambda: dist.as_distribution(stats.Normal), "class"),
        (lambda: dist.scipy_distribution("norml"), "did you mean 'norm'"),
        (lambda: dist.scipy_distribution("gamma"), "gamma"),
        (lambda: dist.scipy_distribution("gamma", -1), "gamma"),
        (lambda: dist.scipy_distribution("norm", 0, "1"), "norm"),
        (lambda: dist.scipy_distribution("rv_histogram"), "no distribution"),
    ],
)
def test_impossible_requests_are_refused_in_words(call, message):
    with pytest.raises(DistributionError, match=message) as raised:
        call()
    assert len(str(raised.value)) < 400


# -- truncation, mixtures and the traps of others -------------------------------------------------------------------


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


def test_ordinary_magnitudes_are_not_refused():
    for scale in (1e-100, 1e-12, 1.0, 1e12, 1e100):
        holds(dist.normal(scale, 3 * scale), scale, 3 * scale, 0.9)
        holds(dist.lognormal(scale, 3 * scale), scale, 3 * scale, 0.9)
        holds(dist.gamma(scale, 3 * scale), scale, 3 * scale, 0.9)
        holds(dist.pert(scale, 2 * scale, 4 * scale, prob=0.9), scale, 4 * scale, 0.9)
        holds(dist.triangular(scale, 2 * scale, 4 * scale, prob=0.9), scale, 4 * scale, 0.9)


# -- small facts ----------------------------------------------------------------------------------------------------


def test_a_sure_value_is_constant_however_it_is_said():
    for sure in (
        dist.constant(5),
        dist.discrete([5]),
        dist.discrete([5, 5]),
        dist.discrete([5, 6], weights=[1, 0]),
        dist.empirical([5, 5, 5]),
        dist.mixture([5, 5]),
        dist.truncated(dist.discrete([4, 5]), lower=4.5),
    ):
        assert sure.is_constant, sure
        assert sure.sd() == 0
        assert sure.median() == 5
    assert not dist.discrete([5, 6]).is_constant
    assert not dist.uniform(5, 5.0001).is_constant


def test_empirical_quantiles_are_data():
    data = np.random.default_rng(3).lognormal(size=101)
    made = dist.empirical(data)
    assert set(made.ppf(np.linspace(0.001, 0.999, 999))) <= set(data)
    assert made.median() == np.median(data)
    assert made.mean() == pytest.approx(data.mean(), rel=1e-13)
    joined = dist.empirical(data, interpolate=True)
    u = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(joined.ppf(u), np.quantile(data, u), rtol=1e-12)


@given(
    st.lists(st.floats(-100, 100), min_size=3, max_size=3, unique=True).map(sorted),
    st.lists(st.floats(0.02, 0.98), min_size=3, max_size=3, unique=True).map(sorted),
)
def test_a_metalog_passes_through_its_percentiles_or_is_refused(values, at):
    assume(min(np.diff(values)) > 1e-3)
    assume(min(np.diff(at)) > 1e-3)
    try:
        made = dist.metalog(at, values)
    except DistributionError:
        return
    np.testing.assert_allclose(made.ppf(at), values, rtol=1e-6, atol=1e-6)
    assert np.all(np.diff(made.ppf(np.linspace(1e-6, 1 - 1e-6, 4001))) >= 0)


@given(st.lists(st.floats(0.05, 0.95), min_size=3, max_size=3, unique=True).map(sorted))
def test_a_bounded_metalog_stays_within_its_bounds(values):
    assume(min(np.diff(values)) > 1e-3)
    try:
        made = dist.metalog([0.1, 0.5, 0.9], values, lower=0, upper=1)
    except DistributionError:
        return
    x = made.ppf([2.0**-54, 1e-6, 0.5, 1 - 1e-6, 1 - 2.0**-53])
    assert np.all((x >= 0) & (x <= 1))


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


@pytest.mark.parametrize(
    "made", [pz.Beta(2, 5), pz.LogNormal(0, 1), pz.Truncated(pz.Normal(0, 1), 0, 2), pz.Poisson(3)]
)
def test_preliz_distributions_are_taken_as_they_are(made):
    taken = dist.as_distribution(made)
    u = np.array([0.1, 0.4, 0.77])
    np.testing.assert_allclose(taken.ppf(u), made.ppf(u), rtol=1e-12)
    np.testing.assert_allclose(taken.quantile_functions[0](u), made.ppf(u), rtol=1e-7)
    assert taken.mean() == pytest.approx(made.mean(), rel=1e-6)
