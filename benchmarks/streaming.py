"""Whether quantiles of draws that are not kept are those of all draws: counted, draw by draw, in a second run.

Run it: ``python benchmarks/streaming.py [--log2 30]``. A quantile is right within 1e-4 if no more draws lie below
0.9999 of it, and no fewer below 1.0001 of it, than its rank; how far it is off follows from the draws between.
"""

import argparse
import time

import numpy as np
from memory import peak_gib
from speed import processor

import demandsim as ds
from demandsim.sampling.in_memory import spread
from demandsim.sampling.run import BLOCK, spans
from demandsim.sampling.simulate import Settings, checked_run

LEVELS = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999]
CHAINS, SEED, ALLOWED, THREADS = 8, 1, 1e-4, 2


def main() -> None:
    """Print each quantile, how far it is from that of all draws, and what the first run took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log2", type=int, default=30, help="log2 of the draws of all chains (30)")
    draws = 2 ** parser.parse_args().log2 // CHAINS
    model = ds.load_study("guosen-2025-01").select(scenario="100T")
    wall, cpu = time.perf_counter(), time.process_time()
    told = model.summarize(draws=draws, seed=SEED, keep=["cards"], probs=LEVELS, threads=THREADS).cards
    peak = 1024 * peak_gib()
    print(processor())
    print(
        f"{CHAINS * draws:,} draws, {THREADS} threads: {time.perf_counter() - wall:.1f} s wall, "
        f"{time.process_time() - cpu:.1f} s CPU, {peak:.0f} MiB at most"
    )
    found = told.squeeze().sel(statistic=[f"p{100 * level:.10g}" for level in LEVELS]).values
    edges = np.array([1 - ALLOWED, 1.0, 1 + ALLOWED])[:, None] * found
    run = checked_run(model.parts(), Settings(draws, CHAINS, SEED, keep=["cards"]))

    def below(piece: tuple[int, int]) -> np.ndarray:
        values = np.sort(dict(run.quantities(*piece))["cards"], axis=None)
        return values.searchsorted(edges)

    counted = sum(spread(below, list(spans(0, run.total, BLOCK)), THREADS))
    for level, value, (low, at, high) in zip(LEVELS, found, counted.T, strict=True):
        rank = level * (run.total - 1)
        off = ALLOWED * 2 * (at - rank) / max(high - low, 1)
        verdict = "" if low <= rank <= high else "MISSED"
        print(f"P{100 * level:<6.4g} {value:14.6g} {told.attrs['units']:6} off by {off:+.1e} {verdict}")


if __name__ == "__main__":
    main()
