"""Sensitivity indices against closed forms, SALib and scipy."""

import itertools
import math
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim import sensitivity

Z = 1.6448536269514722


def model_of(function, assumptions, **more):
    return ds.Model([ds.equation(function, unit="1", name="y")], assumptions, **more)


def ishigami(a, b, c):
    return np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)


def ishigami_indices():
    a = 0.5 * (1 + 0.1 * math.pi**4 / 5) ** 2
    ac = 0.01 * math.pi**8 * (1 / 18 - 1 / 50)
    whole = a + 49 / 8 + ac
    return np.array([a, 49 / 8, 0]) / whole, np.array([a + ac, 49 / 8, ac]) / whole


G = (0, 1, 4.5, 9, 99, 99, 99, 99)


def sobol_g(a, b, c, d, e, f, g, h):
    out = 1.0
    for x, k in zip((a, b, c, d, e, f, g, h), G, strict=True):
        out = out * (abs(4 * x - 2) + k) / (1 + k)
    return out


def of_product(relative_variances):
    v = np.asarray(relative_variances)
    whole = np.prod(1 + v) - 1
    return v / whole, v * np.prod(1 + v) / (1 + v) / whole


SIGMAS = (0.67, 0.42, 0.25, 0.16, 0.25, 0.3, 0.2, 0.25, 0.2)


def chain_of_nine(a, b, c, d, e, f, g, h, i):
    return a * b * c / d * e * f / g * h * i


def lognormal(sigma):
    return dist.lognormal(median=1, factor=math.exp(Z * sigma), prob=0.9)


def step(a, b):
    return (a + b > 0) * 1.0


@dataclass(frozen=True)
class Known:
    """A function with known indices, and how near they must come with at most 65,536 runs."""

    name: str
    model: ds.Model
    first: np.ndarray
    total: np.ndarray
    draws: int
    tolerance: float


KNOWN = [
    Known(
        "ishigami",
        model_of(ishigami, {n: dist.uniform(-math.pi, math.pi) for n in "abc"}),
        *ishigami_indices(),
        1024,
        0.002,
    ),
    Known(
        "sobol-g",
        model_of(sobol_g, {n: dist.uniform(0, 1) for n in "abcdefgh"}),
        *of_product([1 / 3 / (1 + k) ** 2 for k in G]),
        512,
        0.005,
    ),
    Known(
        "lognormals",
        model_of(chain_of_nine, {n: lognormal(s) for n, s in zip("abcdefghi", SIGMAS, strict=True)}),
        *of_product(np.expm1(np.square(SIGMAS))),
        512,
        1e-6,
    ),
    # First order of a step: Var Phi(a) = 1/12 of 1/4. No smooth surrogate fits it.
    Known(
        "step",
        model_of(step, {n: dist.normal(mean=0, sd=1) for n in "ab"}),
        np.array([1 / 3, 1 / 3]),
        np.array([2 / 3, 2 / 3]),
        1024,
        0.01,
    ),
]
EACH_KNOWN = pytest.mark.parametrize("known", KNOWN, ids=lambda k: k.name)


@EACH_KNOWN
def test_sobol_indices_are_those_of_the_closed_form(known):
    runs = [sensitivity.sobol(known.model, "y", draws=known.draws, seed=seed) for seed in range(6)]
    assert all(found.attrs["model_runs"] <= 65_536 for found in runs)
    for name, truth in (("first_order", known.first), ("total_order", known.total)):
        errors = np.array([found[name].values[0] - truth for found in runs])
        # Of the root mean square: the largest of so many errors hangs on the seeds.
        assert np.sqrt(np.square(errors).mean(axis=0)).max() <= 0.7 * known.tolerance


@EACH_KNOWN
def test_estimates_are_unbiased_and_intervals_hold_the_truth_as_often_as_they_say(known):
    # With few points, so that errors are large and no index hides behind its surrogate.
    seeds = 30
    errors, inside = [], []
    for seed in range(seeds):
        found = sensitivity.sobol(known.model, "y", draws=32, seed=1000 + seed)
        for name, truth in (("first_order", known.first), ("total_order", known.total)):
            estimate, lower, upper = (found[name + end].values[0] for end in ("", "_lower", "_upper"))
            errors.append(estimate - truth)
            inside.append((lower <= truth) & (truth <= upper))
    table = np.reshape(errors, (seeds, 2, -1))
    error = table.std(axis=0, ddof=1) / math.sqrt(seeds)
    # Indices are ratios of estimates: a bias of a tenth of one run's own spread is below what it reports.
    allowed = 4 * error + 0.1 * table.std(axis=0, ddof=1) + 2e-6
    assert np.all(np.abs(table.mean(axis=0)) < allowed)
    # 90% intervals; indices of one run go together, so that the share over 30 runs varies by several percent.
    assert 0.78 <= np.mean(inside) <= 1.0


def test_every_kind_of_distribution_has_exact_indices_in_a_product():
    laws = {
        "a": dist.discrete([1, 2, 5], [0.5, 0.3, 0.2]),
        "b": dist.triangular(1, 2, 6),
        "c": dist.mixture([dist.lognormal(1, 3), dist.discrete([2, 4])], [0.5, 0.5]),
        "d": dist.uniform(1, 3),
        "e": dist.gamma(mean=2, sd=1),
        "f": dist.empirical([1.0, 2.0, 2.5, 7.0, 3.0]),
        "g": dist.beta(mean=0.4, sd=0.1),
    }
    product = model_of(lambda a, b, c, d, e, f, g: a * b * c * d * e * f * g, laws)
    first, total = of_product([float(law.sd() / law.mean()) ** 2 for law in laws.values()])
    found = sensitivity.sobol(product, "y", draws=64, seed=3)
    np.testing.assert_allclose(found.first_order.values[0], first, atol=2e-6)
    np.testing.assert_allclose(found.total_order.values[0], total, atol=2e-6)


def test_second_order_indices_are_those_of_the_closed_form():
    _, total = ishigami_indices()
    found = sensitivity.sobol(KNOWN[0].model, "y", draws=512, seed=2, second_order=True).second_order[0]
    expected = np.zeros((3, 3))
    expected[0, 2] = expected[2, 0] = total[2]
    np.testing.assert_allclose(found.values[~np.eye(3, dtype=bool)], expected[~np.eye(3, dtype=bool)], atol=0.003)
    assert np.isnan(np.diag(found)).all()
    # A step in two numbers: all that is not explained alone is explained by both.
    found = sensitivity.sobol(KNOWN[3].model, "y", draws=1024, seed=2, second_order=True)
    assert found.second_order.values[0, 0, 1] == pytest.approx(1 / 3, abs=0.015)


def test_indices_of_the_logarithm_are_shares_of_log_variance():
    found = sensitivity.sobol(KNOWN[2].model, "y", draws=64, seed=1, log=True)
    shares = np.square(SIGMAS) / np.sum(np.square(SIGMAS))
    np.testing.assert_allclose(found.first_order.values[0], shares, atol=1e-6)
    np.testing.assert_allclose(found.total_order.values[0], shares, atol=1e-6)
    assert found.attrs["scale"] == "log"


def test_indices_of_a_margin_are_those_of_the_closed_form():
    # Difference of two products with a factor in common: all moments are products of moments.
    sa, sb, sc = 0.5, 0.4, 0.3
    found = sensitivity.sobol(
        ds.Model(
            [
                ds.equation(lambda a, b: a * b, unit="1", name="income"),
                ds.equation(lambda a, c: a * c, unit="1", name="cost"),
                ds.equation(lambda income, cost: income - cost, unit="1", name="y"),
            ],
            {"a": lognormal(sa), "b": lognormal(sb), "c": lognormal(sc)},
        ),
        "y",
        draws=128,
        seed=1,
    )
    m1 = {k: math.exp(s * s / 2) for k, s in zip("abc", (sa, sb, sc), strict=True)}
    m2 = {k: math.exp(2 * s * s) for k, s in zip("abc", (sa, sb, sc), strict=True)}
    gap, spread = m1["b"] - m1["c"], m2["b"] - m1["b"] ** 2 + m2["c"] - m1["c"] ** 2
    whole = m2["a"] * (spread + gap**2) - (m1["a"] * gap) ** 2
    parts = [
        (m2["a"] - m1["a"] ** 2) * gap**2,
        m1["a"] ** 2 * (m2["b"] - m1["b"] ** 2),
        m1["a"] ** 2 * (m2["c"] - m1["c"] ** 2),
    ]
    np.testing.assert_allclose(found.first_order.values[0], np.array(parts) / whole, atol=2e-6)


# Shapley effects


def linear_model(coefficients, sds, rho):
    """y = sum of b x, with normal x whose last two are correlated by rho (Pearson)."""
    names = "abc"
    return model_of(
        lambda a, b, c: coefficients[0] * a + coefficients[1] * b + coefficients[2] * c,
        {n: dist.normal(mean=0, sd=s) for n, s in zip(names, sds, strict=True)},
        correlations={("b", "c"): 6 / math.pi * math.asin(rho / 2)} if rho else None,
    )


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.3, 0.9])
def test_shapley_effects_of_a_linear_gaussian_model(rho):
    # Iooss and Prieur, Int. J. Uncertainty Quantification 9 (2019), equation 4.3.
    beta, sd = np.array([1.0, 1.0, 0.5]), np.array([1.0, 1.0, 2.0])
    one, b, c = (beta * sd) ** 2
    cross = rho * beta[1] * sd[1] * beta[2] * sd[2]
    whole = one + b + c + 2 * cross
    expected = np.array([one, b + cross + rho**2 / 2 * (c - b), c + cross + rho**2 / 2 * (b - c)]) / whole
    found = sensitivity.shapley(linear_model(beta, sd, rho), "y", draws=256, seed=1)
    assert found.attrs["model_runs"] <= 65_536
    np.testing.assert_allclose(found.effect.values[0], expected, atol=1e-5)


def test_shapley_effects_of_independent_assumptions_share_interactions_equally():
    first, total = ishigami_indices()
    for seed in range(2):
        found = sensitivity.shapley(KNOWN[0].model, "y", draws=1024, seed=seed)
        assert found.attrs["model_runs"] <= 65_536
        np.testing.assert_allclose(found.effect.values[0], (first + total) / 2, atol=0.004)
    runs = [sensitivity.shapley(KNOWN[3].model, "y", draws=1024, seed=seed) for seed in range(3)]
    errors = np.array([found.effect.values[0] - 0.5 for found in runs])
    assert np.sqrt(np.square(errors).mean(axis=0)).max() <= 0.01


def by_quadrature(function, correlation, nodes=24):
    """Shapley effects of a function of three correlated normal numbers, by Gauss-Hermite rules."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()

    def mean_given(subset):
        """Variance of E[y | the scores in subset]: nested Gaussian integrals."""
        given = list(subset)
        rest = [i for i in range(3) if i not in given]
        order = given + rest
        root = np.linalg.cholesky(correlation[np.ix_(order, order)])
        grid = np.array(np.meshgrid(z, z, z, indexing="ij")).reshape(3, -1)
        x = np.empty_like(grid)
        x[order] = root @ grid
        values = function(*x).reshape(nodes, nodes, nodes)
        for _ in rest:
            values = values @ w
        weights = np.ones(())
        for _ in given:
            weights = np.multiply.outer(weights, w)
        mean = np.sum(weights * values)
        return float(np.sum(weights * (values - mean) ** 2))

    cost = {s: mean_given(s) for k in range(4) for s in itertools.combinations(range(3), k)}
    effects = np.zeros(3)
    for order in itertools.permutations(range(3)):
        for place, i in enumerate(order):
            old, new = tuple(sorted(order[:place])), tuple(sorted(order[: place + 1]))
            effects[i] += (cost[new] - cost[old]) / 6
    return effects / cost[0, 1, 2]


@pytest.mark.parametrize("rho", [0.0, 0.7])
def test_shapley_effects_of_a_nonlinear_function_of_correlated_numbers(rho):
    def bent(a, b, c):
        return np.exp(0.6 * a) * b + np.sin(2 * c) + 0.5 * a * c**2

    correlation = np.array([[1, rho, 0], [rho, 1, -0.4], [0, -0.4, 1.0]])
    pairs = {("a", "b"): rho, ("b", "c"): -0.4}
    ranks = {pair: 6 / math.pi * math.asin(r / 2) for pair, r in pairs.items() if r}
    bend = model_of(bent, {n: dist.normal(mean=0, sd=1) for n in "abc"}, correlations=ranks)
    expected = by_quadrature(bent, correlation)
    inside = []
    for seed in range(8):
        found = sensitivity.shapley(bend, "y", draws=1024, seed=seed)
        np.testing.assert_allclose(found.effect.values[0], expected, atol=0.04)
        assert found.effect.sum().item() == pytest.approx(1, abs=1e-12)
        inside.append((found.effect_lower.values[0] <= expected) & (expected <= found.effect_upper.values[0]))
    assert np.mean(inside) >= 0.7  # 90% nominal; 24 correlated looks


# Peers


@pytest.mark.parametrize("known", KNOWN[:2], ids=lambda k: k.name)
def test_salib_agrees_within_both_intervals(known):
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    names = list(known.model.assumptions)
    problem = {"num_vars": len(names), "names": names, "bounds": [[0, 1]] * len(names)}
    u = sampling.sample(problem, 4096, calc_second_order=False, seed=11)
    x = [known.model.assumptions[n].distribution.ppf(u[:, i]) for i, n in enumerate(names)]
    theirs = analysis.analyze(problem, known.model.equations["y"].function(*x), calc_second_order=False, seed=11)
    found = sensitivity.sobol(known.model, "y", draws=512, seed=4)
    for ours, name in (("first_order", "S1"), ("total_order", "ST")):
        half = (found[f"{ours}_upper"] - found[f"{ours}_lower"]).values[0] / 2
        # SALib's interval is of 95%: 1.5 of it and of ours is about three standard errors.
        allowed = 1.5 * (half + theirs[f"{name}_conf"]) + 1e-6
        assert np.all(np.abs(found[ours].values[0] - theirs[name]) <= allowed)


@pytest.mark.parametrize("known", KNOWN[:2], ids=lambda k: k.name)
def test_scipy_agrees_within_its_interval(known):
    names = list(known.model.assumptions)
    function = known.model.equations["y"].function
    laws = [known.model.assumptions[n].distribution for n in names]

    def values(u):
        return np.asarray(function(*(law.ppf(row) for law, row in zip(laws, u, strict=True))))

    theirs = stats.sobol_indices(
        func=values, n=4096, dists=[stats.uniform(0, 1)] * len(names), rng=np.random.default_rng(5)
    )
    bounds = theirs.bootstrap(confidence_level=0.99, n_resamples=200)
    found = sensitivity.sobol(known.model, "y", draws=512, seed=4)
    for ours, interval in (("first_order", bounds.first_order), ("total_order", bounds.total_order)):
        low, high = interval.confidence_interval
        slack = 0.01  # scipy's bootstrap leaves out the bias of its normalised estimator
        assert np.all(found[ours].values[0] >= low - slack)
        assert np.all(found[ours].values[0] <= high + slack)


# Given data


def normal_sum():
    return model_of(lambda a, b, c: 3 * a + 2 * b + 0 * c, {n: dist.normal(mean=0, sd=1) for n in "abc"})


def delta_of_normals(rho):
    """Borgonovo's delta of one of two normal numbers with correlation rho, by the definition."""
    x = stats.norm.ppf((np.arange(400) + 0.5) / 400)[:, None]
    y = np.linspace(-9, 9, 6001)
    apart = np.abs(stats.norm.pdf(y) - stats.norm.pdf(y, rho * x, math.sqrt(1 - rho**2)))
    return float(0.5 * apart.sum(axis=1).mean() * (y[1] - y[0]))


def kolmogorov_of_normals(rho):
    """Median over x of the Kolmogorov distance of y given x from y, by the definition."""
    x = stats.norm.ppf((np.arange(400) + 0.5) / 400)[:, None]
    y = np.linspace(-9, 9, 6001)
    apart = np.abs(stats.norm.cdf(y) - stats.norm.cdf(y, rho * x, math.sqrt(1 - rho**2)))
    return float(np.median(apart.max(axis=1)))


@pytest.mark.parametrize("design", ["sobol", "random"])
def test_given_data_indices_of_normal_numbers_are_those_of_their_definition(design):
    draws = normal_sum().simulate(draws=8192, seed=3, design=design)
    found = sensitivity.given_data(draws, "y", seed=1)
    rhos = [3 / math.sqrt(13), 2 / math.sqrt(13), 0.0]
    np.testing.assert_allclose(found.first_order.values[0], np.square(rhos), atol=0.015)
    np.testing.assert_allclose(found.delta.values[0], [delta_of_normals(r) for r in rhos], atol=0.02)
    np.testing.assert_allclose(found.pawn.values[0], [kolmogorov_of_normals(r) for r in rhos], atol=0.03)


def test_given_data_takes_correlated_assumptions():
    together = normal_sum().correlate({("a", "b"): 0.6})
    rho = 2 * math.sin(math.pi * 0.6 / 6)
    found = sensitivity.given_data(together.simulate(draws=8192, seed=3), "y", seed=1).first_order.values[0]
    whole = 9 + 4 + 12 * rho
    np.testing.assert_allclose(found, [(3 + 2 * rho) ** 2 / whole, (2 + 3 * rho) ** 2 / whole, 0], atol=0.015)


def test_given_data_intervals_of_first_order_hold_the_truth():
    truth, inside = np.array([9, 4, 0]) / 13, []
    for seed in range(30):
        draws = normal_sum().simulate(draws=256, seed=seed, design="random")
        found = sensitivity.given_data(draws, "y", seed=seed, resamples=20)
        inside.append((found.first_order_lower.values[0] <= truth) & (truth <= found.first_order_upper.values[0]))
    assert 0.8 <= np.mean(inside) <= 0.99  # 90% nominal, 90 looks


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_salibs_delta_and_pawn_agree(monkeypatch):
    from SALib.analyze import delta, pawn

    # SALib sets both for the whole process: the first is put back afterwards, the second not let through.
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(warnings, "simplefilter", lambda *args, **kwargs: None)

    draws = normal_sum().simulate(draws=512, seed=3)
    x = np.column_stack([draws[n].values.ravel() for n in "abc"])
    y = draws.y.values.ravel()
    problem = {"num_vars": 3, "names": list("abc"), "bounds": [[-5, 5]] * 3}
    found = sensitivity.given_data(draws, "y", seed=1)
    theirs = delta.analyze(problem, x, y, num_resamples=2, seed=1, method="delta")
    # The third truly is 0: SALib says 0.053.
    np.testing.assert_allclose(found.delta.values[0], theirs["delta_raw"], atol=0.06)
    np.testing.assert_allclose(found.pawn.values[0], pawn.analyze(problem, x, y, S=16, seed=1)["median"], atol=0.05)


def test_hsic_is_that_of_openturns():
    import openturns

    made = model_of(ishigami, dict.fromkeys("abc", dist.uniform(-math.pi, math.pi)))
    draws = made.simulate(draws=32, seed=1, design="random")
    columns = [openturns.Sample(draws[name].values.reshape(-1, 1).tolist()) for name in "abcy"]
    kernels = []
    for column in columns:
        kernel = openturns.SquaredExponential(1)
        kernel.setScale(column.computeStandardDeviation())
        kernels.append(kernel)
    together = openturns.Sample(np.hstack([np.array(column) for column in columns[:3]]).tolist())
    theirs = openturns.HSICEstimatorGlobalSensitivity(kernels, together, columns[3], openturns.HSICVStat())
    found = sensitivity.hsic(draws, "y").isel(quantity=0)
    np.testing.assert_allclose(found.hsic.values, np.array(theirs.getR2HSICIndices()), rtol=1e-9)
    # They take the variance under independence from products of both kernels, we from that of each.
    np.testing.assert_allclose(found.p_value.values, np.array(theirs.getPValuesAsymptotic()), rtol=0.001, atol=0.002)
