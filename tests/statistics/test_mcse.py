"""Monte Carlo errors: as large as the errors are, whatever the design, the inputs and the size of the numbers."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.sampling.qmc import UNIFORMS, Stream
from demandsim.statistics.estimators import Asked, array_statistics, share_and_error
from demandsim.statistics.mcse import level_mcse, share_mcse, spread_to_mcse
from demandsim.statistics.streaming import stream_statistics

EVEN = ["latin_hypercube", "sobol"]
LEVELS = (0.01, 0.05, 0.5, 0.95, 0.99)
SEEDS = 200


def uniform(design, draws, seed):
    stream = Stream("u")
    return np.array([UNIFORMS[design](seed, chain, stream, 0, draws, draws) for chain in range(8)])


def covered(design, draws, edges=()):
    """Share of seeds whose error covers the truth: mean, sd, P1 to P99 of one uniform, and chances above some edges."""
    exact = [0.5, math.sqrt(1 / 12), *LEVELS, *(1 - edge for edge in edges)]
    hits = []
    for seed in range(SEEDS):
        values = uniform(design, draws, seed)
        row, _ = array_statistics(values, Asked(0.9, probs=LEVELS))
        estimates, errors = [*row[:2], *row[5:10]], [*row[10:12], *row[15:]]
        for edge in edges:
            share, error = share_and_error((values > edge).sum(axis=1), np.full(8, draws), iid=False)
            estimates.append(share)
            errors.append(error)
        hits.append(np.abs(np.subtract(estimates, exact)) <= errors)
    return np.mean(hits, axis=0)


@pytest.mark.parametrize("design", EVEN)
@pytest.mark.parametrize("draws", [512, 1024])
def test_one_error_covers_the_truth_in_two_runs_of_three_for_a_single_input(design, draws):
    # Four binomial standard errors below 68.3%; benchmarks/honest_error.py has all sizes and more inputs.
    found = covered(design, draws)
    assert np.all(found > 0.55)
    assert np.all(found < 0.87)


@pytest.mark.parametrize("design", EVEN)
def test_the_error_of_a_rare_probability_is_never_zero_and_covers_the_truth(design):
    model = ds.Model([], {"u": dist.uniform(0, 1)})
    found = [ds.probability(model.simulate(draws=1024, seed=seed, design=design).u > 0.999) for seed in range(20)]
    errors = np.array([one.mcse.item() for one in found])
    off = np.abs([one.probability.item() - 0.001 for one in found])
    assert np.all(errors > 0.1e-3 / 8)
    assert np.all(errors < 0.3e-3)
    assert np.mean(off <= errors) > 0.62


def test_means_of_few_values_and_of_two_peaks_are_not_called_exact():
    for law, exact in (
        (dist.discrete([0, 1], weights=[0.7, 0.3]), 0.3),
        (dist.mixture([dist.normal(mean=-3, sd=0.1), dist.normal(mean=3, sd=0.1)], weights=[0.7, 0.3]), -1.2),
    ):
        model, hits = ds.Model([], {"x": law}), []
        for seed in range(40):
            x = ds.summarize(model.simulate(draws=1024, seed=seed)).x
            assert x.sel(statistic="mcse_mean") > 0
            hits.append(abs(x.sel(statistic="mean") - exact) <= x.sel(statistic="mcse_mean"))
        assert np.mean(hits) > 0.62


def test_errors_of_levels_and_shares_are_as_worked_by_hand():
    # 8 chains of 100 draws: six count 12 and two 13, so that 12.25 are expected and 0.25 is the chance of a 13th.
    counts, sizes = np.array([12.0] * 6 + [13.0] * 2), np.full(8, 100.0)
    chance = (8 * 0.25 + 0.5) / 9
    assert share_mcse(counts, sizes) == pytest.approx(math.sqrt(8 * chance * (1 - chance) + 1) / 800)
    beta = 64 * chance * (1 - chance) / 9
    assert level_mcse(counts, sizes, 0.1225) == pytest.approx(math.sqrt(beta + (0.5 - 0.1225) ** 2) / 800)
    # Chains that differ by more tell their own spread.
    counts[0] = 20.0
    spread = float(spread_to_mcse(counts / sizes))
    assert share_mcse(counts, sizes) == pytest.approx(math.hypot(spread, 1 / 800))
    assert math.isnan(share_mcse(np.array([12.0]), np.array([100.0])))


shapes = arrays.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=40)
apart = arrays.arrays(np.float64, shapes, elements=st.integers(-(10**6), 10**6).map(float), unique=True)


@given(values=apart, iid=st.booleans(), kind=st.sampled_from(["eti", "hdi"]), prob=st.floats(0.05, 0.99))
def test_no_error_is_zero_unless_the_value_is_sure(values, iid, kind, prob):
    asked = Asked(prob, kind, (0.25,), iid)
    row, _ = array_statistics(values, asked)
    errors = dict(zip(("mean", "sd", "median", "lower", "upper", "p25"), row[asked.count :], strict=True))
    if kind == "hdi":
        # Ends of the narrowest interval are those of the chains.
        del errors["lower"], errors["upper"]
    assert all(error > 0 for error in errors.values()), errors


@pytest.mark.parametrize("iid", [True, False])
def test_chains_that_agree_on_a_coin_are_not_sure_of_its_mean_or_sd(iid):
    row, _ = array_statistics(np.array([[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 1.0]]), Asked(0.9, iid=iid))
    assert row[5] > 0
    assert row[6] > 0


# Numbers of any size


@given(
    values=arrays.arrays(np.float64, shapes, elements=st.floats(-1, 1, allow_subnormal=False).map(lambda x: x + 0.01)),
    power=st.sampled_from([-1000, -700, -260, -130, 130, 260, 700, 1000]),
    iid=st.booleans(),
    kind=st.sampled_from(["eti", "hdi"]),
)
def test_statistics_of_numbers_of_any_size_are_those_of_ordinary_numbers(values, power, iid, kind):
    asked = Asked(0.9, kind, (0.3,), iid)
    ordinary, _ = array_statistics(values, asked)
    scaled, _ = array_statistics(np.ldexp(values, power), asked)
    np.testing.assert_allclose(np.ldexp(scaled, -power), ordinary, rtol=1e-9, atol=1e-15)


def test_statistics_hold_at_the_ends_of_the_doubles():
    largest = np.finfo(float).max
    ends = np.array([[-largest, largest, 0.0, largest / 2], [largest, -largest, 0.0, -largest / 2]])
    for iid in (True, False):
        for kind in ("eti", "hdi"):
            row, _ = array_statistics(ends, Asked(0.5, kind, iid=iid))
            assert np.isfinite(row).all()
            assert row[0] == 0
            assert row[1] == pytest.approx(np.std(ends / largest, ddof=1) * largest, rel=0.1)
    tiny = np.array([[5e-324, 1e-323, 0.0, 1.5e-323], [2e-323, 5e-324, 0.0, 2.5e-323]])
    assert array_statistics(tiny, Asked(0.5, iid=True))[0][1] > 0


@pytest.mark.parametrize("size", [1e18, 1e-22, 1e30, 1e-35])
@pytest.mark.parametrize("design", ["random", "sobol"])
def test_single_precision_is_summarized_as_double(size, design):
    draws = np.random.default_rng(1).lognormal(0, 1, (8, 512)) * size
    coords = {"chain": ("chain", np.arange(8), {"design": design})}
    double = xr.DataArray(draws, dims=("chain", "draw"), coords=coords, name="x")
    expected, found = (ds.summarize(one, probs=[0.99]).x for one in (double, double.astype(np.float32)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_report_in_single_precision_is_the_report():
    model = ds.load_study("guosen-2025-01")
    single, double = (
        ds.summarize(model.simulate(draws=1024, chains=4, seed=1, dtype=dtype, design="random"))
        for dtype in ("float32", "float64")
    )
    for name, expected in double.data_vars.items():
        # A margin is a difference of large numbers, which single precision rounds.
        scale = 1e-5 * float(np.abs(expected).max())
        np.testing.assert_allclose(single[name], expected, rtol=1e-5, atol=scale if name == "gross_margin" else 0)


@pytest.mark.parametrize("design", ["random", "latin_hypercube", "sobol"])
@pytest.mark.parametrize("kind", ["eti", "hdi"])
def test_streamed_errors_are_those_of_draws_in_memory(design, kind):
    values = np.array([stats.lognorm(1).ppf(row) for row in uniform(design, 4096, 3)])
    values *= np.array(
        [stats.lognorm(0.5).ppf(UNIFORMS[design](4, c, Stream("v", 0, 1), 0, 4096, 4096)) for c in range(8)]
    )
    asked = Asked(0.9, kind, (0.01, 0.99), iid=design == "random")
    lazy = xr.DataArray(values, dims=("chain", "draw"), name="x").chunk({"chain": 1, "draw": 1000})
    streamed = stream_statistics({"x": lazy}, asked)["x", ()].row
    held, _ = array_statistics(values, asked)
    np.testing.assert_allclose(streamed[: asked.count], held[: asked.count], rtol=2e-4)
    plain = [
        place for place in range(asked.count, 2 * asked.count) if kind == "eti" or place % asked.count not in (3, 4)
    ]
    np.testing.assert_allclose(np.array(streamed)[plain], np.array(held)[plain], rtol=0.02)


def test_single_draws_say_nothing_of_their_error():
    def read(values):
        found = ds.summarize(xr.Dataset({"x": (("chain", "draw"), values)})).x
        return {str(word): float(found.sel(statistic=word)) for word in found.statistic.values}

    values = np.random.default_rng(1).normal(size=(4, 1))
    with pytest.warns(ds.errors.DesignWarning, match="left NaN"):
        alone = read(values[:1])
    assert alone["mean"] == alone["lower"] == values[0, 0]
    assert all(math.isnan(value) for word, value in alone.items() if word == "sd" or word.startswith("mcse"))
    several = read(values)
    assert several["mcse_mean"] > 0
    assert math.isnan(several["mcse_sd"])
    # What is the same in every scenario, chain and draw is sure.
    fixed = ds.Model([], {"x": 2.0, "y": ds.Assumption(dist.normal(mean=0, sd=1))}).simulate(1, chains=1, seed=1)
    with pytest.warns(ds.errors.DesignWarning):
        assert ds.summarize(fixed).x.sel(statistic=["sd", "mcse_mean"]).values.tolist() == [0.0, 0.0]
