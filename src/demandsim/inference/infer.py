"""Inferring: weights first, a sampler where they fail, and no number where neither can be trusted."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import normal_scores
from demandsim.errors import EvidenceConflictError, EvidenceError, InvalidDrawsError, check_known
from demandsim.inference.conflict import Distance, distances, worst
from demandsim.inference.diagnostics import (
    KHAT,
    Request,
    check_converged,
    check_possible,
    check_reach,
    conflict_text,
    enough,
    refuse,
)
from demandsim.inference.importance import Weighed, resampled, weighed
from demandsim.inference.likelihood import Likelihood, compiled
from demandsim.inference.posterior_program import conditioned
from demandsim.inference.prior_pool import Pool, active_streams, drawn_pool, in_world, spread
from demandsim.inference.result import Outcome, as_dataset, read_values
from demandsim.inference.smc import Population, sampled_chain
from demandsim.sampling.in_memory import Sampled, run_in_memory
from demandsim.sampling.program import Program
from demandsim.sampling.run import BLOCK, Run, guard_memory
from demandsim.sampling.simulate import Parts, Settings, checked_run

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Request", "inferred"]

METHODS = ("auto", "importance", "ensemble")
#: Draws of the prior, over all chains: at least, at most, and at most per draw that is asked for.
_LEAST_POOL, _MOST_POOL, _MOST_RATIO = 2**16, 2**24, 64
#: Draws of a population, which a covariance is estimated from: at least, and per dimension.
_LEAST_POPULATION, _PER_DIMENSION = 1024, 64


def inferred(parts: Parts, settings: Settings, request: Request) -> xr.Dataset:
    """Check all settings, then condition; see ``Model.infer``."""
    check_known([request.method], METHODS, "method")
    check_known([request.on_failure], ("raise", "warn"), "on_failure")
    if not request.evidence:
        raise EvidenceError("there is no evidence to learn from; give some with model.observe(name=distribution)")
    run = checked_run(parts, settings)
    likelihood = compiled(request.evidence, parts.program, parts.graph, request.units)
    streams = active_streams(parts.program, likelihood)
    worlds = likelihood.worlds(parts.program.layout)
    # The draws of every scenario, and as many log-likelihoods and normal scores, before any of it is drawn.
    copies = max(len(worlds), 1)
    guard_memory(run, copies, more=8 * copies * run.total * (len(streams) + 2))
    pool, found = _weighed_pool(run, likelihood, request)
    check_possible(likelihood, pool, parts)
    prior_distances = _prior_distances(pool, likelihood, request)
    conflict = worst([one for one in prior_distances if one.contradicts])
    if conflict is not None:
        refuse(request, EvidenceConflictError, conflict_text(conflict, "what the prior predicts"))
    method, why = _chosen(request, found, run.draws)
    programs = [in_world(parts.program, world) for world in worlds]
    populations: list[list[Population]] = []
    if method == "importance":
        rows = [resampled(pool, one, streams, place, run.draws) for place, one in enumerate(found)]
    else:
        populations = _populations(pool, likelihood, programs, streams, run, request)
        check_reach(populations)
        rows = [
            np.concatenate([normal_scores(_thinned(p.z, run.draws)) for p in chains], axis=1) for chains in populations
        ]
    observed = tuple(dict.fromkeys(name for term in likelihood.terms for name in term.names))
    kept = dataclasses.replace(
        run, keep=tuple(dict.fromkeys((*run.keep, *observed))), needed=run.needed | likelihood.needed
    )
    sampled = [
        run_in_memory(dataclasses.replace(kept, program=conditioned(program, streams, u)), request.pace)
        for program, u in zip(programs, rows, strict=True)
    ]
    after = _posterior_distances(sampled, likelihood)
    left = worst([one for one in after if one.contradicts])
    if left is not None and conflict is None:
        refuse(request, EvidenceConflictError, conflict_text(left, "what all evidence together allows"))
    outcome = Outcome(
        method, why, worlds, found, populations, sampled, streams, rows, worst(prior_distances), worst(after), pool
    )
    check_converged(outcome, request, run)
    return as_dataset(outcome, run, parts, likelihood, request.evidence)


def _power_of_two(number: float) -> int:
    return 1 << max(math.ceil(math.log2(max(number, 1))), 0)


def _weighed_pool(run: Run, likelihood: Likelihood, request: Request) -> tuple[Pool, list[Weighed]]:
    """Draw from the prior until as many draws count as are asked for, or it is clear that they never will."""
    largest = 1 << ((_MOST_POOL // run.chains) | 1).bit_length() - 1
    most = max(min(_MOST_RATIO * _power_of_two(run.draws), largest), _power_of_two(run.draws))
    draws = min(max(_power_of_two(run.draws), _power_of_two(_LEAST_POOL / run.chains)), most)
    while True:
        pool = drawn_pool(run, likelihood, draws, request.pace)
        found = spread(weighed, pool.log_likelihood, request.pace.threads)
        size = min(float(one.sizes.min()) for one in found)
        possible = int(np.isfinite(pool.log_likelihood).sum(axis=-1).min())
        if request.method == "ensemble":
            if possible >= run.draws or draws >= most:
                return pool, found
            draws = min(most, draws * 4)
            continue
        hopeless = draws >= 4096 and size * most / draws < enough(run.draws) and possible >= run.draws
        if size >= run.draws or draws >= most or hopeless:
            return pool, found
        draws = min(most, max(2 * draws, _power_of_two(1.2 * draws * run.draws / max(size, 1.0))))


def _prior_distances(pool: Pool, likelihood: Likelihood, request: Request) -> list[Distance]:
    run = pool.run
    size = min(run.draws, max(_LEAST_POOL // run.chains, 1))

    def one(chain: int) -> dict[str, Array]:
        values = run.block(chain * run.draws, chain * run.draws + size)
        return {name: values[name] for name in run.keep}

    parts = spread(one, range(run.chains), request.pace.threads)
    together = {name: np.concatenate([part[name] for part in parts], axis=-1) for name in run.keep}
    return distances(likelihood, together, run.program.layout, run.seed)


def _posterior_distances(sampled: Sequence[Sampled], likelihood: Likelihood) -> list[Distance]:
    names = [name for term in likelihood.terms for name in term.names]
    found = []
    for one in sampled:
        values = read_values(one, names)
        found += distances(likelihood, values, one.run.program.layout, one.run.seed, errors=False)
    return found


def _chosen(request: Request, found: Sequence[Weighed], draws: int) -> tuple[str, str]:
    khat, size = max(one.khat for one in found), min(float(one.sizes.min()) for one in found)
    least = enough(draws)
    if request.method != "auto":
        return request.method, "asked for"
    if khat > KHAT:
        return "ensemble", f"k-hat of the weights is {khat:.2f}, above {KHAT}"
    if size < least:
        return "ensemble", f"the weights are worth {size:.0f} draws per chain, fewer than {least:.0f}"
    return "importance", f"k-hat of the weights is {khat:.2f}, and they are worth {size:.0f} draws per chain"


def _populations(
    pool: Pool,
    likelihood: Likelihood,
    programs: Sequence[Program],
    streams: tuple[int, ...],
    run: Run,
    request: Request,
) -> list[list[Population]]:
    size = max(run.draws, _LEAST_POPULATION, _PER_DIMENSION * len(streams))

    def one(job: tuple[int, int]) -> Population:
        world, chain = job
        return sampled_chain(pool, _scored(programs[world], likelihood, streams), streams, world, chain, size)

    jobs = [(world, chain) for world in range(len(programs)) for chain in range(run.chains)]
    done = spread(one, jobs, request.pace.threads)
    return [done[start : start + run.chains] for start in range(0, len(done), run.chains)]


def _scored(program: Program, likelihood: Likelihood, streams: tuple[int, ...]) -> Any:
    """Log-likelihood of normal scores, in blocks that stay in the caches."""
    needed = set(likelihood.needed)
    rows = {stream: row for row, stream in enumerate(streams)}

    def part(z: Array) -> Array:
        u = normal_scores(z)
        grades = program.correlated(lambda stream: u[rows[stream]])
        assumed = program.assume(grades, z.shape[1], needed)
        values = {**assumed, **program.derive(assumed, needed)}
        found: Array = likelihood(values, program.layout, z.shape[1])[0]
        if np.isnan(found).any():
            raise InvalidDrawsError(
                "while sampling, an equation that the evidence needs made a value that is no number, far in the tails "
                "of its assumptions; truncate their distributions"
            )
        return found

    def scored(z: Array) -> Array:
        return np.concatenate([part(z[:, first : first + BLOCK]) for first in range(0, z.shape[1], BLOCK)])

    return scored


def _thinned(z: Array, draws: int) -> Array:
    """Evenly spread draws of a population."""
    return np.asarray(z[:, (np.arange(draws) * z.shape[1]) // draws])
