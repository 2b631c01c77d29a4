r"""Sketch: moments and bin counts of a sample; sketches of its parts merge into that of the whole.

Where a sketch counts finely, every quantile lies within a relative error of 6.2e-5 of an order statistic
of its rank: the guarantee of DDSketch (Masson, Rim and Lee, VLDB 2019). Elsewhere it only knows how many
values there are. Of 65,536 lognormal draws, a sketch that is fine everywhere takes 155 KiB, one for an
equal-tailed interval 25, one for a highest density interval 55; the draws take 512.
A table is its bins in order of value, and what can be read off them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array
from demandsim.statistics.sketch.bins import (
    EVERYWHERE,
    NOTHING,
    Bins,
    Focus,
    added,
    binned,
    coarse_key,
    lowest_value,
)
from demandsim.statistics.sketch.moments import Moments, merged_moments, moments_of, moments_of_copies

__all__ = ["Sketch", "Table", "merged", "repeated", "sketch_of"]


#: Octaves below the largest magnitude that keep their own bins; what is smaller counts as zero.
_OCTAVES = 64
#: Quantiles that stand for all values where densities are asked.
_ORDERED = 1 << 13


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

    def ordered(self) -> Array:
        """Quantiles, evenly spaced in probability, that stand for the values."""
        number = min(self.moments.count, _ORDERED)
        return np.array(self.quantiles(((np.arange(number) + 0.5) / number).tolist()))

    def counts(self, values: Sequence[float]) -> tuple[Array, Array]:
        """How many values are at most each of some numbers, spread evenly inside each bin; the same for below."""
        x = np.asarray(values, dtype=np.float64)
        place = np.minimum(self.high.searchsorted(x, side="left"), self.number.size - 1)
        width = self.high[place] - self.low[place]
        share = np.divide(x - self.low[place], width, out=(x >= self.low[place]).astype(np.float64), where=width > 0)
        found = self._upto[place] - self.number[place] * (1 - np.clip(share, 0.0, 1.0))
        return found, found

    def ends(self, count: int) -> tuple[Array, Array]:
        """Lowest and highest values, in increasing order, as many of each: as the middles of their bins."""
        middle, number = self.low / 2 + self.high / 2, self.number.astype(np.int64)
        first = int(self._upto.searchsorted(count)) + 1
        last = max(self.number.size - 1 - int(np.cumsum(self.number[::-1]).searchsorted(count)), 0)
        return np.repeat(middle[:first], number[:first])[:count], np.repeat(middle[last:], number[last:])[-count:]

    def widest_gap(self, enough: float = 0.0, most: float = math.inf) -> tuple[float, float]:
        """Neighbouring bins that are farthest apart: from the end of the one to the start of the other."""
        low, high = np.append(self.low[:1], self.high[:-1]), self.low
        place = int(np.argmax(high - low))
        return float(low[place]), float(high[place])

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


@dataclass(frozen=True, eq=False)
class Sketch:
    """Moments and bin counts of a sample.

    Parameters
    ----------
    moments : Moments
    smallest, largest : float
    negative, positive : Bins
        Counts of magnitudes, for either sign.
    zeros : int
        Values that are zero, or too small beside the largest to have a bin.
    invalid : int
        NaN and infinite values, which are left out.
    focus : Focus
        Where bins are fine.
    """

    moments: Moments
    smallest: float
    largest: float
    negative: Bins
    positive: Bins
    zeros: int
    invalid: int
    focus: Focus

    @property
    def count(self) -> int:
        """Number of finite values."""
        return self.moments.count

    @property
    def nbytes(self) -> int:
        """Bytes that the counts take."""
        return self.negative.nbytes + self.positive.nbytes

    def table(self) -> Table:
        """All bins that hold values, in increasing order."""
        near, far, *below = self.negative.table()
        zero = np.zeros(min(self.zeros, 1))
        parts = (
            (-far, -near, *below),
            (zero, zero, np.full(zero.size, self.zeros), zero == 0),
            self.positive.table(),
        )
        mirrored = [column[::-1] for column in parts[0]]
        low, high, number, fine = (np.concatenate(column) for column in zip(mirrored, *parts[1:], strict=True))
        used = number > 0
        held = number[used].astype(np.float64)
        return Table(self.moments, self.smallest, self.largest, low[used], high[used], held, fine[used])

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles at `probs`; see `Table.quantiles`."""
        return self.table().quantiles(probs)

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval; see `Table.narrowest`."""
        return self.table().narrowest(prob)


def _least_key(smallest: float, largest: float) -> int:
    """Key of the lowest coarse bin of its own."""
    return coarse_key(math.ldexp(max(abs(smallest), abs(largest)), -_OCTAVES))


def sketch_of(values: Any, focus: Focus = EVERYWHERE) -> Sketch:
    """Sketch a sample.

    Parameters
    ----------
    values : array
        Any shape; NaN and infinity are left out and counted.
    focus : Focus, optional
        Where to count finely; everywhere by default.
    """
    flat = np.ascontiguousarray(values, dtype=np.float64).ravel()
    finite = np.isfinite(flat)
    invalid = 0
    if not finite.all():
        invalid = int(flat.size - np.count_nonzero(finite))
        flat = flat[finite]
    if not flat.size:
        return Sketch(Moments(), math.inf, -math.inf, NOTHING, NOTHING, 0, invalid, focus)
    smallest, largest = float(flat.min()), float(flat.max())
    # The smallest double, where all values are so small that their lowest bin starts at zero.
    least = lowest_value(_least_key(smallest, largest)) or math.ulp(0.0)
    if smallest >= least:
        zeros, negative, positive = 0, flat[:0], flat
    else:
        negative, positive = -flat[flat <= -least], flat[flat >= least]
        zeros = int(flat.size - negative.size - positive.size)
    below, above = binned(negative, focus.negative), binned(positive, focus.positive)
    return Sketch(moments_of(flat), smallest, largest, below, above, zeros, invalid, focus)


def repeated(value: float, times: int, focus: Focus = EVERYWHERE) -> Sketch:
    """Sketch of one value `times` over, without looking at its copies."""
    if not math.isfinite(value):
        return Sketch(Moments(), math.inf, -math.inf, NOTHING, NOTHING, 0, times, focus)
    one = np.array([abs(value)])
    negative = binned(one, focus.negative, times) if value < 0 else NOTHING
    positive = binned(one, focus.positive, times) if value > 0 else NOTHING
    zeros = times if value == 0 else 0
    return Sketch(moments_of_copies(value, times), value, value, negative, positive, zeros, 0, focus)


def merged(a: Sketch, b: Sketch) -> Sketch:
    """Sketch of two samples together, counted finely in the same places; the error stays that of one."""
    if a.focus != b.focus:
        raise ValueError("sketches that count finely in different places do not merge")
    invalid = a.invalid + b.invalid
    if not a.count or not b.count:
        one = a if a.count else b
        return Sketch(one.moments, one.smallest, one.largest, one.negative, one.positive, one.zeros, invalid, a.focus)
    smallest, largest = min(a.smallest, b.smallest), max(a.largest, b.largest)
    least = _least_key(smallest, largest)
    negative, under = added(a.negative, b.negative).without(least)
    positive, over = added(a.positive, b.positive).without(least)
    zeros = a.zeros + b.zeros + under + over
    moments = merged_moments(a.moments, b.moments)
    return Sketch(moments, smallest, largest, negative, positive, zeros, invalid, a.focus)
