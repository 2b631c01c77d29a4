r"""Focus: where on the line of values a sketch counts finely, and a guess of where that is needed.

A quantile lies, of `n` independent draws, within :math:`\sqrt{p (1 - p) / n}` of its rank. The first
draws tell so where those of all draws will be; what was guessed wrong is seen in the coarse counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array
from demandsim.statistics.sketch.bins import END, Ranges, coarse_key

__all__ = ["EVERYWHERE", "Focus", "focus_on", "guessed_focus"]


#: Standard errors around a quantile of the first draws in which that of all draws is looked for.
_REACH = 6.0
#: The same for the ends of the narrowest interval, where every error counts at both ends.
_REACH_NARROWEST = 4.0
#: Ranks up to which a selection is quicker than sorting.
_FEW = 16


@dataclass(frozen=True)
class Focus:
    """Ranges of coarse keys that are counted finely, for either sign."""

    negative: Ranges
    positive: Ranges

    def __or__(self, other: Focus) -> Focus:
        """Where either counts finely."""
        return Focus(_united(self.negative + other.negative), _united(self.positive + other.positive))


#: Every bin is fine.
EVERYWHERE = Focus(((0, END),), ((0, END),))


def _united(ranges: Iterable[tuple[int, int]]) -> Ranges:
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return tuple(found)


def focus_on(intervals: Iterable[tuple[float, float]]) -> Focus:
    """Count finely in closed intervals of values, whose ends may be infinite."""
    negative, positive = [], []
    for low, high in intervals:
        if low < 0:
            negative.append((coarse_key(max(-high, 0.0)), coarse_key(-low) + 1))
        if high > 0:
            positive.append((coarse_key(max(low, 0.0)), coarse_key(high) + 1))
    return Focus(_united(negative), _united(positive))


def guessed_focus(values: Array, probs: Sequence[float], narrowest: float | None, draws: int) -> Focus:
    """Guess from the first draws of a chain where the quantiles of a chain, and of all chains, will be.

    Parameters
    ----------
    values : array of shape (n,)
        First draws; NaN and infinity are left out.
    probs : sequence of float
        Levels of the quantiles.
    narrowest : float, optional
        Probability of the highest density interval, if that is wanted.
    draws : int
        Draws of a chain.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Focus((), ())
    last = finite.size - 1
    spread = math.sqrt(1 / finite.size + 1 / max(draws, finite.size))
    ranks = []
    for prob in probs:
        reach = _REACH * spread * math.sqrt(prob * (1 - prob)) + 1 / finite.size
        ranks.append((math.floor((prob - reach) * last), math.ceil((prob + reach) * last)))
    if narrowest is None and 2 * len(ranks) <= _FEW:
        ordered = np.partition(finite, sorted({min(max(rank, 0), last) for pair in ranks for rank in pair}))
    else:
        ordered = np.sort(finite)
    if narrowest is not None:
        ranks += _ends(ordered, narrowest, spread)

    # Beyond the first draws anything may follow.
    return focus_on(
        (
            -math.inf if low <= 0 < last else float(ordered[max(low, 0)]),
            math.inf if high >= last > 0 else float(ordered[min(high, last)]),
        )
        for low, high in ranks
    )


def _ends(ordered: Array, prob: float, spread: float) -> list[tuple[int, int]]:
    """Ranks between which the narrowest interval that holds `prob` may start and end."""
    last = ordered.size - 1
    held = min(math.floor(prob * ordered.size), last)
    slack = math.ceil(_REACH_NARROWEST * spread * math.sqrt(prob * (1 - prob)) * ordered.size)
    start = np.arange(ordered.size - held)
    at_most = ordered[np.minimum(start + held + slack, last)] - ordered[start]
    at_least = ordered[np.maximum(start + held - slack, 0)] - ordered[start]
    likely = np.flatnonzero(at_least <= at_most.min())
    low, high = int(likely[0]) - slack, int(likely[-1]) + slack
    return [(low, high), (low + held, high + held)]
