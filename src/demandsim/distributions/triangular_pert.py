"""Distributions around a mode: triangular, PERT."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.closed_form import Named
from demandsim.distributions.constructor import Number, check_finite, check_interval, constructor, sound
from demandsim.distributions.frozen import BetaLaw, ScipyLaw
from demandsim.errors import DistributionError

__all__ = ["pert", "triangular"]


def _check_mode(low: float, mode: float, high: float, prob: float) -> None:
    """Raise unless the numbers are bounds, or an interval, around a mode."""
    check_finite(mode=mode)
    check_interval(low, high, prob, whole=True)
    if not low <= mode <= high:
        raise DistributionError("mode must lie between low and high")
    if prob < 1 and not low < mode < high:
        raise DistributionError("with prob below 1 the mode must lie strictly between low and high")


def _bounds_by_percentiles(
    place: Callable[[float], tuple[float, float]], low: float, mode: float, high: float
) -> tuple[float, float]:
    """Bounds such that (low, high) is the central interval around the mode.

    `place` takes the mode of the shape on (0, 1) to the ends of its central interval. Only one
    mode splits that interval in the ratio in which the asked one is split; then all is scale.
    """
    from scipy import optimize

    left, right = mode - low, high - mode

    def unbalance(share: float) -> float:
        bottom, top = place(share)
        return (share - bottom) * (right / (high - low)) - (top - share) * (left / (high - low))

    share = float(optimize.brentq(unbalance, 0.0, 1.0, xtol=1e-16, rtol=1e-15))
    bottom, top = place(share)
    width = (high - low) / (top - bottom)
    return low - bottom * width, high + (1 - top) * width


@dataclass(frozen=True)
class _TriangularQuantiles:
    low: float
    high: float
    share: float

    def __call__(self, u: Array) -> Array:
        width, share = self.high - self.low, self.share
        rising, falling = np.sqrt(share * u), np.sqrt((1 - share) * (1 - u))
        return cast(Array, np.where(u < share, self.low + width * rising, self.high - width * falling))


@constructor()
def triangular(low: Number, mode: Number, high: Number, *, prob: Number = 1.0) -> Law:
    """Triangular distribution, by its bounds and mode, or by a central interval and mode.

    Parameters
    ----------
    low, mode, high : float or DataArray
        Smallest, most likely and largest value; with ``prob < 1``, `low` and `high` are the ends
        of the central interval of that probability, and the bounds are solved for.
    prob : float, default 1.0

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If they are out of order.

    Examples
    --------
    >>> triangular(0, 1, 2).sd().round(4)
    np.float64(0.4082)
    >>> triangular(0, 1, 2, prob=0.9).ppf([0.05, 0.95]).round(6)
    array([0., 2.])
    """
    _check_mode(low, mode, high, prob)
    if prob < 1:
        tail = (1 - prob) / 2

        def place(share: float) -> tuple[float, float]:
            bottom = math.sqrt(share * tail) if share > tail else 1 - math.sqrt((1 - share) * (1 - tail))
            top = 1 - math.sqrt((1 - share) * tail) if 1 - share > tail else math.sqrt(share * (1 - tail))
            return bottom, top

        low, high = _bounds_by_percentiles(place, low, mode, high)
    width = high - low
    share = (mode - low) / width
    # (a^2 + b^2 + ab) / 18 with the mode at a from the low end and b from the high one.
    sd = width * math.sqrt((1 - share * (1 - share)) / 18)
    rv = Named("triang", (share,), low, width)
    moments = low + (mode - low) / 3 + (high - low) / 3, sd
    return sound(ScipyLaw(rv, _TriangularQuantiles(low, high, share), moments, (low, high)))


@constructor()
def pert(low: Number, mode: Number, high: Number, *, prob: Number = 1.0, shape: Number = 4.0) -> Law:
    r"""PERT distribution: a beta stretched between bounds, peaked at the mode.

    Parameters
    ----------
    low, mode, high : float or DataArray
        Smallest, most likely and largest value; with ``prob < 1``, `low` and `high` are the ends
        of the central interval of that probability.
    prob : float, default 1.0
    shape : float, default 4.0
        Weight of the mode; larger is narrower.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If they are out of order, or `shape` is not positive.

    Notes
    -----
    A beta on (low, high) with :math:`\alpha = 1 + \lambda (m - l) / (h - l)` and
    :math:`\beta = 1 + \lambda (h - m) / (h - l)`; mean :math:`(l + \lambda m + h) / (\lambda + 2)`.
    Source: Malcolm et al., Operations Research 7 (1959), with the shape of Vose (2000).

    Examples
    --------
    >>> pert(0, 1, 5).mean().round(6)
    np.float64(1.5)
    """
    from scipy import special

    _check_mode(low, mode, high, prob)
    check_finite(shape=shape)
    if shape <= 0:
        raise DistributionError("shape must be positive (4 is the classical PERT)")
    if prob < 1:
        tail = (1 - prob) / 2

        def place(share: float) -> tuple[float, float]:
            a, b = 1 + shape * share, 1 + shape * (1 - share)
            return float(special.betaincinv(a, b, tail)), float(special.betainccinv(a, b, tail))

        low, high = _bounds_by_percentiles(place, low, mode, high)
    width = high - low
    share = (mode - low) / width
    a, b = 1 + shape * share, 1 + shape * (1 - share)
    mean = low + width * (a / (shape + 2))
    sd = width * math.sqrt(a / (shape + 2) * (b / (shape + 2)) / (shape + 3))
    return sound(BetaLaw(Named("beta", (a, b), low, width), moments=(mean, sd), bounds=(low, high)))
