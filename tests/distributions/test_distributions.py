"""What an expert says is what the distribution does, or it is refused."""

import math

import numpy as np
import preliz as pz
import pytest
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


def test_ordinary_magnitudes_are_not_refused():
    for scale in (1e-100, 1e-12, 1.0, 1e12, 1e100):
        holds(dist.normal(scale, 3 * scale), scale, 3 * scale, 0.9)
        holds(dist.lognormal(scale, 3 * scale), scale, 3 * scale, 0.9)
        holds(dist.gamma(scale, 3 * scale), scale, 3 * scale, 0.9)
        holds(dist.pert(scale, 2 * scale, 4 * scale, prob=0.9), scale, 4 * scale, 0.9)
        holds(dist.triangular(scale, 2 * scale, 4 * scale, prob=0.9), scale, 4 * scale, 0.9)


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
        (lambda: dist.as_distribution(object()), "not a distribution"),
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


@pytest.mark.parametrize(
    "made", [pz.Beta(2, 5), pz.LogNormal(0, 1), pz.Truncated(pz.Normal(0, 1), 0, 2), pz.Poisson(3)]
)
def test_preliz_distributions_are_taken_as_they_are(made):
    taken = dist.as_distribution(made)
    u = np.array([0.1, 0.4, 0.77])
    np.testing.assert_allclose(taken.ppf(u), made.ppf(u), rtol=1e-12)
    np.testing.assert_allclose(taken.quantile_functions[0](u), made.ppf(u), rtol=1e-7)
    assert taken.mean() == pytest.approx(made.mean(), rel=1e-6)
