"""Sobol' indices of five outputs of the report's chain against SALib, at equal accuracy and in one run.

Run it: ``python benchmarks/sensitivity.py [--quick]``. Both sides give first- and total-order indices
with intervals. Each is run with twice the points until the root mean square error over seeds of its
worst index is at most 0.005 (or 65,536 base points are used), against indices in closed form; then both
are timed in turn, A B A B, and medians are compared. All five outputs are sums of products, of which
demandsim's surrogate is exact: a step or a kink gains less (see tests/references). Writes
``out/bench-sensitivity.json``.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
from core import BETAS, LOGNORMALS, beta_shape, derived, log_scale
from scipy import special

import demandsim as ds

OUT = Path(__file__).resolve().parent.parent / "out" / "bench-sensitivity.json"
OUTPUTS = ["cards", "annualized_capex", "revenue", "gross_margin", "break_even_price"]
BAR = 1 / 5
TOLERANCE = 0.005

model = ds.load_study("guosen-2025-01").select(scenario="100T")
NAMES = [name for name in model.assumptions if model.program.transforms[name].varying.random]
#: Powers of each assumption in the two products that all outputs are made of.
CAPEX = {"activated_parameters": 1, "daily_tokens": 1, "peak_ratio": 1, "card_price": 1} | dict.fromkeys(
    ("card_flops", "utilization", "useful_life"), -1
)
CARDS = {name: power for name, power in CAPEX.items() if name not in ("card_price", "useful_life")}
REVENUE = {"daily_tokens": 1, "token_price": 1, "paid_share": 1}
PRICE = {**{n: p for n, p in CAPEX.items() if n != "daily_tokens"}, "paid_share": -1}


def moment(name: str, power: float) -> float:
    """E[x**power] in closed form, for medians of 1: shares do not depend on the scale."""
    if name in LOGNORMALS:
        return float(np.exp(0.5 * (power * log_scale(*LOGNORMALS[name])[1]) ** 2))
    a, b = beta_shape(*BETAS[name])
    return float(np.exp(special.betaln(a + power, b) - special.betaln(a, b)))


def reference() -> np.ndarray:
    """Exact indices, shape (outputs, first and total, assumptions): sums of products of moments."""
    middle = derived({name: LOGNORMALS[name][0] if name in LOGNORMALS else 1.0 for name in NAMES})
    capex, revenue = middle["annualized_capex"], middle["revenue"]
    outputs = [[(1.0, CARDS)], [(1.0, CAPEX)], [(1.0, REVENUE)], [(revenue, REVENUE), (-capex, CAPEX)], [(1.0, PRICE)]]

    def explained(terms: list[tuple[float, dict[str, int]]], given: set[str]) -> float:
        """Variance of the expectation given some assumptions."""
        total = 0.0
        for a, one in terms:
            for b, other in terms:
                joint, apart = a * b, a * b
                for name in NAMES:
                    p, q = one.get(name, 0), other.get(name, 0)
                    means = moment(name, p) * moment(name, q)
                    joint *= moment(name, p + q) if name in given else means
                    apart *= means
                total += joint - apart
        return total

    rows = []
    for terms in outputs:
        whole = explained(terms, set(NAMES))
        first = [explained(terms, {name}) / whole for name in NAMES]
        rows.append([first, [1 - explained(terms, set(NAMES) - {name}) / whole for name in NAMES]])
    return np.array(rows)


def by_demandsim(draws: int, seed: int) -> np.ndarray:
    """Indices by demandsim, with intervals."""
    found = ds.sensitivity.sobol(model, OUTPUTS, draws=draws, chains=8, seed=seed).squeeze()
    found = found.sel(assumption=NAMES)
    return np.stack([found.first_order.values, found.total_order.values], axis=1)


def by_salib(draws: int, seed: int) -> np.ndarray:
    """Indices by SALib, with its default intervals; the chain and its quantiles written in plain numpy."""
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    problem = {"num_vars": len(NAMES), "names": NAMES, "bounds": [[0, 1]] * len(NAMES)}
    # SALib forgets a seed of 0.
    u = np.clip(sampling.sample(problem, draws, calc_second_order=False, seed=seed + 1), 2.0**-54, 1 - 2.0**-53)
    x = {}
    for place, name in enumerate(NAMES):
        if name in LOGNORMALS:
            mean, sd = log_scale(*LOGNORMALS[name])
            x[name] = np.exp(mean + sd * special.ndtri(u[:, place]))
        else:
            x[name] = special.betaincinv(*beta_shape(*BETAS[name]), u[:, place])
    values = derived(x)
    rows = []
    for name in OUTPUTS:
        y = values[name]
        found = analysis.analyze(problem, (y - y.mean()) / y.std(), calc_second_order=False, seed=seed + 1)
        rows.append([found["S1"], found["ST"]])
    return np.array(rows)


def needed(work: Callable[[int, int], np.ndarray], first: int, most: int, seeds: int, exact: np.ndarray):
    """Fewest points, in powers of two, with which the worst index is accurate enough; and the errors."""
    draws = first
    while True:
        errors = np.array([work(draws, seed) - exact for seed in range(seeds)])
        worst = float(np.sqrt((errors**2).mean(axis=0)).max())
        print(f"  {work.__name__}: {draws:,} points, worst RMSE {worst:.5f}", flush=True)
        if worst <= TOLERANCE or draws >= most:
            return draws, worst
        draws *= 2


def main() -> None:
    """Find what each side needs, time both in turn, print and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer seeds and rounds")
    given = parser.parse_args()
    seeds, rounds = (3, 3) if given.quick else (6, 5)
    exact = reference()
    ours, our_error = needed(by_demandsim, 64, 1 << 14, seeds, exact)
    theirs, their_error = needed(by_salib, 1 << 10, 1 << 16, seeds, exact)
    # A side that has not got there by its last try is timed there, which favours it.
    times: dict[str, list[float]] = {"demandsim": [], "SALib": []}
    for seed in range(rounds):
        for name, work, draws in (("demandsim", by_demandsim, ours), ("SALib", by_salib, theirs)):
            start = time.perf_counter()
            work(draws, 100 + seed)
            times[name].append(time.perf_counter() - start)
    mine, other = (statistics.median(times[name]) for name in ("demandsim", "SALib"))
    ratio = mine / other
    print(f"demandsim {mine:8.3f} s  {ours:,} x 8 base points, worst RMSE {our_error:.5f}")
    print(f"SALib     {other:8.3f} s  {theirs:,} base points, worst RMSE {their_error:.5f}")
    print(f"ratio {ratio:.4f}, bar {BAR:.2f}: {'held' if ratio <= BAR else 'MISSED'}")
    OUT.parent.mkdir(exist_ok=True)
    details = {
        "ratio": ratio,
        "bar": BAR,
        "tolerance": TOLERANCE,
        "times": times,
        "draws": {"demandsim": ours, "SALib": theirs},
        "rmse": {"demandsim": our_error, "SALib": their_error},
        "versions": {name: metadata.version(name) for name in ("numpy", "scipy", "SALib")},
        "machine": platform.platform(),
    }
    OUT.write_text(json.dumps(details, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
