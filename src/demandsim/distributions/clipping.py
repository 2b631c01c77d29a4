"""Clipping: what lies beyond a bound is moved onto it, where it is a value with a probability of its own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.constructor import Number, bound, constructor
from demandsim.distributions.convert import as_part
from demandsim.distributions.step_law import StepLaw, step_law
from demandsim.errors import DistributionError

__all__ = ["ClippedLaw", "clipped"]


@dataclass(frozen=True, eq=False)
class ClippedLaw(Law):
    """A law whose values beyond two bounds are the bounds.

    Parameters
    ----------
    base : Law
    lower, upper : float
    """

    base: Law
    lower: float
    upper: float

    @property
    def kind(self) -> str:
        """That of the base, or mixed where a bound has a probability of its own."""
        low, high = self.base.support()
        return "mixed" if low < self.lower or high > self.upper else self.base.kind

    def fast(self) -> Callable[[Array], Array]:
        """The quantile function that draws go through."""
        quick = self.base.fast()
        return lambda u: np.clip(quick(u), self.lower, self.upper)

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return np.clip(self.base.ppf(u), self.lower, self.upper)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return np.clip(self.base.isf(u), self.lower, self.upper)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return np.where(x < self.lower, 0.0, np.where(x >= self.upper, 1.0, self.base.cdf(x)))

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return np.where(x < self.lower, 1.0, np.where(x >= self.upper, 0.0, self.base.sf(x)))

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        if self.kind == "mixed":
            raise DistributionError("a clipped distribution has no density: its bounds have probabilities of their own")
        return self.base.logpdf(x)

    def atoms(self) -> dict[float, float]:
        """What is piled up on the bounds."""
        low, high = self.base.support()
        found = {}
        if low < self.lower:
            found[self.lower] = float(self.base.cdf(np.array([self.lower]))[0])
        if high > self.upper:
            found[self.upper] = float(self.base.sf(np.nextafter(np.array([self.upper]), -np.inf))[0])
        return found

    def _moment(self, power: int, about: float) -> float:
        """Expected power of the distance from a number, by pieces between which the quantile function is smooth."""
        from scipy import special

        points = np.array([x for x in (self.lower, self.upper) if math.isfinite(x)])
        cuts = special.ndtri(np.clip(self.base.cdf(points), 1e-300, 1.0 - 2.0**-53))
        edges = [-37.0, *sorted(float(cut) for cut in cuts if -37 < cut < 8.2), 37.0]
        node, weight = np.polynomial.legendre.leggauss(16)
        total = 0.0
        for low, high in itertools.pairwise(edges):
            ends = np.linspace(low, high, math.ceil((high - low) / 0.25) + 1)
            half = np.diff(ends)[:, None] / 2
            z = (ends[:-1, None] + half * (1 + node)).ravel()
            u = special.ndtr(-np.abs(z))
            x = np.where(z < 0, self.ppf(u), self.isf(u))
            shares = (half * weight).ravel() * np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
            with np.errstate(all="ignore"):
                terms = (x - about) ** power * shares
            total += float(np.sum(terms[shares > 0]))
        return total

    def mean(self) -> float:
        """Expected value."""
        middle = float(self.ppf(np.array([0.5]))[0])
        return middle + self._moment(1, middle)

    def std(self) -> float:
        """Standard deviation."""
        return math.sqrt(self._moment(2, self.mean()))

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        low, high = self.base.support()
        return min(max(low, self.lower), self.upper), max(min(high, self.upper), self.lower)


@constructor(read={"distribution": as_part, "lower": bound, "upper": bound}, named=("lower", "upper"))
def clipped(distribution: Any, lower: Number = None, upper: Number = None) -> Law:
    """A distribution whose values beyond a bound are the bound: probability is piled up there.

    For what stops at a limit, such as a utilization at full load. What cannot lie beyond is `truncated` instead.

    Parameters
    ----------
    distribution : distribution
        Anything that `as_distribution` takes.
    lower, upper : float or DataArray, optional
        Bounds; at least one.

    Returns
    -------
    Distribution
        Its `atoms` say how much is piled up on each bound.

    Raises
    ------
    DistributionError
        If no bound is given, or they are out of order.

    Examples
    --------
    >>> from demandsim.distributions import normal
    >>> efficiency = clipped(normal(mean=0.88, sd=0.1), upper=1)
    >>> {value: round(share, 3) for value, share in efficiency.atoms.items()}
    {1.0: 0.115}
    """
    if lower is None and upper is None:
        raise DistributionError("give lower, upper, or both")
    low, high = -math.inf if lower is None else lower, math.inf if upper is None else upper
    if not low < high:
        raise DistributionError("lower must be below upper")
    law = distribution.laws[0]
    if isinstance(law, StepLaw):
        return step_law(np.clip(law.values, low, high), law.shares)
    start, end = law.support()
    if end <= low or start >= high:
        return StepLaw(np.array([low if end <= low else high]), np.ones(1))
    return law if start >= low and end <= high else ClippedLaw(law, low, high)
