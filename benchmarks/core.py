"""The report's chain, 2**20 draws, all outputs, summarised: demandsim against numpy written by hand.

Run it: ``python benchmarks/core.py``. Both sides run in turn in one process; the ratio of their
medians is what counts, absolute times depend on the machine. ``side_by_side.py`` adds the peers.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

import demandsim as ds

DRAWS = 1 << 20
CHAINS = 8
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
#: Upper 95% point of the standard normal: half the width of the central 90% interval.
Z = 1.6448536269514722
#: The study's lognormals, by median and 90% factor, and its betas, by mean and sd; in printed units.
LOGNORMALS = {
    "activated_parameters": (110e9, 3),
    "daily_tokens": (1e14, 2),
    "peak_ratio": (3, 1.5),
    "card_flops": (1979, 1.3),
    "token_price": (1.5, 2),
    "card_price": (150e3, 1.5),
    "useful_life": (6, 1.4),
}
BETAS = {"utilization": (0.451386, 0.1), "paid_share": (0.404162, 0.12)}

Values = dict[str, Any]
Rows = dict[str, list[float]]


def log_scale(median: float, factor: float) -> tuple[float, float]:
    """Mean and sd of the logarithm."""
    return float(np.log(median)), float(np.log(factor)) / Z


def beta_shape(mean: float, sd: float) -> tuple[float, float]:
    """Parameters alpha and beta."""
    size = mean * (1 - mean) / sd**2 - 1
    return mean * size, (1 - mean) * size


def derived(a: Values) -> Values:
    """The ten formulas on whatever multiplies and divides: arrays, or one draw's numbers."""
    flops_per_token = 2 * a["activated_parameters"]
    token_rate = a["daily_tokens"] / 86400
    peak_compute = flops_per_token * token_rate * a["peak_ratio"] / 1e18
    cards = peak_compute / (a["card_flops"] * a["utilization"]) * 1e6
    capex = cards * a["card_price"]
    annualized_capex = capex / a["useful_life"]
    revenue = a["daily_tokens"] * a["token_price"] * a["paid_share"] / 1e6 * 365
    return {
        "flops_per_token": flops_per_token,
        "token_rate": token_rate,
        "peak_compute": peak_compute,
        "cards": cards,
        "capex": capex,
        "annualized_capex": annualized_capex,
        "revenue": revenue,
        "gross_margin": revenue - annualized_capex,
        "revenue_to_cost": revenue / annualized_capex,
        "break_even_price": annualized_capex / (a["daily_tokens"] * a["paid_share"]) * 1e6 / 365,
    }


def summarized(values: Values) -> Rows:
    """Mean, sd and quantiles of every quantity."""
    return {name: [x.mean(), x.std(), *np.quantile(x, LEVELS)] for name, x in values.items()}


def drawn(rng: np.random.Generator, draws: int) -> Values:
    """The nine assumptions as numpy draws them."""
    values = {name: rng.lognormal(*log_scale(*given), draws) for name, given in LOGNORMALS.items()}
    return values | {name: rng.beta(*beta_shape(*given), draws) for name, given in BETAS.items()}


def by_hand(seed: int, draws: int = DRAWS) -> Rows:
    """The same work as plainly written numpy: one scenario, nine distributions, ten formulas."""
    values = drawn(np.random.default_rng(seed), draws)
    return summarized(values | derived(values))


def one_scenario() -> ds.Model:
    """The study with its nine distributions and without the scenario dim, as by hand."""
    return ds.load_study("guosen-2025-01").with_scenarios()


def by_demandsim(model: ds.Model, seed: int) -> xr.Dataset:
    """The same statistics from demandsim, which also works out the Monte Carlo error of each."""
    return ds.summarize(model.simulate(DRAWS // CHAINS, chains=CHAINS, seed=seed), prob=0.9, probs=[0.25, 0.75])


def rows_of(summary: xr.Dataset) -> Rows:
    """A summary in the order of `summarized`."""
    wanted = ["mean", "sd", "lower", "p25", "median", "p75", "upper"]
    return {str(name): row.sel(statistic=wanted).values.tolist() for name, row in summary.items()}


def distance(one: Rows, other: Rows) -> float:
    """Largest difference of a median, in interquartile ranges: whether two sides did the same work."""
    return max(abs(row[4] - other[name][4]) / (row[5] - row[3]) for name, row in one.items())


def in_turn(one: Callable[[int], Any], other: Callable[[int], Any], rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of both sides, A B A B, after one round that warms up; each round has its own seed."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for round_ in range(rounds + 1):
        for side, work in zip(seconds, (one, other), strict=True):
            start = time.perf_counter()
            work(round_)
            if round_:
                side.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Print the table."""
    model = one_scenario()
    ours, hand = in_turn(lambda seed: by_demandsim(model, seed), by_hand, rounds=7)
    one, other = statistics.median(ours), statistics.median(hand)
    print(f"{DRAWS:,} draws, 19 quantities, mean, sd and 5 quantiles each (median of {len(ours)} rounds)")
    print(f"  demandsim, with Monte Carlo errors   {one * 1e3:8.1f} ms")
    print(f"  numpy by hand                        {other * 1e3:8.1f} ms")
    print(f"  ratio                                {one / other:8.2f}   (below 1 is faster)")
    worst = distance(rows_of(by_demandsim(model, 0)), by_hand(0))
    print(f"  both agree on every median within {worst:.2%} of the interquartile range")


if __name__ == "__main__":
    main()
