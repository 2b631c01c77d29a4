"""Highest density intervals of results with several peaks: closed forms, ArviZ, and no word where there is one peak."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import qmc

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DemandsimError, SeveralPeaksWarning
from demandsim.statistics.estimators import Asked, array_estimates

az = pytest.importorskip("arviz_stats.base").array_stats
pytestmark = pytest.mark.filterwarnings("ignore::demandsim.errors.HeavyTailWarning")


def exact(law, prob):
    """Ends of the values whose density is highest, of a mixture of (weight, mean, sd)."""
    x = np.linspace(-10, 20, 300_001)
    density = sum(weight * stats.norm.pdf(x, mean, sd) for weight, mean, sd in law)
    ordered = np.sort(density)[::-1]
    level = ordered[np.searchsorted(np.cumsum(ordered) * (x[1] - x[0]), prob)]
    held = np.flatnonzero(density >= level)
    jump = np.flatnonzero(np.diff(held) > 1)
    return np.stack([x[[held[0], *held[jump + 1]]], x[[*held[jump], held[-1]]]], axis=1)


def drawn(law, **settings):
    mixed = dist.mixture([dist.normal(mean=m, sd=s) for _, m, s in law], weights=[w for w, _, _ in law])
    model = ds.Model([ds.equation(lambda x: 1 * x, unit="1", name="y")], {"x": mixed})
    return model.simulate(**({"draws": 1024, "seed": 1} | settings))


def ends(found):
    several = [str(s) for s in found.statistic.values if str(s).startswith(("lower_", "upper_"))]
    values = found.sel(statistic=several).values.reshape(-1, 2)
    errors = found.sel(statistic=[f"mcse_{s}" for s in several]).values.reshape(-1, 2)
    kept = ~np.isnan(values[:, 0])
    return values[kept], errors[kept]


TWO = [(0.5, -3, 0.5), (0.5, 3, 0.5)]
LAWS = [
    TWO,
    [(0.3, 0, 1), (0.7, 5, 0.5)],
    [(0.2, 0, 0.7), (0.3, 5, 0.7), (0.5, 9, 0.7)],
    [(0.5, -1.5, 1), (0.5, 1.5, 1)],
]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("prob", [0.5, 0.9])
@pytest.mark.parametrize("design", ["sobol", "random"])
def test_pieces_are_those_of_the_closed_form_and_of_arviz(law, prob, design):
    draws = drawn(law, design=design)
    found, errors = ends(ds.summarize(draws, prob=prob, kind="hdi", multimodal=True).y)
    right = exact(law, prob)
    assert found.shape == right.shape
    assert np.all(errors > 0)
    assert np.all(np.abs(found - right) < 5 * errors + 0.05)
    theirs = az.hdi(draws.y.values.ravel(), prob=prob, method="multimodal")
    np.testing.assert_allclose(found, theirs, atol=0.3)
    # Without the gaps, the set holds what was asked.
    y = draws.y.values
    inside = sum(np.mean((low <= y) & (y <= high)) for low, high in found)
    assert inside == pytest.approx(prob, abs=0.002)


def two_peaks(u):
    """Quantiles of the first law, whose peaks do not overlap."""
    return np.where(
        u < 0.5, -3 + 0.5 * stats.norm.ppf(np.minimum(2 * u, 1)), 3 + 0.5 * stats.norm.ppf(np.maximum(2 * u - 1, 0))
    )


@pytest.mark.parametrize("design", ["random", "sobol"])
@pytest.mark.parametrize("multimodal", [False, True])
def test_one_error_covers_the_ends_in_two_of_three_runs(design, multimodal):
    law, right = (two_peaks, exact(TWO, 0.8)) if multimodal else (stats.norm.ppf, stats.norm.ppf([[0.1, 0.9]]))
    held = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        u = rng.random((8, 512))
        if design == "sobol":
            u = np.array([qmc.Sobol(1, seed=rng).random(512).ravel() for _ in range(8)])
        found = array_estimates(law(u), Asked(0.8, "hdi", iid=design == "random", multimodal=multimodal)).dense
        held.append(np.abs(found.ends - right) <= found.errors)
    # It was a quarter to a half.
    assert 0.58 < np.mean(held) < 0.82


def test_one_interval_with_an_empty_middle_is_warned_of():
    draws = drawn(TWO)
    with pytest.warns(SeveralPeaksWarning, match=r"'x' has several peaks.*from -2\.3\d* to 2\.3.*'y'.*multimodal=True"):
        one = ds.summarize(draws, prob=0.8, kind="hdi")
    assert float(one.y.sel(statistic="upper") - one.y.sel(statistic="lower")) > 6
    with warnings.catch_warnings():
        warnings.simplefilter("error", SeveralPeaksWarning)
        ds.summarize(draws, prob=0.8, kind="hdi", multimodal=True)
        ds.summarize(draws, prob=0.8)


ONE_PEAK = {
    "normal": stats.norm(),
    "uniform": stats.uniform(),
    "exponential": stats.expon(),
    "heavy": stats.lognorm(2),
    "t": stats.t(2),
    "beta": stats.beta(2, 5),
}


@pytest.mark.parametrize("name", ONE_PEAK)
@pytest.mark.parametrize("draws", [8, 64, 1024])
def test_one_peak_is_one_interval_without_a_word(name, draws):
    for seed in range(10):
        u = np.random.default_rng(seed).random((8, draws))
        data = ds.import_draws({"chain": np.repeat(range(8), draws), "x": ONE_PEAK[name].ppf(u).ravel()})
        for prob in (0.5, 0.9, 0.99):
            with warnings.catch_warnings():
                warnings.simplefilter("error", SeveralPeaksWarning)
                one = ds.summarize(data, prob=prob, kind="hdi").x
            several = ds.summarize(data, prob=prob, kind="hdi", multimodal=True).x
            assert len(ends(several)[0]) == 1
            np.testing.assert_array_equal(several.sel(statistic=one.statistic), one)


@pytest.mark.parametrize(
    ("values", "weights", "pieces"),
    [
        ([0, 10], [0.5, 0.5], [[0, 0], [10, 10]]),
        ([0, 1], [0.5, 0.5], [[0, 1]]),
        ([1, 2, 3, 9], [0.3, 0.3, 0.2, 0.2], [[1, 3], [9, 9]]),
        ([1, 2, 3, 4], [0.4, 0.02, 0.4, 0.18], [[1, 1], [3, 4]]),
        ([0.3, 0.4, 0.5], [0.4, 0.2, 0.4], [[0.3, 0.5]]),
    ],
)
def test_values_that_are_next_to_each_other_are_one_interval(values, weights, pieces):
    model = ds.Model([ds.equation(lambda x: 1 * x, unit="1", name="y")], {"x": dist.discrete(values, weights=weights)})
    found, _ = ends(ds.summarize(model.simulate(draws=512, seed=1), prob=0.9, kind="hdi", multimodal=True).y)
    np.testing.assert_allclose(found, pieces)


def test_a_share_that_is_nothing_stands_apart_from_the_rest():
    y = ds.equation(lambda x, on: x * (on > 0.5), unit="1", name="y")
    model = ds.Model([y], {"x": dist.normal(mean=100, sd=5), "on": dist.discrete([0, 1], weights=[0.3, 0.7])})
    found, _ = ends(ds.summarize(model.simulate(draws=1024, seed=1), prob=0.9, kind="hdi", multimodal=True).y)
    side = 5 * stats.norm.isf((1 - 0.6 / 0.7) / 2)
    np.testing.assert_allclose(found, [[0, 0], [100 - side, 100 + side]], atol=0.5)


@given(size=st.floats(-200, 200), shift=st.floats(-50, 50))
def test_pieces_move_and_grow_with_the_values(size, shift):
    rng = np.random.default_rng(1)
    x = np.where(rng.random((4, 500)) < 0.4, rng.normal(-3, 0.5, (4, 500)), rng.normal(3, 0.5, (4, 500)))
    base = ds.import_draws({"chain": np.repeat(range(4), 500), "x": x.ravel()})
    factor = 2.0 ** round(size)
    found, errors = ends(ds.summarize(base * factor, prob=0.8, kind="hdi", multimodal=True).x)
    right, right_errors = ends(ds.summarize(base, prob=0.8, kind="hdi", multimodal=True).x)
    np.testing.assert_allclose(found, right * factor, rtol=1e-9)
    np.testing.assert_allclose(errors, right_errors * factor, rtol=1e-9)
    moved, _ = ends(ds.summarize(base + shift, prob=0.8, kind="hdi", multimodal=True).x)
    np.testing.assert_allclose(moved, right + shift, rtol=1e-6, atol=1e-6)


def test_quantities_with_fewer_pieces_are_filled_up_with_nothing():
    draws = drawn(TWO).assign(z=lambda d: d.x**2 * 0 + np.abs(d.x))
    found = ds.summarize(draws, prob=0.8, kind="hdi", multimodal=True)
    assert found.statistic.values.tolist()[10:] == [
        *("lower_1", "upper_1", "lower_2", "upper_2"),
        *("mcse_lower_1", "mcse_upper_1", "mcse_lower_2", "mcse_upper_2"),
    ]
    assert np.all(np.isnan(found.z.sel(statistic=["lower_2", "upper_2", "mcse_lower_2"])))
    assert found.y.sel(statistic="lower") == found.y.sel(statistic="lower_1")
    assert found.y.sel(statistic="upper") == found.y.sel(statistic="upper_2")
    assert found.z.sel(statistic="upper") == found.z.sel(statistic="upper_1")
    frame = ds.table(found).frame
    assert list(frame.columns) == ["mean", "HDI", "P50", "MCSE of mean", "unit"]
    assert frame.loc["y", "HDI"].count(" to ") == 2
    assert " and " not in frame.loc["z", "HDI"]


def test_draws_on_disk_have_the_same_pieces():
    draws = drawn(TWO)
    right, _ = ends(ds.summarize(draws, prob=0.8, kind="hdi", multimodal=True).y)
    found, errors = ends(ds.summarize(draws.chunk(draw=256), prob=0.8, kind="hdi", multimodal=True).y)
    np.testing.assert_allclose(found, right, atol=0.02)
    assert np.all(errors > 0)
    with pytest.warns(SeveralPeaksWarning, match="'x' has several peaks"):
        ds.summarize(draws.chunk(draw=256), prob=0.8, kind="hdi")


def test_several_intervals_are_of_highest_density():
    with pytest.raises(DemandsimError, match="multimodal=True needs kind='hdi'"):
        ds.summarize(drawn(TWO, draws=64), multimodal=True)


@pytest.mark.parametrize("name", ["guosen-2025-01", "guosen-2025-01-evidence", "deepseek-2025-02", "doubao-growth"])
def test_no_shipped_study_has_several_peaks(name):
    draws = ds.load_study(name).simulate(draws=256, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SeveralPeaksWarning)
        for prob in (0.5, 0.9):
            ds.summarize(draws, prob=prob, kind="hdi")
