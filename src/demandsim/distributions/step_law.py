"""Step law: finitely many values, each with a probability."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law

__all__ = ["StepLaw", "root_mean_square", "step_law"]


def root_mean_square(deviations: Array, shares: Array) -> float:
    """Root of the weighted mean of squares."""
    # Scaled, so that the squares of very large or small numbers stay within a double.
    scale = float(np.max(np.abs(deviations)))
    return scale * math.sqrt(float(np.sum((deviations / scale) ** 2 * shares))) if scale > 0 else 0.0


@dataclass(frozen=True, eq=False)
class StepLaw(Law):
    """Finitely many values; the quantile function is a staircase.

    Parameters
    ----------
    values : array
        Increasing.
    shares : array
        Probability of each, positive.
    """

    values: Array
    shares: Array
    kind: str = "discrete"

    @functools.cached_property
    def _levels(self) -> Array:
        total = np.cumsum(self.shares)
        return np.asarray(total / total[-1])

    def fast(self) -> Callable[[Array], Array]:
        """The quantile function itself."""
        return self.ppf

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        found: Array = self.values[np.searchsorted(self._levels[:-1], u, side="left")]
        return found

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        found: Array = np.concatenate([[0.0], self._levels])[np.searchsorted(self.values, x, side="right")]
        return found

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the probability of `x` itself."""
        place = np.clip(np.searchsorted(self.values, x), 0, self.values.size - 1)
        share = np.where(self.values[place] == x, self.shares[place], 0.0)
        with np.errstate(divide="ignore"):
            return np.log(share)

    def atoms(self) -> dict[float, float]:
        """All values, with their probabilities."""
        return dict(zip(self.values.tolist(), self.shares.tolist(), strict=True))

    def mean(self) -> float:
        """Expected value."""
        return float(np.sum(self.values * self.shares))

    def std(self) -> float:
        """Standard deviation."""
        return root_mean_square(self.values - self.mean(), self.shares) if self.values.size > 1 else 0.0

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return float(self.values[0]), float(self.values[-1])


def step_law(values: Array, shares: Array) -> StepLaw:
    """The law of values in any order, with repetitions."""
    unique, place = np.unique(values, return_inverse=True)
    total = np.bincount(place, weights=shares)
    return StepLaw(unique[total > 0], total[total > 0])
