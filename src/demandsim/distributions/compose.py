"""Distributions made from values, data or other distributions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from demandsim.distributions.law import Array, Distribution, Law, build
from demandsim.errors import DistributionError

__all__ = ["constant", "discrete", "empirical", "metalog", "mixture", "truncated"]


@dataclass(frozen=True, eq=False)
class StepLaw:
    """Finitely many values with weights; the quantile function is a staircase."""

    values: Array
    weights: Array
    direct: bool = True

    @property
    def _cumulative(self) -> Array:
        total = np.cumsum(self.weights)
        return cast(Array, total / total[-1])

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return cast(Array, self.values[np.searchsorted(self._cumulative[:-1], u, side="left")])

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self.ppf(1.0 - u)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return cast(Array, np.concatenate([[0.0], self._cumulative])[np.searchsorted(self.values, x, side="right")])

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return 1.0 - self.cdf(x)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the probability of `x` itself."""
        place = np.clip(np.searchsorted(self.values, x), 0, self.values.size - 1)
        share = np.where(self.values[place] == x, self.weights[place] / self.weights.sum(), 0.0)
        with np.errstate(divide="ignore"):
            return np.log(share)

    def mean(self) -> float:
        """Expected value."""
        return float(np.average(self.values, weights=self.weights))

    def std(self) -> float:
        """Standard deviation."""
        return math.sqrt(float(np.average((self.values - self.mean()) ** 2, weights=self.weights)))

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return float(self.values[0]), float(self.values[-1])


def _numbers(name: str, values: Any) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise DistributionError(f"{name} must be a list of at least one number")
    if not np.all(np.isfinite(array)):
        raise DistributionError(f"{name} must be finite numbers; position {int(np.argmin(np.isfinite(array)))} is not")
    return array


def _steps(values: Array, weights: Any) -> StepLaw:
    shares = np.ones_like(values) if weights is None else _numbers("weights", weights)
    if shares.shape != values.shape:
        raise DistributionError(f"{values.size} values need as many weights, not {shares.size}")
    if np.any(shares < 0) or not shares.sum() > 0:
        raise DistributionError("weights must not be negative, and at least one must be positive")
    unique, place = np.unique(values, return_inverse=True)
    total = np.bincount(place, weights=shares)
    kept = total > 0
    return StepLaw(unique[kept], total[kept])


def constant(value: Any) -> Distribution:
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
        If the value is not finite.

    Examples
    --------
    >>> constant(1979).sd()
    np.float64(0.0)
    """

    def solve(value: float) -> Law:
        return _steps(_numbers("value", [value]), None)

    return build("constant", solve, ("value",), value=value)


def discrete(values: Sequence[float], weights: Sequence[float] | None = None) -> Distribution:
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

    def solve(values: Any, weights: Any = None) -> Law:
        return _steps(_numbers("values", values), weights)

    return build("discrete", solve, ("values", "weights"), values=_listed(values), weights=_listed(weights))


def _listed(values: Any) -> Any:
    return values if values is None or isinstance(values, (str, float, int)) else np.asarray(values).tolist()


@dataclass(frozen=True, eq=False)
class PolylineLaw:
    """Data joined by straight lines: the i-th of n sorted values at probability i / (n - 1)."""

    values: Array
    direct: bool = True

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return np.interp(u, np.linspace(0.0, 1.0, self.values.size), self.values)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self.ppf(1.0 - u)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return np.interp(x, self.values, np.linspace(0.0, 1.0, self.values.size), left=0.0, right=1.0)

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return 1.0 - self.cdf(x)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        place = np.clip(np.searchsorted(self.values, x, side="right") - 1, 0, self.values.size - 2)
        inside = (x >= self.values[0]) & (x <= self.values[-1])
        with np.errstate(divide="ignore"):
            return np.where(inside, -np.log(np.diff(self.values)[place] * (self.values.size - 1)), -np.inf)

    def mean(self) -> float:
        """Expected value."""
        return float(np.mean((self.values[1:] + self.values[:-1]) / 2))

    def std(self) -> float:
        """Standard deviation."""
        a, b = self.values[:-1], self.values[1:]
        centred_a, centred_b = a - self.mean(), b - self.mean()
        return math.sqrt(float(np.mean((centred_a**2 + centred_a * centred_b + centred_b**2) / 3)))

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return float(self.values[0]), float(self.values[-1])


def empirical(data: Sequence[float], *, interpolate: bool = False) -> Distribution:
    """The distribution of data: each value as likely as it occurs.

    Parameters
    ----------
    data : sequence of float
        Observations, in any order.
    interpolate : bool, default False
        Join the sorted values by straight lines, so that values in between occur as well.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If there is no data, it is not finite, or fewer than two different values are interpolated.

    Examples
    --------
    >>> empirical([3, 1, 2, 2]).ppf([0.2, 0.5, 0.9])
    array([1., 2., 3.])
    """

    def solve(data: Any, interpolate: bool = False) -> Law:
        values = np.sort(_numbers("data", data))
        if not interpolate:
            return _steps(values, None)
        if values[0] == values[-1]:
            raise DistributionError("interpolation needs at least two different values")
        return PolylineLaw(values)

    return build("empirical", solve, ("data",), data=_listed(data), interpolate=interpolate or None)


@dataclass(frozen=True, eq=False)
class MetalogLaw:
    """Quantiles that are a linear combination of logistic terms, on the line or transformed to bounds."""

    terms: Array
    lower: float
    upper: float
    direct: bool = True

    def _transform(self, m: Array) -> Array:
        bounded = math.isfinite(self.lower), math.isfinite(self.upper)
        if bounded == (True, True):
            grown = np.exp(-np.abs(m))
            share = np.where(m >= 0, 1.0 / (1.0 + grown), grown / (1.0 + grown))
            return cast(Array, self.lower + (self.upper - self.lower) * share)
        if bounded == (True, False):
            return cast(Array, self.lower + np.exp(m))
        if bounded == (False, True):
            return cast(Array, self.upper - np.exp(-m))
        return m

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return self._transform(_metalog_basis(u, self.terms.size) @ self.terms)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self.ppf(1.0 - u)

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return invert(self.ppf, np.asarray(x, dtype=np.float64), *self.support())

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return 1.0 - self.cdf(x)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`, one over the slope of the quantile function."""
        u = self.cdf(x)
        step = 1e-6 * np.minimum(u, 1 - u)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((u > 0) & (u < 1), np.log(2 * step / (self.ppf(u + step) - self.ppf(u - step))), -np.inf)

    def mean(self) -> float:
        """Expected value."""
        return _moments(self.ppf)[0]

    def std(self) -> float:
        """Standard deviation."""
        return _moments(self.ppf)[1]

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return self.lower, self.upper


def _metalog_basis(u: Array, terms: int) -> Array:
    logit, centred = np.log(u / (1.0 - u)), u - 0.5
    columns = [np.ones_like(u), logit, centred * logit, centred]
    for index in range(4, terms):
        power = centred ** (index // 2)
        columns.append(power if index % 2 == 0 else power * logit)
    return np.stack(columns[:terms], axis=-1)


def metalog(
    probs: Sequence[float], values: Sequence[float], *, lower: float | None = None, upper: float | None = None
) -> Distribution:
    r"""The smooth distribution through given percentiles, as many as there are.

    Parameters
    ----------
    probs : sequence of float
        Probabilities, increasing, in (0, 1); two to ten of them.
    values : sequence of float
        The percentile at each probability, increasing.
    lower, upper : float, optional
        Bounds that no value may pass.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If they do not increase, pass a bound, or no metalog is monotone through them.

    Notes
    -----
    .. math:: M(y) = a_1 + a_2 \ln\tfrac{y}{1-y} + a_3 (y - \tfrac12) \ln\tfrac{y}{1-y} + a_4 (y - \tfrac12) + \dots

    Source: Keelin, "The metalog distributions", Decision Analysis 13 (2016).

    Examples
    --------
    >>> metalog([0.1, 0.5, 0.9], [1, 2, 5], lower=0).ppf([0.1, 0.5, 0.9]).round(9)
    array([1., 2., 5.])
    """

    def solve(probs: Any, values: Any, lower: float = -math.inf, upper: float = math.inf) -> Law:
        y, x = _numbers("probs", probs), _numbers("values", values)
        if y.size != x.size or not 2 <= y.size <= 10:
            raise DistributionError("give two to ten probs and as many values")
        if np.any(np.diff(y) <= 0) or y[0] <= 0 or y[-1] >= 1 or np.any(np.diff(x) <= 0):
            raise DistributionError("probs and values must both increase, probs inside 0 and 1")
        if x[0] <= lower or x[-1] >= upper:
            raise DistributionError("every value must lie strictly between lower and upper")
        m = x
        if math.isfinite(lower) and math.isfinite(upper):
            m = np.log((x - lower) / (upper - x))
        elif math.isfinite(lower):
            m = np.log(x - lower)
        elif math.isfinite(upper):
            m = -np.log(upper - x)
        law = MetalogLaw(np.linalg.solve(_metalog_basis(y, y.size), m), lower, upper)
        grid = np.concatenate([2.0 ** -np.arange(50, 8, -1.0), np.linspace(0.004, 0.996, 2000)])
        if np.any(np.diff(_metalog_basis(np.append(grid, 1 - 2.0 ** -np.arange(9.0, 50)), y.size) @ law.terms) <= 0):
            raise DistributionError("no metalog increases through these percentiles; drop one, or move it")
        return law

    return build(
        "metalog", solve, ("probs", "values"), probs=_listed(probs), values=_listed(values), lower=lower, upper=upper
    )


def invert(increasing: Callable[[Array], Array], x: Array, lowest: float, highest: float) -> Array:
    """Find u in (0, 1) with ``increasing(u) = x``, by bisection in the logit of u."""
    flat = x.ravel()
    low, high = np.full(flat.shape, -45.0), np.full(flat.shape, 36.7)
    for _ in range(64):
        middle = (low + high) / 2
        below = increasing(1.0 / (1.0 + np.exp(-middle))) < flat
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    u = 1.0 / (1.0 + np.exp(-(low + high) / 2))
    u = np.where(flat <= lowest, 0.0, np.where(flat >= highest, 1.0, u))
    return cast(Array, u.reshape(x.shape))


def _moments(ppf: Callable[[Array], Array]) -> tuple[float, float]:
    """Mean and standard deviation by integrating the quantile function, after u = Phi(z)."""
    from scipy import special

    # The trapezoidal rule in z converges geometrically for smooth integrands that decay as a Gaussian.
    z = np.linspace(-8.2, 8.2, 8193)
    weight = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    x = ppf(special.ndtr(z))
    mean = float(weight @ x / weight.sum())
    return mean, math.sqrt(float(weight @ (x - mean) ** 2 / weight.sum()))


@dataclass(frozen=True, eq=False)
class MixtureLaw:
    """A draw takes one component, with its weight, and then a value from it."""

    components: tuple[Law, ...]
    weights: Array
    direct: bool = False

    def _solve(self, u: Array, by_sf: bool) -> Array:
        quantiles = np.stack([law.isf(u) if by_sf else law.ppf(u) for law in self.components])
        low, high = quantiles.min(axis=0), quantiles.max(axis=0)
        # The quantile lies between those of the components; bisection cannot fail, even at jumps.
        for _ in range(200):
            middle = low + (high - low) / 2
            if np.all((middle <= low) | (middle >= high)):
                break
            short = self.sf(middle) > u if by_sf else self.cdf(middle) < u
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return high

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return self._solve(u, by_sf=False)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self._solve(u, by_sf=True)

    def _weighted(self, parts: Sequence[Array]) -> Array:
        return cast(Array, sum(weight * part for weight, part in zip(self.weights, parts, strict=True)))

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return self._weighted([law.cdf(x) for law in self.components])

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return self._weighted([law.sf(x) for law in self.components])

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        if any(isinstance(law, StepLaw) for law in self.components):
            raise DistributionError("a mixture with discrete or constant components has no density")
        logs = [law.logpdf(x) + math.log(weight) for law, weight in zip(self.components, self.weights, strict=True)]
        return cast(Array, np.logaddexp.reduce(logs, axis=0))

    def mean(self) -> float:
        """Expected value."""
        return float(sum(w * law.mean() for law, w in zip(self.components, self.weights, strict=True)))

    def std(self) -> float:
        """Standard deviation."""
        mean = self.mean()
        parts = zip(self.components, self.weights, strict=True)
        return math.sqrt(sum(w * (law.std() ** 2 + (law.mean() - mean) ** 2) for law, w in parts))

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        ends = [law.support() for law in self.components]
        return min(low for low, _ in ends), max(high for _, high in ends)


def _one_law(distribution: Distribution, what: str) -> Law:
    if distribution.dims:
        raise DistributionError(f"{what} must not be indexed by {', '.join(distribution.dims)}")
    return distribution.laws[0]


def mixture(components: Sequence[Any], weights: Sequence[float] | None = None) -> Distribution:
    """One of several distributions, each with its weight: scenarios that exclude each other.

    Parameters
    ----------
    components : sequence of distributions
        Anything that `as_distribution` takes; numbers are sure values.
    weights : sequence of float, optional
        Relative probabilities; equal by default.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If there are no components, or the weights do not fit them.

    Examples
    --------
    >>> from demandsim.distributions import normal
    >>> mixture([normal(mean=0, sd=1), normal(mean=10, sd=1)], weights=[3, 1]).mean()
    np.float64(2.5)
    """
    from demandsim.distributions.adapters import as_distribution

    def solve(components: Any, weights: Any = None) -> Law:
        if not components:
            raise DistributionError("components must hold at least one distribution")
        laws = tuple(_one_law(component, "a component") for component in components)
        shares = np.ones(len(laws)) if weights is None else _numbers("weights", weights)
        if shares.size != len(laws) or np.any(shares < 0) or not shares.sum() > 0:
            raise DistributionError(f"{len(laws)} components need as many weights, none negative, one positive")
        kept = shares > 0
        chosen = tuple(law for law, keep in zip(laws, kept, strict=True) if keep)
        if all(isinstance(law, StepLaw) for law in chosen):
            steps = [cast(StepLaw, law) for law in chosen]
            scaled = [law.weights / law.weights.sum() * w for law, w in zip(steps, shares[kept], strict=True)]
            return _steps(np.concatenate([law.values for law in steps]), np.concatenate(scaled))
        return MixtureLaw(chosen, shares[kept] / shares.sum())

    made = [as_distribution(component) for component in components]
    return build("mixture", solve, ("components", "weights"), components=made, weights=_listed(weights))


@dataclass(frozen=True, eq=False)
class TruncatedLaw:
    """A law given that its value lies between two bounds."""

    base: Law
    lower: float
    upper: float
    #: Work from the upper tail, where the lower one has lost its digits.
    from_above: bool
    start: float
    mass: float
    direct: bool = False

    def _clip(self, x: Array) -> Array:
        return np.clip(x, self.lower, self.upper)

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        if self.from_above:
            return self._clip(self.base.isf(self.start - u * self.mass))
        return self._clip(self.base.ppf(self.start + u * self.mass))

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        if self.from_above:
            return self._clip(self.base.isf(self.start - self.mass + u * self.mass))
        return self._clip(self.base.ppf(self.start + self.mass - u * self.mass))

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        x = self._clip(np.asarray(x, dtype=np.float64))
        part = self.start - self.base.sf(x) if self.from_above else self.base.cdf(x) - self.start
        return cast(Array, np.clip(part / self.mass, 0.0, 1.0))

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        x = self._clip(np.asarray(x, dtype=np.float64))
        if self.from_above:
            part = self.base.sf(x) - (self.start - self.mass)
        else:
            part = (self.start + self.mass) - self.base.cdf(x)
        return cast(Array, np.clip(part / self.mass, 0.0, 1.0))

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        inside = (x >= self.lower) & (x <= self.upper)
        return np.where(inside, self.base.logpdf(x) - math.log(self.mass), -np.inf)

    def mean(self) -> float:
        """Expected value."""
        return _moments(self.ppf)[0]

    def std(self) -> float:
        """Standard deviation."""
        return _moments(self.ppf)[1]

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        low, high = self.base.support()
        return max(low, self.lower), min(high, self.upper)


def truncated(distribution: Any, lower: float | None = None, upper: float | None = None) -> Distribution:
    """A distribution given that its value lies between bounds; no mass is piled up on them.

    Parameters
    ----------
    distribution : distribution
        Anything that `as_distribution` takes.
    lower, upper : float, optional
        Bounds; at least one.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If no bound is given, they are out of order, or nothing lies between them.

    Notes
    -----
    .. math:: F^{-1}(u) = G^{-1}\\bigl(G(a) + u (G(b) - G(a))\\bigr)

    and, above the median, the same with survival functions, so that far tails keep their digits.

    Examples
    --------
    >>> from demandsim.distributions import normal
    >>> truncated(normal(mean=0, sd=1), lower=8).median().round(3)
    np.float64(8.085)
    """
    from demandsim.distributions.adapters import as_distribution

    def solve(distribution: Any, lower: float | None = None, upper: float | None = None) -> Law:
        base = _one_law(distribution, "the distribution")
        if lower is None and upper is None:
            raise DistributionError("give lower, upper, or both")
        a = -math.inf if lower is None else float(lower)
        b = math.inf if upper is None else float(upper)
        if math.isnan(a) or math.isnan(b) or not a < b:
            raise DistributionError("lower must be below upper")
        if isinstance(base, StepLaw):
            inside = (base.values >= a) & (base.values <= b)
            if not inside.any():
                raise DistributionError("none of its values lies between the bounds")
            return StepLaw(base.values[inside], base.weights[inside])
        ends = np.array([a, b])
        below, above = np.asarray(base.cdf(ends), dtype=np.float64), np.asarray(base.sf(ends), dtype=np.float64)
        from_above = bool(below[0] > 0.5)
        start, mass = (above[0], above[0] - above[1]) if from_above else (below[0], below[1] - below[0])
        if not mass > 0:
            raise DistributionError("no probability that a double can hold lies between the bounds")
        return TruncatedLaw(base, a, b, from_above, float(start), float(mass))

    made = as_distribution(distribution)
    return build("truncated", solve, ("distribution", "lower", "upper"), distribution=made, lower=lower, upper=upper)
