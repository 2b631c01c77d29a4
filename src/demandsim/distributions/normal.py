"""The normal distribution and its kin: lognormal, Student's t."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law, standard_normal
from demandsim.distributions.closed_form import Named
from demandsim.distributions.constructor import (
    Number,
    by_interval,
    central_z,
    check_finite,
    check_interval,
    check_moments,
    constructor,
    either,
    positive,
    sound,
)
from demandsim.distributions.frozen import ScipyLaw, StudentLaw
from demandsim.errors import DistributionError

__all__ = ["lognormal", "normal", "student_t"]


@dataclass(frozen=True)
class _NormalQuantiles:
    mean: float
    sd: float

    def __call__(self, u: Array) -> Array:
        z = standard_normal()(u)
        z *= self.sd
        z += self.mean
        return z


@dataclass(frozen=True)
class _LognormalQuantiles:
    mu: float
    sigma: float

    def __call__(self, u: Array) -> Array:
        z = standard_normal()(u)
        z *= self.sigma
        z += self.mu
        return np.exp(z, out=z)


def _normal_law(mean: float, sd: float) -> Law:
    if not sd > 0:
        raise DistributionError("low and high are too close together for a double")
    return sound(ScipyLaw(Named("norm", (), mean, sd), _NormalQuantiles(mean, sd), (mean, sd)))


def _lognormal_law(mu: float, sigma: float, moments: tuple[float, float] | None = None) -> Law:
    if not sigma > 0:
        raise DistributionError("the interval is too narrow for a double")
    scale = math.exp(mu)
    if moments is None:
        with np.errstate(over="ignore"):
            mean = float(scale * np.exp(sigma**2 / 2))
            moments = mean, float(mean * np.sqrt(np.expm1(sigma**2)))
    return sound(positive(ScipyLaw(Named("lognorm", (sigma,), 0.0, scale), _LognormalQuantiles(mu, sigma), moments)))


@constructor(interval=0.9)
def normal(
    low: Number = None, high: Number = None, *, prob: Number = None, mean: Number = None, sd: Number = None
) -> Law:
    r"""Normal distribution, by its central interval or by moments.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval that holds `prob` of the probability.
    prob : float, default 0.9
        Probability of the interval; 0.9 makes `low` and `high` the P5 and P95.
    mean, sd : float or DataArray
        Moments, instead of an interval. ``sd > 0``.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, ``low >= high``, or a number is not finite.

    Notes
    -----
    .. math:: \mu = \frac{l + h}{2}, \quad \sigma = \frac{h - l}{2 \Phi^{-1}((1 + p) / 2)}

    Examples
    --------
    >>> normal(8, 12).mean(), normal(8, 12).sd().round(3)
    (np.float64(10.0), np.float64(1.216))
    >>> normal(mean=10, sd=2)
    normal(mean=10, sd=2)
    """
    if by_interval((low, high, prob), (mean, sd)):
        return _normal_law(low / 2 + high / 2, (high - low) / (2 * central_z(prob)))
    return _normal_law(mean, sd)


@constructor(interval=0.9, support="positive")
def lognormal(
    low: Number = None,
    high: Number = None,
    *,
    mean: Number = None,
    sd: Number = None,
    median: Number = None,
    factor: Number = None,
    prob: Number = None,
) -> Law:
    r"""Lognormal distribution, by its central interval, by moments, or "within a factor of".

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval, ``0 < low < high``.
    prob : float, default 0.9
        Probability of the interval.
    mean, sd : float or DataArray
        Moments of the variable itself (not of its logarithm), instead of an interval.
    median, factor : float or DataArray
        Instead: `prob` of the probability lies between ``median / factor`` and ``median * factor``.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If not exactly one of the three is given, or it is impossible.

    Notes
    -----
    With :math:`z = \Phi^{-1}((1 + p) / 2)`: :math:`\mu = (\ln l + \ln h) / 2` and
    :math:`\sigma = \ln(h / l) / 2z`; by moments, :math:`\sigma^2 = \ln(1 + s^2 / m^2)`.

    Examples
    --------
    >>> lognormal(500, 2000).median().round(6)
    np.float64(1000.0)
    >>> lognormal(median=110e9, factor=2).ppf([0.05, 0.95]).round(-6)
    array([5.5e+10, 2.2e+11])
    """
    way = either({"low": low, "high": high}, {"mean": mean, "sd": sd}, {"median": median, "factor": factor})
    if way == 0:
        check_interval(low, high, prob, above_zero="a lognormal")
        centre = (math.log(low) + math.log(high)) / 2
        return _lognormal_law(centre, _log_ratio(low, high) / (2 * central_z(prob)))
    if way == 1:
        check_moments(mean, sd, prob, above_zero="a lognormal")
        # log(1 + (sd / mean)**2), without its overflow for a wide one.
        ratio = sd / mean
        variance = math.log1p(ratio * ratio) if ratio < 1e6 else 2 * math.log(math.hypot(1.0, ratio))
        return _lognormal_law(math.log(mean) - variance / 2, math.sqrt(variance), (mean, sd))
    check_finite(median=median, factor=factor, prob=prob)
    if median <= 0 or factor <= 1 or not 0 < prob < 1:
        raise DistributionError("median must be positive, factor above 1, prob between 0 and 1")
    return _lognormal_law(math.log(median), math.log(factor) / central_z(prob))


def _log_ratio(low: float, high: float) -> float:
    """The logarithm of high / low, whose digits must not drown in those of the two logarithms."""
    return math.log1p((high - low) / low) if high < 2 * low else math.log(high) - math.log(low)


@constructor(interval=0.9)
def student_t(
    low: Number = None,
    high: Number = None,
    *,
    df: Number = 4.0,
    prob: Number = None,
    mean: Number = None,
    sd: Number = None,
) -> Law:
    """Student's t distribution, by its central interval or by moments: tails heavier than normal.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval.
    df : float, default 4.0
        Degrees of freedom; smaller is heavier. At 1 and below there is no mean, at 2 no sd.
    prob : float, default 0.9
        Probability of the interval.
    mean, sd : float or DataArray
        Moments, instead of an interval; needs ``df > 2``.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, ``df <= 0``, or an sd is asked for that does not exist.

    Examples
    --------
    >>> student_t(8, 12, df=3).ppf([0.05, 0.95]).round(9)
    array([ 8., 12.])
    """
    from scipy import special

    check_finite(df=df)
    if df <= 0:
        raise DistributionError("df must be positive")
    if by_interval((low, high, prob), (mean, sd)):
        centre, scale = low / 2 + high / 2, (high - low) / (-2 * float(special.stdtrit(df, (1.0 - prob) / 2)))
        moments = (
            centre if df > 1 else math.nan,
            scale * math.sqrt(df / (df - 2)) if df > 2 else math.inf if df > 1 else math.nan,
        )
    else:
        if df <= 2:
            raise DistributionError("df must be above 2 to have an sd; give low and high instead")
        centre, moments, scale = mean, (mean, sd), sd * math.sqrt((df - 2) / df)
    if not scale > 0:
        raise DistributionError("its values are too close together for a double")
    return sound(StudentLaw(Named("t", (df,), centre, scale), moments=moments))
