r"""Sampler: populations that go from prior to posterior in steps, for when weights fail.

Sequential Monte Carlo with the likelihood tempered, :math:`\pi_t(z) \propto \varphi(z) L(z)^t`, in the normal
scores of the streams that the evidence depends on. A population starts from a large pool of the prior, and each
chain is a population of its own. Between steps every draw moves by preconditioned Crank-Nicolson proposals that
leave a Student's t around the population invariant,

.. math:: z' = m + \sqrt{1 - \beta^2} (z - m) + \beta \sqrt{s} \, L \xi, \quad
    s^{-1} \sim \Gamma\bigl(\tfrac{d + \nu}{2}, \tfrac{\nu + |L^{-1}(z - m)|^2}{2}\bigr),

and are accepted by Metropolis: exact for any likelihood, with steps and kinks as well. A population stops to
move when it has forgotten where it began. Sums run in a fixed order, so that threads do not change a bit.

A population consists of two halves, each of which moves by the mean m and the spread L of the other. Moved by moments
that they are among, draws stay too near to each other, every step a little, and the marginal likelihood comes out too
small, in all populations alike: in 15 to 30 dimensions by 10 to 25%, five to ten of the errors that their spread tells.

Sources: Del Moral, Doucet and Jasra, J. R. Stat. Soc. B 68 (2006); Cotter, Roberts, Stuart and White, Stat.
Sci. 28 (2013), pCN; Grumitt, Karamanis and Seljak, arXiv 2407.07781 (2024), its Student's t form; Foreman-Mackey, Hogg,
Lang and Goodman, Publ. Astron. Soc. Pac. 125 (2013), halves that move by each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.distributions.base import standard_normal
from demandsim.errors import ImpossibleEvidenceError
from demandsim.inference.importance import effective_size, keyed, log_mean, normalised, systematic
from demandsim.inference.prior_pool import Pool, chosen_uniforms
from demandsim.inference.proposal import turned
from demandsim.inference.target import Asking, out_of_reach
from demandsim.inference.term import Agreement

__all__ = ["Population", "population"]

Flags = npt.NDArray[np.bool_]

_NU = 5.0
#: Correlation with where a step began, at which it ends: on the way, and at the posterior.
_FORGOTTEN = 0.3, 0.1
_MOST_SWEEPS = 40, 400
#: Sums of squares forget more slowly than values: fewer than these make the posterior too narrow in 30 dimensions.
_LEAST_SWEEPS = 4, 24
#: Every so often the proposal is that of the prior, which reaches what the population has lost sight of.
_PRIOR_EVERY = 4
_TARGET = 0.3
#: Share of the effective draws below which a half has died out.
_LEAST_SHARE = 0.1
#: Easier problems on the way, at most: each loses half of the draws.
_MOST_STEPS = 60
#: Share of the way to the posterior, before the moves there.
_COME = 0.7


@dataclass(frozen=True, eq=False)
class Population:
    """One chain at the posterior.

    Parameters
    ----------
    z : array of shape (streams, draws)
    log_evidence : float
    acceptance : float
        Of the moves at the posterior.
    memory : float
        Largest correlation left with where the last step began.
    steps : int
        Temperatures between prior and posterior.
    """

    z: Array
    log_evidence: float
    acceptance: float
    memory: float
    steps: int


def population(
    pool: Pool, streams: Sequence[int], world: int, chain: int, draws: int, come: Callable[[float], None]
) -> Asking[Population]:
    """Bring one population from the pool to the posterior; asks for the agreement of what it proposes.

    Parameters
    ----------
    pool : Pool
    streams : sequence of int
        That the evidence depends on.
    world, chain : int
    draws : int
        Size of the population.
    come : callable
        Told after every move about what share of the way is behind.

    Raises
    ------
    ImpossibleEvidenceError
        If it comes no nearer to what the evidence allows.
    """
    rng = keyed(pool.run.seed, 1, world, chain)
    prior = pool.agreement[world, chain]
    # Draws that are as good as equal: a large population of the prior needs no more than half of them.
    heat = _next_heat(prior, 0.0, min(float(draws), 0.5 * int(np.count_nonzero(np.isfinite(prior.soft)))))
    weights = prior.at(heat)
    log_evidence = log_mean(weights)
    half = _halved(rng.random(weights.size) < 0.5, weights)
    places = systematic(weights, draws, rng)
    u = chosen_uniforms(pool, streams, chain, places)
    cloud = np.reshape(standard_normal()(u.ravel()), u.shape), prior[places]
    scale, steps = [1.0, 0.5], 1
    half = half[places]
    centres = _centres(cloud[0], np.zeros(draws), half, min(effective_size(weights) / draws, 1.0))
    way = 0.0

    def moves() -> None:
        nonlocal way
        # Steps go to the posterior at heat 1, and moves there until nothing is remembered: both may be many or few.
        way += 0.02 * ((1.0 if heat >= 1.0 else _COME * heat**0.1) - way)
        come(way)

    while True:
        cloud, acceptance, memory = yield from _moved(moves, cloud, heat, (half, centres), scale, rng)
        z, current = cloud
        if heat >= 1.0:
            return Population(z, log_evidence, acceptance, memory, steps)
        if steps >= _MOST_STEPS or out_of_reach(z, current, heat):
            raise ImpossibleEvidenceError(
                f"the evidence has zero likelihood in all of {pool.run.total:,} draws of the prior, and easier forms "
                "of its bounds led to no draw that meets them; bounds that the prior never meets need a wider prior, "
                "or are wrong"
            )
        hotter = _next_heat(current, heat, draws / 2)
        weights = _step(current, heat, hotter)
        log_evidence += log_mean(weights)
        # Where the population is going, rather than where it was.
        half = _halved(half, weights)
        centres = _centres(z, weights, half)
        places = systematic(weights, draws, rng)
        cloud, half, heat, steps = (z[:, places], current[places]), half[places], hotter, steps + 1


def _step(found: Agreement, heat: float, hotter: float) -> Array:
    """Logarithms of the weights from one heat to another; what is impossible already stays so."""
    with np.errstate(invalid="ignore"):
        step = found.at(hotter) - found.at(heat)
    return np.where(np.isnan(step), -np.inf, step)


def _next_heat(found: Agreement, heat: float, target: float) -> float:
    """The largest heat at which the weights of a step keep an effective size, found by halving."""
    if effective_size(_step(found, heat, 1.0)) >= target:
        return 1.0
    # In log-odds: evidence that is very sharp is far from both ends.
    low, high = -40.0 if heat <= 0.0 else math.log(heat / (1.0 - heat)), 36.0
    first = low
    for _ in range(60):
        middle = (low + high) / 2
        if effective_size(_step(found, heat, _heat(middle))) >= target:
            low = middle
        else:
            high = middle
    return _heat(max(low, first + 1e-9))


def _heat(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))


def _halved(half: Flags, weights: Array) -> Flags:
    """The halves of a population as they are, or new ones where one has died out."""
    sizes = effective_size(weights[half]), effective_size(weights[~half])
    if min(sizes) < _LEAST_SHARE * sum(sizes):
        half = np.zeros(weights.size, dtype=bool)
        half[np.argsort(-weights, kind="stable")[::2]] = True
    return half


def _centres(z: Array, weights: Array, half: Flags, share: float = 1.0) -> list[tuple[Array, Array]]:
    """For each half the moments of the other."""
    found = []
    for other in (~half, half):
        mine = weights[other]
        # A single draw is left, which neither half can learn from another.
        if not np.isfinite(mine).any():
            other, mine = np.full(half.size, True), weights
        found.append(_moments(z[:, other], normalised(mine), share * effective_size(mine)))
    return found


def _moments(z: Array, weights: Array, size: float) -> tuple[Array, Array]:
    """Mean and Cholesky factor of the covariance; nearer to the prior's where few draws tell them."""
    dims = len(z)
    mean = np.einsum("in,n->i", z, weights)
    centred = z - mean[:, None]
    covariance = np.einsum("in,jn->ij", centred * weights, centred)
    share = 0.0 if size > 10 * dims else dims / (dims + size)
    covariance = (1 - share) * covariance + (share + 1e-12) * np.eye(dims)
    return mean, np.linalg.cholesky(covariance)


def _moved(
    moves: Callable[[], None],
    cloud: tuple[Array, Agreement],
    heat: float,
    halves: tuple[Flags, list[tuple[Array, Array]]],
    scale: list[float],
    rng: Any,
) -> Asking[tuple[tuple[Array, Agreement], float, float]]:
    """Move every draw until the population has forgotten where it began; `scale` is tuned on the way.

    A cloud is the draws, and the agreement of each with the evidence; halves tell which draws move by which moments.
    """
    (z, current), (half, centres), final = cloud, halves, heat >= 1.0
    fit = current.at(heat)
    start = _standard(np.vstack([z, fit]))
    enough = _FORGOTTEN[final] + 3 / math.sqrt(z.shape[1])
    memory, accepted, last = 1.0, [], _MOST_SWEEPS[final]
    white = _whitened(z, half, centres)
    for sweep in range(_MOST_SWEEPS[final]):
        kind = int(sweep % _PRIOR_EVERY == _PRIOR_EVERY - 1)
        if kind:
            # Of the prior itself: only the likelihood decides.
            proposal = math.sqrt(1 - scale[1] ** 2) * z + scale[1] * rng.standard_normal(z.shape)
            ratio, ahead = np.zeros(z.shape[1]), white
        else:
            proposal, ratio, ahead = np.empty_like(z), np.empty(z.shape[1]), np.empty_like(z)
            for one, centre in zip((half, ~half), centres, strict=True):
                proposal[:, one], ratio[one], ahead[:, one] = _proposed(z[:, one], centre, white[:, one], scale[0], rng)
        moves()
        found = yield proposal
        proposed = found.at(heat)
        # Both are under the prior times the tempered likelihood; what is impossible stays out.
        with np.errstate(invalid="ignore"):
            log_odds = proposed - fit + ratio
        take = np.log(rng.random(z.shape[1])) < np.where(np.isnan(log_odds), -np.inf, log_odds)
        z = np.where(take, proposal, z)
        white = _whitened(z, half, centres) if kind else np.where(take, ahead, white)
        current, fit = current.where(take, found), np.where(take, proposed, fit)
        rate = float(np.mean(take))
        if not kind:
            accepted.append(rate)
        step = 2.0 / math.sqrt(sweep + 1.0)
        scale[kind] = min(max(scale[kind] * math.exp(step * (rate - _TARGET)), 1e-4), 1.0 if kind else 0.99)
        if sweep + 1 >= _LEAST_SWEEPS[final] and last == _MOST_SWEEPS[final]:
            memory = _memory(start, np.vstack([z, fit]))
            if memory < enough:
                # As many again at the posterior: what is left of the memory is squared.
                last = 2 * (sweep + 1) if final else sweep + 1
        if sweep + 1 >= last:
            break
    return (z, current), float(np.mean(accepted)), memory


def _whitened(z: Array, half: Flags, centres: Sequence[tuple[Array, Array]]) -> Array:
    """Draws in the standard units of the moments that they move by."""
    white = np.empty_like(z)
    for one, (mean, factor) in zip((half, ~half), centres, strict=True):
        white[:, one] = turned(np.linalg.inv(factor), z[:, one] - mean[:, None])
    return white


def _proposed(
    z: Array, reference: tuple[Array, Array], white: Array, scale: float, rng: Any
) -> tuple[Array, Array, Array]:
    """Proposals that leave the reference invariant, and the log-ratio of prior over reference that they change.

    White are draws in its standard units; proposals are given in them as well.
    """
    mean, factor = reference
    dims, draws = z.shape
    noise = rng.standard_normal((dims, draws))
    before = np.sum(white * white, axis=0)
    spread = (_NU + before) / 2 / rng.standard_gamma((dims + _NU) / 2, draws)
    moved = math.sqrt(1 - scale**2) * white + scale * np.sqrt(spread) * noise
    after = np.sum(moved * moved, axis=0)
    proposal = mean[:, None] + turned(factor, moved)
    towards = 0.5 * (np.sum(z * z, axis=0) - np.sum(proposal * proposal, axis=0))
    return proposal, towards + 0.5 * (_NU + dims) * (np.log1p(after / _NU) - np.log1p(before / _NU)), moved


def _memory(start: Array, now: Array) -> float:
    """Largest correlation between where draws began, in standard units, and where they are: streams and likelihood."""
    return float(np.fmax.reduce(np.mean(start * _standard(now), axis=1)))


def _standard(values: Array) -> Array:
    """Rows of values, in standard units."""
    with np.errstate(invalid="ignore"):
        centred = values - np.mean(values, axis=1, keepdims=True)
        # The likelihood of an event is the same for all.
        centred[np.ptp(values, axis=1) == 0.0] = 0.0
        size = np.sqrt(np.mean(centred * centred, axis=1, keepdims=True))
        return np.asarray(centred / np.where(size == 0.0, 1.0, size))
