"""Weibull and Pareto: how long things last, and what has a heavy tail."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.distributions.base import Law
from demandsim.distributions.closed_form import Named
from demandsim.distributions.constructor import (
    Number,
    check_finite,
    check_interval,
    constructor,
    either,
    positive,
    sound,
)
from demandsim.distributions.frozen import ScipyLaw
from demandsim.errors import DistributionError

__all__ = ["pareto", "weibull"]


@dataclass(frozen=True)
class _WeibullQuantile:
    shape: float
    scale: float

    def __call__(self, u: Array) -> Array:
        return np.asarray(self.scale * (-np.log1p(-u)) ** (1 / self.shape))


@dataclass(frozen=True)
class _ParetoQuantile:
    shape: float
    least: float

    def __call__(self, u: Array) -> Array:
        return np.asarray(self.least * np.exp(-np.log1p(-u) / self.shape))


def _check_positive(**values: float) -> None:
    check_finite(**values)
    for name, value in values.items():
        if not value > 0:
            raise DistributionError(f"{name} must be positive, not {value:g}")


@constructor(interval=0.9, support="positive")
def weibull(
    low: Number = None, high: Number = None, *, prob: Number = None, shape: Number = None, scale: Number = None
) -> Law:
    r"""Weibull distribution, such as of lifetimes: by its central interval, or by shape and scale.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval, ``0 < low < high``.
    prob : float, default 0.9
        Probability of the interval.
    shape, scale : float or DataArray
        Instead of an interval. Below a shape of 1 the failure rate falls with age, above it rises; 63% fail before
        the scale.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, or they are impossible.

    Notes
    -----
    .. math:: F(x) = 1 - \exp\left(-(x / \lambda)^k\right)

    By interval, :math:`k` is the ratio of the distances of :math:`\ln(-\ln(1 - u))` and of the logarithms.

    Examples
    --------
    >>> weibull(2, 8).ppf([0.05, 0.95]).round(9)
    array([2., 8.])
    >>> weibull(shape=1, scale=3).mean()
    np.float64(3.0)
    """
    if either({"low": low, "high": high}, {"shape": shape, "scale": scale}) == 0:
        check_interval(low, high, prob, above_zero="a Weibull")
        ends = [math.log(-math.log1p(-(1 - prob) / 2)), math.log(-math.log((1 - prob) / 2))]
        shape = (ends[1] - ends[0]) / math.log(high / low)
        scale = math.exp(math.log(high) - ends[1] / shape)
    elif prob is not None:
        raise DistributionError("prob belongs to an interval; with shape and scale leave it out")
    _check_positive(shape=shape, scale=scale)
    law = ScipyLaw(Named("weibull_min", (shape,), 0.0, scale), _WeibullQuantile(shape, scale))
    return sound(positive(law))


@constructor(interval=0.9, support="positive")
def pareto(
    low: Number = None, high: Number = None, *, prob: Number = None, shape: Number = None, least: Number = None
) -> Law:
    r"""Pareto distribution, of which a few values make up much of the sum: by its central interval, or by its tail.

    Parameters
    ----------
    low, high : float or DataArray
        Ends of the central interval, ``0 < low < high``.
    prob : float, default 0.9
        Probability of the interval.
    shape : float or DataArray
        Index of the tail, instead of an interval. At most 1 there is no mean, at most 2 no standard deviation.
    least : float or DataArray
        Smallest value.

    Returns
    -------
    Distribution

    Raises
    ------
    DistributionError
        If both or neither are given, or they are impossible.

    Notes
    -----
    .. math:: P(X > x) = (x_\text{least} / x)^\alpha

    Examples
    --------
    >>> pareto(shape=3, least=2).mean()
    np.float64(3.0)
    >>> pareto(1, 10).ppf([0.05, 0.95]).round(9)
    array([ 1., 10.])
    """
    if either({"low": low, "high": high}, {"shape": shape, "least": least}) == 0:
        check_interval(low, high, prob, above_zero="a Pareto")
        tail = (1 - prob) / 2
        shape = (math.log1p(-tail) - math.log(tail)) / math.log(high / low)
        least = low * math.exp(math.log1p(-tail) / shape)
    elif prob is not None:
        raise DistributionError("prob belongs to an interval; with shape and least leave it out")
    _check_positive(shape=shape, least=least)
    moments = None
    if shape <= 2:
        moments = (shape * least / (shape - 1) if shape > 1 else math.inf, math.inf)
    return sound(ScipyLaw(Named("pareto", (shape,), 0.0, least), _ParetoQuantile(shape, least), moments=moments))
