"""Rounding: whole numbers, or multiples of a step, of which each has the probability of what rounds to it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.constructor import Number, check_finite, constructor
from demandsim.distributions.convert import as_part
from demandsim.distributions.step_law import StepLaw, step_law
from demandsim.errors import DistributionError

__all__ = ["RoundedLaw", "rounded"]

#: So many multiples are summed up for moments; of more the steps are too fine to matter.
_MOST = 1_000_000
_FAR = 2.0**-54


@dataclass(frozen=True, eq=False)
class RoundedLaw(Law):
    """A continuous law whose values are rounded to multiples of a step; halves go up.

    Parameters
    ----------
    base : Law
    step : float
    """

    base: Law
    step: float
    kind: str = "discrete"

    def _round(self, x: Any) -> Array:
        return np.asarray(np.floor(x / self.step + 0.5) * self.step)

    def fast(self) -> Callable[[Array], Array]:
        """The quantile function that draws go through."""
        quick = self.base.fast()
        return lambda u: self._round(quick(u))

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return self._round(self.base.ppf(u))

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self._round(self.base.isf(u))

    def _edge(self, x: Array) -> Array:
        """Where what rounds to more than `x` begins."""
        k = np.floor(x / self.step)
        # A quotient that rounds to the wrong side of a whole number is put right.
        k = np.where((k + 1) * self.step <= x, k + 1, np.where(k * self.step > x, k - 1, k))
        return np.asarray((k + 0.5) * self.step)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return self.base.cdf(self._edge(x))

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return self.base.sf(self._edge(x))

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the probability of `x` itself."""
        x = np.asarray(x, dtype=np.float64)
        low, high = x - self.step / 2, x + self.step / 2
        # In the tail that both ends lie in, so that small probabilities keep their digits.
        share = np.where(
            self.base.cdf(x) <= 0.5, self.base.cdf(high) - self.base.cdf(low), self.base.sf(low) - self.base.sf(high)
        )
        with np.errstate(divide="ignore"):
            return np.where(np.isclose(self._round(x), x, rtol=1e-12, atol=0), np.log(share), -np.inf)

    @functools.cached_property
    def _moments(self) -> tuple[float, float]:
        low, high = float(self.ppf(np.array([_FAR]))[0]), float(self.isf(np.array([_FAR]))[0])
        if not (high - low) / self.step < _MOST:
            # Sheppard: rounding adds the variance of a uniform of one step.
            return self.base.mean(), math.hypot(self.base.std(), self.step / math.sqrt(12))
        values = low + self.step * np.arange(round((high - low) / self.step) + 1)
        shares = np.exp(self.logpdf(self._round(values)))
        shares = shares / np.sum(shares)
        mean = float(np.sum(values * shares))
        return mean, math.sqrt(float(np.sum((values - mean) ** 2 * shares)))

    def mean(self) -> float:
        """Expected value."""
        return self._moments[0]

    def std(self) -> float:
        """Standard deviation."""
        return self._moments[1]

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        low, high = (self._round(np.array([end]))[0] if math.isfinite(end) else end for end in self.base.support())
        return float(low), float(high)


@constructor(read={"distribution": as_part}, named=("step",))
def rounded(distribution: Any, step: Number = None) -> Law:
    """A distribution whose values are rounded to whole numbers, or to multiples of a step.

    Parameters
    ----------
    distribution : distribution
        Anything that `as_distribution` takes; such as the year in which something starts.
    step : float or DataArray, default 1
        Above 0.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If the step is not positive, or finer than doubles can tell apart.

    Examples
    --------
    >>> from demandsim.distributions import normal
    >>> rounded(normal(2026, 2029)).ppf([0.05, 0.5, 0.95])
    array([2026., 2028., 2029.])
    """
    step = 1.0 if step is None else step
    check_finite(step=step)
    if not step > 0:
        raise DistributionError(f"step must be positive, not {step:g}")
    law = distribution.laws[0]
    if isinstance(law, StepLaw):
        return step_law(np.floor(law.values / step + 0.5) * step, law.shares)
    if law.kind == "mixed":
        raise DistributionError("a distribution with sure values among others cannot be rounded; round its parts")
    with np.errstate(all="ignore"):
        far = float(np.max(np.abs([law.ppf(np.array([_FAR]))[0], law.isf(np.array([_FAR]))[0]])))
    if not far / step < 2.0**52:
        raise DistributionError("its values are so large that a double does not tell such steps apart")
    made = RoundedLaw(law, step)
    low, high = made.support()
    return StepLaw(np.array([low]), np.ones(1)) if low == high else made
