r"""Bins: counts of magnitudes, coarse everywhere, fine where somebody looks.

The bits of a double already define bins: exponent and the leading bits of the mantissa, for the cost of
a shift instead of a logarithm. A fine bin has `MANTISSA_BITS` of the mantissa, so that it is at most
:math:`2^{-14}` of its value wide; a coarse one is `FINE` of them. Which coarse bins are counted finely
is told from outside, as ranges of their keys: a focus.

A quantile lies, of `n` independent draws, within :math:`\sqrt{p (1 - p) / n}` of its rank. The first draws tell so
where those of all draws will be; what was guessed wrong is seen in the coarse counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array

__all__ = [
    "EVERYWHERE",
    "MANTISSA_BITS",
    "NOTHING",
    "Bins",
    "Focus",
    "added",
    "binned",
    "coarse_key",
    "focus_on",
    "guessed_focus",
    "lowest_value",
]

Counts = npt.NDArray[np.unsignedinteger[Any]]
Flags = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.int32]
#: Half-open ranges of coarse keys, in increasing order and apart from each other.
Ranges = tuple[tuple[int, int], ...]

MANTISSA_BITS = 14
_COARSE_BITS = 8
_FINE_SHIFT = np.int64(52 - MANTISSA_BITS)
_COARSE_SHIFT = np.int64(52 - _COARSE_BITS)
#: Fine bins in a coarse one.
FINE = 1 << (MANTISSA_BITS - _COARSE_BITS)
#: One more than the key of any magnitude.
END = 1 << (11 + _COARSE_BITS)


def coarse_key(magnitude: float) -> int:
    """Key of the coarse bin of a magnitude."""
    return int(np.float64(magnitude).view(np.int64) >> _COARSE_SHIFT)


def lowest_value(key: int) -> float:
    """Smallest magnitude in a coarse bin."""
    return float((np.int64(key) << _COARSE_SHIFT).view(np.float64))


@dataclass(frozen=True, eq=False)
class Bins:
    """Counts of the bins of the coarse keys from `first` to `stop`, in increasing order of magnitude.

    Parameters
    ----------
    first, stop : int
    coarse : array of shape (stop - first,)
        Counts of the coarse bins; 0 for those that are counted finely.
    rows : array of shape (n,)
        Coarse keys of what is counted finely and holds values: most of a long tail is empty.
    fine : array of shape (n, FINE)
        Counts of the fine bins of each row. Apart, because a byte mostly holds the count of a fine bin.
    """

    first: int
    stop: int
    coarse: Counts
    rows: Keys
    fine: Counts

    @property
    def nbytes(self) -> int:
        """Bytes that the counts take."""
        return int(self.coarse.nbytes + self.rows.nbytes + self.fine.nbytes)

    def table(self) -> tuple[Array, Array, Counts, Flags]:
        """Lower edge, upper edge and count of all bins, and whether each is fine."""
        if not self.coarse.size:
            nothing = np.zeros(0)
            return nothing, nothing, self.coarse, nothing > 0
        sizes = np.ones(self.stop - self.first, dtype=np.int64)
        sizes[self.rows - self.first] = FINE
        start = np.cumsum(sizes) - sizes
        is_fine = np.repeat(sizes > 1, sizes)
        keys = np.repeat(np.arange(self.first, self.stop, dtype=np.int64) * FINE - start, sizes)
        keys += np.arange(keys.size)
        number = np.zeros(keys.size, dtype=np.result_type(self.coarse, self.fine))
        number[start] = self.coarse
        number[is_fine] = self.fine.ravel()
        edges = (np.append(keys, self.stop * FINE) << _FINE_SHIFT).view(np.float64)
        return edges[:-1], edges[1:], number, is_fine

    def without(self, key: int) -> tuple[Bins, int]:
        """Leave out the bins below a coarse key; and how many values those held."""
        if key <= self.first or not self.coarse.size:
            return self, 0
        last = min(key, self.stop)
        cut, row = last - self.first, int(self.rows.searchsorted(last))
        left_out = int(self.coarse[:cut].sum(dtype=np.int64) + self.fine[:row].sum(dtype=np.int64))
        return Bins(last, self.stop, self.coarse[cut:].copy(), self.rows[row:], self.fine[row:].copy()), left_out


_NONE = np.zeros(0, dtype=np.uint8)
#: No values.
NOTHING = Bins(0, 0, _NONE, np.zeros(0, dtype=np.int32), _NONE.reshape(0, FINE))


def _packed(counts: npt.NDArray[np.int64]) -> Counts:
    """The same numbers in as few bytes as the largest needs."""
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


def binned(magnitudes: Array, ranges: Ranges, times: int = 1) -> Bins:
    """Count positive magnitudes, each `times` over, finely in some ranges of coarse keys."""
    if not magnitudes.size:
        return NOTHING
    bits = magnitudes.view(np.int64)
    coarse = bits >> _COARSE_SHIFT
    first, stop = int(coarse.min()), int(coarse.max()) + 1
    coarse -= first
    counts = np.bincount(coarse)
    looked_at = np.zeros(counts.size, dtype=np.bool_)
    for low, high in ranges:
        looked_at[max(low - first, 0) : max(high - first, 0)] = True
    rows = np.flatnonzero(looked_at & (counts > 0))
    # Where each coarse bin starts, if the fine ones stand in the place of their own.
    sizes = np.ones(counts.size, dtype=np.int64)
    sizes[rows] = FINE
    start = np.cumsum(sizes) - sizes
    place = start[coarse]
    inside = bits >> _FINE_SHIFT
    inside &= (sizes - 1)[coarse]
    place += inside
    within = np.bincount(place, minlength=int(sizes.sum()))[np.repeat(sizes > 1, sizes)].reshape(-1, FINE)
    counts[rows] = 0
    return Bins(first, stop, _packed(counts * times), (rows + first).astype(np.int32), _packed(within * times))


def added(a: Bins, b: Bins) -> Bins:
    """Counts of two samples together, which are counted finely in the same ranges."""
    if not a.coarse.size or not b.coarse.size:
        return a if a.coarse.size else b
    first, stop, rows = min(a.first, b.first), max(a.stop, b.stop), np.union1d(a.rows, b.rows)
    coarse, fine = _zeros(stop - first, a.coarse, b.coarse), _zeros((rows.size, FINE), a.fine, b.fine)
    for part in (a, b):
        coarse[part.first - first : part.stop - first] += part.coarse
        fine[rows.searchsorted(part.rows)] += part.fine
    return Bins(first, stop, coarse, rows, fine)


def _zeros(shape: int | tuple[int, int], a: Counts, b: Counts) -> Counts:
    """Zeros in as few bytes as the sum of two arrays of counts needs."""
    largest = int(a.max(initial=0)) + int(b.max(initial=0))
    return np.zeros(shape, dtype=np.min_scalar_type(largest))


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
