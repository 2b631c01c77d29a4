"""Is the reported Monte Carlo error honest? How often one error covers the truth, against closed forms.

Run it: ``python benchmarks/honest_error.py [--quick] [--seeds 200]``. A standard error should cover the truth in 68.3%
of runs: for one uniform number, for sums of 1, 2 and 9 normal ones, and for a product of lognormals, by every design,
for the mean, the sd, quantiles and probabilities. The points, quantile functions and estimators are the library's own,
without labels, so that the whole table takes a few minutes; ``--quick`` takes two sizes and 100 seeds.

Where a design leaves few values to choose from, as one evenly spread number does for a probability, no error can
cover 68%: it covers too much, never too little. Heavy tails are the exception, which `summarize` warns of.
"""

import argparse
import sys
import time
from collections.abc import Iterator

import numpy as np
from scipy import special, stats

from demandsim.sampling.qmc import UNIFORMS, Stream
from demandsim.statistics.design import DESIGNS
from demandsim.statistics.estimators import Asked, array_statistics, share_and_error

LEVELS = (0.01, 0.05, 0.5, 0.95, 0.99)
RARE = (0.1, 0.01, 0.001)
NAMES = ("mean", "sd", *(f"P{100 * level:g}" for level in LEVELS), *(f"p>={rare:g}" for rare in RARE))
CHAINS = 8
#: Spread of the logarithm of the product of lognormals.
SIGMA = 0.8
#: Weights of the inputs of each quantity.
WEIGHTS = {
    "1 uniform": (1.0,),
    "1 normal": (1.0,),
    "2 normals": (1.0, 0.7),
    "9 normals": (1.0,) * 9,
    "9 lognormals": (1.0,) * 9,
}


def drawn(quantity: str, design: str, draws: int, seed: int) -> np.ndarray:
    """Draws of a quantity, shape (chain, draw)."""
    weights = np.array(WEIGHTS[quantity])
    weights /= np.linalg.norm(weights)
    values = np.zeros((CHAINS, draws))
    for chain in range(CHAINS):
        for place, weight in enumerate(weights):
            u = UNIFORMS[design](seed, chain, Stream(f"x{place}", 0, place), 0, draws, draws)
            values[chain] += weight * (u if quantity == "1 uniform" else special.ndtri(u))
    return np.exp(SIGMA * values) if quantity == "9 lognormals" else values


def law(quantity: str) -> stats.rv_continuous:
    """Closed form of the distribution of a quantity."""
    if quantity == "1 uniform":
        return stats.uniform()
    return stats.lognorm(SIGMA) if quantity == "9 lognormals" else stats.norm()


def scores(quantity: str, design: str, draws: int, seeds: int) -> np.ndarray:
    """(estimate - truth) / error, shape (seeds, statistics)."""
    true, independent = law(quantity), DESIGNS[design].independent
    exact = [true.mean(), true.std(), *true.ppf(LEVELS), *RARE]
    asked = Asked(0.9, "eti", LEVELS, independent)
    rows = []
    for seed in range(seeds):
        values = drawn(quantity, design, draws, seed)
        found, _ = array_statistics(values, asked)
        half = asked.count
        estimates, errors = [*found[:2], *found[5:half]], [*found[half : half + 2], *found[half + 5 :]]
        for edge in true.isf(RARE):
            share, error = share_and_error((values > edge).sum(axis=1), np.full(CHAINS, draws), independent)
            estimates.append(share)
            errors.append(error)
        rows.append((np.array(estimates) - exact) / errors)
    return np.array(rows)


def table(sizes: tuple[int, ...], seeds: int) -> Iterator[tuple[str, str, int, np.ndarray]]:
    """Coverage of plus and minus one error of every statistic."""
    for quantity in WEIGHTS:
        for design in UNIFORMS:
            for draws in sizes:
                yield quantity, design, draws, (np.abs(scores(quantity, design, draws, seeds)) <= 1).mean(axis=0)


def main() -> int:
    """Print the table; fail where an error covers less than the truth by more than chance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="two sizes and 100 seeds")
    given = parser.parse_args()
    seeds = min(given.seeds, 100) if given.quick else given.seeds
    sizes = (512, 4096) if given.quick else (512, 1024, 2048, 4096, 8192)
    started, below, above, cells = time.process_time(), [], [], 0
    print(f"share of {seeds} runs of {CHAINS} chains in which one error covers the truth (68.3% is right)")
    print(f"{'quantity':<13}{'design':<16}{'draws':>6}" + "".join(f"{name:>9}" for name in NAMES))
    for quantity, design, draws, found in table(sizes, seeds):
        print(f"{quantity:<13}{design:<16}{draws:>6}" + "".join(f"{100 * share:>8.1f}%" for share in found), flush=True)
        cells += found.size
        for name, share in zip(NAMES, found, strict=True):
            where = f"{quantity}, {design}, {draws} draws, {name}: {100 * share:.1f}%"
            below += [where] if share < 0.62 else []
            above += [where] if share > 0.75 else []
    print(f"{cells} cells in {time.process_time() - started:.0f} s of processor time; below 62%: {len(below)}")
    print("\n".join(below))
    print(f"above 75%: {len(above)}, of one input {sum(text.startswith('1 ') for text in above)}")
    # The largest of so many shares of so few runs that a right error may miss by.
    least = stats.binom.ppf(0.01 / cells, seeds, special.ndtr(1) - special.ndtr(-1)) / seeds
    wrong = [text for text in below if float(text.rsplit(" ", 1)[1][:-1]) < 100 * least]
    print(f"too low by more than chance (under {100 * least:.1f}%): {wrong or 'none'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
