"""Uniform distributions: of a number, or of its logarithm."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.closed_form import Named
from demandsim.distributions.constructor import Number, by_interval, check_interval, constructor, positive, sound
from demandsim.distributions.frozen import ScipyLaw
from demandsim.errors import DistributionError

__all__ = ["loguniform", "uniform"]


def _widened(low: float, high: float, prob: float) -> tuple[float, float]:
    """Bounds of a uniform whose central interval of probability `prob` is (low, high)."""
    check_interval(low, high, prob, whole=True)
    if prob == 1.0:
        return low, high
    margin = (high - low) * ((1 - prob) / (2 * prob))
    return low - margin, high + margin


@dataclass(frozen=True)
class _UniformQuantiles:
    low: float
    high: float

    def __call__(self, u: Array) -> Array:
        x = (self.high - self.low) * u
        x += self.low
        # low + (high - low) may round to more than high.
        return np.minimum(x, self.high, out=x)


@constructor(interval=1.0)
def uniform(
    low: Number = None, high: Number = None, *, prob: Number = None, mean: Number = None, sd: Number = None
) -> Law:
    r"""Uniform distribution, by its bounds, a central interval, or moments.

    Parameters
    ----------
    low, high : float or DataArray
        Bounds; with ``prob < 1``, ends of the central interval of that probability.
    prob : float, default 1.0
    mean, sd : float or DataArray
        Moments, instead of an interval; the bounds are :math:`m \mp \sqrt 3 s`.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, or ``low >= high``.

    Examples
    --------
    >>> uniform(2, 4).laws[0].support()
    (2.0, 4.0)
    >>> uniform(2, 4, prob=0.5).laws[0].support()
    (1.0, 5.0)
    """
    if by_interval((low, high, prob), (mean, sd), whole=True):
        low, high = _widened(low, high, prob)
        moments = low / 2 + high / 2, (high - low) / math.sqrt(12)
    else:
        low, high = mean - math.sqrt(3) * sd, mean + math.sqrt(3) * sd
        moments = mean, sd
    check_interval(low, high, 1.0, whole=True)
    return sound(ScipyLaw(Named("uniform", (), low, high - low), _UniformQuantiles(low, high), moments, (low, high)))


@dataclass(frozen=True)
class _LoguniformQuantiles:
    start: float
    width: float
    low: float
    high: float

    def __call__(self, u: Array) -> Array:
        x = self.width * u
        x += self.start
        np.exp(x, out=x)
        return np.clip(x, self.low, self.high, out=x)


def _log_spread(half: float) -> float:
    """The logarithm of E[x^2] / E[x]^2 = h coth h, for logarithms within +-h of their centre."""
    if half > 0.02:
        return math.log(half / math.tanh(half))
    square = half * half
    return square / 3 - 7 * square**2 / 90 + 62 * square**3 / 2835


@constructor(interval=1.0, support="positive")
def loguniform(
    low: Number = None, high: Number = None, *, prob: Number = None, mean: Number = None, sd: Number = None
) -> Law:
    r"""Loguniform distribution: every factor of two within the bounds is equally likely.

    Parameters
    ----------
    low, high : float or DataArray
        Bounds, ``0 < low < high``; with ``prob < 1``, ends of the central interval.
    prob : float, default 1.0
    mean, sd : float or DataArray
        Moments, instead of an interval; with logarithms within :math:`\pm h` of their centre,
        :math:`1 + s^2 / m^2 = h \coth h`.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, or they are impossible.

    Examples
    --------
    >>> loguniform(1, 100).median().round(9)
    np.float64(10.0)
    """
    moments = None
    if by_interval((low, high, prob), (mean, sd), above_zero="a loguniform", whole=True):
        start, stop = _widened(math.log(low), math.log(high), prob)
        if prob < 1:
            low, high = math.exp(start), math.exp(stop)
    else:
        moments, ratio = (mean, sd), sd / mean
        target = math.log1p(ratio * ratio)
        if not _log_spread(1e-7) < target < _log_spread(350.0):
            raise DistributionError("sd is too small or too large for a loguniform of that mean")
        from scipy import optimize

        half = math.exp(
            optimize.brentq(
                lambda log: math.log(_log_spread(math.exp(log)) / target), math.log(1e-7), math.log(350.0), xtol=1e-15
            )
        )
        # log(sinh(h) / h), without its overflow.
        centre = math.log(mean) - (half + math.log(-math.expm1(-2 * half) / (2 * half)))
        start, stop = centre - half, centre + half
        low, high = math.exp(start), math.exp(stop)
    if moments is None:
        half = (stop - start) / 2
        average = math.exp((start + stop) / 2 + half + math.log(-math.expm1(-2 * half) / (2 * half)))
        moments = average, average * math.sqrt(math.expm1(_log_spread(half)))
    quick = _LoguniformQuantiles(start, stop - start, low, high)
    return sound(positive(ScipyLaw(Named("loguniform", (low, high)), quick, moments, (low, high))))
