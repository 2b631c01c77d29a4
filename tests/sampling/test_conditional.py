"""Conditioning: quantiles of products are exact where they are known, and far closer than from draws."""

import math

import numpy as np
import pytest
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.errors import DemandsimError

Z95 = stats.norm.ppf(0.95)
FACTORS = {"a": (3.0, 2.0), "b": (0.5, 1.5), "c": (10.0, 1.4), "d": (2.0, 1.3)}
SIGMA = math.sqrt(sum((math.log(f) / Z95) ** 2 for _, f in FACTORS.values()))


@ds.equation(unit="1")
def quotient(a, b, c, d):
    """Lognormal, since its factors are."""
    return a * b / (c * d)


def lognormals():
    return ds.Model([quotient], {n: dist.lognormal(median=m, factor=f) for n, (m, f) in FACTORS.items()})


MEDIAN = 3.0 * 0.5 / 20.0
TRUTH = {
    "mean": MEDIAN * math.exp(SIGMA**2 / 2),
    "median": MEDIAN,
    "lower": MEDIAN * math.exp(-Z95 * SIGMA),
    "upper": MEDIAN * math.exp(Z95 * SIGMA),
    "p99": MEDIAN * math.exp(stats.norm.ppf(0.99) * SIGMA),
}


@pytest.mark.parametrize("over", [None, "a", "c"])
def test_quantiles_of_a_quotient_of_lognormals_are_the_closed_form(over):
    found = lognormals().estimate("quotient", over=over, draws=1024, seed=1, probs=[0.99]).quotient
    for statistic, value in TRUTH.items():
        error = float(found.sel(statistic=f"mcse_{statistic}"))
        assert float(found.sel(statistic=statistic)) == pytest.approx(value, abs=5 * error)
        # What matters most smooths most.
        assert error < (1e-3 if over != "c" else 5e-3) * value
    assert found.attrs["integrated_out"] == (over or "a")


def test_errors_are_honest_and_far_below_those_of_draws():
    model, z, plain, ours = lognormals(), [], [], []
    for seed in range(40):
        found = model.estimate("quotient", draws=256, seed=seed).quotient
        drawn = ds.summarize(model.simulate(256, seed=seed, keep=["quotient"])).quotient
        gap = float(found.sel(statistic="lower")) - TRUTH["lower"]
        z.append(gap / float(found.sel(statistic="mcse_lower")))
        ours.append(gap)
        plain.append(float(drawn.sel(statistic="lower")) - TRUTH["lower"])
    assert 0.7 < np.std(z, ddof=1) < 1.4
    assert np.sqrt(np.mean(np.square(ours))) < 0.2 * np.sqrt(np.mean(np.square(plain)))


def test_an_amount_that_can_be_negative_agrees_with_many_draws():
    model = ds.load_study("guosen-2025-01").select(scenario="100T")
    found = model.estimate(["cards", "gross_margin", "break_even_price"], draws=2048, seed=1)
    drawn = ds.summarize(model.simulate(2**16, seed=2, keep=["cards", "gross_margin", "break_even_price"]))
    for name in found:
        for statistic in ("mean", "median", "lower", "upper"):
            got, want = (x[name].sel(statistic=statistic).item() for x in (found, drawn))
            error = math.hypot(*(float(x[name].sel(statistic=f"mcse_{statistic}").item()) for x in (found, drawn)))
            assert abs(got - want) < 5 * error, (name, statistic)
    assert set(found.cards.attrs) >= {"units", "long_name", "integrated_out"}


def test_scenarios_keep_their_labels():
    found = ds.load_study("guosen-2025-01").estimate("cards", draws=256, seed=1).cards
    np.testing.assert_allclose(found.sel(scenario="1000T") / found.sel(scenario="100T"), 10.0, rtol=1e-6)


@ds.equation(unit="1")
def wave(a, b):
    """No power of either assumption."""
    return np.sin(a) + np.log(b)


def test_what_cannot_be_integrated_out_is_said():
    model = ds.Model([wave], {"a": dist.uniform(1, 2), "b": dist.uniform(1, 2)})
    with pytest.raises(DemandsimError, match="'wave' is not of the form"):
        model.estimate("wave", seed=1)
    correlated = lognormals().correlate({("a", "b"): 0.5})
    with pytest.raises(DemandsimError, match="in 'a'"):
        correlated.estimate("quotient", over="a", seed=1)
    assert correlated.estimate("quotient", draws=64, seed=1).quotient.attrs["integrated_out"] in ("c", "d")
    with pytest.raises(DemandsimError, match="did you mean 'quotient'"):
        lognormals().estimate("quotients", seed=1)
