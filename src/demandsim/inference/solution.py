"""Solution: equal-weight draws of the posterior, by the method that can be trusted, and what tells that it can.

Weights on draws of the prior come first, then weights on draws of a proposal that is adapted to the evidence, then
populations. Where the evidence has heavy tails, two methods must agree.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import normal_scores, standard_normal
from demandsim.errors import ConvergenceError
from demandsim.inference.adaptive import Adapted, adapted
from demandsim.inference.conditional import FEWEST, conditional
from demandsim.inference.diagnostics import SURE, Request, enough, refuse
from demandsim.inference.importance import Weighed, log_mean, resampled, weighed
from demandsim.inference.likelihood import Likelihood, heavy_tailed
from demandsim.inference.prior_pool import Pool, drawn_pool, spread
from demandsim.inference.smc import Population, population
from demandsim.inference.target import Target, side_by_side
from demandsim.sampling.in_memory import Pace
from demandsim.sampling.progress import part
from demandsim.sampling.run import Run

__all__ = ["SOLVED", "Problem", "Solution", "solved", "weighed_pool"]

#: Draws of the prior, over all chains: at least, at most, and at most per draw that is asked for.
_LEAST_POOL, _MOST_POOL, _MOST_RATIO = 2**16, 2**24, 64
#: Draws of a population, which a covariance is estimated from: at least, and per dimension.
_LEAST_POPULATION, _PER_DIMENSION = 1024, 64
#: Errors, and posterior standard deviations, by which two methods may differ.
_ERRORS, _SLACK = 5.0, 0.05
#: Shares of the whole way at which the parts of a solution end: the pool, proposals of either kind, and populations.
_POOLED, _CONDITIONED, _ADAPTED, SOLVED = 0.3, 0.45, 0.65, 0.9


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be solved: a run, the evidence, a target for each world, and the request."""

    run: Run
    likelihood: Likelihood
    targets: Sequence[Target]
    request: Request

    @property
    def streams(self) -> tuple[int, ...]:
        """Streams that the evidence depends on."""
        return self.targets[0].streams


@dataclass(frozen=True, eq=False)
class Solution:
    """Draws of the posterior, world by world.

    Parameters
    ----------
    method, why : str
    rows : sequence of array of shape (streams, chains * draws)
        Numbers in (0, 1), before the copula.
    weights : sequence of Weighed
        Of the draws that these were chosen from; of the prior's for populations.
    populations : sequence of sequence of Population
        Per world and chain; empty for weights.
    pool : Pool
    """

    method: str
    why: str
    rows: Sequence[Array]
    weights: Sequence[Weighed]
    populations: Sequence[Sequence[Population]]
    pool: Pool

    @property
    def khat(self) -> float:
        """The largest of all worlds."""
        return max(one.khat for one in self.weights)

    @property
    def size(self) -> float:
        """Effective draws by the weights, of the worst chain."""
        return min(float(one.sizes.min()) for one in self.weights)

    def log_evidence(self, world: int) -> tuple[float, float]:
        r"""Log marginal likelihood of a world and its error, from independent chains.

        With s the standard deviation of the chains' logarithms, the error is :math:`\sqrt{s^2 / m + s^4}`: the mean of
        m skewed estimates errs by their spread, and its logarithm lies too low by an amount of order :math:`s^2`.
        """
        by_chain = (
            np.array([one.log_evidence for one in self.populations[world]])
            if self.populations
            else self.weights[world].log_evidences
        )
        if by_chain.size < 2:
            return log_mean(by_chain), math.nan
        if not np.isfinite(by_chain).all():
            return log_mean(by_chain), math.inf
        spread_ = float(np.std(by_chain, ddof=1))
        return log_mean(by_chain), math.hypot(spread_ / math.sqrt(by_chain.size), spread_**2)


def solved(problem: Problem, pool: Pool, weights: Sequence[Weighed]) -> Solution:
    """Draw from the posterior by the method that was asked for, or by the first that is good.

    Parameters
    ----------
    problem : Problem
    pool : Pool
    weights : sequence of Weighed
        Of the pool, per world.
    """
    method = problem.request.method
    if method == "importance":
        return _by_prior(problem, pool, weights, "asked for")
    if method == "ensemble":
        return _by_populations(problem, pool, weights, "asked for")
    heavy = any(heavy_tailed(term) for term in problem.likelihood.terms)
    if method == "auto":
        return _first_sure(problem, pool, weights, heavy)
    if method == "conditional":
        found = _conditional(problem, pool)
        if found is None:
            raise ConvergenceError("what was observed is linear in too few assumptions; leave method='auto'")
        return _agreed(problem, dataclasses.replace(found, why="asked for"), weights, heavy)
    found = _adapted(problem, pool)
    if found is None:
        raise ConvergenceError(
            "no proposal came to the evidence; use method='ensemble', whose populations move in smaller steps"
        )
    return _agreed(problem, dataclasses.replace(found, why="asked for"), weights, heavy)


def _first_sure(problem: Problem, pool: Pool, weights: Sequence[Weighed], heavy: bool) -> Solution:
    """By the first method that can be trusted."""
    khat, size = _quality(weights)
    trusted = khat <= SURE and not heavy
    if trusted and size >= problem.run.draws:
        return _by_prior(problem, pool, weights, _worth(khat, size))
    found = _conditional(problem, pool) if len(problem.streams) > FEWEST else None
    if found is not None and _good(found, problem):
        worth = _worth(found.khat, found.size)
        return _agreed(problem, dataclasses.replace(found, why=f"most is linear, {worth}"), weights, heavy)
    found, why = _adapted(problem, pool), "no adapted proposal came to the evidence"
    if found is not None:
        worth = _worth(found.khat, found.size)
        if _good(found, problem):
            return _agreed(problem, dataclasses.replace(found, why=f"of an adapted proposal, {worth}"), weights, heavy)
        why = f"weights cannot be trusted: of an adapted proposal, {worth}"
    if trusted:
        pool, weights = weighed_pool(problem.run, problem.likelihood, problem.request, patient=True)
        khat, size = _quality(weights)
        if khat <= SURE and size >= enough(problem.run.draws):
            return _by_prior(problem, pool, weights, _worth(khat, size))
    return _by_populations(problem, pool, weights, why)


def _agreed(problem: Problem, found: Solution, weights: Sequence[Weighed], heavy: bool) -> Solution:
    """The draws of an adapted proposal, held against populations where tails are heavy."""
    if heavy:
        _check_agreement(problem, found, _by_populations(problem, found.pool, weights, "to compare"))
    return found


def _quality(weights: Sequence[Weighed]) -> tuple[float, float]:
    """The largest k-hat of all worlds, and the effective draws of the worst chain."""
    return max(one.khat for one in weights), min(float(one.sizes.min()) for one in weights)


def _worth(khat: float, size: float) -> str:
    return f"k-hat of the weights is {khat:.2f}, and they are worth {size:.0f} draws per chain"


def _good(found: Solution, problem: Problem) -> bool:
    return found.khat <= SURE and found.size >= enough(problem.run.draws)


def _by_prior(problem: Problem, pool: Pool, weights: Sequence[Weighed], why: str) -> Solution:
    rows = [resampled(pool, one, problem.streams, world, problem.run.draws) for world, one in enumerate(weights)]
    return Solution("importance", why, rows, weights, (), pool)


def _adapted(problem: Problem, pool: Pool) -> Solution | None:
    return _proposed(problem, pool, "adaptive", adapted, (_CONDITIONED, _ADAPTED))


def _conditional(problem: Problem, pool: Pool) -> Solution | None:
    return _proposed(problem, pool, "conditional", conditional, (_POOLED, _CONDITIONED))


def _proposed(
    problem: Problem,
    pool: Pool,
    method: str,
    draw: Callable[[Pool, Target, int, int, Pace], Adapted | None],
    way: tuple[float, float],
) -> Solution | None:
    run, request, worlds = problem.run, problem.request, []
    ends = np.linspace(*way, len(problem.targets) + 1).tolist()
    for world, target in enumerate(problem.targets):
        pace = dataclasses.replace(request.pace, progress=part(request.report, *ends[world : world + 2]))
        found = draw(pool, target, world, run.draws, pace)
        if found is None:
            return None
        worlds.append(found)
    rows = [normal_scores(one.resampled(run.draws, run.seed, world)) for world, one in enumerate(worlds)]
    return Solution(method, "", rows, [one.weighed for one in worlds], (), pool)


def _by_populations(problem: Problem, pool: Pool, weights: Sequence[Weighed], why: str) -> Solution:
    run = problem.run
    size = max(run.draws, _LEAST_POPULATION, _PER_DIMENSION * len(problem.streams))

    jobs = [(world, chain) for world in range(len(problem.targets)) for chain in range(run.chains)]
    report, shares = part(problem.request.report, _ADAPTED, SOLVED), dict.fromkeys(jobs, 0.0)

    def come(job: tuple[int, int], share: float) -> None:
        shares[job] = share
        report(round(1000 * sum(shares.values())), 1000 * len(jobs))

    made = [population(pool, problem.streams, *job, size, partial(come, job)) for job in jobs]
    populations = [
        side_by_side(made[world * run.chains :][: run.chains], target, problem.request.pace.threads)
        for world, target in enumerate(problem.targets)
    ]
    rows = [
        np.concatenate([normal_scores(_thinned(one.z, run.draws)) for one in chains], axis=1) for chains in populations
    ]
    return Solution("ensemble", why, rows, weights, populations, pool)


def _thinned(z: Array, draws: int) -> Array:
    """Evenly spread draws of a population."""
    return np.asarray(z[:, (np.arange(draws) * z.shape[1]) // draws])


def _check_agreement(problem: Problem, one: Solution, other: Solution) -> None:
    """Refuse where two methods find other means or spreads of an assumption than their errors allow."""
    run = problem.run
    if run.chains < 2:
        return
    for world in range(len(problem.targets)):
        first, second = (_by_chain(found.rows[world], run) for found in (one, other))
        for place, stream in enumerate(problem.streams):
            for what, a, b in (("mean", first[0], second[0]), ("spread", first[1], second[1])):
                x, y = a[place], b[place]
                error = math.hypot(float(np.std(x, ddof=1)), float(np.std(y, ddof=1))) / math.sqrt(run.chains)
                slack = _SLACK * float(np.mean(second[1][place]))
                off = abs(float(np.mean(x) - np.mean(y)))
                if off > _ERRORS * error + slack:
                    name = problem.targets[world].program.streams[stream].label
                    refuse(
                        problem.request,
                        ConvergenceError,
                        f"two methods disagree about the {what} of '{name}': {float(np.mean(x)):.3f} by an adapted "
                        f"proposal and {float(np.mean(y)):.3f} by populations, in standard deviations of its prior. "
                        "Ask for more draws, or give evidence with lighter tails",
                    )
                    return


def _by_chain(rows: Array, run: Run) -> tuple[Array, Array]:
    """Mean and standard deviation of the scores of each stream in each chain."""
    z = np.reshape(standard_normal()(rows.ravel()), (len(rows), run.chains, run.draws))
    return z.mean(axis=2), z.std(axis=2)


def _power_of_two(number: float) -> int:
    return 1 << max(math.ceil(math.log2(max(number, 1))), 0)


def weighed_pool(run: Run, likelihood: Likelihood, request: Request, *, patient: bool) -> tuple[Pool, list[Weighed]]:
    """Draw from the prior and weigh; if `patient`, until as many draws count as are asked for, or never will."""
    largest = 1 << ((_MOST_POOL // run.chains) | 1).bit_length() - 1
    most = max(min(_MOST_RATIO * _power_of_two(run.draws), largest), _power_of_two(run.draws))
    draws = min(max(_power_of_two(run.draws), _power_of_two(_LEAST_POOL / run.chains)), most)
    start = 0.0
    while True:
        # Nobody knows how many pools it takes: each gets the better half of what is left of the way.
        stop = start + 0.6 * (_POOLED - start)
        pool = drawn_pool(
            run, likelihood, draws, dataclasses.replace(request.pace, progress=part(request.report, start, stop))
        )
        start = stop
        found = spread(weighed, pool.log_likelihood, request.pace.threads)
        size = min(float(one.sizes.min()) for one in found)
        possible = int(np.isfinite(pool.agreement.soft).sum(axis=-1).min())
        if draws >= most:
            return pool, found
        if not patient or request.method in ("ensemble", "adaptive"):
            if possible >= run.draws:
                return pool, found
            draws = min(most, draws * 4)
            continue
        hopeless = draws >= 4096 and size * most / draws < enough(run.draws) and possible >= run.draws
        if size >= run.draws or hopeless:
            return pool, found
        draws = min(most, max(2 * draws, _power_of_two(1.2 * draws * run.draws / max(size, 1.0))))
