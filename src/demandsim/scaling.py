"""Scaling: run a program over all its draws, block by block, on all cores, in bounded memory."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from demandsim.errors import InvalidDrawsError, MemoryGuardError
from demandsim.receipts import Receipt, count, requested_quantiles, written
from demandsim.simulation import Program

if TYPE_CHECKING:
    pass

__all__ = ["BLOCK", "Progress", "Run", "available_memory", "run_in_memory"]

#: Draws of one block: a handful of arrays of it fit in a core's cache.
BLOCK = 16_384

Progress = Callable[[int, int], None]
Stored = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Run:
    """What to run: a program, a randomisation and the quantities to keep.

    Parameters
    ----------
    program : Program
    design : str
    seed : int
    chains, draws : int
        Independent randomisations, and draws of each.
    keep : tuple of str
        Quantities to store; only they and what they need are computed.
    needed : frozenset of str
        `keep` and all their ancestors.
    dtype : numpy dtype
        In which values are stored; they are computed in double precision.
    """

    program: Program
    design: str
    seed: int
    chains: int
    draws: int
    keep: tuple[str, ...]
    needed: frozenset[str]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))

    @property
    def total(self) -> int:
        """Draws of all chains together."""
        return self.chains * self.draws

    def block(self, start: int, stop: int) -> tuple[dict[str, npt.NDArray[np.float64]], Callable[[int], Any]]:
        """Compute a range of the flat index: values of all needed quantities, with all axes."""
        grades = self.program.grades(self.design, self.seed, start, stop, self.draws)
        needed = set(self.needed)
        assumed = self.program.assume(grades, stop - start, needed)
        return assumed | self.program.derive(assumed, needed), grades


@dataclass
class Faults:
    """Invalid values made by equations, counted per quantity, with the first draw of each."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    def look(self, run: Run, values: Mapping[str, npt.NDArray[np.float64]], start: int) -> None:
        """Count NaN and infinity in the derived quantities of one block."""
        for step in run.program.steps:
            name = step.equation.name
            if name in values:
                random = run.program.varying[name].random
                if np.isfinite(values[name]).all() or not (random or start == 0):
                    continue
                bad = ~np.isfinite(values[name])
                self.counts[name] = int(np.count_nonzero(bad)) * (1 if random else run.total)
                self.first[name] = start + int(np.argmax(bad.reshape(-1, bad.shape[-1]).any(axis=0)))

    def merge(self, other: Faults) -> None:
        """Add the counts of another block."""
        for name, number in other.counts.items():
            self.counts[name] = self.counts.get(name, 0) + number
            self.first[name] = min(self.first.get(name, other.first[name]), other.first[name])


def available_memory() -> int:
    """Bytes that this process may still take, by the system and by its container."""
    limits = [2**62]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        limits += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    except OSError:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    try:
        top = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii").strip()
        limits += [int(top) - int(used)] if top != "max" else []
    except OSError:
        pass
    return max(min(limits), 0)


def stored_shape(run: Run, name: str) -> tuple[int, ...]:
    """Shape in which a quantity is stored: scenario dims, model dims, chain, draw."""
    varying, layout = run.program.varying[name], run.program.layout
    return (*(layout.size(dim) for dim in layout.dims if dim in varying.dims), run.chains, run.draws)


def guard_memory(run: Run) -> None:
    """Raise before anything is computed if the draws would not fit.

    Raises
    ------
    MemoryGuardError
        With the size, and what to do.
    """
    random = [name for name in run.keep if run.program.varying[name].random]
    sizes = {name: math.prod(stored_shape(run, name)) * run.dtype.itemsize for name in random}
    needed, free = sum(sizes.values()), available_memory()
    if needed > 0.9 * free:
        largest = max(sizes, key=lambda name: sizes[name])
        raise MemoryGuardError(
            f"{run.total:,} draws of {len(random)} quantities need {needed / 2**30:,.1f} GiB, {free / 2**30:,.1f} GiB "
            f"are available (the largest is '{largest}' with {sizes[largest] / 2**30:,.1f} GiB); store fewer with "
            "keep=[...], or run out of core with chunks=..."
        )


def run_in_memory(
    run: Run,
    *,
    on_invalid: str = "raise",
    threads: int | None = None,
    block: int | None = None,
    progress: Progress | None = None,
) -> tuple[dict[str, Stored], str, Faults]:
    """Run all draws into preallocated arrays.

    Parameters
    ----------
    run : Run
    on_invalid : {"raise", "keep"}
    threads : int, optional
        All cores by default. The bits do not depend on it, nor on `block`.
    block : int, optional
        Draws computed at a time.
    progress : callable, optional
        Called with (draws done, draws in total).

    Returns
    -------
    arrays : dict of array
        Stored quantities, shape as `stored_shape`; sure ones are read-only views of one value.
    receipt : str
        JSON.
    faults : Faults

    Raises
    ------
    MemoryGuardError
        If the arrays do not fit in memory.
    InvalidDrawsError
        If an equation made NaN or infinity, and `on_invalid` is ``"raise"``.
    """
    guard_memory(run)
    requested = {name: q for name, q in requested_quantiles(run.program).items() if name in run.needed}
    arrays: dict[str, Stored] = {}
    flat: dict[str, Stored] = {}
    for name in run.keep:
        if run.program.varying[name].random:
            arrays[name] = np.empty(stored_shape(run, name), dtype=run.dtype)
            flat[name] = arrays[name].reshape(*arrays[name].shape[:-2], run.total)
    size = block or BLOCK
    starts = range(0, run.total, size)

    def work(start: int) -> tuple[Receipt, Faults]:
        stop = min(start + size, run.total)
        values, grades = run.block(start, stop)
        for name, target in flat.items():
            target[..., start:stop] = values[name].reshape(*target.shape[:-1], stop - start)
        if start == 0:
            for name in run.keep:
                if name not in flat:
                    shape = stored_shape(run, name)
                    sure = values[name].reshape(*shape[:-2], 1, 1).astype(run.dtype)
                    arrays[name] = np.broadcast_to(sure, shape)
        faults = Faults()
        faults.look(run, values, start)
        return count(run.program, requested, values, grades, stop - start), faults

    total, faults = Receipt(), Faults()
    for done, (part, found) in enumerate(_spread(work, starts, threads or _cores()), start=1):
        total = total + part
        faults.merge(found)
        if progress is not None:
            progress(min(done * size, run.total), run.total)
    if faults.counts and on_invalid == "raise":
        raise InvalidDrawsError(described(run, faults))
    return arrays, written(total, run.program, requested), faults


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _spread(work: Callable[[int], Any], starts: range, threads: int) -> Iterable[Any]:
    """Run `work` on every start; results in the order in which they come, faults at once."""
    if threads <= 1 or len(starts) <= 1:
        yield from map(work, starts)
        return
    with ThreadPoolExecutor(min(threads, len(starts))) as pool:
        waiting: set[Future[Any]] = {pool.submit(work, start) for start in starts}
        try:
            while waiting:
                done, waiting = wait(waiting, timeout=0.1, return_when=FIRST_EXCEPTION)
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def described(run: Run, faults: Faults) -> str:
    """Say which equation made invalid values first, in how many draws, and from which assumptions."""
    order = [step.equation.name for step in run.program.steps if step.equation.name in faults.counts]
    origin = order[0]
    place = faults.first[origin]
    values, _ = run.block(place, place + 1)
    bad = ~np.isfinite(np.asarray(values[origin]))
    where = np.unravel_index(int(np.argmax(bad)), bad.shape)
    words = []
    causes = _ancestors(run.program, origin)
    for name in run.program.samplers:
        if name in causes:
            at = tuple(min(int(i), n - 1) for i, n in zip(where, values[name].shape, strict=True))
            words.append(f"{name} = {values[name][at]:.6g}")
    layout = run.program.layout
    labels = [
        f"{dim} {layout.coords[dim][int(i)]}" for dim, i, n in zip(layout.dims, where, bad.shape, strict=False) if n > 1
    ]
    chain, draw = divmod(place, run.draws)
    spot = ", ".join([*labels, f"chain {chain}", f"draw {draw}"])
    others = [f"'{name}' ({faults.counts[name]:,})" for name in order[1:]]
    follow = f"; it goes on into {', '.join(others)}" if others else ""
    return (
        f"equation '{origin}' made NaN or infinity in {faults.counts[origin]:,} values{follow}. First at {spot}, "
        f"from {', '.join(words)}. Mend the distributions (truncate them?), or pass on_invalid='keep' to keep and "
        "count such draws."
    )


def _ancestors(program: Program, name: str) -> set[str]:
    inputs = {step.equation.name: step.equation.inputs for step in program.steps}
    found, waiting = set(), [name]
    while waiting:
        item = waiting.pop()
        if item not in found:
            found.add(item)
            waiting.extend(inputs.get(item, ()))
    return found
