"""Samples: the finite values of a chain, sorted, or of all chains together, and what a summary asks of them.

A summary is worked out for many quantities at once: of small samples, what is done per quantity and per chain would
take many times as long as what is done per draw.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.statistics.sketch import TAME, Moments, merged_moments, moments_of

__all__ = [
    "Alone",
    "Chain",
    "Pool",
    "Pooled",
    "Samples",
    "Sorted",
    "Spread",
    "Stack",
    "between",
    "narrowest_run",
    "widest_gap",
]


class Chain(Protocol):
    """What a summary needs of a chain."""

    @property
    def moments(self) -> Moments:
        """Count, mean and central moments."""

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval."""

    def ordered(self) -> Array:
        """Values in increasing order, or quantiles that stand for them."""

    def counts(self, values: Sequence[float]) -> tuple[Array, Array]:
        """How many values are below each of some numbers, and how many are at most that."""

    def widest_gap(self, enough: float = 0.0, most: float = math.inf) -> tuple[float, float]:
        """Neighbours that are farthest apart.

        Any, if none is farther apart than is `enough`; and any that are as far apart as is the `most`.
        """


class Pool(Protocol):
    """What a summary needs of all chains together."""

    @property
    def moments(self) -> Moments:
        """Count, mean and central moments."""

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles at `probs`."""

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval."""

    def ordered(self) -> Array:
        """Values in increasing order, or quantiles that stand for them."""

    def ends(self, count: int) -> tuple[Array, Array]:
        """Lowest and highest values, in increasing order, as many of each."""


@dataclass(frozen=True, eq=False)
class Sorted:
    """A chain held in memory, sorted: quantiles are exact."""

    values: Array

    @functools.cached_property
    def moments(self) -> Moments:
        """Count, mean and central moments."""
        return moments_of(self.values)

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles, linear between order statistics (numpy's default)."""
        last = self.values.size - 1
        found = []
        for prob in probs:
            place = prob * last
            low = int(place)
            found.append(between(self.values.item(low), self.values.item(min(low + 1, last)), place - low))
        return found

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval: the narrowest that holds `prob` of the values."""
        inside = min(math.floor(prob * self.values.size), self.values.size - 1)
        return narrowest_run(self.values[: self.values.size - inside], self.values[inside:])

    def ordered(self) -> Array:
        """Values in increasing order."""
        return self.values

    def counts(self, values: Sequence[float]) -> tuple[Array, Array]:
        """How many values are below each of some numbers, and how many are at most that."""
        less, most = (self.values.searchsorted(np.asarray(values), side=side) for side in ("left", "right"))
        return less.astype(np.float64), most.astype(np.float64)

    def ends(self, count: int) -> tuple[Array, Array]:
        """Lowest and highest values, in increasing order, as many of each."""
        return self.values[:count], self.values[-count:]

    def widest_gap(self, enough: float = 0.0, most: float = math.inf) -> tuple[float, float]:
        """Neighbours that are farthest apart; to find others takes as long."""
        return widest_gap(self.values)


def narrowest_run(low: Array, high: Array) -> tuple[float, float]:
    """The narrowest interval from a value of the one array to that of the other in its place."""
    # Halves, since the distance of two doubles may be none.
    widths = np.multiply(high, 0.5, dtype=np.float64)
    widths -= np.multiply(low, 0.5, dtype=np.float64)
    place = int(np.argmin(widths))
    return float(low[place]), float(high[place])


def widest_gap(values: Array) -> tuple[float, float]:
    """Neighbours that are farthest apart, of sorted values."""
    if values.size < 2:
        return values.item(0), values.item(0)
    halves = np.multiply(values, 0.5, dtype=np.float64)
    place = int(np.argmax(halves[1:] - halves[:-1]))
    return values.item(place), values.item(place + 1)


def between(below: float, above: float, share: float) -> float:
    """A number a share of the way up."""
    step = above - below
    # The distance of two doubles may be none.
    return below + step * share if math.isfinite(step) else below * (1 - share) + above * share


@dataclass(frozen=True, eq=False)
class Pooled:
    """Sorted chains taken together."""

    chains: Sequence[Sorted]

    @functools.cached_property
    def moments(self) -> Moments:
        """Count, mean and central moments."""
        return functools.reduce(merged_moments, (chain.moments for chain in self.chains))

    @functools.cached_property
    def _together(self) -> Sorted:
        return Sorted(np.sort(np.concatenate([chain.values for chain in self.chains])))

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles of all chains together."""
        return self._together.quantiles(probs)

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval of all chains together."""
        return self._together.narrowest(prob)

    def ordered(self) -> Array:
        """Values in increasing order."""
        return self._together.values

    def ends(self, count: int) -> tuple[Array, Array]:
        """Lowest and highest values, in increasing order, as many of each."""
        return self._together.ends(count)


class Spread(NamedTuple):
    """Draws, mean, and sums of squares and fourth powers of the deviations from it, of some quantities.

    Parameters
    ----------
    draws, mean, second, fourth : array of shape (quantities,)
        The sums divided by the same powers of ``2**exponent``.
    exponent : int array of shape (quantities,)
    """

    draws: Array
    mean: Array
    second: Array
    fourth: Array
    exponent: npt.NDArray[np.int64]


class Samples(Protocol):
    """What a summary needs of some quantities, each with as many chains."""

    @property
    def sizes(self) -> Array:
        """Draws of each chain, shape (quantities, chains)."""

    @property
    def own(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each chain, both of shape (quantities, chains)."""

    @property
    def spread(self) -> Spread:
        """Moments of all chains together."""

    def quantiles(self, probs: Array) -> Array:
        """Quantiles of all chains together, at `probs` of shape (quantities, n)."""

    def counts(self, values: Array) -> tuple[Array, Array]:
        """How many draws of each chain are below numbers, and how many are at most that.

        Shapes (quantities, n), and (quantities, n, chains) of what is returned.
        """

    def widest_gaps(self, enough: Array) -> tuple[Array, Array]:
        """Neighbours that are farthest apart, in the chain in which they are least so; any that are near enough."""

    def chains(self, quantity: int) -> tuple[Sequence[Chain], Pool]:
        """The chains of one quantity, and all of them together."""


@dataclass(frozen=True, eq=False)
class Alone:
    """Chains of one quantity."""

    of: Sequence[Chain]
    pool: Pool

    @property
    def sizes(self) -> Array:
        """Draws of each chain."""
        return np.array([[chain.moments.count for chain in self.of]], dtype=np.float64)

    @property
    def own(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each chain."""
        moments = [chain.moments for chain in self.of]
        return np.array([[each.mean for each in moments]]), np.array([[each.sd for each in moments]])

    @functools.cached_property
    def spread(self) -> Spread:
        """Moments of all chains together."""
        found = self.pool.moments
        numbers = np.array([[found.count], [found.mean], [found.second], [found.fourth]], dtype=np.float64)
        return Spread(numbers[0], numbers[1], numbers[2], numbers[3], np.array([found.exponent]))

    def quantiles(self, probs: Array) -> Array:
        """Quantiles of all chains together."""
        return np.array([self.pool.quantiles(probs[0].tolist())])

    def counts(self, values: Array) -> tuple[Array, Array]:
        """How many draws of each chain are below some numbers, and at most."""
        found = np.array([chain.counts(values[0].tolist()) for chain in self.of])
        return found[:, 0].T[None], found[:, 1].T[None]

    def widest_gaps(self, enough: Array) -> tuple[Array, Array]:
        """Neighbours that are farthest apart, in the chain in which they are least so; any that are near enough."""
        near = enough.item() if enough.item() > 0 else 0.0
        low, high = -math.inf, math.inf
        for chain in self.of:
            first, second = chain.widest_gap(near, high - low)
            if second / 2 - first / 2 < high / 2 - low / 2:
                low, high = first, second
            if high / 2 - low / 2 <= near / 2:
                break
        return np.array([low]), np.array([high])

    def chains(self, quantity: int) -> tuple[Sequence[Chain], Pool]:
        """The chains, and all of them together."""
        return self.of, self.pool


class Stack:
    """Chains of many quantities, all as long, each number worked out for all of them at once.

    Parameters
    ----------
    values : array of shape (quantities, chains, draws)
        Finite doubles.
    """

    def __init__(self, values: Array) -> None:
        self.values = np.sort(values, axis=-1)
        self.together = np.sort(values.reshape(len(values), -1), axis=-1)

    @property
    def sizes(self) -> Array:
        """Draws of each chain."""
        return np.full(self.values.shape[:2], float(self.values.shape[2]))

    @functools.cached_property
    def _powers(self) -> tuple[Array, ...]:
        """Mean of each chain, and sums of the second to fourth powers of the deviations from it."""
        draws = self.values.shape[-1]
        mean = self.values.sum(axis=-1) / draws
        deviation = self.values - mean[..., None]
        # The mean is rounded: what the deviations still add up to belongs to it.
        rest = deviation.sum(axis=-1) / draws
        square = deviation * deviation
        second = np.maximum(square.sum(axis=-1) - draws * rest * rest, 0.0)
        deviation *= square
        square *= square
        return mean + rest, second, deviation.sum(axis=-1), square.sum(axis=-1)

    def tame(self) -> npt.NDArray[np.bool_]:
        """Quantities that vary, and whose powers are doubles: of others, numbers are to be scaled before."""
        lowest, highest = self.together[:, 0], self.together[:, -1]
        largest = np.maximum(-lowest, highest)
        second = self._powers[1]
        small = (second > 0) & (second < 2.0 ** (-2 * TAME))
        fits = (largest > 2.0**-TAME) & (largest < 2.0**TAME) & ~small.any(axis=-1)
        return np.asarray(fits & (lowest < highest))

    def only(self, which: npt.NDArray[np.bool_]) -> Stack:
        """Some of the quantities."""
        return self if which.all() else Stack(self.values[which])

    @functools.cached_property
    def own(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each chain."""
        mean, second, *_ = self._powers
        return mean, np.sqrt(second / max(self.values.shape[-1] - 1, 1))

    @functools.cached_property
    def spread(self) -> Spread:
        """Moments of all chains together."""
        draws = self.values.shape[-1]
        mean, second, third, fourth = self._powers
        centre = mean.mean(axis=-1, keepdims=True)
        # As in a chain: the mean is rounded.
        rest = (mean - centre).mean(axis=-1, keepdims=True)
        apart = (mean - centre) - rest
        square = apart * apart
        fourth = (fourth + 4 * apart * third + 6 * square * second + draws * square * square).sum(axis=-1)
        count = np.full(len(centre), float(self.together.shape[-1]))
        exponent = np.zeros(len(centre), dtype=np.int64)
        return Spread(count, (centre + rest)[:, 0], (second + draws * square).sum(axis=-1), fourth, exponent)

    def quantiles(self, probs: Array) -> Array:
        """Quantiles of all chains together, linear between order statistics."""
        last = self.together.shape[-1] - 1
        place = probs * last
        low = place.astype(np.intp)
        below = np.take_along_axis(self.together, low, axis=-1)
        above = np.take_along_axis(self.together, np.minimum(low + 1, last), axis=-1)
        return below + (above - below) * (place - low)

    def counts(self, values: Array) -> tuple[Array, Array]:
        """How many draws of each chain are below some numbers, and at most."""
        shape = (*values.shape, self.values.shape[1])
        found = np.empty((2, *shape))
        for place in range(shape[1]):
            value = values[:, place, None, None]
            found[0, :, place] = np.count_nonzero(self.values < value, axis=-1)
            found[1, :, place] = np.count_nonzero(self.values <= value, axis=-1)
        return found[0], found[1]

    def widest_gaps(self, enough: Array) -> tuple[Array, Array]:
        """Neighbours that are farthest apart, in the chain in which they are least so; to find others takes as long."""
        if self.values.shape[-1] < 2:
            return self.values[:, 0, 0], self.values[:, 0, 0]
        gaps = self.values[..., 1:] - self.values[..., :-1]
        chain = gaps.max(axis=-1).argmin(axis=-1)
        quantity = np.arange(len(chain))
        place = gaps[quantity, chain].argmax(axis=-1)
        return self.values[quantity, chain, place], self.values[quantity, chain, place + 1]

    def chains(self, quantity: int) -> tuple[Sequence[Chain], Pool]:
        """The chains of one quantity, and all of them together."""
        found = [Sorted(row) for row in self.values[quantity]]
        return found, Pooled(found)
