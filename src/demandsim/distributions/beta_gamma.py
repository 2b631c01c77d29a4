"""Beta for shares between 0 and 1, gamma for positive quantities."""

from __future__ import annotations

import math

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.closed_form import Named
from demandsim.distributions.constructor import Number, by_interval, central_z, constructor, positive, sound
from demandsim.distributions.frozen import BetaLaw, ScipyLaw
from demandsim.errors import DistributionError

__all__ = ["beta", "gamma"]


def _beta_misfit(a: float, b: float, low: float, high: float, tail: float) -> tuple[float, float]:
    """Logarithms of the tails' probabilities over what they should be."""
    from scipy import special

    below, above = float(special.betainc(a, b, low)), float(special.betaincc(a, b, high))
    return math.log(max(below, 1e-320) / tail), math.log(max(above, 1e-320) / tail)


def _shapes(logs: Array) -> tuple[float, float]:
    a, b = np.exp(np.clip(logs, -700.0, 700.0))
    return float(a), float(b)


def _beta_shapes(low: float, high: float, tail: float) -> tuple[float, float]:
    """Solve both equations at once, in the logarithms of both shapes, from the moments of a normal."""
    from scipy import optimize

    mean, sd = (low + high) / 2, (high - low) / (2 * central_z(1 - 2 * tail))
    size = max(mean * (1 - mean) / sd**2 - 1, 0.5)
    for start in (size, 0.3 * size, 3.0 * size, 1.0):
        found = optimize.root(
            lambda logs: _beta_misfit(*_shapes(logs), low, high, tail),
            np.log([mean * start, (1 - mean) * start]),
            method="hybr",
            options={"xtol": 1e-14},
        )
        a, b = _shapes(found.x)
        if max(map(abs, _beta_misfit(a, b, low, high, tail))) < 1e-10:
            return a, b
    raise DistributionError("no beta that a double can hold has this interval")


@constructor(interval=0.9, support="unit")
def beta(
    low: Number = None, high: Number = None, *, prob: Number = None, mean: Number = None, sd: Number = None
) -> Law:
    r"""Beta distribution of a share between 0 and 1, by its central interval or by moments.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval, ``0 < low < high < 1``.
    prob : float, default 0.9
        Probability of the interval.
    mean, sd : float or DataArray
        Moments, instead of an interval, with ``sd**2 < mean * (1 - mean)``.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If the interval is not inside (0, 1), or the moments are impossible.

    Notes
    -----
    A value next to 0 or 1 may round to it: in a wide one that happens often.

    By moments, :math:`\alpha = m k` and :math:`\beta = (1 - m) k` with
    :math:`k = m (1 - m) / s^2 - 1`; by interval, both percentiles are solved for.

    Examples
    --------
    >>> beta(mean=0.45, sd=0.1).sd()
    np.float64(0.1)
    >>> beta(0.2, 0.6).ppf([0.05, 0.95]).round(9)
    array([0.2, 0.6])
    """
    if by_interval((low, high, prob), (mean, sd)):
        if low <= 0 or high >= 1:
            raise DistributionError(
                "the interval must lie strictly inside 0 and 1; of shapes it is scipy('beta', 2, 5)"
            )
        return sound(BetaLaw(Named("beta", _beta_shapes(low, high, (1 - prob) / 2))))
    if not 0 < mean < 1:
        raise DistributionError("mean must lie between 0 and 1")
    if sd * sd >= mean * (1 - mean):
        raise DistributionError(f"sd must be below sqrt(mean * (1 - mean)) = {math.sqrt(mean * (1 - mean)):.4g}")
    size = mean / sd * ((1 - mean) / sd) - 1
    return sound(BetaLaw(Named("beta", (mean * size, (1 - mean) * size)), moments=(mean, sd)))


def _gamma_law(shape: float, scale: float, moments: tuple[float, float]) -> Law:
    law = ScipyLaw(Named("gamma", (shape,), 0.0, scale), moments=moments)
    # scipy's quantiles lose the lower tail of very narrow gammas, far before the quartiles.
    u = np.array([1e-12, 1e-7])
    if not np.all(np.abs(law.cdf(law.ppf(u)) - u) <= 1e-6 * u + 1e-300) and shape > 1e3:
        raise DistributionError("it is too narrow for a gamma; a normal of that mean and sd is the same")
    return sound(positive(law))


@constructor(interval=0.9, support="positive")
def gamma(
    low: Number = None, high: Number = None, *, prob: Number = None, mean: Number = None, sd: Number = None
) -> Law:
    r"""Gamma distribution, by its central interval or by moments.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval, ``0 < low < high``.
    prob : float, default 0.9
        Probability of the interval.
    mean, sd : float or DataArray
        Moments, instead of an interval: shape :math:`(m / s)^2`, scale :math:`s^2 / m`.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, or no gamma has that interval.

    Examples
    --------
    >>> gamma(1, 10).ppf([0.05, 0.95]).round(9)
    array([ 1., 10.])
    """
    from scipy import optimize, special

    if not by_interval((low, high, prob), (mean, sd), above_zero="a gamma"):
        return _gamma_law((mean / sd) ** 2, sd * (sd / mean), (mean, sd))
    tail = (1 - prob) / 2
    asked = math.log(high / low) if high > 2 * low else math.log1p((high - low) / low)

    def excess(log_shape: float) -> float:
        # The ratio of the percentiles depends on the shape alone, and falls with it.
        shape = math.exp(log_shape)
        bottom = float(special.gammaincinv(shape, tail))
        if bottom <= 0:
            return 1e6
        return math.log(float(special.gammainccinv(shape, tail)) / bottom) - asked

    widest, narrowest = math.log(5e-3), math.log(1e12)
    if not excess(widest) > 0 > excess(narrowest):
        raise DistributionError("no gamma has this interval: it is too wide or too narrow")
    shape = math.exp(float(optimize.brentq(excess, widest, narrowest, xtol=1e-14, rtol=1e-14)))
    scale = high / float(special.gammainccinv(shape, tail))
    return _gamma_law(shape, scale, (shape * scale, math.sqrt(shape) * scale))
