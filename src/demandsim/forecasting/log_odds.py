r"""Log odds: probabilities of one event by several experts or models, pooled and made more extreme if asked.

.. math:: \operatorname{logit} p = a \sum_i w_i \operatorname{logit} p_i

Source: V. A. Satopää, J. Baron, D. P. Foster, B. A. Mellers, P. E. Tetlock and L. H. Ungar, "Combining multiple
probability predictions using a simple logit model", Int. J. Forecasting 30 (2014).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from demandsim._system import Array
from demandsim.distributions import empirical
from demandsim.distributions.base import Distribution
from demandsim.distributions.convert import as_distribution
from demandsim.errors import DemandsimError

__all__ = ["pooled_distribution", "pooled_probability"]

_LEVELS = 999


def pooled_probability(
    probabilities: Sequence[float], weights: Sequence[float] | None = None, *, extremizing: float = 1.0
) -> float:
    """One probability of an event, of several that were told.

    Parameters
    ----------
    probabilities : sequence of float
        Strictly between 0 and 1: who is sure cannot be pooled.
    weights : sequence of float, optional
        Relative; equal by default.
    extremizing : float, default 1
        Above 1 the pool is surer than those in it, since each knows something that the others do not; values from
        1.2 to 2.5 have been found best for groups of forecasters. Of models that know the same figures, leave it.

    Raises
    ------
    DemandsimError
        If there is no probability, one is not strictly between 0 and 1, or weights do not fit.

    Examples
    --------
    >>> round(pooled_probability([0.6, 0.8]), 3), round(pooled_probability([0.6, 0.8], extremizing=2), 3)
    (0.71, 0.857)
    """
    told = np.asarray(probabilities, dtype=np.float64)
    if told.ndim != 1 or not told.size:
        raise DemandsimError("there is no probability to pool")
    if not ((told > 0) & (told < 1)).all():
        raise DemandsimError("probabilities to pool must lie strictly between 0 and 1: who is sure cannot be pooled")
    return float(_pooled(told[:, None], _shares(weights, told.size), extremizing)[0])


def pooled_distribution(
    distributions: Sequence[object], weights: Sequence[float] | None = None, *, extremizing: float = 1.0
) -> Distribution:
    """One distribution of a number, of several: at each value the log odds of lying below it are pooled.

    Parameters
    ----------
    distributions : sequence of distributions
        One number each; draws by way of ``distributions.empirical``.
    weights, extremizing
        As of `pooled_probability`.

    Returns
    -------
    Distribution
        Through 999 evenly likely values of the pool. Where experts disagree it is narrower than any of them: who
        wants to be as unsure as they disagree takes ``distributions.pooled``.

    Raises
    ------
    DemandsimError
        If there is none, or one is of more than one number, or weights do not fit.

    Examples
    --------
    >>> from demandsim.distributions import normal
    >>> found = pooled_distribution([normal(mean=0, sd=1), normal(mean=1, sd=1)])
    >>> round(found.median().item(), 2)
    0.5
    """
    given = [as_distribution(each) for each in distributions]
    if not given:
        raise DemandsimError("there is no distribution to pool")
    for each in given:
        if each.dims:
            raise DemandsimError(f"a distribution to pool is over {', '.join(each.dims)}; pool one label at a time")
    laws = [each.laws[0] for each in given]
    shares = _shares(weights, len(laws))
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    ends = np.array([law.ppf(np.array([1e-9, 1 - 1e-9])) for law in laws])
    low, high = ends[:, 0].copy(), ends[:, 1].copy()
    lower, upper = np.full(_LEVELS, low.min()), np.full(_LEVELS, high.max())
    for _ in range(100):
        middle = (lower + upper) / 2
        told = np.array([law.cdf(middle) for law in laws])
        below = _pooled(np.clip(told, 1e-300, 1 - 1e-16), shares, extremizing) < levels
        lower, upper = np.where(below, middle, lower), np.where(below, upper, middle)
    return empirical(((lower + upper) / 2).tolist())


def _pooled(told: Array, shares: Array, extremizing: float) -> Array:
    if not (extremizing > 0 and math.isfinite(extremizing)):
        raise DemandsimError(f"extremizing is {extremizing}; it must be a finite number above 0")
    odds = extremizing * (shares @ (np.log(told) - np.log1p(-told)))
    return np.asarray(1 / (1 + np.exp(-odds)))


def _shares(weights: Sequence[float] | None, count: int) -> Array:
    given = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (count,) or not (given >= 0).all() or not 0 < given.sum() < math.inf:
        raise DemandsimError(f"weights must be {count} numbers, finite and 0 or more, one of them above 0")
    return np.asarray(given / given.sum())
