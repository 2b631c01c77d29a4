"""Moments: count, mean and sums of powers of deviations, which merge exactly.

Chan, Golub and LeVeque; Pebay, Sandia report SAND2008-6212.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from demandsim._system import Array

__all__ = ["Moments", "merged_moments", "moments_of"]


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
