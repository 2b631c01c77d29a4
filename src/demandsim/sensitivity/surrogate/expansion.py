r"""Surrogate: a cheap stand-in for a quantity, whose variance is divided among factors exactly.

.. math:: g(z) = c + \sum_j \sum_k h_{jk} \psi_k(z_j) + \sum_{j<l} \sum_{k,m} M_{jk,lm} \psi_k(z_j) \psi_m(z_l)
    + \sum_r b_r \prod_j e^{l_{rj}(z_j)}

with functions :math:`\psi` orthonormal, so that every conditional expectation and its variance are
sums and products of one-dimensional integrals. The products of the last term are what a chain of
multiplications is made of. Sources: Sudret, Reliability Engineering & System Safety 93 (2008), for
indices read off orthogonal expansions; products by the same argument.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.sensitivity.inputs import Places
from demandsim.sensitivity.surrogate.basis import Basis, Features, beyond

__all__ = ["Space", "Surrogate", "Swap"]


@dataclass(frozen=True, eq=False)
class Space:
    """Functions that surrogates of a model are made from.

    Parameters
    ----------
    bases : tuple of Basis
        One per coordinate.
    owner : int array
        Factor that each coordinate belongs to.
    paired : int
        Functions of each coordinate, the first of its basis, that enter products of two.
    """

    bases: tuple[Basis, ...]
    owner: Places
    paired: int

    @functools.cached_property
    def rich_place(self) -> Array:
        """Coordinate of each rich function."""
        return np.repeat(np.arange(len(self.bases)), [basis.rich[0].shape[1] for basis in self.bases])

    @functools.cached_property
    def tame_place(self) -> Array:
        """Coordinate of each tame function."""
        return np.repeat(np.arange(len(self.bases)), [basis.tame[0].shape[1] for basis in self.bases])

    @functools.cached_property
    def pairs(self) -> tuple[Array, Array]:
        """Columns of both members of each product; never of one coordinate."""
        starts = np.searchsorted(self.rich_place, np.arange(len(self.bases)))
        columns = np.flatnonzero(np.arange(self.rich_place.size) - starts[self.rich_place] < self.paired)
        one, other = np.triu_indices(columns.size, 1)
        one, other = columns[one], columns[other]
        apart = self.rich_place[one] != self.rich_place[other]
        return one[apart], other[apart]

    @property
    def factors(self) -> int:
        """Number of factors."""
        return int(self.owner.max()) + 1

    def masks(self, subsets: Array) -> Array:
        """Coordinates in each subset of factors; both as 0 and 1."""
        return np.asarray(subsets, dtype=float)[..., self.owner]

    def exponential_moments(self, slopes: Array) -> tuple[Array, Array] | None:
        """Means of exp(l_j) and of exp(l_j) * psi, per coordinate; None if the tails decide them."""
        means, projections = np.ones(len(self.bases)), np.zeros(self.rich_place.size)
        for place, basis in enumerate(self.bases):
            own = slopes[self.tame_place == place]
            if not own.any():
                continue
            with np.errstate(over="ignore", invalid="ignore"):
                e = np.exp(own @ basis.on_grid[1])
                second = basis.weight * e * e
            if not np.isfinite(second.sum()) or second[beyond(6.5)].sum() > 1e-4 * second.sum():
                return None
            means[place] = np.sum(basis.weight * e)
            projections[self.rich_place == place] = basis.on_grid[0] @ (basis.weight * e) / means[place]
        return means, projections


@dataclass(frozen=True)
class Swap:
    """One factor of the base points replaced by that of other points.

    Parameters
    ----------
    value : array
        The surrogate at the points A with the factor from B.
    without : array
        Expectation of the surrogate given all but the factor, at A.
    at_a, at_b : array
        Expectation of the surrogate given only the factor, as in A and as in B, less its mean.
    """

    value: Array
    without: Array
    at_a: Array
    at_b: Array


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A fitted stand-in.

    Parameters
    ----------
    space : Space
    constant : float
    main : array or None
        Coefficient of every rich function.
    pairs : symmetric array or None
        Coefficients of products of two rich functions, of different coordinates.
    weights : array of shape (products,)
        Expectation of each product of exponentials.
    slopes : array of shape (products, tame functions)
        Their logarithms.
    """

    space: Space
    constant: float
    main: Array | None
    pairs: Array | None
    weights: Array
    slopes: Array

    @functools.cached_property
    def _moments(self) -> tuple[Array, Array, Array]:
        """Means and projections of each product, and logarithms of the pairs' joint moments."""
        space, products = self.space, len(self.weights)
        means = np.ones((products, len(space.bases)))
        projections = np.zeros((products, space.rich_place.size))
        for r in range(products):
            found = space.exponential_moments(self.slopes[r])
            assert found is not None  # the fit offers only products that have moments
            means[r], projections[r] = found
        joint = np.zeros((products, products, len(space.bases)))
        for place, basis in enumerate(space.bases if products else ()):
            e = np.exp(self.slopes[:, space.tame_place == place] @ basis.on_grid[1]) / means[:, [place]]
            joint[:, :, place] = np.log((e * basis.weight) @ e.T)
        return means, projections, joint

    @property
    def mean(self) -> float:
        """Exact expectation."""
        return float(self.constant + self.weights.sum())

    def explained(self, masks: Array) -> Array:
        """Variance of the expectation given some coordinates, exactly.

        Parameters
        ----------
        masks : array of shape (subsets, coordinates)
            1 where a coordinate is given, else 0.
        """
        space = self.space
        _, projections, joint = self._moments
        out = np.zeros(len(masks))
        shared = self.weights @ projections
        if self.main is not None:
            given = masks[:, space.rich_place]
            out += given @ (self.main * (self.main + 2 * shared))
        if self.pairs is not None:
            given = masks[:, space.rich_place]
            crossed = (projections.T * self.weights) @ projections
            # Each pair stands twice in the symmetric matrix.
            out += 0.5 * np.einsum("si,si->s", given @ (self.pairs * (self.pairs + 2 * crossed)), given)
        for r, s in np.ndindex(joint.shape[:2]):
            out += self.weights[r] * self.weights[s] * np.expm1(masks @ joint[r, s])
        return out

    def _logs(self, found: Features) -> Array:
        """Logarithm of each product by coordinate's factor, shape (products, factors, draws)."""
        space, means = self.space, self._moments[0]
        out = np.empty((len(self.weights), space.factors, len(found.tame)))
        for factor in range(space.factors):
            columns = space.owner[space.tame_place] == factor
            centre = np.log(means[:, space.owner == factor]).sum(axis=1)
            out[:, factor] = self.slopes[:, columns] @ found.tame[:, columns].T - centre[:, None]
        return out

    def value(self, found: Features) -> Array:
        """Evaluate the surrogate at points."""
        out = np.full(len(found.rich), self.constant)
        if self.main is not None:
            out += found.rich @ self.main
        if self.pairs is not None:
            out += 0.5 * np.einsum("ni,ni->n", found.rich @ self.pairs, found.rich)
        if len(self.weights):
            # In the order of `swaps`: what is exact must leave no residual by rounding.
            out += self.weights @ np.exp(self._logs(found).sum(axis=1))
        return out

    def expectation(self, found: Features, given: Array) -> Array:
        """Expectation given some coordinates (1 where given, else 0), less the mean, at points."""
        space = self.space
        out = np.zeros(len(found.rich))
        if self.main is not None:
            out += found.rich @ (self.main * given[space.rich_place])
        if self.pairs is not None:
            psi = found.rich * given[space.rich_place]
            out += 0.5 * np.einsum("ni,ni->n", psi @ self.pairs, psi)
        if len(self.weights):
            slopes = self.slopes * given[space.tame_place]
            logs = slopes @ found.tame.T - (np.log(self._moments[0]) @ given)[:, None]
            out += self.weights @ np.expm1(logs)
        return out

    def swaps(self, a: Features, b: Features, value_a: Array) -> Iterator[Swap]:
        """Replace each factor of the points A by that of B, one at a time, without evaluating anew."""
        space = self.space
        logs_a = self._logs(a) if len(self.weights) else None
        logs_b = self._logs(b) if len(self.weights) else None
        product = np.exp(logs_a.sum(axis=1)) if logs_a is not None else None
        pull = a.rich @ self.pairs if self.pairs is not None else None
        for factor in range(space.factors):
            value, without = value_a.copy(), value_a.copy()
            at_a, at_b = np.zeros_like(value), np.zeros_like(value)
            own = space.owner[space.rich_place] == factor
            if self.main is not None:
                at_a += a.rich[:, own] @ self.main[own]
                at_b += b.rich[:, own] @ self.main[own]
                value += at_b - at_a
                without -= at_a
            if pull is not None and self.pairs is not None:
                inner = self.pairs[np.ix_(own, own)]
                da, db = a.rich[:, own], b.rich[:, own]
                # Products with the other factors are linear in this one; those within it are not.
                outer = pull[:, own] - da @ inner
                within_a = 0.5 * np.einsum("ni,ni->n", da @ inner, da)
                within_b = 0.5 * np.einsum("ni,ni->n", db @ inner, db)
                value += np.einsum("ni,ni->n", db - da, outer) + within_b - within_a
                without -= np.einsum("ni,ni->n", da, outer) + within_a
                at_a += within_a
                at_b += within_b
            if logs_a is not None and logs_b is not None and product is not None:
                value += self.weights @ (product * np.expm1(logs_b[:, factor] - logs_a[:, factor]))
                without += self.weights @ (product * np.expm1(-logs_a[:, factor]))
                at_a += self.weights @ np.expm1(logs_a[:, factor])
                at_b += self.weights @ np.expm1(logs_b[:, factor])
            yield Swap(value, without, at_a, at_b)
