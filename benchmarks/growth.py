"""How cost grows with draws, assumptions, labels, equations and threads: CPU and wall seconds, a row each.

Run: python benchmarks/growth.py
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import demandsim as ds
from demandsim import distributions as dist


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """The least CPU and wall seconds of three runs."""
    found = []
    for _ in range(3):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(cpu for cpu, _ in found), min(wall for _, wall in found)


def chain(count: int) -> ds.Model:
    """The product of as many assumptions."""

    names = [f"a{place}" for place in range(count)]
    made: dict[str, Any] = {}
    # Inputs of an equation are the names of its parameters.
    exec(f"def product({', '.join(names)}): return {' * '.join(names)}", made)
    return ds.Model([ds.equation(made["product"], unit="1")], {name: dist.lognormal(0.9, 1.1) for name in names})


@ds.equation(unit="1")
def total(rate: Any, size: Any) -> Any:
    """Product along the labels."""
    return rate * size


def labelled(count: int) -> ds.Model:
    """One product a label, all of one draw."""
    sizes = dist.by("place", {str(place): 1.0 + place for place in range(count)})
    return ds.Model([total], {"rate": dist.lognormal(0.9, 1.1), "size": sizes})


def main() -> None:
    # numpy alone: numba would set in halfway, once it pays.
    sys.modules["numba"] = None  # type: ignore[assignment]
    report = ds.load_study("guosen-2025-01")
    chains, tables = {n: chain(n) for n in (2, 8, 32)}, {n: labelled(n) for n in (10, 100, 1000)}
    kept, shared = "draws of all 19 quantities, kept", "threads, 1,048,576 draws"
    rows: list[tuple[str, int, Callable[[], Any]]] = [
        *((kept, 8 * n, lambda n=n: report.simulate(n, seed=1)) for n in (2**13, 2**15, 2**17)),
        *((shared, n, lambda n=n: report.simulate(2**17, seed=1, threads=n)) for n in (1, 2)),
        *(("assumptions, 131,072 draws", n, lambda m=m: m.simulate(2**14, seed=1)) for n, m in chains.items()),
        *(("labels, 8,192 draws", n, lambda m=m: m.simulate(2**10, seed=1)) for n, m in tables.items()),
    ]
    print(f"{'with':36}{'':>10}{'CPU s':>9}{'wall s':>9}")
    for what, size, work in rows:
        cpu, wall = timed(work)
        print(f"{what:36}{size:>10,}{cpu:>9.3f}{wall:>9.3f}")


if __name__ == "__main__":
    main()
