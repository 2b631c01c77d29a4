"""Indices that are not silently wrong: heavy tails, rounding, sizes, and intervals that hold the truth."""

import math
import warnings

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim import sensitivity
from demandsim.errors import HeavyTailWarning
from demandsim.sensitivity.kernels import folds_of
from demandsim.sensitivity.tails import tail_shape

NORMAL = dist.normal(mean=0, sd=1)


def lognormal(sigma):
    return dist.lognormal(median=1, factor=math.exp(stats.norm.ppf(0.95) * sigma))


def model_of(function, **assumptions):
    return ds.Model([ds.equation(function, unit="1", name="y")], assumptions)


def product(sigma):
    return model_of(lambda a, b: a * b, a=lognormal(sigma), b=lognormal(sigma))


# Heavy tails


@pytest.mark.parametrize("seed", [1, 101])
def test_a_variance_that_hangs_on_few_draws_is_warned_of_with_the_way_out(seed):
    heavy = product(1.5)
    with pytest.warns(HeavyTailWarning, match=r"variance of 'y' hangs on a few extreme draws.*log=True"):
        sensitivity.sobol(heavy, "y", draws=256, seed=seed)
    with pytest.warns(HeavyTailWarning, match=r"shapley: the variance of 'y'.*log=True"):
        sensitivity.shapley(heavy, "y", draws=64, seed=seed)
    draws = heavy.simulate(draws=1024, seed=seed)
    with pytest.warns(HeavyTailWarning, match=r"given_data: the variance of 'y'.*delta and pawn"):
        sensitivity.given_data(draws, "y", seed=1)


def test_the_way_out_of_heavy_tails_is_exact():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sensitivity.sobol(product(1.5), "y", draws=64, seed=1, log=True)
    np.testing.assert_allclose(found.total_order.values[0], 0.5, atol=1e-6)


@pytest.mark.parametrize(
    "function",
    [lambda a, b, c: a**3 + b, lambda a, b, c: b / c, lambda a, b, c: np.exp(2 * b) - np.exp(2 * c)],
    ids=["one of the inputs", "a ratio", "both signs"],
)
def test_siblings_of_heavy_tails_are_warned_of_without_a_logarithm(function):
    with pytest.warns(HeavyTailWarning, match="Instead explain whether a threshold is passed with event="):
        sensitivity.sobol(model_of(function, a=lognormal(1.2), b=NORMAL, c=NORMAL), "y", draws=256, seed=1)


def test_what_is_exact_or_has_short_tails_is_not_warned_of():
    study = ds.load_study("guosen-2025-01")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sensitivity.sobol(study, ["cards", "revenue", "gross_margin"], draws=32, seed=1)
        sensitivity.sobol(model_of(lambda a, b: np.round(a) + (b > 0), a=NORMAL, b=NORMAL), "y", draws=256, seed=1)
        sensitivity.sobol(product(1.5), event="y > 100", draws=256, seed=1)
        # Exact shares of a product whose draws alone would not tell them.
        found = sensitivity.sobol(product(1.0), "y", draws=64, seed=1)
    v = math.expm1(1)
    np.testing.assert_allclose(found.total_order.values[0], v * (1 + v) / ((1 + v) ** 2 - 1), atol=1e-5)


def test_too_few_draws_are_said_to_be_too_few():
    wild = model_of(lambda a, b: np.sin(20 * a) * np.sign(b), a=NORMAL, b=NORMAL)
    with pytest.warns(HeavyTailWarning, match="so few draws do not tell the indices of 'y'"):
        sensitivity.sobol(wild, "y", draws=1, chains=2, seed=1)


def test_the_shape_of_tails_is_that_of_the_distribution():
    u = (np.arange(20_000) + 0.5) / 20_000
    for law, shape in ((stats.norm(), 0.0), (stats.t(3), 1 / 3), (stats.pareto(2), 1 / 2), (stats.cauchy(), 1.0)):
        assert tail_shape(law.ppf(u)) == pytest.approx(shape, abs=0.1)
    assert tail_shape(np.repeat([0.0, 1.0], 500)) == 0
    assert tail_shape(np.full(500, 3.0)) == 0


# Rounding and sizes


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e12, 1e200])
def test_indices_do_not_hang_on_the_size_of_a_result(size):
    sums = model_of(lambda a, b: size * (2 + a + 0.5 * b), a=NORMAL, b=NORMAL)
    found = sensitivity.sobol(sums, "y", draws=64, seed=1)
    np.testing.assert_allclose(found.first_order.values[0], [0.8, 0.2], atol=1e-4)
    draws = sums.simulate(draws=128, seed=1)
    same = draws.assign(y=(draws.y / size).assign_attrs(draws.y.attrs), a=(draws.a * size).assign_attrs(draws.a.attrs))
    for read in (sensitivity.given_data, sensitivity.regional):
        one, other = (
            read(each, "y", **({"seed": 1} if read is sensitivity.given_data else {})) for each in (draws, same)
        )
        for name in one.data_vars:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-9, err_msg=str(name))
            assert np.isfinite(one[name]).all()


def test_little_variation_about_a_large_mean_is_divided():
    found = sensitivity.sobol(model_of(lambda a, b: 1e12 + a + 0.5 * b, a=NORMAL, b=NORMAL), "y", draws=64, seed=1)
    np.testing.assert_allclose(found.total_order.values[0], [0.8, 0.2], atol=1e-4)


@pytest.mark.parametrize("function", [lambda a, b: 3 * (a / 3 / a) + 0 * b, lambda a, b: 1e17 + a + b])
def test_rounding_has_no_causes(function):
    constant = model_of(function, a=lognormal(0.5), b=NORMAL)
    assert np.isnan(sensitivity.sobol(constant, "y", draws=64, seed=1).total_order).all()
    assert np.isnan(sensitivity.shapley(constant, "y", draws=64, seed=1).effect).all()
    found = sensitivity.given_data(constant.simulate(draws=128, seed=1), "y", seed=1)
    assert np.isnan(found.first_order).all()
    assert np.isnan(found.delta).all()


# Given data


def of_correlation(rho):
    """Delta and PAWN of one of two normal numbers with this correlation, by the definition."""
    x = stats.norm.ppf((np.arange(400) + 0.5) / 400)[:, None]
    y = np.linspace(-9, 9, 4001)
    gap = stats.norm.cdf(y) - stats.norm.cdf((y - rho * x) / math.sqrt(1 - rho**2))
    return 0.5 * np.abs(np.diff(gap, axis=1)).sum(axis=1).mean(), float(np.median(np.abs(gap).max(axis=1)))


def test_delta_and_pawn_of_small_effects_are_unbiased_and_covered():
    slopes = np.array([3, 2, 1, 0.5])
    sums = model_of(lambda a, b, c, d: 3 * a + 2 * b + c + 0.5 * d, **dict.fromkeys("abcd", NORMAL))
    delta, pawn = np.transpose([of_correlation(r) for r in slopes / math.sqrt(slopes @ slopes)])
    estimates, inside = [], []
    for seed in range(6):
        draws = sums.simulate(draws=4096, seed=seed, design="random")
        found = sensitivity.given_data(draws, "y", seed=seed, resamples=50).isel(quantity=0)
        estimates.append([found.delta.values, found.pawn.values])
        for name, truth in (("delta", delta), ("pawn", pawn)):
            inside.append((found[f"{name}_lower"].values <= truth) & (truth <= found[f"{name}_upper"].values))
    middle = np.mean(estimates, axis=0)
    np.testing.assert_allclose(middle[0], delta, atol=0.004)
    np.testing.assert_allclose(middle[1], pawn, atol=0.006)
    assert np.mean(inside) >= 0.82


@pytest.mark.parametrize("design", ["sobol", "random"])
def test_what_does_not_matter_has_no_delta_and_no_pawn(design):
    idle = model_of(lambda a, b: a + 0 * b, a=NORMAL, b=NORMAL)
    found = sensitivity.given_data(idle.simulate(draws=1024, seed=2, design=design), "y", seed=1)
    found = found.isel(quantity=0)
    for name in ("delta", "pawn"):
        assert found[f"{name}_lower"].sel(assumption="b") == 0
        assert found[name].sel(assumption="b") < 0.03
    # It is its assumption: nothing could tell more.
    assert found.delta_upper.sel(assumption="a") == pytest.approx(1, abs=0.005)
    assert found.pawn_lower.sel(assumption="a") <= 0.75 <= found.pawn_upper.sel(assumption="a")


def test_delta_and_pawn_of_an_event_are_those_of_its_probability():
    # P(y = 1 | a) is a uniform number: half the mean distance of both probabilities is 1/4, and so is the median.
    happens = model_of(lambda a, b: 1.0 * (a + b > 0), a=NORMAL, b=NORMAL)
    found = sensitivity.given_data(happens.simulate(draws=2048, seed=3), "y", seed=1)
    np.testing.assert_allclose(found.delta.values[0], 0.25, atol=0.01)
    np.testing.assert_allclose(found.pawn.values[0], 0.25, atol=0.015)


@pytest.mark.parametrize(("chains", "folds"), [(1, 8), (2, 8), (3, 9), (8, 8), (40, 16)])
def test_folds_are_chains_or_pieces_of_them(chains, folds):
    chain = np.repeat(np.arange(chains), 60)[7:]
    found = folds_of(chain)
    assert np.unique(found).tolist() == list(range(folds))
    if folds <= chains:
        assert all(np.unique(found[chain == c]).size == 1 for c in range(chains))


# Tornado


def test_a_tornado_of_several_scenarios_names_in_each_panel_what_holds_there():
    study = ds.load_study("guosen-2025-01")

    def said(model):
        axes = ds.plots.tornado(sensitivity.tornado(model, ["cards", "gross_margin"]))
        return [[text.get_text() for text in one.texts] for one in axes.T.ravel()]

    alone = [said(study.select(scenario=name)) for name in ("100T", "1000T")]
    assert said(study) == [*alone[0], *alone[1]]
    assert any("50 tn tokens/day" in texts for texts in alone[0])
    assert any("500 tn tokens/day" in texts for texts in alone[1])


def test_a_tornado_stands_on_the_point_of_the_model_that_it_is_given():
    changed = ds.load_study("guosen-2025-01").select(scenario="100T").assume(utilization=0.15)
    found = sensitivity.tornado(changed, "cards")
    np.testing.assert_allclose(found.cards.sel(end="base"), changed.point().cards.item(), rtol=1e-12)
    moved = changed.assume(utilization=ds.Assumption(dist.beta(mean=0.15, sd=0.05), point=0.15))
    found = sensitivity.tornado(moved, "cards")
    assert found.setting.sel(member="utilization", end="base").item() == 0.15
    low, base, high = found.setting.sel(member="utilization").values.ravel()
    assert low < base < high


# Bridge


def test_the_error_of_a_bridge_of_means_is_the_true_one():
    def version(mean, sd, median, sigma):
        return model_of(
            lambda a, b, c: a * b * c + np.exp(0.3 * a),
            a=dist.normal(mean=mean, sd=sd),
            b=dist.lognormal(median=median, factor=math.exp(stats.norm.ppf(0.95) * sigma)),
            c=dist.normal(mean=2, sd=1),
        )

    def mean(a, b):
        return a[0] * b[0] * math.exp(b[1] ** 2 / 2) * 2 + math.exp(0.3 * a[0] + 0.045 * a[1] ** 2)

    a, b = ((1, 0.5), (1.5, 0.7)), ((1, 0.5), (1.3, 0.8))
    by_a = 0.5 * (mean(a[1], b[0]) - mean(a[0], b[0]) + mean(a[1], b[1]) - mean(a[0], b[1]))
    exact = {"a": by_a, "b": mean(a[1], b[1]) - mean(a[0], b[0]) - by_a}
    before, after, inside = version(*a[0], *b[0]), version(*a[1], *b[1]), []
    for seed in range(30):
        found = sensitivity.bridge(before, after, "y", statistic="mean", draws=64, seed=seed).squeeze()
        for name, truth in exact.items():
            one = found.sel(change=name)
            half = stats.t.ppf(0.95, 7) * one.contribution_mcse.item()
            inside.append(abs(one.contribution.item() - truth) <= half)
    assert np.mean(inside) >= 0.82
