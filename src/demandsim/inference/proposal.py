r"""Proposal: mixtures of Student's t in normal scores: density, draws from points of a design, and fits.

A density is told by its ratio to the prior, which is standard normal in these scores. Sums run in a fixed
order, by one thread: those of a linear algebra library wait for each other where chains have threads of their own.

Sources: Peel and McLachlan, "Robust mixture modelling using the t distribution", Stat. Comput. 10 (2000), the fit;
Emerick and Reynolds, "Ensemble smoother with multiple data assimilation", Comput. Geosci. 55 (2013), and Iglesias,
Law and Stuart, Inverse Problems 29 (2013), the update by linear regression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import standard_normal
from demandsim.inference.target import Reading

__all__ = [
    "Mixture",
    "Proposal",
    "distance",
    "distances_drawn",
    "fitted",
    "log_constant",
    "of_moments",
    "regressed",
    "turned",
]

_SWEEPS = 12


class Proposal(Protocol):
    """What draws are made from: from points in the unit cube, with the density of its own and of any other draws."""

    def drawn(self, u: Array) -> tuple[Array, Array]:
        """Draws from points, shape (streams + 2, draws), and the logarithm of their density over the prior's."""
        ...

    def log_ratio(self, z: Array) -> Array:
        """Logarithm of the density over that of the prior, shape (draws,)."""
        ...


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of Student's t.

    Parameters
    ----------
    weights : array of shape (parts,)
    means : array of shape (parts, streams)
    factors : array of shape (parts, streams, streams)
        Cholesky factors of the scale matrices.
    nu : float
        Degrees of freedom.
    """

    weights: Array
    means: Array
    factors: Array
    nu: float

    @property
    def dims(self) -> int:
        """Number of streams."""
        return int(self.means.shape[1])

    def log_parts(self, z: Array) -> tuple[Array, Array]:
        """Log-density over the prior's, of each part with its weight, and squared distances; shape (parts, draws)."""
        dims, nu = self.dims, self.nu
        prior = 0.5 * np.sum(z * z, axis=0)
        far = np.stack([distance(z - m[:, None], f) for m, f in zip(self.means, self.factors, strict=True)])
        sizes = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1)
        logs = (np.log(self.weights) + log_constant(nu, dims) - sizes)[:, None] - (nu + dims) / 2 * np.log1p(far / nu)
        return logs + prior, far

    def log_ratio(self, z: Array) -> Array:
        """Logarithm of the density over that of the prior, shape (draws,)."""
        logs, _ = self.log_parts(z)
        return np.asarray(np.logaddexp.reduce(logs, axis=0))

    def drawn(self, u: Array) -> tuple[Array, Array]:
        """Draws from points in the unit cube, shape (streams + 2, draws), and their log-ratios to the prior.

        The points are those of part, distance and directions.
        """
        part = np.minimum(np.searchsorted(np.cumsum(self.weights), u[0], side="right"), len(self.weights) - 1)
        noise = np.reshape(standard_normal()(u[2:].ravel()), u[2:].shape) * distances_drawn(u[1], self.nu)
        out: Array = np.empty(noise.shape)
        for place in range(len(self.weights)):
            mine = part == place
            out[:, mine] = self.means[place][:, None] + turned(self.factors[place], noise[:, mine])
        return out, self.log_ratio(out)


def log_constant(nu: float, dims: int) -> float:
    """Logarithm of the constant of a Student's t over that of the normal law."""
    return math.lgamma((nu + dims) / 2) - math.lgamma(nu / 2) - dims / 2 * math.log(nu / 2)


def distances_drawn(u: Array, nu: float) -> Array:
    """Factors that make normal noise a Student's t, from points in (0, 1)."""
    from scipy import special

    return np.asarray(np.sqrt(nu / (2.0 * special.gammaincinv(nu / 2, np.clip(u, 1e-12, 1.0)))))


def turned(matrix: Array, z: Array) -> Array:
    """Draws in other coordinates: a product with their columns."""
    return np.asarray(np.einsum("ij,jn->in", matrix, z))


def distance(centred: Array, factor: Array) -> Array:
    """Squared Mahalanobis distance."""
    standard = turned(np.linalg.inv(factor), centred)
    return np.asarray(np.einsum("in,in->n", standard, standard))


def degrees(dims: int) -> float:
    """Degrees of freedom: heavy tails cost much in many dimensions."""
    return 5.0 + dims / 2


def fitted(z: Array, parts: int, rng: np.random.Generator) -> Mixture:
    """Fit a mixture to draws of equal weight, by expectation and maximization.

    Parameters
    ----------
    z : array of shape (streams, draws)
        Draws may repeat: how many differ says how surely a spread is known.
    parts : int
        At most; those that explain next to nothing are left out.
    rng : Generator
        Of the first centres.
    """
    dims = len(z)
    nu = degrees(dims)
    whole = _spread(z)
    centres = _centres(z, parts, rng, np.linalg.cholesky(whole))
    nearest = np.stack([np.sum((z - c[:, None]) ** 2 / np.diag(whole)[:, None], axis=0) for c in centres]).argmin(
        axis=0
    )
    shares = (nearest == np.arange(len(centres))[:, None]).astype(float)
    mixture = _maximized(z, shares, shares, whole, nu)
    for _ in range(_SWEEPS):
        logs, far = mixture.log_parts(z)
        shares = np.exp(logs - np.logaddexp.reduce(logs, axis=0))
        mixture = _maximized(z, shares, shares * (nu + dims) / (nu + far), whole, nu)
    return mixture


def of_moments(z: Array, nu: float, share: float = 0.0) -> Mixture:
    """A single Student's t with the moments of draws of equal weight, and a share of the prior's covariance."""
    dims = len(z)
    spread = (1.0 - share) * _spread(z) + share * np.eye(dims)
    return Mixture(np.ones(1), z.mean(axis=1)[None], np.linalg.cholesky(spread)[None], nu)


def _centres(z: Array, parts: int, rng: np.random.Generator, factor: Array) -> list[Array]:
    """First centres, each far from those before it (k-means++)."""
    found = [z[:, int(rng.integers(z.shape[1]))]]
    nearest = np.full(z.shape[1], np.inf)
    for _ in range(parts - 1):
        nearest = np.minimum(nearest, distance(z - found[-1][:, None], factor))
        total = np.cumsum(nearest)
        if not total[-1] > 0:
            break
        found.append(z[:, int(np.searchsorted(total, rng.random() * total[-1]))])
    return found


def _maximized(z: Array, shares: Array, weights: Array, whole: Array, nu: float) -> Mixture:
    """Weights, means and spreads of parts, from the share that each has in each draw."""
    dims, draws = z.shape
    kept = shares.sum(axis=1) > max(1.0, 0.002 * draws)
    if not kept.any():
        kept = shares.sum(axis=1) == shares.sum(axis=1).max()
    means, factors = [], []
    for share, weight in zip(shares[kept], weights[kept], strict=True):
        mean = np.einsum("in,n->i", z, weight) / weight.sum()
        centred = z - mean[:, None]
        spread = np.einsum("in,jn->ij", centred * weight, centred) / share.sum()
        distinct = np.unique(z[0, share > 0.5]).size
        means.append(mean)
        factors.append(np.linalg.cholesky(_shrunk(spread, whole, distinct, dims)))
    sizes = shares[kept].sum(axis=1)
    return Mixture(sizes / sizes.sum(), np.array(means), np.array(factors), nu)


def _spread(z: Array) -> Array:
    """Covariance of draws of equal weight, nearer to the prior's where few tell it."""
    centred = z - z.mean(axis=1)[:, None]
    covariance = np.einsum("in,jn->ij", centred, centred) / z.shape[1]
    return _shrunk(covariance, np.eye(len(z)), np.unique(z[0]).size, len(z))


def _shrunk(spread: Array, towards: Array, draws: int, dims: int) -> Array:
    """A covariance, nearer to another where few draws tell it."""
    share = 0.0 if draws > 10 * dims else dims / (dims + draws)
    ridge = 1e-9 * float(np.trace(spread)) / dims + 1e-14
    return np.asarray((1 - share) * spread + share * towards + ridge * np.eye(dims))


def regressed(z: Array, x: Array, readings: Sequence[Reading]) -> Mixture | None:
    r"""Posterior by linear regression of what was observed on the scores: a normal one, with heavier tails.

    .. math:: x \approx a + B z, \quad \Sigma = (I + B^T R^{-1} B)^{-1}, \quad m = \Sigma B^T R^{-1} (y - a),

    with R the error of the evidence and of the regression together.

    Parameters
    ----------
    z : array of shape (streams, draws)
    x : array of shape (readings, draws)
    readings : sequence of Reading

    Returns
    -------
    Mixture or None
        None if no line can be drawn.
    """
    usable = np.isfinite(x).all(axis=0)
    dims = len(z)
    if usable.sum() < 4 * (dims + 1):
        return None
    z, x = z[:, usable], x[:, usable]
    centre = z.mean(axis=1)
    ahead = np.vstack([np.ones(z.shape[1]), z - centre[:, None]])
    gram = np.einsum("in,jn->ij", ahead, ahead) / z.shape[1]
    gram += 1e-10 * float(np.trace(gram)) * np.eye(dims + 1)
    slopes = np.linalg.solve(gram, np.einsum("in,rn->ir", ahead, x) / z.shape[1])
    rest = x - np.einsum("ir,in->rn", slopes, ahead)
    errors = np.array([one.sd for one in readings]) ** 2 + np.mean(rest * rest, axis=1)
    off = np.array([one.mean for one in readings]) - slopes[0] + np.einsum("ir,i->r", slopes[1:], centre)
    if not (np.isfinite(errors).all() and (errors > 0).all() and np.isfinite(off).all()):
        return None
    precision = np.eye(dims) + np.einsum("ir,jr->ij", slopes[1:] / errors, slopes[1:])
    covariance = np.linalg.inv(precision)
    mean = np.einsum("ij,j->i", covariance, np.einsum("ir,r->i", slopes[1:], off / errors))
    factor = np.linalg.cholesky((covariance + covariance.T) / 2)
    return Mixture(np.ones(1), mean[None], factor[None], degrees(dims))
