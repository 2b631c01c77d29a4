"""What is fast and what is not: summaries, models of many equations, the first second; CPU time against a goal.

Run it: ``python benchmarks/speed.py``. Summaries are ratios to numpy in the same process; the rest are CPU seconds.
"""

import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import demandsim as ds
from demandsim import distributions as dist
from demandsim.statistics.estimators import Asked, array_estimates

CHAINS, DRAWS = 8, 1 << 17
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
COMMANDS = {"list": 0.3, "show guosen-2025-01": 0.7, "run guosen-2025-01 --seed 1": 2.2}
SIMULATE = "import demandsim as ds; ds.load_study('guosen-2025-01').simulate(draws=1024, chains=8, seed=1)"


class Row(NamedTuple):
    """A figure, what it should be at most, and the least that it could be."""

    what: str
    found: float
    goal: float
    floor: str = ""


def cpu(call: Callable[[], Any], rounds: int = 5) -> float:
    """Least CPU time of some rounds."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return min(times)


def child(*words: str, rounds: int = 3) -> float:
    """Least CPU time of a fresh process."""
    times = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def by_numpy(values: Any) -> tuple[Any, ...]:
    """The same statistics, without their errors."""
    return np.quantile(values, LEVELS), values.mean(), values.std()


def summaries() -> Iterator[Row]:
    """Statistics of one quantity against quantiles, mean and sd of numpy."""
    draws = ds.load_study("guosen-2025-01").simulate(draws=DRAWS, chains=CHAINS, seed=1, keep=["cards", "utilization"])
    for name in ("cards", "utilization"):
        array = draws[name]
        array = array.isel(scenario=0) if "scenario" in array.dims else array
        values = np.ascontiguousarray(array.transpose("chain", "draw").values)
        numpy = cpu(partial(by_numpy, values))
        read = cpu(values.sum) / numpy
        for kind, goal in (("eti", 0.30), ("hdi", 1.5)):
            asked = Asked(0.9, kind)  # type: ignore[arg-type]
            found = cpu(partial(array_estimates, values, asked)) / numpy
            yield Row(f"summarize {name}, {kind}, of numpy", found, goal, f"{read:.3f} one read of memory")


def chain_of(equations: int) -> tuple[list[Any], dict[str, Any]]:
    """A chain of equations over eleven assumptions."""
    text = "\n".join(
        f"@ds.equation(unit='card')\ndef q{i}({before}, w{i % 10}):\n    return {before} * w{i % 10} + {before}\n"
        for i, before in enumerate(["x0", *(f"q{i}" for i in range(equations - 1))])
    )
    made: dict[str, Any] = {"ds": ds}
    exec(text, made)
    weights = {f"w{i}": dist.normal(0.0005, 0.001) for i in range(10)}
    start = {"x0": ds.Assumption(dist.lognormal(1, 2), unit="card")}
    return [made[f"q{i}"] for i in range(equations)], start | weights


def models() -> Iterator[Row]:
    """Building, changing and summarising models of many equations."""
    for size, goal in ((1_000, 0.15), (10_000, 1.5)):
        equations, assumptions = chain_of(size)
        yield Row(f"build {size:,} equations, s", cpu(partial(ds.Model, equations, assumptions), 2), goal)
    model = ds.Model(equations, assumptions)
    yield Row("assume, 10,000 equations, s", cpu(lambda: model.assume(w3=dist.normal(0, 0.001)), 2), 0.01)
    draws = model.simulate(draws=4, chains=2, seed=1)
    yield Row("summarize 10,000 variables, s", cpu(lambda: ds.summarize(draws), 1), 3.0)


def streaming() -> Iterator[Row]:
    """Draws that are never kept: CPU seconds of 2^30, from those of 2^22."""
    model = ds.load_study("guosen-2025-01").select(scenario="100T")
    for keep, goal in ((["cards"], 150.0), (None, 150.0)):
        what = "cards" if keep else "all 19 quantities"
        one = partial(model.summarize, draws=2**19, seed=1, keep=keep, threads=1)
        yield Row(f"2^30 draws of {what}, not kept, s", cpu(one, 2) * 2**8, goal, "extrapolated from 2^22")


def first_second() -> Iterator[Row]:
    """Commands and a first simulation in fresh processes."""
    for words, goal in COMMANDS.items():
        yield Row(f"demandsim {words}, s", child("-m", "demandsim", *words.split()), goal)
    yield Row("import, load, simulate 8 x 1,024, s", child("-c", SIMULATE), 1.2)


def processor() -> str:
    """Name of the processor, and what of it numpy's sort uses."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    # With AVX-512 on some processors a sort is slower than with AVX2, so this belongs to the figures.
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return f"{name}, numpy {np.__version__} with {' '.join(simd)}"


def main() -> None:
    """Print every row."""
    warnings.simplefilter("ignore")
    print(processor())
    print(f"{'':40} {'found':>8} {'goal':>8}  floor")
    for rows in (summaries, models, streaming, first_second):
        for row in rows():
            print(f"{row.what:40} {row.found:8.3f} {row.goal:8.3f}  {row.floor}", flush=True)


if __name__ == "__main__":
    main()
