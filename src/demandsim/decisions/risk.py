"""Risk: the mean of the worst payoffs, and which actions no other beats in mean and risk; no labels."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.decisions.folds import Folds
from demandsim.statistics.estimators import spread_to_mcse

__all__ = ["frontier", "tail_mean", "tail_statistics"]


def tail_mean(values: Array, tail: float) -> float:
    r"""Mean of the worst share of some values (conditional value at risk, expected shortfall).

    .. math:: \mathrm{CVaR}_\tau = \max_q \Bigl( q - \frac{1}{\tau} E (q - Y)^+ \Bigr)

    A draw on the edge counts in part, so that the worst share is that exactly.
    Source: Rockafellar and Uryasev, Journal of Banking & Finance 26 (2002).
    """
    wanted = tail * values.size
    whole = min(math.floor(wanted * (1 + 1e-12)), values.size - 1)
    parted = np.partition(values, whole)
    edge = max(wanted - whole, 0.0)
    return float((parted[:whole].sum() + edge * parted[whole]) / wanted)


def tail_statistics(values: Array, folds: Folds, tail: float, *, independent: bool) -> tuple[float, float]:
    """Mean of the worst share of the draws, and its Monte Carlo standard error."""
    found = tail_mean(values, tail)
    if independent:
        # From the second part of the definition: an average over draws, given the quantile.
        edge = float(np.quantile(values, tail))
        return found, float(np.std(np.minimum(values - edge, 0.0))) / (tail * math.sqrt(values.size))
    own = np.array([tail_mean(values[part], tail) for part in folds.whole()])
    return found, float(spread_to_mcse(own))


def frontier(mean: Array, risk: Array) -> npt.NDArray[np.bool_]:
    """Actions that no other beats: none has as high a mean and as high a mean of its worst, and one of them higher.

    Examples
    --------
    >>> frontier(np.array([1.0, 2.0, 0.5]), np.array([0.0, -1.0, -0.5])).tolist()
    [True, True, False]
    """
    above = (mean[:, None] >= mean[None, :]) & (risk[:, None] >= risk[None, :])
    better = above & ((mean[:, None] > mean[None, :]) | (risk[:, None] > risk[None, :]))
    return np.asarray(~better.any(axis=0))
