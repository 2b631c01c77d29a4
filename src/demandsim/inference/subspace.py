r"""Informed subspace: a proposal for many inputs and few observed numbers, which bends as the model does.

A few sharp sums of many inputs hold the posterior to a thin curved sheet, which no mixture of Student's t fits in 30
dimensions. The directions that the evidence informs are few: the leading eigenvectors of the mean of
:math:`J^T R^{-1} J` over the posterior, with J the derivative of what was observed. With a the scores in these
directions and b those in the rest, the proposal draws b from a Student's t, finds by Gauss-Newton where a has its mode
given b, and draws a around it. All that depends on b alone, so that the density is known without a Jacobian, and
weights make up for whatever the search for the mode has missed.

Sources: Cui, Martin, Marzouk, Solonen and Spantini, "Likelihood-informed dimension reduction for nonlinear inverse
problems", Inverse Problems 30 (2014); Tierney and Kadane, J. Am. Stat. Assoc. 81 (1986), Laplace's approximation.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import standard_normal
from demandsim.inference.importance import effective_size, systematic
from demandsim.inference.proposal import Mixture, distances_drawn, log_constant, of_moments, turned
from demandsim.inference.target import Target

__all__ = ["Bent", "bent"]

#: Draws at which derivatives are taken, and the step of their differences.
_LOOKED, _STEP = 64, 1e-4
#: Steps of Gauss-Newton, and how far out they may lead.
_NEWTON, _FARTHEST = 2, 7.0
#: Degrees of freedom in the subspace, and directions at most.
_NU, _MOST = 6.0, 8
#: Rounds at most, and the share of effective draws that is enough.
_ROUNDS, _ENOUGH = 4, 0.5
#: Share of the draws it was fitted to that may weigh more than any draw of its own.
_MISSED = 0.02
#: Columns of scores that modes are sought for at once.
_BLOCK = 2**13


@dataclass(frozen=True, eq=False)
class Bent:
    """A proposal that follows the evidence in a few directions, given the rest.

    Parameters
    ----------
    target : Target
    informed, rest : array of shape (streams, directions)
        Orthonormal directions.
    start : array of shape (directions,)
        Scores from which modes are sought.
    others : Mixture
        Of the scores in the rest.
    """

    target: Target
    informed: Array
    rest: Array
    start: Array
    others: Mixture

    def drawn(self, u: Array) -> tuple[Array, Array]:
        """Draws from points in the unit cube, shape (streams + 2, draws), and their log-ratios to the prior."""
        few = self.informed.shape[1]
        noise = np.reshape(standard_normal()(u[-few:].ravel()), (few, -1)) * distances_drawn(u[0], _NU)
        # Of a single part, which needs no point to choose it.
        b, others = self.others.drawn(u[: u.shape[0] - few])
        mode, factor = self._modes(b)
        a = mode + np.einsum("nij,jn->in", factor, noise)
        return turned(self.rest, b) + turned(self.informed, a), others + _log_ratio(a, noise, factor)

    def log_ratio(self, z: Array) -> Array:
        """Logarithm of the density over that of the prior, shape (draws,)."""
        a, b = turned(self.informed.T, z), turned(self.rest.T, z)
        mode, factor = self._modes(b)
        noise = np.linalg.solve(factor, (a - mode).T[..., None])[..., 0].T
        return self.others.log_ratio(b) + _log_ratio(a, noise, factor)

    def _modes(self, b: Array) -> tuple[Array, Array]:
        """Modes in the subspace given the rest, shape (directions, draws), and factors of the spread around them."""
        few, draws = self.informed.shape[1], b.shape[1]
        mode, factor = np.empty((few, draws)), np.empty((draws, few, few))
        for first in range(0, draws, _BLOCK):
            part = slice(first, first + _BLOCK)
            mode[:, part], factor[part] = self._newton(b[:, part])
        return mode, factor

    def _newton(self, b: Array) -> tuple[Array, Array]:
        base, unit = turned(self.rest, b), np.eye(self.informed.shape[1])
        mode = np.repeat(self.start[:, None], b.shape[1], axis=1)
        precision = np.repeat(unit[None], b.shape[1], axis=0)
        for _ in range(_NEWTON):
            off, slopes = _slopes(self.target, base + turned(self.informed, mode), self.informed)
            precision = unit + np.einsum("rin,rjn->nij", slopes, slopes)
            step = np.linalg.solve(precision, (np.einsum("rin,rn->in", slopes, off) - mode).T[..., None])[..., 0].T
            mode = np.clip(mode + step, -_FARTHEST, _FARTHEST)
        return mode, np.linalg.cholesky(np.linalg.inv(precision))


def bent(target: Target, z: Array, points: Array, rng: np.random.Generator) -> Bent | None:
    """Fit a proposal to draws near to the posterior, and to what comes out of it.

    Parameters
    ----------
    target : Target
    z : array of shape (streams, draws)
        Of equal weight.
    points : array of shape (streams + 2, draws)
        In the unit cube, to draw from.
    rng : Generator

    Returns
    -------
    Bent or None
        None where numbers are observed that are too many, or none, or where what is bent knows not all of `z`.
    """
    found = _fitted(target, z)
    if found is None:
        return None
    weights = np.zeros(0)
    for round_ in range(_ROUNDS):
        drawn, ratio = found.drawn(points)
        weights = target(drawn).whole - ratio
        size = effective_size(weights)
        if size < 2 * len(z):
            return None
        if size > _ENOUGH * weights.size or round_ == _ROUNDS - 1:
            break
        places = systematic(weights, weights.size, rng)
        found = dataclasses.replace(found, others=of_moments(turned(found.rest.T, drawn[:, places]), _nu(len(z))))
    # A mode that the search never comes to weighs more than all that it comes to.
    missed = target(z).whole - found.log_ratio(z) > weights.max()
    return None if float(np.mean(missed)) > _MISSED else found


def _fitted(target: Target, z: Array) -> Bent | None:
    looked = z[:, :: max(z.shape[1] // _LOOKED, 1)]
    readings, x = target.readings(looked)
    few = len(readings)
    if not 0 < few <= min(_MOST, len(z) // 2) or not np.isfinite(x).all():
        return None
    _, slopes = _slopes(target, looked, np.eye(len(z)))
    if not np.isfinite(slopes).all():
        return None
    directions = np.linalg.eigh(np.einsum("rin,rjn->ij", slopes, slopes))[1][:, ::-1]
    informed, rest = directions[:, :few], directions[:, few:]
    return Bent(
        target, informed, rest, informed.T @ z.mean(axis=1), of_moments(turned(rest.T, z), _nu(len(z)), share=0.5)
    )


def _nu(dims: int) -> float:
    """Degrees of freedom in the rest: next to normal, as the prior is there."""
    return 2.0 * dims


def _slopes(target: Target, z: Array, directions: Array) -> tuple[Array, Array]:
    """How far off readings are, shape (readings, draws), and slopes, (readings, directions, draws), in their errors."""
    moved = (z[:, None] + _STEP * directions[:, :, None]).reshape(len(z), -1)
    readings, x = target.readings(np.concatenate([z, moved], axis=1))
    sds = np.array([one.sd for one in readings])[:, None]
    first, after = x[:, : z.shape[1]] / sds, x[:, z.shape[1] :].reshape(len(x), -1, z.shape[1]) / sds[..., None]
    return np.array([one.mean for one in readings])[:, None] / sds - first, (after - first[:, None]) / _STEP


def _log_ratio(a: Array, noise: Array, factor: Array) -> Array:
    """Log-density of a Student's t in the subspace over the prior's, from its standardised noise."""
    few = len(a)
    size = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    far = np.sum(noise * noise, axis=0)
    return np.asarray(
        log_constant(_NU, few) - size - (_NU + few) / 2 * np.log1p(far / _NU) + 0.5 * np.sum(a * a, axis=0)
    )
