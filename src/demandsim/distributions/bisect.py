"""Where something increasing crosses a level: for many elements at once, each as if it were alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from demandsim._system import Array

__all__ = ["first_double", "narrowed"]


_FLIP = np.int64((1 << 63) - 1)


def _to_ranks(x: Array) -> npt.NDArray[np.int64]:
    """Integers in the order of the doubles: neighbours among doubles are neighbours here."""
    bits = np.ascontiguousarray(x + 0.0).view(np.int64)
    return bits ^ ((bits >> np.int64(63)) & _FLIP)


def _from_ranks(ranks: npt.NDArray[np.int64]) -> Array:
    return (ranks ^ ((ranks >> np.int64(63)) & _FLIP)).view(np.float64)


def first_double(reached: Callable[[Array, npt.NDArray[np.intp]], Any], low: Array, high: Array) -> Array:
    """The smallest double in [low, high] that has reached something, for each element.

    Bisection over the doubles themselves: it ends after 64 halvings at any scale, cannot fail at
    a jump, and finds the same double for an element whatever other elements there are.

    Parameters
    ----------
    reached : callable
        Takes values and the elements they belong to; False below some double and True above.
    low, high : array
        `high` is returned where nothing below it has reached.

    Examples
    --------
    >>> first_double(lambda x, place: x * x >= 2.0, np.array([1.0]), np.array([2.0]))
    array([1.41421356])
    """
    bottom, top = _to_ranks(low) - np.int64(1), _to_ranks(high)
    # The difference may overflow to a negative number, never to 1.
    active = np.flatnonzero(top - bottom != 1)
    while active.size:
        a, b = bottom[active], top[active]
        # The mean of two integers, without the overflow of their sum.
        middle = (a >> np.int64(1)) + (b >> np.int64(1)) + (a & b & np.int64(1))
        there = np.asarray(reached(_from_ranks(middle), active))
        top[active[there]] = middle[there]
        bottom[active[~there]] = middle[~there]
        active = active[top[active] - bottom[active] != 1]
    return _from_ranks(top) + 0.0


def narrowed(excess: Callable[[Array, npt.NDArray[np.intp]], Array], low: Array, high: Array) -> tuple[Array, Array]:
    """A narrower bracket of where something increasing changes sign, wherever it is smooth.

    Twelve steps of the Illinois method come close, and then the bracket is drawn around that. Where
    they do not come close (a jump, a level stretch) the bracket is still one, only wider.
    """
    everything = np.arange(low.size)
    a, b = low.copy(), high.copy()
    at_a, at_b = excess(a, everything), excess(b, everything)
    middle, last = b, np.full(low.shape, -1, dtype=np.int8)
    with np.errstate(all="ignore"):
        for _ in range(12):
            middle = b - at_b * ((b - a) / (at_b - at_a))
            middle = np.where((middle > a) & (middle < b), middle, a + (b - a) / 2)
            value = excess(middle, everything)
            short = value < 0
            # An end that stays twice counts half, so that it does not stay for long.
            at_a = np.where(short, value, np.where(last == short, at_a / 2, at_a))
            at_b = np.where(short, np.where(last == short, at_b / 2, at_b), value)
            a, b, last = np.where(short, middle, a), np.where(short, b, middle), short.astype(np.int8)
        for width in (2.0**-44, 2.0**-30):
            inner = np.abs(middle) * width
            for probe in (middle - inner, middle + inner):
                inside = (probe > a) & (probe < b)
                short = excess(np.where(inside, probe, a), everything) < 0
                a, b = np.where(inside & short, probe, a), np.where(inside & ~short, probe, b)
    return a, b
