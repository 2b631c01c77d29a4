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

__all__ = ["GaussianDesign", "GaussianSurrogate", "blank_gaussian", "explained_together", "fit_gaussian"]

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


def explained_together(surrogates: Sequence[GaussianSurrogate], masks: Array) -> Array:
    """As `GaussianSurrogate.explained` of surrogates of the same scores, shape (surrogates, subsets)."""
    if any(own._own_cubes is None for own in surrogates):
        return np.stack([own.explained(masks) for own in surrogates])
    n, most = len(surrogates[0].correlation), max(len(own.weights) for own in surrogates)
    linear, cubes = (np.array(rows) for rows in ([s.linear for s in surrogates], [s._own_cubes for s in surrogates]))
    quadratic = np.array([own.quadratic for own in surrogates])
    weights, slopes = np.zeros((len(surrogates), most)), np.zeros((len(surrogates), most, n))
    for row, own in enumerate(surrogates):
        weights[row, : len(own.weights)], slopes[row, : len(own.weights)] = own.weights, own.slopes
    out = np.zeros((len(surrogates), len(masks)))
    for place, mask in enumerate(masks):
        given = np.flatnonzero(mask)
        if not given.size:
            continue
        # What all surrogates share: the covariance of the regressions on what is given.
        known = surrogates[0].correlation[given]
        c = known.T @ np.linalg.solve(known[:, given], known)
        curved = quadratic @ c
        pull = slopes @ c
        cross = np.einsum("ern,en->er", pull, linear) + np.einsum("ern,ern->er", pull @ quadratic, pull)
        cross += np.einsum("ern,en->er", pull**3, cubes)
        out[:, place] = ((linear @ c) * linear).sum(axis=1) + 2 * np.einsum("eij,eji->e", curved, curved)
        out[:, place] += 6 * ((cubes @ c**3) * cubes).sum(axis=1) + 2 * (weights * cross).sum(axis=1)
        out[:, place] += np.einsum("er,ers,es->e", weights, np.expm1(pull @ slopes.transpose(0, 2, 1)), weights)
    return out


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


@dataclass(frozen=True, eq=False)
class GaussianDesign:
    """Pilot points: the functions there, and the sums of products that all fits share.

    Parameters
    ----------
    correlation : array of shape (n, n)
    z : array of shape (n, draws)
        Normal scores.
    """

    correlation: Array
    z: Array

    @functools.cached_property
    def places(self) -> tuple[Places, Places]:
        """Indices of the products of two and of three scores."""
        n, draws = self.z.shape
        return _products(n, min(_MOST_COLUMNS, draws // 8))

    @functools.cached_property
    def columns(self) -> Array:
        """A constant, scores, and products of two and three: the simplest first."""
        z, r, (two, three) = self.z, self.correlation, self.places
        i, j, k = three.T
        cubic = z[i] * z[j] * z[k] - r[i, j, None] * z[k]
        cubic -= r[i, k, None] * z[j] + r[j, k, None] * z[i]
        quadratic = z[two[:, 0]] * z[two[:, 1]] - r[two[:, 0], two[:, 1], None]
        return np.vstack([np.ones((1, z.shape[1])), z, quadratic, cubic]).T

    @property
    def halves(self) -> tuple[slice, slice]:
        """Two parts of the points, either of which tests a fit on the other."""
        half = self.z.shape[1] // 2
        return slice(None, half), slice(half, None)

    @functools.cached_property
    def grams(self) -> tuple[Array, Array]:
        """Sums of products of all columns over each half."""
        one, other = (self.columns[half].T @ self.columns[half] for half in self.halves)
        return one, other

    @functools.cached_property
    def _inverse(self) -> Array:
        return np.linalg.pinv(self.columns[:, : 1 + len(self.z)])

    def slopes(self, products: Sequence[Array]) -> Array:
        """Logarithms, as linear functions, of quantities that keep their sign."""
        found = [np.zeros((0, len(self.z)))]
        for values in products:
            if np.all(np.isfinite(values)) and (np.all(values > 0) or np.all(values < 0)):
                slope = (self._inverse @ np.log(np.abs(values)))[1:]
                # Of a larger variance than this, a sample says nothing.
                if slope @ self.correlation @ slope < 4:
                    found.append(slope[None])
        return np.vstack(found)

    def normal(self, width: int, extra: Array, y: Array) -> list[tuple[Array, Array]]:
        """Normal equations over each half, of the first columns and further ones."""
        made = []
        for gram, half in zip(self.grams, self.halves, strict=True):
            x = self.columns[half, :width]
            beside = x.T @ extra[half]
            whole = np.block([[gram[:width, :width], beside], [beside.T, extra[half].T @ extra[half]]])
            made.append((whole, np.concatenate([x.T @ y[half], extra[half].T @ y[half]])))
        return made


def fit_gaussian(design: GaussianDesign, y: Array, products: Sequence[Array]) -> GaussianSurrogate:
    """Fit a target of mean 0 and variance 1 at pilot points.

    Parameters
    ----------
    design : GaussianDesign
    y : array
    products : sequence of array
        Quantities at the same points; the logarithms of those that keep their sign are fitted as
        linear functions.
    """
    r, (n, draws) = design.correlation, design.z.shape
    if not np.all(np.isfinite(y)) or not y.any():
        return blank_gaussian(r)
    table = design.slopes(products)
    extra = np.exp(table @ design.z - 0.5 * np.einsum("ri,ij,rj->r", table, r, table)[:, None]).T
    two, three = design.places
    sizes = np.cumsum([1, n, len(two), len(three)])
    best, coefficients, weights = math.inf, np.zeros(0), np.zeros(len(table))
    # What is exact with few functions must not be spread over many.
    for width in dict.fromkeys(sizes.tolist()):
        (one, to_one), (other, to_other) = design.normal(width, extra, y)
        error = 0.0
        for found, tested in zip(
            (least_squares(one, to_one), least_squares(other, to_other)), design.halves[::-1], strict=True
        ):
            told = design.columns[tested, :width] @ found[:width] + extra[tested] @ found[width:]
            error += float(np.sum((y[tested] - told) ** 2))
        if error < best:
            best, whole = error, least_squares(one + other, to_one + to_other)
            coefficients, weights = whole[:width], whole[width:]
        if best < 1e-16 * draws:
            break
    if best >= float(y @ y):
        return blank_gaussian(r)
    full = np.concatenate([coefficients, np.zeros(int(sizes[-1]) - len(coefficients))])
    _, linear, q, c = np.split(full, sizes[:-1])
    return GaussianSurrogate(r, float(full[0]), linear, _symmetric(n, two, q), _symmetric(n, three, c), weights, table)
