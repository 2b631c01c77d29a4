"""Posteriors that are awkward: heavy tails, rare regimes, needles, several modes, bananas, bounds hardly ever met."""

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

import demandsim as ds
from demandsim import distributions as dist

NORMAL = ds.Assumption(dist.normal(mean=0, sd=1))


@ds.equation(unit="1")
def square(x):
    """Its square."""
    return x**2


@ds.equation(unit="1")
def bend(x, y):
    """How far a point lies from a parabola."""
    return y - x**2


@ds.equation(unit="1")
def ratio(x, y):
    """Of one to the other."""
    return x / y


def read(posterior, name):
    found = ds.summarize(posterior[[name]])[name]
    return {str(word): float(found.sel(statistic=word)) for word in found.statistic.values}


def assert_near(posterior, name, exact, errors=5.0):
    """Mean and sd within their errors of the exact ones."""
    found = read(posterior, name)
    for word, value in zip(("mean", "sd"), exact, strict=True):
        assert abs(found[word] - value) < errors * found[f"mcse_{word}"], (word, found[word], value)


def assert_log_evidence(posterior, exact):
    value, error = (posterior.attrs[f"log_marginal_likelihood{kind}"] for kind in ("", "_mcse"))
    assert 0 < error < 0.2
    assert abs(value - exact) < 5 * error


def moments(density, low, high, points=400_001):
    x = np.linspace(low, high, points)
    weights = density(x)
    total = integrate.simpson(weights, x=x)
    mean = integrate.simpson(weights * x, x=x) / total
    return mean, np.sqrt(integrate.simpson(weights * (x - mean) ** 2, x=x) / total), np.log(total)


@pytest.mark.parametrize(("centre", "df"), [(5.5, 4), (4.0, 3), (4.5, 6)])
def test_heavy_tails_that_contradict_the_prior(centre, df):
    sd = 0.42426
    scale = sd / np.sqrt(df / (df - 2))
    mean, spread, log_evidence = moments(
        lambda x: stats.norm.pdf(x) * stats.t.pdf((x - centre) / scale, df) / scale, -8, 14
    )
    if (centre, df) == (5.5, 4):
        assert mean == pytest.approx(1.279, abs=5e-4)
    posterior = ds.Model([], {"x": NORMAL}).observe(x=dist.student_t(mean=centre, sd=sd, df=df)).infer(1024, seed=0)
    assert_near(posterior, "x", (mean, spread))
    assert_log_evidence(posterior, log_evidence)


def test_two_methods_that_disagree_give_no_number(monkeypatch):
    # Populations that are all shifted stand for a method that is wrong.
    from demandsim.inference import solution

    right = solution._by_populations

    def shifted(*given):
        found = right(*given)
        return solution.Solution("ensemble", "", [row**2 for row in found.rows], found.weights, found.populations, None)

    monkeypatch.setattr(solution, "_by_populations", shifted)
    model = ds.Model([], {"x": NORMAL}).observe(x=dist.student_t(mean=4, sd=0.4, df=4))
    with pytest.raises(ds.DemandsimError, match="two methods disagree about the mean of 'x'"):
        model.infer(256, seed=1)


@ds.equation(unit="1")
def level(part, regime):
    """Parts, moved by a regime."""
    return part + 3 * regime


@pytest.mark.parametrize("chance", [1e-4, 1e-2])
def test_a_rare_regime_that_explains_all(chance):
    places, error = list(range(6)), 0.1

    def over(values):
        return xr.DataArray(values, coords={"place": places})

    model = ds.Model(
        [level],
        {
            "part": ds.Assumption(dist.normal(mean=over(np.zeros(6)), sd=1)),
            "regime": ds.Assumption(dist.discrete([0, 1], weights=[1 - chance, chance])),
        },
    ).observe(level=dist.normal(mean=over(np.full(6, 3.0)), sd=error))
    sd = np.hypot(1, error)
    without, within = (6 * stats.norm.logpdf(x, 0, sd) for x in (3, 0))
    exact = np.logaddexp(np.log(chance) + within, np.log1p(-chance) + without)
    posterior = model.infer(1024, seed=1)
    if chance == 1e-4:
        assert exact == pytest.approx(-14.754, abs=1e-3)
    assert_log_evidence(posterior, exact)
    assert float(posterior.regime.mean()) == 1.0


def test_a_needle_in_five_dimensions():
    model = ds.Model([], {f"x{i}": NORMAL for i in range(5)}).observe(
        **{f"x{i}": dist.normal(mean=2.5, sd=0.003) for i in range(5)}
    )
    posterior = model.infer(1024, seed=2)
    assert_log_evidence(posterior, 5 * stats.norm.logpdf(2.5, 0, np.hypot(1, 0.003)))
    assert_near(posterior, "x3", (2.5 / (1 + 0.003**2), 0.003))


@pytest.mark.parametrize("method", ["auto", "ensemble"])
def test_two_modes_keep_their_weights(method):
    model = ds.Model([square], {"x": ds.Assumption(dist.normal(mean=0, sd=3))})
    posterior = model.observe(square=dist.normal(mean=9, sd=0.1)).infer(1024, seed=1, method=method)
    above = ds.probability(posterior.x > 0)
    assert abs(float(above.probability) - 0.5) < 4 * float(above.mcse) < 0.1
    mean, spread, log_evidence = moments(lambda x: stats.norm.pdf(x, 0, 3) * stats.norm.pdf(x**2, 9, 0.1), 2, 4)
    assert mean == pytest.approx(2.999, abs=1e-3)
    assert_near(posterior.assign(size=abs(posterior.x)), "size", (mean, spread))
    if method == "auto":
        assert_log_evidence(posterior, log_evidence + np.log(2))


@pytest.mark.parametrize("method", ["auto", "ensemble"])
def test_a_banana(method):
    model = ds.Model([bend], {"x": NORMAL, "y": ds.Assumption(dist.normal(mean=0, sd=3))})
    posterior = model.observe(bend=dist.normal(mean=0, sd=0.1)).infer(1024, seed=1, method=method)
    mean, spread, log_evidence = moments(lambda x: stats.norm.pdf(x) * stats.norm.pdf(x**2, 0, np.hypot(3, 0.1)), -7, 7)
    assert_near(posterior, "x", (mean, spread))
    if method == "auto":
        assert_log_evidence(posterior, log_evidence)


@pytest.mark.parametrize("method", ["auto", "ensemble"])
@pytest.mark.parametrize("chance", [1e-4, 1e-6])
def test_a_bound_that_is_hardly_ever_met(chance, method):
    limit = stats.norm.isf(chance)
    posterior = ds.Model([], {"x": NORMAL}).observe(event=f"x > {limit}").infer(1024, seed=1, method=method)
    exact = stats.truncnorm(limit, np.inf)
    assert float(posterior.x.min()) > limit
    assert_near(posterior, "x", (exact.mean(), exact.std()))
    value, error = (posterior.attrs[f"log_marginal_likelihood{kind}"] for kind in ("", "_mcse"))
    assert abs(value - np.log(chance)) < 5 * error < 0.5


def test_bounds_joined_by_words():
    # Either tail of one, and a range of another: independent, so that chances multiply.
    event = "(x > 3.5 or x < -3.5) and not (y < 2 or y > 2.1)"
    posterior = ds.Model([bend], {"x": NORMAL, "y": NORMAL}).observe(event=event).infer(1024, seed=1)
    assert abs(float((posterior.x > 0).mean()) - 0.5) < 0.05
    assert bool(((abs(posterior.x) > 3.5) & (posterior.y >= 2) & (posterior.y <= 2.1)).all())
    assert_log_evidence(posterior, stats.norm.logsf(3.5) + np.log(2) + np.log(stats.norm.cdf(2.1) - stats.norm.cdf(2)))


def test_uniform_evidence_far_out_is_come_to_in_steps():
    posterior = ds.Model([], {"x": NORMAL}).observe(x=dist.uniform(4.2, 4.3)).infer(1024, seed=1)
    exact = stats.truncnorm(4.2, 4.3)
    assert_near(posterior, "x", (exact.mean(), exact.std()))
    assert_log_evidence(posterior, np.log((stats.norm.cdf(4.3) - stats.norm.cdf(4.2)) / 0.1))


def test_sharp_evidence_on_a_ratio():
    # A product of lognormals read to 0.3%: normal in logarithms.
    parts = {name: ds.Assumption(dist.lognormal(mean=1, sd=0.5)) for name in ("x", "y")}
    posterior = ds.Model([ratio], parts).observe(ratio=dist.lognormal(median=1.7, factor=1.003)).infer(1024, seed=1)
    sigma = np.sqrt(np.log1p(0.25))
    error = np.log(1.003) / stats.norm.isf(0.05)
    gain = sigma**2 / (2 * sigma**2 + error**2)
    logs = np.log(posterior.x / posterior.y)
    assert abs(float(logs.mean()) - 2 * gain * np.log(1.7)) < 1e-4
    mean = -(sigma**2) / 2 + gain * np.log(1.7)
    variance = sigma**2 * (1 - gain)
    assert_near(posterior.assign(log=np.log(posterior.x)), "log", (mean, np.sqrt(variance)))
    assert_log_evidence(posterior, stats.norm.logpdf(np.log(1.7), 0, np.sqrt(2 * sigma**2 + error**2)))
