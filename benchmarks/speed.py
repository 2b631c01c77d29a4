"""What is fast and what is not: summaries, models, workbooks, the first second; CPU time against a goal.

Run it: ``python benchmarks/speed.py``. Summaries are ratios to numpy in the same process; the rest are CPU seconds. The
floor is the least that it could be. Where the processor has AVX-512, summaries are also run in a process without it.
"""

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from core import by_demandsim, by_hand, one_scenario

import demandsim as ds
from demandsim import _system
from demandsim import distributions as dist
from demandsim.statistics.estimators import Asked, array_estimates

CHAINS, DRAWS = 8, 1 << 17
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
#: Commands, their goals, and the libraries that they cannot do without.
COMMANDS = {
    "list": (0.3, "typer"),
    "show guosen-2025-01": (0.7, "typer, numpy, scipy.special"),
    "run guosen-2025-01 --seed 1": (2.2, "typer, numpy, scipy.special, xarray, matplotlib.figure"),
    "run doubao-2025-2030 --seed 1": (5.0, "typer, numpy, scipy.special, xarray, matplotlib.figure"),
}
_MEMORY = "run doubao-2025-2030 --seed 1"
SIMULATE = "import demandsim as ds; ds.load_study('guosen-2025-01').simulate(draws=1024, chains=8, seed=1)"


class Row(NamedTuple):
    """A figure, what it should be at most, and the least that it could be."""

    what: str
    found: float
    goal: float
    floor: str = ""


def cpu(call: Callable[[], Any], rounds: int = 5, clock: Callable[[], float] = time.process_time) -> float:
    """Least CPU time of some rounds, or time by another clock."""
    times = []
    for _ in range(rounds):
        began = clock()
        call()
        times.append(clock() - began)
    return min(times)


class Spent(NamedTuple):
    """What a process took: CPU seconds and MB at most."""

    seconds: float
    memory: float


def child(*words: str, rounds: int = 3) -> Spent:
    """Least CPU time and memory of a fresh process."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            started = subprocess.Popen(
                [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
            )
            _, status, used = os.wait4(started.pid, 0)
            started.returncode = os.waitstatus_to_exitcode(status)
            if started.returncode:
                raise SystemExit(f"{words} failed")
            unit = 1e6 if sys.platform == "darwin" else 1e6 / 1024
            found.append(Spent(used.ru_utime + used.ru_stime, used.ru_maxrss / unit))
    return Spent(min(each.seconds for each in found), min(each.memory for each in found))


def by_numpy(values: Any) -> tuple[Any, ...]:
    """The same statistics, without their errors."""
    return np.quantile(values, LEVELS), values.mean(), values.std()


def quantities() -> dict[str, Any]:
    """Draws of shape (chain, draw): two of the report, values spread evenly, and a few different ones."""
    draws = ds.load_study("guosen-2025-01").simulate(draws=DRAWS, chains=CHAINS, seed=1, keep=["cards", "utilization"])
    found = {name: draws[name].isel(scenario=0, missing_dims="ignore") for name in ("cards", "utilization")}
    arrays = {name: np.ascontiguousarray(array.transpose("chain", "draw").values) for name, array in found.items()}
    rng = np.random.default_rng(1)
    even = (np.stack([rng.permutation(DRAWS) for _ in range(CHAINS)]) + rng.random((CHAINS, DRAWS))) / DRAWS
    return arrays | {"an even spread": even, "ten values": np.floor(10 * even)}


def summaries() -> Iterator[Row]:
    """Statistics of one quantity against quantiles, mean and sd of numpy."""
    for name, values in quantities().items():
        numpy = cpu(partial(by_numpy, values))
        floor = f"{cpu(values.sum) / numpy:.3f} one read of memory"
        for kind, goal in (("eti", 0.30), ("hdi", 1.5)):
            asked = Asked(0.9, kind)  # type: ignore[arg-type]
            found = cpu(partial(array_estimates, values, asked)) / numpy
            yield Row(f"summarize {name}, {kind}, of numpy", found, goal, floor)


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


def alone(call: Callable[[], Any]) -> Any:
    """Call on one core, where no thread waits for another."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    try:
        return call()
    finally:
        os.sched_setaffinity(0, every)


#: Least time on the wall.
wall = partial(cpu, rounds=7, clock=time.perf_counter)


def chain() -> Iterator[Row]:
    """The report's chain, 2^20 draws, 19 quantities with their errors, against the same by hand in numpy."""
    model = one_scenario()
    ours, hand = partial(by_demandsim, model, 1), partial(by_hand, 1)
    ours()
    goal = 0.45 if sys.modules.get("numba", ...) is None else 0.35
    by_cpu, by_wall = cpu(hand), wall(hand)
    yield Row("chain, CPU of numpy by hand, one core", alone(lambda: cpu(ours)) / by_cpu, goal, "0.32 a fused loop")
    yield Row("chain, CPU, all cores", cpu(ours) / by_cpu, goal, "")
    yield Row("chain, wall, all cores", wall(ours) / by_wall, 0.30, "")


def models() -> Iterator[Row]:
    """Building, changing and summarising models of many equations."""
    for size, goal in ((1_000, 0.15), (10_000, 1.5)):
        equations, assumptions = chain_of(size)
        calls = cpu(lambda equations=equations: [each.function(1.0, 1.0) for each in equations])
        found = cpu(partial(ds.Model, equations, assumptions), 2)
        yield Row(f"build {size:,} equations, s", found, goal, f"{calls:.3f} each called once")
    model = ds.Model(equations, assumptions)
    yield Row("assume, 10,000 equations, s", cpu(lambda: model.assume(w3=dist.normal(0, 0.001)), 2), 0.01)
    draws = model.simulate(draws=4, chains=2, seed=1)
    arrays = [array.values for array in draws.data_vars.values()]
    sorts = cpu(lambda: [np.sort(array, axis=None) for array in arrays], 2)
    found = cpu(lambda: ds.summarize(draws), 1)
    yield Row("summarize 10,000 variables, s", found, 3.0, f"{sorts:.3f} each sorted")


def streaming() -> Iterator[Row]:
    """Draws that are never kept: CPU seconds of 2^30."""
    model = ds.load_study("guosen-2025-01").select(scenario="100T")
    kept = cpu(lambda: model.simulate(draws=2**17, seed=1, keep=["cards"], threads=1), 2) * 2**10
    one = partial(model.summarize, draws=2**21, seed=1, keep=["cards"], threads=1)
    found = cpu(one, 1) * 2**6
    yield Row("2^30 draws of cards, not kept, s", found, 150.0, f"from 2^24; {kept:.0f} drawn alone")


def cells_of(kind: str, count: int) -> Iterator[tuple[str, Any]]:
    """Cells of a workbook, each of which takes the one above and some of eight uncertain ones."""
    yield from ((f"A{row}", row) for row in range(1, 9))
    yield "B1", "=A1+A2"
    for row in range(2, count + 1):
        one, other, last, above = f"A{row % 8 + 1}", f"A{row % 7 + 1}", f"B{row - 1}", f"B{max(row - 10, 1)}:B{row - 1}"
        formulas = {
            "five operators each": f"={last}*(1+{one}/1000)-{other}/50",
            "two ranges, an IF": f"=IF({last}>{one},SUM({above})/10-{other}/50,MAX(A1:A8)+{last}*0.5)",
            "sliding ranges, an IF": f"=IF({last}>{one},SUM({above})/10-{other}/50,MAX({above})+{last}*0.5)",
            "running totals, an IF": f"=IF({one}>3,SUM(B$1:{last})/{row},{other})",
        }
        yield f"B{row}", formulas[kind]


def workbooks() -> Iterator[Row]:
    """A thousand cells of a workbook and 65,536 draws."""
    import openpyxl

    for kind in ("five operators each", "two ranges, an IF", "sliding ranges, an IF", "running totals, an IF"):
        with tempfile.TemporaryDirectory() as folder:
            book, path = openpyxl.Workbook(), Path(folder) / "cells.xlsx"
            for place, said in cells_of(kind, 1_000):
                book.active[place] = said
            book.save(path)
            assumed = {f"Sheet!A{row}": f"normal({row}, {1.5 * row})" for row in range(1, 9)}
            model = ds.read_workbook(path, outputs=["Sheet!B1000"], assume=assumed)
        yield Row(f"1,000 cells, {kind}, s", cpu(partial(model.simulate, draws=8192, seed=1), 3), 0.5)


def first_second() -> Iterator[Row]:
    """Commands and a first simulation in fresh processes; first of all, since a child starts with our memory."""
    for words, (goal, libraries) in COMMANDS.items():
        floor = f"{child('-c', f'import {libraries}').seconds:.3f} imports"
        used = child("-m", "demandsim", *words.split())
        yield Row(f"demandsim {words}, s", used.seconds, goal, floor)
        if words == _MEMORY:
            yield Row(f"demandsim {words}, MB", used.memory, 500)
    floor = f"{child('-c', 'import numpy, scipy.special, xarray').seconds:.3f} imports"
    yield Row("import, load, simulate 8 x 1,024, s", child("-c", SIMULATE).seconds, 1.2, floor)


def wide() -> list[str]:
    """Features of the processor, as numpy calls them, that are AVX-512."""
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return [name for name in found if name.startswith(("AVX512", "X86_V4"))]


def processor() -> str:
    """Name of the processor, and what of it numpy's sort uses."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    # With AVX-512 on some processors a sort is slower than with AVX2, so this belongs to the figures.
    simd = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    return f"{name}, numpy {np.__version__} with {' '.join(simd)}"


PARTS = {
    "first": first_second,
    "summaries": summaries,
    "chain": chain,
    "models": models,
    "streaming": streaming,
    "workbooks": workbooks,
}


def main() -> None:
    """Print every row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--fast", action="store_true", help="with numba, compiled at the start; without, numpy alone")
    given = parser.parse_args()
    compiles = importlib.util.find_spec("numba") is not None
    wanted = given.parts or list(PARTS)
    # numba would set in halfway, once it pays.
    if given.fast:
        _system._WORTH_COMPILING = 0
    else:
        sys.modules["numba"] = None  # type: ignore[assignment]
    warnings.simplefilter("ignore")
    print(processor())
    print(f"{'':40} {'found':>8} {'goal':>8}         floor", flush=True)
    for part in wanted:
        for row in PARTS[part]():
            verdict = "" if row.found <= row.goal else "MISSED"
            print(f"{row.what:40} {row.found:8.3f} {row.goal:8.3f} {verdict:7} {row.floor}", flush=True)
    if "chain" in wanted and not given.fast and compiles:
        print("\nWith numba:", flush=True)
        subprocess.run([sys.executable, __file__, "chain", "--fast"], check=True)
    again = [part for part in ("summaries", "chain") if part in wanted]
    if again and wide() and not given.fast:
        print("\nWithout AVX-512:", flush=True)
        less = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(wide())}
        subprocess.run([sys.executable, __file__, *again], env=less, check=True)


if __name__ == "__main__":
    main()
