"""Pool: draws of the prior, the same that simulate makes, each with its log-likelihood."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array, cores
from demandsim.errors import EvidenceError, InvalidDrawsError
from demandsim.inference.likelihood import Likelihood
from demandsim.inference.term import Agreement
from demandsim.sampling.in_memory import Pace
from demandsim.sampling.program import Program
from demandsim.sampling.progress import Report
from demandsim.sampling.qmc import UNIFORMS
from demandsim.sampling.run import BLOCK, Faults, Run, spans

__all__ = ["Pool", "active_streams", "chosen_uniforms", "drawn_pool", "spread"]


@dataclass(frozen=True, eq=False)
class Pool:
    """Draws of the prior and what the evidence says of them.

    Parameters
    ----------
    run : Run
    agreement : Agreement
        Shape (worlds, chains, draws).
    """

    run: Run
    agreement: Agreement

    @functools.cached_property
    def log_likelihood(self) -> Array:
        """Shape (worlds, chains, draws)."""
        return self.agreement.whole


def spread(
    work: Callable[[Any], Any], pieces: Iterable[Any], threads: int | None, report: Report | None = None
) -> list[Any]:
    """Run `work` on every piece, on several threads; results in order, of which `report` is told as they come."""
    jobs, most, found = list(pieces), threads or cores(), []
    with contextlib.ExitStack() as stack:
        alone = most <= 1 or len(jobs) <= 1
        pool = None if alone else stack.enter_context(ThreadPoolExecutor(min(most, len(jobs))))
        for one in map(work, jobs) if pool is None else pool.map(work, jobs):
            found.append(one)
            if report is not None:
                report(len(found), len(jobs))
    return found


def drawn_pool(run: Run, likelihood: Likelihood, draws: int, pace: Pace) -> Pool:
    """Draw from the prior, block by block, and keep only log-likelihoods.

    Raises
    ------
    InvalidDrawsError
        If an equation that the evidence needs makes NaN or infinity.
    EvidenceError
        If a density is infinite or no number at a draw.
    """
    names = tuple(sorted({name for term in likelihood.terms for name in term.names}))
    run = dataclasses.replace(run, draws=draws, keep=names, needed=likelihood.needed, on_invalid="raise")
    worlds = max(len(likelihood.worlds(run.program.layout)), 1)
    soft, shortfall = np.empty((worlds, run.total)), np.empty((worlds, run.total))

    def work(span: tuple[int, int]) -> Faults:
        start, stop = span
        faults = Faults()
        values = {name: found for name, found in run.quantities(start, stop, faults) if name in names}
        found = likelihood(values, run.program.layout, stop - start)
        soft[:, start:stop], shortfall[:, start:stop] = found.soft, found.shortfall
        return faults

    faults = Faults()
    for part in spread(work, spans(0, run.total, pace.block or run.block_size), pace.threads, pace.progress):
        faults.merge(part)
    if faults.counts:
        raise InvalidDrawsError(faults.described(run))
    check_numbers(Agreement(soft, shortfall))
    shape = worlds, run.chains, draws
    return Pool(run, Agreement(soft.reshape(shape), shortfall.reshape(shape)))


def check_numbers(found: Agreement) -> None:
    """Raise if a likelihood is no number."""
    if np.isnan(found.soft).any() or np.isnan(found.shortfall).any():
        raise EvidenceError(
            "the likelihood is infinite or no number at a draw: a distribution of the evidence has a density without "
            "bound (a beta or gamma with a shape below 1), or an equation makes NaN; give the measurement another error"
        )


def active_streams(program: Program, likelihood: Likelihood) -> tuple[int, ...]:
    """Streams that the evidence depends on, with all that they are correlated with."""
    found: set[int] = set()
    for name, transform in program.transforms.items():
        if name in likelihood.needed and transform.varying.random:
            found.update(transform.streams)
    for members, _ in program.copula.groups:
        if found & set(members):
            found.update(members)
    return tuple(sorted(found))


def chosen_uniforms(pool: Pool, streams: Sequence[int], chain: int, places: npt.NDArray[np.intp]) -> Array:
    """Numbers in (0, 1), before the copula, of chosen draws of one chain; shape (streams, places)."""
    run = pool.run
    out = np.empty((len(streams), places.size))
    edges = np.arange(0, run.draws, BLOCK)
    # Only blocks in which something was chosen are made again.
    for first in edges[np.unique(places // BLOCK)].tolist():
        last = min(first + BLOCK, run.draws)
        inside = (places >= first) & (places < last)
        for row, stream in enumerate(streams):
            made = UNIFORMS[run.design](run.seed, chain, run.program.streams[stream], first, last, run.draws)
            out[row, inside] = made[places[inside] - first]
    return out
