"""Metalog: the smooth distribution through given percentiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Distribution, Law
from demandsim.distributions.constructor import Number, bound, constructor, listed, numbers_of, sound
from demandsim.errors import DistributionError

__all__ = ["MetalogLaw", "coefficients_of", "from_coefficients", "metalog"]

#: Logits of the smallest doubles; quantile functions are solved and integrated between them.
_FAR = 700.0


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    # Horner's rule rather than a matrix product: BLAS gives a number other bits in other company.
    out = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        out *= x
        out += coefficient
    return out


def _slope(coefficients: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(power * coefficient for power, coefficient in enumerate(coefficients))[1:] or (0.0,)


@dataclass(frozen=True, eq=False)
class MetalogLaw(Law):
    r"""Quantiles :math:`P(c) + Q(c) \ell` of the logit :math:`\ell`, with :math:`c = u - 1/2`.

    Parameters
    ----------
    level, stretch : tuple of float
        Coefficients of the polynomials P and Q, lowest power first.
    lower, upper : float
        Bounds; with one, the sum is the logarithm of the distance from it, with two, the logit of
        the place between them.
    """

    level: tuple[float, ...]
    stretch: tuple[float, ...]
    lower: float
    upper: float
    kind: str = "continuous"

    def fast(self) -> Callable[[Array], Array]:
        """The quantile function itself."""
        return self.ppf

    def raw(self, logit: Array) -> Array:
        """The sum, before it is transformed to the bounds."""
        centred = np.tanh(logit / 2) / 2
        return _polynomial(self.level, centred) + _polynomial(self.stretch, centred) * logit

    def slope(self, logit: Array) -> Array:
        """The derivative of `raw`."""
        centred = np.tanh(logit / 2) / 2
        both = _polynomial(_slope(self.level), centred) + _polynomial(_slope(self.stretch), centred) * logit
        return both * (0.25 - centred * centred) + _polynomial(self.stretch, centred)

    def bounded(self, m: Array) -> Array:
        """The value of a sum."""
        low, high = math.isfinite(self.lower), math.isfinite(self.upper)
        if low and high:
            near = np.exp(-np.abs(m))
            near = near / (1.0 + near) * (self.upper - self.lower)
            return np.where(m < 0, self.lower + near, self.upper - near)
        if low:
            return self.lower + np.exp(m)
        return self.upper - np.exp(-m) if high else m

    def unbounded(self, x: Array) -> tuple[Array, Array]:
        """The sum at a value, and the logarithm of its derivative by the value."""
        low, high = math.isfinite(self.lower), math.isfinite(self.upper)
        above, below = np.log(x - self.lower), np.log(self.upper - x)
        if low and high:
            return above - below, math.log(self.upper - self.lower) - above - below
        if low:
            return above, -above
        return (-below, -below) if high else (x, np.zeros_like(x))

    def _logit(self, x: Array) -> Array:
        """The logit of the probability of at most `x`, by bisection: `raw` increases."""
        with np.errstate(all="ignore"):
            m, _ = self.unbounded(np.asarray(x, dtype=np.float64))
            low, high = np.full(m.shape, -_FAR), np.full(m.shape, _FAR)
            for _ in range(64):
                middle = (low + high) / 2
                short = self.raw(middle) < m
                low, high = np.where(short, middle, low), np.where(short, high, middle)
        logit = np.where(x <= self.lower, -np.inf, np.where(x >= self.upper, np.inf, (low + high) / 2))
        return np.where(np.isnan(x), np.nan, logit)

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return self.bounded(self.raw(np.log(u / (1.0 - u))))

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self.bounded(self.raw(-np.log(u / (1.0 - u))))

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(-self._logit(x)))

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        with np.errstate(over="ignore"):
            return 1.0 / (1.0 + np.exp(self._logit(x)))

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`, one over the slope of the quantile function."""
        with np.errstate(all="ignore"):
            logit = self._logit(x)
            log_slope = self.unbounded(np.asarray(x, dtype=np.float64))[1]
            near = np.exp(-np.abs(logit))
            density = -np.abs(logit) - 2 * np.log1p(near) - np.log(self.slope(logit)) + log_slope
        return np.where(np.isinf(logit), -np.inf, density)

    def _moment(self, function: Callable[[Array], Array], order: int) -> float:
        """The expectation of a function of the value that grows with its power `order`."""
        # Distances from a single bound grow as a power of u or 1 - u, which may be too fast.
        growth = 0.0
        if math.isfinite(self.lower) != math.isfinite(self.upper):
            end = 0.5 if math.isfinite(self.lower) else -0.5
            growth = order * float(_polynomial(self.stretch, np.array([end]))[0])
        if growth >= 1.0:
            return math.inf
        # The trapezoidal rule converges geometrically for analytic functions on the whole line.
        logit = np.linspace(-_FAR / 2, _FAR / 2, 11201)
        step = logit[1] - logit[0]
        near = np.exp(-np.abs(logit))
        terms = function(self.bounded(self.raw(logit))) * near / (1.0 + near) ** 2
        rest = (terms[0] + terms[-1]) * (1.0 / (1.0 - growth) - step / 2)
        return float(np.sum(terms) * step + rest)

    def mean(self) -> float:
        """Expected value; infinite if the tail is too heavy."""
        middle = float(self.ppf(np.array([0.5]))[0])
        return middle + self._moment(lambda x: x - middle, 1)

    def std(self) -> float:
        """Standard deviation; infinite if the tail is too heavy."""
        mean, middle = self.mean(), float(self.ppf(np.array([0.5]))[0])
        if not math.isfinite(mean):
            return math.inf
        scale = abs(float(np.diff(self.ppf(np.array([0.25, 0.75])))[0]))
        shift = (mean - middle) / scale
        square = self._moment(lambda x: ((x - middle) / scale) ** 2, 2) - shift * shift
        return scale * math.sqrt(square)

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return self.lower, self.upper


def _split(terms: list[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Coefficients of P and Q from Keelin's order of terms: P0 Q0 Q1 P1 P2 Q2 P3 Q3 P4 Q4."""
    return (terms[0], *terms[3:5], *terms[6::2]), (*terms[1:3], *terms[5::2])


def coefficients_of(
    probs: Sequence[float] | Array, values: Sequence[float] | Array, lower: float = -math.inf, upper: float = math.inf
) -> list[float]:
    """Keelin's coefficients, in his order, of the metalog through given percentiles; it need not increase.

    Parameters
    ----------
    probs, values : sequence of float
        As many of both; values inside the bounds.
    lower, upper : float
    """
    y, x = np.asarray(probs, dtype=np.float64), np.asarray(values, dtype=np.float64)
    m, _ = MetalogLaw((0.0,), (1.0,), lower, upper).unbounded(x)
    logit = np.log(y / (1 - y))
    columns = [MetalogLaw(*_split(unit), lower, upper).raw(logit) for unit in np.eye(y.size).tolist()]
    # In units of the spread, so that the size of the numbers does not matter to the solution.
    centre, scale = m[m.size // 2], m[-1] - m[0]
    terms = np.linalg.solve(np.stack(columns, axis=1), (m - centre) / scale) * scale
    terms[0] += centre
    found: list[float] = terms.tolist()
    return found


def from_coefficients(coefficients: Sequence[float], lower: float = -math.inf, upper: float = math.inf) -> Distribution:
    """The metalog with given coefficients, told by as many percentiles, which say it in text and files.

    Parameters
    ----------
    coefficients : sequence of float
        Two to ten, in Keelin's order.
    lower, upper : float

    Raises
    ------
    DistributionError
        If their number is another, or the quantiles do not increase.

    Examples
    --------
    >>> from_coefficients([1.0, 0.5]).ppf([0.5, 0.731058578630005]).round(9)
    array([1. , 1.5])
    """
    if not 2 <= len(coefficients) <= 10 or not np.all(np.isfinite(coefficients)):
        raise DistributionError("a metalog has two to ten finite coefficients here")
    levels = 1 / (1 + np.exp(-np.linspace(-3.0, 3.0, len(coefficients))))
    values = MetalogLaw(*_split([float(one) for one in coefficients]), lower, upper).ppf(levels)
    return metalog(
        levels.tolist(),
        values.tolist(),
        lower=lower if math.isfinite(lower) else None,
        upper=upper if math.isfinite(upper) else None,
    )


@constructor(read={"probs": listed, "values": listed, "lower": bound, "upper": bound})
def metalog(probs: Sequence[float], values: Sequence[float], *, lower: Number = None, upper: Number = None) -> Law:
    r"""The smooth distribution through given percentiles, as many as there are.

    Parameters
    ----------
    probs : sequence of float
        Probabilities, increasing, in (0, 1); two to ten of them.
    values : sequence of float
        The percentile at each probability, increasing.
    lower, upper : float or DataArray, optional
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
    lower, upper = -math.inf if lower is None else lower, math.inf if upper is None else upper
    y, x = numbers_of("probs", probs), numbers_of("values", values)
    if y.size != x.size or not 2 <= y.size <= 10:
        raise DistributionError("give two to ten probs and as many values")
    if np.any(np.diff(y) <= 0) or y[0] <= 0 or y[-1] >= 1 or np.any(np.diff(x) <= 0):
        raise DistributionError("probs and values must both increase, probs inside 0 and 1")
    if not (lower < x[0] and x[-1] < upper):
        raise DistributionError("every value must lie strictly between lower and upper")
    if math.isfinite(lower) and math.isfinite(upper) and not math.isfinite(upper - lower):
        raise DistributionError("lower and upper are too far apart for a double")
    law = MetalogLaw(*_split(coefficients_of(y, x, lower, upper)), lower, upper)
    grid = np.concatenate([[-_FAR], np.linspace(-45.0, 45.0, 9001), [_FAR]])
    if not np.all(law.slope(grid) > 0):
        raise DistributionError("no metalog increases through these percentiles; drop one, or move it")
    return sound(law)
