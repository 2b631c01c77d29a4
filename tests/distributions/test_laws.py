"""What doubles can hold of a distribution: tails, tables, bounds, moments that exist, copies that are the same."""

import copy
import math
import pickle

import numpy as np
import preliz as pz
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from demandsim import distributions as dist
from demandsim.distributions.bisect import first_double, narrowed
from demandsim.distributions.inversion import U_ERROR, tabulate
from demandsim.errors import DistributionError

ENDS = np.array([2.0**-54, 1e-15, 1e-9, 1 - 1e-9, 1 - 1e-15, 1 - 2.0**-53])

# -- truncation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "lower", "upper"),
    [
        (dist.normal(mean=0, sd=1), 0, 1),
        (dist.normal(mean=0, sd=1), -1, 12),
        (dist.normal(mean=1e9, sd=1), 1e9, 1e9 + 1),
        (dist.uniform(0, 1), 0.25, 0.5),
        (dist.gamma(mean=1, sd=2), 0.5, 7),
        (dist.beta(mean=0.45, sd=0.1), 0.4, 0.9),
        (dist.student_t(0, 1, df=2), 3, 50),
        (dist.metalog([0.1, 0.5, 0.9], [1, 2, 5], lower=0), 1, 9),
        (dist.empirical([0, 1, 4], interpolate=True), 0.5, 2),
        (dist.mixture([dist.normal(0, 1), dist.uniform(3, 5)]), 0.5, 4),
    ],
    ids=str,
)
def test_no_value_equals_a_bound_however_extreme_the_draw(made, lower, upper):
    cut = dist.truncated(made, lower, upper)
    for x in (cut.ppf(ENDS), cut.quantile_functions[0](ENDS)):
        assert np.all((x > lower) & (x < upper))
    assert np.all(cut.cdf([lower, lower - 1]) == 0)
    assert np.all(cut.cdf([upper, upper + 1]) == 1)
    assert cut.cdf(cut.median()) == pytest.approx(0.5, abs=1e-6)


def test_bounds_are_values_of_what_is_discrete():
    die = dist.as_distribution(stats.randint(1, 7))
    assert dist.truncated(die, 2, 4).mean() == 3
    assert dist.truncated(die, 1.5, 4.5).mean() == 3
    assert dist.truncated(dist.mixture([0, dist.uniform(0, 1)]), lower=0).cdf(0) == 0.5


@pytest.mark.parametrize(("lower", "upper"), [(2, None), (None, 2), (30, None), (3.5, 7)])
def test_truncated_counts_have_the_moments_of_their_sums(lower, upper):
    counts = np.arange(0 if lower is None else math.ceil(lower), 200 if upper is None else upper + 1)
    shares = stats.poisson(3).pmf(counts) / stats.poisson(3).pmf(counts).sum()
    mean = (counts * shares).sum()
    made = dist.truncated(stats.poisson(3), lower, upper)
    assert made.mean() == pytest.approx(mean, rel=1e-12)
    assert made.sd() == pytest.approx(math.sqrt(((counts - mean) ** 2 * shares).sum()), rel=1e-9, abs=1e-12)


def test_counts_too_many_to_list_are_truncated_as_well():
    # Half of a normal, to the accuracy of the approximation of such a binomial.
    made = dist.truncated(stats.binom(10**8, 0.5), lower=5 * 10**7)
    sd = math.sqrt(10**8 / 4)
    assert made.mean() == pytest.approx(5e7 + sd * stats.halfnorm.mean(), abs=1)
    assert made.sd() == pytest.approx(sd * stats.halfnorm.std(), rel=1e-3)


def test_truncating_twice_is_truncating_to_what_is_common():
    once = dist.truncated(dist.normal(mean=0, sd=1), 1, 9)
    twice = dist.truncated(dist.truncated(dist.normal(mean=0, sd=1), lower=1), upper=9)
    u = np.linspace(0.01, 0.99, 33)
    np.testing.assert_allclose(twice.ppf(u), once.ppf(u), rtol=1e-12)


@pytest.mark.parametrize(
    ("made", "lower", "upper"),
    [
        (dist.normal(mean=0, sd=1), 1, 1 + 1e-9),
        (dist.normal(mean=0, sd=1), 37.4, None),
        (dist.uniform(0, 1), 0.5, 0.5 + 1e-9),
        (dist.empirical([0, 1, 2], interpolate=True), 0.5, 0.5 + 1e-9),
        (dist.mixture([dist.uniform(0, 1), dist.uniform(9, 10)]), 0.5, 0.5 + 1e-9),
    ],
    ids=str,
)
def test_a_window_too_narrow_for_doubles_is_refused(made, lower, upper):
    with pytest.raises(DistributionError, match="too little probability"):
        dist.truncated(made, lower, upper)


# -- tables and roots -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        dist.mixture([dist.normal(0, 1), dist.normal(50, 51)]),
        dist.mixture([0, 1, dist.lognormal(2, 3)]),
        dist.mixture([dist.gamma(mean=1, sd=0.5), dist.pert(2, 3, 9), dist.uniform(5, 6)], weights=[5, 1, 4]),
        dist.as_distribution(stats.poisson(40)),
    ],
    ids=str,
)
def test_kinks_and_jumps_cost_almost_no_exact_quantiles(made):
    law, asked = made.laws[0], []

    def counted(function):
        def call(u):
            asked.append(u.size)
            return function(u)

        return call

    table = tabulate(counted(law.ppf), law.cdf, law.sf, counted(law.isf))
    asked.clear()
    u = (np.arange(2**17) + 0.5) / 2**17
    x = table(u)
    # Three in 100,000 are tails; the rest of what is left lies next to the jumps.
    assert sum(asked) < 2e-4 * u.size
    below, above = law.cdf(np.nextafter(x, -np.inf)), law.cdf(np.nextafter(x, np.inf))
    assert np.max(np.maximum(below - u, u - above)) <= U_ERROR


def test_the_smallest_component_is_not_lost():
    made = dist.mixture([dist.normal(mean=0, sd=1), 0.3], weights=[1 - 1e-6, 1e-6])
    u = dist.normal(mean=0, sd=1).cdf(0.3) * (1 - 1e-6) + np.array([1e-9, 3e-7, 9e-7])
    np.testing.assert_array_equal(made.ppf(u), 0.3)
    np.testing.assert_array_equal(made.quantile_functions[0](u), 0.3)


doubles = st.floats(allow_nan=False, allow_infinity=False)


@given(levels=st.lists(doubles, min_size=1, max_size=5))
def test_bisection_finds_the_very_double_at_any_scale(levels):
    level, widest = np.array(levels), np.finfo(float).max
    low, high = np.full(level.shape, -widest), np.full(level.shape, widest)
    np.testing.assert_array_equal(first_double(lambda x, place: x >= level[place], low, high), level)


@given(levels=st.lists(st.floats(-8.0, 8.0), min_size=1, max_size=5))
def test_a_narrowed_bracket_still_holds_the_root(levels):
    level = np.array(levels)

    def excess(x, place):
        return np.arctan(x) - level[place] / 6

    a, b = narrowed(excess, np.full(level.shape, -1e6), np.full(level.shape, 1e6))
    assert np.all(a <= b)
    root = np.tan(np.clip(level / 6, -1.5, 1.5))
    inside = np.abs(level / 6) < 1.5
    assert np.all((a <= root * (1 + 1e-12 * np.sign(root)) + 1e-12)[inside])
    assert np.all((b >= root * (1 - 1e-12 * np.sign(root)) - 1e-12)[inside])


@given(mean=st.floats(0.001, 0.999), share=st.floats(0.02, 0.95))
def test_every_beta_has_its_tails(mean, share):
    law = dist.beta(mean=mean, sd=share * math.sqrt(mean * (1 - mean))).laws[0]
    u = np.array([2.0**-54, 1e-12, 1e-3, 0.5])
    x = law.ppf(u)
    assert np.all(np.isfinite(x))
    # A double next to 0 is 2e-308 away from it.
    assert np.all(law.cdf(np.nextafter(x, -1) - 2.3e-308) <= u * (1 + 1e-6))
    assert np.all(law.cdf(np.nextafter(x, 2) + 2.3e-308) >= u * (1 - 1e-6))


@pytest.mark.parametrize("df", [1, 2.5, 4, 40])
@pytest.mark.parametrize("make", [lambda df: dist.student_t(-1, 1, df=df), lambda df: stats.t(df)])
def test_the_neighbourhood_of_the_median_of_a_t_is_exact(df, make):
    made = dist.as_distribution(make(df))
    u = 0.5 + np.array([-1e-3, -1e-7, -1e-9, -1e-12, 0, 1e-12, 1e-9, 1e-7, 1e-3])
    np.testing.assert_allclose(made.cdf(made.ppf(u)), u, rtol=0, atol=3e-16)


# -- moments that do not exist --------------------------------------------------------------------------------------


def test_moments_that_do_not_exist_are_not_made_up():
    assert math.isnan(dist.student_t(-1, 1, df=1).mean())
    assert math.isinf(dist.student_t(-1, 1, df=2).sd())
    assert math.isnan(dist.truncated(stats.cauchy(), lower=0).mean())
    heavy = dist.truncated(stats.t(1.5), lower=0)
    # E|t| of Student's t in closed form.
    expected = 2 * math.sqrt(1.5) / (0.5 * math.sqrt(math.pi)) * math.gamma(1.25) / math.gamma(0.75)
    assert heavy.mean() == pytest.approx(expected, rel=1e-6)
    assert math.isinf(heavy.sd())
    assert math.isinf(dist.metalog([0.05, 0.5, 0.95], [1, 10, 1000], lower=0).mean())


# -- copies ---------------------------------------------------------------------------------------------------------

by_year = xr.DataArray([1.0, 2.0, 4.0], dims="year", coords={"year": [2025, 2026, 2027]})
by_card = xr.DataArray([0.5, 0.7], dims="card", coords={"card": ["A", "B"]})


@pytest.mark.parametrize(
    "made",
    [
        dist.lognormal(by_year, by_year * 3),
        dist.normal(mean=by_year, sd=by_card),
        dist.truncated(dist.normal(mean=by_year, sd=by_card), lower=by_card),
        dist.mixture([dist.gamma(mean=by_year, sd=1), by_card]),
        dist.constant(by_year),
    ],
    ids=str,
)
def test_indexed_distributions_travel_and_are_written(made):
    coords = {dim: list(labels) for dim, labels in made.coords.items()}
    for again in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), dist.parse_distribution(str(made), coords)):
        assert again == made
        assert again.dims == made.dims
        np.testing.assert_array_equal(again.ppf(ENDS), made.ppf(ENDS))


def test_a_hundred_laws_travel_light():
    years = xr.DataArray(np.linspace(0.2, 0.6, 100), dims="year", coords={"year": range(100)})
    made = dist.beta(mean=years, sd=0.1)
    assert len(pickle.dumps(made)) < 60_000


# -- labels ---------------------------------------------------------------------------------------------------------


def test_dates_stay_dates():
    days = np.array(["2025-01-27", "2026-01-27"], dtype="datetime64[D]").astype("datetime64[ns]")
    means = xr.DataArray([1.0, 2.0], dims="day", coords={"day": days})
    made = dist.normal(mean=means, sd=1)
    xr.testing.assert_equal(made.mean(), means)
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_dataarray_without_dims_is_a_number():
    assert dist.normal(xr.DataArray(8.0), np.float32(12)) == dist.normal(8, 12)
    assert dist.as_distribution(np.array(5)) == dist.constant(5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dist.normal(mean=by_year[:0], sd=1), "mean holds no numbers"),
        (lambda: dist.normal(mean=by_year.assign_coords(year=[1, 1, 2]), sd=1), "dim 'year' of mean has a label twice"),
        (lambda: dist.normal(mean=by_year > 2, sd=1), "mean must hold numbers"),
        (lambda: dist.normal(by_year, by_year[::-1] + 9), "low and high disagree in the labels of 'year'"),
        (lambda: dist.truncated(dist.normal(by_year, 9), lower=by_year[::-1]), "distribution and lower disagree"),
        (lambda: dist.mixture([by_year, by_year[::-1]]), r"components\[0\] and components\[1\] disagree"),
        (lambda: dist.normal(mean=by_year, sd=2 - by_year), r"year=2026: sd must be positive"),
    ],
)
def test_what_is_wrong_with_labels_is_named(call, message):
    with pytest.raises(DistributionError, match=message):
        call()


# -- objects of others ----------------------------------------------------------------------------------------------


def test_objects_whose_names_round_are_still_told_apart():
    one, other = dist.as_distribution(pz.Normal(0, 1.001)), dist.as_distribution(pz.Normal(0, 1.002))
    assert repr(pz.Normal(0, 1.001)) == repr(pz.Normal(0, 1.002))
    assert one != other
    assert one == dist.as_distribution(pz.Normal(0, 1.001))


def test_a_quantile_function_that_contradicts_its_distribution_function_is_refused():
    # PreliZ computes the tail as 1 - cdf, which has no digits left beyond 8 sd.
    with pytest.raises(DistributionError, match=r"disagree|fails|not numbers"):
        dist.as_distribution(pz.Truncated(pz.Normal(0, 1), lower=8.2))


def test_distributions_of_scipy_need_not_be_frozen():
    assert dist.as_distribution(stats.norm) == dist.scipy_distribution("norm")
    data = np.histogram([1, 2, 2, 3, 5], bins=4)
    made = dist.as_distribution(stats.rv_histogram(data))
    assert made.mean() == pytest.approx(stats.rv_histogram(data).mean())
    assert made == dist.as_distribution(stats.rv_histogram(data))
    assert " at 0x" not in str(made)
    assert pickle.loads(pickle.dumps(made)) == made


def test_moments_far_from_one_keep_their_digits():
    # scipy squares the sd on the way to it.
    for scale in (1e-200, 1e200):
        assert dist.normal(mean=0, sd=scale).sd() == scale
        assert dist.uniform(0, scale).sd() == pytest.approx(scale / math.sqrt(12))
        assert dist.discrete([0, scale]).sd() == pytest.approx(scale / 2)
        assert dist.mixture([dist.normal(mean=0, sd=scale), 0]).sd() == pytest.approx(scale / math.sqrt(2))
        assert dist.truncated(dist.normal(mean=0, sd=scale), lower=0).sd() == pytest.approx(
            scale * stats.halfnorm.std(), rel=1e-9
        )
    assert dist.lognormal(mean=1, sd=1e-9).sd() == pytest.approx(1e-9)
    assert dist.loguniform(mean=1, sd=1e-6).sd() == pytest.approx(1e-6)
    narrow = dist.loguniform(mean=1, sd=1e-6).laws[0].support()
    assert (narrow[1] - narrow[0]) / math.sqrt(12) == pytest.approx(1e-6, rel=1e-6)


# -- further impossible requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dist.beta(mean=1.5, sd=0.1), "mean must lie between 0 and 1"),
        (lambda: dist.beta(mean=0.5, sd=0.5), "sd must be below"),
        (lambda: dist.beta(0, 0.5), "strictly inside 0 and 1"),
        (lambda: dist.beta(0.5, 1), "strictly inside 0 and 1"),
        (lambda: dist.gamma(1, 1 + 1e-9), "too wide or too narrow"),
        (lambda: dist.gamma(mean=1, sd=1e-6), "too narrow for a gamma"),
        (lambda: dist.gamma(mean=1, sd=100), "smallest values are zero"),
        (lambda: dist.lognormal(mean=-1, sd=1), "mean must be positive"),
        (lambda: dist.lognormal(mean=1, sd=1, prob=0.9), "prob belongs to an interval"),
        (lambda: dist.loguniform(mean=1, sd=100), "too large for a loguniform"),
        (lambda: dist.normal(-1e308, 1e308), "too far apart"),
        (lambda: dist.triangular(-1e308, 0, 1e308), "too far apart"),
        (lambda: dist.pert(0, 1, 2, shape=1e300), "too close together"),
        (lambda: dist.empirical([-1e308, 1e308], interpolate=True), "too far apart"),
        (lambda: dist.empirical([1, 2], interpolate=1), "true or false"),
        (lambda: dist.metalog([0.1, 0.9], [1, 2], lower=-1e308, upper=1e308), "too far apart"),
        (lambda: dist.metalog(None, [1, 2]), "probs must be given"),
        (lambda: dist.discrete(None), "values must be given"),
        (lambda: dist.mixture(dist.normal(0, 1)), "list of distributions"),
        (lambda: dist.mixture(5), "list of distributions"),
        (lambda: dist.truncated(dist.normal(0, 1), lower=math.inf), "lower must be below upper"),
        (lambda: dist.student_t(0, 1, df=-1), "df must be positive"),
        (lambda: dist.as_distribution(pz.Normal()), "quantile function fails|not numbers"),
    ],
)
def test_what_doubles_or_the_family_cannot_hold_is_refused(call, message):
    with pytest.raises(DistributionError, match=message) as raised:
        call()
    assert len(str(raised.value)) < 400


@given(low=st.floats(-12.0, -0.5), factor=st.floats(0.01, 6.0), prob=st.sampled_from([0.5, 0.9, 0.99, 0.9999]))
def test_beta_intervals_of_any_shape_hold_exactly_prob(low, factor, prob):
    low, high = 10.0**low, min(10.0 ** (low + factor), 1 - 1e-9)
    for one, other in ((low, high), (1 - high, 1 - low)):
        if not 0 < one < other < 1:
            continue
        law, tail = dist.beta(one, other, prob=prob).laws[0], (1 - prob) / 2
        assert law.cdf(np.array([one]))[0] == pytest.approx(tail, rel=1e-8)
        assert law.sf(np.array([other]))[0] == pytest.approx(tail, rel=1e-8)
