"""Scaling: all draws of a run in memory, block by block, on all cores; the same bits for any of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from demandsim._system import Array, cores
from demandsim.errors import InvalidDrawsError, check_whole
from demandsim.sampling.progress import Report
from demandsim.sampling.receipt import Receipt, count, requested_quantiles
from demandsim.sampling.run import BLOCK, Faults, Run, Stored, guard_memory, spans, stored_shape

__all__ = ["Pace", "Sampled", "continued", "first_receipt", "in_order", "run_in_memory", "spread"]

#: Draws of each chain that a receipt of lazy draws looks at.
_PILOT = 8192


@dataclass(frozen=True)
class Pace:
    """How to go about it; none of it changes a bit of the result.

    Parameters
    ----------
    threads : int, optional
        All cores by default.
    block : int, optional
        Draws computed at a time.
    progress : callable, optional
        Called with (draws done, draws in total).
    """

    threads: int | None = None
    block: int | None = None
    progress: Report | None = None

    def __post_init__(self) -> None:
        for name in ("threads", "block"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name))


@dataclass(frozen=True)
class Sampled:
    """All draws of a run.

    Parameters
    ----------
    run : Run
    arrays : mapping of str to array
        Kept quantities, shape as `stored_shape`; sure ones are read-only views of one value.
    receipt : Receipt
    faults : Faults
    """

    run: Run
    arrays: Mapping[str, Stored]
    receipt: Receipt = field(default_factory=Receipt)
    faults: Faults = field(default_factory=Faults)


def run_in_memory(run: Run, pace: Pace = Pace(), *, before: Sampled | None = None) -> Sampled:
    """Run all draws into preallocated arrays.

    Parameters
    ----------
    run : Run
    pace : Pace, optional
    before : Sampled, optional
        The first draws of the same chains, which are copied instead of drawn again.

    Returns
    -------
    Sampled

    Raises
    ------
    MemoryGuardError
        If the arrays do not fit in memory.
    InvalidDrawsError, EquationError
        If an equation made NaN or infinity and the run says to raise, or if it raised.
    """
    guard_memory(run)
    requested = {name: q for name, q in requested_quantiles(run.program).items() if name in run.needed}
    done = before.run.draws if before is not None else 0
    arrays: dict[str, Stored] = {}
    flat: dict[str, Stored] = {}
    for name in run.keep:
        if run.program.varying[name].random:
            arrays[name] = np.empty(stored_shape(run, name), dtype=run.dtype)
            flat[name] = arrays[name].reshape(*arrays[name].shape[:-2], run.total)
            if before is not None:
                arrays[name][..., :done] = before.arrays[name]
    pieces = list(_pieces(run, done, pace.block or run.block_size))

    def work(piece: tuple[int, int]) -> tuple[Receipt, Faults, int]:
        receipt, faults, sure = _drawn(run, piece, flat, requested)
        if piece == pieces[0]:
            arrays.update(sure)
        return receipt, faults, piece[1] - piece[0]

    total = before.receipt if before is not None else Receipt()
    faults = Faults()
    if before is not None:
        # Places of the flat index move when chains grow.
        moved = {n: place // done * run.draws + place % done for n, place in before.faults.first.items()}
        faults.merge(Faults(dict(before.faults.counts), moved))
    finished = done * run.chains
    for part, found, size in spread(work, pieces, pace.threads or cores()):
        total = total + part
        faults.merge(found)
        finished += size
        if pace.progress is not None:
            pace.progress(finished, run.total)
    if faults.counts and run.on_invalid == "raise":
        raise InvalidDrawsError(faults.described(run))
    return Sampled(run, {name: arrays[name] for name in run.keep}, total, faults)


def first_receipt(run: Run, most: int = _PILOT) -> Receipt:
    """Count the first draws of every chain: what a receipt can tell before anything is computed."""
    requested = {name: q for name, q in requested_quantiles(run.program).items() if name in run.needed}
    total = Receipt()
    size = min(run.draws, most)
    for chain in range(run.chains):
        for start, stop in spans(chain * run.draws, chain * run.draws + size, BLOCK):
            assumed = run.program.assume(run.grades(start, stop), stop - start, set(requested))
            total = total + count(requested, assumed, stop - start)
    return total


def continued(run: Run, pace: Pace, before: Sampled | None) -> Sampled:
    """Run what is missing of a run: quantities that were not kept before, and draws after those of before."""
    if before is None:
        return run_in_memory(run, pace)
    missing = [name for name in run.keep if name not in before.arrays]
    whole = run.only(run.keep, before.run.draws)
    if missing or not before.receipt.draws:
        added = run_in_memory(run.only(missing, before.run.draws), pace) if missing else before
        faults = Faults(dict(before.faults.counts), dict(before.faults.first))
        faults.merge(added.faults if missing else Faults())
        # Of assumptions alone, which is quick: what was stored says only what its receipt came to.
        receipt = first_receipt(whole, whole.draws)
        before = Sampled(whole, {**before.arrays, **added.arrays}, receipt, faults)
    if before.run.draws < run.draws:
        return run_in_memory(run, pace, before=before)
    return Sampled(run, {name: before.arrays[name] for name in run.keep}, before.receipt, before.faults)


def _pieces(run: Run, done: int, size: int) -> Iterable[tuple[int, int]]:
    """Ranges of the flat index that are still to be drawn; whole chains together if they are short."""
    if not done:
        yield from spans(0, run.total, size)
        return
    for chain in range(run.chains):
        yield from spans(chain * run.draws + done, (chain + 1) * run.draws, size)


def _drawn(
    run: Run, piece: tuple[int, int], flat: Mapping[str, Stored], requested: Mapping[str, Array]
) -> tuple[Receipt, Faults, dict[str, Stored]]:
    """Draw a piece into its place; what was achieved, what is invalid, and what is sure as views of one value."""
    start, stop = piece
    faults, counted, sure = Faults(), {}, {}
    for name, values in run.quantities(start, stop, faults):
        if name in flat:
            target = flat[name]
            with np.errstate(over="ignore"):
                target[..., start:stop] = values.reshape(*target.shape[:-1], stop - start)
        elif name in run.keep:
            shape = stored_shape(run, name)
            sure[name] = np.broadcast_to(values.reshape(*shape[:-2], 1, 1).astype(run.dtype), shape)
        if name in requested:
            counted[name] = values
    return count(requested, counted, stop - start), faults, sure


def in_order(work: Callable[[Any], Any], pieces: Sequence[Any]) -> list[Any]:
    """What `work` gives of every piece, in the order of the pieces, on all cores."""
    found = dict(spread(lambda place: (place, work(pieces[place])), list(range(len(pieces))), cores()))
    return [found[place] for place in range(len(pieces))]


def spread(work: Callable[[Any], Any], pieces: list[Any], threads: int) -> Iterable[Any]:
    """Run `work` on every piece; results as they come, the first fault ends it."""
    if threads <= 1 or len(pieces) <= 1:
        yield from map(work, pieces)
        return
    with ThreadPoolExecutor(min(threads, len(pieces))) as pool:
        waiting: set[Future[Any]] = {pool.submit(work, piece) for piece in pieces}
        try:
            while waiting:
                # The timeout lets Ctrl-C through while the cores are busy.
                done, waiting = wait(waiting, timeout=0.1, return_when=FIRST_EXCEPTION)
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()
