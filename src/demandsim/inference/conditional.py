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
from demandsim.distributions.base import normal_scores, standard_normal
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
    tried = _scores(pool, target, 0, 0, min(_TRIED, pool.run.draws))
    # What nothing observed depends on stays a draw of the prior.
    felt = _slopes(target, tried, linear, linear)[2].any(axis=(0, 2))
    moved = [row for row, feels in zip(linear, felt.tolist(), strict=True) if feels]
    start, size = 0, min(pool.run.draws, 1 << math.ceil(math.log2(_FIRST * draws)))
    parts: list[list[tuple[Array, Array]]] = [[] for _ in range(pool.run.chains)]
    while True:

        def one(chain: int, start: int = start, stop: int = size) -> tuple[Array, Array]:
            return _chain(pool, target, (linear, moved), chain, start, stop)

        done = spread(one, range(pool.run.chains), pace.threads, pace.progress)
        for own, part in zip(parts, done, strict=True):
            own.append(part)
        rows = np.stack([np.concatenate([row for _, row in own]) for own in parts]) - math.log(size)
        scores = tuple(np.concatenate([z for z, _ in own], axis=1) for own in parts)
        found = Adapted(weighed_by(rows), scores, 0)
        if float(found.weighed.sizes.min()) >= draws or 2 * size > min(pool.run.draws, _MOST * draws):
            return found
        start, size = size, 2 * size


def _scores(pool: Pool, target: Target, chain: int, start: int, stop: int) -> Array:
    """Normal scores of some draws of the prior, shape (streams, draws)."""
    u = chosen_uniforms(pool, target.streams, chain, np.arange(start, stop))
    return np.reshape(standard_normal()(u.ravel()), u.shape)


def _linear(pool: Pool, target: Target, world: int) -> list[int]:
    """Rows of streams in all of which together the observed numbers are linear; as many as are found."""
    z = _scores(pool, target, 0, 0, min(_TRIED, pool.run.draws))
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


def _slopes(
    target: Target, z: Array, linear: Sequence[int], moved: Sequence[int]
) -> tuple[list[Reading], Array, Array]:
    """What is observed with all that is linear at its median, shape (readings, draws), and slopes in some rows of it.

    The slopes have shape (readings, rows, draws).
    """
    size, u, up = z.shape[1], normal_scores(z), float(normal_scores(np.ones(1))[0])
    readings: list[Reading] = []
    found: list[Array] = []
    # First as it is, then with one row after the other a step up; as many in one go as fill a block, since equations
    # cost by the call.
    rows, together = [-1, *moved], max(_BLOCK // size, 1)
    for first in range(0, len(rows), together):
        some = rows[first : first + together]
        count = len(some) * size
        steps = [np.broadcast_to(0.5, count) if row in linear else np.tile(own, len(some)) for row, own in enumerate(u)]
        for place, row in enumerate(some):
            if row >= 0:
                steps[row] = np.full(count, 0.5)
                steps[row][place * size : (place + 1) * size] = up
        readings, x = target.read(target.values(steps), count)
        found.append(x.reshape(len(readings), len(some), size))
    whole = np.concatenate(found, axis=1)
    return readings, whole[:, 0], whole[:, 1:] - whole[:, :1]


def _chain(
    pool: Pool, target: Target, rows: tuple[Sequence[int], Sequence[int]], chain: int, start: int, stop: int
) -> tuple[Array, Array]:
    """Some draws of one chain and their log-weights; rows are those that are linear, and of them those that matter."""
    linear, moved = rows
    z = _scores(pool, target, chain, start, stop)
    readings, at_zero, slopes = _slopes(target, z, linear, moved)
    read, sds = _numbers(readings)
    covariance = np.einsum("ikn,jkn->nij", slopes, slopes) + np.diag(sds**2)
    factor = np.linalg.cholesky(covariance)
    logs = -_half_square(factor, (read[:, None] - at_zero).T)
    # A draw of the prior, moved by what the evidence says of its difference.
    off = (
        read[:, None]
        - at_zero
        - np.einsum("ikn,kn->in", slopes, z[moved])
        - sds[:, None] * _noise(pool, chain, sds.size, start, stop)
    )
    solved = np.linalg.solve(covariance, off.T[..., None])[..., 0]
    z[moved] += np.einsum("ikn,ni->kn", slopes, solved)
    values = target.values(normal_scores(z))
    error = (read[:, None] - target.read(values, stop - start)[1]) / sds[:, None]
    normal = -0.5 * np.sum(error * error + 2 * np.log(sds)[:, None] + math.log(2 * math.pi), axis=0)
    return z, logs + target.agreement(values, stop - start).whole - normal


def _numbers(readings: Sequence[Reading]) -> tuple[Array, Array]:
    return np.array([reading.mean for reading in readings]), np.array([reading.sd for reading in readings])


def _noise(pool: Pool, chain: int, readings: int, start: int, stop: int) -> Array:
    """Errors of the measurements, from points of a randomisation of their own; shape (readings, draws)."""
    run = pool.run
    # Dimensions beyond those of the prior, on which the same draws depend.
    after = 1 + max(stream.dimension for stream in run.program.streams)
    streams = [Stream(f"conditional error|{row}", 0, after + row) for row in range(readings)]
    u = np.stack([UNIFORMS[run.design](run.seed, chain, one, start, stop, run.draws) for one in streams])
    return np.reshape(standard_normal()(u.ravel()), u.shape)


def _half_square(factor: Array, off: Array) -> Array:
    """Minus the logarithm of a normal density at differences of shape (draws, readings)."""
    solved = np.linalg.solve(factor, off[..., None])[..., 0]
    logs = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(0.5 * np.sum(solved**2, axis=1) + logs + 0.5 * off.shape[1] * math.log(2 * math.pi))
