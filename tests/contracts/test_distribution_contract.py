"""Every distribution, however it was made, held to one proof."""

import functools
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import preliz as pz
import pytest
from scipy import stats

from demandsim import distributions as dist
from demandsim.errors import DistributionError

Z90 = float(stats.norm.ppf(0.95))


@dataclass(frozen=True)
class Row:
    """One member: how it is made, what an independent source says of it, and to which tolerance it is held."""

    name: str
    make: Callable[[], Any]
    #: A frozen distribution of scipy with the same law, made without our constructors.
    reference: Callable[[], Any] | None = None
    #: Known in closed form; otherwise the reference's, otherwise integrated from the distribution function.
    mean: float | None = None
    sd: float | None = None
    #: Relative to sd. Moments that are integrated have about ten digits.
    moments: float = 1e-9
    u_error: float = 1e-10
    #: By which lower and upper probabilities may miss their sum of 1.
    sums: float = 1e-11
    density: bool = True
    discrete: bool = False
    #: Written as text and read again it is the same.
    text: bool = True
    #: False where scipy's own pickle fails, or brings another distribution back.
    pickles: bool = True

    @property
    def distribution(self):
        return _made(self.name)


@functools.cache
def _made(name):
    return dist.as_distribution(BY_NAME[name].make())


def lognorm(mu, sigma):
    return stats.lognorm(sigma, scale=math.exp(mu))


def beta_by_moments(mean, sd):
    size = mean * (1 - mean) / sd**2 - 1
    return stats.beta(mean * size, (1 - mean) * size)


def gap():
    return dist.mixture([dist.uniform(0, 1), dist.uniform(10, 11)], weights=[1, 3])


def with_atom():
    return dist.mixture([0, dist.lognormal(1, 10)], weights=[1, 4])


SKEWED = np.random.default_rng(7).gamma(0.7, size=300)
JOINTS = (np.sort(SKEWED)[1:] + np.sort(SKEWED)[:-1]) / 2
ABOVE_4 = stats.truncnorm(-1, math.inf, 5)

#: Mean and sd of a standard normal clipped to -1 and 1.5.
_LEFT, _RIGHT = stats.norm.cdf(-1), stats.norm.sf(1.5)
_MEAN = -_LEFT + 1.5 * _RIGHT + stats.norm.pdf(-1) - stats.norm.pdf(1.5)
_SQUARE = _LEFT + 2.25 * _RIGHT + (1 - _LEFT - _RIGHT) - stats.norm.pdf(-1) - 1.5 * stats.norm.pdf(1.5)
CLIPPED = _MEAN, math.sqrt(_SQUARE - _MEAN**2)

ROWS = [
    Row("normal by interval", lambda: dist.normal(8, 12), lambda: stats.norm(10, 2 / Z90)),
    Row("normal by moments", lambda: dist.normal(mean=-3, sd=0.01), lambda: stats.norm(-3, 0.01)),
    Row("normal, narrow", lambda: dist.normal(mean=1, sd=1e-9), lambda: stats.norm(1, 1e-9), moments=1e-6),
    Row(
        "normal, huge",
        lambda: dist.normal(mean=1e200, sd=1e199),
        lambda: stats.norm(1e200, 1e199),
        mean=1e200,
        sd=1e199,
    ),
    Row("normal, tiny", lambda: dist.normal(mean=0, sd=1e-200), lambda: stats.norm(0, 1e-200), mean=0, sd=1e-200),
    Row("normal, prob 0.5", lambda: dist.normal(-1, 1, prob=0.5), lambda: stats.norm(0, 1 / stats.norm.ppf(0.75))),
    Row(
        "lognormal by interval",
        lambda: dist.lognormal(500, 1200),
        lambda: lognorm(math.log(500 * 1200) / 2, math.log(2.4) / 2 / Z90),
    ),
    Row(
        "lognormal by moments",
        lambda: dist.lognormal(mean=5, sd=2),
        lambda: lognorm(math.log(5) - math.log1p(0.16) / 2, math.sqrt(math.log1p(0.16))),
    ),
    Row(
        "lognormal within a factor",
        lambda: dist.lognormal(median=110e9, factor=2),
        lambda: lognorm(math.log(110e9), math.log(2) / Z90),
    ),
    Row(
        "lognormal, wide", lambda: dist.lognormal(1e-6, 1e6), lambda: lognorm(0, math.log(1e12) / 2 / Z90), moments=1e-6
    ),
    Row("uniform", lambda: dist.uniform(-2, 4), lambda: stats.uniform(-2, 6)),
    Row("uniform by interval", lambda: dist.uniform(2, 4, prob=0.5), lambda: stats.uniform(1, 4)),
    Row("uniform by moments", lambda: dist.uniform(mean=0, sd=1), lambda: stats.uniform(-(3**0.5), 2 * 3**0.5)),
    Row("loguniform", lambda: dist.loguniform(1e-3, 1e3), lambda: stats.loguniform(1e-3, 1e3)),
    Row("loguniform by interval", lambda: dist.loguniform(10, 1000, prob=0.5), lambda: stats.loguniform(1, 1e4)),
    Row("loguniform by moments", lambda: dist.loguniform(mean=10, sd=4), mean=10, sd=4),
    Row("triangular", lambda: dist.triangular(1, 2, 5), lambda: stats.triang(0.25, 1, 4)),
    Row("triangular, mode at the bound", lambda: dist.triangular(0, 0, 1), lambda: stats.triang(0, 0, 1)),
    Row("triangular by interval", lambda: dist.triangular(1, 2, 5, prob=0.9)),
    Row("pert", lambda: dist.pert(0, 1, 5), lambda: stats.beta(1.8, 4.2, 0, 5)),
    Row("pert, mode at the bound", lambda: dist.pert(0, 5, 5), lambda: stats.beta(5, 1, 0, 5)),
    Row("pert, peaked", lambda: dist.pert(0, 1, 2, shape=1e4), lambda: stats.beta(5001, 5001, 0, 2)),
    Row("pert by interval", lambda: dist.pert(10, 20, 50, prob=0.8)),
    Row("beta by moments", lambda: dist.beta(mean=0.45, sd=0.1), lambda: beta_by_moments(0.45, 0.1)),
    Row("beta by interval", lambda: dist.beta(0.2, 0.6)),
    Row("beta, bathtub", lambda: dist.beta(mean=0.5, sd=0.45), lambda: beta_by_moments(0.5, 0.45)),
    Row("beta, almost at 1", lambda: dist.beta(mean=0.999, sd=0.001), lambda: beta_by_moments(0.999, 0.001)),
    Row("beta, almost at 0", lambda: dist.beta(mean=1e-6, sd=1e-6), lambda: beta_by_moments(1e-6, 1e-6)),
    Row("beta, narrow", lambda: dist.beta(mean=0.5, sd=1e-5), lambda: beta_by_moments(0.5, 1e-5)),
    Row("gamma by moments", lambda: dist.gamma(mean=4, sd=2), lambda: stats.gamma(4)),
    Row("gamma by interval", lambda: dist.gamma(1, 10)),
    Row("gamma, a pole at zero", lambda: dist.gamma(mean=1, sd=3), lambda: stats.gamma(1 / 9, scale=9)),
    Row("gamma, almost normal", lambda: dist.gamma(mean=1, sd=1e-3), lambda: stats.gamma(1e6, scale=1e-6)),
    Row("student_t by interval", lambda: dist.student_t(8, 12, df=5), lambda: stats.t(5, 10, 2 / stats.t(5).ppf(0.95))),
    Row("student_t by moments", lambda: dist.student_t(mean=0, sd=1), lambda: stats.t(4, 0, 0.5**0.5)),
    Row("student_t, Cauchy", lambda: dist.student_t(-1, 1, df=1), lambda: stats.cauchy(0, 1 / stats.cauchy.ppf(0.95))),
    Row("constant", lambda: dist.constant(1979), mean=1979, sd=0, density=False, discrete=True),
    Row("a number", lambda: 0.1, mean=0.1, sd=0, density=False, discrete=True),
    Row(
        "discrete",
        lambda: dist.discrete([6, 5, 8], weights=[3, 1, 0]),
        lambda: stats.rv_discrete(values=([5, 6], [0.25, 0.75]))(),
        discrete=True,
    ),
    Row("empirical", lambda: dist.empirical([3, 1, 2, 2]), mean=2, sd=0.5**0.5, discrete=True, density=False),
    Row(
        "empirical, weighted",
        lambda: dist.empirical([3, 1, 2], weights=[1, 0, 3]),
        mean=2.25,
        sd=math.sqrt(3) / 4,
        discrete=True,
        density=False,
    ),
    Row(
        "empirical, many",
        lambda: dist.empirical(SKEWED),
        mean=SKEWED.mean(),
        sd=SKEWED.std(),
        discrete=True,
        density=False,
    ),
    Row(
        "empirical, joined", lambda: dist.empirical([0, 1, 3], interpolate=True), mean=1.25, sd=(7 / 3 - 1.25**2) ** 0.5
    ),
    Row(
        "empirical, many joined",
        lambda: dist.empirical(SKEWED, interpolate=True),
        mean=np.mean(JOINTS),
        sd=math.sqrt(np.var(JOINTS) + np.mean(np.diff(np.sort(SKEWED)) ** 2) / 12),
    ),
    Row("metalog", lambda: dist.metalog([0.1, 0.5, 0.9], [1, 2, 5])),
    Row("metalog of two", lambda: dist.metalog([0.25, 0.75], [-1, 1]), lambda: stats.logistic(0, 1 / math.log(3))),
    Row("metalog, bounded below", lambda: dist.metalog([0.1, 0.5, 0.9], [1, 2, 5], lower=0), moments=1e-6),
    Row("metalog, bounded above", lambda: dist.metalog([0.1, 0.5, 0.9], [1, 4, 5], upper=6), moments=1e-6),
    Row("metalog, bounded", lambda: dist.metalog([0.1, 0.5, 0.9], [0.2, 0.5, 0.6], lower=0, upper=1)),
    Row("metalog of five", lambda: dist.metalog([0.05, 0.25, 0.5, 0.75, 0.95], [1, 3, 4, 5.5, 9])),
    Row("truncated normal", lambda: dist.truncated(dist.normal(mean=0, sd=3), lower=0), lambda: stats.halfnorm(0, 3)),
    Row(
        "truncated, both sides",
        lambda: dist.truncated(dist.normal(mean=0, sd=1), -1, 2),
        lambda: stats.truncnorm(-1, 2),
    ),
    Row(
        "truncated, far up",
        lambda: dist.truncated(dist.normal(mean=0, sd=1), lower=8),
        lambda: stats.truncnorm(8, math.inf),
    ),
    Row(
        "truncated, far down",
        lambda: dist.truncated(dist.normal(mean=0, sd=1), upper=-9),
        lambda: stats.truncnorm(-math.inf, -9),
    ),
    Row(
        "truncated, in the tail", lambda: dist.truncated(dist.normal(mean=0, sd=1), 6, 7), lambda: stats.truncnorm(6, 7)
    ),
    Row("truncated gamma", lambda: dist.truncated(dist.gamma(mean=4, sd=2), upper=6)),
    Row(
        "truncated discrete",
        lambda: dist.truncated(dist.discrete([1, 2, 3]), lower=2),
        mean=2.5,
        sd=0.5,
        discrete=True,
        density=False,
    ),
    Row(
        "truncated mixture",
        lambda: dist.truncated(gap(), 0.5, 10.5),
        mean=(0.5 * 0.75 + 1.5 * 10.25) / 2,
        sd=math.sqrt(0.25 / 12 + 0.25 * 0.75 * 9.5**2),
    ),
    Row(
        "mixture",
        lambda: dist.mixture([dist.normal(mean=0, sd=1), dist.normal(mean=4, sd=2)], weights=[3, 1]),
        mean=1,
        sd=math.sqrt(0.75 * 1 + 0.25 * 4 + 0.75 + 0.25 * 9),
    ),
    Row(
        "pooled",
        lambda: dist.pooled([dist.normal(mean=0, sd=1), dist.normal(mean=4, sd=2)], weights=[3, 1]),
        mean=1.0,
        sd=math.sqrt(0.75 * 1 + 0.25 * 4 + 0.75 * 1 + 0.25 * 9),
    ),
    Row(
        "pooled, logarithmic",
        lambda: dist.pooled([dist.normal(mean=0, sd=1), dist.normal(mean=4, sd=2)], [3, 1], kind="logarithmic"),
        # Precision 3/4 + 1/16.
        lambda: stats.norm(4 / 13, math.sqrt(16 / 13)),
    ),
    Row(
        "pooled, logarithmic, lognormal",
        lambda: dist.pooled([stats.lognorm(0.5, scale=2), stats.lognorm(0.5, scale=8)], kind="logarithmic"),
        lambda: stats.lognorm(0.5, scale=4),
    ),
    Row("mixture with a gap", gap, mean=(0.5 + 3 * 10.5) / 4, sd=math.sqrt(1 / 12 + 100 * 3 / 16)),
    Row("mixture with an atom", with_atom, density=False),
    Row(
        "mixture of numbers",
        lambda: dist.mixture([1, 2], weights=[1, 3]),
        mean=1.75,
        sd=0.75 / 3**0.5,
        discrete=True,
        density=False,
    ),
    Row("mixture of one", lambda: dist.mixture([dist.gamma(mean=4, sd=2)]), lambda: stats.gamma(4)),
    Row(
        "mixture of scales",
        lambda: dist.mixture([dist.normal(mean=0, sd=1e-6), dist.normal(mean=0, sd=1)]),
        mean=0,
        sd=0.5**0.5,
    ),
    Row(
        "mixture in a mixture",
        lambda: dist.mixture([gap(), dist.truncated(dist.normal(mean=5, sd=1), lower=4)]),
        mean=(8 + ABOVE_4.mean()) / 2,
        sd=math.sqrt((1 / 12 + 100 * 3 / 16 + ABOVE_4.var()) / 2 + (8 - ABOVE_4.mean()) ** 2 / 4),
    ),
    Row("weibull by interval", lambda: dist.weibull(2, 8)),
    Row(
        "weibull by shape",
        lambda: dist.weibull(shape=1.5, scale=2),
        lambda: stats.weibull_min(1.5, scale=2),
    ),
    Row("pareto by interval", lambda: dist.pareto(1, 3)),
    Row("pareto by tail", lambda: dist.pareto(shape=3, least=2), lambda: stats.pareto(3, scale=2)),
    Row("bernoulli", lambda: dist.bernoulli(0.3), lambda: stats.bernoulli(0.3), discrete=True),
    Row("binomial", lambda: dist.binomial(10, 0.3), lambda: stats.binom(10, 0.3), discrete=True),
    Row("poisson", lambda: dist.poisson(3.5), lambda: stats.poisson(3.5), discrete=True),
    Row(
        "clipped",
        lambda: dist.clipped(dist.normal(mean=0, sd=1), -1, 1.5),
        mean=CLIPPED[0],
        sd=CLIPPED[1],
        density=False,
    ),
    Row(
        "clipped, one side",
        lambda: dist.clipped(dist.normal(mean=0, sd=1), lower=0),
        mean=1 / math.sqrt(2 * math.pi),
        sd=math.sqrt(0.5 - 1 / (2 * math.pi)),
        density=False,
    ),
    Row(
        "rounded",
        # Halves go up: what is at most k rounds from below k + 1/2.
        lambda: dist.rounded(stats.expon(scale=4)),
        mean=math.exp(-0.125) / (1 - math.exp(-0.25)),
        sd=math.sqrt(
            math.exp(-0.125) * (1 + math.exp(-0.25)) / (1 - math.exp(-0.25)) ** 2
            - math.exp(-0.25) / (1 - math.exp(-0.25)) ** 2
        ),
        discrete=True,
        density=False,
    ),
    Row(
        "rounded to a step",
        # Sheppard's correction, exact to exp(-2 * pi**2 * 64).
        lambda: dist.rounded(dist.normal(mean=3, sd=2), step=0.25),
        mean=3,
        sd=math.hypot(2, 0.25 / math.sqrt(12)),
        discrete=True,
        density=False,
    ),
    Row(
        "normal of uncertain mean",
        lambda: dist.normal(mean=dist.normal(mean=1, sd=3), sd=4),
        lambda: stats.norm(1, 5),
        u_error=1e-9,
    ),
    Row(
        "poisson of uncertain mean",
        lambda: dist.poisson(mean=dist.gamma(mean=4, sd=2)),
        lambda: stats.nbinom(4, 0.5),
        u_error=1e-9,
        discrete=True,
    ),
    Row(
        "normal of two means",
        lambda: dist.normal(mean=dist.discrete([0, 4], weights=[3, 1]), sd=1),
        mean=1,
        sd=math.sqrt(1 + 3),
    ),
    Row("scipy, frozen", lambda: stats.weibull_min(1.5, scale=2), lambda: stats.weibull_min(1.5, scale=2)),
    Row("scipy, heavy", lambda: stats.pareto(3, scale=2), lambda: stats.pareto(3, scale=2)),
    Row("scipy, hard", lambda: stats.invgauss(0.5), lambda: stats.invgauss(0.5)),
    Row("scipy, discrete", lambda: stats.poisson(3.5), lambda: stats.poisson(3.5), discrete=True),
    Row("scipy, binomial", lambda: stats.binom(10, 0.3, loc=2), lambda: stats.binom(10, 0.3, loc=2), discrete=True),
    Row("scipy by name", lambda: dist.scipy_distribution("expon", scale=2.0), lambda: stats.expon(scale=2)),
    Row("new scipy", lambda: stats.Normal(mu=1.0, sigma=2.0), lambda: stats.norm(1, 2)),
    Row("new scipy, truncated", lambda: stats.truncate(stats.Normal(), lb=0.0), stats.halfnorm),
    Row(
        "new scipy, mixture",
        lambda: stats.Mixture([stats.Normal(), stats.Normal(mu=4.0)], weights=[0.5, 0.5]),
        mean=2,
        sd=5**0.5,
    ),
    Row("new scipy, made", lambda: stats.make_distribution(stats.beta)(a=2.0, b=3.0), lambda: stats.beta(2, 3)),
    Row(
        "new scipy, scaled",
        lambda: 3.0 * stats.Normal(mu=1.0, sigma=2.0) + 1.0,
        lambda: stats.norm(4, 6),
        text=False,
        pickles=False,
    ),
    Row(
        "new scipy, transformed",
        lambda: stats.exp(stats.Normal(mu=1.0, sigma=0.5)),
        lambda: lognorm(1, 0.5),
        text=False,
        pickles=False,
        moments=1e-6,
    ),
    Row("new scipy, discrete", lambda: stats.Binomial(n=10, p=0.3), lambda: stats.binom(10, 0.3), discrete=True),
    Row("PreliZ", lambda: pz.Gamma(2, 1), lambda: stats.gamma(2), text=False),
    Row(
        "PreliZ, discrete",
        lambda: pz.Poisson(4),
        lambda: stats.poisson(4),
        text=False,
        discrete=True,
        moments=1e-6,
        # PreliZ has no quantile above 18.
        u_error=1e-7,
    ),
]
BY_NAME = {row.name: row for row in ROWS}
each = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
each_continuous = pytest.mark.parametrize(
    "row", [r for r in ROWS if not r.discrete], ids=[r.name for r in ROWS if not r.discrete]
)

EXTREME = np.array(
    [2.0**-54, 1e-12, 2.0**-17, 2.0**-16, 0.5 - 2.0**-54, 0.5, 0.5 + 2.0**-53, 1 - 2.0**-16, 1 - 1e-12, 1 - 2.0**-53]
)
RANDOM = np.random.default_rng(20250127).uniform(2.0**-54, 1 - 2.0**-53, 4096)
POINTS = np.concatenate([RANDOM, EXTREME])


def u_error(law, x, u):
    """How far `u` lies outside the probabilities just below and just above `x`.

    They differ at an atom, and where neighbouring doubles are far apart in probability.
    """
    with np.errstate(all="ignore"):
        below, above = np.nextafter(x, -np.inf), np.nextafter(x, np.inf)
        lower = np.maximum(law.cdf(below) - u, u - law.cdf(above))
        upper = np.maximum((1 - u) - law.sf(below), law.sf(above) - (1 - u))
    return np.where(u <= 0.5, lower, upper)


@each
def test_quantile_functions_agree_with_the_distribution_function(row):
    distribution = row.distribution
    law, (fast,) = distribution.laws[0], distribution.quantile_functions
    for x in (distribution.ppf(POINTS), fast(POINTS)):
        assert np.all(np.isfinite(x))
        assert u_error(law, x, POINTS).max() <= row.u_error


@each_continuous
def test_tails_keep_their_digits(row):
    distribution = row.distribution
    law, (fast,) = distribution.laws[0], distribution.quantile_functions
    u = np.array([2.0**-54, 1e-15, 1e-12, 1e-9])
    error = u_error(law, fast(u), u)
    # What is left of 1e-15 is the spacing of doubles around bounds that are not zero.
    assert np.all(error <= 1e-6 * u + 1e-15), error / u


@pytest.mark.parametrize("row", [r for r in ROWS if r.reference], ids=[r.name for r in ROWS if r.reference])
def test_a_large_sample_follows_the_reference(row):
    n = 2**12
    u = (np.arange(n) + 0.5) / n
    x = row.distribution.quantile_functions[0](u)
    reference = row.reference()
    assert np.max(np.abs(u_error(reference, x, u).clip(0))) <= max(row.u_error, 1e-10)
    if not row.discrete:
        kolmogorov = np.max(np.abs(reference.cdf(x) - u))
        # Narrow laws: neighbouring doubles are further apart in probability than the tolerance.
        spacing = np.max(reference.cdf(np.nextafter(x, np.inf)) - reference.cdf(np.nextafter(x, -np.inf)))
        assert kolmogorov <= row.u_error + spacing


@each
def test_quantiles_rise_and_stay_within_the_support(row):
    distribution = row.distribution
    low, high = distribution.laws[0].support()
    for quantiles in (distribution.ppf, distribution.quantile_functions[0]):
        x = quantiles(np.sort(POINTS))
        # The pieces of a table join to within its error in probability, not to the last bit.
        assert np.all(np.diff(distribution.cdf(x)) >= -2 * row.u_error)
        assert low <= x[0]
        assert x[-1] <= high
    assert distribution.is_constant == (low == high)


def integrated(distribution):
    """Mean and sd from the distribution function alone: no density, no quantile function but for where to look."""
    law = distribution.laws[0]
    # Far enough out for tails whose variance barely exists.
    u = np.concatenate([2.0 ** -np.arange(1000, 50, -2.0), 2.0 ** -np.arange(50, 0, -0.25)])
    with np.errstate(all="ignore"):
        edges = np.unique(np.concatenate([law.ppf(u), law.isf(u)]))
    edges = edges[np.isfinite(edges)]
    nodes, weights = np.polynomial.legendre.leggauss(12)
    middle = float(law.ppf(np.array([0.5]))[0])
    half, centre = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    x = centre[:, None] + half[:, None] * nodes
    weight = half[:, None] * weights
    with np.errstate(all="ignore"):
        share = np.where(x > middle, law.sf(x.ravel()).reshape(x.shape), -law.cdf(x.ravel()).reshape(x.shape))
    mean = float(np.sum(weight * share))
    second = float(np.sum(2 * weight * share * (x - middle)))
    return middle + mean, math.sqrt(second - mean**2)


@each
def test_moments_are_those_of_an_independent_source(row):
    distribution = row.distribution
    mean, sd, tolerance = row.mean, row.sd, row.moments
    if mean is None and row.reference is not None:
        mean, sd = row.reference().mean(), row.reference().std()
    elif mean is None:
        (mean, sd), tolerance = integrated(distribution), max(tolerance, 1e-6)
    if not np.isfinite(sd):
        assert not np.isfinite(distribution.sd())
        assert np.isfinite(distribution.mean()) == np.isfinite(mean)
        return
    assert abs(distribution.mean() - mean) <= tolerance * max(sd, abs(mean) * 1e-6)
    assert abs(distribution.sd() - sd) <= tolerance * sd


@each
def test_the_median_halves_the_probability(row):
    median = row.distribution.median()
    assert isinstance(median, float)
    assert u_error(row.distribution.laws[0], np.array([median]), np.array([0.5])).max() <= 1e-10
    if row.reference is not None:
        spread = row.distribution.ppf(0.75) - row.distribution.ppf(0.25)
        assert abs(median - row.reference().median()) <= 1e-9 * spread + 1e-15 * abs(median)


@pytest.mark.parametrize("row", [r for r in ROWS if r.density], ids=[r.name for r in ROWS if r.density])
def test_the_density_is_the_slope_of_the_distribution_function(row):
    distribution = row.distribution
    u = np.linspace(0.03, 0.97, 41)
    x = distribution.ppf(u)
    found = distribution.logpdf(x)
    if row.reference is not None:
        reference = row.reference()
        expected = reference.logpmf(x) if row.discrete else reference.logpdf(x)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)
    else:
        # The share between neighbouring quantiles, by Gauss and Legendre within each.
        nodes, weights = np.polynomial.legendre.leggauss(16)
        half = np.diff(x)[:, None] / 2
        inside = (x[1:] + x[:-1])[:, None] / 2 + half * nodes
        share = (half * weights * np.exp(distribution.logpdf(inside))).sum(axis=1)
        smooth = np.isclose(share, np.diff(u), rtol=1e-5)
        # A kink may fall between two of the quantiles, and a joined sample has one at every value.
        assert smooth.mean() > 0.9 or row.name.startswith(("empirical", "mixture", "truncated mixture"))
        assert share.sum() == pytest.approx(0.94, rel=0.2 if not smooth.all() else 1e-6)
    low, high = distribution.laws[0].support()
    apart = 1e-9 * (abs(x[-1]) + abs(x[0]))
    outside = [v for v in (low - apart, high + apart) if np.isfinite(v)]
    if outside and not row.discrete:
        assert np.all(distribution.logpdf(np.array(outside)) == -np.inf)


@each
def test_probabilities_fall_to_zero_and_rise_to_one(row):
    law = row.distribution.laws[0]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(law.cdf(np.array([-np.inf, np.inf])), [0, 1], atol=1e-15)
        np.testing.assert_allclose(law.sf(np.array([-np.inf, np.inf])), [1, 0], atol=1e-15)
        x = row.distribution.ppf(np.sort(POINTS))
        np.testing.assert_allclose(law.cdf(x) + law.sf(x), 1.0, rtol=row.sums)
        assert np.all(np.diff(law.cdf(np.sort(x))) >= -1e-15)


@each
def test_written_and_read_again_it_is_the_same(row):
    distribution = row.distribution
    if not row.text:
        with pytest.raises(DistributionError):
            dist.parse_distribution(str(distribution))
        return
    again = dist.parse_distribution(str(distribution))
    assert again == distribution
    assert hash(again) == hash(distribution)
    assert str(again) == str(distribution)
    np.testing.assert_array_equal(again.ppf(POINTS), distribution.ppf(POINTS))
    np.testing.assert_array_equal(again.quantile_functions[0](POINTS), distribution.quantile_functions[0](POINTS))


@pytest.mark.parametrize("row", [r for r in ROWS if r.pickles], ids=[r.name for r in ROWS if r.pickles])
def test_sent_to_another_process_it_gives_the_same_bits(row):
    distribution = row.distribution
    before = distribution.quantile_functions[0](POINTS)
    sent = pickle.dumps(distribution)
    # A table of quantiles is rebuilt where it is needed, not sent.
    assert len(sent) < 20_000
    again = pickle.loads(sent)
    assert again == distribution
    np.testing.assert_array_equal(again.quantile_functions[0](POINTS), before)
    np.testing.assert_array_equal(again.ppf(EXTREME), distribution.ppf(EXTREME))


@pytest.mark.parametrize("row", [r for r in ROWS if not r.pickles], ids=[r.name for r in ROWS if not r.pickles])
def test_what_would_arrive_as_something_else_is_not_sent(row):
    with pytest.raises(pickle.PicklingError, match="cannot be sent to another process"):
        pickle.dumps(row.distribution)


@each
def test_no_draw_depends_on_its_neighbours(row):
    fast = row.distribution.quantile_functions[0]
    u = POINTS.copy()
    whole = fast(u)
    np.testing.assert_array_equal(u, POINTS)
    for cuts in ([1, 2, 3, 7, 1000, 1001, 4095], [2048], [17, 4097]):
        np.testing.assert_array_equal(np.concatenate([fast(part) for part in np.split(u, cuts)]), whole)
    np.testing.assert_array_equal(fast(u[::-1])[::-1], whole)
    np.testing.assert_array_equal(fast(u[::3]), whole[::3])
    np.testing.assert_array_equal(fast(np.repeat(u, 2)[::2]), whole)
    u.setflags(write=False)
    np.testing.assert_array_equal(fast(u), whole)
    assert fast(np.empty(0)).shape == (0,)


def test_every_constructor_has_a_row():
    families = {row.distribution.family for row in ROWS}
    no_laws = {"Distribution", "as_distribution", "by", "parse_distribution", "scipy_distribution"}
    # Laws of a whole dim have no quantile function of one number: tests/distributions/test_shares.py.
    of_a_whole = {"choice", "dirichlet"}
    assert set(dist.__all__) - no_laws - of_a_whole <= families
