"""Table: the bins of a sketch in order of value, and what can be read off them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.statistics.sketch.moments import Moments

__all__ = ["Table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Bins that hold values, in increasing order.

    Parameters
    ----------
    moments : Moments
    smallest, largest : float
    low, high, number : array
        Edges of each bin, and its count.
    fine : bool array
        Whether a bin is as narrow as bins get.
    """

    moments: Moments
    smallest: float
    largest: float
    low: Array
    high: Array
    number: Array
    fine: npt.NDArray[np.bool_]

    @functools.cached_property
    def _upto(self) -> Array:
        return np.cumsum(self.number)

    def _ranks(self, probs: Sequence[float]) -> tuple[Array, Array, Array]:
        """Ranks of quantiles, and of the order statistics on either side."""
        last = self.moments.count - 1
        ranks = np.asarray(probs, dtype=np.float64) * last
        below = np.floor(ranks)
        return ranks, below, np.minimum(below + 1, last)

    def _place(self, ranks: Array) -> npt.NDArray[np.intp]:
        return np.minimum(self._upto.searchsorted(ranks, side="right"), self.number.size - 1)

    def _order_statistics(self, ranks: Array) -> Array:
        place = self._place(ranks)
        share = (ranks - (self._upto[place] - self.number[place]) + 0.5) / self.number[place]
        values = self.low[place] + (self.high[place] - self.low[place]) * share
        return np.minimum(np.maximum(values, self.smallest), self.largest)

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles at `probs`, linear between order statistics that are spread evenly inside each bin."""
        if not self.moments.count:
            return [math.nan] * len(probs)
        ranks, low, high = self._ranks(probs)
        below, above = self._order_statistics(low), self._order_statistics(high)
        found: list[float] = (below + (above - below) * (ranks - low)).tolist()
        return found

    def _stops(self, prob: float) -> npt.NDArray[np.intp]:
        """For each bin, the last of the shortest run from it that holds `prob`; past the end if there is none."""
        return self._upto.searchsorted(self._upto - self.number + prob * self.moments.count, side="left")

    def _narrowest(self, prob: float) -> tuple[int, int]:
        stop = self._stops(prob)
        widths = self.high[np.minimum(stop, self.number.size - 1)] - self.low
        place = int(np.argmin(np.where(stop < self.number.size, widths, np.inf)))
        return place, int(stop[place])

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval: the narrowest run of bins that holds `prob` of the values."""
        start, stop = self._narrowest(prob)
        return max(float(self.low[start]), self.smallest), min(float(self.high[stop]), self.largest)

    def unresolved(self, probs: Sequence[float], narrowest: float | None = None) -> list[tuple[float, float]]:
        """Intervals of values where finer bins could change quantiles at `probs`, or the narrowest interval."""
        if not self.moments.count:
            return []
        wanted = np.zeros(self.number.size, dtype=bool)
        _, low, high = self._ranks(probs)
        wanted[self._place(low)] = wanted[self._place(high)] = True
        if narrowest is not None:
            wanted |= self._could_be_ends(narrowest)
        wanted &= ~self.fine
        return list(zip(self.low[wanted].tolist(), self.high[wanted].tolist(), strict=True))

    def _could_be_ends(self, prob: float) -> npt.NDArray[np.bool_]:
        """Bins in which the narrowest run of fine bins that holds `prob` may start or end."""
        start, end = self._narrowest(prob)
        first = self._stops(prob)
        # A run may start anywhere in a coarse bin: at its end, it is narrower and must reach further.
        latest = np.where(self.fine, self._upto - self.number, self._upto) + prob * self.moments.count
        last = self._upto.searchsorted(latest, side="left")
        inside = first < self.number.size
        begin = np.where(self.fine, self.low, self.high)
        reach = self.low[np.minimum(first, self.number.size - 1)]
        may = np.flatnonzero(inside & (reach - begin < self.high[end] - self.low[start]))
        steps = np.zeros(self.number.size + 1, dtype=np.int64)
        np.add.at(steps, first[may], 1)
        np.add.at(steps, np.minimum(last[may] + 1, self.number.size), -1)
        ends = np.cumsum(steps[:-1]) > 0
        ends[may] = True
        return ends
