"""Is the reported Monte Carlo error honest? z-scores against closed forms over many seeds.

Run it: ``python benchmarks/honest_error.py [--seeds 200]``. For a product of lognormals, whose mean
and quantiles are known exactly, the z-scores (estimate - closed form) / MCSE should have a standard
deviation near 1 for every design and statistic; above 1 the error is understated.
"""

import argparse
import math

import numpy as np

import demandsim as ds
from demandsim import distributions as dist

#: Medians and 90% factors of four lognormals; the product is lognormal again.
FACTORS = {"a": (3.0, 2.0), "b": (0.5, 1.5), "c": (10.0, 3.0), "d": (1.2, 1.3)}
Z95 = 1.6448536269514722


@ds.equation(unit="1")
def product(a, b, c, d):
    """Product of all factors."""
    return a * b * c * d


def closed_form() -> dict[str, float]:
    """Mean and quantiles of the product."""
    mu = sum(math.log(median) for median, _ in FACTORS.values())
    sigma = math.sqrt(sum((math.log(factor) / Z95) ** 2 for _, factor in FACTORS.values()))
    return {
        "mean": math.exp(mu + sigma**2 / 2),
        "median": math.exp(mu),
        "lower": math.exp(mu - Z95 * sigma),
        "upper": math.exp(mu + Z95 * sigma),
    }


def scores(design: str, seeds: int, draws: int, chains: int) -> dict[str, np.ndarray]:
    """z-scores of each statistic over the seeds."""
    assumptions = {name: dist.lognormal(median=m, factor=f, prob=0.9) for name, (m, f) in FACTORS.items()}
    model, truth = ds.Model([product], assumptions), closed_form()
    found: dict[str, list[float]] = {name: [] for name in truth}
    for seed in range(seeds):
        data = model.simulate(draws, chains=chains, seed=seed, design=design, keep=["product"])
        summary = ds.summarize(data, prob=0.9)["product"]
        for name, value in truth.items():
            estimate, error = (float(summary.sel(statistic=s)) for s in (name, f"mcse_{name}"))
            found[name].append((estimate - value) / error)
    return {name: np.array(values) for name, values in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--draws", type=int, default=8192)
    parser.add_argument("--chains", type=int, default=8)
    given = parser.parse_args()
    print(f"standard deviation (mean) of z-scores, {given.seeds} seeds, {given.chains} chains of {given.draws} draws")
    print(f"{'design':<18}" + "".join(f"{name:>16}" for name in closed_form()))
    outside = []
    for design in ("random", "latin_hypercube", "sobol"):
        z = scores(design, given.seeds, given.draws, given.chains)
        print(f"{design:<18}" + "".join(f"{v.std(ddof=1):>9.2f} ({v.mean():+.2f})" for v in z.values()))
        outside += [(design, name) for name, v in z.items() if not 0.8 <= v.std(ddof=1) <= 1.25]
    print("all within 0.8 to 1.25" if not outside else f"outside 0.8 to 1.25: {outside}")


if __name__ == "__main__":
    main()
