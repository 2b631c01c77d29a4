"""Inferring: weights first, a sampler where they fail, and no number where neither can be trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from demandsim._system import Array
from demandsim.errors import EvidenceConflictError, EvidenceError, check_known
from demandsim.inference.conflict import Distance, distances, worst
from demandsim.inference.diagnostics import (
    Request,
    check_converged,
    check_possible,
    check_reach,
    conflict_text,
    refuse,
)
from demandsim.inference.likelihood import Likelihood, compiled
from demandsim.inference.posterior_program import conditioned
from demandsim.inference.prior_pool import Pool, active_streams, spread
from demandsim.inference.result import Outcome, as_dataset, read_values
from demandsim.inference.solution import SOLVED, Problem, solved, weighed_pool
from demandsim.inference.target import Target
from demandsim.sampling.in_memory import Sampled, run_in_memory
from demandsim.sampling.progress import part, rising
from demandsim.sampling.run import guard_memory
from demandsim.sampling.simulate import Parts, Settings, checked_run

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Request", "inferred"]

METHODS = ("auto", "importance", "conditional", "adaptive", "ensemble")
#: Draws of the prior that evidence is held against, over all chains.
_HELD_AGAINST = 2**16


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
    request = dataclasses.replace(request, report=rising(request.report))
    pool, weights = weighed_pool(run, likelihood, request, patient=request.method == "importance")
    prior_distances = _prior_distances(pool, likelihood, request)
    conflict = worst([one for one in prior_distances if one.contradicts])
    # Bounds far beyond the prior are a contradiction, and not come to by steps.
    check_possible(likelihood, pool, parts, in_steps=request.method != "importance" and conflict is None)
    if conflict is not None:
        refuse(request, EvidenceConflictError, conflict_text(conflict, "what the prior predicts"))
    programs = [parts.program.in_world(world) for world in worlds]
    targets = [Target(program, likelihood, streams) for program in programs]
    found = solved(Problem(run, likelihood, targets, request), pool, weights)
    check_reach(found.rows)
    observed = tuple(dict.fromkeys(name for term in likelihood.terms for name in term.names))
    kept = dataclasses.replace(
        run, keep=tuple(dict.fromkeys((*run.keep, *observed))), needed=run.needed | likelihood.needed
    )
    ends = np.linspace(SOLVED, 1.0, len(programs) + 1).tolist()
    sampled = [
        run_in_memory(
            dataclasses.replace(kept, program=conditioned(program, streams, u)),
            dataclasses.replace(request.pace, progress=part(request.report, *ends[place : place + 2])),
        )
        for place, (program, u) in enumerate(zip(programs, found.rows, strict=True))
    ]
    after = _posterior_distances(sampled, likelihood)
    left = worst([one for one in after if one.contradicts])
    if left is not None and conflict is None:
        refuse(request, EvidenceConflictError, conflict_text(left, "what all evidence together allows"))
    outcome = Outcome(found, worlds, sampled, streams, worst(prior_distances), worst(after))
    check_converged(outcome, request, run)
    return as_dataset(outcome, run, parts, likelihood, request.evidence)


def _prior_distances(pool: Pool, likelihood: Likelihood, request: Request) -> list[Distance]:
    run = pool.run
    size = min(run.draws, max(_HELD_AGAINST // run.chains, 1))

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
