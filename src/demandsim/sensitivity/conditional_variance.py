r"""Conditional variance: what is left of a variance when some inputs are known, from draws alone; no labels.

Of any function m of the inputs :math:`x_S` that are known,

.. math:: E\,\mathrm{Var}(y \,|\, x_S) = E\,\mathrm{Var}(r \,|\, x_S), \quad r = y - m(x_S)

With r the residual of a regression, fitted on other draws, neighbours in :math:`x_S` differ by little but what is not
known, also where there are many inputs and the nearest neighbour is far. Two means over neighbours,
:math:`r (r - r')` and :math:`(r - r')^2 / 2`, are wrong in different ways where r spreads unevenly: the estimate is
the mean of both, the difference is told, and so is what farther neighbours say more.

Sources: Broto, Bachoc and Depecker, SIAM/ASA J. Uncertainty Quantification 8 (2020), nearest neighbours for all
subsets; Azadkia and Chatterjee, Annals of Statistics 49 (2021); Abadie and Imbens, J. Business & Economic Statistics
29 (2011), regression against the distance of matches.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.statistics.estimators import least_squares

__all__ = ["ConditionalVariance", "Left", "normal_ranks", "standard_error"]

#: Nearest neighbours that are looked for; those near, and those a little farther, are of other chains.
_NEIGHBOURS, _NEAR, _FAR = 12, 3, 8
#: Parts of the draws, on all but one of which a regression is fitted.
_FOLDS = 4
#: Draws for each column of a regression, at least, and by what share the square error must fall for more columns.
_DRAWS, _FALL = 16, 0.01
#: What breaking ties and normal equations may change.
_ROUNDING = 2e-6
#: Chains from whose spread an error is told.
_CHAINS = 4


def normal_ranks(x: Array, rng: np.random.Generator) -> Array:
    """Normal scores of the ranks of each row; equal values have one score, but for what breaks ties at random."""
    from scipy import special, stats

    rank = stats.rankdata(x, axis=1)
    return np.asarray(special.ndtri((rank - 0.5) / x.shape[1]) + 1e-7 * rng.standard_normal(x.shape))


@dataclass(frozen=True, eq=False)
class Left:
    """What is left of the variance of some elements when a set of inputs is known.

    Parameters
    ----------
    value : array of shape (elements,)
    doubt : array of shape (elements,)
        By how much it may be too large, signed.
    influence : array of shape (elements, draws)
        Of every draw, of mean 0.
    """

    value: Array
    doubt: Array
    influence: Array


@dataclass(frozen=True, eq=False)
class ConditionalVariance:
    """Draws of elements that have the same inputs.

    Parameters
    ----------
    z : array of shape (columns, draws)
        Scores of the inputs.
    y : array of shape (elements, draws)
        Of mean 0 and variance 1.
    logs : array of shape (elements, draws)
        Logarithms of the sizes of those elements that keep their sign, NaN of others.
    chain : int array of shape (draws,)
    parts : tuple of array of shape (quantities, draws)
        Logarithms, for each element, of quantities that it may be a sum of.
    """

    z: Array
    y: Array
    logs: Array
    chain: npt.NDArray[np.intp]
    parts: tuple[Array, ...]

    @classmethod
    def of(
        cls, z: Array, y: Array, chain: npt.NDArray[np.intp], parts: Sequence[Array] | None = None
    ) -> ConditionalVariance:
        """Standardise elements of shape (elements, draws)."""
        signed = (y > 0).all(axis=1) | (y < 0).all(axis=1)
        logs = np.full(y.shape, np.nan)
        logs[signed] = np.log(np.abs(y[signed]))
        apart = y - y.mean(axis=1, keepdims=True)
        return cls(z, apart / apart.std(axis=1, keepdims=True), logs, chain, tuple(parts or [y[:0]] * len(y)))

    @functools.cached_property
    def _fold(self) -> npt.NDArray[np.intp]:
        if self.chain[-1] + 1 >= _FOLDS:
            return self.chain % _FOLDS
        return np.arange(self.chain.size) * _FOLDS // self.chain.size

    @functools.cached_property
    def _columns(self) -> tuple[Array, Array, Array]:
        """Functions of one and of two inputs at the draws; the inputs of each; the level at which it is offered."""
        from scipy import special

        inputs, draws = self.z.shape
        powers = []
        for z in self.z:
            u = 2 * special.ndtr(z) - 1
            powers.append([z, z * z - 1, z**3 - 3 * z, *(special.eval_legendre(k, u) for k in (3, 4, 5))])
        room = draws // _DRAWS
        rich = powers[0] if room >= 7 * inputs else powers[0][:3] if room >= 4 * inputs else powers[0][:1]
        found, owner, level = [np.ones(draws)], [(-1, -1)], [0]
        for rank in range(len(rich)):
            for j, own in enumerate(powers):
                found.append(own[rank])
                owner.append((j, -1))
                level.append(min(rank, 1))
        # Products of those that matter most alone.
        strength = [np.mean([(self.y @ own / draws) ** 2 for own in each[:3]]) for each in powers]
        crossed = np.sort(np.argsort(strength, kind="stable")[::-1][: int(np.sqrt(max(room - len(found), 0) / 2))])
        for i, j in itertools.combinations(crossed.tolist(), 2):
            for p, q in itertools.product((0, 1), repeat=2):
                found.append(powers[i][p] * powers[j][q])
                owner.append((i, j))
                level.append(2)
        return np.array(found), np.array(owner), np.array(level)

    @functools.cached_property
    def _inside(self) -> list[npt.NDArray[np.intp]]:
        """Draws of each fold."""
        return [np.flatnonzero(self._fold == number) for number in range(_FOLDS)]

    @functools.cached_property
    def _sums(self) -> tuple[list[Array], Array, Array]:
        """The functions in each fold; outside of it the sums of their products, and of those with what is fitted."""
        sides = np.vstack([self.y, np.nan_to_num(self.logs), *self.parts]).T
        columns = [np.ascontiguousarray(self._columns[0][:, own]) for own in self._inside]
        gram = np.array([own @ own.T for own in columns])
        right = np.array([own @ sides[here] for own, here in zip(columns, self._inside, strict=True)])
        return columns, gram.sum(axis=0) - gram, right.sum(axis=0) - right

    @functools.cached_property
    def _levels(self) -> range:
        """Levels that are worth their columns when all inputs are known; with fewer known they are tried alone."""
        return range(3) if (self._fitted(np.arange(len(self.z)), range(3))[1] == 2).any() else range(2)

    def _predicted(self, known: npt.NDArray[np.intp]) -> Array:
        """What the best regression on the known inputs says of each element, at draws that it was not fitted on."""
        return self._fitted(known, self._levels)[0]

    def _fitted(self, known: npt.NDArray[np.intp], levels: range) -> tuple[Array, Array]:
        """Predictions, and the level of each."""
        _, owner, level = self._columns
        columns, gram, right = self._sums
        inside = np.isin(owner, [*known.tolist(), -1]).all(axis=1)
        alone = np.flatnonzero(inside & (level < 2))
        elements = len(self.y)
        best, chosen, error = np.zeros_like(self.y), np.zeros(elements), np.mean(self.y**2, axis=1)

        def offer(e: int, candidate: Array, most: int) -> None:
            found = float(np.mean((self.y[e] - candidate) ** 2))
            if found < (1 - _FALL) * error[e]:
                error[e], best[e], chosen[e] = found, candidate, most

        starts = elements * 2 + np.cumsum([0, *(len(parts) for parts in self.parts)])
        for most in levels:
            own = np.flatnonzero(inside & (level <= most))
            if most and own.size == np.count_nonzero(inside & (level < most)):
                continue
            told = np.empty((right.shape[2], self.chain.size))
            for number, here in enumerate(self._inside):
                fitted = least_squares(gram[number][np.ix_(own, own)], right[number][own])
                told[:, here] = fitted.T @ columns[number][own]
            for e in range(elements):
                for candidate in self._candidates(e, told):
                    offer(e, candidate, most)
        for e, parts in enumerate(self.parts):
            if len(parts):
                offer(e, self._sum_of_products(alone, parts, slice(starts[e], starts[e + 1]), self.y[e]), 1)
        return best, chosen

    def _sum_of_products(self, own: npt.NDArray[np.intp], parts: Array, sides: slice, y: Array) -> Array:
        """A sum of exponentials, each fitted to the logarithm of a quantity, beside functions of one input."""
        columns, out = self._columns[0][own], np.empty_like(y)
        _, gram, right = self._sums
        for number, here in enumerate(self._inside):
            fitted = least_squares(gram[number][np.ix_(own, own)], right[number][own, sides])
            with np.errstate(over="ignore", invalid="ignore"):
                products = np.exp(fitted.T @ columns - parts.mean(axis=1, keepdims=True))
            if not np.isfinite(products).all():
                return np.zeros_like(y)
            beside, inner = products @ columns.T, products @ products.T
            beside -= products[:, here] @ columns[:, here].T
            inner -= products[:, here] @ products[:, here].T
            whole = np.block([[gram[number][np.ix_(own, own)], beside.T], [beside, inner]])
            to_y = products @ y - products[:, here] @ y[here]
            last = np.concatenate([columns @ y - columns[:, here] @ y[here], to_y])
            weights = least_squares(whole, last)
            out[here] = weights[: own.size] @ columns[:, here] + weights[own.size :] @ products[:, here]
        return out

    def _candidates(self, e: int, told: Array) -> Iterator[Array]:
        """What the fit of an element says, and that of its logarithm, in the scale of the element."""
        yield told[e]
        logs = self.logs[e]
        if np.isfinite(logs[0]):
            with np.errstate(over="ignore"):
                fit = np.exp(told[len(self.y) + e] - logs.mean())
            if np.isfinite(fit).all():
                # y is a line in its size; the mean of an exponential is not that of the fit.
                size = np.exp(logs - logs.mean())
                slope = np.mean(self.y[e] * (size - size.mean())) / np.mean((size - size.mean()) ** 2)
                yield slope * (fit * (size.mean() / fit.mean()) - size.mean())

    def _neighbours(self, known: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], Array, Array, Array]:
        """Neighbours in the known inputs; weights of those near and of those farther; squared distances."""
        from scipy.spatial import cKDTree

        points = np.ascontiguousarray(self.z[known].T)
        distance, place = cKDTree(points).query(points, k=min(_NEIGHBOURS, len(points) - 1) + 1)
        distance, place = distance[:, 1:], place[:, 1:]
        # Neighbours of one chain of a low-discrepancy design are not independent.
        apart = self.chain[place] != self.chain[:, None]
        apart = np.where(apart.any(axis=1, keepdims=True), apart, True)
        number = np.cumsum(apart, axis=1)
        near, far = apart & (number <= _NEAR), apart & (number > _NEAR) & (number <= _FAR)
        far = np.where(far.any(axis=1, keepdims=True), far, near)
        return place, *(each / each.sum(axis=1, keepdims=True) for each in (near, far)), distance**2

    def location_and_scale(self, known: npt.NDArray[np.intp]) -> tuple[Array, Array]:
        """What the known inputs say of the first element at every draw, and of how far it may be from that."""
        location = self._predicted(known)
        apart = np.abs(self.y - location)[:1]
        if np.ptp(apart) == 0:
            return location[0], apart[0]
        return location[0], ConditionalVariance.of(self.z, apart, self.chain)._predicted(known)[0]

    def left(self, known: npt.NDArray[np.intp]) -> Left:
        """What is left of the variances when the inputs at some places are known."""
        if not known.size:
            square = self.y**2
            return Left(square.mean(axis=1), np.zeros(len(square)), square - square.mean(axis=1, keepdims=True))
        residuals = self.y - self._predicted(known)
        residuals -= residuals.mean(axis=1, keepdims=True)
        place, near, far, square = self._neighbours(known)
        nearest, farther = (float((square * weight).sum(axis=1).mean()) for weight in (near, far))
        values, doubts, influences = [], [], []
        for r in residuals:
            other = r[place]
            apart = r[:, None] - other
            product, half = r[:, None] * apart, 0.5 * apart**2
            both = 0.5 * (product + half)
            told = (near * both).sum(axis=1)
            beyond = float((far * both).sum(axis=1).mean())
            growth = nearest / (farther - nearest) if farther > nearest * (1 + 1e-9) else 0.0
            value = float(told.mean())
            doubts.append(
                _ROUNDING
                + max((beyond - value) * growth, 0.0)
                + 0.5 * abs(float((near * (product - half)).sum(axis=1).mean()))
            )
            values.append(max(value, 0.0))
            # In the mean of both a draw stands with 3/4 of its square, its neighbour with 1/4, less their product.
            squares, products = near * other**2, near * r[:, None] * other
            back = np.bincount(place.ravel(), squares.ravel(), minlength=r.size)
            paired = products.sum(axis=1) + np.bincount(place.ravel(), products.ravel(), minlength=r.size)
            # Products of a pair have no common part: halves that either draw takes would cancel as if they had.
            told = 0.75 * r**2 + 0.25 * back - math.sqrt(0.5) * paired
            influences.append(told - told.mean())
        return Left(np.array(values), np.array(doubts), np.array(influences))


def standard_error(influence: Array, chain: npt.NDArray[np.intp]) -> Array:
    """Standard error of means of what every draw tells, last axis; by draws and by chains, whichever is larger."""
    number, chains = influence.shape[-1], int(chain.max()) + 1
    by_draws = influence.std(axis=-1) / np.sqrt(number)
    if chains < _CHAINS:
        return np.asarray(by_draws)
    starts = np.searchsorted(chain, np.arange(chains))
    sums = np.add.reduceat(influence, starts[starts < number], axis=-1)
    return np.asarray(np.maximum(by_draws, np.sqrt((sums**2).sum(axis=-1) * chains / (chains - 1)) / number))
