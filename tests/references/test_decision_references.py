"""Decisions against closed forms: the newsvendor, the linear-normal problem, and the normal's tail."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import decisions
from demandsim import distributions as dist

# That one assumption is idle is the point.
pytestmark = pytest.mark.filterwarnings("ignore:no equation asks for 'idle'")

#: Slopes of the payoff in independent standard normals, and its mean: unequal importance, one of none.
SLOPES = {"large": 1.0, "middle": 0.5, "small": 0.25, "idle": 0.0}
MEAN = 0.2


@ds.equation(unit="CNY")
def gain(mean, large, middle, small, a, b, c):
    return mean + a * large + b * middle + c * small


def linear(correlation=None):
    slopes = {letter: ds.Assumption(slope) for letter, slope in zip("abc", SLOPES.values(), strict=False)}
    scores = {name: ds.Assumption(dist.normal(mean=0, sd=1), unit="CNY") for name in SLOPES}
    model = ds.Model([gain], {**slopes, **scores, "mean": ds.Assumption(MEAN, unit="CNY")})
    return model.correlate({("large", "small"): correlation}) if correlation else model


def do_or_leave(draws, action):
    """Do it, or leave it: the gain, or nothing."""
    return draws.gain * action


def worth(mean, sd):
    r"""Value of knowing a normal gain: :math:`s \phi(m / s) - |m| \Phi(-|m| / s)`."""
    return sd * stats.norm.pdf(mean / sd) - abs(mean) * stats.norm.sf(abs(mean) / sd)


def informed(seed, **settings):
    draws = linear().simulate(draws=8192, chains=8, seed=seed)
    return decisions.value_of_information(draws, [0, 1], do_or_leave, seed=seed, **settings)


@pytest.mark.parametrize("seed", range(5))
def test_perfect_information_of_the_linear_normal_problem_within_a_percent(seed):
    found = informed(seed)
    whole = math.sqrt(sum(s * s for s in SLOPES.values()))
    assert found.evpi.item() == pytest.approx(worth(MEAN, whole), rel=0.01)
    for name, slope in SLOPES.items():
        one = found.evppi.sel(assumption=name).item()
        assert one == (pytest.approx(worth(MEAN, slope), rel=0.01) if slope else pytest.approx(0, abs=1e-4))


def test_a_group_of_the_linear_normal_problem_within_a_percent():
    draws = linear().simulate(draws=2048, seed=1)
    found = decisions.value_of_information(draws, [0, 1], do_or_leave, of={"both": ["large", "small"]})
    both = math.hypot(SLOPES["large"], SLOPES["small"])
    assert found.evppi.item() == pytest.approx(worth(MEAN, both), rel=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_sample_information_of_a_normal_mean_within_a_percent(seed):
    # n measurements with sd s of a standard normal: its preposterior sd is 1 / sqrt(1 + s**2 / n).
    evidence = {f"{n} of {s}": decisions.Measurement("large", sd=s, count=n) for n, s in ((1, 0.5), (4, 2.0), (9, 1.0))}
    found = informed(seed, of="large", evidence=evidence)
    for name, one in evidence.items():
        expected = worth(MEAN, SLOPES["large"] / math.sqrt(1 + one.sd**2 / one.count))
        assert found.evsi.sel(evidence=name).item() == pytest.approx(expected, rel=0.01)
    assert (found.evsi <= found.evppi.squeeze("assumption") + 1e-12).all()


def test_correlated_assumptions_tell_of_each_other():
    spearman = 0.6
    draws = linear(spearman).simulate(draws=8192, seed=3)
    found = decisions.value_of_information(draws, [0, 1], do_or_leave).evppi
    rho = 2 * math.sin(math.pi / 6 * spearman)
    for name, slope in {"large": 1 + 0.25 * rho, "small": 0.25 + rho, "middle": 0.5}.items():
        assert found.sel(assumption=name).item() == pytest.approx(worth(MEAN, slope), rel=0.01)


def test_the_reported_error_is_the_true_one():
    errors = []
    for seed in range(50):
        draws = linear().simulate(draws=512, chains=8, seed=seed)
        evidence = {"sample": decisions.Measurement("large", sd=0.5)}
        found = decisions.value_of_information(draws, [0, 1], do_or_leave, evidence=evidence, seed=seed)
        for name, slope in SLOPES.items():
            if slope:
                one = found.sel(assumption=name)
                errors.append((one.evppi.item() - worth(MEAN, slope)) / one.mcse_evppi.item())
        errors.append((found.evsi.item() - worth(MEAN, 1 / math.sqrt(1.25))) / found.mcse_evsi.item())
    inside = np.mean(np.abs(errors) < 1), np.mean(np.abs(errors) < 2)
    # Of a normal error of known size 68% and 95%.
    assert 0.6 < inside[0] < 0.85
    assert 0.9 < inside[1] < 0.995


@ds.equation(unit="card")
def cards(need):
    return need


@pytest.mark.parametrize(
    ("law", "quantile"),
    [
        (dist.normal(mean=1e5, sd=2e4), stats.norm(1e5, 2e4).ppf),
        (dist.lognormal(median=1e5, factor=2, prob=0.9), stats.lognorm(math.log(2) / stats.norm.ppf(0.95), 0, 1e5).ppf),
    ],
    ids=["normal", "lognormal"],
)
@pytest.mark.parametrize(("price", "salvage", "lost"), [(1.5e5, 5e4, 0.0), (2.6e5, 0.0, 1e5), (1e5, 9e4, 0.0)])
def test_the_best_order_is_the_critical_fractile(law, quantile, price, salvage, lost):
    value = 3e5
    draws = ds.Model([cards], {"need": ds.Assumption(law, unit="card")}).simulate(draws=4096, seed=2)
    fractile = (value + lost - price) / (value + lost - salvage)
    best = quantile(fractile)
    orders = best * np.linspace(0.9, 1.1, 81)
    payoff = decisions.OrderCards(unit_cost=price, value=value, salvage=salvage, lost_margin=lost)
    found = decisions.evaluate(draws, orders, payoff)
    assert found.best.item() == pytest.approx(best, rel=0.0051)


def test_perfect_information_of_the_newsvendor_is_its_cost_of_uncertainty():
    # (v - s) sigma phi(z) for normal demand, on a grid of orders wide and fine enough.
    value, price, salvage, sd = 3e5, 1.5e5, 5e4, 2e4
    model = ds.Model([cards], {"need": ds.Assumption(dist.normal(mean=1e5, sd=sd), unit="card")})
    payoff = decisions.OrderCards(unit_cost=price, value=value, salvage=salvage)
    z = stats.norm.ppf((value - price) / (value - salvage))
    expected = (value - salvage) * sd * stats.norm.pdf(z)
    found = decisions.value_of_information(
        model.simulate(draws=512, seed=4), 1e5 + sd * np.linspace(-4, 4, 501), payoff, of=["need", "cards"]
    )
    assert found.evpi.item() == pytest.approx(expected, rel=0.01)
    # Demand is all that is uncertain; the derived quantity tells the same.
    # A fit rounds the corner that each of 501 orders has.
    np.testing.assert_allclose(found.evppi, expected, rtol=0.02)
    assert (found.evppi <= found.evpi).all()
    np.testing.assert_allclose(found.best, 1e5 + z * sd, rtol=0.005)


@pytest.mark.parametrize("design", ["sobol", "random"])
@pytest.mark.parametrize("tail", [0.01, 0.1, 0.5])
def test_the_mean_of_the_worst_is_that_of_the_normal(tail, design):
    mean, sd = 5.0, 2.0
    model = ds.Model(
        [ds.equation(unit="CNY", name="money")(lambda x: x)],
        {"x": ds.Assumption(dist.normal(mean=mean, sd=sd), unit="CNY")},
    )
    draws = model.simulate(draws=8192, seed=5, design=design)
    found = decisions.evaluate(draws, [1.0, 2.0], lambda d, a: d.money * a, tail=tail)
    expected = mean - sd * stats.norm.pdf(stats.norm.ppf(tail)) / tail
    error = (found.cvar / found.action - expected) / (found.mcse_cvar / found.action)
    assert (abs(error) < 3).all()
    if design == "sobol":
        assert found.cvar.sel(action=1).item() == pytest.approx(expected, rel=0.005)


def test_discrete_evidence_on_a_normal_gain():
    # A coin that is right in 80% of cases about a gain of +1 or -1: worth 0.8 - 0.2, halved.
    model = ds.Model(
        [ds.equation(unit="CNY", name="money")(lambda side: side)],
        {"side": ds.Assumption(dist.discrete([-1, 1], [0.5, 0.5]), unit="CNY")},
    )
    draws = model.simulate(draws=8192, seed=6)

    def coin(draws, generator):
        return xr.where(generator.random(draws.side.shape) < 0.8, draws.side, -draws.side)

    found = decisions.value_of_information(draws, [0, 1], lambda d, a: d.money * a, evidence={"coin": coin}, seed=1)
    assert found.evppi.item() == pytest.approx(0.5, rel=1e-3)
    assert found.evsi.item() == pytest.approx(0.3, rel=0.01)
    assert abs(found.evsi.item() - 0.3) < 3 * found.mcse_evsi.item()
