"""Reverting growth: the Kalman filter against dense normals, the closed step, its limits, and `infer` on equations."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim import forecasting
from demandsim.equations import equation_named
from demandsim.errors import DemandsimError
from demandsim.forecasting import kalman
from demandsim.forecasting.figures import EXCESS, Figures
from demandsim.forecasting.reverting_growth import transition
from demandsim.inference.importance import keyed

YEARS = np.array([2024.37, 2024.71, 2024.96, 2025.75])
LOGS = np.log([0.12, 1.3, 4.0, 30.0])


def figures(sides=0.0, sds=0.14):
    return Figures(YEARS, LOGS, np.full(4, sds), np.full(4, sides), YEARS)


# The step


@pytest.mark.parametrize(("half_life", "time"), [(0.4, 0.3), (2.0, 1e-4), (50.0, 0.2), (0.05, 3.0)])
def test_the_step_is_the_integral_of_its_kernel(half_life, time):
    kappa, sd = math.log(2) / half_life, 0.8
    noise = 2 * kappa * sd**2

    def kernel(u):
        return -math.expm1(-kappa * u) / kappa

    def integral(f):
        return noise * integrate.quad(f, 0, time, epsabs=0)[0]

    (kept, gained), (level, cross, rate) = transition(time, np.array([half_life]), np.array([sd]))
    assert kept[0] == pytest.approx(math.exp(-kappa * time))
    assert gained[0] == pytest.approx(kernel(time))
    assert level[0] == pytest.approx(integral(lambda u: kernel(u) ** 2), rel=1e-5)
    assert cross[0] == pytest.approx(integral(lambda u: kernel(u) * math.exp(-kappa * u)), rel=1e-5)
    assert rate[0] == pytest.approx(integral(lambda u: math.exp(-2 * kappa * u)), rel=1e-5)


@given(st.floats(0.01, 3), st.floats(0.01, 3), st.floats(0.05, 20))
def test_two_steps_are_one(first, second, half_life):
    """Chapman and Kolmogorov: exact between any dates, however many lie between."""
    half, sd = np.array([half_life]), np.array([1.0])

    def step(time):
        (kept, gained), (level, cross, rate) = transition(time, half, sd)
        return np.array([[1.0, gained[0]], [0.0, kept[0]]]), np.array([[level[0], cross[0]], [cross[0], rate[0]]])

    (one, noise_one), (two, noise_two), (whole, noise) = step(first), step(second), step(first + second)
    np.testing.assert_allclose(two @ one, whole, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(two @ noise_one @ two.T + noise_two, noise, rtol=1e-4, atol=1e-9)


def test_long_half_lives_are_a_local_linear_trend_and_short_ones_a_random_walk():
    time, half = 0.7, 1e6
    sd = 0.5 * math.sqrt(half / (2 * math.log(2)))
    _, (level, cross, rate) = transition(time, np.array([half]), np.array([sd]))
    np.testing.assert_allclose(
        [level[0], cross[0], rate[0]], 0.25 * np.array([time**3 / 3, time**2 / 2, time]), rtol=1e-4
    )
    short = 1e-5
    sd = 0.5 / math.sqrt(2 * short / math.log(2))
    (kept, gained), (level, _, _) = transition(time, np.array([short]), np.array([sd]))
    assert kept[0] == 0.0
    assert gained[0] < 1e-4
    assert level[0] == pytest.approx(0.25 * time, rel=1e-3)


# The filter


def dense(steps, mean, covariance):
    """Mean and covariance of all states, written out, and the places of what was measured."""
    means, blocks = [], []
    for step in steps:
        mean, covariance = step.move[0] @ mean, step.move[0] @ covariance @ step.move[0].T + step.noise[0]
        blocks = [[*row, row[-1] @ step.move[0].T] for row in blocks]
        blocks.append([None] * len(means) + [covariance])
        means.append(mean)
    size, states = len(means), means[0].size
    whole = np.zeros((size * states, size * states))
    for i in range(size):
        for j in range(i, size):
            part = blocks[i][j]
            whole[i * states : (i + 1) * states, j * states : (j + 1) * states] = part
            whole[j * states : (j + 1) * states, i * states : (i + 1) * states] = part.T
    return np.concatenate(means), whole


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(3)
    steps = []
    for place in range(5):
        root = 0.4 * rng.normal(size=(2, 2))
        move = np.array([[1.0, 0.3 + 0.1 * place], [0.0, 0.8]])
        measured = {} if place == 2 else {"state": place % 2, "value": float(rng.normal()), "variance": 0.3}
        steps.append(kalman.Step(move[None], (root @ root.T)[None], **measured))
    return steps, np.array([0.5, -0.2]), np.array([[1.0, 0.2], [0.2, 0.5]])


def measured(steps):
    rows = [2 * place + step.state for place, step in enumerate(steps) if step.state is not None]
    return rows, np.array([step.value for step in steps if step.state is not None])


def test_the_likelihood_is_that_of_a_dense_normal(problem):
    steps, mean, covariance = problem
    whole_mean, whole = dense(steps, mean, covariance)
    rows, values = measured(steps)
    expected = stats.multivariate_normal(whole_mean[rows], whole[np.ix_(rows, rows)] + 0.3 * np.eye(4)).logpdf(values)
    assert kalman.log_likelihood(mean[None], covariance[None], steps)[0] == pytest.approx(expected, rel=1e-12)


def test_drawn_paths_have_the_mean_and_covariance_of_the_dense_posterior(problem):
    steps, mean, covariance = problem
    whole_mean, whole = dense(steps, mean, covariance)
    rows, values = measured(steps)
    gain = whole[:, rows] @ np.linalg.inv(whole[np.ix_(rows, rows)] + 0.3 * np.eye(4))
    expected, spread = whole_mean + gain @ (values - whole_mean[rows]), whole - gain @ whole[rows]
    many = 40_000
    wide = [
        kalman.Step(np.repeat(s.move, many, 0), np.repeat(s.noise, many, 0), s.state, s.value, s.variance)
        for s in steps
    ]
    drawn = kalman.smoothed_draws(np.tile(mean, (many, 1)), np.tile(covariance, (many, 1, 1)), wide, keyed(1))
    flat = drawn.reshape(many, -1)
    np.testing.assert_allclose(flat.mean(0), expected, atol=5 * np.sqrt(np.diag(spread)).max() / math.sqrt(many))
    np.testing.assert_allclose(np.cov(flat.T), spread, atol=0.02)


# The model


def test_paths_agree_with_inference_on_the_equations_of_the_same_model():
    """Levels and hyperparameters of the filter and of `infer` on 'growth.reverting_rate' differ by their errors."""
    years = [*YEARS.tolist(), 2026.25]
    elapsed = xr.DataArray(np.array(years) - years[0], {"year": years}, "year")
    zero = xr.zeros_like(elapsed)
    model = ds.Model(
        [equation_named("growth.reverting_rate"), equation_named("growth.varying_growth")],
        {
            "initial_tokens": ds.Assumption("lognormal(median=0.12e12, factor=20, prob=0.9)", unit="token/day"),
            "initial_rate": ds.Assumption("normal(mean=0.7, sd=2)", unit="1/year"),
            "mean_growth_rate": ds.Assumption("normal(mean=0.7, sd=0.7)", unit="1/year"),
            "half_life": ds.Assumption("lognormal(median=1, factor=4, prob=0.9)", unit="year"),
            "rate_sd": ds.Assumption("lognormal(median=0.7, factor=2, prob=0.9)", unit="1/year"),
            "rate_shock": ds.Assumption(dist.normal(mean=zero, sd=zero + 1)),
            "level_shock": ds.Assumption(dist.normal(mean=zero, sd=zero + 1)),
            "elapsed_time": ds.Assumption(dist.constant(elapsed), unit="year"),
        },
    )
    read = xr.DataArray(1e12 * np.exp(LOGS), {"year": years[:4]}, "year")
    error = xr.full_like(read, math.exp(0.14 * stats.norm.ppf(0.95)))
    found = model.observe(top_down_tokens=dist.lognormal(median=read, factor=error, prob=0.9)).infer(256, seed=1)
    assert found.attrs["method"] == "conditional"
    prior = forecasting.GrowthPrior(
        mean_growth=dist.normal(mean=0.7, sd=0.7),
        rate_sd=dist.lognormal(median=0.7, factor=2, prob=0.9),
        half_life=dist.lognormal(median=1, factor=4, prob=0.9),
        definition_drift=dist.lognormal(median=1e-6, factor=2, prob=0.9),
        launch_sd=2.0,
    )
    paths = forecasting.RevertingGrowth(prior, points=512).paths(
        [figures()], np.array([2025.75, 2026.25]), draws=256, chains=8, seed=1
    )
    for place, year in enumerate((2025.75, 2026.25)):
        ours = np.quantile(paths.levels[:, :, 0, place], [0.05, 0.25, 0.5, 0.75, 0.95], axis=1)
        theirs = np.log(found.top_down_tokens.sel(year=year) / 1e12).quantile([0.05, 0.25, 0.5, 0.75, 0.95], "draw")
        apart = ours.mean(1) - theirs.mean("chain").values
        error = np.hypot(ours.std(1, ddof=1), theirs.std("chain", ddof=1).values) / math.sqrt(8)
        assert (np.abs(apart) < 4 * error + 0.01).all()
    apart = paths.hyperparameters["mean_growth"].mean() - found.mean_growth_rate.mean().item()
    assert abs(apart) < 0.06
    for name in ("half_life", "rate_sd"):
        ours, theirs = np.log(paths.hyperparameters[name]).mean(1), np.log(found[name]).mean("draw").values
        error = math.hypot(ours.std(ddof=1), theirs.std(ddof=1)) / math.sqrt(8)
        assert abs(ours.mean() - theirs.mean()) < 4 * error + 0.02


def test_the_same_seed_gives_the_same_bits_and_chains_stand_alone():
    model = forecasting.RevertingGrowth(points=128)
    one, again = (model.paths([figures()], YEARS[-1:] + 1, draws=64, chains=2, seed=5).levels for _ in range(2))
    assert (one == again).all()
    assert not (one == model.paths([figures()], YEARS[-1:] + 1, draws=64, chains=2, seed=6).levels).any()


def test_a_lower_bound_pulls_the_level_up_and_an_upper_bound_down():
    model = forecasting.RevertingGrowth(points=256)
    levels = {
        side: model.paths([figures(side)], YEARS[-1:], draws=256, chains=4, seed=1).levels.mean() for side in (-1, 0, 1)
    }
    assert 0.03 < levels[1] - levels[0] < 1.5 * EXCESS
    assert 0.03 < levels[0] - levels[-1] < 1.5 * EXCESS


def test_other_publishers_narrow_what_is_said_of_one_that_has_only_begun():
    little = figures()[:2]
    alone = forecasting.RevertingGrowth(points=256).paths([little], np.array([2025.75]), draws=256, chains=4, seed=1)
    prior = forecasting.GrowthPrior(growth_correlation=dist.uniform(0.85, 0.89))
    both = forecasting.RevertingGrowth(prior, points=256).paths(
        [little, figures()], np.array([2025.75]), draws=256, chains=4, seed=1
    )
    assert both.levels.shape == (4, 256, 2, 1)
    assert both.levels[:, :, 0].std() < alone.levels.std()


def test_a_reference_class_is_learned_from_others():
    solar = ds.load_series("solar-capacity").capacity
    prior = forecasting.reference_class({"solar": solar}, factors={"exact": 1.02}, draws=128, chains=4, seed=1)
    assert prior.rate_sd.median().item() < 0.3
    assert 0.1 < prior.mean_growth.mean().item() < 0.5
    with pytest.raises(DemandsimError, match="'solar' has 2 figures"):
        forecasting.reference_class({"solar": solar[:2]})
    with pytest.raises(DemandsimError, match="needs at least one series"):
        forecasting.reference_class({})


def test_a_prior_says_what_it_cannot_be():
    with pytest.raises(DemandsimError, match="mean_growth must be a normal distribution"):
        forecasting.GrowthPrior(mean_growth=dist.uniform(0, 1))


# Figures


def test_figures_are_read_with_their_day_error_and_side():
    found = forecasting.figures_of(ds.load_series("doubao-daily-tokens").daily_tokens)
    assert found.sides.tolist() == [0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0]
    # The middle of May 2024, and the end of it where no day of announcement is known.
    assert found.years[0] == pytest.approx(2024 + 135.5 / 366, abs=0.003)
    assert found.announced[0] == pytest.approx(2024 + 151 / 366, abs=0.003)
    assert len(found.known(2025.99)) == 8


@pytest.mark.parametrize(
    ("series", "says"),
    [
        (xr.DataArray([1.0], {"year": [2024]}, "year"), "dim 'date' alone"),
        (xr.DataArray([-1.0], {"date": np.array(["2024-01-01"], "datetime64[ns]")}, "date", "x"), "must be positive"),
        (
            xr.DataArray(
                [1.0], {"date": np.array(["2024-01-01"], "datetime64[ns]"), "qualifier": ("date", ["forecast"])}, "date"
            ),
            "no factor for figures that are 'forecast'",
        ),
    ],
)
def test_what_is_no_series_to_forecast_says_why(series, says):
    with pytest.raises(DemandsimError, match=says):
        forecasting.figures_of(series)
