"""Distributions made from values: a sure one, weighted ones, observed ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.constructor import certain, constructor, listed, numbers_of
from demandsim.distributions.step_law import StepLaw, root_mean_square, step_law
from demandsim.errors import DistributionError

__all__ = ["PolylineLaw", "constant", "discrete", "empirical", "shares_of"]


def shares_of(weights: Any, count: int, what: str) -> Array:
    """Read relative weights as probabilities that sum to one; equal ones if None."""
    shares = np.ones(count) if weights is None else numbers_of("weights", weights)
    if shares.size != count:
        raise DistributionError(f"{count} {what} need as many weights, not {shares.size}")
    if np.any(shares < 0) or not shares.max() > 0:
        raise DistributionError("weights must not be negative, and at least one must be positive")
    shares = shares / shares.max()
    return np.asarray(shares / shares.sum())


@constructor(read={"value": certain})
def constant(value: Any) -> Law:
    """A value that is sure.

    Parameters
    ----------
    value : float or DataArray

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If the value is not a finite number.

    Examples
    --------
    >>> constant(1979).sd()
    np.float64(0.0)
    """
    return StepLaw(numbers_of("value", [value]), np.ones(1))


@constructor(read={"values": listed, "weights": listed})
def discrete(values: Sequence[float], weights: Sequence[float] | None = None) -> Law:
    """Weighted values, such as two hardware options or three regulatory outcomes.

    Parameters
    ----------
    values : sequence of float
    weights : sequence of float, optional
        Relative probabilities; equal by default.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If there are none, their numbers differ, or a weight is negative.

    Examples
    --------
    >>> discrete([5, 6], weights=[1, 3]).mean()
    np.float64(5.75)
    """
    found = numbers_of("values", values)
    return step_law(found, shares_of(weights, found.size, "values"))


@dataclass(frozen=True, eq=False)
class PolylineLaw(Law):
    """Values joined by straight lines: sorted `values`, and the probability at most of each."""

    values: Array
    levels: Array

    @property
    def kind(self) -> str:
        """Mixed if a value occurs twice, which makes a step."""
        return "continuous" if np.all(np.diff(self.values) > 0) else "mixed"

    def fast(self) -> Callable[[Array], Array]:
        """The quantile function itself."""
        return self.ppf

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return np.interp(u, self.levels, self.values)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return np.interp(x, self.values, self.levels, left=0.0, right=1.0)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        if self.kind == "mixed":
            raise DistributionError("data in which a value occurs twice has no density")
        place = np.clip(np.searchsorted(self.values, x, side="right") - 1, 0, self.values.size - 2)
        inside = (x >= self.values[0]) & (x <= self.values[-1])
        with np.errstate(divide="ignore"):
            return np.where(inside, np.log(np.diff(self.levels)[place]) - np.log(np.diff(self.values)[place]), -np.inf)

    def mean(self) -> float:
        """Expected value."""
        return float(np.sum((self.values[1:] / 2 + self.values[:-1] / 2) * np.diff(self.levels)))

    def std(self) -> float:
        """Standard deviation."""
        centred = self.values - self.mean()
        middles, halves = (centred[1:] + centred[:-1]) / 2, np.diff(centred) / math.sqrt(12)
        shares = np.diff(self.levels)
        return root_mean_square(np.concatenate([middles, halves]), np.concatenate([shares, shares]))

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return float(self.values[0]), float(self.values[-1])


def _switch(family: str, name: str, value: Any) -> bool | None:
    if not isinstance(value, (bool, np.bool_)):
        raise DistributionError(f"{family}: {name} must be true or false, not {value!r}")
    return bool(value) or None


@constructor(read={"data": listed, "weights": listed, "interpolate": _switch})
def empirical(data: Sequence[float], weights: Sequence[float] | None = None, *, interpolate: bool = False) -> Law:
    """The distribution of data: each value as likely as it occurs.

    Parameters
    ----------
    data : sequence of float
        Observations, in any order.
    weights : sequence of float, optional
        How much each counts, such as the size of what was sampled; all alike by default.
    interpolate : bool, default False
        Join the sorted values by straight lines, so that values in between occur as well.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If there is no data, it is not finite, the weights do not fit it, or fewer than two different values are
        interpolated.

    Notes
    -----
    Joined values have the weight between two neighbours that half of each has: the line starts at the least value.

    Examples
    --------
    >>> empirical([3, 1, 2, 2]).ppf([0.2, 0.5, 0.9])
    array([1., 2., 3.])
    >>> empirical([3, 1, 2, 2], interpolate=True).ppf([0.2, 0.5, 0.9]).round(3)
    array([1.6, 2. , 2.7])
    """
    given = numbers_of("data", data)
    order = np.argsort(given, kind="stable")
    values, shares = given[order], shares_of(weights, given.size, "observations")[order]
    if weights is not None:
        values, shares = values[shares > 0], shares[shares > 0]
    if not interpolate:
        return step_law(values, shares)
    if values[0] == values[-1]:
        raise DistributionError("interpolation needs at least two different values")
    if not math.isfinite(values[-1] - values[0]):
        raise DistributionError("its values are too far apart for a double")
    if weights is None:
        return PolylineLaw(values, np.linspace(0.0, 1.0, values.size))
    # Between two neighbours lies half of the weight of each; what the ends have outside goes to all.
    levels = np.concatenate([[0.0], np.cumsum((shares[1:] + shares[:-1]) / 2)])
    return PolylineLaw(values, levels / levels[-1])
