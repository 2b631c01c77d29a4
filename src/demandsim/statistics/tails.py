r"""Tails: whether the extreme draws let a mean or a standard deviation settle.

The index k of a generalized Pareto law, fitted to the draws beyond a high threshold, says which moments there are: the
h-th is finite where k < 1 / h. The error of a mean needs the second, that of a standard deviation the fourth; the
thresholds were set where intervals of many runs cease to cover what they say.

Sources: Zhang and Stephens, Technometrics 51 (2009), fit; Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed
importance sampling", JMLR 25 (2024), number of draws of the tail and prior of the index.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from demandsim._system import Array
from demandsim.statistics.sketch import Moments

__all__ = [
    "HEAVY_FOR_MEAN",
    "HEAVY_FOR_SD",
    "HEAVY_FOR_SHARES",
    "heavier_tail",
    "pareto_index",
    "tail_index",
    "tail_size",
]

#: Index above which the error of a mean, of a standard deviation (a variance), may be far too small. In theory 1/2 and
#: 1/4; nominal 90% intervals of an sd cover 70 to 90% at 1/4 with as many draws as are usual, 35 to 65% from 0.35 on.
HEAVY_FOR_MEAN, HEAVY_FOR_SD = 0.5, 0.3
#: Index above which shares of a variance may be wrong: of the fit itself and not less its error, since their intervals
#: must be wide too before a word is said.
HEAVY_FOR_SHARES = 0.35
#: Draws below which nothing is said of tails.
_FEWEST = 1000
#: Factors of a product of which one logarithm is taken, a power of two.
_FACTORS = 8
#: Rates that are worked out together, while their factors are in the cache.
_RATES = 8


class _Ends(Protocol):
    @property
    def moments(self) -> Moments:
        """Count, mean and central moments."""

    def ends(self, count: int) -> tuple[Array, Array]:
        """Lowest and highest values, in increasing order, as many of each."""


def tail_size(total: int) -> int:
    """How many draws of all make a tail."""
    return math.ceil(min(0.2 * total, 3 * math.sqrt(total)))


def tail_index(chains: Sequence[_Ends]) -> float:
    """Pareto index of the heavier tail of all chains together, less its standard error.

    Returns
    -------
    float
        NaN where there are too few draws, or too few different ones, to tell.
    """
    total = sum(chain.moments.count for chain in chains)
    if total < _FEWEST:
        return math.nan
    count = tail_size(total)
    low, high = (
        np.concatenate(ends, dtype=np.float64)
        for ends in zip(*(chain.ends(count + 1) for chain in chains), strict=True)
    )
    index = heavier_tail(np.sort(low)[: count + 1], np.sort(high)[-count - 1 :])
    # Less the standard error of the fit: what few draws suggest is not yet said.
    return index - (1 + abs(index)) / math.sqrt(count)


def heavier_tail(low: Array, high: Array) -> float:
    """Pareto index of the heavier of two tails.

    Parameters
    ----------
    low, high : array of shape (n + 1,)
        Lowest and highest values, in increasing order; the innermost of each is the threshold.

    Returns
    -------
    float
        NaN where too many values are equal.

    Examples
    --------
    >>> u = (np.arange(10_000) + 0.5) / 10_000
    >>> values = (1 - u) ** -0.5
    >>> round(heavier_tail(values[:301], values[-301:]), 2)
    0.5
    """
    count = low.size - 1
    # The largest value first divided, so that a distance is always a double.
    scale = max(float(np.abs(low).max()), float(np.abs(high).max())) or 1.0
    lowest, highest = -low[::-1] / scale, high / scale
    found = []
    for tail in (lowest, highest):
        index = pareto_index(tail[1:] - tail[0])
        if index > 1:
            # Or what is rarely above its least value only looks heavy: then its farthest draws do not.
            far = tail[-(count // 4) - 1 :]
            index = min(index, pareto_index(far[1:] - far[0]))
        found.append(index)
    told = [index for index in found if math.isfinite(index)]
    return max(told) if told else math.nan


def _mean_log(rates: Array, excess: Array) -> Array:
    r"""Means of :math:`\log(1 - r x)` over the distances x, for every rate r; few logarithms, of products."""
    padded = np.zeros(-(-excess.size // _FACTORS) * _FACTORS)
    padded[: excess.size] = excess
    logs = []
    for start in range(0, rates.size, _RATES):
        factors = 1 - rates[start : start + _RATES, None] * padded
        while factors.shape[1] * _FACTORS > padded.size:
            # Large ones with small ones: products stay far from the ends of what doubles hold.
            half = factors.shape[1] // 2
            factors = factors[:, :half] * factors[:, half:]
        logs.append(np.log(factors).sum(axis=1))
    return np.concatenate(logs) / excess.size


def pareto_index(excess: Array) -> float:
    """Index of a generalized Pareto law of values above a threshold.

    Parameters
    ----------
    excess : array of shape (n,)
        Distances above the threshold, in increasing order.

    Returns
    -------
    float
        Below 0 for a bounded tail, 0 for an exponential one; NaN where too many values are equal.

    Examples
    --------
    >>> u = (np.arange(1000) + 0.5) / 1000
    >>> round(pareto_index((1 - u) ** -0.5 - 1), 2)
    0.5
    """
    count = excess.size
    quarter = float(excess[int(count / 4 + 0.5) - 1])
    if not quarter > 0:
        return math.nan
    points = 30 + int(math.sqrt(count))
    rate = (1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))) / (3 * quarter) + 1 / excess[-1]
    index = _mean_log(rate, excess)
    with np.errstate(divide="ignore", invalid="ignore"):
        likelihood = count * (np.log(-rate / index) - index - 1)
    likelihood = np.where(np.isfinite(likelihood), likelihood, -np.inf)
    if not np.isfinite(likelihood.max()):
        return math.nan
    weight = np.exp(likelihood - likelihood.max())
    best = float(_mean_log(np.sum(rate * weight, keepdims=True) / weight.sum(), excess)[0])
    # Ten values of index 1/2 beforehand, which steadies small tails.
    return (best * count + 5) / (count + 10)
