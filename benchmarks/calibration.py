"""Is the posterior the right one? Conjugate cases over many seeds, and simulation-based calibration.

``python benchmarks/calibration.py [--seeds 50] [--runs 400] [--chains 8] [--only NAME]``. Minutes to an hour. The
test suite has the same cases with few seeds; what it cannot show in seconds is shown here.

Conjugate: errors of posterior mean and sd against the closed form, in MCSE. With m chains an error in MCSE follows
Student's t with m - 1 degrees of freedom, so that of 8 chains about 98.6% lie within 3. Calibration (Talts et al.,
arXiv 1804.06788): parameters drawn from the prior rank uniformly among draws of the posterior given their data.
"""

import argparse
import time
import warnings

import numpy as np
import xarray as xr
from scipy import special, stats

import demandsim as ds
from demandsim import distributions as dist

METHODS = ("importance", "adaptive", "ensemble")
MU, SIGMA = np.log([1000.0, 150e3]), np.array([0.5, 0.3])


@ds.equation(unit="CNY")
def capex(cards, card_price):
    return cards * card_price


@ds.equation(unit="1")
def whole(part):
    return part.sum("place")


@ds.equation(unit="1")
def mixed_sum(a, b, c):
    return a + b**2 + c


def lognormal_case(observed, error):
    """A product of two lognormals, observed with a lognormal error: precision-weighted in logs."""
    model = ds.Model(
        [capex],
        {
            name: ds.Assumption(dist.as_distribution(stats.lognorm(SIGMA[i], scale=np.exp(MU[i]))), unit)
            for i, (name, unit) in enumerate((("cards", "card"), ("card_price", "CNY/card")))
        },
    ).observe(capex=dist.as_distribution(stats.lognorm(error, scale=observed)))
    total = (SIGMA**2).sum() + error**2
    mean = MU + SIGMA**2 / total * (np.log(observed) - MU.sum())
    covariance = np.diag(SIGMA**2) - np.outer(SIGMA**2, SIGMA**2) / total
    logs = {
        "cards": (mean[0], covariance[0, 0]),
        "card_price": (mean[1], covariance[1, 1]),
        "capex": (mean.sum(), covariance.sum()),
    }
    exact = {name: (np.exp(a + v / 2), np.exp(a + v / 2) * np.sqrt(np.expm1(v))) for name, (a, v) in logs.items()}
    return model, exact, stats.norm(MU.sum(), np.sqrt(total)).logpdf(np.log(observed))


def beta_binomial_case(a=2.0, b=3.0, k=7, n=20):
    """A share with a beta prior, k of n seen."""
    model = ds.Model([], {"share": ds.Assumption(dist.as_distribution(stats.beta(a, b)))})
    posterior = stats.beta(a + k, b + n - k)
    evidence = special.betaln(a + k, b + n - k) - special.betaln(a, b) - special.betaln(k + 1, n - k + 1)
    observed = model.observe(share=dist.as_distribution(stats.beta(k + 1, n - k + 1)))
    return observed, {"share": (posterior.mean(), posterior.std())}, evidence


def gamma_sum_case(total=10.0, error=0.05):
    """Fifteen gammas, their sum read sharply: the sum is gamma, its parts are Dirichlet."""
    shapes = xr.DataArray(np.linspace(0.5, 3, 15), coords={"place": range(15)})
    model = ds.Model([whole], {"part": ds.Assumption(dist.gamma(mean=shapes, sd=np.sqrt(shapes)))})
    k, x = shapes.values, total + error * np.linspace(-10, 10, 20001)
    density = stats.gamma(k.sum()).pdf(x) * stats.norm.pdf(x, total, error)
    of_sum = density / density.sum()
    mean = np.sum(of_sum * x) * k / k.sum()
    square = np.sum(of_sum * x**2) * k * (k + 1) / (k.sum() * (k.sum() + 1))
    exact = {"part": (mean, np.sqrt(square - mean**2))}
    return model.observe(whole=dist.normal(mean=total, sd=error)), exact, np.log(np.trapezoid(density, x))


def conjugate(seeds, chains, only=""):
    cases = {
        "lognormal": lognormal_case(2.2e8, 0.2),
        "lognormal, sharp": lognormal_case(2.5e8, 0.02),
        "beta-binomial": beta_binomial_case(),
        "sum of 15 gammas": gamma_sum_case(),
    }
    for label, (model, exact, evidence) in cases.items():
        if only not in label:
            continue
        # Draws of the prior hardly ever come to a sharp sum of many.
        for method in METHODS if "gammas" not in label else METHODS[1:]:
            began, in_mcse, in_sd, offsets, within = time.perf_counter(), {}, {}, [], []
            for seed in range(seeds):
                posterior = model.infer(draws=2048, chains=chains, seed=seed, method=method)
                offsets.append(posterior.attrs["log_marginal_likelihood"] - evidence)
                within.append(abs(offsets[-1]) < posterior.attrs["log_marginal_likelihood_mcse"])
                summary = ds.summarize(posterior)
                for name, (mean, sd) in exact.items():
                    s = {str(k): summary[name].sel(statistic=k).values for k in summary.statistic.values}
                    in_mcse.setdefault(f"{name} mean", []).append((s["mean"] - mean) / s["mcse_mean"])
                    in_mcse.setdefault(f"{name} sd", []).append((s["sd"] - sd) / s["mcse_sd"])
                    in_sd.setdefault(f"{name} mean", []).append((s["mean"] - mean) / sd)
                    in_sd.setdefault(f"{name} sd", []).append(s["sd"] / sd - 1)
            each = (time.perf_counter() - began) / seeds
            off = f"{np.mean(offsets):+.4f}, within one error in {np.mean(within):.0%}"
            print(f"{label}, {method}: {each:.2f} s a run, log evidence off by {off}")
            for name, values in in_mcse.items():
                z, e = np.array(values), np.array(in_sd[name])
                print(
                    f"  {name:16s} within 3 MCSE {np.mean(abs(z) < 3):4.0%}, worst {abs(z).max():.2f}; "
                    f"bias {e.mean():+.5f} +- {e.std() / np.sqrt(e.size):.5f} posterior sd"
                )


CHAIN = ds.Model(
    [capex],
    {
        "cards": ds.Assumption(dist.lognormal(500, 2000), "card"),
        "card_price": ds.Assumption(dist.lognormal(1e5, 2e5), "CNY/card"),
    },
    correlations={("cards", "card_price"): -0.5},
)
SHARE = ds.Model([], {"share": ds.Assumption(dist.beta(mean=0.4, sd=0.15))})
MIXED = ds.Model(
    [mixed_sum],
    {
        "a": ds.Assumption(dist.discrete([0, 1, 3])),
        "b": ds.Assumption(dist.normal(mean=0, sd=1)),
        "c": ds.Assumption(dist.gamma(mean=1, sd=0.7)),
    },
)


def observed(label, truth, rng):
    """Data as a world with this truth makes them, as evidence."""
    if label == "chain":
        seen = truth["capex"] * np.exp(0.15 * rng.standard_normal())
        return CHAIN.observe(capex=dist.as_distribution(stats.lognorm(0.15, scale=seen)))
    if label == "share":
        k = rng.binomial(20, truth["share"])
        return SHARE.observe(share=dist.as_distribution(stats.beta(k + 1, 20 - k + 1)))
    seen = truth["mixed_sum"] + 0.5 * rng.standard_normal()
    return MIXED.observe(mixed_sum=dist.normal(mean=seen, sd=0.5))


def calibration(runs):
    cases = (
        ("chain", CHAIN, ("cards", "card_price", "capex")),
        ("share", SHARE, ("share",)),
        ("mixed", MIXED, ("b", "c", "mixed_sum")),
    )
    for label, model, names in cases:
        prior = model.simulate(draws=runs, chains=1, seed=77, design="random")
        for method in METHODS:
            rng, ranks = np.random.default_rng(5), {name: [] for name in names}
            for run in range(runs):
                truth = {name: float(prior[name][0, run]) for name in model.quantities}
                posterior = observed(label, truth, rng).infer(
                    draws=256, chains=2, seed=1000 + run, method=method, on_failure="warn"
                )
                for name in names:
                    picked = np.random.default_rng(run).permutation(posterior[name].values.ravel())[:63]
                    ranks[name].append(int(np.sum(picked < truth[name])))
            p = {n: stats.chisquare(np.bincount(np.array(r) // 4, minlength=16)).pvalue for n, r in ranks.items()}
            print(f"{label}, {method}: " + ", ".join(f"{name} p = {value:.2f}" for name, value in p.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--chains", type=int, default=8)
    parser.add_argument("--only", help="conjugate cases with this in their name, and nothing else")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    conjugate(asked.seeds, asked.chains, asked.only or "")
    if not asked.only:
        calibration(asked.runs)
