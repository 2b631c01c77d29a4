r"""Gaussian surrogate: what an expansion in correlated normal scores explains, exactly.

.. math:: g(z) = c + \sum_n A_n \!:\! z^n \!: \, + \sum_r b_r :\! e^{l_r^T z} \!:, \quad z \sim N(0, R)

Colons mark Wick products of up to three scores, which are products less their correlations. Higher
orders would fit the pilot points better, and the tails beyond them far worse. Given some scores, the
expectation of :math:`:z^n:` is that of the regressions on them, so that with C the covariance of these
regressions

.. math:: \mathrm{Var}\, E[g|z_u] = \sum_n n! \, A_n C^{\otimes n} A_n
    + 2 \sum_{n,r} b_r A_n (C l_r)^n + \sum_{r,s} b_r b_s (e^{l_r^T C l_s} - 1).

Source: Janson, "Gaussian Hilbert spaces" (1997), chapters 3 and 4.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.sensitivity.inputs import Places
from demandsim.statistics.estimators import least_squares

__all__ = ["GaussianSurrogate", "blank_gaussian", "fit_gaussian"]

_MOST_COLUMNS = 350


@dataclass(frozen=True, eq=False)
class GaussianSurrogate:
    """A fitted stand-in for a function of correlated normal scores.

    Parameters
    ----------
    correlation : array of shape (n, n)
    constant : float
    linear, quadratic, cubic : symmetric arrays of shape (n,), (n, n), (n, n, n)
    weights : array of shape (products,)
        Expectation of each product of exponentials.
    slopes : array of shape (products, n)
    """

    correlation: Array
    constant: float
    linear: Array
    quadratic: Array
    cubic: Array
    weights: Array
    slopes: Array

    @property
    def mean(self) -> float:
        """Exact expectation."""
        return float(self.constant + self.weights.sum())

    def value(self, z: Array) -> Array:
        """Evaluate at normal scores of shape (n, draws)."""
        r = self.correlation
        out = self.mean + self.linear @ z
        out += np.einsum("in,in->n", self.quadratic @ z, z) - np.sum(self.quadratic * r)
        if (own := self._own_cubes) is not None:
            out += own @ (z**3 - 3 * np.diag(r)[:, None] * z)
        else:
            inner = np.einsum("ijk,kn->ijn", self.cubic, z, optimize=True)
            out += np.einsum("in,in->n", np.einsum("ijn,jn->in", inner, z), z)
            out -= 3 * np.einsum("ijk,ij->k", self.cubic, r) @ z
        for weight, slope in zip(self.weights, self.slopes, strict=True):
            out += weight * np.expm1(slope @ z - 0.5 * slope @ r @ slope)
        return np.asarray(out)

    def explained(self, masks: Array) -> Array:
        """Variance of the expectation given some scores, exactly.

        Parameters
        ----------
        masks : array of shape (subsets, n)
            1 where a score is given, else 0.
        """
        return np.array([self._explained(np.flatnonzero(mask)) for mask in masks])

    @functools.cached_property
    def _own_cubes(self) -> Array | None:
        """Coefficients of the cubes, where no products of different scores stand beside them: with many scores."""
        own = np.einsum("iii->i", self.cubic)
        return own.copy() if np.count_nonzero(own) == np.count_nonzero(self.cubic) else None

    def _explained(self, given: Places) -> float:
        if not given.size:
            return 0.0
        known = self.correlation[given]
        c = known.T @ np.linalg.solve(known[:, given], known)
        total = self.linear @ c @ self.linear + 2 * np.sum((self.quadratic @ c) * (self.quadratic @ c).T)
        pull = self.slopes @ c
        cross = pull @ self.linear + np.sum((pull @ self.quadratic) * pull, axis=1)
        if (own := self._own_cubes) is not None:
            total += 6 * own @ c**3 @ own
            cross += pull**3 @ own
        else:
            total += 6 * np.sum(np.einsum("ijk,il,jm,kn->lmn", self.cubic, c, c, c, optimize=True) * self.cubic)
            cross += np.einsum("ijk,ri,rj,rk->r", self.cubic, pull, pull, pull, optimize=True)
        total += 2 * self.weights @ cross
        total += self.weights @ np.expm1(pull @ self.slopes.T) @ self.weights
        return float(total)


def blank_gaussian(correlation: Array) -> GaussianSurrogate:
    """Return the surrogate that explains nothing."""
    n = len(correlation)
    none = np.zeros((0, n))
    zeros = np.zeros(n), np.zeros((n, n)), np.zeros((n, n, n))
    return GaussianSurrogate(correlation, 0.0, *zeros, np.zeros(0), none)


def _least_squares(x: Array, y: Array) -> Array:
    return least_squares(x.T @ x, x.T @ y)


def _products(n: int, most: int) -> tuple[Places, Places]:
    """Indices of the products of two and of three scores; fewer of them where there are many scores."""
    two, three = (np.array(list(itertools.combinations_with_replacement(range(n), order))) for order in (2, 3))
    same = np.arange(n)
    if 1 + n + len(two) + len(three) > most:
        three = np.stack([same, same, same]).T
    if 1 + n + len(two) + len(three) > most:
        two = np.stack([same, same]).T
    return two, three


def _symmetric(n: int, places: Places, coefficients: Array) -> Array:
    """Symmetric tensor whose form is the given sum of products."""
    order = places.shape[1]
    out = np.zeros((n,) * order)
    swaps = list(itertools.permutations(range(order)))
    for swap in swaps:
        np.add.at(out, tuple(places[:, list(swap)].T), coefficients / len(swaps))
    return out


def fit_gaussian(correlation: Array, z: Array, y: Array, products: Sequence[Array]) -> GaussianSurrogate:
    """Fit a target of mean 0 and variance 1 at pilot points.

    Parameters
    ----------
    correlation : array
    z : array of shape (n, draws)
    y : array
    products : sequence of array
        Quantities at the same points; the logarithms of those that keep their sign are fitted as
        linear functions.
    """
    if not np.all(np.isfinite(y)) or not y.any():
        return blank_gaussian(correlation)
    n, draws = z.shape
    one = np.ones((draws, 1))
    slopes = []
    for values in products:
        if np.all(np.isfinite(values)) and (np.all(values > 0) or np.all(values < 0)):
            slope = np.linalg.lstsq(np.hstack([one, z.T]), np.log(np.abs(values)), rcond=None)[0][1:]
            # Of a larger variance than this, a sample says nothing.
            if slope @ correlation @ slope < 4:
                slopes.append(slope)
    table = np.array(slopes).reshape(len(slopes), n)
    extra = np.exp(table @ z - 0.5 * np.einsum("ri,ij,rj->r", table, correlation, table)[:, None]).T
    two, three = _products(n, min(_MOST_COLUMNS, draws // 8))
    i, j, k = three.T
    cubic = z[i] * z[j] * z[k] - correlation[i, j, None] * z[k]
    cubic -= correlation[i, k, None] * z[j] + correlation[j, k, None] * z[i]
    quadratic = z[two[:, 0]] * z[two[:, 1]] - correlation[two[:, 0], two[:, 1], None]
    # The simplest first: what is exact with few functions must not be spread over many.
    parts = [one, extra, z.T, quadratic.T, cubic.T]
    sizes = np.cumsum([part.shape[1] for part in parts])
    columns, half, best = np.hstack(parts), draws // 2, math.inf
    coefficients = np.zeros(0)
    for width in dict.fromkeys([int(sizes[1]), int(sizes[2]), int(sizes[3]), int(sizes[-1])]):
        x = columns[:, :width]
        error = 0.0
        for fitted, tested in ((slice(None, half), slice(half, None)), (slice(half, None), slice(None, half))):
            error += float(np.sum((y[tested] - x[tested] @ _least_squares(x[fitted], y[fitted])) ** 2))
        if error < best:
            best, coefficients = error, _least_squares(x, y)
        if best < 1e-16 * draws:
            break
    if best >= float(y @ y):
        return blank_gaussian(correlation)
    full = np.concatenate([coefficients, np.zeros(columns.shape[1] - len(coefficients))])
    _, weights, linear, q, c = np.split(full, sizes[:-1])
    return GaussianSurrogate(
        correlation,
        float(full[0]),
        linear,
        _symmetric(n, two, q),
        _symmetric(n, three, c),
        weights,
        table,
    )
