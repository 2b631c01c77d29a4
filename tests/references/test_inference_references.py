"""Posteriors against closed forms, quadrature, simulation-based calibration and ArviZ."""

import warnings

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import integrate, special, stats

import demandsim as ds
from demandsim import distributions as dist

METHODS = ["importance", "adaptive", "ensemble"]
MU, SIGMA = np.log([1000.0, 150e3]), np.array([0.5, 0.3])


@ds.equation(unit="CNY")
def capex(cards, card_price):
    """Capex."""
    return cards * card_price


def lognorm(mu, sigma):
    return stats.lognorm(sigma, scale=np.exp(mu))


def lognormal_chain(rho=0.0):
    names = ("cards", "card_price")
    model = ds.Model(
        [capex],
        {
            name: ds.Assumption(lognorm(mu, sigma), unit)
            for name, mu, sigma, unit in zip(names, MU, SIGMA, ("card", "CNY/card"), strict=True)
        },
    )
    return model.correlate({names: 6 / np.pi * np.arcsin(rho / 2)}) if rho else model


def lognormal_posterior(observed, error, rho=0.0):
    """Mean and sd of each quantity, and the evidence, from the normal distribution of the logarithms."""
    prior = np.diag(SIGMA) @ np.array([[1, rho], [rho, 1]]) @ np.diag(SIGMA)
    total = prior.sum()
    gain = prior.sum(axis=1) / (total + error**2)
    mean = MU + gain * (np.log(observed) - MU.sum())
    cov = prior - np.outer(gain, prior.sum(axis=0))
    logs = {"cards": (mean[0], cov[0, 0]), "card_price": (mean[1], cov[1, 1]), "capex": (mean.sum(), cov.sum())}
    exact = {}
    for name, (m, v) in logs.items():
        exact[name] = np.exp(m + v / 2), np.exp(m + v / 2) * np.sqrt(np.expm1(v))
    return exact, stats.norm(MU.sum(), np.sqrt(total + error**2)).logpdf(np.log(observed))


def misses(posterior, exact):
    """Errors of mean and sd, in their MCSE."""
    summary = ds.summarize(posterior)
    return [
        float((summary[name].sel(statistic=word) - value) / summary[name].sel(statistic=f"mcse_{word}"))
        for name, values in exact.items()
        for word, value in zip(("mean", "sd"), values, strict=True)
    ]


def assert_unbiased(found):
    """Errors over seeds: as large as they say, hardly ever beyond 3 MCSE, and without a common direction."""
    table = np.array(found)
    assert np.abs(table).max() < 5
    # Mean and sd of one run err together, and 3 MCSE of 16 chains are exceeded by chance in one of a hundred.
    assert np.count_nonzero((np.abs(table) > 3).any(axis=1)) <= 1
    assert np.abs(table.mean(axis=0)).max() < 3.5 / np.sqrt(len(table))


@pytest.mark.parametrize("method", [*METHODS, "conditional"])
@pytest.mark.parametrize(("observed", "error", "rho"), [(2.2e8, 0.2, 0.0), (2.5e8, 0.05, -0.6)])
def test_lognormal_chain_with_lognormal_evidence(method, observed, error, rho):
    model = lognormal_chain(rho).observe(capex=lognorm(np.log(observed), error))
    exact, log_evidence = lognormal_posterior(observed, error, rho)
    found = []
    for seed in range(3):
        posterior = model.infer(draws=512, chains=16, seed=seed, method=method)
        assert posterior.attrs["log_marginal_likelihood"] == pytest.approx(log_evidence, abs=0.05)
        found.append(misses(posterior, exact))
    assert_unbiased(found)


@pytest.mark.parametrize("method", METHODS)
def test_beta_prior_with_binomial_evidence(method):
    a, b, k, n = 2.0, 3.0, 7, 20
    size = a + b
    model = ds.Model(
        [], {"share": ds.Assumption(dist.beta(mean=a / size, sd=np.sqrt(a * b / size**2 / (size + 1))))}
    ).observe(share=stats.beta(k + 1, n - k + 1))
    exact = stats.beta(a + k, b + n - k)
    log_evidence = special.betaln(a + k, b + n - k) - special.betaln(a, b) - special.betaln(k + 1, n - k + 1)
    found = []
    for seed in range(3):
        posterior = model.infer(draws=512, chains=16, seed=seed, method=method)
        assert posterior.attrs["log_marginal_likelihood"] == pytest.approx(log_evidence, abs=0.02)
        found.append(misses(posterior, {"share": (exact.mean(), exact.std())}))
    assert_unbiased(found)


@pytest.mark.parametrize("method", METHODS)
def test_normal_evidence_on_a_product_in_its_unit(method):
    # Not conjugate: the posterior of the product by quadrature, the error in the unit and not by a factor.
    model = lognormal_chain().observe(capex=dist.normal(mean=2.2e8, sd=0.4e8))
    prior, likelihood = lognorm(MU.sum(), np.hypot(*SIGMA)), stats.norm(2.2e8, 0.4e8)
    x = np.linspace(1e6, 6e8, 60_001)
    weights = prior.pdf(x) * likelihood.pdf(x)
    total = integrate.simpson(weights, x=x)
    mean = integrate.simpson(weights * x, x=x) / total
    sd = np.sqrt(integrate.simpson(weights * (x - mean) ** 2, x=x) / total)
    found = [
        misses(model.infer(draws=512, chains=16, seed=seed, method=method), {"capex": (mean, sd)}) for seed in range(3)
    ]
    assert_unbiased(found)


@pytest.mark.parametrize("method", METHODS)
def test_a_hard_constraint_truncates(method):
    model = ds.Model([], {"margin": ds.Assumption(dist.normal(mean=1, sd=1), "CNY")}).observe(event="margin < 0")
    exact = stats.truncnorm(-np.inf, -1, loc=1)
    found = [
        misses(model.infer(draws=512, chains=16, seed=seed, method=method), {"margin": (exact.mean(), exact.std())})
        for seed in range(3)
    ]
    assert_unbiased(found)


def test_ten_sd_apart_the_sampler_still_has_the_exact_answer():
    # Ten independent parts, each about 3 sd off.
    @ds.equation(unit="1")
    def total(part):
        return part.sum("site")

    error, sites = 0.5, list(range(10))
    prior = dist.normal(mean=xr.DataArray(np.zeros(10), coords={"site": sites}), sd=1)
    variance = 10 + error**2
    read = 10 * np.sqrt(variance)
    model = ds.Model([total], {"part": ds.Assumption(prior)}).observe(total=dist.normal(mean=read, sd=error))
    with pytest.raises(ds.DemandsimError, match=r"'total' lies (9\.\d|10\.\d) standard deviations"):
        model.infer(seed=1)
    with pytest.warns(UserWarning, match="standard deviations"):
        posterior = model.infer(draws=512, chains=8, seed=1, on_failure="warn")
    assert posterior.attrs["method"] == "adaptive"
    exact = {"total": (read * 10 / variance, np.sqrt(10 * error**2 / variance))}
    assert np.abs(misses(posterior, exact)).max() < 5
    parts = ds.summarize(posterior).part
    off = (parts.sel(statistic="mean") - read / variance) / parts.sel(statistic="mcse_mean")
    assert np.abs(off).max() < 5
    log_evidence = stats.norm(0, np.sqrt(variance)).logpdf(read)
    assert posterior.attrs["log_marginal_likelihood"] == pytest.approx(log_evidence, abs=1.0)


def test_beyond_what_doubles_can_hold_there_is_no_number():
    model = ds.Model([], {"x": ds.Assumption(dist.normal(mean=0, sd=1))}).observe(x=dist.normal(mean=12, sd=0.5))
    with (
        pytest.warns(UserWarning, match="standard deviations"),
        pytest.raises(ds.DemandsimError, match="farther than a double"),
    ):
        model.infer(draws=256, chains=2, seed=1, on_failure="warn")


def test_a_walk_of_fifteen_steps_observed_four_times():
    # Kalman's problem: fifteen independent steps, their sums observed; exact by linear algebra.
    @ds.equation(unit="1")
    def level(step):
        return step.cumsum("year")

    years, seen, error = list(range(15)), [0, 5, 10, 14], 0.3
    values = np.random.default_rng(0).standard_normal(15).cumsum()[seen]
    prior = dist.normal(mean=xr.DataArray(np.zeros(15), coords={"year": years}), sd=1)
    evidence = dist.normal(mean=xr.DataArray(values, coords={"year": seen}), sd=error)
    model = ds.Model([level], {"step": ds.Assumption(prior)}).observe(level=evidence)
    posterior = model.infer(draws=512, chains=8, seed=3, method="ensemble", keep=["step"])
    sums = np.tril(np.ones((15, 15)))[seen]
    cov = np.linalg.inv(np.eye(15) + sums.T @ sums / error**2)
    summary = ds.summarize(posterior).step
    for word, exact in (("mean", cov @ sums.T @ values / error**2), ("sd", np.sqrt(np.diag(cov)))):
        off = (summary.sel(statistic=word) - exact) / summary.sel(statistic=f"mcse_{word}")
        assert np.abs(off).max() < 7
        assert np.mean(np.abs(off) < 3) >= 0.9
    log_evidence = stats.multivariate_normal(np.zeros(4), sums @ sums.T + error**2 * np.eye(4)).logpdf(values)
    assert posterior.attrs["log_marginal_likelihood"] == pytest.approx(log_evidence, abs=1.0)


@pytest.mark.parametrize("method", METHODS)
def test_ranks_of_the_truth_are_uniform(method):
    # Simulation-based calibration (Talts et al. 2018): a discrete, a normal and a skewed assumption in one sum.
    @ds.equation(unit="1")
    def total(option, spread, excess):
        return option + spread**2 + excess

    assumed = {
        "option": dist.discrete([0, 1, 3]),
        "spread": dist.normal(mean=0, sd=1),
        "excess": dist.gamma(mean=1, sd=0.7),
    }
    model, runs = ds.Model([total], assumed), 32
    truth = model.simulate(draws=runs, chains=1, seed=77, design="random")
    rng, ranks = np.random.default_rng(5), {name: [] for name in ("spread", "excess", "total")}
    with warnings.catch_warnings():
        # Draws that failed belong to the test as well.
        warnings.simplefilter("ignore")
        for run in range(runs):
            read = float(truth.total[0, run]) + 0.5 * rng.standard_normal()
            informed = model.observe(total=dist.normal(mean=read, sd=0.5))
            posterior = informed.infer(draws=64, chains=2, seed=run, method=method, on_failure="warn")
            for name, found in ranks.items():
                thinned = rng.permutation(posterior[name].values.ravel())[:31]
                found.append(int(np.sum(thinned < float(truth[name][0, run]))))
    for name, found in ranks.items():
        counts = np.bincount(np.array(found) // 8, minlength=4)
        assert stats.chisquare(counts).pvalue > 0.01, (name, counts)


def test_a_logarithmic_pool_of_normals_has_the_closed_form():
    pool = dist.pooled([dist.normal(mean=1, sd=2), dist.normal(mean=5, sd=1)], [1, 3], kind="logarithmic")
    precision = 0.25 / 4 + 0.75
    assert pool.mean() == pytest.approx((0.25 * 1 / 4 + 0.75 * 5) / precision, rel=1e-12)
    assert pool.sd() == pytest.approx(1 / np.sqrt(precision), rel=1e-12)


@pytest.mark.parametrize(
    ("opinions", "x"),
    [
        ([dist.lognormal(1, 4), dist.lognormal(2, 30)], [0.5, 3.0, 20.0]),
        ([dist.beta(mean=0.2, sd=0.1), dist.beta(mean=0.6, sd=0.2)], [0.1, 0.4, 0.8]),
        ([dist.gamma(mean=2, sd=1), dist.gamma(mean=9, sd=4)], [1.0, 4.0, 12.0]),
        ([dist.uniform(0, 4), dist.uniform(3, 9)], [3.2, 3.7]),
        ([dist.loguniform(1, 10), dist.loguniform(2, 40)], [2.5, 9.0]),
        ([dist.discrete([1, 2, 3], [1, 2, 3]), dist.discrete([2, 3, 4], [3, 1, 1])], [2.0, 3.0]),
    ],
)
def test_a_logarithmic_pool_is_the_weighted_product_of_densities(opinions, x):
    weights = np.array([0.3, 0.7])
    pool = dist.pooled(opinions, weights, kind="logarithmic")
    product = sum(w * one.logpdf(x) for w, one in zip(weights, opinions, strict=True))
    np.testing.assert_allclose(np.diff(pool.logpdf(x)), np.diff(product), rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def tree():
    study = ds.load_study("guosen-2025-01").select(scenario="100T")
    model = study.observe(capex=dist.normal(mean=80e9, sd=15e9), utilization="normal(mean=0.3, sd=0.05)")
    return ds.to_datatree(model.infer(draws=512, chains=4, seed=1), study.simulate(draws=512, chains=4, seed=1))


def test_arviz_summarizes_the_posterior(tree):
    table = az.summary(tree, group="posterior", round_to="none")
    assert float(table["r_hat"].astype(float).max()) < 1.02
    own = ds.summarize(tree["posterior"].to_dataset()).utilization.sel(statistic="mean").item()
    (row,) = [name for name in table.index if str(name).startswith("utilization")]
    assert float(table.loc[row, "mean"]) == pytest.approx(own, rel=1e-9)
    assert float(az.ess(tree, var_names=["utilization"]).to_dataset().utilization.squeeze()) > 300


def test_power_scaling_sees_which_results_hang_on_the_evidence(tree):
    table = az.psense_summary(tree, var_names=["utilization", "token_price"], round_to=6)
    rows = {str(name).partition("[")[0]: row for name, row in table.iterrows()}
    # Utilization was observed; nothing that was observed depends on the price of tokens.
    assert float(rows["utilization"]["likelihood"]) > 0.05
    assert float(rows["token_price"]["likelihood"]) < 0.05
    assert float(rows["token_price"]["prior"]) > 0.05


def test_arviz_draws_prior_and_posterior(tree):
    import matplotlib.pyplot as plt

    collection = az.plot_prior_posterior(tree, var_names=["utilization", "daily_tokens"], backend="matplotlib")
    assert {"utilization", "daily_tokens"} <= set(collection.viz["plot"].data_vars)
    plt.close("all")


def test_the_log_prior_is_that_of_the_marginals():
    study = lognormal_chain().observe(capex=lognorm(np.log(2e8), 0.2))
    found = study.infer(draws=64, chains=2, seed=1)
    expected = lognorm(MU[0], SIGMA[0]).logpdf(found.cards) + lognorm(MU[1], SIGMA[1]).logpdf(found.card_price)
    np.testing.assert_allclose(found.log_prior, expected, rtol=1e-6)
    likelihood = stats.norm(np.log(2e8), 0.2).logpdf(np.log(found.capex))
    np.testing.assert_allclose(found.log_likelihood_capex, likelihood, rtol=1e-9)


def test_the_log_prior_knows_of_correlations():
    rho = -0.6
    found = lognormal_chain(rho).observe(capex=lognorm(np.log(2e8), 0.2)).infer(draws=64, chains=2, seed=1)
    logs = np.stack([np.log(found.cards), np.log(found.card_price)], axis=-1)
    joint = stats.multivariate_normal(MU, np.diag(SIGMA) @ np.array([[1, rho], [rho, 1]]) @ np.diag(SIGMA))
    expected = joint.logpdf(logs) - logs.sum(axis=-1)
    off = found.log_prior.values - expected
    # Up to a constant.
    np.testing.assert_allclose(off, off.mean(), atol=1e-5)
