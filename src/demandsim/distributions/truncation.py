r"""Truncation: a distribution given that its value lies between bounds.

With :math:`G` the distribution function before, the quantiles after are
:math:`G^{-1}(G(a) + u (G(b) - G(a)))`. Below the median that is computed from the lower tail,
above it from the upper one, so that neither loses its digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.constructor import Number, bound, constructor, sound
from demandsim.distributions.convert import as_part
from demandsim.distributions.empirical import PolylineLaw
from demandsim.distributions.mixture_law import MixtureLaw, mixture_law
from demandsim.distributions.step_law import StepLaw
from demandsim.errors import DistributionError

__all__ = ["TruncatedLaw", "truncated"]

#: Whole numbers between the bounds, up to which a discrete law becomes a list of its values.
_MOST_VALUES = 100_000


@dataclass(frozen=True, eq=False)
class TruncatedLaw(Law):
    """A law given that its value lies between two bounds.

    Parameters
    ----------
    base : Law
    first, last : float
        Smallest and largest value: the doubles inside the bounds, so that no draw equals a bound.
    below, above : float
        Probability, before, of what is cut off.
    mass : float
        Probability, before, of what is left.
    bounds : (low, high)
        Of the support.
    """

    base: Law
    first: float
    last: float
    below: float
    above: float
    mass: float
    bounds: tuple[float, float]

    @property
    def kind(self) -> str:
        """That of the base."""
        return self.base.kind

    def _quantiles(self, p: Array, q: Array) -> Array:
        out = np.empty_like(p)
        lower = p <= q
        out[lower] = self.base.ppf(p[lower])
        out[~lower] = self.base.isf(q[~lower])
        return np.clip(out, self.first, self.last)

    def ppf(self, u: Array) -> Array:
        """Quantiles at `u`."""
        return self._quantiles(self.below + u * self.mass, self.above + (1.0 - u) * self.mass)

    def isf(self, u: Array) -> Array:
        """Quantiles at ``1 - u``."""
        return self._quantiles(self.below + (1.0 - u) * self.mass, self.above + u * self.mass)

    def _share(self, x: Array, upper: bool) -> Array:
        x = np.asarray(x, dtype=np.float64)
        # Each difference is taken in the tail that both of its terms lie in, if there is one.
        if upper:
            part = self.base.sf(x) - self.above if self.above <= 0.5 else (self.below + self.mass) - self.base.cdf(x)
        else:
            part = self.base.cdf(x) - self.below if self.below <= 0.5 else (self.above + self.mass) - self.base.sf(x)
        share = np.clip(part / self.mass, 0.0, 1.0)
        none, all_of_it = (x >= self.last, x < self.first) if upper else (x < self.first, x >= self.last)
        return np.where(none, 0.0, np.where(all_of_it, 1.0, share))

    def cdf(self, x: Array) -> Array:
        """Probability of at most `x`."""
        return self._share(x, upper=False)

    def sf(self, x: Array) -> Array:
        """Probability of more than `x`."""
        return self._share(x, upper=True)

    def logpdf(self, x: Array) -> Array:
        """Logarithm of the density at `x`."""
        inside = (x >= self.first) & (x <= self.last)
        return np.where(inside, self.base.logpdf(x) - math.log(self.mass), -np.inf)

    def _moments(self) -> tuple[float, float]:
        from scipy import special

        # After u = Phi(z) the integrand decays as a Gaussian, and the trapezoidal rule converges
        # geometrically; each half from its own end, so that the tails keep their digits.
        z = np.linspace(0.0, 37.5, 4801)
        share = np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * (z[1] - z[0])
        share[0] /= 2
        u = special.ndtr(-z)
        sides = self.ppf(u), self.isf(u)
        middle, scale = sides[0][0], abs(sides[1][86] - sides[0][86]) or 1.0
        mean, square, died_out = 0.0, 0.0, [True, True]
        for x, last in zip(sides, (self.first, self.last), strict=True):
            y = (x[np.isfinite(x)] - middle) / scale
            weights = share[: y.size]
            # Some quantile functions of scipy stay at one value from some far probability on.
            end = min(int(np.flatnonzero(y != y[-1])[-1]) + 1, y.size - 1) if np.any(y != y[-1]) else -1
            for order, total in enumerate((np.abs(y) * weights, y * y * weights)):
                # A moment whose terms have not died out at the end does not exist.
                died_out[order] &= math.isfinite(last) or bool(total[end] <= 1e-8 * np.sum(total) < math.inf)
            mean += float(np.sum(y * weights))
            square += float(np.sum(y * y * weights))
        if not died_out[0]:
            return math.nan, math.nan
        sd = scale * math.sqrt(max(square - mean * mean, 0.0)) if died_out[1] else math.inf
        return float(middle + mean * scale), sd

    def mean(self) -> float:
        """Expected value."""
        return self._moments()[0]

    def std(self) -> float:
        """Standard deviation."""
        return self._moments()[1]

    def support(self) -> tuple[float, float]:
        """Smallest and largest possible value."""
        return self.bounds


def _whole_numbers(law: Law, lower: float, upper: float, mass: float) -> StepLaw | None:
    """The values of a discrete law between bounds, if they are one apart and not too many."""
    rest = np.array([max(mass * 2.0**-60, 1e-300)])
    low, high = max(lower, law.support()[0]), min(upper, law.support()[1])
    low = float(law.ppf(rest)[0]) if math.isinf(low) else low
    high = float(law.isf(rest)[0]) if math.isinf(high) else high
    # Far up, where 1 - rest is 1, some quantile functions have no answer; the probabilities say where to stop.
    high = high if math.isfinite(high) else low + _MOST_VALUES / 2
    some = float(law.ppf(np.array([0.5]))[0])
    if not high - low < _MOST_VALUES:
        return None
    values = some + np.arange(math.ceil(low - some), math.floor(high - some) + 1, dtype=np.float64)
    shares = np.exp(law.logpdf(values))
    kept = shares > 0
    if not abs(float(np.sum(shares)) / mass - 1.0) < 1e-9:
        return None
    return StepLaw(values[kept], shares[kept] / np.sum(shares))


def _cut_mixture(law: MixtureLaw, lower: float, upper: float) -> tuple[Law | None, float, bool]:
    cuts = [cut(component, lower, upper) for component in law.components]
    masses = np.array([share * mass for share, (_, mass, _) in zip(law.shares, cuts, strict=True)])
    total = float(np.sum(masses))
    if not total > 0:
        return None, 0.0, True
    kept = [place for place, mass in enumerate(masses) if cuts[place][0] is not None and mass > 1e-17 * total]
    resolved = all(cuts[place][2] for place in kept if masses[place] > 1e-10 * total)
    parts = [cast(Law, cuts[place][0]) for place in kept]
    return mixture_law(parts, masses[kept] / np.sum(masses[kept])), total, resolved


def _cut_polyline(law: PolylineLaw, lower: float, upper: float) -> tuple[Law | None, float, bool]:
    first, last = np.nextafter(lower, np.inf), np.nextafter(upper, -np.inf)
    inside = (law.values >= lower) & (law.values <= upper)
    values, levels = law.values[inside], law.levels[inside]
    if law.values[0] < lower < law.values[-1] and lower not in values:
        values, levels = np.append(first, values), np.append(law.cdf(np.array([lower])), levels)
    if law.values[0] < upper < law.values[-1] and upper not in values:
        values, levels = np.append(values, last), np.append(levels, law.cdf(np.array([upper])))
    mass = float(levels[-1] - levels[0]) if levels.size else 0.0
    if not mass > 0:
        return None, 0.0, True
    if values[0] == values[-1]:
        return StepLaw(values[:1], np.ones(1)), mass, True
    return PolylineLaw(values, (levels - levels[0]) / mass), mass, mass > 1e-5


def cut(law: Law, lower: float, upper: float) -> tuple[Law | None, float, bool]:
    """Truncate a law.

    Returns
    -------
    law : Law or None
        None if nothing lies between the bounds.
    mass : float
        Probability, before, of what is left.
    resolved : bool
        True if doubles hold that probability well enough to divide it further.
    """
    if isinstance(law, MixtureLaw):
        return _cut_mixture(law, lower, upper)
    if isinstance(law, PolylineLaw):
        return _cut_polyline(law, lower, upper)
    if isinstance(law, StepLaw):
        inside = (law.values >= lower) & (law.values <= upper)
        mass = float(np.sum(law.shares[inside]))
        return (StepLaw(law.values[inside], law.shares[inside] / mass) if inside.any() else None), mass, True
    # A discrete value may equal a bound; of a continuous one that has no probability.
    discrete = law.kind != "continuous"
    a, b = (float(np.nextafter(lower, -np.inf)), upper) if discrete else (lower, upper)
    below, from_a = _sides(law, a)
    up_to_b, above = _sides(law, b)
    if below > 0.5:
        mass, scale = from_a - above, from_a
    elif above > 0.5:
        mass, scale = up_to_b - below, up_to_b
    else:
        mass, scale = (1.0 - above) - below, 1.0
    if not mass > 0:
        return None, 0.0, True
    if discrete and (steps := _whole_numbers(law, lower, upper, mass)) is not None:
        return steps, mass, True
    low, high = law.support()
    bounds = max(low, lower), min(high, upper)
    first = lower if discrete else float(np.nextafter(lower, np.inf))
    last = upper if discrete else float(np.nextafter(upper, -np.inf))
    first, last = low if math.isinf(lower) else max(low, first), high if math.isinf(upper) else min(high, last)
    resolved = mass > 1e-5 * scale and mass > 1e-290
    return TruncatedLaw(law, first, last, below, above, mass, bounds), mass, resolved


def _sides(law: Law, x: float) -> tuple[float, float]:
    """Probability of at most `x`, and of more."""
    if math.isinf(x):
        return (0.0, 1.0) if x < 0 else (1.0, 0.0)
    point = np.array([x])
    return float(law.cdf(point)[0]), float(law.sf(point)[0])


@constructor(read={"distribution": as_part, "lower": bound, "upper": bound}, named=("lower", "upper"))
def truncated(distribution: Any, lower: Number = None, upper: Number = None) -> Law:
    r"""A distribution given that its value lies between bounds; no mass is piled up on them.

    Parameters
    ----------
    distribution : distribution
        Anything that `as_distribution` takes.
    lower, upper : float or DataArray, optional
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
    .. math:: F^{-1}(u) = G^{-1}\bigl(G(a) + u (G(b) - G(a))\bigr)

    and, above the median, the same with survival functions, so that far tails keep their digits.
    A mixture is truncated part by part: bounds also change the shares of its parts.

    Examples
    --------
    >>> from demandsim.distributions import normal
    >>> truncated(normal(mean=0, sd=1), lower=8).median().round(3)
    np.float64(8.085)
    """
    if lower is None and upper is None:
        raise DistributionError("give lower, upper, or both")
    lower, upper = -math.inf if lower is None else lower, math.inf if upper is None else upper
    if not lower < upper:
        raise DistributionError("lower must be below upper")
    law, _, resolved = cut(distribution.laws[0], lower, upper)
    if law is None:
        raise DistributionError("none of its values lies between the bounds")
    if not resolved:
        raise DistributionError("too little probability lies between the bounds for a double to divide it")
    return sound(law) if isinstance(law, TruncatedLaw) else law
