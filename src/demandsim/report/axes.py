"""Axes: round numbers for the ticks of a chart, and where values stand on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Axis", "axis"]


@dataclass(frozen=True)
class Axis:
    """A scale from values to units of the drawing.

    Parameters
    ----------
    low, high : float
        Values at both ends.
    start, stop : float
        Where they stand.
    wide : bool
        Logarithmic.
    """

    low: float
    high: float
    start: float
    stop: float
    wide: bool = False

    def place(self, value: float) -> float:
        """Where a value stands, at most just outside of the drawing.

        Examples
        --------
        >>> Axis(0, 10, 0, 100).place(5), Axis(1, 100, 0, 100, wide=True).place(10)
        (50.0, 50.0)
        """
        if self.wide:
            if value <= 0:
                return self.start
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + (self.stop - self.start) * min(max(share, -0.05), 1.05)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values inside, at most so many.

        Examples
        --------
        >>> Axis(0, 97, 0, 1).ticks(), Axis(0.7, 230, 0, 1, wide=True).ticks()
        ([0.0, 20.0, 40.0, 60.0, 80.0], [1.0, 3.0, 10.0, 30.0, 100.0])
        """
        if self.wide:
            return self._powers(most)
        raw = (self.high - self.low) / most
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        return [float(f"{n * step:.12g}") for n in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _powers(self, most: int) -> list[float]:
        low, high = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        for factors in ((1, 2, 5), (1, 3), (1,)):
            found = [float(f"{f}e{n}") for n in range(low, high + 1) for f in factors]
            inside = [value for value in found if self.low <= value <= self.high]
            if len(inside) <= most:
                return inside
        return inside[:: math.ceil(len(inside) / most)]


def axis(low: float, high: float, start: float, stop: float, wide: bool = False) -> Axis:
    """Make an axis that has some length even where all values are the same.

    Examples
    --------
    >>> axis(3.0, 3.0, 0, 100).place(3.0)
    50.0
    """
    if not low < high:
        middle = low if math.isfinite(low) else 0.0
        return Axis(middle - (abs(middle) or 1.0) / 2, middle + (abs(middle) or 1.0) / 2, start, stop)
    return Axis(low, high, start, stop, wide)
