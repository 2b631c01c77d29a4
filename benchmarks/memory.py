"""2**30 draws of the report's chain, all percentiles, in bounded memory: how much, how fast, how exact.

Run it: ``python benchmarks/memory.py [--log2 26]``. Each measurement runs in a fresh process, whose peak
resident memory the operating system tells. The percentiles of products of lognormals are known exactly.
"""

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time

# This process imports nothing large: until it runs its own program, a child counts its parent's memory.

CHAINS = 8
SMALL = 20
PERCENTILES = [percent / 100 for percent in range(1, 100)]
#: Quantities that are products of lognormals, and the assumptions that they multiply.
PRODUCTS = {
    "token_rate": (1 / 86400, ["daily_tokens"]),
    "flops_per_token": (2.0, ["activated_parameters"]),
    "peak_compute": (2 / 86400 / 1e18, ["activated_parameters", "daily_tokens", "peak_ratio"]),
}


def peak_gib() -> float:
    """Peak resident memory of this process and of any that it has waited for."""
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return max(peaks) * unit / 2**30


def exact_percentiles(name: str) -> list[float]:
    """Percentiles of a product of independent lognormals, which is lognormal."""
    from core import LOGNORMALS, log_scale

    constant, factors = PRODUCTS[name]
    scales = [log_scale(*LOGNORMALS[factor]) for factor in factors]
    law = statistics.NormalDist(math.log(constant) + sum(m for m, _ in scales), math.hypot(*(s for _, s in scales)))
    return [math.exp(law.inv_cdf(level)) for level in PERCENTILES]


def measure(log2: int, chunk: int | None, rounds: int) -> dict:
    """Simulate and summarise in this process: seconds, peak memory, errors of the percentiles."""
    from core import one_scenario

    import demandsim as ds

    model = one_scenario()
    seconds = []
    for seed in range(rounds):
        start = time.perf_counter()
        draws = model.simulate((1 << log2) // CHAINS, chains=CHAINS, seed=seed, chunks=chunk)
        summary = ds.summarize(draws, prob=0.9, probs=PERCENTILES)
        seconds.append(time.perf_counter() - start)
    errors = {}
    for name in PRODUCTS:
        exact = exact_percentiles(name)
        labels = [f"p{100 * level:.10g}" for level in PERCENTILES]
        found = summary[name].sel(statistic=labels).values
        sampling = summary[name].sel(statistic=[f"mcse_{label}" for label in labels]).values
        errors[name] = {
            "largest": max(abs(a / b - 1) for a, b in zip(found.tolist(), exact, strict=True)),
            "largest_mcse": max(a / b for a, b in zip(sampling.tolist(), exact, strict=True)),
        }
    return {"log2": log2, "chunk": chunk, "seconds": seconds, "peak_gib": peak_gib(), "errors": errors}


def measured_apart(log2: int, chunk: int | None, rounds: int) -> dict:
    """`measure` in a fresh process."""
    command = [sys.executable, __file__, "--inside", json.dumps([log2, chunk, rounds])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def verdict(held: bool) -> str:
    """Held or missed."""
    return "held" if held else "MISSED"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log2", type=int, default=30, help="log2 of the draws of all chains together")
    parser.add_argument("--chunk", type=int, default=1 << 18, help="draws of one chunk")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of 2**20 draws in memory, after one warm-up")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(measure(*json.loads(given.inside))))
        return
    # Before and after the long run: its neighbours on the machine may come and go.
    before = measured_apart(SMALL, None, given.rounds + 1)
    large = measured_apart(given.log2, given.chunk, 1)
    after = measured_apart(SMALL, None, given.rounds + 1)
    seconds = large["seconds"][0]
    per_draw = seconds / (1 << given.log2)
    small = statistics.median(before["seconds"][1:] + after["seconds"][1:]) / (1 << SMALL)
    print(f"2**{given.log2} draws of all 19 quantities in chunks of {given.chunk:,}, P1 to P99, in {seconds:,.1f} s")
    peak = large["peak_gib"]
    print(f"  peak memory                {peak:9.3f} GiB   bar 1.0   {verdict(peak <= 1)}")
    speed = small / per_draw
    print(f"  a draw                     {per_draw * 1e9:9.1f} ns    in memory, 2**{SMALL}: {small * 1e9:.1f} ns")
    print(f"  throughput to in memory    {speed:9.2f}       bar 0.8   {verdict(speed >= 0.8)}")
    print("  largest relative error of P1 to P99, and the part of it that is sampling (largest MCSE; the rest,")
    print("  up to 6.1e-5, is the width of a sketch's bins)")
    for name, error in large["errors"].items():
        held = verdict(error["largest"] <= 1e-4)
        print(f"    {name:<22} {error['largest']:9.1e}       bar 1e-4  {held}   MCSE {error['largest_mcse']:.1e}")


if __name__ == "__main__":
    main()
