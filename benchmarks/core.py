"""The report's chain, 2**20 draws, all outputs, summarised: demandsim against numpy written by hand.

Run it: ``python benchmarks/core.py``. Both sides run in turn in one process; the ratio of their
medians is what counts, absolute times depend on the machine.
"""

import statistics
import time

import numpy as np

import demandsim as ds

DRAWS = 1 << 20
CHAINS = 8
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
#: Upper 95% point of the standard normal: half the width of the central 90% interval.
Z = 1.6448536269514722


def by_hand(rng: np.random.Generator) -> dict[str, list[float]]:
    """The same work as plainly written numpy: one scenario, nine distributions, ten formulas."""

    def lognormal(median: float, factor: float) -> np.ndarray:
        return rng.lognormal(np.log(median), np.log(factor) / Z, DRAWS)

    def beta(mean: float, sd: float) -> np.ndarray:
        size = mean * (1 - mean) / sd**2 - 1
        return rng.beta(mean * size, (1 - mean) * size, DRAWS)

    v = {
        "activated_parameters": lognormal(110e9, 3),
        "daily_tokens": lognormal(1e14, 2),
        "peak_ratio": lognormal(3, 1.5),
        "card_flops": lognormal(1979, 1.3),
        "utilization": beta(0.451386, 0.1),
        "token_price": lognormal(1.5, 2),
        "paid_share": beta(0.404162, 0.12),
        "card_price": lognormal(150e3, 1.5),
        "useful_life": lognormal(6, 1.4),
    }
    v["flops_per_token"] = 2 * v["activated_parameters"]
    v["token_rate"] = v["daily_tokens"] / 86400
    v["peak_compute"] = v["flops_per_token"] * v["token_rate"] * v["peak_ratio"] / 1e18
    v["cards"] = v["peak_compute"] / (v["card_flops"] * v["utilization"]) * 1e6
    v["capex"] = v["cards"] * v["card_price"]
    v["annualized_capex"] = v["capex"] / v["useful_life"]
    v["revenue"] = v["daily_tokens"] * v["token_price"] * v["paid_share"] / 1e6 * 365
    v["gross_margin"] = v["revenue"] - v["annualized_capex"]
    v["revenue_to_cost"] = v["revenue"] / v["annualized_capex"]
    v["break_even_price"] = v["annualized_capex"] / (v["daily_tokens"] * v["paid_share"]) * 1e6 / 365
    return {name: [x.mean(), x.std(), *np.quantile(x, LEVELS)] for name, x in v.items()}


def one_scenario() -> ds.Model:
    """The study with its nine distributions and without the scenario dim, as by hand."""
    return ds.load_study("guosen-2025-01").with_scenarios()


def timed(rounds: int = 7) -> tuple[list[float], list[float]]:
    """Seconds of each side, in turn, after one warm-up."""
    model = one_scenario()
    ours, hand = [], []
    for round_ in range(rounds + 1):
        start = time.perf_counter()
        draws = model.simulate(DRAWS // CHAINS, chains=CHAINS, seed=round_)
        ds.summarize(draws, prob=0.9, probs=[0.25, 0.75])
        middle = time.perf_counter()
        by_hand(np.random.default_rng(round_))
        stop = time.perf_counter()
        if round_:
            ours.append(middle - start)
            hand.append(stop - middle)
    return ours, hand


def main() -> None:
    """Print the table."""
    ours, hand = timed()
    one, other = statistics.median(ours), statistics.median(hand)
    print(f"{DRAWS:,} draws, 19 quantities, mean, sd and 5 quantiles each (median of {len(ours)} rounds)")
    print(f"  demandsim, with Monte Carlo errors   {one * 1e3:8.1f} ms")
    print(f"  numpy by hand                        {other * 1e3:8.1f} ms")
    print(f"  ratio                                {one / other:8.2f}   (below 1 is faster)")
    model, check = one_scenario(), by_hand(np.random.default_rng(0))
    summary = ds.summarize(model.simulate(DRAWS // CHAINS, chains=CHAINS, seed=0))
    worst = max(
        abs(float(summary[n].sel(statistic="median")) / row[4] - 1) for n, row in check.items() if n != "gross_margin"
    )
    print(f"  both agree on every median within {worst:.2%}")


if __name__ == "__main__":
    main()
