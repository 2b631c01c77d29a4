r"""Sketches: moments and quantiles of a stream, mergeable, in bounded memory, of proven error.

Moments merge exactly (Chan, Golub and LeVeque; Pebay, Sandia report SAND2008-6212). Quantiles come
from counts in bins that the bits of a double already define: sign, exponent and the leading
`MANTISSA_BITS` of the mantissa. A bin is at most :math:`2^{-14}` of its value wide, so every quantile
lies within a relative error of 6.2e-5 of an order statistic of its rank: the guarantee of DDSketch
(Masson, Rim and Lee, VLDB 2019), with bins that cost a shift instead of a logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

__all__ = ["MANTISSA_BITS", "Moments", "Sketch", "merged", "merged_moments", "moments_of", "sketch_of"]

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

MANTISSA_BITS = 14
_SHIFT = np.int64(52 - MANTISSA_BITS)
#: Octaves below the largest magnitude that keep their own bins; what is smaller counts as zero.
_OCTAVES = 64
_STEP = 8_192


@dataclass(frozen=True)
class Moments:
    """Count, mean, and sums of the second to fourth powers of the deviations from it."""

    count: int = 0
    mean: float = 0.0
    second: float = 0.0
    third: float = 0.0
    fourth: float = 0.0

    @property
    def sd(self) -> float:
        """Standard deviation with one degree of freedom taken off; 0 for a single value."""
        return math.sqrt(self.second / (self.count - 1)) if self.count > 1 else 0.0


def moments_of(values: Array) -> Moments:
    """Moments of finite values, in pieces that fit in the cache."""
    total = Moments()
    # Powers of values beyond 1e77 overflow to infinity, which is what a summary then says.
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, values.size, _STEP):
            part = values[start : start + _STEP]
            mean = part.sum().item() / part.size
            deviation = part - mean
            square = deviation * deviation
            # Sums, not dot products: the bits of BLAS may depend on its threads.
            second, rest = square.sum().item(), deviation.sum().item() / part.size
            deviation *= square
            square *= square
            # The mean is rounded: what the deviations still add up to belongs to it.
            piece = Moments(part.size, mean + rest, second, deviation.sum().item(), square.sum().item())
            total = merged_moments(total, piece) if start else piece
    return total


def merged_moments(a: Moments, b: Moments) -> Moments:
    """Moments of two samples together."""
    if not a.count or not b.count:
        return a if a.count else b
    n = a.count + b.count
    delta = b.mean - a.mean
    p, q = a.count / n, b.count / n
    # Products, not powers: a Python power that overflows raises, a product gives infinity.
    square = delta * delta
    second = a.second + b.second + square * p * b.count
    third = a.third + b.third + square * delta * p * b.count * (p - q) + 3 * delta * (p * b.second - q * a.second)
    fourth = (
        a.fourth
        + b.fourth
        + square * square * p * b.count * (p * p - p * q + q * q)
        + 6 * square * (p * p * b.second + q * q * a.second)
        + 4 * delta * (p * b.third - q * a.third)
    )
    return Moments(n, a.mean + delta * b.count / n, second, third, fourth)


@dataclass(frozen=True, eq=False)
class Sketch:
    """Moments and bin counts of a sample.

    Parameters
    ----------
    moments : Moments
    smallest, largest : float
    negative, positive : (first key, counts)
        Counts per bin of magnitude, for either sign.
    zeros : int
        Values that are zero, or too small beside the largest to have a bin.
    invalid : int
        NaN and infinite values, which are left out.
    """

    moments: Moments
    smallest: float
    largest: float
    negative: tuple[int, Counts]
    positive: tuple[int, Counts]
    zeros: int
    invalid: int

    @property
    def count(self) -> int:
        """Number of finite values."""
        return self.moments.count

    def _table(self) -> tuple[Array, Array, Array]:
        """Lower edge, upper edge and count of all bins in increasing order of value."""
        parts = []
        first, counts = self.negative
        if counts.size:
            edges = _edges(first, counts.size)
            parts.append((-edges[1:][::-1], -edges[:-1][::-1], counts[::-1]))
        if self.zeros:
            parts.append((np.zeros(1), np.zeros(1), np.array([self.zeros])))
        first, counts = self.positive
        if counts.size:
            edges = _edges(first, counts.size)
            parts.append((edges[:-1], edges[1:], counts))
        low, high, number = (np.concatenate(column) for column in zip(*parts, strict=True))
        used = number > 0
        return low[used], high[used], number[used].astype(np.float64)

    def quantiles(self, probs: Sequence[float]) -> list[float]:
        """Quantiles at `probs`, linear between order statistics that are spread evenly inside each bin."""
        if not self.count:
            return [math.nan] * len(probs)
        low, high, number = self._table()
        upto = np.cumsum(number)

        def order_statistic(rank: int) -> float:
            place = min(int(np.searchsorted(upto, rank, side="right")), number.size - 1)
            share = (rank - (upto[place] - number[place]) + 0.5) / number[place]
            value = low[place] + (high[place] - low[place]) * share
            return float(min(max(value, self.smallest), self.largest))

        found = []
        for prob in probs:
            rank = prob * (self.count - 1)
            below, above = order_statistic(int(rank)), order_statistic(min(int(rank) + 1, self.count - 1))
            found.append(below + (above - below) * (rank - int(rank)))
        return found

    def narrowest(self, prob: float) -> tuple[float, float]:
        """Highest density interval: the narrowest run of bins that holds `prob` of the values."""
        low, high, number = self._table()
        upto = np.cumsum(number)
        before = np.concatenate([[0.0], upto[:-1]])
        stop = np.searchsorted(upto, before + prob * self.count, side="left")
        inside = stop < number.size
        widths = high[np.minimum(stop, number.size - 1)] - low
        place = int(np.argmin(np.where(inside, widths, np.inf)))
        return max(float(low[place]), self.smallest), min(float(high[stop[place]]), self.largest)


def _edges(first: int, size: int) -> Array:
    keys = np.arange(first, first + size + 1, dtype=np.int64)
    return (keys << _SHIFT).view(np.float64)


def _binned(magnitudes: Array) -> tuple[int, Counts]:
    if not magnitudes.size:
        return 0, np.zeros(0, dtype=np.int64)
    keys = magnitudes.view(np.int64) >> _SHIFT
    first = int(keys.min())
    keys -= first
    return first, np.bincount(keys).astype(np.int64, copy=False)


def sketch_of(values: Any) -> Sketch:
    """Sketch a sample.

    Parameters
    ----------
    values : array
        Any shape; NaN and infinity are left out and counted.
    """
    flat = np.ascontiguousarray(values, dtype=np.float64).ravel()
    finite = np.isfinite(flat)
    invalid = 0
    if not finite.all():
        invalid = int(flat.size - np.count_nonzero(finite))
        flat = flat[finite]
    if not flat.size:
        empty = (0, np.zeros(0, dtype=np.int64))
        return Sketch(Moments(), math.inf, -math.inf, empty, empty, 0, invalid)
    smallest, largest = float(flat.min()), float(flat.max())
    least = np.ldexp(max(abs(smallest), abs(largest)), -_OCTAVES)
    if smallest > least:
        zeros, negative, positive = 0, flat[:0], flat
    else:
        negative, positive = -flat[flat < -least], flat[flat > least]
        zeros = int(flat.size - negative.size - positive.size)
    return Sketch(moments_of(flat), smallest, largest, _binned(negative), _binned(positive), zeros, invalid)


def _added(a: tuple[int, Counts], b: tuple[int, Counts]) -> tuple[int, Counts]:
    if not a[1].size or not b[1].size:
        return a if a[1].size else b
    first = min(a[0], b[0])
    total = np.zeros(max(a[0] + a[1].size, b[0] + b[1].size) - first, dtype=np.int64)
    for start, counts in (a, b):
        total[start - first : start - first + counts.size] += counts
    return first, total


def _trimmed(bins: tuple[int, Counts], least: float) -> tuple[tuple[int, Counts], int]:
    """Move bins below `least` to the zeros, so that memory stays bounded."""
    first, counts = bins
    lowest = int(np.array([least]).view(np.int64)[0] >> _SHIFT)
    cut = min(max(lowest - first, 0), counts.size)
    return ((first + cut, counts[cut:]), int(counts[:cut].sum())) if cut else (bins, 0)


def merged(a: Sketch, b: Sketch) -> Sketch:
    """Sketch of two samples together; the error stays that of one."""
    invalid = a.invalid + b.invalid
    if not a.count or not b.count:
        one = a if a.count else b
        return Sketch(one.moments, one.smallest, one.largest, one.negative, one.positive, one.zeros, invalid)
    smallest, largest = min(a.smallest, b.smallest), max(a.largest, b.largest)
    least = cast(float, np.ldexp(max(abs(smallest), abs(largest)), -_OCTAVES))
    negative, under = _trimmed(_added(a.negative, b.negative), least)
    positive, over = _trimmed(_added(a.positive, b.positive), least)
    zeros = a.zeros + b.zeros + under + over
    return Sketch(merged_moments(a.moments, b.moments), smallest, largest, negative, positive, zeros, invalid)
