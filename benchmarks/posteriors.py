"""How long does a posterior take, and is it right? Shipped studies, DeepSeek's day, and made-up ones of 1 to 30 inputs.

``python benchmarks/posteriors.py [--seed 1] [--only NAME]``. Seconds are those of the processor, for 8 x 1024 draws.
Errors are in Monte Carlo standard errors, the largest over means and sds of all that was moved: against the closed form
where there is one, else against a long run of populations, which share nothing with an adapted proposal but the model.
Means and sds of 20 inputs are 40 numbers, of which the largest lies near 3 by chance (8 chains: 4).
"""

import argparse
import time
import warnings

import numpy as np
import xarray as xr
from scipy import stats

import demandsim as ds
from demandsim import distributions as dist
from demandsim.equations import growth


def over(values, dim="place"):
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, coords={dim: list(range(values.size))}, dims=dim)


def seen(values, places):
    return xr.DataArray(np.asarray(values, dtype=float), coords={"place": list(places)}, dims="place")


@ds.equation(unit="1")
def level(step):
    return step.cumsum("place")


@ds.equation(unit="1")
def product(part):
    return np.exp(np.log(part).sum("place"))


@ds.equation(unit="1")
def two_sums(part, price):
    return (part * price).sum("place")


@ds.equation(unit="1")
def whole(part):
    return part.sum("place")


@ds.equation(unit="1")
def adoption(cap, middle, rate, moment):
    return cap / (1 + np.exp(-rate * (moment - middle)))


@ds.equation(unit="1")
def bend(x, y):
    return y - x**2


@ds.equation(unit="1")
def square(x):
    return x**2


@ds.equation(unit="1")
def ratio(x, y):
    return x / y


def linear(size, places, error, seed):
    """Steps of a walk, independent and normal, whose sums are read: exact by linear algebra."""
    rng = np.random.default_rng(seed)
    truth = rng.standard_normal(size)
    sums = np.tril(np.ones((size, size)))[places]
    values = sums @ truth + error * rng.standard_normal(len(places))
    total = sums @ sums.T + error**2 * np.eye(len(places))
    gain = sums.T @ np.linalg.inv(total)
    exact = {"step": (gain @ values, np.sqrt(np.diag(np.eye(size) - gain @ sums)))}
    model = ds.Model([level], {"step": ds.Assumption(dist.normal(mean=over(np.zeros(size)), sd=1))})
    evidence = model.observe(level=dist.normal(mean=seen(values, places), sd=error))
    return evidence, exact, stats.multivariate_normal(np.zeros(len(places)), total).logpdf(values)


@ds.equation(unit="1")
def balance(a, b, c, d, e, f):
    return a + b + c - d - e - f


@ds.equation(unit="1")
def lead(a, f):
    return a - 2 * f


def correlated():
    """Six normals, each next to the other correlated at 0.7 and less farther off; two of their sums are read."""
    names = list("abcdef")
    prior = 0.7 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    sums, error, values = np.array([[1, 1, 1, -1, -1, -1], [1, 0, 0, 0, 0, -2.0]]), 0.05, np.array([2.0, 1.5])
    total = sums @ prior @ sums.T + error**2 * np.eye(2)
    gain = prior @ sums.T @ np.linalg.inv(total)
    mean, sd = gain @ values, np.sqrt(np.diag(prior - gain @ sums @ prior))
    model = ds.Model([balance, lead], {n: ds.Assumption(dist.normal(mean=0, sd=1)) for n in names}).correlate(
        {(names[i], names[j]): 6 / np.pi * np.arcsin(prior[i, j] / 2) for i in range(6) for j in range(i)}
    )
    evidence = model.observe(balance=dist.normal(mean=2, sd=error), lead=dist.normal(mean=1.5, sd=error))
    exact = {n: (mean[i], sd[i]) for i, n in enumerate(names)}
    return evidence, exact, stats.multivariate_normal(np.zeros(2), total).logpdf(values)


def factors(size, factor):
    """A product of lognormals, read to within a factor: normal in logarithms."""
    sigma, error = np.linspace(0.2, 0.8, size), np.log(factor) / stats.norm.isf(0.05)
    off, total = 1.0, np.sum(np.linspace(0.2, 0.8, size) ** 2) + error**2
    gain = sigma**2 / total
    mean, sd = gain * off, np.sqrt(sigma**2 - gain * sigma**2)
    model = ds.Model(
        [product],
        {
            "part": ds.Assumption(
                dist.lognormal(median=over(np.ones(size)), factor=over(np.exp(sigma * stats.norm.isf(0.05))))
            )
        },
    )
    logs = {"part": (np.exp(mean + sd**2 / 2), np.exp(mean + sd**2 / 2) * np.sqrt(np.expm1(sd**2)))}
    return (
        model.observe(product=dist.lognormal(median=np.exp(off), factor=factor)),
        logs,
        stats.norm.logpdf(off, 0, np.sqrt(total)),
    )


def cases():
    study = ds.load_study("doubao-growth-gompertz").as_of("2026-02-28")
    yield "growth, Gompertz", study, None, None
    yield "growth, logistic", study.with_equations(growth.logistic_growth), None, None
    report = ds.load_study("guosen-2025-01").select(scenario="100T")
    of_day = {
        "daily_tokens": dist.lognormal(median=0.776e12, factor=1.002),
        "activated_parameters": dist.lognormal(median=37e9, factor=1.015),
    }
    inputs = dict(report.assumptions) | {n: report.assumptions[n].with_distribution(law) for n, law in of_day.items()}
    day = ds.Model(report.equations.values(), inputs).observe(
        cards=dist.lognormal(median=2224, factor=1.1), peak_ratio=dist.lognormal(median=1.23, factor=1.02)
    )
    yield "DeepSeek's day", day, None, None
    yield "walk, 15 steps, 4 read", *linear(15, [0, 5, 10, 14], 0.3, 0)
    yield "walk, 30 steps, 6 read sharply", *linear(30, [2, 7, 12, 17, 22, 29], 0.02, 1)
    yield "6 correlated, two sums read", *correlated()
    yield "product of 20, read to 0.3%", *factors(20, 1.003)
    shares = over([0.02, 0.05, 0.11, 0.22, 0.35, 0.47, 0.55, 0.59], "year")
    curve = ds.Model(
        [adoption],
        {
            "cap": ds.Assumption(dist.beta(mean=0.6, sd=0.2)),
            "middle": ds.Assumption(dist.normal(mean=4, sd=3)),
            "rate": ds.Assumption(dist.lognormal(0.3, 3)),
            "moment": ds.Assumption(over(np.arange(8), "year")),
        },
    )
    yield "logistic curve on shares", curve.observe(adoption=dist.normal(mean=shares, sd=0.01)), None, None
    both = report.observe(cards="lognormal(median=4e5, factor=1.1)").observe(cards="lognormal(median=5e5, factor=1.1)")
    yield "two figures that hardly agree", both.observe(event="gross_margin > 0"), None, None
    unit = ds.Assumption(dist.normal(mean=0, sd=1))
    yield (
        "banana",
        ds.Model([bend], {"x": unit, "y": ds.Assumption(dist.normal(mean=0, sd=3))}).observe(
            bend=dist.normal(mean=0, sd=0.1)
        ),
        None,
        None,
    )
    yield (
        "two modes",
        ds.Model([square], {"x": ds.Assumption(dist.normal(mean=0, sd=3))}).observe(square=dist.normal(mean=9, sd=0.1)),
        None,
        None,
    )
    yield (
        "a bound of one in a million",
        ds.Model([], {"x": unit}).observe(event=f"x > {stats.norm.isf(1e-6)}"),
        {
            "x": (
                stats.truncnorm(stats.norm.isf(1e-6), np.inf).mean(),
                stats.truncnorm(stats.norm.isf(1e-6), np.inf).std(),
            )
        },
        np.log(1e-6),
    )
    parts = {
        "part": ds.Assumption(dist.gamma(mean=over(np.linspace(1, 3, 15)), sd=1)),
        "price": ds.Assumption(dist.lognormal(median=over(np.linspace(1, 2, 15)), factor=2.0)),
    }
    model = ds.Model([two_sums, whole], parts)
    yield (
        "30 skewed, two sums",
        model.observe(two_sums=dist.normal(mean=70, sd=1), whole=dist.normal(mean=25, sd=0.2)),
        None,
        None,
    )


def moved(posterior, names):
    summary = ds.summarize(posterior[names])
    return {
        n: {str(w): summary[n].sel(statistic=w).values.ravel() for w in ("mean", "sd", "mcse_mean", "mcse_sd")}
        for n in names
    }


def worst(found, other):
    """Largest difference of means and sds, in errors of both."""
    off = [0.0]
    for name, one in found.items():
        for place, word in enumerate(("mean", "sd")):
            two = other[name]
            value, error = (two[place], 0.0) if isinstance(two, tuple) else (two[word], two[f"mcse_{word}"])
            error = np.hypot(one[f"mcse_{word}"], error)
            moving = error > 0
            off += (np.abs(one[word] - value)[moving] / error[moving]).tolist()
    return max(off)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| posterior | inputs | method | k-hat | s | worst error | log marginal likelihood |")
    print("|---|---|---|---|---|---|---|")
    for label, model, exact, log_evidence in cases():
        if asked.only and asked.only not in label:
            continue
        began = time.process_time()
        try:
            posterior = model.infer(draws=1024, seed=asked.seed)
        except ds.DemandsimError as error:
            print(f"| {label} | | refused | | {time.process_time() - began:.1f} | {str(error)[:90]} | |", flush=True)
            continue
        seconds = time.process_time() - began
        a = posterior.attrs
        names = [
            n
            for n, x in posterior.data_vars.items()
            if x.attrs["role"] == "assumption" and float(x.std("draw").max()) > 0
        ]
        found = moved(posterior, list(exact or names))
        said = f"{a['log_marginal_likelihood']:.3f} ± {a['log_marginal_likelihood_mcse']:.3f}"
        if exact is None:
            long = model.infer(draws=4096, seed=asked.seed + 100, method="ensemble")
            other = moved(long, names)
            value, error = (long.attrs[f"log_marginal_likelihood{kind}"] for kind in ("", "_mcse"))
            said += f"; populations {value:.2f} ± {error:.2f}"
        else:
            other = exact
            said += f"; exact {log_evidence:.3f}"
        count = sum(np.atleast_1d(one["mean"]).size for one in moved(posterior, names).values())
        cells = [label, count, a["method"], f"{a['khat']:.2f}", f"{seconds:.1f}", f"{worst(found, other):.1f}", said]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
