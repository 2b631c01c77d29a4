"""Samples: the finite values of a chain, sorted, or of all chains together, and what a summary asks of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from demandsim._system import Array
from demandsim.statistics.sketch import Moments, merged_moments, moments_of

__all__ = ["Chain", "Pool", "Pooled", "Sorted", "between", "narrowest_run", "widest_gap"]


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

    def widest_gap(self) -> tuple[float, float]:
        """Neighbours that are farthest apart."""

    def ends(self, count: int) -> tuple[Array, Array]:
        """Lowest and highest values, in increasing order, as many of each."""


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

    def widest_gap(self) -> tuple[float, float]:
        """Neighbours that are farthest apart."""
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
