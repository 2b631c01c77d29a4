r"""Conditional sampling: assumptions that what was observed depends on linearly are drawn exactly, given the others.

Where the observed numbers, on the scale of their evidence, are linear in the normal scores of many assumptions (shocks
of every year in the logarithm of a level) and in some way of few others (their spread), the first have a normal
posterior given the others, and a likelihood in closed form weighs the others. Whether it is so is tried, not assumed;
weights make up for evidence that is not normal.

Sources: Carlin, Polson and Stoffer, J. Am. Stat. Assoc. 87 (1992), conditionally Gaussian models; Casella and Robert,
"Rao-Blackwellisation of sampling schemes", Biometrika 83 (1996); Durbin and Koopman, Biometrika 89 (2002), the draw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import standard_normal
from demandsim.inference.adaptive import Adapted
from demandsim.inference.importance import keyed, weighed_by
from demandsim.inference.prior_pool import Pool, chosen_uniforms, spread
from demandsim.inference.target import Reading, Target
from demandsim.sampling.in_memory import Pace
from demandsim.sampling.qmc import UNIFORMS, Stream

__all__ = ["FEWEST", "conditional"]

#: Assumptions below which other methods do as well.
FEWEST = 12
#: Draws at which linearity is tried, and how exact a line must be, over the spread of what was observed.
_TRIED, _EXACT = 24, 1e-7
#: Points per draw that is asked for, at first and at most.
_FIRST, _MOST = 2, 16
#: Columns of scores that equations are computed on at once.
_BLOCK = 2**16


def conditional(pool: Pool, target: Target, world: int, draws: int, pace: Pace) -> Adapted | None:
    """Draw what is linear exactly, and weigh what is left.

    Parameters
    ----------
    pool : Pool
    target : Target
    world : int
    draws : int
        That are asked for, per chain.
    pace : Pace

    Returns
    -------
    Adapted or None
        None where too little is linear.
    """
    linear = _linear(pool, target, world)
    if 2 * len(linear) < len(target.streams):
        return None
    size = min(pool.run.draws, 1 << math.ceil(math.log2(_FIRST * draws)))
    while True:

        def one(chain: int, size: int = size) -> tuple[Array, Array]:
            return _chain(pool, target, linear, chain, size)

        done = spread(one, range(pool.run.chains), pace.threads, pace.progress)
        found = Adapted(weighed_by(np.stack([row for _, row in done])), tuple(z for z, _ in done), 0)
        if float(found.weighed.sizes.min()) >= draws or 2 * size > min(pool.run.draws, _MOST * draws):
            return found
        size *= 2


def _scores(pool: Pool, target: Target, chain: int, size: int) -> Array:
    """Normal scores of the first draws of the prior, shape (streams, size)."""
    u = chosen_uniforms(pool, target.streams, chain, np.arange(size))
    return np.reshape(standard_normal()(u.ravel()), u.shape)


def _linear(pool: Pool, target: Target, world: int) -> list[int]:
    """Rows of streams in all of which together the observed numbers are linear; as many as are found."""
    z = _scores(pool, target, 0, min(_TRIED, pool.run.draws))
    rng = keyed(pool.run.seed, 8, world)
    ahead = rng.standard_normal(z.shape)
    groups: dict[str, list[int]] = {}
    for row, stream in enumerate(target.streams):
        groups.setdefault(target.program.streams[stream].name, []).append(row)
    found: list[int] = []
    # Assumptions of many labels first: of two that multiply each other, these are worth more.
    for name in sorted(groups, key=lambda each: (-len(groups[each]), each)):
        step = np.zeros_like(z)
        tried = [*found, *groups[name]]
        step[tried] = ahead[tried]
        readings, x = target.readings(np.concatenate([z, z + step, z + 2 * step], axis=1))
        if not readings:
            return []
        first, second, third = np.split(x, 3, axis=1)
        bent = np.abs(third - 2 * second + first)
        scale = np.abs(first) + np.abs(third - first) + np.array([[reading.sd] for reading in readings])
        if np.isfinite(x).all() and float(np.max(bent / scale)) < _EXACT:
            found = tried
    return sorted(found)


def _chain(pool: Pool, target: Target, linear: Sequence[int], chain: int, size: int) -> tuple[Array, Array]:
    """Draws of one chain and their log-weights."""
    z = _scores(pool, target, chain, size)
    level = z.copy()
    level[linear] = 0.0
    readings, at_zero = target.readings(level)
    slopes = np.zeros((len(readings), len(linear), size))
    # As many in one go as fill a block: equations cost by the call.
    together = max(_BLOCK // size, 1)
    for first in range(0, len(linear), together):
        rows = linear[first : first + together]
        steps = np.tile(level, (1, len(rows)))
        for place, row in enumerate(rows):
            steps[row, place * size : (place + 1) * size] = 1.0
        reached = target.readings(steps)[1].reshape(len(readings), len(rows), size)
        slopes[:, first : first + len(rows)] = reached - at_zero[:, None]
    read, sds = _numbers(readings)
    covariance = np.einsum("ikn,jkn->nij", slopes, slopes) + np.diag(sds**2)
    factor = np.linalg.cholesky(covariance)
    logs = -_half_square(factor, (read[:, None] - at_zero).T)
    # A draw of the prior, moved by what the evidence says of its difference.
    off = (
        read[:, None]
        - at_zero
        - np.einsum("ikn,kn->in", slopes, z[linear])
        - sds[:, None] * _noise(pool, chain, sds.size, size)
    )
    solved = np.linalg.solve(covariance, off.T[..., None])[..., 0]
    made = z.copy()
    made[linear] += np.einsum("ikn,ni->kn", slopes, solved)
    _, reached = target.readings(made)
    error = (read[:, None] - reached) / sds[:, None]
    normal = -0.5 * np.sum(error * error + 2 * np.log(sds)[:, None] + math.log(2 * math.pi), axis=0)
    return made, logs + target(made).whole - normal - math.log(size)


def _numbers(readings: Sequence[Reading]) -> tuple[Array, Array]:
    return np.array([reading.mean for reading in readings]), np.array([reading.sd for reading in readings])


def _noise(pool: Pool, chain: int, readings: int, size: int) -> Array:
    """Errors of the measurements, from points of a randomisation of their own; shape (readings, draws)."""
    run = pool.run
    # Dimensions beyond those of the prior, on which the same draws depend.
    after = 1 + max(stream.dimension for stream in run.program.streams)
    streams = [Stream(f"conditional error|{row}", 0, after + row) for row in range(readings)]
    u = np.stack([UNIFORMS[run.design](run.seed, chain, one, 0, size, size) for one in streams])
    return np.reshape(standard_normal()(u.ravel()), u.shape)


def _half_square(factor: Array, off: Array) -> Array:
    """Minus the logarithm of a normal density at differences of shape (draws, readings)."""
    solved = np.linalg.solve(factor, off[..., None])[..., 0]
    logs = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(0.5 * np.sum(solved**2, axis=1) + logs + 0.5 * off.shape[1] * math.log(2 * math.pi))
