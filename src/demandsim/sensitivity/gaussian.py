r"""Gaussian surrogate: what a quadratic and products of exponentials explain under correlation, exactly.

.. math:: g(z) = c + a^T z + z^T Q z + \sum_r b_r e^{l_r^T z - l_r^T R l_r / 2}, \quad z \sim N(0, R)

Given some coordinates, the others are normal with known mean and covariance, so that the expectation
of g is of the same form in the given ones, and its variance is a sum of Gaussian integrals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demandsim.sensitivity.factors import Places
from demandsim.simulation import Array

__all__ = ["GaussianSurrogate", "fit_gaussian"]

_MOST_COLUMNS = 350


@dataclass(frozen=True, eq=False)
class GaussianSurrogate:
    """A fitted stand-in for a function of correlated normal scores.

    Parameters
    ----------
    correlation : array
    linear : array
    quadratic : symmetric array
    weights : array of shape (products,)
        Expectation of each product of exponentials.
    slopes : array of shape (products, coordinates)
    constant : float
    """

    correlation: Array
    constant: float
    linear: Array
    quadratic: Array
    weights: Array
    slopes: Array

    @property
    def mean(self) -> float:
        """Exact expectation."""
        return float(self.constant + np.sum(self.quadratic * self.correlation) + self.weights.sum())

    def value(self, z: Array) -> Array:
        """Evaluate at normal scores of shape (coordinates, draws)."""
        out = self.constant + self.linear @ z + np.einsum("in,in->n", self.quadratic @ z, z)
        for weight, slope in zip(self.weights, self.slopes, strict=True):
            out = out + weight * np.exp(slope @ z - 0.5 * slope @ self.correlation @ slope)
        return np.asarray(out)

    def explained(self, masks: Array) -> Array:
        """Variance of the expectation given some coordinates, exactly.

        Parameters
        ----------
        masks : array of shape (subsets, coordinates)
            1 where a coordinate is given, else 0.
        """
        return np.array([self._explained(np.flatnonzero(mask)) for mask in masks])

    def _explained(self, given: Places) -> float:
        if not given.size:
            return 0.0
        r = self.correlation[np.ix_(given, given)]
        # Expectation of all coordinates given some: they themselves, and the regression of the others.
        lift = np.linalg.solve(r, self.correlation[given]).T
        a, q = lift.T @ self.linear, lift.T @ self.quadratic @ lift
        slopes = self.slopes @ lift
        total = float(a @ r @ a + 2 * np.sum((q @ r) * (q @ r).T))
        if len(self.weights):
            pull = slopes @ r
            between = np.einsum("ri,ij,rj->r", pull, q, pull)
            total += float(2 * self.weights @ (pull @ a + between))
            total += float(self.weights @ np.expm1(pull @ slopes.T) @ self.weights)
        return total


def fit_gaussian(correlation: Array, z: Array, y: Array, products: Sequence[Array]) -> GaussianSurrogate:
    """Fit a target of mean 0 and variance 1 at pilot points.

    Parameters
    ----------
    correlation : array
    z : array of shape (coordinates, draws)
    y : array
    products : sequence of array
        One-signed quantities at the same points, whose logarithms are fitted as linear functions.
    """
    n = len(z)
    one, other = np.triu_indices(n) if 1 + n + n * (n + 1) // 2 <= min(_MOST_COLUMNS, z.shape[1] // 4) else _diagonal(n)
    slopes = []
    design = np.column_stack([np.ones(z.shape[1]), z.T])
    for values in products:
        if np.all(np.isfinite(values)) and (np.all(values > 0) or np.all(values < 0)):
            slope = np.linalg.lstsq(design, np.log(np.abs(values)), rcond=None)[0][1:]
            # Of a variance beyond this, a sample says nothing.
            if slope @ correlation @ slope < 4:
                slopes.append(slope)
    table = np.array(slopes).reshape(len(slopes), n)
    size = np.einsum("ri,ij,rj->r", table, correlation, table)
    extra = np.exp(table @ z - 0.5 * size[:, None]).T
    columns = np.hstack([design, (z[one] * z[other]).T, extra])
    plain = GaussianSurrogate(correlation, 0.0, np.zeros(n), np.zeros((n, n)), np.zeros(0), np.zeros((0, n)))
    if not np.all(np.isfinite(y)) or not y.any():
        return plain
    coefficients = np.linalg.lstsq(columns, y, rcond=1e-10)[0]
    quadratic = np.zeros((n, n))
    quadratic[one, other] += 0.5 * coefficients[1 + n : 1 + n + len(one)]
    quadratic[other, one] += 0.5 * coefficients[1 + n : 1 + n + len(one)]
    weights = coefficients[1 + n + len(one) :]
    return GaussianSurrogate(correlation, float(coefficients[0]), coefficients[1 : 1 + n], quadratic, weights, table)


def _diagonal(n: int) -> tuple[Places, Places]:
    return np.arange(n), np.arange(n)
