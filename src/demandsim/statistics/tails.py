r"""Tails: whether the extreme draws let a mean or a standard deviation settle.

The index k of a generalized Pareto law, fitted to the draws beyond a high threshold, says which moments there are: the
h-th is finite where k < 1 / h. The error of a mean needs the second, that of a standard deviation the fourth; the
thresholds were set where intervals of many runs cease to cover what they say.

Sources: Zhang and Stephens, Technometrics 51 (2009), fit; Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed
importance sampling", JMLR 25 (2024), number of draws of the tail and prior of the index.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from demandsim._system import Array
from demandsim.statistics.sketch import Moments

__all__ = [
    "HEAVY_FOR_MEAN",
    "HEAVY_FOR_SD",
    "HEAVY_FOR_SHARES",
    "heavier_tail",
    "heavier_tails",
    "pareto_index",
    "pareto_indices",
    "tail_index",
    "tail_indices",
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
#: Factors that are multiplied while they are in the cache.
_VALUES = 1 << 15


class _Ends(Protocol):
    @property
    def moments(self) -> Moments:
        """Count, mean and central moments."""

    def ends(self, count: int) -> tuple[Array, Array]:
        """Lowest and highest values, in increasing order, as many of each."""


def tail_size(total: int) -> int:
    """How many draws of all make a tail."""
    return math.ceil(min(0.2 * total, 3 * math.sqrt(total)))


def tail_index(pool: _Ends) -> float:
    """Pareto index of the heavier tail, less its standard error.

    Returns
    -------
    float
        NaN where there are too few draws, or too few different ones, to tell.
    """
    if pool.moments.count < _FEWEST:
        return math.nan
    reach = tail_size(pool.moments.count) + 1
    low, high = (np.asarray(end, dtype=np.float64) for end in pool.ends(reach))
    return float(_surely(heavier_tails(low[None], high[None]), reach - 1)[0])


def tail_indices(together: Array) -> Array:
    """As `tail_index`, of many quantities.

    Parameters
    ----------
    together : array of shape (quantities, draws)
        Draws of all chains of each, in increasing order.
    """
    if together.shape[-1] < _FEWEST:
        return np.full(len(together), np.nan)
    reach = tail_size(together.shape[-1]) + 1
    return _surely(heavier_tails(together[:, :reach], together[:, -reach:]), reach - 1)


def _surely(index: Array, count: int) -> Array:
    """Less the standard error of the fit: what few draws suggest is not yet said."""
    return index - (1 + np.abs(index)) / math.sqrt(count)


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
    return float(heavier_tails(low[None], high[None])[0])


def heavier_tails(low: Array, high: Array) -> Array:
    """As `heavier_tail`, of many quantities: shapes (quantities, n + 1) and (quantities,)."""
    # The largest value first divided, so that a distance is always a double.
    scale = np.maximum(np.abs(low).max(axis=-1), np.abs(high).max(axis=-1))[:, None]
    scale[scale == 0] = 1.0
    tails = np.concatenate([-low[:, ::-1] / scale, high / scale])
    index = pareto_indices(tails[:, 1:] - tails[:, :1])
    doubted = index > 1
    if doubted.any():
        # Or what is rarely above its least value only looks heavy: then its farthest draws do not.
        far = tails[doubted, -((tails.shape[-1] - 1) // 4) - 1 :]
        index[doubted] = np.fmin(index[doubted], pareto_indices(far[:, 1:] - far[:, :1]))
    index[~np.isfinite(index)] = np.nan
    below, above = np.split(index, 2)
    return np.asarray(np.fmax(below, above))


def _mean_log(rates: Array, excess: Array) -> Array:
    r"""Means of :math:`\log(1 - r x)` over the distances x, for every rate r; few logarithms, of products.

    Shapes (tails, rates) and (tails, n).
    """
    tails, count = excess.shape
    padded = np.zeros((tails, 1, -(-count // _FACTORS) * _FACTORS))
    padded[:, 0, :count] = excess
    # As many together as stay in the cache.
    some = max(_VALUES // padded.size, 1)
    logs = []
    for start in range(0, rates.shape[-1], some):
        factors = 1 - rates[:, start : start + some, None] * padded
        while factors.shape[-1] * _FACTORS > padded.shape[-1]:
            # Large ones with small ones: products stay far from the ends of what doubles hold.
            half = factors.shape[-1] // 2
            factors = factors[..., :half] * factors[..., half:]
        logs.append(np.log(factors).sum(axis=-1))
    return np.asarray(np.concatenate(logs, axis=-1) / count)


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
    return float(pareto_indices(excess[None])[0])


@np.errstate(all="ignore")
def pareto_indices(excess: Array) -> Array:
    """As `pareto_index`, of many tails: shapes (tails, n) and (tails,)."""
    count = excess.shape[-1]
    quarter = excess[:, int(count / 4 + 0.5) - 1]
    points = 30 + int(math.sqrt(count))
    steps = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    rate = steps / (3 * quarter[:, None]) + 1 / excess[:, -1:]
    index = _mean_log(rate, excess)
    likelihood = count * (np.log(-rate / index) - index - 1)
    likelihood[~np.isfinite(likelihood)] = -np.inf
    most = likelihood.max(axis=-1, keepdims=True)
    weight = np.exp(likelihood - most)
    best = _mean_log((rate * weight).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True), excess)[:, 0]
    # Ten values of index 1/2 beforehand, which steadies small tails.
    return np.where((quarter > 0) & np.isfinite(most[:, 0]), (best * count + 5) / (count + 10), np.nan)
