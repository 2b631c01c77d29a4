"""Moments: count, mean and sums of powers of deviations, which merge exactly.

Chan, Golub and LeVeque; Pebay, Sandia report SAND2008-6212.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array

__all__ = ["TAME", "Moments", "merged_moments", "moments_of", "moments_of_copies"]


_STEP = 65_536
#: Binary exponents up to which fourth powers of the values, and of their smallest deviations, are doubles.
TAME = 200
#: Sums of squares between it and its inverse say that fourth powers are doubles, and lose nothing.
_SMALLEST = 2.0**-400
#: Exponents whose powers of two, and their inverses, are doubles.
_LEAST, _LARGEST = -1022, 1024


@dataclass(frozen=True)
class Moments:
    """Count, mean, and sums of the second to fourth powers of the deviations from it.

    Parameters
    ----------
    count : int
    mean : float
    second, third, fourth : float
        Sums of powers of the deviations, divided by the same power of ``2**exponent``.
    exponent : int
        0, unless the values are so large or so small that their fourth powers are no doubles.
    """

    count: int = 0
    mean: float = 0.0
    second: float = 0.0
    third: float = 0.0
    fourth: float = 0.0
    exponent: int = 0

    def scaled(self, value: float) -> float:
        """Give a length in units of ``2**exponent`` back in the unit of the values; infinite if it is no double."""
        return float(np.ldexp(value, self.exponent))

    @property
    def sd(self) -> float:
        """Standard deviation with one degree of freedom taken off; 0 for a single value."""
        return self.scaled(math.sqrt(self.second / (self.count - 1))) if self.count > 1 else 0.0


def moments_of(values: Array, *, fourth: bool = True) -> Moments:
    """Moments of values of any size and of any type, computed in doubles, in pieces that fit in the cache.

    Without the `fourth`, neither it nor the third is worked out: they are NaN. So is the mean of what is not finite.
    """
    total = Moments()
    held, other = np.empty((2, min(_STEP, values.size)))
    for start in range(0, values.size, _STEP):
        part = values[start : start + _STEP]
        buffers = held[: part.size], other[: part.size]
        # Where only squares are asked for, the mean of those before is as good as their own, and is known.
        near = None if fourth or not start else total.mean
        with np.errstate(all="ignore"):
            piece = _piece(part, 0, buffers, near, fourth=fourth)
        if not _SMALLEST < piece.second < 1 / _SMALLEST:
            largest = max(-part.min().item(), part.max().item())
            if not math.isfinite(largest):
                return Moments(values.size, math.nan, math.nan, math.nan, math.nan)
            piece = _piece(part, _exponent_of(largest), buffers, None, fourth=fourth)
        total = merged_moments(total, piece) if start else piece
    return total


def _piece(part: Array, exponent: int, buffers: tuple[Array, Array], near: float | None, *, fourth: bool) -> Moments:
    """Moments of some values, in units of ``2**exponent``, by deviations from their mean or a number near it."""
    deviation, square = buffers
    scaled = np.multiply(part, math.ldexp(1.0, -exponent), out=deviation, dtype=np.float64) if exponent else part
    # Sums, not dot products: the bits of BLAS may depend on its threads.
    mean = scaled.sum(dtype=np.float64).item() / part.size if near is None else near
    np.subtract(scaled, mean, out=deviation, dtype=np.float64)
    np.multiply(deviation, deviation, out=square)
    second, rest = square.sum().item(), deviation.sum().item() / part.size
    second = max(second - part.size * rest * rest, 0.0)
    higher = (math.nan, math.nan)
    if fourth:
        deviation *= square
        square *= square
        higher = deviation.sum().item(), square.sum().item()
    # The mean is rounded: what the deviations still add up to belongs to it.
    return Moments(part.size, math.ldexp(mean + rest, exponent), second, *higher, exponent)


def moments_of_copies(value: float, times: int) -> Moments:
    """Moments of one value `times` over."""
    return Moments(times, value, exponent=_exponent_of(abs(value)))


def _exponent_of(largest: float) -> int:
    """Exponent by which values of at most this magnitude are scaled before they are squared."""
    if not largest:
        # Zeros have no size: whatever they are merged with sets the scale.
        return _LEAST
    exponent = math.frexp(largest)[1]
    return 0 if abs(exponent) <= TAME else min(max(exponent, _LEAST), _LARGEST)


def _scaled_to(moments: Moments, exponent: int) -> Moments:
    step = moments.exponent - exponent
    if not step:
        return moments
    second, third, fourth = (
        math.ldexp(value, power * step)
        for power, value in ((2, moments.second), (3, moments.third), (4, moments.fourth))
    )
    return Moments(moments.count, moments.mean, second, third, fourth, exponent)


def merged_moments(a: Moments, b: Moments) -> Moments:
    """Moments of two samples together."""
    if not a.count or not b.count:
        return a if a.count else b
    exponent = max(a.exponent, b.exponent)
    a, b = _scaled_to(a, exponent), _scaled_to(b, exponent)
    n = a.count + b.count
    centre = math.ldexp(a.mean, -exponent)
    delta = math.ldexp(b.mean, -exponent) - centre
    p, q = a.count / n, b.count / n
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
    return Moments(n, math.ldexp(centre + delta * b.count / n, exponent), second, third, fourth, exponent)
